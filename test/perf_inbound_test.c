/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_inbound_test.c - what a receiver counts: firsts, resends, gaps. */
#include "perf/inbound.h"
#include "test/suite.h"

enum { BYTES = 100, SSRC = 0x1234 };

static struct inbound in;
static struct shared_figures figures;

static void setup(void)
{
    memset(&figures, 0, sizeof figures);
    inbound_init(&in, SSRC, 90000, true);
}

static void media(uint16_t seq, bool thrown)
{
    uint8_t data[BYTES] = {0x80, 96};
    put_be16(data + 2, seq);
    put_be32(data + 8, SSRC);
    inbound_media(&in, &figures, data, sizeof data, thrown, 1000000 + seq);
}

static void rtx(uint16_t seq)
{
    uint8_t data[BYTES] = {0x80, 97};
    put_be16(data + 12, seq);
    inbound_rtx(&in, &figures, data, sizeof data, 1000000 + seq);
}

static uint64_t gaps(void)
{
    return figures.spanned - figures.received - figures.recovered;
}

START_TEST(counts_over_the_wrap)
{
    for (uint32_t i = 0; i < 100; i++)
        media((uint16_t)(65500 + i), false);
    ck_assert_uint_eq(figures.received, 100);
    ck_assert_uint_eq(figures.spanned, 100);
    ck_assert_uint_eq(figures.bytes, 100 * BYTES);
    media(10, false); /* a second time */
    ck_assert_uint_eq(figures.received, 100);
    ck_assert_uint_eq(figures.nack_late, 1);
}

END_TEST

START_TEST(sees_gaps)
{
    media(5, false);
    media(6, false);
    media(9, false);
    ck_assert_uint_eq(gaps(), 2);
    media(8, false); /* only late */
    ck_assert_uint_eq(gaps(), 1);
    ck_assert_uint_eq(figures.received, 4);
}

END_TEST

/* Thrown away, then there by RTX or as a plain resend; the same again is of no use. */
START_TEST(recovers)
{
    media(1, false);
    media(2, true);
    media(3, true);
    media(4, false);
    ck_assert_uint_eq(figures.lost_on_wire, 2);
    ck_assert_uint_eq(gaps(), 2);
    ck_assert_int_ne(nack_due_us(&in.list), INT64_MAX);
    rtx(2);
    media(3, true); /* the resend is lost, too */
    ck_assert_uint_eq(figures.recovered, 1);
    media(3, false);
    ck_assert_uint_eq(figures.recovered, 2);
    ck_assert_uint_eq(figures.recovered_thrown, 2);
    ck_assert_uint_eq(figures.nack_served, 2);
    ck_assert_uint_eq(gaps(), 0);
    ck_assert_uint_eq(figures.nack_late, 0);
    rtx(2);
    ck_assert_uint_eq(figures.nack_late, 1);
    ck_assert_uint_eq(figures.recovered, 2);
    ck_assert_int_eq(nack_due_us(&in.list), INT64_MAX);
}

END_TEST

/* What was lost before it came here is asked for until a resend is there; should it come after all,
 * it is of no use. */
START_TEST(recovers_what_never_came)
{
    media(1, false);
    media(3, false);
    ck_assert_int_ne(nack_due_us(&in.list), INT64_MAX);
    rtx(2);
    ck_assert_uint_eq(figures.recovered, 1);
    ck_assert_uint_eq(figures.recovered_thrown, 0);
    ck_assert_uint_eq(gaps(), 0);
    ck_assert_int_eq(nack_due_us(&in.list), INT64_MAX);
    media(2, false);
    rtx(3);
    rtx(4); /* not known to be missing */
    ck_assert_uint_eq(figures.nack_late, 3);
    ck_assert_uint_eq(figures.received, 2);
    ck_assert_uint_eq(gaps(), 0);
}

END_TEST

START_TEST(settles_what_leaves_the_window)
{
    media(1, false);
    media(2, true);
    for (uint32_t i = 3; i < 3 + INBOUND_WINDOW; i++)
        media((uint16_t)i, false);
    rtx(2);
    ck_assert_uint_eq(figures.recovered, 0);
    ck_assert_uint_eq(figures.nack_late, 1);
    ck_assert_uint_eq(gaps(), 1);
}

END_TEST

START_TEST(begins_with_one_that_came)
{
    media(1, true);
    rtx(1);
    ck_assert_uint_eq(figures.lost_on_wire + figures.nack_served + figures.spanned, 0);
    media(2, false);
    ck_assert_uint_eq(figures.spanned, 1);
}

END_TEST

Suite *perf_inbound_suite(void)
{
    Suite *suite = suite_create("perf_inbound");
    TCase *tcase = tcase_create("streams");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, counts_over_the_wrap);
    tcase_add_test(tcase, sees_gaps);
    tcase_add_test(tcase, recovers);
    tcase_add_test(tcase, recovers_what_never_came);
    tcase_add_test(tcase, settles_what_leaves_the_window);
    tcase_add_test(tcase, begins_with_one_that_came);
    suite_add_tcase(suite, tcase);
    return suite;
}
