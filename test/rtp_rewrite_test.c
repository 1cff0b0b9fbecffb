/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_rewrite_test.c - rtp/rewrite: bytes by hand, every form of extension, RTX there and
 * back, anything at random. */
#include "core/random.h"
#include "rtp/codec.h"
#include "rtp/rewrite.h"
#include "test/guard.h"
#include "test/rewrite_check.h"
#include "test/suite.h"

/* VP8 with RTX and Opus without, no extensions negotiated. */
static struct rewrite plain(void)
{
    struct rewrite rewrite = {.ssrc = 0x11223344, .rtx_ssrc = 0x55667788, .pt_n = 2};
    rewrite.pt[0].in = 96;
    rewrite.pt[0].out = 101;
    rewrite.pt[0].rtx = 102;
    rewrite.pt[1].in = 111;
    rewrite.pt[1].out = 100;
    rewrite.pt[1].rtx = REWRITE_PT_NONE;
    return rewrite;
}

/* The same with MID, abs-send-time, transport-wide numbers, audio level and orientation. */
static struct rewrite rich(void)
{
    struct rewrite rewrite = plain();
    rewrite.ext_in.id[RTP_EXT_MID] = 1;
    rewrite.ext_in.id[RTP_EXT_RID] = 2;
    rewrite.ext_in.id[RTP_EXT_AUDIO_LEVEL] = 3;
    rewrite.ext_in.id[RTP_EXT_TWCC] = 5;
    rewrite.ext_in.id[RTP_EXT_ORIENTATION] = 4;
    rewrite.ext_out.id[RTP_EXT_MID] = 7;
    rewrite.ext_out.id[RTP_EXT_RID] = 8;
    rewrite.ext_out.id[RTP_EXT_RRID] = 9;
    rewrite.ext_out.id[RTP_EXT_ABS_SEND_TIME] = 10;
    rewrite.ext_out.id[RTP_EXT_TWCC] = 11;
    rewrite.ext_out.id[RTP_EXT_AUDIO_LEVEL] = 12;
    rewrite.ext_out.id[RTP_EXT_ORIENTATION] = 13;
    rewrite.mid_bytes = 1;
    rewrite.mid[0] = '0';
    return rewrite;
}

/* One CSRC, MID "abc", RID "r", audio level, transport-wide number; three bytes of payload, one of
 * padding. */
static const uint8_t packet_in[] = {
    0xb1, 0xe0, 0x00, 0x07, /* V=2 P X CC=1, M PT=96, sequence 7 */
    0x00, 0x00, 0x00, 0x64, /* timestamp */
    0xca, 0xfe, 0xba, 0xbe, /* ssrc */
    0x0a, 0x0b, 0x0c, 0x0d, /* CSRC */
    0xbe, 0xde, 0x00, 0x03, /* one-byte form, three words */
    0x12, 'a',  'b',  'c',  /* id 1: MID */
    0x20, 'r',  0x30, 0x85, /* id 2: RID; id 3: audio level */
    0x51, 0x12, 0x34, 0x00, /* id 5: transport-wide number; padding */
    0xde, 0xad, 0x99, 0x01, /* payload; padding */
};

static const struct rewrite_numbers numbers = {.seq = 0x4242, .rtp_ts = 0x01020304, .pt = 0};

static uint8_t out[256];
static struct rewrite_out result;
static struct rtp_packet packet;
static struct rtp_exts exts;

static void parse(const struct rewrite *rewrite)
{
    ck_assert_int_eq(rtp_packet_parse(&packet, packet_in, sizeof(packet_in)), DROP_NONE);
    rtp_exts_find(&exts, packet_in, &packet, &rewrite->ext_in);
}

