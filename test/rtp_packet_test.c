/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_packet_test.c - rtp/packet: every field, every limit, every prefix. */
#include "rtp/packet.h"
#include "test/guard.h"
#include "test/suite.h"

/* RFC 3550 5.1: two CSRCs, an extension of one word, marker, 5 bytes of payload, 3 of padding. */
static const uint8_t full[] = {
    0xb2, 0xe0, 0x12, 0x34, /* V=2 P X CC=2, M PT=96, sequence 0x1234 */
    0xde, 0xad, 0xbe, 0xef, /* timestamp */
    0xca, 0xfe, 0xba, 0xbe, /* ssrc */
    0x00, 0x00, 0x00, 0x01, /* first CSRC */
    0x00, 0x00, 0x00, 0x02, /* second CSRC */
    0xbe, 0xde, 0x00, 0x01, /* one-byte extensions, one word */
    0x10, 0xaa, 0x00, 0x00, /* id 1, one byte; padding */
    0x01, 0x02, 0x03, 0x04, /* payload */
    0x05, 0x00, 0x00, 0x03, /* payload; padding, counted by its last byte */
};

START_TEST(finds_every_part)
{
    struct rtp_packet packet;
    ck_assert_int_eq(rtp_packet_parse(&packet, full, sizeof(full)), DROP_NONE);
    ck_assert_uint_eq(packet.ssrc, 0xcafebabe);
    ck_assert_uint_eq(packet.rtp_ts, 0xdeadbeef);
    ck_assert_uint_eq(packet.seq, 0x1234);
    ck_assert_uint_eq(packet.payload_type, 96);
    ck_assert(packet.marker);
    ck_assert_uint_eq(packet.csrc_n, 2);
    ck_assert_uint_eq(packet.ext_profile, 0xbede);
    ck_assert_uint_eq(packet.ext_at, 24);
    ck_assert_uint_eq(packet.ext_bytes, 4);
    ck_assert_uint_eq(packet.payload_at, 28);
    ck_assert_uint_eq(packet.payload_bytes, 5);
    ck_assert_uint_eq(packet.pad_bytes, 3);
}

END_TEST

START_TEST(plain_packet_has_no_more_than_it_has)
{
    uint8_t data[] = {0x80, 0x60, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 2};
    struct rtp_packet packet;
    ck_assert_int_eq(rtp_packet_parse(&packet, data, sizeof(data)), DROP_NONE);
    ck_assert(!packet.marker);
    ck_assert_uint_eq(packet.seq, 65535);
    ck_assert_uint_eq(packet.ext_at, 0);
    ck_assert_uint_eq(packet.ext_bytes, 0);
    ck_assert_uint_eq(packet.ext_profile, 0);
    ck_assert_uint_eq(packet.payload_at, 12);
    ck_assert_uint_eq(packet.payload_bytes, 0);
    ck_assert_uint_eq(packet.pad_bytes, 0);
}

END_TEST

/* One change to the full packet, and why it goes no further. */
static const struct {
    size_t at;
    uint8_t value;
    size_t bytes;
    enum drop why;
} rows[] = {
    {0, 0x32, sizeof(full), DROP_VERSION}, /* version 0 */
    {0, 0x72, sizeof(full), DROP_VERSION}, /* version 1 */
    {0, 0xf2, sizeof(full), DROP_VERSION}, /* version 3 */
    {0, 0xb2, 11, DROP_RUNT},
    {0, 0xb2, 0, DROP_RUNT},
    {0, 0xb2, 19, DROP_CSRC},            /* one byte of the CSRC list is missing */
    {0, 0xbf, sizeof(full), DROP_CSRC},  /* 15 CSRCs need 72 bytes */
    {0, 0xb2, 20, DROP_EXT},             /* no extension head */
    {0, 0xb2, 23, DROP_EXT},             /* half of one */
    {23, 2, sizeof(full), DROP_PADDING}, /* longer extension: padding now reaches it */
    {23, 3, sizeof(full), DROP_PADDING}, /* nothing left behind it, yet P is set */
    {23, 4, sizeof(full), DROP_EXT},     /* one word too many */
    {22, 0xff, sizeof(full), DROP_EXT},  /* 65281 words */
    {35, 0, sizeof(full), DROP_PADDING}, /* a count that includes itself cannot be 0 */
    {35, 8, sizeof(full), DROP_NONE},    /* nothing but padding */
    {35, 9, sizeof(full), DROP_PADDING}, /* reaches into the header */
    {35, 255, sizeof(full), DROP_PADDING},
};

START_TEST(limits)
{
    uint8_t data[sizeof(full)];
    memcpy(data, full, sizeof(full));
    data[rows[_i].at] = rows[_i].value;
    if (rows[_i].at == 23 && rows[_i].value == 2)
        data[35] = 5; /* one more than the four bytes that are left */

    struct rtp_packet packet;
    const uint8_t *at = guard_copy(data, rows[_i].bytes);
    ck_assert_int_eq(rtp_packet_parse(&packet, at, rows[_i].bytes), rows[_i].why);
    ck_assert_uint_eq(packet.payload_bytes, 0);
}

END_TEST

START_TEST(every_prefix_stays_inside)
{
    for (size_t bytes = 0; bytes <= sizeof(full); bytes++) {
        struct rtp_packet packet;
        const uint8_t *at = guard_copy(full, bytes);
        enum drop why = rtp_packet_parse(&packet, at, bytes);
        if (why == DROP_NONE)
            ck_assert_uint_eq((size_t)packet.payload_at + packet.payload_bytes + packet.pad_bytes,
                              bytes);
        ck_assert_int_eq(why == DROP_RUNT, bytes < 12);
    }
}

END_TEST

START_TEST(longest_datagram)
{
    static uint8_t data[UINT16_MAX];
    data[0] = 0x90;
    put_be16(data + 14, (UINT16_MAX - 16) / 4);
    struct rtp_packet packet;
    ck_assert_int_eq(rtp_packet_parse(&packet, data, sizeof(data)), DROP_NONE);
    ck_assert_uint_eq(packet.ext_bytes, 65516);
    ck_assert_uint_eq(packet.payload_at, 65532);
    ck_assert_uint_eq(packet.payload_bytes, 3);
}

END_TEST

START_TEST(rtcp_is_told_by_its_second_byte)
{
    uint8_t data[2] = {0x80, 0};
    for (int type = 0; type < 256; type++) {
        data[1] = (uint8_t)type;
        ck_assert_int_eq(rtp_packet_is_rtcp(data, 2), type >= 192 && type <= 223);
    }
    ck_assert(!rtp_packet_is_rtcp(data, 1));
}

END_TEST

Suite *rtp_packet_suite(void)
{
    Suite *suite = suite_create("rtp/packet");
    TCase *tc = tcase_create("packet");
    tcase_add_test(tc, finds_every_part);
    tcase_add_test(tc, plain_packet_has_no_more_than_it_has);
    tcase_add_loop_test(tc, limits, 0, (int)ARRAY_N(rows));
    tcase_add_test(tc, every_prefix_stays_inside);
    tcase_add_test(tc, longest_datagram);
    tcase_add_test(tc, rtcp_is_told_by_its_second_byte);
    suite_add_tcase(suite, tc);
    return suite;
}
