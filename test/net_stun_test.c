/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_stun_test.c - STUN messages read: the vectors of RFC 5769, broken ones, forged ones. */
#include "net/stunwrite.h"

#include "test/guard.h"
#include "test/must.h"
#include "test/stun_vectors.h"
#include "test/suite.h"

enum { BYTES = 256 };

static const uint8_t id[STUN_TRANSACTION_BYTES] = "transaction";

/* ---- the vectors ---- */

START_TEST(the_request_of_rfc_5769)
{
    struct stun_message message;
    size_t bytes;
    ck_assert_int_eq(stun_parse(&message, vector_request, sizeof(vector_request)), DROP_NONE);
    ck_assert_int_eq(message.class, STUN_REQUEST);
    ck_assert_uint_eq(message.method, STUN_BINDING);
    ck_assert_uint_eq(message.bytes, sizeof(vector_request));
    ck_assert_uint_eq(message.username_bytes, 9);
    ck_assert_mem_eq(vector_request + message.username_at, "evtj:h6vY", 9);
    const uint8_t *local = stun_username_local(&message, vector_request, &bytes);
    ck_assert_uint_eq(bytes, 4);
    ck_assert_mem_eq(local, "evtj", 4);
    ck_assert(message.has_priority);
    ck_assert_uint_eq(message.priority, 0x6e0001ff);
    ck_assert(message.controlled && !message.controlling);
    ck_assert_uint_eq(message.tie_breaker, 0x932ff9b151263b36);
    ck_assert(!message.use_candidate && !message.has_nomination);
    ck_assert_uint_eq(message.integrity_at, 76);
    ck_assert_uint_eq(message.fingerprint_at, 100);
    ck_assert_uint_eq(message.unknown_n, 0);
    ck_assert(stun_is_authentic(&message, vector_request, vector_key));
}

END_TEST

START_TEST(the_responses_of_rfc_5769)
{
    const struct vector *vector = &vectors[_i];
    struct stun_message message;
    struct addr got, want;
    ck_assert_int_eq(
        addr_parse(&want, _i == 1 ? "192.0.2.1" : "2001:db8:1234:5678:11:2233:4455:6677", 32853),
        0);
    ck_assert_int_eq(stun_parse(&message, vector->data, vector->bytes), DROP_NONE);
    ck_assert_int_eq(message.class, STUN_SUCCESS);
    ck_assert(stun_is_transaction(vector->data, vector_request + STUN_TRANSACTION_AT));
    ck_assert(!stun_is_transaction(vector->data, id));
    ck_assert(stun_mapped(&message, vector->data, &got));
    ck_assert(addr_equal(&got, &want));
    ck_assert(stun_is_authentic(&message, vector->data, vector_key));
}

END_TEST

START_TEST(the_long_term_request_of_rfc_5769)
{
    struct stun_message message;
    ck_assert_int_eq(stun_parse(&message, vector_long_term, sizeof(vector_long_term)), DROP_NONE);
    ck_assert_uint_eq(message.fingerprint_at, 0);
    ck_assert_uint_eq(message.username_bytes, 18);
    ck_assert(stun_is_authentic(&message, vector_long_term, vector_long_term_key));
    ck_assert(!stun_is_authentic(&message, vector_long_term, vector_key));
}

END_TEST

START_TEST(a_prefix_is_never_a_message)
{
    const struct vector *vector = &vectors[_i];
    struct stun_message message;
    for (size_t bytes = 0; bytes < vector->bytes; bytes++) {
        uint8_t *at = guard_copy(vector->data, bytes);
        MUST(stun_parse(&message, at, bytes) == DROP_STUN_INVALID);
        MUST(message.bytes == 0 && message.username_at == 0);
        if (bytes < STUN_HEAD_BYTES || bytes % 4 != 0)
            continue;
        /* Shorter, and says so: what is left of it must not be read past. */
        put_be16(at + 2, (uint16_t)(bytes - STUN_HEAD_BYTES));
        if (stun_parse(&message, at, bytes) == DROP_NONE)
            MUST(!stun_is_authentic(&message, at, *vector->key) || message.fingerprint_at == 0);
    }
    uint8_t *at = guard_copy(vector->data, vector->bytes);
    ck_assert_int_eq(stun_parse(&message, at, vector->bytes), DROP_NONE);
    ck_assert(stun_is_authentic(&message, at, *vector->key));
}

