/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/mirror.h - a producer of another worker, as its consumers here see it.
 *
 * A mirror is a struct producer without a transport: its streams are fed by notices
 * (net/exchange.h) instead of datagrams, and fan out like any other. Its packets are read in the
 * slab of the worker that received them. For NACK it remembers where they are: the newest
 * MIRROR_REFS_N of a stream, by number; how long they are there is the owner's retention, to which
 * mirrors tell what their consumers need. Threads: the owning worker. Memory: 8 KiB a stream,
 * touched as used. */
#ifndef NET_MIRROR_H
#define NET_MIRROR_H

#include "net/exchange.h"

enum { MIRROR_REFS_N = 512 /* a power of two: half a second at 1000 packets/s */ };

struct mirror_ref {
    struct slot_ref ref;
    uint32_t seq_ext;
    uint16_t bytes; /* 0: nothing */
};

int mirror_init(struct worker *w); /* 0 or -ENOMEM */
void mirror_exit(struct worker *w);
size_t mirror_refs_bytes(const struct worker *w); /* mapped by it */

void mirror_open(struct worker *w, struct producer *producer); /* it stands among the others */
void mirror_close(struct worker *w, struct producer *producer);

/* A packet of it. */
void mirror_packet(struct worker *w, struct stream *stream, const struct notice_packet *packet);
/* Its producer's worker has begun to send. */
void mirror_hello(struct worker *w, struct producer *producer);

/* A packet's fan-out has ended: remembers it for NACK. */
void mirror_keep(struct worker *w, struct stream *stream, const struct record *record);
/* NULL: not remembered, or not there any more. Good for this turn. */
const uint8_t *mirror_find(const struct worker *w, const struct stream *stream, uint32_t seq_ext,
                           size_t *bytes);

/* Tells its producer's worker what the consumers of the stream need, if that has changed. */
void mirror_need(struct worker *w, struct stream *stream);
/* Once a second: tells again what could not be told, and of every other mirror all, which also
 * brings what has changed without an occasion. */
void mirror_tick(struct worker *w);

void mirror_keyframe(struct worker *w, struct stream *stream);

#endif
