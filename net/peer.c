/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/peer.c - a WebRTC transport's ICE agent and its place in the worker. */
#include "net/peer.h"

#include "net/egress.h"
#include "net/event.h"
#include "net/handshake.h"
#include "net/transport.h"

#include <errno.h>
#include <stdlib.h>

/* ---- tables ---- */

/* TCP connections have indices of their own: apart from those of sockets. */
static uint32_t demux_socket(const struct ice_tuple *tuple)
{
    return tuple->tcp ? tuple->socket | UINT32_C(1) << 31 : tuple->socket;
}

static struct tcp_id connection_of(const struct ice_tuple *tuple)
{
    return (struct tcp_id){.gen = tuple->gen, .index = tuple->socket};
}

struct transport *peer_find(const struct worker *w, const struct datagram *dg)
{
    uint32_t index = demux_find(&w->demux, demux_socket(&dg->from), &dg->from.remote);
    return index == DEMUX_NONE ? NULL : &w->transports[index];
}

/* Seeded: fragments are ours, but who asks for one chooses what he asks for. */
static uint64_t fragment_key(const struct worker *w, const void *fragment, size_t bytes)
{
    uint64_t key = w->fragments.seed ^ bytes;
    for (size_t at = 0; at < bytes; at += sizeof key) {
        uint64_t part = 0;
        memcpy(&part, (const uint8_t *)fragment + at, min_size(sizeof part, bytes - at));
        key = mix_u64(key ^ part);
    }
    return key;
}

static int fragment_put(struct worker *w, const struct ice_credentials *credentials, uint32_t index)
{
    return table_put(&w->fragments, fragment_key(w, credentials->ufrag, credentials->ufrag_bytes),
                     index);
}

static void fragment_remove(struct worker *w, const void *fragment, size_t bytes)
{
    if (bytes > 0)
        table_remove(&w->fragments, fragment_key(w, fragment, bytes));
}

/* The transport that a check is for. */
static struct transport *asked(const struct worker *w, const struct stun_message *message,
                               const uint8_t *data)
{
    size_t bytes;
    const uint8_t *fragment = stun_username_local(message, data, &bytes);
    if (fragment == NULL || bytes > ICE_UFRAG_BYTES_MAX)
        return NULL;
    uint32_t index = table_find(&w->fragments, fragment_key(w, fragment, bytes));
    if (index == TABLE_NONE || !ice_has_fragment(&w->peers[index].ice, fragment, bytes))
        return NULL;
    return &w->transports[index];
}

static bool listens_at(const struct peer *peer, uint32_t socket)
{
    for (uint8_t i = 0; i < peer->sockets_n; i++)
        if (peer->sockets[i] == socket)
            return true;
    return false;
}

/* ---- what the agent decides ---- */

/* A tuple of a socket that is bound to a wildcard says where to send from. */
static void set_local(const struct worker *w, struct transport *t, const struct ice_tuple *tuple)
{
    t->has_local = !tuple->tcp && w->sockets[tuple->socket].wildcard && addr_is_set(&tuple->local);
    t->local = tuple->local;
}

/* Media goes to the selected tuple; to nobody while there is none. */
static void follow_selected(struct worker *w, struct transport *t)
{
    const struct ice_tuple *tuple = ice_selected(&t->peer->ice);
    if (tuple == NULL) {
        t->remote = (struct addr){0};
        return;
    }
    t->remote = tuple->remote;
    t->tcp = tuple->tcp;
    t->no_runs = tuple->tcp;
    if (tuple->tcp) {
        t->connection = connection_of(tuple);
    } else {
        t->rtp_socket = t->rtcp_socket = tuple->socket;
    }
    set_local(w, t, tuple);
}

/* The tables do not know to which of our addresses it sent: another tuple may need the entry. */
static bool is_shared(const struct ice *ice, const struct ice_tuple *tuple)
{
    for (uint8_t i = 0; i < ice->tuples_n; i++)
        if (!tuple->tcp && &ice->tuples[i] != tuple && !ice->tuples[i].tcp &&
            ice->tuples[i].socket == tuple->socket &&
            addr_equal(&ice->tuples[i].remote, &tuple->remote))
            return true;
    return false;
}

static void forget_tuple(struct worker *w, const struct transport *t, const struct ice_tuple *tuple)
{
    if (!is_shared(&t->peer->ice, tuple))
        demux_remove(&w->demux, demux_socket(tuple), &tuple->remote);
    if (tuple->tcp)
        tcp_close(w->tcp, connection_of(tuple));
}

static int remember_tuple(struct worker *w, const struct transport *t,
                          const struct ice_tuple *tuple)
{
    int result = demux_put(&w->demux, demux_socket(tuple), &tuple->remote, t->index);
    if (result == 0 && tuple->tcp && !tcp_claim(w->tcp, connection_of(tuple), t->index)) {
        demux_remove(&w->demux, demux_socket(tuple), &tuple->remote);
        result = -ENOTCONN;
    }
    return result;
}

