/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/worker.c - the spine: a worker's turn, and the way of an RTP packet through it.
 *
 *   worker_turn      drain the mailbox, submit and wait, take what came (also from other workers,
 *                    net/exchange.c), fan out, one step of a handshake, timers
 *   relay_datagram   whose is it; STUN (net/peer.c), DTLS (net/handshake.c), RTP or RTCP
 *   relay_media      decrypt, parse, producer, statistics, gaps, batch
 *   fanout_step      (net/fanout.c) per receiver, per packet: plan; (net/egress.c) number, rewrite,
 * encrypt, send
 */
#include "net/worker.h"

#include "net/apply.h"
#include "net/event.h"
#include "net/exchange.h"
#include "net/fanout.h"
#include "net/feedback.h"
#include "net/handshake.h"
#include "net/mirror.h"
#include "net/peer.h"
#include "net/recovery.h"
#include "net/reporting.h"
#include "net/route.h"
#include "net/shed.h"
#include "net/state.h"
#include "net/stats.h"
#include "net/transport.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

enum {
    TURN_DATAGRAMS_MAX = 4096, /* then commands and timers get their turn */
    TURN_TIMERS_MAX = 1024,
    TURN_FANOUT_US = 2000, /* slices of fan-out before commands and timers get their turn */
    EVICT_BATCH = 64,      /* slots taken back at once when they ran short */
    TICK_US = 1000000,
    TRIM_PAGES = 256,  /* given back per second: 1 MiB */
    CALM_PACKETS = 64, /* in a second */
    WAIT_MAX_US = 1000000,
    OUTBOX_FULL_US = 5000, /* how soon it is tried again */
};

/* ---- a datagram ---- */

static struct transport *transport_of(struct worker *w, const struct datagram *dg)
{
    const struct socket_state *socket = &w->sockets[dg->socket];
    uint32_t index =
        socket->shared ? demux_find(&w->demux, dg->socket, &dg->from.remote) : socket->transport;
    return index == DEMUX_NONE ? NULL : &w->transports[index];
}

/* Is the sender who the transport talks to? With comedia the sender of the first packet that is
 * about something of the transport will be (`learn`). */
static enum drop check_remote(const struct transport *t, const struct addr *remote, bool rtcp,
                              bool *learn)
{
    const struct addr *known = rtcp ? &t->rtcp_remote : &t->remote;
    *learn = false;
    if (addr_is_set(known))
        return addr_equal(known, remote) ? DROP_NONE : DROP_NO_PEER;
    *learn = t->comedia;
    return t->comedia ? DROP_NONE : DROP_NOT_CONNECTED;
}

/* RTX brings a lost packet back under its own number: the slot's packet becomes the media packet.
 */
static enum drop undo_rtx(const struct stream *stream, uint8_t *data, size_t *bytes,
                          struct rtp_packet *packet)
{
    const struct producer *p = stream->producer;
    uint8_t at = p->pt_at[packet->payload_type];
    uint8_t *moved = data;
    if (at == 0 || p->pt[at - 1].media_pt == REWRITE_PT_NONE || stream->ssrc == 0)
        return DROP_RTX_UNKNOWN;
    enum drop why = rewrite_unrtx(&moved, bytes, packet, stream->ssrc, p->pt[at - 1].media_pt);
    if (why == DROP_NONE)
        memmove(data, moved, *bytes); /* slots hold their packet at the front */
    return why;
}

/* Statistics and numbering; the extended number comes back in the record. */
static enum drop account_media(struct worker *w, struct stream *stream, struct record *record,
                               bool rtx)
{
    bool restarted = false, first = !stream->source.started;
    enum drop why =
        rtx ? source_recover(&stream->source, record->packet.seq, record->bytes, &record->seq_ext)
            : source_receive(&stream->source, record->packet.seq, record->packet.rtp_ts,
                             record->bytes, record->arrived_us, &record->seq_ext, &restarted);
    if (why != DROP_NONE)
        return why;
    record->fresh = restarted || first;
    if (restarted) {
        stream->tag = w->tag_next++;
        nack_reset(stream->nack);
        retain_clear(w->retain, &stream->retain);
        trace_add(&w->trace, w->now_us, TRACE_STREAM_RESET, stream->index, record->packet.seq);
    }
    if (!rtx)
        report_clock_packet(&stream->clock, record->packet.rtp_ts, record->arrived_us);
    record->tag = stream->tag;
    return DROP_NONE;
}

