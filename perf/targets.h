/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/targets.h - what is to be reached, and whether a report has reached it.
 *
 * A target is a figure of scenes, made of their JSON by one of four operations, and a bound. Its
 * spread is that of the runs, or where there was one, what that run gives as `<key>_min` and
 * `<key>_max`. A spread that contains the bound neither meets nor misses it. What mediasoup needs
 * for the same is quoted from a baseline, by the target's id. */
#ifndef PERF_TARGETS_H
#define PERF_TARGETS_H

#include "core/base.h"

#include <jansson.h>
#include <stdio.h>

enum { TARGETS_SCENES_MAX = 3 };

enum targets_operation {
    TARGETS_VALUE,  /* key */
    TARGETS_GROWTH, /* key - other, of one scene */
    TARGETS_SLOPE,  /* of key - less over other, by least squares over the scenes */
    TARGETS_RATIO,  /* key of the first scene / key of the second */
};

struct target {
    const char *id, *what, *unit;
    bool at_least; /* else at most */
    double bound;  /* in `unit` */
    double scale;  /* a `unit` in the figures' units */
    enum targets_operation operation;
    const char *scenes[TARGETS_SCENES_MAX];
    const char *key, *other;
    const char *less;    /* slope: what is taken off the key, or NULL */
    const char *without; /* why nothing measures it; NULL: scenes do */
};

extern const struct target targets[];
extern const size_t targets_n;

/* One object a target, for report.json: id, what, unit, target, mediasoup, measured (texts), value,
 * low, high (numbers or null), verdict ("reached", "missed", "open", "unmeasured"), reached (true,
 * false, null), commands, note. `scenes` is report.json's list, `baseline` the whole file. Scenes
 * of a quick run are other ones than the targets': they have figures and no verdict. */
json_t *targets_evaluate(const json_t *scenes, const json_t *baseline, bool quick);

/* The same rows as a table in Markdown. */
void targets_print_markdown(const json_t *rows, FILE *to);

#endif
