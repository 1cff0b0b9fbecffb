/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_io_test.c - datagrams in and out through both engines of core/io.h: the same rows, the
 * same results. */
#include "test/core_io_rig.h"

#include "core/clock.h"
#include "core/io_test_hooks.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ENGINES_N = 2 };

static void loop_test(TCase *tcase, const TTest *test)
{
    tcase_add_loop_test(tcase, test, 0, ENGINES_N);
}

START_TEST(datagrams_arrive_once_in_order)
{
    enum { N = 1000, CHUNK = 50 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    uint8_t data[SLOT_PACKET_BYTES_MAX];
    uint32_t sent = 0;
    uint32_t got = 0;
    uint64_t bytes_in = 0;
    int64_t began_us = clock_now_us();
    while (got < N) {
        for (int i = 0; i < CHUNK && sent < N; i++, sent++) {
            size_t bytes = 1 + (size_t)sent * 997 % SLOT_PACKET_BYTES_MAX;
            rig_fill(data, bytes, sent);
            rig_peer_send(peer, &here, data, bytes);
        }
        ck_assert_int_eq(io_wait(rig.io, clock_now_us() + 1000000), 0);
        struct io_event event;
        while (io_next(rig.io, &event)) {
            ck_assert_int_eq(event.kind, IO_DATAGRAM);
            size_t bytes = 1 + (size_t)got * 997 % SLOT_PACKET_BYTES_MAX;
            ck_assert_uint_eq(event.bytes, bytes);
            ck_assert(rig_check(slab_packet(&rig.slab, event.slot), bytes, got));
            ck_assert(addr_equal(&event.remote, &there));
            ck_assert(addr_equal(&event.local, &here));
            ck_assert_uint_eq(event.socket, socket);
            ck_assert_int_ge(event.arrived_us, began_us - 1000);
            ck_assert_int_le(event.arrived_us, clock_now_us());
            ck_assert_int_eq(rig.slab.state[event.slot], SLOT_WORKER);
            slab_release(&rig.slab, event.slot);
            bytes_in += bytes;
            got++;
        }
    }
    const struct io_counters *counters = io_counters(rig.io);
    ck_assert_uint_eq(counters->datagrams, N);
    ck_assert_uint_eq(counters->bytes_in, bytes_in);
    ck_assert_uint_eq(counters->recv_errors, 0);
    ck_assert_uint_eq(counters->kernel_drops, 0);
    close(peer);
    rig_close(&rig);
}

END_TEST

START_TEST(sends_arrive_once_in_order)
{
    enum { N = 1000 }; /* four arenas full: taking one more submits */
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    uint64_t bytes_out = 0;
    for (uint32_t i = 0; i < N; i++) {
        size_t bytes = 1 + (size_t)i * 499 % 1500;
        rig_send(&rig, socket, &there, bytes, i);
        bytes_out += bytes;
    }
    rig_drain(&rig, 0);
    uint8_t data[RIG_PEER_BYTES_MAX];
    for (uint32_t i = 0; i < N; i++) {
        size_t bytes = 1 + (size_t)i * 499 % 1500;
        ck_assert_int_eq(rig_peer_receive(peer, data, NULL), (ssize_t)bytes);
        ck_assert(rig_check(data, bytes, i));
    }
    ck_assert(rig_peer_is_empty(peer));
    const struct io_counters *counters = io_counters(rig.io);
    ck_assert_uint_eq(counters->sends, N);
    ck_assert_uint_eq(counters->runs, 0);
    ck_assert_uint_eq(counters->packets_out, N);
    ck_assert_uint_eq(counters->bytes_out, bytes_out);
    ck_assert_uint_eq(counters->egress_full, (N - 1) / IO_EGRESS_N);
    ck_assert_uint_eq(rig.failed_n, 0);
    close(peer);
    rig_close(&rig);
}

END_TEST

START_TEST(runs_arrive_as_datagrams)
{
    static const struct {
        size_t n, segment_bytes, last_bytes;
    } rows[] = {
        {1, 1200, 777}, {2, 1200, 1200}, {2, 1200, 1},   {7, 1100, 1100},
        {7, 1100, 500}, {40, 1400, 2},   {64, 900, 899}, {64, 1, 1},
    };
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there, from;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    uint8_t data[RIG_PEER_BYTES_MAX];
    for (size_t row = 0; row < ARRAY_N(rows); row++) {
        struct io_counters before = *io_counters(rig.io);
        size_t n = rows[row].n;
        rig_send_run(&rig, socket, &there, row % 2 ? &here : NULL, n, rows[row].segment_bytes,
                     rows[row].last_bytes, 100);
        rig_drain(&rig, 0);
        for (uint32_t i = 0; i < n; i++) {
            size_t bytes = i + 1 < n ? rows[row].segment_bytes : rows[row].last_bytes;
            ck_assert_int_eq(rig_peer_receive(peer, data, &from), (ssize_t)bytes);
            ck_assert(rig_check(data, bytes, 100 + i));
            ck_assert(addr_equal(&from, &here));
        }
        ck_assert(rig_peer_is_empty(peer));
        const struct io_counters *after = io_counters(rig.io);
        ck_assert_uint_eq(after->sends - before.sends, 1);
        ck_assert_uint_eq(after->runs - before.runs, n > 1);
        ck_assert_uint_eq(after->packets_out - before.packets_out, n);
    }
    ck_assert_uint_eq(rig.failed_n, 0);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* A socket bound to a wildcard tells which address was hit, and replies leave from it. */
START_TEST(replies_leave_from_the_address_that_was_hit)
{
    static const struct {
        const char *bound, *hit, *peer;
    } rows[] = {
        {"0.0.0.0", "127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "127.0.0.77", "127.0.0.1"},
        {"::", "::1", "::1"},
        {"::", "127.0.0.78", "127.0.0.1"}, /* mapped */
    };
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    for (size_t row = 0; row < ARRAY_N(rows); row++) {
        struct addr bound, hit, there, from;
        uint16_t socket = rig_socket(&rig, rows[row].bound, &bound);
        ck_assert_int_eq(addr_parse(&hit, rows[row].hit, addr_port(&bound)), 0);
        int peer = rig_peer(rows[row].peer, &there);
        rig_peer_send(peer, &hit, "hello", 5);
        rig_drain_until(&rig, (uint32_t)row + 1);
        ck_assert_uint_eq(rig.datagrams_n, row + 1);
        ck_assert(addr_equal(&rig.last.remote, &there));
        ck_assert(addr_equal(&rig.last.local, &hit));

        uint8_t *buffer = io_egress_take(rig.io);
        rig_fill(buffer, 50, 9);
        io_send(rig.io, socket, &rig.last.remote, &rig.last.local, buffer, 50, 0);
        rig_send_run(&rig, socket, &rig.last.remote, &rig.last.local, 3, 60, 60, 10);
        rig_drain(&rig, 0);
        uint8_t data[RIG_PEER_BYTES_MAX];
        for (uint32_t i = 0; i < 4; i++) {
            ssize_t bytes = rig_peer_receive(peer, data, &from);
            ck_assert_int_eq(bytes, i ? 60 : 50);
            ck_assert(rig_check(data, (size_t)bytes, 9 + i));
            ck_assert(addr_equal(&from, &hit));
        }
        io_close_socket(rig.io, socket);
        close(peer);
    }
    ck_assert_uint_eq(rig.failed_n, 0);
    rig_close(&rig);
}

END_TEST

START_TEST(connected_sockets_need_no_address)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    int peer = rig_peer("127.0.0.1", &there);
    int fd = rig_bind("127.0.0.1", 0, &here);
    ck_assert_int_eq(connect(fd, &there.sa, addr_len(&there)), 0);
    int socket = io_open_socket(rig.io, fd);
    ck_assert_int_ge(socket, 0);
    rig_send(&rig, (uint16_t)socket, NULL, 100, 1);
    rig_send_run(&rig, (uint16_t)socket, NULL, NULL, 2, 100, 100, 2);
    rig_drain(&rig, 0);
    uint8_t data[RIG_PEER_BYTES_MAX];
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(rig_peer_receive(peer, data, NULL), 100);
        ck_assert(rig_check(data, 100, 1 + i));
    }
    close(peer);
    rig_close(&rig);
}

END_TEST

/* Buffers that are taken and not yet queued keep their place when a full arena is submitted. */
START_TEST(taken_buffers_survive_a_full_arena)
{
    enum { HELD = IO_RUN_PACKETS_MAX, ROUNDS = 5 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    uint8_t *held[HELD];
    for (uint32_t i = 0; i < HELD; i++) {
        held[i] = io_egress_take(rig.io);
        rig_fill(held[i], 800, 5000 + i);
        ck_assert_uint_eq((uintptr_t)held[i] % 64, 0);
    }
    uint32_t sent = 0;
    for (; sent < ROUNDS * IO_EGRESS_N / 4; sent++)
        rig_send(&rig, socket, &there, 300, sent);
    uint8_t *spare = io_egress_take(rig.io);
    io_egress_untake(rig.io, spare);
    ck_assert_ptr_eq(io_egress_take(rig.io), spare);
    io_egress_untake(rig.io, spare);
    io_send_run(rig.io, socket, &there, NULL, held, HELD, 800, 800, 0);
    io_flush(rig.io);
    uint8_t data[RIG_PEER_BYTES_MAX];
    for (uint32_t i = 0; i < sent; i++) {
        ck_assert_int_eq(rig_peer_receive(peer, data, NULL), 300);
        ck_assert(rig_check(data, 300, i));
    }
    for (uint32_t i = 0; i < HELD; i++) {
        ck_assert_int_eq(rig_peer_receive(peer, data, NULL), 800);
        ck_assert(rig_check(data, 800, 5000 + i));
    }
    ck_assert_uint_ge(io_counters(rig.io)->egress_full, 1);
    close(peer);
    rig_close(&rig);
}

END_TEST

START_TEST(waits_end_at_their_time)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    rig_drain(&rig, 0);
    for (int i = 0; i < 3; i++) {
        int64_t until_us = clock_now_us() + 100 + i * 4000;
        ck_assert_int_eq(io_wait(rig.io, until_us), 0);
        ck_assert_int_ge(clock_now_us(), until_us);
    }
    ck_assert_int_eq(io_wait(rig.io, clock_now_us() - 5), 0);
    ck_assert_int_eq(io_poll(rig.io), 0);
    struct io_event event;
    ck_assert(!io_next(rig.io, &event));
    ck_assert_uint_eq(io_counters(rig.io)->waits, 5);
    rig_close(&rig);
}

END_TEST

/* Own completions do not satisfy a wait: neither of sends that worked nor of those that failed. */
START_TEST(sends_do_not_end_a_wait)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    for (uint32_t i = 0; i < 40; i++)
        rig_send(&rig, socket, &there, 100, i);
    io_test_fail_sends(rig.io, EAGAIN, 2, 35, false);
    int64_t until_us = clock_now_us() + 20000;
    ck_assert_int_eq(io_wait(rig.io, until_us), 0);
    ck_assert_int_ge(clock_now_us(), until_us);
    rig_drain(&rig, 0);
    ck_assert_uint_eq(rig.failed_n, 35);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* What came while a fan-out ran is picked up by a poll, and undrained events end a wait at once. */
START_TEST(polls_pick_up_what_has_come)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    ck_assert_int_eq(io_poll(rig.io), 0);
    for (int i = 0; i < 3; i++)
        rig_peer_send(peer, &here, "abc", 3);
    ck_assert_int_eq(io_poll(rig.io), 0);
    struct io_event event;
    ck_assert(io_next(rig.io, &event));
    slab_release(&rig.slab, event.slot);
    rig_peer_send(peer, &here, "abc", 3);
    ck_assert_int_eq(io_wait(rig.io, INT64_MAX), 0); /* two are left: it does not wait */
    int n = 1;
    for (; io_next(rig.io, &event); n++)
        slab_release(&rig.slab, event.slot);
    ck_assert_int_eq(n, 4);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* Flooded beyond what may stand, polled without being drained: the queue is bounded, nothing is
 * lost. */
START_TEST(undrained_events_are_bounded)
{
    enum { N = 400 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i),
             &(struct rig_config){.slots_n = 1024, .sockets_max = 2, .standing_max = 64});
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    for (int i = 0; i < N; i++)
        rig_peer_send(peer, &here, "x", 1);
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(io_poll(rig.io), 0);
    ck_assert_uint_le(rig.slab.kernel_n, 64 + 64);
    rig_drain_until(&rig, N);
    ck_assert_uint_eq(rig.datagrams_n, N);
    close(peer);
    rig_close(&rig);
}

