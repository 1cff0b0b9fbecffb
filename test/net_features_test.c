/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_features_test.c - a worker without each kernel feature: it starts, says so, relays. */
#include "test/net_rig.h"

#include <errno.h>

enum { FRAMES = 6, FRAME = 7, RUNS = 2 * (IO_FEATURES_N + 2) };

/* What io_uring cannot do without, and what sockets have whatever the engine. */
enum {
    NEEDED = IO_FEATURE_URING | IO_FEATURE_MULTISHOT | IO_FEATURE_BUFFER_RING,
    OF_SOCKETS = IO_FEATURE_UDP_SEGMENT | IO_FEATURE_TIMESTAMP | IO_FEATURE_RXQ_OVFL |
                 IO_FEATURE_RCVBUF_FORCE,
};

/* Index of a loop test: each feature, none, all of them; for `auto`, then for `mmsg`. */
static uint32_t without_of(int index)
{
    int at = index % (IO_FEATURES_N + 2);
    return at < IO_FEATURES_N ? 1u << at : at == IO_FEATURES_N ? 0 : (1u << IO_FEATURES_N) - 1;
}

static void send_frames(const struct rig_peer *publisher)
{
    for (uint16_t i = 0; i < FRAMES * FRAME; i++)
        rig_send_rtp(publisher, &(struct rig_rtp){.ssrc = 0x1111,
                                                  .seq = i,
                                                  .rtp_ts = i / FRAME * 3000u,
                                                  .pt = 96,
                                                  .marker = i % FRAME == FRAME - 1,
                                                  .payload_bytes = 900});
}

START_TEST(starts_and_forwards_without)
{
    struct rig rig;
    struct rig_peer publisher, subscribers[2];
    struct command_producer_open produce;
    struct command_consumer_open consume;
    struct srtp_keys keys;
    uint8_t data[RIG_PACKET];
    uint32_t without = without_of(_i), consumers[2];
    bool asked_mmsg = _i >= RUNS / 2;

    rig_start(&rig, asked_mmsg ? IO_ENGINE_MMSG : IO_ENGINE_AUTO, 0, without);
    uint32_t missing = worker_missing(rig.worker);
    ck_assert_uint_eq(missing & without & OF_SOCKETS, without & OF_SOCKETS);
    if (asked_mmsg) {
        ck_assert_int_eq(worker_engine(rig.worker), IO_ENGINE_MMSG);
    } else if (without & NEEDED) {
        ck_assert_int_eq(worker_engine(rig.worker), IO_ENGINE_MMSG);
        ck_assert_uint_ne(missing & without & NEEDED, 0); /* the reason of the fall-back */
    } else {
        ck_assert_uint_eq(missing & without, without);
    }

    rig_keys(&keys, SEAL_AEAD_AES_128_GCM, 9);
    rig_peer(&rig, &publisher, false, NULL);
    rig_producer_defaults(&produce, publisher.transport, 0x1111);
    uint32_t producer = rig_producer(&rig, &produce);
    for (uint32_t i = 0; i < 2; i++) { /* the second sealed */
        rig_peer(&rig, &subscribers[i], false, i == 0 ? NULL : &keys);
        rig_consumer_defaults(&consume, subscribers[i].transport, producer, 0x2000 + 16 * i, true);
        consumers[i] = rig_consumer(&rig, &consume);
    }
    send_frames(&publisher);
    for (uint32_t c = 0; c < 2; c++)
        for (uint16_t i = 0; i < FRAMES * FRAME; i++) {
            ck_assert_uint_eq(rig_receive_rtp(&subscribers[c], data, RIG_WAIT_MS),
                              c == 0 ? 912u : 928u);
            ck_assert_uint_eq(be16(data + 2), 1000 + i);
        }
    const struct worker_counters *counters = worker_counters(rig.worker);
    rig_settle(&rig);
    ck_assert_uint_ge(counters->packets_out, 2 * FRAMES * FRAME);
    ck_assert_uint_eq(rig_drops(&rig, DROP_SEND_ERROR), 0);
    if (without & IO_FEATURE_UDP_SEGMENT)
        ck_assert_uint_ge(counters->sends, 2 * FRAMES * FRAME); /* singles */

    for (uint32_t i = 0; i < 2; i++)
        rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumers[i]);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &publisher, true);
    rig_peer_close(&rig, &subscribers[0], true);
    rig_peer_close(&rig, &subscribers[1], true);
    rig_stop(&rig);
}

END_TEST

/* Asked for by name, the ring does not fall back: starting fails, and leaves nothing. */
START_TEST(the_ring_by_name_does_not_fall_back)
{
    struct worker_config config;
    struct worker *worker;
    rig_config(&config, IO_ENGINE_URING, 256, 1u << _i);
    ck_assert_int_eq(worker_init(&worker, &config), 0);
    int result = worker_start(worker);
    if (1u << _i & NEEDED) {
        ck_assert_int_lt(result, 0);
    } else {
        ck_assert_int_eq(result, 0);
        ck_assert_int_eq(worker_engine(worker), IO_ENGINE_URING);
    }
    worker_stop(worker);
    worker_exit(worker);
}

END_TEST

START_TEST(limits_of_nothing_are_refused)
{
    struct worker_config good, bad;
    struct worker *worker = NULL;
    rig_config(&good, rig_engines[_i], 256, 0);
    bad = good;
    bad.sockets_max = 0;
    ck_assert_int_eq(worker_init(&worker, &bad), -EINVAL);
    bad.sockets_max = IO_SOCKETS_MAX + 1;
    ck_assert_int_eq(worker_init(&worker, &bad), -EINVAL);
    bad = good;
    bad.retain_slots_n = bad.slots_n + 1;
    ck_assert_int_eq(worker_init(&worker, &bad), -EINVAL);
    bad = good;
    bad.slots_n = SLAB_SLOTS_MAX + 1;
    ck_assert_int_eq(worker_init(&worker, &bad), -EINVAL);
    bad = good;
    bad.slots_n = bad.retain_slots_n = 2; /* as few as there can be */
    struct rig rig;
    rig_start_with(&rig, &bad);
    rig_stop(&rig);
}

END_TEST

Suite *net_features_suite(void)
{
    Suite *suite = suite_create("net_features");
    TCase *missing = tcase_create("missing");
    tcase_set_timeout(missing, 60);
    tcase_add_loop_test(missing, starts_and_forwards_without, 0, RUNS);
    tcase_add_loop_test(missing, the_ring_by_name_does_not_fall_back, 0, IO_FEATURES_N);
    tcase_add_loop_test(missing, limits_of_nothing_are_refused, 0, 2);
    suite_add_tcase(suite, missing);
    return suite;
}
