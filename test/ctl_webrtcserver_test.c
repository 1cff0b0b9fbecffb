/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_webrtcserver_test.c - WebRTC servers over the control socket: sockets on workers, the
 * transports that share them, and how all of it ends. */
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <errno.h>
#include <stdio.h>

enum { WORKERS = 3 };

static struct rig rig;

static void setup(void)
{
    rig_start(&rig, WORKERS);
}

static void teardown(void)
{
    rig_stop(&rig);
}

static void expect_empty(void)
{
    static const char *const kinds[] = {"routers",       "transports", "producers", "consumers",
                                        "webRtcServers", "sockets",    "commands",  "texts"};
    json_t *census = rig_ok(&rig, "server.census", "{}");
    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        ck_assert_msg(rig_int(census, kinds[i]) == 0, "%s are left", kinds[i]);
    json_decref(census);
    for (uint32_t w = 0; w < WORKERS; w++) {
        for (size_t kind = OBJECT_SOCKET; kind < OBJECT_KIND_N; kind++) {
            ck_assert_uint_eq(fake_open_n(fake_worker(w), (enum object_kind)kind), 0);
            ck_assert_uint_eq(rig.control->model.places[w].of[kind].used_n, 0);
        }
    }
}

static uint32_t sockets_n(uint32_t worker)
{
    return fake_open_n(fake_worker(worker), OBJECT_SOCKET);
}

/* UDP and TCP on every worker, any ports. */
static void server_make(const char *more)
{
    rig_do(&rig, "webRtcServer.create",
           "{'id':'s',%s'listenInfos':[{'protocol':'udp','ip':'127.0.0.1','announcedAddress':"
           "'relay.example'},{'protocol':'tcp','ip':'127.0.0.1'}]}",
           more);
}

static void transport_make(const char *id, int worker)
{
    rig_do(&rig, "router.create", "{'id':'r-%s','workerIndex':%d}", id, worker);
    rig_do(&rig, "transport.createWebRtc", "{'routerId':'r-%s','id':'%s','webRtcServerId':'s'}", id,
           id);
}

/* A port such that it and the next ones are free, most likely. */
static int port_find(void)
{
    json_t *result = rig_ok(&rig, "webRtcServer.create",
                            "{'id':'probe','workerIndex':0,'listenInfos':[{'ip':'127.0.0.1',"
                            "'portRange':{'min':21000,'max':29000}}]}");
    int port = (int)rig_int(result, "udpSockets.0.port");
    json_decref(result);
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'probe'}");
    return port;
}

/* ---- create, dump ---- */

