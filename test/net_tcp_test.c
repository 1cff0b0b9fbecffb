/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_tcp_test.c - framed packets over real connections, on both engines: the same rows, the
 * same results. */
#include "test/net_tcp_rig.h"

#include "core/clock.h"
#include "test/heap.h"
#include "test/must.h"

#include <errno.h>
#include <unistd.h>

static struct tcp_rig rig; /* its log is large */

static void reset(int peer)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(peer);
}

static const struct tcp_rig_config usual = {0};

/* ---- in ---- */

/* Many frames in one segment, and what comes with them. */
START_TEST(frames_of_one_segment_come_one_by_one)
{
    enum { N = 30 };

    uint8_t data[N * 50], *at = data;
    tcp_rig_open(&rig, _i, &usual);
    int peer = tcp_rig_connect(&rig.listening.local, 0);
    for (uint32_t i = 0; i < N; i++)
        at += tcp_rig_frame(at, 4 + i, i);
    tcp_rig_peer_send(peer, data, (size_t)(at - data));
    tcp_rig_frames(&rig, N);
    for (uint32_t i = 0; i < N; i++) {
        ck_assert_uint_eq(rig.log[i].number, i);
        ck_assert_uint_eq(rig.log[i].bytes, 4 + i);
        ck_assert_uint_eq(rig.log[i].owner, TCP_UNCLAIMED);
    }
    struct addr self;
    socklen_t bytes = sizeof(self);
    ck_assert_int_eq(getsockname(peer, &self.sa, &bytes), 0);
    ck_assert(addr_equal(&rig.last.datagram.remote, &self));
    ck_assert(addr_equal(&rig.last.datagram.local, &rig.listening.local));
    ck_assert_int_le(rig.last.datagram.arrived_us, clock_now_us());
    const struct tcp_counters *counters = tcp_counters(rig.tcp);
    ck_assert_uint_eq(counters->accepted, 1);
    ck_assert_uint_eq(counters->frames_in, N);
    ck_assert_uint_eq(counters->bytes_in, (uint64_t)(at - data));
    ck_assert_uint_eq(counters->read_buffers, 0); /* nothing is pending */
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

START_TEST(frames_come_byte_by_byte)
{
    uint8_t data[3 * 64], *at = data;
    tcp_rig_open(&rig, _i, &usual);
    int peer = tcp_rig_connect(&rig.listening.local, 0);
    for (uint32_t i = 0; i < 3; i++)
        at += tcp_rig_frame(at, 40 + i, i);
    for (const uint8_t *byte = data; byte < at; byte++) {
        uint64_t before = tcp_counters(rig.tcp)->bytes_in;
        tcp_rig_peer_send(peer, byte, 1);
        for (int i = 0; i < 1000 && tcp_counters(rig.tcp)->bytes_in == before; i++)
            tcp_rig_turn(&rig, 10000);
        uint32_t n = byte - data >= 42 + 43 + 44 - 1 ? 3
                     : byte - data >= 84             ? 2
                                                     : byte - data >= 41;
        MUST(rig.frames_n == n);
        bool is_between = byte - data == 41 || byte - data == 84 || byte - data == 128;
        MUST(tcp_counters(rig.tcp)->read_buffers == !is_between);
    }
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(rig.log[i].number, i);
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

/* Frames that are no use leave the stream in step. */
START_TEST(faulty_frames_are_passed_over)
{
    static uint8_t data[90000];
    uint8_t *at = data;
    tcp_rig_open(&rig, _i, &usual);
    int peer = tcp_rig_connect(&rig.listening.local, 0);
    static const size_t bytes[] = {10, 0, 1909, SLOT_PACKET_BYTES_MAX, 0, 65535, 4, 20};
    for (uint32_t i = 0; i < ARRAY_N(bytes); i++) {
        put_be16(at, (uint16_t)bytes[i]);
        at += bytes[i] == 0 ? 2 : tcp_rig_frame(at, bytes[i], i);
    }
    for (const uint8_t *from = data; from < at;) {
        size_t some = min_size(5000, (size_t)(at - from));
        tcp_rig_peer_send(peer, from, some);
        from += some;
        tcp_rig_turn(&rig, 1000);
    }
    tcp_rig_frames(&rig, 4);
    static const uint32_t numbers[] = {0, 3, 6, 7};
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(rig.log[i].number, numbers[i]);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->empty, 2);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->too_long, 2);
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

/* Without a slot reading stops, and goes on where it was. */
START_TEST(reading_waits_for_slots)
{
    enum { N = 300, SLOTS = 16 };

    static uint8_t data[N * 102];
    uint8_t *at = data;
    struct tcp_rig_config config = {.slots_n = SLOTS};
    tcp_rig_open(&rig, _i, &config);
    rig.holds = true;
    int peer = tcp_rig_connect(&rig.listening.local, 0);
    for (uint32_t i = 0; i < N; i++)
        at += tcp_rig_frame(at, 100, i);
    tcp_rig_peer_send(peer, data, (size_t)(at - data));
    uint32_t released = 0;
    for (int64_t until_us = clock_now_us() + TCP_RIG_WAIT_US;
         released < N && clock_now_us() < until_us;) {
        uint64_t waits = io_counters(rig.io)->waits;
        for (int64_t turn_us = clock_now_us() + 5000; clock_now_us() < turn_us;)
            tcp_rig_turn(&rig, 10000);
        ck_assert_uint_le(io_counters(rig.io)->waits - waits, 40); /* it does not spin */
        ck_assert_uint_le(rig.frames_n - released, SLOTS);
        for (; released < rig.frames_n; released++) {
            ck_assert_uint_eq(rig.log[released].number, released);
            slab_release(&rig.slab, rig.log[released].slot);
        }
    }
    ck_assert_uint_eq(released, N);
    ck_assert_uint_gt(tcp_counters(rig.tcp)->starved, 0);
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

/* Who floods gets its turn, and no more. */
START_TEST(connections_take_turns)
{
    enum { FRAME = 1000, N = 500 };

    static uint8_t data[N * (FRAME + 2)];
    uint8_t *at = data, one[64];
    tcp_rig_open(&rig, _i, &usual);
    int flooder = tcp_rig_connect(&rig.listening.local, 0);
    int other = tcp_rig_connect(&rig.listening.local, 0);
    tcp_rig_accepted(&rig, 2);
    for (uint32_t i = 0; i < N; i++)
        at += tcp_rig_frame(at, FRAME, i);
    ck_assert_int_gt(send(flooder, data, (size_t)(at - data), MSG_DONTWAIT), 100000);
    tcp_rig_peer_send(other, one, tcp_rig_frame(one, 20, 99999));
    usleep(2000);
    for (int i = 0; i < 100 && rig.frames_n < 50; i++)
        tcp_rig_turn(&rig, 10000);
    uint32_t found = 0;
    while (found < rig.frames_n && rig.log[found].number != 99999)
        found++;
    ck_assert_uint_le(found, 2 * 8192 / FRAME); /* behind two receives of the flooder at most */
    close(flooder);
    close(other);
    tcp_rig_close(&rig);
}

END_TEST

/* ---- out ---- */

START_TEST(packets_leave_framed_in_one_call)
{
    enum { N = 20 };

    int peer;
    uint8_t packet[2048];
    tcp_rig_open(&rig, _i, &usual);
    struct tcp_id id = tcp_rig_claimed(&rig, &peer, 0, 5);
    tcp_rig_turn(&rig, 1000);
    for (uint32_t round = 0; round < 3; round++) {
        uint64_t calls = tcp_counters(rig.tcp)->syscalls;
        for (uint32_t i = 0; i < N; i++) {
            tcp_rig_fill(packet, 4 + i * 70, i);
            ck_assert_int_eq(tcp_send(rig.tcp, id, packet, 4 + i * 70), DROP_NONE);
        }
        ck_assert_uint_gt(tcp_pending_bytes(rig.tcp, id), 0);
        tcp_flush(rig.tcp);
        ck_assert_uint_eq(tcp_counters(rig.tcp)->syscalls - calls, 1);
        ck_assert_uint_eq(tcp_pending_bytes(rig.tcp, id), 0);
        for (uint32_t i = 0; i < N; i++) {
            ck_assert_int_eq(tcp_rig_peer_frame(&rig, peer, packet, sizeof(packet)), 4 + i * 70);
            ck_assert_uint_eq(tcp_rig_check(packet, 4 + i * 70), i);
        }
    }
    ck_assert_uint_eq(tcp_counters(rig.tcp)->frames_out, 3 * N);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->pending_chunks, 0);
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

/* Sends until `refusals` frames were refused; the numbers taken go to `taken`, as many as that. */
static uint32_t send_until_full(struct tcp_id id, uint32_t number, uint32_t *taken,
                                enum drop expected)
{
    uint8_t packet[1200];
    uint32_t n = 0;
    for (uint32_t refusals = 0; refusals < 20; number++) {
        tcp_rig_fill(packet, sizeof(packet), number);
        enum drop why = tcp_send(rig.tcp, id, packet, sizeof(packet));
        if (why == DROP_NONE) {
            MUST(n < 4096);
            taken[n++] = number;
        } else {
            ck_assert_int_eq(why, expected);
            refusals++;
        }
        if (number % 8 == 0)
            tcp_rig_turn(&rig, 0);
    }
    return n;
}

/* A reader that stops fills the kernel's buffers and ours; what it reads later is whole frames, in
 * order, exactly those that were taken; and then it gets what is sent. */
START_TEST(a_reader_that_stops_and_resumes_gets_whole_frames)
{
    static uint32_t taken[2 * 4096];
    uint8_t packet[2048];
    int peer;
    struct tcp_rig_config config = {.send_bytes = 8192};
    tcp_rig_open(&rig, _i, &config);
    struct tcp_id id = tcp_rig_claimed(&rig, &peer, 8192, 5);
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t n = send_until_full(id, round * 10000, taken, DROP_TCP_FULL);
        ck_assert_uint_ge(n, TCP_PENDING_BYTES_MAX / 1202);
        ck_assert_uint_le(tcp_pending_bytes(rig.tcp, id), TCP_PENDING_BYTES_MAX);
        ck_assert_uint_gt(tcp_pending_bytes(rig.tcp, id), TCP_PENDING_BYTES_MAX - 1202);
        uint64_t calls = tcp_counters(rig.tcp)->syscalls;
        for (int i = 0; i < 10; i++)
            tcp_rig_turn(&rig, 1000);
        ck_assert_uint_le(tcp_counters(rig.tcp)->syscalls - calls, 2); /* nobody asks again */
        for (uint32_t i = 0; i < n; i++) {
            ck_assert_int_eq(tcp_rig_peer_frame(&rig, peer, packet, sizeof(packet)), 1200);
            ck_assert_uint_eq(tcp_rig_check(packet, 1200), taken[i]);
        }
        ck_assert_uint_eq(tcp_pending_bytes(rig.tcp, id), 0);
        ck_assert_uint_eq(tcp_counters(rig.tcp)->pending_chunks, 0);
    }
    ck_assert_uint_ge(tcp_counters(rig.tcp)->dropped_full, 60);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->dropped_memory, 0);
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

/* What all connections together may have pending is a bound, too; who reads is served again. */
START_TEST(the_bound_of_all_is_kept)
{
    enum { N = 3, ALL = 100 << 10 };

    static uint32_t taken[N][4096];
    uint8_t packet[2048];
    int peers[N];
    struct tcp_id ids[N];
    uint32_t n[N];
    struct tcp_rig_config config = {.send_bytes = 8192, .pending_bytes_max = ALL};
    tcp_rig_open(&rig, _i, &config);
    for (uint32_t i = 0; i < N; i++)
        ids[i] = tcp_rig_claimed(&rig, &peers[i], 8192, i);
    n[0] = send_until_full(ids[0], 0, taken[0], DROP_TCP_FULL);
    n[1] = send_until_full(ids[1], 0, taken[1], DROP_TCP_MEMORY);
    n[2] = send_until_full(ids[2], 0, taken[2], DROP_TCP_MEMORY);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->pending_chunks, ALL / 4096);
    for (uint32_t i = 0; i < N; i++) {
        for (uint32_t k = 0; k < n[i]; k++) {
            ck_assert_int_eq(tcp_rig_peer_frame(&rig, peers[i], packet, sizeof(packet)), 1200);
            ck_assert_uint_eq(tcp_rig_check(packet, 1200), taken[i][k]);
        }
        ck_assert_uint_eq(tcp_pending_bytes(rig.tcp, ids[i]), 0);
    }
    ck_assert_uint_eq(tcp_counters(rig.tcp)->pending_chunks, 0);
    ck_assert_int_eq(tcp_send(rig.tcp, ids[2], packet, 100), DROP_NONE);
    tcp_flush(rig.tcp);
    tcp_rest(rig.tcp);
    for (int i = 0; i < N; i++)
        close(peers[i]);
    tcp_rig_close(&rig);
}

