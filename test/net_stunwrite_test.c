/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_stunwrite_test.c - STUN messages written and read back, into every size of buffer. */
#include "net/stunwrite.h"

#include "test/guard.h"
#include "test/must.h"
#include "test/stun_vectors.h"
#include "test/suite.h"

enum { BYTES = 256 };

static const struct stun_key key = {.at = "a password of 24 letters", .bytes = 24};

static struct stun_request sample(void)
{
    return (struct stun_request){
        .transaction = vector_request + STUN_TRANSACTION_AT,
        .username = "theirs:ours",
        .username_bytes = 11,
        .key = key,
        .priority = 0x6e0001ff,
        .tie_breaker = 0x1122334455667788,
        .use_candidate = true,
        .nominates = true,
        .nomination = 7,
    };
}

static struct addr address(const char *text, uint16_t port)
{
    struct addr addr;
    ck_assert_int_eq(addr_parse(&addr, text, port), 0);
    return addr;
}

START_TEST(a_request_comes_back)
{
    struct stun_request request = sample();
    struct stun_message message;
    uint8_t data[BYTES];
    request.controlled = _i & 1;
    request.use_candidate = _i & 2;
    request.nominates = _i & 4;
    size_t bytes = stun_write_request(data, sizeof(data), &request);
    ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
    ck_assert_int_eq(message.class, STUN_REQUEST);
    ck_assert_uint_eq(message.method, STUN_BINDING);
    ck_assert(stun_is_transaction(data, request.transaction));
    ck_assert_mem_eq(data + message.username_at, "theirs:ours", 11);
    ck_assert_uint_eq(message.username_bytes, 11);
    ck_assert(message.has_priority);
    ck_assert_uint_eq(message.priority, request.priority);
    ck_assert_uint_eq(message.tie_breaker, request.tie_breaker);
    ck_assert(message.controlled == request.controlled);
    ck_assert(message.controlling == !request.controlled);
    ck_assert(message.use_candidate == request.use_candidate);
    ck_assert(message.has_nomination == request.nominates);
    ck_assert_uint_eq(message.nomination, request.nominates ? 7 : 0);
    ck_assert_uint_ne(message.fingerprint_at, 0);
    ck_assert_uint_eq(message.unknown_n, 0);
    ck_assert(stun_is_authentic(&message, data, key));
}

END_TEST

START_TEST(a_success_response_comes_back)
{
    static const struct {
        const char *mapped, *want;
        size_t bytes;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", 64},
        {"2001:db8::1", "2001:db8::1", 76},
        {"255.255.255.255", "255.255.255.255", 64},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct addr got, mapped = address(rows[i].mapped, 32853);
        struct addr want = address(rows[i].want, 32853);
        struct stun_message message;
        uint8_t data[STUN_REPLY_BYTES_MAX];
        size_t bytes = stun_write_success(data, sizeof(data), vector_request, &mapped, key);
        ck_assert_uint_eq(bytes, rows[i].bytes);
        ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
        ck_assert_int_eq(message.class, STUN_SUCCESS);
        ck_assert(stun_is_transaction(data, vector_request + STUN_TRANSACTION_AT));
        ck_assert(stun_is_authentic(&message, data, key));
        ck_assert(stun_mapped(&message, data, &got));
        ck_assert(addr_equal(&got, &want));
    }
}

END_TEST

/* addr_parse() unmaps by itself: as a kernel gives it. */
START_TEST(a_mapped_ipv4_address_is_ipv4)
{
    struct addr mapped, got, want = address("192.0.2.1", 9);
    struct stun_message message;
    uint8_t data[STUN_REPLY_BYTES_MAX];
    memset(&mapped, 0, sizeof(mapped));
    mapped.in6.sin6_family = AF_INET6;
    mapped.in6.sin6_addr.s6_addr[10] = mapped.in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(mapped.in6.sin6_addr.s6_addr + 12, "\xc0\x00\x02\x01", 4);
    addr_set_port(&mapped, 9);
    size_t bytes = stun_write_success(data, sizeof(data), vector_request, &mapped, key);
    ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
    ck_assert(stun_mapped(&message, data, &got));
    ck_assert(addr_equal(&got, &want));
}

