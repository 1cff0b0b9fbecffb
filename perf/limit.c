/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/limit.c - rewrite, encrypt, send. */
#include "perf/limit.h"

#include "core/random.h"
#include "net/udp.h"
#include "perf/publisher.h"
#include "rtp/rewrite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS_N = 256, GROUP_MAX = IO_RUN_PACKETS_MAX - 8, REST_US = 5000, LATE_MAX_NS = 200000000 };

struct target {
    struct addr to;
    struct seal *seal;
    struct rewrite rewrite;
    uint16_t seq;
    uint32_t rest_q8;
};

struct limit {
    const struct options *options;
    struct io *io;
    struct slab slab;
    struct target *targets;
    uint8_t *sources[GROUP_MAX];
    struct rtp_packet packets[GROUP_MAX];
    size_t bytes; /* of a packet before encryption */
    uint16_t socket;
    uint32_t rtp_ts;
};

uint32_t limit_sends(uint32_t packets_n, uint32_t run_q8, uint32_t *rest_q8)
{
    ASSERT(run_q8 > 0);
    uint64_t sends_q8 = ((uint64_t)packets_n << 16) / run_q8 + *rest_q8;
    uint32_t sends = (uint32_t)(sends_q8 >> 8);
    if (sends < 1) /* a run cannot be longer than what there is: nothing to make up for */
        sends_q8 = 0;
    sends = sends < 1 ? 1 : sends > packets_n ? packets_n : sends;
    *rest_q8 = (uint32_t)(sends_q8 & 0xff);
    return sends;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
    struct timespec at = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

/* ---- one round ---- */

static size_t write_packet(struct limit *l, struct target *target, uint32_t i, uint8_t *buffer)
{
    static const struct rtp_exts no_exts;
    struct rewrite_numbers numbers = {.seq = target->seq++, .rtp_ts = l->rtp_ts, .pt = 0};
    struct rewrite_out out;
    rewrite_packet(&target->rewrite, l->sources[i], &l->packets[i], &no_exts, &numbers, buffer,
                   &out);
    size_t bytes = out.bytes;
    if (target->seal != NULL)
        ASSERT(seal_protect_rtp(target->seal, buffer, &bytes) == DROP_NONE);
    return bytes;
}

static void send_one(struct limit *l, struct target *target, uint32_t first, uint32_t n)
{
    uint8_t *buffers[IO_RUN_PACKETS_MAX];
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        buffers[i] = io_egress_take(l->io);
        bytes = write_packet(l, target, first + i, buffers[i]);
    }
    if (n == 1)
        io_send(l->io, l->socket, &target->to, NULL, buffers[0], bytes, 0);
    else
        io_send_run(l->io, l->socket, &target->to, NULL, buffers, n, bytes, bytes, 0);
}

/* `packets_n` packets to everyone; the number of sends. */
static uint64_t send_round(struct limit *l, uint32_t packets_n, uint32_t run_q8)
{
    struct io_event event;
    uint64_t all = 0;
    for (uint32_t t = 0; t < l->options->consumers; t++) {
        struct target *target = &l->targets[t];
        uint32_t sends = limit_sends(packets_n, run_q8, &target->rest_q8);
        for (uint32_t i = 0, at = 0; i < sends; i++) {
            uint32_t end = packets_n * (i + 1) / sends;
            send_one(l, target, at, end - at);
            at = end;
        }
        all += sends;
    }
    io_flush(l->io);
    while (io_next(l->io, &event))
        if (event.kind == IO_DATAGRAM)
            slab_release(&l->slab, event.slot);
    return all;
}

/* Frames that a round takes so that runs of that length can be made. */
static uint32_t frames_of(const struct options *options, uint32_t run_q8)
{
    uint32_t frames = (run_q8 + 256 * options->burst - 1) / (256 * options->burst);
    uint32_t most = GROUP_MAX / options->burst;
    return frames > most ? most : frames;
}

