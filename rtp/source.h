/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/source.h - what is known of one incoming RTP stream: validity, loss, jitter, rates, score.
 * RFC 3550 A.1 (validity), A.3 (loss), A.8 (jitter), right at every wrap; mediasoup's bounds (3000 / 1500).
 *
 * Time is an argument. Threads: the owner's. 300 bytes or so, no allocation. */
#ifndef RTP_SOURCE_H
#define RTP_SOURCE_H

#include "core/drop.h"
#include "rtp/packet.h"
#include "rtp/seq.h"

enum {
    SOURCE_DROPOUT_MAX = 3000,  /* a jump ahead of more is a restart in waiting */
    SOURCE_MISORDER_MAX = 1500, /* so is one this far back */
};

/* Packets and bytes over a sliding window of one second in 20 steps, with time as argument; no allocation. */
struct rate {
    int64_t step; /* index of the newest 50 ms step */
    uint32_t bytes[20];
    uint16_t packets[20];
    uint64_t packets_total, bytes_total;
};

void rate_add(struct rate *rate, size_t bytes, int64_t now_us);
uint32_t rate_bps(const struct rate *rate, int64_t now_us);
uint32_t rate_pps(const struct rate *rate, int64_t now_us);

struct source {
    uint32_t ssrc;
    uint32_t clock_rate;
    uint32_t seq_max;  /* extended: cycles in the upper half, starts at 0x10000 + first so that going back is possible */
    uint32_t seq_base; /* extended */
    uint32_t seq_bad;  /* next expected after a jump, RFC 3550 A.1; 0x10000 = none */
    bool started;
    uint32_t received; /* without duplicates where known; mod 2^32 */
    uint32_t expected_prior, received_prior;
    uint32_t repaired, retransmitted; /* counted by the owner through source_repaired() */
    int32_t lost_total;               /* clamped to 24 bits signed when reported */
    uint8_t fraction_lost;            /* of the last report */
    uint32_t transit;                 /* timestamp units */
    uint32_t jitter_q4;               /* scaled by 16 as in A.8 */
    uint32_t rtp_ts_max;              /* of the newest packet */
    int64_t arrived_us;               /* when the newest came */
    uint64_t restarts, duplicates, misordered;
    struct rate rate;
    uint32_t seen_bits[64]; /* last 2048 sequence numbers, for duplicates */
};

void source_init(struct source *source, uint32_t ssrc, uint32_t clock_rate);

/* Accounts one packet. DROP_NONE: `seq_ext` is its extended sequence number and `restarted` says whether numbering began
 * anew (first packet included: no). DROP_SEQ_INVALID: a jump, waiting for a second consecutive one. DROP_DUPLICATE. */
enum drop source_receive(struct source *source, uint16_t seq, uint32_t rtp_ts, size_t bytes,
                         int64_t arrived_us, uint32_t *seq_ext, bool *restarted);

/* The same for a packet recovered by RTX: no jitter, never a restart; counted as repaired when it is new. */
enum drop source_recover(struct source *source, uint16_t seq, size_t bytes, uint32_t *seq_ext);

struct source_report { /* the fields of a report block */
    uint32_t seq_max;
    uint32_t jitter;
    int32_t lost_total;
    uint8_t fraction_lost;
    uint32_t expected, received; /* of this interval, for the score */
};

/* Closes the interval. */
void source_take_report(struct source *source, struct source_report *report);

uint32_t source_jitter(const struct source *source);

/* Score 0..10 per report interval and its weighted history of 24; BEHAVIOUR 2.4. New stream: 10. */
struct score {
    uint8_t history[24];
    uint8_t n;
    uint8_t value;
};

void score_init(struct score *score);
/* True when the value has changed. */
bool score_add(struct score *score, uint32_t expected, uint32_t received, uint32_t repaired,
               uint32_t retransmitted);

#endif
