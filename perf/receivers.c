/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/receivers.c - what arrives, what is missing, what is asked for again. */
#include "perf/receivers.h"

#include "core/clock.h"
#include "core/random.h"
#include "net/udp.h"
#include "perf/limit.h"
#include "perf/publisher.h"
#include "rtcp/nack.h"
#include "rtcp/packet.h"
#include "rtp/source.h"

#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SLOTS_N = 16384,
    DELAYED_N = 65536, /* messages on their way, power of two */
    MESSAGE_BYTES = 256,
    NACKS_MAX = 48, /* numbers in one message */
    REPORT_US = 1000000,
    LOSS_ONE = 1 << 30,
};

enum place { PLACE_UNKNOWN, PLACE_GOT, PLACE_LOST };

struct receiver {
    struct addr relay; /* where its packets come from */
    struct seal *seal;
    struct source source;
    struct nack_list nack;
    uint32_t ssrc; /* of the consumer, 0 until the first packet */
    uint32_t edge; /* extended number: everything before it has been settled */
    uint32_t last_sr;
    int64_t last_sr_us, report_us;
    uint8_t places[RECEIVERS_WINDOW]; /* enum place by number */
};

struct message { /* waits for its time */
    int64_t due_us;
    uint16_t receiver, bytes;
    uint8_t data[MESSAGE_BYTES];
};

struct receivers {
    struct shared *shared;
    const struct options *options;
    struct io *io;
    struct slab slab;
    struct random random;
    struct receiver *all;
    int *fds;
    uint32_t n, loss; /* of LOSS_ONE */
    int64_t now_us;
    struct message *delayed;
    uint32_t delayed_put, delayed_take;
};

static void count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* ---- what is said, an RTT later ---- */

static void say(struct receivers *r, uint32_t index, const uint8_t *data, size_t bytes)
{
    if (r->delayed_put - r->delayed_take == DELAYED_N || bytes > MESSAGE_BYTES - 64)
        return;
    struct message *message = &r->delayed[r->delayed_put++ % DELAYED_N];
    message->due_us = r->now_us + (int64_t)r->options->rtt_ms * 1000;
    message->receiver = (uint16_t)index;
    message->bytes = (uint16_t)bytes;
    memcpy(message->data, data, bytes);
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
        if (to->seal != NULL && seal_protect_rtcp(to->seal, message->data, &bytes) != DROP_NONE)
            continue;
        if (addr_is_set(&to->relay))
            (void)!sendto(r->fds[message->receiver], message->data, bytes, MSG_DONTWAIT,
                          &to->relay.sa, addr_len(&to->relay));
    }
}

static uint32_t own_ssrc(uint32_t index)
{
    return 0x77000000u + index;
}

/* What it was too slow for itself: no loss of the relay's. */
static void count_missed(struct receivers *r, uint32_t index)
{
    uint32_t figures[SK_MEMINFO_VARS] = {0};
    socklen_t bytes = sizeof figures;
    if (getsockopt(r->fds[index], SOL_SOCKET, SO_MEMINFO, figures, &bytes) == 0)
        atomic_store(&r->shared->receivers[index].missed, figures[SK_MEMINFO_DROPS]);
}

static void report(struct receivers *r, uint32_t index)
{
    struct receiver *to = &r->all[index];
    uint8_t data[MESSAGE_BYTES];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data - 64};
    struct source_report got;
    to->report_us += REPORT_US;
    count_missed(r, index);
    if (!to->source.started)
        return;
    source_take_report(&to->source, &got);
    struct rtcp_report_block block = {
        .ssrc = to->ssrc,
        .fraction_lost = got.fraction_lost,
        .lost_total = got.lost_total,
        .seq_max = got.seq_max,
        .jitter = got.jitter,
        .last_sr = to->last_sr,
        .delay = to->last_sr == 0 ? 0 : (uint32_t)((r->now_us - to->last_sr_us) * 65536 / 1000000),
    };
    rtcp_write_rr(&writer, own_ssrc(index), &block, 1);
    say(r, index, data, writer.at);
}

static void ask(struct receivers *r, uint32_t index)
{
    struct receiver *to = &r->all[index];
    uint16_t seqs[NACKS_MAX];
    bool wants_keyframe;
    int64_t rtt_us = (int64_t)r->options->rtt_ms * 1000;
    size_t n = nack_take(&to->nack, r->now_us, rtt_us + 20000, seqs, NACKS_MAX, &wants_keyframe);
    uint8_t data[MESSAGE_BYTES];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data - 64};
    if (n == 0)
        return;
    n = rtcp_write_nack(&writer, own_ssrc(index), to->ssrc, seqs, n);
    for (size_t i = 0; i < n; i++)
        count(&r->shared->receivers[index].nack_requested);
    say(r, index, data, writer.at);
}

/* ---- what arrives ---- */

