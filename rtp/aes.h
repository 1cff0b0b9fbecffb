/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/aes.h - AES as SRTP needs it, from one of two libraries behind one table of functions.
 *
 * wolfCrypt is always there. ipsec-mb (Intel's, BSD-3) is there where the build was asked for it
 * (SLUICE_IPSEC_MB): its GCM uses the wide vector units where the processor has them. Results are
 * the same, byte for byte. Only for rtp/cipher.c.
 * Threads: start() once at start-up; a state by one thread at a time, different ones at once.
 * Memory: the state of a key is the caller's, aligned as the engine says; ipsec-mb's is 0.6 KiB
 * larger, of which a seal has five. */
#ifndef RTP_AES_H
#define RTP_AES_H

#include "core/base.h"

enum { AES_BLOCK = 16, AES_GCM_IV_BYTES = 12 };

struct aes_gcm_job { /* one packet, encrypted or decrypted where it is */
    uint8_t *data;   /* NULL for no bytes */
    size_t bytes;
    const uint8_t *iv;  /* AES_GCM_IV_BYTES */
    const uint8_t *aad; /* additional data, NULL for none */
    size_t aad_bytes;
    size_t tag_bytes; /* 8 or 16 */
};

struct aes_engine {
    const char *name; /* "wolfCrypt" */
    size_t align;     /* of states, a power of two */
    size_t gcm_state_bytes, block_state_bytes;

    /* 0, -ENOMEM, -ENOTSUP: not on this processor. */
    int (*start)(void);

    /* Keys of 16 or 32 bytes. 0 or -EINVAL. */
    int (*gcm_key)(void *state, const uint8_t *key, size_t key_bytes);
    int (*block_key)(void *state, const uint8_t *key, size_t key_bytes);
    void (*gcm_wipe)(void *state);
    void (*block_wipe)(void *state);

    /* Writes the tag. 0 or -EIO. */
    int (*gcm_seal)(void *state, const struct aes_gcm_job *job, uint8_t *tag);

    /* 0; -EBADMSG: another tag, and `data` is undefined; -EIO. */
    int (*gcm_open)(void *state, const struct aes_gcm_job *job, const uint8_t *tag);

    /* Counter mode over whole blocks: the first uses `counter` as it is, each further one the next
     * number in its last 16 bits, which do not run over. 0 or -EIO. */
    int (*counter_crypt)(void *state, uint8_t *data, size_t blocks, const uint8_t *counter);
};

extern const struct aes_engine aes_wolfcrypt;

/* NULL where the build is without it. */
const struct aes_engine *aes_ipsec_mb(void);

#endif
