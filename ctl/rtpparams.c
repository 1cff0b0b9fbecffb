/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/rtpparams.c - rtpParameters, rtpCapabilities and their kin: checked once, then in a normal
 * form. */
#include "ctl/rtpparams.h"
#include "ctl/jsonbuild.h"

enum { MAX_BITRATE_MAX = INT32_MAX };

bool rtpparams_layers_parse(struct rtpparams_layers *layers, const char *mode)
{
    *layers = (struct rtpparams_layers){1, 1, false};
    if (!mode || (mode[0] != 'L' && mode[0] != 'S'))
        return false;

    int counts[2] = {0, 0};
    const char *at = mode + 1;
    for (size_t i = 0; i < 2; i++) {
        for (size_t digits = 0; digits < 2 && *at >= '0' && *at <= '9'; digits++)
            counts[i] = 10 * counts[i] + *at++ - '0';
        if (counts[i] == 0 || (i == 0 && *at++ != 'T'))
            return false;
    }
    *layers = (struct rtpparams_layers){counts[0], counts[1], strncmp(at, "_KEY", 4) == 0};
    return true;
}

/* Alphanumeric with - and _, as it travels in a header extension: RFC 8851 10. */
static bool rid_is_valid(const char *rid)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return rid[strspn(rid, allowed)] == '\0';
}

static void read_ssrc(const struct fields *f, const char *key, enum field_need need,
                      struct jsonbuild *out)
{
    int64_t ssrc;
    if (fields_int(f, key, need, 1, UINT32_MAX, &ssrc))
        jsonbuild_put(out, key, json_integer(ssrc));
}

static void read_rid(const struct fields *f, struct jsonbuild *out)
{
    const char *rid = "";
    fields_string(f, "rid", FIELD_OPTIONAL, 0, RTP_RID_BYTES_MAX, &rid);
    if (!rid_is_valid(rid))
        fields_fail(f, "rid", "letters, digits, - and _");
    else if (rid[0] != '\0')
        jsonbuild_put(out, "rid", json_string(rid));
}

static void read_mode(const struct fields *f, struct jsonbuild *out)
{
    struct rtpparams_layers layers;
    const char *mode = "";
    fields_string(f, "scalabilityMode", FIELD_OPTIONAL, 0, RTPPARAMS_MODE_BYTES_MAX, &mode);
    if (mode[0] == '\0')
        return;
    if (!rtpparams_layers_parse(&layers, mode) || layers.spatial > RTPPARAMS_LAYERS_MAX ||
        layers.temporal > RTPPARAMS_LAYERS_MAX)
        fields_fail(f, "scalabilityMode", "a mode of at most 8 layers, such as \"L1T3\"");
    else
        jsonbuild_put(out, "scalabilityMode", json_string(mode));
}

