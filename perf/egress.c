/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/egress.c - one way of sending against another. */
#include "perf/egress.h"

#include "core/random.h"
#include "net/egress.h"
#include "perf/egressreport.h"
#include "perf/limit.h"
#include "perf/publisher.h"
#include "perf/sender.h"
#include "perf/stage.h"
#include "rtp/aes.h"
#include "rtp/cipher.h"
#include "rtp/rewrite.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

enum {
    SINK_PORT = 20000,
    PACKET_BYTES = 1100,
    WARM_ROUNDS = 3, /* of a slice, before it counts */
    LATE_MAX_NS = 200000000,
    WARM_MS = 60, /* until receivers have what was sent */
    REST_MS = 10, /* the same, and looks at it */
    REST_TRIES = 30,
};

enum shape {               /* what a receiver gets at once */
             SHAPE_EQUAL,  /* at least 7 packets of one size, whole runs of them */
             SHAPE_FRAME,  /* of about 1100 bytes, as libwebrtc's packetizer cuts a frame */
             SHAPE_VOICES, /* audio of six people */
             SHAPE_BEFORE, /* a voice, and then a frame */
             SHAPE_BEHIND, /* the same, voice last */
};

enum cipher { CIPHER_DEFAULT, CIPHER_WOLFCRYPT, CIPHER_IPSEC_MB };

struct way {
    const char *name, *against;
    enum sender_how how;
    enum shape shape;
    enum cipher cipher;
    uint8_t run_max, pad_max;
    bool connected;
};

/* Sorted by what they ask; a way is held against one of the list. */
static const struct way ways[] = {
    {.name = "send", .run_max = 1},
    {"sendmsg", "send", SENDER_URING_MSG, .run_max = 1},
    {"connected", "send", .run_max = 1, .connected = true},
    {"mmsg", "send", SENDER_MMSG, .run_max = 1},
    {"ring", "send", SENDER_RING, .run_max = 1},
    {"ring_zc", "ring", SENDER_RING_ZC, .run_max = 1},
    {"gso_2", "send", .run_max = 2},
    {"gso_4", "send", .run_max = 4},
    {"gso_7", "send", .run_max = 7},
    {"gso_8", "send", .run_max = 8},
    {"gso_16", "send", .run_max = 16},
    {"mmsg_gso_7", "gso_7", SENDER_MMSG, .run_max = 7},
    {"connected_gso_7", "gso_7", .run_max = 7, .connected = true},
    {"ring_gso_8", "gso_8", SENDER_RING, .run_max = 8},
    {"ring_zc_gso_8", "ring_gso_8", SENDER_RING_ZC, .run_max = 8},
    {"ring_gso_16", "gso_16", SENDER_RING, .run_max = 16},
    {"ring_zc_gso_16", "ring_gso_16", SENDER_RING_ZC, .run_max = 16},
    {.name = "frame", .shape = SHAPE_FRAME, .run_max = 16},
    {"frame_padded", "frame", .shape = SHAPE_FRAME, .run_max = 16, .pad_max = EGRESS_PAD_MAX},
    {.name = "voices", .shape = SHAPE_VOICES, .run_max = 16},
    {"voices_padded_8", "voices", .shape = SHAPE_VOICES, .run_max = 16, .pad_max = 8},
    {"voices_padded_all", "voices", .shape = SHAPE_VOICES, .run_max = 16, .pad_max = 255},
    {.name = "voice_first", .shape = SHAPE_BEFORE, .run_max = 16, .pad_max = EGRESS_PAD_MAX},
    {"voice_last", "voice_first", .shape = SHAPE_BEHIND, .run_max = 16, .pad_max = EGRESS_PAD_MAX},
    {.name = "wolfcrypt_gso_7", .cipher = CIPHER_WOLFCRYPT, .run_max = 7},
    {"ipsec_mb_gso_7", "wolfcrypt_gso_7", .cipher = CIPHER_IPSEC_MB, .run_max = 7},
    {.name = "wolfcrypt", .cipher = CIPHER_WOLFCRYPT, .run_max = 1},
    {"ipsec_mb", "wolfcrypt", .cipher = CIPHER_IPSEC_MB, .run_max = 1},
};

