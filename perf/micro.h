/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/micro.h - the steps of a packet, timed one by one. Lines of name, value and unit on standard
 * output; the first ones are comments that name machine and kernel. */
#ifndef PERF_MICRO_H
#define PERF_MICRO_H

#include "perf/options.h"

/* options->micro, or all. Exit status. */
int micro_run(const struct options *options);

#endif
