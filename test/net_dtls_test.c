/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_dtls_test.c - DTLS sessions: two of ours against each other in virtual time, over good
 * and bad networks, and against forgers. */
#include "net/dtls.h"

#include "net/clienthello.h"
#include "test/dtls_rig.h"
#include "test/heap.h"
#include "test/hello.h"
#include "test/must.h"
#include "test/suite.h"

#include <pthread.h>
#include <stdlib.h>

enum { SEEDS = 60 };

static struct dtls_rig rig;

/* Also after a test that has failed half-way. */
static void teardown(void)
{
    dtls_rig_exit(&rig);
}

static struct dtls_context *server_of(enum dtls_version version)
{
    return dtls_rig_context(DTLS_RIG_SERVER, version, 0);
}

static struct dtls_context *client_of(enum dtls_version version)
{
    return dtls_rig_context(DTLS_RIG_CLIENT, version, 0);
}

static void open_pair(enum dtls_version version, uint64_t seed)
{
    dtls_rig_init(&rig, seed);
    dtls_rig_open(&rig, server_of(version), client_of(version));
}

static void open_connected(enum dtls_version version)
{
    open_pair(version, 1);
    ck_assert(dtls_rig_connect(&rig));
}

static enum dtls_state state(int side)
{
    return dtls_state_of(rig.sides[side]);
}

/* Both are CONNECTED, have the same keys crosswise and each other's certificate. */
static void check_connected(enum dtls_version version, enum seal_suite suite)
{
    struct srtp_keys keys[DTLS_RIG_SIDES], again;
    size_t bytes = seal_key_bytes(suite);
    for (int side = 0; side < DTLS_RIG_SIDES; side++) {
        struct dtls *dtls = rig.sides[side];
        MUST(dtls_state_of(dtls) == DTLS_CONNECTED);
        MUST(dtls_version_of(dtls) == version);
        MUST(dtls_take_keys(dtls, &keys[side]));
        MUST(!dtls_take_keys(dtls, &again));
        MUST(keys[side].suite == suite);
        char *pem = dtls_take_certificate(dtls);
        const struct certificate *peer = dtls_rig_certificate(!side);
        char *expected = certificate_pem(peer->der, peer->der_bytes);
        ck_assert_ptr_nonnull(pem);
        ck_assert_str_eq(pem, expected);
        ck_assert_ptr_null(dtls_take_certificate(dtls));
        free(pem);
        free(expected);
    }
    MUST(memcmp(keys[0].in, keys[1].out, bytes) == 0);
    MUST(memcmp(keys[0].out, keys[1].in, bytes) == 0);
    MUST(memcmp(keys[0].in, keys[0].out, bytes) != 0);
}

static const struct {
    enum dtls_version server, client, result;
} versions[] = {
    {DTLS_VERSION_1_3, DTLS_VERSION_1_3, DTLS_VERSION_1_3},
    {DTLS_VERSION_1_2, DTLS_VERSION_1_2, DTLS_VERSION_1_2},
    {DTLS_VERSION_1_3, DTLS_VERSION_1_2, DTLS_VERSION_1_2},
    {DTLS_VERSION_1_2, DTLS_VERSION_1_3, DTLS_VERSION_1_2},
};

START_TEST(connects_in_either_version)
{
    dtls_rig_init(&rig, 1);
    dtls_rig_open(&rig, server_of(versions[_i].server), client_of(versions[_i].client));
    ck_assert_int_eq(dtls_role_of(rig.sides[DTLS_RIG_SERVER]), DTLS_ROLE_SERVER);
    ck_assert_int_eq(dtls_role_of(rig.sides[DTLS_RIG_CLIENT]), DTLS_ROLE_CLIENT);
    int64_t began_us = rig.now_us;
    ck_assert(dtls_rig_connect(&rig));
    check_connected(versions[_i].result, SEAL_AEAD_AES_128_GCM);
    ck_assert_int_le(rig.now_us - began_us,
                     versions[_i].result == DTLS_VERSION_1_3 ? 50000 : 70000);
    for (int side = 0; side < DTLS_RIG_SIDES; side++) {
        ck_assert_int_eq(dtls_due_us(rig.sides[side]), INT64_MAX);
        ck_assert_uint_eq(dtls_stats_of(rig.sides[side]).out_lost, 0);
    }
}

