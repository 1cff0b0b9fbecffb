/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/ring.c - the io_uring engine: one submit and wait a turn, slots in, batches of sends out. */
#include "core/ring.h"

#include "core/clock.h"
#include "core/io_test_hooks.h"

#include <errno.h>
#include <poll.h>

static_assert(RING_SQ_ENTRIES >= 2 * IO_EGRESS_N, "a full arena and receives to arm fit");

enum {
    EXIT_ROUNDS_MAX = 64,
    EXIT_ROUND_US = 10000,
    WAIT_US_MAX = 60000000,
    RECLAIM_ROUNDS_MAX = 4,
};

void ring_prepare_nothing(struct io_uring_sqe *sqe)
{
    io_uring_prep_nop(sqe);
    sqe->user_data = ring_data(RING_NONE, 0, 0);
}

/* The kernel does not take them now: sends give up, so that their buffers are free, the rest stays.
 */
static void sends_give_up(struct io *io)
{
    struct io_uring *uring = &((struct ring *)io->state)->uring;
    unsigned tail = uring->sq.sqe_tail;
    for (unsigned at = tail - io_uring_sq_ready(uring); at != tail; at++) {
        struct io_uring_sqe *sqe = &uring->sq.sqes[at & uring->sq.ring_mask];
        if ((enum ring_op)(sqe->user_data >> 56) != RING_SEND)
            continue;
        io_egress_failed(io, (uint16_t)sqe->user_data, ENOMEM);
        ring_prepare_nothing(sqe);
    }
}

/* A test plays a kernel that is short of memory. */
static bool submit_refused(struct io *io)
{
    if (__builtin_expect(io->refuse_submits == 0, 1))
        return false;
    io->refuse_submits--;
    return true;
}

static int submit(struct io *io)
{
    struct ring *ring = io->state;
    io->counters.syscalls++;
    return submit_refused(io) ? -EAGAIN : io_uring_submit(&ring->uring);
}

/* Hands the whole submission queue over. The kernel takes less when it is short of memory, or when
 * completions wait to be taken. */
static void push(struct io *io)
{
    struct ring *ring = io->state;
    for (unsigned i = 0; i < RING_SUBMIT_TRIES && io_uring_sq_ready(&ring->uring) > 0;) {
        int taken = submit(io);
        if (taken > 0)
            continue;
        ring_reap(io);
        i++;
    }
    ring->jammed = io_uring_sq_ready(&ring->uring) > 0;
    if (ring->jammed)
        sends_give_up(io);
}

struct io_uring_sqe *ring_sqe_take(struct io *io)
{
    struct ring *ring = io->state;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    if (sqe || ring->jammed)
        return sqe;
    push(io);
    return io_uring_get_sqe(&ring->uring);
}

/* Slots are made to stand, all published in one step. Together with those that were received and
 * not yet told they are never more than the queue of received ones holds. */
static void refill(struct io *io)
{
    struct ring *ring = io->state;
    size_t most = min_size(ring->buffers_n, io_received_room(io));
    size_t wanted = min_size(ring->target, most);
    int n = 0;
    bool has_none = false;
    while (ring->standing < wanted && !has_none) {
        uint16_t slot = slab_take(io->slab);
        has_none = slot == SLOT_NONE;
        if (has_none)
            break;
        io_uring_buf_ring_add(ring->buffers, slab_slot(io->slab, slot), SLOT_BYTES, slot,
                              io_uring_buf_ring_mask(ring->buffers_n), n++);
        ring->standing++;
    }
    if (n)
        io_uring_buf_ring_advance(ring->buffers, n);
    ring->starved = has_none && ring->standing == 0;
    if (ring->starved)
        io->counters.starved++;
}

/* Up at once when the stock ran low, down one step when for a long time no wait needed an eighth of
 * it. Slots that stand too many leave as they are received into. */
static void adapt(struct ring *ring, uint32_t used)
{
    bool ran_low = ring->no_buffers || ring->standing < ring->target / 4;
    if (ran_low && !ring->starved && ring->target < ring->buffers_n)
        ring->target *= 2;
    ring->no_buffers = false;
    ring->used_most = used > ring->used_most ? used : ring->used_most;
    if (++ring->waits_n < RING_ADAPT_WAITS)
        return;
    if (ring->used_most < ring->target / 8 && ring->target > IO_STANDING_MIN)
        ring->target /= 2;
    ring->used_most = 0;
    ring->waits_n = 0;
}

