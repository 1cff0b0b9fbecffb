/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/timer.c - a binary heap whose entries know their place in it. */
#include "core/timer.h"

#include <errno.h>

int timers_init(struct timers *timers, uint32_t n_max)
{
    ASSERT(n_max > 0 && n_max < UINT32_MAX / 2);
    *timers = (struct timers){.n_max = n_max};
    timers->heap = base_map(n_max * sizeof(struct timer *));
    return timers->heap ? 0 : -ENOMEM;
}

void timers_exit(struct timers *timers)
{
    base_unmap(timers->heap, timers->n_max * sizeof(struct timer *));
    *timers = (struct timers){0};
}

static void put(struct timers *timers, uint32_t at, struct timer *timer)
{
    timers->heap[at] = timer;
    timer->heap_at = at + 1;
}

/* Both move a hole at `at` to where `timer` belongs and fill it: at most log2(n) steps. */
static void sift_up(struct timers *timers, uint32_t at, struct timer *timer)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (timers->heap[parent]->due_us <= timer->due_us)
            break;
        put(timers, at, timers->heap[parent]);
        at = parent;
    }
    put(timers, at, timer);
}

static void sift_down(struct timers *timers, uint32_t at, struct timer *timer)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= timers->n)
            break;
        if (child + 1 < timers->n && timers->heap[child + 1]->due_us < timers->heap[child]->due_us)
            child++;
        if (timers->heap[child]->due_us >= timer->due_us)
            break;
        put(timers, at, timers->heap[child]);
        at = child;
    }
    put(timers, at, timer);
}

static void place(struct timers *timers, uint32_t at, struct timer *timer)
{
    if (at > 0 && timers->heap[(at - 1) / 2]->due_us > timer->due_us)
        sift_up(timers, at, timer);
    else
        sift_down(timers, at, timer);
}

void timers_set(struct timers *timers, struct timer *timer, int64_t due_us)
{
    uint32_t at = timer->heap_at - 1;
    if (!timer_is_set(timer)) {
        ASSERT(timers->n < timers->n_max);
        at = timers->n++;
    } else {
        ASSERT(at < timers->n);
        ASSERT(timers->heap[at] == timer);
    }
    timer->due_us = due_us;
    place(timers, at, timer);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    if (!timer_is_set(timer))
        return;
    uint32_t at = timer->heap_at - 1;
    ASSERT(at < timers->n);
    ASSERT(timers->heap[at] == timer);

    struct timer *last = timers->heap[--timers->n];
    timer->heap_at = 0;
    if (last != timer)
        place(timers, at, last);
}

int64_t timers_next_us(const struct timers *timers)
{
    return timers->n ? timers->heap[0]->due_us : INT64_MAX;
}

struct timer *timers_pop(struct timers *timers, int64_t now_us)
{
    if (timers->n == 0 || timers->heap[0]->due_us > now_us)
        return NULL;
    struct timer *timer = timers->heap[0];
    timers_cancel(timers, timer);
    return timer;
}
