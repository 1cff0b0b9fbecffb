/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/retain.c - packets kept for NACK, once per producer stream, in their slots. */
#include "rtp/retain.h"

#include <errno.h>

#include "core/random.h"

enum { BUCKETS_MIN = 64, BLOCK = 64 };

const struct retain_rule retain_rule_default = {
    .k_q8 = 3 * 256,
    .margin_us = 100 * 1000,
    .floor_us = 200 * 1000,
    .ceiling_us = 2000 * 1000,
    .rtt_unknown_us = 100 * 1000,
};

int64_t retain_duration_us(const struct retain_rule *rule, int64_t rtt_us)
{
    ASSERT(rtt_us >= 0);
    if (rtt_us == 0)
        rtt_us = rule->rtt_unknown_us;
    int64_t rtt_max_us = (int64_t)rule->ceiling_us * 256; /* more gives the ceiling anyway */
    int64_t scaled_us = min_i64(rtt_us, rtt_max_us) * rule->k_q8 / 256;
    return clamp_i64(scaled_us + rule->margin_us, rule->floor_us, rule->ceiling_us);
}

/* Of a held slot; what it says of a slot that is not held is stale. */
struct record {
    struct retain_stream *stream;
    int64_t arrived_us;
    uint32_t seq_ext;
    uint16_t bytes;
    uint16_t chain_next;         /* slot + 1; 0 ends the chain, as it does in an empty bucket */
    uint16_t stream_next;        /* slot; undefined for the newest */
    uint16_t all_next, all_prev; /* slots; undefined at the ends */
};

static_assert(sizeof(struct record) <= 32, "retain.h promises 32 bytes a slot");
static_assert(SLAB_SLOTS_MAX <= UINT16_MAX, "slot + 1 fits");

struct retain {
    struct slab *slab;
    struct record *records; /* by slot */
    uint16_t *buckets;      /* slot + 1 of a chain's first */
    uint32_t buckets_mask;
    uint32_t budget;
    uint32_t held_n;
    uint16_t all_oldest, all_newest; /* valid while held_n > 0 */
    uint32_t ids, seed;
    struct retain_counters counters;
    size_t map_bytes;
};

/* A bijection that leaves no pattern (the finalizer of MurmurHash3). */
static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x85ebca6b;
    x ^= x >> 13;
    x *= 0xc2b2ae35;
    x ^= x >> 16;
    return x;
}

/* Neighbouring numbers share cache lines and never a bucket; blocks of them lie anywhere, and not
 * where a publisher that jumps about could foresee. */
static uint16_t *bucket_of(const struct retain *retain, const struct retain_stream *stream,
                           uint32_t seq_ext)
{
    uint32_t hash = mix(seq_ext / BLOCK ^ stream->id) ^ seq_ext % BLOCK;
    return &retain->buckets[hash & retain->buckets_mask];
}

int retain_init(struct retain **out, struct slab *slab, uint32_t budget_slots)
{
    ASSERT(budget_slots <= slab->slots_n);
    uint32_t buckets_n = BUCKETS_MIN;
    while (buckets_n < budget_slots / 2)
        buckets_n *= 2;

    size_t records_at = round_up_size(sizeof(struct retain), 64);
    size_t buckets_at = records_at + slab->slots_n * sizeof(struct record);
    size_t map_bytes = buckets_at + buckets_n * sizeof(uint16_t);
    uint8_t *map = base_map(map_bytes);
    if (!map)
        return -ENOMEM;
    struct retain *retain = (struct retain *)(void *)map;
    *retain = (struct retain){
        .slab = slab,
        .records = (struct record *)(void *)(map + records_at),
        .buckets = (uint16_t *)(void *)(map + buckets_at),
        .buckets_mask = buckets_n - 1,
        .budget = budget_slots,
        .seed = random_u32(),
        .map_bytes = map_bytes,
    };
    *out = retain;
    return 0;
}