static json_t *encoding_read(const struct fields *f, enum field_need need_ssrc)
{
    struct jsonbuild out = {json_object(), 0};
    struct fields rtx;
    int64_t payload_type, bitrate;
    bool dtx = false;

    read_ssrc(f, "ssrc", need_ssrc, &out);
    read_rid(f, &out);
    if (fields_int(f, "codecPayloadType", FIELD_OPTIONAL, 0, 127, &payload_type))
        jsonbuild_put(&out, "codecPayloadType", json_integer(payload_type));
    if (fields_object(f, "rtx", FIELD_OPTIONAL, &rtx)) {
        struct jsonbuild repair = {json_object(), 0};
        read_ssrc(&rtx, "ssrc", FIELD_REQUIRED, &repair);
        out.bad |= repair.bad;
        jsonbuild_put(&out, "rtx", repair.value);
    }
    fields_bool(f, "dtx", FIELD_OPTIONAL, &dtx);
    jsonbuild_put(&out, "dtx", json_boolean(dtx));
    read_mode(f, &out);
    if (fields_int(f, "maxBitrate", FIELD_OPTIONAL, 0, MAX_BITRATE_MAX, &bitrate) && bitrate > 0)
        jsonbuild_put(&out, "maxBitrate", json_integer(bitrate));
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

/* SSRCs seen so far: the media's and the repairs'. */
struct ssrcs {
    json_int_t seen[2 * RTPPARAMS_ENCODINGS_MAX];
    size_t n;
};

static bool ssrc_is_new(struct ssrcs *ssrcs, const json_t *value)
{
    if (!value)
        return true;
    for (size_t i = 0; i < ssrcs->n; i++) {
        if (ssrcs->seen[i] == json_integer_value(value))
            return false;
    }
    ASSERT(ssrcs->n < ARRAY_N(ssrcs->seen));
    ssrcs->seen[ssrcs->n++] = json_integer_value(value);
    return true;
}

static bool rid_is_new(const json_t *encodings, const json_t *rid)
{
    for (size_t i = 0; i < json_array_size(encodings); i++) {
        const json_t *other = json_object_get(json_array_get(encodings, i), "rid");
        if (rid && other && json_equal(rid, other))
            return false;
    }
    return true;
}

/* `earlier` are the encodings before this one. */
static bool encoding_is_distinct(const struct fields *f, const json_t *encoding,
                                 const json_t *earlier, struct ssrcs *ssrcs)
{
    if (!ssrc_is_new(ssrcs, json_object_get(encoding, "ssrc")))
        return fields_fail(f, "ssrc", "an SSRC of its own");
    if (!ssrc_is_new(ssrcs, json_object_get(json_object_get(encoding, "rtx"), "ssrc"))) {
        struct fields rtx;
        return fields_object(f, "rtx", FIELD_REQUIRED, &rtx) &&
               fields_fail(&rtx, "ssrc", "an SSRC of its own");
    }
    if (!rid_is_new(earlier, json_object_get(encoding, "rid")))
        return fields_fail(f, "rid", "a rid of its own");
    return true;
}

/* Where SSRCs are needed so is an encoding: it is a final list. */
static json_t *encodings_read(const struct fields *list, enum field_need need_ssrc)
{
    struct jsonbuild out = {json_array(), 0};
    struct ssrcs ssrcs = {.n = 0};
    if (need_ssrc == FIELD_REQUIRED && fields_ok(list) && fields_n(list) == 0)
        fields_fail(list, NULL, "at least one encoding");
    for (size_t i = 0; i < fields_n(list) && fields_ok(list); i++) {
        struct fields item;
        json_t *encoding = NULL;
        if (fields_item_object(list, i, &item))
            encoding = encoding_read(&item, need_ssrc);
        if (!encoding)
            return jsonbuild_done(&out, false, list->err);
        encoding_is_distinct(&item, encoding, out.value, &ssrcs);
        jsonbuild_append(&out, encoding);
    }
    return jsonbuild_done(&out, fields_ok(list), list->err);
}

json_t *rtpparams_encodings(const json_t *list, const char *path, struct field_error *err)
{
    struct fields f;
    fields_begin_array(&f, list, path, RTPPARAMS_ENCODINGS_MAX, err);
    return encodings_read(&f, FIELD_REQUIRED);
}

/* The rules that tie encodings to codecs and to each other. */
static bool encodings_are_sound(const struct fields *list, const json_t *encodings,
                                const json_t *codecs, bool has_mid)
{
    size_t encodings_n = json_array_size(encodings);
    for (size_t i = 0; i < encodings_n; i++) {
        const json_t *encoding = json_array_get(encodings, i);
        const json_t *payload_type = json_object_get(encoding, "codecPayloadType");
        struct rtpparams_layers layers;
        struct fields item = *list;
        if (list->value && i < fields_n(list))
            fields_item_object(list, i, &item);

        const json_t *codec =
            payload_type ? rtpcodec_find(codecs, (int)json_integer_value(payload_type)) : NULL;
        if (payload_type && (!codec || rtpcodec_is_rtx(codec)))
            return fields_fail(&item, "codecPayloadType", "the payload type of a media codec");
        rtpparams_layers_parse(&layers,
                               json_string_value(json_object_get(encoding, "scalabilityMode")));
        if (encodings_n > 1 && layers.spatial > 1)
            return fields_fail(&item, "scalabilityMode",
                               "one spatial layer, as there are several encodings");
        bool known = json_object_get(encoding, "ssrc") || json_object_get(encoding, "rid");
        if (!known && encodings_n > 1)
            return fields_fail(&item, NULL, "ssrc or rid, as there are several encodings");
        if (!known && !has_mid)
            return fields_fail(&item, NULL, "ssrc or rid, as there is no mid");
    }
    return true;
}

const json_t *rtpparams_encoding_codec(const json_t *params, size_t index)
{
    const json_t *codecs = json_object_get(params, "codecs");
    const json_t *encoding = json_array_get(json_object_get(params, "encodings"), index);
    const json_t *payload_type = json_object_get(encoding, "codecPayloadType");
    if (payload_type)
        return rtpcodec_find(codecs, (int)json_integer_value(payload_type));
    for (size_t i = 0; i < json_array_size(codecs); i++) {
        if (!rtpcodec_is_rtx(json_array_get(codecs, i)))
            return json_array_get(codecs, i);
    }
    return NULL;
}

static bool codec_is_sound(const struct fields *f, const json_t *codec, const json_t *earlier,
                           enum media_kind kind)
{
    if (rtpcodec_kind(codec) != kind)
        return fields_fail(f, "mimeType", kind == MEDIA_AUDIO ? "audio/..." : "video/...");
    if (rtpcodec_find(earlier, rtpcodec_payload_type(codec)))
        return fields_fail(f, "payloadType", "a payload type of its own");
    return true;
}

/* RTX names the codec that it repairs, which may come later in the list. */
static bool rtx_is_sound(const struct fields *f, const json_t *codec, const json_t *codecs)
{
    struct fields parameters;
    if (!rtpcodec_is_rtx(codec))
        return true;
    const json_t *repaired = rtpcodec_find(codecs, rtpcodec_apt(codec));
    if (repaired && !rtpcodec_is_rtx(repaired))
        return true;
    if (!fields_object(f, "parameters", FIELD_REQUIRED, &parameters))
        return false;
    return fields_fail(&parameters, "apt", "the payload type of a media codec");
}

static json_t *codecs_read(const struct fields *f, enum media_kind kind)
{
    struct jsonbuild out = {json_array(), 0};
    struct fields list, item;
    bool media = false;
    fields_array(f, "codecs", FIELD_REQUIRED, RTPPARAMS_CODECS_MAX, &list);
    for (size_t i = 0; i < fields_n(&list) && fields_ok(f); i++) {
        json_t *codec = NULL;
        if (fields_item_object(&list, i, &item))
            codec = rtpcodec_read(&item, RTPCODEC_PARAMETERS);
        if (!codec)
            break;
        codec_is_sound(&item, codec, out.value, kind);
        media |= !rtpcodec_is_rtx(codec);
        jsonbuild_append(&out, codec);
    }
    for (size_t i = 0; i < fields_n(&list) && fields_ok(f) && out.bad == 0; i++) {
        if (fields_item_object(&list, i, &item))
            rtx_is_sound(&item, json_array_get(out.value, i), out.value);
    }
    if (fields_ok(f) && !media)
        fields_fail(f, "codecs", "at least one media codec");
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

static bool ext_id_is_new(const json_t *list, int64_t id)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_integer_value(json_object_get(json_array_get(list, i), "id")) == id)
            return false;
    }
    return true;
}

