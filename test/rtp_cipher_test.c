/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/rtp_cipher_test.c - rtp/cipher: the RFCs' vectors, through libsrtp2's interface. */
#include <errno.h>
#include <stdlib.h>

#include "core/base.h"
#include "rtp/aes.h"
#include "rtp/cipher.h"
#include "rtp/seal.h"
#include "test/suite.h"

static void setup(void)
{
    ck_assert_int_eq(seal_library_init(), 0);
}

static void setup_wolfcrypt(void)
{
    setup();
    ck_assert_int_eq(cipher_install_from(&aes_wolfcrypt), 0);
}

static void teardown(void)
{
    seal_library_exit();
}

static void counting(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)i;
}

static srtp_cipher_t *cipher_open(const srtp_cipher_type_t *type, const uint8_t *key, int key_bytes,
                                  int tag_bytes)
{
    srtp_cipher_t *cipher;
    ck_assert_int_eq(type->alloc(&cipher, key_bytes, tag_bytes), srtp_err_status_ok);
    ck_assert_int_eq(type->init(cipher->state, key), srtp_err_status_ok);
    return cipher;
}

/* ---- counter mode */

/* RFC 3711 B.2: session key, salt. */
static const uint8_t icm_128_key[30] = {
    0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f,
    0x3c, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd,
};
/* RFC 6188 7.1. */
static const uint8_t icm_256_key[46] = {
    0x57, 0xf8, 0x2f, 0xe3, 0x61, 0x3f, 0xd1, 0x70, 0xa8, 0x5e, 0xc9, 0x3c, 0x40, 0xb1, 0xf0, 0x92,
    0x2e, 0xc4, 0xcb, 0x0d, 0xc0, 0x25, 0xb5, 0x82, 0x72, 0x14, 0x7c, 0xc4, 0x38, 0x94, 0x4a, 0x98,
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd,
};

static const struct {
    const srtp_cipher_type_t *type;
    const uint8_t *key;
    int key_bytes;

    struct {
        unsigned block;
        uint8_t bytes[16];
    } out[6];
} icm_rows[] = {
    {&cipher_aes_icm_128,
     icm_128_key,
     30,
     {{0x0000,
       {0xe0, 0x3e, 0xad, 0x09, 0x35, 0xc9, 0x5e, 0x80, /* */
        0xe1, 0x66, 0xb1, 0x6d, 0xd9, 0x2b, 0x4e, 0xb4}},
      {0x0001,
       {0xd2, 0x35, 0x13, 0x16, 0x2b, 0x02, 0xd0, 0xf7, /* */
        0x2a, 0x43, 0xa2, 0xfe, 0x4a, 0x5f, 0x97, 0xab}},
      {0x0002,
       {0x41, 0xe9, 0x5b, 0x3b, 0xb0, 0xa2, 0xe8, 0xdd, /* */
        0x47, 0x79, 0x01, 0xe4, 0xfc, 0xa8, 0x94, 0xc0}},
      {0xfeff,
       {0xec, 0x8c, 0xdf, 0x73, 0x98, 0x60, 0x7c, 0xb0, /* */
        0xf2, 0xd2, 0x16, 0x75, 0xea, 0x9e, 0xa1, 0xe4}},
      {0xff00,
       {0x36, 0x2b, 0x7c, 0x3c, 0x67, 0x73, 0x51, 0x63, /* */
        0x18, 0xa0, 0x77, 0xd7, 0xfc, 0x50, 0x73, 0xae}},
      {0xff01,
       {0x6a, 0x2c, 0xc3, 0x78, 0x78, 0x89, 0x37, 0x4f, /* */
        0xbe, 0xb4, 0xc8, 0x1b, 0x17, 0xba, 0x6c, 0x44}}}},
    {&cipher_aes_icm_256,
     icm_256_key,
     46,
     {{0x0000,
       {0x92, 0xbd, 0xd2, 0x8a, 0x93, 0xc3, 0xf5, 0x25, /* */
        0x11, 0xc6, 0x77, 0xd0, 0x8b, 0x55, 0x15, 0xa4}},
      {0x0001,
       {0x9d, 0xa7, 0x1b, 0x23, 0x78, 0xa8, 0x54, 0xf6, /* */
        0x70, 0x50, 0x75, 0x6d, 0xed, 0x16, 0x5b, 0xac}},
      {0x0002,
       {0x63, 0xc4, 0x86, 0x8b, 0x70, 0x96, 0xd8, 0x84, /* */
        0x21, 0xb5, 0x63, 0xb8, 0xc9, 0x4c, 0x9a, 0x31}},
      {0xfeff,
       {0xce, 0xa5, 0x18, 0xc9, 0x0f, 0xd9, 0x1c, 0xed, /* */
        0x9c, 0xbb, 0x18, 0xc0, 0x78, 0xa5, 0x47, 0x11}},
      {0xff00,
       {0x3d, 0xbc, 0x48, 0x14, 0xf4, 0xda, 0x5f, 0x00, /* */
        0xa0, 0x87, 0x72, 0xb6, 0x3c, 0x6a, 0x04, 0x6d}},
      {0xff01,
       {0x6e, 0xb2, 0x46, 0x91, 0x30, 0x62, 0xa1, 0x68, /* */
        0x91, 0x43, 0x3e, 0x97, 0xdd, 0x01, 0xa5, 0x7f}}}},
};

