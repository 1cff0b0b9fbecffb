/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_retain_test.c - rtp/retain: the rule, the store's ends, and random use against a naive
 * model. */
#include "rtp/retain.h"

#include <stdlib.h>

#include "core/random.h"
#include "test/heap.h"
#include "test/suite.h"

enum { MS = 1000, SECOND = 1000 * MS };

struct store {
    struct slab slab;
    struct retain *retain;
};

static struct store *store_open(uint32_t slots_n, uint32_t budget)
{
    struct store *store = malloc(sizeof(*store));
    ck_assert_int_eq(slab_init(&store->slab, slots_n, 3, false), 0);
    ck_assert_int_eq(retain_init(&store->retain, &store->slab, budget), 0);
    return store;
}

/* The retained slots are all that is left. */
static void store_assert_held(struct store *store, uint32_t n)
{
    ck_assert_uint_eq(retain_held_n(store->retain), n);
    ck_assert_uint_eq(store->slab.held_n, n);
    ck_assert_uint_eq(store->slab.worker_n + store->slab.kernel_n, 0);
    retain_check(store->retain);
}

static void store_close(struct store *store)
{
    retain_exit(store->retain);
    slab_exit(&store->slab);
    free(store);
}

/* A slot as a packet that has just come leaves it. */
static uint16_t slot_take(struct store *store, uint32_t mark)
{
    uint16_t slot = slab_take(&store->slab);
    if (slot == SLOT_NONE)
        ck_abort_msg("no slot");
    slab_receive(&store->slab, slot);
    put_be32(slab_packet(&store->slab, slot), mark);
    return slot;
}

static void put(struct store *store, struct retain_stream *stream, uint32_t seq_ext, int64_t at_us)
{
    retain_put(store->retain, stream, slot_take(store, seq_ext), 100 + seq_ext % 1000, seq_ext,
               at_us);
}

static bool has(struct store *store, const struct retain_stream *stream, uint32_t seq_ext,
                int64_t now_us)
{
    struct retain_item item;
    if (!retain_find(store->retain, stream, seq_ext, now_us, &item))
        return false;
    const uint8_t *packet = slab_find(&store->slab, item.ref);
    if (item.seq_ext != seq_ext || item.bytes != 100 + seq_ext % 1000 ||
        item.ref.index != item.slot || !packet || packet != slab_packet(&store->slab, item.slot) ||
        be32(packet) != seq_ext)
        ck_abort_msg("%u found, which is something else", seq_ext);
    return true;
}

static struct retain_stream stream_open(struct store *store, int64_t duration_us)
{
    struct retain_stream stream;
    retain_stream_init(store->retain, &stream);
    retain_set_duration(store->retain, &stream, duration_us, 0);
    return stream;
}

/* ---- the rule */

