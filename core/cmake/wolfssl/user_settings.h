/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/cmake/wolfssl/user_settings.h - what of wolfSSL is built: DTLS 1.2 and 1.3 with SRTP keys
 * for browsers, certificates made at start-up, and the ciphers that rtp/seal plugs into libsrtp2.
 *
 * Whoever includes a wolfSSL header sees the same file, so that structures have one layout. A
 * change here changes the name of the folder under build/deps and so builds the library again. */
#ifndef SLUICE_WOLFSSL_USER_SETTINGS_H
#define SLUICE_WOLFSSL_USER_SETTINGS_H

/* Protocol: DTLS in both versions, use_srtp and the key exporter. A ClientHello with a post-quantum
 * key share comes in fragments; ICE has already proven the address, a cookie is sent only on
 * demand. */
#define WOLFSSL_TLS13
#define WOLFSSL_DTLS
#define WOLFSSL_DTLS13
#define WOLFSSL_DTLS_MTU
#define WOLFSSL_DTLS_CH_FRAG
#define WOLFSSL_SEND_HRR_COOKIE
#define WOLFSSL_SRTP
#define HAVE_KEYING_MATERIAL
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_HKDF
#define NO_OLD_TLS
#define NO_PSK
#define NO_SESSION_CACHE

/* Certificates: our own is made at start-up; a peer's is judged by its fingerprint alone, so the
 * callback must see every one, self-signed and slightly malformed ones included. */
#define WOLFSSL_CERT_GEN
#define WOLFSSL_CERT_EXT
#define WOLFSSL_KEY_GEN
#define WOLFSSL_ALWAYS_VERIFY_CB
#define WOLFSSL_NO_ASN_STRICT
#define WOLFSSL_ASN_TEMPLATE

/* Algorithms. AES direct, counter and ECB, and SHA-1 for HMAC, are for SRTP's AES_CM and header
 * keys; libsrtp2's self-test uses a GCM tag of 8 bytes. */
#define HAVE_AESGCM
#define WOLFSSL_MIN_AUTH_TAG_SZ 8
#define WOLFSSL_AES_DIRECT
#define WOLFSSL_AES_COUNTER
#define HAVE_AES_ECB
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ECC
#define ECC_USER_CURVES
#define HAVE_ECC384
#define ECC_SHAMIR
#define ECC_TIMING_RESISTANT
#define HAVE_CURVE25519
#define WC_RSA_BLINDING
#define WC_RSA_PSS
#define TFM_TIMING_RESISTANT
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define NO_DES3
#define NO_DH
#define NO_DSA
#define NO_MD4
#define NO_MD5
#define NO_PWDBASED
#define NO_RC4

/* Randomness by getrandom(2): without a file system that is the only source. */
#define HAVE_HASHDRBG
#define WOLFSSL_GETRANDOM

/* Big numbers: single precision for P-256 and P-384, the general code for RSA up to 4096 bits. */
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_384
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_SP_INT_NEGATIVE
#define SP_INT_BITS 4096
#ifdef __x86_64__
#define WOLFSSL_X86_64_BUILD
#define WOLFSSL_AESNI
#define USE_INTEL_SPEEDUP
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_X86_64_ASM
#endif

/* Platform: datagrams go through memory, never through a socket or a file of wolfSSL's own. */
#define WOLFSSL_USER_IO
#define WOLFSSL_NO_SOCK
#define USER_TICKS /* net/dtlscontext.c has the clock: DTLS 1.3 sends again once a tick at most */
#define NO_WRITEV
#define NO_FILESYSTEM
#define NO_MAIN_DRIVER
#define NO_ERROR_QUEUE
#define WOLFSSL_CLEANUP_THREADSAFE
#define WOLFSSL_IGNORE_FILE_WARN

#endif
