/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/producer.c - transport.produce and producer.*: what endpoints send. */
#include "ctl/close.h"
#include "ctl/handlers.h"
#include "ctl/notify.h"
#include "ctl/show.h"
#include "ctl/wiring.h"

#include "core/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What produce has read and negotiated; every value is owned. */
struct produce {
    const char *id;
    const json_t *app_data; /* borrowed */
    int kind;
    enum ortc_type type;
    bool paused;
    int64_t keyframe_delay_ms;
    json_t *params, *mapping, *consumable;
};

static void produce_release(struct produce *produce)
{
    json_decref(produce->params);
    json_decref(produce->mapping);
    json_decref(produce->consumable);
}

static uint32_t ssrc_random(void *arg)
{
    (void)arg;
    uint32_t ssrc = 0;
    while (ssrc == 0)
        ssrc = random_u32();
    return ssrc;
}

/* All producers of a transport are one source with one clock: the first one's cname is everybody's.
 */
static bool cname_settle(const struct transport *transport, json_t *params, struct field_error *err)
{
    json_t *rtcp = json_object_get(params, "rtcp");
    const char *cname = json_string_value(json_object_get(rtcp, "cname"));
    if (cname && strlen(cname) >= CNAME_BYTES_MAX) {
        field_error_set(err, "rtpParameters.rtcp.cname", "a string of at most 63 bytes", cname);
        return false;
    }
    if (cname && cname[0])
        return true;
    char made[CNAME_BYTES_MAX];
    if (transport->cname[0])
        memcpy(made, transport->cname, sizeof(made));
    else
        snprintf(made, sizeof(made), "%08x", random_u32());
    if (!rtcp) {
        rtcp = json_pack("{s:b}", "reducedSize", 1);
        json_object_set_new(params, "rtcp", rtcp);
    }
    return json_object_set_new(rtcp, "cname", json_string(made)) == 0;
}

/* From rtpParameters and the router's capabilities to mapping and consumable parameters; a caller
 * who has negotiated himself gives the mapping. */
static bool negotiate(struct produce *produce, const struct transport *transport, struct fields *f,
                      struct field_error *err)
{
    const struct ortc_ssrcs ssrcs = {.take = ssrc_random};
    const json_t *given = fields_peek(f, "rtpMapping");
    enum media_kind kind = (enum media_kind)produce->kind;
    produce->params = rtpparams_producer(fields_peek(f, "rtpParameters"), "rtpParameters", kind,
                                         transport->cname[0] ? transport->cname : NULL, err);
    if (!produce->params || !cname_settle(transport, produce->params, err))
        return false;

    json_t *caps = text_json(transport->router->capabilities);
    if (given && !json_is_null(given))
        produce->mapping = rtpparams_mapping(given, "rtpMapping", produce->params, err);
    else
        produce->mapping = ortc_producer_mapping(produce->params, caps, &ssrcs, err);
    if (produce->mapping) {
        struct field_error own;
        field_error_clear(&own);
        produce->consumable =
            ortc_consumable_parameters(kind, produce->params, caps, produce->mapping, &own);
        /* With a mapping of the caller's the router need not know the codecs. */
        if (!produce->consumable && !given)
            *err = own;
    }
    json_decref(caps);
    return produce->mapping && !field_error_is_set(err) &&
           ortc_producer_type(produce->params, &produce->type, err);
}

static void on_produced(struct control *control, struct errand *errand,
                        const struct outcome *outcome)
{
    struct producer *producer = errand->object;
    if (outcome->result == 0) {
        producer->o.opened = true;
        request_result(errand->request, errand->result);
        return;
    }
    json_decref(errand->result);
    if (outcome->result == -EEXIST)
        request_fail(errand->request, RPC_EXISTS, "rtpParameters.encodings",
                     "an SSRC that no producer of the transport has", "one that another has",
                     "another producer of this transport has the same SSRC");
    else
        request_fail_errno(errand->request, outcome->result, "the worker could not open it");
    if (!producer->o.closing)
        close_producer(control, producer, NULL, NOTICE_N);
}

static struct producer *producer_make(struct control *control, struct request *request,
                                      struct transport *transport, const struct produce *produce)
{
    struct model *model = &control->model;
    struct producer *producer = (struct producer *)model_add(
        model, NOUN_PRODUCER, produce->id, transport->o.worker, request_owner(request));
    if (!producer)
        return NULL;
    list_init(&producer->consumers);
    list_init(&producer->mirrors);
    list_append(&transport->producers, &producer->link);
    transport->router->producers_n++;
    producer->transport = transport;
    producer->kind = (enum media_kind)produce->kind;
    producer->type = produce->type;
    producer->paused = produce->paused;
    producer->keyframe_delay_ms = produce->keyframe_delay_ms;
    producer->encodings_n = 1;
    memset(producer->score, 10, sizeof(producer->score)); /* a new stream counts as good */
    producer->params = texts_keep(&model->texts, produce->params);
    producer->mapping = texts_keep(&model->texts, produce->mapping);
    producer->consumable = texts_keep(&model->texts, produce->consumable);
    producer->o.app_data = texts_keep(&model->texts, produce->app_data);
    producer->o.index =
        indices_take(&model->places[transport->o.worker].of[OBJECT_PRODUCER], producer);
    if (producer->o.index == INDEX_NONE || !producer->params || !producer->mapping) {
        uint32_t index = producer->o.index;
        model_remove(model, &producer->o);
        if (index != INDEX_NONE)
            indices_give(&model->places[transport->o.worker].of[OBJECT_PRODUCER], index);
        model_free(model, &producer->o);
        return NULL;
    }
    return producer;
}

