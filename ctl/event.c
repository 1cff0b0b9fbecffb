/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/event.c - what workers say by themselves: addresses learnt, scores, trace events, deaths. */
#include "core/clock.h"
#include "ctl/close.h"
#include "ctl/handlers.h"
#include "ctl/notify.h"
#include "ctl/placement.h"
#include "ctl/show.h"
#include "ctl/tuple.h"
#include "ctl/webrtc.h"

#include <stdlib.h>

/* The live object that an event is about; NULL when its close is under way. */
static void *object_of(const struct control *control, uint16_t worker,
                       const struct outcome *outcome)
{
    if (outcome->object >= OBJECT_KIND_N)
        return NULL;
    return indices_at(&control->model.places[worker].of[outcome->object], outcome->index);
}

static void on_tuple(struct control *control, struct transport *transport,
                     const struct outcome *outcome)
{
    bool rtcp = outcome->event == EVENT_RTCP_TUPLE;
    enum notice notice = rtcp ? NOTICE_TRANSPORT_RTCPTUPLE : NOTICE_TRANSPORT_TUPLE;
    if (rtcp)
        transport->rtcp_remote = outcome->tuple;
    else
        transport->remote = outcome->tuple;
    if (notify_wanted(control, notice, &transport->o))
        notify(control, notice, &transport->o,
               json_pack("{s:o}", rtcp ? "rtcpTuple" : "tuple", tuple_json(transport, rtcp)));
}

static void on_consumer_score(struct control *control, struct consumer *consumer,
                              const struct event_score *score)
{
    consumer->score = score->score[0];
    if (notify_wanted(control, NOTICE_CONSUMER_SCORE, &consumer->o))
        notify(control, NOTICE_CONSUMER_SCORE, &consumer->o,
               json_pack("{s:o}", "score", show_score(consumer)));
}

static void on_producer_score(struct control *control, struct producer *producer,
                              const struct event_score *score)
{
    size_t n = score->encodings_n;
    if (n > producer->encodings_n)
        n = producer->encodings_n;
    memcpy(producer->score, score->score, n);
    if (!notify_wanted(control, NOTICE_PRODUCER_SCORE, &producer->o))
        return;
    json_t *list = json_array();
    json_t *params = text_json(producer->params);
    for (size_t i = 0; i < n; i++) {
        json_t *entry = json_pack("{s:i, s:I, s:i}", "encodingIdx", (int)i, "ssrc",
                                  (json_int_t)score->ssrc[i], "score", (int)score->score[i]);
        json_t *rid =
            json_object_get(json_array_get(json_object_get(params, "encodings"), i), "rid");
        if (rid)
            json_object_set(entry, "rid", rid);
        json_array_append_new(list, entry);
    }
    json_decref(params);
    notify(control, NOTICE_PRODUCER_SCORE, &producer->o, json_pack("{s:o}", "score", list));
}

static json_t *trace_info(const struct event_trace *trace)
{
    if (trace->bit == TRACE_BIT_NACK)
        return json_pack("{s:I, s:I}", "ssrc", (json_int_t)trace->ssrc, "packets",
                         (json_int_t)trace->bytes);
    if (trace->bit != TRACE_BIT_RTP && trace->bit != TRACE_BIT_KEYFRAME)
        return json_pack("{s:I}", "ssrc", (json_int_t)trace->ssrc);
    json_t *packet =
        json_pack("{s:i, s:i, s:I, s:b, s:I, s:b, s:I}", "payloadType", (int)trace->payload_type,
                  "sequenceNumber", (int)trace->seq, "timestamp", (json_int_t)trace->rtp_ts,
                  "marker", (int)trace->marker, "ssrc", (json_int_t)trace->ssrc, "isKeyFrame",
                  (int)trace->keyframe, "size", (json_int_t)trace->bytes);
    return json_pack("{s:o, s:b}", "rtpPacket", packet, "isRtx", (int)trace->rtx);
}

static void on_trace(struct control *control, struct object *object,
                     const struct event_trace *trace)
{
    enum notice notice =
        object->noun == NOUN_PRODUCER ? NOTICE_PRODUCER_TRACE : NOTICE_CONSUMER_TRACE;
    int bit = __builtin_ffs((int)trace->bit) - 1;
    if (bit < 0 || bit > 5 || !notify_wanted(control, notice, object))
        return;
    json_t *what = json_pack("{s:s, s:I, s:s, s:o}", "type", trace_type_names[bit], "timestamp",
                             (json_int_t)((trace->at_us + clock_wall_us() - clock_now_us()) / 1000),
                             "direction", trace->out ? "out" : "in", "info", trace_info(trace));
    notify(control, notice, object, json_pack("{s:o}", "trace", what));
}

