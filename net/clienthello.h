/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/clienthello.h - makes one record of a ClientHello that came in fragments, and reads which
 * SRTP profiles it offers. RFC 6347 4.2.3, RFC 9147 5.5, RFC 5764 4.1.1.
 *
 * A browser's ClientHello with a post-quantum key share never fits one datagram, and the library
 * takes only whole ones. Fragments may come in any order, twice, and overlap; the first copy of
 * a byte counts. One message is pending at most, up to CLIENTHELLO_BYTES_MAX, and only so
 * long: with the first fragment of another message (a retry after HelloVerifyRequest or
 * HelloRetryRequest has the next number) the old one goes, an older number is ignored.
 *
 * Memory: one heap block of the message's length + 1/8 while one is pending, none else. Threads: an
 * assembler belongs to its session's worker. Time: microseconds, an argument. */
#ifndef NET_CLIENTHELLO_H
#define NET_CLIENTHELLO_H

#include "core/base.h"

enum {
    CLIENTHELLO_BYTES_MAX = 4096, /* of the message; Chromium's has about 1,450 */
    CLIENTHELLO_PENDING_US = 5000000,
};

struct clienthello_pending;

struct clienthello { /* zeroed: nothing pending */
    struct clienthello_pending *pending;
};

struct clienthello_message { /* one record, one whole message */
    const uint8_t *record;
    size_t record_bytes;
    const uint8_t *body; /* after the handshake header */
    size_t body_bytes;
};

enum clienthello_result {
    CLIENTHELLO_OTHER,   /* the datagram does not begin with a ClientHello */
    CLIENTHELLO_PENDING, /* kept, or known already: more has to come */
    CLIENTHELLO_WHOLE,   /* `out` is set */
    CLIENTHELLO_INVALID, /* malformed, or followed by something else */
    CLIENTHELLO_FULL,    /* too long, or no memory */
};

/* Takes a datagram. `out` points into `data` if the message came whole, else into the
 * assembler until the next call; clienthello_drop() when it has been used. */
enum clienthello_result clienthello_take(struct clienthello *hello, const uint8_t *data,
                                         size_t bytes, int64_t now_us,
                                         struct clienthello_message *out);

/* When the pending message is given up; INT64_MAX without one. clienthello_drop() then. */
int64_t clienthello_due_us(const struct clienthello *hello);

/* Forgets what is pending. Any time. */
void clienthello_drop(struct clienthello *hello);

/* The body of a ClientHello: `suites` gets a bit 1 << enum seal_suite for each profile of use_srtp
 * that we know, 0 without the extension. False if the message is malformed. */
bool clienthello_suites(const uint8_t *body, size_t bytes, uint32_t *suites);

#endif
