/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stress.c - how near a worker is to its limit, as one figure per mille. */
#include "net/stress.h"

enum { LOSS_MAX = 1 << 20 }; /* of a window: keeps the arithmetic small */

void stress_init(struct stress *stress, const struct stress_input *input, int64_t now_us)
{
    ASSERT(input->slots_n > 0);
    *stress = (struct stress){.last = *input, .began_us = now_us};
}

static uint32_t share(uint64_t part, uint64_t whole)
{
    return (uint32_t)(part >= whole ? STRESS_FULL : part * STRESS_FULL / whole);
}

static uint32_t loss(uint64_t lost, uint64_t taken)
{
    if (lost == 0)
        return 0;
    return STRESS_FULL +
           share(lost < LOSS_MAX ? lost : LOSS_MAX,
                 (lost < LOSS_MAX ? lost : LOSS_MAX) + (taken < LOSS_MAX ? taken : LOSS_MAX));
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

uint32_t stress_add(struct stress *stress, const struct stress_input *input, int64_t now_us)
{
    const struct stress_input *last = &stress->last;
    ASSERT(stress_is_due(stress, now_us));
    ASSERT(input->slots_n > 0);
    uint64_t window_us = (uint64_t)(now_us - stress->began_us);
    uint64_t turns_us = input->busy_us - last->busy_us, cpu_us = input->cpu_us - last->cpu_us;
    stress->busy = share(turns_us > cpu_us ? turns_us : cpu_us, window_us);
    stress->slots = share(input->slots_busy, input->slots_n);
    stress->lost = loss(input->lost - last->lost, input->taken - last->taken);

    uint32_t now = larger(larger(stress->busy, stress->slots), stress->lost);
    int64_t step = ((int64_t)(now << 10) - stress->figure_q10) * (int64_t)window_us /
                   (int64_t)(window_us + STRESS_FOLLOW_US);
    stress->figure_q10 = (uint32_t)(stress->figure_q10 + step);
    if (stress->lost > 0)
        stress->figure_q10 = larger(stress->figure_q10, STRESS_FULL << 10);
    stress->last = *input;
    stress->began_us = now_us;
    return stress_figure(stress);
}
