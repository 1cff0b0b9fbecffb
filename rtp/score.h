/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/score.h - how well a stream gets through: 0..10 per report interval, weighted over the
 * last 24.
 *
 * Within an interval: round(10 * delivered^4), where what was repaired counts the less, the more
 * had to be repaired and the more repairs were sent in vain. The value is the mean of the history,
 * the newest weighing most. A new stream has 10. Threads: the owner's. 26 bytes, no allocation. */
#ifndef RTP_SCORE_H
#define RTP_SCORE_H

#include "core/base.h"

enum { SCORE_HISTORY = 24, SCORE_MAX = 10 };

struct score {
    uint8_t history[SCORE_HISTORY]; /* oldest first */
    uint8_t n;
    uint8_t value;
};

void score_init(struct score *score);

/* One interval: packets expected; received without the repaired ones; missing ones that a resend
 * filled; resends that came (or were sent), the useless ones included. True when the value has
 * changed. */
bool score_add(struct score *score, uint32_t expected, uint32_t received, uint32_t repaired,
               uint32_t retransmitted);

#endif
