/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/perf_options_test.c - the command line, right and wrong, and the sizes of a frame. */
#include "perf/options.h"
#include "test/suite.h"

#include <getopt.h>

enum { ARGS_MAX = 32 };

static int parse(struct options *options, const char *line)
{
    static char text[256];
    char *args[ARGS_MAX] = {(char *)(uintptr_t) "sluice-perf"};
    int n = 1;
    memset(text, 0, sizeof text);
    strncpy(text, line, sizeof text - 1);
    for (char *at = text; *at != '\0' && n < ARGS_MAX - 1;) {
        args[n++] = at;
        at += strcspn(at, " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    optind = 0;
    return options_parse(options, n, args);
}

START_TEST(reads_everything)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "fanout --consumers 20 --pps 500 --burst 3 --srtp gcm256 --nack "
                               "--loss 2.5 --rtt 80 --io mmsg --json -"),
                     OPTIONS_RUN);
    ck_assert_str_eq(o.scenario, "fanout");
    ck_assert_uint_eq(o.consumers, 20);
    ck_assert_uint_eq(o.pps, 500);
    ck_assert_uint_eq(o.burst, 3);
    ck_assert_int_eq(o.suite, SEAL_AEAD_AES_256_GCM);
    ck_assert_str_eq(options_suite_name(o.suite), "gcm256");
    ck_assert(o.nack);
    ck_assert_double_eq(o.loss_share, 0.025);
    ck_assert_uint_eq(o.rtt_ms, 80);
    ck_assert_int_eq(o.engine, IO_ENGINE_MMSG);
    ck_assert_str_eq(o.json, "-");
    ck_assert_ptr_null(o.without);
    ck_assert_int_eq(parse(&o, "fanout --without udp_segment,min_wait"), OPTIONS_RUN);
    ck_assert_str_eq(o.without, "udp_segment,min_wait");
    ck_assert_uint_eq(o.without_bits, IO_FEATURE_UDP_SEGMENT | IO_FEATURE_MIN_WAIT);
    ck_assert_int_eq(parse(&o, "fanout --without gravity"), 2);
}

END_TEST

START_TEST(reads_a_storm)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "storm"), OPTIONS_RUN);
    ck_assert_uint_eq(o.peers, 500);
    ck_assert_uint_eq(o.forward_pps, 50000);
    ck_assert_uint_eq(o.pps, 500); /* to each of 100 receivers */
    ck_assert_int_eq(o.dtls, DTLS_VERSION_1_3);
    ck_assert_double_eq(o.joins_per_second, 0);
    ck_assert_double_eq(o.rest_s, 9);
    ck_assert_int_eq(parse(&o, "storm --peers 20 --joins-per-second 12.5 --forward-pps 2000 "
                               "--consumers 10 --dtls 1.2 --rest 1.5"),
                     OPTIONS_RUN);
    ck_assert_uint_eq(o.peers, 20);
    ck_assert_uint_eq(o.pps, 200);
    ck_assert_int_eq(o.dtls, DTLS_VERSION_1_2);
    ck_assert_double_eq(o.joins_per_second, 12.5);
    ck_assert_double_eq(o.rest_s, 1.5);
    ck_assert_int_eq(parse(&o, "storm --dtls 1.1"), 2);
    ck_assert_int_eq(parse(&o, "storm --peers 0"), 2);
    ck_assert_int_eq(parse(&o, "storm --rest 0"), 2);
    ck_assert_int_eq(parse(&o, "storm --forward-pps 50"), 2);
}

END_TEST

START_TEST(reads_a_room)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "room --participants 5 --senders 3 --audio --speakers 2 --webrtc "
                               "--video-kbps 1000 --fps 25 --together --prompt"),
                     OPTIONS_RUN);
    ck_assert_int_eq(o.shape, OPTIONS_ROOM);
    ck_assert_uint_eq(o.participants, 5);
    ck_assert_uint_eq(o.senders, 3);
    ck_assert(o.audio && o.webrtc && o.together && o.prompt);
    ck_assert_uint_eq(o.speakers, 2);
    ck_assert_uint_eq(o.burst, 5); /* 5000 bytes, 25 times a second */
    ck_assert_uint_eq(o.pps, 125);
    ck_assert_int_eq(parse(&o, "room"), OPTIONS_RUN);
    ck_assert_uint_eq(o.participants, 50);
    ck_assert_uint_eq(o.senders, 10);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < o.burst; i++)
        bytes += options_packet_bytes(&o, i);
    ck_assert_uint_eq(bytes, 6250);
    ck_assert_uint_eq(o.pps, 180);
    ck_assert_int_eq(parse(&o, "room --participants 4"), OPTIONS_RUN);
    ck_assert_uint_eq(o.senders, 4);
}

