/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/packet.c - where the parts of an RTP packet are. RFC 3550 5.1. */
#include "rtp/packet.h"

enum drop rtp_packet_parse(struct rtp_packet *out, const uint8_t *data, size_t bytes)
{
    ASSERT(bytes <= UINT16_MAX);
    *out = (struct rtp_packet){0};

    if (bytes < RTP_FIXED_BYTES)
        return DROP_RUNT;
    if (data[0] >> 6 != RTP_VERSION)
        return DROP_VERSION;

    out->csrc_n = data[0] & 0x0f;
    size_t at = RTP_FIXED_BYTES + 4 * (size_t)out->csrc_n;
    if (at > bytes)
        return DROP_CSRC;

    if (data[0] & 0x10) {
        if (bytes - at < RTP_EXT_HEAD_BYTES)
            return DROP_EXT;
        size_t ext_bytes = 4 * (size_t)be16(data + at + 2);
        out->ext_profile = be16(data + at);
        at += RTP_EXT_HEAD_BYTES;
        if (bytes - at < ext_bytes) /* subtract from what is left: cannot overflow */
            return DROP_EXT;
        out->ext_at = (uint16_t)at;
        out->ext_bytes = (uint16_t)ext_bytes;
        at += ext_bytes;
    }

    size_t pad_bytes = 0;
    if (data[0] & 0x20) {
        /* The count includes itself, so 0 is a lie; and it may not reach the header. */
        pad_bytes = data[bytes - 1];
        if (pad_bytes == 0 || pad_bytes > bytes - at)
            return DROP_PADDING;
    }

    out->marker = data[1] >> 7;
    out->payload_type = data[1] & 0x7f;
    out->seq = be16(data + 2);
    out->rtp_ts = be32(data + 4);
    out->ssrc = be32(data + 8);
    out->payload_at = (uint16_t)at;
    out->payload_bytes = (uint16_t)(bytes - at - pad_bytes);
    out->pad_bytes = (uint8_t)pad_bytes;
    return DROP_NONE;
}
