/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_rtpparams_test.c - normal forms, defaults, limits, and the place of every error. */
#include "ctl/rtpparams.h"
#include "test/ctl_json.h"

static struct field_error err;

static void set_up(void)
{
    field_error_clear(&err);
}

#define VP8 "{'mimeType': 'video/VP8', 'payloadType': 96, 'clockRate': 90000}"
#define RTX(pt)                                                                                    \
    "{'mimeType': 'video/rtx', 'payloadType': 97, 'clockRate': 90000, 'parameters': " pt "}"
#define VIDEO(codecs, rest) "{'codecs': [" codecs "]" rest "}"
#define SSRC                ", 'encodings': [{'ssrc': 1}]"

START_TEST(test_fills_a_producer)
{
    json_t *value = json_of(VIDEO(VP8, SSRC));
    json_t *params = rtpparams_producer(value, "rtpParameters", MEDIA_VIDEO, NULL, &err);
    assert_no_error(&err);
    assert_json(params, "{'codecs': [{'mimeType': 'video/VP8', 'payloadType': 96,"
                        " 'clockRate': 90000, 'parameters': {}, 'rtcpFeedback': []}],"
                        " 'headerExtensions': [], 'encodings': [{'ssrc': 1, 'dtx': false}],"
                        " 'rtcp': {'reducedSize': true}}");
    json_decref(value);
    json_decref(params);
}

END_TEST

START_TEST(test_keeps_what_is_given)
{
    static const char given[] =
        "{'mid': 'a', 'codecs': [{'mimeType': 'video/VP8', 'payloadType': 96, 'clockRate': 90000,"
        " 'channels': 1, 'unknown': {}, 'parameters': {'x-google-start-bitrate': 1000, 'y': 1.5,"
        " 'z': ''}, 'rtcpFeedback': [{'type': 'nack', 'parameter': 'pli'}, {'type': 'nack'}]},"
        " {'mimeType': 'video/rtx', 'payloadType': 97, 'clockRate': 90000, 'parameters':"
        " {'apt': 96}}], 'headerExtensions': [{'uri': 'urn:x', 'id': 255, 'encrypt': true,"
        " 'parameters': {'a': 'b'}}], 'encodings': [{'ssrc': 4294967295, 'rid': 'r-0_Z',"
        " 'codecPayloadType': 96, 'rtx': {'ssrc': 2}, 'dtx': true, 'scalabilityMode': 'L1T3',"
        " 'maxBitrate': 900000, 'active': true, 'scaleResolutionDownBy': 2.0}],"
        " 'rtcp': {'cname': 'mine', 'reducedSize': false, 'mux': true}, 'msid': 's t'}";
    static const char normal[] =
        "{'mid': 'a', 'codecs': [{'mimeType': 'video/VP8', 'payloadType': 96, 'clockRate': 90000,"
        " 'parameters': {'x-google-start-bitrate': 1000, 'y': 1.5, 'z': ''}, 'rtcpFeedback':"
        " [{'type': 'nack', 'parameter': 'pli'}, {'type': 'nack', 'parameter': ''}]},"
        " {'mimeType': 'video/rtx', 'payloadType': 97, 'clockRate': 90000, 'parameters':"
        " {'apt': 96}, 'rtcpFeedback': []}], 'headerExtensions': [{'uri': 'urn:x', 'id': 255,"
        " 'encrypt': true, 'parameters': {'a': 'b'}}], 'encodings': [{'ssrc': 4294967295,"
        " 'rid': 'r-0_Z', 'codecPayloadType': 96, 'rtx': {'ssrc': 2}, 'dtx': true,"
        " 'scalabilityMode': 'L1T3', 'maxBitrate': 900000}],"
        " 'rtcp': {'cname': 'mine', 'reducedSize': false, 'mux': true}, 'msid': 's t'}";
    json_t *value = json_of(given);
    json_t *params = rtpparams_producer(value, "rtpParameters", MEDIA_VIDEO, NULL, &err);
    assert_no_error(&err);
    assert_json(params, normal);

    /* A normal form is its own normal form, but for the transport's name. */
    json_t *again = rtpparams_producer(params, "rtpParameters", MEDIA_VIDEO, "theirs", &err);
    assert_no_error(&err);
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(again, "rtcp"), "cname")),
                     "theirs");
    ck_assert_int_eq(json_object_set(again, "rtcp", json_object_get(params, "rtcp")), 0);
    ck_assert(json_equal(params, again));
    json_decref(value);
    json_decref(params);
    json_decref(again);
}

