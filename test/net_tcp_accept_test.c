/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_tcp_accept_test.c - who gets a place among the TCP connections, and who gives way, on
 * both engines. */
#include "test/net_tcp_rig.h"

#include "core/clock.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct tcp_rig rig; /* its log is large */

static const struct tcp_rig_config usual = {0};

/* Turns until so many have given way. */
static void wait_displaced(uint64_t n)
{
    for (int i = 0; i < 100 && tcp_counters(rig.tcp)->displaced < n; i++)
        tcp_rig_turn(&rig, 10000);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->displaced, n);
}

/* Claims the connection of a peer that has sent nothing yet. */
static void claim(int peer, uint32_t owner)
{
    uint8_t data[64];
    uint32_t before = rig.frames_n;
    tcp_rig_peer_send(peer, data, tcp_rig_frame(data, 40, 0));
    tcp_rig_frames(&rig, before + 1);
    ck_assert(tcp_claim(rig.tcp, rig.last.id, owner));
}

/* When all places are claimed a new connection is reset; a place that is free is given again. */
START_TEST(connections_over_the_limit_are_reset)
{
    enum { MAX = 4, N = 60 };

    int peers[N];
    struct tcp_rig_config config = {.connections_max = MAX};
    tcp_rig_open(&rig, _i, &config);
    for (uint32_t i = 0; i < MAX; i++)
        tcp_rig_claimed(&rig, &peers[i], 0, i);
    for (int i = MAX; i < N; i++)
        peers[i] = tcp_rig_connect(&rig.listening.local, 0);
    const struct tcp_counters *counters = tcp_counters(rig.tcp);
    for (int i = 0; i < 100 && counters->refused < N - MAX; i++)
        tcp_rig_turn(&rig, 10000);
    ck_assert_uint_eq(counters->accepted, MAX);
    ck_assert_uint_eq(counters->refused, N - MAX);
    ck_assert_uint_eq(counters->connections, MAX);
    for (int i = MAX; i < N; i++) {
        ck_assert(tcp_rig_peer_is_ended(&rig, peers[i]));
        close(peers[i]);
    }
    for (uint32_t round = 0; round < 20; round++) {
        close(peers[round % MAX]);
        for (int i = 0; i < 100 && counters->connections == MAX; i++)
            tcp_rig_turn(&rig, 10000);
        ck_assert_uint_eq(counters->connections, MAX - 1);
        tcp_rig_claimed(&rig, &peers[round % MAX], 0, round);
        ck_assert_uint_eq(counters->accepted, MAX + round + 1);
    }
    ck_assert_uint_eq(counters->refused, N - MAX);
    ck_assert_uint_eq(counters->displaced, 0);
    for (int i = 0; i < MAX; i++)
        close(peers[i]);
    tcp_rig_close(&rig);
}

END_TEST

/* Full of connections that nobody has claimed: each new one takes the place of the oldest of them,
 * whoever's it is; claimed ones stay. */
START_TEST(the_oldest_unclaimed_gives_way_when_the_table_is_full)
{
    enum { MAX = 4, N = 40 };

    int first, peers[N];
    char from[32];
    struct tcp_rig_config config = {.connections_max = MAX};
    tcp_rig_open(&rig, _i, &config);
    struct tcp_id id = tcp_rig_claimed(&rig, &first, 0, 1);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(from, sizeof(from), "127.0.1.%u", i + 1);
        peers[i] = tcp_rig_connect_from(&rig.listening.local, from);
        tcp_rig_accepted(&rig, 2 + i);
        uint32_t others = i < MAX - 1 ? i + 1 : MAX - 1; /* claimed none */
        ck_assert_uint_eq(tcp_counters(rig.tcp)->unclaimed, others);
        ck_assert_uint_eq(tcp_counters(rig.tcp)->displaced, i + 1 - others);
        if (i >= MAX - 1)
            ck_assert(tcp_rig_peer_is_ended(&rig, peers[i - (MAX - 1)]));
    }
    claim(peers[N - (MAX - 1)], 2); /* the oldest that is left is as it was */
    int more = tcp_rig_connect_from(&rig.listening.local, "127.0.1.1");
    wait_displaced(N - (MAX - 1) + 1);
    ck_assert(tcp_rig_peer_is_ended(&rig, peers[N - (MAX - 2)]));
    const struct tcp_counters *counters = tcp_counters(rig.tcp);
    ck_assert_uint_eq(counters->closed_unclaimed, counters->displaced);
    ck_assert_uint_eq(counters->refused, 0);
    ck_assert_uint_eq(counters->connections, MAX);
    uint8_t data[64];
    ck_assert_int_eq(tcp_send(rig.tcp, id, data, 8), DROP_NONE);
    ck_assert_int_eq(tcp_rig_peer_frame(&rig, first, data, sizeof(data)), 8);
    ck_assert_uint_eq(rig.closed_n, 0);
    for (int i = 0; i < N; i++)
        close(peers[i]);
    close(first);
    close(more);
    tcp_rig_close(&rig);
}