START_TEST(duration_from_rtt)
{
    const struct retain_rule rule = {.k_q8 = 384,
                                     .margin_us = 50 * MS,
                                     .floor_us = 200 * MS,
                                     .ceiling_us = 2 * SECOND,
                                     .rtt_unknown_us = 120 * MS};

    static const struct {
        int64_t rtt_us, duration_us;
    } rows[] = {
        {0, 230 * MS}, /* unknown */
        {1, 200 * MS},          {60 * MS, 200 * MS},
        {100 * MS, 200 * MS},   {100 * MS + 2, 200 * MS + 3},
        {400 * MS, 650 * MS},   {1300 * MS, 2000 * MS},
        {1301 * MS, 2000 * MS}, {INT64_MAX, 2000 * MS},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        ck_assert_int_eq(retain_duration_us(&rule, rows[i].rtt_us), rows[i].duration_us);

    const struct retain_rule *own = &retain_rule_default;
    for (int64_t rtt_us = 1; rtt_us < 3 * SECOND; rtt_us += 777) {
        int64_t duration_us = retain_duration_us(own, rtt_us);
        ck_assert_int_ge(duration_us, own->floor_us);
        ck_assert_int_le(duration_us, own->ceiling_us);
        ck_assert_int_ge(duration_us,
                         min_i64(rtt_us, own->ceiling_us)); /* else no resend arrives */
    }
    ck_assert_int_eq(retain_duration_us(own, 0), retain_duration_us(own, 100 * MS));
}

END_TEST

/* ---- one packet, one stream */

START_TEST(found_until_it_is_due)
{
    struct store *store = store_open(64, 64);
    struct retain_stream stream = stream_open(store, 200 * MS);
    ck_assert(!has(store, &stream, 7, 0));
    put(store, &stream, 7, 1000);
    ck_assert(has(store, &stream, 7, 1000));
    ck_assert(has(store, &stream, 7, 1000 + 200 * MS - 1));
    ck_assert(!has(store, &stream, 7, 1000 + 200 * MS)); /* due, though still held */
    ck_assert(!has(store, &stream, 8, 1000));
    ck_assert(!has(store, &stream, 7 + 65536, 1000)); /* a round later */
    store_assert_held(store, 1);

    ck_assert_int_eq(retain_expire(store->retain, &stream, 1000), 1000 + 200 * MS);
    ck_assert_int_eq(retain_expire(store->retain, &stream, 999 + 200 * MS), 1000 + 200 * MS);
    store_assert_held(store, 1);
    ck_assert_int_eq(retain_expire(store->retain, &stream, 1000 + 200 * MS), INT64_MAX);
    store_assert_held(store, 0);
    ck_assert_int_eq(retain_expire(store->retain, &stream, 1000 + 200 * MS), INT64_MAX);
    const struct retain_counters *counters = retain_counters(store->retain);
    ck_assert_uint_eq(counters->put, 1);
    ck_assert_uint_eq(counters->expired, 1);
    ck_assert_uint_eq(counters->found, 2);
    ck_assert_uint_eq(counters->missed, 4);
    store_close(store);
}

END_TEST

START_TEST(a_reference_outlives_nothing)
{
    struct store *store = store_open(64, 64);
    struct retain_stream stream = stream_open(store, 200 * MS);
    put(store, &stream, 7, 0);
    struct retain_item item;
    ck_assert(retain_find(store->retain, &stream, 7, 0, &item));
    ck_assert_uint_eq(item.ref.worker, 3);
    ck_assert_int_eq(item.arrived_us, 0);
    retain_clear(store->retain, &stream);
    ck_assert_ptr_null(slab_find(&store->slab, item.ref));
    put(store, &stream, 8, 0); /* the same slot */
    ck_assert_ptr_null(slab_find(&store->slab, item.ref));
    store_close(store);
}

END_TEST

START_TEST(nothing_is_kept_that_nobody_may_ask_for)
{
    struct store *store = store_open(64, 64);
    struct retain_stream stream = stream_open(store, 0);
    for (uint32_t seq = 0; seq < 1000; seq++)
        put(store, &stream, seq, seq);
    store_assert_held(store, 0);
    ck_assert_uint_eq(retain_counters(store->retain)->put, 0);

    struct store *none = store_open(64, 0); /* no budget */
    struct retain_stream other = stream_open(none, SECOND);
    for (uint32_t seq = 0; seq < 1000; seq++)
        put(none, &other, seq, seq);
    store_assert_held(none, 0);
    ck_assert_uint_eq(retain_evict(none->retain, 10), 0);
    store_close(none);
    store_close(store);
}

END_TEST

START_TEST(a_number_is_kept_once)
{
    struct store *store = store_open(64, 64);
    struct retain_stream stream = stream_open(store, 200 * MS);
    put(store, &stream, 7, 0);
    for (int i = 1; i <= 100; i++)
        put(store, &stream, 7, i * MS);
    store_assert_held(store, 1);
    ck_assert_uint_eq(retain_counters(store->retain)->duplicate, 100);
    ck_assert(!has(store, &stream, 7, 200 * MS)); /* the first one's time counts */
    put(store, &stream, 7, 200 * MS);
    ck_assert(has(store, &stream, 7, 300 * MS));
    retain_clear(store->retain, &stream); /* a restart: the number may come again */
    put(store, &stream, 7, 201 * MS);
    ck_assert(has(store, &stream, 7, 400 * MS));
    store_assert_held(store, 1);
    store_close(store);
}

END_TEST

START_TEST(durations_change)
{
    struct store *store = store_open(256, 256);
    struct retain_stream stream = stream_open(store, 200 * MS);
    for (uint32_t i = 0; i < 100; i++)
        put(store, &stream, i, i * MS);
    store_assert_held(store, 100);
    retain_set_duration(store->retain, &stream, 30 * MS, 99 * MS);
    store_assert_held(store, 30);
    ck_assert(!has(store, &stream, 69, 99 * MS));
    ck_assert(has(store, &stream, 70, 99 * MS));
    retain_set_duration(store->retain, &stream, 300 * MS, 99 * MS); /* what is gone is gone */
    store_assert_held(store, 30);
    ck_assert(has(store, &stream, 70, 369 * MS));
    retain_set_duration(store->retain, &stream, 0, 99 * MS);
    store_assert_held(store, 0);
    put(store, &stream, 100, 100 * MS);
    store_assert_held(store, 0);
    store_close(store);
}

END_TEST

/* ---- budget */

START_TEST(the_oldest_of_all_goes_first)
{
    struct store *store = store_open(64, 10);
    struct retain_stream a = stream_open(store, SECOND);
    struct retain_stream b = stream_open(store, SECOND);
    for (uint32_t i = 0; i < 10; i++)
        put(store, i % 2 ? &b : &a, 65530 + i, 0); /* same time: the order of arrival counts */
    store_assert_held(store, 10);
    put(store, &b, 1, 0);
    ck_assert(!has(store, &a, 65530, 0));
    ck_assert(has(store, &b, 65531, 0));
    store_assert_held(store, 10);
    ck_assert_uint_eq(retain_evict(store->retain, 3), 3);
    ck_assert(!has(store, &b, 65533, 0));
    ck_assert(has(store, &a, 65534, 0));
    ck_assert_uint_eq(a.n, 3);
    ck_assert_uint_eq(b.n, 4);
    retain_clear(store->retain, &a); /* from the middle */
    store_assert_held(store, 4);
    ck_assert_uint_eq(retain_evict(store->retain, 100), 4);
    store_assert_held(store, 0);
    ck_assert_uint_eq(retain_evict(store->retain, 1), 0);
    ck_assert_uint_eq(retain_counters(store->retain)->evicted, 1 + 3 + 4);
    ck_assert_uint_eq(retain_counters(store->retain)->cleared, 3);
    store_close(store);
}

END_TEST

/* ---- random use against a model: an array in order of arrival. */

enum { MODEL_STREAMS = 6, MODEL_SLOTS = 200, MODEL_BUDGET = 150 };

struct model {
    struct {
        int stream;
        uint32_t seq_ext;
        int64_t arrived_us;
    } kept[MODEL_SLOTS];

    uint32_t n;

    struct {
        struct retain_stream stream;
        uint32_t newest;
        uint32_t n;
    } streams[MODEL_STREAMS];
};

static void model_erase(struct model *model, uint32_t at)
{
    model->streams[model->kept[at].stream].n--;
    model->n--;
    memmove(&model->kept[at], &model->kept[at + 1], (model->n - at) * sizeof(model->kept[0]));
}

static uint32_t model_oldest(const struct model *model, int stream)
{
    for (uint32_t i = 0; i < model->n; i++)
        if (model->kept[i].stream == stream)
            return i;
    return model->n;
}

static bool model_due(const struct model *model, uint32_t at, int64_t now_us)
{
    int64_t duration_us = model->streams[model->kept[at].stream].stream.duration_us;
    return model->kept[at].arrived_us + duration_us <= now_us;
}

static void model_expire(struct model *model, int stream, int64_t now_us)
{
    uint32_t at;
    while ((at = model_oldest(model, stream)) < model->n && model_due(model, at, now_us))
        model_erase(model, at);
}

static bool model_has(const struct model *model, int stream, uint32_t seq_ext, int64_t now_us)
{
    for (uint32_t i = 0; i < model->n; i++)
        if (model->kept[i].stream == stream && model->kept[i].seq_ext == seq_ext)
            return !model_due(model, i, now_us);
    return false;
}

static void model_put(struct model *model, int stream, uint32_t seq_ext, int64_t now_us)
{
    model_expire(model, stream, now_us);
    if (model->streams[stream].stream.duration_us == 0)
        return;
    for (uint32_t i = 0; i < model->n; i++)
        if (model->kept[i].stream == stream && model->kept[i].seq_ext == seq_ext)
            return;
    if (model->n == MODEL_BUDGET)
        model_erase(model, 0);
    model->kept[model->n].stream = stream;
    model->kept[model->n].seq_ext = seq_ext;
    model->kept[model->n].arrived_us = now_us;
    model->n++;
    model->streams[stream].n++;
}

/* Mostly the next number; late ones, repeated ones, small and large jumps; over both wraps. */
static uint32_t next_seq(struct model *model, int stream, struct random *random)
{
    uint32_t *newest = &model->streams[stream].newest;
    switch (random_below(random, 16)) {
    case 0:
        return *newest - random_below(random, 40);
    case 1:
        return *newest += random_below(random, 3000);
    case 2:
        return *newest += random_below(random, 8) == 0 ? 65536 : 64;
    default:
        return ++*newest;
    }
}

static void compare(struct store *store, struct model *model, int64_t now_us)
{
    ck_assert_uint_eq(retain_held_n(store->retain), model->n);
    ck_assert_uint_eq(store->slab.held_n, model->n);
    ck_assert_uint_eq(store->slab.free_n, MODEL_SLOTS - model->n);
    retain_check(store->retain);
    for (int s = 0; s < MODEL_STREAMS; s++)
        ck_assert_uint_eq(model->streams[s].stream.n, model->streams[s].n);
    for (uint32_t i = 0; i < model->n; i++)
        if (has(store, &model->streams[model->kept[i].stream].stream, model->kept[i].seq_ext,
                now_us) == model_due(model, i, now_us))
            ck_abort_msg("%u of stream %d", model->kept[i].seq_ext, model->kept[i].stream);
}

static void one_step(struct store *store, struct model *model, struct random *random,
                     int64_t *now_us)
{
    int s = (int)random_below(random, MODEL_STREAMS);
    struct retain_stream *stream = &model->streams[s].stream;
    uint32_t seq_ext;
    int64_t due_us;
    switch (random_below(random, 400)) {
    case 0:
    case 1:
        retain_clear(store->retain, stream);
        while (model->streams[s].n > 0)
            model_erase(model, model_oldest(model, s));
        break;
    case 2 ... 4: {
        int64_t duration_us = (int64_t)random_below(random, 6) * random_below(random, 100 * MS);
        retain_set_duration(store->retain, stream, duration_us, *now_us);
        model_expire(model, s, *now_us);
        while (duration_us == 0 && model->streams[s].n > 0)
            model_erase(model, model_oldest(model, s));
        break;
    }
    case 5 ... 8: {
        uint32_t n = random_below(random, 20);
        uint32_t expected = n < model->n ? n : model->n;
        ck_assert_uint_eq(retain_evict(store->retain, n), expected);
        while (expected-- > 0)
            model_erase(model, 0);
        break;
    }
    case 9 ... 40:
        due_us = retain_expire(store->retain, stream, *now_us);
        model_expire(model, s, *now_us);
        ck_assert_int_eq(due_us, model->streams[s].n == 0
                                     ? INT64_MAX
                                     : model->kept[model_oldest(model, s)].arrived_us +
                                           stream->duration_us);
        break;
    case 41 ... 80:
        seq_ext = model->streams[s].newest - random_below(random, 100);
        ck_assert_int_eq(has(store, stream, seq_ext, *now_us),
                         model_has(model, s, seq_ext, *now_us));
        break;
    default:
        *now_us += random_below(random, 3) * random_below(random, 2 * MS);
        seq_ext = next_seq(model, s, random);
        put(store, stream, seq_ext, *now_us);
        model_put(model, s, seq_ext, *now_us);
    }
}

START_TEST(random_use)
{
    struct random random = {.state = (uint64_t)_i + 1};
    struct store *store = store_open(MODEL_SLOTS, MODEL_BUDGET);
    struct model model = {.n = 0};
    for (int s = 0; s < MODEL_STREAMS; s++) {
        model.streams[s].stream = stream_open(store, 200 * MS);
        model.streams[s].newest = s % 2 ? UINT32_MAX - 3000 : 65536u * (unsigned)s - 500;
    }
    int64_t now_us = 1;
    uint32_t full = 0;
    for (int step = 0; step < 20000; step++) {
        one_step(store, &model, &random, &now_us);
        full += model.n == MODEL_BUDGET;
        if (step % 50 == 0)
            compare(store, &model, now_us);
    }
    compare(store, &model, now_us);
    ck_assert_uint_gt(full, 100);
    ck_assert_uint_gt(retain_counters(store->retain)->expired, 1000);
    for (int s = 0; s < MODEL_STREAMS; s++)
        retain_clear(store->retain, &model.streams[s].stream);
    store_assert_held(store, 0);
    store_close(store);
}

END_TEST

/* ---- long runs */

/* Three days at 10 packets a second with all sequence numbers, then silence. */
START_TEST(days)
{
    struct store *store = store_open(64, 60);
    struct retain_stream stream = stream_open(store, 2 * SECOND);
    int64_t now_us = 12345;
    uint32_t seq = UINT32_MAX - 1000000;
    uint64_t before = heap_calls();
    for (uint32_t i = 0; i < 3 * 24 * 3600 * 10; i++, seq++, now_us += 100 * MS) {
        uint16_t slot = slab_take(&store->slab);
        slab_receive(&store->slab, slot);
        retain_put(store->retain, &stream, slot, 100, seq, now_us);
        if (stream.n != (i < 19 ? i + 1 : 20))
            ck_abort_msg("%u retained after %u packets", stream.n, i);
    }
    ck_assert_uint_eq(heap_calls() - before, 0);
    store_assert_held(store, 20);
    ck_assert_int_eq(retain_expire(store->retain, &stream, now_us + 3 * SECOND), INT64_MAX);
    store_assert_held(store, 0);
    store_close(store);
}

END_TEST

/* Clocks: all at one moment, an arrival out of order, a step back. */
START_TEST(odd_clocks)
{
    struct store *store = store_open(512, 100);
    struct retain_stream stream = stream_open(store, 50 * MS);
    for (uint32_t seq = 0; seq < 1000; seq++) /* the budget bounds what the clock does not */
        put(store, &stream, seq, 0);
    store_assert_held(store, 100);
    put(store, &stream, 1000, 50 * MS);
    store_assert_held(store, 1);
    put(store, &stream, 1001,
        40 * MS); /* behind a younger one: leaves with it, is not served when due */
    ck_assert(has(store, &stream, 1001, 89 * MS));
    ck_assert(!has(store, &stream, 1001, 90 * MS));
    ck_assert(has(store, &stream, 1000, 90 * MS));
    ck_assert_int_eq(retain_expire(store->retain, &stream, 90 * MS), 100 * MS);
    store_assert_held(store, 2);
    ck_assert_int_eq(retain_expire(store->retain, &stream, 100 * MS), INT64_MAX);
    put(store, &stream, 1002, 1000 * SECOND);
    put(store, &stream, 1003, 1 * SECOND); /* far back: nothing is lost, nothing stays for ever */
    ck_assert(has(store, &stream, 1002, 1000 * SECOND));
    put(store, &stream, 1004, 1001 * SECOND);
    store_assert_held(store, 1);
    store_close(store);
}

END_TEST

/* ---- hash: the whole budget of a large store, numbers as they come and as an adversary would
 * choose them. */

static const struct {
    uint32_t streams_n, step;
} patterns[] = {
    {1, 1},       {1, 2},  {1, 64},   {1, 3000},     {1, 65536},
    {1, 0x10040}, {16, 1}, {1000, 1}, {1000, 65536}, {16384, 1},
};

START_TEST(chains_are_short)
{
    enum { SLOTS = 16384 };
    struct store *store = store_open(SLOTS, SLOTS);
    uint32_t streams_n = patterns[_i].streams_n;
    struct retain_stream *streams = calloc(streams_n, sizeof(*streams));
    for (uint32_t s = 0; s < streams_n; s++)
        streams[s] = stream_open(store, SECOND);
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint16_t slot = slab_take(&store->slab);
        slab_receive(&store->slab, slot);
        retain_put(store->retain, &streams[i % streams_n], slot, 100,
                   i / streams_n * patterns[_i].step, 0);
    }
    ck_assert_uint_eq(retain_held_n(store->retain), SLOTS);
    /* Two a bucket; were they thrown, more than 24 somewhere would be one case in 10^13. */
    ck_assert_uint_le(retain_check(store->retain), 24);
    ck_assert_uint_eq(retain_evict(store->retain, SLOTS), SLOTS);
    store_assert_held(store, 0);
    free(streams);
    store_close(store);
}

END_TEST

Suite *rtp_retain_suite(void)
{
    Suite *suite = suite_create("rtp_retain");
    TCase *tests = tcase_create("retain");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, duration_from_rtt);
    tcase_add_test(tests, found_until_it_is_due);
    tcase_add_test(tests, a_reference_outlives_nothing);
    tcase_add_test(tests, nothing_is_kept_that_nobody_may_ask_for);
    tcase_add_test(tests, a_number_is_kept_once);
    tcase_add_test(tests, durations_change);
    tcase_add_test(tests, the_oldest_of_all_goes_first);
    tcase_add_loop_test(tests, random_use, 0, 20);
    tcase_add_test(tests, days);
    tcase_add_test(tests, odd_clocks);
    tcase_add_loop_test(tests, chains_are_short, 0, (int)ARRAY_N(patterns));
    suite_add_tcase(suite, tests);
    return suite;
}
