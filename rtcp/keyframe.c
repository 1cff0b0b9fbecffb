/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/keyframe.c - key frame requests of many receivers merged into few towards the producer. */
#include "rtcp/keyframe.h"

void keyframe_init(struct keyframe *keyframe, int64_t delay_us)
{
    *keyframe = (struct keyframe){.delay_us = max_i64(delay_us, 0), .due_us = INT64_MAX};
}

static void refresh_due(struct keyframe *keyframe)
{
    int64_t due_us = INT64_MAX;
    if (keyframe->waiting)
        due_us = keyframe->asked_us + KEYFRAME_WAIT_US;
    if (keyframe->merged)
        due_us = min_i64(due_us, keyframe->asked_us + keyframe->delay_us);
    keyframe->due_us = due_us;
}

/* One request goes upstream: it stands for all that were asked until now. */
static bool ask(struct keyframe *keyframe, int64_t now_us)
{
    keyframe->sent++;
    keyframe->fir_seq++;
    keyframe->asked_us = now_us;
    keyframe->waiting = true;
    keyframe->again = false;
    keyframe->merged = false;
    refresh_due(keyframe);
    return true;
}

static bool is_outstanding(const struct keyframe *keyframe, int64_t now_us)
{
    return keyframe->waiting && now_us - keyframe->asked_us < KEYFRAME_WAIT_US;
}

static bool is_delayed(const struct keyframe *keyframe, int64_t now_us)
{
    return keyframe->sent && now_us - keyframe->asked_us < keyframe->delay_us;
}

bool keyframe_request(struct keyframe *keyframe, int64_t now_us)
{
    keyframe->requested++;
    if (is_delayed(keyframe, now_us))
        keyframe->merged = true;
    else if (is_outstanding(keyframe, now_us))
        keyframe->again = true;
    else
        return ask(keyframe, now_us);
    refresh_due(keyframe);
    return false;
}

bool keyframe_force(struct keyframe *keyframe, int64_t now_us)
{
    keyframe->requested++;
    return ask(keyframe, now_us);
}

void keyframe_receive(struct keyframe *keyframe, int64_t now_us)
{
    (void)now_us; /* asked_us stays: the delay runs from the request, not from the key frame */
    keyframe->received++;
    keyframe->waiting = false;
    keyframe->again = false;
    keyframe->merged = false;
    refresh_due(keyframe);
}

int64_t keyframe_due_us(const struct keyframe *keyframe)
{
    return keyframe->due_us;
}

bool keyframe_expire(struct keyframe *keyframe, int64_t now_us)
{
    if (keyframe->merged && !is_delayed(keyframe, now_us)) {
        keyframe->merged = false;
        if (!is_outstanding(keyframe, now_us))
            return ask(keyframe, now_us);
        keyframe->again = true; /* the delay is the shorter one: wait for the first request */
    }
    if (keyframe->waiting && !is_outstanding(keyframe, now_us)) {
        if (keyframe->again)
            return ask(keyframe, now_us);
        keyframe->waiting = false;
    }
    refresh_due(keyframe);
    return false;
}

void keyframe_unsent(struct keyframe *keyframe)
{
    keyframe->waiting = keyframe->again = keyframe->merged = false;
    keyframe->due_us = INT64_MAX;
}
