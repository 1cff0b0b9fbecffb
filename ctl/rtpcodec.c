/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/rtpcodec.c - one codec as controllers write it: RtpCodecCapability and RtpCodecParameters. */
#include "ctl/rtpcodec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* "audio/..." or "video/..." with something behind the slash, in any case. */
static bool mime_parse(const char *mime, enum media_kind *kind)
{
    if (strncasecmp(mime, "audio/", 6) == 0)
        *kind = MEDIA_AUDIO;
    else if (strncasecmp(mime, "video/", 6) == 0)
        *kind = MEDIA_VIDEO;
    else
        return false;
    return mime[6] != '\0';
}

static bool payload_type_read(const struct fields *f, enum rtpcodec_form form, json_t *out,
                              int *bad)
{
    bool optional = form == RTPCODEC_CAPABILITY;
    const char *key = optional ? "preferredPayloadType" : "payloadType";
    int64_t payload_type = 0;
    if (!fields_int(f, key, optional ? FIELD_OPTIONAL : FIELD_REQUIRED, 0, 127, &payload_type))
        return fields_ok(f);
    if (!optional && !codecs_payload_type_is_safe(payload_type))
        return fields_fail(f, key, "0 to 63 or 96 to 127: the others look like RTCP");
    *bad |= json_object_set_new(out, key, json_integer(payload_type));
    return true;
}

static bool feedback_read(const struct fields *f, json_t *out, int *bad)
{
    struct fields list, item;
    fields_array(f, "rtcpFeedback", FIELD_OPTIONAL, RTPCODEC_FEEDBACK_MAX, &list);
    for (size_t i = 0; i < fields_n(&list); i++) {
        const char *type = "", *parameter = "";
        fields_item_object(&list, i, &item);
        fields_string(&item, "type", FIELD_REQUIRED, 1, RTPCODEC_KEY_BYTES_MAX, &type);
        fields_string(&item, "parameter", FIELD_OPTIONAL, 0, RTPCODEC_KEY_BYTES_MAX, &parameter);
        if (!fields_ok(f))
            return false;
        *bad |=
            json_array_append_new(out, json_pack("{ss ss}", "type", type, "parameter", parameter));
    }
    return fields_ok(f);
}

static bool parameter_fits(const json_t *value)
{
    return json_is_number(value) ||
           (json_is_string(value) && json_string_length(value) <= RTPCODEC_TEXT_BYTES_MAX &&
            strlen(json_string_value(value)) == json_string_length(value));
}

json_t *rtpcodec_read_parameters(const struct fields *f)
{
    struct fields parameters;
    fields_object(f, "parameters", FIELD_OPTIONAL, &parameters);
    if (!fields_ok(f))
        return NULL;
    if (json_object_size(parameters.value) > RTPCODEC_PARAMETERS_MAX) {
        fields_fail(f, "parameters", "at most 32 parameters");
        return NULL;
    }

    json_t *out = json_object();
    int bad = out ? 0 : -1;
    /* jansson's iterators take a plain pointer; nothing is written through it. */
    json_t *from = (json_t *)(uintptr_t)parameters.value;
    for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at)) {
        const char *key = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);
        if (strlen(key) > RTPCODEC_KEY_BYTES_MAX)
            fields_fail(f, "parameters", "names of at most 64 bytes");
        else if (!parameter_fits(value))
            fields_fail(&parameters, key, "a number or a string of at most 1024 bytes");
        else
            bad |= json_object_set_new(out, key, json_deep_copy(value));
    }

    int64_t apt;
    fields_int(&parameters, "apt", FIELD_OPTIONAL, 0, 127, &apt);
    if (fields_ok(f))
        return fields_done(out, bad, f->err);
    json_decref(out);
    return NULL;
}

static bool fill(const struct fields *f, enum rtpcodec_form form, json_t *out, int *bad)
{
    const char *mime = NULL;
    enum media_kind kind = MEDIA_AUDIO;
    int64_t clock_rate = 0, channels = 1;
    if (!fields_string(f, "mimeType", FIELD_REQUIRED, 1, RTPCODEC_MIME_BYTES_MAX, &mime))
        return false;
    if (!mime_parse(mime, &kind))
        return fields_fail(f, "mimeType", "audio/... or video/...");
    if (!payload_type_read(f, form, out, bad))
        return false;
    fields_int(f, "clockRate", FIELD_REQUIRED, 1, RTPCODEC_CLOCK_RATE_MAX, &clock_rate);
    if (kind == MEDIA_AUDIO)
        fields_int(f, "channels", FIELD_OPTIONAL, 1, RTPCODEC_CHANNELS_MAX, &channels);
    if (!fields_ok(f))
        return false;

    if (form == RTPCODEC_CAPABILITY)
        *bad |= json_object_set_new(out, "kind", json_string(media_kind_names[kind]));
    *bad |= json_object_set_new(out, "mimeType", json_string(mime));
    *bad |= json_object_set_new(out, "clockRate", json_integer(clock_rate));
    if (kind == MEDIA_AUDIO)
        *bad |= json_object_set_new(out, "channels", json_integer(channels));
    json_t *parameters = rtpcodec_read_parameters(f);
    *bad |= json_object_set_new(out, "parameters", parameters);
    json_t *feedback = json_array();
    *bad |= json_object_set_new(out, "rtcpFeedback", feedback);
    return parameters && feedback && feedback_read(f, feedback, bad);
}

