/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/ortc_consumer.c - what a consumer is sent, from what is offered and what its endpoint can
 * receive. */
#include "ctl/codecmatch.h"
#include "ctl/jsonbuild.h"
#include "ctl/ortc.h"
#include "ctl/red.h"

#include <stdio.h>

/* Feedback that is left out. */
struct refused {
    bool nack; /* generic: to ask for packets again, not for pictures */
    bool remb;
    bool twcc;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool feedback_is_refused(const json_t *feedback, const struct refused *refused)
{
    const char *type = text_of(feedback, "type");
    if (strcmp(type, "nack") == 0)
        return refused->nack && text_of(feedback, "parameter")[0] == '\0';
    return (refused->remb && strcmp(type, "goog-remb") == 0) ||
           (refused->twcc && strcmp(type, "transport-cc") == 0);
}

static bool feedback_is_in(const json_t *feedback, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *other = json_array_get(list, i);
        if (strcmp(text_of(feedback, "type"), text_of(other, "type")) == 0 &&
            strcmp(text_of(feedback, "parameter"), text_of(other, "parameter")) == 0)
            return true;
    }
    return false;
}

/* Feedback of `offered` that is in `wanted`, too (NULL: all). */
static json_t *feedback_new(const json_t *offered, const json_t *wanted,
                            const struct refused *refused, struct field_error *err)
{
    struct jsonbuild out = {json_array(), 0};
    for (size_t i = 0; i < json_array_size(offered); i++) {
        const json_t *feedback = json_array_get(offered, i);
        if ((wanted && !feedback_is_in(feedback, wanted)) || feedback_is_refused(feedback, refused))
            continue;
        jsonbuild_append(&out, json_deep_copy(feedback));
    }
    return jsonbuild_done(&out, true, err);
}

/* A copy of an offered codec. */
static json_t *codec_new(const json_t *codec, const json_t *wanted, const struct refused *refused,
                         struct field_error *err)
{
    struct jsonbuild out = {json_deep_copy(codec), 0};
    jsonbuild_put(&out, "rtcpFeedback",
                  feedback_new(json_object_get(codec, "rtcpFeedback"), wanted, refused, err));
    return jsonbuild_done(&out, true, err);
}

/* Takes out RTX for codecs that were left out, then RED whose blocks would be of such. */
static void remove_orphans(json_t *codecs)
{
    for (size_t i = json_array_size(codecs); i-- > 0;) {
        const json_t *codec = json_array_get(codecs, i);
        bool orphan = rtpcodec_is_rtx(codec) && !rtpcodec_find(codecs, rtpcodec_apt(codec));
        orphan |= rtpcodec_is(codec, "audio/red") && !red_is_sound(codec, codecs);
        if (orphan)
            json_array_remove(codecs, i);
    }
}

static bool has_media(const json_t *codecs)
{
    for (size_t i = 0; i < json_array_size(codecs); i++) {
        if (!rtpcodec_is_rtx(json_array_get(codecs, i)))
            return true;
    }
    return false;
}

static bool has_rtx(const json_t *codecs)
{
    for (size_t i = 0; i < json_array_size(codecs); i++) {
        if (rtpcodec_is_rtx(json_array_get(codecs, i)))
            return true;
    }
    return false;
}

/* Offered codecs that the endpoint has, in the order offered. */
static json_t *common_codecs(const json_t *consumable, const json_t *caps, bool enable_rtx,
                             const struct refused *refused, struct field_error *err)
{
    const json_t *offered = json_object_get(consumable, "codecs");
    const json_t *receivable = json_object_get(caps, "codecs");
    struct jsonbuild out = {json_array(), 0};
    for (size_t i = 0; i < json_array_size(offered); i++) {
        const json_t *codec = json_array_get(offered, i);
        if (!enable_rtx && rtpcodec_is_rtx(codec))
            continue;
        const json_t *match = codecmatch_find(receivable, codec, CODECMATCH_STRICT);
        if (match)
            jsonbuild_append(
                &out, codec_new(codec, json_object_get(match, "rtcpFeedback"), refused, err));
    }
    remove_orphans(out.value);
    return jsonbuild_done(&out, true, err);
}

bool ortc_can_consume(const json_t *consumable, const json_t *caps)
{
    struct field_error err;
    struct refused none = {false, false, false};
    field_error_clear(&err);
    json_t *codecs = common_codecs(consumable, caps, false, &none, &err);
    bool can = has_media(codecs);
    json_decref(codecs);
    return can;
}

/* The same extension with the same id; ids are not translated, so another id is another extension.
 */
