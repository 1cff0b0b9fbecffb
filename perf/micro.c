/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/micro.c - parse, rewrite, seal, retain, slab. */
#include "perf/micro.h"

#include "perf/report.h"
#include "perf/scene.h"
#include "rtp/retain.h"
#include "rtp/rewrite.h"

#include <stdio.h>
#include <time.h>

enum {
    PACKET_BYTES = 1100,
    ROUNDS = 7, /* the median counts */
    STEPS = 200000,
    SOURCES = 64,
    SLOTS_N = 4096,
    KEYS = 100, /* receivers in turn, as in a fan-out */
};

static struct slab slab;
static struct retain *retain;
static struct retain_stream stream;
static uint8_t sources[SOURCES][2048], out[4][2048];
static struct rtp_packet parsed;
static struct rtp_ext_ids ids;
static struct rewrite rewrites[KEYS];
static struct seal *seals[KEYS], *opener;
static volatile uint32_t sink; /* so that nothing is optimised away */

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* `step` is called STEPS times a round with a number that goes on from 0. */
static void bench(const char *name, void (*step)(uint32_t i))
{
    uint32_t counter = 0;
    double values[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        int64_t from_ns = now_ns();
        for (uint32_t i = 0; i < STEPS; i++)
            step(counter++);
        values[round] = (double)(now_ns() - from_ns) / STEPS;
    }
    printf("%s %.1f ns\n", name, report_median(values, ROUNDS));
}

/* ---- parse ---- */

static size_t make_packet(uint8_t *data, uint16_t seq, bool extensions)
{
    static const uint8_t block[] = {0xbe, 0xde, 0,    3, 0x10, '0', 0x22, 1,
                                    2,    3,    0x31, 4, 5,    0,   0,    0};
    memset(data, 0x5a, PACKET_BYTES);
    data[0] = extensions ? 0x90 : 0x80;
    data[1] = SCENE_VIDEO_PT;
    put_be16(data + 2, seq);
    put_be32(data + 4, 1);
    put_be32(data + 8, SCENE_SSRC);
    if (extensions)
        memcpy(data + 12, block, sizeof block);
    return PACKET_BYTES;
}

static void step_parse(uint32_t i)
{
    sink += rtp_packet_parse(&parsed, sources[i % SOURCES], PACKET_BYTES) == DROP_NONE;
}

static void step_parse_exts(uint32_t i)
{
    struct rtp_exts exts;
    sink += rtp_packet_parse(&parsed, sources[i % SOURCES], PACKET_BYTES) == DROP_NONE;
    rtp_exts_find(&exts, sources[i % SOURCES], &parsed, &ids);
    sink += exts.present;
}

static void fill_sources(bool extensions)
{
    for (uint16_t i = 0; i < SOURCES; i++)
        make_packet(sources[i], i, extensions);
    rtp_packet_parse(&parsed, sources[0], PACKET_BYTES);
}

static void micro_parse(void)
{
    fill_sources(false);
    bench("parse", step_parse);
    ids.id[RTP_EXT_MID] = 1;
    ids.id[RTP_EXT_ABS_SEND_TIME] = 2;
    ids.id[RTP_EXT_TWCC] = 3;
    fill_sources(true);
    bench("parse_with_3_extensions", step_parse_exts);
    ids = (struct rtp_ext_ids){0};
}

/* ---- rewrite ---- */

static void step_rewrite(uint32_t i)
{
    static const struct rtp_exts none;
    struct rewrite_numbers numbers = {.seq = (uint16_t)i, .rtp_ts = i, .pt = 0};
    struct rewrite_out result;
    rewrite_packet(&rewrites[i % KEYS], sources[i % SOURCES], &parsed, &none, &numbers, out[i % 4],
                   &result);
    sink += (uint32_t)result.bytes;
}

static void step_rewrite_rtx(uint32_t i)
{
    static const struct rtp_exts none;
    struct rewrite_numbers numbers = {.seq = (uint16_t)i, .rtp_ts = i, .pt = 0};
    struct rewrite_out result;
    rewrite_packet_rtx(&rewrites[i % KEYS], sources[i % SOURCES], &parsed, &none, &numbers,
                       (uint16_t)i, out[i % 4], &result);
    sink += (uint32_t)result.bytes;
}

static void fill_rewrites(void)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        rewrites[i] = (struct rewrite){.ssrc = 1000 + i, .rtx_ssrc = 2000 + i, .pt_n = 1};
        rewrites[i].pt[0].in = SCENE_VIDEO_PT;
        rewrites[i].pt[0].out = 101;
        rewrites[i].pt[0].rtx = 102;
        rewrites[i].pt[0].clock_rate = 90000;
    }
}

static void micro_rewrite(void)
{
    fill_sources(false);
    fill_rewrites();
    bench("rewrite", step_rewrite);
    bench("rewrite_rtx", step_rewrite_rtx);
}

/* ---- seal ---- */

