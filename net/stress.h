/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stress.h - how near a worker is to its limit, as one figure per mille.
 *
 *   1000 is full. A window of 100 ms and more gives the largest of
 *     busy   the share of time that its turns or its thread's processor time took: turns alone miss
 *            what the kernel sends at submit, processor time alone misses being kept from running
 *     slots  packets under way against the slots that retention leaves, the most at a turn's end
 *     lost   1000 and the share lost, if anything was: datagrams that the kernel dropped or that
 *            found no slot, packets too late for their fan-out
 * and the figure follows it exponentially, 63 % of the way in 200 ms more; a loss lifts it to 1000
 * at once. It ends at 2000.
 *
 * Pure arithmetic: what was counted and the time are arguments. Threads: the owner's. 80 bytes. */
#ifndef NET_STRESS_H
#define NET_STRESS_H

#include "core/base.h"

enum {
    STRESS_FULL = 1000,
    STRESS_MOST = 2000,
    STRESS_WINDOW_US = 100000,
    STRESS_FOLLOW_US = 200000,
};

struct stress_input {
    uint64_t busy_us, cpu_us; /* since the start */
    uint64_t taken, lost;     /* packets, since the start */
    uint32_t slots_busy;      /* the most of the window */
    uint32_t slots_n;         /* not 0 */
};

struct stress {
    struct stress_input last; /* as the window began */
    int64_t began_us;
    uint32_t figure_q10;        /* 1/1024 per mille: small steps are not rounded away */
    uint32_t busy, slots, lost; /* of the last window, per mille; lost: 0 or from 1000 */
};

/* Begins a window; what was counted before it does not matter. */
void stress_init(struct stress *stress, const struct stress_input *input, int64_t now_us);

static inline bool stress_is_due(const struct stress *stress, int64_t now_us)
{
    return now_us - stress->began_us >= STRESS_WINDOW_US;
}

/* Ends the window, which must be due, and begins the next. Returns the figure. */
uint32_t stress_add(struct stress *stress, const struct stress_input *input, int64_t now_us);

static inline uint32_t stress_figure(const struct stress *stress)
{
    return (stress->figure_q10 + 512) >> 10;
}

#endif