END_TEST

START_TEST(test_encodings_may_be_missing)
{
    static const char *const given[] = {
        "{'mid': '0', 'codecs': [" VP8 "]}",
        "{'mid': '0', 'codecs': [" VP8 "], 'encodings': []}",
        "{'mid': '0', 'codecs': [" VP8 "], 'encodings': null}",
        "{'mid': '0', 'codecs': [" VP8 "], 'encodings': [{}]}",
        "{'mid': '0', 'codecs': [" VP8 "], 'encodings': [{'rid': '', 'scalabilityMode': ''}]}",
    };
    for (size_t i = 0; i < ARRAY_N(given); i++) {
        json_t *value = json_of(given[i]);
        json_t *params = rtpparams_producer(value, "rtpParameters", MEDIA_VIDEO, NULL, &err);
        assert_no_error(&err);
        assert_json(json_object_get(params, "encodings"), "[{'dtx': false}]");
        json_decref(value);
        json_decref(params);
    }
}

END_TEST

START_TEST(test_audio_has_channels)
{
    json_t *value = json_of("{'codecs': [{'mimeType': 'AUDIO/pcmu', 'payloadType': 0,"
                            " 'clockRate': 8000}], 'encodings': [{'ssrc': 5}]}");
    json_t *params = rtpparams_producer(value, "rtpParameters", MEDIA_AUDIO, "c", &err);
    assert_no_error(&err);
    assert_json(json_object_get(params, "codecs"),
                "[{'mimeType': 'AUDIO/pcmu', 'payloadType': 0, 'clockRate': 8000, 'channels': 1,"
                " 'parameters': {}, 'rtcpFeedback': []}]");
    assert_json(json_object_get(params, "rtcp"), "{'cname': 'c', 'reducedSize': true}");
    json_decref(value);
    json_decref(params);
}

END_TEST

#define CODEC(rest) "{'codecs': [" VP8 ", {" rest "}]" SSRC "}"
#define PT          "'payloadType': 98, "
#define MIME        "'mimeType': 'video/H264', "
#define RATE        "'clockRate': 90000"
#define EXT(ext)    VIDEO(VP8, SSRC ", 'headerExtensions': [" ext "]")
#define ENC(enc)    VIDEO(VP8, ", 'encodings': [{'ssrc': 1}, " enc "]")
#define MODE(mode)  VIDEO(VP8, ", 'encodings': [{'ssrc': 1, 'scalabilityMode': " mode "}]")

