/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlscontext.h - what net/dtls.c and net/dtlscontext.c share. For these two only.
 *
 * Threads: see net/dtls.h. */
#ifndef NET_DTLSCONTEXT_H
#define NET_DTLSCONTEXT_H

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#include "net/dtls.h"

struct dtls_context {
    WOLFSSL_CTX *server, *client;
    uint32_t suites;     /* bits 1 << enum seal_suite that we take */
    uint32_t sessions_n; /* that live */
};

/* The library's callbacks, in dtls.c: `session` is the struct dtls. */
int dtls_on_recv(WOLFSSL *ssl, char *out, int room, void *session);
int dtls_on_send(WOLFSSL *ssl, char *data, int bytes, void *session);
int dtls_on_verify(int verified, WOLFSSL_X509_STORE_CTX *store);

/* Before every call of the library that may send. Its clock counts whole ticks, and a flight of
 * DTLS 1.3 goes out again at most once a tick, whether by our timer or because the peer repeats its
 * own: a tick is shorter than the shortest of our timers. */
enum { DTLS_TICK_US = 50000 };

void dtls_tick(int64_t now_us);

/* The suites of `mask`, most wanted first: the first one (SEAL_NONE for none), and the library's
 * name of one. */
enum seal_suite dtls_suite_choose(uint32_t mask);
const char *dtls_suite_name(enum seal_suite suite);
enum seal_suite dtls_suite_of_id(unsigned long id);

#endif
