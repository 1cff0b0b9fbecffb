/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_room_test.c - routers and plain transports over the control socket: what workers are
 * told, what controllers are answered. */
#include "core/clock.h"
#include "ctl/base64.h"
#include "test/ctl_rig.h"
#include "test/heap.h"
#include "test/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rig rig;

static void setup(void)
{
    rig_start(&rig, 2);
}

static void teardown(void)
{
    rig_stop(&rig);
}

static struct worker *home(void)
{
    return fake_worker(0);
}

/* Nothing is left, in the model and in the workers. */
static void expect_empty(void)
{
    json_t *census = rig_ok(&rig, "server.census", "{}");
    static const char *const kinds[] = {"routers", "transports", "producers", "consumers",
                                        "sockets", "commands",   "texts",     "requests"};
    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        ck_assert_msg(rig_int(census, kinds[i]) == 0, "%s are left", kinds[i]);
    for (size_t w = 0; w < 2; w++) {
        for (size_t i = 0; i < 5; i++)
            ck_assert_int_eq(rig_int(json_array_get(rig_at(census, "workers"), w), kinds[i]), 0);
        for (size_t kind = OBJECT_SOCKET; kind < OBJECT_KIND_N; kind++)
            ck_assert_uint_eq(rig.control->model.places[w].of[kind].used_n, 0);
    }
    json_decref(census);
}

/* ---- routers ---- */

