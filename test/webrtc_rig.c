/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/webrtc_rig.c - a worker and WebRTC clients on loopback. */
#include "test/webrtc_rig.h"

#include "core/clock.h"
#include "net/demux.h"
#include "net/tcp_open.h"
#include "test/dtls_rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the worker ---- */

static uint32_t listen_tcp(struct rig *rig, struct addr *local)
{
    struct addr any;
    struct tcp_socket tcp;
    ck_assert_int_eq(addr_parse(&any, "127.0.0.1", 0), 0);
    ck_assert_int_eq(tcp_open(&tcp, &any, &(struct udp_options){0}), 0);
    *local = tcp.local;
    struct command open = {
        .kind = COMMAND_SOCKET_OPEN,
        .index = rig->sockets++,
        .socket_open = {.fd = tcp.fd, .kind = SOCKET_TCP, .shared = true, .local = tcp.local},
    };
    ck_assert_int_eq(rig_command(rig, &open, NULL), 0);
    return open.index;
}

void webrtc_start_for(struct webrtc_rig *rig, enum io_engine engine, uint32_t transports_max)
{
    struct worker_config config;
    memset(rig, 0, sizeof *rig);
    rig_config(&config, engine, 0, 0);
    config.certificate = dtls_rig_certificate(DTLS_RIG_SERVER);
    config.transports_max = transports_max;
    rig_start_with(&rig->net, &config);
    rig->sockets[WEBRTC_UDP] = rig_socket(&rig->net, true, false, &rig->at[WEBRTC_UDP]);
    rig->sockets[WEBRTC_UDP6] = rig_socket(&rig->net, true, true, &rig->at[WEBRTC_UDP6]);
    rig->sockets[WEBRTC_TCP] = listen_tcp(&rig->net, &rig->at[WEBRTC_TCP]);
}

void webrtc_start(struct webrtc_rig *rig, enum io_engine engine)
{
    webrtc_start_for(rig, engine, WEBRTC_PEERS_MAX);
}

void webrtc_stop(struct webrtc_rig *rig)
{
    while (rig->peers_n > 0)
        webrtc_close(rig, rig->peers[rig->peers_n - 1]);
    for (int i = 0; i < WEBRTC_SOCKETS; i++)
        rig_close(&rig->net, COMMAND_SOCKET_CLOSE, rig->sockets[i]);
    rig_stop(&rig->net);
}

/* ---- transports ---- */

static void new_credentials(struct webrtc_rig *rig, struct ice_credentials *credentials)
{
    char text[ICE_PWD_BYTES_MAX + 1];
    rig->serial++;
    *credentials = (struct ice_credentials){.ufrag_bytes = 16, .pwd_bytes = 24};
    snprintf(text, sizeof text, "fragment%08u", rig->serial);
    memcpy(credentials->ufrag, text, 16);
    snprintf(text, sizeof text, "password-of-the-%08u", rig->serial * 7919);
    memcpy(credentials->pwd, text, 24);
}

void webrtc_connect(struct webrtc_rig *rig, struct webrtc_peer *peer,
                    const struct webrtc_options *options)
{
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = peer->transport};
    struct command_webrtc_connect *webrtc = &connect.transport_connect.webrtc;
    webrtc->role = options->role == DTLS_ROLE_AUTO ? DTLS_ROLE_SERVER : options->role;
    webrtc->fingerprint = *dtls_rig_fingerprint(
        options->unknown_peer ? DTLS_RIG_SERVER : DTLS_RIG_CLIENT, FINGERPRINT_SHA256);
    ck_assert_int_eq(rig_command(&rig->net, &connect, NULL), 0);
}

