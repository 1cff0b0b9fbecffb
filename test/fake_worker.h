/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fake_worker.h - a worker without a thread, sockets or media, so that the control side can be
 * tested alone.
 *
 * Stands in for net/worker.c when it is linked into a test: it checks the order of commands as the
 * real one does, remembers them, and answers at once, or when it is told to. */
#ifndef TEST_FAKE_WORKER_H
#define TEST_FAKE_WORKER_H

#include "net/worker.h"

/* The nth worker that lives. */
struct worker *fake_worker(uint32_t index);

/* The last command of a kind, NULL if there was none; how many there were. */
const struct command *fake_last(const struct worker *worker, enum command_kind kind);
uint32_t fake_commands_n(const struct worker *worker, enum command_kind kind);

/* When the last command of a kind was posted: larger than that of whatever any worker was told
 * before; 0: never. */
uint32_t fake_order(const struct worker *worker, enum command_kind kind);

/* How many objects are open. Mirrors are among the producers here, though not in the gauges. */
uint32_t fake_open_n(const struct worker *worker, enum object_kind kind);
uint32_t fake_mirrors_n(const struct worker *worker);

/* Of a producer: workers that read it; is it, or the mirror, paused? */
uint32_t fake_readers_n(const struct worker *worker, uint32_t producer);
bool fake_is_paused(const struct worker *worker, uint32_t producer);

/* The next start of a relay fails here: making a worker, starting it, linking them all. How many
 * there are; were these linked? */
void fake_fail_init(uint32_t index, int result);
void fake_fail_start(uint32_t index, int result);
void fake_fail_link(int result);
uint32_t fake_living_n(void);
bool fake_is_linked(const struct worker *worker);

/* The next command of a kind is answered with `result` and not done. */
void fake_fail_next(struct worker *worker, enum command_kind kind, int result);

/* Commands wait unanswered; false answers them. */
void fake_hold(struct worker *worker, bool hold);

/* Says something by itself. */
void fake_event(struct worker *worker, const struct outcome *event);

/* What ICE and DTLS of a WebRTC transport say; the peer is 192.0.2.7:50000. `certificate` (or NULL)
 * is copied. */
void fake_ice(struct worker *worker, uint32_t transport, enum ice_state state);
void fake_selected(struct worker *worker, uint32_t transport, const char *local_ip,
                   uint16_t local_port, bool tcp);
void fake_dtls(struct worker *worker, uint32_t transport, enum dtls_state state,
               const char *certificate);

struct worker_counters *fake_counters(struct worker *worker);

#endif
