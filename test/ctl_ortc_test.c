/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_ortc_test.c - routers and producers. */
#include "test/ctl_ortc.h"

/* ---- routers ---- */

START_TEST(test_router)
{
    json_t *codecs = json_of(ROUTER);
    json_t *caps = ortc_router_capabilities(codecs, &err);
    json_t *extensions = codecs_header_extensions();
    assert_no_error(&err);
    ck_assert(json_equal(json_object_get(caps, "headerExtensions"), extensions));
    const json_t *list = json_object_get(caps, "codecs");
    ck_assert_uint_eq(json_array_size(list), 7);
    assert_json(json_array_get(list, 1),
                "{'kind': 'video', 'mimeType': 'video/VP8', 'clockRate': 90000,"
                " 'preferredPayloadType': 101, 'parameters': {'x-google-start-bitrate': 1000},"
                " 'rtcpFeedback': [{'type': 'nack', 'parameter': ''}, {'type': 'nack', 'parameter':"
                " 'pli'}, {'type': 'ccm', 'parameter': 'fir'}, {'type': 'goog-remb', 'parameter':"
                " ''}, {'type': 'transport-cc', 'parameter': ''}]}");
    assert_json(json_array_get(list, 2),
                "{'kind': 'video', 'mimeType': 'video/rtx', 'clockRate': 90000,"
                " 'preferredPayloadType': 102, 'parameters': {'apt': 101}, 'rtcpFeedback': []}");
    ck_assert_str_eq(rtpcodec_mime(json_array_get(list, 5)), "video/H264");
    assert_json(json_object_get(json_array_get(list, 5), "parameters"), "{" H264_PARAMETERS "}");

    json_t *nothing = ortc_router_capabilities(NULL, &err);
    assert_no_error(&err);
    ck_assert_uint_eq(json_array_size(json_object_get(nothing, "codecs")), 0);
    json_t *null = ortc_router_capabilities(json_null(), &err);
    assert_no_error(&err);
    ck_assert(json_equal(null, nothing));
    json_decref(null);
    json_decref(codecs);
    json_decref(caps);
    json_decref(extensions);
    json_decref(nothing);
}

END_TEST

#define M(kind, name, rate)                                                                        \
    "{'mimeType': '" kind "/" name "', 'clockRate': " #rate ", 'channels': 1}"
#define PREF(kind, name, rate, pt)                                                                 \
    "{'mimeType': '" kind "/" name "', 'clockRate': " #rate                                        \
    ", 'channels': 1, 'preferredPayloadType': " #pt "}"
#define PCMU M("audio", "PCMU", 8000)
#define VP8  M("video", "VP8", 90000)

/* Payload types in order; RTX behind its codec. */
static const struct {
    const char *codecs, *payload_types;
} routers[] = {
    {"[]", ""},
    {"[" PCMU "," M("audio", "PCMA", 8000) "," M("audio", "G722", 8000) "]", "0 8 9 "},
    {"[" VP8 "," PCMU "]", "100 101 0 "},
    {"[" PREF("video", "VP8", 90000, 96) "]", "96 100 "},
    {"[" PREF("video", "VP8", 90000, 35) "," VP8 "]", NULL}, /* the same codec */
    {"[" PREF("audio", "PCMU", 8000, 110) "]", "110 "},
    /* A later wish is kept free. */
    {"[" VP8 "," PREF("video", "AV1", 90000, 100) "]", "101 102 100 103 "},
    {"[" PREF("audio", "ISAC", 16000, 0) "," PCMU "]", "0 100 "},
    /* 13 is comfort noise at 8 kHz, whoever comes first has it. */
    {"[" M("audio", "CN", 8000) "," M("audio", "CN", 16000) "]", "13 100 "},
};

