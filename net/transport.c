/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/transport.c - sockets and transports of a worker. */
#include "net/transport.h"

#include "net/event.h"
#include "net/peer.h"
#include "net/recovery.h"
#include "net/reporting.h"

#include <errno.h>
#include <unistd.h>

/* ---- sockets ---- */

int net_socket_open(struct worker *w, uint32_t index, const struct command_socket_open *open)
{
    bool tcp = open->kind == SOCKET_TCP;
    int place = -EINVAL; /* in the engine, or among the listeners */
    if (index < w->config.sockets_max && !w->sockets[index].open)
        place =
            tcp ? tcp_listen(w->tcp, open->fd, (uint16_t)index) : io_open_socket(w->io, open->fd);
    if (place < 0) {
        close(open->fd);
        return place;
    }
    w->sockets[index] = (struct socket_state){
        .open = true,
        .shared = open->shared,
        .wildcard = addr_is_wildcard(&open->local),
        .kind = open->kind,
        .io = tcp ? 0 : (uint16_t)place,
        .listener = tcp ? (uint32_t)place : 0,
        .transport = DEMUX_NONE,
        .local = open->local,
    };
    if (!tcp)
        w->socket_of_io[place] = index;
    w->count.sockets++;
    return 0;
}

int net_socket_close(struct worker *w, uint32_t index)
{
    if (index >= w->config.sockets_max || !w->sockets[index].open)
        return -ENOENT;
    struct socket_state *socket = &w->sockets[index];
    if (socket->kind == SOCKET_TCP) {
        tcp_unlisten(w->tcp, socket->listener);
    } else {
        io_close_socket(w->io, socket->io);
        w->socket_of_io[socket->io] = DEMUX_NONE;
    }
    socket->open = false;
    w->count.sockets--;
    return 0;
}

/* ---- transports ---- */

struct transport *net_transport_at(struct worker *w, uint32_t index)
{
    if (index >= w->config.transports_max || !w->transports[index].open)
        return NULL;
    return &w->transports[index];
}

/* May a transport use it for media as it comes (not by ICE)? */
static bool socket_is_free(const struct worker *w, uint32_t index)
{
    return index < w->config.sockets_max && w->sockets[index].open &&
           w->sockets[index].kind == SOCKET_UDP && !w->sockets[index].ice &&
           (w->sockets[index].shared || w->sockets[index].transport == DEMUX_NONE);
}

static void transport_init(struct worker *w, struct transport *t, uint32_t index,
                           const struct command_transport_open *open)
{
    array_enter(&w->transport_array, index);
    *t = (struct transport){
        .open = true,
        .comedia = open->comedia,
        .srtp_wanted = open->srtp_wanted,
        .index = index,
        .tag = w->transports_opened++ << TAG_INDEX_BITS | index,
        .rtp_socket = open->rtp_socket,
        .rtcp_socket = open->rtcp_socket,
        .ssrc = (uint32_t)random_next(&w->random) | 1,
        .report_timer = {.kind = TIMER_REPORT, .owner = index},
        .twcc_timer = {.kind = TIMER_TWCC, .owner = index},
    };
    memcpy(t->cname, open->cname, sizeof t->cname);
}

static int plain_open(struct worker *w, uint32_t index, const struct command_transport_open *open)
{
    if (!socket_is_free(w, open->rtp_socket) || !socket_is_free(w, open->rtcp_socket))
        return -EINVAL;
    transport_init(w, &w->transports[index], index, open);
    if (!w->sockets[open->rtp_socket].shared)
        w->sockets[open->rtp_socket].transport = index;
    if (!w->sockets[open->rtcp_socket].shared)
        w->sockets[open->rtcp_socket].transport = index;
    return 0;
}

