/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_targets_test.c - rows of figures that are made up: values, spreads, verdicts, texts;
 * and the table itself, whose scenes and figures there must be. */
#include "perf/targets.h"

#include "perf/plan.h"
#include "test/suite.h"

#include <math.h>
#include <stdlib.h>

static const json_t *row(const json_t *rows, const char *id)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)(uintptr_t)rows, i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "id")), id) == 0)
            return one;
    }
    ck_abort_msg("no row %s", id);
    return NULL;
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static double number(const json_t *object, const char *key)
{
    ck_assert(json_is_number(json_object_get(object, key)));
    return json_number_value(json_object_get(object, key));
}

/* A scene whose runs are the objects of a list. */
static void add(json_t *scenes, const char *name, const char *runs)
{
    json_t *list = json_loads(runs, 0, NULL);
    ck_assert(json_is_array(list));
    json_array_append_new(scenes, json_pack("{s:s, s:s, s:n, s:o}", "name", name, "command",
                                            "sluice-perf it", "note", "runs", list));
}

static json_t *evaluate(json_t *scenes)
{
    json_t *baseline = json_pack("{s:{s:s}}", "figures", "syscalls", "1.036");
    json_t *rows = targets_evaluate(scenes, baseline, false);
    json_decref(baseline);
    json_decref(scenes);
    ck_assert_uint_eq(json_array_size(rows), targets_n);
    return rows;
}

START_TEST(tells_reached_from_missed)
{
    json_t *scenes = json_array();
    add(scenes, "fanout-100", "[{\"ratio_same_runs\": 1.25, \"ratio_best_runs\": 1.51}]");
    add(scenes, "single-100",
        "[{\"syscalls_per_forward\": 0.0123, \"heap_calls_per_forward\": 0}]");
    add(scenes, "room-50-together", "[{\"packets_per_send\": 4.99}]");
    add(scenes, "saturate-single", "[{\"pps_per_core\": 270000}]");
    json_t *rows = evaluate(scenes);
    ck_assert_str_eq(text(row(rows, "cpu-same"), "verdict"), "reached");
    ck_assert(json_is_true(json_object_get(row(rows, "cpu-same"), "reached")));
    ck_assert_str_eq(text(row(rows, "cpu-best"), "verdict"), "missed");
    ck_assert(json_is_false(json_object_get(row(rows, "cpu-best"), "reached")));
    ck_assert_str_eq(text(row(rows, "heap"), "verdict"), "reached");
    ck_assert_str_eq(text(row(rows, "room-runs"), "verdict"), "missed");
    ck_assert_str_eq(text(row(rows, "rate-single"), "verdict"), "reached");
    ck_assert_str_eq(text(row(rows, "rate-single"), "measured"), "270,000 packets/s");
    ck_assert_str_eq(text(row(rows, "rate-single"), "target"), ">= 270,000 packets/s");
    ck_assert_str_eq(text(row(rows, "syscalls"), "mediasoup"), "1.036");
    ck_assert_str_eq(text(row(rows, "syscalls"), "measured"), "0.0123");
    ck_assert(json_is_null(json_object_get(row(rows, "heap"), "mediasoup")));
    json_decref(rows);
}

END_TEST

START_TEST(a_spread_around_the_bound_is_neither)
{
    json_t *scenes = json_array();
    add(scenes, "fanout-100",
        "[{\"ratio_same_runs\": 1.2, \"ratio_same_runs_min\": 1.1, \"ratio_same_runs_max\": 1.3,"
        "  \"ratio_best_runs\": 1.2, \"ratio_best_runs_min\": 1.1, \"ratio_best_runs_max\": 1.3}]");
    add(scenes, "transit-50k",
        "[{\"transit_p50_us\": 600, \"transit_p99_us\": 900},"
        " {\"transit_p50_us\": 400, \"transit_p99_us\": 2000},"
        " {\"transit_p50_us\": 300, \"transit_p99_us\": 1900}]");
    json_t *rows = evaluate(scenes);
    ck_assert_str_eq(text(row(rows, "cpu-same"), "verdict"), "open");
    ck_assert(json_is_null(json_object_get(row(rows, "cpu-same"), "reached")));
    ck_assert_str_eq(text(row(rows, "cpu-same"), "measured"), "1.20 x (1.10 to 1.30)");
    ck_assert_str_eq(text(row(rows, "cpu-best"), "verdict"), "reached");
    const json_t *p50 = row(rows, "transit-50k-p50");
    ck_assert_str_eq(text(p50, "verdict"), "open");
    ck_assert_double_eq_tol(number(p50, "value"), 0.4, 1e-9);
    ck_assert_double_eq_tol(number(p50, "low"), 0.3, 1e-9);
    ck_assert_double_eq_tol(number(p50, "high"), 0.6, 1e-9);
    ck_assert_double_eq(number(p50, "runs"), 3);
    ck_assert_str_eq(text(row(rows, "transit-50k-p99"), "measured"), "1.90 ms (0.90 to 2)");
    json_decref(rows);
}

