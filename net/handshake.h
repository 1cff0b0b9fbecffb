/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/handshake.h - DTLS of the worker's transports: its datagrams, and the public-key work in
 * turns of its own.
 *
 *   connect + selected tuple:  server waits for the peer's ClientHello, client's first flight
 * queues DTLS datagram --cheap (after the handshake)--> session
 *                 `--dear--> queue --one a turn--> session --CONNECTED--> SRTP keys, media begins
 *
 * A step of public-key work takes some 0.4 ms: a worker does one a turn at most, so that a storm of
 * joins delays media by that and no more. What waits holds its slot; HANDSHAKES_N in all,
 * HANDSHAKES_PEER_MAX of one transport, what comes beyond is dropped, counted, and sent again by
 * the peer. RFC 5764, RFC 8827 6.5. Threads: the owning worker. Memory: a session is allocated when
 * its handshake begins and kept as long as the transport: the peer may say close_notify at any
 * time. */
#ifndef NET_HANDSHAKE_H
#define NET_HANDSHAKE_H

#include "net/state.h"

/* The controller has connected the transport, or it has a selected tuple now: with both, DTLS is
 * CONNECTING. */
void handshake_may_begin(struct worker *w, struct transport *transport);

/* A datagram of DTLS's range by a valid tuple. DROP_NONE with *held: it waits, and has the slot. */
enum drop handshake_receive(struct worker *w, struct transport *transport,
                            const struct datagram *datagram, bool *held);

/* The one step of public-key work of this turn, if any waits. True: more does. */
bool handshake_step(struct worker *w);

/* The session's timer ran. */
void handshake_expire(struct worker *w, struct transport *transport);

/* The transport closes: close_notify, and nothing of it waits any more. */
void handshake_close(struct worker *w, struct transport *transport);

#endif
