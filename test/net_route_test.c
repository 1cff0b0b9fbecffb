/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_route_test.c - which stream a packet belongs to: by ssrc, MID, RID; RTX; sources that
 * come back. */
#include "test/net_rig.h"

#include <errno.h>
#include <unistd.h>

enum { CONSUMER = 0x2000, MID = 1, RID = 2, RRID = 3, PAYLOAD = 60 };

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
};

static void scene_open(struct scene *s, int engine)
{
    rig_start(&s->rig, rig_engines[engine], 0, 0);
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_peer(&s->rig, &s->subscriber, false, NULL);
}

static void scene_close(struct scene *s)
{
    close(s->publisher.fd);
    close(s->subscriber.fd);
    rig_stop(&s->rig); /* the worker closes what is still open */
}

/* A producer of `encodings` ("a b": RIDs; "": one without), with ssrcs where `ssrc` is not 0. */
static uint32_t produce(struct scene *s, const char *mid, const char *rids, uint32_t ssrc,
                        int *result)
{
    struct command command = {.kind = COMMAND_PRODUCER_OPEN, .index = s->rig.producers++};
    struct command_producer_open *open = &command.producer_open;
    rig_producer_defaults(open, s->publisher.transport, ssrc);
    open->encodings[0] =
        (struct producer_encoding){.ssrc = ssrc, .rtx_ssrc = ssrc == 0 ? 0 : ssrc + 1};
    open->ext_ids.id[RTP_EXT_MID] = MID;
    open->ext_ids.id[RTP_EXT_RID] = RID;
    open->ext_ids.id[RTP_EXT_RRID] = RRID;
    open->mid_bytes = (uint8_t)strlen(mid);
    memcpy(open->mid, mid, strlen(mid));
    open->encodings_n = (uint8_t)(*rids == 0 ? 1 : (strlen(rids) + 1) / 2);
    for (uint8_t i = 0; *rids != 0 && i < open->encodings_n; i++) {
        open->encodings[i].rid_bytes = 1;
        open->encodings[i].rid[0] = rids[2 * i];
        if (ssrc != 0)
            open->encodings[i].ssrc = ssrc + 16u * i;
    }
    int got = rig_command(&s->rig, &command, NULL);
    if (result != NULL)
        *result = got;
    else
        ck_assert_int_eq(got, 0);
    return command.index;
}

static uint32_t consume(struct scene *s, uint32_t producer, uint8_t encoding, uint32_t ssrc)
{
    struct command_consumer_open open;
    rig_consumer_defaults(&open, s->subscriber.transport, producer, ssrc, true);
    open.encoding = encoding;
    return rig_consumer(&s->rig, &open);
}

struct packet {
    uint32_t ssrc;
    uint16_t seq;
    uint8_t pt;
    const char *mid, *rid, *rrid; /* NULL: not in it */
    uint32_t rtp_ts;
    uint16_t original; /* of RTX */
};

static void send_packet(struct scene *s, const struct packet *packet)
{
    uint8_t data[RIG_PACKET];
    struct rtp_ext_writer writer;
    struct rig_rtp rtp = {
        .ssrc = packet->ssrc, .seq = packet->seq, .pt = packet->pt, .rtp_ts = packet->rtp_ts};
    size_t at = rig_make_rtp(&rtp, data);
    rtp_ext_writer_init(&writer, data, at, sizeof data, false);
    if (packet->mid != NULL)
        rtp_ext_write(&writer, MID, (const uint8_t *)packet->mid, strlen(packet->mid));
    if (packet->rid != NULL)
        rtp_ext_write(&writer, RID, (const uint8_t *)packet->rid, strlen(packet->rid));
    if (packet->rrid != NULL)
        rtp_ext_write(&writer, RRID, (const uint8_t *)packet->rrid, strlen(packet->rrid));
    size_t end = rtp_ext_writer_end(&writer);
    if (end != at)
        data[0] |= 0x10;
    if (packet->pt == 97) {
        put_be16(data + end, packet->original);
        end += 2;
    }
    memset(data + end, (uint8_t)packet->ssrc, PAYLOAD);
    memcpy(data + end, "\x10", 2); /* a VP8 key frame begins */
    rig_send(&s->publisher, data, end + PAYLOAD);
}

