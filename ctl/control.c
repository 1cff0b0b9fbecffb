/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/control.c - the control thread's loop: connections, workers' outcomes, signals. */
#include "ctl/control.h"

#include "core/clock.h"
#include "core/random.h"
#include "ctl/close.h"
#include "ctl/http.h"
#include "ctl/listen.h"
#include "ctl/notify.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* What an epoll event is about: kind in the top byte, then the worker or the connection's slot,
 * then the low bits of the connection's serial, so that an event of a closed connection does not
 * reach its successor. */
enum source { SOURCE_LISTEN, SOURCE_SIGNAL, SOURCE_WORKER, SOURCE_CONN, SOURCE_HTTP };

enum { EVENTS_TURN = 64, HOUSEKEEPING_MS = 1000 };

static uint64_t source_key(enum source source, uint32_t index, uint64_t serial)
{
    return (uint64_t)source << 56 | (uint64_t)index << 32 | (serial & UINT32_MAX);
}

static int watch(const struct control *control, int fd, uint32_t events, uint64_t key, bool change)
{
    struct epoll_event event = {.events = events, .data.u64 = key};
    int how = change ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    return epoll_ctl(control->epoll_fd, how, fd, &event) == 0 ? 0 : -errno;
}

/* ---- connections ---- */

static uint32_t slot_find(const struct control *control)
{
    uint32_t slot = 0;
    while (slot < CONTROL_CONNS_MAX && control->conns[slot])
        slot++;
    return slot;
}

static void refuse(struct control *control, int fd)
{
    struct rpc_error error;
    rpc_error_set(&error, RPC_FULL, "%d connections are open; close one", CONTROL_CONNS_MAX);
    size_t bytes = 0;
    char *line = rpc_error_line(NULL, &error, &bytes);
    if (line)
        (void)!send(fd, line, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    rpc_line_free(line, bytes);
    close(fd);
    control->count.refused++;
    log_warn("control", "refused a controller: %d connections are open", CONTROL_CONNS_MAX);
}

struct conn *control_adopt(struct control *control, int fd)
{
    uint32_t slot = slot_find(control);
    if (slot == CONTROL_CONNS_MAX) {
        refuse(control, fd);
        return NULL;
    }
    struct conn *conn = conn_init(fd, control->serial_next);
    if (!conn) {
        close(fd);
        return NULL;
    }
    conn->polled = EPOLLIN;
    int failed = watch(control, fd, EPOLLIN, source_key(SOURCE_CONN, slot, conn->serial), false);
    if (failed) {
        conn_exit(conn);
        return NULL;
    }
    conn->slot = (uint16_t)slot;
    listen_peer(fd, &conn->pid, &conn->uid, &conn->gid);
    control->serial_next++;
    control->conns[slot] = conn;
    if (slot >= control->conns_high)
        control->conns_high = slot + 1;
    control->count.accepted++;
    log_info("control", "controller %llu connected: pid %d, uid %u, gid %u",
             (unsigned long long)conn->serial, (int)conn->pid, conn->uid, conn->gid);
    return conn;
}

static void on_listen(struct control *control)
{
    for (int i = 0; i < EVENTS_TURN; i++) {
        int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            control_adopt(control, fd);
            continue;
        }
        if (errno != EMFILE && errno != ENFILE)
            return;
        /* One descriptor is kept to take the caller off the queue with; else it would spin there.
         */
        close(control->spare_fd);
        fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            refuse(control, fd);
        control->spare_fd = listen_spare();
    }
}

static void close_tied(struct control *control, uint64_t serial)
{
    struct router *router = NULL;
    LIST_EACH(router, &control->model.routers, struct router, link)
    {
        if (router->tied && router->o.owner == serial)
            close_router(control, router, NULL, NOTICE_ROUTER_CLOSE);
    }
    struct webrtc_server *server = NULL;
    LIST_EACH(server, &control->model.servers, struct webrtc_server, link)
    {
        if (server->tied && server->o.owner == serial)
            close_server(control, server, NULL, NOTICE_WEBRTCSERVER_CLOSE);
    }
}

