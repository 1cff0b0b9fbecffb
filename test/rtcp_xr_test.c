/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_xr_test.c - extended report blocks read and written. */
#include "rtcp/packet.h"
#include "test/guard.h"
#include "test/rtcp_walk.h"
#include "test/suite.h"

/* RFC 3611 4.4, 4.5 with a statistics summary (6), an empty block of no known type and padding. */
static const uint8_t extended[] = {
    0xa0, 0xcf, 0x00, 0x13, /* XR, padded, 20 words */
    0x00, 0x00, 0x00, 0x01, /* sender */
    0x06, 0x00, 0x00, 0x02, /* summary, cut to two words */
    0x01, 0x02, 0x03, 0x04, /* */
    0x05, 0x06, 0x07, 0x08, /* */
    0xc8, 0x00, 0x00, 0x00, /* type 200, empty */
    0x04, 0x00, 0x00, 0x02, /* RRTR */
    0xe1, 0xd2, 0xc3, 0xb4, /* */
    0xa5, 0x96, 0x87, 0x78, /* */
    0x05, 0x00, 0x00, 0x06, /* DLRR for two */
    0xca, 0xfe, 0xba, 0xbe, /* */
    0xc3, 0xb4, 0xa5, 0x96, /* */
    0x00, 0x00, 0x80, 0x00, /* half a second */
    0xde, 0xad, 0xbe, 0xef, /* */
    0x00, 0x00, 0x00, 0x00, /* */
    0x00, 0x00, 0x00, 0x00, /* */
    0x05, 0x00, 0x00, 0x01, /* DLRR with a third of an item */
    0xff, 0xff, 0xff, 0xff, /* */
    0x00, 0x00, 0x00, 0x00, /* padding */
    0x00, 0x00, 0x00, 0x08, /* */
};

static struct rtcp_packet first_packet(const uint8_t *data, size_t bytes)
{
    struct rtcp_reader reader;
    struct rtcp_packet packet = {0};
    ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
    ck_assert(rtcp_reader_next(&reader, &packet));
    return packet;
}

START_TEST(walks_the_blocks)
{
    static const struct {
        uint8_t type;
        uint16_t at, bytes;
    } rows[] = {{6, 12, 8}, {200, 24, 0}, {4, 28, 8}, {5, 40, 24}, {5, 68, 4}};

    struct rtcp_packet packet = first_packet(extended, sizeof(extended));
    struct rtcp_xr_block block;
    uint64_t ntp;
    struct rtcp_dlrr dlrr;
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        ck_assert(rtcp_read_xr_block(extended, &packet, &at, &block));
        ck_assert_uint_eq(block.type, rows[i].type);
        ck_assert_uint_eq(block.at, rows[i].at);
        ck_assert_uint_eq(block.bytes, rows[i].bytes);
        ck_assert_int_eq(rtcp_read_rrtr(extended, &block, &ntp), i == 2);
        ck_assert_int_eq(rtcp_read_dlrr(extended, &block, 0, &dlrr), i == 3);
        ck_assert_int_eq(rtcp_read_dlrr(extended, &block, 1, &dlrr), i == 3);
        ck_assert(!rtcp_read_dlrr(extended, &block, 2, &dlrr));
    }
    ck_assert(!rtcp_read_xr_block(extended, &packet, &at, &block));
    ck_assert(!rtcp_read_xr_block(extended, &packet, &at, &block));
    at = SIZE_MAX;
    ck_assert(!rtcp_read_xr_block(extended, &packet, &at, &block));
}

END_TEST

START_TEST(reads_the_contents)
{
    struct rtcp_xr_block rrtr = {.type = RTCP_XR_RRTR, .at = 28, .bytes = 8};
    uint64_t ntp;
    ck_assert(rtcp_read_rrtr(extended, &rrtr, &ntp));
    ck_assert_uint_eq(ntp, 0xe1d2c3b4a5968778);
    rrtr.bytes = 4;
    ck_assert(!rtcp_read_rrtr(extended, &rrtr, &ntp));

    struct rtcp_xr_block block = {.type = RTCP_XR_DLRR, .at = 40, .bytes = 24};
    struct rtcp_dlrr dlrr;
    ck_assert(rtcp_read_dlrr(extended, &block, 0, &dlrr));
    ck_assert_uint_eq(dlrr.ssrc, 0xcafebabe);
    ck_assert_uint_eq(dlrr.last_rr, 0xc3b4a596);
    ck_assert_uint_eq(dlrr.delay, 0x8000);
    ck_assert(rtcp_read_dlrr(extended, &block, 1, &dlrr));
    ck_assert_uint_eq(dlrr.ssrc, 0xdeadbeef);
}