END_TEST

/* 30 % lost each way, a fifth twice, order mixed: every seed must end well within the limit. */
START_TEST(connects_over_bad_networks)
{
    enum dtls_version version = _i % 2 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        open_pair(version, seed * 2 + (uint64_t)_i);
        rig.loss = 30;
        rig.duplication = 20;
        rig.jitter_us = _i < 2 ? 30000 : 300000;
        if (!dtls_rig_connect(&rig))
            ck_abort_msg("seed %llu, 1.%d: states %d and %d at %lld us", (unsigned long long)seed,
                         version == DTLS_VERSION_1_2 ? 2 : 3, state(0), state(1),
                         (long long)rig.now_us);
        check_connected(version, SEAL_AEAD_AES_128_GCM);
        dtls_rig_exit(&rig);
    }
}

END_TEST

static uint32_t bit(enum seal_suite suite)
{
    return 1u << suite;
}

START_TEST(every_suite_and_the_servers_preference)
{
    static const enum seal_suite order[] = {SEAL_AEAD_AES_128_GCM, SEAL_AEAD_AES_256_GCM,
                                            SEAL_AES_CM_128_HMAC_SHA1_80,
                                            SEAL_AES_CM_128_HMAC_SHA1_32};
    enum dtls_version version = _i % 2 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    uint32_t mask = 0;
    for (size_t i = (size_t)_i / 2; i < ARRAY_N(order); i++)
        mask |= bit(order[i]);
    dtls_rig_init(&rig, 1);
    dtls_rig_open(&rig, server_of(version), dtls_rig_context(DTLS_RIG_CLIENT, version, mask));
    ck_assert(dtls_rig_connect(&rig));
    check_connected(version, order[_i / 2]);
}

END_TEST

START_TEST(without_a_common_suite_both_fail)
{
    enum dtls_version version = _i ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    dtls_rig_init(&rig, 1);
    dtls_rig_open(&rig, dtls_rig_context(DTLS_RIG_SERVER, version, bit(SEAL_AEAD_AES_256_GCM)),
                  dtls_rig_context(DTLS_RIG_CLIENT, version, bit(SEAL_AES_CM_128_HMAC_SHA1_32)));
    ck_assert(!dtls_rig_connect(&rig));
    ck_assert_int_eq(state(DTLS_RIG_SERVER), DTLS_FAILED);
    ck_assert_int_eq(state(DTLS_RIG_CLIENT), DTLS_FAILED);
    ck_assert_int_lt(rig.now_us, 1000000 + DTLS_HANDSHAKE_US); /* by the alert */
}

END_TEST