/* The codec tells what a key frame looks like. */
static void note_codec(struct stream *stream, struct record *record, const uint8_t *data)
{
    enum rtp_codec codec = route_codec(stream, record->packet.payload_type);
    record->keyframe =
        rtp_codec_keyframe(codec, data + record->packet.payload_at, record->packet.payload_bytes);
    stream->keyframes += record->keyframe;
}

static void note_twcc(struct worker *w, struct transport *t, const uint8_t *data,
                      const struct record *record)
{
    const struct rtp_exts *exts = &record->exts;
    if (rtp_exts_has(exts, RTP_EXT_TWCC) && exts->bytes[RTP_EXT_TWCC] == 2)
        reporting_record_twcc(w, t, be16(data + exts->at[RTP_EXT_TWCC]), record->packet.ssrc,
                              record->arrived_us);
}

/* One RTP packet, top to bottom. The slot is still the caller's unless DROP_NONE is returned. */
static enum drop relay_media(struct worker *w, struct transport *t, const struct datagram *dg,
                             bool learn)
{
    uint8_t *data = slab_packet(&w->slab, dg->slot);
    size_t bytes = dg->bytes;
    struct record record = {.slab = &w->slab, .slot = dg->slot, .arrived_us = dg->arrived_us};
    struct route route = {0};
    enum drop why = DROP_NONE;

    if (t->srtp_wanted)
        why = t->seal == NULL ? DROP_NOT_CONNECTED : seal_unprotect_rtp(t->seal, data, &bytes);
    if (why == DROP_NONE)
        why = rtp_packet_parse(&record.packet, data, bytes);
    if (why != DROP_NONE)
        return why;
    t->rtp_in++;
    why = route_find(w, t, data, &record.packet, &route);
    if (why != DROP_NONE)
        return why;
    if (learn && !net_transport_learn(w, t, false, &dg->from.remote, &dg->from.local))
        return DROP_NO_PEER;

    struct stream *stream = route.stream;
    rtp_exts_find(&record.exts, data, &record.packet, &stream->producer->ext_ids);
    note_twcc(w, t, data, &record);
    if (route.rtx) {
        stream->packets_rtx++;
        stream->bytes_rtx += bytes;
        why = undo_rtx(stream, data, &bytes, &record.packet);
        if (why == DROP_NONE)
            rtp_exts_find(&record.exts, data, &record.packet, &stream->producer->ext_ids);
    }
    record.bytes = (uint16_t)bytes;
    if (why == DROP_NONE && stream->records_n >= STREAM_RECORDS_MAX)
        why = DROP_BATCH_FULL; /* not numbered: a gap that can be asked for again */
    if (why == DROP_NONE)
        why = account_media(w, stream, &record, route.rtx);
    if (why == DROP_NONE) {
        note_codec(stream, &record, data);
        if (record.fresh) {
            event_producer_score(w, stream->producer); /* its encodings that are there */
            exchange_score(w, stream);
        }
        if (record.fresh && !record.keyframe)
            recovery_fresh(w, stream);
        recovery_receive(w, stream, record.seq_ext, record.keyframe, route.rtx);
        if (stream->producer->trace_bits != 0)
            event_trace_in(w, stream, &record, route.rtx);
        if (stream->producer->paused)
            why = DROP_PAUSED;
    }
    if (why != DROP_NONE) {
        stream->dropped++;
        return why;
    }
    exchange_publish(w, stream, &record, route.rtx);
    fanout_add(w, stream, &record);
    w->count.rtp_in++;
    return DROP_NONE;
}

static enum drop relay_feedback(struct worker *w, struct transport *t, const struct datagram *dg,
                                bool learn)
{
    uint8_t *data = slab_packet(&w->slab, dg->slot);
    size_t bytes = dg->bytes;
    bool mux = t->rtcp_socket == t->rtp_socket;
    enum drop why = DROP_NONE;
    if (t->srtp_wanted)
        why = t->seal == NULL ? DROP_NOT_CONNECTED : seal_unprotect_rtcp(t->seal, data, &bytes);
    struct rtcp_reader reader;
    if (why == DROP_NONE)
        why = rtcp_reader_init(&reader, data, bytes);
    /* What anybody can write teaches no address that media would go to. */
    if (why == DROP_NONE && learn && mux && !t->srtp_wanted &&
        !feedback_concerns(w, t, data, bytes))
        why = DROP_NOT_CONNECTED;
    if (why == DROP_NONE && learn &&
        !net_transport_learn(w, t, !mux, &dg->from.remote, &dg->from.local))
        why = DROP_NO_PEER;
    if (why == DROP_NONE)
        why = feedback_receive(w, t, data, bytes, dg->arrived_us);
    return why;
}

