/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/recovery.c - NACK and key frames, both ways, and how long packets are retained. */
#include "net/recovery.h"

#include "net/egress.h"
#include "net/event.h"
#include "net/mirror.h"

enum {
    NACK_MESSAGE_MAX = 253,
    SERVE_MAX = RESEND_QUEUE_N,
    EXPIRY_SLACK_US = 100000,
    RESENDS_IDLE_US = 5000000, /* longer than any RTT that a resend is remembered for */
};

static_assert((int)RESENDS_IDLE_US > (int)RESEND_RTT_MAX_US, "once per RTT");

/* ---- towards receivers ---- */

void recovery_request(struct worker *w, struct consumer *consumer, uint16_t seq)
{
    bool sent = !seq_newer(seq, (uint16_t)consumer->map.out_max) && consumer->packets > 0;
    resend_request(&consumer->resend, seq, sent, consumer->rtt.smoothed_us, w->now_us);
    w->resends_asked_us[consumer->index / RESEND_GROUP_N] = w->now_us;
    consumer->nacked++;
    w->count.nack_requested++;
}

/* The plaintext packet, in our retention or that of the worker it came to; NULL: gone. */
static const uint8_t *find_kept(struct worker *w, const struct stream *stream, uint32_t seq_ext,
                                size_t *bytes)
{
    struct retain_item item;
    if (stream->producer->source.elsewhere)
        return mirror_find(w, stream, seq_ext, bytes);
    if (!retain_find(w->retain, &stream->retain, seq_ext, w->now_us, &item))
        return NULL;
    *bytes = item.bytes;
    return slab_packet(&w->slab, item.slot);
}

/* Finds the packet that went out as `seq` and sends it again; DROP_* says why not. */
static enum drop serve_one(struct worker *w, struct consumer *consumer, uint16_t seq)
{
    struct stream *stream = consumer->stream;
    struct seqmap_in in;
    size_t bytes = 0;
    if (!seqmap_reverse(&consumer->map, seq, &in) || in.stream != stream->tag)
        return DROP_CONSUMER_GAP;
    const uint8_t *data = find_kept(w, stream, in.seq_ext, &bytes);
    if (data == NULL)
        return DROP_EVICTED;
    struct rtp_packet packet;
    struct rtp_exts exts;
    enum drop why = rtp_packet_parse(&packet, data, bytes);
    ASSERT(why == DROP_NONE); /* it parsed when it came, and slots are immutable */
    ASSERT(packet.seq == (uint16_t)in.seq_ext);
    rtp_exts_find(&exts, data, &packet, &stream->producer->ext_ids);

    int pt = rewrite_pt_find(&consumer->rewrite, packet.payload_type);
    if (pt < 0)
        return DROP_CONSUMER_PT;
    if (rewrite_size(&consumer->rewrite, &packet, &exts) > PACKET_BYTES_MAX)
        return DROP_TOO_LONG; /* as the first time; RTX's two bytes more are no reason */
    struct rewrite_numbers numbers = {.seq = seq, .rtp_ts = packet.rtp_ts + in.ts_delta, .pt = pt};
    bool rtx = consumer->rewrite.rtx_ssrc != 0 && consumer->rewrite.pt[pt].rtx != REWRITE_PT_NONE;
    why = egress_resend(w, consumer, data, &packet, &exts, &numbers, rtx ? consumer->rtx_seq : -1);
    if (why == DROP_NONE && rtx)
        consumer->rtx_seq++;
    return why;
}

void recovery_serve(struct worker *w, struct consumer *consumer)
{
    uint16_t seq;
    resend_set_rate(&consumer->resend, rate_pps(&consumer->rate, w->now_us));
    for (int i = 0; i < SERVE_MAX && resend_take(&consumer->resend, w->now_us, &seq); i++) {
        if (transport_is_ready(consumer->transport) && serve_one(w, consumer, seq) == DROP_NONE) {
            resend_done(&consumer->resend, seq, w->now_us);
            w->count.nack_served++;
        } else {
            resend_missed(&consumer->resend, seq);
            w->count.nack_missed++;
        }
    }
    int64_t due_us = resend_due_us(&consumer->resend, w->now_us);
    if (due_us != INT64_MAX)
        timers_set(&w->timers, &consumer->resend_timer, due_us);
    else
        timers_cancel(&w->timers, &consumer->resend_timer);
}

/* Nothing was asked for by any of them for long: none has a resend to remember. */
static bool forget_group(struct worker *w, uint32_t group)
{
    bool empty = true;
    for (uint32_t i = group * RESEND_GROUP_N; i < (group + 1) * RESEND_GROUP_N; i++)
        if (i < w->config.consumers_max && w->consumers[i].open)
            empty &= resend_forget(&w->consumers[i].resend);
    return empty;
}

