/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_codecs_test.c - the table of what can be forwarded, against what applications know. */
#include "ctl/codecs.h"
#include "ctl/rtpparams.h"
#include "test/ctl_json.h"

static const struct {
    const char *mime;
    int clock_rate, channels, payload_type;
} known[] = {
    {"audio/opus", 48000, 2, -1},
    {"audio/red", 48000, 2, -1},
    {"audio/multiopus", 48000, 4, -1},
    {"audio/multiopus", 48000, 6, -1},
    {"audio/multiopus", 48000, 8, -1},
    {"audio/PCMU", 8000, 1, 0},
    {"audio/PCMA", 8000, 1, 8},
    {"audio/ISAC", 32000, 1, -1},
    {"audio/ISAC", 16000, 1, -1},
    {"audio/G722", 8000, 1, 9},
    {"audio/iLBC", 8000, 1, -1},
    {"audio/SILK", 24000, 1, -1},
    {"audio/SILK", 16000, 1, -1},
    {"audio/SILK", 12000, 1, -1},
    {"audio/SILK", 8000, 1, -1},
    {"audio/CN", 32000, 1, 13},
    {"audio/CN", 16000, 1, 13},
    {"audio/CN", 8000, 1, 13},
    {"audio/telephone-event", 48000, 1, -1},
    {"audio/telephone-event", 32000, 1, -1},
    {"audio/telephone-event", 16000, 1, -1},
    {"audio/telephone-event", 8000, 1, -1},
    {"video/VP8", 90000, 0, -1},
    {"video/VP9", 90000, 0, -1},
    {"video/H264", 90000, 0, -1},
    {"video/H265", 90000, 0, -1},
    {"video/AV1", 90000, 0, -1},
};

START_TEST(test_supported)
{
    json_t *codecs = codecs_supported();
    ck_assert_uint_eq(json_array_size(codecs), ARRAY_N(known));
    for (size_t i = 0; i < ARRAY_N(known); i++) {
        const json_t *codec = json_array_get(codecs, i);
        ck_assert_str_eq(rtpcodec_mime(codec), known[i].mime);
        ck_assert_int_eq(rtpcodec_clock_rate(codec), known[i].clock_rate);
        ck_assert_int_eq(rtpcodec_channels(codec), known[i].channels);
        ck_assert_int_eq(rtpcodec_payload_type(codec), known[i].payload_type);
    }
    json_decref(codecs);
}

END_TEST

START_TEST(test_is_in_normal_form)
{
    struct field_error err = {.path = ""};
    json_t *codecs = codecs_supported(), *extensions = codecs_header_extensions();
    json_t *caps = json_pack("{sO sO}", "codecs", codecs, "headerExtensions", extensions);
    json_t *again = rtpparams_capabilities(caps, "caps", &err);
    assert_no_error(&err);
    ck_assert(json_equal(caps, again));
    json_decref(codecs);
    json_decref(extensions);
    json_decref(caps);
    json_decref(again);
}

END_TEST

START_TEST(test_parameters_and_feedback)
{
    json_t *codecs = codecs_supported();
    assert_json(json_array_get(codecs, 0),
                "{'kind': 'audio', 'mimeType': 'audio/opus', 'clockRate': 48000, 'channels': 2,"
                " 'parameters': {}, 'rtcpFeedback': [{'type': 'nack', 'parameter': ''},"
                " {'type': 'transport-cc', 'parameter': ''}]}");
    assert_json(json_array_get(codecs, 3),
                "{'kind': 'audio', 'mimeType': 'audio/multiopus', 'clockRate': 48000,"
                " 'channels': 6, 'parameters': {'channel_mapping': '0,4,1,2,3,5',"
                " 'num_streams': 4, 'coupled_streams': 2}, 'rtcpFeedback':"
                " [{'type': 'nack', 'parameter': ''}, {'type': 'transport-cc', 'parameter': ''}]}");
    assert_json(json_array_get(codecs, 5),
                "{'kind': 'audio', 'mimeType': 'audio/PCMU', 'clockRate': 8000, 'channels': 1,"
                " 'preferredPayloadType': 0, 'parameters': {},"
                " 'rtcpFeedback': [{'type': 'transport-cc', 'parameter': ''}]}");
    assert_json(json_array_get(codecs, 24),
                "{'kind': 'video', 'mimeType': 'video/H264', 'clockRate': 90000,"
                " 'parameters': {'level-asymmetry-allowed': 1}, 'rtcpFeedback':"
                " [{'type': 'nack', 'parameter': ''}, {'type': 'nack', 'parameter': 'pli'},"
                " {'type': 'ccm', 'parameter': 'fir'}, {'type': 'goog-remb', 'parameter': ''},"
                " {'type': 'transport-cc', 'parameter': ''}]}");
    json_decref(codecs);
}

END_TEST

/* Kind, number, direction: 18 rows for 12 extensions. */
START_TEST(test_header_extensions)
{
    static const char expected[] =
        "a1 sendrecv v1 sendrecv v2 recvonly v3 recvonly a4 sendrecv v4 sendrecv a5 recvonly "
        "v5 sendrecv a6 sendrecv v7 recvonly v8 sendrecv v9 sendrecv a10 sendrecv v10 sendrecv "
        "a11 sendrecv v11 sendrecv a12 sendrecv v12 sendrecv ";
    json_t *extensions = codecs_header_extensions();
    char text[512] = "";
    ck_assert_uint_eq(json_array_size(extensions), 18);
    for (size_t i = 0; i < 18; i++) {
        const json_t *ext = json_array_get(extensions, i);
        int id = (int)json_integer_value(json_object_get(ext, "preferredId"));
        size_t at = strlen(text);
        snprintf(text + at, sizeof(text) - at, "%c%d %s ",
                 json_string_value(json_object_get(ext, "kind"))[0], id,
                 json_string_value(json_object_get(ext, "direction")));
        int kind = rtp_ext_kind_of_uri(json_string_value(json_object_get(ext, "uri")));
        ck_assert_int_ge(kind, 0);
        ck_assert_int_eq(codecs_ext_id((enum rtp_ext_kind)kind), id);
    }
    ck_assert_str_eq(text, expected);
    json_decref(extensions);
}

END_TEST

START_TEST(test_dynamic_payload_types)
{
    bool seen[128] = {false};
    for (size_t i = 0; i < CODECS_DYNAMIC_N; i++) {
        uint8_t payload_type = codecs_dynamic_payload_type(i);
        ck_assert_uint_lt(payload_type, 128);
        ck_assert(!seen[payload_type]);
        ck_assert(codecs_payload_type_is_safe(payload_type));
        seen[payload_type] = true;
    }
    ck_assert_uint_eq(codecs_dynamic_payload_type(0), 100);
    ck_assert_uint_eq(codecs_dynamic_payload_type(27), 127);
    ck_assert_uint_eq(codecs_dynamic_payload_type(28), 96);
    ck_assert_uint_eq(codecs_dynamic_payload_type(31), 99);
    ck_assert_uint_eq(codecs_dynamic_payload_type(32), 35);
    ck_assert_uint_eq(codecs_dynamic_payload_type(60), 63);
}

END_TEST

Suite *ctl_codecs_suite(void)
{
    Suite *suite = suite_create("codecs");
    TCase *tcase = tcase_create("codecs");
    tcase_add_test(tcase, test_supported);
    tcase_add_test(tcase, test_is_in_normal_form);
    tcase_add_test(tcase, test_parameters_and_feedback);
    tcase_add_test(tcase, test_header_extensions);
    tcase_add_test(tcase, test_dynamic_payload_types);
    suite_add_tcase(suite, tcase);
    return suite;
}
