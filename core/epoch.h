/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/epoch.h - whether a thread may still be looking at what it could find in an earlier turn.
 *
 * A thread that reads what others own (core/slab.h, slab_read()) works in turns: in each it finds
 * anew what it uses, and holds on to nothing beyond. Its epoch is odd in a turn, another one each
 * time, and even while it sleeps. An owner who has made something impossible to find notes the
 * epochs of the readers then; what they could have found is theirs no more when each has passed.
 *
 *   reader   epoch_begin   find, read   epoch_begin   ...   epoch_sleep
 *   owner         unfindable   epoch_seen   ...   epoch_has_passed: reuse
 *
 * All accesses are sequentially consistent: either the owner sees the reader's turn, or the reader
 * sees that it is not to be found. Threads: the reader writes, anybody looks. */
#ifndef CORE_EPOCH_H
#define CORE_EPOCH_H

#include "core/base.h"

#include <stdatomic.h>

struct epoch {
    _Atomic uint32_t turn;
};

/* Reader: a turn begins, and with it the one before has ended. */
static inline void epoch_begin(struct epoch *epoch)
{
    uint32_t turn = atomic_load_explicit(&epoch->turn, memory_order_relaxed);
    atomic_store(&epoch->turn, (turn + 2) | 1);
}

/* Reader: the turn has ended, and none follows soon. */
static inline void epoch_sleep(struct epoch *epoch)
{
    uint32_t turn = atomic_load_explicit(&epoch->turn, memory_order_relaxed);
    atomic_store(&epoch->turn, (turn + 1) & ~1U);
}

static inline uint32_t epoch_seen(struct epoch *epoch)
{
    return atomic_load(&epoch->turn);
}

/* Owner: has the turn ended that was seen? */
static inline bool epoch_has_passed(struct epoch *epoch, uint32_t seen)
{
    return !(seen & 1) || atomic_load(&epoch->turn) != seen;
}

#endif