void recovery_rest(struct worker *w)
{
    uint32_t groups_n = (w->config.consumers_max + RESEND_GROUP_N - 1) / RESEND_GROUP_N;
    for (uint32_t i = 0; i < groups_n; i++) {
        int64_t asked_us = w->resends_asked_us[i];
        bool due = w->count.consumers == 0 || w->now_us - asked_us >= RESENDS_IDLE_US;
        if (asked_us == 0 || !due || !forget_group(w, i))
            continue;
        w->resends_asked_us[i] = 0;
        base_give_back(&w->resends[(size_t)i * RESEND_GROUP_N],
                       RESEND_GROUP_N * sizeof(struct resend_memory));
    }
}

void recovery_sent(struct consumer *consumer, uint16_t seq)
{
    /* The first sending is the answer; only the count remembers that it was asked for. */
    if (consumer->resend.early_n > 0)
        (void)resend_was_early(&consumer->resend, seq);
}

/* ---- towards producers ---- */

static void set_nack_timer(struct worker *w, struct stream *stream)
{
    int64_t due_us = nack_due_us(stream->nack);
    if (due_us == INT64_MAX)
        timers_cancel(&w->timers, &stream->nack_timer);
    else if (!timer_is_set(&stream->nack_timer) || stream->nack_timer.due_us != due_us)
        timers_set(&w->timers, &stream->nack_timer, due_us);
}

void recovery_receive(struct worker *w, struct stream *stream, uint32_t seq_ext, bool keyframe,
                      bool rtx)
{
    if (keyframe) {
        keyframe_receive(&stream->keyframe, w->now_us);
        stream->keyframe_owed = false;
    }
    if (!stream->producer->nack || stream->producer->paused)
        return; /* resuming begins the list anew: what came meanwhile is no gap */
    uint64_t recovered = stream->nack->recovered;
    nack_receive(stream->nack, seq_ext, keyframe, w->now_us);
    if (!rtx && stream->nack->recovered != recovered)
        source_repaired(&stream->source, true); /* asked for, and sent again as it was */
    set_nack_timer(w, stream);
}

static void send_nack(struct worker *w, struct stream *stream, const uint16_t *seqs, size_t seqs_n)
{
    struct transport *transport = stream->producer->transport;
    uint8_t *buffer = io_egress_take(w->io);
    struct rtcp_writer writer = {.data = buffer, .bytes_max = EGRESS_RTCP_BYTES};
    egress_feedback_begin(transport, &writer);
    size_t written_n = rtcp_write_nack(&writer, transport->ssrc, stream->ssrc, seqs, seqs_n);
    if (egress_rtcp(w, transport, buffer, writer.at) != DROP_NONE)
        return;
    stream->nacks++;
    stream->nacked += written_n;
    w->count.nack_sent += written_n;
    trace_add(&w->trace, w->now_us, TRACE_NACK_OUT, stream->index, (uint32_t)written_n);
    if (stream->producer->trace_bits & TRACE_BIT_NACK)
        event_trace_feedback(w, OBJECT_PRODUCER, stream->producer->index, TRACE_BIT_NACK, true,
                             stream->ssrc, (uint32_t)written_n);
}

void recovery_ask(struct worker *w, struct stream *stream)
{
    uint16_t seqs[NACK_MESSAGE_MAX];
    bool wants_keyframe = false;
    size_t seqs_n = nack_take(stream->nack, w->now_us, stream->rtt.smoothed_us, seqs, ARRAY_N(seqs),
                              &wants_keyframe);
    if (seqs_n > 0)
        send_nack(w, stream, seqs, seqs_n);
    if (wants_keyframe)
        recovery_keyframe(w, stream, false);
    set_nack_timer(w, stream);
}

/* PLI where negotiated, else FIR. */
static bool send_keyframe_request(struct worker *w, struct stream *stream)
{
    struct producer *producer = stream->producer;
    struct transport *transport = producer->transport;
    if (stream->ssrc == 0 || (!producer->pli && !producer->fir))
        return false;
    uint8_t *buffer = io_egress_take(w->io);
    struct rtcp_writer writer = {.data = buffer, .bytes_max = EGRESS_RTCP_BYTES};
    egress_feedback_begin(transport, &writer);
    if (producer->pli)
        rtcp_write_pli(&writer, transport->ssrc, stream->ssrc);
    else
        rtcp_write_fir(&writer, transport->ssrc, stream->ssrc, stream->keyframe.fir_seq);
    if (egress_rtcp(w, transport, buffer, writer.at) != DROP_NONE)
        return false;
    stream->plis += producer->pli;
    stream->firs += !producer->pli;
    w->count.keyframe_requests++;
    trace_add(&w->trace, w->now_us, TRACE_KEYFRAME, stream->index, stream->ssrc);
    enum trace_event_bit bit = producer->pli ? TRACE_BIT_PLI : TRACE_BIT_FIR;
    if (producer->trace_bits & bit)
        event_trace_feedback(w, OBJECT_PRODUCER, producer->index, bit, true, stream->ssrc, 1);
    return true;
}

