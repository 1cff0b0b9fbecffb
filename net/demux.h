/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/demux.h - whose datagram is this: protocol class by first byte, transport by socket and
 * remote address.
 *
 *   first byte   0..3 STUN   20..63 DTLS   128..191 RTP or RTCP   (RFC 7983; RTCP by RFC 5761)
 *
 * A peer's key on a shared socket is (socket, remote address); on a socket of its own the socket is
 * enough. Fixed number of entries, chained buckets, a seeded hash. Threads: the owning worker.
 * Nothing is allocated after demux_init(). */
#ifndef NET_DEMUX_H
#define NET_DEMUX_H

#include "core/addr.h"
#include "core/arena.h"

enum datagram_class { DATAGRAM_STUN, DATAGRAM_DTLS, DATAGRAM_MEDIA, DATAGRAM_UNKNOWN };

static inline enum datagram_class datagram_class_of(uint8_t first_byte)
{
    if (first_byte >= 128 && first_byte <= 191)
        return DATAGRAM_MEDIA;
    if (first_byte <= 3)
        return DATAGRAM_STUN;
    if (first_byte >= 20 && first_byte <= 63)
        return DATAGRAM_DTLS;
    return DATAGRAM_UNKNOWN;
}

enum { DEMUX_NONE = UINT32_MAX };

struct demux_entry {
    struct addr remote;
    uint32_t socket;
    uint32_t transport;
    uint32_t next; /* entry + 1 in the bucket's chain; 0 ends it */
};

struct demux {
    struct pool entries;
    uint32_t *buckets; /* entry + 1 */
    uint32_t mask;
    uint32_t seed;
};

size_t demux_bytes(uint32_t entries_n);
void demux_init(struct demux *demux, struct arena *arena, uint32_t entries_n, uint64_t seed);

uint32_t demux_find(const struct demux *demux, uint32_t socket, const struct addr *remote);

/* 0, -EEXIST (another transport has this address), -ENOSPC. Setting the same again is 0. */
int demux_put(struct demux *demux, uint32_t socket, const struct addr *remote, uint32_t transport);
void demux_remove(struct demux *demux, uint32_t socket, const struct addr *remote);

#endif
