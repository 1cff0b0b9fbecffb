/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/stun.c - STUN messages to offsets and values; integrity and fingerprint. */
#include "net/stun.h"

/* wolfSSL's headers take their settings from this one, so it comes first. */
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/hmac.h>

enum { FINGERPRINT_XOR = 0x5354554e };

static_assert(STUN_BYTES_MAX <= UINT16_MAX, "offsets are 16 bits");
static_assert((int)STUN_INTEGRITY_BYTES == (int)WC_SHA_DIGEST_SIZE, "HMAC-SHA1");

/* ---- fingerprint and integrity ---- */

/* The reflected polynomial 0xedb88320, four bits a step: 64 bytes of table, messages are short. */
static uint32_t crc32(const uint8_t *data, size_t bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ table[crc & 0x0f];
        crc = crc >> 4 ^ table[crc & 0x0f];
    }
    return ~crc;
}

uint32_t stun_fingerprint(const uint8_t *data, size_t bytes)
{
    return crc32(data, bytes) ^ FINGERPRINT_XOR;
}

bool stun_hmac(const uint8_t *data, size_t bytes, uint16_t length, struct stun_key key,
               uint8_t out[STUN_INTEGRITY_BYTES])
{
    ASSERT(bytes >= STUN_HEAD_BYTES && bytes <= STUN_BYTES_MAX);
    Hmac hmac;
    uint8_t head[STUN_HEAD_BYTES]; /* the message itself is not to be changed */
    memcpy(head, data, sizeof(head));
    put_be16(head + 2, length);
    memset(out, 0, STUN_INTEGRITY_BYTES);
    if (wc_HmacInit(&hmac, NULL, INVALID_DEVID))
        return false;
    int failed = wc_HmacSetKey(&hmac, WC_SHA, (const byte *)key.at, (word32)key.bytes);
    if (!failed)
        failed = wc_HmacUpdate(&hmac, head, sizeof(head));
    if (!failed)
        failed = wc_HmacUpdate(&hmac, data + sizeof(head), (word32)(bytes - sizeof(head)));
    if (!failed)
        failed = wc_HmacFinal(&hmac, out);
    wc_HmacFree(&hmac);
    explicit_bzero(&hmac, sizeof(hmac)); /* the padded keys */
    if (failed)
        memset(out, 0, STUN_INTEGRITY_BYTES);
    return !failed;
}

bool stun_is_authentic(const struct stun_message *message, const uint8_t *data, struct stun_key key)
{
    uint8_t want[STUN_INTEGRITY_BYTES];
    size_t at = message->integrity_at;
    if (at == 0)
        return false;
    /* The length that was hashed ends with MESSAGE-INTEGRITY itself: FINGERPRINT came later. */
    size_t length = at + STUN_ATTRIBUTE_HEAD_BYTES + STUN_INTEGRITY_BYTES - STUN_HEAD_BYTES;
    if (!stun_hmac(data, at, (uint16_t)length, key, want))
        return false;
    const uint8_t *got = data + at + STUN_ATTRIBUTE_HEAD_BYTES;
    volatile uint8_t differs = 0; /* volatile: no early way out is to be compiled in */
    for (size_t i = 0; i < STUN_INTEGRITY_BYTES; i++)
        differs = differs | (uint8_t)(got[i] ^ want[i]);
    return differs == 0;
}

/* ---- parsing ---- */

struct attribute {
    uint16_t type;
    uint16_t at, bytes; /* of the value */
    const uint8_t *value;
};

/* Length of the attributes that have only one; -1: others. */
static int fixed_bytes(uint16_t type)
{
    switch (type) {
    case STUN_USE_CANDIDATE:
        return 0;
    case STUN_PRIORITY:
    case STUN_NOMINATION:
    case STUN_NOMINATION_GOOG:
    case STUN_FINGERPRINT:
        return 4;
    case STUN_ICE_CONTROLLED:
    case STUN_ICE_CONTROLLING:
        return 8;
    case STUN_MESSAGE_INTEGRITY:
        return STUN_INTEGRITY_BYTES;
    }
    return -1;
}