static void disconnect(struct control *control, struct conn *conn)
{
    uint64_t serial = conn->serial;
    struct request *request = NULL;
    log_info("control", "controller %llu disconnected: pid %d", (unsigned long long)serial,
             (int)conn->pid);
    LIST_EACH(request, &conn->requests, struct request, link)
    request_orphan(request);
    control->conns[conn->slot] = NULL;
    while (control->conns_high > 0 && !control->conns[control->conns_high - 1])
        control->conns_high--;
    conn_exit(conn);
    close_tied(control, serial);
}

void control_send(struct control *control, struct conn *conn, const char *text, size_t bytes)
{
    bool was_dead = conn->dead;
    if (conn_send(conn, text, bytes) || was_dead)
        return;
    control->count.slow_disconnects++;
    log_warn(
        "control",
        "controller %llu (pid %d) is disconnected: it has left %zu bytes unread, the limit is %d",
        (unsigned long long)conn->serial, (int)conn->pid, conn_unread_bytes(conn),
        CONN_OUT_BYTES_MAX);
}

static void answer_bad_line(struct control *control, struct conn *conn,
                            const struct rpc_request *rpc, const struct rpc_error *error)
{
    size_t bytes = 0;
    char *line = rpc_error_line(rpc ? rpc->id : NULL, error, &bytes);
    control->count.errors++;
    if (line)
        control_send(control, conn, line, bytes);
    rpc_line_free(line, bytes);
}

void control_line(struct control *control, struct conn *conn, char *line, size_t bytes)
{
    struct rpc_error error = {0};
    struct request *request = calloc(1, sizeof(*request));
    control->count.requests++;
    if (!request) {
        rpc_error_set(&error, RPC_INTERNAL, "no memory");
        answer_bad_line(control, conn, NULL, &error);
        return;
    }
    request->control = control;
    request->conn = conn;
    request->method = METHOD_N;
    list_init(&request->retry);
    control->requests_n++;
    list_append(&conn->requests, &request->link);
    conn->requests_n++;
    if (rpc_parse(&request->rpc, line, bytes, &error)) {
        dispatch(control, request);
        return;
    }
    if (!request->rpc.id) /* wrong enough that it is answered all the same: with null */
        request->rpc.id = json_null();
    request_fail_error(request, &error);
}

static void answer_too_long(struct control *control, struct conn *conn)
{
    struct rpc_error error = {0};
    rpc_error_set(&error, RPC_PARSE, "a line of more than %d bytes was left out",
                  RPC_LINE_BYTES_MAX);
    answer_bad_line(control, conn, NULL, &error);
}

/* The requests that have come, a bounded number of them. True: there may be more. */
static bool conn_requests(struct control *control, struct conn *conn)
{
    for (int i = 0; i < CONTROL_LINES_TURN; i++) {
        char *line = NULL;
        size_t bytes = 0;
        if (conn->dead || conn->held || !conn_has_room(conn))
            return false;
        enum conn_line what = conn_line(conn, &line, &bytes);
        if (what == CONN_LINE_NONE)
            return false;
        if (what == CONN_LINE_TOO_LONG) {
            answer_too_long(control, conn);
            continue;
        }
        size_t text_n = bytes > 0 && line[bytes - 1] == '\r' ? bytes - 1 : bytes;
        if (text_n > 0)
            control_line(control, conn, line, text_n);
        conn_line_done(conn, bytes);
    }
    return true;
}

/* The other end sends no more: what it began and did not finish is told, the rest is answered, then
 * the connection ends. */
static void conn_ended(struct control *control, struct conn *conn)
{
    if (conn_half_bytes(conn) > 0) {
        struct rpc_error error = {0};
        rpc_error_set(&error, RPC_PARSE, "the connection ended in the middle of a line");
        answer_bad_line(control, conn, NULL, &error);
        conn->in_at = conn->in_n;
    }
    if (conn->requests_n > 0)
        return;
    conn_flush(conn);
    if (conn_queued_bytes(conn) == 0)
        conn->dead = true;
}

static void conn_rearm(struct control *control, struct conn *conn)
{
    uint32_t wanted = 0;
    if (conn->hung)
        return; /* see conns_ask() */
    if (!conn->ended && conn_has_room(conn) && conn->in_n - conn->in_at <= RPC_LINE_BYTES_MAX + 1)
        wanted |= EPOLLIN;
    if (conn->out_at < conn->out_n)
        wanted |= EPOLLOUT;
    if (wanted == conn->polled)
        return;
    conn->polled = wanted;
    if (watch(control, conn->fd, wanted, source_key(SOURCE_CONN, conn->slot, conn->serial), true))
        conn->dead = true;
}

