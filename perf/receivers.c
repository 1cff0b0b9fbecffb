/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/receivers.c - what arrives, what is missing, what is asked for again. */
#include "perf/receivers.h"

#include "core/clock.h"
#include "core/random.h"
#include "net/certificate.h"
#include "net/demux.h"
#include "net/udp.h"
#include "perf/inbound.h"
#include "perf/limit.h"
#include "perf/publisher.h"
#include "perf/rtcpeer.h"
#include "rtcp/packet.h"

#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SLOTS_N = 16384,
    DELAYED_N = 16384,   /* messages on their way, power of two */
    MESSAGE_BYTES = 832, /* 31 report blocks, and what a seal needs */
    MESSAGE_SLACK = 64,
    NACKS_MAX = 48, /* numbers in one message */
    REPORT_US = 1000000,
    LOSS_ONE = 1 << 30,
};

struct receiver {
    struct shared_participant *shared;
    const struct scene_participant *scene;
    struct seal *seal; /* with WebRTC the peer's */
    struct rtcpeer *peer;
    uint32_t joined;    /* the transport that this is about; 0: none */
    uint32_t last_at;   /* the stream of the last packet: frames come in one piece */
    uint32_t report_at; /* the stream that the next report begins with */
    int64_t report_us;
};

struct message { /* waits for its time */
    int64_t due_us;
    uint32_t receiver;
    uint16_t bytes;
    _Alignas(4) uint8_t data[MESSAGE_BYTES];
};

struct receivers {
    struct shared *shared;
    const struct scene *scene;
    const struct options *options;
    struct io *io;
    struct slab slab;
    struct random random;
    struct receiver *all;
    struct inbound *streams; /* as scene->streams */
    int64_t *ask_us;         /* of each stream, when something is to be asked for: together, because
                                they are all looked at every millisecond */
    struct certificate certificate;
    struct dtls_context *dtls;
    uint32_t n, loss; /* of LOSS_ONE */
    int64_t now_us;
    struct message *delayed;
    uint32_t delayed_put, delayed_take;
};

/* ---- what is said, an RTT later ---- */

static void send_now(struct receiver *to, const uint8_t *data, size_t bytes)
{
    const struct addr *relay = &to->shared->relay;
    (void)!sendto(to->shared->fd, data, bytes, MSG_DONTWAIT, &relay->sa, addr_len(relay));
}

static void say(struct receivers *r, uint32_t index, const struct rtcp_writer *writer)
{
    if (r->delayed_put - r->delayed_take == DELAYED_N)
        return;
    struct message *message = &r->delayed[r->delayed_put++ % DELAYED_N];
    message->due_us = r->now_us + (int64_t)r->options->rtt_ms * 1000;
    message->receiver = index;
    message->bytes = (uint16_t)writer->at;
    memcpy(message->data, writer->data, writer->at);
}

static void send_due(struct receivers *r)
{
    while (r->delayed_take != r->delayed_put) {
        struct message *message = &r->delayed[r->delayed_take % DELAYED_N];
        struct receiver *to = &r->all[message->receiver];
        size_t bytes = message->bytes;
        if (message->due_us > r->now_us)
            return;
        r->delayed_take++;
        if (to->joined == 0 || to->joined != atomic_load(&to->shared->sealed) ||
            (to->seal != NULL && seal_protect_rtcp(to->seal, message->data, &bytes) != DROP_NONE))
            continue;
        send_now(to, message->data, bytes);
    }
}

static uint32_t own_ssrc(uint32_t index)
{
    return 0x77000000u + index;
}

/* What it was too slow for itself: no loss of the relay's. */
static void count_missed(struct receiver *to)
{
    uint32_t figures[SK_MEMINFO_VARS] = {0};
    socklen_t bytes = sizeof figures;
    if (getsockopt(to->shared->fd, SOL_SOCKET, SO_MEMINFO, figures, &bytes) == 0)
        atomic_store(&to->shared->figures.missed, figures[SK_MEMINFO_DROPS]);
}

