/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_json.h - JSON values in tests: written with ' for ", compared as a whole, printed when
 * they differ. */
#ifndef SLUICE_TEST_CTL_JSON_H
#define SLUICE_TEST_CTL_JSON_H

#include "ctl/fields.h"
#include "test/suite.h"

#include <stdlib.h>

/* A new reference; the test fails if `text` is no JSON. */
static inline json_t *json_of(const char *text)
{
    json_error_t error;
    char *copy = strdup(text);
    ck_assert_ptr_nonnull(copy);
    for (char *at = copy; *at; at++) {
        if (*at == '\'')
            *at = '"';
    }
    json_t *value = json_loads(copy, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(value != NULL, "%s at %d in %s", error.text, error.position, text);
    free(copy);
    return value;
}

static inline void json_check(const json_t *value, const char *expected_text, const char *file,
                              int line)
{
    json_t *expected = json_of(expected_text);
    char *got = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    char *want = json_dumps(expected, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    ck_assert_msg(json_equal(value, expected), "%s:%d:\n got  %s\n want %s", file, line,
                  got ? got : "NULL", want);
    free(got);
    free(want);
    json_decref(expected);
}

#define assert_json(value, expected) json_check(value, expected, __FILE__, __LINE__)

static inline void error_check(const struct field_error *err, const char *path,
                               const char *expected, const char *got, const char *file, int line)
{
    bool same = strcmp(err->path, path) == 0 && (!expected || !strcmp(err->expected, expected)) &&
                (!got || strcmp(err->got, got) == 0);
    ck_assert_msg(field_error_is_set(err) && same,
                  "%s:%d:\n at \"%s\" expected \"%s\" got \"%s\",\n not at \"%s\" \"%s\" \"%s\"",
                  file, line, err->path, err->expected, err->got, path, expected ? expected : "*",
                  got ? got : "*");
}

/* NULL for a text means that it does not count. */
#define assert_error(err, path, expected, got)                                                     \
    error_check(err, path, expected, got, __FILE__, __LINE__)

static inline void no_error_check(const struct field_error *err, const char *file, int line)
{
    ck_assert_msg(!field_error_is_set(err), "%s:%d: at \"%s\" expected \"%s\" got \"%s\"", file,
                  line, err->path, err->expected, err->got);
}

#define assert_no_error(err) no_error_check(err, __FILE__, __LINE__)

#endif
