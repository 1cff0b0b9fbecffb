/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/io_event.c - from received slots to events: addresses, arrival time, drop counts. */
#include "core/clock.h"
#include "core/io_parts.h"

#include <time.h>

enum {
    WALL_TRIES = 3,
    WALL_TIGHT_US = 5,
    COMPANY_GAIN = 8,
    ARRIVAL_BEFORE_US = 1000000, /* a datagram may have waited in the socket's buffer that long */
};

/* What the control messages of one datagram say. */
struct control {
    bool has_time, has_drops;
    int64_t wall_us;
    uint32_t drops;
    struct addr local;
};

static int64_t wall_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void io_clock_begin(struct io *io)
{
    io->began_before_us = io->began_us;
    io->began_us = clock_now_us();
    io->now_us = io->began_us;
}

/* The wall clock is read between two readings of ours: being put off between them shows, and is
 * tried again. The tightest of a few tries counts. */
void io_clock_refresh(struct io *io)
{
    int64_t best_us = INT64_MAX;
    int64_t after_us = clock_now_us();
    for (int i = 0; i < WALL_TRIES && best_us > WALL_TIGHT_US; i++) {
        int64_t before_us = after_us;
        int64_t wall_us = wall_now_us();
        after_us = clock_now_us();
        if (after_us - before_us < best_us) {
            best_us = after_us - before_us;
            io->wall_offset_us = before_us - wall_us;
        }
    }
    io->now_us = after_us;
}

/* A stamp outside of what is possible comes from a wall clock that was set meanwhile. */
static int64_t arrival_us(const struct io *io, const struct control *control)
{
    if (!control->has_time)
        return io->now_us;
    int64_t at_us = control->wall_us + io->wall_offset_us;
    if (at_us > io->now_us || at_us < io->began_before_us - ARRIVAL_BEFORE_US)
        return io->now_us;
    return at_us;
}

static void control_take(struct control *out, const struct cmsghdr *head, const uint8_t *data,
                         size_t bytes)
{
    if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_TIMESTAMPNS &&
        bytes >= sizeof(struct timespec)) {
        struct timespec at;
        memcpy(&at, data, sizeof(at));
        out->wall_us = (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
        out->has_time = true;
    } else if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SO_RXQ_OVFL &&
               bytes >= sizeof(uint32_t)) {
        memcpy(&out->drops, data, sizeof(out->drops));
        out->has_drops = true;
    } else if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO &&
               bytes >= sizeof(struct in_pktinfo)) {
        struct in_pktinfo info;
        memcpy(&info, data, sizeof(info));
        out->local.in.sin_family = AF_INET;
        out->local.in.sin_addr = info.ipi_spec_dst; /* of a multicast: the one we can reply from */
    } else if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO &&
               bytes >= sizeof(struct in6_pktinfo)) {
        struct in6_pktinfo info;
        memcpy(&info, data, sizeof(info));
        if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
            return;
        out->local.in6.sin6_family = AF_INET6;
        out->local.in6.sin6_addr = info.ipi6_addr;
        if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
            out->local.in6.sin6_scope_id = info.ipi6_ifindex;
    }
}

/* Bounded by SLOT_CONTROL_BYTES. */
static void control_parse(struct control *out, const uint8_t *at, size_t bytes)
{
    *out = (struct control){0};
    while (bytes >= sizeof(struct cmsghdr)) {
        struct cmsghdr head;
        memcpy(&head, at, sizeof(head));
        if (head.cmsg_len < sizeof(head) || head.cmsg_len > bytes)
            return;
        control_take(out, &head, at + CMSG_LEN(0), head.cmsg_len - CMSG_LEN(0));
        size_t step = CMSG_ALIGN(head.cmsg_len);
        if (step >= bytes)
            return;
        at += step;
        bytes -= step;
    }
}

static void slot_head(struct io_slot_head *head, struct control *control, const uint8_t *slot)
{
    memcpy(head, slot, sizeof(*head));
    control_parse(control, slot + SLOT_CONTROL_AT,
                  min_size(head->control_bytes, SLOT_CONTROL_BYTES));
}

static void drops_count(struct io *io, struct io_socket *socket, const struct control *control)
{
    if (!control->has_drops)
        return;
    uint32_t more = control->drops - socket->drops_seen; /* the kernel's count wraps */
    if (more > INT32_MAX)
        return;
    io->counters.kernel_drops += more;
    socket->drops_seen = control->drops;
}

uint32_t io_received_room(const struct io *io)
{
    return io->received_max - io->received_n;
}

void io_received_add(struct io *io, uint16_t index, uint16_t slot, uint32_t bytes)
{
    struct io_socket *socket = &io->sockets[index];
    socket->errors_n = 0;
    if (bytes == 0) {
        io->counters.empty++;
        slab_release(io->slab, slot);
        return;
    }
    ASSERT(bytes <= SLOT_PACKET_BYTES_MAX);
    ASSERT(io->received_n < io->received_max);
    io->received[io->received_n++] = (struct io_received){
        .socket = index, .gen = socket->gen, .slot = slot, .bytes = (uint16_t)bytes};
}

void io_failed_add(struct io *io, const struct io_op *op, int error, uint16_t packets)
{
    if (io->failed_n == IO_FAILED_MAX) {
        io->counters.events_lost++;
        return;
    }
    io->failed[io->failed_n++] = (struct io_failed){
        .tag = op->tag, .error = -error, .socket = op->socket, .gen = op->gen, .packets = packets};
}

