/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtcp_twcc_test.c - transport-wide feedback: recorded, written, read. */
#include "core/random.h"
#include "rtcp/twcc.h"
#include "test/guard.h"
#include "test/must.h"
#include "test/suite.h"

/* draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1: every kind of chunk and delta. */
static const uint8_t feedback[] = {
    0x8f, 0xcd, 0x00, 0x0a, /* RTPFB 15, 11 words */
    0x00, 0x00, 0x00, 0x01, /* sender */
    0xca, 0xfe, 0xba, 0xbe, /* media */
    0xff, 0xfe, 0x00, 0x1c, /* from 65534, 28 packets */
    0xff, 0xff, 0xff, 0x07, /* reference -1: -64 ms; feedback 7 */
    0x20, 0x03, 0x00, 0x02, /* run of 3 small; run of 2 lost */
    0xa0, 0x01, 0xe0, 0x04, /* 1 bit: 10 0000 0000 0001; 2 bits: 10 00 00 00 00 01 00 */
    0x40, 0x01, 0xa0, 0x00, /* run of 1 large; 1 bit: only the first of 14, one of which counts */
    0x00, 0xff, 0x04, 0x01, /* small: 0, 255, 4; 1 ... */
    0x02, 0xff, 0xfe, 0x03, /* ... and 2; large: -2; small: 3 */
    0x7f, 0xff, 0x05, 0x00, /* large: 32767; small: 5; zeros */
};

/* Numbers that came, in order, with their times in ticks. */
static const struct {
    uint16_t number;
    int32_t ticks;
} arrivals[] = {{65534, -256}, {65535, -1}, {0, 3},          {3, 4},          {16, 6},
                {17, 4},       {22, 7},     {24, 7 + 32767}, {25, 12 + 32767}};

static struct rtcp_packet first_packet(const uint8_t *data, size_t bytes)
{
    struct rtcp_reader reader;
    struct rtcp_packet packet = {0};
    ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
    ck_assert(rtcp_reader_next(&reader, &packet));
    return packet;
}

START_TEST(reads_every_kind_of_chunk)
{
    const uint8_t *data = guard_copy(feedback, sizeof(feedback));
    struct rtcp_packet packet = first_packet(data, sizeof(feedback));
    struct twcc_reader reader;
    ck_assert(twcc_reader_init(&reader, data, &packet));
    ck_assert_uint_eq(reader.number, 65534);
    ck_assert_uint_eq(reader.left, 28);
    ck_assert_uint_eq(reader.feedback_n, 7);
    ck_assert_int_eq(reader.time_us, -64000);

    struct twcc_item item;
    size_t came = 0;
    for (uint16_t i = 0; i < 28; i++) {
        ck_assert(twcc_reader_next(&reader, &item));
        ck_assert_uint_eq(item.number, (uint16_t)(65534 + i));
        bool comes = came < ARRAY_N(arrivals) && arrivals[came].number == item.number;
        ck_assert_int_eq(item.received, comes);
        ck_assert_int_eq(item.arrived_us, comes ? arrivals[came].ticks * TWCC_TICK_US : 0);
        came += comes;
    }
    ck_assert(!twcc_reader_next(&reader, &item));
    ck_assert_uint_eq(came, ARRAY_N(arrivals));
    ck_assert_uint_eq(reader.delta_at, sizeof(feedback) - 1);
}

END_TEST

/* Each shorter packet is refused as a whole: its deltas or chunks would reach past its end. */
START_TEST(every_length)
{
    for (uint16_t words = 1; words < sizeof(feedback) / 4; words++) {
        uint8_t *data = guard_copy(feedback, 4 * (size_t)words);
        put_be16(data + 2, (uint16_t)(words - 1));
        struct rtcp_packet packet = first_packet(data, 4 * (size_t)words);
        struct twcc_reader reader;
        struct twcc_item item;
        ck_assert(!twcc_reader_init(&reader, data, &packet));
        ck_assert(!twcc_reader_next(&reader, &item));
    }
}

END_TEST

static const struct {
    const char *what;
    uint16_t count;
    uint8_t tail[8]; /* chunks and deltas */
    bool valid;
} messages[] = {
    {"nothing reported", 0, {0x20, 0x01, 0, 0}, false},
    {"one small", 1, {0x20, 0x01, 9}, true},
    {"run of none", 1, {0x20, 0x00, 0x20, 0x01}, false},
    {"run longer than the count", 3, {0x3f, 0xff, 1, 2, 3}, true},
    {"run of the reserved symbol", 1, {0x60, 0x01, 1, 2}, false},
    {"reserved symbol in a vector", 2, {0xf0, 0x00, 1, 2, 3}, false},
    {"reserved symbol behind the count", 1, {0xdc, 0x00, 1}, true},
    {"six deltas just fit", 6, {0x20, 0x06, 1, 2, 3, 4, 5, 6}, true},
    {"seven do not", 7, {0x20, 0x07, 1, 2, 3, 4, 5, 6}, false},
    {"a large one cut in half", 4, {0x40, 0x04, 1, 2, 3, 4, 5, 6}, false},
    {"chunks past the end", 65535, {0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff}, false},
    {"largest count, all lost", 8191 * 4, {0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff}, true},
};

