/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_room_test.c - routers, plain transports, producers and consumers over the control
 * socket: what workers are told, what controllers are answered, how everything ends. */
#include "ctl/base64.h"
#include "ctl_rig.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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

static void consume(const char *id, const char *producer)
{
    rig_do(&rig, "transport.consume",
           "{'transportId':'t','id':'%s','producerId':'%s','rtpCapabilities':%s}", id, producer,
           rig_capabilities);
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

/* ---- producers and consumers ---- */

START_TEST(test_produce)
{
    rig_room(&rig);
    json_t *dump = rig_ok(&rig, "producer.dump", "{'producerId':'p'}");
    ck_assert_str_eq(rig_text(dump, "type"), "simple");
    ck_assert_str_eq(rig_text(dump, "rtpStreams.0.params.mimeType"), "video/VP8");
    ck_assert_int_eq(rig_int(dump, "rtpStreams.0.params.rtxPayloadType"), 97);
    ck_assert_int_eq(rig_int(dump, "rtpMapping.codecs.0.payloadType"), 96);
    json_decref(dump);
    dump = rig_ok(&rig, "producer.dump", "{'producerId':'a'}");
    /* One source, one clock: the cname of the transport's first producer. */
    ck_assert_str_eq(rig_text(dump, "rtpParameters.rtcp.cname"), "abc");
    json_decref(dump);
    dump = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    ck_assert_str_eq(rig_text(dump, "rtpListener.midTable.0.key"), "v");
    ck_assert_int_eq(rig_int(dump, "recvRtpHeaderExtensions.mid"), 3);
    ck_assert_uint_eq(json_array_size(rig_at(dump, "rtpListener.ssrcTable")), 3);
    json_decref(dump);

    rig_fails(&rig, RPC_PARAMS, "kind", "transport.produce", "{'transportId':'t','kind':'smell'}");
    rig_fails(&rig, RPC_PARAMS, "rtpParameters", "transport.produce",
              "{'transportId':'t','kind':'audio'}");
    rig_fails(&rig, RPC_EXISTS, "id", "transport.produce",
              "{'transportId':'t','id':'p','kind':'audio'}");
    rig_fails(
        &rig, RPC_UNSUPPORTED, "rtpParameters.encodings", "transport.produce",
        "{'transportId':'t','kind':'video','rtpParameters':{'codecs':[{'mimeType':'video/VP8',"
        "'payloadType':96,'clockRate':90000}],'encodings':[{'ssrc':1},{'ssrc':2}]}}");
    rig_do(&rig, "producer.close", "{'producerId':'p'}");
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* What the worker is told of a producer. */
START_TEST(test_producer_command)
{
    rig_room(&rig);
    rig_do(&rig, "producer.close", "{'producerId':'a'}");
    rig_do(&rig, "producer.close", "{'producerId':'p'}");
    rig_do(
        &rig, "transport.produce",
        "{'transportId':'t','id':'p','kind':'video','paused':true,'keyFrameRequestDelay':250,"
        "'rtpParameters':{'mid':'v','codecs':[{'mimeType':'video/VP8','payloadType':96,"
        "'clockRate':90000,'rtcpFeedback':[{'type':'nack'},{'type':'nack','parameter':'pli'}]},{"
        "'mimeType':'video/rtx','payloadType':97,'clockRate':90000,'parameters':{'apt':96}}],"
        "'headerExtensions':[{'uri':'urn:ietf:params:rtp-hdrext:sdes:mid','id':3}],'encodings':[{"
        "'ssrc':1111,'rtx':{'ssrc':1112}}]}}");
    const struct command_producer_open *open =
        &fake_last(home(), COMMAND_PRODUCER_OPEN)->producer_open;
    ck_assert_int_eq(open->kind, MEDIA_VIDEO);
    ck_assert(open->paused);
    ck_assert(open->nack);
    ck_assert(open->pli);
    ck_assert(!open->fir);
    ck_assert_uint_eq(open->pt_n, 2);
    ck_assert_uint_eq(open->pt[0].pt, 96);
    ck_assert_uint_eq(open->pt[0].media_pt, REWRITE_PT_NONE);
    ck_assert_uint_eq(open->pt[1].pt, 97);
    ck_assert_uint_eq(open->pt[1].media_pt, 96);
    ck_assert_uint_eq(open->pt[0].clock_rate, 90000);
    ck_assert_uint_eq(open->encodings[0].ssrc, 1111);
    ck_assert_uint_eq(open->encodings[0].rtx_ssrc, 1112);
    ck_assert_uint_eq(open->ext_ids.id[RTP_EXT_MID], 3);
    ck_assert_uint_eq(open->mid_bytes, 1);
    ck_assert_int_eq(open->mid[0], 'v');
    ck_assert_int_eq(open->keyframe_delay_us, 250000);
}

END_TEST

START_TEST(test_consume)
{
    rig_room(&rig);
    json_t *can =
        rig_ok(&rig, "router.canConsume", "{'routerId':'r','producerId':'p','rtpCapabilities':%s}",
               rig_capabilities);
    ck_assert(json_is_true(rig_at(can, "canConsume")));
    json_decref(can);
    can = rig_ok(&rig, "router.canConsume",
                 "{'routerId':'r','producerId':'p','rtpCapabilities':{'codecs':[]}}");
    ck_assert(json_is_false(rig_at(can, "canConsume")));
    json_decref(can);

    json_t *result = rig_ok(&rig, "transport.consume",
                            "{'transportId':'t','id':'c','producerId':'p','paused':true,"
                            "'rtpCapabilities':%s,'appData':{'n':5}}",
                            rig_capabilities);
    const struct command_consumer_open *open =
        &fake_last(home(), COMMAND_CONSUMER_OPEN)->consumer_open;
    const struct rewrite *rewrite = &open->rewrite;
    ck_assert_int_eq(rewrite->ssrc, rig_int(result, "rtpParameters.encodings.0.ssrc"));
    ck_assert_int_eq(rewrite->rtx_ssrc, rig_int(result, "rtpParameters.encodings.0.rtx.ssrc"));
    ck_assert_int_ne(rewrite->ssrc, rewrite->rtx_ssrc);
    ck_assert_int_eq(rewrite->pt_n, 1);
    ck_assert_int_eq(rewrite->pt[0].in, 96);
    ck_assert_int_eq(rewrite->pt[0].out, rig_int(result, "rtpParameters.codecs.0.payloadType"));
    ck_assert_int_eq(rewrite->pt[0].rtx, rig_int(result, "rtpParameters.codecs.1.payloadType"));
    ck_assert_int_eq(rewrite->ext_in.id[RTP_EXT_MID], 3);
    ck_assert_int_eq(rewrite->ext_out.id[RTP_EXT_MID], 1);
    ck_assert_str_eq(rig_text(result, "rtpParameters.mid"), "0");
    ck_assert_uint_eq(rewrite->mid_bytes, 1);
    ck_assert(open->nack);
    ck_assert(open->paused);
    ck_assert_uint_ge(open->seq_first, 2);
    ck_assert_uint_lt(open->seq_first, 1 << 15);
    ck_assert_str_eq(open->cname, "abc");
    ck_assert_int_eq(rig_int(result, "score.score"), 10);

    /* What is kept as a shared text comes out as it was. */
    json_t *dump = rig_ok(&rig, "consumer.dump", "{'consumerId':'c'}");
    ck_assert(json_equal(rig_at(result, "rtpParameters"), rig_at(dump, "rtpParameters")));
    ck_assert_int_eq(rig_int(dump, "appData.n"), 5);
    json_decref(dump);
    json_decref(result);

    rig_fails(&rig, RPC_PARAMS, NULL, "transport.consume",
              "{'transportId':'t','producerId':'p','rtpCapabilities':{'codecs':[]}}");
    rig_fails(&rig, RPC_PARAMS, "rtpCapabilities", "transport.consume",
              "{'transportId':'t','producerId':'p'}");
    rig_fails(&rig, RPC_UNSUPPORTED, "pipe", "transport.consume",
              "{'transportId':'t','producerId':'p','pipe':true,'rtpCapabilities':%s}",
              rig_capabilities);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* Audio without NACK; siblings share their text. */
START_TEST(test_consume_audio)
{
    rig_room(&rig);
    consume("c0", "a");
    const struct command_consumer_open *open =
        &fake_last(home(), COMMAND_CONSUMER_OPEN)->consumer_open;
    ck_assert(!open->nack);
    ck_assert_uint_eq(open->rewrite.rtx_ssrc, 0);
    ck_assert_uint_eq(open->rewrite.pt[0].rtx, REWRITE_PT_NONE);
    size_t texts = rig.control->model.texts.n;
    consume("c1", "a");
    consume("c2", "a");
    ck_assert_uint_eq(rig.control->model.texts.n, texts);
    json_t *dump = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    ck_assert_uint_eq(json_array_size(rig_at(dump, "mapSsrcConsumerId")), 3);
    json_decref(dump);
}

END_TEST

/* A caller who has negotiated himself: in a router that knows no codec, used as given. */
START_TEST(test_verbatim)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'t','listenInfo':{'ip':'127.0.0.1'}}");
    static const char params[] =
        "{'codecs':[{'mimeType':'video/H264','payloadType':%d,'clockRate':90000,'parameters':{"
        "'packetization-mode':1},'rtcpFeedback':[{'type':'nack'}]}],'encodings':[{'ssrc':%d}],"
        "'rtcp':{'cname':'own'}}";
    char in[512], out[512];
    sprintf(in, params, 125, 77);
    sprintf(out, params, 101, 88);
    rig_do(&rig, "transport.produce",
           "{'transportId':'t','id':'p','kind':'video','rtpParameters':%s,'rtpMapping':{'codecs':[{"
           "'payloadType':125,'mappedPayloadType':101}],'encodings':[{'ssrc':77,'mappedSsrc':5}]}}",
           in);
    rig_fails(&rig, RPC_PARAMS, "rtpParameters", "transport.consume",
              "{'transportId':'t','producerId':'p','rtpCapabilities':%s}", rig_capabilities);
    json_t *result = rig_ok(&rig, "transport.consume",
                            "{'transportId':'t','id':'c','producerId':'p','type':'simple',"
                            "'rtpParameters':%s,'consumableRtpEncodings':[{'ssrc':5}]}",
                            out);
    const struct rewrite *rewrite =
        &fake_last(home(), COMMAND_CONSUMER_OPEN)->consumer_open.rewrite;
    ck_assert_uint_eq(rewrite->ssrc, 88);
    ck_assert_uint_eq(rewrite->pt[0].in, 125);
    ck_assert_uint_eq(rewrite->pt[0].out, 101);
    json_decref(result);
    result = rig_ok(&rig, "consumer.dump", "{'consumerId':'c'}");
    ck_assert_int_eq(rig_int(result, "consumableRtpEncodings.0.ssrc"), 5);
    ck_assert_int_eq(rig_int(result, "rtpParameters.encodings.0.ssrc"), 88);
    json_decref(result);
    rig_fails(&rig, RPC_EXISTS, "rtpParameters.encodings[0]", "transport.consume",
              "{'transportId':'t','producerId':'p','rtpParameters':%s}", out);
    sprintf(out, params, 99, 89);
    rig_fails(&rig, RPC_PARAMS, "rtpParameters.codecs", "transport.consume",
              "{'transportId':'t','producerId':'p','rtpParameters':%s}", out);
}

END_TEST

START_TEST(test_verbs)
{
    rig_room(&rig);
    consume("c", "p");
    rig_do(&rig, "consumer.pause", "{'consumerId':'c'}");
    rig_do(&rig, "consumer.resume", "{'consumerId':'c'}");
    rig_do(&rig, "consumer.requestKeyFrame", "{'consumerId':'c'}");
    rig_do(&rig, "consumer.setPriority", "{'consumerId':'c','priority':7}");
    rig_fails(&rig, RPC_PARAMS, "priority", "consumer.setPriority",
              "{'consumerId':'c','priority':0}");
    rig_do(&rig, "consumer.enableTraceEvent", "{'consumerId':'c','types':['nack','rtp']}");
    ck_assert_uint_eq(fake_last(home(), COMMAND_TRACE_EVENTS)->trace_events.bits,
                      TRACE_BIT_NACK | TRACE_BIT_RTP);
    rig_fails(&rig, RPC_PARAMS, "types", "consumer.enableTraceEvent",
              "{'consumerId':'c','types':['sr']}");
    rig_do(&rig, "producer.enableTraceEvent", "{'producerId':'p','types':['sr']}");
    rig_do(&rig, "transport.enableTraceEvent", "{'transportId':'t'}");
    rig_fails(&rig, RPC_UNSUPPORTED, "types", "transport.enableTraceEvent",
              "{'transportId':'t','types':['bwe']}");
    ck_assert_uint_eq(fake_commands_n(home(), COMMAND_CONSUMER_KEYFRAME), 1);
    json_t *dump = rig_ok(&rig, "consumer.dump", "{'consumerId':'c'}");
    ck_assert_int_eq(rig_int(dump, "priority"), 7);
    ck_assert_str_eq(rig_text(dump, "traceEventTypes.0"), "nack");
    json_decref(dump);

    rig_do(&rig, "producer.pause", "{'producerId':'p'}");
    rig_do(&rig, "producer.pause", "{'producerId':'p'}"); /* told once */
    json_t *note = rig_note(&rig, &rig.client, "consumer.producerpause");
    ck_assert_str_eq(rig_text(note, "consumerId"), "c");
    json_decref(note);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "consumer.producerpause"));
    rig_do(&rig, "producer.resume", "{'producerId':'p'}");
    json_decref(rig_note(&rig, &rig.client, "consumer.producerresume"));

    json_t *stats = rig_ok(&rig, "consumer.getStats", "{'consumerId':'c'}");
    ck_assert_str_eq(rig_text(stats, "0.type"), "outbound-rtp");
    ck_assert_str_eq(rig_text(stats, "1.type"), "inbound-rtp");
    ck_assert_int_eq(rig_int(stats, "0.packetCount"), 12);
    ck_assert_str_eq(rig_text(stats, "0.mimeType"), "video/VP8");
    json_decref(stats);
    stats = rig_ok(&rig, "producer.getStats", "{'producerId':'p'}");
    ck_assert_int_eq(rig_int(stats, "0.packetsLost"), 3);
    json_decref(stats);
}

