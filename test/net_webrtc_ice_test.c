/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_webrtc_ice_test.c - tuples of a worker's WebRTC transports: which of them media comes
 * from and goes to, when they change, end or fall silent. */
#include "test/webrtc_rig.h"

#include "core/clock.h"
#include "net/ice.h"
#include "test/dtls_rig.h"

#include <poll.h>
#include <stdio.h>

enum { SSRC = 0x1000, CONSUMER = 0x2000, CONSENT_US = 10000000 };

struct scene { /* a publisher and a subscriber */
    struct webrtc_rig rig;
    struct webrtc_peer publisher, subscriber;
    uint32_t producer, consumer;
    uint16_t seq; /* of the next packet */
    uint16_t out; /* the subscriber's next */
};

static void join_scene(struct scene *s, const struct webrtc_options *options)
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    webrtc_join(&s->rig, &s->publisher, &(struct webrtc_options){0});
    webrtc_join(&s->rig, &s->subscriber, options);
    rig_producer_defaults(&produce, s->publisher.transport, SSRC);
    s->producer = rig_producer(&s->rig.net, &produce);
    rig_consumer_defaults(&consume, s->subscriber.transport, s->producer, CONSUMER, true);
    s->consumer = rig_consumer(&s->rig.net, &consume);
}

static void open_scene(struct scene *s, enum io_engine engine, const struct webrtc_options *options)
{
    *s = (struct scene){.seq = 100, .out = 1000};
    webrtc_start(&s->rig, engine);
    join_scene(s, options);
}

static void close_scene(struct scene *s)
{
    rig_close(&s->rig.net, COMMAND_CONSUMER_CLOSE, s->consumer);
    rig_close(&s->rig.net, COMMAND_PRODUCER_CLOSE, s->producer);
    webrtc_stop(&s->rig);
}

static void publish(struct scene *s, bool delta)
{
    struct rig_rtp rtp = {
        .ssrc = SSRC, .pt = 96, .seq = s->seq++, .delta = delta, .payload_bytes = 200};
    webrtc_send_rtp(&s->publisher, &rtp);
}

/* The next packet, by number, comes to the subscriber's own socket. */
static void expect(struct scene *s)
{
    uint8_t data[RIG_PACKET];
    ck_assert_uint_gt(webrtc_receive(&s->rig, &s->subscriber, false, data, RIG_WAIT_MS), 0);
    ck_assert_uint_eq(be16(data + 2), s->out++);
}

/* ... or to another, which nobody drives. */
static void expect_at(struct scene *s, struct rtcsocket *socket)
{
    _Alignas(4) uint8_t data[RTCSOCKET_BYTES];
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    while (clock_now_us() < until_us) {
        webrtc_turn(&s->rig, 1);
        size_t bytes = rtcsocket_receive(socket, data);
        if (bytes > 0 &&
            rtcpeer_feed(&s->subscriber.peer, data, &bytes, clock_now_us()) == RTCPEER_RTP) {
            ck_assert_uint_eq(be16(data + 2), s->out++);
            return;
        }
    }
    ck_abort_msg("no media at the other socket");
}

static bool media_goes_to(struct scene *s, const struct rtcsocket *socket)
{
    struct transport_stats stats = webrtc_stats(&s->rig, &s->subscriber);
    return addr_equal(&stats.remote, &socket->self);
}

static void another_socket(struct scene *s, struct rtcsocket *socket, enum webrtc_way way)
{
    ck_assert_int_eq(rtcsocket_open(socket, &s->rig.at[way], way == WEBRTC_TCP, NULL), 0);
}

/* A check of the subscriber by another socket, answered. */
static void check_by(struct scene *s, struct rtcsocket *socket, bool nominates)
{
    uint8_t data[RTCSOCKET_BYTES];
    uint64_t checks = worker_counters(s->rig.net.worker)->checks;
    size_t bytes = rtcpeer_write_check(&s->subscriber.peer, data, sizeof data, nominates);
    ck_assert(rtcsocket_send(socket, data, bytes));
    rig_wait(&worker_counters(s->rig.net.worker)->checks, checks + 1);
    rig_settle(&s->rig.net);
}

