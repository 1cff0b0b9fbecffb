/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/codecmatch.c - whether what is sent with one codec description can be received with another.
 */
#include "ctl/codecmatch.h"
#include "ctl/h264.h"

#include <errno.h>
#include <strings.h>

/* RFC 7798 7.1: what missing parameters mean. */
enum { H265_PROFILE_MAIN = 1, H265_TIER_MAIN = 0, H265_LEVEL_ABSENT = -1 };

static bool same_number(const json_t *a, const json_t *b, const char *key, int64_t absent)
{
    return rtpcodec_number(a, key, absent) == rtpcodec_number(b, key, absent);
}

static bool h264_read(const json_t *codec, struct h264_id *id)
{
    char buffer[RTPCODEC_NUMBER_BYTES];
    const char *text = rtpcodec_text(codec, "profile-level-id", NULL, buffer);
    if (text)
        return h264_id_parse(id, text);
    *id = h264_id_default;
    return true;
}

static bool h264_match(const json_t *stream, const json_t *receiver, bool same_profile)
{
    struct h264_id from, to;
    if (!same_number(stream, receiver, "packetization-mode", 0))
        return false;
    if (!h264_read(stream, &from) || !h264_read(receiver, &to))
        return false;
    return same_profile ? from.profile == to.profile : h264_profile_fits(from, to);
}

static bool h265_match(const json_t *stream, const json_t *receiver)
{
    char a[RTPCODEC_NUMBER_BYTES], b[RTPCODEC_NUMBER_BYTES];
    return same_number(stream, receiver, "profile-id", H265_PROFILE_MAIN) &&
           same_number(stream, receiver, "tier-flag", H265_TIER_MAIN) &&
           strcasecmp(rtpcodec_text(stream, "tx-mode", "SRST", a),
                      rtpcodec_text(receiver, "tx-mode", "SRST", b)) == 0;
}

static bool match_loosely(const json_t *stream, const json_t *receiver)
{
    if (!rtpcodec_is(stream, rtpcodec_mime(receiver)) ||
        rtpcodec_clock_rate(stream) != rtpcodec_clock_rate(receiver) ||
        rtpcodec_channels(stream) != rtpcodec_channels(receiver))
        return false;
    if (rtpcodec_is(stream, "audio/multiopus"))
        return same_number(stream, receiver, "num_streams", -1) &&
               same_number(stream, receiver, "coupled_streams", -1);
    return true;
}

static bool match_strictly(const json_t *stream, const json_t *receiver, bool same_profile)
{
    if (!match_loosely(stream, receiver))
        return false;
    if (rtpcodec_is(stream, "video/H264"))
        return h264_match(stream, receiver, same_profile);
    if (rtpcodec_is(stream, "video/H265"))
        return h265_match(stream, receiver);
    if (rtpcodec_is(stream, "video/VP9"))
        return same_number(stream, receiver, "profile-id", 0);
    if (rtpcodec_is(stream, "video/AV1"))
        return same_number(stream, receiver, "profile", 0);
    return true;
}

json_t *codecmatch_find(const json_t *receivers, const json_t *stream, enum codecmatch how)
{
    json_t *includes = NULL;
    for (size_t i = 0; i < json_array_size(receivers); i++) {
        json_t *receiver = json_array_get(receivers, i);
        if (how == CODECMATCH_LOOSE ? match_loosely(stream, receiver)
                                    : match_strictly(stream, receiver, true))
            return receiver;
        if (how == CODECMATCH_STRICT && !includes && match_strictly(stream, receiver, false))
            includes = receiver;
    }
    return includes;
}

static int h264_answer(json_t *stream, const json_t *receiver)
{
    struct h264_id from, to;
    char a[RTPCODEC_NUMBER_BYTES], b[RTPCODEC_NUMBER_BYTES], text[H264_ID_BYTES];
    if (!rtpcodec_text(stream, "profile-level-id", NULL, a) &&
        !rtpcodec_text(receiver, "profile-level-id", NULL, b))
        return 0; /* both mean the default without saying so */
    if (!h264_read(stream, &from) || !h264_read(receiver, &to))
        return 0;

    bool asymmetry = rtpcodec_number(stream, "level-asymmetry-allowed", 0) == 1 &&
                     rtpcodec_number(receiver, "level-asymmetry-allowed", 0) == 1;
    if (!asymmetry)
        from.level = h264_level_min(from.level, to.level);
    json_t *parameters = json_object_get(stream, "parameters");
    if (!h264_id_format(from, text)) {
        json_object_del(parameters, "profile-level-id");
        return 0;
    }
    return json_object_set_new(parameters, "profile-level-id", json_string(text)) ? -ENOMEM : 0;
}

static int h265_answer(json_t *stream, const json_t *receiver)
{
    int64_t from = rtpcodec_number(stream, "level-id", H265_LEVEL_ABSENT);
    int64_t to = rtpcodec_number(receiver, "level-id", H265_LEVEL_ABSENT);
    if (from == H265_LEVEL_ABSENT || to == H265_LEVEL_ABSENT || from <= to)
        return 0;
    json_t *parameters = json_object_get(stream, "parameters");
    return json_object_set_new(parameters, "level-id", json_integer(to)) ? -ENOMEM : 0;
}

int codecmatch_answer(json_t *stream, const json_t *receiver)
{
    if (rtpcodec_is(stream, "video/H264"))
        return h264_answer(stream, receiver);
    if (rtpcodec_is(stream, "video/H265"))
        return h265_answer(stream, receiver);
    return 0;
}
