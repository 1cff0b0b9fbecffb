/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/jsonbuild.h - a JSON object or array being made, with one look at the end at whether memory
 * lasted.
 *
 *     struct jsonbuild out = {json_object(), 0};
 *     jsonbuild_put(&out, "id", json_string(id));
 *     return jsonbuild_done(&out, fields_ok(&f), err);
 *
 * jansson answers a NULL container or value with an error and takes the value all the same, so the
 * steps need no look of their own. Threads: values, no state. */
#ifndef CTL_JSONBUILD_H
#define CTL_JSONBUILD_H

#include "ctl/fields.h"

struct jsonbuild {
    json_t *value;
    int bad;
};

/* Both take the reference to `value`. */
static inline void jsonbuild_put(struct jsonbuild *b, const char *key, json_t *value)
{
    b->bad |= json_object_set_new(b->value, key, value);
}

static inline void jsonbuild_append(struct jsonbuild *b, json_t *value)
{
    b->bad |= json_array_append_new(b->value, value);
}

/* What was made, or NULL: with `keep` false the error has been set by the caller, else there was no
 * memory. */
static inline json_t *jsonbuild_done(struct jsonbuild *b, bool keep, struct field_error *err)
{
    if (keep)
        return fields_done(b->value, b->bad, err);
    json_decref(b->value);
    return NULL;
}

#endif
