/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/event.c - events into the outbox. */
#include "net/event.h"

#include <unistd.h>

static uint32_t outbox_used(struct worker *w)
{
    return atomic_load_explicit(&w->outbox.put, memory_order_relaxed) -
           atomic_load_explicit(&w->outbox.take, memory_order_acquire);
}

/* How full the outbox may be for it: what happens per packet gives way first, what is said once
 * hardly ever. */
static uint32_t room_for(enum event_kind kind)
{
    switch (kind) {
    case EVENT_TRACE:
        return (OUTCOME_N - OUTCOME_SPARE) / 2;
    case EVENT_TUPLE:
    case EVENT_RTCP_TUPLE:
    case EVENT_ICE_STATE:
    case EVENT_ICE_SELECTED:
    case EVENT_DTLS_STATE:
    case EVENT_SOCKET_DEAD:
        return OUTCOME_N - 16;
    case EVENT_ENGINE_DEAD:
        return OUTCOME_N;
    case EVENT_NONE:
    case EVENT_SHED:
    case EVENT_STRESS:
    case EVENT_SCORE:
        break;
    }
    return OUTCOME_N - OUTCOME_SPARE;
}

/* NULL: no room. */
static struct outcome *event_try(struct worker *w, enum event_kind kind, enum object_kind object,
                                 uint32_t index)
{
    struct outcome *outcome = NULL;
    if (outbox_used(w) < room_for(kind))
        outcome = mailbox_put_begin(&w->outbox);
    if (outcome == NULL)
        return NULL;
    outcome->cookie = 0;
    outcome->result = 0;
    outcome->command = COMMAND_NONE;
    outcome->event = kind;
    outcome->object = object;
    outcome->index = index;
    outcome->payload = NULL;
    return outcome;
}

static struct outcome *event_begin(struct worker *w, enum event_kind kind, enum object_kind object,
                                   uint32_t index)
{
    struct outcome *outcome = event_try(w, kind, object, index);
    if (outcome == NULL)
        w->count.events_dropped++;
    return outcome;
}

static void event_end(struct worker *w)
{
    mailbox_put_end(&w->outbox);
    w->outbox_rung = true;
}

void event_tuple(struct worker *w, const struct transport *transport, bool rtcp)
{
    struct outcome *outcome =
        event_begin(w, rtcp ? EVENT_RTCP_TUPLE : EVENT_TUPLE, OBJECT_TRANSPORT, transport->index);
    trace_add(&w->trace, w->now_us, TRACE_TUPLE, transport->index, rtcp);
    if (outcome == NULL)
        return;
    outcome->tuple = rtcp ? transport->rtcp_remote : transport->remote;
    event_end(w);
}

bool event_ice_state(struct worker *w, const struct transport *transport)
{
    struct outcome *outcome = event_try(w, EVENT_ICE_STATE, OBJECT_TRANSPORT, transport->index);
    if (outcome == NULL)
        return false;
    outcome->ice_state = transport->peer->ice.state;
    event_end(w);
    return true;
}

bool event_ice_selected(struct worker *w, const struct transport *transport)
{
    const struct ice_tuple *tuple = ice_selected(&transport->peer->ice);
    struct outcome *outcome = event_try(w, EVENT_ICE_SELECTED, OBJECT_TRANSPORT, transport->index);
    if (outcome == NULL)
        return false;
    outcome->selected = (struct event_selected){.remote = tuple->remote, .tcp = tuple->tcp};
    outcome->selected.local = tuple->local;
    event_end(w);
    return true;
}

bool event_dtls_state(struct worker *w, struct transport *transport)
{
    struct outcome *outcome = event_try(w, EVENT_DTLS_STATE, OBJECT_TRANSPORT, transport->index);
    if (outcome == NULL)
        return false;
    outcome->dtls_state = transport->peer->dtls_state;
    if (transport->peer->dtls_state == DTLS_CONNECTED) {
        outcome->payload = transport->peer->certificate;
        transport->peer->certificate = NULL;
    }
    event_end(w);
    return true;
}

void event_producer_score(struct worker *w, const struct producer *producer)
{
    struct outcome *outcome = event_begin(w, EVENT_SCORE, OBJECT_PRODUCER, producer->index);
    if (outcome == NULL)
        return;
    outcome->score = (struct event_score){.encodings_n = producer->encodings_n};
    for (uint32_t i = 0; i < producer->encodings_n; i++) {
        outcome->score.score[i] = producer->streams[i]->score.value;
        outcome->score.ssrc[i] = producer->streams[i]->ssrc;
    }
    event_end(w);
}

