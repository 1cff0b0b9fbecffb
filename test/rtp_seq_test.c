/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_seq_test.c - rtp/seq: comparison and extension across every wrap. */
#include "rtp/seq.h"
#include "test/suite.h"

START_TEST(sixteen_bits)
{
    ck_assert_int_eq(seq_diff(1, 65535), 2);
    ck_assert_int_eq(seq_diff(65535, 1), -2);
    ck_assert_int_eq(seq_diff(0, 0), 0);
    ck_assert_int_eq(seq_diff(32767, 0), 32767);
    ck_assert_int_eq(seq_diff(32768, 0), -32768);
    ck_assert(seq_newer(0, 65535));
    ck_assert(!seq_newer(65535, 0));
    ck_assert(!seq_newer(7, 7));
}

END_TEST

START_TEST(thirty_two_bits)
{
    ck_assert_int_eq(ts_diff(1, UINT32_MAX), 2);
    ck_assert_int_eq(ts_diff(UINT32_MAX, 1), -2);
    ck_assert_int_eq(ts_diff(0x80000000, 0), INT32_MIN);
    ck_assert(ts_newer(5, 0xfffffff0));
    ck_assert(!ts_newer(5, 5));
}

END_TEST

/* From every distance within half a cycle, at the first cycle, at 16-bit wraps and at the 32-bit
 * wrap. */
START_TEST(extends_to_the_nearest)
{
    static const uint32_t nears[] = {0,       1,          0x10000,    0x1ffff,
                                     0x20000, 0x7fffffff, 0xffff8000, UINT32_MAX};
    int wrong = 0;
    for (size_t i = 0; i < sizeof(nears) / sizeof(nears[0]); i++)
        for (int64_t distance = -32768; distance <= 32767; distance++) {
            uint32_t far = nears[i] + (uint32_t)distance;
            wrong += seq_extend(nears[i], (uint16_t)far) != far;
        }
    ck_assert_int_eq(wrong, 0);
}

END_TEST

Suite *rtp_seq_suite(void)
{
    Suite *suite = suite_create("rtp/seq");
    TCase *tc = tcase_create("seq");
    tcase_add_test(tc, sixteen_bits);
    tcase_add_test(tc, thirty_two_bits);
    tcase_add_test(tc, extends_to_the_nearest);
    suite_add_tcase(suite, tc);
    return suite;
}
