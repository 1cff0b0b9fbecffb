/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/client.h - the other end of the control socket: connect, call, wait for notifications.
 * Blocking; for programs. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include "ctl/config.h"

struct client {
    int fd;
    char *in;
    size_t in_n, in_room;
    int id;
};

/* `path` NULL: SLUICE_SOCKET, else the places where a relay listens by itself. 0 or -errno with
 * what to do about it. */
int client_open(struct client *client, const char *path, char why[CONFIG_ERROR_BYTES]);
void client_close(struct client *client);

/* The answer {result} or {error}, a new reference; notifications that come meanwhile are passed
 * over. `params` is borrowed, NULL is none. NULL with `why` when the connection ended or
 * `timeout_ms` is over. */
json_t *client_call(struct client *client, const char *method, const json_t *params, int timeout_ms,
                    char why[CONFIG_ERROR_BYTES]);

/* The next line as JSON; `timeout_ms` -1 waits. */
json_t *client_next(struct client *client, int timeout_ms, char why[CONFIG_ERROR_BYTES]);

#endif
