/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/rtpcaps.c - the half of rtpparams.h that is about capabilities, and about mappings made by a
 * caller. */
#include "ctl/jsonbuild.h"
#include "ctl/rtpparams.h"

static const char *const direction_names[] = {"sendrecv", "sendonly", "recvonly", "inactive", NULL};

static json_t *extension_read(const struct fields *f)
{
    struct jsonbuild out = {json_object(), 0};
    const char *uri = "";
    int kind = MEDIA_AUDIO, direction = 0;
    int64_t id = 0;
    bool encrypt = false;
    fields_enum(f, "kind", FIELD_REQUIRED, media_kind_names, &kind);
    fields_string(f, "uri", FIELD_REQUIRED, 1, RTPPARAMS_URI_BYTES_MAX, &uri);
    fields_int(f, "preferredId", FIELD_REQUIRED, 1, RTP_EXT_ID_MAX, &id);
    fields_bool(f, "preferredEncrypt", FIELD_OPTIONAL, &encrypt);
    fields_enum(f, "direction", FIELD_OPTIONAL, direction_names, &direction);
    jsonbuild_put(&out, "kind", json_string(media_kind_names[kind]));
    jsonbuild_put(&out, "uri", json_string(uri));
    jsonbuild_put(&out, "preferredId", json_integer(id));
    jsonbuild_put(&out, "preferredEncrypt", json_boolean(encrypt));
    jsonbuild_put(&out, "direction", json_string(direction_names[direction]));
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

static json_t *codecs_read(const struct fields *list)
{
    struct jsonbuild out = {json_array(), 0};
    struct fields item;
    for (size_t i = 0; i < fields_n(list) && fields_ok(list); i++) {
        if (fields_item_object(list, i, &item))
            jsonbuild_append(&out, rtpcodec_read(&item, RTPCODEC_CAPABILITY));
    }
    return jsonbuild_done(&out, fields_ok(list), list->err);
}

json_t *rtpparams_capabilities(const json_t *caps, const char *path, struct field_error *err)
{
    struct fields f, codecs, extensions, item;
    if (!fields_begin(&f, caps, path, err))
        return NULL;

    struct jsonbuild out = {json_object(), 0}, list = {json_array(), 0};
    fields_array(&f, "codecs", FIELD_OPTIONAL, RTPPARAMS_CAPABILITY_CODECS_MAX, &codecs);
    jsonbuild_put(&out, "codecs", codecs_read(&codecs));
    fields_array(&f, "headerExtensions", FIELD_OPTIONAL, RTPPARAMS_EXTENSIONS_MAX, &extensions);
    for (size_t i = 0; i < fields_n(&extensions) && fields_ok(&f); i++) {
        if (fields_item_object(&extensions, i, &item))
            jsonbuild_append(&list, extension_read(&item));
    }
    out.bad |= list.bad;
    jsonbuild_put(&out, "headerExtensions", list.value);
    return jsonbuild_done(&out, fields_ok(&f), err);
}

/* Unlike capabilities, which come from endpoints with whatever these add, a router's codecs and a
 * mapping are the application's own words: what is unknown there is a mistake. */
static void media_codec_names(const struct fields *f)
{
    static const char *const names[] = {"kind",         "mimeType", "preferredPayloadType",
                                        "clockRate",    "channels", "parameters",
                                        "rtcpFeedback", NULL};
    static const char *const feedback_names[] = {"type", "parameter", NULL};
    struct fields list, item;
    fields_only(f, names);
    fields_array(f, "rtcpFeedback", FIELD_OPTIONAL, RTPCODEC_FEEDBACK_MAX, &list);
    for (size_t i = 0; i < fields_n(&list) && fields_ok(f); i++) {
        if (fields_item_object(&list, i, &item))
            fields_only(&item, feedback_names);
    }
}

json_t *rtpparams_media_codecs(const json_t *media_codecs, const char *path,
                               struct field_error *err)
{
    struct fields list, item;
    if (!fields_begin_array(&list, media_codecs, path, RTPPARAMS_MEDIA_CODECS_MAX, err))
        return NULL;

    json_t *out = codecs_read(&list);
    for (size_t i = 0; i < fields_n(&list) && fields_ok(&list); i++) {
        if (fields_item_object(&list, i, &item))
            media_codec_names(&item);
    }
    bool taken[128] = {false};
    for (size_t i = 0; i < json_array_size(out) && fields_ok(&list); i++) {
        int payload_type = rtpcodec_payload_type(json_array_get(out, i));
        if (payload_type < 0 || !fields_item_object(&list, i, &item))
            continue;
        if (!codecs_payload_type_is_safe(payload_type))
            fields_fail(&item, "preferredPayloadType",
                        "0 to 63 or 96 to 127: the others look like RTCP");
        else if (taken[payload_type])
            fields_fail(&item, "preferredPayloadType", "a payload type of its own");
        taken[payload_type] = true;
    }
    if (fields_ok(&list))
        return out;
    json_decref(out);
    return NULL;
}

static json_t *codec_mapping_read(const struct fields *f, const json_t *codecs, bool taken[128])
{
    static const char *const names[] = {"payloadType", "mappedPayloadType", NULL};
    struct jsonbuild out = {json_object(), 0};
    int64_t payload_type = 0, mapped = 0;
    fields_only(f, names);
    fields_int(f, "payloadType", FIELD_REQUIRED, 0, 127, &payload_type);
    fields_int(f, "mappedPayloadType", FIELD_REQUIRED, 0, 127, &mapped);
    if (fields_ok(f) && !rtpcodec_find(codecs, (int)payload_type))
        fields_fail(f, "payloadType", "a payload type of rtpParameters");
    if (fields_ok(f) && taken[payload_type])
        fields_fail(f, "payloadType", "a payload type of its own");
    if (fields_ok(f) && !codecs_payload_type_is_safe(mapped))
        fields_fail(f, "mappedPayloadType", "0 to 63 or 96 to 127: the others look like RTCP");
    taken[payload_type] = true;
    jsonbuild_put(&out, "payloadType", json_integer(payload_type));
    jsonbuild_put(&out, "mappedPayloadType", json_integer(mapped));
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

static json_t *codec_mappings_read(const struct fields *f, const json_t *codecs)
{
    struct jsonbuild out = {json_array(), 0};
    struct fields list, item;
    bool taken[128] = {false};
    fields_array(f, "codecs", FIELD_REQUIRED, RTPPARAMS_CODECS_MAX, &list);
    for (size_t i = 0; i < fields_n(&list) && fields_ok(f); i++) {
        if (fields_item_object(&list, i, &item))
            jsonbuild_append(&out, codec_mapping_read(&item, codecs, taken));
    }
    /* Each names a codec of its own, so as many are all. */
    if (fields_ok(f) && fields_n(&list) != json_array_size(codecs))
        fields_fail(f, "codecs", "one entry for each codec of rtpParameters");
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

static bool mapped_ssrc_is_new(const json_t *list, int64_t ssrc)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_integer_value(json_object_get(json_array_get(list, i), "mappedSsrc")) == ssrc)
            return false;
    }
    return true;
}

