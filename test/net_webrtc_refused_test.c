/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_webrtc_refused_test.c - what a worker's WebRTC transports must not take: stolen tuples,
 * wrong fingerprints, replayed and forged packets of each protocol. Each is counted. */
#include "test/webrtc_rig.h"

#include "core/clock.h"
#include "test/dtls_rig.h"

enum { SSRC = 0x1000, CONSUMER = 0x2000 };

struct scene {
    struct webrtc_rig rig;
    struct webrtc_peer publisher, subscriber;
    uint32_t producer, consumer;
    uint16_t seq;
};

static void open_consumer(struct scene *s)
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    rig_producer_defaults(&produce, s->publisher.transport, SSRC);
    s->producer = rig_producer(&s->rig.net, &produce);
    rig_consumer_defaults(&consume, s->subscriber.transport, s->producer, CONSUMER, true);
    s->consumer = rig_consumer(&s->rig.net, &consume);
}

static void open_scene(struct scene *s, enum io_engine engine, enum dtls_version version_max)
{
    const struct webrtc_options options = {.version_max = version_max};
    *s = (struct scene){.seq = 100};
    webrtc_start(&s->rig, engine);
    webrtc_join(&s->rig, &s->publisher, &options);
    webrtc_join(&s->rig, &s->subscriber, &options);
    open_consumer(s);
}

static void close_scene(struct scene *s)
{
    rig_close(&s->rig.net, COMMAND_CONSUMER_CLOSE, s->consumer);
    rig_close(&s->rig.net, COMMAND_PRODUCER_CLOSE, s->producer);
    webrtc_stop(&s->rig);
}

/* A sealed packet of the publisher, not sent. */
static size_t sealed_packet(struct scene *s, uint8_t data[RIG_PACKET])
{
    const struct rig_rtp rtp = {.ssrc = SSRC, .pt = 96, .seq = s->seq++, .payload_bytes = 200};
    size_t bytes = rig_make_rtp(&rtp, data);
    int result = rtcpeer_add_stream(&s->publisher.peer, SSRC);
    ck_assert(result == 0 || result == -17); /* EEXIST: not the first packet */
    ck_assert(rtcpeer_seal(&s->publisher.peer, data, &bytes));
    return bytes;
}

static void send_by(const struct webrtc_peer *peer, const uint8_t *data, size_t bytes)
{
    struct rtcsocket socket = peer->socket;
    ck_assert(rtcsocket_send(&socket, data, bytes));
}

static void publish_and_expect(struct scene *s, uint16_t out)
{
    _Alignas(4) uint8_t data[RIG_PACKET];
    size_t bytes = sealed_packet(s, data);
    send_by(&s->publisher, data, bytes);
    ck_assert_uint_gt(webrtc_receive(&s->rig, &s->subscriber, false, data, RIG_WAIT_MS), 0);
    ck_assert_uint_eq(be16(data + 2), out);
}

/* ---- tuples ---- */

/* Somebody with a transport of his own sends its valid check from another's address: he is refused,
 * unanswered, and the first keeps its media. */
START_TEST(a_tuple_is_not_stolen_by_anothers_check)
{
    struct scene s;
    struct webrtc_peer thief;
    uint8_t data[RIG_PACKET];
    open_scene(&s, rig_engines[_i], DTLS_VERSION_NONE);
    publish_and_expect(&s, 1000);
    webrtc_open(&s.rig, &thief, &(struct webrtc_options){0});
    thief.deaf = true;
    for (int i = 0; i < 2; i++) {
        size_t bytes = rtcpeer_write_check(&thief.peer, data, sizeof data, i != 0);
        uint64_t stun = s.subscriber.stun_n;
        send_by(&s.subscriber, data, bytes);
        rig_wait_drops(&s.rig.net, DROP_STUN_TUPLE, (uint64_t)i + 1);
        webrtc_run(&s.rig, 20);
        ck_assert_uint_eq(s.subscriber.stun_n, stun);
        ck_assert_int_eq(webrtc_stats(&s.rig, &thief).ice_state, ICE_NEW);
        publish_and_expect(&s, (uint16_t)(1001 + i));
    }
    /* From an address of its own it joins as anybody. */
    thief.deaf = false;
    webrtc_until(&s.rig, thief.peer.state == RTCPEER_CONNECTED);
    publish_and_expect(&s, 1003);
    close_scene(&s);
}