static void arm_wake(struct io *io)
{
    struct ring *ring = io->state;
    struct io_uring_sqe *sqe = ring->wake_armed ? NULL : ring_sqe_take(io);
    if (!sqe)
        return;
    io_uring_prep_poll_multishot(sqe, io->wake_fd, POLLIN);
    sqe->user_data = ring_data(RING_WAKE, 0, 0);
    ring->wake_armed = true;
}

static void prepare_receive(struct ring *ring, struct io_uring_sqe *sqe, struct io_socket *socket,
                            uint16_t index)
{
    io_uring_prep_recvmsg_multishot(sqe, socket->fd, &ring->receive_header, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = ring_data(RING_RECEIVE, socket->gen, index);
    socket->armed = true;
}

static void prepare_cancel(struct io_uring_sqe *sqe, const struct io_socket *socket, uint16_t index)
{
    io_uring_prep_cancel64(sqe, ring_data(RING_RECEIVE, socket->gen, index), 0);
    sqe->user_data = ring_data(RING_CANCEL, socket->gen, index);
}

/* One step for a listed socket. True when it has to stay in the list. */
static bool step_listed(struct io *io, uint16_t index)
{
    struct ring *ring = io->state;
    struct io_socket *socket = &io->sockets[index];
    bool is_closing = socket->state == IO_SOCKET_CLOSING;
    if (is_closing && !socket->armed) {
        io_socket_close(io, index);
        return false;
    }
    if (!is_closing && socket->dead)
        return false;
    if (!is_closing && ring->standing == 0)
        return true; /* a receive without slots would end at once, again and again */
    struct io_uring_sqe *sqe = ring_sqe_take(io);
    if (!sqe)
        return true;
    if (is_closing && socket->armed)
        prepare_cancel(sqe, socket, index);
    else if (is_closing)
        ring_prepare_nothing(sqe); /* it ended while room was made; the next look closes it */
    else
        prepare_receive(ring, sqe, socket, index);
    return is_closing && !socket->armed;
}

static void step_list(struct io *io)
{
    struct ring *ring = io->state;
    uint32_t n = ring->listed_n;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t index = ring->listed[i];
        bool stays = step_listed(io, index);
        io->sockets[index].listed = stays;
        if (stays)
            ring->listed[kept++] = index;
    }
    while (n < ring->listed_n) /* making room for entries may have added some */
        ring->listed[kept++] = ring->listed[n++];
    ring->listed_n = kept;
}

static void prepare_send(struct io *io, struct io_uring_sqe *sqe, uint16_t index)
{
    const struct ring *ring = io->state;
    struct io_op *op = &io->egress.ops[index];
    int fd = io->sockets[op->socket].fd;
    int error = io_egress_fault(io, op->vectors_n > 1);
    if (error) {
        io_uring_prep_nop(sqe);
        sqe->nop_flags = IORING_NOP_INJECT_RESULT;
        sqe->len = (uint32_t)-error;
    } else if (op->control_bytes || !(ring->send_to || op->to_bytes == 0)) {
        io_uring_prep_sendmsg(sqe, fd, io_egress_header(io, index), MSG_DONTWAIT);
    } else {
        const struct iovec *vector = &io->egress.vectors[op->vector_at];
        io_uring_prep_send(sqe, fd, vector->iov_base, vector->iov_len, MSG_DONTWAIT);
        if (op->to_bytes)
            io_uring_prep_send_set_addr(sqe, &op->to.sa, op->to_bytes);
    }
    if (ring->skip_success)
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = ring_data(RING_SEND, ring->submit_gen, index);
}

/* MSG_DONTWAIT on every send: a full socket buffer ends it with EAGAIN. Without, the kernel would
 * keep the request, skip its completion, and read the buffer after it has been handed out again. */
