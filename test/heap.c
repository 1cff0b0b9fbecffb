/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/heap.c - counts the calls of the heap, the libraries' too. */
#include "test/heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEAP_HOOKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEAP_HOOKS 1
#endif
#endif

static _Thread_local uint64_t calls;
static _Atomic uint64_t calls_all;
static _Thread_local const void *watched;
static _Thread_local size_t watched_bytes;
static _Thread_local uint64_t watched_hits;

uint64_t heap_calls(void)
{
    return calls;
}

uint64_t heap_watch(const void *bytes, size_t n)
{
    uint64_t hits = watched_hits;
    watched = bytes;
    watched_bytes = n;
    watched_hits = 0;
    return hits;
}

uint64_t heap_calls_all(void)
{
    return atomic_load_explicit(&calls_all, memory_order_relaxed);
}

static void called(void)
{
    calls++;
    atomic_fetch_add_explicit(&calls_all, 1, memory_order_relaxed);
}

static void released(void *at)
{
    called();
    if (watched && at)
        watched_hits += memmem(at, malloc_usable_size(at), watched, watched_bytes) != NULL;
}

#ifdef HEAP_HOOKS

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *at, size_t bytes)
{
    (void)at;
    (void)bytes;
    called();
}

static void on_free(const volatile void *at)
{
    released((void *)(uintptr_t)at);
}

__attribute__((constructor)) static void install(void)
{
    if (!__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free))
        abort();
}

#else

/* glibc's own names for what is replaced here. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *at);

void *malloc(size_t bytes)
{
    called();
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    called();
    return __libc_calloc(n, bytes);
}

void *realloc(void *at, size_t bytes)
{
    called();
    return __libc_realloc(at, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    called();
    return __libc_memalign(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes)
{
    called();
    void *at = __libc_memalign(align, bytes);
    if (!at)
        return ENOMEM;
    *out = at;
    return 0;
}

void free(void *at)
{
    released(at);
    __libc_free(at);
}

#endif
