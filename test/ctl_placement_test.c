/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_placement_test.c - on which worker rooms and transports are put. */
#include "ctl/placement.h"
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <errno.h>
#include <stdio.h>

enum { WORKERS = 3 };

static struct rig rig;

static void start(enum placement_policy policy)
{
    struct config config;
    rig_config(&config, WORKERS);
    config.placement = policy;
    rig_start_with(&rig, &config);
}

static void setup(void)
{
    start(PLACEMENT_HOME);
}

static void setup_spread(void)
{
    start(PLACEMENT_SPREAD);
}

static void teardown(void)
{
    rig_stop(&rig);
}

static const char room_params[] =
    "{'id':'%s'%s,'mediaCodecs':[{'kind':'audio','mimeType':'audio/opus','clockRate':48000,"
    "'channels':2}]}";

static int64_t room(const char *id, const char *more)
{
    json_t *result = rig_ok(&rig, "router.create", room_params, id, more);
    int64_t worker = rig_int(result, "workerIndex");
    json_decref(result);
    return worker;
}

/* Its worker, as the answer and the dump say. */
static int64_t plain(const char *router, const char *id, const char *listen, const char *more)
{
    json_t *result = rig_ok(&rig, "transport.createPlain",
                            "{'routerId':'%s','id':'%s'%s,'listenInfo':{'ip':'127.0.0.1'%s}}",
                            router, id, more, listen);
    json_t *dump = rig_ok(&rig, "transport.dump", "{'transportId':'%s'}", id);
    int64_t worker = rig_int(result, "workerIndex");
    ck_assert_int_eq(rig_int(dump, "workerIndex"), worker);
    json_decref(result);
    json_decref(dump);
    return worker;
}

static int64_t webrtc(const char *router, const char *id, const char *more)
{
    json_t *result =
        rig_ok(&rig, "transport.createWebRtc", "{'routerId':'%s','id':'%s',%s}", router, id, more);
    int64_t worker = rig_int(result, "workerIndex");
    json_decref(result);
    return worker;
}

/* Consumers of the transport, so that its worker has something to do. */
static void load(const char *transport, uint32_t n)
{
    rig_do(&rig, "transport.produce",
           "{'transportId':'%s','id':'p-%s','kind':'audio','rtpParameters':{'codecs':[{'mimeType':"
           "'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':"
           "2222}]}}",
           transport, transport);
    for (uint32_t i = 0; i < n; i++)
        rig_do(&rig, "transport.consume",
               "{'transportId':'%s','id':'%s-%u','producerId':'p-%s','rtpCapabilities':%s}",
               transport, transport, i, transport, rig_capabilities);
}

static uint64_t load_of(uint16_t worker)
{
    json_t *dump = rig_ok(&rig, "server.dump", "{}");
    char path[32];
    snprintf(path, sizeof(path), "workers.%u.load", worker);
    int64_t shown = rig_int(dump, path);
    json_decref(dump);
    ck_assert_int_eq(shown, (int64_t)model_load(&rig.control->model, worker));
    return (uint64_t)shown;
}

static void dies(uint32_t worker)
{
    struct outcome event = {.event = EVENT_ENGINE_DEAD};
    fake_event(fake_worker(worker), &event);
    rig_settle(&rig);
}

/* ---- homes ---- */

/* A router's home is where least is to be done; other routers there count, as they will have
 * transports. */
START_TEST(test_homes)
{
    ck_assert_int_eq(room("a", ""), 0);
    ck_assert_int_eq(room("b", ""), 1);
    ck_assert_int_eq(room("c", ""), 2);
    ck_assert_int_eq(room("d", ""), 0);
    plain("b", "t", "", "");
    load("t", 10);
    ck_assert_uint_eq(load_of(1), 10 + 2 + 1);
    ck_assert_int_eq(room("e", ""), 2);
    ck_assert_int_eq(room("f", ""), 0);
    ck_assert_int_eq(room("g", ""), 2);
    ck_assert_int_eq(room("h", ""), 0);
    ck_assert_int_eq(room("i", ""), 2);
    ck_assert_int_eq(room("j", ""), 0);
    ck_assert_int_eq(room("k", ""), 2);
    ck_assert_int_eq(room("l", ""), 1); /* 5 rooms are more than a load of 13 and a room */
}

