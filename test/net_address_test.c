/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_address_test.c - who sends and where to: shared sockets, IPv6, comedia, wildcards,
 * separate RTCP ports, ports used again. */
#include "core/clock.h"
#include "test/net_rig.h"

#include <errno.h>
#include <unistd.h>

enum { PUBLISHER = 0x1111, CONSUMER = 0x2000, PEER = 0x9999, CROWD = 100 };

static uint32_t open_socket(struct rig *rig, const char *ip, uint16_t port, bool shared,
                            struct addr *local)
{
    struct addr address;
    struct udp_socket socket;
    ck_assert_int_eq(addr_parse(&address, ip, port), 0);
    ck_assert_int_eq(udp_open(&socket, &address, &(struct udp_options){0}), 0);
    *local = socket.local;
    struct command command = {
        .kind = COMMAND_SOCKET_OPEN,
        .index = rig->sockets++,
        .socket_open = {.fd = socket.fd, .shared = shared, .local = socket.local},
    };
    ck_assert_int_eq(rig_command(rig, &command, NULL), 0);
    return command.index;
}

static uint32_t open_transport(struct rig *rig, uint32_t rtp, uint32_t rtcp, bool comedia)
{
    struct command open = {.kind = COMMAND_TRANSPORT_OPEN, .index = rig->transports++};
    open.transport_open = (struct command_transport_open){
        .rtp_socket = rtp, .rtcp_socket = rtcp, .comedia = comedia, .cname = "relay"};
    ck_assert_int_eq(rig_command(rig, &open, NULL), 0);
    return open.index;
}

static int connect_transport(struct rig *rig, uint32_t transport, const struct addr *remote,
                             const struct addr *rtcp_remote)
{
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = transport};
    if (remote != NULL)
        connect.transport_connect.remote = *remote;
    if (rtcp_remote != NULL)
        connect.transport_connect.rtcp_remote = *rtcp_remote;
    return rig_command(rig, &connect, NULL);
}

static uint32_t produce(struct rig *rig, const struct rig_peer *peer)
{
    struct command_producer_open open;
    rig_producer_defaults(&open, peer->transport, PUBLISHER);
    return rig_producer(rig, &open);
}

static uint32_t consume(struct rig *rig, const struct rig_peer *peer, uint32_t producer)
{
    struct command_consumer_open open;
    rig_consumer_defaults(&open, peer->transport, producer, CONSUMER, true);
    return rig_consumer(rig, &open);
}

static void publish(const struct rig_peer *peer, uint16_t seq)
{
    rig_send_rtp(
        peer,
        &(struct rig_rtp){
            .ssrc = PUBLISHER, .rtp_ts = seq * 3000u, .seq = seq, .pt = 96, .payload_bytes = 100});
}

static size_t make_pli(uint8_t data[64])
{
    struct rtcp_writer writer = {.data = data, .bytes_max = 64};
    ck_assert(rtcp_write_pli(&writer, PEER, CONSUMER));
    return writer.at;
}

/* The next datagram and who sent it; 0 after RIG_WAIT_MS. */
static size_t receive_from(int fd, uint8_t data[RIG_PACKET], struct addr *from)
{
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    while (clock_now_us() < until_us) {
        socklen_t from_bytes = sizeof *from;
        ssize_t got = recvfrom(fd, data, RIG_PACKET, MSG_DONTWAIT, &from->sa, &from_bytes);
        if (got > 0)
            return (size_t)got;
        usleep(500);
    }
    return 0;
}

START_TEST(ipv6_goes_both_ways)
{
    struct rig rig;
    struct rig_peer peers[2];
    struct addr relay;
    uint8_t data[RIG_PACKET];
    rig_start(&rig, rig_engines[_i], 0, 0);
    uint32_t socket = rig_socket(&rig, true, true, &relay);
    for (int i = 0; i < 2; i++)
        rig_peer_shared(&rig, &peers[i], socket, &relay, NULL);
    uint32_t producer = produce(&rig, &peers[0]);
    uint32_t consumer = consume(&rig, &peers[1], producer);
    for (uint16_t i = 0; i < 20; i++)
        publish(&peers[0], i);
    for (uint16_t i = 0; i < 20; i++) {
        struct addr from;
        ck_assert_uint_eq(receive_from(peers[1].fd, data, &from), 112);
        ck_assert_uint_eq(be16(data + 2), 1000 + i);
        ck_assert(addr_equal(&from, &relay));
    }
    rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &peers[1], false);
    rig_peer_close(&rig, &peers[0], true);
    rig_stop(&rig);
}