START_TEST(without_extensions)
{
    static const uint8_t expected[] = {
        0x81, 0xe5, 0x42, 0x42, /* no padding, no extension; M PT=101 */
        0x01, 0x02, 0x03, 0x04, /* timestamp */
        0x11, 0x22, 0x33, 0x44, /* ssrc */
        0x0a, 0x0b, 0x0c, 0x0d, /* CSRC */
        0xde, 0xad, 0x99,       /* payload */
    };
    struct rewrite rewrite = plain();
    parse(&rewrite);
    rewrite_packet(&rewrite, packet_in, &packet, &exts, &numbers, out, &result);
    ck_assert_uint_eq(result.bytes, sizeof(expected));
    ck_assert_mem_eq(out, expected, sizeof(expected));
    ck_assert_uint_eq(result.twcc_at, 0);
    ck_assert_uint_eq(result.abs_send_time_at, 0);
    rewrite_check(&rewrite, packet_in, sizeof(packet_in));
}

END_TEST

START_TEST(with_extensions)
{
    static const uint8_t expected[] = {
        0x91, 0xe5, 0x42, 0x42, /* X */
        0x01, 0x02, 0x03, 0x04, /* timestamp */
        0x11, 0x22, 0x33, 0x44, /* ssrc */
        0x0a, 0x0b, 0x0c, 0x0d, /* CSRC */
        0xbe, 0xde, 0x00, 0x03, /* one-byte form, three words */
        0x70, '0',  0xa2, 0x00, /* id 7: our MID; id 10: abs-send-time, to be filled ... */
        0x00, 0x00, 0xb1, 0x00, /* ... ; id 11: transport-wide number, to be filled ... */
        0x00, 0xc0, 0x85, 0x00, /* ... ; id 12: audio level as it came; padding */
        0xde, 0xad, 0x99,       /* payload */
    };
    struct rewrite rewrite = rich();
    parse(&rewrite);
    rewrite_packet(&rewrite, packet_in, &packet, &exts, &numbers, out, &result);
    ck_assert_uint_eq(result.bytes, sizeof(expected));
    ck_assert_mem_eq(out, expected, sizeof(expected));
    ck_assert_uint_eq(result.abs_send_time_at, 23);
    ck_assert_uint_eq(result.twcc_at, 27);
    rewrite_check(&rewrite, packet_in, sizeof(packet_in));
}

END_TEST

START_TEST(as_rtx)
{
    static const uint8_t expected[] = {
        0x81, 0xe6, 0x00, 0x09, /* M PT=102, its own sequence */
        0x01, 0x02, 0x03, 0x04, /* timestamp of the original */
        0x55, 0x66, 0x77, 0x88, /* RTX ssrc */
        0x0a, 0x0b, 0x0c, 0x0d, /* CSRC */
        0x42, 0x42,             /* original sequence number */
        0xde, 0xad, 0x99,       /* payload */
    };
    struct rewrite rewrite = plain();
    parse(&rewrite);
    rewrite_packet_rtx(&rewrite, packet_in, &packet, &exts, &numbers, 9, out, &result);
    ck_assert_uint_eq(result.bytes, sizeof(expected));
    ck_assert_mem_eq(out, expected, sizeof(expected));
}

END_TEST

/* What makes the one-byte form impossible makes the two-byte form. */
START_TEST(two_byte_form_where_it_must_be)
{
    struct rewrite rewrite = rich();
    uint8_t data[128];
    memcpy(data, packet_in, sizeof(packet_in));
    size_t bytes = sizeof(packet_in);
    switch (_i) {
    case 0: /* asked for */
        rewrite.ext_two_byte = true;
        break;
    case 1: /* an id too high */
        rewrite.ext_out.id[RTP_EXT_TWCC] = 15;
        break;
    case 2:
        rewrite.ext_out.id[RTP_EXT_AUDIO_LEVEL] = 255;
        break;
    case 3: /* too long */
        rewrite.mid_bytes = 17;
        break;
    case 4: /* an empty element, as the two-byte form allows */
        put_be16(data + 16, 0x1000);
        memcpy(data + 20, (uint8_t[12]){3, 0, 4, 1, 9}, 12);
        break;
    }
    rewrite_check(&rewrite, data, bytes);
    ck_assert_int_eq(rtp_packet_parse(&packet, data, bytes), DROP_NONE);
    rtp_exts_find(&exts, data, &packet, &rewrite.ext_in);
    rewrite_packet(&rewrite, data, &packet, &exts, &numbers, out, &result);
    ck_assert_uint_eq(be16(out + 16), 0x1000);

    rewrite = rich(); /* and the same packet without it, where that can be */
    rewrite_packet(&rewrite, data, &packet, &exts, &numbers, out, &result);
    ck_assert_uint_eq(be16(out + 16), _i == 4 ? 0x1000 : 0xbede);
}

