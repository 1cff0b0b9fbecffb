/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_packet_test.c - compounds walked and reports, SDES and BYE read and written. */
#include "rtcp/packet.h"
#include "test/guard.h"
#include "test/rtcp_walk.h"
#include "test/suite.h"

/* RFC 3550 6.4.1, 6.5, 6.6: SR with two blocks, SDES with two chunks, APP, BYE with a reason and
 * padding. */
static const uint8_t compound[] = {
    0x82, 0xc8, 0x00, 0x12, /* SR, 2 blocks, 19 words */
    0x11, 0x22, 0x33, 0x44, /* sender */
    0xe1, 0xd2, 0xc3, 0xb4, /* NTP, seconds */
    0x80, 0x00, 0x00, 0x01, /* NTP, fraction */
    0xfe, 0xdc, 0xba, 0x98, /* RTP time */
    0x00, 0x01, 0x00, 0x02, /* packets */
    0x00, 0x03, 0x00, 0x04, /* octets */
    0xaa, 0xbb, 0xcc, 0xdd, /* block 0: ssrc */
    0x40, 0xff, 0xff, 0xfe, /* a quarter lost, -2 in all */
    0x00, 0x05, 0xff, 0xff, /* cycles 5, highest 65535 */
    0x00, 0x00, 0x00, 0x2a, /* jitter */
    0xc3, 0xb4, 0x80, 0x00, /* last SR */
    0x00, 0x01, 0x80, 0x00, /* 1.5 s since */
    0x55, 0x66, 0x77, 0x88, /* block 1 */
    0xff, 0x7f, 0xff, 0xff, /* all lost, the largest count */
    0xff, 0xff, 0xff, 0xff, /* highest */
    0xff, 0xff, 0xff, 0xff, /* jitter */
    0x00, 0x00, 0x00, 0x00, /* no SR yet */
    0x00, 0x00, 0x00, 0x00, /* */
    0x82, 0xca, 0x00, 0x08, /* SDES, 2 chunks, 9 words */
    0x11, 0x22, 0x33, 0x44, /* chunk 0 */
    0x02, 0x03, 'B',  'o',  /* NAME before CNAME */
    'b',  0x01, 0x04, 'r',  /* CNAME "room" */
    'o',  'o',  'm',  0x00, /* its end is the word's */
    0x99, 0x88, 0x77, 0x66, /* chunk 1: no CNAME */
    0x08, 0x02, 0x01, 'x',  /* PRIV */
    0x00, 0x00, 0x00, 0x00, /* a whole word of nulls */
    0x00, 0x00, 0x00, 0x00, /* left over: no third chunk by the count */
    0x83, 0xcc, 0x00, 0x02, /* APP, subtype 3 */
    0x11, 0x22, 0x33, 0x44, /* */
    'n',  'a',  'm',  'e',  /* */
    0xa2, 0xcb, 0x00, 0x05, /* BYE with padding, 2 ssrcs */
    0x11, 0x22, 0x33, 0x44, /* */
    0xaa, 0xbb, 0xcc, 0xdd, /* */
    0x05, 'l',  'e',  'a',  /* reason "leave" */
    'v',  'e',  0x00, 0x00, /* */
    0x00, 0x00, 0x00, 0x04, /* padding */
};

static struct rtcp_packet nth_packet(const uint8_t *data, size_t bytes, unsigned n)
{
    struct rtcp_reader reader;
    struct rtcp_packet packet = {0};
    ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
    for (unsigned i = 0; i <= n; i++)
        ck_assert(rtcp_reader_next(&reader, &packet));
    return packet;
}

