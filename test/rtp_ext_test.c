/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_ext_test.c - rtp/ext: both forms read and written, damaged ones, every size of buffer.
 */
#include "rtp/ext.h"
#include "test/guard.h"
#include "test/suite.h"

static const struct rtp_ext_ids ids = {.id = {
                                           [RTP_EXT_MID] = 1,
                                           [RTP_EXT_RID] = 2,
                                           [RTP_EXT_ABS_SEND_TIME] = 3,
                                           [RTP_EXT_AUDIO_LEVEL] = 14,
                                           [RTP_EXT_TWCC] = 5,
                                       }};

/* Places `block` (head included) behind a fixed header, against the guard page, and finds its
 * elements. */
static struct rtp_exts find(const uint8_t *block, size_t bytes, const uint8_t **packet_at)
{
    uint8_t data[256] = {0x90, 0x60};
    memcpy(data + RTP_FIXED_BYTES, block, bytes);
    uint8_t *at = guard_copy(data, RTP_FIXED_BYTES + bytes);
    struct rtp_packet packet;
    ck_assert_int_eq(rtp_packet_parse(&packet, at, RTP_FIXED_BYTES + bytes), DROP_NONE);
    struct rtp_exts exts;
    rtp_exts_find(&exts, at, &packet, &ids);
    *packet_at = at;
    return exts;
}

START_TEST(one_byte_form)
{
    static const uint8_t block[] = {
        0xbe, 0xde, 0x00, 0x05, /* five words */
        0x12, 'm',  'i',  'd',  /* id 1: three bytes */
        0x00, 0x00, 0x30, 0xaa, /* padding in between, id 3: one byte */
        0x62, 0x01, 0x02, 0x03, /* id 6: not negotiated */
        0xe0, 0x85, 0x51, 0x12, /* id 14: one byte; id 5: two bytes */
        0x34, 0x10, 'x',  0x00, /* id 1 again: the first counts; padding */
    };
    const uint8_t *at;
    struct rtp_exts exts = find(block, sizeof(block), &at);
    ck_assert_uint_eq(exts.present, 1u << RTP_EXT_MID | 1u << RTP_EXT_ABS_SEND_TIME |
                                        1u << RTP_EXT_AUDIO_LEVEL | 1u << RTP_EXT_TWCC);
    ck_assert_uint_eq(exts.bytes[RTP_EXT_MID], 3);
    ck_assert_mem_eq(at + exts.at[RTP_EXT_MID], "mid", 3);
    ck_assert_uint_eq(exts.bytes[RTP_EXT_ABS_SEND_TIME], 1);
    ck_assert_uint_eq(at[exts.at[RTP_EXT_AUDIO_LEVEL]], 0x85);
    ck_assert_uint_eq(be16(at + exts.at[RTP_EXT_TWCC]), 0x1234);
    ck_assert(rtp_exts_has(&exts, RTP_EXT_TWCC));
    ck_assert(!rtp_exts_has(&exts, RTP_EXT_RID));
}

END_TEST

START_TEST(two_byte_form)
{
    static const uint8_t block[] = {
        0x10, 0x07, 0x00, 0x04, /* appbits are ignored */
        0x02, 0x00, 0x00, 0x01, /* id 2: empty; padding; id 1 ... */
        0x02, 'a',  'b',  0x03, /* ... of two bytes; id 3 ... */
        0x03, 0x01, 0x02, 0x03, /* ... of three */
        0xc8, 0x01, 0x99, 0x00, /* id 200 is unknown; padding */
    };
    const uint8_t *at;
    struct rtp_exts exts = find(block, sizeof(block), &at);
    ck_assert_uint_eq(exts.present,
                      1u << RTP_EXT_MID | 1u << RTP_EXT_RID | 1u << RTP_EXT_ABS_SEND_TIME);
    ck_assert_uint_eq(exts.bytes[RTP_EXT_RID], 0);
    ck_assert_uint_eq(exts.bytes[RTP_EXT_MID], 2);
    ck_assert_mem_eq(at + exts.at[RTP_EXT_MID], "ab", 2);
    ck_assert_uint_eq(be24(at + exts.at[RTP_EXT_ABS_SEND_TIME]), 0x010203);
}

