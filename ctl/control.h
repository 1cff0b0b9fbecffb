/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/control.h - the control thread: the Unix socket, its connections, the workers' outcomes, the
 * object model.
 *
 * One epoll loop. A turn reads what controllers sent, runs their requests, posts commands, takes
 * outcomes and writes answers; it never waits for a worker or a controller. control_init(); while
 * (control_turn(-1)) ; control_exit(); Threads: everything by one thread, the one that called
 * control_init(). Memory: heap, bounded by the limits of conn.h and of the configuration. */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include "ctl/config.h"
#include "ctl/conn.h"
#include "ctl/errand.h"
#include "ctl/model.h"
#include "ctl/request.h"
#include "ctl/trim.h"
#include "net/certificate.h"

enum {
    CONTROL_CONNS_MAX = 1024,
    CONTROL_PROTOCOL_VERSION = 1,
    CONTROL_LINES_TURN = 64, /* requests of one connection before the next has its turn */
    CONTROL_APP_DATA_BYTES_MAX = 16384,
    CONTROL_ROUTERS_MAX = 65536,
    CONTROL_SERVERS_MAX = 4096,
    CONTROL_RETRY_US = 50000, /* a closing ring holds its port that long at most */
    CONTROL_RETRY_STEP_US = 5000,
};

/* Counted by the control thread: type, name (sluice_control_<name>), help. */
#define CONTROL_COUNTER_LIST(X)                                                                    \
    X(C, accepted, "connections accepted")                                                         \
    X(C, refused, "connections refused: 1024 are open, or no descriptor was left")                 \
    X(C, slow_disconnects, "controllers disconnected because they did not read")                   \
    X(C, requests, "requests read")                                                                \
    X(C, errors, "requests answered with an error")                                                \
    X(C, notifications, "notifications queued")                                                    \
    X(C, commands, "commands posted to workers")                                                   \
    X(C, command_failures, "commands that a worker answered with an error")                        \
    X(C, refused_stress, "requests refused because their worker was under too much stress")        \
    X(C, refused_full, "requests refused because a limit of objects was reached")                  \
    X(C, events, "events taken from workers")                                                      \
    X(G, connections, "open connections")                                                          \
    X(G, requests_pending, "requests without an answer")                                           \
    X(G, commands_waiting, "commands that wait for room in a worker's mailbox")                    \
    X(G, routers, "live routers")                                                                  \
    X(G, transports, "live transports")                                                            \
    X(G, producers, "live producers")                                                              \
    X(G, consumers, "live consumers")                                                              \
    X(G, mirrors, "producers' stand-ins on other workers than their own")                          \
    X(G, webrtc_servers, "live WebRTC servers")                                                    \
    X(G, sockets, "sockets of live transports and WebRTC servers")                                 \
    X(G, workers_dead, "workers that have stopped by themselves")                                  \
    X(G, draining, "1 while the relay takes nothing new")                                          \
    X(G, resident_bytes, "resident memory of the process")

struct control_count {
#define CONTROL_COUNT_FIELD(type, name, help) uint64_t name;
    CONTROL_COUNTER_LIST(CONTROL_COUNT_FIELD)
#undef CONTROL_COUNT_FIELD
};

struct http;

struct control {
    struct config config;
    struct model model;
    struct certificate certificate; /* what DTLS peers are shown */
    struct desk *desks;             /* config.workers_n */
    struct conn *conns[CONTROL_CONNS_MAX];
    struct control_count count;
    struct http *http; /* NULL without a metrics port */
    json_t *no_params;
    int epoll_fd, listen_fd, signal_fd, spare_fd, lock_fd;
    uint32_t conns_high; /* slots from here on are empty */
    uint32_t requests_n;
    uint64_t serial_next;
    int64_t started_wall_us, started_us;
    int64_t stop_at_us;            /* end of draining */
    struct link retries;           /* struct request, to be run again at retry_at_us */
    int64_t retry_at_us, retry_us; /* retry_us: for how long, CONTROL_RETRY_US */
    struct trim trim;
    bool draining, stopping, more, failed;
};

/* Starts the workers and listens. 0 or -errno, all undone; `why` says what to do about it.
 * `signals`: takes over SIGTERM, SIGINT and SIGHUP of the process. */
int control_init(struct control *control, const struct config *config, bool signals,
                 char why[CONFIG_ERROR_BYTES]);
void control_exit(struct control *control);

/* One turn; waits up to `timeout_ms` (-1: until something happens). False: it is over. */
bool control_turn(struct control *control, int timeout_ms);

/* Takes nothing new from now on; ends when the last router is closed or `seconds` are over. */
void control_drain(struct control *control, uint32_t seconds);

/* Takes new rooms again. */
void control_undrain(struct control *control);

/* A connection made by somebody else (tests). Takes the descriptor. NULL: refused, closed. */
struct conn *control_adopt(struct control *control, int fd);

/* One line of a connection, without its newline: what the socket's lines end in. */
void control_line(struct control *control, struct conn *conn, char *line, size_t bytes);

/* Queues a line for a connection; one that does not read is disconnected loudly. */
void control_send(struct control *control, struct conn *conn, const char *text, size_t bytes);

/* Adds an errand to its worker's desk. */
void control_errand(struct control *control, uint16_t worker, struct errand *errand);

/* Brings the gauges of `count` up to date. */
void control_gauges(struct control *control);

/* ctl/dispatch.c: finds the method, reads the parameters' outermost object and runs it. Takes the
 * request. */
void dispatch(struct control *control, struct request *request);

/* ctl/event.c: something a worker says by itself. */
void control_event(struct control *control, uint16_t worker, const struct outcome *outcome);
void control_event_drop(const struct outcome *outcome); /* nobody wants it: frees what it carries */
void control_worker_died(struct control *control, uint16_t worker);

#endif
