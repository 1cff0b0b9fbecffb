/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_seal_test.c - rtp/seal: every suite against an SRTP of its own, sizes, cuts, replay,
 * wraps, bounds. */
#include "rtp/seal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "rtp/aes.h"
#include "rtp/cipher.h"
#include "test/guard.h"
#include "test/heap.h"
#include "test/srtp_oracle.h"
#include "test/suite.h"

enum { PACKET_BYTES_MAX = 1600, SSRC = 0xcafebabe };

/* Master key and salt of RFC 3711 B.3, and 14 bytes more for the longest suite. */
static const uint8_t key_a[SEAL_KEY_BYTES_MAX] = {
    0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41,
    0x39, 0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6,
    0xc1, 0x73, 0xc3, 0x17, 0xf2, 0xda, 0xbe, 0x35, 0x77, 0x93, 0xb6, 0x96, 0x0b, 0x3a,
};
static const uint8_t key_b[SEAL_KEY_BYTES_MAX] = {0x42, 0x17, 0x99};

struct packet {
    _Alignas(4) uint8_t data[PACKET_BYTES_MAX + SEAL_OVERHEAD_RTCP + SEAL_SLACK_BYTES];
    size_t bytes;
};

/* What `a` sends, `b` receives, and the reverse. */
struct pair {
    struct seal *a, *b;
};

static void setup(void)
{
    ck_assert_int_eq(seal_library_init(), 0);
}

/* With the engine that is always there, where the build takes another first. */
static void setup_wolfcrypt(void)
{
    setup();
    ck_assert_int_eq(cipher_install_from(&aes_wolfcrypt), 0);
}

static void teardown(void)
{
    seal_library_exit();
}

static struct pair pair_open(enum seal_suite suite)
{
    struct pair pair;
    ck_assert_int_eq(seal_init(&pair.a, suite, key_b, key_a), 0);
    ck_assert_int_eq(seal_init(&pair.b, suite, key_a, key_b), 0);
    ck_assert_int_eq(seal_add_out(pair.a, SSRC), 0);
    return pair;
}

static void pair_close(struct pair *pair)
{
    seal_exit(pair->a);
    seal_exit(pair->b);
}

static uint8_t pattern(size_t at, uint32_t seed)
{
    return (uint8_t)((at * 31 + seed * 7) ^ at >> 8);
}

static struct packet rtp_make(uint32_t ssrc, uint32_t seq, size_t payload_bytes)
{
    struct packet packet = {.data = {0x80, 0x60}, .bytes = 12 + payload_bytes};
    put_be16(packet.data + 2, (uint16_t)seq);
    put_be32(packet.data + 4, seq * 3000);
    put_be32(packet.data + 8, ssrc);
    for (size_t i = 0; i < payload_bytes; i++)
        packet.data[12 + i] = pattern(i, seq);
    return packet;
}

/* Two CSRCs and an extension of two words. */
static struct packet rtp_make_full(uint32_t ssrc, uint32_t seq, size_t payload_bytes)
{
    struct packet plain = rtp_make(ssrc, seq, payload_bytes);
    struct packet packet = {.data = {0x92, 0x60}, .bytes = plain.bytes + 20};
    memcpy(packet.data + 2, plain.data + 2, 10);
    put_be32(packet.data + 12, 1);
    put_be32(packet.data + 16, 2);
    put_be32(packet.data + 20, 0xbede0002);
    put_be64(packet.data + 24, 0x10aa2155aa000000);
    memcpy(packet.data + 32, plain.data + 12, payload_bytes);
    return packet;
}

static struct packet rtcp_make(uint32_t ssrc, size_t body_bytes)
{
    struct packet packet = {.data = {0x80, 200, 0, 6}, .bytes = 8 + body_bytes};
    put_be32(packet.data + 4, ssrc);
    for (size_t i = 0; i < body_bytes; i++)
        packet.data[8 + i] = pattern(i, ssrc);
    return packet;
}

#define assert_same(a, b) packet_assert_same(__LINE__, a, b)

static void packet_assert_same(int line, const struct packet *a, const struct packet *b)
{
    ck_assert_msg(a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0,
                  "packets differ in line %d (%zu and %zu bytes)", line, a->bytes, b->bytes);
}

#define protect(seal, packet) packet_protect(__LINE__, seal, packet)

static void packet_protect(int line, struct seal *seal, struct packet *packet)
{
    enum drop why = seal_protect_rtp(seal, packet->data, &packet->bytes);
    ck_assert_msg(why == DROP_NONE, "line %d: protect says %d", line, why);
}