END_TEST

/* Blocks whose search ends early: the MID before the damage counts, the level behind it does not.
 */
static const struct {
    const char *what;
    uint8_t block[16];
    uint16_t present;
} damaged[] = {
    {"id 15 ends", {0xbe, 0xde, 0, 2, 0x10, 'm', 0xf0, 0, 0xe0, 1, 0, 0}, 1u << RTP_EXT_MID},
    {"id 0 with a length ends",
     {0xbe, 0xde, 0, 2, 0x10, 'm', 0x01, 0, 0xe0, 1, 0, 0},
     1u << RTP_EXT_MID},
    {"too long", {0xbe, 0xde, 0, 2, 0x10, 'm', 0xef, 0, 0, 0, 0, 0}, 1u << RTP_EXT_MID},
    {"ends in a head", {0xbe, 0xde, 0, 2, 0x10, 'm', 0, 0, 0, 0, 0, 0xe0}, 1u << RTP_EXT_MID},
    {"two-byte, too long", {0x10, 0, 0, 2, 1, 1, 'm', 14, 5, 0, 0, 0}, 1u << RTP_EXT_MID},
    {"two-byte, ends in a head", {0x10, 0, 0, 2, 1, 1, 'm', 0, 0, 0, 0, 14}, 1u << RTP_EXT_MID},
    {"two-byte, empty at the end",
     {0x10, 0, 0, 2, 1, 1, 'm', 0, 0, 0, 14, 0},
     1u << RTP_EXT_MID | 1u << RTP_EXT_AUDIO_LEVEL},
    {"other profile", {0x12, 0x34, 0, 2, 0x10, 'm', 0xe0, 1, 0, 0, 0, 0}, 0},
    {"profile 0", {0, 0, 0, 2, 0x10, 'm', 0xe0, 1, 0, 0, 0, 0}, 0},
    {"only padding", {0xbe, 0xde, 0, 2}, 0},
};

START_TEST(damage_ends_the_search)
{
    const uint8_t *at;
    struct rtp_exts exts = find(damaged[_i].block, 12, &at);
    ck_assert_msg(exts.present == damaged[_i].present, "%s: %x", damaged[_i].what, exts.present);
}

END_TEST

START_TEST(no_extension_has_no_elements)
{
    uint8_t data[RTP_FIXED_BYTES] = {0x80, 0x60};
    struct rtp_packet packet;
    ck_assert_int_eq(rtp_packet_parse(&packet, data, sizeof(data)), DROP_NONE);
    struct rtp_exts exts;
    memset(&exts, 0xff, sizeof(exts));
    rtp_exts_find(&exts, data, &packet, &ids);
    ck_assert_uint_eq(exts.present, 0);
}

END_TEST

START_TEST(uris_and_back)
{
    for (int kind = 0; kind < RTP_EXT_N; kind++)
        ck_assert_int_eq(rtp_ext_kind_of_uri(rtp_ext_uri((enum rtp_ext_kind)kind)), kind);
    ck_assert_str_eq(rtp_ext_uri(RTP_EXT_MID), "urn:ietf:params:rtp-hdrext:sdes:mid");
    ck_assert_int_eq(rtp_ext_kind_of_uri("urn:ietf:params:rtp-hdrext:sdes:mi"), -1);
    ck_assert_int_eq(rtp_ext_kind_of_uri(""), -1);
}

END_TEST

/* What is written is found again, in both forms and every buffer size; nothing is written behind
 * the buffer. */
