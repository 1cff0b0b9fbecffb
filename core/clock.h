/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/clock.h - CLOCK_MONOTONIC microseconds, and the NTP time of RTCP.
 *
 * Time inside is int64_t microseconds of CLOCK_MONOTONIC; NTP is uint64_t 32.32 (RFC 3550 4).
 * NTP time is derived from the monotonic clock by an offset read once at start, so that a step of
 * the wall clock never moves sender reports or RTT. Any thread. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include "core/base.h"

/* 1900 to 1970, RFC 5905 figure 4. */
#define NTP_UNIX_EPOCH_S INT64_C(2208988800)

int64_t clock_now_us(void);

/* NTP time of a monotonic time. The offset is fixed at the first call. */
uint64_t clock_ntp(int64_t now_us);

/* NTP time of microseconds since 1970; the era is lost (the first one ends in 2036). */
uint64_t ntp_from_wall_us(int64_t wall_us);

/* The middle 32 bits, RFC 3550 6.4.1 (units of 1/65536 s). */
static inline uint32_t ntp_compact(uint64_t ntp)
{
    return (uint32_t)(ntp >> 16);
}

/* Difference of compact NTP times in microseconds; right across the wrap at 18.2 hours. */
static inline int64_t ntp_compact_us(uint32_t difference)
{
    return (int64_t)(int32_t)difference * 1000000 / 65536;
}

/* Processor time of the calling thread, the kernel's for it included. A system call. */
int64_t clock_thread_us(void);

/* Wall-clock microseconds since 1970 for log lines and stats' timestamps. */
int64_t clock_wall_us(void);

#endif
