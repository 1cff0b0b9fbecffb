/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/receivers.h - N receivers in one process: a UDP socket each, loss and delay of their own,
 * NACKs as a browser sends them.
 *
 * Loss: each arriving RTP packet (resends too) is thrown away with the given probability before it
 * is accounted, by a seeded generator. Delay: everything a receiver says is sent `rtt` later than
 * it is said, its delay-since-last-report unchanged, so the relay measures that RTT and a resend
 * comes an RTT after the decision to ask for it. Numbers are read from the clear header; one
 * receiver in RECEIVERS_SAMPLE decrypts everything and gives the transit times, all decrypt RTX. */
#ifndef PERF_RECEIVERS_H
#define PERF_RECEIVERS_H

#include "perf/shared.h"

enum { RECEIVERS_SAMPLE = 8, RECEIVERS_WINDOW = 8192 };

int receivers_run(struct shared *shared, const struct options *options);

#endif