END_TEST

/* ---- ends ---- */

/* What a peer sent before it closed comes first, then its end, once; the id is stale then. */
START_TEST(a_peer_that_closes_is_told_after_its_frames)
{
    uint8_t data[64];
    int peer;
    tcp_rig_open(&rig, _i, &usual);
    struct tcp_id id = tcp_rig_claimed(&rig, &peer, 0, 42);
    tcp_rig_peer_send(peer, data, tcp_rig_frame(data, 30, 1));
    tcp_rig_peer_send(peer, data, 10); /* a part of one */
    close(peer);
    tcp_rig_closed(&rig, 1);
    ck_assert_uint_eq(rig.frames_n, 2);
    ck_assert_uint_eq(rig.log[1].number, 1);
    ck_assert_uint_eq(rig.log[1].owner, 42);
    ck_assert_uint_eq(rig.closed.owner, 42);
    ck_assert_uint_eq(rig.closed.id.gen, id.gen);
    ck_assert_int_eq(rig.closed.end, TCP_END_PEER);
    ck_assert_int_eq(tcp_send(rig.tcp, id, data, 10), DROP_SEND_ERROR);
    ck_assert(!tcp_claim(rig.tcp, id, 1));
    ck_assert(!tcp_close(rig.tcp, id));
    ck_assert_uint_eq(tcp_pending_bytes(rig.tcp, id), 0);
    struct tcp_id next = tcp_rig_claimed(&rig, &peer, 0, 43);
    ck_assert_uint_eq(next.index, id.index);
    ck_assert_uint_ne(next.gen, id.gen);
    ck_assert(!tcp_close(rig.tcp, id));
    ck_assert(!tcp_close(rig.tcp, (struct tcp_id){0}));
    ck_assert_uint_eq(tcp_counters(rig.tcp)->closed_peer, 1);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->connections, 1);
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

