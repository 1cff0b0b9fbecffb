/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/rtcp_packet_fuzz.c - every RTCP reader over a compound; reports and NACKs round trip.
 */
#include "rtcp/packet.h"
#include "test/rtcp_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What was read of a report is written and read again: the same. */
static void round_trip_reports(const uint8_t *data, const struct rtcp_packet *packet)
{
    struct rtcp_report_block blocks[RTCP_BLOCKS_MAX];
    size_t n = 0;
    while (rtcp_read_report_block(data, packet, (unsigned)n, &blocks[n]))
        if (++n == RTCP_BLOCKS_MAX)
            break;
    if (n == 0)
        return;

    uint8_t out[RTCP_BYTES_MAX];
    struct rtcp_writer writer = {out, 0, sizeof(out)};
    ASSERT(rtcp_write_rr(&writer, 1, blocks, n));
    size_t from = packet->type == RTCP_SR ? 28 : 8;
    ASSERT(memcmp(out + 8, data + packet->at + from, n * RTCP_BLOCK_BYTES) == 0);
}

static void round_trip_nack(const uint8_t *data, const struct rtcp_packet *packet)
{
    uint16_t opened[RTCP_NACK_SEQS_MAX];
    size_t at = 0;
    for (size_t n; (n = rtcp_read_nack(data, packet, &at, opened)) != 0;) {
        uint8_t out[16];
        struct rtcp_writer writer = {out, 0, sizeof(out)};
        ASSERT(rtcp_write_nack(&writer, 1, 2, opened, n) == n);
        ASSERT(memcmp(out + 12, data + packet->at + at - 4, 4) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct rtcp_walk walk;
    enum drop why = rtcp_walk(data, bytes, &walk);
    ASSERT(why == DROP_NONE || why == DROP_RTCP_INVALID);
    ASSERT((why == DROP_NONE) == (walk.packets_n > 0));

    struct rtcp_reader reader;
    struct rtcp_packet packet;
    if (rtcp_reader_init(&reader, data, bytes) != DROP_NONE)
        return 0;
    while (rtcp_reader_next(&reader, &packet)) {
        round_trip_reports(data, &packet);
        round_trip_nack(data, &packet);
    }
    return 0;
}
