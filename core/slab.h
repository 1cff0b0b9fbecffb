/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/slab.h - fixed-size packet slots addressed by index.
 *
 * One slab per worker, one mapping, made by slab_init(); nothing here allocates afterwards.
 * Threads: every call is made by the owning worker, but for slab_read(). No locks.
 *
 *   slot:  | recvmsg_out 16 | peer addr 28 | control 96 | packet <= 1908 | tail room |
 *          0                                            SLOT_HEAD                    SLOT_BYTES
 *   life:  FREE --take--> KERNEL --receive--> WORKER --hold--> HELD
 *           ^               |                   |               |
 *           `---------------+------ release ----+---------------'
 *           `--- free ---- LIMBO <-- release of a shared one --'
 *
 * KERNEL means that the slot stands in the ring's provided buffers (or in the iovecs of the
 * mmsg engine); at most a few dozen do at rest. FREE slots are taken most recently freed first,
 * so the working set stays small and warm; then come the lowest that have no page yet, so pages are
 * touched when they are needed. slab_trim() gives pages back that no slot has needed for a while.
 * Under the address sanitizer FREE slots are poisoned.
 *
 * A slot has one holder at a time and no reference count. Who keeps a slot beyond the turn
 * remembers a slot_ref; the generation changes when the slot is released, so that a stale
 * reference is detected instead of served.
 *
 * Other threads may read a packet whose reference they were given (slab_share()). They check its
 * generation in every turn of theirs in which they use it, so after its release nobody begins to
 * read it, but somebody may be at it still: the slot is in LIMBO until the owner knows that every
 * reader has begun a later turn or sleeps (core/epoch.h). */
#ifndef CORE_SLAB_H
#define CORE_SLAB_H

#include "core/base.h"

#include <stdatomic.h>

enum {
    SLOT_BYTES = 2048,
    SLOT_NAME_AT = 16,    /* struct io_uring_recvmsg_out comes before it */
    SLOT_NAME_BYTES = 28, /* struct sockaddr_in6 */
    SLOT_CONTROL_AT = SLOT_NAME_AT + SLOT_NAME_BYTES,
    SLOT_CONTROL_BYTES = 96, /* timestamp 32 + IPv6 packet info 40 + drop count 24 */
    SLOT_HEAD = SLOT_CONTROL_AT + SLOT_CONTROL_BYTES,
    SLOT_PACKET_BYTES_MAX = SLOT_BYTES - SLOT_HEAD,
    SLAB_SLOTS_MAX = 65535,
    SLAB_TRIM_LOOK = 16384,
    SLAB_STANDING_IDLE = 8, /* calls of slab_trim() after which a standing slot counts as unused */
    SLOT_NONE = 0xffff,
};

static_assert(SLOT_HEAD % 4 == 0, "libsrtp2 wants the packet on a 32-bit boundary");

enum slot_state { SLOT_FREE, SLOT_KERNEL, SLOT_WORKER, SLOT_HELD, SLOT_LIMBO };

/* Slots in limbo, in order of release, linked by warm_next. */
struct limbo {
    uint16_t first, last; /* valid while n > 0 */
    uint32_t n;
};

/* A slot seen by a long-lived holder. */
struct slot_ref {
    uint32_t gen;
    uint16_t index;
    uint16_t worker;
};

struct slab {
    uint8_t *memory;       /* slots_n * SLOT_BYTES */
    _Atomic uint32_t *gen; /* per slot, 0 = never used; bumped by slab_release() */
    uint8_t *state;        /* enum slot_state per slot */
    uint32_t slots_n;
    uint16_t worker; /* goes into slot_ref.worker */
    bool huge;

    /* Other threads read what is above; what is written for every packet has lines of its own. */
    _Alignas(64) uint32_t free_n; /* warm and cold: what slab_take() can give */
    uint32_t kernel_n, worker_n, held_n, limbo_n;
    uint32_t resident_n; /* slots on pages that have been written to and not given back */