static bool extension_is_receivable(const json_t *ext, const json_t *receivable)
{
    for (size_t i = 0; i < json_array_size(receivable); i++) {
        const json_t *other = json_array_get(receivable, i);
        if (json_integer_value(json_object_get(other, "preferredId")) ==
                json_integer_value(json_object_get(ext, "id")) &&
            strcmp(text_of(other, "uri"), text_of(ext, "uri")) == 0)
            return true;
    }
    return false;
}

static json_t *common_extensions(const json_t *consumable, const json_t *caps,
                                 struct field_error *err)
{
    const json_t *offered = json_object_get(consumable, "headerExtensions");
    const json_t *receivable = json_object_get(caps, "headerExtensions");
    struct jsonbuild out = {json_array(), 0};
    for (size_t i = 0; i < json_array_size(offered); i++) {
        const json_t *ext = json_array_get(offered, i);
        if (extension_is_receivable(ext, receivable))
            jsonbuild_append(&out, json_deep_copy(ext));
    }
    return jsonbuild_done(&out, true, err);
}

static bool has_extension(const json_t *extensions, enum rtp_ext_kind kind)
{
    for (size_t i = 0; i < json_array_size(extensions); i++) {
        if (strcmp(text_of(json_array_get(extensions, i), "uri"), rtp_ext_uri(kind)) == 0)
            return true;
    }
    return false;
}

/* One estimator at a time: transport-cc is the better one. Without an extension neither works. */
static struct refused refused_by_extensions(const json_t *extensions, bool enable_rtx)
{
    bool twcc = has_extension(extensions, RTP_EXT_TWCC);
    bool remb = !twcc && has_extension(extensions, RTP_EXT_ABS_SEND_TIME);
    return (struct refused){.nack = !enable_rtx, .remb = !remb, .twcc = !twcc};
}

static json_t *ssrc_new(const struct ortc_ssrcs *ssrcs)
{
    return json_integer(ssrcs->take(ssrcs->arg));
}

/* Gives the encoding its SSRC and, with `rtx`, a second one. */
static void put_ssrcs(struct jsonbuild *encoding, bool rtx, const struct ortc_ssrcs *ssrcs)
{
    jsonbuild_put(encoding, "ssrc", ssrc_new(ssrcs));
    if (rtx)
        jsonbuild_put(encoding, "rtx", json_pack("{so}", "ssrc", ssrc_new(ssrcs)));
}

static json_t *all_encodings(const json_t *consumable, bool rtx, const struct ortc_ssrcs *ssrcs,
                             struct field_error *err)
{
    const json_t *encodings = json_object_get(consumable, "encodings");
    struct jsonbuild out = {json_array(), 0};
    for (size_t i = 0; i < json_array_size(encodings); i++) {
        struct jsonbuild encoding = {json_deep_copy(json_array_get(encodings, i)), 0};
        json_object_del(encoding.value, "rtx");
        put_ssrcs(&encoding, rtx, ssrcs);
        jsonbuild_append(&out, jsonbuild_done(&encoding, true, err));
    }
    return jsonbuild_done(&out, true, err);
}

/* Encodings become spatial layers; temporal layers are taken to be the same in all. */
static void put_mode(struct jsonbuild *encoding, const json_t *encodings)
{
    const char *mode = "";
    size_t encodings_n = json_array_size(encodings);
    for (size_t i = 0; i < encodings_n && mode[0] == '\0'; i++)
        mode = text_of(json_array_get(encodings, i), "scalabilityMode");

    char text[32];
    struct rtpparams_layers layers;
    rtpparams_layers_parse(&layers, mode);
    if (encodings_n > 1) {
        snprintf(text, sizeof(text), "L%zuT%d", encodings_n, layers.temporal);
        mode = text;
    }
    if (mode[0] != '\0')
        jsonbuild_put(encoding, "scalabilityMode", json_string(mode));
}

static json_t *one_encoding(const json_t *consumable, bool rtx, const struct ortc_ssrcs *ssrcs,
                            struct field_error *err)
{
    const json_t *encodings = json_object_get(consumable, "encodings");
    struct jsonbuild out = {json_array(), 0}, encoding = {json_object(), 0};
    int64_t bitrate = 0;
    put_ssrcs(&encoding, rtx, ssrcs);
    put_mode(&encoding, encodings);
    for (size_t i = 0; i < json_array_size(encodings); i++)
        bitrate = max_i64(bitrate, json_integer_value(json_object_get(json_array_get(encodings, i),
                                                                      "maxBitrate")));
    if (bitrate > 0)
        jsonbuild_put(&encoding, "maxBitrate", json_integer(bitrate));
    jsonbuild_append(&out, jsonbuild_done(&encoding, true, err));
    return jsonbuild_done(&out, true, err);
}

