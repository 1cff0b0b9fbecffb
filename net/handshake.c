/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/handshake.c - DTLS sessions fed, in turns. */
#include "net/handshake.h"

#include "net/egress.h"
#include "net/peer.h"
#include "net/transport.h"

#include <stdlib.h>

static_assert((HANDSHAKES_N & (HANDSHAKES_N - 1)) == 0, "places go round");

static void enter(struct worker *w, struct transport *t, enum dtls_state state)
{
    if (t->peer->dtls_state == state)
        return;
    t->peer->dtls_state = state;
    peer_tell(w, t, OWED_DTLS_STATE);
}

/* ---- the session ---- */

static void send_queued(struct worker *w, struct transport *t)
{
    for (;;) {
        uint8_t *buffer = io_egress_take(w->io);
        size_t bytes = dtls_next_out(t->peer->dtls, buffer);
        if (bytes == 0) {
            io_egress_untake(w->io, buffer);
            return;
        }
        egress_datagram(w, t, buffer, bytes);
    }
}

static void set_timer(struct worker *w, struct transport *t)
{
    int64_t due_us = dtls_due_us(t->peer->dtls);
    if (due_us == INT64_MAX)
        timers_cancel(&w->timers, &t->peer->dtls_timer);
    else
        timers_set(&w->timers, &t->peer->dtls_timer, due_us);
}

/* Both sides are proven: SRTP has its keys, and what waited for them begins. */
static bool take_keys(struct worker *w, struct transport *t)
{
    struct srtp_keys keys;
    if (!dtls_take_keys(t->peer->dtls, &keys))
        return false;
    int result = net_transport_set_keys(t, &keys);
    explicit_bzero(&keys, sizeof keys);
    if (result != 0)
        return false;
    t->peer->certificate = dtls_take_certificate(t->peer->dtls);
    net_transport_start_media(w, t);
    return true;
}

/* No media any more, in either direction. */
static void end_media(struct transport *t)
{
    if (t->seal != NULL)
        seal_exit(t->seal);
    t->seal = NULL;
}

/* After every call that may have changed the session. */
static void follow_session(struct worker *w, struct transport *t)
{
    struct peer *peer = t->peer;
    enum dtls_state state = dtls_state_of(peer->dtls);
    send_queued(w, t);
    set_timer(w, t);
    if (state == DTLS_CONNECTED && peer->dtls_state == DTLS_CONNECTING && !take_keys(w, t)) {
        dtls_close(peer->dtls);
        send_queued(w, t);
        set_timer(w, t);
        state = DTLS_FAILED;
    }
    if (peer->dtls_state == DTLS_FAILED)
        return; /* and stays so, whatever the session says */
    if (state == DTLS_FAILED || state == DTLS_CLOSED)
        end_media(t);
    enter(w, t, state);
}

static void count_step(struct worker *w)
{
    w->count.handshake_steps++;
    w->turn_steps++;
    if (w->turn_steps > w->count.handshake_steps_turn_max)
        w->count.handshake_steps_turn_max = w->turn_steps;
}

static bool begin_session(struct worker *w, struct transport *t)
{
    struct peer *peer = t->peer;
    if (dtls_init(&peer->dtls, w->dtls, peer->role, &peer->fingerprint, w->now_us) == 0)
        return true;
    peer->dtls = NULL;
    enter(w, t, DTLS_FAILED);
    return false;
}

static enum drop feed(struct worker *w, struct transport *t, const uint8_t *data, size_t bytes)
{
    if (t->peer->dtls == NULL && !begin_session(w, t))
        return DROP_DTLS_STATE;
    if (dtls_is_expensive(t->peer->dtls))
        count_step(w);
    enum drop why = dtls_feed(t->peer->dtls, data, bytes, w->now_us);
    follow_session(w, t);
    return why;
}

/* ---- the queue ---- */

static bool queue(struct worker *w, struct transport *t, uint16_t slot, uint16_t bytes)
{
    if (w->handshakes_n == HANDSHAKES_N || t->peer->waiting_n == HANDSHAKES_PEER_MAX)
        return false;
    uint32_t at = (w->handshake_at + w->handshakes_n++) % HANDSHAKES_N;
    w->handshakes[at] = (struct handshake){.transport = t->index, .slot = slot, .bytes = bytes};
    t->peer->waiting_n++;
    return true;
}

