/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_score_test.c - rtp/score: one interval's formula and the weighted history. */
#include "rtp/score.h"
#include "test/suite.h"

/* First interval of a stream: its own score is the value. Worked out by hand. */
static const struct {
    uint32_t expected, received, repaired, retransmitted;
    uint8_t score;
} rows[] = {
    {100, 100, 0, 0, 10}, {0, 0, 0, 0, 10}, /* silence is not loss */
    {0, 5, 0, 0, 10},                       /* late ones of the interval before */
    {100, 0, 0, 0, 0},                      /* nothing came */
    {100, 95, 0, 0, 8},                     /* (90/95)^4 = 0.805 */
    {100, 90, 0, 0, 6},                     /* (80/90)^4 = 0.624 */
    {100, 80, 0, 0, 3},                     /* (60/80)^4 = 0.316 */
    {100, 50, 0, 0, 0},                     /* as much lost as received */
    {100, 10, 0, 0, 0},                     /* more lost than received */
    {100, 90, 10, 10, 9}, /* all repaired: weight (1/(1+1/9))^4 = 0.656, lost 3.44: 0.856 */
    {100, 90, 10, 20, 7}, /* every other resend was in vain: weight 0.328, lost 6.72: 0.733 */
    {100, 90, 0, 20, 6},  /* resends that repaired nothing */
    {100, 95, 9, 9, 9},   /* more repaired than lost: weight 0.815, lost 0.925 of 95: 0.96 */
    {100, 120, 0, 0, 10}, /* more than expected */
};

START_TEST(first_interval)
{
    struct score score;
    score_init(&score);
    ck_assert_uint_eq(score.value, 10);
    bool changed = score_add(&score, rows[_i].expected, rows[_i].received, rows[_i].repaired,
                             rows[_i].retransmitted);
    ck_assert_uint_eq(score.value, rows[_i].score);
    ck_assert_int_eq(changed, rows[_i].score != 10);
}

END_TEST

START_TEST(newest_weighs_most)
{
    struct score score;
    score_init(&score);
    for (int i = 0; i < SCORE_HISTORY; i++)
        ck_assert(!score_add(&score, 100, 100, 0, 0));
    /* weights 1..24 sum to 300; a zero takes the place of the last one: 10 * (300 - 24) / 300 = 9.2
     */
    ck_assert(score_add(&score, 100, 0, 0, 0));
    ck_assert_uint_eq(score.value, 9);
    ck_assert_uint_eq(score.n, SCORE_HISTORY);
    ck_assert(score_add(&score, 100, 0, 0, 0)); /* 10 * 253 / 300 = 8.43 */
    ck_assert_uint_eq(score.value, 8);
    for (int i = 0; i < SCORE_HISTORY; i++)
        score_add(&score, 100, 0, 0, 0);
    ck_assert_uint_eq(score.value, 0);
    for (int i = 0; i < SCORE_HISTORY; i++)
        score_add(&score, 100, 100, 0, 0);
    ck_assert_uint_eq(score.value, 10);
}

END_TEST

START_TEST(huge_counts)
{
    struct score score;
    score_init(&score);
    score_add(&score, UINT32_MAX, UINT32_MAX / 20 * 19, UINT32_MAX, UINT32_MAX);
    ck_assert_uint_le(score.value, 10);
    score_add(&score, UINT32_MAX, 1, UINT32_MAX, 1);
    ck_assert_uint_le(score.value, 10);
}

END_TEST

Suite *rtp_score_suite(void)
{
    Suite *suite = suite_create("rtp/score");
    TCase *tc = tcase_create("score");
    tcase_add_loop_test(tc, first_interval, 0, (int)ARRAY_N(rows));
    tcase_add_test(tc, newest_weighs_most);
    tcase_add_test(tc, huge_counts);
    suite_add_tcase(suite, tc);
    return suite;
}
