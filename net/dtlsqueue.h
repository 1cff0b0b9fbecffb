/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlsqueue.h - a bounded queue of datagrams on the heap, for net/dtls.c.
 *
 * Memory: a block for each datagram, none when empty. Threads: belongs to its session. */
#ifndef NET_DTLSQUEUE_H
#define NET_DTLSQUEUE_H

#include "core/base.h"

struct dtlsqueue_datagram {
    struct dtlsqueue_datagram *next;
    size_t bytes;
    uint8_t data[];
};

struct dtlsqueue {
    struct dtlsqueue_datagram *first, **last; /* `last` is where the next one is hung */
    size_t bytes;
};

void dtlsqueue_init(struct dtlsqueue *queue); /* then it must not move */

/* Copies. False: no memory, or more than `bytes_max` with it. */
bool dtlsqueue_put(struct dtlsqueue *queue, const void *data, size_t bytes, size_t bytes_max);

void dtlsqueue_drop_first(struct dtlsqueue *queue); /* there is one */
void dtlsqueue_clear(struct dtlsqueue *queue);

#endif
