/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_resend_test.c - rtp/resend: suppression, pace, early NACKs and full memories, in virtual
 * time. */
#include "core/random.h"
#include "rtp/resend.h"
#include "test/suite.h"

enum { MS = 1000, SECOND = 1000000, RECENT_N = RESEND_SETS_N * RESEND_WAYS_N };

static struct resend resend;
static struct resend_memory memory;
static int64_t now_us;

static void begin(void)
{
    now_us = 5000 * (int64_t)SECOND;
    memset(&memory, 0xa5, sizeof memory); /* it may hold anything */
    resend_init(&resend, &memory, now_us);
}

static void request(uint16_t seq)
{
    resend_request(&resend, seq, true, 50 * MS, now_us);
}

/* Takes and serves whatever the pace allows now. */
static unsigned serve(void)
{
    unsigned served = 0;
    uint16_t seq;
    while (resend_take(&resend, now_us, &seq)) {
        resend_done(&resend, seq, now_us);
        served++;
    }
    return served;
}

static void balanced(void)
{
    ck_assert_uint_eq(resend.requested, resend.queued + resend.suppressed + resend.overflowed +
                                            resend.early_served + resend.early_n);
    ck_assert_uint_eq(resend.queued, resend.served + resend.missed + resend.queue_n);
}

START_TEST(oldest_first_and_in_bursts_of_four)
{
    begin();
    ck_assert_int_eq(resend_due_us(&resend, now_us), INT64_MAX);
    for (uint16_t i = 0; i < 12; i++)
        request((uint16_t)(65530 + i));
    ck_assert_int_eq(resend_due_us(&resend, now_us), now_us);
    uint16_t seq;
    for (uint16_t i = 0; i < RESEND_BURST; i++) {
        ck_assert(resend_take(&resend, now_us, &seq));
        ck_assert_uint_eq(seq, (uint16_t)(65530 + i));
        resend_done(&resend, seq, now_us);
    }
    for (uint16_t i = RESEND_BURST; i < 12; i++) {
        ck_assert(!resend_take(&resend, now_us, &seq));
        ck_assert_int_eq(resend_due_us(&resend, now_us), now_us + RESEND_INTERVAL_US);
        ck_assert(!resend_take(&resend, now_us + RESEND_INTERVAL_US - 1, &seq));
        now_us += RESEND_INTERVAL_US;
        ck_assert(resend_take(&resend, now_us, &seq));
        ck_assert_uint_eq(seq, (uint16_t)(65530 + i));
        resend_done(&resend, seq, now_us);
    }
    ck_assert(!resend_take(&resend, now_us + SECOND, &seq));
    balanced();
}

END_TEST

START_TEST(tokens_do_not_pile_up)
{
    begin();
    now_us += 3600LL * SECOND;
    for (uint16_t i = 0; i < 20; i++)
        request(i);
    ck_assert_uint_eq(serve(), RESEND_BURST);
    now_us += RESEND_INTERVAL_US / 2;
    ck_assert_uint_eq(serve(), 0);
    now_us += RESEND_INTERVAL_US / 2;
    ck_assert_uint_eq(serve(), 1);
    now_us += 2 * RESEND_INTERVAL_US;
    ck_assert_uint_eq(serve(), 2);
}

END_TEST

/* Asked at any rate of calls, the pace is exact. */
START_TEST(pace_is_exact)
{
    static const struct {
        uint32_t packets_per_second, per_second;
    } rows[] = {{0, 400}, {200, 400}, {1600, 400}, {1604, 401}, {4000, 1000}, {40000, 10000}};

    static const int64_t steps_us[] = {1, 7, 100, 999, 3333};
    for (size_t i = 0; i < ARRAY_N(steps_us); i++) {
        begin();
        resend_set_rate(&resend, rows[_i].packets_per_second);
        uint16_t seq = 0;
        int64_t end_us = now_us + SECOND;
        unsigned served = 0;
        for (; now_us < end_us; now_us += steps_us[i]) {
            while (resend.queue_n < RESEND_QUEUE_N)
                request(seq++);
            served += serve();
        }
        unsigned most = rows[_i].per_second + RESEND_BURST + 1;
        ck_assert_uint_le(served, most + served / 400); /* whole microseconds an interval */
        if (steps_us[i] * rows[_i].per_second < 3LL * SECOND)
            ck_assert_uint_ge(served + 5, rows[_i].per_second);
    }
}

END_TEST

START_TEST(absurd_rates)
{
    begin();
    resend_set_rate(&resend, UINT32_MAX);
    ck_assert_uint_eq(resend.interval_us, 1);
    resend_set_rate(&resend, 0);
    ck_assert_uint_eq(resend.interval_us, RESEND_INTERVAL_US);
}

END_TEST