START_TEST(test_router)
{
    json_t *result = rig_ok(&rig, "router.create",
                            "{'id':'r','appData':{'a':1},'mediaCodecs':[{'kind':'video','mimeType':"
                            "'video/VP8','clockRate':90000}]}");
    ck_assert_str_eq(rig_text(result, "id"), "r");
    ck_assert_str_eq(rig_text(result, "rtpCapabilities.codecs.0.mimeType"), "video/VP8");
    json_t *again = rig_ok(&rig, "router.rtpCapabilities", "{'routerId':'r'}");
    ck_assert(json_equal(rig_at(result, "rtpCapabilities"), rig_at(again, "rtpCapabilities")));
    json_decref(again);
    json_decref(result);
    rig_fails(&rig, RPC_EXISTS, "id", "router.create", "{'id':'r'}");
    rig_fails(&rig, RPC_PARAMS, "id", "router.create", "{'id':'a b'}");
    rig_fails(&rig, RPC_PARAMS, "mediaCodecs[0].mimeType", "router.create",
              "{'mediaCodecs':[{'kind':'video','clockRate':90000}]}");
    result = rig_ok(&rig, "router.dump", "{'routerId':'r'}");
    ck_assert_int_eq(rig_int(result, "appData.a"), 1);
    json_decref(result);
    result = rig_ok(&rig, "router.updateMediaCodecs",
                    "{'routerId':'r','mediaCodecs':[{'kind':'audio','mimeType':'audio/opus',"
                    "'clockRate':48000,'channels':2}]}");
    ck_assert_str_eq(rig_text(result, "rtpCapabilities.codecs.0.mimeType"), "audio/opus");
    json_decref(result);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    rig_fails(&rig, RPC_NOT_FOUND, "routerId", "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* Rooms go where least is going on, or where they are told to. */
START_TEST(test_placement)
{
    json_t *result = rig_ok(&rig, "router.create", "{}");
    ck_assert_int_eq(rig_int(result, "workerIndex"), 0);
    json_decref(result);
    result = rig_ok(&rig, "router.create", "{}");
    ck_assert_int_eq(rig_int(result, "workerIndex"), 1);
    json_decref(result);
    result = rig_ok(&rig, "router.create", "{'workerIndex':1}");
    ck_assert_int_eq(rig_int(result, "workerIndex"), 1);
    ck_assert_uint_eq(strlen(rig_text(result, "id")), 36);
    json_decref(result);
    rig_fails(&rig, RPC_PARAMS, "workerIndex", "router.create", "{'workerIndex':2}");
    result = rig_ok(&rig, "router.list", "{}");
    ck_assert_uint_eq(json_array_size(rig_at(result, "routers")), 3);
    json_decref(result);
}

END_TEST

/* A tied router ends with its controller; another's does not. */
START_TEST(test_tied)
{
    struct rig_client other;
    rig_connect(&rig, &other);
    json_t *answer = rig_answer(
        &rig, &other, rig_request(&rig, &other, "router.create", "{'id':'tied','tied':true}"));
    ck_assert_ptr_nonnull(json_object_get(answer, "result"));
    json_decref(answer);
    answer = rig_answer(&rig, &other, rig_request(&rig, &other, "router.create", "{'id':'free'}"));
    json_decref(answer);
    rig_do(&rig, "server.subscribe", "{'events':['router.*']}");
    rig_disconnect(&rig, &other);
    json_t *note = rig_note(&rig, &rig.client, "router.close");
    ck_assert_str_eq(rig_text(note, "routerId"), "tied");
    json_decref(note);
    rig_fails(&rig, RPC_NOT_FOUND, "routerId", "router.dump", "{'routerId':'tied'}");
    rig_do(&rig, "router.dump", "{'routerId':'free'}");
}

END_TEST

/* ---- transports ---- */

START_TEST(test_plain)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    json_t *result =
        rig_ok(&rig, "transport.createPlain",
               "{'routerId':'r','id':'t','rtcpMux':false,'listenInfo':{'protocol':'udp',"
               "'ip':'127.0.0.1','announcedAddress':'relay.example','portRange':{'min':"
               "20000,'max':29999}},'appData':{'x':[1]}}");
    ck_assert_str_eq(rig_text(result, "tuple.localIp"), "relay.example");
    ck_assert_str_eq(rig_text(result, "tuple.localAddress"), "relay.example");
    ck_assert_int_ge(rig_int(result, "tuple.localPort"), 20000);
    ck_assert_int_le(rig_int(result, "tuple.localPort"), 29999);
    ck_assert_int_ne(rig_int(result, "tuple.localPort"), rig_int(result, "rtcpTuple.localPort"));
    ck_assert_ptr_null(rig_at(result, "srtpParameters"));
    json_decref(result);

    const struct command *open = fake_last(home(), COMMAND_TRANSPORT_OPEN);
    ck_assert_uint_ne(open->transport_open.rtp_socket, open->transport_open.rtcp_socket);
    ck_assert_uint_eq(fake_open_n(home(), OBJECT_SOCKET), 2);

    rig_fails(&rig, RPC_PARAMS, "rtcpPort", "transport.connect",
              "{'transportId':'t','ip':'127.0.0.1','port':5000}");
    result = rig_ok(&rig, "transport.connect",
                    "{'transportId':'t','ip':'127.0.0.1','port':5000,'rtcpPort':5001}");
    ck_assert_str_eq(rig_text(result, "tuple.remoteIp"), "127.0.0.1");
    ck_assert_int_eq(rig_int(result, "rtcpTuple.remotePort"), 5001);
    json_decref(result);
    const struct command *connect = fake_last(home(), COMMAND_TRANSPORT_CONNECT);
    ck_assert_uint_eq(addr_port(&connect->transport_connect.remote), 5000);
    ck_assert_uint_eq(addr_port(&connect->transport_connect.rtcp_remote), 5001);
    rig_fails(&rig, RPC_STATE, NULL, "transport.connect",
              "{'transportId':'t','ip':'127.0.0.1','port':5000,'rtcpPort':5001}");

    result = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    ck_assert(json_is_true(rig_at(result, "connected")));
    ck_assert_int_eq(rig_int(result, "appData.x.0"), 1);
    json_decref(result);
    result = rig_ok(&rig, "transport.getStats", "{'transportId':'t'}");
    ck_assert_int_eq(rig_int(result, "0.bytesReceived"), 700);
    json_decref(result);
    rig_do(&rig, "transport.close", "{'transportId':'t'}");
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

struct bad_row {
    const char *path, *params;
};

static const struct bad_row bad_plain[] = {
    {"listenInfo", "'rtcpMux':true"},
    {"listenInfo.ip", "'listenInfo':{}"},
    {"listenInfo.ip", "'listenInfo':{'ip':'nonsense'}"},
    {"listenInfo.protocol", "'listenInfo':{'ip':'127.0.0.1','protocol':'tcp'}"},
    {"listenInfo.port", "'listenInfo':{'ip':'127.0.0.1','port':70000}"},
    {"listenInfo.extra", "'listenInfo':{'ip':'127.0.0.1','extra':1}"},
    {"listenInfo.flags.extra", "'listenInfo':{'ip':'127.0.0.1','flags':{'extra':true}}"},
    {"listenInfo.portRange.step",
     "'listenInfo':{'ip':'127.0.0.1','portRange':{'min':40000,'max':40100,'step':2}}"},
    {"rtcpListenInfo.portRange.maximum",
     "'rtcpMux':false,'listenInfo':{'ip':'127.0.0.1'},'rtcpListenInfo':{'ip':'127.0.0.1',"
     "'portRange':{'min':40000,'max':40100,'maximum':1}}"},
    {"listenInfo.portRange.max", "'listenInfo':{'ip':'127.0.0.1','portRange':{'min':9,'max':8}}"},
    {"listenInfo.port", "'listenInfo':{'ip':'127.0.0.1','flags':{'shared':true}}"},
    {"comedia",
     "'comedia':true,'listenInfo':{'ip':'127.0.0.1','port':24999,'flags':{'shared':true}}"},
    {"rtcpListenInfo",
     "'rtcpMux':false,'listenInfo':{'ip':'127.0.0.1','port':24999,'flags':{'shared':true}}"},
    {"srtpCryptoSuite", "'srtpCryptoSuite':'ROT13','listenInfo':{'ip':'127.0.0.1'}"},
    {"enableSctp", "'enableSctp':true,'listenInfo':{'ip':'127.0.0.1'}"},
    {"listenInfo.ip", "'listenInfo':{'ip':'192.0.2.1'}"}, /* not an address of this machine */
    {"appData", "'appData':7,'listenInfo':{'ip':'127.0.0.1'}"},
};

START_TEST(test_bad_plain)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    rig_fails(&rig, RPC_PARAMS, bad_plain[_i].path, "transport.createPlain", "{'routerId':'r',%s}",
              bad_plain[_i].params);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* Keys: ours are made, the peer's are checked; a peer with another suite gets a key of that suite.
 */
START_TEST(test_srtp)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    json_t *result = rig_ok(&rig, "transport.createPlain",
                            "{'routerId':'r','id':'t','enableSrtp':true,'listenInfo':{'ip':"
                            "'127.0.0.1'}}");
    ck_assert_str_eq(rig_text(result, "srtpParameters.cryptoSuite"), "AES_CM_128_HMAC_SHA1_80");
    ck_assert_uint_eq(strlen(rig_text(result, "srtpParameters.keyBase64")), 40);
    json_decref(result);
    rig_fails(&rig, RPC_PARAMS, "srtpParameters", "transport.connect",
              "{'transportId':'t','ip':'127.0.0.1','port':5000}");
    rig_fails(&rig, RPC_PARAMS, "srtpParameters.keyBase64", "transport.connect",
              "{'transportId':'t','ip':'127.0.0.1','port':5000,'srtpParameters':{'cryptoSuite':"
              "'AEAD_AES_128_GCM','keyBase64':'AAAA'}}");
    uint8_t key[28];
    char text[BASE64_TEXT_BYTES_MAX];
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)(i * 7);
    base64_write(text, key, sizeof(key));
    result = rig_ok(&rig, "transport.connect",
                    "{'transportId':'t','ip':'127.0.0.1','port':5000,'srtpParameters':{"
                    "'cryptoSuite':'AEAD_AES_128_GCM','keyBase64':'%s'}}",
                    text);
    ck_assert_str_eq(rig_text(result, "srtpParameters.cryptoSuite"), "AEAD_AES_128_GCM");
    const struct srtp_keys *keys =
        &fake_last(home(), COMMAND_TRANSPORT_CONNECT)->transport_connect.keys;
    ck_assert_int_eq(keys->suite, SEAL_AEAD_AES_128_GCM);
    ck_assert_mem_eq(keys->in, key, sizeof(key));
    uint8_t ours[28];
    ck_assert(base64_read(ours, sizeof(ours), rig_text(result, "srtpParameters.keyBase64")));
    ck_assert_mem_eq(keys->out, ours, sizeof(ours));
    json_decref(result);
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'u','listenInfo':{'ip':'127.0.0.1'}}");
    rig_fails(&rig, RPC_PARAMS, "srtpParameters", "transport.connect",
              "{'transportId':'u','ip':'127.0.0.1','port':5000,'srtpParameters':{'cryptoSuite':"
              "'AEAD_AES_128_GCM','keyBase64':'%s'}}",
              text);
    rig_do(&rig, "transport.connect", /* null counts as absent, here as elsewhere */
           "{'transportId':'u','ip':'127.0.0.1','port':5000,'srtpParameters':null}");
}