/* What tells an encoding is the producer's, so it is taken from there. */
static json_t *encoding_mapping_read(const struct fields *f, const json_t *encoding,
                                     const json_t *earlier)
{
    static const char *const names[] = {"ssrc", "rid", "scalabilityMode", "mappedSsrc", NULL};
    struct jsonbuild out = {json_object(), 0};
    int64_t mapped = 0;
    fields_only(f, names);
    fields_int(f, "mappedSsrc", FIELD_REQUIRED, 1, UINT32_MAX, &mapped);
    if (fields_ok(f) && !mapped_ssrc_is_new(earlier, mapped))
        fields_fail(f, "mappedSsrc", "an SSRC of its own");
    for (size_t i = 0; i < 3; i++) { /* all but mappedSsrc */
        json_t *value = json_object_get(encoding, names[i]);
        if (value)
            jsonbuild_put(&out, names[i], json_deep_copy(value));
    }
    jsonbuild_put(&out, "mappedSsrc", json_integer(mapped));
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

static json_t *encoding_mappings_read(const struct fields *f, const json_t *encodings)
{
    struct jsonbuild out = {json_array(), 0};
    struct fields list, item;
    fields_array(f, "encodings", FIELD_REQUIRED, RTPPARAMS_ENCODINGS_MAX, &list);
    if (fields_ok(f) && fields_n(&list) != json_array_size(encodings))
        fields_fail(f, "encodings", "one entry for each encoding of rtpParameters");
    for (size_t i = 0; i < fields_n(&list) && fields_ok(f); i++) {
        if (fields_item_object(&list, i, &item))
            jsonbuild_append(&out,
                             encoding_mapping_read(&item, json_array_get(encodings, i), out.value));
    }
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

json_t *rtpparams_mapping(const json_t *mapping, const char *path, const json_t *params,
                          struct field_error *err)
{
    static const char *const names[] = {"codecs", "encodings", NULL};
    struct fields f;
    if (!fields_begin(&f, mapping, path, err) || !fields_only(&f, names))
        return NULL;

    struct jsonbuild out = {json_object(), 0};
    jsonbuild_put(&out, "codecs", codec_mappings_read(&f, json_object_get(params, "codecs")));
    if (fields_ok(&f))
        jsonbuild_put(&out, "encodings",
                      encoding_mappings_read(&f, json_object_get(params, "encodings")));
    return jsonbuild_done(&out, fields_ok(&f), err);
}

static json_t *consumer_codec_mapping_read(const struct fields *f, const json_t *codecs,
                                           bool taken[128])
{
    static const char *const names[] = {"payloadType", "mappedPayloadType", NULL};
    struct jsonbuild out = {json_object(), 0};
    int64_t payload_type = 0, mapped = 0;
    fields_only(f, names);
    fields_int(f, "payloadType", FIELD_REQUIRED, 0, 127, &payload_type);
    fields_int(f, "mappedPayloadType", FIELD_REQUIRED, 0, 127, &mapped);
    const json_t *codec = fields_ok(f) ? rtpcodec_find(codecs, (int)mapped) : NULL;
    if (fields_ok(f) && (!codec || rtpcodec_is_rtx(codec) || taken[mapped]))
        fields_fail(f, "mappedPayloadType",
                    "a payload type of rtpParameters of its own, not of RTX");
    taken[mapped] = true;
    jsonbuild_put(&out, "payloadType", json_integer(payload_type));
    jsonbuild_put(&out, "mappedPayloadType", json_integer(mapped));
    return jsonbuild_done(&out, fields_ok(f), f->err);
}

json_t *rtpparams_consumer_mapping(const json_t *mapping, const char *path, const json_t *params,
                                   struct field_error *err)
{
    static const char *const names[] = {"codecs", NULL};
    const json_t *codecs = json_object_get(params, "codecs");
    struct jsonbuild out = {json_object(), 0}, pairs = {json_array(), 0};
    struct fields f, list, item;
    bool taken[128] = {false};
    if (fields_begin(&f, mapping, path, err) && fields_only(&f, names))
        fields_array(&f, "codecs", FIELD_REQUIRED, RTPPARAMS_CODECS_MAX, &list);
    for (size_t i = 0; fields_ok(&f) && i < fields_n(&list); i++) {
        if (fields_item_object(&list, i, &item))
            jsonbuild_append(&pairs, consumer_codec_mapping_read(&item, codecs, taken));
    }
    out.bad |= pairs.bad;
    jsonbuild_put(&out, "codecs", pairs.value);
    return jsonbuild_done(&out, fields_ok(&f), err);
}
