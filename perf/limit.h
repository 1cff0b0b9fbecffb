/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/limit.h - what forwarding costs at least here: a program that only rewrites, encrypts and
 * sends. No receiving, parsing, retention, control.
 *
 * It has as many seals and streams as the relay has consumers, the sizes of their packets, is paced
 * and pinned as the relay is, uses the same engine, and sends to the same receivers, who tell its
 * packets by their payload type and drop them: what loopback charges to a sender is the same for
 * both. Run lengths are given as a mean, of video and of audio; the packets of a frame (or of as
 * many frames, of one sender after the other, as the mean needs) are split evenly into that many
 * sends, and all of a kind are of one size. Side rooms of a broadcast are left out. */
#ifndef PERF_LIMIT_H
#define PERF_LIMIT_H

#include "perf/shared.h"

enum { LIMIT_PT = 127 };

/* The process: shared->limit_run_q8 says what to do. */
int limit_run(struct shared *shared, const struct options *options);

/* Run lengths * 256 of video and audio with which the mean over both is `run`: audio packets go
 * singly, unless that does not make it. */
struct limit_runs {
    uint32_t video_q8, audio_q8;
};

struct limit_runs limit_runs_of(const struct scene *scene, const struct options *options,
                                double run);

/* The longest that the offered traffic allows: whole frames, and with --together those of all
 * senders; longer where the mean must be at least so long, because the relay had it. */
struct limit_runs limit_best_runs(const struct scene *scene, const struct options *options,
                                  double run_min);

/* How `packets_n` packets are sent with mean run length `run_q8` / 256: the number of sends, at
 * least 1. `rest_q8` carries the fraction to the next call. */
uint32_t limit_sends(uint32_t packets_n, uint32_t run_q8, uint32_t *rest_q8);

#endif
