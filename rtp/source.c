/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/source.c - what is known of one incoming RTP stream: validity, loss, jitter, rates. RFC 3550
 * A.1, A.3, A.8. */
#include "rtp/source.h"

enum {
    CYCLE = 0x10000,
    LOST_MAX = 0x7fffff, /* "cumulative number of packets lost: 24 bits", signed */
    LOST_MIN = -0x800000,
    TIME_JUMP_SECONDS = 5, /* a longer difference between two packets is a new clock, not jitter */
};

void source_init(struct source *source, uint32_t ssrc, uint32_t clock_rate)
{
    *source =
        (struct source){.ssrc = ssrc, .clock_rate = clock_rate, .seq_bad = SOURCE_SEQ_BAD_NONE};
}

static bool seen(const struct source *source, uint32_t seq_ext)
{
    uint32_t bit = seq_ext % SOURCE_SEEN_N;
    return source->seen_bits[bit / 32] >> bit % 32 & 1;
}

static void see(struct source *source, uint32_t seq_ext)
{
    uint32_t bit = seq_ext % SOURCE_SEEN_N;
    source->seen_bits[bit / 32] |= 1u << bit % 32;
}

/* Forgets `n` numbers from `from` on: their places are taken over by newer ones. A word at a time.
 */
static void unsee(struct source *source, uint32_t from, uint32_t n)
{
    if (n >= SOURCE_SEEN_N) {
        memset(source->seen_bits, 0, sizeof(source->seen_bits));
        return;
    }
    while (n > 0) {
        uint32_t bit = from % SOURCE_SEEN_N;
        uint32_t step = 32 - bit % 32 < n ? 32 - bit % 32 : n;
        uint32_t mask = (step == 32 ? UINT32_MAX : (1u << step) - 1) << bit % 32;
        source->seen_bits[bit / 32] &= ~mask;
        from += step;
        n -= step;
    }
}

/* Counting begins at `seq_ext`. RFC 3550 A.1, init_seq. */
static void start(struct source *source, uint32_t seq_ext)
{
    source->started = true;
    source->restart = false;
    source->timed = false;
    source->seq_base = seq_ext;
    source->seq_max = seq_ext;
    source->cycle_base = seq_ext - (uint16_t)seq_ext;
    source->seq_bad = SOURCE_SEQ_BAD_NONE;
    source->received = 0;
    source->received_prior = 0;
    source->expected_prior = 0;
    source->resent = 0;
    source->resent_prior = 0;
    memset(source->seen_bits, 0, sizeof(source->seen_bits));
}

static void advance(struct source *source, uint32_t seq_ext)
{
    unsee(source, source->seq_max + 1, seq_ext - source->seq_max);
    source->seq_max = seq_ext;
    source->seq_bad = SOURCE_SEQ_BAD_NONE;
}

/* `value` microseconds in clock units, mod 2^32: seconds and the rest apart, so that nothing
 * overflows. */
static uint32_t clock_units(int64_t value_us, uint32_t clock_rate)
{
    uint64_t us = (uint64_t)value_us;
    uint64_t seconds = us / 1000000;
    uint64_t rest = us % 1000000;
    return (uint32_t)(seconds * clock_rate + rest * clock_rate / 1000000);
}

/* RFC 3550 A.8, in integers. */
static void account_jitter(struct source *source, uint32_t rtp_ts, int64_t arrived_us)
{
    uint32_t transit = clock_units(arrived_us, source->clock_rate) - rtp_ts;
    uint32_t change = transit - source->transit;
    if (change > INT32_MAX)
        change = 0u - change;
    bool timed = source->timed && change <= (uint64_t)TIME_JUMP_SECONDS * source->clock_rate;
    source->transit = transit;
    source->timed = true;
    if (timed)
        source->jitter_q4 += change - ((source->jitter_q4 + 8) >> 4);
}

/* Two cycles up, so that what comes late after the restart is above all that was before. */
static void start_anew(struct source *source, uint16_t seq)
{
    start(source, source->seq_max - (uint16_t)source->seq_max + 2 * CYCLE + seq);
    source->restarts++;
}

void source_restart(struct source *source, uint32_t ssrc)
{
    source->ssrc = ssrc;
    source->restart = source->started;
}

/* Two consecutive numbers out of range: the sender began anew. Its first one is gone. */
static enum drop jump(struct source *source, uint16_t seq)
{
    if (seq != source->seq_bad) {
        source->seq_bad = (uint16_t)(seq + 1);
        return DROP_SEQ_INVALID;
    }
    start_anew(source, seq);
    return DROP_NONE;
}

