/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/consumer.c - transport.consume: what endpoints are sent. */
#include "ctl/consumer.h"

#include "ctl/close.h"
#include "ctl/handlers.h"
#include "ctl/mirror.h"
#include "ctl/show.h"
#include "ctl/wiring.h"

#include "core/random.h"

#include <errno.h>
#include <stdio.h>

enum { SSRC_PASS_MAX = 1 << 16 }; /* a caller's numbers far ahead do not move ours */

/* What consume has read and negotiated; JSON values but the borrowed one are owned. */
struct consume {
    const char *id;
    const json_t *app_data; /* borrowed */
    struct transport *transport;
    struct producer *producer;
    struct mirror *mirror; /* of the producer, where it is on another worker than the transport */
    bool paused, enable_rtx, ignore_dtx, verbatim;
    const char *mid;
    char made_mid[RTP_MID_BYTES_MAX + 1];
    json_t *params, *encodings, *mapping;
};

/* One after the other from a random start (RFC 3550 8.1), media before its RTX: under one SRTP key
 * an SSRC is used once, and a row of numbers is remembered as one range, however long it gets. */
static uint32_t ssrc_take(void *arg)
{
    struct transport *transport = ((struct consume *)arg)->transport;
    if (transport->ssrc_next == 0)
        transport->ssrc_next = random_u32();
    for (;;) { /* ends: a transport has thousands of the four thousand million */
        uint32_t ssrc = transport->ssrc_next++;
        if (ssrc != 0 && !transport_has_ssrc(transport, ssrc))
            return ssrc;
    }
}

/* The caller gave this one. It may be used up when its turn comes, so the row goes on behind it. */
static void ssrc_pass(struct transport *transport, uint32_t ssrc)
{
    if (transport->ssrc_next != 0 && ssrc - transport->ssrc_next < SSRC_PASS_MAX)
        transport->ssrc_next = ssrc + 1;
}

/* The caller has negotiated: his parameters are used as they are. */
static bool negotiated_by_caller(struct consume *consume, struct fields *f, struct field_error *err)
{
    enum media_kind kind = consume->producer->kind;
    const json_t *encodings = fields_peek(f, "consumableRtpEncodings");
    consume->params =
        rtpparams_consumer(fields_peek(f, "rtpParameters"), "rtpParameters", kind, err);
    if (!consume->params)
        return false;
    if (encodings && !json_is_null(encodings)) {
        consume->encodings = rtpparams_encodings(encodings, "consumableRtpEncodings", err);
        if (!consume->encodings)
            return false;
    }
    const json_t *mapping = fields_peek(f, "rtpMapping");
    if (mapping && !json_is_null(mapping)) {
        consume->mapping = rtpparams_consumer_mapping(mapping, "rtpMapping", consume->params, err);
        if (!consume->mapping)
            return false;
    }
    if (json_array_size(json_object_get(consume->params, "encodings")) != 1)
        return fields_fail(f, "rtpParameters", "one encoding: pipes come with a later version");
    return true;
}

static bool negotiate(struct consume *consume, struct fields *f, struct field_error *err)
{
    const struct ortc_ssrcs ssrcs = {.take = ssrc_take, .arg = consume};
    struct ortc_consume how = {.enable_rtx = consume->enable_rtx, .mid = consume->mid};
    json_t *caps =
        rtpparams_capabilities(fields_peek(f, "rtpCapabilities"), "rtpCapabilities", err);
    json_t *consumable = text_json(consume->producer->consumable);
    if (caps && !consumable)
        field_error_set(err, "rtpParameters",
                        "the consumer's parameters, as the producer's codec is not the router's",
                        "nothing");
    if (caps && consumable)
        consume->params = ortc_consumer_parameters(consumable, caps, &how, &ssrcs, err);
    json_decref(caps);
    json_decref(consumable);
    return consume->params != NULL;
}

