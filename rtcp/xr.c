/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/xr.c - extended reports: blocks walked, RRTR and DLRR read and written. RFC 3611
 * 3, 4.4, 4.5. */
#include "rtcp/packet.h"

enum {
    XR_HEAD_BYTES = RTCP_HEAD_BYTES + 4,
    XR_BLOCK_HEAD_BYTES = 4, /* type, reserved, length in words without this one */
    RRTR_BYTES = 8,
    DLRR_ITEM_BYTES = 12,
};

bool rtcp_read_xr_block(const uint8_t *data, const struct rtcp_packet *packet, size_t *at,
                        struct rtcp_xr_block *block)
{
    if (packet->type != RTCP_XR)
        return false;
    if (*at == 0)
        *at = XR_HEAD_BYTES;
    if (*at > packet->bytes || packet->bytes - *at < XR_BLOCK_HEAD_BYTES)
        return false;
    const uint8_t *head = data + packet->at + *at;
    size_t bytes = 4 * (size_t)be16(head + 2);
    if (bytes > packet->bytes - *at - XR_BLOCK_HEAD_BYTES)
        return false;

    *block = (struct rtcp_xr_block){
        .type = head[0],
        .at = (uint16_t)(packet->at + *at + XR_BLOCK_HEAD_BYTES),
        .bytes = (uint16_t)bytes,
    };
    *at += XR_BLOCK_HEAD_BYTES + bytes;
    return true;
}

bool rtcp_read_rrtr(const uint8_t *data, const struct rtcp_xr_block *block, uint64_t *ntp)
{
    if (block->type != RTCP_XR_RRTR || block->bytes < RRTR_BYTES)
        return false;
    *ntp = be64(data + block->at);
    return true;
}

bool rtcp_read_dlrr(const uint8_t *data, const struct rtcp_xr_block *block, unsigned index,
                    struct rtcp_dlrr *dlrr)
{
    if (block->type != RTCP_XR_DLRR || index >= (size_t)block->bytes / DLRR_ITEM_BYTES)
        return false;
    const uint8_t *item = data + block->at + (size_t)index * DLRR_ITEM_BYTES;
    *dlrr = (struct rtcp_dlrr){
        .ssrc = be32(item),
        .last_rr = be32(item + 4),
        .delay = be32(item + 8),
    };
    return true;
}

/* An XR packet of one block with `bytes` of content; returns where that begins. */
static uint8_t *take_block(struct rtcp_writer *writer, uint32_t ssrc, uint8_t type, size_t bytes)
{
    uint8_t *to = rtcp_writer_take(writer, RTCP_XR, 0, XR_HEAD_BYTES + XR_BLOCK_HEAD_BYTES + bytes);
    if (!to)
        return NULL;
    put_be32(to + 4, ssrc);
    to[8] = type;
    to[9] = 0;
    put_be16(to + 10, (uint16_t)(bytes / 4));
    return to + XR_HEAD_BYTES + XR_BLOCK_HEAD_BYTES;
}

bool rtcp_write_xr_rrtr(struct rtcp_writer *writer, uint32_t ssrc, uint64_t ntp)
{
    uint8_t *to = take_block(writer, ssrc, RTCP_XR_RRTR, RRTR_BYTES);
    if (!to)
        return false;
    put_be64(to, ntp);
    return true;
}

bool rtcp_write_xr_dlrr(struct rtcp_writer *writer, uint32_t ssrc, const struct rtcp_dlrr *dlrrs,
                        size_t dlrrs_n)
{
    if (dlrrs_n == 0)
        return true;
    uint8_t *to = take_block(writer, ssrc, RTCP_XR_DLRR, dlrrs_n * DLRR_ITEM_BYTES);
    if (!to)
        return false;
    for (size_t i = 0; i < dlrrs_n; i++, to += DLRR_ITEM_BYTES) {
        put_be32(to, dlrrs[i].ssrc);
        put_be32(to + 4, dlrrs[i].last_rr);
        put_be32(to + 8, dlrrs[i].delay);
    }
    return true;
}