static void prepare_sends(struct io *io)
{
    struct ring *ring = io->state;
    ring->submit_gen++;
    for (uint16_t i = 0; i < io->egress.ops_n; i++) {
        struct io_uring_sqe *sqe = ring_sqe_take(io);
        if (sqe)
            prepare_send(io, sqe, i);
        else
            io_egress_failed(io, i, ENOMEM);
    }
}

static void prepare(struct io *io)
{
    ((struct ring *)io->state)->jammed = false;
    refill(io);
    arm_wake(io);
    step_list(io);
    if (((struct ring *)io->state)->watches_listed_n)
        ring_watch_step(io);
    prepare_sends(io);
    io->counters.submits += io_uring_sq_ready(&((struct ring *)io->state)->uring) > 0;
}

/* After the kernel has been called: everything that is there, and free egress buffers. */
static void settle(struct io *io)
{
    push(io);
    ring_reap(io);
    io_egress_done(io);
}

static bool is_broken(int result)
{
    return result == -EBADF || result == -EBADFD || result == -EFAULT || result == -EINVAL ||
           result == -EEXIST || result == -ENXIO || result == -EOPNOTSUPP;
}

/* Submits and, with `wait_us`, waits for `wait_n` completions; `gathers`: at least for the time of
 * a batch, then for the first. 0 or -errno when the ring does not work. */
static int enter(struct io *io, uint32_t wait_n, int64_t wait_us, bool gathers)
{
    struct ring *ring = io->state;
    struct io_uring_cqe *cqe;
    int result;
    io->counters.syscalls++;
    if (submit_refused(io))
        return 0;
    if (wait_us <= 0) {
        result = io_uring_submit_and_get_events(&ring->uring);
        return is_broken(result) ? result : 0;
    }
    wait_us = min_i64(wait_us, WAIT_US_MAX);
    struct __kernel_timespec limit = {.tv_sec = wait_us / 1000000,
                                      .tv_nsec = wait_us % 1000000 * 1000};
    if (gathers && ring->min_wait && wait_us > IO_WAIT_MIN_US)
        result = io_uring_submit_and_wait_min_timeout(&ring->uring, &cqe, wait_n, &limit,
                                                      IO_WAIT_MIN_US, NULL);
    else if (gathers && wait_us > IO_WAIT_MIN_US)
        result = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, &limit, NULL);
    else
        result = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, wait_n, &limit, NULL);
    return is_broken(result) ? result : 0;
}

static int step(struct io *io, uint32_t wait_n, int64_t wait_us, bool gathers)
{
    int failed = enter(io, wait_n, wait_us, gathers);
    uint32_t before = io->received_n;
    settle(io);
    io_clock_refresh(io);
    adapt(io->state, io->received_n - before);
    return failed;
}

/* How long the next step may wait. */
static int64_t step_us(const struct io *io, int64_t until_us, bool drains, bool was_starved)
{
    const struct ring *ring = io->state;
    if (drains || io_pending(io))
        return 0;
    int64_t left_us = max_i64(until_us - io->now_us, 0);
    if (ring->starved)
        return was_starved ? min_i64(left_us, IO_STARVED_US) : 0;
    return left_us;
}

/* Own completions may end a step; the wait goes on then. Receives that have ended are armed again,
 * and what stands behind them taken, before anything is waited for: else a flood of empty datagrams
 * would hold back what comes between them. */
static int ring_wait(struct io *io, int64_t until_us)
{
    struct ring *ring = io->state;
    int failed = ring_attach(ring);
    uint32_t first = io->received_n;
    bool was_starved = ring->starved;
    bool drains = false;
    uint32_t wait_n = io->prompt ? 1 : IO_WAIT_DATAGRAMS;
    for (unsigned round = 0; !failed && round < RING_ROUNDS_MAX; round++) {
        prepare(io);
        int64_t most_us = step_us(io, until_us, drains, was_starved);
        failed = step(io, wait_n, most_us, !io->prompt);
        drains = ring->listed_n + ring->watches_listed_n > 0 && !ring->starved &&
                 io->received_n - first < RING_WAIT_DATAGRAMS;
        if (drains)
            continue;
        if (ring->starved || io_pending(io) || io->now_us >= until_us)
            break;
    }
    int64_t linger_us = ring->starved || drains ? 0 : io_linger_until(io, first, until_us);
    if (failed || !linger_us)
        return failed;
    prepare(io);
    uint32_t came_n = io->received_n;
    uint32_t more = IO_WAIT_DATAGRAMS - (came_n - first);
    failed = step(io, more, linger_us - io->now_us, false);
    io_lingered(io, came_n);
    return failed;
}

