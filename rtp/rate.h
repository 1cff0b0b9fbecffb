/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/rate.h - packets and bytes a second over a sliding window of one second in 10 steps.
 *
 * Time is an argument; all zero is a rate that has seen nothing. Threads: the owner's. 88 bytes, of
 * which an addition touches two places; no allocation. */
#ifndef RTP_RATE_H
#define RTP_RATE_H

#include "core/base.h"

enum { RATE_STEPS = 10, RATE_STEP_US = 100000 };

struct rate {
    int64_t step; /* index of the newest step */

    struct {
        uint32_t bytes; /* stops at its maximum */
        uint32_t packets;
    } steps[RATE_STEPS];
};

/* A time before the newest step's counts in its own step while that is in the window, else in the
 * newest. */
void rate_add(struct rate *rate, uint32_t packets, size_t bytes, int64_t now_us);

/* The newest step is not over yet, so the sum is divided by the time that it really covers. */
uint32_t rate_bps(const struct rate *rate, int64_t now_us);
uint32_t rate_pps(const struct rate *rate, int64_t now_us);

#endif
