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

struct lane { /* a stream to a target */
    struct rewrite rewrite;
    uint16_t seq;
};

struct target {
    struct addr to;
    struct seal *seal;
    struct lane *lanes; /* video, then audio */
    uint32_t rest_q8;
};

struct source { /* packets to be rewritten */
    uint8_t *data[GROUP_MAX];
    struct rtp_packet packets[GROUP_MAX];
    size_t bytes; /* of a packet before encryption */
};

struct limit {
    const struct options *options;
    const struct scene *scene;
    struct io *io;
    struct slab slab;
    struct target *targets;
    uint32_t targets_n, video_n, audio_n; /* lanes of a target */
    struct source sources[SCENE_KINDS];
    uint16_t socket;
    uint32_t rtp_ts;
    uint32_t frame, audio; /* counted on: whose turn it is */
    double audio_due;      /* packets to each target */
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

/* ---- run lengths ---- */

static double active_audio(const struct scene *scene, const struct options *options)
{
    uint32_t n = scene_room_tracks(scene, 0, SCENE_AUDIO);
    return options->speakers != 0 && options->speakers < n ? options->speakers : n;
}

/* Audio packets by frames. */
static double audio_by_frame(const struct scene *scene, const struct options *options)
{
    double frames_pps = (double)options->pps / options->burst;
    return active_audio(scene, options) * SCENE_AUDIO_PPS /
           (frames_pps * scene_room_tracks(scene, 0, SCENE_VIDEO));
}

static uint32_t q8_of(double run)
{
    run = run < 1 ? 1 : run > GROUP_MAX ? GROUP_MAX : run;
    return (uint32_t)(run * 256 + 0.5);
}

struct limit_runs limit_runs_of(const struct scene *scene, const struct options *options,
                                double run)
{
    double audio = audio_by_frame(scene, options);
    double sends = (options->burst + audio) / run; /* for each frame */
    /* Audio singly; and if a frame in one send is not enough for the mean, longer runs of both. */
    double video_sends = sends >= 1 + audio ? sends - audio : sends / (1 + audio);
    return (struct limit_runs){
        .video_q8 = q8_of(options->burst / video_sends),
        .audio_q8 = audio > 0 ? q8_of(audio / (sends - video_sends)) : 0,
    };
}

struct limit_runs limit_best_runs(const struct scene *scene, const struct options *options,
                                  double run_min)
{
    double audio = audio_by_frame(scene, options), burst = options->burst;
    double frames = options->together ? scene_room_tracks(scene, 0, SCENE_VIDEO) : 1;
    struct limit_runs best = {
        .video_q8 = q8_of(burst * frames),
        .audio_q8 = audio > 0 ? q8_of(options->together ? active_audio(scene, options) : 1) : 0,
    };
    double sends = burst * 256 / best.video_q8 + (audio > 0 ? audio * 256 / best.audio_q8 : 0);
    return run_min > (burst + audio) / sends ? limit_runs_of(scene, options, run_min) : best;
}

/* ---- one round ---- */

static size_t write_packet(struct limit *l, struct target *target, struct lane *lane,
                           const struct source *source, uint32_t i, uint8_t *buffer)
{
    static const struct rtp_exts no_exts;
    struct rewrite_numbers numbers = {.seq = lane->seq++, .rtp_ts = l->rtp_ts, .pt = 0};
    struct rewrite_out out;
    rewrite_packet(&lane->rewrite, source->data[i], &source->packets[i], &no_exts, &numbers, buffer,
                   &out);
    size_t bytes = out.bytes;
    if (target->seal != NULL)
        ASSERT(seal_protect_rtp(target->seal, buffer, &bytes) == DROP_NONE);
    return bytes;
}

/* Packet i of a round's video belongs to the frame i / burst, of the sender whose turn it is. */
static struct lane *lane_of(struct limit *l, struct target *target, enum scene_kind kind,
                            uint32_t i)
{
    if (kind == SCENE_VIDEO)
        return &target->lanes[(l->frame + i / l->options->burst) % l->video_n];
    return &target->lanes[l->video_n + (l->audio + i) % l->audio_n];
}

static void send_one(struct limit *l, struct target *target, enum scene_kind kind, uint32_t first,
                     uint32_t n)
{
    uint8_t *buffers[IO_RUN_PACKETS_MAX];
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        buffers[i] = io_egress_take(l->io);
        bytes = write_packet(l, target, lane_of(l, target, kind, first + i), &l->sources[kind],
                             (first + i) % GROUP_MAX, buffers[i]);
    }
    if (n == 1)
        io_send(l->io, l->socket, &target->to, NULL, buffers[0], bytes, 0);
    else
        io_send_run(l->io, l->socket, &target->to, NULL, buffers, n, bytes, bytes, 0);
}

