/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/http.h - GET /metrics on a loopback TCP port, for Prometheus; nothing else.
 *
 * HTTP_CONNS_MAX at once, each HTTP_SECONDS at most, a request of HTTP_REQUEST_BYTES at most, one
 * answer, then closed. Threads: the control thread's. */
#ifndef CTL_HTTP_H
#define CTL_HTTP_H

#include "ctl/config.h"

struct control;
struct http;

enum { HTTP_CONNS_MAX = 8, HTTP_SECONDS = 5, HTTP_REQUEST_BYTES = 4096 };

/* Listens on 127.0.0.1. Its events come from `epoll_fd` with `key`. 0 or -errno with `why`. */
int http_init(struct http **http, uint16_t port, int epoll_fd, uint64_t key,
              char why[CONFIG_ERROR_BYTES]);
void http_exit(struct http *http);

/* Once a turn. */
void http_service(struct http *http, struct control *control);
bool http_is_busy(const struct http *http);

/* What a request is, as far as it has come; no later byte changes what is decided. Values, no
 * state: here for the fuzz target. */
enum http_asked {
    HTTP_ASKED_MORE,     /* its head has not ended yet */
    HTTP_ASKED_TOO_MUCH, /* and never will: HTTP_REQUEST_BYTES are there */
    HTTP_ASKED_METRICS,
    HTTP_ASKED_OTHER_PATH,
    HTTP_ASKED_OTHER_METHOD,
};

enum http_asked http_asked(const char *text, size_t bytes);

/* The port it listens on. */
uint16_t http_port(const struct http *http);

#endif
