/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/rtp_packet_fuzz.c - any bytes as an RTP packet: parts lie one behind the other and fill
 * it. */
#include "rtp/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes > UINT16_MAX)
        return 0;
    struct rtp_packet packet;
    if (rtp_packet_parse(&packet, data, bytes) != DROP_NONE)
        return 0;

    size_t head = RTP_FIXED_BYTES + 4 * (size_t)packet.csrc_n;
    if (packet.ext_at != 0) {
        ASSERT(packet.ext_at == head + RTP_EXT_HEAD_BYTES);
        head = (size_t)packet.ext_at + packet.ext_bytes;
    }
    ASSERT(packet.payload_at == head);
    ASSERT((size_t)packet.payload_at + packet.payload_bytes + packet.pad_bytes == bytes);
    ASSERT((packet.pad_bytes > 0) == ((data[0] & 0x20) != 0));
    return 0;
}
