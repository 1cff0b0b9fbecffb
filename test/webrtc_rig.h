/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/webrtc_rig.h - a real worker with a certificate and shared sockets (UDP, IPv6, TCP), and
 * WebRTC clients of it, all in one thread and on loopback.
 *
 * webrtc_run() and webrtc_until() are where clients live: they send, receive and let their timers
 * run there and nowhere else. What a client has decrypted waits in its list. */
#ifndef SLUICE_TEST_WEBRTC_RIG_H
#define SLUICE_TEST_WEBRTC_RIG_H

#include "perf/rtcpeer.h"
#include "perf/rtcsocket.h"
#include "test/net_rig.h"

enum { WEBRTC_PEERS_MAX = 512, WEBRTC_SOCKETS = 3 };

enum webrtc_way { WEBRTC_UDP, WEBRTC_UDP6, WEBRTC_TCP };

struct webrtc_packet {
    struct webrtc_packet *next;
    bool rtcp;
    size_t bytes;
    _Alignas(4) uint8_t data[];
};

struct webrtc_peer {
    uint32_t transport;
    struct ice_credentials credentials; /* the relay's for this transport, newest */
    struct rtcpeer peer;
    struct rtcsocket socket;
    bool deaf;                    /* it neither reads nor sends */
    uint64_t stun_n, dtls_n;      /* datagrams that came */
    uint64_t media_n, unopened_n; /* the latter are of `media_n` */
    struct webrtc_packet *first, **last;
};

struct webrtc_rig {
    struct rig net;
    uint32_t sockets[WEBRTC_SOCKETS]; /* by enum webrtc_way */
    struct addr at[WEBRTC_SOCKETS];
    struct webrtc_peer *peers[WEBRTC_PEERS_MAX]; /* those that webrtc_run() drives */
    uint32_t peers_n;
    uint32_t serial; /* of credentials */
};

struct webrtc_options { /* zeroed: UDP, the relay is the DTLS server, every version */
    enum webrtc_way way;
    enum dtls_role role; /* the relay's; AUTO: SERVER */
    enum dtls_version version_max;
    int64_t consent_us;
    bool nominates_not;
    bool unknown_peer;  /* the relay is told another fingerprint */
    bool unknown_relay; /* the peer is */
    bool not_connected; /* transport.connect is left to webrtc_connect() */
};

void webrtc_start(struct webrtc_rig *rig, enum io_engine engine);
/* For so many transports, which is also the limit of its TCP connections. */
void webrtc_start_for(struct webrtc_rig *rig, enum io_engine engine, uint32_t transports_max);
void webrtc_stop(struct webrtc_rig *rig); /* peers are closed; rig_stop()'s checks */

/* A transport and its peer, which begins with the next webrtc_run(). */
void webrtc_open(struct webrtc_rig *rig, struct webrtc_peer *peer,
                 const struct webrtc_options *options);
void webrtc_connect(struct webrtc_rig *rig, struct webrtc_peer *peer,
                    const struct webrtc_options *options);
/* Closes both sides, the transport first. */
void webrtc_close(struct webrtc_rig *rig, struct webrtc_peer *peer);

/* The same, and both sides CONNECTED. */
void webrtc_join(struct webrtc_rig *rig, struct webrtc_peer *peer,
                 const struct webrtc_options *options);

/* The transport's new credentials; the peer knows nothing of them yet. */
void webrtc_restart(struct webrtc_rig *rig, struct webrtc_peer *peer);

/* One look at every socket and timer, waiting up to `wait_ms`; or for so long. */
void webrtc_turn(struct webrtc_rig *rig, int wait_ms);
void webrtc_run(struct webrtc_rig *rig, int ms);

/* Turns until the condition holds or RIG_WAIT_MS are over; a failed check at the caller's line. */
#define webrtc_until(rig, condition)                                                               \
    do {                                                                                           \
        int64_t webrtc_until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);                    \
        while (!(condition) && clock_now_us() < webrtc_until_us)                                   \
            webrtc_turn((rig), 2);                                                                 \
        ck_assert_msg((condition), "not in time: %s", #condition);                                 \
    } while (0)

/* Figures of its transport of now. */
struct transport_stats webrtc_stats(struct webrtc_rig *rig, const struct webrtc_peer *peer);

/* Seals and sends by the peer's socket, or by another. */
void webrtc_send_rtp(struct webrtc_peer *peer, const struct rig_rtp *rtp);
void webrtc_send_rtp_by(struct webrtc_peer *peer, struct rtcsocket *socket,
                        const struct rig_rtp *rtp);
void webrtc_send_rtcp(struct webrtc_peer *peer, const uint8_t *data, size_t bytes);

/* The next packet of the kind that came to it, 0 after `wait_ms`. The other kind is thrown away. */
size_t webrtc_receive(struct webrtc_rig *rig, struct webrtc_peer *peer, bool rtcp,
                      uint8_t data[RIG_PACKET], int wait_ms);
/* Until an RTCP packet of this type and format (-1: any) comes. */
bool webrtc_await_rtcp(struct webrtc_rig *rig, struct webrtc_peer *peer, uint8_t type, int format,
                       uint8_t data[RIG_PACKET], struct rtcp_packet *packet);
void webrtc_forget(struct webrtc_peer *peer); /* what waits */

#endif