START_TEST(test_create)
{
    json_t *result =
        rig_ok(&rig, "webRtcServer.create",
               "{'id':'s','appData':{'x':1},'listenInfos':[{'protocol':'udp','ip':'127.0.0.1',"
               "'announcedAddress':'relay.example'},{'protocol':'tcp','ip':'127.0.0.1'}]}");
    ck_assert_uint_eq(json_array_size(rig_at(result, "udpSockets")), WORKERS);
    ck_assert_uint_eq(json_array_size(rig_at(result, "tcpServers")), WORKERS);
    ck_assert_int_eq(rig_int(result, "udpSockets.2.workerIndex"), 2);
    ck_assert_str_eq(rig_text(result, "udpSockets.1.announcedAddress"), "relay.example");
    ck_assert_ptr_null(rig_at(result, "tcpServers.0.announcedAddress"));
    ck_assert_ptr_null(rig_at(result, "workerIndex"));
    for (uint32_t w = 0; w < WORKERS; w++) {
        ck_assert_uint_eq(sockets_n(w), 2);
        const struct command *open = fake_last(fake_worker(w), COMMAND_SOCKET_OPEN);
        ck_assert(open->socket_open.shared);
        ck_assert_int_eq(open->socket_open.kind, SOCKET_TCP);
    }
    json_t *dump = rig_ok(&rig, "webRtcServer.dump", "{'webRtcServerId':'s'}");
    ck_assert(json_equal(rig_at(dump, "udpSockets"), rig_at(result, "udpSockets")));
    ck_assert_int_eq(rig_int(dump, "appData.x"), 1);
    ck_assert(json_is_false(rig_at(dump, "tied")));
    json_decref(dump);
    json_decref(result);
    result = rig_ok(&rig, "server.info", "{}");
    ck_assert_int_eq(rig_int(result, "webRtcServers"), 1);
    json_decref(result);
    result = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(result, "webRtcServers"), 1);
    ck_assert_int_eq(rig_int(result, "sockets"), 2 * WORKERS);
    json_decref(result);
    result = rig_ok(&rig, "server.dump", "{}");
    ck_assert_str_eq(rig_text(result, "webRtcServers.0.id"), "s");
    ck_assert_uint_eq(json_array_size(rig_at(result, "sharedSockets")), 0);
    json_decref(result);
    rig_fails(&rig, RPC_EXISTS, "id", "webRtcServer.create",
              "{'id':'s','listenInfos':[{'ip':'127.0.0.1'}]}");
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'s'}");
    rig_fails(&rig, RPC_NOT_FOUND, "webRtcServerId", "webRtcServer.dump", "{'webRtcServerId':'s'}");
    rig_fails(&rig, RPC_NOT_FOUND, "webRtcServerId", "webRtcServer.close",
              "{'webRtcServerId':'s'}");
    json_t *note = rig_note(&rig, &rig.client, "webRtcServer.close");
    ck_assert_str_eq(rig_text(note, "webRtcServerId"), "s");
    json_decref(note);
    expect_empty();
}

END_TEST

/* A port that is named is the first worker's; with one worker it is that one's. */
START_TEST(test_ports)
{
    int port = port_find();
    json_t *result = rig_ok(&rig, "webRtcServer.create",
                            "{'id':'s','listenInfos':[{'protocol':'udp','ip':'127.0.0.1','port':%d}"
                            ",{'protocol':'tcp','ip':'127.0.0.1','port':%d}]}",
                            port, port);
    for (int w = 0; w < WORKERS; w++) {
        char path[64];
        snprintf(path, sizeof(path), "udpSockets.%d.port", w);
        ck_assert_int_eq(rig_int(result, path), port + w);
        snprintf(path, sizeof(path), "tcpServers.%d.port", w);
        ck_assert_int_eq(rig_int(result, path), port + w);
    }
    json_decref(result);
    /* A later worker's port is taken: nothing of it stays. */
    rig_fails(&rig, RPC_EXISTS, "listenInfos[1].port", "webRtcServer.create",
              "{'listenInfos':[{'ip':'127.0.0.2','port':%d},{'ip':'127.0.0.1','port':%d}]}", port,
              port + WORKERS - 1);
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'s'}");
    expect_empty();
    result =
        rig_ok(&rig, "webRtcServer.create",
               "{'id':'s','workerIndex':2,'listenInfos':[{'ip':'127.0.0.1','port':%d}]}", port);
    ck_assert_uint_eq(json_array_size(rig_at(result, "udpSockets")), 1);
    ck_assert_int_eq(rig_int(result, "udpSockets.0.port"), port);
    ck_assert_int_eq(rig_int(result, "workerIndex"), 2);
    json_decref(result);
    ck_assert_uint_eq(sockets_n(0), 0);
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'s'}");
    expect_empty();
}

END_TEST

struct bad_row {
    const char *path, *params;
};