/* What unprotecting a copy gives. */
static enum drop accept(struct seal *seal, const struct packet *packet)
{
    struct packet copy = *packet;
    return seal_unprotect_rtp(seal, copy.data, &copy.bytes);
}

/* RFC 3711 B.3. */
START_TEST(key_derivation)
{
    static const uint8_t cipher_key[16] = {0xc6, 0x1e, 0x7a, 0x93, 0x74, 0x4f, 0x39, 0xee,
                                           0x10, 0x73, 0x4a, 0xfe, 0x3f, 0xf7, 0xa0, 0x87};
    static const uint8_t salt[14] = {0x30, 0xcb, 0xbc, 0x08, 0x86, 0x3d, 0x8c,
                                     0x85, 0xd4, 0x9d, 0xb3, 0x4a, 0x9a, 0xe1};
    static const uint8_t auth_key[20] = {0xce, 0xbe, 0x32, 0x1f, 0x6f, 0xf7, 0x71,
                                         0x6b, 0x6f, 0xd4, 0xab, 0x49, 0xaf, 0x25,
                                         0x6a, 0x15, 0x6d, 0x38, 0xba, 0xa4};
    uint8_t out[20];
    oracle_derive(SEAL_AES_CM_128_HMAC_SHA1_80, key_a, 0, out, 16);
    ck_assert_mem_eq(out, cipher_key, 16);
    oracle_derive(SEAL_AES_CM_128_HMAC_SHA1_80, key_a, 2, out, 14);
    ck_assert_mem_eq(out, salt, 14);
    oracle_derive(SEAL_AES_CM_128_HMAC_SHA1_80, key_a, 1, out, 20);
    ck_assert_mem_eq(out, auth_key, 20);
}

END_TEST

/* Packets of libsrtp2's test driver: an implementation that is neither ours nor wolfCrypt's. */
START_TEST(packets_of_others)
{
    static const uint8_t gcm_key[28] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
                                        0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xa0, 0xa1, 0xa2, 0xa3,
                                        0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab};
    static const uint8_t head[12] = {0x80, 0x0f, 0x12, 0x34, 0xde, 0xca,
                                     0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe};

    static const struct {
        enum seal_suite suite;
        const uint8_t *key;
        size_t bytes;
        uint8_t sealed[32];
    } rows[] = {
        {SEAL_AES_CM_128_HMAC_SHA1_80, key_a, 26, {0x4e, 0x55, 0xdc, 0x4c, 0xe7, 0x99, 0x78,
                                                   0xd8, 0x8c, 0xa4, 0xd2, 0x15, 0x94, 0x9d,
                                                   0x24, 0x02, 0xb7, 0x8d, 0x6a, 0xcc, 0x99,
                                                   0xea, 0x17, 0x9b, 0x8d, 0xbb}},
        {SEAL_AEAD_AES_128_GCM, gcm_key, 32, {0xc5, 0x00, 0x2e, 0xde, 0x04, 0xcf, 0xdd, 0x2e,
                                              0xb9, 0x11, 0x59, 0xe0, 0x88, 0x0a, 0xa0, 0x6e,
                                              0xd2, 0x97, 0x68, 0x26, 0xf7, 0x96, 0xb2, 0x01,
                                              0xdf, 0x31, 0x31, 0xa1, 0x27, 0xe8, 0xa3, 0x92}},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct seal *seal;
        ck_assert_int_eq(seal_init(&seal, rows[i].suite, rows[i].key, rows[i].key), 0);
        ck_assert_int_eq(seal_add_out(seal, SSRC), 0);
        struct packet packet = {.bytes = 28};
        memcpy(packet.data, head, 12);
        memset(packet.data + 12, 0xab, 16);
        struct packet plain = packet;
        protect(seal, &packet);
        ck_assert_uint_eq(packet.bytes, 12 + rows[i].bytes);
        ck_assert_mem_eq(packet.data, head, 12);
        ck_assert_mem_eq(packet.data + 12, rows[i].sealed, rows[i].bytes);
        ck_assert_int_eq(seal_unprotect_rtp(seal, packet.data, &packet.bytes), DROP_NONE);
        assert_same(&packet, &plain);
        seal_exit(seal);
    }
}

END_TEST

