/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/nack.h - what a producer's stream is missing, and when to ask for it. BEHAVIOUR 2.2,
 * scheduled exactly.
 *
 * First request NACK_DELAY_US after the gap was seen (reordering is absorbed), again after each
 * RTT, NACK_TRIES times at most. Over NACK_LIST_MAX: everything before the last key frame goes; if
 * that is not enough, all goes and a key frame is asked for. No timer inside: the owner asks
 * nack_due_us(). Threads: the owner's; time is an argument. 12 KB, of which only the head and the
 * items in use are ever touched; no allocation.
 *
 *   a number:  missing --comes--> reordered
 *                 `-- asked 1..NACK_TRIES times --comes--> recovered
 *                        `-- a last RTT has passed, or NACK_AGE_MAX behind --> given up
 *              any time: the list overflows, nack_reset() --> cleared
 */
#ifndef RTCP_NACK_H
#define RTCP_NACK_H

#include "core/base.h"

enum {
    NACK_DELAY_US = 10000,
    NACK_RTT_DEFAULT_US = 100000,
    /* Between two requests for one number: the RTT, but a sender needs its time as well, and ten
     * tries within ten milliseconds would be none. */
    NACK_REPEAT_MIN_US = 20000,
    NACK_REPEAT_MAX_US = 2000000,
    NACK_TRIES = 10,
    NACK_LIST_MAX = 1000,
    NACK_AGE_MAX = 10000, /* numbers behind the newest */
};

struct nack_item {
    uint32_t seq_ext;
    uint32_t due_low; /* low bits of the time in us, relative to the list's due_us */
    uint8_t tries;
};

struct nack_list {
    bool started, wants_keyframe;
    bool keyframe_known;
    uint32_t seq_max;      /* extended */
    uint32_t keyframe_seq; /* extended number of the last key frame's first packet */
    uint32_t n;
    int64_t due_us; /* earliest, INT64_MAX for none */
    /* Numbers: gaps == reordered + recovered + given_up + cleared + n. `asked` counts every time.
     */
    uint64_t gaps, reordered, asked, recovered, given_up, cleared;
    struct nack_item items[NACK_LIST_MAX]; /* ascending by number */
};

/* Touches the head only, not the items. */
void nack_init(struct nack_list *list);

/* After a pause or a restart of numbering: forgets what is missing; the counters go on. */
void nack_reset(struct nack_list *list);

/* A packet came (media, or recovered by RTX). `keyframe`: it begins a key frame. True when it was
 * missing, asked for or not. */
bool nack_receive(struct nack_list *list, uint32_t seq_ext, bool keyframe, int64_t now_us);

/* When something is to be asked for; INT64_MAX for nothing. At once when the list was given up. */
int64_t nack_due_us(const struct nack_list *list);

/* The numbers to ask for now, ascending; marks them as asked. `rtt_us` 0 = unknown. When there are
 * more than `seqs_max` the rest stays due. `wants_keyframe` is set (and cleared inside) when the
 * list was given up. */
size_t nack_take(struct nack_list *list, int64_t now_us, int64_t rtt_us, uint16_t *seqs,
                 size_t seqs_max, bool *wants_keyframe);

#endif