/* Of a video producer: what is sent, and where it is wrong. */
static const struct {
    const char *json, *path, *expected, *got;
} wrong[] = {
    {"[]", "", "an object", "an array of 0"},
    {"{}", "codecs", "an array", "nothing"},
    {"{'codecs': {}}", "codecs", "an array of at most 16", "an object"},
    {"{'codecs': []}", "codecs", "at least one media codec", "an array of 0"},
    {"{'mid': 5, 'codecs': []}", "mid", "a string of at most 32 bytes", "5"},
    {"{'mid': '123456789012345678901234567890123', 'codecs': []}", "mid", NULL, NULL},
    {CODEC(""), "codecs[1].mimeType", "a string of 1 to 64 bytes", "nothing"},
    {CODEC("'mimeType': ''"), "codecs[1].mimeType", NULL, "\"\""},
    {CODEC("'mimeType': 'video'"), "codecs[1].mimeType", "audio/... or video/...", "\"video\""},
    {CODEC("'mimeType': 'video/'"), "codecs[1].mimeType", NULL, NULL},
    {CODEC("'mimeType': 'text/x'"), "codecs[1].mimeType", NULL, NULL},
    {CODEC("'mimeType': 'audio/opus', 'clockRate': 48000, " PT "'channels': 2"),
     "codecs[1].mimeType", "video/...", "\"audio/opus\""},
    {CODEC(MIME RATE), "codecs[1].payloadType", "an integer from 0 to 127", "nothing"},
    {CODEC(MIME RATE ", 'payloadType': 128"), "codecs[1].payloadType", NULL, "128"},
    {CODEC(MIME RATE ", 'payloadType': -1"), "codecs[1].payloadType", NULL, "-1"},
    {CODEC(MIME RATE ", 'payloadType': 72"), "codecs[1].payloadType",
     "0 to 63 or 96 to 127: the others look like RTCP", "72"},
    {CODEC(MIME RATE ", 'payloadType': 96"), "codecs[1].payloadType", "a payload type of its own",
     "96"},
    {CODEC(MIME PT "'clockRate': 0"), "codecs[1].clockRate", NULL, "0"},
    {CODEC(MIME PT "'clockRate': '90000'"), "codecs[1].clockRate", "an integer from 1 to 10000000",
     "\"90000\""},
    {CODEC(MIME PT RATE ", 'parameters': []"), "codecs[1].parameters", "an object", NULL},
    {CODEC(MIME PT RATE ", 'parameters': {'a': true}"), "codecs[1].parameters.a",
     "a number or a string of at most 1024 bytes", "true"},
    {CODEC(MIME PT RATE ", 'parameters': {'a': {}}"), "codecs[1].parameters.a", NULL, NULL},
    {CODEC(MIME PT RATE ", 'parameters': {'apt': '96'}"), "codecs[1].parameters.apt",
     "an integer from 0 to 127", "\"96\""},
    {CODEC(MIME PT RATE ", 'rtcpFeedback': {}"), "codecs[1].rtcpFeedback", NULL, "an object"},
    {CODEC(MIME PT RATE ", 'rtcpFeedback': [1]"), "codecs[1].rtcpFeedback[0]", "an object", "1"},
    {CODEC(MIME PT RATE ", 'rtcpFeedback': [{}]"), "codecs[1].rtcpFeedback[0].type", NULL, NULL},
    {CODEC(MIME PT RATE ", 'rtcpFeedback': [{'type': 'nack', 'parameter': 1}]"),
     "codecs[1].rtcpFeedback[0].parameter", NULL, "1"},
    {"{'codecs': [7]}", "codecs[0]", "an object", "7"},
    {VIDEO(RTX("{'apt': 97}"), SSRC), "codecs[0].parameters.apt",
     "the payload type of a media codec", "97"},
    {VIDEO(VP8 "," RTX("{'apt': 95}"), SSRC), "codecs[1].parameters.apt", NULL, "95"},
    {VIDEO(VP8 "," RTX("{}"), SSRC), "codecs[1].parameters.apt", NULL, "nothing"},
    {VIDEO(RTX("{'apt': 96}") "," VP8 "," RTX("{'apt': 96}"), SSRC), "codecs[2].payloadType", NULL,
     NULL},
    {VIDEO(VP8, SSRC ", 'headerExtensions': 1"), "headerExtensions", NULL, "1"},
    {EXT("{'id': 1}"), "headerExtensions[0].uri", NULL, "nothing"},
    {EXT("{'uri': 'a', 'id': 0}"), "headerExtensions[0].id", "an integer from 1 to 255", "0"},
    {EXT("{'uri': 'a', 'id': 256}"), "headerExtensions[0].id", NULL, "256"},
    {EXT("{'uri': 'a', 'id': 2}, {'uri': 'b', 'id': 2}"), "headerExtensions[1].id",
     "an id of its own", "2"},
    {EXT("{'uri': 'a', 'id': 2, 'encrypt': 0}"), "headerExtensions[0].encrypt", NULL, "0"},
    {EXT("{'uri': 'a', 'id': 2, 'parameters': {'k': null}}"), "headerExtensions[0].parameters.k",
     NULL, "null"},
    {VIDEO(VP8, ", 'encodings': {}"), "encodings", "an array of at most 4", "an object"},
    {VIDEO(VP8, ", 'encodings': [{},{},{},{},{}]"), "encodings", NULL, "an array of 5"},
    {VIDEO(VP8, ", 'encodings': [3]"), "encodings[0]", "an object", "3"},
    {VIDEO(VP8, ""), "encodings", "ssrc or rid, as there is no mid", "nothing"},
    {VIDEO(VP8, ", 'encodings': [{}]"), "encodings[0]", "ssrc or rid, as there is no mid", NULL},
    {ENC("{'ssrc': 0}"), "encodings[1].ssrc", "an integer from 1 to 4294967295", "0"},
    {ENC("{'ssrc': 4294967296}"), "encodings[1].ssrc", NULL, NULL},
    {ENC("{'ssrc': '2'}"), "encodings[1].ssrc", NULL, "\"2\""},
    {ENC("{'ssrc': 1}"), "encodings[1].ssrc", "an SSRC of its own", "1"},
    {ENC("{'ssrc': 2, 'rtx': {'ssrc': 1}}"), "encodings[1].rtx.ssrc", "an SSRC of its own", "1"},
    {ENC("{'ssrc': 2, 'rtx': {'ssrc': 2}}"), "encodings[1].rtx.ssrc", NULL, "2"},
    {ENC("{'ssrc': 2, 'rtx': {}}"), "encodings[1].rtx.ssrc", NULL, "nothing"},
    {ENC("{'ssrc': 2, 'rtx': 9}"), "encodings[1].rtx", "an object", "9"},
    {ENC("{'dtx': true}"), "encodings[1]", "ssrc or rid, as there are several encodings", NULL},
    {ENC("{'rid': 7}"), "encodings[1].rid", NULL, "7"},
    {ENC("{'rid': 'a b'}"), "encodings[1].rid", "letters, digits, - and _", "\"a b\""},
    {ENC("{'rid': 'x'}, {'rid': 'x'}"), "encodings[2].rid", "a rid of its own", "\"x\""},
    {ENC("{'ssrc': 2, 'codecPayloadType': 98}"), "encodings[1].codecPayloadType",
     "the payload type of a media codec", "98"},
    {VIDEO(VP8 "," RTX("{'apt': 96}"), ", 'encodings': [{'ssrc': 1, 'codecPayloadType': 97}]"),
     "encodings[0].codecPayloadType", NULL, "97"},
    {ENC("{'ssrc': 2, 'dtx': 'no'}"), "encodings[1].dtx", "true or false", "\"no\""},
    {ENC("{'ssrc': 2, 'maxBitrate': -1}"), "encodings[1].maxBitrate", NULL, "-1"},
    {ENC("{'ssrc': 2, 'scalabilityMode': 'L2T1'}"), "encodings[1].scalabilityMode",
     "one spatial layer, as there are several encodings", "\"L2T1\""},
    {MODE("3"), "encodings[0].scalabilityMode", NULL, "3"},
    {MODE("'T1L1'"), "encodings[0].scalabilityMode", "a mode of at most 8 layers, such as \"L1T3\"",
     "\"T1L1\""},
    {MODE("'L9T1'"), "encodings[0].scalabilityMode", NULL, NULL},
    {MODE("'L1T99'"), "encodings[0].scalabilityMode", NULL, NULL},
    {VIDEO(VP8, SSRC ", 'rtcp': []"), "rtcp", "an object", NULL},
    {VIDEO(VP8, SSRC ", 'rtcp': {'cname': 1}"), "rtcp.cname", "a string of at most 63 bytes", "1"},
    {VIDEO(VP8, SSRC ", 'rtcp': {'cname': 'x\\r\\na=setup:active'}"), "rtcp.cname",
     "a string without control characters", NULL},
    {VIDEO(VP8, SSRC ", 'msid': 's\\nt'"), "msid", "a string without control characters", NULL},
    {VIDEO(VP8, SSRC ", 'mid': '\\u007f'"), "mid", "a string without control characters", NULL},
    {VIDEO(VP8, SSRC ", 'rtcp': {'reducedSize': 1}"), "rtcp.reducedSize", NULL, "1"},
    {VIDEO(VP8, SSRC ", 'rtcp': {'mux': 'x'}"), "rtcp.mux", NULL, NULL},
    {VIDEO(VP8, SSRC ", 'msid': {}"), "msid", NULL, "an object"},
};

