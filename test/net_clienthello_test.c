/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_clienthello_test.c - ClientHellos in fragments, in any order, and what they offer. */
#include "net/clienthello.h"

#include "core/random.h"
#include "rtp/seal.h"
#include "test/guard.h"
#include "test/hello.h"
#include "test/must.h"
#include "test/suite.h"

#include <stdlib.h>

enum { NOW_US = 1000000 };

static uint8_t body[HELLO_MAX], record[HELLO_MAX];
static size_t body_bytes;
static struct clienthello hello;
static struct clienthello_message message;

static const uint16_t chromium_profiles[] = {0x0001, 0x0008, 0x0007};

static void setup(void)
{
    body_bytes = hello_body(body, chromium_profiles, ARRAY_N(chromium_profiles), 0);
    hello = (struct clienthello){0};
}

static void teardown(void)
{
    clienthello_drop(&hello);
}

static enum clienthello_result take(const uint8_t *data, size_t bytes, int64_t now_us)
{
    return clienthello_take(&hello, guard_copy(data, bytes), bytes, now_us, &message);
}

static enum clienthello_result take_part(size_t at, size_t bytes, uint8_t number)
{
    size_t n = hello_fragment(record, body, body_bytes, 0, at, bytes, number);
    return take(record, n, NOW_US);
}

static void check_whole(uint16_t seq)
{
    uint8_t expected[HELLO_MAX];
    size_t n = hello_fragment(expected, body, body_bytes, seq, 0, body_bytes, 0);
    ck_assert_uint_eq(message.record_bytes, n);
    MUST(memcmp(message.record, expected, 5) == 0);
    MUST(memcmp(message.record + 11, expected + 11, n - 11) == 0); /* but for the number */
    ck_assert_uint_eq(message.body_bytes, body_bytes);
    MUST(memcmp(message.body, body, body_bytes) == 0);
}

START_TEST(chromiums_two_datagrams)
{
    ck_assert_uint_gt(body_bytes, 1400);
    ck_assert_int_eq(take_part(0, 1150, 0), CLIENTHELLO_PENDING);
    ck_assert_int_eq(clienthello_due_us(&hello), NOW_US + CLIENTHELLO_PENDING_US);
    ck_assert_int_eq(take_part(1150, body_bytes - 1150, 1), CLIENTHELLO_WHOLE);
    check_whole(0);
    ck_assert_uint_eq(message.record[10], 1);
    clienthello_drop(&hello);
    ck_assert_int_eq(clienthello_due_us(&hello), INT64_MAX);
}

END_TEST

START_TEST(a_whole_one_is_passed_on_without_a_copy)
{
    size_t n = hello_fragment(record, body, body_bytes, 3, 0, body_bytes, 9);
    ck_assert_int_eq(clienthello_take(&hello, record, n, NOW_US, &message), CLIENTHELLO_WHOLE);
    ck_assert_ptr_eq(message.record, record);
    check_whole(3);
    ck_assert_ptr_null(hello.pending);
}

END_TEST

/* Fragments of any size, with overlaps, in any order, some twice. */
START_TEST(any_order_with_overlaps)
{
    struct random random = {(uint64_t)_i};
    bool have[HELLO_MAX] = {false};
    size_t got = 0;
    while (got < body_bytes) {
        size_t at = random_below(&random, (uint32_t)body_bytes);
        size_t bytes = 1 + random_below(&random, (uint32_t)min_size(body_bytes - at, 400));
        for (size_t i = at; i < at + bytes; i++) {
            got += !have[i];
            have[i] = true;
        }
        enum clienthello_result result = take_part(at, bytes, 0);
        MUST(result == (got < body_bytes ? CLIENTHELLO_PENDING : CLIENTHELLO_WHOLE));
    }
    check_whole(0);
}

END_TEST

START_TEST(several_records_in_a_datagram)
{
    size_t n = hello_fragment(record, body, body_bytes, 0, 700, body_bytes - 700, 0);
    n += hello_fragment(record + n, body, body_bytes, 0, 0, 700, 1);
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_WHOLE);
    check_whole(0);
}

