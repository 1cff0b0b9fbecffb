/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/packet.h - RTCP compounds read and written. RFC 3550 6, 3611 (XR), 4585 (feedback), 5104 (FIR), 5506 (reduced size),
 * draft-alvestrand-rmcat-remb (REMB).
 *
 * A reader walks the packets of a compound that has been checked as a whole; each kind is then read at its offset into a
 * value. A writer appends packets to a buffer and refuses what does not fit. Threads: values, no state, no allocation. */
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

enum { RTCP_BYTES_MAX = 1500 - 40 - 8, RTCP_BLOCKS_MAX = 31, RTCP_CNAME_BYTES_MAX = 255 };

struct rtcp_packet { /* one packet of a compound */
    uint8_t type;
    uint8_t count;   /* report count, or feedback message type */
    uint16_t at;     /* of its first byte in the compound */
    uint16_t bytes;  /* with its 4-byte head, without padding */
};

struct rtcp_reader {
    const uint8_t *data;
    size_t bytes, at;
};

/* Checks the whole compound (versions, lengths, padding only on the last; reduced-size is allowed: any first type). DROP_NONE or DROP_RTCP_INVALID. */
enum drop rtcp_reader_init(struct rtcp_reader *reader, const uint8_t *data, size_t bytes);
bool rtcp_reader_next(struct rtcp_reader *reader, struct rtcp_packet *packet);

struct rtcp_report_block {
    uint32_t ssrc;
    uint8_t fraction_lost;
    int32_t lost_total; /* 24-bit signed */
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

/* Readers: `data` is the compound. Each checks that the packet is long enough and returns false if it is not. */
bool rtcp_read_ssrc(const uint8_t *data, const struct rtcp_packet *packet, uint32_t *ssrc); /* first word: sender */
bool rtcp_read_sender_info(const uint8_t *data, const struct rtcp_packet *packet,
                           struct rtcp_sender_info *info);
bool rtcp_read_report_block(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                            struct rtcp_report_block *block); /* of an SR or RR; false beyond count */
bool rtcp_read_bye_ssrc(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                        uint32_t *ssrc);
/* CNAME of chunk `index`: pointer into data and length. */
bool rtcp_read_cname(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                     uint32_t *ssrc, const uint8_t **cname, size_t *cname_bytes);
bool rtcp_read_media_ssrc(const uint8_t *data, const struct rtcp_packet *packet, uint32_t *ssrc); /* feedback's second word */

/* NACK items: each PID + BLP opened into numbers. `at` is the cursor (0 to begin); returns how many were written (at most 17), 0 at the end. */
size_t rtcp_read_nack(const uint8_t *data, const struct rtcp_packet *packet, size_t *at,
                      uint16_t seqs[17]);
bool rtcp_read_fir(const uint8_t *data, const struct rtcp_packet *packet, unsigned index, uint32_t *ssrc,
                   uint8_t *seq);
/* REMB: bitrate in bits per second (saturating), up to `ssrcs_max` ssrcs. False if it is another AFB. */
bool rtcp_read_remb(const uint8_t *data, const struct rtcp_packet *packet, uint64_t *bps,
                    uint32_t *ssrcs, size_t ssrcs_max, size_t *ssrcs_n);

struct rtcp_xr_block {
    uint8_t type; /* 4 RRTR, 5 DLRR, others are passed over by the caller */
    uint16_t at, bytes; /* content behind the block's head */
};

bool rtcp_read_xr_block(const uint8_t *data, const struct rtcp_packet *packet, size_t *at,
                        struct rtcp_xr_block *block); /* cursor as above */
bool rtcp_read_rrtr(const uint8_t *data, const struct rtcp_xr_block *block, uint64_t *ntp);
struct rtcp_dlrr {
    uint32_t ssrc, last_rr, delay;
};
bool rtcp_read_dlrr(const uint8_t *data, const struct rtcp_xr_block *block, unsigned index,
                    struct rtcp_dlrr *dlrr);

/* ---- writing: each appends one packet; false (and nothing changed) when it does not fit ---- */
struct rtcp_writer {
    uint8_t *data;
    size_t at, bytes_max;
};

bool rtcp_write_sr(struct rtcp_writer *writer, uint32_t ssrc, const struct rtcp_sender_info *info,
                   const struct rtcp_report_block *blocks, size_t blocks_n); /* blocks_n <= 31 */
bool rtcp_write_rr(struct rtcp_writer *writer, uint32_t ssrc, const struct rtcp_report_block *blocks,
                   size_t blocks_n);
bool rtcp_write_sdes_cname(struct rtcp_writer *writer, uint32_t ssrc, const char *cname);
bool rtcp_write_bye(struct rtcp_writer *writer, const uint32_t *ssrcs, size_t ssrcs_n);
bool rtcp_write_xr_rrtr(struct rtcp_writer *writer, uint32_t ssrc, uint64_t ntp);
bool rtcp_write_xr_dlrr(struct rtcp_writer *writer, uint32_t ssrc, const struct rtcp_dlrr *dlrrs,
                        size_t dlrrs_n);
/* Packs ascending-by-wrap numbers into PID + BLP items. Returns how many of them fitted. */
size_t rtcp_write_nack(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc,
                       const uint16_t *seqs, size_t seqs_n);
bool rtcp_write_pli(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc);
bool rtcp_write_fir(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t seq);
bool rtcp_write_remb(struct rtcp_writer *writer, uint32_t sender_ssrc, uint64_t bps,
                     const uint32_t *ssrcs, size_t ssrcs_n);

#endif
