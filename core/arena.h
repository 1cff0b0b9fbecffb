/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/arena.h - start-up memory: one mapping, handed out in pieces, never given back one by one.
 *
 * Sized from the configuration and mapped, not touched; arena_freeze() ends start-up and later
 * requests are a bug. Pools of fixed-size objects are made from it. Threads: the owner's only. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/base.h"

struct arena {
    uint8_t *memory;
    size_t bytes, used;
    bool frozen;
};

enum { ARENA_ALIGN = 64 };

/* What arena_take() takes for `bytes`: the terms of the caller's sum. */
static inline size_t arena_round(size_t bytes)
{
    return round_up_size(bytes, ARENA_ALIGN);
}

int arena_init(struct arena *arena, size_t bytes); /* 0 or -ENOMEM */
void arena_exit(struct arena *arena);

/* Zeroed, 64-byte aligned, never NULL: the size given to arena_init() is the caller's sum
 * (asserted). */
void *arena_take(struct arena *arena, size_t bytes);
void arena_freeze(struct arena *arena);

/* A pool of `items_n` objects of `item_bytes` by index; take gives the most recently given back,
 * else the lowest unused, so pages follow use. Objects are zeroed when taken. */
struct pool {
    uint8_t *items;
    uint32_t *free;  /* stack of those given back */
    uint64_t *taken; /* a bit per object: giving one twice is a bug that is found */
    size_t item_bytes;
    uint32_t items_n, free_n;
    uint32_t fresh_at; /* objects from here on have never been taken */
    uint32_t used_n;
};

size_t pool_bytes(size_t item_bytes, uint32_t items_n); /* what pool_init() takes from the arena */
void pool_init(struct pool *pool, struct arena *arena, size_t item_bytes, uint32_t items_n);

enum { POOL_NONE = UINT32_MAX };

uint32_t pool_take(struct pool *pool);             /* index, or POOL_NONE when full */
void pool_give(struct pool *pool, uint32_t index); /* must be taken */

/* False also for an index beyond the pool: a walk or a late answer may ask. */
static inline bool pool_is_taken(const struct pool *pool, uint32_t index)
{
    return index < pool->items_n && (pool->taken[index / 64] >> index % 64 & 1);
}

static inline void *pool_at(const struct pool *pool, uint32_t index)
{
    return pool->items + (size_t)index * pool->item_bytes;
}

#endif
