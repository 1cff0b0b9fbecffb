/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/sealsuite.c - what the SRTP suites are, and libsrtp2 sessions of them. */
#include "rtp/sealsuite.h"

#include <errno.h>

const struct sealsuite sealsuites[SEAL_SUITE_N] = {
    [SEAL_NONE] = {"NONE", 0, 0, 0, false},
    [SEAL_AEAD_AES_256_GCM] = {"AEAD_AES_256_GCM", 44, 16, 16, true},
    [SEAL_AEAD_AES_128_GCM] = {"AEAD_AES_128_GCM", 28, 16, 16, true},
    [SEAL_AES_CM_128_HMAC_SHA1_80] = {"AES_CM_128_HMAC_SHA1_80", 30, 10, 10, false},
    /* RFC 3711 5.2, RFC 5764 4.1.2: the short tag is for SRTP alone. */
    [SEAL_AES_CM_128_HMAC_SHA1_32] = {"AES_CM_128_HMAC_SHA1_32", 30, 4, 10, false},
};

const char *seal_suite_name(enum seal_suite suite)
{
    ASSERT(suite < SEAL_SUITE_N);
    return sealsuites[suite].name;
}

enum seal_suite seal_suite_of_name(const char *name)
{
    for (unsigned i = SEAL_NONE + 1; i < SEAL_SUITE_N; i++)
        if (strcmp(sealsuites[i].name, name) == 0)
            return (enum seal_suite)i;
    return SEAL_NONE;
}

size_t seal_key_bytes(enum seal_suite suite)
{
    ASSERT(suite < SEAL_SUITE_N);
    return sealsuites[suite].key_bytes;
}

bool seal_suite_is_aead(enum seal_suite suite)
{
    ASSERT(suite < SEAL_SUITE_N);
    return sealsuites[suite].aead;
}

static void policy_suite(srtp_policy_t *policy, enum seal_suite suite)
{
    ASSERT(suite > SEAL_NONE && suite < SEAL_SUITE_N);
    switch (suite) {
    case SEAL_AEAD_AES_256_GCM:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtcp);
        return;
    case SEAL_AEAD_AES_128_GCM:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtcp);
        return;
    case SEAL_AES_CM_128_HMAC_SHA1_80:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
        return;
    case SEAL_AES_CM_128_HMAC_SHA1_32:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
        return;
    case SEAL_NONE:
    case SEAL_SUITE_N:
        break;
    }
}

int sealsuite_session_init(srtp_t *session, enum seal_suite suite, srtp_ssrc_type_t type,
                           const uint8_t *key)
{
    uint8_t key_copy[SEAL_KEY_BYTES_MAX]; /* libsrtp2's pointer is not to const */
    memcpy(key_copy, key, seal_key_bytes(suite));
    srtp_policy_t policy = {
        .ssrc = {.type = type},
        .key = key_copy,
        .window_size = type == ssrc_any_outbound ? SEAL_WINDOW_OUT : SEAL_WINDOW,
        .allow_repeat_tx = 1,
    };
    policy_suite(&policy, suite);
    srtp_err_status_t status = srtp_create(session, &policy);
    explicit_bzero(key_copy, sizeof(key_copy));
    return status ? -ENOMEM : 0;
}
