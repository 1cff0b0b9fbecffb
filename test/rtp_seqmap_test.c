/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_seqmap_test.c - rtp/seqmap: single rules by hand, all of them at once against a naive
 * model. */
#include "core/random.h"
#include "rtp/seqmap.h"
#include "test/suite.h"

#include <stdlib.h>

enum { CLOCK = 90000, A = 7, B = 8 };

static struct seqmap map;
static struct seqmap_range older[SEQMAP_OLDER]; /* what earlier tests left in it does not matter */
static struct seqmap_out out;

static bool forward(uint32_t stream, uint32_t seq_ext)
{
    return seqmap_forward(&map, stream, seq_ext, seq_ext * 10, CLOCK, 0, &out);
}

/* Forwards and asserts the number that comes out. */
static void forwards(uint32_t stream, uint32_t seq_ext, uint32_t seq_out, int line)
{
    ck_assert_msg(forward(stream, seq_ext), "line %d: refused", line);
    ck_assert_msg(out.seq_ext == seq_out, "line %d: %u instead of %u", line, out.seq_ext, seq_out);
    ck_assert_uint_eq(out.seq, (uint16_t)seq_out);
    struct seqmap_in in;
    ck_assert_msg(seqmap_reverse(&map, out.seq, &in), "line %d: not found again", line);
    ck_assert_uint_eq(in.stream, stream);
    ck_assert_uint_eq(in.seq_ext, seq_ext);
    ck_assert_uint_eq(in.out_ext, seq_out);
    ck_assert_uint_eq(in.ts_delta, out.ts_delta);
}

#define FORWARDS(stream, seq_ext, seq_out) forwards(stream, seq_ext, seq_out, __LINE__)

static void begin(void)
{
    seqmap_init(&map, 100, 5000, older);
}

START_TEST(starts_as_told)
{
    begin();
    struct seqmap_in in;
    ck_assert(!seqmap_reverse(&map, 100, &in));
    ck_assert(!seqmap_reverse(&map, 99, &in));
    FORWARDS(A, 0x10000 + 65535, 100);
    ck_assert_uint_eq(out.rtp_ts, 5000);
    FORWARDS(A, 0x10000 + 65536, 101);
    ck_assert_uint_eq(out.rtp_ts, 5010);
    ck_assert(!seqmap_reverse(&map, 102, &in));
    ck_assert(!seqmap_reverse(&map, 99, &in));
    ck_assert(!forward(A, 0x10000 + 65534)); /* before the first: SRTP's index cannot go below it */
}

END_TEST

START_TEST(losses_stay_visible)
{
    begin();
    FORWARDS(A, 10, 100);
    FORWARDS(A, 14, 104);
    FORWARDS(A, 12, 102); /* late */
    struct seqmap_in in;
    ck_assert(seqmap_reverse(&map, 103, &in)); /* lost upstream: whoever has it may send it */
    ck_assert_uint_eq(in.seq_ext, 13);
    FORWARDS(A, 15, 105);
}

END_TEST

START_TEST(drops_leave_no_gap)
{
    begin();
    FORWARDS(A, 10, 100);
    seqmap_drop(&map, A, 11);
    seqmap_drop(&map, A, 12);
    FORWARDS(A, 13, 101);
    seqmap_drop(&map, A, 16); /* 14 and 15 are on their way */
    FORWARDS(A, 17, 104);
    FORWARDS(A, 15, 103);
    FORWARDS(A, 14, 102);
    ck_assert(!forward(A, 12)); /* its place was closed */
    ck_assert(!forward(A, 16));
    seqmap_drop(&map, A, 15); /* late: nothing */
    FORWARDS(A, 18, 105);
    seqmap_drop(&map, A, 20);
    seqmap_drop(&map, A, 22); /* 19 and 21 are missing */
    FORWARDS(A, 21, 107);
    FORWARDS(A, 23, 108);
    FORWARDS(A, 19, 106);
    ck_assert_uint_eq(out.ts_delta, 5000 - 100);
}

END_TEST

START_TEST(resume_leaves_no_gap)
{
    begin();
    FORWARDS(A, 10, 100);
    FORWARDS(A, 13, 103);
    seqmap_sync(&map);
    FORWARDS(A, 12, 102); /* late, from before */
    FORWARDS(A, 50, 104);
    ck_assert_uint_eq(out.rtp_ts, 5000 + 400); /* same stream, same clock */
    ck_assert(!forward(A, 14));                /* its place is taken */
    ck_assert(!forward(A, 49));
    FORWARDS(A, 11, 101);
    FORWARDS(A, 51, 105);
}