static const struct bad_row bad_create[] = {
    {"listenInfos", "'id':'s'"},
    {"listenInfos", "'listenInfos':[]"},
    {"listenInfos", "'listenInfos':[{},{},{},{},{},{},{},{},{}]"},
    {"listenInfos[0].ip", "'listenInfos':[{}]"},
    {"listenInfos[0].protocol", "'listenInfos':[{'ip':'127.0.0.1','protocol':'quic'}]"},
    {"listenInfos[0].flags.shared", "'listenInfos':[{'ip':'127.0.0.1','flags':{'shared':true}}]"},
    {"listenInfos[1].announcedAddress", "'listenInfos':[{'ip':'127.0.0.1'},{'ip':'::'}]"},
    {"listenInfos[0].port", "'listenInfos':[{'ip':'127.0.0.1','port':65534}]"},
    {"listenInfos[0].ip", "'listenInfos':[{'ip':'192.0.2.1'}]"},
    {"workerIndex", "'workerIndex':3,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"workerIndex", "'workerIndex':-1,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"tied", "'tied':1,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"appData", "'appData':1,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"id", "'id':'','listenInfos':[{'ip':'127.0.0.1'}]"},
    {"enableUdp", "'enableUdp':true,'listenInfos':[{'ip':'127.0.0.1'}]"},
};

START_TEST(test_bad_create)
{
    rig_fails(&rig, RPC_PARAMS, bad_create[_i].path, "webRtcServer.create", "{%s}",
              bad_create[_i].params);
    expect_empty();
}

END_TEST

/* One worker of three cannot: the others' sockets go again. */
START_TEST(test_open_fails)
{
    fake_fail_next(fake_worker(1), COMMAND_SOCKET_OPEN, -ENOSPC);
    rig_fails(&rig, RPC_FULL, NULL, "webRtcServer.create",
              "{'id':'s','listenInfos':[{'ip':'127.0.0.1'},{'ip':'127.0.0.1'}]}");
    rig_fails(&rig, RPC_NOT_FOUND, NULL, "webRtcServer.dump", "{'webRtcServerId':'s'}");
    expect_empty();
    for (int i = 0; i < 32; i++) /* 64 sockets are all that worker 2 has */
        rig_do(&rig, "webRtcServer.create",
               "{'id':'full%d','workerIndex':2,'listenInfos':[{'ip':'127.0.0.1'},{'ip':"
               "'127.0.0.1'}]}",
               i);
    rig_fails(&rig, RPC_FULL, NULL, "webRtcServer.create", "{'listenInfos':[{'ip':'127.0.0.1'}]}");
    ck_assert_uint_eq(sockets_n(0), 0);
    ck_assert_uint_eq(sockets_n(1), 0);
    for (int i = 0; i < 32; i++)
        rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'full%d'}", i);
    expect_empty();
}

END_TEST

/* ---- transports ---- */

/* Those of a worker share its sockets, which stay when they go. */
START_TEST(test_transports)
{
    server_make("");
    transport_make("a", 1);
    const struct command *open = fake_last(fake_worker(1), COMMAND_TRANSPORT_OPEN);
    uint32_t udp = open->transport_open.webrtc.sockets[0];
    uint32_t tcp = open->transport_open.webrtc.sockets[1];
    ck_assert_uint_eq(open->transport_open.webrtc.sockets_n, 2);
    json_t *dump = rig_ok(&rig, "transport.dump", "{'transportId':'a'}");
    json_t *server = rig_ok(&rig, "webRtcServer.dump", "{'webRtcServerId':'s'}");
    ck_assert_str_eq(rig_text(dump, "webRtcServerId"), "s");
    ck_assert_str_eq(rig_text(dump, "iceCandidates.0.address"), "relay.example");
    ck_assert_int_eq(rig_int(dump, "iceCandidates.0.priority"), 1076302079);
    ck_assert_int_eq(rig_int(dump, "iceCandidates.1.priority"), 1076276479);
    ck_assert_int_eq(rig_int(dump, "iceCandidates.0.port"), rig_int(server, "udpSockets.1.port"));
    ck_assert_int_eq(rig_int(dump, "iceCandidates.1.port"), rig_int(server, "tcpServers.1.port"));
    ck_assert_str_eq(rig_text(server, "webRtcTransportIds.0"), "a");
    ck_assert_str_eq(rig_text(server, "localIceUsernameFragments.0.localIceUsernameFragment"),
                     rig_text(dump, "iceParameters.usernameFragment"));
    ck_assert_str_eq(rig_text(server, "localIceUsernameFragments.0.webRtcTransportId"), "a");
    json_decref(server);
    json_decref(dump);
    rig_do(&rig, "transport.createWebRtc", "{'routerId':'r-a','id':'b','webRtcServerId':'s'}");
    ck_assert_uint_eq(open->transport_open.webrtc.sockets[0], udp);
    ck_assert_uint_eq(open->transport_open.webrtc.sockets[1], tcp);
    ck_assert_uint_eq(sockets_n(1), 2);
    rig_do(&rig, "transport.close", "{'transportId':'a'}");
    rig_do(&rig, "router.close", "{'routerId':'r-a'}");
    ck_assert_uint_eq(sockets_n(1), 2);
    server = rig_ok(&rig, "webRtcServer.dump", "{'webRtcServerId':'s'}");
    ck_assert_uint_eq(json_array_size(rig_at(server, "webRtcTransportIds")), 0);
    json_decref(server);
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'s'}");
    expect_empty();
}

