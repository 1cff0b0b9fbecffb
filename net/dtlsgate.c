/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlsgate.c - which datagrams may reach the library. */
#include "net/dtlsgate.h"

#include "net/dtlsrecord.h"

enum {
    FINISHED_EPOCH = 2, /* RFC 9147 6.1: of the handshake; 3 is the first of application data */
    DATA_EPOCH = 3,
    ALERT_FATAL = 2,
};

/* ---- before CONNECTED */

/* Messages and fragments, one after the other, to the end of the record, none a ClientHello. */
static bool is_messages(const struct dtls_record *record)
{
    struct dtls_handshake message;
    size_t at = 0;
    while (at < record->bytes) {
        if (!dtls_handshake_parse(&message, record, at) || message.type == DTLS_CLIENT_HELLO)
            return false;
        at += DTLS_HANDSHAKE_HEAD_BYTES + message.fragment_bytes;
    }
    return true;
}

static bool handshake_may_be(enum dtls_role role, const struct dtls_record *record)
{
    bool plain = record->epoch == 0;
    bool sealed = record->epoch == 1 && record->bytes > DTLS_TAG_BYTES; /* 1.2 */
    switch (record->content) {
    case DTLS_CIPHERTEXT:
        /* A client has nothing to say under the data keys before it is done; a server's ACK of
         * the client's last flight does come under them. */
        return role == DTLS_ROLE_CLIENT || record->epoch != DATA_EPOCH;
    case DTLS_HANDSHAKE:
        return plain ? is_messages(record) : sealed;
    case DTLS_CHANGE_CIPHER_SPEC:
        return plain && record->bytes == 1 && record->body[0] == 1;
    case DTLS_ALERT:
        /* A close_notify in the clear may be anybody's. Fatal ones are how a peer says that it
         * refuses our certificate. */
        return plain ? record->bytes == 2 && record->body[0] == ALERT_FATAL : sealed;
    case DTLS_ACK:
        return plain && record->bytes >= 2;
    case DTLS_DATA: /* 1.2, ahead of a Finished: lost, and sent again by SCTP */
        return false;
    }
    return false;
}

enum dtlsgate dtlsgate_handshake(enum dtls_role role, const uint8_t *data, size_t bytes)
{
    struct dtls_reader reader = dtls_reader(data, bytes);
    struct dtls_record record;
    while (dtls_reader_next(&reader, &record))
        if (!handshake_may_be(role, &record))
            return DTLSGATE_DROP;
    return reader.invalid ? DTLSGATE_DROP : DTLSGATE_PASS;
}

/* ---- CONNECTED: only ciphertext is for the library */

static enum dtlsgate fate_13(bool server, const struct dtls_record *record)
{
    if (record->content != DTLS_CIPHERTEXT)
        return DTLSGATE_DROP;
    if (record->epoch != FINISHED_EPOCH)
        return DTLSGATE_PASS;
    return server ? DTLSGATE_REPEAT : DTLSGATE_DROP;
}

static enum dtlsgate fate_12(bool server, const struct dtls_record *record)
{
    struct dtls_handshake message;
    if (record->content == DTLS_CIPHERTEXT || record->epoch > 1)
        return DTLSGATE_DROP;
    if (record->content == DTLS_DATA || record->content == DTLS_ALERT)
        return record->epoch == 1 && record->bytes > DTLS_TAG_BYTES ? DTLSGATE_PASS : DTLSGATE_DROP;
    if (!server || record->content == DTLS_ACK)
        return DTLSGATE_DROP;
    bool hello = record->content == DTLS_HANDSHAKE && record->epoch == 0 &&
                 (!dtls_handshake_parse(&message, record, 0) || message.type == DTLS_CLIENT_HELLO);
    return hello ? DTLSGATE_DROP : DTLSGATE_REPEAT;
}

enum dtlsgate dtlsgate_connected(enum dtls_role role, enum dtls_version version,
                                 const uint8_t *data, size_t bytes)
{
    struct dtls_reader reader = dtls_reader(data, bytes);
    struct dtls_record record;
    enum dtlsgate first = DTLSGATE_DROP, fate = DTLSGATE_DROP;
    bool server = role == DTLS_ROLE_SERVER;
    while (dtls_reader_next(&reader, &record)) {
        fate = version == DTLS_VERSION_1_3 ? fate_13(server, &record) : fate_12(server, &record);
        if (record.head == data)
            first = fate;
        if (fate == DTLSGATE_DROP || (first == DTLSGATE_PASS && fate != DTLSGATE_PASS))
            return DTLSGATE_DROP;
    }
    return reader.invalid ? DTLSGATE_DROP : first;
}
