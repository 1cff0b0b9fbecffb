/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_webrtc_test.c - WebRTC transports over the control socket: what the worker is told, what
 * controllers are answered, what they hear when ICE and DTLS go on. */
#include "ctl/candidates.h"
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <errno.h>
#include <stdio.h>

static struct rig rig;

static void setup(void)
{
    rig_start(&rig, 1);
    rig_do(&rig, "router.create",
           "{'id':'r','mediaCodecs':[{'kind':'audio','mimeType':'audio/opus','clockRate':48000,"
           "'channels':2},{'kind':'video','mimeType':'video/VP8','clockRate':90000}]}");
}

static void teardown(void)
{
    rig_stop(&rig);
}

static struct worker *home(void)
{
    return fake_worker(0);
}

static void expect_empty(void)
{
    static const char *const kinds[] = {"routers",       "transports", "producers", "consumers",
                                        "webRtcServers", "sockets",    "commands",  "texts"};
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    json_t *census = rig_ok(&rig, "server.census", "{}");
    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        ck_assert_msg(rig_int(census, kinds[i]) == 0, "%s are left", kinds[i]);
    json_decref(census);
    for (size_t kind = OBJECT_SOCKET; kind < OBJECT_KIND_N; kind++) {
        ck_assert_uint_eq(fake_open_n(home(), (enum object_kind)kind), 0);
        ck_assert_uint_eq(rig.control->model.places[0].of[kind].used_n, 0);
    }
}

static const char fingerprint_256[] =
    "01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:"
    "EF";
static const char fingerprint_1[] = "01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67";

/* "t" with a UDP and a TCP socket; its port of UDP, its index in the worker. */
static void make(uint16_t *port, uint32_t *index)
{
    json_t *result = rig_ok(&rig, "transport.createWebRtc",
                            "{'routerId':'r','id':'t','listenInfos':[{'protocol':'udp','ip':"
                            "'127.0.0.1'},{'protocol':'tcp','ip':'127.0.0.1'}]}");
    *port = (uint16_t)rig_int(result, "iceCandidates.0.port");
    *index = fake_last(home(), COMMAND_TRANSPORT_OPEN)->index;
    json_decref(result);
}

static void connect_t(void)
{
    rig_do(&rig, "transport.connect",
           "{'transportId':'t','dtlsParameters':{'role':'client','fingerprints':[{'algorithm':"
           "'sha-256','value':'%s'}]}}",
           fingerprint_256);
}

/* ---- createWebRtc ---- */

