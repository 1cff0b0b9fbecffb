/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/resend.h - a consumer's pending and recent resends: once per RTT per packet, paced, early
 * NACKs remembered.
 *
 * Sequence numbers are the consumer's own (16 bits, as NACKed). The queue and the memory of recent
 * resends are small and fixed; what does not fit is counted and forgotten (the receiver asks
 * again). Threads: the owner's. 112 bytes, and 640 of the caller's that are touched by the first
 * NACK and may be taken back when nothing has been asked for in a while; no allocation. */
#ifndef RTP_RESEND_H
#define RTP_RESEND_H

#include "rtp/seq.h"

enum {
    RESEND_QUEUE_N = 64,
    RESEND_SETS_N = 32, /* of recent resends, by seq; in a full one the oldest gives way */
    RESEND_WAYS_N = 4,
    RESEND_EARLY_N = 8, /* NACKs for packets that have not come yet */
    RESEND_RTT_UNKNOWN_US = 100000,
    RESEND_RTT_MAX_US = 2000000, /* a longer one is no measurement */
    RESEND_BURST = 4,            /* tokens at most */
    RESEND_INTERVAL_US = 2500,   /* one token each: 400 a second, or a quarter of the stream's rate
                                    when that is more */
};

struct resend_memory {
    uint16_t queue[RESEND_QUEUE_N];

    struct resend_recent {
        uint16_t seq;
        uint16_t at_ms; /* low bits of the millisecond of the last resend, 0 = never */
    } recent[RESEND_SETS_N][RESEND_WAYS_N];
};

struct resend {
    uint8_t early_n; /* looked at for every packet that is sent */
    uint8_t queue_at, queue_n;
    bool recalls;                   /* something is in memory->recent */
    uint16_t early[RESEND_EARLY_N]; /* oldest first */
    struct resend_memory *memory;
    uint32_t interval_us;
    int64_t full_us; /* when the bucket will be full: a token taken puts it off by an interval */
    /* Packets. Until resend_clear(): requested = queued + suppressed + overflowed + early_served +
     * early_n, and queued = served + missed + queue_n. Overflowed: the queue was full, or an early
     * one made place for another. */
    uint64_t requested, queued, suppressed, served, missed, overflowed, early_served;
};

static_assert(sizeof(struct resend) <= 112, "there is one per consumer");

/* `memory` may hold anything, and lives as long. */
void resend_init(struct resend *resend, struct resend_memory *memory, int64_t now_us);

/* Nothing is queued: what is recent is forgotten, and what is in the memory does not matter until
 * the next request. False: something is. */
bool resend_forget(struct resend *resend);

/* One NACKed number. Suppressed when resent at most `rtt_us` ago (0 = unknown) or queued already.
 * `sent` says whether it has been sent at all (seq not newer than the newest sent): if not, it is
 * remembered as early. */
void resend_request(struct resend *resend, uint16_t seq, bool sent, int64_t rtt_us, int64_t now_us);

/* The next number that may be resent now, oldest first, and its token is spent; false when the
 * queue is empty or the pace forbids it. The caller serves it and calls resend_done(), or calls
 * resend_missed(), which gives the token back. */
bool resend_take(struct resend *resend, int64_t now_us, uint16_t *seq);
void resend_done(struct resend *resend, uint16_t seq, int64_t now_us); /* was sent */
void resend_missed(struct resend *resend, uint16_t seq);               /* not retained (any more) */

/* A packet with this number is about to be sent for the first time: was it asked for already?
 * Forgets it. */
bool resend_was_early(struct resend *resend, uint16_t seq);

/* When resend_take() will next succeed, `now_us` or later; INT64_MAX with an empty queue. */
int64_t resend_due_us(const struct resend *resend, int64_t now_us);

/* Pace from the stream's packet rate: max(400, a quarter of it) a second. */
void resend_set_rate(struct resend *resend, uint32_t packets_per_second);

/* Forgets what is queued, early and recent (numbers begin anew, pause); counters and pace stay. */
void resend_clear(struct resend *resend);

#endif
