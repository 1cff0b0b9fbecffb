/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/fingerprint.h - fingerprints of certificates, RFC 8122: as bytes (struct fingerprint,
 * net/command.h) and as the text that signalling carries.
 *
 * Threads: no state, any thread. Nothing allocates. */
#ifndef NET_FINGERPRINT_H
#define NET_FINGERPRINT_H

#include "net/command.h"

enum {
    FINGERPRINT_HASH_N = FINGERPRINT_SHA512 + 1,       /* with FINGERPRINT_NONE */
    FINGERPRINT_TEXT_BYTES = 3 * FINGERPRINT_BYTES_MAX /* "AB:CD:..", with its zero */
};

/* "sha-1" .. "sha-512"; "?" for FINGERPRINT_NONE. */
const char *fingerprint_hash_name(enum fingerprint_hash hash);

/* In either case (RFC 8122 5: tokens of SDP); FINGERPRINT_NONE for an unknown one. */
enum fingerprint_hash fingerprint_hash_of_name(const char *name);

/* Length of the hash; 0 for FINGERPRINT_NONE. */
size_t fingerprint_bytes(enum fingerprint_hash hash);

/* Of a certificate in DER. `hash` is not FINGERPRINT_NONE. */
void fingerprint_make(struct fingerprint *out, enum fingerprint_hash hash, const uint8_t *der,
                      size_t der_bytes);

/* Same hash and same bytes; takes the same time wherever they differ. FINGERPRINT_NONE equals
 * nothing. */
bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b);

/* Upper-case pairs with colons, and a zero. */
void fingerprint_format(const struct fingerprint *fingerprint, char out[FINGERPRINT_TEXT_BYTES]);

/* The reverse, of `name` and `text` in either case. False, and `out` is FINGERPRINT_NONE: unknown
 * hash, wrong length, anything but pairs with colons. */
bool fingerprint_parse(struct fingerprint *out, const char *name, const char *text);

#endif
