/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/feedback.c - NACK, PLI, FIR and REMB read and written. RFC 4585 6, RFC 5104 4.3.1, REMB
 * draft. */
#include "rtcp/packet.h"
#include "rtp/seq.h"

enum {
    NACK_ITEM_BYTES = 4,
    FIR_ITEM_BYTES = 8,
    REMB_HEAD_BYTES = RTCP_FB_HEAD_BYTES + 8, /* name, count, bitrate */
    REMB_MANTISSA_MAX = (1 << 18) - 1,
};

static const uint8_t remb_name[4] = {'R', 'E', 'M', 'B'};

static bool is_feedback(const struct rtcp_packet *packet, uint8_t type, uint8_t format)
{
    return packet->type == type && packet->count == format && packet->bytes >= RTCP_FB_HEAD_BYTES;
}

bool rtcp_read_media_ssrc(const uint8_t *data, const struct rtcp_packet *packet, uint32_t *ssrc)
{
    if (packet->type != RTCP_RTPFB && packet->type != RTCP_PSFB)
        return false;
    if (packet->bytes < RTCP_FB_HEAD_BYTES)
        return false;
    *ssrc = be32(data + packet->at + 8);
    return true;
}

size_t rtcp_read_nack(const uint8_t *data, const struct rtcp_packet *packet, size_t *at,
                      uint16_t seqs[RTCP_NACK_SEQS_MAX])
{
    if (!is_feedback(packet, RTCP_RTPFB, RTCP_FB_NACK))
        return 0;
    if (*at == 0)
        *at = RTCP_FB_HEAD_BYTES;
    if (*at > packet->bytes || packet->bytes - *at < NACK_ITEM_BYTES)
        return 0;

    const uint8_t *item = data + packet->at + *at;
    uint16_t first = be16(item);
    uint16_t mask = be16(item + 2);
    *at += NACK_ITEM_BYTES;

    size_t n = 0;
    seqs[n++] = first;
    for (unsigned bit = 0; bit < 16; bit++)
        if (mask >> bit & 1)
            seqs[n++] = (uint16_t)(first + 1 + bit);
    return n;
}

bool rtcp_read_fir(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                   uint32_t *ssrc, uint8_t *seq)
{
    if (!is_feedback(packet, RTCP_PSFB, RTCP_FB_FIR))
        return false;
    if (index >= (size_t)(packet->bytes - RTCP_FB_HEAD_BYTES) / FIR_ITEM_BYTES)
        return false;
    const uint8_t *item = data + packet->at + RTCP_FB_HEAD_BYTES + (size_t)index * FIR_ITEM_BYTES;
    *ssrc = be32(item);
    *seq = item[4];
    return true;
}

bool rtcp_read_remb(const uint8_t *data, const struct rtcp_packet *packet, uint64_t *bps,
                    uint32_t *ssrcs, size_t ssrcs_max, size_t *ssrcs_n)
{
    if (!is_feedback(packet, RTCP_PSFB, RTCP_FB_AFB) || packet->bytes < REMB_HEAD_BYTES)
        return false;
    const uint8_t *from = data + packet->at + RTCP_FB_HEAD_BYTES;
    if (memcmp(from, remb_name, sizeof(remb_name)) != 0)
        return false;
    size_t listed_n = from[4];
    if (listed_n > (size_t)(packet->bytes - REMB_HEAD_BYTES) / 4)
        return false;

    unsigned exponent = from[5] >> 2;
    uint64_t mantissa = be24(from + 5) & REMB_MANTISSA_MAX;
    bool fits = mantissa == 0 || mantissa <= UINT64_MAX >> exponent;
    *bps = fits ? mantissa << exponent : UINT64_MAX;

    *ssrcs_n = min_size(listed_n, ssrcs_max);
    for (size_t i = 0; i < *ssrcs_n; i++)
        ssrcs[i] = be32(from + 8 + 4 * i);
    return true;
}

/* How many of the numbers go into one item that begins with the first: those at most 16 behind it,
 * ascending. A number given twice is carried once. */
