/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_nack_test.c - what is missing, when it is asked for, and when it is given up. */
#include "core/random.h"
#include "rtcp/nack.h"
#include "rtp/seq.h"
#include "test/must.h"
#include "test/suite.h"

/* Every test runs at these times of virtual uptime: start, the wraps of 32 and 31 bits of us, 400
 * days. */
static const int64_t starts_us[] = {0, INT64_C(0xffffffff) - 5000, INT64_C(0x7fffffff) - 5000,
                                    INT64_C(400) * 86400 * 1000000};
/* And from these numbers: 16-bit and 32-bit wraps of the extended number. */
static const uint32_t firsts[] = {0x10000, 0x1fffa, 0xfffffffa, 0x7ffffffa};

enum { PLACES_N = 16, ALL_N = 2000 };

static int64_t start_us(int i)
{
    return starts_us[i % 4];
}

static uint32_t first_seq(int i)
{
    return firsts[i / 4];
}

static struct nack_list list;

/* What must always hold. */
static void check(void)
{
    MUST(list.n <= NACK_LIST_MAX);
    int64_t earliest = INT64_MAX;
    for (uint32_t i = 0; i < list.n; i++) {
        if (i > 0)
            MUST(ts_newer(list.items[i].seq_ext, list.items[i - 1].seq_ext));
        MUST(ts_newer(list.seq_max, list.items[i].seq_ext));
        MUST(ts_diff(list.seq_max, list.items[i].seq_ext) <= NACK_AGE_MAX);
        int64_t due_us = list.due_us + (uint32_t)(list.items[i].due_low - (uint32_t)list.due_us);
        earliest = due_us < earliest ? due_us : earliest;
    }
    if (!list.wants_keyframe)
        MUST(list.due_us == earliest);
    MUST(list.gaps == list.reordered + list.recovered + list.given_up + list.cleared + list.n);
}

static bool receive(uint32_t seq_ext, int64_t now_us)
{
    bool missing = nack_receive(&list, seq_ext, false, now_us);
    check();
    return missing;
}

static uint16_t taken[ALL_N];
static bool wants_keyframe;

static size_t take(int64_t now_us, int64_t rtt_us)
{
    size_t n = nack_take(&list, now_us, rtt_us, taken, ALL_N, &wants_keyframe);
    check();
    return n;
}

START_TEST(starts_with_the_head_only)
{
    memset(&list, 0xee, sizeof(list));
    nack_init(&list);
    for (size_t i = 0; i < sizeof(list.items); i++)
        ck_assert_uint_eq(((const uint8_t *)list.items)[i], 0xee);
    ck_assert_int_eq(nack_due_us(&list), INT64_MAX);
    ck_assert_uint_eq(take(1, 0), 0);
    ck_assert(!wants_keyframe);
    ck_assert(!receive(5, 1));
    ck_assert(!receive(6, 2));
    ck_assert(!receive(6, 3));
    ck_assert(!receive(5, 3));
    ck_assert(!receive(1, 3)); /* before the first */
    ck_assert_int_eq(nack_due_us(&list), INT64_MAX);
    ck_assert_uint_eq(list.gaps, 0);
}

END_TEST

START_TEST(asks_exactly_when_due)
{
    int64_t t = start_us(_i);
    uint32_t s = first_seq(_i);
    nack_init(&list);
    receive(s, t);
    receive(s + 3, t + 1234); /* 1 and 2 are missing */
    ck_assert_int_eq(nack_due_us(&list), t + 1234 + NACK_DELAY_US);
    ck_assert_uint_eq(take(t + 1234 + NACK_DELAY_US - 1, 50000), 0);
    ck_assert_uint_eq(take(t + 1234 + NACK_DELAY_US, 50000), 2);
    ck_assert_uint_eq(taken[0], (uint16_t)(s + 1));
    ck_assert_uint_eq(taken[1], (uint16_t)(s + 2));
    /* Again after the RTT, not before. */
    int64_t again_us = t + 1234 + NACK_DELAY_US + 50000;
    ck_assert_int_eq(nack_due_us(&list), again_us);
    ck_assert_uint_eq(take(again_us - 1, 50000), 0);
    ck_assert(receive(s + 1, again_us - 1));
    ck_assert(!receive(s + 1, again_us - 1));
    ck_assert_uint_eq(take(again_us, 50000), 1);
    ck_assert_uint_eq(taken[0], (uint16_t)(s + 2));
    ck_assert(receive(s + 2, again_us + 1));
    ck_assert_int_eq(nack_due_us(&list), INT64_MAX);
    ck_assert_uint_eq(list.recovered, 2);
    ck_assert_uint_eq(list.asked, 3);
    ck_assert(!wants_keyframe);
}

