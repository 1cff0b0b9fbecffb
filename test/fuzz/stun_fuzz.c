/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/stun_fuzz.c - any datagram to the STUN parser, and the answers to what it takes.
 *
 *   mode 1 | message
 *
 * mode: bit 0 length and cookie are set right, bit 1 a FINGERPRINT at the end, too, so that what is
 * behind the checks is reached. */
#include "net/stunwrite.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct stun_key key = {.at = "password", .bytes = 8};

static void repair(uint8_t *message, size_t bytes, uint8_t mode)
{
    if (bytes < STUN_HEAD_BYTES || bytes > STUN_BYTES_MAX)
        return;
    if (mode & 1) {
        message[0] &= 0x3f;
        put_be16(message + 2, (uint16_t)(bytes - STUN_HEAD_BYTES));
        put_be32(message + STUN_COOKIE_AT, STUN_COOKIE);
    }
    if ((mode & 2) && bytes >= STUN_HEAD_BYTES + 8) {
        put_be32(message + bytes - 8, (uint32_t)STUN_FINGERPRINT << 16 | 4);
        put_be32(message + bytes - 4, stun_fingerprint(message, bytes - 8));
    }
}

static bool within(size_t at, size_t n, size_t bytes)
{
    return at == 0 || (at >= STUN_HEAD_BYTES && at <= bytes && n <= bytes - at);
}

static void look(const struct stun_message *message, const uint8_t *data, size_t bytes)
{
    struct addr mapped;
    size_t local_bytes;
    ASSERT(message->bytes == bytes && bytes % 4 == 0 && bytes <= STUN_BYTES_MAX);
    ASSERT(within(message->username_at, message->username_bytes, bytes));
    ASSERT(within(message->integrity_at, 24, bytes));
    ASSERT(within(message->fingerprint_at, 8, bytes));
    ASSERT(within(message->mapped_at, message->mapped_bytes, bytes));
    ASSERT(message->unknown_n <= STUN_UNKNOWN_MAX);
    const uint8_t *local = stun_username_local(message, data, &local_bytes);
    ASSERT((local != NULL) == (local_bytes > 0) && local_bytes <= message->username_bytes);
    if (stun_mapped(message, data, &mapped))
        ASSERT(addr_is_set(&mapped));
    (void)stun_is_authentic(message, data, key);
}

/* Whatever was asked, the answers are well-formed and short. */
static void answer(const struct stun_message *message, const uint8_t *data, uint8_t mode)
{
    static const unsigned codes[] = {400, 401, 420, 487, 500};
    uint8_t reply[STUN_REPLY_BYTES_MAX];
    struct stun_message parsed;
    for (size_t i = 0; i < ARRAY_N(codes); i++) {
        struct stun_key with = mode & 4 ? key : (struct stun_key){.at = NULL};
        size_t n = stun_write_error(reply, sizeof(reply), message, data, codes[i], with);
        ASSERT(n <= message->bytes);
        if (n == 0)
            continue;
        ASSERT(stun_parse(&parsed, reply, n) == DROP_NONE);
        ASSERT(parsed.class == STUN_ERROR && parsed.error == codes[i]);
        ASSERT(parsed.method == message->method);
        ASSERT(stun_is_authentic(&parsed, reply, key) == ((mode & 4) != 0));
    }
    struct addr mapped, got;
    memset(&mapped, 0, sizeof(mapped));
    mapped.in.sin_family = AF_INET;
    memcpy(&mapped.in.sin_addr, data + STUN_TRANSACTION_AT, 4);
    size_t n = stun_write_success(reply, sizeof(reply), data, &mapped, key);
    ASSERT(stun_parse(&parsed, reply, n) == DROP_NONE && stun_is_authentic(&parsed, reply, key));
    ASSERT(stun_mapped(&parsed, reply, &got) && addr_equal(&got, &mapped));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1)
        return 0;
    uint8_t mode = data[0];
    uint8_t *copy = malloc(bytes); /* of its very size: the sanitizer sees a byte too far */
    struct stun_message message;
    bytes--;
    memcpy(copy, data + 1, bytes);
    repair(copy, bytes, mode);
    if (stun_parse(&message, copy, bytes) == DROP_NONE) {
        look(&message, copy, bytes);
        answer(&message, copy, mode);
    } else {
        ASSERT(message.bytes == 0);
    }
    free(copy);
    return 0;
}
