/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/ring_complete.c - what completions mean: a datagram, an ended receive, a failed send, a
 * wake-up. */
#include "core/ring.h"

#include <errno.h>

static_assert(sizeof(struct io_slot_head) == sizeof(struct io_uring_recvmsg_out) &&
                  sizeof(struct io_slot_head) == SLOT_NAME_AT,
              "the kernel's head of a multishot receive is the head of a slot");

uint64_t ring_data(enum ring_op op, uint16_t gen, uint32_t index)
{
    return (uint64_t)op << 56 | (uint64_t)gen << 32 | index;
}

void ring_list(struct ring *ring, struct io_socket *socket, uint16_t index)
{
    if (socket->listed)
        return;
    socket->listed = true;
    ring->listed[ring->listed_n++] = index;
}

/* A send's result. Those that worked come only where the kernel cannot leave them out. */
static void on_send(struct io *io, uint16_t gen, uint32_t index, int result)
{
    const struct ring *ring = io->state;
    ASSERT(gen == ring->submit_gen); /* else its buffer has been handed out again */
    if (result < 0)
        io_egress_failed(io, (uint16_t)index, -result);
}

/* Why a receive has ended decides how it goes on. */
static void on_receive_ended(struct io *io, uint16_t index, int result)
{
    struct ring *ring = io->state;
    struct io_socket *socket = &io->sockets[index];
    socket->armed = false;
    if (socket->state == IO_SOCKET_CLOSING) {
        if (!socket->listed)
            io_socket_close(io, index);
        return;
    }
    if (result == -ENOBUFS)
        ring->no_buffers = true;
    else if (result < 0 && !io_socket_error(io, index, -result))
        return;
    io->counters.rearms++;
    ring_list(ring, socket, index);
}

static void on_receive(struct io *io, uint16_t gen, uint32_t index, const struct io_uring_cqe *cqe)
{
    struct ring *ring = io->state;
    ASSERT(index < io->sockets_max);
    ASSERT(io->sockets[index].gen == gen); /* an index is given back after the final completion */
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        uint16_t slot = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        ASSERT(ring->standing > 0);
        ring->standing--;
        if (cqe->res >= SLOT_HEAD)
            io_received_add(io, (uint16_t)index, slot, (uint32_t)cqe->res - SLOT_HEAD);
        else
            slab_release(io->slab, slot);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        on_receive_ended(io, (uint16_t)index, cqe->res);
}

/* A receive that was just being run is found by no cancel: it is tried again. */
static void on_cancel(struct io *io, uint16_t gen, uint32_t index)
{
    struct io_socket *socket = &io->sockets[index];
    if (socket->gen == gen && socket->state == IO_SOCKET_CLOSING && socket->armed)
        ring_list(io->state, socket, (uint16_t)index);
}

static void on_wake(struct io *io, const struct io_uring_cqe *cqe)
{
    struct ring *ring = io->state;
    if (!(cqe->flags & IORING_CQE_F_MORE))
        ring->wake_armed = false;
    if (cqe->res >= 0)
        io_wake_seen(io);
}

static void on_completion(struct io *io, const struct io_uring_cqe *cqe)
{
    uint16_t gen = (uint16_t)(cqe->user_data >> 32);
    uint32_t index = (uint32_t)cqe->user_data;
    switch ((enum ring_op)(cqe->user_data >> 56)) {
    case RING_NONE:
        return;
    case RING_RECEIVE:
        on_receive(io, gen, index, cqe);
        return;
    case RING_CANCEL:
        on_cancel(io, gen, index);
        return;
    case RING_SEND:
        on_send(io, gen, index, cqe->res);
        return;
    case RING_WAKE:
        on_wake(io, cqe);
        return;
    case RING_WATCH:
        ring_on_watch(io, gen, index, cqe);
        return;
    case RING_UNWATCH:
        ring_on_unwatch(io, gen, index, cqe->res);
        return;
    }
}

void ring_reap(struct io *io)
{
    struct io_uring *uring = &((struct ring *)io->state)->uring;
    for (unsigned round = 0; round < RING_ROUNDS_MAX; round++) {
        struct io_uring_cqe *cqe;
        unsigned head;
        unsigned n = 0;
        io_uring_for_each_cqe(uring, head, cqe)
        {
            on_completion(io, cqe);
            n++;
        }
        io_uring_cq_advance(uring, n);
        if (!(IO_URING_READ_ONCE(*uring->sq.kflags) & IORING_SQ_CQ_OVERFLOW))
            return;
        io->counters.cq_overflows++;
        io->counters.syscalls++;
        io_uring_get_events(uring);
    }
}
