/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/mmsg.h - the epoll, recvmmsg and sendmmsg engine of core/io.h; private to core.
 *
 * It runs where io_uring may not. One stock of slots serves all sockets: a ready one receives into
 * it, what is left over waits for the next. Sockets that still have datagrams take turns, and a
 * wait takes no more than MMSG_WAIT_DATAGRAMS; the rest stays in the sockets' buffers.
 *
 * Threads: the owning worker's. Memory: one mapping of a few pages. */
#ifndef CORE_MMSG_H
#define CORE_MMSG_H

#include "core/io_parts.h"

#include <sys/epoll.h>

enum {
    MMSG_STOCK = 64,           /* slots at hand */
    MMSG_ONCE = 32,            /* datagrams of one socket at a time */
    MMSG_EVENTS = 256,         /* ready sockets of one wait */
    MMSG_WAIT_DATAGRAMS = 512, /* of one wait */
    MMSG_IDLE_ROUNDS_MAX = 16, /* wake-ups that bring nothing, within a wait */
};

struct mmsg {
    int epoll_fd;
    uint32_t stock_n;
    bool starved; /* the stock is empty and the slab has none */
    bool no_pwait2;
    uint16_t stock[MMSG_STOCK]; /* slots of the headers */
    struct mmsghdr headers[MMSG_STOCK];
    struct iovec vectors[MMSG_STOCK];
    struct epoll_event events[MMSG_EVENTS];
    uint16_t ready[MMSG_EVENTS]; /* sockets that may have more */
};

#endif
