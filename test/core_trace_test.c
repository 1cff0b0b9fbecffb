/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_trace_test.c - the trace ring: what is in an event, and that it keeps the last ones. */
#include "core/trace.h"
#include "test/suite.h"

#include <stdlib.h>

static struct trace trace;

START_TEST(an_event_keeps_its_numbers)
{
    trace = (struct trace){0};
    trace_add(&trace, INT64_C(0x123456789a), TRACE_NACK_IN, 7, UINT32_MAX);
    ck_assert_uint_eq(trace.n, 1);
    ck_assert_uint_eq(trace.events[0].at_us, 0x3456789a);
    ck_assert_uint_eq(trace.events[0].kind, TRACE_NACK_IN);
    ck_assert_uint_eq(trace.events[0].a, 7);
    ck_assert_uint_eq(trace.events[0].b, UINT32_MAX);
}

END_TEST

START_TEST(the_ring_keeps_the_last_events)
{
    enum { EXTRA = 10 };

    trace = (struct trace){0};
    for (uint32_t i = 0; i < TRACE_EVENTS + EXTRA; i++)
        trace_add(&trace, i, TRACE_TURN, i, 0);
    ck_assert_uint_eq(trace.n, TRACE_EVENTS + EXTRA);
    for (uint32_t i = EXTRA; i < TRACE_EVENTS + EXTRA; i++)
        ck_assert_uint_eq(trace.events[i % TRACE_EVENTS].a, i);
}

END_TEST

START_TEST(the_ring_goes_on_when_its_count_wraps)
{
    trace = (struct trace){.n = UINT32_MAX};
    trace_add(&trace, 1, TRACE_TURN, 1, 0);
    trace_add(&trace, 2, TRACE_TURN, 2, 0);
    ck_assert_uint_eq(trace.n, 1);
    ck_assert_uint_eq(trace.events[TRACE_EVENTS - 1].a, 1);
    ck_assert_uint_eq(trace.events[0].a, 2);
}

END_TEST

START_TEST(every_kind_has_a_name_of_its_own)
{
    for (int i = 0; i < TRACE_N; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(trace_name((enum trace_kind)i), trace_name((enum trace_kind)j));
    ck_assert_str_eq(trace_name(TRACE_STREAM_RESET), "stream_reset");
    ck_assert_str_eq(trace_name(TRACE_N), "?");
}

END_TEST

Suite *core_trace_suite(void)
{
    Suite *suite = suite_create("core/trace");
    TCase *tcase = tcase_create("trace");
    tcase_add_test(tcase, an_event_keeps_its_numbers);
    tcase_add_test(tcase, the_ring_keeps_the_last_events);
    tcase_add_test(tcase, the_ring_goes_on_when_its_count_wraps);
    tcase_add_test(tcase, every_kind_has_a_name_of_its_own);
    suite_add_tcase(suite, tcase);
    return suite;
}