static struct request *retry_take(struct link *list)
{
    struct request *request = LIST_OF(list->next, struct request, retry);
    list_remove(&request->retry);
    if (request->conn)
        request->conn->held = false;
    return request;
}

/* Requests whose time has come to be tried again; what must wait once more is due later. */
static void retries_run(struct control *control)
{
    struct link due;
    if (list_is_empty(&control->retries) || clock_now_us() < control->retry_at_us)
        return;
    list_init(&due);
    while (!list_is_empty(&control->retries)) {
        struct link *link = control->retries.next;
        list_remove(link);
        list_append(&due, link);
    }
    while (!list_is_empty(&due))
        dispatch(control, retry_take(&due));
}

/* After the events of a turn: requests that wait in buffers. */
static void conns_ask(struct control *control)
{
    for (uint32_t i = 0; i < control->conns_high; i++) {
        struct conn *conn = control->conns[i];
        if (!conn)
            continue;
        if (conn->hung && !conn->ended)
            conn_read(conn);
        conn->waits = conn_requests(control, conn);
        bool reads = conn->hung && !conn->ended && !conn->held && conn_has_room(conn);
        control->more |= conn->waits || (reads && !conn->dead);
    }
}

/* At the end of a turn, when all that it had to say to anybody is queued: answers and notices, the
 * dead. */
static void conns_send(struct control *control)
{
    for (uint32_t i = 0; i < control->conns_high; i++) {
        struct conn *conn = control->conns[i];
        if (!conn)
            continue;
        conn_flush(conn);
        bool released = request_release(conn);
        control->more |= released; /* lines that had no room wait in its buffer */
        if (conn->ended && !conn->waits && !conn->held && !released && conn_has_room(conn))
            conn_ended(control, conn);
        if (conn->dead) {
            disconnect(control, conn);
            control->more =
                true; /* its tied rooms close: others are told in the next turn, at once */
        } else {
            conn_rearm(control, conn);
        }
    }
}

static void on_conn(struct control *control, uint32_t slot, uint64_t serial, uint32_t events)
{
    struct conn *conn = slot < CONTROL_CONNS_MAX ? control->conns[slot] : NULL;
    if (!conn || (conn->serial & UINT32_MAX) != serial)
        return;
    if (events & EPOLLIN)
        conn_read(conn);
    else if (events & (EPOLLERR | EPOLLHUP)) {
        /* Nobody is there to read an answer, but what was asked is done. A hang-up is always ready:
         * once is enough. */
        conn->gone = conn->hung = true;
        (void)epoll_ctl(control->epoll_fd, EPOLL_CTL_DEL, conn->fd, NULL);
    }
}

/* ---- workers ---- */

void control_errand(struct control *control, uint16_t worker, struct errand *errand)
{
    ASSERT(worker < control->config.workers_n);
    errand->worker = worker;
    desk_add(&control->desks[worker], errand);
    control->count.commands++;
}

static void outcome_take(struct control *control, uint16_t worker, const struct outcome *outcome)
{
    if (outcome->cookie == 0) {
        control->count.events++;
        control_event(control, worker, outcome);
        return;
    }
    struct errand *errand = desk_take(&control->desks[worker], outcome->cookie);
    if (!errand)
        return;
    if (outcome->result != 0)
        control->count.command_failures++;
    errand_finish(control, errand, outcome);
}

/* Outcomes of one worker, as many as its mailbox holds at most. */
static void on_worker(struct control *control, uint16_t worker)
{
    struct desk *desk = &control->desks[worker];
    uint64_t ignored = 0;
    (void)!read(worker_outcome_fd(desk->worker), &ignored, sizeof(ignored));
    for (int i = 0; i < OUTCOME_N; i++) {
        const struct outcome *outcome = worker_outcome(desk->worker);
        if (!outcome)
            return;
        outcome_take(control, worker, outcome);
        worker_outcome_done(desk->worker);
    }
    control->more = true;
}

/* Nothing will come of the next errand of a desk. False: it has none. */
static bool errand_give_up(struct control *control, struct desk *desk)
{
    struct errand *errand = desk_take_any(desk);
    if (!errand)
        return false;
    struct outcome outcome = {
        .cookie = errand->cookie, .result = -ESHUTDOWN, .command = errand->kind};
    errand_finish(control, errand, &outcome);
    return true;
}