END_TEST

/* As RFC 5769 has it, with our zeroes for its blank in the padding. */
START_TEST(the_response_of_rfc_5769_is_written)
{
    uint8_t data[BYTES], want[sizeof(vector_v4)];
    struct stun_writer writer;
    struct stun_message message;
    struct addr mapped = address("192.0.2.1", 32853);
    stun_begin(&writer, data, sizeof(data), STUN_SUCCESS, STUN_BINDING,
               vector_request + STUN_TRANSACTION_AT);
    stun_put(&writer, STUN_SOFTWARE, "test vector", 11);
    stun_put_mapped(&writer, &mapped);
    stun_seal(&writer, vector_key);
    ck_assert_uint_eq(stun_end(&writer), sizeof(want));
    memcpy(want, vector_v4, sizeof(want));
    want[35] = 0;
    ck_assert_mem_eq(data, want, 48);
    ck_assert_int_eq(stun_parse(&message, data, sizeof(want)), DROP_NONE);
    ck_assert(stun_is_authentic(&message, data, vector_key));
}

END_TEST

static const unsigned codes[] = {400, 401, 420, 487, 500};

START_TEST(an_error_response_comes_back)
{
    unsigned code = codes[_i];
    bool sealed = code == 420 || code == 487;
    uint8_t request[BYTES], data[STUN_REPLY_BYTES_MAX];
    struct stun_message asked, message;
    struct stun_writer writer;
    stun_begin(&writer, request, sizeof(request), STUN_REQUEST, 5,
               vector_request + STUN_TRANSACTION_AT);
    for (uint16_t i = 0; i < STUN_UNKNOWN_MAX; i++)
        stun_put_u64(&writer, (uint16_t)(0x7000 + i), 0);
    size_t bytes = stun_end(&writer);
    ck_assert_int_eq(stun_parse(&asked, request, bytes), DROP_NONE);

    bytes = stun_write_error(data, sizeof(data), &asked, request, code,
                             sealed ? key : (struct stun_key){.at = NULL});
    ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
    ck_assert_int_eq(message.class, STUN_ERROR);
    ck_assert_uint_eq(message.method, 5);
    ck_assert_uint_eq(message.error, code);
    ck_assert(stun_is_transaction(data, request + STUN_TRANSACTION_AT));
    ck_assert(stun_is_authentic(&message, data, key) == sealed);
    ck_assert((message.integrity_at != 0) == sealed);
    ck_assert_uint_ne(message.fingerprint_at, 0);
    if (code != 420)
        return;
    size_t at = STUN_HEAD_BYTES + 8 + 20;
    ck_assert_uint_eq(be16(data + at), STUN_UNKNOWN_ATTRIBUTES);
    ck_assert_uint_eq(be16(data + at + 2), 2 * STUN_UNKNOWN_MAX);
    for (size_t i = 0; i < STUN_UNKNOWN_MAX; i++)
        ck_assert_uint_eq(be16(data + at + 4 + 2 * i), 0x7000 + i);
}

END_TEST

