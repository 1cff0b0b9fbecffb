/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/cipher.h - AES (rtp/aes.h) and wolfCrypt's HMAC-SHA1 behind libsrtp2's plug-in interface.
 *
 * libsrtp2 drives them: alloc and init when a stream's keys are made, set_iv, set_aad, encrypt and
 * get_tag per packet. Only alloc and dealloc use the heap; dealloc wipes the keys. Additional data
 * is not copied: what set_aad points to must stay until encrypt or decrypt, as libsrtp2 has it.
 * An authentication failure leaves the buffer undefined.
 * Threads: cipher_install() once at start-up; a cipher by one thread at a time, different ciphers
 * by any threads at once. */
#ifndef RTP_CIPHER_H
#define RTP_CIPHER_H

#include <srtp2/auth.h>
#include <srtp2/cipher.h>

enum {
    CIPHER_ICM_SALT_BYTES = 14,
    CIPHER_GCM_SALT_BYTES = 12,
    CIPHER_GCM_TAG_BYTES = 16,
    CIPHER_AAD_PARTS = 2,        /* SRTCP: header and trailer, which are not neighbours */
    CIPHER_AAD_BYTES_MAX = 2048, /* of two parts: a whole unencrypted SRTCP packet */
    CIPHER_HMAC_KEY_BYTES_MAX = 64,
    CIPHER_SHA1_BYTES = 20,
};

extern const srtp_cipher_type_t cipher_aes_icm_128; /* RFC 3711 4.1.1 */
extern const srtp_cipher_type_t cipher_aes_icm_256; /* RFC 6188; key derivation of AES-256-GCM */
extern const srtp_cipher_type_t cipher_aes_gcm_128; /* RFC 7714 */
extern const srtp_cipher_type_t cipher_aes_gcm_256;
extern const srtp_auth_type_t cipher_hmac_sha1; /* RFC 2104, keys up to one block */

struct aes_engine;

/* Replaces libsrtp2's own, after srtp_init(), by AES of the fastest engine that the build and the
 * processor have. libsrtp2 runs its known-answer tests and ours on each before it takes it. 0,
 * -ENOMEM, or -EIO: a test failed. */
int cipher_install(void);

/* The same with the given engine, -ENOTSUP where the processor cannot. What was made before keeps
 * its own. */
int cipher_install_from(const struct aes_engine *from);

/* "wolfCrypt" or "ipsec-mb": whose AES it is. */
const char *cipher_engine_name(void);

#endif
