/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/io_test_hooks.h - faults that tests put into an engine; nothing else includes this.
 *
 * Threads: the owning worker's. */
#ifndef CORE_IO_TEST_HOOKS_H
#define CORE_IO_TEST_HOOKS_H

#include "core/io.h"

/* After `skip` more sends `count` of them end with `error` (an errno, positive) instead of being
 * sent; with `runs_only`, packets that go out by themselves are neither counted nor failed. */
void io_test_fail_sends(struct io *io, int error, uint32_t skip, uint32_t count, bool runs_only);

/* The next `count` submissions of the uring engine are refused, as by a kernel that is short of
 * memory. */
void io_test_refuse_submits(struct io *io, uint32_t count);

/* Moves the engine's idea of the wall clock, as if it had been set: until the next wait reads it.
 */
void io_test_step_wall(struct io *io, int64_t by_us);

/* Slots that stand for receiving now, and how many should. */
uint32_t io_test_standing(const struct io *io, uint32_t *target);

/* A socket's cumulative drop count as last seen. */
void io_test_set_drops_seen(struct io *io, uint16_t socket, uint32_t drops_seen);

#endif
