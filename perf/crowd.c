/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/crowd.c - peers, their sockets and their requests, in one loop. */
#include "perf/crowd.h"

#include "core/clock.h"
#include "perf/calls.h"
#include "perf/rtcparams.h"
#include "perf/rtcpeer.h"
#include "perf/rtcsocket.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { NICE = 5, IDLE_MS = 2 };

enum stage { STAGE_WAITS, STAGE_ASKED, STAGE_JOINS, STAGE_JOINED, STAGE_FAILED };

struct member {
    enum stage stage;
    bool made; /* it has a peer and a socket */
    bool open; /* the relay has connected its transport: it may begin */
    int64_t asked_us;
    struct rtcpeer peer;
    struct rtcsocket socket;
};

struct crowd {
    struct shared *shared;
    const struct options *options;
    struct calls calls;
    struct certificate certificate;
    struct dtls_context *dtls;
    struct member *members;
    struct pollfd *fds; /* by member, then the connection's */
    uint32_t n, round, asked_n, calls_n;
    int64_t round_us, now_us;
};

void crowd_router(char id[CROWD_ROUTER_BYTES], uint32_t round)
{
    snprintf(id, CROWD_ROUTER_BYTES, "storm%u", round);
}

/* Ids of requests: two of each member in each round. */
static int64_t call_id(const struct crowd *c, uint32_t index, int which)
{
    return ((int64_t)c->round * c->n + index) * 2 + which;
}

static void transport_id(const struct crowd *c, char id[32], uint32_t index)
{
    snprintf(id, 32, "peer%u-%u", c->round, index);
}

static void fail(struct crowd *c, struct member *m, const char *why)
{
    if (m->stage == STAGE_FAILED)
        return;
    if (c->shared->crowd.failed == 0)
        fprintf(stderr, "sluice-perf: a peer did not join: %s\n", why);
    m->stage = STAGE_FAILED;
    atomic_fetch_add(&c->shared->crowd.failed, 1);
}

/* ---- requests ---- */

static void ask(struct crowd *c, uint32_t index)
{
    char router[CROWD_ROUTER_BYTES], id[32];
    struct member *m = &c->members[index];
    crowd_router(router, c->round);
    transport_id(c, id, index);
    m->stage = STAGE_ASKED;
    m->asked_us = c->now_us;
    c->calls_n++;
    if (!calls_send(&c->calls, call_id(c, index, 0), "transport.createWebRtc",
                    json_pack("{s:s, s:s, s:s}", "routerId", router, "id", id, "webRtcServerId",
                              CROWD_SERVER)))
        fail(c, m, "the control connection is gone");
}

/* Peers ask at the pace that was asked for, and no more at once than a controller would. */
static void ask_due(struct crowd *c)
{
    double rate = c->options->joins_per_second;
    while (c->round > 0 && c->asked_n < c->n && c->calls_n < CROWD_CALLS_MAX &&
           (rate <= 0 || (double)(c->now_us - c->round_us) * rate / 1e6 >= c->asked_n))
        ask(c, c->asked_n++);
}

/* What transport.createWebRtc answered: where, whom and with what to check. */
static bool begin_peer(struct crowd *c, struct member *m, uint32_t index, const json_t *made)
{
    struct rtcparams theirs;
    struct rtcpeer_config config = {
        .dtls = c->dtls, .role = DTLS_ROLE_CLIENT, .seed = c->options->seed + index};
    if (!rtcparams_read(&theirs, made) ||
        rtcsocket_open(&m->socket, &theirs.relay, false, NULL) != 0)
        return false;
    config.theirs = theirs.ice;
    config.relay = theirs.fingerprint;
    rtcpeer_init(&m->peer, &config, c->now_us);
    m->made = true;
    return true;
}

static void connect_transport(struct crowd *c, struct member *m, uint32_t index)
{
    char id[32];
    transport_id(c, id, index);
    if (!calls_send(&c->calls, call_id(c, index, 1), "transport.connect",
                    rtcparams_connect(id, &c->certificate.fingerprints[FINGERPRINT_SHA256])))
        fail(c, m, "the control connection is gone");
}

static void on_answer(struct crowd *c, const json_t *message)
{
    int64_t id = json_integer_value(json_object_get(message, "id")) - (int64_t)c->round * c->n * 2;
    const json_t *result = json_object_get(message, "result");
    if (id < 0 || id >= 2 * (int64_t)c->n)
        return; /* a notification, or of a round that is over */
    uint32_t index = (uint32_t)(id / 2);
    struct member *m = &c->members[index];
    if (result == NULL) {
        char *text = json_dumps(message, JSON_COMPACT);
        fail(c, m, text == NULL ? "refused" : text);
        free(text);
        c->calls_n--;
        return;
    }
    if (id % 2 == 1) { /* what it says earlier would be dropped, and said again */
        c->calls_n--;
        m->open = m->made;
        return;
    }
    if (!begin_peer(c, m, index, result)) {
        fail(c, m, "the answer is not right, or there is no socket");
        c->calls_n--;
        return;
    }
    m->stage = STAGE_JOINS;
    connect_transport(c, m, index);
}

