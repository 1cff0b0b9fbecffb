/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_shedpace_test.c - net/shedpace in virtual time: steps, patience, and a load that does
 * not fit. */
#include "net/shedpace.h"
#include "net/stress.h"
#include "test/suite.h"

enum { WINDOW_US = STRESS_WINDOW_US, SECOND_US = 1000000 };

/* Consumers that cost the same, a figure that follows as the real one does. */
struct plant {
    struct shedpace pace;
    struct shed_rule rule;
    struct stress stress;
    struct stress_input input;
    int64_t now_us;
    uint32_t all, shed, cost; /* cost: per mille of the time for each that is forwarded to */
    uint32_t steps_more, steps_back, step_max, shed_most, figure;
};

static void plant_init(struct plant *p, uint32_t all, uint32_t cost)
{
    *p = (struct plant){.rule = shed_rule_default, .all = all, .cost = cost};
    p->rule.enabled = true;
    p->input.slots_n = 1;
    stress_init(&p->stress, &p->input, 0);
}

static void window(struct plant *p)
{
    uint64_t work_us = (uint64_t)(p->all - p->shed) * p->cost * WINDOW_US / 1000;
    p->now_us += WINDOW_US;
    p->input.busy_us += work_us < WINDOW_US ? work_us : WINDOW_US;
    p->input.taken += 1000;
    if (work_us > WINDOW_US) /* the rest is dropped by the kernel */
        p->input.lost += (work_us - WINDOW_US) / 100;
    p->figure = stress_add(&p->stress, &p->input, p->now_us);
    int32_t by = shedpace_step(&p->pace, &p->rule, p->figure, p->all - p->shed, p->shed, p->now_us);
    uint32_t n = (uint32_t)(by < 0 ? -by : by);
    ck_assert_uint_le(n, SHED_STEP_MAX);
    if (by > 0)
        ck_assert_uint_le(n, p->all - p->shed);
    if (by < 0)
        ck_assert_uint_le(n, p->shed);
    p->shed = (uint32_t)((int32_t)p->shed + by);
    p->steps_more += by > 0;
    p->steps_back += by < 0;
    p->step_max = n > p->step_max ? n : p->step_max;
    p->shed_most = p->shed > p->shed_most ? p->shed : p->shed_most;
}

static void run(struct plant *p, int seconds)
{
    for (int i = 0; i < seconds * (SECOND_US / WINDOW_US); i++)
        window(p);
}

START_TEST(nothing_below_the_threshold)
{
    struct plant p;
    plant_init(&p, 100, 8); /* 800 */
    run(&p, 60);
    ck_assert_uint_eq(p.steps_more + p.steps_back, 0);
    ck_assert_uint_ge(p.figure, 790);
}

END_TEST

/* A moment of it is no reason. */
START_TEST(a_moment_passes)
{
    struct plant p;
    plant_init(&p, 100, 1);
    run(&p, 5);
    p.input.lost += 10; /* lifts the figure to 1000, which then falls */
    run(&p, 5);
    ck_assert_uint_eq(p.steps_more, 0);
}

END_TEST

/* Half as much again as there is room for: it settles in the band, in few steps, and stays. */
START_TEST(too_much_settles)
{
    struct plant p;
    plant_init(&p, 1000, 0);
    p.cost = 15;
    p.all = 100;
    run(&p, 10);
    uint32_t steps = p.steps_more, left = p.all - p.shed;
    ck_assert_uint_ge(steps, 2);
    ck_assert_uint_lt(left * p.cost, p.rule.at);
    ck_assert_uint_gt(left * p.cost, p.rule.until); /* no more than it takes */
    ck_assert_uint_eq(p.steps_back, 0);
    run(&p, 600);
    ck_assert_uint_eq(p.steps_more, steps);
    ck_assert_uint_eq(p.steps_back, 0);
}

END_TEST

/* All come back when it is over, in steps, and none is shed again. */
START_TEST(all_come_back)
{
    struct plant p;
    plant_init(&p, 100, 15);
    run(&p, 10);
    uint32_t steps = p.steps_more;
    ck_assert_uint_gt(p.shed, 30);
    p.cost = 4;
    int64_t calm_from_us = p.now_us;
    while (p.steps_back == 0)
        window(&p);
    ck_assert_int_ge(p.now_us - calm_from_us, p.rule.calm_us);
    run(&p, 60);
    ck_assert_uint_eq(p.shed, 0);
    ck_assert_uint_gt(p.steps_back, 3);
    ck_assert_uint_eq(p.steps_more, steps);
}

END_TEST

/* Two receivers of which one fits: 450 is calm, 900 is too much. It is tried ever more rarely, and
 * not given up. */
START_TEST(what_does_not_fit_does_not_flap)
{
    struct plant p;
    plant_init(&p, 2, 450);
    run(&p, 600);
    uint32_t first = p.steps_more;
    ck_assert_uint_le(first, 16); /* 3, 6, 12, 24, 48 s, then a minute and what it takes to see */
    ck_assert_uint_ge(first, 10);
    run(&p, 600);
    ck_assert_uint_le(p.steps_more - first, 10);
    ck_assert_uint_ge(p.steps_more - first, 8);
    ck_assert_uint_le(p.steps_back, p.steps_more);
}

END_TEST

/* After a load that passed the patience of old does not count. */
START_TEST(patience_is_forgotten)
{
    struct plant p;
    plant_init(&p, 2, 450);
    run(&p, 300);
    ck_assert_int_gt(p.pace.calm_us, 30 * SECOND_US);
    p.cost = 100;
    run(&p, 90);
    ck_assert_uint_eq(p.shed, 0);
    p.cost = 450;
    run(&p, 5);
    ck_assert_uint_eq(p.shed, 1);
    ck_assert_int_eq(p.pace.calm_us, 0);
}

END_TEST

START_TEST(steps_are_bounded)
{
    struct plant p;
    plant_init(&p, 16384, 1);
    run(&p, 5);
    ck_assert_uint_eq(p.step_max, SHED_STEP_MAX);
    ck_assert_uint_le(p.shed, 10 * SHED_STEP_MAX);
    p.rule.enabled = false;
    run(&p, 2);
    ck_assert_uint_eq(p.shed, 0);
}

END_TEST

/* Thresholds of 0: everything goes, one day the last; of 2000 and more: all come back. */
START_TEST(drill)
{
    struct plant p;
    plant_init(&p, 30, 0);
    p.rule.at = p.rule.until = 0;
    run(&p, 30);
    ck_assert_uint_eq(p.shed, 30);
    p.rule.at = p.rule.until = 1000;
    run(&p, 60);
    ck_assert_uint_eq(p.shed, 0);
}

END_TEST

Suite *net_shedpace_suite(void)
{
    Suite *suite = suite_create("net/shedpace");
    TCase *tc = tcase_create("shedpace");
    tcase_add_test(tc, nothing_below_the_threshold);
    tcase_add_test(tc, a_moment_passes);
    tcase_add_test(tc, too_much_settles);
    tcase_add_test(tc, all_come_back);
    tcase_add_test(tc, what_does_not_fit_does_not_flap);
    tcase_add_test(tc, patience_is_forgotten);
    tcase_add_test(tc, steps_are_bounded);
    tcase_add_test(tc, drill);
    suite_add_tcase(suite, tc);
    return suite;
}