START_TEST(test_names_what_is_wrong)
{
    json_t *value = json_of(wrong[_i].json);
    char path[FIELD_PATH_BYTES] = "rtpParameters";
    if (wrong[_i].path[0] != '\0')
        snprintf(path, sizeof(path), "rtpParameters.%s", wrong[_i].path);
    ck_assert_ptr_null(rtpparams_producer(value, "rtpParameters", MEDIA_VIDEO, NULL, &err));
    assert_error(&err, path, wrong[_i].expected, wrong[_i].got);
    json_decref(value);
}

END_TEST

START_TEST(test_bounds)
{
    /* One too many of everything that can be many. */
    json_t *codecs = json_array(), *feedback = json_array(), *parameters = json_object();
    for (int i = 0; i < 17; i++)
        json_array_append_new(codecs, json_pack("{ss si si}", "mimeType", "video/VP8",
                                                "payloadType", 96 + i, "clockRate", 90000));
    json_t *value = json_pack("{sO}", "codecs", codecs);
    ck_assert_ptr_null(rtpparams_producer(value, "p", MEDIA_VIDEO, NULL, &err));
    assert_error(&err, "p.codecs", "an array of at most 16", "an array of 17");

    json_t *first = json_array_get(codecs, 0);
    while (json_array_size(codecs) > 1)
        json_array_remove(codecs, 1);
    for (int i = 0; i < 17; i++)
        json_array_append_new(feedback, json_pack("{ss}", "type", "nack"));
    json_object_set_new(first, "rtcpFeedback", feedback);
    field_error_clear(&err);
    ck_assert_ptr_null(rtpparams_producer(value, "p", MEDIA_VIDEO, NULL, &err));
    assert_error(&err, "p.codecs[0].rtcpFeedback", "an array of at most 16", "an array of 17");
    json_object_del(first, "rtcpFeedback");

    for (int i = 0; i < 33; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        json_object_set_new(parameters, key, json_integer(i));
    }
    json_object_set_new(first, "parameters", parameters);
    field_error_clear(&err);
    ck_assert_ptr_null(rtpparams_producer(value, "p", MEDIA_VIDEO, NULL, &err));
    assert_error(&err, "p.codecs[0].parameters", "at most 32 parameters", "an object");

    char text[1100];
    memset(text, 'a', sizeof(text));
    text[1025] = '\0';
    json_object_set_new(first, "parameters", json_pack("{ss}", "k", text));
    field_error_clear(&err);
    ck_assert_ptr_null(rtpparams_producer(value, "p", MEDIA_VIDEO, NULL, &err));
    assert_error(&err, "p.codecs[0].parameters.k", NULL, "a string of 1025 bytes");

    text[65] = '\0';
    json_object_set_new(first, "parameters", json_pack("{ss}", text, "v"));
    field_error_clear(&err);
    ck_assert_ptr_null(rtpparams_producer(value, "p", MEDIA_VIDEO, NULL, &err));
    assert_error(&err, "p.codecs[0].parameters", "names of at most 64 bytes", NULL);
    json_decref(codecs);
    json_decref(value);
}

