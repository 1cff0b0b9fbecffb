/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_io_faults_test.c - the traps of batched I/O: what is short, full, forged, missing or
 * gone, on both engines. */
#include "test/core_io_rig.h"

#include "core/clock.h"
#include "core/io_test_hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ENGINES_N = 2 };

static void loop_test(TCase *tcase, const TTest *test)
{
    tcase_add_loop_test(tcase, test, 0, ENGINES_N);
}

/* A zero-length datagram ends a multishot receive, and anyone can send one. */
START_TEST(a_flood_of_empty_datagrams_stops_nothing)
{
    enum { N = 3000, EVERY = 10, CHUNK = 250 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    uint32_t sent = 0;
    for (int i = 0; i < N; i++) {
        rig_peer_send(peer, &here, "media", i % EVERY == 0 ? 5 : 0);
        sent += i % EVERY == 0;
        if (i % CHUNK == CHUNK - 1)
            rig_drain_until(&rig, sent);
    }
    rig_peer_send(peer, &here, "last", 4);
    rig_drain_until(&rig, sent + 1);
    const struct io_counters *counters = io_counters(rig.io);
    ck_assert_uint_eq(rig.datagrams_n, sent + 1);
    ck_assert_uint_eq(counters->empty, N - sent);
    ck_assert_uint_eq(counters->recv_errors, 0);
    /* Many of them share a wait. */
    ck_assert_uint_le(counters->waits, N / 4);
    if (rig.engine == IO_ENGINE_URING)
        ck_assert_uint_ge(counters->rearms, N - sent);
    close(peer);
    rig_close(&rig);
}

END_TEST

START_TEST(too_long_datagrams_are_counted_and_left_out)
{
    static const size_t rows[] = {SLOT_PACKET_BYTES_MAX, SLOT_PACKET_BYTES_MAX + 1, 2000, 60000, 1};
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    static const uint8_t data[60000];
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        rig_peer_send(peer, &here, data, rows[i]);
    rig_drain_until(&rig, 2);
    ck_assert_uint_eq(rig.datagrams_n, 2);
    ck_assert_uint_eq(rig.last.bytes, 1);
    ck_assert_uint_eq(io_counters(rig.io)->truncated, 3);
    ck_assert_uint_eq(io_counters(rig.io)->bytes_in, SLOT_PACKET_BYTES_MAX + 1);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* A burst beyond what stands ends with ENOBUFS; more slots are made to stand, nothing is lost, and
 * the stock shrinks again when it is quiet. */
START_TEST(the_standing_stock_follows_the_rate)
{
    enum { BURST = 900, QUIET_WAITS = 256 * 3 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i),
             &(struct rig_config){.slots_n = 2048, .sockets_max = 2, .standing_max = 512});
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    rig_drain(&rig, 0);
    uint32_t target = 0;
    ck_assert_uint_le(rig.slab.kernel_n, IO_STANDING_MIN);
    for (int i = 0; i < BURST; i++)
        rig_peer_send(peer, &here, "burst", 5);
    rig_drain_until(&rig, BURST);
    ck_assert_uint_eq(rig.datagrams_n, BURST);
    ck_assert_uint_eq(io_counters(rig.io)->kernel_drops, 0);
    ck_assert_uint_eq(io_counters(rig.io)->starved, 0);
    if (rig.engine == IO_ENGINE_URING) {
        (void)io_test_standing(rig.io, &target);
        ck_assert_uint_ge(target, 2 * IO_STANDING_MIN);
        for (int i = 0; i < QUIET_WAITS + 256; i++)
            rig_drain(&rig, 0);
        (void)io_test_standing(rig.io, &target);
        ck_assert_uint_eq(target, IO_STANDING_MIN);
        for (uint32_t i = 0; i < 600; i++) { /* the surplus leaves as it is received into */
            rig_peer_send(peer, &here, "slow", 4);
            rig_drain_until(&rig, BURST + 1 + i);
        }
        ck_assert_uint_le(io_test_standing(rig.io, &target), IO_STANDING_MIN);
    }
    close(peer);
    rig_close(&rig);
}

END_TEST

/* Every slot held: `starved` is counted, waits return and do not spin; then receiving goes on. */
START_TEST(without_slots_receiving_pauses_and_resumes)
{
    enum { SLOTS = 80, N = 150 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i),
             &(struct rig_config){.slots_n = SLOTS, .sockets_max = 2, .standing_max = 64});
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    for (int i = 0; i < N; i++)
        rig_peer_send(peer, &here, "hold", 4);
    uint16_t held[SLOTS];
    uint32_t held_n = 0;
    for (int i = 0; i < 50 && io_counters(rig.io)->starved == 0; i++) {
        ck_assert_int_eq(io_wait(rig.io, clock_now_us() + 100000), 0);
        struct io_event event;
        while (io_next(rig.io, &event)) {
            ck_assert_int_eq(event.kind, IO_DATAGRAM);
            (void)slab_hold(&rig.slab, event.slot);
            held[held_n++] = event.slot;
        }
    }
    ck_assert_uint_eq(held_n, SLOTS);
    ck_assert_uint_ge(io_counters(rig.io)->starved, 1);
    ck_assert_uint_eq(rig.slab.free_n, 0);

    struct io_counters before = *io_counters(rig.io);
    int64_t began_us = clock_now_us();
    for (int i = 0; i < 20; i++) /* nothing gives way: each sleeps a little, none brings anything */
        rig_drain(&rig, 10000);
    ck_assert_uint_eq(rig.datagrams_n, 0);
    ck_assert_int_ge(clock_now_us() - began_us, 18 * IO_STARVED_US);
    ck_assert_uint_ge(io_counters(rig.io)->starved - before.starved, 20);
    ck_assert_uint_le(io_counters(rig.io)->syscalls - before.syscalls, 3 * 20);
    uint64_t rearms = io_counters(rig.io)->rearms - before.rearms;
    ck_assert_uint_le(rearms, 1); /* armed again only when slots stand */

    slab_release(&rig.slab, held[--held_n]); /* with one slot it crawls, and goes on */
    rig_drain_until(&rig, 5);
    ck_assert_uint_ge(rig.datagrams_n, 5);
    while (held_n)
        slab_release(&rig.slab, held[--held_n]);
    rig_drain_until(&rig, N - SLOTS);
    ck_assert_uint_eq(rig.datagrams_n, N - SLOTS);
    rig_peer_send(peer, &here, "again", 5);
    rig_drain_until(&rig, N - SLOTS + 1);
    ck_assert_uint_eq(rig.datagrams_n, N - SLOTS + 1);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* The kernel's count is cumulative and wraps at 2^32. With IPv6 the control messages fill a slot's
 * area. */
START_TEST(kernel_drops_are_counted)
{
    enum { N = 400 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i % ENGINES_N), &rig_usual);
    struct addr here, there;
    const char *ip = _i < ENGINES_N ? "127.0.0.1" : "::1";
    int peer = rig_peer(ip, &there);
    int fd = rig_bind(ip, 0, &here);
    int small = 8192;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    int socket = io_open_socket(rig.io, fd);
    ck_assert_int_ge(socket, 0);
    uint64_t sent = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++, sent++)
            rig_peer_send(peer, &here, "flood", 5);
        for (int i = 0; i < 20; i++)
            rig_drain(&rig, 1000);
        rig_peer_send(peer, &here, "count", 5); /* brings the count along */
        sent++;
        rig_drain_until(&rig, rig.datagrams_n + 1);
        ck_assert_uint_eq(io_counters(rig.io)->kernel_drops, sent - rig.datagrams_n);
        ck_assert_uint_gt(io_counters(rig.io)->kernel_drops, 0);
        ck_assert(addr_equal(&rig.last.local, &here)); /* there was room for it, too */
    }
    /* As if the count had just wrapped: it is 16 more than before. */
    uint64_t before = io_counters(rig.io)->kernel_drops;
    io_test_set_drops_seen(rig.io, (uint16_t)socket, (uint32_t)before - 16);
    rig_peer_send(peer, &here, "count", 5);
    rig_drain_until(&rig, rig.datagrams_n + 1);
    ck_assert_uint_eq(io_counters(rig.io)->kernel_drops, before + 16);
    io_test_set_drops_seen(rig.io, (uint16_t)socket,
                           (uint32_t)before + 1); /* backwards is nothing */
    rig_peer_send(peer, &here, "count", 5);
    rig_drain_until(&rig, rig.datagrams_n + 1);
    ck_assert_uint_eq(io_counters(rig.io)->kernel_drops, before + 16);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* A wall clock that is set between the kernel's stamp and our reading must not move arrivals. */
