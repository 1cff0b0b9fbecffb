/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_codec_test.c - rtp/codec: payloads built by hand from the RFCs, and every prefix of
 * them. */
#include "rtp/codec.h"
#include "test/guard.h"
#include "test/suite.h"

enum { PAYLOAD_MAX = 24 };

static const struct {
    const char *what;
    enum rtp_codec codec;
    size_t bytes;
    size_t needed; /* shortest prefix that is a key frame; 0 = none is */
    uint8_t payload[PAYLOAD_MAX];
} rows[] = {
    /* RFC 7741 4.2: X R N S R PID(3); then I L T K RSV(4), picture id, TL0PICIDX, TID Y KEYIDX.
     * RFC 7741 4.3: Size0(3) H VER(3) P, P = 0 in a key frame; its start code 9d 01 2a. */
    {"VP8 key, no extension",
     RTP_CODEC_VP8,
     11,
     2,
     {0x10,             /* S, partition 0 */
      0x50, 0x2a, 0x00, /* P = 0 */
      0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01}},
    {"VP8 key, all of the extension, 15-bit picture id",
     RTP_CODEC_VP8,
     7,
     7,
     {0x90,       /* X, S, partition 0 */
      0xf0,       /* I, L, T, K */
      0x92, 0x34, /* M, picture id 0x1234 */
      0x07,       /* TL0PICIDX */
      0x21,       /* TID 0, Y, KEYIDX 1 */
      0x30}},     /* P = 0 */
    {"VP8 key, 7-bit picture id",
     RTP_CODEC_VP8,
     4,
     4,
     {0x90, 0x80, /* X, S; I */
      0x12,       /* picture id 0x12 */
      0x10}},
    {"VP8 key, K alone", RTP_CODEC_VP8, 4, 4, {0x90, 0x10, 0x01, 0x10}},
    {"VP8 key, X with nothing", RTP_CODEC_VP8, 3, 3, {0x90, 0x00, 0x10}},
    {"VP8 inter frame", RTP_CODEC_VP8, 4, 0, {0x10, 0x51, 0x2a, 0x00}},
    {"VP8 key, not its first packet", RTP_CODEC_VP8, 4, 0, {0x00, 0x50, 0x2a, 0x00}},
    {"VP8 key, second partition", RTP_CODEC_VP8, 4, 0, {0x11, 0x50, 0x2a, 0x00}},

    /* RFC 9628 4.2: I P L F B E V Z; picture id; TID(3) U SID(3) D; TL0PICIDX. */
    {"VP9 key, flexible, layer 0",
     RTP_CODEC_VP9,
     6,
     4,
     {0xb8,       /* I, L, F, B */
      0x80, 0x01, /* M, picture id 1 */
      0x00,       /* TID 0, SID 0 */
      0x82, 0x49}},
    {"VP9 key, not flexible, 7-bit picture id",
     RTP_CODEC_VP9,
     5,
     3,
     {0xa8, /* I, L, B */
      0x01, /* picture id 1 */
      0x10, /* TID 0, U, SID 0 */
      0x00, /* TL0PICIDX */
      0x82}},
    {"VP9 key, no picture id, no layers", RTP_CODEC_VP9, 2, 2, {0x08, 0x82}},
    {"VP9 key, upper spatial layer",
     RTP_CODEC_VP9,
     5,
     0,
     {0xb8, 0x80, 0x01, 0x03, /* SID 1, D */
      0x82}},
    {"VP9 inter frame", RTP_CODEC_VP9, 5, 0, {0xf8, 0x80, 0x01, 0x00, 0x86}},
    {"VP9 key, not its first packet", RTP_CODEC_VP9, 5, 0, {0xb0, 0x80, 0x01, 0x00, 0x82}},

    /* RFC 6184 1.3: F NRI(2) type(5). */
    {"H264 IDR", RTP_CODEC_H264, 3, 2, {0x65, 0x88, 0x84}},
    {"H264 SPS", RTP_CODEC_H264, 4, 2, {0x67, 0x42, 0xe0, 0x1f}},
    {"H264 PPS", RTP_CODEC_H264, 4, 0, {0x68, 0xce, 0x3c, 0x80}},
    {"H264 slice", RTP_CODEC_H264, 3, 0, {0x61, 0x9a, 0x00}},
    {"H264 STAP-A: AUD, SPS, PPS",
     RTP_CODEC_H264,
     15,
     11,
     {0x78,                               /* STAP-A */
      0x00, 0x02, 0x09, 0xf0,             /* two bytes: AUD */
      0x00, 0x04, 0x67, 0x42, 0xe0, 0x1f, /* four: SPS */
      0x00, 0x02, 0x68, 0xce}},           /* two: PPS */
    {"H264 STAP-A: SEI, slice",
     RTP_CODEC_H264,
     9,
     0,
     {0x78, 0x00, 0x02, 0x06, 0x01, 0x00, 0x02, 0x61, 0x9a}},
    {"H264 STAP-A: empty unit", RTP_CODEC_H264, 7, 0, {0x78, 0x00, 0x00, 0x00, 0x02, 0x65, 0x88}},
    {"H264 STAP-A: unit too long", RTP_CODEC_H264, 5, 0, {0x78, 0x00, 0x03, 0x65, 0x88}},
    {"H264 FU-A: start of IDR", RTP_CODEC_H264, 3, 2, {0x7c, 0x85, 0x88}},
    {"H264 FU-A: middle of IDR", RTP_CODEC_H264, 3, 0, {0x7c, 0x05, 0x88}},
    {"H264 FU-A: start of slice", RTP_CODEC_H264, 3, 0, {0x7c, 0x81, 0x9a}},

    /* RFC 7798 1.1.4: F type(6) layer id(6) TID(3). */
    {"H265 IDR_W_RADL", RTP_CODEC_H265, 4, 3, {0x26, 0x01, 0xaf, 0x09}},
    {"H265 CRA", RTP_CODEC_H265, 4, 3, {0x2a, 0x01, 0xaf, 0x09}},
    {"H265 BLA_W_LP", RTP_CODEC_H265, 3, 3, {0x20, 0x01, 0xaf}},
    {"H265 reserved IRAP 22", RTP_CODEC_H265, 3, 0, {0x2c, 0x01, 0xaf}},
    {"H265 VPS", RTP_CODEC_H265, 4, 3, {0x40, 0x01, 0x0c, 0x01}},
    {"H265 SPS", RTP_CODEC_H265, 4, 3, {0x42, 0x01, 0x01, 0x01}},
    {"H265 PPS", RTP_CODEC_H265, 4, 0, {0x44, 0x01, 0xc1, 0x73}},
    {"H265 TRAIL_R", RTP_CODEC_H265, 4, 0, {0x02, 0x01, 0xd0, 0x09}},
    {"H265 AP: AUD, VPS",
     RTP_CODEC_H265,
     12,
     12,
     {0x60, 0x01,                     /* AP */
      0x00, 0x03, 0x46, 0x01, 0x50,   /* three bytes: AUD */
      0x00, 0x03, 0x40, 0x01, 0x0c}}, /* three: VPS */
    {"H265 AP: slices",
     RTP_CODEC_H265,
     12,
     0,
     {0x60, 0x01, 0x00, 0x03, 0x02, 0x01, 0xd0, 0x00, 0x03, 0x02, 0x01, 0xd0}},
    {"H265 AP: unit too long", RTP_CODEC_H265, 7, 0, {0x60, 0x01, 0x00, 0x04, 0x40, 0x01, 0x0c}},
    {"H265 AP: unit without a head",
     RTP_CODEC_H265,
     8,
     0,
     {0x60, 0x01, 0x00, 0x01, 0x40, 0x00, 0x01, 0x40}},
    {"H265 FU: start of IDR_N_LP", RTP_CODEC_H265, 4, 3, {0x62, 0x01, 0x94, 0xaf}},
    {"H265 FU: end of IDR_N_LP", RTP_CODEC_H265, 4, 0, {0x62, 0x01, 0x54, 0xaf}},
    {"H265 FU: start of TRAIL_R", RTP_CODEC_H265, 4, 0, {0x62, 0x01, 0x81, 0xd0}},

    /* AV1 RTP specification 4.4: Z Y W(2) N RSV(3). */
    {"AV1 new sequence",
     RTP_CODEC_AV1,
     4,
     2,
     {0x18,               /* W = 1, N */
      0x0a, 0x0b, 0x00}}, /* OBU: sequence header */
    {"AV1 new sequence, goes on in the next packet", RTP_CODEC_AV1, 3, 2, {0x68, 0x0a, 0x0b}},
    {"AV1 inter frame", RTP_CODEC_AV1, 3, 0, {0x10, 0x30, 0x0b}},
    {"AV1 continued, yet new", RTP_CODEC_AV1, 3, 0, {0x98, 0x0a, 0x0b}},

    {"audio", RTP_CODEC_OTHER, 4, 0, {0x10, 0x50, 0x9d, 0x01}},
};

