/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_arena_test.c - memory in pieces, and pools of objects. */
#include "core/arena.h"
#include "core/random.h"
#include "test/dies.h"
#include "test/suite.h"

#include <errno.h>
#include <sys/mman.h>

START_TEST(pieces_are_zero_aligned_and_apart)
{
    static const size_t sizes[] = {1, 64, 65, 4096, 7};
    size_t sum = 0;
    for (size_t i = 0; i < ARRAY_N(sizes); i++)
        sum += arena_round(sizes[i]);
    struct arena arena;
    ck_assert_int_eq(arena_init(&arena, sum), 0);
    uint8_t *last_end = arena.memory;
    for (size_t i = 0; i < ARRAY_N(sizes); i++) {
        uint8_t *at = arena_take(&arena, sizes[i]);
        ck_assert_uint_eq((uintptr_t)at % ARENA_ALIGN, 0);
        ck_assert(at >= last_end);
        size_t wrong_n = 0;
        for (size_t j = 0; j < sizes[i]; j++)
            wrong_n += at[j] != 0;
        ck_assert_uint_eq(wrong_n, 0);
        memset(at, 0xff, sizes[i]);
        last_end = at + sizes[i];
    }
    ck_assert_uint_eq(arena.used, sum);
    arena_freeze(&arena);
    ck_assert(arena.frozen);
    arena_exit(&arena);
    ck_assert_ptr_null(arena.memory);
}

END_TEST

START_TEST(too_much_is_refused)
{
    struct arena arena;
    ck_assert_int_eq(arena_init(&arena, SIZE_MAX / 2), -ENOMEM);
    arena_exit(&arena);
}

END_TEST

/* Resident pages of what the arena has mapped. */
static size_t resident_pages(const struct arena *arena)
{
    static unsigned char pages[4096];
    size_t n = (arena->bytes + base_page_bytes() - 1) / base_page_bytes();
    ck_assert_uint_le(n, sizeof(pages));
    ck_assert_int_eq(mincore(arena->memory, arena->bytes, pages), 0);
    size_t resident = 0;
    for (size_t i = 0; i < n; i++)
        resident += pages[i] & 1;
    return resident;
}

START_TEST(memory_follows_use)
{
    enum { ITEM_BYTES = 1000, ITEMS = 4000 };
    struct arena arena;
    ck_assert_int_eq(arena_init(&arena, pool_bytes(ITEM_BYTES, ITEMS)), 0);
    struct pool pool;
    pool_init(&pool, &arena, ITEM_BYTES, ITEMS);
    ck_assert_uint_eq(arena.used, arena.bytes); /* pool_bytes() is exact */
    arena_freeze(&arena);
    ck_assert_uint_eq(resident_pages(&arena), 0);

    for (int i = 0; i < 10000; i++) { /* one object, over and over */
        uint32_t index = pool_take(&pool);
        if (index != 0)
            ck_abort_msg("took %u", index);
        memset(pool_at(&pool, index), 0xee, ITEM_BYTES);
        pool_give(&pool, index);
    }
    ck_assert_uint_le(resident_pages(&arena) * base_page_bytes(), 3 * base_page_bytes() + 4096);
    arena_exit(&arena);
}

END_TEST

START_TEST(a_pool_gives_the_latest_then_the_lowest)
{
    struct arena arena;
    struct pool pool;
    ck_assert_int_eq(arena_init(&arena, pool_bytes(8, 4)), 0);
    pool_init(&pool, &arena, 8, 4);
    ck_assert_uint_eq(pool_take(&pool), 0);
    ck_assert_uint_eq(pool_take(&pool), 1);
    ck_assert_uint_eq(pool_take(&pool), 2);
    pool_give(&pool, 0);
    pool_give(&pool, 1);
    ck_assert_uint_eq(pool.used_n, 1);
    ck_assert_uint_eq(pool_take(&pool), 1);
    ck_assert_uint_eq(pool_take(&pool), 0);
    ck_assert_uint_eq(pool_take(&pool), 3);
    ck_assert_uint_eq(pool.used_n, 4);
    ck_assert_uint_eq(pool_take(&pool), POOL_NONE);
    ck_assert_uint_eq(pool.used_n, 4);
    pool_give(&pool, 2);
    ck_assert_uint_eq(pool_take(&pool), 2);
    arena_exit(&arena);
}