END_TEST

/* The address is free again when its transport has gone. */
START_TEST(a_closed_transports_address_is_free)
{
    struct webrtc_rig rig;
    struct webrtc_peer first, second;
    webrtc_start(&rig, rig_engines[_i]);
    webrtc_join(&rig, &first, &(struct webrtc_options){0});
    struct addr self = first.socket.self;
    webrtc_close(&rig, &first);
    webrtc_open(&rig, &second, &(struct webrtc_options){0});
    rtcsocket_close(&second.socket);
    ck_assert_int_eq(rtcsocket_open(&second.socket, &rig.at[WEBRTC_UDP], false, &self), 0);
    webrtc_until(&rig, second.peer.state == RTCPEER_CONNECTED);
    webrtc_stop(&rig);
}

END_TEST

/* ---- checks ---- */

START_TEST(forged_checks_are_counted_and_select_nothing)
{
    struct scene s;
    struct rtcsocket stranger;
    uint8_t data[RIG_PACKET];
    open_scene(&s, rig_engines[_i], DTLS_VERSION_NONE);
    ck_assert_int_eq(rtcsocket_open(&stranger, &s.rig.at[WEBRTC_UDP], false, NULL), 0);
    struct rtcpeer forger = s.subscriber.peer;
    forger.config.theirs.pwd[3] ^= 1; /* knows the fragment, not the password */
    size_t bytes = rtcpeer_write_check(&forger, data, sizeof data, true);
    for (int i = 0; i < 20; i++)
        ck_assert(rtcsocket_send(&stranger, data, bytes));
    rig_wait_drops(&s.rig.net, DROP_STUN_AUTH, 1);
    rig_wait(&worker_counters(s.rig.net.worker)->checks, 22);
    rig_settle(&s.rig.net);
    ck_assert_uint_eq(
        rig_drops(&s.rig.net, DROP_STUN_AUTH) + rig_drops(&s.rig.net, DROP_STUN_LIMIT), 20);
    ck_assert_uint_gt(rig_drops(&s.rig.net, DROP_STUN_LIMIT), 0);
    size_t answer = rtcsocket_receive(&stranger, data); /* a 401, not longer than the request */
    ck_assert(answer > 0 && answer <= bytes);

    forger.config.theirs.ufrag[3] ^= 1;
    bytes = rtcpeer_write_check(&forger, data, sizeof data, true);
    uint64_t unknown = rig_drops(&s.rig.net, DROP_STUN_USER);
    ck_assert(rtcsocket_send(&stranger, data, bytes));
    rig_wait_drops(&s.rig.net, DROP_STUN_USER, unknown + 1);
    bytes = rtcpeer_write_check(&s.subscriber.peer, data, sizeof data, true);
    data[bytes - 1] ^= 1; /* FINGERPRINT */
    ck_assert(rtcsocket_send(&stranger, data, bytes));
    rig_wait_drops(&s.rig.net, DROP_STUN_INVALID, 1);
    ck_assert_uint_eq(webrtc_stats(&s.rig, &s.subscriber).tuples_n, 1);
    publish_and_expect(&s, 1000);
    rtcsocket_close(&stranger);
    close_scene(&s);
}

END_TEST

/* ---- SRTP ---- */