static struct rtcp_report_block block_of(struct receivers *r, struct inbound *in)
{
    struct source_report got;
    source_take_report(&in->source, &got);
    return (struct rtcp_report_block){
        .ssrc = in->ssrc,
        .fraction_lost = got.fraction_lost,
        .lost_total = got.lost_total,
        .seq_max = got.seq_max,
        .jitter = got.jitter,
        .last_sr = in->last_sr,
        .delay = in->last_sr == 0 ? 0 : (uint32_t)((r->now_us - in->last_sr_us) * 65536 / 1000000),
    };
}

/* One packet of at most RTCP_BLOCKS_MAX blocks; those with more streams go on with the next ones
 * (RFC 3550 6.1). */
static void report(struct receivers *r, uint32_t index)
{
    struct receiver *to = &r->all[index];
    struct rtcp_report_block blocks[RTCP_BLOCKS_MAX];
    uint8_t data[MESSAGE_BYTES];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data - MESSAGE_SLACK};
    size_t blocks_n = 0;
    uint32_t n = to->scene->streams_n;
    to->report_us += REPORT_US;
    count_missed(to);
    for (uint32_t i = 0; i < n && blocks_n < RTCP_BLOCKS_MAX; i++) {
        uint32_t at = to->scene->streams_at + to->report_at;
        struct inbound *in = &r->streams[at];
        to->report_at = (to->report_at + 1) % n;
        if (in->source.started && in->ssrc == atomic_load(&r->shared->streams[at].ssrc))
            blocks[blocks_n++] = block_of(r, in);
    }
    if (blocks_n > 0 && rtcp_write_rr(&writer, own_ssrc(index), blocks, blocks_n))
        say(r, index, &writer);
}

static void ask(struct receivers *r, uint32_t index, struct inbound *in)
{
    struct shared_figures *figures = &r->all[index].shared->figures;
    uint16_t seqs[NACKS_MAX];
    bool wants_keyframe;
    int64_t rtt_us = (int64_t)r->options->rtt_ms * 1000;
    size_t n = nack_take(&in->list, r->now_us, rtt_us + 20000, seqs, NACKS_MAX, &wants_keyframe);
    uint8_t data[MESSAGE_BYTES];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data - MESSAGE_SLACK};
    n = rtcp_write_nack(&writer, own_ssrc(index), in->ssrc, seqs, n);
    inbound_count(&figures->nack_requested, n);
    if (wants_keyframe && rtcp_write_pli(&writer, own_ssrc(index), in->ssrc))
        inbound_count(&figures->keyframes_requested, 1);
    if (writer.at > 0)
        say(r, index, &writer);
    r->ask_us[in - r->streams] = nack_due_us(&in->list);
}

/* ---- what arrives ---- */

/* The stream with that ssrc, its own or that of its resends; it begins with its first packet. NULL:
 * not ours. */
static struct inbound *find_stream(struct receivers *r, struct receiver *to, uint32_t ssrc,
                                   bool *rtx)
{
    const struct scene_participant *scene = to->scene;
    for (uint32_t i = 0; i < scene->streams_n; i++) {
        uint32_t at = scene->streams_at + (to->last_at + i) % scene->streams_n;
        struct shared_stream *told = &r->shared->streams[at];
        uint32_t media = atomic_load_explicit(&told->ssrc, memory_order_acquire);
        *rtx = ssrc == atomic_load_explicit(&told->rtx_ssrc, memory_order_relaxed);
        if (ssrc == 0 || (ssrc != media && !*rtx))
            continue;
        to->last_at = at - scene->streams_at;
        struct inbound *in = &r->streams[at];
        bool video = r->scene->tracks[r->scene->streams[at].track].kind == SCENE_VIDEO;
        if (in->ssrc != media)
            inbound_init(in, media, video ? 90000 : 48000, video && r->options->nack);
        return in;
    }
    return NULL;
}

