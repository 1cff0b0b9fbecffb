/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_recovery_test.c - losses made good on a real worker: NACKs from retained slots, RTX both
 * ways, key frame requests. */
#include "core/clock.h"
#include "test/net_rig.h"

#include <unistd.h>

enum { PUBLISHER = 0x1111, CONSUMER = 0x2000, PEER = 0x9999 };

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
    uint32_t producer, consumer;
};

static void scene_open(struct scene *s, int engine, bool rtx)
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    rig_start(&s->rig, rig_engines[engine], 0, 0);
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_peer(&s->rig, &s->subscriber, false, NULL);
    rig_producer_defaults(&produce, s->publisher.transport, PUBLISHER);
    s->producer = rig_producer(&s->rig, &produce);
    rig_consumer_defaults(&consume, s->subscriber.transport, s->producer, CONSUMER, rtx);
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

static void publish(struct scene *s, uint16_t seq)
{
    rig_send_rtp(
        &s->publisher,
        &(struct rig_rtp){
            .ssrc = PUBLISHER, .rtp_ts = seq * 3000u, .seq = seq, .pt = 96, .payload_bytes = 200});
}

static void send_nack(struct scene *s, const uint16_t *seqs, size_t n)
{
    uint8_t data[256];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    ck_assert_uint_eq(rtcp_write_nack(&writer, PEER, CONSUMER, seqs, n), n);
    rig_send(&s->subscriber, data, writer.at);
}

/* The first RTCP packet of this type and format towards a peer, within RIG_WAIT_MS. */
static bool await_rtcp(const struct rig_peer *peer, uint8_t type, int format, uint8_t *data,
                       struct rtcp_packet *packet)
{
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    while (clock_now_us() < until_us) {
        struct rtcp_reader reader;
        size_t bytes = rig_receive_rtcp(peer, data, RIG_WAIT_MS);
        if (bytes == 0)
            return false;
        ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
        while (rtcp_reader_next(&reader, packet))
            if (packet->type == type && (format < 0 || packet->count == format))
                return true;
    }
    return false;
}

START_TEST(a_nack_is_served_as_rtx)
{
    struct scene s;
    uint8_t first[RIG_PACKET], again[RIG_PACKET];
    uint16_t seq = 1001;
    scene_open(&s, _i, true);
    for (uint16_t i = 0; i < 5; i++) {
        publish(&s, (uint16_t)(100 + i));
        size_t bytes = rig_receive_rtp(&s.subscriber, i == 1 ? first : again, RIG_WAIT_MS);
        ck_assert_uint_eq(bytes, 212);
    }
    send_nack(&s, &seq, 1);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, again, RIG_WAIT_MS), 214);
    ck_assert_uint_eq(again[1] & 0x7f, 102);
    ck_assert_uint_eq(be32(again + 8), CONSUMER + 1);
    ck_assert_uint_eq(be16(again + 2), 2000);
    ck_assert_uint_eq(be32(again + 4), be32(first + 4));
    ck_assert_uint_eq(be16(again + 12), 1001); /* RFC 4588 4: original number */
    ck_assert_mem_eq(again + 14, first + 12, 200);
    scene_close(&s);
}

END_TEST

START_TEST(a_plain_resend_is_byte_identical)
{
    struct scene s;
    uint8_t first[RIG_PACKET], again[RIG_PACKET];
    uint16_t seq = 1000;
    scene_open(&s, _i, false);
    publish(&s, 65535);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, first, RIG_WAIT_MS), 212);
    publish(&s, 0);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, again, RIG_WAIT_MS), 212);
    send_nack(&s, &seq, 1);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, again, RIG_WAIT_MS), 212);
    ck_assert_mem_eq(again, first, 212);
    scene_close(&s);
}

END_TEST

START_TEST(a_packet_is_resent_once_per_rtt)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    uint16_t seqs[2] = {1000, 1001};
    scene_open(&s, _i, true);
    publish(&s, 7);
    publish(&s, 8);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    send_nack(&s, seqs, 2);
    send_nack(&s, seqs, 2); /* RTT is unknown: 100 ms */
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, 50), 0);
    usleep(120000);
    send_nack(&s, seqs, 1);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    ck_assert_uint_eq(be16(data + 12), 1000);
    rig_wait(&worker_counters(s.rig.worker)->nack_served, 3);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->nack_requested, 5);
    scene_close(&s);
}

END_TEST

/* `messages` NACKs of `items` items with 17 numbers each, and a PLI behind them, in one compound.
 */
