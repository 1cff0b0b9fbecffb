/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/texts.h - JSON texts that many objects share, each kept once.
 *
 * What a controller may ask for later (rtpParameters and the like) is kept as compact text instead
 * of as a tree, a tenth of the size, and the same text once: a thousand consumers of one producer
 * differ in SSRC and mid only, which are kept apart. Threads: the control thread's. Memory: a text
 * is freed with its last user. */
#ifndef CTL_TEXTS_H
#define CTL_TEXTS_H

#include "core/base.h"

#include <jansson.h>

enum { TEXTS_BUCKETS = 1024 };

struct text;

struct texts {
    struct text *buckets[TEXTS_BUCKETS];
    size_t n, bytes;
};

void texts_init(struct texts *texts);
void texts_exit(struct texts *texts); /* every text must have been dropped */

/* Keeps a JSON value; borrowed. NULL without memory, or for NULL. */
const struct text *texts_keep(struct texts *texts, const json_t *value);
void texts_drop(struct texts *texts, const struct text *text); /* NULL is fine */

/* The value again, a new reference; NULL for NULL and without memory. */
json_t *text_json(const struct text *text);

#endif
