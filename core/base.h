/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/base.h - what every file may assume: assertions, big-endian reads and writes, small
 * arithmetic.
 *
 * ASSERT states what our own code guarantees and stays on in every build. It is never
 * applied to anything that came from the network or from a controller. */
#ifndef CORE_BASE_H
#define CORE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ASSERT(truth)                                                                              \
    do {                                                                                           \
        if (__builtin_expect(!(truth), 0))                                                         \
            base_assert_failed(#truth, __FILE__, __LINE__);                                        \
    } while (0)

/* For walks over a whole structure: only where SLUICE_ASSERT_SLOW is defined (dev and fuzz builds).
 */
#ifdef SLUICE_ASSERT_SLOW
#define ASSERT_SLOW(truth) ASSERT(truth)
#else
#define ASSERT_SLOW(truth) ((void)0)
#endif

#define ARRAY_N(array) (sizeof(array) / sizeof((array)[0]))

/* Prints the failed statement on stderr and aborts. */
_Noreturn void base_assert_failed(const char *truth, const char *file, int line);

/* `bytes` of zeroed private memory, resident only where it is touched, in small pages; NULL when
 * the system has none. Start-up only. */
void *base_map(size_t bytes);
void base_unmap(void *at, size_t bytes); /* no-op for NULL */

/* The whole pages within [at, at + bytes) go back to the system and come again as zeroes when they
 * are touched. What is mapped, not what malloc gave. */
void base_give_back(void *at, size_t bytes);

/* How much of [at, at + bytes) is in memory, to the byte: of a page that is, what lies within
 * counts. Any thread; a system call for every 16 MiB; 0 where the system does not say. */
size_t base_resident_bytes(const void *at, size_t bytes);
size_t base_page_bytes(void);

/* `value` rounded up to a multiple of `step`, a power of two. */
static inline size_t round_up_size(size_t value, size_t step)
{
    return (value + step - 1) & ~(step - 1);
}

/* Every bit of the result depends on every bit of `value` (splitmix64's finaliser, Steele 2014). */
static inline uint64_t mix_u64(uint64_t value)
{
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

static inline uint16_t be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t be24(const uint8_t *at)
{
    return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

static inline uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t be64(const uint8_t *at)
{
    return (uint64_t)be32(at) << 32 | be32(at + 4);
}

static inline void put_be16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put_be24(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 16);
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)value;
}

static inline void put_be32(uint8_t *at, uint32_t value)
{
    put_be16(at, (uint16_t)(value >> 16));
    put_be16(at + 2, (uint16_t)value);
}

static inline void put_be64(uint8_t *at, uint64_t value)
{
    put_be32(at, (uint32_t)(value >> 32));
    put_be32(at + 4, (uint32_t)value);
}

static inline int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t max_i64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t clamp_i64(int64_t value, int64_t low, int64_t high)
{
    return min_i64(max_i64(value, low), high);
}

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif
