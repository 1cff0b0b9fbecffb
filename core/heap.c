/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/heap.c - see core/heap.h. */
#include "core/heap.h"

#include <stdlib.h>

/* malloc/malloc.c of glibc 2.26 and later, 64 bits: TCACHE_MAX_BINS sizes of chunks, 16 bytes
 * apart, the smallest of which holds 24; TCACHE_FILL_COUNT blocks of each. With other numbers the
 * cache is emptied in part. */
enum {
    SIZES_N = 64,
    SIZE_MIN = 24,
    SIZE_STEP = 16,
    CACHED_N = 7,
    PAST_BYTES = SIZE_MIN + SIZES_N * SIZE_STEP, /* the first size that is not cached */
    SIZES_OF_STEP = SIZES_N / HEAP_STEPS,
};

static_assert(SIZES_N % HEAP_STEPS == 0, "the steps are all sizes");

/* Last taken, first grown: what came out of the cache last was freed first, often from behind the
 * others. */
void heap_flush(uint32_t step)
{
    void *blocks[SIZES_OF_STEP * CACHED_N];
    size_t n = 0;
    ASSERT(step < HEAP_STEPS);
    for (uint32_t i = 0; i < ARRAY_N(blocks); i++) {
        size_t size = step * SIZES_OF_STEP + i / CACHED_N;
        void *block = malloc(SIZE_MIN + size * SIZE_STEP);
        if (block)
            blocks[n++] = block;
    }
    while (n > 0) {
        void *block = blocks[--n];
        void *grown = realloc(block, PAST_BYTES);
        free(grown ? grown : block);
    }
}
