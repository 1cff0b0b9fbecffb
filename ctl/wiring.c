/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/wiring.c - negotiated parameters compiled into what a worker works with: numbers, tables,
 * flags. */
#include "ctl/wiring.h"

#include "rtp/codec.h"

#include <stdio.h>

static enum rtp_codec codec_of(const json_t *codec)
{
    const char *slash = strchr(rtpcodec_mime(codec), '/');
    return slash ? rtp_codec_of_name(slash + 1) : RTP_CODEC_OTHER;
}

static bool has_feedback(const json_t *codec, const char *type, const char *parameter)
{
    size_t i = 0;
    json_t *feedback = NULL;
    json_array_foreach(json_object_get(codec, "rtcpFeedback"), i, feedback)
    {
        const char *has_type = json_string_value(json_object_get(feedback, "type"));
        const char *has = json_string_value(json_object_get(feedback, "parameter"));
        if (has_type && strcmp(has_type, type) == 0 && strcmp(has ? has : "", parameter) == 0)
            return true;
    }
    return false;
}

void wiring_ext_ids(struct rtp_ext_ids *ids, const json_t *params)
{
    size_t i = 0;
    json_t *extension = NULL;
    *ids = (struct rtp_ext_ids){0};
    json_array_foreach(json_object_get(params, "headerExtensions"), i, extension)
    {
        const char *uri = json_string_value(json_object_get(extension, "uri"));
        json_int_t id = json_integer_value(json_object_get(extension, "id"));
        int kind = uri ? rtp_ext_kind_of_uri(uri) : -1;
        if (kind >= 0 && id > 0 && id <= RTP_EXT_ID_MAX)
            ids->id[kind] = (uint8_t)id;
    }
}

static bool refuse(struct field_error *err, const char *path, const char *expected, const char *got)
{
    field_error_set(err, path, expected, got);
    return false;
}

/* A short text that goes on the wire, without its zero. */
static bool text_copy(char *to, uint8_t *to_bytes, size_t max, const json_t *value,
                      const char *path, struct field_error *err)
{
    const char *text = json_string_value(value);
    if (!text)
        return true;
    if (strlen(text) > max)
        return refuse(err, path, "a string of at most 32 bytes", text);
    memcpy(to, text, strlen(text));
    *to_bytes = (uint8_t)strlen(text);
    return true;
}

static uint32_t ssrc_of(const json_t *encoding)
{
    return (uint32_t)json_integer_value(json_object_get(encoding, "ssrc"));
}

static uint32_t rtx_ssrc_of(const json_t *encoding)
{
    return ssrc_of(json_object_get(encoding, "rtx"));
}

static bool producer_codecs(struct command_producer_open *open, const json_t *codecs,
                            struct field_error *err)
{
    size_t i = 0;
    json_t *codec = NULL;
    if (json_array_size(codecs) > PRODUCER_PT_MAX)
        return refuse(err, "rtpParameters.codecs", "at most 8 codecs besides RTX", "more");
    json_array_foreach(codecs, i, codec)
    {
        bool rtx = rtpcodec_is_rtx(codec);
        open->pt[i] = (struct producer_pt){
            .pt = (uint8_t)rtpcodec_payload_type(codec),
            .media_pt = rtx ? (uint8_t)rtpcodec_apt(codec) : REWRITE_PT_NONE,
            .codec = (uint8_t)codec_of(codec),
            .clock_rate = (uint32_t)rtpcodec_clock_rate(codec),
        };
        open->nack |= !rtx && has_feedback(codec, "nack", "");
        open->pli |= !rtx && has_feedback(codec, "nack", "pli");
        open->fir |= !rtx && has_feedback(codec, "ccm", "fir");
    }
    open->pt_n = (uint8_t)json_array_size(codecs);
    return true;
}

bool wiring_producer(struct command_producer_open *open, enum media_kind kind, const json_t *params,
                     struct field_error *err)
{
    *open = (struct command_producer_open){.kind = kind};
    const json_t *encodings = json_object_get(params, "encodings");
    size_t n = json_array_size(encodings);
    if (n == 0 || n > PRODUCER_ENCODINGS_MAX)
        return refuse(err, "rtpParameters.encodings", "1 to 4 encodings", "more");
    if (!producer_codecs(open, json_object_get(params, "codecs"), err))
        return false;