END_TEST

START_TEST(reordering_asks_for_nothing)
{
    int64_t t = start_us(_i);
    uint32_t s = first_seq(_i);
    nack_init(&list);
    receive(s, t);
    receive(s + 2, t + 1000);
    receive(s + 4, t + 2000);
    ck_assert_int_eq(nack_due_us(&list), t + 1000 + NACK_DELAY_US);
    ck_assert(receive(s + 1, t + 3000));
    ck_assert_int_eq(nack_due_us(&list), t + 2000 + NACK_DELAY_US); /* the earlier one has gone */
    ck_assert(receive(s + 3, t + 3001));
    ck_assert_int_eq(nack_due_us(&list), INT64_MAX);
    ck_assert_uint_eq(take(t + 1000000, 0), 0);
    ck_assert_uint_eq(list.reordered, 2);
    ck_assert_uint_eq(list.asked, 0);
}

END_TEST

START_TEST(waits_an_rtt_within_bounds)
{
    static const struct {
        int64_t rtt_us, wait_us;
    } rows[] = {{0, NACK_RTT_DEFAULT_US},
                {-1, NACK_RTT_DEFAULT_US},
                {1, NACK_REPEAT_MIN_US},
                {NACK_REPEAT_MIN_US + 1, NACK_REPEAT_MIN_US + 1},
                {777777, 777777},
                {NACK_REPEAT_MAX_US, NACK_REPEAT_MAX_US},
                {INT64_MAX, NACK_REPEAT_MAX_US}};

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        int64_t t = start_us(_i);
        nack_init(&list);
        receive(10, t);
        receive(12, t);
        ck_assert_uint_eq(take(t + NACK_DELAY_US, rows[i].rtt_us), 1);
        ck_assert_int_eq(nack_due_us(&list), t + NACK_DELAY_US + rows[i].wait_us);
    }
}

END_TEST

START_TEST(gives_up_after_the_last_try)
{
    int64_t t = start_us(_i);
    uint32_t s = first_seq(_i);
    nack_init(&list);
    receive(s, t);
    receive(s + 2, t);
    unsigned tries = 0;
    while (nack_due_us(&list) != INT64_MAX && tries < 100) {
        int64_t due_us = nack_due_us(&list);
        ck_assert_int_eq(due_us, t + NACK_DELAY_US + (int64_t)tries * 30000);
        size_t n = take(due_us, 30000);
        ck_assert_uint_eq(n, tries < NACK_TRIES);
        tries++;
    }
    ck_assert_uint_eq(tries, NACK_TRIES + 1); /* the last one only found that it is in vain */
    ck_assert_uint_eq(list.asked, NACK_TRIES);
    ck_assert_uint_eq(list.given_up, 1);
    ck_assert(!wants_keyframe);
    ck_assert(!receive(s + 1, t + 9000000));
}

END_TEST

START_TEST(the_last_try_may_still_succeed)
{
    int64_t t = start_us(_i);
    nack_init(&list);
    receive(10, t);
    receive(12, t);
    for (int i = 0; i < NACK_TRIES; i++)
        ck_assert_uint_eq(take(nack_due_us(&list), 30000), 1);
    ck_assert(receive(11, nack_due_us(&list) - 1));
    ck_assert_uint_eq(list.recovered, 1);
    ck_assert_uint_eq(list.given_up, 0);
}

END_TEST

START_TEST(a_small_buffer_leaves_the_rest_due)
{
    int64_t t = start_us(_i);
    uint32_t s = first_seq(_i);
    nack_init(&list);
    receive(s, t);
    receive(s + 8, t); /* 7 missing */
    bool keyframe;
    int64_t due_us = nack_due_us(&list);
    ck_assert_uint_eq(nack_take(&list, due_us, 0, taken, 0, &keyframe), 0);
    ck_assert_int_eq(nack_due_us(&list), due_us);
    ck_assert_uint_eq(nack_take(&list, due_us, 0, taken, 3, &keyframe), 3);
    ck_assert_uint_eq(taken[0], (uint16_t)(s + 1));
    ck_assert_int_eq(nack_due_us(&list), due_us);
    ck_assert_uint_eq(nack_take(&list, due_us, 0, taken, 3, &keyframe), 3);
    ck_assert_uint_eq(taken[0], (uint16_t)(s + 4));
    ck_assert_uint_eq(nack_take(&list, due_us, 0, taken, 3, &keyframe), 1);
    ck_assert_uint_eq(taken[0], (uint16_t)(s + 7));
    ck_assert_int_eq(nack_due_us(&list), due_us + NACK_RTT_DEFAULT_US);
}