END_TEST

/* ---- ends ---- */

static void expect_note(struct rig_client *client, const char *method, const char *key,
                        const char *id)
{
    json_t *note = rig_note(&rig, client, method);
    ck_assert_msg(note != NULL, "no %s", method);
    ck_assert_str_eq(rig_text(note, key), id);
    json_decref(note);
}

START_TEST(test_cascade_router)
{
    rig_room(&rig);
    consume("c", "p");
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_note(&rig.client, "consumer.transportclose", "consumerId", "c");
    expect_note(&rig.client, "producer.transportclose", "producerId", "p");
    expect_note(&rig.client, "producer.transportclose", "producerId", "a");
    expect_note(&rig.client, "transport.routerclose", "transportId", "t");
    expect_note(&rig.client, "router.close", "routerId", "r");
    ck_assert_uint_eq(json_array_size(rig.client.notes), 0);
    expect_empty();
}

END_TEST

/* A producer's transport goes: consumers on other transports go with the producer. */
START_TEST(test_cascade_transport)
{
    rig_room(&rig);
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'u','listenInfo':{'ip':'127.0.0.1'}}");
    consume("c", "p");
    rig_do(&rig, "transport.consume",
           "{'transportId':'u','id':'d','producerId':'p','rtpCapabilities':%s}", rig_capabilities);
    rig_do(&rig, "transport.close", "{'transportId':'t'}");
    expect_note(&rig.client, "consumer.transportclose", "consumerId", "c");
    expect_note(&rig.client, "consumer.producerclose", "consumerId", "d");
    expect_note(&rig.client, "transport.close", "transportId", "t");
    json_t *dump = rig_ok(&rig, "router.dump", "{'routerId':'r'}");
    ck_assert_uint_eq(json_array_size(rig_at(dump, "transportIds")), 1);
    ck_assert_uint_eq(json_array_size(rig_at(dump, "mapConsumerIdProducerId")), 0);
    json_decref(dump);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* An index is used again only when its close is back, so that events find nobody else. */
