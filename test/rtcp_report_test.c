/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_report_test.c - report times, and producers' clocks learnt and projected. */
#include "rtcp/report.h"
#include "rtp/seq.h"
#include "test/must.h"
#include "test/suite.h"

enum { MS = 1000, SECOND = 1000000 };

START_TEST(intervals)
{
    struct random random = {.state = 5};
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t now = INT64_C(400) * 86400 * SECOND + random_below(&random, SECOND);
        int64_t due = report_next_us(now, &random), after = due - now;
        ck_assert_int_eq(due % REPORT_GRID_US, 0);
        least = after < least ? after : least;
        most = after > most ? after : most;
    }
    ck_assert_int_ge(least, REPORT_INTERVAL_US);
    ck_assert_int_lt(least, REPORT_INTERVAL_US + 5 * MS);
    ck_assert_int_le(most, REPORT_INTERVAL_US * 3 / 2);
    ck_assert_int_gt(most, REPORT_INTERVAL_US * 3 / 2 - 5 * MS);
}

END_TEST

/* A sender in virtual time. Its clocks are off by a constant and by drift: `true` is our time. */
struct sender {
    uint32_t rate;
    uint32_t first_ts;
    int64_t ntp_ahead_us; /* of our clock's zero */
    double ntp_drift;     /* its wall clock, e.g. 50e-6 */
    double rtp_drift;     /* its media clock */
};

static uint32_t sender_ts(const struct sender *sender, int64_t true_us)
{
    double ticks = (double)true_us * (1 + sender->rtp_drift) * sender->rate / SECOND;
    return sender->first_ts + (uint32_t)(int64_t)ticks;
}

static uint64_t sender_ntp(const struct sender *sender, int64_t true_us)
{
    int64_t us = sender->ntp_ahead_us + true_us + (int64_t)((double)true_us * sender->ntp_drift);
    return (uint64_t)(us / SECOND) << 32 | (uint64_t)(us % SECOND) * (UINT64_C(1) << 32) / SECOND;
}

static struct rtcp_sender_info sender_report(const struct sender *sender, int64_t true_us)
{
    return (struct rtcp_sender_info){.ntp = sender_ntp(sender, true_us),
                                     .rtp_ts = sender_ts(sender, true_us)};
}

static const struct sender senders[] = {
    {90000, 0x12345678, INT64_C(3973000000) * SECOND, 0, 0},
    {90000, UINT32_MAX - 90000 * 5, INT64_C(3973000000) * SECOND, 50e-6, -50e-6}, /* wraps at 5 s */
    {48000, 0x7fffffff - 48000 * 3, 5 * SECOND, -50e-6, 50e-6}, /* NTP since its own start */
    {8000, UINT32_MAX, (INT64_C(1) << 32) * SECOND - 7 * SECOND, 0, 100e-6}, /* era ends at 7 s */
};

/* How far the projection is off what the sender's media clock says now, in microseconds. */
static int64_t error_us(const struct report_clock *clock, const struct sender *sender,
                        int64_t now_us)
{
    uint64_t ntp;
    uint32_t ts;
    MUST(report_clock_at(clock, now_us, &ntp, &ts));
    MUST(ntp == clock_ntp(now_us));
    return ts_diff(ts, sender_ts(sender, now_us)) * SECOND / sender->rate;
}

START_TEST(nothing_yet)
{
    struct report_clock clock = {.clock_rate = 90000};
    uint64_t ntp;
    uint32_t ts, last_sr, delay;
    ck_assert(!report_clock_at(&clock, 5 * SECOND, &ntp, &ts));
    report_clock_last_sr(&clock, 5 * SECOND, &last_sr, &delay);
    ck_assert_uint_eq(last_sr, 0);
    ck_assert_uint_eq(delay, 0);
    struct rtcp_sender_info info = {.ntp = UINT64_C(5) << 32, .rtp_ts = 9};
    report_clock_sr(&clock, &info, 5 * SECOND);
    ck_assert(!report_clock_at(&clock, 5 * SECOND, &ntp, &ts)); /* an SR is no packet */
    report_clock_packet(&clock, 9, 5 * SECOND);
    ck_assert(report_clock_at(&clock, 7 * SECOND, &ntp, &ts));
    ck_assert(!report_clock_at(&clock, 7 * SECOND + 1, &ntp, &ts));
}

END_TEST

