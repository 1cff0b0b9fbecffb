/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/ortc_fuzz.c - any JSON as a router, a producer and a consumer.
 *
 * One object: {mediaCodecs, kind, rtpParameters, rtpMapping?, rtpCapabilities, pipe?, enableRtx?}.
 * Held throughout: a refusal names a field in words that are JSON themselves, and what is accepted
 * is a normal form, and is accepted again. */
#include "ctl/ortc.h"

static void check_refusal(const struct field_error *err)
{
    json_t *texts = json_pack("[sss]", err->path, err->expected, err->got);
    ASSERT(texts); /* valid UTF-8 */
    ASSERT(field_error_is_set(err));
    json_decref(texts);
}

static uint32_t next_ssrc(void *arg)
{
    uint32_t *last = arg;
    return ++*last;
}

struct session {
    json_t *router, *params, *mapping, *consumable, *caps, *consumer, *pipe;
    enum media_kind kind;
    struct ortc_ssrcs ssrcs;
    struct field_error err;
};

static void check_consumer(struct session *s, const json_t *consumer, const char *what)
{
    struct field_error err = {.path = ""};
    json_t *again = rtpparams_consumer(consumer, what, s->kind, &err);
    ASSERT(again && !field_error_is_set(&err));
    json_decref(again);
}

static bool produce(struct session *s, const json_t *in)
{
    const json_t *mapping = json_object_get(in, "rtpMapping");
    enum ortc_type type;
    s->router = ortc_router_capabilities(json_object_get(in, "mediaCodecs"), &s->err);
    if (s->router)
        s->params = rtpparams_producer(json_object_get(in, "rtpParameters"), "rtpParameters",
                                       s->kind, NULL, &s->err);
    if (!s->params)
        return false;

    json_t *again = rtpparams_producer(s->params, "rtpParameters", s->kind, NULL, &s->err);
    ASSERT(again && json_equal(s->params, again));
    json_decref(again);
    ortc_producer_type(s->params, &type, &s->err);
    field_error_clear(&s->err);
    s->mapping = mapping ? rtpparams_mapping(mapping, "rtpMapping", s->params, &s->err)
                         : ortc_producer_mapping(s->params, s->router, &s->ssrcs, &s->err);
    if (s->mapping)
        s->consumable =
            ortc_consumable_parameters(s->kind, s->params, s->router, s->mapping, &s->err);
    return s->consumable;
}

static bool consume(struct session *s, const json_t *in)
{
    bool rtx = json_is_true(json_object_get(in, "enableRtx"));
    struct ortc_consume how = {json_is_true(json_object_get(in, "pipe")), rtx, "0"};
    s->pipe = ortc_pipe_consumer_parameters(s->consumable, rtx, &s->ssrcs, &s->err);
    ASSERT(s->pipe);
    check_consumer(s, s->pipe, "pipe");

    s->caps =
        rtpparams_capabilities(json_object_get(in, "rtpCapabilities"), "rtpCapabilities", &s->err);
    if (!s->caps)
        return false;
    s->consumer = ortc_consumer_parameters(s->consumable, s->caps, &how, &s->ssrcs, &s->err);
    ASSERT(ortc_can_consume(s->consumable, s->caps) == (s->consumer != NULL));
    if (s->consumer)
        check_consumer(s, s->consumer, "consumer");
    return s->consumer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint32_t last_ssrc = 1000;
    json_t *in = json_loadb((const char *)data, bytes, JSON_ALLOW_NUL, NULL);
    if (!in)
        return 0;
    struct session s = {.ssrcs = {next_ssrc, &last_ssrc}};
    const char *kind = json_string_value(json_object_get(in, "kind"));
    s.kind = kind && kind[0] == 'a' ? MEDIA_AUDIO : MEDIA_VIDEO;

    if (!produce(&s, in) || !consume(&s, in))
        check_refusal(&s.err);
    else
        ASSERT(!field_error_is_set(&s.err));
    json_decref(s.router);
    json_decref(s.params);
    json_decref(s.mapping);
    json_decref(s.consumable);
    json_decref(s.caps);
    json_decref(s.consumer);
    json_decref(s.pipe);
    json_decref(in);
    return 0;
}
