/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/transport_view.c - transport.*: what there is to see of one, and its end. */
#include "ctl/close.h"
#include "ctl/handlers.h"
#include "ctl/show.h"
#include "ctl/tuple.h"
#include "ctl/webrtc.h"

static void on_stats(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    (void)control;
    if (outcome->result != 0) {
        request_fail_errno(errand->request, outcome->result, "no stats of the transport");
        return;
    }
    request_result(errand->request,
                   json_pack("[o]", show_transport(errand->object, &outcome->transport)));
}

void transport_getStats(struct control *control, struct request *request, struct fields *f)
{
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    struct errand *errand = errand_make(COMMAND_STATS, transport->o.index, false, on_stats);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    errand->argument = OBJECT_TRANSPORT;
    errand->object = transport;
    errand->request = request;
    control_errand(control, transport->o.worker, errand);
}

static void put_ssrc(json_t *list, uint32_t ssrc, const char *id)
{
    json_array_append_new(list, json_pack("{s:I, s:s}", "key", (json_int_t)ssrc, "value", id));
}

static void put_text(json_t *list, const json_t *key, const char *id)
{
    if (json_is_string(key))
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "key", json_string_value(key), "value", id));
}

/* By what a packet finds its producer. */
static json_t *listener_json(const struct transport *transport)
{
    json_t *ssrcs = json_array(), *mids = json_array(), *rids = json_array();
    const struct producer *producer = NULL;
    LIST_EACH(producer, &transport->producers, struct producer, link)
    {
        json_t *params = text_json(producer->params), *encoding = NULL;
        size_t i = 0;
        put_text(mids, json_object_get(params, "mid"), producer->o.id);
        json_array_foreach(json_object_get(params, "encodings"), i, encoding)
        {
            const json_t *ssrc = json_object_get(encoding, "ssrc");
            const json_t *rtx = json_object_get(json_object_get(encoding, "rtx"), "ssrc");
            if (ssrc)
                put_ssrc(ssrcs, (uint32_t)json_integer_value(ssrc), producer->o.id);
            if (rtx)
                put_ssrc(ssrcs, (uint32_t)json_integer_value(rtx), producer->o.id);
            put_text(rids, json_object_get(encoding, "rid"), producer->o.id);
        }
        json_decref(params);
    }
    return json_pack("{s:o, s:o, s:o}", "ssrcTable", ssrcs, "midTable", mids, "ridTable", rids);
}

/* {name: id} of the extensions by which packets are told apart and estimated, of all producers
 * together. */
static json_t *extensions_json(const struct transport *transport)
{
    static const struct {
        enum rtp_ext_kind kind;
        const char *name;
    } names[] = {{RTP_EXT_MID, "mid"},
                 {RTP_EXT_RID, "rid"},
                 {RTP_EXT_RRID, "rrid"},
                 {RTP_EXT_ABS_SEND_TIME, "absSendTime"},
                 {RTP_EXT_TWCC, "transportWideCc01"}};

    json_t *out = json_object();
    const struct producer *producer = NULL;
    LIST_EACH(producer, &transport->producers, struct producer, link)
    {
        json_t *params = text_json(producer->params), *extension = NULL;
        size_t i = 0;
        json_array_foreach(json_object_get(params, "headerExtensions"), i, extension)
        {
            const char *uri = json_string_value(json_object_get(extension, "uri"));
            int kind = uri ? rtp_ext_kind_of_uri(uri) : -1;
            for (size_t n = 0; n < ARRAY_N(names); n++) {
                if ((int)names[n].kind == kind)
                    json_object_set(out, names[n].name, json_object_get(extension, "id"));
            }
        }
        json_decref(params);
    }
    return out;
}

static void put_plain(json_t *out, const struct transport *transport)
{
    const struct socket *rtp = transport_rtp(transport);
    json_t *more = json_pack(
        "{s:b, s:b, s:b, s:b, s:I, s:o}", "rtcpMux", (int)transport->mux, "comedia",
        (int)transport->comedia, "connected", (int)transport->connected, "shared", (int)rtp->shared,
        "recvBufferSize", (json_int_t)rtp->receive_bytes, "tuple", tuple_json(transport, false));
    json_object_update(out, more);
    json_decref(more);
    if (!transport->mux)
        json_object_set_new(out, "rtcpTuple", tuple_json(transport, true));
    if (transport->suite != SEAL_NONE)
        json_object_set_new(out, "srtpParameters", tuple_srtp_json(transport));
}

static void put_webrtc(const struct control *control, json_t *out,
                       const struct transport *transport)
{
    const struct webrtc_server *server = transport->webrtc->server;
    json_object_set_new(out, "connected", json_boolean(transport->connected));
    if (server)
        json_object_set_new(out, "webRtcServerId", json_string(server->o.id));
    webrtc_put(control, out, transport);
}

void transport_dump(struct control *control, struct request *request, struct fields *f)
{
    const struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    json_t *producers = json_array(), *consumers = json_array();
    json_t *ssrcs = json_array(), *rtx_ssrcs = json_array();
    const struct producer *producer = NULL;
    const struct consumer *consumer = NULL;
    LIST_EACH(producer, &transport->producers, struct producer, link)
    json_array_append_new(producers, json_string(producer->o.id));
    LIST_EACH(consumer, &transport->consumers, struct consumer, link)
    {
        json_array_append_new(consumers, json_string(consumer->o.id));
        put_ssrc(ssrcs, consumer->ssrc, consumer->o.id);
        if (consumer->rtx_ssrc)
            put_ssrc(rtx_ssrcs, consumer->rtx_ssrc, consumer->o.id);
    }
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:[], s:[], s:[]}", "id",
        transport->o.id, "type", transport->webrtc ? "webrtc" : "plain", "routerId",
        transport->router->o.id, "workerIndex", (int)transport->o.worker, "producerIds", producers,
        "consumerIds", consumers, "mapSsrcConsumerId", ssrcs, "mapRtxSsrcConsumerId", rtx_ssrcs,
        "recvRtpHeaderExtensions", extensions_json(transport), "rtpListener",
        listener_json(transport), "maxSendMessageSize", 0, "maxReceiveMessageSize", 0,
        "dataProducerIds", "dataConsumerIds", "traceEventTypes");
    if (transport->webrtc)
        put_webrtc(control, out, transport);
    else
        put_plain(out, transport);
    handler_put_text(out, "appData", transport->o.app_data);
    request_result(request, out);
}

void transport_enableTraceEvent(struct control *control, struct request *request, struct fields *f)
{
    static const char *const none[] = {NULL};
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    struct fields types;
    if (fields_array(f, "types", FIELD_OPTIONAL, 16, &types) && fields_n(&types) > 0) {
        request_fail(request, RPC_UNSUPPORTED, "types", "an empty list", "event types",
                     "a transport's events (probation, bwe) come with congestion control");
        return;
    }
    handler_trace_events(control, request, f, &transport->o, OBJECT_TRANSPORT, none);
}

void transport_close(struct control *control, struct request *request, struct fields *f)
{
    struct transport *transport = handler_transport(control, request, f);
    if (transport)
        close_transport(control, transport, request, NOTICE_TRANSPORT_CLOSE);
}
