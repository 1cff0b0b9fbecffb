/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/addr.c - text to endpoint, endpoint to text, and what makes two of them the same. */
#include "core/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

static_assert(offsetof(struct addr, in.sin_port) == offsetof(struct addr, in6.sin6_port),
              "the port stands at the same place in both families");

static bool is_v4(const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET;
}

static bool is_v6(const struct addr *addr)
{
    return addr->sa.sa_family == AF_INET6;
}

/* Only link-local addresses need to say on which interface they live (RFC 4007 6). */
static bool has_scope(const struct addr *addr)
{
    return is_v6(addr) && (IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr) ||
                           IN6_IS_ADDR_MC_LINKLOCAL(&addr->in6.sin6_addr));
}

/* "%eth0" or "%2", without the sign: an interface's index, or 0. */
static uint32_t parse_scope(const char *text)
{
    uint64_t number = 0;
    size_t at = 0;
    while (text[at] >= '0' && text[at] <= '9' && number <= UINT32_MAX)
        number = number * 10 + (uint64_t)(text[at++] - '0');
    if (at > 0 && text[at] == 0)
        return number <= UINT32_MAX ? (uint32_t)number : 0;
    return if_nametoindex(text);
}

static int parse_v6(struct addr *addr, const char *text)
{
    char ip[INET6_ADDRSTRLEN];
    size_t ip_bytes = strcspn(text, "%");
    if (ip_bytes >= sizeof(ip))
        return -EINVAL;
    memcpy(ip, text, ip_bytes);
    ip[ip_bytes] = 0;

    addr->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
    if (inet_pton(AF_INET6, ip, &addr->in6.sin6_addr) != 1)
        return -EINVAL;
    if (text[ip_bytes] == '%') {
        addr->in6.sin6_scope_id = has_scope(addr) ? parse_scope(text + ip_bytes + 1) : 0;
        if (addr->in6.sin6_scope_id == 0)
            return -EINVAL;
    }
    return 0;
}

int addr_parse(struct addr *addr, const char *text, uint16_t port)
{
    struct addr parsed;
    memset(&parsed, 0, sizeof(parsed)); /* the union's tail, too */
    if (strchr(text, ':')) {
        int failed = parse_v6(&parsed, text);
        if (failed)
            return failed;
        addr_unmap(&parsed);
    } else {
        parsed.in.sin_family = AF_INET;
        if (inet_pton(AF_INET, text, &parsed.in.sin_addr) != 1)
            return -EINVAL;
    }
    addr_set_port(&parsed, port);
    *addr = parsed;
    return 0;
}

const char *addr_format_ip(const struct addr *addr, char text[ADDR_TEXT_BYTES])
{
    text[0] = 0;
    if (is_v4(addr))
        inet_ntop(AF_INET, &addr->in.sin_addr, text, ADDR_TEXT_BYTES);
    if (!is_v6(addr))
        return text;

    inet_ntop(AF_INET6, &addr->in6.sin6_addr, text, ADDR_TEXT_BYTES);
    if (has_scope(addr) && addr->in6.sin6_scope_id != 0) {
        char name[IF_NAMESIZE];
        size_t at = strlen(text);
        if (if_indextoname(addr->in6.sin6_scope_id, name))
            snprintf(text + at, ADDR_TEXT_BYTES - at, "%%%s", name);
        else
            snprintf(text + at, ADDR_TEXT_BYTES - at, "%%%u", addr->in6.sin6_scope_id);
    }
    return text;
}

const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_BYTES])
{
    char ip[ADDR_TEXT_BYTES];
    addr_format_ip(addr, ip);
    text[0] = 0;
    if (is_v4(addr))
        snprintf(text, ADDR_TEXT_BYTES, "%.15s:%u", ip, addr_port(addr));
    if (is_v6(addr)) /* a link-local address with its interface's name fits exactly */
        snprintf(text, ADDR_TEXT_BYTES, "[%.55s]:%u", ip, addr_port(addr));
    return text;
}

bool addr_equal_ip(const struct addr *a, const struct addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (is_v4(a))
        return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    if (!is_v6(a))
        return true; /* two empty ones */
    if (!IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr))
        return false;
    return !has_scope(a) || a->in6.sin6_scope_id == b->in6.sin6_scope_id;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return addr_equal_ip(a, b) && addr_port(a) == addr_port(b);
}

uint32_t addr_hash(const struct addr *addr)
{
    uint64_t hash = (uint64_t)addr->sa.sa_family << 16 | addr_port(addr);
    if (is_v4(addr))
        return (uint32_t)mix_u64(hash << 32 | addr->in.sin_addr.s_addr);
    if (!is_v6(addr))
        return (uint32_t)mix_u64(hash);

    if (has_scope(addr))
        hash |= (uint64_t)addr->in6.sin6_scope_id << 32;
    hash = mix_u64(hash ^ be64(addr->in6.sin6_addr.s6_addr));
    return (uint32_t)mix_u64(hash + be64(addr->in6.sin6_addr.s6_addr + 8));
}

bool addr_is_wildcard(const struct addr *addr)
{
    if (is_v4(addr))
        return addr->in.sin_addr.s_addr == htonl(INADDR_ANY);
    return is_v6(addr) && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

bool addr_is_loopback(const struct addr *addr)
{
    if (is_v4(addr)) /* 127.0.0.0/8, RFC 1122 3.2.1.3 */
        return ntohl(addr->in.sin_addr.s_addr) >> 24 == 127;
    return is_v6(addr) && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

bool addr_is_multicast(const struct addr *addr)
{
    if (is_v4(addr))
        return IN_MULTICAST(ntohl(addr->in.sin_addr.s_addr));
    return is_v6(addr) && IN6_IS_ADDR_MULTICAST(&addr->in6.sin6_addr);
}

uint16_t addr_port(const struct addr *addr)
{
    return addr_is_set(addr) ? ntohs(addr->in.sin_port) : 0;
}

void addr_set_port(struct addr *addr, uint16_t port)
{
    ASSERT(addr_is_set(addr));
    addr->in.sin_port = htons(port);
}

socklen_t addr_len(const struct addr *addr)
{
    if (is_v4(addr))
        return sizeof(addr->in);
    return is_v6(addr) ? sizeof(addr->in6) : 0;
}

void addr_unmap(struct addr *addr)
{
    if (!is_v6(addr) || !IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr))
        return;
    struct addr plain;
    memset(&plain, 0, sizeof(plain));
    plain.in.sin_family = AF_INET;
    plain.in.sin_port = addr->in6.sin6_port;
    memcpy(&plain.in.sin_addr, addr->in6.sin6_addr.s6_addr + 12, sizeof(plain.in.sin_addr));
    *addr = plain;
}