    /* Free slots are warm (used since their page was last given back: a list in order of release,
     * the latest first) or cold (never used or given back: a bit each, the lowest is taken first).
     */
    uint16_t *warm_next, *warm_prev; /* per slot, towards the older and the newer */
    uint16_t warm_first;
    uint32_t warm_n;
    uint64_t *cold;      /* a bit per slot */
    uint64_t *cold_any;  /* a bit per word of `cold` that is not 0 */
    uint64_t *touched;   /* a bit per page: counted in resident_n; not used with huge pages */
    uint64_t *shared;    /* a bit per slot: its reference has been given to other threads */
    struct limbo fresh;  /* released since slab_limbo_begin() */
    struct limbo waits;  /* for the readers to move on */
    uint8_t *idle_since; /* per slot: `interval` of its release */
    uint8_t interval;    /* counts calls of slab_trim() */
    uint32_t trim_at;    /* slot where the next slab_trim() begins to look */
    uint32_t page_slots; /* slots a page; a power of two, <= 64 */
    size_t map_bytes;    /* with what alignment costs */
    uint8_t *map;
};

/* Maps `slots_n` slots (2..SLAB_SLOTS_MAX). `huge` asks for transparent huge pages (memory is then
 * resident in 2 MiB steps and is not trimmed). 0, -EINVAL (count), -ENOMEM.
 * Resident beside the slots in use: 13 bytes for each slot that was ever used, and 12 KiB. */
int slab_init(struct slab *slab, uint32_t slots_n, uint16_t worker, bool huge);
void slab_exit(struct slab *slab);

/* FREE -> KERNEL. Index, or SLOT_NONE when no slot is free: the caller makes retention give way. */
uint16_t slab_take(struct slab *slab);

/* KERNEL -> WORKER: a datagram has been received into it. */
void slab_receive(struct slab *slab, uint16_t index);

/* WORKER -> HELD. The holder must later release it exactly once. */
struct slot_ref slab_hold(struct slab *slab, uint16_t index);

/* A reference to a slot in WORKER that other threads will be given. */
struct slot_ref slab_share(struct slab *slab, uint16_t index);

/* Any thread that was given `ref`: its packet, or NULL when it has expired. Good until the reader's
 * turn ends. */
static inline const uint8_t *slab_read(const struct slab *slab, struct slot_ref ref);

/* KERNEL, WORKER or HELD -> FREE, or LIMBO when it was shared; references to it are stale from now
 * on. */
void slab_release(struct slab *slab, uint16_t index);

/* Packet of a held slot, or NULL if `ref` has expired or is all zero: an answer, not an error. */
const uint8_t *slab_find(const struct slab *slab, struct slot_ref ref);

/* What has been released into limbo so far begins to wait for the readers; what waited before must
 * have been freed. Returns how many. */
uint32_t slab_limbo_begin(struct slab *slab);

/* The readers have moved on: what waits is FREE. */
void slab_limbo_free(struct slab *slab);

/* Gives the pages of slots back to the system that have not been used since the last call, at most
 * `pages_max` of them (bounded work: it also looks at no more than SLAB_TRIM_LOOK slots and goes on
 * from there in the next call). Call it about once a second. Returns the slots given back
 * (none of locked memory).
 * `standing`: slots in KERNEL count too, after SLAB_STANDING_IDLE calls. Only while no datagram is
 * in one of them and the kernel cannot write into one meanwhile: what it had written would be lost.
 */
uint32_t slab_trim(struct slab *slab, uint32_t pages_max, bool standing);

static inline uint8_t *slab_slot(const struct slab *slab, uint16_t index)
{
    return slab->memory + (size_t)index * SLOT_BYTES;
}

static inline uint8_t *slab_packet(const struct slab *slab, uint16_t index)
{
    return slab_slot(slab, index) + SLOT_HEAD;
}

static inline const uint8_t *slab_read(const struct slab *slab, struct slot_ref ref)
{
    /* Sequentially consistent, as the owner's change of it and both sides of core/epoch.h. */
    bool live = ref.index < slab->slots_n && atomic_load(&slab->gen[ref.index]) == ref.gen;
    return live ? slab_packet(slab, ref.index) : NULL;
}

#endif
