/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_exchange_test.c - a room over two real workers: packets, NACKs, key frames, reports and
 * needs across, and what becomes of what is under way when objects go. */
#include "core/clock.h"
#include "net/exchange.h"
#include "test/net_rig.h"

#include <errno.h>
#include <unistd.h>

enum { HOME, AWAY, WORKERS_N, PUBLISHER = 0x1111, CONSUMER = 0x2000, PEER = 0x9999, SERIAL = 7 };

/* The publisher is on HOME, the subscriber on AWAY. */
struct scene {
    struct rig rigs[WORKERS_N];
    struct rig_peer publisher, subscriber;
    uint32_t producer, mirror, consumer;
};

static void mirror_defaults(struct command_producer_open *open, const struct scene *s,
                            uint32_t serial)
{
    rig_producer_defaults(open, 0, 0);
    open->encodings[0] = (struct producer_encoding){0};
    open->source = (struct producer_source){
        .elsewhere = true, .worker = HOME, .producer = s->producer, .serial = serial};
}

static int tell_reader(struct scene *s, enum command_kind kind, uint32_t mirror, uint32_t serial)
{
    struct command command = {
        .kind = kind,
        .index = s->producer,
        .reader = {.worker = AWAY, .producer = mirror, .serial = serial},
    };
    return rig_command(&s->rigs[HOME], &command, NULL);
}

static void scene_start(struct scene *s, int engine, uint32_t slots)
{
    struct worker_config config;
    struct command_producer_open produce;
    rig_config(&config, rig_engines[engine], slots, 0);
    rigs_start(s->rigs, WORKERS_N, &config);
    rig_peer(&s->rigs[HOME], &s->publisher, false, NULL);
    rig_peer(&s->rigs[AWAY], &s->subscriber, false, NULL);
    rig_producer_defaults(&produce, s->publisher.transport, PUBLISHER);
    s->producer = rig_producer(&s->rigs[HOME], &produce);
}

static void mirror_start(struct scene *s)
{
    struct command_producer_open mirror;
    mirror_defaults(&mirror, s, SERIAL);
    s->mirror = rig_producer(&s->rigs[AWAY], &mirror);
    ck_assert_int_eq(tell_reader(s, COMMAND_READER_ADD, s->mirror, SERIAL), 0);
}

static void scene_open(struct scene *s, int engine, bool rtx)
{
    struct command_consumer_open consume;
    scene_start(s, engine, 0);
    mirror_start(s);
    rig_consumer_defaults(&consume, s->subscriber.transport, s->mirror, CONSUMER, rtx);
    s->consumer = rig_consumer(&s->rigs[AWAY], &consume);
    rig_settle(&s->rigs[HOME]);
}

static void scene_end(struct scene *s)
{
    rig_close(&s->rigs[HOME], COMMAND_PRODUCER_CLOSE, s->producer);
    rig_peer_close(&s->rigs[AWAY], &s->subscriber, true);
    rig_peer_close(&s->rigs[HOME], &s->publisher, true);
    rigs_stop(s->rigs, WORKERS_N);
}

static void scene_close(struct scene *s)
{
    rig_close(&s->rigs[AWAY], COMMAND_CONSUMER_CLOSE, s->consumer);
    ck_assert_int_eq(tell_reader(s, COMMAND_READER_REMOVE, s->mirror, SERIAL), 0);
    rig_close(&s->rigs[AWAY], COMMAND_PRODUCER_CLOSE, s->mirror);
    scene_end(s);
}

static void publish(struct scene *s, uint16_t seq)
{
    rig_send_rtp(
        &s->publisher,
        &(struct rig_rtp){
            .ssrc = PUBLISHER, .rtp_ts = seq * 3000u, .seq = seq, .pt = 96, .payload_bytes = 200});
}

static void send_nack(struct scene *s, uint16_t seq)
{
    uint8_t data[256];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    ck_assert_uint_eq(rtcp_write_nack(&writer, PEER, CONSUMER, &seq, 1), 1);
    rig_send(&s->subscriber, data, writer.at);
}

static const struct worker_counters *counters(const struct scene *s, int worker)
{
    return worker_counters(s->rigs[worker].worker);
}

