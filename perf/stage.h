/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/stage.h - the processes of one run: opened together, paced by the harness, closed together.
 */
#ifndef PERF_STAGE_H
#define PERF_STAGE_H

#include "perf/rooms.h"

enum { STAGE_CPUS_MAX = 64 };

struct stage {
    const struct options *options;
    struct shared *shared;
    struct relay relay;
    struct rooms rooms;
    pid_t receivers, publisher, limit, crowd;
    struct measure_threads limit_threads;
    int cpus[STAGE_CPUS_MAX]; /* for relay workers and limit, then the load's */
    int relay_cpus_n, load_cpu;
};

/* Sums over participants. */
struct stage_sums {
    uint64_t received, spanned, lost_on_wire, recovered, recovered_thrown;
    uint64_t nack_requested, nack_served, nack_late;
    uint64_t keyframes_requested, limit, foreign, missed;
};

/* Makes the mapping with its scene, opens the participants' sockets and starts the receivers. Every
 * open is undone by stage_close(). */
bool stage_open(struct stage *stage, const struct options *options);
bool stage_start_relay(struct stage *stage, bool count_heap);
/* Rooms with everybody's transport and producers, their keys, the publisher (at rest). */
bool stage_join(struct stage *stage);
bool stage_consume(struct stage *stage);
bool stage_start_publisher(struct stage *stage);
bool stage_start_limit(struct stage *stage);
bool stage_start_crowd(struct stage *stage); /* after the relay */
void stage_close(struct stage *stage);

/* All participants that have a transport have its keys: within a while. */
bool stage_wait_sealed(struct stage *stage);

/* False when a process has ended or the harness was interrupted. */
bool stage_wait(struct stage *stage, double seconds);

/* Media for so long, then the rest that lets everything arrive. The last part is calm: no loss is
 * made. */
bool stage_publish(struct stage *stage, double seconds, bool lossy);

void stage_sum(const struct stage *stage, struct stage_sums *sums);

/* Packets that receivers are to have by now: what each track has published, by its receivers. */
uint64_t stage_wanted(const struct stage *stage);

#endif
