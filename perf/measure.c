/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/measure.c - /proc and tracepoints. */
#include "perf/measure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Reads a small file whole; the number of bytes, 0 when there is none. */
static size_t read_file(const char *path, char *text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    size_t at = 0;
    ssize_t got;
    while (at + 1 < bytes && (got = read(fd, text + at, bytes - 1 - at)) > 0)
        at += (size_t)got;
    text[at] = '\0';
    close(fd);
    return at;
}

static bool is_helper(pid_t pid, int tid)
{
    char path[64], name[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", pid, tid);
    return read_file(path, name, sizeof name) > 0 && strncmp(name, "iou-", 4) == 0;
}

/* Threads of the process, `helpers` only io_uring's; appended to `tids`, of which there are `n`. */
static int list_threads(pid_t pid, bool helpers, int tids[MEASURE_THREADS_MAX], int n)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return n;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL && n < MEASURE_THREADS_MAX;) {
        int tid = atoi(entry->d_name);
        if (tid > 0 && is_helper(pid, tid) == helpers)
            tids[n++] = tid;
    }
    closedir(dir);
    return n;
}

static int with_helpers(const struct measure_threads *threads, int tids[MEASURE_THREADS_MAX])
{
    memcpy(tids, threads->tids, sizeof threads->tids);
    return list_threads(threads->pid, true, tids, threads->n);
}

void measure_threads_all(struct measure_threads *threads, pid_t pid)
{
    threads->pid = pid;
    threads->n = list_threads(pid, false, threads->tids, 0);
}

bool measure_thread_times(pid_t pid, int tid, int64_t *run_ns, int64_t *wait_ns)
{
    char path[64], text[128], *end;
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", pid, tid);
    if (read_file(path, text, sizeof text) == 0)
        return false;
    *run_ns = strtoll(text, &end, 10);
    *wait_ns = strtoll(end, NULL, 10);
    return true;
}

int64_t measure_thread_cpu_ns(pid_t pid, int tid)
{
    int64_t run_ns, wait_ns;
    return measure_thread_times(pid, tid, &run_ns, &wait_ns) ? run_ns : MEASURE_NONE;
}

/* All threads together; false: one is unknown, or there is none. */
static bool sum_times(const struct measure_threads *threads, int64_t *run_ns, int64_t *wait_ns)
{
    int tids[MEASURE_THREADS_MAX];
    int n = with_helpers(threads, tids);
    *run_ns = *wait_ns = 0;
    for (int i = 0; i < n; i++) {
        int64_t run_one, wait_one;
        if (!measure_thread_times(threads->pid, tids[i], &run_one, &wait_one))
            return false;
        *run_ns += run_one;
        *wait_ns += wait_one;
    }
    return n > 0;
}

int64_t measure_cpu_ns(const struct measure_threads *threads)
{
    int64_t run_ns, wait_ns;
    return sum_times(threads, &run_ns, &wait_ns) ? run_ns : MEASURE_NONE;
}

int64_t measure_waited_ns(const struct measure_threads *threads)
{
    int64_t run_ns, wait_ns;
    return sum_times(threads, &run_ns, &wait_ns) ? wait_ns : MEASURE_NONE;
}

/* Value in bytes of a "Name:   123 kB" line. */
static int64_t field_bytes(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at == NULL ? 0 : strtoll(at + strlen(name), NULL, 10) * 1024;
}

int64_t measure_memory_bytes(pid_t pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    if (read_file(path, text, sizeof text) == 0)
        return MEASURE_NONE;
    /* Anonymous huge pages are in Pss already; hugetlb pages are not. */
    return field_bytes(text, "\nPss:") + field_bytes(text, "\nShared_Hugetlb:") +
           field_bytes(text, "\nPrivate_Hugetlb:");
}

int64_t measure_kernel_bytes(void)
{
    char text[8192];
    if (read_file("/proc/meminfo", text, sizeof text) == 0)
        return MEASURE_NONE;
    int64_t bytes = field_bytes(text, "\nSUnreclaim:");
    if (read_file("/proc/net/sockstat", text, sizeof text) == 0)
        return bytes;
    const char *udp = strstr(text, "UDP: inuse");
    const char *mem = udp == NULL ? NULL : strstr(udp, "mem ");
    return mem == NULL ? bytes : bytes + strtoll(mem + 4, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static int64_t tracepoint_id(void)
{
    static const char *const roots[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    for (size_t i = 0; i < ARRAY_N(roots); i++) {
        char path[128], text[32];
        snprintf(path, sizeof path, "%s/events/raw_syscalls/sys_enter/id", roots[i]);
        if (read_file(path, text, sizeof text) > 0)
            return strtoll(text, NULL, 10);
    }
    return -1;
}

int measure_syscalls_open(struct measure_syscalls *counter, const struct measure_threads *threads)
{
    int tids[MEASURE_THREADS_MAX];
    int n = with_helpers(threads, tids);
    int64_t id = tracepoint_id();
    counter->fds_n = 0;
    if (id < 0)
        return -ENOENT;
    for (int i = 0; i < n; i++) {
        struct perf_event_attr attr = {
            .type = PERF_TYPE_TRACEPOINT, .size = sizeof attr, .config = (uint64_t)id};
        long fd = syscall(SYS_perf_event_open, &attr, tids[i], -1, -1, PERF_FLAG_FD_CLOEXEC);
        if (fd < 0) {
            int error = errno;
            measure_syscalls_close(counter);
            return -error;
        }
        counter->fds[counter->fds_n++] = (int)fd;
    }
    return n == 0 ? -ESRCH : 0;
}

int64_t measure_syscalls_read(const struct measure_syscalls *counter)
{
    int64_t sum = 0;
    for (int i = 0; i < counter->fds_n; i++) {
        uint64_t count;
        if (read(counter->fds[i], &count, sizeof count) != sizeof count)
            return MEASURE_NONE;
        sum += (int64_t)count;
    }
    return counter->fds_n == 0 ? MEASURE_NONE : sum;
}

void measure_syscalls_close(struct measure_syscalls *counter)
{
    for (int i = 0; i < counter->fds_n; i++)
        close(counter->fds[i]);
    counter->fds_n = 0;
}