END_TEST

/* A line of JSON with ' for ", sent and answered without the heap of the test. */
static void exchange(const char *line, const char *end, char *answer, size_t room)
{
    static char text[1024];
    size_t n = 0, bytes = (size_t)snprintf(text, sizeof(text), "%s%s", line, end);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    ck_assert_int_eq(send(rig.client.fd, text, bytes, 0), (ssize_t)bytes);
    rig_settle(&rig);
    for (ssize_t got = 1; got > 0 && n<room - 1; n += got> 0 ? (size_t)got : 0)
        got = recv(rig.client.fd, answer + n, room - 1 - n, MSG_DONTWAIT);
    answer[n] = '\0';
}

/* Keys that have passed through, the peer's and ours, stand in no block that was given back:
 * whether the request succeeds, fails, is no JSON, or is never ended. */
START_TEST(test_keys_wiped)
{
    static const char theirs[] = "c2x1aWNlLXRlc3Qta2V5LW9mLXRoZS1wZWVyMTIz";
    static const char *const lines[] = {
        "{'jsonrpc':'2.0','id':1,'method':'transport.connect','params':{'transportId':'t','ip':"
        "'127.0.0.1','port':5000,'srtpParameters':{'cryptoSuite':'AES_CM_128_HMAC_SHA1_80',"
        "'keyBase64':'c2x1aWNlLXRlc3Qta2V5LW9mLXRoZS1wZWVyMTIz'}}}",
        "{'jsonrpc':'2.0','id':2,'method':'transport.dump','params':{'transportId':'t'}}",
        "{'jsonrpc':'2.0','method':'transport.dump','params':{'transportId':'t'}}",
        "{'jsonrpc':'2.0','id':3,'method':'transport.connect','params':{'transportId':'t','ip':7,"
        "'srtpParameters':{'cryptoSuite':'c2x1aWNlLXRlc3Qta2V5LW9mLXRoZS1wZWVyMTIz'}}}",
        "{'id':'c2x1aWNlLXRlc3Qta2V5LW9mLXRoZS1wZWVyMTIz'}",
        "['c2x1aWNlLXRlc3Qta2V5LW9mLXRoZS1wZWVyMTIz',",
    };
    static char answer[4096], ours[41];
    rig_do(&rig, "router.create", "{'id':'r'}");
    exchange("{'jsonrpc':'2.0','id':1,'method':'transport.createPlain','params':{'routerId':'r',"
             "'id':'t','enableSrtp':true,'listenInfo':{'ip':'127.0.0.1'}}}",
             "\n", answer, sizeof(answer));
    const char *at = strstr(answer, "\"keyBase64\":\"");
    ck_assert_ptr_nonnull(at);
    memcpy(ours, at + 13, 40);
    for (size_t i = 0; i < 2 * ARRAY_N(lines); i++) {
        heap_watch(i % 2 ? ours : theirs, 40);
        exchange(lines[i / 2], "\n", answer, sizeof(answer));
        ck_assert_msg(strstr(answer, "\"jsonrpc\"") || i / 2 == 2, "row %zu: %s", i, answer);
        ck_assert_msg(heap_watch(NULL, 0) == 0, "row %zu leaves a key", i);
    }
    heap_watch(theirs, 40);
    exchange(lines[0], "", answer, sizeof(answer)); /* never ended */
    shutdown(rig.client.fd, SHUT_WR);
    rig_settle(&rig);
    ck_assert_uint_eq(heap_watch(NULL, 0), 0);
}