void webrtc_open(struct webrtc_rig *rig, struct webrtc_peer *peer,
                 const struct webrtc_options *options)
{
    *peer = (struct webrtc_peer){.transport = rig->net.transports++};
    peer->last = &peer->first;
    new_credentials(rig, &peer->credentials);
    struct command open = {.kind = COMMAND_TRANSPORT_OPEN, .index = peer->transport};
    open.transport_open = (struct command_transport_open){
        .kind = TRANSPORT_WEBRTC,
        .cname = "relay",
        .webrtc = {.credentials = peer->credentials,
                   .consent_us = options->consent_us,
                   .sockets_n = WEBRTC_SOCKETS},
    };
    memcpy(open.transport_open.webrtc.sockets, rig->sockets, sizeof rig->sockets);
    ck_assert_int_eq(rig_command(&rig->net, &open, NULL), 0);
    if (!options->not_connected)
        webrtc_connect(rig, peer, options);
    ck_assert_int_eq(
        rtcsocket_open(&peer->socket, &rig->at[options->way], options->way == WEBRTC_TCP, NULL), 0);
    struct rtcpeer_config config = {
        .dtls = dtls_rig_context(DTLS_RIG_CLIENT, options->version_max, 0),
        .role = options->role == DTLS_ROLE_CLIENT ? DTLS_ROLE_SERVER : DTLS_ROLE_CLIENT,
        .relay = *dtls_rig_fingerprint(options->unknown_relay ? DTLS_RIG_CLIENT : DTLS_RIG_SERVER,
                                       FINGERPRINT_SHA256),
        .theirs = peer->credentials,
        .seed = rig->serial,
        .nominates_not = options->nominates_not,
    };
    rtcpeer_init(&peer->peer, &config, clock_now_us());
    ck_assert_uint_lt(rig->peers_n, WEBRTC_PEERS_MAX);
    rig->peers[rig->peers_n++] = peer;
}

void webrtc_close(struct webrtc_rig *rig, struct webrtc_peer *peer)
{
    rig_close(&rig->net, COMMAND_TRANSPORT_CLOSE, peer->transport);
    for (uint32_t i = 0; i < rig->peers_n; i++)
        if (rig->peers[i] == peer)
            rig->peers[i] = rig->peers[--rig->peers_n];
    webrtc_forget(peer);
    rtcpeer_exit(&peer->peer);
    rtcsocket_close(&peer->socket);
}

void webrtc_join(struct webrtc_rig *rig, struct webrtc_peer *peer,
                 const struct webrtc_options *options)
{
    webrtc_open(rig, peer, options);
    webrtc_until(rig, peer->peer.state == RTCPEER_CONNECTED);
    webrtc_until(rig, webrtc_stats(rig, peer).dtls_state == DTLS_CONNECTED);
}

void webrtc_restart(struct webrtc_rig *rig, struct webrtc_peer *peer)
{
    struct command restart = {.kind = COMMAND_TRANSPORT_RESTART_ICE, .index = peer->transport};
    new_credentials(rig, &peer->credentials);
    restart.restart_ice = peer->credentials;
    ck_assert_int_eq(rig_command(&rig->net, &restart, NULL), 0);
}

struct transport_stats webrtc_stats(struct webrtc_rig *rig, const struct webrtc_peer *peer)
{
    struct outcome outcome;
    rig_stats(&rig->net, OBJECT_TRANSPORT, peer->transport, &outcome);
    return outcome.transport;
}

/* ---- what peers do ---- */

static void keep(struct webrtc_peer *peer, bool rtcp, const uint8_t *data, size_t bytes)
{
    struct webrtc_packet *packet = malloc(sizeof *packet + bytes);
    ck_assert_ptr_nonnull(packet);
    packet->next = NULL;
    packet->rtcp = rtcp;
    packet->bytes = bytes;
    memcpy(packet->data, data, bytes);
    *peer->last = packet;
    peer->last = &packet->next;
}

static void take(struct webrtc_peer *peer, uint8_t *data, size_t bytes, int64_t now_us)
{
    enum datagram_class class = datagram_class_of(data[0]);
    peer->stun_n += class == DATAGRAM_STUN;
    peer->dtls_n += class == DATAGRAM_DTLS;
    peer->media_n += class == DATAGRAM_MEDIA;
    enum rtcpeer_fed fed = rtcpeer_feed(&peer->peer, data, &bytes, now_us);
    peer->unopened_n += class == DATAGRAM_MEDIA && fed == RTCPEER_REFUSED;
    if (fed == RTCPEER_RTP || fed == RTCPEER_RTCP)
        keep(peer, fed == RTCPEER_RTCP, data, bytes);
}

static void drive(struct webrtc_peer *peer, int64_t now_us)
{
    _Alignas(4) uint8_t data[RTCSOCKET_BYTES];
    size_t bytes;
    while ((bytes = rtcsocket_receive(&peer->socket, data)) > 0)
        take(peer, data, bytes, now_us);
    if (now_us >= rtcpeer_due_us(&peer->peer))
        rtcpeer_expire(&peer->peer, now_us);
    while ((bytes = rtcpeer_next_out(&peer->peer, data)) > 0)
        rtcsocket_send(&peer->socket, data, bytes);
}

