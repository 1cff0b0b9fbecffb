/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tcp.c - the life of TCP connections: accepted, claimed, ended, and their deadlines. */
#include "net/tcp_parts.h"

#include <errno.h>
#include <unistd.h>

static_assert(TCP_CONNECTIONS_MAX + TCP_LISTENERS_MAX <= IO_WATCHES_MAX, "all can be watched");
static_assert((int)TCP_CONNECTIONS_MAX < (int)TCP_NONE16, "an index fits");
static_assert((int)TCP_READ_BYTES >= (int)FRAME_BUFFER_BYTES_MIN, "a frame fits a read buffer");
static_assert((FRAME_VECTORS_MAX - 2) * FRAME_CHUNK_BYTES >= (int)TCP_PENDING_BYTES_MAX,
              "one call offers the kernel all that is pending");

/* ---- memory ---- */

static uint32_t chunks_n(const struct tcp_config *config)
{
    return (uint32_t)(((uint64_t)config->pending_bytes_max + FRAME_CHUNK_BYTES - 1) /
                      FRAME_CHUNK_BYTES);
}

/* One term per holder. */
static size_t arena_sum(const struct tcp_config *config)
{
    size_t connections = config->connections_max;
    return arena_round(sizeof(struct tcp)) +
           arena_round(connections * sizeof(struct tcp_connection)) +
           arena_round(connections * sizeof(uint16_t)) +
           arena_round(TCP_HOSTS_N * sizeof(struct tcp_host)) +
           arena_round(config->listeners_max * sizeof(struct tcp_listener)) +
           frame_pool_bytes(TCP_READ_BYTES, config->connections_max) +
           frame_pool_bytes(FRAME_CHUNK_BYTES, chunks_n(config));
}

int tcp_init(struct tcp **out, const struct tcp_config *config, struct slab *slab)
{
    if (config->connections_max > TCP_CONNECTIONS_MAX || config->listeners_max > TCP_LISTENERS_MAX)
        return -EINVAL;
    struct arena arena;
    int failed = arena_init(&arena, arena_sum(config));
    if (failed)
        return failed;
    struct tcp *tcp = arena_take(&arena, sizeof(*tcp));
    tcp->slab = slab;
    tcp->accept_due_us = INT64_MAX;
    tcp->reads_left = TCP_READS_MAX;
    tcp->connections_max = config->connections_max;
    tcp->listeners_max = config->listeners_max;
    tcp->connections = arena_take(&arena, tcp->connections_max * sizeof(struct tcp_connection));
    tcp->free = arena_take(&arena, tcp->connections_max * sizeof(uint16_t));
    tcp->hosts = arena_take(&arena, TCP_HOSTS_N * sizeof(struct tcp_host));
    tcp->host_max =
        (uint32_t)clamp_i64(tcp->connections_max / 2, 1, (int64_t)TCP_UNCLAIMED_HOST_MAX);
    tcp->seed = config->seed;
    tcp->listeners = arena_take(&arena, tcp->listeners_max * sizeof(struct tcp_listener));
    frame_pool_init(&tcp->reads, &arena, TCP_READ_BYTES, tcp->connections_max);
    frame_pool_init(&tcp->chunks, &arena, FRAME_CHUNK_BYTES, chunks_n(config));
    arena_freeze(&arena);
    for (uint32_t i = 0; i < TCP_LIST_HOST; i++)
        tcp->lists[i] = (struct tcp_ends){TCP_NONE16, TCP_NONE16};
    for (uint32_t i = 0; i < tcp->listeners_max; i++)
        tcp->listeners[i].fd = -1;
    tcp->arena = arena;
    *out = tcp;
    return 0;
}

void tcp_exit(struct tcp *tcp)
{
    ASSERT(tcp->counters.connections == 0);
    ASSERT(tcp->counters.listeners == 0);
    struct arena arena = tcp->arena; /* it is in there itself */
    arena_exit(&arena);
}

uint32_t tcp_watches(const struct tcp_config *config)
{
    return config->connections_max + config->listeners_max;
}

void tcp_attach(struct tcp *tcp, struct io *io)
{
    ASSERT(tcp->io == NULL);
    tcp->io = io;
}

void tcp_rest(struct tcp *tcp)
{
    frame_pool_rest(&tcp->reads);
    frame_pool_rest(&tcp->chunks);
}

const struct tcp_counters *tcp_counters(struct tcp *tcp)
{
    tcp->counters.too_long = tcp->faults.too_long;
    tcp->counters.empty = tcp->faults.empty;
    tcp->counters.read_buffers = tcp->reads.used_n;
    tcp->counters.pending_chunks = tcp->chunks.used_n;
    return &tcp->counters;
}

/* ---- lists ---- */

uint16_t tcp_index_of(const struct tcp *tcp, const struct tcp_connection *c)
{
    return (uint16_t)(c - tcp->connections);
}

