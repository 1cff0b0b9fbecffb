/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_limit_test.c - the limit makes the run lengths that it is asked for. */
#include "perf/limit.h"
#include "test/suite.h"

static const struct {
    uint32_t packets_n;
    double run, mean; /* asked for, and what is possible */
} rows[] = {
    {7, 7, 7},  {7, 3.5, 3.5}, {7, 3.3, 3.3}, {7, 1, 1},    {7, 6.9, 6.9},
    {7, 20, 7}, {1, 1, 1},     {1, 5, 1},     {14, 10, 10}, {48, 48, 48},
};

START_TEST(makes_the_mean)
{
    uint32_t rest_q8 = 0;
    uint64_t sends = 0;
    uint32_t wrong = 0;
    for (int i = 0; i < 10000; i++) {
        uint32_t n = limit_sends(rows[_i].packets_n, (uint32_t)(rows[_i].run * 256), &rest_q8);
        wrong += n < 1 || n > rows[_i].packets_n;
        sends += n;
    }
    double mean = 10000.0 * rows[_i].packets_n / (double)sends;
    ck_assert_uint_eq(wrong, 0);
    ck_assert_double_eq_tol(mean, rows[_i].mean, 0.02 * rows[_i].mean);
}

END_TEST

/* A room of 10 senders: 6 packets a frame, 30 frames and 50 audio packets a second. */
static const struct {
    bool audio, together;
    uint32_t speakers;
    double run; /* asked for; 0: the best */
    double mean, video;
} rooms[] = {
    {false, false, 0, 6, 6, 6},
    {false, false, 0, 3, 3, 3},
    {false, false, 0, 12, 12, 12},               /* frames of two senders */
    {true, false, 0, 230.0 / 80, 230.0 / 80, 6}, /* audio singly */
    {true, false, 0, 2, 2, 180 / 65.0},
    {true, false, 0, 5, 5, 6 * 80 / 46.0}, /* longer runs of both */
    {true, false, 0, 0, 230.0 / 80, 6},
    {true, false, 2, 0, 190.0 / 40, 6}, /* 2 of 10 speak */
    {true, true, 0, 0, 2300.0 / (300 * 6.0 / 56 + 50), 56},
    {false, false, 0, 0, 6, 6},
};

static struct scene scene;

START_TEST(shares_a_mean_out_over_kinds)
{
    const struct options options = {
        .shape = OPTIONS_ROOM,
        .participants = 50,
        .senders = 10,
        .workers = 1,
        .audio = rooms[_i].audio,
        .together = rooms[_i].together,
        .speakers = rooms[_i].speakers,
        .burst = 6,
        .pps = 180,
    };
    ck_assert(scene_make(&scene, &options));
    struct limit_runs runs = rooms[_i].run > 0 ? limit_runs_of(&scene, &options, rooms[_i].run)
                                               : limit_best_runs(&scene, &options, 1);
    double audio = !options.audio ? 0 : 50 * (options.speakers ? options.speakers : 10);
    double sends = 1800 * 256.0 / runs.video_q8 + (audio > 0 ? audio * 256 / runs.audio_q8 : 0);
    ck_assert_double_eq_tol((1800 + audio) / sends, rooms[_i].mean, 0.01 * rooms[_i].mean);
    ck_assert_double_eq_tol(runs.video_q8 / 256.0, rooms[_i].video, 0.01 * rooms[_i].video);
    struct limit_runs longer = limit_best_runs(&scene, &options, 2 * rooms[_i].mean);
    ck_assert_uint_ge(longer.video_q8 + longer.audio_q8, runs.video_q8 + runs.audio_q8);
}

END_TEST

Suite *perf_limit_suite(void)
{
    Suite *suite = suite_create("perf_limit");
    TCase *tcase = tcase_create("runs");
    tcase_add_loop_test(tcase, makes_the_mean, 0, ARRAY_N(rows));
    tcase_add_loop_test(tcase, shares_a_mean_out_over_kinds, 0, ARRAY_N(rooms));
    suite_add_tcase(suite, tcase);
    return suite;
}
