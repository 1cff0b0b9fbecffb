/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/addr.h - one IPv4 or IPv6 endpoint, in the kernel's own layout so that it needs no copying.
 *
 * Threads: values, no state. IPv4-mapped IPv6 addresses are turned into plain IPv4 by
 * addr_unmap(), so that a peer has one key whatever socket it came in by. */
#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include "core/base.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum { ADDR_BYTES = 28, ADDR_TEXT_BYTES = 64 }; /* "[v6%scope]:port" with its zero */

struct addr {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

static_assert(sizeof(struct addr) == ADDR_BYTES, "an address is a slot's name area");

/* `text` is an IP address without port ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"); a mapped one
 * is unmapped, a scope is allowed with link-local addresses only. 0, or -EINVAL with `addr` as it
 * was. */
int addr_parse(struct addr *addr, const char *text, uint16_t port);

/* The IP part, without port or brackets, as addr_parse() takes it; "" for an empty address. Returns
 * `text`. */
const char *addr_format_ip(const struct addr *addr, char text[ADDR_TEXT_BYTES]);

/* "192.0.2.1:5004" or "[2001:db8::1]:5004". Returns `text`. */
const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_BYTES]);

/* Family, IP and port are the same (flow label is ignored, scope counts for link-local only). */
bool addr_equal(const struct addr *a, const struct addr *b);

/* Same family and IP, whatever the port. */
bool addr_equal_ip(const struct addr *a, const struct addr *b);

/* Not keyed: for tables whose size is bounded and whose entries only controllers make. */
uint32_t addr_hash(const struct addr *addr);

bool addr_is_wildcard(const struct addr *addr);
bool addr_is_loopback(const struct addr *addr);
bool addr_is_multicast(const struct addr *addr);
uint16_t addr_port(const struct addr *addr); /* host order; 0 for an empty address */
void addr_set_port(struct addr *addr, uint16_t port);

/* What bind() and sendto() want as length; 0 for an empty address. */
socklen_t addr_len(const struct addr *addr);

/* ::ffff:a.b.c.d becomes a.b.c.d; others stay. */
void addr_unmap(struct addr *addr);

static inline bool addr_is_set(const struct addr *addr)
{
    return addr->sa.sa_family != AF_UNSPEC;
}

#endif
