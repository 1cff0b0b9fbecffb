/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_frame_test.c - RFC 4571 frames: cut anywhere on the way in, in any parts on the way out.
 */
#include "net/frame.h"
#include "test/guard.h"
#include "test/must.h"
#include "test/suite.h"

enum { STREAM_BYTES_MAX = 160000, CHUNKS_N = 6 };

/* Lengths of the frames of a stream: usual ones, the longest, what is passed over. */
static const uint16_t lengths[] = {
    1, 2,    1200, FRAME_BYTES_MAX, 0, 0, 20, FRAME_BYTES_MAX + 1, 3, 65535,
    7, 4096, 0,    FRAME_BYTES_MAX, 1};

enum { WHOLE_N = 9, TOO_LONG_N = 3, EMPTY_N = 3 };

static uint8_t byte_of(size_t frame, size_t at)
{
    return (uint8_t)(frame * 41 + at * 3 + 1);
}

static size_t stream_make(uint8_t *stream)
{
    size_t bytes = 0;
    for (size_t frame = 0; frame < ARRAY_N(lengths); frame++) {
        put_be16(stream + bytes, lengths[frame]);
        bytes += FRAME_HEAD_BYTES;
        for (size_t at = 0; at < lengths[frame]; at++)
            stream[bytes++] = byte_of(frame, at);
    }
    MUST(bytes <= STREAM_BYTES_MAX);
    return bytes;
}

static bool is_whole(size_t frame)
{
    return lengths[frame] > 0 && lengths[frame] <= FRAME_BYTES_MAX;
}

/* Feeds the stream in pieces; returns how many frames came, each as it was. */
static size_t feed(const uint8_t *stream, size_t bytes, size_t step, uint8_t *buffer,
                   size_t buffer_bytes, struct frame_faults *faults)
{
    struct frame_reader reader = {0};
    size_t n = 0;
    size_t frame = 0;
    for (size_t at = 0; at < bytes;) {
        size_t room = 0;
        uint8_t *to = frame_room(&reader, buffer, buffer_bytes, &room);
        MUST(room > 0);
        MUST(to >= buffer && to + room == buffer + buffer_bytes);
        size_t some = min_size(min_size(step, room), bytes - at);
        memcpy(to, stream + at, some);
        frame_filled(&reader, some);
        at += some;
        const uint8_t *got;
        size_t length = 0;
        while ((got = frame_next(&reader, buffer, &length, faults)) != NULL) {
            while (!is_whole(frame))
                frame++;
            MUST(length == lengths[frame]);
            MUST(got >= buffer && got + length <= buffer + buffer_bytes);
            for (size_t i = 0; i < length; i++)
                MUST(got[i] == byte_of(frame, i));
            frame++;
            n++;
        }
    }
    MUST(bytes == 0 || reader.end - reader.at <= FRAME_BUFFER_BYTES_MIN);
    return n;
}

/* The buffer ends at a page that may not be touched, the smallest one and larger ones. */
START_TEST(frames_come_whole_however_they_are_cut)
{
    static uint8_t stream[STREAM_BYTES_MAX];
    static const size_t steps[] = {1, 2, 3, 7, 100, 1460, 1910, 4096, 100000};
    static const size_t buffers[] = {FRAME_BUFFER_BYTES_MIN, FRAME_BUFFER_BYTES_MIN + 1, 8192};
    size_t bytes = stream_make(stream);
    for (size_t i = 0; i < ARRAY_N(steps) * ARRAY_N(buffers); i++) {
        size_t buffer_bytes = buffers[i % ARRAY_N(buffers)];
        struct frame_faults faults = {0};
        size_t n = feed(stream, bytes, steps[i / ARRAY_N(buffers)], guard_take(buffer_bytes),
                        buffer_bytes, &faults);
        ck_assert_uint_eq(n, WHOLE_N);
        ck_assert_uint_eq(faults.too_long, TOO_LONG_N);
        ck_assert_uint_eq(faults.empty, EMPTY_N);
    }
}

END_TEST

