/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_heap_test.c - core/heap: after a crowd's blocks are freed, what the thread's cache
 * holds of them keeps no pages. */
#include "core/heap.h"
#include "core/random.h"
#include "test/suite.h"

#include <malloc.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OTHER_HEAP 1
#endif

#ifndef OTHER_HEAP

enum { BLOCKS_N = 20000, BLOCK_BYTES_MAX = 1000 };

/* In 1024 bytes. */
static long heap_resident(void)
{
    char line[512];
    long kib = 0;
    bool found = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    ck_assert_ptr_nonnull(file);
    while (kib == 0 && fgets(line, sizeof(line), file)) {
        found |= strstr(line, "[heap]") != NULL;
        if (found && sscanf(line, "Rss: %ld", &kib) != 1)
            kib = 0;
    }
    fclose(file);
    return kib;
}

static void flush(void)
{
    for (uint32_t step = 0; step < HEAP_STEPS; step++)
        heap_flush(step);
    malloc_trim(0);
}

START_TEST(what_is_freed_goes_back)
{
    static void *blocks[BLOCKS_N];
    struct random dice = {.state = 7};
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 128 << 10); /* the system's heap only, it does not move */
    flush();
    long before = heap_resident();
    for (uint32_t i = 0; i < BLOCKS_N; i++) {
        size_t bytes = 1 + random_below(&dice, BLOCK_BYTES_MAX);
        blocks[i] = malloc(bytes);
        memset(blocks[i], 1, bytes);
    }
    long full = heap_resident();
    for (uint32_t i = BLOCKS_N; i > 1; i--) { /* in no order, so that the cache's are anywhere */
        uint32_t other = random_below(&dice, i);
        void *block = blocks[i - 1];
        blocks[i - 1] = blocks[other];
        blocks[other] = block;
    }
    for (uint32_t i = 0; i < BLOCKS_N; i++)
        free(blocks[i]);
    malloc_trim(0);
    long trimmed = heap_resident();
    flush();
    flush();
    long flushed = heap_resident();
    ck_assert_int_gt(full - before, BLOCKS_N * (BLOCK_BYTES_MAX / 2) / 1024 * 8 / 10);
    ck_assert_int_gt(trimmed - before, 300); /* else there is nothing to show */
    ck_assert_int_lt(flushed - before, (trimmed - before) / 3);
}

END_TEST

#endif

/* Whatever heap it is: nobody's block is touched, and none is left. */
START_TEST(blocks_in_use_stay)
{
    uint8_t *blocks[64];
    for (uint32_t i = 0; i < ARRAY_N(blocks); i++) {
        blocks[i] = malloc(1 + 20 * i);
        memset(blocks[i], (int)i, 1 + 20 * i);
    }
    for (uint32_t step = 0; step < HEAP_STEPS; step++)
        heap_flush(step);
    for (uint32_t i = 0; i < ARRAY_N(blocks); i++) {
        for (uint32_t k = 0; k < 1 + 20 * i; k++)
            ck_assert_uint_eq(blocks[i][k], i);
        free(blocks[i]);
    }
}

END_TEST

Suite *core_heap_suite(void);

Suite *core_heap_suite(void)
{
    Suite *suite = suite_create("core/heap");
    TCase *tcase = tcase_create("heap");
#ifndef OTHER_HEAP
    tcase_add_test(tcase, what_is_freed_goes_back);
#endif
    tcase_add_test(tcase, blocks_in_use_stay);
    suite_add_tcase(suite, tcase);
    return suite;
}
