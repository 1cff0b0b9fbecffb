/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/feedback.c - incoming RTCP. */
#include "net/feedback.h"

#include "net/event.h"
#include "net/exchange.h"
#include "net/recovery.h"
#include "net/route.h"

/* What one compound may cost, in NACKed numbers: a datagram has room for thousands of them, or for
 * hundreds of packets. Enough for the NACKs of two streams with all of a receiver's list
 * (NACK_LIST_MAX, libwebrtc's, too) and a report about each of sixty. */
enum {
    WORK_PACKET = 8,
    WORK_ITEM = 4, /* a report block, a FIR entry, a BYE's ssrc, an XR block: each is looked up */
    WORK_NUMBER = 1,
    WORK_MAX = 2 * NACK_LIST_MAX * WORK_NUMBER + 60 * WORK_ITEM + 24 * WORK_PACKET,
};

struct incoming { /* one packet of a compound on its way */
    struct transport *transport;
    const uint8_t *data;
    struct rtcp_packet packet;
    int64_t arrived_us;
    uint32_t work; /* left for the compound */
    bool cut;      /* it was not enough */
};

/* May so much more be done? What has been refused ends the compound. */
static bool may_do(struct incoming *in, uint32_t work)
{
    in->cut |= in->work < work;
    if (in->cut)
        return false;
    in->work -= work;
    return true;
}

static void trace_consumer(struct worker *w, const struct consumer *consumer,
                           enum trace_event_bit bit, uint32_t packets)
{
    if (consumer->trace_bits & bit)
        event_trace_feedback(w, OBJECT_CONSUMER, consumer->index, bit, false,
                             consumer->rewrite.ssrc, packets);
}

/* The receiver's score, from what it got of what was sent since its last report. BEHAVIOUR 2.4. */
static void score_consumer(struct worker *w, struct consumer *consumer,
                           const struct rtcp_report_block *block)
{
    struct report_remote *remote = &consumer->remote;
    uint32_t expected = block->seq_max - remote->seq_max;
    int64_t lost = (int64_t)block->lost_total - remote->lost_total;
    uint32_t repaired = (uint32_t)(consumer->packets_rtx - consumer->repaired_at_report);
    consumer->repaired_at_report = consumer->packets_rtx;
    if (remote->reports == 0 || expected == 0 || expected > INT16_MAX)
        return;
    lost = clamp_i64(lost, 0, expected);
    if (score_add(&consumer->score, expected, (uint32_t)(expected - lost), repaired, repaired))
        event_consumer_score(w, consumer);
}

static void receive_report_block(struct worker *w, const struct incoming *in,
                                 const struct rtcp_report_block *block)
{
    struct consumer *consumer = route_consumer(w, in->transport, block->ssrc);
    if (consumer == NULL || consumer->rewrite.ssrc != block->ssrc)
        return; /* about RTX, or nothing of ours */
    int64_t sample_us = rtt_sample_us(block->last_sr, block->delay, clock_ntp(in->arrived_us));
    if (sample_us >= 0) {
        rtt_add(&consumer->rtt, sample_us);
        rtt_add(&in->transport->rtt, sample_us);
        recovery_retention_rtt(w, consumer);
    }
    score_consumer(w, consumer, block);
    consumer->remote = (struct report_remote){
        .fraction_lost = block->fraction_lost,
        .lost_total = block->lost_total,
        .jitter = block->jitter,
        .seq_max = block->seq_max,
        .received_us = in->arrived_us,
        .reports = consumer->remote.reports + 1,
    };
}

static void receive_report_blocks(struct worker *w, struct incoming *in)
{
    struct rtcp_report_block block;
    for (unsigned i = 0;
         rtcp_read_report_block(in->data, &in->packet, i, &block) && may_do(in, WORK_ITEM); i++)
        receive_report_block(w, in, &block);
}

