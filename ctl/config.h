/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/config.h - what sluiced is told: built-in defaults, then a JSON file, then the command line.
 *
 * Unknown keys and impossible values are errors that name the key. Threads: start-up's. Ownership:
 * values, no pointer into anything. */
#ifndef CTL_CONFIG_H
#define CTL_CONFIG_H

#include "core/io.h"
#include "core/log.h"
#include "ctl/fields.h"
#include "rtp/retain.h"

enum {
    CONFIG_PATH_BYTES = 108, /* sun_path of a Unix socket */
    CONFIG_FILE_PATH_BYTES = 512,
    CONFIG_WORKERS_MAX = 256,
    CONFIG_FILE_BYTES_MAX = 1 << 16,
    CONFIG_ERROR_BYTES = 512,
};

#define CONFIG_FILE   "/etc/sluice/sluiced.json"
#define CONFIG_SOCKET "/run/sluice/sluice.sock"

/* Where a room's transports go. */
enum placement_policy {
    PLACEMENT_HOME,   /* to the room's own worker, until it is much busier than another */
    PLACEMENT_SPREAD, /* to the least busy worker */
};

struct config {
    char socket[CONFIG_PATH_BYTES];
    bool socket_given; /* by file, flag or environment: no other place is tried */
    uint32_t workers_n;
    enum placement_policy placement;
    enum io_engine engine;
    uint32_t without;        /* enum io_feature bits: taken as missing */
    uint32_t slots_n;        /* of each worker */
    uint32_t retain_slots_n; /* 0: three quarters of slots_n */
    bool huge_pages;
    bool pin; /* worker n to the nth processor that the process may use */
    uint32_t sockets_max, transports_max, producers_max, consumers_max; /* of each worker */
    uint32_t planned_pps; /* packets a second that come into one socket: sizes receive buffers */
    uint16_t port_min, port_max; /* for transports that name no port; 0: the system's */
    struct retain_rule retain_rule;
    char certificate_path[CONFIG_FILE_PATH_BYTES], key_path[CONFIG_FILE_PATH_BYTES]; /* PEM, for
        DTLS; "": made at each start */
    enum log_level log_level;
    enum log_format log_format;
    uint16_t metrics_port; /* 0: none */
    uint32_t drain_seconds;
};

/* Workers: one for each processor that the process may use. */
void config_default(struct config *config);

/* Reads an object in the shape of sluiced.json on top of `config`. */
bool config_read(struct config *config, const json_t *value, struct field_error *err);

/* Reads a file on top of `config`. 0; -ENOENT, -errno (cannot be read), -EINVAL; `why` says it in
 * one sentence. */
int config_load(struct config *config, const char *path, char why[CONFIG_ERROR_BYTES]);

/* The text of a file on top of `config`; `name` stands in `why`. 0 or -EINVAL. */
int config_parse(struct config *config, const char *text, size_t bytes, const char *name,
                 char why[CONFIG_ERROR_BYTES]);

/* What the values say together: slots against retention, processors. False: `why`. */
bool config_check(struct config *config, char why[CONFIG_ERROR_BYTES]);

/* In the shape of sluiced.json, complete. A new reference. */
json_t *config_json(const struct config *config);

/* "auto" "uring" "mmsg". */
bool config_parse_engine(const char *name, enum io_engine *engine);
const char *config_engine_name(enum io_engine engine);

/* Feature names by comma: "min_wait,udp_segment". False: `bad` is the unknown one. */
bool config_parse_without(const char *names, uint32_t *without, char bad[64]);

#endif