END_TEST

START_TEST(test_consumer_needs_ssrcs)
{
    static const struct {
        const char *json, *path;
    } rows[] = {
        {"{'mid': '0', 'codecs': [" VP8 "]}", "rtpParameters.encodings"},
        {"{'mid': '0', 'codecs': [" VP8 "], 'encodings': []}", "rtpParameters.encodings"},
        {"{'mid': '0', 'codecs': [" VP8 "], 'encodings': [{}]}", "rtpParameters.encodings[0].ssrc"},
        {"{'codecs': [" VP8 "], 'encodings': [{'rid': 'a'}]}", "rtpParameters.encodings[0].ssrc"},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        json_t *value = json_of(rows[i].json);
        field_error_clear(&err);
        ck_assert_ptr_null(rtpparams_consumer(value, "rtpParameters", MEDIA_VIDEO, &err));
        assert_error(&err, rows[i].path, NULL, NULL);
        json_decref(value);
    }

    json_t *value = json_of(VIDEO(VP8, SSRC));
    field_error_clear(&err);
    json_t *params = rtpparams_consumer(value, "rtpParameters", MEDIA_VIDEO, &err);
    assert_no_error(&err);
    ck_assert_ptr_nonnull(params);
    json_decref(params);
    json_decref(value);
}

END_TEST

