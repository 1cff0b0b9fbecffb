/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/fields.c - typed reading of JSON objects that a controller sent, with errors that name the
 * field. */
#include "ctl/fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char unknown_field[] = "an unknown field";

/* Ends `text` before a character that does not fit whole: a cut text stays valid UTF-8. */
static void cut_on_character(char *text, size_t bytes_max)
{
    size_t at = strnlen(text, bytes_max);
    size_t start = at;
    while (start > 0 && at - start < 3 && ((uint8_t)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;

    uint8_t lead = (uint8_t)text[start - 1];
    size_t need = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead >= 0xc0 && at - (start - 1) < need)
        text[start - 1] = '\0';
}

static void text_set(char *to, size_t to_bytes, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void text_set(char *to, size_t to_bytes, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int wrote = vsnprintf(to, to_bytes, fmt, args);
    va_end(args);
    if (wrote < 0)
        to[0] = '\0';
    /* Not only where it was cut here: a text from elsewhere may have been cut already. */
    cut_on_character(to, to_bytes - 1);
}

/* What a value is, in a few words. */
static void value_describe(const json_t *value, char text[FIELD_TEXT_BYTES])
{
    if (!value) {
        text_set(text, FIELD_TEXT_BYTES, "nothing");
        return;
    }

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        text_set(text, FIELD_TEXT_BYTES, "an object");
        return;
    case JSON_ARRAY:
        text_set(text, FIELD_TEXT_BYTES, "an array of %zu", json_array_size(value));
        return;
    case JSON_STRING:
        if (json_string_length(value) > FIELD_TEXT_BYTES / 2)
            text_set(text, FIELD_TEXT_BYTES, "a string of %zu bytes", json_string_length(value));
        else
            text_set(text, FIELD_TEXT_BYTES, "\"%s\"", json_string_value(value));
        return;
    case JSON_INTEGER:
        text_set(text, FIELD_TEXT_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    case JSON_REAL:
        text_set(text, FIELD_TEXT_BYTES, "%g", json_real_value(value));
        return;
    case JSON_TRUE:
        text_set(text, FIELD_TEXT_BYTES, "true");
        return;
    case JSON_FALSE:
        text_set(text, FIELD_TEXT_BYTES, "false");
        return;
    case JSON_NULL:
        text_set(text, FIELD_TEXT_BYTES, "null");
        return;
    }
}

static void item_path(const struct fields *array, size_t index, char path[FIELD_PATH_BYTES])
{
    text_set(path, FIELD_PATH_BYTES, "%s[%zu]", array->path, index);
}

static bool fail_at(const struct fields *f, const char *path, const char *expected,
                    const json_t *value)
{
    char got[FIELD_TEXT_BYTES];
    value_describe(value, got);
    field_error_set(f->err, path, expected, got);
    return false;
}

/* The field's value, or NULL: absent, null, or nothing can be read any more. Absence is judged
 * here. */
static const json_t *field_take(const struct fields *f, const char *key, enum field_need need,
                                const char *expected)
{
    if (!f->value)
        return NULL;

    const json_t *value = json_object_get(f->value, key);
    if (value && !json_is_null(value))
        return value;
    if (need == FIELD_REQUIRED)
        fields_fail(f, key, expected);
    return NULL;
}

static const json_t *item_take(const struct fields *array, size_t index,
                               char path[FIELD_PATH_BYTES])
{
    if (!array->value)
        return NULL;
    item_path(array, index, path);
    return json_array_get(array->value, index);
}

static void expect_string(size_t min_bytes, size_t max_bytes, char text[FIELD_TEXT_BYTES])
{
    if (min_bytes == 0)
        text_set(text, FIELD_TEXT_BYTES, "a string of at most %zu bytes", max_bytes);
    else if (min_bytes == max_bytes)
        text_set(text, FIELD_TEXT_BYTES, "a string of %zu bytes", max_bytes);
    else
        text_set(text, FIELD_TEXT_BYTES, "a string of %zu to %zu bytes", min_bytes, max_bytes);
}

static void expect_int(int64_t min, int64_t max, char text[FIELD_TEXT_BYTES])
{
    text_set(text, FIELD_TEXT_BYTES, "an integer from %" PRId64 " to %" PRId64, min, max);
}

/* A NUL inside would make two different strings equal to everyone who reads it as a C string. */
static bool string_fits(const json_t *value, size_t min_bytes, size_t max_bytes)
{
    if (!json_is_string(value))
        return false;
    size_t bytes = json_string_length(value);
    return bytes >= min_bytes && bytes <= max_bytes && strlen(json_string_value(value)) == bytes;
}

static bool int_fits(const json_t *value, int64_t min, int64_t max)
{
    return json_is_integer(value) && json_integer_value(value) >= min &&
           json_integer_value(value) <= max;
}

static void fields_stop(struct fields *f, struct field_error *err)
{
    f->value = NULL;
    f->err = err;
    f->path[0] = '\0';
}

void field_error_clear(struct field_error *err)
{
    err->path[0] = err->expected[0] = err->got[0] = '\0';
}

void field_error_set(struct field_error *err, const char *path, const char *expected,
                     const char *got)
{
    ASSERT(expected[0] != '\0');
    if (field_error_is_set(err))
        return;
    text_set(err->path, sizeof(err->path), "%s", path);
    text_set(err->expected, sizeof(err->expected), "%s", expected);
    text_set(err->got, sizeof(err->got), "%s", got);
}

bool field_error_is_set(const struct field_error *err)
{
    return err->expected[0] != '\0';
}

bool fields_begin(struct fields *f, const json_t *value, const char *path, struct field_error *err)
{
    fields_stop(f, err);
    text_set(f->path, sizeof(f->path), "%s", path);
    if (!json_is_object(value))
        return fail_at(f, f->path, "an object", value);
    f->value = value;
    return true;
}

bool fields_begin_array(struct fields *f, const json_t *value, const char *path, size_t max_n,
                        struct field_error *err)
{
    fields_stop(f, err);
    text_set(f->path, sizeof(f->path), "%s", path);
    if (!json_is_array(value) || json_array_size(value) > max_n) {
        char expected[FIELD_TEXT_BYTES];
        text_set(expected, sizeof(expected), "an array of at most %zu", max_n);
        return fail_at(f, f->path, expected, value);
    }
    f->value = value;
    return true;
}

bool fields_ok(const struct fields *f)
{
    return !field_error_is_set(f->err);
}

bool fields_string(const struct fields *f, const char *key, enum field_need need, size_t min_bytes,
                   size_t max_bytes, const char **out)
{
    char expected[FIELD_TEXT_BYTES];
    expect_string(min_bytes, max_bytes, expected);
    const json_t *value = field_take(f, key, need, expected);
    if (!value)
        return false;
    if (!string_fits(value, min_bytes, max_bytes))
        return fields_fail(f, key, expected);
    *out = json_string_value(value);
    return true;
}

bool fields_int(const struct fields *f, const char *key, enum field_need need, int64_t min,
                int64_t max, int64_t *out)
{
    char expected[FIELD_TEXT_BYTES];
    expect_int(min, max, expected);
    const json_t *value = field_take(f, key, need, expected);
    if (!value)
        return false;
    if (!int_fits(value, min, max))
        return fields_fail(f, key, expected);
    *out = json_integer_value(value);
    return true;
}

bool fields_bool(const struct fields *f, const char *key, enum field_need need, bool *out)
{
    const json_t *value = field_take(f, key, need, "true or false");
    if (!value)
        return false;
    if (!json_is_boolean(value))
        return fields_fail(f, key, "true or false");
    *out = json_is_true(value);
    return true;
}

bool fields_enum(const struct fields *f, const char *key, enum field_need need,
                 const char *const names[], int *out)
{
    char expected[FIELD_TEXT_BYTES] = "one of";
    for (size_t i = 0; names[i]; i++) {
        size_t at = strlen(expected);
        text_set(expected + at, sizeof(expected) - at, "%s%s", i ? ", " : " ", names[i]);
    }

    const json_t *value = field_take(f, key, need, expected);
    if (!value)
        return false;
    for (int i = 0; json_is_string(value) && names[i]; i++) {
        if (strcmp(names[i], json_string_value(value)) == 0) {
            *out = i;
            return true;
        }
    }
    return fields_fail(f, key, expected);
}

bool fields_object(const struct fields *f, const char *key, enum field_need need,
                   struct fields *child)
{
    const json_t *value = field_take(f, key, need, "an object");
    char path[FIELD_PATH_BYTES];
    if (value)
        return fields_begin(child, value, fields_path(f, key, path), f->err);
    fields_stop(child, f->err);
    return false;
}

bool fields_array(const struct fields *f, const char *key, enum field_need need, size_t max_n,
                  struct fields *child)
{
    const json_t *value = field_take(f, key, need, "an array");
    char path[FIELD_PATH_BYTES];
    if (value)
        return fields_begin_array(child, value, fields_path(f, key, path), max_n, f->err);
    fields_stop(child, f->err);
    return false;
}

const json_t *fields_peek(const struct fields *f, const char *key)
{
    return f->value ? json_object_get(f->value, key) : NULL;
}

size_t fields_n(const struct fields *array)
{
    return array->value ? json_array_size(array->value) : 0;
}

bool fields_item_object(const struct fields *array, size_t index, struct fields *child)
{
    char path[FIELD_PATH_BYTES];
    const json_t *value = item_take(array, index, path);
    if (array->value)
        return fields_begin(child, value, path, array->err);
    fields_stop(child, array->err);
    return false;
}

bool fields_item_string(const struct fields *array, size_t index, size_t min_bytes,
                        size_t max_bytes, const char **out)
{
    char path[FIELD_PATH_BYTES], expected[FIELD_TEXT_BYTES];
    const json_t *value = item_take(array, index, path);
    if (!array->value)
        return false;
    if (!string_fits(value, min_bytes, max_bytes)) {
        expect_string(min_bytes, max_bytes, expected);
        return fail_at(array, path, expected, value);
    }
    *out = json_string_value(value);
    return true;
}

bool fields_item_int(const struct fields *array, size_t index, int64_t min, int64_t max,
                     int64_t *out)
{
    char path[FIELD_PATH_BYTES], expected[FIELD_TEXT_BYTES];
    const json_t *value = item_take(array, index, path);
    if (!array->value)
        return false;
    if (!int_fits(value, min, max)) {
        expect_int(min, max, expected);
        return fail_at(array, path, expected, value);
    }
    *out = json_integer_value(value);
    return true;
}

static bool name_is_in(const char *name, const char *const names[])
{
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

bool fields_only(const struct fields *f, const char *const names[])
{
    if (!f->value)
        return false;
    /* jansson's iterators take a plain pointer; nothing is written through it. */
    json_t *object = (json_t *)(uintptr_t)f->value;
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        if (!name_is_in(key, names))
            return fields_unknown(f, key);
    }
    return true;
}

bool fields_unknown(const struct fields *f, const char *key)
{
    char path[FIELD_PATH_BYTES];
    field_error_set(f->err, fields_path(f, key, path), "a known field", unknown_field);
    return false;
}

const char *field_error_sentence(const struct field_error *err, char text[FIELD_SENTENCE_BYTES])
{
    const char *colon = err->path[0] ? ": " : "";
    if (strcmp(err->got, unknown_field) == 0) /* strings of a caller are shown in quotes */
        text_set(text, FIELD_SENTENCE_BYTES, "%s: unknown field", err->path);
    else
        text_set(text, FIELD_SENTENCE_BYTES, "%s%sexpected %s, got %s", err->path, colon,
                 err->expected, err->got);
    return text;
}

bool fields_fail(const struct fields *f, const char *key, const char *expected)
{
    char path[FIELD_PATH_BYTES];
    const json_t *value = key && f->value ? json_object_get(f->value, key) : f->value;
    return fail_at(f, fields_path(f, key, path), expected, value);
}

json_t *fields_done(json_t *value, int bad, struct field_error *err)
{
    if (value && bad == 0)
        return value;
    json_decref(value);
    field_error_set(err, "", "memory for the result", "none left");
    return NULL;
}

const char *fields_path(const struct fields *f, const char *key, char path[FIELD_PATH_BYTES])
{
    const char *dot = key && f->path[0] ? "." : "";
    text_set(path, FIELD_PATH_BYTES, "%s%s%s", f->path, dot, key ? key : "");
    return path;
}
