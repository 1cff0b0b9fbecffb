/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/ortc_producer.c - what a producer sends, mapped to the router's numbers, and what is offered
 * of it. */
#include "ctl/codecmatch.h"
#include "ctl/jsonbuild.h"
#include "ctl/ortc.h"
#include "ctl/red.h"

#include <stdio.h>

const char *const ortc_type_names[] = {"simple", "simulcast", "svc", "pipe", NULL};

static void refuse(struct field_error *err, size_t index, const char *expected, const json_t *codec)
{
    char path[FIELD_PATH_BYTES], got[FIELD_TEXT_BYTES];
    snprintf(path, sizeof(path), "rtpParameters.codecs[%zu]", index);
    field_error_set(err, path, expected, rtpcodec_describe(codec, got));
}

/* What to expect where the router has the codec in another flavour. */
static void refuse_codec(struct field_error *err, size_t index, const json_t *codec,
                         const json_t *router_codecs)
{
    char text[FIELD_TEXT_BYTES];
    for (size_t i = 0; i < json_array_size(router_codecs); i++) {
        const json_t *other = json_array_get(router_codecs, i);
        if (rtpcodec_is(other, rtpcodec_mime(codec))) {
            refuse(err, index, rtpcodec_describe(other, text), codec);
            return;
        }
    }
    refuse(err, index, "a codec of the router", codec);
}

/* The router's codec for the one at `index`, or NULL with the error set. */
static const json_t *map_media(json_t *codec, size_t index, const json_t *codecs,
                               const json_t *router_codecs, struct field_error *err)
{
    const json_t *match = codecmatch_find(router_codecs, codec, CODECMATCH_STRICT);
    if (!match)
        refuse_codec(err, index, codec, router_codecs);
    else if (codecmatch_answer(codec, match) != 0)
        fields_done(NULL, -1, err);
    else if (rtpcodec_is(codec, "audio/red") && !red_is_sound(codec, codecs))
        refuse(err, index, "payload types of other codecs in its parameters", codec);
    else
        return match;
    return NULL;
}

static const json_t *map_rtx(const json_t *codec, size_t index, const json_t *codecs,
                             const json_t *router_codecs, struct field_error *err)
{
    const json_t *repaired = rtpcodec_find(codecs, rtpcodec_apt(codec));
    const json_t *match =
        repaired ? codecmatch_find(router_codecs, repaired, CODECMATCH_STRICT) : NULL;
    const json_t *rtx = rtpcodec_find_rtx(router_codecs, rtpcodec_payload_type(match));
    if (!rtx)
        refuse(err, index, "a codec for which the router has RTX", codec);
    return rtx;
}

static void map_codecs(struct jsonbuild *out, const json_t *codecs, const json_t *router_codecs,
                       bool rtx, struct field_error *err)
{
    for (size_t i = 0; i < json_array_size(codecs) && !field_error_is_set(err); i++) {
        json_t *codec = json_array_get(codecs, i);
        if (rtpcodec_is_rtx(codec) != rtx)
            continue;
        const json_t *match = rtx ? map_rtx(codec, i, codecs, router_codecs, err)
                                  : map_media(codec, i, codecs, router_codecs, err);
        if (match)
            jsonbuild_append(out, json_pack("{si si}", "payloadType", rtpcodec_payload_type(codec),
                                            "mappedPayloadType", rtpcodec_payload_type(match)));
    }
}

static json_t *map_encoding(const json_t *encoding, const struct ortc_ssrcs *ssrcs,
                            struct field_error *err)
{
    static const char *const kept[] = {"ssrc", "rid", "scalabilityMode"};
    struct jsonbuild out = {json_object(), 0};
    for (size_t i = 0; i < ARRAY_N(kept); i++) {
        const json_t *value = json_object_get(encoding, kept[i]);
        if (value)
            jsonbuild_put(&out, kept[i], json_deep_copy(value));
    }
    jsonbuild_put(&out, "mappedSsrc", json_integer(ssrcs->take(ssrcs->arg)));
    return jsonbuild_done(&out, true, err);
}

json_t *ortc_producer_mapping(json_t *params, const json_t *router_caps,
                              const struct ortc_ssrcs *ssrcs, struct field_error *err)
{
    const json_t *codecs = json_object_get(params, "codecs");
    const json_t *router_codecs = json_object_get(router_caps, "codecs");
    const json_t *encodings = json_object_get(params, "encodings");
    struct jsonbuild out = {json_object(), 0};
    struct jsonbuild mapped_codecs = {json_array(), 0}, mapped_encodings = {json_array(), 0};

    map_codecs(&mapped_codecs, codecs, router_codecs, false, err);
    map_codecs(&mapped_codecs, codecs, router_codecs, true, err);
    for (size_t i = 0; i < json_array_size(encodings) && !field_error_is_set(err); i++)
        jsonbuild_append(&mapped_encodings, map_encoding(json_array_get(encodings, i), ssrcs, err));

    out.bad |= mapped_codecs.bad | mapped_encodings.bad;
    jsonbuild_put(&out, "codecs", mapped_codecs.value);
    jsonbuild_put(&out, "encodings", mapped_encodings.value);
    return jsonbuild_done(&out, !field_error_is_set(err), err);
}

