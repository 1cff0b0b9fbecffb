/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/ring_watch.c - watched descriptors in the io_uring engine: one multishot poll each.
 *
 *   listed --submit--> armed --completion that is the last one--> listed
 *   closing: listed --cancel--> the final completion gives the index back
 *
 * A multishot poll tells edges: it completes when the descriptor wakes it, not as long as it is
 * ready. */
#include "core/ring.h"

#include <poll.h>

static void list(struct ring *ring, struct io_watch *watch, uint16_t index)
{
    if (watch->listed)
        return;
    watch->listed = true;
    ring->watches_listed[ring->watches_listed_n++] = index;
}

int ring_watch(struct io *io, uint16_t index)
{
    list(io->state, &io->watches[index], index);
    return 0;
}

/* A poll that is still in the submission queue, which the kernel did not take, may yet be armed for
 * the file that gets the descriptor's number next: it is cancelled in the same submission, and what
 * completes of a closing watch is told to nobody. */
void ring_unwatch(struct io *io, uint16_t index)
{
    struct io_watch *watch = &io->watches[index];
    if (watch->armed)
        list(io->state, watch, index);
    else if (!watch->listed)
        io_watch_give(io, index);
}

static void prepare_poll(struct io_uring_sqe *sqe, struct io_watch *watch, uint16_t index)
{
    unsigned polled = POLLIN | POLLRDHUP | (watch->writable ? POLLOUT : 0u);
    io_uring_prep_poll_multishot(sqe, watch->fd, polled);
    sqe->user_data = ring_data(RING_WATCH, watch->gen, index);
    watch->armed = true;
}

static void prepare_cancel(struct io_uring_sqe *sqe, const struct io_watch *watch, uint16_t index)
{
    io_uring_prep_cancel64(sqe, ring_data(RING_WATCH, watch->gen, index), 0);
    sqe->user_data = ring_data(RING_UNWATCH, watch->gen, index);
}

/* One step for a listed watch. True when it has to stay in the list. */
static bool step_listed(struct io *io, uint16_t index)
{
    struct io_watch *watch = &io->watches[index];
    if (watch->state == IO_WATCH_CLOSING && !watch->armed) {
        watch->listed = false;
        io_watch_give(io, index);
        return false;
    }
    if (watch->state == IO_WATCH_OPEN && (watch->armed || watch->error))
        return false;
    struct io_uring_sqe *sqe = ring_sqe_take(io); /* the poll may end meanwhile */
    if (!sqe)
        return true;
    if (watch->state == IO_WATCH_OPEN) {
        prepare_poll(sqe, watch, index);
        return false;
    }
    if (watch->armed)
        prepare_cancel(sqe, watch, index);
    else
        ring_prepare_nothing(sqe);
    return !watch->armed; /* the next look gives it back */
}

void ring_watch_step(struct io *io)
{
    struct ring *ring = io->state;
    uint32_t n = ring->watches_listed_n;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t index = ring->watches_listed[i];
        bool stays = step_listed(io, index);
        io->watches[index].listed = stays;
        if (stays)
            ring->watches_listed[kept++] = index;
    }
    while (n < ring->watches_listed_n) /* making room for entries may have added some */
        ring->watches_listed[kept++] = ring->watches_listed[n++];
    ring->watches_listed_n = kept;
}

void ring_on_watch(struct io *io, uint16_t gen, uint32_t index, const struct io_uring_cqe *cqe)
{
    ASSERT(index < io->watches_max);
    struct io_watch *watch = &io->watches[index];
    ASSERT(watch->gen == gen); /* an index is given back after the final completion */
    bool ended = !(cqe->flags & IORING_CQE_F_MORE);
    if (ended)
        watch->armed = false;
    if (watch->state == IO_WATCH_CLOSING) {
        if (ended && !watch->listed)
            io_watch_give(io, (uint16_t)index);
        return;
    }
    if (cqe->res < 0)
        io_watch_failed(io, (uint16_t)index, -cqe->res);
    else
        io_watch_ready(io, (uint16_t)index, (uint32_t)cqe->res);
    if (ended && !watch->error)
        list(io->state, watch, (uint16_t)index);
}

/* A poll that was just being run is found by no cancel: it is tried again. */
void ring_on_unwatch(struct io *io, uint16_t gen, uint32_t index, int result)
{
    struct io_watch *watch = &io->watches[index];
    bool is_left = watch->gen == gen && watch->state == IO_WATCH_CLOSING && watch->armed;
    if (is_left && result < 0)
        list(io->state, watch, (uint16_t)index);
}
