/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/twcc.h - transport-wide feedback: which packets came and when, built and read.
 * draft-holmer-rmcat-transport-wide-cc-extensions-01.
 *
 * The recorder is a receiver's (one per transport that negotiated it); the reader is what a
 * congestion controller will use. It keeps the last TWCC_WINDOW_N numbers, so that one that comes
 * after its feedback was sent is reported again, together with what follows it. Threads: the
 * owner's; time is an argument; no allocation. 4.2 KB, of which the times are touched as used.
 *
 *   | sender ssrc | media ssrc | base number 16, count 16 | reference 24, feedback 8 | chunks 16
 * each | deltas in 250 us: 1 byte (0..255) or 2 (signed) per packet that came | zeros up to a word
 *   chunk:  0 SS nnnnnnnnnnnnn   a run of n      SS: 00 not received, 01 small delta, 10 large
 *           1 0 ssssssssssssss   14 of one bit
 *           1 1 ssssssssssssss   7 of two bits
 */
#ifndef RTCP_TWCC_H
#define RTCP_TWCC_H

#include "rtcp/packet.h"
#include "rtp/seq.h"

enum {
    TWCC_INTERVAL_US = 100000,                /* a feedback each */
    TWCC_WINDOW_N = 1024,                     /* numbers remembered (power of two) */
    TWCC_PENDING_MAX = TWCC_WINDOW_N / 4 * 3, /* more to be reported are fed back early */
    TWCC_TICK_US = 250,
    TWCC_REFERENCE_US = 64000,
    TWCC_BYTES_MIN = 24, /* the smallest message */
};

struct twcc_recorder {
    bool started;
    uint8_t feedback_n; /* counter in the message */
    bool stray;         /* `stray_next` is valid: a number out of the window came before */
    uint16_t stray_next;
    uint32_t base, end; /* extended numbers: [base, end) is to be reported */
    uint32_t media_ssrc;
    uint64_t seen[TWCC_WINDOW_N / 64]; /* of [end - TWCC_WINDOW_N, end) */
    uint32_t
        ticks[TWCC_WINDOW_N]; /* arrival by number, where seen; 2^32 ticks are the wire's axis */
};

void twcc_recorder_init(struct twcc_recorder *recorder);

/* True: feedback should be sent now, the window is filling up. A number that is older than the
 * window is ignored, unless the next one follows it: then numbering began anew. */
bool twcc_record(struct twcc_recorder *recorder, uint16_t number, uint32_t media_ssrc,
                 int64_t arrived_us);
bool twcc_pending(const struct twcc_recorder *recorder);

/* Appends one feedback message with as much as fits (a whole window of small deltas fits into
 * RTCP_BYTES_MAX); call again while twcc_pending(). False: nothing to report, or less room than
 * TWCC_BYTES_MIN. */
bool twcc_write(struct twcc_recorder *recorder, struct rtcp_writer *writer, uint32_t sender_ssrc);

struct twcc_item {
    uint16_t number;
    bool received;
    int64_t arrived_us; /* reference time + deltas, 0 if not received; an axis of its own */
};

struct twcc_reader {
    const uint8_t *data;
    size_t chunk_at, delta_at, end;
    uint16_t number, left, chunk, chunk_left; /* number and left: after init, base and count */
    uint8_t feedback_n;
    int64_t time_us; /* after init, the reference time */
};

/* False for a malformed message: it is checked as a whole first (chunks and deltas within bounds).
 */
bool twcc_reader_init(struct twcc_reader *reader, const uint8_t *data,
                      const struct rtcp_packet *packet);
bool twcc_reader_next(struct twcc_reader *reader, struct twcc_item *item);

/* From b to a on the reader's axis, which wraps every 12.4 days (2^24 * 64 ms). */
static inline int64_t twcc_diff_us(int64_t a_us, int64_t b_us)
{
    /* In ticks the axis is 32 bits. */
    uint32_t ticks = (uint32_t)((uint64_t)(a_us / TWCC_TICK_US) - (uint64_t)(b_us / TWCC_TICK_US));
    return (int64_t)(int32_t)ticks * TWCC_TICK_US;
}

#endif