START_TEST(checks_the_whole_message)
{
    uint8_t *data = guard_take(28);
    memcpy(data, feedback, 20);
    put_be16(data + 2, 6);
    put_be16(data + 14, messages[_i].count);
    memcpy(data + 20, messages[_i].tail, 8);
    struct rtcp_packet packet = first_packet(data, 28);
    struct twcc_reader reader;
    bool valid = twcc_reader_init(&reader, data, &packet);
    ck_assert_msg(valid == messages[_i].valid, "%s", messages[_i].what);
    struct twcc_item item;
    uint32_t n = 0;
    while (twcc_reader_next(&reader, &item))
        n++;
    ck_assert_uint_eq(n, valid ? messages[_i].count : 0);
}

END_TEST

START_TEST(other_feedback_is_not_read)
{
    uint8_t data[sizeof(feedback)];
    memcpy(data, feedback, sizeof(data));
    struct twcc_reader reader;
    data[0] = 0x81;
    struct rtcp_packet packet = first_packet(data, sizeof(data));
    ck_assert(!twcc_reader_init(&reader, data, &packet));
    data[0] = 0x8f;
    data[1] = RTCP_PSFB;
    packet = first_packet(data, sizeof(data));
    ck_assert(!twcc_reader_init(&reader, data, &packet));
}

END_TEST

START_TEST(differences_across_the_axis)
{
    int64_t half_us = INT64_C(0x800000) * TWCC_REFERENCE_US;
    ck_assert_int_eq(twcc_diff_us(1000, 250), 750);
    ck_assert_int_eq(twcc_diff_us(-500, 250), -750);
    ck_assert_int_eq(twcc_diff_us(-half_us + 250, half_us - 250), 500);
    ck_assert_int_eq(twcc_diff_us(half_us - 250, -half_us + 250), -500);
}

END_TEST

/* ---- recorder ---- */

static struct twcc_recorder recorder;

/* What was fed back, in the order of the messages. */
enum { SEEN_N = 8192 };

struct report {
    size_t messages_n, items_n;
    uint16_t numbers[SEEN_N];
    bool received[SEEN_N];
    int64_t arrived_us[SEEN_N];
};

static struct report report;

static void read_message(const uint8_t *data, size_t bytes)
{
    struct rtcp_packet packet = first_packet(data, bytes);
    MUST(packet.bytes == bytes);
    struct twcc_reader reader;
    MUST(twcc_reader_init(&reader, data, &packet));
    MUST(reader.end - reader.chunk_at >= 4);
    struct twcc_item item;
    while (twcc_reader_next(&reader, &item)) {
        MUST(report.items_n < SEEN_N);
        report.numbers[report.items_n] = item.number;
        report.received[report.items_n] = item.received;
        report.arrived_us[report.items_n++] = item.arrived_us;
    }
    MUST(reader.delta_at <= bytes && bytes - reader.delta_at < 4);
    for (size_t i = reader.delta_at; i < bytes; i++)
        MUST(data[i] == 0);
    report.messages_n++;
}

/* Writes and reads all that is pending, in messages of at most `room` bytes. */
static void feed_back(size_t room)
{
    report.messages_n = report.items_n = 0;
    while (twcc_pending(&recorder)) {
        uint8_t *data = guard_take(room);
        struct rtcp_writer writer = {data, 0, room};
        uint8_t feedback_n = recorder.feedback_n;
        ck_assert(twcc_write(&recorder, &writer, 1));
        ck_assert_uint_le(writer.at, room);
        ck_assert_uint_eq(be32(data + 4), 1);
        ck_assert_uint_eq(be32(data + 8), 0xcafebabe);
        ck_assert_uint_eq(data[19], feedback_n);
        ck_assert_uint_eq(recorder.feedback_n, (uint8_t)(feedback_n + 1));
        read_message(data, writer.at);
    }
}

static bool record(uint16_t number, int64_t ticks)
{
    return twcc_record(&recorder, number, 0xcafebabe, ticks * TWCC_TICK_US + 249);
}