/* Errands of a worker that has died are answered. Who hears of it may have others for any worker:
 * again, until there are none. */
static void desks_service(struct control *control)
{
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < control->config.workers_n; i++) {
            struct desk *desk = &control->desks[i];
            desk_post(desk);
            again |= desk->dead && errand_give_up(control, desk);
        }
    }
}

/* ---- the turn ---- */

void control_drain(struct control *control, uint32_t seconds)
{
    control->draining = true;
    control->stop_at_us = clock_now_us() + (int64_t)seconds * 1000000;
    log_info("control", "draining: no new routers or transports, %u routers have %u seconds left",
             control->model.counts[NOUN_ROUTER], seconds);
    notify(control, NOTICE_SERVER_DRAINING, NULL, json_pack("{s:i}", "seconds", (int)seconds));
}

void control_undrain(struct control *control)
{
    control->draining = false;
    log_info("control", "not draining any more: routers and transports are taken again");
    notify(control, NOTICE_SERVER_UNDRAINED, NULL, NULL);
}

static void on_signal(struct control *control)
{
    struct signalfd_siginfo signal;
    if (read(control->signal_fd, &signal, sizeof(signal)) != (ssize_t)sizeof(signal))
        return;
    if (signal.ssi_signo == SIGTERM && !control->draining) {
        control_drain(control, control->config.drain_seconds);
    } else if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT) {
        log_info("control", "stopping: signal %u", signal.ssi_signo);
        control->stopping = true;
    } else if (signal.ssi_signo == SIGHUP) {
        log_info("control", "SIGHUP: the configuration is read at start-up only; "
                            "`sluicectl server.setLog level=debug` changes the log");
    }
}

static void on_event(struct control *control, const struct epoll_event *event)
{
    uint64_t key = event->data.u64;
    uint32_t index = (uint32_t)(key >> 32 & 0xffffff);
    switch ((enum source)(key >> 56)) {
    case SOURCE_LISTEN:
        on_listen(control);
        return;
    case SOURCE_SIGNAL:
        on_signal(control);
        return;
    case SOURCE_WORKER:
        on_worker(control, (uint16_t)index);
        return;
    case SOURCE_CONN:
        on_conn(control, index, key & UINT32_MAX, event->events);
        return;
    case SOURCE_HTTP: /* http_service() looks at all of its own */
        return;
    }
}

/* How long this turn may sleep. */
static int timeout_of(const struct control *control, int timeout_ms)
{
    if (control->more || control->stopping)
        return 0;
    if (!list_is_empty(&control->retries)) {
        int wait_ms = (int)clamp_i64((control->retry_at_us - clock_now_us() + 999) / 1000, 0,
                                     CONTROL_RETRY_STEP_US / 1000);
        timeout_ms = timeout_ms < 0 ? wait_ms : (int)min_i64(timeout_ms, wait_ms);
    }
    bool busy = control->draining || trim_waits(&control->trim) ||
                (control->http && http_is_busy(control->http));
    if (!busy)
        return timeout_ms;
    return timeout_ms < 0 ? HOUSEKEEPING_MS : (int)min_i64(timeout_ms, HOUSEKEEPING_MS);
}

static bool nothing_is_left(const struct control *control)
{
    return control->model.counts[NOUN_ROUTER] == 0 && control->requests_n == 0;
}

static uint64_t handshake_steps(const struct control *control)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < control->config.workers_n; i++)
        sum += atomic_load_explicit(&worker_counters(control->desks[i].worker)->handshake_steps,
                                    memory_order_relaxed);
    return sum;
}

static void housekeeping(struct control *control, bool quiet)
{
    if (control->draining && !control->stopping &&
        (nothing_is_left(control) || clock_now_us() >= control->stop_at_us)) {
        log_info("control", "drained: %u routers are left", control->model.counts[NOUN_ROUTER]);
        control->stopping = true;
    }
    if (trim_due(&control->trim, handshake_steps(control), quiet, clock_now_us()))
        malloc_trim(0);
}

