/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/ortc_router.c - a router's capabilities from its media codecs. */
#include "ctl/codecmatch.h"
#include "ctl/jsonbuild.h"
#include "ctl/ortc.h"

#include <stdio.h>

struct payload_types {
    bool taken[128];
};

static int take_dynamic(struct payload_types *types)
{
    for (size_t i = 0; i < CODECS_DYNAMIC_N; i++) {
        uint8_t payload_type = codecs_dynamic_payload_type(i);
        if (!types->taken[payload_type]) {
            types->taken[payload_type] = true;
            return payload_type;
        }
    }
    return -1;
}

/* Given ones were taken beforehand, so that no automatic one is in the way of a later codec's. */
static int take_payload_type(struct payload_types *types, const json_t *given,
                             const json_t *supported)
{
    if (rtpcodec_payload_type(given) >= 0)
        return rtpcodec_payload_type(given);
    int usual = rtpcodec_payload_type(supported);
    if (usual >= 0 && !types->taken[usual]) {
        types->taken[usual] = true;
        return usual;
    }
    return take_dynamic(types);
}

static json_t *rtx_new(const json_t *codec, int payload_type)
{
    return json_pack("{ss ss si sI s{si} s[]}", "kind", "video", "mimeType", "video/rtx",
                     "preferredPayloadType", payload_type, "clockRate",
                     (json_int_t)rtpcodec_clock_rate(codec), "parameters", "apt",
                     rtpcodec_payload_type(codec), "rtcpFeedback");
}

static bool same_codec(const json_t *a, const json_t *b)
{
    return rtpcodec_is(a, rtpcodec_mime(b)) && rtpcodec_clock_rate(a) == rtpcodec_clock_rate(b) &&
           rtpcodec_channels(a) == rtpcodec_channels(b) &&
           json_equal(json_object_get(a, "parameters"), json_object_get(b, "parameters"));
}

static void refuse(struct field_error *err, size_t index, const char *expected, const json_t *codec)
{
    char path[FIELD_PATH_BYTES], got[FIELD_TEXT_BYTES];
    snprintf(path, sizeof(path), "mediaCodecs[%zu]", index);
    field_error_set(err, path, expected, rtpcodec_describe(codec, got));
}

/* The relay's codec with what the application wants of it. */
static json_t *codec_new(const json_t *given, const json_t *supported)
{
    json_t *codec = json_deep_copy(supported);
    int bad = json_object_update(json_object_get(codec, "parameters"),
                                 json_object_get(given, "parameters"));
    if (codec && bad == 0)
        return codec;
    json_decref(codec);
    return NULL;
}

/* Appends the codec `given` at `index` of the list, and its RTX. */
static void add_codec(struct jsonbuild *out, struct payload_types *types, const json_t *given,
                      size_t index, const json_t *supported, struct field_error *err)
{
    const json_t *match = codecmatch_find(supported, given, CODECMATCH_LOOSE);
    if (!match) {
        refuse(err, index, "a supported codec", given);
        return;
    }

    json_t *codec = codec_new(given, match);
    for (size_t i = 0; i < json_array_size(out->value); i++) {
        if (codec && same_codec(codec, json_array_get(out->value, i)))
            refuse(err, index, "a codec that is not listed before", given);
    }

    bool video = rtpcodec_kind(match) == MEDIA_VIDEO;
    int payload_type = take_payload_type(types, given, match);
    int rtx_payload_type = video ? take_dynamic(types) : 0;
    if (payload_type < 0 || rtx_payload_type < 0)
        refuse(err, index, "fewer codecs: no payload type is left", given);
    out->bad |= json_object_set_new(codec, "preferredPayloadType", json_integer(payload_type));
    jsonbuild_append(out, codec);
    if (video)
        jsonbuild_append(out, rtx_new(codec, rtx_payload_type));
}

static json_t *router_codecs(const json_t *media_codecs, const json_t *supported,
                             struct field_error *err)
{
    struct jsonbuild out = {json_array(), 0};
    struct payload_types types = {{false}};
    for (size_t i = 0; i < json_array_size(media_codecs); i++) {
        int payload_type = rtpcodec_payload_type(json_array_get(media_codecs, i));
        if (payload_type >= 0 && payload_type < 128)
            types.taken[payload_type] = true;
    }
    for (size_t i = 0; i < json_array_size(media_codecs) && out.bad == 0; i++) {
        add_codec(&out, &types, json_array_get(media_codecs, i), i, supported, err);
        if (field_error_is_set(err))
            break;
    }
    return jsonbuild_done(&out, !field_error_is_set(err), err);
}

json_t *ortc_router_capabilities(const json_t *media_codecs, struct field_error *err)
{
    bool absent = !media_codecs || json_is_null(media_codecs);
    json_t *empty = absent ? json_array() : NULL;
    json_t *given = rtpparams_media_codecs(absent ? empty : media_codecs, "mediaCodecs", err);
    json_t *supported = codecs_supported();
    struct jsonbuild out = {NULL, 0};
    if (given) {
        out.value = json_object();
        jsonbuild_put(&out, "codecs", router_codecs(given, supported, err));
        jsonbuild_put(&out, "headerExtensions", codecs_header_extensions());
    }
    json_decref(empty);
    json_decref(given);
    json_decref(supported);
    return jsonbuild_done(&out, !field_error_is_set(err), err);
}