END_TEST

/* A drop keeps numbers for what may come late; a resume takes them back. */
START_TEST(resume_after_a_drop_takes_numbers_back)
{
    begin();
    FORWARDS(A, 10, 100);
    seqmap_drop(&map, A, 20);
    FORWARDS(A, 12, 102);
    seqmap_sync(&map);
    FORWARDS(A, 30, 103);
    ck_assert(!forward(A, 13));
    ck_assert(!forward(A, 19));
    FORWARDS(A, 11, 101);
    FORWARDS(A, 31, 104);
}

END_TEST

START_TEST(another_stream_goes_on_in_time)
{
    begin();
    ck_assert(seqmap_forward(&map, A, 10, 1000, CLOCK, 1000000, &out));
    ck_assert(seqmap_forward(&map, A, 11, 4000, CLOCK, 1033333, &out));
    ck_assert_uint_eq(out.rtp_ts, 8000);
    ck_assert(seqmap_forward(&map, B, 777777, 0xfffffff0, CLOCK, 1133333, &out));
    ck_assert_uint_eq(out.seq_ext, 102);
    ck_assert_uint_eq(out.rtp_ts, 8000 + 9000); /* 100 ms later */
    ck_assert(seqmap_forward(&map, B, 777778, 0xfffffff0 + 3000, CLOCK, 1133333, &out));
    ck_assert_uint_eq(out.rtp_ts, 8000 + 12000);
    ck_assert(
        seqmap_forward(&map, A, 12, 7000, CLOCK, 1133333, &out)); /* at once: never the same */
    ck_assert_uint_eq(out.seq_ext, 104);
    ck_assert_uint_eq(out.rtp_ts, 8000 + 12001);
    ck_assert(seqmap_forward(&map, B, 777779, 1, CLOCK, 1133333 + 86400LL * 1000000 * 1000, &out));
    ck_assert_uint_eq(out.rtp_ts, 8000 + 12001 + (uint32_t)(86400ULL * 1000 * CLOCK));
    ck_assert(seqmap_forward(&map, A, 13, 0, CLOCK, 0, &out)); /* a clock that went back */
    ck_assert_uint_eq(out.rtp_ts, 8000 + 12002 + (uint32_t)(86400ULL * 1000 * CLOCK));
}

END_TEST

START_TEST(forgets_and_refuses)
{
    begin();
    FORWARDS(A, 10, 100);
    FORWARDS(A, 12, 102);
    uint32_t at = 12;
    for (uint32_t i = 0; i < SEQMAP_RANGES - 1; i++) {
        seqmap_drop(&map, A, ++at);
        at++;
        FORWARDS(A, at, 103 + i);
    }
    struct seqmap_in in;
    ck_assert(seqmap_reverse(&map, 100, &in)); /* the last chance */
    FORWARDS(A, 11, 101);
    seqmap_drop(&map, A, ++at);
    ck_assert(!seqmap_reverse(&map, 100, &in));
    ck_assert(!forward(A, 10));
    ck_assert(seqmap_reverse(&map, 103, &in));
    ck_assert_uint_eq(in.seq_ext, 14);
}

END_TEST

/* Sixteen bits name the newest half cycle and no more. */
START_TEST(half_a_cycle_back)
{
    begin();
    FORWARDS(A, 1000, 100);
    FORWARDS(A, 1000 + 0x8000, 100 + 0x8000);
    ck_assert(!forward(A, 999 + 1));
    FORWARDS(A, 1000 + 1, 101);
    seqmap_sync(&map);
    FORWARDS(A, 200000, 101 + 0x8000);
    FORWARDS(A, 200000 + 0x9000, 101 + 0x8000 + 0x9000);
    seqmap_drop(&map, A, 200001 + 0x9000); /* opens a range: the first one is too far behind */
    ck_assert_uint_le(map.n, 2);
}

END_TEST

