/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_bye_test.c - sources that end: BYE to receivers whose consumers close, BYE from
 * publishers. RFC 3550 6.6. */
#include "core/clock.h"
#include "test/net_rig.h"

#include <unistd.h>

enum { PUBLISHER = 0x1111, CONSUMER = 0x2000, PEER = 0x9999, PAYLOAD = 100, MANY = 40 };

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
    struct srtp_keys keys; /* the subscriber's, where sealed */
    struct seal *seal;
    uint32_t producer;
};

static void scene_open(struct scene *s, int engine, bool sealed)
{
    struct command_producer_open produce;
    rig_start(&s->rig, rig_engines[engine], 0, 0);
    rig_keys(&s->keys, SEAL_AEAD_AES_128_GCM, 7);
    s->seal = sealed ? rig_peer_seal(&s->keys) : NULL;
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_peer(&s->rig, &s->subscriber, false, sealed ? &s->keys : NULL);
    rig_producer_defaults(&produce, s->publisher.transport, PUBLISHER);
    s->producer = rig_producer(&s->rig, &produce);
}

static void scene_close(struct scene *s)
{
    if (s->seal != NULL)
        seal_exit(s->seal);
    close(s->publisher.fd);
    close(s->subscriber.fd);
    rig_stop(&s->rig); /* the worker closes what is still open */
}

static uint32_t consume(struct scene *s, uint32_t ssrc)
{
    struct command_consumer_open open;
    rig_consumer_defaults(&open, s->subscriber.transport, s->producer, ssrc, true);
    return rig_consumer(&s->rig, &open);
}

static void publish(const struct scene *s, uint16_t seq)
{
    rig_send_rtp(&s->publisher, &(struct rig_rtp){.ssrc = PUBLISHER,
                                                  .rtp_ts = seq * 3000u,
                                                  .seq = seq,
                                                  .pt = 96,
                                                  .payload_bytes = PAYLOAD});
}

static void say_bye(const struct scene *s, uint32_t ssrc)
{
    uint8_t data[64];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    ck_assert(rtcp_write_rr(&writer, ssrc, NULL, 0));
    ck_assert(rtcp_write_sdes_cname(&writer, ssrc, "camera"));
    ck_assert(rtcp_write_bye(&writer, &ssrc, 1));
    uint64_t before = worker_counters(s->rig.worker)->rtcp_in;
    rig_send(&s->publisher, data, writer.at);
    rig_wait(&worker_counters(s->rig.worker)->rtcp_in, before + 1);
}

/* The next compound with a BYE, held against RFC 3550 6.1. Returns its ssrcs, 0 after `wait_ms`. */
static size_t await_bye(const struct scene *s, int wait_ms, uint32_t ssrcs[RTCP_BLOCKS_MAX])
{
    _Alignas(4) uint8_t data[RIG_PACKET];
    int64_t until_us = clock_now_us() + wait_ms * INT64_C(1000);
    while (clock_now_us() < until_us) {
        struct rtcp_reader reader;
        struct rtcp_packet packet = {0};
        const uint8_t *cname = NULL;
        size_t cname_bytes, bytes = rig_receive_rtcp(&s->subscriber, data, wait_ms);
        uint32_t ssrc;
        unsigned n = 0, at = 0, cnames_n = 0;
        if (bytes > 0 && s->seal != NULL)
            ck_assert_int_eq(seal_unprotect_rtcp(s->seal, data, &bytes), DROP_NONE);
        if (bytes == 0 || rtcp_reader_init(&reader, data, bytes) != DROP_NONE)
            continue;
        for (; rtcp_reader_next(&reader, &packet); at++) {
            ck_assert_uint_eq(n, 0); /* nothing comes behind it */
            if (at == 0)
                ck_assert(packet.type == RTCP_SR || packet.type == RTCP_RR);
            cnames_n += rtcp_read_cname(data, &packet, 0, &ssrc, &cname, &cname_bytes);
            while (rtcp_read_bye_ssrc(data, &packet, n, &ssrc))
                ssrcs[n++] = ssrc;
        }
        if (n > 0) {
            ck_assert_uint_ge(cnames_n, 1);
            return n;
        }
    }
    return 0;
}