START_TEST(once_per_rtt)
{
    begin();
    request(7);
    request(7); /* queued already */
    ck_assert_uint_eq(resend.suppressed, 1);
    ck_assert_uint_eq(serve(), 1);
    request(7);
    now_us += 50 * MS;
    request(7); /* exactly one RTT */
    ck_assert_uint_eq(resend.suppressed, 3);
    now_us += MS;
    request(7);
    ck_assert_uint_eq(resend.suppressed, 3);
    ck_assert_uint_eq(serve(), 1);
    balanced();
}

END_TEST

/* rtt_us as known, and for how long a packet is not sent again. */
static const struct {
    int64_t rtt_us, quiet_us;
} rtts[] = {
    {0, RESEND_RTT_UNKNOWN_US}, {-5, RESEND_RTT_UNKNOWN_US},        {1 * MS, 1 * MS},
    {700 * MS, 700 * MS},       {90LL * SECOND, RESEND_RTT_MAX_US}, /* longer than the clock of the
                                                                       memory goes round */
};

START_TEST(rtt_known_or_not)
{
    /* Around the wrap of the 16-bit millisecond, too. */
    for (int64_t phase_ms = 0; phase_ms < 65536 * 2; phase_ms += 331) {
        begin();
        now_us += phase_ms * MS;
        resend_request(&resend, 9, true, rtts[_i].rtt_us, now_us);
        ck_assert_uint_eq(serve(), 1);
        resend_request(&resend, 9, true, rtts[_i].rtt_us, now_us + rtts[_i].quiet_us - MS);
        ck_assert_uint_eq(resend.queue_n, 0);
        resend_request(&resend, 9, true, rtts[_i].rtt_us, now_us + rtts[_i].quiet_us + 2 * MS);
        ck_assert_uint_eq(resend.queue_n, 1);
    }
}

END_TEST

/* NACKed in turns as fast as it goes, numbers that share a place are sent once per RTT each. */
START_TEST(numbers_of_one_place_do_not_push_each_other_out)
{
    static const uint16_t apart[] = {RESEND_SETS_N, 128, 256, 16384};
    begin();
    for (int i = 0; i < 50; i++, now_us += MS)
        for (uint16_t k = 0; k < RESEND_WAYS_N; k++) {
            request((uint16_t)(5 + k * apart[_i]));
            serve();
        }
    ck_assert_uint_eq(resend.served, RESEND_WAYS_N);
    now_us += 2 * MS;
    request(5);
    ck_assert_uint_eq(serve(), 1); /* an RTT has gone by */
    balanced();
}

END_TEST

START_TEST(the_oldest_of_a_place_gives_way)
{
    begin();
    for (uint16_t k = 0; k <= RESEND_WAYS_N; k++, now_us += 3 * MS) {
        request((uint16_t)(5 + k * 128));
        ck_assert_uint_eq(serve(), 1);
    }
    for (uint16_t k = 1; k <= RESEND_WAYS_N; k++)
        request((uint16_t)(5 + k * 128));
    ck_assert_uint_eq(resend.suppressed, RESEND_WAYS_N);
    request(5); /* was pushed out: sent once more rather than not at all */
    request(0); /* never resent, although the memory is zero */
    ck_assert_uint_eq(resend.suppressed, RESEND_WAYS_N);
    balanced();
}

END_TEST

START_TEST(missed_costs_nothing)
{
    begin();
    uint16_t seq;
    for (uint16_t i = 0; i < RESEND_QUEUE_N; i++)
        request(i);
    for (uint16_t i = 0; i < RESEND_QUEUE_N; i++) {
        ck_assert(resend_take(&resend, now_us, &seq));
        resend_missed(&resend, seq);
    }
    ck_assert_uint_eq(resend.missed, RESEND_QUEUE_N);
    for (uint16_t i = 0; i < 10; i++)
        request(i); /* not suppressed: it was not sent */
    ck_assert_uint_eq(resend.suppressed, 0);
    ck_assert_uint_eq(serve(), RESEND_BURST); /* and no more tokens than before */
    balanced();
}

END_TEST

START_TEST(full_queue)
{
    begin();
    for (uint16_t i = 0; i < 100; i++)
        request(i);
    ck_assert_uint_eq(resend.queued, RESEND_QUEUE_N);
    ck_assert_uint_eq(resend.overflowed, 100 - RESEND_QUEUE_N);
    uint16_t seq;
    ck_assert(resend_take(&resend, now_us, &seq));
    ck_assert_uint_eq(seq, 0); /* the oldest stay */
    resend_done(&resend, seq, now_us);
    request(99); /* asked again: now there is room */
    ck_assert_uint_eq(resend.queue_n, RESEND_QUEUE_N);
    balanced();
}

END_TEST