START_TEST(arrival_times_survive_a_step_of_the_wall_clock)
{
    static const int64_t steps_us[] = {0, 3600000000, -3600000000, 2000000, -30000};
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    rig_drain(&rig, 0);
    for (size_t i = 0; i < ARRAY_N(steps_us); i++) {
        int64_t began_us = clock_now_us();
        rig_peer_send(peer, &here, "time", 4);
        int64_t sent_us = clock_now_us();
        ck_assert_int_eq(io_wait(rig.io, clock_now_us() + 1000000), 0);
        io_test_step_wall(rig.io, steps_us[i]);
        struct io_event event;
        ck_assert(io_next(rig.io, &event));
        slab_release(&rig.slab, event.slot);
        ck_assert_int_le(event.arrived_us, clock_now_us());
        if (steps_us[i] == 0) { /* the stamp is of the sending, to a few microseconds */
            ck_assert_int_ge(event.arrived_us, began_us - 50);
            ck_assert_int_le(event.arrived_us, sent_us + 50);
        } else {
            ck_assert_int_ge(event.arrived_us, began_us - 1100000);
        }
    }
    close(peer);
    rig_close(&rig);
}

END_TEST

/* A socket that sends no checksums refuses UDP_SEGMENT: the run goes out as singles, and is told.
 */