END_TEST

struct choice_row {
    const char *params;
    int64_t first, second; /* priorities, UDP and TCP; -1: not there */
};

static const struct choice_row choices[] = {
    {"'preferUdp':true", 1076558079, 1076276479},
    {"'preferTcp':true", 1076302079, 1076532479},
    {"'preferUdp':true,'preferTcp':true", 1076558079, 1076532479},
    {"'enableTcp':false", 1076302079, -1},
    {"'enableUdp':false", 1076276479, -1},
};

START_TEST(test_choices)
{
    server_make("");
    rig_do(&rig, "router.create", "{'id':'r','workerIndex':0}");
    json_t *result = rig_ok(&rig, "transport.createWebRtc",
                            "{'routerId':'r','webRtcServerId':'s',%s}", choices[_i].params);
    ck_assert_int_eq(rig_int(result, "iceCandidates.0.priority"), choices[_i].first);
    ck_assert_int_eq(rig_int(result, "iceCandidates.1.priority"), choices[_i].second);
    ck_assert_uint_eq(
        fake_last(fake_worker(0), COMMAND_TRANSPORT_OPEN)->transport_open.webrtc.sockets_n,
        choices[_i].second < 0 ? 1 : 2);
    json_decref(result);
    rig_fails(&rig, RPC_PARAMS, "enableUdp", "transport.createWebRtc",
              "{'routerId':'r','webRtcServerId':'s','enableUdp':false,'enableTcp':false}");
    rig_fails(&rig, RPC_PARAMS, "listenInfos", "transport.createWebRtc",
              "{'routerId':'r','webRtcServerId':'s','listenInfos':[{'ip':'127.0.0.1'}]}");
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'s'}");
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* A server of one worker serves that worker's rooms alone. */
START_TEST(test_elsewhere)
{
    server_make("'workerIndex':2,");
    rig_do(&rig, "router.create", "{'id':'r','workerIndex':0}");
    rig_fails(&rig, RPC_STATE, "webRtcServerId", "transport.createWebRtc",
              "{'routerId':'r','webRtcServerId':'s'}");
    transport_make("a", 2);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    rig_do(&rig, "router.close", "{'routerId':'r-a'}");
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'s'}");
    expect_empty();
}

END_TEST

/* ---- ends ---- */

