/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_addr_test.c - addresses from text and back, what they are, and which are the same. */
#include "core/addr.h"
#include "test/guard.h"
#include "test/suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>

static struct addr parsed(const char *text, uint16_t port)
{
    struct addr addr;
    ck_assert_msg(addr_parse(&addr, text, port) == 0, "%s does not parse", text);
    return addr;
}

/* What is parsed, and how it reads afterwards. */
static const struct {
    const char *text, *ip, *full;
    socklen_t bytes;
} good_rows[] = {
    {"192.0.2.1", "192.0.2.1", "192.0.2.1:5004", 16},
    {"0.0.0.0", "0.0.0.0", "0.0.0.0:5004", 16},
    {"255.255.255.255", "255.255.255.255", "255.255.255.255:5004", 16},
    {"::", "::", "[::]:5004", 28},
    {"::1", "::1", "[::1]:5004", 28},
    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", "[2001:db8::1]:5004", 28}, /* RFC 5952 */
    {"2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff",
     "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:5004", 28},
    {"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1:5004", 16}, /* one key, whatever the socket */
    {"::ffff:c000:201", "192.0.2.1", "192.0.2.1:5004", 16},
    {"64:ff9b::192.0.2.33", "64:ff9b::c000:221", "[64:ff9b::c000:221]:5004", 28},
    {"fe80::1%lo", "fe80::1%lo", "[fe80::1%lo]:5004", 28},
    {"fe80::1", "fe80::1", "[fe80::1]:5004", 28},
    {"ff02::fb%1", "ff02::fb%lo", "[ff02::fb%lo]:5004", 28},
    {"fe80::1%4000000000", "fe80::1%4000000000", "[fe80::1%4000000000]:5004", 28},
};

START_TEST(good_text_makes_an_address_and_text_again)
{
    if (strchr(good_rows[_i].text, '%') && if_nametoindex("lo") != 1)
        SKIP("the loopback interface is not number 1");
    struct addr addr = parsed(good_rows[_i].text, 5004);
    char text[ADDR_TEXT_BYTES];
    ck_assert_str_eq(addr_format_ip(&addr, text), good_rows[_i].ip);
    struct addr again = parsed(text, 5004);
    ck_assert_mem_eq(&again, &addr, sizeof(addr));
    ck_assert_ptr_eq(addr_format(&addr, text), text);
    ck_assert_str_eq(text, good_rows[_i].full);
    ck_assert_uint_eq(addr_len(&addr), good_rows[_i].bytes);
    ck_assert_uint_eq(addr_port(&addr), 5004);
    ck_assert(addr_is_set(&addr));
}

END_TEST

static const char *const bad_texts[] = {
    "",
    " ",
    "192.0.2",
    "192.0.2.1.5",
    "192.0.2.256",
    "192.0.2.1 ",
    " 192.0.2.1",
    "192.0.2.01",
    "0x7f.0.0.1",
    "2130706433",
    "192.0.2.1:5004",
    "localhost",
    "example.com",
    ":",
    ":::",
    "1::2::3",
    "2001:db8::12345",
    "2001:db8::g",
    "1:2:3:4:5:6:7:8:9",
    "[2001:db8::1]",
    "[::1]:5004",
    "2001:db8::1%lo", /* a scope has no meaning here */
    "192.0.2.1%lo",
    "fe80::1%",
    "fe80::1%0",
    "fe80::1%4294967296",
    "fe80::1%4294967297", /* not 1 */
    "fe80::1%99999999999999999999999999",
    "fe80::1%-1",
    "fe80::1%no_such_interface",
    "fe80::1%lo%lo",
    "%lo",
    "::%lo:",
    "00000000000000000000000000000000000000000000000000000000000000000::1",
};

START_TEST(bad_text_is_refused_and_changes_nothing)
{
    struct addr addr = parsed("192.0.2.9", 9), before = addr;
    size_t bytes = strlen(bad_texts[_i]) + 1;
    const char *text = (const char *)guard_copy(bad_texts[_i], bytes);
    ck_assert_msg(addr_parse(&addr, text, 1) == -EINVAL, "%s is taken", text);
    ck_assert_mem_eq(&addr, &before, sizeof(addr));
}