/* The mid that a consumer gets when nobody names one: unique in its transport. */
static void mid_make(struct consume *consume)
{
    const struct consumer *consumer = NULL;
    bool used = true;
    while (used) { /* ends: there are more numbers than consumers */
        snprintf(consume->made_mid, sizeof(consume->made_mid), "%u",
                 consume->transport->mid_next++);
        used = false;
        LIST_EACH(consumer, &consume->transport->consumers, struct consumer, link)
        used |= strcmp(consumer->mid, consume->made_mid) == 0;
    }
    consume->mid = consume->made_mid;
}

/* Like its siblings' but for mid and SSRCs, so that one text is kept for all of them. */
static const struct text *params_keep(struct texts *texts, const json_t *params)
{
    json_t *copy = json_deep_copy(params);
    json_t *encoding = json_array_get(json_object_get(copy, "encodings"), 0);
    json_object_del(copy, "mid");
    json_object_del(encoding, "ssrc");
    json_object_del(encoding, "rtx");
    const struct text *text = texts_keep(texts, copy);
    json_decref(copy);
    return text;
}

json_t *consumer_params(const struct consumer *consumer)
{
    json_t *params = text_json(consumer->params);
    json_t *encoding = json_array_get(json_object_get(params, "encodings"), 0);
    if (consumer->mid[0])
        json_object_set_new(params, "mid", json_string(consumer->mid));
    json_object_set_new(encoding, "ssrc", json_integer(consumer->ssrc));
    if (consumer->rtx_ssrc)
        json_object_set_new(encoding, "rtx",
                            json_pack("{s:I}", "ssrc", (json_int_t)consumer->rtx_ssrc));
    return params;
}

void consumer_answer(struct control *control, struct consumer *consumer, int result)
{
    struct request *request = consumer->asker;
    json_t *answer = consumer->answer;
    consumer->asker = NULL;
    consumer->answer = NULL;
    if (result == 0) {
        consumer->o.opened = true;
        request_result(request, answer);
        return;
    }
    json_decref(answer);
    request_fail_errno(request, result, "the worker could not open it");
    if (!consumer->o.closing)
        close_consumer(control, consumer, NULL, NOTICE_N);
}

/* What its mirror lacks is the reason, and is told by the producer's worker as well. */
static void on_consumed(struct control *control, struct errand *errand,
                        const struct outcome *outcome)
{
    struct consumer *consumer = errand->object;
    int result = mirror_result(consumer->mirror, outcome->result);
    consumer->asker = errand->request;
    consumer->answer = errand->result;
    if (result != 0 || consumer->o.closing || !consumer->mirror || !consumer->mirror->adding)
        consumer_answer(control, consumer, result);
}

static struct consumer *consumer_make(struct control *control, struct request *request,
                                      const struct consume *consume,
                                      const struct command_consumer_open *open)
{
    struct model *model = &control->model;
    struct transport *transport = consume->transport;
    struct indices *indices = &model->places[transport->o.worker].of[OBJECT_CONSUMER];
    struct consumer *consumer = (struct consumer *)model_add(
        model, NOUN_CONSUMER, consume->id, transport->o.worker, request_owner(request));
    if (!consumer)
        return NULL;
    list_append(&transport->consumers, &consumer->link);
    list_append(&consume->producer->consumers, &consumer->producer_link);
    transport->router->consumers_n++;
    consumer->transport = transport;
    consumer->producer = consume->producer;
    consumer->mirror = consume->mirror;
    consumer->kind = consume->producer->kind;
    consumer->type = ortc_consumer_type(consume->producer->type, false);
    consumer->paused = consume->paused;
    consumer->ignore_dtx = consume->ignore_dtx;
    consumer->priority = 1;
    consumer->score = 10;
    consumer->ssrc = open->rewrite.ssrc;
    consumer->rtx_ssrc = open->rewrite.rtx_ssrc;
    memcpy(consumer->mid, open->rewrite.mid, open->rewrite.mid_bytes);
    consumer->params = params_keep(&model->texts, consume->params);
    consumer->encodings = texts_keep(&model->texts, consume->encodings);
    consumer->o.app_data = texts_keep(&model->texts, consume->app_data);
    consumer->o.index = indices_take(indices, consumer);
    if (consumer->o.index == INDEX_NONE || !consumer->params) {
        uint32_t index = consumer->o.index;
        model_remove(model, &consumer->o);
        if (index != INDEX_NONE)
            indices_give(indices, index);
        model_free(model, &consumer->o);
        return NULL;
    }
    return consumer;
}

