/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/cipher.c - AES and wolfCrypt's HMAC-SHA1 behind libsrtp2's plug-in interface. */
#include "rtp/cipher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/sha.h>

#include "core/base.h"
#include "rtp/aes.h"
#include "rtp/cipheranswer.h"

/* Whose AES the ciphers use that are made from now on. */
static const struct aes_engine *engine = &aes_wolfcrypt;

/* Zeroed, with the engine's state behind it (*state), aligned for that. */
static void *cipher_take(size_t own_bytes, size_t state_bytes, void **state)
{
    size_t at = (own_bytes + engine->align - 1) / engine->align * engine->align;
    size_t bytes = (at + state_bytes + engine->align - 1) / engine->align * engine->align;
    uint8_t *cipher = aligned_alloc(engine->align, bytes);
    if (!cipher)
        return NULL;
    memset(cipher, 0, bytes);
    *state = cipher + at;
    return cipher;
}

/* ---- AES in counter mode (libsrtp2: "integer counter mode"). RFC 3711 4.1.1. */

struct cipher_icm {
    srtp_cipher_t base;
    const struct aes_engine *engine;
    void *aes;                /* its state, behind this */
    uint8_t salt[AES_BLOCK];  /* salt * 2^16 */
    uint8_t block[AES_BLOCK]; /* next counter block: 14 bytes of IV, 16 bits of counter */
    uint8_t keystream[AES_BLOCK];
    unsigned left; /* bytes of `keystream` that have not been used */
    int key_bytes;
};

static srtp_err_status_t icm_alloc(srtp_cipher_pointer_t *out, const srtp_cipher_type_t *type,
                                   int key_bytes)
{
    void *aes;
    struct cipher_icm *icm = cipher_take(sizeof(*icm), engine->block_state_bytes, &aes);
    if (!icm)
        return srtp_err_status_alloc_fail;
    icm->aes = aes;
    icm->engine = engine;
    icm->key_bytes = key_bytes;
    icm->base = (srtp_cipher_t){
        .type = type,
        .state = icm,
        .key_len = key_bytes + CIPHER_ICM_SALT_BYTES,
        .algorithm = (int)type->id,
    };
    *out = &icm->base;
    return srtp_err_status_ok;
}

static srtp_err_status_t icm_alloc_128(srtp_cipher_pointer_t *out, int key_bytes, int tag_bytes)
{
    (void)tag_bytes;
    if (key_bytes != SRTP_AES_ICM_128_KEY_LEN_WSALT)
        return srtp_err_status_bad_param;
    return icm_alloc(out, &cipher_aes_icm_128, SRTP_AES_128_KEY_LEN);
}

static srtp_err_status_t icm_alloc_256(srtp_cipher_pointer_t *out, int key_bytes, int tag_bytes)
{
    (void)tag_bytes;
    if (key_bytes != SRTP_AES_ICM_256_KEY_LEN_WSALT)
        return srtp_err_status_bad_param;
    return icm_alloc(out, &cipher_aes_icm_256, SRTP_AES_256_KEY_LEN);
}

static srtp_err_status_t icm_dealloc(srtp_cipher_pointer_t cipher)
{
    struct cipher_icm *icm = cipher->state;
    icm->engine->block_wipe(icm->aes);
    explicit_bzero(icm, sizeof(*icm));
    free(icm);
    return srtp_err_status_ok;
}

static srtp_err_status_t icm_init(void *state, const uint8_t *key)
{
    struct cipher_icm *icm = state;
    memset(icm->salt, 0, sizeof(icm->salt));
    memcpy(icm->salt, key + icm->key_bytes, CIPHER_ICM_SALT_BYTES);
    icm->left = 0;
    if (icm->engine->block_key(icm->aes, key, (size_t)icm->key_bytes))
        return srtp_err_status_init_fail;
    return srtp_err_status_ok;
}

