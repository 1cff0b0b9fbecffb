/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/server.c - server.*: about the relay as a whole. */
#include "ctl/handlers.h"
#include "ctl/metrics.h"
#include "ctl/webrtcserver.h"

#include "core/clock.h"
#include "core/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *missing_json(const struct worker *worker)
{
    json_t *list = json_array();
    uint32_t missing = worker_missing(worker);
    for (uint32_t i = 0; i < IO_FEATURES_N; i++) {
        enum io_feature feature = (enum io_feature)(1u << i);
        if (missing >> i & 1)
            json_array_append_new(list, json_pack("{s:s, s:s}", "feature", io_feature_name(feature),
                                                  "remedy", io_feature_remedy(feature)));
    }
    return list;
}

static const char *state_name(const struct control *control)
{
    return control->stopping ? "stopping" : control->draining ? "draining" : "running";
}

void server_info(struct control *control, struct request *request, struct fields *f)
{
    (void)f;
    if (!handler_ok(request))
        return;
    json_t *workers = json_array();
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        const struct worker *worker = control->desks[i].worker;
        json_array_append_new(
            workers, json_pack("{s:i, s:s, s:i, s:b, s:o}", "index", (int)i, "engine",
                               config_engine_name(worker_engine(worker)), "threadId",
                               worker_thread_id(worker), "alive", (int)!control->desks[i].dead,
                               "missing", missing_json(worker)));
    }
    int64_t uptime_s = (clock_now_us() - control->started_us) / 1000000;
    request_result(request,
                   json_pack("{s:s, s:i, s:i, s:I, s:I, s:s, s:i, s:o}", "version", SLUICE_VERSION,
                             "protocolVersion", CONTROL_PROTOCOL_VERSION, "pid", (int)getpid(),
                             "startedAt", (json_int_t)(control->started_wall_us / 1000),
                             "uptimeSeconds", (json_int_t)uptime_s, "state", state_name(control),
                             "webRtcServers", (int)control->model.counts[NOUN_WEBRTC_SERVER],
                             "workers", workers));
}

static uint32_t bits_n(uint64_t set)
{
    return (uint32_t)__builtin_popcountll(set);
}

static json_t *connections_json(const struct control *control)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < control->conns_high; i++) {
        const struct conn *conn = control->conns[i];
        if (!conn)
            continue;
        json_array_append_new(list, json_pack("{s:I, s:i, s:i, s:i, s:i, s:I, s:i}", "serial",
                                              (json_int_t)conn->serial, "pid", (int)conn->pid,
                                              "uid", (int)conn->uid, "gid", (int)conn->gid,
                                              "requests", (int)conn->requests_n, "queuedBytes",
                                              (json_int_t)conn_queued_bytes(conn), "subscriptions",
                                              (int)(bits_n(conn->notices_all) + conn->ids_n)));
    }
    return list;
}

static json_t *desks_json(const struct control *control)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        json_t *ids = json_array();
        const struct router *router = NULL;
        LIST_EACH(router, &control->model.routers, struct router, link)
        {
            if (router->o.worker == i)
                json_array_append_new(ids, json_string(router->o.id));
        }
        json_array_append_new(list, json_pack("{s:i, s:o, s:I, s:i, s:i}", "index", (int)i,
                                              "routerIds", ids, "load",
                                              (json_int_t)model_load(&control->model, (uint16_t)i),
                                              "waitingCommands", (int)control->desks[i].waiting_n,
                                              "openCommands", (int)control->desks[i].out_n));
    }
    return list;
}

static json_t *shared_sockets_json(const struct control *control)
{
    json_t *list = json_array();
    const struct socket *socket = NULL;
    LIST_EACH(socket, &control->model.shared_sockets, struct socket, link)
    {
        char ip[ADDR_TEXT_BYTES];
        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:i, s:i}", "workerIndex", (int)socket->worker,
                                        "ip", addr_format_ip(&socket->local, ip), "port",
                                        (int)addr_port(&socket->local), "transports",
                                        (int)socket->transports_n));
    }
    return list;
}

