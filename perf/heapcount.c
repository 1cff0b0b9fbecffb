/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/heapcount.c - a library to be preloaded: passes heap calls on to glibc and counts them by
 * thread.
 *
 * It must not allocate itself: glibc's own names behind the public ones are called directly, and
 * the thread's place is in static thread-local storage. */
#include "perf/heapcount.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void __libc_free(void *memory);
void *__libc_memalign(size_t align, size_t bytes);

static struct heapcount *counts;
static __thread uint32_t place __attribute__((tls_model("initial-exec"))); /* + 1; 0: none yet */

__attribute__((constructor)) static void start(void)
{
    const char *fd = getenv(HEAPCOUNT_ENV);
    if (fd == NULL)
        return;
    void *memory = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(fd), 0);
    if (memory == MAP_FAILED)
        return;
    counts = memory;
    atomic_store(&counts->ready, 1);
}

static void count(void)
{
    if (counts == NULL)
        return;
    if (place == 0) {
        place = atomic_fetch_add(&counts->threads_n, 1) + 1;
        if (place <= HEAPCOUNT_THREADS_MAX)
            atomic_store(&counts->threads[place - 1].tid, (int32_t)syscall(SYS_gettid));
    }
    if (place <= HEAPCOUNT_THREADS_MAX)
        atomic_fetch_add_explicit(&counts->threads[place - 1].calls, 1, memory_order_relaxed);
}

void *malloc(size_t bytes)
{
    count();
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    count();
    return __libc_calloc(n, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    count();
    return __libc_realloc(memory, bytes);
}

void free(void *memory)
{
    count();
    __libc_free(memory);
}

void *memalign(size_t align, size_t bytes)
{
    count();
    return __libc_memalign(align, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    return memalign(align, bytes);
}

int posix_memalign(void **memory, size_t align, size_t bytes)
{
    if (align < sizeof(void *) || (align & (align - 1)) != 0)
        return EINVAL;
    void *got = memalign(align, bytes);
    if (got == NULL)
        return ENOMEM;
    *memory = got;
    return 0;
}
