/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/codec.c - the little that the relay reads of a payload: does a key frame start here. */
#include "rtp/codec.h"

#include <strings.h>

static const struct {
    const char *name;
    enum rtp_codec codec;
} names[] = {
    {"VP8", RTP_CODEC_VP8},   {"VP9", RTP_CODEC_VP9}, {"H264", RTP_CODEC_H264},
    {"H265", RTP_CODEC_H265}, {"AV1", RTP_CODEC_AV1}, {"red", RTP_CODEC_RED},
    {"opus", RTP_CODEC_OPUS},
};

enum rtp_codec rtp_codec_of_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (strcasecmp(name, names[i].name) == 0)
            return names[i].codec;
    return RTP_CODEC_OTHER;
}

/* RFC 7741 4.2, 4.3: first partition's first packet, and its P bit says key frame. */
static bool vp8_keyframe(const uint8_t *payload, size_t bytes)
{
    enum { X = 0x80, S = 0x10, PID = 0x07, I = 0x80, L = 0x40, T = 0x20, K = 0x10, M = 0x80 };

    if (bytes < 1 || !(payload[0] & S) || payload[0] & PID)
        return false;
    size_t at = 1;
    if (payload[0] & X) {
        if (at == bytes)
            return false;
        uint8_t extended = payload[at++];
        if (extended & I) {
            if (at == bytes)
                return false;
            at += payload[at] & M ? 2 : 1;
        }
        at += (extended & L) ? 1 : 0;
        at += (extended & (T | K)) ? 1 : 0;
    }
    return at < bytes && !(payload[at] & 0x01);
}

/* RFC 9628 4.2: beginning of a frame that refers to no other, in the lowest spatial layer. */
static bool vp9_keyframe(const uint8_t *payload, size_t bytes)
{
    enum { I = 0x80, P = 0x40, L = 0x20, B = 0x08, M = 0x80, SID = 0x0e };

    if (bytes < 1 || payload[0] & P || !(payload[0] & B))
        return false;
    size_t at = 1;
    if (payload[0] & I) {
        if (at == bytes)
            return false;
        at += payload[at] & M ? 2 : 1;
    }
    if (payload[0] & L)
        return at < bytes && !(payload[at] & SID);
    return at < bytes; /* a descriptor alone is no frame */
}

static bool h264_key_type(uint8_t head)
{
    enum { IDR = 5, SPS = 7 };

    uint8_t type = head & 0x1f;
    return type == IDR || type == SPS;
}

/* RFC 6184 5.2: single units, STAP-A and FU-A, as packetization modes 0 and 1 have them. */
static bool h264_keyframe(const uint8_t *payload, size_t bytes)
{
    enum { STAP_A = 24, FU_A = 28, START = 0x80 };

    if (bytes < 2)
        return false;
    uint8_t type = payload[0] & 0x1f;
    if (type == FU_A)
        return payload[1] & START && h264_key_type(payload[1]);
    if (type != STAP_A)
        return h264_key_type(payload[0]);

    size_t at = 1;
    while (bytes - at > 2) {
        size_t unit_bytes = be16(payload + at);
        at += 2;
        if (unit_bytes == 0 || unit_bytes > bytes - at)
            return false;
        if (h264_key_type(payload[at]))
            return true;
        at += unit_bytes;
    }
    return false;
}

static bool h265_key_type(uint8_t type)
{
    enum { BLA_W_LP = 16, CRA = 21, VPS = 32, SPS = 33 };

    return (type >= BLA_W_LP && type <= CRA) || type == VPS || type == SPS;
}

/* RFC 7798 4.4: single units, aggregation packets and fragments (without DONL, as WebRTC has them).
 */
static bool h265_keyframe(const uint8_t *payload, size_t bytes)
{
    enum { AP = 48, FU = 49, HEAD_BYTES = 2, START = 0x80 };

    if (bytes < HEAD_BYTES + 1)
        return false;
    uint8_t type = payload[0] >> 1 & 0x3f;
    if (type == FU)
        return payload[2] & START && h265_key_type(payload[2] & 0x3f);
    if (type != AP)
        return h265_key_type(type);

    size_t at = HEAD_BYTES;
    while (bytes - at > 2) {
        size_t unit_bytes = be16(payload + at);
        at += 2;
        if (unit_bytes < HEAD_BYTES || unit_bytes > bytes - at)
            return false;
        if (h265_key_type(payload[at] >> 1 & 0x3f))
            return true;
        at += unit_bytes;
    }
    return false;
}

/* AV1 RTP specification 4.4: N "MUST be set to 1 if the packet is the first packet of a coded video
 * sequence"; Z, a continued unit, contradicts it. */
static bool av1_keyframe(const uint8_t *payload, size_t bytes)
{
    enum { Z = 0x80, N = 0x08 };

    return bytes >= 2 && payload[0] & N && !(payload[0] & Z);
}

bool rtp_codec_keyframe(enum rtp_codec codec, const uint8_t *payload, size_t bytes)
{
    switch (codec) {
    case RTP_CODEC_OTHER:
    case RTP_CODEC_RED:
    case RTP_CODEC_OPUS:
        return false;
    case RTP_CODEC_VP8:
        return vp8_keyframe(payload, bytes);
    case RTP_CODEC_VP9:
        return vp9_keyframe(payload, bytes);
    case RTP_CODEC_H264:
        return h264_keyframe(payload, bytes);
    case RTP_CODEC_H265:
        return h265_keyframe(payload, bytes);
    case RTP_CODEC_AV1:
        return av1_keyframe(payload, bytes);
    }
    return false;
}
