/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/fanout.h - the scenarios "fanout" and "limit": processes, slices, figures.
 *
 * The relay's worker and the limit share one processor, turn about; everything else runs on the
 * others. A slice begins and ends at rest, so that what was counted and what was sent belong
 * together:
 *
 *   warm-up | relay | limit, same runs | limit, best runs | relay | ...      --pairs times
 *
 * No loss is made in the warm-up and at the end of a slice: what is missing can be recovered before
 * the publisher rests. System calls and heap calls are counted in a second, short run, so that
 * counting does not disturb the clock. */
#ifndef PERF_FANOUT_H
#define PERF_FANOUT_H

#include "perf/options.h"

/* Exit status. */
int fanout_run(const struct options *options);
int fanout_run_limit(const struct options *options);

#endif