static void send_nacks(const struct scene *s, uint32_t messages, uint32_t items)
{
    uint8_t data[1900];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    for (uint32_t i = 0; i < messages; i++) {
        uint8_t *to =
            rtcp_writer_take(&writer, RTCP_RTPFB, RTCP_FB_NACK, RTCP_FB_HEAD_BYTES + 4 * items);
        ck_assert_ptr_nonnull(to);
        put_be32(to + 4, PEER);
        put_be32(to + 8, CONSUMER);
        for (uint32_t k = 0; k < items; k++)
            put_be32(to + RTCP_FB_HEAD_BYTES + 4 * k, (17 * (messages * i + k)) << 16 | 0xffff);
    }
    ck_assert(rtcp_write_pli(&writer, PEER, CONSUMER));
    rig_send(&s->subscriber, data, writer.at);
}

START_TEST(a_compound_may_ask_for_so_much)
{
    struct scene s;
    struct outcome outcome;
    scene_open(&s, _i, true);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    send_nacks(&s, 2, 58); /* what two long lists ask for is done, and what is behind it */
    rig_wait(&c->rtcp_in, 1);
    rig_settle(&s.rig);
    ck_assert_uint_eq(c->nack_requested, 2 * 58 * 17);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_RTCP_WORK), 0);
    send_nacks(&s, 4, 110);
    rig_wait_drops(&s.rig, DROP_RTCP_WORK, 1);
    rig_settle(&s.rig);
    uint64_t more = c->nack_requested - 2 * 58 * 17;
    ck_assert_uint_ge(more, 2000);
    ck_assert_uint_le(more, 2500); /* of 7480 */
    rig_stats(&s.rig, OBJECT_CONSUMER, s.consumer, &outcome);
    ck_assert_uint_eq(outcome.consumer.stream.plis, 1); /* the second was not looked at */
    send_nacks(&s, 1, 1);                               /* each compound has its own */
    rig_wait(&c->rtcp_in, 2);
    rig_stats(&s.rig, OBJECT_CONSUMER, s.consumer, &outcome);
    ck_assert_uint_eq(outcome.consumer.stream.plis, 2);
    scene_close(&s);
}

END_TEST

/* Packets of nothing: 450 of them cost as well. */
START_TEST(a_compound_may_have_so_many_packets)
{
    struct scene s;
    uint8_t data[1900];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    scene_open(&s, _i, true);
    while (writer.at < 1800)
        ck_assert_ptr_nonnull(rtcp_writer_take(&writer, RTCP_APP, 0, RTCP_HEAD_BYTES));
    rig_send(&s.subscriber, data, writer.at);
    rig_wait_drops(&s.rig, DROP_RTCP_WORK, 1);
    scene_close(&s);
}

END_TEST

START_TEST(what_is_not_retained_is_counted)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    uint16_t never = 900;
    scene_open(&s, _i, true);
    publish(&s, 7);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    send_nack(&s, &never, 1);
    rig_wait(&worker_counters(s.rig.worker)->nack_missed, 1);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->nack_served, 0);
    scene_close(&s);
}

END_TEST

/* What was too long to be forwarded is retained all the same; its number, kept for a late packet,
 * may be asked for. */
START_TEST(what_was_too_long_is_not_resent)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    uint16_t seq = 1001;
    scene_open(&s, _i, true);
    publish(&s, 10);
    publish(&s, 12);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    ck_assert_uint_eq(be16(data + 2), 1002);
    rig_send_rtp(
        &s.publisher,
        &(struct rig_rtp){
            .ssrc = PUBLISHER, .rtp_ts = 11 * 3000u, .seq = 11, .pt = 96, .payload_bytes = 1800});
    rig_wait_drops(&s.rig, DROP_TOO_LONG, 1);
    rig_wait(&worker_counters(s.rig.worker)->slots_retained, 3);
    send_nack(&s, &seq, 1);
    rig_wait(&worker_counters(s.rig.worker)->nack_requested, 1);
    rig_settle(&s.rig);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->nack_missed, 1);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS), 0);
    scene_close(&s);
}

END_TEST

START_TEST(a_nack_before_its_packet_is_remembered)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    uint16_t seq = 1001;
    scene_open(&s, _i, true);
    publish(&s, 7);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    send_nack(&s, &seq, 1);
    rig_wait(&worker_counters(s.rig.worker)->nack_requested, 1);
    publish(&s, 8);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
    ck_assert_uint_eq(be16(data + 2), 1001);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS), 0); /* once */
    struct outcome outcome;
    struct command stats = {.kind = COMMAND_STATS, .index = s.consumer, .stats = OBJECT_CONSUMER};
    ck_assert_int_eq(rig_command(&s.rig, &stats, &outcome), 0);
    ck_assert_uint_eq(outcome.consumer.stream.nack_early, 1);
    scene_close(&s);
}

END_TEST

