/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_feedback_test.c - NACK, PLI, FIR and REMB read and written. */
#include "core/random.h"
#include "rtcp/packet.h"
#include "rtp/seq.h"
#include "test/guard.h"
#include "test/rtcp_walk.h"
#include "test/suite.h"

/* RFC 4585 6.2.1, 6.3.1; RFC 5104 4.3.1; REMB as browsers write it. A reduced-size compound. */
static const uint8_t compound[] = {
    0x81, 0xcd, 0x00, 0x04, /* NACK */
    0x00, 0x00, 0x00, 0x01, /* sender */
    0xca, 0xfe, 0xba, 0xbe, /* media */
    0xff, 0xfe, 0x80, 0x05, /* 65534 and 1, 3, 16 behind it */
    0x12, 0x34, 0x00, 0x00, /* one alone */
    0x81, 0xce, 0x00, 0x02, /* PLI */
    0x00, 0x00, 0x00, 0x01, /* */
    0xca, 0xfe, 0xba, 0xbe, /* */
    0x84, 0xce, 0x00, 0x06, /* FIR for two */
    0x00, 0x00, 0x00, 0x01, /* */
    0x00, 0x00, 0x00, 0x00, /* */
    0xca, 0xfe, 0xba, 0xbe, /* */
    0xff, 0x00, 0x00, 0x00, /* sequence 255 */
    0xde, 0xad, 0xbe, 0xef, /* */
    0x07, 0x00, 0x00, 0x00, /* */
    0x8f, 0xce, 0x00, 0x06, /* AFB */
    0x00, 0x00, 0x00, 0x01, /* */
    0x00, 0x00, 0x00, 0x00, /* */
    'R',  'E',  'M',  'B',  /* */
    0x02, 0x07, 0xa1, 0x20, /* two ssrcs, exponent 1, mantissa 0x3a120: 476,736 bit/s */
    0xca, 0xfe, 0xba, 0xbe, /* */
    0xde, 0xad, 0xbe, 0xef, /* */
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

START_TEST(reads_nack)
{
    struct rtcp_packet packet = nth_packet(compound, sizeof(compound), 0);
    uint32_t ssrc;
    ck_assert(rtcp_read_media_ssrc(compound, &packet, &ssrc));
    ck_assert_uint_eq(ssrc, 0xcafebabe);

    uint16_t seqs[RTCP_NACK_SEQS_MAX];
    size_t at = 0;
    ck_assert_uint_eq(rtcp_read_nack(compound, &packet, &at, seqs), 4);
    ck_assert_uint_eq(seqs[0], 65534);
    ck_assert_uint_eq(seqs[1], 65535);
    ck_assert_uint_eq(seqs[2], 1);
    ck_assert_uint_eq(seqs[3], 14);
    ck_assert_uint_eq(rtcp_read_nack(compound, &packet, &at, seqs), 1);
    ck_assert_uint_eq(seqs[0], 0x1234);
    ck_assert_uint_eq(rtcp_read_nack(compound, &packet, &at, seqs), 0);
    ck_assert_uint_eq(rtcp_read_nack(compound, &packet, &at, seqs), 0);
    at = SIZE_MAX; /* a cursor that is none */
    ck_assert_uint_eq(rtcp_read_nack(compound, &packet, &at, seqs), 0);
}

END_TEST

START_TEST(reads_keyframe_requests)
{
    struct rtcp_packet pli = nth_packet(compound, sizeof(compound), 1);
    uint32_t ssrc;
    uint8_t seq;
    ck_assert_uint_eq(pli.type, RTCP_PSFB);
    ck_assert_uint_eq(pli.count, RTCP_FB_PLI);
    ck_assert(rtcp_read_media_ssrc(compound, &pli, &ssrc));
    ck_assert_uint_eq(ssrc, 0xcafebabe);
    ck_assert(!rtcp_read_fir(compound, &pli, 0, &ssrc, &seq));

    struct rtcp_packet fir = nth_packet(compound, sizeof(compound), 2);
    ck_assert(rtcp_read_fir(compound, &fir, 0, &ssrc, &seq));
    ck_assert_uint_eq(ssrc, 0xcafebabe);
    ck_assert_uint_eq(seq, 255);
    ck_assert(rtcp_read_fir(compound, &fir, 1, &ssrc, &seq));
    ck_assert_uint_eq(ssrc, 0xdeadbeef);
    ck_assert_uint_eq(seq, 7);
    ck_assert(!rtcp_read_fir(compound, &fir, 2, &ssrc, &seq));
    ck_assert(!rtcp_read_fir(compound, &fir, UINT32_MAX, &ssrc, &seq));
}

END_TEST

START_TEST(reads_remb)
{
    struct rtcp_packet packet = nth_packet(compound, sizeof(compound), 3);
    uint64_t bps;
    uint32_t ssrcs[2];
    size_t n;
    ck_assert(rtcp_read_remb(compound, &packet, &bps, ssrcs, 2, &n));
    ck_assert_uint_eq(bps, 0x3a120 * 2);
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(ssrcs[0], 0xcafebabe);
    ck_assert_uint_eq(ssrcs[1], 0xdeadbeef);
    ck_assert(rtcp_read_remb(compound, &packet, &bps, ssrcs, 1, &n));
    ck_assert_uint_eq(n, 1);
    ck_assert(rtcp_read_remb(compound, &packet, &bps, NULL, 0, &n));
    ck_assert_uint_eq(n, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct rtcp_packet other = nth_packet(compound, sizeof(compound), i);
        ck_assert(!rtcp_read_remb(compound, &other, &bps, ssrcs, 2, &n));
    }
}

END_TEST

START_TEST(remb_that_is_none)
{
    struct rtcp_walk walk;
    uint8_t data[28];
    memcpy(data, compound + 60, 28);
    put_be16(data + 2, 6);
    ck_assert_int_eq(rtcp_walk(data, 28, &walk), DROP_NONE);
    ck_assert_uint_eq(walk.rembs_n, 1);
    data[16] = 3; /* lists more than it holds */
    ck_assert_int_eq(rtcp_walk(data, 28, &walk), DROP_NONE);
    ck_assert_uint_eq(walk.rembs_n, 0);
    data[16] = 2;
    data[12] = 'r'; /* another application's */
    ck_assert_int_eq(rtcp_walk(data, 28, &walk), DROP_NONE);
    ck_assert_uint_eq(walk.rembs_n, 0);
}

END_TEST

START_TEST(every_prefix_and_length)
{
    for (size_t n = 0; n <= sizeof(compound); n++) {
        struct rtcp_walk walk;
        bool whole = n == 20 || n == 32 || n == 60 || n == sizeof(compound);
        enum drop why = rtcp_walk(guard_copy(compound, n), n, &walk);
        ck_assert_int_eq(why, whole ? DROP_NONE : DROP_RTCP_INVALID);
    }
    for (unsigned i = 0; i < 4; i++) {
        struct rtcp_packet packet = nth_packet(compound, sizeof(compound), i);
        for (uint16_t words = 1; words < packet.bytes / 4; words++) {
            uint8_t *data = guard_copy(compound + packet.at, 4 * (size_t)words);
            put_be16(data + 2, (uint16_t)(words - 1));
            struct rtcp_walk walk;
            ck_assert_int_eq(rtcp_walk(data, 4 * (size_t)words, &walk), DROP_NONE);
            ck_assert_uint_eq(walk.rembs_n, 0);
            ck_assert_uint_eq(walk.nacks_n, i == 0 && words >= 4 ? 4 : 0);
            ck_assert_uint_eq(walk.firs_n, i == 2 && words >= 5 ? 1 : 0);
        }
    }
}

END_TEST

static const struct {
    const char *what;
    uint16_t seqs[20];
    size_t n, items_n;
} packs[] = {
    {"one", {7}, 1, 1},
    {"seventeen in a row", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, 17, 1},
    {"eighteen in a row", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, 18, 2},
    {"sixteen behind", {100, 116}, 2, 1},
    {"seventeen behind", {100, 117}, 2, 2},
    {"across the wrap", {65520, 65535, 0}, 3, 1},
    {"across the wrap, too far", {65519, 65535, 0}, 3, 2},
    {"65535 first", {65535, 0, 15}, 3, 1},
    {"half a turn", {0, 32768}, 2, 2},
    {"twice", {5, 5, 6, 6}, 4, 1},
    {"not ascending", {9, 7, 8}, 3, 2},
    {"descending within one item", {5, 9, 7}, 3, 2},
};

START_TEST(packs_numbers)
{
    uint8_t data[128];
    struct rtcp_writer writer = {data, 0, sizeof(data)};
    size_t n = packs[_i].n;
    ck_assert_uint_eq(rtcp_write_nack(&writer, 1, 2, packs[_i].seqs, n), n);
    ck_assert_msg(writer.at == 12 + 4 * packs[_i].items_n, "%s", packs[_i].what);

    struct rtcp_packet packet = nth_packet(data, writer.at, 0);
    uint16_t seqs[RTCP_NACK_SEQS_MAX];
    bool found[20] = {false};
    size_t at = 0;
    for (size_t k; (k = rtcp_read_nack(data, &packet, &at, seqs)) != 0;) {
        for (size_t i = 0; i < k; i++) {
            bool wanted = false;
            for (size_t j = 0; j < n; j++) {
                if (packs[_i].seqs[j] == seqs[i])
                    wanted = found[j] = true;
            }
            ck_assert_msg(wanted, "%s: %u was not asked for", packs[_i].what, seqs[i]);
        }
    }
    for (size_t j = 0; j < n; j++)
        ck_assert_msg(found[j], "%s: %u is missing", packs[_i].what, packs[_i].seqs[j]);
}

END_TEST

/* Random ascending lists round every part of the circle come back as they were. */
START_TEST(nack_round_trip)
{
    struct random random = {.state = 1};
    for (int round = 0; round < 2000; round++) {
        uint16_t seqs[200];
        uint16_t seq = (uint16_t)(round % 2 ? 65400 + random_below(&random, 200)
                                            : random_below(&random, 65536));
        size_t n = 1 + random_below(&random, ARRAY_N(seqs));
        for (size_t i = 0; i < n; i++) {
            seqs[i] = seq;
            seq = (uint16_t)(seq + 1 + (random_below(&random, 3) ? 0 : random_below(&random, 40)));
        }
        size_t room = 12 + random_below(&random, 400);
        uint8_t *data = guard_take(room);
        struct rtcp_writer writer = {data, 0, room};

        /* What did not fit is written into a second packet by the caller. */
        size_t written = rtcp_write_nack(&writer, 1, 2, seqs, n);
        ck_assert_uint_le(written, n);
        ck_assert(written == n || room - writer.at < (written ? 4 : 16));
        if (written == 0) {
            ck_assert_uint_eq(writer.at, 0);
            continue;
        }
        struct rtcp_packet packet = nth_packet(data, writer.at, 0);
        uint16_t opened[RTCP_NACK_SEQS_MAX];
        size_t at = 0;
        size_t read = 0;
        for (size_t k; (k = rtcp_read_nack(data, &packet, &at, opened)) != 0; read += k) {
            ck_assert_uint_le(read + k, written);
            ck_assert_mem_eq(opened, seqs + read, k * sizeof(seqs[0]));
        }
        ck_assert_uint_eq(read, written);
    }
}

END_TEST

START_TEST(writes_what_the_rfcs_draw)
{
    uint8_t data[sizeof(compound)];
    struct rtcp_writer writer = {data, 0, sizeof(data)};
    static const uint16_t seqs[] = {65534, 65535, 1, 14, 0x1234};
    ck_assert_uint_eq(rtcp_write_nack(&writer, 1, 0xcafebabe, seqs, ARRAY_N(seqs)), 5);
    ck_assert(rtcp_write_pli(&writer, 1, 0xcafebabe));
    ck_assert_mem_eq(data, compound, 32);

    writer.at = 0;
    ck_assert(rtcp_write_fir(&writer, 1, 0xcafebabe, 255));
    ck_assert_uint_eq(writer.at, 20);
    ck_assert_uint_eq(be16(data + 2), 4);
    ck_assert_mem_eq(data + 4, compound + 36, 16);

    writer.at = 0;
    static const uint32_t ssrcs[] = {0xcafebabe, 0xdeadbeef};
    ck_assert(rtcp_write_remb(&writer, 1, 0x3a120 * 2, ssrcs, 2));
    ck_assert_mem_eq(data, compound + 60, 28);
}

END_TEST

START_TEST(remb_bitrates)
{
    static const struct {
        uint64_t given, read;
    } bitrates[] = {
        {0, 0},
        {1, 1},
        {262143, 262143},
        {262144, 262144},
        {262145, 262144},
        {2500000, 2500000},
        {1000000007, 999997440},
        {UINT64_MAX, UINT64_C(0x3ffff) << 46},
    };

    for (size_t i = 0; i < ARRAY_N(bitrates); i++) {
        uint8_t data[20];
        struct rtcp_writer writer = {data, 0, sizeof(data)};
        ck_assert(rtcp_write_remb(&writer, 1, bitrates[i].given, NULL, 0));
        struct rtcp_packet packet = nth_packet(data, writer.at, 0);
        uint64_t bps;
        size_t n;
        ck_assert(rtcp_read_remb(data, &packet, &bps, NULL, 0, &n));
        ck_assert_uint_le(bps, bitrates[i].given);
        ck_assert_uint_le(bitrates[i].given - bps, bitrates[i].given >> 17);
        ck_assert_uint_eq(bps, bitrates[i].read);
    }
}

END_TEST

START_TEST(remb_saturates)
{
    static const struct {
        uint32_t coded;
        uint64_t bps;
    } codes[] = {
        {46u << 18 | 0x3ffff, UINT64_C(0x3ffff) << 46},
        {47u << 18 | 0x1ffff, UINT64_C(0x1ffff) << 47},
        {47u << 18 | 0x20000, UINT64_MAX},
        {63u << 18 | 1, UINT64_C(1) << 63},
        {63u << 18 | 2, UINT64_MAX},
        {63u << 18 | 0x3ffff, UINT64_MAX},
        {63u << 18, 0},
    };

    for (size_t i = 0; i < ARRAY_N(codes); i++) {
        uint8_t data[20] = {0x8f, 0xce, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B'};
        put_be24(data + 17, codes[i].coded);
        struct rtcp_packet packet = nth_packet(data, sizeof(data), 0);
        uint64_t bps;
        size_t n;
        ck_assert(rtcp_read_remb(data, &packet, &bps, NULL, 0, &n));
        ck_assert_uint_eq(bps, codes[i].bps);
    }
}

END_TEST

static bool write_one(struct rtcp_writer *writer, int which)
{
    static const uint32_t ssrcs[2] = {1, 2};
    static const uint16_t seq = 9;
    switch (which) {
    case 0:
        return rtcp_write_nack(writer, 1, 2, &seq, 1) == 1;
    case 1:
        return rtcp_write_pli(writer, 1, 2);
    case 2:
        return rtcp_write_fir(writer, 1, 2, 3);
    default:
        return rtcp_write_remb(writer, 1, 1000, ssrcs, 2);
    }
}

START_TEST(every_buffer_size)
{
    static const size_t sizes[] = {16, 12, 20, 28};
    for (size_t room = 0; room <= 32; room++) {
        uint8_t *data = guard_take(4 + room);
        memset(data, 0xee, 4 + room);
        struct rtcp_writer writer = {data, 4, 4 + room};
        bool fits = room >= sizes[_i];
        ck_assert_int_eq(write_one(&writer, _i), fits);
        ck_assert_uint_eq(writer.at, 4 + (fits ? sizes[_i] : 0));
        for (size_t i = fits ? 4 + sizes[_i] : 0; i < 4 + room; i++)
            ck_assert_uint_eq(data[i], 0xee);
    }
}

END_TEST

START_TEST(nothing_to_ask_for)
{
    uint8_t data[64];
    struct rtcp_writer writer = {data, 0, sizeof(data)};
    ck_assert_uint_eq(rtcp_write_nack(&writer, 1, 2, NULL, 0), 0);
    ck_assert_uint_eq(writer.at, 0);
}

END_TEST

Suite *rtcp_feedback_suite(void)
{
    Suite *suite = suite_create("rtcp_feedback");
    TCase *tcase = tcase_create("feedback");
    tcase_add_test(tcase, reads_nack);
    tcase_add_test(tcase, reads_keyframe_requests);
    tcase_add_test(tcase, reads_remb);
    tcase_add_test(tcase, remb_that_is_none);
    tcase_add_test(tcase, every_prefix_and_length);
    tcase_add_loop_test(tcase, packs_numbers, 0, (int)ARRAY_N(packs));
    tcase_add_test(tcase, nack_round_trip);
    tcase_add_test(tcase, writes_what_the_rfcs_draw);
    tcase_add_test(tcase, remb_bitrates);
    tcase_add_test(tcase, remb_saturates);
    tcase_add_loop_test(tcase, every_buffer_size, 0, 4);
    tcase_add_test(tcase, nothing_to_ask_for);
    suite_add_tcase(suite, tcase);
    return suite;
}
