/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/webrtcserver.c - webRtcServer.*: sockets that many WebRTC transports share, on one worker or
 * on each. */
#include "ctl/webrtcserver.h"
#include "ctl/close.h"
#include "ctl/handlers.h"
#include "ctl/socket.h"

#include <stdio.h>
#include <stdlib.h>

/* What create has read. */
struct plan {
    const char *id;
    const json_t *app_data;
    struct wish wishes[TRANSPORT_SOCKETS_MAX];
    uint32_t wishes_n;
    int64_t worker; /* -1: each that lives */
    bool tied;
};

static json_t *socket_json(const struct socket *socket)
{
    char ip[ADDR_TEXT_BYTES];
    json_t *out = json_pack("{s:s, s:i, s:i}", "ip", addr_format_ip(&socket->local, ip), "port",
                            (int)addr_port(&socket->local), "workerIndex", (int)socket->worker);
    handler_put_text(out, "announcedAddress", socket->announced);
    return out;
}

json_t *webrtcserver_json(const struct control *control, const struct webrtc_server *server)
{
    json_t *udp = json_array(), *tcp = json_array();
    size_t n = (size_t)control->model.places_n * server->infos_n;
    for (size_t i = 0; i < n; i++) {
        const struct socket *socket = server->sockets[i];
        if (socket)
            json_array_append_new(socket->tcp ? tcp : udp, socket_json(socket));
    }
    json_t *out =
        json_pack("{s:s, s:o, s:o}", "id", server->o.id, "udpSockets", udp, "tcpServers", tcp);
    if (server->pinned)
        json_object_set_new(out, "workerIndex", json_integer(server->o.worker));
    return out;
}

/* ---- create ---- */

/* The last of its sockets answers. */
static void on_opened(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    struct socket *socket = errand->object;
    struct webrtc_server *server = socket->server;
    struct request *request = server->opener;
    socket->failed = outcome->result;
    if (outcome->result != 0 && server->failed == 0)
        server->failed = outcome->result;
    if (--server->opening_n > 0 || !request)
        return;
    server->opener = NULL;
    if (server->failed == 0) {
        server->o.opened = true;
        request_result(request, webrtcserver_json(control, server));
        return;
    }
    request_fail_errno(request, server->failed, "a worker could not open a socket");
    if (!server->o.closing)
        close_server(control, server, NULL, NOTICE_N);
}

static struct webrtc_server *server_make(struct control *control, struct request *request,
                                         const struct plan *plan)
{
    struct model *model = &control->model;
    struct socket **sockets =
        calloc((size_t)model->places_n * plan->wishes_n, sizeof(struct socket *));
    struct webrtc_server *server = NULL;
    if (sockets)
        server = (struct webrtc_server *)model_add(model, NOUN_WEBRTC_SERVER, plan->id,
                                                   plan->worker < 0 ? 0 : (uint16_t)plan->worker,
                                                   request_owner(request));
    if (!server) {
        free(sockets);
        request_fail_memory(request);
        return NULL;
    }
    list_init(&server->transports);
    list_append(&model->servers, &server->link);
    server->sockets = sockets;
    server->infos_n = plan->wishes_n;
    server->pinned = plan->worker >= 0;
    server->tied = plan->tied;
    server->o.app_data = texts_keep(&model->texts, plan->app_data);
    return server;
}

/* A socket for each berth; false with the request answered and the server closed. */
static bool sockets_make(struct control *control, struct request *request,
                         struct webrtc_server *server, struct berth berths[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct socket *socket = socket_make(control, request, &berths[i], server, on_opened);
        if (!socket) {
            close_server(control, server, NULL, NOTICE_N);
            return false;
        }
        server->sockets[(size_t)socket->worker * server->infos_n + i % server->infos_n] = socket;
        server->sockets_n++;
        server->opening_n++;
    }
    return true;
}

/* Each worker has its own port: a port that is named is the first worker's, and the next ones count
 * up from it. */
static size_t berths_fill(const struct control *control, const struct plan *plan,
                          struct berth berths[])
{
    size_t n = 0;
    for (uint16_t worker = 0; worker < control->config.workers_n; worker++) {
        if (plan->worker < 0 ? control->desks[worker].dead : worker != plan->worker)
            continue;
        for (size_t i = 0; i < plan->wishes_n; i++) {
            struct berth *berth = &berths[n++];
            *berth = berth_of(&plan->wishes[i], worker);
            uint16_t port = addr_port(&berth->local);
            if (port != 0 && plan->worker < 0)
                addr_set_port(&berth->local, (uint16_t)(port + worker));
        }
    }
    return n;
}