END_TEST

START_TEST(every_changed_bit_is_noticed)
{
    const struct vector *vector = &vectors[_i];
    struct stun_message message;
    for (size_t bit = 0; bit < 8 * vector->bytes; bit++) {
        uint8_t *at = guard_copy(vector->data, vector->bytes);
        at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* A fingerprint by another name is passed over, and there is none then. */
        if (stun_parse(&message, at, vector->bytes) == DROP_NONE)
            MUST(!stun_is_authentic(&message, at, *vector->key) ||
                 (bit / 8 >= vector->bytes - 8 && message.fingerprint_at == 0));
    }
}

END_TEST

/* Without FINGERPRINT the integrity is what finds it. */
START_TEST(a_forged_message_is_not_authentic)
{
    uint8_t data[BYTES];
    size_t bytes = sizeof(vector_request) - 8;
    struct stun_message message;
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        memcpy(data, vector_request, bytes);
        put_be16(data + 2, (uint16_t)(bytes - STUN_HEAD_BYTES));
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (stun_parse(&message, data, bytes) == DROP_NONE)
            MUST(!stun_is_authentic(&message, data, vector_key));
    }
    static const struct stun_key wrong[] = {
        {"VOkJxbRl1RmTxUk/WvJxBu", 22}, {"VOkJxbRl1RmTxUk/WvJxB", 21}, {"", 0}, {"x", 1}};
    ck_assert_int_eq(stun_parse(&message, vector_request, sizeof(vector_request)), DROP_NONE);
    for (size_t i = 0; i < ARRAY_N(wrong); i++)
        ck_assert(!stun_is_authentic(&message, vector_request, wrong[i]));
}

END_TEST

/* ---- heads ---- */