static bool transport_listens_on(const struct transport *transport, const struct socket *socket)
{
    bool does = false;
    for (size_t i = 0; i < transport->sockets_n; i++)
        does |= transport->sockets[i] == socket;
    return does;
}

/* Everybody who uses the socket is told; it is for them to close and make anew. */
static void on_socket_dead(struct control *control, const struct socket *socket)
{
    struct router *router = NULL;
    struct transport *transport = NULL;
    char where[ADDR_TEXT_BYTES];
    log_warn("transport", "the socket %s on worker %u receives no more",
             addr_format(&socket->local, where), socket->worker);
    LIST_EACH(router, &control->model.routers, struct router, link)
    {
        LIST_EACH(transport, &router->transports, struct transport, link)
        {
            if (transport_listens_on(transport, socket))
                notify(control, NOTICE_TRANSPORT_SOCKETDEAD, &transport->o, NULL);
        }
    }
    if (socket->server && !socket->server->o.closing)
        notify(control, NOTICE_WEBRTCSERVER_SOCKETDEAD, &socket->server->o, NULL);
}

/* The room goes on without the worker, unless it was made for it. */
static void router_leave_worker(struct control *control, struct router *router, uint16_t worker)
{
    struct transport *transport = NULL;
    if (router->pinned && router->o.worker == worker) {
        close_router(control, router, NULL, NOTICE_ROUTER_WORKERCLOSE);
        return;
    }
    LIST_EACH(transport, &router->transports, struct transport, link)
    {
        if (transport->o.worker == worker)
            close_transport(control, transport, NULL, NOTICE_TRANSPORT_WORKERCLOSE);
    }
    if (router->o.worker == worker)
        model_move_router(&control->model, router, placement_home(control));
}

void control_worker_died(struct control *control, uint16_t worker)
{
    struct router *router = NULL;
    bool lives = false;
    if (control->desks[worker].dead)
        return;
    control->desks[worker].dead = true;
    control->model.places[worker].dead = true;
    log_error("worker", "worker %u has stopped: its engine failed; its transports are closed",
              worker);
    LIST_EACH(router, &control->model.routers, struct router, link)
    router_leave_worker(control, router, worker);
    struct webrtc_server *server = NULL;
    LIST_EACH(server, &control->model.servers, struct webrtc_server, link)
    close_server_on(control, server, worker);
    for (uint32_t i = 0; i < control->config.workers_n; i++)
        lives |= !control->desks[i].dead;
    if (!lives) {
        log_error("worker", "no worker is left");
        control->failed = control->stopping = true;
    }
}

/* What ICE and DTLS say. */
static void on_webrtc(struct control *control, struct transport *transport,
                      const struct outcome *outcome)
{
    if (outcome->event == EVENT_ICE_STATE)
        webrtc_on_ice_state(control, transport, outcome->ice_state);
    else if (outcome->event == EVENT_ICE_SELECTED)
        webrtc_on_selected(control, transport, &outcome->selected);
    else
        webrtc_on_dtls_state(control, transport, outcome->dtls_state, outcome->payload);
}

void control_event_drop(const struct outcome *outcome)
{
    if (outcome->event == EVENT_DTLS_STATE)
        free(outcome->payload);
}

void control_event(struct control *control, uint16_t worker, const struct outcome *outcome)
{
    if (outcome->event == EVENT_ENGINE_DEAD) {
        control_worker_died(control, worker);
        return;
    }
    void *object = object_of(control, worker, outcome);
    struct transport *transport = outcome->object == OBJECT_TRANSPORT ? object : NULL;
    if (!object) {
        control_event_drop(outcome);
        return;
    }
    switch (outcome->event) {
    case EVENT_TUPLE:
    case EVENT_RTCP_TUPLE:
        if (transport && !transport->webrtc)
            on_tuple(control, transport, outcome);
        return;
    case EVENT_ICE_STATE:
    case EVENT_ICE_SELECTED:
    case EVENT_DTLS_STATE:
        if (transport && transport->webrtc)
            on_webrtc(control, transport, outcome);
        else
            control_event_drop(outcome);
        return;
    case EVENT_SCORE:
        if (outcome->object == OBJECT_CONSUMER)
            on_consumer_score(control, object, &outcome->score);
        else if (outcome->object == OBJECT_PRODUCER)
            on_producer_score(control, object, &outcome->score);
        return;
    case EVENT_TRACE:
        if (outcome->object == OBJECT_CONSUMER || outcome->object == OBJECT_PRODUCER)
            on_trace(control, object, &outcome->trace);
        return;
    case EVENT_SOCKET_DEAD:
        if (outcome->object == OBJECT_SOCKET)
            on_socket_dead(control, object);
        return;
    case EVENT_ENGINE_DEAD:
    case EVENT_NONE:
        return;
    }
}
