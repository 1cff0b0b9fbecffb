/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/random.h - random numbers: unpredictable ones from the kernel, repeatable ones for jitter
 * and tests. */
#ifndef CORE_RANDOM_H
#define CORE_RANDOM_H

#include "core/base.h"

/* Unpredictable bytes (getrandom). Never in a worker's turn. */
void random_bytes(void *out, size_t bytes);
uint32_t random_u32(void);

/* splitmix64: quick, repeatable, predictable: jitter of report intervals, tests, perf. */
struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);

/* 0 <= result < limit (limit > 0). */
uint32_t random_below(struct random *random, uint32_t limit);

#endif
