/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/wiring.h - negotiated parameters compiled into what a worker works with: numbers, tables,
 * flags.
 *
 * All parameters are in rtpparams.h's normal form. False: `err` names the field. Threads: values,
 * no state. */
#ifndef CTL_WIRING_H
#define CTL_WIRING_H

#include "ctl/ortc.h"
#include "net/command.h"

/* Fills everything but transport, paused and the key frame delay. */
bool wiring_producer(struct command_producer_open *open, enum media_kind kind, const json_t *params,
                     struct field_error *err);

struct wiring_consume {
    const json_t *in;      /* the producer's parameters */
    const json_t *mapping; /* the producer's */
    const json_t *out;     /* the consumer's parameters */
    const json_t *own;     /* the consumer's mapping; NULL: its payload types are the mapped ones */
};

/* Fills everything but transport, producer, paused, priority and the random numbers. */
bool wiring_consumer(struct command_consumer_open *open, enum media_kind kind,
                     const struct wiring_consume *consume, struct field_error *err);

/* Ids of the extensions of parameters, by kind; what the relay does not know is left out. */
void wiring_ext_ids(struct rtp_ext_ids *ids, const json_t *params);

#endif