static void sample(struct receivers *r, const struct receiver *to, const struct inbound *in,
                   const uint8_t *data, size_t bytes, int64_t arrived_us)
{
    if (!atomic_load_explicit(&r->shared->measure, memory_order_relaxed) ||
        bytes < PUBLISHER_STAMP_AT + 8)
        return;
    uint32_t track = r->scene->streams[in - r->streams].track;
    enum shared_class class = r->scene->rooms[to->scene->room].side         ? SHARED_SIDE
                              : r->scene->tracks[track].kind == SCENE_VIDEO ? SHARED_VIDEO
                                                                            : SHARED_AUDIO;
    int64_t sent_ns = (int64_t)be64(data + PUBLISHER_STAMP_AT);
    histogram_add(&r->shared->transit_ns[class], (uint64_t)max_i64(r->now_us * 1000 - sent_ns, 0));
    histogram_add(&r->shared->arrival_ns[class], (uint64_t)max_i64(arrived_us * 1000 - sent_ns, 0));
}

/* Loss by the seeded generator; drawn for packets of the relay only. */
static bool throw_away(struct receivers *r)
{
    return r->loss > 0 && !atomic_load_explicit(&r->shared->calm, memory_order_relaxed) &&
           random_below(&r->random, LOSS_ONE) < r->loss;
}

static void on_rtp(struct receivers *r, struct receiver *to, uint8_t *data, size_t bytes,
                   int64_t arrived_us)
{
    struct shared_figures *figures = &to->shared->figures;
    bool rtx = false;
    if ((data[1] & 0x7f) == LIMIT_PT) {
        inbound_count(&figures->limit, 1);
        return;
    }
    struct inbound *in = find_stream(r, to, be32(data + 8), &rtx);
    if (in == NULL) {
        inbound_count(&figures->foreign, 1);
        return;
    }
    bool thrown = throw_away(r);
    if (rtx && thrown)
        return;
    bool sampled = to->scene->sampled && !thrown;
    if (to->seal != NULL && (rtx || sampled) &&
        seal_unprotect_rtp(to->seal, data, &bytes) != DROP_NONE) {
        inbound_count(&figures->foreign, 1);
        return;
    }
    if (rtx) {
        inbound_rtx(in, figures, data, bytes, r->now_us);
    } else {
        if (sampled)
            sample(r, to, in, data, bytes, arrived_us);
        inbound_media(in, figures, data, bytes, thrown, r->now_us);
    }
    r->ask_us[in - r->streams] = nack_due_us(&in->list);
}

/* A sender's reports, for round trip times. */
static void on_sender_report(struct receivers *r, struct receiver *to, uint32_t ssrc, uint64_t ntp)
{
    for (uint32_t i = 0; i < to->scene->streams_n; i++) {
        struct inbound *in = &r->streams[to->scene->streams_at + i];
        if (in->ssrc != ssrc)
            continue;
        in->last_sr = ntp_compact(ntp);
        in->last_sr_us = r->now_us;
        return;
    }
}

/* The relay wants a key frame of one of the participant's own tracks: RFC 4585 6.3.1, RFC 5104
 * 4.3.1. */
static void on_keyframe_request(struct receivers *r, const uint8_t *data,
                                const struct rtcp_packet *packet)
{
    const uint8_t *at = data + packet->at;
    uint32_t media_at = packet->count == RTCP_FB_FIR ? 12 : 8;
    if (packet->bytes < media_at + 4)
        return;
    uint32_t track = be32(at + media_at) - SCENE_SSRC;
    inbound_count(&r->shared->keyframe_requests, 1);
    if (track < r->scene->tracks_n)
        atomic_store_explicit(&r->shared->tracks[track].keyframe, true, memory_order_relaxed);
}

