/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/frame_fuzz.c - a stream of frames, cut anywhere, and a queue of frames, sent in any
 * parts.
 *
 * In: the first two bytes say how the rest is cut; what the reader gives must be what a plain walk
 * over the whole finds. Out: the same bytes are orders to queue and to send; what is sent must be
 * the frames that were taken, whole and in order. */
#include "net/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { CHUNKS_N = 4, QUEUE_BYTES_MAX = 20000, READ_BYTES = 4096, MODEL_BYTES = 32768 };

/* The next frame that is to come of the whole stream; NULL: none. */
static const uint8_t *walk(const uint8_t **at, const uint8_t *end, size_t *length,
                           struct frame_faults *faults)
{
    while (end - *at >= FRAME_HEAD_BYTES) {
        const uint8_t *frame = *at + FRAME_HEAD_BYTES;
        *length = be16(*at);
        faults->empty += *length == 0;
        faults->too_long += *length > FRAME_BYTES_MAX;
        if ((size_t)(end - frame) < *length)
            return NULL;
        *at = frame + *length;
        if (*length > 0 && *length <= FRAME_BYTES_MAX)
            return frame;
    }
    return NULL;
}

static void read_stream(const uint8_t *data, size_t bytes, uint8_t cut, uint8_t step)
{
    static uint8_t buffer[READ_BYTES];
    struct frame_reader reader = {0};
    struct frame_faults faults = {0}, expected_faults = {0};
    const uint8_t *walked = data;
    size_t cut_bytes = cut;
    for (size_t at = 0; at < bytes;) {
        size_t room = 0;
        uint8_t *to = frame_room(&reader, buffer, sizeof(buffer), &room);
        ASSERT(room > 0);
        size_t n = min_size(min_size(room, 1 + cut_bytes), bytes - at);
        memcpy(to, data + at, n);
        frame_filled(&reader, n);
        at += n;
        cut_bytes = (cut_bytes * 3 + step) % READ_BYTES;

        const uint8_t *frame;
        size_t length = 0;
        while ((frame = frame_next(&reader, buffer, &length, &faults)) != NULL) {
            size_t expected_length = 0;
            const uint8_t *expected =
                walk(&walked, data + bytes, &expected_length, &expected_faults);
            ASSERT(expected != NULL);
            ASSERT(length == expected_length);
            ASSERT(memcmp(frame, expected, length) == 0);
        }
        ASSERT(reader.end - reader.at < FRAME_BUFFER_BYTES_MIN);
    }
    size_t length = 0;
    ASSERT(walk(&walked, data + bytes, &length, &expected_faults) == NULL);
    ASSERT(faults.empty == expected_faults.empty);
    ASSERT(faults.too_long == expected_faults.too_long);
}

/* The bytes that are pending, by the book. */
struct model {
    uint8_t bytes[MODEL_BYTES];
    size_t n;
};

static void compare(const struct frame_queue *queue, const struct frame_pool *pool,
                    const struct model *model)
{
    struct iovec vectors[FRAME_VECTORS_MAX];
    size_t n = frame_vectors(queue, pool, vectors);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        ASSERT(vectors[i].iov_len > 0);
        ASSERT(at + vectors[i].iov_len <= model->n);
        ASSERT(memcmp(vectors[i].iov_base, model->bytes + at, vectors[i].iov_len) == 0);
        at += vectors[i].iov_len;
    }
    ASSERT(at == model->n);
    ASSERT(queue->bytes == model->n);
    ASSERT((pool->used_n == 0) == (model->n == 0));
}

static void put(struct frame_queue *queue, struct frame_pool *pool, struct model *model,
                size_t length)
{
    static uint8_t packet[4096];
    memset(packet, (int)(length * 7 + 1), length);
    uint32_t used_n = pool->used_n;
    enum drop why = frame_put(queue, pool, QUEUE_BYTES_MAX, packet, length);
    if (why == DROP_NONE) {
        put_be16(model->bytes + model->n, (uint16_t)length);
        memcpy(model->bytes + model->n + FRAME_HEAD_BYTES, packet, length);
        model->n += FRAME_HEAD_BYTES + length;
        return;
    }
    ASSERT(why == DROP_TCP_FULL || why == DROP_TCP_MEMORY);
    ASSERT((why == DROP_TCP_FULL) == (model->n + FRAME_HEAD_BYTES + length > QUEUE_BYTES_MAX));
    ASSERT(pool->used_n == used_n);
}

static void write_stream(const uint8_t *data, size_t bytes)
{
    static struct model model;
    static struct arena arena;
    static struct frame_pool pool;
    struct frame_queue queue = {0};
    if (arena.memory == NULL) {
        ASSERT(arena_init(&arena, frame_pool_bytes(FRAME_CHUNK_BYTES, CHUNKS_N)) == 0);
        frame_pool_init(&pool, &arena, FRAME_CHUNK_BYTES, CHUNKS_N);
    }
    model.n = 0;
    for (size_t at = 0; at + 2 <= bytes && at < 1024; at += 2) {
        size_t n = be16(data + at) & 0x7fff;
        if (data[at] & 0x80) {
            put(&queue, &pool, &model, 1 + n % 4096);
        } else {
            n = min_size(n, model.n);
            frame_sent(&queue, &pool, n);
            memmove(model.bytes, model.bytes + n, model.n - n);
            model.n -= n;
        }
        compare(&queue, &pool, &model);
    }
    frame_clear(&queue, &pool);
    ASSERT(pool.used_n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2)
        return 0;
    read_stream(data + 2, bytes - 2, data[0], data[1]);
    write_stream(data + 2, bytes - 2);
    return 0;
}
