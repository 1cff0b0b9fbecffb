/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_source_test.c - rtp/source: validity, duplicates, loss and jitter across every wrap. */
#include "core/random.h"
#include "rtp/source.h"
#include "test/suite.h"

enum { CLOCK = 90000, MS = 1000 };

static struct source source;
static uint32_t seq_ext;
static bool restarted;

static enum drop receive(uint32_t seq)
{
    return source_receive(&source, (uint16_t)seq, 0, 100, 0, &seq_ext, &restarted);
}

/* A fresh source that has received `first`. */
static void begin(uint16_t first)
{
    source_init(&source, 1, CLOCK);
    ck_assert_int_eq(receive(first), DROP_NONE);
    ck_assert(!restarted);
    ck_assert_uint_eq(seq_ext, 0x10000u + first);
}

START_TEST(extends_over_many_wraps)
{
    begin(65530);
    uint32_t expected = seq_ext;
    for (int i = 0; i < 300000; i++) {
        if (receive(++expected) != DROP_NONE || seq_ext != expected || restarted)
            ck_abort_msg("number %u came out as %u", expected, seq_ext);
    }
    struct source_report report;
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.seq_max, 65530 + 300000);
    ck_assert_int_eq(report.lost_total, 0);
    ck_assert_uint_eq(report.expected, 300001);
    ck_assert_uint_eq(report.received, 300001);
}

END_TEST

START_TEST(goes_back_below_the_first)
{
    begin(3);
    ck_assert_int_eq(receive(65530), DROP_NONE);
    ck_assert_uint_eq(seq_ext, 0xfffa);
    ck_assert_uint_eq(source.misordered, 1);
    ck_assert_int_eq(receive(65530), DROP_DUPLICATE);
    ck_assert_int_eq(receive(4), DROP_NONE);
    struct source_report report;
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.seq_max, 4);
    ck_assert_int_eq(report.lost_total,
                     0); /* what was before the start is neither expected nor received */
    ck_assert_uint_eq(report.expected, 2);
    ck_assert_uint_eq(report.received, 2);
}

END_TEST

/* Offsets from the newest number, at starts that put every comparison across the wrap. */
static const struct {
    int32_t offset;
    enum drop why;
} offsets[] = {
    {1, DROP_NONE},
    {SOURCE_DROPOUT_MAX - 1, DROP_NONE},
    {SOURCE_DROPOUT_MAX, DROP_SEQ_INVALID},
    {32767, DROP_SEQ_INVALID},
    {-32768, DROP_SEQ_INVALID},
    {-SOURCE_MISORDER_MAX, DROP_SEQ_INVALID},
    {-SOURCE_MISORDER_MAX + 1, DROP_NONE},
    {-1, DROP_NONE},
    {0, DROP_DUPLICATE},
};

START_TEST(bounds)
{
    static const uint16_t firsts[] = {0, 1, 1499, 1500, 3000, 32768, 62535, 62536, 65534, 65535};
    for (size_t i = 0; i < ARRAY_N(firsts); i++) {
        begin(firsts[i]);
        uint32_t first_ext = seq_ext;
        ck_assert_int_eq(receive(firsts[i] + (uint32_t)offsets[_i].offset), offsets[_i].why);
        if (offsets[_i].why == DROP_NONE)
            ck_assert_uint_eq(seq_ext, first_ext + (uint32_t)offsets[_i].offset);
        ck_assert(!restarted);
    }
}

END_TEST

START_TEST(two_bad_numbers_are_a_restart)
{
    static const uint16_t agains[] = {40000, 65534, 65535, 0}; /* the pair itself wraps, too */
    begin(20000);
    ck_assert_int_eq(receive(20001), DROP_NONE);
    uint32_t before = seq_ext;
    ck_assert_int_eq(receive(agains[_i]), DROP_SEQ_INVALID);
    ck_assert(!restarted);
    ck_assert_int_eq(receive(agains[_i] + 1u), DROP_NONE);
    ck_assert(restarted);
    ck_assert_uint_eq((uint16_t)seq_ext, (uint16_t)(agains[_i] + 1));
    ck_assert(ts_diff(seq_ext, before) > SOURCE_MISORDER_MAX); /* late ones stay above, too */
    ck_assert_uint_eq(source.restarts, 1);

    ck_assert_int_eq(receive(agains[_i]),
                     DROP_NONE); /* the first of the pair, in order after all */
    ck_assert(!restarted);
    ck_assert(ts_diff(seq_ext, before) > 0);
    ck_assert_int_eq(receive(agains[_i] + 2u), DROP_NONE);
    struct source_report report;
    source_take_report(&source, &report);
    /* Cycles start anew. */
    ck_assert_uint_eq(report.seq_max, (uint32_t)(uint16_t)(agains[_i] + 1) + 1);
    ck_assert_uint_eq(report.expected, 2);
    ck_assert_int_eq(report.lost_total, 0);
}

