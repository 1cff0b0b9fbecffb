/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/socket.h - sockets of the model: bound by the control thread, given to a worker, closed with
 * their last user.
 *
 * A socket is a transport's own, or shared by plain transports that ask for the same address
 * (flags.shared), or a WebRTC server's, which keeps it until it is closed itself.
 *
 * First the berths of all that a request wants, then the sockets: a port that is busy is tried
 * again a little later, from the start of the request, which therefore must have changed nothing.
 * Threads: the control thread's. */
#ifndef CTL_SOCKET_H
#define CTL_SOCKET_H

#include "ctl/wish.h"

/* Where a wish leads on a worker: to a shared socket that is there, or to a port just bound. */
struct berth {
    const struct wish *wish;
    struct addr local; /* the wish's, or beside it */
    uint16_t worker;
    struct socket *shared;
    struct udp_socket bound; /* its fd -1: none */
};

static inline struct berth berth_of(const struct wish *wish, uint16_t worker)
{
    return (struct berth){.wish = wish, .local = wish->local, .worker = worker, .bound.fd = -1};
}

/* Binds all of them. False: nothing is bound, and the request is answered or will be run again. */
bool berths_find(const struct control *control, struct request *request, struct berth berths[],
                 size_t n);

/* What no socket has taken goes back to the system. */
void berths_leave(struct berth berths[], size_t n);

/* A socket in its worker, which takes the berth's descriptor. NULL with the request answered.
 * `server`: whose it is, and `opened` hears of the worker's outcome; else both are NULL, and the
 * result is kept in socket->failed. */
struct socket *socket_make(struct control *control, struct request *request, struct berth *berth,
                           struct webrtc_server *server, errand_done *opened);

/* One more user of the berth's socket, made if need be. NULL as above. */
struct socket *socket_get(struct control *control, struct request *request, struct berth *berth);

/* One user less. */
void socket_put(struct control *control, struct socket *socket);

#endif
