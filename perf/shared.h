/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/shared.h - what the harness' processes tell each other: one shared anonymous mapping, made
 * before the fork.
 *
 * Writer of each field is named; everything is read by the harness. Counters are relaxed atomics.
 */
#ifndef PERF_SHARED_H
#define PERF_SHARED_H

#include "core/addr.h"
#include "perf/histogram.h"
#include "perf/options.h"

#include <stdatomic.h>
#include <sys/types.h>

struct shared_receiver {       /* written by the receivers' process */
    _Atomic uint64_t received; /* different packets, those that came as resends apart */
    _Atomic uint64_t bytes;
    _Atomic uint64_t lost_on_wire, recovered;
    _Atomic uint64_t nack_requested, nack_served, nack_late;
    _Atomic uint64_t limit;   /* packets of the limit */
    _Atomic uint64_t foreign; /* not ours, or not decryptable */
    _Atomic uint64_t missed;  /* the kernel found its buffer full; brought up to date each second */
};

struct shared_crowd { /* perf/crowd.h */
    /* the harness */
    _Atomic uint32_t round; /* peers join with a new one; 0: they leave */
    char socket[128];       /* the relay's */
    /* the crowd */
    _Atomic bool ready, left;
    _Atomic uint32_t joined, failed; /* of the round, cleared by the harness */
    _Atomic int64_t last_us;         /* from the round's beginning to the last join so far */
    struct histogram join_us;        /* of all rounds: from the first request to the SRTP keys */
};

struct shared {
    /* the harness */
    _Atomic bool publish; /* send, or rest */
    _Atomic bool measure; /* transit samples are kept */
    _Atomic bool stop;
    _Atomic bool calm;                 /* no loss is made, so that what is missing is recovered */
    _Atomic bool keys_ready;           /* `keys` are there: receivers may begin */
    _Atomic uint32_t media_pt, rtx_pt; /* as the relay's consumers got them; rtx 0: none */
    _Atomic uint32_t limit_run_q8;     /* 0: rest; else the limit's mean run length * 256 */
    struct addr relay[OPTIONS_WORKERS_MAX];                  /* where the publisher sends */
    uint8_t key_in[SEAL_KEY_BYTES_MAX];                      /* everybody's towards the relay */
    uint8_t keys[OPTIONS_CONSUMERS_MAX][SEAL_KEY_BYTES_MAX]; /* the relay's towards a receiver */
    /* the publisher */
    _Atomic uint64_t published;       /* packets, to each of the rooms */
    _Atomic uint64_t publish_late;    /* frames that were more than one interval late */
    _Atomic uint64_t publish_refused; /* packets that the kernel did not take */
    /* the receivers */
    _Atomic bool receivers_ready; /* sockets are open */
    _Atomic bool receivers_sealed;
    uint16_t receiver_ports[OPTIONS_CONSUMERS_MAX];
    struct shared_receiver receivers[OPTIONS_CONSUMERS_MAX];
    struct histogram transit_ns; /* while `measure`: to the receiver's return from the kernel */
    struct histogram arrival_ns; /* the same to the kernel's receive stamp */
    struct shared_crowd crowd;
    /* the limit */
    _Atomic bool limit_ready;
    _Atomic uint64_t limit_packets, limit_sends;
};

/* Mapped and zero; NULL on failure. */
struct shared *shared_make(void);

/* Forks: the child runs `body(shared, options)` pinned to `cpu` (-1: not) and ends with its result;
 * it dies with its parent. */
pid_t shared_fork(struct shared *shared, const struct options *options, int cpu,
                  int (*body)(struct shared *, const struct options *));

/* Waits up to a second, then kills. */
void shared_reap(pid_t pid);

#endif