END_TEST

/* linux/ipv6.h's, which does not go with netinet/in.h. */
struct in6_request {
    struct in6_addr addr;
    uint32_t prefix_bits;
    int interface;
};

/* A network of this process's own, with addresses on its loopback. False: not allowed to. */
static bool own_network(const char *const *ips, size_t n)
{
    if (unshare(CLONE_NEWNET) != 0)
        return false;
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool right = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &up) == 0;
    for (size_t i = 0; right && i < n; i++) {
        struct addr addr;
        struct in6_request add = {.prefix_bits = 64, .interface = (int)if_nametoindex("lo")};
        ck_assert_int_eq(addr_parse(&addr, ips[i], 0), 0);
        add.addr = addr.in6.sin6_addr;
        right = ioctl(fd, SIOCSIFADDR, &add) == 0;
    }
    if (fd >= 0)
        close(fd);
    return right;
}

/* Who has one IPv6 address has its /64: addresses of it are one source, those of another are not.
 */
START_TEST(a_source_is_a_network_of_ipv6)
{
    enum { MAX = 8, OF_HOST = MAX / 2 };

    static const char *const ips[] = {"fd00:0:0:1::1", "fd00:0:0:1:ffff::2", "fd00:0:0:2::1"};
    struct tcp_rig_config config = {.connections_max = MAX, .ip = ips[0]};
    int peers[2 * OF_HOST], other;
    if (!own_network(ips, ARRAY_N(ips)))
        SKIP("no network namespaces, or no IPv6");
    tcp_rig_open(&rig, _i, &config);
    const struct tcp_counters *counters = tcp_counters(rig.tcp);
    for (uint32_t i = 0; i < OF_HOST; i++)
        peers[i] = tcp_rig_connect_from(&rig.listening.local, ips[i % 2]);
    tcp_rig_accepted(&rig, OF_HOST);
    other = tcp_rig_connect_from(&rig.listening.local, ips[2]);
    tcp_rig_accepted(&rig, OF_HOST + 1);
    ck_assert_uint_eq(counters->displaced, 0);
    for (uint32_t i = OF_HOST; i < 2 * OF_HOST; i++)
        peers[i] = tcp_rig_connect_from(&rig.listening.local, ips[i % 2]);
    tcp_rig_accepted(&rig, 2 * OF_HOST + 1);
    ck_assert_uint_eq(counters->displaced, OF_HOST);
    for (uint32_t i = 0; i < OF_HOST; i++)
        ck_assert(tcp_rig_peer_is_ended(&rig, peers[i]));
    claim(other, 1);
    claim(peers[OF_HOST], 2);
    for (uint32_t i = 0; i < ARRAY_N(peers); i++)
        close(peers[i]);
    close(other);
    tcp_rig_close(&rig);
}

END_TEST

/* One source that opens without end, from another port each time, displaces its own connections:
 * what others have opened before stays to be claimed, and there is room for more of them. */
START_TEST(a_source_displaces_its_own)
{
    enum { MAX = 8, OF_HOST = MAX / 2, N = 60 };

    int peers[N];
    struct tcp_rig_config config = {.connections_max = MAX};
    tcp_rig_open(&rig, _i, &config);
    int before = tcp_rig_connect_from(&rig.listening.local, "127.0.1.1");
    tcp_rig_accepted(&rig, 1);
    for (int i = 0; i < N; i++)
        peers[i] = tcp_rig_connect_from(&rig.listening.local, "127.0.1.2");
    tcp_rig_accepted(&rig, 1 + N);
    const struct tcp_counters *counters = tcp_counters(rig.tcp);
    ck_assert_uint_eq(counters->displaced, N - OF_HOST);
    ck_assert_uint_eq(counters->connections, 1 + OF_HOST);
    for (int i = 0; i < N - OF_HOST; i++)
        ck_assert(tcp_rig_peer_is_ended(&rig, peers[i]));
    int after = tcp_rig_connect_from(&rig.listening.local, "127.0.1.3");
    claim(after, 1);
    claim(before, 2);
    claim(peers[N - OF_HOST], 3); /* the first of those that are left; there is room for one */
    int more = tcp_rig_connect_from(&rig.listening.local, "127.0.1.2");
    tcp_rig_accepted(&rig, N + 3);
    ck_assert_uint_eq(counters->displaced, N - OF_HOST);
    ck_assert_uint_eq(counters->unclaimed, OF_HOST);
    ck_assert_uint_eq(counters->refused, 0);
    for (int i = 0; i < N; i++)
        close(peers[i]);
    close(before);
    close(after);
    close(more);
    tcp_rig_close(&rig);
}

END_TEST