END_TEST

/* ---- ports that are busy ---- */

/* A UDP port of 127.0.0.1 that is taken as long as the descriptor is open. */
static int port_take(uint16_t *port)
{
    struct addr local;
    socklen_t bytes = sizeof(local);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(addr_parse(&local, "127.0.0.1", 0), 0);
    ck_assert_int_eq(bind(fd, &local.sa, addr_len(&local)), 0);
    ck_assert_int_eq(getsockname(fd, &local.sa, &bytes), 0);
    *port = addr_port(&local);
    return fd;
}

/* A turn that may sleep as the relay's do: its own clock must wake it. */
static void turn_wakes(void)
{
    int64_t start_us = clock_now_us();
    control_turn(rig.control, 3000);
    ck_assert_int_lt(clock_now_us() - start_us, 2500000);
}

static json_t *answer_wait(struct rig_client *client, int id)
{
    json_t *answer = rig_answer(&rig, client, id);
    for (int i = 0; i < 50 && !answer; i++) {
        turn_wakes();
        answer = rig_answer(&rig, client, id);
    }
    return answer;
}

/* A request for a busy port is tried again while others are served; what its own connection sends
 * behind it, about the object it makes, comes after it. */
START_TEST(test_busy_port)
{
    struct rig_client other;
    uint16_t port = 0;
    int fd = port_take(&port);
    rig.control->retry_us = 60000000;
    rig_connect(&rig, &other);
    rig_do(&rig, "router.create", "{'id':'r'}");
    int make = rig_request(&rig, &other, "transport.createPlain",
                           "{'routerId':'r','id':'t','rtcpMux':false,'listenInfo':{'ip':"
                           "'127.0.0.1'},'rtcpListenInfo':{'ip':'127.0.0.1','port':%u}}",
                           port);
    int dump = rig_request(&rig, &other, "transport.dump", "{'transportId':'t'}");
    ck_assert_ptr_null(rig_answer(&rig, &other, make));
    rig_do(&rig, "server.info", "{}");
    json_t *census = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(census, "sockets"), 0);
    ck_assert_int_eq(rig_int(census, "requests"), 1);
    json_decref(census);
    close(fd);
    json_t *answer = answer_wait(&other, make);
    ck_assert_int_eq(rig_int(answer, "result.rtcpTuple.localPort"), port);
    json_decref(answer);
    answer = answer_wait(&other, dump);
    ck_assert_int_eq(rig_int(answer, "result.rtcpTuple.localPort"), port);
    json_decref(answer);
    rig_disconnect(&rig, &other);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* The control thread does not sleep on a busy port: the quickest of some refusals is quicker than
 * the 50 ms for which udp_open() would try. */
