/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stats.c - figures out. */
#include "net/stats.h"

static void stats_peer(const struct transport *transport, struct transport_stats *stats)
{
    const struct peer *peer = transport->peer;
    stats->tcp = transport->tcp && addr_is_set(&transport->remote);
    stats->ice_state = peer->ice.state;
    stats->dtls_state = peer->dtls_state;
    stats->dtls_role = peer->role;
    stats->tuples_n = peer->ice.tuples_n;
    if (ice_selected(&peer->ice) != NULL && addr_is_set(&ice_selected(&peer->ice)->local))
        stats->local = ice_selected(&peer->ice)->local;
}

void stats_transport(const struct worker *w, const struct transport *transport,
                     struct transport_stats *stats)
{
    *stats = (struct transport_stats){
        .remote = transport->remote,
        .local = transport->has_local ? transport->local : w->sockets[transport->rtp_socket].local,
        .rtcp_remote = transport->rtcp_remote,
        .connected = transport_is_ready(transport),
        .rtcp_learnt = addr_is_set(&transport->rtcp_remote),
        .sealed = transport->seal != NULL,
        .packets_in = transport->packets_in,
        .bytes_in = transport->bytes_in,
        .packets_out = transport->packets_out,
        .bytes_out = transport->bytes_out,
        .rtp_packets_in = transport->rtp_in,
        .rtp_packets_out = transport->rtp_out,
        .rtcp_packets_in = transport->rtcp_in,
        .rtcp_packets_out = transport->rtcp_out,
        .send_failed = transport->send_failed,
        .dropped = transport->dropped,
        .bitrate_in_bps = rate_bps(&transport->rate_in, w->now_us),
        .bitrate_out_bps = rate_bps(&transport->rate_out, w->now_us),
        .rtt_us = transport->rtt.smoothed_us,
        .suite = transport->seal != NULL ? seal_suite_of(transport->seal) : SEAL_NONE,
        .incoming_max_bps = transport->bitrate.incoming_max,
        .outgoing_max_bps = transport->bitrate.outgoing_max,
        .outgoing_min_bps = transport->bitrate.outgoing_min,
    };
    if (transport->peer != NULL)
        stats_peer(transport, stats);
}

static void stats_stream(const struct worker *w, const struct stream *stream,
                         struct stream_stats *stats)
{
    const struct source *source = &stream->source;
    *stats = (struct stream_stats){
        .ssrc = stream->ssrc,
        .rtx_ssrc = stream->rtx_ssrc,
        .packets = source->packets,
        .bytes = source->bytes,
        .packets_rtx = stream->packets_rtx,
        .bytes_rtx = stream->bytes_rtx,
        .packets_dropped = stream->dropped,
        .packets_repaired = source->repaired,
        .packets_lost = source->lost_total,
        .fraction_lost = source->fraction_lost,
        .jitter = source_jitter(source),
        .bitrate_bps = rate_bps(&source->rate, w->now_us),
        .packet_rate = rate_pps(&source->rate, w->now_us),
        .rtt_us = stream->rtt.smoothed_us,
        .score = stream->score.value,
        .nacks = stream->nacks,
        .nacked_packets = stream->nacked,
        .plis = stream->plis,
        .firs = stream->firs,
        .retained_n = stream->retain.n,
        .retain_us = stream->retain.duration_us,
        .restarts = source->restarts,
        .duplicates = source->duplicates,
        .keyframes = stream->keyframes,
    };
}

void stats_producer(const struct worker *w, const struct producer *producer,
                    struct producer_stats *stats)
{
    *stats =
        (struct producer_stats){.paused = producer->paused, .encodings_n = producer->encodings_n};
    for (uint32_t i = 0; i < producer->encodings_n; i++) {
        stats->consumers_n += producer->streams[i]->consumers_n;
        stats_stream(w, producer->streams[i], &stats->encodings[i]);
    }
}

void stats_consumer(const struct worker *w, const struct consumer *consumer,
                    struct consumer_stats *stats)
{
    const struct resend *resend = &consumer->resend;
    *stats = (struct consumer_stats){
        .paused = consumer->paused_by & PAUSED_BY_CONTROLLER,
        .shed = consumer->paused_by & PAUSED_BY_SHED,
        .producer_paused = consumer->stream->producer->paused,
        .seq_max = (uint16_t)consumer->map.out_max,
        .producer_score = consumer->stream->score.value,
        .stream =
            {
                .ssrc = consumer->rewrite.ssrc,
                .rtx_ssrc = consumer->rewrite.rtx_ssrc,
                .packets = consumer->packets,
                .bytes = consumer->bytes,
                .packets_rtx = consumer->packets_rtx,
                .bytes_rtx = consumer->bytes_rtx,
                .packets_dropped = consumer->dropped,
                .packets_lost = consumer->remote.lost_total,
                .fraction_lost = consumer->remote.fraction_lost,
                .jitter = consumer->remote.jitter,
                .bitrate_bps = rate_bps(&consumer->rate, w->now_us),
                .packet_rate = rate_pps(&consumer->rate, w->now_us),
                .rtt_us = consumer->rtt.smoothed_us,
                .score = consumer->score.value,
                .nacks = consumer->nacks,
                .nacked_packets = consumer->nacked,
                .plis = consumer->plis,
                .firs = consumer->firs,
                .keyframes = consumer->keyframes,
                .nack_served = resend->served,
                .nack_missed = resend->missed,
                .nack_suppressed = resend->suppressed,
                .nack_overflowed = resend->overflowed,
                .nack_early = resend->early_served,
            },
    };
}

