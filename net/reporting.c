/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/reporting.c - reports and transport-wide feedback on their timers. */
#include "net/reporting.h"

#include "net/egress.h"
#include "net/event.h"
#include "net/exchange.h"
#include "net/recovery.h"

enum {
    TWCC_MESSAGES_MAX = 8, /* of one timer; what is left goes with the next */
    REMB_SSRCS_MAX = 32,
    REMOTE_AGE_MAX_US = 5000000,
};

struct compound { /* being written; flushed when something does not fit */
    struct worker *w;
    struct transport *transport;
    struct rtcp_writer writer;
};

static void compound_begin(struct compound *c)
{
    c->writer =
        (struct rtcp_writer){.data = io_egress_take(c->w->io), .bytes_max = EGRESS_RTCP_BYTES};
}

static void compound_end(struct compound *c)
{
    if (c->writer.at > 0)
        egress_rtcp(c->w, c->transport, c->writer.data, c->writer.at);
    else
        io_egress_untake(c->w->io, c->writer.data);
}

/* ---- about what we send ---- */

static bool sender_info_of(struct worker *w, const struct consumer *consumer,
                           struct rtcp_sender_info *info)
{
    uint32_t rtp_ts;
    if (consumer->paused || consumer->packets == 0 || consumer->map.n == 0 ||
        w->now_us - consumer->map.sent_us > REPORT_IDLE_US ||
        !report_clock_at(&consumer->stream->clock, w->now_us, &info->ntp, &rtp_ts))
        return false;
    info->rtp_ts = rtp_ts + consumer->map.newest.ts_delta;
    info->packets = (uint32_t)consumer->packets;
    info->octets = (uint32_t)consumer->payload_bytes;
    return true;
}

/* Answers to the peers' receiver reference times: the compound's sender is the consumer's ssrc or
 * ours. */
static void write_dlrr(struct compound *c, uint32_t ssrc)
{
    struct transport *transport = c->transport;
    struct rtcp_dlrr dlrrs[RRTR_N];
    if (transport->rrtr_n == 0)
        return;
    for (uint8_t i = 0; i < transport->rrtr_n; i++) {
        int64_t since_us = c->w->now_us - transport->rrtr[i].received_us;
        dlrrs[i] = (struct rtcp_dlrr){
            .ssrc = transport->rrtr[i].ssrc,
            .last_rr = transport->rrtr[i].ntp,
            .delay = (uint32_t)(max_i64(since_us, 0) * 65536 / 1000000),
        };
    }
    if (rtcp_write_xr_dlrr(&c->writer, ssrc, dlrrs, transport->rrtr_n))
        transport->rrtr_n = 0;
}

static bool write_sender(struct compound *c, const struct consumer *consumer,
                         const struct rtcp_sender_info *info)
{
    size_t before = c->writer.at;
    if (rtcp_write_sr(&c->writer, consumer->rewrite.ssrc, info, NULL, 0) &&
        rtcp_write_sdes_cname(&c->writer, consumer->rewrite.ssrc,
                              consumer->stream->producer->cname))
        return true;
    c->writer.at = before;
    return false;
}

/* The key frame may be lost for good, or the request, and a receiver that has got nothing yet does
 * not ask: a consumer that waits while packets come asks again. */
static void ask_again(struct worker *w, const struct consumer *consumer)
{
    const struct source *source = &consumer->stream->source;
    bool waits = consumer->gate == GATE_KEYFRAME && !consumer->paused;
    if (waits && source->started && !source->restart &&
        w->now_us - source->arrived_us <= REPORT_IDLE_US)
        recovery_keyframe(w, consumer->stream, false);
}

static void report_consumers(struct compound *c)
{
    struct rtcp_sender_info info;
    for (struct consumer *k = c->transport->consumers; k != NULL; k = k->transport_next) {
        ask_again(c->w, k);
        if (!sender_info_of(c->w, k, &info))
            continue;
        if (!write_sender(c, k, &info)) {
            compound_end(c);
            compound_begin(c);
            write_sender(c, k, &info);
        }
        write_dlrr(c, k->rewrite.ssrc);
    }
}

/* ---- about what we receive ---- */

/* Opus adds forward error correction by reported loss: it is told the worst of its receivers, of
 * those who still report. BEHAVIOUR 1.5. */
uint8_t reporting_worst_lost(const struct stream *stream, uint8_t own, int64_t now_us)
{
    uint8_t worst = own;
    if (stream->codec != RTP_CODEC_OPUS)
        return worst;
    for (const struct consumer *c = stream->consumers; c != NULL; c = c->stream_next)
        if (!c->paused && c->remote.reports > 0 &&
            now_us - c->remote.received_us <= REMOTE_AGE_MAX_US && c->remote.fraction_lost > worst)
            worst = c->remote.fraction_lost;
    struct stream_need need = exchange_need_of(stream);
    return need.fraction_lost > worst ? need.fraction_lost : worst;
}

