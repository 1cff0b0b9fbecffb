/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_tcp_rig.c - see test/net_tcp_rig.h. */
#include "test/net_tcp_rig.h"

#include "core/clock.h"
#include "test/must.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

void tcp_rig_open(struct tcp_rig *rig, int row, const struct tcp_rig_config *config)
{
    *rig = (struct tcp_rig){0};
    struct tcp_config tcp_config = {.connections_max = or_else(config->connections_max, 8),
                                    .listeners_max = 2,
                                    .pending_bytes_max =
                                        or_else(config->pending_bytes_max, 1 << 20)};
    struct io_config io_config = {.engine = row == 0 ? IO_ENGINE_URING : IO_ENGINE_MMSG,
                                  .sockets_max = 2,
                                  .standing_max = 2,
                                  .watches_max = tcp_watches(&tcp_config)};
    ck_assert_int_eq(slab_init(&rig->slab, or_else(config->slots_n, 256), 0, false), 0);
    ck_assert_int_eq(io_init(&rig->io, &io_config, &rig->slab), 0);
    ck_assert_int_eq(tcp_init(&rig->tcp, &tcp_config, &rig->slab), 0);
    tcp_attach(rig->tcp, rig->io);
    struct addr local;
    struct udp_options options = {.send_bytes = config->send_bytes};
    ck_assert_int_eq(addr_parse(&local, config->ip ? config->ip : "127.0.0.1", 0), 0);
    ck_assert_int_eq(tcp_open(&rig->listening, &local, &options), 0);
    rig->listener = tcp_listen(rig->tcp, rig->listening.fd, TCP_RIG_SOCKET);
    ck_assert_int_ge(rig->listener, 0);
    tcp_rig_turn(rig, 0);
}

void tcp_rig_close(struct tcp_rig *rig)
{
    tcp_close_all(rig->tcp);
    const struct tcp_counters *counters = tcp_counters(rig->tcp);
    ck_assert_uint_eq(counters->connections, 0);
    ck_assert_uint_eq(counters->unclaimed, 0);
    ck_assert_uint_eq(counters->read_buffers, 0);
    ck_assert_uint_eq(counters->pending_chunks, 0);
    tcp_exit(rig->tcp);
    io_exit(rig->io);
    ck_assert_uint_eq(rig->slab.free_n, rig->slab.slots_n);
    slab_exit(&rig->slab);
}

static void take_frame(struct tcp_rig *rig, const struct tcp_event *event)
{
    const struct io_event *dg = &event->datagram;
    MUST(dg->kind == IO_DATAGRAM);
    MUST(dg->socket == TCP_RIG_SOCKET);
    MUST(dg->bytes > 0);
    MUST(rig->slab.state[dg->slot] == SLOT_WORKER);
    MUST(rig->frames_n < TCP_RIG_LOG);
    rig->log[rig->frames_n++] =
        (struct tcp_rig_row){.id = event->id,
                             .owner = event->owner,
                             .bytes = dg->bytes,
                             .number = tcp_rig_check(slab_packet(&rig->slab, dg->slot), dg->bytes),
                             .slot = dg->slot};
    rig->last = *event;
    if (!rig->holds)
        slab_release(&rig->slab, dg->slot);
    if (rig->claims && event->owner == TCP_UNCLAIMED)
        MUST(tcp_claim(rig->tcp, event->id, event->id.index));
}

void tcp_rig_turn(struct tcp_rig *rig, int64_t wait_us)
{
    struct io_event ready;
    struct tcp_event event;
    tcp_flush(rig->tcp);
    int64_t due_us = tcp_due_us(rig->tcp);
    int64_t until_us = wait_us ? clock_now_us() + wait_us : 0;
    if (due_us != INT64_MAX && due_us - rig->skew_us < until_us)
        until_us = due_us - rig->skew_us;
    MUST(io_wait(rig->io, until_us > 0 ? until_us : 0) == 0);
    tcp_turn(rig->tcp, clock_now_us() + rig->skew_us);
    while (io_next(rig->io, &ready)) {
        MUST(ready.kind == IO_READY);
        tcp_on_ready(rig->tcp, &ready);
    }
    while (tcp_next(rig->tcp, &event)) {
        if (event.kind == TCP_FRAME) {
            take_frame(rig, &event);
        } else {
            rig->closed = event;
            rig->closed_n++;
        }
    }
    tcp_flush(rig->tcp);
}

void tcp_rig_frames(struct tcp_rig *rig, uint32_t n)
{
    int64_t until_us = clock_now_us() + TCP_RIG_WAIT_US;
    while (rig->frames_n < n && clock_now_us() < until_us)
        tcp_rig_turn(rig, 10000);
    ck_assert_uint_eq(rig->frames_n, n);
}