/* Suites 1..: what seal sends is what the RFCs say, over three wraps of the sequence number. */
START_TEST(agrees_with_the_rfcs)
{
    enum seal_suite suite = (enum seal_suite)_i;
    struct pair pair = pair_open(suite);
    for (uint32_t index = 2; index < 3u << 16; index += 9973) {
        struct packet sealed = rtp_make_full(SSRC, index, index % 1200);
        struct packet expected = sealed;
        protect(pair.a, &sealed);
        oracle_rtp(suite, key_a, expected.data, &expected.bytes, 32, index >> 16);
        assert_same(&sealed, &expected);
        ck_assert_int_eq(accept(pair.b, &sealed), DROP_NONE);
    }
    /* Index 1 went into making the stream. */
    for (uint32_t index = 2; index < 40; index++) {
        struct packet sealed = rtcp_make(SSRC, 4 * index);
        struct packet expected = sealed;
        ck_assert_int_eq(seal_protect_rtcp(pair.a, sealed.data, &sealed.bytes), DROP_NONE);
        oracle_rtcp(suite, key_a, expected.data, &expected.bytes, index);
        assert_same(&sealed, &expected);
    }
    pair_close(&pair);
}

END_TEST

START_TEST(round_trip_at_all_sizes)
{
    struct pair pair = pair_open((enum seal_suite)_i);
    for (uint32_t bytes = 0; bytes <= 1500; bytes++) {
        struct packet plain = bytes % 2 ? rtp_make(SSRC, 100 + bytes, bytes)
                                        : rtp_make_full(SSRC, 100 + bytes, bytes);
        struct packet packet = plain;
        protect(pair.a, &packet);
        ck_assert_uint_gt(packet.bytes, plain.bytes);
        ck_assert_uint_le(packet.bytes, plain.bytes + SEAL_OVERHEAD_RTP);
        if (bytes >= 16)
            ck_assert_mem_ne(packet.data + plain.bytes - bytes, plain.data + plain.bytes - bytes,
                             bytes);
        ck_assert_int_eq(seal_unprotect_rtp(pair.b, packet.data, &packet.bytes), DROP_NONE);
        assert_same(&packet, &plain);
    }
    for (uint32_t bytes = 0; bytes <= 1480; bytes++) {
        struct packet plain = rtcp_make(SSRC, bytes);
        struct packet packet = plain;
        ck_assert_int_eq(seal_protect_rtcp(pair.a, packet.data, &packet.bytes), DROP_NONE);
        ck_assert_uint_gt(packet.bytes, plain.bytes);
        ck_assert_uint_le(packet.bytes, plain.bytes + SEAL_OVERHEAD_RTCP);
        ck_assert_int_eq(seal_unprotect_rtcp(pair.b, packet.data, &packet.bytes), DROP_NONE);
        assert_same(&packet, &plain);
    }
    pair_close(&pair);
}

END_TEST

START_TEST(every_cut_is_refused)
{
    struct pair pair = pair_open((enum seal_suite)_i);
    struct packet rtp = rtp_make_full(SSRC, 7, 40);
    struct packet rtcp = rtcp_make(SSRC, 40);
    protect(pair.a, &rtp);
    ck_assert_int_eq(seal_protect_rtcp(pair.a, rtcp.data, &rtcp.bytes), DROP_NONE);
    for (size_t cut = 0; cut < rtp.bytes; cut++) {
        size_t bytes = cut;
        enum drop why = seal_unprotect_rtp(pair.b, guard_copy(rtp.data, cut), &bytes);
        ck_assert(why == DROP_SRTP_AUTH || why == DROP_SRTP_OTHER);
        ck_assert_uint_eq(bytes, cut);
    }
    for (size_t cut = 0; cut < rtcp.bytes; cut++) {
        size_t bytes = cut;
        enum drop why = seal_unprotect_rtcp(pair.b, guard_copy(rtcp.data, cut), &bytes);
        ck_assert(why == DROP_SRTP_AUTH || why == DROP_SRTP_OTHER || why == DROP_SRTP_REPLAY);
    }
    ck_assert_int_eq(accept(pair.b, &rtp), DROP_NONE);
    ck_assert_int_eq(seal_unprotect_rtcp(pair.b, rtcp.data, &rtcp.bytes), DROP_NONE);
    pair_close(&pair);
}

END_TEST