START_TEST(a_refused_run_goes_out_as_singles)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    int peer = rig_peer("127.0.0.1", &there);
    int fd = rig_bind("127.0.0.1", 0, &here);
    int on = 1;
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
    int socket = io_open_socket(rig.io, fd);
    ck_assert_int_ge(socket, 0);
    for (uint32_t round = 0; round < 3; round++) {
        /* From a full arena, too: the buffers must still hold the run when it is split. */
        for (uint32_t i = 0; i < 30; i++)
            rig_send_run(&rig, (uint16_t)socket, &there, round == 1 ? &here : NULL, 9, 1000, 77,
                         1000 * round + 9 * i);
        rig_drain(&rig, 0);
        uint8_t data[RIG_PEER_BYTES_MAX];
        bool seen[9 * 30] = {false};
        for (uint32_t i = 0; i < 9 * 30; i++) {
            ssize_t bytes = rig_peer_receive(peer, data, NULL);
            ck_assert_int_ge(bytes, 77);
            uint32_t number = be32(data);
            ck_assert(rig_check(data, (size_t)bytes, number));
            ck_assert_uint_lt(number - 1000 * round, ARRAY_N(seen));
            ck_assert(!seen[number - 1000 * round]);
            seen[number - 1000 * round] = true;
            ck_assert_int_eq(bytes, (number - 1000 * round) % 9 == 8 ? 77 : 1000);
        }
        ck_assert(rig_peer_is_empty(peer));
    }
    ck_assert_uint_eq(rig.failed_n, 90);
    ck_assert_uint_eq(rig.failed_packets_n, 0);
    ck_assert_int_eq(rig.last_error, -EINVAL);
    const struct io_counters *counters = io_counters(rig.io);
    ck_assert_uint_eq(counters->runs_split, 90);
    ck_assert_uint_eq(counters->packets_out, 90 * 9);
    ck_assert_uint_eq(counters->send_errors, 0);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* What a failed send is told as: error, how many packets, and what still went out. */
