/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_timer_test.c - timers by hand, and against a list that is searched from end to end. */
#include "core/random.h"
#include "core/timer.h"
#include "test/dies.h"
#include "test/suite.h"

START_TEST(due_timers_come_in_order)
{
    struct timers timers;
    ck_assert_int_eq(timers_init(&timers, 3), 0);
    struct timer a = {.kind = 1, .owner = 11}, b = {.kind = 2, .owner = 12}, c = {.kind = 3};
    ck_assert_int_eq(timers_next_us(&timers), INT64_MAX);
    ck_assert_ptr_null(timers_pop(&timers, INT64_MAX));

    timers_set(&timers, &a, 300);
    timers_set(&timers, &b, 100);
    timers_set(&timers, &c, 200);
    ck_assert_int_eq(timers_next_us(&timers), 100);
    ck_assert_ptr_null(timers_pop(&timers, 99));
    ck_assert_ptr_eq(timers_pop(&timers, 100), &b);
    ck_assert(!timer_is_set(&b));
    ck_assert_ptr_null(timers_pop(&timers, 100));
    ck_assert_ptr_eq(timers_pop(&timers, 1000), &c);
    ck_assert_ptr_eq(timers_pop(&timers, 1000), &a);
    ck_assert_int_eq(timers_next_us(&timers), INT64_MAX);
    ck_assert_uint_eq(a.kind, 1);
    ck_assert_uint_eq(a.owner, 11);
    ck_assert_uint_eq(b.kind, 2);
    ck_assert_uint_eq(b.owner, 12);
    timers_exit(&timers);
}

END_TEST

START_TEST(a_timer_moves_both_ways_and_is_cancelled)
{
    struct timers timers;
    ck_assert_int_eq(timers_init(&timers, 2), 0);
    struct timer a = {0}, b = {0};
    timers_cancel(&timers, &a); /* not set: nothing happens */
    timers_set(&timers, &a, 100);
    timers_set(&timers, &b, 200);
    timers_set(&timers, &a, 300);
    ck_assert_uint_eq(timers.n, 2);
    ck_assert_int_eq(timers_next_us(&timers), 200);
    timers_set(&timers, &a, 50);
    ck_assert_int_eq(timers_next_us(&timers), 50);
    timers_cancel(&timers, &a);
    timers_cancel(&timers, &a);
    ck_assert(!timer_is_set(&a));
    ck_assert_int_eq(timers_next_us(&timers), 200);
    ck_assert_ptr_eq(timers_pop(&timers, 200), &b);
    ck_assert_ptr_null(timers_pop(&timers, INT64_MAX));
    timers_exit(&timers);
}

END_TEST

START_TEST(times_at_the_edges)
{
    struct timers timers;
    ck_assert_int_eq(timers_init(&timers, 3), 0);
    struct timer never = {0}, past = {0}, now = {0};
    timers_set(&timers, &never, INT64_MAX);
    timers_set(&timers, &past, INT64_MIN);
    timers_set(&timers, &now, 0);
    ck_assert_ptr_eq(timers_pop(&timers, 0), &past);
    ck_assert_ptr_eq(timers_pop(&timers, 0), &now);
    ck_assert_ptr_null(timers_pop(&timers, INT64_MAX - 1));
    ck_assert_ptr_eq(timers_pop(&timers, INT64_MAX), &never);
    timers_exit(&timers);
}

END_TEST

/* The model: due time by timer, -1 where none is set. */
enum { MODEL_N = 500, MODEL_STEPS = 60000 };

static int64_t model_next_us(const int64_t *due_us, size_t n)
{
    int64_t next_us = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        if (due_us[i] >= 0)
            next_us = min_i64(next_us, due_us[i]);
    return next_us;
}

static void check_pop(struct timers *timers, struct timer *pool, int64_t *due_us, int64_t now_us)
{
    int64_t next_us = model_next_us(due_us, MODEL_N);
    struct timer *timer = timers_pop(timers, now_us);
    if ((timer != NULL) != (next_us <= now_us))
        ck_abort_msg("popped %p at %lld, next is %lld", (void *)timer, (long long)now_us,
                     (long long)next_us);
    if (!timer)
        return;
    if (timer != &pool[timer->owner] || timer->due_us != next_us ||
        due_us[timer->owner] != next_us || timer_is_set(timer))
        ck_abort_msg("timer %u popped at %lld", timer->owner, (long long)now_us);
    due_us[timer->owner] = -1;
}