START_TEST(writes_what_it_read)
{
    /* The vector's arrivals, on an axis whose reference is -1. */
    int64_t zero = INT64_C(5) << 32;
    twcc_recorder_init(&recorder);
    for (size_t i = 0; i < ARRAY_N(arrivals); i++)
        ck_assert(!record(arrivals[i].number, zero + arrivals[i].ticks));
    feed_back(RTCP_BYTES_MAX);
    ck_assert_uint_eq(report.messages_n, 1);
    ck_assert_uint_eq(report.items_n, 28);
    for (size_t i = 0, came = 0; i < 28; i++) {
        ck_assert_uint_eq(report.numbers[i], (uint16_t)(65534 + i));
        bool comes = came < ARRAY_N(arrivals) && arrivals[came].number == report.numbers[i];
        ck_assert_int_eq(report.received[i], comes);
        if (comes)
            ck_assert_int_eq(report.arrived_us[i], arrivals[came++].ticks * TWCC_TICK_US);
    }
    struct rtcp_writer writer = {NULL, 0, 0};
    ck_assert(!twcc_write(&recorder, &writer, 1)); /* nothing left */
}

END_TEST

START_TEST(packs_as_short_as_the_draft_allows)
{
    static const struct {
        const char *what;
        uint16_t n;
        uint16_t lost_every;
        uint16_t step; /* ticks */
        size_t bytes;
    } rows[] = {
        {"one", 1, 0, 1, 20 + 2 + 1 + 1},
        {"a run", 1000, 0, 1, 20 + 2 + 1000 + 2},
        {"small ones and losses", 140, 2, 1, 20 + 2 * 10 + 70 + 2},
        {"large ones", 140, 0, 300, 20 + 2 + 1 + 139 * 2 + 2 + 1},
        {"large ones and losses", 70, 2, 300, 20 + 2 * 10 + 35 * 2 + 2},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        twcc_recorder_init(&recorder);
        for (uint16_t n = 0; n < rows[i].n; n++)
            if (!rows[i].lost_every || n % rows[i].lost_every || n == 0 || n == rows[i].n - 1)
                record((uint16_t)(65000 + n), 256 + (int64_t)n * rows[i].step);
        uint8_t data[RTCP_BYTES_MAX];
        struct rtcp_writer writer = {data, 0, sizeof(data)};
        ck_assert(twcc_write(&recorder, &writer, 1));
        ck_assert(!twcc_pending(&recorder));
        ck_assert_msg(writer.at <= rows[i].bytes + 4, "%s: %zu bytes", rows[i].what, writer.at);
    }
}

END_TEST

START_TEST(reordered_and_duplicate)
{
    twcc_recorder_init(&recorder);
    record(65535, 1000);
    record(1, 1010);
    record(0, 1020); /* a negative delta */
    record(1, 1030); /* came already: the first time stays */
    feed_back(RTCP_BYTES_MAX);
    ck_assert_uint_eq(report.items_n, 3);
    ck_assert_int_eq(report.arrived_us[1], 1020 * TWCC_TICK_US);
    ck_assert_int_eq(report.arrived_us[2], 1010 * TWCC_TICK_US);

    record(4, 1040);
    feed_back(RTCP_BYTES_MAX);
    ck_assert_uint_eq(report.items_n, 3); /* 2 and 3 lost */
    ck_assert(!report.received[0] && !report.received[1] && report.received[2]);

    ck_assert(!twcc_pending(&recorder));
    record(4, 1045);
    ck_assert(!twcc_pending(&recorder)); /* a duplicate is no news */
    record(3, 1050);
    feed_back(RTCP_BYTES_MAX);
    ck_assert_uint_eq(report.items_n, 2);
    ck_assert_uint_eq(report.numbers[0], 3);
    ck_assert(report.received[0] && report.received[1]);
    ck_assert_int_eq(report.arrived_us[0], 1050 * TWCC_TICK_US);
    ck_assert_int_eq(report.arrived_us[1], 1040 * TWCC_TICK_US);
}

END_TEST

START_TEST(before_the_first)
{
    twcc_recorder_init(&recorder);
    record(0, 1000);
    record(65530, 1001);
    feed_back(RTCP_BYTES_MAX);
    ck_assert_uint_eq(report.items_n, 7);
    ck_assert_uint_eq(report.numbers[0], 65530);
    ck_assert(report.received[0] && report.received[6] && !report.received[1]);
}

END_TEST

