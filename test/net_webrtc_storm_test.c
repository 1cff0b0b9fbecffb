/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_webrtc_storm_test.c - many WebRTC peers at once: one step of public-key work a turn, a
 * bounded queue, nothing left behind. */
#include "test/webrtc_rig.h"

#include "core/clock.h"
#include "net/state.h"
#include "test/dtls_rig.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { STORM_PEERS = 500, CROWD = 64, OWED_PEERS = 120 };

static struct webrtc_rig rig;
static struct webrtc_peer peers[STORM_PEERS];

static void raise_files(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static const struct worker_counters *counters(void)
{
    return worker_counters(rig.net.worker);
}

static uint32_t peers_in(enum rtcpeer_state state, uint32_t n)
{
    uint32_t in = 0;
    for (uint32_t i = 0; i < n; i++)
        in += peers[i].peer.state == state;
    return in;
}

/* ---- joins ---- */

/* All at once. Each takes a few steps, in turns of their own; what was taken is given back. */
START_TEST(five_hundred_joins_take_a_step_a_turn)
{
    static const struct webrtc_options ways[] = {
        {.way = WEBRTC_UDP},
        {.way = WEBRTC_UDP, .version_max = DTLS_VERSION_1_2},
        {.way = WEBRTC_TCP},
        {.way = WEBRTC_UDP, .role = DTLS_ROLE_CLIENT},
    };
    raise_files();
    webrtc_start(&rig, rig_engines[_i]);
    for (uint32_t i = 0; i < ARRAY_N(ways); i++)
        webrtc_join(&rig, &peers[i], &ways[i]); /* contexts, the library's first uses */
    while (rig.peers_n > 0)
        webrtc_close(&rig, rig.peers[0]);
    rig_settle(&rig.net);
    rig_forget_events(&rig.net);
    struct dtls_heap before = dtls_heap();
    uint64_t steps = counters()->handshake_steps, turns = counters()->turns;
    rig.net.transports = 0;

    for (uint32_t i = 0; i < STORM_PEERS; i++)
        webrtc_open(&rig, &peers[i], &ways[i % ARRAY_N(ways)]);
    int64_t until_us = clock_now_us() + 60000000;
    while (peers_in(RTCPEER_CONNECTED, STORM_PEERS) < STORM_PEERS && clock_now_us() < until_us)
        webrtc_turn(&rig, 5);
    ck_assert_uint_eq(peers_in(RTCPEER_CONNECTED, STORM_PEERS), STORM_PEERS);
    rig_settle(&rig.net);
    steps = counters()->handshake_steps - steps;
    turns = counters()->turns - turns;
    ck_assert_uint_eq(counters()->handshake_steps_turn_max, 1);
    ck_assert_uint_ge(steps, 2 * STORM_PEERS);
    ck_assert_uint_le(steps, turns);
    ck_assert_uint_eq(counters()->transports, STORM_PEERS);

    while (rig.peers_n > 0)
        webrtc_close(&rig, rig.peers[rig.peers_n - 1]);
    rig_settle(&rig.net);
    ck_assert_uint_eq(counters()->transports, 0);
    ck_assert_uint_eq(counters()->handshakes_waiting, 0);
    ck_assert_int_eq(dtls_heap().bytes, before.bytes);
    ck_assert_int_eq(dtls_heap().blocks, before.blocks);
    webrtc_stop(&rig);
}

END_TEST

/* ---- the queue ---- */

/* Peers with a proven tuple whose transports wait for a ClientHello; none has come. */
static void open_crowd(enum io_engine engine, uint32_t n)
{
    const struct webrtc_options late = {.not_connected = true};
    webrtc_start(&rig, engine);
    for (uint32_t i = 0; i < n; i++)
        webrtc_open(&rig, &peers[i], &late);
    webrtc_until(&rig, peers_in(RTCPEER_HANDSHAKING, n) == n);
    rig_settle(&rig.net); /* their hellos have come too early */
    for (uint32_t i = 0; i < n; i++) {
        peers[i].deaf = true;
        webrtc_connect(&rig, &peers[i], &late);
    }
    rig_settle(&rig.net);
    ck_assert_uint_eq(counters()->handshake_steps, 0);
}

/* A ClientHello of nobody's. */
static size_t make_hello(uint8_t data[DTLS_DATAGRAM_BYTES_MAX])
{
    struct dtls *client;
    ck_assert_int_eq(dtls_init(&client, dtls_rig_context(DTLS_RIG_CLIENT, DTLS_VERSION_NONE, 0),
                               DTLS_ROLE_CLIENT,
                               dtls_rig_fingerprint(DTLS_RIG_SERVER, FINGERPRINT_SHA256),
                               clock_now_us()),
                     0);
    size_t bytes = dtls_next_out(client, data);
    dtls_exit(client);
    return bytes;
}

static void wait_for_empty_queue(void)
{
    webrtc_until(&rig, counters()->handshakes_waiting == 0);
    rig_settle(&rig.net);
}

/* One peer has eight places of the queue, however much it sends. */
START_TEST(one_peer_does_not_fill_the_queue)
{
    uint8_t hello[DTLS_DATAGRAM_BYTES_MAX];
    open_crowd(rig_engines[_i], 1);
    size_t bytes = make_hello(hello);
    for (int i = 0; i < 400; i++)
        ck_assert(rtcsocket_send(&peers[0].socket, hello, bytes));
    /* Some may not even fit the socket's buffer. */
    rig_wait_drops(&rig.net, DROP_HANDSHAKES_FULL, 100);
    wait_for_empty_queue();
    ck_assert_uint_eq(counters()->handshake_steps_turn_max, 1);
    webrtc_stop(&rig);
}

END_TEST

/* Whatever a datagram of a handshake begins with, the flight's records may follow: all wait. */
START_TEST(every_datagram_of_a_handshake_waits_for_its_turn)
{
    uint8_t hello[DTLS_DATAGRAM_BYTES_MAX];
    const uint8_t ack[] = {26, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0};
    const uint8_t change[] = {20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 9};
    open_crowd(rig_engines[_i], 1);
    size_t bytes = make_hello(hello);
    ck_assert(rtcsocket_send(&peers[0].socket, hello, bytes));
    rig_wait(&counters()->handshake_steps, 1);
    ck_assert(rtcsocket_send(&peers[0].socket, ack, sizeof ack));
    ck_assert(rtcsocket_send(&peers[0].socket, change, sizeof change));
    rig_wait(&counters()->handshake_steps, 3);
    rig_wait_drops(&rig.net, DROP_DTLS_INVALID, 2);
    ck_assert_uint_eq(counters()->handshake_steps_turn_max, 1);
    webrtc_stop(&rig);
}

END_TEST

/* Many peers fill it; what was dropped is sent again, and all join. */
START_TEST(a_full_queue_is_counted_and_everybody_joins)
{
    uint8_t hello[DTLS_DATAGRAM_BYTES_MAX];
    open_crowd(rig_engines[_i], CROWD);
    size_t bytes = make_hello(hello);
    for (int i = 0; i < HANDSHAKES_PEER_MAX; i++)
        for (uint32_t p = 0; p < CROWD - 1; p++)
            ck_assert(rtcsocket_send(&peers[p].socket, hello, bytes));
    rig_wait_drops(&rig.net, DROP_HANDSHAKES_FULL, 1);
    /* One that has sent nothing yet gets its turn when there is room. */
    peers[CROWD - 1].deaf = false;
    webrtc_until(&rig, peers[CROWD - 1].peer.state == RTCPEER_CONNECTED);
    ck_assert_uint_eq(counters()->handshake_steps_turn_max, 1);
    webrtc_stop(&rig);
}

END_TEST

/* Transports close while their datagrams wait: those go, nobody is served a stranger's. */
START_TEST(a_closed_transports_datagrams_leave_the_queue)
{
    uint8_t hello[DTLS_DATAGRAM_BYTES_MAX];
    open_crowd(rig_engines[_i], CROWD);
    size_t bytes = make_hello(hello);
    for (uint32_t p = 0; p < CROWD; p++)
        for (int i = 0; i < HANDSHAKES_PEER_MAX; i++)
            ck_assert(rtcsocket_send(&peers[p].socket, hello, bytes));
    for (uint32_t p = 0; p < CROWD / 2; p++)
        webrtc_close(&rig, &peers[2 * p]);
    wait_for_empty_queue();
    ck_assert_uint_eq(counters()->transports, CROWD / 2);
    webrtc_stop(&rig); /* checks that every slot is free */
}

END_TEST

/* ---- events ---- */

struct told {
    enum ice_state ice;
    enum dtls_state dtls;
    bool selected, certificate;
};

/* The control thread takes nothing while peers join: more is to be told than the mailbox holds. */
START_TEST(events_that_found_no_room_are_told_later)
{
    static struct told told[OWED_PEERS];
    memset(told, 0, sizeof told);
    webrtc_start(&rig, rig_engines[_i]);
    for (uint32_t i = 0; i < OWED_PEERS; i++)
        webrtc_open(&rig, &peers[i], &(struct webrtc_options){0});
    rig_settle(&rig.net);
    rig_forget_events(&rig.net);
    webrtc_until(&rig, peers_in(RTCPEER_CONNECTED, OWED_PEERS) == OWED_PEERS);
    webrtc_run(&rig, 50);
    uint32_t whole = 0, events = 0;
    int64_t until_us = clock_now_us() + 500000; /* well under the worker's longest sleep */
    while (whole < OWED_PEERS && clock_now_us() < until_us) {
        const struct outcome *outcome = worker_outcome(rig.net.worker);
        if (outcome == NULL) {
            webrtc_turn(&rig, 1);
            continue;
        }
        ck_assert_uint_lt(outcome->index, OWED_PEERS);
        struct told *one = &told[outcome->index];
        if (outcome->event == EVENT_ICE_STATE)
            one->ice = outcome->ice_state;
        one->selected |= outcome->event == EVENT_ICE_SELECTED;
        if (outcome->event == EVENT_DTLS_STATE) {
            one->dtls = outcome->dtls_state;
            one->certificate |= outcome->payload != NULL;
            whole += one->dtls == DTLS_CONNECTED && one->certificate && one->selected &&
                     one->ice == ICE_COMPLETED;
        }
        events++;
        free(outcome->payload);
        worker_outcome_done(rig.net.worker);
    }
    ck_assert_uint_eq(whole, OWED_PEERS);
    ck_assert_uint_gt(events, OUTCOME_N);
    ck_assert_uint_eq(counters()->events_dropped, 0);
    webrtc_stop(&rig);
}

END_TEST

/* A worker that stops with untold certificates frees them (the leak checker sees it). */
START_TEST(a_worker_may_stop_with_peers_and_events)
{
    webrtc_start(&rig, rig_engines[_i]);
    for (uint32_t i = 0; i < 8; i++)
        webrtc_open(&rig, &peers[i], &(struct webrtc_options){0});
    webrtc_until(&rig, peers_in(RTCPEER_CONNECTED, 8) == 8);
    rig_stop(&rig.net);
    for (uint32_t i = 0; i < 8; i++) {
        webrtc_forget(&peers[i]);
        rtcpeer_exit(&peers[i].peer);
        rtcsocket_close(&peers[i].socket);
    }
}

END_TEST

Suite *net_webrtc_storm_suite(void);

Suite *net_webrtc_storm_suite(void)
{
    Suite *suite = suite_create("net/webrtc_storm");
    TCase *tcase = tcase_create("webrtc_storm");
    tcase_set_timeout(tcase, 200);
    tcase_add_loop_test(tcase, five_hundred_joins_take_a_step_a_turn, 0, 2);
    tcase_add_loop_test(tcase, one_peer_does_not_fill_the_queue, 0, 2);
    tcase_add_loop_test(tcase, every_datagram_of_a_handshake_waits_for_its_turn, 0, 2);
    tcase_add_loop_test(tcase, a_full_queue_is_counted_and_everybody_joins, 0, 2);
    tcase_add_loop_test(tcase, a_closed_transports_datagrams_leave_the_queue, 0, 2);
    tcase_add_loop_test(tcase, events_that_found_no_room_are_told_later, 0, 2);
    tcase_add_loop_test(tcase, a_worker_may_stop_with_peers_and_events, 0, 2);
    tcase_add_unchecked_fixture(tcase, NULL, dtls_rig_contexts_exit);
    suite_add_tcase(suite, tcase);
    return suite;
}
