/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/route.c - packets to producer streams. */
#include "net/route.h"

#include <errno.h>

static const struct producer_pt *pt_of(const struct producer *producer, uint8_t payload_type)
{
    uint8_t at = producer->pt_at[payload_type & 0x7f];
    return at == 0 ? NULL : &producer->pt[at - 1];
}

enum rtp_codec route_codec(struct stream *stream, uint8_t payload_type)
{
    const struct producer_pt *pt = pt_of(stream->producer, payload_type);
    ASSERT(pt != NULL);
    if (pt->clock_rate != stream->clock_rate) {
        stream->clock_rate = pt->clock_rate;
        stream->source.clock_rate = pt->clock_rate;
        stream->clock.clock_rate = pt->clock_rate;
    }
    stream->codec = pt->codec;
    return (enum rtp_codec)pt->codec;
}

static struct stream *stream_at(const struct worker *w, uint32_t value)
{
    return pool_at(&w->streams, value & ~(uint32_t)ROUTE_RTX);
}

struct stream *route_stream(const struct worker *w, const struct transport *transport,
                            uint32_t ssrc)
{
    uint32_t value = table_find(&w->routes_in, route_key(transport, ssrc));
    return value == TABLE_NONE ? NULL : stream_at(w, value);
}

struct consumer *route_consumer(const struct worker *w, const struct transport *transport,
                                uint32_t ssrc)
{
    uint32_t value = table_find(&w->routes_out, route_key(transport, ssrc));
    return value == TABLE_NONE ? NULL : &w->consumers[value];
}

static int bind_ssrc(struct worker *w, struct stream *stream, uint32_t ssrc, bool rtx)
{
    const struct transport *transport = stream->producer->transport;
    uint32_t value = stream->index | (rtx ? (uint32_t)ROUTE_RTX : 0);
    return table_put(&w->routes_in, route_key(transport, ssrc), value);
}

static void unbind_ssrc(struct worker *w, struct stream *stream, uint32_t *ssrc)
{
    struct transport *transport = stream->producer->transport;
    if (*ssrc == 0)
        return;
    table_remove(&w->routes_in, route_key(transport, *ssrc));
    if (transport->seal != NULL)
        seal_remove_in(transport->seal, *ssrc);
    *ssrc = 0;
}

int route_bind(struct worker *w, struct stream *stream)
{
    uint32_t ssrc = stream->ssrc, rtx_ssrc = stream->rtx_ssrc;
    int result = ssrc == 0 ? 0 : bind_ssrc(w, stream, ssrc, false);
    if (result != 0) {
        stream->ssrc = stream->rtx_ssrc = 0;
        return result;
    }
    result = rtx_ssrc == 0 ? 0 : bind_ssrc(w, stream, rtx_ssrc, true);
    if (result != 0) {
        stream->rtx_ssrc = 0;
        unbind_ssrc(w, stream, &stream->ssrc);
    }
    return result;
}

void route_unbind(struct worker *w, struct stream *stream)
{
    unbind_ssrc(w, stream, &stream->ssrc);
    unbind_ssrc(w, stream, &stream->rtx_ssrc);
}

static bool text_is(const uint8_t *data, const struct rtp_exts *exts, enum rtp_ext_kind kind,
                    const char *text, size_t bytes)
{
    return rtp_exts_has(exts, kind) && exts->bytes[kind] == bytes &&
           memcmp(data + exts->at[kind], text, bytes) == 0;
}

/* The encoding that an unknown ssrc of this producer is, or -1. RID first; without RID a producer
 * with one encoding takes it. */
static int encoding_of(const struct producer *producer, const uint8_t *data,
                       const struct rtp_exts *exts, bool *rtx)
{
    for (int i = 0; i < producer->encodings_n; i++) {
        const struct producer_encoding *encoding = &producer->encodings[i];
        if (encoding->rid_bytes == 0)
            continue;
        *rtx = text_is(data, exts, RTP_EXT_RRID, encoding->rid, encoding->rid_bytes);
        if (*rtx || text_is(data, exts, RTP_EXT_RID, encoding->rid, encoding->rid_bytes))
            return i;
    }
    if (producer->encodings_n != 1 || rtp_exts_has(exts, RTP_EXT_RID) ||
        rtp_exts_has(exts, RTP_EXT_RRID))
        return -1;
    *rtx = false;
    return 0;
}

