/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtls.c - one DTLS session: what may reach the library, its timers, and what comes of it. */
#include "net/dtls.h"

#include <errno.h>
#include <stdlib.h>

#include "net/clienthello.h"
#include "net/dtlsgate.h"
#include "net/dtlsparts.h"
#include "net/dtlsrecord.h"

enum {
    READS_MAX = 128, /* records of one datagram: more would not fit */
    ALERT_FATAL = 2,
    ALERT_HANDSHAKE_FAILURE = 40,
};

static_assert(DTLS_LAST_FLIGHT_N <= UINT8_MAX, "repeats_n counts them");

/* ---- what is sent */

size_t dtls_next_out(struct dtls *dtls, uint8_t out[DTLS_DATAGRAM_BYTES_MAX])
{
    const struct dtlsqueue_datagram *first = dtls->out.first;
    if (!first)
        return 0;
    size_t bytes = first->bytes;
    memcpy(out, first->data, bytes);
    dtlsqueue_drop_first(&dtls->out);
    dtls->stats.datagrams_out++;
    dtls->stats.bytes_out += bytes;
    return bytes;
}

/* ---- the end */

static void ssl_free(struct dtls *dtls)
{
    if (dtls->ssl)
        wolfSSL_free(dtls->ssl);
    dtls->ssl = NULL;
}

/* The one place that changes the state. */
static void enter(struct dtls *dtls, enum dtls_state state)
{
    if (state == DTLS_CONNECTED) {
        ASSERT(dtls->state == DTLS_CONNECTING);
        ASSERT(dtls->peer_proven);
        dtls->state = state;
        return;
    }
    ASSERT(state == DTLS_FAILED || state == DTLS_CLOSED);
    ASSERT(dtls->state == DTLS_CONNECTING || dtls->state == DTLS_CONNECTED);
    dtls->state = state;
    ssl_free(dtls);
    clienthello_drop(&dtls->hello);
    dtlsqueue_clear(&dtls->last_flight);
    explicit_bzero(&dtls->keys, sizeof(dtls->keys));
    dtls->has_keys = false;
}

/* What is due of the last flight, and in 1.3 an ACK of what has come. */
static void send_again(struct dtls *dtls, int64_t now_us)
{
    dtls_tick(now_us);
    wolfSSL_dtls_set_timeout_init(dtls->ssl, 1); /* its own count of timeouts starts again */
    wolfSSL_dtls_got_timeout(dtls->ssl);
}

/* ---- the handshake is over */

/* `first` is what this call has queued: as a server of 1.2 ChangeCipherSpec and Finished, which end
 * the handshake. The same datagram again is as good as a new one to a peer that has missed it, and
 * the library has forgotten it by then. In 1.3 it is an ACK, which the library makes anew. */
static void keep_last_flight(struct dtls *dtls, const struct dtlsqueue_datagram *first)
{
    if (dtls->role != DTLS_ROLE_SERVER || dtls->version != DTLS_VERSION_1_2)
        return;
    for (; first; first = first->next)
        dtlsqueue_put(&dtls->last_flight, first->data, first->bytes, DTLS_LAST_FLIGHT_BYTES_MAX);
}

static void repeat_last_flight(struct dtls *dtls, int64_t now_us)
{
    if (dtls->repeats_n >= DTLS_LAST_FLIGHT_N || now_us - dtls->repeated_us < DTLS_LAST_FLIGHT_US)
        return;
    dtls->repeats_n++;
    dtls->repeated_us = now_us;
    for (const struct dtlsqueue_datagram *at = dtls->last_flight.first; at; at = at->next)
        dtls_send_out(dtls, at->data, at->bytes);
}

/* What lies in the library is read and counted; an alert ends the session. */
static void read_data(struct dtls *dtls)
{
    uint8_t data[2048];
    for (int i = 0; i < READS_MAX; i++) {
        int got = wolfSSL_read(dtls->ssl, data, sizeof(data));
        if (got > 0) {
            dtls->stats.data_records++;
            dtls->stats.data_bytes += (uint64_t)got;
            continue;
        }
        int error = wolfSSL_get_error(dtls->ssl, got);
        if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE)
            return;
        if (error == WOLFSSL_ERROR_ZERO_RETURN) {
            wolfSSL_shutdown(dtls->ssl); /* RFC 5246 7.2.1: answered by one */
            enter(dtls, DTLS_CLOSED);
        } else {
            enter(dtls, DTLS_FAILED);
        }
        return;
    }
}

static void connected(struct dtls *dtls, const struct dtlsqueue_datagram *first)
{
    if (!dtls->peer_proven || !dtls_export_keys(dtls)) {
        wolfSSL_shutdown(dtls->ssl);
        enter(dtls, DTLS_FAILED);
        return;
    }
    dtls->version =
        wolfSSL_version(dtls->ssl) == DTLS1_3_VERSION ? DTLS_VERSION_1_3 : DTLS_VERSION_1_2;
    keep_last_flight(dtls, first);
    clienthello_drop(&dtls->hello);
    enter(dtls, DTLS_CONNECTED);
    read_data(dtls); /* may have come in the same datagram */
    if (dtls->ssl) { /* last, as reading leaves a buffer */
        wolfSSL_FreeArrays(dtls->ssl);
        wolfSSL_FreeHandshakeResources(dtls->ssl);
    }
}