/* One range over the wraps of 2^31 and 2^32, as after days without an interruption. */
START_TEST(days_without_interruption)
{
    begin();
    uint32_t at = 0xc0000000;
    uint32_t number = 100;
    FORWARDS(A, at, number);
    seqmap_sync(&map);
    FORWARDS(A, at + 5, number + 1);
    at += 5;
    number++;
    for (int i = 0; i < 40; i++) {
        at += 0x10000000;
        number += 0x10000000;
        FORWARDS(A, at, number);
        FORWARDS(A, at - 20000, number - 20000);
        ck_assert(!forward(A, at - 0x8000));
    }
    ck_assert_uint_eq(map.n, 1);
    seqmap_drop(&map, A, at + 1);
    FORWARDS(A, at + 2, number + 1);
    FORWARDS(A, at - 1, number - 1);
}

END_TEST

/* A consumer paused for so long that the producer's numbers have gone round. */
START_TEST(weeks_of_pause)
{
    static const uint32_t passed[] = {0x7fffffff, 0x80000000, 0x80000010, 0xc0000000, 0xffff0000};
    begin();
    FORWARDS(A, 0x20000, 100);
    seqmap_sync(&map);
    FORWARDS(A, 0x20001 + passed[_i], 101);
    FORWARDS(A, 0x20002 + passed[_i], 102);
    FORWARDS(B, 7, 103); /* the same for a stream that comes back */
    FORWARDS(A, 0x20003 + passed[_i] * 2, 104);
    FORWARDS(A, 0x20004 + passed[_i] * 2, 105);
}

END_TEST

/* ---- against a model ---- */

enum { STREAMS = 2, DELAYED_MAX = 64 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STEPS = 250000 };
#else
enum { STEPS = 1200000 };
#endif

enum place { UNSEEN, OPEN, CLOSED };

/* What the model knows of one packet that a stream has numbered. */
struct record {
    uint32_t tag;
    uint32_t number; /* out, once assigned */
    uint32_t opens;  /* when it was assigned */
    enum place place;
};

/* What stands behind one out-number. */
struct assigned {
    uint32_t stream, index, delta;
    bool sent;
};

struct stream {
    struct record *records;
    uint32_t base; /* extended number of records[0] */
    uint32_t n;    /* numbered so far */
    uint32_t tag;
    uint32_t tag_max; /* index that counting has come to under this tag */
    bool tag_used;
};

static struct model {
    struct random random;
    struct stream streams[STREAMS];
    struct assigned *assigned; /* by out-number */
    uint32_t current;          /* stream that the consumer gets */
    uint32_t newest_tag;
    uint32_t next; /* out-number that the next in line will have */
    uint32_t sent_max;
    uint32_t opens; /* interruptions so far */
    uint32_t tags;
    uint32_t ts_max, delta;
    int64_t sent_us, now_us;
    bool sync, row, paused;
    uint32_t drop_share; /* percent */

    struct {
        uint32_t stream, index, due;
    } delayed[DELAYED_MAX];

    uint32_t delayed_n;
    uint32_t forwarded, refused, dropped, lost, late;
} m;

static uint32_t ts_of(uint32_t stream, uint32_t index)
{
    return 0xfff00000 * (stream + 1) + index / 3 * 3000;
}

static struct record *record_of(uint32_t stream, uint32_t index)
{
    return &m.streams[stream].records[index];
}

/* Numbers behind the last one up to `index` get their places, in order; `drop`: the last gets none.
 */
static void assign(uint32_t stream, uint32_t index, bool drop)
{
    struct stream *s = &m.streams[stream];
    if (drop && !(m.row && index == s->tag_max + 1))
        m.opens++;
    m.row = drop;
    for (uint32_t i = s->tag_max + 1; i <= index; i++) {
        struct record *r = record_of(stream, i);
        r->tag = s->tag;
        /* What a drop closes behind itself belongs to the range before. */
        r->opens = drop ? m.opens - 1 : m.opens;
        if (drop && i == index) {
            r->place = CLOSED;
            break;
        }
        r->place = OPEN;
        r->number = m.next;
        m.assigned[m.next++] = (struct assigned){.stream = stream, .index = i, .delta = m.delta};
    }
    s->tag_max = index;
}

