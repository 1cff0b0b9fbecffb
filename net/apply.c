/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/apply.c - commands applied; producers and consumers opened and closed. */
#include "net/apply.h"

#include "net/event.h"
#include "net/exchange.h"
#include "net/fanout.h"
#include "net/mirror.h"
#include "net/peer.h"
#include "net/recovery.h"
#include "net/reporting.h"
#include "net/route.h"
#include "net/shed.h"
#include "net/stats.h"
#include "net/transport.h"

#include <errno.h>

/* ---- producers ---- */

static struct producer *producer_at(struct worker *w, uint32_t index)
{
    if (index >= w->config.producers_max || !w->producers[index].open)
        return NULL;
    return &w->producers[index];
}

static void stream_close(struct worker *w, struct stream *stream)
{
    ASSERT(stream->consumers == NULL);
    fanout_discard(w, stream);
    retain_clear(w->retain, &stream->retain);
    if (!stream->producer->source.elsewhere)
        route_unbind(w, stream);
    timers_cancel(&w->timers, &stream->nack_timer);
    timers_cancel(&w->timers, &stream->keyframe_timer);
    timers_cancel(&w->timers, &stream->expiry_timer);
    pool_give(&w->streams, stream->index);
}

static int stream_open(struct worker *w, struct producer *producer, uint8_t encoding,
                       int64_t keyframe_delay_us, struct stream **out)
{
    uint32_t index = pool_take(&w->streams);
    if (index == POOL_NONE)
        return -ENOSPC;
    struct stream *s = pool_at(&w->streams, index);
    const struct producer_encoding *wanted = &producer->encodings[encoding];
    s->producer = producer;
    s->index = index;
    s->encoding = encoding;
    s->tag = w->tag_next++;
    s->ssrc = wanted->ssrc;
    s->rtx_ssrc = wanted->rtx_ssrc;
    s->clock_rate = producer->pt[0].clock_rate;
    s->batch_first = s->batch_last = s->round_first = NONE16;
    s->nack = &w->nacks[index];
    s->nack_timer = (struct timer){.kind = TIMER_NACK, .owner = index};
    s->keyframe_timer = (struct timer){.kind = TIMER_KEYFRAME, .owner = index};
    s->expiry_timer = (struct timer){.kind = TIMER_EXPIRY, .owner = index};
    source_init(&s->source, wanted->ssrc, s->clock_rate);
    s->clock.clock_rate = s->clock_rate;
    retain_stream_init(w->retain, &s->retain);
    nack_init(s->nack);
    keyframe_init(&s->keyframe, keyframe_delay_us);
    score_init(&s->score);
    int result = producer->source.elsewhere ? 0 : route_bind(w, s);
    if (result != 0)
        stream_close(w, s);
    else
        *out = s;
    return result;
}

static void producer_unlink(struct producer *producer)
{
    if (producer->transport_prev != NULL)
        producer->transport_prev->transport_next = producer->transport_next;
    else
        producer->transport->producers = producer->transport_next;
    if (producer->transport_next != NULL)
        producer->transport_next->transport_prev = producer->transport_prev;
    producer->transport->compound_feedback = false;
    for (struct producer *p = producer->transport->producers; p != NULL; p = p->transport_next)
        producer->transport->compound_feedback |= !p->rtcp_reduced;
}