static srtp_err_status_t icm_set_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction)
{
    struct cipher_icm *icm = state;
    (void)direction;
    for (size_t i = 0; i < AES_BLOCK; i++)
        icm->block[i] = icm->salt[i] ^ iv[i];
    icm->left = 0;
    return srtp_err_status_ok;
}

/* The counter is 16 bits: a packet has fewer than 2^16 blocks. */
static int icm_blocks(struct cipher_icm *icm, uint8_t *data, size_t blocks)
{
    int error = icm->engine->counter_crypt(icm->aes, data, blocks, icm->block);
    put_be16(icm->block + 14, (uint16_t)(be16(icm->block + 14) + blocks));
    return error;
}

/* With what is left of the last block's keystream. Returns the bytes done. */
static size_t icm_rest(struct cipher_icm *icm, uint8_t *data, size_t bytes)
{
    size_t n = min_size(bytes, icm->left);
    const uint8_t *with = icm->keystream + AES_BLOCK - icm->left;
    for (size_t i = 0; i < n; i++)
        data[i] ^= with[i];
    icm->left -= (unsigned)n;
    return n;
}

static srtp_err_status_t icm_crypt(void *state, uint8_t *data, unsigned *bytes)
{
    struct cipher_icm *icm = state;
    size_t at = icm_rest(icm, data, *bytes);
    size_t blocks = (*bytes - at) / AES_BLOCK;
    if (blocks && icm_blocks(icm, data + at, blocks))
        return srtp_err_status_cipher_fail;
    at += AES_BLOCK * blocks;
    if (at == *bytes)
        return srtp_err_status_ok;
    memset(icm->keystream, 0, AES_BLOCK);
    if (icm_blocks(icm, icm->keystream, 1))
        return srtp_err_status_cipher_fail;
    icm->left = AES_BLOCK;
    icm_rest(icm, data + at, *bytes - at);
    return srtp_err_status_ok;
}

/* ---- AES in Galois/counter mode. RFC 7714. */

struct cipher_gcm {
    srtp_cipher_t base;
    const struct aes_engine *engine;
    void *aes; /* its state, behind this */

    struct {
        const uint8_t *data;
        uint32_t bytes;
    } aad[CIPHER_AAD_PARTS];

    uint8_t iv[CIPHER_GCM_SALT_BYTES];
    uint8_t tag[CIPHER_GCM_TAG_BYTES];
    uint8_t aad_n;
    uint8_t tag_bytes;
    uint8_t key_bytes;
};

static srtp_err_status_t gcm_alloc(srtp_cipher_pointer_t *out, const srtp_cipher_type_t *type,
                                   int key_bytes, int tag_bytes)
{
    /* 8 bytes only for libsrtp2's own tests. */
    if (tag_bytes != CIPHER_GCM_TAG_BYTES && tag_bytes != 8)
        return srtp_err_status_bad_param;
    void *aes;
    struct cipher_gcm *gcm = cipher_take(sizeof(*gcm), engine->gcm_state_bytes, &aes);
    if (!gcm)
        return srtp_err_status_alloc_fail;
    gcm->aes = aes;
    gcm->engine = engine;
    gcm->key_bytes = (uint8_t)key_bytes;
    gcm->tag_bytes = (uint8_t)tag_bytes;
    gcm->base = (srtp_cipher_t){
        .type = type,
        .state = gcm,
        .key_len = key_bytes + CIPHER_GCM_SALT_BYTES,
        .algorithm = (int)type->id,
    };
    *out = &gcm->base;
    return srtp_err_status_ok;
}

static srtp_err_status_t gcm_alloc_128(srtp_cipher_pointer_t *out, int key_bytes, int tag_bytes)
{
    if (key_bytes != SRTP_AES_GCM_128_KEY_LEN_WSALT)
        return srtp_err_status_bad_param;
    return gcm_alloc(out, &cipher_aes_gcm_128, SRTP_AES_128_KEY_LEN, tag_bytes);
}

