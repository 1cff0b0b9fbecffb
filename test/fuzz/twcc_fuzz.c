/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/twcc_fuzz.c - transport-wide feedback: read, and recorded, written and read again.
 *
 * The input is taken as a compound, and then as a list of arrivals, four bytes each: how far the
 * number moves, how far the time moves. */
#include "rtcp/twcc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What was recorded, by number: time in ticks, kept as long as the recorder's window may. */
static uint32_t ticks_of[65536];
static bool came[65536];

static void read_compound(const uint8_t *data, size_t bytes)
{
    struct rtcp_reader reader;
    if (rtcp_reader_init(&reader, data, bytes) != DROP_NONE)
        return;
    struct rtcp_packet packet;
    while (rtcp_reader_next(&reader, &packet)) {
        struct twcc_reader twcc;
        bool valid = twcc_reader_init(&twcc, data, &packet);
        uint32_t left = valid ? twcc.left : 0;
        struct twcc_item item;
        for (; twcc_reader_next(&twcc, &item); left--)
            ASSERT(item.received || item.arrived_us == 0);
        ASSERT(left == 0);
    }
}

/* All that is pending, through messages of `room` bytes: what is said was recorded. */
static void feed_back(struct twcc_recorder *recorder, size_t room)
{
    uint8_t out[RTCP_BYTES_MAX];
    while (twcc_pending(recorder)) {
        struct rtcp_writer writer = {out, 0, room};
        uint16_t expected = (uint16_t)recorder->base;
        ASSERT(twcc_write(recorder, &writer, 1));
        struct rtcp_reader reader;
        struct rtcp_packet packet;
        ASSERT(rtcp_reader_init(&reader, out, writer.at) == DROP_NONE);
        ASSERT(rtcp_reader_next(&reader, &packet));
        struct twcc_reader twcc;
        ASSERT(twcc_reader_init(&twcc, out, &packet));
        struct twcc_item item;
        while (twcc_reader_next(&twcc, &item)) {
            ASSERT(item.number == expected++);
            if (!item.received)
                continue;
            ASSERT(came[item.number]);
            int64_t recorded_us = (int64_t)(int32_t)ticks_of[item.number] * TWCC_TICK_US;
            ASSERT(twcc_diff_us(item.arrived_us, recorded_us) == 0);
        }
        ASSERT(expected == (uint16_t)recorder->base);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    read_compound(data, bytes);
    if (bytes == 0)
        return 0;

    static struct twcc_recorder recorder;
    twcc_recorder_init(&recorder);
    memset(came, 0, sizeof(came));
    size_t room = TWCC_BYTES_MIN + 4 * (size_t)data[0];
    uint16_t number = 65000;
    int64_t now_us = 1000000;
    for (size_t at = 1; bytes - at >= 4; at += 4) {
        number = (uint16_t)(number + (int8_t)data[at] * (data[at + 1] & 1 ? 100 : 1));
        now_us += be16(data + at + 2) * (data[at + 1] & 2 ? 10000 : 16);
        bool known = recorder.started &&
                     ts_diff(recorder.end, seq_extend(recorder.end - 1, number)) <= TWCC_WINDOW_N &&
                     ts_diff(recorder.end, seq_extend(recorder.end - 1, number)) > 0;
        uint32_t index = number % TWCC_WINDOW_N;
        bool again = known && (recorder.seen[index / 64] >> (index % 64) & 1);
        twcc_record(&recorder, number, 2, now_us);
        ASSERT(ts_diff(recorder.end, recorder.base) <= TWCC_WINDOW_N);
        if (!again) {
            came[number] = true;
            ticks_of[number] = (uint32_t)(now_us / TWCC_TICK_US);
        }
        if (data[at + 1] & 4)
            feed_back(&recorder, room);
    }
    feed_back(&recorder, room);
    return 0;
}
