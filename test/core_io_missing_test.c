/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_io_missing_test.c - kernels, containers and users that lack something: what runs then,
 * and what is said. */
#include "test/core_io_rig.h"

#include "core/clock.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* Each feature missing by force: something runs, says so with a remedy, and relays. */
START_TEST(every_feature_can_be_missing)
{
    uint32_t bit = 1u << (_i / 2);
    bool is_auto = _i % 2 == 0;
    enum io_feature feature = (enum io_feature)bit;
    const uint32_t forces_mmsg = IO_FEATURE_URING | IO_FEATURE_MULTISHOT | IO_FEATURE_BUFFER_RING;
    const uint32_t of_sockets = IO_FEATURE_UDP_SEGMENT | IO_FEATURE_TIMESTAMP |
                                IO_FEATURE_RXQ_OVFL | IO_FEATURE_RCVBUF_FORCE;
    ck_assert_uint_gt(strlen(io_feature_name(feature)), 3);
    ck_assert_uint_gt(strlen(io_feature_remedy(feature)), 20);
    struct rig rig;
    struct rig_config config = rig_usual;
    config.without = bit;
    rig_open(&rig, is_auto ? IO_ENGINE_AUTO : IO_ENGINE_MMSG, &config);
    if (is_auto) {
        bool is_mmsg = io_engine_of(rig.io) == IO_ENGINE_MMSG;
        ck_assert_int_eq(is_mmsg, (bit & forces_mmsg) != 0);
        ck_assert(io_missing(rig.io) & bit);
    } else {
        ck_assert_int_eq((io_missing(rig.io) & bit) != 0, (bit & of_sockets) != 0);
    }
    for (int i = 0; i < 3; i++)
        rig_exchange(&rig);
    if (bit == IO_FEATURE_UDP_SEGMENT)
        ck_assert_uint_eq(io_counters(rig.io)->runs, 0);
    struct addr here, there;
    uint16_t socket = rig_socket(&rig, "127.0.0.1", &here);
    int peer = rig_peer("127.0.0.1", &there);
    for (int i = 0; i < 100; i++)
        rig_peer_send(peer, &here, "many", 4);
    rig_drain_until(&rig, 103);
    ck_assert_uint_eq(rig.datagrams_n, 103);
    for (uint32_t i = 0; i < 300; i++) /* own completions must not end the wait */
        rig_send(&rig, socket, &there, 20, i);
    int64_t until_us = clock_now_us() + 5000;
    ck_assert_int_eq(io_wait(rig.io, until_us), 0);
    ck_assert_int_ge(clock_now_us(), until_us);
    io_wake(rig.io);
    rig_drain(&rig, RIG_DEADLINE_US);
    ck_assert_uint_eq(rig.woken_n, 1);
    ck_assert_uint_eq(io_counters(rig.io)->packets_out, 3 * 6 + 300);
    close(peer);
    rig_close(&rig);
}

END_TEST

START_TEST(a_chosen_engine_does_not_fall_back)
{
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, 128, 0, false), 0);
    int before = dup(0);
    close(before);
    struct io *io = NULL;
    for (uint32_t bit = 1; bit <= IO_FEATURE_BUFFER_RING; bit <<= 1) {
        struct io_config config = {
            .engine = IO_ENGINE_URING, .without = bit, .sockets_max = 4, .standing_max = 64};
        int failed = io_init(&io, &config, &slab);
        if (bit == IO_FEATURE_MIN_WAIT) {
            ck_assert_int_eq(failed, 0);
            io_exit(io);
        } else {
            ck_assert_int_lt(failed, 0);
        }
    }
    int after = dup(0); /* no descriptor was left behind */
    close(after);
    ck_assert_int_eq(after, before);
    slab_exit(&slab);
}

END_TEST

