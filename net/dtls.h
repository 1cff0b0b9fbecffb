/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/dtls.h - DTLS 1.2 and 1.3 of one transport, for its SRTP keys. RFC 6347, 9147, 5764, 8827.
 *
 * A session is fed datagrams and the time, and queues datagrams to be sent: no socket, no clock.
 *
 *   dtls_init --> CONNECTING --both sides proven--> CONNECTED --close_notify--> CLOSED
 *                     |                                 |------dtls_close()-----^
 *                     |--alert, refusal, 30 s--> FAILED <--fatal alert--'
 *
 * Order of use: dtls_library_init() once, one dtls_context per worker, one session per transport,
 * begun when the peer's fingerprint is known. A peer that begins earlier is not kept: its datagrams
 * are dropped and it sends them again. After every dtls_feed(), dtls_expire() and dtls_close(), and
 * after dtls_init() as a client, dtls_next_out() gives what is to be sent.
 *
 * The peer is who has a certificate with the given fingerprint and its key; nothing else of the
 * certificate counts. Of the SRTP profiles that both sides have, GCM-128 is taken first, then
 * GCM-256, CM_SHA1_80, CM_SHA1_32; without one in common the session fails. Once CONNECTED, only
 * authenticated records change anything: plaintext and forged ones are dropped. While CONNECTING, a
 * forged but well-formed plaintext message from the peer's address can make the handshake fail, as
 * with any DTLS (ICE keeps strangers away from it).
 *
 * Cost: public-key work is done by dtls_init() as a client (a key share, under 0.1 ms) and by
 * dtls_feed() where dtls_is_expensive() says so: one flight, 0.1 to 0.3 ms. All other calls are
 * cheap. A worker does one expensive call a turn.
 *
 * Memory: a handshake takes about 16 KiB for a moment. A CONNECTED session keeps 4.8 KB (1.3)
 * or 4.3 KB (1.2), because the peer's close_notify must be read. After the handshake only records
 * that pass to the library (data channels, alerts) allocate. Threads: the library's start-up on one
 * thread; a context and its sessions belong to one worker, any number of workers at once.
 * dtls_heap() from any thread. */
#ifndef NET_DTLS_H
#define NET_DTLS_H

#include "core/drop.h"
#include "net/certificate.h"

enum {
    DTLS_MTU = 1200,                 /* of what we send, IP and UDP not counted */
    DTLS_DATAGRAM_BYTES_MAX = 1500,  /* room that dtls_next_out() needs */
    DTLS_OUT_BYTES_MAX = 16384,      /* queued; beyond, datagrams are lost as on a network */
    DTLS_RESEND_US = 100000,         /* first retransmission, then twice as long every time, */
    DTLS_RESEND_US_MAX = 4000000,    /* up to this */
    DTLS_HANDSHAKE_US = 30000000,    /* no longer */
    DTLS_LAST_FLIGHT_US = 50000,     /* at most one repetition of the last flight in this time, */
    DTLS_LAST_FLIGHT_N = 100,        /* and so many in all */
    DTLS_LAST_FLIGHT_BYTES_MAX = 800 /* ours is at most two short datagrams */
};

enum dtls_version { DTLS_VERSION_NONE, DTLS_VERSION_1_2, DTLS_VERSION_1_3 };

struct dtls_context; /* opaque */
struct dtls;         /* opaque */

struct dtls_config {               /* zeroed: everything */
    enum dtls_version version_max; /* 1.2 is always taken */
    uint32_t suites;               /* bits 1 << enum seal_suite */
};

struct dtls_stats {
    uint64_t datagrams_in, datagrams_out, bytes_in, bytes_out;
    uint64_t resends;                  /* our timer's */
    uint64_t data_records, data_bytes; /* application data: counted, not used yet */
    uint64_t out_lost;                 /* did not fit the queue */
};

/* What the library holds of the heap, for all of its users (rtp/seal's ciphers, too) since
 * dtls_library_init(). */
struct dtls_heap {
    int64_t bytes, blocks;
};

/* Starts wolfSSL with counting heap hooks; before seal_library_init(), contexts and certificates.
 * Calls are counted, the last exit ends it. 0 or -EIO. */
int dtls_library_init(void);
void dtls_library_exit(void);
struct dtls_heap dtls_heap(void);

/* Copies the certificate and its key. 0, -ENOMEM, -EINVAL (the library refuses the certificate). */
int dtls_context_init(struct dtls_context **out, const struct certificate *certificate,
                      const struct dtls_config *config);

/* After all of its sessions. NULL is fine. */
void dtls_context_exit(struct dtls_context *context);

/* A session in CONNECTING, as DTLS_ROLE_SERVER or DTLS_ROLE_CLIENT; a client's first flight is
 * queued. 0, -ENOMEM, -EIO (the library refuses). */
int dtls_init(struct dtls **out, struct dtls_context *context, enum dtls_role role,
              const struct fingerprint *peer, int64_t now_us);

/* Frees and wipes. NULL is fine. */
void dtls_exit(struct dtls *dtls);

/* Whether dtls_feed() of a datagram may do public-key work: before CONNECTED, whatever it begins
 * with (the flight's records may follow an alert or a ChangeCipherSpec); not afterwards, when a
 * flight comes again. */
bool dtls_is_expensive(const struct dtls *dtls);

/* A datagram whose first byte is DTLS's (RFC 7983), not changed, not kept. DROP_NONE also for one
 * that proved useless only later; DROP_DTLS_INVALID: no records, or none that may come now;
 * DROP_DTLS_STATE: FAILED or CLOSED; DROP_DTLS_FULL: ClientHello too long, or no memory
 * for it. dtls_state_of() tells what came of it. */
enum drop dtls_feed(struct dtls *dtls, const uint8_t *data, size_t bytes, int64_t now_us);

/* When dtls_expire() is due, INT64_MAX for never. Changes with every call of the others. */
int64_t dtls_due_us(const struct dtls *dtls);

/* Sends again, gives up a half ClientHello, or the handshake. Too early is fine. */
void dtls_expire(struct dtls *dtls, int64_t now_us);

/* Takes the next datagram to be sent: its length, at most DTLS_DATAGRAM_BYTES_MAX; 0 for none. */
size_t dtls_next_out(struct dtls *dtls, uint8_t out[DTLS_DATAGRAM_BYTES_MAX]);

enum dtls_state dtls_state_of(const struct dtls *dtls);
enum dtls_role dtls_role_of(const struct dtls *dtls);
enum dtls_version dtls_version_of(const struct dtls *dtls); /* NONE before CONNECTED */
struct dtls_stats dtls_stats_of(const struct dtls *dtls);

/* Once, when CONNECTED: the keys, in and out by our role (RFC 5764 4.2), wiped here. False before
 * and afterwards. */
bool dtls_take_keys(struct dtls *dtls, struct srtp_keys *out);

/* Once, when CONNECTED: the peer's certificate as PEM text, malloc'ed, the caller's to free. NULL
 * before and afterwards, or without memory. */
char *dtls_take_certificate(struct dtls *dtls);

/* Queues a close_notify if CONNECTED, and ends in CLOSED (from CONNECTING without a word). FAILED
 * stays. */
void dtls_close(struct dtls *dtls);

#endif