static int producer_open(struct worker *w, uint32_t index, const struct command_producer_open *open)
{
    bool mirror = open->source.elsewhere;
    struct transport *t = mirror ? NULL : net_transport_at(w, open->transport);
    if ((t == NULL && !mirror) || (mirror && !exchange_has(w, open->source.worker)) ||
        index >= w->config.producers_max || w->producers[index].open)
        return -EINVAL;
    struct producer *p = &w->producers[index];
    array_enter(&w->producer_array, index);
    *p = (struct producer){
        .open = true,
        .paused = open->paused,
        .nack = open->nack,
        .pli = open->pli,
        .fir = open->fir,
        .rtcp_reduced = open->rtcp_reduced,
        .mid_bytes = open->mid_bytes,
        .pt_n = open->pt_n,
        .encodings_n = open->encodings_n,
        .kind = open->kind,
        .index = index,
        .transport = t,
        .source = open->source,
        .ext_ids = open->ext_ids,
    };
    memcpy(p->pt, open->pt, sizeof p->pt);
    memcpy(p->encodings, open->encodings, sizeof p->encodings);
    memcpy(p->mid, open->mid, sizeof p->mid);
    for (uint8_t i = 0; i < p->pt_n; i++)
        p->pt_at[p->pt[i].pt & 0x7f] = (uint8_t)(i + 1);

    int result = mirror ? 0 : net_transport_speak(t);
    for (uint8_t i = 0; i < p->encodings_n && result == 0; i++)
        result = stream_open(w, p, i, open->keyframe_delay_us, &p->streams[i]);
    if (result != 0) {
        for (uint8_t i = 0; i < p->encodings_n; i++)
            if (p->streams[i] != NULL)
                stream_close(w, p->streams[i]);
        p->open = false;
        array_leave(&w->producer_array, index);
        return result;
    }
    if (mirror) {
        mirror_open(w, p);
        return 0;
    }
    t->compound_feedback |= !open->rtcp_reduced;
    p->transport_next = t->producers;
    if (t->producers != NULL)
        t->producers->transport_prev = p;
    t->producers = p;
    w->count.producers++;
    return 0;
}

static int producer_close(struct worker *w, struct producer *p)
{
    for (uint8_t i = 0; i < p->encodings_n; i++)
        if (p->streams[i]->consumers != NULL)
            return -EBUSY;
    if (p->source.elsewhere)
        mirror_close(w, p);
    exchange_reader_remove_all(w, p);
    for (uint8_t i = 0; i < p->encodings_n; i++)
        stream_close(w, p->streams[i]);
    if (!p->source.elsewhere) {
        producer_unlink(p);
        w->count.producers--;
    }
    p->open = false;
    array_leave(&w->producer_array, p->index);
    return 0;
}

static int producer_set_paused(struct worker *w, struct producer *p, bool paused)
{
    if (p->paused == paused)
        return 0;
    p->paused = paused;
    for (uint8_t i = 0; i < p->encodings_n; i++) {
        struct stream *s = p->streams[i];
        nack_reset(s->nack);
        timers_cancel(&w->timers, &s->nack_timer);
        for (struct consumer *c = s->consumers; c != NULL; c = c->stream_next) {
            seqmap_sync(&c->map);
            if (!paused)
                fanout_await_keyframe(c);
        }
        if (!paused && recovery_is_consumed(s))
            recovery_keyframe(w, s, true);
    }
    return 0;
}

/* ---- consumers ---- */

static struct consumer *consumer_at(struct worker *w, uint32_t index)
{
    if (index >= w->config.consumers_max || !w->consumers[index].open)
        return NULL;
    return &w->consumers[index];
}

static void consumer_link(struct consumer *c)
{
    c->transport_next = c->transport->consumers;
    if (c->transport_next != NULL)
        c->transport_next->transport_prev = c;
    c->transport->consumers = c;
    c->stream_next = c->stream->consumers;
    if (c->stream_next != NULL)
        c->stream_next->stream_prev = c;
    c->stream->consumers = c;
    c->stream->consumers_n++;
}

static void consumer_unlink(struct consumer *c)
{
    if (c->transport_prev != NULL)
        c->transport_prev->transport_next = c->transport_next;
    else
        c->transport->consumers = c->transport_next;
    if (c->transport_next != NULL)
        c->transport_next->transport_prev = c->transport_prev;
    if (c->stream_prev != NULL)
        c->stream_prev->stream_next = c->stream_next;
    else
        c->stream->consumers = c->stream_next;
    if (c->stream_next != NULL)
        c->stream_next->stream_prev = c->stream_prev;
    c->stream->consumers_n--;
}

static void unbind_ssrc(struct worker *w, const struct transport *t, uint32_t ssrc)
{
    if (ssrc == 0)
        return;
    table_remove(&w->routes_out, route_key(t, ssrc));
    if (t->seal != NULL)
        seal_remove_out(t->seal, ssrc);
}