/* ---- the handshake */

/* 0: done; WOLFSSL_ERROR_WANT_READ, or what went wrong. */
static int negotiate(struct dtls *dtls)
{
    int done =
        dtls->role == DTLS_ROLE_SERVER ? wolfSSL_accept(dtls->ssl) : wolfSSL_connect(dtls->ssl);
    return done == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(dtls->ssl, done);
}

static void advance(struct dtls *dtls, int64_t now_us)
{
    dtls_tick(now_us);
    struct dtlsqueue_datagram **mark = dtls->out.last; /* nobody takes from it meanwhile */
    size_t left;
    int error;
    do { /* a long record is not read in one go */
        left = dtls->in_bytes;
        error = negotiate(dtls);
    } while (error == WOLFSSL_ERROR_WANT_READ && dtls->in_bytes > 0 && dtls->in_bytes < left);
    if (error == 0) {
        connected(dtls, *mark);
    } else if (error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE) {
        enter(dtls, DTLS_FAILED);
    } else if (*mark) { /* a flight went out */
        dtls->interval_us = DTLS_RESEND_US;
        dtls->resend_us = now_us + dtls->interval_us;
    }
    dtls_set_in(dtls, NULL, 0);
}

/* Nothing in common: said in the clear, as there are no keys yet. */
static void refuse(struct dtls *dtls)
{
    static const uint8_t alert[] = {
        DTLS_ALERT, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, ALERT_FATAL, ALERT_HANDSHAKE_FAILURE};
    dtls_send_out(dtls, alert, sizeof(alert));
    enter(dtls, DTLS_FAILED);
}

/* The library follows the client's order of profiles, so it is left no choice. */
static enum drop feed_hello(struct dtls *dtls, const struct clienthello_message *message,
                            int64_t now_us)
{
    uint32_t offered;
    if (!clienthello_suites(message->body, message->body_bytes, &offered)) {
        clienthello_drop(&dtls->hello);
        return DROP_DTLS_INVALID;
    }
    enum seal_suite suite = dtls_suite_choose(offered & dtls->context->suites);
    if (suite == SEAL_NONE) {
        refuse(dtls);
        return DROP_NONE;
    }
    wolfSSL_set_tlsext_use_srtp(dtls->ssl, dtls_suite_name(suite));
    dtls->hello_came = true;
    dtls_set_in(dtls, message->record, message->record_bytes);
    advance(dtls, now_us);
    clienthello_drop(&dtls->hello);
    return DROP_NONE;
}

static enum drop feed_handshake(struct dtls *dtls, const uint8_t *data, size_t bytes,
                                int64_t now_us)
{
    struct clienthello_message message;
    enum clienthello_result hello = CLIENTHELLO_OTHER;
    if (dtls->role == DTLS_ROLE_SERVER)
        hello = clienthello_take(&dtls->hello, data, bytes, now_us, &message);
    switch (hello) {
    case CLIENTHELLO_PENDING:
        return DROP_NONE;
    case CLIENTHELLO_INVALID:
        return DROP_DTLS_INVALID;
    case CLIENTHELLO_FULL:
        return DROP_DTLS_FULL;
    case CLIENTHELLO_WHOLE:
        return feed_hello(dtls, &message, now_us);
    case CLIENTHELLO_OTHER:
        break;
    }
    if (dtls->role == DTLS_ROLE_SERVER && !dtls->hello_came)
        return DROP_DTLS_INVALID;
    if (dtlsgate_handshake(dtls->role, data, bytes) != DTLSGATE_PASS)
        return DROP_DTLS_INVALID;
    dtls_set_in(dtls, data, bytes);
    advance(dtls, now_us);
    return DROP_NONE;
}

/* ---- after the handshake */

static enum drop feed_connected(struct dtls *dtls, const uint8_t *data, size_t bytes,
                                int64_t now_us)
{
    enum dtlsgate gate = dtlsgate_connected(dtls->role, dtls->version, data, bytes);
    switch (gate) {
    case DTLSGATE_DROP:
        return DROP_DTLS_INVALID;
    case DTLSGATE_REPEAT:
        /* In 1.3 the library acknowledges the new record numbers. */
        if (dtls->version == DTLS_VERSION_1_3)
            break;
        repeat_last_flight(dtls, now_us);
        return DROP_NONE;
    case DTLSGATE_PASS:
        break;
    }
    dtls_set_in(dtls, data, bytes);
    dtls_tick(now_us);
    read_data(dtls);
    dtls_set_in(dtls, NULL, 0);
    if (gate == DTLSGATE_REPEAT && dtls->ssl)
        send_again(dtls, now_us);
    return DROP_NONE;
}