void tcp_rig_closed(struct tcp_rig *rig, uint32_t n)
{
    int64_t until_us = clock_now_us() + TCP_RIG_WAIT_US;
    while (rig->closed_n < n && clock_now_us() < until_us)
        tcp_rig_turn(rig, 10000);
    ck_assert_uint_eq(rig->closed_n, n);
}

void tcp_rig_accepted(struct tcp_rig *rig, uint64_t n)
{
    int64_t until_us = clock_now_us() + TCP_RIG_WAIT_US;
    while (tcp_counters(rig->tcp)->accepted < n && clock_now_us() < until_us)
        tcp_rig_turn(rig, 10000);
    ck_assert_uint_eq(tcp_counters(rig->tcp)->accepted, n);
}

static int connect_from(const struct addr *to, const struct addr *from, int receive_bytes)
{
    int one = 1;
    int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    if (from)
        ck_assert_int_eq(bind(fd, &from->sa, addr_len(from)), 0);
    ck_assert_int_eq(connect(fd, &to->sa, addr_len(to)), 0);
    return fd;
}

int tcp_rig_connect(const struct addr *to, int receive_bytes)
{
    return connect_from(to, NULL, receive_bytes);
}

int tcp_rig_connect_from(const struct addr *to, const char *ip)
{
    struct addr from;
    ck_assert_int_eq(addr_parse(&from, ip, 0), 0);
    return connect_from(to, &from, 0);
}

struct tcp_id tcp_rig_claimed(struct tcp_rig *rig, int *peer, int receive_bytes, uint32_t owner)
{
    uint8_t data[64];
    uint32_t before = rig->frames_n;
    *peer = tcp_rig_connect(&rig->listening.local, receive_bytes);
    tcp_rig_peer_send(*peer, data, tcp_rig_frame(data, 40, 0));
    tcp_rig_frames(rig, before + 1);
    ck_assert(tcp_claim(rig->tcp, rig->last.id, owner));
    return rig->last.id;
}

void tcp_rig_fill(uint8_t *packet, size_t bytes, uint32_t number)
{
    put_be32(packet, number);
    for (size_t i = 4; i < bytes; i++)
        packet[i] = (uint8_t)(number * 31 + i * 7);
}

uint32_t tcp_rig_check(const uint8_t *packet, size_t bytes)
{
    uint32_t number = bytes >= 4 ? be32(packet) : UINT32_MAX;
    for (size_t i = 4; i < bytes; i++)
        if (packet[i] != (uint8_t)(number * 31 + i * 7))
            return UINT32_MAX;
    return number;
}

size_t tcp_rig_frame(uint8_t *at, size_t bytes, uint32_t number)
{
    put_be16(at, (uint16_t)bytes);
    tcp_rig_fill(at + 2, bytes, number);
    return 2 + bytes;
}

void tcp_rig_peer_send(int peer, const uint8_t *data, size_t bytes)
{
    ck_assert_int_eq(send(peer, data, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
}

/* Exactly so many bytes; fewer at the end of the stream, -1 when time is over. */
static ssize_t read_all(struct tcp_rig *rig, int peer, uint8_t *to, size_t bytes)
{
    int64_t until_us = clock_now_us() + TCP_RIG_WAIT_US;
    size_t have = 0;
    while (have < bytes) {
        ssize_t got = recv(peer, to + have, bytes - have, MSG_DONTWAIT);
        if (got == 0)
            break;
        if (got > 0) {
            have += (size_t)got;
        } else if (errno != EAGAIN || clock_now_us() >= until_us) {
            return -1;
        } else {
            tcp_rig_turn(rig, 1000);
        }
    }
    return (ssize_t)have;
}

ssize_t tcp_rig_peer_frame(struct tcp_rig *rig, int peer, uint8_t *packet, size_t bytes_max)
{
    uint8_t head[2];
    ssize_t got = read_all(rig, peer, head, sizeof(head));
    if (got <= 0)
        return got;
    MUST(got == 2);
    size_t bytes = be16(head);
    MUST(bytes <= bytes_max);
    MUST(read_all(rig, peer, packet, bytes) == (ssize_t)bytes);
    return (ssize_t)bytes;
}

bool tcp_rig_peer_is_ended(struct tcp_rig *rig, int peer)
{
    int64_t until_us = clock_now_us() + TCP_RIG_WAIT_US;
    uint8_t byte;
    do {
        ssize_t got = recv(peer, &byte, 1, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return true;
        tcp_rig_turn(rig, 1000);
    } while (clock_now_us() < until_us);
    return false;
}
