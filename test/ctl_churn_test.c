/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_churn_test.c - rooms over several workers, with requests in any order, workers that are
 * slow, refuse or die: every request is answered and nothing is left. */
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <errno.h>
#include <stdlib.h>

enum { WORKERS = 3, STEPS = 400, SEEDS = 12, DEADLY_SEED = 4 }; /* every 4th: a worker dies */

static struct rig rig;
static uint64_t state;
static uint32_t asked_n;

/* SplitMix64: the same steps for the same seed. */
static uint32_t pick(uint32_t n)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % n);
}

static void setup(void)
{
    struct config config;
    rig_config(&config, WORKERS);
    config.producers_max = 5; /* mirrors included: some will find no place */
    config.placement = PLACEMENT_SPREAD;
    rig_start_with(&rig, &config);
    asked_n = 0;
}

static void teardown(void)
{
    rig_stop(&rig);
}

#define ask(method, ...)                                                                           \
    do {                                                                                           \
        rig_request(&rig, &rig.client, method, __VA_ARGS__);                                       \
        asked_n++;                                                                                 \
    } while (0)

static void ask_produce(uint32_t id, uint32_t transport)
{
    ask("transport.produce",
        "{'transportId':'t%u','id':'p%u','kind':'audio','rtpParameters':{'codecs':[{'mimeType':"
        "'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':%u}]"
        "}}",
        transport, id, 100 + id);
}

static void ask_consume(uint32_t id, uint32_t transport, uint32_t producer)
{
    ask("transport.consume",
        "{'transportId':'t%u','id':'c%u','producerId':'p%u','rtpCapabilities':%s}", transport, id,
        producer, rig_capabilities);
}

static void ask_transport(uint32_t id)
{
    if (pick(2))
        ask("transport.createPlain",
            "{'routerId':'r%u','id':'t%u','listenInfo':{'ip':'127.0.0.1'}}", pick(2), id);
    else
        ask("transport.createWebRtc", "{'routerId':'r%u','id':'t%u','webRtcServerId':'s'}", pick(2),
            id);
}

static void ask_router(uint32_t id)
{
    ask("router.create",
        "{'id':'r%u','mediaCodecs':[{'kind':'audio','mimeType':'audio/opus','clockRate':48000,"
        "'channels':2}]}",
        id);
}

static void ask_server(void)
{
    ask("webRtcServer.create", "{'id':'s','listenInfos':[{'ip':'127.0.0.1'}]}");
}

/* What is rare ends much. */
static void step_rare(void)
{
    switch (pick(5)) {
    case 0:
        ask("router.close", "{'routerId':'r%u'}", pick(2));
        break;
    case 1:
        ask("webRtcServer.close", "{'webRtcServerId':'s'}");
        break;
    case 2:
        ask("producer.close", "{'producerId':'p%u'}", pick(6));
        break;
    default:
        ask("transport.close", "{'transportId':'t%u'}", pick(8));
        break;
    }
}

static void step_worker(void)
{
    static const enum command_kind kinds[] = {COMMAND_PRODUCER_OPEN,  COMMAND_READER_ADD,
                                              COMMAND_CONSUMER_OPEN,  COMMAND_PRODUCER_PAUSE,
                                              COMMAND_TRANSPORT_OPEN, COMMAND_SOCKET_OPEN};
    struct worker *worker = fake_worker(pick(WORKERS));
    if (pick(3))
        fake_hold(worker, pick(2));
    else
        fake_fail_next(worker, kinds[pick(ARRAY_N(kinds))], -ENOSPC);
}

static void step(void)
{
    switch (pick(12)) {
    case 0:
        ask_router(pick(2));
        break;
    case 1:
    case 2:
        ask_transport(pick(8));
        break;
    case 3:
        ask_produce(pick(6), pick(8));
        break;
    case 4:
    case 5:
    case 6:
        ask_consume(pick(16), pick(8), pick(6));
        break;
    case 7:
        ask("consumer.close", "{'consumerId':'c%u'}", pick(16));
        break;
    case 8:
        ask(pick(2) ? "producer.pause" : "producer.resume", "{'producerId':'p%u'}", pick(6));
        break;
    case 9:
        ask("consumer.getStats", "{'consumerId':'c%u'}", pick(16));
        break;
    case 10:
        if (pick(4) == 0)
            step_rare();
        else
            ask_server();
        break;
    default:
        step_worker();
        break;
    }
}

