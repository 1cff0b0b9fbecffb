/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/client.c - the other end of the control socket: connect, call, wait for notifications. */
#include "ctl/client.h"

#include "core/clock.h"
#include "ctl/listen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 8 << 20, READ_BYTES = 65536 };

static int connect_at(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(name.sun_path))
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static const char *remedy_of(int error)
{
    switch (error) {
    case -ENOENT:
    case -ECONNREFUSED:
        return "is the relay running? Start it with `sluiced` or `systemctl start sluiced`; if it "
               "listens elsewhere, give --socket PATH or set SLUICE_SOCKET";
    case -EACCES:
    case -EPERM:
        return "you may not: use sudo, or become a member of the socket's group";
    default:
        return "see --socket PATH";
    }
}

int client_open(struct client *client, const char *path, char why[CONFIG_ERROR_BYTES])
{
    char place[CONFIG_PATH_BYTES] = CONFIG_SOCKET;
    const char *named = path ? path : getenv("SLUICE_SOCKET");
    *client = (struct client){.fd = -ENOENT};
    if (named && named[0]) {
        client->fd = connect_at(named);
    } else {
        named = CONFIG_SOCKET;
        for (size_t n = 0; client->fd < 0 && listen_place(n, place); n++) {
            int fd = connect_at(place);
            if (fd >= 0 || n == 0 || fd == -EACCES)
                client->fd = fd;
        }
    }
    if (client->fd >= 0)
        return 0;
    snprintf(why, CONFIG_ERROR_BYTES, "cannot reach %s: %s; %s", named, strerror(-client->fd),
             remedy_of(client->fd));
    return client->fd;
}

void client_close(struct client *client)
{
    close(client->fd);
    free(client->in);
}

static bool send_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(fd, text, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        text += sent > 0 ? sent : 0;
        bytes -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

/* More bytes; false: over. */
static bool read_more(struct client *client, int64_t until_us, char why[CONFIG_ERROR_BYTES])
{
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    int wait_ms = -1;
    if (until_us >= 0)
        wait_ms = (int)clamp_i64((until_us - clock_now_us()) / 1000, 0, 86400000);
    int ready = poll(&poll_fd, 1, wait_ms);
    if (ready == 0 || (ready < 0 && errno != EINTR)) {
        snprintf(why, CONFIG_ERROR_BYTES, "the relay does not answer");
        return false;
    }
    if (client->in_room - client->in_n < READ_BYTES) {
        size_t room =
            client->in_room + (client->in_room > READ_BYTES ? client->in_room : READ_BYTES);
        char *in = room <= 2 * (size_t)ANSWER_BYTES_MAX ? realloc(client->in, room) : NULL;
        if (!in) {
            snprintf(why, CONFIG_ERROR_BYTES, "the answer is too long");
            return false;
        }
        client->in = in;
        client->in_room = room;
    }
    ssize_t got = recv(client->fd, client->in + client->in_n, client->in_room - client->in_n, 0);
    if (got <= 0 && !(got < 0 && errno == EINTR)) {
        snprintf(why, CONFIG_ERROR_BYTES, "the relay has closed the connection");
        return false;
    }
    client->in_n += got > 0 ? (size_t)got : 0;
    return true;
}

json_t *client_next(struct client *client, int timeout_ms, char why[CONFIG_ERROR_BYTES])
{
    int64_t until_us = timeout_ms < 0 ? -1 : clock_now_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        char *end = client->in_n ? memchr(client->in, '\n', client->in_n) : NULL;
        if (!end) {
            if (!read_more(client, until_us, why))
                return NULL;
            continue;
        }
        size_t bytes = (size_t)(end - client->in);
        json_t *value = json_loadb(client->in, bytes, 0, NULL);
        memmove(client->in, end + 1, client->in_n - bytes - 1);
        client->in_n -= bytes + 1;
        if (!value)
            snprintf(why, CONFIG_ERROR_BYTES, "what answers there is no relay");
        return value;
    }
}

json_t *client_call(struct client *client, const char *method, const json_t *params, int timeout_ms,
                    char why[CONFIG_ERROR_BYTES])
{
    json_t *given = params ? json_incref((json_t *)(uintptr_t)params) : json_object();
    int id = ++client->id;
    json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", id, "method",
                                method, "params", given);
    char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    bool sent = line && send_all(client->fd, line, strlen(line)) && send_all(client->fd, "\n", 1);
    free(line);
    if (!sent) {
        snprintf(why, CONFIG_ERROR_BYTES, "the request could not be sent");
        return NULL;
    }
    for (;;) {
        json_t *answer = client_next(client, timeout_ms, why);
        if (!answer || !json_object_get(answer, "method"))
            return answer;
        json_decref(answer);
    }
}