/* Its transports go with it, on all workers, and what hangs on them; others stay. */
START_TEST(test_close)
{
    server_make("");
    transport_make("a", 0);
    transport_make("b", 1);
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r-a','id':'plain','listenInfo':{'ip':'127.0.0.1'}}");
    rig_do(&rig, "router.updateMediaCodecs",
           "{'routerId':'r-a','mediaCodecs':[{'kind':'audio','mimeType':'audio/opus','clockRate':"
           "48000,'channels':2}]}");
    rig_do(&rig, "transport.produce",
           "{'transportId':'a','id':'p','kind':'audio','rtpParameters':{'codecs':[{'mimeType':"
           "'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':"
           "2222}]}}");
    rig_do(&rig, "transport.consume",
           "{'transportId':'plain','id':'c','producerId':'p','rtpCapabilities':%s}",
           rig_capabilities);
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'s'}");
    static const char *const notes[][3] = {
        {"consumer.producerclose", "consumerId", "c"},
        {"producer.transportclose", "producerId", "p"},
        {"transport.listenserverclose", "transportId", "a"},
        {"transport.listenserverclose", "transportId", "b"},
        {"webRtcServer.close", "webRtcServerId", "s"},
    };
    for (size_t i = 0; i < ARRAY_N(notes); i++) {
        json_t *note = rig_note(&rig, &rig.client, notes[i][0]);
        ck_assert_msg(note != NULL, "no %s", notes[i][0]);
        ck_assert_str_eq(rig_text(note, notes[i][1]), notes[i][2]);
        json_decref(note);
    }
    rig_do(&rig, "transport.dump", "{'transportId':'plain'}");
    rig_fails(&rig, RPC_NOT_FOUND, NULL, "transport.dump", "{'transportId':'a'}");
    rig_do(&rig, "router.close", "{'routerId':'r-a'}");
    rig_do(&rig, "router.close", "{'routerId':'r-b'}");
    expect_empty();
}

END_TEST

/* Made, used and closed before any worker has done a thing: each is answered in its turn, the close
 * when the last worker is done. */
START_TEST(test_pipelined)
{
    rig_do(&rig, "router.create", "{'id':'r','workerIndex':1}");
    for (uint32_t w = 0; w < WORKERS; w++)
        fake_hold(fake_worker(w), true);
    int ids[3];
    ids[0] = rig_request(&rig, &rig.client, "webRtcServer.create",
                         "{'id':'s','listenInfos':[{'ip':'127.0.0.1'}]}");
    ids[1] = rig_request(&rig, &rig.client, "transport.createWebRtc",
                         "{'routerId':'r','id':'t','webRtcServerId':'s'}");
    ids[2] = rig_request(&rig, &rig.client, "webRtcServer.close", "{'webRtcServerId':'s'}");
    rig_settle(&rig);
    fake_hold(fake_worker(2), false);
    fake_hold(fake_worker(1), false);
    for (size_t i = 0; i < 3; i++)
        ck_assert_ptr_null(rig_answer(&rig, &rig.client, ids[i]));
    fake_hold(fake_worker(0), false);
    for (size_t i = 0; i < 3; i++) {
        json_t *answer = rig_answer(&rig, &rig.client, ids[i]);
        ck_assert_ptr_nonnull(rig_at(answer, "result"));
        json_decref(answer);
    }
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* One that is tied goes with its controller, as a tied router does. */
START_TEST(test_tied)
{
    struct rig_client other;
    rig_connect(&rig, &other);
    json_decref(
        rig_answer(&rig, &other,
                   rig_request(&rig, &other, "webRtcServer.create",
                               "{'id':'s','tied':true,'listenInfos':[{'ip':'127.0.0.1'}]}")));
    rig_do(&rig, "server.subscribe", "{'events':['webRtcServer.*']}");
    transport_make("a", 0);
    rig_disconnect(&rig, &other);
    json_t *note = rig_note(&rig, &rig.client, "webRtcServer.close");
    ck_assert_str_eq(rig_text(note, "webRtcServerId"), "s");
    json_decref(note);
    note = rig_note(&rig, &rig.client, "transport.listenserverclose");
    ck_assert_str_eq(rig_text(note, "transportId"), "a");
    json_decref(note);
    rig_do(&rig, "router.close", "{'routerId':'r-a'}");
    expect_empty();
}

END_TEST

static void worker_dies(uint32_t worker)
{
    struct outcome dead = {.event = EVENT_ENGINE_DEAD};
    fake_event(fake_worker(worker), &dead);
    rig_settle(&rig);
}

/* It goes on without the worker, and ends with the last one that it was on. */
START_TEST(test_worker_dies)
{
    server_make("");
    transport_make("a", 1);
    transport_make("b", 2);
    rig_do(&rig, "webRtcServer.create",
           "{'id':'one','workerIndex':1,'listenInfos':[{'ip':'127.0.0.1'}]}");
    worker_dies(1);
    json_t *note = rig_note(&rig, &rig.client, "webRtcServer.workerclose");
    ck_assert_str_eq(rig_text(note, "webRtcServerId"), "one");
    json_decref(note);
    rig_fails(&rig, RPC_STATE, "workerIndex", "webRtcServer.create",
              "{'workerIndex':1,'listenInfos':[{'ip':'127.0.0.1'}]}");
    json_t *dump = rig_ok(&rig, "webRtcServer.dump", "{'webRtcServerId':'s'}");
    ck_assert_uint_eq(json_array_size(rig_at(dump, "udpSockets")), WORKERS - 1);
    ck_assert_str_eq(rig_text(dump, "webRtcTransportIds.0"), "b");
    json_decref(dump);
    json_t *later =
        rig_ok(&rig, "webRtcServer.create", "{'id':'later','listenInfos':[{'ip':'127.0.0.1'}]}");
    ck_assert_uint_eq(json_array_size(rig_at(later, "udpSockets")), WORKERS - 1);
    json_decref(later);
    rig_do(&rig, "webRtcServer.close", "{'webRtcServerId':'s'}");
    note = rig_note(&rig, &rig.client, "transport.listenserverclose");
    ck_assert_str_eq(rig_text(note, "transportId"), "b");
    json_decref(note);
    json_t *census = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(census, "transports"), 0);
    ck_assert_int_eq(rig_int(census, "webRtcServers"), 1);
    json_decref(census);
}

