/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_webrtc_events_test.c - WebRTC transports in use: states by their worker's events, limits
 * of bitrate, media on them, requests that do not wait for each other. */
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <errno.h>
#include <stdio.h>

static struct rig rig;
static uint16_t port;       /* of "t" */
static uint32_t home_index; /* in its worker */

static const char fingerprints[] =
    "'fingerprints':[{'algorithm':'sha-1','value':"
    "'01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67'}]";

static struct worker *home(void)
{
    return fake_worker(0);
}

static void setup(void)
{
    rig_start(&rig, 1);
    rig_do(&rig, "router.create",
           "{'id':'r','mediaCodecs':[{'kind':'audio','mimeType':'audio/opus','clockRate':48000,"
           "'channels':2},{'kind':'video','mimeType':'video/VP8','clockRate':90000}]}");
    json_t *result = rig_ok(
        &rig, "transport.createWebRtc",
        "{'routerId':'r','id':'t','listenInfos':[{'ip':'127.0.0.1','announcedAddress':"
        "'relay.example'},{'protocol':'tcp','ip':'0.0.0.0','announcedAddress':'203.0.113.1'}]}");
    port = (uint16_t)rig_int(result, "iceCandidates.0.port");
    home_index = fake_last(home(), COMMAND_TRANSPORT_OPEN)->index;
    json_decref(result);
}

static void teardown(void)
{
    rig_stop(&rig);
}

static void expect_empty(void)
{
    static const char *const kinds[] = {"routers", "transports", "producers", "consumers",
                                        "sockets", "commands",   "texts"};
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    json_t *census = rig_ok(&rig, "server.census", "{}");
    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        ck_assert_msg(rig_int(census, kinds[i]) == 0, "%s are left", kinds[i]);
    json_decref(census);
    for (size_t kind = OBJECT_SOCKET; kind < OBJECT_KIND_N; kind++)
        ck_assert_uint_eq(fake_open_n(home(), (enum object_kind)kind), 0);
}

static void note_says(const char *method, const char *path, const char *value)
{
    json_t *note = rig_note(&rig, &rig.client, method);
    ck_assert_msg(note != NULL, "no %s", method);
    ck_assert_str_eq(rig_text(note, "transportId"), "t");
    ck_assert_str_eq(rig_text(note, path), value);
    json_decref(note);
}

static void dump_says(const char *path, const char *value)
{
    json_t *dump = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    if (value)
        ck_assert_str_eq(rig_text(dump, path), value);
    else
        ck_assert_ptr_null(rig_at(dump, path));
    json_decref(dump);
}

START_TEST(test_states)
{
    static const char *const ice[] = {"new", "connected", "completed", "disconnected", "closed"};
    static const char *const dtls[] = {"new", "connecting", "connected", "failed", "closed"};
    for (int i = ICE_CONNECTED; i <= ICE_CLOSED; i++) {
        fake_ice(home(), home_index, (enum ice_state)i);
        note_says("transport.icestatechange", "iceState", ice[i]);
        dump_says("iceState", ice[i]);
    }
    for (int i = DTLS_CONNECTING; i <= DTLS_CLOSED; i++) {
        fake_dtls(home(), home_index, (enum dtls_state)i, i == DTLS_CONNECTED ? "PEM text" : NULL);
        note_says("transport.dtlsstatechange", "dtlsState", dtls[i]);
        dump_says("dtlsState", dtls[i]);
    }
    dump_says("dtlsRemoteCert", "PEM text");
    expect_empty();
}

END_TEST

/* The peer's certificate goes with the notification of the state that brings it, and with no other.
 */
START_TEST(test_certificate)
{
    fake_dtls(home(), home_index, DTLS_CONNECTING, NULL);
    json_t *note = rig_note(&rig, &rig.client, "transport.dtlsstatechange");
    ck_assert_ptr_null(rig_at(note, "dtlsRemoteCert"));
    json_decref(note);
    fake_dtls(home(), home_index, DTLS_CONNECTED, "first");
    note_says("transport.dtlsstatechange", "dtlsRemoteCert", "first");
    fake_dtls(home(), home_index, DTLS_CONNECTED, "second"); /* frees the first */
    note_says("transport.dtlsstatechange", "dtlsRemoteCert", "second");
    fake_dtls(home(), home_index, DTLS_FAILED, NULL);
    note = rig_note(&rig, &rig.client, "transport.dtlsstatechange");
    ck_assert_ptr_null(rig_at(note, "dtlsRemoteCert"));
    json_decref(note);
    expect_empty();
}

END_TEST

/* The local address is the announced one of the socket that was hit, found by protocol, port and
 * address; a wildcard socket has any address. */