/* RTP or RTCP of a transport. DROP_NONE with *held: a round has the slot now. */
static enum drop relay_packet(struct worker *w, struct transport *t, const struct datagram *dg,
                              bool rtcp, bool learn, bool *held)
{
    t->packets_in++;
    t->bytes_in += dg->bytes;
    rate_add(&t->rate_in, 1, dg->bytes, w->now_us);
    enum drop why = rtcp ? relay_feedback(w, t, dg, learn) : relay_media(w, t, dg, learn);
    *held = !rtcp && why == DROP_NONE;
    t->dropped += why != DROP_NONE;
    return why;
}

/* Of a socket of WebRTC transports: checks say whose they are, all else comes by a tuple that a
 * check has proven. */
static enum drop relay_peer(struct worker *w, const struct datagram *dg, bool *held)
{
    const uint8_t *data = slab_packet(&w->slab, dg->slot);
    enum datagram_class class = datagram_class_of(data[0]);
    if (class == DATAGRAM_STUN)
        return peer_check(w, dg);
    struct transport *t = peer_find(w, dg);
    if (t == NULL)
        return DROP_NO_PEER;
    if (class == DATAGRAM_DTLS)
        return handshake_receive(w, t, dg, held);
    if (class != DATAGRAM_MEDIA)
        return DROP_UNKNOWN_CLASS;
    return relay_packet(w, t, dg, rtp_packet_is_rtcp(data, dg->bytes), false, held);
}

/* Of plain RTP: by socket, or by remote address. */
static enum drop relay_plain(struct worker *w, const struct datagram *dg, bool *held)
{
    const uint8_t *data = slab_packet(&w->slab, dg->slot);
    struct transport *t = transport_of(w, dg);
    bool learn;
    if (t == NULL)
        return DROP_NO_PEER;
    if (datagram_class_of(data[0]) != DATAGRAM_MEDIA)
        return DROP_UNKNOWN_CLASS;
    bool mux = t->rtcp_socket == t->rtp_socket;
    bool rtcp = mux ? rtp_packet_is_rtcp(data, dg->bytes) : dg->socket == t->rtcp_socket;
    enum drop why = check_remote(t, &dg->from.remote, rtcp && !mux, &learn);
    if (why != DROP_NONE)
        return why;
    why = relay_packet(w, t, dg, rtcp, learn, held);
    if (why == DROP_NONE && w->sockets[dg->socket].wildcard)
        net_transport_local(t, rtcp && !mux, &dg->from.local);
    return why;
}

static void relay_datagram(struct worker *w, const struct datagram *dg)
{
    bool held = false;
    enum drop why = dg->socket == DEMUX_NONE     ? DROP_NO_PEER
                    : w->sockets[dg->socket].ice ? relay_peer(w, dg, &held)
                                                 : relay_plain(w, dg, &held);
    count_drop(w, why); /* DROP_NONE counts what was accepted */
    if (!held)
        slab_release(&w->slab, dg->slot);
}

static void on_datagram(struct worker *w, const struct io_event *event)
{
    uint32_t socket = w->socket_of_io[event->socket];
    relay_datagram(w,
                   &(struct datagram){
                       .slot = event->slot,
                       .bytes = event->bytes,
                       .socket = socket,
                       .arrived_us = event->arrived_us,
                       .from = {.remote = event->remote, .local = event->local, .socket = socket},
                   });
}

/* ---- TCP ---- */

static void on_frame(struct worker *w, const struct tcp_event *event)
{
    const struct io_event *frame = &event->datagram;
    relay_datagram(w, &(struct datagram){
                          .slot = frame->slot,
                          .bytes = frame->bytes,
                          .socket = frame->socket,
                          .arrived_us = frame->arrived_us,
                          .from = {.remote = frame->remote,
                                   .local = frame->local,
                                   .socket = event->id.index,
                                   .gen = event->id.gen,
                                   .tcp = true},
                      });
}

static void take_frames(struct worker *w)
{
    struct tcp_event event;
    while (fanout_has_room(w) && tcp_next(w->tcp, &event)) {
        if (event.kind == TCP_FRAME)
            on_frame(w, &event);
        else if (event.owner != TCP_UNCLAIMED)
            peer_connection_ended(w, &w->transports[event.owner], event.id);
    }
}

/* The tag is the transport; it may have been closed since, and its index be another's. A run that
 * was refused went out as singles. */
