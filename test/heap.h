/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/heap.h - counts the calls of the heap, the libraries' too, to show that a path makes none.
 *
 * Link test/heap.c into the test (SOURCES heap.c). Under a sanitizer it uses the sanitizer's hooks,
 * else it stands in front of the C library's functions. Any thread. */
#ifndef SLUICE_TEST_HEAP_H
#define SLUICE_TEST_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* Allocations and releases that this thread has made so far. */
uint64_t heap_calls(void);

/* The same of all threads together. */
uint64_t heap_calls_all(void);

/* From now on every block that this thread releases is searched for these bytes (a key); NULL ends
 * it. They are not copied. Returns how many blocks had them since the last call. */
uint64_t heap_watch(const void *bytes, size_t n);

#endif