void event_consumer_score(struct worker *w, const struct consumer *consumer)
{
    struct outcome *outcome = event_begin(w, EVENT_SCORE, OBJECT_CONSUMER, consumer->index);
    if (outcome == NULL)
        return;
    outcome->score = (struct event_score){
        .encodings_n = 2,
        .score = {consumer->score.value, consumer->stream->score.value},
        .ssrc = {consumer->rewrite.ssrc, consumer->stream->ssrc},
    };
    event_end(w);
}

bool event_shed(struct worker *w, const struct consumer *consumer, bool shed)
{
    struct outcome *outcome = event_try(w, EVENT_SHED, OBJECT_CONSUMER, consumer->index);
    if (outcome == NULL)
        return false;
    outcome->shed = shed;
    event_end(w);
    return true;
}

bool event_stress(struct worker *w, uint32_t figure, bool high)
{
    struct outcome *outcome = event_try(w, EVENT_STRESS, OBJECT_WORKER, w->config.index);
    if (outcome == NULL)
        return false;
    outcome->stress = (struct event_stress){.figure = figure, .high = high};
    event_end(w);
    return true;
}

void event_socket_dead(struct worker *w, uint32_t socket, int error)
{
    struct outcome *outcome = event_begin(w, EVENT_SOCKET_DEAD, OBJECT_SOCKET, socket);
    if (outcome == NULL)
        return;
    outcome->result = error;
    event_end(w);
}

void event_engine_dead(struct worker *w, int error)
{
    struct outcome *outcome = event_begin(w, EVENT_ENGINE_DEAD, OBJECT_WORKER, w->config.index);
    if (outcome == NULL)
        return;
    outcome->result = error;
    event_end(w);
}

void event_trace_in(struct worker *w, const struct stream *stream, const struct record *record,
                    bool rtx)
{
    const struct producer *producer = stream->producer;
    bool wanted = producer->trace_bits & TRACE_BIT_RTP ||
                  (record->keyframe && producer->trace_bits & TRACE_BIT_KEYFRAME);
    struct outcome *outcome =
        wanted ? event_begin(w, EVENT_TRACE, OBJECT_PRODUCER, producer->index) : NULL;
    if (outcome == NULL)
        return;
    outcome->trace = (struct event_trace){
        .bit = producer->trace_bits & TRACE_BIT_RTP ? TRACE_BIT_RTP : TRACE_BIT_KEYFRAME,
        .ssrc = record->packet.ssrc,
        .seq = record->packet.seq,
        .payload_type = record->packet.payload_type,
        .marker = record->packet.marker,
        .keyframe = record->keyframe,
        .rtx = rtx,
        .rtp_ts = record->packet.rtp_ts,
        .bytes = record->bytes,
        .at_us = w->now_us,
    };
    event_end(w);
}

void event_trace_out(struct worker *w, const struct consumer *consumer,
                     const struct plan_item *item)
{
    bool keyframe = item->record->keyframe;
    bool wanted = consumer->trace_bits & TRACE_BIT_RTP ||
                  (keyframe && consumer->trace_bits & TRACE_BIT_KEYFRAME);
    struct outcome *outcome =
        wanted ? event_begin(w, EVENT_TRACE, OBJECT_CONSUMER, consumer->index) : NULL;
    if (outcome == NULL)
        return;
    outcome->trace = (struct event_trace){
        .bit = consumer->trace_bits & TRACE_BIT_RTP ? TRACE_BIT_RTP : TRACE_BIT_KEYFRAME,
        .out = true,
        .ssrc = consumer->rewrite.ssrc,
        .seq = item->numbers.seq,
        .payload_type = consumer->rewrite.pt[item->numbers.pt].out,
        .marker = item->record->packet.marker,
        .keyframe = keyframe,
        .rtp_ts = item->numbers.rtp_ts,
        .bytes = item->bytes,
        .at_us = w->now_us,
    };
    event_end(w);
}

void event_trace_feedback(struct worker *w, enum object_kind object, uint32_t index,
                          enum trace_event_bit bit, bool out, uint32_t ssrc, uint32_t packets)
{
    struct outcome *outcome = event_begin(w, EVENT_TRACE, object, index);
    if (outcome == NULL)
        return;
    outcome->trace = (struct event_trace){
        .bit = bit, .out = out, .ssrc = ssrc, .bytes = packets, .at_us = w->now_us};
    event_end(w);
}

void event_ring(struct worker *w)
{
    if (!w->outbox_rung)
        return;
    w->outbox_rung = false;
    uint64_t one = 1;
    /* Full (EAGAIN) means that it is rung already. */
    ssize_t written = write(w->outbox_fd, &one, sizeof one);
    (void)written;
}
