/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tcp_accept.c - listening sockets and what comes in by them, in batches, with a pause when
 * there are no descriptors. */
#include "net/tcp_parts.h"

#include <errno.h>
#include <unistd.h>

static void accept_later(struct tcp *tcp, struct tcp_listener *listener, int64_t due_us)
{
    listener->due_us = due_us;
    tcp->accept_due_us = min_i64(tcp->accept_due_us, due_us);
}

/* Whoever has an IPv6 address has its /64 (RFC 4291 2.5.4). */
static uint16_t host_of(const struct tcp *tcp, const struct addr *remote)
{
    uint64_t network = 0;
    if (remote->sa.sa_family == AF_INET6)
        memcpy(&network, &remote->in6.sin6_addr, sizeof(network));
    else
        network = remote->in.sin_addr.s_addr;
    return (uint16_t)(mix_u64(mix_u64(network ^ tcp->seed) + tcp->seed) & (TCP_HOSTS_N - 1));
}

/* A free record for a connection of `host`. Who opens many and says nothing by them first displaces
 * his own; when there is no place left, the one that has had the most time to say something goes.
 * NULL: all are claimed. */
static struct tcp_connection *place_of_new(struct tcp *tcp, uint16_t host)
{
    struct tcp_connection *displaced = NULL;
    if (tcp->hosts[host].n >= tcp->host_max)
        displaced = &tcp->connections[tcp->hosts[host].unclaimed.first];
    else if (tcp->counters.connections == tcp->connections_max)
        displaced = tcp_first(tcp, TCP_LIST_UNCLAIMED);
    if (displaced != NULL) {
        tcp->counters.displaced++;
        tcp_drop_unclaimed(tcp, displaced);
    }
    return tcp_take(tcp);
}

/* 0, or -errno: then the connection was refused. `remote` is unmapped. */
static int connection_open(struct tcp *tcp, uint32_t listener_index, int fd,
                           const struct addr *remote)
{
    const struct tcp_listener *listener = &tcp->listeners[listener_index];
    uint16_t host = host_of(tcp, remote);
    struct tcp_connection *c = place_of_new(tcp, host);
    if (c == NULL)
        return -ENOSPC;
    int watch = io_watch(tcp->io, fd, tcp_index_of(tcp, c), true);
    if (watch < 0) {
        tcp_give(tcp, c);
        return watch;
    }
    c->fd = fd;
    c->owner = TCP_UNCLAIMED;
    c->watch = (uint16_t)watch;
    c->listener = (uint16_t)listener_index;
    c->socket = listener->socket;
    c->host = host;
    c->state = TCP_OPEN;
    c->accepted_us = tcp->now_us;
    c->remote = *remote;
    c->local = listener->local;
    if (listener->wildcard) {
        socklen_t bytes = sizeof(c->local);
        tcp->counters.syscalls++;
        (void)getsockname(fd, &c->local.sa, &bytes);
    }
    addr_unmap(&c->local);
    tcp_add_unclaimed(tcp, c);
    tcp->counters.accepted++;
    return 0;
}

/* Without a place for it it is taken all the same and reset: else it would stand in the kernel's
 * queue, and whoever made it would wait. */
