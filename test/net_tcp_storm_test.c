/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_tcp_storm_test.c - connections that come, talk, stall and go at random: whatever
 * happens, each side gets whole frames of the other in order, and nothing is left.
 *
 * A packet's number says whose it is: peer, its how-manieth connection, how-manieth packet. */
#include "test/net_tcp_rig.h"

#include "core/clock.h"
#include "core/random.h"
#include "test/must.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { PEERS_N = 24, STEPS = 12000, CONNECTIONS = 16, BYTES_MAX = 600, PENDING_MAX = 2048 };

struct peer {
    int fd; /* -1: not connected */
    uint32_t life;
    uint32_t sent, got;                      /* packets, of this life */
    struct tcp_id id;                        /* all zero: the relay has not seen a frame of it */
    uint32_t relay_got;                      /* of this life */
    uint32_t relay_sent[4096], relay_sent_n; /* numbers that the relay queued, oldest first */
    uint8_t out[PENDING_MAX], in[PENDING_MAX];
    size_t out_at, out_n, in_n;
};

static struct tcp_rig rig;
static struct peer peers[PEERS_N];
static struct random dice;

static uint32_t roll(uint32_t sides)
{
    return (uint32_t)(random_next(&dice) % sides);
}

static uint32_t number_of(uint32_t peer, uint32_t life, uint32_t packet)
{
    return peer << 26 | (life & 0xfff) << 14 | (packet & 0x3fff);
}

static void peer_end(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    *peer = (struct peer){.fd = -1, .life = peer->life + 1};
}

static void relay_frame(const struct tcp_event *event)
{
    const struct io_event *dg = &event->datagram;
    uint32_t number = tcp_rig_check(slab_packet(&rig.slab, dg->slot), dg->bytes);
    slab_release(&rig.slab, dg->slot);
    struct peer *peer = &peers[number >> 26];
    MUST(number >> 26 < PEERS_N);
    if ((peer->life & 0xfff) != (number >> 14 & 0xfff))
        return; /* it is gone meanwhile */
    MUST(number == number_of(number >> 26, peer->life, peer->relay_got));
    peer->relay_got++;
    if (peer->relay_got > 1) {
        MUST(peer->id.gen == event->id.gen && peer->id.index == event->id.index);
        MUST(event->owner == number >> 26);
        return;
    }
    MUST(event->owner == TCP_UNCLAIMED);
    peer->id = event->id;
    MUST(tcp_claim(rig.tcp, event->id, number >> 26));
}

static void turn(int64_t wait_us)
{
    struct io_event ready;
    struct tcp_event event;
    tcp_flush(rig.tcp);
    int64_t until_us = min_i64(tcp_due_us(rig.tcp), wait_us ? clock_now_us() + wait_us : 0);
    MUST(io_wait(rig.io, until_us) == 0);
    tcp_turn(rig.tcp, clock_now_us());
    while (io_next(rig.io, &ready))
        tcp_on_ready(rig.tcp, &ready);
    while (tcp_next(rig.tcp, &event)) {
        if (event.kind == TCP_FRAME)
            relay_frame(&event);
        else
            MUST(!tcp_close(rig.tcp, event.id)); /* gone */
    }
}