START_TEST(test_busy_port_at_once)
{
    uint16_t port = 0;
    int fd = port_take(&port);
    int64_t best_us = INT64_MAX;
    rig_do(&rig, "router.create", "{'id':'r'}");
    for (int i = 0; i < 10; i++) {
        int64_t start_us = clock_now_us();
        rig_fails(&rig, RPC_EXISTS, "listenInfo.port", "transport.createPlain",
                  "{'routerId':'r','listenInfo':{'ip':'127.0.0.1','port':%u}}", port);
        best_us = min_i64(best_us, clock_now_us() - start_us);
    }
    ck_assert_int_lt(best_us, 50000);
    close(fd);
}

END_TEST

/* It ends: with an error when it has waited long enough, with its router, with its connection. */
START_TEST(test_busy_port_ends)
{
    static const char params[] =
        "{'routerId':'r','id':'t','listenInfo':{'ip':'127.0.0.1','portRange':{'min':%u,'max':%u}}}";
    struct rig_client other;
    uint16_t port = 0;
    int fd = port_take(&port);
    rig.control->retry_us = CONTROL_RETRY_US;
    rig_do(&rig, "router.create", "{'id':'r'}");
    json_t *answer = answer_wait(
        &rig.client, rig_request(&rig, &rig.client, "transport.createPlain", params, port, port));
    ck_assert_int_eq(rig_int(answer, "error.code"), RPC_EXISTS);
    ck_assert_str_eq(rig_text(answer, "error.data.path"), "listenInfo.port");
    json_decref(answer);

    rig.control->retry_us = 60000000;
    rig_connect(&rig, &other);
    int make = rig_request(&rig, &other, "transport.createPlain", params, port, port);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    answer = answer_wait(&other, make);
    ck_assert_int_eq(rig_int(answer, "error.code"), RPC_NOT_FOUND);
    json_decref(answer);

    rig_do(&rig, "router.create", "{'id':'r'}");
    rig_request(&rig, &other, "transport.createPlain", params, port, port);
    rig_request(&rig, &other, "router.create", "{'id':'s'}");
    rig_disconnect(&rig, &other); /* what it has asked is done all the same */
    ck_assert_ptr_null(model_find(&rig.control->model, NOUN_TRANSPORT, "t"));
    close(fd);
    for (int i = 0; i < 50 && rig.control->requests_n > 0; i++)
        turn_wakes();
    rig_settle(&rig);
    ck_assert_ptr_nonnull(model_find(&rig.control->model, NOUN_TRANSPORT, "t"));
    ck_assert_ptr_nonnull(model_find(&rig.control->model, NOUN_ROUTER, "s"));

    /* And with the relay. */
    rig_request(&rig, &rig.client, "transport.createPlain",
                "{'routerId':'r','listenInfo':{'ip':'127.0.0.1','port':%u}}", port);
    ck_assert_uint_eq(rig.control->requests_n, 1);
}

