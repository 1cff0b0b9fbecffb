/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/transport.h - sockets and transports of a worker: opened, connected, closed; what they learn
 * of their peer.
 *
 * Commands are answered with 0 or -errno and leave nothing behind when they fail. No round is under
 * way while transports come, go or change by command. Threads: the owning worker. */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include "net/state.h"

int net_socket_open(struct worker *w, uint32_t index, const struct command_socket_open *open);
int net_socket_close(struct worker *w, uint32_t index);

/* An open one, or NULL. */
struct transport *net_transport_at(struct worker *w, uint32_t index);

int net_transport_open(struct worker *w, uint32_t index, const struct command_transport_open *open);
int net_transport_connect(struct worker *w, struct transport *transport,
                          const struct command_transport_connect *connect);
int net_transport_set_bitrate(struct transport *transport,
                              const struct command_transport_bitrate *bitrate);
int net_transport_close(struct worker *w, struct transport *transport);

/* The peer's address has been learnt from a valid datagram (comedia). False: another transport has
 * it. */
bool net_transport_learn(struct worker *w, struct transport *transport, bool rtcp,
                         const struct addr *remote, const struct addr *local);

/* Replies leave from the address that the peer's last valid datagram hit: for sockets bound to a
 * wildcard. */
void net_transport_local(struct transport *transport, bool rtcp, const struct addr *local);

/* SRTP keys for the first time, or anew. 0, -ENOMEM, -EINVAL. */
int net_transport_set_keys(struct transport *transport, const struct srtp_keys *keys);

/* Before its first producer or consumer: its own ssrc gets its place among what is sealed; an idle
 * one does without. 0, or as seal_add_out(). */
int net_transport_speak(struct transport *transport);

/* What waited for the connection starts now: video with a key frame, for those who receive here,
 * and of those who send here and could not be asked before. No-op before address and keys. */
void net_transport_start_media(struct worker *w, struct transport *transport);

#endif