/* Found by reading, by writing, and with output pending. */
START_TEST(a_reset_connection_is_told)
{
    static uint32_t taken[4096];
    int peer;
    struct tcp_rig_config config = {.send_bytes = 8192};
    tcp_rig_open(&rig, _i, &config);
    tcp_rig_claimed(&rig, &peer, 0, 1);
    reset(peer);
    tcp_rig_closed(&rig, 1);
    ck_assert_int_eq(rig.closed.end, TCP_END_ERROR);
    ck_assert_int_eq(rig.closed.error, -ECONNRESET);
    ck_assert_uint_eq(rig.closed.owner, 1);

    struct tcp_id id = tcp_rig_claimed(&rig, &peer, 0, 2);
    uint8_t packet[100];
    reset(peer);
    usleep(2000);
    ck_assert_int_eq(tcp_send(rig.tcp, id, packet, sizeof(packet)), DROP_NONE);
    tcp_flush(rig.tcp);
    ck_assert_int_eq(tcp_send(rig.tcp, id, packet, sizeof(packet)), DROP_SEND_ERROR);
    tcp_rig_closed(&rig, 2);
    ck_assert_uint_eq(rig.closed.owner, 2);
    ck_assert_int_eq(rig.closed.end, TCP_END_ERROR);

    id = tcp_rig_claimed(&rig, &peer, 8192, 3);
    send_until_full(id, 0, taken, DROP_TCP_FULL);
    reset(peer);
    tcp_rig_closed(&rig, 3);
    ck_assert_uint_gt(tcp_counters(rig.tcp)->bytes_lost, 0);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->pending_chunks, 0);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->closed_error, 3);
    tcp_rig_close(&rig);
}

