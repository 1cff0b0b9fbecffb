/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/twcc.h - transport-wide feedback: which packets came and when, built and read.
 * draft-holmer-rmcat-transport-wide-cc-extensions-01.
 *
 * The recorder is a receiver's (one per transport that negotiated it); the reader is what a congestion controller will use.
 * Threads: the owner's; time is an argument; no allocation. */
#ifndef RTCP_TWCC_H
#define RTCP_TWCC_H

#include "rtcp/packet.h"
#include "rtp/seq.h"

enum {
    TWCC_INTERVAL_US = 100000, /* a feedback each */
    TWCC_WINDOW_N = 1024,      /* packets remembered between feedbacks; more are fed back early (power of two) */
    TWCC_TICK_US = 250,
    TWCC_REFERENCE_US = 64000,
};

struct twcc_recorder {
    int64_t arrived_us[TWCC_WINDOW_N]; /* by number, 0 = not seen */
    uint32_t base, end;                /* extended numbers: [base, end) is to be reported */
    bool started;
    uint8_t feedback_n; /* counter in the message */
    uint32_t media_ssrc;
};

void twcc_recorder_init(struct twcc_recorder *recorder);
/* True: feedback should be sent now, the window is filling up. */
bool twcc_record(struct twcc_recorder *recorder, uint16_t number, uint32_t media_ssrc, int64_t arrived_us);
bool twcc_pending(const struct twcc_recorder *recorder);
/* Appends one feedback message with as much as fits; call again while twcc_pending(). False: no room at all. */
bool twcc_write(struct twcc_recorder *recorder, struct rtcp_writer *writer, uint32_t sender_ssrc);

struct twcc_item {
    uint16_t number;
    bool received;
    int64_t arrived_us; /* reference time + deltas; an axis of its own that wraps every 12.4 days (2^24 * 64 ms) */
};

struct twcc_reader {
    const uint8_t *data;
    size_t chunk_at, delta_at, end;
    uint16_t number, left, chunk, chunk_left;
    uint8_t feedback_n;
    int64_t time_us;
    bool run;
};

/* False for a malformed message: it is checked as a whole first (chunks and deltas within bounds). */
bool twcc_reader_init(struct twcc_reader *reader, const uint8_t *data, const struct rtcp_packet *packet);
bool twcc_reader_next(struct twcc_reader *reader, struct twcc_item *item);

#endif
