/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_io_rig.c - see test/core_io_rig.h. */
#include "test/core_io_rig.h"

#include "core/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

const struct rig_config rig_usual = {.slots_n = 1024, .sockets_max = 8, .standing_max = 256};

enum io_engine rig_engine(int row)
{
    return row == 0 ? IO_ENGINE_URING : IO_ENGINE_MMSG;
}

void rig_open(struct rig *rig, enum io_engine engine, const struct rig_config *config)
{
    *rig = (struct rig){.engine = engine};
    ck_assert_int_eq(slab_init(&rig->slab, config->slots_n, 0, false), 0);
    struct io_config io_config = {.engine = engine,
                                  .without = config->without,
                                  .sockets_max = config->sockets_max,
                                  .standing_max = config->standing_max,
                                  .watches_max = config->watches_max,
                                  .prompt = config->prompt};
    ck_assert_int_eq(io_init(&rig->io, &io_config, &rig->slab), 0);
    if (engine != IO_ENGINE_AUTO)
        ck_assert_int_eq(io_engine_of(rig->io), engine);
}

void rig_close(struct rig *rig)
{
    io_exit(rig->io);
    ck_assert_uint_eq(rig->slab.free_n, rig->slab.slots_n);
    slab_exit(&rig->slab);
}

int rig_bind(const char *ip, uint16_t port, struct addr *bound)
{
    struct addr addr;
    ck_assert_int_eq(addr_parse(&addr, ip, port), 0);
    int fd = socket(addr.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (bind(fd, &addr.sa, addr_len(&addr))) {
        close(fd);
        return -1;
    }
    socklen_t bytes = sizeof(*bound);
    *bound = (struct addr){0};
    ck_assert_int_eq(getsockname(fd, &bound->sa, &bytes), 0);
    return fd;
}

uint16_t rig_socket(struct rig *rig, const char *ip, struct addr *bound)
{
    int fd = rig_bind(ip, 0, bound);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(io_size_socket(rig->io, fd, IO_RCVBUF_BYTES, IO_RCVBUF_BYTES), 0);
    int index = io_open_socket(rig->io, fd);
    ck_assert_int_ge(index, 0);
    return (uint16_t)index;
}

int rig_peer(const char *ip, struct addr *bound)
{
    int fd = rig_bind(ip, 0, bound);
    ck_assert_int_ge(fd, 0);
    int bytes = IO_RCVBUF_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    struct timeval limit = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

void rig_peer_send(int peer, const struct addr *to, const void *data, size_t bytes)
{
    ssize_t sent = sendto(peer, data, bytes, 0, &to->sa, addr_len(to));
    ck_assert_int_eq(sent, (ssize_t)bytes);
}

void rig_fill(uint8_t *data, size_t bytes, uint32_t number)
{
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(number * 31 + i * 7);
    if (bytes >= 4)
        put_be32(data, number);
}

bool rig_check(const uint8_t *data, size_t bytes, uint32_t number)
{
    for (size_t i = bytes >= 4 ? 4 : 0; i < bytes; i++)
        if (data[i] != (uint8_t)(number * 31 + i * 7))
            return false;
    return bytes < 4 || be32(data) == number;
}

ssize_t rig_peer_receive(int peer, uint8_t data[RIG_PEER_BYTES_MAX], struct addr *from)
{
    int64_t until_us = clock_now_us() + 1000000;
    ssize_t got = -1;
    do {
        struct addr any = {0};
        socklen_t from_bytes = sizeof(any);
        got = recvfrom(peer, data, RIG_PEER_BYTES_MAX, 0, &any.sa, &from_bytes);
        if (from)
            *from = any;
        if (got < 0 && errno == EAGAIN)
            usleep(200);
    } while (got < 0 && errno == EAGAIN && clock_now_us() < until_us);
    return got;
}

bool rig_peer_is_empty(int peer)
{
    uint8_t data[16];
    return recv(peer, data, sizeof(data), MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void rig_send(struct rig *rig, uint16_t socket, const struct addr *to, size_t bytes,
              uint32_t number)
{
    uint8_t *buffer = io_egress_take(rig->io);
    rig_fill(buffer, bytes, number);
    io_send(rig->io, socket, to, NULL, buffer, bytes, number);
}

void rig_send_run(struct rig *rig, uint16_t socket, const struct addr *to, const struct addr *from,
                  size_t n, size_t segment_bytes, size_t last_bytes, uint32_t number)
{
    uint8_t *buffers[IO_RUN_PACKETS_MAX];
    for (size_t i = 0; i < n; i++) {
        buffers[i] = io_egress_take(rig->io);
        rig_fill(buffers[i], i + 1 < n ? segment_bytes : last_bytes, number + (uint32_t)i);
    }
    io_send_run(rig->io, socket, to, from, buffers, n, segment_bytes, last_bytes, number);
}

void rig_drain(struct rig *rig, int64_t wait_us)
{
    ck_assert_int_eq(io_wait(rig->io, wait_us ? clock_now_us() + wait_us : 0), 0);
    struct io_event event;
    while (io_next(rig->io, &event)) {
        rig->last = event;
        switch (event.kind) {
        case IO_DATAGRAM:
            rig->datagrams_n++;
            slab_release(&rig->slab, event.slot);
            break;
        case IO_SEND_FAILED:
            rig->failed_n++;
            rig->failed_packets_n += event.packets;
            rig->last_error = event.error;
            rig->last_tag = event.tag;
            break;
        case IO_WOKEN:
            rig->woken_n++;
            break;
        case IO_READY:
            rig->ready_n++;
            break;
        case IO_SOCKET_DEAD:
            rig->dead_n++;
            rig->last_error = event.error;
            break;
        }
    }
}

void rig_drain_until(struct rig *rig, uint32_t datagrams_n)
{
    int64_t until_us = clock_now_us() + RIG_DEADLINE_US;
    while (rig->datagrams_n < datagrams_n && clock_now_us() < until_us)
        rig_drain(rig, 20000);
}

void rig_exchange(struct rig *rig)
{
    struct addr here, there, from;
    uint16_t socket = rig_socket(rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    uint8_t data[RIG_PEER_BYTES_MAX];
    rig_fill(data, 700, 1);
    uint32_t before = rig->datagrams_n;
    rig_peer_send(peer, &here, data, 700);
    rig_drain_until(rig, before + 1);
    ck_assert_uint_eq(rig->datagrams_n, before + 1);
    ck_assert_uint_eq(rig->last.bytes, 700);
    ck_assert(addr_equal(&rig->last.remote, &there));

    rig_send(rig, socket, &there, 900, 2);
    rig_send_run(rig, socket, &there, NULL, 5, 1100, 333, 3);
    rig_drain(rig, 0);
    static const size_t bytes[] = {900, 1100, 1100, 1100, 1100, 333};
    for (uint32_t i = 0; i < ARRAY_N(bytes); i++) {
        ck_assert_int_eq(rig_peer_receive(peer, data, &from), (ssize_t)bytes[i]);
        ck_assert(rig_check(data, bytes[i], 2 + i));
        ck_assert(addr_equal(&from, &here));
    }
    ck_assert(rig_peer_is_empty(peer));
    ck_assert_uint_eq(rig->failed_n, 0);
    io_close_socket(rig->io, socket);
    close(peer);
}

_Noreturn void rig_child_failed(const char *truth, const char *file, int line)
{
    fprintf(stderr, "%s:%d: in a child: %s\n", file, line, truth);
    _exit(1);
}

int rig_child(void (*body)(int row), int row)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        body(row);
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
