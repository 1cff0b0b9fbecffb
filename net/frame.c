/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/frame.c - RFC 4571 frames found in what was received, and queued to be sent. */
#include "net/frame.h"

/* ---- pieces of memory ---- */

size_t frame_pool_bytes(uint32_t item_bytes, uint32_t items_n)
{
    return arena_round((size_t)item_bytes * items_n) + arena_round(items_n * sizeof(uint32_t));
}

void frame_pool_init(struct frame_pool *pool, struct arena *arena, uint32_t item_bytes,
                     uint32_t items_n)
{
    ASSERT(items_n < FRAME_NONE);
    *pool =
        (struct frame_pool){.item_bytes = item_bytes, .items_n = items_n, .free_first = FRAME_NONE};
    pool->items = arena_take(arena, (size_t)item_bytes * items_n);
    pool->next = arena_take(arena, items_n * sizeof(uint32_t));
}

uint32_t frame_pool_take(struct frame_pool *pool)
{
    uint32_t index = pool->free_first;
    if (index != FRAME_NONE)
        pool->free_first = pool->next[index];
    else if (pool->fresh_at < pool->items_n)
        index = pool->fresh_at++;
    else
        return FRAME_NONE;
    pool->next[index] = FRAME_NONE;
    pool->used_n++;
    return index;
}

void frame_pool_give(struct frame_pool *pool, uint32_t index)
{
    ASSERT(index < pool->fresh_at);
    ASSERT(pool->used_n > 0);
    pool->next[index] = pool->free_first;
    pool->free_first = index;
    pool->used_n--;
}

void frame_pool_rest(struct frame_pool *pool)
{
    if (pool->used_n > 0 || pool->fresh_at == 0)
        return;
    base_give_back(pool->items, (size_t)pool->fresh_at * pool->item_bytes);
    base_give_back(pool->next, pool->fresh_at * sizeof(uint32_t));
    pool->free_first = FRAME_NONE;
    pool->fresh_at = 0;
}

/* ---- in ---- */

uint8_t *frame_room(struct frame_reader *reader, uint8_t *buffer, size_t buffer_bytes, size_t *room)
{
    ASSERT(buffer_bytes >= FRAME_BUFFER_BYTES_MIN);
    ASSERT(reader->at <= reader->end);
    size_t unread = reader->end - reader->at;
    if (unread > 0 && reader->at > 0)
        memmove(buffer, buffer + reader->at, unread);
    reader->at = 0;
    reader->end = (uint32_t)unread;
    *room = buffer_bytes - unread;
    return buffer + unread;
}

void frame_filled(struct frame_reader *reader, size_t bytes)
{
    ASSERT(bytes <= UINT32_MAX - reader->end);
    reader->end += (uint32_t)bytes;
}

/* Every round gets at least one byte out of the way. */
const uint8_t *frame_next(struct frame_reader *reader, const uint8_t *buffer, size_t *bytes,
                          struct frame_faults *faults)
{
    for (;;) {
        size_t unread = reader->end - reader->at;
        size_t skip = min_size(reader->skip, unread);
        reader->skip -= (uint32_t)skip;
        reader->at += (uint32_t)skip;
        unread -= skip;
        if (unread < FRAME_HEAD_BYTES)
            return NULL;

        size_t length = be16(buffer + reader->at);
        if (length == 0) {
            faults->empty++;
            reader->at += FRAME_HEAD_BYTES;
            continue;
        }
        if (length > FRAME_BYTES_MAX) {
            faults->too_long++;
            reader->at += FRAME_HEAD_BYTES;
            reader->skip = (uint32_t)length;
            continue;
        }
        if (unread - FRAME_HEAD_BYTES < length)
            return NULL;
        const uint8_t *frame = buffer + reader->at + FRAME_HEAD_BYTES;
        reader->at += FRAME_HEAD_BYTES + (uint32_t)length;
        *bytes = length;
        return frame;
    }
}

/* ---- out ---- */

