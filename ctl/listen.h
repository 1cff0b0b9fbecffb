/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/listen.h - the Unix socket that controllers connect to: where it is, who may, one relay a
 * path.
 *
 * A lock file beside the socket keeps a second relay out; a socket file that nobody has locked is
 * left from a crash and is removed. Who holds the lock of the file that the name leads to owns
 * both names; a relay that ends removes them while it still holds it. Threads: the control
 * thread's. */
#ifndef CTL_LISTEN_H
#define CTL_LISTEN_H

#include "ctl/config.h"

#include <sys/types.h>

/* The places where a relay listens when nobody says where, best first: CONFIG_SOCKET, then
 * $XDG_RUNTIME_DIR/sluice/sluice.sock, then /tmp/sluice-<uid>/sluice.sock. False when there is no
 * such place any more. */
bool listen_place(size_t n, char path[CONFIG_PATH_BYTES]);

/* Binds config->socket, mode 0660; where it was not given and cannot be had, the next place, which
 * then stands in config->socket. 0 or -errno with the reason and the remedy in `why`. */
int listen_open(int *listen_fd, int *lock_fd, struct config *config, char why[CONFIG_ERROR_BYTES]);
void listen_close(int listen_fd, int lock_fd, const struct config *config);

/* Who is at the other end; zeros if the kernel does not say. */
void listen_peer(int fd, pid_t *pid, uid_t *uid, gid_t *gid);

/* A descriptor to be given up when there is no other. -1 without. */
int listen_spare(void);

/* The nth processor that the process may use, -1 without. */
int listen_processor(uint32_t n);

#endif
