/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/memory.c - what a worker's parts take of the memory. */
#include "net/memory.h"

#include "net/exchange.h"
#include "net/mirror.h"
#include "net/state.h"

static void add(struct worker_memory *memory, enum memory_part part, const void *at, size_t bytes)
{
    memory->parts[part].mapped += bytes;
    memory->parts[part].resident += base_resident_bytes(at, bytes);
}

static void add_array(struct worker_memory *memory, enum memory_part part,
                      const struct array *array)
{
    add(memory, part, array->items, array->item_bytes * array->items_n);
}

static void add_pool(struct worker_memory *memory, enum memory_part part, const struct pool *pool)
{
    add(memory, part, pool->items, pool->item_bytes * pool->items_n);
}

/* `area` is the most that the table grows to; see table_init(). */
static void add_table(struct worker_memory *memory, enum memory_part part,
                      const struct table *table)
{
    add(memory, part, table->area, table_bytes(table->n_max));
}

static void add_objects(const struct worker *w, struct worker_memory *memory)
{
    const struct worker_config *config = &w->config;
    add_array(memory, MEMORY_TRANSPORTS, &w->transport_array);
    add_array(memory, MEMORY_PEERS, &w->peer_array);
    add(memory, MEMORY_TWCC, w->twccs, config->transports_max * sizeof *w->twccs);
    add_pool(memory, MEMORY_ADDRESSES, &w->demux.entries);
    add(memory, MEMORY_ADDRESSES, w->demux.buckets,
        ((size_t)w->demux.mask + 1) * sizeof *w->demux.buckets);
    add_table(memory, MEMORY_ADDRESSES, &w->fragments);
    add_array(memory, MEMORY_PRODUCERS, &w->producer_array);
    add_pool(memory, MEMORY_STREAMS, &w->streams);
    add(memory, MEMORY_NACKS, w->nacks, worker_streams_max(config) * sizeof *w->nacks);
    add_table(memory, MEMORY_ROUTES_IN, &w->routes_in);
    add_array(memory, MEMORY_CONSUMERS, &w->consumer_array);
    add_array(memory, MEMORY_CONSUMERS, &w->older_array);
    add_table(memory, MEMORY_ROUTES_OUT, &w->routes_out);
}

static void add_fanout(const struct worker *w, struct worker_memory *memory)
{
    size_t streams_bytes = worker_streams_max(&w->config) * sizeof(struct stream *);
    add(memory, MEMORY_FANOUT, w->records, RECORDS_N * sizeof *w->records);
    add(memory, MEMORY_FANOUT, w->batch, streams_bytes);
    for (uint32_t i = 0; i < ROUNDS_N; i++) {
        add(memory, MEMORY_FANOUT, w->rounds[i].streams, streams_bytes);
        add(memory, MEMORY_FANOUT, w->rounds[i].receivers,
            w->config.transports_max * sizeof(struct receiver));
    }
}

static void add_slots(const struct worker *w, struct worker_memory *memory)
{
    const struct slab *slab = &w->slab;
    size_t n = slab->slots_n;
    add(memory, MEMORY_SLOTS, slab->memory, n * SLOT_BYTES);
    add(memory, MEMORY_SLOT_INDEX, slab->gen, n * sizeof *slab->gen);
    add(memory, MEMORY_SLOT_INDEX, slab->state, n * sizeof *slab->state);
    add(memory, MEMORY_SLOT_INDEX, slab->warm_next, n * sizeof *slab->warm_next);
    add(memory, MEMORY_SLOT_INDEX, slab->warm_prev, n * sizeof *slab->warm_prev);
    add(memory, MEMORY_SLOT_INDEX, slab->shared, (n + 7) / 8);
    add(memory, MEMORY_SLOT_INDEX, slab->idle_since, n * sizeof *slab->idle_since);
    add(memory, MEMORY_RETENTION, w->retain, retain_map_bytes(w->retain));
    add(memory, MEMORY_RETENTION, w->resends,
        w->config.consumers_max * sizeof *w->resends); /* whose packets it gives again */
}

/* What of the worker's arena has not been named: small tables, and what lies between pieces. */
static void add_rest(const struct worker *w, struct worker_memory *memory)
{
    struct memory_bytes named = {0}, all = {.mapped = w->arena.bytes};
    all.resident = base_resident_bytes(w->arena.memory, w->arena.bytes);
    for (int i = MEMORY_TRANSPORTS; i <= MEMORY_ROUTES_OUT; i++) {
        named.mapped += memory->parts[i].mapped;
        named.resident += memory->parts[i].resident;
    }
    named.mapped += memory->parts[MEMORY_FANOUT].mapped + memory->parts[MEMORY_SOCKETS].mapped;
    named.resident +=
        memory->parts[MEMORY_FANOUT].resident + memory->parts[MEMORY_SOCKETS].resident;
    memory->parts[MEMORY_WORKER].mapped += all.mapped - min_size(named.mapped, all.mapped);
    /* Pages come and go while they are counted. */
    memory->parts[MEMORY_WORKER].resident += all.resident - min_size(named.resident, all.resident);
}

void worker_memory(const struct worker *w, struct worker_memory *memory)
{
    *memory = (struct worker_memory){0};
    add_objects(w, memory);
    add_fanout(w, memory);
    add(memory, MEMORY_SOCKETS, w->sockets, w->config.sockets_max * sizeof *w->sockets);
    add(memory, MEMORY_SOCKETS, w->socket_of_io, IO_SOCKETS_MAX * sizeof *w->socket_of_io);
    add(memory, MEMORY_TIMERS, w->timers.heap, w->timers.n_max * sizeof(struct timer *));
    add_slots(w, memory);
    add(memory, MEMORY_ENGINE, io_memory(w->io)->memory, io_memory(w->io)->bytes);
    add(memory, MEMORY_TCP, tcp_memory(w->tcp)->memory, tcp_memory(w->tcp)->bytes);
    add(memory, MEMORY_MAILBOXES, w->inbox.items, w->inbox.item_bytes * w->inbox.items_n);
    add(memory, MEMORY_MAILBOXES, w->outbox.items, w->outbox.item_bytes * w->outbox.items_n);
    if (exchange_memory(w) != NULL) {
        add(memory, MEMORY_EXCHANGE, exchange_memory(w)->memory, exchange_memory(w)->bytes);
        add(memory, MEMORY_EXCHANGE, w->mirror_refs, mirror_refs_bytes(w));
    }
    add(memory, MEMORY_WORKER, w, sizeof *w);
    add_rest(w, memory);
}
