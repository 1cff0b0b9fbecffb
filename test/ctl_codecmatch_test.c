/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_codecmatch_test.c - which descriptions fit each other, and the level of the answer. */
#include "ctl/codecmatch.h"
#include "test/ctl_json.h"

/* A codec in normal form from "mime clock channels parameters". */
static json_t *codec_of(const char *text)
{
    struct field_error err = {.path = ""};
    struct fields f;
    json_t *value = json_of(text);
    ck_assert_int_eq(json_object_set_new(value, "payloadType", json_integer(100)), 0);
    fields_begin(&f, value, "codec", &err);
    json_t *codec = rtpcodec_read(&f, RTPCODEC_PARAMETERS);
    assert_no_error(&err);
    json_decref(value);
    return codec;
}

#define AUDIO(name, rate, channels)                                                                \
    "{'mimeType': 'audio/" name "', 'clockRate': " #rate ", 'channels': " #channels "}"
#define MULTI(channels, n, coupled)                                                                \
    "{'mimeType': 'audio/multiopus', 'clockRate': 48000, 'channels': " #channels                   \
    ", 'parameters': {'num_streams': " #n ", 'coupled_streams': " #coupled "}}"
#define VIDEO(name, parameters)                                                                    \
    "{'mimeType': 'video/" name "', 'clockRate': 90000, 'parameters': {" parameters "}}"
#define H264(mode, id) VIDEO("H264", "'packetization-mode': " mode ", 'profile-level-id': " id)

enum { NO, LOOSE, BOTH };

static const struct {
    const char *stream, *receiver;
    int fits; /* loosely, or strictly as well */
} rows[] = {
    {AUDIO("opus", 48000, 2), AUDIO("OPUS", 48000, 2), BOTH},
    {AUDIO("opus", 48000, 2), AUDIO("opus", 48000, 1), NO},
    {AUDIO("opus", 48000, 2), AUDIO("opus", 16000, 2), NO},
    {AUDIO("SILK", 24000, 1), AUDIO("SILK", 16000, 1), NO},
    {AUDIO("red", 48000, 2), AUDIO("red", 48000, 2), BOTH},
    {AUDIO("PCMU", 8000, 1), "{'mimeType': 'audio/pcmu', 'clockRate': 8000}", BOTH},
    {AUDIO("PCMU", 8000, 1), AUDIO("PCMA", 8000, 1), NO},
    {MULTI(6, 4, 2), MULTI(6, 4, 2), BOTH},
    {MULTI(6, 4, 2), MULTI(6, '4', '2'), BOTH},
    {MULTI(6, 4, 2), MULTI(6, 6, 0), NO},
    {MULTI(6, 4, 2), MULTI(6, 4, 1), NO},
    {MULTI(6, 4, 2), AUDIO("multiopus", 48000, 6), NO},
    {VIDEO("VP8", ""), VIDEO("vp8", ""), BOTH},
    {VIDEO("VP8", ""), VIDEO("VP9", ""), NO},
    {VIDEO("VP9", ""), VIDEO("VP9", "'profile-id': 0"), BOTH},
    {VIDEO("VP9", "'profile-id': '2'"), VIDEO("VP9", "'profile-id': 2"), BOTH},
    {VIDEO("VP9", ""), VIDEO("VP9", "'profile-id': 2"), LOOSE},
    {VIDEO("AV1", ""), VIDEO("AV1", "'profile': 0, 'level-idx': 5, 'tier': 0"), BOTH},
    {VIDEO("AV1", "'profile': 1"), VIDEO("AV1", "'profile': 0"), LOOSE},
    {H264("1", "'42e01f'"), H264("1", "'42e034'"), BOTH},
    {H264("1", "'42e01f'"), H264("'1'", "'42c01f'"), BOTH},
    {H264("1", "'42e01f'"), H264("0", "'42e01f'"), LOOSE},
    {H264("1", "'42e01f'"), H264("1", "'42001f'"), BOTH}, /* a subset */
    {H264("1", "'42001f'"), H264("1", "'42e01f'"), LOOSE},
    {H264("1", "'42e01f'"), H264("1", "'4d001f'"), LOOSE},
    {H264("1", "'64001f'"), H264("1", "'640c1f'"), LOOSE},
    {H264("1", "'nonsense'"), H264("1", "'nonsense'"), LOOSE},
    {H264("1", "640032"), H264("1", "'64001f'"), BOTH}, /* a number by mistake */
    {VIDEO("H264", ""), H264("0", "'42e01f'"), BOTH},   /* the default */
    {VIDEO("H264", ""), VIDEO("H264", "'profile-level-id': ''"), BOTH},
    {VIDEO("H264", ""), H264("0", "'4d001f'"), LOOSE},
    {VIDEO("H265", ""), VIDEO("H265", "'profile-id': 1, 'tier-flag': 0, 'tx-mode': 'SRST'"), BOTH},
    {VIDEO("H265", "'level-id': 186"), VIDEO("H265", "'level-id': 93"), BOTH},
    {VIDEO("H265", "'tx-mode': 'srst'"), VIDEO("H265", ""), BOTH},
    {VIDEO("H265", "'tx-mode': 'MRST'"), VIDEO("H265", ""), LOOSE},
    {VIDEO("H265", "'profile-id': 2"), VIDEO("H265", ""), LOOSE},
    {VIDEO("H265", "'tier-flag': 1"), VIDEO("H265", ""), LOOSE},
};

