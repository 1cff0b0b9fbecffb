/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/twccread.c - transport-wide feedback read. */
#include "rtcp/twcc.h"

enum { HEAD_BYTES = RTCP_FB_HEAD_BYTES + 8, CHUNK_BYTES = 2, RESERVED = 3 };

/* How many symbols a chunk holds; a run of none is malformed. */
static uint16_t chunk_symbols(uint16_t chunk)
{
    if (!(chunk & 0x8000))
        return chunk & 0x1fff;
    return chunk & 0x4000 ? 7 : 14;
}

/* Symbol `index` of a chunk: also the number of bytes of its delta, 3 is reserved. */
static unsigned chunk_symbol(uint16_t chunk, uint16_t index)
{
    if (!(chunk & 0x8000))
        return chunk >> 13;
    if (chunk & 0x4000)
        return chunk >> (2 * (6 - index)) & 3;
    return chunk >> (13 - index) & 1;
}

/* Delta bytes of the first `n` symbols of a chunk, or -1 if one is reserved. */
static int64_t chunk_delta_bytes(uint16_t chunk, uint16_t n)
{
    if (!(chunk & 0x8000))
        return chunk >> 13 == RESERVED ? -1 : (int64_t)(chunk >> 13) * n;
    int64_t bytes = 0;
    for (uint16_t i = 0; i < n; i++) {
        unsigned symbol = chunk_symbol(chunk, i);
        if (symbol == RESERVED)
            return -1;
        bytes += symbol;
    }
    return bytes;
}

/* Walks the chunks and finds where the deltas begin. */
static bool check_chunks(struct twcc_reader *reader)
{
    size_t at = reader->chunk_at;
    size_t delta_bytes = 0;
    for (uint16_t left = reader->left, n = 0; left != 0; left = (uint16_t)(left - n)) {
        if (reader->end - at < CHUNK_BYTES)
            return false;
        uint16_t chunk = be16(reader->data + at);
        n = chunk_symbols(chunk);
        n = n < left ? n : left; /* the last chunk may say more than there is */
        int64_t bytes = chunk_delta_bytes(chunk, n);
        if (n == 0 || bytes < 0)
            return false;
        delta_bytes += (size_t)bytes;
        at += CHUNK_BYTES;
    }
    reader->delta_at = at;
    return delta_bytes <= reader->end - at;
}

bool twcc_reader_init(struct twcc_reader *reader, const uint8_t *data,
                      const struct rtcp_packet *packet)
{
    *reader = (struct twcc_reader){.data = data};
    if (packet->type != RTCP_RTPFB || packet->count != RTCP_FB_TWCC || packet->bytes < HEAD_BYTES)
        return false;

    const uint8_t *head = data + packet->at;
    uint32_t reference = be24(head + 16);
    reader->number = be16(head + 12);
    reader->left = be16(head + 14);
    reader->feedback_n = head[19];
    /* "Signed integer indicating an absolute reference time", 24 bits. */
    reader->time_us =
        ((int64_t)reference - (reference & 0x800000 ? 0x1000000 : 0)) * TWCC_REFERENCE_US;
    reader->chunk_at = (size_t)packet->at + HEAD_BYTES;
    reader->end = (size_t)packet->at + packet->bytes;
    if (reader->left != 0 && check_chunks(reader))
        return true;
    reader->left = 0;
    return false;
}

bool twcc_reader_next(struct twcc_reader *reader, struct twcc_item *item)
{
    if (reader->left == 0)
        return false;
    if (reader->chunk_left == 0) {
        reader->chunk = be16(reader->data + reader->chunk_at);
        reader->chunk_left = chunk_symbols(reader->chunk);
        reader->chunk_at += CHUNK_BYTES;
    }
    uint16_t index = (uint16_t)(chunk_symbols(reader->chunk) - reader->chunk_left);
    unsigned delta_bytes = chunk_symbol(reader->chunk, index);
    const uint8_t *delta = reader->data + reader->delta_at;
    if (delta_bytes == 1)
        reader->time_us += (int64_t)delta[0] * TWCC_TICK_US;
    if (delta_bytes == 2)
        reader->time_us += (int64_t)(int16_t)be16(delta) * TWCC_TICK_US;

    *item = (struct twcc_item){
        .number = reader->number,
        .received = delta_bytes != 0,
        .arrived_us = delta_bytes ? reader->time_us : 0,
    };
    reader->delta_at += delta_bytes;
    ASSERT(reader->delta_at <= reader->end); /* twcc_reader_init() has walked the same bytes */
    reader->number++;
    reader->left--;
    reader->chunk_left--;
    return true;
}
