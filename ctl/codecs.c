/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/codecs.c - what the relay can forward: its codecs, RTCP feedback and header extensions. */
#include "ctl/codecs.h"

enum { PARAMETERS_MAX = 3, NO_PAYLOAD_TYPE = -1 };

enum feedback {
    FEEDBACK_NACK = 1,
    FEEDBACK_PLI = 2,
    FEEDBACK_FIR = 4,
    FEEDBACK_REMB = 8,
    FEEDBACK_TWCC = 16,

    FEEDBACK_NONE = 0,
    FEEDBACK_AUDIO = FEEDBACK_NACK | FEEDBACK_TWCC, /* what can repair */
    FEEDBACK_VIDEO = FEEDBACK_NACK | FEEDBACK_PLI | FEEDBACK_FIR | FEEDBACK_REMB | FEEDBACK_TWCC,
};

struct parameter {
    const char *key;
    const char *text; /* NULL: a number */
    int number;
};

struct codec {
    const char *mime;
    int clock_rate;
    int channels; /* 0 for video */
    int payload_type;
    unsigned feedback;
    struct parameter parameters[PARAMETERS_MAX];
};

struct extension {
    enum rtp_ext_kind kind;
    uint8_t id;
    const char *audio; /* direction seen from the relay, NULL: not for this kind of media */
    const char *video;
};

/* clang-format off */
static const struct codec codecs[] = {
    {"audio/opus", 48000, 2, NO_PAYLOAD_TYPE, FEEDBACK_AUDIO, {{0}}},
    {"audio/red", 48000, 2, NO_PAYLOAD_TYPE, FEEDBACK_AUDIO, {{0}}}, /* RFC 2198 over Opus */
    {"audio/multiopus", 48000, 4, NO_PAYLOAD_TYPE, FEEDBACK_AUDIO,
     {{"channel_mapping", "0,1,2,3", 0}, {"num_streams", NULL, 2}, {"coupled_streams", NULL, 2}}},
    {"audio/multiopus", 48000, 6, NO_PAYLOAD_TYPE, FEEDBACK_AUDIO,
     {{"channel_mapping", "0,4,1,2,3,5", 0},
      {"num_streams", NULL, 4},
      {"coupled_streams", NULL, 2}}},
    {"audio/multiopus", 48000, 8, NO_PAYLOAD_TYPE, FEEDBACK_AUDIO,
     {{"channel_mapping", "0,6,1,2,3,4,5,7", 0},
      {"num_streams", NULL, 5},
      {"coupled_streams", NULL, 3}}},
    {"audio/PCMU", 8000, 1, 0, FEEDBACK_TWCC, {{0}}},
    {"audio/PCMA", 8000, 1, 8, FEEDBACK_TWCC, {{0}}},
    {"audio/ISAC", 32000, 1, NO_PAYLOAD_TYPE, FEEDBACK_TWCC, {{0}}},
    {"audio/ISAC", 16000, 1, NO_PAYLOAD_TYPE, FEEDBACK_TWCC, {{0}}},
    {"audio/G722", 8000, 1, 9, FEEDBACK_TWCC, {{0}}},
    {"audio/iLBC", 8000, 1, NO_PAYLOAD_TYPE, FEEDBACK_TWCC, {{0}}},
    {"audio/SILK", 24000, 1, NO_PAYLOAD_TYPE, FEEDBACK_TWCC, {{0}}},
    {"audio/SILK", 16000, 1, NO_PAYLOAD_TYPE, FEEDBACK_TWCC, {{0}}},
    {"audio/SILK", 12000, 1, NO_PAYLOAD_TYPE, FEEDBACK_TWCC, {{0}}},
    {"audio/SILK", 8000, 1, NO_PAYLOAD_TYPE, FEEDBACK_TWCC, {{0}}},
    {"audio/CN", 32000, 1, 13, FEEDBACK_NONE, {{0}}},
    {"audio/CN", 16000, 1, 13, FEEDBACK_NONE, {{0}}},
    {"audio/CN", 8000, 1, 13, FEEDBACK_NONE, {{0}}},
    {"audio/telephone-event", 48000, 1, NO_PAYLOAD_TYPE, FEEDBACK_NONE, {{0}}},
    {"audio/telephone-event", 32000, 1, NO_PAYLOAD_TYPE, FEEDBACK_NONE, {{0}}},
    {"audio/telephone-event", 16000, 1, NO_PAYLOAD_TYPE, FEEDBACK_NONE, {{0}}},
    {"audio/telephone-event", 8000, 1, NO_PAYLOAD_TYPE, FEEDBACK_NONE, {{0}}},
    {"video/VP8", 90000, 0, NO_PAYLOAD_TYPE, FEEDBACK_VIDEO, {{0}}},
    {"video/VP9", 90000, 0, NO_PAYLOAD_TYPE, FEEDBACK_VIDEO, {{0}}},
    {"video/H264", 90000, 0, NO_PAYLOAD_TYPE, FEEDBACK_VIDEO,
     {{"level-asymmetry-allowed", NULL, 1}}},
    {"video/H265", 90000, 0, NO_PAYLOAD_TYPE, FEEDBACK_VIDEO, {{0}}},
    {"video/AV1", 90000, 0, NO_PAYLOAD_TYPE, FEEDBACK_VIDEO, {{0}}},
};