/* ---- restart ---- */

/* The old credentials are good until the new ones have been used, then not any more. */
START_TEST(a_restart_keeps_the_old_until_the_new_are_used)
{
    struct scene s;
    open_scene(&s, rig_engines[_i], &(struct webrtc_options){0});
    struct webrtc_peer *peer = &s.subscriber;
    struct ice_credentials before = peer->credentials;
    publish(&s, false);
    expect(&s);
    webrtc_restart(&s.rig, peer);

    uint32_t answers = peer->peer.answers_n;
    rtcpeer_check(&peer->peer); /* with the old ones */
    webrtc_until(&s.rig, peer->peer.answers_n == answers + 1);
    publish(&s, true);
    expect(&s);
    rtcpeer_restart(&peer->peer, &peer->credentials);
    webrtc_until(&s.rig, peer->peer.answers_n == answers + 2);
    publish(&s, true);
    expect(&s);

    uint64_t unknown = rig_drops(&s.rig.net, DROP_STUN_USER);
    rtcpeer_restart(&peer->peer, &before);
    webrtc_run(&s.rig, 30);
    rig_wait_drops(&s.rig.net, DROP_STUN_USER, unknown + 1);
    ck_assert_uint_eq(peer->peer.answers_n, answers + 2);
    ck_assert_uint_eq(peer->peer.errors_n, 0); /* not even an error: it names nobody */
    ck_assert_int_eq(webrtc_stats(&s.rig, peer).ice_state, ICE_COMPLETED);
    publish(&s, true);
    expect(&s);
    close_scene(&s);
}

END_TEST

/* The peer comes back from another address with the new credentials: a phone that changes networks.
 * DTLS and SRTP go on. */
START_TEST(a_restart_from_another_address_takes_the_media_along)
{
    struct scene s;
    struct rtcsocket other;
    open_scene(&s, rig_engines[_i], &(struct webrtc_options){0});
    publish(&s, false);
    expect(&s);
    webrtc_restart(&s.rig, &s.subscriber);
    rtcpeer_restart(&s.subscriber.peer, &s.subscriber.credentials);
    s.subscriber.peer.check_owed = false; /* not by the old socket */
    another_socket(&s, &other, WEBRTC_UDP);
    check_by(&s, &other, true);
    publish(&s, true);
    expect_at(&s, &other);
    ck_assert(media_goes_to(&s, &other));
    rtcsocket_close(&other);
    close_scene(&s);
}

END_TEST

/* ---- tuples ---- */

/* A valid tuple may bring media before it is selected; USE-CANDIDATE moves what goes out, and asks
 * for a key frame. */