/* The keystream is the ciphertext of zeros; taken in steps of 4093 bytes, so that most blocks are
 * cut. */
START_TEST(counter_mode_keystream)
{
    enum { BYTES = 0xff02 * 16, STEP = 4093 };

    uint8_t *stream = calloc(1, BYTES);
    srtp_cipher_t *cipher =
        cipher_open(icm_rows[_i].type, icm_rows[_i].key, icm_rows[_i].key_bytes, 0);
    uint8_t iv[16] = {0};
    ck_assert_int_eq(cipher->type->set_iv(cipher->state, iv, srtp_direction_encrypt), 0);
    for (unsigned at = 0; at < BYTES; at += STEP) {
        unsigned n = BYTES - at < STEP ? BYTES - at : STEP;
        ck_assert_int_eq(cipher->type->encrypt(cipher->state, stream + at, &n), 0);
    }
    for (size_t i = 0; i < ARRAY_N(icm_rows[_i].out); i++)
        ck_assert_mem_eq(stream + 16 * icm_rows[_i].out[i].block, icm_rows[_i].out[i].bytes, 16);
    cipher->type->dealloc(cipher);
    free(stream);
}

END_TEST

/* However a packet is cut, it is the same; and twice is nothing. */
START_TEST(counter_mode_in_pieces)
{
    enum { BYTES = 600 };

    srtp_cipher_t *cipher = cipher_open(&cipher_aes_icm_128, icm_128_key, 30, 0);
    uint8_t iv[16] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0};
    uint8_t plain[BYTES];
    uint8_t whole[BYTES];
    counting(plain, BYTES);
    memcpy(whole, plain, BYTES);
    unsigned n = BYTES;
    cipher->type->set_iv(cipher->state, iv, srtp_direction_encrypt);
    ck_assert_int_eq(cipher->type->encrypt(cipher->state, whole, &n), 0);
    ck_assert_mem_ne(whole, plain, 16);

    for (unsigned first = 0; first <= 64; first++) {
        uint8_t pieces[BYTES];
        memcpy(pieces, plain, BYTES);
        cipher->type->set_iv(cipher->state, iv, srtp_direction_encrypt);
        for (unsigned at = 0; at < BYTES;) {
            n = at == 0 ? first : (at * 7 + 1) % 61;
            n = n > BYTES - at ? BYTES - at : n;
            ck_assert_int_eq(cipher->type->encrypt(cipher->state, pieces + at, &n), 0);
            at += n;
            if (n == 0) { /* nothing changes nothing */
                n = 1;
                ck_assert_int_eq(cipher->type->encrypt(cipher->state, pieces + at, &n), 0);
                at += n;
            }
        }
        ck_assert_mem_eq(pieces, whole, BYTES);
    }
    n = BYTES;
    cipher->type->set_iv(cipher->state, iv, srtp_direction_decrypt);
    ck_assert_int_eq(cipher->type->decrypt(cipher->state, whole, &n), 0);
    ck_assert_mem_eq(whole, plain, BYTES);
    cipher->type->dealloc(cipher);
}