START_TEST(every_changed_bit_is_refused)
{
    struct pair pair = pair_open((enum seal_suite)_i);
    struct packet first = rtp_make(SSRC, 6, 8);
    protect(pair.a, &first);
    ck_assert_int_eq(accept(pair.b, &first), DROP_NONE);
    struct packet rtp = rtp_make_full(SSRC, 7, 24);
    struct packet rtcp = rtcp_make(SSRC, 24);
    protect(pair.a, &rtp);
    ck_assert_int_eq(seal_protect_rtcp(pair.a, rtcp.data, &rtcp.bytes), DROP_NONE);
    for (size_t bit = 0; bit < 8 * rtp.bytes; bit++) {
        struct packet changed = rtp;
        changed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_ne(accept(pair.b, &changed), DROP_NONE);
    }
    for (size_t bit = 0; bit < 8 * rtcp.bytes; bit++) {
        struct packet changed = rtcp;
        changed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_ne(seal_unprotect_rtcp(pair.b, changed.data, &changed.bytes), DROP_NONE);
    }
    ck_assert_int_eq(accept(pair.b, &rtp), DROP_NONE);
    ck_assert_int_eq(seal_unprotect_rtcp(pair.b, rtcp.data, &rtcp.bytes), DROP_NONE);
    pair_close(&pair);
}

END_TEST

/* ---- replay */

static struct packet sealed_rtp(struct seal *seal, uint32_t ssrc, uint32_t seq)
{
    struct packet packet = rtp_make(ssrc, seq, 20);
    protect(seal, &packet);
    return packet;
}

START_TEST(replay_window)
{
    struct pair pair = pair_open((enum seal_suite)_i);
    static struct packet packets[SEAL_WINDOW + 2];
    for (uint32_t i = 0; i < ARRAY_N(packets); i++)
        packets[i] = sealed_rtp(pair.a, SSRC, 65000 + i); /* over the wrap */
    uint32_t newest = ARRAY_N(packets) - 1;
    ck_assert_int_eq(accept(pair.b, &packets[0]), DROP_NONE);
    ck_assert_int_eq(accept(pair.b, &packets[newest]), DROP_NONE);
    ck_assert_int_eq(accept(pair.b, &packets[newest - SEAL_WINDOW]), DROP_SRTP_REPLAY);
    for (uint32_t late = SEAL_WINDOW - 1; late > 0; late--) {
        ck_assert_int_eq(accept(pair.b, &packets[newest - late]), DROP_NONE);
        ck_assert_int_eq(accept(pair.b, &packets[newest - late]), DROP_SRTP_REPLAY);
    }
    ck_assert_int_eq(accept(pair.b, &packets[newest]), DROP_SRTP_REPLAY);
    ck_assert_int_eq(accept(pair.b, &packets[0]), DROP_SRTP_REPLAY);

    struct packet rtcp = rtcp_make(SSRC, 20);
    ck_assert_int_eq(seal_protect_rtcp(pair.a, rtcp.data, &rtcp.bytes), DROP_NONE);
    struct packet again = rtcp;
    ck_assert_int_eq(seal_unprotect_rtcp(pair.b, rtcp.data, &rtcp.bytes), DROP_NONE);
    ck_assert_int_eq(seal_unprotect_rtcp(pair.b, again.data, &again.bytes), DROP_SRTP_REPLAY);
    pair_close(&pair);
}

END_TEST

/* A plain resend: same index, same bytes; and not older than the window. */
START_TEST(sending_again_is_the_same)
{
    struct pair pair = pair_open((enum seal_suite)_i);
    static struct packet packets[SEAL_WINDOW_OUT + 1];
    ck_assert_uint_gt(ARRAY_N(packets), 2 * 1000); /* retention's ceiling, at 1000 a second */
    for (uint32_t i = 0; i < ARRAY_N(packets); i++)
        packets[i] = sealed_rtp(pair.a, SSRC, 65000 + i);
    for (uint32_t i = 1; i < ARRAY_N(packets); i++) {
        struct packet again = sealed_rtp(pair.a, SSRC, 65000 + i);
        assert_same(&again, &packets[i]);
    }
    struct packet old = rtp_make(SSRC, 65000, 20);
    ck_assert_int_eq(seal_protect_rtp(pair.a, old.data, &old.bytes), DROP_SEAL);
    pair_close(&pair);
}

END_TEST