static_assert(ARRAY_N(ways) <= EGRESSREPORT_ROWS_MAX, "a row for each");

struct target {
    struct seal *seals[3]; /* by enum cipher */
    struct rewrite rewrite;
    uint16_t seq[3];
};

struct egress {
    const struct options *options;
    struct stage stage;
    struct egressreport report;
    struct target *targets;
    struct addr *addresses;
    struct sender *senders[SENDER_HOWS_N][2]; /* the second: connected */
    bool missing[SENDER_HOWS_N];
    bool has_ipsec_mb;
    uint8_t source[IO_EGRESS_BYTES];
    uint32_t rtp_ts;
};

struct slice {
    struct sender_figures figures;
    double cpu_ns, arrived;
};

uint32_t egress_run(const struct egress_group *group, uint32_t at, uint32_t run_max,
                    uint32_t pad_max, uint16_t *segment_bytes)
{
    ASSERT(at < group->n);
    uint16_t segment = group->bytes[at], smallest = segment;
    uint32_t n = 1;
    for (; at + n < group->n && n < run_max; n++) {
        uint16_t bytes = group->bytes[at + n];
        uint16_t longer = bytes > segment ? bytes : segment;
        if (longer > smallest && (uint32_t)(longer - smallest) > pad_max)
            break; /* what is in the run cannot be made that long */
        segment = longer;
        smallest = bytes < smallest ? bytes : smallest;
        if (segment > smallest && (uint32_t)(segment - smallest) > pad_max) {
            n++; /* shorter, and not to be padded: the last one */
            break;
        }
    }
    *segment_bytes = segment;
    return n;
}

/* Opus at 32 kbit/s makes 80 bytes of a voice, give or take. */
static void group_make(const struct way *way, const struct options *options,
                       struct egress_group *group)
{
    static const uint16_t voices[] = {101, 87, 114, 92, 121, 96};
    uint32_t frame = options->burst < 7                ? 7
                     : options->burst > SENDER_RUN_MAX ? SENDER_RUN_MAX
                                                       : options->burst;
    uint32_t before = way->shape == SHAPE_VOICES ? 6 : way->shape == SHAPE_BEFORE ? 1 : 0;
    uint32_t behind = way->shape == SHAPE_BEHIND ? 1 : 0;
    uint32_t n = way->shape == SHAPE_EQUAL
                     ? (frame + way->run_max - 1u) / way->run_max * way->run_max
                 : way->shape == SHAPE_VOICES ? 0
                                              : frame;
    struct options sizes = {.burst = frame};
    *group = (struct egress_group){0};
    for (uint32_t i = 0; i < before; i++)
        group->bytes[group->n++] = voices[i];
    for (uint32_t i = 0; i < n && group->n < EGRESS_GROUP_MAX; i++)
        group->bytes[group->n++] =
            way->shape == SHAPE_EQUAL ? PACKET_BYTES : (uint16_t)options_packet_bytes(&sizes, i);
    for (uint32_t i = 0; i < behind; i++)
        group->bytes[group->n++] = voices[i];
}

/* ---- one round ---- */

static size_t write_packet(struct egress *e, const struct way *way, struct target *target,
                           size_t source_bytes, size_t padded_bytes, uint8_t *buffer)
{
    static const struct rtp_exts no_exts;
    struct rtp_packet packet;
    struct rewrite_out out;
    if (rtp_packet_parse(&packet, e->source, source_bytes) != DROP_NONE)
        abort(); /* it is ours */
    struct rewrite_numbers numbers = {.seq = target->seq[way->cipher]++, .rtp_ts = e->rtp_ts};
    rewrite_packet(&target->rewrite, e->source, &packet, &no_exts, &numbers, buffer, &out);
    size_t bytes = out.bytes;
    if (padded_bytes > bytes) { /* RFC 3550 5.1 */
        buffer[0] |= 0x20;
        memset(buffer + bytes, 0, padded_bytes - bytes);
        buffer[padded_bytes - 1] = (uint8_t)(padded_bytes - bytes);
        bytes = padded_bytes;
    }
    if (target->seals[way->cipher] != NULL)
        ASSERT(seal_protect_rtp(target->seals[way->cipher], buffer, &bytes) == DROP_NONE);
    return bytes;
}

