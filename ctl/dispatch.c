/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/dispatch.c - from a request to its method, and what the methods share. */
#include "ctl/handlers.h"

#include <stdio.h>
#include <stdlib.h>

typedef void handler(struct control *control, struct request *request, struct fields *f);

static handler *const handlers[METHOD_N] = {
#define HANDLER_ROW(function, name, params, result) function,
    METHOD_LIST(HANDLER_ROW)
#undef HANDLER_ROW
};

const char *const trace_type_names[] = {"keyframe", "nack", "pli", "fir", "rtp", "sr", NULL};

static void fail_unknown(struct request *request)
{
    const char *name = request->rpc.method;
    const char *nearest = method_nearest(name);
    if (method_is_later(name))
        request_fail(request, RPC_UNSUPPORTED, "method", "a method of this version", name,
                     "%.80s comes with a later version of the relay", name);
    else
        request_fail(request, RPC_METHOD, "method", "a method that server.methods lists", name,
                     "there is no method %.80s%s%s%s", name, nearest ? "; did you mean " : "",
                     nearest ? nearest : "", nearest ? "?" : "");
}

void dispatch(struct control *control, struct request *request)
{
    request->method = method_find(request->rpc.method);
    if (request->method == METHOD_N) {
        fail_unknown(request);
        return;
    }
    struct fields f;
    fields_begin(&f, request->rpc.params ? request->rpc.params : control->no_params, "",
                 &request->err);
    request_only(request, &f, "");
    handlers[request->method](control, request, &f);
}

bool handler_ok(struct request *request)
{
    if (!field_error_is_set(&request->err))
        return true;
    request_fail_fields(request);
    return false;
}

struct object *handler_object(struct control *control, struct request *request, struct fields *f,
                              const char *key, enum noun noun)
{
    const char *id = NULL;
    fields_string(f, key, FIELD_REQUIRED, 1, OBJECT_ID_BYTES_MAX, &id);
    if (!handler_ok(request))
        return NULL;
    struct object *object = model_find(&control->model, noun, id);
    if (!object) {
        char expected[FIELD_TEXT_BYTES];
        snprintf(expected, sizeof(expected), "the id of a live %s", noun_names[noun]);
        request_fail(request, RPC_NOT_FOUND, key, expected, id, "no %s has the id %s",
                     noun_names[noun], id);
    }
    return object;
}

/* Ids stand in logs and tables. */
static bool id_is_clean(const char *id)
{
    for (; *id; id++) {
        if (*id < '!' || *id > '~' || *id == '"' || *id == '\\')
            return false;
    }
    return true;
}

bool handler_new_id(struct control *control, struct request *request, struct fields *f,
                    enum noun noun, const char **id)
{
    *id = NULL;
    fields_string(f, "id", FIELD_OPTIONAL, 1, OBJECT_ID_BYTES_MAX, id);
    if (*id && !id_is_clean(*id))
        fields_fail(f, "id", "printable ASCII without spaces, quotes and backslashes");
    if (!handler_ok(request))
        return false;
    if (!*id || !model_find(&control->model, noun, *id))
        return true;
    request_fail(request, RPC_EXISTS, "id", "an id that is not in use", *id,
                 "a %s has the id %s already", noun_names[noun], *id);
    return false;
}

const json_t *handler_app_data(struct fields *f)
{
    struct fields app_data;
    if (!fields_object(f, "appData", FIELD_OPTIONAL, &app_data))
        return NULL;
    if (json_dumpb(app_data.value, NULL, 0, JSON_COMPACT) > CONTROL_APP_DATA_BYTES_MAX)
        fields_fail(f, "appData", "an object of at most 16384 bytes");
    return app_data.value;
}

static void on_simple_done(struct control *control, struct errand *errand,
                           const struct outcome *outcome)
{
    (void)control;
    if (outcome->result == 0) {
        request_result(errand->request, errand->result);
        return;
    }
    json_decref(errand->result);
    request_fail_errno(errand->request, outcome->result, "the worker refused");
}

void handler_simple(struct control *control, struct request *request, const struct object *object,
                    enum command_kind kind)
{
    struct errand *errand = errand_make(kind, object->index, false, on_simple_done);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    errand->request = request;
    control_errand(control, object->worker, errand);
}

static uint32_t trace_bits_read(const struct fields *types, const char *const allowed[])
{
    uint32_t bits = 0;
    for (size_t i = 0; i < fields_n(types); i++) {
        const char *name = "";
        fields_item_string(types, i, 1, 32, &name);
        uint32_t bit = 0;
        for (size_t k = 0; allowed[k]; k++) {
            for (size_t b = 0; trace_type_names[b] && strcmp(allowed[k], name) == 0; b++) {
                if (strcmp(trace_type_names[b], name) == 0)
                    bit = 1u << b;
            }
        }
        if (bit == 0)
            fields_fail(types, NULL, "trace event types of this kind of object, see PROTOCOL.md");
        bits |= bit;
    }
    return bits;
}

json_t *handler_trace_types(uint32_t bits)
{
    json_t *list = json_array();
    for (size_t b = 0; trace_type_names[b]; b++) {
        if (bits >> b & 1)
            json_array_append_new(list, json_string(trace_type_names[b]));
    }
    return list;
}

void handler_trace_events(struct control *control, struct request *request, struct fields *f,
                          struct object *object, enum object_kind kind, const char *const allowed[])
{
    struct fields types;
    fields_array(f, "types", FIELD_OPTIONAL, 16, &types);
    uint32_t bits = trace_bits_read(&types, allowed);
    if (!handler_ok(request))
        return;
    struct errand *errand = errand_make(COMMAND_TRACE_EVENTS, object->index, false, on_simple_done);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    object->trace_bits = bits;
    errand->about = kind;
    errand->argument = bits;
    errand->request = request;
    errand->result = json_pack("{s:o}", "types", handler_trace_types(bits));
    control_errand(control, object->worker, errand);
}

void handler_put_text(json_t *object, const char *key, const struct text *text)
{
    json_t *value = text_json(text);
    if (value)
        json_object_set_new(object, key, value);
}
