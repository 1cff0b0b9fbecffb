/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_array_test.c - core/array: memory comes with objects and goes with them. */
#include "core/array.h"
#include "core/random.h"
#include "test/suite.h"

#include <sys/mman.h>

enum { ITEMS = 4000, ITEM_BYTES = 1760 };

static size_t resident_bytes(const struct arena *arena)
{
    static unsigned char pages[8192];
    size_t page = base_page_bytes(), n = 0;
    size_t pages_n = (arena->bytes + page - 1) / page;
    ck_assert_uint_le(pages_n, sizeof(pages));
    ck_assert_int_eq(mincore(arena->memory, arena->bytes, pages), 0);
    for (size_t i = 0; i < pages_n; i++)
        n += pages[i] & 1;
    return n * page;
}

static void open_array(struct array *array, struct arena *arena)
{
    ck_assert_int_eq(arena_init(arena, array_bytes(ITEM_BYTES, ITEMS)), 0);
    array_init(array, arena, ITEM_BYTES, ITEMS);
    ck_assert_uint_eq(arena->used, arena->bytes);
}

static void enter(struct array *array, uint32_t index)
{
    array_enter(array, index);
    memset(array->items + (size_t)index * ITEM_BYTES, 0xab, ITEM_BYTES);
}

START_TEST(memory_goes_with_the_last_object)
{
    struct arena arena;
    struct array array;
    open_array(&array, &arena);
    for (uint32_t i = 0; i < ITEMS; i++)
        enter(&array, i);
    ck_assert_uint_ge(resident_bytes(&arena), (size_t)ITEMS * ITEM_BYTES);
    for (uint32_t i = 0; i < ITEMS; i++)
        array_leave(&array, i);
    /* The counters, and the ends that share a page with something else. */
    ck_assert_uint_le(resident_bytes(&arena), 8 * base_page_bytes());
    arena_exit(&arena);
}

END_TEST

/* Neighbours keep their bytes whatever comes and goes beside them. */
START_TEST(churn_leaves_the_others_alone)
{
    struct arena arena;
    struct array array;
    struct random random = {.state = 7};
    static uint8_t open[ITEMS];
    uint32_t wrong_n = 0;
    memset(open, 0, sizeof(open));
    open_array(&array, &arena);
    for (int step = 0; step < 20000; step++) {
        uint32_t index = random_below(&random, ITEMS);
        uint8_t *item = array.items + (size_t)index * ITEM_BYTES;
        if (!open[index]) {
            array_enter(&array, index);
            open[index] = (uint8_t)(1 + random_below(&random, 255));
            memset(item, open[index], ITEM_BYTES);
            continue;
        }
        wrong_n += item[0] != open[index];
        wrong_n += item[ITEM_BYTES - 1] != open[index];
        array_leave(&array, index);
        open[index] = 0;
    }
    ck_assert_uint_eq(wrong_n, 0);
    arena_exit(&arena);
}

END_TEST

Suite *core_array_suite(void)
{
    Suite *suite = suite_create("core_array");
    TCase *tcase = tcase_create("array");
    tcase_add_test(tcase, memory_goes_with_the_last_object);
    tcase_add_test(tcase, churn_leaves_the_others_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