START_TEST(test_match)
{
    json_t *stream = codec_of(rows[_i].stream);
    json_t *receivers = json_pack("[o]", codec_of(rows[_i].receiver));
    bool loose = codecmatch_find(receivers, stream, CODECMATCH_LOOSE) != NULL;
    bool strict = codecmatch_find(receivers, stream, CODECMATCH_STRICT) != NULL;
    ck_assert_int_eq(loose, rows[_i].fits >= LOOSE);
    ck_assert_int_eq(strict, rows[_i].fits == BOTH);
    json_decref(stream);
    json_decref(receivers);
}

END_TEST

START_TEST(test_prefers_the_very_profile)
{
    json_t *stream = codec_of(H264("1", "'42c01f'"));
    json_t *receivers = json_pack("[ooo]", codec_of(H264("1", "'42001f'")),
                                  codec_of(H264("0", "'42e01f'")), codec_of(H264("1", "'42e01f'")));
    ck_assert_ptr_eq(codecmatch_find(receivers, stream, CODECMATCH_STRICT),
                     json_array_get(receivers, 2));
    json_array_remove(receivers, 2);
    ck_assert_ptr_eq(codecmatch_find(receivers, stream, CODECMATCH_STRICT),
                     json_array_get(receivers, 0));
    json_array_remove(receivers, 0);
    ck_assert_ptr_null(codecmatch_find(receivers, stream, CODECMATCH_STRICT));
    ck_assert_ptr_null(codecmatch_find(NULL, stream, CODECMATCH_LOOSE));
    json_decref(stream);
    json_decref(receivers);
}

END_TEST

#define ASYM(yes, id) VIDEO("H264", "'level-asymmetry-allowed': " yes ", 'profile-level-id': " id)

static const struct {
    const char *stream, *receiver, *parameters;
} answers[] = {
    {VIDEO("H264", ""), VIDEO("H264", ""), "{}"},
    {VIDEO("H264", ""), VIDEO("H264", "'profile-level-id': '42e00c'"),
     "{'profile-level-id': '42e00c'}"},
    {VIDEO("H264", "'profile-level-id': '42c034'"), VIDEO("H264", ""),
     "{'profile-level-id': '42e01f'}"},
    {ASYM("1", "'42e034'"), ASYM("'1'", "'42e01f'"),
     "{'level-asymmetry-allowed': 1, 'profile-level-id': '42e034'}"},
    {ASYM("1", "'42e034'"), ASYM("0", "'42e01f'"),
     "{'level-asymmetry-allowed': 1, 'profile-level-id': '42e01f'}"},
    {ASYM("0", "'42f00b'"), ASYM("0", "'42e00a'"),
     "{'level-asymmetry-allowed': 0, 'profile-level-id': '42e00a'}"},
    {ASYM("0", "'42f00b'"), ASYM("0", "'42e00b'"),
     "{'level-asymmetry-allowed': 0, 'profile-level-id': '42f00b'}"},
    {ASYM("1", "'42e01f'"), ASYM("1", "'420034'"), /* the stream keeps its profile */
     "{'level-asymmetry-allowed': 1, 'profile-level-id': '42e01f'}"},
    {VIDEO("H265", "'level-id': 186"), VIDEO("H265", "'level-id': 93"), "{'level-id': 93}"},
    {VIDEO("H265", "'level-id': '93'"), VIDEO("H265", "'level-id': 186"), "{'level-id': '93'}"},
    {VIDEO("H265", "'level-id': 186"), VIDEO("H265", ""), "{'level-id': 186}"},
    {VIDEO("H265", ""), VIDEO("H265", "'level-id': 93"), "{}"},
    {VIDEO("VP9", "'profile-id': 2"), VIDEO("VP9", "'profile-id': 2"), "{'profile-id': 2}"},
};

START_TEST(test_answer)
{
    json_t *stream = codec_of(answers[_i].stream), *receiver = codec_of(answers[_i].receiver);
    ck_assert_int_eq(codecmatch_answer(stream, receiver), 0);
    assert_json(json_object_get(stream, "parameters"), answers[_i].parameters);
    json_decref(stream);
    json_decref(receiver);
}

END_TEST

START_TEST(test_survives_what_is_no_codec)
{
    json_t *nothing = json_of("[{}, 1, null, {'mimeType': 1}]");
    json_t *stream = codec_of(H264("1", "'42c01f'"));
    ck_assert_ptr_null(codecmatch_find(nothing, stream, CODECMATCH_STRICT));
    ck_assert_ptr_null(codecmatch_find(nothing, stream, CODECMATCH_LOOSE));
    ck_assert_int_eq(rtpcodec_payload_type(json_array_get(nothing, 0)), -1);
    ck_assert_int_eq(rtpcodec_apt(NULL), -1);
    ck_assert_str_eq(rtpcodec_mime(NULL), "");
    ck_assert_ptr_null(rtpcodec_find(nothing, 0));
    ck_assert_ptr_null(rtpcodec_find_rtx(nothing, 0));
    json_decref(nothing);
    json_decref(stream);
}

END_TEST

Suite *ctl_codecmatch_suite(void)
{
    Suite *suite = suite_create("codecmatch");
    TCase *tcase = tcase_create("codecmatch");
    tcase_add_loop_test(tcase, test_match, 0, (int)ARRAY_N(rows));
    tcase_add_test(tcase, test_prefers_the_very_profile);
    tcase_add_loop_test(tcase, test_answer, 0, (int)ARRAY_N(answers));
    tcase_add_test(tcase, test_survives_what_is_no_codec);
    suite_add_tcase(suite, tcase);
    return suite;
}
