/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_keyframe_test.c - video begins with a key frame: who waits for one, for how long, and
 * what becomes of what came before it. */
#include "core/clock.h"
#include "rtp/codec.h"
#include "test/net_rig.h"

#include <unistd.h>

enum { PUBLISHER = 0x1111, CONSUMER = 0x2000, PEER = 0x9999, PAYLOAD = 100 };

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
    uint32_t producer, consumer;
};

/* Transports and the producer; the consumer as the test wants it. */
static void scene_begin(struct scene *s, int engine, bool comedia,
                        struct command_producer_open *produce,
                        struct command_consumer_open *consume)
{
    rig_start(&s->rig, rig_engines[engine], 0, 0);
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_peer(&s->rig, &s->subscriber, comedia, NULL);
    rig_producer_defaults(produce, s->publisher.transport, PUBLISHER);
    rig_consumer_defaults(consume, s->subscriber.transport, 0, CONSUMER, true);
}

static void scene_open(struct scene *s, int engine, bool comedia)
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    scene_begin(s, engine, comedia, &produce, &consume);
    s->producer = rig_producer(&s->rig, &produce);
    s->consumer = rig_consumer(&s->rig, &consume);
}

static void scene_close(struct scene *s)
{
    rig_close(&s->rig, COMMAND_CONSUMER_CLOSE, s->consumer);
    rig_close(&s->rig, COMMAND_PRODUCER_CLOSE, s->producer);
    rig_peer_close(&s->rig, &s->subscriber, true);
    rig_peer_close(&s->rig, &s->publisher, true);
    rig_stop(&s->rig);
}

static void publish(const struct scene *s, uint16_t seq, bool keyframe)
{
    rig_send_rtp(&s->publisher, &(struct rig_rtp){.ssrc = PUBLISHER,
                                                  .rtp_ts = seq * 3000u,
                                                  .seq = seq,
                                                  .pt = 96,
                                                  .delta = !keyframe,
                                                  .payload_bytes = PAYLOAD});
}

/* The next packet has this number and was the publisher's `seq_in`. */
static void expect(const struct scene *s, uint16_t seq, uint16_t seq_in)
{
    uint8_t data[RIG_PACKET];
    ck_assert_uint_eq(rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS), 12 + PAYLOAD);
    ck_assert_uint_eq(be16(data + 2), seq);
    ck_assert_uint_eq(data[14], (uint8_t)(seq_in + 2)); /* the pattern of its number */
}

static void expect_nothing(const struct scene *s)
{
    uint8_t data[RIG_PACKET];
    ck_assert_uint_eq(rig_receive_rtp(&s->subscriber, data, RIG_QUIET_MS), 0);
}

START_TEST(video_begins_with_a_key_frame)
{
    struct scene s;
    scene_open(&s, _i, false);
    publish(&s, 10, false);
    publish(&s, 11, false);
    rig_wait_drops(&s.rig, DROP_KEYFRAME_WAIT, 2);
    expect_nothing(&s);
    publish(&s, 12, true);
    publish(&s, 13, false);
    expect(&s, 1000, 12);
    expect(&s, 1001, 13);
    publish(&s, 14, true);
    expect(&s, 1002, 14);
    rig_settle(&s.rig);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_KEYFRAME_WAIT), 2);
    struct outcome stats;
    rig_stats(&s.rig, OBJECT_CONSUMER, s.consumer, &stats);
    ck_assert_uint_eq(stats.consumer.stream.keyframes, 2);
    scene_close(&s);
}

END_TEST

/* Its second packet overtook the first: it is missing to the receiver, and retained. */
START_TEST(what_overtook_the_key_frame_comes_by_nack)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    uint16_t seq = 1001;
    scene_open(&s, _i, false);
    publish(&s, 11, false);
    publish(&s, 10, true);
    publish(&s, 12, false);
    expect(&s, 1000, 10);
    expect(&s, 1002, 12);
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    ck_assert_uint_eq(rtcp_write_nack(&writer, PEER, CONSUMER, &seq, 1), 1);
    rig_send(&s.subscriber, data, writer.at);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 14 + PAYLOAD);
    ck_assert_uint_eq(be16(data + 12), 1001);
    ck_assert_uint_eq(data[16], 11 + 2);
    scene_close(&s);
}