/* Restriction identifiers and the dependency descriptor end at the relay: it reads them and sends
 * one stream on. Audio does not take part in the estimation of what a receiver's path carries, so
 * its transport-cc goes one way. */
static const struct extension extensions[] = {
    {RTP_EXT_MID, 1, "sendrecv", "sendrecv"},
    {RTP_EXT_RID, 2, NULL, "recvonly"},
    {RTP_EXT_RRID, 3, NULL, "recvonly"},
    {RTP_EXT_ABS_SEND_TIME, 4, "sendrecv", "sendrecv"},
    {RTP_EXT_TWCC, 5, "recvonly", "sendrecv"},
    {RTP_EXT_AUDIO_LEVEL, 6, "sendrecv", NULL},
    {RTP_EXT_DEPENDENCY, 7, NULL, "recvonly"},
    {RTP_EXT_ORIENTATION, 8, NULL, "sendrecv"},
    {RTP_EXT_TOFFSET, 9, NULL, "sendrecv"},
    {RTP_EXT_ABS_CAPTURE, 10, "sendrecv", "sendrecv"},
    {RTP_EXT_PLAYOUT_DELAY, 11, "sendrecv", "sendrecv"},
    {RTP_EXT_PACKET_ID, 12, "sendrecv", "sendrecv"},
};
/* clang-format on */

static_assert(ARRAY_N(extensions) == RTP_EXT_N, "every extension that the relay knows is offered");

static const struct {
    enum feedback bit;
    const char *type;
    const char *parameter;
} feedbacks[] = {
    {FEEDBACK_NACK, "nack", ""},         {FEEDBACK_PLI, "nack", "pli"},
    {FEEDBACK_FIR, "ccm", "fir"},        {FEEDBACK_REMB, "goog-remb", ""},
    {FEEDBACK_TWCC, "transport-cc", ""},
};

const char *const media_kind_names[] = {"audio", "video", NULL};

uint8_t codecs_dynamic_payload_type(size_t index)
{
    ASSERT(index < CODECS_DYNAMIC_N);
    if (index < 28)
        return (uint8_t)(100 + index);
    if (index < 32)
        return (uint8_t)(96 + index - 28);
    return (uint8_t)(35 + index - 32);
}

/* `list` takes the reference to `value`; NULL is what jansson gives when it has no memory. */
static bool append(json_t *list, json_t *value)
{
    return json_array_append_new(list, value) == 0;
}

static json_t *parameters_new(const struct codec *codec)
{
    json_t *out = json_object();
    for (size_t i = 0; i < PARAMETERS_MAX && codec->parameters[i].key; i++) {
        const struct parameter *p = &codec->parameters[i];
        json_t *value = p->text ? json_string(p->text) : json_integer(p->number);
        if (json_object_set_new(out, p->key, value) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *feedback_new(unsigned feedback)
{
    json_t *out = json_array();
    for (size_t i = 0; i < ARRAY_N(feedbacks); i++) {
        if (!(feedback & feedbacks[i].bit))
            continue;
        if (!append(out, json_pack("{ss ss}", "type", feedbacks[i].type, "parameter",
                                   feedbacks[i].parameter))) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

/* "o" in json_pack takes the reference, also when packing fails. */
static json_t *codec_new(const struct codec *codec)
{
    const char *kind = media_kind_names[codec->channels ? MEDIA_AUDIO : MEDIA_VIDEO];
    json_t *out = json_pack("{ss ss si so so}", "kind", kind, "mimeType", codec->mime, "clockRate",
                            codec->clock_rate, "parameters", parameters_new(codec), "rtcpFeedback",
                            feedback_new(codec->feedback));
    if (!out)
        return NULL;

    int bad = 0;
    if (codec->channels)
        bad |= json_object_set_new(out, "channels", json_integer(codec->channels));
    if (codec->payload_type != NO_PAYLOAD_TYPE)
        bad |= json_object_set_new(out, "preferredPayloadType", json_integer(codec->payload_type));
    if (bad == 0)
        return out;
    json_decref(out);
    return NULL;
}

json_t *codecs_supported(void)
{
    json_t *out = json_array();
    for (size_t i = 0; i < ARRAY_N(codecs); i++) {
        if (!append(out, codec_new(&codecs[i]))) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *extension_new(const struct extension *ext, enum media_kind kind,
                             const char *direction)
{
    return json_pack("{ss ss si sb ss}", "kind", media_kind_names[kind], "uri",
                     rtp_ext_uri(ext->kind), "preferredId", ext->id, "preferredEncrypt", 0,
                     "direction", direction);
}

json_t *codecs_header_extensions(void)
{
    json_t *out = json_array();
    bool ok = out;
    for (size_t i = 0; ok && i < ARRAY_N(extensions); i++) {
        const struct extension *ext = &extensions[i];
        if (ext->audio)
            ok = append(out, extension_new(ext, MEDIA_AUDIO, ext->audio));
        if (ok && ext->video)
            ok = append(out, extension_new(ext, MEDIA_VIDEO, ext->video));
    }
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

uint8_t codecs_ext_id(enum rtp_ext_kind kind)
{
    for (size_t i = 0; i < ARRAY_N(extensions); i++) {
        if (extensions[i].kind == kind)
            return extensions[i].id;
    }
    return 0;
}