START_TEST(test_create)
{
    json_t *result = rig_ok(
        &rig, "transport.createWebRtc",
        "{'routerId':'r','id':'t','listenInfos':[{'protocol':'udp','ip':'127.0.0.1'},{'protocol':"
        "'tcp','ip':'127.0.0.1'}],'initialAvailableOutgoingBitrate':1000000,'appData':{'x':1}}");
    ck_assert_str_eq(rig_text(result, "id"), "t");
    ck_assert_str_eq(rig_text(result, "iceRole"), "controlled");
    ck_assert_str_eq(rig_text(result, "iceState"), "new");
    ck_assert_str_eq(rig_text(result, "dtlsState"), "new");
    ck_assert(json_is_true(rig_at(result, "iceParameters.iceLite")));
    ck_assert_uint_eq(strlen(rig_text(result, "iceParameters.usernameFragment")), 32);
    ck_assert_uint_eq(strlen(rig_text(result, "iceParameters.password")), 32);
    ck_assert_str_eq(rig_text(result, "dtlsParameters.role"), "auto");
    static const char *const hashes[] = {"sha-1", "sha-224", "sha-256", "sha-384", "sha-512"};
    static const size_t lengths[] = {20, 28, 32, 48, 64};
    for (size_t i = 0; i < 5; i++) {
        json_t *entry = json_array_get(rig_at(result, "dtlsParameters.fingerprints"), i);
        ck_assert_str_eq(rig_text(entry, "algorithm"), hashes[i]);
        ck_assert_uint_eq(strlen(rig_text(entry, "value")), 3 * lengths[i] - 1);
    }
    ck_assert_ptr_null(rig_at(result, "sctpParameters"));
    ck_assert_ptr_null(rig_at(result, "iceSelectedTuple"));

    const struct command *command = fake_last(home(), COMMAND_TRANSPORT_OPEN);
    const struct command_webrtc_open *open = &command->transport_open.webrtc;
    ck_assert_int_eq(command->transport_open.kind, TRANSPORT_WEBRTC);
    ck_assert(command->transport_open.srtp_wanted);
    ck_assert_int_eq(open->consent_us, 30000000);
    ck_assert_uint_eq(open->sockets_n, 2);
    ck_assert_uint_eq(open->credentials.ufrag_bytes, 32);
    ck_assert_mem_eq(open->credentials.ufrag, rig_text(result, "iceParameters.usernameFragment"),
                     32);
    ck_assert_mem_eq(open->credentials.pwd, rig_text(result, "iceParameters.password"), 32);
    const struct command *socket = fake_last(home(), COMMAND_SOCKET_OPEN);
    ck_assert_int_eq(socket->socket_open.kind, SOCKET_TCP);
    ck_assert(!socket->socket_open.shared);

    json_t *dump = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    ck_assert_str_eq(rig_text(dump, "type"), "webrtc");
    ck_assert_int_eq(rig_int(dump, "appData.x"), 1);
    ck_assert(json_equal(rig_at(dump, "iceCandidates"), rig_at(result, "iceCandidates")));
    ck_assert(json_equal(rig_at(dump, "iceParameters"), rig_at(result, "iceParameters")));
    ck_assert_ptr_null(rig_at(dump, "tuple"));
    json_decref(dump);
    json_decref(result);
    rig_do(&rig, "transport.close", "{'transportId':'t'}");
    expect_empty();
}

END_TEST

/* mediasoup's: 64 << 24 | local preference << 8 | 255. */
START_TEST(test_priorities)
{
    ck_assert_uint_eq(candidate_priority(0, false), 1076302079u);
    ck_assert_uint_eq(candidate_priority(1, false), 1076276479u);
    ck_assert_uint_eq(candidate_priority(0, true), 1076558079u);
}

END_TEST

static void candidate_is(const json_t *result, size_t i, const char *address, bool tcp,
                         int64_t priority)
{
    json_t *candidate = json_array_get(rig_at(result, "iceCandidates"), i);
    ck_assert_str_eq(rig_text(candidate, "foundation"), tcp ? "tcpcandidate" : "udpcandidate");
    ck_assert_str_eq(rig_text(candidate, "protocol"), tcp ? "tcp" : "udp");
    ck_assert_str_eq(rig_text(candidate, "address"), address);
    ck_assert_str_eq(rig_text(candidate, "ip"), address);
    ck_assert_str_eq(rig_text(candidate, "type"), "host");
    ck_assert_int_eq(rig_int(candidate, "priority"), priority);
    ck_assert_int_gt(rig_int(candidate, "port"), 0);
    ck_assert(tcp == (rig_at(candidate, "tcpType") != NULL));
    if (tcp)
        ck_assert_str_eq(rig_text(candidate, "tcpType"), "passive");
}