START_TEST(replayed_and_forged_media_is_refused)
{
    struct scene s;
    _Alignas(4) uint8_t data[RIG_PACKET], forged[RIG_PACKET];
    open_scene(&s, rig_engines[_i], DTLS_VERSION_NONE);
    size_t bytes = sealed_packet(&s, data);
    memcpy(forged, data, bytes);
    forged[20] ^= 1;
    send_by(&s.publisher, forged, bytes);
    rig_wait_drops(&s.rig.net, DROP_SRTP_AUTH, 1);
    send_by(&s.publisher, data, bytes);
    send_by(&s.publisher, data, bytes);
    rig_wait_drops(&s.rig.net, DROP_SRTP_REPLAY, 1);
    ck_assert_uint_gt(webrtc_receive(&s.rig, &s.subscriber, false, data, RIG_WAIT_MS), 0);
    ck_assert_uint_eq(be16(data + 2), 1000);

    /* The same of RTCP; and the subscriber's keys are not the publisher's. */
    struct rtcp_writer writer = {.data = data, .bytes_max = 64};
    ck_assert(rtcp_write_pli(&writer, 0x77, CONSUMER));
    bytes = writer.at;
    ck_assert_int_eq(rtcpeer_add_stream(&s.subscriber.peer, 0x77), 0);
    ck_assert(rtcpeer_seal(&s.subscriber.peer, data, &bytes));
    send_by(&s.subscriber, data, bytes);
    send_by(&s.subscriber, data, bytes);
    rig_wait_drops(&s.rig.net, DROP_SRTP_REPLAY, 2);
    send_by(&s.publisher, data, bytes);
    rig_wait_drops(&s.rig.net, DROP_SRTP_AUTH, 2);
    ck_assert_uint_eq(worker_counters(s.rig.net.worker)->rtp_in, 1);
    close_scene(&s);
}

END_TEST

/* Media in the clear where SRTP was negotiated. */
START_TEST(plain_media_is_refused)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    const struct rig_rtp rtp = {.ssrc = SSRC, .pt = 96, .seq = 1, .payload_bytes = 200};
    open_scene(&s, rig_engines[_i], DTLS_VERSION_NONE);
    size_t bytes = rig_make_rtp(&rtp, data);
    send_by(&s.publisher, data, bytes);
    rig_wait_drops(&s.rig.net, DROP_SRTP_AUTH, 1);
    ck_assert_uint_eq(worker_counters(s.rig.net.worker)->rtp_in, 0);
    close_scene(&s);
}

END_TEST

/* ---- DTLS ---- */

struct wrong {
    struct webrtc_options options;
};

static const struct wrong wrongs[] = {
    {{.unknown_peer = true}},
    {{.unknown_peer = true, .version_max = DTLS_VERSION_1_2}},
    {{.unknown_peer = true, .role = DTLS_ROLE_CLIENT}},
    {{.unknown_peer = true, .role = DTLS_ROLE_CLIENT, .version_max = DTLS_VERSION_1_2}},
    {{.unknown_relay = true}},
    {{.unknown_relay = true, .version_max = DTLS_VERSION_1_2}},
    {{.unknown_relay = true, .role = DTLS_ROLE_CLIENT}},
};

/* One side does not know the other's certificate: both fail, no keys, no media. */
START_TEST(a_wrong_fingerprint_fails_without_media)
{
    struct scene s = {.seq = 100};
    uint8_t data[RIG_PACKET];
    const struct wrong *row = &wrongs[_i / 2];
    webrtc_start(&s.rig, rig_engines[_i % 2]);
    webrtc_join(&s.rig, &s.publisher, &(struct webrtc_options){0});
    webrtc_open(&s.rig, &s.subscriber, &row->options);
    open_consumer(&s);
    webrtc_until(&s.rig, webrtc_stats(&s.rig, &s.subscriber).dtls_state == DTLS_FAILED);
    ck_assert(!webrtc_stats(&s.rig, &s.subscriber).sealed);
    webrtc_until(&s.rig, s.subscriber.peer.state == RTCPEER_FAILED);

    size_t bytes = sealed_packet(&s, data);
    send_by(&s.publisher, data, bytes);
    rig_wait(&worker_counters(s.rig.net.worker)->rtp_in, 1);
    const struct rig_rtp rtp = {.ssrc = 9, .pt = 96, .payload_bytes = 20};
    uint64_t refused = rig_drops(&s.rig.net, DROP_NOT_CONNECTED);
    bytes = rig_make_rtp(&rtp, data);
    send_by(&s.subscriber, data, bytes);
    rig_wait_drops(&s.rig.net, DROP_NOT_CONNECTED, refused + 1);
    webrtc_run(&s.rig, 50);
    ck_assert_uint_eq(s.subscriber.media_n, 0);
    ck_assert_int_eq(webrtc_stats(&s.rig, &s.subscriber).ice_state, ICE_COMPLETED);
    close_scene(&s);
}

