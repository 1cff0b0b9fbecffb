/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/sealout.c - the outbound streams of a seal. */
#include "rtp/sealout.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "rtp/sealcount.h"
#include "rtp/seq.h"

enum {
    RTCP_REPORT_BYTES = 8, /* a receiver report without blocks */
    GROUP_STREAMS = 16,
    GROUP_NONE = 0xffff,
    CAPACITY_MIN = 8,
    SPENT_CAPACITY_MIN = 8,
    SPENT_GAP_MAX = 16,     /* unused ssrcs between two ranges that are taken for one */
    SPENT_MUCH_NEARER = 16, /* times, than the average */
};

static_assert((SEAL_STREAMS_OUT_MAX & (SEAL_STREAMS_OUT_MAX - 1)) == 0, "the table doubles");
static_assert(SEAL_STREAMS_OUT_MAX / GROUP_STREAMS < GROUP_NONE, "groups have 16-bit numbers");

/* ---- groups: libsrtp2 sessions */

/* Number of a group with room, made if there is none; GROUP_NONE: no memory. */
static uint16_t group_find(struct sealout *outs)
{
    uint32_t vacant = outs->groups_n;
    for (uint32_t i = 0; i < outs->groups_n; i++) {
        if (!outs->groups[i].session)
            vacant = i;
        else if (outs->groups[i].streams_n < GROUP_STREAMS)
            return (uint16_t)i;
    }
    if (vacant == outs->groups_n) {
        struct sealout_group *groups = realloc(outs->groups, (vacant + 1) * sizeof(*groups));
        if (!groups)
            return GROUP_NONE;
        outs->groups = groups;
        groups[vacant] = (struct sealout_group){0};
        outs->groups_n++;
    }
    if (sealsuite_session_init(&outs->groups[vacant].session, outs->suite, ssrc_any_outbound,
                               outs->key)) {
        outs->groups[vacant].session = NULL;
        return GROUP_NONE;
    }
    return (uint16_t)vacant;
}

static void group_release(struct sealout_group *group)
{
    if (group->streams_n > 0)
        return;
    srtp_dealloc(group->session);
    group->session = NULL;
}

/* libsrtp2 makes a stream from the template for the first packet that it protects. That is a
 * receiver report here, which goes nowhere and uses RTCP index 1; so no packet of the media path
 * ever makes one. */
static bool group_add_stream(struct sealout_group *group, uint32_t ssrc)
{
    _Alignas(4) uint8_t report[RTCP_REPORT_BYTES + SEAL_OVERHEAD_RTCP + SEAL_SLACK_BYTES] = {
        0x80, 201, 0, 1};
    put_be32(report + 4, ssrc);
    int bytes = RTCP_REPORT_BYTES;
    if (srtp_protect_rtcp(group->session, report, &bytes))
        return false;
    group->streams_n++;
    return true;
}

/* ---- table of ssrcs */

static uint32_t out_home(uint32_t ssrc, uint32_t capacity)
{
    return (uint32_t)((uint64_t)(ssrc * 0x9e3779b1u) * capacity >> 32);
}

struct sealout_stream *sealout_find(const struct sealout *outs, uint32_t ssrc)
{
    if (outs->n == 0)
        return NULL;
    uint32_t at = out_home(ssrc, outs->capacity);
    while (outs->table[at].group != GROUP_NONE) {
        if (outs->table[at].ssrc == ssrc)
            return &outs->table[at];
        at = (at + 1) & (outs->capacity - 1);
    }
    return NULL;
}

static void out_place(struct sealout_stream *table, uint32_t capacity,
                      const struct sealout_stream *out)
{
    uint32_t at = out_home(out->ssrc, capacity);
    while (table[at].group != GROUP_NONE)
        at = (at + 1) & (capacity - 1);
    table[at] = *out;
}

/* Room for one more. */
static bool out_reserve(struct sealout *outs)
{
    if (outs->n < outs->capacity / 4 * 3)
        return true;
    uint32_t capacity = outs->capacity ? 2 * outs->capacity : CAPACITY_MIN;
    struct sealout_stream *table = calloc(capacity, sizeof(*table));
    if (!table)
        return false;
    for (uint32_t i = 0; i < capacity; i++)
        table[i].group = GROUP_NONE;
    for (uint32_t i = 0; i < outs->capacity; i++)
        if (outs->table[i].group != GROUP_NONE)
            out_place(table, capacity, &outs->table[i]);
    free(outs->table);
    outs->table = table;
    outs->capacity = capacity;
    return true;
}

