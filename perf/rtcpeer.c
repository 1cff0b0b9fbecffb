/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/rtcpeer.c - checks, handshake and keys of a client. */
#include "perf/rtcpeer.h"

#include "net/demux.h"
#include "rtp/packet.h"

#include <stdlib.h>

/* Priority of a host candidate, as browsers send it for a peer-reflexive one. RFC 8445 5.1.2.1. */
enum { PRIORITY = 110 << 24 | 0xffff << 8 | 255 };

/* ---- checks ---- */

static struct stun_key key_of(const struct ice_credentials *theirs)
{
    return (struct stun_key){.at = theirs->pwd, .bytes = theirs->pwd_bytes};
}

static size_t write_check(struct rtcpeer *peer, uint8_t *out, size_t room, bool nominates,
                          const uint8_t *transaction)
{
    const struct ice_credentials *theirs = &peer->config.theirs;
    char username[ICE_UFRAG_BYTES_MAX + 1 + RTCPEER_UFRAG_BYTES];
    size_t bytes = theirs->ufrag_bytes;
    memcpy(username, theirs->ufrag, bytes);
    username[bytes++] = ':';
    memcpy(username + bytes, peer->ufrag, RTCPEER_UFRAG_BYTES);
    struct stun_request request = {
        .transaction = transaction,
        .username = username,
        .username_bytes = bytes + RTCPEER_UFRAG_BYTES,
        .key = key_of(theirs),
        .priority = PRIORITY,
        .tie_breaker = peer->tie_breaker,
        .use_candidate = nominates,
    };
    return stun_write_request(out, room, &request);
}

static void new_transaction(struct rtcpeer *peer, uint8_t transaction[STUN_TRANSACTION_BYTES])
{
    put_be64(transaction, random_next(&peer->random));
    put_be32(transaction + 8, (uint32_t)random_next(&peer->random));
}

size_t rtcpeer_write_check(struct rtcpeer *peer, uint8_t *out, size_t room, bool nominates)
{
    uint8_t transaction[STUN_TRANSACTION_BYTES];
    new_transaction(peer, transaction);
    return write_check(peer, out, room, nominates, transaction);
}

void rtcpeer_check(struct rtcpeer *peer)
{
    peer->check_owed = true;
    peer->retry_us = RTCPEER_RETRY_US;
}

void rtcpeer_restart(struct rtcpeer *peer, const struct ice_credentials *theirs)
{
    peer->config.theirs = *theirs;
    rtcpeer_check(peer);
}

/* ---- the handshake ---- */

static void begin_dtls(struct rtcpeer *peer, int64_t now_us)
{
    const struct rtcpeer_config *config = &peer->config;
    peer->checked_us = now_us;
    peer->state = RTCPEER_HANDSHAKING;
    if (dtls_init(&peer->dtls, config->dtls, config->role, &config->relay, now_us) != 0)
        peer->state = RTCPEER_FAILED;
}

static bool take_keys(struct rtcpeer *peer)
{
    struct srtp_keys keys;
    if (!dtls_take_keys(peer->dtls, &keys))
        return false;
    peer->suite = keys.suite;
    int result = seal_init(&peer->seal, keys.suite, keys.in, keys.out);
    if (peer->config.keys != NULL)
        *peer->config.keys = keys;
    explicit_bzero(&keys, sizeof keys);
    return result == 0;
}

static void follow_dtls(struct rtcpeer *peer, int64_t now_us)
{
    enum dtls_state state = dtls_state_of(peer->dtls);
    if (state == DTLS_CONNECTED && peer->state == RTCPEER_HANDSHAKING) {
        peer->state = take_keys(peer) ? RTCPEER_CONNECTED : RTCPEER_FAILED;
        peer->connected_us = now_us;
        peer->version = dtls_version_of(peer->dtls);
        peer->certificate = dtls_take_certificate(peer->dtls);
    }
    if (state == DTLS_FAILED)
        peer->state = RTCPEER_FAILED;
    if (state == DTLS_CLOSED)
        peer->state = RTCPEER_CLOSED;
}

/* ---- what comes ---- */

/* RFC 8445 7.2.5: the answer to the newest check, by who knows the password. */
static bool on_stun(struct rtcpeer *peer, const uint8_t *data, size_t bytes, int64_t now_us)
{
    struct stun_message message;
    if (stun_parse(&message, data, bytes) != DROP_NONE)
        return false;
    if (message.class == STUN_ERROR) {
        peer->errors_n++;
        peer->error = message.error;
    }
    if (message.class != STUN_SUCCESS || !stun_is_transaction(data, peer->transaction) ||
        !stun_is_authentic(&message, data, key_of(&peer->config.theirs)))
        return message.class == STUN_ERROR;
    stun_mapped(&message, data, &peer->mapped);
    peer->answers_n++;
    /* 0.8 to 1.2 of the mean, so that a thousand peers do not ask together. */
    peer->check_us = now_us + RTCPEER_CONSENT_US * 4 / 5 +
                     random_below(&peer->random, RTCPEER_CONSENT_US * 2 / 5);
    peer->retry_us = RTCPEER_RETRY_US;
    if (peer->state == RTCPEER_CHECKING)
        begin_dtls(peer, now_us);
    return true;
}