/* ---- rollover: `lost` packets vanish around each wrap, and the two on either side come late. */
START_TEST(wraps_with_loss)
{
    static const uint32_t lost_rows[] = {0, 1, 2, 100, 30000};
    enum seal_suite suite = (enum seal_suite)(1 + _i % (SEAL_SUITE_N - 1));
    uint32_t lost = lost_rows[_i / (SEAL_SUITE_N - 1)];
    struct pair pair = pair_open(suite);
    uint32_t at = 2;
    for (uint32_t wrap = 1; wrap <= 4; wrap++) {
        uint32_t before = (wrap << 16) - 1 - lost / 2;
        uint32_t after = before + lost + 1;
        for (; at < before - 1; at += 0x3000) { /* 2^15 at once is the most that can be guessed */
            struct packet packet = sealed_rtp(pair.a, SSRC, at);
            ck_assert_int_eq(accept(pair.b, &packet), DROP_NONE);
        }
        struct packet a = sealed_rtp(pair.a, SSRC, before - 1);
        struct packet b = sealed_rtp(pair.a, SSRC, before);
        struct packet c = sealed_rtp(pair.a, SSRC, after);
        struct packet d = sealed_rtp(pair.a, SSRC, after + 1);
        ck_assert_int_eq(accept(pair.b, &a), DROP_NONE);
        ck_assert_int_eq(accept(pair.b, &d), DROP_NONE);
        ck_assert_int_eq(accept(pair.b, &c), DROP_NONE);
        enum drop late = lost + 2 < SEAL_WINDOW ? DROP_NONE : DROP_SRTP_REPLAY;
        ck_assert_int_eq(accept(pair.b, &b), late);
        struct packet expected = rtp_make(SSRC, after, 20);
        oracle_rtp(suite, key_a, expected.data, &expected.bytes, 12, wrap);
        assert_same(&c, &expected);
        at = after + 2;
    }
    pair_close(&pair);
}

END_TEST

/* ---- inbound streams */

START_TEST(inbound_streams_are_bounded)
{
    struct pair pair = pair_open(SEAL_AEAD_AES_128_GCM);
    /* What is not authentic takes no place. */
    for (uint32_t ssrc = 1; ssrc <= 4 * SEAL_STREAMS_IN_MAX; ssrc++) {
        struct packet forged = rtp_make(ssrc, 1, 40);
        ck_assert_int_eq(accept(pair.b, &forged), DROP_SRTP_AUTH);
        struct packet forged_rtcp = rtcp_make(ssrc, 40);
        forged_rtcp.data[forged_rtcp.bytes - 4] |= 0x80; /* encrypted */
        ck_assert_int_ne(seal_unprotect_rtcp(pair.b, forged_rtcp.data, &forged_rtcp.bytes),
                         DROP_NONE);
    }
    for (uint32_t ssrc = 1; ssrc <= SEAL_STREAMS_IN_MAX + 1; ssrc++)
        ck_assert_int_eq(seal_add_out(pair.a, ssrc), 0);
    for (uint32_t ssrc = 1; ssrc <= SEAL_STREAMS_IN_MAX; ssrc++) {
        if (ssrc % 2) { /* who only sends RTCP counts, too */
            struct packet packet = rtcp_make(ssrc, 20);
            ck_assert_int_eq(seal_protect_rtcp(pair.a, packet.data, &packet.bytes), DROP_NONE);
            ck_assert_int_eq(seal_unprotect_rtcp(pair.b, packet.data, &packet.bytes), DROP_NONE);
        }
        struct packet packet = sealed_rtp(pair.a, ssrc, 5);
        ck_assert_int_eq(accept(pair.b, &packet), DROP_NONE);
    }
    struct packet over = sealed_rtp(pair.a, SEAL_STREAMS_IN_MAX + 1, 5);
    struct packet over_rtcp = rtcp_make(SEAL_STREAMS_IN_MAX + 1, 20);
    ck_assert_int_eq(seal_protect_rtcp(pair.a, over_rtcp.data, &over_rtcp.bytes), DROP_NONE);
    ck_assert_int_eq(accept(pair.b, &over), DROP_SRTP_STREAMS);
    ck_assert_int_eq(seal_unprotect_rtcp(pair.b, over_rtcp.data, &over_rtcp.bytes),
                     DROP_SRTP_STREAMS);
    struct packet known = sealed_rtp(pair.a, 3, 6);
    ck_assert_int_eq(accept(pair.b, &known), DROP_NONE);

    seal_remove_in(pair.b, 9);
    seal_remove_in(pair.b, 12345); /* never heard of */
    struct packet forged = rtp_make(7777, 1, 40);
    ck_assert_int_eq(accept(pair.b, &forged), DROP_SRTP_AUTH);
    ck_assert_int_eq(accept(pair.b, &over), DROP_NONE);
    struct packet evicted = sealed_rtp(pair.a, 9, 6);
    ck_assert_int_eq(accept(pair.b, &evicted), DROP_SRTP_STREAMS);
    for (uint32_t ssrc = 1; ssrc <= SEAL_STREAMS_IN_MAX + 1; ssrc++) {
        struct packet packet = sealed_rtp(pair.a, ssrc, 7);
        ck_assert_int_eq(accept(pair.b, &packet), ssrc == 9 ? DROP_SRTP_STREAMS : DROP_NONE);
    }
    pair_close(&pair);
}