START_TEST(test_encodings)
{
    json_t *value = json_of("[{'ssrc': 7, 'scalabilityMode': 'L1T2', 'x': 1}, {'ssrc': 8}]");
    json_t *list = rtpparams_encodings(value, "consumableRtpEncodings", &err);
    assert_no_error(&err);
    assert_json(list, "[{'ssrc': 7, 'dtx': false, 'scalabilityMode': 'L1T2'},"
                      " {'ssrc': 8, 'dtx': false}]");
    json_decref(value);
    json_decref(list);

    value = json_of("[]");
    ck_assert_ptr_null(rtpparams_encodings(value, "consumableRtpEncodings", &err));
    assert_error(&err, "consumableRtpEncodings", "at least one encoding", "an array of 0");
    field_error_clear(&err);
    ck_assert_ptr_null(rtpparams_encodings(NULL, "consumableRtpEncodings", &err));
    assert_error(&err, "consumableRtpEncodings", "an array of at most 4", "nothing");
    json_decref(value);
}

END_TEST

START_TEST(test_capabilities)
{
    json_t *value = json_of(
        "{'codecs': [{'kind': 'video', 'mimeType': 'audio/opus', 'preferredPayloadType': 70,"
        " 'clockRate': 48000, 'channels': 2}, {'mimeType': 'video/VP8', 'clockRate': 90000}],"
        " 'headerExtensions': [{'kind': 'audio', 'uri': 'u', 'preferredId': 1, 'direction':"
        " 'recvonly'}], 'fecMechanisms': []}");
    json_t *caps = rtpparams_capabilities(value, "rtpCapabilities", &err);
    assert_no_error(&err);
    assert_json(caps,
                "{'codecs': [{'kind': 'audio', 'mimeType': 'audio/opus', 'preferredPayloadType':"
                " 70, 'clockRate': 48000, 'channels': 2, 'parameters': {}, 'rtcpFeedback': []},"
                " {'kind': 'video', 'mimeType': 'video/VP8', 'clockRate': 90000, 'parameters': {},"
                " 'rtcpFeedback': []}], 'headerExtensions': [{'kind': 'audio', 'uri': 'u',"
                " 'preferredId': 1, 'preferredEncrypt': false, 'direction': 'recvonly'}]}");
    json_decref(value);
    json_decref(caps);

    value = json_of("{}");
    caps = rtpparams_capabilities(value, "rtpCapabilities", &err);
    assert_json(caps, "{'codecs': [], 'headerExtensions': []}");
    json_decref(value);
    json_decref(caps);
}

END_TEST

#define CAP_EXT(rest) "{'headerExtensions': [{" rest "}]}"

