/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/overview.h - `sluice-perf report`: the scenes of perf/plan.h, each a process of its own,
 * into one report: report.json, and report.html beside it.
 *
 * A scene of which this build knows the scenario or an option not is skipped, one that fails is
 * shown as failed; the others go on. */
#ifndef PERF_OVERVIEW_H
#define PERF_OVERVIEW_H

#include "core/base.h"

#include <jansson.h>

#define OVERVIEW_SCHEMA "sluice-perf-report/1"

/* The whole program, from the word "report" on. 0; 1: a scene failed, or something could not be
 * written; 2: usage. */
int overview_main(int argc, char **argv);

/* A scene's figures over its runs: `figures` gets the median of each number, `spread` its smallest
 * and largest where there are several runs. */
void overview_sum(json_t *scene);

#endif