END_TEST

static void climb(struct seal *from, struct seal *to, uint32_t ssrc, uint32_t first, uint32_t last)
{
    for (uint32_t index = first; index <= last; index += 0x4000) {
        struct packet packet = sealed_rtp(from, ssrc, index);
        ck_assert_int_eq(accept(to, &packet), DROP_NONE);
    }
}

/* The producer goes, its sender's rollover counter goes on. */
START_TEST(removed_inbound_stream_keeps_its_rollover)
{
    struct pair pair = pair_open((enum seal_suite)_i);
    climb(pair.a, pair.b, SSRC, 2, 5 << 16);
    struct packet old = sealed_rtp(pair.a, SSRC, (5 << 16) + 100);
    ck_assert_int_eq(accept(pair.b, &old), DROP_NONE);
    seal_remove_in(pair.b, SSRC);
    seal_remove_in(pair.b, SSRC);
    ck_assert_int_eq(accept(pair.b, &old), DROP_SRTP_REPLAY);
    struct packet next = sealed_rtp(pair.a, SSRC, (5 << 16) + 101);
    ck_assert_int_eq(accept(pair.b, &next), DROP_NONE);

    /* It goes when as many others have been removed, unless it is still heard. */
    for (uint32_t ssrc = 1; ssrc <= 2 * SEAL_PARKED_MAX; ssrc++) {
        ck_assert_int_eq(seal_add_out(pair.a, ssrc), 0);
        struct packet packet = sealed_rtp(pair.a, ssrc, 5);
        ck_assert_int_eq(accept(pair.b, &packet), DROP_NONE);
        if (ssrc <= SEAL_PARKED_MAX) {
            packet = sealed_rtp(pair.a, SSRC, (5 << 16) + 101 + ssrc);
            ck_assert_int_eq(accept(pair.b, &packet), DROP_NONE);
        }
        seal_remove_in(pair.b, ssrc);
    }
    next = sealed_rtp(pair.a, SSRC, (5 << 16) + 200);
    ck_assert_int_eq(accept(pair.b, &next), DROP_SRTP_AUTH);
    pair_close(&pair);
}

END_TEST

/* ---- set-up */

START_TEST(suites_have_names)
{
    static const char *names[] = {"AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80",
                                  "AES_CM_128_HMAC_SHA1_32"};
    static const size_t key_bytes[] = {44, 28, 30, 30};
    for (unsigned i = 0; i < ARRAY_N(names); i++) {
        enum seal_suite suite = (enum seal_suite)(i + 1);
        ck_assert_str_eq(seal_suite_name(suite), names[i]);
        ck_assert_int_eq(seal_suite_of_name(names[i]), suite);
        ck_assert_uint_eq(seal_key_bytes(suite), key_bytes[i]);
        ck_assert_int_eq(seal_suite_is_aead(suite), i < 2);
    }
    ck_assert_int_eq(seal_suite_of_name("NONE"), SEAL_NONE);
    ck_assert_int_eq(seal_suite_of_name("aead_aes_128_gcm"), SEAL_NONE);
    ck_assert_int_eq(seal_suite_of_name(""), SEAL_NONE);
    ck_assert_uint_eq(seal_key_bytes(SEAL_NONE), 0);
}

END_TEST