/* Every hash works, and with one bit wrong in the certificate's fingerprint nobody gets keys. */
START_TEST(fingerprints_decide)
{
    enum dtls_version version = _i % 2 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    for (int hash = FINGERPRINT_SHA1; hash < FINGERPRINT_HASH_N; hash++)
        for (int wrong = -1; wrong < DTLS_RIG_SIDES; wrong++) {
            dtls_rig_init(&rig, 1);
            for (int side = 0; side < DTLS_RIG_SIDES; side++) {
                struct fingerprint of_peer =
                    *dtls_rig_fingerprint(!side, (enum fingerprint_hash)hash);
                if (side == wrong)
                    of_peer.bytes[fingerprint_bytes(of_peer.hash) - 1] ^= 1;
                ck_assert_int_eq(
                    dtls_init(&rig.sides[side],
                              side == DTLS_RIG_SERVER ? server_of(version) : client_of(version),
                              side == DTLS_RIG_SERVER ? DTLS_ROLE_SERVER : DTLS_ROLE_CLIENT,
                              &of_peer, rig.now_us),
                    0);
            }
            struct srtp_keys keys;
            bool connected = dtls_rig_connect(&rig);
            ck_assert_int_eq(connected, wrong < 0);
            if (wrong >= 0) {
                ck_assert_int_eq(state(wrong), DTLS_FAILED);
                ck_assert(!dtls_take_keys(rig.sides[wrong], &keys));
                ck_assert_ptr_null(dtls_take_certificate(rig.sides[wrong]));
                dtls_rig_run(&rig, rig.now_us + 100000);
                ck_assert_int_ne(state(!wrong), DTLS_CONNECTING); /* told by an alert */
                ck_assert_int_ne(state(!wrong), DTLS_CONNECTED);
            }
            dtls_rig_exit(&rig);
        }
}

END_TEST

static bool drop_all(struct dtls_rig *r, int from, uint8_t *data, size_t *bytes)
{
    (void)data;
    (void)bytes;
    int64_t *sent_us = r->on_send_arg;
    for (int i = 0; sent_us && from == DTLS_RIG_CLIENT && i < 32; i++)
        if (sent_us[i] == 0) {
            sent_us[i] = r->now_us;
            break;
        }
    return false;
}

START_TEST(gives_up_after_the_limit_and_sends_again_on_time)
{
    int64_t sent_us[33] = {0}, interval_us = DTLS_RESEND_US;
    open_pair(_i ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3, 1);
    rig.on_send = drop_all;
    rig.on_send_arg = sent_us;
    int64_t began_us = rig.now_us;
    ck_assert(!dtls_rig_connect(&rig));
    ck_assert_int_eq(state(DTLS_RIG_CLIENT), DTLS_FAILED);
    ck_assert_int_eq(state(DTLS_RIG_SERVER), DTLS_FAILED);
    ck_assert_int_eq(rig.now_us - began_us, DTLS_HANDSHAKE_US);
    ck_assert_int_eq(dtls_due_us(rig.sides[0]), INT64_MAX);
    ck_assert_int_eq(sent_us[0], began_us);
    for (int i = 1; sent_us[i]; i++) {
        ck_assert_int_eq(sent_us[i] - sent_us[i - 1], interval_us);
        interval_us = min_i64(2 * interval_us, DTLS_RESEND_US_MAX);
    }
    ck_assert_int_eq(interval_us, DTLS_RESEND_US_MAX);
    ck_assert_uint_gt(dtls_stats_of(rig.sides[DTLS_RIG_CLIENT]).resends, 8);
}

END_TEST

START_TEST(close_notify_closes_the_other_side)
{
    enum dtls_version version = _i % 2 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    int side = _i / 2;
    open_connected(version);
    dtls_close(rig.sides[side]);
    ck_assert_int_eq(state(side), DTLS_CLOSED);
    dtls_rig_run(&rig, rig.now_us + 100000);
    ck_assert_int_eq(state(!side), DTLS_CLOSED);
    dtls_close(rig.sides[side]); /* once more: nothing */
    ck_assert_int_eq(dtls_feed(rig.sides[side], (const uint8_t *)"\x16", 1, rig.now_us),
                     DROP_DTLS_STATE);
}

END_TEST

/* Alerts in the clear, all levels and epochs, before and after the handshake. */
START_TEST(forged_close_notify_is_ignored)
{
    enum dtls_version version = _i % 2 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 77, 0, 2, 1, 0};
    open_pair(version, 1);
    for (int step = 0; step < 2; step++) {
        for (int side = 0; side < DTLS_RIG_SIDES; side++)
            for (uint8_t epoch = 0; epoch < 4; epoch++)
                for (uint8_t level = 1; level <= (step ? 2 : 1); level++) {
                    alert[4] = epoch;
                    alert[13] = level;
                    dtls_feed(rig.sides[side], alert, sizeof(alert), rig.now_us);
                    ck_assert_int_eq(state(side), step ? DTLS_CONNECTED : DTLS_CONNECTING);
                }
        if (step == 0)
            ck_assert(dtls_rig_connect(&rig));
    }
    check_connected(version, SEAL_AEAD_AES_128_GCM);
}