END_TEST

START_TEST(a_shared_socket_tells_a_hundred_peers_apart)
{
    struct rig rig;
    static struct rig_peer peers[CROWD];
    uint32_t producers[CROWD / 2], consumers[CROWD / 2];
    struct addr relay;
    uint8_t data[RIG_PACKET];
    rig_start(&rig, rig_engines[_i], 0, 0);
    uint32_t socket = rig_socket(&rig, true, false, &relay);
    for (int i = 0; i < CROWD; i++)
        rig_peer_shared(&rig, &peers[i], socket, &relay, NULL);
    /* Pairs: all producers have one ssrc, and so have all consumers. */
    for (int i = 0; i < CROWD / 2; i++) {
        producers[i] = produce(&rig, &peers[2 * i]);
        consumers[i] = consume(&rig, &peers[2 * i + 1], producers[i]);
    }
    for (uint16_t i = 0; i < CROWD / 2; i++)
        publish(&peers[2 * i], (uint16_t)(100 + i));
    for (int i = 0; i < CROWD / 2; i++) {
        ck_assert_uint_eq(rig_receive_rtp(&peers[2 * i + 1], data, RIG_WAIT_MS), 112);
        ck_assert_int_eq(data[14], 102 + i); /* this pair's */
    }
    rig_settle(&rig);
    ck_assert_uint_eq(worker_counters(rig.worker)->forwarded, CROWD / 2);

    /* Nobody's: another port, and one whose transport has gone. */
    struct rig_peer stranger = {.relay = relay};
    stranger.fd = rig_peer_socket(&stranger.self, false);
    publish(&stranger, 1);
    rig_wait_drops(&rig, DROP_NO_PEER, 1);
    rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumers[0]);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producers[0]);
    rig_close(&rig, COMMAND_TRANSPORT_CLOSE, peers[0].transport);
    publish(&peers[0], 101);
    rig_wait_drops(&rig, DROP_NO_PEER, 2);

    /* Its address is free for another; somebody else's is not. */
    uint32_t next = open_transport(&rig, socket, socket, false);
    ck_assert_int_eq(connect_transport(&rig, next, &peers[2].self, NULL), -EEXIST);
    ck_assert_int_eq(connect_transport(&rig, next, &peers[0].self, NULL), 0);
    publish(&peers[0], 102);
    rig_wait_drops(&rig, DROP_NO_PRODUCER, 1);
    publish(&peers[2], 200);
    ck_assert_uint_eq(rig_receive_rtp(&peers[3], data, RIG_WAIT_MS), 112);
    /* Connected elsewhere: the old address is nobody's. */
    ck_assert_int_eq(connect_transport(&rig, next, &stranger.self, NULL), 0);
    publish(&peers[0], 103);
    rig_wait_drops(&rig, DROP_NO_PEER, 3);
    publish(&stranger, 104);
    rig_wait_drops(&rig, DROP_NO_PRODUCER, 2);

    rig_close(&rig, COMMAND_TRANSPORT_CLOSE, next);
    close(stranger.fd);
    close(peers[0].fd);
    for (int i = 1; i < CROWD / 2; i++) {
        rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumers[i]);
        rig_close(&rig, COMMAND_PRODUCER_CLOSE, producers[i]);
    }
    for (int i = 1; i < CROWD; i++)
        rig_peer_close(&rig, &peers[i], false);
    rig_close(&rig, COMMAND_SOCKET_CLOSE, socket);
    rig_stop(&rig);
}

END_TEST

