/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/plan.h - the scenes of `sluice-perf report`: which command lines, how often, for which plot.
 *
 * One table. A scene is a command line of this program, without the program's name; the last of
 * two equal options counts, so the quick form is the same line with more behind it. The page plots
 * a scene by its group; the targets (perf/targets.h) take figures of scenes by name. */
#ifndef PERF_PLAN_H
#define PERF_PLAN_H

#include "core/base.h"

enum { PLAN_ARGS_MAX = 40, PLAN_LINE_BYTES = 512 };

struct plan_scene {
    const char *name, *group, *title;
    const char *line;  /* "fanout --consumers 20" */
    const char *quick; /* what --quick adds: a tenth of the rate, a second of media, no spread */
    uint32_t runs;     /* the figures are medians over so many; 1 with --quick */
};

extern const struct plan_scene plan_scenes[];
extern const size_t plan_scenes_n;

/* NULL: none of that name. */
const struct plan_scene *plan_find(const char *name);

/* Whether `name` is in a list of names with commas between them; any is in NULL. */
bool plan_in_list(const char *list, const char *name);

/* The whole line of a scene. */
void plan_line(const struct plan_scene *scene, bool quick, char line[PLAN_LINE_BYTES]);

/* Cuts the line into its words, at blanks; `args` ends with NULL. How many. */
size_t plan_words(char *line, char *args[PLAN_ARGS_MAX]);

#endif
