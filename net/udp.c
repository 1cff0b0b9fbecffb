/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/udp.c - UDP sockets made by the control thread: bound, sized, from a port range. */
#include "net/udp.h"

#include "core/clock.h"
#include "core/random.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKET_TRUESIZE = 2304, /* what the kernel charges for a packet of 1200 bytes: one 2 KiB buffer
                               and its head */
    RECEIVE_BYTES_MIN = 208 << 10, /* the kernel's usual default */
    RECEIVE_BYTES_MAX = 64 << 20,
    SEND_BYTES =
        1 << 20, /* a batch to a thousand receivers leaves by one socket, when it is shared */
    BUSY_TRY_US = 2000,
    BUSY_US = 50000,
};

uint32_t udp_receive_bytes(uint32_t packets_per_second)
{
    uint64_t packets = (uint64_t)packets_per_second * UDP_STALL_US / 1000000 + 1;
    /* The kernel doubles what it is given and charges the true size against that. */
    return (uint32_t)clamp_i64((int64_t)(packets * PACKET_TRUESIZE / 2), RECEIVE_BYTES_MIN,
                               RECEIVE_BYTES_MAX);
}

uint32_t udp_buffer_set(int fd, int option, int force, uint32_t bytes)
{
    int want = (int)bytes, have = 0;
    socklen_t have_bytes = sizeof(have);
    if (setsockopt(fd, SOL_SOCKET, force, &want, sizeof(want)) != 0)
        setsockopt(fd, SOL_SOCKET, option, &want, sizeof(want));
    if (getsockopt(fd, SOL_SOCKET, option, &have, &have_bytes) != 0 || have < 0)
        return 0;
    return (uint32_t)have / 2;
}

static int flags_set(int fd, int family, const struct udp_options *options)
{
    int one = 1, v6_only = options->v6_only;
    if (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0)
        return -errno;
    if (family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) != 0)
        return -errno;
    return 0;
}

static void nap(void)
{
    struct timespec time = {.tv_nsec = BUSY_TRY_US * 1000};
    nanosleep(&time, NULL);
}

/* Every port of the range once, from a random start; 0 is the system's choice. */
static int bind_range(int fd, struct addr *local, uint16_t port_min, uint16_t port_max)
{
    uint32_t n = (uint32_t)port_max - port_min + 1;
    uint32_t start = n > 1 ? random_u32() % n : 0;
    for (uint32_t i = 0; i < n; i++) {
        addr_set_port(local, (uint16_t)(port_min + (start + i) % n));
        if (bind(fd, &local->sa, addr_len(local)) == 0)
            return 0;
        if (errno != EADDRINUSE)
            return -errno;
    }
    return -EADDRINUSE;
}

static int bind_patiently(int fd, struct addr *local, const struct udp_options *options)
{
    uint16_t port = addr_port(local);
    uint16_t low = port ? port : options->port_min, high = port ? port : options->port_max;
    int64_t until_us = clock_now_us() + BUSY_US;
    int failed = bind_range(fd, local, low, high);
    while (failed == -EADDRINUSE && clock_now_us() < until_us) {
        nap();
        failed = bind_range(fd, local, low, high);
    }
    return failed;
}

int udp_bind(int fd, struct addr *local, const struct udp_options *options)
{
    int failed = flags_set(fd, local->sa.sa_family, options);
    if (!failed)
        failed = bind_patiently(fd, local, options);
    socklen_t bytes = sizeof(*local);
    if (!failed && getsockname(fd, &local->sa, &bytes) != 0)
        failed = -errno;
    return failed;
}

int udp_open(struct udp_socket *out, const struct addr *local, const struct udp_options *options)
{
    int fd = socket(local->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;

    struct addr bound = *local;
    int failed = udp_bind(fd, &bound, options);
    if (failed) {
        close(fd);
        return failed;
    }

    uint32_t want = options->receive_bytes ? options->receive_bytes : RECEIVE_BYTES_MIN;
    uint32_t granted = udp_buffer_set(fd, SO_RCVBUF, SO_RCVBUFFORCE, want);
    udp_buffer_set(fd, SO_SNDBUF, SO_SNDBUFFORCE,
                   options->send_bytes ? options->send_bytes : SEND_BYTES);
    *out = (struct udp_socket){
        .fd = fd, .local = bound, .receive_bytes = granted, .receive_refused = granted < want};
    return 0;
}
