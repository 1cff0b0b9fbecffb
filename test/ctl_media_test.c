/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_media_test.c - producers and consumers over the control socket: what workers are told,
 * what controllers are told, how everything ends. */
#include "test/ctl_rig.h"
#include "test/suite.h"

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

/* Layers are read although nothing chooses by them yet. */
START_TEST(test_layers)
{
    static const char *const bad[][2] = {
        {"preferredLayers.layer", "{'spatialLayer':0,'layer':1}"},
        {"preferredLayers.spatialLayer", "{}"},
        {"preferredLayers.spatialLayer", "{'spatialLayer':8}"},
        {"preferredLayers.temporalLayer", "{'spatialLayer':0,'temporalLayer':'high'}"},
    };
    rig_room(&rig);
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        rig_fails(&rig, RPC_PARAMS, bad[i][0], "transport.consume",
                  "{'transportId':'t','producerId':'p','rtpCapabilities':%s,'preferredLayers':%s}",
                  rig_capabilities, bad[i][1]);
    rig_do(&rig, "transport.consume",
           "{'transportId':'t','producerId':'p','rtpCapabilities':%s,'preferredLayers':{"
           "'spatialLayer':7,'temporalLayer':7}}",
           rig_capabilities);
}

END_TEST

/* What browsers and applications add to the parts of RtpParameters is passed over, not refused. */
START_TEST(test_extras)
{
    rig_do(&rig, "router.create",
           "{'id':'r','mediaCodecs':[{'kind':'video','mimeType':'video/VP8','clockRate':90000,"
           "'preferredPayloadType':100,'parameters':{'x-google-start-bitrate':1000},'rtcpFeedback':"
           "[{'type':'nack','parameter':'pli'}]}]}");
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'t','listenInfo':{'ip':'127.0.0.1'}}");
    rig_do(
        &rig, "transport.produce",
        "{'transportId':'t','id':'p','kind':'video','rtpParameters':{'mid':'0','msid':'s t',"
        "'codecs':[{'mimeType':'video/VP8','payloadType':96,'clockRate':90000,'sdpFmtpLine':'',"
        "'rtcpFeedback':[{'type':'nack','extra':1}]}],'headerExtensions':[{'uri':"
        "'urn:ietf:params:rtp-hdrext:sdes:mid','id':4,'encrypt':false,'parameters':{},"
        "'direction':'sendonly'}],'encodings':[{'ssrc':5,'active':true,'networkPriority':'high',"
        "'scaleResolutionDownBy':1.5,'rtx':{'ssrc':6,'extra':1}}],'rtcp':{'cname':'c','mux':true,"
        "'reducedSize':true,'extra':1},'degradationPreference':'balanced'}}");
    rig_do(&rig, "transport.consume",
           "{'transportId':'t','producerId':'p','rtpCapabilities':{'codecs':[{'kind':'video',"
           "'mimeType':'video/VP8','preferredPayloadType':101,'clockRate':90000,'extra':1}],"
           "'headerExtensions':[{'kind':'video','uri':'urn:x','preferredId':1,'direction':"
           "'sendrecv','extra':1}],'fecMechanisms':[]}}");
    rig_do(&rig, "transport.consume",
           "{'transportId':'t','producerId':'p','rtpParameters':{'codecs':[{'mimeType':"
           "'video/VP8','payloadType':100,'clockRate':90000}],'encodings':[{'ssrc':88,'active':true"
           "}]},'consumableRtpEncodings':[{'ssrc':5,'active':true,'maxFramerate':30}]}");
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
    snprintf(in, sizeof(in), params, 125, 77);
    snprintf(out, sizeof(out), params, 101, 88);
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
    snprintf(out, sizeof(out), params, 99, 89);
    rig_fails(&rig, RPC_PARAMS, "rtpParameters.codecs", "transport.consume",
              "{'transportId':'t','producerId':'p','rtpParameters':%s}", out);
}

END_TEST