/* The payload that rig_make_rtp() gave to this number. */
static void check_payload(const uint8_t *payload, uint16_t seq)
{
    size_t wrong = 0;
    for (size_t i = RIG_VP8_BYTES; i < 200; i++)
        wrong += payload[i] != (uint8_t)(seq + i);
    ck_assert_uint_eq(wrong, 0);
}

START_TEST(packets_reach_receivers_on_another_worker)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, true);
    ck_assert_uint_eq(counters(&s, AWAY)->mirrors, 1);
    ck_assert_uint_eq(counters(&s, AWAY)->producers, 0);
    for (uint16_t i = 0; i < 300; i++) {
        publish(&s, (uint16_t)(65400 + i)); /* the numbers wrap */
        ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
        ck_assert_uint_eq(data[1] & 0x7f, 101);
        ck_assert_uint_eq(be16(data + 2), 1000 + i);
        ck_assert_uint_eq(be32(data + 8), CONSUMER);
        check_payload(data + 12, (uint16_t)(65400 + i));
    }
    rig_wait(&counters(&s, AWAY)->forwarded, 300);
    rig_wait(&counters(&s, HOME)->published, 300);
    ck_assert_uint_eq(counters(&s, HOME)->forwarded, 0);
    ck_assert_uint_eq(counters(&s, AWAY)->rtp_in, 0);
    scene_close(&s);
}

END_TEST

START_TEST(a_nack_is_served_from_the_other_workers_slots)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, true);
    for (uint16_t i = 0; i < 5; i++) {
        publish(&s, (uint16_t)(100 + i));
        ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    }
    send_nack(&s, 1001);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 214);
    ck_assert_uint_eq(data[1] & 0x7f, 102);
    ck_assert_uint_eq(be16(data + 12), 1001);
    check_payload(data + 14, 101);
    rig_wait(&counters(&s, AWAY)->nack_served, 1);

    usleep(700000); /* the home worker's retention is over: nothing wrong is served */
    send_nack(&s, 1002);
    rig_wait(&counters(&s, AWAY)->nack_missed, 1);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS), 0);
    scene_close(&s);
}

END_TEST

START_TEST(a_plain_resend_across_is_byte_identical)
{
    struct scene s;
    uint8_t first[RIG_PACKET], again[RIG_PACKET];
    scene_open(&s, _i, false);
    publish(&s, 65535);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, first, RIG_WAIT_MS), 212);
    publish(&s, 0);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, again, RIG_WAIT_MS), 212);
    send_nack(&s, 1000);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, again, RIG_WAIT_MS), 212);
    ck_assert_mem_eq(again, first, 212);
    scene_close(&s);
}

END_TEST

START_TEST(key_frames_are_asked_for_across)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    scene_open(&s, _i, true);
    /* a consumer that begins */
    ck_assert(rig_await_rtcp(&s.publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    publish(&s, 10);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    /* one that asks, as soon after the first as may be: that one's is here */
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    rtcp_write_pli(&writer, PEER, CONSUMER);
    uint64_t asked = counters(&s, HOME)->keyframe_requests;
    rig_send(&s.subscriber, data, writer.at);
    rig_wait(&counters(&s, HOME)->keyframe_requests, asked + 1);
    scene_close(&s);
}

END_TEST

/* Video waits for a key frame on whatever worker. */
START_TEST(a_mirror_forwards_nothing_before_a_key_frame)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rig_rtp rtp = {
        .ssrc = PUBLISHER, .seq = 5, .pt = 96, .delta = true, .payload_bytes = 200};
    scene_open(&s, _i, true);
    rig_send_rtp(&s.publisher, &rtp);
    rig_wait_drops(&s.rigs[AWAY], DROP_KEYFRAME_WAIT, 1);
    publish(&s, 6);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    ck_assert_uint_eq(be16(data + 2), 1000);
    scene_close(&s);
}

END_TEST