static void expect_rtp(const struct scene *s, size_t bytes)
{
    uint8_t data[RIG_PACKET];
    if (s->seal != NULL)
        bytes += 16; /* GCM's tag */
    ck_assert_uint_eq(rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS), bytes);
}

/* 0, 1: plain; 2, 3: SRTP. */
START_TEST(a_closed_consumer_says_bye)
{
    struct scene s;
    uint32_t ssrcs[RTCP_BLOCKS_MAX];
    scene_open(&s, _i & 1, _i >= 2);
    uint32_t consumer = consume(&s, CONSUMER);
    publish(&s, 10);
    expect_rtp(&s, 12 + PAYLOAD);
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, consumer);
    ck_assert_uint_eq(await_bye(&s, RIG_WAIT_MS, ssrcs), 1); /* under RTX it has not sent */
    ck_assert_uint_eq(ssrcs[0], CONSUMER);
    scene_close(&s);
}

END_TEST

START_TEST(an_rtx_ssrc_that_was_used_goes_with_it)
{
    struct scene s;
    uint8_t data[64];
    uint32_t ssrcs[RTCP_BLOCKS_MAX];
    uint16_t seq = 1000;
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    scene_open(&s, _i, false);
    uint32_t consumer = consume(&s, CONSUMER);
    publish(&s, 10);
    expect_rtp(&s, 12 + PAYLOAD);
    ck_assert_uint_eq(rtcp_write_nack(&writer, PEER, CONSUMER, &seq, 1), 1);
    rig_send(&s.subscriber, data, writer.at);
    expect_rtp(&s, 14 + PAYLOAD);
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, consumer);
    ck_assert_uint_eq(await_bye(&s, RIG_WAIT_MS, ssrcs), 2);
    ck_assert_uint_eq(ssrcs[0], CONSUMER);
    ck_assert_uint_eq(ssrcs[1], CONSUMER + 1);
    scene_close(&s);
}

END_TEST

/* Its transport closes behind it: not with the next report, which will never come. */
START_TEST(a_closing_transport_says_bye_first)
{
    struct scene s;
    uint32_t ssrcs[RTCP_BLOCKS_MAX];
    scene_open(&s, _i & 1, _i >= 2);
    uint32_t consumer = consume(&s, CONSUMER);
    publish(&s, 10);
    expect_rtp(&s, 12 + PAYLOAD);
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&s.rig, COMMAND_TRANSPORT_CLOSE, s.subscriber.transport);
    ck_assert_uint_eq(await_bye(&s, RIG_WAIT_MS, ssrcs), 1);
    ck_assert_uint_eq(ssrcs[0], CONSUMER);
    scene_close(&s);
}

END_TEST

START_TEST(many_say_it_together_and_each_once)
{
    struct scene s;
    uint32_t consumers[MANY], ssrcs[RTCP_BLOCKS_MAX], compounds_n = 0;
    unsigned said[MANY] = {0};
    scene_open(&s, _i, false);
    for (uint32_t i = 0; i < MANY; i++)
        consumers[i] = consume(&s, CONSUMER + 2 * i);
    publish(&s, 10);
    for (uint32_t i = 0; i < MANY; i++)
        expect_rtp(&s, 12 + PAYLOAD);
    for (uint32_t i = 0; i < MANY; i++)
        rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, consumers[i]);
    rig_close(&s.rig, COMMAND_TRANSPORT_CLOSE, s.subscriber.transport);
    for (size_t n; (n = await_bye(&s, RIG_QUIET_MS, ssrcs)) > 0; compounds_n++)
        for (size_t i = 0; i < n; i++)
            said[(ssrcs[i] - CONSUMER) / 2]++;
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_uint_eq(said[i], 1);
    ck_assert_uint_le(compounds_n, 4); /* three, and one more when a report came between */
    scene_close(&s);
}

END_TEST

START_TEST(who_has_not_sent_says_nothing)
{
    struct scene s;
    uint32_t ssrcs[RTCP_BLOCKS_MAX];
    scene_open(&s, _i, false);
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, consume(&s, CONSUMER));
    rig_close(&s.rig, COMMAND_TRANSPORT_CLOSE, s.subscriber.transport);
    ck_assert_uint_eq(await_bye(&s, 2 * RIG_QUIET_MS, ssrcs), 0);
    scene_close(&s);
}

END_TEST