END_TEST

START_TEST(what_is_older_than_the_key_frame_is_not_forwarded)
{
    struct scene s;
    scene_open(&s, _i, false);
    publish(&s, 10, true);
    publish(&s, 13, false); /* 11 and 12 are missing */
    expect(&s, 1000, 10);
    expect(&s, 1003, 13);
    rig_close(&s.rig, COMMAND_CONSUMER_PAUSE, s.consumer);
    rig_close(&s.rig, COMMAND_CONSUMER_RESUME, s.consumer);
    publish(&s, 20, false);
    publish(&s, 11, true); /* a key frame, but of before the pause */
    publish(&s, 22, false);
    rig_wait_drops(&s.rig, DROP_KEYFRAME_WAIT, 3);
    publish(&s, 23, true);
    publish(&s, 12, false);
    publish(&s, 21, false);
    publish(&s, 24, false);
    expect(&s, 1004, 23);
    expect(&s, 1005, 24);
    expect_nothing(&s);
    rig_settle(&s.rig);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_CONSUMER_GAP), 2);
    scene_close(&s);
}

END_TEST

START_TEST(after_every_pause_a_key_frame_comes_first)
{
    static const enum command_kind pauses[2][2] = {
        {COMMAND_CONSUMER_PAUSE, COMMAND_CONSUMER_RESUME},
        {COMMAND_PRODUCER_PAUSE, COMMAND_PRODUCER_RESUME},
    };
    struct scene s;
    uint16_t seq = 10;
    scene_open(&s, _i, false);
    publish(&s, seq, true);
    expect(&s, 1000, seq++);
    for (uint16_t i = 0; i < 2; i++) {
        uint32_t index = i == 0 ? s.consumer : s.producer;
        rig_close(&s.rig, pauses[i][0], index);
        rig_close(&s.rig, pauses[i][1], index);
        publish(&s, seq++, false);
        rig_wait_drops(&s.rig, DROP_KEYFRAME_WAIT, i + 1u);
        expect_nothing(&s);
        publish(&s, seq, true);
        expect(&s, (uint16_t)(1001 + i), seq++); /* no gap */
    }
    scene_close(&s);
}

END_TEST

START_TEST(a_transport_that_becomes_ready_begins_with_a_key_frame)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    scene_open(&s, _i, true);
    publish(&s, 10, true); /* nobody is there to get it */
    publish(&s, 11, false);
    rig_wait(&worker_counters(s.rig.worker)->rtp_in, 2);
    rig_settle(&s.rig);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_KEYFRAME_WAIT), 0);
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    struct rtcp_report_block block = {.ssrc = CONSUMER};
    ck_assert(rtcp_write_rr(&writer, PEER, &block, 1));
    rig_send(&s.subscriber, data, writer.at); /* its address is learnt */
    ck_assert(rig_await_rtcp(&s.publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    publish(&s, 12, false);
    rig_wait_drops(&s.rig, DROP_KEYFRAME_WAIT, 1);
    publish(&s, 13, true);
    expect(&s, 1000, 13);
    scene_close(&s);
}

END_TEST

/* 0, 1: audio; 2, 3: video of a codec that nobody knows; 4, 5: RED. */
START_TEST(what_has_no_key_frames_does_not_wait)
{
    struct scene s;
    struct command_producer_open produce;
    struct command_consumer_open consume;
    scene_begin(&s, _i & 1, false, &produce, &consume);
    produce.kind = consume.kind = _i < 2 ? MEDIA_AUDIO : MEDIA_VIDEO;
    produce.pt[0].codec = consume.rewrite.pt[0].codec = _i < 4 ? RTP_CODEC_OTHER : RTP_CODEC_RED;
    s.producer = rig_producer(&s.rig, &produce);
    s.consumer = rig_consumer(&s.rig, &consume);
    publish(&s, 11, false);
    publish(&s, 10, false); /* and what is late is not taken for old */
    publish(&s, 12, false);
    expect(&s, 1000, 11);
    expect(&s, 1001, 12);
    rig_settle(&s.rig);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_KEYFRAME_WAIT), 0);
    scene_close(&s);
}

END_TEST

