/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_memory_test.c - net/memory on a real worker: what objects and retained packets take is
 * seen where it is, and is gone with them. */
#include "core/arena.h"
#include "net/memory.h"
#include "test/net_rig.h"

#include <unistd.h>

enum { PUBLISHER = 0x1111, CONSUMERS = 300, PACKETS = 400, PAGE = 4096 };

static size_t resident(const struct rig *rig, enum memory_part part)
{
    struct worker_memory memory;
    worker_memory(rig->worker, &memory);
    for (int i = 0; i < MEMORY_PART_N; i++)
        ck_assert_uint_le(memory.parts[i].resident, memory.parts[i].mapped);
    return memory.parts[part].resident;
}

/* To the byte, wherever it begins and ends. */
START_TEST(resident_bytes)
{
    enum { PAGES = 10000 }; /* more than one question to the kernel */

    size_t page = base_page_bytes();
    uint8_t *map = base_map(PAGES * page);
    ck_assert_uint_eq(base_resident_bytes(map, PAGES * page), 0);
    map[0] = map[5000 * page] = map[9999 * page + 7] = 1;
    ck_assert_uint_eq(base_resident_bytes(map, PAGES * page), 3 * page);
    ck_assert_uint_eq(base_resident_bytes(map + 100, 50), 50);
    ck_assert_uint_eq(base_resident_bytes(map + page - 8, 16), 8);
    ck_assert_uint_eq(base_resident_bytes(map + page, 4999 * page), 0);
    ck_assert_uint_eq(base_resident_bytes(map + 5000 * page + 1, page), page - 1);
    base_give_back(map + 5000 * page, page);
    ck_assert_uint_eq(base_resident_bytes(map, PAGES * page), 2 * page);
    base_unmap(map, PAGES * page);
}

END_TEST

START_TEST(objects)
{
    struct rig rig;
    struct rig_peer publisher, subscriber;
    struct command_producer_open produce;
    rig_start(&rig, rig_engines[_i], 0, 0);
    ck_assert_uint_eq(resident(&rig, MEMORY_CONSUMERS), 0);
    ck_assert_uint_eq(resident(&rig, MEMORY_TRANSPORTS), 0);
    rig_peer(&rig, &publisher, false, NULL);
    rig_peer(&rig, &subscriber, false, NULL);
    rig_producer_defaults(&produce, publisher.transport, PUBLISHER);
    uint32_t producer = rig_producer(&rig, &produce);
    ck_assert_uint_gt(resident(&rig, MEMORY_TRANSPORTS), 0);
    ck_assert_uint_gt(resident(&rig, MEMORY_PRODUCERS), 0);
    ck_assert_uint_gt(resident(&rig, MEMORY_STREAMS), 0);
    ck_assert_uint_eq(resident(&rig, MEMORY_PEERS), 0); /* plain ones */
    for (uint32_t i = 0; i < CONSUMERS; i++) {
        struct command_consumer_open consume;
        rig_consumer_defaults(&consume, subscriber.transport, producer, 0x2000 + 2 * i, true);
        rig_consumer(&rig, &consume);
    }
    size_t bytes = resident(&rig, MEMORY_CONSUMERS);
    ck_assert_uint_ge(bytes, CONSUMERS * 512);
    ck_assert_uint_le(bytes, CONSUMERS * 2048 + 2 * PAGE); /* DESIGN's limit for one */
    for (uint32_t i = 0; i < CONSUMERS; i++)
        rig_close(&rig, COMMAND_CONSUMER_CLOSE, i);
    ck_assert_uint_le(resident(&rig, MEMORY_CONSUMERS), 2 * PAGE); /* its ends */
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &subscriber, true);
    rig_peer_close(&rig, &publisher, true);
    rig_stop(&rig);
}

END_TEST

/* Retained packets take their slots, and are counted as they are kept. */
START_TEST(retention)
{
    struct rig rig;
    struct rig_peer publisher, subscriber;
    struct command_producer_open produce;
    struct command_consumer_open consume;
    struct worker_config config;
    rig_config(&config, rig_engines[_i], 0, 0);
    config.retain_rule.floor_us = config.retain_rule.ceiling_us = 60000000; /* all of them */
    rig_start_with(&rig, &config);
    rig_peer(&rig, &publisher, false, NULL);
    rig_peer(&rig, &subscriber, false, NULL);
    rig_producer_defaults(&produce, publisher.transport, PUBLISHER);
    uint32_t producer = rig_producer(&rig, &produce);
    rig_consumer_defaults(&consume, subscriber.transport, producer, 0x2000, true);
    uint32_t consumer = rig_consumer(&rig, &consume);
    const struct worker_counters *c = worker_counters(rig.worker);
    size_t before = resident(&rig, MEMORY_SLOTS);
    for (uint16_t i = 0; i < PACKETS; i++) {
        rig_send_rtp(&publisher, &(struct rig_rtp){.ssrc = PUBLISHER,
                                                   .rtp_ts = i * 3000u,
                                                   .seq = (uint16_t)(100 + i),
                                                   .pt = 96,
                                                   .payload_bytes = 500});
        if (i % 20 == 19) /* not faster than they are taken */
            rig_wait(&c->retained, i + 1u);
    }
    rig_settle(&rig);
    ck_assert_uint_eq(c->retained, PACKETS);
    ck_assert_uint_eq(c->slots_retained, PACKETS);
    ck_assert_uint_ge(resident(&rig, MEMORY_SLOTS), before + PACKETS * 2048 * 3 / 4);
    rig_wait(&c->retained_pps, 1); /* the tick after */
    rig_close(&rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_close(&rig, COMMAND_PRODUCER_CLOSE, producer);
    rig_peer_close(&rig, &subscriber, true);
    rig_peer_close(&rig, &publisher, true);
    rig_stop(&rig);
}

END_TEST

Suite *net_memory_suite(void)
{
    Suite *suite = suite_create("net/memory");
    TCase *tc = tcase_create("memory");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, resident_bytes);
    tcase_add_loop_test(tc, objects, 0, 2);
    tcase_add_loop_test(tc, retention, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}
