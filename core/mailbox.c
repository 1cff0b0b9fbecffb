/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/mailbox.c - two counters that only grow; their difference is what is in the box. */
#include "core/mailbox.h"

#include <errno.h>

enum { MAILBOX_ITEMS_MAX = 1 << 24 };

int mailbox_init(struct mailbox *mailbox, size_t item_bytes, uint32_t items_n)
{
    *mailbox = (struct mailbox){0};
    if (items_n == 0 || items_n > MAILBOX_ITEMS_MAX || (items_n & (items_n - 1)) != 0)
        return -EINVAL;
    if (item_bytes == 0 || item_bytes > UINT32_MAX)
        return -EINVAL;

    mailbox->item_bytes = round_up_size(item_bytes, _Alignof(max_align_t));
    mailbox->items_n = items_n;
    mailbox->items = base_map(mailbox->item_bytes * items_n);
    return mailbox->items ? 0 : -ENOMEM;
}

void mailbox_exit(struct mailbox *mailbox)
{
    base_unmap(mailbox->items, mailbox->item_bytes * mailbox->items_n);
    *mailbox = (struct mailbox){0};
}

static void *item_at(const struct mailbox *mailbox, unsigned at)
{
    return mailbox->items + (at & (mailbox->items_n - 1)) * mailbox->item_bytes;
}

void *mailbox_put_begin(struct mailbox *mailbox)
{
    unsigned put = atomic_load_explicit(&mailbox->put, memory_order_relaxed);
    /* Acquire: the consumer has done with the item before we write into it again. */
    unsigned take = atomic_load_explicit(&mailbox->take, memory_order_acquire);
    ASSERT(put - take <= mailbox->items_n);
    return put - take == mailbox->items_n ? NULL : item_at(mailbox, put);
}

void mailbox_put_end(struct mailbox *mailbox)
{
    unsigned put = atomic_load_explicit(&mailbox->put, memory_order_relaxed);
    unsigned take = atomic_load_explicit(&mailbox->take, memory_order_relaxed);
    ASSERT(put - take < mailbox->items_n);
    atomic_store_explicit(&mailbox->put, put + 1, memory_order_release);
}

uint32_t mailbox_room(const struct mailbox *mailbox)
{
    unsigned put = atomic_load_explicit(&mailbox->put, memory_order_relaxed);
    unsigned take = atomic_load_explicit(&mailbox->take, memory_order_acquire);
    return mailbox->items_n - (put - take);
}

void *mailbox_take_begin(struct mailbox *mailbox)
{
    unsigned take = atomic_load_explicit(&mailbox->take, memory_order_relaxed);
    unsigned put = atomic_load_explicit(&mailbox->put, memory_order_acquire);
    ASSERT(put - take <= mailbox->items_n);
    return put == take ? NULL : item_at(mailbox, take);
}

void mailbox_take_end(struct mailbox *mailbox)
{
    unsigned take = atomic_load_explicit(&mailbox->take, memory_order_relaxed);
    ASSERT(atomic_load_explicit(&mailbox->put, memory_order_relaxed) != take);
    atomic_store_explicit(&mailbox->take, take + 1, memory_order_release);
}
