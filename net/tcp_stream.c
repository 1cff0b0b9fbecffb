/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tcp_stream.c - what runs through TCP connections: frames into slots, packets into frames.
 *
 * Connections with something to read take turns: one receive each, then all the frames of it. */
#include "net/tcp_parts.h"

#include <errno.h>

/* ---- in ---- */

static bool next_ended(struct tcp *tcp, struct tcp_event *event)
{
    struct tcp_connection *c = tcp_first(tcp, TCP_LIST_ENDED);
    if (c == NULL)
        return false;
    *event = (struct tcp_event){.kind = TCP_CLOSED,
                                .id = tcp_id_of(tcp, c),
                                .owner = c->owner,
                                .end = (enum tcp_end)c->end,
                                .error = c->error};
    tcp_list_remove(tcp, TCP_LIST_ENDED, c);
    tcp_give(tcp, c);
    return true;
}

/* The next whole frame of the connection's buffer goes into a slot, which there is. */
static bool next_frame(struct tcp *tcp, struct tcp_connection *c, struct tcp_event *event)
{
    size_t bytes = 0;
    if (c->read_buffer == FRAME_NONE)
        return false;
    const uint8_t *frame =
        frame_next(&c->reader, frame_pool_at(&tcp->reads, c->read_buffer), &bytes, &tcp->faults);
    if (frame == NULL)
        return false;
    uint16_t slot = slab_take(tcp->slab);
    ASSERT(slot != SLOT_NONE);
    slab_receive(tcp->slab, slot);
    memcpy(slab_packet(tcp->slab, slot), frame, bytes);
    *event = (struct tcp_event){.kind = TCP_FRAME,
                                .id = tcp_id_of(tcp, c),
                                .owner = c->owner,
                                .datagram = {.kind = IO_DATAGRAM,
                                             .socket = c->socket,
                                             .slot = slot,
                                             .bytes = (uint16_t)bytes,
                                             .arrived_us = tcp->now_us,
                                             .remote = c->remote,
                                             .local = c->local}};
    tcp->counters.frames_in++;
    return true;
}

/* One receive. A short one has emptied the socket, and the next edge tells; but a peer that has
 * ended sends no more edges. */
static void read_once(struct tcp *tcp, struct tcp_connection *c)
{
    if (c->read_buffer == FRAME_NONE)
        c->read_buffer = frame_pool_take(&tcp->reads);
    ASSERT(c->read_buffer != FRAME_NONE); /* there is one per connection */
    size_t room = 0;
    uint8_t *at =
        frame_room(&c->reader, frame_pool_at(&tcp->reads, c->read_buffer), TCP_READ_BYTES, &room);
    ASSERT(room > 0);
    c->visited = true;
    tcp->reads_left--;
    tcp->counters.syscalls++;
    ssize_t got = recv(c->fd, at, room, MSG_DONTWAIT);
    if (got > 0) {
        frame_filled(&c->reader, (size_t)got);
        tcp->counters.bytes_in += (uint64_t)got;
        c->more = (size_t)got == room || c->hup;
    } else if (got == 0) {
        tcp_end(tcp, c, TCP_END_PEER, 0);
    } else if (errno == EAGAIN) {
        c->more = false;
    } else if (errno != EINTR) {
        tcp_end(tcp, c, TCP_END_ERROR, -errno);
    }
}

/* Its frames are told. With a part of one it keeps its buffer. */
static void visit_over(struct tcp *tcp, struct tcp_connection *c)
{
    c->visited = false;
    if (frame_reader_is_empty(&c->reader)) {
        frame_pool_give(&tcp->reads, c->read_buffer);
        c->read_buffer = FRAME_NONE;
    }
    tcp_list_remove(tcp, TCP_LIST_READY, c);
    if (c->more)
        tcp_list_add(tcp, TCP_LIST_READY, c);
}

bool tcp_next(struct tcp *tcp, struct tcp_event *event)
{
    for (;;) {
        if (next_ended(tcp, event))
            return true;
        struct tcp_connection *c = tcp_first(tcp, TCP_LIST_READY);
        if (c == NULL)
            break;
        if (tcp->slab->free_n == 0) {
            tcp->counters.starved++;
            break;
        }
        if (next_frame(tcp, c, event))
            return true;
        if (c->visited)
            visit_over(tcp, c);
        else if (tcp->reads_left > 0)
            read_once(tcp, c);
        else
            break;
    }
    tcp->reads_left = TCP_READS_MAX;
    return false;
}

/* ---- out ---- */

/* One call offers all that is pending. A part taken is as good as EAGAIN: room is told by an edge.
 */
void tcp_write(struct tcp *tcp, struct tcp_connection *c)
{
    struct iovec vectors[FRAME_VECTORS_MAX];
    uint32_t pending = c->queue.bytes;
    struct msghdr message = {.msg_iov = vectors,
                             .msg_iovlen = frame_vectors(&c->queue, &tcp->chunks, vectors)};
    tcp->counters.syscalls++;
    ssize_t sent = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        tcp_end(tcp, c, TCP_END_ERROR, -errno);
        return;
    }
    if (sent > 0) {
        frame_sent(&c->queue, &tcp->chunks, (size_t)sent);
        tcp->counters.bytes_out += (uint64_t)sent;
    }
    c->blocked = sent < (ssize_t)pending;
}

void tcp_flush(struct tcp *tcp)
{
    struct tcp_connection *c;
    while ((c = tcp_first(tcp, TCP_LIST_DIRTY)) != NULL) {
        tcp_list_remove(tcp, TCP_LIST_DIRTY, c);
        tcp_write(tcp, c);
    }
}

/* Refused for a bound: what the kernel would take may make room. */
static bool make_room(struct tcp *tcp, struct tcp_connection *c, enum drop why)
{
    if (why == DROP_TCP_MEMORY && tcp_first(tcp, TCP_LIST_DIRTY) != NULL) {
        tcp_flush(tcp);
        return true;
    }
    if (why != DROP_TCP_FULL || c->blocked || c->queue.bytes == 0)
        return false;
    tcp_list_remove(tcp, TCP_LIST_DIRTY, c);
    tcp_write(tcp, c);
    return true;
}

enum drop tcp_send(struct tcp *tcp, struct tcp_id id, const uint8_t *packet, size_t bytes)
{
    enum drop why = DROP_SEND_ERROR;
    struct tcp_connection *c = tcp_find(tcp, id);
    if (c != NULL && c->state == TCP_OPEN)
        why = frame_put(&c->queue, &tcp->chunks, TCP_PENDING_BYTES_MAX, packet, bytes);
    if ((why == DROP_TCP_FULL || why == DROP_TCP_MEMORY) && make_room(tcp, c, why)) {
        c = tcp_find(tcp, id); /* writing may have ended it */
        why = DROP_SEND_ERROR;
        if (c != NULL && c->state == TCP_OPEN)
            why = frame_put(&c->queue, &tcp->chunks, TCP_PENDING_BYTES_MAX, packet, bytes);
    }
    tcp->counters.frames_out += why == DROP_NONE;
    tcp->counters.dropped_full += why == DROP_TCP_FULL;
    tcp->counters.dropped_memory += why == DROP_TCP_MEMORY;
    tcp->counters.dropped_closed += why == DROP_SEND_ERROR;
    if (why == DROP_NONE && !c->blocked)
        tcp_list_add(tcp, TCP_LIST_DIRTY, c);
    return why;
}

uint32_t tcp_pending_bytes(const struct tcp *tcp, struct tcp_id id)
{
    const struct tcp_connection *c = tcp_find(tcp, id);
    return c == NULL ? 0 : c->queue.bytes;
}
