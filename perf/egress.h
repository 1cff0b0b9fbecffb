/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/egress.h - the scenario "egress": ways to send what is encrypted, each held against another.
 *
 * No relay: the harness itself rewrites, encrypts and sends, to the receivers that the limit sends
 * to, who count and drop it, or to an address of which nothing comes back (options->sink). Every
 * way has a slice right before or after a slice of the way that it is held against, at the same
 * pace:
 *
 *   warm-up | way 1, its other | its other, way 1 | way 2, its other | ...      --pairs times
 *
 * CPU is the process', the kernel's helpers of it included. Ratios are medians over the pairs. */
#ifndef PERF_EGRESS_H
#define PERF_EGRESS_H

#include "perf/options.h"

enum { EGRESS_GROUP_MAX = 24 }; /* packets that a receiver gets at once */

/* Packets that one receiver gets at once, in the order of sending. */
struct egress_group {
    uint16_t bytes[EGRESS_GROUP_MAX]; /* before encryption */
    uint8_t n;
};

/* How many from `at` leave as one run: at most `run_max`, all of *segment_bytes after at most
 * `pad_max` bytes of padding each, but the last, which may be shorter. As net/egress.c plans. */
uint32_t egress_run(const struct egress_group *group, uint32_t at, uint32_t run_max,
                    uint32_t pad_max, uint16_t *segment_bytes);

/* Exit status. */
int egress_run_all(const struct options *options);

#endif