START_TEST(sender_reports_carry_the_producers_clock)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    struct rtcp_sender_info info = {.ntp = clock_ntp(clock_now_us()),
                                    .rtp_ts = 7 * 3000 + 5 * 90000},
                            out;
    scene_open(&s, _i, true);
    publish(&s, 7);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    rtcp_write_sr(&writer, PUBLISHER, &info, NULL, 0);
    rig_send(&s.publisher, data, writer.at);
    ck_assert(rig_await_rtcp(&s.subscriber, RTCP_SR, -1, data, &packet));
    ck_assert(rtcp_read_sender_info(data, &packet, &out));
    /* The consumer's RTP time of then, plus what has passed since: five seconds ahead of what
     * arrivals would tell. */
    uint32_t passed = (uint32_t)((int64_t)(out.ntp - info.ntp) * 90000 >> 32);
    int32_t off = (int32_t)(out.rtp_ts - info.rtp_ts - 5000 + 7 * 3000 - passed);
    ck_assert_int_le(off, 90000);
    ck_assert_int_ge(off, -90000);
    scene_close(&s);
}

END_TEST

START_TEST(a_paused_mirror_gets_nothing)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, true);
    publish(&s, 20);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);

    rig_close(&s.rigs[AWAY], COMMAND_CONSUMER_PAUSE, s.consumer);
    rig_settle(&s.rigs[HOME]);
    publish(&s, 21);
    rig_wait(&counters(&s, HOME)->rtp_in, 2);
    rig_settle(&s.rigs[HOME]);
    ck_assert_uint_eq(counters(&s, HOME)->published, 1);

    rig_close(&s.rigs[AWAY], COMMAND_CONSUMER_RESUME, s.consumer);
    rig_settle(&s.rigs[HOME]);
    publish(&s, 22);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    ck_assert_uint_eq(be16(data + 2), 1001);

    /* the producer pauses: on its worker, and for the mirror's consumers */
    rig_close(&s.rigs[HOME], COMMAND_PRODUCER_PAUSE, s.producer);
    rig_close(&s.rigs[AWAY], COMMAND_PRODUCER_PAUSE, s.mirror);
    publish(&s, 23);
    rig_wait_drops(&s.rigs[HOME], DROP_PAUSED, 1);
    struct outcome stats;
    rig_stats(&s.rigs[AWAY], OBJECT_CONSUMER, s.consumer, &stats);
    ck_assert(stats.consumer.producer_paused);
    rig_close(&s.rigs[AWAY], COMMAND_PRODUCER_RESUME, s.mirror);
    rig_close(&s.rigs[HOME], COMMAND_PRODUCER_RESUME, s.producer);
    publish(&s, 24);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    ck_assert_uint_eq(be16(data + 2), 1002);
    scene_close(&s);
}

END_TEST

/* Packets are kept for receivers elsewhere as long as their RTTs ask for; without NACK only as long
 * as it takes to read them. */
START_TEST(retention_follows_the_receivers_elsewhere)
{
    struct scene s;
    struct outcome stats;
    scene_open(&s, _i, true);
    rig_stats(&s.rigs[HOME], OBJECT_PRODUCER, s.producer, &stats);
    ck_assert_int_ge(stats.producer.encodings[0].retain_us, READER_HOLD_US);
    rig_close(&s.rigs[AWAY], COMMAND_CONSUMER_PAUSE, s.consumer);
    rig_settle(&s.rigs[HOME]);
    rig_stats(&s.rigs[HOME], OBJECT_PRODUCER, s.producer, &stats);
    ck_assert_int_eq(stats.producer.encodings[0].retain_us, 0);
    scene_close(&s);
}

END_TEST

/* What is under way to or from a mirror that has gone reaches nobody, also not who has its index
 * now. */