static srtp_err_status_t gcm_alloc_256(srtp_cipher_pointer_t *out, int key_bytes, int tag_bytes)
{
    if (key_bytes != SRTP_AES_GCM_256_KEY_LEN_WSALT)
        return srtp_err_status_bad_param;
    return gcm_alloc(out, &cipher_aes_gcm_256, SRTP_AES_256_KEY_LEN, tag_bytes);
}

static srtp_err_status_t gcm_dealloc(srtp_cipher_pointer_t cipher)
{
    struct cipher_gcm *gcm = cipher->state;
    gcm->engine->gcm_wipe(gcm->aes);
    explicit_bzero(gcm, sizeof(*gcm));
    free(gcm);
    return srtp_err_status_ok;
}

static srtp_err_status_t gcm_init(void *state, const uint8_t *key)
{
    struct cipher_gcm *gcm = state;
    gcm->aad_n = 0;
    if (gcm->engine->gcm_key(gcm->aes, key, gcm->key_bytes))
        return srtp_err_status_init_fail;
    return srtp_err_status_ok;
}

/* libsrtp2 has xored the salt in already. */
static srtp_err_status_t gcm_set_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction)
{
    struct cipher_gcm *gcm = state;
    (void)direction;
    memcpy(gcm->iv, iv, sizeof(gcm->iv));
    gcm->aad_n = 0;
    return srtp_err_status_ok;
}

static srtp_err_status_t gcm_set_aad(void *state, const uint8_t *aad, uint32_t bytes)
{
    struct cipher_gcm *gcm = state;
    if (gcm->aad_n == CIPHER_AAD_PARTS || bytes > CIPHER_AAD_BYTES_MAX)
        return srtp_err_status_bad_param;
    gcm->aad[gcm->aad_n].data = aad;
    gcm->aad[gcm->aad_n].bytes = bytes;
    gcm->aad_n++;
    return srtp_err_status_ok;
}

/* One packet's GCM. A tag is made or, with `tag_in`, checked. 0 or -errno. */
static int gcm_run(struct cipher_gcm *gcm, uint8_t *data, size_t bytes, const uint8_t *aad,
                   size_t aad_bytes, const uint8_t *tag_in)
{
    struct aes_gcm_job job = {.data = data,
                              .bytes = bytes,
                              .iv = gcm->iv,
                              .aad = aad,
                              .aad_bytes = aad_bytes,
                              .tag_bytes = gcm->tag_bytes};
    return tag_in ? gcm->engine->gcm_open(gcm->aes, &job, tag_in)
                  : gcm->engine->gcm_seal(gcm->aes, &job, gcm->tag);
}

/* RTP has one part of additional data, used where it is; SRTCP's two are put together here. */
static int gcm_crypt(struct cipher_gcm *gcm, uint8_t *data, size_t bytes, const uint8_t *tag_in)
{
    unsigned parts = gcm->aad_n;
    gcm->aad_n = 0;
    if (parts < CIPHER_AAD_PARTS)
        return gcm_run(gcm, data, bytes, parts ? gcm->aad[0].data : NULL,
                       parts ? gcm->aad[0].bytes : 0, tag_in);

    uint8_t aad[CIPHER_AAD_BYTES_MAX];
    size_t first = gcm->aad[0].bytes;
    if (gcm->aad[1].bytes > sizeof(aad) - first)
        return -EMSGSIZE;
    memcpy(aad, gcm->aad[0].data, first);
    memcpy(aad + first, gcm->aad[1].data, gcm->aad[1].bytes);
    return gcm_run(gcm, data, bytes, aad, first + gcm->aad[1].bytes, tag_in);
}

static srtp_err_status_t gcm_encrypt(void *state, uint8_t *data, unsigned *bytes)
{
    struct cipher_gcm *gcm = state;
    if (gcm_crypt(gcm, data, *bytes, NULL))
        return srtp_err_status_cipher_fail;
    return srtp_err_status_ok;
}