/* ---- calls */

int dtls_init(struct dtls **out, struct dtls_context *context, enum dtls_role role,
              const struct fingerprint *peer, int64_t now_us)
{
    ASSERT(role == DTLS_ROLE_SERVER || role == DTLS_ROLE_CLIENT);
    struct dtls *dtls = calloc(1, sizeof(*dtls));
    if (!dtls)
        return -ENOMEM;
    *dtls = (struct dtls){
        .context = context,
        .state = DTLS_CONNECTING,
        .role = role,
        .peer = *peer,
        .limit_us = now_us + DTLS_HANDSHAKE_US,
        .resend_us = INT64_MAX,
        .interval_us = DTLS_RESEND_US,
        .repeated_us = INT64_MIN / 2,
    };
    dtlsqueue_init(&dtls->out);
    dtlsqueue_init(&dtls->last_flight);
    context->sessions_n++;

    dtls->ssl = wolfSSL_new(role == DTLS_ROLE_SERVER ? context->server : context->client);
    int error = dtls->ssl ? 0 : -ENOMEM;
    if (!error && !dtls_set_up(dtls))
        error = -EIO;
    if (!error && role == DTLS_ROLE_CLIENT) {
        advance(dtls, now_us);
        error = dtls->state == DTLS_CONNECTING ? 0 : -EIO;
    }
    if (error) {
        dtls_exit(dtls);
        return error;
    }
    *out = dtls;
    return 0;
}

void dtls_exit(struct dtls *dtls)
{
    if (!dtls)
        return;
    ASSERT(dtls->context->sessions_n > 0);
    dtls->context->sessions_n--;
    ssl_free(dtls);
    clienthello_drop(&dtls->hello);
    dtlsqueue_clear(&dtls->out);
    dtlsqueue_clear(&dtls->last_flight);
    free(dtls->certificate);
    explicit_bzero(dtls, sizeof(*dtls));
    free(dtls);
}

bool dtls_is_expensive(const struct dtls *dtls)
{
    return dtls->state == DTLS_CONNECTING;
}

enum drop dtls_feed(struct dtls *dtls, const uint8_t *data, size_t bytes, int64_t now_us)
{
    dtls->stats.datagrams_in++;
    dtls->stats.bytes_in += bytes;
    if (bytes == 0 || bytes > UINT16_MAX)
        return DROP_DTLS_INVALID;
    switch (dtls->state) {
    case DTLS_CONNECTING:
        return feed_handshake(dtls, data, bytes, now_us);
    case DTLS_CONNECTED:
        return feed_connected(dtls, data, bytes, now_us);
    case DTLS_NEW:
    case DTLS_FAILED:
    case DTLS_CLOSED:
        break;
    }
    return DROP_DTLS_STATE;
}

int64_t dtls_due_us(const struct dtls *dtls)
{
    if (dtls->state != DTLS_CONNECTING)
        return INT64_MAX;
    return min_i64(min_i64(dtls->limit_us, dtls->resend_us), clienthello_due_us(&dtls->hello));
}

void dtls_expire(struct dtls *dtls, int64_t now_us)
{
    if (dtls->state != DTLS_CONNECTING)
        return;
    if (now_us >= dtls->limit_us) {
        enter(dtls, DTLS_FAILED);
        return;
    }
    if (now_us >= clienthello_due_us(&dtls->hello))
        clienthello_drop(&dtls->hello);
    if (now_us < dtls->resend_us)
        return;
    dtls->interval_us = min_i64(2 * dtls->interval_us, DTLS_RESEND_US_MAX);
    dtls->resend_us = now_us + dtls->interval_us;
    dtls->stats.resends++;
    send_again(dtls, now_us);
}

enum dtls_state dtls_state_of(const struct dtls *dtls)
{
    return dtls->state;
}

enum dtls_role dtls_role_of(const struct dtls *dtls)
{
    return dtls->role;
}

enum dtls_version dtls_version_of(const struct dtls *dtls)
{
    return dtls->version;
}

struct dtls_stats dtls_stats_of(const struct dtls *dtls)
{
    return dtls->stats;
}

bool dtls_take_keys(struct dtls *dtls, struct srtp_keys *out)
{
    if (!dtls->has_keys)
        return false;
    *out = dtls->keys;
    explicit_bzero(&dtls->keys, sizeof(dtls->keys));
    dtls->has_keys = false;
    return true;
}

char *dtls_take_certificate(struct dtls *dtls)
{
    if (dtls->state != DTLS_CONNECTED)
        return NULL;
    char *pem = dtls->certificate;
    dtls->certificate = NULL;
    return pem;
}

void dtls_close(struct dtls *dtls)
{
    if (dtls->state != DTLS_CONNECTING && dtls->state != DTLS_CONNECTED)
        return;
    if (dtls->state == DTLS_CONNECTED)
        wolfSSL_shutdown(dtls->ssl);
    enter(dtls, DTLS_CLOSED);
}
