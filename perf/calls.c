/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/calls.c - JSON-RPC lines without waiting. */
#include "perf/calls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

bool calls_open(struct calls *calls, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    *calls = (struct calls){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    if (calls->fd >= 0 && connect(calls->fd, (struct sockaddr *)&name, sizeof name) == 0)
        return true;
    fprintf(stderr, "sluice-perf: cannot connect to %s: %s\n", path, strerror(errno));
    calls_close(calls);
    return false;
}

void calls_close(struct calls *calls)
{
    if (calls->fd >= 0)
        close(calls->fd);
    free(calls->in.text);
    free(calls->out.text);
    *calls = (struct calls){.fd = -1};
}

static bool make_room(struct calls_buffer *buffer, size_t more)
{
    if (buffer->room - buffer->bytes >= more)
        return true;
    size_t room = 2 * (buffer->bytes + more);
    char *text = room > CALLS_BYTES_MAX ? NULL : realloc(buffer->text, room);
    if (text == NULL)
        return false;
    buffer->text = text;
    buffer->room = room;
    return true;
}

static void lose(struct calls *calls)
{
    close(calls->fd);
    calls->fd = -1;
}

static void flush(struct calls *calls)
{
    struct calls_buffer *out = &calls->out;
    if (calls->fd < 0 || out->bytes == 0)
        return;
    ssize_t put = send(calls->fd, out->text, out->bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN)
        lose(calls);
    if (put <= 0)
        return;
    out->bytes -= (size_t)put;
    memmove(out->text, out->text + put, out->bytes);
}

bool calls_send(struct calls *calls, int64_t id, const char *method, json_t *params)
{
    json_t *request = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)id,
                                "method", method, "params", params);
    char *line = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    size_t bytes = line == NULL ? 0 : strlen(line);
    json_decref(request);
    bool right = bytes > 0 && calls->fd >= 0 && make_room(&calls->out, bytes + 1);
    if (right) {
        line[bytes] = '\n';
        memcpy(calls->out.text + calls->out.bytes, line, bytes + 1);
        calls->out.bytes += bytes + 1;
        flush(calls);
    }
    free(line);
    return right;
}

/* Reads what is there. False: nothing, or the end. */
static bool fill(struct calls *calls)
{
    struct calls_buffer *in = &calls->in;
    in->bytes -= calls->taken;
    if (in->bytes > 0)
        memmove(in->text, in->text + calls->taken, in->bytes);
    calls->taken = 0;
    if (calls->fd < 0 || !make_room(in, READ_BYTES))
        return false;
    ssize_t got = recv(calls->fd, in->text + in->bytes, in->room - in->bytes, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        lose(calls);
    if (got <= 0)
        return false;
    in->bytes += (size_t)got;
    return true;
}

json_t *calls_next(struct calls *calls)
{
    flush(calls);
    do {
        const char *from = calls->in.text + calls->taken;
        size_t left = calls->in.bytes - calls->taken;
        const char *end = left == 0 ? NULL : memchr(from, '\n', left);
        if (end != NULL) {
            calls->taken += (size_t)(end - from) + 1;
            return json_loadb(from, (size_t)(end - from), 0, NULL);
        }
    } while (fill(calls));
    return NULL;
}
