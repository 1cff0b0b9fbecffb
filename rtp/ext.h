/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/ext.h - header extensions by meaning: find them in a packet, write them into another. RFC
 * 8285.
 *
 * A transport or consumer negotiates ids per kind; a packet's elements are found once (rtp_exts)
 * and written for every consumer with its own ids. Threads: values, no state. */
#ifndef RTP_EXT_H
#define RTP_EXT_H

#include "rtp/packet.h"

/* kind, uri. Order is the order in which elements are written. */
#define RTP_EXT_LIST(X)                                                                            \
    X(MID, "urn:ietf:params:rtp-hdrext:sdes:mid")                                                  \
    X(RID, "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id")                                        \
    X(RRID, "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id")                              \
    X(ABS_SEND_TIME, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")                 \
    X(TWCC, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01")           \
    X(AUDIO_LEVEL, "urn:ietf:params:rtp-hdrext:ssrc-audio-level")                                  \
    X(DEPENDENCY,                                                                                  \
      "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension")   \
    X(ORIENTATION, "urn:3gpp:video-orientation")                                                   \
    X(TOFFSET, "urn:ietf:params:rtp-hdrext:toffset")                                               \
    X(ABS_CAPTURE, "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time")                \
    X(PLAYOUT_DELAY, "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay")                 \
    X(PACKET_ID, "urn:mediasoup:params:rtp-hdrext:packet-id")

enum rtp_ext_kind {

#define RTP_EXT_ENUM(name, uri) RTP_EXT_##name,
    RTP_EXT_LIST(RTP_EXT_ENUM)
#undef RTP_EXT_ENUM
        RTP_EXT_N
};

enum { RTP_EXT_ID_MAX = 255, RTP_MID_BYTES_MAX = 32, RTP_RID_BYTES_MAX = 32 };

/* Negotiated id of each kind; 0 = not negotiated. */
struct rtp_ext_ids {
    uint8_t id[RTP_EXT_N];
};

/* Elements of one packet whose kind is known. `at` counts from the packet's start. */
struct rtp_exts {
    uint16_t present; /* bit per kind */
    uint16_t at[RTP_EXT_N];
    uint8_t bytes[RTP_EXT_N]; /* may be 0 in the two-byte form */
};

static_assert(RTP_EXT_N <= 16, "present is 16 bits");

const char *rtp_ext_uri(enum rtp_ext_kind kind);
int rtp_ext_kind_of_uri(const char *uri); /* -1 for an unknown one */

/* Finds the elements of `ids` in a parsed packet. Malformed elements end the search: what came
 * before counts. Id 15 of the one-byte form ends it too (RFC 8285 4.2); padding bytes are passed
 * over; the first of a kind counts. */
void rtp_exts_find(struct rtp_exts *out, const uint8_t *data, const struct rtp_packet *packet,
                   const struct rtp_ext_ids *ids);

static inline bool rtp_exts_has(const struct rtp_exts *exts, enum rtp_ext_kind kind)
{
    return exts->present >> kind & 1;
}

/* May this element stand in the one-byte form? RFC 8285 4.2: ids 1..14, lengths 1..16. */
static inline bool rtp_ext_fits_one_byte(uint8_t id, size_t bytes)
{
    return id >= 1 && id <= 14 && bytes >= 1 && bytes <= 16;
}

/* "Defined by profile" of either form. */
static inline uint16_t rtp_ext_profile(bool two_byte)
{
    return two_byte ? 0x1000 : 0xbede;
}

/* Writes an extension block, element by element, into `data` at `at` (where the 4-byte head goes).
 *     rtp_ext_writer_init(); rtp_ext_write()...; end = rtp_ext_writer_end()
 * `bytes_max` is the size of `data`: nothing is written at it or behind. The form is chosen by the
 * caller. */
struct rtp_ext_writer {
    uint8_t *data;
    size_t head_at, at, bytes_max;
    bool two_byte;
};

void rtp_ext_writer_init(struct rtp_ext_writer *writer, uint8_t *data, size_t at, size_t bytes_max,
                         bool two_byte);

/* Offset of the element's value inside data (so that the caller can patch it later), or 0 when it
 * has no room or does not fit the form. `value` NULL writes zeros. */
size_t rtp_ext_write(struct rtp_ext_writer *writer, uint8_t id, const uint8_t *value, size_t bytes);

/* Pads to 32 bits and writes the head. Returns where the payload goes: `head_at` itself when
 * nothing was written (then there is no block and the X bit stays 0). */
size_t rtp_ext_writer_end(struct rtp_ext_writer *writer);

#endif
