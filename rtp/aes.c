/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/aes.c - wolfCrypt's AES. */
#include "rtp/aes.h"

#include <errno.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

enum { KEYSTREAM_BLOCKS = 32 }; /* a packet of 1100 bytes in three steps, half a KiB of stack */

static int start(void)
{
    return 0;
}

static int gcm_key(void *state, const uint8_t *key, size_t key_bytes)
{
    Aes *aes = state;
    if (wc_AesInit(aes, NULL, INVALID_DEVID) || wc_AesGcmSetKey(aes, key, (word32)key_bytes))
        return -EINVAL;
    return 0;
}

static int block_key(void *state, const uint8_t *key, size_t key_bytes)
{
    Aes *aes = state;
    if (wc_AesInit(aes, NULL, INVALID_DEVID) ||
        wc_AesSetKeyDirect(aes, key, (word32)key_bytes, NULL, AES_ENCRYPTION))
        return -EINVAL;
    return 0;
}

static void wipe(void *state)
{
    wc_AesFree(state);
    explicit_bzero(state, sizeof(Aes));
}

static int gcm_seal(void *state, const struct aes_gcm_job *job, uint8_t *tag)
{
    int error =
        wc_AesGcmEncrypt(state, job->data, job->data, (word32)job->bytes, job->iv, AES_GCM_IV_BYTES,
                         tag, (word32)job->tag_bytes, job->aad, (word32)job->aad_bytes);
    return error ? -EIO : 0;
}

static int gcm_open(void *state, const struct aes_gcm_job *job, const uint8_t *tag)
{
    int error =
        wc_AesGcmDecrypt(state, job->data, job->data, (word32)job->bytes, job->iv, AES_GCM_IV_BYTES,
                         tag, (word32)job->tag_bytes, job->aad, (word32)job->aad_bytes);
    return error == AES_GCM_AUTH_E ? -EBADMSG : error ? -EIO : 0;
}

static void xor_blocks(uint8_t *data, const uint8_t *with, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 8) {
        uint64_t a;
        uint64_t b;
        memcpy(&a, data + at, 8);
        memcpy(&b, with + at, 8);
        a ^= b;
        memcpy(data + at, &a, 8);
    }
}

static int counter_crypt(void *state, uint8_t *data, size_t blocks, const uint8_t *counter)
{
    _Alignas(16) uint8_t keystream[AES_BLOCK * KEYSTREAM_BLOCKS];
    uint16_t number = be16(counter + 14);
    while (blocks > 0) {
        size_t n = min_size(blocks, KEYSTREAM_BLOCKS);
        for (size_t i = 0; i < n; i++, number++) {
            memcpy(keystream + AES_BLOCK * i, counter, 14);
            put_be16(keystream + AES_BLOCK * i + 14, number);
        }
        if (wc_AesEcbEncrypt(state, keystream, keystream, (word32)(AES_BLOCK * n)))
            return -EIO;
        xor_blocks(data, keystream, AES_BLOCK * n);
        data += AES_BLOCK * n;
        blocks -= n;
    }
    return 0;
}

const struct aes_engine aes_wolfcrypt = {
    .name = "wolfCrypt",
    .align = _Alignof(Aes),
    .gcm_state_bytes = sizeof(Aes),
    .block_state_bytes = sizeof(Aes),
    .start = start,
    .gcm_key = gcm_key,
    .block_key = block_key,
    .gcm_wipe = wipe,
    .block_wipe = wipe,
    .gcm_seal = gcm_seal,
    .gcm_open = gcm_open,
    .counter_crypt = counter_crypt,
};

#ifndef SLUICE_IPSEC_MB
const struct aes_engine *aes_ipsec_mb(void)
{
    return NULL;
}
#endif