START_TEST(test_index_reuse)
{
    rig_room(&rig);
    consume("c", "p");
    uint32_t index = fake_last(home(), COMMAND_CONSUMER_OPEN)->index;
    fake_hold(home(), true);
    rig_request(&rig, &rig.client, "consumer.close", "{'consumerId':'c'}");
    rig_request(&rig, &rig.client, "transport.consume",
                "{'transportId':'t','id':'c','producerId':'p','rtpCapabilities':%s}",
                rig_capabilities);
    rig_settle(&rig);
    ck_assert_uint_ne(fake_last(home(), COMMAND_CONSUMER_OPEN)->index, index);
    struct outcome event = {.event = EVENT_SCORE, .object = OBJECT_CONSUMER, .index = index};
    fake_event(home(), &event);
    rig_settle(&rig);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "consumer.score"));
    fake_hold(home(), false);
    rig_settle(&rig);
    consume("e", "p");
    ck_assert_uint_eq(fake_last(home(), COMMAND_CONSUMER_OPEN)->index, index);
}

END_TEST

/* A thousand consumers come and go: nothing is left, and all of a worker's places come round. */
START_TEST(test_many)
{
    rig_room(&rig);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++)
            rig_request(&rig, &rig.client, "transport.consume",
                        "{'transportId':'t','producerId':'a','rtpCapabilities':%s}",
                        rig_capabilities);
        for (int i = 0; i < 20; i++)
            rig_settle(&rig);
        rig_read(&rig, &rig.client);
        ck_assert_uint_eq(json_array_size(rig.client.answers), 1000);
        json_array_clear(rig.client.answers);
        json_array_clear(rig.client.notes);
        ck_assert_uint_eq(fake_open_n(home(), OBJECT_CONSUMER), 1000);
        rig_do(&rig, "producer.close", "{'producerId':'a'}");
        ck_assert_uint_eq(fake_open_n(home(), OBJECT_CONSUMER), 0);
        rig_do(&rig, "transport.produce",
               "{'transportId':'t','id':'a','kind':'audio','rtpParameters':{'codecs':[{'mimeType':"
               "'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{"
               "'ssrc':2222}]}}");
    }
    rig_do(&rig, "router.close", "{'routerId':'r'}");
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

