/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/exchange.h - what the workers of a process tell each other: a room's packets on their way to
 * receivers on other workers, and what those want of them.
 *
 *   producer's worker                                     receivers' worker
 *   struct reader  --- PACKET, CLOCK, SCORE, HELLO --->   mirror (net/mirror.h), its consumers
 *                  <------- NEED, KEYFRAME -----------
 *
 * A bounded box for each pair and direction. Packets stay in the slab of the worker that received
 * them: a notice carries a reference, whose generation is checked in every turn that reads it
 * (core/slab.h). What finds its box full is not told: a packet is counted (DROP_READER_FULL), and
 * receiving goes on; a request is made again by whoever still wants it, needs every few seconds. A
 * notice names the object by index and the mirror's serial, so what outlives its object reaches
 * nobody.
 *
 * A worker falls asleep only when its boxes are empty, and is woken once by whoever finds it
 * asleep. Slots that readers may still look at wait in limbo until these have begun a later turn or
 * sleep.
 *
 * Threads: the owning worker, all of it. Memory: 48 KiB a pair of workers and direction, touched as
 * used; 136 bytes for each producer and worker that reads it. */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include "net/state.h"

enum {
    EXCHANGE_N = 1024,   /* notices in a box */
    EXCHANGE_SPARE = 64, /* of them no packets: the most that a worker may lag behind is the rest */
    /* Packets that others read are kept at least so long, whoever may NACK: a reader that comes
     * later than this is as good as stopped. */
    READER_HOLD_US = 250000,
};

enum notice_kind {
    NOTICE_PACKET, /* to a mirror */
    NOTICE_CLOCK,
    NOTICE_SCORE,
    NOTICE_HELLO, /* packets will come: what does it need? */
    NOTICE_NEED,  /* to a producer */
    NOTICE_KEYFRAME,
};

struct notice_packet {
    struct slot_ref ref;
    uint32_t seq_ext, tag;
    int64_t arrived_us;
    uint16_t bytes;
    bool keyframe, fresh, rtx;
};

struct notice_clock { /* a sender report */
    struct rtcp_sender_info info;
    int64_t received_us;
};

struct notice_score {
    uint32_t ssrc; /* the stream's, for who is told the score */
    uint8_t value;
};

struct notice {
    enum notice_kind kind;
    uint8_t encoding;
    uint32_t producer; /* the index there: of the mirror, or of the producer */
    uint32_t serial;   /* the mirror's, both ways */

    union {
        struct notice_packet packet;
        struct notice_clock clock;
        struct notice_score score;
        struct stream_need need;
    };
};

static_assert(sizeof(struct notice) <= 48, "a thousand in 48 KiB");

/* A mirror that a producer's packets go to. */
struct reader {
    struct reader *next; /* of its producer */
    uint32_t index;      /* in the pool */
    struct command_reader at;
    bool heard; /* has said what it needs; until then: everything */
    struct stream_need need[PRODUCER_ENCODINGS_MAX];
};

/* Control thread: net/worker_setup.c. */
int exchange_init(struct worker *w, struct worker *const *workers, uint32_t workers_n);
void exchange_exit(struct worker *w);
const struct arena *exchange_memory(const struct worker *w); /* NULL without other workers */

/* ---- the turn ---- */

/* About to wait: false when there is something to take, and the worker is still awake. */
bool exchange_sleep(struct worker *w);
/* A turn begins. */
void exchange_begin(struct worker *w);
/* Takes what others have told. True: the fan-out has no room for the rest, which stays. */
bool exchange_take(struct worker *w);
/* Wakes those that were told something and sleep. */
void exchange_ring(struct worker *w);
/* Frees what nobody can be reading any more. */
void exchange_settle(struct worker *w);
/* The thread ends: no turn follows, and nobody is to wake it. */
void exchange_end(struct worker *w);

/* Is it another worker, linked with this one? */
bool exchange_has(const struct worker *w, uint16_t worker);

/* ---- a producer's side ---- */

int exchange_reader_add(struct worker *w, struct producer *producer,
                        const struct command_reader *reader); /* 0, -EINVAL, -EEXIST, -ENOSPC */
int exchange_reader_remove(struct worker *w, struct producer *producer,
                           const struct command_reader *reader); /* 0, -ENOENT */
void exchange_reader_remove_all(struct worker *w, struct producer *producer);

/* An accepted packet whose slot is still WORKER, to all that want it. */
void exchange_publish(struct worker *w, const struct stream *stream, const struct record *record,
                      bool rtx);
void exchange_clock(struct worker *w, const struct stream *stream,
                    const struct rtcp_sender_info *info, int64_t received_us);
void exchange_score(struct worker *w, const struct stream *stream);

/* What the readers of a stream need, in all. */
struct stream_need exchange_need_of(const struct stream *stream);

/* ---- a mirror's side ---- */

/* False: the box is full. */
bool exchange_tell_need(struct worker *w, const struct stream *stream,
                        const struct stream_need *need);
bool exchange_ask_keyframe(struct worker *w, const struct stream *stream);

/* The slab of the worker that a mirror's packets are on. */
const struct slab *exchange_slab(const struct worker *w, uint16_t worker);

#endif