END_TEST

/* ---- GCM: RFC 7714. Key 00 01 02 ..., salt "Quid pro quo"; the IV has the salt xored in. */

static const uint8_t rtp_iv[16] = {0x51, 0x75, 0x3c, 0x65, 0x80, 0xc2,
                                   0x72, 0x6f, 0x20, 0x71, 0x84, 0x14};
static const uint8_t rtp[50] = {
    0x80, 0x40, 0xf1, 0x7b, /* header: additional data */
    0x80, 0x41, 0xf8, 0xd3, /* */
    0x55, 0x01, 0xa0, 0xb2, /* */
    0x47, 0x61, 0x6c, 0x6c, /* "Gallia est omnis divisa in partes tres" */
    0x69, 0x61, 0x20, 0x65, /* */
    0x73, 0x74, 0x20, 0x6f, /* */
    0x6d, 0x6e, 0x69, 0x73, /* */
    0x20, 0x64, 0x69, 0x76, /* */
    0x69, 0x73, 0x61, 0x20, /* */
    0x69, 0x6e, 0x20, 0x70, /* */
    0x61, 0x72, 0x74, 0x65, /* */
    0x73, 0x20, 0x74, 0x72, /* */
    0x65, 0x73,
};
/* 16.1.1, 16.2.1: ciphertext and tag */
static const uint8_t rtp_128[54] = {
    0xf2, 0x4d, 0xe3, 0xa3, 0xfb, 0x34, 0xde, 0x6c, 0xac, 0xba, 0x86, 0x1c, 0x9d, 0x7e,
    0x4b, 0xca, 0xbe, 0x63, 0x3b, 0xd5, 0x0d, 0x29, 0x4e, 0x6f, 0x42, 0xa5, 0xf4, 0x7a,
    0x51, 0xc7, 0xd1, 0x9b, 0x36, 0xde, 0x3a, 0xdf, 0x88, 0x33, 0x89, 0x9d, 0x7f, 0x27,
    0xbe, 0xb1, 0x6a, 0x91, 0x52, 0xcf, 0x76, 0x5e, 0xe4, 0x39, 0x0c, 0xce,
};
static const uint8_t rtp_256[54] = {
    0x32, 0xb1, 0xde, 0x78, 0xa8, 0x22, 0xfe, 0x12, 0xef, 0x9f, 0x78, 0xfa, 0x33, 0x2e,
    0x33, 0xaa, 0xb1, 0x80, 0x12, 0x38, 0x9a, 0x58, 0xe2, 0xf3, 0xb5, 0x0b, 0x2a, 0x02,
    0x76, 0xff, 0xae, 0x0f, 0x1b, 0xa6, 0x37, 0x99, 0xb8, 0x7b, 0x7a, 0xa3, 0xdb, 0x36,
    0xdf, 0xff, 0xd6, 0xb0, 0xf9, 0xbb, 0x78, 0x78, 0xd7, 0xa7, 0x6c, 0x13,
};

/* 17: SRTCP index 0x5d4, ssrc "Mars": 00 00 ssrc 00 00 index, xor the salt */
static const uint8_t rtcp_iv[16] = {0x51, 0x75, 0x24, 0x05, 0x52, 0x03,
                                    0x72, 0x6f, 0x20, 0x71, 0x70, 0xbb};