static void send_group(struct egress *e, const struct way *way, struct sender *sender,
                       uint32_t index, const struct egress_group *group)
{
    struct target *target = &e->targets[index];
    for (uint32_t at = 0; at < group->n;) {
        uint8_t *buffers[SENDER_RUN_MAX];
        uint16_t segment = 0;
        uint32_t n = egress_run(group, at, way->run_max, way->pad_max, &segment);
        size_t first = 0, last = 0;
        for (uint32_t i = 0; i < n; i++) {
            size_t padded = i + 1 < n ? segment : 0;
            buffers[i] = sender_take(sender);
            last = write_packet(e, way, target, group->bytes[at + i], padded, buffers[i]);
            first = i == 0 ? last : first;
        }
        sender_send(sender, index, buffers, n, first, last);
        at += n;
    }
}

static void send_round(struct egress *e, const struct way *way, struct sender *sender,
                       const struct egress_group *group)
{
    for (uint32_t i = 0; i < e->options->consumers; i++)
        send_group(e, way, sender, i, group);
    sender_flush(sender);
    e->rtp_ts += 3000;
}

/* ---- slices ---- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
    struct timespec at = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

static double arrived(const struct egress *e)
{
    struct stage_sums sums;
    stage_sum(&e->stage, &sums);
    return (double)sums.limit;
}

/* The same number of packets a second, whatever a group has. */
static bool slice_run(struct egress *e, const struct way *way, double seconds, struct slice *slice)
{
    struct sender *sender = e->senders[way->how][way->connected];
    struct egress_group group;
    group_make(way, e->options, &group);
    int64_t period_ns = INT64_C(1000000000) * group.n / e->options->pps;
    for (int i = 0; i < WARM_ROUNDS; i++)
        send_round(e, way, sender, &group);
    if (!stage_wait(&e->stage, WARM_MS / 1e3))
        return false;
    struct sender_figures before = sender_figures(sender);
    double arrived_before = arrived(e);
    int64_t cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    int64_t due_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t until_ns = due_ns + (int64_t)(seconds * 1e9);
    do {
        send_round(e, way, sender, &group);
        due_ns += period_ns;
        if (clock_ns(CLOCK_MONOTONIC) - due_ns > LATE_MAX_NS)
            due_ns = clock_ns(CLOCK_MONOTONIC);
        sleep_until(due_ns);
    } while (due_ns < until_ns);
    slice->cpu_ns = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns);
    struct sender_figures after = sender_figures(sender);
    double sent = (double)(after.packets - before.packets);
    bool right = true;
    int tries = e->options->sink == NULL ? REST_TRIES : 1;
    slice->arrived = -1;
    for (int i = 0; right && i < tries && slice->arrived < sent; i++) {
        right = stage_wait(&e->stage, REST_MS / 1e3);
        slice->arrived = arrived(e) - arrived_before;
    }
    slice->figures = (struct sender_figures){.packets = after.packets - before.packets,
                                             .sends = after.sends - before.sends,
                                             .failed = after.failed - before.failed,
                                             .syscalls = after.syscalls - before.syscalls};
    return right;
}

static const struct way *way_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(ways); i++)
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    return NULL;
}

static bool can(const struct egress *e, const struct way *way)
{
    if (e->missing[way->how])
        return false;
    if (way->cipher != CIPHER_DEFAULT && (!e->has_ipsec_mb || e->options->suite == SEAL_NONE))
        return false;
    return true;
}