/* Deltas that 16 bits cannot say go into a message of their own. */
START_TEST(long_silences)
{
    static const int64_t steps[] = {255, 256, 32767, 32768, -32768, -32769, 4000000, -4000000};
    for (size_t i = 0; i < ARRAY_N(steps); i++) {
        twcc_recorder_init(&recorder);
        int64_t first = 0x10000000;
        record(1, first);
        record(3, first + steps[i]);
        feed_back(RTCP_BYTES_MAX);
        bool split = steps[i] > INT16_MAX || steps[i] < INT16_MIN;
        /* The first delta counts from the reference, so the second says the step itself. */
        ck_assert_uint_eq(report.messages_n, split ? 2 : 1);
        ck_assert_uint_eq(report.items_n, 3);
        ck_assert_int_eq(report.arrived_us[0], first * TWCC_TICK_US);
        ck_assert_int_eq(report.arrived_us[2], (first + steps[i]) * TWCC_TICK_US);
    }
}

END_TEST

START_TEST(time_wraps_with_the_axis)
{
    /* 2^31 ticks is where the 24-bit reference changes its sign, 2^32 where it begins anew. */
    static const int64_t turns[] = {INT64_C(1) << 31, INT64_C(1) << 32,
                                    INT64_C(400) * 86400 * 4000};
    for (size_t i = 0; i < ARRAY_N(turns); i++) {
        twcc_recorder_init(&recorder);
        for (uint16_t n = 0; n < 100; n++) {
            record(n, turns[i] - 500 + n * 10);
            if (n % 10 == 9)
                feed_back(RTCP_BYTES_MAX);
            if (n % 10 != 9 || n == 9)
                continue;
            ck_assert_uint_eq(report.items_n, 10);
            for (size_t k = 1; k < 10; k++)
                ck_assert_int_eq(twcc_diff_us(report.arrived_us[k], report.arrived_us[k - 1]),
                                 2500);
            int64_t wire = (int32_t)(uint32_t)(turns[i] - 500 + n * 10);
            ck_assert_int_eq(twcc_diff_us(report.arrived_us[9], wire * TWCC_TICK_US), 0);
        }
    }
}

END_TEST

START_TEST(a_filling_window_wants_feedback)
{
    twcc_recorder_init(&recorder);
    for (uint32_t n = 0; n < TWCC_WINDOW_N + 100; n++) {
        bool wants = record((uint16_t)(65000 + n), n * 4);
        ck_assert_int_eq(wants, n + 1 >= TWCC_PENDING_MAX);
    }
    feed_back(RTCP_BYTES_MAX); /* nobody came: the oldest hundred have fallen out */
    ck_assert_uint_eq(report.items_n, TWCC_WINDOW_N);
    ck_assert_uint_eq(report.numbers[0], (uint16_t)(65000 + 100));
    for (size_t i = 0; i < report.items_n; i++)
        MUST(report.received[i]);
    ck_assert(!record((uint16_t)(65000 + TWCC_WINDOW_N + 100), 5000));
}

END_TEST

START_TEST(gaps)
{
    static const struct {
        uint16_t gap;
        size_t items_n; /* reported of 0, 1 and the number behind the gap */
    } rows[] = {{1, 4},
                {100, 103},
                {TWCC_WINDOW_N - 3, TWCC_WINDOW_N},
                {TWCC_WINDOW_N - 2, TWCC_WINDOW_N},
                {TWCC_WINDOW_N - 1, TWCC_WINDOW_N},
                {TWCC_WINDOW_N, 1},
                {30000, 1}};

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        twcc_recorder_init(&recorder);
        record(65535, 100);
        record(0, 101);
        uint16_t number = (uint16_t)(1 + rows[i].gap);
        record(number, 102);
        feed_back(RTCP_BYTES_MAX);
        ck_assert_uint_eq(report.items_n, rows[i].items_n);
        ck_assert_uint_eq(report.numbers[report.items_n - 1], number);
        ck_assert(report.received[report.items_n - 1]);
        for (size_t k = 0; k + 1 < report.items_n; k++)
            MUST(report.received[k] == (report.numbers[k] == 65535 || report.numbers[k] == 0));
    }
}

END_TEST

START_TEST(numbering_begins_anew)
{
    twcc_recorder_init(&recorder);
    record(30000, 100);
    feed_back(RTCP_BYTES_MAX);
    record(10000, 110); /* alone: a stray */
    ck_assert(!twcc_pending(&recorder));
    record(30001, 111);
    record(10001, 112); /* not consecutive */
    feed_back(RTCP_BYTES_MAX);
    ck_assert_uint_eq(report.items_n, 1);
    ck_assert_uint_eq(report.numbers[0], 30001);
    record(500, 120);
    record(501, 121); /* a second one: it is meant */
    record(502, 122);
    feed_back(RTCP_BYTES_MAX);
    ck_assert_uint_eq(report.items_n, 2);
    ck_assert_uint_eq(report.numbers[0], 501);
}

