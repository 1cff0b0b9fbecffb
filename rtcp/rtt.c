/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/rtt.c - round-trip time from reports, smoothed. */
#include "rtcp/rtt.h"

int64_t rtt_sample_us(uint32_t last, uint32_t delay, uint64_t now_ntp)
{
    if (last == 0)
        return -1;
    /* One difference, then the sign: comparing the parts is wrong for 18 hours' last seconds. */
    int64_t sample_us = ntp_compact_us(ntp_compact(now_ntp) - last - delay);
    if (sample_us < 0 || sample_us > RTT_SAMPLE_MAX_US)
        return -1;
    return max_i64(sample_us, 1);
}

bool rtt_add(struct rtt *rtt, int64_t sample_us)
{
    if (sample_us <= 0 || sample_us > RTT_SAMPLE_MAX_US) {
        rtt->ignored++;
        return false;
    }
    int64_t before_us = rtt->smoothed_us;
    rtt->samples++;
    rtt->last_us = sample_us;
    rtt->smoothed_us = before_us ? max_i64((7 * before_us + sample_us) / 8, 1) : sample_us;
    return rtt->smoothed_us != before_us;
}
