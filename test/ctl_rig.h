/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_rig.h - a control thread with fake workers and controllers talking to it, all in the
 * test's own thread. */
#ifndef TEST_CTL_RIG_H
#define TEST_CTL_RIG_H

#include "ctl/control.h"
#include "test/fake_worker.h"

struct rig_client {
    int fd;
    char *in;
    size_t in_n, in_room;
    json_t *notes;   /* notifications that have come */
    json_t *answers; /* answers that nobody has taken yet */
    int id;
    bool ended;
};

struct rig {
    struct control *control;
    struct rig_client client; /* the first one */
    char folder[64];
};

void rig_start(struct rig *rig, uint32_t workers_n);
void rig_start_with(struct rig *rig, const struct config *config);
void rig_config(struct config *config, uint32_t workers_n); /* small, quiet */
void rig_stop(struct rig *rig);

/* Turns until nothing is left to do. */
void rig_settle(struct rig *rig);

/* Another controller. */
void rig_connect(struct rig *rig, struct rig_client *client);
void rig_disconnect(struct rig *rig, struct rig_client *client);

/* Sends bytes as they are; takes what has come. */
void rig_send(struct rig *rig, struct rig_client *client, const char *text, size_t bytes);
void rig_read(struct rig *rig, struct rig_client *client);

/* Sends a request; its id. `params` is JSON text with printf's conversions; ' stands for ". */
int rig_request(struct rig *rig, struct rig_client *client, const char *method, const char *params,
                ...) __attribute__((format(printf, 4, 5)));

/* The answer of an id, a new reference; NULL if it has not come. */
json_t *rig_answer(struct rig *rig, struct rig_client *client, int id);

/* A request of the first client that succeeds: its result, a new reference, whose fields are held
 * against the method's table. */
json_t *rig_ok(struct rig *rig, const char *method, const char *params, ...)
    __attribute__((format(printf, 3, 4)));

/* The same without a look at the result. */
void rig_do(struct rig *rig, const char *method, const char *params, ...)
    __attribute__((format(printf, 3, 4)));

/* A request of the first client that fails with `code` and data.path `path` (NULL: no matter). */
void rig_fails(struct rig *rig, int code, const char *path, const char *method, const char *params,
               ...) __attribute__((format(printf, 5, 6)));

/* The first notification of a client called `method`, taken out, a new reference to its params;
 * NULL: none. */
json_t *rig_note(struct rig *rig, struct rig_client *client, const char *method);

/* Is every field of `value` in the list, and every field below it for which the list has names? */
bool rig_fields_known(const char *fields, const char *prefix, const json_t *value, char bad[128]);

/* A number at a path "a.b.0.c". -1: not there. */
int64_t rig_int(const json_t *value, const char *path);
const char *rig_text(const json_t *value, const char *path);
json_t *rig_at(const json_t *value, const char *path);

/* A router "r", a plain transport "t" in it, a VP8 producer "p" and an Opus producer "a" on it,
 * with SSRCs 1111 (RTX 1112) and 2222. */
void rig_room(struct rig *rig);
extern const char
    rig_capabilities[]; /* of an endpoint that takes VP8 with RTX, and Opus; with ' for " */

#endif