static void step_protect(uint32_t i)
{
    uint8_t *data = out[i % 4];
    size_t bytes = PACKET_BYTES;
    uint32_t key = i % KEYS;
    put_be16(data + 2, (uint16_t)(i / KEYS));
    put_be32(data + 8, rewrites[key].ssrc);
    sink += seal_protect_rtp(seals[key], data, &bytes) == DROP_NONE;
}

/* Sealing is part of it: a packet can be opened once only. Subtract the line before. */
static void step_protect_unprotect(uint32_t i)
{
    uint8_t *data = out[i % 4];
    size_t bytes = make_packet(data, (uint16_t)i, false);
    put_be32(data + 8, rewrites[0].ssrc + KEYS);
    seal_protect_rtp(seals[0], data, &bytes);
    sink += seal_unprotect_rtp(opener, data, &bytes) == DROP_NONE;
}

static bool seal_suite_bench(enum seal_suite suite, const char *name)
{
    uint8_t key[SEAL_KEY_BYTES_MAX];
    char line[64];
    memset(key, 7, sizeof key);
    for (uint32_t i = 0; i < KEYS; i++) {
        key[0] = (uint8_t)i;
        if (seal_init(&seals[i], suite, key, key) != 0 ||
            seal_add_out(seals[i], rewrites[i].ssrc) != 0)
            return false;
    }
    key[0] = 0;
    if (seal_add_out(seals[0], rewrites[0].ssrc + KEYS) != 0 ||
        seal_init(&opener, suite, key, key) != 0)
        return false;
    make_packet(out[0], 0, false);
    memcpy(out[1], out[0], PACKET_BYTES);
    memcpy(out[2], out[0], PACKET_BYTES);
    memcpy(out[3], out[0], PACKET_BYTES);
    snprintf(line, sizeof line, "seal_%s_protect", name);
    bench(line, step_protect);
    snprintf(line, sizeof line, "seal_%s_make_protect_unprotect", name);
    bench(line, step_protect_unprotect);
    for (uint32_t i = 0; i < KEYS; i++)
        seal_exit(seals[i]);
    seal_exit(opener);
    return true;
}

static bool micro_seal(void)
{
    fill_rewrites();
    if (seal_library_init() != 0)
        return false;
    bool right = seal_suite_bench(SEAL_AEAD_AES_128_GCM, "gcm128") &&
                 seal_suite_bench(SEAL_AEAD_AES_256_GCM, "gcm256") &&
                 seal_suite_bench(SEAL_AES_CM_128_HMAC_SHA1_80, "cm80");
    seal_library_exit();
    return right;
}

/* ---- retain, slab ---- */

static void step_slab(uint32_t i)
{
    (void)i;
    uint16_t slot = slab_take(&slab);
    slab_receive(&slab, slot);
    slab_hold(&slab, slot);
    slab_release(&slab, slot);
}

/* One packet a microsecond, kept for a millisecond: a put and an expiry a step. */
static void step_retain(uint32_t i)
{
    uint16_t slot = slab_take(&slab);
    slab_receive(&slab, slot);
    retain_put(retain, &stream, slot, PACKET_BYTES, i, i);
}

/* One of the thousand packets that the last put has left. */
static void step_find(uint32_t i)
{
    struct retain_item item;
    uint32_t newest = STEPS * ROUNDS - 1;
    sink += retain_find(retain, &stream, newest - i % 1000, newest, &item);
}

static bool micro_slab(void)
{
    if (slab_init(&slab, SLOTS_N, 0, false) != 0)
        return false;
    bench("slab_take_receive_hold_release", step_slab);
    slab_exit(&slab);
    return true;
}

static bool micro_retain(void)
{
    if (slab_init(&slab, SLOTS_N, 0, false) != 0 || retain_init(&retain, &slab, SLOTS_N / 2) != 0)
        return false;
    retain_stream_init(retain, &stream);
    retain_set_duration(retain, &stream, 1000, 0);
    bench("retain_put_and_expire", step_retain);
    bench("retain_find", step_find);
    retain_clear(retain, &stream);
    retain_exit(retain);
    slab_exit(&slab);
    return true;
}

int micro_run(const struct options *options)
{
    struct report machine;
    const char *only = options->micro;
    report_init(&machine, options);
    printf("# %s, Linux %s, packets of %d bytes, %d receivers in turn\n", machine.cpu,
           machine.kernel, (int)PACKET_BYTES, (int)KEYS);
    bool right = true;
    if (only == NULL || strcmp(only, "parse") == 0)
        micro_parse();
    if (only == NULL || strcmp(only, "rewrite") == 0)
        micro_rewrite();
    if (only == NULL || strcmp(only, "seal") == 0)
        right &= micro_seal();
    if (only == NULL || strcmp(only, "retain") == 0)
        right &= micro_retain();
    if (only == NULL || strcmp(only, "slab") == 0)
        right &= micro_slab();
    if (!right)
        fprintf(stderr, "sluice-perf: a benchmark could not be set up\n");
    return right ? 0 : 1;
}