    for (size_t i = 0; i < n; i++) {
        const json_t *encoding = json_array_get(encodings, i);
        struct producer_encoding *to = &open->encodings[i];
        to->ssrc = ssrc_of(encoding);
        to->rtx_ssrc = rtx_ssrc_of(encoding);
        to->dtx = json_is_true(json_object_get(encoding, "dtx"));
        if (!text_copy(to->rid, &to->rid_bytes, sizeof(to->rid), json_object_get(encoding, "rid"),
                       "rtpParameters.encodings", err))
            return false;
    }
    open->encodings_n = (uint8_t)n;
    open->rtcp_reduced =
        json_is_true(json_object_get(json_object_get(params, "rtcp"), "reducedSize"));
    wiring_ext_ids(&open->ext_ids, params);
    return text_copy(open->mid, &open->mid_bytes, sizeof(open->mid), json_object_get(params, "mid"),
                     "rtpParameters.mid", err);
}

/* The producer's mapped payload type that the consumer sends as `out`, or -1. */
static json_int_t mapped_of(const json_t *own, int out)
{
    size_t i = 0;
    json_t *pair = NULL;
    if (!own)
        return out;
    json_array_foreach(json_object_get(own, "codecs"), i, pair)
    {
        if (json_integer_value(json_object_get(pair, "mappedPayloadType")) == out)
            return json_integer_value(json_object_get(pair, "payloadType"));
    }
    return -1;
}

/* One row for each payload type of the producer that leads to `codec` of the consumer. */
static bool rewrite_rows(struct rewrite *rewrite, const struct wiring_consume *consume,
                         const json_t *codec)
{
    const json_t *codecs = json_object_get(consume->out, "codecs");
    int out = rtpcodec_payload_type(codec);
    json_int_t mapped = mapped_of(consume->own, out);
    const json_t *rtx = rewrite->rtx_ssrc ? rtpcodec_find_rtx(codecs, out) : NULL;
    size_t i = 0;
    json_t *pair = NULL;
    json_array_foreach(json_object_get(consume->mapping, "codecs"), i, pair)
    {
        if (json_integer_value(json_object_get(pair, "mappedPayloadType")) != mapped)
            continue;
        if (rewrite->pt_n == REWRITE_PT_MAX)
            return false;
        uint32_t n = rewrite->pt_n++;
        rewrite->pt[n].in = (uint8_t)json_integer_value(json_object_get(pair, "payloadType"));
        rewrite->pt[n].out = (uint8_t)out;
        rewrite->pt[n].rtx = rtx ? (uint8_t)rtpcodec_payload_type(rtx) : REWRITE_PT_NONE;
        rewrite->pt[n].codec = (uint8_t)codec_of(codec);
        rewrite->pt[n].clock_rate = (uint32_t)rtpcodec_clock_rate(codec);
    }
    return true;
}

static bool ext_needs_two_bytes(const struct rewrite *rewrite)
{
    bool two = rewrite->mid_bytes > 16 && rewrite->ext_out.id[RTP_EXT_MID] != 0;
    for (size_t i = 0; i < RTP_EXT_N; i++)
        two |= rewrite->ext_out.id[i] > 14;
    return two;
}

bool wiring_consumer(struct command_consumer_open *open, enum media_kind kind,
                     const struct wiring_consume *consume, struct field_error *err)
{
    const json_t *in = consume->in, *out = consume->out;
    *open = (struct command_consumer_open){.kind = kind};
    struct rewrite *rewrite = &open->rewrite;
    const json_t *codecs = json_object_get(out, "codecs");
    const json_t *encoding = json_array_get(json_object_get(out, "encodings"), 0);
    rewrite->ssrc = ssrc_of(encoding);
    rewrite->rtx_ssrc = rtx_ssrc_of(encoding);
    if (rewrite->ssrc == 0)
        return refuse(err, "rtpParameters.encodings[0].ssrc", "an SSRC", "nothing");

    size_t i = 0;
    json_t *codec = NULL;
    json_array_foreach(codecs, i, codec)
    {
        if (rtpcodec_is_rtx(codec))
            continue;
        if (!rewrite_rows(rewrite, consume, codec))
            return refuse(err, "rtpParameters.codecs", "at most 8 codecs besides RTX", "more");
        open->nack |= has_feedback(codec, "nack", "");
    }
    if (rewrite->pt_n == 0)
        return refuse(err, "rtpParameters.codecs",
                      "a payload type that the producer's mapping leads to", "none of them");
    open->nack |= rewrite->rtx_ssrc != 0;

    wiring_ext_ids(&rewrite->ext_in, in);
    wiring_ext_ids(&rewrite->ext_out, out);
    if (!text_copy(rewrite->mid, &rewrite->mid_bytes, sizeof(rewrite->mid),
                   json_object_get(out, "mid"), "rtpParameters.mid", err))
        return false;
    rewrite->ext_two_byte = ext_needs_two_bytes(rewrite);
    const char *cname = json_string_value(json_object_get(json_object_get(in, "rtcp"), "cname"));
    snprintf(open->cname, sizeof(open->cname), "%s", cname ? cname : "");
    return true;
}
