/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_random_test.c - the repeatable numbers repeat and are even, the unpredictable ones fill
 * all they should. */
#include "core/random.h"
#include "test/guard.h"
#include "test/suite.h"

START_TEST(splitmix64_gives_the_published_sequence)
{
    /* The reference implementation's first outputs for the seed 1234567. */
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u,
                                        9817491932198370423u, 4593380528125082431u,
                                        16408922859458223821u};
    struct random random = {.state = 1234567};
    for (size_t i = 0; i < ARRAY_N(expected); i++)
        ck_assert_uint_eq(random_next(&random), expected[i]);
}

END_TEST

START_TEST(below_stays_below_and_is_even)
{
    enum { LIMIT = 10, ROUNDS = 100000 };
    struct random random = {.state = 1};
    uint32_t counts[LIMIT] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t value = random_below(&random, LIMIT);
        if (value >= LIMIT)
            ck_abort_msg("%u is not below %d", value, LIMIT);
        counts[value]++;
    }
    /* Expected 10000 each, standard deviation 95: ten of those either way. */
    for (int i = 0; i < LIMIT; i++) {
        ck_assert_uint_gt(counts[i], ROUNDS / LIMIT - 950);
        ck_assert_uint_lt(counts[i], ROUNDS / LIMIT + 950);
    }
}

END_TEST

START_TEST(below_at_its_edges)
{
    struct random random = {.state = 2};
    bool high = false;
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(random_below(&random, 1), 0);
        uint32_t value = random_below(&random, UINT32_MAX);
        ck_assert_uint_lt(value, UINT32_MAX);
        high |= value > UINT32_MAX / 2;
    }
    ck_assert(high);
}

END_TEST

START_TEST(bytes_fills_exactly_what_it_should)
{
    /* Every byte is set at some time, and none after the end (guard page) or before the start. */
    enum { N = 300 }; /* above 256 the kernel may be interrupted */

    uint8_t seen[N] = {0};
    uint8_t *at = guard_take(N + 1) + 1;
    at[-1] = 0x5a;
    for (int round = 0; round < 8; round++) {
        memset(at, 0, N);
        random_bytes(at, N);
        for (int i = 0; i < N; i++)
            seen[i] |= at[i];
    }
    for (int i = 0; i < N; i++)
        ck_assert_uint_ne(seen[i], 0); /* 2^-64 each */
    ck_assert_uint_eq(at[-1], 0x5a);
    random_bytes(NULL, 0);
}

END_TEST

START_TEST(numbers_differ)
{
    uint32_t first = random_u32();
    bool differs = false;
    for (int i = 0; i < 4; i++)
        differs |= random_u32() != first;
    ck_assert(differs);
}

END_TEST

Suite *core_random_suite(void)
{
    Suite *suite = suite_create("core/random");
    TCase *tcase = tcase_create("random");
    tcase_add_test(tcase, splitmix64_gives_the_published_sequence);
    tcase_add_test(tcase, below_stays_below_and_is_even);
    tcase_add_test(tcase, below_at_its_edges);
    tcase_add_test(tcase, bytes_fills_exactly_what_it_should);
    tcase_add_test(tcase, numbers_differ);
    suite_add_tcase(suite, tcase);
    return suite;
}
