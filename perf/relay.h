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
    json_t *consumer_ids;
};

struct relay_counters { /* totals over the workers */
    uint64_t forwarded, resent, packets_out, sends, syscalls, kernel_drops, nack_missed;
    uint64_t slots_retained, evicted, turns, fanout_yields;
    uint64_t handshake_steps, handshake_steps_turn_max;
    uint64_t drops;           /* of whatever kind, but for: */
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

/* A room on a worker; what router.create answered. */
json_t *relay_make_router(struct relay *relay, const char *id, uint32_t worker);

/* A port that is free now, for a socket that must be named. */
uint16_t relay_free_port(void);

/* Rooms, publisher and consumers; fills the addresses, keys and payload types of `shared`. */
bool relay_join(struct relay *relay, const struct options *options, struct shared *shared);
bool relay_close_rooms(struct relay *relay, const struct options *options);

bool relay_counters(struct relay *relay, struct relay_counters *counters);

/* Live objects by server.census, connections apart; -1 when it does not answer. */
int64_t relay_objects(struct relay *relay);

/* Largest round trip time of consumers' transports as the relay measured it; 0 when unknown. */
double relay_rtt_ms(struct relay *relay, const struct options *options);

/* Heap calls of the workers so far; MEASURE_NONE. */
int64_t relay_heap_calls(const struct relay *relay);

/* Pins worker i to cpus[i % n], the other threads to `rest` (-1: nowhere). */
void relay_pin(const struct relay *relay, const int *cpus, int n, int rest);

/* `name` beside this program or in `folder` relative to it; false when there is none. */
bool relay_find(const char *name, const char *folder, char path[RELAY_PATH_BYTES]);

#endif