START_TEST(walks_every_packet)
{
    static const struct {
        uint8_t type, count;
        uint16_t at, bytes;
    } rows[] = {
        {RTCP_SR, 2, 0, 76},
        {RTCP_SDES, 2, 76, 36},
        {RTCP_APP, 3, 112, 12},
        {RTCP_BYE, 2, 124, 20},
    };

    struct rtcp_reader reader;
    struct rtcp_packet packet;
    ck_assert_int_eq(rtcp_reader_init(&reader, compound, sizeof(compound)), DROP_NONE);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        ck_assert(rtcp_reader_next(&reader, &packet));
        ck_assert_uint_eq(packet.type, rows[i].type);
        ck_assert_uint_eq(packet.count, rows[i].count);
        ck_assert_uint_eq(packet.at, rows[i].at);
        ck_assert_uint_eq(packet.bytes, rows[i].bytes);
    }
    ck_assert(!rtcp_reader_next(&reader, &packet));
    ck_assert(!rtcp_reader_next(&reader, &packet));
}

END_TEST

START_TEST(reads_sender_report)
{
    struct rtcp_packet packet = nth_packet(compound, sizeof(compound), 0);
    uint32_t ssrc;
    ck_assert(rtcp_read_ssrc(compound, &packet, &ssrc));
    ck_assert_uint_eq(ssrc, 0x11223344);

    struct rtcp_sender_info info;
    ck_assert(rtcp_read_sender_info(compound, &packet, &info));
    ck_assert_uint_eq(info.ntp, 0xe1d2c3b480000001);
    ck_assert_uint_eq(info.rtp_ts, 0xfedcba98);
    ck_assert_uint_eq(info.packets, 0x00010002);
    ck_assert_uint_eq(info.octets, 0x00030004);

    struct rtcp_report_block block;
    ck_assert(rtcp_read_report_block(compound, &packet, 0, &block));
    ck_assert_uint_eq(block.ssrc, 0xaabbccdd);
    ck_assert_uint_eq(block.fraction_lost, 0x40);
    ck_assert_int_eq(block.lost_total, -2);
    ck_assert_uint_eq(block.seq_max, 0x0005ffff);
    ck_assert_uint_eq(block.jitter, 42);
    ck_assert_uint_eq(block.last_sr, 0xc3b48000);
    ck_assert_uint_eq(block.delay, 0x18000);
    ck_assert(rtcp_read_report_block(compound, &packet, 1, &block));
    ck_assert_uint_eq(block.ssrc, 0x55667788);
    ck_assert_int_eq(block.lost_total, 0x7fffff);
    ck_assert(!rtcp_read_report_block(compound, &packet, 2, &block));
}

END_TEST

START_TEST(reads_descriptions)
{
    struct rtcp_packet packet = nth_packet(compound, sizeof(compound), 1);
    uint32_t ssrc;
    const uint8_t *cname;
    size_t bytes;
    ck_assert(rtcp_read_cname(compound, &packet, 0, &ssrc, &cname, &bytes));
    ck_assert_uint_eq(ssrc, 0x11223344);
    ck_assert_uint_eq(bytes, 4);
    ck_assert_mem_eq(cname, "room", 4);
    ck_assert(rtcp_read_cname(compound, &packet, 1, &ssrc, &cname, &bytes));
    ck_assert_uint_eq(ssrc, 0x99887766);
    ck_assert_ptr_null(cname);
    ck_assert_uint_eq(bytes, 0);
    ck_assert(!rtcp_read_cname(compound, &packet, 2, &ssrc, &cname, &bytes));
}

END_TEST

START_TEST(reads_bye_beside_its_reason)
{
    struct rtcp_packet packet = nth_packet(compound, sizeof(compound), 3);
    uint32_t ssrc;
    ck_assert(rtcp_read_bye_ssrc(compound, &packet, 0, &ssrc));
    ck_assert_uint_eq(ssrc, 0x11223344);
    ck_assert(rtcp_read_bye_ssrc(compound, &packet, 1, &ssrc));
    ck_assert_uint_eq(ssrc, 0xaabbccdd);
    ck_assert(!rtcp_read_bye_ssrc(compound, &packet, 2, &ssrc));
}

END_TEST

