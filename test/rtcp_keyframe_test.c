/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_keyframe_test.c - many requests for key frames, few upstream. */
#include "core/random.h"
#include "rtcp/keyframe.h"
#include "test/must.h"
#include "test/suite.h"

enum { MS = 1000, SECOND = 1000000 };

/* Times of virtual uptime: start, either side of zero, 400 days. */
static const int64_t starts_us[] = {0, -5 * SECOND, INT64_C(0xffffffff) - 5,
                                    INT64_C(400) * 86400 * SECOND};

/* A scenario: what happens when, and whether a request goes upstream at that moment. */
enum event { REQUEST, FORCE, RECEIVE, EXPIRE };

struct step {
    int64_t at_us;
    enum event event;
    bool sends;
    int64_t due_us; /* after it; -1 = nothing pending */
};

static const struct {
    const char *what;
    int64_t delay_us;
    struct step steps[12];
} scenarios[] = {
    {"answered",
     0,
     {{0, REQUEST, true, SECOND},
      {100 * MS, RECEIVE, false, -1},
      {101 * MS, REQUEST, true, 1101 * MS}}},
    {"one outstanding, repeated once when asked again",
     0,
     {{0, REQUEST, true, SECOND},
      {1, REQUEST, false, SECOND},
      {999 * MS, REQUEST, false, SECOND},
      {SECOND - 1, EXPIRE, false, SECOND},
      {SECOND, EXPIRE, true, 2 * SECOND},
      {2 * SECOND, EXPIRE, false, -1},
      {2 * SECOND + 1, REQUEST, true, 3 * SECOND + 1}}},
    {"not repeated when nobody asked again",
     0,
     {{0, REQUEST, true, SECOND},
      {SECOND, EXPIRE, false, -1},
      {SECOND, REQUEST, true, 2 * SECOND}}},
    {"repeated for as long as it is asked for",
     0,
     {{0, REQUEST, true, SECOND},
      {500 * MS, REQUEST, false, SECOND},
      {SECOND, EXPIRE, true, 2 * SECOND},
      {1500 * MS, REQUEST, false, 2 * SECOND},
      {2 * SECOND, EXPIRE, true, 3 * SECOND},
      {2500 * MS, RECEIVE, false, -1}}},
    {"answered after it was asked again",
     0,
     {{0, REQUEST, true, SECOND},
      {500 * MS, REQUEST, false, SECOND},
      {600 * MS, RECEIVE, false, -1},
      {SECOND, EXPIRE, false, -1}}},
    {"a late timer does not hold a request back",
     0,
     {{0, REQUEST, true, SECOND}, {1001 * MS, REQUEST, true, 2001 * MS}}},
    {"forced",
     0,
     {{0, REQUEST, true, SECOND},
      {10 * MS, FORCE, true, 1010 * MS},
      {SECOND, EXPIRE, false, 1010 * MS},
      {1010 * MS, EXPIRE, false, -1}}},
    {"delay: the first passes, later ones are merged at its end",
     3 * SECOND,
     {{0, REQUEST, true, SECOND},
      {100 * MS, RECEIVE, false, -1},
      {500 * MS, REQUEST, false, 3 * SECOND},
      {900 * MS, REQUEST, false, 3 * SECOND},
      {3 * SECOND - 1, EXPIRE, false, 3 * SECOND},
      {3 * SECOND, EXPIRE, true, 4 * SECOND},
      {3100 * MS, RECEIVE, false, -1},
      {5999 * MS, REQUEST, false, 6 * SECOND},
      {6 * SECOND, EXPIRE, true, 7 * SECOND}}},
    {"delay: a key frame serves what was merged before it",
     3 * SECOND,
     {{0, REQUEST, true, SECOND},
      {500 * MS, REQUEST, false, SECOND},
      {600 * MS, RECEIVE, false, -1},
      {3 * SECOND, REQUEST, true, 4 * SECOND}}},
    {"delay: the first one's wait ends within it",
     3 * SECOND,
     {{0, REQUEST, true, SECOND},
      {500 * MS, REQUEST, false, SECOND},
      {SECOND, EXPIRE, false, 3 * SECOND},
      {3 * SECOND, EXPIRE, true, 4 * SECOND}}},
    {"delay shorter than the wait",
     200 * MS,
     {{0, REQUEST, true, SECOND},
      {100 * MS, REQUEST, false, 200 * MS},
      {200 * MS, EXPIRE, false, SECOND},
      {SECOND, EXPIRE, true, 2 * SECOND},
      {1500 * MS, RECEIVE, false, -1},
      {1501 * MS, REQUEST, true, 2501 * MS}}},
    {"delay: forced at any time, and it begins anew",
     3 * SECOND,
     {{0, REQUEST, true, SECOND},
      {500 * MS, REQUEST, false, SECOND},
      {600 * MS, FORCE, true, 1600 * MS},
      {700 * MS, RECEIVE, false, -1},
      {3500 * MS, REQUEST, false, 3600 * MS},
      {3600 * MS, EXPIRE, true, 4600 * MS}}},
};

