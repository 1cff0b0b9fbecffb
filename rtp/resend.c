/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/resend.c - a consumer's pending and recent resends: once per RTT per packet, paced, early
 * NACKs remembered. */
#include "rtp/resend.h"

enum { SECOND_US = 1000000, RATE_SHARE = 4 };

void resend_init(struct resend *resend, struct resend_memory *memory, int64_t now_us)
{
    *resend =
        (struct resend){.memory = memory, .interval_us = RESEND_INTERVAL_US, .full_us = now_us};
}

bool resend_forget(struct resend *resend)
{
    if (resend->queue_n > 0)
        return false;
    resend->recalls = false;
    return true;
}

static uint16_t low_ms(int64_t now_us)
{
    uint16_t ms = (uint16_t)((uint64_t)now_us / 1000);
    return ms != 0 ? ms : 1; /* 0 = never */
}

static uint16_t age_ms(uint16_t at_ms, int64_t now_us)
{
    return (uint16_t)(low_ms(now_us) - at_ms);
}

static bool is_recent(const struct resend *resend, uint16_t seq, int64_t rtt_us, int64_t now_us)
{
    if (!resend->recalls)
        return false;
    const struct resend_recent *set = resend->memory->recent[seq % RESEND_SETS_N];
    int64_t limit_us = rtt_us > 0 ? min_i64(rtt_us, RESEND_RTT_MAX_US) : RESEND_RTT_UNKNOWN_US;
    for (unsigned way = 0; way < RESEND_WAYS_N; way++)
        if (set[way].seq == seq && set[way].at_ms != 0)
            return age_ms(set[way].at_ms, now_us) <= limit_us / 1000;
    return false;
}

/* Its own place, or a free one, or that of the oldest. */
static void remember_recent(struct resend *resend, uint16_t seq, int64_t now_us)
{
    if (!resend->recalls)
        memset(resend->memory->recent, 0, sizeof(resend->memory->recent));
    resend->recalls = true;
    struct resend_recent *set = resend->memory->recent[seq % RESEND_SETS_N];
    struct resend_recent *to = set;
    for (unsigned way = 0; way < RESEND_WAYS_N; way++) {
        if (set[way].seq == seq || set[way].at_ms == 0) {
            to = &set[way];
            break;
        }
        if (age_ms(set[way].at_ms, now_us) > age_ms(to->at_ms, now_us))
            to = &set[way];
    }
    *to = (struct resend_recent){.seq = seq, .at_ms = low_ms(now_us)};
}

static bool is_queued(const struct resend *resend, uint16_t seq)
{
    for (unsigned i = 0; i < resend->queue_n; i++)
        if (resend->memory->queue[(resend->queue_at + i) % RESEND_QUEUE_N] == seq)
            return true;
    return false;
}

static void forget_early(struct resend *resend, unsigned at)
{
    resend->early_n--;
    memmove(resend->early + at, resend->early + at + 1,
            (resend->early_n - at) * sizeof(resend->early[0]));
}

static void remember_early(struct resend *resend, uint16_t seq)
{
    for (unsigned i = 0; i < resend->early_n; i++) {
        if (resend->early[i] == seq) {
            resend->suppressed++;
            return;
        }
    }
    if (resend->early_n == RESEND_EARLY_N) {
        forget_early(resend, 0);
        resend->overflowed++;
    }
    resend->early[resend->early_n++] = seq;
}

void resend_request(struct resend *resend, uint16_t seq, bool sent, int64_t rtt_us, int64_t now_us)
{
    resend->requested++;
    if (!sent) {
        remember_early(resend, seq);
        return;
    }
    if (is_recent(resend, seq, rtt_us, now_us)) {
        resend->suppressed++;
        return;
    }
    if (resend->queue_n == RESEND_QUEUE_N) { /* first: a flood is not searched for in it */
        resend->overflowed++;
        return;
    }
    if (is_queued(resend, seq)) {
        resend->suppressed++;
        return;
    }
    resend->memory->queue[(resend->queue_at + resend->queue_n++) % RESEND_QUEUE_N] = seq;
    resend->queued++;
}

/* The bucket holds a token from this time on. */
static int64_t token_us(const struct resend *resend)
{
    return resend->full_us - (int64_t)(RESEND_BURST - 1) * resend->interval_us;
}

bool resend_take(struct resend *resend, int64_t now_us, uint16_t *seq)
{
    if (resend->queue_n == 0 || now_us < token_us(resend))
        return false;
    *seq = resend->memory->queue[resend->queue_at];
    resend->queue_at = (uint8_t)((resend->queue_at + 1) % RESEND_QUEUE_N);
    resend->queue_n--;
    resend->full_us = max_i64(resend->full_us, now_us) + resend->interval_us;
    return true;
}

void resend_done(struct resend *resend, uint16_t seq, int64_t now_us)
{
    remember_recent(resend, seq, now_us);
    resend->served++;
}

void resend_missed(struct resend *resend, uint16_t seq)
{
    (void)seq;
    resend->full_us -= resend->interval_us;
    resend->missed++;
}

bool resend_was_early(struct resend *resend, uint16_t seq)
{
    for (unsigned i = 0; i < resend->early_n; i++) {
        if (resend->early[i] != seq)
            continue;
        forget_early(resend, i);
        resend->early_served++;
        return true;
    }
    return false;
}

int64_t resend_due_us(const struct resend *resend, int64_t now_us)
{
    if (resend->queue_n == 0)
        return INT64_MAX;
    return max_i64(token_us(resend), now_us);
}

void resend_set_rate(struct resend *resend, uint32_t packets_per_second)
{
    uint32_t share = packets_per_second / RATE_SHARE;
    resend->interval_us = RESEND_INTERVAL_US;
    if (share > SECOND_US / RESEND_INTERVAL_US)
        resend->interval_us = share < SECOND_US ? SECOND_US / share : 1;
}

void resend_clear(struct resend *resend)
{
    resend->queue_at = 0;
    resend->queue_n = 0;
    resend->early_n = 0;
    resend->recalls = false;
}
