/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_h264_test.c - profile-level-id: RFC 6184 table 5 and what browsers send. */
#include "ctl/h264.h"
#include "test/suite.h"

static const struct {
    const char *text;
    enum h264_profile profile;
    int level;
    const char *usual;
} ids[] = {
    {"42e01f", H264_CONSTRAINED_BASELINE, 31, "42e01f"}, /* Chrome, Safari, Firefox */
    {"42E01F", H264_CONSTRAINED_BASELINE, 31, "42e01f"},
    {"42c01f", H264_CONSTRAINED_BASELINE, 31, "42e01f"}, /* x264 --profile baseline */
    {"42f00b", H264_CONSTRAINED_BASELINE, H264_LEVEL_1B, "42f00b"},
    {"42e00b", H264_CONSTRAINED_BASELINE, 11, "42e00b"},
    {"4d801f", H264_CONSTRAINED_BASELINE, 31, "42e01f"},
    {"58f01f", H264_CONSTRAINED_BASELINE, 31, "42e01f"},
    {"42001f", H264_BASELINE, 31, "42001f"}, /* Chrome */
    {"42a01e", H264_BASELINE, 30, "42001e"},
    {"58801f", H264_BASELINE, 31, "42001f"},
    {"42100b", H264_BASELINE, H264_LEVEL_1B, "42100b"},
    {"4d001f", H264_MAIN, 31, "4d001f"}, /* Chrome */
    {"4d401f", H264_MAIN, 31, "4d001f"},
    {"4d100b", H264_MAIN, H264_LEVEL_1B, "4d100b"},
    {"640c1f", H264_CONSTRAINED_HIGH, 31, "640c1f"}, /* Safari */
    {"64001f", H264_HIGH, 31, "64001f"},             /* Chrome */
    {"640033", H264_HIGH, 51, "640033"},
    {"f4001f", H264_HIGH_444, 31, "f4001f"}, /* Chrome */
    {"420034", H264_BASELINE, 52, "420034"},
};

START_TEST(test_parse_and_format)
{
    struct h264_id id = {0};
    char text[H264_ID_BYTES] = "";
    ck_assert(h264_id_parse(&id, ids[_i].text));
    ck_assert_int_eq(id.profile, ids[_i].profile);
    ck_assert_int_eq(id.level, ids[_i].level);
    ck_assert(h264_id_format(id, text));
    ck_assert_str_eq(text, ids[_i].usual);

    struct h264_id again;
    ck_assert(h264_id_parse(&again, text));
    ck_assert_int_eq(again.profile, id.profile);
    ck_assert_int_eq(again.level, id.level);
}

END_TEST

START_TEST(test_refuses)
{
    static const char *const wrong[] = {
        "",       "4",      "42e01",  "42e01f0", "42e0zz", "0x42e0", "+2e01f", " 42e01", "000000",
        "42e000", "42e021", "42e0ff", "42e11f",  "66001f", "64081f", "64041f", "f4101f", "4d201f",
    };
    for (size_t i = 0; i < ARRAY_N(wrong); i++) {
        struct h264_id id = {H264_HIGH_444, 77};
        ck_assert_msg(!h264_id_parse(&id, wrong[i]), "%s", wrong[i]);
        ck_assert_int_eq(id.level, 77);
    }
}

END_TEST

/* Every value of the three bytes whose first one is known: what parses is written in a form that
 * means the same. */
START_TEST(test_every_id)
{
    static const unsigned idcs[] = {0x42, 0x4d, 0x58, 0x64, 0xf4, 0x41};
    static const char digits[] = "0123456789abcdef";
    unsigned known = 0;
    for (size_t i = 0; i < ARRAY_N(idcs); i++) {
        for (unsigned low = 0; low <= 0xffff; low++) {
            unsigned value = idcs[i] << 16 | low;
            char text[H264_ID_BYTES] = "", out[H264_ID_BYTES] = "";
            struct h264_id id, again;
            for (unsigned j = 0; j < 6; j++)
                text[j] = digits[value >> (20 - 4 * j) & 0xf];
            if (!h264_id_parse(&id, text))
                continue;
            known++;
            ck_assert(h264_id_format(id, out));
            ck_assert(h264_id_parse(&again, out));
            ck_assert(id.profile == again.profile && id.level == again.level);
        }
    }
    /* Combinations of flags per first byte: 8 + 8, 8 + 4, 4 + 4, 1 + 1, 1; each with 16 levels. */
    ck_assert_uint_eq(known, (16 + 12 + 8 + 2 + 1) * 16);
}

END_TEST

START_TEST(test_fits)
{
    for (int a = H264_CONSTRAINED_BASELINE; a <= H264_HIGH_444; a++) {
        for (int b = H264_CONSTRAINED_BASELINE; b <= H264_HIGH_444; b++) {
            struct h264_id stream = {(enum h264_profile)a, 31},
                           receiver = {(enum h264_profile)b, 10};
            bool fits = a == b || (a == H264_CONSTRAINED_BASELINE && b == H264_BASELINE);
            ck_assert_msg(h264_profile_fits(stream, receiver) == fits, "%d into %d", a, b);
        }
    }
}

END_TEST

START_TEST(test_level_min)
{
    static const uint8_t ascending[] = {10, H264_LEVEL_1B, 11, 12, 13, 20, 31, 52};
    for (size_t a = 0; a < ARRAY_N(ascending); a++) {
        for (size_t b = 0; b < ARRAY_N(ascending); b++)
            ck_assert_int_eq(h264_level_min(ascending[a], ascending[b]), ascending[a < b ? a : b]);
    }
}

END_TEST

START_TEST(test_level_1b_only_where_it_exists)
{
    char text[H264_ID_BYTES] = "before";
    ck_assert(!h264_id_format((struct h264_id){H264_HIGH, H264_LEVEL_1B}, text));
    ck_assert(!h264_id_format((struct h264_id){H264_CONSTRAINED_HIGH, H264_LEVEL_1B}, text));
    ck_assert_str_eq(text, "before");
}

END_TEST

Suite *ctl_h264_suite(void)
{
    Suite *suite = suite_create("h264");
    TCase *tcase = tcase_create("h264");
    tcase_add_loop_test(tcase, test_parse_and_format, 0, (int)ARRAY_N(ids));
    tcase_add_test(tcase, test_refuses);
    tcase_add_test(tcase, test_every_id);
    tcase_add_test(tcase, test_fits);
    tcase_add_test(tcase, test_level_min);
    tcase_add_test(tcase, test_level_1b_only_where_it_exists);
    suite_add_tcase(suite, tcase);
    return suite;
}