static srtp_err_status_t gcm_decrypt(void *state, uint8_t *data, unsigned *bytes)
{
    struct cipher_gcm *gcm = state;
    if (*bytes < gcm->tag_bytes)
        return srtp_err_status_bad_param;
    unsigned plain = *bytes - gcm->tag_bytes;
    int error = gcm_crypt(gcm, data, plain, data + plain);
    if (error == -EBADMSG)
        return srtp_err_status_auth_fail;
    if (error)
        return srtp_err_status_cipher_fail;
    *bytes = plain;
    return srtp_err_status_ok;
}

static srtp_err_status_t gcm_get_tag(void *state, uint8_t *tag, uint32_t *bytes)
{
    struct cipher_gcm *gcm = state;
    memcpy(tag, gcm->tag, gcm->tag_bytes);
    *bytes = gcm->tag_bytes;
    return srtp_err_status_ok;
}

/* ---- HMAC-SHA1. RFC 2104: the states after the two padded keys are kept. */

struct cipher_hmac {
    srtp_auth_t base;
    wc_Sha inner, outer, running;
};

static srtp_err_status_t hmac_alloc(srtp_auth_pointer_t *out, int key_bytes, int tag_bytes)
{
    if (key_bytes < 0 || key_bytes > CIPHER_HMAC_KEY_BYTES_MAX)
        return srtp_err_status_bad_param;
    if (tag_bytes < 0 || tag_bytes > CIPHER_SHA1_BYTES)
        return srtp_err_status_bad_param;
    struct cipher_hmac *hmac = calloc(1, sizeof(*hmac));
    if (!hmac)
        return srtp_err_status_alloc_fail;
    hmac->base = (srtp_auth_t){
        .type = &cipher_hmac_sha1,
        .state = hmac,
        .out_len = tag_bytes,
        .key_len = key_bytes,
        .prefix_len = 0,
    };
    *out = &hmac->base;
    return srtp_err_status_ok;
}

static srtp_err_status_t hmac_dealloc(srtp_auth_pointer_t auth)
{
    struct cipher_hmac *hmac = auth->state;
    explicit_bzero(hmac, sizeof(*hmac));
    free(hmac);
    return srtp_err_status_ok;
}

static int hmac_pad(wc_Sha *sha, const uint8_t *key, size_t key_bytes, uint8_t pad)
{
    uint8_t block[CIPHER_HMAC_KEY_BYTES_MAX];
    memset(block, pad, sizeof(block));
    for (size_t i = 0; i < key_bytes; i++)
        block[i] ^= key[i];
    int error = wc_InitSha(sha);
    if (!error)
        error = wc_ShaUpdate(sha, block, sizeof(block));
    explicit_bzero(block, sizeof(block));
    return error;
}

static srtp_err_status_t hmac_init(void *state, const uint8_t *key, int key_bytes)
{
    struct cipher_hmac *hmac = state;
    if (key_bytes < 0 || key_bytes > CIPHER_HMAC_KEY_BYTES_MAX)
        return srtp_err_status_bad_param;
    if (hmac_pad(&hmac->inner, key, (size_t)key_bytes, 0x36) ||
        hmac_pad(&hmac->outer, key, (size_t)key_bytes, 0x5c))
        return srtp_err_status_init_fail;
    hmac->running = hmac->inner;
    return srtp_err_status_ok;
}

static srtp_err_status_t hmac_start(void *state)
{
    struct cipher_hmac *hmac = state;
    hmac->running = hmac->inner;
    return srtp_err_status_ok;
}

static srtp_err_status_t hmac_update(void *state, const uint8_t *data, int bytes)
{
    struct cipher_hmac *hmac = state;
    if (bytes < 0 || wc_ShaUpdate(&hmac->running, data, (word32)bytes))
        return srtp_err_status_auth_fail;
    return srtp_err_status_ok;
}