/* ---- peers ---- */

static void note_joined(struct crowd *c, struct member *m)
{
    struct shared_crowd *figures = &c->shared->crowd;
    m->stage = STAGE_JOINED;
    histogram_add(&figures->join_us, (uint64_t)max_i64(c->now_us - m->asked_us, 0));
    atomic_store(&figures->last_us, c->now_us - c->round_us);
    atomic_fetch_add(&figures->joined, 1);
}

static void drive(struct crowd *c, struct member *m, bool readable)
{
    _Alignas(4) uint8_t data[RTCSOCKET_BYTES];
    size_t bytes;
    while (readable && (bytes = rtcsocket_receive(&m->socket, data)) > 0)
        rtcpeer_feed(&m->peer, data, &bytes, c->now_us);
    if (c->now_us >= rtcpeer_due_us(&m->peer))
        rtcpeer_expire(&m->peer, c->now_us);
    while ((bytes = rtcpeer_next_out(&m->peer, data)) > 0)
        rtcsocket_send(&m->socket, data, bytes);
    if (m->stage == STAGE_JOINS && m->peer.state == RTCPEER_CONNECTED)
        note_joined(c, m);
    if (m->peer.state == RTCPEER_FAILED)
        fail(c, m, "the handshake failed");
}

/* They say close_notify, and are gone. */
static void leave(struct crowd *c)
{
    uint8_t data[RTCPEER_OUT_BYTES];
    for (uint32_t i = 0; i < c->n; i++) {
        struct member *m = &c->members[i];
        if (m->made) {
            rtcpeer_close(&m->peer);
            for (size_t bytes; (bytes = rtcpeer_next_out(&m->peer, data)) > 0;)
                rtcsocket_send(&m->socket, data, bytes);
            rtcpeer_exit(&m->peer);
            rtcsocket_close(&m->socket);
        }
        *m = (struct member){.socket.fd = -1};
    }
    c->round = 0;
    atomic_store(&c->shared->crowd.left, true);
}

/* ---- the loop ---- */

static void follow_harness(struct crowd *c)
{
    struct shared_crowd *orders = &c->shared->crowd;
    uint32_t round = atomic_load(&orders->round);
    if (round == c->round)
        return;
    if (c->round != 0)
        leave(c);
    if (round == 0)
        return;
    c->round = round;
    c->round_us = c->now_us;
    c->asked_n = c->calls_n = 0;
}

static void turn(struct crowd *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        c->fds[i] = (struct pollfd){.fd = c->members[i].open ? c->members[i].socket.fd : -1,
                                    .events = POLLIN};
    c->fds[c->n] = (struct pollfd){.fd = c->calls.fd, .events = POLLIN};
    poll(c->fds, c->n + 1, IDLE_MS);
    c->now_us = clock_now_us();
    follow_harness(c);
    for (json_t *message; (message = calls_next(&c->calls)) != NULL;) {
        on_answer(c, message);
        json_decref(message);
    }
    ask_due(c);
    for (uint32_t i = 0; i < c->n; i++)
        if (c->members[i].open)
            drive(c, &c->members[i], c->fds[i].revents != 0);
}

/* Below what plays the room: its receivers stamp arrivals, and must not wait for our handshakes. */
static void be_least(void)
{
    const struct sched_param none = {0};
    int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
    if (policy == SCHED_FIFO || policy == SCHED_RR)
        sched_setscheduler(0, SCHED_OTHER, &none);
    else
        setpriority(PRIO_PROCESS, 0, NICE);
}

static bool begin(struct crowd *c)
{
    struct dtls_config config = {.version_max = c->options->dtls};
    json_t *everything = json_pack("{s:[s]}", "events", "*");
    be_least();
    c->members = calloc(c->n, sizeof *c->members);
    c->fds = calloc(c->n + 1, sizeof *c->fds);
    if (c->members == NULL || c->fds == NULL || dtls_library_init() != 0 ||
        seal_library_init() != 0 || certificate_make(&c->certificate) != 0 ||
        dtls_context_init(&c->dtls, &c->certificate, &config) != 0)
        return false;
    for (uint32_t i = 0; i < c->n; i++)
        c->members[i].socket.fd = -1;
    return calls_open(&c->calls, c->shared->crowd.socket) &&
           calls_send(&c->calls, -1, "server.unsubscribe", everything);
}

int crowd_run(struct shared *shared, const struct options *options)
{
    static struct crowd c;
    c.shared = shared;
    c.options = options;
    c.n = options->peers;
    if (!begin(&c))
        return 1;
    atomic_store(&shared->crowd.ready, true);
    while (!atomic_load(&shared->stop) && c.calls.fd >= 0)
        turn(&c);
    return c.calls.fd >= 0 ? 0 : 1;
}