END_TEST

START_TEST(every_prefix_and_length)
{
    for (size_t n = 0; n <= sizeof(extended); n++) {
        struct rtcp_walk walk;
        enum drop why = rtcp_walk(guard_copy(extended, n), n, &walk);
        ck_assert_int_eq(why, n == sizeof(extended) ? DROP_NONE : DROP_RTCP_INVALID);
    }
    static const unsigned blocks_n[] = {0, 0, 0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 6};
    for (uint16_t words = 1; words < 20; words++) {
        uint8_t *data = guard_copy(extended, 4 * (size_t)words);
        data[0] = 0x80;
        put_be16(data + 2, (uint16_t)(words - 1));
        struct rtcp_walk walk;
        ck_assert_int_eq(rtcp_walk(data, 4 * (size_t)words, &walk), DROP_NONE);
        ck_assert_uint_eq(walk.xr_blocks_n, blocks_n[words]);
        ck_assert_uint_eq(walk.dlrrs_n, words >= 16 ? 2 : 0);
    }
}

END_TEST

START_TEST(a_block_longer_than_the_packet_ends_the_walk)
{
    uint8_t data[] = {0x80, 0xcf, 0, 3, 0, 0, 0, 1, 4, 0, 0xff, 0xff, 0, 0, 0, 0};
    struct rtcp_walk walk;
    ck_assert_int_eq(rtcp_walk(guard_copy(data, sizeof(data)), sizeof(data), &walk), DROP_NONE);
    ck_assert_uint_eq(walk.xr_blocks_n, 0);
}

END_TEST

START_TEST(writes_what_the_rfc_draws)
{
    uint8_t data[64];
    struct rtcp_writer writer = {data, 0, sizeof(data)};
    ck_assert(rtcp_write_xr_rrtr(&writer, 1, 0xe1d2c3b4a5968778));
    ck_assert_uint_eq(writer.at, 20);
    ck_assert_uint_eq(be32(data), 0x80cf0004);
    ck_assert_uint_eq(be32(data + 4), 1);
    ck_assert_mem_eq(data + 8, extended + 24, 12);

    static const struct rtcp_dlrr dlrrs[] = {{0xcafebabe, 0xc3b4a596, 0x8000}, {0xdeadbeef, 0, 0}};
    writer.at = 0;
    ck_assert(rtcp_write_xr_dlrr(&writer, 1, dlrrs, 2));
    ck_assert_uint_eq(writer.at, 36);
    ck_assert_uint_eq(be32(data), 0x80cf0008);
    ck_assert_mem_eq(data + 8, extended + 36, 28);
    ck_assert(rtcp_write_xr_dlrr(&writer, 1, NULL, 0));
    ck_assert_uint_eq(writer.at, 36);
}

END_TEST

START_TEST(every_buffer_size)
{
    static const struct rtcp_dlrr dlrrs[] = {{1, 2, 3}, {4, 5, 6}};
    for (size_t room = 0; room <= 40; room++) {
        uint8_t *data = guard_take(room);
        memset(data, 0xee, room);
        struct rtcp_writer writer = {data, 0, room};
        bool fits = room >= (_i ? 36u : 20u);
        bool done =
            _i ? rtcp_write_xr_dlrr(&writer, 1, dlrrs, 2) : rtcp_write_xr_rrtr(&writer, 1, 2);
        ck_assert_int_eq(done, fits);
        ck_assert_uint_eq(writer.at, fits ? (_i ? 36 : 20) : 0);
        for (size_t i = writer.at; i < room; i++)
            ck_assert_uint_eq(data[i], 0xee);
    }
}

END_TEST

Suite *rtcp_xr_suite(void)
{
    Suite *suite = suite_create("rtcp_xr");
    TCase *tcase = tcase_create("xr");
    tcase_add_test(tcase, walks_the_blocks);
    tcase_add_test(tcase, reads_the_contents);
    tcase_add_test(tcase, every_prefix_and_length);
    tcase_add_test(tcase, a_block_longer_than_the_packet_ends_the_walk);
    tcase_add_test(tcase, writes_what_the_rfc_draws);
    tcase_add_loop_test(tcase, every_buffer_size, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