/* `n` codecs of one kind, payload types from 96 on. */
static json_t *codecs_of(uint32_t n)
{
    json_t *codecs = json_array();
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(codecs, json_pack("{s:s, s:i, s:i}", "mimeType", "video/VP8",
                                                "payloadType", (int)(96 + i), "clockRate", 90000));
    return codecs;
}

/* A consumer has a row for each payload type that it may get, REWRITE_PT_MAX of them. */
START_TEST(test_verbatim_with_many_codecs)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'t','listenInfo':{'ip':'127.0.0.1'}}");
    for (uint32_t n = REWRITE_PT_MAX; n <= REWRITE_PT_MAX + 1; n++) {
        json_t *codecs = codecs_of(n), *pairs = json_array();
        for (uint32_t i = 0; i < n; i++)
            json_array_append_new(pairs, json_pack("{s:i, s:i}", "payloadType", (int)(96 + i),
                                                   "mappedPayloadType", (int)(96 + i)));
        char *text = json_dumps(codecs, 0), *mapping = json_dumps(pairs, 0);
        rig_do(&rig, "transport.produce",
               "{'transportId':'t','id':'p%u','kind':'video','rtpParameters':{'codecs':%s,"
               "'encodings':[{'ssrc':%u}]},'rtpMapping':{'codecs':%s,'encodings':[{'ssrc':%u,"
               "'mappedSsrc':5}]}}",
               n, text, 100 + n, mapping, 100 + n);
        static const char consume[] =
            "{'transportId':'t','producerId':'p%u','rtpParameters':{'codecs':%s,'encodings':[{"
            "'ssrc':%u}]},'consumableRtpEncodings':[{'ssrc':5}]}";
        if (n <= REWRITE_PT_MAX)
            rig_do(&rig, "transport.consume", consume, n, text, 200 + n);
        else
            rig_fails(&rig, RPC_PARAMS, "rtpParameters.codecs", "transport.consume", consume, n,
                      text, 200 + n);
        free(text);
        free(mapping);
        json_decref(codecs);
        json_decref(pairs);
    }
}

END_TEST

static uint32_t drawn_ssrc(const char *producer)
{
    rig_do(&rig, "transport.consume", "{'transportId':'t','producerId':'%s','rtpCapabilities':%s}",
           producer, rig_capabilities);
    return fake_last(home(), COMMAND_CONSUMER_OPEN)->consumer_open.rewrite.ssrc;
}

/* A row of numbers, media before RTX, so that those used up are one range. A caller's own are
 * passed over, also when they are free again: they may be used up. */
START_TEST(test_ssrc_row)
{
    rig_room(&rig);
    uint32_t first = drawn_ssrc("p");
    const struct rewrite *rewrite =
        &fake_last(home(), COMMAND_CONSUMER_OPEN)->consumer_open.rewrite;
    ck_assert_uint_eq(rewrite->rtx_ssrc, first + 1);
    ck_assert_uint_eq(drawn_ssrc("a"), first + 2);
    ck_assert_uint_eq(drawn_ssrc("p"), first + 3);
    for (int i = 0; i < 2; i++) {
        rig_do(&rig, "transport.consume",
               "{'transportId':'t','producerId':'a','id':'own','rtpParameters':{'codecs':[{"
               "'mimeType':'audio/opus','payloadType':100,'clockRate':48000,'channels':2}],"
               "'encodings':[{'ssrc':%u}]}}",
               first + 5 + (uint32_t)i);
        rig_do(&rig, "consumer.close", "{'consumerId':'own'}");
    }
    ck_assert_uint_eq(drawn_ssrc("a"), first + 7);

    struct transport *t = (struct transport *)model_find(&rig.control->model, NOUN_TRANSPORT, "t");
    t->ssrc_next = UINT32_MAX;
    ck_assert_uint_eq(drawn_ssrc("a"), UINT32_MAX);
    ck_assert_uint_ne(drawn_ssrc("a"), 0);
    t->ssrc_next = first + 1;
    ck_assert_uint_eq(drawn_ssrc("a"), first + 5); /* in use until then */
}

