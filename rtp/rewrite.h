/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/rewrite.h - a producer's packet written out as a consumer's: copy with its own ssrc, numbers,
 * payload type, extensions.
 *
 * The source stays as it is (plaintext slots are immutable); the copy goes into an egress buffer
 * and is encrypted there. The same inputs give the same bytes: a plain resend is identical to the
 * first sending, as long as `send_time` is not used. Threads: values, no state, no allocation. */
#ifndef RTP_REWRITE_H
#define RTP_REWRITE_H

#include "rtp/ext.h"
#include "rtp/packet.h"

enum { REWRITE_PT_MAX = 8, REWRITE_PT_NONE = 0xff };

/* Compiled by the control thread, constant while the consumer lives. */
struct rewrite {
    uint32_t ssrc;
    uint32_t rtx_ssrc;          /* 0 = no RTX */
    struct rtp_ext_ids ext_in;  /* ids in the producer's packets */
    struct rtp_ext_ids ext_out; /* ids towards the receiver; 0 = left out */
    bool ext_two_byte;
    uint8_t mid_bytes;
    uint8_t pt_n;
    char mid[RTP_MID_BYTES_MAX];

    struct {
        uint8_t in;    /* as the producer sends it */
        uint8_t out;   /* as the receiver expects it */
        uint8_t rtx;   /* RTX payload type for it, REWRITE_PT_NONE without */
        uint8_t codec; /* enum rtp_codec */
        uint32_t clock_rate;
    } pt[REWRITE_PT_MAX];
};

/* Index into pt[] for a payload type in, or -1: the consumer does not take it. */
int rewrite_pt_find(const struct rewrite *rewrite, uint8_t payload_type);

struct rewrite_numbers {
    uint16_t seq;
    uint32_t rtp_ts;
    int pt; /* index into rewrite->pt */
};

struct rewrite_out {
    size_t bytes;
    uint16_t twcc_at;          /* offset of the 2-byte value to be filled in wire order; 0 = none */
    uint16_t abs_send_time_at; /* offset of the 3-byte value; 0 = none */
};

/* Most bytes that rewriting can add to a packet, RTX included. */
enum { REWRITE_GROWTH_MAX = 4 + (2 + RTP_MID_BYTES_MAX) + (2 + 2) + (2 + 3) + RTP_EXT_N + 3 + 2 };

/* How many bytes rewrite_packet() would write, without writing (the planner's "decide and size").
 * RTX: two more. */
size_t rewrite_size(const struct rewrite *rewrite, const struct rtp_packet *packet,
                    const struct rtp_exts *exts);

/* Writes the consumer's packet into `out` (room for bytes + REWRITE_GROWTH_MAX). CSRCs are kept,
 * padding is removed. Where an element does not fit the one-byte form (id above 14, empty, longer
 * than 16 bytes) the block is written in the two-byte form, whatever `ext_two_byte` says. MID is
 * written when negotiated, RID never; audio level, orientation, playout delay, ... go as they came,
 * with the receiver's ids; abs-send-time and transport-wide numbers are reserved (zero) when
 * negotiated, for the caller to fill. The payload goes as it came, but for RED: its blocks name
 * payload types, which become the receiver's. */
void rewrite_packet(const struct rewrite *rewrite, const uint8_t *data,
                    const struct rtp_packet *packet, const struct rtp_exts *exts,
                    const struct rewrite_numbers *numbers, uint8_t *out,
                    struct rewrite_out *result);

/* The same as an RTX packet (RFC 4588 4): rtx ssrc and payload type, `rtx_seq`, and the original
 * number (numbers->seq) before the payload. Only where rtx_ssrc is set and pt[].rtx is not
 * REWRITE_PT_NONE. */
void rewrite_packet_rtx(const struct rewrite *rewrite, const uint8_t *data,
                        const struct rtp_packet *packet, const struct rtp_exts *exts,
                        const struct rewrite_numbers *numbers, uint16_t rtx_seq, uint8_t *out,
                        struct rewrite_out *result);

/* Undoes RTX on the way in: turns the packet in `data` into the media packet it carries, in place
 * (same slot, header moved up by the two bytes). `payload_type` and `ssrc` are the media stream's.
 * Updates `packet` and `*bytes`; `*data` moves forward by 2. Offsets (of elements found before,
 * too) stay true for the new `*data`. DROP_RTX_EMPTY when it carries no original number. */
enum drop rewrite_unrtx(uint8_t **data, size_t *bytes, struct rtp_packet *packet, uint32_t ssrc,
                        uint8_t payload_type);

#endif
