/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlsqueue.c - a bounded queue of datagrams on the heap. */
#include "net/dtlsqueue.h"

#include <stdlib.h>

void dtlsqueue_init(struct dtlsqueue *queue)
{
    *queue = (struct dtlsqueue){.last = &queue->first};
}

bool dtlsqueue_put(struct dtlsqueue *queue, const void *data, size_t bytes, size_t bytes_max)
{
    ASSERT(queue->bytes <= bytes_max);
    if (bytes > bytes_max - queue->bytes)
        return false;
    struct dtlsqueue_datagram *datagram = malloc(sizeof(*datagram) + bytes);
    if (!datagram)
        return false;
    datagram->next = NULL;
    datagram->bytes = bytes;
    memcpy(datagram->data, data, bytes);
    *queue->last = datagram;
    queue->last = &datagram->next;
    queue->bytes += bytes;
    return true;
}

void dtlsqueue_drop_first(struct dtlsqueue *queue)
{
    struct dtlsqueue_datagram *first = queue->first;
    ASSERT(first);
    queue->first = first->next;
    queue->bytes -= first->bytes;
    if (!queue->first)
        queue->last = &queue->first;
    free(first);
}

void dtlsqueue_clear(struct dtlsqueue *queue)
{
    while (queue->first)
        dtlsqueue_drop_first(queue);
}