END_TEST

/* A datagram with random content that looks like DTLS more or less. */
static size_t garbage(uint8_t *data, struct random *random)
{
    static const uint8_t firsts[] = {20, 21, 22, 23, 25, 26, 0x2c, 0x2d, 0x2e, 0x2f, 0x3f, 63};
    size_t bytes = 1 + random_below(random, 120);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)random_next(random);
    if (random_below(random, 8) > 0)
        data[0] = firsts[random_below(random, ARRAY_N(firsts))];
    if (bytes > 13 && random_below(random, 4) > 0) {
        data[1] = 0xfe;
        data[2] = random_below(random, 2) ? 0xfd : 0xff;
        put_be16(data + 3, (uint16_t)random_below(random, 3));
        put_be16(data + 11, (uint16_t)(bytes - 13));
    }
    return bytes;
}

START_TEST(garbage_changes_nothing_once_connected)
{
    enum dtls_version version = _i ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    struct random random = {42};
    uint8_t data[256];
    open_connected(version);
    for (int i = 0; i < 20000; i++) {
        size_t bytes = garbage(data, &random);
        int side = i % 2;
        MUST(!dtls_is_expensive(rig.sides[side]));
        dtls_feed(rig.sides[side], data, bytes, rig.now_us);
        MUST(state(side) == DTLS_CONNECTED);
    }
    for (int side = 0; side < DTLS_RIG_SIDES; side++)
        ck_assert_uint_eq(dtls_stats_of(rig.sides[side]).data_records, 0);
}

END_TEST

/* Ciphertext that nobody has the key of, and records that cannot be, during the handshake. */
START_TEST(garbage_does_not_stop_a_handshake)
{
    enum dtls_version version = _i ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct random random = {seed};
        uint8_t data[256];
        open_pair(version, seed);
        rig.jitter_us = 50000;
        for (int64_t at = 0; at < 60; at++) {
            dtls_rig_run(&rig, 1000000 + at * 2000);
            for (int side = 0; side < DTLS_RIG_SIDES; side++) {
                size_t bytes = garbage(data, &random);
                bool plain = bytes > 4 && (data[0] >= 20 && data[0] <= 26) && be16(data + 3) == 0;
                if (!plain) /* those may fail it, well-formed as they can be */
                    dtls_feed(rig.sides[side], data, bytes, rig.now_us);
            }
        }
        MUST(dtls_rig_connect(&rig));
        check_connected(version, SEAL_AEAD_AES_128_GCM);
        dtls_rig_exit(&rig);
    }
}

END_TEST

/* Datagram number `on_send_arg` of the server is lost, whatever it is. */
static bool lose_last_of_server(struct dtls_rig *r, int from, uint8_t *data, size_t *bytes)
{
    (void)data;
    (void)bytes;
    int *left = r->on_send_arg;
    return from != DTLS_RIG_SERVER || dtls_state_of(r->sides[from]) != DTLS_CONNECTED ||
           (*left)-- <= 0;
}

START_TEST(a_lost_last_flight_is_repeated)
{
    enum dtls_version version = _i ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    int lose = 3;
    open_pair(version, 1);
    rig.on_send = lose_last_of_server;
    rig.on_send_arg = &lose;
    while (state(DTLS_RIG_SERVER) == DTLS_CONNECTING)
        dtls_rig_run(&rig, rig.now_us + 1000);
    ck_assert(dtls_rig_connect(&rig));
    check_connected(version, SEAL_AEAD_AES_128_GCM);
    ck_assert_int_lt(lose, 0);
}

