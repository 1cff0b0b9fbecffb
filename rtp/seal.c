/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/seal.c - SRTP and SRTCP of one transport: libsrtp2 with wolfCrypt's ciphers. */
#include "rtp/seal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/wc_port.h>

#include "core/image.h"
#include "rtp/cipher.h"
#include "rtp/packet.h"
#include "rtp/sealcount.h"
#include "rtp/sealout.h"

enum {
    IN_CAPACITY_MIN = 4,
    RTCP_HEAD_BYTES = 8, /* up to the sender's ssrc */
    SRTCP_INDEX_BYTES = 4,
};

static_assert(SEAL_STREAMS_IN_MAX <= 64, "in_parked has a bit for each");

struct seal {
    struct sealout outs;
    enum seal_suite suite;
    srtp_t in;
    uint32_t in_n, in_capacity, in_clock;
    uint64_t in_parked; /* bit per place of ins[] */

    struct seal_in {
        uint32_t ssrc;
        uint32_t used; /* in_clock of the last packet */
    } * ins;           /* most peers send from few ssrcs: grows with them */
};

/* ---- library */

static unsigned library_users;

/* libsrtp2's own prints. Limits and collisions come back as errors of the packet as well. */
static void on_srtp_event(srtp_event_data_t *event)
{
    (void)event;
}

int seal_library_init(void)
{
    /* Debian's libsrtp2 is linked to NSS for ciphers that cipher_install() replaces. */
    static const char *const unused[] = {"libnss", "libnspr", "libplc", "libplds"};
    if (library_users > 0) {
        library_users++;
        return 0;
    }
    if (wolfCrypt_Init())
        return -EIO;
    if (srtp_init())
        goto no_srtp;
    if (srtp_install_event_handler(on_srtp_event) || cipher_install())
        goto no_ciphers;
    for (size_t i = 0; i < ARRAY_N(unused); i++)
        image_give_back(unused[i]);
    library_users = 1;
    return 0;

no_ciphers:
    srtp_shutdown();
no_srtp:
    wolfCrypt_Cleanup();
    return -EIO;
}

void seal_library_exit(void)
{
    ASSERT(library_users > 0);
    if (--library_users > 0)
        return;
    srtp_shutdown();
    wolfCrypt_Cleanup();
}

/* ---- seals */

int seal_init(struct seal **out, enum seal_suite suite, const uint8_t *key_in,
              const uint8_t *key_out)
{
    if (suite <= SEAL_NONE || suite >= SEAL_SUITE_N)
        return -EINVAL;
    struct seal *seal = calloc(1, sizeof(*seal));
    if (!seal)
        return -ENOMEM;
    seal->suite = suite;
    if (sealsuite_session_init(&seal->in, suite, ssrc_any_inbound, key_in)) {
        free(seal);
        return -ENOMEM;
    }
    seal->outs.suite = suite;
    memcpy(seal->outs.key, key_out, seal_key_bytes(suite));
    sealcount_add(suite, SEAL_COUNTED_SEALS, 1);
    *out = seal;
    return 0;
}

void seal_exit(struct seal *seal)
{
    if (!seal)
        return;
    sealcount_add(seal->suite, SEAL_COUNTED_SEALS, -1);
    sealcount_add(seal->suite, SEAL_COUNTED_INS, -(int64_t)seal->in_n);
    srtp_dealloc(seal->in);
    free(seal->ins);
    sealout_exit(&seal->outs);
    explicit_bzero(seal, sizeof(*seal));
    free(seal);
}

enum seal_suite seal_suite_of(const struct seal *seal)
{
    return seal->suite;
}

/* ---- outbound streams */

int seal_add_out(struct seal *seal, uint32_t ssrc)
{
    return sealout_add(&seal->outs, ssrc);
}

void seal_remove_out(struct seal *seal, uint32_t ssrc)
{
    sealout_remove(&seal->outs, ssrc);
}

uint16_t seal_first_seq_out(const struct seal *seal, uint32_t ssrc, uint16_t wanted)
{
    const struct sealout_stream *out = sealout_find(&seal->outs, ssrc);
    return out && out->next ? (uint16_t)out->next : wanted;
}

void seal_prefetch(const struct seal *seal)
{
    __builtin_prefetch(seal->outs.table);
    __builtin_prefetch(seal->outs.groups);
}

enum drop seal_protect_rtp(struct seal *seal, uint8_t *data, size_t *bytes)
{
    ASSERT(*bytes <= UINT16_MAX);
    if (*bytes < RTP_FIXED_BYTES)
        return DROP_SEAL;
    struct sealout_stream *out = sealout_find(&seal->outs, be32(data + 8));
    uint64_t index;
    if (!out || out->parked || !sealout_index(out, be16(data + 2), &index))
        return DROP_SEAL;

    int n = (int)*bytes;
    if (srtp_protect(seal->outs.groups[out->group].session, data, &n))
        return DROP_SEAL;
    out->used = true;
    if (index >= out->next)
        out->next = index + 1;
    *bytes = (size_t)n;
    return DROP_NONE;
}

enum drop seal_protect_rtcp(struct seal *seal, uint8_t *data, size_t *bytes)
{
    ASSERT(*bytes <= UINT16_MAX);
    if (*bytes < RTCP_HEAD_BYTES)
        return DROP_SEAL;
    struct sealout_stream *out = sealout_find(&seal->outs, be32(data + 4));
    if (!out || out->parked)
        return DROP_SEAL;