static double per_packet(const struct slice *slice)
{
    return slice->cpu_ns / (double)slice->figures.packets;
}

/* Who is first changes from pair to pair. */
static bool pair_run(struct egress *e, const struct way *way, uint32_t pair, double seconds)
{
    const struct way *other = way_of(way->against);
    struct slice own, its;
    ASSERT(other != NULL);
    bool own_first = pair % 2 == 0;
    if (!slice_run(e, own_first ? way : other, seconds, own_first ? &own : &its) ||
        !slice_run(e, own_first ? other : way, seconds, own_first ? &its : &own))
        return false;
    struct egressreport_row *row = &e->report.rows[way - ways];
    row->own_ns[row->pairs_n] = per_packet(&own);
    row->against_ns[row->pairs_n] = per_packet(&its);
    row->ratios[row->pairs_n++] = per_packet(&own) / per_packet(&its);
    row->packets += (double)own.figures.packets;
    row->sends += (double)own.figures.sends;
    row->failed += (double)own.figures.failed;
    row->syscalls += (double)own.figures.syscalls;
    row->arrived += own.arrived;
    row->against_packets += (double)its.figures.packets;
    row->against_sends += (double)its.figures.sends;
    return true;
}

static bool measure(struct egress *e)
{
    const struct options *o = e->options;
    uint32_t measured = 0;
    for (size_t i = 0; i < ARRAY_N(ways); i++) {
        struct egressreport_row *row = &e->report.rows[i];
        *row = (struct egressreport_row){.name = ways[i].name, .against = ways[i].against};
        row->missing = !can(e, &ways[i]);
        measured += !row->missing && row->against != NULL;
    }
    e->report.rows_n = ARRAY_N(ways);
    double seconds = o->seconds / (2.0 * measured * o->pairs);
    struct slice warm;
    if (!slice_run(e, &ways[0], o->warmup_s, &warm))
        return false;
    for (uint32_t pair = 0; pair < o->pairs; pair++)
        for (size_t i = 0; i < ARRAY_N(ways); i++)
            if (!e->report.rows[i].missing && ways[i].against != NULL &&
                !pair_run(e, &ways[i], pair, seconds))
                return false;
    return true;
}

/* ---- start ---- */

static bool seal_make(struct target *target, enum cipher cipher, enum seal_suite suite)
{
    uint8_t key[SEAL_KEY_BYTES_MAX];
    random_bytes(key, sizeof(key));
    return seal_init(&target->seals[cipher], suite, key, key) == 0 &&
           seal_add_out(target->seals[cipher], target->rewrite.ssrc) == 0;
}

/* One set of keys for each cipher: who makes them decides whose AES they use. */
static bool seals_make(struct egress *e, enum cipher cipher)
{
    for (uint32_t i = 0; i < e->options->consumers; i++)
        if (!seal_make(&e->targets[i], cipher, e->options->suite))
            return false;
    return true;
}

static bool ciphers_make(struct egress *e)
{
    if (e->options->suite == SEAL_NONE)
        return true;
    if (seal_library_init() != 0 || !seals_make(e, CIPHER_DEFAULT))
        return false;
    snprintf(e->report.cipher, sizeof(e->report.cipher), "%s", cipher_engine_name());
    const struct aes_engine *mb = aes_ipsec_mb();
    if (mb == NULL || cipher_install_from(mb) != 0)
        return true;
    e->has_ipsec_mb = true;
    return seals_make(e, CIPHER_IPSEC_MB) && cipher_install_from(&aes_wolfcrypt) == 0 &&
           seals_make(e, CIPHER_WOLFCRYPT);
}

/* The receivers' ports in the scene's order; what is sent there is told apart by its payload type.
 */
static uint16_t next_port(const struct shared *shared, uint32_t *participant)
{
    while (shared->scene.participants[*participant].streams_n == 0)
        (*participant)++;
    return shared->participants[(*participant)++].port;
}

