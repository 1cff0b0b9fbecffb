/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stunlimit.h - how many STUN error responses a worker may still send: a few a second to each
 * source, and no more than so many to all.
 *
 * Only errors are limited: a success response proves that the sender knows the password. A source
 * is an IPv4 address or an IPv6 /64, whatever the port. Sources share SOURCES_N buckets by a seeded
 * hash: a bucket is the time at which it is full again (the generic cell rate algorithm), nothing
 * is evicted, and a stranger cannot choose whose bucket to empty. 2 KiB. Threads: the owning
 * worker. */
#ifndef NET_STUNLIMIT_H
#define NET_STUNLIMIT_H

#include "core/addr.h"

enum {
    STUNLIMIT_SOURCES_N = 256, /* a power of two */
    STUNLIMIT_BURST = 5,       /* of one source, from rest; the same number a second from then on */
    STUNLIMIT_BURST_ALL = 100,
    STUNLIMIT_INTERVAL_US = 1000000 / STUNLIMIT_BURST,
    STUNLIMIT_INTERVAL_ALL_US = 1000000 / STUNLIMIT_BURST_ALL,
};

struct stunlimit {
    uint64_t seed;
    int64_t full_us; /* of all */
    int64_t sources_full_us[STUNLIMIT_SOURCES_N];
};

void stunlimit_init(struct stunlimit *limit, uint64_t seed);

/* Takes one response to `source`, if there is one left for it and for all. `now_us` does not go
 * back. */
bool stunlimit_take(struct stunlimit *limit, const struct addr *source, int64_t now_us);

#endif