static size_t pack_item(const uint16_t *seqs, size_t seqs_n, uint16_t *mask)
{
    *mask = 0;
    size_t n = 1;
    for (int32_t last = 0; n < seqs_n; n++) {
        int32_t ahead = seq_diff(seqs[n], seqs[0]);
        if (ahead < last || ahead > 16)
            break;
        if (ahead > 0)
            *mask = (uint16_t)(*mask | 1u << (ahead - 1));
        last = ahead;
    }
    return n;
}

size_t rtcp_write_nack(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc,
                       const uint16_t *seqs, size_t seqs_n)
{
    size_t room = writer->bytes_max - writer->at;
    if (seqs_n == 0 || room < RTCP_FB_HEAD_BYTES + NACK_ITEM_BYTES)
        return 0;
    size_t items_max = min_size((room - RTCP_FB_HEAD_BYTES) / NACK_ITEM_BYTES, UINT16_MAX - 2);

    uint8_t *items = writer->data + writer->at + RTCP_FB_HEAD_BYTES;
    size_t items_n = 0;
    size_t n = 0;
    while (n < seqs_n && items_n < items_max) {
        uint16_t mask;
        put_be16(items + items_n * NACK_ITEM_BYTES, seqs[n]);
        n += pack_item(seqs + n, seqs_n - n, &mask);
        put_be16(items + items_n * NACK_ITEM_BYTES + 2, mask);
        items_n++;
    }

    uint8_t *to = rtcp_writer_take(writer, RTCP_RTPFB, RTCP_FB_NACK,
                                   RTCP_FB_HEAD_BYTES + items_n * NACK_ITEM_BYTES);
    ASSERT(to);
    put_be32(to + 4, sender_ssrc);
    put_be32(to + 8, media_ssrc);
    return n;
}

bool rtcp_write_pli(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc)
{
    uint8_t *to = rtcp_writer_take(writer, RTCP_PSFB, RTCP_FB_PLI, RTCP_FB_HEAD_BYTES);
    if (!to)
        return false;
    put_be32(to + 4, sender_ssrc);
    put_be32(to + 8, media_ssrc);
    return true;
}

bool rtcp_write_fir(struct rtcp_writer *writer, uint32_t sender_ssrc, uint32_t media_ssrc,
                    uint8_t seq)
{
    uint8_t *to =
        rtcp_writer_take(writer, RTCP_PSFB, RTCP_FB_FIR, RTCP_FB_HEAD_BYTES + FIR_ITEM_BYTES);
    if (!to)
        return false;
    put_be32(to + 4, sender_ssrc);
    put_be32(to + 8, 0); /* "is not used and SHALL be set to 0", RFC 5104 4.3.1.2 */
    put_be32(to + 12, media_ssrc);
    put_be32(to + 16, (uint32_t)seq << 24);
    return true;
}

bool rtcp_write_remb(struct rtcp_writer *writer, uint32_t sender_ssrc, uint64_t bps,
                     const uint32_t *ssrcs, size_t ssrcs_n)
{
    ASSERT(ssrcs_n <= UINT8_MAX);
    uint8_t *to = rtcp_writer_take(writer, RTCP_PSFB, RTCP_FB_AFB, REMB_HEAD_BYTES + 4 * ssrcs_n);
    if (!to)
        return false;

    unsigned exponent = 0;
    while (bps >> exponent > REMB_MANTISSA_MAX)
        exponent++;
    put_be32(to + 4, sender_ssrc);
    put_be32(to + 8, 0); /* media source: always 0 */
    memcpy(to + 12, remb_name, sizeof(remb_name));
    to[16] = (uint8_t)ssrcs_n;
    put_be24(to + 17, exponent << 18 | (uint32_t)(bps >> exponent));
    for (size_t i = 0; i < ssrcs_n; i++)
        put_be32(to + REMB_HEAD_BYTES + 4 * i, ssrcs[i]);
    return true;
}