static const uint8_t rtcp[52] = {
    0x81, 0xc8, 0x00, 0x0d, /* header and ssrc: additional data */
    0x4d, 0x61, 0x72, 0x73, /* */
    0x4e, 0x54, 0x50, 0x31, /* */
    0x4e, 0x54, 0x50, 0x32, /* */
    0x52, 0x54, 0x50, 0x20, /* */
    0x00, 0x00, 0x04, 0x2a, /* */
    0x00, 0x00, 0xe9, 0x30, /* */
    0x4c, 0x75, 0x6e, 0x61, /* */
    0xde, 0xad, 0xbe, 0xef, /* */
    0xde, 0xad, 0xbe, 0xef, /* */
    0xde, 0xad, 0xbe, 0xef, /* */
    0xde, 0xad, 0xbe, 0xef, /* */
    0xde, 0xad, 0xbe, 0xef, /* */
};
static const uint8_t rtcp_trailer[4] = {0x80, 0x00, 0x05, 0xd4};
/* 17.1, 17.2: ciphertext and tag; 17.3: tag over everything, nothing encrypted */
static const uint8_t rtcp_128[60] = {
    0x63, 0xe9, 0x48, 0x85, 0xdc, 0xda, 0xb6, 0x7c, 0xa7, 0x27, 0xd7, 0x66, 0x2f, 0x6b, 0x7e,
    0x99, 0x7f, 0xf5, 0xc0, 0xf7, 0x6c, 0x06, 0xf3, 0x2d, 0xc6, 0x76, 0xa5, 0xf1, 0x73, 0x0d,
    0x6f, 0xda, 0x4c, 0xe0, 0x9b, 0x46, 0x86, 0x30, 0x3d, 0xed, 0x0b, 0xb9, 0x27, 0x5b, 0xc8,
    0x4a, 0xa4, 0x58, 0x96, 0xcf, 0x4d, 0x2f, 0xc5, 0xab, 0xf8, 0x72, 0x45, 0xd9, 0xea, 0xde,
};
static const uint8_t rtcp_256[60] = {
    0xd5, 0x0a, 0xe4, 0xd1, 0xf5, 0xce, 0x5d, 0x30, 0x4b, 0xa2, 0x97, 0xe4, 0x7d, 0x47, 0x0c,
    0x28, 0x2c, 0x3e, 0xce, 0x5d, 0xbf, 0xfe, 0x0a, 0x50, 0xa2, 0xea, 0xa5, 0xc1, 0x11, 0x05,
    0x55, 0xbe, 0x84, 0x15, 0xf6, 0x58, 0xc6, 0x1d, 0xe0, 0x47, 0x6f, 0x1b, 0x6f, 0xad, 0x1d,
    0x1e, 0xb3, 0x0c, 0x44, 0x46, 0x83, 0x9f, 0x57, 0xff, 0x6f, 0x6c, 0xb2, 0x6a, 0xc3, 0xbe,
};
static const uint8_t rtcp_clear_trailer[4] = {0x00, 0x00, 0x05, 0xd4};
static const uint8_t rtcp_clear_tag_128[16] = {0x84, 0x1d, 0xd9, 0x68, 0x3d, 0xd7, 0x8e, 0xc9,
                                               0x2a, 0xe5, 0x87, 0x90, 0x12, 0x5f, 0x62, 0xb3};

static const struct gcm_row {
    const srtp_cipher_type_t *type;
    int key_bytes;
    const uint8_t *iv;
    const uint8_t *head;
    uint32_t head_bytes;
    const uint8_t *trailer; /* NULL: RTP */
    const uint8_t *plain;
    unsigned plain_bytes;
    const uint8_t *sealed; /* ciphertext and tag */
} gcm_rows[] = {
    {&cipher_aes_gcm_128, 28, rtp_iv, rtp, 12, NULL, rtp + 12, 38, rtp_128},
    {&cipher_aes_gcm_256, 44, rtp_iv, rtp, 12, NULL, rtp + 12, 38, rtp_256},
    {&cipher_aes_gcm_128, 28, rtcp_iv, rtcp, 8, rtcp_trailer, rtcp + 8, 44, rtcp_128},
    {&cipher_aes_gcm_256, 44, rtcp_iv, rtcp, 8, rtcp_trailer, rtcp + 8, 44, rtcp_256},
    {&cipher_aes_gcm_128, 28, rtcp_iv, rtcp, 52, rtcp_clear_trailer, NULL, 0, rtcp_clear_tag_128},
};

static void gcm_begin(srtp_cipher_t *cipher, const struct gcm_row *row,
                      srtp_cipher_direction_t direction)
{
    uint8_t iv[16];
    memcpy(iv, row->iv, 16);
    ck_assert_int_eq(cipher->type->set_iv(cipher->state, iv, direction), 0);
    ck_assert_int_eq(cipher->type->set_aad(cipher->state, row->head, row->head_bytes), 0);
    if (row->trailer)
        ck_assert_int_eq(cipher->type->set_aad(cipher->state, row->trailer, 4), 0);
}