START_TEST(use_candidate_switches_the_tuple)
{
    struct scene s;
    struct rtcsocket other;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    open_scene(&s, rig_engines[_i], &(struct webrtc_options){0});
    publish(&s, false);
    expect(&s);
    another_socket(&s, &other, WEBRTC_UDP);
    check_by(&s, &other, false);
    ck_assert_uint_eq(webrtc_stats(&s.rig, &s.subscriber).tuples_n, 2);
    publish(&s, true);
    expect(&s); /* still at the old one */

    webrtc_forget(&s.publisher);
    check_by(&s, &other, true);
    publish(&s, true);
    expect_at(&s, &other);
    ck_assert(webrtc_await_rtcp(&s.rig, &s.publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    ck_assert(media_goes_to(&s, &other));
    rtcpeer_check(&s.subscriber.peer); /* and back: nominated by the first again */
    webrtc_run(&s.rig, 30);
    publish(&s, true);
    expect(&s);
    rtcsocket_close(&other);
    close_scene(&s);
}

END_TEST

/* Of nine tuples the oldest that is not selected is forgotten: nothing is taken from it. */
START_TEST(a_ninth_tuple_displaces_the_oldest)
{
    struct scene s;
    struct rtcsocket others[ICE_TUPLES_MAX];
    open_scene(&s, rig_engines[_i], &(struct webrtc_options){0});
    for (int i = 0; i < ICE_TUPLES_MAX; i++) {
        another_socket(&s, &others[i], i % 2 ? WEBRTC_TCP : WEBRTC_UDP);
        check_by(&s, &others[i], false);
    }
    ck_assert_uint_eq(webrtc_stats(&s.rig, &s.subscriber).tuples_n, ICE_TUPLES_MAX);

    struct rig_rtp rtp = {.ssrc = 0x5000, .pt = 96, .seq = 1, .payload_bytes = 50};
    uint64_t foreign = rig_drops(&s.rig.net, DROP_NO_PEER);
    webrtc_send_rtp_by(&s.subscriber, &others[0], &rtp);
    rig_wait_drops(&s.rig.net, DROP_NO_PEER, foreign + 1);
    uint64_t before = webrtc_stats(&s.rig, &s.subscriber).rtp_packets_in;
    rtp.seq++;
    webrtc_send_rtp_by(&s.subscriber, &others[1], &rtp); /* by TCP, and valid */
    rtp.seq++;
    webrtc_send_rtp_by(&s.subscriber, &others[2], &rtp);
    webrtc_until(&s.rig, webrtc_stats(&s.rig, &s.subscriber).rtp_packets_in == before + 2);
    ck_assert_uint_eq(rig_drops(&s.rig.net, DROP_NO_PEER), foreign + 1);
    publish(&s, false);
    expect(&s); /* the selected one has stayed */
    for (int i = 0; i < ICE_TUPLES_MAX; i++)
        rtcsocket_close(&others[i]);
    close_scene(&s);
}

END_TEST

/* Media and DTLS from an address that no check has proven. */
START_TEST(nothing_is_taken_from_an_unproven_address)
{
    struct scene s;
    struct rtcsocket other;
    const uint8_t dtls[] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1};
    enum webrtc_way way = _i / 2 ? WEBRTC_TCP : WEBRTC_UDP;
    open_scene(&s, rig_engines[_i % 2], &(struct webrtc_options){0});
    another_socket(&s, &other, way);
    struct rig_rtp rtp = {.ssrc = SSRC, .pt = 96, .seq = s.seq, .payload_bytes = 50};
    uint64_t foreign = rig_drops(&s.rig.net, DROP_NO_PEER);
    webrtc_send_rtp_by(&s.publisher, &other, &rtp);
    ck_assert(rtcsocket_send(&other, dtls, sizeof dtls));
    rig_wait_drops(&s.rig.net, DROP_NO_PEER, foreign + 2);
    ck_assert_uint_eq(worker_counters(s.rig.net.worker)->rtp_in, 0);
    rtcsocket_close(&other);
    close_scene(&s);
}

END_TEST

/* ---- TCP ---- */

/* The selected connection closes: another tuple takes over, and without one it is disconnected. */
START_TEST(a_closed_connection_falls_back_to_another_tuple)
{
    struct scene s;
    struct rtcsocket udp;
    open_scene(&s, rig_engines[_i], &(struct webrtc_options){.way = WEBRTC_TCP});
    publish(&s, false);
    expect(&s);
    ck_assert(webrtc_stats(&s.rig, &s.subscriber).tcp);
    another_socket(&s, &udp, WEBRTC_UDP);
    check_by(&s, &udp, false);
    rtcsocket_close(&s.subscriber.socket);
    webrtc_until(&s.rig, !webrtc_stats(&s.rig, &s.subscriber).tcp);
    ck_assert_int_eq(webrtc_stats(&s.rig, &s.subscriber).ice_state, ICE_COMPLETED);
    publish(&s, true);
    expect_at(&s, &udp);
    rtcsocket_close(&udp);
    close_scene(&s);
}

END_TEST

START_TEST(a_closed_last_connection_disconnects_until_another_comes)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    open_scene(&s, rig_engines[_i], &(struct webrtc_options){.way = WEBRTC_TCP});
    publish(&s, false);
    expect(&s);
    rtcsocket_close(&s.subscriber.socket);
    webrtc_until(&s.rig, webrtc_stats(&s.rig, &s.subscriber).ice_state == ICE_DISCONNECTED);
    publish(&s, true);
    webrtc_run(&s.rig, 30);

    webrtc_forget(&s.publisher);
    another_socket(&s, &s.subscriber.socket, WEBRTC_TCP);
    rtcpeer_check(&s.subscriber.peer);
    ck_assert(webrtc_await_rtcp(&s.rig, &s.publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    publish(&s, false);
    expect(&s);
    close_scene(&s);
}

END_TEST

/* An unclaimed connection from an address of its own, 127.0.3.`host`. */
static void connect_silently(struct scene *s, struct rtcsocket *socket, unsigned host)
{
    char ip[32];
    struct addr from;
    snprintf(ip, sizeof ip, "127.0.3.%u", host);
    ck_assert_int_eq(addr_parse(&from, ip, 0), 0);
    ck_assert_int_eq(rtcsocket_open(socket, &s->rig.at[WEBRTC_TCP], true, &from), 0);
}

/* The relay has ended it, without a word. */
static bool is_ended(struct rtcsocket *socket)
{
    _Alignas(4) uint8_t data[RTCSOCKET_BYTES];
    struct pollfd pfd = {.fd = socket->fd, .events = POLLIN};
    return poll(&pfd, 1, RIG_WAIT_MS) == 1 && rtcsocket_receive(socket, data) == 0 &&
           socket->fd < 0;
}

static bool is_open(const struct rtcsocket *socket)
{
    struct pollfd pfd = {.fd = socket->fd, .events = POLLIN};
    return poll(&pfd, 1, 0) == 0;
}

/* Silent connections fill the table: a peer gets in all the same, at the cost of the oldest of
 * them, and so on until every place is claimed by a check; only then is somebody refused. */
START_TEST(a_peer_gets_in_among_silent_connections)
{
    enum { PLACES = 4 };

    struct scene s = {.seq = 100, .out = 1000};
    struct rtcsocket silent[PLACES], own[PLACES - 1], more;
    webrtc_start_for(&s.rig, rig_engines[_i], PLACES);
    const struct worker_counters *counters = worker_counters(s.rig.net.worker);
    for (unsigned i = 0; i < PLACES; i++) { /* in this order */
        connect_silently(&s, &silent[i], 1 + i);
        rig_wait(&counters->tcp_accepted, 1 + i);
    }
    ck_assert_uint_eq(counters->tcp_displaced, 0);
    ck_assert_uint_eq(counters->tcp_connections, PLACES);

    join_scene(&s, &(struct webrtc_options){.way = WEBRTC_TCP});
    ck_assert(webrtc_stats(&s.rig, &s.subscriber).tcp);
    ck_assert(is_ended(&silent[0]));
    publish(&s, false);
    expect(&s);
    for (unsigned i = 1; i < PLACES; i++) {
        ck_assert_uint_eq(counters->tcp_displaced, i);
        ck_assert(is_open(&silent[i]));
        another_socket(&s, &own[i - 1], WEBRTC_TCP);
        check_by(&s, &own[i - 1], false);
        ck_assert(is_ended(&silent[i]));
    }
    ck_assert_uint_eq(counters->tcp_displaced, PLACES);
    ck_assert_uint_eq(counters->tcp_refused, 0);

    connect_silently(&s, &more, 1);
    rig_wait(&counters->tcp_refused, 1);
    ck_assert(is_ended(&more));
    ck_assert_uint_eq(counters->tcp_displaced, PLACES);
    ck_assert_uint_eq(counters->tcp_connections, PLACES);
    ck_assert_uint_eq(counters->tcp_accepted, 2 * PLACES);
    publish(&s, true);
    expect(&s);
    for (unsigned i = 0; i < PLACES; i++)
        rtcsocket_close(&silent[i]); /* what it has besides the descriptor */
    for (unsigned i = 0; i < PLACES - 1; i++)
        rtcsocket_close(&own[i]);
    rtcsocket_close(&more);
    close_scene(&s);
}

END_TEST

/* ---- consent ---- */

/* Without checks for the consent timeout nothing is sent any more and nothing taken; the next check
 * resumes with a key frame, without a gap in the numbers. One test for both engines: it waits. */
START_TEST(media_stops_without_consent_and_resumes_with_a_check)
{
    static struct scene scenes[2];
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    for (int i = 0; i < 2; i++) {
        struct scene *s = &scenes[i];
        open_scene(s, rig_engines[i], &(struct webrtc_options){.consent_us = CONSENT_US});
        publish(s, false);
        expect(s);
        s->subscriber.deaf = true;
    }
    int64_t until_us = clock_now_us() + CONSENT_US + 300000;
    while (clock_now_us() < until_us)
        for (int i = 0; i < 2; i++)
            webrtc_turn(&scenes[i].rig, 20);
    for (int i = 0; i < 2; i++) {
        struct scene *s = &scenes[i];
        ck_assert_int_eq(webrtc_stats(&s->rig, &s->subscriber).ice_state, ICE_DISCONNECTED);
        ck_assert(!webrtc_stats(&s->rig, &s->subscriber).connected);
        while (rtcsocket_receive(&s->subscriber.socket, data) > 0)
            ;
        uint64_t foreign = rig_drops(&s->rig.net, DROP_NO_PEER);
        struct rig_rtp rtp = {.ssrc = 0x5000, .pt = 96, .seq = 1, .payload_bytes = 50};
        webrtc_send_rtp(&s->subscriber, &rtp);
        rig_wait_drops(&s->rig.net, DROP_NO_PEER, foreign + 1);
        for (int n = 0; n < 10; n++)
            publish(s, n != 5);
        rig_wait(&worker_counters(s->rig.net.worker)->rtp_in, 11);
        rig_settle(&s->rig.net);
        ck_assert_uint_eq(rtcsocket_receive(&s->subscriber.socket, data), 0);

        webrtc_forget(&s->publisher);
        s->subscriber.deaf = false;
        rtcpeer_check(&s->subscriber.peer);
        ck_assert(webrtc_await_rtcp(&s->rig, &s->publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
        ck_assert_int_eq(webrtc_stats(&s->rig, &s->subscriber).ice_state, ICE_COMPLETED);
        publish(s, true); /* not sent: it begins with a key frame */
        publish(s, false);
        expect(s);
        ck_assert_uint_eq(s->subscriber.unopened_n, 0);
        close_scene(s);
    }
}

END_TEST

Suite *net_webrtc_ice_suite(void);

Suite *net_webrtc_ice_suite(void)
{
    Suite *suite = suite_create("net/webrtc_ice");
    TCase *tcase = tcase_create("webrtc_ice");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_restart_keeps_the_old_until_the_new_are_used, 0, 2);
    tcase_add_loop_test(tcase, a_restart_from_another_address_takes_the_media_along, 0, 2);
    tcase_add_loop_test(tcase, use_candidate_switches_the_tuple, 0, 2);
    tcase_add_loop_test(tcase, a_ninth_tuple_displaces_the_oldest, 0, 2);
    tcase_add_loop_test(tcase, nothing_is_taken_from_an_unproven_address, 0, 4);
    tcase_add_loop_test(tcase, a_closed_connection_falls_back_to_another_tuple, 0, 2);
    tcase_add_loop_test(tcase, a_closed_last_connection_disconnects_until_another_comes, 0, 2);
    tcase_add_loop_test(tcase, a_peer_gets_in_among_silent_connections, 0, 2);
    tcase_add_test(tcase, media_stops_without_consent_and_resumes_with_a_check);
    tcase_add_unchecked_fixture(tcase, NULL, dtls_rig_contexts_exit);
    suite_add_tcase(suite, tcase);
    return suite;
}
