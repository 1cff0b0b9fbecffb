/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlscontext.c - starts wolfSSL, counts its heap, and makes a worker's DTLS context. */
#include "net/dtlsparts.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- heap hooks: process-global in wolfSSL, so they only count */

static _Atomic int64_t heap_bytes, heap_blocks;

static void account(void *at, int64_t sign)
{
    if (!at)
        return;
    atomic_fetch_add_explicit(&heap_bytes, sign * (int64_t)malloc_usable_size(at),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&heap_blocks, sign, memory_order_relaxed);
}

static void *hook_malloc(size_t bytes)
{
    void *at = malloc(bytes);
    account(at, 1);
    return at;
}

static void hook_free(void *at)
{
    account(at, -1);
    free(at);
}

static void *hook_realloc(void *at, size_t bytes)
{
    account(at, -1);
    void *to = realloc(at, bytes);
    account(to ? to : at, 1);
    return to;
}

struct dtls_heap dtls_heap(void)
{
    return (struct dtls_heap){atomic_load_explicit(&heap_bytes, memory_order_relaxed),
                              atomic_load_explicit(&heap_blocks, memory_order_relaxed)};
}

static unsigned library_users;

int dtls_library_init(void)
{
    if (library_users > 0) {
        library_users++;
        return 0;
    }
    if (wolfSSL_SetAllocators(hook_malloc, hook_free, hook_realloc))
        return -EIO;
    if (wolfSSL_Init() != WOLFSSL_SUCCESS)
        return -EIO;
    library_users = 1;
    return 0;
}

void dtls_library_exit(void)
{
    ASSERT(library_users > 0);
    if (--library_users == 0)
        wolfSSL_Cleanup();
}

/* ---- the library's clock */

static_assert((int)DTLS_TICK_US < (int)DTLS_RESEND_US, "every timer is in a tick of its own");

static _Thread_local word32 ticks; /* sessions of one worker have one time */

void dtls_tick(int64_t now_us)
{
    ticks = (word32)(now_us / DTLS_TICK_US);
}

word32 LowResTimer(void); /* the library asks for it by this name: USER_TICKS */

word32 LowResTimer(void)
{
    return ticks;
}

/* ---- suites */

static const struct {
    enum seal_suite suite;
    unsigned long id; /* on the wire */
    const char *name;
} suites[] = {
    {SEAL_AEAD_AES_128_GCM, SRTP_AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM"},
    {SEAL_AEAD_AES_256_GCM, SRTP_AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM"},
    {SEAL_AES_CM_128_HMAC_SHA1_80, SRTP_AES128_CM_SHA1_80, "SRTP_AES128_CM_SHA1_80"},
    {SEAL_AES_CM_128_HMAC_SHA1_32, SRTP_AES128_CM_SHA1_32, "SRTP_AES128_CM_SHA1_32"},
};

static_assert(ARRAY_N(suites) == SEAL_SUITE_N - 1, "every suite has its place");

enum seal_suite dtls_suite_choose(uint32_t mask)
{
    for (size_t i = 0; i < ARRAY_N(suites); i++)
        if (mask >> suites[i].suite & 1)
            return suites[i].suite;
    return SEAL_NONE;
}

const char *dtls_suite_name(enum seal_suite suite)
{
    for (size_t i = 0; i < ARRAY_N(suites); i++)
        if (suites[i].suite == suite)
            return suites[i].name;
    return "";
}

enum seal_suite dtls_suite_of_id(unsigned long id)
{
    for (size_t i = 0; i < ARRAY_N(suites); i++)
        if (suites[i].id == id)
            return suites[i].suite;
    return SEAL_NONE;
}

/* ---- contexts */

/* AEAD only: what a browser of the last ten years takes, and what net/dtlsrecord.h counts on. */
static const char ciphers[] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:"
                              "TLS13-CHACHA20-POLY1305-SHA256:"
                              "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static WOLFSSL_METHOD *method(enum dtls_role role, enum dtls_version version_max)
{
    if (role == DTLS_ROLE_SERVER)
        return version_max == DTLS_VERSION_1_2 ? wolfDTLSv1_2_server_method()
                                               : wolfDTLS_server_method();
    return version_max == DTLS_VERSION_1_2 ? wolfDTLSv1_2_client_method()
                                           : wolfDTLS_client_method();
}

static bool set_suites(WOLFSSL_CTX *ctx, uint32_t mask)
{
    char names[160] = "";
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_N(suites); i++)
        if (mask >> suites[i].suite & 1)
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ":" : "",
                                  suites[i].name);
    ASSERT(n < sizeof(names));
    return wolfSSL_CTX_set_tlsext_use_srtp(ctx, names) == WOLFSSL_SUCCESS;
}

static bool set_up(WOLFSSL_CTX *ctx, const struct certificate *certificate,
                   const struct dtls_config *config, uint32_t mask)
{
    if (config->version_max != DTLS_VERSION_1_2 &&
        wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_DTLSV1_2) != WOLFSSL_SUCCESS)
        return false;
    if (wolfSSL_CTX_use_certificate_buffer(ctx, certificate->der, (long)certificate->der_bytes,
                                           WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_PrivateKey_buffer(ctx, certificate->key, (long)certificate->key_bytes,
                                          WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
        return false;
    if (wolfSSL_CTX_set_cipher_list(ctx, ciphers) != WOLFSSL_SUCCESS || !set_suites(ctx, mask))
        return false;
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           dtls_on_verify);
    wolfSSL_CTX_SetIORecv(ctx, dtls_on_recv);
    wolfSSL_CTX_SetIOSend(ctx, dtls_on_send);
    return true;
}

int dtls_context_init(struct dtls_context **out, const struct certificate *certificate,
                      const struct dtls_config *config)
{
    ASSERT(library_users > 0);
    struct dtls_context *context = calloc(1, sizeof(*context));
    if (!context)
        return -ENOMEM;
    uint32_t all = 0;
    for (size_t i = 0; i < ARRAY_N(suites); i++)
        all |= 1u << suites[i].suite;
    context->suites = config->suites ? config->suites & all : all;
    context->server = wolfSSL_CTX_new(method(DTLS_ROLE_SERVER, config->version_max));
    context->client = wolfSSL_CTX_new(method(DTLS_ROLE_CLIENT, config->version_max));
    int error = context->server && context->client ? 0 : -ENOMEM;
    if (!error && (!set_up(context->server, certificate, config, context->suites) ||
                   !set_up(context->client, certificate, config, context->suites)))
        error = -EINVAL;
    if (error) {
        dtls_context_exit(context);
        return error;
    }
    *out = context;
    return 0;
}

void dtls_context_exit(struct dtls_context *context)
{
    if (!context)
        return;
    ASSERT(context->sessions_n == 0);
    if (context->server)
        wolfSSL_CTX_free(context->server);
    if (context->client)
        wolfSSL_CTX_free(context->client);
    free(context);
}