static srtp_cipher_t *gcm_open(const struct gcm_row *row)
{
    uint8_t key[44] = {0};
    counting(key, (size_t)row->key_bytes - 12);
    return cipher_open(row->type, key, row->key_bytes, 16);
}

START_TEST(gcm_vectors)
{
    const struct gcm_row *row = &gcm_rows[_i];
    srtp_cipher_t *cipher = gcm_open(row);
    uint8_t data[128] = {0};
    if (row->plain_bytes)
        memcpy(data, row->plain, row->plain_bytes);

    gcm_begin(cipher, row, srtp_direction_encrypt);
    unsigned n = row->plain_bytes;
    ck_assert_int_eq(cipher->type->encrypt(cipher->state, n ? data : NULL, &n), 0);
    ck_assert_uint_eq(n, row->plain_bytes);
    uint32_t tag_bytes = 0;
    ck_assert_int_eq(cipher->type->get_tag(cipher->state, data + n, &tag_bytes), 0);
    ck_assert_uint_eq(tag_bytes, 16);
    ck_assert_mem_eq(data, row->sealed, n + 16);

    gcm_begin(cipher, row, srtp_direction_decrypt);
    n += 16;
    ck_assert_int_eq(cipher->type->decrypt(cipher->state, data, &n), 0);
    ck_assert_uint_eq(n, row->plain_bytes);
    if (n)
        ck_assert_mem_eq(data, row->plain, n);
    cipher->type->dealloc(cipher);
}

END_TEST

START_TEST(gcm_refuses_every_changed_bit)
{
    const struct gcm_row *row = &gcm_rows[_i];
    srtp_cipher_t *cipher = gcm_open(row);
    unsigned sealed_bytes = row->plain_bytes + 16;
    for (unsigned bit = 0; bit < 8 * sealed_bytes; bit++) {
        uint8_t data[128];
        memcpy(data, row->sealed, sealed_bytes);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        gcm_begin(cipher, row, srtp_direction_decrypt);
        unsigned n = sealed_bytes;
        ck_assert_int_eq(cipher->type->decrypt(cipher->state, data, &n), srtp_err_status_auth_fail);
    }
    for (unsigned bit = 0; bit < 8 * row->head_bytes; bit++) {
        uint8_t head[64];
        memcpy(head, row->head, row->head_bytes);
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct gcm_row changed = *row;
        changed.head = head;
        uint8_t data[128];
        memcpy(data, row->sealed, sealed_bytes);
        gcm_begin(cipher, &changed, srtp_direction_decrypt);
        unsigned n = sealed_bytes;
        ck_assert_int_eq(cipher->type->decrypt(cipher->state, data, &n), srtp_err_status_auth_fail);
    }
    cipher->type->dealloc(cipher);
}

END_TEST

START_TEST(gcm_limits)
{
    const struct gcm_row *row = &gcm_rows[0];
    srtp_cipher_t *cipher = gcm_open(row);
    static uint8_t aad[CIPHER_AAD_BYTES_MAX + 1];
    uint8_t data[64] = {0};
    uint8_t iv[16] = {0};

    /* shorter than its tag */
    gcm_begin(cipher, row, srtp_direction_decrypt);
    for (unsigned bytes = 0; bytes < 16; bytes++) {
        unsigned n = bytes;
        ck_assert_int_eq(cipher->type->decrypt(cipher->state, data, &n), srtp_err_status_bad_param);
    }
    /* a third part, a part too long, two parts too long together */
    cipher->type->set_iv(cipher->state, iv, srtp_direction_encrypt);
    ck_assert_int_eq(cipher->type->set_aad(cipher->state, aad, CIPHER_AAD_BYTES_MAX + 1),
                     srtp_err_status_bad_param);
    ck_assert_int_eq(cipher->type->set_aad(cipher->state, aad, CIPHER_AAD_BYTES_MAX), 0);
    ck_assert_int_eq(cipher->type->set_aad(cipher->state, aad, 1), 0);
    ck_assert_int_eq(cipher->type->set_aad(cipher->state, aad, 1), srtp_err_status_bad_param);
    unsigned n = 16;
    ck_assert_int_eq(cipher->type->encrypt(cipher->state, data, &n), srtp_err_status_cipher_fail);
    /* the longest that fits */
    cipher->type->set_iv(cipher->state, iv, srtp_direction_encrypt);
    ck_assert_int_eq(cipher->type->set_aad(cipher->state, aad, CIPHER_AAD_BYTES_MAX - 4), 0);
    ck_assert_int_eq(cipher->type->set_aad(cipher->state, aad, 4), 0);
    ck_assert_int_eq(cipher->type->encrypt(cipher->state, data, &n), 0);
    cipher->type->dealloc(cipher);
}

