/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/trim.h - when what closed rooms and handshakes leave in the heap goes back to the system.
 *
 * malloc_trim() holds the heap for up to 15 ms after hundreds of peers have left, and a worker that
 * opens a transport or takes a step of a handshake meanwhile waits for it, and so does its media.
 * So it waits for a second without either; where there never is one, it is done all the same once
 * in TRIM_PATIENCE_US. Threads: the control thread. */
#ifndef CTL_TRIM_H
#define CTL_TRIM_H

#include "core/base.h"

enum {
    TRIM_CLOSED = 64,            /* objects closed and handshakes over that are worth it */
    TRIM_TIMES = 2,              /* after these: again, for what workers free later */
    TRIM_STEP_US = 3000000,      /* from one to the next */
    TRIM_CALM_US = 1000000,      /* without a handshake's step */
    TRIM_PATIENCE_US = 60000000, /* then without calm */
};

struct trim {
    uint32_t closed_n; /* objects closed, handshakes over since the last time; anybody counts */
    uint32_t left_n;   /* still to be done, not before at_us */
    int64_t at_us;
    int64_t since_us; /* when it became due, or was last done */
    uint64_t steps;   /* of handshakes, as last seen */
    int64_t calm_us;  /* since when there was none */
};

/* Is something to be done before long? Then trim_due() wants to be asked once a second. */
bool trim_waits(const struct trim *trim);

/* Now? `steps`: of handshakes, all workers' since the start; `quiet`: nobody asks for anything.
 * True is taken as done. */
bool trim_due(struct trim *trim, uint64_t steps, bool quiet, int64_t now_us);

#endif