/* A stream that stops anywhere gives the frames that were whole by then. */
START_TEST(every_prefix_gives_its_whole_frames)
{
    static uint8_t stream[STREAM_BYTES_MAX];
    size_t all = stream_make(stream);
    size_t end = 0;
    size_t expected = 0;
    for (size_t frame = 0; frame < ARRAY_N(lengths); frame++) {
        size_t head = end;
        end += FRAME_HEAD_BYTES + (size_t)lengths[frame];
        size_t step = lengths[frame] > 5000 ? 997 : 1;
        for (size_t bytes = head; bytes < end; bytes += step) {
            struct frame_faults faults = {0};
            size_t n = feed(stream, bytes, 8192, guard_take(8192), 8192, &faults);
            MUST(n == expected);
        }
        expected += is_whole(frame);
    }
    ck_assert_uint_eq(end, all);
    ck_assert_uint_eq(expected, WHOLE_N);
}

END_TEST

/* ---- out ---- */

struct out {
    struct arena arena;
    struct frame_pool pool;
    struct frame_queue queue;
};

static void out_open(struct out *out)
{
    *out = (struct out){0};
    ck_assert_int_eq(arena_init(&out->arena, frame_pool_bytes(FRAME_CHUNK_BYTES, CHUNKS_N)), 0);
    frame_pool_init(&out->pool, &out->arena, FRAME_CHUNK_BYTES, CHUNKS_N);
}

static void out_close(struct out *out)
{
    frame_clear(&out->queue, &out->pool);
    ck_assert_uint_eq(out->pool.used_n, 0);
    arena_exit(&out->arena);
}

static enum drop put(struct out *out, uint32_t bytes_max, size_t frame, size_t bytes)
{
    uint8_t packet[8192];
    for (size_t at = 0; at < bytes; at++)
        packet[at] = byte_of(frame, at);
    const uint8_t *guarded = guard_copy(packet, bytes);
    return frame_put(&out->queue, &out->pool, bytes_max, guarded, bytes);
}

/* Sends up to `bytes`, appended to `to`. */
static size_t send_some(struct out *out, size_t bytes, uint8_t *to)
{
    struct iovec vectors[FRAME_VECTORS_MAX];
    size_t n = frame_vectors(&out->queue, &out->pool, vectors);
    size_t done = 0;
    for (size_t i = 0; i < n && done < bytes; i++) {
        size_t some = min_size(vectors[i].iov_len, bytes - done);
        memcpy(to + done, vectors[i].iov_base, some);
        done += some;
    }
    frame_sent(&out->queue, &out->pool, done);
    return done;
}

/* Frames of all lengths, sent so many bytes at a time while more are queued. */
START_TEST(frames_leave_whole_in_any_parts)
{
    static const size_t parts[] = {1, 2, 3, 500, 1460, 4095, 4096, 4097, 20000};
    static uint8_t stream[STREAM_BYTES_MAX * 2];
    for (size_t row = 0; row < ARRAY_N(parts); row++) {
        struct out out;
        size_t sent = 0;
        size_t queued = 0;
        out_open(&out);
        for (size_t frame = 0; frame < 120;) {
            size_t bytes = 1 + frame * 211 % 1500;
            if (put(&out, 20000, frame, bytes) == DROP_NONE) {
                frame++;
                queued += FRAME_HEAD_BYTES + bytes;
            } else {
                sent += send_some(&out, parts[row], stream + sent);
            }
            MUST(out.queue.bytes == queued - sent);
        }
        while (out.queue.bytes > 0)
            sent += send_some(&out, parts[row], stream + sent);
        ck_assert_uint_eq(sent, queued);
        ck_assert_uint_eq(out.pool.used_n, 0);
        const uint8_t *at = stream;
        for (size_t frame = 0; frame < 120; frame++) {
            size_t bytes = 1 + frame * 211 % 1500;
            MUST(be16(at) == bytes);
            for (size_t i = 0; i < bytes; i++)
                MUST(at[FRAME_HEAD_BYTES + i] == byte_of(frame, i));
            at += FRAME_HEAD_BYTES + bytes;
        }
        out_close(&out);
    }
}