START_TEST(test_selected)
{
    fake_selected(home(), home_index, "127.0.0.1", port, false);
    json_t *note = rig_note(&rig, &rig.client, "transport.iceselectedtuplechange");
    ck_assert_str_eq(rig_text(note, "iceSelectedTuple.localAddress"), "relay.example");
    ck_assert_str_eq(rig_text(note, "iceSelectedTuple.localIp"), "relay.example");
    ck_assert_str_eq(rig_text(note, "iceSelectedTuple.protocol"), "udp");
    ck_assert_str_eq(rig_text(note, "iceSelectedTuple.remoteIp"), "192.0.2.7");
    ck_assert_int_eq(rig_int(note, "iceSelectedTuple.remotePort"), 50000);
    ck_assert_int_eq(rig_int(note, "iceSelectedTuple.localPort"), port);
    json_decref(note);
    json_t *stats = rig_ok(&rig, "transport.getStats", "{'transportId':'t'}");
    ck_assert_str_eq(rig_text(stats, "0.type"), "webrtc-transport");
    ck_assert_str_eq(rig_text(stats, "0.iceRole"), "controlled");
    ck_assert_str_eq(rig_text(stats, "0.iceState"), "completed");
    ck_assert_str_eq(rig_text(stats, "0.dtlsState"), "connected");
    ck_assert_str_eq(rig_text(stats, "0.srtpCryptoSuite"), "AEAD_AES_128_GCM");
    ck_assert_str_eq(rig_text(stats, "0.iceSelectedTuple.localAddress"), "relay.example");
    ck_assert_int_eq(rig_int(stats, "0.iceTuples"), 2);
    ck_assert_ptr_null(rig_at(stats, "0.tuple"));
    json_decref(stats);

    json_t *dump = rig_ok(&rig, "transport.dump", "{'transportId':'t'}");
    uint16_t tcp_port = (uint16_t)rig_int(dump, "iceCandidates.1.port");
    json_decref(dump);
    fake_selected(home(), home_index, "192.0.2.1", tcp_port, true);
    note_says("transport.iceselectedtuplechange", "iceSelectedTuple.localAddress", "203.0.113.1");
    dump_says("iceSelectedTuple.protocol", "tcp");
    fake_selected(home(), home_index, "192.0.2.1", port, false); /* nobody's: shown as it is */
    note_says("transport.iceselectedtuplechange", "iceSelectedTuple.localAddress", "192.0.2.1");
    fake_ice(home(), home_index, ICE_DISCONNECTED);
    rig_settle(&rig);
    dump_says("iceSelectedTuple", NULL);
    expect_empty();
}

END_TEST

/* Others hear of it only if they have subscribed. */
START_TEST(test_subscriptions)
{
    struct rig_client other;
    rig_connect(&rig, &other);
    fake_ice(home(), home_index, ICE_CONNECTED);
    rig_settle(&rig);
    ck_assert_ptr_null(rig_note(&rig, &other, "transport.icestatechange"));
    json_decref(
        rig_answer(&rig, &other,
                   rig_request(&rig, &other, "server.subscribe", "{'events':['transport.ice*']}")));
    fake_ice(home(), home_index, ICE_COMPLETED);
    fake_dtls(home(), home_index, DTLS_CONNECTING, NULL);
    json_t *note = rig_note(&rig, &other, "transport.icestatechange");
    ck_assert_str_eq(rig_text(note, "iceState"), "completed");
    json_decref(note);
    ck_assert_ptr_null(rig_note(&rig, &other, "transport.dtlsstatechange"));
    rig_do(&rig, "server.unsubscribe", "{'events':['transport.*']}");
    json_array_clear(rig.client.notes);
    fake_dtls(home(), home_index, DTLS_CONNECTED, "unheard");
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "transport.dtlsstatechange"));
    dump_says("dtlsRemoteCert", "unheard");
    rig_disconnect(&rig, &other);
    expect_empty();
}

END_TEST

/* Events about what is not there, or is a plain transport, or comes after the end, do nothing; what
 * they carry is freed. */
START_TEST(test_stray_events)
{
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'plain','listenInfo':{'ip':'127.0.0.1'}}");
    uint32_t plain = fake_last(home(), COMMAND_TRANSPORT_OPEN)->index;
    json_array_clear(rig.client.notes);
    fake_ice(home(), plain, ICE_CONNECTED);
    fake_selected(home(), plain, "127.0.0.1", port, false);
    fake_dtls(home(), plain, DTLS_CONNECTED, "nobody's");
    fake_dtls(home(), 4711, DTLS_CONNECTED, "nobody's");
    struct outcome wrong = {
        .event = EVENT_DTLS_STATE, .object = OBJECT_CONSUMER, .payload = strdup("nobody's")};
    fake_event(home(), &wrong);
    struct outcome tuple = {.event = EVENT_TUPLE, .object = OBJECT_TRANSPORT, .index = home_index};
    fake_event(home(), &tuple);
    rig_settle(&rig);
    rig_read(&rig, &rig.client);
    ck_assert_uint_eq(json_array_size(rig.client.notes), 0);
    fake_hold(home(), true);
    int close = rig_request(&rig, &rig.client, "transport.close", "{'transportId':'t'}");
    rig_settle(&rig);
    fake_dtls(home(), home_index, DTLS_CONNECTED, "too late");
    fake_hold(home(), false);
    json_t *answer = rig_answer(&rig, &rig.client, close);
    ck_assert_ptr_nonnull(rig_at(answer, "result"));
    json_decref(answer);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "transport.dtlsstatechange"));
    expect_empty();
    fake_dtls(home(), 0, DTLS_CONNECTED, "never taken"); /* freed with the relay */
}

