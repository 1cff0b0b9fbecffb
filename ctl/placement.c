/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/placement.c - on which worker a room has its home, and on which a transport lives. */
#include "ctl/placement.h"

#include <stdio.h>

int64_t placement_read(const struct control *control, struct fields *f)
{
    int64_t worker = -1;
    bool given = fields_int(f, "workerIndex", FIELD_OPTIONAL, 0,
                            (int64_t)control->config.workers_n - 1, &worker);
    return given ? worker : -1;
}

uint16_t placement_home(const struct control *control)
{
    const struct model *model = &control->model;
    uint16_t best = 0;
    uint64_t best_load = UINT64_MAX;
    for (uint16_t i = 0; i < model->places_n; i++) {
        uint64_t load = model_load(model, i) +
                        (uint64_t)PLACEMENT_ROUTER_LOAD * model->places[i].counts[NOUN_ROUTER];
        if (model->places[i].dead || load >= best_load)
            continue;
        best = i;
        best_load = load;
    }
    return best;
}

void placement_fail_dead(struct request *request, uint16_t worker)
{
    request_fail(request, RPC_STATE, "workerIndex", "a living worker", "a stopped one",
                 "worker %u has stopped", worker);
}

/* ---- what leaves no choice ---- */

static bool fail_pinned(struct request *request, const struct router *router, uint16_t worker)
{
    char expected[FIELD_TEXT_BYTES], got[16];
    snprintf(expected, sizeof(expected), "%u, or nothing: the router was made for that worker",
             router->o.worker);
    snprintf(got, sizeof(got), "%u", worker);
    request_fail(request, RPC_STATE, "workerIndex", expected, got,
                 "router %s has all its transports on worker %u", router->o.id, router->o.worker);
    return false;
}

static bool fail_shared(struct request *request, const struct wish *wish, uint16_t worker,
                        const struct socket *other)
{
    char path[FIELD_PATH_BYTES], where[ADDR_TEXT_BYTES];
    addr_format(&wish->local, where);
    snprintf(path, sizeof(path), "%.100s.port", wish->path);
    request_fail(request, RPC_EXISTS, path, "a port of the transport's worker", where,
                 "the shared socket %s is on worker %u, the transport would be on %u", where,
                 other->worker, worker);
    return false;
}

/* A shared socket is where it is. With SO_REUSEPORT each worker may have one of the same address.
 */
static bool settle_shared(const struct model *model, struct request *request,
                          const struct placement *placement, int64_t *worker)
{
    for (size_t i = 0; i < ARRAY_N(placement->wishes); i++) {
        const struct wish *wish = placement->wishes[i];
        if (!wish || !wish->shared)
            continue;
        const struct socket *other = model_shared_socket_any(model, &wish->local);
        if (!other || (*worker >= 0 && model_shared_socket(model, (uint16_t)*worker, &wish->local)))
            continue;
        if (*worker < 0)
            *worker = other->worker;
        else if (!wish->options.reuse_port)
            return fail_shared(request, wish, (uint16_t)*worker, other);
    }
    return true;
}

static bool settle(const struct model *model, struct request *request,
                   const struct placement *placement, int64_t *worker)
{
    const struct router *router = placement->router;
    const struct webrtc_server *server = placement->server;
    *worker = placement->worker;
    if (*worker >= 0 && model->places[*worker].dead) {
        placement_fail_dead(request, (uint16_t)*worker);
        return false;
    }
    if (router->pinned && *worker >= 0 && *worker != router->o.worker)
        return fail_pinned(request, router, (uint16_t)*worker);
    if (router->pinned)
        *worker = router->o.worker;
    if (!settle_shared(model, request, placement, worker))
        return false;
    if (*worker < 0 || !server || model_server_is_on(server, (uint16_t)*worker))
        return true;
    request_fail(request, RPC_STATE, "webRtcServerId", "a server on the transport's worker",
                 server->o.id, "server %s does not listen on worker %u", server->o.id,
                 (uint16_t)*worker);
    return false;
}

/* ---- choice ---- */

static bool is_candidate(const struct model *model, const struct webrtc_server *server,
                         uint16_t worker)
{
    return !model->places[worker].dead && (!server || model_server_is_on(server, worker));
}

static bool has_room(const struct model *model, uint16_t worker)
{
    const struct indices *of = model->places[worker].of;
    bool room = true;
    for (size_t kind = OBJECT_SOCKET; kind < OBJECT_KIND_N; kind++)
        room &= of[kind].used_n < of[kind].max;
    return room;
}

/* The least busy one that has room; if none has, of all. -1: there is no candidate. */
static int32_t least_busy(const struct model *model, const struct webrtc_server *server)
{
    int32_t best = -1;
    uint64_t best_load = 0;
    bool best_room = false;
    for (uint16_t i = 0; i < model->places_n; i++) {
        if (!is_candidate(model, server, i))
            continue;
        uint64_t load = model_load(model, i);
        bool room = has_room(model, i);
        if (best >= 0 && (room == best_room ? load >= best_load : best_room))
            continue;
        best = i;
        best_load = load;
        best_room = room;
    }
    return best;
}

static bool home_will_do(const struct model *model, const struct placement *placement,
                         uint16_t least)
{
    uint16_t home = placement->router->o.worker;
    return is_candidate(model, placement->server, home) && has_room(model, home) &&
           model_load(model, home) <= model_load(model, least) + PLACEMENT_MARGIN;
}

bool placement_find(const struct control *control, struct request *request,
                    const struct placement *placement, uint16_t *worker)
{
    const struct model *model = &control->model;
    int64_t settled = -1;
    if (!settle(model, request, placement, &settled))
        return false;
    if (settled >= 0) {
        *worker = (uint16_t)settled;
        return true;
    }
    int32_t least = least_busy(model, placement->server);
    if (least < 0) {
        request_fail(request, RPC_STATE, placement->server ? "webRtcServerId" : NULL,
                     "a server that listens", "none of its workers lives",
                     "no living worker can take the transport");
        return false;
    }
    *worker = (uint16_t)least;
    if (control->config.placement == PLACEMENT_HOME && home_will_do(model, placement, *worker))
        *worker = placement->router->o.worker;
    return true;
}
