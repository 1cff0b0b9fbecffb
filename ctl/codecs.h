/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/codecs.h - what the relay can forward: its codecs, RTCP feedback and header extensions.
 *
 * The relay does not decode, so a codec is here because its negotiation is known, not because of
 * code for it. Payload types, header extension ids and directions are those that applications know
 * from mediasoup; H265 and RED are ours.
 *
 * Threads: constant tables and functions without state. Ownership: every json_t * returned is a new
 * reference to a value that nothing else refers to; NULL means no memory. */
#ifndef CTL_CODECS_H
#define CTL_CODECS_H

#include "net/command.h"

#include <jansson.h>

/* "audio", "video", NULL: for fields_enum(). */
extern const char *const media_kind_names[];

/* Payload types that the relay hands out, best first: the dynamic range of RFC 3551 from 100 on,
 * then what is left of it, then 35 to 63. Never 64 to 95: with the marker bit they look like RTCP
 * (RFC 5761 4). */
enum { CODECS_DYNAMIC_N = 32 + 29 };

uint8_t codecs_dynamic_payload_type(size_t index); /* index < CODECS_DYNAMIC_N */

/* False where RTP and RTCP could not share a port. */
static inline bool codecs_payload_type_is_safe(int64_t payload_type)
{
    return (payload_type >= 0 && payload_type < 64) || (payload_type > 95 && payload_type < 128);
}

/* The supported codecs in the shape of RtpCodecCapability; `preferredPayloadType` only where it is
 * a static one. RTX is not among them: ortc_router_capabilities() adds it. */
json_t *codecs_supported(void);

/* The supported header extensions, all kinds, in the shape of RtpHeaderExtension: {kind, uri,
 * preferredId, preferredEncrypt, direction}; the direction is the relay's. */
json_t *codecs_header_extensions(void);

/* The id that a router prefers for an extension. */
uint8_t codecs_ext_id(enum rtp_ext_kind kind);

#endif
