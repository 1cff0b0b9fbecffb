/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/arena.c - one mapping handed out from its start, and pools of objects made of it. */
#include "core/arena.h"

#include <errno.h>

int arena_init(struct arena *arena, size_t bytes)
{
    *arena = (struct arena){.bytes = arena_round(bytes)};
    arena->memory = base_map(arena->bytes);
    return arena->memory ? 0 : -ENOMEM;
}

void arena_exit(struct arena *arena)
{
    base_unmap(arena->memory, arena->bytes);
    *arena = (struct arena){0};
}

void *arena_take(struct arena *arena, size_t bytes)
{
    ASSERT(!arena->frozen);
    ASSERT(bytes <= arena->bytes);
    size_t rounded = arena_round(bytes);
    ASSERT(rounded <= arena->bytes - arena->used);
    void *at = arena->memory + arena->used;
    arena->used += rounded;
    return at;
}

void arena_freeze(struct arena *arena)
{
    arena->frozen = true;
}

static size_t taken_words(uint32_t items_n)
{
    return ((size_t)items_n + 63) / 64;
}

size_t pool_bytes(size_t item_bytes, uint32_t items_n)
{
    return arena_round(item_bytes * items_n) + arena_round(items_n * sizeof(uint32_t)) +
           arena_round(taken_words(items_n) * sizeof(uint64_t));
}

void pool_init(struct pool *pool, struct arena *arena, size_t item_bytes, uint32_t items_n)
{
    ASSERT(item_bytes > 0);
    ASSERT(items_n > 0 && items_n < POOL_NONE);
    *pool = (struct pool){.item_bytes = item_bytes, .items_n = items_n};
    pool->items = arena_take(arena, item_bytes * items_n);
    pool->free = arena_take(arena, items_n * sizeof(uint32_t));
    pool->taken = arena_take(arena, taken_words(items_n) * sizeof(uint64_t));
}

uint32_t pool_take(struct pool *pool)
{
    uint32_t index;
    if (pool->free_n > 0) {
        index = pool->free[--pool->free_n];
        memset(pool_at(pool, index), 0, pool->item_bytes);
    } else if (pool->fresh_at < pool->items_n) {
        index = pool->fresh_at++; /* zero as it came from the kernel */
    } else {
        return POOL_NONE;
    }
    ASSERT(!pool_is_taken(pool, index));
    pool->taken[index / 64] |= UINT64_C(1) << index % 64;
    pool->used_n++;
    return index;
}

void pool_give(struct pool *pool, uint32_t index)
{
    ASSERT(pool_is_taken(pool, index));
    pool->taken[index / 64] &= ~(UINT64_C(1) << index % 64);
    pool->free[pool->free_n++] = index;
    pool->used_n--;
}
