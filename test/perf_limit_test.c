/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_limit_test.c - the limit makes the run lengths that it is asked for. */
#include "perf/limit.h"
#include "test/suite.h"

static const struct {
    uint32_t packets_n;
    double run, mean; /* asked for, and what is possible */
} rows[] = {
    {7, 7, 7},  {7, 3.5, 3.5}, {7, 3.3, 3.3}, {7, 1, 1},    {7, 6.9, 6.9},
    {7, 20, 7}, {1, 1, 1},     {1, 5, 1},     {14, 10, 10}, {48, 48, 48},
};

START_TEST(makes_the_mean)
{
    uint32_t rest_q8 = 0;
    uint64_t sends = 0;
    uint32_t wrong = 0;
    for (int i = 0; i < 10000; i++) {
        uint32_t n = limit_sends(rows[_i].packets_n, (uint32_t)(rows[_i].run * 256), &rest_q8);
        wrong += n < 1 || n > rows[_i].packets_n;
        sends += n;
    }
    double mean = 10000.0 * rows[_i].packets_n / (double)sends;
    ck_assert_uint_eq(wrong, 0);
    ck_assert_double_eq_tol(mean, rows[_i].mean, 0.02 * rows[_i].mean);
}

END_TEST

Suite *perf_limit_suite(void)
{
    Suite *suite = suite_create("perf_limit");
    TCase *tcase = tcase_create("runs");
    tcase_add_loop_test(tcase, makes_the_mean, 0, ARRAY_N(rows));
    suite_add_tcase(suite, tcase);
    return suite;
}