/* Readers say no to packets of another kind. */
START_TEST(readers_know_their_kind)
{
    for (unsigned i = 0; i < 4; i++) {
        struct rtcp_packet packet = nth_packet(compound, sizeof(compound), i);
        struct rtcp_sender_info info;
        struct rtcp_report_block block;
        uint32_t ssrc;
        const uint8_t *cname;
        size_t bytes;
        ck_assert_int_eq(rtcp_read_sender_info(compound, &packet, &info), i == 0);
        ck_assert_int_eq(rtcp_read_report_block(compound, &packet, 0, &block), i == 0);
        ck_assert_int_eq(rtcp_read_cname(compound, &packet, 0, &ssrc, &cname, &bytes), i == 1);
        ck_assert_int_eq(rtcp_read_bye_ssrc(compound, &packet, 0, &ssrc), i == 3);
        ck_assert(!rtcp_read_media_ssrc(compound, &packet, &ssrc));
    }
}

END_TEST

static const struct {
    const char *what;
    uint8_t data[16];
    size_t bytes;
    bool valid;
} rows[] = {
    {"nothing", {0}, 0, false},
    {"three bytes", {0x80, 0xc9, 0x00}, 3, false},
    {"head alone", {0x80, 0xcb, 0x00, 0x00}, 4, true},
    {"version 1", {0x40, 0xcb, 0x00, 0x00}, 4, false},
    {"version 3", {0xc0, 0xcb, 0x00, 0x00}, 4, false},
    {"one word short", {0x80, 0xc9, 0x00, 0x01}, 4, false},
    {"longest length", {0x80, 0xc9, 0xff, 0xff}, 4, false},
    {"a byte left over", {0x80, 0xcb, 0x00, 0x00, 0x80}, 5, false},
    {"unknown types", {0x80, 0xd5, 0x00, 0x00, 0x9f, 0xc0, 0x00, 0x00}, 8, true},
    {"second has version 0", {0x80, 0xcb, 0x00, 0x00, 0x00, 0xcb, 0x00, 0x00}, 8, false},
    {"second is too short", {0x80, 0xcb, 0x00, 0x00, 0x80, 0xcb, 0x00, 0x01}, 8, false},
    {"reduced size: PLI", {0x81, 0xce, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 2}, 12, true},
    {"padding", {0xa0, 0xc9, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 4}, 12, true},
    {"padding up to the head", {0xa0, 0xcb, 0x00, 0x02, 0, 0, 0, 0, 0, 0, 0, 8}, 12, true},
    {"padding into the head", {0xa0, 0xcb, 0x00, 0x02, 0, 0, 0, 0, 0, 0, 0, 12}, 12, false},
    {"padding of 0", {0xa0, 0xc9, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 0}, 12, false},
    {"padding of 3, as browsers do", {0xa0, 0xcd, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 3}, 12, true},
    {"padding of nothing", {0xa0, 0xcb, 0x00, 0x00}, 4, false},
    {"padding before the last",
     {0xa0, 0xcb, 0x00, 0x01, 0, 0, 0, 4, 0x80, 0xcb, 0x00, 0x00},
     12,
     false},
};

START_TEST(checks_the_whole_compound)
{
    const uint8_t *data = guard_copy(rows[_i].data, rows[_i].bytes);
    struct rtcp_walk walk;
    enum drop why = rtcp_walk(data, rows[_i].bytes, &walk);
    ck_assert_msg(why == (rows[_i].valid ? DROP_NONE : DROP_RTCP_INVALID), "%s", rows[_i].what);
    ck_assert_msg((walk.packets_n > 0) == rows[_i].valid, "%s", rows[_i].what);
}

END_TEST

/* A compound cut anywhere but between packets is refused as a whole; nothing reads past its end. */
START_TEST(every_prefix)
{
    for (size_t n = 0; n <= sizeof(compound); n++) {
        struct rtcp_walk walk;
        bool whole = n == 76 || n == 112 || n == 124 || n == sizeof(compound);
        enum drop why = rtcp_walk(guard_copy(compound, n), n, &walk);
        ck_assert_int_eq(why, whole ? DROP_NONE : DROP_RTCP_INVALID);
    }
}

END_TEST

/* The same packets with each length that their own head can give, so that every reader meets its
 * packet's end before the compound's. */