static void ask_keyframe(struct worker *w, struct stream *stream)
{
    stream->keyframe_owed = !send_keyframe_request(w, stream);
    if (stream->keyframe_owed)
        keyframe_unsent(&stream->keyframe);
}

static void set_keyframe_timer(struct worker *w, struct stream *stream)
{
    int64_t due_us = keyframe_due_us(&stream->keyframe);
    if (due_us == INT64_MAX)
        timers_cancel(&w->timers, &stream->keyframe_timer);
    else
        timers_set(&w->timers, &stream->keyframe_timer, due_us);
}

void recovery_keyframe(struct worker *w, struct stream *stream, bool force)
{
    const struct producer *producer = stream->producer;
    if (producer->kind != MEDIA_VIDEO || producer->paused)
        return;
    if (producer->source.elsewhere) { /* there is one who asks for all, and at its own pace */
        mirror_keyframe(w, stream);
        return;
    }
    bool now = force ? keyframe_force(&stream->keyframe, w->now_us)
                     : keyframe_request(&stream->keyframe, w->now_us);
    if (now)
        ask_keyframe(w, stream);
    set_keyframe_timer(w, stream);
}

bool recovery_is_consumed(const struct stream *stream)
{
    return stream->consumers != NULL || stream->producer->readers != NULL;
}

void recovery_fresh(struct worker *w, struct stream *stream)
{
    bool restarted = stream->source.restarts > 0;
    if (stream->keyframe_owed || (restarted && recovery_is_consumed(stream)))
        recovery_keyframe(w, stream, true);
}

/* What was retained still serves NACKs until it expires or a new numbering begins. */
void recovery_source_ended(struct worker *w, struct stream *stream)
{
    source_restart(&stream->source, stream->ssrc);
    stream->clock = (struct report_clock){.clock_rate = stream->clock_rate};
    nack_reset(stream->nack);
    timers_cancel(&w->timers, &stream->nack_timer);
    keyframe_unsent(&stream->keyframe);
    timers_cancel(&w->timers, &stream->keyframe_timer);
}

void recovery_keyframe_expire(struct worker *w, struct stream *stream)
{
    if (keyframe_expire(&stream->keyframe, w->now_us))
        ask_keyframe(w, stream);
    set_keyframe_timer(w, stream);
}

/* ---- retention ---- */

static bool may_nack(const struct consumer *consumer)
{
    return consumer->nack && !consumer->paused;
}

static int64_t rtt_for_retention(const struct worker *w, const struct consumer *consumer)
{
    int64_t rtt_us = consumer->rtt.smoothed_us;
    return rtt_us != 0 ? rtt_us : (int64_t)w->config.retain_rule.rtt_unknown_us;
}

/* With what those on other workers need, who also read later. Of a mirror: tells its producer's
 * worker, which keeps the packets. */
static void set_duration(struct worker *w, struct stream *stream)
{
    if (stream->producer->source.elsewhere) {
        mirror_need(w, stream);
        return;
    }
    struct stream_need need = exchange_need_of(stream);
    int64_t rtt_us = max_i64(stream->rtt_max_us, need.rtt_max_us);
    int64_t duration_us = stream->nackers_n + need.nackers_n == 0
                              ? 0
                              : retain_duration_us(&w->config.retain_rule, rtt_us);
    if (need.wanted)
        duration_us = max_i64(duration_us, READER_HOLD_US);
    if (duration_us != stream->retain.duration_us)
        retain_set_duration(w->retain, &stream->retain, duration_us, w->now_us);
}

void recovery_retention_update(struct worker *w, struct stream *stream)
{
    stream->rtt_max_us = 0;
    stream->nackers_n = 0;
    for (const struct consumer *c = stream->consumers; c != NULL; c = c->stream_next) {
        if (!may_nack(c))
            continue;
        stream->nackers_n++;
        stream->rtt_max_us = max_i64(stream->rtt_max_us, rtt_for_retention(w, c));
    }
    set_duration(w, stream);
}

void recovery_retention_rtt(struct worker *w, struct consumer *consumer)
{
    struct stream *stream = consumer->stream;
    if (!may_nack(consumer) || rtt_for_retention(w, consumer) <= stream->rtt_max_us)
        return;
    stream->rtt_max_us = rtt_for_retention(w, consumer);
    set_duration(w, stream);
}

void recovery_schedule_expiry(struct worker *w, struct stream *stream)
{
    if (stream->producer->source.elsewhere)
        return;
    int64_t due_us = retain_expire(w->retain, &stream->retain, w->now_us);
    /* While packets come each put expires the old ones; the timer is for a stream that has fallen
     * silent, and rare: it must not wake the worker for every packet. */
    if (due_us != INT64_MAX && !timer_is_set(&stream->expiry_timer))
        timers_set(&w->timers, &stream->expiry_timer, due_us + EXPIRY_SLACK_US);
}
