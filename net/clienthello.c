/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/clienthello.c - fragments of a ClientHello become one record; what it offers for SRTP. */
#include "net/clienthello.h"

#include <stdlib.h>

#include "net/dtlsrecord.h"
#include "rtp/seal.h"

enum { HEADS_BYTES = DTLS_HEAD_BYTES + DTLS_HANDSHAKE_HEAD_BYTES };

struct clienthello_pending {
    int64_t until_us;
    uint16_t seq;
    uint16_t total, got; /* bytes of the message */
    uint8_t *have;       /* a bit for each */
    uint8_t record[];    /* heads, message, then the bits */
};

static_assert(HEADS_BYTES + CLIENTHELLO_BYTES_MAX <= UINT16_MAX, "lengths are 16 bit");

void clienthello_drop(struct clienthello *hello)
{
    free(hello->pending);
    hello->pending = NULL;
}

int64_t clienthello_due_us(const struct clienthello *hello)
{
    return hello->pending ? hello->pending->until_us : INT64_MAX;
}

static struct clienthello_pending *begin(const struct dtls_handshake *part, int64_t now_us)
{
    size_t total = part->message_bytes, map_bytes = (total + 7) / 8;
    struct clienthello_pending *pending =
        calloc(1, sizeof(*pending) + HEADS_BYTES + total + map_bytes);
    if (!pending)
        return NULL;
    pending->until_us = now_us + CLIENTHELLO_PENDING_US;
    pending->seq = part->seq;
    pending->total = (uint16_t)total;
    pending->have = pending->record + HEADS_BYTES + total;
    return pending;
}

static void put(struct clienthello_pending *pending, const struct dtls_handshake *part)
{
    uint8_t *message = pending->record + HEADS_BYTES;
    for (uint32_t i = 0; i < part->fragment_bytes; i++) {
        uint32_t at = part->fragment_at + i;
        uint8_t bit = (uint8_t)(1u << (at % 8));
        if (pending->have[at / 8] & bit)
            continue;
        pending->have[at / 8] |= bit;
        message[at] = part->fragment[i];
        pending->got++;
    }
}

/* Keeps a fragment. CLIENTHELLO_FULL or CLIENTHELLO_PENDING. */
static enum clienthello_result keep(struct clienthello *hello, const struct dtls_handshake *part,
                                    int64_t now_us)
{
    struct clienthello_pending *pending = hello->pending;
    if (pending && now_us >= pending->until_us)
        clienthello_drop(hello);
    pending = hello->pending;
    if (pending && part->seq < pending->seq)
        return CLIENTHELLO_PENDING; /* of a hello that has been answered */
    if (pending && (part->seq != pending->seq || part->message_bytes != pending->total))
        clienthello_drop(hello);
    if (!hello->pending)
        hello->pending = begin(part, now_us);
    if (!hello->pending)
        return CLIENTHELLO_FULL;
    put(hello->pending, part);
    return CLIENTHELLO_PENDING;
}

/* All bytes are there: writes the heads. The record has the number of the newest fragment. */
static void finish(struct clienthello_pending *pending, const uint8_t *record_head,
                   struct clienthello_message *out)
{
    uint8_t *record = pending->record, *handshake = record + DTLS_HEAD_BYTES;
    memcpy(record, record_head, DTLS_HEAD_BYTES);
    put_be16(record + 11, (uint16_t)(DTLS_HANDSHAKE_HEAD_BYTES + pending->total));
    handshake[0] = DTLS_CLIENT_HELLO;
    put_be24(handshake + 1, pending->total);
    put_be16(handshake + 4, pending->seq);
    put_be24(handshake + 6, 0);
    put_be24(handshake + 9, pending->total);
    *out = (struct clienthello_message){record, HEADS_BYTES + (size_t)pending->total,
                                        record + HEADS_BYTES, pending->total};
}

/* A ClientHello, or a part of it, that fills its plaintext record. */
static bool parse(struct dtls_handshake *out, const struct dtls_record *record)
{
    return dtls_handshake_parse(out, record, 0) && out->type == DTLS_CLIENT_HELLO &&
           record->epoch == 0 && out->message_bytes > 0 &&
           out->fragment_bytes == record->bytes - DTLS_HANDSHAKE_HEAD_BYTES;
}