END_TEST

START_TEST(payload_types)
{
    struct rewrite rewrite = plain();
    ck_assert_int_eq(rewrite_pt_find(&rewrite, 96), 0);
    ck_assert_int_eq(rewrite_pt_find(&rewrite, 111), 1);
    ck_assert_int_eq(rewrite_pt_find(&rewrite, 0), -1); /* what is behind pt_n is not looked at */
    ck_assert_int_eq(rewrite_pt_find(&rewrite, 101), -1);
    rewrite.pt_n = 0;
    ck_assert_int_eq(rewrite_pt_find(&rewrite, 96), -1);
}

END_TEST

/* RED 63 -> 73 over Opus 111 -> 100; 9 is no type of the receiver's. */
static const struct {
    size_t bytes;
    uint8_t in[16], out[16];
} reds[] = {
    /* a redundant block of two bytes, then the primary */
    {8,
     {0xef, 0x0f, 0x00, 0x02, 0x6f, 'a', 'b', 'c'},
     {0xe4, 0x0f, 0x00, 0x02, 0x64, 'a', 'b', 'c'}},
    /* the primary alone; what follows looks like a head and is none */
    {4, {0x6f, 0xef, 0x6f, 0x6f}, {0x64, 0xef, 0x6f, 0x6f}},
    /* a type that is not taken stays, the others do not */
    {10, {0x89, 0, 0, 1, 0xef, 0, 0, 0, 0x6f, 'x'}, {0x89, 0, 0, 1, 0xe4, 0, 0, 0, 0x64, 'x'}},
    /* the heads do not end: at the payload's end, before it, behind it */
    {4, {0xef, 0, 0, 0}, {0xef, 0, 0, 0}},
    {5, {0xef, 0, 0, 0, 0xef}, {0xef, 0, 0, 0, 0xef}},
    {1, {0xef}, {0xef}},
    {1, {0x6f}, {0x64}},
    {0, {0}, {0}},
};

START_TEST(red_blocks_get_the_receivers_types)
{
    uint8_t data[12 + 16] = {0x80, 63}, again[64];
    struct rewrite rewrite = plain();
    struct rewrite_numbers red = {.seq = 1, .rtp_ts = 2, .pt = 2};
    size_t bytes = 12 + reds[_i].bytes;
    rewrite.pt[rewrite.pt_n].in = 63;
    rewrite.pt[rewrite.pt_n].out = 73;
    rewrite.pt[rewrite.pt_n].rtx = 74;
    rewrite.pt[rewrite.pt_n++].codec = RTP_CODEC_RED;
    memcpy(data + 12, reds[_i].in, reds[_i].bytes);
    ck_assert_int_eq(rtp_packet_parse(&packet, data, bytes), DROP_NONE);
    rtp_exts_find(&exts, data, &packet, &rewrite.ext_in);

    memset(out, 0xa5, sizeof out);
    rewrite_packet(&rewrite, data, &packet, &exts, &red, out, &result);
    ck_assert_uint_eq(result.bytes, bytes);
    ck_assert_uint_eq(out[1], 73);
    ck_assert_mem_eq(out + 12, reds[_i].out, reds[_i].bytes);
    ck_assert_uint_eq(out[bytes], 0xa5);                      /* not a byte more */
    ck_assert_mem_eq(data + 12, reds[_i].in, reds[_i].bytes); /* the source stays */
    rewrite_packet(&rewrite, data, &packet, &exts, &red, again, &result);
    ck_assert_mem_eq(again, out, bytes); /* a plain resend */
    rewrite_packet_rtx(&rewrite, data, &packet, &exts, &red, 9, out, &result);
    ck_assert_mem_eq(out + 14, reds[_i].out, reds[_i].bytes);

    rewrite.pt[2].codec = RTP_CODEC_OTHER; /* nobody else's payload is touched */
    rewrite_packet(&rewrite, data, &packet, &exts, &red, out, &result);
    ck_assert_mem_eq(out + 12, reds[_i].in, reds[_i].bytes);
}

