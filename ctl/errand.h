/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/errand.h - a command on its way to a worker and back, and who waits for it.
 *
 * Errands of one worker are posted and answered in order. What does not fit into the worker's
 * mailbox waits here; that is bounded by the number of objects and mirrors (an end each) and of
 * pending requests. Threads: the control thread's. */
#ifndef CTL_ERRAND_H
#define CTL_ERRAND_H

#include "ctl/list.h"
#include "net/worker.h"

struct control;
struct request;
struct errand;

/* The outcome's `result` is 0 or -errno; -ESHUTDOWN when the worker has died before. `errand` is
 * freed afterwards. */
typedef void errand_done(struct control *control, struct errand *errand,
                         const struct outcome *outcome);

struct errand {
    struct link link;
    uint64_t cookie;
    enum command_kind kind;
    uint32_t index;
    uint32_t argument;      /* COMMAND_STATS: object kind; COMMAND_TRACE_EVENTS: bits */
    enum object_kind about; /* COMMAND_TRACE_EVENTS */
    const struct command_reader *reader; /* COMMAND_READER_ADD and _REMOVE: its mirror's */
    uint16_t worker;
    void *payload; /* malloc'ed; freed with the errand */
    struct command
        *command; /* for kinds that carry more than the above; wiped and freed when posted */
    struct request *request; /* who waits, or NULL */
    void *object;            /* what it is about: struct object, struct socket, struct mirror */
    void *result;            /* json_t, a reference: what to answer */
    errand_done *done;
    bool embedded; /* part of its object, which `done` may free */
};

struct desk { /* one worker's errands */
    struct worker *worker;
    struct link waiting; /* not posted yet */
    struct link out;     /* posted, oldest first */
    uint32_t waiting_n, out_n;
    uint64_t cookie_next;
    bool dead;
};

void desk_init(struct desk *desk, struct worker *worker);

/* A new errand of `kind`; `with_command` gives it a zeroed command. NULL without memory. */
struct errand *errand_make(enum command_kind kind, uint32_t index, bool with_command,
                           errand_done *done);
void errand_free(struct errand *errand);

/* One that is part of an object, so that closing needs no memory. */
void errand_embed(struct errand *errand, enum command_kind kind, uint32_t index, errand_done *done);

/* Calls `done` and frees the errand. */
void errand_finish(struct control *control, struct errand *errand, const struct outcome *outcome);

/* Takes the errand; it is posted at the next desk_post(). */
void desk_add(struct desk *desk, struct errand *errand);

/* Posts what fits. */
void desk_post(struct desk *desk);

/* The errand of a cookie, taken out of the desk; NULL for a cookie that nobody waits for. */
struct errand *desk_take(struct desk *desk, uint64_t cookie);

/* The worker is gone: the next errand to be failed, taken out of the desk; NULL when none is left.
 */
struct errand *desk_take_any(struct desk *desk);

#endif
