/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/fields.h - typed reading of JSON objects that a controller sent, with errors that name the
 * field.
 *
 * Guarantee: the first error is kept and later ones are ignored, so a caller reads all of an object
 * and looks at fields_ok() once. What a getter did not find or refused is left untouched, which
 * makes the variable's initial value the default. A `null` counts as absent.
 *
 *     struct fields f;
 *     const char *id = NULL;
 *     bool paused = false;
 *     fields_begin(&f, params, "", err);
 *     fields_string(&f, "id", FIELD_OPTIONAL, 1, 64, &id);
 *     fields_bool(&f, "paused", FIELD_OPTIONAL, &paused);
 *     fields_only(&f, (const char *const[]){"id", "paused", NULL});
 *     if (!fields_ok(&f))
 *         return NULL;
 *
 * Threads: values, no state. Ownership: everything read is borrowed from the JSON value; a `struct
 * fields` refers to the error and to the value that it was begun with, which must outlive it. No
 * heap call. */
#ifndef CTL_FIELDS_H
#define CTL_FIELDS_H

#include "core/base.h"

#include <jansson.h>

enum { FIELD_PATH_BYTES = 128, FIELD_TEXT_BYTES = 96 };

/* Which field was wrong, what it should have been, what it was ("a known field", "an unknown field"
 * for one that may not be there). All three are valid UTF-8, cut on a
 * character where too long. */
struct field_error {
    char
        path[FIELD_PATH_BYTES]; /* "rtpParameters.codecs[1].clockRate"; "" is the outermost value */
    char expected[FIELD_TEXT_BYTES]; /* "an integer from 1 to 255"; "" means no error */
    char got[FIELD_TEXT_BYTES];      /* "true", "nothing", "\"abc\"", "an array of 3" */
};

/* An object or an array that is being read, and where it stands. */
struct fields {
    const json_t *value; /* NULL after an error: every further read finds nothing */
    struct field_error *err;
    char path[FIELD_PATH_BYTES];
};

enum field_need {
    FIELD_OPTIONAL,
    FIELD_REQUIRED,
};

void field_error_clear(struct field_error *err);

/* Keeps the first error. Any of the texts may come from outside. */
void field_error_set(struct field_error *err, const char *path, const char *expected,
                     const char *got);
bool field_error_is_set(const struct field_error *err);

/* `value` must be an object, else the error is set; NULL and null count as "nothing". `path` is its
 * place: "" or "rtpParameters". False after an error. */
bool fields_begin(struct fields *f, const json_t *value, const char *path, struct field_error *err);

/* The same for a value that must be an array of at most `max_n` elements. */
bool fields_begin_array(struct fields *f, const json_t *value, const char *path, size_t max_n,
                        struct field_error *err);

/* No error so far in what shares this error. */
bool fields_ok(const struct fields *f);

/* The getters: true when the field is there and right. False when it is absent or wrong: only the
 * latter, or being absent while required, sets the error. */
bool fields_string(const struct fields *f, const char *key, enum field_need need, size_t min_bytes,
                   size_t max_bytes, const char **out);
bool fields_int(const struct fields *f, const char *key, enum field_need need, int64_t min,
                int64_t max, int64_t *out);
bool fields_bool(const struct fields *f, const char *key, enum field_need need, bool *out);

/* `names` ends with NULL; `out` is the index into it. Case counts. */
bool fields_enum(const struct fields *f, const char *key, enum field_need need,
                 const char *const names[], int *out);

/* On success `child` is begun on the field. `child` is left with no value (reads find nothing)
 * otherwise. */
bool fields_object(const struct fields *f, const char *key, enum field_need need,
                   struct fields *child);
bool fields_array(const struct fields *f, const char *key, enum field_need need, size_t max_n,
                  struct fields *child);

/* Whatever is under `key`, null as well: NULL when absent. No error. */
const json_t *fields_peek(const struct fields *f, const char *key);

/* Elements of an array: how many (0 for no value), and one of them, which is always required. */
size_t fields_n(const struct fields *array);
bool fields_item_object(const struct fields *array, size_t index, struct fields *child);
bool fields_item_string(const struct fields *array, size_t index, size_t min_bytes,
                        size_t max_bytes, const char **out);
bool fields_item_int(const struct fields *array, size_t index, int64_t min, int64_t max,
                     int64_t *out);

/* Sets the error for a key that the object may not have. Always false, to be returned. */
bool fields_unknown(const struct fields *f, const char *key);

/* The error as a sentence, without a full stop: "a.b: expected an integer from 1 to 255, got true",
 * "a.c: unknown field". Returns `text`. */
enum { FIELD_SENTENCE_BYTES = FIELD_PATH_BYTES + 2 * FIELD_TEXT_BYTES + 32 };

const char *field_error_sentence(const struct field_error *err, char text[FIELD_SENTENCE_BYTES]);

/* Refuses the first key of the object that is not in `names` (ends with NULL). */
bool fields_only(const struct fields *f, const char *const names[]);

/* Sets the error for the field `key` of this object, or for the object or array itself when `key`
 * is NULL; what it has there becomes `got`. Always false, to be returned. */
bool fields_fail(const struct fields *f, const char *key, const char *expected);

/* Hands out what was built. `bad` is the sum of the results of jansson's setters: where one failed
 * there was no memory; then `value` is released, the error says so, and NULL comes back, as it does
 * for a NULL value. */
json_t *fields_done(json_t *value, int bad, struct field_error *err);

/* The place of a field of `f` (key NULL: of `f`). Returns `path`. */
const char *fields_path(const struct fields *f, const char *key, char path[FIELD_PATH_BYTES]);

#endif
