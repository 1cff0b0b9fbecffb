/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_report_test.c - what is not known is null, what is known is a number. */
#include "perf/report.h"
#include "test/suite.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

START_TEST(writes_null_for_the_unknown)
{
    struct options options = {.scenario = "fanout", .suite = SEAL_NONE};
    struct report report;
    char path[] = "/tmp/sluice-test-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    options.json = path;
    report_init(&report, &options);
    report.forwarded = 700;
    report.ratio_same_runs = 1.25;
    ck_assert(report_write(&report));
    json_t *read = json_load_file(path, 0, NULL);
    unlink(path);
    ck_assert_str_eq(json_string_value(json_object_get(read, "schema")), REPORT_SCHEMA);
    ck_assert_str_eq(json_string_value(json_object_get(read, "srtp")), "none");
    ck_assert(json_is_null(json_object_get(read, "syscalls_per_forward")));
    ck_assert(json_is_null(json_object_get(read, "lost")));
    ck_assert_int_eq(json_integer_value(json_object_get(read, "forwarded")), 700);
    ck_assert_double_eq(json_real_value(json_object_get(read, "ratio_same_runs")), 1.25);
    json_decref(read);
}

END_TEST

START_TEST(a_storm_has_figures_of_its_own)
{
    struct options options = {.scenario = "storm", .suite = SEAL_NONE, .dtls = DTLS_VERSION_1_2};
    struct report report;
    char path[] = "/tmp/sluice-test-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    options.json = path;
    report_init(&report, &options);
    report.storm.joins = 500;
    report.storm.join_p99_ms = 12.5;
    ck_assert(report_write(&report));
    json_t *read = json_load_file(path, 0, NULL);
    unlink(path);
    ck_assert_int_eq(json_integer_value(json_object_get(read, "joins")), 500);
    ck_assert_double_eq(json_real_value(json_object_get(read, "join_p99_ms")), 12.5);
    ck_assert(json_is_null(json_object_get(read, "lost")));
    ck_assert_ptr_null(json_object_get(read, "ratio_same_runs"));
    ck_assert_str_eq(json_string_value(json_object_get(read, "dtls")), "1.2");
    json_decref(read);
}

END_TEST

START_TEST(tells_workers_and_drops)
{
    struct options options = {.scenario = "room", .shape = OPTIONS_ROOM, .audio = true};
    struct report report;
    char path[] = "/tmp/sluice-test-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    options.json = path;
    report_init(&report, &options);
    report.workers_known = 2;
    report.workers[1] = (struct report_worker){.forwarded = 7, .cpu_ns_per_packet = NAN};
    report.drops = json_pack("{s:i}", "paused", 3);
    ck_assert(report_write(&report));
    ck_assert_ptr_null(report.drops);
    json_t *read = json_load_file(path, 0, NULL);
    unlink(path);
    json_t *worker = json_array_get(json_object_get(read, "workers"), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(worker, "index")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(worker, "forwarded")), 7);
    ck_assert(json_is_null(json_object_get(worker, "cpu_ns_per_packet")));
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(read, "drops"), "paused")),
                     3);
    ck_assert(json_is_true(json_object_get(read, "audio")));
    ck_assert(json_is_null(json_object_get(read, "transit_audio_p50_us")));
    ck_assert_ptr_null(json_object_get(read, "viewers"));
    json_decref(read);
}

END_TEST

START_TEST(finds_the_median)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2};
    ck_assert_double_eq(report_median(odd, 3), 3);
    ck_assert_double_eq(report_median(even, 4), 2.5);
    ck_assert_double_eq(odd[0], 1); /* sorted */
    ck_assert(isnan(report_median(odd, 0)));
}

END_TEST

Suite *perf_report_suite(void)
{
    Suite *suite = suite_create("perf_report");
    TCase *tcase = tcase_create("report");
    tcase_add_test(tcase, writes_null_for_the_unknown);
    tcase_add_test(tcase, a_storm_has_figures_of_its_own);
    tcase_add_test(tcase, tells_workers_and_drops);
    tcase_add_test(tcase, finds_the_median);
    suite_add_tcase(suite, tcase);
    return suite;
}
