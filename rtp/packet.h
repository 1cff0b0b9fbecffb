/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/packet.h - where the parts of an RTP packet are. RFC 3550 5.1.
 *
 * Offsets, not pointers, so that a parsed packet stays true for any copy of its bytes.
 * Threads: values, no state. Nothing here allocates. */
#ifndef RTP_PACKET_H
#define RTP_PACKET_H

#include "core/base.h"
#include "core/drop.h"

enum { RTP_FIXED_BYTES = 12, RTP_EXT_HEAD_BYTES = 4, RTP_VERSION = 2 };

struct rtp_packet {
    uint32_t ssrc;
    uint32_t rtp_ts;
    uint16_t seq;
    uint16_t ext_profile; /* 0xbede one-byte, 0x100x two-byte (RFC 8285), 0 without extension */
    uint16_t ext_at;      /* first element */
    uint16_t ext_bytes;
    uint16_t payload_at;
    uint16_t payload_bytes; /* without padding */
    uint8_t pad_bytes;
    uint8_t payload_type;
    uint8_t csrc_n;
    bool marker;
};

/* Finds the parts. `out` is all zero but for what was found when it fails.
 * DROP_RUNT, DROP_VERSION, DROP_CSRC, DROP_EXT, DROP_PADDING. */
enum drop rtp_packet_parse(struct rtp_packet *out, const uint8_t *data, size_t bytes);

/* RTP or RTCP by the second byte, where both share a port. RFC 5761 4. */
static inline bool rtp_packet_is_rtcp(const uint8_t *data, size_t bytes)
{
    return bytes >= 2 && data[1] >= 192 && data[1] <= 223;
}

#endif