/* What leaves the window is settled: it is not recovered any more. */
static void open_window(struct receiver *to, uint32_t seq_ext)
{
    for (; (int32_t)(seq_ext - to->edge) >= RECEIVERS_WINDOW; to->edge++)
        to->places[to->edge % RECEIVERS_WINDOW] = PLACE_UNKNOWN;
}

/* A first sending. Thrown away: its place is remembered, so that its recovery is seen. */
static void on_media(struct receivers *r, uint32_t index, const uint8_t *data, size_t bytes,
                     bool thrown)
{
    struct receiver *to = &r->all[index];
    struct shared_receiver *figures = &r->shared->receivers[index];
    uint32_t seq_ext = 0;
    bool restarted, first = !to->source.started;
    uint16_t seq = be16(data + 2);
    if (first) {
        to->ssrc = be32(data + 8);
        source_init(&to->source, to->ssrc, 90000);
    }
    if (thrown && first)
        return; /* numbering starts with one that came */
    seq_ext = first ? 0 : seq_extend(to->source.seq_max, seq);
    if (!first && to->places[seq_ext % RECEIVERS_WINDOW] == PLACE_LOST &&
        (int32_t)(seq_ext - to->edge) >= 0 && (int32_t)(seq_ext - to->source.seq_max) <= 0) {
        if (thrown)
            return; /* a plain resend, lost again */
        to->places[seq_ext % RECEIVERS_WINDOW] = PLACE_GOT;
        count(&figures->recovered);
        count(&figures->nack_served);
        nack_receive(&to->nack, seq_ext, false, r->now_us);
        return;
    }
    if (thrown) {
        open_window(to, seq_ext);
        to->places[seq_ext % RECEIVERS_WINDOW] = PLACE_LOST;
        count(&figures->lost_on_wire);
        return;
    }
    if (source_receive(&to->source, seq, be32(data + 4), bytes, r->now_us, &seq_ext, &restarted) !=
        DROP_NONE) {
        count(&figures->nack_late);
        return;
    }
    if (first)
        to->edge = seq_ext;
    open_window(to, seq_ext);
    to->places[seq_ext % RECEIVERS_WINDOW] = PLACE_GOT;
    count(&figures->received);
    atomic_store_explicit(&figures->bytes, figures->bytes + bytes, memory_order_relaxed);
    if (r->options->nack)
        nack_receive(&to->nack, seq_ext, false, r->now_us);
}

static void on_rtx(struct receivers *r, uint32_t index, const uint8_t *data, size_t bytes)
{
    struct receiver *to = &r->all[index];
    struct shared_receiver *figures = &r->shared->receivers[index];
    if (bytes < 14 || !to->source.started)
        return;
    uint32_t seq_ext = seq_extend(to->source.seq_max, be16(data + 12));
    uint8_t *place = &to->places[seq_ext % RECEIVERS_WINDOW];
    count(&figures->nack_served);
    if ((int32_t)(seq_ext - to->edge) < 0 || *place != PLACE_LOST) {
        count(&figures->nack_late); /* settled, or here already */
        return;
    }
    *place = PLACE_GOT;
    count(&figures->recovered);
    nack_receive(&to->nack, seq_ext, false, r->now_us);
}

static void sample(struct receivers *r, const uint8_t *data, size_t bytes, int64_t arrived_us)
{
    if (!atomic_load_explicit(&r->shared->measure, memory_order_relaxed) ||
        bytes < PUBLISHER_STAMP_AT + 8)
        return;
    int64_t sent_ns = (int64_t)be64(data + PUBLISHER_STAMP_AT);
    histogram_add(&r->shared->transit_ns, (uint64_t)max_i64(r->now_us * 1000 - sent_ns, 0));
    histogram_add(&r->shared->arrival_ns, (uint64_t)max_i64(arrived_us * 1000 - sent_ns, 0));
}

/* Loss by the seeded generator; drawn for packets of the relay only. */
static bool throw_away(struct receivers *r)
{
    return r->loss > 0 && !atomic_load_explicit(&r->shared->calm, memory_order_relaxed) &&
           random_below(&r->random, LOSS_ONE) < r->loss;
}

static void on_rtp(struct receivers *r, uint32_t index, uint8_t *data, size_t bytes,
                   const struct io_event *event)
{
    struct receiver *to = &r->all[index];
    uint8_t pt = data[1] & 0x7f;
    bool rtx = pt == atomic_load_explicit(&r->shared->rtx_pt, memory_order_relaxed);
    if (pt == LIMIT_PT) {
        count(&r->shared->receivers[index].limit);
        return;
    }
    if (!rtx && pt != atomic_load_explicit(&r->shared->media_pt, memory_order_relaxed)) {
        count(&r->shared->receivers[index].foreign);
        return;
    }
    bool thrown = throw_away(r);
    to->relay = event->remote;
    if (rtx && thrown)
        return;
    bool sampled = index % RECEIVERS_SAMPLE == 0;
    if (to->seal != NULL && (rtx || (sampled && !thrown)) &&
        seal_unprotect_rtp(to->seal, data, &bytes) != DROP_NONE) {
        count(&r->shared->receivers[index].foreign);
        return;
    }
    if (rtx) {
        on_rtx(r, index, data, bytes);
        return;
    }
    if (sampled && !thrown)
        sample(r, data, bytes, event->arrived_us);
    on_media(r, index, data, bytes, thrown);
}

