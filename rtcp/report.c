/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/report.c - when reports are due, and what sender reports say. */
#include "rtcp/report.h"

enum {
    SECOND_US = 1000000,
    /* What two clocks may drift apart: 1 in 10000, twice what crystals do. */
    DRIFT_DIVISOR = 10000,
    /* A transit that changes by more is a step of the sender's wall clock. */
    STEP_US = 1000000,
};

int64_t report_next_us(int64_t now_us, struct random *random)
{
    int64_t after_us = REPORT_INTERVAL_US + random_below(random, REPORT_INTERVAL_US / 2 + 1);
    int64_t due_us = (now_us + after_us + REPORT_GRID_US - 1) / REPORT_GRID_US * REPORT_GRID_US;
    return due_us - now_us > REPORT_INTERVAL_US * 3 / 2 ? due_us - REPORT_GRID_US : due_us;
}

/* RTP time of a duration, modulo 2^32; in two parts, so that days of it do not overflow. */
static uint32_t ts_of_us(int64_t us, uint32_t clock_rate)
{
    int64_t whole = us / SECOND_US;
    int64_t rest = us % SECOND_US;
    return (uint32_t)(uint64_t)whole * clock_rate + (uint32_t)(rest * clock_rate / SECOND_US);
}

/* Whether RTP time `ts` is where `from_ts`, `elapsed_us` ago, lets expect it. */
static bool is_near(uint32_t ts, uint32_t from_ts, int64_t elapsed_us, uint32_t clock_rate)
{
    int64_t off = ts_diff(ts, from_ts + ts_of_us(elapsed_us, clock_rate));
    /* Rates above 200 kHz: half the circle is less than the jump. */
    int64_t limit = min_i64((int64_t)clock_rate * (REPORT_JUMP_US / SECOND_US), INT32_MAX / 2);
    return off <= limit && off >= -limit;
}

void report_clock_packet(struct report_clock *clock, uint32_t rtp_ts, int64_t arrived_us)
{
    bool near = clock->arrived && is_near(rtp_ts, clock->arrival_ts, arrived_us - clock->arrival_us,
                                          clock->clock_rate);
    if (near && !ts_newer(rtp_ts, clock->arrival_ts))
        return; /* the same frame, or a late packet */
    if (clock->arrived && !near)
        clock->mapped = false; /* RTP time was set anew: the SR tells of the old one */
    clock->arrived = true;
    clock->arrival_ts = rtp_ts;
    clock->arrival_us = arrived_us;
}

/* The sender's NTP in microseconds, for differences. */
static int64_t ntp_us(uint64_t ntp)
{
    return (int64_t)(ntp >> 32) * SECOND_US +
           (int64_t)(((ntp & UINT32_MAX) * SECOND_US + (UINT64_C(1) << 31)) >> 32);
}

void report_clock_sr(struct report_clock *clock, const struct rtcp_sender_info *info,
                     int64_t received_us)
{
    /* Queues only ever lengthen a transit, so the shortest is the truest; it may grow as fast as
     * the two clocks may drift apart. */
    int64_t offset_us = received_us - ntp_us(info->ntp);
    if (clock->ntp != 0) {
        int64_t drift_us = max_i64(received_us - clock->received_us, 0) / DRIFT_DIVISOR;
        int64_t longer_us = offset_us - clock->offset_us;
        if (longer_us > drift_us && longer_us < STEP_US)
            offset_us = clock->offset_us + drift_us;
    }
    clock->ntp = info->ntp;
    clock->rtp_ts = info->rtp_ts;
    clock->received_us = received_us;
    clock->offset_us = offset_us;
    clock->sent_us = ntp_us(info->ntp) + offset_us;
    /* "A sender that has no notion of wallclock or elapsed time may set the NTP timestamp to zero."
     */
    clock->mapped = info->ntp != 0;
}

static bool is_mapped(const struct report_clock *clock, int64_t now_us)
{
    return clock->mapped && now_us - clock->received_us <= REPORT_SR_AGE_MAX_US &&
           is_near(clock->rtp_ts, clock->arrival_ts, clock->sent_us - clock->arrival_us,
                   clock->clock_rate);
}

bool report_clock_at(const struct report_clock *clock, int64_t now_us, uint64_t *ntp,
                     uint32_t *rtp_ts)
{
    if (!clock->arrived || now_us - clock->arrival_us > REPORT_IDLE_US)
        return false;
    *ntp = clock_ntp(now_us);
    if (is_mapped(clock, now_us))
        *rtp_ts = clock->rtp_ts + ts_of_us(now_us - clock->sent_us, clock->clock_rate);
    else
        *rtp_ts = clock->arrival_ts + ts_of_us(now_us - clock->arrival_us, clock->clock_rate);
    return true;
}

void report_clock_last_sr(const struct report_clock *clock, int64_t now_us, uint32_t *last_sr,
                          uint32_t *delay)
{
    *last_sr = 0;
    *delay = 0;
    int64_t since_us = max_i64(now_us - clock->received_us, 0);
    /* The delay has 32 bits of 1/65536 s: 18.2 hours. */
    if (clock->ntp == 0 || since_us / SECOND_US > UINT16_MAX)
        return;
    *last_sr = ntp_compact(clock->ntp);
    *delay = (uint32_t)(since_us * 65536 / SECOND_US);
}
