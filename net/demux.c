/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/demux.c - from (socket, remote address) to transport. */
#include "net/demux.h"

#include <errno.h>

static uint32_t buckets_of(uint32_t entries_n)
{
    uint32_t n = 16;
    while (n < entries_n)
        n *= 2;
    return n;
}

size_t demux_bytes(uint32_t entries_n)
{
    return pool_bytes(sizeof(struct demux_entry), entries_n) +
           (size_t)buckets_of(entries_n) * sizeof(uint32_t) + 64;
}

void demux_init(struct demux *demux, struct arena *arena, uint32_t entries_n, uint64_t seed)
{
    pool_init(&demux->entries, arena, sizeof(struct demux_entry), entries_n);
    demux->mask = buckets_of(entries_n) - 1;
    demux->buckets = arena_take(arena, ((size_t)demux->mask + 1) * sizeof(uint32_t));
    demux->seed = (uint32_t)(seed ^ seed >> 32);
}

static uint32_t *bucket_of(const struct demux *demux, uint32_t socket, const struct addr *remote)
{
    uint32_t hash = (addr_hash(remote) ^ demux->seed ^ socket * 0x9e3779b1u) * 0x85ebca6bu;
    return &demux->buckets[(hash ^ hash >> 15) & demux->mask];
}

/* The link that holds the entry, or the chain's end. */
static uint32_t *link_of(const struct demux *demux, uint32_t socket, const struct addr *remote)
{
    uint32_t *link = bucket_of(demux, socket, remote);
    while (*link != 0) {
        struct demux_entry *entry = pool_at(&demux->entries, *link - 1);
        if (entry->socket == socket && addr_equal(&entry->remote, remote))
            break;
        link = &entry->next;
    }
    return link;
}

uint32_t demux_find(const struct demux *demux, uint32_t socket, const struct addr *remote)
{
    uint32_t link = *link_of(demux, socket, remote);
    if (link == 0)
        return DEMUX_NONE;
    return ((struct demux_entry *)pool_at(&demux->entries, link - 1))->transport;
}

int demux_put(struct demux *demux, uint32_t socket, const struct addr *remote, uint32_t transport)
{
    ASSERT(addr_is_set(remote));
    uint32_t *link = link_of(demux, socket, remote);
    if (*link != 0) {
        struct demux_entry *entry = pool_at(&demux->entries, *link - 1);
        return entry->transport == transport ? 0 : -EEXIST;
    }
    uint32_t index = pool_take(&demux->entries);
    if (index == POOL_NONE)
        return -ENOSPC;
    *(struct demux_entry *)pool_at(&demux->entries, index) =
        (struct demux_entry){.remote = *remote, .socket = socket, .transport = transport};
    *link = index + 1;
    return 0;
}

void demux_remove(struct demux *demux, uint32_t socket, const struct addr *remote)
{
    uint32_t *link = link_of(demux, socket, remote);
    if (*link == 0)
        return;
    uint32_t index = *link - 1;
    *link = ((struct demux_entry *)pool_at(&demux->entries, index))->next;
    pool_give(&demux->entries, index);
}