END_TEST

static void *wakes(void *arg)
{
    struct io *io = arg;
    usleep(20000);
    io_wake(io);
    return NULL;
}

START_TEST(another_thread_wakes_a_wait)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    for (uint32_t i = 1; i <= 3; i++) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, wakes, rig.io), 0);
        rig_drain(&rig, RIG_DEADLINE_US);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(rig.woken_n, i);
    }
    io_wake(rig.io); /* many at once are one */
    io_wake(rig.io);
    rig_drain(&rig, RIG_DEADLINE_US);
    ck_assert_uint_eq(rig.woken_n, 4);
    rig_drain(&rig, 1000);
    ck_assert_uint_eq(rig.woken_n, 4);
    ck_assert_uint_eq(io_counters(rig.io)->wakes, 4);
    rig_close(&rig);
}

END_TEST

struct handover {
    struct rig *rig;
    atomic_uint posted;
    uint32_t seen;
};

static void *worker(void *arg)
{
    enum { WANTED = 2000 };
    struct handover *handover = arg;
    while (handover->seen < WANTED) {
        rig_drain(handover->rig, RIG_DEADLINE_US);
        handover->seen = atomic_load(&handover->posted);
    }
    return NULL;
}

/* Made here, used by another thread, ended here; and no wake-up between the two is lost. */
START_TEST(a_thread_takes_over_and_misses_no_wake)
{
    enum { N = 2000 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    struct handover handover = {.rig = &rig};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, worker, &handover), 0);
    int64_t began_us = clock_now_us();
    for (int i = 0; i < N; i++) {
        atomic_fetch_add(&handover.posted, 1);
        io_wake(rig.io);
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(handover.seen, N);
    ck_assert_int_lt(clock_now_us() - began_us, RIG_DEADLINE_US); /* a lost one waits that long */
    rig_close(&rig);
}

