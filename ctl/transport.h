/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/transport.h - what transports of every kind share while they are made and connected.
 *
 * Berths first (ctl/socket.h), then a plan with its sockets, each counting the transport to be,
 * then transport_make(), then the command, whose outcome transport_opened() takes. Whatever fails
 * before the command is posted is undone by transport_unplan(). Threads: the control thread's. */
#ifndef CTL_TRANSPORT_H
#define CTL_TRANSPORT_H

#include "ctl/socket.h"

struct transport_plan {
    const char *id; /* NULL: made */
    const json_t *app_data;
    uint16_t worker;
    struct webrtc *webrtc; /* owned; NULL for a plain one */
    struct socket *sockets[TRANSPORT_SOCKETS_MAX];
    uint8_t sockets_n;
};

/* Sockets of all the berths. False with the request answered; then transport_unplan() and
 * berths_leave(). */
bool transport_sockets(struct control *control, struct request *request,
                       struct transport_plan *plan, struct berth berths[], size_t n);

/* In the model, its index taken; the plan's sockets and webrtc are the transport's from now on.
 * NULL with the request answered and the plan as it was: its worker is full. */
struct transport *transport_make(struct control *control, struct request *request,
                                 struct router *router, const struct transport_plan *plan);

/* Gives the sockets back and frees the rest. */
void transport_unplan(struct control *control, struct transport_plan *plan);

/* COMMAND_TRANSPORT_OPEN is done: answers errand->result, or closes what could not be opened. */
void transport_opened(struct control *control, struct errand *errand,
                      const struct outcome *outcome);

/* For reports of its own. */
void transport_cname(char text[CNAME_BYTES_MAX]);

/* transport.connect by kind: a transport that has not been connected yet. */
void plain_connect(struct control *control, struct request *request, struct transport *transport,
                   struct fields *f);
void webrtc_connect(struct control *control, struct request *request, struct transport *transport,
                    struct fields *f);

#endif