static void run(struct worker *w, const struct handshake *waiting)
{
    if (waiting->transport == DEMUX_NONE)
        return; /* has closed */
    struct transport *t = &w->transports[waiting->transport];
    t->peer->waiting_n--;
    if (waiting->slot == SLOT_NONE) {
        t->peer->start_waits = false;
        count_step(w); /* a key share */
        if (t->peer->dtls == NULL && begin_session(w, t))
            follow_session(w, t);
        return;
    }
    enum drop why = feed(w, t, slab_packet(&w->slab, waiting->slot), waiting->bytes);
    t->dropped += why != DROP_NONE;
    count_drop(w, why);
    slab_release(&w->slab, waiting->slot);
}

bool handshake_step(struct worker *w)
{
    w->turn_steps = 0;
    while (w->handshakes_n > 0 && w->turn_steps == 0) {
        struct handshake waiting = w->handshakes[w->handshake_at];
        w->handshake_at = (w->handshake_at + 1) % HANDSHAKES_N;
        w->handshakes_n--;
        run(w, &waiting);
    }
    return w->handshakes_n > 0;
}

/* ---- from outside ---- */

void handshake_may_begin(struct worker *w, struct transport *t)
{
    struct peer *peer = t->peer;
    if (peer->role == DTLS_ROLE_AUTO || peer->dtls_state > DTLS_CONNECTING ||
        ice_selected(&peer->ice) == NULL)
        return;
    if (peer->dtls_state == DTLS_NEW) /* as a server, too: who never says hello has failed */
        timers_set(&w->timers, &peer->dtls_timer, w->now_us + DTLS_HANDSHAKE_US);
    enter(w, t, DTLS_CONNECTING);
    /* A full queue: the next check of the peer tries again, for its tuple is selected by then. */
    if (peer->role == DTLS_ROLE_CLIENT && peer->dtls == NULL && !peer->start_waits)
        peer->start_waits = queue(w, t, SLOT_NONE, 0);
}

/* A handshake record in the clear that begins with a ClientHello, or a part of one. RFC 9147 4. */
static bool is_hello(const uint8_t *data, size_t bytes)
{
    return bytes > 13 && data[0] == 22 && be16(data + 3) == 0 && data[13] == 1;
}

enum drop handshake_receive(struct worker *w, struct transport *t, const struct datagram *dg,
                            bool *held)
{
    struct peer *peer = t->peer;
    const uint8_t *data = slab_packet(&w->slab, dg->slot);
    if (peer->dtls_state != DTLS_CONNECTING && peer->dtls_state != DTLS_CONNECTED)
        return DROP_DTLS_STATE;
    if (peer->dtls == NULL && peer->role == DTLS_ROLE_CLIENT)
        return DROP_DTLS_STATE; /* nothing was asked yet */
    if (peer->dtls == NULL && peer->waiting_n == 0 && !is_hello(data, dg->bytes))
        return DROP_DTLS_INVALID; /* is worth no session */
    /* What comes behind datagrams that wait, waits: a flight is fed in the order it came in. */
    if (peer->dtls != NULL && peer->waiting_n == 0 && !dtls_is_expensive(peer->dtls))
        return feed(w, t, data, dg->bytes);
    if (!queue(w, t, dg->slot, dg->bytes))
        return DROP_HANDSHAKES_FULL;
    *held = true;
    return DROP_NONE;
}

void handshake_expire(struct worker *w, struct transport *t)
{
    if (t->peer->dtls == NULL) {
        enter(w, t, DTLS_FAILED);
        return;
    }
    dtls_expire(t->peer->dtls, w->now_us);
    follow_session(w, t);
}

void handshake_close(struct worker *w, struct transport *t)
{
    struct peer *peer = t->peer;
    for (uint32_t i = 0; i < w->handshakes_n && peer->waiting_n > 0; i++) {
        struct handshake *waiting = &w->handshakes[(w->handshake_at + i) % HANDSHAKES_N];
        if (waiting->transport != t->index)
            continue;
        if (waiting->slot != SLOT_NONE)
            slab_release(&w->slab, waiting->slot);
        waiting->transport = DEMUX_NONE;
        peer->waiting_n--;
    }
    timers_cancel(&w->timers, &peer->dtls_timer);
    free(peer->certificate);
    peer->certificate = NULL;
    if (peer->dtls == NULL)
        return;
    dtls_close(peer->dtls);
    send_queued(w, t);
    dtls_exit(peer->dtls);
    peer->dtls = NULL;
}