START_TEST(keyframes_and_prefixes)
{
    for (size_t bytes = 0; bytes <= rows[_i].bytes; bytes++) {
        bool expected = rows[_i].needed > 0 && bytes >= rows[_i].needed;
        const uint8_t *at = guard_copy(rows[_i].payload, bytes);
        ck_assert_msg(rtp_codec_keyframe(rows[_i].codec, at, bytes) == expected, "%s, %zu bytes",
                      rows[_i].what, bytes);
    }
}

END_TEST

START_TEST(names)
{
    ck_assert_int_eq(rtp_codec_of_name("VP8"), RTP_CODEC_VP8);
    ck_assert_int_eq(rtp_codec_of_name("vp9"), RTP_CODEC_VP9);
    ck_assert_int_eq(rtp_codec_of_name("h264"), RTP_CODEC_H264);
    ck_assert_int_eq(rtp_codec_of_name("H265"), RTP_CODEC_H265);
    ck_assert_int_eq(rtp_codec_of_name("Av1"), RTP_CODEC_AV1);
    ck_assert_int_eq(rtp_codec_of_name("red"), RTP_CODEC_RED);
    ck_assert_int_eq(rtp_codec_of_name("Opus"), RTP_CODEC_OPUS);
    ck_assert_int_eq(rtp_codec_of_name("multiopus"), RTP_CODEC_OTHER);
    ck_assert_int_eq(rtp_codec_of_name("VP80"), RTP_CODEC_OTHER);
    ck_assert_int_eq(rtp_codec_of_name(""), RTP_CODEC_OTHER);
}

END_TEST

Suite *rtp_codec_suite(void)
{
    Suite *suite = suite_create("rtp/codec");
    TCase *tc = tcase_create("codec");
    tcase_add_loop_test(tc, keyframes_and_prefixes, 0, (int)ARRAY_N(rows));
    tcase_add_test(tc, names);
    suite_add_tcase(suite, tc);
    return suite;
}