/* Chunks that `bytes` more need beyond what the last one has room for. */
static size_t chunks_wanted(const struct frame_queue *queue, size_t bytes)
{
    size_t room = queue->bytes > 0 ? (size_t)FRAME_CHUNK_BYTES - queue->last_end : 0;
    if (bytes <= room)
        return 0;
    return (bytes - room + FRAME_CHUNK_BYTES - 1) / FRAME_CHUNK_BYTES;
}

static void chunk_add(struct frame_queue *queue, struct frame_pool *pool)
{
    uint32_t chunk = frame_pool_take(pool);
    ASSERT(chunk != FRAME_NONE); /* counted before */
    if (queue->bytes > 0)
        pool->next[queue->last] = chunk;
    else
        *queue = (struct frame_queue){.first = chunk};
    queue->last = chunk;
    queue->last_end = 0;
}

static void append(struct frame_queue *queue, struct frame_pool *pool, const uint8_t *data,
                   size_t bytes)
{
    while (bytes > 0) {
        if (queue->bytes == 0 || queue->last_end == FRAME_CHUNK_BYTES)
            chunk_add(queue, pool);
        size_t n = min_size(bytes, (size_t)FRAME_CHUNK_BYTES - queue->last_end);
        memcpy(frame_pool_at(pool, queue->last) + queue->last_end, data, n);
        queue->last_end = (uint16_t)(queue->last_end + n);
        queue->bytes += (uint32_t)n;
        data += n;
        bytes -= n;
    }
}

enum drop frame_put(struct frame_queue *queue, struct frame_pool *pool, uint32_t bytes_max,
                    const uint8_t *packet, size_t bytes)
{
    ASSERT(bytes > 0);
    ASSERT(bytes <= UINT16_MAX);
    ASSERT(pool->item_bytes == FRAME_CHUNK_BYTES);
    size_t whole = FRAME_HEAD_BYTES + bytes;
    if (queue->bytes >= bytes_max || whole > bytes_max - queue->bytes)
        return DROP_TCP_FULL;
    if (chunks_wanted(queue, whole) > pool->items_n - pool->used_n)
        return DROP_TCP_MEMORY;
    uint8_t head[FRAME_HEAD_BYTES];
    put_be16(head, (uint16_t)bytes);
    append(queue, pool, head, sizeof(head));
    append(queue, pool, packet, bytes);
    return DROP_NONE;
}

size_t frame_vectors(const struct frame_queue *queue, const struct frame_pool *pool,
                     struct iovec vectors[FRAME_VECTORS_MAX])
{
    size_t n = 0;
    size_t left = queue->bytes;
    size_t at = queue->first_at;
    for (uint32_t chunk = queue->first; left > 0 && n < FRAME_VECTORS_MAX; n++) {
        size_t bytes = min_size(left, FRAME_CHUNK_BYTES - at);
        vectors[n] = (struct iovec){.iov_base = frame_pool_at(pool, chunk) + at, .iov_len = bytes};
        left -= bytes;
        at = 0;
        chunk = pool->next[chunk];
    }
    return n;
}

void frame_sent(struct frame_queue *queue, struct frame_pool *pool, size_t bytes)
{
    ASSERT(bytes <= queue->bytes);
    while (bytes > 0) {
        size_t end = queue->first == queue->last ? queue->last_end : FRAME_CHUNK_BYTES;
        size_t n = min_size(bytes, end - queue->first_at);
        queue->first_at = (uint16_t)(queue->first_at + n);
        queue->bytes -= (uint32_t)n;
        bytes -= n;
        if (queue->first_at < end)
            return;
        uint32_t done = queue->first;
        queue->first = pool->next[done];
        queue->first_at = 0;
        frame_pool_give(pool, done);
    }
}

void frame_clear(struct frame_queue *queue, struct frame_pool *pool)
{
    frame_sent(queue, pool, queue->bytes);
    ASSERT(queue->bytes == 0);
}