/* Without a sender report, arrivals say it: as exact as they are, across the RTP time's wrap. */
START_TEST(from_arrivals)
{
    const struct sender *sender = &senders[_i];
    struct report_clock clock = {.clock_rate = sender->rate};
    for (int64_t now_us = 40 * MS; now_us < 20 * SECOND; now_us += 40 * MS) {
        for (int packet = 0; packet < 3; packet++) /* of one frame; the first one counts */
            report_clock_packet(&clock, sender_ts(sender, now_us), now_us + packet * 5 * MS);
        report_clock_packet(&clock, sender_ts(sender, now_us - 40 * MS), now_us + 20 * MS);
        int64_t error = error_us(&clock, sender, now_us + 30 * MS);
        MUST(error >= -130 && error <= 130);
    }
}

END_TEST

/* Sender reports with jitter of up to 80 ms, clocks that drift, hours of it: audio and video that
 * share a sender stay within a few milliseconds of each other. */
START_TEST(from_sender_reports)
{
    struct random random = {.state = 17};
    const struct sender *sender = &senders[_i];
    struct report_clock clock = {.clock_rate = sender->rate};

    enum { TRANSIT_US = 30 * MS };

    int64_t worst_us = 0;
    for (int64_t second = 1; second < 4 * 3600; second++) {
        int64_t now_us = second * SECOND;
        report_clock_packet(&clock, sender_ts(sender, now_us), now_us + TRANSIT_US);
        if (second % 4 == 1) {
            struct rtcp_sender_info info = sender_report(sender, now_us);
            uint32_t jitter_us = random_below(&random, 4) ? random_below(&random, 80 * MS) : 0;
            report_clock_sr(&clock, &info, now_us + TRANSIT_US + jitter_us);
        }
        if (second < 60)
            continue; /* until a transit without a queue was seen */
        int64_t error = error_us(&clock, sender, now_us + 100 * MS) + TRANSIT_US;
        error = error < 0 ? -error : error;
        worst_us = error > worst_us ? error : worst_us;
    }
    ck_assert_int_le(worst_us, 15 * MS);
}

END_TEST

START_TEST(a_step_of_the_senders_wall_clock)
{
    struct sender sender = senders[0];
    struct report_clock clock = {.clock_rate = sender.rate};
    static const int64_t steps[] = {3600 * INT64_C(1000000), -3600 * INT64_C(1000000), 0};
    for (int64_t second = 1; second < 30; second++) {
        int64_t now_us = second * SECOND;
        if (second % 10 == 0)
            sender.ntp_ahead_us += steps[second / 10 - 1];
        report_clock_packet(&clock, sender_ts(&sender, now_us), now_us);
        struct rtcp_sender_info info = sender_report(&sender, now_us);
        report_clock_sr(&clock, &info, now_us);
        int64_t error = error_us(&clock, &sender, now_us + 500 * MS);
        MUST(error >= -100 && error <= 100);
    }
}

END_TEST

/* RTP time that begins anew makes the sender report void until the next. */
START_TEST(rtp_time_begins_anew)
{
    struct sender sender = senders[0];
    struct report_clock clock = {.clock_rate = sender.rate};
    report_clock_packet(&clock, sender_ts(&sender, SECOND), SECOND);
    struct rtcp_sender_info info = sender_report(&sender, SECOND);
    report_clock_sr(&clock, &info, SECOND);
    static const uint32_t jumps[] = {11 * 90000, 0x40000000, 0x80000000, 0xc0000000,
                                     UINT32_MAX - 11 * 90000};
    int64_t now_us = SECOND;
    for (size_t i = 0; i < ARRAY_N(jumps); i++) {
        now_us += 40 * MS;
        sender.first_ts += jumps[i];
        report_clock_packet(&clock, sender_ts(&sender, now_us), now_us);
        ck_assert(!clock.mapped);
        int64_t error = error_us(&clock, &sender, now_us + 10 * MS);
        ck_assert(error >= -100 && error <= 100);
        /* Its round trip is still the same. */
        uint32_t last_sr, delay;
        report_clock_last_sr(&clock, now_us, &last_sr, &delay);
        ck_assert_uint_eq(last_sr, ntp_compact(clock.ntp));
        if (i % 2)
            continue;
        info = sender_report(&sender, now_us);
        report_clock_sr(&clock, &info, now_us + 20 * MS);
        ck_assert(clock.mapped);
    }
}

END_TEST

