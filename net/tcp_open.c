/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tcp_open.c - listening TCP sockets: bound, from a port range, with what connections inherit.
 */
#include "net/tcp_open.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { RACES_MAX = 4 };

struct option {
    int level, name, value;
};

/* SO_REUSEADDR: connections of a process that ended keep its port for a minute otherwise. */
static int options_set(int fd, const struct udp_options *options)
{
    static const struct option rows[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, TCP_SILENT_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, TCP_ASK_S},
        {IPPROTO_TCP, TCP_KEEPCNT, TCP_ASKS_N},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_UNANSWERED_MS},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_UNSENT_BYTES},
    };
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        if (setsockopt(fd, rows[i].level, rows[i].name, &rows[i].value, sizeof(int)) != 0)
            return -errno;
    if (options->receive_bytes)
        udp_buffer_set(fd, SO_RCVBUF, SO_RCVBUFFORCE, options->receive_bytes);
    if (options->send_bytes)
        udp_buffer_set(fd, SO_SNDBUF, SO_SNDBUFFORCE, options->send_bytes);
    return 0;
}

/* With SO_REUSEADDR two sockets can be bound to one port, and the second that listens is refused:
 * *raced. */
static int open_once(struct tcp_socket *out, const struct addr *local,
                     const struct udp_options *options, bool *raced)
{
    *raced = false;
    int fd = socket(local->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    struct addr bound = *local;
    int failed = options_set(fd, options);
    if (!failed)
        failed = udp_bind(fd, &bound, options);
    if (!failed && listen(fd, TCP_BACKLOG) != 0) {
        failed = -errno;
        *raced = failed == -EADDRINUSE;
    }
    if (failed) {
        close(fd);
        return failed;
    }
    *out = (struct tcp_socket){.fd = fd, .local = bound};
    return 0;
}

int tcp_open(struct tcp_socket *out, const struct addr *local, const struct udp_options *options)
{
    bool raced = true;
    int failed = 0;
    for (int i = 0; i < RACES_MAX && raced; i++)
        failed = open_once(out, local, options, &raced);
    return failed;
}
