/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/mailbox.h - a bounded queue of fixed-size messages from one thread to another.
 *
 * Single producer, single consumer, lock-free, no system call: the producer wakes the consumer
 * itself (io_wake() or an eventfd). Messages are written and read in place.
 * Memory: items_n * item_bytes, mapped by mailbox_init(), touched when first used. */
#ifndef CORE_MAILBOX_H
#define CORE_MAILBOX_H

#include "core/base.h"

#include <stdatomic.h>

struct mailbox {
    uint8_t *items;
    size_t item_bytes;
    uint32_t items_n;              /* power of two */
    _Alignas(64) atomic_uint put;  /* producer writes */
    _Alignas(64) atomic_uint take; /* consumer writes */
};

/* `items_n` a power of two, at most 2^24; `item_bytes` is rounded up so that every item is aligned
 * for any type. 0, -EINVAL, -ENOMEM. */
int mailbox_init(struct mailbox *mailbox, size_t item_bytes, uint32_t items_n);
void mailbox_exit(struct mailbox *mailbox);

/* Producer: the next item to write, or NULL when full (an answer). */
void *mailbox_put_begin(struct mailbox *mailbox);
void mailbox_put_end(struct mailbox *mailbox); /* publishes it */
/* Producer: how many more fit now, at least. */
uint32_t mailbox_room(const struct mailbox *mailbox);

/* Consumer: the oldest item, or NULL when empty; it stays valid until mailbox_take_end(). */
void *mailbox_take_begin(struct mailbox *mailbox);
void mailbox_take_end(struct mailbox *mailbox);

#endif