END_TEST

START_TEST(lone_bad_numbers_change_nothing)
{
    begin(100);
    for (uint16_t i = 0; i < 1000; i++) {
        ck_assert_int_eq(receive(101u + i), DROP_NONE);
        ck_assert_int_eq(receive(40000u + i), DROP_SEQ_INVALID); /* consecutive, but not in a row */
    }
    ck_assert_uint_eq(source.restarts, 0);
    ck_assert_int_eq(receive(50000), DROP_SEQ_INVALID);
    ck_assert_int_eq(receive(50002), DROP_SEQ_INVALID);
    ck_assert_int_eq(receive(50003), DROP_NONE);
    ck_assert(restarted);
}

END_TEST

/* Seeded reordering, duplicates and loss over several wraps against a plain array of what came. */
START_TEST(duplicates_and_loss_against_a_model)
{
    enum { SENT = 200000 };

    static uint8_t came[SENT];
    memset(came, 0, sizeof(came));
    struct random random = {.state = 0x5eed + (uint64_t)_i};
    begin(65000);
    came[0] = 1;
    uint32_t got = 1, duplicates = 0, newest = 0;
    for (uint32_t i = 1; i < SENT; i++) {
        uint32_t pick = random_below(&random, 100);
        if (pick < 10)
            continue; /* lost, or to come late below */
        uint32_t n = pick < 20 && i > 1400 ? i - random_below(&random, 1000) : i;
        if (pick == 99)
            n = newest; /* again */
        enum drop why = receive(65000 + n);
        if (why != (came[n] ? DROP_DUPLICATE : DROP_NONE) || seq_ext != 0x10000 + 65000 + n)
            ck_abort_msg("number %u: %d, %u", n, why, seq_ext);
        duplicates += came[n];
        got += !came[n];
        came[n] = 1;
        newest = n > newest ? n : newest;
    }
    ck_assert_uint_gt(duplicates, 1000);
    ck_assert_uint_eq(source.duplicates, duplicates);
    struct source_report report;
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.expected, newest + 1);
    ck_assert_uint_eq(report.received, got);
    ck_assert_int_eq(report.lost_total, (int32_t)(newest + 1 - got));
    ck_assert_uint_eq(report.fraction_lost, (newest + 1 - got) * 256 / (newest + 1));
}

END_TEST

/* A jump past the whole memory of duplicates leaves nothing of the old numbers behind. */
START_TEST(memory_of_duplicates_is_emptied_by_jumps)
{
    begin(0);
    for (uint32_t i = 1; i < 5000; i++)
        ck_assert_int_eq(receive(i), DROP_NONE);
    static const uint32_t steps[] = {1, 31, 32, 33, 2047, 2048, 2049, 2999};
    uint32_t at = 4999;
    for (size_t i = 0; i < ARRAY_N(steps); i++) {
        uint32_t before = at;
        at += steps[i];
        ck_assert_int_eq(receive(at), DROP_NONE);
        for (uint32_t n = at - 1; n > before && n > at - SOURCE_MISORDER_MAX; n--)
            ck_assert_int_eq(receive(n), DROP_NONE); /* none of them came before */
        for (uint32_t n = at; n > before && n > at - SOURCE_MISORDER_MAX; n--)
            ck_assert_int_eq(receive(n), DROP_DUPLICATE);
        if (steps[i] < SOURCE_MISORDER_MAX)
            ck_assert_int_eq(receive(before), DROP_DUPLICATE); /* still remembered */
    }
}

END_TEST

START_TEST(thirty_two_bit_wrap)
{
    begin(5);
    source.seq_max = 0xfffffff0; /* after days */
    source.seq_base = 0xfffffff0;
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_int_eq(receive(0xfff1 + i), DROP_NONE);
        ck_assert_uint_eq(seq_ext, 0xfffffff1 + i);
    }
    struct source_report report;
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.expected, 101);
    ck_assert_uint_eq(report.received, 101);
    ck_assert_int_eq(report.lost_total, 0);
    ck_assert_int_eq(receive(65535), DROP_DUPLICATE);
    ck_assert_int_eq(receive(30000), DROP_SEQ_INVALID);
    ck_assert_int_eq(receive(30001), DROP_NONE);
    ck_assert(restarted);
    ck_assert_uint_eq(seq_ext, 0x20000 + 30001);
}

