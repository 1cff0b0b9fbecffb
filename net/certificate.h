/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/certificate.h - the relay's own certificate and its key: made at start, or loaded.
 *
 * One for the whole process, made before the workers start; a worker's DTLS context takes a copy
 * (net/dtls.h). Afterwards it is read only, from any thread: its fingerprints go into
 * dtlsParameters. certificate_exit() wipes the key. Needs dtls_library_init() before.
 *
 * Peers judge it by its fingerprint alone (RFC 8827 6.5), so it is signed by itself. */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include "net/fingerprint.h"

enum {
    CERTIFICATE_DER_BYTES_MAX = 4096,
    CERTIFICATE_KEY_BYTES_MAX = 3072,   /* RSA of 4096 bits has about 2,400 */
    CERTIFICATE_FILE_BYTES_MAX = 65536, /* a PEM file, chain included */
    CERTIFICATE_ERROR_BYTES = 512,
    CERTIFICATE_DAYS = 3650, /* valid from a day ago, for peers whose clocks are behind */
};

struct certificate {
    size_t der_bytes, key_bytes;
    uint8_t der[CERTIFICATE_DER_BYTES_MAX];
    uint8_t key[CERTIFICATE_KEY_BYTES_MAX];              /* DER as well; secret */
    struct fingerprint fingerprints[FINGERPRINT_HASH_N]; /* by enum fingerprint_hash, from SHA-1 */
};

/* ECDSA on P-256, new key, random serial number. 0; -EIO when the library fails (no randomness). */
int certificate_make(struct certificate *certificate);

/* The first certificate of one PEM file and the key of another (or the same), ECDSA (P-256, P-384)
 * or RSA, not encrypted. 0, or -errno and `why` says which file and what is wrong with it: it
 * cannot be read, is too long, holds none (-EINVAL), or the two do not belong together (-EINVAL).
 */
int certificate_load(struct certificate *certificate, const char *certificate_path,
                     const char *key_path, char why[CERTIFICATE_ERROR_BYTES]);

/* Wipes. A zeroed struct is fine. */
void certificate_exit(struct certificate *certificate);

/* PEM text of a certificate in DER, zero-terminated, malloc'ed, the caller's to free; NULL without
 * memory. */
char *certificate_pem(const uint8_t *der, size_t der_bytes);

#endif