END_TEST

/* A peer that ends its side only: the whole connection ends. */
START_TEST(a_half_open_connection_ends)
{
    int peer;
    tcp_rig_open(&rig, _i, &usual);
    tcp_rig_claimed(&rig, &peer, 0, 1);
    shutdown(peer, SHUT_WR);
    tcp_rig_closed(&rig, 1);
    ck_assert_int_eq(rig.closed.end, TCP_END_PEER);
    ck_assert(tcp_rig_peer_is_ended(&rig, peer));
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

/* The caller closes: what was queued arrives, and no event comes. */
START_TEST(closing_sends_what_is_queued)
{
    uint8_t packet[100];
    int peer;
    tcp_rig_open(&rig, _i, &usual);
    struct tcp_id id = tcp_rig_claimed(&rig, &peer, 0, 1);
    tcp_rig_fill(packet, sizeof(packet), 77);
    ck_assert_int_eq(tcp_send(rig.tcp, id, packet, sizeof(packet)), DROP_NONE);
    ck_assert(tcp_close(rig.tcp, id));
    ck_assert_int_eq(tcp_rig_peer_frame(&rig, peer, packet, sizeof(packet)), 100);
    ck_assert_uint_eq(tcp_rig_check(packet, 100), 77);
    ck_assert_int_eq(tcp_rig_peer_frame(&rig, peer, packet, sizeof(packet)), 0);
    ck_assert_uint_eq(rig.closed_n, 0);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->closed_caller, 1);

    id = tcp_rig_claimed(&rig, &peer, 0, 2); /* one that has ended, before that is told */
    shutdown(peer, SHUT_RDWR);
    reset(peer);
    usleep(2000);
    tcp_send(rig.tcp, id, packet, sizeof(packet));
    tcp_flush(rig.tcp);
    ck_assert(tcp_close(rig.tcp, id));
    tcp_rig_turn(&rig, 1000);
    ck_assert_uint_eq(rig.closed_n, 0);
    tcp_rig_close(&rig);
}