END_TEST

START_TEST(test_socket_dead)
{
    server_make("");
    transport_make("a", 0);
    uint32_t socket = fake_last(fake_worker(0), COMMAND_SOCKET_OPEN)->index;
    struct outcome dead = {.event = EVENT_SOCKET_DEAD, .object = OBJECT_SOCKET, .index = socket};
    fake_event(fake_worker(0), &dead);
    json_t *note = rig_note(&rig, &rig.client, "webRtcServer.socketdead");
    ck_assert_str_eq(rig_text(note, "webRtcServerId"), "s");
    json_decref(note);
    note = rig_note(&rig, &rig.client, "transport.socketdead");
    ck_assert_str_eq(rig_text(note, "transportId"), "a");
    json_decref(note);
}

END_TEST

/* Draining takes no new ones; the relay ends although they are open, and frees them. */
START_TEST(test_drain)
{
    server_make("");
    transport_make("a", 0);
    rig_do(&rig, "server.drain", "{'seconds':100}");
    rig_fails(&rig, RPC_DRAINING, NULL, "webRtcServer.create",
              "{'listenInfos':[{'ip':'127.0.0.1'}]}");
    rig_do(&rig, "router.close", "{'routerId':'r-a'}");
    rig_settle(&rig);
    ck_assert(rig.control->stopping);
}

END_TEST

Suite *ctl_webrtcserver_suite(void)
{
    Suite *suite = suite_create("ctl_webrtcserver");
    TCase *tc = tcase_create("webrtcserver");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_create);
    tcase_add_test(tc, test_ports);
    tcase_add_loop_test(tc, test_bad_create, 0, (int)ARRAY_N(bad_create));
    tcase_add_test(tc, test_open_fails);
    tcase_add_test(tc, test_transports);
    tcase_add_loop_test(tc, test_choices, 0, (int)ARRAY_N(choices));
    tcase_add_test(tc, test_elsewhere);
    tcase_add_test(tc, test_close);
    tcase_add_test(tc, test_pipelined);
    tcase_add_test(tc, test_tied);
    tcase_add_test(tc, test_worker_dies);
    tcase_add_test(tc, test_socket_dead);
    tcase_add_test(tc, test_drain);
    suite_add_tcase(suite, tc);
    return suite;
}