/* The next packet is that consumer's, of that source, with that number. */
static void expect(struct scene *s, uint32_t consumer_ssrc, uint32_t source, uint16_t seq)
{
    uint8_t data[RIG_PACKET];
    ck_assert_uint_eq(rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS), 12 + PAYLOAD);
    ck_assert_uint_eq(be32(data + 8), consumer_ssrc);
    ck_assert_uint_eq(be16(data + 2), seq);
    ck_assert_uint_eq(data[14], (uint8_t)source);
}

START_TEST(by_ssrc)
{
    struct scene s;
    struct outcome outcome;
    scene_open(&s, _i);
    uint32_t one = produce(&s, "0", "", 0x1100, NULL), two = produce(&s, "1", "", 0x1200, NULL);
    consume(&s, one, 0, CONSUMER);
    consume(&s, two, 0, CONSUMER + 16);
    for (uint16_t i = 0; i < 5; i++) {
        send_packet(&s, &(struct packet){.ssrc = 0x1211, .seq = i, .pt = 96}); /* nobody's */
        send_packet(&s, &(struct packet){.ssrc = 0x1200, .seq = i, .pt = 96});
        expect(&s, CONSUMER + 16, 0x1200, (uint16_t)(1000 + i));
        send_packet(&s, &(struct packet){.ssrc = 0x1100, .seq = i, .pt = 96});
        expect(&s, CONSUMER, 0x1100, (uint16_t)(1000 + i));
    }
    /* A signalled ssrc goes before what the packet says otherwise. */
    send_packet(&s, &(struct packet){.ssrc = 0x1100, .seq = 5, .pt = 96, .mid = "1"});
    expect(&s, CONSUMER, 0x1100, 1005);
    send_packet(&s, &(struct packet){.ssrc = 0x1100, .seq = 6, .pt = 55}); /* not negotiated */
    send_packet(&s, &(struct packet){.ssrc = 0x1100, .seq = 6, .pt = 97}); /* RTX of itself */
    send_packet(&s, &(struct packet){.ssrc = 0x1101, .seq = 6, .pt = 96}); /* media on RTX */
    rig_wait_drops(&s.rig, DROP_NO_PRODUCER, 5);
    rig_wait_drops(&s.rig, DROP_PAYLOAD_TYPE, 1);
    rig_wait_drops(&s.rig, DROP_RTX_UNKNOWN, 2);
    rig_stats(&s.rig, OBJECT_PRODUCER, one, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[0].packets, 6);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->forwarded, 11);
    scene_close(&s);
}

END_TEST

START_TEST(by_mid)
{
    struct scene s;
    struct outcome outcome;
    scene_open(&s, _i);
    uint32_t one = produce(&s, "cam", "", 0, NULL), two = produce(&s, "mic", "", 0, NULL);
    consume(&s, one, 0, CONSUMER);
    consume(&s, two, 0, CONSUMER + 16);
    send_packet(&s, &(struct packet){.ssrc = 0x31, .seq = 1, .pt = 96}); /* no name: nobody's */
    send_packet(&s, &(struct packet){.ssrc = 0x31, .seq = 1, .pt = 96, .mid = "cams"});
    send_packet(&s, &(struct packet){.ssrc = 0x31, .seq = 1, .pt = 96, .mid = "ca"});
    rig_wait_drops(&s.rig, DROP_NO_PRODUCER, 3);
    send_packet(&s, &(struct packet){.ssrc = 0x31, .seq = 1, .pt = 96, .mid = "mic"});
    expect(&s, CONSUMER + 16, 0x31, 1000);
    send_packet(&s, &(struct packet){.ssrc = 0x32, .seq = 1, .pt = 50, .mid = "cam"});
    rig_wait_drops(&s.rig, DROP_PAYLOAD_TYPE, 1); /* and not bound by it */
    send_packet(&s, &(struct packet){.ssrc = 0x33, .seq = 1, .pt = 96, .mid = "cam"});
    expect(&s, CONSUMER, 0x33, 1000);
    /* Known now: no name needed. */
    send_packet(&s, &(struct packet){.ssrc = 0x31, .seq = 2, .pt = 96});
    expect(&s, CONSUMER + 16, 0x31, 1001);
    /* RTX on an ssrc of its own is told by its payload type. */
    send_packet(&s, &(struct packet){.ssrc = 0x31, .seq = 4, .pt = 96});
    expect(&s, CONSUMER + 16, 0x31, 1003);
    send_packet(&s,
                &(struct packet){.ssrc = 0x41, .seq = 1, .pt = 97, .mid = "mic", .original = 3});
    expect(&s, CONSUMER + 16, 0x41, 1002);
    rig_stats(&s.rig, OBJECT_PRODUCER, two, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[0].ssrc, 0x31);
    ck_assert_uint_eq(outcome.producer.encodings[0].rtx_ssrc, 0x41);
    ck_assert_uint_eq(outcome.producer.encodings[0].packets_repaired, 1);
    scene_close(&s);
}

