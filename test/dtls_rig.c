/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/dtls_rig.c - a DTLS server and a client over a network of memory, in virtual time. */
#include "test/dtls_rig.h"

#include <stdlib.h>

enum { CONTEXTS_MAX = 32 };

static struct certificate certificates[DTLS_RIG_SIDES];

static struct {
    int side;
    enum dtls_version version_max;
    uint32_t suites;
    struct dtls_context *context;
} contexts[CONTEXTS_MAX];

static int contexts_n;

const struct certificate *dtls_rig_certificate(int side)
{
    if (certificates[side].der_bytes == 0) {
        ASSERT(dtls_library_init() == 0);
        ASSERT(certificate_make(&certificates[side]) == 0);
    }
    return &certificates[side];
}

const struct fingerprint *dtls_rig_fingerprint(int side, enum fingerprint_hash hash)
{
    return &dtls_rig_certificate(side)->fingerprints[hash];
}

struct dtls_context *dtls_rig_context(int side, enum dtls_version version_max, uint32_t suites)
{
    for (int i = 0; i < contexts_n; i++)
        if (contexts[i].side == side && contexts[i].version_max == version_max &&
            contexts[i].suites == suites)
            return contexts[i].context;
    ASSERT(contexts_n < CONTEXTS_MAX);
    struct dtls_config config = {.version_max = version_max, .suites = suites};
    struct dtls_context *context;
    ASSERT(dtls_context_init(&context, dtls_rig_certificate(side), &config) == 0);
    contexts[contexts_n].side = side;
    contexts[contexts_n].version_max = version_max;
    contexts[contexts_n].suites = suites;
    contexts[contexts_n++].context = context;
    return context;
}

void dtls_rig_contexts_exit(void)
{
    while (contexts_n > 0)
        dtls_context_exit(contexts[--contexts_n].context);
    for (int side = 0; side < DTLS_RIG_SIDES; side++) {
        if (certificates[side].der_bytes > 0)
            dtls_library_exit();
        certificate_exit(&certificates[side]);
    }
}

void dtls_rig_init(struct dtls_rig *rig, uint64_t seed)
{
    memset(rig, 0, sizeof(*rig));
    rig->random.state = seed;
    rig->now_us = 1000000;
    rig->delay_us = 10000;
}

void dtls_rig_open(struct dtls_rig *rig, struct dtls_context *server, struct dtls_context *client)
{
    ASSERT(dtls_init(&rig->sides[DTLS_RIG_SERVER], server, DTLS_ROLE_SERVER,
                     dtls_rig_fingerprint(DTLS_RIG_CLIENT, FINGERPRINT_SHA256), rig->now_us) == 0);
    ASSERT(dtls_init(&rig->sides[DTLS_RIG_CLIENT], client, DTLS_ROLE_CLIENT,
                     dtls_rig_fingerprint(DTLS_RIG_SERVER, FINGERPRINT_SHA256), rig->now_us) == 0);
}

void dtls_rig_exit(struct dtls_rig *rig)
{
    for (int side = 0; side < DTLS_RIG_SIDES; side++) {
        dtls_exit(rig->sides[side]);
        rig->sides[side] = NULL;
    }
}

static void fly(struct dtls_rig *rig, int to, const uint8_t *data, size_t bytes)
{
    if (random_below(&rig->random, 100) < rig->loss)
        return;
    int64_t jitter_us =
        rig->jitter_us ? (int64_t)random_below(&rig->random, (uint32_t)rig->jitter_us) : 0;
    for (int i = 0; i < DTLS_RIG_FLYING_MAX; i++) {
        struct dtls_rig_datagram *slot = &rig->flying[i];
        if (slot->at_us)
            continue;
        slot->at_us = rig->now_us + rig->delay_us + jitter_us;
        slot->to = to;
        slot->bytes = bytes;
        memcpy(slot->data, data, bytes);
        return;
    }
}

void dtls_rig_send(struct dtls_rig *rig)
{
    uint8_t data[DTLS_DATAGRAM_BYTES_MAX];
    size_t bytes;
    for (int from = 0; from < DTLS_RIG_SIDES; from++)
        while (rig->sides[from] && (bytes = dtls_next_out(rig->sides[from], data)) > 0) {
            rig->sent_n++;
            if (rig->on_send && !rig->on_send(rig, from, data, &bytes))
                continue;
            fly(rig, !from, data, bytes);
            if (random_below(&rig->random, 100) < rig->duplication)
                fly(rig, !from, data, bytes);
        }
}

/* The first to arrive, the lowest index of those at one time; NULL if nothing flies. */
static struct dtls_rig_datagram *next_flying(struct dtls_rig *rig)
{
    struct dtls_rig_datagram *first = NULL;
    for (int i = 0; i < DTLS_RIG_FLYING_MAX; i++)
        if (rig->flying[i].at_us && (!first || rig->flying[i].at_us < first->at_us))
            first = &rig->flying[i];
    return first;
}

/* One arrival, or whatever is due. False: nothing before `until_us`. */
static bool step(struct dtls_rig *rig, int64_t until_us)
{
    dtls_rig_send(rig);
    struct dtls_rig_datagram *datagram = next_flying(rig);
    int64_t due_us = INT64_MAX;
    for (int side = 0; side < DTLS_RIG_SIDES; side++)
        if (rig->sides[side])
            due_us = min_i64(due_us, dtls_due_us(rig->sides[side]));
    int64_t next_us = min_i64(due_us, datagram ? datagram->at_us : INT64_MAX);
    if (next_us > until_us) {
        rig->now_us = max_i64(rig->now_us, until_us);
        return false;
    }
    rig->now_us = max_i64(rig->now_us, next_us);
    if (datagram && datagram->at_us <= due_us) {
        uint8_t *exact = malloc(datagram->bytes); /* so that the sanitizer sees its end */
        ASSERT(exact);
        memcpy(exact, datagram->data, datagram->bytes);
        datagram->at_us = 0;
        if (rig->sides[datagram->to])
            dtls_feed(rig->sides[datagram->to], exact, datagram->bytes, rig->now_us);
        free(exact);
        return true;
    }
    for (int side = 0; side < DTLS_RIG_SIDES; side++)
        if (rig->sides[side])
            dtls_expire(rig->sides[side], rig->now_us);
    return true;
}

void dtls_rig_run(struct dtls_rig *rig, int64_t until_us)
{
    while (step(rig, until_us))
        continue;
}

bool dtls_rig_connect(struct dtls_rig *rig)
{
    int64_t until_us = rig->now_us + 2 * (int64_t)DTLS_HANDSHAKE_US;
    bool connected = false;
    for (bool more = true; more;) {
        bool connecting = false;
        connected = true;
        for (int side = 0; side < DTLS_RIG_SIDES; side++) {
            enum dtls_state state = dtls_state_of(rig->sides[side]);
            connecting |= state == DTLS_CONNECTING;
            connected &= state == DTLS_CONNECTED;
        }
        more = connecting && step(rig, until_us);
    }
    dtls_rig_send(rig);
    return connected;
}