/* ---- events ---- */

START_TEST(test_events)
{
    rig_room(&rig);
    consume("c", "p");
    uint32_t consumer = fake_last(home(), COMMAND_CONSUMER_OPEN)->index;
    uint32_t transport = fake_last(home(), COMMAND_TRANSPORT_OPEN)->index;
    struct outcome event = {.event = EVENT_TUPLE, .object = OBJECT_TRANSPORT, .index = transport};
    ck_assert_int_eq(addr_parse(&event.tuple, "192.0.2.9", 4444), 0);
    fake_event(home(), &event);
    json_t *note = rig_note(&rig, &rig.client, "transport.tuple");
    ck_assert_str_eq(rig_text(note, "tuple.remoteIp"), "192.0.2.9");
    ck_assert_int_eq(rig_int(note, "tuple.remotePort"), 4444);
    json_decref(note);

    event = (struct outcome){.event = EVENT_SCORE,
                             .object = OBJECT_CONSUMER,
                             .index = consumer,
                             .score = {.encodings_n = 2, .score = {7, 8}}};
    fake_event(home(), &event);
    note = rig_note(&rig, &rig.client, "consumer.score");
    ck_assert_int_eq(rig_int(note, "score.score"), 7);
    ck_assert_int_eq(rig_int(note, "score.producerScore"), 10);
    json_decref(note);

    event = (struct outcome){.event = EVENT_SCORE,
                             .object = OBJECT_PRODUCER,
                             .index = 0,
                             .score = {.encodings_n = 1, .score = {6}, .ssrc = {1111}}};
    fake_event(home(), &event);
    note = rig_note(&rig, &rig.client, "producer.score");
    ck_assert_str_eq(rig_text(note, "producerId"), "p");
    ck_assert_int_eq(rig_int(note, "score.0.score"), 6);
    json_decref(note);

    event = (struct outcome){.event = EVENT_TRACE,
                             .object = OBJECT_CONSUMER,
                             .index = consumer,
                             .trace = {.bit = TRACE_BIT_RTP, .out = true, .seq = 9, .ssrc = 5}};
    fake_event(home(), &event);
    note = rig_note(&rig, &rig.client, "consumer.trace");
    ck_assert_str_eq(rig_text(note, "trace.type"), "rtp");
    ck_assert_str_eq(rig_text(note, "trace.direction"), "out");
    ck_assert_int_eq(rig_int(note, "trace.info.rtpPacket.sequenceNumber"), 9);
    json_decref(note);

    event = (struct outcome){.event = EVENT_SOCKET_DEAD, .object = OBJECT_SOCKET, .index = 0};
    fake_event(home(), &event);
    json_decref(rig_note(&rig, &rig.client, "transport.socketdead"));
    /* Nonsense finds nobody. */
    event = (struct outcome){.event = EVENT_SCORE, .object = OBJECT_CONSUMER, .index = 3999};
    fake_event(home(), &event);
    event.object = OBJECT_KIND_N;
    fake_event(home(), &event);
    rig_settle(&rig);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "consumer.score"));
}