END_TEST

START_TEST(an_overflow_gives_up_and_wants_a_key_frame)
{
    int64_t t = start_us(_i);
    uint32_t s = first_seq(_i);
    nack_init(&list);
    receive(s, t);
    receive(s + NACK_LIST_MAX + 1, t); /* exactly full */
    ck_assert_uint_eq(list.n, NACK_LIST_MAX);
    receive(s + NACK_LIST_MAX + 3, t + 1);
    ck_assert_uint_eq(list.n, 0);
    ck_assert_uint_eq(list.cleared, NACK_LIST_MAX + 1);
    ck_assert_int_eq(nack_due_us(&list), t + 1); /* at once */

    /* It stays wanted while new gaps come. */
    receive(s + NACK_LIST_MAX + 5, t + 2);
    ck_assert_int_eq(nack_due_us(&list), t + 1);
    ck_assert_uint_eq(take(t + 3, 0), 0);
    ck_assert(wants_keyframe);
    ck_assert_int_eq(nack_due_us(&list), t + 2 + NACK_DELAY_US);
    ck_assert_uint_eq(take(t + 2 + NACK_DELAY_US, 0), 1);
    ck_assert(!wants_keyframe);
}

END_TEST

START_TEST(one_gap_larger_than_the_list)
{
    static const uint32_t jumps[] = {NACK_LIST_MAX + 3, 3000, 60000, 0x10000, 0x7fffffff};
    for (size_t i = 0; i < ARRAY_N(jumps); i++) {
        nack_init(&list);
        uint32_t s = first_seq(_i);
        receive(s, 5);
        receive(s + 2, 5);
        receive(s + jumps[i], 6);
        ck_assert_uint_eq(list.n, 0);
        ck_assert(list.wants_keyframe);
        ck_assert_uint_eq(list.gaps, list.cleared + list.given_up);
        receive(s + jumps[i] + 2, 7);
        ck_assert_uint_eq(list.n, 1);
    }
}

END_TEST

START_TEST(an_overflow_trims_to_the_key_frame)
{
    int64_t t = start_us(_i);
    uint32_t s = first_seq(_i);
    nack_init(&list);
    receive(s, t);
    receive(s + 601, t);                          /* 600 missing */
    nack_receive(&list, s + 700, true, t + 1000); /* 98 more, then a key frame */
    check();
    receive(s + 1001, t + 2000); /* 300 more: 998 */
    ck_assert_uint_eq(list.n, 998);
    receive(s + 1010, t + 3000); /* 8 more are too many: what is before the key frame goes */
    ck_assert_uint_eq(list.n, 308);
    ck_assert_uint_eq(list.cleared, 698);
    ck_assert_uint_eq(list.items[0].seq_ext, s + 701);
    ck_assert_int_eq(nack_due_us(&list), t + 2000 + NACK_DELAY_US);
    take(t + 3000, 0);
    ck_assert(!wants_keyframe);
    /* Too much behind the key frame as well. */
    receive(s + 1800, t + 4000);
    ck_assert_uint_eq(list.n, 0);
    take(t + 4000, 0);
    ck_assert(wants_keyframe);
}

END_TEST

START_TEST(a_key_frame_that_ends_the_gap)
{
    uint32_t s = first_seq(_i);
    nack_init(&list);
    receive(s, 0);
    receive(s + 901, 0);
    nack_receive(&list, s + 1100, true, 1); /* nothing before it is wanted any more */
    check();
    ck_assert_uint_eq(list.n, 0);
    ck_assert(!list.wants_keyframe);
    ck_assert_int_eq(nack_due_us(&list), INT64_MAX);
    ck_assert_uint_eq(list.cleared, 900 + 198);

    /* A key frame in the middle of the next gap cuts that, too. */
    receive(s + 1100 + 900, 2);
    nack_receive(&list, s + 1100 + 950, false, 2);
    list.keyframe_seq = s + 1100 + 1000; /* as if it had come ahead of the rest */
    receive(s + 1100 + 1100, 3);
    ck_assert_uint_eq(list.n, 100);
    ck_assert_uint_eq(list.items[0].seq_ext, s + 1100 + 1000);
}

END_TEST

START_TEST(an_old_key_frame_does_not_move_back)
{
    nack_init(&list);
    receive(100, 0);
    nack_receive(&list, 120, true, 0);
    nack_receive(&list, 110, true, 0);
    ck_assert_uint_eq(list.keyframe_seq, 120);
    for (uint32_t i = 0; i <= NACK_AGE_MAX; i++)
        receive(121 + i, 1);
    ck_assert(!list.keyframe_known);
}