START_TEST(failed_sends_are_told_with_their_tags)
{
    static const struct {
        int error;
        uint32_t skip, count; /* sends that fail: the run first, then its singles */
        bool runs_only;
        uint32_t events, packets, again, errors, split;
        uint32_t arrive; /* of a single, a run of 5 and a single */
    } rows[] = {
        {EAGAIN, 0, 1, false, 1, 1, 1, 0, 0, 6},
        {EAGAIN, 1, 1, false, 1, 5, 5, 0, 0, 2},
        {EAGAIN, 0, 9, false, 3, 7, 7, 0, 0, 0},
        {ENETUNREACH, 1, 1, false, 1, 5, 0, 5, 0, 2},
        {EMSGSIZE, 1, 1, false, 1, 0, 0, 0, 1, 7},
        {EIO, 0, 1, true, 1, 0, 0, 0, 1, 7},
        {EINVAL, 0, 1, true, 1, 0, 0, 0, 1, 7},
        {EMSGSIZE, 1, 3, false, 2, 2, 0, 2, 1, 5}, /* run, last single, first of the run's */
        {EIO, 0, 20, false, 3, 7, 0, 7, 1, 0},
    };

    for (size_t row = 0; row < ARRAY_N(rows); row++) {
        struct rig rig;
        rig_open(&rig, rig_engine(_i), &rig_usual);
        struct addr here, there;
        uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
        int peer = rig_peer("127.0.0.1", &there);
        rig_send(&rig, socket, &there, 500, 1);
        rig_send_run(&rig, socket, &there, NULL, 5, 600, 600, 2);
        rig_send(&rig, socket, &there, 500, 7);
        io_test_fail_sends(rig.io, rows[row].error, rows[row].skip, rows[row].count,
                           rows[row].runs_only);
        rig_drain(&rig, 0);
        uint8_t data[RIG_PEER_BYTES_MAX];
        for (uint32_t i = 0; i < rows[row].arrive; i++) {
            ssize_t bytes = rig_peer_receive(peer, data, NULL);
            ck_assert_int_ge(bytes, 500);
            ck_assert(rig_check(data, (size_t)bytes, be32(data)));
        }
        ck_assert(rig_peer_is_empty(peer));
        const struct io_counters *counters = io_counters(rig.io);
        ck_assert_uint_eq(rig.failed_n, rows[row].events);
        ck_assert_uint_eq(rig.failed_packets_n, rows[row].packets);
        ck_assert_int_eq(rig.last_error, -rows[row].error);
        ck_assert_uint_eq(counters->send_again, rows[row].again);
        ck_assert_uint_eq(counters->send_errors, rows[row].errors);
        ck_assert_uint_eq(counters->runs_split, rows[row].split);
        ck_assert_uint_eq(counters->packets_out, rows[row].arrive);
        close(peer);
        rig_close(&rig);
    }
}

END_TEST

