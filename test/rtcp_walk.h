/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_walk.h - every reader over every packet of a compound, whatever its type says.
 *
 * Used with bytes that end at a guard page and by the fuzz target. Counts what was read. */
#ifndef SLUICE_TEST_RTCP_WALK_H
#define SLUICE_TEST_RTCP_WALK_H

#include "rtcp/packet.h"

struct rtcp_walk {
    unsigned packets_n, blocks_n, byes_n, chunks_n, nacks_n, firs_n, rembs_n, xr_blocks_n, dlrrs_n;
    uint32_t sum; /* of all that was read, so that nothing is optimised away */
};

static inline void rtcp_walk_feedback(const uint8_t *data, const struct rtcp_packet *packet,
                                      struct rtcp_walk *walk)
{
    uint32_t ssrc;
    uint8_t seq;
    uint16_t seqs[RTCP_NACK_SEQS_MAX];
    if (rtcp_read_media_ssrc(data, packet, &ssrc))
        walk->sum += ssrc;
    size_t at = 0;
    for (size_t n; (n = rtcp_read_nack(data, packet, &at, seqs)) != 0;) {
        ASSERT(n <= RTCP_NACK_SEQS_MAX);
        walk->nacks_n += (unsigned)n;
    }
    for (unsigned i = 0; rtcp_read_fir(data, packet, i, &ssrc, &seq); i++) {
        walk->firs_n++;
        walk->sum += ssrc + seq;
    }
    uint64_t bps;
    uint32_t ssrcs[4];
    size_t ssrcs_n;
    if (rtcp_read_remb(data, packet, &bps, ssrcs, ARRAY_N(ssrcs), &ssrcs_n)) {
        ASSERT(ssrcs_n <= ARRAY_N(ssrcs));
        walk->rembs_n++;
        for (size_t i = 0; i < ssrcs_n; i++)
            walk->sum += ssrcs[i];
    }
}

static inline void rtcp_walk_xr(const uint8_t *data, const struct rtcp_packet *packet,
                                struct rtcp_walk *walk)
{
    struct rtcp_xr_block block;
    size_t at = 0;
    while (rtcp_read_xr_block(data, packet, &at, &block)) {
        ASSERT(block.at >= packet->at);
        ASSERT((size_t)block.at + block.bytes <= (size_t)packet->at + packet->bytes);
        walk->xr_blocks_n++;
        uint64_t ntp;
        if (rtcp_read_rrtr(data, &block, &ntp))
            walk->sum += (uint32_t)ntp;
        struct rtcp_dlrr dlrr;
        for (unsigned i = 0; rtcp_read_dlrr(data, &block, i, &dlrr); i++) {
            walk->dlrrs_n++;
            walk->sum += dlrr.ssrc + dlrr.last_rr + dlrr.delay;
        }
    }
}

static inline void rtcp_walk_reports(const uint8_t *data, const struct rtcp_packet *packet,
                                     struct rtcp_walk *walk)
{
    uint32_t ssrc;
    struct rtcp_sender_info info;
    struct rtcp_report_block block;
    if (rtcp_read_ssrc(data, packet, &ssrc))
        walk->sum += ssrc;
    if (rtcp_read_sender_info(data, packet, &info))
        walk->sum += info.rtp_ts;
    for (unsigned i = 0; rtcp_read_report_block(data, packet, i, &block); i++) {
        walk->blocks_n++;
        walk->sum += block.seq_max + (uint32_t)block.lost_total;
    }
    for (unsigned i = 0; rtcp_read_bye_ssrc(data, packet, i, &ssrc); i++)
        walk->byes_n++;

    const uint8_t *cname;
    size_t cname_bytes;
    for (unsigned i = 0; rtcp_read_cname(data, packet, i, &ssrc, &cname, &cname_bytes); i++) {
        walk->chunks_n++;
        for (size_t b = 0; b < cname_bytes; b++)
            walk->sum += cname[b];
    }
}

/* What rtcp_reader_init() says; the walk is empty unless DROP_NONE. */
static inline enum drop rtcp_walk(const uint8_t *data, size_t bytes, struct rtcp_walk *walk)
{
    *walk = (struct rtcp_walk){0};
    struct rtcp_reader reader;
    enum drop why = rtcp_reader_init(&reader, data, bytes);
    struct rtcp_packet packet;
    while (rtcp_reader_next(&reader, &packet)) {
        ASSERT(packet.bytes >= RTCP_HEAD_BYTES);
        ASSERT((size_t)packet.at + packet.bytes <= bytes);
        walk->packets_n++;
        rtcp_walk_reports(data, &packet, walk);
        rtcp_walk_feedback(data, &packet, walk);
        rtcp_walk_xr(data, &packet, walk);
    }
    return why;
}

#endif