END_TEST

START_TEST(fraction_is_of_the_interval)
{
    begin(0);
    struct source_report report;
    for (uint32_t i = 1; i < 256; i++)
        if (i % 4 != 0)
            receive(i);
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.fraction_lost,
                      63); /* 63 of 256: 0 came, the other fourth ones did not */
    ck_assert_int_eq(report.lost_total, 63);

    for (uint32_t i = 256; i < 512; i++)
        receive(i);
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.fraction_lost, 0);
    ck_assert_int_eq(report.lost_total, 63);

    for (uint32_t i = 4; i < 256; i += 4)
        receive(i); /* late: more received than expected in this interval */
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.expected, 0);
    ck_assert_uint_eq(report.received, 63);
    ck_assert_uint_eq(report.fraction_lost, 0);
    ck_assert_int_eq(report.lost_total, 0);

    source_take_report(&source, &report);
    ck_assert_uint_eq(report.received, 0);
}

END_TEST

START_TEST(lost_total_is_24_bits)
{
    begin(0);
    uint32_t at = 0;
    for (int i = 0; i < 3000; i++)
        receive(at += 2999);
    struct source_report report;
    source_take_report(&source, &report);
    ck_assert_int_eq(report.lost_total, 0x7fffff);
    ck_assert_uint_eq(report.fraction_lost, 255);
    source_init(&source, 1, CLOCK);
    source_take_report(&source, &report); /* nothing has come yet */
    ck_assert_uint_eq(report.expected, 0);
}

END_TEST

START_TEST(recovered_packets)
{
    source_init(&source, 1, CLOCK);
    ck_assert_int_eq(source_recover(&source, 10, 100, &seq_ext),
                     DROP_SEQ_INVALID); /* never a start */
    begin(10);
    receive(13);
    ck_assert_int_eq(source_recover(&source, 11, 100, &seq_ext), DROP_NONE);
    ck_assert_uint_eq(seq_ext, 0x1000b);
    ck_assert_int_eq(source_recover(&source, 11, 100, &seq_ext), DROP_DUPLICATE);
    ck_assert_int_eq(receive(11), DROP_DUPLICATE);
    ck_assert_int_eq(source_recover(&source, 15, 100, &seq_ext), DROP_NONE); /* not seen before */
    ck_assert_uint_eq(source.seq_max, 0x1000f);
    ck_assert_int_eq(source_recover(&source, 40000, 100, &seq_ext), DROP_SEQ_INVALID);
    ck_assert_int_eq(source_recover(&source, 40001, 100, &seq_ext),
                     DROP_SEQ_INVALID); /* never a restart */
    ck_assert_uint_eq(source.restarts, 0);

    struct source_report report;
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.expected, 6);
    ck_assert_uint_eq(report.received, 2);
    ck_assert_uint_eq(report.repaired, 2);
    ck_assert_uint_eq(report.retransmitted, 3);
    ck_assert_int_eq(report.lost_total, 4); /* what the network did */
    source_take_report(&source, &report);
    ck_assert_uint_eq(report.repaired + report.retransmitted, 0);
}

END_TEST

START_TEST(plain_resends)
{
    begin(10);
    receive(12);
    ck_assert_int_eq(receive(11), DROP_NONE);
    source_repaired(&source, true);
    ck_assert_int_eq(receive(11), DROP_DUPLICATE);
    source_repaired(&source, false);
    struct source_report report;
    source_take_report(&source, &report);
    ck_assert_int_eq(report.lost_total, 0); /* RFC 3550 6.4.1: late is not lost */
    ck_assert_uint_eq(report.expected, 3);
    ck_assert_uint_eq(report.received, 2); /* but the score knows */
    ck_assert_uint_eq(report.repaired, 1);
    ck_assert_uint_eq(report.retransmitted, 2);
}

END_TEST