END_TEST

/* ---- limits of bitrate ---- */

START_TEST(test_bitrates)
{
    rig_do(&rig, "transport.setMaxIncomingBitrate", "{'transportId':'t','bitrate':1}");
    const struct command_transport_bitrate *told =
        &fake_last(home(), COMMAND_TRANSPORT_BITRATE)->transport_bitrate;
    ck_assert_uint_eq(told->incoming_max, 1);
    ck_assert_uint_eq(told->outgoing_max, UINT32_MAX);
    ck_assert_uint_eq(told->outgoing_min, UINT32_MAX);
    rig_do(&rig, "transport.setMaxOutgoingBitrate", "{'transportId':'t','bitrate':100000}");
    rig_do(&rig, "transport.setMinOutgoingBitrate", "{'transportId':'t','bitrate':100000}");
    ck_assert_uint_eq(told->outgoing_min, 100000);
    rig_fails(&rig, RPC_PARAMS, "bitrate", "transport.setMinOutgoingBitrate",
              "{'transportId':'t','bitrate':100001}");
    rig_fails(&rig, RPC_PARAMS, "bitrate", "transport.setMaxOutgoingBitrate",
              "{'transportId':'t','bitrate':99999}");
    static const char *const outgoing[] = {"transport.setMaxOutgoingBitrate",
                                           "transport.setMinOutgoingBitrate"};
    for (size_t i = 0; i < 2; i++) {
        rig_fails(&rig, RPC_PARAMS, "bitrate", outgoing[i], "{'transportId':'t','bitrate':29999}");
        rig_fails(&rig, RPC_PARAMS, "bitrate", outgoing[i], "{'transportId':'t','bitrate':-1}");
        rig_fails(&rig, RPC_PARAMS, "bitrate", outgoing[i], "{'transportId':'t'}");
        rig_fails(&rig, RPC_PARAMS, "extra", outgoing[i],
                  "{'transportId':'t','bitrate':0,'extra':1}");
        rig_fails(&rig, RPC_NOT_FOUND, "transportId", outgoing[i],
                  "{'transportId':'u','bitrate':0}");
    }
    rig_fails(&rig, RPC_PARAMS, "bitrate", "transport.setMaxIncomingBitrate",
              "{'transportId':'t','bitrate':4294967295}");
    json_t *stats = rig_ok(&rig, "transport.getStats", "{'transportId':'t'}");
    ck_assert_int_eq(rig_int(stats, "0.maxIncomingBitrate"), 1);
    ck_assert_int_eq(rig_int(stats, "0.maxOutgoingBitrate"), 100000);
    ck_assert_int_eq(rig_int(stats, "0.minOutgoingBitrate"), 100000);
    json_decref(stats);
    rig_do(&rig, "transport.setMaxOutgoingBitrate", "{'transportId':'t','bitrate':0}");
    rig_do(&rig, "transport.setMinOutgoingBitrate", "{'transportId':'t','bitrate':5000000}");
    rig_do(&rig, "transport.setMinOutgoingBitrate", "{'transportId':'t','bitrate':0}");
    stats = rig_ok(&rig, "transport.getStats", "{'transportId':'t'}");
    ck_assert_ptr_null(rig_at(stats, "0.maxOutgoingBitrate"));
    json_decref(stats);
    expect_empty();
}

END_TEST

/* They are of every transport, as in mediasoup; what the worker refuses is said. */
START_TEST(test_bitrates_plain)
{
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'plain','listenInfo':{'ip':'127.0.0.1'}}");
    rig_do(&rig, "transport.setMaxIncomingBitrate", "{'transportId':'plain','bitrate':500000}");
    fake_fail_next(home(), COMMAND_TRANSPORT_BITRATE, -ENOMEM);
    rig_fails(&rig, RPC_INTERNAL, NULL, "transport.setMaxOutgoingBitrate",
              "{'transportId':'plain','bitrate':500000}");
    expect_empty();
}

END_TEST

/* ---- media ---- */