static int mapped_payload_type(const json_t *mapping, int payload_type)
{
    const json_t *entries = json_object_get(mapping, "codecs");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (json_integer_value(json_object_get(entry, "payloadType")) == payload_type)
            return (int)json_integer_value(json_object_get(entry, "mappedPayloadType"));
    }
    return -1;
}

/* `offered` is the router's codec, `parameters` (reference taken) are the stream's. */
static json_t *consumable_codec(const json_t *offered, json_t *parameters, struct field_error *err)
{
    struct jsonbuild out = {json_object(), 0};
    const json_t *channels = json_object_get(offered, "channels");
    jsonbuild_put(&out, "mimeType", json_string(rtpcodec_mime(offered)));
    jsonbuild_put(&out, "payloadType", json_integer(rtpcodec_payload_type(offered)));
    jsonbuild_put(&out, "clockRate", json_integer(rtpcodec_clock_rate(offered)));
    if (channels)
        jsonbuild_put(&out, "channels", json_deep_copy(channels));
    jsonbuild_put(&out, "parameters", parameters);
    jsonbuild_put(&out, "rtcpFeedback", json_deep_copy(json_object_get(offered, "rtcpFeedback")));
    return jsonbuild_done(&out, true, err);
}

/* Several payload types of a producer may be one of the router: it is offered once. */
static json_t *consumable_codecs(const json_t *params, const json_t *router_codecs,
                                 const json_t *mapping, struct field_error *err)
{
    const json_t *codecs = json_object_get(params, "codecs");
    struct jsonbuild out = {json_array(), 0};
    for (size_t i = 0; i < json_array_size(codecs) && !field_error_is_set(err); i++) {
        const json_t *codec = json_array_get(codecs, i);
        if (rtpcodec_is_rtx(codec))
            continue;
        int payload_type = mapped_payload_type(mapping, rtpcodec_payload_type(codec));
        const json_t *offered = rtpcodec_find(router_codecs, payload_type);
        /* A caller's own mapping may say anything. */
        if (!offered || !rtpcodec_is(offered, rtpcodec_mime(codec))) {
            field_error_set(err, "rtpMapping.codecs",
                            "the router's payload types of the same codecs", rtpcodec_mime(codec));
            break;
        }
        if (rtpcodec_find(out.value, payload_type))
            continue;

        json_t *parameters = rtpcodec_is(codec, "audio/red")
                                 ? red_map_parameters(codec, json_object_get(mapping, "codecs"))
                                 : json_deep_copy(json_object_get(codec, "parameters"));
        jsonbuild_append(&out, consumable_codec(offered, parameters, err));
        const json_t *rtx = rtpcodec_find_rtx(router_codecs, payload_type);
        if (rtx)
            jsonbuild_append(
                &out,
                consumable_codec(rtx, json_deep_copy(json_object_get(rtx, "parameters")), err));
    }
    return jsonbuild_done(&out, !field_error_is_set(err), err);
}

static bool has_extension(const json_t *extensions, const char *uri)
{
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        const char *other =
            json_string_value(json_object_get(json_array_get(extensions, i), "uri"));
        if (other && strcmp(other, uri) == 0)
            return true;
    }
    return false;
}

/* abs-capture-time is passed on, not made, so it cannot be promised for a producer that does not
 * send it. */
static bool extension_is_sendable(const json_t *ext, enum media_kind kind, const json_t *params)
{
    const char *ext_kind = json_string_value(json_object_get(ext, "kind"));
    const char *direction = json_string_value(json_object_get(ext, "direction"));
    const char *uri = json_string_value(json_object_get(ext, "uri"));
    if (!ext_kind || !direction || !uri || strcmp(ext_kind, media_kind_names[kind]) != 0)
        return false;
    if (strcmp(direction, "sendrecv") != 0 && strcmp(direction, "sendonly") != 0)
        return false;
    return strcmp(uri, rtp_ext_uri(RTP_EXT_ABS_CAPTURE)) != 0 ||
           has_extension(json_object_get(params, "headerExtensions"), uri);
}