START_TEST(refuses_what_it_cannot_do)
{
    struct seal *none;
    ck_assert_int_eq(seal_init(&none, SEAL_NONE, key_a, key_b), -EINVAL);
    ck_assert_int_eq(seal_init(&none, SEAL_SUITE_N, key_a, key_b), -EINVAL);
    seal_exit(NULL);
    struct pair pair = pair_open(SEAL_AEAD_AES_256_GCM);
    ck_assert_int_eq(seal_suite_of(pair.a), SEAL_AEAD_AES_256_GCM);
    ck_assert_int_eq(seal_add_out(pair.a, SSRC), -EEXIST);

    struct packet unknown = rtp_make(1, 1, 20);
    ck_assert_int_eq(seal_protect_rtp(pair.a, unknown.data, &unknown.bytes), DROP_SEAL);
    struct packet unknown_rtcp = rtcp_make(1, 20);
    ck_assert_int_eq(seal_protect_rtcp(pair.a, unknown_rtcp.data, &unknown_rtcp.bytes), DROP_SEAL);
    ck_assert_int_eq(seal_protect_rtp(pair.b, unknown.data, &unknown.bytes), DROP_SEAL);
    ck_assert_uint_eq(unknown.bytes, 32);
    for (size_t cut = 0; cut < 12; cut++) {
        struct packet runt = rtp_make(SSRC, 1, 0);
        size_t bytes = cut;
        ck_assert_int_eq(seal_protect_rtp(pair.a, runt.data, &bytes), DROP_SEAL);
        if (cut < 8)
            ck_assert_int_eq(seal_protect_rtcp(pair.a, runt.data, &bytes), DROP_SEAL);
    }
    struct packet lies = rtp_make_full(SSRC, 1, 0); /* an extension past the end */
    lies.bytes -= 4;
    ck_assert_int_eq(seal_protect_rtp(pair.a, lies.data, &lies.bytes), DROP_SEAL);

    /* Another key, another suite, its own direction. */
    struct packet sealed = sealed_rtp(pair.a, SSRC, 1);
    ck_assert_int_eq(accept(pair.a, &sealed), DROP_SRTP_AUTH);
    struct pair other = pair_open(SEAL_AEAD_AES_128_GCM);
    ck_assert_int_eq(accept(other.b, &sealed), DROP_SRTP_AUTH);
    ck_assert_int_eq(accept(pair.b, &sealed), DROP_NONE);
    pair_close(&other);
    pair_close(&pair);
}

END_TEST

START_TEST(the_library_counts_its_users)
{
    ck_assert_int_eq(seal_library_init(), 0);
    seal_library_exit();
    struct pair pair = pair_open(SEAL_AEAD_AES_128_GCM);
    struct packet packet = sealed_rtp(pair.a, SSRC, 1);
    ck_assert_int_eq(accept(pair.b, &packet), DROP_NONE);
    pair_close(&pair);
    seal_library_exit(); /* the fixture's */
    ck_assert_int_eq(seal_library_init(), 0);
}

END_TEST

/* ---- heap */

/* The media path: known streams both ways, refused packets of all kinds. */
START_TEST(packets_make_no_heap_calls)
{
    struct pair pair = pair_open((enum seal_suite)_i);
    static struct packet sealed[64];
    struct packet rtcp = rtcp_make(SSRC, 40);
    for (uint32_t ssrc = 1; ssrc <= 40; ssrc++)
        ck_assert_int_eq(seal_add_out(pair.a, ssrc), 0);
    struct packet first = sealed_rtp(pair.a, SSRC, 1);
    ck_assert_int_eq(accept(pair.b, &first), DROP_NONE);

    uint64_t before = heap_calls();
    uint32_t good = 0;
    for (uint32_t i = 0; i < ARRAY_N(sealed); i++) {
        sealed[i] = rtp_make(i % 2 ? SSRC : 1 + i % 40, 2 + i, 1100);
        good += seal_protect_rtp(pair.a, sealed[i].data, &sealed[i].bytes) == DROP_NONE;
    }
    for (uint32_t i = 1; i < ARRAY_N(sealed); i += 2) {
        struct packet packet = sealed[i];
        good += seal_unprotect_rtp(pair.b, packet.data, &packet.bytes) == DROP_NONE;
        good += accept(pair.b, &sealed[i]) == DROP_SRTP_REPLAY;
        packet = rtp_make(SSRC, 500, 40);
        good += seal_unprotect_rtp(pair.b, packet.data, &packet.bytes) == DROP_SRTP_AUTH;
        packet = rtp_make(SSRC + i, 500, 40);
        good += seal_unprotect_rtp(pair.b, packet.data, &packet.bytes) == DROP_SRTP_AUTH;
    }
    good += seal_protect_rtcp(pair.a, rtcp.data, &rtcp.bytes) == DROP_NONE;
    good += seal_unprotect_rtcp(pair.b, rtcp.data, &rtcp.bytes) == DROP_NONE;
    uint64_t calls = heap_calls() - before;
    ck_assert_uint_eq(good, 64 + 4 * 32 + 2);
    ck_assert_uint_eq(calls, 0);

    before = heap_calls(); /* it can count */
    ck_assert_int_eq(seal_add_out(pair.a, 41), 0);
    ck_assert_uint_gt(heap_calls(), before);
    pair_close(&pair);
}

END_TEST