END_TEST

/* A room that fits stays together; what no longer fits goes to the least busy worker, and the next
 * ones too, as long as the home is the busier by the margin. */
START_TEST(test_margin)
{
    room("r", "");
    ck_assert_int_eq(plain("r", "t0", "", ""), 0);
    load("t0", PLACEMENT_MARGIN - 3 - 1);
    ck_assert_uint_eq(load_of(0), PLACEMENT_MARGIN - 1);
    ck_assert_int_eq(plain("r", "t1", "", ""), 0); /* the margin itself is no reason */
    ck_assert_int_eq(plain("r", "t2", "", ""), 0);
    ck_assert_uint_eq(load_of(0), PLACEMENT_MARGIN + 1);
    ck_assert_int_eq(plain("r", "t3", "", ""), 1);
    ck_assert_int_eq(plain("r", "t4", "", ""), 2);
    ck_assert_int_eq(plain("r", "t5", "", ""), 0); /* both have one more than before */
    rig_do(&rig, "producer.close", "{'producerId':'p-t0'}");
    ck_assert_int_eq(plain("r", "t6", "", ""), 0);
    ck_assert_int_eq(webrtc("r", "t7", "'listenInfos':[{'ip':'127.0.0.1'}]"), 0);
}

END_TEST

START_TEST(test_spread)
{
    room("r", "");
    for (int i = 0; i < 6; i++) {
        char id[16];
        snprintf(id, sizeof(id), "t%d", i);
        ck_assert_int_eq(plain("r", id, "", ""), i % WORKERS);
    }
    load("t0", 5);
    ck_assert_int_eq(plain("r", "x", "", ""), 1);
    ck_assert_int_eq(webrtc("r", "y", "'listenInfos':[{'ip':'127.0.0.1'}]"), 2);
    room("pinned", ",'workerIndex':0");
    ck_assert_int_eq(plain("pinned", "z", "", ""), 0);
}

END_TEST

/* ---- what leaves no choice ---- */

/* A router that was made for a worker stays there whatever it has to do. */
START_TEST(test_pinned)
{
    ck_assert_int_eq(room("r", ",'workerIndex':2"), 2);
    ck_assert_int_eq(plain("r", "t", "", ""), 2);
    load("t", PLACEMENT_MARGIN + 1);
    ck_assert_int_eq(plain("r", "u", "", ""), 2);
    ck_assert_int_eq(plain("r", "v", "", ",'workerIndex':2"), 2);
    rig_fails(&rig, RPC_STATE, "workerIndex", "transport.createPlain",
              "{'routerId':'r','workerIndex':1,'listenInfo':{'ip':'127.0.0.1'}}");
    rig_fails(&rig, RPC_STATE, "workerIndex", "transport.createWebRtc",
              "{'routerId':'r','workerIndex':0,'listenInfos':[{'ip':'127.0.0.1'}]}");
}

END_TEST

START_TEST(test_named)
{
    static const char *const wrong[] = {"-1", "3", "'0'", "1.5", "true"};
    room("r", "");
    ck_assert_int_eq(plain("r", "t", "", ",'workerIndex':1"), 1);
    ck_assert_int_eq(webrtc("r", "u", "'workerIndex':2,'listenInfos':[{'ip':'127.0.0.1'}]"), 2);
    ck_assert_int_eq(plain("r", "v", "", ",'workerIndex':null"), 0);
    for (size_t i = 0; i < ARRAY_N(wrong); i++) {
        rig_fails(&rig, RPC_PARAMS, "workerIndex", "transport.createPlain",
                  "{'routerId':'r','workerIndex':%s,'listenInfo':{'ip':'127.0.0.1'}}", wrong[i]);
        rig_fails(&rig, RPC_PARAMS, "workerIndex", "transport.createWebRtc",
                  "{'routerId':'r','workerIndex':%s,'listenInfos':[{'ip':'127.0.0.1'}]}", wrong[i]);
        rig_fails(&rig, RPC_PARAMS, "workerIndex", "router.create", "{'workerIndex':%s}", wrong[i]);
    }
    dies(1);
    rig_fails(&rig, RPC_STATE, "workerIndex", "transport.createPlain",
              "{'routerId':'r','workerIndex':1,'listenInfo':{'ip':'127.0.0.1'}}");
    rig_fails(&rig, RPC_STATE, "workerIndex", "transport.createWebRtc",
              "{'routerId':'r','workerIndex':1,'listenInfos':[{'ip':'127.0.0.1'}]}");
}

