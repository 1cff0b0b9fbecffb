/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/close.c - ends of objects and of all that hangs on them, in the order that a worker needs. */
#include "ctl/close.h"

#include "ctl/consumer.h"
#include "ctl/mirror.h"
#include "ctl/notify.h"

#include <errno.h>
#include <stdlib.h>

static struct indices *indices_of(struct control *control, uint16_t worker, enum object_kind kind)
{
    return &control->model.places[worker].of[kind];
}

/* -ENOENT: its opening had failed. Anything else than 0 would be a bug of ours or a worker that has
 * died: the index is not used again then. */
void close_index(struct control *control, const struct errand *errand, enum object_kind kind,
                 const struct outcome *outcome)
{
    if (outcome->result == 0 || outcome->result == -ENOENT)
        indices_give(indices_of(control, errand->worker, kind), errand->index);
    else if (outcome->result != -ESHUTDOWN)
        log_error("control", "worker %u could not close %s %u: %s", errand->worker,
                  kind == OBJECT_SOCKET ? "socket" : "object", errand->index,
                  strerror(-outcome->result));
}

static enum object_kind kind_of(const struct object *object)
{
    return object->noun == NOUN_TRANSPORT  ? OBJECT_TRANSPORT
           : object->noun == NOUN_PRODUCER ? OBJECT_PRODUCER
                                           : OBJECT_CONSUMER;
}

/* Of one of the objects that a request ends with the one that it names. */
static void ended(struct request *request)
{
    if (request && request_came(request, 0))
        request_result(request, NULL);
}

static void waits(struct errand *close, struct request *request)
{
    close->request = request;
    if (request)
        request_wait(request);
}

static void on_object_closed(struct control *control, struct errand *errand,
                             const struct outcome *outcome)
{
    struct object *object = errand->object;
    struct request *request = errand->request;
    close_index(control, errand, kind_of(object), outcome);
    control->trim.closed_n++;
    model_free(&control->model, object);
    ended(request);
}

/* The last socket of a WebRTC server is gone, and with it the server. */
static void server_end(struct control *control, struct webrtc_server *server)
{
    control->trim.closed_n++;
    model_free(&control->model, &server->o);
}

static void on_socket_closed(struct control *control, struct errand *errand,
                             const struct outcome *outcome)
{
    struct socket *socket = errand->object;
    struct webrtc_server *server = socket->server;
    struct request *request = errand->request;
    close_index(control, errand, OBJECT_SOCKET, outcome);
    texts_drop(&control->model.texts, socket->announced);
    free(socket);
    if (server && --server->sockets_n == 0 && server->o.closing)
        server_end(control, server);
    ended(request);
}

static void object_post(struct control *control, struct object *object, enum command_kind kind,
                        struct request *request)
{
    errand_embed(&object->close, kind, object->index, on_object_closed);
    object->close.object = object;
    waits(&object->close, request);
    control_errand(control, object->worker, &object->close);
}

static void object_leave(struct control *control, struct object *object)
{
    model_remove(&control->model, object);
    notify_end(control, object);
}

void close_consumer(struct control *control, struct consumer *consumer, struct request *request,
                    enum notice notice)
{
    if (consumer->asker) /* it is open, and its end comes after that answer */
        consumer_answer(control, consumer, 0);
    if (notice != NOTICE_N)
        notify(control, notice, &consumer->o, NULL);
    object_leave(control, &consumer->o);
    object_post(control, &consumer->o, COMMAND_CONSUMER_CLOSE, request);
    if (consumer->mirror)
        mirror_leave(control, consumer->mirror, request);
}

void close_producer(struct control *control, struct producer *producer, struct request *request,
                    enum notice notice)
{
    struct consumer *consumer = NULL;
    if (notice != NOTICE_N)
        notify(control, notice, &producer->o, NULL);
    LIST_EACH(consumer, &producer->consumers, struct consumer, producer_link)
    close_consumer(control, consumer, request, NOTICE_CONSUMER_PRODUCERCLOSE);
    ASSERT(list_is_empty(&producer->mirrors));
    object_leave(control, &producer->o);
    object_post(control, &producer->o, COMMAND_PRODUCER_CLOSE, request);
}