START_TEST(random_operations_agree_with_the_model)
{
    struct random random = {.state = (uint64_t)_i};
    struct timers timers;
    ck_assert_int_eq(timers_init(&timers, MODEL_N), 0);
    static struct timer pool[MODEL_N];
    static int64_t due_us[MODEL_N];
    for (uint32_t i = 0; i < MODEL_N; i++) {
        pool[i] = (struct timer){.owner = i};
        due_us[i] = -1;
    }

    int64_t now_us = 0;
    size_t popped = 0;
    for (int step = 0; step < MODEL_STEPS; step++) {
        uint32_t i = random_below(&random, MODEL_N);
        switch (random_below(&random, 4)) {
        case 0:
        case 1: /* a narrow range, so that many are due at the same time */
            due_us[i] = now_us + random_below(&random, 200);
            timers_set(&timers, &pool[i], due_us[i]);
            break;
        case 2:
            timers_cancel(&timers, &pool[i]);
            due_us[i] = -1;
            break;
        default:
            now_us += random_below(&random, 3);
            popped += model_next_us(due_us, MODEL_N) <= now_us;
            check_pop(&timers, pool, due_us, now_us);
        }
        if (timer_is_set(&pool[i]) != (due_us[i] >= 0))
            ck_abort_msg("step %d: timer %u", step, i);
        if (step % 64 == 0)
            ck_assert_int_eq(timers_next_us(&timers), model_next_us(due_us, MODEL_N));
    }
    ck_assert_uint_gt(popped, 1000);

    while (timers.n > 0)
        check_pop(&timers, pool, due_us, INT64_MAX);
    ck_assert_int_eq(model_next_us(due_us, MODEL_N), INT64_MAX);
    timers_exit(&timers);
}

END_TEST

START_TEST(all_of_many_come_out_sorted)
{
    enum { N = 20000 };
    static struct timer pool[N];
    struct random random = {.state = 3};
    struct timers timers;
    ck_assert_int_eq(timers_init(&timers, N), 0);
    for (uint32_t i = 0; i < N; i++) {
        pool[i] = (struct timer){.owner = i};
        timers_set(&timers, &pool[i], random_below(&random, 1000000));
    }
    int64_t last_us = 0;
    for (uint32_t i = 0; i < N; i++) {
        const struct timer *timer = timers_pop(&timers, 1000000);
        if (!timer || timer->due_us < last_us)
            ck_abort_msg("timer %u is missing or out of order", i);
        last_us = timer->due_us;
    }
    ck_assert_ptr_null(timers_pop(&timers, INT64_MAX));
    timers_exit(&timers);
}

END_TEST

/* Bugs of our own */

static void set_beyond_the_sum(void *with)
{
    struct timers *timers = with;
    static struct timer pool[2];
    timers_set(timers, &pool[0], 1);
    timers_set(timers, &pool[1], 1);
}

static void set_a_copy(void *with)
{
    struct timers *timers = with;
    struct timer timer = {0};
    timers_set(timers, &timer, 1);
    struct timer copy = timer; /* moved in memory while set */
    timers_set(timers, &copy, 2);
}

static void cancel_a_copy(void *with)
{
    struct timers *timers = with;
    struct timer timer = {0};
    timers_set(timers, &timer, 1);
    struct timer copy = timer;
    timers_cancel(timers, &copy);
}

START_TEST(bugs_end_the_program)
{
    struct timers timers;
    ck_assert_int_eq(timers_init(&timers, 1), 0);
    ck_assert(dies_by_assert(set_beyond_the_sum, &timers));
    ck_assert(dies_by_assert(set_a_copy, &timers));
    ck_assert(dies_by_assert(cancel_a_copy, &timers));
    timers_exit(&timers);
}

END_TEST

Suite *core_timer_suite(void)
{
    Suite *suite = suite_create("core/timer");
    TCase *tcase = tcase_create("timer");
    tcase_add_test(tcase, due_timers_come_in_order);
    tcase_add_test(tcase, a_timer_moves_both_ways_and_is_cancelled);
    tcase_add_test(tcase, times_at_the_edges);
    tcase_add_loop_test(tcase, random_operations_agree_with_the_model, 0, 3);
    tcase_add_test(tcase, all_of_many_come_out_sorted);
    tcase_add_test(tcase, bugs_end_the_program);
    suite_add_tcase(suite, tcase);
    return suite;
}
