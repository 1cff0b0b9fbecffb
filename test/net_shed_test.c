/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_shed_test.c - a worker that sheds consumers and brings them back: who, in which order,
 * and what media is then. The rule's thresholds force it: 0 is always reached, 2000 never. */
#include "core/clock.h"
#include "test/net_rig.h"

#include <unistd.h>

enum { PUBLISHER = 0x1111, CONSUMERS = 6, PAYLOAD = 100 };

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
    uint32_t producer, consumers[CONSUMERS];
};

static const struct shed_rule all_go = {.enabled = true}, /* one at a time, few as they are */
    stay = {.enabled = true, .at = 2000}, off = {.at = 2000, .until = 2000};

static void set_rule(struct scene *s, const struct shed_rule *rule)
{
    struct command command = {.kind = COMMAND_SHED_RULE, .shed_rule = *rule};
    ck_assert_int_eq(rig_command(&s->rig, &command, NULL), 0);
}

static void set_priority(struct scene *s, uint32_t consumer, uint8_t priority)
{
    struct command command = {
        .kind = COMMAND_CONSUMER_PRIORITY, .index = s->consumers[consumer], .priority = priority};
    ck_assert_int_eq(rig_command(&s->rig, &command, NULL), 0);
}

/* One subscriber with consumers of these priorities; odd ones are audio where `audio`. */
static void scene_open(struct scene *s, const uint8_t priorities[CONSUMERS], bool audio)
{
    struct worker_config config;
    struct command_producer_open produce;
    rig_config(&config, IO_ENGINE_AUTO, 0, 0);
    config.shed_rule = off;
    rig_start_with(&s->rig, &config);
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_peer(&s->rig, &s->subscriber, false, NULL);
    rig_producer_defaults(&produce, s->publisher.transport, PUBLISHER);
    s->producer = rig_producer(&s->rig, &produce);
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        struct command_consumer_open consume;
        rig_consumer_defaults(&consume, s->subscriber.transport, s->producer, 0x2000 + 2 * i, true);
        consume.priority = priorities[i];
        consume.kind = audio && i % 2 == 1 ? MEDIA_AUDIO : MEDIA_VIDEO;
        s->consumers[i] = rig_consumer(&s->rig, &consume);
    }
}

static void scene_close(struct scene *s)
{
    for (uint32_t i = 0; i < CONSUMERS; i++)
        rig_close(&s->rig, COMMAND_CONSUMER_CLOSE, s->consumers[i]);
    rig_close(&s->rig, COMMAND_PRODUCER_CLOSE, s->producer);
    rig_peer_close(&s->rig, &s->subscriber, true);
    rig_peer_close(&s->rig, &s->publisher, true);
    const struct worker_counters *c = worker_counters(s->rig.worker);
    rig_settle(&s->rig);
    ck_assert_uint_eq(c->consumers_shed, 0);
    rig_stop(&s->rig);
}

/* The worker's windows end with its turns: commands keep it from sleeping a second. */
static struct outcome *await_event(struct scene *s, enum event_kind kind)
{
    int64_t until_us = clock_now_us() + 2 * RIG_WAIT_MS * INT64_C(1000);
    while (clock_now_us() < until_us) {
        for (uint32_t i = 0; i < s->rig.events_n; i++)
            if (s->rig.events[i].event == kind)
                return &s->rig.events[i];
        rig_settle(&s->rig);
        usleep(20000);
    }
    ck_abort_msg("no event of kind %d", kind);
    return NULL;
}

/* The next shed event, taken out: the consumer's number in the scene. */
static uint32_t next_event(struct scene *s, bool shed)
{
    struct outcome *event = await_event(s, EVENT_SHED);
    ck_assert_int_eq(event->object, OBJECT_CONSUMER);
    ck_assert_int_eq(event->shed, shed);
    uint32_t index = event->index, number = CONSUMERS;
    for (uint32_t i = 0; i < CONSUMERS; i++)
        if (s->consumers[i] == index)
            number = i;
    event->event = EVENT_NONE;
    return number;
}