/* A part of the next packets, cut anywhere. */
static void peer_talks(struct peer *peer)
{
    if (peer->out_at == peer->out_n) {
        peer->out_at = peer->out_n = 0;
        for (uint32_t n = 1 + roll(4); n > 0 && peer->out_n + BYTES_MAX + 2 <= PENDING_MAX; n--)
            peer->out_n +=
                tcp_rig_frame(peer->out + peer->out_n, 4 + roll(BYTES_MAX - 4),
                              number_of((uint32_t)(peer - peers), peer->life, peer->sent++));
    }
    size_t some = 1 + roll((uint32_t)(peer->out_n - peer->out_at));
    ssize_t sent = send(peer->fd, peer->out + peer->out_at, some, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
        peer->out_at += (size_t)sent;
    else if (errno != EAGAIN)
        peer_end(peer);
}

/* Frames must be those that the relay queued, in order. */
static void peer_listens(struct peer *peer, size_t bytes_max)
{
    ssize_t got = recv(peer->fd, peer->in + peer->in_n,
                       min_size(bytes_max, PENDING_MAX - peer->in_n), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        peer_end(peer);
        return;
    }
    peer->in_n += got > 0 ? (size_t)got : 0;
    size_t at = 0;
    while (peer->in_n - at >= 2 && peer->in_n - at - 2 >= be16(peer->in + at)) {
        size_t bytes = be16(peer->in + at);
        MUST(peer->got < peer->relay_sent_n);
        MUST(tcp_rig_check(peer->in + at + 2, bytes) == peer->relay_sent[peer->got]);
        peer->got++;
        at += 2 + bytes;
    }
    memmove(peer->in, peer->in + at, peer->in_n - at);
    peer->in_n -= at;
}

static void relay_talks(struct peer *peer)
{
    uint8_t packet[BYTES_MAX];
    if (peer->id.gen == 0)
        return;
    for (uint32_t n = 1 + roll(40); n > 0 && peer->relay_sent_n < 4096; n--) {
        uint32_t number = number_of(63, peer->life, peer->relay_sent_n);
        size_t bytes = 4 + roll(BYTES_MAX - 4);
        tcp_rig_fill(packet, bytes, number);
        enum drop why = tcp_send(rig.tcp, peer->id, packet, bytes);
        MUST(why == DROP_NONE || why == DROP_TCP_FULL || why == DROP_TCP_MEMORY ||
             why == DROP_SEND_ERROR);
        if (why == DROP_NONE)
            peer->relay_sent[peer->relay_sent_n++] = number;
    }
}

static void step(struct peer *peer)
{
    struct linger linger = {.l_onoff = 1};
    uint32_t what = roll(1000);
    if (peer->fd < 0) {
        if (what < 300)
            peer->fd = tcp_rig_connect(&rig.listening.local, what % 2 ? 4096 : 0);
    } else if (what < 500) {
        peer_talks(peer);
    } else if (what < 700) {
        peer_listens(peer, what % 3 == 0 ? 100 : PENDING_MAX);
    } else if (what < 980) {
        relay_talks(peer);
    } else if (what < 985) {
        peer_end(peer);
    } else if (what < 990) {
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        peer_end(peer);
    } else if (what < 995) {
        tcp_close(rig.tcp, peer->id);
        peer_end(peer);
    } else if (what < 998) {
        tcp_flush(rig.tcp);
    } else {
        tcp_rest(rig.tcp);
    }
}

START_TEST(whatever_happens_frames_stay_whole)
{
    struct tcp_rig_config config = {.connections_max = CONNECTIONS,
                                    .slots_n = 12,
                                    .send_bytes = 8192,
                                    .pending_bytes_max = 300 << 10};
    uint64_t seed = (uint64_t)clock_now_us();
    printf("seed %llu\n", (unsigned long long)seed);
    dice = (struct random){.state = seed};
    tcp_rig_open(&rig, _i, &config);
    for (uint32_t i = 0; i < PEERS_N; i++)
        peers[i] = (struct peer){.fd = -1};
    for (uint32_t i = 0; i < STEPS; i++) {
        step(&peers[roll(PEERS_N)]);
        if (roll(6) == 0)
            turn(roll(2) ? 0 : 200);
    }
    const struct tcp_counters *counters = tcp_counters(rig.tcp);
    ck_assert_uint_gt(counters->accepted, PEERS_N);
    ck_assert_uint_gt(counters->frames_in, 500);
    ck_assert_uint_gt(counters->frames_out, 5000);
    for (uint32_t i = 0; i < PEERS_N; i++)
        peer_end(&peers[i]);
    for (int i = 0; i < 500 && counters->connections > 0; i++)
        turn(10000);
    ck_assert_uint_eq(counters->connections, 0);
    ck_assert_uint_eq(tcp_counters(rig.tcp)->read_buffers, 0);
    ck_assert_uint_eq(counters->pending_chunks, 0);
    ck_assert_uint_eq(counters->accepted, counters->closed_peer + counters->closed_error +
                                              counters->closed_caller + counters->closed_unclaimed);
    tcp_rig_close(&rig);
}

END_TEST

Suite *net_tcp_storm_suite(void);

Suite *net_tcp_storm_suite(void)
{
    Suite *suite = suite_create("net/tcp storm");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, whatever_happens_frames_stay_whole, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