void retain_exit(struct retain *retain)
{
    base_unmap(retain, retain->map_bytes);
}

const struct retain_counters *retain_counters(const struct retain *retain)
{
    return &retain->counters;
}

size_t retain_map_bytes(const struct retain *retain)
{
    return retain->map_bytes;
}

uint32_t retain_held_n(const struct retain *retain)
{
    return retain->held_n;
}

void retain_stream_init(struct retain *retain, struct retain_stream *stream)
{
    *stream = (struct retain_stream){.id = mix(retain->ids++ ^ retain->seed)};
}

/* ---- chains */

/* The record's slot + 1, 0 for none. */
static uint16_t chain_find(const struct retain *retain, const struct retain_stream *stream,
                           uint32_t seq_ext)
{
    uint16_t at = *bucket_of(retain, stream, seq_ext);
    while (at != 0) {
        const struct record *record = &retain->records[at - 1];
        if (record->seq_ext == seq_ext && record->stream == stream)
            break;
        at = record->chain_next;
    }
    return at;
}

static void chain_unlink(struct retain *retain, uint16_t slot)
{
    const struct record *record = &retain->records[slot];
    uint16_t *at = bucket_of(retain, record->stream, record->seq_ext);
    while (*at != slot + 1) {
        ASSERT(*at != 0);
        at = &retain->records[*at - 1].chain_next;
    }
    *at = record->chain_next;
}

/* ---- lists. Only a stream's oldest leaves, so its list has one direction. */

static void lists_append(struct retain *retain, struct retain_stream *stream, uint16_t slot)
{
    if (stream->n == 0)
        stream->oldest = slot;
    else
        retain->records[stream->newest].stream_next = slot;
    stream->newest = slot;
    stream->n++;

    if (retain->held_n == 0) {
        retain->all_oldest = slot;
    } else {
        retain->records[retain->all_newest].all_next = slot;
        retain->records[slot].all_prev = retain->all_newest;
    }
    retain->all_newest = slot;
    retain->held_n++;
}

static void lists_unlink_oldest(struct retain *retain, struct retain_stream *stream)
{
    uint16_t slot = stream->oldest;
    const struct record *record = &retain->records[slot];
    stream->oldest = record->stream_next;
    stream->n--;

    if (slot == retain->all_oldest)
        retain->all_oldest = record->all_next;
    else
        retain->records[record->all_prev].all_next = record->all_next;
    if (slot == retain->all_newest)
        retain->all_newest = record->all_prev;
    else
        retain->records[record->all_next].all_prev = record->all_prev;
    retain->held_n--;
}

static void release_oldest(struct retain *retain, struct retain_stream *stream)
{
    ASSERT(stream->n > 0);
    uint16_t slot = stream->oldest;
    ASSERT(retain->records[slot].stream == stream);
    chain_unlink(retain, slot);
    lists_unlink_oldest(retain, stream);
    slab_release(retain->slab, slot);
}

/* ---- the store */

static bool is_due(const struct record *record, const struct retain_stream *stream, int64_t now_us)
{
    return now_us - record->arrived_us >= stream->duration_us;
}

int64_t retain_expire(struct retain *retain, struct retain_stream *stream, int64_t now_us)
{
    while (stream->n > 0) {
        const struct record *oldest = &retain->records[stream->oldest];
        if (!is_due(oldest, stream, now_us))
            return oldest->arrived_us + stream->duration_us;
        release_oldest(retain, stream);
        retain->counters.expired++;
    }
    return INT64_MAX;
}

