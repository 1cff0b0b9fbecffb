/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_fields_test.c - getters, ranges, places and texts of errors. */
#include "test/ctl_json.h"

static struct field_error err;

static void set_up(void)
{
    field_error_clear(&err);
}

START_TEST(test_reads_every_type)
{
    json_t *value = json_of("{'s': 'text', 'i': -5, 'b': true, 'e': 'two', 'o': {'i': 7},"
                            " 'a': ['x', 9, {'s': 'in'}], 'n': null}");
    struct fields f, o, a, item;
    const char *s = NULL;
    int64_t i = 0;
    bool b = false;
    int e = -1;

    ck_assert(fields_begin(&f, value, "", &err));
    ck_assert(fields_string(&f, "s", FIELD_REQUIRED, 1, 4, &s));
    ck_assert_str_eq(s, "text");
    ck_assert(fields_int(&f, "i", FIELD_REQUIRED, -5, 5, &i));
    ck_assert_int_eq(i, -5);
    ck_assert(fields_bool(&f, "b", FIELD_OPTIONAL, &b));
    ck_assert(b);
    ck_assert(fields_enum(&f, "e", FIELD_REQUIRED, (const char *const[]){"one", "two", NULL}, &e));
    ck_assert_int_eq(e, 1);
    ck_assert(fields_object(&f, "o", FIELD_REQUIRED, &o));
    ck_assert(fields_int(&o, "i", FIELD_REQUIRED, 0, 10, &i));
    ck_assert_int_eq(i, 7);
    ck_assert(fields_array(&f, "a", FIELD_REQUIRED, 3, &a));
    ck_assert_uint_eq(fields_n(&a), 3);
    ck_assert(fields_item_string(&a, 0, 0, 1, &s));
    ck_assert_str_eq(s, "x");
    ck_assert(fields_item_int(&a, 1, 9, 9, &i));
    ck_assert(fields_item_object(&a, 2, &item));
    ck_assert_str_eq(item.path, "a[2]");
    ck_assert(fields_string(&item, "s", FIELD_REQUIRED, 0, 2, &s));
    ck_assert(json_is_null(fields_peek(&f, "n")));
    ck_assert_ptr_null(fields_peek(&f, "none"));
    ck_assert(fields_only(&f, (const char *const[]){"s", "i", "b", "e", "o", "a", "n", NULL}));
    assert_no_error(&err);
    json_decref(value);
}

END_TEST

START_TEST(test_absent_leaves_the_default)
{
    json_t *value = json_of("{'n': null}");
    struct fields f, child;
    const char *s = "default";
    int64_t i = 42;
    bool b = true;
    int e = 3;

    fields_begin(&f, value, "", &err);
    ck_assert(!fields_string(&f, "x", FIELD_OPTIONAL, 0, 9, &s));
    ck_assert(!fields_int(&f, "n", FIELD_OPTIONAL, 0, 9, &i));
    ck_assert(!fields_bool(&f, "x", FIELD_OPTIONAL, &b));
    ck_assert(!fields_enum(&f, "n", FIELD_OPTIONAL, (const char *const[]){"a", NULL}, &e));
    ck_assert(!fields_object(&f, "x", FIELD_OPTIONAL, &child));
    ck_assert(!fields_int(&child, "i", FIELD_REQUIRED, 0, 9, &i)); /* of nothing: no error either */
    ck_assert(!fields_array(&f, "n", FIELD_OPTIONAL, 9, &child));
    ck_assert_uint_eq(fields_n(&child), 0);
    ck_assert(!fields_only(&child, (const char *const[]){NULL}));
    assert_no_error(&err);
    ck_assert_str_eq(s, "default");
    ck_assert_int_eq(i, 42);
    ck_assert(b);
    ck_assert_int_eq(e, 3);
    json_decref(value);
}

END_TEST

enum kind { STRING, INT, BOOL, ENUM, OBJECT, ARRAY, ITEM_STRING, ITEM_INT, ITEM_OBJECT, ONLY };

/* One field "k" of the object at "p" is read as `kind`, strings of 2 to 4 bytes, integers from 1 to
 * 5, arrays of at most 2. */
