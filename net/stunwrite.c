/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stunwrite.c - values to STUN messages. */
#include "net/stunwrite.h"

enum {
    REASON_BYTES_MAX = 20, /* padded */
    MAPPED_BYTES_MAX = STUN_ATTRIBUTE_HEAD_BYTES + 20,
    SEALED_BYTES = STUN_ATTRIBUTE_HEAD_BYTES + STUN_INTEGRITY_BYTES /* MESSAGE-INTEGRITY */
                   + STUN_ATTRIBUTE_HEAD_BYTES + 4,                 /* FINGERPRINT */
    SUCCESS_BYTES_MAX = STUN_HEAD_BYTES + MAPPED_BYTES_MAX + SEALED_BYTES,
    ERROR_BYTES_MAX = STUN_HEAD_BYTES + STUN_ATTRIBUTE_HEAD_BYTES + 4 + REASON_BYTES_MAX +
                      STUN_ATTRIBUTE_HEAD_BYTES + 2 * STUN_UNKNOWN_MAX + SEALED_BYTES,
};

static_assert((int)SUCCESS_BYTES_MAX <= (int)STUN_REPLY_BYTES_MAX, "a success response fits");
static_assert((int)ERROR_BYTES_MAX <= (int)STUN_REPLY_BYTES_MAX, "an error response fits");

/* ---- parts ---- */

/* `bytes` more, or NULL and full for good. */
static uint8_t *extend(struct stun_writer *writer, size_t bytes)
{
    writer->full |= bytes > writer->room - writer->bytes;
    if (writer->full)
        return NULL;
    uint8_t *at = writer->out + writer->bytes;
    writer->bytes += bytes;
    return at;
}

void stun_begin(struct stun_writer *writer, uint8_t *out, size_t room, enum stun_class class,
                uint16_t method, const uint8_t transaction[STUN_TRANSACTION_BYTES])
{
    *writer = (struct stun_writer){.out = out, .room = min_size(room, STUN_BYTES_MAX)};
    uint8_t *at = extend(writer, STUN_HEAD_BYTES);
    if (!at)
        return;
    unsigned type = (method & 0xf80u) << 2 | (method & 0x70u) << 1 | (method & 0x0fu);
    type |= ((unsigned)class & 2) << 7 | ((unsigned)class & 1) << 4;
    put_be16(at, (uint16_t)type);
    put_be16(at + 2, 0);
    put_be32(at + STUN_COOKIE_AT, STUN_COOKIE);
    memcpy(at + STUN_TRANSACTION_AT, transaction, STUN_TRANSACTION_BYTES);
}

/* An attribute's value to be filled, its padding zeroed; NULL: full. */
static uint8_t *put_attribute(struct stun_writer *writer, uint16_t type, size_t bytes)
{
    ASSERT(bytes <= STUN_BYTES_MAX);
    size_t padded = round_up_size(bytes, 4);
    uint8_t *at = extend(writer, STUN_ATTRIBUTE_HEAD_BYTES + padded);
    if (!at)
        return NULL;
    put_be16(at, type);
    put_be16(at + 2, (uint16_t)bytes);
    memset(at + STUN_ATTRIBUTE_HEAD_BYTES + bytes, 0, padded - bytes);
    return at + STUN_ATTRIBUTE_HEAD_BYTES;
}

void stun_put(struct stun_writer *writer, uint16_t type, const void *value, size_t bytes)
{
    uint8_t *at = put_attribute(writer, type, bytes);
    if (at && bytes)
        memcpy(at, value, bytes);
}

void stun_put_u32(struct stun_writer *writer, uint16_t type, uint32_t value)
{
    uint8_t *at = put_attribute(writer, type, 4);
    if (at)
        put_be32(at, value);
}

void stun_put_u64(struct stun_writer *writer, uint16_t type, uint64_t value)
{
    uint8_t *at = put_attribute(writer, type, 8);
    if (at)
        put_be64(at, value);
}

/* RFC 8489 14.2; the mask is the cookie and the transaction id, as they stand in the header. */
void stun_put_mapped(struct stun_writer *writer, const struct addr *mapped)
{
    ASSERT(addr_is_set(mapped));
    struct addr addr = *mapped;
    addr_unmap(&addr);
    bool v4 = addr.sa.sa_family == AF_INET;
    const uint8_t *ip = v4 ? (const uint8_t *)&addr.in.sin_addr : addr.in6.sin6_addr.s6_addr;
    size_t ip_bytes = v4 ? 4 : 16;
    uint8_t *at = put_attribute(writer, STUN_XOR_MAPPED_ADDRESS, 4 + ip_bytes);
    if (!at)
        return;
    const uint8_t *mask = writer->out + STUN_COOKIE_AT;
    at[0] = 0;
    at[1] = v4 ? 1 : 2;
    put_be16(at + 2, (uint16_t)(addr_port(&addr) ^ be16(mask)));
    for (size_t i = 0; i < ip_bytes; i++)
        at[4 + i] = ip[i] ^ mask[i];
}