static bool is_shed(struct scene *s, uint32_t consumer)
{
    struct outcome outcome;
    rig_stats(&s->rig, OBJECT_CONSUMER, s->consumers[consumer], &outcome);
    return outcome.consumer.shed;
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

/* A bit for each consumer whose packet comes; all have the sequence number `seq`. */
static uint32_t receive_set(const struct scene *s, uint32_t n, uint16_t seq)
{
    uint8_t data[RIG_PACKET];
    uint32_t set = 0;
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_uint_ne(rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS), 0);
        ck_assert_uint_eq(be16(data + 2), seq);
        set |= 1u << (be32(data + 8) - 0x2000) / 2;
    }
    ck_assert_uint_eq(rig_receive_rtp(&s->subscriber, data, RIG_QUIET_MS), 0);
    return set;
}

/* Lowest priority first, video before audio, the latest first; back in the reverse order. */
START_TEST(order)
{
    static const uint8_t priorities[CONSUMERS] = {7, 7, 1, 1, 255, 7};
    static const uint32_t expected[CONSUMERS] = {2, 3, 0, 5, 1, 4}; /* 5: audio as 1 and 3 */
    struct scene s;
    scene_open(&s, priorities, true);
    set_rule(&s, &all_go);
    uint32_t gone[CONSUMERS];
    for (uint32_t i = 0; i < CONSUMERS; i++)
        gone[i] = next_event(&s, true);
    for (uint32_t i = 0; i < CONSUMERS; i++)
        ck_assert_uint_eq(gone[i], expected[i]);
    rig_settle(&s.rig);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    ck_assert_uint_eq(c->shed, CONSUMERS);
    ck_assert_uint_eq(c->consumers_shed, CONSUMERS);
    set_rule(&s, &off);
    for (uint32_t i = CONSUMERS; i > 0; i--)
        ck_assert_uint_eq(next_event(&s, false), gone[i - 1]);
    rig_settle(&s.rig);
    ck_assert_uint_eq(c->unshed, CONSUMERS);
    ck_assert_uint_eq(c->consumers_shed, 0);
    scene_close(&s);
}

END_TEST

/* To media it is paused: nothing comes, numbers stand still, it goes on with a key frame, which the
 * relay asks for. */
START_TEST(media)
{
    static const uint8_t priorities[CONSUMERS] = {9, 9, 9, 9, 9, 1};
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    scene_open(&s, priorities, false);
    publish(&s, 10, true);
    ck_assert_uint_eq(receive_set(&s, 6, 1000), 0x3f);
    set_rule(&s, &all_go);
    ck_assert_uint_eq(next_event(&s, true), 5);
    set_rule(&s, &stay);
    uint32_t here = 0, here_n = 0; /* on a slow machine more than one has gone by now */
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        here |= (uint32_t)!is_shed(&s, i) << i;
        here_n += !is_shed(&s, i);
    }
    ck_assert_uint_eq(here >> 5, 0);
    publish(&s, 11, false);
    ck_assert_uint_eq(receive_set(&s, here_n, 1001), here);

    while (rig_receive_rtcp(&s.publisher, data, 0) > 0)
        ; /* what was asked for before */
    set_rule(&s, &off);
    while (next_event(&s, false) != 5)
        ; /* the last to come back */
    ck_assert(rig_await_rtcp(&s.publisher, RTCP_PSFB, RTCP_FB_PLI, data, &packet));
    publish(&s, 12, false);
    ck_assert_uint_eq(receive_set(&s, here_n, 1002), here); /* no key frame for the rest */
    publish(&s, 13, true);
    uint32_t set = 0;
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_ne(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 0);
        uint32_t consumer = (be32(data + 8) - 0x2000) / 2;
        ck_assert_uint_eq(be16(data + 2), here >> consumer & 1 ? 1003 : 1001);
        set |= 1u << consumer;
    }
    ck_assert_uint_eq(set, 0x3f);
    scene_close(&s);
}

