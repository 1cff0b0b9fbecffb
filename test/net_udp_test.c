/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_udp_test.c - UDP sockets: ports, ranges, families, buffers. */
#include "net/udp.h"
#include "test/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct addr at(const char *ip, uint16_t port)
{
    struct addr addr;
    ck_assert_int_eq(addr_parse(&addr, ip, port), 0);
    return addr;
}

START_TEST(test_any_port)
{
    struct udp_socket udp;
    struct udp_options options = {0};
    struct addr local = at("127.0.0.1", 0);
    ck_assert_int_eq(udp_open(&udp, &local, &options), 0);
    ck_assert_uint_ne(addr_port(&udp.local), 0);
    ck_assert(addr_equal_ip(&udp.local, &local));
    ck_assert_int_ne(fcntl(udp.fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(udp.fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_uint_gt(udp.receive_bytes, 0);
    close(udp.fd);
}

END_TEST

START_TEST(test_busy_port)
{
    struct udp_socket udp, other;
    struct udp_options options = {0};
    struct addr local = at("127.0.0.1", 0);
    ck_assert_int_eq(udp_open(&udp, &local, &options), 0);
    ck_assert_int_eq(udp_open(&other, &udp.local, &options), -EADDRINUSE);
    close(udp.fd);
    /* A port that is let go is there again. */
    ck_assert_int_eq(udp_open(&other, &udp.local, &options), 0);
    ck_assert(addr_equal(&other.local, &udp.local));
    close(other.fd);
}

END_TEST

/* All ports of a range are found, each once; then it is full. */
START_TEST(test_range)
{
    enum { N = 6 };
    struct udp_socket udp[N], more;
    struct udp_options options = {.port_min = 23450, .port_max = 23450 + N - 1};
    struct addr local = at("127.0.0.7", 0);
    unsigned seen = 0;
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(udp_open(&udp[i], &local, &options), 0);
        seen |= 1u << (addr_port(&udp[i].local) - 23450);
    }
    ck_assert_uint_eq(seen, (1u << N) - 1);
    ck_assert_int_eq(udp_open(&more, &local, &options), -EADDRINUSE);
    for (int i = 0; i < N; i++)
        close(udp[i].fd);
}

END_TEST

START_TEST(test_reuse)
{
    struct udp_socket udp, other;
    struct udp_options options = {.reuse_port = true};
    struct addr local = at("127.0.0.1", 0);
    ck_assert_int_eq(udp_open(&udp, &local, &options), 0);
    ck_assert_int_eq(udp_open(&other, &udp.local, &options), 0);
    close(udp.fd);
    close(other.fd);
}

END_TEST

START_TEST(test_ipv6)
{
    struct udp_socket udp, four;
    struct udp_options options = {.v6_only = true};
    struct addr local = at("::", 0);
    int failed = udp_open(&udp, &local, &options);
    if (failed == -EAFNOSUPPORT || failed == -EADDRNOTAVAIL)
        SKIP("no IPv6 here");
    ck_assert_int_eq(failed, 0);
    /* For IPv6 only: IPv4 may have the same port. */
    local = at("0.0.0.0", addr_port(&udp.local));
    options.v6_only = false;
    ck_assert_int_eq(udp_open(&four, &local, &options), 0);
    close(udp.fd);
    close(four.fd);
}

END_TEST

START_TEST(test_foreign)
{
    struct udp_socket udp;
    struct udp_options options = {0};
    struct addr local = at("192.0.2.1", 0);
    ck_assert_int_eq(udp_open(&udp, &local, &options), -EADDRNOTAVAIL);
}

END_TEST

START_TEST(test_buffers)
{
    /* At least the usual default, twice the rate twice as much, never beyond a bound. */
    ck_assert_uint_eq(udp_receive_bytes(0), udp_receive_bytes(1000));
    uint32_t once = udp_receive_bytes(100000), twice = udp_receive_bytes(200000);
    ck_assert_uint_ge(once, 100000u / 50 * 1152);
    ck_assert_uint_ge(twice, 2 * once - 2304);
    ck_assert_uint_le(udp_receive_bytes(UINT32_MAX), 64u << 20);

    struct udp_socket udp;
    struct udp_options options = {.receive_bytes = 1 << 30};
    struct addr local = at("127.0.0.1", 0);
    ck_assert_int_eq(udp_open(&udp, &local, &options), 0);
    /* Granted, or said. */
    ck_assert_int_eq(udp.receive_refused, udp.receive_bytes < 1u << 30);
    close(udp.fd);
}

END_TEST

Suite *net_udp_suite(void)
{
    Suite *suite = suite_create("net_udp");
    TCase *tc = tcase_create("udp");
    tcase_add_test(tc, test_any_port);
    tcase_add_test(tc, test_busy_port);
    tcase_add_test(tc, test_range);
    tcase_add_test(tc, test_reuse);
    tcase_add_test(tc, test_ipv6);
    tcase_add_test(tc, test_foreign);
    tcase_add_test(tc, test_buffers);
    suite_add_tcase(suite, tc);
    return suite;
}