START_TEST(serials_tell_a_mirror_from_its_successor)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct command_producer_open mirror;
    struct command_consumer_open consume;
    scene_open(&s, _i, true);
    ck_assert_int_eq(tell_reader(&s, COMMAND_READER_ADD, s.mirror, SERIAL), -EEXIST);
    ck_assert_int_eq(tell_reader(&s, COMMAND_READER_REMOVE, s.mirror, SERIAL + 1), -ENOENT);

    /* the mirror closes first: its packets find a stranger in its place */
    rig_close(&s.rigs[AWAY], COMMAND_CONSUMER_CLOSE, s.consumer);
    rig_close(&s.rigs[AWAY], COMMAND_PRODUCER_CLOSE, s.mirror);
    mirror_defaults(&mirror, &s, SERIAL + 1);
    struct command open = {
        .kind = COMMAND_PRODUCER_OPEN, .index = s.mirror, .producer_open = mirror};
    ck_assert_int_eq(rig_command(&s.rigs[AWAY], &open, NULL), 0);
    rig_consumer_defaults(&consume, s.subscriber.transport, s.mirror, CONSUMER, true);
    s.consumer = rig_consumer(&s.rigs[AWAY], &consume);
    publish(&s, 1);
    rig_wait(&counters(&s, HOME)->rtp_in, 1);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS), 0);

    ck_assert_int_eq(tell_reader(&s, COMMAND_READER_REMOVE, s.mirror, SERIAL), 0);
    ck_assert_int_eq(tell_reader(&s, COMMAND_READER_ADD, s.mirror, SERIAL + 1), 0);
    publish(&s, 2);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    check_payload(data + 12, 2);

    rig_close(&s.rigs[AWAY], COMMAND_CONSUMER_CLOSE, s.consumer);
    rig_close(&s.rigs[AWAY], COMMAND_PRODUCER_CLOSE, s.mirror);
    /* the producer closes with a reader left */
    scene_end(&s);
}

END_TEST

/* The producer's worker may hear of its reader before the mirror is there: what it says then nobody
 * hears, and yet nothing is sent to a mirror that needs nothing. */
START_TEST(a_reader_may_come_before_its_mirror)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct command_producer_open mirror;
    struct command_consumer_open consume;
    scene_start(&s, _i, 0);
    s.mirror = 0;
    ck_assert_int_eq(tell_reader(&s, COMMAND_READER_ADD, s.mirror, SERIAL), 0);
    rig_settle(&s.rigs[AWAY]);
    mirror_defaults(&mirror, &s, SERIAL);
    ck_assert_uint_eq(rig_producer(&s.rigs[AWAY], &mirror), s.mirror);
    rig_consumer_defaults(&consume, s.subscriber.transport, s.mirror, CONSUMER, true);
    consume.paused = true;
    s.consumer = rig_consumer(&s.rigs[AWAY], &consume);
    rig_settle(&s.rigs[HOME]);
    publish(&s, 1);
    rig_wait(&counters(&s, HOME)->rtp_in, 1);
    rig_settle(&s.rigs[HOME]);
    ck_assert_uint_eq(counters(&s, HOME)->published, 0);
    rig_close(&s.rigs[AWAY], COMMAND_CONSUMER_RESUME, s.consumer);
    rig_settle(&s.rigs[HOME]);
    publish(&s, 2);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    scene_close(&s);
}

END_TEST

START_TEST(what_cannot_be_is_refused)
{
    struct scene s;
    struct command_producer_open mirror;
    scene_start(&s, _i, 0);
    struct command add = {
        .kind = COMMAND_READER_ADD, .index = s.producer, .reader = {.worker = HOME}};
    ck_assert_int_eq(rig_command(&s.rigs[HOME], &add, NULL), -EINVAL);
    add.reader.worker = WORKERS_N;
    ck_assert_int_eq(rig_command(&s.rigs[HOME], &add, NULL), -EINVAL);
    add.index = 60;
    ck_assert_int_eq(rig_command(&s.rigs[HOME], &add, NULL), -ENOENT);
    mirror_defaults(&mirror, &s, SERIAL);
    s.mirror = rig_producer(&s.rigs[AWAY], &mirror);
    add.index = s.mirror; /* a mirror has no mirrors */
    ck_assert_int_eq(rig_command(&s.rigs[AWAY], &add, NULL), -EINVAL);
    rig_close(&s.rigs[AWAY], COMMAND_PRODUCER_CLOSE, s.mirror);

    mirror.source.worker = WORKERS_N;
    struct command open = {.kind = COMMAND_PRODUCER_OPEN, .index = 9, .producer_open = mirror};
    ck_assert_int_eq(rig_command(&s.rigs[AWAY], &open, NULL), -EINVAL);
    mirror.source.worker = AWAY;
    open.producer_open = mirror;
    ck_assert_int_eq(rig_command(&s.rigs[AWAY], &open, NULL), -EINVAL);
    scene_end(&s);
}