static const struct {
    enum kind kind;
    const char *json;
    const char *path, *expected, *got;
} wrong[] = {
    {STRING, "{}", "p.k", "a string of 2 to 4 bytes", "nothing"},
    {STRING, "{'k': null}", "p.k", "a string of 2 to 4 bytes", "null"},
    {STRING, "{'k': 'a'}", "p.k", "a string of 2 to 4 bytes", "\"a\""},
    {STRING, "{'k': 'abcde'}", "p.k", "a string of 2 to 4 bytes", "\"abcde\""},
    {STRING, "{'k': 12}", "p.k", "a string of 2 to 4 bytes", "12"},
    {INT, "{'k': 0}", "p.k", "an integer from 1 to 5", "0"},
    {INT, "{'k': 6}", "p.k", "an integer from 1 to 5", "6"},
    {INT, "{'k': 3.5}", "p.k", "an integer from 1 to 5", "3.5"},
    {INT, "{'k': '3'}", "p.k", "an integer from 1 to 5", "\"3\""},
    {BOOL, "{'k': 1}", "p.k", "true or false", "1"},
    {BOOL, "{'k': {}}", "p.k", "true or false", "an object"},
    {ENUM, "{'k': 'Two'}", "p.k", "one of one, two", "\"Two\""},
    {ENUM, "{'k': false}", "p.k", "one of one, two", "false"},
    {OBJECT, "{'k': []}", "p.k", "an object", "an array of 0"},
    {OBJECT, "{}", "p.k", "an object", "nothing"},
    {ARRAY, "{'k': {}}", "p.k", "an array of at most 2", "an object"},
    {ARRAY, "{'k': [1,2,3]}", "p.k", "an array of at most 2", "an array of 3"},
    {ITEM_STRING, "{'k': ['abc', true]}", "p.k[1]", "a string of 2 to 4 bytes", "true"},
    {ITEM_INT, "{'k': [1, 9]}", "p.k[1]", "an integer from 1 to 5", "9"},
    {ITEM_OBJECT, "{'k': [1, 2]}", "p.k[1]", "an object", "2"},
    {ONLY, "{'k': 1, 'bad': []}", "p.bad", "a known field", "an unknown field"},
};

static void read_one(const struct fields *f, enum kind kind)
{
    struct fields child;
    const char *s = NULL;
    int64_t i = 99;
    bool b = false;
    int e = 99;
    bool done = false;
    switch (kind) {
    case STRING:
        done = fields_string(f, "k", FIELD_REQUIRED, 2, 4, &s);
        break;
    case INT:
        done = fields_int(f, "k", FIELD_REQUIRED, 1, 5, &i);
        break;
    case BOOL:
        done = fields_bool(f, "k", FIELD_REQUIRED, &b);
        break;
    case ENUM:
        done = fields_enum(f, "k", FIELD_REQUIRED, (const char *const[]){"one", "two", NULL}, &e);
        break;
    case OBJECT:
        done = fields_object(f, "k", FIELD_REQUIRED, &child);
        break;
    case ARRAY:
        done = fields_array(f, "k", FIELD_REQUIRED, 2, &child);
        break;
    case ITEM_STRING:
        ck_assert(fields_array(f, "k", FIELD_REQUIRED, 2, &child));
        done = fields_item_string(&child, 1, 2, 4, &s);
        break;
    case ITEM_INT:
        ck_assert(fields_array(f, "k", FIELD_REQUIRED, 2, &child));
        done = fields_item_int(&child, 1, 1, 5, &i);
        break;
    case ITEM_OBJECT:
        ck_assert(fields_array(f, "k", FIELD_REQUIRED, 2, &child));
        done = fields_item_object(&child, 1, &child);
        break;
    case ONLY:
        done = fields_only(f, (const char *const[]){"k", NULL});
        break;
    }
    ck_assert(!done);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(i, 99);
    ck_assert_int_eq(e, 99);
}

START_TEST(test_names_what_is_wrong)
{
    json_t *value = json_of(wrong[_i].json);
    struct fields f;
    ck_assert(fields_begin(&f, value, "p", &err));
    read_one(&f, wrong[_i].kind);
    assert_error(&err, wrong[_i].path, wrong[_i].expected, wrong[_i].got);
    json_decref(value);
}

END_TEST

START_TEST(test_keeps_the_first_error)
{
    json_t *value = json_of("{'a': 1, 'b': 2}");
    struct fields f, child;
    bool b = false;
    fields_begin(&f, value, "", &err);
    ck_assert(fields_ok(&f));
    ck_assert(!fields_bool(&f, "b", FIELD_REQUIRED, &b));
    ck_assert(!fields_bool(&f, "a", FIELD_REQUIRED, &b));
    ck_assert(!fields_ok(&f));
    assert_error(&err, "b", "true or false", "2");
    ck_assert(!fields_object(&f, "a", FIELD_OPTIONAL, &child));
    ck_assert_ptr_null(child.value);
    assert_error(&err, "b", "true or false", "2");
    json_decref(value);
}