void close_socket(struct control *control, struct socket *socket, struct request *request)
{
    ASSERT(socket->transports_n == 0);
    list_remove(&socket->link);
    control->model.sockets_n--;
    indices_forget(indices_of(control, socket->worker, OBJECT_SOCKET), socket->index);
    errand_embed(&socket->close, COMMAND_SOCKET_CLOSE, socket->index, on_socket_closed);
    socket->close.object = socket;
    waits(&socket->close, request);
    control_errand(control, socket->worker, &socket->close);
}

/* The transport itself, when nothing hangs on it any more. */
static void transport_end(struct control *control, struct transport *transport,
                          struct request *request, enum notice notice)
{
    struct socket *ending[TRANSPORT_SOCKETS_MAX];
    size_t ending_n = 0;
    if (notice != NOTICE_N)
        notify(control, notice, &transport->o, NULL);
    object_leave(control, &transport->o);
    for (size_t i = 0; i < transport->sockets_n; i++) {
        struct socket *socket = transport->sockets[i];
        if (--socket->transports_n == 0 && !socket->server)
            ending[ending_n++] = socket;
    }
    object_post(control, &transport->o, COMMAND_TRANSPORT_CLOSE, request);
    for (size_t i = 0; i < ending_n; i++)
        close_socket(control, ending[i], request);
}

void close_transport(struct control *control, struct transport *transport, struct request *request,
                     enum notice notice)
{
    struct consumer *consumer = NULL;
    struct producer *producer = NULL;
    LIST_EACH(consumer, &transport->consumers, struct consumer, link)
    close_consumer(control, consumer, request, NOTICE_CONSUMER_TRANSPORTCLOSE);
    LIST_EACH(producer, &transport->producers, struct producer, link)
    close_producer(control, producer, request, NOTICE_PRODUCER_TRANSPORTCLOSE);
    transport_end(control, transport, request, notice);
}

void close_router(struct control *control, struct router *router, struct request *request,
                  enum notice notice)
{
    struct transport *transport = NULL;
    struct consumer *consumer = NULL;
    struct producer *producer = NULL;
    LIST_EACH(transport, &router->transports, struct transport, link)
    {
        LIST_EACH(consumer, &transport->consumers, struct consumer, link)
        close_consumer(control, consumer, request, NOTICE_CONSUMER_TRANSPORTCLOSE);
    }
    LIST_EACH(transport, &router->transports, struct transport, link)
    {
        LIST_EACH(producer, &transport->producers, struct producer, link)
        close_producer(control, producer, request, NOTICE_PRODUCER_TRANSPORTCLOSE);
    }
    LIST_EACH(transport, &router->transports, struct transport, link)
    transport_end(control, transport, request, NOTICE_TRANSPORT_ROUTERCLOSE);
    if (notice != NOTICE_N)
        notify(control, notice, &router->o, NULL);
    object_leave(control, &router->o);
    control->trim.closed_n++;
    model_free(&control->model, &router->o);
    if (request && request->waits_n == 0)
        request_result(request, NULL);
}

void close_server(struct control *control, struct webrtc_server *server, struct request *request,
                  enum notice notice)
{
    struct webrtc *webrtc = NULL;
    LIST_EACH(webrtc, &server->transports, struct webrtc, link)
    close_transport(control, webrtc->transport, request, NOTICE_TRANSPORT_LISTENSERVERCLOSE);
    if (notice != NOTICE_N)
        notify(control, notice, &server->o, NULL);
    object_leave(control, &server->o);
    size_t n = (size_t)control->model.places_n * server->infos_n;
    for (size_t i = 0; i < n; i++) {
        struct socket *socket = server->sockets[i];
        server->sockets[i] = NULL;
        if (socket)
            close_socket(control, socket, request);
    }
    if (server->sockets_n == 0)
        server_end(control, server);
    if (request && request->waits_n == 0)
        request_result(request, NULL);
}

void close_server_on(struct control *control, struct webrtc_server *server, uint16_t worker)
{
    bool remains = false;
    for (size_t i = 0; i < server->infos_n; i++) {
        size_t at = (size_t)worker * server->infos_n + i;
        struct socket *socket = server->sockets[at];
        server->sockets[at] = NULL;
        if (socket)
            close_socket(control, socket, NULL);
    }
    for (uint16_t i = 0; i < control->model.places_n; i++)
        remains |= model_server_is_on(server, i);
    if (!remains)
        close_server(control, server, NULL, NOTICE_WEBRTCSERVER_WORKERCLOSE);
}