END_TEST

/* A peer that begins before its fingerprint is known is dropped by the caller; it goes on trying.
 */
START_TEST(a_first_flight_before_connect_may_be_lost)
{
    dtls_rig_init(&rig, 1);
    ck_assert_int_eq(
        dtls_init(&rig.sides[DTLS_RIG_CLIENT], client_of(DTLS_VERSION_1_3), DTLS_ROLE_CLIENT,
                  dtls_rig_fingerprint(DTLS_RIG_SERVER, FINGERPRINT_SHA256), rig.now_us),
        0);
    dtls_rig_run(&rig, rig.now_us + 5000000);
    ck_assert_int_eq(
        dtls_init(&rig.sides[DTLS_RIG_SERVER], server_of(DTLS_VERSION_1_3), DTLS_ROLE_SERVER,
                  dtls_rig_fingerprint(DTLS_RIG_CLIENT, FINGERPRINT_SHA256), rig.now_us),
        0);
    ck_assert(dtls_rig_connect(&rig));
}

END_TEST

/* Cuts the client's ClientHellos into records of 100 bytes each, the last first, and some twice. */
static bool cut_hello(struct dtls_rig *r, int from, uint8_t *data, size_t *bytes)
{
    if (from != DTLS_RIG_CLIENT || data[0] != 22 || data[13] != 1)
        return true;
    uint8_t part[DTLS_DATAGRAM_BYTES_MAX];
    size_t total = *bytes - HELLO_HEADS;
    for (size_t end = total; end > 0;) {
        size_t at = end > 100 ? end - 100 : 0;
        size_t n = hello_fragment(part, data + HELLO_HEADS, total, be16(data + 17), at, end - at,
                                  data[10]);
        for (uint32_t i = 0; i <= random_below(&r->random, 2); i++)
            dtls_feed(r->sides[DTLS_RIG_SERVER], part, n, r->now_us);
        end = at;
    }
    return false;
}

START_TEST(connects_with_a_hello_in_fragments)
{
    enum dtls_version version = _i ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    open_pair(version, 1);
    rig.on_send = cut_hello;
    ck_assert(dtls_rig_connect(&rig));
    check_connected(version, SEAL_AEAD_AES_128_GCM);
}

END_TEST

/* A server's answer to a ClientHello of this length, in Chromium's shape, cut at `cut`. */
static void check_answer(size_t padding, size_t cut)
{
    static const uint16_t profiles[] = {0x0001, 0x0008, 0x0007};
    static uint8_t body[HELLO_MAX], record[HELLO_MAX], out[DTLS_DATAGRAM_BYTES_MAX];
    size_t total = hello_body(body, profiles, ARRAY_N(profiles), padding), n;
    dtls_rig_init(&rig, 1);
    ck_assert_int_eq(
        dtls_init(&rig.sides[DTLS_RIG_SERVER], server_of(DTLS_VERSION_1_3), DTLS_ROLE_SERVER,
                  dtls_rig_fingerprint(DTLS_RIG_CLIENT, FINGERPRINT_SHA256), rig.now_us),
        0);
    struct dtls *server = rig.sides[DTLS_RIG_SERVER];
    for (size_t at = 0; at < total; at += n) {
        n = min_size(cut, total - at);
        ck_assert_uint_eq(dtls_next_out(server, out), 0);
        ck_assert_int_eq(
            dtls_feed(server, record, hello_fragment(record, body, total, 0, at, n, 0), rig.now_us),
            DROP_NONE);
    }
    ck_assert_int_eq(dtls_state_of(server), DTLS_CONNECTING);
    ck_assert_uint_gt(dtls_next_out(server, out), 500);
    ck_assert_uint_eq(out[0], 22);
    ck_assert_uint_eq(out[13], 2); /* a ServerHello at once, neither retry nor cookie */
    size_t sh_bytes = 13 + be16(out + 11);
    ck_assert_uint_eq(out[sh_bytes] & 0xe0, 0x20); /* and 1.3's ciphertext behind it */
    ck_assert_int_eq(dtls_due_us(server), rig.now_us + DTLS_RESEND_US);
    dtls_rig_exit(&rig);
}