static int ring_poll(struct io *io)
{
    int failed = ring_attach(io->state);
    if (failed)
        return failed;
    prepare(io);
    return step(io, 0, 0, false);
}

static void ring_submit(struct io *io)
{
    struct ring *ring = io->state;
    if (io->egress.ops_n == 0 && io_uring_sq_ready(&ring->uring) == 0)
        return;
    ring->jammed = false;
    if (ring_attach(ring) == 0) {
        prepare_sends(io);
        io->counters.submits++;
    } else {
        for (uint16_t i = 0; i < io->egress.ops_n; i++)
            io_egress_failed(io, i, ENXIO);
    }
    settle(io);
}

static int ring_open(struct io *io, uint16_t index)
{
    ring_list(io->state, &io->sockets[index], index);
    return 0;
}

static void ring_close(struct io *io, uint16_t index)
{
    ring_list(io->state, &io->sockets[index], index);
}

/* Watches that were ended make room in the table now. What else has come waits for io_next(). */
static void ring_reclaim(struct io *io)
{
    struct ring *ring = io->state;
    if (ring_attach(ring))
        return;
    ring->jammed = false;
    for (unsigned i = 0; i < RECLAIM_ROUNDS_MAX && io->watches_closing_n; i++) {
        ring_watch_step(io);
        if (enter(io, 0, 0, false))
            return;
        ring_reap(io);
    }
}

/* The kernel lets go of every slot and socket before the ring goes, so that ports are free at once.
 * From another thread than the owner, which has ended then, the kernel has done that itself. */
static void ring_exit(struct io *io)
{
    struct ring *ring = io->state;
    for (uint32_t i = 0; i < io->sockets_fresh; i++) {
        struct io_socket *socket = &io->sockets[i];
        if (socket->state == IO_SOCKET_OPEN) {
            socket->state = IO_SOCKET_CLOSING;
            ring_list(ring, socket, (uint16_t)i);
        }
    }
    for (uint32_t i = 0; i < io->watches_fresh; i++)
        if (io->watches[i].state == IO_WATCH_OPEN)
            io_unwatch(io, (uint16_t)i);
    int failed = ring_attach(ring);
    for (unsigned i = 0; i < EXIT_ROUNDS_MAX && io->sockets_n + io->watches_n && !failed; i++) {
        step_list(io);
        ring_watch_step(io);
        if (io->sockets_n + io->watches_n)
            failed = step(io, 1, EXIT_ROUND_US, false);
    }
    ring_free(io);
    for (uint32_t i = 0; i < io->sockets_fresh; i++)
        io->sockets[i].armed = false;
}

/* With deferred task work the kernel receives only while we call it. Without, it may do so at any
 * return from it, between a look at a slot and giving its page back. */
static bool ring_standing_is_empty(const struct io *io)
{
    const struct ring *ring = io->state;
    return !(io->missing & IO_FEATURE_DEFER_TASKRUN) && io_uring_cq_ready(&ring->uring) == 0 &&
           !(IO_URING_READ_ONCE(*ring->uring.sq.kflags) & IORING_SQ_CQ_OVERFLOW);
}

uint32_t io_test_standing(const struct io *io, uint32_t *target)
{
    const struct ring *ring = io->state;
    if (io->engine != &ring_engine)
        return *target = 0;
    *target = ring->target;
    return ring->standing;
}

const struct engine ring_engine = {
    .id = IO_ENGINE_URING,
    .init = ring_init,
    .exit = ring_exit,
    .open = ring_open,
    .close = ring_close,
    .watch = ring_watch,
    .unwatch = ring_unwatch,
    .reclaim = ring_reclaim,
    .wait = ring_wait,
    .poll = ring_poll,
    .submit = ring_submit,
    .standing_is_empty = ring_standing_is_empty,
};