/* More failures than events are kept for: the rest is counted, and the newest turn still works. */
START_TEST(failure_events_are_bounded)
{
    enum { N = IO_FAILED_MAX + 500 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    io_test_fail_sends(rig.io, EAGAIN, 0, N, false);
    for (uint32_t i = 0; i < N; i++)
        rig_send(&rig, socket, &there, 10, i);
    rig_drain(&rig, 0);
    ck_assert_uint_eq(rig.failed_n, IO_FAILED_MAX);
    ck_assert_uint_eq(io_counters(rig.io)->events_lost, N - IO_FAILED_MAX);
    ck_assert_uint_eq(io_counters(rig.io)->send_again, N);
    rig.failed_n = 0;
    rig_exchange(&rig);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* An address of the wrong family is an error of that send, and of nothing else. */
START_TEST(impossible_destinations_are_told)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there, wrong;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    ck_assert_int_eq(addr_parse(&wrong, "::1", 9), 0);
    rig_send(&rig, socket, &wrong, 100, 1);
    rig_send(&rig, socket, &there, 100, 2);
    rig_drain(&rig, 0);
    uint8_t data[RIG_PEER_BYTES_MAX];
    ck_assert_int_eq(rig_peer_receive(peer, data, NULL), 100);
    ck_assert(rig_check(data, 100, 2));
    ck_assert_uint_eq(rig.failed_n, 1);
    ck_assert_uint_eq(rig.last_tag, 1);
    ck_assert_uint_eq(rig.failed_packets_n, 1);
    ck_assert_uint_eq(io_counters(rig.io)->send_errors, 1);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* On a connected socket an ICMP error ends a receive. */
START_TEST(refused_connections_stop_nothing)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there, again;
    int peer = rig_peer("127.0.0.1", &there);
    int fd = rig_bind("127.0.0.1", 0, &here);
    ck_assert_int_eq(connect(fd, &there.sa, addr_len(&there)), 0);
    int socket = io_open_socket(rig.io, fd);
    ck_assert_int_ge(socket, 0);
    close(peer);
    for (uint32_t i = 0; i < 100; i++) { /* each is answered by an ICMP error */
        rig_send(&rig, (uint16_t)socket, NULL, 10, i);
        rig_drain(&rig, 0);
    }
    rig_drain(&rig, 2000);
    ck_assert_uint_gt(io_counters(rig.io)->recv_errors + rig.failed_n, 0);
    ck_assert_uint_eq(rig.dead_n, 0);
    peer = rig_bind("127.0.0.1", addr_port(&there), &again);
    ck_assert_int_ge(peer, 0);
    rig_peer_send(peer, &here, "back", 4);
    rig_drain_until(&rig, 1);
    ck_assert_uint_eq(rig.datagrams_n, 1);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* Somebody has put another file in the place of the socket: told once, and nothing spins. */
START_TEST(a_dead_socket_is_told_once)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    int peer = rig_peer("127.0.0.1", &there);
    int fd = rig_bind("127.0.0.1", 0, &here);
    int keep = dup(fd); /* epoll goes on watching it */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int socket = io_open_socket(rig.io, fd);
    ck_assert_int_ge(socket, 0);
    ck_assert_int_eq(dup2(null, fd), fd);
    rig_peer_send(peer, &here, "gone", 4);
    rig_drain(&rig, 100000);
    ck_assert_uint_eq(rig.dead_n, 1);
    ck_assert_int_eq(rig.last_error, -ENOTSOCK);
    uint64_t before = io_counters(rig.io)->syscalls;
    for (int i = 0; i < 5; i++)
        rig_drain(&rig, 2000);
    ck_assert_uint_eq(rig.dead_n, 1);
    ck_assert_uint_le(io_counters(rig.io)->syscalls - before, 5 * 17);
    close(keep);
    io_close_socket(rig.io, (uint16_t)socket);
    rig_exchange(&rig);
    close(null);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* A kernel short of memory takes nothing: it is tried again, and in the end the sends give up,
 * told, with their buffers free; nothing of them goes out later. */
START_TEST(refused_submissions_lose_only_sends)
{
    struct rig rig;
    rig_open(&rig, IO_ENGINE_URING, &rig_usual);
    struct addr here, there;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    io_test_refuse_submits(rig.io, 5);
    for (uint32_t i = 0; i < 100; i++)
        rig_send(&rig, socket, &there, 100, i);
    rig_drain(&rig, 0);
    uint8_t data[RIG_PEER_BYTES_MAX];
    for (uint32_t i = 0; i < 100; i++) {
        ck_assert_int_eq(rig_peer_receive(peer, data, NULL), 100);
        ck_assert(rig_check(data, 100, i));
    }
    ck_assert_uint_eq(rig.failed_n, 0);

    io_test_refuse_submits(rig.io, 10000);
    for (uint32_t i = 0; i < 1000; i++)
        rig_send(&rig, socket, &there, 100, 1000 + i);
    io_flush(rig.io);
    io_test_refuse_submits(rig.io, 0);
    rig_peer_send(peer, &here, "in", 2);
    rig_send(&rig, socket, &there, 100, 5000);
    rig_drain_until(&rig, 1);
    ck_assert_uint_eq(rig.datagrams_n, 1);
    ck_assert_uint_eq(rig.failed_packets_n, 1000);
    ck_assert_int_eq(rig.last_error, -ENOMEM);
    ck_assert_int_eq(rig_peer_receive(peer, data, NULL), 100);
    ck_assert(rig_check(data, 100, 5000));
    ck_assert(rig_peer_is_empty(peer));
    close(peer);
    rig_close(&rig);
}

END_TEST

/* A network of its own: a tap device whose only neighbour does not answer, so that packets queue up
 * in the kernel and fill the socket's buffer. Its descriptor, or a skip. */
static int child_tap(void)
{
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        _exit(RIG_CHILD_SKIPS);
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI, .ifr_name = "full0"};
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request))
        _exit(RIG_CHILD_SKIPS);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct addr addr;
    CHILD_CHECK(fd >= 0 && addr_parse(&addr, "10.9.9.1", 0) == 0);
    memcpy(&request.ifr_addr, &addr.sa, sizeof(request.ifr_addr));
    CHILD_CHECK(ioctl(fd, SIOCSIFADDR, &request) == 0);
    CHILD_CHECK(addr_parse(&addr, "255.255.255.0", 0) == 0);
    memcpy(&request.ifr_netmask, &addr.sa, sizeof(request.ifr_netmask));
    CHILD_CHECK(ioctl(fd, SIOCSIFNETMASK, &request) == 0);
    CHILD_CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0);
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    CHILD_CHECK(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
    close(fd);
    return tap;
}