START_TEST(before_an_address_is_known_nothing_is_taken)
{
    struct rig rig;
    struct rig_peer peer = {0};
    rig_start(&rig, rig_engines[_i], 0, 0);
    peer.socket = rig_socket(&rig, false, false, &peer.relay);
    peer.fd = rig_peer_socket(&peer.self, false);
    peer.transport = open_transport(&rig, peer.socket, peer.socket, false);
    uint32_t producer = produce(&rig, &peer);
    publish(&peer, 1);
    rig_wait_drops(&rig, DROP_NOT_CONNECTED, 1);
    ck_assert_int_eq(connect_transport(&rig, peer.transport, &peer.self, NULL), 0);
    publish(&peer, 2);
    rig_wait(&worker_counters(rig.worker)->rtp_in, 1);
    /* A socket of its own takes one transport only. */
    struct command open = {.kind = COMMAND_TRANSPORT_OPEN, .index = rig.transports};
    open.transport_open.rtp_socket = open.transport_open.rtcp_socket = peer.socket;
    ck_assert_int_eq(rig_command(&rig, &open, NULL), -EINVAL);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &peer, true);
    rig_stop(&rig);
}

END_TEST

static const struct outcome *await_event(struct rig *rig, enum event_kind kind, uint32_t transport)
{
    const struct outcome *event = rig_event(rig, kind);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(event->index, transport);
    return event;
}

/* Well-formed, and about nothing that this transport has: it could be anybody's. */
static void send_unroutable(struct rig *rig, const struct rig_peer *foreign)
{
    uint8_t data[RIG_PACKET];
    struct rig_rtp rtp = {.ssrc = PUBLISHER + 9, .seq = 1, .pt = 96, .payload_bytes = 50};
    rig_send_rtp(foreign, &rtp);
    rig_wait_drops(rig, DROP_NO_PRODUCER, 1);
    rtp = (struct rig_rtp){.ssrc = PUBLISHER, .seq = 1, .pt = 77, .payload_bytes = 50};
    rig_send_rtp(foreign, &rtp);
    rig_wait_drops(rig, DROP_PAYLOAD_TYPE, 1);
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    struct rtcp_report_block block = {.ssrc = CONSUMER + 9};
    ck_assert(rtcp_write_rr(&writer, PEER, &block, 1));
    ck_assert(rtcp_write_pli(&writer, PEER, CONSUMER + 9));
    ck_assert(rtcp_write_fir(&writer, PEER, CONSUMER + 9, 1));
    rig_send(foreign, data, writer.at);
    rig_wait_drops(rig, DROP_NOT_CONNECTED, 1);
}

START_TEST(comedia_learns_from_the_first_valid_packet)
{
    struct rig rig;
    struct rig_peer peer, foreign;
    uint8_t data[RIG_PACKET];
    struct outcome outcome;
    rig_start(&rig, rig_engines[_i], 0, 0);
    rig_peer(&rig, &peer, true, NULL);
    uint32_t producer = produce(&rig, &peer);
    foreign = peer;
    foreign.fd = rig_peer_socket(&foreign.self, false);

    static const uint8_t runt[4] = {0x80, 96}, stun[20] = {0, 1}, version[12] = {0x40};
    static const uint8_t rtcp_cut[8] = {0x80, 201, 0, 9}, csrc[12] = {0x8f, 96};
    rig_send(&foreign, runt, sizeof runt);
    rig_send(&foreign, stun, sizeof stun);
    rig_send(&foreign, version, sizeof version);
    rig_send(&foreign, rtcp_cut, sizeof rtcp_cut);
    rig_send(&foreign, csrc, sizeof csrc);
    rig_wait_drops(&rig, DROP_RUNT, 1);
    rig_wait_drops(&rig, DROP_UNKNOWN_CLASS, 2);
    rig_wait_drops(&rig, DROP_RTCP_INVALID, 1);
    rig_wait_drops(&rig, DROP_CSRC, 1);
    send_unroutable(&rig, &foreign);
    rig_stats(&rig, OBJECT_TRANSPORT, peer.transport, &outcome);
    ck_assert(!outcome.transport.connected);

    publish(&peer, 1);
    const struct outcome *event = await_event(&rig, EVENT_TUPLE, peer.transport);
    ck_assert(addr_equal(&event->tuple, &peer.self));
    rig_wait(&worker_counters(rig.worker)->rtp_in, 1);

    publish(&foreign, 2); /* too late */
    rig_send(&foreign, data, make_pli(data));
    rig_wait_drops(&rig, DROP_NO_PEER, 2);
    publish(&peer, 3);
    rig_wait(&worker_counters(rig.worker)->rtp_in, 2);
    rig_stats(&rig, OBJECT_TRANSPORT, peer.transport, &outcome);
    ck_assert(outcome.transport.connected);
    ck_assert(addr_equal(&outcome.transport.remote, &peer.self));
    ck_assert_uint_eq(worker_counters(rig.worker)->rtp_in, 2);
    ck_assert_uint_eq(worker_counters(rig.worker)->rtcp_in, 0);

    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    close(foreign.fd);
    rig_peer_close(&rig, &peer, true);
    rig_stop(&rig);
}

