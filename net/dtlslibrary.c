/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlslibrary.c - a session's side of wolfSSL: set-up, what it reads and writes, its verdict on
 * the peer's certificate, the keys it gives. */
#include "net/dtlsparts.h"
#include "net/dtlsrecord.h"

enum { KEY_MATERIAL_BYTES_MAX = 2 * SEAL_KEY_BYTES_MAX };

/* What every WOLFSSL of ours needs before its handshake. */
bool dtls_set_up(struct dtls *dtls)
{
    enum { TIMEOUT_MAX = 1 << 30 }; /* the library counts its timeouts and gives up: ours decide */

    WOLFSSL *ssl = dtls->ssl;
    wolfSSL_SetIOReadCtx(ssl, dtls);
    wolfSSL_SetIOWriteCtx(ssl, dtls);
    wolfSSL_SetCertCbCtx(ssl, dtls);
    wolfSSL_KeepArrays(ssl); /* or nothing is exported */
    wolfSSL_dtls_set_using_nonblock(ssl, 1);
    if (dtls->role == DTLS_ROLE_SERVER)
        wolfSSL_disable_hrr_cookie(ssl); /* refused by a 1.2 context, which has none */
    return wolfSSL_dtls_set_mtu(ssl, DTLS_MTU) == WOLFSSL_SUCCESS &&
           wolfSSL_set_group_messages(ssl) == WOLFSSL_SUCCESS &&
           wolfSSL_dtls_set_timeout_max(ssl, TIMEOUT_MAX) == WOLFSSL_SUCCESS;
}

/* ---- datagrams */

void dtls_set_in(struct dtls *dtls, const uint8_t *data, size_t bytes)
{
    dtls->in = data;
    dtls->in_bytes = bytes;
    dtls->in_record_bytes = 0;
}

/* One record a call: where the library drops a record it drops what came with it, and a flight that
 * is sent again begins with plaintext that it drops. A record longer than its buffer (a
 * ClientHello) is given in parts, it asks for the rest. */
int dtls_on_recv(WOLFSSL *ssl, char *out, int room, void *session)
{
    (void)ssl;
    struct dtls *dtls = session;
    struct dtls_reader reader = dtls_reader(dtls->in, dtls->in_bytes);
    struct dtls_record record;
    if (dtls->in_record_bytes == 0 && dtls_reader_next(&reader, &record))
        dtls->in_record_bytes = dtls->in_bytes - reader.left;
    if (dtls->in_record_bytes == 0 || room <= 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    size_t bytes = min_size(dtls->in_record_bytes, (size_t)room);
    memcpy(out, dtls->in, bytes);
    dtls->in += bytes;
    dtls->in_bytes -= bytes;
    dtls->in_record_bytes -= bytes;
    return (int)bytes;
}

void dtls_send_out(struct dtls *dtls, const void *data, size_t bytes)
{
    if (bytes > DTLS_DATAGRAM_BYTES_MAX ||
        !dtlsqueue_put(&dtls->out, data, bytes, DTLS_OUT_BYTES_MAX))
        dtls->stats.out_lost++;
}

int dtls_on_send(WOLFSSL *ssl, char *data, int bytes, void *session)
{
    (void)ssl;
    if (bytes > 0)
        dtls_send_out(session, data, (size_t)bytes);
    return bytes; /* lost is not failed: it is sent again */
}

/* ---- the peer */

/* RFC 8827 6.5: the fingerprint decides alone, so who signed it and when does not matter. The
 * library has parsed the certificate by now, and checks afterwards that the peer has its key. */
int dtls_on_verify(int verified, WOLFSSL_X509_STORE_CTX *store)
{
    (void)verified;
    struct dtls *dtls = store->userCtx;
    struct fingerprint made;
    if (!dtls || store->totalCerts < 1 || !store->certs || !store->certs[0].buffer)
        return 0;
    const uint8_t *der = store->certs[0].buffer;
    fingerprint_make(&made, dtls->peer.hash, der, store->certs[0].length);
    dtls->peer_proven = fingerprint_equal(&made, &dtls->peer);
    if (dtls->peer_proven && !dtls->certificate)
        dtls->certificate = certificate_pem(der, store->certs[0].length);
    return dtls->peer_proven;
}

/* RFC 5764 4.2: client key, server key, client salt, server salt. */
bool dtls_export_keys(struct dtls *dtls)
{
    const WOLFSSL_SRTP_PROTECTION_PROFILE *profile = wolfSSL_get_selected_srtp_profile(dtls->ssl);
    enum seal_suite suite = profile ? dtls_suite_of_id(profile->id) : SEAL_NONE;
    if (!(dtls->context->suites >> suite & 1) || suite == SEAL_NONE)
        return false;
    uint8_t material[KEY_MATERIAL_BYTES_MAX];
    size_t bytes = sizeof(material), pair = seal_key_bytes(suite);
    size_t salt = seal_suite_is_aead(suite) ? 12 : 14, key = pair - salt;
    bool exported =
        wolfSSL_export_dtls_srtp_keying_material(dtls->ssl, material, &bytes) == WOLFSSL_SUCCESS;
    if (exported) {
        bool server = dtls->role == DTLS_ROLE_SERVER;
        uint8_t *client_key = server ? dtls->keys.in : dtls->keys.out;
        uint8_t *server_key = server ? dtls->keys.out : dtls->keys.in;
        memcpy(client_key, material, key);
        memcpy(server_key, material + key, key);
        memcpy(client_key + key, material + 2 * key, salt);
        memcpy(server_key + key, material + 2 * key + salt, salt);
        dtls->keys.suite = suite;
        dtls->has_keys = true;
    }
    explicit_bzero(material, sizeof(material));
    return exported;
}