START_TEST(test_router_payload_types)
{
    json_t *codecs = json_of(routers[_i].codecs);
    json_t *caps = ortc_router_capabilities(codecs, &err);
    ck_assert_int_eq(caps != NULL, routers[_i].payload_types != NULL);
    if (caps) {
        char text[TEXT_BYTES] = "";
        size_t i;
        json_t *codec;
        json_array_foreach(json_object_get(caps, "codecs"), i, codec)
            add(text, "%d ", rtpcodec_payload_type(codec));
        ck_assert_str_eq(text, routers[_i].payload_types);
    }
    json_decref(codecs);
    json_decref(caps);
}

END_TEST

static const struct {
    const char *codecs, *path, *expected, *got;
} refused_routers[] = {
    {"{}", "mediaCodecs", "an array of at most 64", "an object"},
    {"[1]", "mediaCodecs[0]", "an object", "1"},
    {"[" VP8 ", {'mimeType': 'video/VP8'}]", "mediaCodecs[1].clockRate", NULL, "nothing"},
    {"[" M("video", "VP8", 48000) "]", "mediaCodecs[0]", "a supported codec", "video/VP8 48000"},
    {"[" M("audio", "opus", 48000) "]", "mediaCodecs[0]", "a supported codec",
     "audio/opus 48000 1"},
    {"[{'mimeType': 'audio/multiopus', 'clockRate': 48000, 'channels': 6}]", "mediaCodecs[0]",
     "a supported codec", "audio/multiopus 48000 6"},
    {"[" VP8 "," M("video", "rtx", 90000) "]", "mediaCodecs[1]", "a supported codec", NULL},
    {"[" VP8 "," M("video", "vp8", 90000) "]", "mediaCodecs[1]",
     "a codec that is not listed before", "video/vp8 90000"},
    {"[" PREF("video", "VP8", 90000, 96) "," PREF("audio", "PCMU", 8000, 96) "]",
     "mediaCodecs[1].preferredPayloadType", "a payload type of its own", "96"},
    {"[" PREF("video", "VP8", 90000, 72) "]", "mediaCodecs[0].preferredPayloadType",
     "0 to 63 or 96 to 127: the others look like RTCP", "72"},
    {"[" PREF("video", "VP8", 90000, 200) "]", "mediaCodecs[0].preferredPayloadType", NULL, "200"},
    {"[" VP8 ", {'mimeType': 'video/VP9', 'clockRate': 90000, 'payloadType': 98}]",
     "mediaCodecs[1].payloadType", "a known field", "an unknown field"},
    {"[{'mimeType': 'video/VP8', 'clockRate': 90000, 'rtcpFeedback': [{'type': 'nack'},"
     " {'type': 'nack', 'param': 'pli'}]}]",
     "mediaCodecs[0].rtcpFeedback[1].param", "a known field", "an unknown field"},
};

START_TEST(test_router_refuses)
{
    json_t *codecs = json_of(refused_routers[_i].codecs);
    ck_assert_ptr_null(ortc_router_capabilities(codecs, &err));
    assert_error(&err, refused_routers[_i].path, refused_routers[_i].expected,
                 refused_routers[_i].got);
    json_decref(codecs);
}

END_TEST

START_TEST(test_router_runs_out_of_payload_types)
{
    /* VP9 and its RTX take two of 61: 30 fit, the 31st does not. */
    for (size_t n = 30; n <= 31; n++) {
        json_t *codecs = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(codecs,
                                  json_pack("{ss si s{si}}", "mimeType", "video/VP9", "clockRate",
                                            90000, "parameters", "profile-id", (int)i));
        json_t *caps = ortc_router_capabilities(codecs, &err);
        if (n == 30)
            ck_assert_uint_eq(json_array_size(json_object_get(caps, "codecs")), 60);
        else
            assert_error(&err, "mediaCodecs[30]", "fewer codecs: no payload type is left", NULL);
        json_decref(codecs);
        json_decref(caps);
    }
}

END_TEST

/* ---- producers ---- */