/* A request of every length: the response is no longer, and loses its phrase before itself. */
START_TEST(an_error_is_never_longer_than_its_request)
{
    static const uint8_t filler[BYTES];
    unsigned code = codes[_i], with = 0, without = 0, none = 0;
    for (size_t extra = 0; extra <= 128; extra += 4) {
        uint8_t request[BYTES], data[STUN_REPLY_BYTES_MAX];
        struct stun_message asked, message;
        struct stun_writer writer;
        stun_begin(&writer, request, sizeof(request), STUN_REQUEST, STUN_BINDING,
                   vector_request + STUN_TRANSACTION_AT);
        if (extra)
            stun_put(&writer, 0x7000, filler, extra - 4);
        size_t asked_bytes = stun_end_bare(&writer);
        MUST(stun_parse(&asked, request, asked_bytes) == DROP_NONE);
        size_t bytes = stun_write_error(data, sizeof(data), &asked, request, code, key);
        MUST(bytes <= asked_bytes);
        none += bytes == 0;
        if (bytes == 0)
            continue;
        MUST(stun_parse(&message, data, bytes) == DROP_NONE && message.error == code);
        without += be16(data + STUN_HEAD_BYTES + 2) == 4;
        with += be16(data + STUN_HEAD_BYTES + 2) > 4;
    }
    ck_assert_uint_gt(none, 0);
    ck_assert_uint_gt(without, 0);
    ck_assert_uint_gt(with, 0);
}

END_TEST

/* ---- every size of buffer ---- */

static size_t write_request(uint8_t *out, size_t room)
{
    struct stun_request request = sample();
    return stun_write_request(out, room, &request);
}

static size_t write_success(uint8_t *out, size_t room)
{
    struct addr mapped = address("2001:db8::1", 1);
    return stun_write_success(out, room, vector_request, &mapped, key);
}

static size_t write_error(uint8_t *out, size_t room)
{
    struct stun_message message;
    MUST(stun_parse(&message, vector_request, sizeof(vector_request)) == DROP_NONE);
    message.unknown_n = 3;
    return stun_write_error(out, room, &message, vector_request, 420, key);
}

START_TEST(every_size_of_buffer)
{
    static size_t (*const writers[])(uint8_t *, size_t) = {write_request, write_success,
                                                           write_error};
    uint8_t whole[BYTES];
    size_t bytes = writers[_i](whole, sizeof(whole));
    ck_assert_uint_gt(bytes, 0);
    for (size_t room = 0; room <= bytes + 8; room++) {
        uint8_t *at = guard_take(room);
        size_t got = writers[_i](at, room);
        struct stun_message message;
        MUST(got <= room);
        if (room >= bytes)
            MUST(got == bytes && memcmp(at, whole, bytes) == 0);
        else if (got != 0) /* an error without its phrase */
            MUST(stun_parse(&message, at, got) == DROP_NONE && message.error == 420);
    }
}

END_TEST

START_TEST(a_full_writer_stays_full)
{
    struct stun_writer writer;
    uint8_t data[STUN_HEAD_BYTES + 8];
    struct addr mapped = address("192.0.2.1", 1);
    stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, vector_request);
    stun_put_u64(&writer, STUN_ICE_CONTROLLED, 1);
    stun_put_u32(&writer, STUN_PRIORITY, 1); /* would fit, but the message lacks a part */
    stun_put_mapped(&writer, &mapped);
    stun_seal(&writer, key);
    ck_assert_uint_eq(stun_end(&writer), 0);
    ck_assert_uint_eq(stun_end_bare(&writer), 0);
}

END_TEST

Suite *net_stunwrite_suite(void)
{
    Suite *suite = suite_create("net/stunwrite");
    TCase *tcase = tcase_create("stunwrite");
    tcase_add_loop_test(tcase, a_request_comes_back, 0, 8);
    tcase_add_test(tcase, a_success_response_comes_back);
    tcase_add_test(tcase, a_mapped_ipv4_address_is_ipv4);
    tcase_add_test(tcase, the_response_of_rfc_5769_is_written);
    tcase_add_loop_test(tcase, an_error_response_comes_back, 0, ARRAY_N(codes));
    tcase_add_loop_test(tcase, an_error_is_never_longer_than_its_request, 0, ARRAY_N(codes));
    tcase_add_loop_test(tcase, every_size_of_buffer, 0, 3);
    tcase_add_test(tcase, a_full_writer_stays_full);
    suite_add_tcase(suite, tcase);
    return suite;
}