/* A host's entry without connections is all zero, so that it is not touched before there is one. */
static struct tcp_ends *ends_of(struct tcp *tcp, enum tcp_list list, const struct tcp_connection *c)
{
    return list == TCP_LIST_HOST ? &tcp->hosts[c->host].unclaimed : &tcp->lists[list];
}

void tcp_list_add(struct tcp *tcp, enum tcp_list list, struct tcp_connection *c)
{
    if (c->lists & 1u << list)
        return;
    struct tcp_ends *ends = ends_of(tcp, list, c);
    uint16_t index = tcp_index_of(tcp, c);
    c->links[list] = (struct tcp_link){.prev = ends->last, .next = TCP_NONE16};
    if (ends->last == TCP_NONE16)
        ends->first = index;
    else
        tcp->connections[ends->last].links[list].next = index;
    ends->last = index;
    c->lists = (uint8_t)(c->lists | 1u << list);
}

void tcp_list_remove(struct tcp *tcp, enum tcp_list list, struct tcp_connection *c)
{
    if (!(c->lists & 1u << list))
        return;
    struct tcp_ends *ends = ends_of(tcp, list, c);
    struct tcp_link link = c->links[list];
    if (link.prev == TCP_NONE16)
        ends->first = link.next;
    else
        tcp->connections[link.prev].links[list].next = link.next;
    if (link.next == TCP_NONE16)
        ends->last = link.prev;
    else
        tcp->connections[link.next].links[list].prev = link.prev;
    c->lists = (uint8_t)(c->lists & ~(1u << list));
}

/* ---- connections ---- */

struct tcp_id tcp_id_of(const struct tcp *tcp, const struct tcp_connection *c)
{
    return (struct tcp_id){.gen = c->gen, .index = tcp_index_of(tcp, c)};
}

struct tcp_connection *tcp_find(const struct tcp *tcp, struct tcp_id id)
{
    if (id.index >= tcp->fresh)
        return NULL;
    struct tcp_connection *c = &tcp->connections[id.index];
    return c->state != TCP_FREE && c->gen == id.gen ? c : NULL;
}

/* Lowest unused indices first, most recently given back before them. */
struct tcp_connection *tcp_take(struct tcp *tcp)
{
    uint32_t index;
    if (tcp->free_n)
        index = tcp->free[--tcp->free_n];
    else if (tcp->fresh < tcp->connections_max)
        index = tcp->fresh++;
    else
        return NULL;
    struct tcp_connection *c = &tcp->connections[index];
    ASSERT(c->state == TCP_FREE);
    uint32_t gen = c->gen + 1;
    *c = (struct tcp_connection){.gen = gen ? gen : 1, .read_buffer = FRAME_NONE};
    tcp->counters.connections++;
    return c;
}

void tcp_give(struct tcp *tcp, struct tcp_connection *c)
{
    ASSERT(c->lists == 0);
    ASSERT(c->read_buffer == FRAME_NONE);
    ASSERT(c->queue.bytes == 0);
    c->state = TCP_FREE;
    tcp->free[tcp->free_n++] = tcp_index_of(tcp, c);
    tcp->counters.connections--;
}

void tcp_add_unclaimed(struct tcp *tcp, struct tcp_connection *c)
{
    struct tcp_host *host = &tcp->hosts[c->host];
    if (host->n++ == 0)
        host->unclaimed = (struct tcp_ends){TCP_NONE16, TCP_NONE16};
    ASSERT(host->n <= tcp->host_max);
    tcp_list_add(tcp, TCP_LIST_UNCLAIMED, c);
    tcp_list_add(tcp, TCP_LIST_HOST, c);
    tcp->counters.unclaimed++;
}

static void unclaimed_remove(struct tcp *tcp, struct tcp_connection *c)
{
    if (!(c->lists & 1u << TCP_LIST_UNCLAIMED))
        return;
    tcp_list_remove(tcp, TCP_LIST_UNCLAIMED, c);
    tcp_list_remove(tcp, TCP_LIST_HOST, c);
    tcp->hosts[c->host].n--;
    tcp->counters.unclaimed--;
}

void tcp_fd_reset(struct tcp *tcp, int fd)
{
    struct linger reset = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    tcp->counters.syscalls += 2;
}

static void let_go(struct tcp *tcp, struct tcp_connection *c, bool resets)
{
    ASSERT(c->state == TCP_OPEN);
    io_unwatch(tcp->io, c->watch);
    unclaimed_remove(tcp, c);
    tcp_list_remove(tcp, TCP_LIST_READY, c);
    tcp_list_remove(tcp, TCP_LIST_DIRTY, c);
    tcp->counters.bytes_lost += c->queue.bytes;
    frame_clear(&c->queue, &tcp->chunks);
    if (c->read_buffer != FRAME_NONE)
        frame_pool_give(&tcp->reads, c->read_buffer);
    c->read_buffer = FRAME_NONE;
    if (resets) {
        tcp_fd_reset(tcp, c->fd);
    } else {
        close(c->fd);
        tcp->counters.syscalls++;
    }
    c->fd = -1;
}