END_TEST

/* A connection that nobody claims in time is reset; one that is claimed stays. */
START_TEST(unclaimed_connections_expire)
{
    uint8_t data[64];
    int peers[3], claimed;
    tcp_rig_open(&rig, _i, &usual);
    struct tcp_id id = tcp_rig_claimed(&rig, &claimed, 0, 9);
    ck_assert_int_eq(tcp_due_us(rig.tcp), INT64_MAX);
    for (int i = 0; i < 3; i++)
        peers[i] = tcp_rig_connect(&rig.listening.local, 0);
    tcp_rig_peer_send(peers[1], data, 1); /* a part of a frame is none, nor is a frame alone */
    tcp_rig_peer_send(peers[2], data, tcp_rig_frame(data, 8, 1));
    tcp_rig_accepted(&rig, 4);
    tcp_rig_frames(&rig, 2);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->unclaimed, 3);
    int64_t due_us = tcp_due_us(rig.tcp);
    ck_assert_int_gt(due_us, clock_now_us() + TCP_CLAIM_US - 3000000);
    ck_assert_int_le(due_us, clock_now_us() + TCP_CLAIM_US);
    rig.skew_us = TCP_CLAIM_US - 3000000;
    tcp_rig_turn(&rig, 0);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->unclaimed, 3);
    rig.skew_us = TCP_CLAIM_US;
    tcp_rig_turn(&rig, 10000);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->closed_unclaimed, 3);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->unclaimed, 0);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->connections, 1);
    ck_assert_int_eq(tcp_due_us(rig.tcp), INT64_MAX);
    for (int i = 0; i < 3; i++) {
        ck_assert(tcp_rig_peer_is_ended(&rig, peers[i]));
        close(peers[i]);
    }
    ck_assert_int_eq(tcp_send(rig.tcp, id, data, 8), DROP_NONE);
    ck_assert_int_eq(tcp_rig_peer_frame(&rig, claimed, data, sizeof(data)), 8);
    ck_assert_uint_eq(rig.closed_n, 0);
    close(claimed);
    tcp_rig_close(&rig);
}

END_TEST

/* ---- addresses ---- */