START_TEST(retention_ends_with_its_time)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, true);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    for (uint16_t i = 0; i < 20; i++)
        publish(&s, i);
    for (int i = 0; i < 20; i++)
        ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    rig_wait(&c->slots_retained, 20);
    int64_t until_us = clock_now_us() + 3000000;
    while (c->slots_retained > 0 && clock_now_us() < until_us)
        usleep(10000); /* nothing comes any more: the timer does it */
    ck_assert_uint_eq(c->slots_retained, 0);
    scene_close(&s);
}

END_TEST

START_TEST(a_gap_is_asked_for_upstream_and_recovered_by_rtx)
{
    struct scene s;
    uint8_t data[RIG_PACKET], media[RIG_PACKET];
    struct rtcp_packet packet;
    uint16_t seqs[17];
    size_t at = 0;
    uint32_t ssrc;
    scene_open(&s, _i, true);
    publish(&s, 100);
    publish(&s, 102);
    ck_assert(await_rtcp(&s.publisher, RTCP_RTPFB, RTCP_FB_NACK, data, &packet));
    ck_assert(rtcp_read_media_ssrc(data, &packet, &ssrc));
    ck_assert_uint_eq(ssrc, PUBLISHER);
    ck_assert_uint_eq(rtcp_read_nack(data, &packet, &at, seqs), 1);
    ck_assert_uint_eq(seqs[0], 101);

    /* RTX: its own number, the original one first in the payload. */
    size_t bytes = rig_make_rtp(
        &(struct rig_rtp){
            .ssrc = PUBLISHER, .rtp_ts = 303000, .seq = 101, .pt = 96, .payload_bytes = 200},
        media);
    memcpy(data, media, 12);
    data[1] = 97;
    put_be16(data + 2, 5);
    put_be32(data + 8, PUBLISHER + 1);
    put_be16(data + 12, 101);
    memcpy(data + 14, media + 12, bytes - 12);
    rig_send(&s.publisher, data, bytes + 2);

    uint16_t want[3] = {1000, 1002, 1001};
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 212);
        ck_assert_uint_eq(be16(data + 2), want[i]);
    }
    ck_assert_mem_eq(data + 12, media + 12, 200);

    uint16_t seq = 1001; /* recovered packets are retained like any other */
    send_nack(&s, &seq, 1);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 214);
    ck_assert_mem_eq(data + 14, media + 12, 200);
    scene_close(&s);
}

END_TEST

/* While it is paused nothing of it is wanted, and what came or was lost meanwhile is not asked for
 * afterwards. */
START_TEST(a_paused_producer_is_not_asked_for_gaps)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    uint16_t seqs[17];
    size_t at = 0;
    scene_open(&s, _i, true);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    publish(&s, 100);
    rig_wait(&c->rtp_in, 1);
    rig_close(&s.rig, COMMAND_PRODUCER_PAUSE, s.producer);
    publish(&s, 102);
    publish(&s, 105);
    rig_wait_drops(&s.rig, DROP_PAUSED, 2);
    usleep(RIG_QUIET_MS * 1000);
    rig_settle(&s.rig);
    ck_assert_uint_eq(c->nack_sent, 0);
    rig_close(&s.rig, COMMAND_PRODUCER_RESUME, s.producer);
    publish(&s, 110);
    publish(&s, 112);
    ck_assert(await_rtcp(&s.publisher, RTCP_RTPFB, RTCP_FB_NACK, data, &packet));
    ck_assert_uint_eq(rtcp_read_nack(data, &packet, &at, seqs), 1);
    ck_assert_uint_eq(seqs[0], 111);
    scene_close(&s);
}

END_TEST

START_TEST(key_frame_requests_are_merged)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    struct outcome outcome;
    scene_open(&s, _i, true);
    ck_assert(rtcp_write_pli(&writer, PEER, CONSUMER));
    for (int i = 0; i < 10; i++)
        rig_send(&s.subscriber, data, writer.at);
    ck_assert(await_rtcp(&s.publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    struct command stats = {.kind = COMMAND_STATS, .index = s.consumer, .stats = OBJECT_CONSUMER};
    do {
        ck_assert_int_eq(rig_command(&s.rig, &stats, &outcome), 0);
    } while (outcome.consumer.stream.plis < 10);
    /* One for the new consumer and perhaps one more while it is outstanding, never ten. */
    ck_assert_uint_le(worker_counters(s.rig.worker)->keyframe_requests, 2);
    scene_close(&s);
}

END_TEST

START_TEST(pause_and_resume_leave_no_gap)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, true);
    publish(&s, 10);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    rig_close(&s.rig, COMMAND_CONSUMER_PAUSE, s.consumer);
    for (uint16_t i = 11; i < 20; i++)
        publish(&s, i);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS), 0);
    rig_close(&s.rig, COMMAND_CONSUMER_RESUME, s.consumer);
    publish(&s, 20);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    ck_assert_uint_eq(be16(data + 2), 1001);
    ck_assert_uint_eq(be32(data + 4), 5000 + 10 * 3000); /* same source: its time goes on */
    rig_close(&s.rig, COMMAND_PRODUCER_PAUSE, s.producer);
    publish(&s, 21);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS), 0);
    rig_close(&s.rig, COMMAND_PRODUCER_RESUME, s.producer);
    publish(&s, 22);
    ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
    ck_assert_uint_eq(be16(data + 2), 1002);
    scene_close(&s);
}

