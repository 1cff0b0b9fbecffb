/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/sealcount.c - how many seals and streams are alive. */
#include "rtp/sealcount.h"

#include <stdatomic.h>

static _Atomic int64_t counts[SEAL_SUITE_N][SEAL_COUNTED_N];

void sealcount_add(enum seal_suite suite, enum seal_counted what, int64_t n)
{
    atomic_fetch_add_explicit(&counts[suite][what], n, memory_order_relaxed);
}

static int64_t count(enum seal_suite suite, enum seal_counted what)
{
    return atomic_load_explicit(&counts[suite][what], memory_order_relaxed);
}

struct seal_count seal_count(enum seal_suite suite)
{
    return (struct seal_count){.seals = count(suite, SEAL_COUNTED_SEALS),
                               .outs = count(suite, SEAL_COUNTED_OUTS),
                               .ins = count(suite, SEAL_COUNTED_INS)};
}
