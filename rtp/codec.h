/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/codec.h - the little that the relay reads of a payload: does a key frame start here.
 *
 * RFC 7741 (VP8), RFC 9628 (VP9), RFC 6184 (H264), RFC 7798 (H265), the AV1 RTP specification.
 * Payloads may be end-to-end encrypted or nonsense: everything is bounds-checked and a doubt
 * answers "no". No state. */
#ifndef RTP_CODEC_H
#define RTP_CODEC_H

#include "core/base.h"

enum rtp_codec {
    RTP_CODEC_OTHER, /* audio, and what has no key frames */
    RTP_CODEC_VP8,
    RTP_CODEC_VP9,
    RTP_CODEC_H264,
    RTP_CODEC_H265,
    RTP_CODEC_AV1,
    RTP_CODEC_RED,  /* RFC 2198: blocks of other payload types; tells no key frame */
    RTP_CODEC_OPUS, /* told apart because it adapts to reported loss */
};

/* From the mime type's second part, any case ("VP8"). */
enum rtp_codec rtp_codec_of_name(const char *name);

/* Can rtp_codec_keyframe() say yes? */
static inline bool rtp_codec_has_keyframes(enum rtp_codec codec)
{
    return codec != RTP_CODEC_OTHER && codec != RTP_CODEC_RED && codec != RTP_CODEC_OPUS;
}

bool rtp_codec_keyframe(enum rtp_codec codec, const uint8_t *payload, size_t bytes);

#endif