END_TEST

START_TEST(by_mid_and_rid)
{
    struct scene s;
    struct outcome outcome;
    scene_open(&s, _i);
    uint32_t one = produce(&s, "0", "a b c", 0, NULL), two = produce(&s, "1", "a b", 0, NULL);
    for (uint8_t i = 0; i < 3; i++)
        consume(&s, one, i, CONSUMER + 16u * i);
    for (uint8_t i = 0; i < 2; i++)
        consume(&s, two, i, CONSUMER + 0x100 + 16u * i);
    static const char *rids[] = {"a", "b", "c"};
    for (uint8_t i = 0; i < 3; i++) {
        send_packet(&s, &(struct packet){
                            .ssrc = 0x50u + i, .seq = 7, .pt = 96, .mid = "0", .rid = rids[i]});
        expect(&s, CONSUMER + 16u * i, 0x50u + i, 1000);
    }
    for (uint8_t i = 0; i < 2; i++) {
        send_packet(&s, &(struct packet){
                            .ssrc = 0x60u + i, .seq = 7, .pt = 96, .mid = "1", .rid = rids[i]});
        expect(&s, CONSUMER + 0x100 + 16u * i, 0x60u + i, 1000);
    }
    /* A name without encoding, no RID among several, an unknown RID. */
    send_packet(&s, &(struct packet){.ssrc = 0x70, .seq = 1, .pt = 96, .mid = "1", .rid = "c"});
    send_packet(&s, &(struct packet){.ssrc = 0x71, .seq = 1, .pt = 96, .mid = "1"});
    send_packet(&s, &(struct packet){.ssrc = 0x72, .seq = 1, .pt = 96, .rid = "zz"});
    rig_wait_drops(&s.rig, DROP_NO_PRODUCER, 3);
    /* RTX by RRID; its lost packet comes back to its encoding. */
    send_packet(&s, &(struct packet){.ssrc = 0x51, .seq = 9, .pt = 96});
    expect(&s, CONSUMER + 16, 0x51, 1002);
    send_packet(&s, &(struct packet){
                        .ssrc = 0x81, .seq = 1, .pt = 97, .mid = "0", .rrid = "b", .original = 8});
    expect(&s, CONSUMER + 16, 0x81, 1001);
    rig_stats(&s.rig, OBJECT_PRODUCER, one, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[1].rtx_ssrc, 0x81);
    ck_assert_uint_eq(outcome.producer.encodings[0].rtx_ssrc, 0);
    ck_assert_uint_eq(outcome.producer.encodings[2].ssrc, 0x52);
    scene_close(&s);
}

END_TEST

START_TEST(by_rid_alone)
{
    struct scene s;
    scene_open(&s, _i);
    uint32_t one = produce(&s, "", "a b", 0, NULL);
    consume(&s, one, 1, CONSUMER);
    send_packet(&s, &(struct packet){.ssrc = 0x91, .seq = 1, .pt = 96, .rid = "b"});
    expect(&s, CONSUMER, 0x91, 1000);
    send_packet(&s, &(struct packet){.ssrc = 0x92, .seq = 1, .pt = 96, .mid = "x", .rid = "b"});
    rig_wait_drops(&s.rig, DROP_NO_PRODUCER, 1); /* a MID, and it is not ours */
    send_packet(&s, &(struct packet){.ssrc = 0x91, .seq = 3, .pt = 96});
    expect(&s, CONSUMER, 0x91, 1002);
    send_packet(&s, &(struct packet){.ssrc = 0x93, .seq = 1, .pt = 97, .rrid = "b", .original = 2});
    expect(&s, CONSUMER, 0x93, 1001);
    /* RTX before its media: nothing to give it to. */
    send_packet(&s, &(struct packet){.ssrc = 0x94, .seq = 1, .pt = 97, .rrid = "a", .original = 2});
    rig_wait_drops(&s.rig, DROP_RTX_UNKNOWN, 1);
    scene_close(&s);
}

END_TEST

/* The same encoding from another ssrc, with numbers and times of its own: the receiver sees one
 * stream that goes on. */
