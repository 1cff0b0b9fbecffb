/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_drop_test.c - drop reasons: each has a name that can be a metric's label, and a help.
 */
#include "core/drop.h"
#include "test/suite.h"

#include <string.h>

START_TEST(names_are_labels_and_differ)
{
    for (int i = 0; i < DROP_N; i++) {
        const char *name = drop_name((enum drop)i);
        ck_assert_uint_gt(strlen(name), 0);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(name, drop_name((enum drop)j));
    }
}

END_TEST

START_TEST(helps_fit_into_one_metric_line)
{
    for (int i = 0; i < DROP_N; i++) {
        const char *help = drop_help((enum drop)i);
        ck_assert_uint_gt(strlen(help), 0);
        ck_assert_uint_eq(strcspn(help, "\n\\\""), strlen(help));
    }
}

END_TEST

START_TEST(names_belong_to_their_reasons)
{
    ck_assert_int_eq(DROP_NONE, 0); /* a zeroed result is "accepted" */
    ck_assert_str_eq(drop_name(DROP_NONE), "none");
    ck_assert_str_eq(drop_name(DROP_SRTP_AUTH), "srtp_auth");
    ck_assert_str_eq(drop_name(DROP_EVICTED), "evicted");
    ck_assert_str_eq(drop_name(DROP_N), "?");
    ck_assert_str_eq(drop_help(DROP_N), "?");
    ck_assert_str_eq(drop_name((enum drop) - 1), "?");
}

END_TEST

Suite *core_drop_suite(void)
{
    Suite *suite = suite_create("core/drop");
    TCase *tcase = tcase_create("drop");
    tcase_add_test(tcase, names_are_labels_and_differ);
    tcase_add_test(tcase, helps_fit_into_one_metric_line);
    tcase_add_test(tcase, names_belong_to_their_reasons);
    suite_add_tcase(suite, tcase);
    return suite;
}