/* Both ways through an engine in a child process, where libcheck's own way out does not work. */
static void child_relays(struct slab *slab, struct io *io)
{
    struct addr here, there;
    int fd = rig_bind("127.0.0.1", 0, &here);
    int peer = rig_bind("127.0.0.1", 0, &there);
    CHILD_CHECK(fd >= 0 && peer >= 0);
    int index = io_open_socket(io, fd);
    CHILD_CHECK(index >= 0);
    CHILD_CHECK(sendto(peer, "hello", 5, 0, &here.sa, addr_len(&here)) == 5);
    struct io_event event = {0};
    CHILD_CHECK(io_wait(io, clock_now_us() + 1000000) == 0);
    CHILD_CHECK(io_next(io, &event) && event.kind == IO_DATAGRAM && event.bytes == 5);
    uint8_t *buffer = io_egress_take(io);
    memcpy(buffer, slab_packet(slab, event.slot), 5);
    slab_release(slab, event.slot);
    io_send(io, (uint16_t)index, &event.remote, &event.local, buffer, 5, 0);
    io_flush(io);
    char data[8];
    CHILD_CHECK(recv(peer, data, sizeof(data), 0) == 5 && memcmp(data, "hello", 5) == 0);
    close(peer);
}

static void child_run(enum io_engine engine, uint32_t standing_max, enum io_engine wanted,
                      uint32_t missing)
{
    struct slab slab;
    struct io *io = NULL;
    struct io_config config = {.engine = engine, .sockets_max = 16, .standing_max = standing_max};
    CHILD_CHECK(slab_init(&slab, 1024, 0, false) == 0);
    CHILD_CHECK(io_init(&io, &config, &slab) == 0);
    CHILD_CHECK(io_engine_of(io) == wanted);
    CHILD_CHECK((io_missing(io) & missing) == missing);
    child_relays(&slab, io);
    io_exit(io);
    CHILD_CHECK(slab.free_n == slab.slots_n);
    slab_exit(&slab);
}

/* As an unprivileged user: with `row` pages of locked memory, from plenty to none. */
static void child_unprivileged(int row)
{
    static const rlim_t limits[] = {8 << 20, 512 << 10, 128 << 10, 0};
    struct rlimit limit = {.rlim_cur = limits[row], .rlim_max = limits[row]};
    CHILD_CHECK(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    if (getuid() == 0)
        CHILD_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    struct slab slab;
    struct io *io = NULL;
    struct io_config config = {.sockets_max = 16, .standing_max = 32768};
    CHILD_CHECK(slab_init(&slab, 1024, 0, false) == 0);
    CHILD_CHECK(io_init(&io, &config, &slab) == 0);
    bool is_short = (io_missing(io) & IO_FEATURE_MEMLOCK) != 0;
    if (row == 0)
        CHILD_CHECK(!is_short && io_engine_of(io) == IO_ENGINE_URING);
    if (row == 3)
        CHILD_CHECK(is_short);
    child_relays(&slab, io);
    io_exit(io);
    slab_exit(&slab);
}

START_TEST(an_unprivileged_user_can_run_it)
{
    ck_assert_int_eq(rig_child(child_unprivileged, _i), 0);
}

END_TEST

/* What container runtimes do: io_uring_setup is refused. */
static void child_in_container(int row)
{
    static const unsigned answers[] = {EPERM, ENOSYS};
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answers[row]),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = ARRAY_N(code), .filter = code};
    CHILD_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(RIG_CHILD_SKIPS);
    struct slab slab;
    struct io *io = NULL;
    struct io_config config = {.engine = IO_ENGINE_URING, .sockets_max = 1, .standing_max = 64};
    CHILD_CHECK(slab_init(&slab, 128, 0, false) == 0);
    CHILD_CHECK(io_init(&io, &config, &slab) == -(int)answers[row]);
    slab_exit(&slab);
    child_run(IO_ENGINE_AUTO, 256, IO_ENGINE_MMSG, IO_FEATURE_URING);
}

START_TEST(where_io_uring_is_forbidden_mmsg_runs)
{
    int result = rig_child(child_in_container, _i);
    if (result == RIG_CHILD_SKIPS)
        SKIP("no seccomp filters");
    ck_assert_int_eq(result, 0);
}

END_TEST

Suite *core_io_missing_suite(void);

Suite *core_io_missing_suite(void)
{
    Suite *suite = suite_create("core/io missing");
    TCase *tcase = tcase_create("missing");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, every_feature_can_be_missing, 0, 2 * IO_FEATURES_N);
    tcase_add_test(tcase, a_chosen_engine_does_not_fall_back);
    tcase_add_loop_test(tcase, an_unprivileged_user_can_run_it, 0, 4);
    tcase_add_loop_test(tcase, where_io_uring_is_forbidden_mmsg_runs, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
