/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_clock_test.c - the clocks, and NTP arithmetic where it wraps. */
#include "core/clock.h"
#include "test/suite.h"

#include <pthread.h>

START_TEST(the_monotonic_clock_does_not_go_back)
{
    int64_t last_us = clock_now_us();
    ck_assert_int_gt(last_us, 0);
    for (int i = 0; i < 1000; i++) {
        int64_t now_us = clock_now_us();
        ck_assert_int_ge(now_us, last_us);
        last_us = now_us;
    }
}

END_TEST

START_TEST(ntp_of_known_times)
{
    static const struct {
        int64_t wall_us;
        uint64_t ntp;
    } rows[] = {
        {-NTP_UNIX_EPOCH_S * 1000000, 0}, /* 1900-01-01 */
        {0, 0x83aa7e8000000000},          /* 1970-01-01, RFC 5905 fig. 4 */
        {500000, 0x83aa7e8080000000},     /* half a second */
        {1, 0x83aa7e80000010c6},          /* 2^32 / 10^6 = 4294.97 */
        {999999, 0x83aa7e80ffffef39},     /* rounded down, no carry */
        {INT64_C(2085978495) * 1000000 + 999999, 0xffffffffffffef39}, /* the era's last second */
        {INT64_C(2085978496) * 1000000, 0},                           /* 2036-02-07 06:28:16 */
    };

    ck_assert_int_ge(_i, 0);
    ck_assert_uint_lt((size_t)_i, ARRAY_N(rows));
    ck_assert_uint_eq(ntp_from_wall_us(rows[_i].wall_us), rows[_i].ntp);
}

END_TEST

START_TEST(ntp_advances_with_the_monotonic_clock)
{
    int64_t now_us = clock_now_us();
    uint64_t ntp = clock_ntp(now_us);
    ck_assert_uint_eq(clock_ntp(now_us), ntp);
    /* One hour later: the offset is fixed, so exactly an hour but for rounding. */
    uint64_t hour = clock_ntp(now_us + INT64_C(3600000000)) - ntp;
    ck_assert_uint_eq(hour, UINT64_C(3600) << 32);
}

END_TEST

START_TEST(ntp_is_the_wall_clock)
{
    uint64_t ntp = clock_ntp(clock_now_us());
    int64_t seconds = (int64_t)(uint32_t)(ntp >> 32) -
                      (int64_t)(uint32_t)(ntp_from_wall_us(clock_wall_us()) >> 32);
    ck_assert_int_le(seconds, 60); /* nobody sets the clock back by more while this runs */
    ck_assert_int_ge(seconds, -60);
}

END_TEST

START_TEST(compact_is_the_middle)
{
    ck_assert_uint_eq(ntp_compact(0x0123456789abcdef), 0x456789ab);
    ck_assert_uint_eq(ntp_compact(0xffffffffffffffff), 0xffffffff);
}

END_TEST

START_TEST(compact_differences_are_right_at_every_wrap)
{
    ck_assert_int_eq(ntp_compact_us(0), 0);
    ck_assert_int_eq(ntp_compact_us(0x10000), 1000000);
    ck_assert_int_eq(ntp_compact_us(0x8000), 500000);
    ck_assert_int_eq(ntp_compact_us(1), 15);           /* 15.26 us */
    ck_assert_int_eq(ntp_compact_us(UINT32_MAX), -15); /* towards zero */
    ck_assert_int_eq(ntp_compact_us(0x7fffffff), INT64_C(32767999984));
    ck_assert_int_eq(ntp_compact_us(0x80000000), INT64_C(-32768000000));

    /* 250 ms lie between a time just before the wrap at 2^16 seconds and one after it. */
    uint64_t before = (UINT64_C(0xabcdffff) << 32) + 0xe0000000;
    uint64_t after = before + 0x40000000;
    ck_assert_uint_lt(ntp_compact(after), ntp_compact(before));
    ck_assert_int_eq(ntp_compact_us(ntp_compact(after) - ntp_compact(before)), 250000);
    ck_assert_int_eq(ntp_compact_us(ntp_compact(before) - ntp_compact(after)), -250000);

    /* The same across the era: 0xffffffff.f -> 0. */
    before = UINT64_C(0xfffffffff0000000);
    after = before + 0x20000000;
    ck_assert_uint_lt(after, before);
    ck_assert_int_eq(ntp_compact_us(ntp_compact(after) - ntp_compact(before)), 125000);
}

END_TEST

static void *ask_ntp(void *result)
{
    *(uint64_t *)result = clock_ntp(1000000);
    return NULL;
}

START_TEST(threads_see_one_offset)
{
    enum { THREADS = 4 };

    pthread_t threads[THREADS];
    uint64_t results[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_ntp, &results[i]), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_uint_eq(results[i], clock_ntp(1000000));
}

END_TEST

Suite *core_clock_suite(void)
{
    Suite *suite = suite_create("core/clock");
    TCase *tcase = tcase_create("clock");
    tcase_add_test(tcase, threads_see_one_offset); /* first: the offset is not yet read */
    tcase_add_test(tcase, the_monotonic_clock_does_not_go_back);
    tcase_add_loop_test(tcase, ntp_of_known_times, 0, 7);
    tcase_add_test(tcase, ntp_advances_with_the_monotonic_clock);
    tcase_add_test(tcase, ntp_is_the_wall_clock);
    tcase_add_test(tcase, compact_is_the_middle);
    tcase_add_test(tcase, compact_differences_are_right_at_every_wrap);
    suite_add_tcase(suite, tcase);
    return suite;
}