static void block_of(struct worker *w, struct stream *stream, struct rtcp_report_block *block)
{
    struct source_report report;
    source_take_report(&stream->source, &report);
    *block = (struct rtcp_report_block){
        .ssrc = stream->ssrc,
        .fraction_lost = reporting_worst_lost(stream, report.fraction_lost, w->now_us),
        .lost_total = report.lost_total,
        .seq_max = report.seq_max,
        .jitter = report.jitter,
    };
    report_clock_last_sr(&stream->clock, w->now_us, &block->last_sr, &block->delay);
    if (report.expected > 0 && score_add(&stream->score, report.expected, report.received,
                                         report.repaired, report.retransmitted)) {
        event_producer_score(w, stream->producer);
        exchange_score(w, stream);
    }
}

static void write_blocks(struct compound *c, const struct rtcp_report_block *blocks,
                         size_t blocks_n)
{
    uint32_t ssrc = c->transport->ssrc;
    size_t before = c->writer.at;
    if (rtcp_write_rr(&c->writer, ssrc, blocks, blocks_n) &&
        rtcp_write_sdes_cname(&c->writer, ssrc, c->transport->cname))
        return;
    c->writer.at = before;
    compound_end(c);
    compound_begin(c);
    rtcp_write_rr(&c->writer, ssrc, blocks, blocks_n);
    rtcp_write_sdes_cname(&c->writer, ssrc, c->transport->cname);
}

/* Something came, and it has not said BYE since. */
static bool is_reported(const struct stream *stream)
{
    return stream->source.started && !stream->source.restart && stream->ssrc != 0;
}

static void report_producers(struct compound *c)
{
    struct rtcp_report_block blocks[RTCP_BLOCKS_MAX];
    size_t blocks_n = 0;
    bool any = false;
    for (struct producer *p = c->transport->producers; p != NULL; p = p->transport_next) {
        for (uint32_t e = 0; e < p->encodings_n; e++) {
            struct stream *stream = p->streams[e];
            recovery_retention_update(c->w, stream); /* shorter ones take effect here */
            if (!is_reported(stream))
                continue;
            block_of(c->w, stream, &blocks[blocks_n++]);
            any = true;
            if (blocks_n == RTCP_BLOCKS_MAX) {
                write_blocks(c, blocks, blocks_n);
                blocks_n = 0;
            }
        }
    }
    if (blocks_n > 0)
        write_blocks(c, blocks, blocks_n);
    uint64_t ntp = clock_ntp(c->w->now_us);
    if (!any || rtcp_write_xr_rrtr(&c->writer, c->transport->ssrc, ntp))
        return;
    compound_end(c); /* it has no room left: one of its own */
    compound_begin(c);
    rtcp_write_rr(&c->writer, c->transport->ssrc, NULL, 0);
    rtcp_write_sdes_cname(&c->writer, c->transport->ssrc, c->transport->cname);
    rtcp_write_xr_rrtr(&c->writer, c->transport->ssrc, ntp);
}

/* A peer that sent RRTR and gets no sender report is answered in a compound of its own. */
static void answer_rrtr(struct compound *c)
{
    if (c->transport->rrtr_n == 0)
        return;
    if (c->writer.at == 0)
        rtcp_write_rr(&c->writer, c->transport->ssrc, NULL, 0);
    write_dlrr(c, c->transport->ssrc);
}

/* ---- farewells ---- */

/* RFC 3550 6.1: a compound begins with a report and has a CNAME; BYE comes last. Written in full
 * also where reduced-size RTCP was negotiated: every receiver takes that. */
static void write_byes(struct compound *c)
{
    struct transport *transport = c->transport;
    size_t before = c->writer.at;
    bool written = before > 0 && rtcp_write_bye(&c->writer, transport->byes, transport->byes_n);
    if (!written && before > 0) {
        compound_end(c);
        compound_begin(c);
    }
    if (!written) {
        rtcp_write_rr(&c->writer, transport->ssrc, NULL, 0);
        rtcp_write_sdes_cname(&c->writer, transport->ssrc, transport->cname);
        rtcp_write_bye(&c->writer, transport->byes, transport->byes_n);
    }
    transport->byes_n = 0;
}

void reporting_send_byes(struct worker *w, struct transport *transport)
{
    struct compound c = {.w = w, .transport = transport};
    if (transport->byes_n == 0 || !egress_rtcp_is_ready(transport))
        return;
    compound_begin(&c);
    write_byes(&c);
    compound_end(&c);
}

static void add_bye(struct worker *w, struct transport *transport, uint32_t ssrc)
{
    if (transport->byes_n == BYES_N)
        reporting_send_byes(w, transport);
    if (transport->byes_n < BYES_N)
        transport->byes[transport->byes_n++] = ssrc;
}

