/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_stunlimit_test.c - how many STUN errors go to one source, and to all. */
#include "net/stunlimit.h"

#include "test/must.h"
#include "test/suite.h"

enum { SECOND = 1000000 };

static struct addr address(const char *text, uint16_t port)
{
    struct addr addr;
    MUST(addr_parse(&addr, text, port) == 0);
    return addr;
}

static struct addr host(uint32_t i)
{
    struct addr addr = address("10.0.0.0", 1);
    addr.in.sin_addr.s_addr = htonl(0x0a000000 + i);
    return addr;
}

static unsigned take_all(struct stunlimit *limit, const struct addr *source, int64_t now_us)
{
    unsigned n = 0;
    while (n < 1000 && stunlimit_take(limit, source, now_us))
        n++;
    return n;
}

static const int64_t starts[] = {0, 1, 5 * (int64_t)SECOND, INT64_MAX / 2, INT64_MIN / 2};

START_TEST(a_source_has_a_burst_and_then_a_rate)
{
    struct stunlimit limit;
    struct addr source = address("192.0.2.1", 1), other_port = address("192.0.2.1", 2);
    int64_t now_us = starts[_i];
    stunlimit_init(&limit, 1);
    ck_assert_uint_eq(take_all(&limit, &source, now_us), STUNLIMIT_BURST);
    ck_assert(!stunlimit_take(&limit, &other_port, now_us));
    unsigned n = 0;
    for (int64_t us = 1; us <= 10 * SECOND; us += 1000)
        n += stunlimit_take(&limit, &source, now_us + us);
    ck_assert_uint_ge(n, 10 * STUNLIMIT_BURST - 1);
    ck_assert_uint_le(n, 10 * STUNLIMIT_BURST);
    /* A pause fills the bucket, no more. */
    ck_assert_uint_eq(take_all(&limit, &source, now_us + 3600 * (int64_t)SECOND), STUNLIMIT_BURST);
}

END_TEST

START_TEST(sources_do_not_starve_each_other)
{
    struct stunlimit limit;
    struct addr bad = host(0);
    stunlimit_init(&limit, 7);
    unsigned served = 0;
    for (uint32_t i = 1; i <= 100; i++) { /* one a second, the flood between them */
        struct addr good = host(i);
        take_all(&limit, &bad, i * (int64_t)SECOND);
        served += stunlimit_take(&limit, &good, i * (int64_t)SECOND);
    }
    ck_assert_uint_ge(served, 97); /* a bucket in 256 is the flood's */
}

END_TEST

START_TEST(all_have_a_bound)
{
    struct stunlimit limit;
    unsigned n = 0;
    stunlimit_init(&limit, 3);
    for (uint32_t i = 0; i < 5000; i++) {
        struct addr source = host(i);
        n += stunlimit_take(&limit, &source, SECOND);
    }
    ck_assert_uint_eq(n, STUNLIMIT_BURST_ALL);
    for (uint32_t i = 0; i < 5000; i++) {
        struct addr source = host(i);
        n += stunlimit_take(&limit, &source, SECOND + i * 1000);
    }
    ck_assert_uint_le(n, STUNLIMIT_BURST_ALL + 5 * STUNLIMIT_BURST_ALL);
    ck_assert_uint_ge(n, STUNLIMIT_BURST_ALL + 4 * STUNLIMIT_BURST_ALL);
}

END_TEST

START_TEST(a_source_is_a_host)
{
    struct stunlimit limit;
    struct addr host_a = address("2001:db8:0:1::1", 1), host_b = address("2001:db8:0:1:ffff::2", 1);
    stunlimit_init(&limit, 3);
    ck_assert_uint_eq(take_all(&limit, &host_a, 0), STUNLIMIT_BURST);
    ck_assert(!stunlimit_take(&limit, &host_b, 0));
    /* An IPv4 address is the same one when a kernel gives it as a mapped one. */
    struct addr v4 = address("192.0.2.1", 1), mapped;
    memset(&mapped, 0, sizeof(mapped));
    mapped.in6.sin6_family = AF_INET6;
    memset(mapped.in6.sin6_addr.s6_addr + 10, 0xff, 2);
    memcpy(mapped.in6.sin6_addr.s6_addr + 12, &v4.in.sin_addr, 4);
    ck_assert_uint_eq(take_all(&limit, &v4, 0), STUNLIMIT_BURST);
    ck_assert(!stunlimit_take(&limit, &mapped, 0));
    /* Another /64 has a bucket of its own under nearly every seed. */
    unsigned apart = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct addr other = address("2001:db8:0:2::1", 1);
        stunlimit_init(&limit, seed);
        take_all(&limit, &host_a, 0);
        apart += stunlimit_take(&limit, &other, 0);
    }
    ck_assert_uint_ge(apart, 95);
}

END_TEST

START_TEST(the_end_of_time_is_survived)
{
    struct stunlimit limit;
    struct addr source = address("192.0.2.1", 1);
    stunlimit_init(&limit, 1);
    ck_assert_uint_gt(take_all(&limit, &source, INT64_MAX - 1), 0);
    (void)take_all(&limit, &source, INT64_MAX);
    (void)take_all(&limit, &source, INT64_MAX);
}

END_TEST

Suite *net_stunlimit_suite(void)
{
    Suite *suite = suite_create("net/stunlimit");
    TCase *tcase = tcase_create("stunlimit");
    tcase_add_loop_test(tcase, a_source_has_a_burst_and_then_a_rate, 0, ARRAY_N(starts));
    tcase_add_test(tcase, sources_do_not_starve_each_other);
    tcase_add_test(tcase, all_have_a_bound);
    tcase_add_test(tcase, a_source_is_a_host);
    tcase_add_test(tcase, the_end_of_time_is_survived);
    suite_add_tcase(suite, tcase);
    return suite;
}
