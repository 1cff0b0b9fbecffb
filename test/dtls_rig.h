/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/dtls_rig.h - our DTLS server against our DTLS client over a network of memory, in virtual
 * time, with seeded loss, reordering and duplication.
 *
 * Certificates and contexts are made once a program and kept. */
#ifndef SLUICE_TEST_DTLS_RIG_H
#define SLUICE_TEST_DTLS_RIG_H

#include "core/random.h"
#include "net/dtls.h"

enum { DTLS_RIG_SERVER, DTLS_RIG_CLIENT, DTLS_RIG_SIDES };

enum { DTLS_RIG_FLYING_MAX = 512 };

struct dtls_rig_datagram {
    int64_t at_us; /* when it arrives; 0: no datagram */
    int to;
    size_t bytes;
    uint8_t data[DTLS_DATAGRAM_BYTES_MAX];
};

struct dtls_rig {
    struct dtls *sides[DTLS_RIG_SIDES];
    int64_t now_us;
    struct random random;
    uint32_t loss, duplication; /* percent of datagrams, each way */
    int64_t delay_us, jitter_us;
    uint64_t sent_n;
    /* Sees every datagram before it flies; false: it does not. NULL: all fly. */
    bool (*on_send)(struct dtls_rig *rig, int from, uint8_t *data, size_t *bytes);
    void *on_send_arg;
    struct dtls_rig_datagram flying[DTLS_RIG_FLYING_MAX];
};

/* Of a side: another one for each. */
const struct certificate *dtls_rig_certificate(int side);
const struct fingerprint *dtls_rig_fingerprint(int side, enum fingerprint_hash hash);
struct dtls_context *dtls_rig_context(int side, enum dtls_version version_max, uint32_t suites);
void dtls_rig_contexts_exit(void);

/* Without sessions, without loss, 10 ms each way. */
void dtls_rig_init(struct dtls_rig *rig, uint64_t seed);

/* Both sessions, with right fingerprints (SHA-256) and these contexts. */
void dtls_rig_open(struct dtls_rig *rig, struct dtls_context *server, struct dtls_context *client);
void dtls_rig_exit(struct dtls_rig *rig);

/* Puts what both sides have queued on the network. */
void dtls_rig_send(struct dtls_rig *rig);

/* Runs until nothing flies and nothing is due before `until_us`, or that time has come. */
void dtls_rig_run(struct dtls_rig *rig, int64_t until_us);

/* Runs until both are no longer CONNECTING. True if both are CONNECTED. */
bool dtls_rig_connect(struct dtls_rig *rig);

#endif
