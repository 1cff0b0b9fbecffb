/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_webrtc_test.c - WebRTC transports of a worker with clients that do what they should:
 * join, media both ways, repairs, and the end. */
#include "test/webrtc_rig.h"

#include "core/clock.h"
#include "test/dtls_rig.h"

enum { SSRC = 0x1000, CONSUMER = 0x2000, BACK = 0x3000, BACK_CONSUMER = 0x4000, PACKETS = 40 };

struct scene { /* a publisher and a subscriber, each on a WebRTC transport */
    struct webrtc_rig rig;
    struct webrtc_peer publisher, subscriber;
    uint32_t producer, consumer;
    uint16_t seq; /* of the next packet */
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

static void open_scene(struct scene *s, enum io_engine engine, const struct webrtc_options *options)
{
    *s = (struct scene){.seq = 100};
    webrtc_start(&s->rig, engine);
    webrtc_join(&s->rig, &s->publisher, options);
    webrtc_join(&s->rig, &s->subscriber, options);
    open_consumer(s);
}

static void close_scene(struct scene *s)
{
    rig_close(&s->rig.net, COMMAND_CONSUMER_CLOSE, s->consumer);
    rig_close(&s->rig.net, COMMAND_PRODUCER_CLOSE, s->producer);
    webrtc_stop(&s->rig);
}

/* The first is of a key frame. */
static struct rig_rtp packet_of(uint16_t seq)
{
    return (struct rig_rtp){.ssrc = SSRC,
                            .pt = 96,
                            .seq = seq,
                            .rtp_ts = 3000u * seq,
                            .delta = seq != 100,
                            .payload_bytes = 300 + seq % 50};
}

static void publish(struct scene *s, uint16_t n)
{
    for (uint16_t i = 0; i < n; i++) {
        struct rig_rtp rtp = packet_of(s->seq++);
        webrtc_send_rtp(&s->publisher, &rtp);
    }
}

/* The subscriber gets the publisher's packet `seq` as its own number `out`. */
static void expect(struct scene *s, uint16_t seq, uint16_t out)
{
    uint8_t data[RIG_PACKET], sent[RIG_PACKET];
    struct rig_rtp rtp = packet_of(seq);
    size_t sent_bytes = rig_make_rtp(&rtp, sent);
    size_t bytes = webrtc_receive(&s->rig, &s->subscriber, false, data, RIG_WAIT_MS);
    ck_assert_uint_eq(be16(data + 2), out);
    ck_assert_uint_eq(be32(data + 8), CONSUMER);
    ck_assert_uint_eq(data[1] & 0x7f, 101);
    ck_assert(bytes >= sent_bytes && bytes <= sent_bytes + 8); /* padding of a run */
    ck_assert_mem_eq(data + 12, sent + 12, sent_bytes - 12);
}

/* ---- joining ---- */

struct row {
    struct webrtc_options options;
    enum dtls_version version;
};

static const struct row rows[] = {
    {{.way = WEBRTC_UDP}, DTLS_VERSION_1_3},
    {{.way = WEBRTC_UDP, .version_max = DTLS_VERSION_1_2}, DTLS_VERSION_1_2},
    {{.way = WEBRTC_UDP, .role = DTLS_ROLE_CLIENT}, DTLS_VERSION_1_3},
    {{.way = WEBRTC_UDP, .role = DTLS_ROLE_CLIENT, .version_max = DTLS_VERSION_1_2},
     DTLS_VERSION_1_2},
    {{.way = WEBRTC_UDP6}, DTLS_VERSION_1_3},
    {{.way = WEBRTC_TCP}, DTLS_VERSION_1_3},
    {{.way = WEBRTC_TCP, .role = DTLS_ROLE_CLIENT, .version_max = DTLS_VERSION_1_2},
     DTLS_VERSION_1_2},
};

static void check_joined(struct scene *s, const struct row *row)
{
    struct transport_stats stats = webrtc_stats(&s->rig, &s->subscriber);
    ck_assert_int_eq(s->subscriber.peer.version, row->version);
    ck_assert_int_eq(s->subscriber.peer.suite, SEAL_AEAD_AES_128_GCM);
    ck_assert_int_eq(stats.suite, SEAL_AEAD_AES_128_GCM);
    ck_assert_int_eq(stats.ice_state, ICE_COMPLETED);
    ck_assert_int_eq(stats.tcp, row->options.way == WEBRTC_TCP);
    ck_assert_uint_eq(stats.tuples_n, 1);
    ck_assert(addr_equal(&stats.remote, &s->subscriber.socket.self));
    ck_assert(addr_equal(&s->subscriber.peer.mapped, &s->subscriber.socket.self));
    ck_assert_ptr_nonnull(s->subscriber.peer.certificate);
}

/* Media one way and, by another producer, the other, decrypted and compared. */
START_TEST(media_goes_both_ways)
{
    struct scene s;
    struct command_producer_open produce;
    struct command_consumer_open consume;
    const struct row *row = &rows[(size_t)_i / 2];
    uint8_t data[RIG_PACKET];
    open_scene(&s, rig_engines[_i % 2], &row->options);
    check_joined(&s, row);
    rig_producer_defaults(&produce, s.subscriber.transport, BACK);
    uint32_t back = rig_producer(&s.rig.net, &produce);
    rig_consumer_defaults(&consume, s.publisher.transport, back, BACK_CONSUMER, false);
    uint32_t back_consumer = rig_consumer(&s.rig.net, &consume);

    publish(&s, PACKETS);
    for (uint16_t i = 0; i < PACKETS; i++)
        expect(&s, (uint16_t)(100 + i), (uint16_t)(1000 + i));
    struct rig_rtp rtp = {.ssrc = BACK, .pt = 96, .seq = 7, .payload_bytes = 77};
    webrtc_send_rtp(&s.subscriber, &rtp);
    ck_assert_uint_eq(webrtc_receive(&s.rig, &s.publisher, false, data, RIG_WAIT_MS), 89);
    ck_assert_uint_eq(be32(data + 8), BACK_CONSUMER);
    ck_assert_uint_eq(s.subscriber.unopened_n + s.publisher.unopened_n, 0);
    ck_assert_uint_eq(rig_drops(&s.rig.net, DROP_SRTP_AUTH), 0);
    rig_close(&s.rig.net, COMMAND_CONSUMER_CLOSE, back_consumer);
    rig_close(&s.rig.net, COMMAND_PRODUCER_CLOSE, back);
    close_scene(&s);
}

END_TEST

/* Control and peer in any order: connect after the checks, checks after connect; and media that was
 * wanted before there were keys begins with a key frame request. */
START_TEST(a_consumer_from_before_the_keys_gets_a_keyframe_asked_for)
{
    struct scene s = {.seq = 100};
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    const struct webrtc_options late = {.not_connected = true};
    webrtc_start(&s.rig, rig_engines[_i % 2]);
    webrtc_join(&s.rig, &s.publisher, &(struct webrtc_options){0});
    webrtc_open(&s.rig, &s.subscriber, &late);
    open_consumer(&s);
    webrtc_until(&s.rig, s.subscriber.peer.answers_n > 0);
    webrtc_run(&s.rig, 50);
    publish(&s, 5); /* to nobody */
    rig_wait(&worker_counters(s.rig.net.worker)->rtp_in, 5);
    ck_assert_int_eq(webrtc_stats(&s.rig, &s.subscriber).dtls_state, DTLS_NEW);
    webrtc_forget(&s.publisher);
    webrtc_connect(&s.rig, &s.subscriber, &late);
    ck_assert(webrtc_await_rtcp(&s.rig, &s.publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    webrtc_until(&s.rig, s.subscriber.peer.state == RTCPEER_CONNECTED);
    publish(&s, 3); /* deltas: not sent */
    struct rig_rtp key = packet_of(s.seq++);
    key.delta = false;
    webrtc_send_rtp(&s.publisher, &key);
    ck_assert_uint_gt(webrtc_receive(&s.rig, &s.subscriber, false, data, RIG_WAIT_MS), 0);
    ck_assert_uint_eq(be16(data + 2), 1000);
    close_scene(&s);
}

END_TEST

/* ---- repairs ---- */

START_TEST(a_nack_is_served_as_rtx)
{
    struct scene s;
    uint8_t data[RIG_PACKET], nack[64];
    const uint16_t seq = 1003;
    open_scene(&s, rig_engines[_i], &(struct webrtc_options){0});
    publish(&s, 10);
    for (uint16_t i = 0; i < 10; i++)
        expect(&s, (uint16_t)(100 + i), (uint16_t)(1000 + i));
    struct rtcp_writer writer = {.data = nack, .bytes_max = sizeof nack};
    ck_assert_uint_eq(rtcp_write_nack(&writer, 0x77, CONSUMER, &seq, 1), 1);
    webrtc_send_rtcp(&s.subscriber, nack, writer.at);
    ck_assert_uint_gt(webrtc_receive(&s.rig, &s.subscriber, false, data, RIG_WAIT_MS), 0);
    ck_assert_uint_eq(be32(data + 8), CONSUMER + 1);
    ck_assert_uint_eq(data[1] & 0x7f, 102);
    ck_assert_uint_eq(be16(data + 12), seq); /* RFC 4588 4 */
    ck_assert_uint_eq(s.subscriber.unopened_n, 0);
    close_scene(&s);
}

END_TEST

START_TEST(a_packet_lost_on_the_way_in_is_asked_for)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    open_scene(&s, rig_engines[_i], &(struct webrtc_options){0});
    publish(&s, 5);
    struct rig_rtp lost = packet_of(s.seq++);
    publish(&s, 5);
    ck_assert(webrtc_await_rtcp(&s.rig, &s.publisher, RTCP_RTPFB, RTCP_FB_NACK, data, &packet));
    ck_assert_uint_eq(packet.count, RTCP_FB_NACK);
    webrtc_send_rtp(&s.publisher, &lost);
    bool came = false;
    for (int i = 0; i < 11; i++) {
        ck_assert_uint_gt(webrtc_receive(&s.rig, &s.subscriber, false, data, RIG_WAIT_MS), 0);
        came |= be16(data + 2) == 1005;
    }
    ck_assert(came);
    close_scene(&s);
}

END_TEST

/* ---- the end ---- */

/* What the relay says when it closes reaches the peer: the handshake's other half. */
START_TEST(closing_says_close_notify)
{
    struct webrtc_rig rig;
    struct webrtc_peer peer;
    const struct row *row = &rows[(size_t)_i / 2];
    webrtc_start(&rig, rig_engines[_i % 2]);
    webrtc_join(&rig, &peer, &row->options);
    rig_close(&rig.net, COMMAND_TRANSPORT_CLOSE, peer.transport);
    webrtc_until(&rig, peer.peer.state == RTCPEER_CLOSED);
    rig.peers_n = 0;
    rtcpeer_exit(&peer.peer);
    rtcsocket_close(&peer.socket);
    webrtc_stop(&rig);
}

END_TEST

/* The peer's close_notify ends it, and from then on nothing but STUN leaves: no media, no report,
 * neither sealed nor in the clear. */
START_TEST(close_notify_of_the_peer_ends_all_media)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    const struct row *row = &rows[(size_t)_i / 2];
    open_scene(&s, rig_engines[_i % 2], &row->options);
    publish(&s, 5);
    for (uint16_t i = 0; i < 5; i++)
        expect(&s, (uint16_t)(100 + i), (uint16_t)(1000 + i));
    dtls_close(s.subscriber.peer.dtls); /* its ICE agent goes on */
    webrtc_until(&s.rig, webrtc_stats(&s.rig, &s.subscriber).dtls_state == DTLS_CLOSED);
    webrtc_run(&s.rig, 20);
    ck_assert(!webrtc_stats(&s.rig, &s.subscriber).sealed);
    ck_assert_int_eq(webrtc_stats(&s.rig, &s.subscriber).ice_state, ICE_COMPLETED);
    uint64_t media = s.subscriber.media_n, stun = s.subscriber.stun_n;

    struct rig_rtp rtp = {.ssrc = BACK, .pt = 96, .payload_bytes = 77};
    webrtc_send_rtp(&s.subscriber, &rtp);
    rig_wait_drops(&s.rig.net, DROP_NOT_CONNECTED, 1);
    publish(&s, 20);
    rtcpeer_check(&s.subscriber.peer);
    webrtc_run(&s.rig, 1500); /* reports of video are due every second */
    rig_close(&s.rig.net, COMMAND_CONSUMER_CLOSE, s.consumer); /* owes a BYE */
    rig_close(&s.rig.net, COMMAND_PRODUCER_CLOSE, s.producer);
    webrtc_run(&s.rig, 100);
    ck_assert_uint_eq(s.subscriber.media_n, media);
    ck_assert_uint_gt(s.subscriber.stun_n, stun);
    ck_assert_uint_eq(webrtc_receive(&s.rig, &s.subscriber, false, data, 0), 0);
    webrtc_stop(&s.rig);
    ck_assert_uint_eq(s.subscriber.media_n, media);
}

END_TEST

/* ---- events ---- */

static uint32_t events_of(const struct webrtc_rig *rig, enum event_kind kind)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < rig->net.events_n; i++)
        n += rig->net.events[i].event == kind;
    return n;
}

