/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/heapcount.h - heap calls of every thread of a process, counted by a preloaded library
 * (perf/heapcount.c) into a mapping that the harness reads.
 *
 * The harness makes the file, names its descriptor in the environment as HEAPCOUNT_ENV and preloads
 * the library. Writer: the counted process; counters are relaxed atomics. */
#ifndef PERF_HEAPCOUNT_H
#define PERF_HEAPCOUNT_H

#include <stdatomic.h>
#include <stdint.h>

#define HEAPCOUNT_ENV     "SLUICE_HEAPCOUNT_FD"
#define HEAPCOUNT_LIBRARY "libsluice-heapcount.so"

enum { HEAPCOUNT_THREADS_MAX = 256 };

struct heapcount {
    _Atomic uint32_t ready;     /* 1: the library is at work */
    _Atomic uint32_t threads_n; /* may be more than there is room for */

    struct {
        _Atomic int32_t tid;
        _Atomic uint64_t calls; /* malloc, calloc, realloc, free, memalign and their kin */
    } threads[HEAPCOUNT_THREADS_MAX];
};

#endif
