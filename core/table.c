/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/table.c - linear probing at half load at most, so a free entry always ends a search. */
#include "core/table.h"

#include <errno.h>
#include <sys/mman.h>

enum { ENTRIES_MIN = 64 };

static uint32_t entries_n(uint32_t n_max)
{
    ASSERT(n_max > 0 && n_max <= 1u << 29);
    uint32_t n = 2;
    while (n < 2 * n_max)
        n *= 2;
    return n;
}

size_t table_bytes(uint32_t n_max)
{
    return arena_round(2 * (size_t)entries_n(n_max) * sizeof(struct table_entry));
}

static void set_room(struct table *table, uint32_t n)
{
    table->entries = table->area + n;
    table->mask = n - 1;
}

void table_init(struct table *table, struct arena *arena, uint32_t n_max, uint64_t seed)
{
    uint32_t n = entries_n(n_max);
    *table = (struct table){.seed = seed, .mask_max = n - 1, .n_max = n_max};
    table->area = arena_take(arena, table_bytes(n_max));
    set_room(table, n < ENTRIES_MIN ? n : ENTRIES_MIN);
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

/* Whole pages go back to the system, what shares its page with others is cleared. */
static void clear_entries(struct table_entry *entries, uint32_t n)
{
    uint8_t *at = (uint8_t *)entries, *end = (uint8_t *)(entries + n);
    size_t page = base_page_bytes();
    uint8_t *first = (uint8_t *)round_up_size((uintptr_t)at, page);
    uint8_t *last = (uint8_t *)((uintptr_t)end & ~(uintptr_t)(page - 1));
    if (first >= last || madvise(first, (size_t)(last - first), MADV_DONTNEED) != 0) {
        memset(at, 0, (size_t)(end - at));
        return;
    }
    memset(at, 0, (size_t)(first - at));
    memset(last, 0, (size_t)(end - last));
}

/* Moves everything to a room of `n` entries, which is clear. */
static void move(struct table *table, uint32_t n)
{
    struct table_entry *old = table->entries;
    uint32_t old_n = table->mask + 1;
    set_room(table, n);
    for (uint32_t i = 0; i < old_n; i++)
        if (old[i].used)
            table->entries[seek(table, old[i].key)] = old[i];
    clear_entries(old, old_n);
}

uint32_t table_find(const struct table *table, uint64_t key)
{
    const struct table_entry *entry = &table->entries[seek(table, key)];
    return entry->used ? entry->value : TABLE_NONE;
}

int table_put(struct table *table, uint64_t key, uint32_t value)
{
    ASSERT(value != TABLE_NONE);
    if (table->entries[seek(table, key)].used)
        return -EEXIST;
    if (table->n == table->n_max)
        return -ENOSPC;
    if (2 * (table->n + 1) > table->mask + 1 && table->mask < table->mask_max)
        move(table, 2 * (table->mask + 1));
    struct table_entry *entry = &table->entries[seek(table, key)];
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
    if (table->mask + 1 > ENTRIES_MIN && table->n <= (table->mask + 1) / 16)
        move(table, (table->mask + 1) / 4 > ENTRIES_MIN ? (table->mask + 1) / 4 : ENTRIES_MIN);
    return true;
}