static const struct {
    const char *name;
    enum media_kind kind;
    const char *params, *mapping, *consumable;
    enum ortc_type type;
} producers[] = {
    {"chrome simulcast", MEDIA_VIDEO, CHROME_SIMULCAST,
     "{'codecs': [{'payloadType': 96, 'mappedPayloadType': 101}, {'payloadType': 97,"
     " 'mappedPayloadType': 102}], 'encodings': [{'rid': 'r0', 'scalabilityMode': 'L1T3',"
     " 'mappedSsrc': 1001}, {'rid': 'r1', 'scalabilityMode': 'L1T3', 'mappedSsrc': 1002},"
     " {'rid': 'r2', 'scalabilityMode': 'L1T3', 'mappedSsrc': 1003}]}",
     "101 video/VP8 nack nack.pli ccm.fir goog-remb transport-cc; 102 video/rtx 101;"
     " ext 1 4 5 8 9 10 11 12; 1001 L1T3 500k; 1002 L1T3 1000k; 1003 L1T3 5000k",
     ORTC_SIMULCAST},
    {"chrome audio", MEDIA_AUDIO, CHROME_AUDIO,
     "{'codecs': [{'payloadType': 111, 'mappedPayloadType': 100}],"
     " 'encodings': [{'ssrc': 77, 'mappedSsrc': 1001}]}",
     "100 audio/opus nack transport-cc; ext 1 4 6 11 12; 1001", ORTC_SIMPLE},
    {"safari", MEDIA_VIDEO, SAFARI_H264,
     "{'codecs': [{'payloadType': 98, 'mappedPayloadType': 105}, {'payloadType': 99,"
     " 'mappedPayloadType': 106}], 'encodings': [{'ssrc': 50, 'mappedSsrc': 1001}]}",
     "105 video/H264 nack nack.pli ccm.fir goog-remb transport-cc; 106 video/rtx 105;"
     " ext 1 4 5 8 9 11 12; 1001",
     ORTC_SIMPLE},
    {"chrome svc", MEDIA_VIDEO, CHROME_VP9_SVC,
     "{'codecs': [{'payloadType': 98, 'mappedPayloadType': 103}, {'payloadType': 99,"
     " 'mappedPayloadType': 104}], 'encodings': [{'ssrc': 50, 'scalabilityMode': 'L3T3_KEY',"
     " 'mappedSsrc': 1001}]}",
     "103 video/VP9 nack nack.pli ccm.fir goog-remb transport-cc; 104 video/rtx 103;"
     " ext 1 4 5 8 9 11 12; 1001 L3T3_KEY",
     ORTC_SVC},
    /* RTX is offered although ffmpeg sends none: the relay makes it. */
    {"ffmpeg video", MEDIA_VIDEO, FFMPEG_VP8,
     "{'codecs': [{'payloadType': 102, 'mappedPayloadType': 101}],"
     " 'encodings': [{'ssrc': 2222, 'mappedSsrc': 1001}]}",
     "101 video/VP8 nack nack.pli ccm.fir goog-remb transport-cc; 102 video/rtx 101;"
     " ext 1 4 5 8 9 11 12; 1001",
     ORTC_SIMPLE},
    {"ffmpeg audio", MEDIA_AUDIO, FFMPEG_OPUS,
     "{'codecs': [{'payloadType': 101, 'mappedPayloadType': 100}],"
     " 'encodings': [{'ssrc': 1111, 'mappedSsrc': 1001}]}",
     "100 audio/opus nack transport-cc; ext 1 4 6 11 12; 1001", ORTC_SIMPLE},
};

START_TEST(test_produce)
{
    char text[TEXT_BYTES];
    struct produced p = produce(ROUTER, producers[_i].kind, producers[_i].params);
    assert_no_error(&err);
    assert_json(p.mapping, producers[_i].mapping);
    ck_assert_str_eq(in_short(p.consumable, text), producers[_i].consumable);
    ck_assert_int_eq(p.type, producers[_i].type);
    produced_exit(&p);
}