END_TEST

/* A port of 127.0.0.1 that is free, most likely. */
static int port_find(void)
{
    json_t *result = rig_ok(&rig, "transport.createPlain",
                            "{'routerId':'r','id':'probe','listenInfo':{'ip':'127.0.0.1'}}");
    int port = (int)rig_int(result, "tuple.localPort");
    json_decref(result);
    rig_do(&rig, "transport.close", "{'transportId':'probe'}");
    return port;
}

/* Transports on a shared socket are where it is, of whatever room. */
START_TEST(test_shared)
{
    char shared[96], other[96];
    room("r", "");
    room("s", "");
    room("pinned", ",'workerIndex':2");
    snprintf(shared, sizeof(shared), ",'port':%d,'flags':{'shared':true}", port_find());
    snprintf(other, sizeof(other), ",'port':%d,'flags':{'shared':true}", port_find());
    ck_assert_int_eq(plain("r", "a", shared, ",'workerIndex':1"), 1);
    ck_assert_int_eq(plain("r", "b", shared, ""), 1);
    ck_assert_int_eq(plain("s", "c", shared, ""), 1);
    ck_assert_int_eq(plain("s", "d", shared, ",'workerIndex':1"), 1);
    ck_assert_uint_eq(fake_open_n(fake_worker(1), OBJECT_SOCKET), 1);
    rig_fails(&rig, RPC_EXISTS, "listenInfo.port", "transport.createPlain",
              "{'routerId':'r','workerIndex':0,'listenInfo':{'ip':'127.0.0.1'%s}}", shared);
    rig_fails(&rig, RPC_EXISTS, "listenInfo.port", "transport.createPlain",
              "{'routerId':'pinned','listenInfo':{'ip':'127.0.0.1'%s}}", shared);

    /* RTP and RTCP must be on one. */
    ck_assert_int_eq(plain("r", "e", other, ",'workerIndex':2"), 2);
    rig_fails(&rig, RPC_EXISTS, "rtcpListenInfo.port", "transport.createPlain",
              "{'routerId':'r','rtcpMux':false,'listenInfo':{'ip':'127.0.0.1'%s},"
              "'rtcpListenInfo':{'ip':'127.0.0.1'%s}}",
              shared, other);
    for (const char *id = "abcde"; *id; id++)
        rig_do(&rig, "transport.close", "{'transportId':'%c'}", *id);
    ck_assert_int_eq(plain("r", "a", shared, ""), 0); /* it is gone, and made anew */
}

END_TEST

/* With SO_REUSEPORT each worker may have its own of one address. */
START_TEST(test_shared_reuse)
{
    char shared[96];
    room("r", "");
    snprintf(shared, sizeof(shared), ",'port':%d,'flags':{'shared':true,'udpReusePort':true}",
             port_find());
    ck_assert_int_eq(plain("r", "a", shared, ",'workerIndex':1"), 1);
    ck_assert_int_eq(plain("r", "b", shared, ",'workerIndex':2"), 2);
    ck_assert_int_eq(plain("r", "c", shared, ",'workerIndex':2"), 2);
    ck_assert_uint_eq(fake_open_n(fake_worker(2), OBJECT_SOCKET), 1);
    ck_assert_uint_eq(fake_open_n(fake_worker(0), OBJECT_SOCKET), 0);
}

END_TEST

