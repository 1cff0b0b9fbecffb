/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/seal.h - SRTP and SRTCP of one transport: libsrtp2 with wolfCrypt's ciphers. RFC 3711, RFC 7714.
 *
 * One seal per transport, two libsrtp2 sessions in it. libsrtp2 allocates when streams are added: that is done by
 * command (outbound) or when a new ssrc's first packet arrives (inbound, bounded), never for a packet of a known stream.
 * Replay window 1024; repeated sending of an index is allowed (a plain resend is byte-identical: the caller sees to it).
 * Threads: seal_library_init() once at start-up; a seal by its worker. Keys are wiped by seal_exit(). */
#ifndef RTP_SEAL_H
#define RTP_SEAL_H

#include "core/base.h"
#include "core/drop.h"

enum seal_suite {
    SEAL_NONE,
    SEAL_AEAD_AES_256_GCM,
    SEAL_AEAD_AES_128_GCM,
    SEAL_AES_CM_128_HMAC_SHA1_80,
    SEAL_AES_CM_128_HMAC_SHA1_32,
    SEAL_SUITE_N,
};

enum {
    SEAL_KEY_BYTES_MAX = 44,     /* AES-256-GCM: 32 key + 12 salt */
    SEAL_OVERHEAD_RTP = 16,      /* most that protect adds to RTP */
    SEAL_OVERHEAD_RTCP = 16 + 4, /* tag and index */
    SEAL_WINDOW = 1024,
    SEAL_STREAMS_IN_MAX = 64, /* inbound ssrcs of one transport */
};

struct seal; /* opaque: suite, two srtp_t, outbound memory of rollover counters */

const char *seal_suite_name(enum seal_suite suite);                  /* "AEAD_AES_256_GCM" */
enum seal_suite seal_suite_of_name(const char *name);                /* SEAL_NONE for an unknown one */
size_t seal_key_bytes(enum seal_suite suite);                        /* master key + salt */
bool seal_suite_is_aead(enum seal_suite suite);

/* Initializes libsrtp2, plugs wolfCrypt's ciphers in and runs their self-tests. 0 or -EIO. */
int seal_library_init(void);
void seal_library_exit(void);

/* Keys are master key then salt, seal_key_bytes() long; copied. Allocates. 0, -ENOMEM, -EINVAL. */
int seal_init(struct seal **seal, enum seal_suite suite, const uint8_t *key_in,
              const uint8_t *key_out);
void seal_exit(struct seal *seal);
enum seal_suite seal_suite_of(const struct seal *seal);

/* Outbound stream of a consumer, added when it is made and removed with it. An ssrc used again while the key lives
 * continues its rollover counter and index. Allocates. 0, -EEXIST, -ENOSPC, -ENOMEM. */
int seal_add_out(struct seal *seal, uint32_t ssrc);
void seal_remove_out(struct seal *seal, uint32_t ssrc);
/* Inbound streams go with their producer. */
void seal_remove_in(struct seal *seal, uint32_t ssrc);

/* In place. `bytes` is updated. Protect needs SEAL_OVERHEAD_* (+ libsrtp2's slack of 144) bytes of room behind the packet.
 * DROP_NONE, DROP_SEAL / DROP_SRTP_AUTH, DROP_SRTP_REPLAY, DROP_SRTP_STREAMS, DROP_SRTP_OTHER. */
enum drop seal_protect_rtp(struct seal *seal, uint8_t *data, size_t *bytes);
enum drop seal_protect_rtcp(struct seal *seal, uint8_t *data, size_t *bytes);
enum drop seal_unprotect_rtp(struct seal *seal, uint8_t *data, size_t *bytes);
enum drop seal_unprotect_rtcp(struct seal *seal, uint8_t *data, size_t *bytes);

#endif