void io_dead_add(struct io *io, uint16_t index, int error)
{
    ASSERT(io->dead_n < io->sockets_max);
    io->sockets[index].error = error;
    io->dead[io->dead_n++] = index;
}

bool io_pending(const struct io *io)
{
    return io->woken || io->received_at < io->received_n || io->dead_at < io->dead_n ||
           io->ready_at != io->ready_n;
}

static int64_t received_us(const struct io *io, uint32_t at)
{
    struct io_slot_head head;
    struct control control;
    slot_head(&head, &control, slab_slot(io->slab, io->received[at].slot));
    return arrival_us(io, &control);
}

/* What follows within IO_WAIT_MIN_US counts for itself and as many that nothing follows: a frame
 * that is cut costs each receiver a send, a wait in vain one sleep more. */
static void company_learn(struct io *io, bool came)
{
    if (came)
        io->company = (uint8_t)min_size(io->company + COMPANY_GAIN, IO_COMPANY_MAX);
    else if (io->company > 0)
        io->company--;
}

/* Under load the wait itself has gathered for IO_WAIT_MIN_US. Only when the first datagram came
 * later than that, alone, is the rest of its frame waited for; and not even then where lately
 * nothing has come in such a time: that would be a second sleep for each datagram. */
int64_t io_linger_until(struct io *io, uint32_t first, int64_t until_us)
{
    if (io->received_n == first || io->prompt)
        return 0;
    int64_t first_us = received_us(io, first);
    if (io->alone_us != 0)
        company_learn(io, first_us - io->alone_us < IO_WAIT_MIN_US);
    io->alone_us = 0;
    if (io->woken || io->received_n - first >= IO_WAIT_DATAGRAMS)
        return 0;
    int64_t from_us = io->began_us;
    if (first_us >= io->began_us + IO_WAIT_MIN_US)
        from_us = io->now_us;
    int64_t linger_us = min_i64(from_us + IO_WAIT_MIN_US, until_us);
    if (linger_us <= io->now_us)
        return 0;
    io->alone_us = first_us;
    if (io->company == 0)
        return 0;
    io->counters.lingers++;
    return linger_us;
}

void io_lingered(struct io *io, uint32_t first)
{
    company_learn(io,
                  io->received_n > first && received_us(io, first) - io->alone_us < IO_WAIT_MIN_US);
    io->alone_us = 0;
}

void io_wake_seen(struct io *io)
{
    atomic_exchange(&io->wake_asked, false);
    io->woken = true;
    io->counters.wakes++;
}

static bool next_failed(struct io *io, struct io_event *event)
{
    while (io->failed_at < io->failed_n) {
        const struct io_failed *failed = &io->failed[io->failed_at++];
        const struct io_socket *socket = &io->sockets[failed->socket];
        if (socket->state != IO_SOCKET_OPEN || socket->gen != failed->gen)
            continue;
        event->kind = IO_SEND_FAILED;
        event->socket = failed->socket;
        event->packets = failed->packets;
        event->error = failed->error;
        event->tag = failed->tag;
        return true;
    }
    io->failed_at = 0; /* from the start again: few pages are touched */
    io->failed_n = 0;
    return false;
}

static bool next_dead(struct io *io, struct io_event *event)
{
    while (io->dead_at < io->dead_n) {
        uint16_t index = io->dead[io->dead_at++];
        const struct io_socket *socket = &io->sockets[index];
        if (socket->state != IO_SOCKET_OPEN || !socket->dead)
            continue;
        event->kind = IO_SOCKET_DEAD;
        event->socket = index;
        event->error = socket->error;
        return true;
    }
    io->dead_at = 0;
    io->dead_n = 0;
    return false;
}

/* False: this one is not for the caller, and its slot is released. */
static bool open_received(struct io *io, const struct io_received *received, struct io_event *event)
{
    struct io_socket *socket = &io->sockets[received->socket];
    if (socket->state != IO_SOCKET_OPEN || socket->gen != received->gen)
        return false;
    const uint8_t *slot = slab_slot(io->slab, received->slot);
    struct io_slot_head head;
    struct control control;
    slot_head(&head, &control, slot);
    drops_count(io, socket, &control);
    if (head.flags & MSG_TRUNC) {
        io->counters.truncated++;
        return false;
    }
    io->counters.datagrams++;
    io->counters.bytes_in += received->bytes;
    memcpy(&event->remote, slot + SLOT_NAME_AT, min_size(head.name_bytes, SLOT_NAME_BYTES));
    addr_unmap(&event->remote);
    if (addr_is_set(&control.local)) {
        event->local = control.local;
        addr_unmap(&event->local);
        addr_set_port(&event->local, socket->port);
    }
    event->kind = IO_DATAGRAM;
    event->socket = received->socket;
    event->slot = received->slot;
    event->bytes = received->bytes;
    event->arrived_us = arrival_us(io, &control);
    return true;
}

static bool next_received(struct io *io, struct io_event *event)
{
    while (io->received_at < io->received_n) {
        const struct io_received *received = &io->received[io->received_at++];
        if (open_received(io, received, event)) {
            slab_receive(io->slab, received->slot);
            return true;
        }
        slab_release(io->slab, received->slot);
    }
    io->received_at = 0;
    io->received_n = 0;
    return false;
}

bool io_next(struct io *io, struct io_event *event)
{
    *event = (struct io_event){0};
    if (io->woken) {
        io->woken = false;
        event->kind = IO_WOKEN;
        return true;
    }
    return next_failed(io, event) || next_dead(io, event) || io_watch_next(io, event) ||
           next_received(io, event);
}