END_TEST

START_TEST(prefixes_of_good_text_are_read_within_bounds)
{
    for (size_t row = 0; row < ARRAY_N(good_rows); row++) {
        for (size_t n = 0; n <= strlen(good_rows[row].text); n++) {
            char *text = (char *)guard_take(n + 1);
            memcpy(text, good_rows[row].text, n);
            text[n] = 0;
            struct addr addr;
            int result = addr_parse(&addr, text, 1);
            ck_assert(result == 0 || result == -EINVAL);
        }
    }
}

END_TEST

START_TEST(the_longest_text_fits)
{
    /* No interface has the number, so its number is written: shorter than a name of 15 characters,
     * which together with this address fills ADDR_TEXT_BYTES exactly. */
    struct addr addr = parsed("fe80:1111:2222:3333:4444:5555:6666:7777", 65535);
    addr.in6.sin6_scope_id = UINT32_MAX;
    char *text = (char *)guard_take(ADDR_TEXT_BYTES);
    ck_assert_str_eq(addr_format(&addr, text),
                     "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
    ck_assert_uint_le(strlen("[fe80:1111:2222:3333:4444:5555:6666:7777%123456789012345]:65535") + 1,
                      ADDR_TEXT_BYTES);
}

END_TEST

START_TEST(an_empty_address_is_harmless)
{
    struct addr addr = {0}, other = {0};
    char text[ADDR_TEXT_BYTES] = "x";
    ck_assert(!addr_is_set(&addr));
    ck_assert_uint_eq(addr_len(&addr), 0);
    ck_assert_uint_eq(addr_port(&addr), 0);
    ck_assert_str_eq(addr_format(&addr, text), "");
    ck_assert_str_eq(addr_format_ip(&addr, text), "");
    ck_assert(!addr_is_wildcard(&addr));
    ck_assert(!addr_is_loopback(&addr));
    ck_assert(!addr_is_multicast(&addr));
    ck_assert(addr_equal(&addr, &other));
    ck_assert_uint_eq(addr_hash(&addr), addr_hash(&other));
    addr_unmap(&addr);
    ck_assert(!addr_is_set(&addr));
    other = parsed("192.0.2.1", 0);
    ck_assert(!addr_equal(&addr, &other));
}

END_TEST

START_TEST(kinds)
{
    static const struct {
        const char *text;
        bool wildcard, loopback, multicast;
    } rows[] = {
        {"0.0.0.0", true, false, false},
        {"::", true, false, false},
        {"127.0.0.1", false, true, false},
        {"127.255.255.254", false, true, false},
        {"128.0.0.1", false, false, false},
        {"126.255.255.255", false, false, false},
        {"::1", false, true, false},
        {"::2", false, false, false},
        {"::ffff:127.0.0.1", false, true, false},
        {"224.0.0.1", false, false, true},
        {"239.255.255.255", false, false, true},
        {"240.0.0.1", false, false, false},
        {"223.255.255.255", false, false, false},
        {"ff02::1", false, false, true},
        {"fe80::1", false, false, false},
        {"2001:db8::1", false, false, false},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct addr addr = parsed(rows[i].text, 1);
        ck_assert_int_eq(addr_is_wildcard(&addr), rows[i].wildcard);
        ck_assert_int_eq(addr_is_loopback(&addr), rows[i].loopback);
        ck_assert_int_eq(addr_is_multicast(&addr), rows[i].multicast);
    }
}

END_TEST

START_TEST(equality_is_by_family_ip_and_port)
{
    static const char *const ips[] = {"192.0.2.1",   "192.0.2.2", "::c000:201", "2001:db8::1",
                                      "2001:db8::2", "fe80::1%1", "fe80::1%2",  "fe80::1"};
    for (size_t i = 0; i < ARRAY_N(ips); i++) {
        for (size_t j = 0; j < ARRAY_N(ips); j++) {
            struct addr a = parsed(ips[i], 5004), b = parsed(ips[j], 5004),
                        c = parsed(ips[j], 5005);
            ck_assert_int_eq(addr_equal(&a, &b), i == j);
            ck_assert_int_eq(addr_equal_ip(&a, &c), i == j);
            ck_assert(!addr_equal(&a, &c));
            ck_assert_int_eq(addr_hash(&a) == addr_hash(&b), i == j);
            ck_assert_uint_ne(addr_hash(&a), addr_hash(&c));
        }
    }
}

END_TEST

START_TEST(what_does_not_count_does_not_count)
{
    struct addr a = parsed("2001:db8::1", 5004), b = a;
    b.in6.sin6_flowinfo = htonl(0x12345);
    b.in6.sin6_scope_id = 3; /* the kernel may set one; not link-local */
    ck_assert(addr_equal(&a, &b));
    ck_assert_uint_eq(addr_hash(&a), addr_hash(&b));

    struct addr c = parsed("192.0.2.1", 5004), d = c;
    memset(d.in.sin_zero, 0xee, sizeof(d.in.sin_zero));
    ck_assert(addr_equal(&c, &d));
    ck_assert_uint_eq(addr_hash(&c), addr_hash(&d));
}

END_TEST

START_TEST(hashes_spread)
{
    /* 4096 peers in 4096 buckets: random would leave about 1507 empty. */
    static uint8_t used[4096];
    memset(used, 0, sizeof(used));
    struct addr addr = parsed("10.0.0.0", 5004);
    for (uint32_t i = 0; i < ARRAY_N(used); i++) {
        addr.in.sin_addr.s_addr = htonl(0x0a000000 + i);
        used[addr_hash(&addr) % ARRAY_N(used)] = 1;
    }
    uint32_t used_n = 0;
    for (size_t i = 0; i < ARRAY_N(used); i++)
        used_n += used[i];
    ck_assert_uint_gt(used_n, 2400);
}

END_TEST

START_TEST(mapped_addresses_are_unmapped)
{
    struct addr mapped = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(5004)}};
    ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped.in6.sin6_addr), 1);
    struct addr plain = parsed("192.0.2.1", 5004);
    addr_unmap(&mapped);
    ck_assert_mem_eq(&mapped, &plain, sizeof(plain));
    addr_unmap(&mapped);
    ck_assert_mem_eq(&mapped, &plain, sizeof(plain));

    struct addr other = parsed("::1", 5004), before = other;
    addr_unmap(&other);
    ck_assert_mem_eq(&other, &before, sizeof(other));
}

