/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtcp/keyframe.h - key frame requests of many receivers merged into few towards the producer.
 * BEHAVIOUR 2.3.
 *
 * At most one request is outstanding per stream; asked again meanwhile, it is repeated once after
 * KEYFRAME_WAIT_US. With a producer's `delay_us` later requests within that time after one was sent
 * are merged into one at its end. No timer inside: the owner asks keyframe_due_us().
 * Threads: the owner's; time is an argument.
 *
 *   idle --request: send--> waiting --request--> waiting, again
 *     ^                        |                    | KEYFRAME_WAIT_US: send
 *     `---- key frame, or KEYFRAME_WAIT_US          `--> waiting
 */
#ifndef RTCP_KEYFRAME_H
#define RTCP_KEYFRAME_H

#include "core/base.h"

enum { KEYFRAME_WAIT_US = 1000000 };

struct keyframe {
    int64_t delay_us; /* 0 = off */
    int64_t due_us;   /* INT64_MAX when nothing is pending */
    int64_t asked_us; /* last request sent, if `sent` is not 0 */
    bool waiting;     /* asked, no key frame seen yet */
    bool again;       /* asked again while waiting */
    bool merged;      /* asked again within the delay */
    /* For FIR: the number of the last request. It counts repetitions as well, or an encoder would
     * ignore the repetition of one whose key frame was lost. */
    uint8_t fir_seq;
    uint64_t requested, sent, received;
};

void keyframe_init(struct keyframe *keyframe, int64_t delay_us);

/* A receiver wants a key frame. True: send a request upstream now. */
bool keyframe_request(struct keyframe *keyframe, int64_t now_us);

/* The same, ignoring what is outstanding (a new source, a forced request). Always true. */
bool keyframe_force(struct keyframe *keyframe, int64_t now_us);

/* The request that was just wanted could not be sent: the next one is tried anew. */
void keyframe_unsent(struct keyframe *keyframe);

/* A key frame has come: whoever has asked until now is served. */
void keyframe_receive(struct keyframe *keyframe, int64_t now_us);

int64_t keyframe_due_us(const struct keyframe *keyframe);

/* The timer ran. True: send a request now. */
bool keyframe_expire(struct keyframe *keyframe, int64_t now_us);

#endif
