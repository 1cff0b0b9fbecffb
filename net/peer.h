/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/peer.h - what makes a transport a WebRTC one: its ICE agent, its tuples in the worker's
 * tables, and when its handshake may begin.
 *
 *   STUN  --fragment of USERNAME--> peer --ice_receive--> tuple valid, selected, state
 *   DTLS, media --(socket, remote address)--> valid tuple's transport       net/handshake.h
 *
 * A datagram is taken from a valid tuple only, and a tuple belongs to the first transport that a
 * check with the right integrity came for: another transport's check from the same address is
 * refused while it is valid, so nobody takes a tuple away by writing somebody else's address.
 * RFC 8445, RFC 7983. Threads: the owning worker. Memory: struct peer by transport index; the ICE
 * agent is part of it, the DTLS session is allocated when its handshake begins. */
#ifndef NET_PEER_H
#define NET_PEER_H

#include "net/state.h"

/* For net/transport.c. 0; -EINVAL (a socket that is not there or somebody's own), -EEXIST (the user
 * name fragment is in use), -ENOSPC, -EOPNOTSUPP (the worker has no certificate). */
int peer_open(struct worker *w, struct transport *transport,
              const struct command_webrtc_open *open);
int peer_connect(struct worker *w, struct transport *transport,
                 const struct command_webrtc_connect *connect);
int peer_restart(struct worker *w, struct transport *transport,
                 const struct ice_credentials *credentials);
void peer_close(struct worker *w, struct transport *transport); /* says close_notify */

/* A STUN message: checked, answered. */
enum drop peer_check(struct worker *w, const struct datagram *datagram);

/* Whose valid tuple a datagram came by; NULL: nobody's. */
struct transport *peer_find(const struct worker *w, const struct datagram *datagram);

/* A TCP connection of the transport has ended. */
void peer_connection_ended(struct worker *w, struct transport *transport, struct tcp_id id);

/* The consent timer ran. RFC 7675. */
void peer_expire(struct worker *w, struct transport *transport);

/* Something that the control thread is to know has changed: told now, or owed until there is room.
 */
void peer_tell(struct worker *w, struct transport *transport, enum peer_owed what);
void peer_tell_owed(struct worker *w); /* once a turn */

#endif