/* A range begins at `index`, right behind what was sent: what was kept free is closed. */
static void model_open(uint32_t stream, uint32_t index)
{
    struct stream *s = &m.streams[stream];
    for (uint32_t number = m.sent_max + 1; number < m.next; number++) {
        record_of(m.assigned[number].stream, m.assigned[number].index)->place = CLOSED;
        m.assigned[number].sent = false;
    }
    m.next = m.sent_max + 1;
    if (m.forwarded == 0) {
        m.delta = m.ts_max - ts_of(stream, index);
    } else if (m.newest_tag != s->tag) {
        uint32_t passed = (uint32_t)((uint64_t)(m.now_us - m.sent_us) * CLOCK / 1000000);
        m.delta = m.ts_max + (passed ? passed : 1) - ts_of(stream, index);
    }
    m.opens++;
    m.newest_tag = s->tag;
    m.sync = false;
    s->tag_used = true;
    s->tag_max = index - 1;
    assign(stream, index, false);
}

/* What must come of forwarding: a number, or 0 for refused; `*may_refuse` when its range may be
 * forgotten. */
static uint32_t model_forward(uint32_t stream, uint32_t index, bool *may_refuse)
{
    struct stream *s = &m.streams[stream];
    struct record *r = record_of(stream, index);
    *may_refuse = false;
    bool counted = s->tag_used && index <= s->tag_max;
    if (!counted && (m.sync || m.newest_tag != s->tag))
        model_open(stream, index);
    else if (!counted)
        assign(stream, index, false);
    else
        m.late++;
    if (r->place != OPEN || r->tag != s->tag)
        return 0;
    *may_refuse = m.opens - r->opens >= SEQMAP_RANGES;
    return r->number;
}

static void forward_one(uint32_t stream, uint32_t index)
{
    struct stream *s = &m.streams[stream];
    bool may_refuse;
    uint32_t number = model_forward(stream, index, &may_refuse);
    uint32_t ts = ts_of(stream, index);
    bool forwarded = seqmap_forward(&map, s->tag, s->base + index, ts, CLOCK, m.now_us, &out);
    if (!forwarded) {
        m.refused++;
        if (number != 0 && !may_refuse)
            ck_abort_msg("packet %u of %u refused, not sent as %u", index, stream, number);
        return;
    }
    if (out.seq_ext != number || out.seq != (uint16_t)number)
        ck_abort_msg("packet %u of %u sent as %u, not %u", index, stream, out.seq_ext, number);
    struct assigned *a = &m.assigned[number];
    if (a->sent)
        ck_abort_msg("number %u used twice", number);
    if (out.rtp_ts != ts + a->delta || out.ts_delta != a->delta)
        ck_abort_msg("packet %u of %u has timestamp %u", index, stream, out.rtp_ts);
    a->sent = true;
    m.forwarded++;
    if (number > m.sent_max) {
        m.sent_max = number;
        m.ts_max = out.rtp_ts;
        m.sent_us = m.now_us;
    }
}

static void deliver(uint32_t stream, uint32_t index)
{
    struct stream *s = &m.streams[stream];
    bool counted = s->tag_used && index <= s->tag_max;
    if (m.paused || record_of(stream, index)->tag != s->tag)
        return; /* of before a restart */
    if (stream != m.current && !counted)
        return; /* not the chosen stream */
    if (counted && m.newest_tag != s->tag &&
        m.opens - record_of(stream, s->tag_max)->opens >= SEQMAP_RANGES)
        return; /* late, of a stream that may be forgotten: it would count as another one */
    if (random_below(&m.random, 100) >= m.drop_share) {
        forward_one(stream, index);
        return;
    }
    m.dropped++;
    seqmap_drop(&map, s->tag, s->base + index);
    if (!m.sync && m.newest_tag == s->tag && m.forwarded > 0 && !counted)
        assign(stream, index, true);
}

static void deliver_delayed(uint32_t step)
{
    for (uint32_t i = 0; i < m.delayed_n; i++) {
        if (m.delayed[i].due > step)
            continue;
        uint32_t stream = m.delayed[i].stream;
        uint32_t index = m.delayed[i].index;
        m.delayed[i--] = m.delayed[--m.delayed_n];
        deliver(stream, index);
    }
}

/* A packet asked for at random among those sent lately, and one that was not sent yet. */
static void check_reverse(void)
{
    uint32_t back = random_below(&m.random, 3000);
    struct seqmap_in in;
    if (seqmap_reverse(&map, (uint16_t)(m.sent_max + 1 + back), &in))
        ck_abort_msg("number %u was not sent, yet it is found", m.sent_max + 1 + back);
    if (m.sent_max < back || !m.assigned[m.sent_max - back].sent)
        return;
    uint32_t number = m.sent_max - back;
    const struct assigned *a = &m.assigned[number];
    const struct record *r = record_of(a->stream, a->index);
    if (!seqmap_reverse(&map, (uint16_t)number, &in)) {
        if (m.opens - r->opens < SEQMAP_RANGES)
            ck_abort_msg("number %u is not found", number);
        return;
    }
    if (in.out_ext != number || in.stream != r->tag || in.ts_delta != a->delta ||
        in.seq_ext != m.streams[a->stream].base + a->index)
        ck_abort_msg("number %u gives the wrong packet", number);
}

