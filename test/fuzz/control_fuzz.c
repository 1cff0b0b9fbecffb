/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/control_fuzz.c - lines of the control socket, up to their methods and back: whatever
 * they say, the relay answers and can close all it made.
 *
 * The input is what a controller sends: lines. Every answer must be JSON, and afterwards nothing
 * may be left. */
#include "ctl/close.h"
#include "ctl/control.h"
#include "ctl/jsonrpc.h"
#include "net/dtls.h"
#include "test/fake_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Made once: what remains of one input would show in the next. */
static struct control *control_get(void)
{
    static struct control *control;
    static char folder[] = "/tmp/sluice-fuzz-XXXXXX";
    if (control)
        return control;
    struct config config;
    char why[CONFIG_ERROR_BYTES] = "";
    config_default(&config);
    config.workers_n = WORKERS;
    config.placement = PLACEMENT_SPREAD;
    config.sockets_max = config.transports_max = config.producers_max = config.consumers_max = 32;
    config.log_level = LOG_LEVEL_NONE;
    log_set(LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
    ASSERT(config_check(&config, why));
    ASSERT(dtls_library_init() == 0);
    ASSERT(mkdtemp(folder) != NULL);
    snprintf(config.socket, sizeof(config.socket), "%s/s", folder);
    config.socket_given = true;
    control = malloc(sizeof(*control));
    ASSERT(control_init(control, &config, false, why) == 0);
    control->retry_us = 0; /* a busy port is refused at once: nothing outlives its input */
    unlink(config.socket);
    char lock[CONFIG_PATH_BYTES + 8];
    snprintf(lock, sizeof(lock), "%s.lock", config.socket);
    unlink(lock);
    rmdir(folder);
    return control;
}

static void answers_check(int fd)
{
    static char text[1 << 20];
    ssize_t got = 0;
    size_t n = 0;
    while (n < sizeof(text) && (got = recv(fd, text + n, sizeof(text) - n, MSG_DONTWAIT)) > 0)
        n += (size_t)got;
    char *at = text, *end = NULL;
    while ((end = memchr(at, '\n', n - (size_t)(at - text)))) {
        json_t *value = json_loadb(at, (size_t)(end - at), 0, NULL);
        ASSERT(json_is_object(value));
        json_decref(value);
        at = end + 1;
    }
}

static void settle(struct control *control)
{
    for (int i = 0; i < 6; i++)
        control_turn(control, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct control *control = control_get();
    struct router *router = NULL;
    struct webrtc_server *server = NULL;
    int pair[2];
    if (bytes > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        return 0;
    struct conn *conn = control_adopt(control, pair[1]);
    ASSERT(conn != NULL);
    ssize_t sent = bytes ? send(pair[0], data, bytes, MSG_NOSIGNAL) : 0;
    (void)sent;
    settle(control);
    answers_check(pair[0]);
    close(pair[0]);
    settle(control);
    LIST_EACH(router, &control->model.routers, struct router, link)
    close_router(control, router, NULL, NOTICE_ROUTER_CLOSE);
    LIST_EACH(server, &control->model.servers, struct webrtc_server, link)
    close_server(control, server, NULL, NOTICE_WEBRTCSERVER_CLOSE);
    settle(control);
    control->draining = control->stopping = false;
    log_set(LOG_LEVEL_NONE, LOG_FORMAT_TEXT); /* server.setLog may have come */
    ASSERT(control->requests_n == 0);
    ASSERT(control->model.objects_n == 0);
    ASSERT(control->model.sockets_n == 0);
    ASSERT(control->model.texts.n == 0);
    ASSERT(control->model.mirrors_n == 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        for (size_t kind = OBJECT_SOCKET; kind < OBJECT_KIND_N; kind++) {
            ASSERT(fake_open_n(fake_worker(i), (enum object_kind)kind) == 0);
            ASSERT(control->model.places[i].of[kind].used_n == 0);
        }
    }
    return 0;
}