/* No block goes back to the heap with a master key or a session key in it. */
START_TEST(keys_are_wiped)
{
    enum seal_suite suite = (enum seal_suite)_i;
    uint8_t session_key[16];
    oracle_derive(suite, key_a, 0, session_key, 16);
    const uint8_t *watched[] = {key_a, session_key};
    for (size_t i = 0; i < ARRAY_N(watched); i++) {
        struct pair pair = pair_open(suite);
        for (uint32_t ssrc = 1; ssrc <= 40; ssrc++) {
            ck_assert_int_eq(seal_add_out(pair.a, ssrc), 0);
            struct packet packet = sealed_rtp(pair.a, ssrc, 1);
            ck_assert_int_eq(accept(pair.b, &packet), DROP_NONE);
        }
        heap_watch(watched[i], 16);
        pair_close(&pair);
        ck_assert_uint_eq(heap_watch(watched[i], 16), 0);
        uint8_t *leak = malloc(64); /* it can find */
        memcpy(leak + 3, watched[i], 16);
        __asm__ volatile("" ::"r"(leak) : "memory");
        free(leak);
        ck_assert_uint_eq(heap_watch(NULL, 0), 1);
    }
}

END_TEST

/* ---- threads: each has its own seals, at the same time. */

static void *thread_run(void *arg)
{
    enum seal_suite suite = (enum seal_suite)(uintptr_t)arg;
    uintptr_t good = 0;
    for (int round = 0; round < 20; round++) {
        struct pair pair;
        if (seal_init(&pair.a, suite, key_b, key_a) || seal_init(&pair.b, suite, key_a, key_b))
            return NULL;
        for (uint32_t ssrc = 1; ssrc <= 20; ssrc++) {
            good += seal_add_out(pair.a, ssrc) == 0;
            for (uint32_t seq = 1; seq <= 20; seq++) {
                struct packet packet = rtp_make(ssrc, seq, 50 * ssrc);
                struct packet expected = packet;
                good += seal_protect_rtp(pair.a, packet.data, &packet.bytes) == DROP_NONE;
                good += seal_unprotect_rtp(pair.b, packet.data, &packet.bytes) == DROP_NONE;
                good += memcmp(packet.data, expected.data, expected.bytes) == 0;
            }
            seal_remove_out(pair.a, ssrc);
            seal_remove_in(pair.b, ssrc);
        }
        seal_exit(pair.a);
        seal_exit(pair.b);
    }
    return (void *)good;
}

START_TEST(threads_do_not_meet)
{
    pthread_t threads[SEAL_SUITE_N - 1];
    for (uintptr_t i = 0; i < ARRAY_N(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_run, (void *)(i + 1)), 0);
    for (size_t i = 0; i < ARRAY_N(threads); i++) {
        void *good;
        ck_assert_int_eq(pthread_join(threads[i], &good), 0);
        ck_assert_uint_eq((uintptr_t)good, 20 * 20 * (1 + 20 * 3));
    }
}

END_TEST

static void add_tests(Suite *suite, const char *name, SFun begin)
{
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, teardown);
    tcase_add_test(tests, key_derivation);
    tcase_add_test(tests, packets_of_others);
    tcase_add_loop_test(tests, agrees_with_the_rfcs, 1, SEAL_SUITE_N);
    tcase_add_loop_test(tests, round_trip_at_all_sizes, 1, SEAL_SUITE_N);
    tcase_add_loop_test(tests, every_cut_is_refused, 1, SEAL_SUITE_N);
    tcase_add_loop_test(tests, every_changed_bit_is_refused, 1, SEAL_SUITE_N);
    tcase_add_loop_test(tests, replay_window, 1, SEAL_SUITE_N);
    tcase_add_loop_test(tests, sending_again_is_the_same, 1, SEAL_SUITE_N);
    tcase_add_loop_test(tests, wraps_with_loss, 0, 5 * (SEAL_SUITE_N - 1));
    tcase_add_test(tests, inbound_streams_are_bounded);
    tcase_add_loop_test(tests, removed_inbound_stream_keeps_its_rollover, 1, SEAL_SUITE_N);
    tcase_add_test(tests, suites_have_names);
    tcase_add_test(tests, refuses_what_it_cannot_do);
    tcase_add_test(tests, the_library_counts_its_users);
    tcase_add_loop_test(tests, packets_make_no_heap_calls, 1, SEAL_SUITE_N);
    tcase_add_loop_test(tests, keys_are_wiped, 1, SEAL_SUITE_N);
    tcase_add_test(tests, threads_do_not_meet);
    suite_add_tcase(suite, tests);
}

Suite *rtp_seal_suite(void)
{
    Suite *suite = suite_create("rtp_seal");
    add_tests(suite, "seal", setup);
    if (aes_ipsec_mb() != NULL)
        add_tests(suite, "seal, wolfCrypt", setup_wolfcrypt);
    return suite;
}