/* More at once than one batch of accepting: all of them, in batches. */
START_TEST(a_crowd_is_accepted_in_batches)
{
    enum { N = 100 };

    uint8_t data[64];
    int peers[N];
    struct tcp_rig_config config = {.connections_max = N};
    tcp_rig_open(&rig, _i, &config);
    rig.claims = true;
    for (uint32_t i = 0; i < N; i++) {
        peers[i] = tcp_rig_connect(&rig.listening.local, 0);
        tcp_rig_peer_send(peers[i], data, tcp_rig_frame(data, 12, i));
    }
    uint64_t before = 0;
    for (int i = 0; i < 100 && tcp_counters(rig.tcp)->accepted < N; i++) {
        tcp_rig_turn(&rig, 10000);
        ck_assert_uint_le(tcp_counters(rig.tcp)->accepted - before, TCP_ACCEPTS_MAX);
        before = tcp_counters(rig.tcp)->accepted;
    }
    tcp_rig_frames(&rig, N);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->unclaimed, 0);
    for (int i = 0; i < N; i++)
        close(peers[i]);
    tcp_rig_closed(&rig, N);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->connections, 0);
    tcp_rig_close(&rig);
}

END_TEST

/* Without descriptors accepting backs off, does not spin, and goes on when there are some. */
START_TEST(accepting_waits_for_descriptors)
{
    struct rlimit before, none;
    tcp_rig_open(&rig, _i, &usual);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    int peer = tcp_rig_connect(&rig.listening.local, 0);
    int lowest = dup(peer);
    close(lowest);
    none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    uint64_t waits = io_counters(rig.io)->waits;
    for (int64_t until_us = clock_now_us() + 250000; clock_now_us() < until_us;)
        tcp_rig_turn(&rig, 50000);
    waits = io_counters(rig.io)->waits - waits;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    const struct tcp_counters *counters = tcp_counters(rig.tcp);
    ck_assert_uint_eq(counters->accepted, 0);
    ck_assert_uint_ge(counters->accept_backoffs, 2);
    ck_assert_uint_le(counters->accept_backoffs, 5);
    ck_assert_uint_le(waits, 20);
    tcp_rig_accepted(&rig, 1);
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

START_TEST(a_closed_listener_takes_its_unclaimed_along)
{
    uint8_t data[64];
    int claimed;
    tcp_rig_open(&rig, _i, &usual);
    struct tcp_id id = tcp_rig_claimed(&rig, &claimed, 0, 1);
    int peer = tcp_rig_connect(&rig.listening.local, 0);
    tcp_rig_accepted(&rig, 2);
    struct tcp_socket second;
    ck_assert_int_eq(tcp_open(&second, &rig.listening.local, &(struct udp_options){0}),
                     -EADDRINUSE);
    tcp_unlisten(rig.tcp, (uint32_t)rig.listener);
    ck_assert(tcp_rig_peer_is_ended(&rig, peer));
    close(peer);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->listeners, 0);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->connections, 1);
    ck_assert_int_eq(tcp_send(rig.tcp, id, data, 8), DROP_NONE);
    ck_assert_int_eq(tcp_rig_peer_frame(&rig, claimed, data, sizeof(data)), 8);
    ck_assert_int_eq(tcp_open(&second, &rig.listening.local, &(struct udp_options){0}), 0);
    ck_assert_int_ge(tcp_listen(rig.tcp, second.fd, TCP_RIG_SOCKET), 0);
    int more = tcp_rig_connect(&second.local, 0);
    tcp_rig_accepted(&rig, 3);
    struct tcp_socket third, fourth;
    struct addr any;
    ck_assert_int_eq(addr_parse(&any, "127.0.0.1", 0), 0);
    ck_assert_int_eq(tcp_open(&third, &any, &(struct udp_options){0}), 0);
    ck_assert_int_ge(tcp_listen(rig.tcp, third.fd, 8), 0);
    ck_assert_int_eq(tcp_open(&fourth, &any, &(struct udp_options){0}), 0);
    ck_assert_int_eq(tcp_listen(rig.tcp, fourth.fd, 9), -ENOSPC);
    close(fourth.fd);
    close(more);
    close(claimed);
    tcp_rig_close(&rig);
}

END_TEST

Suite *net_tcp_accept_suite(void);

Suite *net_tcp_accept_suite(void)
{
    const TTest *const tests[] = {
        connections_over_the_limit_are_reset,
        the_oldest_unclaimed_gives_way_when_the_table_is_full,
        a_source_displaces_its_own,
        a_source_is_a_network_of_ipv6,
        a_crowd_is_accepted_in_batches,
        accepting_waits_for_descriptors,
        a_closed_listener_takes_its_unclaimed_along,
    };
    Suite *suite = suite_create("net/tcp accept");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < ARRAY_N(tests); i++)
        tcase_add_loop_test(tcase, tests[i], 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