void tcp_end(struct tcp *tcp, struct tcp_connection *c, enum tcp_end end, int error)
{
    tcp->counters.closed_peer += end == TCP_END_PEER;
    tcp->counters.closed_error += end == TCP_END_ERROR;
    let_go(tcp, c, false);
    if (c->owner == TCP_UNCLAIMED) {
        tcp_give(tcp, c);
        return;
    }
    c->state = TCP_ENDED;
    c->end = (uint8_t)end;
    c->error = error;
    tcp_list_add(tcp, TCP_LIST_ENDED, c);
}

bool tcp_claim(struct tcp *tcp, struct tcp_id id, uint32_t owner)
{
    ASSERT(owner != TCP_UNCLAIMED);
    struct tcp_connection *c = tcp_find(tcp, id);
    if (c == NULL)
        return false;
    unclaimed_remove(tcp, c);
    c->owner = owner;
    return true;
}

void tcp_drop_unclaimed(struct tcp *tcp, struct tcp_connection *c)
{
    tcp->counters.closed_unclaimed++;
    let_go(tcp, c, true);
    tcp_give(tcp, c);
}

bool tcp_close(struct tcp *tcp, struct tcp_id id)
{
    struct tcp_connection *c = tcp_find(tcp, id);
    if (c == NULL)
        return false;
    if (c->state == TCP_OPEN && c->queue.bytes > 0 && !c->blocked)
        tcp_write(tcp, c);
    c = tcp_find(tcp, id); /* an unclaimed one that failed is gone */
    if (c == NULL)
        return true;
    if (c->state == TCP_OPEN) {
        tcp->counters.closed_caller++;
        let_go(tcp, c, false);
    }
    tcp_list_remove(tcp, TCP_LIST_ENDED, c);
    tcp_give(tcp, c);
    return true;
}

void tcp_close_all(struct tcp *tcp)
{
    for (uint32_t i = 0; i < tcp->listeners_max; i++)
        if (tcp->listeners[i].fd >= 0)
            tcp_unlisten(tcp, i);
    for (uint32_t i = 0; i < tcp->fresh; i++)
        if (tcp->connections[i].state != TCP_FREE)
            tcp_close(tcp, tcp_id_of(tcp, &tcp->connections[i]));
}

/* ---- the turn ---- */

void tcp_turn(struct tcp *tcp, int64_t now_us)
{
    tcp->now_us = now_us;
    for (int i = 0; i < TCP_EXPIRES_MAX; i++) {
        struct tcp_connection *c = tcp_first(tcp, TCP_LIST_UNCLAIMED);
        if (c == NULL || now_us - c->accepted_us < TCP_CLAIM_US)
            break;
        tcp_drop_unclaimed(tcp, c);
    }
    tcp_accept_turn(tcp);
}

void tcp_on_ready(struct tcp *tcp, const struct io_event *event)
{
    ASSERT(event->kind == IO_READY);
    if (event->tag & TCP_TAG_LISTENER) {
        tcp_on_listener(tcp, event->tag & ~(uint32_t)TCP_TAG_LISTENER, event);
        return;
    }
    ASSERT(event->tag < tcp->fresh);
    struct tcp_connection *c = &tcp->connections[event->tag];
    ASSERT(c->state == TCP_OPEN);
    if (event->error) {
        tcp_end(tcp, c, TCP_END_ERROR, event->error);
        return;
    }
    c->hup |= event->hup;
    if (event->readable) {
        c->more = true;
        tcp_list_add(tcp, TCP_LIST_READY, c);
    }
    if (event->writable) {
        c->blocked = false;
        if (c->queue.bytes > 0)
            tcp_list_add(tcp, TCP_LIST_DIRTY, c);
    }
}

int64_t tcp_due_us(const struct tcp *tcp)
{
    ASSERT(tcp_first(tcp, TCP_LIST_DIRTY) == NULL);
    if (tcp_first(tcp, TCP_LIST_ENDED) != NULL)
        return 0;
    int64_t due_us = tcp->accept_due_us;
    const struct tcp_connection *oldest = tcp_first(tcp, TCP_LIST_UNCLAIMED);
    if (oldest != NULL)
        due_us = min_i64(due_us, oldest->accepted_us + TCP_CLAIM_US);
    if (tcp_first(tcp, TCP_LIST_READY) != NULL)
        due_us = min_i64(due_us, tcp->slab->free_n > 0 ? 0 : tcp->now_us + TCP_STARVED_US);
    return due_us;
}