bool control_turn(struct control *control, int timeout_ms)
{
    struct epoll_event events[EVENTS_TURN];
    desks_service(control);
    int n = epoll_wait(control->epoll_fd, events, EVENTS_TURN, timeout_of(control, timeout_ms));
    for (int i = 0; i < n; i++)
        on_event(control, &events[i]);
    if (control->http)
        http_service(control->http, control);
    control->more = false;
    retries_run(control);
    conns_ask(control);
    desks_service(control);
    conns_send(control);
    housekeeping(control, n == 0);
    return !control->stopping;
}

/* ---- start and end ---- */

static struct worker_config worker_config_of(const struct control *control, uint32_t index)
{
    const struct config *config = &control->config;
    struct worker_config worker = {
        .index = (uint16_t)index,
        .engine = config->engine,
        .without = config->without,
        .slots_n = config->slots_n,
        .retain_slots_n = config->retain_slots_n,
        .huge_pages = config->huge_pages,
        .sockets_max = config->sockets_max,
        .transports_max = config->transports_max,
        .producers_max = config->producers_max,
        .consumers_max = config->consumers_max,
        .retain_rule = config->retain_rule,
        .shed_rule = config->load.shed,
        .certificate = &control->certificate,
        .cpu = config->pin ? listen_processor(index) : -1,
    };
    random_bytes(&worker.seed, sizeof(worker.seed));
    return worker;
}

/* The operator's, or one made anew: then peers see another fingerprint after each start, which is
 * as good, because each session tells it. */
static int certificate_get(struct control *control, char why[CONFIG_ERROR_BYTES])
{
    const struct config *config = &control->config;
    if (config->certificate_path[0])
        return certificate_load(&control->certificate, config->certificate_path, config->key_path,
                                why);
    int failed = certificate_make(&control->certificate);
    if (failed)
        snprintf(why, CONFIG_ERROR_BYTES, "no certificate for DTLS could be made: %s",
                 strerror(-failed));
    return failed;
}

/* Those that run, then all: they may have looked at each other. */
static void workers_stop(struct control *control, uint32_t running_n, uint32_t n)
{
    for (uint32_t i = 0; i < running_n; i++)
        worker_stop(control->desks[i].worker);
    for (uint32_t i = 0; i < n; i++)
        worker_exit(control->desks[i].worker);
}

static int workers_make(struct control *control, uint32_t *made_n)
{
    struct worker *workers[CONFIG_WORKERS_MAX] = {NULL};
    uint32_t n = control->config.workers_n;
    ASSERT(n <= CONFIG_WORKERS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        struct worker_config config = worker_config_of(control, i);
        int failed = worker_init(&workers[i], &config);
        if (failed)
            return failed;
        desk_init(&control->desks[i], workers[i]);
        (*made_n)++;
    }
    return n > 1 ? worker_link(workers, n) : 0;
}

static int workers_start(struct control *control, char why[CONFIG_ERROR_BYTES])
{
    const struct config *config = &control->config;
    uint32_t made_n = 0, running_n = 0;
    char which[32] = "the workers";
    int failed = workers_make(control, &made_n);
    if (failed && made_n < config->workers_n)
        snprintf(which, sizeof(which), "worker %u", made_n);
    while (!failed && running_n < made_n) {
        failed = worker_start(control->desks[running_n].worker);
        if (failed)
            snprintf(which, sizeof(which), "worker %u", running_n);
        else
            running_n++;
    }
    if (!failed)
        return 0;
    snprintf(why, CONFIG_ERROR_BYTES, "%s did not start: %s%s", which, strerror(-failed),
             failed == -ENOMEM                   ? " (fewer workers or slots need less memory)"
             : config->engine == IO_ENGINE_URING ? " (--io uring does not fall back; --io auto "
                                                   "does)"
                                                 : "");
    workers_stop(control, running_n, made_n);
    return failed;
}

static int workers_watch(struct control *control)
{
    int failed = 0;
    for (uint32_t i = 0; i < control->config.workers_n && !failed; i++)
        failed = watch(control, worker_outcome_fd(control->desks[i].worker), EPOLLIN,
                       source_key(SOURCE_WORKER, i, 0), false);
    return failed;
}

static int signals_take(struct control *control)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    control->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (control->signal_fd < 0)
        return -errno;
    return watch(control, control->signal_fd, EPOLLIN, source_key(SOURCE_SIGNAL, 0, 0), false);
}

