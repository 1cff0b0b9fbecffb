/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/packet.c - the walk over a compound; sender and receiver reports, SDES, BYE. RFC 3550 6. */
#include "rtcp/packet.h"

enum { SDES_END = 0, SDES_CNAME = 1 };

/* Length of the packet at `at`, or 0 if it is malformed or reaches past the end. */
static size_t packet_bytes(const uint8_t *data, size_t bytes, size_t at)
{
    if (bytes - at < RTCP_HEAD_BYTES || data[at] >> 6 != 2)
        return 0;
    size_t length = 4 * ((size_t)be16(data + at + 2) + 1);
    return length <= bytes - at ? length : 0;
}

/* Padding of the packet at `at`; the count includes itself. RFC 3550 6.4.1 makes it a multiple of
 * four; browsers fill transport-wide feedback up by one to three bytes, and are understood. */
static size_t padding_bytes(const uint8_t *data, size_t at, size_t length)
{
    return data[at] & 0x20 ? data[at + length - 1] : 0;
}

static bool padding_valid(const uint8_t *data, size_t at, size_t length)
{
    if (!(data[at] & 0x20))
        return true;
    size_t padding = padding_bytes(data, at, length);
    return padding != 0 && padding <= length - RTCP_HEAD_BYTES;
}

enum drop rtcp_reader_init(struct rtcp_reader *reader, const uint8_t *data, size_t bytes)
{
    *reader = (struct rtcp_reader){.data = data, .bytes = 0, .at = 0};
    if (bytes == 0 || bytes > UINT16_MAX)
        return DROP_RTCP_INVALID;

    for (size_t at = 0, length = 0; at < bytes; at += length) {
        length = packet_bytes(data, bytes, at);
        if (length == 0 || !padding_valid(data, at, length))
            return DROP_RTCP_INVALID;
        /* "padding MUST only be added to the last individual packet", RFC 3550 6.4.1. */
        if ((data[at] & 0x20) && at + length != bytes)
            return DROP_RTCP_INVALID;
    }
    reader->bytes = bytes;
    return DROP_NONE;
}

bool rtcp_reader_next(struct rtcp_reader *reader, struct rtcp_packet *packet)
{
    if (reader->at == reader->bytes)
        return false;
    const uint8_t *data = reader->data;
    size_t at = reader->at;
    size_t length = packet_bytes(data, reader->bytes, at);
    ASSERT(length != 0); /* rtcp_reader_init() has walked the same bytes */

    *packet = (struct rtcp_packet){
        .type = data[at + 1],
        .count = data[at] & 0x1f,
        .at = (uint16_t)at,
        /* Whole words: the one to three bytes of a browser's padding stay behind what is read. */
        .bytes = (uint16_t)(length - padding_bytes(data, at, length) / 4 * 4),
    };
    reader->at += length;
    return true;
}

bool rtcp_read_ssrc(const uint8_t *data, const struct rtcp_packet *packet, uint32_t *ssrc)
{
    if (packet->bytes < RTCP_HEAD_BYTES + 4)
        return false;
    *ssrc = be32(data + packet->at + RTCP_HEAD_BYTES);
    return true;
}

bool rtcp_read_sender_info(const uint8_t *data, const struct rtcp_packet *packet,
                           struct rtcp_sender_info *info)
{
    if (packet->type != RTCP_SR || packet->bytes < RTCP_HEAD_BYTES + 4 + RTCP_SENDER_BYTES)
        return false;
    const uint8_t *at = data + packet->at + RTCP_HEAD_BYTES + 4;
    *info = (struct rtcp_sender_info){
        .ntp = be64(at),
        .rtp_ts = be32(at + 8),
        .packets = be32(at + 12),
        .octets = be32(at + 16),
    };
    return true;
}

bool rtcp_read_report_block(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                            struct rtcp_report_block *block)
{
    if ((packet->type != RTCP_SR && packet->type != RTCP_RR) || index >= packet->count)
        return false;
    size_t at = RTCP_HEAD_BYTES + 4 + (size_t)index * RTCP_BLOCK_BYTES;
    if (packet->type == RTCP_SR)
        at += RTCP_SENDER_BYTES;
    if (at + RTCP_BLOCK_BYTES > packet->bytes)
        return false;

    const uint8_t *from = data + packet->at + at;
    uint32_t lost = be24(from + 5);
    *block = (struct rtcp_report_block){
        .ssrc = be32(from),
        .fraction_lost = from[4],
        .lost_total = (int32_t)lost - (lost & 0x800000 ? 0x1000000 : 0),
        .seq_max = be32(from + 8),
        .jitter = be32(from + 12),
        .last_sr = be32(from + 16),
        .delay = be32(from + 20),
    };
    return true;
}

bool rtcp_read_bye_ssrc(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                        uint32_t *ssrc)
{
    if (packet->type != RTCP_BYE || index >= packet->count)
        return false;
    size_t at = RTCP_HEAD_BYTES + 4 * (size_t)index;
    if (at + 4 > packet->bytes)
        return false;
    *ssrc = be32(data + packet->at + at);
    return true;
}

/* Walks the items of the chunk whose items begin at `*at`, and leaves `*at` at the next chunk.
 * A last chunk that ends with the packet instead of a null item is let pass. */
static bool read_chunk(const uint8_t *data, size_t end, size_t *at, const uint8_t **cname,
                       size_t *cname_bytes)
{
    *cname = NULL;
    *cname_bytes = 0;
    while (*at < end && data[*at] != SDES_END) {
        if (end - *at < 2 || end - *at - 2 < data[*at + 1])
            return false;
        if (data[*at] == SDES_CNAME && !*cname) {
            *cname = data + *at + 2;
            *cname_bytes = data[*at + 1];
        }
        *at += 2 + (size_t)data[*at + 1];
    }
    if (*at < end)
        *at += 4 - *at % 4; /* one null at least, then up to the next word */
    return true;
}