END_TEST

START_TEST(test_consumable_in_full)
{
    struct produced p = produce(ROUTER, MEDIA_AUDIO, CHROME_AUDIO);
    assert_json(
        p.consumable,
        "{'codecs': [{'mimeType': 'audio/opus', 'payloadType': 100, 'clockRate': 48000,"
        " 'channels': 2, 'parameters': {'minptime': 10, 'useinbandfec': 1,"
        " 'sprop-stereo': 1}, 'rtcpFeedback': [{'type': 'nack', 'parameter': ''},"
        " {'type': 'transport-cc', 'parameter': ''}]}], 'headerExtensions': [" EXT(MID, 1) "," EXT(
            AST, 4) "," EXT(LEVEL, 6) "," EXT(PLAYOUT,
                                              11) "," EXT("urn:"
                                                          "mediasoup:params:rtp-hdrext:packet-id",
                                                          12) "], 'encodings': [{'ssrc': 1001,"
                                                              " 'dtx': true}], 'rtcp': {'cname': "
                                                              "'chrome', 'reducedSize': true},"
                                                              " 'msid': 'stream track'}");
    produced_exit(&p);
}

END_TEST

START_TEST(test_produce_answers_the_level)
{
    /* Both allow asymmetry: the level stays. */
    struct produced p = produce(ROUTER, MEDIA_VIDEO, SAFARI_H264);
    static const char higher[] = "{'packetization-mode': 1, 'level-asymmetry-allowed': 1,"
                                 " 'profile-level-id': '42e028'}";
    const json_t *codecs = json_object_get(p.params, "codecs");
    assert_json(json_object_get(json_array_get(codecs, 0), "parameters"), higher);
    codecs = json_object_get(p.consumable, "codecs");
    assert_json(json_object_get(json_array_get(codecs, 0), "parameters"), higher);
    produced_exit(&p);

    p = produce(
        ROUTER, MEDIA_VIDEO,
        "{'codecs': [" SENT("H264", 98,
                            "'packetization-mode': 1,"
                            " 'profile-level-id': '42c034'") "],"
                                                             " 'encodings': [{'ssrc': 50}]}");
    codecs = json_object_get(p.params, "codecs");
    assert_json(json_object_get(json_array_get(codecs, 0), "parameters"),
                "{'packetization-mode': 1, 'profile-level-id': '42e01f'}");
    produced_exit(&p);
}

END_TEST

/* Two payload types that the router sees as one are offered once. */
START_TEST(test_produce_merges)
{
    char text[TEXT_BYTES];
    struct produced p = produce(ROUTER, MEDIA_VIDEO,
                                "{'codecs': [" SENT("VP8", 96, "") "," SENT(
                                    "VP8", 98, "'max-fr': 30") "],"
                                                               " 'encodings': [{'ssrc': 50}]}");
    assert_json(json_object_get(p.mapping, "codecs"),
                "[{'payloadType': 96, 'mappedPayloadType': 101},"
                " {'payloadType': 98, 'mappedPayloadType': 101}]");
    ck_assert_str_eq(in_short(p.consumable, text),
                     "101 video/VP8 nack nack.pli ccm.fir goog-remb transport-cc;"
                     " 102 video/rtx 101; ext 1 4 5 8 9 11 12; 1001");
    produced_exit(&p);
}

END_TEST

#define ONE_SSRC ", 'encodings': [{'ssrc': 50}]}"
#define SOUND(name, rate, channels)                                                                \
    "{'mimeType': 'audio/" name "', 'payloadType': 98, 'clockRate': " #rate                        \
    ", 'channels': " #channels "}"

