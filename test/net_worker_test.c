/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_worker_test.c - the relay's main job on a real worker: RTP in, RTP out, on both engines.
 */
#include "test/net_rig.h"

#include "rtp/packet.h"

enum { FRAME = 7 };

/* One producer, `consumers_n` consumers each on a peer of its own. */
struct scene {
    struct rig rig;
    struct rig_peer publisher, subscribers[4];
    uint32_t producer, consumers[4];
    uint32_t consumers_n;
};

static void scene_open(struct scene *s, int engine, uint32_t consumers_n, bool rtx)
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    rig_start(&s->rig, rig_engines[engine], 0, 0);
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_producer_defaults(&produce, s->publisher.transport, 0x1111);
    s->producer = rig_producer(&s->rig, &produce);
    s->consumers_n = consumers_n;
    for (uint32_t i = 0; i < consumers_n; i++) {
        rig_peer(&s->rig, &s->subscribers[i], false, NULL);
        rig_consumer_defaults(&consume, s->subscribers[i].transport, s->producer, 0x2000 + 16 * i,
                              rtx);
        s->consumers[i] = rig_consumer(&s->rig, &consume);
    }
}

static void scene_close(struct scene *s)
{
    for (uint32_t i = 0; i < s->consumers_n; i++)
        rig_close(&s->rig, COMMAND_CONSUMER_CLOSE, s->consumers[i]);
    rig_close(&s->rig, COMMAND_PRODUCER_CLOSE, s->producer);
    rig_peer_close(&s->rig, &s->publisher, true);
    for (uint32_t i = 0; i < s->consumers_n; i++)
        rig_peer_close(&s->rig, &s->subscribers[i], true);
    rig_stop(&s->rig);
}

static void send_frame(struct scene *s, uint16_t seq, uint32_t rtp_ts)
{
    for (uint16_t i = 0; i < FRAME; i++)
        rig_send_rtp(&s->publisher, &(struct rig_rtp){.ssrc = 0x1111,
                                                      .rtp_ts = rtp_ts,
                                                      .seq = (uint16_t)(seq + i),
                                                      .pt = 96,
                                                      .marker = i == FRAME - 1,
                                                      .payload_bytes = 1000});
}

START_TEST(forwards_a_packet_as_the_consumers)
{
    struct scene s;
    uint8_t data[RIG_PACKET], sent[RIG_PACKET];
    struct rig_rtp rtp = {
        .ssrc = 0x1111, .rtp_ts = 90000, .seq = 7, .pt = 96, .marker = true, .payload_bytes = 500};
    scene_open(&s, _i, 1, true);
    rig_send_rtp(&s.publisher, &rtp);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscribers[0], data, RIG_WAIT_MS), 512);
    ck_assert_uint_eq(data[1], 101 | 0x80);
    ck_assert_uint_eq(be16(data + 2), 1000);
    ck_assert_uint_eq(be32(data + 8), 0x2000);
    rig_make_rtp(&rtp, sent);
    ck_assert_mem_eq(data + 12, sent + 12, 500);
    scene_close(&s);
}

END_TEST

START_TEST(forwards_frames_in_order_to_everyone)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, 4, true);
    for (uint16_t frame = 0; frame < 20; frame++)
        send_frame(&s, (uint16_t)(65500 + frame * FRAME), 3000u * frame); /* across the wrap */
    for (uint32_t c = 0; c < 4; c++)
        for (uint32_t i = 0; i < 20 * FRAME; i++) {
            ck_assert_uint_eq(rig_receive_rtp(&s.subscribers[c], data, RIG_WAIT_MS), 1012);
            ck_assert_uint_eq(be16(data + 2), (uint16_t)(1000 + i));
            ck_assert_uint_eq(data[14], (uint8_t)(65502 + i));
            ck_assert_uint_eq(data[1] >> 7, i % FRAME == FRAME - 1);
        }
    rig_wait(&worker_counters(s.rig.worker)->forwarded, 4 * 20 * FRAME);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscribers[0], data, RIG_QUIET_MS), 0);
    scene_close(&s);
}

END_TEST