START_TEST(test_candidates)
{
    json_t *result =
        rig_ok(&rig, "transport.createWebRtc",
               "{'routerId':'r','preferTcp':true,'listenInfos':[{'protocol':'udp','ip':'127.0.0.1',"
               "'announcedAddress':'relay.example','exposeInternalIp':true},{'protocol':'tcp','ip':"
               "'127.0.0.1','announcedAddress':'203.0.113.5'},{'ip':'0.0.0.0','announcedIp':"
               "'2001:db8::5'}]}");
    ck_assert_uint_eq(json_array_size(rig_at(result, "iceCandidates")), 4);
    candidate_is(result, 0, "relay.example", false, 1076302079);
    candidate_is(result, 1, "127.0.0.1", false, 1076302079 - 1000);
    candidate_is(result, 2, "203.0.113.5", true, 1076276479);
    candidate_is(result, 3, "2001:db8::5", false, 1076250879);
    json_decref(result);
    result = rig_ok(&rig, "transport.createWebRtc",
                    "{'routerId':'r','enableUdp':false,'iceConsentTimeout':0,'listenInfos':[{"
                    "'protocol':'udp','ip':'127.0.0.1'},{'protocol':'tcp','ip':'127.0.0.1'}]}");
    ck_assert_uint_eq(json_array_size(rig_at(result, "iceCandidates")), 1);
    candidate_is(result, 0, "127.0.0.1", true, 1076276479); /* keeps its rank */
    const struct command *open = fake_last(home(), COMMAND_TRANSPORT_OPEN);
    ck_assert_uint_eq(open->transport_open.webrtc.sockets_n, 1);
    ck_assert_int_eq(open->transport_open.webrtc.consent_us, 0);
    json_decref(result);
    expect_empty();
}

END_TEST

struct bad_row {
    const char *path, *params;
};