static json_t *consumable_extensions(enum media_kind kind, const json_t *params,
                                     const json_t *router_caps, struct field_error *err)
{
    const json_t *extensions = json_object_get(router_caps, "headerExtensions");
    struct jsonbuild out = {json_array(), 0};
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        const json_t *ext = json_array_get(extensions, i);
        if (!extension_is_sendable(ext, kind, params))
            continue;
        struct jsonbuild item = {json_object(), 0};
        jsonbuild_put(&item, "uri", json_deep_copy(json_object_get(ext, "uri")));
        jsonbuild_put(&item, "id", json_deep_copy(json_object_get(ext, "preferredId")));
        jsonbuild_put(&item, "encrypt", json_deep_copy(json_object_get(ext, "preferredEncrypt")));
        jsonbuild_put(&item, "parameters", json_object());
        jsonbuild_append(&out, jsonbuild_done(&item, true, err));
    }
    return jsonbuild_done(&out, true, err);
}

static json_t *consumable_encodings(const json_t *params, const json_t *mapping,
                                    struct field_error *err)
{
    static const char *const kept[] = {"dtx", "scalabilityMode", "maxBitrate"};
    const json_t *encodings = json_object_get(params, "encodings");
    const json_t *mapped = json_object_get(mapping, "encodings");
    struct jsonbuild out = {json_array(), 0};
    for (size_t i = 0; i < json_array_size(encodings); i++) {
        const json_t *encoding = json_array_get(encodings, i);
        struct jsonbuild item = {json_object(), 0};
        for (size_t j = 0; j < ARRAY_N(kept); j++) {
            const json_t *value = json_object_get(encoding, kept[j]);
            if (value)
                jsonbuild_put(&item, kept[j], json_deep_copy(value));
        }
        jsonbuild_put(&item, "ssrc",
                      json_deep_copy(json_object_get(json_array_get(mapped, i), "mappedSsrc")));
        jsonbuild_append(&out, jsonbuild_done(&item, true, err));
    }
    return jsonbuild_done(&out, true, err);
}

json_t *ortc_consumable_parameters(enum media_kind kind, const json_t *params,
                                   const json_t *router_caps, const json_t *mapping,
                                   struct field_error *err)
{
    const json_t *cname = json_object_get(json_object_get(params, "rtcp"), "cname");
    const json_t *msid = json_object_get(params, "msid");
    struct jsonbuild out = {json_object(), 0}, rtcp = {json_object(), 0};

    jsonbuild_put(&out, "codecs",
                  consumable_codecs(params, json_object_get(router_caps, "codecs"), mapping, err));
    jsonbuild_put(&out, "headerExtensions", consumable_extensions(kind, params, router_caps, err));
    jsonbuild_put(&out, "encodings", consumable_encodings(params, mapping, err));
    if (cname)
        jsonbuild_put(&rtcp, "cname", json_deep_copy(cname));
    jsonbuild_put(&rtcp, "reducedSize", json_true());
    out.bad |= rtcp.bad;
    jsonbuild_put(&out, "rtcp", rtcp.value);
    if (msid)
        jsonbuild_put(&out, "msid", json_deep_copy(msid));
    return jsonbuild_done(&out, !field_error_is_set(err), err);
}

static bool is_one_of(const json_t *codec, const char *const mimes[])
{
    for (size_t i = 0; mimes[i]; i++) {
        if (rtpcodec_is(codec, mimes[i]))
            return true;
    }
    return false;
}

static bool refuse_type(size_t index, const char *field, const char *expected, const json_t *codec,
                        struct field_error *err)
{
    char path[FIELD_PATH_BYTES];
    snprintf(path, sizeof(path), "rtpParameters.encodings[%zu]%s", index, field);
    field_error_set(err, path, expected, rtpcodec_mime(codec));
    return false;
}

bool ortc_producer_type(const json_t *params, enum ortc_type *type, struct field_error *err)
{
    static const char *const simulcast[] = {"video/VP8", "video/H264", "video/H265", NULL};
    static const char *const svc[] = {"video/VP8", "video/VP9", "video/H264", "video/AV1", NULL};
    const json_t *encodings = json_object_get(params, "encodings");
    size_t encodings_n = json_array_size(encodings);

    *type = encodings_n > 1 ? ORTC_SIMULCAST : ORTC_SIMPLE;
    for (size_t i = 0; i < encodings_n; i++) {
        const json_t *codec = rtpparams_encoding_codec(params, i);
        struct rtpparams_layers layers;
        rtpparams_layers_parse(&layers, json_string_value(json_object_get(
                                            json_array_get(encodings, i), "scalabilityMode")));
        if (encodings_n > 1) {
            if (!is_one_of(codec, simulcast))
                return refuse_type(i, "", "a codec with simulcast: VP8, H264, H265", codec, err);
        } else if (layers.spatial > 1 || layers.temporal > 1) {
            *type = ORTC_SVC;
            if (!is_one_of(codec, svc))
                return refuse_type(i, ".scalabilityMode",
                                   "a codec with layers: VP8, VP9, H264, AV1", codec, err);
        }
    }
    return true;
}