END_TEST

/* The port is free again soon after, its datagrams are left out, the index is given again. */
START_TEST(closed_sockets_are_gone)
{
    enum { ROUNDS = 300 }; /* more than indices, so that they come again */
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there, again;
    int peer = rig_peer("127.0.0.1", &there);
    for (int round = 0; round < ROUNDS; round++) {
        uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
        ck_assert_uint_lt(socket, 8);
        if (round % 3)
            ck_assert_int_eq(io_poll(rig.io), 0);
        for (int i = 0; i < 5; i++)
            rig_peer_send(peer, &here, "late", 4);
        if (round % 2)
            ck_assert_int_eq(io_poll(rig.io), 0);
        rig_send(&rig, socket, &there, 40, (uint32_t)round);
        io_close_socket(rig.io, socket);
        int fd = -1;
        for (int i = 0; i < 1000 && fd < 0; i++) {
            rig_drain(&rig, 0);
            fd = rig_bind("127.0.0.1", addr_port(&here), &again);
            if (fd < 0)
                usleep(100);
        }
        ck_assert_int_ge(fd, 0);
        close(fd);
        uint8_t data[RIG_PEER_BYTES_MAX];
        ck_assert_int_eq(rig_peer_receive(peer, data, NULL), 40);
        ck_assert(rig_check(data, 40, (uint32_t)round));
    }
    ck_assert_uint_eq(rig.datagrams_n, 0);
    ck_assert_uint_eq(io_counters(rig.io)->datagrams, 0);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* What was received or failed on a socket is never told of the next one with its index. */
START_TEST(an_index_used_again_inherits_nothing)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    int peer = rig_peer("127.0.0.1", &there);
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    ck_assert_int_eq(io_poll(rig.io), 0);
    rig_peer_send(peer, &here, "old", 3);
    rig_send(&rig, socket, &there, 10, 1);
    io_test_fail_sends(rig.io, EAGAIN, 0, 1, false);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(io_poll(rig.io), 0);
    io_close_socket(rig.io, socket);
    ck_assert_int_eq(io_poll(rig.io), 0);
    uint16_t again = socket;
    struct addr now;
    do { /* the old one comes again as soon as the kernel is done with it */
        again = rig_socket(&rig, "127.0.0.1", &now);
        ck_assert_int_eq(io_poll(rig.io), 0);
    } while (again != socket);
    rig_drain(&rig, 0);
    ck_assert_uint_eq(rig.datagrams_n, 0);
    ck_assert_uint_eq(rig.failed_n, 0);
    ck_assert_uint_eq(io_counters(rig.io)->send_again, 1);
    rig_peer_send(peer, &now, "new", 3);
    rig_drain_until(&rig, 1);
    ck_assert_uint_eq(rig.datagrams_n, 1);
    close(peer);
    rig_close(&rig);
}

