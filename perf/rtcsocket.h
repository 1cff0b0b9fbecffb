/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/rtcsocket.h - the way of a WebRTC client's datagrams: a connected UDP socket, or a TCP
 * connection with RFC 4571 frames.
 *
 * Memory: TCP has a buffer on the heap. Threads: its owner's. */
#ifndef PERF_RTCSOCKET_H
#define PERF_RTCSOCKET_H

#include "core/addr.h"
#include "net/frame.h"

enum { RTCSOCKET_BYTES = 2048 }; /* room of a datagram */

struct rtcsocket {
    int fd; /* non-blocking; -1: not open, or its connection has ended */
    bool tcp;
    struct addr self, relay;
    struct frame_reader reader;
    uint8_t *buffer; /* TCP */
};

/* `from`: bind to it; NULL: wherever. 0 or -errno. */
int rtcsocket_open(struct rtcsocket *socket, const struct addr *relay, bool tcp,
                   const struct addr *from);
void rtcsocket_close(struct rtcsocket *socket);

/* The next datagram, 0: none is there, or the connection has ended (fd is -1 then). */
size_t rtcsocket_receive(struct rtcsocket *socket, uint8_t data[RTCSOCKET_BYTES]);

/* False: it was not taken, as a network does not take everything. */
bool rtcsocket_send(struct rtcsocket *socket, const uint8_t *data, size_t bytes);

#endif