END_TEST

/* Only what is authentic teaches an address, where there are keys. */
START_TEST(sealed_comedia_learns_from_the_authentic_only)
{
    struct rig rig;
    struct rig_peer peer, foreign;
    struct srtp_keys keys;
    uint8_t data[RIG_PACKET];
    struct rig_rtp rtp = {.ssrc = PUBLISHER, .seq = 1, .pt = 96, .payload_bytes = 50};
    rig_start(&rig, rig_engines[_i], 0, 0);
    rig_keys(&keys, SEAL_AEAD_AES_128_GCM, 3);
    rig_peer(&rig, &peer, true, &keys);
    uint32_t producer = produce(&rig, &peer);
    struct seal *seal = rig_peer_seal(&keys);
    ck_assert_int_eq(seal_add_out(seal, PUBLISHER), 0);
    foreign = peer;
    foreign.fd = rig_peer_socket(&foreign.self, false);
    rig_send_rtp(&foreign, &rtp);
    rig_wait_drops(&rig, DROP_SRTP_AUTH, 1);
    rig_send_sealed(&peer, seal, data, rig_make_rtp(&rtp, data));
    const struct outcome *event = await_event(&rig, EVENT_TUPLE, peer.transport);
    ck_assert(addr_equal(&event->tuple, &peer.self));
    seal_exit(seal);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    close(foreign.fd);
    rig_peer_close(&rig, &peer, true);
    rig_stop(&rig);
}

END_TEST

/* RTCP on the media port: a report of one of its producers, about one of its consumers, or a
 * request to one. Index: engine, and which. */
START_TEST(comedia_learns_from_rtcp_about_its_own)
{
    struct rig rig;
    struct rig_peer peer, publisher;
    uint8_t data[RIG_PACKET];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    struct rtcp_report_block block = {.ssrc = CONSUMER};
    rig_start(&rig, rig_engines[_i % 2], 0, 0);
    rig_peer(&rig, &peer, true, NULL);
    rig_peer(&rig, &publisher, false, NULL);
    uint32_t own = produce(&rig, &peer);
    uint32_t other = produce(&rig, &publisher);
    uint32_t consumer = consume(&rig, &peer, other);
    switch (_i / 2) {
    case 0:
        ck_assert(rtcp_write_sr(&writer, PUBLISHER, &(struct rtcp_sender_info){0}, NULL, 0));
        break;
    case 1:
        ck_assert(rtcp_write_rr(&writer, PEER, &block, 1));
        break;
    case 2:
        ck_assert(rtcp_write_pli(&writer, PEER, CONSUMER));
        break;
    default:
        ck_assert(rtcp_write_fir(&writer, PEER, CONSUMER, 1));
    }
    rig_send(&peer, data, writer.at);
    const struct outcome *event = await_event(&rig, EVENT_TUPLE, peer.transport);
    ck_assert(addr_equal(&event->tuple, &peer.self));
    rig_wait(&worker_counters(rig.worker)->rtcp_in, 1);
    rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, own);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, other);
    rig_peer_close(&rig, &peer, true);
    rig_peer_close(&rig, &publisher, true);
    rig_stop(&rig);
}