END_TEST

START_TEST(alloc_takes_only_its_sizes)
{
    static const struct {
        const srtp_cipher_type_t *type;
        int key_bytes;
    } rows[] = {{&cipher_aes_icm_128, 30},
                {&cipher_aes_icm_256, 46},
                {&cipher_aes_gcm_128, 28},
                {&cipher_aes_gcm_256, 44}};

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        for (int bytes = -1; bytes < 64; bytes++) {
            srtp_cipher_t *cipher = NULL;
            srtp_err_status_t status = rows[i].type->alloc(&cipher, bytes, 16);
            ck_assert_int_eq(status, bytes == rows[i].key_bytes ? srtp_err_status_ok
                                                                : srtp_err_status_bad_param);
            if (cipher)
                rows[i].type->dealloc(cipher);
        }
    srtp_cipher_t *cipher;
    ck_assert_int_eq(cipher_aes_gcm_128.alloc(&cipher, 28, 12), srtp_err_status_bad_param);
    srtp_auth_t *auth;
    ck_assert_int_eq(cipher_hmac_sha1.alloc(&auth, 65, 20), srtp_err_status_bad_param);
    ck_assert_int_eq(cipher_hmac_sha1.alloc(&auth, -1, 20), srtp_err_status_bad_param);
    ck_assert_int_eq(cipher_hmac_sha1.alloc(&auth, 20, 21), srtp_err_status_bad_param);
    ck_assert_int_eq(cipher_hmac_sha1.alloc(&auth, 20, -1), srtp_err_status_bad_param);
}

END_TEST

/* ---- HMAC-SHA1: RFC 2202 3, those with a key of at most one block */

static const struct {
    int key_bytes;
    uint8_t key[25]; /* the last byte repeated where shorter */
    const char *text;
    int text_bytes, tag_bytes;
    uint8_t fill; /* data is this byte where text is NULL */
    uint8_t tag[20];
} hmac_rows[] = {
    {20, {0x0b}, "Hi There", 8, 20, 0, {0xb6, 0x17, 0x31, 0x86, 0x55, 0x05, 0x72,
                                        0x64, 0xe2, 0x8b, 0xc0, 0xb6, 0xfb, 0x37,
                                        0x8c, 0x8e, 0xf1, 0x46, 0xbe, 0x00}},
    {4, {'J', 'e', 'f', 'e'}, "what do ya want for nothing?", 28, 20, 0, {0xef, 0xfc, 0xdf, 0x6a,
                                                                          0xe5, 0xeb, 0x2f, 0xa2,
                                                                          0xd2, 0x74, 0x16, 0xd5,
                                                                          0xf1, 0x84, 0xdf, 0x9c,
                                                                          0x25, 0x9a, 0x7c, 0x79}},
    {20, {0xaa}, NULL, 50, 20, 0xdd, {0x12, 0x5d, 0x73, 0x42, 0xb9, 0xac, 0x11, 0xcd, 0x91, 0xa3,
                                      0x9a, 0xf4, 0x8a, 0xa1, 0x7b, 0x4f, 0x63, 0xf1, 0x75, 0xd3}},
    {25,
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25},
     NULL,
     50,
     20,
     0xcd,
     {0x4c, 0x90, 0x07, 0xf4, 0x02, 0x62, 0x50, 0xc6, 0xbc, 0x84,
      0x14, 0xf9, 0xbf, 0x50, 0xc8, 0x6c, 0x2d, 0x72, 0x35, 0xda}},
    {20,
     {0x0c},
     "Test With Truncation",
     20,
     12,
     0,
     {0x4c, 0x1a, 0x03, 0x42, 0x4b, 0x55, 0xe0, 0x7f, 0xe7, 0xf2, 0x7b, 0xe1}},
};

