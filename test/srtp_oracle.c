/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/srtp_oracle.c - SRTP straight from the RFCs, to compare with. */
#include "test/srtp_oracle.h"

#include <stdlib.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>

/* Nothing here fails but for want of memory. */
static void must(int error)
{
    if (error)
        abort();
}

static void oracle_keystream(const uint8_t *key, size_t key_bytes, const uint8_t iv[16],
                             uint8_t *out, size_t bytes)
{
    Aes aes;
    must(wc_AesInit(&aes, NULL, INVALID_DEVID));
    must(wc_AesSetKeyDirect(&aes, key, (word32)key_bytes, NULL, AES_ENCRYPTION));
    uint8_t block[16];
    memcpy(block, iv, 16);
    for (size_t at = 0; at < bytes; at += 16) {
        uint8_t stream[16];
        wc_AesEncryptDirect(&aes, stream, block);
        memcpy(out + at, stream, min_size(16, bytes - at));
        put_be16(block + 14, (uint16_t)(be16(block + 14) + 1));
    }
    wc_AesFree(&aes);
}

/* RFC 3711 4.3: key derivation rate 0. A GCM salt of 12 bytes counts as followed by zeros (RFC 7714
 * 11). */
void oracle_derive(enum seal_suite suite, const uint8_t *master, uint8_t label, uint8_t *out,
                   size_t bytes)
{
    size_t salt_bytes = seal_suite_is_aead(suite) ? 12 : 14;
    size_t key_bytes = seal_key_bytes(suite) - salt_bytes;
    uint8_t x[16] = {0};
    memcpy(x, master + key_bytes, salt_bytes);
    x[7] ^= label;
    oracle_keystream(master, key_bytes, x, out, bytes);
}

/* RFC 3711 4.1.1, 4.2: `roc_bytes` of the authenticated part are the rollover counter, not sent. */
static void oracle_cm(const uint8_t *master, uint8_t label, uint8_t *data, size_t *bytes,
                      size_t clear, uint32_t ssrc, uint64_t index, const uint8_t *trailer,
                      bool trailer_sent, size_t tag_bytes)
{
    enum seal_suite suite = SEAL_AES_CM_128_HMAC_SHA1_80;
    uint8_t key[16];
    uint8_t auth[20];
    uint8_t iv[16] = {0};
    oracle_derive(suite, master, label, key, 16);
    oracle_derive(suite, master, label + 1, auth, 20);
    oracle_derive(suite, master, label + 2, iv, 14);
    for (int i = 0; i < 4; i++)
        iv[4 + i] ^= (uint8_t)(ssrc >> (24 - 8 * i));
    for (int i = 0; i < 6; i++)
        iv[8 + i] ^= (uint8_t)(index >> (40 - 8 * i));
    uint8_t stream[ORACLE_BYTES_MAX];
    oracle_keystream(key, 16, iv, stream, *bytes - clear);
    for (size_t i = clear; i < *bytes; i++)
        data[i] ^= stream[i - clear];

    Hmac hmac;
    uint8_t tag[20];
    must(wc_HmacInit(&hmac, NULL, INVALID_DEVID));
    must(wc_HmacSetKey(&hmac, WC_SHA, auth, 20));
    must(wc_HmacUpdate(&hmac, data, (word32)*bytes));
    must(wc_HmacUpdate(&hmac, trailer, 4));
    must(wc_HmacFinal(&hmac, tag));
    wc_HmacFree(&hmac);
    if (trailer_sent) {
        memcpy(data + *bytes, trailer, 4);
        *bytes += 4;
    }
    memcpy(data + *bytes, tag, tag_bytes);
    *bytes += tag_bytes;
}

/* RFC 7714 8.1, 9.1. `low` is the last 6 bytes of the IV before the salt. */
static void oracle_gcm(enum seal_suite suite, const uint8_t *master, uint8_t label, uint8_t *data,
                       size_t *bytes, size_t clear, uint32_t ssrc, uint64_t low,
                       const uint8_t *trailer)
{
    size_t key_bytes = seal_key_bytes(suite) - 12;
    uint8_t key[32];
    uint8_t iv[12];
    oracle_derive(suite, master, label, key, key_bytes);
    oracle_derive(suite, master, label + 2, iv, 12);
    for (int i = 0; i < 4; i++)
        iv[2 + i] ^= (uint8_t)(ssrc >> (24 - 8 * i));
    for (int i = 0; i < 6; i++)
        iv[6 + i] ^= (uint8_t)(low >> (40 - 8 * i));
    uint8_t aad[ORACLE_BYTES_MAX];
    memcpy(aad, data, clear);
    if (trailer)
        memcpy(aad + clear, trailer, 4);
    uint8_t tag[16];
    Aes aes;
    must(wc_AesInit(&aes, NULL, INVALID_DEVID));
    must(wc_AesGcmSetKey(&aes, key, (word32)key_bytes));
    must(wc_AesGcmEncrypt(&aes, data + clear, data + clear, (word32)(*bytes - clear), iv, 12, tag,
                          16, aad, (word32)(clear + (trailer ? 4 : 0))));
    wc_AesFree(&aes);
    memcpy(data + *bytes, tag, 16);
    *bytes += 16;
    if (trailer) {
        memcpy(data + *bytes, trailer, 4);
        *bytes += 4;
    }
}

void oracle_rtp(enum seal_suite suite, const uint8_t *master, uint8_t *data, size_t *bytes,
                size_t clear, uint32_t roc)
{
    uint64_t index = (uint64_t)roc << 16 | be16(data + 2);
    uint8_t roc_sent[4];
    put_be32(roc_sent, roc);
    uint32_t ssrc = be32(data + 8);
    if (seal_suite_is_aead(suite))
        oracle_gcm(suite, master, 0, data, bytes, clear, ssrc, index, NULL);
    else
        oracle_cm(master, 0, data, bytes, clear, ssrc, index, roc_sent, false,
                  suite == SEAL_AES_CM_128_HMAC_SHA1_32 ? 4 : 10);
}

void oracle_rtcp(enum seal_suite suite, const uint8_t *master, uint8_t *data, size_t *bytes,
                 uint32_t index)
{
    uint8_t trailer[4];
    put_be32(trailer, 0x80000000 | index);
    uint32_t ssrc = be32(data + 4);
    if (seal_suite_is_aead(suite))
        oracle_gcm(suite, master, 3, data, bytes, 8, ssrc, index, trailer);
    else
        oracle_cm(master, 3, data, bytes, 8, ssrc, index, trailer, true, 10);
}