START_TEST(every_packet_length)
{
    for (unsigned i = 0; i < 4; i++) {
        struct rtcp_packet packet = nth_packet(compound, sizeof(compound), i);
        for (uint16_t words = 1; words <= packet.bytes / 4; words++) {
            uint8_t *data = guard_copy(compound + packet.at, 4 * (size_t)words);
            data[0] &= 0xdf; /* no padding */
            put_be16(data + 2, (uint16_t)(words - 1));
            struct rtcp_walk walk;
            ck_assert_int_eq(rtcp_walk(data, 4 * (size_t)words, &walk), DROP_NONE);
            unsigned blocks_n = words < 7 ? 0 : (words - 7u) / 6;
            ck_assert_uint_eq(walk.blocks_n, i == 0 ? blocks_n : 0);
            unsigned byes_n = words - 1u < 2 ? words - 1u : 2;
            ck_assert_uint_eq(walk.byes_n, i == 3 ? byes_n : 0);
        }
    }
}

END_TEST

static const struct {
    const char *what;
    uint8_t items[12];
    size_t bytes;
    bool valid;
    const char *cname; /* NULL: none */
} chunks[] = {
    {"empty", {0, 0, 0, 0}, 4, true, NULL},
    {"no items and no end", {0}, 0, true, NULL},
    {"empty name", {1, 0, 0, 0}, 4, true, ""},
    {"name to the very end", {1, 2, 'a', 'b'}, 4, true, "ab"},
    {"name past the end", {1, 3, 'a', 'b'}, 4, false, NULL},
    {"item head past the end", {2, 1, 'a', 1}, 4, false, NULL},
    {"two names: the first", {1, 1, 'a', 1, 1, 'b', 0, 0}, 8, true, "a"},
    {"longest length", {1, 255, 'a', 'b', 'c', 'd', 'e', 'f'}, 8, false, NULL},
};

START_TEST(description_items)
{
    uint8_t data[20] = {0x81, RTCP_SDES, 0, 0, 1, 2, 3, 4};
    size_t bytes = 8 + chunks[_i].bytes;
    put_be16(data + 2, (uint16_t)(bytes / 4 - 1));
    memcpy(data + 8, chunks[_i].items, chunks[_i].bytes);
    const uint8_t *at = guard_copy(data, bytes);

    struct rtcp_packet packet = nth_packet(at, bytes, 0);
    uint32_t ssrc;
    const uint8_t *cname;
    size_t cname_bytes;
    bool valid = rtcp_read_cname(at, &packet, 0, &ssrc, &cname, &cname_bytes);
    ck_assert_msg(valid == chunks[_i].valid, "%s", chunks[_i].what);
    if (!valid)
        return;
    ck_assert_int_eq(cname != NULL, chunks[_i].cname != NULL);
    if (cname) {
        ck_assert_uint_eq(cname_bytes, strlen(chunks[_i].cname));
        ck_assert_mem_eq(cname, chunks[_i].cname, cname_bytes);
    }
}

END_TEST

static const struct rtcp_sender_info sent = {
    .ntp = 0xe1d2c3b480000001, .rtp_ts = 0xfedcba98, .packets = 0x00010002, .octets = 0x00030004};
static const struct rtcp_report_block blocks[2] = {
    {0xaabbccdd, 0x40, -2, 0x0005ffff, 42, 0xc3b48000, 0x18000},
    {0x55667788, 0xff, 0x7fffff, 0xffffffff, 0xffffffff, 0, 0},
};

