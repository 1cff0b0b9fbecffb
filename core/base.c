/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/base.c - the end of a program that has a bug, and memory straight from the kernel. */
#include "core/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void base_assert_failed(const char *truth, const char *file, int line)
{
    char text[512];
    int bytes = snprintf(text, sizeof(text), "%s:%d: assertion failed: %s\n", file, line, truth);
    if (bytes > 0) /* no stdio: the heap may be what is broken */
        (void)!write(STDERR_FILENO, text, min_size((size_t)bytes, sizeof(text) - 1));
    abort();
}

size_t base_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *base_map(size_t bytes)
{
    ASSERT(bytes > 0);
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    /* Where huge pages are the system's default, one touched byte would cost 2 MiB. A kernel
     * without them refuses, which is as good. */
    (void)madvise(at, bytes, MADV_NOHUGEPAGE);
    return at;
}

void base_give_back(void *at, size_t bytes)
{
    size_t page = base_page_bytes();
    uintptr_t from = round_up_size((uintptr_t)at, page);
    uintptr_t to = ((uintptr_t)at + bytes) / page * page;
    if (from < to)
        (void)madvise((void *)from, to - from, MADV_DONTNEED); /* refused: it stays resident */
}

size_t base_resident_bytes(const void *at, size_t bytes)
{
    enum { PAGES = 4096 };

    unsigned char in_memory[PAGES];
    size_t page = base_page_bytes(), resident = 0;
    uintptr_t from = (uintptr_t)at, to = from + bytes;
    for (uintptr_t block = from / page * page; block < to; block += PAGES * page) {
        size_t pages_n = min_size((to - block + page - 1) / page, PAGES);
        if (mincore((void *)block, pages_n * page, in_memory) != 0)
            return 0;
        for (size_t i = 0; i < pages_n; i++) {
            uintptr_t begin = block + i * page, end = begin + page;
            begin = begin < from ? from : begin;
            end = end > to ? to : end;
            resident += in_memory[i] & 1 ? end - begin : 0;
        }
    }
    return resident;
}

void base_unmap(void *at, size_t bytes)
{
    if (at)
        ASSERT(munmap(at, bytes) == 0);
}