void webrtc_turn(struct webrtc_rig *rig, int wait_ms)
{
    static struct pollfd fds[WEBRTC_PEERS_MAX];
    int64_t now_us = clock_now_us(), due_us = now_us + wait_ms * INT64_C(1000);
    for (uint32_t i = 0; i < rig->peers_n; i++) {
        bool deaf = rig->peers[i]->deaf;
        fds[i] = (struct pollfd){.fd = deaf ? -1 : rig->peers[i]->socket.fd, .events = POLLIN};
        if (!deaf)
            due_us = min_i64(due_us, rtcpeer_due_us(&rig->peers[i]->peer));
    }
    poll(fds, rig->peers_n, due_us > now_us ? (int)((due_us - now_us + 999) / 1000) : 0);
    now_us = clock_now_us();
    for (uint32_t i = 0; i < rig->peers_n; i++)
        if (!rig->peers[i]->deaf)
            drive(rig->peers[i], now_us);
}

void webrtc_run(struct webrtc_rig *rig, int ms)
{
    int64_t until_us = clock_now_us() + ms * INT64_C(1000);
    while (clock_now_us() < until_us)
        webrtc_turn(rig, 5);
}

/* ---- media ---- */

void webrtc_send_rtp_by(struct webrtc_peer *peer, struct rtcsocket *socket,
                        const struct rig_rtp *rtp)
{
    _Alignas(4) uint8_t data[RIG_PACKET];
    size_t bytes = rig_make_rtp(rtp, data);
    int result = rtcpeer_add_stream(&peer->peer, rtp->ssrc);
    ck_assert(result == 0 || result == -17); /* EEXIST: not the first packet */
    ck_assert(rtcpeer_seal(&peer->peer, data, &bytes));
    ck_assert(rtcsocket_send(socket, data, bytes));
}

void webrtc_send_rtp(struct webrtc_peer *peer, const struct rig_rtp *rtp)
{
    webrtc_send_rtp_by(peer, &peer->socket, rtp);
}

void webrtc_send_rtcp(struct webrtc_peer *peer, const uint8_t *data, size_t bytes)
{
    _Alignas(4) uint8_t copy[RIG_PACKET];
    memcpy(copy, data, bytes);
    int result = rtcpeer_add_stream(&peer->peer, be32(data + 4));
    ck_assert(result == 0 || result == -17);
    ck_assert(rtcpeer_seal(&peer->peer, copy, &bytes));
    ck_assert(rtcsocket_send(&peer->socket, copy, bytes));
}

static size_t pop(struct webrtc_peer *peer, bool rtcp, uint8_t *data)
{
    size_t bytes = 0;
    while (peer->first != NULL && bytes == 0) {
        struct webrtc_packet *packet = peer->first;
        peer->first = packet->next;
        if (peer->first == NULL)
            peer->last = &peer->first;
        if (packet->rtcp == rtcp) {
            bytes = packet->bytes;
            memcpy(data, packet->data, bytes);
        }
        free(packet);
    }
    return bytes;
}

size_t webrtc_receive(struct webrtc_rig *rig, struct webrtc_peer *peer, bool rtcp,
                      uint8_t data[RIG_PACKET], int wait_ms)
{
    int64_t until_us = clock_now_us() + wait_ms * INT64_C(1000);
    for (;;) {
        size_t bytes = pop(peer, rtcp, data);
        if (bytes > 0 || clock_now_us() >= until_us)
            return bytes;
        webrtc_turn(rig, 2);
    }
}

bool webrtc_await_rtcp(struct webrtc_rig *rig, struct webrtc_peer *peer, uint8_t type, int format,
                       uint8_t data[RIG_PACKET], struct rtcp_packet *packet)
{
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    while (clock_now_us() < until_us) {
        struct rtcp_reader reader;
        size_t bytes = webrtc_receive(rig, peer, true, data, RIG_WAIT_MS);
        if (bytes == 0)
            return false;
        ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
        while (rtcp_reader_next(&reader, packet))
            if (packet->type == type && (format < 0 || packet->count == format))
                return true;
    }
    return false;
}

void webrtc_forget(struct webrtc_peer *peer)
{
    uint8_t data[RIG_PACKET];
    while (peer->first != NULL)
        pop(peer, false, data);
}