END_TEST

/* A receiver that is learnt gets media from then on, beginning with a key frame. */
START_TEST(a_learnt_receiver_starts_with_a_key_frame_request)
{
    struct rig rig;
    struct rig_peer publisher, subscriber;
    struct rtcp_packet packet;
    uint8_t data[RIG_PACKET];
    rig_start(&rig, rig_engines[_i], 0, 0);
    rig_peer(&rig, &publisher, false, NULL);
    rig_peer(&rig, &subscriber, true, NULL);
    uint32_t producer = produce(&rig, &publisher);
    uint32_t consumer = consume(&rig, &subscriber, producer);
    publish(&publisher, 1);
    rig_wait(&worker_counters(rig.worker)->rtp_in, 1);
    ck_assert_uint_eq(worker_counters(rig.worker)->keyframe_requests, 0);
    /* A report about nothing received: valid, and no request itself. */
    struct rtcp_writer writer = {.data = data, .bytes_max = 64};
    struct rtcp_report_block block = {.ssrc = CONSUMER};
    ck_assert(rtcp_write_rr(&writer, PEER, &block, 1));
    rig_send(&subscriber, data, writer.at);
    await_event(&rig, EVENT_TUPLE, subscriber.transport);
    ck_assert(rig_await_rtcp(&publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    publish(&publisher, 2);
    ck_assert_uint_eq(rig_receive_rtp(&subscriber, data, RIG_WAIT_MS), 112);
    ck_assert_uint_eq(be16(data + 2), 1000);
    rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &publisher, true);
    rig_peer_close(&rig, &subscriber, true);
    rig_stop(&rig);
}

END_TEST

/* Bound to all addresses, hit on the second of loopback: that one answers. */
START_TEST(a_wildcard_socket_replies_from_where_it_was_hit)
{
    struct rig rig;
    struct rig_peer peer = {0}, publisher;
    struct addr bound, hit, from;
    uint8_t data[RIG_PACKET];
    bool v6_socket = _i >= 2; /* [::], which takes IPv4 as well */
    rig_start(&rig, rig_engines[_i % 2], 0, 0);
    rig_peer(&rig, &publisher, false, NULL);
    peer.socket = open_socket(&rig, v6_socket ? "::" : "0.0.0.0", 0, false, &bound);
    peer.transport = open_transport(&rig, peer.socket, peer.socket, true);
    ck_assert_int_eq(addr_parse(&hit, "127.0.0.2", addr_port(&bound)), 0);
    peer.fd = rig_peer_socket(&peer.self, false);
    peer.relay = hit;
    uint32_t producer = produce(&rig, &publisher);
    uint32_t consumer = consume(&rig, &peer, producer);
    rig_send(&peer, data, make_pli(data));
    await_event(&rig, EVENT_TUPLE, peer.transport);
    for (uint16_t i = 0; i < 14; i++)
        publish(&publisher, i);
    for (uint16_t i = 0; i < 14; i++) {
        ck_assert_uint_eq(receive_from(peer.fd, data, &from), 112);
        ck_assert_uint_eq(be16(data + 2), 1000 + i);
        ck_assert(addr_equal(&from, &hit));
    }
    ck_assert_uint_gt(receive_from(peer.fd, data, &from), 0); /* a sender report */
    ck_assert_uint_eq(data[1], RTCP_SR);
    ck_assert(addr_equal(&from, &hit));
    rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &publisher, true);
    rig_peer_close(&rig, &peer, true);
    rig_stop(&rig);
}

END_TEST