START_TEST(hmac_vectors)
{
    uint8_t key[25];
    memset(key, hmac_rows[_i].key[0], sizeof(key));
    if (hmac_rows[_i].key[1])
        memcpy(key, hmac_rows[_i].key, sizeof(key));
    uint8_t data[50];
    int bytes = hmac_rows[_i].text_bytes;
    if (hmac_rows[_i].text)
        memcpy(data, hmac_rows[_i].text, (size_t)bytes);
    else
        memset(data, hmac_rows[_i].fill, sizeof(data));

    srtp_auth_t *auth;
    ck_assert_int_eq(
        cipher_hmac_sha1.alloc(&auth, hmac_rows[_i].key_bytes, hmac_rows[_i].tag_bytes), 0);
    ck_assert_int_eq(auth->type->init(auth->state, key, hmac_rows[_i].key_bytes), 0);
    for (int first = 0; first <= bytes; first++) { /* update, then the rest with compute */
        uint8_t tag[20] = {0};
        ck_assert_int_eq(auth->type->start(auth->state), 0);
        ck_assert_int_eq(auth->type->update(auth->state, data, first), 0);
        ck_assert_int_eq(auth->type->compute(auth->state, data + first, bytes - first,
                                             hmac_rows[_i].tag_bytes, tag),
                         0);
        ck_assert_mem_eq(tag, hmac_rows[_i].tag, 20); /* and nothing behind a short one */
    }
    ck_assert_int_eq(auth->type->update(auth->state, data, -1), srtp_err_status_auth_fail);
    ck_assert_int_eq(auth->type->compute(auth->state, data, 1, 21, data),
                     srtp_err_status_bad_param);
    ck_assert_int_eq(auth->type->init(auth->state, key, 65), srtp_err_status_bad_param);
    auth->type->dealloc(auth);
}

END_TEST

/* libsrtp2 has taken them: its self-tests and ours ran. A wrong one is not taken. */
START_TEST(installs_only_what_is_right)
{
    ck_assert_int_eq(cipher_install(), 0);
    static const uint8_t wrong[32] = {1};
    srtp_cipher_test_case_t answer = *cipher_aes_icm_128.test_data;
    answer.ciphertext = wrong;
    srtp_cipher_type_t type = cipher_aes_icm_128;
    type.test_data = &answer;
    ck_assert_int_ne(srtp_replace_cipher_type(&type, SRTP_AES_ICM_128), srtp_err_status_ok);
    ck_assert_int_eq(cipher_install(), 0);
}

END_TEST

START_TEST(says_whose_aes_it_is)
{
    const struct aes_engine *mb = aes_ipsec_mb();
    ck_assert_int_eq(cipher_install(), 0);
    ck_assert_str_eq(cipher_engine_name(),
                     mb != NULL && mb->start() == 0 ? "ipsec-mb" : "wolfCrypt");
    ck_assert_int_eq(cipher_install_from(&aes_wolfcrypt), 0);
    ck_assert_str_eq(cipher_engine_name(), "wolfCrypt");
}

END_TEST

static int cannot(void)
{
    return -ENOTSUP;
}

/* A processor that cannot: what was installed stays. */
START_TEST(an_engine_that_cannot_is_left_out)
{
    struct aes_engine engine = aes_wolfcrypt;
    engine.name = "another";
    engine.start = cannot;
    ck_assert_int_eq(cipher_install_from(&aes_wolfcrypt), 0);
    ck_assert_int_eq(cipher_install_from(&engine), -ENOTSUP);
    ck_assert_str_eq(cipher_engine_name(), "wolfCrypt");
}

END_TEST

/* Ciphers of both engines beside each other: what one makes the other makes, and opens, at every
 * size of a packet. Without the second one it is the first against itself. */