enum clienthello_result clienthello_take(struct clienthello *hello, const uint8_t *data,
                                         size_t bytes, int64_t now_us,
                                         struct clienthello_message *out)
{
    struct dtls_reader reader = dtls_reader(data, bytes);
    struct dtls_record record;
    struct dtls_handshake part;
    enum clienthello_result result = CLIENTHELLO_OTHER;
    *out = (struct clienthello_message){0};
    if (bytes <= HEADS_BYTES || data[0] != DTLS_HANDSHAKE || be16(data + 3) != 0 ||
        data[DTLS_HEAD_BYTES] != DTLS_CLIENT_HELLO)
        return CLIENTHELLO_OTHER;

    while (dtls_reader_next(&reader, &record)) {
        if (!parse(&part, &record))
            return CLIENTHELLO_INVALID;
        if (part.message_bytes > CLIENTHELLO_BYTES_MAX)
            return CLIENTHELLO_FULL;
        if (part.fragment_bytes == part.message_bytes && reader.left == 0 && record.head == data) {
            clienthello_drop(hello);
            *out = (struct clienthello_message){data, bytes, part.fragment, part.fragment_bytes};
            return CLIENTHELLO_WHOLE;
        }
        result = keep(hello, &part, now_us);
        if (result != CLIENTHELLO_PENDING)
            return result;
        if (hello->pending->got == hello->pending->total) {
            finish(hello->pending, record.head, out);
            return CLIENTHELLO_WHOLE;
        }
    }
    return reader.invalid ? CLIENTHELLO_INVALID : result;
}

/* ---- what it offers */

struct span { /* what is left of a part of the message */
    const uint8_t *at;
    size_t left;
};

static bool skip(struct span *span, size_t bytes)
{
    if (bytes > span->left)
        return false;
    span->at += bytes;
    span->left -= bytes;
    return true;
}

/* Takes a vector whose length has `head` bytes (1 or 2). RFC 8446 3.4. */
static bool vector(struct span *span, size_t head, struct span *out)
{
    if (span->left < head)
        return false;
    size_t bytes = head == 1 ? span->at[0] : be16(span->at);
    *out = (struct span){span->at + head, bytes};
    return skip(span, head + bytes);
}

/* RFC 5764 4.1.2, RFC 7714 14.2. */
static uint32_t suite_bit(uint16_t profile)
{
    switch (profile) {
    case 0x0001:
        return 1u << SEAL_AES_CM_128_HMAC_SHA1_80;
    case 0x0002:
        return 1u << SEAL_AES_CM_128_HMAC_SHA1_32;
    case 0x0007:
        return 1u << SEAL_AEAD_AES_128_GCM;
    case 0x0008:
        return 1u << SEAL_AEAD_AES_256_GCM;
    default:
        return 0;
    }
}

/* RFC 5764 4.1.1: SRTPProtectionProfiles<2..2^16-1>, srtp_mki<0..255>. */
static bool read_use_srtp(struct span span, uint32_t *suites)
{
    struct span profiles, mki;
    if (!vector(&span, 2, &profiles) || !vector(&span, 1, &mki) || span.left > 0)
        return false;
    if (profiles.left == 0 || profiles.left % 2 != 0)
        return false;
    for (size_t i = 0; i < profiles.left; i += 2)
        *suites |= suite_bit(be16(profiles.at + i));
    return true;
}

bool clienthello_suites(const uint8_t *body, size_t bytes, uint32_t *suites)
{
    enum { USE_SRTP = 14 };

    struct span span = {body, bytes}, ignored, extensions, extension;
    *suites = 0;
    bool heads = skip(&span, 2 + 32) && vector(&span, 1, &ignored) && /* session id */
                 vector(&span, 1, &ignored) &&                        /* cookie */
                 vector(&span, 2, &ignored) && vector(&span, 1, &ignored);
    if (!heads)
        return false;
    if (span.left == 0)
        return true; /* RFC 5246 7.4.1.2: extensions may be left out */
    if (!vector(&span, 2, &extensions) || span.left > 0)
        return false;
    while (extensions.left > 0) {
        if (extensions.left < 2)
            return false;
        uint16_t type = be16(extensions.at);
        if (!skip(&extensions, 2) || !vector(&extensions, 2, &extension))
            return false;
        if (type == USE_SRTP && !read_use_srtp(extension, suites))
            return false;
    }
    return true;
}
