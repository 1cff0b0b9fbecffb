/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/seqmap.c - a consumer's numbering: producer sequence numbers to its own and back again. */
#include "rtp/seqmap.h"

enum {
    LATE_MAX = 0x8000, /* half a cycle: what lies further back cannot be named by 16 bits */
    RANGE_LONG = 1 << 30,
};

void seqmap_init(struct seqmap *map, uint16_t seq_first, uint32_t ts_first,
                 struct seqmap_range *older)
{
    *map = (struct seqmap){
        .sync = true, .out_max = (uint32_t)seq_first - 1, .ts_max = ts_first, .older = older};
}

/* The older range `age` steps back from the newest, 1 and up. */
static struct seqmap_range *older_at(const struct seqmap *map, unsigned age)
{
    return &map->older[(map->older_at + SEQMAP_OLDER - (age - 1)) % SEQMAP_OLDER];
}

static struct seqmap_range *range_at(struct seqmap *map, unsigned age)
{
    return age == 0 ? &map->newest : older_at(map, age);
}

static uint32_t range_n(const struct seqmap_range *range)
{
    return range->in_end - range->first_in;
}

/* Forgets the beginning of a long range, so that distances within it stay far from 2^31. */
static void shorten(struct seqmap_range *range)
{
    if (range_n(range) <= LATE_MAX)
        return;
    uint32_t cut = range_n(range) - LATE_MAX;
    range->first_in += cut;
    range->first_out += cut;
}

/* Forgets the oldest ranges while nothing in them is within LATE_MAX of the newest number. */
static void forget_old(struct seqmap *map)
{
    while (map->n > 1) {
        const struct seqmap_range *oldest = older_at(map, map->n - 1u);
        if (ts_diff(map->out_max, oldest->first_out + range_n(oldest)) < LATE_MAX)
            return;
        map->n--;
    }
}

/* The newest range is done; the next begins at these numbers. The oldest gives way when all are in
 * use. */
static struct seqmap_range *open_range(struct seqmap *map, uint32_t stream, uint32_t first_in,
                                       uint32_t first_out, uint32_t ts_delta)
{
    if (map->n > 0)
        shorten(&map->newest);
    forget_old(map);
    if (map->n > 0) {
        map->older_at = (uint8_t)((map->older_at + 1) % SEQMAP_OLDER);
        map->older[map->older_at] = map->newest;
    }
    if (map->n < SEQMAP_RANGES)
        map->n++;
    map->newest = (struct seqmap_range){.first_in = first_in,
                                        .first_out = first_out,
                                        .ts_delta = ts_delta,
                                        .in_end = first_in,
                                        .stream = stream};
    return &map->newest;
}

/* Takes back the out-numbers that were kept free for late packets: the next range begins right
 * behind the last sent one. */
static void close_unsent(struct seqmap *map)
{
    uint32_t out_end = map->out_max + 1;
    for (unsigned age = 0; age < map->n; age++) {
        struct seqmap_range *range = range_at(map, age);
        if (ts_diff(range->first_out, out_end) >= 0)
            range->in_end = range->first_in;
        else if (ts_diff(range->first_out + range_n(range), out_end) > 0)
            range->in_end = range->first_in + (out_end - range->first_out);
    }
}

/* Microseconds in clock units, mod 2^32. */
static uint32_t clock_units(int64_t us, uint32_t clock_rate)
{
    uint64_t passed_us = us > 0 ? (uint64_t)us : 0;
    return (uint32_t)(passed_us / 1000000 * clock_rate +
                      passed_us % 1000000 * clock_rate / 1000000);
}

/* Timestamp delta of a range that `stream` opens. */
static uint32_t next_ts_delta(const struct seqmap *map, uint32_t stream, uint32_t rtp_ts,
                              uint32_t clock_rate, int64_t now_us)
{
    if (map->n == 0)
        return map->ts_max - rtp_ts;
    if (map->newest.stream == stream)
        return map->newest.ts_delta;
    uint32_t passed = clock_units(now_us - map->sent_us, clock_rate);
    return map->ts_max + (passed > 0 ? passed : 1) - rtp_ts;
}

/* The range that a late number belongs to. `*late` also when there is none (any more): it is not
 * newer than what was sent of its stream. */