static void on_rtcp(struct receivers *r, struct receiver *to, uint8_t *data, size_t bytes)
{
    struct rtcp_reader reader;
    struct rtcp_packet packet;
    struct rtcp_sender_info info;
    if (to->seal != NULL && seal_unprotect_rtcp(to->seal, data, &bytes) != DROP_NONE)
        return;
    if (rtcp_reader_init(&reader, data, bytes) != DROP_NONE)
        return;
    while (rtcp_reader_next(&reader, &packet)) {
        if (packet.type == RTCP_SR && rtcp_read_sender_info(data, &packet, &info))
            on_sender_report(r, to, be32(data + packet.at + 4), info.ntp);
        if (packet.type == RTCP_PSFB &&
            (packet.count == RTCP_FB_PLI || packet.count == RTCP_FB_FIR))
            on_keyframe_request(r, data, &packet);
    }
}

/* ---- joining ---- */

static void flush_peer(struct receiver *to)
{
    uint8_t data[RTCPEER_OUT_BYTES];
    for (size_t bytes; (bytes = rtcpeer_next_out(to->peer, data)) > 0;)
        send_now(to, data, bytes);
}

static void settle(struct receivers *r, struct receiver *to)
{
    if (to->seal != NULL && seal_add_out(to->seal, own_ssrc((uint32_t)(to - r->all))) != 0)
        atomic_store(&to->shared->failed, true);
    atomic_store(&to->shared->sealed, to->joined);
}

static void follow_peer(struct receivers *r, struct receiver *to)
{
    flush_peer(to);
    if (to->peer->state == RTCPEER_FAILED)
        atomic_store(&to->shared->failed, true);
    if (to->peer->state != RTCPEER_CONNECTED || to->seal != NULL)
        return;
    to->seal = to->peer->seal;
    atomic_store(&r->shared->suite, (uint32_t)to->peer->suite);
    settle(r, to);
}

static void on_peer(struct receivers *r, struct receiver *to, uint8_t *data, size_t bytes)
{
    if (to->peer == NULL)
        return;
    rtcpeer_feed(to->peer, data, &bytes, r->now_us);
    follow_peer(r, to);
}

static void leave(struct receiver *to)
{
    atomic_store(&to->shared->sealed, 0);
    if (to->peer != NULL) {
        rtcpeer_close(to->peer);
        flush_peer(to);
        rtcpeer_exit(to->peer); /* and its seal */
        free(to->peer);
    } else {
        seal_exit(to->seal);
    }
    to->peer = NULL;
    to->seal = NULL;
}

static void join(struct receivers *r, struct receiver *to)
{
    struct shared_participant *told = to->shared;
    if (r->options->webrtc) {
        struct rtcpeer_config config = {
            .dtls = r->dtls,
            .role = DTLS_ROLE_CLIENT,
            .relay = told->fingerprint,
            .theirs = told->ice,
            .seed = r->options->seed + (uint64_t)(to - r->all) + ((uint64_t)to->joined << 32),
            .keys = &told->keys,
        };
        to->peer = calloc(1, sizeof *to->peer);
        if (to->peer == NULL) {
            atomic_store(&told->failed, true);
            return;
        }
        rtcpeer_init(to->peer, &config, r->now_us);
        return;
    }
    if (told->keys.suite != SEAL_NONE &&
        seal_init(&to->seal, told->keys.suite, told->keys.in, told->keys.out) != 0)
        atomic_store(&told->failed, true);
    settle(r, to);
}

static void follow_harness(struct receivers *r, struct receiver *to)
{
    uint32_t joined = atomic_load(&to->shared->joined);
    if (joined == to->joined)
        return;
    if (to->joined != 0)
        leave(to);
    to->joined = joined;
    if (joined != 0)
        join(r, to);
}

static void on_datagram(struct receivers *r, const struct io_event *event)
{
    struct receiver *to = &r->all[event->socket];
    uint8_t *data = slab_packet(&r->slab, event->slot);
    if (datagram_class_of(data[0]) != DATAGRAM_MEDIA)
        on_peer(r, to, data, event->bytes);
    else if (event->bytes < 12)
        inbound_count(&to->shared->figures.foreign, 1);
    else if (rtp_packet_is_rtcp(data, event->bytes))
        on_rtcp(r, to, data, event->bytes);
    else
        on_rtp(r, to, data, event->bytes, event->arrived_us);
    slab_release(&r->slab, event->slot);
}