static void receive_sr(struct worker *w, struct incoming *in)
{
    struct rtcp_sender_info info;
    uint32_t ssrc;
    if (rtcp_read_ssrc(in->data, &in->packet, &ssrc) &&
        rtcp_read_sender_info(in->data, &in->packet, &info)) {
        struct stream *stream = route_stream(w, in->transport, ssrc);
        if (stream != NULL && stream->ssrc == ssrc) {
            report_clock_sr(&stream->clock, &info, in->arrived_us);
            exchange_clock(w, stream, &info, in->arrived_us);
            if (stream->producer->trace_bits & TRACE_BIT_SR)
                event_trace_feedback(w, OBJECT_PRODUCER, stream->producer->index, TRACE_BIT_SR,
                                     false, ssrc, 0);
        }
    }
    receive_report_blocks(w, in);
}

/* Kept until our next report, which answers with DLRR. One per peer ssrc, the oldest gives way. */
static void note_rrtr(struct transport *transport, uint32_t ssrc, uint64_t ntp, int64_t arrived_us)
{
    uint8_t at = 0;
    for (uint8_t i = 0; i < transport->rrtr_n; i++) {
        if (transport->rrtr[i].ssrc == ssrc) {
            at = i;
            goto found;
        }
        if (transport->rrtr[i].received_us < transport->rrtr[at].received_us)
            at = i;
    }
    if (transport->rrtr_n < RRTR_N)
        at = transport->rrtr_n++;
found:
    transport->rrtr[at].ssrc = ssrc;
    transport->rrtr[at].ntp = ntp_compact(ntp);
    transport->rrtr[at].received_us = arrived_us;
}

static void rtt_add_streams(struct incoming *in, int64_t sample_us)
{
    for (struct producer *p = in->transport->producers; p != NULL; p = p->transport_next) {
        if (!may_do(in, p->encodings_n))
            return;
        for (uint32_t e = 0; e < p->encodings_n; e++)
            rtt_add(&p->streams[e]->rtt, sample_us);
    }
}

/* DLRR names our ssrc (the sender of our RRTR): the sample is the way to this peer, for all its
 * streams. */
static void receive_dlrr(struct incoming *in, const struct rtcp_xr_block *block)
{
    struct rtcp_dlrr dlrr;
    for (unsigned i = 0; i < RTCP_BLOCKS_MAX && rtcp_read_dlrr(in->data, block, i, &dlrr); i++) {
        if (!may_do(in, WORK_ITEM))
            return;
        if (dlrr.ssrc != in->transport->ssrc)
            continue;
        int64_t sample_us = rtt_sample_us(dlrr.last_rr, dlrr.delay, clock_ntp(in->arrived_us));
        if (sample_us < 0)
            continue;
        rtt_add(&in->transport->rtt, sample_us);
        rtt_add_streams(in, sample_us);
    }
}

static void receive_xr(struct incoming *in)
{
    struct rtcp_xr_block block;
    uint32_t ssrc;
    uint64_t ntp;
    size_t at = 0;
    if (!rtcp_read_ssrc(in->data, &in->packet, &ssrc))
        return;
    while (rtcp_read_xr_block(in->data, &in->packet, &at, &block) && may_do(in, WORK_ITEM)) {
        if (block.type == 4 && rtcp_read_rrtr(in->data, &block, &ntp))
            note_rrtr(in->transport, ssrc, ntp, in->arrived_us);
        else if (block.type == 5)
            receive_dlrr(in, &block);
    }
}

static void receive_nack(struct worker *w, struct incoming *in)
{
    uint32_t ssrc, asked = 0;
    uint16_t seqs[17];
    size_t at = 0, n;
    if (!rtcp_read_media_ssrc(in->data, &in->packet, &ssrc))
        return;
    struct consumer *consumer = route_consumer(w, in->transport, ssrc);
    if (consumer == NULL || !consumer->nack || consumer->rewrite.ssrc != ssrc)
        return;
    while ((n = rtcp_read_nack(in->data, &in->packet, &at, seqs)) > 0) {
        if (!may_do(in, (uint32_t)n * WORK_NUMBER))
            break;
        for (size_t i = 0; i < n; i++)
            recovery_request(w, consumer, seqs[i]);
        asked += (uint32_t)n;
    }
    consumer->nacks++;
    trace_add(&w->trace, w->now_us, TRACE_NACK_IN, consumer->index, asked);
    trace_consumer(w, consumer, TRACE_BIT_NACK, asked);
    recovery_serve(w, consumer);
}