static int doors_open(struct control *control, char why[CONFIG_ERROR_BYTES])
{
    int failed = listen_open(&control->listen_fd, &control->lock_fd, &control->config, why);
    if (failed)
        return failed;
    failed = watch(control, control->listen_fd, EPOLLIN, source_key(SOURCE_LISTEN, 0, 0), false);
    if (!failed && control->config.metrics_port != 0)
        failed = http_init(&control->http, control->config.metrics_port, control->epoll_fd,
                           source_key(SOURCE_HTTP, 0, 0), why);
    return failed;
}

static void doors_close(struct control *control)
{
    if (control->http)
        http_exit(control->http);
    if (control->listen_fd >= 0)
        listen_close(control->listen_fd, control->lock_fd, &control->config);
    int fds[] = {control->signal_fd, control->spare_fd, control->epoll_fd};
    for (size_t i = 0; i < ARRAY_N(fds); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    json_decref(control->no_params);
    free(control->desks);
    certificate_exit(&control->certificate);
}

int control_init(struct control *control, const struct config *config, bool signals,
                 char why[CONFIG_ERROR_BYTES])
{
    rpc_wipe_json();
    *control = (struct control){.config = *config, .serial_next = 1};
    control->retry_us = CONTROL_RETRY_US;
    list_init(&control->retries);
    control->listen_fd = control->signal_fd = control->spare_fd = control->lock_fd = -1;
    control->started_us = clock_now_us();
    control->started_wall_us = clock_wall_us();
    snprintf(why, CONFIG_ERROR_BYTES, "no memory or no descriptors");
    control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    control->spare_fd = listen_spare();
    control->no_params = json_object();
    control->desks = calloc(config->workers_n, sizeof(*control->desks));
    struct model_limits limits = {config->sockets_max, config->transports_max,
                                  config->producers_max, config->consumers_max};
    int failed = control->desks ? 0 : -ENOMEM;
    if (!failed && signals) /* before the workers: their threads must not take them */
        failed = signals_take(control);
    if (!failed)
        failed = certificate_get(control, why);
    if (!failed)
        failed = doors_open(control, why);
    if (!failed)
        failed = model_init(&control->model, config->workers_n, &limits);
    if (failed) {
        doors_close(control);
        return failed;
    }
    failed = workers_start(control, why);
    if (!failed) {
        failed = workers_watch(control);
        if (!failed)
            return 0;
        workers_stop(control, config->workers_n, config->workers_n);
    }
    model_exit(&control->model);
    doors_close(control);
    return failed;
}

static void disconnect_all(struct control *control)
{
    notify(control, NOTICE_SERVER_SHUTDOWN, NULL, NULL);
    for (uint32_t i = 0; i < CONTROL_CONNS_MAX; i++) {
        struct conn *conn = control->conns[i];
        if (!conn)
            continue;
        struct request *request = NULL;
        LIST_EACH(request, &conn->requests, struct request, link)
        request_orphan(request);
        conn_flush(conn);
        conn_exit(conn);
        control->conns[i] = NULL;
    }
    control->conns_high = 0;
}

/* Nothing comes of what the workers have not done. An end of one may ask for another, also of a
 * worker that has been looked at: until none is left. */
static void desks_clear(struct control *control)
{
    bool some = true;
    while (some) {
        some = false;
        for (uint32_t i = 0; i < control->config.workers_n; i++)
            some |= errand_give_up(control, &control->desks[i]);
    }
}

/* What the workers have said and nobody takes any more. */
static void outcomes_drop(struct worker *worker)
{
    const struct outcome *outcome = NULL;
    while ((outcome = worker_outcome(worker))) {
        if (outcome->cookie == 0)
            control_event_drop(outcome);
        worker_outcome_done(worker);
    }
}

void control_exit(struct control *control)
{
    disconnect_all(control);
    while (!list_is_empty(&control->retries))
        request_fail(retry_take(&control->retries), RPC_STATE, NULL, NULL, NULL, "the relay ends");
    for (uint32_t i = 0; i < control->config.workers_n; i++)
        worker_stop(control->desks[i].worker);
    desks_clear(control);
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        outcomes_drop(control->desks[i].worker);
        worker_exit(control->desks[i].worker);
    }
    ASSERT(control->requests_n == 0);
    model_exit(&control->model);
    doors_close(control);
}
