/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/ring.h - the io_uring engine of core/io.h; private to core.
 *
 * One ring a worker. Completions carry op, generation and index in `user_data`, never a pointer:
 *
 *   63      56 55      48 47          32 31                    0
 *   |   op    |    0     |  generation  | socket, watch, send |
 *
 * Receiving: slots stand in one ring of provided buffers that all sockets share; each socket has
 * one multishot receive, which is armed again when it has ended, after a look at the reason:
 *
 *   armed --datagram--> armed
 *         --empty datagram, error, ended--> listed --slots stand--> armed
 *         --ENOBUFS--> listed, and more slots are made to stand
 *   closing: listed --cancel--> the final completion closes the fd
 *
 * Watches have one multishot poll each (ring_watch.c), armed again when it has ended.
 *
 * Sending: no completion for what worked. What failed is in the completion queue when the
 * submitting call returns, so buffers are free, or their runs split up, right after it.
 *
 * Measured here, 200 sends of 1200 bytes a wait over loopback: 0.005 system calls a send;
 * registered files made no resolvable difference and are not used.
 *
 * Threads: the owning worker's. Memory: one mapping, the rings, and 16 bytes per slot that may
 * stand. */
#ifndef CORE_RING_H
#define CORE_RING_H

#include "core/io_parts.h"

#include <liburing.h>

enum {
    RING_SQ_ENTRIES = 512, /* all sends of a full arena, and as many receives to arm */
    RING_CQ_MIN = 1024,
    RING_CQ_MAX = 8192,
    RING_ROUNDS_MAX = 64,      /* re-arms of one socket within a wait: a flood of empty datagrams */
    RING_WAIT_DATAGRAMS = 512, /* a wait that has so many arms again in the next one */
    RING_SUBMIT_TRIES = 8,     /* that the kernel takes nothing of */
    RING_ADAPT_WAITS = 256,    /* the standing stock shrinks at most once in so many */
    RING_STANDING_WITHOUT_MEMLOCK = 256,
};

enum ring_op {
    RING_NONE,
    RING_RECEIVE,
    RING_CANCEL,
    RING_SEND,
    RING_WAKE,
    RING_WATCH,
    RING_UNWATCH
};

struct ring {
    struct io_uring uring;
    struct io_uring_buf_ring *buffers;
    struct msghdr receive_header;
    uint32_t buffers_n; /* entries of `buffers` */
    uint32_t standing;  /* of them published and not received into */
    uint32_t target;    /* how many should stand */
    uint32_t used_most; /* in one wait, since the last look */
    uint32_t waits_n;   /* since then */
    uint32_t listed_n;  /* sockets to arm, cancel or close */
    uint32_t watches_listed_n;
    uint16_t submit_gen; /* of the sends that are on their way */
    bool attached;       /* to the owning thread */
    bool wake_armed;
    bool jammed;     /* the kernel takes no submissions in this turn */
    bool no_buffers; /* a receive ended with ENOBUFS */
    bool starved;    /* no slot stands and the slab has none */
    bool min_wait, skip_success, send_to, disabled;
    size_t map_bytes;
    uint16_t *watches_listed; /* watches to arm or cancel */
    uint16_t listed[];        /* behind it: that of the watches */
};

/* ring.c */

/* An entry of the submission queue, made free by submitting where it is full: completions may be
 * taken meanwhile. NULL: the kernel takes nothing in this turn. */
struct io_uring_sqe *ring_sqe_take(struct io *io);
void ring_prepare_nothing(struct io_uring_sqe *sqe);

/* ring_watch.c */
int ring_watch(struct io *io, uint16_t index);
void ring_unwatch(struct io *io, uint16_t index);

/* Arms and cancels those that are listed. */
void ring_watch_step(struct io *io);

void ring_on_watch(struct io *io, uint16_t gen, uint32_t index, const struct io_uring_cqe *cqe);
void ring_on_unwatch(struct io *io, uint16_t gen, uint32_t index, int result);

/* ring_setup.c */
int ring_init(struct io *io, const struct io_config *config);
void ring_free(struct io *io);

/* Binds the ring to the calling thread, once. 0 or -errno. */
int ring_attach(struct ring *ring);

/* ring_complete.c */
uint64_t ring_data(enum ring_op op, uint16_t gen, uint32_t index);

/* The socket is to be armed, cancelled or closed in the next prepare step. */
void ring_list(struct ring *ring, struct io_socket *socket, uint16_t index);

/* Takes all that is in the completion queue, and what the kernel had to keep beside it. */
void ring_reap(struct io *io);

#endif