/* Workers on which a WebRTC server does not listen are out of the question. */
START_TEST(test_server)
{
    rig_do(&rig, "webRtcServer.create",
           "{'id':'one','workerIndex':2,'listenInfos':[{'ip':'127.0.0.1'}]}");
    rig_do(&rig, "webRtcServer.create", "{'id':'all','listenInfos':[{'ip':'127.0.0.1'}]}");
    room("r", "");
    room("pinned", ",'workerIndex':0");
    ck_assert_int_eq(webrtc("r", "a", "'webRtcServerId':'one'"), 2);
    ck_assert_int_eq(webrtc("r", "b", "'webRtcServerId':'all'"), 0);
    ck_assert_int_eq(webrtc("r", "c", "'webRtcServerId':'all','workerIndex':1"), 1);
    rig_fails(&rig, RPC_STATE, "webRtcServerId", "transport.createWebRtc",
              "{'routerId':'r','webRtcServerId':'one','workerIndex':1}");
    rig_fails(&rig, RPC_STATE, "webRtcServerId", "transport.createWebRtc",
              "{'routerId':'pinned','webRtcServerId':'one'}");
    plain("r", "p", "", "");
    load("p", PLACEMENT_MARGIN);
    ck_assert_int_eq(webrtc("r", "d", "'webRtcServerId':'all'"), 1);
    ck_assert_int_eq(webrtc("r", "e", "'webRtcServerId':'one'"), 2);
}

END_TEST

/* ---- workers that are full or dead ---- */

/* A full home is passed over, a named one is not. When all are full, that is the answer. */
START_TEST(test_full)
{
    struct model *model = &rig.control->model;
    room("r", "");
    model->places[0].of[OBJECT_TRANSPORT].max = 1;
    ck_assert_int_eq(plain("r", "a", "", ""), 0);
    ck_assert_int_eq(plain("r", "b", "", ""), 1);
    rig_fails(&rig, RPC_FULL, NULL, "transport.createPlain",
              "{'routerId':'r','workerIndex':0,'listenInfo':{'ip':'127.0.0.1'}}");
    model->places[1].of[OBJECT_CONSUMER].max = 0;
    ck_assert_int_eq(plain("r", "c", "", ""), 2);
    model->places[2].of[OBJECT_SOCKET].max = 1;
    model->places[1].of[OBJECT_TRANSPORT].max = 1;
    rig_fails(&rig, RPC_FULL, NULL, "transport.createPlain",
              "{'routerId':'r','listenInfo':{'ip':'127.0.0.1'}}");
}

END_TEST

/* A room moves out of a dead home, one that was made for it ends. */
START_TEST(test_dead_home)
{
    room("r", "");
    room("elsewhere", "");
    room("pinned", ",'workerIndex':0");
    plain("r", "a", "", "");
    plain("r", "b", "", ",'workerIndex':2");
    dies(0);
    json_t *note = rig_note(&rig, &rig.client, "router.workerclose");
    ck_assert_str_eq(rig_text(note, "routerId"), "pinned");
    json_decref(note);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "router.workerclose"));
    json_t *dump = rig_ok(&rig, "server.dump", "{}");
    ck_assert_uint_eq(json_array_size(rig_at(dump, "workers.0.routerIds")), 0);
    ck_assert_str_eq(rig_text(dump, "workers.2.routerIds.0"), "r");
    json_decref(dump);
    ck_assert_int_eq(plain("r", "c", "", ""), 2);
    ck_assert_int_eq(plain("r", "d", "", ""), 2);
    dies(2);
    ck_assert_int_eq(plain("r", "c", "", ""), 1);
    json_t *list = rig_ok(&rig, "router.list", "{}");
    ck_assert_int_eq(rig_int(list, "routers.0.workerIndex"), 1);
    json_decref(list);
    json_t *census = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(census, "workers.1.routers"), 2);
    ck_assert_int_eq(rig_int(census, "workers.0.routers"), 0);
    json_decref(census);
}

END_TEST

Suite *ctl_placement_suite(void)
{
    Suite *suite = suite_create("ctl_placement");
    TCase *tc = tcase_create("home");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_homes);
    tcase_add_test(tc, test_margin);
    tcase_add_test(tc, test_pinned);
    tcase_add_test(tc, test_named);
    tcase_add_test(tc, test_shared);
    tcase_add_test(tc, test_shared_reuse);
    tcase_add_test(tc, test_server);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_dead_home);
    suite_add_tcase(suite, tc);
    tc = tcase_create("spread");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup_spread, teardown);
    tcase_add_test(tc, test_spread);
    suite_add_tcase(suite, tc);
    return suite;
}