END_TEST

START_TEST(computes_growth_slope_and_ratio)
{
    json_t *scenes = json_array();
    add(scenes, "memory-100",
        "[{\"consumers\": 100, \"mem_steady_bytes\": 1048576, \"mem_idle_bytes\": 2097152}]");
    add(scenes, "memory-300", "[{\"consumers\": 300, \"mem_steady_bytes\": 1867776}]");
    add(scenes, "idle-13-100", "[{\"peers\": 100, \"mem_joined_bytes\": 2000000}]");
    add(scenes, "idle-13-300", "[{\"peers\": 300, \"mem_joined_bytes\": 4048000}]");
    add(scenes, "idle-13-1000", "[{\"peers\": 1000, \"mem_joined_bytes\": 11216000}]");
    add(scenes, "added-98",
        "[{\"consumers\": 98, \"mem_setup_bytes\": 1100352,"
        "  \"mem_transports_bytes\": 1000000}]");
    add(scenes, "added-294",
        "[{\"consumers\": 294, \"mem_setup_bytes\": 1401056,"
        "  \"mem_transports_bytes\": 1100000}]");
    add(scenes, "added-980",
        "[{\"consumers\": 980, \"mem_setup_bytes\": 2303520,"
        "  \"mem_transports_bytes\": 1300000}]");
    add(scenes, "room-50",
        "[{\"cpu_ns_per_forward\": 2000, \"mem_idle_bytes\": 1000000,"
        "  \"mem_steady_bytes\": 8000000, \"mem_after_close_bytes\": 2048576}]");
    add(scenes, "room-50-workers", "[{\"cpu_ns_per_forward\": 2400}]");
    json_t *rows = evaluate(scenes);
    ck_assert_double_eq_tol(number(row(rows, "memory-consumer"), "value"), 4, 1e-9);
    ck_assert_str_eq(text(row(rows, "memory-consumer"), "verdict"), "reached");
    ck_assert_uint_eq(json_array_size(json_object_get(row(rows, "memory-consumer"), "commands")),
                      2);
    ck_assert_double_eq_tol(number(row(rows, "memory-idle-13"), "value"), 10, 1e-9);
    ck_assert_double_eq_tol(number(row(rows, "memory-added"), "value"), 1, 1e-9);
    ck_assert_double_eq_tol(number(row(rows, "memory-idle"), "value"), 2, 1e-9);
    ck_assert_double_eq_tol(number(row(rows, "memory-50"), "value"), 7, 1e-9);
    ck_assert_str_eq(text(row(rows, "memory-50"), "verdict"), "missed");
    ck_assert_double_eq_tol(number(row(rows, "memory-closed"), "value"), 1, 1e-9);
    ck_assert_str_eq(text(row(rows, "memory-closed"), "verdict"), "reached");
    ck_assert_double_eq_tol(number(row(rows, "room-workers"), "value"), 1.2, 1e-9);
    ck_assert_str_eq(text(row(rows, "room-workers"), "verdict"), "missed");
    json_decref(rows);
}

END_TEST

START_TEST(says_why_there_is_no_value)
{
    json_t *scenes = json_array();
    add(scenes, "memory-100", "[{\"consumers\": 100, \"mem_steady_bytes\": 1048576}]");
    add(scenes, "single-100", "[{\"syscalls_per_forward\": null}]");
    add(scenes, "churn", "[]");
    json_object_set_new(json_array_get(scenes, 2), "note", json_string("it failed: why"));
    json_t *rows = evaluate(scenes);
    static const char *const unmeasured[] = {"memory-consumer", "syscalls", "heap",        "churn",
                                             "cpu-same",        "soak",     "instructions"};
    for (size_t i = 0; i < ARRAY_N(unmeasured); i++) {
        const json_t *one = row(rows, unmeasured[i]);
        ck_assert_str_eq(text(one, "verdict"), "unmeasured");
        ck_assert(json_is_null(json_object_get(one, "reached")));
        ck_assert(json_is_null(json_object_get(one, "value")));
        ck_assert_str_eq(text(one, "measured"), "");
        ck_assert_uint_gt(strlen(text(one, "note")), 0);
    }
    ck_assert_str_eq(text(row(rows, "churn"), "note"), "it failed: why");
    json_decref(rows);
}

