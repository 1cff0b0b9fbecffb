/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/rtp_rewrite_fuzz.c - any packet through any negotiated extensions, and back out of RTX.
 *
 *   input: | ids in, RTP_EXT_N | ids out, RTP_EXT_N | MID length, bit 7: two-byte form | RTP packet
 * | */
#include "test/rewrite_check.h"

enum { CONFIG_BYTES = 2 * RTP_EXT_N + 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void keep_ids_distinct(struct rtp_ext_ids *ids)
{
    for (int i = 0; i < RTP_EXT_N; i++)
        for (int j = 0; j < i; j++)
            if (ids->id[i] == ids->id[j])
                ids->id[i] = 0;
}

/* Any packet taken for RTX. */
static void unwrap(const uint8_t *data, size_t bytes)
{
    static uint8_t copy[UINT16_MAX];
    struct rtp_packet packet, media;
    memcpy(copy, data, bytes);
    if (rtp_packet_parse(&packet, copy, bytes) != DROP_NONE)
        return;
    uint8_t *at = copy;
    uint16_t payload_bytes = packet.payload_bytes;
    if (rewrite_unrtx(&at, &bytes, &packet, 1, 2) != DROP_NONE) {
        ASSERT(at == copy);
        ASSERT(payload_bytes < 2);
        return;
    }
    ASSERT(rtp_packet_parse(&media, at, bytes) == DROP_NONE);
    ASSERT(memcmp(&media, &packet, sizeof(media)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < CONFIG_BYTES || bytes - CONFIG_BYTES > UINT16_MAX)
        return 0;
    struct rewrite rewrite = {.ssrc = 0x11223344, .rtx_ssrc = 0x55667788, .pt_n = 1};
    rewrite.pt[0].in = 96;
    rewrite.pt[0].out = 101;
    rewrite.pt[0].rtx = 102;
    memcpy(rewrite.ext_in.id, data, RTP_EXT_N);
    memcpy(rewrite.ext_out.id, data + RTP_EXT_N, RTP_EXT_N);
    keep_ids_distinct(&rewrite.ext_out);
    rewrite.mid_bytes = (data[CONFIG_BYTES - 1] & 0x7f) % (RTP_MID_BYTES_MAX + 1);
    rewrite.ext_two_byte = data[CONFIG_BYTES - 1] >> 7;
    memset(rewrite.mid, 'm', sizeof(rewrite.mid));

    rewrite_check(&rewrite, data + CONFIG_BYTES, bytes - CONFIG_BYTES);
    unwrap(data + CONFIG_BYTES, bytes - CONFIG_BYTES);
    return 0;
}
