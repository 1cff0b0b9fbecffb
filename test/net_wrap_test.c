/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_wrap_test.c - sequence numbers and timestamps through many wraps of a real worker: no
 * gap, no growth. */
#include "test/must.h"
#include "test/net_rig.h"

#include <unistd.h>

enum {
    PUBLISHER = 0x1111,
    CONSUMER = 0x2000,
    PEER = 0x9999,
    WRAPS = 3,
    PACKETS_N = WRAPS * 65536 + 1000,
    BURST = 48, /* well below what a socket's buffer holds */
    PAYLOAD = 40,
    SLOTS = 1024,
    TS_STEP = 150000, /* 6 wraps of the timestamp */
};

static const uint16_t seq_first = 65530;
static const uint32_t ts_first = UINT32_MAX - 5000;

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
    uint32_t producer, consumer;
};

static void scene_open(struct scene *s, int engine)
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    rig_start(&s->rig, rig_engines[engine], SLOTS, 0);
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_peer(&s->rig, &s->subscriber, false, NULL);
    rig_producer_defaults(&produce, s->publisher.transport, PUBLISHER);
    s->producer = rig_producer(&s->rig, &produce);
    rig_consumer_defaults(&consume, s->subscriber.transport, s->producer, CONSUMER, true);
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

static void publish(struct scene *s, uint32_t number)
{
    uint8_t data[12 + PAYLOAD];
    struct rig_rtp rtp = {.ssrc = PUBLISHER,
                          .rtp_ts = ts_first + number * (uint32_t)TS_STEP,
                          .seq = (uint16_t)(seq_first + number),
                          .pt = 96,
                          .payload_bytes = PAYLOAD};
    size_t bytes = rig_make_rtp(&rtp, data);
    put_be32(data + 12 + 20, number);
    MUST(sendto(s->publisher.fd, data, bytes, 0, &s->publisher.relay.sa,
                addr_len(&s->publisher.relay)) == (ssize_t)bytes);
}

static void expect(struct scene *s, uint32_t number)
{
    uint8_t data[RIG_PACKET];
    MUST(rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS) == 12 + PAYLOAD);
    MUST(be16(data + 2) == (uint16_t)(1000 + number));
    MUST(be32(data + 4) == 5000 + number * (uint32_t)TS_STEP);
    MUST(be32(data + 12 + 20) == number);
}

/* The newest packet is asked for again. */
static void check_nack(struct scene *s, uint32_t newest)
{
    uint8_t data[RIG_PACKET];
    uint16_t seq = (uint16_t)(1000 + newest);
    struct rtcp_writer writer = {.data = data, .bytes_max = 64};
    ck_assert_uint_eq(rtcp_write_nack(&writer, PEER, CONSUMER, &seq, 1), 1);
    rig_send(&s->subscriber, data, writer.at);
    ck_assert_uint_eq(rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS), 14 + PAYLOAD);
    ck_assert_uint_eq(be32(data + 8), CONSUMER + 1);
    ck_assert_uint_eq(be16(data + 12), seq);
    ck_assert_uint_eq(be32(data + 14 + 20), newest);
}

START_TEST(wraps_leave_no_trace)
{
    struct scene s;
    struct outcome outcome;
    scene_open(&s, _i);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    uint32_t asked = 0;
    for (uint32_t at = 0; at < PACKETS_N; at += BURST) {
        for (uint32_t i = at; i < at + BURST; i++)
            publish(&s, i);
        for (uint32_t i = at; i < at + BURST; i++)
            expect(&s, i);
        MUST(c->slots_retained <= SLOTS);
        MUST(c->slots_resident <= SLOTS);
        /* Around every wrap of what goes out, and in its middle. */
        if ((uint16_t)(1000 + at) % 32768 < BURST) {
            check_nack(&s, at + BURST - 1);
            asked++;
        }
    }
    uint32_t sent = (PACKETS_N + BURST - 1) / BURST * BURST;
    rig_settle(&s.rig);
    ck_assert_uint_ge(asked, 2 * WRAPS);
    ck_assert_uint_eq(c->nack_served, asked);
    ck_assert_uint_eq(c->forwarded, sent);
    ck_assert_uint_eq(c->rtp_in, sent);
    ck_assert_uint_eq(c->kernel_drops, 0);
    ck_assert_uint_eq(c->nack_sent, 0); /* nothing ever seemed to be missing */
    rig_stats(&s.rig, OBJECT_PRODUCER, s.producer, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[0].packets, sent);
    ck_assert_int_eq(outcome.producer.encodings[0].packets_lost, 0);
    ck_assert_uint_eq(outcome.producer.encodings[0].restarts, 0);
    ck_assert_uint_eq(outcome.producer.encodings[0].duplicates, 0);
    rig_stats(&s.rig, OBJECT_CONSUMER, s.consumer, &outcome);
    ck_assert_uint_eq(outcome.consumer.stream.packets, sent);
    ck_assert_uint_eq(outcome.consumer.stream.packets_dropped, 0);
    scene_close(&s);
}

END_TEST

/* A long loss over every wrap: the gap goes out as it came, and is asked for upstream. */
START_TEST(losses_over_the_wrap_stay_what_they_are)
{
    struct scene s;
    struct outcome outcome;
    scene_open(&s, _i);
    uint32_t sent = 0, next = 0;
    for (uint32_t at = 0; at < 4 * 65536; at += 700) {
        next = at;
        publish(&s, at);
        expect(&s, at);
        sent++;
    }
    rig_settle(&s.rig);
    rig_stats(&s.rig, OBJECT_PRODUCER, s.producer, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[0].packets, sent);
    ck_assert_uint_eq(outcome.producer.encodings[0].restarts, 0);
    ck_assert_uint_eq((uint16_t)(1000 + next), (uint16_t)(1000 + (sent - 1) * 700));
    ck_assert_uint_eq(worker_counters(s.rig.worker)->forwarded, sent);
    scene_close(&s);
}

END_TEST

Suite *net_wrap_suite(void)
{
    Suite *suite = suite_create("net_wrap");
    TCase *wrap = tcase_create("wrap");
    tcase_set_timeout(wrap, 120);
    tcase_add_loop_test(wrap, wraps_leave_no_trace, 0, 2);
    tcase_add_loop_test(wrap, losses_over_the_wrap_stay_what_they_are, 0, 2);
    suite_add_tcase(suite, wrap);
    return suite;
}
