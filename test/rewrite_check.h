/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rewrite_check.h - what holds for every packet that rtp/rewrite takes: asserted by its suite
 * and its fuzz target. */
#ifndef SLUICE_TEST_REWRITE_CHECK_H
#define SLUICE_TEST_REWRITE_CHECK_H

#include "rtp/rewrite.h"

enum { REWRITE_CHECK_BYTES = 4096, REWRITE_CHECK_STAMP = 0xa5 };

/* Every element that should be there is, with its value, under the receiver's id; no other is. */
static inline void rewrite_check_exts(const struct rewrite *rewrite, const uint8_t *data,
                                      const struct rtp_exts *exts, const uint8_t *out,
                                      const struct rtp_packet *packet,
                                      const struct rewrite_out *result)
{
    struct rtp_exts got;
    rtp_exts_find(&got, out, packet, &rewrite->ext_out);
    for (unsigned k = 0; k < RTP_EXT_N; k++) {
        enum rtp_ext_kind kind = (enum rtp_ext_kind)k;
        bool wanted = rtp_exts_has(exts, kind);
        if (kind == RTP_EXT_MID)
            wanted = rewrite->mid_bytes > 0;
        else if (kind == RTP_EXT_ABS_SEND_TIME || kind == RTP_EXT_TWCC)
            wanted = true;
        else if (kind == RTP_EXT_RID || kind == RTP_EXT_RRID)
            wanted = false;
        wanted = wanted && rewrite->ext_out.id[k] != 0;
        ASSERT(rtp_exts_has(&got, kind) == wanted);
        if (!wanted)
            continue;

        const uint8_t *value = out + got.at[k];
        if (kind == RTP_EXT_MID) {
            ASSERT(got.bytes[k] == rewrite->mid_bytes);
            ASSERT(memcmp(value, rewrite->mid, rewrite->mid_bytes) == 0);
        } else if (kind == RTP_EXT_ABS_SEND_TIME) {
            ASSERT(got.bytes[k] == 3);
            ASSERT(be24(value) == 0);
            ASSERT(result->abs_send_time_at == got.at[k]);
        } else if (kind == RTP_EXT_TWCC) {
            ASSERT(got.bytes[k] == 2);
            ASSERT(be16(value) == 0);
            ASSERT(result->twcc_at == got.at[k]);
        } else {
            ASSERT(got.bytes[k] == exts->bytes[k]);
            ASSERT(memcmp(value, data + exts->at[k], got.bytes[k]) == 0);
        }
    }
    ASSERT((result->twcc_at != 0) == rtp_exts_has(&got, RTP_EXT_TWCC));
    ASSERT((result->abs_send_time_at != 0) == rtp_exts_has(&got, RTP_EXT_ABS_SEND_TIME));
}

/* The consumer's packet, whose payload begins with `osn_bytes` of RTX. */
static inline void rewrite_check_packet(const struct rewrite *rewrite, const uint8_t *data,
                                        const struct rtp_packet *in, const struct rtp_exts *exts,
                                        const uint8_t *out, const struct rewrite_out *result,
                                        size_t osn_bytes)
{
    struct rtp_packet packet;
    ASSERT(rtp_packet_parse(&packet, out, result->bytes) == DROP_NONE);
    ASSERT(packet.marker == in->marker);
    ASSERT(packet.pad_bytes == 0);
    ASSERT(packet.csrc_n == in->csrc_n);
    ASSERT(memcmp(out + RTP_FIXED_BYTES, data + RTP_FIXED_BYTES, 4 * (size_t)in->csrc_n) == 0);
    ASSERT(packet.payload_bytes == in->payload_bytes + osn_bytes);
    ASSERT(memcmp(out + packet.payload_at + osn_bytes, data + in->payload_at, in->payload_bytes) ==
           0);
    rewrite_check_exts(rewrite, data, exts, out, &packet, result);
}

/* As media and as RTX, there and back. `rewrite` has at least one payload type, with RTX; ids out
 * differ from one another. */
static inline void rewrite_check(const struct rewrite *rewrite, const uint8_t *data, size_t bytes)
{
    static uint8_t out[REWRITE_CHECK_BYTES], again[REWRITE_CHECK_BYTES];
    struct rtp_packet packet;
    if (bytes + REWRITE_GROWTH_MAX >= sizeof(out) ||
        rtp_packet_parse(&packet, data, bytes) != DROP_NONE)
        return;
    struct rtp_exts exts;
    rtp_exts_find(&exts, data, &packet, &rewrite->ext_in);
    struct rewrite_numbers numbers = {.seq = 0x1357, .rtp_ts = 0x2468ace0, .pt = 0};

    struct rewrite_out result, result_rtx;
    memset(out, REWRITE_CHECK_STAMP, sizeof(out));
    rewrite_packet(rewrite, data, &packet, &exts, &numbers, out, &result);
    ASSERT(result.bytes == rewrite_size(rewrite, &packet, &exts));
    ASSERT(result.bytes + 2 <= bytes + REWRITE_GROWTH_MAX);
    for (size_t i = result.bytes; i < result.bytes + 64 && i < sizeof(out); i++)
        ASSERT(out[i] == REWRITE_CHECK_STAMP);
    rewrite_check_packet(rewrite, data, &packet, &exts, out, &result, 0);
    ASSERT(out[1] == (uint8_t)(packet.marker << 7 | rewrite->pt[0].out));
    ASSERT(be16(out + 2) == 0x1357);
    ASSERT(be32(out + 4) == 0x2468ace0);
    ASSERT(be32(out + 8) == rewrite->ssrc);

    memset(again, REWRITE_CHECK_STAMP, sizeof(again));
    rewrite_packet_rtx(rewrite, data, &packet, &exts, &numbers, 0x9bdf, again, &result_rtx);
    ASSERT(result_rtx.bytes == result.bytes + 2);
    ASSERT(again[result_rtx.bytes] == REWRITE_CHECK_STAMP);
    rewrite_check_packet(rewrite, data, &packet, &exts, again, &result_rtx, 2);
    ASSERT(be16(again + 2) == 0x9bdf);
    ASSERT(be32(again + 8) == rewrite->rtx_ssrc);

    /* What the receiver makes of the RTX packet is the packet itself, byte by byte. */
    struct rtp_packet rtx, direct;
    ASSERT(rtp_packet_parse(&rtx, again, result_rtx.bytes) == DROP_NONE);
    uint8_t *at = again;
    size_t at_bytes = result_rtx.bytes;
    ASSERT(rewrite_unrtx(&at, &at_bytes, &rtx, rewrite->ssrc, rewrite->pt[0].out) == DROP_NONE);
    ASSERT(at == again + 2);
    ASSERT(at_bytes == result.bytes);
    ASSERT(memcmp(at, out, result.bytes) == 0);
    ASSERT(rtp_packet_parse(&direct, at, at_bytes) == DROP_NONE);
    ASSERT(memcmp(&direct, &rtx, sizeof(rtx)) == 0);
}

#endif
