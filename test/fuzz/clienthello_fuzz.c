/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/clienthello_fuzz.c - any datagrams as parts of a ClientHello, any bytes as a whole one.
 *
 * Input: pieces of | length 2 | 2^n seconds later 1 | datagram |; the datagram also is parsed as a
 * message's body. Held: what is whole is one record with one message, and what is pending is due.
 */
#include "net/clienthello.h"

#include "net/dtlsrecord.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_whole(const struct clienthello_message *message)
{
    struct dtls_reader reader = dtls_reader(message->record, message->record_bytes);
    struct dtls_record record;
    struct dtls_handshake handshake;
    uint32_t suites;
    ASSERT(dtls_reader_next(&reader, &record));
    ASSERT(dtls_handshake_parse(&handshake, &record, 0));
    ASSERT(handshake.type == DTLS_CLIENT_HELLO);
    ASSERT(handshake.fragment_bytes == handshake.message_bytes);
    ASSERT(handshake.message_bytes <= CLIENTHELLO_BYTES_MAX);
    ASSERT(handshake.fragment == message->body);
    ASSERT(handshake.message_bytes == message->body_bytes);
    ASSERT(!dtls_reader_next(&reader, &record));
    ASSERT(!reader.invalid);
    clienthello_suites(message->body, message->body_bytes, &suites);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct clienthello hello = {0};
    struct clienthello_message message;
    uint32_t suites;
    int64_t now_us = 1000000;
    clienthello_suites(data, bytes, &suites);
    while (bytes >= 3) {
        size_t n = min_size(be16(data), bytes - 3);
        now_us += (int64_t)1 << (data[2] % 24);
        uint8_t *exact = malloc(n ? n : 1); /* so that the sanitizer sees its end */
        ASSERT(exact);
        memcpy(exact, data + 3, n);
        switch (clienthello_take(&hello, exact, n, now_us, &message)) {
        case CLIENTHELLO_WHOLE:
            check_whole(&message);
            clienthello_drop(&hello);
            break;
        case CLIENTHELLO_PENDING:
            ASSERT(hello.pending);
            ASSERT(clienthello_due_us(&hello) <= now_us + CLIENTHELLO_PENDING_US);
            break;
        case CLIENTHELLO_OTHER:
        case CLIENTHELLO_INVALID:
        case CLIENTHELLO_FULL:
            break;
        }
        free(exact);
        data += 3 + n;
        bytes -= 3 + n;
    }
    clienthello_drop(&hello);
    return 0;
}