END_TEST

/* At every bound from 0 to what is needed: all of a frame or nothing of it. */
START_TEST(a_frame_is_taken_whole_or_refused_whole)
{
    struct out out;
    uint8_t stream[300];
    out_open(&out);
    for (uint32_t bytes_max = 0; bytes_max <= 210; bytes_max++) {
        enum drop first = put(&out, bytes_max, 1, 100);
        ck_assert_int_eq(first, bytes_max >= 102 ? DROP_NONE : DROP_TCP_FULL);
        enum drop second = put(&out, bytes_max, 2, 100);
        ck_assert_int_eq(second, bytes_max >= 204 ? DROP_NONE : DROP_TCP_FULL);
        uint32_t expected = (first == DROP_NONE ? 102u : 0) + (second == DROP_NONE ? 102u : 0);
        ck_assert_uint_eq(out.queue.bytes, expected);
        ck_assert_uint_eq(send_some(&out, sizeof(stream), stream), expected);
        ck_assert_uint_eq(out.pool.used_n, 0);
    }
    out_close(&out);
}

END_TEST

/* The pool is shared: who finds it used up is refused, and served again when others have sent. */
START_TEST(a_used_up_pool_refuses)
{
    struct out out;
    struct frame_queue other = {0};
    uint8_t packet[2000] = {0};
    static uint8_t stream[STREAM_BYTES_MAX];
    out_open(&out);
    int n = 0;
    while (put(&out, 1 << 20, 1, 2000) == DROP_NONE)
        n++;
    ck_assert_int_eq(n, CHUNKS_N * FRAME_CHUNK_BYTES / 2002);
    ck_assert_int_eq(put(&out, 1 << 20, 1, 2000), DROP_TCP_MEMORY);
    ck_assert_int_eq(frame_put(&other, &out.pool, 65536, packet, 1), DROP_TCP_MEMORY);
    ck_assert_uint_eq(other.bytes, 0);
    send_some(&out, FRAME_CHUNK_BYTES, stream);
    ck_assert_int_eq(frame_put(&other, &out.pool, 65536, packet, sizeof(packet)), DROP_NONE);
    frame_clear(&other, &out.pool);
    out_close(&out);
}

END_TEST

START_TEST(pages_of_an_unused_pool_go_back)
{
    struct out out;
    out_open(&out);
    uint32_t first = frame_pool_take(&out.pool), second = frame_pool_take(&out.pool);
    memset(frame_pool_at(&out.pool, first), 1, FRAME_CHUNK_BYTES);
    frame_pool_rest(&out.pool); /* they are used */
    ck_assert_uint_eq(frame_pool_at(&out.pool, first)[0], 1);
    frame_pool_give(&out.pool, first);
    ck_assert_uint_eq(frame_pool_take(&out.pool), first); /* the warm one */
    frame_pool_give(&out.pool, first);
    frame_pool_give(&out.pool, second);
    frame_pool_rest(&out.pool);
    frame_pool_rest(&out.pool);
    for (uint32_t i = 0; i < CHUNKS_N; i++)
        ck_assert_uint_eq(frame_pool_take(&out.pool), i);
    ck_assert_uint_eq(frame_pool_take(&out.pool), FRAME_NONE);
    for (uint32_t i = 0; i < CHUNKS_N; i++)
        frame_pool_give(&out.pool, i);
    out_close(&out);
}

END_TEST

Suite *net_frame_suite(void);

Suite *net_frame_suite(void)
{
    Suite *suite = suite_create("net/frame");
    TCase *tcase = tcase_create("frame");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, frames_come_whole_however_they_are_cut);
    tcase_add_test(tcase, every_prefix_gives_its_whole_frames);
    tcase_add_test(tcase, frames_leave_whole_in_any_parts);
    tcase_add_test(tcase, a_frame_is_taken_whole_or_refused_whole);
    tcase_add_test(tcase, a_used_up_pool_refuses);
    tcase_add_test(tcase, pages_of_an_unused_pool_go_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