/* Restart of a stream: another tag, as the owner gives it. */
static void restart(struct stream *s)
{
    s->tag = ++m.tags;
    s->tag_used = false;
}

static void interrupt(void)
{
    uint32_t what = random_below(&m.random, 1000);
    if (what < 2) {
        m.paused = true;
    } else if (what < 4 || (m.paused && what < 100)) {
        m.paused = false;
        m.sync = true;
        seqmap_sync(&map);
    } else if (what < 5) {
        restart(&m.streams[m.current]);
    } else if (what < 7) {
        m.current = (m.current + 1) % STREAMS;
    } else if (what < 10) {
        m.drop_share = random_below(&m.random, 3) == 0 ? 40 : random_below(&m.random, 3);
    }
}

static void step(uint32_t now)
{
    m.now_us += random_below(&m.random, 5000);
    struct stream *s = &m.streams[m.current];
    uint32_t index = s->n++;
    record_of(m.current, index)->tag = s->tag;
    uint32_t fate = random_below(&m.random, 100);
    if (fate < 2) {
        m.lost++;
    } else if (fate < 7 && m.delayed_n < DELAYED_MAX) {
        m.delayed[m.delayed_n].stream = m.current;
        m.delayed[m.delayed_n].index = index;
        m.delayed[m.delayed_n++].due = now + 1 + random_below(&m.random, 60);
    } else {
        deliver(m.current, index);
    }
    deliver_delayed(now);
    check_reverse();
    interrupt();
}

/* Everything at once over many wraps: numbers in begin just below the 32-bit wrap. */
START_TEST(everything_against_a_model)
{
    m = (struct model){.random = {.state = 0x5e9ca9 + (uint64_t)_i}, .sync = true, .tags = STREAMS};
    uint16_t first = (uint16_t)(2 + random_below(&m.random, 0x7ffe));
    seqmap_init(&map, first, 0xffff0000, older);
    m.next = first;
    m.sent_max = first - 1u;
    m.ts_max = 0xffff0000;
    m.assigned = calloc(STEPS + 0x8000 + 1, sizeof(*m.assigned));
    ck_assert_ptr_nonnull(m.assigned);
    for (uint32_t i = 0; i < STREAMS; i++) {
        m.streams[i].records = calloc(STEPS, sizeof(struct record));
        ck_assert_ptr_nonnull(m.streams[i].records);
        m.streams[i].base = 0xffff0000 - 0x7fff0000 * i;
        m.streams[i].tag = i;
    }

    for (uint32_t i = 0; i < STEPS; i++)
        step(i);

    /* The run must have been about something. */
    ck_assert_uint_gt(m.forwarded, STEPS / 2);
    ck_assert_uint_gt(m.sent_max, 0x20000);
    ck_assert_uint_gt(m.dropped, STEPS / 50);
    ck_assert_uint_gt(m.late, STEPS / 100);
    ck_assert_uint_gt(m.opens, STEPS / 100);
    ck_assert_uint_gt(m.refused, 100);
    for (uint32_t i = 0; i < STREAMS; i++)
        free(m.streams[i].records);
    free(m.assigned);
}

END_TEST

Suite *rtp_seqmap_suite(void)
{
    Suite *suite = suite_create("rtp/seqmap");
    TCase *tc = tcase_create("seqmap");
    tcase_add_test(tc, starts_as_told);
    tcase_add_test(tc, losses_stay_visible);
    tcase_add_test(tc, drops_leave_no_gap);
    tcase_add_test(tc, resume_leaves_no_gap);
    tcase_add_test(tc, resume_after_a_drop_takes_numbers_back);
    tcase_add_test(tc, another_stream_goes_on_in_time);
    tcase_add_test(tc, forgets_and_refuses);
    tcase_add_test(tc, half_a_cycle_back);
    tcase_add_test(tc, days_without_interruption);
    tcase_add_loop_test(tc, weeks_of_pause, 0, 5);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, everything_against_a_model, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}