static json_t *servers_json(const struct control *control)
{
    json_t *list = json_array();
    const struct webrtc_server *server = NULL;
    LIST_EACH(server, &control->model.servers, struct webrtc_server, link)
    {
        json_t *entry = webrtcserver_json(control, server);
        json_object_set_new(entry, "tied", json_boolean(server->tied));
        json_object_set_new(entry, "transports", json_integer(server->transports_n));
        json_array_append_new(list, entry);
    }
    return list;
}

void server_dump(struct control *control, struct request *request, struct fields *f)
{
    (void)f;
    if (!handler_ok(request))
        return;
    request_result(request,
                   json_pack("{s:o, s:o, s:o, s:o, s:o}", "config", config_json(&control->config),
                             "connections", connections_json(control), "workers",
                             desks_json(control), "sharedSockets", shared_sockets_json(control),
                             "webRtcServers", servers_json(control)));
}

void server_stats(struct control *control, struct request *request, struct fields *f)
{
    (void)f;
    if (!handler_ok(request))
        return;
    json_t *workers = json_array();
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        const struct worker_counters *counters = worker_counters(control->desks[i].worker);
        json_array_append_new(workers, json_pack("{s:i, s:o, s:o}", "index", (int)i, "counters",
                                                 metrics_worker(counters), "drops",
                                                 metrics_worker_drops(counters)));
    }
    request_result(request, json_pack("{s:I, s:o, s:o, s:o, s:o}", "timestamp",
                                      (json_int_t)(clock_wall_us() / 1000), "control",
                                      metrics_control(control), "totals", metrics_total(control),
                                      "drops", metrics_total_drops(control), "workers", workers));
}

void server_metrics(struct control *control, struct request *request, struct fields *f)
{
    (void)f;
    if (!handler_ok(request))
        return;
    char *text = metrics_text(control);
    if (!text) {
        request_fail_memory(request);
        return;
    }
    request_result(request, json_pack("{s:s}", "text", text));
    free(text);
}

/* What the workers have, against which the model's own count can be held. */
static json_t *worker_census(const struct control *control, uint32_t i)
{
    const struct worker_counters *counters = worker_counters(control->desks[i].worker);
    const struct place *place = &control->model.places[i];
    return json_pack(
        "{s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "index", (int)i, "routers",
        (int)place->counts[NOUN_ROUTER], "transports",
        (json_int_t)atomic_load_explicit(&counters->transports, memory_order_relaxed), "producers",
        (json_int_t)atomic_load_explicit(&counters->producers, memory_order_relaxed), "consumers",
        (json_int_t)atomic_load_explicit(&counters->consumers, memory_order_relaxed), "mirrors",
        (json_int_t)atomic_load_explicit(&counters->mirrors, memory_order_relaxed), "sockets",
        (json_int_t)atomic_load_explicit(&counters->sockets, memory_order_relaxed));
}

void server_census(struct control *control, struct request *request, struct fields *f)
{
    (void)f;
    if (!handler_ok(request))
        return;
    const struct control_count *count = &control->count;
    json_t *workers = json_array();
    uint32_t commands = 0;
    control_gauges(control);
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        json_array_append_new(workers, worker_census(control, i));
        commands += control->desks[i].waiting_n + control->desks[i].out_n;
    }
    /* This request itself is not counted. */
    request_result(
        request,
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "routers",
                  (json_int_t)count->routers, "transports", (json_int_t)count->transports,
                  "producers", (json_int_t)count->producers, "consumers",
                  (json_int_t)count->consumers, "mirrors", (json_int_t)count->mirrors,
                  "webRtcServers", (json_int_t)count->webrtc_servers, "sockets",
                  (json_int_t)count->sockets, "connections", (json_int_t)count->connections,
                  "requests", (json_int_t)count->requests_pending - 1, "commands",
                  (json_int_t)commands, "texts", (json_int_t)control->model.texts.n,
                  "residentBytes", (json_int_t)count->resident_bytes, "workers", workers));
}

