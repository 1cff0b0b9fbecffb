/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/packet.h - RTCP compounds read and written. RFC 3550 6, 3611 (XR), 4585 (feedback), 5104
 * (FIR), 5506 (reduced size), draft-alvestrand-rmcat-remb (REMB).
 *
 * A reader walks the packets of a compound that has been checked as a whole; each kind is then read
 * at its offset into a value, bounded by that packet's own length. A writer appends packets to a
 * buffer and refuses what does not fit. Reports, SDES and BYE are in packet.c, feedback in
 * feedback.c, extended reports in xr.c. Threads: values, no state, no allocation.
 *
 *   every packet   |V=2|P| count |     type      |   length in words - 1  |
 *   SR             | sender ssrc | NTP 8 | RTP time | packets | octets | report blocks 24 each
 *   RR             | sender ssrc | report blocks
 *   feedback       | sender ssrc | media ssrc | what is asked for
 */
#ifndef RTCP_PACKET_H
#define RTCP_PACKET_H

#include "core/base.h"
#include "core/drop.h"

enum rtcp_type {
    RTCP_SR = 200,
    RTCP_RR = 201,
    RTCP_SDES = 202,
    RTCP_BYE = 203,
    RTCP_APP = 204,
    RTCP_RTPFB = 205,
    RTCP_PSFB = 206,
    RTCP_XR = 207,
};

enum { /* feedback message types */
       RTCP_FB_NACK = 1,
       RTCP_FB_TWCC = 15,
       RTCP_FB_PLI = 1,
       RTCP_FB_FIR = 4,
       RTCP_FB_AFB = 15,
};

enum { RTCP_XR_RRTR = 4, RTCP_XR_DLRR = 5 };

enum {
    RTCP_BYTES_MAX = 1500 - 40 - 8,
    RTCP_BLOCKS_MAX = 31, /* what the 5-bit count can say */
    RTCP_CNAME_BYTES_MAX = 255,
    RTCP_NACK_SEQS_MAX = 17, /* one item: a number and the 16 behind it */
};

enum { /* sizes on the wire */
       RTCP_HEAD_BYTES = 4,
       RTCP_BLOCK_BYTES = 24,
       RTCP_SENDER_BYTES = 20, /* of SR, behind the sender's ssrc */
       RTCP_FB_HEAD_BYTES = 12,
};

struct rtcp_packet { /* one packet of a compound */
    uint8_t type;
    uint8_t count;  /* report count, or feedback message type */
    uint16_t at;    /* of its first byte in the compound */
    uint16_t bytes; /* with its 4-byte head, without padding */
};

struct rtcp_reader {
    const uint8_t *data;
    size_t bytes, at;
};

/* Checks the whole compound: versions, lengths, padding only on the last packet, nothing left over.
 * Reduced-size is allowed, so any type may come first. DROP_NONE or DROP_RTCP_INVALID. */
enum drop rtcp_reader_init(struct rtcp_reader *reader, const uint8_t *data, size_t bytes);

/* The next packet; types that nobody knows are handed out like the others. */
bool rtcp_reader_next(struct rtcp_reader *reader, struct rtcp_packet *packet);

struct rtcp_report_block {
    uint32_t ssrc;
    uint8_t fraction_lost;
    int32_t lost_total; /* 24-bit signed; clamped when written */
    uint32_t seq_max;
    uint32_t jitter;
    uint32_t last_sr;
    uint32_t delay; /* since last SR, 1/65536 s */
};

struct rtcp_sender_info {
    uint64_t ntp;
    uint32_t rtp_ts;
    uint32_t packets;
    uint32_t octets;
};

/* Readers. `data` is the compound. Each returns false when the packet is of another kind or too
 * short for what is asked. Lists are read by `index` or by a cursor until false. */

/* First word: the sender's ssrc. */
bool rtcp_read_ssrc(const uint8_t *data, const struct rtcp_packet *packet, uint32_t *ssrc);
bool rtcp_read_sender_info(const uint8_t *data, const struct rtcp_packet *packet,
                           struct rtcp_sender_info *info);
/* Of an SR or RR; false beyond its count. */
bool rtcp_read_report_block(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                            struct rtcp_report_block *block);
bool rtcp_read_bye_ssrc(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                        uint32_t *ssrc);
/* CNAME of SDES chunk `index`: pointer into data and length. A chunk without one is read as NULL
 * and 0. False beyond the last chunk and at a malformed one. */