static bool apply(struct keyframe *keyframe, enum event event, int64_t now_us)
{
    switch (event) {
    case REQUEST:
        return keyframe_request(keyframe, now_us);
    case FORCE:
        return keyframe_force(keyframe, now_us);
    case EXPIRE:
        return keyframe_expire(keyframe, now_us);
    case RECEIVE:
        break;
    }
    keyframe_receive(keyframe, now_us);
    return false;
}

START_TEST(scenario)
{
    const struct step *steps = scenarios[_i / 4].steps;
    int64_t start_us = starts_us[_i % 4];
    struct keyframe keyframe;
    keyframe_init(&keyframe, scenarios[_i / 4].delay_us);
    uint64_t sent = 0;
    for (size_t i = 0; i < 12 && steps[i].due_us != 0; i++) {
        bool sends = apply(&keyframe, steps[i].event, start_us + steps[i].at_us);
        ck_assert_msg(sends == steps[i].sends, "%s: step %zu", scenarios[_i / 4].what, i);
        int64_t due_us = steps[i].due_us < 0 ? INT64_MAX : start_us + steps[i].due_us;
        ck_assert_msg(keyframe_due_us(&keyframe) == due_us, "%s: due after step %zu: %ld",
                      scenarios[_i / 4].what, i, (long)(keyframe_due_us(&keyframe) - start_us));
        sent += sends;
        ck_assert_uint_eq(keyframe.sent, sent);
        ck_assert_uint_eq(keyframe.fir_seq, (uint8_t)sent);
    }
}

END_TEST

START_TEST(nothing_pending_at_first)
{
    struct keyframe keyframe;
    keyframe_init(&keyframe, 5 * SECOND);
    ck_assert_int_eq(keyframe_due_us(&keyframe), INT64_MAX);
    ck_assert(!keyframe_expire(&keyframe, 0));
    keyframe_receive(&keyframe, 0); /* one that nobody asked for delays nothing */
    ck_assert(keyframe_request(&keyframe, 1));
    keyframe_init(&keyframe, -1);
    ck_assert_int_eq(keyframe.delay_us, 0);
}

END_TEST

/* A hundred receivers that ask at random over a link that loses key frames: upstream sees at most
 * one request a wait (or delay), and nobody who asks waits longer than one of each for it. */
START_TEST(storm)
{
    int64_t delay_us = _i % 2 ? 2 * SECOND : 0;
    struct random random = {.state = 11 + (uint64_t)_i};
    struct keyframe keyframe;
    keyframe_init(&keyframe, delay_us);
    int64_t start_us = starts_us[_i / 2];
    int64_t sent_us = INT64_MIN / 2; /* last request upstream */
    int64_t answer_us = INT64_MAX;   /* when its key frame comes */
    int64_t asked_us = INT64_MAX;    /* oldest that no request has gone out for */
    uint64_t sent = 0;
    bool outstanding = false; /* no key frame since the last request */
    for (int64_t now_us = start_us; now_us < start_us + 600 * SECOND; now_us += 5 * MS) {
        bool sends = keyframe_due_us(&keyframe) <= now_us && keyframe_expire(&keyframe, now_us);
        MUST(keyframe_due_us(&keyframe) > now_us);
        if (answer_us <= now_us) {
            keyframe_receive(&keyframe, now_us);
            outstanding = false;
            answer_us = asked_us = INT64_MAX;
        }
        if (!sends && random_below(&random, 20) == 0) {
            sends = keyframe_request(&keyframe, now_us);
            asked_us = asked_us < now_us ? asked_us : now_us;
        }
        if (sends) {
            MUST(now_us - sent_us >= delay_us);
            MUST(!outstanding || now_us - sent_us >= KEYFRAME_WAIT_US);
            sent++;
            outstanding = true;
            sent_us = now_us;
            asked_us = INT64_MAX;
            answer_us = random_below(&random, 3) ? now_us + 150 * MS : INT64_MAX;
        }
        MUST(asked_us == INT64_MAX || now_us - asked_us <= delay_us + KEYFRAME_WAIT_US);
    }
    ck_assert_uint_eq(keyframe.sent, sent);
    ck_assert_uint_gt(sent, 100);
    ck_assert_uint_gt(keyframe.requested, sent * 2);
}

END_TEST

Suite *rtcp_keyframe_suite(void)
{
    Suite *suite = suite_create("rtcp_keyframe");
    TCase *tcase = tcase_create("keyframe");
    tcase_add_loop_test(tcase, scenario, 0, 4 * (int)ARRAY_N(scenarios));
    tcase_add_test(tcase, nothing_pending_at_first);
    tcase_add_loop_test(tcase, storm, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}