static int bind_ssrc(struct worker *w, struct transport *t, uint32_t ssrc, uint32_t index)
{
    if (ssrc == 0)
        return 0;
    int result = table_put(&w->routes_out, route_key(t, ssrc), index);
    if (result != 0)
        return result;
    reporting_cancel_bye(t, ssrc);
    if (t->seal != NULL)
        result = seal_add_out(t->seal, ssrc);
    if (result != 0)
        table_remove(&w->routes_out, route_key(t, ssrc));
    return result;
}

/* A plain resend must be byte-identical to the first sending: where a payload type that may be
 * asked for again has no RTX, nothing is written at send time. */
static void forbid_send_values(struct rewrite *rewrite)
{
    bool plain = rewrite->rtx_ssrc == 0;
    for (uint8_t i = 0; i < rewrite->pt_n; i++)
        plain |= rewrite->pt[i].rtx == REWRITE_PT_NONE;
    if (!plain)
        return;
    rewrite->ext_out.id[RTP_EXT_TWCC] = 0;
    rewrite->ext_out.id[RTP_EXT_ABS_SEND_TIME] = 0;
}

/* Under a key that has sealed this ssrc before, numbering goes on: an index is never used twice. */
static uint16_t first_seq(const struct transport *t, uint32_t ssrc, uint16_t wanted)
{
    return t->seal == NULL || ssrc == 0 ? wanted : seal_first_seq_out(t->seal, ssrc, wanted);
}

static int consumer_open(struct worker *w, uint32_t index, const struct command_consumer_open *open)
{
    struct transport *t = net_transport_at(w, open->transport);
    struct producer *p = producer_at(w, open->producer);
    if (t == NULL || p == NULL || open->encoding >= p->encodings_n ||
        index >= w->config.consumers_max || w->consumers[index].open)
        return -EINVAL;

    int result = net_transport_speak(t);
    if (result == 0)
        result = bind_ssrc(w, t, open->rewrite.ssrc, index);
    if (result != 0)
        return result;
    result = bind_ssrc(w, t, open->rewrite.rtx_ssrc, index);
    if (result != 0) {
        unbind_ssrc(w, t, open->rewrite.ssrc);
        return result;
    }
    struct consumer *c = &w->consumers[index];
    array_enter(&w->consumer_array, index);
    *c = (struct consumer){
        .transport = t,
        .stream = p->streams[open->encoding],
        .open = true,
        .paused = open->paused,
        .nack = open->nack,
        .priority = open->priority,
        .kind = open->kind,
        .index = index,
        .rewrite = open->rewrite,
        .resend_timer = {.kind = TIMER_RESEND, .owner = index},
    };
    memcpy(p->cname, open->cname, sizeof p->cname);
    if (c->nack)
        forbid_send_values(&c->rewrite);
    array_enter(&w->older_array, index);
    seqmap_init(&c->map, first_seq(t, c->rewrite.ssrc, open->seq_first), open->ts_first,
                &w->older[(size_t)index * SEQMAP_OLDER]);
    c->rtx_seq = first_seq(t, c->rewrite.rtx_ssrc, open->rtx_seq_first);
    resend_init(&c->resend, &w->resends[index], w->now_us);
    score_init(&c->score);
    fanout_await_keyframe(c); /* a transport that is not ready yet gets nothing: it waits on */
    consumer_link(c);
    shed_open(w, c);
    w->count.consumers++;
    recovery_retention_update(w, c->stream);
    if (!c->paused && transport_is_ready(t))
        recovery_keyframe(w, c->stream, false);
    return 0;
}

static int consumer_close(struct worker *w, struct consumer *c)
{
    struct stream *stream = c->stream;
    timers_cancel(&w->timers, &c->resend_timer);
    reporting_bye(w, c);
    unbind_ssrc(w, c->transport, c->rewrite.ssrc);
    unbind_ssrc(w, c->transport, c->rewrite.rtx_ssrc);
    consumer_unlink(c);
    shed_close(w, c);
    c->open = false;
    array_leave(&w->older_array, c->index);
    array_leave(&w->consumer_array, c->index);
    w->count.consumers--;
    recovery_retention_update(w, stream);
    return 0;
}

/* ---- dispatch ---- */

