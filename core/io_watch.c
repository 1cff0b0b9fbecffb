/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/io_watch.c - the table of watched descriptors, and the queue of those that became ready. */
#include "core/io_parts.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

static_assert((unsigned)POLLIN == (unsigned)EPOLLIN && (unsigned)POLLOUT == (unsigned)EPOLLOUT &&
                  (unsigned)POLLERR == (unsigned)EPOLLERR &&
                  (unsigned)POLLHUP == (unsigned)EPOLLHUP &&
                  (unsigned)POLLRDHUP == (unsigned)EPOLLRDHUP,
              "both engines tell readiness in the same bits");
static_assert(IO_WATCHES_MAX <= UINT16_MAX + 1, "an index fits");

/* Every index can wait to be told once. */
static uint32_t queue_size(uint32_t watches_max)
{
    uint32_t n = 1;
    while (n < watches_max)
        n *= 2;
    return n;
}

size_t io_watch_arena_bytes(uint32_t watches_max)
{
    return watches_max * (sizeof(struct io_watch) + sizeof(uint16_t)) +
           queue_size(watches_max) * sizeof(uint16_t);
}

void io_watch_init(struct io *io, uint32_t watches_max)
{
    io->watches_max = watches_max;
    io->ready_mask = queue_size(watches_max) - 1;
    io->watches = arena_take(&io->arena, watches_max * sizeof(struct io_watch));
    io->watches_free = arena_take(&io->arena, watches_max * sizeof(uint16_t));
    io->ready = arena_take(&io->arena, queue_size(watches_max) * sizeof(uint16_t));
}

static int take_index(struct io *io)
{
    if (io->watches_free_n)
        return io->watches_free[--io->watches_free_n];
    if (io->watches_fresh < io->watches_max)
        return (int)io->watches_fresh++;
    return -ENOSPC;
}

int io_watch(struct io *io, int fd, uint32_t tag, bool writable)
{
    ASSERT(fd >= 0);
    int index = take_index(io);
    if (index < 0 && io->watches_closing_n) {
        io->engine->reclaim(io);
        index = take_index(io);
    }
    if (index < 0)
        return index;
    struct io_watch *watch = &io->watches[index];
    ASSERT(watch->state == IO_WATCH_FREE);
    ASSERT(!watch->armed && !watch->listed);
    watch->fd = fd;
    watch->error = 0;
    watch->tag = tag;
    watch->state = IO_WATCH_OPEN;
    watch->ready = 0;
    watch->writable = writable;
    io->watches_n++;
    int failed = io->engine->watch(io, (uint16_t)index);
    if (!failed)
        return index;
    watch->state = IO_WATCH_CLOSING;
    io->watches_closing_n++;
    io_watch_give(io, (uint16_t)index);
    return failed;
}

void io_unwatch(struct io *io, uint16_t index)
{
    ASSERT(index < io->watches_max);
    struct io_watch *watch = &io->watches[index];
    ASSERT(watch->state == IO_WATCH_OPEN);
    watch->state = IO_WATCH_CLOSING;
    watch->ready = 0;
    io->watches_closing_n++;
    io->engine->unwatch(io, index);
}

void io_watch_give(struct io *io, uint16_t index)
{
    struct io_watch *watch = &io->watches[index];
    ASSERT(watch->state == IO_WATCH_CLOSING);
    ASSERT(!watch->armed && !watch->listed);
    watch->fd = -1;
    watch->state = IO_WATCH_FREE;
    watch->gen++;
    io->watches_free[io->watches_free_n++] = index;
    io->watches_n--;
    io->watches_closing_n--;
}

static void queue(struct io *io, struct io_watch *watch, uint16_t index)
{
    if (watch->queued)
        return;
    watch->queued = true;
    ASSERT(io->ready_n - io->ready_at < io->watches_max);
    io->ready[io->ready_n++ & io->ready_mask] = index;
}

/* A descriptor whose peer has gone is readable: whoever reads finds out. */
void io_watch_ready(struct io *io, uint16_t index, uint32_t polled)
{
    struct io_watch *watch = &io->watches[index];
    ASSERT(watch->state == IO_WATCH_OPEN);
    uint32_t ready = 0;
    if (polled & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
        ready |= IO_READY_HUP | IO_READY_IN;
    if (polled & POLLIN)
        ready |= IO_READY_IN;
    if (watch->writable && polled & (POLLOUT | POLLHUP | POLLERR))
        ready |= IO_READY_OUT;
    if (ready == 0)
        return;
    watch->ready = (uint8_t)(watch->ready | ready);
    queue(io, watch, index);
}

void io_watch_failed(struct io *io, uint16_t index, int error)
{
    ASSERT(error > 0);
    io->watches[index].error = -error;
    io_watch_ready(io, index, POLLERR);
}

bool io_watch_next(struct io *io, struct io_event *event)
{
    while (io->ready_at != io->ready_n) {
        uint16_t index = io->ready[io->ready_at++ & io->ready_mask];
        struct io_watch *watch = &io->watches[index];
        watch->queued = false;
        if (watch->state != IO_WATCH_OPEN || watch->ready == 0)
            continue;
        event->kind = IO_READY;
        event->socket = index;
        event->error = watch->error;
        event->tag = watch->tag;
        event->readable = (watch->ready & IO_READY_IN) != 0;
        event->writable = (watch->ready & IO_READY_OUT) != 0;
        event->hup = (watch->ready & IO_READY_HUP) != 0;
        watch->ready = 0;
        io->counters.readies++;
        return true;
    }
    return false;
}