static int webrtc_open(struct worker *w, uint32_t index, const struct command_transport_open *open)
{
    struct transport *t = &w->transports[index];
    transport_init(w, t, index, open);
    t->srtp_wanted = true;
    t->rtp_socket = t->rtcp_socket = open->webrtc.sockets[0]; /* until a tuple is selected */
    int result = peer_open(w, t, &open->webrtc);
    if (result == 0)
        return 0;
    t->open = false;
    array_leave(&w->transport_array, index);
    return result;
}

int net_transport_open(struct worker *w, uint32_t index, const struct command_transport_open *open)
{
    if (index >= w->config.transports_max || w->transports[index].open)
        return -EINVAL;
    int result =
        open->kind == TRANSPORT_WEBRTC ? webrtc_open(w, index, open) : plain_open(w, index, open);
    if (result != 0)
        return result;
    struct transport *t = &w->transports[index];
    timers_set(&w->timers, &t->report_timer, report_next_us(w->now_us, &w->random));
    w->count.transports++;
    return 0;
}

/* Takes `remote` as the peer's address on one of the transport's sockets. */
static int set_remote(struct worker *w, struct transport *t, bool rtcp, const struct addr *remote)
{
    uint32_t socket = rtcp ? t->rtcp_socket : t->rtp_socket;
    struct addr *known = rtcp ? &t->rtcp_remote : &t->remote;
    if (addr_is_set(known) && addr_equal(known, remote))
        return 0;
    if (w->sockets[socket].shared) {
        int result = demux_put(&w->demux, socket, remote, t->index);
        if (result != 0)
            return result;
        if (addr_is_set(known))
            demux_remove(&w->demux, socket, known);
    }
    *known = *remote;
    if (!rtcp)
        t->no_runs = false;
    return 0;
}

/* What waited for the connection starts now: video with a key frame, for those who receive here,
 * and of those who send here and could not be asked before. */
void net_transport_start_media(struct worker *w, struct transport *t)
{
    if (!transport_is_ready(t))
        return;
    for (struct consumer *c = t->consumers; c != NULL; c = c->transport_next)
        if (!c->paused)
            recovery_keyframe(w, c->stream, false);
    for (struct producer *p = t->producers; p != NULL; p = p->transport_next)
        for (uint8_t i = 0; i < p->encodings_n; i++)
            if (p->streams[i]->keyframe_owed)
                recovery_keyframe(w, p->streams[i], true);
}

bool net_transport_learn(struct worker *w, struct transport *t, bool rtcp,
                         const struct addr *remote, const struct addr *local)
{
    uint32_t socket = rtcp ? t->rtcp_socket : t->rtp_socket;
    if (set_remote(w, t, rtcp, remote) != 0)
        return false;
    if (w->sockets[socket].wildcard)
        net_transport_local(t, rtcp, local);
    event_tuple(w, t, rtcp);
    net_transport_start_media(w, t);
    return true;
}

void net_transport_local(struct transport *t, bool rtcp, const struct addr *local)
{
    struct addr *known = rtcp ? &t->rtcp_local : &t->local;
    if (!addr_is_set(local) || addr_equal(known, local))
        return;
    *known = *local;
    *(rtcp ? &t->has_rtcp_local : &t->has_local) = true;
}

/* Keys for the first time, or anew: every stream that is sent gets its place, so that no turn
 * allocates. */
int net_transport_set_keys(struct transport *t, const struct srtp_keys *keys)
{
    struct seal *seal;
    int result = seal_init(&seal, keys->suite, keys->in, keys->out);
    if (result != 0)
        return result;
    if (t->speaks)
        result = seal_add_out(seal, t->ssrc);
    for (struct consumer *c = t->consumers; c != NULL && result == 0; c = c->transport_next) {
        result = seal_add_out(seal, c->rewrite.ssrc);
        if (result == 0 && c->rewrite.rtx_ssrc != 0)
            result = seal_add_out(seal, c->rewrite.rtx_ssrc);
    }
    if (result != 0) {
        seal_exit(seal);
        return result;
    }
    if (t->seal != NULL)
        seal_exit(t->seal);
    t->seal = seal;
    return 0;
}

