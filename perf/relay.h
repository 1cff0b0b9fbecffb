/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/relay.h - the relay under measurement: started as a process of its own, driven over its
 * control socket.
 *
 * Ownership: relay_stop() ends the process and removes its folder; it is safe on a relay that never
 * started. Errors are said on stderr where they happen. */
#ifndef PERF_RELAY_H
#define PERF_RELAY_H

#include "perf/heapcount.h"
#include "perf/measure.h"
#include "perf/shared.h"

#include <jansson.h>

enum { RELAY_PATH_BYTES = 4096, RELAY_SOCKET_BYTES = 100 };

struct relay {
    pid_t pid;
    int fd; /* control connection */
    char folder[64];
    char socket[RELAY_SOCKET_BYTES];
    struct measure_threads threads; /* its workers */
    char engine[16];
    struct heapcount *heap; /* NULL: not counted */
    char *line;             /* what has come of the next message */
    size_t line_bytes, line_room;
    int64_t request_id;
};

struct relay_counters { /* of a worker, or totals */
    uint64_t forwarded, resent, packets_out, sends, syscalls, kernel_drops, nack_missed;
    uint64_t slots_retained, evicted, turns, fanout_yields;
    uint64_t handshake_steps, handshake_steps_turn_max;
    uint64_t drops;           /* of whatever kind; of them: */
    uint64_t drops_late;      /* fanout_late */
    uint64_t drops_handshake; /* too many waited, or sent again for nothing: DTLS sees to it */
};

/* `count_heap`: with the counting library preloaded, if there is one; else relay->heap is NULL. */
bool relay_start(struct relay *relay, const struct options *options, bool count_heap);
void relay_stop(struct relay *relay);

/* One request and its answer. The result, owned by the caller; `params` is taken. NULL after a
 * message. relay_do(): of which nothing is wanted but that it is done. */
json_t *relay_call(struct relay *relay, const char *method, json_t *params);
bool relay_do(struct relay *relay, const char *method, json_t *params);

bool relay_counters(struct relay *relay, struct relay_counters *counters);

/* Each worker's as well; `workers` may be NULL. */
bool relay_worker_counters(struct relay *relay, struct relay_counters *totals,
                           struct relay_counters workers[OPTIONS_WORKERS_MAX]);

/* Packets by why they were dropped, reasons with any; the caller's. */
json_t *relay_drops(struct relay *relay);

/* Live objects by server.census, connections apart; -1 when it does not answer. */
int64_t relay_objects(struct relay *relay);

/* Heap calls of the workers so far; MEASURE_NONE. */
int64_t relay_heap_calls(const struct relay *relay);

/* Pins worker i to cpus[i % n], the other threads to `rest` (-1: nowhere). */
void relay_pin(const struct relay *relay, const int *cpus, int n, int rest);

/* `name` beside this program or in `folder` relative to it; false when there is none. */
bool relay_find(const char *name, const char *folder, char path[RELAY_PATH_BYTES]);

#endif