END_TEST

/* Heads without end cost no look-ups without end. */
START_TEST(red_of_very_many_blocks_goes_as_it_came)
{
    static uint8_t data[12 + 1200] = {0x80, 63}, long_out[2000];
    struct rewrite rewrite = plain();
    struct rewrite_numbers red = {.pt = 1};
    rewrite.pt[1].in = 63;
    rewrite.pt[1].codec = RTP_CODEC_RED;
    for (size_t at = 12; at + 4 < sizeof data; at += 4)
        data[at] = 0x80 | 96;
    ck_assert_int_eq(rtp_packet_parse(&packet, data, sizeof data), DROP_NONE);
    rtp_exts_find(&exts, data, &packet, &rewrite.ext_in);
    rewrite_packet(&rewrite, data, &packet, &exts, &red, long_out, &result);
    ck_assert_mem_eq(long_out + 12, data + 12, sizeof data - 12);
}

END_TEST

START_TEST(rtx_without_a_packet)
{
    uint8_t data[] = {0xa0, 0x66, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xaa, 0xbb, 0xcc, 3};
    for (uint8_t pad = 4; pad >= 1; pad--) {
        data[15] = pad;
        uint8_t *at = guard_copy(data, sizeof(data));
        uint8_t *before = at;
        size_t bytes = sizeof(data);
        ck_assert_int_eq(rtp_packet_parse(&packet, at, bytes), DROP_NONE);
        enum drop why = rewrite_unrtx(&at, &bytes, &packet, 7, 96);
        ck_assert_int_eq(why, pad >= 3 ? DROP_RTX_EMPTY : DROP_NONE);
        if (why != DROP_NONE) {
            ck_assert_ptr_eq(at, before);
            ck_assert_uint_eq(bytes, sizeof(data));
            continue;
        }
        ck_assert_uint_eq(packet.seq, 0xaabb);
        ck_assert_uint_eq(packet.payload_bytes, 2 - pad);
        ck_assert_uint_eq(bytes, sizeof(data) - 2);
    }
}

END_TEST

/* A random packet with random elements in either form, damaged now and then. Returns its length. */
static size_t make_packet(struct random *random, const struct rtp_ext_ids *ids, uint8_t *data)
{
    size_t csrc_n = random_below(random, 4) == 0 ? random_below(random, 16) : 0;
    data[0] = (uint8_t)(0x80 | csrc_n);
    size_t at = RTP_FIXED_BYTES + 4 * csrc_n;
    for (size_t i = 1; i < at; i++)
        data[i] = (uint8_t)random_next(random);

    if (random_below(random, 5) != 0) {
        struct rtp_ext_writer writer;
        bool two_byte = random_below(random, 2);
        rtp_ext_writer_init(&writer, data, at, 1200, two_byte);
        for (uint32_t n = random_below(random, RTP_EXT_N); n > 0; n--) {
            uint8_t value[255];
            for (size_t i = 0; i < sizeof(value); i++)
                value[i] = (uint8_t)random_next(random);
            uint32_t most = two_byte ? (random_below(random, 8) == 0 ? 256 : 20) : 17;
            rtp_ext_write(&writer, ids->id[random_below(random, RTP_EXT_N)], value,
                          random_below(random, most));
        }
        size_t end = rtp_ext_writer_end(&writer);
        data[0] |= end > at ? 0x10 : 0;
        at = end;
    }
    size_t end = at + random_below(random, 60);
    for (; at < end; at++)
        data[at] = (uint8_t)random_next(random);
    if (random_below(random, 8) == 0) {
        data[0] |= 0x20;
        data[at++] = 1;
    }
    if (random_below(random, 8) == 0)
        data[random_below(random, (uint32_t)at)] ^= (uint8_t)(1 << random_below(random, 8));
    return at;
}

