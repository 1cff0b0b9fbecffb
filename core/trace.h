/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/trace.h - the last events of a worker in a ring of 16-byte records, for looking back at what
 * happened.
 *
 * Written by the worker in its turn (a store, no branch on configuration), copied out by a control
 * command. Not a log: numbers only, one X-macro names the events. */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "core/base.h"

#define TRACE_LIST(X)                                                                              \
    X(NONE, "none")                                                                                \
    X(TURN, "turn")                 /* a: datagrams, b: packets sent */                            \
    X(COMMAND, "command")           /* a: kind, b: result */                                       \
    X(TUPLE, "tuple")               /* a: transport */                                             \
    X(KEYFRAME, "keyframe")         /* a: producer stream, b: ssrc */                              \
    X(NACK_IN, "nack_in")           /* a: consumer, b: packets asked */                            \
    X(NACK_OUT, "nack_out")         /* a: producer stream, b: packets asked */                     \
    X(EVICT, "evict")               /* a: slots taken back */                                      \
    X(STARVED, "starved")           /* a: free slots */                                            \
    X(SEND_FAILED, "send_failed")   /* a: transport, b: errno */                                   \
    X(STREAM_RESET, "stream_reset") /* a: producer stream, b: seq */                               \
    X(SHED, "shed")                 /* a: consumer, b: 1 shed, 0 brought back */

enum trace_kind {

#define TRACE_ENUM(name, text) TRACE_##name,
    TRACE_LIST(TRACE_ENUM)
#undef TRACE_ENUM
        TRACE_N
};

enum { TRACE_EVENTS = 4096 };

struct trace_event {
    uint32_t at_us; /* low 32 bits of the turn's time */
    uint16_t kind;
    uint16_t spare;
    uint32_t a, b;
};

static_assert(sizeof(struct trace_event) == 16, "a trace event is 16 bytes");

struct trace {
    struct trace_event events[TRACE_EVENTS];
    uint32_t n; /* ever written; the ring index is n % TRACE_EVENTS */
};

const char *trace_name(enum trace_kind kind);

static inline void trace_add(struct trace *trace, int64_t now_us, enum trace_kind kind, uint32_t a,
                             uint32_t b)
{
    trace->events[trace->n++ % TRACE_EVENTS] =
        (struct trace_event){.at_us = (uint32_t)now_us, .kind = (uint16_t)kind, .a = a, .b = b};
}

#endif
