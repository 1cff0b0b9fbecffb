/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/guard.h - bytes that end at a page which may not be touched: one byte too far ends the test.
 *
 * One mapping per test file, made when first used; each call reuses it. Up to GUARD_BYTES_MAX. */
#ifndef SLUICE_TEST_GUARD_H
#define SLUICE_TEST_GUARD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARD_BYTES_MAX = 128 * 1024, GUARD_PAGE_BYTES = 64 * 1024 /* of any machine, and more */ };

/* `bytes` bytes before the forbidden page, uninitialised. */
static inline uint8_t *guard_take(size_t bytes)
{
    static uint8_t *end;
    if (!end) {
        uint8_t *at = mmap(NULL, GUARD_BYTES_MAX + GUARD_PAGE_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED || mprotect(at + GUARD_BYTES_MAX, GUARD_PAGE_BYTES, PROT_NONE))
            abort();
        end = at + GUARD_BYTES_MAX;
    }
    if (bytes > GUARD_BYTES_MAX)
        abort();
    return end - bytes;
}

/* A copy of `bytes` bytes that ends at the forbidden page. */
static inline uint8_t *guard_copy(const void *from, size_t bytes)
{
    uint8_t *to = guard_take(bytes);
    if (bytes)
        memmove(to, from, bytes);
    return to;
}

#endif