static srtp_err_status_t hmac_compute(void *state, const uint8_t *data, int bytes, int tag_bytes,
                                      uint8_t *tag)
{
    struct cipher_hmac *hmac = state;
    uint8_t digest[CIPHER_SHA1_BYTES];
    if (tag_bytes < 0 || tag_bytes > CIPHER_SHA1_BYTES)
        return srtp_err_status_bad_param;
    if (hmac_update(state, data, bytes) || wc_ShaFinal(&hmac->running, digest))
        return srtp_err_status_auth_fail;
    hmac->running = hmac->outer;
    if (wc_ShaUpdate(&hmac->running, digest, sizeof(digest)) || wc_ShaFinal(&hmac->running, digest))
        return srtp_err_status_auth_fail;
    memcpy(tag, digest, (size_t)tag_bytes);
    return srtp_err_status_ok;
}

const srtp_cipher_type_t cipher_aes_icm_128 = {
    .alloc = icm_alloc_128,
    .dealloc = icm_dealloc,
    .init = icm_init,
    .encrypt = icm_crypt,
    .decrypt = icm_crypt,
    .set_iv = icm_set_iv,
    .description = "AES-128 counter mode",
    .test_data = &cipher_answer_icm_128,
    .id = SRTP_AES_ICM_128,
};
const srtp_cipher_type_t cipher_aes_icm_256 = {
    .alloc = icm_alloc_256,
    .dealloc = icm_dealloc,
    .init = icm_init,
    .encrypt = icm_crypt,
    .decrypt = icm_crypt,
    .set_iv = icm_set_iv,
    .description = "AES-256 counter mode",
    .test_data = &cipher_answer_icm_256,
    .id = SRTP_AES_ICM_256,
};
const srtp_cipher_type_t cipher_aes_gcm_128 = {
    .alloc = gcm_alloc_128,
    .dealloc = gcm_dealloc,
    .init = gcm_init,
    .set_aad = gcm_set_aad,
    .encrypt = gcm_encrypt,
    .decrypt = gcm_decrypt,
    .set_iv = gcm_set_iv,
    .get_tag = gcm_get_tag,
    .description = "AES-128 GCM",
    .test_data = &cipher_answer_gcm_128,
    .id = SRTP_AES_GCM_128,
};
const srtp_cipher_type_t cipher_aes_gcm_256 = {
    .alloc = gcm_alloc_256,
    .dealloc = gcm_dealloc,
    .init = gcm_init,
    .set_aad = gcm_set_aad,
    .encrypt = gcm_encrypt,
    .decrypt = gcm_decrypt,
    .set_iv = gcm_set_iv,
    .get_tag = gcm_get_tag,
    .description = "AES-256 GCM",
    .test_data = &cipher_answer_gcm_256,
    .id = SRTP_AES_GCM_256,
};
const srtp_auth_type_t cipher_hmac_sha1 = {
    .alloc = hmac_alloc,
    .dealloc = hmac_dealloc,
    .init = hmac_init,
    .compute = hmac_compute,
    .update = hmac_update,
    .start = hmac_start,
    .description = "HMAC-SHA1 (wolfCrypt)",
    .test_data = &cipher_answer_hmac,
    .id = SRTP_HMAC_SHA1,
};

int cipher_install_from(const struct aes_engine *from)
{
    const srtp_cipher_type_t *types[] = {&cipher_aes_icm_128, &cipher_aes_icm_256,
                                         &cipher_aes_gcm_128, &cipher_aes_gcm_256};
    int failed = from->start();
    if (failed)
        return failed;
    engine = from;
    for (size_t i = 0; i < ARRAY_N(types); i++)
        if (srtp_replace_cipher_type(types[i], types[i]->id))
            return -EIO;
    if (srtp_replace_auth_type(&cipher_hmac_sha1, SRTP_HMAC_SHA1))
        return -EIO;
    return 0;
}

int cipher_install(void)
{
    const struct aes_engine *first = aes_ipsec_mb();
    int failed = first ? cipher_install_from(first) : -ENOTSUP;
    return failed == -ENOTSUP ? cipher_install_from(&aes_wolfcrypt) : failed;
}

const char *cipher_engine_name(void)
{
    return engine->name;
}