static void set_length(struct stun_writer *writer)
{
    put_be16(writer->out + 2, (uint16_t)(writer->bytes - STUN_HEAD_BYTES));
}

void stun_seal(struct stun_writer *writer, struct stun_key key)
{
    size_t covered = writer->bytes;
    uint8_t *at = put_attribute(writer, STUN_MESSAGE_INTEGRITY, STUN_INTEGRITY_BYTES);
    if (!at)
        return;
    uint16_t length = (uint16_t)(writer->bytes - STUN_HEAD_BYTES);
    /* A message without integrity is none: the library's failure is as good as no room. */
    writer->full = !stun_hmac(writer->out, covered, length, key, at);
}

size_t stun_end_bare(struct stun_writer *writer)
{
    if (writer->full)
        return 0;
    set_length(writer);
    return writer->bytes;
}

size_t stun_end(struct stun_writer *writer)
{
    uint8_t *at = put_attribute(writer, STUN_FINGERPRINT, 4);
    if (!at)
        return 0;
    set_length(writer); /* first: the fingerprint covers it */
    put_be32(at, stun_fingerprint(writer->out, writer->bytes - STUN_ATTRIBUTE_HEAD_BYTES - 4));
    return writer->bytes;
}

/* ---- messages ---- */

size_t stun_write_request(uint8_t *out, size_t room, const struct stun_request *request)
{
    ASSERT(request->username_bytes <= STUN_USERNAME_BYTES_MAX);
    struct stun_writer writer;
    stun_begin(&writer, out, room, STUN_REQUEST, STUN_BINDING, request->transaction);
    stun_put(&writer, STUN_USERNAME, request->username, request->username_bytes);
    stun_put_u64(&writer, request->controlled ? STUN_ICE_CONTROLLED : STUN_ICE_CONTROLLING,
                 request->tie_breaker);
    if (request->use_candidate)
        stun_put(&writer, STUN_USE_CANDIDATE, NULL, 0);
    if (request->nominates)
        stun_put_u32(&writer, STUN_NOMINATION, request->nomination);
    stun_put_u32(&writer, STUN_PRIORITY, request->priority);
    stun_seal(&writer, request->key);
    return stun_end(&writer);
}

size_t stun_write_success(uint8_t *out, size_t room, const uint8_t *request,
                          const struct addr *mapped, struct stun_key key)
{
    struct stun_writer writer;
    stun_begin(&writer, out, room, STUN_SUCCESS, STUN_BINDING, request + STUN_TRANSACTION_AT);
    stun_put_mapped(&writer, mapped);
    stun_seal(&writer, key);
    return stun_end(&writer);
}

static const char *reason_of(unsigned code)
{
    switch (code) {
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthenticated";
    case 420:
        return "Unknown Attribute";
    case 487:
        return "Role Conflict";
    case 500:
        return "Server Error";
    }
    ASSERT(false);
    return "";
}

static void put_error(struct stun_writer *writer, unsigned code, const char *reason)
{
    size_t reason_bytes = strlen(reason);
    uint8_t *at = put_attribute(writer, STUN_ERROR_CODE, 4 + reason_bytes);
    if (!at)
        return;
    put_be16(at, 0);
    at[2] = (uint8_t)(code / 100);
    at[3] = (uint8_t)(code % 100);
    memcpy(at + 4, reason, reason_bytes);
}

static void put_unknown(struct stun_writer *writer, const struct stun_message *message)
{
    uint8_t *at = put_attribute(writer, STUN_UNKNOWN_ATTRIBUTES, 2 * (size_t)message->unknown_n);
    for (size_t i = 0; at && i < message->unknown_n; i++)
        put_be16(at + 2 * i, message->unknown[i]);
}

static size_t write_error(uint8_t *out, size_t room, const struct stun_message *message,
                          const uint8_t *data, unsigned code, const char *reason,
                          struct stun_key key)
{
    struct stun_writer writer;
    stun_begin(&writer, out, room, STUN_ERROR, message->method, data + STUN_TRANSACTION_AT);
    put_error(&writer, code, reason);
    if (code == 420)
        put_unknown(&writer, message);
    if (key.at)
        stun_seal(&writer, key);
    return stun_end(&writer);
}

size_t stun_write_error(uint8_t *out, size_t room, const struct stun_message *message,
                        const uint8_t *data, unsigned code, struct stun_key key)
{
    room = min_size(room, message->bytes); /* never an amplifier */
    const char *reason = reason_of(code);
    ASSERT(strlen(reason) <= REASON_BYTES_MAX);
    size_t bytes = write_error(out, room, message, data, code, reason, key);
    return bytes ? bytes : write_error(out, room, message, data, code, "", key);
}