START_TEST(early)
{
    begin();
    ck_assert(!resend_was_early(&resend, 40));
    for (uint16_t i = 40; i < 43; i++)
        resend_request(&resend, i, false, 0, now_us);
    resend_request(&resend, 41, false, 0, now_us);
    ck_assert_uint_eq(resend.suppressed, 1);
    ck_assert_uint_eq(resend.queue_n, 0);
    ck_assert(resend_was_early(&resend, 41));
    ck_assert(!resend_was_early(&resend, 41));
    ck_assert(resend_was_early(&resend, 42));
    ck_assert(resend_was_early(&resend, 40));
    ck_assert_uint_eq(resend.early_n, 0);
    ck_assert_uint_eq(resend.early_served, 3);

    for (uint16_t i = 0; i < RESEND_EARLY_N + 2; i++)
        resend_request(&resend, i, false, 0, now_us);
    ck_assert_uint_eq(resend.overflowed, 2);
    ck_assert(!resend_was_early(&resend, 0)); /* the oldest gave way */
    ck_assert(!resend_was_early(&resend, 1));
    ck_assert(resend_was_early(&resend, 2));
    ck_assert(resend_was_early(&resend, RESEND_EARLY_N + 1));
    balanced();
}

END_TEST

START_TEST(clear_forgets)
{
    begin();
    for (uint16_t i = 0; i < 10; i++)
        request(i);
    serve();
    resend_request(&resend, 70, false, 0, now_us);
    resend_clear(&resend);
    ck_assert_int_eq(resend_due_us(&resend, now_us), INT64_MAX);
    ck_assert(!resend_was_early(&resend, 70));
    request(0); /* other numbers, so nothing is recent */
    ck_assert_uint_eq(resend.queue_n, 1);
    ck_assert_uint_eq(resend.served, RESEND_BURST);
    ck_assert_uint_eq(serve(), 0); /* the pace goes on */
}

END_TEST

/* Anything in any order: sums hold, nothing is sent twice within an RTT while its place in the
 * memory is its own. */
START_TEST(storm)
{
    struct random random = {.state = 77};
    static int64_t sent_us[RECENT_N];
    memset(sent_us, 0, sizeof(sent_us));
    begin();
    int64_t start_us = now_us;
    for (int i = 0; i < 50000; i++) {
        now_us += random_below(&random, 400);
        uint16_t seq = (uint16_t)random_below(&random, RECENT_N);
        request(seq);
        while (resend_take(&resend, now_us, &seq)) {
            if (random_below(&random, 10) == 0) {
                resend_missed(&resend, seq);
                continue;
            }
            if (sent_us[seq] != 0 && now_us - sent_us[seq] < 49 * MS)
                ck_abort_msg("%u sent twice within an RTT", seq);
            sent_us[seq] = now_us;
            resend_done(&resend, seq, now_us);
        }
    }
    balanced();
    ck_assert_uint_gt(resend.served, 1000);
    ck_assert_uint_gt(resend.suppressed, 1000);
    ck_assert_uint_le(resend.served, (uint64_t)(now_us - start_us) / RESEND_INTERVAL_US + 5);
}

END_TEST

/* The memory goes back to the system between two losses. */
START_TEST(what_is_idle_is_forgotten)
{
    begin();
    request(7);
    ck_assert(!resend_forget(&resend)); /* something waits */
    ck_assert_uint_eq(serve(), 1);
    ck_assert(resend_forget(&resend));
    memset(&memory, 0xa5, sizeof memory);
    request(7); /* was served just now, which is not known any more */
    ck_assert_uint_eq(resend.suppressed, 0);
    now_us += SECOND;
    ck_assert_uint_eq(serve(), 1);
    request(7);
    ck_assert_uint_eq(resend.suppressed, 1);
}

END_TEST

Suite *rtp_resend_suite(void)
{
    Suite *suite = suite_create("rtp/resend");
    TCase *tc = tcase_create("resend");
    tcase_add_test(tc, oldest_first_and_in_bursts_of_four);
    tcase_add_test(tc, tokens_do_not_pile_up);
    tcase_add_loop_test(tc, pace_is_exact, 0, 6);
    tcase_add_test(tc, absurd_rates);
    tcase_add_test(tc, once_per_rtt);
    tcase_add_loop_test(tc, rtt_known_or_not, 0, (int)ARRAY_N(rtts));
    tcase_add_loop_test(tc, numbers_of_one_place_do_not_push_each_other_out, 0, 4);
    tcase_add_test(tc, the_oldest_of_a_place_gives_way);
    tcase_add_test(tc, missed_costs_nothing);
    tcase_add_test(tc, full_queue);
    tcase_add_test(tc, early);
    tcase_add_test(tc, clear_forgets);
    tcase_add_test(tc, storm);
    tcase_add_test(tc, what_is_idle_is_forgotten);
    suite_add_tcase(suite, tc);
    return suite;
}