static bool targets_make(struct egress *e)
{
    uint32_t participant = 0;
    const struct options *o = e->options;
    e->targets = calloc(o->consumers, sizeof(*e->targets));
    e->addresses = calloc(o->consumers, sizeof(*e->addresses));
    if (e->targets == NULL || e->addresses == NULL)
        return false;
    memset(e->source, 0x5a, sizeof(e->source));
    e->source[0] = 0x80;
    e->source[1] = SCENE_VIDEO_PT;
    for (uint32_t i = 0; i < o->consumers; i++) {
        struct rewrite *rewrite = &e->targets[i].rewrite;
        const char *host = o->sink != NULL ? o->sink : "127.0.0.1";
        uint16_t port =
            o->sink != NULL ? (uint16_t)(SINK_PORT + i) : next_port(e->stage.shared, &participant);
        if (addr_parse(&e->addresses[i], host, port) != 0) {
            fprintf(stderr, "sluice-perf: %s is not an address\n", host);
            return false;
        }
        rewrite->ssrc = 0x11000000u + i;
        rewrite->pt_n = 1;
        rewrite->pt[0].in = SCENE_VIDEO_PT;
        rewrite->pt[0].out = LIMIT_PT;
        rewrite->pt[0].rtx = REWRITE_PT_NONE;
        rewrite->pt[0].clock_rate = 90000;
        for (size_t c = 0; c < ARRAY_N(e->targets[i].seq); c++)
            e->targets[i].seq[c] = 2;
    }
    return ciphers_make(e);
}

/* What a socket costs is told by how long all connected ones took, and what the kernel's memory
 * grew by. */
static bool sender_make(struct egress *e, const struct way *way)
{
    struct sender **sender = &e->senders[way->how][way->connected];
    if (*sender != NULL || e->missing[way->how])
        return true;
    int64_t memory = measure_kernel_bytes(), from_ns = clock_ns(CLOCK_MONOTONIC);
    int failed = sender_init(sender, way->how, way->connected, e->addresses, e->options->consumers);
    int64_t took_ns = clock_ns(CLOCK_MONOTONIC) - from_ns;
    e->missing[way->how] = failed == -ENOTSUP;
    if (failed && failed != -ENOTSUP)
        fprintf(stderr, "sluice-perf: %s cannot be set up: %s\n", way->name, strerror(-failed));
    if (!failed && way->connected) {
        e->report.connected_us = (double)took_ns / 1e3 / e->options->consumers;
        e->report.connected_kernel_bytes =
            (double)(measure_kernel_bytes() - memory) / e->options->consumers;
    }
    return !failed || failed == -ENOTSUP;
}

static void run_here(const struct stage *stage)
{
    cpu_set_t set;
    prctl(PR_SET_TIMERSLACK, 1);
    if (stage->relay_cpus_n == 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)stage->cpus[0], &set);
    sched_setaffinity(0, sizeof(set), &set); /* refused: it runs anywhere */
}

static bool start(struct egress *e)
{
    if (!stage_open(&e->stage, e->options))
        return false;
    run_here(&e->stage);
    if (!targets_make(e))
        return false;
    for (size_t i = 0; i < ARRAY_N(ways); i++)
        if (!sender_make(e, &ways[i]))
            return false;
    return true;
}

static void stop(struct egress *e)
{
    for (size_t how = 0; how < SENDER_HOWS_N; how++)
        for (size_t connected = 0; connected < 2; connected++)
            sender_exit(e->senders[how][connected]);
    for (uint32_t i = 0; e->targets != NULL && i < e->options->consumers; i++)
        for (size_t c = 0; c < ARRAY_N(e->targets[i].seals); c++)
            if (e->targets[i].seals[c] != NULL)
                seal_exit(e->targets[i].seals[c]);
    free(e->targets);
    free(e->addresses);
    stage_close(&e->stage);
}

int egress_run_all(const struct options *options)
{
    static struct egress e;
    e.options = options;
    e.report.options = options;
    bool right = start(&e) && measure(&e);
    stop(&e);
    return right && egressreport_write(&e.report) ? 0 : 1;
}