START_TEST(writes_into_every_size)
{
    bool two_byte = _i;
    size_t full_bytes = RTP_FIXED_BYTES + 4 + (two_byte ? 12 : 8);
    for (size_t size = RTP_FIXED_BYTES; size <= full_bytes + 4; size++) {
        uint8_t blank[64] = {0x90, 0x60};
        uint8_t *data = guard_copy(blank, size);
        struct rtp_ext_writer writer;
        rtp_ext_writer_init(&writer, data, RTP_FIXED_BYTES, size, two_byte);
        size_t mid_at = rtp_ext_write(&writer, 1, (const uint8_t *)"mid", 3);
        size_t time_at = rtp_ext_write(&writer, 3, NULL, 3);
        size_t end = rtp_ext_writer_end(&writer);
        ck_assert_uint_le(end, size);
        ck_assert_int_eq(mid_at != 0, size >= RTP_FIXED_BYTES + (two_byte ? 12 : 8));
        ck_assert_int_eq(time_at != 0, size >= full_bytes);
        if (mid_at == 0) {
            ck_assert_uint_eq(end, RTP_FIXED_BYTES); /* no block at all */
            continue;
        }
        struct rtp_packet packet;
        ck_assert_int_eq(rtp_packet_parse(&packet, data, end), DROP_NONE);
        ck_assert_uint_eq(packet.payload_at, end);
        struct rtp_exts exts;
        rtp_exts_find(&exts, data, &packet, &ids);
        ck_assert_uint_eq(exts.at[RTP_EXT_MID], mid_at);
        ck_assert_int_eq(rtp_exts_has(&exts, RTP_EXT_ABS_SEND_TIME), time_at != 0);
        if (time_at != 0)
            ck_assert_uint_eq(be24(data + time_at), 0);
    }
}

END_TEST

START_TEST(form_has_its_limits)
{
    uint8_t data[400], value[255] = {0};
    struct rtp_ext_writer writer;
    rtp_ext_writer_init(&writer, data, 12, sizeof(data), false);
    ck_assert_uint_eq(rtp_ext_write(&writer, 0, value, 1), 0);
    ck_assert_uint_eq(rtp_ext_write(&writer, 15, value, 1), 0);
    ck_assert_uint_eq(rtp_ext_write(&writer, 1, value, 0), 0);
    ck_assert_uint_eq(rtp_ext_write(&writer, 1, value, 17), 0);
    ck_assert_uint_eq(rtp_ext_writer_end(&writer), 12);
    ck_assert_uint_eq(rtp_ext_write(&writer, 14, value, 16), 17);

    rtp_ext_writer_init(&writer, data, 12, sizeof(data), true);
    ck_assert_uint_eq(rtp_ext_write(&writer, 0, value, 1), 0);
    ck_assert_uint_eq(rtp_ext_write(&writer, 1, value, 256), 0);
    ck_assert_uint_eq(rtp_ext_write(&writer, 255, value, 255), 18);
    ck_assert_uint_eq(rtp_ext_write(&writer, 15, value, 0), 18 + 255 + 2);
    ck_assert_uint_eq(rtp_ext_writer_end(&writer), 12 + 4 + 260);
    ck_assert_uint_eq(be16(data + 12), 0x1000);
    ck_assert_uint_eq(be16(data + 14), 65);
}

END_TEST

Suite *rtp_ext_suite(void)
{
    Suite *suite = suite_create("rtp/ext");
    TCase *tc = tcase_create("ext");
    tcase_add_test(tc, one_byte_form);
    tcase_add_test(tc, two_byte_form);
    tcase_add_loop_test(tc, damage_ends_the_search, 0, (int)ARRAY_N(damaged));
    tcase_add_test(tc, no_extension_has_no_elements);
    tcase_add_test(tc, uris_and_back);
    tcase_add_loop_test(tc, writes_into_every_size, 0, 2);
    tcase_add_test(tc, form_has_its_limits);
    suite_add_tcase(suite, tc);
    return suite;
}
