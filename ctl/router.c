/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/router.c - router.*: rooms, and what may be sent in them. */
#include "ctl/close.h"
#include "ctl/handlers.h"
#include "ctl/placement.h"

/* What create has read. */
struct plan {
    const char *id;
    const json_t *app_data;
    uint16_t worker;
    bool tied, pinned;
};

static void router_make(struct control *control, struct request *request, const struct plan *plan,
                        json_t *capabilities)
{
    struct model *model = &control->model;
    const struct text *text = texts_keep(&model->texts, capabilities);
    struct router *router = NULL;
    if (text)
        router = (struct router *)model_add(model, NOUN_ROUTER, plan->id, plan->worker,
                                            request_owner(request));
    if (!router) {
        texts_drop(&model->texts, text);
        json_decref(capabilities);
        request_fail_memory(request);
        return;
    }
    list_init(&router->transports);
    list_append(&model->routers, &router->link);
    router->capabilities = text;
    router->tied = plan->tied;
    router->pinned = plan->pinned;
    router->o.opened = true;
    router->o.app_data = texts_keep(&model->texts, plan->app_data);
    log_debug("router", "%s created on worker %u", router->o.id, plan->worker);
    request_result(request, json_pack("{s:s, s:i, s:o}", "id", router->o.id, "workerIndex",
                                      (int)plan->worker, "rtpCapabilities", capabilities));
}

void router_create(struct control *control, struct request *request, struct fields *f)
{
    struct plan plan = {0};
    int64_t worker = placement_read(control, f);
    fields_bool(f, "tied", FIELD_OPTIONAL, &plan.tied);
    plan.app_data = handler_app_data(f);
    if (!handler_new_id(control, request, f, NOUN_ROUTER, &plan.id))
        return;
    if (control->draining) {
        request_fail(request, RPC_DRAINING, NULL, NULL, NULL, "the relay is draining");
        return;
    }
    plan.pinned = worker >= 0;
    plan.worker = plan.pinned ? (uint16_t)worker : placement_home(control);
    if (control->model.counts[NOUN_ROUTER] >= CONTROL_ROUTERS_MAX) {
        request_fail(request, RPC_FULL, NULL, NULL, NULL, "%d routers are open",
                     CONTROL_ROUTERS_MAX);
        return;
    }
    if (control->model.places[plan.worker].dead) {
        placement_fail_dead(request, plan.worker);
        return;
    }
    json_t *capabilities = ortc_router_capabilities(fields_peek(f, "mediaCodecs"), &request->err);
    if (capabilities)
        router_make(control, request, &plan, capabilities);
    else
        request_fail_fields(request);
}

void router_close(struct control *control, struct request *request, struct fields *f)
{
    struct router *router = handler_router(control, request, f);
    if (router)
        close_router(control, router, request, NOTICE_ROUTER_CLOSE);
}

static void put_pair(json_t *list, const char *key, const char *value_key, json_t *value)
{
    json_array_append_new(list, json_pack("{s:s, s:o}", "key", key, value_key, value));
}

static json_t *producer_consumers(const struct producer *producer)
{
    json_t *ids = json_array();
    const struct consumer *consumer = NULL;
    LIST_EACH(consumer, &producer->consumers, struct consumer, producer_link)
    json_array_append_new(ids, json_string(consumer->o.id));
    return ids;
}

void router_dump(struct control *control, struct request *request, struct fields *f)
{
    const struct router *router = handler_router(control, request, f);
    if (!router)
        return;
    json_t *transports = json_array(), *producers = json_array(), *consumers = json_array();
    const struct transport *transport = NULL;
    const struct producer *producer = NULL;
    const struct consumer *consumer = NULL;
    LIST_EACH(transport, &router->transports, struct transport, link)
    {
        json_array_append_new(transports, json_string(transport->o.id));
        LIST_EACH(producer, &transport->producers, struct producer, link)
        put_pair(producers, producer->o.id, "values", producer_consumers(producer));
        LIST_EACH(consumer, &transport->consumers, struct consumer, link)
        put_pair(consumers, consumer->o.id, "value", json_string(consumer->producer->o.id));
    }
    json_t *result =
        json_pack("{s:s, s:i, s:b, s:o, s:[], s:o, s:o, s:[], s:[], s:[]}", "id", router->o.id,
                  "workerIndex", (int)router->o.worker, "tied", (int)router->tied, "transportIds",
                  transports, "rtpObserverIds", "mapProducerIdConsumerIds", producers,
                  "mapConsumerIdProducerId", consumers, "mapProducerIdObserverIds",
                  "mapDataProducerIdDataConsumerIds", "mapDataConsumerIdDataProducerId");
    handler_put_text(result, "appData", router->o.app_data);
    request_result(request, result);
}

void router_rtpCapabilities(struct control *control, struct request *request, struct fields *f)
{
    const struct router *router = handler_router(control, request, f);
    if (!router)
        return;
    json_t *result = json_object();
    handler_put_text(result, "rtpCapabilities", router->capabilities);
    request_result(request, result);
}

void router_canConsume(struct control *control, struct request *request, struct fields *f)
{
    const struct router *router = handler_router(control, request, f);
    if (!router)
        return;
    const struct producer *producer = handler_producer(control, request, f);
    if (!producer)
        return;
    if (producer->transport->router != router) {
        request_fail(request, RPC_NOT_FOUND, "producerId", "a producer of this router",
                     producer->o.id, "producer %s is in another router", producer->o.id);
        return;
    }
    json_t *caps =
        rtpparams_capabilities(fields_peek(f, "rtpCapabilities"), "rtpCapabilities", &request->err);
    if (!caps) {
        request_fail_fields(request);
        return;
    }
    json_t *consumable = text_json(producer->consumable);
    bool can = consumable && ortc_can_consume(consumable, caps);
    json_decref(consumable);
    json_decref(caps);
    request_result(request, json_pack("{s:b}", "canConsume", (int)can));
}

void router_updateMediaCodecs(struct control *control, struct request *request, struct fields *f)
{
    struct router *router = handler_router(control, request, f);
    if (!router)
        return;
    json_t *capabilities = ortc_router_capabilities(fields_peek(f, "mediaCodecs"), &request->err);
    if (!capabilities) {
        request_fail_fields(request);
        return;
    }
    const struct text *text = texts_keep(&control->model.texts, capabilities);
    if (!text) {
        json_decref(capabilities);
        request_fail_memory(request);
        return;
    }
    texts_drop(&control->model.texts, router->capabilities);
    router->capabilities = text;
    request_result(request, json_pack("{s:o}", "rtpCapabilities", capabilities));
}

void router_list(struct control *control, struct request *request, struct fields *f)
{
    (void)f;
    if (!handler_ok(request))
        return;
    json_t *list = json_array();
    const struct router *router = NULL;
    LIST_EACH(router, &control->model.routers, struct router, link)
    json_array_append_new(
        list, json_pack("{s:s, s:i, s:b, s:i, s:i, s:i}", "id", router->o.id, "workerIndex",
                        (int)router->o.worker, "tied", (int)router->tied, "transports",
                        (int)router->transports_n, "producers", (int)router->producers_n,
                        "consumers", (int)router->consumers_n));
    request_result(request, json_pack("{s:o}", "routers", list));
}
