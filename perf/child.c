/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/child.c - fork, exec, wait. */
#include "perf/child.h"

#include "core/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 64, OUTPUT_BYTES_MAX = 8 << 20, POLL_MS = 200, GRACE_MS = 5000 };

/* What was written into a file in memory. */
static char *content(int fd)
{
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    size_t bytes = end > OUTPUT_BYTES_MAX ? OUTPUT_BYTES_MAX : end > 0 ? (size_t)end : 0, n = 0;
    char *text = malloc(bytes + 1);
    while (text != NULL && n < bytes) {
        ssize_t got = pread(fd, text + n, bytes - n, (off_t)n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    if (text != NULL)
        text[n] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static void become(char *const *args, int out, int err, pid_t parent)
{
    char name[] = "sluice-perf";
    char *all[ARGS_MAX] = {name};
    for (size_t i = 0; args[i] != NULL && i + 2 < ARGS_MAX; i++)
        all[i + 1] = args[i];
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* it stops what it started itself */
    if (getppid() == parent && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
        execv("/proc/self/exe", all);
    _exit(127);
}

/* True when it has ended by then. */
static bool ends_within(pid_t pid, int *status, double seconds)
{
    int64_t until_us = clock_now_us() + (int64_t)(seconds * 1e6);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* -1: looks five times a second */
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        bool ended = waitpid(pid, status, WNOHANG) == pid;
        if (ended || clock_now_us() >= until_us) {
            if (fd >= 0)
                close(fd);
            return ended;
        }
        poll(&poll_fd, 1, POLL_MS);
    }
}

void child_run(struct child *child, char *const *args, double seconds_max)
{
    int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), status = 0;
    pid_t parent = getpid(), pid = out >= 0 && err >= 0 ? fork() : -1;
    *child = (struct child){.status = -1};
    if (pid == 0)
        become(args, out, err, parent);
    if (pid > 0 && !ends_within(pid, &status, seconds_max)) {
        child->late = true;
        kill(pid, SIGTERM);
        if (!ends_within(pid, &status, GRACE_MS / 1e3)) {
            kill(pid, SIGKILL);
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        }
    }
    if (pid > 0 && WIFEXITED(status) && !child->late)
        child->status = WEXITSTATUS(status);
    child->out = content(out);
    child->err = content(err);
}

void child_free(struct child *child)
{
    free(child->out);
    free(child->err);
    *child = (struct child){0};
}