static enum rtcpeer_fed on_media(struct rtcpeer *peer, uint8_t *data, size_t *bytes)
{
    if (peer->seal == NULL)
        return RTCPEER_REFUSED;
    bool rtcp = rtp_packet_is_rtcp(data, *bytes);
    enum drop why = rtcp ? seal_unprotect_rtcp(peer->seal, data, bytes)
                         : seal_unprotect_rtp(peer->seal, data, bytes);
    if (why != DROP_NONE)
        return RTCPEER_REFUSED;
    return rtcp ? RTCPEER_RTCP : RTCPEER_RTP;
}

enum rtcpeer_fed rtcpeer_feed(struct rtcpeer *peer, uint8_t *data, size_t *bytes, int64_t now_us)
{
    enum rtcpeer_fed fed = RTCPEER_REFUSED;
    if (*bytes == 0)
        return fed;
    switch (datagram_class_of(data[0])) {
    case DATAGRAM_STUN:
        fed = on_stun(peer, data, *bytes, now_us) ? RTCPEER_DONE : RTCPEER_REFUSED;
        break;
    case DATAGRAM_DTLS:
        if (peer->dtls != NULL && dtls_feed(peer->dtls, data, *bytes, now_us) == DROP_NONE)
            fed = RTCPEER_DONE;
        if (peer->dtls != NULL)
            follow_dtls(peer, now_us);
        break;
    case DATAGRAM_MEDIA:
        fed = on_media(peer, data, bytes);
        break;
    case DATAGRAM_UNKNOWN:
        break;
    }
    peer->refused_n += fed == RTCPEER_REFUSED;
    return fed;
}

/* ---- what goes ---- */

size_t rtcpeer_next_out(struct rtcpeer *peer, uint8_t out[RTCPEER_OUT_BYTES])
{
    static_assert((int)RTCPEER_OUT_BYTES >= (int)DTLS_DATAGRAM_BYTES_MAX, "both kinds fit");
    if (peer->check_owed) {
        peer->check_owed = false;
        peer->checks_n++;
        new_transaction(peer, peer->transaction);
        return write_check(peer, out, RTCPEER_OUT_BYTES, !peer->config.nominates_not,
                           peer->transaction);
    }
    return peer->dtls == NULL ? 0 : dtls_next_out(peer->dtls, out);
}

int64_t rtcpeer_due_us(const struct rtcpeer *peer)
{
    return min_i64(peer->check_us, peer->dtls == NULL ? INT64_MAX : dtls_due_us(peer->dtls));
}

void rtcpeer_expire(struct rtcpeer *peer, int64_t now_us)
{
    if (peer->dtls != NULL && now_us >= dtls_due_us(peer->dtls)) {
        dtls_expire(peer->dtls, now_us);
        follow_dtls(peer, now_us);
    }
    if (now_us < peer->check_us)
        return;
    peer->check_owed = true;
    peer->check_us = now_us + peer->retry_us;
    peer->retry_us = min_i64(2 * peer->retry_us, RTCPEER_RETRY_US_MAX);
}

int rtcpeer_add_stream(struct rtcpeer *peer, uint32_t ssrc)
{
    ASSERT(peer->seal != NULL);
    return seal_add_out(peer->seal, ssrc);
}

bool rtcpeer_seal(struct rtcpeer *peer, uint8_t *data, size_t *bytes)
{
    if (peer->seal == NULL)
        return false;
    return (rtp_packet_is_rtcp(data, *bytes)
                ? seal_protect_rtcp(peer->seal, data, bytes)
                : seal_protect_rtp(peer->seal, data, bytes)) == DROP_NONE;
}

/* ---- life ---- */

void rtcpeer_init(struct rtcpeer *peer, const struct rtcpeer_config *config, int64_t now_us)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    *peer = (struct rtcpeer){
        .config = *config,
        .state = RTCPEER_CHECKING,
        .random.state = config->seed,
        .check_us = now_us,
        .retry_us = RTCPEER_RETRY_US,
        .began_us = now_us,
    };
    peer->tie_breaker = random_next(&peer->random);
    for (size_t i = 0; i < RTCPEER_UFRAG_BYTES; i++)
        peer->ufrag[i] = letters[random_below(&peer->random, sizeof letters - 1)];
}

void rtcpeer_close(struct rtcpeer *peer)
{
    if (peer->dtls != NULL)
        dtls_close(peer->dtls);
    peer->state = RTCPEER_CLOSED;
    peer->check_us = INT64_MAX;
    peer->check_owed = false;
}

void rtcpeer_exit(struct rtcpeer *peer)
{
    dtls_exit(peer->dtls);
    seal_exit(peer->seal);
    free(peer->certificate);
    explicit_bzero(peer, sizeof *peer);
}
