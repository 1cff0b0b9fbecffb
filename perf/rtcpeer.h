/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/rtcpeer.h - a WebRTC client without a browser: an ICE controlling agent with one remote
 * candidate, a DTLS session and SRTP, for tests and for the perf harness.
 *
 *   CHECKING --check answered--> HANDSHAKING --both proven--> CONNECTED --close_notify--> CLOSED
 *                                     `--refused, 30 s--> FAILED
 *
 * A state machine without I/O or clock: it is fed datagrams and the time, and gives datagrams. What
 * it is fed may come by UDP or be an RFC 4571 frame (perf/rtcsocket.h). Order of use:
 * rtcpeer_init() and then, after every call of rtcpeer_feed(), rtcpeer_expire() and
 * rtcpeer_close(), all of rtcpeer_next_out() is sent. It stands for a peer that does what the RFCs
 * ask (RFC 8445, 7675, 5764); what a wrong one does, its user writes.
 *
 * Memory: a DTLS session and a seal on the heap. Threads: whoever's, one at a time, the one of its
 * DTLS context. */
#ifndef PERF_RTCPEER_H
#define PERF_RTCPEER_H

#include "core/random.h"
#include "net/dtls.h"
#include "net/stunwrite.h"
#include "rtp/seal.h"

enum {
    RTCPEER_OUT_BYTES = 1500,       /* room that rtcpeer_next_out() needs */
    RTCPEER_RETRY_US = 50000,       /* first repetition of a check, then twice as long every time */
    RTCPEER_RETRY_US_MAX = 1600000, /* up to this: RFC 8445 14.3, quicker */
    RTCPEER_CONSENT_US = 5000000,   /* mean time between checks once answered, RFC 7675 5.1 */
    RTCPEER_UFRAG_BYTES = 4,
};

enum rtcpeer_state {
    RTCPEER_CHECKING,
    RTCPEER_HANDSHAKING,
    RTCPEER_CONNECTED,
    RTCPEER_FAILED,
    RTCPEER_CLOSED
};

struct rtcpeer_config {
    struct dtls_context *dtls;     /* outlives the peer */
    enum dtls_role role;           /* its own: CLIENT for a relay that waits */
    struct fingerprint relay;      /* whose certificate must have it */
    struct ice_credentials theirs; /* the relay's */
    uint64_t seed;                 /* of transactions and times */
    bool nominates_not;            /* checks are without USE-CANDIDATE */
    struct srtp_keys *keys; /* where its keys go as well, for another who seals; NULL: nowhere */
};

struct rtcpeer {
    struct rtcpeer_config config;
    enum rtcpeer_state state;
    struct random random;
    uint64_t tie_breaker;
    char ufrag[RTCPEER_UFRAG_BYTES];
    uint8_t transaction[STUN_TRANSACTION_BYTES]; /* of the newest check */
    bool check_owed;                             /* is to be sent now */
    int64_t check_us, retry_us; /* when the next is due; how long after it another */
    struct dtls *dtls;          /* from the first answer on */
    struct seal *seal;          /* CONNECTED */
    char *certificate;          /* the relay's, PEM */
    enum dtls_version version;
    enum seal_suite suite;
    struct addr mapped; /* how the relay sees it */
    int64_t began_us, checked_us, connected_us;
    uint32_t checks_n, answers_n; /* sent, valid success responses */
    uint32_t errors_n;            /* error responses, the last one's code: */
    uint16_t error;
    uint64_t refused_n; /* datagrams that were of no use */
};

/* The first check is due at once. */
void rtcpeer_init(struct rtcpeer *peer, const struct rtcpeer_config *config, int64_t now_us);
void rtcpeer_exit(struct rtcpeer *peer); /* says nothing, wipes */

enum rtcpeer_fed { RTCPEER_DONE, RTCPEER_RTP, RTCPEER_RTCP, RTCPEER_REFUSED };

/* `data` on a 32-bit boundary. RTP and RTCP are decrypted in place and `bytes` updated; all else is
 * used up. REFUSED: it did not open, or is nothing that may come. */
enum rtcpeer_fed rtcpeer_feed(struct rtcpeer *peer, uint8_t *data, size_t *bytes, int64_t now_us);

/* Takes the next datagram to be sent, 0 for none. */
size_t rtcpeer_next_out(struct rtcpeer *peer, uint8_t out[RTCPEER_OUT_BYTES]);

int64_t rtcpeer_due_us(const struct rtcpeer *peer);
void rtcpeer_expire(struct rtcpeer *peer, int64_t now_us);

/* A check now, whatever the timer: to come back after silence, or by another way. */
void rtcpeer_check(struct rtcpeer *peer);

/* Writes a check of its own beside the agent's: for another socket. Its bytes, 0: no room. */
size_t rtcpeer_write_check(struct rtcpeer *peer, uint8_t *out, size_t room, bool nominates);

/* The relay has new credentials (RFC 8445 9): checks use them from now on. */
void rtcpeer_restart(struct rtcpeer *peer, const struct ice_credentials *theirs);

/* Before what it sends from an ssrc is sealed. 0 or -errno. CONNECTED. */
int rtcpeer_add_stream(struct rtcpeer *peer, uint32_t ssrc);

/* In place, `data` on a 32-bit boundary with SEAL_OVERHEAD_* and SEAL_SLACK_BYTES behind. False: it
 * cannot be sealed. */
bool rtcpeer_seal(struct rtcpeer *peer, uint8_t *data, size_t *bytes);

/* close_notify, where there is a session; CLOSED. */
void rtcpeer_close(struct rtcpeer *peer);

#endif