END_TEST

/* Who made an object hears of it; others when they ask, for all or for single ids; and not when
 * they say so. */
START_TEST(test_subscriptions)
{
    struct rig_client other;
    rig_room(&rig);
    rig_connect(&rig, &other);
    rig_do(&rig, "producer.pause", "{'producerId':'p'}");
    rig_read(&rig, &other);
    ck_assert_uint_eq(json_array_size(other.notes), 0);
    json_decref(rig_answer(
        &rig, &other,
        rig_request(&rig, &other, "server.subscribe", "{'events':['consumer.*'],'ids':['c1']}")));
    consume("c0", "p");
    consume("c1", "p");
    rig_do(&rig, "producer.resume", "{'producerId':'p'}");
    expect_note(&other, "consumer.producerresume", "consumerId", "c1");
    ck_assert_ptr_null(rig_note(&rig, &other, "consumer.producerresume"));
    rig_do(&rig, "server.unsubscribe", "{'events':['consumer.producerpause']}");
    json_decref(rig_note(&rig, &rig.client, "consumer.producerresume"));
    json_decref(rig_note(&rig, &rig.client, "consumer.producerresume"));
    rig_do(&rig, "producer.pause", "{'producerId':'p'}");
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "consumer.producerpause"));
    expect_note(&other, "consumer.producerpause", "consumerId", "c1");
    json_decref(rig_answer(
        &rig, &other,
        rig_request(&rig, &other, "server.unsubscribe", "{'events':['*'],'ids':['c1']}")));
    rig_do(&rig, "producer.resume", "{'producerId':'p'}");
    ck_assert_ptr_null(rig_note(&rig, &other, "consumer.producerresume"));
    rig_fails(&rig, RPC_PARAMS, "events", "server.subscribe", "{'events':['nothing']}");
    rig_fails(&rig, RPC_PARAMS, "events", "server.subscribe", "{}");
    rig_disconnect(&rig, &other);
}

