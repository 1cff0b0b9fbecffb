/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/close.h - ends of objects and of all that hangs on them, in the order that a worker needs:
 * consumers, mirrors, producers, transports, sockets.
 *
 * `notice` is what the object's subscribers are told (NOTICE_N: nothing); what hangs on it is told
 * mediasoup's reasons: transportclose, producerclose, routerclose, listenserverclose. The objects
 * are gone from the model at once; `request` (or NULL) is answered when every worker concerned has
 * done the last of it. Needs no memory. Threads: the control thread's. */
#ifndef CTL_CLOSE_H
#define CTL_CLOSE_H

#include "ctl/control.h"

void close_consumer(struct control *control, struct consumer *consumer, struct request *request,
                    enum notice notice);
void close_producer(struct control *control, struct producer *producer, struct request *request,
                    enum notice notice);
void close_transport(struct control *control, struct transport *transport, struct request *request,
                     enum notice notice);
void close_router(struct control *control, struct router *router, struct request *request,
                  enum notice notice);

/* A WebRTC server: first its transports, on whatever workers they are. */
void close_server(struct control *control, struct webrtc_server *server, struct request *request,
                  enum notice notice);

/* Its sockets on a worker that has died; with the last of them the server itself. */
void close_server_on(struct control *control, struct webrtc_server *server, uint16_t worker);

/* The outcome of a close is here: the index is free again, if the worker has let go of it. */
void close_index(struct control *control, const struct errand *errand, enum object_kind kind,
                 const struct outcome *outcome);

/* A socket that no transport uses. */
void close_socket(struct control *control, struct socket *socket, struct request *request);

#endif
