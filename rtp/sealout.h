/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/sealout.h - the outbound streams of a seal: which ssrc lives in which libsrtp2 session, which
 * index it may send next, and what is remembered of removed ones. Only for rtp/seal.c; the rules
 * are in rtp/seal.h.
 *
 * libsrtp2 looks a stream up in a list: 16 cost nothing that can be measured, 60 cost 10 to 20 % of
 * a packet, 200 double it. So streams are spread over sessions of 16. Within one they are cloned
 * from its template and share their keys (0.5 KiB each instead of 1.5). No packet makes one:
 * libsrtp2 only sees ssrcs of the table here.
 *
 *   stream:  - --add--> LIVE --remove--> PARKED --add--> LIVE
 *                        |                 `--later ones are parked--> SPENT (ssrc only)
 *                        `--remove, nothing sent--> -
 *
 * Spent ssrcs are kept as ranges, so a caller who takes them one after the other needs a few
 * however long the key lives. A few unused ones between spent ones count as spent, and where the
 * ranges get too many, so does what lies between the nearest: refused is always right.
 * Threads: the seal's. */
#ifndef RTP_SEALOUT_H
#define RTP_SEALOUT_H

#include "rtp/sealsuite.h"

struct sealout_group {
    srtp_t session; /* NULL: place to be used again */
    uint32_t streams_n;
};

struct sealout_stream {
    uint64_t next;  /* highest RTP index sent + 1; 0: none yet */
    uint64_t floor; /* indices below are not sent any more: an earlier life's */
    uint32_t ssrc;
    uint32_t parked_at; /* order of parking */
    uint16_t group;     /* 0xffff where the table is empty */
    bool parked;
    bool used; /* RTP or RTCP has been sent */
};

/* Ssrcs that are used up, both ends included. */
struct sealout_spent {
    uint32_t first, last;
};

struct sealout {
    struct sealout_stream *table; /* open addressing, at most 3/4 full */
    struct sealout_group *groups;
    uint32_t capacity, n; /* a power of two; streams, parked ones included */
    uint32_t groups_n;
    uint32_t parked_n, parkings;
    struct sealout_spent *spent; /* sorted */
    uint32_t spent_n, spent_capacity;
    enum seal_suite suite;
    uint8_t key[SEAL_KEY_BYTES_MAX]; /* for further sessions */
};

/* Zero is empty; suite and key are set by the owner. */
void sealout_exit(struct sealout *outs);

/* As seal_add_out() and seal_remove_out(). */
int sealout_add(struct sealout *outs, uint32_t ssrc);
void sealout_remove(struct sealout *outs, uint32_t ssrc);

/* A live or parked stream, or NULL. True until the next add or remove. */
struct sealout_stream *sealout_find(const struct sealout *outs, uint32_t ssrc);

/* The index that libsrtp2 and the receiver will take `seq` for: the nearest to the newest. False
 * for one that may not be sent: of an earlier life, or one that the two might guess differently. */
bool sealout_index(const struct sealout_stream *out, uint16_t seq, uint64_t *index);

#endif