static void take_unknown(struct stun_message *out, uint16_t type)
{
    if (type < 0x8000 && out->unknown_n < STUN_UNKNOWN_MAX)
        out->unknown[out->unknown_n++] = type;
}

static void take_role(struct stun_message *out, bool *role, const struct attribute *attribute)
{
    if (!out->controlled && !out->controlling)
        out->tie_breaker = be64(attribute->value);
    *role = true;
}

static void take_nomination(struct stun_message *out, const struct attribute *attribute)
{
    if (!out->has_nomination)
        out->nomination = be32(attribute->value);
    out->has_nomination = true;
}

/* RFC 8489 14.8: hundreds in 3 bits behind 21 reserved ones, then 0 to 99. */
static bool take_error(struct stun_message *out, const struct attribute *attribute)
{
    if (attribute->bytes < 4)
        return false;
    unsigned hundreds = attribute->value[2] & 7, rest = attribute->value[3];
    if (hundreds < 3 || hundreds > 6 || rest > 99)
        return false;
    if (out->error == 0)
        out->error = (uint16_t)(100 * hundreds + rest);
    return true;
}

/* False: the message is malformed. What a lite agent has no use for, but knows, is passed over. */
static bool take_attribute(struct stun_message *out, const struct attribute *attribute)
{
    switch (attribute->type) {
    case STUN_USERNAME:
        if (attribute->bytes > STUN_USERNAME_BYTES_MAX)
            return false;
        if (out->username_at == 0) {
            out->username_at = attribute->at;
            out->username_bytes = attribute->bytes;
        }
        return true;
    case STUN_PRIORITY:
        if (!out->has_priority)
            out->priority = be32(attribute->value);
        out->has_priority = true;
        return true;
    case STUN_USE_CANDIDATE:
        out->use_candidate = true;
        return true;
    case STUN_NOMINATION:
    case STUN_NOMINATION_GOOG:
        take_nomination(out, attribute);
        return true;
    case STUN_ICE_CONTROLLED:
        take_role(out, &out->controlled, attribute);
        return true;
    case STUN_ICE_CONTROLLING:
        take_role(out, &out->controlling, attribute);
        return true;
    case STUN_XOR_MAPPED_ADDRESS:
        if (out->mapped_at == 0) {
            out->mapped_at = attribute->at;
            out->mapped_bytes = attribute->bytes;
        }
        return true;
    case STUN_ERROR_CODE:
        return take_error(out, attribute);
    case STUN_MAPPED_ADDRESS:
    case STUN_UNKNOWN_ATTRIBUTES:
    case STUN_REALM:
    case STUN_NONCE:
        return true;
    }
    take_unknown(out, attribute->type);
    return true;
}

/* An attribute in its place: what follows MESSAGE-INTEGRITY counts only if it is FINGERPRINT, and
 * nothing follows that. */
static bool place_attribute(struct stun_message *out, const struct attribute *attribute)
{
    uint16_t head_at = (uint16_t)(attribute->at - STUN_ATTRIBUTE_HEAD_BYTES);
    int fixed = fixed_bytes(attribute->type);
    if (attribute->type == STUN_FINGERPRINT) {
        if (attribute->bytes != fixed || attribute->at + fixed != out->bytes)
            return false;
        out->fingerprint_at = head_at;
        return true;
    }
    if (out->integrity_at != 0)
        return true;
    if (fixed >= 0 && attribute->bytes != fixed)
        return false;
    if (attribute->type == STUN_MESSAGE_INTEGRITY) {
        out->integrity_at = head_at;
        return true;
    }
    return take_attribute(out, attribute);
}