/* Does MID name this producer? Without MID in the packet only RID can (`rid_only`). */
static bool producer_matches(const struct producer *producer, const uint8_t *data,
                             const struct rtp_exts *exts, bool *rid_only)
{
    *rid_only = !rtp_exts_has(exts, RTP_EXT_MID);
    if (!*rid_only)
        return producer->mid_bytes > 0 &&
               text_is(data, exts, RTP_EXT_MID, producer->mid, producer->mid_bytes);
    return rtp_exts_has(exts, RTP_EXT_RID) || rtp_exts_has(exts, RTP_EXT_RRID);
}

/* An ssrc that was signalled gives way only to who names the RID. */
static bool may_learn(const struct producer_encoding *encoding, const struct rtp_exts *exts,
                      bool rtx)
{
    return (rtx ? encoding->rtx_ssrc : encoding->ssrc) == 0 || rtp_exts_has(exts, RTP_EXT_RID) ||
           rtp_exts_has(exts, RTP_EXT_RRID);
}

/* A source that has come back under another ssrc takes its encoding's place: numbers and times
 * begin anew. */
static enum drop learn_ssrc(struct worker *w, struct stream *stream, uint32_t ssrc, bool rtx)
{
    uint32_t *known = rtx ? &stream->rtx_ssrc : &stream->ssrc;
    unbind_ssrc(w, stream, known);
    if (bind_ssrc(w, stream, ssrc, rtx) != 0)
        return DROP_STREAMS_FULL;
    if (!rtx) {
        source_restart(&stream->source, ssrc);
        stream->clock = (struct report_clock){.clock_rate = stream->clock_rate};
    }
    *known = ssrc;
    return DROP_NONE;
}

/* First packet of an ssrc that nobody signalled. RTX is told by its payload type when RRID is not
 * sent. Ssrc 0 is never learnt: it stands for "not known yet" here. */
static enum drop route_learn(struct worker *w, struct transport *transport, const uint8_t *data,
                             const struct rtp_packet *packet, struct route *route)
{
    if (packet->ssrc == 0)
        return DROP_NO_PRODUCER;
    for (struct producer *p = transport->producers; p != NULL; p = p->transport_next) {
        struct rtp_exts exts;
        bool rid_only = false;
        rtp_exts_find(&exts, data, packet, &p->ext_ids);
        if (!producer_matches(p, data, &exts, &rid_only))
            continue;
        const struct producer_pt *pt = pt_of(p, packet->payload_type);
        if (pt == NULL)
            return DROP_PAYLOAD_TYPE;
        bool rtx = false;
        int at = encoding_of(p, data, &exts, &rtx);
        if (at < 0 && rid_only)
            continue;
        if (at < 0)
            return DROP_NO_PRODUCER;
        route->rtx = rtx || pt->media_pt != REWRITE_PT_NONE;
        if (!may_learn(&p->encodings[at], &exts, route->rtx))
            return DROP_NO_PRODUCER;
        route->stream = p->streams[at];
        return learn_ssrc(w, route->stream, packet->ssrc, route->rtx);
    }
    return DROP_NO_PRODUCER;
}

enum drop route_find(struct worker *w, struct transport *transport, const uint8_t *data,
                     const struct rtp_packet *packet, struct route *route)
{
    uint32_t value = table_find(&w->routes_in, route_key(transport, packet->ssrc));
    if (value == TABLE_NONE)
        return route_learn(w, transport, data, packet, route);

    route->stream = stream_at(w, value);
    route->rtx = value & ROUTE_RTX;
    const struct producer_pt *pt = pt_of(route->stream->producer, packet->payload_type);
    if (pt == NULL)
        return DROP_PAYLOAD_TYPE;
    if (route->rtx != (pt->media_pt != REWRITE_PT_NONE))
        return DROP_RTX_UNKNOWN;
    return DROP_NONE;
}