static void set_consent_timer(struct worker *w, struct peer *peer)
{
    int64_t due_us = ice_due_us(&peer->ice);
    if (due_us == INT64_MAX)
        timers_cancel(&w->timers, &peer->consent_timer);
    else
        timers_set(&w->timers, &peer->consent_timer, due_us);
}

/* The worker could not take a new tuple into its tables: it is as if it had gone again. */
static void undo_added(struct worker *w, struct transport *t, const struct ice_tuple *tuple,
                       struct ice_answer *answer)
{
    struct ice_answer undone;
    ice_remove(&t->peer->ice, tuple, w->now_us, &undone);
    answer->state_changed |= undone.state_changed;
    answer->selected_changed |= undone.selected_changed;
    answer->reply_bytes = 0;
    answer->why = DROP_STUN_TUPLE;
}

/* Everything but the reply. `from` is where the answered check came from, or NULL. */
static void carry_out(struct worker *w, struct transport *t, const struct ice_tuple *from,
                      struct ice_answer *answer)
{
    struct peer *peer = t->peer;
    for (uint8_t i = 0; i < answer->removed_n; i++)
        forget_tuple(w, t, &answer->removed[i]);
    fragment_remove(w, answer->forgotten, answer->forgotten_bytes);
    if (from != NULL && answer->added && remember_tuple(w, t, from) != 0)
        undo_added(w, t, from, answer);
    if (answer->selected_changed || answer->state_changed)
        follow_selected(w, t);
    set_consent_timer(w, peer);
    if (answer->state_changed)
        peer_tell(w, t, OWED_ICE_STATE);
    if (ice_selected(&peer->ice) == NULL)
        return;
    handshake_may_begin(w, t); /* also when the queue was full at first */
    if (answer->selected_changed) {
        peer_tell(w, t, OWED_SELECTED);
        net_transport_start_media(w, t);
    }
}

static void reply(struct worker *w, const struct transport *t, const struct datagram *dg,
                  const struct ice_answer *answer)
{
    if (answer->reply_bytes == 0)
        return;
    uint8_t *buffer = io_egress_take(w->io);
    memcpy(buffer, answer->reply, answer->reply_bytes);
    egress_tuple(w, t, &dg->from, buffer, answer->reply_bytes);
}

enum drop peer_check(struct worker *w, const struct datagram *dg)
{
    const uint8_t *data = slab_packet(&w->slab, dg->slot);
    struct stun_message message;
    struct ice_answer answer;
    enum drop why = stun_parse(&message, data, dg->bytes);
    if (why != DROP_NONE)
        return why;
    w->count.checks++;
    struct transport *t = asked(w, &message, data);
    const struct transport *owner = peer_find(w, dg);
    if (t == NULL || !listens_at(t->peer, dg->socket))
        return DROP_STUN_USER;
    if (owner != NULL && owner != t)
        return DROP_STUN_TUPLE;
    t->packets_in++;
    t->bytes_in += dg->bytes;
    ice_receive(&t->peer->ice, &message, data, &dg->from, w->now_us, &answer);
    carry_out(w, t, &dg->from, &answer);
    reply(w, t, dg, &answer);
    return answer.why;
}

void peer_connection_ended(struct worker *w, struct transport *t, struct tcp_id id)
{
    struct ice_answer answer;
    if (t->peer == NULL)
        return;
    const struct ice *ice = &t->peer->ice;
    for (uint8_t i = 0; i < ice->tuples_n; i++) {
        struct ice_tuple tuple = ice->tuples[i];
        if (!tuple.tcp || tuple.socket != id.index || tuple.gen != id.gen)
            continue;
        ice_remove(&t->peer->ice, &tuple, w->now_us, &answer);
        carry_out(w, t, NULL, &answer);
        return;
    }
}

void peer_expire(struct worker *w, struct transport *t)
{
    struct ice_answer answer;
    ice_expire(&t->peer->ice, w->now_us, &answer);
    carry_out(w, t, NULL, &answer);
}

/* ---- life ---- */

static bool may_use(const struct worker *w, uint32_t index)
{
    if (index >= w->config.sockets_max || !w->sockets[index].open)
        return false;
    return w->sockets[index].shared || w->sockets[index].transport == DEMUX_NONE;
}

static void use_sockets(struct worker *w, const struct transport *t)
{
    for (uint8_t i = 0; i < t->peer->sockets_n; i++) {
        struct socket_state *socket = &w->sockets[t->peer->sockets[i]];
        socket->ice = true;
        socket->ice_n++;
        if (!socket->shared)
            socket->transport = t->index;
    }
}

static void leave_sockets(struct worker *w, const struct transport *t)
{
    for (uint8_t i = 0; i < t->peer->sockets_n; i++) {
        struct socket_state *socket = &w->sockets[t->peer->sockets[i]];
        socket->ice = --socket->ice_n > 0;
        if (!socket->shared)
            socket->transport = DEMUX_NONE;
    }
}

