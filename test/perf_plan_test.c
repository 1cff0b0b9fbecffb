/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_plan_test.c - every command line of the table is one that this program takes, quick or
 * not; and the sums over the runs of a scene. */
#include "perf/plan.h"

#include "perf/options.h"
#include "perf/overview.h"
#include "test/suite.h"

#include <getopt.h>
#include <stdio.h>

static int parse(const char *line)
{
    static char program[] = "sluice-perf";
    char text[PLAN_LINE_BYTES], *args[PLAN_ARGS_MAX + 1] = {program};
    struct options options;
    snprintf(text, sizeof text, "%s", line);
    size_t n = plan_words(text, args + 1);
    optind = 0;
    return options_parse(&options, (int)n + 1, args);
}

/* A scenario that this build does not have is skipped by the report as well. */
START_TEST(the_lines_are_right)
{
    size_t known = 0;
    for (size_t i = 0; i < 2 * plan_scenes_n; i++) {
        char line[PLAN_LINE_BYTES], bare[PLAN_LINE_BYTES];
        plan_line(&plan_scenes[i / 2], i % 2 == 1, line);
        ck_assert_uint_lt(strlen(line), sizeof line - 1);
        ck_assert_ptr_null(strstr(line, "  "));
        snprintf(bare, sizeof bare, "%.*s", (int)strcspn(line, " "), line);
        if (parse(bare) != OPTIONS_RUN)
            continue;
        ck_assert_msg(parse(line) == OPTIONS_RUN, "%s", line);
        known++;
    }
    ck_assert_uint_ge(known, 48);
}

END_TEST

START_TEST(names_are_of_one_scene)
{
    for (size_t i = 0; i < plan_scenes_n; i++) {
        ck_assert_ptr_eq(plan_find(plan_scenes[i].name), &plan_scenes[i]);
        ck_assert_uint_gt(plan_scenes[i].runs, 0);
    }
    ck_assert_ptr_null(plan_find("nothing"));
    ck_assert_ptr_null(plan_find(""));
}

END_TEST

START_TEST(finds_names_in_lists)
{
    ck_assert(plan_in_list(NULL, "any"));
    ck_assert(plan_in_list("one", "one"));
    ck_assert(plan_in_list("one,two,three", "two"));
    ck_assert(plan_in_list("one,two,three", "three"));
    ck_assert(!plan_in_list("one,two", "on"));
    ck_assert(!plan_in_list("one,two", "one,two"));
    ck_assert(!plan_in_list("", "one"));
}

END_TEST

START_TEST(sums_are_medians_with_their_ends)
{
    json_t *scene =
        json_pack("{s:[{s:i, s:s, s:n}, {s:i, s:s, s:i}, {s:i, s:s, s:n}]}", "runs", "a", 3, "b",
                  "text", "c", "a", 1, "b", "text", "c", 5, "a", 7, "b", "text", "c");
    overview_sum(scene);
    json_t *figures = json_object_get(scene, "figures");
    json_t *spread = json_object_get(scene, "spread");
    ck_assert_double_eq(json_real_value(json_object_get(figures, "a")), 3);
    ck_assert_double_eq(json_real_value(json_array_get(json_object_get(spread, "a"), 0)), 1);
    ck_assert_double_eq(json_real_value(json_array_get(json_object_get(spread, "a"), 1)), 7);
    ck_assert_double_eq(json_real_value(json_object_get(figures, "c")), 5);
    ck_assert_ptr_null(json_object_get(figures, "b"));
    ck_assert_ptr_null(json_object_get(spread, "c"));
    json_decref(scene);
}

END_TEST

START_TEST(no_runs_no_figures)
{
    json_t *scene = json_pack("{s:[]}", "runs");
    overview_sum(scene);
    ck_assert_uint_eq(json_object_size(json_object_get(scene, "figures")), 0);
    ck_assert_uint_eq(json_object_size(json_object_get(scene, "spread")), 0);
    json_decref(scene);
}

END_TEST

Suite *perf_plan_suite(void)
{
    Suite *suite = suite_create("perf_plan");
    TCase *tc = tcase_create("plan");
    tcase_add_test(tc, the_lines_are_right);
    tcase_add_test(tc, names_are_of_one_scene);
    tcase_add_test(tc, finds_names_in_lists);
    tcase_add_test(tc, sums_are_medians_with_their_ends);
    tcase_add_test(tc, no_runs_no_figures);
    suite_add_tcase(suite, tc);
    return suite;
}
