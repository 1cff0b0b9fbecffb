/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/score.c - how well a stream gets through: 0..10 per report interval, weighted over the
 * last 24. */
#include "rtp/score.h"

static double power_4(double x)
{
    return x * x * x * x;
}

static uint8_t interval_score(uint32_t expected, uint32_t received, uint32_t repaired,
                              uint32_t retransmitted)
{
    if (expected == 0)
        return SCORE_MAX; /* nothing was to come, and nothing is missing */
    if (received == 0)
        return 0;

    uint32_t lost = received < expected ? expected - received : 0;
    if (lost > received)
        lost = received;
    if (repaired > lost) /* the rest belongs to the losses of the interval before */
        repaired = lost;

    double weight = power_4(1.0 / ((double)repaired / received + 1.0));
    if (retransmitted > repaired)
        weight *= (double)repaired / retransmitted;
    double delivered = (received - (lost - repaired * weight)) / received;
    return (uint8_t)(SCORE_MAX * power_4(delivered) + 0.5);
}

void score_init(struct score *score)
{
    *score = (struct score){.value = SCORE_MAX};
}

bool score_add(struct score *score, uint32_t expected, uint32_t received, uint32_t repaired,
               uint32_t retransmitted)
{
    if (score->n == SCORE_HISTORY) {
        memmove(score->history, score->history + 1, SCORE_HISTORY - 1);
        score->n--;
    }
    score->history[score->n++] = interval_score(expected, received, repaired, retransmitted);

    unsigned weighted = 0;
    unsigned weights = 0;
    for (unsigned i = 0; i < score->n; i++) {
        weighted += (i + 1) * score->history[i];
        weights += i + 1;
    }
    uint8_t before = score->value;
    score->value = (uint8_t)((weighted + weights / 2) / weights);
    return score->value != before;
}