int net_transport_speak(struct transport *t)
{
    int result = t->speaks || t->seal == NULL ? 0 : seal_add_out(t->seal, t->ssrc);
    t->speaks |= result == 0;
    return result;
}

/* Back to what it was before set_remote(). */
static void undo_remote(struct worker *w, struct transport *t, bool rtcp, const struct addr *before)
{
    uint32_t socket = rtcp ? t->rtcp_socket : t->rtp_socket;
    struct addr *known = rtcp ? &t->rtcp_remote : &t->remote;
    if (addr_is_set(before)) {
        (void)set_remote(w, t, rtcp, before); /* it had this place a moment ago */
        return;
    }
    if (w->sockets[socket].shared && addr_is_set(known))
        demux_remove(&w->demux, socket, known);
    *known = (struct addr){0};
}

/* All of it or nothing: addresses first, which others may have; keys last, because a seal that has
 * sent is never made again from the same key. */
int net_transport_connect(struct worker *w, struct transport *t,
                          const struct command_transport_connect *connect)
{
    if (t->peer != NULL)
        return peer_connect(w, t, &connect->webrtc);
    bool mux = t->rtcp_socket == t->rtp_socket;
    struct addr remote = t->remote, rtcp_remote = t->rtcp_remote;
    int result = 0;
    if (addr_is_set(&connect->remote))
        result = set_remote(w, t, false, &connect->remote);
    if (result != 0)
        return result;
    if (!mux && addr_is_set(&connect->rtcp_remote))
        result = set_remote(w, t, true, &connect->rtcp_remote);
    if (result == 0 && t->srtp_wanted && connect->keys.suite != SEAL_NONE)
        result = net_transport_set_keys(t, &connect->keys);
    if (result == 0) {
        net_transport_start_media(w, t);
        return 0;
    }
    undo_remote(w, t, false, &remote);
    if (!mux)
        undo_remote(w, t, true, &rtcp_remote);
    return result;
}

int net_transport_set_bitrate(struct transport *t, const struct command_transport_bitrate *bitrate)
{
    if (bitrate->incoming_max != UINT32_MAX) {
        t->remb_left = t->bitrate.incoming_max != 0 && bitrate->incoming_max == 0 ? REMB_END_N : 0;
        t->bitrate.incoming_max = bitrate->incoming_max;
    }
    if (bitrate->outgoing_max != UINT32_MAX)
        t->bitrate.outgoing_max = bitrate->outgoing_max;
    if (bitrate->outgoing_min != UINT32_MAX)
        t->bitrate.outgoing_min = bitrate->outgoing_min;
    return 0;
}

static void plain_close(struct worker *w, struct transport *t)
{
    bool mux = t->rtcp_socket == t->rtp_socket;
    if (w->sockets[t->rtp_socket].shared && addr_is_set(&t->remote))
        demux_remove(&w->demux, t->rtp_socket, &t->remote);
    if (!mux && w->sockets[t->rtcp_socket].shared && addr_is_set(&t->rtcp_remote))
        demux_remove(&w->demux, t->rtcp_socket, &t->rtcp_remote);
    if (!w->sockets[t->rtp_socket].shared)
        w->sockets[t->rtp_socket].transport = DEMUX_NONE;
    if (!w->sockets[t->rtcp_socket].shared)
        w->sockets[t->rtcp_socket].transport = DEMUX_NONE;
}

int net_transport_close(struct worker *w, struct transport *t)
{
    if (t->producers != NULL || t->consumers != NULL)
        return -EBUSY;
    reporting_send_byes(w, t);
    if (t->peer != NULL)
        peer_close(w, t);
    else
        plain_close(w, t);
    timers_cancel(&w->timers, &t->report_timer);
    timers_cancel(&w->timers, &t->twcc_timer);
    if (t->seal != NULL)
        seal_exit(t->seal);
    t->seal = NULL;
    t->open = false;
    array_leave(&w->transport_array, t->index);
    w->count.transports--;
    return 0;
}