static json_t *produce_result(const struct producer *producer, const struct produce *produce)
{
    json_t *out = json_pack("{s:s, s:s, s:s, s:b, s:O, s:O}", "id", producer->o.id, "kind",
                            media_kind_names[producer->kind], "type",
                            ortc_type_names[producer->type], "paused", (int)producer->paused,
                            "rtpParameters", produce->params, "rtpMapping", produce->mapping);
    if (produce->consumable)
        json_object_set(out, "consumableRtpParameters", produce->consumable);
    return out;
}

static void produce_run(struct control *control, struct request *request,
                        struct transport *transport, struct produce *produce)
{
    struct errand *errand = errand_make(COMMAND_PRODUCER_OPEN, 0, true, on_produced);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    struct command_producer_open *open = &errand->command->producer_open;
    if (!wiring_producer(open, (enum media_kind)produce->kind, produce->params, &request->err)) {
        errand_free(errand);
        request_fail_fields(request);
        return;
    }
    struct producer *producer = producer_make(control, request, transport, produce);
    if (!producer) {
        errand_free(errand);
        request_fail(request, RPC_FULL, NULL, NULL, NULL, "worker %u has no room for a producer",
                     transport->o.worker);
        return;
    }
    const char *cname =
        json_string_value(json_object_get(json_object_get(produce->params, "rtcp"), "cname"));
    snprintf(transport->cname, sizeof(transport->cname), "%s", cname ? cname : "");
    open->transport = transport->o.index;
    open->paused = produce->paused;
    open->keyframe_delay_us = produce->keyframe_delay_ms * 1000;
    errand->index = producer->o.index;
    errand->object = producer;
    errand->request = request;
    errand->result = produce_result(producer, produce);
    control_errand(control, transport->o.worker, errand);
}

void transport_produce(struct control *control, struct request *request, struct fields *f)
{
    struct produce produce = {0};
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    bool packet_id = false;
    fields_enum(f, "kind", FIELD_REQUIRED, media_kind_names, &produce.kind);
    fields_bool(f, "paused", FIELD_OPTIONAL, &produce.paused);
    fields_int(f, "keyFrameRequestDelay", FIELD_OPTIONAL, 0, 60000, &produce.keyframe_delay_ms);
    fields_bool(f, "enableMediasoupPacketIdHeaderExtension", FIELD_OPTIONAL, &packet_id);
    produce.app_data = handler_app_data(f);
    if (!handler_new_id(control, request, f, NOUN_PRODUCER, &produce.id))
        return;
    bool right = negotiate(&produce, transport, f, &request->err);
    if (!right)
        request_fail_fields(request);
    else if (json_array_size(json_object_get(produce.params, "encodings")) > 1)
        request_fail(request, RPC_UNSUPPORTED, "rtpParameters.encodings", "one encoding", "several",
                     "producers with several encodings come with a later version");
    else
        produce_run(control, request, transport, &produce);
    produce_release(&produce);
}

/* ---- producer.* ---- */

/* A mirror that has ended meanwhile, or could not be opened, has nothing to pause. */
static void on_paused(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    (void)control;
    struct request *request = errand->request;
    bool of_mirror = errand->object != NULL;
    bool gone = outcome->result == -ENOENT || outcome->result == -ESHUTDOWN;
    if (!request_came(request, of_mirror && gone ? 0 : outcome->result))
        return;
    if (request->failed == 0)
        request_result(request, NULL);
    else
        request_fail_errno(request, request->failed, "the worker refused");
}

static bool pause_errand(struct link *list, enum command_kind kind, uint16_t worker, uint32_t index,
                         struct mirror *mirror)
{
    struct errand *errand = errand_make(kind, index, false, on_paused);
    if (!errand)
        return false;
    errand->worker = worker;
    errand->object = mirror;
    list_append(list, &errand->link);
    return true;
}

/* Its worker and those of its mirrors are told; answered when all have done it. False: no memory,
 * and nothing has been said. */
