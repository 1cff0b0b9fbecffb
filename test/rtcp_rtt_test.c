/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_rtt_test.c - round trips from reports, right at every wrap of compact NTP. */
#include "core/random.h"
#include "rtcp/rtt.h"
#include "test/must.h"
#include "test/suite.h"

static const struct {
    const char *what;
    uint32_t last, delay;
    uint64_t now_ntp;
    int64_t sample_us;
} rows[] = {
    /* RFC 3550 6.4.1's own example: 6.125 s between, which is more than we believe. */
    {"RFC 3550, figure 2", 0xb7052000, 0x00054000, UINT64_C(0xb44db710) << 16 | 0x8000, -1},
    {"a quarter of a second", 0x00010000, 0x00008000, UINT64_C(0x0001c000) << 16, 250000},
    {"no report yet", 0, 0x8000, UINT64_C(0x12345678) << 16, -1},
    {"delay of 0", 0x00010000, 0, UINT64_C(0x00014000) << 16, 250000},
    {"less than a tick", 0x00010000, 0x100, UINT64_C(0x00010100) << 16, 1},
    {"negative by one tick", 0x00010000, 0x101, UINT64_C(0x00010100) << 16, -1},
    {"negative by a second", 0x00020000, 0, UINT64_C(0x00010000) << 16, -1},
    {"2 s", 0x00010000, 0, UINT64_C(0x00030000) << 16, 2000000},
    {"2 s and a tick", 0x00010000, 0, UINT64_C(0x00030001) << 16, -1},
    {"now has wrapped", 0xffff0000, 0x8000, UINT64_C(0x00000000) << 16, 500000},
    {"last + delay has wrapped, too", 0xffff0000, 0x18000, UINT64_C(0x0000c000) << 16, 250000},
    {"wraps between last and now, delay 0", 0xffffffff, 0, UINT64_C(0x00000fff) << 16, 62500},
    {"at the sign's change", 0x7fffff00, 0x80, UINT64_C(0x80000f80) << 16, 62500},
    {"a delay of hours", 0x80000000, 0x40000000, UINT64_C(0xc0001000) << 16, 62500},
    {"nonsense half a turn away", 0x00010000, 0, UINT64_C(0x80010000) << 16, -1},
    {"upper bits of NTP do not count", 0x00010000, 0, UINT64_C(0xffff00014000) << 16, 250000},
};

START_TEST(samples)
{
    int64_t sample_us = rtt_sample_us(rows[_i].last, rows[_i].delay, rows[_i].now_ntp);
    ck_assert_msg(sample_us == rows[_i].sample_us, "%s: %ld", rows[_i].what, (long)sample_us);
}

END_TEST

/* A report every second for more than two wraps: never a wrong sample, never a missing one. */
START_TEST(days_of_reports)
{
    struct random random = {.state = 3};
    for (uint32_t second = 0; second < 40 * 3600; second++) {
        uint64_t sent_ntp = (uint64_t)second << 32 | random_next(&random) >> 32;
        uint32_t last = ntp_compact(sent_ntp);
        uint32_t rtt = random_below(&random, 0x8000);     /* up to half a second */
        uint32_t delay = random_below(&random, 0x100000); /* up to 16 s */
        if (last == 0)
            continue;
        int64_t rtt_us = (int64_t)rtt * 1000000 / 65536;
        uint64_t now_ntp = sent_ntp + ((uint64_t)(rtt + delay) << 16);
        MUST(rtt_sample_us(last, delay, now_ntp) == (rtt_us ? rtt_us : 1));
    }
}

END_TEST

START_TEST(smooths)
{
    struct rtt rtt = {0};
    ck_assert(!rtt_add(&rtt, -1));
    ck_assert_int_eq(rtt.smoothed_us, 0);
    ck_assert(rtt_add(&rtt, 80000)); /* the first is the average */
    ck_assert_int_eq(rtt.smoothed_us, 80000);
    ck_assert(!rtt_add(&rtt, 80000));
    ck_assert(rtt_add(&rtt, 160000));
    ck_assert_int_eq(rtt.smoothed_us, 90000);
    ck_assert_int_eq(rtt.last_us, 160000);
    ck_assert(!rtt_add(&rtt, 0));
    ck_assert(!rtt_add(&rtt, RTT_SAMPLE_MAX_US + 1));
    ck_assert_int_eq(rtt.smoothed_us, 90000);
    ck_assert_int_eq(rtt.last_us, 160000);
    ck_assert_uint_eq(rtt.samples, 3);
    ck_assert_uint_eq(rtt.ignored, 3);
    ck_assert(rtt_add(&rtt, RTT_SAMPLE_MAX_US));
    ck_assert_int_eq(rtt.smoothed_us, (7 * 90000 + 2000000) / 8);
}

END_TEST

/* Known once, it never becomes unknown again. */
START_TEST(stays_known)
{
    struct rtt rtt = {0};
    rtt_add(&rtt, 1000);
    for (int i = 0; i < 200; i++)
        rtt_add(&rtt, 1);
    ck_assert_int_ge(rtt.smoothed_us, 1);
    ck_assert_int_le(rtt.smoothed_us, 8);
}

END_TEST

Suite *rtcp_rtt_suite(void)
{
    Suite *suite = suite_create("rtcp_rtt");
    TCase *tcase = tcase_create("rtt");
    tcase_add_loop_test(tcase, samples, 0, (int)ARRAY_N(rows));
    tcase_add_test(tcase, days_of_reports);
    tcase_add_test(tcase, smooths);
    tcase_add_test(tcase, stays_known);
    suite_add_tcase(suite, tcase);
    return suite;
}
