/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/render.h - JSON as tables for people.
 *
 * An object is its plain members, one a line; a list of objects is a table with one row each; what
 * is nested comes after, under its path. With an earlier value of the same call, numbers that have
 * grown show by how much a second. Values, no state. */
#ifndef CTL_RENDER_H
#define CTL_RENDER_H

#include "core/base.h"

#include <jansson.h>
#include <stdio.h>

enum { RENDER_SECTIONS_MAX = 512, RENDER_COLUMNS_MAX = 24, RENDER_CELL_BYTES = 80 };

/* `before` may be NULL; `seconds` lie between it and `value`. */
void render(FILE *out, const json_t *value, const json_t *before, double seconds);

#endif