/* Answers the ARP request for 10.9.9.2; then all that waited for it leaves. */
static void child_answer(int tap)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    uint8_t frame[2048];
    for (int i = 0; i < 1000; i++) {
        ssize_t bytes = read(tap, frame, sizeof(frame));
        if (bytes < 42 || be16(frame + 12) != 0x0806 || be16(frame + 20) != 1) {
            if (bytes < 0)
                usleep(1000);
            continue;
        }
        memcpy(frame, frame + 6, 6); /* to who asked */
        memcpy(frame + 6, mac, 6);
        put_be16(frame + 20, 2); /* a reply */
        uint8_t asker[10];
        memcpy(asker, frame + 22, 10);
        uint8_t wanted[4];
        memcpy(wanted, frame + 38, 4);
        memcpy(frame + 22, mac, 6);
        memcpy(frame + 28, wanted, 4);
        memcpy(frame + 32, asker, 10);
        CHILD_CHECK(write(tap, frame, 42) == 42);
        return;
    }
    rig_child_failed("an ARP request comes", __FILE__, __LINE__);
}

/* A full socket buffer ends a send with EAGAIN at once. What was taken goes out with the bytes that
 * it had when it was queued, though its buffer has been used again; what was refused never does. */
static void child_full_buffer(int row)
{
    enum { N = 200, REUSED = 0xee };

    int tap = child_tap();
    struct slab slab;
    struct io *io = NULL;
    struct io_config config = {.engine = rig_engine(row), .sockets_max = 2, .standing_max = 64};
    CHILD_CHECK(slab_init(&slab, 256, 0, false) == 0);
    CHILD_CHECK(io_init(&io, &config, &slab) == 0);
    struct addr here, there;
    int fd = rig_bind("10.9.9.1", 0, &here);
    CHILD_CHECK(fd >= 0 && addr_parse(&there, "10.9.9.2", 4000) == 0);
    CHILD_CHECK(io_size_socket(io, fd, 0, 20000) > 0);
    int index = io_open_socket(io, fd);
    CHILD_CHECK(index >= 0);

    bool refused[N] = {false};
    for (uint32_t i = 0; i < N;) { /* a packet, one with its source, a run of three; and again */
        uint32_t n = i % 5 == 2 ? 3 : 1;
        uint8_t *buffers[3];
        for (uint32_t k = 0; k < n; k++) {
            buffers[k] = io_egress_take(io);
            rig_fill(buffers[k], 500, i + k);
        }
        const struct addr *from = i % 5 == 1 ? &here : NULL;
        io_send_run(io, (uint16_t)index, &there, from, buffers, n, 500, 500, i);
        i += n;
    }
    io_flush(io);
    uint8_t *reused[IO_EGRESS_N];
    for (size_t i = 0; i < IO_EGRESS_N; i++) {
        reused[i] = io_egress_take(io);
        memset(reused[i], REUSED, IO_EGRESS_BYTES);
    }
    uint32_t refused_n = 0;
    struct io_event event;
    while (io_next(io, &event)) {
        CHILD_CHECK(event.kind == IO_SEND_FAILED && event.error == -EAGAIN);
        CHILD_CHECK(event.packets == (event.tag % 5 == 2 ? 3 : 1));
        for (uint32_t k = event.tag; k < event.tag + event.packets; k++) {
            CHILD_CHECK(k < N && !refused[k]);
            refused[k] = true;
        }
        refused_n += event.packets;
    }
    CHILD_CHECK(refused_n > 0 && refused_n < N);
    CHILD_CHECK(io_counters(io)->send_again == refused_n);
    CHILD_CHECK(io_counters(io)->packets_out == N - refused_n);
    for (size_t i = 0; i < IO_EGRESS_N; i++)
        io_egress_untake(io, reused[i]);

    child_answer(tap);
    uint32_t left_n = 0;
    uint8_t frame[2048];
    for (int idle = 0; idle < 50;) {
        ssize_t bytes = read(tap, frame, sizeof(frame));
        (void)io_wait(io, 0); /* were a send parked in the kernel, this would let it run */
        if (bytes < 0) {
            idle++;
            usleep(1000);
        } else if (bytes == 14 + 20 + 8 + 500 && be16(frame + 12) == 0x0800 && frame[23] == 17) {
            const uint8_t *packet = frame + 42;
            CHILD_CHECK(be32(packet) < N && !refused[be32(packet)]);
            CHILD_CHECK(rig_check(packet, 500, be32(packet)));
            left_n++;
        }
    }
    CHILD_CHECK(left_n == N - refused_n);
    io_exit(io);
    slab_exit(&slab);
    close(tap);
}

