/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlsrecord.c - walks the records of a DTLS datagram without keys. */
#include "net/dtlsrecord.h"

static bool stop(struct dtls_reader *reader)
{
    reader->invalid = true;
    return false;
}

/* RFC 9147 4: 001CSLEE. C, a connection id, is never negotiated by us. */
static bool next_ciphertext(struct dtls_reader *reader, struct dtls_record *out)
{
    const uint8_t *head = reader->at;
    size_t head_bytes = 1u + (head[0] & 8 ? 2u : 1u) + (head[0] & 4 ? 2u : 0u);
    if (head[0] & 16 || reader->left < head_bytes)
        return stop(reader);
    size_t rest = reader->left - head_bytes;
    size_t bytes = head[0] & 4 ? be16(head + head_bytes - 2) : rest;
    /* 4.2.3: the record number's mask is made of 16 bytes; a tag and a type are always there. */
    if (bytes > rest || bytes < DTLS_TAG_BYTES + 1)
        return stop(reader);
    *out = (struct dtls_record){DTLS_CIPHERTEXT, head[0] & 3, head, head + head_bytes, bytes};
    reader->at += head_bytes + bytes;
    reader->left -= head_bytes + bytes;
    return true;
}

bool dtls_reader_next(struct dtls_reader *reader, struct dtls_record *out)
{
    if (reader->left == 0)
        return false;
    const uint8_t *head = reader->at;
    if ((head[0] & 0xe0) == DTLS_CIPHERTEXT)
        return next_ciphertext(reader, out);

    bool known =
        (head[0] >= DTLS_CHANGE_CIPHER_SPEC && head[0] <= DTLS_DATA) || head[0] == DTLS_ACK;
    if (!known || reader->left < DTLS_HEAD_BYTES)
        return stop(reader);
    uint16_t version = be16(head + 1);
    if (version != 0xfeff && version != 0xfefd) /* a first ClientHello may say DTLS 1.0 */
        return stop(reader);
    size_t bytes = be16(head + 11);
    if (bytes == 0 || bytes > reader->left - DTLS_HEAD_BYTES)
        return stop(reader);
    *out = (struct dtls_record){(enum dtls_content)head[0], be16(head + 3), head,
                                head + DTLS_HEAD_BYTES, bytes};
    reader->at += DTLS_HEAD_BYTES + bytes;
    reader->left -= DTLS_HEAD_BYTES + bytes;
    return true;
}

bool dtls_handshake_parse(struct dtls_handshake *out, const struct dtls_record *record, size_t at)
{
    if (record->content != DTLS_HANDSHAKE || at > record->bytes ||
        record->bytes - at < DTLS_HANDSHAKE_HEAD_BYTES)
        return false;
    const uint8_t *head = record->body + at;
    *out = (struct dtls_handshake){
        .type = head[0],
        .seq = be16(head + 4),
        .message_bytes = be24(head + 1),
        .fragment_at = be24(head + 6),
        .fragment_bytes = be24(head + 9),
        .fragment = head + DTLS_HANDSHAKE_HEAD_BYTES,
    };
    return out->message_bytes <= DTLS_MESSAGE_BYTES_MAX && out->fragment_at <= out->message_bytes &&
           out->fragment_bytes <= out->message_bytes - out->fragment_at &&
           out->fragment_bytes <= record->bytes - at - DTLS_HANDSHAKE_HEAD_BYTES;
}
