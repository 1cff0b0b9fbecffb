/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tcp_open.h - listening TCP sockets made by the control thread, from the same addresses and
 * port ranges as UDP ones (net/udp.h).
 *
 * What is set here the accepted connections inherit, so that accepting costs one system call:
 * no delay, keep-alive (a silent peer that is gone is noticed in about a minute), and a bound on
 * what the kernel holds back unsent, because media that waits is worth nothing. Threads: the
 * control thread's; system calls, no worker's turn. */
#ifndef NET_TCP_OPEN_H
#define NET_TCP_OPEN_H

#include "net/udp.h"

enum {
    TCP_BACKLOG = 512,
    TCP_UNSENT_BYTES = 64 << 10, /* TCP_NOTSENT_LOWAT */
    TCP_SILENT_S = 30,           /* then the peer is asked ... */
    TCP_ASK_S = 10,              /* ... every so often ... */
    TCP_ASKS_N = 3,              /* ... so many times */
    TCP_UNANSWERED_MS = 60000,   /* data that is not acknowledged for so long ends a connection */
};

struct tcp_socket {
    int fd;            /* listening, non-blocking: for tcp_listen() */
    struct addr local; /* port filled */
};

/* As udp_open(), with the same options and errors; buffer sizes of 0 leave the system's automatic
 * ones. */
int tcp_open(struct tcp_socket *socket, const struct addr *local,
             const struct udp_options *options);

#endif