/* RFC 8489 14: every attribute begins on a multiple of 4, and so ends the message. */
static bool parse_attributes(struct stun_message *out, const uint8_t *data)
{
    size_t at = STUN_HEAD_BYTES;
    while (at < out->bytes) {
        size_t left = out->bytes - at - STUN_ATTRIBUTE_HEAD_BYTES; /* both multiples of 4 */
        const struct attribute attribute = {
            .type = be16(data + at),
            .at = (uint16_t)(at + STUN_ATTRIBUTE_HEAD_BYTES),
            .bytes = be16(data + at + 2),
            .value = data + at + STUN_ATTRIBUTE_HEAD_BYTES,
        };
        if (attribute.bytes > left || !place_attribute(out, &attribute))
            return false;
        at += STUN_ATTRIBUTE_HEAD_BYTES + round_up_size(attribute.bytes, 4);
    }
    ASSERT(at == out->bytes);
    return true;
}

/* RFC 8489 5: the class's two bits stand between the method's twelve. */
static bool parse_head(struct stun_message *out, const uint8_t *data, size_t bytes)
{
    if (bytes < STUN_HEAD_BYTES || bytes > STUN_BYTES_MAX || data[0] >> 6 != 0)
        return false;
    if (be32(data + STUN_COOKIE_AT) != STUN_COOKIE)
        return false;
    if (bytes % 4 != 0 || be16(data + 2) != bytes - STUN_HEAD_BYTES)
        return false;
    unsigned type = be16(data);
    out->class = (enum stun_class)((type >> 7 & 2) | (type >> 4 & 1));
    out->method = (uint16_t)((type >> 2 & 0xf80) | (type >> 1 & 0x70) | (type & 0x0f));
    out->bytes = (uint16_t)bytes;
    return true;
}

enum drop stun_parse(struct stun_message *out, const uint8_t *data, size_t bytes)
{
    *out = (struct stun_message){0};
    bool valid = parse_head(out, data, bytes) && parse_attributes(out, data);
    if (valid && out->fingerprint_at != 0) {
        const uint8_t *got = data + out->fingerprint_at + STUN_ATTRIBUTE_HEAD_BYTES;
        valid = be32(got) == stun_fingerprint(data, out->fingerprint_at);
    }
    if (valid)
        return DROP_NONE;
    *out = (struct stun_message){0};
    return DROP_STUN_INVALID;
}

/* ---- what was parsed ---- */

const uint8_t *stun_username_local(const struct stun_message *message, const uint8_t *data,
                                   size_t *bytes)
{
    *bytes = 0;
    if (message->username_bytes == 0)
        return NULL;
    const uint8_t *name = data + message->username_at;
    const uint8_t *colon = memchr(name, ':', message->username_bytes);
    if (!colon || colon == name)
        return NULL;
    *bytes = (size_t)(colon - name);
    return name;
}

bool stun_is_transaction(const uint8_t *data, const uint8_t id[STUN_TRANSACTION_BYTES])
{
    return memcmp(data + STUN_TRANSACTION_AT, id, STUN_TRANSACTION_BYTES) == 0;
}

/* RFC 8489 14.2: port and IPv4 address are masked with the cookie, IPv6 with the transaction id,
 * too, which stands right behind it. */
bool stun_mapped(const struct stun_message *message, const uint8_t *data, struct addr *out)
{
    const uint8_t *value = data + message->mapped_at, *mask = data + STUN_COOKIE_AT;
    uint8_t plain[16];
    bool is_ipv4 = message->mapped_bytes == 8 && value[1] == 1;
    bool is_ipv6 = message->mapped_bytes == 20 && value[1] == 2;
    if (!is_ipv4 && !is_ipv6)
        return false;
    for (size_t i = 0; i < (is_ipv4 ? 4u : 16u); i++)
        plain[i] = value[4 + i] ^ mask[i];
    struct addr addr;
    memset(&addr, 0, sizeof(addr));
    addr.sa.sa_family = is_ipv4 ? AF_INET : AF_INET6;
    if (is_ipv4)
        memcpy(&addr.in.sin_addr, plain, 4);
    else
        memcpy(&addr.in6.sin6_addr, plain, 16);
    addr_set_port(&addr, (uint16_t)(be16(value + 2) ^ be16(mask)));
    *out = addr;
    return true;
}
