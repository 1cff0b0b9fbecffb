/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/rtp_ext_fuzz.c - any bytes as header extensions: what is found lies inside, and is
 * found again when written.
 *
 *   input: | RTP_EXT_N ids | form to write, 0 or 1 | size to write into / 2 | RTP packet | */
#include "rtp/ext.h"

enum { CONFIG_BYTES = RTP_EXT_N + 2, OUT_BYTES = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void round_trip(const struct rtp_exts *exts, const struct rtp_ext_ids *ids,
                       const uint8_t *data, bool two_byte, size_t size)
{
    uint8_t out[OUT_BYTES + 1] = {0x90};
    out[size] = 0x5a;
    struct rtp_ext_writer writer;
    rtp_ext_writer_init(&writer, out, RTP_FIXED_BYTES, size, two_byte);
    size_t written[RTP_EXT_N] = {0};
    for (unsigned kind = 0; kind < RTP_EXT_N; kind++)
        if (rtp_exts_has(exts, (enum rtp_ext_kind)kind))
            written[kind] =
                rtp_ext_write(&writer, ids->id[kind], data + exts->at[kind], exts->bytes[kind]);
    size_t end = rtp_ext_writer_end(&writer);
    ASSERT(end <= size);
    ASSERT(out[size] == 0x5a);
    if (end == RTP_FIXED_BYTES)
        return;

    struct rtp_packet packet;
    struct rtp_exts again;
    ASSERT(rtp_packet_parse(&packet, out, end) == DROP_NONE);
    rtp_exts_find(&again, out, &packet, ids);
    for (unsigned kind = 0; kind < RTP_EXT_N; kind++) {
        ASSERT(rtp_exts_has(&again, (enum rtp_ext_kind)kind) == (written[kind] != 0));
        if (written[kind] == 0)
            continue;
        ASSERT(again.at[kind] == written[kind]);
        ASSERT(again.bytes[kind] == exts->bytes[kind]);
        ASSERT(memcmp(out + again.at[kind], data + exts->at[kind], exts->bytes[kind]) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < CONFIG_BYTES || bytes > UINT16_MAX)
        return 0;
    struct rtp_ext_ids ids;
    memcpy(ids.id, data, RTP_EXT_N);
    bool two_byte = data[RTP_EXT_N] & 1;
    size_t size = 2 * (size_t)data[RTP_EXT_N + 1];
    if (size < RTP_FIXED_BYTES)
        size = RTP_FIXED_BYTES;
    data += CONFIG_BYTES;
    bytes -= CONFIG_BYTES;

    struct rtp_packet packet;
    struct rtp_exts exts;
    if (rtp_packet_parse(&packet, data, bytes) != DROP_NONE)
        return 0;
    rtp_exts_find(&exts, data, &packet, &ids);
    for (unsigned kind = 0; kind < RTP_EXT_N; kind++) {
        if (!rtp_exts_has(&exts, (enum rtp_ext_kind)kind))
            continue;
        ASSERT(ids.id[kind] != 0);
        ASSERT(exts.at[kind] > packet.ext_at);
        ASSERT((size_t)exts.at[kind] + exts.bytes[kind] <= packet.payload_at);
    }
    round_trip(&exts, &ids, data, two_byte, size);
    return 0;
}
