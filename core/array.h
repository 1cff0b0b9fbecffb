/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/array.h - objects by index in one mapping, whose memory follows how many there are.
 *
 * The indices are somebody else's (the control thread's); the array counts the objects in every
 * ARRAY_CHUNK_BYTES of its memory and gives a chunk back to the system when the last one in it
 * goes. An object's bytes are zero when its index is taken for the first time, or undefined: the
 * owner writes it whole. Threads: the owner's; array_leave() is a system call at most, for commands
 * and not for packets. */
#ifndef CORE_ARRAY_H
#define CORE_ARRAY_H

#include "core/arena.h"

enum { ARRAY_CHUNK_BYTES = 16384 };

struct array {
    uint8_t *items;
    uint16_t *live; /* per chunk: objects that have a byte in it */
    size_t item_bytes;
    uint32_t items_n;
};

size_t array_bytes(size_t item_bytes,
                   uint32_t items_n); /* what array_init() takes from the arena */
void array_init(struct array *array, struct arena *arena, size_t item_bytes, uint32_t items_n);

void array_enter(struct array *array, uint32_t index);
void array_leave(struct array *array, uint32_t index); /* must have entered; its bytes are gone */

#endif
