/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_scene_test.c - everybody gets everybody else's tracks, and nobody his own. */
#include "perf/scene.h"
#include "test/suite.h"

static struct scene scene;

static const struct {
    struct options options;
    uint32_t rooms, participants, tracks, streams, streams_main;
} rows[] = {
    {{.shape = OPTIONS_FANOUT, .consumers = 100, .workers = 1}, 1, 101, 1, 100, 100},
    {{.shape = OPTIONS_FANOUT, .consumers = 7, .workers = 3}, 3, 10, 3, 7, 7},
    {{.shape = OPTIONS_ROOM, .participants = 5, .senders = 5, .workers = 1}, 1, 5, 5, 20, 20},
    {{.shape = OPTIONS_ROOM, .participants = 50, .senders = 10, .audio = true, .workers = 2},
     1,
     50,
     20,
     980,
     980},
    {{.shape = OPTIONS_BROADCAST, .viewers = 2000, .rooms = 4, .audio = true, .workers = 1},
     5,
     2001 + 12,
     2 + 24,
     4000 + 48,
     4000},
};

START_TEST(counts)
{
    ck_assert(scene_make(&scene, &rows[_i].options));
    ck_assert_uint_eq(scene.rooms_n, rows[_i].rooms);
    ck_assert_uint_eq(scene.participants_n, rows[_i].participants);
    ck_assert_uint_eq(scene.tracks_n, rows[_i].tracks);
    ck_assert_uint_eq(scene.streams_n, rows[_i].streams);
    ck_assert_uint_eq(scene.streams_main_n, rows[_i].streams_main);
    ck_assert(scene.spread ==
              (rows[_i].options.shape == OPTIONS_ROOM && rows[_i].options.workers > 1));
}

END_TEST

START_TEST(gives_no_one_his_own)
{
    uint32_t wrong = 0, received = 0, sampled = 0;
    ck_assert(scene_make(&scene, &rows[_i].options));
    for (uint32_t s = 0; s < scene.streams_n; s++) {
        const struct scene_stream *stream = &scene.streams[s];
        const struct scene_participant *to = &scene.participants[stream->participant];
        const struct scene_track *track = &scene.tracks[stream->track];
        wrong += track->participant == stream->participant;
        wrong += scene.participants[track->participant].room != to->room;
        wrong += s < to->streams_at || s >= to->streams_at + to->streams_n;
    }
    for (uint32_t t = 0; t < scene.tracks_n; t++) {
        received += scene.tracks[t].receivers_n;
        wrong += scene.tracks[t].ssrc != SCENE_SSRC + t;
    }
    for (uint32_t i = 0; i < scene.participants_n; i++)
        sampled += scene.participants[i].sampled;
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(received, scene.streams_n);
    ck_assert_uint_gt(sampled, 0);
}

END_TEST

START_TEST(refuses_too_many)
{
    const struct options too_many = {
        .shape = OPTIONS_ROOM, .participants = 300, .senders = 300, .workers = 1};
    ck_assert(!scene_make(&scene, &too_many));
    const struct options most = {
        .shape = OPTIONS_ROOM, .participants = 256, .senders = 256, .workers = 1};
    ck_assert(scene_make(&scene, &most));
    ck_assert_uint_eq(scene.streams_n, 256 * 255);
}

END_TEST

/* Of 10 audio tracks 3 are sent at any time, each in its turn; video always is. */
START_TEST(lets_speakers_take_turns)
{
    struct options options = rows[3].options;
    uint32_t turns[SCENE_TRACKS_MAX] = {0};
    options.speakers = 3;
    ck_assert(scene_make(&scene, &options));
    for (int64_t turn = 0; turn < 10; turn++) {
        uint32_t n = 0;
        for (uint32_t t = 0; t < scene.tracks_n; t++) {
            bool active = scene_is_active(&scene, &options, t, turn * SCENE_SPEAKER_US + 1);
            if (scene.tracks[t].kind == SCENE_VIDEO)
                ck_assert(active);
            else
                n += active;
            turns[t] += active;
        }
        ck_assert_uint_eq(n, 3);
    }
    for (uint32_t t = 0; t < scene.tracks_n; t++)
        if (scene.tracks[t].kind == SCENE_AUDIO)
            ck_assert_uint_eq(turns[t], 3);
}

END_TEST

START_TEST(varies_audio_within_its_bounds)
{
    const struct options options = {.seed = 7};
    uint32_t least = UINT32_MAX, most = 0;
    for (uint64_t n = 0; n < 1000; n++) {
        uint32_t bytes = scene_audio_bytes(&options, 3, n);
        least = bytes < least ? bytes : least;
        most = bytes > most ? bytes : most;
    }
    ck_assert_uint_eq(least, SCENE_AUDIO_BYTES_MIN);
    ck_assert_uint_eq(most, SCENE_AUDIO_BYTES_MAX);
}

END_TEST

Suite *perf_scene_suite(void)
{
    Suite *suite = suite_create("perf_scene");
    TCase *tcase = tcase_create("scenes");
    tcase_add_loop_test(tcase, counts, 0, ARRAY_N(rows));
    tcase_add_loop_test(tcase, gives_no_one_his_own, 0, ARRAY_N(rows));
    tcase_add_test(tcase, refuses_too_many);
    tcase_add_test(tcase, lets_speakers_take_turns);
    tcase_add_test(tcase, varies_audio_within_its_bounds);
    suite_add_tcase(suite, tcase);
    return suite;
}