START_TEST(a_full_socket_buffer_is_a_counted_drop)
{
    int result = rig_child(child_full_buffer, _i);
    if (result == RIG_CHILD_SKIPS)
        SKIP("no network namespace or no tap device");
    ck_assert_int_eq(result, 0);
}

END_TEST

Suite *core_io_faults_suite(void);

Suite *core_io_faults_suite(void)
{
    Suite *suite = suite_create("core/io faults");
    TCase *tcase = tcase_create("traps");
    tcase_set_timeout(tcase, 60);
    loop_test(tcase, a_flood_of_empty_datagrams_stops_nothing);
    loop_test(tcase, too_long_datagrams_are_counted_and_left_out);
    loop_test(tcase, the_standing_stock_follows_the_rate);
    loop_test(tcase, without_slots_receiving_pauses_and_resumes);
    tcase_add_loop_test(tcase, kernel_drops_are_counted, 0, 2 * ENGINES_N);
    loop_test(tcase, arrival_times_survive_a_step_of_the_wall_clock);
    loop_test(tcase, a_refused_run_goes_out_as_singles);
    loop_test(tcase, failed_sends_are_told_with_their_tags);
    loop_test(tcase, failure_events_are_bounded);
    loop_test(tcase, impossible_destinations_are_told);
    loop_test(tcase, refused_connections_stop_nothing);
    loop_test(tcase, a_dead_socket_is_told_once);
    loop_test(tcase, a_full_socket_buffer_is_a_counted_drop);
    tcase_add_test(tcase, refused_submissions_lose_only_sends);
    suite_add_tcase(suite, tcase);
    return suite;
}
