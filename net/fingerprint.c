/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/fingerprint.c - fingerprints of certificates as bytes and as text. */
#include "net/fingerprint.h"

#include <strings.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/hash.h>

static const struct {
    const char *name;
    uint8_t bytes;
} hashes[] = {
    [FINGERPRINT_NONE] = {"?", 0},          [FINGERPRINT_SHA1] = {"sha-1", 20},
    [FINGERPRINT_SHA224] = {"sha-224", 28}, [FINGERPRINT_SHA256] = {"sha-256", 32},
    [FINGERPRINT_SHA384] = {"sha-384", 48}, [FINGERPRINT_SHA512] = {"sha-512", 64},
};

static_assert(ARRAY_N(hashes) == FINGERPRINT_HASH_N, "every hash has its row");

const char *fingerprint_hash_name(enum fingerprint_hash hash)
{
    return (unsigned)hash < FINGERPRINT_HASH_N ? hashes[hash].name : "?";
}

enum fingerprint_hash fingerprint_hash_of_name(const char *name)
{
    for (int i = FINGERPRINT_SHA1; i < FINGERPRINT_HASH_N; i++)
        if (strcasecmp(name, hashes[i].name) == 0)
            return (enum fingerprint_hash)i;
    return FINGERPRINT_NONE;
}

size_t fingerprint_bytes(enum fingerprint_hash hash)
{
    return (unsigned)hash < FINGERPRINT_HASH_N ? hashes[hash].bytes : 0;
}

void fingerprint_make(struct fingerprint *out, enum fingerprint_hash hash, const uint8_t *der,
                      size_t der_bytes)
{
    ASSERT(fingerprint_bytes(hash) > 0);
    ASSERT(der_bytes <= UINT32_MAX);
    *out = (struct fingerprint){.hash = hash};
    word32 n = (word32)der_bytes;
    int failed = 1;
    switch (hash) {
    case FINGERPRINT_NONE:
        break;
    case FINGERPRINT_SHA1:
        failed = wc_ShaHash(der, n, out->bytes);
        break;
    case FINGERPRINT_SHA224:
        failed = wc_Sha224Hash(der, n, out->bytes);
        break;
    case FINGERPRINT_SHA256:
        failed = wc_Sha256Hash(der, n, out->bytes);
        break;
    case FINGERPRINT_SHA384:
        failed = wc_Sha384Hash(der, n, out->bytes);
        break;
    case FINGERPRINT_SHA512:
        failed = wc_Sha512Hash(der, n, out->bytes);
        break;
    }
    if (failed) /* equals nothing then */
        out->hash = FINGERPRINT_NONE;
}

bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b)
{
    size_t n = fingerprint_bytes(a->hash);
    if (n == 0 || a->hash != b->hash)
        return false;
    uint8_t differs = 0;
    for (size_t i = 0; i < n; i++)
        differs |= (uint8_t)(a->bytes[i] ^ b->bytes[i]);
    return differs == 0;
}

void fingerprint_format(const struct fingerprint *fingerprint, char out[FINGERPRINT_TEXT_BYTES])
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = fingerprint_bytes(fingerprint->hash);
    for (size_t i = 0; i < n; i++) {
        out[3 * i] = digits[fingerprint->bytes[i] >> 4];
        out[3 * i + 1] = digits[fingerprint->bytes[i] & 15];
        out[3 * i + 2] = ':';
    }
    out[n ? 3 * n - 1 : 0] = '\0';
}

/* Value of a hexadecimal digit, or -1. */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool fingerprint_parse(struct fingerprint *out, const char *name, const char *text)
{
    *out = (struct fingerprint){FINGERPRINT_NONE, {0}};
    enum fingerprint_hash hash = fingerprint_hash_of_name(name);
    size_t n = fingerprint_bytes(hash);
    if (n == 0 || strlen(text) != 3 * n - 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[3 * i]), low = digit(text[3 * i + 1]);
        if (high < 0 || low < 0 || (i + 1 < n && text[3 * i + 2] != ':'))
            return false;
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    out->hash = hash;
    return true;
}