void server_setLog(struct control *control, struct request *request, struct fields *f)
{
    static const char *const levels[] = {"none", "error", "warn", "info", "debug", NULL};
    static const char *const formats[] = {"text", "json", NULL};
    int level = (int)control->config.log_level;
    int format = (int)control->config.log_format;
    fields_enum(f, "level", FIELD_OPTIONAL, levels, &level);
    fields_enum(f, "format", FIELD_OPTIONAL, formats, &format);
    if (!handler_ok(request))
        return;
    control->config.log_level = (enum log_level)level;
    control->config.log_format = (enum log_format)format;
    log_set(control->config.log_level, control->config.log_format);
    request_result(request,
                   json_pack("{s:s, s:s}", "level", levels[level], "format", formats[format]));
}

void server_drain(struct control *control, struct request *request, struct fields *f)
{
    int64_t seconds = control->config.drain_seconds;
    fields_int(f, "seconds", FIELD_OPTIONAL, 0, 86400, &seconds);
    if (!handler_ok(request))
        return;
    control_drain(control, (uint32_t)seconds);
    request_result(request,
                   json_pack("{s:s, s:i, s:i}", "state", state_name(control), "routers",
                             (int)control->model.counts[NOUN_ROUTER], "seconds", (int)seconds));
}

void server_shutdown(struct control *control, struct request *request, struct fields *f)
{
    (void)f;
    if (!handler_ok(request))
        return;
    log_info("control", "stopping: controller %llu asked for it",
             (unsigned long long)request_owner(request));
    control->stopping = true;
    request_result(request, json_pack("{s:s}", "state", state_name(control)));
}

static json_t *words_json(const char *fields)
{
    json_t *list = json_array();
    size_t n = 0;
    for (const char *at = method_next_field(fields, &n); at; at = method_next_field(at + n, &n))
        json_array_append_new(list, json_stringn(at, n));
    return list;
}

void server_methods(struct control *control, struct request *request, struct fields *f)
{
    (void)control;
    (void)f;
    if (!handler_ok(request))
        return;
    json_t *list = json_array(), *events = json_array();
    for (size_t i = 0; i < METHOD_N; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "name", methods[i].name, "params",
                                              words_json(methods[i].params), "result",
                                              words_json(methods[i].result)));
    for (size_t i = 0; i < NOTICE_N; i++)
        json_array_append_new(events, json_pack("{s:s, s:o}", "name", notices[i].name, "params",
                                                words_json(notices[i].params)));
    request_result(request, json_pack("{s:o, s:o}", "methods", list, "events", events));
}

/* ---- trace ---- */

static json_t *trace_json(const struct trace *trace)
{
    json_t *list = json_array();
    uint32_t n = trace->n < TRACE_EVENTS ? trace->n : TRACE_EVENTS;
    for (uint32_t i = trace->n - n; i != trace->n; i++) {
        const struct trace_event *event = &trace->events[i % TRACE_EVENTS];
        const char *kind = event->kind < TRACE_N ? trace_name((enum trace_kind)event->kind) : "?";
        json_array_append_new(list, json_pack("{s:I, s:s, s:I, s:I}", "atUs",
                                              (json_int_t)event->at_us, "kind", kind, "a",
                                              (json_int_t)event->a, "b", (json_int_t)event->b));
    }
    return list;
}

static void on_trace(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    (void)control;
    if (outcome->result != 0) {
        request_fail_errno(errand->request, outcome->result, "no trace");
        return;
    }
    const struct trace *trace = errand->payload;
    request_result(errand->request,
                   json_pack("{s:i, s:I, s:o}", "workerIndex", (int)errand->worker, "written",
                             (json_int_t)trace->n, "events", trace_json(trace)));
}

void server_trace(struct control *control, struct request *request, struct fields *f)
{
    int64_t worker = 0;
    fields_int(f, "workerIndex", FIELD_OPTIONAL, 0, (int64_t)control->config.workers_n - 1,
               &worker);
    if (!handler_ok(request))
        return;
    struct errand *errand = errand_make(COMMAND_TRACE_DUMP, 0, false, on_trace);
    if (errand)
        errand->payload = calloc(1, sizeof(struct trace));
    if (!errand || !errand->payload) {
        free(errand);
        request_fail_memory(request);
        return;
    }
    errand->request = request;
    control_errand(control, (uint16_t)worker, errand);
}