bool rtcp_read_cname(const uint8_t *data, const struct rtcp_packet *packet, unsigned index,
                     uint32_t *ssrc, const uint8_t **cname, size_t *cname_bytes)
{
    if (packet->type != RTCP_SDES || index >= packet->count)
        return false;
    ASSERT(packet->at % 4 == 0); /* words are counted from the compound's begin */

    size_t end = (size_t)packet->at + packet->bytes;
    size_t at = (size_t)packet->at + RTCP_HEAD_BYTES;
    for (unsigned chunk = 0; chunk <= index; chunk++) {
        if (end - at < 4)
            return false;
        *ssrc = be32(data + at);
        at += 4;
        if (!read_chunk(data, end, &at, cname, cname_bytes))
            return false;
    }
    return true;
}

uint8_t *rtcp_writer_take(struct rtcp_writer *writer, uint8_t type, uint8_t count, size_t bytes)
{
    ASSERT(bytes % 4 == 0);
    ASSERT(bytes >= RTCP_HEAD_BYTES);
    ASSERT(writer->at % 4 == 0);
    ASSERT(writer->at <= writer->bytes_max);
    ASSERT(count <= RTCP_BLOCKS_MAX);
    if (bytes > writer->bytes_max - writer->at || bytes / 4 - 1 > UINT16_MAX)
        return NULL;

    uint8_t *to = writer->data + writer->at;
    to[0] = (uint8_t)(2 << 6 | count);
    to[1] = type;
    put_be16(to + 2, (uint16_t)(bytes / 4 - 1));
    writer->at += bytes;
    return to;
}

static void write_blocks(uint8_t *to, const struct rtcp_report_block *blocks, size_t blocks_n)
{
    for (size_t i = 0; i < blocks_n; i++, to += RTCP_BLOCK_BYTES) {
        const struct rtcp_report_block *block = &blocks[i];
        int64_t lost = clamp_i64(block->lost_total, -0x800000, 0x7fffff);
        put_be32(to, block->ssrc);
        to[4] = block->fraction_lost;
        put_be24(to + 5, (uint32_t)lost & 0xffffff);
        put_be32(to + 8, block->seq_max);
        put_be32(to + 12, block->jitter);
        put_be32(to + 16, block->last_sr);
        put_be32(to + 20, block->delay);
    }
}

bool rtcp_write_sr(struct rtcp_writer *writer, uint32_t ssrc, const struct rtcp_sender_info *info,
                   const struct rtcp_report_block *blocks, size_t blocks_n)
{
    ASSERT(blocks_n <= RTCP_BLOCKS_MAX);
    size_t head_bytes = RTCP_HEAD_BYTES + 4 + RTCP_SENDER_BYTES;
    uint8_t *to = rtcp_writer_take(writer, RTCP_SR, (uint8_t)blocks_n,
                                   head_bytes + blocks_n * RTCP_BLOCK_BYTES);
    if (!to)
        return false;
    put_be32(to + 4, ssrc);
    put_be64(to + 8, info->ntp);
    put_be32(to + 16, info->rtp_ts);
    put_be32(to + 20, info->packets);
    put_be32(to + 24, info->octets);
    write_blocks(to + head_bytes, blocks, blocks_n);
    return true;
}

bool rtcp_write_rr(struct rtcp_writer *writer, uint32_t ssrc,
                   const struct rtcp_report_block *blocks, size_t blocks_n)
{
    ASSERT(blocks_n <= RTCP_BLOCKS_MAX);
    uint8_t *to = rtcp_writer_take(writer, RTCP_RR, (uint8_t)blocks_n,
                                   RTCP_HEAD_BYTES + 4 + blocks_n * RTCP_BLOCK_BYTES);
    if (!to)
        return false;
    put_be32(to + 4, ssrc);
    write_blocks(to + 8, blocks, blocks_n);
    return true;
}

bool rtcp_write_sdes_cname(struct rtcp_writer *writer, uint32_t ssrc, const char *cname)
{
    size_t cname_bytes = strnlen(cname, RTCP_CNAME_BYTES_MAX + 1);
    if (cname_bytes > RTCP_CNAME_BYTES_MAX)
        return false;
    /* The chunk ends with at least one null and on a word. */
    size_t chunk_bytes = (4 + 2 + cname_bytes + 4) / 4 * 4;
    uint8_t *to = rtcp_writer_take(writer, RTCP_SDES, 1, RTCP_HEAD_BYTES + chunk_bytes);
    if (!to)
        return false;
    memset(to + RTCP_HEAD_BYTES, 0, chunk_bytes);
    put_be32(to + 4, ssrc);
    to[8] = SDES_CNAME;
    to[9] = (uint8_t)cname_bytes;
    memcpy(to + 10, cname, cname_bytes);
    return true;
}

bool rtcp_write_bye(struct rtcp_writer *writer, const uint32_t *ssrcs, size_t ssrcs_n)
{
    ASSERT(ssrcs_n <= RTCP_BLOCKS_MAX);
    if (ssrcs_n == 0)
        return true;
    uint8_t *to =
        rtcp_writer_take(writer, RTCP_BYE, (uint8_t)ssrcs_n, RTCP_HEAD_BYTES + 4 * ssrcs_n);
    if (!to)
        return false;
    for (size_t i = 0; i < ssrcs_n; i++)
        put_be32(to + RTCP_HEAD_BYTES + 4 * i, ssrcs[i]);
    return true;
}