END_TEST

START_TEST(test_refuses_what_is_no_object)
{
    json_t *value = json_of("[1]");
    struct fields f;
    ck_assert(!fields_begin(&f, value, "params", &err));
    assert_error(&err, "params", "an object", "an array of 1");
    field_error_clear(&err);
    ck_assert(!fields_begin(&f, NULL, "params", &err));
    assert_error(&err, "params", "an object", "nothing");
    field_error_clear(&err);
    ck_assert(!fields_begin_array(&f, value, "list", 0, &err));
    assert_error(&err, "list", "an array of at most 0", "an array of 1");
    json_decref(value);
}

END_TEST

START_TEST(test_refuses_a_zero_byte)
{
    json_t *value = json_pack("{ss#}", "k", "ab\0cd", 5);
    struct fields f;
    const char *s = NULL;
    ck_assert_ptr_nonnull(value);
    fields_begin(&f, value, "", &err);
    ck_assert(!fields_string(&f, "k", FIELD_REQUIRED, 0, 9, &s));
    assert_error(&err, "k", "a string of at most 9 bytes", "\"ab\"");
    json_decref(value);
}

END_TEST

/* Whatever is cut, what comes out can go into JSON again. */
START_TEST(test_cuts_on_characters)
{
    for (size_t lead = 0; lead < 8; lead++) {
        char key[400] = "";
        size_t at = 0;
        for (; at < lead; at++)
            key[at] = 'x';
        for (; at + 4 < 300; at += 4)
            memcpy(key + at, lead % 2 ? "\xf0\x9f\x98\x80" : "\xc3\xa9\xc3\xa9", 4);
        key[at] = '\0';

        json_t *value = json_object();
        struct fields f;
        ck_assert_int_eq(json_object_set_new(value, key, json_string(key + lead + 256)), 0);
        field_error_clear(&err);
        fields_begin(&f, value, "params", &err);
        ck_assert(!fields_only(&f, (const char *const[]){NULL}));
        json_t *path = json_string(err.path), *got = json_string(err.got);
        ck_assert_msg(path && got, "lead %zu: %s %s", lead, err.path, err.got);
        ck_assert_uint_ge(strlen(err.path), FIELD_PATH_BYTES - 1 - 3);
        json_decref(path);
        json_decref(got);
        json_decref(value);
    }
}

END_TEST

START_TEST(test_describes_long_strings_by_length)
{
    char text[200];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    json_t *value = json_pack("{ss}", "k", text);
    struct fields f;
    const char *s = NULL;
    fields_begin(&f, value, "", &err);
    ck_assert(!fields_string(&f, "k", FIELD_REQUIRED, 1, 9, &s));
    assert_error(&err, "k", "a string of 1 to 9 bytes", "a string of 199 bytes");
    json_decref(value);
}

END_TEST

START_TEST(test_done_releases_what_is_incomplete)
{
    json_t *value = json_object();
    ck_assert_ptr_eq(fields_done(value, 0, &err), value);
    assert_no_error(&err);
    ck_assert_ptr_null(fields_done(value, -1, &err)); /* the sanitizer sees it leak otherwise */
    assert_error(&err, "", "memory for the result", NULL);
}

END_TEST

Suite *ctl_fields_suite(void)
{
    Suite *suite = suite_create("fields");
    TCase *tcase = tcase_create("fields");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, test_reads_every_type);
    tcase_add_test(tcase, test_absent_leaves_the_default);
    tcase_add_loop_test(tcase, test_names_what_is_wrong, 0, (int)ARRAY_N(wrong));
    tcase_add_test(tcase, test_keeps_the_first_error);
    tcase_add_test(tcase, test_refuses_what_is_no_object);
    tcase_add_test(tcase, test_refuses_a_zero_byte);
    tcase_add_test(tcase, test_cuts_on_characters);
    tcase_add_test(tcase, test_describes_long_strings_by_length);
    tcase_add_test(tcase, test_done_releases_what_is_incomplete);
    suite_add_tcase(suite, tcase);
    return suite;
}