END_TEST

/* A receiver that has made the offer chooses the payload types: 101 of the room is its 99. */
START_TEST(test_own_payload_types)
{
    rig_room(&rig);
    static const char consume[] =
        "{'transportId':'t','id':'own','producerId':'p','rtpParameters':{'codecs':[{'mimeType':"
        "'video/VP8','payloadType':99,'clockRate':90000},{'mimeType':'video/rtx','payloadType':98,"
        "'clockRate':90000,'parameters':{'apt':99}}],'encodings':[{'ssrc':88,'rtx':{'ssrc':89}}]},"
        "'rtpMapping':%s}";
    static const char *const bad[][2] = {
        {"{'codecs':[{'payloadType':101,'mappedPayloadType':97}]}",
         "rtpMapping.codecs[0].mappedPayloadType"},
        {"{'codecs':[{'payloadType':101,'mappedPayloadType':98}]}",
         "rtpMapping.codecs[0].mappedPayloadType"},
        {"{'codecs':[{'payloadType':101,'mappedPayloadType':99},{'payloadType':103,"
         "'mappedPayloadType':99}]}",
         "rtpMapping.codecs[1].mappedPayloadType"},
        {"{'codecs':[{'payloadType':101}]}", "rtpMapping.codecs[0].mappedPayloadType"},
        {"{'codecs':[],'encodings':[]}", "rtpMapping.encodings"},
        {"{}", "rtpMapping.codecs"},
        {"7", "rtpMapping"},
        {"{'codecs':[]}", "rtpParameters.codecs"},
        {"{'codecs':[{'payloadType':55,'mappedPayloadType':99}]}", "rtpParameters.codecs"},
    };
    for (size_t i = 0; i < ARRAY_N(bad); i++)
        rig_fails(&rig, RPC_PARAMS, bad[i][1], "transport.consume", consume, bad[i][0]);

    rig_do(&rig, "transport.consume", consume,
           "{'codecs':[{'payloadType':101,'mappedPayloadType':99}]}");
    const struct rewrite *rewrite =
        &fake_last(home(), COMMAND_CONSUMER_OPEN)->consumer_open.rewrite;
    ck_assert_uint_eq(rewrite->pt_n, 1);
    ck_assert_uint_eq(rewrite->pt[0].out, 99);
    ck_assert_uint_eq(rewrite->pt[0].rtx, 98);
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

/* Single objects that a connection is subscribed to, as server.dump counts them beside
 * the notifications about the relay. */
static int64_t single_n(void)
{
    json_t *dump = rig_ok(&rig, "server.dump", "{}");
    int64_t n =
        rig_int(dump, "connections.1.subscriptions") - __builtin_popcountll(CONN_NOTICES_RELAY);
    json_decref(dump);
    return n;
}

/* A subscription to an object ends with it, after its last notification, and not before the last
 * object of that id has gone. */
START_TEST(test_subscriptions_end)
{
    struct rig_client other;
    rig_room(&rig);
    rig_do(&rig, "router.create", "{'id':'t'}"); /* as the transport */
    rig_connect(&rig, &other);
    json_decref(rig_answer(&rig, &other,
                           rig_request(&rig, &other, "server.subscribe",
                                       "{'events':['*'],'ids':['r','t','p','c0','c1','never']}")));
    ck_assert_int_eq(single_n(), 6);
    int id = rig_request(&rig, &other, "server.subscribe", "{'events':['*'],'ids':['x',7]}");
    json_t *answer = rig_answer(&rig, &other, id);
    ck_assert_str_eq(rig_text(answer, "error.data.path"), "ids[1]");
    json_decref(answer);
    id = rig_request(&rig, &other, "server.unsubscribe", "{'events':['*'],'ids':['r',7]}");
    json_decref(rig_answer(&rig, &other, id));
    ck_assert_int_eq(single_n(), 6); /* what is refused changes nothing */
    consume("c0", "p");
    consume("c1", "p");
    rig_do(&rig, "consumer.close", "{'consumerId':'c0'}");
    expect_note(&other, "consumer.close", "consumerId", "c0");
    ck_assert_int_eq(single_n(), 5);
    consume("c0", "p");
    rig_do(&rig, "producer.pause", "{'producerId':'p'}");
    expect_note(&other, "consumer.producerpause", "consumerId", "c1");
    ck_assert_ptr_null(rig_note(&rig, &other, "consumer.producerpause"));
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_note(&other, "consumer.transportclose", "consumerId", "c1");
    ck_assert_ptr_null(rig_note(&rig, &other, "consumer.transportclose"));
    expect_note(&other, "producer.transportclose", "producerId", "p");
    expect_note(&other, "transport.routerclose", "transportId", "t");
    expect_note(&other, "router.close", "routerId", "r");
    ck_assert_int_eq(single_n(), 2);
    rig_do(&rig, "router.close", "{'routerId':'t'}");
    expect_note(&other, "router.close", "routerId", "t");
    ck_assert_int_eq(single_n(), 1);
    rig_disconnect(&rig, &other);
}

END_TEST

/* A worker's engine fails: what it has ends, the other worker goes on; with the last one the relay
 * ends. */
START_TEST(test_worker_dies)
{
    rig_room(&rig);
    rig_do(&rig, "router.create", "{'id':'other','workerIndex':1}");
    rig_do(&rig, "router.create", "{'id':'kept','workerIndex':0}");
    fake_hold(home(), true);
    int stuck = rig_request(&rig, &rig.client, "producer.pause", "{'producerId':'p'}");
    struct outcome event = {.event = EVENT_ENGINE_DEAD};
    rig_settle(&rig);
    fake_event(home(), &event);
    json_t *answer = rig_answer(&rig, &rig.client, stuck);
    ck_assert_int_eq(rig_int(answer, "error.code"), RPC_STATE);
    json_decref(answer);
    expect_note(&rig.client, "router.workerclose", "routerId", "kept");
    expect_note(&rig.client, "transport.workerclose", "transportId", "t");
    expect_note(&rig.client, "producer.transportclose", "producerId", "p");
    rig_fails(&rig, RPC_NOT_FOUND, "routerId", "router.dump", "{'routerId':'kept'}");
    rig_do(&rig, "router.dump", "{'routerId':'other'}");
    json_t *dump = rig_ok(&rig, "router.dump", "{'routerId':'r'}");
    ck_assert_int_eq(rig_int(dump, "workerIndex"), 1);
    ck_assert_uint_eq(json_array_size(rig_at(dump, "transportIds")), 0);
    json_decref(dump);
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

Suite *ctl_media_suite(void)
{
    Suite *suite = suite_create("ctl_media");
    TCase *tc = tcase_create("media");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_produce);
    tcase_add_test(tc, test_producer_command);
    tcase_add_test(tc, test_consume);
    tcase_add_test(tc, test_consume_audio);
    tcase_add_test(tc, test_layers);
    tcase_add_test(tc, test_extras);
    tcase_add_test(tc, test_verbatim);
    tcase_add_test(tc, test_verbatim_with_many_codecs);
    tcase_add_test(tc, test_ssrc_row);
    tcase_add_test(tc, test_own_payload_types);
    tcase_add_test(tc, test_verbs);
    tcase_add_test(tc, test_cascade_router);
    tcase_add_test(tc, test_cascade_transport);
    tcase_add_test(tc, test_index_reuse);
    tcase_add_test(tc, test_many);
    tcase_add_test(tc, test_events);
    tcase_add_test(tc, test_subscriptions);
    tcase_add_test(tc, test_subscriptions_end);
    tcase_add_test(tc, test_worker_dies);
    suite_add_tcase(suite, tc);
    return suite;
}
