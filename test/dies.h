/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/dies.h - a bug must end the program: runs it in a process of its own and looks how that
 * ended.
 *
 * Only while the test has one thread. What the child prints is left out. */
#ifndef SLUICE_TEST_DIES_H
#define SLUICE_TEST_DIES_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Wait status of a child that runs `what(with)`, 0 when it came back from it; -1 if there was none.
 */
static inline int dies_status(void (*what)(void *with), void *with)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        what(with);
        _exit(0);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

/* By a failed ASSERT. */
static inline bool dies_by_assert(void (*what)(void *with), void *with)
{
    int status = dies_status(what, with);
    return status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