static const size_t hellos[][2] = {
    {0, 1150}, {0, 300}, {1000, 1150}, {2400, 1150}, /* longer than the library's buffer */
};

START_TEST(answers_hellos_as_chromium_sends_them)
{
    check_answer(hellos[_i][0], hellos[_i][1]);
}

END_TEST

START_TEST(half_a_hello_is_given_up)
{
    static uint8_t body[HELLO_MAX], record[HELLO_MAX];
    size_t total = hello_body(body, NULL, 0, 0);
    open_pair(DTLS_VERSION_1_3, 1);
    struct dtls *server = rig.sides[DTLS_RIG_SERVER];
    size_t n = hello_fragment(record, body, total, 0, 0, 1000, 0);
    ck_assert_int_eq(dtls_feed(server, record, n, rig.now_us), DROP_NONE);
    ck_assert_int_eq(dtls_due_us(server), rig.now_us + CLIENTHELLO_PENDING_US);
    dtls_expire(server, rig.now_us + CLIENTHELLO_PENDING_US);
    ck_assert_int_eq(dtls_due_us(server), rig.now_us + DTLS_HANDSHAKE_US);
    n = hello_fragment(record, body, 5000, 0, 0, 1000, 0);
    ck_assert_int_eq(dtls_feed(server, record, n, rig.now_us), DROP_DTLS_FULL);
    record[13] = 16; /* not a hello, before there was one */
    ck_assert_int_eq(dtls_feed(server, record, n, rig.now_us), DROP_DTLS_INVALID);
    ck_assert_int_eq(dtls_state_of(server), DTLS_CONNECTING);
}

END_TEST

/* Budgeting: nothing is expensive but the handshake's own messages. */
START_TEST(only_handshakes_are_expensive)
{
    open_pair(DTLS_VERSION_1_3, 1);
    struct dtls *server = rig.sides[DTLS_RIG_SERVER];
    ck_assert(dtls_is_expensive(server));
    ck_assert(dtls_rig_connect(&rig));
    ck_assert(!dtls_is_expensive(server));
}

END_TEST

/* What the library holds of a session that has nothing to do; ours is about 0.6 KiB more. The goal
 * is 12 KiB (1.3) and 16 KiB (1.2) for the whole transport, of which about 6 KiB are not DTLS's. */
START_TEST(an_idle_session_is_small_and_leaves_nothing)
{
    enum dtls_version version = _i ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    open_connected(version); /* the library's own first uses */
    dtls_rig_exit(&rig);
    struct dtls_heap before = dtls_heap();
    open_connected(version);
    struct dtls_heap both = dtls_heap();
    dtls_exit(rig.sides[DTLS_RIG_CLIENT]);
    rig.sides[DTLS_RIG_CLIENT] = NULL;
    struct dtls_heap server = dtls_heap();
    ck_assert_int_le(server.bytes - before.bytes, _i ? 4000 : 4400);
    ck_assert_int_le(both.bytes - server.bytes, _i ? 4000 : 4400);
    dtls_rig_exit(&rig);
    struct dtls_heap after = dtls_heap();
    ck_assert_int_eq(after.blocks, before.blocks);
    ck_assert_int_eq(after.bytes, before.bytes);
}

END_TEST

/* Of both sides, of which one has not given its keys away. */
START_TEST(no_key_is_left_in_freed_memory)
{
    struct srtp_keys keys;
    open_connected(_i ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3);
    ck_assert(dtls_take_keys(rig.sides[DTLS_RIG_SERVER], &keys));
    heap_watch(keys.in, 16);
    dtls_rig_exit(&rig);
    ck_assert_uint_eq(heap_watch(NULL, 0), 0);
}

