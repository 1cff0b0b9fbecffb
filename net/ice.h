/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/ice.h - the ICE-lite agent of one transport: who may send to it, and where its media goes.
 *
 * RFC 8445 with a lite agent's part only: it answers checks and is always controlled. A tuple is
 * valid once a check with the right message integrity came by it, and no sooner. States, tuples and
 * restarts are mediasoup's:
 *
 *        check              nominated
 *   NEW -------> CONNECTED -----------> COMPLETED
 *    |              ^  |                 ^  |
 *    `--------------|--|-- nominated ----'  |
 *        check, or  |  | lost               | lost
 *        nominated  |  v                    |
 *        as in NEW  `- DISCONNECTED <-------'
 *
 *   nominated   a check with USE-CANDIDATE, or with a higher NOMINATION than the last
 *   lost        the selected tuple is gone and no other is left, or no valid check came by any
 *               tuple for the consent timeout: then none is valid any more (RFC 7675)
 *
 * The first valid tuple is selected; afterwards only a nomination moves the selection, or the end
 * of the selected tuple's TCP connection. Of more than ICE_TUPLES_MAX the oldest that is neither
 * new nor selected is forgotten.
 *
 * No I/O, no clock, no allocation: time comes in, what is to be done goes out as struct ice_answer.
 * Memory: under 740 bytes. Threads: the owning worker. The struct holds passwords: ice_exit()
 * wipes them. */
#ifndef NET_ICE_H
#define NET_ICE_H

#include "net/command.h"
#include "net/stunlimit.h"
#include "net/stunwrite.h"

enum {
    ICE_TUPLES_MAX = 8,
    ICE_CONSENT_US_MIN = 10 * 1000000,
    ICE_CONSENT_US_MAX = 60 * 1000000,
    ICE_NONE = UINT8_MAX,
};

struct ice_tuple {
    struct addr remote;
    struct addr local; /* that was hit: replies leave from it */
    uint32_t socket;   /* of the worker's UDP sockets, or of its TCP connections */
    uint32_t gen;      /* of the TCP connection; 0 with UDP */
    bool tcp;
};

struct ice {
    int64_t consent_us;     /* 0: never expires */
    int64_t consent_due_us; /* INT64_MAX: is not running */
    struct stunlimit *limit;
    uint32_t nomination; /* the highest so far */
    enum ice_state state;
    uint8_t tuples_n, selected;              /* index, or ICE_NONE */
    struct ice_tuple tuples[ICE_TUPLES_MAX]; /* oldest first */
    struct ice_credentials credentials;
    struct ice_credentials old; /* before the restart; ufrag_bytes 0: there are none */
};

static_assert(sizeof(struct ice) <= 736, "one per transport");

/* What a call has changed and what the caller must do about it, in this order: forget what is
 * `removed` and `forgotten`, remember `added` (ice_remove() if there is no room for it), tell of
 * state and selection, send the reply. */
struct ice_answer {
    enum drop why;  /* DROP_NONE: a valid check. Otherwise it changed nothing but credentials */
    uint16_t error; /* code of an error reply; 0: the reply is a success response */
    uint16_t reply_bytes;  /* to be sent back by the tuple that the message came from; 0: nothing */
    bool state_changed;    /* see ice->state */
    bool selected_changed; /* see ice_selected(): another tuple, or none */
    bool added;            /* the message's tuple is valid from now on */
    uint8_t removed_n;     /* tuples that are valid no more; a TCP connection is to be closed */
    uint8_t forgotten_bytes; /* an old user name fragment that is not to be found any more; or 0 */
    char forgotten[ICE_UFRAG_BYTES_MAX];
    struct ice_tuple removed[ICE_TUPLES_MAX]; /* valid up to removed_n only */
    uint8_t reply[STUN_REPLY_BYTES_MAX];      /* and this up to reply_bytes */
};

/* `consent_us` 0: never expires; else clamped to 10 to 60 s. `limit` is the worker's and outlives
 * the agent. */
void ice_init(struct ice *ice, const struct ice_credentials *credentials, int64_t consent_us,
              struct stunlimit *limit);
void ice_exit(struct ice *ice);

/* New credentials; the ones of now are good until a check with the new ones has come. Those before
 * them, if they were never used, are forgotten at once. The new fragment is neither of the two
 * (asserted): the control thread makes it. The state stays, nominations count from 0 again, and a
 * consent that is running gets its full time. RFC 8445 9. */
void ice_restart(struct ice *ice, const struct ice_credentials *credentials, int64_t now_us,
                 struct ice_answer *answer);

/* `fragment` is the one of now or the old one. */
bool ice_has_fragment(const struct ice *ice, const uint8_t *fragment, size_t bytes);

/* A STUN message that stun_parse() accepted, that came by `from`. The caller has found the agent by
 * stun_username_local(); a message that names neither of its fragments is dropped unanswered. */
void ice_receive(struct ice *ice, const struct stun_message *message, const uint8_t *data,
                 const struct ice_tuple *from, int64_t now_us, struct ice_answer *answer);

/* The tuple is no more (its TCP connection has closed, or the worker could not take it into its
 * tables). No-op when it is not valid. It is reported as removed, too. */
void ice_remove(struct ice *ice, const struct ice_tuple *tuple, int64_t now_us,
                struct ice_answer *answer);

/* Consent: when ice_expire() is due, INT64_MAX: never. It does nothing before that time; then no
 * tuple is valid any more, and the next valid check begins anew. */
int64_t ice_due_us(const struct ice *ice);
void ice_expire(struct ice *ice, int64_t now_us, struct ice_answer *answer);

/* Media and DTLS are taken from valid tuples only: same socket and addresses, or same TCP
 * connection. */
bool ice_is_valid_tuple(const struct ice *ice, const struct ice_tuple *tuple);

/* Where media goes; NULL in NEW and DISCONNECTED. True until the next call that changes `ice`. */
const struct ice_tuple *ice_selected(const struct ice *ice);

#endif