/* IPv6, and IPv4 on a socket for both, where it is told as IPv4, with the address that was hit. */
START_TEST(both_families_are_served)
{
    static const char *const rows[][2] = {{"::1", "::1"}, {"::", "::1"}, {"::", "127.0.0.1"}};
    uint8_t data[64];
    for (size_t row = 0; row < ARRAY_N(rows); row++) {
        struct tcp_rig_config config = {.ip = rows[row][0]};
        struct addr to, self, any;
        struct tcp_socket probe;
        ck_assert_int_eq(addr_parse(&any, "::1", 0), 0);
        if (tcp_open(&probe, &any, &(struct udp_options){0}) != 0)
            SKIP("no IPv6 here");
        close(probe.fd);
        tcp_rig_open(&rig, _i, &config);
        ck_assert_int_eq(addr_parse(&to, rows[row][1], addr_port(&rig.listening.local)), 0);
        int peer = tcp_rig_connect(&to, 0);
        tcp_rig_peer_send(peer, data, tcp_rig_frame(data, 40, 5));
        tcp_rig_frames(&rig, 1);
        socklen_t bytes = sizeof(self);
        ck_assert_int_eq(getsockname(peer, &self.sa, &bytes), 0);
        ck_assert(addr_equal(&rig.last.datagram.remote, &self));
        ck_assert(addr_equal(&rig.last.datagram.local, &to));
        close(peer);
        tcp_rig_close(&rig);
    }
}

END_TEST

/* ---- costs ---- */

START_TEST(traffic_makes_no_heap_call)
{
    uint8_t data[64];
    int peer;
    tcp_rig_open(&rig, _i, &usual);
    struct tcp_id id = tcp_rig_claimed(&rig, &peer, 0, 1);
    tcp_rig_frame(data, 40, 1);
    uint64_t calls = heap_calls();
    for (uint32_t i = 0; i < 50; i++) {
        MUST(send(peer, data, 42, MSG_NOSIGNAL) == 42);
        while (rig.frames_n < 2 + i)
            tcp_rig_turn(&rig, 10000);
        MUST(tcp_send(rig.tcp, id, data, 40) == DROP_NONE);
        tcp_flush(rig.tcp);
    }
    calls = heap_calls() - calls;
    ck_assert_uint_eq(calls, 0);
    close(peer);
    tcp_rig_close(&rig);
}

END_TEST

START_TEST(configurations_are_checked)
{
    struct tcp *tcp = NULL;
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, 16, 0, false), 0);
    struct tcp_config config = {.connections_max = TCP_CONNECTIONS_MAX + 1};
    ck_assert_int_eq(tcp_init(&tcp, &config, &slab), -EINVAL);
    config = (struct tcp_config){.listeners_max = TCP_LISTENERS_MAX + 1};
    ck_assert_int_eq(tcp_init(&tcp, &config, &slab), -EINVAL);
    config = (struct tcp_config){0}; /* none at all */
    ck_assert_int_eq(tcp_init(&tcp, &config, &slab), 0);
    ck_assert_int_eq(tcp_listen(tcp, 0, 0), -ENOSPC);
    ck_assert_int_eq(tcp_due_us(tcp), INT64_MAX);
    tcp_exit(tcp);
    config = (struct tcp_config){.connections_max = TCP_CONNECTIONS_MAX,
                                 .listeners_max = TCP_LISTENERS_MAX,
                                 .pending_bytes_max = 1u << 30};
    ck_assert_int_eq(tcp_init(&tcp, &config, &slab), 0);
    tcp_exit(tcp);
    slab_exit(&slab);
}

END_TEST

Suite *net_tcp_suite(void);

Suite *net_tcp_suite(void)
{
    const TTest *const tests[] = {
        frames_of_one_segment_come_one_by_one,
        frames_come_byte_by_byte,
        faulty_frames_are_passed_over,
        reading_waits_for_slots,
        connections_take_turns,
        packets_leave_framed_in_one_call,
        a_reader_that_stops_and_resumes_gets_whole_frames,
        the_bound_of_all_is_kept,
        a_peer_that_closes_is_told_after_its_frames,
        a_reset_connection_is_told,
        a_half_open_connection_ends,
        closing_sends_what_is_queued,
        unclaimed_connections_expire,
        both_families_are_served,
        traffic_makes_no_heap_call,
    };
    Suite *suite = suite_create("net/tcp");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < ARRAY_N(tests); i++)
        tcase_add_loop_test(tcase, tests[i], 0, 2);
    tcase_add_test(tcase, configurations_are_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}
