/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/array.c - chunks counted, and given back when empty. */
#include "core/array.h"

#include <sys/mman.h>

static size_t chunks_n(size_t item_bytes, uint32_t items_n)
{
    return item_bytes * items_n / ARRAY_CHUNK_BYTES + 2; /* the memory need not begin at a chunk */
}

size_t array_bytes(size_t item_bytes, uint32_t items_n)
{
    return arena_round(item_bytes * items_n) + arena_round(chunks_n(item_bytes, items_n) * 2);
}

void array_init(struct array *array, struct arena *arena, size_t item_bytes, uint32_t items_n)
{
    *array = (struct array){.item_bytes = item_bytes, .items_n = items_n};
    array->items = arena_take(arena, item_bytes * items_n);
    array->live = arena_take(arena, chunks_n(item_bytes, items_n) * sizeof *array->live);
}

static size_t first_chunk(const struct array *array)
{
    return (uintptr_t)array->items / ARRAY_CHUNK_BYTES;
}

/* Chunks that object `index` has bytes in: [*from, *to]. */
static void chunks_of(const struct array *array, uint32_t index, size_t *from, size_t *to)
{
    ASSERT(index < array->items_n);
    uintptr_t at = (uintptr_t)array->items + array->item_bytes * index;
    *from = at / ARRAY_CHUNK_BYTES - first_chunk(array);
    *to = (at + array->item_bytes - 1) / ARRAY_CHUNK_BYTES - first_chunk(array);
}

void array_enter(struct array *array, uint32_t index)
{
    size_t from, to;
    chunks_of(array, index, &from, &to);
    for (size_t i = from; i <= to; i++)
        array->live[i]++;
}

/* Only what lies whole within the array: its ends share their pages with others. */
static void give_back(const struct array *array, size_t chunk)
{
    uintptr_t begin = (uintptr_t)array->items;
    uintptr_t end = begin + array->item_bytes * array->items_n;
    uintptr_t at = (first_chunk(array) + chunk) * ARRAY_CHUNK_BYTES;
    uintptr_t to = at + ARRAY_CHUNK_BYTES;
    at = at < begin ? begin : at;
    to = to > end ? end : to;
    base_give_back((void *)at, to - at);
}

void array_leave(struct array *array, uint32_t index)
{
    size_t from, to;
    chunks_of(array, index, &from, &to);
    for (size_t i = from; i <= to; i++) {
        ASSERT(array->live[i] > 0);
        if (--array->live[i] == 0)
            give_back(array, i);
    }
}
