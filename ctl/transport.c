/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/transport.c - what transports of every kind share: how one comes into the model, connect by
 * kind, limits of bitrate. */
#include "ctl/transport.h"

#include "ctl/close.h"
#include "ctl/handlers.h"

#include "core/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BITRATE_OUTGOING_MIN = 30000 }; /* mediasoup's: nothing useful fits into less */

void transport_cname(char text[CNAME_BYTES_MAX])
{
    snprintf(text, CNAME_BYTES_MAX, "%08x", random_u32());
}

struct transport *transport_make(struct control *control, struct request *request,
                                 struct router *router, const struct transport_plan *plan)
{
    struct model *model = &control->model;
    uint16_t worker = plan->worker;
    uint32_t index = INDEX_NONE;
    struct transport *transport = (struct transport *)model_add(model, NOUN_TRANSPORT, plan->id,
                                                                worker, request_owner(request));
    if (!transport) {
        request_fail_memory(request);
        return NULL;
    }
    list_init(&transport->producers);
    list_init(&transport->consumers);
    list_append(&router->transports, &transport->link);
    router->transports_n++;
    transport->router = router;
    index = indices_take(&model->places[worker].of[OBJECT_TRANSPORT], transport);
    if (index == INDEX_NONE) {
        model_remove(model, &transport->o);
        model_free(model, &transport->o);
        request_fail(request, RPC_FULL, NULL, NULL, NULL, "worker %u has no room for a transport",
                     worker);
        return NULL;
    }
    transport->o.index = index;
    transport->o.app_data = texts_keep(&model->texts, plan->app_data);
    memcpy(transport->sockets, plan->sockets, sizeof(transport->sockets));
    transport->sockets_n = plan->sockets_n;
    transport->webrtc = plan->webrtc;
    transport->mux = true;
    return transport;
}

bool transport_sockets(struct control *control, struct request *request,
                       struct transport_plan *plan, struct berth berths[], size_t n)
{
    ASSERT(n <= TRANSPORT_SOCKETS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct socket *socket = socket_get(control, request, &berths[i]);
        if (!socket)
            return false;
        plan->sockets[plan->sockets_n++] = socket;
    }
    return true;
}

void transport_unplan(struct control *control, struct transport_plan *plan)
{
    while (plan->sockets_n > 0)
        socket_put(control, plan->sockets[--plan->sockets_n]);
    free(plan->webrtc);
    plan->webrtc = NULL;
}

void transport_opened(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    struct transport *transport = errand->object;
    int error = outcome->result;
    if (error == 0) {
        transport->o.opened = true;
        request_result(errand->request, errand->result);
        return;
    }
    /* A transport that lacks its socket is refused for that: the socket's error says more. */
    for (size_t i = transport->sockets_n; i > 0; i--) {
        if (transport->sockets[i - 1]->failed)
            error = transport->sockets[i - 1]->failed;
    }
    json_decref(errand->result);
    request_fail_errno(errand->request, error, "the worker could not open the transport");
    if (!transport->o.closing)
        close_transport(control, transport, NULL, NOTICE_N);
}

void transport_connect(struct control *control, struct request *request, struct fields *f)
{
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    if (transport->connected)
        request_fail(request, RPC_STATE, NULL, NULL, NULL, "transport %s is connected already",
                     transport->o.id);
    else if (transport->webrtc)
        webrtc_connect(control, request, transport, f);
    else
        plain_connect(control, request, transport, f);
}

/* ---- limits of bitrate ---- */

static void on_limited(struct control *control, struct errand *errand,
                       const struct outcome *outcome)
{
    (void)control;
    if (outcome->result == 0)
        request_result(errand->request, NULL);
    else
        request_fail_errno(errand->request, outcome->result, "the worker refused the bitrate");
}

/* What is not UINT32_MAX has been found right. The model has it at once: the next request is judged
 * by it. */
static void limits_post(struct control *control, struct request *request,
                        struct transport *transport, const struct command_transport_bitrate *limits)
{
    struct errand *errand =
        errand_make(COMMAND_TRANSPORT_BITRATE, transport->o.index, true, on_limited);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    if (limits->incoming_max != UINT32_MAX)
        transport->incoming_max = limits->incoming_max;
    if (limits->outgoing_max != UINT32_MAX)
        transport->outgoing_max = limits->outgoing_max;
    if (limits->outgoing_min != UINT32_MAX)
        transport->outgoing_min = limits->outgoing_min;
    errand->command->transport_bitrate = *limits;
    errand->object = transport;
    errand->request = request;
    control_errand(control, transport->o.worker, errand);
}

/* UINT32_MAX is no rate: it says "as it is" to the worker. */
static bool bitrate_read(struct fields *f, uint32_t *bitrate)
{
    int64_t value = 0;
    fields_int(f, "bitrate", FIELD_REQUIRED, 0, UINT32_MAX - 1, &value);
    *bitrate = (uint32_t)value;
    return fields_ok(f);
}

void transport_setMaxIncomingBitrate(struct control *control, struct request *request,
                                     struct fields *f)
{
    struct command_transport_bitrate limits = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    bitrate_read(f, &limits.incoming_max);
    if (handler_ok(request))
        limits_post(control, request, transport, &limits);
}

static void outgoing_judge(struct fields *f, uint32_t bitrate)
{
    if (fields_ok(f) && bitrate > 0 && bitrate < BITRATE_OUTGOING_MIN)
        fields_fail(f, "bitrate", "0 for no limit, or at least 30000");
}

void transport_setMaxOutgoingBitrate(struct control *control, struct request *request,
                                     struct fields *f)
{
    struct command_transport_bitrate limits = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    if (bitrate_read(f, &limits.outgoing_max))
        outgoing_judge(f, limits.outgoing_max);
    if (fields_ok(f) && limits.outgoing_max > 0 && limits.outgoing_max < transport->outgoing_min) {
        char expected[FIELD_TEXT_BYTES];
        snprintf(expected, sizeof(expected), "0, or at least the minimum of now, %u",
                 transport->outgoing_min);
        fields_fail(f, "bitrate", expected);
    }
    if (handler_ok(request))
        limits_post(control, request, transport, &limits);
}

void transport_setMinOutgoingBitrate(struct control *control, struct request *request,
                                     struct fields *f)
{
    struct command_transport_bitrate limits = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    if (bitrate_read(f, &limits.outgoing_min))
        outgoing_judge(f, limits.outgoing_min);
    if (fields_ok(f) && transport->outgoing_max > 0 &&
        limits.outgoing_min > transport->outgoing_max) {
        char expected[FIELD_TEXT_BYTES];
        snprintf(expected, sizeof(expected), "0, or at most the maximum of now, %u",
                 transport->outgoing_max);
        fields_fail(f, "bitrate", expected);
    }
    if (handler_ok(request))
        limits_post(control, request, transport, &limits);
}
