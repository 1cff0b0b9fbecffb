/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/route.h - which producer stream an incoming packet belongs to: by ssrc, else by MID and RID.
 * RFC 8843, 8852.
 *
 * A stream that was signalled without ssrc is bound to the one that its first packet shows. Bound:
 * one media and one RTX ssrc per encoding. Threads: the owning worker. */
#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include "net/state.h"

struct route {
    struct stream *stream;
    bool rtx;
};

/* Finds (and binds where needed) the stream of a packet. `exts` are the packet's extensions by the
 * producer's ids once it is known. DROP_NO_PRODUCER, DROP_STREAMS_FULL, DROP_PAYLOAD_TYPE,
 * DROP_RTX_UNKNOWN. */
enum drop route_find(struct worker *w, struct transport *transport, const uint8_t *data,
                     const struct rtp_packet *packet, struct route *route);

/* Binds a stream's signalled ssrcs. 0, -EEXIST (ssrc is in use on this transport), -ENOSPC; nothing
 * is bound then. */
int route_bind(struct worker *w, struct stream *stream);
void route_unbind(struct worker *w, struct stream *stream);

/* The payload type tells codec and clock rate; a producer may change it in mid-stream. Returns the
 * codec. The payload type is one of the producer's. */
enum rtp_codec route_codec(struct stream *stream, uint8_t payload_type);

/* By ssrc alone, for RTCP; NULL when unknown. */
struct stream *route_stream(const struct worker *w, const struct transport *transport,
                            uint32_t ssrc);
struct consumer *route_consumer(const struct worker *w, const struct transport *transport,
                                uint32_t ssrc);

#endif