static void store(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static void publish_objects(struct worker *w)
{
    struct worker_counters *c = &w->counters;
    store(&c->slots, w->slab.slots_n);
    store(&c->slots_free, w->slab.free_n);
    store(&c->slots_standing, w->slab.kernel_n);
    store(&c->slots_limbo, w->slab.limbo_n);
    store(&c->slots_retained, retain_held_n(w->retain));
    store(&c->slots_resident, w->slab.resident_n);
    store(&c->sockets, w->count.sockets);
    store(&c->transports, w->count.transports);
    store(&c->producers, w->count.producers);
    store(&c->consumers, w->count.consumers);
    store(&c->mirrors, w->count.mirrors);
    store(&c->handshakes_waiting, w->handshakes_n);
}

static void publish_load(struct worker *w)
{
    struct worker_counters *c = &w->counters;
    const struct shed *shed = &w->shed;
    store(&c->stress, stress_figure(&shed->stress));
    store(&c->stress_busy, shed->stress.busy);
    store(&c->stress_slots, shed->stress.slots);
    store(&c->stressed, w->count.stressed);
    store(&c->shed, w->count.shed);
    store(&c->unshed, w->count.unshed);
    store(&c->consumers_shed, shed->shed.n);
}

static void publish_tcp(struct worker *w)
{
    struct worker_counters *c = &w->counters;
    const struct tcp_counters *tcp = tcp_counters(w->tcp);
    store(&c->tcp_accepted, tcp->accepted);
    store(&c->tcp_closed, tcp->closed_peer + tcp->closed_error + tcp->closed_unclaimed +
                              tcp->closed_caller + tcp->refused);
    store(&c->tcp_refused, tcp->refused);
    store(&c->tcp_displaced, tcp->displaced);
    store(&c->tcp_frames_in, tcp->frames_in);
    store(&c->tcp_frames_out, tcp->frames_out);
    store(&c->tcp_connections, tcp->connections);
    store(&c->drops[DROP_TCP_LONG], tcp->too_long);
}

static void publish_io(struct worker *w)
{
    struct worker_counters *c = &w->counters;
    const struct io_counters *io = io_counters(w->io);
    store(&c->datagrams_in, io->datagrams);
    store(&c->bytes_in, io->bytes_in);
    store(&c->packets_out, io->packets_out);
    store(&c->bytes_out, io->bytes_out);
    store(&c->sends, io->sends);
    store(&c->runs_split, io->runs_split);
    store(&c->syscalls, io->syscalls + tcp_counters(w->tcp)->syscalls);
    store(&c->kernel_drops, io->kernel_drops);
    store(&c->starved, io->starved);
    /* what the engine drops by itself, by reason */
    store(&c->drops[DROP_KERNEL], io->kernel_drops);
    store(&c->drops[DROP_STARVED], io->starved);
    store(&c->drops[DROP_RECV], io->recv_errors);
    store(&c->drops[DROP_TRUNCATED], io->truncated);
    store(&c->drops[DROP_EMPTY], io->empty);
}

void stats_publish(struct worker *w)
{
    struct worker_counters *c = &w->counters;
    const struct retain_counters *retained = retain_counters(w->retain);
    for (int i = 0; i < DROP_N; i++)
        if (w->count.drops[i] != 0)
            store(&c->drops[i], w->count.drops[i]);
    store(&c->drops[DROP_EVICTED], retained->evicted);
    store(&c->evicted, retained->evicted);
    store(&c->retained, retained->put);
    store(&c->turns, w->count.turns);
    store(&c->busy_us, w->count.busy_us);
    store(&c->rtp_in, w->count.rtp_in);
    store(&c->rtcp_in, w->count.rtcp_in);
    store(&c->forwarded, w->count.forwarded);
    store(&c->resent, w->count.resent);
    store(&c->rtcp_out, w->count.rtcp_out);
    store(&c->nack_requested, w->count.nack_requested);
    store(&c->nack_served, w->count.nack_served);
    store(&c->nack_missed, w->count.nack_missed);
    store(&c->nack_sent, w->count.nack_sent);
    store(&c->checks, w->count.checks);
    store(&c->handshake_steps, w->count.handshake_steps);
    store(&c->handshake_steps_turn_max, w->count.handshake_steps_turn_max);
    store(&c->keyframe_requests, w->count.keyframe_requests);
    store(&c->events_dropped, w->count.events_dropped);
    store(&c->fanout_yields, w->count.fanout_yields);
    store(&c->published, w->count.published);
    store(&c->notices_lost, w->count.notices_lost);
    publish_objects(w);
    publish_io(w);
    publish_tcp(w);
    publish_load(w);
}
