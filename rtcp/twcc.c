/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/twcc.c - arrivals recorded and written as feedback. */
#include "rtcp/twcc.h"

enum {
    HEAD_BYTES = RTCP_FB_HEAD_BYTES + 8,
    CHUNK_BYTES = 2,
    VECTOR_1_N = 14, /* symbols of a vector chunk, of one bit and of two */
    VECTOR_2_N = 7,
    LOST = 0,
    SMALL = 1,
    LARGE = 2,
};

static_assert((TWCC_WINDOW_N & (TWCC_WINDOW_N - 1)) == 0, "numbers are masked into the window");
static_assert(TWCC_REFERENCE_US == 256 * TWCC_TICK_US, "reference time is ticks without 8 bits");
static_assert(HEAD_BYTES + CHUNK_BYTES * (TWCC_WINDOW_N / VECTOR_2_N + 1) + TWCC_WINDOW_N <=
                  RTCP_BYTES_MAX,
              "a window of small deltas goes into one message");

void twcc_recorder_init(struct twcc_recorder *recorder)
{
    memset(recorder, 0, offsetof(struct twcc_recorder, ticks));
}

static bool is_seen(const struct twcc_recorder *recorder, uint32_t number)
{
    uint32_t at = number % TWCC_WINDOW_N;
    return recorder->seen[at / 64] >> (at % 64) & 1;
}

static void restart(struct twcc_recorder *recorder, uint32_t number)
{
    memset(recorder->seen, 0, sizeof(recorder->seen));
    recorder->started = true;
    recorder->base = number;
    recorder->end = number;
}

/* Moves the window's end behind `number`; what falls out of it was reported, or never will be. */
static void advance(struct twcc_recorder *recorder, uint32_t number)
{
    if (ts_diff(number, recorder->end) >= TWCC_WINDOW_N) {
        restart(recorder, number); /* all between was lost, or numbering began anew */
        recorder->end = number + 1;
        return;
    }
    for (; recorder->end != number + 1; recorder->end++) {
        uint32_t at = recorder->end % TWCC_WINDOW_N;
        recorder->seen[at / 64] &= ~(UINT64_C(1) << (at % 64));
    }
    if (ts_diff(recorder->end, recorder->base) > TWCC_WINDOW_N)
        recorder->base = recorder->end - TWCC_WINDOW_N;
}

/* Whether a number older than the window is the second of a new numbering. */
static bool is_restart(struct twcc_recorder *recorder, uint16_t number)
{
    bool again = recorder->stray && number == recorder->stray_next;
    recorder->stray = true;
    recorder->stray_next = (uint16_t)(number + 1);
    return again;
}

bool twcc_record(struct twcc_recorder *recorder, uint16_t number, uint32_t media_ssrc,
                 int64_t arrived_us)
{
    if (!recorder->started)
        restart(recorder, 0x10000u + number);

    uint32_t extended = seq_extend(recorder->end - 1, number);
    if (ts_diff(recorder->end, extended) > TWCC_WINDOW_N) {
        if (!is_restart(recorder, number))
            return false;
        restart(recorder, extended);
    }
    recorder->stray = false;
    if (!ts_newer(recorder->end, extended))
        advance(recorder, extended);
    else if (is_seen(recorder, extended))
        return false;
    else if (ts_newer(recorder->base, extended))
        recorder->base = extended; /* late: what was reported as lost is reported again */

    uint32_t at = extended % TWCC_WINDOW_N;
    recorder->seen[at / 64] |= UINT64_C(1) << (at % 64);
    recorder->ticks[at] = (uint32_t)((uint64_t)arrived_us / TWCC_TICK_US);
    recorder->media_ssrc = media_ssrc;
    return ts_diff(recorder->end, recorder->base) >= TWCC_PENDING_MAX;
}

bool twcc_pending(const struct twcc_recorder *recorder)
{
    return recorder->base != recorder->end;
}

/* What one message says: built first, then written. */
struct message {
    uint32_t reference; /* ticks, without their lower 8 bits */
    uint32_t n;
    uint32_t delta_bytes;
    uint8_t symbols[TWCC_WINDOW_N];
    int16_t deltas[TWCC_WINDOW_N];
};

/* Time of the first packet that came, from `number` on. The window ends with one that did. */
static uint32_t first_ticks(const struct twcc_recorder *recorder)
{
    uint32_t number = recorder->base;
    while (number != recorder->end && !is_seen(recorder, number))
        number++;
    ASSERT(number != recorder->end);
    return recorder->ticks[number % TWCC_WINDOW_N];
}

