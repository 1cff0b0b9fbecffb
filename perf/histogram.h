/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/histogram.h - durations counted in buckets of 1/32 relative width, for percentiles without
 * keeping samples. */
#ifndef PERF_HISTOGRAM_H
#define PERF_HISTOGRAM_H

#include "core/base.h"

enum {
    HISTOGRAM_SUB_BITS = 5,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t n;
};

void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value below which `share` (0..1) of the samples lie, at its bucket's upper end; 0 without
 * samples. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