static void server_create(struct control *control, struct request *request, const struct plan *plan)
{
    size_t n = (size_t)control->config.workers_n * plan->wishes_n;
    struct berth *berths = calloc(n, sizeof(*berths));
    if (!berths) {
        request_fail_memory(request);
        return;
    }
    n = berths_fill(control, plan, berths);
    if (berths_find(control, request, berths, n)) {
        struct webrtc_server *server = server_make(control, request, plan);
        if (server && sockets_make(control, request, server, berths, n))
            server->opener = request;
        berths_leave(berths, n);
    }
    free(berths);
}

static void judge_ports(const struct control *control, struct request *request,
                        const struct plan *plan)
{
    uint32_t highest = UINT16_MAX - (control->config.workers_n - 1);
    for (size_t i = 0; i < plan->wishes_n && plan->worker < 0; i++) {
        uint16_t port = addr_port(&plan->wishes[i].local);
        if (port <= highest)
            continue;
        char path[FIELD_PATH_BYTES], expected[FIELD_TEXT_BYTES], got[16];
        snprintf(path, sizeof(path), "%.100s.port", plan->wishes[i].path);
        snprintf(expected, sizeof(expected), "at most %u: there is a port for each worker",
                 highest);
        snprintf(got, sizeof(got), "%u", port);
        field_error_set(&request->err, path, expected, got);
    }
}

void webrtcserver_create(struct control *control, struct request *request, struct fields *f)
{
    struct plan plan = {.worker = -1};
    fields_int(f, "workerIndex", FIELD_OPTIONAL, 0, (int64_t)control->config.workers_n - 1,
               &plan.worker);
    fields_bool(f, "tied", FIELD_OPTIONAL, &plan.tied);
    plan.wishes_n = wish_read_list(control, request, f, plan.wishes);
    plan.app_data = handler_app_data(f);
    judge_ports(control, request, &plan);
    if (!handler_new_id(control, request, f, NOUN_WEBRTC_SERVER, &plan.id))
        return;
    if (control->draining) {
        request_fail(request, RPC_DRAINING, NULL, NULL, NULL, "the relay is draining");
        return;
    }
    if (control->model.counts[NOUN_WEBRTC_SERVER] >= CONTROL_SERVERS_MAX) {
        request_fail(request, RPC_FULL, NULL, NULL, NULL, "%d WebRTC servers are open",
                     CONTROL_SERVERS_MAX);
        return;
    }
    if (plan.worker >= 0 && control->desks[plan.worker].dead) {
        request_fail(request, RPC_STATE, "workerIndex", "a living worker", "a stopped one",
                     "worker %d has stopped", (int)plan.worker);
        return;
    }
    server_create(control, request, &plan);
}

/* ---- dump, close ---- */

void webrtcserver_dump(struct control *control, struct request *request, struct fields *f)
{
    const struct webrtc_server *server = (const struct webrtc_server *)handler_object(
        control, request, f, "webRtcServerId", NOUN_WEBRTC_SERVER);
    if (!server)
        return;
    json_t *ids = json_array(), *fragments = json_array();
    const struct webrtc *webrtc = NULL;
    LIST_EACH(webrtc, &server->transports, struct webrtc, link)
    {
        const char *id = webrtc->transport->o.id;
        json_array_append_new(ids, json_string(id));
        json_array_append_new(fragments, json_pack("{s:s%, s:s}", "localIceUsernameFragment",
                                                   webrtc->credentials.ufrag,
                                                   (size_t)webrtc->credentials.ufrag_bytes,
                                                   "webRtcTransportId", id));
    }
    json_t *out = webrtcserver_json(control, server);
    json_object_set_new(out, "webRtcTransportIds", ids);
    json_object_set_new(out, "localIceUsernameFragments", fragments);
    json_object_set_new(out, "tied", json_boolean(server->tied));
    handler_put_text(out, "appData", server->o.app_data);
    request_result(request, out);
}

void webrtcserver_close(struct control *control, struct request *request, struct fields *f)
{
    struct webrtc_server *server = (struct webrtc_server *)handler_object(
        control, request, f, "webRtcServerId", NOUN_WEBRTC_SERVER);
    if (server)
        close_server(control, server, request, NOTICE_WEBRTCSERVER_CLOSE);
}