END_TEST

START_TEST(the_first_copy_of_a_byte_counts)
{
    ck_assert_int_eq(take_part(0, 700, 0), CLIENTHELLO_PENDING);
    size_t n = hello_fragment(record, body, body_bytes, 0, 0, 700, 0);
    memset(record + HELLO_HEADS, 0x55, 700);
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_PENDING);
    ck_assert_int_eq(take_part(700, body_bytes - 700, 0), CLIENTHELLO_WHOLE);
    check_whole(0);
}

END_TEST

START_TEST(another_message_takes_the_place)
{
    size_t n;
    ck_assert_int_eq(take_part(0, 700, 0), CLIENTHELLO_PENDING);
    n = hello_fragment(record, body, body_bytes, 1, 700, body_bytes - 700, 0);
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_PENDING); /* the next, after a retry */
    ck_assert_int_eq(take_part(0, 700, 0), CLIENTHELLO_PENDING);    /* the old one, late */
    n = hello_fragment(record, body, body_bytes, 1, 0, 700, 0);
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_WHOLE);
    check_whole(1);
    clienthello_drop(&hello);
    n = hello_fragment(record, body, body_bytes - 1, 1, 0, 700, 0); /* of another length */
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_PENDING);
    n = hello_fragment(record, body, body_bytes, 1, 700, body_bytes - 700, 0);
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_PENDING);
    n = hello_fragment(record, body, body_bytes, 1, 0, 700, 0);
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_WHOLE);
    check_whole(1);
}

END_TEST

START_TEST(a_pending_one_runs_out)
{
    ck_assert_int_eq(take_part(0, 700, 0), CLIENTHELLO_PENDING);
    size_t n = hello_fragment(record, body, body_bytes, 0, 700, body_bytes - 700, 0);
    ck_assert_int_eq(take(record, n, NOW_US + CLIENTHELLO_PENDING_US), CLIENTHELLO_PENDING);
    ck_assert_int_eq(clienthello_due_us(&hello), NOW_US + 2 * CLIENTHELLO_PENDING_US);
    n = hello_fragment(record, body, body_bytes, 0, 0, 700, 0);
    ck_assert_int_eq(take(record, n, NOW_US + CLIENTHELLO_PENDING_US), CLIENTHELLO_WHOLE);
    check_whole(0);
}

END_TEST

START_TEST(bounds_and_nonsense)
{
    static uint8_t large[CLIENTHELLO_BYTES_MAX + 1];
    size_t n = hello_fragment(record, large, CLIENTHELLO_BYTES_MAX + 1, 0, 0, 100, 0);
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_FULL);
    n = hello_fragment(record, large, CLIENTHELLO_BYTES_MAX, 0, 0, 100, 0);
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_PENDING);
    clienthello_drop(&hello);
    n = hello_fragment(record, body, 600, 0, 500, 100, 0);
    put_be24(record + 22, 101); /* longer than the record */
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_INVALID);
    put_be24(record + 22, 100);
    put_be24(record + 19, 501); /* reaches past the message */
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_INVALID);
    put_be24(record + 19, 500);
    record[n] = 23; /* something else behind it */
    ck_assert_int_eq(take(record, n + 1, NOW_US), CLIENTHELLO_INVALID);
    clienthello_drop(&hello);
    record[4] = 1; /* epoch */
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_OTHER);
    record[4] = 0;
    record[13] = 2; /* a ServerHello */
    ck_assert_int_eq(take(record, n, NOW_US), CLIENTHELLO_OTHER);
    for (size_t i = 0; i < HELLO_HEADS; i++)
        ck_assert_int_eq(take(record, i, NOW_US), CLIENTHELLO_OTHER);
    ck_assert_ptr_null(hello.pending);
}

END_TEST