static void on_send_failed(struct worker *w, const struct io_event *event)
{
    struct transport *t = &w->transports[event->tag % TRANSPORTS_MAX];
    bool again = event->error == -EAGAIN || event->error == -ENOBUFS;
    w->count.drops[again ? DROP_SEND_AGAIN : DROP_SEND_ERROR] += event->packets;
    if (!t->open || t->tag != event->tag)
        return;
    t->send_failed += event->packets;
    t->no_runs |= event->error == -EMSGSIZE || event->error == -EINVAL || event->error == -EIO;
    trace_add(&w->trace, w->now_us, TRACE_SEND_FAILED, t->index, (uint32_t)-event->error);
}

static void take_events(struct worker *w)
{
    struct io_event event;
    for (int i = 0; i < TURN_DATAGRAMS_MAX && fanout_has_room(w) && io_next(w->io, &event); i++) {
        switch (event.kind) {
        case IO_DATAGRAM:
            on_datagram(w, &event);
            break;
        case IO_SEND_FAILED:
            on_send_failed(w, &event);
            break;
        case IO_SOCKET_DEAD:
            if (w->socket_of_io[event.socket] != DEMUX_NONE)
                event_socket_dead(w, w->socket_of_io[event.socket], event.error);
            break;
        case IO_READY:
            tcp_on_ready(w->tcp, &event);
            break;
        case IO_WOKEN:
            break;
        }
    }
    take_frames(w);
}

/* ---- timers ---- */

/* Hardly anything was sent for a whole tick, the reports of a few rooms perhaps: what a busy turn
 * touches goes back to the system, once. When the last transport has gone, so does what grew with
 * the rooms. */
static void rest(struct worker *w)
{
    uint64_t sent = io_counters(w->io)->packets_out;
    bool calm = sent - w->sent_at_tick <= CALM_PACKETS && w->records_free_n == RECORDS_N;
    bool idle = calm && w->count.transports == 0;
    w->sent_at_tick = sent;
    if (!calm)
        w->rested = false;
    if (calm && !w->rested && io_rest(w->io)) { /* else in the next tick */
        w->rested = true;
        w->record_free = NONE16;
        w->record_fresh = 0;
        base_give_back(w->records, RECORDS_N * sizeof *w->records);
        tcp_rest(w->tcp);
    }
    if (idle && !w->idle) {
        base_give_back(w->nacks, worker_streams_max(&w->config) * sizeof *w->nacks);
        base_give_back(w->twccs, w->config.transports_max * sizeof *w->twccs);
    }
    w->idle = idle;
}

static void on_tick(struct worker *w)
{
    slab_trim(&w->slab, TRIM_PAGES, io_standing_is_empty(w->io));
    mirror_tick(w);
    recovery_rest(w);
    rest(w);
    atomic_store_explicit(&w->counters.turn_us_max, w->count.turn_us_max, memory_order_relaxed);
    w->count.turn_us_max = 0;
    uint64_t retained = retain_counters(w->retain)->put;
    atomic_store_explicit(&w->counters.retained_pps, retained - w->count.retained_at_tick,
                          memory_order_relaxed);
    w->count.retained_at_tick = retained;
    timers_set(&w->timers, &w->tick_timer, w->now_us + TICK_US);
}

static void on_timer(struct worker *w, const struct timer *timer)
{
    uint32_t owner = timer->owner;
    switch ((enum timer_kind)timer->kind) {
    case TIMER_REPORT:
        reporting_send(w, &w->transports[owner]);
        break;
    case TIMER_TWCC:
        reporting_send_twcc(w, &w->transports[owner]);
        break;
    case TIMER_NACK:
        recovery_ask(w, pool_at(&w->streams, owner));
        break;
    case TIMER_KEYFRAME:
        recovery_keyframe_expire(w, pool_at(&w->streams, owner));
        break;
    case TIMER_RESEND:
        recovery_serve(w, &w->consumers[owner]);
        break;
    case TIMER_EXPIRY:
        recovery_schedule_expiry(w, pool_at(&w->streams, owner));
        break;
    case TIMER_CONSENT:
        peer_expire(w, &w->transports[owner]);
        break;
    case TIMER_DTLS:
        handshake_expire(w, &w->transports[owner]);
        break;
    case TIMER_TICK:
        on_tick(w);
        break;
    }
}

static void run_timers(struct worker *w)
{
    for (int i = 0; i < TURN_TIMERS_MAX; i++) {
        struct timer *timer = timers_pop(&w->timers, w->now_us);
        if (timer == NULL)
            return;
        on_timer(w, timer);
    }
}

