/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/saturate.h - the scenario "saturate": the highest rate with at most 0.1 % of loss, and what
 * stands in the way of a higher one.
 *
 *   double the rate until a slice loses more -> halve the interval -> hold the last good one long
 *
 * The relay's worker is on one processor, the load on the others: where the load gives out first,
 * that is said, and the figure is a lower bound. */
#ifndef PERF_SATURATE_H
#define PERF_SATURATE_H

#include "perf/options.h"

/* Exit status. */
int saturate_run(const struct options *options);

#endif
