/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/calls.h - many requests to the relay under way at once, on a connection of its own.
 *
 * Nothing waits: what the socket does not take is sent with the next call. Threads: its owner's.
 * Memory: two buffers on the heap that grow to CALLS_BYTES_MAX. */
#ifndef PERF_CALLS_H
#define PERF_CALLS_H

#include "core/base.h"

#include <jansson.h>

enum { CALLS_BYTES_MAX = 16 << 20 };

struct calls_buffer {
    char *text;
    size_t bytes, room;
};

struct calls {
    int fd; /* -1: not connected, or no longer */
    struct calls_buffer in, out;
    size_t taken; /* of `in` */
};

/* False after a message. */
bool calls_open(struct calls *calls, const char *socket);
void calls_close(struct calls *calls);

/* `params` is taken. False: the connection is gone, or does not read. */
bool calls_send(struct calls *calls, int64_t id, const char *method, json_t *params);

/* The next message that has come, an answer or a notification, the caller's; NULL: none has come
 * whole, or the connection is gone (fd is -1 then). Sends what waits. */
json_t *calls_next(struct calls *calls);

#endif
