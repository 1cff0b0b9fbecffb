/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stunwrite.h - writes STUN messages: a lite agent's responses, an ICE client's requests.
 *
 * Every writer returns the message's bytes, or 0 when `room` does not hold all of it: then nothing
 * in `out` is of use, and nothing behind `room` was touched. Threads: values, no state.
 *
 * The parts below the whole messages are in the order of use: begin, put..., then seal() for
 * MESSAGE-INTEGRITY, and end() for FINGERPRINT. A writer that has run out of room stays so. */
#ifndef NET_STUNWRITE_H
#define NET_STUNWRITE_H

#include "net/stun.h"

enum {
    STUN_REPLY_BYTES_MAX = 128, /* the longest response; the sum is asserted in stunwrite.c */
};

struct stun_request {           /* a Binding request of an ICE agent. RFC 8445 7.1 */
    const uint8_t *transaction; /* STUN_TRANSACTION_BYTES of it */
    const char *username;       /* "theirs:ours" */
    size_t username_bytes;
    struct stun_key key; /* theirs */
    uint32_t priority;
    uint64_t tie_breaker;
    bool controlled; /* else ICE-CONTROLLING */
    bool use_candidate;
    bool nominates; /* NOMINATION with `nomination` */
    uint32_t nomination;
};

size_t stun_write_request(uint8_t *out, size_t room, const struct stun_request *request);

/* Success response to `request` (its first STUN_HEAD_BYTES): XOR-MAPPED-ADDRESS (a mapped IPv4 one
 * as IPv4), MESSAGE-INTEGRITY, FINGERPRINT. */
size_t stun_write_success(uint8_t *out, size_t room, const uint8_t *request,
                          const struct addr *mapped, struct stun_key key);

/* Error response to the request `message` at `data`: ERROR-CODE, with 420 UNKNOWN-ATTRIBUTES, and
 * FINGERPRINT; with a key (`at` not NULL) MESSAGE-INTEGRITY, as RFC 8489 9.1.3 wants behind a
 * verified one. `code`: 400, 401, 420, 487 or 500. Never longer than the request: the reason phrase
 * is left out first, then 0 is returned. */
size_t stun_write_error(uint8_t *out, size_t room, const struct stun_message *message,
                        const uint8_t *data, unsigned code, struct stun_key key);

/* ---- parts ---- */

struct stun_writer {
    uint8_t *out;
    size_t room, bytes;
    bool full;
};

void stun_begin(struct stun_writer *writer, uint8_t *out, size_t room, enum stun_class class,
                uint16_t method, const uint8_t transaction[STUN_TRANSACTION_BYTES]);
void stun_put(struct stun_writer *writer, uint16_t type, const void *value, size_t bytes);
void stun_put_u32(struct stun_writer *writer, uint16_t type, uint32_t value);
void stun_put_u64(struct stun_writer *writer, uint16_t type, uint64_t value);
void stun_put_mapped(struct stun_writer *writer, const struct addr *mapped);
void stun_seal(struct stun_writer *writer, struct stun_key key);
size_t stun_end(struct stun_writer *writer);
size_t stun_end_bare(struct stun_writer *writer); /* without FINGERPRINT */

#endif