START_TEST(every_prefix_of_a_datagram)
{
    size_t n = hello_fragment(record, body, body_bytes, 0, 0, 300, 0);
    n += hello_fragment(record + n, body, body_bytes, 0, 300, 300, 1);
    for (size_t i = 0; i < n; i++) {
        enum clienthello_result result = take(record, i, NOW_US);
        MUST(result != CLIENTHELLO_WHOLE);
    }
}

END_TEST

static uint32_t bit(enum seal_suite suite)
{
    return 1u << suite;
}

START_TEST(offered_suites)
{
    static const uint16_t all[] = {0x0001, 0x0002, 0x0005, 0x0006, 0x0007, 0x0008, 0xabcd};
    uint32_t suites;
    ck_assert(clienthello_suites(guard_copy(body, body_bytes), body_bytes, &suites));
    ck_assert_uint_eq(suites, bit(SEAL_AES_CM_128_HMAC_SHA1_80) | bit(SEAL_AEAD_AES_256_GCM) |
                                  bit(SEAL_AEAD_AES_128_GCM));
    size_t n = hello_body(body, all, ARRAY_N(all), 100);
    ck_assert(clienthello_suites(guard_copy(body, n), n, &suites));
    ck_assert_uint_eq(suites, bit(SEAL_AES_CM_128_HMAC_SHA1_80) |
                                  bit(SEAL_AES_CM_128_HMAC_SHA1_32) | bit(SEAL_AEAD_AES_256_GCM) |
                                  bit(SEAL_AEAD_AES_128_GCM));
    n = hello_body(body, all + 2, 2, 0); /* NULL ciphers only */
    ck_assert(clienthello_suites(guard_copy(body, n), n, &suites));
    ck_assert_uint_eq(suites, 0);
    n = hello_body(body, NULL, 0, 0);
    ck_assert(clienthello_suites(guard_copy(body, n), n, &suites));
    ck_assert_uint_eq(suites, 0);
}

END_TEST

/* Only the whole message is one; it may end before its extensions, though. */
START_TEST(every_prefix_of_a_message)
{
    uint32_t suites;
    size_t valid = 0;
    for (size_t i = 0; i < body_bytes; i++)
        valid += clienthello_suites(guard_copy(body, i), i, &suites);
    ck_assert_uint_eq(valid, 1);
    static const uint16_t one[] = {0x0007};
    size_t n = hello_body(body, one, 1, 0);
    size_t at = 0; /* of use_srtp: type, length 5, list length 2 */
    while (be16(body + at) != 14 || be16(body + at + 2) != 5 || be16(body + at + 4) != 2)
        at++;
    for (unsigned wrong = 0; wrong < 8; wrong++) { /* of the list, and of the mki */
        body[at + 5] = (uint8_t)wrong;
        ck_assert_int_eq(clienthello_suites(guard_copy(body, n), n, &suites), wrong == 2);
    }
    body[at + 5] = 2;
    body[at + 8] = 1;
    ck_assert(!clienthello_suites(guard_copy(body, n), n, &suites));
}

END_TEST

Suite *net_clienthello_suite(void)
{
    Suite *suite = suite_create("net/clienthello");
    TCase *tcase = tcase_create("clienthello");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, chromiums_two_datagrams);
    tcase_add_test(tcase, a_whole_one_is_passed_on_without_a_copy);
    tcase_add_loop_test(tcase, any_order_with_overlaps, 0, 50);
    tcase_add_test(tcase, several_records_in_a_datagram);
    tcase_add_test(tcase, the_first_copy_of_a_byte_counts);
    tcase_add_test(tcase, another_message_takes_the_place);
    tcase_add_test(tcase, a_pending_one_runs_out);
    tcase_add_test(tcase, bounds_and_nonsense);
    tcase_add_test(tcase, every_prefix_of_a_datagram);
    tcase_add_test(tcase, offered_suites);
    tcase_add_test(tcase, every_prefix_of_a_message);
    suite_add_tcase(suite, tcase);
    return suite;
}
