/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/nack.c - what a producer's stream is missing, and when to ask for it. */
#include "rtcp/nack.h"
#include "rtp/seq.h"

static_assert(sizeof(struct nack_list) <= 12 * NACK_LIST_MAX + 128, "12 KB a stream");
static_assert(NACK_REPEAT_MAX_US < INT32_MAX / 2, "an item's time is kept in 32 bits");

void nack_init(struct nack_list *list)
{
    memset(list, 0, offsetof(struct nack_list, items));
    list->due_us = INT64_MAX;
}

void nack_reset(struct nack_list *list)
{
    list->cleared += list->n;
    list->n = 0;
    list->started = false;
    list->wants_keyframe = false;
    list->keyframe_known = false;
    list->due_us = INT64_MAX;
}

/* `due_us` is the list's, never later than any item's: so the low bits say all. */
static int64_t item_due_us(const struct nack_item *item, int64_t due_us)
{
    return due_us + (uint32_t)(item->due_low - (uint32_t)due_us);
}

/* Looks for the earliest again, after items have gone. */
static void refresh_due(struct nack_list *list)
{
    if (list->wants_keyframe)
        return; /* due at once, whatever is missing */
    int64_t earliest = INT64_MAX;
    for (uint32_t i = 0; i < list->n && earliest != list->due_us; i++)
        earliest = min_i64(earliest, item_due_us(&list->items[i], list->due_us));
    list->due_us = earliest;
}

/* Index of the first item that is not before `seq_ext`. */
static uint32_t find(const struct nack_list *list, uint32_t seq_ext)
{
    uint32_t low = 0;
    uint32_t high = list->n;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (ts_newer(seq_ext, list->items[middle].seq_ext))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remove_items(struct nack_list *list, uint32_t at, uint32_t n)
{
    ASSERT(at <= list->n);
    ASSERT(n <= list->n - at);
    struct nack_item *to = list->items + at;
    memmove(to, to + n, (list->n - at - n) * sizeof(*to));
    list->n -= n;
}

/* Removes what lies before `seq_ext`; returns how many. */
static uint32_t remove_before(struct nack_list *list, uint32_t seq_ext)
{
    uint32_t n = find(list, seq_ext);
    if (n != 0) {
        remove_items(list, 0, n);
        refresh_due(list);
    }
    return n;
}

static bool receive_late(struct nack_list *list, uint32_t seq_ext)
{
    uint32_t at = find(list, seq_ext);
    if (at == list->n || list->items[at].seq_ext != seq_ext)
        return false;

    struct nack_item item = list->items[at];
    if (item.tries)
        list->recovered++;
    else
        list->reordered++;
    remove_items(list, at, 1);
    if (item_due_us(&item, list->due_us) == list->due_us)
        refresh_due(list);
    return true;
}

/* The list would overflow by the `*n` numbers from `*from` on. */
static void make_room(struct nack_list *list, uint32_t *from, uint32_t *n, int64_t now_us)
{
    if (list->keyframe_known) {
        list->cleared += remove_before(list, list->keyframe_seq);
        int64_t unwanted = clamp_i64(ts_diff(list->keyframe_seq, *from), 0, *n);
        list->cleared += (uint64_t)unwanted;
        *from += (uint32_t)unwanted;
        *n -= (uint32_t)unwanted;
    }
    if (*n <= NACK_LIST_MAX - list->n)
        return;
    list->cleared += list->n + (uint64_t)*n;
    list->n = 0;
    *n = 0;
    list->wants_keyframe = true;
    list->due_us = now_us;
}

static void add_missing(struct nack_list *list, uint32_t from, uint32_t n, int64_t now_us)
{
    list->gaps += n;
    if (n > NACK_LIST_MAX - list->n)
        make_room(list, &from, &n, now_us);
    if (n == 0)
        return;

    int64_t due_us = now_us + NACK_DELAY_US;
    for (uint32_t i = 0; i < n; i++)
        list->items[list->n++] =
            (struct nack_item){.seq_ext = from + i, .due_low = (uint32_t)due_us};
    list->due_us = min_i64(list->due_us, due_us);
}

static void note_keyframe(struct nack_list *list, uint32_t seq_ext)
{
    if (list->keyframe_known && !ts_newer(seq_ext, list->keyframe_seq))
        return;
    list->keyframe_known = true;
    list->keyframe_seq = seq_ext;
}

/* Forgets what is too old, so that 32-bit numbers always compare right. */
static void expire(struct nack_list *list)
{
    uint32_t oldest = list->seq_max - NACK_AGE_MAX;
    if (list->keyframe_known && ts_newer(oldest, list->keyframe_seq))
        list->keyframe_known = false;
    if (list->n != 0 && ts_newer(oldest, list->items[0].seq_ext))
        list->given_up += remove_before(list, oldest);
}

bool nack_receive(struct nack_list *list, uint32_t seq_ext, bool keyframe, int64_t now_us)
{
    if (!list->started) {
        list->started = true;
        list->seq_max = seq_ext;
        if (keyframe)
            note_keyframe(list, seq_ext);
        return false;
    }

    int64_t ahead = ts_diff(seq_ext, list->seq_max);
    if (ahead < -NACK_AGE_MAX)
        return false;
    if (keyframe)
        note_keyframe(list, seq_ext);
    if (ahead <= 0)
        return receive_late(list, seq_ext);

    uint32_t from = list->seq_max + 1;
    list->seq_max = seq_ext;
    expire(list);
    if (ahead > 1)
        add_missing(list, from, (uint32_t)ahead - 1, now_us);
    return false;
}

int64_t nack_due_us(const struct nack_list *list)
{
    return list->due_us;
}

size_t nack_take(struct nack_list *list, int64_t now_us, int64_t rtt_us, uint16_t *seqs,
                 size_t seqs_max, bool *wants_keyframe)
{
    *wants_keyframe = list->wants_keyframe;
    list->wants_keyframe = false;

    int64_t wait_us = rtt_us > 0 ? rtt_us : NACK_RTT_DEFAULT_US;
    int64_t again_us = now_us + clamp_i64(wait_us, NACK_REPEAT_MIN_US, NACK_REPEAT_MAX_US);
    int64_t earliest = INT64_MAX;
    uint32_t kept_n = 0;
    size_t seqs_n = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        struct nack_item item = list->items[i];
        int64_t due_us = item_due_us(&item, list->due_us);
        if (due_us <= now_us && item.tries == NACK_TRIES) {
            list->given_up++;
            continue;
        }
        if (due_us <= now_us && seqs_n < seqs_max) {
            seqs[seqs_n++] = (uint16_t)item.seq_ext;
            item.tries++;
            due_us = again_us;
            item.due_low = (uint32_t)due_us;
        }
        earliest = min_i64(earliest, due_us);
        list->items[kept_n++] = item;
    }
    list->n = kept_n;
    list->due_us = earliest;
    list->asked += seqs_n;
    return seqs_n;
}