void retain_put(struct retain *retain, struct retain_stream *stream, uint16_t slot, size_t bytes,
                uint32_t seq_ext, int64_t arrived_us)
{
    ASSERT(bytes <= SLOT_PACKET_BYTES_MAX);
    retain_expire(retain, stream, arrived_us);
    if (stream->duration_us == 0 || retain->budget == 0) {
        slab_release(retain->slab, slot);
        return;
    }
    if (chain_find(retain, stream, seq_ext) != 0) {
        slab_release(retain->slab, slot);
        retain->counters.duplicate++;
        return;
    }
    if (retain->held_n == retain->budget)
        retain_evict(retain, 1);

    slab_hold(retain->slab, slot);
    uint16_t *bucket = bucket_of(retain, stream, seq_ext);
    retain->records[slot] = (struct record){
        .stream = stream,
        .arrived_us = arrived_us,
        .seq_ext = seq_ext,
        .bytes = (uint16_t)bytes,
        .chain_next = *bucket,
    };
    *bucket = (uint16_t)(slot + 1);
    lists_append(retain, stream, slot);
    retain->counters.put++;
}

bool retain_find(struct retain *retain, const struct retain_stream *stream, uint32_t seq_ext,
                 int64_t now_us, struct retain_item *item)
{
    uint16_t at = chain_find(retain, stream, seq_ext);
    if (at == 0 || is_due(&retain->records[at - 1], stream, now_us)) {
        retain->counters.missed++;
        return false;
    }
    uint16_t slot = (uint16_t)(at - 1);
    const struct record *record = &retain->records[slot];
    const struct slab *slab = retain->slab;
    *item = (struct retain_item){
        .slot = slot,
        .bytes = record->bytes,
        .seq_ext = seq_ext,
        .arrived_us = record->arrived_us,
        .ref = {.gen = slab->gen[slot], .index = slot, .worker = slab->worker},
    };
    retain->counters.found++;
    return true;
}

void retain_set_duration(struct retain *retain, struct retain_stream *stream, int64_t duration_us,
                         int64_t now_us)
{
    ASSERT(duration_us >= 0);
    stream->duration_us = duration_us;
    if (duration_us == 0)
        retain_clear(retain, stream);
    else
        retain_expire(retain, stream, now_us);
}

void retain_clear(struct retain *retain, struct retain_stream *stream)
{
    while (stream->n > 0) {
        release_oldest(retain, stream);
        retain->counters.cleared++;
    }
}

uint32_t retain_evict(struct retain *retain, uint32_t n)
{
    uint32_t evicted_n = 0;
    for (; evicted_n < n && retain->held_n > 0; evicted_n++)
        release_oldest(retain, retain->records[retain->all_oldest].stream);
    retain->counters.evicted += evicted_n;
    return evicted_n;
}

/* ---- tests */

static uint32_t check_chains(const struct retain *retain)
{
    uint32_t longest = 0;
    uint32_t sum = 0;
    for (uint32_t i = 0; i <= retain->buckets_mask; i++) {
        uint32_t length = 0;
        for (uint16_t at = retain->buckets[i]; at != 0; at = retain->records[at - 1].chain_next) {
            const struct record *record = &retain->records[at - 1];
            ASSERT(bucket_of(retain, record->stream, record->seq_ext) == &retain->buckets[i]);
            ASSERT(++length <= retain->held_n);
        }
        longest = length > longest ? length : longest;
        sum += length;
    }
    ASSERT(sum == retain->held_n);
    return longest;
}

uint32_t retain_check(const struct retain *retain)
{
    ASSERT(retain->held_n <= retain->budget);
    uint16_t at = retain->all_oldest;
    for (uint32_t i = 0; i < retain->held_n; i++) {
        const struct record *record = &retain->records[at];
        ASSERT(retain->slab->state[at] == SLOT_HELD);
        ASSERT(record->stream->n > 0);
        ASSERT(chain_find(retain, record->stream, record->seq_ext) == at + 1);
        if (i + 1 == retain->held_n)
            break;
        ASSERT(retain->records[record->all_next].all_prev == at);
        at = record->all_next;
    }
    ASSERT(retain->held_n == 0 || at == retain->all_newest);
    return check_chains(retain);
}