START_TEST(states_are_told_with_the_certificate)
{
    struct webrtc_rig rig;
    struct webrtc_peer peer;
    webrtc_start(&rig, rig_engines[_i]);
    webrtc_join(&rig, &peer, &(struct webrtc_options){0});
    ck_assert_uint_eq(events_of(&rig, EVENT_ICE_STATE), 1);
    ck_assert_uint_eq(events_of(&rig, EVENT_ICE_SELECTED), 1);
    ck_assert_uint_eq(events_of(&rig, EVENT_DTLS_STATE), 2);
    ck_assert_int_eq(rig_event(&rig.net, EVENT_ICE_STATE)->ice_state, ICE_COMPLETED);
    const struct outcome *selected = rig_event(&rig.net, EVENT_ICE_SELECTED);
    ck_assert(addr_equal(&selected->selected.remote, &peer.socket.self));
    for (uint32_t i = 0; i < rig.net.events_n; i++)
        if (rig.net.events[i].event == EVENT_DTLS_STATE)
            ck_assert_int_eq(rig.net.events[i].payload != NULL,
                             rig.net.events[i].dtls_state == DTLS_CONNECTED);
    webrtc_stop(&rig);
}

END_TEST

Suite *net_webrtc_suite(void);

Suite *net_webrtc_suite(void)
{
    Suite *suite = suite_create("net/webrtc");
    TCase *tcase = tcase_create("webrtc");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, media_goes_both_ways, 0, 2 * (int)ARRAY_N(rows));
    tcase_add_loop_test(tcase, a_consumer_from_before_the_keys_gets_a_keyframe_asked_for, 0, 2);
    tcase_add_loop_test(tcase, a_nack_is_served_as_rtx, 0, 2);
    tcase_add_loop_test(tcase, a_packet_lost_on_the_way_in_is_asked_for, 0, 2);
    tcase_add_loop_test(tcase, closing_says_close_notify, 0, 2 * (int)ARRAY_N(rows));
    tcase_add_loop_test(tcase, close_notify_of_the_peer_ends_all_media, 0, 4);
    tcase_add_loop_test(tcase, states_are_told_with_the_certificate, 0, 2);
    tcase_add_unchecked_fixture(tcase, NULL, dtls_rig_contexts_exit);
    suite_add_tcase(suite, tcase);
    return suite;
}
