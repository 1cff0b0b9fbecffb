/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stun.h - reads STUN messages and proves who wrote them (RFC 8489, RFC 8445 16).
 *
 * What a lite agent needs of a Binding request, and what its peer needs of a response; writing is
 * net/stunwrite.h. Nothing is changed, copied or allocated; offsets hold for any copy of the
 * message. Threads: values, no state.
 *
 *    0                   1                   2                   3
 *   |0 0|   message type (14)       | length: what follows the header |   attribute:
 *   |                 magic cookie 0x2112a442                         |   | type | length |
 *   |                 transaction id (96 bit)                         |   | value, padded |
 *
 * The first of several equal attributes counts. What follows MESSAGE-INTEGRITY is not authentic and
 * is not looked at, save FINGERPRINT, which must be the last (RFC 8489 14.5, 14.7). */
#ifndef NET_STUN_H
#define NET_STUN_H

#include "core/addr.h"
#include "core/drop.h"

enum {
    STUN_HEAD_BYTES = 20,
    STUN_COOKIE_AT = 4,
    STUN_COOKIE = 0x2112a442,
    STUN_TRANSACTION_AT = 8,
    STUN_TRANSACTION_BYTES = 12,
    STUN_ATTRIBUTE_HEAD_BYTES = 4,
    STUN_INTEGRITY_BYTES = 20,     /* HMAC-SHA1 */
    STUN_USERNAME_BYTES_MAX = 513, /* two fragments of up to 256, RFC 8445 5.3, and the colon */
    STUN_BYTES_MAX = 2048,         /* a slot; what a message is hashed for is bounded by it */
    STUN_UNKNOWN_MAX = 8,          /* unknown attributes that a 420 names */
};

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

enum { STUN_BINDING = 1 };

/* Below 0x8000 comprehension is required: who does not know one must refuse the request. */
enum stun_attribute {
    STUN_MAPPED_ADDRESS = 0x0001,
    STUN_USERNAME = 0x0006,
    STUN_MESSAGE_INTEGRITY = 0x0008,
    STUN_ERROR_CODE = 0x0009,
    STUN_UNKNOWN_ATTRIBUTES = 0x000a,
    STUN_REALM = 0x0014,
    STUN_NONCE = 0x0015,
    STUN_XOR_MAPPED_ADDRESS = 0x0020,
    STUN_PRIORITY = 0x0024,
    STUN_USE_CANDIDATE = 0x0025,
    STUN_NOMINATION = 0x0030, /* draft-thatcher-ice-renomination */
    STUN_SOFTWARE = 0x8022,
    STUN_FINGERPRINT = 0x8028,
    STUN_ICE_CONTROLLED = 0x8029,
    STUN_ICE_CONTROLLING = 0x802a,
    STUN_NOMINATION_GOOG = 0xc001, /* the same, as libwebrtc sends it */
};

struct stun_message {
    enum stun_class class;
    uint16_t method;
    uint16_t bytes;
    uint16_t username_at, username_bytes;
    uint16_t integrity_at;   /* of the attribute; 0: there is none */
    uint16_t fingerprint_at; /* of the attribute, verified; 0: there is none */
    uint16_t mapped_at;      /* of XOR-MAPPED-ADDRESS's value; 0: there is none */
    uint16_t mapped_bytes;
    uint16_t error; /* of ERROR-CODE, 300 to 699; 0: there is none */
    bool has_priority, has_nomination, use_candidate;
    bool controlling, controlled;
    uint8_t unknown_n;
    uint16_t unknown[STUN_UNKNOWN_MAX]; /* comprehension-required attributes that are not known */
    uint32_t priority, nomination;
    uint64_t tie_breaker; /* with controlling or controlled */
};

/* A key of the short-term mechanism: the password as it is (RFC 8489 9.1.1). */
struct stun_key {
    const char *at;
    size_t bytes;
};

/* The datagram or RFC 4571 frame is one STUN message: DROP_NONE, or DROP_STUN_INVALID (bounds,
 * lengths, magic cookie, an attribute behind FINGERPRINT, a wrong FINGERPRINT) with `out` zeroed.
 * That an attribute is missing is no error here. */
enum drop stun_parse(struct stun_message *out, const uint8_t *data, size_t bytes);

/* USERNAME up to its colon: the fragment of who is asked ("LFRAG:RFRAG" seen from the receiver, RFC
 * 8445 7.2.2). NULL when there is no USERNAME, no colon, or nothing before it; not terminated. */
const uint8_t *stun_username_local(const struct stun_message *message, const uint8_t *data,
                                   size_t *bytes);

/* MESSAGE-INTEGRITY is there and was made with `key`. `data` is what was parsed. Takes the same
 * time wherever a wrong one differs. */
bool stun_is_authentic(const struct stun_message *message, const uint8_t *data,
                       struct stun_key key);

/* The message answers (or is) the transaction with this id. */
bool stun_is_transaction(const uint8_t *data, const uint8_t id[STUN_TRANSACTION_BYTES]);

/* XOR-MAPPED-ADDRESS. False with `out` untouched: there is none, or not one of a known family. */
bool stun_mapped(const struct stun_message *message, const uint8_t *data, struct addr *out);

/* HMAC-SHA1 of the first `bytes` bytes, as if the message's length field said `length` (RFC 8489
 * 14.5). False: the library failed, `out` is zeroed. */
bool stun_hmac(const uint8_t *data, size_t bytes, uint16_t length, struct stun_key key,
               uint8_t out[STUN_INTEGRITY_BYTES]);

/* FINGERPRINT's value for what stands before it: CRC-32 (ITU V.42) xor 0x5354554e, RFC 8489 14.7.
 * The length field counts FINGERPRINT already. */
uint32_t stun_fingerprint(const uint8_t *data, size_t bytes);

#endif