END_TEST

static const struct bad_row bad_connect[] = {
    {"ip", "'port':5000"},
    {"port", "'ip':'127.0.0.1'"},
    {"port", "'ip':'127.0.0.1','port':0"},
    {"ip", "'ip':'x','port':5000"},
    {"ip", "'ip':'0.0.0.0','port':5000"},
    {"ip", "'ip':'224.0.0.1','port':5000"},
    {"ip", "'ip':'::1','port':5000"},
    {"rtcpPort", "'ip':'127.0.0.1','port':5000,'rtcpPort':5001"},
};

START_TEST(test_bad_connect)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'t','listenInfo':{'ip':'127.0.0.1'}}");
    rig_fails(&rig, RPC_PARAMS, bad_connect[_i].path, "transport.connect", "{'transportId':'t',%s}",
              bad_connect[_i].params);
    rig_do(&rig, "transport.connect", "{'transportId':'t','ip':'127.0.0.1','port':5000}");
}

END_TEST

/* Several transports on one socket: it opens once and closes with the last of them. */
START_TEST(test_shared)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'x','listenInfo':{'ip':'127.0.0.1'}}");
    json_t *result = rig_ok(&rig, "transport.dump", "{'transportId':'x'}");
    int port = (int)rig_int(result, "tuple.localPort");
    json_decref(result);
    rig_fails(&rig, RPC_EXISTS, "listenInfo.port", "transport.createPlain",
              "{'routerId':'r','listenInfo':{'ip':'127.0.0.1','port':%d}}", port);
    rig_do(&rig, "transport.close", "{'transportId':'x'}");
    for (int i = 0; i < 3; i++)
        rig_do(&rig, "transport.createPlain",
               "{'routerId':'r','id':'s%d','listenInfo':{'ip':'127.0.0.1','port':%d,'flags':{"
               "'shared':true}}}",
               i, port);
    ck_assert_uint_eq(fake_open_n(home(), OBJECT_SOCKET), 1);
    ck_assert(fake_last(home(), COMMAND_SOCKET_OPEN)->socket_open.shared);
    result = rig_ok(&rig, "server.dump", "{}");
    ck_assert_int_eq(rig_int(result, "sharedSockets.0.transports"), 3);
    json_decref(result);
    fake_fail_next(home(), COMMAND_TRANSPORT_CONNECT, -EEXIST);
    rig_fails(&rig, RPC_EXISTS, "ip", "transport.connect",
              "{'transportId':'s0','ip':'127.0.0.1','port':5000}");
    rig_do(&rig, "transport.connect", "{'transportId':'s0','ip':'127.0.0.1','port':5001}");
    rig_do(&rig, "transport.close", "{'transportId':'s0'}");
    rig_do(&rig, "transport.close", "{'transportId':'s1'}");
    ck_assert_uint_eq(fake_open_n(home(), OBJECT_SOCKET), 1);
    rig_do(&rig, "transport.close", "{'transportId':'s2'}");
    ck_assert_uint_eq(fake_open_n(home(), OBJECT_SOCKET), 0);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* What a worker cannot open is gone again, with all that was built on it meanwhile. */
