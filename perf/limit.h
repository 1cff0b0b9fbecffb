/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/limit.h - what forwarding costs at least here: a program that only rewrites, encrypts and
 * sends. No receiving, parsing, retention, control.
 *
 * It has as many seals as the relay has consumers, is paced and pinned as the relay is, uses the
 * same engine, and sends to the same receivers, who tell its packets by their payload type and drop
 * them: what loopback charges to a sender is the same for both. Run lengths are given as a mean;
 * the packets of a frame (or of as many frames as the mean needs) are split evenly into that many
 * sends, and all are of one size. */
#ifndef PERF_LIMIT_H
#define PERF_LIMIT_H

#include "perf/shared.h"

enum { LIMIT_PT = 127 };

/* The process: shared->limit_run_q8 says what to do. */
int limit_run(struct shared *shared, const struct options *options);

/* How `packets_n` packets are sent with mean run length `run_q8` / 256: the number of sends, at
 * least 1. `rest_q8` carries the fraction to the next call. */
uint32_t limit_sends(uint32_t packets_n, uint32_t run_q8, uint32_t *rest_q8);

#endif
