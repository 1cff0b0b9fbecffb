/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stunlimit.c - token buckets of STUN error responses. */
#include "net/stunlimit.h"

static_assert((STUNLIMIT_SOURCES_N & (STUNLIMIT_SOURCES_N - 1)) == 0, "a mask picks the bucket");

void stunlimit_init(struct stunlimit *limit, uint64_t seed)
{
    *limit = (struct stunlimit){.seed = seed};
    limit->full_us = INT64_MIN;
    for (size_t i = 0; i < STUNLIMIT_SOURCES_N; i++)
        limit->sources_full_us[i] = INT64_MIN;
}

/* A host has a /64 of IPv6 addresses to itself, as it has one of IPv4. */
static int64_t *source_bucket(struct stunlimit *limit, const struct addr *source)
{
    uint64_t ip = 0;
    struct addr plain = *source;
    addr_unmap(&plain);
    if (plain.sa.sa_family == AF_INET)
        ip = plain.in.sin_addr.s_addr;
    else if (plain.sa.sa_family == AF_INET6)
        ip = be64(plain.in6.sin6_addr.s6_addr);
    uint64_t hash = mix_u64(mix_u64(ip ^ limit->seed) + limit->seed);
    return &limit->sources_full_us[hash & (STUNLIMIT_SOURCES_N - 1)];
}

/* There is one left: the bucket fills up within burst - 1 intervals, or is full. */
static bool has_one(int64_t full_us, int64_t now_us, int burst, int64_t interval_us)
{
    return full_us <= now_us || full_us - now_us <= (burst - 1) * interval_us;
}

/* `full_us - now_us` is small and positive where has_one() does not stop before it. */
static int64_t take_one(int64_t full_us, int64_t now_us, int64_t interval_us)
{
    int64_t from_us = max_i64(full_us, now_us);
    return from_us > INT64_MAX - interval_us ? INT64_MAX : from_us + interval_us;
}

bool stunlimit_take(struct stunlimit *limit, const struct addr *source, int64_t now_us)
{
    int64_t *bucket = source_bucket(limit, source);
    if (!has_one(*bucket, now_us, STUNLIMIT_BURST, STUNLIMIT_INTERVAL_US) ||
        !has_one(limit->full_us, now_us, STUNLIMIT_BURST_ALL, STUNLIMIT_INTERVAL_ALL_US))
        return false;
    *bucket = take_one(*bucket, now_us, STUNLIMIT_INTERVAL_US);
    limit->full_us = take_one(limit->full_us, now_us, STUNLIMIT_INTERVAL_ALL_US);
    return true;
}