END_TEST

START_TEST(age_ends_it)
{
    int64_t t = start_us(_i);
    uint32_t s = first_seq(_i);
    nack_init(&list);
    receive(s, t);
    receive(s + 2, t); /* s + 1 missing */
    receive(s + 4, t + 5000);
    for (uint32_t i = 5; i <= NACK_AGE_MAX + 1; i++)
        receive(s + i, t + 6000);
    ck_assert_uint_eq(list.n, 2);
    receive(s + NACK_AGE_MAX + 2, t + 6000);
    ck_assert_uint_eq(list.n, 1);
    ck_assert_uint_eq(list.given_up, 1);
    ck_assert_int_eq(nack_due_us(&list), t + 5000 + NACK_DELAY_US);
    ck_assert(!receive(s + 1, t + 6000));
    ck_assert(receive(s + 3, t + 6000));
}

END_TEST

START_TEST(reset_forgets)
{
    nack_init(&list);
    receive(10, 0);
    receive(20, 0);
    take(NACK_DELAY_US, 0);
    nack_reset(&list);
    check();
    ck_assert_int_eq(nack_due_us(&list), INT64_MAX);
    ck_assert_uint_eq(list.cleared, 9);
    ck_assert(!receive(0x50000, 1)); /* begins anew anywhere */
    ck_assert(!receive(11, 1));
    ck_assert_uint_eq(list.n, 0);
    ck_assert(!receive(0x50002, 1));
    ck_assert_uint_eq(list.n, 1);
}

END_TEST

/* ---- a link in virtual time: 5 ms packets, loss both ways, resends after the RTT ---- */
enum { SIM_PACKETS_N = 60000, SIM_STEP_US = 5000 };

struct sim {
    struct random random;
    uint32_t loss_percent;
    int64_t rtt_us;
    uint32_t first;
    int64_t start_us;
    int64_t missed_us[SIM_PACKETS_N]; /* when the gap was seen */
    int64_t asked_us[SIM_PACKETS_N];
    uint8_t tries[SIM_PACKETS_N];
    bool lost[SIM_PACKETS_N], back[SIM_PACKETS_N];

    struct {
        int64_t at_us;
        uint32_t index;
    } resends[4096];

    uint32_t resends_head, resends_n;
};

static struct sim sim;

static bool sim_loses(void)
{
    return random_below(&sim.random, 100) < sim.loss_percent;
}

static void sim_ask(int64_t now_us)
{
    size_t n = take(now_us, sim.rtt_us);
    MUST(!wants_keyframe);
    bool request_lost = sim_loses();
    for (size_t i = 0; i < n; i++) {
        uint32_t index = seq_extend(list.seq_max, taken[i]) - sim.first;
        MUST(index < SIM_PACKETS_N);
        MUST(sim.lost[index] && !sim.back[index]);
        if (sim.tries[index]++ == 0)
            MUST(now_us == sim.missed_us[index] + NACK_DELAY_US);
        else
            MUST(now_us == sim.asked_us[index] + sim.rtt_us);
        sim.asked_us[index] = now_us;
        if (request_lost || sim_loses())
            continue;
        MUST(sim.resends_n < ARRAY_N(sim.resends));
        uint32_t at = (sim.resends_head + sim.resends_n++) % ARRAY_N(sim.resends);
        sim.resends[at].at_us = now_us + sim.rtt_us - 1;
        sim.resends[at].index = index;
    }
}

/* Runs everything that is due before `until_us`, in order of time. */
static void sim_run_until(int64_t until_us)
{
    for (;;) {
        int64_t resend_us = sim.resends_n ? sim.resends[sim.resends_head].at_us : INT64_MAX;
        int64_t due_us = nack_due_us(&list);
        if (resend_us >= until_us && due_us >= until_us)
            return;
        if (due_us < resend_us) {
            sim_ask(due_us);
            continue;
        }
        uint32_t index = sim.resends[sim.resends_head].index;
        sim.resends_head = (sim.resends_head + 1) % ARRAY_N(sim.resends);
        sim.resends_n--;
        MUST(receive(sim.first + index, resend_us));
        sim.back[index] = true;
    }
}

static const struct {
    uint32_t loss_percent;
    int64_t rtt_us;
    uint32_t first;
    double recovered_min;
} links[] = {
    {1, 50000, 0x1fff0, 1.0},
    {5, 50000, 0xffffff00, 0.99999},
    {10, 200000, 0x7fffff00, 0.9999},
    {30, 30000, 0x10000, 0.98},
};