/* A constant difference `jitter_us` between neighbours converges to it: (|D| - J) / 16 each. */
static uint32_t jitter_after(uint32_t clock_rate, int64_t start_us, uint32_t rtp_ts,
                             int64_t step_us, int64_t jitter_us)
{
    source_init(&source, 1, clock_rate);
    for (int64_t i = 0; i < 2000; i++) {
        int64_t arrived_us = start_us + i * step_us + (i % 2 ? jitter_us : 0);
        uint32_t ts = rtp_ts + (uint32_t)(i * step_us * clock_rate / 1000000);
        if (source_receive(&source, (uint16_t)i, ts, 100, arrived_us, &seq_ext, &restarted))
            ck_abort_msg("packet %d was dropped", (int)i);
    }
    return source_jitter(&source);
}

START_TEST(jitter)
{
    static const uint32_t rates[] = {8000, 48000, 90000, 384000};
    static const int64_t starts_us[] = {0, 47721858844, 86400LL * 400 * 1000000 - 7, INT64_MAX / 4};
    uint32_t rate = rates[_i];
    for (size_t i = 0; i < ARRAY_N(starts_us); i++)
        for (uint32_t ts = 0; ts < 4; ts++) {
            /* Timestamps wrap within the run, and differ from the arrival clock by anything. */
            uint32_t rtp_ts = ts * 0x40000000 - 10 * rate;
            ck_assert_uint_le(jitter_after(rate, starts_us[i], rtp_ts, 20 * MS, 0), 1);
            uint32_t got = jitter_after(rate, starts_us[i], rtp_ts, 20 * MS, 8 * MS);
            uint32_t want = rate * 8 / 1000;
            ck_assert_uint_ge(got + 2, want);
            ck_assert_uint_le(got, want + 2);
        }
}

END_TEST

START_TEST(new_clock_is_not_jitter)
{
    ck_assert_uint_le(jitter_after(CLOCK, 1000, 0, 20 * MS, 0), 1);
    source_receive(&source, 2000, 0x80000000, 100, 40000 * MS, &seq_ext, &restarted);
    source_receive(&source, 2001, 0x80000000 + 1800, 100, 40020 * MS, &seq_ext, &restarted);
    ck_assert_uint_le(source_jitter(&source), 1);
    source_init(&source, 1, 0); /* unknown clock */
    source_receive(&source, 1, 1, 100, 1, &seq_ext, &restarted);
    source_receive(&source, 2, 77777, 100, 99, &seq_ext, &restarted);
    ck_assert_uint_eq(source_jitter(&source), 0);
}

END_TEST

START_TEST(newest_packet_and_rate)
{
    source_init(&source, 1, CLOCK);
    source_receive(&source, 1, 100, 1000, 1000000, &seq_ext, &restarted);
    source_receive(&source, 3, 300, 1000, 1000010, &seq_ext, &restarted);
    source_receive(&source, 2, 200, 1000, 1000020, &seq_ext, &restarted);
    ck_assert_uint_eq(source.rtp_ts_max, 300);
    ck_assert_int_eq(source.arrived_us, 1000010);
    ck_assert_uint_eq(source.packets, 3);
    source_receive(&source, 2, 200, 1000, 1000030, &seq_ext, &restarted);
    ck_assert_uint_eq(source.packets, 3);
    ck_assert_uint_eq(source.bytes, 3000);
}

END_TEST

Suite *rtp_source_suite(void)
{
    Suite *suite = suite_create("rtp/source");
    TCase *tc = tcase_create("source");
    tcase_add_test(tc, extends_over_many_wraps);
    tcase_add_test(tc, goes_back_below_the_first);
    tcase_add_loop_test(tc, bounds, 0, (int)ARRAY_N(offsets));
    tcase_add_loop_test(tc, two_bad_numbers_are_a_restart, 0, 4);
    tcase_add_test(tc, lone_bad_numbers_change_nothing);
    tcase_add_loop_test(tc, duplicates_and_loss_against_a_model, 0, 3);
    tcase_add_test(tc, memory_of_duplicates_is_emptied_by_jumps);
    tcase_add_test(tc, thirty_two_bit_wrap);
    tcase_add_test(tc, fraction_is_of_the_interval);
    tcase_add_test(tc, lost_total_is_24_bits);
    tcase_add_test(tc, recovered_packets);
    tcase_add_test(tc, plain_resends);
    tcase_add_loop_test(tc, jitter, 0, 4);
    tcase_add_test(tc, new_clock_is_not_jitter);
    tcase_add_test(tc, newest_packet_and_rate);
    suite_add_tcase(suite, tc);
    return suite;
}