END_TEST

/* Every room from none: no room is said, progress is made otherwise, and nothing is lost. */
START_TEST(every_buffer_size)
{
    for (size_t room = 0; room <= 160; room++) {
        struct random random = {.state = room};
        twcc_recorder_init(&recorder);
        int64_t ticks = 0x1000;
        for (uint16_t n = 0; n < 200; n++) {
            ticks += random_below(&random, n < 100 ? 20 : 400);
            if (n == 0 || n == 199 || random_below(&random, 3))
                record((uint16_t)(65500 + n), ticks);
        }
        if (room < TWCC_BYTES_MIN) {
            struct rtcp_writer writer = {guard_take(room), 0, room};
            ck_assert(!twcc_write(&recorder, &writer, 1));
            ck_assert_uint_eq(writer.at, 0);
            continue;
        }
        feed_back(room);
        ck_assert_uint_eq(report.items_n, 200);
        for (size_t i = 0; i < 200; i++)
            MUST(report.numbers[i] == (uint16_t)(65500 + i));
    }
}

END_TEST

/* A lossy, reordering link over many wraps of the number: every packet that came within the window
 * is reported with its time, none that did not. */
START_TEST(round_trip)
{
    enum { N = 300000, LATE_MAX = 300 };
    struct random random = {.state = 99};
    static int32_t ticks_of[65536]; /* -1 = not received */
    static bool told[65536];
    memset(ticks_of, 0xff, sizeof(ticks_of));
    twcc_recorder_init(&recorder);
    int64_t ticks = 0x1000;
    uint32_t late = 0; /* one held back */
    bool held = false;
    uint64_t came_n = 0, told_n = 0;
    for (uint32_t n = 60000; n < 60000 + N; n++) {
        uint16_t number = (uint16_t)n;
        ticks += random_below(&random, 1000) ? random_below(&random, 6) : 40000;
        ticks_of[(uint16_t)(number + 20000)] = -1; /* the next turn's */
        told[(uint16_t)(number + 20000)] = false;
        uint32_t what = random_below(&random, 100);
        if (what == 0 && !held) {
            held = true;
            late = n;
        } else if (what > 4 || n == 60000) {
            record(number, ticks);
            ticks_of[number] = (int32_t)ticks;
            came_n++;
        }
        if (held && n - late > random_below(&random, LATE_MAX)) {
            record((uint16_t)late, ticks);
            ticks_of[(uint16_t)late] = (int32_t)ticks;
            came_n++;
            held = false;
        }
        if (random_below(&random, 100))
            continue;
        size_t room = 24 + random_below(&random, 600);
        feed_back(room);
        for (size_t i = 0; i < report.items_n; i++) {
            uint16_t at = report.numbers[i];
            MUST(report.received[i] == (ticks_of[at] >= 0));
            if (!report.received[i])
                continue;
            MUST(twcc_diff_us(report.arrived_us[i], (int64_t)ticks_of[at] * TWCC_TICK_US) == 0);
            told_n += !told[at];
            told[at] = true;
        }
    }
    feed_back(RTCP_BYTES_MAX);
    for (size_t i = 0; i < report.items_n; i++)
        told_n += report.received[i] && !told[report.numbers[i]];
    ck_assert_uint_eq(told_n, came_n);
    ck_assert_uint_gt(came_n, N / 10 * 9);
}

END_TEST

Suite *rtcp_twcc_suite(void)
{
    Suite *suite = suite_create("rtcp_twcc");
    TCase *tcase = tcase_create("twcc");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, reads_every_kind_of_chunk);
    tcase_add_test(tcase, every_length);
    tcase_add_loop_test(tcase, checks_the_whole_message, 0, (int)ARRAY_N(messages));
    tcase_add_test(tcase, other_feedback_is_not_read);
    tcase_add_test(tcase, differences_across_the_axis);
    tcase_add_test(tcase, writes_what_it_read);
    tcase_add_test(tcase, packs_as_short_as_the_draft_allows);
    tcase_add_test(tcase, reordered_and_duplicate);
    tcase_add_test(tcase, before_the_first);
    tcase_add_test(tcase, long_silences);
    tcase_add_test(tcase, time_wraps_with_the_axis);
    tcase_add_test(tcase, a_filling_window_wants_feedback);
    tcase_add_test(tcase, gaps);
    tcase_add_test(tcase, numbering_begins_anew);
    tcase_add_test(tcase, every_buffer_size);
    tcase_add_test(tcase, round_trip);
    suite_add_tcase(suite, tcase);
    return suite;
}