static void on_rtcp(struct receivers *r, uint32_t index, uint8_t *data, size_t bytes)
{
    struct receiver *to = &r->all[index];
    struct rtcp_reader reader;
    struct rtcp_packet packet;
    struct rtcp_sender_info info;
    if (to->seal != NULL && seal_unprotect_rtcp(to->seal, data, &bytes) != DROP_NONE)
        return;
    if (rtcp_reader_init(&reader, data, bytes) != DROP_NONE)
        return;
    while (rtcp_reader_next(&reader, &packet))
        if (packet.type == RTCP_SR && rtcp_read_sender_info(data, &packet, &info)) {
            to->last_sr = ntp_compact(info.ntp);
            to->last_sr_us = r->now_us;
        }
}

static void on_datagram(struct receivers *r, const struct io_event *event)
{
    uint8_t *data = slab_packet(&r->slab, event->slot);
    if (event->bytes >= 12) {
        if (rtp_packet_is_rtcp(data, event->bytes))
            on_rtcp(r, event->socket, data, event->bytes);
        else
            on_rtp(r, event->socket, data, event->bytes, event);
    }
    slab_release(&r->slab, event->slot);
}

/* ---- the process ---- */

static bool open_receiver(struct receivers *r, uint32_t index)
{
    struct receiver *to = &r->all[index];
    struct addr address;
    struct udp_socket socket;
    struct udp_options options = {.receive_bytes = 1 << 20};
    addr_parse(&address, "127.0.0.1", 0);
    if (udp_open(&socket, &address, &options) != 0)
        return false;
    r->fds[index] = socket.fd;
    r->shared->receiver_ports[index] = addr_port(&socket.local);
    nack_init(&to->nack);
    to->report_us = r->now_us + REPORT_US + (int64_t)random_below(&r->random, REPORT_US);
    return io_open_socket(r->io, socket.fd) == (int)index;
}

/* When the relay has told its keys. */
static bool make_seals(struct receivers *r)
{
    for (uint32_t i = 0; i < r->n && r->options->suite != SEAL_NONE; i++)
        if (seal_init(&r->all[i].seal, r->options->suite, r->shared->keys[i], r->shared->key_in) !=
                0 ||
            seal_add_out(r->all[i].seal, own_ssrc(i)) != 0)
            return false;
    return true;
}

static bool open_all(struct receivers *r)
{
    struct io_config config = {.engine = IO_ENGINE_AUTO, .sockets_max = r->n, .standing_max = 4096};
    r->all = calloc(r->n, sizeof *r->all);
    r->fds = calloc(r->n, sizeof *r->fds);
    r->delayed = calloc(DELAYED_N, sizeof *r->delayed);
    r->random.state = r->options->seed;
    r->loss = (uint32_t)(r->options->loss_share * LOSS_ONE);
    r->now_us = clock_now_us();
    if (r->all == NULL || r->fds == NULL || r->delayed == NULL ||
        slab_init(&r->slab, SLOTS_N, 0, false) != 0 || io_init(&r->io, &config, &r->slab) != 0 ||
        (r->options->suite != SEAL_NONE && seal_library_init() != 0))
        return false;
    for (uint32_t i = 0; i < r->n; i++)
        if (!open_receiver(r, i))
            return false;
    return true;
}

/* Timers of the receivers by a look at all of them every millisecond. */
static void run_timers(struct receivers *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->options->nack && nack_due_us(&r->all[i].nack) <= r->now_us)
            ask(r, i);
        if (r->all[i].report_us <= r->now_us)
            report(r, i);
    }
}

int receivers_run(struct shared *shared, const struct options *options)
{
    static struct receivers r;
    struct io_event event;
    int64_t timers_us = 0;
    r.shared = shared;
    r.options = options;
    r.n = options->consumers;
    if (!open_all(&r)) {
        fprintf(stderr, "receivers: cannot open %u sockets\n", r.n);
        return 1;
    }
    atomic_store(&shared->receivers_ready, true);
    bool sealed = false;
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        if (!sealed && atomic_load(&shared->keys_ready)) {
            if (!make_seals(&r))
                return 1;
            sealed = true;
            atomic_store(&shared->receivers_sealed, true);
        }
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