/* ---- the turn ---- */

/* Receiving never stops for want of slots: the oldest retained give way. A small slab keeps an
 * eighth free, or nothing would ever be retained in it. */
static void make_room(struct worker *w)
{
    uint32_t batch = (uint32_t)clamp_i64(w->slab.slots_n / 8, 1, EVICT_BATCH);
    uint32_t coming = w->slab.free_n + w->slab.limbo_n;
    /* What is in limbo is free in a moment, or when a reader's long turn has ended. */
    if (w->slab.free_n >= batch || (w->slab.free_n >= batch / 2 && coming >= batch))
        return;
    uint32_t evicted = retain_evict(w->retain, batch);
    if (evicted > 0)
        trace_add(&w->trace, w->now_us, TRACE_EVICT, evicted, w->slab.free_n);
}

static bool command_is_ready(struct worker *w)
{
    return mailbox_take_begin(&w->inbox) != NULL && mailbox_put_begin(&w->outbox) != NULL;
}

/* Does anything but receiving want the turn? A command that waits for the rounds to end does not:
 * only their slices bring it nearer. */
static bool fan_out_yields(struct worker *w, int64_t began_us)
{
    return timers_next_us(&w->timers) <= w->now_us || w->now_us - began_us >= TURN_FANOUT_US ||
           (!w->command_waits && command_is_ready(w));
}

/* Batches to all receivers, in slices; between two of them receiving goes on, so that another
 * room's packets do not wait for the end of a large one. Nor do its timers and commands: what has
 * not been served by then is left to the next turn. True: something has been. */
static bool fan_out(struct worker *w)
{
    int64_t began_us = w->now_us;
    fanout_begin(w);
    while (fanout_step(w)) {
        w->count.fanout_yields++;
        w->now_us = clock_now_us();
        if (fan_out_yields(w, began_us) || io_poll(w->io) != 0)
            break;
        w->now_us = clock_now_us();
        take_events(w);
        exchange_take(w);
        exchange_ring(w);
        fanout_begin(w);
        make_room(w);
    }
    return fanout_is_active(w) || w->batch_n > 0;
}

static void turn_end(struct worker *w, int64_t began_us)
{
    int64_t now_us = clock_now_us();
    uint64_t turn_us = (uint64_t)max_i64(now_us - began_us, 0);
    w->count.turns++;
    w->count.busy_us += turn_us;
    if (turn_us > w->count.turn_us_max)
        w->count.turn_us_max = turn_us;
    shed_measure(w, now_us);
    stats_publish(w);
    event_ring(w);
}

static void worker_turn(struct worker *w, bool busy)
{
    /* Commands and events that wait for room in the outbox: nobody announces that there is some. */
    bool waits = mailbox_take_begin(&w->inbox) != NULL || w->owing_n > 0;
    int64_t most_us = waits ? OUTBOX_FULL_US : WAIT_MAX_US;
    int64_t until_us = min_i64(timers_next_us(&w->timers), w->now_us + most_us);
    tcp_flush(w->tcp);
    until_us = min_i64(until_us, tcp_due_us(w->tcp));
    bool sleeps = !busy && exchange_sleep(w);
    int result = sleeps ? io_wait(w->io, until_us) : io_poll(w->io);
    exchange_begin(w);
    if (result != 0) {
        event_engine_dead(w, result);
        w->engine_dead = w->stopping = true;
        return;
    }
    w->now_us = clock_now_us();
}

static void worker_loop(struct worker *w)
{
    bool busy = false;
    while (!w->stopping) {
        worker_turn(w, busy);
        int64_t began_us = w->now_us;
        tcp_turn(w->tcp, w->now_us);
        apply_commands(w);
        shed_turn(w);
        take_events(w);
        bool more = exchange_take(w);
        exchange_ring(w); /* before what takes time */
        busy = fan_out(w);
        busy |= more;
        busy |= handshake_step(w);
        busy |= command_is_ready(w); /* its wake-up may have been seen during the fan-out */
        run_timers(w);
        peer_tell_owed(w);
        exchange_ring(w);
        exchange_settle(w);
        make_room(w);
        turn_end(w, began_us);
    }
}

void worker_main(struct worker *w)
{
    if (w->config.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)w->config.cpu, &set);
        pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    }
    w->now_us = clock_now_us();
    timers_set(&w->timers, &w->tick_timer, w->now_us + TICK_US);
    shed_init(w);
    worker_loop(w);
    apply_close_all(w);
    exchange_end(w);
    stats_publish(w);
    event_ring(w);
}