/* Distinct ids, one-byte ones mostly; some kinds are not negotiated. */
static void make_ids(struct random *random, struct rtp_ext_ids *ids)
{
    uint8_t first = random_below(random, 4) == 0 ? (uint8_t)random_below(random, 240) : 0;
    uint8_t turn = (uint8_t)random_below(random, RTP_EXT_N);
    uint32_t share = random_below(random, 101);
    for (uint8_t i = 0; i < RTP_EXT_N; i++)
        ids->id[(i + turn) % RTP_EXT_N] =
            random_below(random, 100) < share ? (uint8_t)(first + 1 + i) : 0;
}

START_TEST(anything)
{
    enum { PACKETS = 20000 };
    struct random random = {.state = 0xbeef + (uint64_t)_i};
    unsigned parsed = 0, grown = 0;
    for (int i = 0; i < PACKETS; i++) {
        static uint8_t data[2048];
        struct rewrite rewrite = plain();
        make_ids(&random, &rewrite.ext_in);
        make_ids(&random, &rewrite.ext_out);
        rewrite.ext_two_byte = random_below(&random, 4) == 0;
        rewrite.mid_bytes = (uint8_t)random_below(&random, RTP_MID_BYTES_MAX + 1);
        memset(rewrite.mid, 'x', sizeof(rewrite.mid));
        size_t bytes = make_packet(&random, &rewrite.ext_in, data);
        const uint8_t *at = guard_copy(data, bytes);
        rewrite_check(&rewrite, at, bytes);

        if (rtp_packet_parse(&packet, at, bytes) != DROP_NONE)
            continue;
        parsed++;
        rtp_exts_find(&exts, at, &packet, &rewrite.ext_in);
        grown += rewrite_size(&rewrite, &packet, &exts) > bytes;
    }
    ck_assert_uint_gt(parsed, PACKETS / 2); /* the run was about something */
    ck_assert_uint_gt(grown, PACKETS / 20);
}

END_TEST

/* The most that can be added: a packet without extensions gets all of ours, in the two-byte form.
 */
START_TEST(growth)
{
    struct rewrite rewrite = plain();
    for (unsigned kind = 0; kind < RTP_EXT_N; kind++) {
        rewrite.ext_in.id[kind] = (uint8_t)(1 + kind);
        rewrite.ext_out.id[kind] = (uint8_t)(20 + kind);
    }
    rewrite.mid_bytes = RTP_MID_BYTES_MAX;
    static const uint8_t bare[RTP_FIXED_BYTES] = {0x80, 0x60};
    rewrite_check(&rewrite, bare, sizeof(bare));
    ck_assert_int_eq(rtp_packet_parse(&packet, bare, sizeof(bare)), DROP_NONE);
    rtp_exts_find(&exts, bare, &packet, &rewrite.ext_in);
    ck_assert_uint_eq(rewrite_size(&rewrite, &packet, &exts), 12 + 4 + 34 + 5 + 4 + 1);
}

END_TEST

Suite *rtp_rewrite_suite(void)
{
    Suite *suite = suite_create("rtp/rewrite");
    TCase *tc = tcase_create("rewrite");
    tcase_add_test(tc, without_extensions);
    tcase_add_test(tc, with_extensions);
    tcase_add_test(tc, as_rtx);
    tcase_add_loop_test(tc, two_byte_form_where_it_must_be, 0, 5);
    tcase_add_test(tc, payload_types);
    tcase_add_loop_test(tc, red_blocks_get_the_receivers_types, 0, (int)ARRAY_N(reds));
    tcase_add_test(tc, red_of_very_many_blocks_goes_as_it_came);
    tcase_add_test(tc, rtx_without_a_packet);
    tcase_add_loop_test(tc, anything, 0, 3);
    tcase_add_test(tc, growth);
    suite_add_tcase(suite, tc);
    return suite;
}