bool rtcp_read_cname(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                     uint32_t *ssrc, const uint8_t **cname, size_t *cname_bytes);
/* Second word of feedback. */
bool rtcp_read_media_ssrc(const uint8_t *data, const struct rtcp_packet *packet, uint32_t *ssrc);

/* NACK items: each PID + BLP opened into numbers. `at` is the cursor (0 to begin); returns how many
 * were written, 0 at the end. */
size_t rtcp_read_nack(const uint8_t *data, const struct rtcp_packet *packet, size_t *at,
                      uint16_t seqs[RTCP_NACK_SEQS_MAX]);
bool rtcp_read_fir(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                   uint32_t *ssrc, uint8_t *seq);
/* REMB: bitrate in bits per second (saturating), up to `ssrcs_max` ssrcs. False if it is another
 * AFB, or lists more ssrcs than it holds. */
bool rtcp_read_remb(const uint8_t *data, const struct rtcp_packet *packet, uint64_t *bps,
                    uint32_t *ssrcs, size_t ssrcs_max, size_t *ssrcs_n);

struct rtcp_xr_block {
    uint8_t type;       /* RTCP_XR_*, others are passed over by the caller */
    uint16_t at, bytes; /* content behind the block's head, in the compound */
};

/* `at` is a cursor, 0 to begin. */
bool rtcp_read_xr_block(const uint8_t *data, const struct rtcp_packet *packet, size_t *at,
                        struct rtcp_xr_block *block);
bool rtcp_read_rrtr(const uint8_t *data, const struct rtcp_xr_block *block, uint64_t *ntp);

struct rtcp_dlrr {
    uint32_t ssrc, last_rr, delay;
};

bool rtcp_read_dlrr(const uint8_t *data, const struct rtcp_xr_block *block, unsigned index,
                    struct rtcp_dlrr *dlrr);

/* Writers: each appends one packet; false, and nothing changed, when it does not fit. A list of
 * nothing to say (BYE, DLRR) appends nothing and returns true. `data` and `at` as the owner sets
 * them, `at` a multiple of 4. */
struct rtcp_writer {
    uint8_t *data;
    size_t at, bytes_max;
};

/* Takes `bytes` (a multiple of 4) for one packet and writes its head. NULL when it does not fit. */
uint8_t *rtcp_writer_take(struct rtcp_writer *writer, uint8_t type, uint8_t count, size_t bytes);

/* blocks_n <= RTCP_BLOCKS_MAX. */
bool rtcp_write_sr(struct rtcp_writer *writer, uint32_t ssrc, const struct rtcp_sender_info *info,
                   const struct rtcp_report_block *blocks, size_t blocks_n);
bool rtcp_write_rr(struct rtcp_writer *writer, uint32_t ssrc,
                   const struct rtcp_report_block *blocks, size_t blocks_n);
/* A name longer than RTCP_CNAME_BYTES_MAX does not fit either. */
bool rtcp_write_sdes_cname(struct rtcp_writer *writer, uint32_t ssrc, const char *cname);
/* ssrcs_n <= RTCP_BLOCKS_MAX. */
bool rtcp_write_bye(struct rtcp_writer *writer, const uint32_t *ssrcs, size_t ssrcs_n);
bool rtcp_write_xr_rrtr(struct rtcp_writer *writer, uint32_t ssrc, uint64_t ntp);
bool rtcp_write_xr_dlrr(struct rtcp_writer *writer, uint32_t ssrc, const struct rtcp_dlrr *dlrrs,
                        size_t dlrrs_n);
/* Packs ascending-by-wrap numbers into PID + BLP items. Returns how many of them fitted; 0 leaves
 * the writer as it was. */
size_t rtcp_write_nack(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc,
                       const uint16_t *seqs, size_t seqs_n);
bool rtcp_write_pli(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc);
bool rtcp_write_fir(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc,
                    uint8_t seq);
/* ssrcs_n <= 255. The bitrate is rounded down to 18 significant bits. */
bool rtcp_write_remb(struct rtcp_writer *writer, uint32_t sender_ssrc, uint64_t bps,
                     const uint32_t *ssrcs, size_t ssrcs_n);

#endif
