/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/seqmap.h - a consumer's numbering: producer sequence numbers to its own and back again.
 *
 * A consumer sends one gapless-where-possible sequence whatever happens behind it: packets it does
 * not take, pauses, a producer that starts anew. While everything is forwarded this is one range
 * {first in, first out, deltas}; each interruption opens another. The last SEQMAP_RANGES ranges are
 * kept: NACKs and late packets that belong to older ones are refused. Real losses stay visible as
 * gaps. Behind this interface a second form (one record per sent packet) will serve consumers that
 * drop layers.
 *
 *   in   | 7 8 . 10 |x| 12 13 14 |   pause   | 90 91 92 >        . lost   x dropped on purpose
 *   out  | 2 3 . 5  |   6  7  8  |           |  9 10 11 >
 *          range        range                  newest range: open at its end
 *
 * Whatever the calls: no out-number stands for two in-numbers. Threads: the owner's. 64 bytes, and
 * 300 of the caller's that are touched when the second range opens; no allocation. */
#ifndef RTP_SEQMAP_H
#define RTP_SEQMAP_H

#include "rtp/seq.h"

enum { SEQMAP_RANGES = 16, SEQMAP_OLDER = SEQMAP_RANGES - 1 };

struct seqmap_range {
    uint32_t first_in;  /* extended, of the producer's stream */
    uint32_t first_out; /* extended */
    uint32_t ts_delta;  /* out - in, mod 2^32 */
    uint32_t
        in_end; /* end of the numbers that belong to it; in the newest: highest forwarded + 1 */
    uint32_t stream; /* tag of the producer stream (generation included) it came from */
};

struct seqmap {
    uint8_t n;                  /* ranges, the newest included */
    uint8_t older_at;           /* the newest of `older` */
    bool sync;                  /* the next packet opens a range right behind what was sent */
    uint32_t out_max;           /* highest extended out-number sent */
    uint32_t ts_max;            /* out timestamp of the newest packet */
    struct seqmap_range newest; /* valid with n > 0 */
    int64_t sent_us;            /* when the newest packet was */
    struct seqmap_range *older; /* ring of SEQMAP_OLDER */
};

static_assert(sizeof(struct seqmap) <= 64, "a packet touches one line");

/* `seq_first` and `ts_first` are random, given by the caller (RFC 3550 5.1); a new ssrc starts in
 * [2, 2^15). `older` has SEQMAP_OLDER places, whatever is in them, and lives as long as the map. */
void seqmap_init(struct seqmap *map, uint16_t seq_first, uint32_t ts_first,
                 struct seqmap_range *older);

struct seqmap_out {
    uint16_t seq;
    uint32_t seq_ext; /* begins at seq_first: its upper half is SRTP's rollover counter */
    uint32_t rtp_ts;
    uint32_t ts_delta;
};

/* Maps a packet that is to be forwarded. Numbers behind the newest range's start go by the range
 * they belong to. Another `stream` tag than the newest range's or seqmap_sync() opens a range: its
 * timestamps continue from the last sent one by the time that has passed (`clock_rate`; at least by
 * 1) when the stream is another, and unchanged when it is the same stream. False: late, and its
 * range is gone or its place was closed (DROP_CONSUMER_GAP). The caller forwards only the stream
 * that it has chosen: a packet beyond what was sent of an older tag switches back to it. */
bool seqmap_forward(struct seqmap *map, uint32_t stream, uint32_t seq_ext, uint32_t rtp_ts,
                    uint32_t clock_rate, int64_t now_us, struct seqmap_out *out);

/* This packet is not forwarded on purpose: numbers behind it move down by one. A late one changes
 * nothing (its number stays a gap), nor does one of another stream than the newest range's. */
void seqmap_drop(struct seqmap *map, uint32_t stream, uint32_t seq_ext);

/* The next forwarded packet follows the last sent one without a gap (resume). */
void seqmap_sync(struct seqmap *map);

struct seqmap_in {
    uint32_t stream;
    uint32_t seq_ext; /* of the producer's stream */
    uint32_t out_ext;
    uint32_t ts_delta;
};

/* Which packet was sent as `seq`. False: never sent, or its range is forgotten. A number that was
 * lost before the relay gives the packet that would have had it. */
bool seqmap_reverse(const struct seqmap *map, uint16_t seq, struct seqmap_in *in);

#endif