int peer_open(struct worker *w, struct transport *t, const struct command_webrtc_open *open)
{
    if (w->dtls == NULL)
        return -EOPNOTSUPP;
    if (open->sockets_n == 0 || open->sockets_n > TRANSPORT_SOCKETS_MAX)
        return -EINVAL;
    for (uint8_t i = 0; i < open->sockets_n; i++)
        if (!may_use(w, open->sockets[i]))
            return -EINVAL;
    int result = fragment_put(w, &open->credentials, t->index);
    if (result != 0)
        return result;
    struct peer *peer = &w->peers[t->index];
    array_enter(&w->peer_array, t->index);
    *peer = (struct peer){
        .sockets_n = open->sockets_n,
        .consent_timer = {.kind = TIMER_CONSENT, .owner = t->index},
        .dtls_timer = {.kind = TIMER_DTLS, .owner = t->index},
    };
    memcpy(peer->sockets, open->sockets, sizeof peer->sockets);
    ice_init(&peer->ice, &open->credentials, open->consent_us, &w->stunlimit);
    t->peer = peer;
    use_sockets(w, t);
    return 0;
}

int peer_connect(struct worker *w, struct transport *t,
                 const struct command_webrtc_connect *connect)
{
    struct peer *peer = t->peer;
    if (peer->role != DTLS_ROLE_AUTO || connect->role == DTLS_ROLE_AUTO ||
        connect->fingerprint.hash == FINGERPRINT_NONE)
        return -EINVAL;
    peer->role = connect->role;
    peer->fingerprint = connect->fingerprint;
    handshake_may_begin(w, t);
    return 0;
}

int peer_restart(struct worker *w, struct transport *t, const struct ice_credentials *credentials)
{
    struct ice_answer answer;
    int result = fragment_put(w, credentials, t->index);
    if (result != 0)
        return result;
    ice_restart(&t->peer->ice, credentials, w->now_us, &answer);
    carry_out(w, t, NULL, &answer);
    return 0;
}

static void owe_nothing(struct worker *w, const struct transport *t)
{
    for (uint32_t i = 0; i < w->owing_n && t->peer->owed != 0; i++) {
        if (w->owing[i] != t->index)
            continue;
        w->owing[i] = w->owing[--w->owing_n];
        return;
    }
}

void peer_close(struct worker *w, struct transport *t)
{
    struct peer *peer = t->peer;
    handshake_close(w, t); /* while there is an address to say it to */
    while (peer->ice.tuples_n > 0) {
        struct ice_tuple tuple = peer->ice.tuples[--peer->ice.tuples_n];
        forget_tuple(w, t, &tuple);
    }
    fragment_remove(w, peer->ice.credentials.ufrag, peer->ice.credentials.ufrag_bytes);
    fragment_remove(w, peer->ice.old.ufrag, peer->ice.old.ufrag_bytes);
    leave_sockets(w, t);
    owe_nothing(w, t);
    timers_cancel(&w->timers, &peer->consent_timer);
    ice_exit(&peer->ice);
    t->peer = NULL;
    array_leave(&w->peer_array, t->index);
}

/* ---- events ---- */

/* False: no room for it. */
static bool tell_one(struct worker *w, struct transport *t, enum peer_owed what)
{
    switch (what) {
    case OWED_ICE_STATE:
        return event_ice_state(w, t);
    case OWED_SELECTED:
        return ice_selected(&t->peer->ice) == NULL || event_ice_selected(w, t);
    case OWED_DTLS_STATE:
        return event_dtls_state(w, t);
    }
    return true;
}

void peer_tell(struct worker *w, struct transport *t, enum peer_owed what)
{
    struct peer *peer = t->peer;
    if (w->owing_n == 0 && tell_one(w, t, what))
        return;
    if (peer->owed == 0)
        w->owing[w->owing_n++] = t->index; /* once each, so it has room */
    peer->owed |= (uint8_t)what;
}

/* The states of now: what was in between is not told. */
static bool tell_all(struct worker *w, struct transport *t)
{
    static const enum peer_owed order[] = {OWED_ICE_STATE, OWED_SELECTED, OWED_DTLS_STATE};
    struct peer *peer = t->peer;
    for (size_t i = 0; i < ARRAY_N(order); i++) {
        if (!(peer->owed & order[i]))
            continue;
        if (!tell_one(w, t, order[i]))
            return false;
        peer->owed &= (uint8_t)~order[i];
    }
    return true;
}

void peer_tell_owed(struct worker *w)
{
    uint32_t told = 0;
    while (told < w->owing_n && tell_all(w, &w->transports[w->owing[told]]))
        told++;
    if (told == 0)
        return;
    w->owing_n -= told;
    memmove(w->owing, w->owing + told, w->owing_n * sizeof *w->owing);
}
