/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/sender.h - ways to hand encrypted packets to the kernel, behind one set of calls.
 *
 * The relay's two engines (core/io.h), with and without what they could leave out, and a ring of
 * its own for what they do not do: zero-copy. Every way sends the same: one packet, or a run that
 * the kernel cuts up (UDP_SEGMENT), to one of N targets, from one socket that all share or from a
 * socket for each, connected to it.
 * Threads: one. Memory: an engine or a ring, its buffers, and the sockets. */
#ifndef PERF_SENDER_H
#define PERF_SENDER_H

#include "core/io.h"

enum { SENDER_RUN_MAX = 16 }; /* zero-copy takes 17 pieces of memory for a message */

enum sender_how {
    SENDER_URING,     /* as the relay does: SEND with an address, SENDMSG for a run */
    SENDER_URING_MSG, /* SENDMSG for all */
    SENDER_MMSG,      /* sendmmsg */
    SENDER_RING,      /* own ring: SEND with an address, SENDMSG for a run */
    SENDER_RING_ZC,   /* the same, SEND_ZC from registered buffers, SENDMSG_ZC */
    SENDER_HOWS_N,
};

struct sender; /* opaque */

struct sender_figures {
    uint64_t packets, sends, failed, syscalls;
};

/* `targets` are copied. 0 or -errno: -ENOTSUP where the kernel cannot. */
int sender_init(struct sender **sender, enum sender_how how, bool connected,
                const struct addr *targets, uint32_t targets_n);
void sender_exit(struct sender *sender); /* NULL is fine */

/* A buffer of IO_EGRESS_BYTES; hands over what is queued when all are in use. */
uint8_t *sender_take(struct sender *sender);

/* Queues buffers that were taken: 1..SENDER_RUN_MAX packets of `segment_bytes`, the last of
 * `last_bytes`. */
void sender_send(struct sender *sender, uint32_t target, uint8_t *const *buffers, size_t n,
                 size_t segment_bytes, size_t last_bytes);

/* Nothing is queued afterwards, and the kernel has let go of every buffer. */
void sender_flush(struct sender *sender);

struct sender_figures sender_figures(const struct sender *sender);

#endif
