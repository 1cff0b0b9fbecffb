/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/heap.h - blocks that the heap keeps at hand for a thread go back where they can be joined.
 *
 * glibc keeps up to seven freed blocks of each small size for the thread that freed them. After a
 * crowd has left they lie scattered over what was its memory, and each keeps a page from going back
 * to the system (malloc_trim()): up to 448 pages a thread. There is no call that empties that
 * cache, but a block that is grown beyond the sizes it takes is freed past it, and where the memory
 * behind a block is free it grows in place.
 *
 * Elsewhere than with glibc's heap this does nothing that matters. Threads: the caller's own
 * blocks. */
#ifndef CORE_HEAP_H
#define CORE_HEAP_H

#include "core/base.h"

enum { HEAP_STEPS = 4 };

/* One step of emptying: a quarter of the sizes, 112 blocks, about 0.1 ms. Steps 0..HEAP_STEPS - 1
 * are all of it; doing them again finds blocks that lay before others. */
void heap_flush(uint32_t step);

#endif