static json_t *extension_read(const struct fields *f, const json_t *earlier)
{
    struct jsonbuild out = {json_object(), 0};
    const char *uri = "";
    int64_t id = 0;
    bool encrypt = false;
    fields_string(f, "uri", FIELD_REQUIRED, 1, RTPPARAMS_URI_BYTES_MAX, &uri);
    fields_int(f, "id", FIELD_REQUIRED, 1, RTP_EXT_ID_MAX, &id);
    fields_bool(f, "encrypt", FIELD_OPTIONAL, &encrypt);
    if (fields_ok(f) && !ext_id_is_new(earlier, id))
        fields_fail(f, "id", "an id of its own");
    jsonbuild_put(&out, "uri", json_string(uri));
    jsonbuild_put(&out, "id", json_integer(id));
    jsonbuild_put(&out, "encrypt", json_boolean(encrypt));
    jsonbuild_put(&out, "parameters", rtpcodec_read_parameters(f));
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

static json_t *extensions_read(const struct fields *f)
{
    struct jsonbuild out = {json_array(), 0};
    struct fields list, item;
    fields_array(f, "headerExtensions", FIELD_OPTIONAL, RTPPARAMS_EXTENSIONS_MAX, &list);
    for (size_t i = 0; i < fields_n(&list) && fields_ok(f); i++) {
        if (fields_item_object(&list, i, &item))
            jsonbuild_append(&out, extension_read(&item, out.value));
    }
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

/* It goes into the SDP that applications write for other endpoints: a line break in it would be a
 * line of the sender's own there. */
static void refuse_controls(const struct fields *f, const char *key, const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            fields_fail(f, key, "a string without control characters");
}

static json_t *rtcp_read(const struct fields *f, const char *cname)
{
    struct jsonbuild out = {json_object(), 0};
    struct fields rtcp;
    const char *given = "";
    bool reduced_size = true, mux;
    fields_object(f, "rtcp", FIELD_OPTIONAL, &rtcp);
    fields_string(&rtcp, "cname", FIELD_OPTIONAL, 0, RTPPARAMS_CNAME_BYTES_MAX, &given);
    refuse_controls(&rtcp, "cname", given);
    fields_bool(&rtcp, "reducedSize", FIELD_OPTIONAL, &reduced_size);
    if (fields_bool(&rtcp, "mux", FIELD_OPTIONAL, &mux))
        jsonbuild_put(&out, "mux", json_boolean(mux));
    if (cname || given[0] != '\0')
        jsonbuild_put(&out, "cname", json_string(cname ? cname : given));
    jsonbuild_put(&out, "reducedSize", json_boolean(reduced_size));
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

/* mid and msid: "" counts as absent. */
static bool put_text(const struct fields *f, const char *key, size_t max_bytes,
                     struct jsonbuild *out)
{
    const char *text = "";
    fields_string(f, key, FIELD_OPTIONAL, 0, max_bytes, &text);
    refuse_controls(f, key, text);
    if (text[0] == '\0')
        return false;
    jsonbuild_put(out, key, json_string(text));
    return true;
}

static json_t *parameters_encodings(const struct fields *f, const json_t *codecs, bool has_mid,
                                    enum field_need need_ssrc)
{
    struct fields list;
    fields_array(f, "encodings", need_ssrc, RTPPARAMS_ENCODINGS_MAX, &list);
    if (!fields_ok(f))
        return NULL;
    struct jsonbuild out = {encodings_read(&list, need_ssrc), 0};
    if (out.value && json_array_size(out.value) == 0) {
        jsonbuild_append(&out, json_pack("{sb}", "dtx", 0));
        if (!list.value)
            fields_path(f, "encodings", list.path);
    }
    if (out.value)
        encodings_are_sound(&list, out.value, codecs, has_mid);
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

static json_t *parameters_read(const json_t *params, const char *path, enum media_kind kind,
                               const char *cname, enum field_need need_ssrc,
                               struct field_error *err)
{
    struct fields f;
    if (!fields_begin(&f, params, path, err))
        return NULL;

    struct jsonbuild out = {json_object(), 0};
    bool has_mid = put_text(&f, "mid", RTP_MID_BYTES_MAX, &out);
    json_t *codecs = codecs_read(&f, kind);
    jsonbuild_put(&out, "codecs", codecs);
    if (fields_ok(&f))
        jsonbuild_put(&out, "headerExtensions", extensions_read(&f));
    if (fields_ok(&f))
        jsonbuild_put(&out, "encodings", parameters_encodings(&f, codecs, has_mid, need_ssrc));
    if (fields_ok(&f))
        jsonbuild_put(&out, "rtcp", rtcp_read(&f, cname));
    put_text(&f, "msid", RTPPARAMS_MSID_BYTES_MAX, &out);
    return jsonbuild_done(&out, fields_ok(&f), err);
}

json_t *rtpparams_producer(const json_t *params, const char *path, enum media_kind kind,
                           const char *cname, struct field_error *err)
{
    return parameters_read(params, path, kind, cname, FIELD_OPTIONAL, err);
}

json_t *rtpparams_consumer(const json_t *params, const char *path, enum media_kind kind,
                           struct field_error *err)
{
    return parameters_read(params, path, kind, NULL, FIELD_REQUIRED, err);
}
