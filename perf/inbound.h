/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/inbound.h - one stream as a receiver sees it: which numbers came, which are missing, which
 * came back as resends. No I/O, no clock; figures go where the caller says. About 9 KB. */
#ifndef PERF_INBOUND_H
#define PERF_INBOUND_H

#include "perf/shared.h"
#include "rtcp/nack.h"
#include "rtp/source.h"

enum { INBOUND_WINDOW = 8192 };

struct inbound {
    uint32_t ssrc; /* 0: nothing is received */
    bool nack;     /* what is missing is asked for */
    struct source source;
    struct nack_list list;
    uint32_t edge; /* extended number: everything before it has been settled */
    uint32_t last_sr;
    int64_t last_sr_us;
    uint8_t places[INBOUND_WINDOW]; /* by number */
};

void inbound_init(struct inbound *in, uint32_t ssrc, uint32_t clock_rate, bool nack);

/* A packet under the stream's own number: a first sending or a plain resend. `thrown`: the wire
 * lost it, its place is remembered, so that its recovery is seen. */
void inbound_media(struct inbound *in, struct shared_figures *figures, const uint8_t *data,
                   size_t bytes, bool thrown, int64_t now_us);

/* A resend by RTX, decrypted. */
void inbound_rtx(struct inbound *in, struct shared_figures *figures, const uint8_t *data,
                 size_t bytes, int64_t now_us);

/* Adds one; the writer of `counter` is the caller alone. */
static inline void inbound_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#endif