/* RFC 3550 5.1: random starts; sequence numbers below 2^15, so that no loss at the start can hide a
 * rollover, and not 0 or 1, so that a late packet has a number. */
static uint16_t seq_first(void)
{
    return (uint16_t)(2 + random_u32() % ((1u << 15) - 2));
}

static bool wire(const struct consume *consume, struct command_consumer_open *open,
                 struct field_error *err)
{
    json_t *in = text_json(consume->producer->params);
    json_t *mapping = text_json(consume->producer->mapping);
    const struct wiring_consume wiring = {in, mapping, consume->params, consume->mapping};
    bool right = wiring_consumer(open, consume->producer->kind, &wiring, err);
    json_decref(in);
    json_decref(mapping);
    open->transport = consume->transport->o.index;
    open->producer = consume->producer->o.index;
    open->paused = consume->paused;
    open->priority = 1;
    open->seq_first = seq_first();
    open->rtx_seq_first = seq_first();
    open->ts_first = random_u32();
    return right;
}

static bool ssrcs_are_free(struct request *request, const struct consume *consume,
                           const struct rewrite *rewrite)
{
    bool used =
        transport_has_ssrc(consume->transport, rewrite->ssrc) ||
        (rewrite->rtx_ssrc != 0 && (transport_has_ssrc(consume->transport, rewrite->rtx_ssrc) ||
                                    rewrite->rtx_ssrc == rewrite->ssrc));
    if (used)
        request_fail(request, RPC_EXISTS, "rtpParameters.encodings[0]",
                     "SSRCs that no consumer of the transport has", "one that another has",
                     "another consumer of this transport has the same SSRC");
    return !used;
}

static json_t *consume_result(const struct consumer *consumer, const json_t *params)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:O, s:b, s:b, s:o}", "id", consumer->o.id, "producerId",
                     consumer->producer->o.id, "kind", media_kind_names[consumer->kind], "type",
                     ortc_type_names[consumer->type], "rtpParameters", (json_t *)(uintptr_t)params,
                     "paused", (int)consumer->paused, "producerPaused",
                     (int)consumer->producer->paused, "score", show_score(consumer));
}

static void consume_run(struct control *control, struct request *request, struct consume *consume)
{
    struct errand *errand = errand_make(COMMAND_CONSUMER_OPEN, 0, true, on_consumed);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    struct command_consumer_open *open = &errand->command->consumer_open;
    if (!wire(consume, open, &request->err)) {
        errand_free(errand);
        request_fail_fields(request);
        return;
    }
    if (!ssrcs_are_free(request, consume, &open->rewrite)) {
        errand_free(errand);
        return;
    }
    if (consume->transport->o.worker != consume->producer->o.worker) {
        consume->mirror =
            mirror_join(control, request, consume->producer, consume->transport->o.worker);
        if (!consume->mirror) {
            errand_free(errand);
            return;
        }
        open->producer = consume->mirror->reader.producer;
    }
    struct consumer *consumer = consumer_make(control, request, consume, open);
    if (!consumer) {
        errand_free(errand);
        if (consume->mirror)
            mirror_leave(control, consume->mirror, NULL);
        request_fail(request, RPC_FULL, NULL, NULL, NULL, "worker %u has no room for a consumer",
                     consume->transport->o.worker);
        return;
    }
    if (consume->verbatim) {
        ssrc_pass(consume->transport, open->rewrite.ssrc);
        ssrc_pass(consume->transport, open->rewrite.rtx_ssrc);
    }
    errand->index = consumer->o.index;
    errand->object = consumer;
    errand->request = request;
    errand->result = consume_result(consumer, consume->params);
    control_errand(control, consumer->o.worker, errand);
}

