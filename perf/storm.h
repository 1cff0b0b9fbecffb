/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/storm.h - the scenario "storm": WebRTC peers join a relay that has a room to forward.
 *
 *   warm-up | quiet | storm: all peers join | they leave | quiet | storm ...      --pairs times
 *
 * Quiet and storm slices are as long as each other (a storm ends no sooner than all have joined)
 * and are of the same run, so that their transit times can be compared. Peers are a process of
 * their own (perf/crowd.h); each storm has a router of its own, which is closed behind it. */
#ifndef PERF_STORM_H
#define PERF_STORM_H

#include "perf/options.h"

/* Exit status. */
int storm_run(const struct options *options);

#endif