END_TEST

/* A worker's engine fails: its rooms end, the other worker goes on; with the last one the relay
 * ends. */
START_TEST(test_worker_dies)
{
    rig_room(&rig);
    rig_do(&rig, "router.create", "{'id':'other','workerIndex':1}");
    fake_hold(home(), true);
    int stuck = rig_request(&rig, &rig.client, "producer.pause", "{'producerId':'p'}");
    struct outcome event = {.event = EVENT_ENGINE_DEAD};
    rig_settle(&rig);
    fake_event(home(), &event);
    json_t *answer = rig_answer(&rig, &rig.client, stuck);
    ck_assert_int_eq(rig_int(answer, "error.code"), RPC_STATE);
    json_decref(answer);
    expect_note(&rig.client, "router.workerclose", "routerId", "r");
    rig_do(&rig, "router.dump", "{'routerId':'other'}");
    rig_fails(&rig, RPC_STATE, "workerIndex", "router.create", "{'workerIndex':0}");
    json_t *result = rig_ok(&rig, "router.create", "{}");
    ck_assert_int_eq(rig_int(result, "workerIndex"), 1);
    json_decref(result);
    ck_assert(control_turn(rig.control, 0));
    fake_event(fake_worker(1), &event);
    rig_settle(&rig);
    ck_assert(!control_turn(rig.control, 0));
    ck_assert(rig.control->failed);
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
    tcase_add_loop_test(tc, test_bad_connect, 0, (int)ARRAY_N(bad_connect));
    tcase_add_test(tc, test_shared);
    tcase_add_test(tc, test_open_fails);
    tcase_add_test(tc, test_pipelined);
    tcase_add_test(tc, test_produce);
    tcase_add_test(tc, test_producer_command);
    tcase_add_test(tc, test_consume);
    tcase_add_test(tc, test_consume_audio);
    tcase_add_test(tc, test_verbatim);
    tcase_add_test(tc, test_verbs);
    tcase_add_test(tc, test_cascade_router);
    tcase_add_test(tc, test_cascade_transport);
    tcase_add_test(tc, test_index_reuse);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_events);
    tcase_add_test(tc, test_subscriptions);
    tcase_add_test(tc, test_worker_dies);
    tcase_add_test(tc, test_ids_by_kind);
    suite_add_tcase(suite, tc);
    return suite;
}
