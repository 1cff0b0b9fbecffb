/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_stress_test.c - net/stress: the figure of a window, and how it follows. */
#include "net/stress.h"
#include "test/suite.h"

enum { SLOTS = 4096 };

/* One window of 100 ms from nothing: the parts, and the figure, a third of the way. */
static const struct {
    struct stress_input counted;
    uint32_t busy, slots, lost, figure;
} rows[] = {
    {{.slots_n = SLOTS}, 0, 0, 0, 0},
    {{.busy_us = 30000, .cpu_us = 20000, .slots_n = SLOTS}, 300, 0, 0, 100},
    {{.busy_us = 20000, .cpu_us = 60000, .slots_n = SLOTS}, 600, 0, 0, 200}, /* sends at submit */
    {{.busy_us = 250000, .slots_n = SLOTS}, 1000, 0, 0, 333}, /* a turn of before the window */
    {{.busy_us = 9000, .slots_busy = 2048, .slots_n = SLOTS}, 90, 500, 0, 167},
    {{.slots_busy = 9000, .slots_n = SLOTS}, 0, 1000, 0, 333},
    {{.taken = 99, .lost = 1, .slots_n = SLOTS}, 0, 0, 1010, 1000}, /* at once */
    {{.taken = 1, .lost = 3, .slots_n = SLOTS}, 0, 0, 1750, 1000},
    {{.lost = 1, .slots_n = SLOTS}, 0, 0, 2000, 1000},
    {{.taken = UINT64_MAX / 2, .lost = UINT64_MAX / 2, .slots_n = SLOTS}, 0, 0, 1500, 1000},
};

START_TEST(one_window)
{
    struct stress stress;
    stress_init(&stress, &(struct stress_input){.slots_n = SLOTS}, 1000);
    ck_assert(!stress_is_due(&stress, 1000 + STRESS_WINDOW_US - 1));
    ck_assert(stress_is_due(&stress, 1000 + STRESS_WINDOW_US));
    uint32_t figure = stress_add(&stress, &rows[_i].counted, 1000 + STRESS_WINDOW_US);
    ck_assert_uint_eq(stress.busy, rows[_i].busy);
    ck_assert_uint_eq(stress.slots, rows[_i].slots);
    ck_assert_uint_eq(stress.lost, rows[_i].lost);
    ck_assert_uint_eq(figure, rows[_i].figure);
    ck_assert_uint_eq(figure, stress_figure(&stress));
}

END_TEST

/* What was counted before the start is nobody's stress. */
START_TEST(starts_from_what_was)
{
    struct stress stress;
    struct stress_input input = {
        .busy_us = 1 << 30, .cpu_us = 1 << 30, .taken = 5, .lost = 7, .slots_n = SLOTS};
    stress_init(&stress, &input, 0);
    ck_assert_uint_eq(stress_add(&stress, &input, STRESS_WINDOW_US), 0);
}

END_TEST

/* Steadily 60 % busy, then nothing at all: no rounding holds it up, and a long sleep is one step.
 */
START_TEST(follows)
{
    struct stress stress;
    struct stress_input input = {.slots_n = SLOTS};
    int64_t now_us = 0;
    uint32_t last = 0;
    stress_init(&stress, &input, 0);
    for (int i = 0; i < 20; i++) {
        now_us += STRESS_WINDOW_US;
        input.busy_us += STRESS_WINDOW_US * 6 / 10;
        uint32_t figure = stress_add(&stress, &input, now_us);
        ck_assert_uint_ge(figure, last);
        ck_assert_uint_le(figure, 600);
        last = figure;
        if (i == 2) /* 300 ms */
            ck_assert_uint_gt(figure, 400);
    }
    ck_assert_uint_ge(last, 599);
    struct stress asleep = stress;
    ck_assert_uint_le(stress_add(&asleep, &input, now_us + 1000000), 100);
    for (int i = 0; i < 30; i++) {
        now_us += STRESS_WINDOW_US;
        stress_add(&stress, &input, now_us);
    }
    ck_assert_uint_eq(stress_figure(&stress), 0);
}

END_TEST

START_TEST(a_loss_passes)
{
    struct stress stress;
    struct stress_input input = {.slots_n = SLOTS, .lost = 1, .taken = 1000};
    stress_init(&stress, &(struct stress_input){.slots_n = SLOTS}, 0);
    ck_assert_uint_eq(stress_add(&stress, &input, STRESS_WINDOW_US), 1000);
    ck_assert_uint_eq(stress_add(&stress, &input, 2 * STRESS_WINDOW_US), 667);
    ck_assert_uint_eq(stress.lost, 0);
}

END_TEST

Suite *net_stress_suite(void)
{
    Suite *suite = suite_create("net/stress");
    TCase *tc = tcase_create("stress");
    tcase_add_loop_test(tc, one_window, 0, (int)ARRAY_N(rows));
    tcase_add_test(tc, starts_from_what_was);
    tcase_add_test(tc, follows);
    tcase_add_test(tc, a_loss_passes);
    suite_add_tcase(suite, tc);
    return suite;
}