START_TEST(test_capabilities_wrong)
{
    static const struct {
        const char *json, *path, *expected;
    } rows[] = {
        {"1", "c", "an object"},
        {"{'codecs': 1}", "c.codecs", "an array of at most 256"},
        {"{'codecs': [{}]}", "c.codecs[0].mimeType", NULL},
        {"{'codecs': [{'mimeType': 'audio/x', 'clockRate': 1, 'channels': 0}]}",
         "c.codecs[0].channels", "an integer from 1 to 255"},
        {"{'codecs': [{'mimeType': 'audio/x', 'clockRate': 1, 'preferredPayloadType': 'a'}]}",
         "c.codecs[0].preferredPayloadType", NULL},
        {CAP_EXT(""), "c.headerExtensions[0].kind", "one of audio, video"},
        {CAP_EXT("'kind': ''"), "c.headerExtensions[0].kind", NULL},
        {CAP_EXT("'kind': 'audio'"), "c.headerExtensions[0].uri", NULL},
        {CAP_EXT("'kind': 'audio', 'uri': 'u'"), "c.headerExtensions[0].preferredId", NULL},
        {CAP_EXT("'kind': 'audio', 'uri': 'u', 'preferredId': 1, 'direction': 'up'"),
         "c.headerExtensions[0].direction", "one of sendrecv, sendonly, recvonly, inactive"},
        {CAP_EXT("'kind': 'audio', 'uri': 'u', 'preferredId': 1, 'preferredEncrypt': 1"),
         "c.headerExtensions[0].preferredEncrypt", NULL},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        json_t *value = json_of(rows[i].json);
        field_error_clear(&err);
        ck_assert_ptr_null(rtpparams_capabilities(value, "c", &err));
        assert_error(&err, rows[i].path, rows[i].expected, NULL);
        json_decref(value);
    }
}

END_TEST

/* Two payload types and two encodings. */
static json_t *two_by_two(void)
{
    json_t *value =
        json_of(VIDEO(VP8 "," RTX("{'apt': 96}"), ", 'encodings': [{'ssrc': 1}, {'rid': 'b',"
                                                  " 'scalabilityMode': 'L1T2'}]"));
    json_t *params = rtpparams_producer(value, "p", MEDIA_VIDEO, NULL, &err);
    assert_no_error(&err);
    json_decref(value);
    return params;
}

#define PTS                                                                                        \
    "{'payloadType': 96, 'mappedPayloadType': 101}, {'payloadType': 97, 'mappedPayloadType': 102}"
#define SSRCS                      "{'mappedSsrc': 11}, {'mappedSsrc': 12}"
#define MAPPING(codecs, encodings) "{'codecs': [" codecs "], 'encodings': [" encodings "]}"

START_TEST(test_mapping)
{
    json_t *params = two_by_two();
    json_t *value = json_of(MAPPING(PTS, SSRCS));
    json_t *mapping = rtpparams_mapping(value, "rtpMapping", params, &err);
    assert_no_error(&err);
    assert_json(mapping,
                MAPPING(PTS, "{'ssrc': 1, 'mappedSsrc': 11},"
                             " {'rid': 'b', 'scalabilityMode': 'L1T2', 'mappedSsrc': 12}"));
    json_decref(params);
    json_decref(value);
    json_decref(mapping);
}

END_TEST

START_TEST(test_mapping_wrong)
{
    static const struct {
        const char *json, *path, *expected;
    } rows[] = {
        {"[]", "m", "an object"},
        {"{}", "m.codecs", "an array"},
        {MAPPING("{'payloadType': 96}", SSRCS), "m.codecs[0].mappedPayloadType", NULL},
        {MAPPING("{'payloadType': 96, 'mappedPayloadType': 80}", SSRCS),
         "m.codecs[0].mappedPayloadType", NULL},
        {MAPPING("{'payloadType': 98, 'mappedPayloadType': 101}", SSRCS), "m.codecs[0].payloadType",
         "a payload type of rtpParameters"},
        {MAPPING(PTS ", {'payloadType': 96, 'mappedPayloadType': 101}", SSRCS),
         "m.codecs[2].payloadType", "a payload type of its own"},
        {MAPPING("{'payloadType': 96, 'mappedPayloadType': 101}", SSRCS), "m.codecs",
         "one entry for each codec of rtpParameters"},
        {MAPPING(PTS, "{'mappedSsrc': 1}"), "m.encodings",
         "one entry for each encoding of rtpParameters"},
        {MAPPING(PTS, "{'mappedSsrc': 1}, {}"), "m.encodings[1].mappedSsrc", NULL},
        {"{'codecs': [" PTS "], 'encodings': [" SSRCS "], 'more': 1}", "m.more", "a known field"},
        {MAPPING("{'payloadType': 96, 'mappedPayloadType': 101, 'pt': 1}", SSRCS), "m.codecs[0].pt",
         "a known field"},
        {MAPPING(PTS, "{'mappedSsrc': 1}, {'mappedSsrc': 2, 'mapped': 1}"), "m.encodings[1].mapped",
         "a known field"},
        {MAPPING(PTS, "{'mappedSsrc': 1}, {'mappedSsrc': 1}"), "m.encodings[1].mappedSsrc",
         "an SSRC of its own"},
        {"{'codecs': [" PTS "]}", "m.encodings", "an array"},
    };

    json_t *params = two_by_two();
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        json_t *value = json_of(rows[i].json);
        field_error_clear(&err);
        ck_assert_ptr_null(rtpparams_mapping(value, "m", params, &err));
        assert_error(&err, rows[i].path, rows[i].expected, NULL);
        json_decref(value);
    }
    json_decref(params);
}