START_TEST(writes_what_the_rfc_draws)
{
    uint8_t data[RTCP_BYTES_MAX];
    struct rtcp_writer writer = {data, 0, sizeof(data)};
    ck_assert(rtcp_write_sr(&writer, 0x11223344, &sent, blocks, 2));
    ck_assert_uint_eq(writer.at, 76);
    ck_assert_mem_eq(data, compound, 76);

    static const uint8_t rest[] = {
        0x81, 0xc9, 0x00, 0x07, /* RR, 1 block */
        0x11, 0x22, 0x33, 0x44, /* */
        0xaa, 0xbb, 0xcc, 0xdd, /* */
        0x40, 0xff, 0xff, 0xfe, /* */
        0x00, 0x05, 0xff, 0xff, /* */
        0x00, 0x00, 0x00, 0x2a, /* */
        0xc3, 0xb4, 0x80, 0x00, /* */
        0x00, 0x01, 0x80, 0x00, /* */
        0x81, 0xca, 0x00, 0x03, /* SDES */
        0x11, 0x22, 0x33, 0x44, /* */
        0x01, 0x04, 'r',  'o',  /* */
        'o',  'm',  0x00, 0x00, /* */
        0x82, 0xcb, 0x00, 0x02, /* BYE */
        0x00, 0x00, 0x00, 0x01, /* */
        0xff, 0xff, 0xff, 0xff, /* */
    };
    writer.at = 0;
    ck_assert(rtcp_write_rr(&writer, 0x11223344, blocks, 1));
    ck_assert(rtcp_write_sdes_cname(&writer, 0x11223344, "room"));
    ck_assert(rtcp_write_bye(&writer, (const uint32_t[]){1, 0xffffffff}, 2));
    ck_assert(rtcp_write_bye(&writer, NULL, 0));
    ck_assert_uint_eq(writer.at, sizeof(rest));
    ck_assert_mem_eq(data, rest, sizeof(rest));
}

END_TEST

START_TEST(lost_total_is_clamped_to_24_bits)
{
    static const struct {
        int32_t given, read;
    } losses[] = {{0, 0},
                  {-1, -1},
                  {8388607, 8388607},
                  {8388608, 8388607},
                  {-8388608, -8388608},
                  {-8388609, -8388608},
                  {INT32_MAX, 8388607},
                  {INT32_MIN, -8388608}};

    for (size_t i = 0; i < ARRAY_N(losses); i++) {
        uint8_t data[32];
        struct rtcp_writer writer = {data, 0, sizeof(data)};
        struct rtcp_report_block block = {.lost_total = losses[i].given};
        ck_assert(rtcp_write_rr(&writer, 1, &block, 1));
        struct rtcp_packet packet = nth_packet(data, writer.at, 0);
        ck_assert(rtcp_read_report_block(data, &packet, 0, &block));
        ck_assert_int_eq(block.lost_total, losses[i].read);
    }
}

END_TEST

/* CNAMEs of every length come back, each chunk ended by a null. */
START_TEST(names_of_every_length)
{
    char name[RTCP_CNAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof(name));
    for (size_t n = 0; n <= RTCP_CNAME_BYTES_MAX + 1; n++) {
        name[n] = 0;
        uint8_t data[300];
        struct rtcp_writer writer = {data, 0, sizeof(data)};
        bool fits = n <= RTCP_CNAME_BYTES_MAX;
        ck_assert_int_eq(rtcp_write_sdes_cname(&writer, 7, name), fits);
        name[n] = 'n';
        if (!fits) {
            ck_assert_uint_eq(writer.at, 0);
            continue;
        }
        ck_assert_uint_eq(data[writer.at - 1], 0);
        struct rtcp_packet packet = nth_packet(data, writer.at, 0);
        uint32_t ssrc;
        const uint8_t *cname;
        size_t bytes;
        ck_assert(rtcp_read_cname(data, &packet, 0, &ssrc, &cname, &bytes));
        ck_assert_uint_eq(bytes, n);
        ck_assert_mem_eq(cname, name, n);
    }
}

END_TEST

static bool write_one(struct rtcp_writer *writer, int which)
{
    static const uint32_t ssrcs[3] = {1, 2, 3};
    switch (which) {
    case 0:
        return rtcp_write_sr(writer, 1, &sent, blocks, 2);
    case 1:
        return rtcp_write_rr(writer, 1, blocks, 2);
    case 2:
        return rtcp_write_sdes_cname(writer, 1, "somebody@example");
    default:
        return rtcp_write_bye(writer, ssrcs, 3);
    }
}

