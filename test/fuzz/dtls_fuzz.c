/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/dtls_fuzz.c - any datagrams to DTLS sessions in every state.
 *
 * Input: | version, role, state 1 | then pieces of | length 2 | how much later 1 | datagram |. The
 * state is how long a real handshake went on before, in network delays; then nothing of the real
 * peer arrives any more. Held: nobody without the keys ends a CONNECTED session, and nobody gets
 * CONNECTED by them. */
#include "test/dtls_rig.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct dtls_rig rig;

/* Runs the handshake for so many delays of the network. */
static void play(uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++)
        dtls_rig_run(&rig, rig.now_us + 10000);
}

static void feed(struct dtls *dtls, const uint8_t *data, size_t n)
{
    enum dtls_state before = dtls_state_of(dtls);
    uint8_t *exact = malloc(n ? n : 1);
    ASSERT(exact);
    memcpy(exact, data, n);
    dtls_feed(dtls, exact, n, rig.now_us);
    free(exact);
    if (before == DTLS_CONNECTED)
        ASSERT(dtls_state_of(dtls) == DTLS_CONNECTED);
    else
        ASSERT(dtls_state_of(dtls) != DTLS_CONNECTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t out[DTLS_DATAGRAM_BYTES_MAX];
    if (bytes == 0)
        return 0;
    enum dtls_version version = data[0] & 1 ? DTLS_VERSION_1_2 : DTLS_VERSION_1_3;
    int side = data[0] >> 1 & 1;
    dtls_rig_init(&rig, 1);
    dtls_rig_open(&rig, dtls_rig_context(DTLS_RIG_SERVER, version, 0),
                  dtls_rig_context(DTLS_RIG_CLIENT, version, 0));
    play(data[0] >> 2 & 7);
    data++;
    bytes--;
    /* From here on nothing real arrives: what has been sent is lost. */
    for (int i = 0; i < DTLS_RIG_FLYING_MAX; i++)
        rig.flying[i].at_us = 0;
    struct dtls *dtls = rig.sides[side];
    while (bytes >= 3) {
        size_t n = min_size(be16(data), min_size(bytes - 3, 2048));
        rig.now_us += (int64_t)data[2] * data[2] * 100;
        feed(dtls, data + 3, n);
        dtls_expire(dtls, rig.now_us);
        while (dtls_next_out(dtls, out) > 0)
            continue;
        data += 3 + n;
        bytes -= 3 + n;
    }
    dtls_rig_exit(&rig);
    return 0;
}