/* `packets_n` packets of a kind to everyone; the number of sends. */
static uint64_t send_round(struct limit *l, enum scene_kind kind, uint32_t packets_n,
                           uint32_t run_q8)
{
    struct io_event event;
    uint64_t all = 0;
    for (uint32_t t = 0; t < l->targets_n; t++) {
        struct target *target = &l->targets[t];
        uint32_t sends = limit_sends(packets_n, run_q8, &target->rest_q8);
        for (uint32_t i = 0, at = 0; i < sends; i++) {
            uint32_t end = packets_n * (i + 1) / sends;
            send_one(l, target, kind, at, end - at);
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

/* What has become due of audio, in rounds of one run each. */
static void audio_rounds(struct limit *l, struct shared *shared, uint32_t frames)
{
    uint32_t run_q8 = atomic_load_explicit(&shared->limit_audio_run_q8, memory_order_relaxed);
    uint32_t n = (run_q8 + 255) / 256;
    if (l->audio_n == 0 || n == 0)
        return;
    l->audio_due += frames * audio_by_frame(l->scene, l->options);
    for (; l->audio_due >= n; l->audio_due -= n) {
        uint64_t sends = send_round(l, SCENE_AUDIO, n, run_q8);
        atomic_fetch_add(&shared->limit_sends, sends);
        atomic_fetch_add(&shared->limit_packets, (uint64_t)n * l->targets_n);
        l->audio += n;
    }
}

static void work(struct limit *l, struct shared *shared)
{
    int64_t frame_ns = INT64_C(1000000000) * l->options->burst / l->options->pps / l->video_n;
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
        uint64_t sends = send_round(l, SCENE_VIDEO, packets_n, run_q8);
        atomic_fetch_add(&shared->limit_sends, sends);
        atomic_fetch_add(&shared->limit_packets, (uint64_t)packets_n * l->targets_n);
        audio_rounds(l, shared, frames);
        l->frame += frames;
        l->rtp_ts += 3000;
        due_ns += frames * frame_ns;
        if (now_ns() - due_ns > LATE_MAX_NS)
            due_ns = now_ns();
        sleep_until(due_ns);
    }
}

/* ---- start ---- */

static bool make_source(struct limit *l, enum scene_kind kind, size_t bytes)
{
    struct source *source = &l->sources[kind];
    source->bytes = bytes;
    for (uint32_t i = 0; i < GROUP_MAX; i++) {
        uint16_t slot = slab_take(&l->slab);
        if (slot == SLOT_NONE)
            return false;
        slab_receive(&l->slab, slot);
        slab_hold(&l->slab, slot);
        uint8_t *data = slab_packet(&l->slab, slot);
        memset(data, 0x5a, bytes);
        data[0] = 0x80;
        data[1] = SCENE_VIDEO_PT;
        put_be16(data + 2, (uint16_t)i);
        put_be32(data + 4, 0);
        put_be32(data + 8, SCENE_SSRC);
        source->data[i] = data;
        if (rtp_packet_parse(&source->packets[i], data, bytes) != DROP_NONE)
            return false;
    }
    return true;
}

static bool make_sources(struct limit *l)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < l->options->burst; i++)
        if (options_packet_bytes(l->options, i) > bytes)
            bytes = options_packet_bytes(l->options, i);
    return make_source(l, SCENE_VIDEO, bytes) &&
           make_source(l, SCENE_AUDIO, (SCENE_AUDIO_BYTES_MIN + SCENE_AUDIO_BYTES_MAX) / 2);
}

static struct rewrite rewrite_to(uint32_t ssrc)
{
    struct rewrite rewrite = {.ssrc = ssrc, .pt_n = 1};
    rewrite.pt[0].in = SCENE_VIDEO_PT;
    rewrite.pt[0].out = LIMIT_PT;
    rewrite.pt[0].rtx = REWRITE_PT_NONE;
    rewrite.pt[0].clock_rate = 90000;
    return rewrite;
}

static bool make_target(struct limit *l, const struct shared *shared, uint32_t port)
{
    struct target *target = &l->targets[l->targets_n++];
    uint32_t lanes_n = l->video_n + l->audio_n;
    enum seal_suite suite = (enum seal_suite)atomic_load(&shared->suite);
    uint8_t key[SEAL_KEY_BYTES_MAX];
    addr_parse(&target->to, "127.0.0.1", (uint16_t)port);
    target->lanes = calloc(lanes_n, sizeof *target->lanes);
    random_bytes(key, sizeof key);
    if (target->lanes == NULL ||
        (suite != SEAL_NONE && seal_init(&target->seal, suite, key, key) != 0))
        return false;
    for (uint32_t i = 0; i < lanes_n; i++) {
        target->lanes[i] = (struct lane){rewrite_to(0x11000000u + i), .seq = 2};
        if (suite != SEAL_NONE && seal_add_out(target->seal, 0x11000000u + i) != 0)
            return false;
    }
    return true;
}

/* Of main rooms, whoever receives. */
static bool make_targets(struct limit *l, const struct shared *shared)
{
    const struct scene *scene = l->scene;
    l->video_n = scene_room_tracks(scene, 0, SCENE_VIDEO);
    l->audio_n = scene_room_tracks(scene, 0, SCENE_AUDIO);
    l->targets = calloc(scene->participants_n, sizeof *l->targets);
    for (uint32_t i = 0; l->targets != NULL && i < scene->participants_n; i++) {
        const struct scene_participant *one = &scene->participants[i];
        if (one->streams_n > 0 && !scene->rooms[one->room].side &&
            !make_target(l, shared, shared->participants[i].port))
            return false;
    }
    return l->targets != NULL;
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
    if (index < 0 || !make_sources(l) || seal_library_init() != 0)
        return false;
    l->socket = (uint16_t)index;
    return make_targets(l, shared);
}

int limit_run(struct shared *shared, const struct options *options)
{
    static struct limit l;
    l.options = options;
    l.scene = &shared->scene;
    if (!open_limit(&l, shared)) {
        fprintf(stderr, "sluice-perf: the limit could not start\n");
        return 1;
    }
    atomic_store(&shared->limit_ready, true);
    work(&l, shared);
    return 0;
}
