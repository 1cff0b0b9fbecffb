/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/table.c - linear probing at half load at most, so a free entry always ends a search. */
#include "core/table.h"

#include <errno.h>

static uint32_t entries_n(uint32_t n_max)
{
    ASSERT(n_max > 0 && n_max <= 1u << 30);
    uint32_t n = 2;
    while (n < 2 * n_max)
        n *= 2;
    return n;
}

size_t table_bytes(uint32_t n_max)
{
    return arena_round(entries_n(n_max) * sizeof(struct table_entry));
}

void table_init(struct table *table, struct arena *arena, uint32_t n_max, uint64_t seed)
{
    *table = (struct table){.seed = seed, .mask = entries_n(n_max) - 1, .n_max = n_max};
    table->entries = arena_take(arena, table_bytes(n_max));
}

/* Mixed twice, the seed in between as well: keys that collide for one seed do not for another. */
static uint32_t home(const struct table *table, uint64_t key)
{
    return (uint32_t)mix_u64(mix_u64(key ^ table->seed) + table->seed) & table->mask;
}

/* Entry of `key`, or the free one where it would go. */
static uint32_t seek(const struct table *table, uint64_t key)
{
    uint32_t at = home(table, key);
    while (table->entries[at].used && table->entries[at].key != key)
        at = (at + 1) & table->mask;
    return at;
}

uint32_t table_find(const struct table *table, uint64_t key)
{
    const struct table_entry *entry = &table->entries[seek(table, key)];
    return entry->used ? entry->value : TABLE_NONE;
}

int table_put(struct table *table, uint64_t key, uint32_t value)
{
    ASSERT(value != TABLE_NONE);
    struct table_entry *entry = &table->entries[seek(table, key)];
    if (entry->used)
        return -EEXIST;
    if (table->n == table->n_max)
        return -ENOSPC;
    *entry = (struct table_entry){.key = key, .value = value, .used = 1};
    table->n++;
    return 0;
}

bool table_remove(struct table *table, uint64_t key)
{
    uint32_t hole = seek(table, key);
    if (!table->entries[hole].used)
        return false;

    /* Entries behind it move up, unless that would put one before its home. */
    for (uint32_t at = (hole + 1) & table->mask; table->entries[at].used;
         at = (at + 1) & table->mask) {
        uint32_t from_home = (at - home(table, table->entries[at].key)) & table->mask;
        if (from_home >= ((at - hole) & table->mask)) {
            table->entries[hole] = table->entries[at];
            hole = at;
        }
    }
    table->entries[hole] = (struct table_entry){0};
    table->n--;
    return true;
}