/* The parts that every consumer has: references to `codecs`, `extensions` and `encodings` are
 * taken. */
static json_t *parameters_new(const json_t *consumable, const char *mid, json_t *codecs,
                              json_t *extensions, json_t *encodings, struct field_error *err)
{
    const json_t *msid = json_object_get(consumable, "msid");
    struct jsonbuild out = {json_object(), 0};
    if (mid)
        jsonbuild_put(&out, "mid", json_string(mid));
    jsonbuild_put(&out, "codecs", codecs);
    jsonbuild_put(&out, "headerExtensions", extensions);
    jsonbuild_put(&out, "encodings", encodings);
    jsonbuild_put(&out, "rtcp", json_deep_copy(json_object_get(consumable, "rtcp")));
    if (msid)
        jsonbuild_put(&out, "msid", json_deep_copy(msid));
    return jsonbuild_done(&out, true, err);
}

json_t *ortc_consumer_parameters(const json_t *consumable, const json_t *caps,
                                 const struct ortc_consume *how, const struct ortc_ssrcs *ssrcs,
                                 struct field_error *err)
{
    json_t *extensions = common_extensions(consumable, caps, err);
    struct refused refused = refused_by_extensions(extensions, how->enable_rtx);
    json_t *codecs = common_codecs(consumable, caps, how->enable_rtx, &refused, err);
    if (codecs && !has_media(codecs))
        field_error_set(err, "rtpCapabilities.codecs", "a codec of the producer", "none");
    if (field_error_is_set(err)) {
        json_decref(extensions);
        json_decref(codecs);
        return NULL;
    }

    bool rtx = has_rtx(codecs);
    json_t *encodings = how->pipe ? all_encodings(consumable, rtx, ssrcs, err)
                                  : one_encoding(consumable, rtx, ssrcs, err);
    return parameters_new(consumable, how->mid, codecs, extensions, encodings, err);
}

/* What is made anew on the other side stays out, and what only relays may see is added, in the
 * order of ids. */
static json_t *pipe_extensions(const json_t *consumable, enum media_kind kind,
                               struct field_error *err)
{
    const json_t *offered = json_object_get(consumable, "headerExtensions");
    int descriptor_id = codecs_ext_id(RTP_EXT_DEPENDENCY);
    bool added = kind != MEDIA_VIDEO || has_extension(offered, RTP_EXT_DEPENDENCY);
    struct jsonbuild out = {json_array(), 0};
    for (size_t i = 0; i <= json_array_size(offered); i++) {
        const json_t *ext = json_array_get(offered, i);
        if (!added && (!ext || json_integer_value(json_object_get(ext, "id")) > descriptor_id)) {
            added = true;
            jsonbuild_append(&out,
                             json_pack("{ss si sb s{}}", "uri", rtp_ext_uri(RTP_EXT_DEPENDENCY),
                                       "id", descriptor_id, "encrypt", 0, "parameters"));
        }
        const char *uri = text_of(ext, "uri");
        if (ext && strcmp(uri, rtp_ext_uri(RTP_EXT_MID)) != 0 &&
            strcmp(uri, rtp_ext_uri(RTP_EXT_ABS_SEND_TIME)) != 0 &&
            strcmp(uri, rtp_ext_uri(RTP_EXT_TWCC)) != 0)
            jsonbuild_append(&out, json_deep_copy(ext));
    }
    return jsonbuild_done(&out, true, err);
}

json_t *ortc_pipe_consumer_parameters(const json_t *consumable, bool enable_rtx,
                                      const struct ortc_ssrcs *ssrcs, struct field_error *err)
{
    const json_t *offered = json_object_get(consumable, "codecs");
    struct refused refused = {.nack = !enable_rtx, .remb = true, .twcc = true};
    struct jsonbuild codecs = {json_array(), 0};
    for (size_t i = 0; i < json_array_size(offered); i++) {
        const json_t *codec = json_array_get(offered, i);
        if (enable_rtx || !rtpcodec_is_rtx(codec))
            jsonbuild_append(&codecs, codec_new(codec, NULL, &refused, err));
    }

    bool rtx = has_rtx(codecs.value);
    enum media_kind kind = rtpcodec_kind(json_array_get(offered, 0));
    json_t *list = jsonbuild_done(&codecs, true, err);
    json_t *extensions = pipe_extensions(consumable, kind, err);
    json_t *encodings = all_encodings(consumable, rtx, ssrcs, err);
    return parameters_new(consumable, NULL, list, extensions, encodings, err);
}