START_TEST(engines_agree)
{
    enum { BYTES_MAX = 1500, TAG = 16 };

    const struct gcm_row *row = &gcm_rows[_i];
    const struct aes_engine *mb = aes_ipsec_mb();
    bool is_gcm = _i < 2;
    const srtp_cipher_type_t *type = is_gcm ? row->type : icm_rows[_i - 2].type;
    int key_bytes = is_gcm ? row->key_bytes : icm_rows[_i - 2].key_bytes;
    uint8_t key[46], plain[BYTES_MAX], a[BYTES_MAX + TAG], b[BYTES_MAX + TAG];
    counting(key, sizeof(key));
    counting(plain, sizeof(plain));
    ck_assert_int_eq(cipher_install_from(&aes_wolfcrypt), 0);
    srtp_cipher_t *first = cipher_open(type, key, key_bytes, TAG);
    if (mb != NULL && mb->start() == 0)
        ck_assert_int_eq(cipher_install_from(mb), 0);
    srtp_cipher_t *second = cipher_open(type, key, key_bytes, TAG);

    for (unsigned bytes = 0; bytes <= BYTES_MAX; bytes++) {
        srtp_cipher_t *both[] = {first, second};
        uint8_t *out[] = {a, b};
        unsigned n = bytes;
        uint32_t tag_bytes = 0;
        for (size_t i = 0; i < 2; i++) {
            uint8_t iv[16] = {0, 0, 0, 0, (uint8_t)bytes, (uint8_t)(bytes >> 8)};
            memcpy(out[i], plain, bytes);
            n = bytes;
            ck_assert_int_eq(type->set_iv(both[i]->state, iv, srtp_direction_encrypt), 0);
            if (is_gcm)
                ck_assert_int_eq(type->set_aad(both[i]->state, plain, bytes % 29), 0);
            ck_assert_int_eq(type->encrypt(both[i]->state, out[i], &n), 0);
            if (is_gcm)
                ck_assert_int_eq(type->get_tag(both[i]->state, out[i] + n, &tag_bytes), 0);
        }
        n = bytes + tag_bytes;
        ck_assert_mem_eq(a, b, n);
        uint8_t iv[16] = {0, 0, 0, 0, (uint8_t)bytes, (uint8_t)(bytes >> 8)};
        type->set_iv(second->state, iv, srtp_direction_decrypt);
        if (is_gcm)
            ck_assert_int_eq(type->set_aad(second->state, plain, bytes % 29), 0);
        ck_assert_int_eq(type->decrypt(second->state, a, &n), 0);
        ck_assert_uint_eq(n, bytes);
        if (bytes > 0)
            ck_assert_mem_eq(a, plain, bytes);
    }
    type->dealloc(first);
    type->dealloc(second);
}

END_TEST

static void add_vectors(Suite *suite, const char *name, SFun begin)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, begin, teardown);
    tcase_add_loop_test(tests, counter_mode_keystream, 0, (int)ARRAY_N(icm_rows));
    tcase_add_test(tests, counter_mode_in_pieces);
    tcase_add_loop_test(tests, gcm_vectors, 0, (int)ARRAY_N(gcm_rows));
    tcase_add_loop_test(tests, gcm_refuses_every_changed_bit, 0, (int)ARRAY_N(gcm_rows));
    tcase_add_test(tests, gcm_limits);
    tcase_add_test(tests, alloc_takes_only_its_sizes);
    tcase_add_loop_test(tests, hmac_vectors, 0, (int)ARRAY_N(hmac_rows));
    tcase_add_test(tests, installs_only_what_is_right);
    suite_add_tcase(suite, tests);
}

/* By the engine that the build takes first, and by the one that is always there. */
Suite *rtp_cipher_suite(void)
{
    Suite *suite = suite_create("rtp_cipher");
    add_vectors(suite, "vectors", setup);
    if (aes_ipsec_mb() != NULL)
        add_vectors(suite, "vectors, wolfCrypt", setup_wolfcrypt);
    TCase *tests = tcase_create("engines");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, says_whose_aes_it_is);
    tcase_add_test(tests, an_engine_that_cannot_is_left_out);
    tcase_add_loop_test(tests, engines_agree, 0, 2 + (int)ARRAY_N(icm_rows));
    suite_add_tcase(suite, tests);
    return suite;
}
