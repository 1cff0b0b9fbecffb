/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/churn.h - the scenario "churn": participants of a room join and leave, produce, consume,
 * pause, resume and close, at random by a seed, while media flows; then everything is closed.
 *
 * Whoever joins produces what it has and consumes what there is, as applications do. Nothing may be
 * refused, no stream may have a gap between its first and its last packet, and nothing may be left.
 */
#ifndef PERF_CHURN_H
#define PERF_CHURN_H

#include "perf/options.h"

/* Exit status. */
int churn_run(const struct options *options);

#endif
