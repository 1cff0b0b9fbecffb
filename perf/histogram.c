/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/histogram.c - log-linear buckets. */
#include "perf/histogram.h"

enum { SUB_N = 1 << HISTOGRAM_SUB_BITS };

/* Values below SUB_N have a bucket each; above, SUB_N buckets per power of two. */
static size_t bucket_of(uint64_t value)
{
    if (value < SUB_N)
        return (size_t)value;
    int shift = 63 - __builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return ((size_t)shift << HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

static uint64_t upper_end(size_t bucket)
{
    if (bucket < 2 * SUB_N)
        return bucket;
    size_t shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t top = (bucket & (SUB_N - 1)) + SUB_N;
    return ((top + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->n++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->n += from->n;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->n * share);
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && histogram->n > 0; i++) {
        seen += histogram->counts[i];
        if (seen > wanted || seen == histogram->n)
            return upper_end(i);
    }
    return 0;
}
