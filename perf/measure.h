/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/measure.h - what a process costs, read from outside it: CPU of its threads, system calls,
 * memory.
 *
 * CPU is /proc/<pid>/task/<tid>/schedstat (nanoseconds on a core, kernel work on its behalf
 * included, io_uring's helper threads are threads of the process and count). System calls are the
 * raw_syscalls:sys_enter tracepoint, counted by the kernel per thread. Memory is Pss plus huge
 * pages from smaps_rollup. A figure that the system does not give is MEASURE_NONE, never a guess.
 */
#ifndef PERF_MEASURE_H
#define PERF_MEASURE_H

#include "core/base.h"

#include <sys/types.h>

enum { MEASURE_THREADS_MAX = 128 };

#define MEASURE_NONE INT64_MIN

/* Threads of a process that count. io_uring's helpers (iou-*) of that process are added by every
 * call: they come and go. */
struct measure_threads {
    pid_t pid;
    int tids[MEASURE_THREADS_MAX];
    int n;
};

/* All threads that the process has now. */
void measure_threads_all(struct measure_threads *threads, pid_t pid);

/* CPU in ns; MEASURE_NONE. */
int64_t measure_cpu_ns(const struct measure_threads *threads);

/* The same of one thread, or of a process with one. */
int64_t measure_thread_cpu_ns(pid_t pid, int tid);

/* How long they could have run and had no processor, in ns; MEASURE_NONE. */
int64_t measure_waited_ns(const struct measure_threads *threads);

/* Both of one thread. False: unknown. */
bool measure_thread_times(pid_t pid, int tid, int64_t *run_ns, int64_t *wait_ns);

/* Pss and huge pages of a process in bytes; MEASURE_NONE. */
int64_t measure_memory_bytes(pid_t pid);

/* Memory of UDP sockets and unreclaimable slab of the whole system in bytes: only differences mean
 * something. */
int64_t measure_kernel_bytes(void);

struct measure_syscalls {
    int fds[MEASURE_THREADS_MAX];
    int fds_n;
};

/* Counts from here on. 0, or -errno where it is not permitted. */
int measure_syscalls_open(struct measure_syscalls *counter, const struct measure_threads *threads);
int64_t measure_syscalls_read(const struct measure_syscalls *counter);
void measure_syscalls_close(struct measure_syscalls *counter);

#endif
