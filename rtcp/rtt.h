/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/rtt.h - round-trip time from reports, smoothed. RFC 3550 6.4.1 (SR/RR), RFC 3611 4.4-4.5
 * (XR RRTR/DLRR).
 *
 * Samples above 2 s, negative ones and those without a last report are ignored. Right across the
 * wrap of compact NTP every 18.2 hours, and with a delay of 0. Threads: the owner's; time is an
 * argument. */
#ifndef RTCP_RTT_H
#define RTCP_RTT_H

#include "core/clock.h"

enum { RTT_SAMPLE_MAX_US = 2000000 };

struct rtt {
    int64_t smoothed_us; /* 0 = unknown; average = (7 * old + new) / 8 */
    int64_t last_us;
    uint64_t samples, ignored;
};

/* `last` and `delay` as in a report block or DLRR item (compact NTP, 1/65536 s), `now_ntp` the time
 * of arrival. Returns the sample in us, 1 to RTT_SAMPLE_MAX_US, or -1 when there is none (last ==
 * 0) or it is nonsense. A sample of 0 counts as 1 us: both sides round to 15 us. */
int64_t rtt_sample_us(uint32_t last, uint32_t delay, uint64_t now_ntp);

/* Takes what rtt_sample_us() returned; -1 is counted as ignored. True when the smoothed value has
 * changed. */
bool rtt_add(struct rtt *rtt, int64_t sample_us);

#endif
