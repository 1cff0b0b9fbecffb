/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_rate_test.c - rtp/rate: steady, silent, bursty, and with time that goes back. */
#include "rtp/rate.h"
#include "test/suite.h"

enum { SECOND_US = 1000000 };

/* `pps` packets of 1000 bytes a second for `seconds`, from `start_us` on. Returns the end. */
static int64_t feed(struct rate *rate, int64_t start_us, uint32_t pps, int64_t seconds)
{
    int64_t end_us = start_us + seconds * SECOND_US;
    for (int64_t i = 0; i < seconds * pps; i++)
        rate_add(rate, 1, 1000, start_us + i * SECOND_US / pps);
    return end_us;
}

START_TEST(steady)
{
    struct rate rate = {0};
    int64_t now_us = 123456789012345; /* years of uptime */
    for (int i = 0; i < 20; i++) {
        now_us = feed(&rate, now_us, 1000, 1) + 7777; /* at any phase of a step */
        ck_assert_uint_ge(rate_pps(&rate, now_us), 980);
        ck_assert_uint_le(rate_pps(&rate, now_us), 1020);
        ck_assert_uint_ge(rate_bps(&rate, now_us), 980 * 8000);
        ck_assert_uint_le(rate_bps(&rate, now_us), 1020 * 8000);
    }
}

END_TEST

START_TEST(silence_empties_the_window)
{
    struct rate rate = {0};
    ck_assert_uint_eq(rate_bps(&rate, 5), 0);
    int64_t now_us = feed(&rate, 0, 1000, 2);
    uint32_t before = rate_pps(&rate, now_us);
    for (int64_t gone_us = 100000; gone_us < SECOND_US; gone_us += 100000) {
        uint32_t after = rate_pps(&rate, now_us + gone_us);
        ck_assert_uint_lt(after, before);
        before = after;
    }
    ck_assert_uint_eq(rate_pps(&rate, now_us + SECOND_US), 0);
    ck_assert_uint_eq(rate_bps(&rate, now_us + 3600LL * SECOND_US), 0);

    rate_add(&rate, 1, 1000, now_us + 3600LL * SECOND_US);
    ck_assert_uint_eq(rate_pps(&rate, now_us + 3600LL * SECOND_US), 1);
}

END_TEST

START_TEST(time_that_goes_back)
{
    struct rate rate = {0};
    rate_add(&rate, 1, 10, 10 * SECOND_US);
    rate_add(&rate, 1, 10, 10 * SECOND_US - 500000); /* its own step */
    rate_add(&rate, 1, 10, 5 * SECOND_US);           /* out of the window: the newest */
    int64_t later_us = 10 * SECOND_US + 899999;
    ck_assert_uint_eq(rate_pps(&rate, 10 * SECOND_US), 3);
    ck_assert_uint_eq(rate_pps(&rate, later_us), 2);
    ck_assert_uint_eq(rate_pps(&rate, 5 * SECOND_US), 3); /* asked of the past: what it knows */
}

END_TEST

START_TEST(stops_at_its_maximum)
{
    struct rate rate = {0};
    for (int i = 0; i < 70000; i++)
        rate_add(&rate, 1, 65535, 49999);
    ck_assert_uint_eq(rate.steps[0].bytes, UINT32_MAX / 65535 * 65535);
    ck_assert_uint_eq(rate_bps(&rate, 49999), UINT32_MAX);
    ck_assert_uint_eq(rate.steps[0].packets, 70000);
}

END_TEST

START_TEST(many_at_once)
{
    struct rate one = {0}, many = {0};
    for (int64_t at_us = 0; at_us < 3 * SECOND_US; at_us += 33333) {
        for (int i = 0; i < 7; i++)
            rate_add(&one, 1, 1000, at_us);
        rate_add(&many, 7, 7000, at_us);
    }
    ck_assert_uint_gt(rate_pps(&one, 3 * SECOND_US), 200);
    ck_assert_uint_eq(rate_pps(&one, 3 * SECOND_US), rate_pps(&many, 3 * SECOND_US));
    ck_assert_uint_eq(rate_bps(&one, 3 * SECOND_US), rate_bps(&many, 3 * SECOND_US));
}

END_TEST

Suite *rtp_rate_suite(void)
{
    Suite *suite = suite_create("rtp/rate");
    TCase *tc = tcase_create("rate");
    tcase_add_test(tc, steady);
    tcase_add_test(tc, silence_empties_the_window);
    tcase_add_test(tc, time_that_goes_back);
    tcase_add_test(tc, stops_at_its_maximum);
    tcase_add_test(tc, many_at_once);
    suite_add_tcase(suite, tc);
    return suite;
}
