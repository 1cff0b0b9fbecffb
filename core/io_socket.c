/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/io_socket.c - the engines' table of sockets, and the options that every socket gets. */
#include "core/io_parts.h"

#include <errno.h>
#include <limits.h>
#include <netinet/udp.h>
#include <unistd.h>

enum { ERRORS_IN_A_ROW_MAX = 64 };

bool io_has(const struct io *io, enum io_feature feature)
{
    return !(io->missing & (uint32_t)feature);
}

static int option_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int option_get(int fd, int level, int name)
{
    int value = 0;
    socklen_t bytes = sizeof(value);
    return getsockopt(fd, level, name, &value, &bytes) ? -errno : value;
}

/* The kernel doubles what is asked for, to make room for its own bookkeeping. */
static int buffer_size(int fd, int name, int name_force, uint32_t bytes, bool may_force)
{
    int wanted = (int)(bytes < INT_MAX / 2 ? bytes : INT_MAX / 2);
    if (!may_force || option_set(fd, SOL_SOCKET, name_force, wanted)) {
        int failed = option_set(fd, SOL_SOCKET, name, wanted);
        if (failed)
            return failed;
    }
    int granted = option_get(fd, SOL_SOCKET, name);
    return granted < 0 ? granted : granted / 2;
}

int64_t io_size_socket(const struct io *io, int fd, uint32_t receive_bytes, uint32_t send_bytes)
{
    bool may_force = io_has(io, IO_FEATURE_RCVBUF_FORCE);
    if (send_bytes) {
        int sent = buffer_size(fd, SO_SNDBUF, SO_SNDBUFFORCE, send_bytes, may_force);
        if (sent < 0)
            return sent;
    }
    if (receive_bytes)
        return buffer_size(fd, SO_RCVBUF, SO_RCVBUFFORCE, receive_bytes, may_force);
    int granted = option_get(fd, SOL_SOCKET, SO_RCVBUF);
    return granted < 0 ? granted : granted / 2;
}

uint32_t io_socket_probe(uint32_t without)
{
    uint32_t missing = without & (IO_FEATURE_UDP_SEGMENT | IO_FEATURE_TIMESTAMP |
                                  IO_FEATURE_RXQ_OVFL | IO_FEATURE_RCVBUF_FORCE);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return missing;
    if (option_get(fd, SOL_UDP, UDP_SEGMENT) < 0)
        missing |= IO_FEATURE_UDP_SEGMENT;
    if (option_set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1))
        missing |= IO_FEATURE_TIMESTAMP;
    if (option_set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1))
        missing |= IO_FEATURE_RXQ_OVFL;
    if (buffer_size(fd, SO_RCVBUF, SO_RCVBUFFORCE, IO_RCVBUF_BYTES, true) < IO_RCVBUF_BYTES)
        missing |= IO_FEATURE_RCVBUF_FORCE;
    close(fd);
    return missing;
}

/* Without a timestamp, a drop count or packet info the socket still works. */
static void set_options(const struct io *io, int fd, bool is_ipv6)
{
    if (io_has(io, IO_FEATURE_TIMESTAMP))
        (void)option_set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    if (io_has(io, IO_FEATURE_RXQ_OVFL))
        (void)option_set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (is_ipv6)
        (void)option_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    else
        (void)option_set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

/* Lowest unused indices first, most recently given back before them: the table's pages follow use.
 */
static int take_index(struct io *io)
{
    if (io->sockets_free_n)
        return io->sockets_free[--io->sockets_free_n];
    if (io->sockets_fresh < io->sockets_max)
        return (int)io->sockets_fresh++;
    return -ENOSPC;
}

int io_socket_add(struct io *io, int fd)
{
    struct addr local = {0};
    socklen_t local_bytes = sizeof(local);
    if (getsockname(fd, &local.sa, &local_bytes))
        return -errno;
    bool is_ipv6 = local.sa.sa_family == AF_INET6;
    if (!is_ipv6 && local.sa.sa_family != AF_INET)
        return -EAFNOSUPPORT;
    int type = option_get(fd, SOL_SOCKET, SO_TYPE);
    if (type != SOCK_DGRAM)
        return type < 0 ? type : -EPROTOTYPE;

    int index = take_index(io);
    if (index < 0)
        return index;
    struct io_socket *socket = &io->sockets[index];
    ASSERT(socket->state == IO_SOCKET_FREE);
    set_options(io, fd, is_ipv6);
    *socket = (struct io_socket){.fd = fd,
                                 .gen = socket->gen,
                                 .port = addr_port(&local),
                                 .state = IO_SOCKET_OPEN,
                                 .is_ipv6 = is_ipv6};
    io->sockets_n++;
    return index;
}

void io_socket_close(struct io *io, uint16_t index)
{
    struct io_socket *socket = &io->sockets[index];
    ASSERT(socket->state != IO_SOCKET_FREE);
    ASSERT(!socket->armed);
    close(socket->fd);
    socket->fd = -1;
    socket->state = IO_SOCKET_FREE;
    socket->gen++;
    io->sockets_free[io->sockets_free_n++] = index;
    io->sockets_n--;
}

/* Errors that a peer, a router or a moment's shortage causes: receiving goes on after them. */
static bool error_passes(int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR:
    case ENOMEM:
    case ENOBUFS:
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENONET:
    case EMSGSIZE:
    case EPROTO:
    case ENOPROTOOPT:
    case EACCES:
    case EPERM:
    case EOPNOTSUPP:
    case ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

bool io_socket_error(struct io *io, uint16_t index, int error)
{
    struct io_socket *socket = &io->sockets[index];
    io->counters.recv_errors++;
    bool is_refused = error == ECONNREFUSED; /* anyone can cause it, as often as we send */
    if (!is_refused && socket->errors_n < ERRORS_IN_A_ROW_MAX)
        socket->errors_n++;
    if (error_passes(error) && socket->errors_n < ERRORS_IN_A_ROW_MAX)
        return true;
    if (!socket->dead) {
        socket->dead = true;
        io_dead_add(io, index, -error);
    }
    return false;
}
