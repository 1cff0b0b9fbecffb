/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/rewrite.c - a producer's packet written out as a consumer's: copy with its own ssrc, numbers,
 * payload type, extensions. */
#include "rtp/rewrite.h"

#include "rtp/codec.h"

enum {
    BIT_MID = 1 << RTP_EXT_MID,
    BIT_ABS_SEND_TIME = 1 << RTP_EXT_ABS_SEND_TIME,
    BIT_TWCC = 1 << RTP_EXT_TWCC,
    /* These do not come from the producer's packet: ours, reserved for the caller, or never sent.
     */
    BITS_OWN = BIT_MID | BIT_ABS_SEND_TIME | BIT_TWCC,
    BITS_NOT_COPIED = BITS_OWN | 1 << RTP_EXT_RID | 1 << RTP_EXT_RRID,

    ABS_SEND_TIME_BYTES = 3,
    TWCC_BYTES = 2,
    OSN_BYTES = 2, /* RFC 4588 4: original sequence number */

    RED_HEAD_BYTES = 4,  /* RFC 2198 3: F, payload type, timestamp offset, length */
    RED_MORE = 0x80,     /* F; clear in the last head, which is one byte */
    RED_BLOCKS_MAX = 32, /* looked at; senders use two or three */
};

/* The extension block that will be written. */
struct plan {
    unsigned kinds; /* bit per kind */
    bool two_byte;
    size_t bytes; /* head and padding included; 0 without a block */
};

int rewrite_pt_find(const struct rewrite *rewrite, uint8_t payload_type)
{
    for (int i = 0; i < rewrite->pt_n; i++)
        if (rewrite->pt[i].in == payload_type)
            return i;
    return -1;
}

static bool none_negotiated(const struct rtp_ext_ids *ids)
{
    uint64_t low;
    uint32_t high;
    static_assert(RTP_EXT_N == sizeof(low) + sizeof(high), "looks at all of them");
    memcpy(&low, ids->id, sizeof(low));
    memcpy(&high, ids->id + sizeof(low), sizeof(high));
    return (low | high) == 0;
}

static void plan_element(struct plan *plan, unsigned kind, uint8_t id, size_t bytes)
{
    if (id == 0)
        return;
    plan->kinds |= 1u << kind;
    plan->two_byte |= !rtp_ext_fits_one_byte(id, bytes);
    plan->bytes += bytes;
}

static struct plan plan_exts(const struct rewrite *rewrite, const struct rtp_exts *exts)
{
    struct plan plan = {.two_byte = rewrite->ext_two_byte};
    const uint8_t *id = rewrite->ext_out.id;
    if (none_negotiated(&rewrite->ext_out))
        return plan;

    if (rewrite->mid_bytes > 0)
        plan_element(&plan, RTP_EXT_MID, id[RTP_EXT_MID], rewrite->mid_bytes);
    plan_element(&plan, RTP_EXT_ABS_SEND_TIME, id[RTP_EXT_ABS_SEND_TIME], ABS_SEND_TIME_BYTES);
    plan_element(&plan, RTP_EXT_TWCC, id[RTP_EXT_TWCC], TWCC_BYTES);
    for (unsigned left = exts->present & ~(unsigned)BITS_NOT_COPIED; left != 0; left &= left - 1) {
        unsigned kind = (unsigned)__builtin_ctz(left);
        plan_element(&plan, kind, id[kind], exts->bytes[kind]);
    }
    if (plan.kinds == 0)
        return plan;

    plan.bytes += (size_t)__builtin_popcount(plan.kinds) * (plan.two_byte ? 2 : 1);
    plan.bytes = RTP_EXT_HEAD_BYTES + (plan.bytes + 3) / 4 * 4;
    return plan;
}

/* rtp_ext_write() without its checks: the plan has made them. Returns where the value goes. */
static size_t write_element_head(uint8_t *out, size_t at, uint8_t id, size_t bytes, bool two_byte)
{
    if (two_byte) {
        out[at] = id;
        out[at + 1] = (uint8_t)bytes;
        return at + 2;
    }
    out[at] = (uint8_t)(id << 4 | (uint8_t)(bytes - 1));
    return at + 1;
}