static const struct {
    uint8_t head[8];
    enum drop why;
    enum stun_class class;
    uint16_t method;
} heads[] = {
    {{0x00, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_REQUEST, 1},
    {{0x00, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_INDICATION, 1},
    {{0x01, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_SUCCESS, 1},
    {{0x01, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_ERROR, 1},
    {{0x00, 0x03, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_REQUEST, 3},
    {{0x3e, 0xef, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_REQUEST, 0xfff},
    {{0x3f, 0xff, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_ERROR, 0xfff},
    {{0x02, 0x00, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_REQUEST, 0x80},
    {{0x00, 0x20, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_NONE, STUN_REQUEST, 0x10},
    {{0x40, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_STUN_INVALID, 0, 0}, /* RFC 7983 */
    {{0x80, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x42}, DROP_STUN_INVALID, 0, 0},
    {{0x00, 0x01, 0, 0, 0x21, 0x12, 0xa4, 0x43}, DROP_STUN_INVALID, 0, 0}, /* RFC 3489 */
    {{0x00, 0x01, 0, 4, 0x21, 0x12, 0xa4, 0x42}, DROP_STUN_INVALID, 0, 0}, /* too long */
    {{0x00, 0x01, 0, 1, 0x21, 0x12, 0xa4, 0x42}, DROP_STUN_INVALID, 0, 0}, /* not a multiple */
    {{0x00, 0x01, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42}, DROP_STUN_INVALID, 0, 0},
};

START_TEST(heads_are_told_apart)
{
    uint8_t data[STUN_HEAD_BYTES] = {0};
    struct stun_message message;
    memcpy(data, heads[_i].head, sizeof(heads[_i].head));
    uint8_t *at = guard_copy(data, sizeof(data));
    ck_assert_int_eq(stun_parse(&message, at, sizeof(data)), heads[_i].why);
    ck_assert_int_eq(message.class, heads[_i].class);
    ck_assert_uint_eq(message.method, heads[_i].method);
    if (heads[_i].why != DROP_NONE)
        return;
    struct stun_writer writer; /* and back */
    uint8_t written[STUN_HEAD_BYTES];
    stun_begin(&writer, written, sizeof(written), message.class, message.method,
               data + STUN_TRANSACTION_AT);
    ck_assert_uint_eq(stun_end_bare(&writer), sizeof(written));
    ck_assert_mem_eq(written, data, sizeof(data));
}

END_TEST

START_TEST(a_message_is_no_longer_than_a_slot)
{
    static uint8_t data[STUN_BYTES_MAX + 4];
    static const uint8_t filler[STUN_BYTES_MAX];
    struct stun_message message;
    struct stun_writer writer;
    stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, id);
    stun_put(&writer, STUN_SOFTWARE, filler, STUN_BYTES_MAX - STUN_HEAD_BYTES - 4);
    size_t bytes = stun_end_bare(&writer);
    ck_assert_uint_eq(bytes, STUN_BYTES_MAX);
    ck_assert_int_eq(stun_parse(&message, guard_copy(data, bytes), bytes), DROP_NONE);
    put_be16(data + 2, (uint16_t)(bytes + 4 - STUN_HEAD_BYTES));
    put_be16(data + STUN_HEAD_BYTES + 2, STUN_BYTES_MAX - STUN_HEAD_BYTES);
    ck_assert_int_eq(stun_parse(&message, guard_copy(data, bytes + 4), bytes + 4),
                     DROP_STUN_INVALID);
}

END_TEST

/* ---- attributes ---- */

/* One attribute of `bytes` zeroes (ones where it says how), alone in a request. */
static enum drop parse_one(struct stun_message *message, uint16_t type, const void *value,
                           size_t bytes)
{
    static const uint8_t zeroes[STUN_USERNAME_BYTES_MAX + 4];
    static uint8_t data[STUN_BYTES_MAX];
    struct stun_writer writer;
    stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, id);
    stun_put(&writer, type, value ? value : zeroes, bytes);
    size_t n = stun_end_bare(&writer);
    MUST(n > 0);
    return stun_parse(message, guard_copy(data, n), n);
}

static const struct {
    uint16_t type;
    uint16_t bytes; /* one more or less is malformed */
} fixed[] = {
    {STUN_PRIORITY, 4},           {STUN_USE_CANDIDATE, 0},  {STUN_NOMINATION, 4},
    {STUN_NOMINATION_GOOG, 4},    {STUN_ICE_CONTROLLED, 8}, {STUN_ICE_CONTROLLING, 8},
    {STUN_MESSAGE_INTEGRITY, 20},
};

START_TEST(lengths_are_checked)
{
    struct stun_message message;
    for (size_t i = 0; i < ARRAY_N(fixed); i++)
        for (size_t bytes = 0; bytes < 32; bytes++)
            MUST(parse_one(&message, fixed[i].type, NULL, bytes) ==
                 (bytes == fixed[i].bytes ? DROP_NONE : DROP_STUN_INVALID));
    ck_assert_int_eq(parse_one(&message, STUN_USERNAME, NULL, STUN_USERNAME_BYTES_MAX), DROP_NONE);
    ck_assert_int_eq(parse_one(&message, STUN_USERNAME, NULL, STUN_USERNAME_BYTES_MAX + 1),
                     DROP_STUN_INVALID);
    ck_assert_int_eq(parse_one(&message, STUN_FINGERPRINT, NULL, 4), DROP_STUN_INVALID); /* wrong */
    ck_assert_int_eq(parse_one(&message, STUN_FINGERPRINT, NULL, 8), DROP_STUN_INVALID);
}

END_TEST

START_TEST(a_length_does_not_reach_past_the_end)
{
    struct stun_message message;
    for (unsigned length = 0; length <= UINT16_MAX; length++) {
        uint8_t *at = guard_take(STUN_HEAD_BYTES + 12);
        struct stun_writer writer;
        stun_begin(&writer, at, STUN_HEAD_BYTES + 12, STUN_REQUEST, STUN_BINDING, id);
        stun_put_u64(&writer, STUN_SOFTWARE, 0);
        MUST(stun_end_bare(&writer) == STUN_HEAD_BYTES + 12);
        put_be16(at + STUN_HEAD_BYTES + 2, (uint16_t)length);
        /* 0 and 4 leave zeroes, which are a MAPPED-ADDRESS head less or more: type 0 is unknown. */
        enum drop why = stun_parse(&message, at, STUN_HEAD_BYTES + 12);
        MUST((why == DROP_NONE) == (length <= 8));
        MUST(message.unknown_n == (length == 0 ? 2 : length <= 4 ? 1 : 0));
    }
}

END_TEST

START_TEST(error_codes_are_read)
{
    static const struct {
        uint8_t value[4];
        uint16_t code;
    } rows[] = {
        {{0, 0, 4, 0}, 400},  {{0, 0, 4, 87}, 487},   {{0, 0, 3, 0}, 300},
        {{0, 0, 6, 99}, 699}, {{0, 0, 0xfc, 1}, 401}, /* reserved bits */
        {{0, 0, 2, 0}, 0},    {{0, 0, 7, 0}, 0},      {{0, 0, 4, 100}, 0},
    };
    struct stun_message message;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        enum drop why = parse_one(&message, STUN_ERROR_CODE, rows[i].value, 4);
        ck_assert_int_eq(why, rows[i].code ? DROP_NONE : DROP_STUN_INVALID);
        ck_assert_uint_eq(message.error, rows[i].code);
    }
    ck_assert_int_eq(parse_one(&message, STUN_ERROR_CODE, "\0\0\4", 3), DROP_STUN_INVALID);
}

END_TEST

START_TEST(user_names_are_split_at_the_colon)
{
    static const struct {
        const char *name;
        size_t local_bytes; /* 0: none */
    } rows[] = {{"a:b", 1}, {"ab:", 2}, {"ab:c:d", 2}, {":b", 0}, {"ab", 0}, {":", 0}, {"", 0}};

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        uint8_t data[BYTES];
        struct stun_writer writer;
        struct stun_message message;
        size_t local_bytes = 99;
        stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, id);
        stun_put(&writer, STUN_USERNAME, rows[i].name, strlen(rows[i].name));
        size_t bytes = stun_end_bare(&writer);
        uint8_t *at = guard_copy(data, bytes);
        ck_assert_int_eq(stun_parse(&message, at, bytes), DROP_NONE);
        const uint8_t *local = stun_username_local(&message, at, &local_bytes);
        ck_assert_uint_eq(local_bytes, rows[i].local_bytes);
        ck_assert((local != NULL) == (local_bytes > 0));
        ck_assert(!local || memcmp(local, rows[i].name, local_bytes) == 0);
    }
}

END_TEST

START_TEST(unknown_attributes_are_listed)
{
    uint8_t data[BYTES];
    struct stun_writer writer;
    struct stun_message message;
    stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, id);
    for (uint16_t i = 0; i < STUN_UNKNOWN_MAX + 4; i++) {
        stun_put(&writer, (uint16_t)(0x7000 + i), NULL, 0);
        stun_put(&writer, (uint16_t)(0x9000 + i), NULL, 0); /* comprehension-optional */
    }
    size_t bytes = stun_end(&writer);
    ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
    ck_assert_uint_eq(message.unknown_n, STUN_UNKNOWN_MAX);
    for (uint16_t i = 0; i < STUN_UNKNOWN_MAX; i++)
        ck_assert_uint_eq(message.unknown[i], 0x7000 + i);
}

END_TEST

START_TEST(the_first_of_equals_counts)
{
    uint8_t data[BYTES];
    struct stun_writer writer;
    struct stun_message message;
    stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, id);
    for (uint32_t i = 1; i < 3; i++) {
        stun_put(&writer, STUN_USERNAME, i == 1 ? "a:b" : "c:d", 3);
        stun_put_u32(&writer, STUN_PRIORITY, i);
        stun_put_u32(&writer, i == 1 ? STUN_NOMINATION_GOOG : STUN_NOMINATION, i);
        stun_put_u64(&writer, STUN_ICE_CONTROLLING, i);
    }
    size_t bytes = stun_end(&writer);
    ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
    ck_assert_mem_eq(data + message.username_at, "a:b", 3);
    ck_assert_uint_eq(message.priority, 1);
    ck_assert_uint_eq(message.nomination, 1);
    ck_assert(message.has_nomination && message.controlling && !message.controlled);
    ck_assert_uint_eq(message.tie_breaker, 1);
}

END_TEST

START_TEST(nothing_counts_behind_the_integrity)
{
    uint8_t data[BYTES];
    struct stun_writer writer;
    struct stun_message message;
    stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, id);
    stun_put(&writer, STUN_USERNAME, "a:b", 3);
    stun_seal(&writer, vector_key);
    stun_put(&writer, STUN_USE_CANDIDATE, NULL, 0);
    stun_put(&writer, STUN_USERNAME, "c:d", 3);
    stun_put(&writer, STUN_PRIORITY, NULL, 0); /* of the wrong length, even */
    stun_put(&writer, 0x7000, NULL, 0);
    stun_put(&writer, STUN_MESSAGE_INTEGRITY, id, sizeof(id));
    size_t bytes = stun_end(&writer);
    ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
    ck_assert(!message.use_candidate && !message.has_priority);
    ck_assert_uint_eq(message.unknown_n, 0);
    ck_assert_mem_eq(data + message.username_at, "a:b", 3);
    ck_assert_uint_ne(message.fingerprint_at, 0);
    ck_assert(stun_is_authentic(&message, data, vector_key));
}

END_TEST

START_TEST(nothing_follows_the_fingerprint)
{
    uint8_t data[BYTES];
    struct stun_writer writer;
    struct stun_message message;
    stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, id);
    size_t bytes = stun_end(&writer);
    ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
    stun_put_u32(&writer, STUN_SOFTWARE, 0);
    bytes = stun_end_bare(&writer);
    ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_STUN_INVALID);
}

