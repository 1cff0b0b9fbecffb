/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/rooms.h - a scene in the relay: its routers, transports, producers and consumers, made and
 * closed over the control socket, and told to the other processes by the mapping.
 *
 * Ids are the scene's numbers: room0, p0 (a participant's transport), t0 (a track's producer), c0
 * (a stream's consumer). All of it at once by rooms_open() and rooms_consume(), or one by one. */
#ifndef PERF_ROOMS_H
#define PERF_ROOMS_H

#include "perf/relay.h"

struct rooms {
    struct relay *relay;
    const struct options *options;
    struct shared *shared;
    json_t *capabilities;                /* of every receiver */
    uint16_t ports[OPTIONS_WORKERS_MAX]; /* a shared socket of each worker; 0: not made yet */
    uint32_t joins_n;
};

/* Routers, and everybody's transport and producers. */
bool rooms_open(struct rooms *rooms, struct relay *relay, const struct options *options,
                struct shared *shared);
bool rooms_consume(struct rooms *rooms);
bool rooms_close(struct rooms *rooms);
void rooms_exit(struct rooms *rooms); /* says nothing to the relay */

/* Routers alone; then one by one. */
bool rooms_make_routers(struct rooms *rooms, struct relay *relay, const struct options *options,
                        struct shared *shared);
bool rooms_join(struct rooms *rooms, uint32_t participant); /* its transport, connected */
bool rooms_leave(struct rooms *rooms, uint32_t participant);
bool rooms_make_producer(struct rooms *rooms, uint32_t track);
bool rooms_close_producer(struct rooms *rooms, uint32_t track);
bool rooms_make_consumer(struct rooms *rooms, uint32_t stream);
bool rooms_close_consumer(struct rooms *rooms, uint32_t stream);

/* {"producerId": "t3"} and the like. */
json_t *rooms_id(const char *key, char letter, uint32_t number);

/* Largest round trip time of the receivers' transports as the relay measured it; 0: unknown. */
double rooms_rtt_ms(struct rooms *rooms);

/* A router with an id of its own; what router.create answered. A named worker has all its
 * transports; with ROOMS_ANY_WORKER each may be elsewhere. */
enum { ROOMS_ANY_WORKER = -1 };

json_t *rooms_make_router(struct relay *relay, const char *id, int64_t worker);

/* A port that is free now, for a socket that must be named. */
uint16_t rooms_free_port(void);

#endif