/* Values of an element or two: a call costs more than the bytes. */
static void copy_value(uint8_t *out, const uint8_t *value, size_t bytes)
{
    if (bytes > 4) {
        memcpy(out, value, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i++)
        out[i] = value[i];
}

/* Writes the planned block at `at`, in the order of the kinds: our own come before those of the
 * packet. */
static void write_exts(const struct rewrite *rewrite, const struct plan *plan, const uint8_t *data,
                       const struct rtp_exts *exts, uint8_t *out, size_t at,
                       struct rewrite_out *result)
{
    static_assert(RTP_EXT_MID < RTP_EXT_ABS_SEND_TIME, "order");
    static_assert(RTP_EXT_ABS_SEND_TIME < RTP_EXT_TWCC, "order");
    const uint8_t *id = rewrite->ext_out.id;
    const bool two_byte = plan->two_byte;
    const size_t end = at + plan->bytes;
    put_be16(out + at, rtp_ext_profile(two_byte));
    put_be16(out + at + 2, (uint16_t)((plan->bytes - RTP_EXT_HEAD_BYTES) / 4));
    at += RTP_EXT_HEAD_BYTES;

    if (plan->kinds & BIT_MID) {
        at = write_element_head(out, at, id[RTP_EXT_MID], rewrite->mid_bytes, two_byte);
        copy_value(out + at, (const uint8_t *)rewrite->mid, rewrite->mid_bytes);
        at += rewrite->mid_bytes;
    }
    if (plan->kinds & BIT_ABS_SEND_TIME) {
        at = write_element_head(out, at, id[RTP_EXT_ABS_SEND_TIME], ABS_SEND_TIME_BYTES, two_byte);
        result->abs_send_time_at = (uint16_t)at;
        put_be24(out + at, 0);
        at += ABS_SEND_TIME_BYTES;
    }
    if (plan->kinds & BIT_TWCC) {
        at = write_element_head(out, at, id[RTP_EXT_TWCC], TWCC_BYTES, two_byte);
        result->twcc_at = (uint16_t)at;
        put_be16(out + at, 0);
        at += TWCC_BYTES;
    }
    for (unsigned left = plan->kinds & ~(unsigned)BITS_OWN; left != 0; left &= left - 1) {
        unsigned kind = (unsigned)__builtin_ctz(left);
        at = write_element_head(out, at, id[kind], exts->bytes[kind], two_byte);
        copy_value(out + at, data + exts->at[kind], exts->bytes[kind]);
        at += exts->bytes[kind];
    }
    ASSERT(at <= end);
    while (at < end)
        out[at++] = 0;
}

static size_t csrc_end(const struct rtp_packet *packet)
{
    return RTP_FIXED_BYTES + 4 * (size_t)packet->csrc_n;
}

size_t rewrite_size(const struct rewrite *rewrite, const struct rtp_packet *packet,
                    const struct rtp_exts *exts)
{
    return csrc_end(packet) + plan_exts(rewrite, exts).bytes + packet->payload_bytes;
}

/* What the two forms differ in. */
struct head {
    uint32_t ssrc;
    uint16_t seq;
    uint8_t payload_type;
};

/* Everything before the payload. Returns where that goes. */
static size_t write_head(const struct rewrite *rewrite, struct head head, const uint8_t *data,
                         const struct rtp_packet *packet, const struct rtp_exts *exts,
                         uint32_t rtp_ts, uint8_t *out, struct rewrite_out *result)
{
    struct plan plan = plan_exts(rewrite, exts);
    out[0] = (uint8_t)(RTP_VERSION << 6 | (plan.bytes > 0) << 4 | packet->csrc_n);
    out[1] = (uint8_t)(packet->marker << 7 | head.payload_type);
    put_be16(out + 2, head.seq);
    put_be32(out + 4, rtp_ts);
    put_be32(out + 8, head.ssrc);
    size_t at = csrc_end(packet);
    if (packet->csrc_n > 0)
        memcpy(out + RTP_FIXED_BYTES, data + RTP_FIXED_BYTES, 4 * (size_t)packet->csrc_n);

    *result = (struct rewrite_out){0};
    if (plan.bytes > 0)
        write_exts(rewrite, &plan, data, exts, out, at, result);
    return at + plan.bytes;
}

/* The blocks' payload types become the receiver's, in its copy. A type that it does not take stays
 * (it passes over that block); so does all of a payload whose heads do not end within it. */
static void rewrite_red(const struct rewrite *rewrite, uint8_t *payload, size_t bytes)
{
    size_t last = 0;
    while (last < bytes && payload[last] & RED_MORE)
        last += RED_HEAD_BYTES;
    if (last >= bytes || last >= RED_BLOCKS_MAX * RED_HEAD_BYTES)
        return;
    for (size_t at = 0; at <= last; at += RED_HEAD_BYTES) {
        int pt = rewrite_pt_find(rewrite, payload[at] & 0x7f);
        if (pt >= 0)
            payload[at] = (uint8_t)((payload[at] & RED_MORE) | rewrite->pt[pt].out);
    }
}

static size_t write_payload(const struct rewrite *rewrite, const uint8_t *data,
                            const struct rtp_packet *packet, int pt, uint8_t *out, size_t at)
{
    memcpy(out + at, data + packet->payload_at, packet->payload_bytes);
    if (rewrite->pt[pt].codec == RTP_CODEC_RED)
        rewrite_red(rewrite, out + at, packet->payload_bytes);
    return at + packet->payload_bytes;
}

void rewrite_packet(const struct rewrite *rewrite, const uint8_t *data,
                    const struct rtp_packet *packet, const struct rtp_exts *exts,
                    const struct rewrite_numbers *numbers, uint8_t *out, struct rewrite_out *result)
{
    ASSERT(numbers->pt >= 0);
    ASSERT(numbers->pt < rewrite->pt_n);
    struct head head = {
        .ssrc = rewrite->ssrc, .seq = numbers->seq, .payload_type = rewrite->pt[numbers->pt].out};
    size_t at = write_head(rewrite, head, data, packet, exts, numbers->rtp_ts, out, result);
    result->bytes = write_payload(rewrite, data, packet, numbers->pt, out, at);
}

void rewrite_packet_rtx(const struct rewrite *rewrite, const uint8_t *data,
                        const struct rtp_packet *packet, const struct rtp_exts *exts,
                        const struct rewrite_numbers *numbers, uint16_t rtx_seq, uint8_t *out,
                        struct rewrite_out *result)
{
    ASSERT(numbers->pt >= 0);
    ASSERT(numbers->pt < rewrite->pt_n);
    ASSERT(rewrite->pt[numbers->pt].rtx < 128);
    struct head head = {
        .ssrc = rewrite->rtx_ssrc, .seq = rtx_seq, .payload_type = rewrite->pt[numbers->pt].rtx};
    size_t at = write_head(rewrite, head, data, packet, exts, numbers->rtp_ts, out, result);
    put_be16(out + at, numbers->seq);
    at += OSN_BYTES;
    result->bytes = write_payload(rewrite, data, packet, numbers->pt, out, at);
}

enum drop rewrite_unrtx(uint8_t **data, size_t *bytes, struct rtp_packet *packet, uint32_t ssrc,
                        uint8_t payload_type)
{
    if (packet->payload_bytes < OSN_BYTES)
        return DROP_RTX_EMPTY;

    uint16_t seq = be16(*data + packet->payload_at);
    memmove(*data + OSN_BYTES, *data, packet->payload_at);
    *data += OSN_BYTES;
    *bytes -= OSN_BYTES;
    (*data)[1] = (uint8_t)(packet->marker << 7 | payload_type);
    put_be16(*data + 2, seq);
    put_be32(*data + 8, ssrc);
    packet->payload_bytes = (uint16_t)(packet->payload_bytes - OSN_BYTES);
    packet->payload_type = payload_type;
    packet->seq = seq;
    packet->ssrc = ssrc;
    return DROP_NONE;
}
