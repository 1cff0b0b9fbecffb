/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlsparts.h - what net/dtls.c, net/dtlslibrary.c and net/dtlscontext.c share. For these only.
 *
 * Threads: see net/dtls.h. */
#ifndef NET_DTLSPARTS_H
#define NET_DTLSPARTS_H

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

#include "net/clienthello.h"
#include "net/dtls.h"
#include "net/dtlsqueue.h"

struct dtls_context {
    WOLFSSL_CTX *server, *client;
    uint32_t suites;     /* bits 1 << enum seal_suite that we take */
    uint32_t sessions_n; /* that live */
};

struct dtls {
    struct dtls_context *context;
    WOLFSSL *ssl; /* NULL: failed or closed */
    enum dtls_state state;
    enum dtls_role role;
    enum dtls_version version;
    bool peer_proven; /* its certificate has the fingerprint */
    bool hello_came;  /* server: a whole ClientHello has been fed */
    bool has_keys;
    uint8_t repeats_n; /* of the last flight */
    int64_t limit_us, resend_us, interval_us, repeated_us;
    const uint8_t *in;                /* being fed, not owned */
    size_t in_bytes, in_record_bytes; /* left of it, and of its record */
    struct clienthello hello;
    struct dtlsqueue out;
    struct dtlsqueue last_flight; /* server, 1.2: the peer may miss it, and asks by its own */
    char *certificate;            /* the peer's, PEM */
    struct dtls_stats stats;
    struct fingerprint peer;
    struct srtp_keys keys;
};

/* ---- dtlslibrary.c */

/* What every WOLFSSL of ours needs before its handshake. False: the library refuses. */
bool dtls_set_up(struct dtls *dtls);

/* What the library reads next: not copied, until the call of it is over. */
void dtls_set_in(struct dtls *dtls, const uint8_t *data, size_t bytes);
void dtls_send_out(struct dtls *dtls, const void *data, size_t bytes);

/* Into dtls->keys, by role. False: no profile of ours, or the library fails. */
bool dtls_export_keys(struct dtls *dtls);

/* The library's callbacks; `session` is the struct dtls. */
int dtls_on_recv(WOLFSSL *ssl, char *out, int room, void *session);
int dtls_on_send(WOLFSSL *ssl, char *data, int bytes, void *session);
int dtls_on_verify(int verified, WOLFSSL_X509_STORE_CTX *store);

/* ---- dtlscontext.c */

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
