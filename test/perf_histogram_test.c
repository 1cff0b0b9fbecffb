/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_histogram_test.c - quantiles against exact ones. */
#include "perf/histogram.h"
#include "test/suite.h"

START_TEST(is_within_a_bucket_of_the_exact_value)
{
    static struct histogram histogram;
    uint32_t wrong = 0;
    histogram = (struct histogram){0};
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&histogram, i * 1000);
    for (int percent = 1; percent < 100; percent++) {
        double exact = percent * 1e6;
        double got = (double)histogram_quantile(&histogram, percent / 100.0);
        wrong += got < exact || got > exact * (1 + 1.0 / 16);
    }
    ck_assert_uint_eq(wrong, 0);
}

END_TEST

START_TEST(keeps_small_values_exact)
{
    static struct histogram histogram;
    histogram = (struct histogram){0};
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t i = 0; i < 32; i++)
        histogram_add(&histogram, i);
    ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 16);
    ck_assert_uint_eq(histogram_quantile(&histogram, 1), 31);
}

END_TEST

START_TEST(takes_any_value_and_merges)
{
    static struct histogram a, b;
    a = b = (struct histogram){0};
    histogram_add(&a, 0);
    histogram_add(&b, UINT64_MAX);
    histogram_merge(&a, &b);
    ck_assert_uint_eq(a.n, 2);
    ck_assert_uint_eq(histogram_quantile(&a, 0.1), 0);
    ck_assert_uint_eq(histogram_quantile(&a, 1), UINT64_MAX);
}

END_TEST

Suite *perf_histogram_suite(void)
{
    Suite *suite = suite_create("perf_histogram");
    TCase *tcase = tcase_create("quantiles");
    tcase_add_test(tcase, is_within_a_bucket_of_the_exact_value);
    tcase_add_test(tcase, keeps_small_values_exact);
    tcase_add_test(tcase, takes_any_value_and_merges);
    suite_add_tcase(suite, tcase);
    return suite;
}
