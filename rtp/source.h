/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/source.h - what is known of one incoming RTP stream: validity, loss, jitter, rates, score.
 * RFC 3550 A.1 (validity), A.3 (loss), A.8 (jitter), right at every wrap; mediasoup's bounds (3000
 * / 1500).
 *
 * Extended sequence numbers only go up, modulo 2^32, over a restart, too: no number is ever used
 * for two packets, and newer is always seq_newer's 32-bit sister ts_newer(). Reports count cycles
 * from the (re)start, as the RFC has it. Time is an argument. Threads: the owner's. About 500
 * bytes, no allocation. */
#ifndef RTP_SOURCE_H
#define RTP_SOURCE_H

#include "core/drop.h"
#include "rtp/packet.h"
#include "rtp/rate.h"
#include "rtp/score.h"
#include "rtp/seq.h"

enum {
    SOURCE_DROPOUT_MAX = 3000,  /* a jump ahead of more is a restart in waiting */
    SOURCE_MISORDER_MAX = 1500, /* so is one this far back */
    SOURCE_SEEN_N = 2048,       /* numbers remembered for duplicates */
    SOURCE_SEQ_BAD_NONE = 0x10000,
};

static_assert(SOURCE_SEEN_N >= SOURCE_MISORDER_MAX, "whatever may come late is remembered");

struct source {
    uint32_t ssrc;
    uint32_t clock_rate;
    uint32_t seq_max;    /* extended; starts at 0x10000 + first so that going back is possible */
    uint32_t seq_base;   /* extended: where counting began */
    uint32_t cycle_base; /* what reports subtract from seq_max */
    uint32_t seq_bad;    /* next expected after a jump, RFC 3550 A.1 */
    bool started;
    bool restart;      /* the next packet begins numbering anew */
    bool timed;        /* transit is known */
    uint32_t received; /* from seq_base on, without duplicates and without RTX; mod 2^32 */
    uint32_t expected_prior, received_prior;
    uint32_t repaired, retransmitted; /* resends: useful ones, all that came */
    uint32_t resent; /* of received: answers to a NACK under the number of the stream itself */
    uint32_t repaired_prior, retransmitted_prior, resent_prior;
    int32_t lost_total;    /* of the last report: clamped to 24 bits signed */
    uint8_t fraction_lost; /* of the last report */
    uint32_t transit;      /* timestamp units */
    uint32_t jitter_q4;    /* scaled by 16 as in A.8 */
    uint32_t rtp_ts_max;   /* of the newest packet */
    int64_t arrived_us;    /* when the newest came */
    uint64_t restarts, duplicates, misordered;
    struct rate rate;
    uint64_t packets, bytes; /* valid ones, since source_init() */
    uint32_t seen_bits[SOURCE_SEEN_N / 32];
};

void source_init(struct source *source, uint32_t ssrc, uint32_t clock_rate);

/* Accounts one packet. DROP_NONE: `seq_ext` is its extended sequence number and `restarted` says
 * whether numbering began anew (first packet included: no). DROP_SEQ_INVALID: a jump, waiting for a
 * second consecutive one. DROP_DUPLICATE. */
enum drop source_receive(struct source *source, uint16_t seq, uint32_t rtp_ts, size_t bytes,
                         int64_t arrived_us, uint32_t *seq_ext, bool *restarted);

/* Another source takes this one's place: its first packet begins anew, wherever its numbers are. */
void source_restart(struct source *source, uint32_t ssrc);

/* The same for a packet recovered by RTX: no jitter, no rate (the RTX stream has its own), never a
 * start or a restart; counted as repaired when it is new. It stays lost in reports, which tell the
 * sender what the network did. */
enum drop source_recover(struct source *source, uint16_t seq, size_t bytes, uint32_t *seq_ext);

/* The packet that source_receive() has just taken (or found to be a duplicate: `useful` false) was
 * the answer to a NACK, resent without RTX. */
void source_repaired(struct source *source, bool useful);

struct source_report { /* the fields of a report block */
    uint32_t seq_max;  /* cycles and highest number */
    uint32_t jitter;
    int32_t lost_total;
    uint8_t fraction_lost;
    uint32_t expected, received, repaired,
        retransmitted; /* of this interval, as score_add() takes them */
};

/* Closes the interval. */
void source_take_report(struct source *source, struct source_report *report);

uint32_t source_jitter(const struct source *source);

#endif