END_TEST

enum { FRAMES = 60, FRAME_PACKETS = 7, FRAME_GAP_US = 2000, SINGLES = 300 };

struct sender {
    int peer;
    const struct addr *to;
};

static void *sends_frames(void *arg)
{
    const struct sender *sender = arg;
    for (uint8_t frame = 0; frame < FRAMES; frame++) {
        usleep(FRAME_GAP_US);
        for (int i = 0; i < FRAME_PACKETS; i++)
            (void)sendto(sender->peer, &frame, 1, 0, &sender->to->sa, addr_len(sender->to));
    }
    return NULL;
}

/* The first datagram of a frame wakes a sleeping worker; it lingers, so that the frame is one
 * batch. */
START_TEST(a_frame_after_a_sleep_is_one_batch)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    struct sender sender = {.peer = rig_peer("127.0.0.1", &there), .to = &here};
    rig_drain(&rig, 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, sends_frames, &sender), 0);
    uint32_t whole_n = 0;
    int64_t until_us = clock_now_us() + RIG_DEADLINE_US;
    while (rig.datagrams_n < FRAMES * FRAME_PACKETS && clock_now_us() < until_us) {
        uint32_t before = rig.datagrams_n;
        rig_drain(&rig, 1000000);
        whole_n += rig.datagrams_n - before == FRAME_PACKETS;
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(rig.datagrams_n, FRAMES * FRAME_PACKETS);
    ck_assert_uint_ge(whole_n, FRAMES / 2); /* the sender may be put off within a frame */
    close(sender.peer);
    rig_close(&rig);
}