static const struct bad_row bad_create[] = {
    {"listenInfos", "'id':'t'"},
    {"listenInfos", "'listenInfos':[]"},
    {"listenInfos", "'listenInfos':'127.0.0.1'"},
    {"listenInfos", "'listenInfos':[{},{},{},{},{},{},{},{},{}]"},
    {"listenInfos[0]", "'listenInfos':['127.0.0.1']"},
    {"listenInfos[0].ip", "'listenInfos':[{'protocol':'udp'}]"},
    {"listenInfos[1].ip", "'listenInfos':[{'ip':'127.0.0.1'},{'ip':'localhost'}]"},
    {"listenInfos[0].protocol", "'listenInfos':[{'ip':'127.0.0.1','protocol':'sctp'}]"},
    {"listenInfos[0].port", "'listenInfos':[{'ip':'127.0.0.1','port':65536}]"},
    {"listenInfos[0].extra", "'listenInfos':[{'ip':'127.0.0.1','extra':1}]"},
    {"listenInfos[0].flags.shared", "'listenInfos':[{'ip':'127.0.0.1','flags':{'shared':true}}]"},
    {"listenInfos[0].portRange.step",
     "'listenInfos':[{'ip':'127.0.0.1','portRange':{'min':1,'max':2,'step':1}}]"},
    {"listenInfos[0].portRange.max",
     "'listenInfos':[{'ip':'127.0.0.1','portRange':{'min':9,'max':8}}]"},
    {"listenInfos[0].announcedAddress", "'listenInfos':[{'ip':'0.0.0.0'}]"},
    {"listenInfos[0].announcedAddress", "'listenInfos':[{'ip':'::'}]"},
    {"listenInfos[0].announcedAddress",
     "'listenInfos':[{'ip':'127.0.0.1','announcedAddress':'a b'}]"},
    {"listenInfos[0].exposeInternalIp",
     "'listenInfos':[{'ip':'0.0.0.0','announcedAddress':'a','exposeInternalIp':true}]"},
    {"listenInfos[0].exposeInternalIp",
     "'listenInfos':[{'ip':'127.0.0.1','exposeInternalIp':'yes'}]"},
    {"listenInfos[1].ip", "'listenInfos':[{'ip':'127.0.0.1'},{'ip':'192.0.2.1'}]"},
    {"enableUdp", "'enableUdp':1,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"enableTcp", "'enableTcp':'x','listenInfos':[{'ip':'127.0.0.1'}]"},
    {"preferUdp", "'preferUdp':1,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"preferTcp", "'preferTcp':1,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"enableUdp", "'enableUdp':false,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"enableUdp", "'enableUdp':false,'enableTcp':false,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"iceConsentTimeout", "'iceConsentTimeout':9,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"iceConsentTimeout", "'iceConsentTimeout':61,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"initialAvailableOutgoingBitrate",
     "'initialAvailableOutgoingBitrate':-1,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"enableSctp", "'enableSctp':true,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"appData", "'appData':7,'listenInfos':[{'ip':'127.0.0.1'}]"},
    {"id", "'id':'a b','listenInfos':[{'ip':'127.0.0.1'}]"},
    {"comedia", "'comedia':true,'listenInfos':[{'ip':'127.0.0.1'}]"},
};

START_TEST(test_bad_create)
{
    rig_fails(&rig, RPC_PARAMS, bad_create[_i].path, "transport.createWebRtc",
              "{'routerId':'r',%s}", bad_create[_i].params);
    expect_empty();
}

END_TEST

/* Ids, ports, limits, a relay that drains, a worker that cannot. */
START_TEST(test_refused)
{
    uint16_t port = 0;
    uint32_t index = 0;
    make(&port, &index);
    rig_fails(&rig, RPC_EXISTS, "id", "transport.createWebRtc",
              "{'routerId':'r','id':'t','listenInfos':[{'ip':'127.0.0.1'}]}");
    rig_fails(&rig, RPC_EXISTS, "listenInfos[1].port", "transport.createWebRtc",
              "{'routerId':'r','listenInfos':[{'ip':'127.0.0.1'},{'ip':'127.0.0.1','port':%u}]}",
              port);
    rig_fails(&rig, RPC_NOT_FOUND, "routerId", "transport.createWebRtc",
              "{'routerId':'none','listenInfos':[{'ip':'127.0.0.1'}]}");
    rig_fails(&rig, RPC_NOT_FOUND, "webRtcServerId", "transport.createWebRtc",
              "{'routerId':'r','webRtcServerId':'none'}");

    static const enum command_kind kinds[] = {COMMAND_SOCKET_OPEN, COMMAND_TRANSPORT_OPEN};

    for (size_t i = 0; i < ARRAY_N(kinds); i++) {
        fake_fail_next(home(), kinds[i], -ENOSPC);
        rig_fails(
            &rig, RPC_FULL, NULL, "transport.createWebRtc",
            "{'routerId':'r','id':'u','listenInfos':[{'ip':'127.0.0.1'},{'ip':'127.0.0.1'}]}");
        rig_fails(&rig, RPC_NOT_FOUND, NULL, "transport.dump", "{'transportId':'u'}");
    }
    for (int i = 0; i < 31; i++) /* two sockets each: 64 are all that there are */
        rig_do(&rig, "transport.createWebRtc",
               "{'routerId':'r','listenInfos':[{'ip':'127.0.0.1'},{'ip':'127.0.0.1'}]}");
    rig_fails(&rig, RPC_FULL, NULL, "transport.createWebRtc",
              "{'routerId':'r','listenInfos':[{'ip':'127.0.0.1'}]}");
    rig_do(&rig, "transport.close", "{'transportId':'t'}");
    rig_fails(&rig, RPC_FULL, NULL, "transport.createWebRtc",
              "{'routerId':'r','listenInfos':[{'ip':'127.0.0.1'},{'ip':'127.0.0.1'},{'ip':"
              "'127.0.0.1'}]}");
    rig_do(&rig, "server.drain", "{'seconds':100}");
    rig_fails(&rig, RPC_DRAINING, NULL, "transport.createWebRtc",
              "{'routerId':'r','listenInfos':[{'ip':'127.0.0.1'}]}");
}

END_TEST

/* ---- connect ---- */

struct role_row {
    const char *remote, *local;
    enum dtls_role role;
};

static const struct role_row roles[] = {
    {"'role':'client',", "server", DTLS_ROLE_SERVER},
    {"'role':'server',", "client", DTLS_ROLE_CLIENT},
    {"'role':'auto',", "server", DTLS_ROLE_SERVER},
    {"", "server", DTLS_ROLE_SERVER},
};

START_TEST(test_connect)
{
    uint16_t port = 0;
    uint32_t index = 0;
    make(&port, &index);
    /* The strongest that we know counts, whatever the order. */
    json_t *result = rig_ok(&rig, "transport.connect",
                            "{'transportId':'t','dtlsParameters':{%s'fingerprints':[{'algorithm':"
                            "'sha-1','value':'%s'},{'algorithm':'sha-256','value':'%s'},{"
                            "'algorithm':'sha3-512','value':'00'}]}}",
                            roles[_i].remote, fingerprint_1, fingerprint_256);
    ck_assert_str_eq(rig_text(result, "dtlsLocalRole"), roles[_i].local);
    ck_assert_uint_eq(json_object_size(result), 1);
    json_decref(result);
    const struct command *command = fake_last(home(), COMMAND_TRANSPORT_CONNECT);
    const struct command_webrtc_connect *told = &command->transport_connect.webrtc;
    ck_assert_int_eq(told->role, roles[_i].role);
    ck_assert_int_eq(told->fingerprint.hash, FINGERPRINT_SHA256);
    ck_assert_uint_eq(told->fingerprint.bytes[1], 0x23);
    ck_assert_uint_eq(told->fingerprint.bytes[31], 0xef);
    json_t *dump = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    ck_assert_str_eq(rig_text(dump, "dtlsParameters.role"), roles[_i].local);
    ck_assert(json_is_true(rig_at(dump, "connected")));
    json_decref(dump);
    rig_fails(&rig, RPC_STATE, NULL, "transport.connect",
              "{'transportId':'t','dtlsParameters':{'fingerprints':[{'algorithm':'sha-1','value':"
              "'%s'}]}}",
              fingerprint_1);
    expect_empty();
}

END_TEST

#define GOOD                                                                                       \
    "{'algorithm':'sha-1','value':'01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67'}"

static const struct bad_row bad_connect[] = {
    {"dtlsParameters", "'transportId':'t'"},
    {"dtlsParameters", "'dtlsParameters':7"},
    {"dtlsParameters.fingerprints", "'dtlsParameters':{}"},
    {"dtlsParameters.fingerprints", "'dtlsParameters':{'fingerprints':[]}"},
    {"dtlsParameters.fingerprints", "'dtlsParameters':{'fingerprints':{}}"},
    {"dtlsParameters.fingerprints[0]", "'dtlsParameters':{'fingerprints':[1]}"},
    {"dtlsParameters.fingerprints[0].algorithm", "'dtlsParameters':{'fingerprints':[{}]}"},
    {"dtlsParameters.fingerprints[0].value",
     "'dtlsParameters':{'fingerprints':[{'algorithm':'sha-1'}]}"},
    {"dtlsParameters.fingerprints[1].value",
     "'dtlsParameters':{'fingerprints':[" GOOD ",{'algorithm':'sha-256','value':'01:23'}]}"},
    {"dtlsParameters.fingerprints[0].extra",
     "'dtlsParameters':{'fingerprints':[{'algorithm':'sha-1','value':'00','extra':1}]}"},
    {"dtlsParameters.fingerprints",
     "'dtlsParameters':{'fingerprints':[{'algorithm':'md5','value':'00:11'}]}"},
    {"dtlsParameters.role", "'dtlsParameters':{'role':'passive','fingerprints':[" GOOD "]}"},
    {"dtlsParameters.extra", "'dtlsParameters':{'extra':1,'fingerprints':[" GOOD "]}"},
    {"ip", "'ip':'127.0.0.1','dtlsParameters':{'fingerprints':[" GOOD "]}"},
    {"port", "'port':5000,'dtlsParameters':{'fingerprints':[" GOOD "]}"},
    {"srtpParameters", "'srtpParameters':{},'dtlsParameters':{'fingerprints':[" GOOD "]}"},
};

START_TEST(test_bad_connect)
{
    uint16_t port = 0;
    uint32_t index = 0;
    make(&port, &index);
    rig_fails(&rig, RPC_PARAMS, bad_connect[_i].path, "transport.connect", "{'transportId':'t',%s}",
              strncmp(bad_connect[_i].params, "'transportId'", 13) == 0 ? "'port':null"
                                                                        : bad_connect[_i].params);
    connect_t();
    expect_empty();
}

END_TEST

/* What the worker refuses may be tried again; keys and addresses are for plain ones, DTLS for
 * WebRTC ones. */
START_TEST(test_connect_refused)
{
    uint16_t port = 0;
    uint32_t index = 0;
    make(&port, &index);
    fake_fail_next(home(), COMMAND_TRANSPORT_CONNECT, -ENOMEM);
    rig_fails(&rig, RPC_INTERNAL, NULL, "transport.connect",
              "{'transportId':'t','dtlsParameters':{'fingerprints':[" GOOD "]}}");
    json_t *dump = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    ck_assert_str_eq(rig_text(dump, "dtlsParameters.role"), "auto");
    json_decref(dump);
    connect_t();
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'plain','listenInfo':{'ip':'127.0.0.1'}}");
    rig_fails(&rig, RPC_PARAMS, "dtlsParameters", "transport.connect",
              "{'transportId':'plain','ip':'127.0.0.1','port':5000,'dtlsParameters':{'fingerprints'"
              ":[" GOOD "]}}");
    rig_fails(&rig, RPC_STATE, "transportId", "transport.restartIce", "{'transportId':'plain'}");
    expect_empty();
}