END_TEST

START_TEST(test_encoding_codec)
{
    json_t *value =
        json_of(VIDEO(RTX("{'apt': 96}") "," VP8 ", {'mimeType': 'video/VP9', 'payloadType': 98,"
                                         " 'clockRate': 90000}",
                      ", 'encodings': [{'ssrc': 1}, {'ssrc': 2, 'codecPayloadType': 98}]"));
    json_t *params = rtpparams_producer(value, "p", MEDIA_VIDEO, NULL, &err);
    assert_no_error(&err);
    ck_assert_str_eq(rtpcodec_mime(rtpparams_encoding_codec(params, 0)), "video/VP8");
    ck_assert_str_eq(rtpcodec_mime(rtpparams_encoding_codec(params, 1)), "video/VP9");
    json_decref(value);
    json_decref(params);
}

END_TEST

START_TEST(test_layers)
{
    static const struct {
        const char *mode;
        bool valid;
        int spatial, temporal;
        bool key_only;
    } rows[] = {
        {NULL, false, 1, 1, false},     {"", false, 1, 1, false},
        {"L1T1", true, 1, 1, false},    {"L3T3_KEY", true, 3, 3, true},
        {"S2T3", true, 2, 3, false},    {"L12T99", true, 12, 99, false},
        {"L2T2h", true, 2, 2, false},   {"L2T2_KEY_SHIFT", true, 2, 2, true},
        {"L0T1", false, 1, 1, false},   {"L1T0", false, 1, 1, false},
        {"L123T1", false, 1, 1, false}, {"l1t1", false, 1, 1, false},
        {"L1", false, 1, 1, false},     {"L1T", false, 1, 1, false},
        {"LT1", false, 1, 1, false},    {"L1X1", false, 1, 1, false},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct rtpparams_layers layers = {77, 77, true};
        ck_assert_int_eq(rtpparams_layers_parse(&layers, rows[i].mode), rows[i].valid);
        ck_assert_int_eq(layers.spatial, rows[i].spatial);
        ck_assert_int_eq(layers.temporal, rows[i].temporal);
        ck_assert_int_eq(layers.key_only, rows[i].key_only);
    }
}

END_TEST

Suite *ctl_rtpparams_suite(void)
{
    Suite *suite = suite_create("rtpparams");
    TCase *tcase = tcase_create("rtpparams");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_test(tcase, test_fills_a_producer);
    tcase_add_test(tcase, test_keeps_what_is_given);
    tcase_add_test(tcase, test_encodings_may_be_missing);
    tcase_add_test(tcase, test_audio_has_channels);
    tcase_add_loop_test(tcase, test_names_what_is_wrong, 0, (int)ARRAY_N(wrong));
    tcase_add_test(tcase, test_bounds);
    tcase_add_test(tcase, test_consumer_needs_ssrcs);
    tcase_add_test(tcase, test_encodings);
    tcase_add_test(tcase, test_capabilities);
    tcase_add_test(tcase, test_capabilities_wrong);
    tcase_add_test(tcase, test_mapping);
    tcase_add_test(tcase, test_mapping_wrong);
    tcase_add_test(tcase, test_encoding_codec);
    tcase_add_test(tcase, test_layers);
    suite_add_tcase(suite, tcase);
    return suite;
}