static struct seqmap_range *find_late(struct seqmap *map, uint32_t stream, uint32_t seq_ext,
                                      bool *late)
{
    bool reopen = map->sync || map->newest.stream != stream;
    *late = false;
    for (unsigned age = 0; age < map->n; age++) {
        struct seqmap_range *range = range_at(map, age);
        if (range->stream != stream)
            continue;
        int64_t beyond = ts_diff(seq_ext, range->in_end);
        if (!*late && (beyond >= 0 || (reopen && beyond < -LATE_MAX)))
            return NULL; /* beyond the newest range of its stream, be it by weeks of a pause */
        *late = true;
        if (seq_ext - range->first_in < range_n(range))
            return range;
    }
    return NULL;
}

static void number(struct seqmap *map, const struct seqmap_range *range, uint32_t seq_ext,
                   uint32_t rtp_ts, int64_t now_us, struct seqmap_out *out)
{
    out->seq_ext = range->first_out + (seq_ext - range->first_in);
    out->seq = (uint16_t)out->seq_ext;
    out->rtp_ts = rtp_ts + range->ts_delta;
    out->ts_delta = range->ts_delta;
    if (ts_diff(out->seq_ext, map->out_max) > 0) {
        map->out_max = out->seq_ext;
        map->ts_max = out->rtp_ts;
        map->sent_us = now_us;
    }
}

static bool forward_late_or_open(struct seqmap *map, uint32_t stream, uint32_t seq_ext,
                                 uint32_t rtp_ts, uint32_t clock_rate, int64_t now_us,
                                 struct seqmap_out *out)
{
    bool late;
    struct seqmap_range *range = find_late(map, stream, seq_ext, &late);
    if (late) {
        if (range == NULL)
            return false;
        uint32_t seq_out = range->first_out + (seq_ext - range->first_in);
        if (ts_diff(map->out_max, seq_out) >= LATE_MAX)
            return false;
        number(map, range, seq_ext, rtp_ts, now_us, out);
        return true;
    }

    uint32_t ts_delta = next_ts_delta(map, stream, rtp_ts, clock_rate, now_us);
    close_unsent(map);
    range = open_range(map, stream, seq_ext, map->out_max + 1, ts_delta);
    range->in_end = seq_ext + 1;
    map->sync = false;
    number(map, range, seq_ext, rtp_ts, now_us, out);
    return true;
}

bool seqmap_forward(struct seqmap *map, uint32_t stream, uint32_t seq_ext, uint32_t rtp_ts,
                    uint32_t clock_rate, int64_t now_us, struct seqmap_out *out)
{
    struct seqmap_range *range = &map->newest;
    bool open = map->n > 0 && !map->sync && range->stream == stream;
    if (!open || ts_diff(seq_ext, range->in_end) < 0)
        return forward_late_or_open(map, stream, seq_ext, rtp_ts, clock_rate, now_us, out);

    range->in_end = seq_ext + 1;
    if (range_n(range) > RANGE_LONG) {
        shorten(range);
        map->n = 1; /* the others are far behind */
    }
    number(map, range, seq_ext, rtp_ts, now_us, out);
    return true;
}

void seqmap_drop(struct seqmap *map, uint32_t stream, uint32_t seq_ext)
{
    struct seqmap_range *range = &map->newest;
    if (map->n == 0 || map->sync || range->stream != stream)
        return; /* the next range begins right behind what was sent anyway */
    if (ts_diff(seq_ext, range->in_end) < 0)
        return;

    if (range_n(range) == 0 && seq_ext == range->first_in) { /* the next of several in a row */
        range->first_in++;
        range->in_end++;
        return;
    }
    /* Numbers between the last forwarded one and this stay with this range: they may still come. */
    range->in_end = seq_ext;
    uint32_t first_out = range->first_out + range_n(range);
    open_range(map, stream, seq_ext + 1, first_out, range->ts_delta);
}

void seqmap_sync(struct seqmap *map)
{
    map->sync = true;
}

bool seqmap_reverse(const struct seqmap *map, uint16_t seq, struct seqmap_in *in)
{
    uint32_t out_ext = seq_extend(map->out_max, seq);
    if (ts_diff(out_ext, map->out_max) > 0)
        return false;
    for (unsigned age = 0; age < map->n; age++) {
        const struct seqmap_range *range = age == 0 ? &map->newest : older_at(map, age);
        uint32_t offset = out_ext - range->first_out;
        if (offset >= range_n(range))
            continue;
        *in = (struct seqmap_in){.stream = range->stream,
                                 .seq_ext = range->first_in + offset,
                                 .out_ext = out_ext,
                                 .ts_delta = range->ts_delta};
        return true;
    }
    return false;
}
