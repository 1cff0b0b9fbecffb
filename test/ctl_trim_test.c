/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_trim_test.c - when the heap gives back, in virtual time. */
#include "ctl/trim.h"

#include "test/suite.h"

enum { SECOND_US = 1000000 };

static const int64_t began_us = 1000 * INT64_C(1000000);

/* Asked once a second; the seconds in which it was done, up to `seconds`. */
static uint32_t times_in(struct trim *trim, uint32_t seconds, uint64_t steps_a_second,
                         uint32_t closed_a_second, bool quiet, int64_t *now_us)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < seconds; i++) {
        *now_us += SECOND_US;
        trim->closed_n += closed_a_second;
        n += trim_due(trim, trim->steps + steps_a_second, quiet, *now_us);
    }
    return n;
}

START_TEST(little_is_not_worth_it)
{
    struct trim trim = {.closed_n = TRIM_CLOSED - 1};
    int64_t now_us = began_us;
    ck_assert(!trim_waits(&trim));
    ck_assert_uint_eq(times_in(&trim, 100, 0, 0, true, &now_us), 0);
}

END_TEST

START_TEST(after_a_crowd_it_is_done_a_few_times)
{
    struct trim trim = {.closed_n = TRIM_CLOSED};
    int64_t now_us = began_us;
    ck_assert(trim_waits(&trim));
    ck_assert_uint_eq(times_in(&trim, 1, 0, 0, true, &now_us), 1);
    ck_assert(trim_waits(&trim));
    ck_assert_uint_eq(times_in(&trim, 2, 0, 0, true, &now_us), 0);
    ck_assert_uint_eq(times_in(&trim, 100, 0, 0, true, &now_us), TRIM_TIMES - 1);
    ck_assert(!trim_waits(&trim));
}

END_TEST

/* Handshakes, or requests: it waits for their end. */
START_TEST(it_waits_for_calm)
{
    struct trim trim = {.closed_n = TRIM_CLOSED};
    int64_t now_us = began_us;
    bool handshakes = _i == 0;
    ck_assert_uint_eq(times_in(&trim, 50, handshakes, 0, handshakes, &now_us), 0);
    ck_assert(trim_waits(&trim));
    ck_assert_uint_eq(times_in(&trim, 2, 0, 0, true, &now_us), 1);
}

END_TEST

/* Somebody joins and leaves every second, for ten minutes. */
START_TEST(without_calm_it_is_done_once_a_minute)
{
    struct trim trim = {0};
    int64_t now_us = began_us;
    uint32_t n = times_in(&trim, 600, 4, 20, false, &now_us);
    ck_assert_uint_ge(n, 9);
    ck_assert_uint_le(n, 10);
}

END_TEST

Suite *ctl_trim_suite(void)
{
    Suite *suite = suite_create("ctl_trim");
    TCase *tc = tcase_create("trim");
    tcase_add_test(tc, little_is_not_worth_it);
    tcase_add_test(tc, after_a_crowd_it_is_done_a_few_times);
    tcase_add_loop_test(tc, it_waits_for_calm, 0, 2);
    tcase_add_test(tc, without_calm_it_is_done_once_a_minute);
    suite_add_tcase(suite, tc);
    return suite;
}
