/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/child.h - this program once more, as a process of its own with another command line. */
#ifndef PERF_CHILD_H
#define PERF_CHILD_H

#include "core/base.h"

enum { CHILD_USAGE = 2 }; /* its exit status when it does not know a scenario or an option */

struct child {
    int status;      /* exit status; -1: a signal ended it, or it could not be started */
    bool late;       /* it was ended because its time was over */
    char *out, *err; /* what it printed, up to a bound; to be freed by child_free() */
};

/* Runs it to its end, or until `seconds_max` are over. `args` are the arguments without the
 * program, and end with NULL. */
void child_run(struct child *child, char *const *args, double seconds_max);
void child_free(struct child *child);

#endif
