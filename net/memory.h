/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/memory.h - what a worker's parts take of the memory, asked of the kernel page by page.
 *
 * Threads: the control thread. It reads where things are, which does not change while the worker
 * lives, and asks the system what of it is resident; nothing of the worker's is touched. */
#ifndef NET_MEMORY_H
#define NET_MEMORY_H

#include "net/worker.h"

/* What kind of object a part grows with. */
enum memory_of { MEMORY_OF_TRANSPORT, MEMORY_OF_PRODUCER, MEMORY_OF_CONSUMER, MEMORY_OF_WORKER };

/* X(NAME, name, of) */
#define MEMORY_PART_LIST(X)                                                                        \
    X(TRANSPORTS, "transports", TRANSPORT)  /* */                                                  \
    X(PEERS, "webRtc", TRANSPORT)           /* ICE, and what DTLS does not have on the heap */     \
    X(TWCC, "transportFeedback", TRANSPORT) /* arrival times, where negotiated */                  \
    X(ADDRESSES, "addresses", TRANSPORT)    /* remote addresses and ICE user names */              \
    X(PRODUCERS, "producers", PRODUCER)     /* */                                                  \
    X(STREAMS, "streams", PRODUCER)         /* one for each encoding */                            \
    X(NACKS, "gaps", PRODUCER)              /* packets that are missing */                         \
    X(ROUTES_IN, "ssrcsIn", PRODUCER)       /* */                                                  \
    X(CONSUMERS, "consumers", CONSUMER)     /* */                                                  \
    X(ROUTES_OUT, "ssrcsOut", CONSUMER)     /* */                                                  \
    X(TIMERS, "timers", WORKER)             /* */                                                  \
    X(FANOUT, "fanOut", WORKER)             /* packets under way and their receivers */            \
    X(SOCKETS, "sockets", WORKER)           /* */                                                  \
    X(SLOTS, "slots", WORKER)               /* packets: received, under way, retained */           \
    X(SLOT_INDEX, "slotIndex", WORKER)      /* */                                                  \
    X(RETENTION, "retention", WORKER)       /* which slot has which packet */                      \
    X(ENGINE, "engine", WORKER)             /* sends, without the kernel's rings */                \
    X(TCP, "tcp", WORKER)                   /* connections and what waits for them */              \
    X(MAILBOXES, "mailboxes", WORKER)       /* */                                                  \
    X(EXCHANGE, "exchange", WORKER)         /* with other workers, for rooms over several */       \
    X(WORKER, "worker", WORKER)             /* trace, counters, what is left */

enum memory_part {

#define MEMORY_PART_ENUM(name, text, of) MEMORY_##name,
    MEMORY_PART_LIST(MEMORY_PART_ENUM)
#undef MEMORY_PART_ENUM
        MEMORY_PART_N
};

struct memory_bytes {
    size_t mapped, resident;
};

struct worker_memory {
    struct memory_bytes parts[MEMORY_PART_N];
};

/* The worker has been started. Bounded: a system call for every 16 MiB mapped. */
void worker_memory(const struct worker *worker, struct worker_memory *memory);

#endif