/* RFC 3550 6.3.7: who has never sent anything MUST NOT send a BYE. */
void reporting_bye(struct worker *w, const struct consumer *consumer)
{
    if (consumer->packets > 0)
        add_bye(w, consumer->transport, consumer->rewrite.ssrc);
    if (consumer->packets_rtx > 0 && consumer->rewrite.rtx_ssrc != 0)
        add_bye(w, consumer->transport, consumer->rewrite.rtx_ssrc);
}

void reporting_cancel_bye(struct transport *transport, uint32_t ssrc)
{
    for (uint8_t i = 0; i < transport->byes_n; i++)
        if (transport->byes[i] == ssrc)
            transport->byes[i--] = transport->byes[--transport->byes_n];
}

/* ---- the controller's limit of what comes in ---- */

static size_t video_ssrcs(const struct transport *transport, uint32_t ssrcs[REMB_SSRCS_MAX])
{
    size_t n = 0;
    for (const struct producer *p = transport->producers; p != NULL; p = p->transport_next)
        for (uint32_t e = 0; p->kind == MEDIA_VIDEO && e < p->encodings_n; e++)
            if (p->streams[e]->ssrc != 0 && n < REMB_SSRCS_MAX)
                ssrcs[n++] = p->streams[e]->ssrc;
    return n;
}

/* Said with every report; that it is gone (0, as mediasoup says it), a few times. A sender takes
 * REMB as a ceiling beside its own estimate. */
static void write_limit(struct compound *c)
{
    struct transport *transport = c->transport;
    uint32_t ssrcs[REMB_SSRCS_MAX], ssrc = transport->ssrc;
    if (transport->bitrate.incoming_max == 0 && transport->remb_left == 0)
        return;
    size_t n = video_ssrcs(transport, ssrcs), before = c->writer.at;
    if (n == 0)
        return;
    if (transport->remb_left > 0)
        transport->remb_left--;
    if (before > 0 && rtcp_write_remb(&c->writer, ssrc, transport->bitrate.incoming_max, ssrcs, n))
        return;
    if (before > 0) {
        compound_end(c);
        compound_begin(c);
    }
    rtcp_write_rr(&c->writer, ssrc, NULL, 0);
    rtcp_write_sdes_cname(&c->writer, ssrc, transport->cname);
    rtcp_write_remb(&c->writer, ssrc, transport->bitrate.incoming_max, ssrcs, n);
}

/* Nobody to report to, perhaps never: what else a report's time is for. */
static void report_nothing(struct worker *w, struct transport *transport)
{
    struct rtcp_report_block block;
    for (const struct consumer *c = transport->consumers; c != NULL; c = c->transport_next)
        ask_again(w, c);
    for (struct producer *p = transport->producers; p != NULL; p = p->transport_next)
        for (uint32_t e = 0; e < p->encodings_n; e++) {
            recovery_retention_update(w, p->streams[e]);
            if (is_reported(p->streams[e]))
                block_of(w, p->streams[e], &block); /* the score */
        }
}

void reporting_send(struct worker *w, struct transport *transport)
{
    struct compound c = {.w = w, .transport = transport};
    timers_set(&w->timers, &transport->report_timer, report_next_us(w->now_us, &w->random));
    if (!transport_is_ready(transport) || !transport->speaks)
        return;
    if (!egress_rtcp_is_ready(transport)) {
        report_nothing(w, transport);
        return;
    }
    compound_begin(&c);
    report_consumers(&c);
    report_producers(&c);
    answer_rrtr(&c);
    write_limit(&c);
    if (transport->byes_n > 0)
        write_byes(&c);
    compound_end(&c);
}

/* ---- transport-wide feedback ---- */

void reporting_send_twcc(struct worker *w, struct transport *transport)
{
    struct twcc_recorder *recorder = &w->twccs[transport->index];
    if (!egress_rtcp_is_ready(transport))
        return; /* the recorder forgets the oldest when it is full */
    for (int i = 0; i < TWCC_MESSAGES_MAX && twcc_pending(recorder); i++) {
        struct compound c = {.w = w, .transport = transport};
        compound_begin(&c);
        egress_feedback_begin(transport, &c.writer);
        bool written = twcc_write(recorder, &c.writer, transport->ssrc);
        compound_end(&c);
        if (!written)
            break;
    }
}

void reporting_record_twcc(struct worker *w, struct transport *transport, uint16_t number,
                           uint32_t ssrc, int64_t arrived_us)
{
    struct twcc_recorder *recorder = &w->twccs[transport->index];
    if (!transport->twcc_started) {
        twcc_recorder_init(recorder);
        transport->twcc_started = true;
    }
    if (twcc_record(recorder, number, ssrc, arrived_us))
        reporting_send_twcc(w, transport);
    if (!timer_is_set(&transport->twcc_timer))
        timers_set(&w->timers, &transport->twcc_timer, w->now_us + TWCC_INTERVAL_US);
}