START_TEST(a_new_ssrc_takes_over)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct outcome outcome;
    bool near = _i >= 2; /* its numbers happen to be close to the old one's */
    scene_open(&s, _i % 2);
    uint32_t one = produce(&s, "0", "a b", 0, NULL);
    consume(&s, one, 0, CONSUMER);
    struct packet packet = {.ssrc = 0xa1, .pt = 96, .mid = "0", .rid = "a"};
    for (packet.seq = 100; packet.seq < 105; packet.seq++) {
        packet.rtp_ts = 90000 + packet.seq * 3000u;
        send_packet(&s, &packet);
        expect(&s, CONSUMER, 0xa1, (uint16_t)(900 + packet.seq));
    }
    packet.ssrc = 0xb1;
    uint16_t first = near ? 102 : 40000;
    uint32_t before_ts = 5000 + 4 * 3000, last_ts = before_ts;
    for (uint16_t i = 0; i < 5; i++) {
        packet.seq = (uint16_t)(first + i);
        packet.rtp_ts = 0x80000000u + i * 3000u;
        send_packet(&s, &packet);
        ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 12 + PAYLOAD);
        ck_assert_uint_eq(be16(data + 2), 1005 + i);
        ck_assert_uint_eq(data[14], 0xb1);
        uint32_t step = be32(data + 4) - last_ts;
        if (i == 0)
            ck_assert_uint_lt(step, 10 * 90000); /* by the time that has passed */
        else
            ck_assert_uint_eq(step, 3000);
        ck_assert_uint_gt(step, 0);
        last_ts = be32(data + 4);
    }
    packet.ssrc = 0xa1; /* the old one is nobody's unless it names itself again */
    packet.mid = packet.rid = NULL;
    packet.seq = 105;
    send_packet(&s, &packet);
    rig_wait_drops(&s.rig, DROP_NO_PRODUCER, 1);
    rig_stats(&s.rig, OBJECT_PRODUCER, one, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[0].ssrc, 0xb1);
    scene_close(&s);
}

END_TEST

/* An ssrc that the offer names is not taken away by a packet that says MID only. */
START_TEST(a_signalled_ssrc_stays)
{
    struct scene s;
    struct outcome outcome;
    scene_open(&s, _i);
    uint32_t one = produce(&s, "0", "", 0x1100, NULL);
    consume(&s, one, 0, CONSUMER);
    send_packet(&s, &(struct packet){.ssrc = 0x1100, .seq = 1, .pt = 96});
    expect(&s, CONSUMER, 0x1100, 1000);
    send_packet(&s, &(struct packet){.ssrc = 0x77, .seq = 9, .pt = 96, .mid = "0"});
    rig_wait_drops(&s.rig, DROP_NO_PRODUCER, 1);
    send_packet(&s, &(struct packet){.ssrc = 0x1100, .seq = 2, .pt = 96});
    expect(&s, CONSUMER, 0x1100, 1001);
    rig_stats(&s.rig, OBJECT_PRODUCER, one, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[0].ssrc, 0x1100);
    scene_close(&s);
}

END_TEST

/* Thousands of new ssrcs for one name: each takes the place of the one before. */
START_TEST(new_ssrcs_without_end_leave_nothing_behind)
{
    struct scene s;
    scene_open(&s, _i);
    produce(&s, "0", "a b", 0, NULL);
    uint32_t other = produce(&s, "1", "", 0x1100, NULL);
    consume(&s, other, 0, CONSUMER);
    for (uint32_t i = 0; i < 3000; i++) {
        send_packet(&s, &(struct packet){.ssrc = 0x10000 + i,
                                         .seq = (uint16_t)i,
                                         .pt = i % 3 == 2 ? 97 : 96,
                                         .mid = "0",
                                         .rid = i % 2 ? "a" : "b"});
        if (i % 64 == 63)
            rig_settle(&s.rig);
    }
    rig_settle(&s.rig);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_STREAMS_FULL), 0);
    send_packet(&s, &(struct packet){.ssrc = 0x1100, .seq = 1, .pt = 96});
    expect(&s, CONSUMER, 0x1100, 1000);
    scene_close(&s);
}

END_TEST

/* To the streams 0 means that no ssrc is known: one that was learnt would never be forgotten. */
START_TEST(ssrc_0_is_not_learnt)
{
    struct scene s;
    scene_open(&s, _i);
    uint32_t producer = produce(&s, "0", "a", 0, NULL);
    consume(&s, producer, 0, CONSUMER);
    struct packet packet = {.seq = 1, .pt = 96, .mid = "0", .rid = "a"};
    send_packet(&s, &packet);
    rig_wait_drops(&s.rig, DROP_NO_PRODUCER, 1);
    packet.ssrc = 0x1100;
    send_packet(&s, &packet);
    expect(&s, CONSUMER, 0x1100, 1000);
    scene_close(&s);
}