/* Index: engine, and whether the addresses are learnt. */
START_TEST(rtcp_on_a_port_of_its_own)
{
    struct rig rig;
    struct rig_peer media, control, subscriber;
    struct rtcp_packet packet;
    uint8_t data[RIG_PACKET];
    bool comedia = _i >= 2;
    rig_start(&rig, rig_engines[_i % 2], 0, 0);
    media.socket = rig_socket(&rig, false, false, &media.relay);
    control.socket = rig_socket(&rig, false, false, &control.relay);
    media.fd = rig_peer_socket(&media.self, false);
    control.fd = rig_peer_socket(&control.self, false);
    media.transport = control.transport =
        open_transport(&rig, media.socket, control.socket, comedia);
    if (!comedia)
        ck_assert_int_eq(connect_transport(&rig, media.transport, &media.self, &control.self), 0);
    rig_peer(&rig, &subscriber, false, NULL);
    uint32_t producer = produce(&rig, &media);

    struct rtcp_sender_info info = {.ntp = UINT64_C(7) << 32, .rtp_ts = 3000};
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    publish(&media, 1);
    if (comedia)
        ck_assert(addr_equal(&await_event(&rig, EVENT_TUPLE, media.transport)->tuple, &media.self));
    ck_assert(rtcp_write_sr(&writer, PUBLISHER, &info, NULL, 0));
    rig_send(&control, data, writer.at);
    if (comedia)
        ck_assert(addr_equal(&await_event(&rig, EVENT_RTCP_TUPLE, media.transport)->tuple,
                             &control.self));
    rig_wait(&worker_counters(rig.worker)->rtcp_in, 1);

    uint32_t consumer = consume(&rig, &subscriber, producer);
    ck_assert(rig_await_rtcp(&control, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    publish(&media, 2);
    publish(&media, 4); /* a gap */
    ck_assert(rig_await_rtcp(&control, RTCP_RTPFB, RTCP_FB_NACK, data, &packet));
    ck_assert_uint_eq(be16(data + packet.at + 12), 3);
    ck_assert(rig_await_rtcp(&control, RTCP_RR, -1, data, &packet));
    ck_assert_uint_eq(rig_receive_rtcp(&media, data, 0), 0); /* nothing of it where media goes */

    /* RTP on the control port, RTCP on the media port: refused. */
    uint64_t rtp_in = worker_counters(rig.worker)->rtp_in;
    struct rig_peer crossed = {.fd = control.fd, .relay = control.relay};
    publish(&crossed, 5);
    rig_wait_drops(&rig, DROP_RTCP_INVALID, 1);
    crossed = (struct rig_peer){.fd = media.fd, .relay = media.relay};
    rig_send(&crossed, data, make_pli(data));
    rig_wait_drops(&rig, DROP_CSRC, 1); /* format 1 of PLI, read as RTP */
    /* Each port knows its own sender. */
    crossed = (struct rig_peer){.fd = media.fd, .relay = control.relay};
    rig_send(&crossed, data, make_pli(data));
    rig_wait_drops(&rig, DROP_NO_PEER, 1);
    ck_assert_uint_eq(worker_counters(rig.worker)->rtp_in, rtp_in);

    rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &subscriber, true);
    rig_peer_close(&rig, &media, true);
    rig_close(&rig, COMMAND_SOCKET_CLOSE, control.socket);
    close(control.fd);
    rig_stop(&rig);
}

END_TEST

START_TEST(a_port_can_be_bound_again_at_once)
{
    struct rig rig;
    struct addr first, again;
    rig_start(&rig, rig_engines[_i], 0, 0);
    uint32_t socket = rig_socket(&rig, false, false, &first);
    for (int i = 0; i < 20; i++) {
        rig_close(&rig, COMMAND_SOCKET_CLOSE, socket);
        socket = open_socket(&rig, "127.0.0.1", addr_port(&first), i % 2 == 0, &again);
        ck_assert(addr_equal(&first, &again));
    }
    struct rig_peer peer = {.socket = socket, .relay = again};
    peer.transport = open_transport(&rig, socket, socket, false);
    peer.fd = rig_peer_socket(&peer.self, false);
    ck_assert_int_eq(connect_transport(&rig, peer.transport, &peer.self, NULL), 0);
    uint32_t producer = produce(&rig, &peer);
    publish(&peer, 1);
    rig_wait(&worker_counters(rig.worker)->rtp_in, 1);
    ck_assert_uint_eq(worker_counters(rig.worker)->sockets, 1);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &peer, true);
    rig_stop(&rig);
}

END_TEST