/* Every room from none to enough: refused without a trace, or written whole. */
START_TEST(every_buffer_size)
{
    static const size_t sizes[] = {76, 56, 28, 16};
    for (size_t room = 0; room <= 84; room++) {
        uint8_t *data = guard_take(8 + room);
        memset(data, 0xee, 8 + room);
        struct rtcp_writer writer = {data, 8, 8 + room};
        bool fits = room >= sizes[_i];
        ck_assert_int_eq(write_one(&writer, _i), fits);
        ck_assert_uint_eq(writer.at, 8 + (fits ? sizes[_i] : 0));
        for (size_t i = fits ? 8 + sizes[_i] : 0; i < 8 + room; i++)
            ck_assert_uint_eq(data[i], 0xee);
    }
}

END_TEST

START_TEST(most_blocks_that_a_report_holds)
{
    struct rtcp_report_block many[RTCP_BLOCKS_MAX];
    for (uint32_t i = 0; i < RTCP_BLOCKS_MAX; i++)
        many[i] = (struct rtcp_report_block){.ssrc = i, .seq_max = i << 16, .lost_total = -(int)i};
    uint8_t data[RTCP_BYTES_MAX];
    struct rtcp_writer writer = {data, 0, sizeof(data)};
    ck_assert(rtcp_write_rr(&writer, 9, many, RTCP_BLOCKS_MAX));
    struct rtcp_packet packet = nth_packet(data, writer.at, 0);
    struct rtcp_report_block block;
    for (unsigned i = 0; i < RTCP_BLOCKS_MAX; i++) {
        ck_assert(rtcp_read_report_block(data, &packet, i, &block));
        ck_assert_uint_eq(block.ssrc, i);
        ck_assert_uint_eq(block.seq_max, i << 16);
        ck_assert_int_eq(block.lost_total, -(int)i);
    }
    ck_assert(!rtcp_read_report_block(data, &packet, RTCP_BLOCKS_MAX, &block));
}

END_TEST

/* Longer than an offset can say: refused before it is walked. */
START_TEST(longest_compound)
{
    uint8_t *data = guard_take(65536 + 4);
    memset(data, 0, 65540);
    for (size_t at = 0; at < 65540; at += 4)
        put_be32(data + at, 0x80cb0000);
    struct rtcp_reader reader;
    struct rtcp_packet packet;
    ck_assert_int_eq(rtcp_reader_init(&reader, data, 65536), DROP_RTCP_INVALID);
    ck_assert(!rtcp_reader_next(&reader, &packet));
    ck_assert_int_eq(rtcp_reader_init(&reader, data, 65532), DROP_NONE);
    unsigned n = 0;
    while (rtcp_reader_next(&reader, &packet))
        ck_assert_uint_eq(packet.at, 4 * n++);
    ck_assert_uint_eq(n, 65532 / 4);
}

END_TEST

Suite *rtcp_packet_suite(void)
{
    Suite *suite = suite_create("rtcp_packet");
    TCase *tcase = tcase_create("packet");
    tcase_add_test(tcase, walks_every_packet);
    tcase_add_test(tcase, reads_sender_report);
    tcase_add_test(tcase, reads_descriptions);
    tcase_add_test(tcase, reads_bye_beside_its_reason);
    tcase_add_test(tcase, readers_know_their_kind);
    tcase_add_loop_test(tcase, checks_the_whole_compound, 0, (int)ARRAY_N(rows));
    tcase_add_test(tcase, every_prefix);
    tcase_add_test(tcase, every_packet_length);
    tcase_add_loop_test(tcase, description_items, 0, (int)ARRAY_N(chunks));
    tcase_add_test(tcase, writes_what_the_rfc_draws);
    tcase_add_test(tcase, lost_total_is_clamped_to_24_bits);
    tcase_add_test(tcase, names_of_every_length);
    tcase_add_loop_test(tcase, every_buffer_size, 0, 4);
    tcase_add_test(tcase, most_blocks_that_a_report_holds);
    tcase_add_test(tcase, longest_compound);
    suite_add_tcase(suite, tcase);
    return suite;
}
