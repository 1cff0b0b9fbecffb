/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/random.c - getrandom() for secrets, splitmix64 for everything repeatable. */
#include "core/random.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *out, size_t bytes)
{
    uint8_t *at = out;
    while (bytes > 0) { /* ends: each round writes something or was interrupted by a signal */
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0) {
            ASSERT(errno == EINTR); /* the kernel has had the call since 3.17 */
            continue;
        }
        at += got;
        bytes -= (size_t)got;
    }
}

uint32_t random_u32(void)
{
    uint32_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

uint64_t random_next(struct random *random)
{
    random->state += 0x9e3779b97f4a7c15;
    return mix_u64(random->state);
}

uint32_t random_below(struct random *random, uint32_t limit)
{
    ASSERT(limit > 0);
    /* Scaled instead of divided: the bias is below limit / 2^64, and no retry is needed. */
    __extension__ typedef unsigned __int128 uint128;
    return (uint32_t)((uint128)random_next(random) * limit >> 64);
}
