/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/trim.c - see ctl/trim.h. */
#include "ctl/trim.h"

bool trim_waits(const struct trim *trim)
{
    return trim->closed_n >= TRIM_CLOSED || trim->left_n > 0;
}

bool trim_due(struct trim *trim, uint64_t steps, bool quiet, int64_t now_us)
{
    if (steps != trim->steps) {
        trim->steps = steps;
        trim->calm_us = now_us;
    }
    if (trim->closed_n >= TRIM_CLOSED) {
        if (trim->left_n == 0)
            trim->since_us = now_us;
        trim->closed_n = 0;
        trim->left_n = TRIM_TIMES;
    }
    if (trim->left_n == 0 || now_us < trim->at_us)
        return false;
    bool calm = quiet && now_us - trim->calm_us >= TRIM_CALM_US;
    if (!calm && now_us - trim->since_us < TRIM_PATIENCE_US)
        return false;
    trim->left_n--;
    trim->at_us = now_us + TRIM_STEP_US;
    trim->since_us = now_us;
    return true;
}