END_TEST

/* ---- restartIce ---- */

START_TEST(test_restart)
{
    uint16_t port = 0;
    uint32_t index = 0;
    make(&port, &index);
    json_t *before = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    json_t *result = rig_ok(&rig, "transport.restartIce", "{'transportId':'t'}");
    json_t *after = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    ck_assert_str_ne(rig_text(before, "iceParameters.usernameFragment"),
                     rig_text(result, "iceParameters.usernameFragment"));
    ck_assert(json_equal(rig_at(after, "iceParameters"), rig_at(result, "iceParameters")));
    ck_assert(json_is_true(rig_at(result, "iceParameters.iceLite")));
    const struct command *command = fake_last(home(), COMMAND_TRANSPORT_RESTART_ICE);
    ck_assert_mem_eq(command->restart_ice.pwd, rig_text(result, "iceParameters.password"), 32);
    json_decref(before);
    json_decref(result);
    fake_fail_next(home(), COMMAND_TRANSPORT_RESTART_ICE, -EBUSY);
    rig_fails(&rig, RPC_STATE, NULL, "transport.restartIce", "{'transportId':'t'}");
    result = rig_ok(&rig, "transport.dump", "{'transportId':'t'}"); /* the old ones go on */
    ck_assert(json_equal(rig_at(after, "iceParameters"), rig_at(result, "iceParameters")));
    json_decref(result);
    json_decref(after);
    rig_fails(&rig, RPC_PARAMS, "extra", "transport.restartIce", "{'transportId':'t','extra':1}");
    expect_empty();
}

END_TEST

Suite *ctl_webrtc_suite(void)
{
    Suite *suite = suite_create("ctl_webrtc");
    TCase *tc = tcase_create("webrtc");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_create);
    tcase_add_test(tc, test_priorities);
    tcase_add_test(tc, test_candidates);
    tcase_add_loop_test(tc, test_bad_create, 0, (int)ARRAY_N(bad_create));
    tcase_add_test(tc, test_refused);
    tcase_add_loop_test(tc, test_connect, 0, (int)ARRAY_N(roles));
    tcase_add_loop_test(tc, test_bad_connect, 0, (int)ARRAY_N(bad_connect));
    tcase_add_test(tc, test_connect_refused);
    tcase_add_test(tc, test_restart);
    suite_add_tcase(suite, tc);
    return suite;
}
