/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_egress_test.c - how the packets of a group become runs. */
#include "perf/egress.h"
#include "test/suite.h"

/* Groups, and the lengths of their runs; the sums are the group's. */
static const struct {
    struct egress_group group;
    uint32_t run_max, pad_max;
    uint32_t runs[4];
    uint16_t segments[4];
} rows[] = {
    {{{100, 100, 100}, 3}, 1, 8, {1, 1, 1}, {100, 100, 100}},
    {{{100, 100, 100}, 3}, 2, 8, {2, 1}, {100, 100}},
    {{{100, 100, 100}, 3}, 16, 0, {3}, {100}},
    /* the last may be shorter, whatever the padding */
    {{{100, 100, 40, 100}, 4}, 16, 0, {3, 1}, {100, 100}},
    {{{100, 40, 40, 40}, 4}, 16, 8, {2, 2}, {100, 40}},
    /* a frame as libwebrtc cuts it */
    {{{1099, 1099, 1100, 1100}, 4}, 16, 0, {2, 2}, {1099, 1100}},
    {{{1099, 1099, 1100, 1100}, 4}, 16, 1, {4}, {1100}},
    /* as far as the padding goes: from the smallest to the longest */
    {{{100, 104, 108, 109}, 4}, 16, 8, {3, 1}, {108, 109}},
    {{{104, 100, 108, 109}, 4}, 16, 8, {3, 1}, {108, 109}},
    {{{104, 95, 104}, 3}, 16, 8, {2, 1}, {104, 104}},
    {{{104, 95, 104}, 3}, 16, 9, {3}, {104}},
};

START_TEST(cuts_a_group_into_runs)
{
    uint32_t at = 0;
    for (size_t i = 0; at < rows[_i].group.n; i++) {
        uint16_t segment = 0;
        ck_assert_uint_lt(i, ARRAY_N(rows[_i].runs));
        uint32_t n = egress_run(&rows[_i].group, at, rows[_i].run_max, rows[_i].pad_max, &segment);
        ck_assert_uint_eq(n, rows[_i].runs[i]);
        ck_assert_uint_eq(segment, rows[_i].segments[i]);
        at += n;
    }
    ck_assert_uint_eq(at, rows[_i].group.n);
}

END_TEST

Suite *perf_egress_suite(void)
{
    Suite *suite = suite_create("perf_egress");
    TCase *tcase = tcase_create("runs");
    tcase_add_loop_test(tcase, cuts_a_group_into_runs, 0, ARRAY_N(rows));
    suite_add_tcase(suite, tcase);
    return suite;
}