static const struct {
    enum media_kind kind;
    const char *params, *path, *expected, *got;
} refused_producers[] = {
    {MEDIA_AUDIO, "{'codecs': [" SOUND("PCMU", 8000, 1) "]" ONE_SSRC, "rtpParameters.codecs[0]",
     "a codec of the router", "audio/PCMU 8000 1"},
    {MEDIA_AUDIO, "{'codecs': [" SOUND("opus", 48000, 1) "]" ONE_SSRC, "rtpParameters.codecs[0]",
     "audio/opus 48000 2", "audio/opus 48000 1"},
    {MEDIA_VIDEO, "{'codecs': [" SENT("VP8", 96, "") "," SENT("AV1", 98, "") "]" ONE_SSRC,
     "rtpParameters.codecs[1]", "a codec of the router", "video/AV1 90000"},
    {MEDIA_VIDEO, "{'codecs': [" SENT("VP9", 96, "'profile-id': 2") "]" ONE_SSRC,
     "rtpParameters.codecs[0]", "video/VP9 90000", "video/VP9 90000 profile-id=2"},
    {MEDIA_VIDEO,
     "{'codecs': [" SENT("H264", 96,
                         "'packetization-mode': 1,"
                         " 'profile-level-id': '640c1f'") "]" ONE_SSRC,
     "rtpParameters.codecs[0]", "video/H264 90000 packetization-mode=1 profile-level-id=42e01f",
     "video/H264 90000 packetization-mode=1 profile-level-id=640c1f"},
    {MEDIA_AUDIO,
     "{'codecs': [{'mimeType': 'audio/opus', 'payloadType': 100, 'clockRate': 48000, 'channels': "
     "2},"
     " {'mimeType': 'audio/rtx', 'payloadType': 101, 'clockRate': 48000, 'channels': 2,"
     " 'parameters': {'apt': 100}}]" ONE_SSRC,
     "rtpParameters.codecs[1]", "a codec for which the router has RTX", NULL},
};

START_TEST(test_produce_refuses)
{
    struct produced p = produce(ROUTER, refused_producers[_i].kind, refused_producers[_i].params);
    ck_assert_ptr_null(p.mapping);
    assert_error(&err, refused_producers[_i].path, refused_producers[_i].expected,
                 refused_producers[_i].got);
    produced_exit(&p);
}

END_TEST

/* Parameters of our own making, so no router need have the codec. */
static const struct {
    const char *codec, *encodings;
    int type; /* -1: refused */
    const char *path;
} types[] = {
    {"audio/opus", "[{'ssrc': 1}]", ORTC_SIMPLE, NULL},
    {"video/VP8", "[{'ssrc': 1, 'scalabilityMode': 'L1T1'}]", ORTC_SIMPLE, NULL},
    {"video/VP8", "[{'ssrc': 1, 'scalabilityMode': 'L1T3'}]", ORTC_SVC, NULL},
    {"video/h264", "[{'ssrc': 1, 'scalabilityMode': 'L1T2'}]", ORTC_SVC, NULL},
    {"video/AV1", "[{'ssrc': 1, 'scalabilityMode': 'L3T1'}]", ORTC_SVC, NULL},
    {"video/VP8", "[{'ssrc': 1}, {'ssrc': 2}]", ORTC_SIMULCAST, NULL},
    {"video/H264", "[{'rid': 'a'}, {'rid': 'b'}]", ORTC_SIMULCAST, NULL},
    {"video/H265", "[{'rid': 'a'}, {'rid': 'b'}]", ORTC_SIMULCAST, NULL},
    {"video/VP9", "[{'rid': 'a'}, {'rid': 'b'}]", -1, "rtpParameters.encodings[0]"},
    {"video/AV1", "[{'rid': 'a'}, {'rid': 'b'}]", -1, "rtpParameters.encodings[0]"},
    {"audio/opus", "[{'ssrc': 1}, {'ssrc': 2}]", -1, "rtpParameters.encodings[0]"},
    {"video/H265", "[{'ssrc': 1, 'scalabilityMode': 'L1T2'}]", -1,
     "rtpParameters.encodings[0].scalabilityMode"},
    {"audio/opus", "[{'ssrc': 1, 'scalabilityMode': 'L1T2'}]", -1,
     "rtpParameters.encodings[0].scalabilityMode"},
};