    int n = (int)*bytes;
    if (srtp_protect_rtcp(seal->outs.groups[out->group].session, data, &n))
        return DROP_SEAL;
    out->used = true;
    *bytes = (size_t)n;
    return DROP_NONE;
}

/* ---- inbound streams: libsrtp2 makes one for every ssrc that authenticates, so they are counted
 * here. */

/* Place of `ssrc`, or in_n. */
static uint32_t in_find(const struct seal *seal, uint32_t ssrc)
{
    uint32_t at = 0;
    while (at < seal->in_n && seal->ins[at].ssrc != ssrc)
        at++;
    return at;
}

static void in_drop(struct seal *seal, uint32_t at)
{
    srtp_remove_stream(seal->in, htonl(seal->ins[at].ssrc));
    sealcount_add(seal->suite, SEAL_COUNTED_INS, -1);
    uint32_t last = --seal->in_n;
    uint64_t last_parked = seal->in_parked >> last & 1;
    seal->ins[at] = seal->ins[last];
    seal->in_parked &= ~(1ull << at | 1ull << last);
    if (at != last)
        seal->in_parked |= last_parked << at;
}

/* Drops the parked stream that has been silent longest. */
static void in_drop_parked(struct seal *seal)
{
    uint32_t oldest = seal->in_n;
    for (uint32_t i = 0; i < seal->in_n; i++) {
        if (!(seal->in_parked >> i & 1))
            continue;
        if (oldest == seal->in_n ||
            seal->in_clock - seal->ins[i].used > seal->in_clock - seal->ins[oldest].used)
            oldest = i;
    }
    ASSERT(oldest < seal->in_n);
    in_drop(seal, oldest);
}

void seal_remove_in(struct seal *seal, uint32_t ssrc)
{
    uint32_t at = in_find(seal, ssrc);
    if (at == seal->in_n)
        return;
    seal->in_parked |= 1ull << at;
    if (__builtin_popcountll(seal->in_parked) > SEAL_PARKED_MAX)
        in_drop_parked(seal);
}

/* Room for one more, before it is known whether it is authentic: a forger gains nothing by it. */
static bool in_reserve(struct seal *seal)
{
    if (seal->in_n < seal->in_capacity || seal->in_n == SEAL_STREAMS_IN_MAX)
        return true;
    uint32_t capacity = seal->in_capacity ? 2 * seal->in_capacity : IN_CAPACITY_MIN;
    struct seal_in *ins = realloc(seal->ins, capacity * sizeof(*ins));
    if (!ins)
        return false;
    seal->ins = ins;
    seal->in_capacity = capacity;
    return true;
}

/* A packet of `ssrc` was authentic, and libsrtp2 has its stream. */
static void in_accept(struct seal *seal, uint32_t at, uint32_t ssrc)
{
    if (at == seal->in_n) {
        if (seal->in_n == SEAL_STREAMS_IN_MAX)
            in_drop_parked(seal);
        at = seal->in_n++;
        sealcount_add(seal->suite, SEAL_COUNTED_INS, 1);
        seal->ins[at].ssrc = ssrc;
    }
    seal->ins[at].used = ++seal->in_clock;
}

static enum drop in_refuse(srtp_err_status_t status)
{
    if (status == srtp_err_status_auth_fail)
        return DROP_SRTP_AUTH;
    if (status == srtp_err_status_replay_fail || status == srtp_err_status_replay_old)
        return DROP_SRTP_REPLAY;
    return DROP_SRTP_OTHER;
}

static enum drop unprotect(struct seal *seal, uint8_t *data, size_t *bytes, uint32_t ssrc,
                           srtp_err_status_t (*open)(srtp_t, void *, int *))
{
    uint32_t at = in_find(seal, ssrc);
    if (at == SEAL_STREAMS_IN_MAX && !seal->in_parked)
        return DROP_SRTP_STREAMS;
    if (at == seal->in_n && !in_reserve(seal))
        return DROP_SRTP_STREAMS;

    int n = (int)*bytes;
    srtp_err_status_t status = open(seal->in, data, &n);
    if (status)
        return in_refuse(status);
    in_accept(seal, at, ssrc);
    *bytes = (size_t)n;
    return DROP_NONE;
}

/* libsrtp2 counts on a packet to be long enough for its tag. */
enum drop seal_unprotect_rtp(struct seal *seal, uint8_t *data, size_t *bytes)
{
    ASSERT(*bytes <= UINT16_MAX);
    if (*bytes < (size_t)RTP_FIXED_BYTES + sealsuites[seal->suite].rtp_tag_bytes)
        return DROP_SRTP_OTHER;
    return unprotect(seal, data, bytes, be32(data + 8), srtp_unprotect);
}

enum drop seal_unprotect_rtcp(struct seal *seal, uint8_t *data, size_t *bytes)
{
    ASSERT(*bytes <= UINT16_MAX);
    if (*bytes <
        (size_t)RTCP_HEAD_BYTES + SRTCP_INDEX_BYTES + sealsuites[seal->suite].rtcp_tag_bytes)
        return DROP_SRTP_OTHER;
    return unprotect(seal, data, bytes, be32(data + 4), srtp_unprotect_rtcp);
}
