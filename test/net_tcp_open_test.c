/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_tcp_open_test.c - listening sockets: ports, ranges, families, what connections inherit.
 */
#include "net/tcp_open.h"
#include "test/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

static struct addr at(const char *ip, uint16_t port)
{
    struct addr addr;
    ck_assert_int_eq(addr_parse(&addr, ip, port), 0);
    return addr;
}

static int connect_to(const struct addr *to)
{
    int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, &to->sa, addr_len(to)), 0);
    return fd;
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t bytes = sizeof(value);
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &bytes), 0);
    return value;
}

START_TEST(connections_inherit)
{
    struct tcp_socket tcp;
    struct udp_options options = {.send_bytes = 30000, .receive_bytes = 20000};
    struct addr local = at("127.0.0.1", 0);
    ck_assert_int_eq(tcp_open(&tcp, &local, &options), 0);
    ck_assert_uint_ne(addr_port(&tcp.local), 0);
    ck_assert(addr_equal_ip(&tcp.local, &local));
    ck_assert_int_ne(fcntl(tcp.fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(tcp.fd, F_GETFD) & FD_CLOEXEC, 0);
    int peer = connect_to(&tcp.local);
    int fd = accept(tcp.fd, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), TCP_SILENT_S);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), TCP_ASK_S);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), TCP_ASKS_N);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), TCP_UNANSWERED_MS);
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), TCP_UNSENT_BYTES);
    ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_SNDBUF), 60000);
    ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_RCVBUF), 40000);
    close(fd);
    close(peer);
    close(tcp.fd);
}

END_TEST

/* Also right after a connection on it was closed by us, which leaves its port in TIME_WAIT. */
START_TEST(busy_ports_are_refused_and_free_ones_are_not)
{
    struct tcp_socket tcp, other;
    struct udp_options options = {0};
    struct addr local = at("127.0.0.1", 0);
    ck_assert_int_eq(tcp_open(&tcp, &local, &options), 0);
    ck_assert_int_eq(tcp_open(&other, &tcp.local, &options), -EADDRINUSE);
    int peer = connect_to(&tcp.local);
    int fd = accept(tcp.fd, NULL, NULL);
    ck_assert_int_ge(fd, 0);
    close(fd);
    close(peer);
    close(tcp.fd);
    ck_assert_int_eq(tcp_open(&other, &tcp.local, &options), 0);
    ck_assert(addr_equal(&other.local, &tcp.local));
    close(other.fd);
}

END_TEST

START_TEST(ports_of_a_range_are_found_once_each)
{
    enum { N = 5, LOW = 23470 };
    struct tcp_socket tcp[N], more;
    struct udp_options options = {.port_min = LOW, .port_max = LOW + N - 1};
    struct addr local = at("127.0.0.7", 0);
    unsigned seen = 0;
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(tcp_open(&tcp[i], &local, &options), 0);
        seen |= 1u << (addr_port(&tcp[i].local) - LOW);
    }
    ck_assert_uint_eq(seen, (1u << N) - 1);
    ck_assert_int_eq(tcp_open(&more, &local, &options), -EADDRINUSE);
    for (int i = 0; i < N; i++)
        close(tcp[i].fd);
}

END_TEST

START_TEST(a_port_is_shared_on_request)
{
    struct tcp_socket tcp, other;
    struct udp_options options = {.reuse_port = true};
    struct addr local = at("127.0.0.1", 0);
    ck_assert_int_eq(tcp_open(&tcp, &local, &options), 0);
    ck_assert_int_eq(tcp_open(&other, &tcp.local, &options), 0);
    close(tcp.fd);
    close(other.fd);
}

END_TEST

START_TEST(ipv6_alone_or_with_ipv4)
{
    struct tcp_socket six, four;
    struct udp_options options = {.v6_only = true};
    struct addr local = at("::", 0);
    int failed = tcp_open(&six, &local, &options);
    if (failed == -EAFNOSUPPORT || failed == -EADDRNOTAVAIL)
        SKIP("no IPv6 here");
    ck_assert_int_eq(failed, 0);
    options.v6_only = false;
    local = at("0.0.0.0", addr_port(&six.local));
    ck_assert_int_eq(tcp_open(&four, &local, &options), 0);
    close(four.fd);
    close(six.fd);
    local = at("::", 0);
    ck_assert_int_eq(tcp_open(&six, &local, &options), 0);
    local = at("127.0.0.1", addr_port(&six.local));
    close(connect_to(&local));
    close(six.fd);
}

END_TEST

START_TEST(foreign_addresses_are_refused)
{
    struct tcp_socket tcp;
    struct udp_options options = {0};
    struct addr local = at("192.0.2.1", 0);
    ck_assert_int_eq(tcp_open(&tcp, &local, &options), -EADDRNOTAVAIL);
}

END_TEST

Suite *net_tcp_open_suite(void);

Suite *net_tcp_open_suite(void)
{
    Suite *suite = suite_create("net/tcp_open");
    TCase *tcase = tcase_create("tcp_open");
    tcase_add_test(tcase, connections_inherit);
    tcase_add_test(tcase, busy_ports_are_refused_and_free_ones_are_not);
    tcase_add_test(tcase, ports_of_a_range_are_found_once_each);
    tcase_add_test(tcase, a_port_is_shared_on_request);
    tcase_add_test(tcase, ipv6_alone_or_with_ipv4);
    tcase_add_test(tcase, foreign_addresses_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