END_TEST

/* A worker of its own: contexts, sessions, time. */
static void *work(void *arg)
{
    struct dtls_rig *own = arg;
    struct dtls_config config = {0};
    struct dtls_context *contexts[DTLS_RIG_SIDES];
    uint64_t connected = 0;
    for (int side = 0; side < DTLS_RIG_SIDES; side++)
        if (dtls_context_init(&contexts[side], dtls_rig_certificate(side), &config))
            return NULL;
    for (uint64_t seed = 0; seed < 10; seed++) {
        dtls_rig_init(own, seed);
        own->loss = 20;
        dtls_rig_open(own, contexts[DTLS_RIG_SERVER], contexts[DTLS_RIG_CLIENT]);
        connected += dtls_rig_connect(own);
        dtls_close(own->sides[seed % 2]);
        dtls_rig_exit(own);
    }
    for (int side = 0; side < DTLS_RIG_SIDES; side++)
        dtls_context_exit(contexts[side]);
    return connected == 10 ? own : NULL;
}

START_TEST(several_workers_at_once)
{
    enum { WORKERS = 4 };

    pthread_t threads[WORKERS];
    struct dtls_rig *rigs = calloc(WORKERS, sizeof(*rigs));
    ck_assert_ptr_nonnull(rigs);
    for (int side = 0; side < DTLS_RIG_SIDES; side++)
        dtls_rig_certificate(side); /* made before the threads */
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &rigs[i]), 0);
    for (int i = 0; i < WORKERS; i++) {
        void *result;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        ck_assert_ptr_eq(result, &rigs[i]);
    }
    free(rigs);
}

END_TEST

START_TEST(everything_goes_back)
{
    dtls_rig_contexts_exit();
    struct dtls_heap heap = dtls_heap();
    ck_assert_int_eq(heap.blocks, 0);
    ck_assert_int_eq(heap.bytes, 0);
}

END_TEST

Suite *net_dtls_suite(void)
{
    Suite *suite = suite_create("net/dtls");
    TCase *tcase = tcase_create("dtls");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_loop_test(tcase, connects_in_either_version, 0, ARRAY_N(versions));
    tcase_add_loop_test(tcase, connects_over_bad_networks, 0, 4);
    tcase_add_loop_test(tcase, every_suite_and_the_servers_preference, 0, 8);
    tcase_add_loop_test(tcase, without_a_common_suite_both_fail, 0, 2);
    tcase_add_loop_test(tcase, fingerprints_decide, 0, 2);
    tcase_add_loop_test(tcase, gives_up_after_the_limit_and_sends_again_on_time, 0, 2);
    tcase_add_loop_test(tcase, close_notify_closes_the_other_side, 0, 4);
    tcase_add_loop_test(tcase, forged_close_notify_is_ignored, 0, 2);
    tcase_add_loop_test(tcase, garbage_changes_nothing_once_connected, 0, 2);
    tcase_add_loop_test(tcase, garbage_does_not_stop_a_handshake, 0, 2);
    tcase_add_loop_test(tcase, a_lost_last_flight_is_repeated, 0, 2);
    tcase_add_test(tcase, a_first_flight_before_connect_may_be_lost);
    tcase_add_loop_test(tcase, connects_with_a_hello_in_fragments, 0, 2);
    tcase_add_loop_test(tcase, answers_hellos_as_chromium_sends_them, 0, ARRAY_N(hellos));
    tcase_add_test(tcase, half_a_hello_is_given_up);
    tcase_add_test(tcase, only_handshakes_are_expensive);
    tcase_add_loop_test(tcase, an_idle_session_is_small_and_leaves_nothing, 0, 2);
    tcase_add_loop_test(tcase, no_key_is_left_in_freed_memory, 0, 2);
    tcase_add_test(tcase, several_workers_at_once);
    tcase_add_test(tcase, everything_goes_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