/* ---- the process ---- */

static bool make_clients(struct receivers *r)
{
    struct dtls_config config = {.version_max = r->options->dtls};
    if (!r->options->webrtc)
        return true;
    if (dtls_library_init() != 0 || certificate_make(&r->certificate) != 0 ||
        dtls_context_init(&r->dtls, &r->certificate, &config) != 0)
        return false;
    r->shared->fingerprint = r->certificate.fingerprints[FINGERPRINT_SHA256];
    return true;
}

static bool open_all(struct receivers *r)
{
    struct io_config config = {.engine = IO_ENGINE_AUTO,
                               .sockets_max = r->n,
                               .standing_max = 4096,
                               .prompt = r->options->prompt};
    r->all = calloc(r->n, sizeof *r->all);
    r->streams = calloc(r->scene->streams_n, sizeof *r->streams);
    r->ask_us = calloc(r->scene->streams_n, sizeof *r->ask_us);
    r->delayed = calloc(DELAYED_N, sizeof *r->delayed);
    r->random.state = r->options->seed;
    r->loss = (uint32_t)(r->options->loss_share * LOSS_ONE);
    r->now_us = clock_now_us();
    if (r->all == NULL || r->streams == NULL || r->ask_us == NULL || r->delayed == NULL ||
        slab_init(&r->slab, SLOTS_N, 0, false) != 0 || io_init(&r->io, &config, &r->slab) != 0 ||
        seal_library_init() != 0 || !make_clients(r))
        return false;
    for (uint32_t i = 0; i < r->scene->streams_n; i++)
        r->ask_us[i] = INT64_MAX;
    for (uint32_t i = 0; i < r->n; i++) {
        r->all[i].shared = &r->shared->participants[i];
        r->all[i].scene = &r->scene->participants[i];
        r->all[i].report_us = r->now_us + REPORT_US + (int64_t)random_below(&r->random, REPORT_US);
        if (io_open_socket(r->io, r->all[i].shared->fd) != (int)i)
            return false;
    }
    return true;
}

/* Timers of the receivers by a look at all of them every millisecond. */
static void run_timers(struct receivers *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        struct receiver *to = &r->all[i];
        follow_harness(r, to);
        if (to->joined == 0)
            continue;
        for (uint32_t s = 0; r->options->nack && s < to->scene->streams_n; s++) {
            uint32_t at = to->scene->streams_at + s;
            if (r->ask_us[at] <= r->now_us)
                ask(r, i, &r->streams[at]);
        }
        if (to->report_us <= r->now_us)
            report(r, i);
        if (to->peer != NULL && rtcpeer_due_us(to->peer) <= r->now_us) {
            rtcpeer_expire(to->peer, r->now_us);
            follow_peer(r, to);
        }
    }
}

int receivers_run(struct shared *shared, const struct options *options)
{
    static struct receivers r;
    struct io_event event;
    int64_t timers_us = 0;
    r.shared = shared;
    r.scene = &shared->scene;
    r.options = options;
    r.n = shared->scene.participants_n;
    if (!open_all(&r)) {
        fprintf(stderr, "sluice-perf: the receivers could not start\n");
        return 1;
    }
    atomic_store(&shared->receivers_ready, true);
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        if (io_wait(r.io, r.now_us + 1000) != 0)
            return 1;
        r.now_us = clock_now_us();
        while (io_next(r.io, &event))
            if (event.kind == IO_DATAGRAM)
                on_datagram(&r, &event);
        if (r.now_us - timers_us >= 1000) {
            timers_us = r.now_us;
            run_timers(&r);
        }
        send_due(&r);
    }
    return 0;
}