END_TEST

/* A worker that does not read: what is under way to it is bounded and counted, and receiving goes
 * on in a slab that is smaller than what came. */
START_TEST(a_worker_that_lags_is_left_behind)
{
    struct rig rigs[WORKERS_N] = {{.cookie = 1}, {.cookie = 1}};
    struct worker *workers[WORKERS_N];
    struct worker_config config;
    struct rig_peer publisher;
    struct command_producer_open produce;
    uint32_t packets = EXCHANGE_N + 500;
    rig_config(&config, rig_engines[_i], 256, 0);
    struct rig warm; /* the libraries' beginnings */
    rig_start_with(&warm, &config);
    rig_stop(&warm);
    for (uint16_t i = 0; i < WORKERS_N; i++) {
        config.index = i;
        ck_assert_int_eq(worker_init(&rigs[i].worker, &config), 0);
        workers[i] = rigs[i].worker;
    }
    ck_assert_int_eq(worker_link(workers, WORKERS_N), 0);
    ck_assert_int_eq(worker_start(workers[HOME]), 0); /* and AWAY does not */
    rig_peer(&rigs[HOME], &publisher, false, NULL);
    rig_producer_defaults(&produce, publisher.transport, PUBLISHER);
    uint32_t producer = rig_producer(&rigs[HOME], &produce);
    struct command add = {.kind = COMMAND_READER_ADD,
                          .index = producer,
                          .reader = {.worker = AWAY, .producer = 0, .serial = SERIAL}};
    ck_assert_int_eq(rig_command(&rigs[HOME], &add, NULL), 0);
    const struct worker_counters *c = worker_counters(workers[HOME]);
    for (uint32_t i = 0; i < packets; i++) {
        rig_send_rtp(&publisher,
                     &(struct rig_rtp){
                         .ssrc = PUBLISHER, .seq = (uint16_t)i, .pt = 96, .payload_bytes = 200});
        if (i % 64 == 63)
            rig_wait(&c->rtp_in, i + 1);
    }
    rig_wait(&c->rtp_in, packets);
    rig_settle(&rigs[HOME]);
    ck_assert_uint_gt(c->drops[DROP_READER_FULL], 400);
    ck_assert_uint_eq(c->published + c->drops[DROP_READER_FULL], packets);
    ck_assert_uint_le(c->published, EXCHANGE_N - EXCHANGE_SPARE);
    rig_close(&rigs[HOME], COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rigs[HOME], &publisher, true);
    worker_stop(workers[HOME]);
    rig_forget_events(&rigs[HOME]);
    worker_exit(workers[HOME]);
    worker_exit(workers[AWAY]);
}

END_TEST

Suite *net_exchange_suite(void)
{
    Suite *suite = suite_create("net/exchange");
    TCase *tcase = tcase_create("exchange");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, packets_reach_receivers_on_another_worker, 0, 2);
    tcase_add_loop_test(tcase, a_nack_is_served_from_the_other_workers_slots, 0, 2);
    tcase_add_loop_test(tcase, a_plain_resend_across_is_byte_identical, 0, 2);
    tcase_add_loop_test(tcase, key_frames_are_asked_for_across, 0, 2);
    tcase_add_loop_test(tcase, a_mirror_forwards_nothing_before_a_key_frame, 0, 2);
    tcase_add_loop_test(tcase, sender_reports_carry_the_producers_clock, 0, 2);
    tcase_add_loop_test(tcase, a_paused_mirror_gets_nothing, 0, 2);
    tcase_add_loop_test(tcase, retention_follows_the_receivers_elsewhere, 0, 2);
    tcase_add_loop_test(tcase, serials_tell_a_mirror_from_its_successor, 0, 2);
    tcase_add_loop_test(tcase, a_reader_may_come_before_its_mirror, 0, 2);
    tcase_add_loop_test(tcase, what_cannot_be_is_refused, 0, 2);
    tcase_add_loop_test(tcase, a_worker_that_lags_is_left_behind, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
