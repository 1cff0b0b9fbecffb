/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/ext.c - header extensions by meaning: find them in a packet, write them into another. RFC
 * 8285. */
#include "rtp/ext.h"

enum { ID_STOP = 15, APPBITS = 0x000f };

static const char *const uris[RTP_EXT_N] = {
#define EXT_URI(name, uri) [RTP_EXT_##name] = (uri),
    RTP_EXT_LIST(EXT_URI)
#undef EXT_URI
};

const char *rtp_ext_uri(enum rtp_ext_kind kind)
{
    ASSERT(kind < RTP_EXT_N);
    return uris[kind];
}

int rtp_ext_kind_of_uri(const char *uri)
{
    for (int kind = 0; kind < RTP_EXT_N; kind++)
        if (strcmp(uri, uris[kind]) == 0)
            return kind;
    return -1;
}

static void keep(struct rtp_exts *out, const struct rtp_ext_ids *ids, uint8_t id, size_t at,
                 size_t bytes)
{
    for (unsigned kind = 0; kind < RTP_EXT_N; kind++) {
        if (ids->id[kind] != id)
            continue;
        if (out->present >> kind & 1)
            return; /* the first of a kind counts */
        out->present = (uint16_t)(out->present | 1u << kind);
        out->at[kind] = (uint16_t)at;
        out->bytes[kind] = (uint8_t)bytes;
        return;
    }
}

/* RFC 8285 4.2. */
static void find_one_byte(struct rtp_exts *out, const uint8_t *data, size_t at, size_t end,
                          const struct rtp_ext_ids *ids)
{
    while (at < end) {
        uint8_t head = data[at++];
        if (head == 0) /* padding */
            continue;
        uint8_t id = head >> 4;
        size_t bytes = (size_t)(head & 0x0f) + 1;
        /* "an ID value equal to 0 but a length field not equal to 0 ... processing of the entire
         * extension MUST terminate"; 15 likewise. */
        if (id == 0 || id == ID_STOP || bytes > end - at)
            return;
        keep(out, ids, id, at, bytes);
        at += bytes;
    }
}

/* RFC 8285 4.3. */
static void find_two_byte(struct rtp_exts *out, const uint8_t *data, size_t at, size_t end,
                          const struct rtp_ext_ids *ids)
{
    while (at < end) {
        uint8_t id = data[at++];
        if (id == 0) /* padding */
            continue;
        if (at == end)
            return;
        size_t bytes = data[at++];
        if (bytes > end - at)
            return;
        keep(out, ids, id, at, bytes);
        at += bytes;
    }
}

void rtp_exts_find(struct rtp_exts *out, const uint8_t *data, const struct rtp_packet *packet,
                   const struct rtp_ext_ids *ids)
{
    out->present = 0;
    size_t end = (size_t)packet->ext_at + packet->ext_bytes;
    if (packet->ext_profile == rtp_ext_profile(false))
        find_one_byte(out, data, packet->ext_at, end, ids);
    else if ((packet->ext_profile & ~APPBITS) == rtp_ext_profile(true))
        find_two_byte(out, data, packet->ext_at, end, ids);
}

void rtp_ext_writer_init(struct rtp_ext_writer *writer, uint8_t *data, size_t at, size_t bytes_max,
                         bool two_byte)
{
    *writer = (struct rtp_ext_writer){.data = data,
                                      .head_at = at,
                                      .at = at + RTP_EXT_HEAD_BYTES,
                                      .bytes_max = bytes_max,
                                      .two_byte = two_byte};
}

size_t rtp_ext_write(struct rtp_ext_writer *writer, uint8_t id, const uint8_t *value, size_t bytes)
{
    bool fits = writer->two_byte ? id != 0 && bytes <= UINT8_MAX : rtp_ext_fits_one_byte(id, bytes);
    if (!fits)
        return 0;

    size_t value_at = writer->at + (writer->two_byte ? 2 : 1);
    size_t block_bytes = value_at + bytes - writer->head_at;
    if (writer->head_at + (block_bytes + 3) / 4 * 4 > writer->bytes_max)
        return 0;

    if (writer->two_byte) {
        writer->data[writer->at] = id;
        writer->data[writer->at + 1] = (uint8_t)bytes;
    } else {
        writer->data[writer->at] = (uint8_t)(id << 4 | (uint8_t)(bytes - 1));
    }
    if (value == NULL)
        memset(writer->data + value_at, 0, bytes);
    else if (bytes > 0)
        memcpy(writer->data + value_at, value, bytes);
    writer->at = value_at + bytes;
    return value_at;
}

size_t rtp_ext_writer_end(struct rtp_ext_writer *writer)
{
    size_t elements_at = writer->head_at + RTP_EXT_HEAD_BYTES;
    if (writer->at == elements_at)
        return writer->head_at;

    while ((writer->at - elements_at) % 4 != 0)
        writer->data[writer->at++] = 0;
    size_t words = (writer->at - elements_at) / 4;
    ASSERT(words <= UINT16_MAX);
    put_be16(writer->data + writer->head_at, rtp_ext_profile(writer->two_byte));
    put_be16(writer->data + writer->head_at + 2, (uint16_t)words);
    return writer->at;
}
