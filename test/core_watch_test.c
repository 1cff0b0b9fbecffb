/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_watch_test.c - descriptors watched beside the sockets, by both engines of core/io.h. */
#include "test/core_io_rig.h"

#include "core/clock.h"
#include "core/io_test_hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

enum { ROWS_N = 4, SHORT_US = 20000 };

static const struct rig_config watching = {
    .slots_n = 256, .sockets_max = 4, .standing_max = 64, .watches_max = 8};

/* Both engines, and a ring that has less: its completions come at other times. */
static void watch_open(struct rig *rig, int row, const struct rig_config *config)
{
    static const uint32_t without[ROWS_N] = {
        0, 0, IO_FEATURE_DEFER_TASKRUN | IO_FEATURE_SKIP_SUCCESS, IO_FEATURE_MIN_WAIT};
    struct rig_config less = *config;
    less.without = without[row];
    rig_open(rig, rig_engine(row == 1), &less);
}

static void pipe_make(int ends[2])
{
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static void pair_make(int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void byte_put(int fd)
{
    ck_assert_int_eq(write(fd, "x", 1), 1);
}

static void ends_close(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* Waits until an IO_READY of `tag` has come; what else comes is passed over. False: none came. */
static bool wait_ready(struct rig *rig, uint32_t tag, struct io_event *event, int64_t wait_us)
{
    int64_t until_us = clock_now_us() + wait_us;
    do {
        ck_assert_int_eq(io_wait(rig->io, until_us), 0);
        while (io_next(rig->io, event)) {
            if (event->kind == IO_DATAGRAM)
                slab_release(&rig->slab, event->slot);
            if (event->kind == IO_READY && event->tag == tag)
                return true;
        }
    } while (clock_now_us() < until_us);
    return false;
}

/* An edge is told once, however long nobody reads, and ends the wait. */
START_TEST(an_edge_is_told_once)
{
    struct rig rig;
    struct io_event event;
    int ends[2];
    watch_open(&rig, _i, &watching);
    pipe_make(ends);
    int watch = io_watch(rig.io, ends[0], 77, false);
    ck_assert_int_ge(watch, 0);
    ck_assert(!wait_ready(&rig, 77, &event, SHORT_US));
    for (int i = 0; i < 3; i++) {
        byte_put(ends[1]);
        int64_t began_us = clock_now_us();
        ck_assert(wait_ready(&rig, 77, &event, RIG_DEADLINE_US));
        ck_assert_int_lt(clock_now_us() - began_us, RIG_DEADLINE_US / 2);
        ck_assert_int_eq(event.socket, watch);
        ck_assert(event.readable);
        ck_assert(!event.writable);
        ck_assert(!event.hup);
        ck_assert_int_eq(event.error, 0);
        ck_assert(!wait_ready(&rig, 77, &event, SHORT_US));
    }
    ck_assert_uint_eq(io_counters(rig.io)->readies, 3);
    io_unwatch(rig.io, (uint16_t)watch);
    ends_close(ends);
    rig_close(&rig);
}

END_TEST

/* What was there before the watch is told, too. */
START_TEST(what_is_there_already_is_told)
{
    struct rig rig;
    struct io_event event;
    int ends[2];
    watch_open(&rig, _i, &watching);
    pipe_make(ends);
    byte_put(ends[1]);
    ck_assert_int_ge(io_watch(rig.io, ends[0], 1, false), 0);
    ck_assert(wait_ready(&rig, 1, &event, RIG_DEADLINE_US));
    ck_assert(event.readable);
    rig_close(&rig); /* with the watch: the fd stays ours */
    char byte;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ends_close(ends);
}

END_TEST

START_TEST(room_to_write_is_told_to_who_asked)
{
    struct rig rig;
    struct io_event event;
    int ends[2];
    static char block[65536];
    watch_open(&rig, _i, &watching);
    pair_make(ends);
    ck_assert_int_ge(io_watch(rig.io, ends[0], 1, true), 0);
    ck_assert_int_ge(io_watch(rig.io, ends[1], 2, false), 0);
    ck_assert(wait_ready(&rig, 1, &event, RIG_DEADLINE_US));
    ck_assert(event.writable);
    ck_assert(!event.readable);
    while (write(ends[0], block, sizeof(block)) > 0)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert(wait_ready(&rig, 2, &event, RIG_DEADLINE_US));
    ck_assert(event.readable);
    ck_assert(!event.writable);
    ck_assert(!wait_ready(&rig, 1, &event, SHORT_US));
    while (read(ends[1], block, sizeof(block)) > 0)
        ;
    ck_assert(wait_ready(&rig, 1, &event, RIG_DEADLINE_US));
    ck_assert(event.writable);
    rig_close(&rig);
    ends_close(ends);
}

END_TEST

START_TEST(an_ended_peer_is_told)
{
    struct rig rig;
    struct io_event event;
    int half[2], whole[2];
    watch_open(&rig, _i, &watching);
    pair_make(half);
    pair_make(whole);
    ck_assert_int_ge(io_watch(rig.io, half[0], 1, false), 0);
    ck_assert_int_ge(io_watch(rig.io, whole[0], 2, true), 0);
    ck_assert(wait_ready(&rig, 2, &event, RIG_DEADLINE_US)); /* writable */
    shutdown(half[1], SHUT_WR);
    ck_assert(wait_ready(&rig, 1, &event, RIG_DEADLINE_US));
    ck_assert(event.hup);
    ck_assert(event.readable);
    close(whole[1]);
    ck_assert(wait_ready(&rig, 2, &event, RIG_DEADLINE_US));
    ck_assert(event.hup);
    ck_assert(event.readable);
    rig_close(&rig);
    ends_close(half);
    close(whole[0]);
}

END_TEST

/* Also an event that io_next() had still to give is gone, and the index serves another. */
START_TEST(an_ended_watch_is_silent)
{
    struct rig rig;
    struct io_event event;
    int ends[2], other[2];
    watch_open(&rig, _i, &watching);
    for (int i = 0; i < 20; i++) {
        pipe_make(ends);
        pipe_make(other);
        int watch = io_watch(rig.io, ends[0], 1, false);
        ck_assert_int_ge(watch, 0);
        byte_put(ends[1]);
        ck_assert_int_eq(io_wait(rig.io, clock_now_us() + RIG_DEADLINE_US), 0);
        io_unwatch(rig.io, (uint16_t)watch);
        ends_close(ends);
        int second = io_watch(rig.io, other[0], 2, false);
        ck_assert_int_ge(second, 0);
        ck_assert(!io_next(rig.io, &event));
        byte_put(other[1]);
        ck_assert(wait_ready(&rig, 2, &event, RIG_DEADLINE_US));
        ck_assert_int_eq(event.socket, second);
        io_unwatch(rig.io, (uint16_t)second);
        ends_close(other);
    }
    ck_assert_uint_eq(io_counters(rig.io)->readies, 20);
    rig_close(&rig);
}

END_TEST

/* A watch that ends before the engine has seen it, also while the kernel takes no submissions: who
 * has the descriptor's number next is not watched. */
START_TEST(the_number_of_a_closed_descriptor_is_free)
{
    struct rig rig;
    struct io_event event;
    int ends[2], other[2];
    watch_open(&rig, _i, &watching);
    for (int jammed = 0; jammed < 2; jammed++) {
        pipe_make(ends);
        int watch = io_watch(rig.io, ends[0], 1, false);
        ck_assert_int_ge(watch, 0);
        if (jammed && rig.engine == IO_ENGINE_URING) {
            io_test_refuse_submits(rig.io, 100);
            ck_assert_int_eq(io_poll(rig.io), 0);
        }
        io_unwatch(rig.io, (uint16_t)watch);
        ends_close(ends);
        io_test_refuse_submits(rig.io, 0);
        pipe_make(other);
        ck_assert_int_eq(other[0], ends[0]);
        byte_put(other[1]);
        ck_assert(!wait_ready(&rig, 1, &event, SHORT_US));
        ends_close(other);
    }
    ck_assert_uint_eq(io_counters(rig.io)->readies, 0);
    rig_close(&rig);
}

END_TEST

START_TEST(a_full_table_is_said_and_ended_watches_make_room)
{
    struct rig rig;
    struct io_event event;
    int ends[2], watches[8];
    watch_open(&rig, _i, &watching);
    pipe_make(ends);
    for (int round = 0; round < 200; round++) { /* no wait between them */
        int copies[8];
        for (int i = 0; i < 8; i++) {
            copies[i] = dup(ends[0]);
            watches[i] = io_watch(rig.io, copies[i], (uint32_t)i, false);
            ck_assert_int_ge(watches[i], 0);
        }
        ck_assert_int_eq(io_watch(rig.io, ends[0], 9, false), -ENOSPC);
        if (round % 10 == 0)
            ck_assert_int_eq(io_poll(rig.io), 0);
        for (int i = 0; i < 8; i++) {
            io_unwatch(rig.io, (uint16_t)watches[i]);
            close(copies[i]);
        }
    }
    ck_assert_int_ge(io_watch(rig.io, ends[0], 3, false), 0);
    byte_put(ends[1]);
    ck_assert(wait_ready(&rig, 3, &event, RIG_DEADLINE_US));
    rig_close(&rig);
    ends_close(ends);
    watch_open(&rig, _i, &rig_usual);
    ck_assert_int_eq(io_watch(rig.io, 0, 0, false), -ENOSPC);
    rig_close(&rig);
}

END_TEST

START_TEST(hundreds_are_told_once_each)
{
    enum { N = 400 };

    static int ends[N][2];
    static bool told[N];
    struct rig rig;
    struct io_event event;
    struct rig_config config = watching;
    config.watches_max = N;
    watch_open(&rig, _i, &config);
    for (uint32_t i = 0; i < N; i++) {
        pipe_make(ends[i]);
        ck_assert_int_ge(io_watch(rig.io, ends[i][0], i, false), 0);
        told[i] = false;
    }
    ck_assert_int_eq(io_poll(rig.io), 0);
    for (int i = 0; i < N; i++) {
        byte_put(ends[i][1]);
        byte_put(ends[i][1]);
    }
    uint32_t n = 0;
    for (int64_t until_us = clock_now_us() + RIG_DEADLINE_US; n < N && clock_now_us() < until_us;) {
        ck_assert_int_eq(io_wait(rig.io, clock_now_us() + SHORT_US), 0);
        for (; io_next(rig.io, &event); n++) {
            ck_assert_int_eq(event.kind, IO_READY);
            ck_assert_uint_lt(event.tag, N);
            ck_assert(!told[event.tag]);
            told[event.tag] = true;
        }
    }
    ck_assert_uint_eq(n, N);
    rig_close(&rig);
    for (int i = 0; i < N; i++)
        ends_close(ends[i]);
}

END_TEST

/* Datagrams and readiness do not hold each other up. */
START_TEST(datagrams_come_beside_readiness)
{
    enum { N = 300 };
    struct rig rig;
    struct addr here, there;
    int ends[2];
    watch_open(&rig, _i, &watching);
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    pipe_make(ends);
    ck_assert_int_ge(io_watch(rig.io, ends[0], 1, false), 0);
    ck_assert_int_eq(io_poll(rig.io), 0);
    for (uint32_t i = 0; i < N; i++) {
        rig_peer_send(peer, &here, "datagram", 8);
        byte_put(ends[1]);
        rig_drain_until(&rig, i + 1);
        for (int tries = 0; rig.ready_n < i + 1 && tries < 100; tries++)
            rig_drain(&rig, SHORT_US);
        ck_assert_uint_eq(rig.datagrams_n, i + 1);
        ck_assert_uint_eq(rig.ready_n, i + 1);
    }
    rig_exchange(&rig);
    io_close_socket(rig.io, socket);
    close(peer);
    rig_close(&rig);
    ends_close(ends);
}

END_TEST

static void *put_later(void *argument)
{
    usleep(SHORT_US);
    byte_put(*(int *)argument);
    return NULL;
}

START_TEST(a_sleeping_wait_is_ended)
{
    struct rig rig;
    struct io_event event;
    pthread_t thread;
    int ends[2];
    watch_open(&rig, _i, &watching);
    pipe_make(ends);
    ck_assert_int_ge(io_watch(rig.io, ends[0], 5, false), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, put_later, &ends[1]), 0);
    int64_t began_us = clock_now_us();
    ck_assert(wait_ready(&rig, 5, &event, RIG_DEADLINE_US));
    ck_assert_int_lt(clock_now_us() - began_us, RIG_DEADLINE_US / 2);
    pthread_join(thread, NULL);
    rig_close(&rig);
    ends_close(ends);
}

END_TEST

/* A listening socket, and its port free again as soon as it is closed and the next turn has come.
 */
START_TEST(listeners_are_watched)
{
    struct rig rig;
    struct io_event event;
    struct addr local;
    watch_open(&rig, _i, &watching);
    ck_assert_int_eq(addr_parse(&local, "127.0.0.1", 0), 0);
    for (int round = 0; round < 3; round++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        socklen_t bytes = sizeof(local);
        ck_assert_int_eq(bind(fd, &local.sa, addr_len(&local)), 0);
        ck_assert_int_eq(listen(fd, 8), 0);
        ck_assert_int_eq(getsockname(fd, &local.sa, &bytes), 0);
        int watch = io_watch(rig.io, fd, 1, false);
        ck_assert_int_ge(watch, 0);
        int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct linger reset = {.l_onoff = 1};
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        ck_assert_int_eq(connect(peer, &local.sa, addr_len(&local)), 0);
        ck_assert(wait_ready(&rig, 1, &event, RIG_DEADLINE_US));
        ck_assert(event.readable);
        close(peer);
        io_unwatch(rig.io, (uint16_t)watch);
        close(fd);
        ck_assert_int_eq(io_poll(rig.io), 0);
    }
    rig_close(&rig);
}

END_TEST

Suite *core_watch_suite(void);

Suite *core_watch_suite(void)
{
    const TTest *const tests[] = {
        an_edge_is_told_once,
        what_is_there_already_is_told,
        room_to_write_is_told_to_who_asked,
        an_ended_peer_is_told,
        an_ended_watch_is_silent,
        the_number_of_a_closed_descriptor_is_free,
        a_full_table_is_said_and_ended_watches_make_room,
        hundreds_are_told_once_each,
        datagrams_come_beside_readiness,
        a_sleeping_wait_is_ended,
        listeners_are_watched,
    };
    Suite *suite = suite_create("core/watch");
    TCase *tcase = tcase_create("watch");
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < ARRAY_N(tests); i++)
        tcase_add_loop_test(tcase, tests[i], 0, ROWS_N);
    suite_add_tcase(suite, tcase);
    return suite;
}
