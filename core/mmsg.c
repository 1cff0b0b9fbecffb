/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/mmsg.c - the engine for kernels without io_uring: epoll, recvmmsg, sendmmsg. */
#include "core/mmsg.h"

#include "core/clock.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_US_MAX = 60000000 };

/* Who an event of the epoll set is of: in the upper half, with a watch's generation below it. */
enum mmsg_owner { OWNER_SOCKET, OWNER_WAKE, OWNER_WATCH };

static uint64_t event_data(enum mmsg_owner owner, uint16_t gen, uint32_t index)
{
    return (uint64_t)owner << 56 | (uint64_t)gen << 32 | index;
}

static struct timespec timespec_of(int64_t us)
{
    return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
}

static void sleep_us(struct io *io, int64_t us)
{
    struct timespec pause = timespec_of(us);
    io->counters.syscalls++;
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* Receives into slot `at` of the stock. The kernel changes these fields in every call. */
static void header_reset(struct mmsg *mmsg, const struct slab *slab, uint32_t at)
{
    uint8_t *slot = slab_slot(slab, mmsg->stock[at]);
    mmsg->vectors[at] =
        (struct iovec){.iov_base = slot + SLOT_HEAD, .iov_len = SLOT_PACKET_BYTES_MAX};
    mmsg->headers[at].msg_hdr = (struct msghdr){.msg_name = slot + SLOT_NAME_AT,
                                                .msg_namelen = SLOT_NAME_BYTES,
                                                .msg_iov = &mmsg->vectors[at],
                                                .msg_iovlen = 1,
                                                .msg_control = slot + SLOT_CONTROL_AT,
                                                .msg_controllen = SLOT_CONTROL_BYTES};
}

static void refill(struct io *io)
{
    struct mmsg *mmsg = io->state;
    size_t wanted = min_size(MMSG_STOCK, io->received_max);
    while (mmsg->stock_n < wanted) {
        uint16_t slot = slab_take(io->slab);
        if (slot == SLOT_NONE)
            break;
        mmsg->stock[mmsg->stock_n++] = slot;
    }
    mmsg->starved = mmsg->stock_n == 0;
    if (mmsg->starved)
        io->counters.starved++;
}

/* Queues the first `n` of the stock, which were received into, and closes the gap with its last
 * ones. */
static void received(struct io *io, uint16_t index, uint32_t n)
{
    struct mmsg *mmsg = io->state;
    for (uint32_t i = 0; i < n; i++) {
        const struct mmsghdr *header = &mmsg->headers[i];
        struct io_slot_head head = {.name_bytes = header->msg_hdr.msg_namelen,
                                    .control_bytes = (uint32_t)header->msg_hdr.msg_controllen,
                                    .payload_bytes = header->msg_len,
                                    .flags = (uint32_t)header->msg_hdr.msg_flags};
        memcpy(slab_slot(io->slab, mmsg->stock[i]), &head, sizeof(head));
        io_received_add(io, index, mmsg->stock[i], header->msg_len);
    }
    uint32_t left = mmsg->stock_n - n;
    for (uint32_t i = 0; i < n && i < left; i++)
        mmsg->stock[i] = mmsg->stock[mmsg->stock_n - 1 - i];
    mmsg->stock_n = left;
}

/* One recvmmsg. True when the socket may have more. */
static bool receive_once(struct io *io, uint16_t index)
{
    struct mmsg *mmsg = io->state;
    const struct io_socket *socket = &io->sockets[index];
    if (socket->state != IO_SOCKET_OPEN || socket->dead)
        return false;
    if (mmsg->stock_n < MMSG_ONCE)
        refill(io);
    uint32_t n = (uint32_t)min_size(min_size(mmsg->stock_n, MMSG_ONCE), io_received_room(io));
    if (n == 0)
        return false;
    for (uint32_t i = 0; i < n; i++)
        header_reset(mmsg, io->slab, i);
    io->counters.syscalls++;
    int got = recvmmsg(socket->fd, mmsg->headers, n, MSG_DONTWAIT, NULL);
    if (got < 0)
        return errno != EAGAIN && io_socket_error(io, index, errno);
    received(io, index, (uint32_t)got);
    return (uint32_t)got == n;
}

/* Sockets take turns of MMSG_ONCE until they are empty or the wait has had its share. */
static void receive_ready(struct io *io, uint32_t ready_n)
{
    struct mmsg *mmsg = io->state;
    uint32_t rounds = MMSG_WAIT_DATAGRAMS / MMSG_ONCE;
    uint32_t from = io->received_n;
    for (uint32_t round = 0; ready_n && round < rounds; round++) {
        uint32_t more_n = 0;
        for (uint32_t i = 0; i < ready_n; i++)
            if (receive_once(io, mmsg->ready[i]))
                mmsg->ready[more_n++] = mmsg->ready[i];
        ready_n = io->received_n - from < MMSG_WAIT_DATAGRAMS ? more_n : 0;
    }
}

static int epoll_us(struct io *io, int64_t wait_us)
{
    struct mmsg *mmsg = io->state;
    wait_us = min_i64(wait_us, WAIT_US_MAX);
    io->counters.syscalls++;
    if (!mmsg->no_pwait2) {
        struct timespec limit = timespec_of(wait_us);
        int n = epoll_pwait2(mmsg->epoll_fd, mmsg->events, MMSG_EVENTS, &limit, NULL);
        if (n >= 0 || errno != ENOSYS)
            return n < 0 ? -errno : n;
        mmsg->no_pwait2 = true; /* before 5.11 */
        io->counters.syscalls++;
    }
    int n = epoll_wait(mmsg->epoll_fd, mmsg->events, MMSG_EVENTS, (int)((wait_us + 999) / 1000));
    return n < 0 ? -errno : n;
}

/* A descriptor that was closed although it is watched, while a copy of it is open, still tells. */
static void on_watch(struct io *io, uint16_t gen, uint16_t index, uint32_t events)
{
    const struct io_watch *watch = &io->watches[index];
    if (watch->state == IO_WATCH_OPEN && watch->gen == gen)
        io_watch_ready(io, index, events);
}

/* Waits for readiness and receives. 0 or -errno. */
static int step(struct io *io, int64_t wait_us)
{
    struct mmsg *mmsg = io->state;
    int n = epoll_us(io, wait_us);
    uint32_t ready_n = 0;
    for (int i = 0; i < n; i++) {
        const struct epoll_event *event = &mmsg->events[i];
        switch ((enum mmsg_owner)(event->data.u64 >> 56)) {
        case OWNER_SOCKET:
            mmsg->ready[ready_n++] = (uint16_t)event->data.u64;
            break;
        case OWNER_WAKE:
            io_wake_seen(io);
            break;
        case OWNER_WATCH:
            on_watch(io, (uint16_t)(event->data.u64 >> 32), (uint16_t)event->data.u64,
                     event->events);
            break;
        }
    }
    receive_ready(io, ready_n);
    io_clock_refresh(io);
    return n < 0 && n != -EINTR ? n : 0;
}

/* Ops [from, to) of one socket. Bounded: every call gets at least one of them out of the way. */
static void send_group(struct io *io, uint16_t from, uint16_t to)
{
    struct io_egress *egress = &io->egress;
    int fd = io->sockets[egress->ops[from].socket].fd;
    while (from < to) {
        int fault = io_egress_fault(io, egress->ops[from].vectors_n > 1);
        if (fault) {
            io_egress_failed(io, from++, fault);
            continue;
        }
        unsigned n =
            io->fault.count ? 1 : (unsigned)(to - from); /* a fault counts sends one by one */
        io->counters.syscalls++;
        int sent = sendmmsg(fd, egress->headers + from, n, MSG_DONTWAIT);
        if (sent > 0)
            from = (uint16_t)(from + sent);
        else
            io_egress_failed(io, from++, sent < 0 ? errno : EIO);
    }
}

static void mmsg_submit(struct io *io)
{
    struct io_egress *egress = &io->egress;
    if (egress->ops_n == 0)
        return;
    io->counters.submits++;
    for (uint16_t i = 0; i < egress->ops_n; i++)
        (void)io_egress_header(io, i);
    for (uint16_t from = 0; from < egress->ops_n;) {
        uint16_t to = (uint16_t)(from + 1);
        while (to < egress->ops_n && egress->ops[to].socket == egress->ops[from].socket)
            to++;
        send_group(io, from, to);
        from = to;
    }
    io_egress_done(io);
}

/* Without a slot no readiness helps: sleeps a little, so that the caller neither spins nor hangs.
 */
static int wait_starved(struct io *io, int64_t until_us, bool was_starved)
{
    int64_t left_us = min_i64(until_us - io->now_us, IO_STARVED_US);
    if (was_starved && left_us > 0 && !io_pending(io))
        sleep_us(io, left_us);
    return step(io, 0);
}

static int mmsg_wait(struct io *io, int64_t until_us)
{
    struct mmsg *mmsg = io->state;
    bool was_starved = mmsg->starved;
    mmsg_submit(io);
    refill(io);
    if (mmsg->starved)
        return wait_starved(io, until_us, was_starved);

    uint32_t first = io->received_n;
    int failed = 0;
    for (unsigned idle = 0; !failed && idle < MMSG_IDLE_ROUNDS_MAX; idle++) {
        failed = step(io, io_pending(io) ? 0 : max_i64(until_us - io->now_us, 0));
        if (io_pending(io) || io->now_us >= until_us || mmsg->starved)
            break;
    }
    int64_t linger_us = mmsg->starved ? 0 : io_linger_until(io, first, until_us);
    if (failed || !linger_us)
        return failed;
    uint32_t came_n = io->received_n;
    sleep_us(io, linger_us - io->now_us);
    failed = step(io, 0);
    io_lingered(io, came_n);
    return failed;
}

static int mmsg_poll(struct io *io)
{
    mmsg_submit(io);
    refill(io);
    return step(io, 0);
}

static int epoll_add(struct mmsg *mmsg, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(mmsg->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int mmsg_open(struct io *io, uint16_t index)
{
    return epoll_add(io->state, io->sockets[index].fd, EPOLLIN, event_data(OWNER_SOCKET, 0, index));
}

/* Closing takes it out of the epoll set, too. */
static void mmsg_close(struct io *io, uint16_t index)
{
    struct mmsg *mmsg = io->state;
    (void)epoll_ctl(mmsg->epoll_fd, EPOLL_CTL_DEL, io->sockets[index].fd, NULL);
    io_socket_close(io, index);
}

static int mmsg_watch(struct io *io, uint16_t index)
{
    const struct io_watch *watch = &io->watches[index];
    uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET | (watch->writable ? (uint32_t)EPOLLOUT : 0u);
    return epoll_add(io->state, watch->fd, events, event_data(OWNER_WATCH, watch->gen, index));
}

static void mmsg_unwatch(struct io *io, uint16_t index)
{
    struct mmsg *mmsg = io->state;
    (void)epoll_ctl(mmsg->epoll_fd, EPOLL_CTL_DEL, io->watches[index].fd, NULL);
    io_watch_give(io, index);
}

static void mmsg_reclaim(struct io *io)
{
    ASSERT(io->watches_closing_n == 0); /* they are done with as they are ended */
}

static int mmsg_init(struct io *io, const struct io_config *config)
{
    (void)config;
    struct mmsg *mmsg =
        mmap(NULL, sizeof(*mmsg), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mmsg == MAP_FAILED)
        return -errno;
    mmsg->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int failed = mmsg->epoll_fd < 0 ? -errno : 0;
    if (!failed) /* edge-triggered: every write tells, and nobody needs to read */
        failed = epoll_add(mmsg, io->wake_fd, EPOLLIN | EPOLLET, event_data(OWNER_WAKE, 0, 0));
    if (failed) {
        if (mmsg->epoll_fd >= 0)
            close(mmsg->epoll_fd);
        munmap(mmsg, sizeof(*mmsg));
        return failed;
    }
    io->state = mmsg;
    return 0;
}

static void mmsg_exit(struct io *io)
{
    struct mmsg *mmsg = io->state;
    close(mmsg->epoll_fd);
    munmap(mmsg, sizeof(*mmsg));
    io->state = NULL;
}

static bool mmsg_standing_is_empty(const struct io *io)
{
    (void)io; /* recvmmsg receives while it is called */
    return true;
}

const struct engine mmsg_engine = {
    .id = IO_ENGINE_MMSG,
    .init = mmsg_init,
    .exit = mmsg_exit,
    .open = mmsg_open,
    .close = mmsg_close,
    .watch = mmsg_watch,
    .unwatch = mmsg_unwatch,
    .reclaim = mmsg_reclaim,
    .wait = mmsg_wait,
    .poll = mmsg_poll,
    .submit = mmsg_submit,
    .standing_is_empty = mmsg_standing_is_empty,
};