START_TEST(test_open_fails)
{
    static const enum command_kind kinds[] = {COMMAND_SOCKET_OPEN, COMMAND_TRANSPORT_OPEN};

    rig_do(&rig, "router.create", "{'id':'r'}");
    for (size_t i = 0; i < ARRAY_N(kinds); i++) {
        fake_fail_next(home(), kinds[i], -ENOSPC);
        rig_fails(&rig, RPC_FULL, NULL, "transport.createPlain",
                  "{'routerId':'r','id':'t','listenInfo':{'ip':'127.0.0.1'}}");
        rig_fails(&rig, RPC_NOT_FOUND, NULL, "transport.dump", "{'transportId':'t'}");
    }
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();

    rig_room(&rig);
    fake_fail_next(home(), COMMAND_CONSUMER_OPEN, -EEXIST);
    rig_fails(&rig, RPC_EXISTS, NULL, "transport.consume",
              "{'transportId':'t','producerId':'p','rtpCapabilities':%s}", rig_capabilities);
    fake_fail_next(home(), COMMAND_PRODUCER_OPEN, -EEXIST);
    rig_fails(
        &rig, RPC_EXISTS, "rtpParameters.encodings", "transport.produce",
        "{'transportId':'t','kind':'audio','rtpParameters':{'codecs':[{'mimeType':"
        "'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':"
        "1111}]}}");
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* Requests that do not wait for each other: the second is on an object that the first is still
 * making. */
START_TEST(test_pipelined)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    fake_hold(home(), true);
    int create = rig_request(&rig, &rig.client, "transport.createPlain",
                             "{'routerId':'r','id':'t','listenInfo':{'ip':'127.0.0.1'}}");
    int connect = rig_request(&rig, &rig.client, "transport.connect",
                              "{'transportId':'t','ip':'127.0.0.1','port':5000}");
    int end = rig_request(&rig, &rig.client, "router.close", "{'routerId':'r'}");
    int dump = rig_request(&rig, &rig.client, "transport.dump", "{'transportId':'t'}");
    rig_settle(&rig);
    fake_hold(home(), false);
    static const int codes[] = {0, 0, 0, RPC_NOT_FOUND};
    int ids[] = {create, connect, end, dump};
    for (size_t i = 0; i < 4; i++) {
        json_t *answer = rig_answer(&rig, &rig.client, ids[i]);
        ck_assert_ptr_nonnull(answer);
        ck_assert_int_eq(json_integer_value(rig_at(answer, "error.code")), codes[i]);
        json_decref(answer);
    }
    expect_empty();
}

END_TEST

/* No place left is an answer. */
START_TEST(test_full)
{
    rig_do(&rig, "router.create", "{'id':'r','workerIndex':0}");
    for (int i = 0; i < 64; i++)
        rig_do(&rig, "transport.createPlain", "{'routerId':'r','listenInfo':{'ip':'127.0.0.1'}}");
    rig_fails(&rig, RPC_FULL, NULL, "transport.createPlain",
              "{'routerId':'r','listenInfo':{'ip':'127.0.0.1'}}");
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* What is read as JSON's text stays text: an id cannot look like another's. */
START_TEST(test_ids_by_kind)
{
    rig_do(&rig, "router.create", "{'id':'same'}");
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'same','id':'same','listenInfo':{'ip':'127.0.0.1'}}");
    rig_fails(&rig, RPC_NOT_FOUND, "producerId", "producer.close", "{'producerId':'same'}");
    rig_do(&rig, "transport.close", "{'transportId':'same'}");
    rig_do(&rig, "router.close", "{'routerId':'same'}");
    expect_empty();
}

END_TEST

Suite *ctl_room_suite(void)
{
    Suite *suite = suite_create("ctl_room");
    TCase *tc = tcase_create("room");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_router);
    tcase_add_test(tc, test_placement);
    tcase_add_test(tc, test_tied);
    tcase_add_test(tc, test_plain);
    tcase_add_loop_test(tc, test_bad_plain, 0, (int)ARRAY_N(bad_plain));
    tcase_add_test(tc, test_srtp);
    tcase_add_test(tc, test_keys_wiped);
    tcase_add_test(tc, test_busy_port);
    tcase_add_test(tc, test_busy_port_at_once);
    tcase_add_test(tc, test_busy_port_ends);
    tcase_add_loop_test(tc, test_bad_connect, 0, (int)ARRAY_N(bad_connect));
    tcase_add_test(tc, test_shared);
    tcase_add_test(tc, test_open_fails);
    tcase_add_test(tc, test_pipelined);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_ids_by_kind);
    suite_add_tcase(suite, tc);
    return suite;
}