static int trace_events_set(struct worker *w, const struct command *command)
{
    struct producer *p;
    struct consumer *c;
    switch (command->trace_events.object) {
    case OBJECT_PRODUCER:
        p = producer_at(w, command->index);
        if (p != NULL)
            p->trace_bits = command->trace_events.bits;
        return p == NULL ? -ENOENT : 0;
    case OBJECT_CONSUMER:
        c = consumer_at(w, command->index);
        if (c != NULL)
            c->trace_bits = command->trace_events.bits;
        return c == NULL ? -ENOENT : 0;
    case OBJECT_TRANSPORT: /* its events (probation, bwe) come with the congestion controller */
        return net_transport_at(w, command->index) == NULL ? -ENOENT : 0;
    case OBJECT_WORKER:
    case OBJECT_SOCKET:
    case OBJECT_KIND_N:
        break;
    }
    return -EINVAL;
}

static int stats_get(struct worker *w, const struct command *command, struct outcome *outcome)
{
    const struct transport *t;
    const struct producer *p;
    const struct consumer *c;
    outcome->object = command->stats;
    switch (command->stats) {
    case OBJECT_TRANSPORT:
        t = net_transport_at(w, command->index);
        if (t != NULL)
            stats_transport(w, t, &outcome->transport);
        return t == NULL ? -ENOENT : 0;
    case OBJECT_PRODUCER:
        p = producer_at(w, command->index);
        if (p != NULL)
            stats_producer(w, p, &outcome->producer);
        return p == NULL ? -ENOENT : 0;
    case OBJECT_CONSUMER:
        c = consumer_at(w, command->index);
        if (c != NULL)
            stats_consumer(w, c, &outcome->consumer);
        return c == NULL ? -ENOENT : 0;
    case OBJECT_WORKER:
    case OBJECT_SOCKET:
    case OBJECT_KIND_N:
        break;
    }
    return -EINVAL;
}

static int apply_transport(struct worker *w, const struct command *command)
{
    struct transport *t = net_transport_at(w, command->index);
    if (t == NULL)
        return -ENOENT;
    if (command->kind == COMMAND_TRANSPORT_CONNECT)
        return net_transport_connect(w, t, &command->transport_connect);
    if (command->kind == COMMAND_TRANSPORT_BITRATE)
        return net_transport_set_bitrate(t, &command->transport_bitrate);
    if (command->kind == COMMAND_TRANSPORT_RESTART_ICE)
        return t->peer == NULL ? -EINVAL : peer_restart(w, t, &command->restart_ice);
    return net_transport_close(w, t);
}

static int apply_producer(struct worker *w, const struct command *command)
{
    struct producer *p = producer_at(w, command->index);
    if (p == NULL)
        return -ENOENT;
    if (command->kind == COMMAND_PRODUCER_CLOSE)
        return producer_close(w, p);
    if (command->kind == COMMAND_READER_ADD)
        return exchange_reader_add(w, p, &command->reader);
    if (command->kind == COMMAND_READER_REMOVE)
        return exchange_reader_remove(w, p, &command->reader);
    return producer_set_paused(w, p, command->kind == COMMAND_PRODUCER_PAUSE);
}

static int apply_consumer(struct worker *w, const struct command *command)
{
    struct consumer *c = consumer_at(w, command->index);
    if (c == NULL)
        return -ENOENT;
    if (command->kind == COMMAND_CONSUMER_CLOSE)
        return consumer_close(w, c);
    if (command->kind == COMMAND_CONSUMER_KEYFRAME) {
        recovery_keyframe(w, c->stream, false);
        return 0;
    }
    if (command->kind == COMMAND_CONSUMER_PRIORITY)
        shed_set_priority(w, c, command->priority);
    else
        shed_pause(w, c, command->kind == COMMAND_CONSUMER_PAUSE);
    return 0;
}