/* Where a number stands: DROP_NONE in range, and whether it is new. */
static enum drop place(struct source *source, uint32_t seq_ext, bool *newest)
{
    int64_t ahead = ts_diff(seq_ext, source->seq_max);
    *newest = ahead > 0;
    if (ahead >= SOURCE_DROPOUT_MAX || ahead <= -SOURCE_MISORDER_MAX)
        return DROP_SEQ_INVALID;
    if (ahead <= 0 && seen(source, seq_ext))
        return DROP_DUPLICATE;
    return DROP_NONE;
}

enum drop source_receive(struct source *source, uint16_t seq, uint32_t rtp_ts, size_t bytes,
                         int64_t arrived_us, uint32_t *seq_ext, bool *restarted)
{
    uint64_t restarts = source->restarts;
    bool newest = true;
    if (!source->started)
        start(source, CYCLE + (uint32_t)seq);
    else if (source->restart)
        start_anew(source, seq);
    *seq_ext = seq_extend(source->seq_max, seq);
    enum drop why = place(source, *seq_ext, &newest);
    if (why == DROP_SEQ_INVALID) {
        why = jump(source, seq);
        *seq_ext = source->seq_max;
    }
    *restarted = source->restarts != restarts;
    if (why == DROP_DUPLICATE)
        source->duplicates++;
    if (why != DROP_NONE)
        return why;

    if (newest)
        advance(source, *seq_ext);
    else if (*seq_ext != source->seq_max)
        source->misordered++;
    see(source, *seq_ext);

    /* What was sent before counting began is not expected, so it is not counted as received. */
    if (ts_diff(*seq_ext, source->seq_base) >= 0)
        source->received++;
    if (*seq_ext == source->seq_max) {
        source->rtp_ts_max = rtp_ts;
        source->arrived_us = arrived_us;
    }
    account_jitter(source, rtp_ts, arrived_us);
    rate_add(&source->rate, 1, bytes, arrived_us);
    source->packets++;
    source->bytes += bytes;
    return DROP_NONE;
}

enum drop source_recover(struct source *source, uint16_t seq, size_t bytes, uint32_t *seq_ext)
{
    (void)bytes;
    if (!source->started || source->restart)
        return DROP_SEQ_INVALID; /* nothing to say which cycle it is of */

    *seq_ext = seq_extend(source->seq_max, seq);
    bool newest;
    enum drop why = place(source, *seq_ext, &newest);
    if (why == DROP_SEQ_INVALID)
        return why;
    source->retransmitted++;
    if (why != DROP_NONE)
        return why;

    if (newest) /* a sender may probe with what it has not sent yet */
        advance(source, *seq_ext);
    see(source, *seq_ext);
    source->repaired++;
    return DROP_NONE;
}

void source_repaired(struct source *source, bool useful)
{
    source->retransmitted++;
    if (!useful)
        return;
    source->repaired++;
    source->resent++;
}

void source_take_report(struct source *source, struct source_report *report)
{
    *report = (struct source_report){0};
    if (!source->started)
        return;

    uint32_t expected = source->seq_max - source->seq_base + 1;
    uint32_t expected_now = expected - source->expected_prior;
    uint32_t received_now = source->received - source->received_prior;
    uint32_t resent_now = source->resent - source->resent_prior;
    int64_t lost_now = (int64_t)expected_now - received_now;
    source->fraction_lost = 0;
    if (expected_now > 0 && lost_now > 0)
        source->fraction_lost = (uint8_t)min_i64(lost_now * 256 / expected_now, 255);
    source->lost_total =
        (int32_t)clamp_i64(ts_diff(expected, source->received), LOST_MIN, LOST_MAX);

    report->seq_max = source->seq_max - source->cycle_base;
    report->jitter = source_jitter(source);
    report->lost_total = source->lost_total;
    report->fraction_lost = source->fraction_lost;
    report->expected = expected_now;
    report->received = received_now > resent_now ? received_now - resent_now : 0;
    report->repaired = source->repaired - source->repaired_prior;
    report->retransmitted = source->retransmitted - source->retransmitted_prior;

    source->expected_prior = expected;
    source->received_prior = source->received;
    source->repaired_prior = source->repaired;
    source->retransmitted_prior = source->retransmitted;
    source->resent_prior = source->resent;
}

uint32_t source_jitter(const struct source *source)
{
    return source->jitter_q4 >> 4;
}