static void want_keyframe(struct worker *w, const struct incoming *in, uint32_t ssrc, bool fir)
{
    struct consumer *consumer = route_consumer(w, in->transport, ssrc);
    if (consumer == NULL || consumer->paused)
        return;
    consumer->plis += !fir;
    consumer->firs += fir;
    trace_consumer(w, consumer, fir ? TRACE_BIT_FIR : TRACE_BIT_PLI, 1);
    recovery_keyframe(w, consumer->stream, false);
}

static void receive_psfb(struct worker *w, struct incoming *in)
{
    uint32_t ssrc;
    uint8_t seq;
    if (in->packet.count == RTCP_FB_PLI && rtcp_read_media_ssrc(in->data, &in->packet, &ssrc))
        want_keyframe(w, in, ssrc, false);
    if (in->packet.count == RTCP_FB_FIR)
        for (unsigned i = 0;
             rtcp_read_fir(in->data, &in->packet, i, &ssrc, &seq) && may_do(in, WORK_ITEM); i++)
            want_keyframe(w, in, ssrc, true);
}

/* RFC 3550 6.6: these sources end. Of RTX there is nothing to end, nor of who only reported. */
static void receive_bye(struct worker *w, struct incoming *in)
{
    uint32_t ssrc;
    for (unsigned i = 0;
         rtcp_read_bye_ssrc(in->data, &in->packet, i, &ssrc) && may_do(in, WORK_ITEM); i++) {
        struct stream *stream = route_stream(w, in->transport, ssrc);
        if (stream != NULL && stream->ssrc == ssrc)
            recovery_source_ended(w, stream);
    }
}

/* What has no case here is understood by nobody or for later (REMB, transport-wide feedback: the
 * congestion controller). */
static void receive_packet(struct worker *w, struct incoming *in)
{
    switch (in->packet.type) {
    case RTCP_SR:
        receive_sr(w, in);
        break;
    case RTCP_RR:
        receive_report_blocks(w, in);
        break;
    case RTCP_BYE:
        receive_bye(w, in);
        break;
    case RTCP_XR:
        receive_xr(in);
        break;
    case RTCP_RTPFB:
        if (in->packet.count == RTCP_FB_NACK)
            receive_nack(w, in);
        break;
    case RTCP_PSFB:
        receive_psfb(w, in);
        break;
    default:
        break;
    }
}

enum drop feedback_receive(struct worker *w, struct transport *transport, const uint8_t *data,
                           size_t bytes, int64_t arrived_us)
{
    struct rtcp_reader reader;
    struct incoming in = {
        .transport = transport, .data = data, .arrived_us = arrived_us, .work = WORK_MAX};
    enum drop why = rtcp_reader_init(&reader, data, bytes);
    if (why != DROP_NONE)
        return why;
    while (rtcp_reader_next(&reader, &in.packet) && may_do(&in, WORK_PACKET))
        receive_packet(w, &in);
    if (in.cut)
        return DROP_RTCP_WORK;
    transport->rtcp_in++;
    w->count.rtcp_in++;
    return DROP_NONE;
}

static bool packet_concerns(const struct worker *w, const struct transport *transport,
                            const uint8_t *data, const struct rtcp_packet *packet)
{
    struct rtcp_report_block block;
    uint32_t ssrc;
    uint8_t seq;
    if (rtcp_read_ssrc(data, packet, &ssrc) && route_stream(w, transport, ssrc) != NULL)
        return true;
    if (rtcp_read_media_ssrc(data, packet, &ssrc) && route_consumer(w, transport, ssrc) != NULL)
        return true;
    for (unsigned i = 0; rtcp_read_report_block(data, packet, i, &block); i++)
        if (route_consumer(w, transport, block.ssrc) != NULL)
            return true;
    for (unsigned i = 0; rtcp_read_fir(data, packet, i, &ssrc, &seq); i++)
        if (route_consumer(w, transport, ssrc) != NULL)
            return true;
    return false;
}

bool feedback_concerns(const struct worker *w, const struct transport *transport,
                       const uint8_t *data, size_t bytes)
{
    struct rtcp_reader reader;
    struct rtcp_packet packet;
    if (rtcp_reader_init(&reader, data, bytes) != DROP_NONE)
        return false;
    while (rtcp_reader_next(&reader, &packet))
        if (packet_concerns(w, transport, data, &packet))
            return true;
    return false;
}