END_TEST

/* What its controller pauses meanwhile stays paused when it is brought back, and the reverse. */
START_TEST(paused_as_well)
{
    static const uint8_t priorities[CONSUMERS] = {1, 2, 3, 4, 5, 6};
    struct scene s;
    scene_open(&s, priorities, false);
    rig_close(&s.rig, COMMAND_CONSUMER_PAUSE, s.consumers[0]); /* nothing to be gained by it */
    set_rule(&s, &all_go);
    for (uint32_t i = 1; i < CONSUMERS; i++)
        ck_assert_uint_eq(next_event(&s, true), i);
    rig_close(&s.rig, COMMAND_CONSUMER_PAUSE, s.consumers[2]);
    rig_close(&s.rig, COMMAND_CONSUMER_PAUSE, s.consumers[3]);
    rig_close(&s.rig, COMMAND_CONSUMER_RESUME, s.consumers[3]);
    ck_assert(is_shed(&s, 2) && is_shed(&s, 3) && !is_shed(&s, 0));
    set_rule(&s, &off);
    for (uint32_t i = CONSUMERS; i > 1; i--)
        ck_assert_uint_eq(next_event(&s, false), i - 1);
    rig_settle(&s.rig);
    publish(&s, 10, true);
    ck_assert_uint_eq(receive_set(&s, 4, 1000), 0x3a); /* without 0 and 2 */
    rig_close(&s.rig, COMMAND_CONSUMER_RESUME, s.consumers[0]);
    rig_close(&s.rig, COMMAND_CONSUMER_RESUME, s.consumers[2]);
    scene_close(&s);
}

END_TEST

/* Worth more than what still goes on: back at once. Worth less: it is the first to go. */
START_TEST(priority_changes)
{
    static const uint8_t priorities[CONSUMERS] = {5, 5, 5, 5, 5, 1};
    struct scene s;
    scene_open(&s, priorities, false);
    set_priority(&s, 0, 2);
    set_rule(&s, &all_go);
    ck_assert_uint_eq(next_event(&s, true), 5);
    ck_assert_uint_eq(next_event(&s, true), 0);
    set_rule(&s, &stay);
    set_priority(&s, 5, 2);
    ck_assert(is_shed(&s, 5));
    set_priority(&s, 5, 200);
    ck_assert_uint_eq(next_event(&s, false), 5);
    ck_assert(!is_shed(&s, 5));
    ck_assert(is_shed(&s, 0));
    scene_close(&s); /* also closes one that is shed */
}

END_TEST

/* The figure is told when it crosses the thresholds, not in between; the lower one takes it back.
 */
START_TEST(stress_is_told)
{
    static const uint8_t priorities[CONSUMERS] = {1, 1, 1, 1, 1, 1};
    struct scene s;
    scene_open(&s, priorities, false);
    set_rule(&s, &(struct shed_rule){.at = 0, .until = 0}); /* told, though nothing is shed */
    const struct outcome *event = await_event(&s, EVENT_STRESS);
    ck_assert(event->stress.high);
    rig_forget_events(&s.rig);
    set_rule(&s, &(struct shed_rule){.at = 2000, .until = 1999});
    event = await_event(&s, EVENT_STRESS);
    ck_assert(!event->stress.high);
    rig_settle(&s.rig);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    ck_assert_uint_eq(c->stressed, 1);
    ck_assert_uint_eq(c->shed, 0);
    scene_close(&s);
}

END_TEST

Suite *net_shed_suite(void)
{
    Suite *suite = suite_create("net/shed");
    TCase *tc = tcase_create("shed");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, order);
    tcase_add_test(tc, media);
    tcase_add_test(tc, paused_as_well);
    tcase_add_test(tc, priority_changes);
    tcase_add_test(tc, stress_is_told);
    suite_add_tcase(suite, tc);
    return suite;
}