/* Each mirror is one that has consumers, and stands in a place that counts it. */
static void look(void)
{
    const struct model *model = &rig.control->model;
    uint32_t mirrors_n = 0;
    const struct router *router = NULL;
    const struct transport *transport = NULL;
    const struct producer *producer = NULL;
    const struct consumer *consumer = NULL;
    const struct mirror *mirror = NULL;
    LIST_EACH(router, &model->routers, struct router, link)
    {
        LIST_EACH(transport, &router->transports, struct transport, link)
        {
            LIST_EACH(producer, &transport->producers, struct producer, link)
            {
                uint32_t elsewhere = 0, joined = 0;
                LIST_EACH(consumer, &producer->consumers, struct consumer, producer_link)
                {
                    elsewhere += consumer->o.worker != producer->o.worker;
                    ck_assert(!consumer->mirror == (consumer->o.worker == producer->o.worker));
                }
                LIST_EACH(mirror, &producer->mirrors, struct mirror, link)
                {
                    ck_assert_uint_ne(mirror->reader.worker, producer->o.worker);
                    ck_assert_uint_gt(mirror->consumers_n, 0);
                    joined += mirror->consumers_n;
                    mirrors_n++;
                }
                ck_assert_uint_eq(elsewhere, joined);
            }
        }
    }
    ck_assert_uint_eq(model->mirrors_n, mirrors_n);
}

static void dies(uint32_t worker)
{
    struct outcome event = {.event = EVENT_ENGINE_DEAD};
    fake_event(fake_worker(worker), &event);
    rig_settle(&rig);
}

static void expect_empty(void)
{
    const struct model *model = &rig.control->model;
    ck_assert_uint_eq(rig.control->requests_n, 0);
    ck_assert_uint_eq(model->objects_n + model->sockets_n + model->mirrors_n + model->texts.n, 0);
    for (uint32_t w = 0; w < WORKERS; w++) {
        ck_assert_uint_eq(rig.control->desks[w].waiting_n + rig.control->desks[w].out_n, 0);
        for (size_t kind = OBJECT_SOCKET; kind < OBJECT_KIND_N && !model->places[w].dead; kind++) {
            ck_assert_uint_eq(fake_open_n(fake_worker(w), (enum object_kind)kind), 0);
            ck_assert_uint_eq(model->places[w].of[kind].used_n, 0);
        }
    }
}

START_TEST(test_churn)
{
    uint32_t mirrors_most = 0;
    state = (uint64_t)_i + 1; /* the seed */
    for (int i = 0; i < STEPS; i++) {
        step();
        if (pick(3) == 0)
            rig_settle(&rig);
        look();
        if (rig.control->model.mirrors_n > mirrors_most)
            mirrors_most = rig.control->model.mirrors_n;
        if (i == STEPS / 2 && _i % DEADLY_SEED == 0)
            dies(pick(WORKERS));
        if (i % 32 == 31) { /* the queue of requests is not what is tested here */
            for (uint32_t w = 0; w < WORKERS; w++)
                fake_hold(fake_worker(w), false);
            rig_settle(&rig);
        }
    }
    ck_assert_uint_gt(mirrors_most, 0);
    for (uint32_t w = 0; w < WORKERS; w++)
        fake_hold(fake_worker(w), false);
    ask("router.close", "{'routerId':'r0'}");
    ask("router.close", "{'routerId':'r1'}");
    ask("webRtcServer.close", "{'webRtcServerId':'s'}");
    rig_settle(&rig);
    rig_read(&rig, &rig.client);
    ck_assert_uint_eq(json_array_size(rig.client.answers), asked_n);
    expect_empty();
}

END_TEST

/* The relay ends in the middle of it: the sanitizers see what would be left. */
START_TEST(test_end)
{
    state = (uint64_t)_i + 1000; /* the seed */
    for (int i = 0; i < 60 + 10 * _i; i++) {
        step();
        rig_settle(&rig);
    }
}

END_TEST

Suite *ctl_churn_suite(void)
{
    Suite *suite = suite_create("ctl_churn");
    TCase *tc = tcase_create("churn");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_churn, 0, SEEDS);
    tcase_add_loop_test(tc, test_end, 0, 8);
    suite_add_tcase(suite, tc);
    return suite;
}