/* Takes numbers from the window's begin for as long as `room` holds them in the worst packing and
 * deltas can say them. */
static void gather(const struct twcc_recorder *recorder, size_t room, struct message *message)
{
    message->reference = first_ticks(recorder) & ~UINT32_C(0xff);
    message->n = 0;
    message->delta_bytes = 0;
    uint32_t last = message->reference;
    for (uint32_t number = recorder->base; number != recorder->end; number++) {
        uint8_t symbol = LOST;
        int32_t delta = 0;
        if (is_seen(recorder, number)) {
            uint32_t ticks = recorder->ticks[number % TWCC_WINDOW_N];
            delta = (int32_t)(ticks - last);
            if (delta < INT16_MIN || delta > INT16_MAX)
                return; /* the next message has a reference time of its own */
            symbol = delta >= 0 && delta <= UINT8_MAX ? SMALL : LARGE;
            last = ticks;
        }
        size_t chunks_n = message->n / VECTOR_2_N + 1;
        size_t bytes = HEAD_BYTES + chunks_n * CHUNK_BYTES + message->delta_bytes + symbol;
        if ((bytes + 3) / 4 * 4 > room)
            return;
        message->symbols[message->n] = symbol;
        message->deltas[message->n++] = (int16_t)delta;
        message->delta_bytes += symbol; /* 0, 1 or 2 bytes */
    }
}

/* The chunk that says most of what begins at `symbols`; `*taken` is how many. At least seven, or
 * all: gather() counts on it. */
static uint16_t pack_chunk(const uint8_t *symbols, uint32_t n, uint32_t *taken)
{
    uint32_t run = 1;
    while (run < n && symbols[run] == symbols[0])
        run++;
    uint32_t plain = 0; /* without a large delta: what one bit can say */
    while (plain < n && plain < VECTOR_1_N && symbols[plain] != LARGE)
        plain++;

    bool one_bit = plain == VECTOR_1_N || plain == n;
    uint32_t vector_n = one_bit ? VECTOR_1_N : VECTOR_2_N;
    if (run >= vector_n || run == n) {
        *taken = run;
        return (uint16_t)((unsigned)symbols[0] << 13 | run);
    }
    *taken = n < vector_n ? n : vector_n;
    unsigned chunk = one_bit ? 0x8000 : 0xc000;
    unsigned width = one_bit ? 1 : 2;
    for (uint32_t i = 0; i < *taken; i++)
        chunk |= (unsigned)symbols[i] << (width * (vector_n - 1 - i));
    return (uint16_t)chunk;
}

static uint8_t *write_chunks(uint8_t *to, const struct message *message)
{
    for (uint32_t at = 0, taken = 0; at < message->n; at += taken) {
        put_be16(to, pack_chunk(message->symbols + at, message->n - at, &taken));
        to += CHUNK_BYTES;
    }
    return to;
}

static uint8_t *write_deltas(uint8_t *to, const struct message *message)
{
    for (uint32_t i = 0; i < message->n; i++) {
        if (message->symbols[i] == SMALL)
            *to++ = (uint8_t)message->deltas[i];
        if (message->symbols[i] == LARGE) {
            put_be16(to, (uint16_t)message->deltas[i]);
            to += 2;
        }
    }
    return to;
}

bool twcc_write(struct twcc_recorder *recorder, struct rtcp_writer *writer, uint32_t sender_ssrc)
{
    size_t room = writer->bytes_max - writer->at;
    if (!twcc_pending(recorder) || room < TWCC_BYTES_MIN)
        return false;
    struct message message;
    gather(recorder, room, &message);
    ASSERT(message.n > 0);

    uint8_t *to = writer->data + writer->at;
    uint8_t *end = write_deltas(write_chunks(to + HEAD_BYTES, &message), &message);
    size_t bytes = (size_t)(end - to);
    size_t padded_bytes = (bytes + 3) / 4 * 4;
    to = rtcp_writer_take(writer, RTCP_RTPFB, RTCP_FB_TWCC, padded_bytes);
    ASSERT(to);
    memset(to + bytes, 0, padded_bytes - bytes);
    put_be32(to + 4, sender_ssrc);
    put_be32(to + 8, recorder->media_ssrc);
    put_be16(to + 12, (uint16_t)recorder->base);
    put_be16(to + 14, (uint16_t)message.n);
    put_be24(to + 16, message.reference >> 8);
    to[19] = recorder->feedback_n++;
    recorder->base += message.n;
    return true;
}