START_TEST(recovers_over_a_lossy_link)
{
    memset(&sim, 0, sizeof(sim));
    sim.random.state = 42 + (uint64_t)_i;
    sim.loss_percent = links[_i].loss_percent;
    sim.rtt_us = links[_i].rtt_us;
    sim.first = links[_i].first;
    sim.start_us = start_us(_i);
    nack_init(&list);

    uint32_t lost_n = 0;
    uint32_t seen = 0; /* first number that is not known about */
    for (uint32_t i = 0; i < SIM_PACKETS_N; i++) {
        int64_t now_us = sim.start_us + (int64_t)i * SIM_STEP_US;
        sim_run_until(now_us);
        sim.lost[i] = i > 0 && i < SIM_PACKETS_N - 1 && sim_loses();
        if (sim.lost[i]) {
            lost_n++;
            continue;
        }
        for (; seen < i; seen++)
            sim.missed_us[seen] = now_us;
        seen = i + 1;
        MUST(!receive(sim.first + i, now_us));
    }
    sim_run_until(INT64_MAX);

    uint32_t back_n = 0;
    for (uint32_t i = 0; i < SIM_PACKETS_N; i++) {
        back_n += sim.back[i];
        MUST(sim.tries[i] <= NACK_TRIES);
        MUST(sim.back[i] || !sim.lost[i] || sim.tries[i] == NACK_TRIES);
    }
    ck_assert_uint_eq(list.n, 0);
    ck_assert_uint_eq(list.gaps, lost_n);
    ck_assert_uint_eq(list.recovered, back_n);
    ck_assert_uint_gt(lost_n, SIM_PACKETS_N * sim.loss_percent / 200);
    ck_assert_uint_ge(back_n, (uint32_t)(lost_n * links[_i].recovered_min));
}

END_TEST

/* Anything in any order, at random: what must hold holds. */
START_TEST(random_numbers)
{
    struct random random = {.state = 7 + (uint64_t)_i};
    nack_init(&list);
    uint32_t seq = first_seq(_i);
    int64_t now_us = start_us(_i);
    for (int i = 0; i < 20000; i++) {
        uint32_t what = random_below(&random, 1000);
        now_us += random_below(&random, 3000);
        if (what < 600)
            seq++;
        else if (what < 700)
            seq += random_below(&random, 8);
        else if (what < 702)
            seq += random_below(&random, 1500);
        else if (what == 703)
            nack_reset(&list);
        uint32_t given = what < 900 ? seq : seq - random_below(&random, what < 990 ? 60 : 12000);
        bool keyframe = random_below(&random, 200) == 0;
        nack_receive(&list, given, keyframe, now_us);
        check();
        if (nack_due_us(&list) <= now_us)
            take(now_us, random_below(&random, 100000));
    }
    ck_assert_uint_gt(list.asked, 0);
    ck_assert_uint_gt(list.recovered, 0);
    ck_assert_uint_gt(list.given_up, 0);
    ck_assert_uint_gt(list.cleared, 0);
}

END_TEST

Suite *rtcp_nack_suite(void)
{
    Suite *suite = suite_create("rtcp_nack");
    TCase *tcase = tcase_create("nack");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, starts_with_the_head_only);
    tcase_add_loop_test(tcase, asks_exactly_when_due, 0, PLACES_N);
    tcase_add_loop_test(tcase, reordering_asks_for_nothing, 0, PLACES_N);
    tcase_add_loop_test(tcase, waits_an_rtt_within_bounds, 0, 4);
    tcase_add_loop_test(tcase, gives_up_after_the_last_try, 0, PLACES_N);
    tcase_add_loop_test(tcase, the_last_try_may_still_succeed, 0, 4);
    tcase_add_loop_test(tcase, a_small_buffer_leaves_the_rest_due, 0, PLACES_N);
    tcase_add_loop_test(tcase, an_overflow_gives_up_and_wants_a_key_frame, 0, PLACES_N);
    tcase_add_loop_test(tcase, one_gap_larger_than_the_list, 0, PLACES_N);
    tcase_add_loop_test(tcase, an_overflow_trims_to_the_key_frame, 0, PLACES_N);
    tcase_add_loop_test(tcase, a_key_frame_that_ends_the_gap, 0, PLACES_N);
    tcase_add_test(tcase, an_old_key_frame_does_not_move_back);
    tcase_add_loop_test(tcase, age_ends_it, 0, PLACES_N);
    tcase_add_test(tcase, reset_forgets);
    tcase_add_loop_test(tcase, recovers_over_a_lossy_link, 0, (int)ARRAY_N(links));
    tcase_add_loop_test(tcase, random_numbers, 0, PLACES_N);
    suite_add_tcase(suite, tcase);
    return suite;
}