START_TEST(an_ssrc_that_is_used_again_has_not_left)
{
    struct scene s;
    uint32_t ssrcs[RTCP_BLOCKS_MAX];
    scene_open(&s, _i, false);
    uint32_t other = consume(&s, CONSUMER + 2), consumer = consume(&s, CONSUMER);
    publish(&s, 10);
    expect_rtp(&s, 12 + PAYLOAD);
    expect_rtp(&s, 12 + PAYLOAD);
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, other);
    consume(&s, CONSUMER);
    ck_assert_uint_eq(await_bye(&s, RIG_WAIT_MS, ssrcs), 1);
    ck_assert_uint_eq(ssrcs[0], CONSUMER + 2);
    scene_close(&s);
}

END_TEST

START_TEST(a_publisher_that_said_bye_begins_anew)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct outcome outcome;
    scene_open(&s, _i, false);
    consume(&s, CONSUMER);
    for (uint16_t seq = 10; seq < 13; seq++)
        publish(&s, seq);
    for (int i = 0; i < 3; i++)
        expect_rtp(&s, 12 + PAYLOAD);
    say_bye(&s, PUBLISHER + 1); /* RTX alone is nothing */
    say_bye(&s, PEER);          /* nor is a stranger */
    publish(&s, 13);
    expect_rtp(&s, 12 + PAYLOAD);
    rig_stats(&s.rig, OBJECT_PRODUCER, s.producer, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[0].restarts, 0);

    say_bye(&s, PUBLISHER);
    say_bye(&s, PUBLISHER); /* twice is once */
    publish(&s, 12);        /* its number was there before: now it is another packet's */
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 12 + PAYLOAD);
    ck_assert_uint_eq(be16(data + 2), 1004); /* behind all that was sent */
    rig_stats(&s.rig, OBJECT_PRODUCER, s.producer, &outcome);
    ck_assert_uint_eq(outcome.producer.encodings[0].restarts, 1);
    ck_assert_uint_eq(outcome.producer.encodings[0].packets, 5); /* figures go on */
    ck_assert_uint_eq(outcome.producer.encodings[0].duplicates, 0);
    scene_close(&s);
}

END_TEST

START_TEST(nothing_is_asked_of_who_said_bye)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    scene_open(&s, _i, false);
    publish(&s, 10);
    publish(&s, 13);
    ck_assert(rig_await_rtcp(&s.publisher, RTCP_RTPFB, RTCP_FB_NACK, data, &packet));
    say_bye(&s, PUBLISHER);
    while (rig_receive_rtcp(&s.publisher, data, 0) > 0)
        ;                                        /* what was on its way */
    int64_t until_us = clock_now_us() + 1700000; /* NACKs would repeat, a report is due */
    while (clock_now_us() < until_us) {
        struct rtcp_reader reader;
        struct rtcp_report_block block;
        size_t bytes = rig_receive_rtcp(&s.publisher, data, 100);
        if (bytes == 0)
            continue;
        ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
        while (rtcp_reader_next(&reader, &packet)) {
            ck_assert_int_ne(packet.type, RTCP_RTPFB);
            ck_assert(!rtcp_read_report_block(data, &packet, 0, &block));
        }
    }
    scene_close(&s);
}

END_TEST

Suite *net_bye_suite(void)
{
    Suite *suite = suite_create("net_bye");
    TCase *out = tcase_create("to receivers");
    tcase_set_timeout(out, 60);
    tcase_add_loop_test(out, a_closed_consumer_says_bye, 0, 4);
    tcase_add_loop_test(out, an_rtx_ssrc_that_was_used_goes_with_it, 0, 2);
    tcase_add_loop_test(out, a_closing_transport_says_bye_first, 0, 4);
    tcase_add_loop_test(out, many_say_it_together_and_each_once, 0, 2);
    tcase_add_loop_test(out, who_has_not_sent_says_nothing, 0, 2);
    tcase_add_loop_test(out, an_ssrc_that_is_used_again_has_not_left, 0, 2);
    suite_add_tcase(suite, out);
    TCase *in = tcase_create("of publishers");
    tcase_set_timeout(in, 60);
    tcase_add_loop_test(in, a_publisher_that_said_bye_begins_anew, 0, 2);
    tcase_add_loop_test(in, nothing_is_asked_of_who_said_bye, 0, 2);
    suite_add_tcase(suite, in);
    return suite;
}
