/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/shed.h - a worker's stress measured and told, and consumers shed while there is too much of
 * it.
 *
 * Shed first is the lowest priority, and within one priority video before audio and who came last
 * before who was there; brought back in the reverse order. To media a shed consumer is a paused
 * one: its numbers stand still, and it goes on with a key frame.
 *
 *   forwarding <--- shed_turn() ---> shed        a stack for each class of priority and kind
 *        ^                            |
 *        `---- pause, resume ---.     | a controller's pause of a shed one waits here
 *                     not in any <----'
 *
 * Threads: the owning worker. Memory: 4 KiB a worker, 12 bytes a consumer. */
#ifndef NET_SHED_H
#define NET_SHED_H

#include "net/state.h"

/* The worker begins. */
void shed_init(struct worker *w);

/* A turn has ended: at the end of a window the figure is made, told where it has crossed the rule's
 * thresholds, and the pace asked. */
void shed_measure(struct worker *w, int64_t now_us);

/* The step that is due, if any: once no round is under way, which it sees to. A consumer whose
 * event finds no room in the outbox waits for the next step. */
void shed_turn(struct worker *w);

/* A consumer was opened (`paused` is set), is to be closed. */
void shed_open(struct worker *w, struct consumer *consumer);
void shed_close(struct worker *w, struct consumer *consumer);

/* By its controller. No round may be active, here and below. */
void shed_pause(struct worker *w, struct consumer *consumer, bool paused);

/* A shed one that others are worth less than now comes back at once. */
void shed_set_priority(struct worker *w, struct consumer *consumer, uint8_t priority);

#endif
