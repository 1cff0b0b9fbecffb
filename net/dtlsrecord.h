/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtlsrecord.h - walks the records of a DTLS datagram without keys. RFC 6347 4.1, RFC 9147 4.
 *
 * What is found here is only shape: which record claims to be what. It lets net/dtls.c refuse what
 * cannot be right before the library sees it, and net/clienthello.c find its fragments.
 * Threads: no state. Nothing allocates.
 *
 *   plaintext, and all of DTLS 1.2:   | type 1 | version 2 | epoch 2 | number 6 | length 2 | body |
 *   ciphertext of DTLS 1.3:           | 001CSLEE | number 1 or 2 | length 0 or 2 | body           |
 *   handshake message in a body:      | type 1 | length 3 | seq 2 | at 3 | bytes 3 | fragment     |
 */
#ifndef NET_DTLSRECORD_H
#define NET_DTLSRECORD_H

#include "core/base.h"

enum {
    DTLS_HEAD_BYTES = 13,
    DTLS_HANDSHAKE_HEAD_BYTES = 12,
    DTLS_TAG_BYTES = 16, /* of every suite that we take */
    DTLS_MESSAGE_BYTES_MAX = 16384,
};

enum dtls_content {
    DTLS_CHANGE_CIPHER_SPEC = 20,
    DTLS_ALERT = 21,
    DTLS_HANDSHAKE = 22,
    DTLS_DATA = 23,
    DTLS_ACK = 26,
    DTLS_CIPHERTEXT = 32, /* RFC 9147's unified header: the type is inside */
};

enum { DTLS_CLIENT_HELLO = 1 };

struct dtls_record {
    enum dtls_content content;
    uint16_t epoch;      /* DTLS_CIPHERTEXT: its two lowest bits */
    const uint8_t *head; /* of the record */
    const uint8_t *body;
    size_t bytes; /* of the body */
};

struct dtls_reader {
    const uint8_t *at;
    size_t left;
    bool invalid; /* what is left is no record */
};

struct dtls_handshake { /* header of a plaintext handshake message, or of its fragment */
    uint8_t type;
    uint16_t seq;
    uint32_t message_bytes, fragment_at, fragment_bytes;
    const uint8_t *fragment;
};

static inline struct dtls_reader dtls_reader(const uint8_t *data, size_t bytes)
{
    return (struct dtls_reader){data, bytes, false};
}

/* The next record; false at the end of the datagram, or with `invalid` set. */
bool dtls_reader_next(struct dtls_reader *reader, struct dtls_record *out);

/* The handshake message that begins at `at` of the body of a plaintext DTLS_HANDSHAKE record, with
 * a fragment that is wholly there. False if there is none. */
bool dtls_handshake_parse(struct dtls_handshake *out, const struct dtls_record *record, size_t at);

#endif
