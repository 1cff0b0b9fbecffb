/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/report.h - when reports are due, and what sender reports say. RFC 3550 6.2-6.4.
 *
 * A producer's clock is learnt from its sender reports (and, before the first, from arrivals), and
 * mapped to each consumer's RTP timestamps by that consumer's offset: so that receivers can still
 * align audio and video. Threads: the owner's; time is an argument. */
#ifndef RTCP_REPORT_H
#define RTCP_REPORT_H

#include "core/clock.h"
#include "core/random.h"
#include "rtcp/packet.h"
#include "rtp/source.h"

enum {
    REPORT_INTERVAL_US = 1000000,
    REPORT_GRID_US = 20000,
    REPORT_IDLE_US = 2000000,
    /* A sender report is projected for so long; then the two clocks may have drifted apart by a
     * frame's time, and arrivals say more. */
    REPORT_SR_AGE_MAX_US = 60000000,
    /* RTP time that is further than this from where it is expected was set anew. */
    REPORT_JUMP_US = 10000000,
};

/* The next report's time: interval x [1.0, 1.5], random, on a grid of REPORT_GRID_US: of a thousand
 * transports twenty report in one turn, instead of waking the worker a thousand times a second. */
int64_t report_next_us(int64_t now_us, struct random *random);

/* A producer stream's clock: where RTP time stands on our NTP axis. All zero but the clock rate is
 * its beginning. */
struct report_clock {
    uint64_t ntp;        /* sender's NTP of its last SR, 0 = none */
    uint32_t rtp_ts;     /* and its RTP time */
    int64_t received_us; /* when that SR came */
    int64_t sent_us;     /* when it would have come with the shortest transit seen lately */
    int64_t offset_us;   /* our clock less the sender's, shortest transit included */
    uint32_t arrival_ts; /* newest RTP time ... */
    int64_t arrival_us;  /* ... and when its first packet came */
    uint32_t clock_rate;
    bool arrived; /* the two above are valid */
    bool mapped;  /* the SR fits the RTP time in use */
};

void report_clock_packet(struct report_clock *clock, uint32_t rtp_ts, int64_t arrived_us);
void report_clock_sr(struct report_clock *clock, const struct rtcp_sender_info *info,
                     int64_t received_us);

/* The (NTP, RTP time) pair for a sender report at `now_us` in the producer's RTP time: what RTP
 * time corresponds to now. With a sender report it is projected from it, corrected by its transit,
 * else from the newest arrival. False when nothing was received yet or nothing for REPORT_IDLE_US.
 */
bool report_clock_at(const struct report_clock *clock, int64_t now_us, uint64_t *ntp,
                     uint32_t *rtp_ts);

/* Compact NTP of the last SR and the delay since, for report blocks; zeros without one. */
void report_clock_last_sr(const struct report_clock *clock, int64_t now_us, uint32_t *last_sr,
                          uint32_t *delay);

/* A consumer's view of receiver reports about it. */
struct report_remote {
    uint8_t fraction_lost;
    int32_t lost_total;
    uint32_t jitter;
    uint32_t seq_max;
    uint32_t packets_at_report; /* sent by then: what the interval's score is computed from */
    int64_t received_us;
    uint64_t reports;
};

#endif