START_TEST(reports_that_are_not_believed)
{
    const struct sender *sender = &senders[0];
    struct report_clock clock = {.clock_rate = sender->rate};
    int64_t now_us = 100 * INT64_C(1000000);
    report_clock_packet(&clock, sender_ts(sender, now_us), now_us);

    /* RTP time of something else. */
    struct rtcp_sender_info info = sender_report(sender, now_us);
    info.rtp_ts += 0x20000000;
    report_clock_sr(&clock, &info, now_us);
    ck_assert_int_eq(error_us(&clock, sender, now_us + SECOND), 0);

    /* No wall clock. */
    info.ntp = 0;
    info.rtp_ts += 90;
    report_clock_sr(&clock, &info, now_us);
    ck_assert_int_eq(error_us(&clock, sender, now_us + SECOND), 0);
    uint32_t last_sr, delay;
    report_clock_last_sr(&clock, now_us, &last_sr, &delay);
    ck_assert_uint_eq(last_sr, 0);

    /* Too old: 1 s off, it would show. */
    info = sender_report(sender, now_us);
    info.rtp_ts += 90000;
    report_clock_sr(&clock, &info, now_us);
    ck_assert_int_eq(error_us(&clock, sender, now_us + SECOND), SECOND);
    now_us += REPORT_SR_AGE_MAX_US + 1;
    report_clock_packet(&clock, sender_ts(sender, now_us), now_us);
    ck_assert_int_eq(error_us(&clock, sender, now_us), 0);
}

END_TEST

/* A pause of days, over which RTP time wraps many times. */
START_TEST(a_long_pause)
{
    const struct sender *sender = &senders[_i];
    struct report_clock clock = {.clock_rate = sender->rate};
    report_clock_packet(&clock, sender_ts(sender, SECOND), SECOND);
    struct rtcp_sender_info info = sender_report(sender, SECOND);
    report_clock_sr(&clock, &info, SECOND);
    int64_t now_us = INT64_C(20) * 86400 * SECOND;
    uint64_t ntp;
    uint32_t ts, last_sr, delay;
    ck_assert(!report_clock_at(&clock, now_us, &ntp, &ts));
    report_clock_packet(&clock, sender_ts(sender, now_us), now_us);
    int64_t error = error_us(&clock, sender, now_us + 20 * MS);
    ck_assert(error >= -130 && error <= 130);
    report_clock_last_sr(&clock, now_us, &last_sr, &delay);
    ck_assert_uint_eq(last_sr, 0);
    ck_assert_uint_eq(delay, 0);
}

END_TEST

START_TEST(delay_since_the_last_report)
{
    static const struct {
        int64_t since_us;
        uint32_t delay;
        bool known;
    } rows[] = {{0, 0, true},
                {500 * MS, 0x8000, true},
                {5250 * MS, 0x54000, true},
                {INT64_C(65535) * SECOND + 999999, 0xffffffff, true},
                {INT64_C(65536) * SECOND, 0, false},
                {INT64_C(100) * 86400 * SECOND, 0, false},
                {-1, 0, true}};

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct report_clock clock = {.clock_rate = 90000};
        struct rtcp_sender_info info = {.ntp = 0xb44db705bc000000};
        int64_t now_us = INT64_C(400) * 86400 * SECOND;
        report_clock_sr(&clock, &info, now_us);
        uint32_t last_sr, delay;
        report_clock_last_sr(&clock, now_us + rows[i].since_us, &last_sr, &delay);
        ck_assert_uint_eq(last_sr, rows[i].known ? 0xb705bc00 : 0);
        ck_assert_uint_eq(delay, rows[i].delay);
    }
}

END_TEST

Suite *rtcp_report_suite(void)
{
    Suite *suite = suite_create("rtcp_report");
    TCase *tcase = tcase_create("report");
    tcase_add_test(tcase, intervals);
    tcase_add_test(tcase, nothing_yet);
    tcase_add_loop_test(tcase, from_arrivals, 0, (int)ARRAY_N(senders));
    tcase_add_loop_test(tcase, from_sender_reports, 0, (int)ARRAY_N(senders));
    tcase_add_test(tcase, a_step_of_the_senders_wall_clock);
    tcase_add_test(tcase, rtp_time_begins_anew);
    tcase_add_test(tcase, reports_that_are_not_believed);
    tcase_add_loop_test(tcase, a_long_pause, 0, (int)ARRAY_N(senders));
    tcase_add_test(tcase, delay_since_the_last_report);
    suite_add_tcase(suite, tcase);
    return suite;
}
