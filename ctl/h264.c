/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/h264.c - the profile-level-id of H264. RFC 6184 8.1. */
#include "ctl/h264.h"

#include <stdio.h>

enum { CONSTRAINT_SET3 = 0x10 };

/* RFC 6184 table 5, first match: the flags under `mask` have `value`. */
static const struct {
    uint8_t idc, mask, value;
    enum h264_profile profile;
} patterns[] = {
    {0x42, 0x4f, 0x40, H264_CONSTRAINED_BASELINE}, /* x1xx0000 */
    {0x4d, 0x8f, 0x80, H264_CONSTRAINED_BASELINE}, /* 1xxx0000 */
    {0x58, 0xcf, 0xc0, H264_CONSTRAINED_BASELINE}, /* 11xx0000 */
    {0x42, 0x4f, 0x00, H264_BASELINE},             /* x0xx0000 */
    {0x58, 0xcf, 0x80, H264_BASELINE},             /* 10xx0000 */
    {0x4d, 0xaf, 0x00, H264_MAIN},                 /* 0x0x0000 */
    {0x64, 0xff, 0x00, H264_HIGH},                 /* 00000000 */
    {0x64, 0xff, 0x0c, H264_CONSTRAINED_HIGH},     /* 00001100 */
    {0xf4, 0xff, 0x00, H264_HIGH_444},             /* 00000000 */
};

static const uint8_t levels[] = {10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52};

const struct h264_id h264_id_default = {H264_CONSTRAINED_BASELINE, H264_LEVEL_3_1};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool hex_parse(uint8_t bytes[3], const char *text)
{
    if (strlen(text) != 6)
        return false;
    for (size_t i = 0; i < 3; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool h264_id_parse(struct h264_id *id, const char *text)
{
    uint8_t bytes[3];
    if (!hex_parse(bytes, text) || !memchr(levels, bytes[2], sizeof(levels)))
        return false;

    /* For these profiles constraint_set3_flag makes level 1.1 mean 1b (H.264 A.3.1); the patterns
     * allow the flag for no other. */
    bool is_1b = bytes[2] == H264_LEVEL_1_1 && (bytes[1] & CONSTRAINT_SET3);
    for (size_t i = 0; i < ARRAY_N(patterns); i++) {
        if (bytes[0] == patterns[i].idc && (bytes[1] & patterns[i].mask) == patterns[i].value) {
            *id = (struct h264_id){patterns[i].profile, is_1b ? H264_LEVEL_1B : bytes[2]};
            return true;
        }
    }
    return false;
}

bool h264_id_format(struct h264_id id, char text[H264_ID_BYTES])
{
    static const unsigned head[] = {
        [H264_CONSTRAINED_BASELINE] = 0x42e0, [H264_BASELINE] = 0x4200, [H264_MAIN] = 0x4d00,
        [H264_CONSTRAINED_HIGH] = 0x640c,     [H264_HIGH] = 0x6400,     [H264_HIGH_444] = 0xf400,
    };

    bool is_1b = id.level == H264_LEVEL_1B;
    if (is_1b && id.profile > H264_MAIN)
        return false;
    unsigned first = is_1b ? head[id.profile] | CONSTRAINT_SET3 : head[id.profile];
    unsigned last = is_1b ? H264_LEVEL_1_1 : id.level;
    snprintf(text, H264_ID_BYTES, "%04x%02x", first & 0xffff, last & 0xff);
    return true;
}

bool h264_profile_fits(struct h264_id stream, struct h264_id receiver)
{
    return stream.profile == receiver.profile ||
           (stream.profile == H264_CONSTRAINED_BASELINE && receiver.profile == H264_BASELINE);
}

/* 1 < 1b < 1.1. */
static int level_rank(uint8_t level)
{
    if (level == H264_LEVEL_1B)
        return 2 * H264_LEVEL_1 + 1;
    return 2 * level;
}

uint8_t h264_level_min(uint8_t a, uint8_t b)
{
    return level_rank(a) <= level_rank(b) ? a : b;
}