END_TEST

static void *sends_singles(void *arg)
{
    const struct sender *sender = arg;
    for (int i = 0; i < SINGLES; i++) {
        usleep(FRAME_GAP_US);
        (void)sendto(sender->peer, "1", 1, 0, &sender->to->sa, addr_len(sender->to));
    }
    return sends_frames(arg);
}

/* Datagrams that nothing follows are soon not lingered for; frames that come then are whole again
 * after the first ones. A prompt engine never lingers. */
START_TEST(what_is_always_alone_is_not_lingered_for)
{
    struct rig rig;
    struct rig_config config = rig_usual;
    config.prompt = _i >= 2;
    rig_open(&rig, rig_engine(_i % 2), &config);
    struct addr here, there;
    (void)rig_socket(&rig, "127.0.0.1", &here);
    struct sender sender = {.peer = rig_peer("127.0.0.1", &there), .to = &here};
    rig_drain(&rig, 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, sends_singles, &sender), 0);
    uint32_t whole_n = 0, all_n = SINGLES + FRAMES * FRAME_PACKETS;
    uint64_t lingers = 0;
    int64_t until_us = clock_now_us() + RIG_DEADLINE_US;
    while (rig.datagrams_n < all_n && clock_now_us() < until_us) {
        uint32_t before = rig.datagrams_n;
        rig_drain(&rig, 1000000);
        if (rig.datagrams_n <= SINGLES)
            lingers = io_counters(rig.io)->lingers;
        whole_n += rig.datagrams_n - before == FRAME_PACKETS;
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(rig.datagrams_n, all_n);
    ck_assert_uint_le(lingers, SINGLES / 2);
    ck_assert(config.prompt ? io_counters(rig.io)->lingers == 0
                            : lingers >= 1 && whole_n >= FRAMES / 2);
    close(sender.peer);
    rig_close(&rig);
}