static void work(struct limit *l, struct shared *shared)
{
    int64_t frame_ns = INT64_C(1000000000) * l->options->burst / l->options->pps;
    int64_t due_ns = now_ns();
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        uint32_t run_q8 = atomic_load_explicit(&shared->limit_run_q8, memory_order_relaxed);
        if (run_q8 == 0) {
            usleep(REST_US);
            due_ns = now_ns();
            continue;
        }
        uint32_t frames = frames_of(l->options, run_q8);
        uint32_t packets_n = frames * l->options->burst;
        uint64_t sends = send_round(l, packets_n, run_q8);
        atomic_fetch_add(&shared->limit_sends, sends);
        atomic_fetch_add(&shared->limit_packets, (uint64_t)packets_n * l->options->consumers);
        l->rtp_ts += 3000;
        due_ns += frames * frame_ns;
        if (now_ns() - due_ns > LATE_MAX_NS)
            due_ns = now_ns();
        sleep_until(due_ns);
    }
}

/* ---- start ---- */

static bool make_sources(struct limit *l)
{
    for (uint32_t i = 0; i < l->options->burst; i++)
        if (options_packet_bytes(l->options, i) > l->bytes)
            l->bytes = options_packet_bytes(l->options, i);
    for (uint32_t i = 0; i < GROUP_MAX; i++) {
        uint16_t slot = slab_take(&l->slab);
        if (slot == SLOT_NONE)
            return false;
        slab_receive(&l->slab, slot);
        slab_hold(&l->slab, slot);
        uint8_t *data = slab_packet(&l->slab, slot);
        memset(data, 0x5a, l->bytes);
        data[0] = 0x80;
        data[1] = PUBLISHER_PT;
        put_be16(data + 2, (uint16_t)i);
        put_be32(data + 4, 0);
        put_be32(data + 8, PUBLISHER_SSRC);
        l->sources[i] = data;
        if (rtp_packet_parse(&l->packets[i], data, l->bytes) != DROP_NONE)
            return false;
    }
    return true;
}

static bool make_target(struct limit *l, struct shared *shared, uint32_t index)
{
    struct target *target = &l->targets[index];
    addr_parse(&target->to, "127.0.0.1", shared->receiver_ports[index]);
    target->seq = 2;
    target->rewrite.ssrc = 0x11000000u + index;
    target->rewrite.pt_n = 1;
    target->rewrite.pt[0].in = PUBLISHER_PT;
    target->rewrite.pt[0].out = LIMIT_PT;
    target->rewrite.pt[0].rtx = REWRITE_PT_NONE;
    target->rewrite.pt[0].clock_rate = 90000;
    if (l->options->suite == SEAL_NONE)
        return true;
    uint8_t key[SEAL_KEY_BYTES_MAX];
    random_bytes(key, sizeof key);
    return seal_init(&target->seal, l->options->suite, key, key) == 0 &&
           seal_add_out(target->seal, target->rewrite.ssrc) == 0;
}

static bool open_limit(struct limit *l, struct shared *shared)
{
    struct io_config config = {.engine = l->options->engine,
                               .without = l->options->without_bits,
                               .sockets_max = 1,
                               .standing_max = IO_STANDING_MIN};
    struct udp_options udp = {.receive_bytes = 1 << 18};
    struct udp_socket socket;
    struct addr any;
    addr_parse(&any, "127.0.0.1", 0);
    if (slab_init(&l->slab, SLOTS_N, 0, false) != 0 || io_init(&l->io, &config, &l->slab) != 0 ||
        udp_open(&socket, &any, &udp) != 0)
        return false;
    int index = io_open_socket(l->io, socket.fd);
    if (index < 0 || !make_sources(l) ||
        (l->options->suite != SEAL_NONE && seal_library_init() != 0))
        return false;
    l->socket = (uint16_t)index;
    l->targets = calloc(l->options->consumers, sizeof *l->targets);
    for (uint32_t i = 0; l->targets != NULL && i < l->options->consumers; i++)
        if (!make_target(l, shared, i))
            return false;
    return l->targets != NULL;
}

int limit_run(struct shared *shared, const struct options *options)
{
    static struct limit l;
    l.options = options;
    if (!open_limit(&l, shared)) {
        fprintf(stderr, "sluice-perf: the limit could not start\n");
        return 1;
    }
    atomic_store(&shared->limit_ready, true);
    work(&l, shared);
    return 0;
}