END_TEST

START_TEST(ports_are_host_order)
{
    struct addr addr = parsed("192.0.2.1", 0x1234);
    ck_assert_uint_eq(be16((const uint8_t *)&addr.in.sin_port), 0x1234);
    addr_set_port(&addr, 0);
    ck_assert_uint_eq(addr_port(&addr), 0);
    addr_set_port(&addr, 65535);
    ck_assert_uint_eq(addr_port(&addr), 65535);
    addr = parsed("::1", 0x1234);
    ck_assert_uint_eq(be16((const uint8_t *)&addr.in6.sin6_port), 0x1234);
}

END_TEST

Suite *core_addr_suite(void)
{
    Suite *suite = suite_create("core/addr");
    TCase *tcase = tcase_create("addr");
    tcase_add_loop_test(tcase, good_text_makes_an_address_and_text_again, 0, ARRAY_N(good_rows));
    tcase_add_loop_test(tcase, bad_text_is_refused_and_changes_nothing, 0, ARRAY_N(bad_texts));
    tcase_add_test(tcase, prefixes_of_good_text_are_read_within_bounds);
    tcase_add_test(tcase, the_longest_text_fits);
    tcase_add_test(tcase, an_empty_address_is_harmless);
    tcase_add_test(tcase, kinds);
    tcase_add_test(tcase, equality_is_by_family_ip_and_port);
    tcase_add_test(tcase, what_does_not_count_does_not_count);
    tcase_add_test(tcase, hashes_spread);
    tcase_add_test(tcase, mapped_addresses_are_unmapped);
    tcase_add_test(tcase, ports_are_host_order);
    suite_add_tcase(suite, tcase);
    return suite;
}
