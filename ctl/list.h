/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/list.h - doubly linked lists through a member of their elements, for the object model.
 *
 *     struct router *router;
 *     LIST_EACH (router, &model->routers, struct router, link)
 *
 * The running element may be removed while walking. Threads: the owner's. No memory of its own. */
#ifndef CTL_LIST_H
#define CTL_LIST_H

#include "core/base.h"

struct link {
    struct link *prev, *next;
};

static inline void list_init(struct link *list)
{
    list->prev = list->next = list;
}

static inline bool list_is_empty(const struct link *list)
{
    return list->next == list;
}

static inline void list_append(struct link *list, struct link *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* May be called again on a link that was removed. */
static inline void list_remove(struct link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = link;
}

#define LIST_OF(link_, type, member) ((type *)(void *)((char *)(link_)-offsetof(type, member)))

#define LIST_CAT_(a, b) a##b
#define LIST_CAT(a, b)  LIST_CAT_(a, b)
#define LIST_EACH(at, list, type, member)                                                          \
    LIST_EACH_(at, list, type, member, LIST_CAT(link_, __LINE__), LIST_CAT(link_next_, __LINE__))
#define LIST_EACH_(at, list, type, member, here, after)                                            \
    for (struct link *here = (list)->next, *after = here->next;                                    \
         here != (list) && (((at) = LIST_OF(here, type, member)), true);                           \
         here = after, after = here->next)

#endif
