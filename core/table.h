/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/table.h - a hash table of fixed capacity from a 64-bit key to a 32-bit index.
 *
 * Open addressing, linear probing, backward-shift deletion: no tombstones, so days of churn do not
 * slow it. Keys are made of our own numbers (indices, ssrcs with their transport); the hash is
 * seeded at start so that a peer cannot choose colliding ssrcs.
 *
 * Address space for the capacity is taken at once, memory follows use: the entries move to twice
 * the room when half of it is taken, and to less when a sixteenth is (2^k entries live at [2^k,
 * 2^(k+1)) of the area, so that moving needs no other memory). A move costs as much as its entries:
 * joins make them, a turn hardly ever. Memory: 32 to 64 bytes a key. Threads: the owner's. */
#ifndef CORE_TABLE_H
#define CORE_TABLE_H

#include "core/arena.h"

struct table_entry {
    uint64_t key;
    uint32_t value;
    uint32_t used;
};

struct table {
    struct table_entry *area;
    struct table_entry *entries; /* mask + 1 of them, in area */
    uint64_t seed;
    uint32_t mask;
    uint32_t mask_max;
    uint32_t n, n_max;
};

enum { TABLE_NONE = UINT32_MAX };

size_t table_bytes(uint32_t n_max);
void table_init(struct table *table, struct arena *arena, uint32_t n_max, uint64_t seed);

uint32_t table_find(const struct table *table, uint64_t key); /* value or TABLE_NONE */

/* 0, -EEXIST (unchanged), -ENOSPC. */
int table_put(struct table *table, uint64_t key, uint32_t value);
bool table_remove(struct table *table, uint64_t key); /* was it there */

#endif