/* One row per kind of command, nothing else. */
static int apply(struct worker *w, const struct command *command, struct outcome *outcome)
{
    switch (command->kind) {
    case COMMAND_SOCKET_OPEN:
        return net_socket_open(w, command->index, &command->socket_open);
    case COMMAND_SOCKET_CLOSE:
        return net_socket_close(w, command->index);
    case COMMAND_TRANSPORT_OPEN:
        return net_transport_open(w, command->index, &command->transport_open);
    case COMMAND_TRANSPORT_CONNECT:
    case COMMAND_TRANSPORT_RESTART_ICE:
    case COMMAND_TRANSPORT_BITRATE:
    case COMMAND_TRANSPORT_CLOSE:
        return apply_transport(w, command);
    case COMMAND_PRODUCER_OPEN:
        return producer_open(w, command->index, &command->producer_open);
    case COMMAND_PRODUCER_CLOSE:
    case COMMAND_PRODUCER_PAUSE:
    case COMMAND_PRODUCER_RESUME:
    case COMMAND_READER_ADD:
    case COMMAND_READER_REMOVE:
        return apply_producer(w, command);
    case COMMAND_CONSUMER_OPEN:
        return consumer_open(w, command->index, &command->consumer_open);
    case COMMAND_CONSUMER_CLOSE:
    case COMMAND_CONSUMER_PAUSE:
    case COMMAND_CONSUMER_RESUME:
    case COMMAND_CONSUMER_KEYFRAME:
    case COMMAND_CONSUMER_PRIORITY:
        return apply_consumer(w, command);
    case COMMAND_SHED_RULE:
        w->shed.rule = command->shed_rule;
        return 0;
    case COMMAND_TRACE_EVENTS:
        return trace_events_set(w, command);
    case COMMAND_STATS:
        return stats_get(w, command, outcome);
    case COMMAND_TRACE_DUMP:
        memcpy(command->payload, &w->trace, sizeof w->trace);
        return 0;
    case COMMAND_STOP:
        w->stopping = true;
        return 0;
    case COMMAND_NONE:
    case COMMAND_KIND_N:
        break;
    }
    return -EINVAL;
}

/* Rounds hold pointers to objects: none is under way while those come, go or change. */
static bool changes_objects(enum command_kind kind)
{
    return kind != COMMAND_STATS && kind != COMMAND_TRACE_DUMP && kind != COMMAND_TRACE_EVENTS &&
           kind != COMMAND_SOCKET_OPEN && kind != COMMAND_CONSUMER_KEYFRAME &&
           kind != COMMAND_READER_ADD && kind != COMMAND_READER_REMOVE && kind != COMMAND_SHED_RULE;
}

void apply_commands(struct worker *w)
{
    w->command_waits = false;
    for (int i = 0; i < APPLY_PER_TURN; i++) {
        struct command *command = mailbox_take_begin(&w->inbox);
        if (command == NULL)
            return;
        if (mailbox_put_begin(&w->outbox) == NULL)
            return; /* the control thread takes outcomes before it expects more */
        w->command_waits = changes_objects(command->kind) && fanout_is_active(w);
        if (w->command_waits)
            return; /* the rounds end first, slice by slice, and none begins */
        struct outcome outcome = {
            .cookie = command->cookie,
            .command = command->kind,
            .index = command->index,
            .payload = command->payload,
        };
        outcome.result = apply(w, command, &outcome); /* may post events before it */
        trace_add(&w->trace, w->now_us, TRACE_COMMAND, command->kind, (uint32_t)-outcome.result);
        struct outcome *posted = mailbox_put_begin(&w->outbox);
        ASSERT(posted != NULL); /* events leave OUTCOME_SPARE free */
        *posted = outcome;
        explicit_bzero(command, sizeof *command); /* it may have held keys */
        mailbox_put_end(&w->outbox);
        mailbox_take_end(&w->inbox);
        w->outbox_rung = true;
    }
}

void apply_close_all(struct worker *w)
{
    fanout_finish(w);
    for (uint32_t i = 0; i < w->config.consumers_max && w->count.consumers > 0; i++)
        if (w->consumers[i].open)
            consumer_close(w, &w->consumers[i]);
    for (uint32_t i = 0; i < w->config.producers_max && w->count.producers + w->count.mirrors > 0;
         i++)
        if (w->producers[i].open)
            producer_close(w, &w->producers[i]);
    for (uint32_t i = 0; i < w->config.transports_max && w->count.transports > 0; i++)
        if (w->transports[i].open)
            net_transport_close(w, &w->transports[i]);
    for (uint32_t i = 0; i < w->config.sockets_max && w->count.sockets > 0; i++)
        if (w->sockets[i].open)
            net_socket_close(w, i);
}