END_TEST

/* Records that come again, alerts and hellos that anybody can write: the session stays. */
START_TEST(replayed_and_forged_records_change_nothing)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 77, 0, 2, 2, 40};
    const uint8_t sealed[] = {0x2f, 1, 2, 0, 17, 1, 2, 3, 4, 5, 6, 7,
                              8,    9, 1, 2, 3,  4, 5, 6, 7, 8, 9, 9};
    enum dtls_version version = _i / 2 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    const struct webrtc_options options = {.version_max = version};
    open_scene(&s, rig_engines[_i % 2], version);

    /* A ClientHello of another session, whole and well-formed. */
    struct webrtc_peer other;
    webrtc_open(&s.rig, &other, &options);
    other.deaf = true;
    struct dtls *client;
    ck_assert_int_eq(dtls_init(&client, dtls_rig_context(DTLS_RIG_CLIENT, version, 0),
                               DTLS_ROLE_CLIENT, &other.peer.config.relay, clock_now_us()),
                     0);
    size_t bytes = dtls_next_out(client, data);
    ck_assert_uint_gt(bytes, 0);
    uint64_t invalid = rig_drops(&s.rig.net, DROP_DTLS_INVALID);
    uint64_t steps = worker_counters(s.rig.net.worker)->handshake_steps;
    send_by(&s.subscriber, data, bytes);
    send_by(&s.subscriber, alert, sizeof alert);
    rig_wait_drops(&s.rig.net, DROP_DTLS_INVALID, invalid + 2);
    send_by(&s.subscriber, sealed, sizeof sealed); /* nobody's key opens it */
    webrtc_run(&s.rig, 30);
    ck_assert_uint_eq(worker_counters(s.rig.net.worker)->handshake_steps, steps);
    ck_assert_int_eq(webrtc_stats(&s.rig, &s.subscriber).dtls_state, DTLS_CONNECTED);
    publish_and_expect(&s, 1000);
    dtls_exit(client);
    close_scene(&s);
}

END_TEST

/* What comes before the transport is connected, and what is DTLS but after a failure. */
START_TEST(dtls_out_of_its_time_is_refused)
{
    struct webrtc_rig rig;
    struct webrtc_peer peer;
    const struct webrtc_options late = {.not_connected = true};
    webrtc_start(&rig, rig_engines[_i]);
    webrtc_open(&rig, &peer, &late);
    webrtc_until(&rig, peer.peer.state == RTCPEER_HANDSHAKING);
    rig_wait_drops(&rig.net, DROP_DTLS_STATE, 1);
    webrtc_connect(&rig, &peer, &late); /* the peer sends it again */
    webrtc_until(&rig, peer.peer.state == RTCPEER_CONNECTED);
    webrtc_stop(&rig);
}

END_TEST

Suite *net_webrtc_refused_suite(void);

Suite *net_webrtc_refused_suite(void)
{
    Suite *suite = suite_create("net/webrtc_refused");
    TCase *tcase = tcase_create("webrtc_refused");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_tuple_is_not_stolen_by_anothers_check, 0, 2);
    tcase_add_loop_test(tcase, a_closed_transports_address_is_free, 0, 2);
    tcase_add_loop_test(tcase, forged_checks_are_counted_and_select_nothing, 0, 2);
    tcase_add_loop_test(tcase, replayed_and_forged_media_is_refused, 0, 2);
    tcase_add_loop_test(tcase, plain_media_is_refused, 0, 2);
    tcase_add_loop_test(tcase, a_wrong_fingerprint_fails_without_media, 0,
                        2 * (int)ARRAY_N(wrongs));
    tcase_add_loop_test(tcase, replayed_and_forged_records_change_nothing, 0, 4);
    tcase_add_loop_test(tcase, dtls_out_of_its_time_is_refused, 0, 2);
    tcase_add_unchecked_fixture(tcase, NULL, dtls_rig_contexts_exit);
    suite_add_tcase(suite, tcase);
    return suite;
}
