/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/listen.c - the Unix socket that controllers connect to: where it is, who may, one relay a
 * path. */
#include "ctl/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    SOCKET_MODE = 0660,
    LOCK_TRIES = 100, /* each is another relay that has ended in this very moment */
};

static_assert(CONFIG_PATH_BYTES <= sizeof(((struct sockaddr_un *)0)->sun_path), "a path fits");

bool listen_place(size_t n, char path[CONFIG_PATH_BYTES])
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    int wrote = -1;
    if (n == 0)
        wrote = snprintf(path, CONFIG_PATH_BYTES, "%s", CONFIG_SOCKET);
    else if (n == 1 && run && run[0] == '/')
        wrote = snprintf(path, CONFIG_PATH_BYTES, "%s/sluice/sluice.sock", run);
    else if (n == 1 || n == 2)
        wrote = snprintf(path, CONFIG_PATH_BYTES, "/tmp/sluice-%u/sluice.sock", geteuid());
    else
        return false;
    return wrote > 0 && wrote < CONFIG_PATH_BYTES;
}

static void lock_path(const char *path, char lock[CONFIG_PATH_BYTES + 8])
{
    snprintf(lock, CONFIG_PATH_BYTES + 8, "%s.lock", path);
}

/* The folder of a place of our own; nobody else may have made it. */
static int folder_make(const char *path)
{
    char folder[CONFIG_PATH_BYTES];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return 0;
    *slash = '\0';
    bool shared = strncmp(folder, "/tmp/", 5) == 0;
    if (mkdir(folder, shared ? 0700 : 0750) != 0 && errno != EEXIST)
        return -errno;
    struct stat have;
    if (shared && (lstat(folder, &have) != 0 || !S_ISDIR(have.st_mode) ||
                   have.st_uid != geteuid() || have.st_mode & 0077))
        return -EPERM;
    return 0;
}

/* Is the file that is open the one that others would open now? A lock on any other keeps nobody
 * out. */
static bool lock_is_at(int fd, const char *lock)
{
    struct stat open_one, named;
    return fstat(fd, &open_one) == 0 && lstat(lock, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

/* A relay that ends takes its lock file away with it, and may do so between our open() and our
 * flock(): then that lock is worth nothing, and the file is made anew. */
static int lock_take(const char *path, int *lock_fd, char why[CONFIG_ERROR_BYTES])
{
    char lock[CONFIG_PATH_BYTES + 8];
    lock_path(path, lock);
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            int error = errno;
            snprintf(why, CONFIG_ERROR_BYTES,
                     "cannot make %s: %s (give another place with --socket, or make its folder "
                     "writable for user %u)",
                     lock, strerror(error), geteuid());
            return -error;
        }
        bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (locked && lock_is_at(fd, lock)) {
            *lock_fd = fd;
            return 0;
        }
        close(fd);
        if (!locked)
            break;
    }
    snprintf(why, CONFIG_ERROR_BYTES,
             "another sluiced listens at %s (stop it, or give this one its own --socket)", path);
    return -EADDRINUSE;
}

/* What a crash has left may go; anything else stays. */
static int stale_remove(const char *path, char why[CONFIG_ERROR_BYTES])
{
    struct stat have;
    if (lstat(path, &have) != 0)
        return 0;
    if (!S_ISSOCK(have.st_mode)) {
        snprintf(why, CONFIG_ERROR_BYTES, "%s exists and is no socket; it stays as it is", path);
        return -EEXIST;
    }
    if (unlink(path) != 0) {
        int error = errno;
        snprintf(why, CONFIG_ERROR_BYTES, "cannot remove the old socket %s: %s", path,
                 strerror(error));
        return -error;
    }
    log_info("control", "removed %s, left by a relay that did not end in order", path);
    return 0;
}

static int socket_bind(const char *path, char why[CONFIG_ERROR_BYTES])
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* Nobody can connect before listen(), so the mode is right from the first moment. */
    if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0 &&
        chmod(path, SOCKET_MODE) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    snprintf(why, CONFIG_ERROR_BYTES, "cannot listen at %s: %s", path, strerror(error));
    close(fd);
    return -error;
}

static int open_at(const char *path, int *listen_fd, int *lock_fd, char why[CONFIG_ERROR_BYTES])
{
    int failed = lock_take(path, lock_fd, why);
    if (failed)
        return failed;
    failed = stale_remove(path, why);
    if (!failed) {
        *listen_fd = socket_bind(path, why);
        failed = *listen_fd < 0 ? *listen_fd : 0;
    }
    if (failed) {
        close(*lock_fd);
        *lock_fd = *listen_fd = -1;
    }
    return failed;
}

int listen_open(int *listen_fd, int *lock_fd, struct config *config, char why[CONFIG_ERROR_BYTES])
{
    if (config->socket_given)
        return open_at(config->socket, listen_fd, lock_fd, why);

    int failed = -ENOENT;
    char path[CONFIG_PATH_BYTES];
    for (size_t n = 0; listen_place(n, path); n++) {
        failed = folder_make(path);
        if (failed)
            snprintf(why, CONFIG_ERROR_BYTES, "cannot make the folder of %s: %s", path,
                     strerror(-failed));
        else
            failed = open_at(path, listen_fd, lock_fd, why);
        if (!failed) {
            memcpy(config->socket, path, sizeof(path));
            return 0;
        }
        if (failed == -EADDRINUSE)
            return failed;
        log_warn("control", "%s; trying the next place", why);
    }
    return failed;
}

void listen_close(int listen_fd, int lock_fd, const struct config *config)
{
    char lock[CONFIG_PATH_BYTES + 8];
    lock_path(config->socket, lock);
    close(listen_fd);
    /* Where somebody has taken the lock file away, another relay may listen here by now, and the
     * names are its own. The socket goes first: whoever gets the next lock may bind at once. */
    if (lock_is_at(lock_fd, lock)) {
        unlink(config->socket);
        unlink(lock);
    }
    close(lock_fd);
}

void listen_peer(int fd, pid_t *pid, uid_t *uid, gid_t *gid)
{
    struct ucred peer = {0};
    socklen_t bytes = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
        peer = (struct ucred){0};
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
}

int listen_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int listen_processor(uint32_t n)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return -1;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set) && n-- == 0)
            return (int)cpu;
    }
    return -1;
}