END_TEST

START_TEST(mapped_addresses_have_a_known_family)
{
    uint8_t value[20] = {0};
    struct stun_message message;
    uint8_t data[BYTES];
    for (uint8_t family = 0; family < 4; family++)
        for (size_t bytes = 0; bytes <= sizeof(value); bytes++) {
            struct stun_writer writer;
            struct addr got;
            memset(&got, 0x55, sizeof(got));
            value[1] = family;
            stun_begin(&writer, data, sizeof(data), STUN_SUCCESS, STUN_BINDING, id);
            stun_put(&writer, STUN_XOR_MAPPED_ADDRESS, value, bytes);
            size_t n = stun_end_bare(&writer);
            uint8_t *at = guard_copy(data, n);
            MUST(stun_parse(&message, at, n) == DROP_NONE);
            bool good = (family == 1 && bytes == 8) || (family == 2 && bytes == 20);
            MUST(stun_mapped(&message, at, &got) == good);
            MUST(good || got.sa.sa_family == 0x5555);
        }
    ck_assert_int_eq(stun_parse(&message, vector_request, sizeof(vector_request)), DROP_NONE);
    struct addr none;
    ck_assert(!stun_mapped(&message, vector_request, &none));
}

END_TEST

Suite *net_stun_suite(void)
{
    Suite *suite = suite_create("net/stun");
    TCase *tcase = tcase_create("stun");
    tcase_add_test(tcase, the_request_of_rfc_5769);
    tcase_add_loop_test(tcase, the_responses_of_rfc_5769, 1, 3);
    tcase_add_test(tcase, the_long_term_request_of_rfc_5769);
    tcase_add_loop_test(tcase, a_prefix_is_never_a_message, 0, ARRAY_N(vectors));
    tcase_add_loop_test(tcase, every_changed_bit_is_noticed, 0, ARRAY_N(vectors));
    tcase_add_test(tcase, a_forged_message_is_not_authentic);
    tcase_add_loop_test(tcase, heads_are_told_apart, 0, ARRAY_N(heads));
    tcase_add_test(tcase, a_message_is_no_longer_than_a_slot);
    tcase_add_test(tcase, lengths_are_checked);
    tcase_add_test(tcase, a_length_does_not_reach_past_the_end);
    tcase_add_test(tcase, error_codes_are_read);
    tcase_add_test(tcase, user_names_are_split_at_the_colon);
    tcase_add_test(tcase, unknown_attributes_are_listed);
    tcase_add_test(tcase, the_first_of_equals_counts);
    tcase_add_test(tcase, nothing_counts_behind_the_integrity);
    tcase_add_test(tcase, nothing_follows_the_fingerprint);
    tcase_add_test(tcase, mapped_addresses_have_a_known_family);
    suite_add_tcase(suite, tcase);
    return suite;
}