static bool pause_post(struct control *control, struct request *request, struct producer *producer,
                       enum command_kind kind)
{
    struct link list;
    struct errand *errand = NULL;
    struct mirror *mirror = NULL;
    list_init(&list);
    bool right = pause_errand(&list, kind, producer->o.worker, producer->o.index, NULL);
    LIST_EACH(mirror, &producer->mirrors, struct mirror, link)
    right =
        right && pause_errand(&list, kind, mirror->reader.worker, mirror->reader.producer, mirror);
    LIST_EACH(errand, &list, struct errand, link)
    {
        list_remove(&errand->link);
        if (!right) {
            errand_free(errand);
            continue;
        }
        errand->request = request;
        request_wait(request);
        control_errand(control, errand->worker, errand);
    }
    return right;
}

static void set_paused(struct control *control, struct request *request, struct producer *producer,
                       bool paused)
{
    struct consumer *consumer = NULL;
    if (!pause_post(control, request, producer,
                    paused ? COMMAND_PRODUCER_PAUSE : COMMAND_PRODUCER_RESUME)) {
        request_fail_memory(request);
        return;
    }
    if (producer->paused == paused)
        return;
    producer->paused = paused;
    LIST_EACH(consumer, &producer->consumers, struct consumer, producer_link)
    notify(control, paused ? NOTICE_CONSUMER_PRODUCERPAUSE : NOTICE_CONSUMER_PRODUCERRESUME,
           &consumer->o, NULL);
}

void producer_pause(struct control *control, struct request *request, struct fields *f)
{
    struct producer *producer = handler_producer(control, request, f);
    if (producer)
        set_paused(control, request, producer, true);
}

void producer_resume(struct control *control, struct request *request, struct fields *f)
{
    struct producer *producer = handler_producer(control, request, f);
    if (producer)
        set_paused(control, request, producer, false);
}

static void on_stats(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    (void)control;
    const struct producer *producer = errand->object;
    if (outcome->result != 0) {
        request_fail_errno(errand->request, outcome->result, "no stats of the producer");
        return;
    }
    json_t *params = text_json(producer->params), *list = json_array();
    for (size_t i = 0; i < outcome->producer.encodings_n && i < producer->encodings_n; i++)
        json_array_append_new(list,
                              show_inbound(producer, params, i, &outcome->producer.encodings[i]));
    json_decref(params);
    request_result(errand->request, list);
}

void producer_getStats(struct control *control, struct request *request, struct fields *f)
{
    struct producer *producer = handler_producer(control, request, f);
    if (!producer)
        return;
    struct errand *errand = errand_make(COMMAND_STATS, producer->o.index, false, on_stats);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    errand->argument = OBJECT_PRODUCER;
    errand->object = producer;
    errand->request = request;
    control_errand(control, producer->o.worker, errand);
}

void producer_dump(struct control *control, struct request *request, struct fields *f)
{
    const struct producer *producer = handler_producer(control, request, f);
    if (!producer)
        return;
    json_t *params = text_json(producer->params);
    json_t *streams = json_array(), *consumers = json_array(), *mirrors = json_array();
    const struct consumer *consumer = NULL;
    const struct mirror *mirror = NULL;
    for (size_t i = 0; params && i < producer->encodings_n; i++)
        json_array_append_new(streams, show_stream(params, i, producer->score[i]));
    LIST_EACH(consumer, &producer->consumers, struct consumer, producer_link)
    json_array_append_new(consumers, json_string(consumer->o.id));
    LIST_EACH(mirror, &producer->mirrors, struct mirror, link)
    json_array_append_new(mirrors, json_integer(mirror->reader.worker));
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:b, s:o}", "id", producer->o.id, "kind",
        media_kind_names[producer->kind], "type", ortc_type_names[producer->type], "transportId",
        producer->transport->o.id, "routerId", producer->transport->router->o.id, "workerIndex",
        (int)producer->o.worker, "mirrorWorkerIndices", mirrors, "rtpStreams", streams,
        "traceEventTypes", handler_trace_types(producer->o.trace_bits), "paused",
        (int)producer->paused, "consumerIds", consumers);
    if (params)
        json_object_set_new(out, "rtpParameters", params);
    handler_put_text(out, "rtpMapping", producer->mapping);
    handler_put_text(out, "consumableRtpParameters", producer->consumable);
    handler_put_text(out, "appData", producer->o.app_data);
    request_result(request, out);
}

void producer_enableTraceEvent(struct control *control, struct request *request, struct fields *f)
{
    static const char *const types[] = {"rtp", "keyframe", "nack", "pli", "fir", "sr", NULL};
    struct producer *producer = handler_producer(control, request, f);
    if (producer)
        handler_trace_events(control, request, f, &producer->o, OBJECT_PRODUCER, types);
}

void producer_close(struct control *control, struct request *request, struct fields *f)
{
    struct producer *producer = handler_producer(control, request, f);
    if (producer)
        close_producer(control, producer, request, NOTICE_PRODUCER_CLOSE);
}