END_TEST

START_TEST(exit_gives_ports_and_slots_back)
{
    struct rig rig;
    struct addr here, there, again;
    int peer = rig_peer("127.0.0.1", &there);
    rig_open(&rig, rig_engine(_i), &rig_usual);
    (void)rig_socket(&rig, "127.0.0.1", &here);
    ck_assert_int_eq(io_poll(rig.io), 0);
    for (int i = 0; i < 20; i++)
        rig_peer_send(peer, &here, "late", 4);
    ck_assert_int_eq(io_poll(rig.io), 0); /* received, never told */
    rig_close(&rig);
    int fd = -1;
    for (int i = 0; i < 1000 && fd < 0; i++) {
        fd = rig_bind("127.0.0.1", addr_port(&here), &again);
        if (fd < 0)
            usleep(1000);
    }
    ck_assert_int_ge(fd, 0);
    close(fd);
    close(peer);
}

END_TEST

/* One stock of slots for all; with few of them most sockets find none at first. */
START_TEST(a_thousand_sockets)
{
    enum { N = 1100 };
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < N + 100)
        SKIP("the limit of open files is too low");
    struct rig rig;
    rig_open(&rig, rig_engine(_i),
             &(struct rig_config){.slots_n = 512, .sockets_max = N, .standing_max = 64});
    static struct addr here[N];
    static uint16_t sockets[N];
    struct addr there;
    int peer = rig_peer("127.0.0.1", &there);
    for (int i = 0; i < N; i++)
        sockets[i] = rig_socket(&rig, "127.0.0.1", &here[i]);
    struct addr more;
    int fd = rig_bind("127.0.0.1", 0, &more);
    ck_assert_int_eq(io_open_socket(rig.io, fd), -ENOSPC);
    close(fd);
    ck_assert_int_eq(io_poll(rig.io), 0);

    for (int round = 0; round < 3; round++)
        for (int i = 0; i < N; i++)
            rig_peer_send(peer, &here[i], "abcd", 4);
    rig_drain_until(&rig, 3 * N);
    ck_assert_uint_eq(rig.datagrams_n, 3 * N);
    ck_assert_uint_le(rig.slab.kernel_n, 64);

    uint8_t data[RIG_PEER_BYTES_MAX];
    struct addr from;
    for (int i = 0; i < N; i++) {
        rig_send(&rig, sockets[i], &there, 64, (uint32_t)i);
        if (i % 100 != 99)
            continue;
        io_flush(rig.io);
        for (int k = i - 99; k <= i; k++) {
            ck_assert_int_eq(rig_peer_receive(peer, data, &from), 64);
            ck_assert(addr_equal(&from, &here[k]));
        }
    }
    for (int i = 0; i < N; i++)
        io_close_socket(rig.io, sockets[i]);
    rig_drain(&rig, 1000);
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &more);
    ck_assert_uint_lt(socket, N);
    close(peer);
    rig_close(&rig);
}

END_TEST

/* One call submits, waits and reaps: a system call is shared by what a batch brings and sends. */
START_TEST(system_calls_are_shared)
{
    enum { SENDS = 200, DATAGRAMS = 64, WAITS = 20 };
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    struct addr here, there;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    rig_drain(&rig, 0);
    uint64_t before = io_counters(rig.io)->syscalls;
    uint64_t in_before = io_counters(rig.io)->datagrams;
    for (int wait = 0; wait < WAITS; wait++) {
        for (int i = 0; i < DATAGRAMS; i++)
            rig_peer_send(peer, &here, "0123456789", 10);
        for (uint32_t i = 0; i < SENDS; i++)
            rig_send(&rig, socket, &there, 10, i);
        rig_drain(&rig, 1000);
        uint8_t data[RIG_PEER_BYTES_MAX];
        for (int i = 0; i < SENDS; i++)
            ck_assert_int_eq(rig_peer_receive(peer, data, NULL), 10);
    }
    uint64_t calls = io_counters(rig.io)->syscalls - before;
    ck_assert_uint_eq(io_counters(rig.io)->datagrams - in_before, WAITS * DATAGRAMS);
    ck_assert_uint_le(calls, (rig.engine == IO_ENGINE_URING ? 3 : 12) * WAITS);
    close(peer);
    rig_close(&rig);
}

