/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/retain.h - packets kept for NACK: once per producer stream, in their slots, for a time
 * derived from RTT.
 *
 * One store per worker over its slab: a chained hash from (stream, number) to the slot, and two
 * lists in order of arrival, per stream and over all. The links live in one small record per slot,
 * so the store is bounded by the slab and nothing is allocated after retain_init(). Retention is by
 * arrival clock, never by RTP timestamp. When slots run short, or the store's budget is spent, the
 * oldest of all streams goes first.
 *
 *   bucket -> record -> record     the same (stream, number) is there once
 *   stream:  oldest -> ... -> newest
 *   store:   oldest <-> ... <-> newest     its oldest is always some stream's oldest
 *
 * Every held slot of the store has one record: retain_held_n() is the sum of all streams' n.
 * Threads: the owning worker. Memory: 32 bytes a slot of the slab, touched as slots are used, and
 * one byte a slot of budget. */
#ifndef RTP_RETAIN_H
#define RTP_RETAIN_H

#include "core/slab.h"

/* RTT -> duration: clamp(rtt * k + margin, floor, ceiling). The default lets a receiver ask three
 * times: each try takes a round trip, the margin is what it takes to notice (a frame's gap, its
 * NACK timer). perf/RESULTS.md has the measured recovery. */
struct retain_rule {
    uint32_t k_q8; /* k in 1/256 */
    uint32_t margin_us, floor_us, ceiling_us;
    uint32_t rtt_unknown_us; /* what an unknown RTT counts as */
};

extern const struct retain_rule retain_rule_default;

/* `rtt_us` is the largest smoothed RTT of the stream's consumers that may NACK; 0 = unknown. */
int64_t retain_duration_us(const struct retain_rule *rule, int64_t rtt_us);

struct retain; /* the store */

/* Embedded in the producer's stream, which may move or go only while `n` is 0 (retain_clear()). */
struct retain_stream {
    uint16_t oldest, newest; /* slots, valid while n > 0 */
    uint32_t n;
    uint32_t id;         /* set by retain_stream_init(): unpredictable part of the hash */
    int64_t duration_us; /* 0 = nothing is retained */
};

struct retain_counters {
    uint64_t put; /* retained */
    uint64_t expired, evicted, cleared;
    uint64_t duplicate; /* put, but that number is here already */
    uint64_t found, missed;
};

/* `budget_slots` <= slab->slots_n: the most that may be held. 0, -ENOMEM. */
int retain_init(struct retain **retain, struct slab *slab, uint32_t budget_slots);
void retain_exit(struct retain *retain); /* the slots stay as they are: their slab goes, too */
const struct retain_counters *retain_counters(const struct retain *retain);
uint32_t retain_held_n(const struct retain *retain);

/* Bytes mapped from `retain` on. Any thread. */
size_t retain_map_bytes(const struct retain *retain);

void retain_stream_init(struct retain *retain, struct retain_stream *stream);

/* WORKER -> HELD by this store. The packet in the slot is plaintext RTP of `bytes` bytes with
 * extended number `seq_ext`. With duration 0, or when that number is here already, the slot is
 * released instead. Expires what is due in this stream, and evicts over budget. */
void retain_put(struct retain *retain, struct retain_stream *stream, uint16_t slot, size_t bytes,
                uint32_t seq_ext, int64_t arrived_us);

struct retain_item {
    uint16_t slot;
    uint16_t bytes;
    uint32_t seq_ext;
    int64_t arrived_us;
    struct slot_ref ref;
};

/* False when it is not (or no longer) here; one that is due is not served. */
bool retain_find(struct retain *retain, const struct retain_stream *stream, uint32_t seq_ext,
                 int64_t now_us, struct retain_item *item);

/* Releases what is due; the owner calls it by timer for idle streams. Returns when the next is due,
 * INT64_MAX for none. */
int64_t retain_expire(struct retain *retain, struct retain_stream *stream, int64_t now_us);

/* Changes the duration; a shorter one takes effect now. */
void retain_set_duration(struct retain *retain, struct retain_stream *stream, int64_t duration_us,
                         int64_t now_us);

/* Releases everything of a stream: closed, restarted. */
void retain_clear(struct retain *retain, struct retain_stream *stream);

/* Slots ran short: releases up to `n` of the oldest of all streams. Returns how many. */
uint32_t retain_evict(struct retain *retain, uint32_t n);

/* For tests: walks everything and asserts that it fits together. Returns the longest chain. */
uint32_t retain_check(const struct retain *retain);

#endif