static int accept_one(struct tcp *tcp, uint32_t listener)
{
    struct addr remote = {0};
    socklen_t bytes = sizeof(remote);
    tcp->counters.syscalls++;
    int fd = accept4(tcp->listeners[listener].fd, &remote.sa, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return -errno;
    addr_unmap(&remote);
    if (connection_open(tcp, listener, fd, &remote) != 0) {
        tcp->counters.refused++;
        tcp_fd_reset(tcp, fd);
    }
    return 0;
}

/* One connection's misfortune, which accept() tells as its own (accept(2), "Error handling"). */
static bool error_is_of_connection(int error)
{
    switch (error) {
    case -ECONNABORTED:
    case -EINTR:
    case -EPERM:
    case -EPROTO:
    case -ENOPROTOOPT:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENONET:
    case -EOPNOTSUPP:
    case -ETIMEDOUT:
        return true;
    default:
        return false;
    }
}

static void accept_some(struct tcp *tcp, uint32_t index)
{
    struct tcp_listener *listener = &tcp->listeners[index];
    listener->due_us = INT64_MAX;
    for (int i = 0; i < TCP_ACCEPTS_MAX; i++) {
        int failed = accept_one(tcp, index);
        if (failed == -EAGAIN)
            return;
        if (failed == 0)
            continue;
        if (error_is_of_connection(failed)) {
            tcp->counters.accept_errors++;
            continue;
        }
        tcp->counters.accept_backoffs++; /* EMFILE, ENFILE, ENOBUFS, ENOMEM */
        accept_later(tcp, listener, tcp->now_us + TCP_ACCEPT_RETRY_US);
        return;
    }
    accept_later(tcp, listener, 0);
}

static int listener_watch(struct tcp *tcp, uint32_t index)
{
    struct tcp_listener *listener = &tcp->listeners[index];
    int watch = io_watch(tcp->io, listener->fd, TCP_TAG_LISTENER | index, false);
    listener->watch = watch < 0 ? TCP_NONE16 : (uint16_t)watch;
    return watch < 0 ? watch : 0;
}

int tcp_listen(struct tcp *tcp, int fd, uint16_t socket)
{
    struct addr local = {0};
    socklen_t bytes = sizeof(local);
    uint32_t index = 0;
    while (index < tcp->listeners_max && tcp->listeners[index].fd >= 0)
        index++;
    if (index == tcp->listeners_max)
        return -ENOSPC;
    if (getsockname(fd, &local.sa, &bytes) != 0)
        return -errno;
    struct tcp_listener *listener = &tcp->listeners[index];
    *listener = (struct tcp_listener){.fd = fd,
                                      .socket = socket,
                                      .wildcard = addr_is_wildcard(&local),
                                      .local = local,
                                      .due_us = INT64_MAX};
    int failed = listener_watch(tcp, index);
    if (failed) {
        listener->fd = -1;
        return failed;
    }
    tcp->counters.listeners++;
    return (int)index;
}

void tcp_unlisten(struct tcp *tcp, uint32_t index)
{
    ASSERT(index < tcp->listeners_max);
    struct tcp_listener *listener = &tcp->listeners[index];
    ASSERT(listener->fd >= 0);
    if (listener->watch != TCP_NONE16)
        io_unwatch(tcp->io, listener->watch);
    close(listener->fd);
    listener->fd = -1;
    tcp->counters.listeners--;
    for (uint16_t at = tcp->lists[TCP_LIST_UNCLAIMED].first; at != TCP_NONE16;) {
        struct tcp_connection *c = &tcp->connections[at];
        at = c->links[TCP_LIST_UNCLAIMED].next;
        if (c->listener == index)
            tcp_drop_unclaimed(tcp, c);
    }
}

/* A listener that the engine gave up on is watched again: first of all it tells what waits. */
static void listener_resume(struct tcp *tcp, uint32_t index)
{
    if (tcp->listeners[index].watch == TCP_NONE16 && listener_watch(tcp, index) != 0)
        accept_later(tcp, &tcp->listeners[index], tcp->now_us + TCP_ACCEPT_RETRY_US);
    else
        accept_some(tcp, index);
}

void tcp_on_listener(struct tcp *tcp, uint32_t index, const struct io_event *event)
{
    struct tcp_listener *listener = &tcp->listeners[index];
    ASSERT(listener->fd >= 0);
    if (event->error) {
        io_unwatch(tcp->io, listener->watch);
        listener->watch = TCP_NONE16;
        accept_later(tcp, listener, tcp->now_us + TCP_ACCEPT_RETRY_US);
    } else if (listener->due_us == INT64_MAX) {
        accept_some(tcp, index);
    }
}

void tcp_accept_turn(struct tcp *tcp)
{
    if (tcp->now_us < tcp->accept_due_us)
        return;
    tcp->accept_due_us = INT64_MAX;
    for (uint32_t i = 0; i < tcp->listeners_max; i++) {
        struct tcp_listener *listener = &tcp->listeners[i];
        if (listener->fd < 0)
            continue;
        if (listener->due_us <= tcp->now_us)
            listener_resume(tcp, i);
        else
            accept_later(tcp, listener, listener->due_us);
    }
}