static void publish_h264(const struct scene *s, uint16_t seq, uint8_t unit)
{
    uint8_t data[RIG_PACKET];
    size_t bytes = rig_make_rtp(
        &(struct rig_rtp){.ssrc = PUBLISHER, .seq = seq, .pt = 98, .payload_bytes = PAYLOAD}, data);
    data[12] = unit;
    rig_send(&s->publisher, data, bytes);
}

/* The producer has two codecs, the consumer takes H264 only: a VP8 key frame is none to it. */
START_TEST(a_key_frame_of_a_codec_that_it_takes_is_awaited)
{
    struct scene s;
    struct command_producer_open produce;
    struct command_consumer_open consume;
    scene_begin(&s, _i, false, &produce, &consume);
    produce.pt[produce.pt_n++] = (struct producer_pt){
        .pt = 98, .media_pt = REWRITE_PT_NONE, .codec = RTP_CODEC_H264, .clock_rate = 90000};
    consume.rewrite.pt[0].in = 98;
    consume.rewrite.pt[0].codec = RTP_CODEC_H264;
    s.producer = rig_producer(&s.rig, &produce);
    s.consumer = rig_consumer(&s.rig, &consume);
    publish(&s, 10, true);
    rig_wait_drops(&s.rig, DROP_CONSUMER_PT, 1);
    publish_h264(&s, 11, 0x41); /* a slice of another picture */
    rig_wait_drops(&s.rig, DROP_KEYFRAME_WAIT, 1);
    publish_h264(&s, 12, 0x67); /* sequence parameters, RFC 6184 */
    publish_h264(&s, 13, 0x41);
    expect(&s, 1000, 12);
    expect(&s, 1001, 13);
    scene_close(&s);
}

END_TEST

START_TEST(who_waits_has_it_asked_for_again)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, false);
    uint32_t plis = 0;
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    for (uint16_t seq = 10; plis < 3 && clock_now_us() < until_us; seq++) {
        struct rtcp_reader reader;
        struct rtcp_packet packet;
        publish(&s, seq, false);
        size_t bytes = rig_receive_rtcp(&s.publisher, data, 50);
        if (bytes == 0)
            continue;
        ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
        while (rtcp_reader_next(&reader, &packet))
            plis += packet.type == RTCP_PSFB && packet.count == RTCP_FB_PLI;
    }
    ck_assert_uint_eq(plis, 3); /* the first for the consumer's opening */
    scene_close(&s);
}

END_TEST

/* As in mediasoup: a jump of the numbers tells nothing of the encoder. */
START_TEST(a_source_that_restarts_goes_on)
{
    struct scene s;
    scene_open(&s, _i, false);
    publish(&s, 10, true);
    publish(&s, 11, false);
    publish(&s, 30000, false); /* waits for its successor, RFC 3550 A.1 */
    publish(&s, 30001, false);
    publish(&s, 30002, false);
    expect(&s, 1000, 10);
    expect(&s, 1001, 11);
    expect(&s, 1002, 30001);
    expect(&s, 1003, 30002);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_KEYFRAME_WAIT), 0);
    scene_close(&s);
}

END_TEST

Suite *net_keyframe_suite(void)
{
    Suite *suite = suite_create("net_keyframe");
    TCase *wait = tcase_create("wait");
    tcase_set_timeout(wait, 60);
    tcase_add_loop_test(wait, video_begins_with_a_key_frame, 0, 2);
    tcase_add_loop_test(wait, what_overtook_the_key_frame_comes_by_nack, 0, 2);
    tcase_add_loop_test(wait, what_is_older_than_the_key_frame_is_not_forwarded, 0, 2);
    tcase_add_loop_test(wait, after_every_pause_a_key_frame_comes_first, 0, 2);
    tcase_add_loop_test(wait, a_transport_that_becomes_ready_begins_with_a_key_frame, 0, 2);
    tcase_add_loop_test(wait, what_has_no_key_frames_does_not_wait, 0, 6);
    tcase_add_loop_test(wait, a_key_frame_of_a_codec_that_it_takes_is_awaited, 0, 2);
    tcase_add_loop_test(wait, who_waits_has_it_asked_for_again, 0, 2);
    tcase_add_loop_test(wait, a_source_that_restarts_goes_on, 0, 2);
    suite_add_tcase(suite, wait);
    return suite;
}