END_TEST

START_TEST(random_operations_agree_with_the_model)
{
    enum { ITEMS = 130, STEPS = 50000 };
    struct random random = {.state = 1};
    struct arena arena;
    struct pool pool;
    ck_assert_int_eq(arena_init(&arena, pool_bytes(sizeof(uint64_t), ITEMS)), 0);
    pool_init(&pool, &arena, sizeof(uint64_t), ITEMS);
    bool model[ITEMS] = {false};
    uint32_t model_n = 0;
    size_t full_n = 0;
    size_t wrong_n = 0; /* counted, because a check costs a system call */

    for (int step = 0; step < STEPS; step++) {
        uint32_t index = random_below(&random, ITEMS);
        wrong_n += pool_is_taken(&pool, index) != model[index];
        if (model[index]) {
            uint64_t kept;
            memcpy(&kept, pool_at(&pool, index), sizeof(kept));
            wrong_n += kept != index + UINT64_C(0xabcdef0000); /* nobody wrote over it */
        }
        if (random_below(&random, 9) < 5) {
            uint32_t taken = pool_take(&pool);
            full_n += taken == POOL_NONE;
            wrong_n += (taken == POOL_NONE) != (model_n == ITEMS);
            if (taken == POOL_NONE)
                continue;
            if (taken >= ITEMS || model[taken])
                ck_abort_msg("step %d: took %u", step, taken);
            uint64_t value;
            memcpy(&value, pool_at(&pool, taken), sizeof(value));
            wrong_n += value != 0;
            value = taken + UINT64_C(0xabcdef0000);
            memcpy(pool_at(&pool, taken), &value, sizeof(value));
            model[taken] = true;
            model_n++;
        } else if (model[index]) {
            pool_give(&pool, index);
            model[index] = false;
            model_n--;
        }
        if (wrong_n > 0 || pool.used_n != model_n)
            ck_abort_msg("step %d differs", step);
    }
    ck_assert_uint_eq(wrong_n, 0);
    ck_assert_uint_gt(full_n, 10);
    ck_assert(!pool_is_taken(&pool, ITEMS));
    ck_assert(!pool_is_taken(&pool, POOL_NONE));
    arena_exit(&arena);
}

END_TEST

/* Bugs of our own */

static void take_frozen(void *arena)
{
    arena_freeze(arena);
    arena_take(arena, 1);
}

static void take_too_much(void *arena)
{
    arena_take(arena, SIZE_MAX);
}

static void take_more_than_the_sum(void *arena)
{
    arena_take(arena, 4096);
    arena_take(arena, 1);
}

static void give_twice(void *pool)
{
    uint32_t index = pool_take(pool);
    pool_give(pool, index);
    pool_give(pool, index);
}

static void give_none(void *pool)
{
    pool_give(pool, POOL_NONE);
}

static void give_untaken(void *pool)
{
    pool_give(pool, 1);
}

START_TEST(bugs_end_the_program)
{
    struct arena arena;
    ck_assert_int_eq(arena_init(&arena, 4096), 0);
    ck_assert(dies_by_assert(take_frozen, &arena));
    ck_assert(dies_by_assert(take_too_much, &arena));
    ck_assert(dies_by_assert(take_more_than_the_sum, &arena));
    struct pool pool;
    pool_init(&pool, &arena, 8, 4);
    ck_assert(dies_by_assert(give_twice, &pool));
    ck_assert(dies_by_assert(give_none, &pool));
    ck_assert(dies_by_assert(give_untaken, &pool));
    arena_exit(&arena);
}

END_TEST

Suite *core_arena_suite(void)
{
    Suite *suite = suite_create("core/arena");
    TCase *tcase = tcase_create("arena");
    tcase_add_test(tcase, pieces_are_zero_aligned_and_apart);
    tcase_add_test(tcase, too_much_is_refused);
    tcase_add_test(tcase, memory_follows_use);
    tcase_add_test(tcase, a_pool_gives_the_latest_then_the_lowest);
    tcase_add_test(tcase, random_operations_agree_with_the_model);
    tcase_add_test(tcase, bugs_end_the_program);
    suite_add_tcase(suite, tcase);
    return suite;
}