/* What does not go: indices beyond, used, of another kind, in use by others. */
START_TEST(commands_that_cannot_be_are_refused)
{
    struct rig rig;
    struct rig_peer peer;
    struct command_producer_open produced;
    struct command_consumer_open consumed;
    rig_start(&rig, rig_engines[_i], 0, 0);
    rig_peer(&rig, &peer, false, NULL);
    rig_producer_defaults(&produced, peer.transport, PUBLISHER);
    rig_consumer_defaults(&consumed, peer.transport, 0, CONSUMER, true);
    uint32_t producer = rig_producer(&rig, &produced), consumer = rig_consumer(&rig, &consumed);
    struct addr self;

    const struct {
        enum command_kind kind;
        uint32_t index;
        int result;
    } rows[] = {
        {COMMAND_SOCKET_OPEN, peer.socket, -EINVAL},
        {COMMAND_SOCKET_OPEN, 64, -EINVAL},
        {COMMAND_SOCKET_CLOSE, 63, -ENOENT},
        {COMMAND_SOCKET_CLOSE, UINT32_MAX, -ENOENT},
        {COMMAND_TRANSPORT_OPEN, 511, -EINVAL}, /* on a socket that another has */
        {COMMAND_TRANSPORT_CONNECT, 511, -ENOENT},
        {COMMAND_TRANSPORT_CLOSE, UINT32_MAX, -ENOENT},
        {COMMAND_TRANSPORT_CLOSE, peer.transport, -EBUSY},
        {COMMAND_PRODUCER_CLOSE, producer, -EBUSY},
        {COMMAND_PRODUCER_CLOSE, 63, -ENOENT},
        {COMMAND_PRODUCER_PAUSE, 64, -ENOENT},
        {COMMAND_CONSUMER_CLOSE, 512, -ENOENT},
        {COMMAND_CONSUMER_KEYFRAME, 511, -ENOENT},
        {COMMAND_CONSUMER_RESUME, UINT32_MAX, -ENOENT},
        {COMMAND_NONE, 0, -EINVAL},
        {COMMAND_KIND_N, 0, -EINVAL},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct command command = {.kind = rows[i].kind, .index = rows[i].index};
        if (rows[i].kind == COMMAND_SOCKET_OPEN)
            command.socket_open.fd = rig_peer_socket(&self, false);
        if (rows[i].kind == COMMAND_TRANSPORT_OPEN)
            command.transport_open.rtp_socket = command.transport_open.rtcp_socket = peer.socket;
        ck_assert_msg(rig_command(&rig, &command, NULL) == rows[i].result, "row %zu", i);
    }
    rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &peer, true);
    rig_stop(&rig);
}

END_TEST

Suite *net_address_suite(void)
{
    Suite *suite = suite_create("net_address");
    TCase *shared = tcase_create("sockets");
    tcase_set_timeout(shared, 60);
    tcase_add_loop_test(shared, ipv6_goes_both_ways, 0, 2);
    tcase_add_loop_test(shared, a_shared_socket_tells_a_hundred_peers_apart, 0, 2);
    tcase_add_loop_test(shared, before_an_address_is_known_nothing_is_taken, 0, 2);
    tcase_add_loop_test(shared, a_wildcard_socket_replies_from_where_it_was_hit, 0, 4);
    tcase_add_loop_test(shared, rtcp_on_a_port_of_its_own, 0, 4);
    tcase_add_loop_test(shared, a_port_can_be_bound_again_at_once, 0, 2);
    tcase_add_loop_test(shared, commands_that_cannot_be_are_refused, 0, 2);
    suite_add_tcase(suite, shared);
    TCase *comedia = tcase_create("comedia");
    tcase_set_timeout(comedia, 60);
    tcase_add_loop_test(comedia, comedia_learns_from_the_first_valid_packet, 0, 2);
    tcase_add_loop_test(comedia, comedia_learns_from_rtcp_about_its_own, 0, 8);
    tcase_add_loop_test(comedia, sealed_comedia_learns_from_the_authentic_only, 0, 2);
    tcase_add_loop_test(comedia, a_learnt_receiver_starts_with_a_key_frame_request, 0, 2);
    suite_add_tcase(suite, comedia);
    return suite;
}
