/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/page.h - a report as one HTML file: the JSON in the place that a template has for it.
 *
 * The template is the bundle of perf/page/ (its scripts, style and plotting library inside): it
 * is built and installed beside the program, and opens from disk without a network. */
#ifndef PERF_PAGE_H
#define PERF_PAGE_H

#include "core/base.h"

#include <jansson.h>

/* Once in a template, as the content of <script type="application/json">. */
#define PAGE_MARK "@REPORT@"

/* The report as text that may stand in a script element: ASCII, and no '<' that could begin an end
 * tag or a comment. To be freed. */
char *page_escape(const json_t *report);

/* The template with the text in place of its mark, to be freed; NULL: it has no mark, or several.
 */
char *page_fill(const char *template, const char *text);

/* Reads the template, writes the page. False after a message. */
bool page_write(const char *template, const char *path, const json_t *report);

#endif