END_TEST

START_TEST(a_restarted_source_goes_on_without_a_gap)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, true);
    publish(&s, 10);
    publish(&s, 11);
    publish(&s, 30000); /* waits for its successor, RFC 3550 A.1 */
    publish(&s, 30001);
    publish(&s, 30002);
    for (uint16_t i = 0; i < 4; i++) {
        ck_assert(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
        ck_assert_uint_eq(be16(data + 2), 1000 + i);
    }
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS), 0);
    scene_close(&s);
}

END_TEST

START_TEST(reports_go_both_ways_and_give_the_rtt)
{
    struct scene s;
    uint8_t data[RIG_PACKET], sr[RIG_PACKET];
    struct rtcp_packet packet;
    struct rtcp_sender_info info;
    struct rtcp_report_block block;
    struct outcome outcome;
    scene_open(&s, _i, true);
    for (uint16_t i = 0; i < 50; i++)
        publish(&s, i);
    ck_assert(await_rtcp(&s.publisher, RTCP_RR, -1, data, &packet));
    ck_assert(rtcp_read_report_block(data, &packet, 0, &block));
    ck_assert_uint_eq(block.ssrc, PUBLISHER);
    ck_assert_int_eq(block.lost_total, 0);

    ck_assert(await_rtcp(&s.subscriber, RTCP_SR, -1, sr, &packet));
    ck_assert(rtcp_read_sender_info(sr, &packet, &info));
    ck_assert_uint_eq(info.packets, 50);
    ck_assert_uint_eq(info.octets, 50 * 200);

    struct rtcp_report_block rr = {
        .ssrc = CONSUMER, .seq_max = 1049, .last_sr = ntp_compact(info.ntp), .delay = 0};
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    usleep(20000);
    ck_assert(rtcp_write_rr(&writer, PEER, &rr, 1));
    rig_send(&s.subscriber, data, writer.at);
    struct command stats = {.kind = COMMAND_STATS, .index = s.consumer, .stats = OBJECT_CONSUMER};
    do {
        ck_assert_int_eq(rig_command(&s.rig, &stats, &outcome), 0);
    } while (outcome.consumer.stream.rtt_us == 0);
    ck_assert_int_ge(outcome.consumer.stream.rtt_us, 19000);
    ck_assert_int_lt(outcome.consumer.stream.rtt_us, 2000000);
    scene_close(&s);
}

END_TEST

Suite *net_recovery_suite(void)
{
    Suite *suite = suite_create("net_recovery");
    TCase *down = tcase_create("towards receivers");
    tcase_set_timeout(down, 60);
    tcase_add_loop_test(down, a_nack_is_served_as_rtx, 0, 2);
    tcase_add_loop_test(down, a_plain_resend_is_byte_identical, 0, 2);
    tcase_add_loop_test(down, a_packet_is_resent_once_per_rtt, 0, 2);
    tcase_add_loop_test(down, a_compound_may_ask_for_so_much, 0, 2);
    tcase_add_loop_test(down, a_compound_may_have_so_many_packets, 0, 2);
    tcase_add_loop_test(down, what_is_not_retained_is_counted, 0, 2);
    tcase_add_loop_test(down, what_was_too_long_is_not_resent, 0, 2);
    tcase_add_loop_test(down, a_nack_before_its_packet_is_remembered, 0, 2);
    tcase_add_loop_test(down, retention_ends_with_its_time, 0, 2);
    tcase_add_loop_test(down, pause_and_resume_leave_no_gap, 0, 2);
    tcase_add_loop_test(down, a_restarted_source_goes_on_without_a_gap, 0, 2);
    suite_add_tcase(suite, down);
    TCase *up = tcase_create("towards producers");
    tcase_set_timeout(up, 60);
    tcase_add_loop_test(up, a_gap_is_asked_for_upstream_and_recovered_by_rtx, 0, 2);
    tcase_add_loop_test(up, a_paused_producer_is_not_asked_for_gaps, 0, 2);
    tcase_add_loop_test(up, key_frame_requests_are_merged, 0, 2);
    tcase_add_loop_test(up, reports_go_both_ways_and_give_the_rtt, 0, 2);
    suite_add_tcase(suite, up);
    return suite;
}
