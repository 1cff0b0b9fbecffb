/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/timer.h - thousands of one-shot timers of one worker, and when the next one is due.
 *
 * A binary heap of pointers to timers that their owners embed; exact, O(log n) to set, no
 * callbacks: the worker takes due timers out one by one and switches on their kind. Threads: the
 * owning worker. Memory: one pointer per timer, mapped by timers_init(). */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include "core/base.h"

struct timer {
    int64_t due_us;
    uint32_t heap_at; /* position + 1; 0 = not set */
    uint16_t kind;    /* the owner's, untouched here */
    uint16_t spare;
    uint32_t owner; /* the owner's index */
};

struct timers {
    struct timer **heap;
    uint32_t n, n_max;
};

/* 0 or -ENOMEM. `n_max` is the most timers that can be set at once: a sum over their owners. */
int timers_init(struct timers *timers, uint32_t n_max);
void timers_exit(struct timers *timers);

/* Sets or moves it. Room is the caller's sum: asserted. */
void timers_set(struct timers *timers, struct timer *timer, int64_t due_us);
void timers_cancel(struct timers *timers, struct timer *timer); /* no-op when not set */

/* INT64_MAX when none is set. */
int64_t timers_next_us(const struct timers *timers);

/* The most overdue timer, taken out, or NULL when none is due at `now_us`. */
struct timer *timers_pop(struct timers *timers, int64_t now_us);

static inline bool timer_is_set(const struct timer *timer)
{
    return timer->heap_at != 0;
}

#endif
