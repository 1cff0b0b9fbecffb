/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/rtp_seal_fuzz.c - unprotect with rubbish and with valid packets that were changed.
 *
 *   mode 1 | changes_n 1 | changes_n * {at 2, xor 1} | length 2 | packet
 *
 * mode: bits 0-1 the suite, bit 2 RTCP, bit 3 the packet is fed as it is. Otherwise it is sealed,
 * changed and cut to `length`; then it is accepted only if nothing of it has changed. */
#include <stdlib.h>
#include <string.h>

#include "rtp/seal.h"

enum { BYTES_MAX = 2048, SSRC = 0x01020304 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

typedef enum drop (*step)(struct seal *, uint8_t *, size_t *);

struct sealed {
    _Alignas(4) uint8_t data[BYTES_MAX + SEAL_OVERHEAD_RTCP + SEAL_SLACK_BYTES];
    size_t bytes;
};

static const uint8_t key[SEAL_KEY_BYTES_MAX] = {1, 2, 3, 4, 5, 6, 7, 8};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (seal_library_init())
        abort();
    return 0;
}

static void must(bool truth)
{
    if (!truth)
        abort();
}

/* In a block of its very size, so that the sanitizer sees a byte too far. */
static enum drop open_copy(step unprotect, struct seal *seal, const uint8_t *data, size_t bytes,
                           struct sealed *out)
{
    uint8_t *copy = malloc(bytes + 1);
    if (bytes)
        memcpy(copy, data, bytes);
    size_t n = bytes;
    enum drop why = unprotect(seal, copy, &n);
    must(n <= bytes);
    must(why == DROP_NONE || n == bytes);
    if (out)
        memcpy(out->data, copy, out->bytes = n);
    free(copy);
    return why;
}

static void change(struct sealed *sealed, const uint8_t *changes, size_t changes_n)
{
    for (size_t i = 0; i < changes_n; i++)
        sealed->data[be16(changes + 3 * i) % sealed->bytes] ^= changes[3 * i + 2];
}

static void run(struct seal *seal, const uint8_t *data, size_t bytes)
{
    bool rtcp = data[0] & 4;
    step protect = rtcp ? seal_protect_rtcp : seal_protect_rtp;
    step unprotect = rtcp ? seal_unprotect_rtcp : seal_unprotect_rtp;
    if (data[0] & 8) {
        open_copy(unprotect, seal, data + 1, min_size(bytes - 1, BYTES_MAX), NULL);
        return;
    }
    size_t changes_n = data[1];
    if (bytes < 2 + 3 * changes_n + 2)
        return;
    const uint8_t *changes = data + 2;
    const uint8_t *packet = changes + 3 * changes_n + 2;
    struct sealed plain = {.bytes = min_size(bytes - (size_t)(packet - data), BYTES_MAX)};
    memcpy(plain.data, packet, plain.bytes);
    size_t ssrc_at = rtcp ? 4 : 8;
    if (plain.bytes >= ssrc_at + 4)
        put_be32(plain.data + ssrc_at, SSRC);
    struct sealed sealed = plain;
    if (protect(seal, sealed.data, &sealed.bytes) != DROP_NONE)
        return;

    struct sealed changed = sealed;
    change(&changed, changes, changes_n);
    changed.bytes = min_size(changed.bytes, be16(packet - 2));
    bool same =
        changed.bytes == sealed.bytes && memcmp(changed.data, sealed.data, sealed.bytes) == 0;
    struct sealed opened;
    enum drop why = open_copy(unprotect, seal, changed.data, changed.bytes, &opened);
    must((why == DROP_NONE) == same);
    why = open_copy(unprotect, seal, sealed.data, sealed.bytes, &opened);
    must(why == (same ? DROP_SRTP_REPLAY : DROP_NONE));
    if (why == DROP_NONE)
        must(opened.bytes == plain.bytes && memcmp(opened.data, plain.data, plain.bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 2)
        return 0;
    struct seal *seal;
    must(seal_init(&seal, (enum seal_suite)(1 + (data[0] & 3)), key, key) == 0);
    must(seal_add_out(seal, SSRC) == 0);
    run(seal, data, bytes);
    seal_exit(seal);
    return 0;
}