json_t *rtpcodec_read(const struct fields *f, enum rtpcodec_form form)
{
    json_t *out = json_object();
    int bad = out ? 0 : -1;
    if (!out || fill(f, form, out, &bad))
        return fields_done(out, bad, f->err);
    json_decref(out);
    /* Without an error of its own it was jansson that had no memory. */
    return fields_done(NULL, -1, f->err);
}

const char *rtpcodec_mime(const json_t *codec)
{
    const char *mime = json_string_value(json_object_get(codec, "mimeType"));
    return mime ? mime : "";
}

enum media_kind rtpcodec_kind(const json_t *codec)
{
    enum media_kind kind = MEDIA_AUDIO;
    mime_parse(rtpcodec_mime(codec), &kind);
    return kind;
}

bool rtpcodec_is(const json_t *codec, const char *mime)
{
    return strcasecmp(rtpcodec_mime(codec), mime) == 0;
}

bool rtpcodec_is_rtx(const json_t *codec)
{
    return rtpcodec_is(codec, "video/rtx") || rtpcodec_is(codec, "audio/rtx");
}

int rtpcodec_payload_type(const json_t *codec)
{
    const json_t *value = json_object_get(codec, "payloadType");
    if (!value)
        value = json_object_get(codec, "preferredPayloadType");
    return json_is_integer(value) ? (int)json_integer_value(value) : -1;
}

int rtpcodec_apt(const json_t *codec)
{
    int64_t apt = rtpcodec_number(codec, "apt", -1);
    return apt >= 0 && apt <= 127 ? (int)apt : -1;
}

int64_t rtpcodec_clock_rate(const json_t *codec)
{
    return json_integer_value(json_object_get(codec, "clockRate"));
}

int64_t rtpcodec_channels(const json_t *codec)
{
    return json_integer_value(json_object_get(codec, "channels"));
}

static const json_t *parameter(const json_t *codec, const char *key)
{
    return json_object_get(json_object_get(codec, "parameters"), key);
}

int64_t rtpcodec_number(const json_t *codec, const char *key, int64_t absent)
{
    const json_t *value = parameter(codec, key);
    if (json_is_integer(value))
        return json_integer_value(value);

    const char *text = json_string_value(value);
    if (!text || text[0] < '0' || text[0] > '9' || strlen(text) > 9)
        return absent;
    char *end;
    int64_t number = strtol(text, &end, 10);
    return *end == '\0' ? number : absent;
}

const char *rtpcodec_text(const json_t *codec, const char *key, const char *absent,
                          char buffer[RTPCODEC_NUMBER_BYTES])
{
    const json_t *value = parameter(codec, key);
    if (json_is_integer(value)) {
        snprintf(buffer, RTPCODEC_NUMBER_BYTES, "%06" PRId64, (int64_t)json_integer_value(value));
        return buffer;
    }
    const char *text = json_string_value(value);
    return text && text[0] ? text : absent;
}

json_t *rtpcodec_find(const json_t *codecs, int payload_type)
{
    for (size_t i = 0; i < json_array_size(codecs); i++) {
        json_t *codec = json_array_get(codecs, i);
        if (payload_type >= 0 && rtpcodec_payload_type(codec) == payload_type)
            return codec;
    }
    return NULL;
}

json_t *rtpcodec_find_rtx(const json_t *codecs, int apt)
{
    for (size_t i = 0; i < json_array_size(codecs); i++) {
        json_t *codec = json_array_get(codecs, i);
        if (apt >= 0 && rtpcodec_is_rtx(codec) && rtpcodec_apt(codec) == apt)
            return codec;
    }
    return NULL;
}

const char *rtpcodec_describe(const json_t *codec, char text[FIELD_TEXT_BYTES])
{
    static const char *const keys[] = {"packetization-mode", "profile-level-id",
                                       "profile-id",         "profile",
                                       "num_streams",        "coupled_streams"};
    size_t at = 0;
    int wrote = snprintf(text, FIELD_TEXT_BYTES, "%s %" PRId64, rtpcodec_mime(codec),
                         rtpcodec_clock_rate(codec));
    at += (size_t)wrote;
    if (rtpcodec_kind(codec) == MEDIA_AUDIO && at < FIELD_TEXT_BYTES)
        at += (size_t)snprintf(text + at, FIELD_TEXT_BYTES - at, " %" PRId64,
                               rtpcodec_channels(codec));
    for (size_t i = 0; i < ARRAY_N(keys) && at < FIELD_TEXT_BYTES; i++) {
        const json_t *value = parameter(codec, keys[i]);
        if (json_is_integer(value))
            at += (size_t)snprintf(text + at, FIELD_TEXT_BYTES - at, " %s=%" PRId64, keys[i],
                                   (int64_t)json_integer_value(value));
        else if (json_is_string(value) && json_string_length(value) <= 16)
            at += (size_t)snprintf(text + at, FIELD_TEXT_BYTES - at, " %s=%s", keys[i],
                                   json_string_value(value));
    }
    return text;
}