END_TEST

START_TEST(a_quick_run_has_no_verdict)
{
    json_t *scenes = json_array();
    add(scenes, "fanout-100", "[{\"ratio_same_runs\": 1}]");
    json_t *rows = targets_evaluate(scenes, NULL, true);
    const json_t *one = row(rows, "cpu-same");
    ck_assert_str_eq(text(one, "verdict"), "unmeasured");
    ck_assert_str_eq(text(one, "measured"), "1 x");
    ck_assert(json_is_null(json_object_get(one, "reached")));
    json_decref(rows);
    json_decref(scenes);
}

END_TEST

START_TEST(prints_its_rows_as_markdown)
{
    char *printed = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&printed, &bytes);
    json_t *scenes = json_array();
    add(scenes, "fanout-100", "[{\"ratio_same_runs\": 1.4, \"ratio_best_runs\": 1.4}]");
    json_t *rows = evaluate(scenes);
    targets_print_markdown(rows, file);
    fclose(file);
    ck_assert_ptr_nonnull(strstr(printed, "| what | mediasoup | target | measured | reached |\n"));
    ck_assert_ptr_nonnull(strstr(printed, "|  | <= 1.25 x | 1.40 x | **no** |\n"));
    ck_assert_ptr_nonnull(strstr(printed, "|  | <= 1.50 x | 1.40 x | yes |\n"));
    ck_assert_ptr_nonnull(strstr(printed, "| 1.036 | <= 0.05 | - | not measured |\n"));
    size_t lines = 0;
    for (const char *at = printed; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_uint_eq(lines, targets_n + 2);
    free(printed);
    json_decref(rows);
}

END_TEST

START_TEST(the_table_names_scenes_that_there_are)
{
    for (size_t i = 0; i < targets_n; i++) {
        const struct target *target = &targets[i];
        ck_assert(isfinite(target->bound));
        ck_assert_double_gt(target->scale, 0);
        ck_assert((target->scenes[0] == NULL) == (target->without != NULL));
        for (size_t k = 0; k < TARGETS_SCENES_MAX && target->scenes[k] != NULL; k++)
            ck_assert_msg(plan_find(target->scenes[k]) != NULL, "%s: no scene %s", target->id,
                          target->scenes[k]);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(targets[k].id, target->id);
    }
}

END_TEST

/* What is quoted has a row, and the file says whose, when and where. */
START_TEST(the_baseline_is_about_rows)
{
    json_t *baseline = json_load_file("perf/baseline.json", JSON_REJECT_DUPLICATES, NULL);
    static const char *const said[] = {"name", "version", "date", "machine", "how"};
    const char *id;
    json_t *value;
    size_t n = 0;
    ck_assert(json_is_object(baseline));
    for (size_t i = 0; i < ARRAY_N(said); i++)
        ck_assert_msg(text(baseline, said[i]) != NULL, "%s", said[i]);
    ck_assert_uint_gt(json_array_size(json_object_get(baseline, "sources")), 0);
    json_t *rows = targets_evaluate(NULL, baseline, false);
    json_object_foreach(json_object_get(baseline, "figures"), id, value)
    {
        ck_assert_str_eq(text(row(rows, id), "mediasoup"), json_string_value(value));
        n++;
    }
    ck_assert_uint_gt(n, 10);
    json_decref(rows);
    json_decref(baseline);
}

END_TEST

Suite *perf_targets_suite(void)
{
    Suite *suite = suite_create("perf_targets");
    TCase *tc = tcase_create("targets");
    tcase_add_test(tc, tells_reached_from_missed);
    tcase_add_test(tc, a_spread_around_the_bound_is_neither);
    tcase_add_test(tc, computes_growth_slope_and_ratio);
    tcase_add_test(tc, says_why_there_is_no_value);
    tcase_add_test(tc, a_quick_run_has_no_verdict);
    tcase_add_test(tc, prints_its_rows_as_markdown);
    tcase_add_test(tc, the_table_names_scenes_that_there_are);
    tcase_add_test(tc, the_baseline_is_about_rows);
    suite_add_tcase(suite, tc);
    return suite;
}