START_TEST(test_media)
{
    rig_do(&rig, "transport.connect", "{'transportId':'t','dtlsParameters':{%s}}", fingerprints);
    rig_do(&rig, "transport.produce",
           "{'transportId':'t','id':'p','kind':'audio','rtpParameters':{'mid':'0','codecs':[{"
           "'mimeType':'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings'"
           ":[{'ssrc':2222}],'rtcp':{'cname':'abc'}}}");
    json_t *result = rig_ok(&rig, "transport.createWebRtc",
                            "{'routerId':'r','id':'u','listenInfos':[{'ip':'127.0.0.1'}]}");
    json_decref(result);
    for (int i = 0; i < 3; i++) { /* mids are unique in the transport, and start at 0 in each */
        char mid[16];
        snprintf(mid, sizeof(mid), "%d", i);
        result = rig_ok(&rig, "transport.consume",
                        "{'transportId':'u','id':'c%d','producerId':'p','rtpCapabilities':%s}", i,
                        rig_capabilities);
        ck_assert_str_eq(rig_text(result, "rtpParameters.mid"), mid);
        json_decref(result);
    }
    ck_assert_uint_eq(fake_last(home(), COMMAND_CONSUMER_OPEN)->consumer_open.transport,
                      fake_last(home(), COMMAND_TRANSPORT_OPEN)->index);
    rig_do(&rig, "transport.getStats", "{'transportId':'u'}");
    rig_do(&rig, "transport.close", "{'transportId':'t'}"); /* its producer, that one's consumers */
    for (int i = 0; i < 3; i++)
        json_decref(rig_note(&rig, &rig.client, "consumer.producerclose"));
    json_t *note = rig_note(&rig, &rig.client, "producer.transportclose");
    ck_assert_str_eq(rig_text(note, "producerId"), "p");
    json_decref(note);
    ck_assert_uint_eq(fake_open_n(home(), OBJECT_CONSUMER), 0);
    expect_empty();
}

END_TEST

/* Everything at once, before the worker has done the first of it. */
START_TEST(test_pipelined)
{
    static const char *const lines[][2] = {
        {"transport.createWebRtc", "{'routerId':'r','id':'q','listenInfos':[{'ip':'127.0.0.1'}]}"},
        {"transport.restartIce", "{'transportId':'q'}"},
        {"transport.restartIce", "{'transportId':'q'}"},
        {"transport.setMinOutgoingBitrate", "{'transportId':'q','bitrate':60000}"},
        {"transport.setMaxOutgoingBitrate", "{'transportId':'q','bitrate':50000}"},
        {"router.close", "{'routerId':'r'}"},
        {"transport.dump", "{'transportId':'q'}"},
    };

    static const int codes[] = {0, 0, 0, 0, RPC_PARAMS, 0, RPC_NOT_FOUND};
    int ids[ARRAY_N(lines)];
    fake_hold(home(), true);
    for (size_t i = 0; i < ARRAY_N(lines); i++)
        ids[i] = rig_request(&rig, &rig.client, lines[i][0], "%s", lines[i][1]);
    rig_settle(&rig);
    fake_hold(home(), false);
    for (size_t i = 0; i < ARRAY_N(lines); i++) {
        json_t *answer = rig_answer(&rig, &rig.client, ids[i]);
        ck_assert_ptr_nonnull(answer);
        ck_assert_int_eq(json_integer_value(rig_at(answer, "error.code")), codes[i]);
        json_decref(answer);
    }
    rig_do(&rig, "router.create", "{'id':'r'}");
    expect_empty();
}

END_TEST

/* A socket that receives no more: its transport is told. A worker that dies takes all with it. */
START_TEST(test_deaths)
{
    uint32_t socket = fake_last(home(), COMMAND_SOCKET_OPEN)->index;
    struct outcome dead = {.event = EVENT_SOCKET_DEAD, .object = OBJECT_SOCKET, .index = socket};
    fake_event(home(), &dead);
    note_says("transport.socketdead", "transportId", "t");
    struct outcome engine = {.event = EVENT_ENGINE_DEAD};
    fake_event(home(), &engine);
    note_says("transport.workerclose", "transportId", "t");
}

END_TEST

Suite *ctl_webrtc_events_suite(void)
{
    Suite *suite = suite_create("ctl_webrtc_events");
    TCase *tc = tcase_create("webrtc_events");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_states);
    tcase_add_test(tc, test_certificate);
    tcase_add_test(tc, test_selected);
    tcase_add_test(tc, test_subscriptions);
    tcase_add_test(tc, test_stray_events);
    tcase_add_test(tc, test_bitrates);
    tcase_add_test(tc, test_bitrates_plain);
    tcase_add_test(tc, test_media);
    tcase_add_test(tc, test_pipelined);
    tcase_add_test(tc, test_deaths);
    suite_add_tcase(suite, tc);
    return suite;
}