END_TEST

START_TEST(a_producer_whose_ssrc_is_taken_is_refused)
{
    struct scene s;
    int result;
    scene_open(&s, _i);
    uint32_t one = produce(&s, "0", "", 0x1100, NULL);
    consume(&s, one, 0, CONSUMER);
    produce(&s, "1", "", 0x1101, &result); /* its media is one's RTX */
    ck_assert_int_eq(result, -EEXIST);
    produce(&s, "1", "a b", 0x10f0, &result); /* the second encoding's; the first is given back */
    ck_assert_int_eq(result, -EEXIST);
    produce(&s, "1", "", 0x10ff, &result); /* its RTX is one's media; its media is given back */
    ck_assert_int_eq(result, -EEXIST);
    rig_settle(&s.rig);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->producers, 1);
    produce(&s, "1", "", 0x10f0, &result);
    ck_assert_int_eq(result, 0);
    send_packet(&s, &(struct packet){.ssrc = 0x1100, .seq = 1, .pt = 96});
    expect(&s, CONSUMER, 0x1100, 1000);
    /* Consumers likewise: ssrcs of one transport are one space. */
    struct command command = {.kind = COMMAND_CONSUMER_OPEN, .index = 40};
    rig_consumer_defaults(&command.consumer_open, s.subscriber.transport, one, CONSUMER + 1, false);
    ck_assert_int_eq(rig_command(&s.rig, &command, NULL), -EEXIST);
    rig_consumer_defaults(&command.consumer_open, s.subscriber.transport, one, CONSUMER - 1, true);
    ck_assert_int_eq(rig_command(&s.rig, &command, NULL), -EEXIST);
    rig_consumer_defaults(&command.consumer_open, s.subscriber.transport, one, CONSUMER - 1, false);
    ck_assert_int_eq(rig_command(&s.rig, &command, NULL), 0);
    scene_close(&s);
}

END_TEST

/* 64 producers of four encodings: more streams than there is room for (two a producer). */
START_TEST(streams_run_out_and_leave_nothing_half_open)
{
    struct scene s;
    int result, opened = 0;
    scene_open(&s, _i);
    for (uint32_t i = 0; i < 64; i++) {
        s.rig.producers = i;
        produce(&s, "0", "a b c d", 0x1000 * (i + 1), &result);
        ck_assert(result == 0 || result == -ENOSPC);
        opened += result == 0;
    }
    ck_assert_int_eq(opened, 32);
    rig_close(&s.rig, COMMAND_PRODUCER_CLOSE, 0);
    for (uint32_t i = 0; i < 4; i++) { /* four single ones in its place, no fifth */
        s.rig.producers = 40 + i;
        produce(&s, "0", "", 0x1000000 + 16 * i, &result);
        ck_assert_int_eq(result, 0);
    }
    produce(&s, "0", "", 0x2000000, &result);
    ck_assert_int_eq(result, -ENOSPC);
    scene_close(&s);
}

END_TEST

Suite *net_route_suite(void)
{
    Suite *suite = suite_create("net_route");
    TCase *find = tcase_create("find");
    tcase_set_timeout(find, 60);
    tcase_add_loop_test(find, by_ssrc, 0, 2);
    tcase_add_loop_test(find, by_mid, 0, 2);
    tcase_add_loop_test(find, by_mid_and_rid, 0, 2);
    tcase_add_loop_test(find, by_rid_alone, 0, 2);
    tcase_add_loop_test(find, a_new_ssrc_takes_over, 0, 4);
    tcase_add_loop_test(find, a_signalled_ssrc_stays, 0, 2);
    suite_add_tcase(suite, find);
    TCase *limits = tcase_create("limits");
    tcase_set_timeout(limits, 60);
    tcase_add_loop_test(limits, new_ssrcs_without_end_leave_nothing_behind, 0, 2);
    tcase_add_loop_test(limits, ssrc_0_is_not_learnt, 0, 2);
    tcase_add_loop_test(limits, a_producer_whose_ssrc_is_taken_is_refused, 0, 2);
    tcase_add_loop_test(limits, streams_run_out_and_leave_nothing_half_open, 0, 2);
    suite_add_tcase(suite, limits);
    return suite;
}