/* An encoder's frame: the last packets are a byte longer. Padded where losses come back as RTX, so
 * that it leaves as one run; untouched where a resend has to be byte-identical. */
START_TEST(a_frame_of_nearly_one_size_is_one_run)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    bool rtx = _i & 1;
    uint32_t padded_n = 0;
    scene_open(&s, _i >> 1, 1, rtx);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    for (uint16_t i = 0; i < FRAME; i++)
        rig_send_rtp(&s.publisher, &(struct rig_rtp){.ssrc = 0x1111,
                                                     .seq = i,
                                                     .pt = 96,
                                                     .marker = i == FRAME - 1,
                                                     .payload_bytes = i < 4 ? 1000 : 1001});
    for (uint32_t i = 0; i < FRAME; i++) {
        struct rtp_packet packet;
        size_t bytes = rig_receive_rtp(&s.subscribers[0], data, RIG_WAIT_MS);
        ck_assert_int_eq(rtp_packet_parse(&packet, data, bytes), DROP_NONE);
        ck_assert_uint_eq(packet.payload_bytes, i < 4 ? 1000 : 1001);
        ck_assert_uint_eq(data[14], i + 2); /* the pattern of its number */
        ck_assert_uint_eq(data[12 + packet.payload_bytes - 1],
                          (uint8_t)(i + packet.payload_bytes - 1));
        padded_n += packet.pad_bytes > 0;
    }
    rig_wait(&c->forwarded, FRAME);
    if (!rtx)
        ck_assert_uint_eq(padded_n, 0);
    else
        ck_assert_uint_le(padded_n, 4);
    scene_close(&s);
}

END_TEST

/* Of a camera and a microphone that arrive together: sound does not overtake the frame that was
 * sent before it, but ends its run. */
START_TEST(sound_ends_the_run_of_a_frame)
{
    enum { ROUNDS = 40, VIDEO = 0x2000, AUDIO = 0x3000 };

    struct scene s;
    struct command_producer_open produce;
    struct command_consumer_open consume;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, 1, true);
    rig_producer_defaults(&produce, s.publisher.transport, 0x5555);
    produce.kind = MEDIA_AUDIO;
    uint32_t microphone = rig_producer(&s.rig, &produce);
    rig_consumer_defaults(&consume, s.subscribers[0].transport, microphone, AUDIO, false);
    consume.kind = MEDIA_AUDIO;
    uint32_t listener = rig_consumer(&s.rig, &consume);

    for (uint16_t round = 0; round < ROUNDS; round++) {
        send_frame(&s, (uint16_t)(1 + round * FRAME), 3000u * round);
        rig_send_rtp(&s.publisher, &(struct rig_rtp){.ssrc = 0x5555,
                                                     .rtp_ts = 960u * round,
                                                     .seq = (uint16_t)(1 + round),
                                                     .pt = 96,
                                                     .payload_bytes = 80});
        for (uint32_t i = 0; i <= FRAME; i++) {
            ck_assert_uint_gt(rig_receive_rtp(&s.subscribers[0], data, RIG_WAIT_MS), 0);
            ck_assert_uint_eq(be32(data + 8), i < FRAME ? VIDEO : AUDIO);
        }
    }
    const struct worker_counters *c = worker_counters(s.rig.worker);
    rig_wait(&c->forwarded, ROUNDS * (FRAME + 1));
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, listener);
    rig_close(&s.rig, COMMAND_PRODUCER_CLOSE, microphone);
    scene_close(&s);
}

END_TEST

Suite *net_worker_suite(void)
{
    Suite *suite = suite_create("net_worker");
    TCase *forward = tcase_create("forward");
    tcase_set_timeout(forward, 60);
    tcase_add_loop_test(forward, forwards_a_packet_as_the_consumers, 0, 2);
    tcase_add_loop_test(forward, forwards_frames_in_order_to_everyone, 0, 2);
    tcase_add_loop_test(forward, a_frame_of_nearly_one_size_is_one_run, 0, 4);
    tcase_add_loop_test(forward, sound_ends_the_run_of_a_frame, 0, 2);
    suite_add_tcase(suite, forward);
    return suite;
}
