/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stats.h - an object's figures as values, and the worker's counters published.
 *
 * Threads: the owning worker. */
#ifndef NET_STATS_H
#define NET_STATS_H

#include "net/state.h"

void stats_transport(const struct worker *w, const struct transport *transport,
                     struct transport_stats *stats);
void stats_producer(const struct worker *w, const struct producer *producer,
                    struct producer_stats *stats);
void stats_consumer(const struct worker *w, const struct consumer *consumer,
                    struct consumer_stats *stats);

/* Copies what was counted to where the control thread reads it: relaxed stores, every few
 * milliseconds. */
void stats_publish(struct worker *w);

#endif
