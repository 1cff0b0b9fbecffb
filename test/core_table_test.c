/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_table_test.c - the hash table by hand, and against an array under churn. */
#include "core/random.h"
#include "core/table.h"
#include "test/suite.h"

#include <errno.h>

static void open_table(struct table *table, struct arena *arena, uint32_t n_max, uint64_t seed)
{
    ck_assert_int_eq(arena_init(arena, table_bytes(n_max)), 0);
    table_init(table, arena, n_max, seed);
    ck_assert_uint_eq(arena->used, arena->bytes); /* table_bytes() is exact */
}

START_TEST(puts_finds_and_removes)
{
    struct arena arena;
    struct table table;
    open_table(&table, &arena, 3, 1);
    ck_assert_uint_eq(table_find(&table, 0), TABLE_NONE);
    ck_assert(!table_remove(&table, 0));

    ck_assert_int_eq(table_put(&table, 0, 10), 0); /* 0 is a key like others */
    ck_assert_int_eq(table_put(&table, UINT64_MAX, 0), 0);
    ck_assert_int_eq(table_put(&table, 0, 11), -EEXIST);
    ck_assert_uint_eq(table_find(&table, 0), 10);
    ck_assert_uint_eq(table_find(&table, UINT64_MAX), 0);
    ck_assert_int_eq(table_put(&table, 5, 12), 0);
    ck_assert_int_eq(table_put(&table, 6, 13), -ENOSPC);
    ck_assert_int_eq(table_put(&table, 5, 13), -EEXIST); /* full, but that is not why */
    ck_assert_uint_eq(table.n, 3);

    ck_assert(table_remove(&table, 0));
    ck_assert(!table_remove(&table, 0));
    ck_assert_uint_eq(table_find(&table, 0), TABLE_NONE);
    ck_assert_int_eq(table_put(&table, 6, 13), 0);
    ck_assert_uint_eq(table_find(&table, 5), 12);
    ck_assert_uint_eq(table_find(&table, 6), 13);
    arena_exit(&arena);
}

END_TEST

START_TEST(a_table_of_one)
{
    struct arena arena;
    struct table table;
    open_table(&table, &arena, 1, 0);
    for (uint64_t key = 0; key < 1000; key++) {
        ck_assert_int_eq(table_put(&table, key, (uint32_t)key), 0);
        ck_assert_int_eq(table_put(&table, key + 1, 1), -ENOSPC);
        ck_assert_uint_eq(table_find(&table, key), key);
        ck_assert(table_remove(&table, key));
    }
    ck_assert_uint_eq(table.n, 0);
    arena_exit(&arena);
}

END_TEST

/* Half-full, so with long runs of neighbours: every removal has to move some. */
START_TEST(churn_agrees_with_the_model)
{
    enum { KEYS = 96, N_MAX = 64, STEPS = 200000 };
    struct random random = {.state = (uint64_t)_i};
    struct arena arena;
    struct table table;
    open_table(&table, &arena, N_MAX, random_next(&random));
    uint32_t model[KEYS];
    memset(model, 0xff, sizeof(model)); /* TABLE_NONE */
    uint32_t model_n = 0;
    size_t full_n = 0;

    size_t wrong_n = 0; /* counted, because a check costs a system call */
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t key = random_below(&random, KEYS);
        uint64_t wide = (uint64_t)key << 32 | key;
        if (random_below(&random, 5) < 3) {
            int expected = model[key] != TABLE_NONE ? -EEXIST : model_n == N_MAX ? -ENOSPC : 0;
            wrong_n += table_put(&table, wide, step) != expected;
            full_n += expected == -ENOSPC;
            if (expected == 0) {
                model[key] = step;
                model_n++;
            }
        } else {
            bool there = model[key] != TABLE_NONE;
            wrong_n += table_remove(&table, wide) != there;
            model[key] = TABLE_NONE;
            model_n -= there;
        }
        wrong_n += table.n != model_n;
        for (uint32_t i = step % 100 == 0 ? 0 : KEYS - 1; i < KEYS; i++)
            wrong_n += table_find(&table, (uint64_t)i << 32 | i) != model[i];
        if (wrong_n > 0)
            ck_abort_msg("step %u differs", step);
    }
    ck_assert_uint_gt(full_n, 100);
    arena_exit(&arena);
}

END_TEST

/* The entries that a search for `key` looks at. */
static uint32_t probe_n(const struct table *table, uint64_t key)
{
    uint32_t at = 0;
    while (!table->entries[at].used || table->entries[at].key != key)
        at++;
    uint32_t n = 1; /* back to where its run of neighbours begins: an upper bound */
    while (table->entries[(at - n) & table->mask].used)
        n++;
    return n;
}

START_TEST(days_of_churn_leave_nothing_behind)
{
    enum { N = 1000, STEPS = 300000 };
    struct arena arena;
    struct table table;
    open_table(&table, &arena, N, 42);
    size_t wrong_n = 0;
    for (uint64_t key = 0; key < STEPS; key++) { /* a queue: keys come and go in order */
        wrong_n += table_put(&table, key, 1) != 0;
        if (key >= N - 1)
            wrong_n += !table_remove(&table, key - (N - 1));
    }
    ck_assert_uint_eq(wrong_n, 0);
    ck_assert_uint_eq(table.n, N - 1);
    uint32_t used_n = 0;
    for (uint32_t i = 0; i <= table.mask; i++)
        used_n += table.entries[i].used;
    ck_assert_uint_eq(used_n, N - 1);
    for (uint64_t key = STEPS - (N - 1); key < STEPS; key++)
        ck_assert_uint_lt(probe_n(&table, key), 64);
    arena_exit(&arena);
}

END_TEST

START_TEST(the_seed_changes_which_keys_collide)
{
    /* Keys that share a home under one seed are spread under the next. */
    enum { N = 512, COLLIDING = 16 };
    struct arena arena[2];
    struct table table[2];
    open_table(&table[0], &arena[0], N, 1);
    open_table(&table[1], &arena[1], N, 2);

    uint32_t found = 0;
    uint32_t spread = 0;
    for (uint64_t key = 0; key < 1000000 && found < COLLIDING; key++) {
        table_put(&table[0], key, 0);
        bool collides = table[0].entries[0].used; /* alone in the table: this is its home */
        if (collides) {
            found++;
            table_put(&table[1], key, 0);
            spread += !table[1].entries[0].used;
            table_remove(&table[1], key);
        }
        table_remove(&table[0], key);
    }
    ck_assert_uint_eq(table[0].n + table[1].n, 0);
    ck_assert_uint_eq(found, COLLIDING);
    ck_assert_uint_ge(spread, COLLIDING - 2);
    arena_exit(&arena[0]);
    arena_exit(&arena[1]);
}

END_TEST

Suite *core_table_suite(void)
{
    Suite *suite = suite_create("core/table");
    TCase *tcase = tcase_create("table");
    tcase_add_test(tcase, puts_finds_and_removes);
    tcase_add_test(tcase, a_table_of_one);
    tcase_add_loop_test(tcase, churn_agrees_with_the_model, 0, 3);
    tcase_add_test(tcase, days_of_churn_leave_nothing_behind);
    tcase_add_test(tcase, the_seed_changes_which_keys_collide);
    suite_add_tcase(suite, tcase);
    return suite;
}
