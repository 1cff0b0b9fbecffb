/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/rate.c - packets and bytes a second over a sliding window of one second in 10 steps. */
#include "rtp/rate.h"

static unsigned place(int64_t step)
{
    return (unsigned)((uint64_t)step % RATE_STEPS);
}

static void advance(struct rate *rate, int64_t step)
{
    int64_t passed = min_i64(step - rate->step, RATE_STEPS);
    for (int64_t i = 0; i < passed; i++) {
        rate->steps[place(step - i)].bytes = 0;
        rate->steps[place(step - i)].packets = 0;
    }
    rate->step = step;
}

void rate_add(struct rate *rate, uint32_t packets, size_t bytes, int64_t now_us)
{
    int64_t step = now_us / RATE_STEP_US;
    if (step > rate->step)
        advance(rate, step);
    else if (step <= rate->step - RATE_STEPS)
        step = rate->step;

    unsigned at = place(step);
    if (rate->steps[at].bytes <= UINT32_MAX - (uint32_t)bytes)
        rate->steps[at].bytes += (uint32_t)bytes;
    rate->steps[at].packets += packets;
}

/* The sum over the steps that are in the window at `now_us`. */
static void sum(const struct rate *rate, int64_t now_us, uint64_t *bytes, uint64_t *packets)
{
    *bytes = 0;
    *packets = 0;
    int64_t first = max_i64(now_us / RATE_STEP_US, rate->step) - RATE_STEPS + 1;
    for (int64_t step = max_i64(first, rate->step - RATE_STEPS + 1); step <= rate->step; step++) {
        *bytes += rate->steps[place(step)].bytes;
        *packets += rate->steps[place(step)].packets;
    }
}

static uint32_t per_second(uint64_t amount, int64_t now_us)
{
    uint64_t covered_us = (uint64_t)((RATE_STEPS - 1) * RATE_STEP_US + now_us % RATE_STEP_US + 1);
    uint64_t result = amount * 1000000 / covered_us;
    return result > UINT32_MAX ? UINT32_MAX : (uint32_t)result;
}

uint32_t rate_bps(const struct rate *rate, int64_t now_us)
{
    uint64_t bytes, packets;
    sum(rate, now_us, &bytes, &packets);
    return per_second(bytes * 8, now_us);
}

uint32_t rate_pps(const struct rate *rate, int64_t now_us)
{
    uint64_t bytes, packets;
    sum(rate, now_us, &bytes, &packets);
    return per_second(packets, now_us);
}