END_TEST

START_TEST(tells_scenes_by_their_scenario)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "broadcast --viewers 20 --rooms 2"), OPTIONS_RUN);
    ck_assert_int_eq(o.shape, OPTIONS_BROADCAST);
    ck_assert_uint_eq(o.viewers, 20);
    ck_assert_uint_eq(o.rooms, 2);
    ck_assert_int_eq(parse(&o, "churn --minutes 0.5"), OPTIONS_RUN);
    ck_assert_int_eq(o.shape, OPTIONS_ROOM);
    ck_assert_double_eq(o.minutes, 0.5);
    ck_assert_uint_eq(o.participants, 8);
    ck_assert_uint_eq(o.senders, 4);
    ck_assert_int_eq(parse(&o, "saturate --consumers 20"), OPTIONS_RUN);
    ck_assert_int_eq(o.shape, OPTIONS_FANOUT);
    ck_assert_int_eq(parse(&o, "saturate --participants 20"), OPTIONS_RUN);
    ck_assert_int_eq(o.shape, OPTIONS_ROOM);
}

END_TEST

START_TEST(has_the_defaults_of_its_manual)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "fanout"), OPTIONS_RUN);
    ck_assert_uint_eq(o.consumers, 100);
    ck_assert_uint_eq(o.pps, 200);
    ck_assert_uint_eq(o.burst, 7);
    ck_assert_int_eq(o.suite, SEAL_AEAD_AES_128_GCM);
    ck_assert_int_eq(o.engine, IO_ENGINE_URING);
    ck_assert_uint_eq(o.workers, 1);
    ck_assert_ptr_null(o.json);
}

END_TEST

START_TEST(reads_an_egress)
{
    struct options o;
    ck_assert_int_eq(parse(&o, "egress"), OPTIONS_RUN);
    ck_assert_ptr_null(o.sink);
    ck_assert_int_eq(parse(&o, "egress --sink 10.9.0.2"), OPTIONS_RUN);
    ck_assert_str_eq(o.sink, "10.9.0.2");
}

END_TEST

static const char *const wrong[] = {
    "",
    "dance",
    "fanout --consumers 0",
    "fanout --consumers 1.5",
    "fanout --consumers 5000",
    "fanout --pps -1",
    "fanout --bytes 20",
    "fanout --burst 49",
    "fanout --srtp aes",
    "fanout --loss 91",
    "fanout --loss nan",
    "fanout --io auto",
    "fanout --workers 3 --consumers 2",
    "fanout --unknown",
    "fanout more",
    "micro dance",
    "room --participants 1",
    "room --participants 5 --senders 6",
    "room --speakers 2",
    "room --audio --senders 3 --speakers 4",
    "room --participants 1000 --senders 100",
    "room --video-kbps 50000 --fps 1",
    "room --video-kbps 16 --fps 120",
    "fanout --webrtc",
    "broadcast --viewers 0",
    "broadcast --audio --speakers 2",
    "churn --minutes 0",
};

START_TEST(refuses)
{
    struct options o;
    ck_assert_int_eq(parse(&o, wrong[_i]), 2);
}

END_TEST

/* libwebrtc: 7697 bytes of payload and headers in 7 packets are 4 of 1099 and 3 of 1100. */
START_TEST(makes_frames_as_libwebrtc)
{
    struct options o;
    uint32_t sizes[7];
    ck_assert_int_eq(parse(&o, "fanout"), OPTIONS_RUN);
    for (uint32_t i = 0; i < 7; i++)
        sizes[i] = options_packet_bytes(&o, i);
    for (uint32_t i = 0; i < 7; i++)
        ck_assert_uint_eq(sizes[i], i < 4 ? 1099 : 1100);
    o.bytes = 300;
    ck_assert_uint_eq(options_packet_bytes(&o, 5), 300);
}

END_TEST

Suite *perf_options_suite(void)
{
    Suite *suite = suite_create("perf_options");
    TCase *tcase = tcase_create("command line");
    tcase_add_test(tcase, reads_everything);
    tcase_add_test(tcase, reads_a_storm);
    tcase_add_test(tcase, reads_a_room);
    tcase_add_test(tcase, tells_scenes_by_their_scenario);
    tcase_add_test(tcase, reads_an_egress);
    tcase_add_test(tcase, has_the_defaults_of_its_manual);
    tcase_add_loop_test(tcase, refuses, 0, ARRAY_N(wrong));
    tcase_add_test(tcase, makes_frames_as_libwebrtc);
    suite_add_tcase(suite, tcase);
    return suite;
}