/* Takes an entry out; those behind it that would not be found any more move up. */
static void out_erase(struct sealout *outs, struct sealout_stream *out)
{
    uint32_t mask = outs->capacity - 1;
    uint32_t hole = (uint32_t)(out - outs->table);
    for (uint32_t at = (hole + 1) & mask; outs->table[at].group != GROUP_NONE;
         at = (at + 1) & mask) {
        uint32_t home = out_home(outs->table[at].ssrc, outs->capacity);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        outs->table[hole] = outs->table[at];
        hole = at;
    }
    outs->table[hole] = (struct sealout_stream){.group = GROUP_NONE};
    outs->n--;
    sealcount_add(outs->suite, SEAL_COUNTED_OUTS, -1);
}

/* Ends a stream for good, in libsrtp2 as well. */
static void out_drop(struct sealout *outs, struct sealout_stream *out)
{
    struct sealout_group *group = &outs->groups[out->group];
    srtp_remove_stream(group->session, htonl(out->ssrc)); /* network order, undocumented */
    group->streams_n--;
    group_release(group);
    if (out->parked)
        outs->parked_n--;
    out_erase(outs, out);
}

/* ---- ssrcs that are used up: sorted ranges that do not touch */

/* The first range that ends at `ssrc` or behind it. */
static uint32_t spent_at(const struct sealout *outs, uint32_t ssrc)
{
    uint32_t low = 0;
    uint32_t high = outs->spent_n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (outs->spent[middle].last < ssrc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool spent_has(const struct sealout *outs, uint32_t ssrc)
{
    uint32_t at = spent_at(outs, ssrc);
    return at < outs->spent_n && outs->spent[at].first <= ssrc;
}

/* The list is full: ranges that are near to each other become one. What lies between them counts as
 * used up from now on, which costs a caller a number and nobody a keystream. The nearest go, and
 * with them all that are much nearer than the average, or every stream would pay for the walk. */
static void spent_shrink(struct sealout *outs)
{
    struct sealout_spent *spent = outs->spent;
    uint32_t near = UINT32_MAX;
    for (uint32_t i = 1; i < outs->spent_n; i++)
        if (spent[i].first - spent[i - 1].last < near)
            near = spent[i].first - spent[i - 1].last;
    uint32_t average = (spent[outs->spent_n - 1].last - spent[0].first) / outs->spent_n;
    if (near < average / SPENT_MUCH_NEARER)
        near = average / SPENT_MUCH_NEARER;

    uint32_t kept = 0;
    for (uint32_t i = 1; i < outs->spent_n; i++) {
        if (spent[i].first - spent[kept].last <= near)
            spent[kept].last = spent[i].last;
        else
            spent[++kept] = spent[i];
    }
    outs->spent_n = kept + 1;
}

/* Room for one more range. */
static bool spent_reserve(struct sealout *outs)
{
    if (outs->spent_n == SEAL_SPENT_RANGES_MAX)
        spent_shrink(outs);
    if (outs->spent_n < outs->spent_capacity)
        return true;
    uint32_t capacity = outs->spent_n ? 2 * outs->spent_n : SPENT_CAPACITY_MIN;
    struct sealout_spent *spent = realloc(outs->spent, capacity * sizeof(*spent));
    if (!spent)
        return false;
    outs->spent = spent;
    outs->spent_capacity = capacity;
    return true;
}

/* False: no memory to remember it in. */
static bool spent_add(struct sealout *outs, uint32_t ssrc)
{
    if (spent_has(outs, ssrc))
        return true;
    uint32_t at = spent_at(outs, ssrc);
    if (at > 0 && outs->spent[at - 1].last + 1 == ssrc) {
        outs->spent[at - 1].last = ssrc;
        return true;
    }
    if (at < outs->spent_n && outs->spent[at].first - 1 == ssrc) {
        outs->spent[at].first = ssrc;
        return true;
    }
    if (!spent_reserve(outs))
        return false;
    at = spent_at(outs, ssrc); /* making room may have moved it */
    if (at < outs->spent_n && outs->spent[at].first <= ssrc)
        return true;
    memmove(outs->spent + at + 1, outs->spent + at, (outs->spent_n - at) * sizeof(*outs->spent));
    outs->spent[at] = (struct sealout_spent){.first = ssrc, .last = ssrc};
    outs->spent_n++;
    return true;
}

/* Makes one of two neighbours where next to nothing lies between: an RTX ssrc from which nobody
 * wanted anything, a consumer that never sent. Else each would cut the list once more, and it would
 * grow for as long as the transport lives. Not where a stream, parked ones too, has an ssrc of the
 * gap: its companion may be one that sent nothing, and the two may come back. */
static void spent_bridge(struct sealout *outs, uint32_t at)
{
    if (at == 0 || at >= outs->spent_n)
        return;
    uint32_t from = outs->spent[at - 1].last + 1;
    uint32_t to = outs->spent[at].first;
    if (to - from > SPENT_GAP_MAX)
        return;
    for (uint32_t ssrc = from; ssrc != to; ssrc++)
        if (sealout_find(outs, ssrc))
            return;
    outs->spent[at - 1].last = outs->spent[at].last;
    outs->spent_n--;
    memmove(outs->spent + at, outs->spent + at + 1, (outs->spent_n - at) * sizeof(*outs->spent));
}

/* On both sides of an ssrc that no stream has any more. */
static void spent_bridge_around(struct sealout *outs, uint32_t ssrc)
{
    uint32_t at = spent_at(outs, ssrc);
    spent_bridge(outs, at + 1);
    spent_bridge(outs, at);
}

/* The stream parked first is dropped and its ssrc used up. False: it cannot be remembered, so it
 * stays parked. */
static bool parked_spend(struct sealout *outs)
{
    struct sealout_stream *oldest = NULL;
    for (uint32_t i = 0; i < outs->capacity; i++) {
        struct sealout_stream *out = &outs->table[i];
        if (out->group == GROUP_NONE || !out->parked)
            continue;
        if (!oldest || (int32_t)(out->parked_at - oldest->parked_at) < 0)
            oldest = out;
    }
    if (!oldest || !spent_add(outs, oldest->ssrc))
        return false;
    uint32_t ssrc = oldest->ssrc;
    out_drop(outs, oldest);
    spent_bridge_around(outs, ssrc);
    return true;
}

/* ---- streams */

void sealout_exit(struct sealout *outs)
{
    sealcount_add(outs->suite, SEAL_COUNTED_OUTS, -(int64_t)outs->n);
    for (uint32_t i = 0; i < outs->groups_n; i++)
        if (outs->groups[i].session)
            srtp_dealloc(outs->groups[i].session);
    free(outs->groups);
    free(outs->table);
    free(outs->spent);
    explicit_bzero(outs, sizeof(*outs));
}

int sealout_add(struct sealout *outs, uint32_t ssrc)
{
    struct sealout_stream *known = sealout_find(outs, ssrc);
    if (known) {
        if (!known->parked)
            return -EEXIST;
        known->parked = false;
        known->floor = known->next;
        outs->parked_n--;
        return 0;
    }
    if (spent_has(outs, ssrc))
        return -EEXIST;
    if (outs->n == SEAL_STREAMS_OUT_MAX && !parked_spend(outs))
        return -ENOSPC;
    if (!out_reserve(outs))
        return -ENOMEM;
    uint16_t group = group_find(outs);
    if (group == GROUP_NONE)
        return -ENOMEM;
    if (!group_add_stream(&outs->groups[group], ssrc)) {
        group_release(&outs->groups[group]);
        return -ENOMEM;
    }
    struct sealout_stream out = {.ssrc = ssrc, .group = group};
    out_place(outs->table, outs->capacity, &out);
    outs->n++;
    sealcount_add(outs->suite, SEAL_COUNTED_OUTS, 1);
    return 0;
}

void sealout_remove(struct sealout *outs, uint32_t ssrc)
{
    struct sealout_stream *out = sealout_find(outs, ssrc);
    if (!out || out->parked)
        return;
    if (!out->used) {
        out_drop(outs, out);
        spent_bridge_around(outs, ssrc);
        return;
    }
    out->parked = true;
    out->parked_at = outs->parkings++;
    outs->parked_n++;
    if (outs->parked_n > SEAL_PARKED_MAX)
        parked_spend(outs);
}

bool sealout_index(const struct sealout_stream *out, uint16_t seq, uint64_t *index)
{
    if (out->next == 0) {
        *index = seq;
        return true;
    }
    uint64_t newest = out->next - 1;
    int32_t diff = seq_diff(seq, (uint16_t)newest);
    if (diff == INT16_MIN || (diff < 0 && newest < (uint64_t)-diff))
        return false;
    *index = newest + (uint64_t)(int64_t)diff;
    return *index >= out->floor;
}
