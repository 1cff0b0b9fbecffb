/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/consumer_view.c - consumer.*: pausing, asking, looking, ending. */
#include "ctl/close.h"
#include "ctl/consumer.h"
#include "ctl/handlers.h"
#include "ctl/show.h"

#include <stdlib.h>

static void set_paused(struct control *control, struct request *request, struct fields *f,
                       bool paused)
{
    struct consumer *consumer = handler_consumer(control, request, f);
    if (!consumer)
        return;
    consumer->paused = paused;
    handler_simple(control, request, &consumer->o,
                   paused ? COMMAND_CONSUMER_PAUSE : COMMAND_CONSUMER_RESUME);
}

void consumer_pause(struct control *control, struct request *request, struct fields *f)
{
    set_paused(control, request, f, true);
}

void consumer_resume(struct control *control, struct request *request, struct fields *f)
{
    set_paused(control, request, f, false);
}

void consumer_setPriority(struct control *control, struct request *request, struct fields *f)
{
    struct consumer *consumer = handler_consumer(control, request, f);
    if (!consumer)
        return;
    int64_t priority = 1;
    fields_int(f, "priority", FIELD_REQUIRED, 1, 255, &priority);
    if (!handler_ok(request))
        return;
    consumer->priority = (uint8_t)priority;
    request_result(request, json_pack("{s:i}", "priority", (int)priority));
}

void consumer_requestKeyFrame(struct control *control, struct request *request, struct fields *f)
{
    struct consumer *consumer = handler_consumer(control, request, f);
    if (consumer)
        handler_simple(control, request, &consumer->o, COMMAND_CONSUMER_KEYFRAME);
}

/* The second half: the producer's stream behind the consumer's. */
static void on_producer_stats(struct control *control, struct errand *errand,
                              const struct outcome *outcome)
{
    (void)control;
    const struct producer *producer = errand->object;
    json_t *list = errand->result;
    if (outcome->result == 0 && outcome->producer.encodings_n > 0) {
        json_t *params = text_json(producer->params);
        json_array_append_new(list,
                              show_inbound(producer, params, 0, &outcome->producer.encodings[0]));
        json_decref(params);
    }
    request_result(errand->request, list);
}

static void on_stats(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    struct consumer *consumer = errand->object;
    if (outcome->result != 0) {
        request_fail_errno(errand->request, outcome->result, "no stats of the consumer");
        return;
    }
    json_t *params = consumer_params(consumer);
    json_t *list = json_pack("[o]", show_outbound(consumer, params, &outcome->consumer));
    json_decref(params);

    struct errand *next = NULL;
    if (!consumer->o.closing) /* else its producer may be gone */
        next = errand_make(COMMAND_STATS, consumer->producer->o.index, false, on_producer_stats);
    if (!next) {
        request_result(errand->request, list);
        return;
    }
    next->argument = OBJECT_PRODUCER;
    next->object = consumer->producer;
    next->request = errand->request;
    next->result = list;
    control_errand(control, consumer->producer->o.worker, next);
}

void consumer_getStats(struct control *control, struct request *request, struct fields *f)
{
    struct consumer *consumer = handler_consumer(control, request, f);
    if (!consumer)
        return;
    struct errand *errand = errand_make(COMMAND_STATS, consumer->o.index, false, on_stats);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    errand->argument = OBJECT_CONSUMER;
    errand->object = consumer;
    errand->request = request;
    control_errand(control, consumer->o.worker, errand);
}

static json_t *payload_types(const json_t *params)
{
    json_t *list = json_array(), *codec = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(params, "codecs"), i, codec)
    {
        if (!rtpcodec_is_rtx(codec))
            json_array_append_new(list, json_integer(rtpcodec_payload_type(codec)));
    }
    return list;
}

/* Those that the caller gave, or those of the producer's consumable parameters. */
static json_t *consumable_encodings(const struct consumer *consumer)
{
    if (consumer->encodings)
        return text_json(consumer->encodings);
    json_t *consumable = text_json(consumer->producer->consumable);
    json_t *encodings = json_incref(json_object_get(consumable, "encodings"));
    json_decref(consumable);
    return encodings;
}

void consumer_dump(struct control *control, struct request *request, struct fields *f)
{
    const struct consumer *consumer = handler_consumer(control, request, f);
    if (!consumer)
        return;
    json_t *params = consumer_params(consumer);
    json_t *encodings = consumable_encodings(consumer);
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:b, s:i, s:o}", "id", consumer->o.id,
        "producerId", consumer->producer->o.id, "transportId", consumer->transport->o.id,
        "routerId", consumer->transport->router->o.id, "kind", media_kind_names[consumer->kind],
        "type", ortc_type_names[consumer->type], "supportedCodecPayloadTypes",
        payload_types(params), "traceEventTypes", handler_trace_types(consumer->o.trace_bits),
        "paused", (int)consumer->paused, "producerPaused", (int)consumer->producer->paused,
        "priority", (int)consumer->priority, "score", show_score(consumer));
    if (params) {
        json_object_set_new(out, "rtpStream", show_stream(params, 0, consumer->score));
        json_object_set_new(out, "rtpParameters", params);
    }
    if (encodings)
        json_object_set_new(out, "consumableRtpEncodings", encodings);
    handler_put_text(out, "appData", consumer->o.app_data);
    request_result(request, out);
}

void consumer_enableTraceEvent(struct control *control, struct request *request, struct fields *f)
{
    static const char *const types[] = {"rtp", "keyframe", "nack", "pli", "fir", NULL};
    struct consumer *consumer = handler_consumer(control, request, f);
    if (consumer)
        handler_trace_events(control, request, f, &consumer->o, OBJECT_CONSUMER, types);
}

void consumer_close(struct control *control, struct request *request, struct fields *f)
{
    struct consumer *consumer = handler_consumer(control, request, f);
    if (consumer)
        close_consumer(control, consumer, request, NOTICE_CONSUMER_CLOSE);
}
