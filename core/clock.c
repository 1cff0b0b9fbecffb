/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/clock.c - reading the clocks, and the one offset between them. */
#include "core/clock.h"

#include <pthread.h>
#include <time.h>

static pthread_once_t offset_once = PTHREAD_ONCE_INIT;
static int64_t wall_offset_us; /* wall - monotonic, read once */

static int64_t read_us(clockid_t clock)
{
    struct timespec now;
    ASSERT(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_thread_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

static void read_offset(void)
{
    /* Halfway between two readings: the error is half of what lies between them at most. */
    int64_t before_us = clock_now_us();
    int64_t wall_us = clock_wall_us();
    wall_offset_us = wall_us - before_us - (clock_now_us() - before_us) / 2;
}

uint64_t clock_ntp(int64_t now_us)
{
    ASSERT(pthread_once(&offset_once, read_offset) == 0);
    return ntp_from_wall_us(now_us + wall_offset_us);
}

uint64_t ntp_from_wall_us(int64_t wall_us)
{
    ASSERT(wall_us >= -NTP_UNIX_EPOCH_S * 1000000);
    uint64_t us = (uint64_t)(wall_us + NTP_UNIX_EPOCH_S * 1000000);
    /* The seconds lose their upper bits: that is NTP's era (RFC 5905 6), the next is in 2036. */
    return us / 1000000 << 32 | (us % 1000000 << 32) / 1000000;
}