/* Read although nothing chooses by them yet: a mistake is told from the start. True: given. */
static bool layers_read(struct request *request, struct fields *f)
{
    struct fields layers;
    int64_t layer = 0;
    if (!fields_object(f, "preferredLayers", FIELD_OPTIONAL, &layers))
        return false;
    request_only(request, &layers, "preferredLayers");
    fields_int(&layers, "spatialLayer", FIELD_REQUIRED, 0, RTPPARAMS_LAYERS_MAX - 1, &layer);
    fields_int(&layers, "temporalLayer", FIELD_OPTIONAL, 0, RTPPARAMS_LAYERS_MAX - 1, &layer);
    return true;
}

/* What this version cannot do; answered. */
static bool refuse_later(struct request *request, struct fields *f, const struct consume *consume)
{
    bool pipe = false;
    fields_bool(f, "pipe", FIELD_OPTIONAL, &pipe);
    bool wants = layers_read(request, f);
    if (!handler_ok(request))
        return true;
    if (!pipe && !(wants && consume->producer->type != ORTC_SIMPLE))
        return false;
    request_fail(request, RPC_UNSUPPORTED, pipe ? "pipe" : "preferredLayers", "nothing",
                 pipe ? "true" : "layers", "%s with a later version of the relay",
                 pipe ? "pipe consumers come" : "the choice of layers comes");
    return true;
}

static void consume_read(struct fields *f, struct consume *consume)
{
    static const char *const types[] = {"simple", "simulcast", "svc", NULL};
    int type = 0; /* of the producer; a caller may say it again */
    consume->enable_rtx = consume->producer->kind == MEDIA_VIDEO;
    fields_bool(f, "paused", FIELD_OPTIONAL, &consume->paused);
    fields_bool(f, "enableRtx", FIELD_OPTIONAL, &consume->enable_rtx);
    fields_bool(f, "ignoreDtx", FIELD_OPTIONAL, &consume->ignore_dtx);
    fields_string(f, "mid", FIELD_OPTIONAL, 1, RTP_MID_BYTES_MAX, &consume->mid);
    fields_enum(f, "type", FIELD_OPTIONAL, types, &type);
    const json_t *given = fields_peek(f, "rtpParameters");
    consume->verbatim = given && !json_is_null(given);
    consume->app_data = handler_app_data(f);
}

void transport_consume(struct control *control, struct request *request, struct fields *f)
{
    struct consume consume = {.transport = handler_transport(control, request, f)};
    if (!consume.transport)
        return;
    consume.producer = handler_producer(control, request, f);
    if (!consume.producer)
        return;
    if (consume.producer->transport->router != consume.transport->router) {
        request_fail(request, RPC_NOT_FOUND, "producerId", "a producer of the transport's router",
                     consume.producer->o.id, "producer %s is in another router",
                     consume.producer->o.id);
        return;
    }
    consume_read(f, &consume);
    if (!handler_new_id(control, request, f, NOUN_CONSUMER, &consume.id) ||
        refuse_later(request, f, &consume))
        return;
    if (!consume.mid && !consume.verbatim)
        mid_make(&consume);
    bool right = consume.verbatim ? negotiated_by_caller(&consume, f, &request->err)
                                  : negotiate(&consume, f, &request->err);
    if (right)
        consume_run(control, request, &consume);
    else
        request_fail_fields(request);
    json_decref(consume.params);
    json_decref(consume.encodings);
    json_decref(consume.mapping);
}