END_TEST

START_TEST(configurations_are_checked)
{
    static const struct io_config rows[] = {
        {.sockets_max = 0, .standing_max = 64},
        {.sockets_max = IO_SOCKETS_MAX + 1, .standing_max = 64},
        {.sockets_max = 1, .standing_max = 1},
        {.sockets_max = 1, .standing_max = 63},
        {.sockets_max = 1, .standing_max = 96},
        {.sockets_max = 1, .standing_max = 65536},
        {.sockets_max = 1, .standing_max = 64, .watches_max = IO_WATCHES_MAX + 1},
    };
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, 128, 0, false), 0);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct io *io = NULL;
        ck_assert_int_eq(io_init(&io, &rows[i], &slab), -EINVAL);
    }
    slab_exit(&slab);
}

END_TEST

/* A slab of a few slots: receiving crawls, and neither loses nor hangs. */
START_TEST(a_handful_of_slots_is_enough)
{
    enum { N = 300 };
    struct rig rig;
    for (uint32_t standing = 2; standing <= 32; standing *= 4) {
        rig_open(&rig, rig_engine(_i),
                 &(struct rig_config){.slots_n = 40, .sockets_max = 2, .standing_max = standing});
        struct addr here, there;
        (void)rig_socket(&rig, "127.0.0.1", &here);
        int peer = rig_peer("127.0.0.1", &there);
        for (int i = 0; i < N; i++)
            rig_peer_send(peer, &here, "few", 3);
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(io_poll(rig.io), 0);
        ck_assert_uint_le(rig.slab.kernel_n, 2 * standing);
        rig_drain_until(&rig, N);
        ck_assert_uint_eq(rig.datagrams_n, N);
        close(peer);
        rig_close(&rig);
    }
}

END_TEST

START_TEST(other_files_are_refused)
{
    struct rig rig;
    rig_open(&rig, rig_engine(_i), &rig_usual);
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(io_open_socket(rig.io, tcp), -EPROTOTYPE);
    close(tcp);
    int local = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(io_open_socket(rig.io, local), -EAFNOSUPPORT);
    close(local);
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(io_open_socket(rig.io, ends[0]), -ENOTSOCK);
    close(ends[0]);
    close(ends[1]);
    rig_exchange(&rig);
    rig_close(&rig);
}

END_TEST

Suite *core_io_suite(void);

Suite *core_io_suite(void)
{
    Suite *suite = suite_create("core/io");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 60);
    loop_test(tcase, datagrams_arrive_once_in_order);
    loop_test(tcase, sends_arrive_once_in_order);
    loop_test(tcase, runs_arrive_as_datagrams);
    loop_test(tcase, replies_leave_from_the_address_that_was_hit);
    loop_test(tcase, connected_sockets_need_no_address);
    loop_test(tcase, taken_buffers_survive_a_full_arena);
    loop_test(tcase, waits_end_at_their_time);
    loop_test(tcase, sends_do_not_end_a_wait);
    loop_test(tcase, polls_pick_up_what_has_come);
    loop_test(tcase, undrained_events_are_bounded);
    loop_test(tcase, another_thread_wakes_a_wait);
    loop_test(tcase, a_thread_takes_over_and_misses_no_wake);
    loop_test(tcase, closed_sockets_are_gone);
    loop_test(tcase, an_index_used_again_inherits_nothing);
    loop_test(tcase, a_frame_after_a_sleep_is_one_batch);
    tcase_add_loop_test(tcase, what_is_always_alone_is_not_lingered_for, 0, 4);
    loop_test(tcase, exit_gives_ports_and_slots_back);
    loop_test(tcase, a_thousand_sockets);
    loop_test(tcase, system_calls_are_shared);
    loop_test(tcase, a_handful_of_slots_is_enough);
    loop_test(tcase, other_files_are_refused);
    tcase_add_test(tcase, configurations_are_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}