START_TEST(test_producer_type)
{
    json_t *value =
        json_pack("{s[{ss si si}] so}", "codecs", "mimeType", types[_i].codec, "payloadType", 96,
                  "clockRate", 90000, "encodings", json_of(types[_i].encodings));
    enum media_kind kind = types[_i].codec[0] == 'a' ? MEDIA_AUDIO : MEDIA_VIDEO;
    json_t *params = rtpparams_producer(value, "rtpParameters", kind, NULL, &err);
    enum ortc_type type;
    assert_no_error(&err);
    bool valid = ortc_producer_type(params, &type, &err);
    ck_assert_int_eq(valid, types[_i].type >= 0);
    if (valid)
        ck_assert_int_eq(type, types[_i].type);
    else
        assert_error(&err, types[_i].path, NULL, types[_i].codec);
    json_decref(value);
    json_decref(params);
}

END_TEST

START_TEST(test_consumer_type)
{
    ck_assert_int_eq(ortc_consumer_type(ORTC_SVC, false), ORTC_SVC);
    ck_assert_int_eq(ortc_consumer_type(ORTC_SVC, true), ORTC_PIPE);
    ck_assert_str_eq(ortc_type_names[ORTC_SIMPLE], "simple");
    ck_assert_str_eq(ortc_type_names[ORTC_SIMULCAST], "simulcast");
    ck_assert_str_eq(ortc_type_names[ORTC_SVC], "svc");
    ck_assert_str_eq(ortc_type_names[ORTC_PIPE], "pipe");
}

END_TEST

/* A caller's own mapping names what the router does not have. */
START_TEST(test_consumable_refuses_foreign_mappings)
{
    static const int wrong[] = {50, 102, 103}; /* none, RTX, another codec */
    for (size_t i = 0; i < ARRAY_N(wrong); i++) {
        struct produced p = produce(ROUTER, MEDIA_VIDEO, FFMPEG_VP8);
        json_t *mapping = json_pack("{s[{si si}] s[{si}]}", "codecs", "payloadType", 102,
                                    "mappedPayloadType", wrong[i], "encodings", "mappedSsrc", 5);
        field_error_clear(&err);
        ck_assert_ptr_null(
            ortc_consumable_parameters(MEDIA_VIDEO, p.params, p.router, mapping, &err));
        assert_error(&err, "rtpMapping.codecs", "the router's payload types of the same codecs",
                     NULL);
        json_decref(mapping);
        field_error_clear(&err);
        produced_exit(&p);
    }
}

END_TEST

Suite *ctl_ortc_suite(void)
{
    Suite *suite = suite_create("ortc");
    TCase *tcase = tcase_create("ortc");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, test_router);
    tcase_add_loop_test(tcase, test_router_payload_types, 0, (int)ARRAY_N(routers));
    tcase_add_loop_test(tcase, test_router_refuses, 0, (int)ARRAY_N(refused_routers));
    tcase_add_test(tcase, test_router_runs_out_of_payload_types);
    tcase_add_loop_test(tcase, test_produce, 0, (int)ARRAY_N(producers));
    tcase_add_test(tcase, test_consumable_in_full);
    tcase_add_test(tcase, test_produce_answers_the_level);
    tcase_add_test(tcase, test_produce_merges);
    tcase_add_loop_test(tcase, test_produce_refuses, 0, (int)ARRAY_N(refused_producers));
    tcase_add_loop_test(tcase, test_producer_type, 0, (int)ARRAY_N(types));
    tcase_add_test(tcase, test_consumer_type);
    tcase_add_test(tcase, test_consumable_refuses_foreign_mappings);
    suite_add_tcase(suite, tcase);
    return suite;
}
