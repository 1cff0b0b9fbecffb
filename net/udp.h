/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/udp.h - UDP sockets made by the control thread: bound, sized, from a port range.
 *
 * Receive buffers are sized for a stall of 20 ms at the planned rate and forced where the system
 * allows it; what the system refused is said. Threads: the control thread's; system calls, no
 * worker's turn. */
#ifndef NET_UDP_H
#define NET_UDP_H

#include "core/addr.h"

struct udp_options {
    uint16_t port_min, port_max; /* used when the address has port 0; 0/0: the system's range */
    bool v6_only;
    bool reuse_port;
    uint32_t receive_bytes, send_bytes; /* 0: default for the planned rate */
};

struct udp_socket {
    int fd;
    struct addr local;      /* port filled */
    uint32_t receive_bytes; /* what the system granted */
    bool receive_refused;   /* less than asked for */
};

enum { UDP_STALL_US = 20000 };

/* Bytes of receive buffer for `packets_per_second` during UDP_STALL_US, with the kernel's cost per
 * packet counted in. */
uint32_t udp_receive_bytes(uint32_t packets_per_second);

/* 0; -EADDRINUSE (also: the whole range is taken), -EADDRNOTAVAIL, -EACCES, -errno. Tries a busy
 * port again for up to 50 ms: a closing ring holds it that long. Ports of a range are tried from a
 * random start. */
int udp_open(struct udp_socket *socket, const struct addr *local,
             const struct udp_options *options);

/* What udp_open() does with a socket of its own, for net/tcp_open.c: flags, and a port of the range
 * as above; fills in the port. 0 or -errno; the fd stays the caller's. */
int udp_bind(int fd, struct addr *local, const struct udp_options *options);

/* A buffer of `bytes` by force where the system lets us, else up to its limit. Returns what was
 * granted, undoubled. */
uint32_t udp_buffer_set(int fd, int option, int force, uint32_t bytes);

#endif
