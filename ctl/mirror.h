/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/mirror.h - what stands for a producer on another worker than its own, for the consumers
 * there.
 *
 *   producer's worker A:  producer opens .. READER_ADD .. READER_REMOVE .. producer closes
 *   mirror's worker B:    mirror opens .. its consumers open .. and close .. mirror closes
 *
 * One for each producer and worker, made for the first consumer there and ended with the last. Each
 * worker does its part in this order, and nobody waits in between: only the consumer's answer does,
 * for both workers. Who comes while a mirror ends gets a new one, with an index and a serial of its
 * own. Threads: the control thread's. Memory: one small struct each; ending needs none. */
#ifndef CTL_MIRROR_H
#define CTL_MIRROR_H

#include "ctl/control.h"

/* One more consumer on `worker`, which is not the producer's: the mirror there, made if need be.
 * NULL with the request answered. */
struct mirror *mirror_join(struct control *control, struct request *request,
                           struct producer *producer, uint16_t worker);

/* One consumer less; the last one ends it. Its close must have been posted before. `request` (or
 * NULL) waits for both workers. */
void mirror_leave(struct control *control, struct mirror *mirror, struct request *request);

/* Why consumers of it cannot be, or will not be; 0: nothing is wrong with it, or not yet. `opened`:
 * what the worker said about the consumer. */
int mirror_result(const struct mirror *mirror, int opened);

#endif
