/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/frame.h - packets on a stream: RFC 4571 framing, in and out, without any I/O.
 *
 *   stream:  | length 16 | packet | length 16 | packet | ...
 *
 * In: frame_next() finds whole frames where they were received, it copies nothing. A frame longer
 * than a slot is skipped whole, an empty one is passed over, both counted: the stream stays in
 * step whatever comes.
 * Out: a queue takes a whole frame or refuses it before it is framed; how much of it the kernel
 * takes at a time does not matter, a frame that was taken is never cut.
 *
 * Threads: values, the owner's. Memory: buffers are indices into pools of a fixed number of
 * pieces, which a connection takes while something is pending and gives back after; pages are
 * touched when first used. Nothing allocates after frame_pool_init(). */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include "core/arena.h"
#include "core/drop.h"
#include "core/slab.h"

#include <sys/uio.h>

enum {
    FRAME_HEAD_BYTES = 2,
    FRAME_BYTES_MAX = SLOT_PACKET_BYTES_MAX, /* in; a longer one fits no slot */
    FRAME_BUFFER_BYTES_MIN = FRAME_HEAD_BYTES + FRAME_BYTES_MAX,
    FRAME_CHUNK_BYTES = 4096, /* a piece of a queue */
    FRAME_VECTORS_MAX = 18,   /* chunks of 64 KiB that begin and end within one */
};

enum { FRAME_NONE = UINT32_MAX };

/* ---- pieces of memory ---- */

struct frame_pool {
    uint8_t *items;
    uint32_t *next; /* of a free item: the next free one; of a taken one: its user's */
    uint32_t item_bytes, items_n;
    uint32_t used_n;
    uint32_t free_first; /* most recently given back; FRAME_NONE: none was */
    uint32_t fresh_at;   /* items from here on have never been taken */
};

size_t frame_pool_bytes(uint32_t item_bytes, uint32_t items_n); /* what it takes from the arena */
void frame_pool_init(struct frame_pool *pool, struct arena *arena, uint32_t item_bytes,
                     uint32_t items_n);

/* Most recently given back first; its bytes are whatever they were. FRAME_NONE: all are used. */
uint32_t frame_pool_take(struct frame_pool *pool);
void frame_pool_give(struct frame_pool *pool, uint32_t index);

/* When no item is used their pages go back to the system. */
void frame_pool_rest(struct frame_pool *pool);

static inline uint8_t *frame_pool_at(const struct frame_pool *pool, uint32_t index)
{
    return pool->items + (size_t)index * pool->item_bytes;
}

/* ---- in ---- */

/* Where a stream is. All zero at its start. */
struct frame_reader {
    uint32_t at, end; /* unread bytes of the buffer */
    uint32_t skip;    /* of a frame that is too long: still to come */
};

struct frame_faults {
    uint64_t too_long, empty;
};

/* Where the next bytes of the stream go, and in *room for how many there is space: never 0 when
 * frame_next() has given NULL. `buffer_bytes` >= FRAME_BUFFER_BYTES_MIN. What is unread, less than
 * a frame, is moved to the front. */
uint8_t *frame_room(struct frame_reader *reader, uint8_t *buffer, size_t buffer_bytes,
                    size_t *room);

/* So many have come. */
void frame_filled(struct frame_reader *reader, size_t bytes);

/* The next whole frame, in the buffer: 1..FRAME_BYTES_MAX bytes, as they are until frame_room().
 * NULL: more of the stream is needed first. */
const uint8_t *frame_next(struct frame_reader *reader, const uint8_t *buffer, size_t *bytes,
                          struct frame_faults *faults);

/* Nothing of the stream is in the buffer: it can serve another. */
static inline bool frame_reader_is_empty(const struct frame_reader *reader)
{
    return reader->at == reader->end;
}

/* ---- out ---- */

/* Frames that wait for the kernel, in a chain of chunks. All zero when empty. */
struct frame_queue {
    uint32_t first, last; /* chunks, while bytes > 0 */
    uint32_t bytes;       /* pending, with the frames' heads */
    uint16_t first_at;    /* of the first chunk: sent */
    uint16_t last_end;    /* of the last chunk: filled */
};

/* Copies a packet of 1..UINT16_MAX bytes and frames it. DROP_NONE; DROP_TCP_FULL: more than
 * `bytes_max` would be pending; DROP_TCP_MEMORY: the pool (of FRAME_CHUNK_BYTES) has not enough
 * chunks left. Refused is refused whole: the queue is as it was. */
enum drop frame_put(struct frame_queue *queue, struct frame_pool *pool, uint32_t bytes_max,
                    const uint8_t *packet, size_t bytes);

/* What is to be sent, in order; as many vectors as it takes, FRAME_VECTORS_MAX at most. */
size_t frame_vectors(const struct frame_queue *queue, const struct frame_pool *pool,
                     struct iovec vectors[FRAME_VECTORS_MAX]);

/* The first `bytes` of that are sent. */
void frame_sent(struct frame_queue *queue, struct frame_pool *pool, size_t bytes);

/* Forgets what is pending: the stream has ended. */
void frame_clear(struct frame_queue *queue, struct frame_pool *pool);

#endif
