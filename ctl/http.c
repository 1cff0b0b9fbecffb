/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/http.c - GET /metrics on a loopback TCP port, for Prometheus; nothing else. */
#include "ctl/http.h"

#include "core/addr.h"
#include "core/clock.h"
#include "ctl/listen.h"
#include "ctl/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct http_conn {
    int fd; /* -1: free */
    int64_t until_us;
    size_t in_n, out_n, out_at;
    char *out; /* NULL: still reading */
    char in[HTTP_REQUEST_BYTES];
};

struct http {
    int fd, epoll_fd, spare_fd;
    uint64_t key;
    struct http_conn *conns[HTTP_CONNS_MAX];
};

int http_init(struct http **out, uint16_t port, int epoll_fd, uint64_t key,
              char why[CONFIG_ERROR_BYTES])
{
    struct http *http = calloc(1, sizeof(*http));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct addr local;
    int one = 1;
    int failed = http && fd >= 0 ? addr_parse(&local, "127.0.0.1", port) : -ENOMEM;
    if (!failed) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = key};
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(fd, &local.sa, addr_len(&local)) != 0 || listen(fd, HTTP_CONNS_MAX) != 0 ||
            epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
            failed = -errno;
    }
    if (failed) {
        snprintf(why, CONFIG_ERROR_BYTES, "metrics port %u: %s (choose another --metrics-port)",
                 port, strerror(-failed));
        if (fd >= 0)
            close(fd);
        free(http);
        return failed;
    }
    *http = (struct http){.fd = fd, .epoll_fd = epoll_fd, .spare_fd = listen_spare(), .key = key};
    *out = http;
    return 0;
}

static void conn_end(struct http *http, size_t i)
{
    close(http->conns[i]->fd);
    free(http->conns[i]->out);
    free(http->conns[i]);
    http->conns[i] = NULL;
}

void http_exit(struct http *http)
{
    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        if (http->conns[i])
            conn_end(http, i);
    }
    close(http->fd);
    if (http->spare_fd >= 0)
        close(http->spare_fd);
    free(http);
}

uint16_t http_port(const struct http *http)
{
    struct addr local = {0};
    socklen_t bytes = sizeof(local);
    if (getsockname(http->fd, &local.sa, &bytes) != 0)
        return 0;
    return addr_port(&local);
}

bool http_is_busy(const struct http *http)
{
    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        if (http->conns[i])
            return true;
    }
    return false;
}

/* The next caller, or -1. Where no descriptor is left, one is kept to take him off the queue with:
 * if he stayed there, his readiness would wake the control thread for ever. */
static int caller_take(struct http *http)
{
    int fd = accept4(http->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
        return fd;
    if (http->spare_fd >= 0)
        close(http->spare_fd);
    fd = accept4(http->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        close(fd);
    http->spare_fd = listen_spare();
    return -1;
}

/* One too many: closed at once, for the same reason. */
static void conns_refuse(struct http *http)
{
    for (size_t i = 0; i < HTTP_CONNS_MAX; i++)
        if (!http->conns[i])
            return;
    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        int fd = caller_take(http);
        if (fd < 0)
            return;
        close(fd);
    }
}

static void conns_accept(struct http *http, int64_t now_us)
{
    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        if (http->conns[i])
            continue;
        int fd = caller_take(http);
        if (fd < 0)
            return;
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = http->key};
        struct http_conn *conn = calloc(1, sizeof(*conn));
        if (!conn || epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            free(conn);
            close(fd);
            return;
        }
        conn->fd = fd;
        conn->until_us = now_us + (int64_t)HTTP_SECONDS * 1000000;
        http->conns[i] = conn;
    }
    conns_refuse(http);
}

enum http_asked http_asked(const char *text, size_t bytes)
{
    static const char end[] = "\r\n\r\n", method[] = "GET ", path[] = "GET /metrics ";
    if (!bytes || !memmem(text, bytes, end, strlen(end)))
        return bytes < HTTP_REQUEST_BYTES ? HTTP_ASKED_MORE : HTTP_ASKED_TOO_MUCH;
    if (bytes >= strlen(path) && memcmp(text, path, strlen(path)) == 0)
        return HTTP_ASKED_METRICS;
    if (memcmp(text, method, strlen(method)) == 0) /* the end of its head is as long */
        return HTTP_ASKED_OTHER_PATH;
    return HTTP_ASKED_OTHER_METHOD;
}

static void answer(struct http *http, struct http_conn *conn, struct control *control,
                   enum http_asked asked)
{
    char *body = asked == HTTP_ASKED_METRICS ? metrics_text(control) : NULL;
    const char *status = body                               ? "200 OK"
                         : asked == HTTP_ASKED_OTHER_METHOD ? "405 Method Not Allowed"
                         : asked == HTTP_ASKED_METRICS      ? "500 Internal Server Error"
                                                            : "404 Not Found";
    char *text = NULL;
    int wrote = asprintf(&text,
                         "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                         "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                         status, body ? strlen(body) : 0, body ? body : "");
    free(body);
    if (wrote < 0) {
        conn->until_us = 0;
        return;
    }
    conn->out = text;
    conn->out_n = (size_t)wrote;
    struct epoll_event event = {.events = EPOLLOUT, .data.u64 = http->key};
    epoll_ctl(http->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

/* False: it is over. */
static bool conn_step(struct http *http, struct http_conn *conn, struct control *control)
{
    if (!conn->out) {
        ssize_t got =
            recv(conn->fd, conn->in + conn->in_n, HTTP_REQUEST_BYTES - conn->in_n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        conn->in_n += got > 0 ? (size_t)got : 0;
        enum http_asked asked = http_asked(conn->in, conn->in_n);
        if (asked == HTTP_ASKED_MORE || asked == HTTP_ASKED_TOO_MUCH)
            return asked == HTTP_ASKED_MORE;
        answer(http, conn, control, asked);
    }
    if (!conn->out)
        return false;
    ssize_t sent = send(conn->fd, conn->out + conn->out_at, conn->out_n - conn->out_at,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    conn->out_at += (size_t)sent;
    return conn->out_at < conn->out_n;
}

void http_service(struct http *http, struct control *control)
{
    int64_t now_us = clock_now_us();
    for (size_t i = 0; i < HTTP_CONNS_MAX; i++) {
        struct http_conn *conn = http->conns[i];
        if (conn && (now_us >= conn->until_us || !conn_step(http, conn, control)))
            conn_end(http, i);
    }
    conns_accept(http, now_us);
}
