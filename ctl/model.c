/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/model.c - the object model: routers, transports, producers, consumers and WebRTC servers,
 * their ids and their places in the workers. */
#include "ctl/model.h"

#include "core/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *const noun_names[NOUN_N] = {"router", "transport", "producer", "consumer",
                                        "webRtcServer"};

static const size_t noun_bytes[NOUN_N] = {sizeof(struct router), sizeof(struct transport),
                                          sizeof(struct producer), sizeof(struct consumer),
                                          sizeof(struct webrtc_server)};

static uint32_t hash_of(enum noun noun, const char *id)
{
    uint32_t hash = 2166136261u + (uint32_t)noun;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619u;
    return hash;
}

static struct object **slot_of(const struct model *model, uint32_t hash)
{
    return &model->buckets[hash & (model->buckets_n - 1)];
}

/* Doubles the buckets; without memory the chains just grow longer. */
static void buckets_grow(struct model *model)
{
    uint32_t n = model->buckets_n * 2;
    struct object **buckets = calloc(n, sizeof(*buckets));
    if (!buckets)
        return;
    for (uint32_t i = 0; i < model->buckets_n; i++) {
        struct object *next = NULL;
        for (struct object *at = model->buckets[i]; at; at = next) {
            next = at->hash_next;
            at->hash_next = buckets[at->hash & (n - 1)];
            buckets[at->hash & (n - 1)] = at;
        }
    }
    free(model->buckets);
    model->buckets = buckets;
    model->buckets_n = n;
}

int model_init(struct model *model, uint32_t workers_n, const struct model_limits *limits)
{
    *model = (struct model){.buckets_n = MODEL_BUCKETS_MIN, .places_n = workers_n};
    list_init(&model->routers);
    list_init(&model->servers);
    list_init(&model->shared_sockets);
    texts_init(&model->texts);
    model->buckets = calloc(MODEL_BUCKETS_MIN, sizeof(*model->buckets));
    model->places = calloc(workers_n, sizeof(*model->places));
    if (!model->buckets || !model->places) {
        free(model->buckets);
        free(model->places);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < workers_n; i++) {
        struct indices *of = model->places[i].of;
        of[OBJECT_SOCKET].max = limits->sockets;
        of[OBJECT_TRANSPORT].max = limits->transports;
        of[OBJECT_PRODUCER].max = limits->producers;
        of[OBJECT_CONSUMER].max = limits->consumers;
    }
    return 0;
}

struct object *model_find(const struct model *model, enum noun noun, const char *id)
{
    uint32_t hash = hash_of(noun, id);
    for (struct object *at = *slot_of(model, hash); at; at = at->hash_next) {
        if (at->hash == hash && at->noun == noun && strcmp(at->id, id) == 0)
            return at;
    }
    return NULL;
}

void uuid_make(char text[UUID_BYTES])
{
    uint8_t raw[16];
    random_bytes(raw, sizeof(raw));
    raw[6] = (raw[6] & 0x0f) | 0x40;
    raw[8] = (raw[8] & 0x3f) | 0x80;
    size_t at = 0;
    for (size_t i = 0; i < sizeof(raw); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        snprintf(text + at, UUID_BYTES - at, "%02x", raw[i]);
        at += 2;
    }
}

struct object *model_add(struct model *model, enum noun noun, const char *id, uint16_t worker,
                         uint64_t owner)
{
    ASSERT(worker < model->places_n);
    char made[UUID_BYTES];
    if (!id)
        uuid_make(made);
    struct object *object = calloc(1, noun_bytes[noun]);
    char *copy = strdup(id ? id : made);
    if (!object || !copy) {
        free(object);
        free(copy);
        return NULL;
    }
    if (model->objects_n >= model->buckets_n)
        buckets_grow(model);

    *object = (struct object){.noun = noun, .worker = worker, .owner = owner, .id = copy};
    object->index = INDEX_NONE;
    object->hash = hash_of(noun, copy);
    struct object **bucket = slot_of(model, object->hash);
    object->hash_next = *bucket;
    *bucket = object;
    model->objects_n++;
    model->counts[noun]++;
    model->places[worker].counts[noun]++;
    return object;
}

static void links_remove(struct object *object)
{
    switch (object->noun) {
    case NOUN_ROUTER:
        list_remove(&((struct router *)object)->link);
        return;
    case NOUN_TRANSPORT: {
        struct transport *transport = (struct transport *)object;
        transport->router->transports_n--;
        list_remove(&transport->link);
        if (transport->webrtc && transport->webrtc->server) {
            transport->webrtc->server->transports_n--;
            list_remove(&transport->webrtc->link);
        }
        return;
    }
    case NOUN_PRODUCER: {
        struct producer *producer = (struct producer *)object;
        producer->transport->router->producers_n--;
        list_remove(&producer->link);
        return;
    }
    case NOUN_CONSUMER: {
        struct consumer *consumer = (struct consumer *)object;
        consumer->transport->router->consumers_n--;
        list_remove(&consumer->link);
        list_remove(&consumer->producer_link);
        return;
    }
    case NOUN_WEBRTC_SERVER:
        list_remove(&((struct webrtc_server *)object)->link);
        return;
    case NOUN_N:
        break;
    }
    ASSERT(false);
}

static enum object_kind kind_of(enum noun noun)
{
    return noun == NOUN_TRANSPORT  ? OBJECT_TRANSPORT
           : noun == NOUN_PRODUCER ? OBJECT_PRODUCER
                                   : OBJECT_CONSUMER;
}

void model_remove(struct model *model, struct object *object)
{
    ASSERT(!object->closing);
    struct object **at = slot_of(model, object->hash);
    while (*at != object) {
        ASSERT(*at != NULL);
        at = &(*at)->hash_next;
    }
    *at = object->hash_next;
    object->hash_next = NULL;
    object->closing = true;
    model->objects_n--;
    model->counts[object->noun]--;
    model->places[object->worker].counts[object->noun]--;
    links_remove(object);
    if (object->index != INDEX_NONE)
        indices_forget(&model->places[object->worker].of[kind_of(object->noun)], object->index);
}

static void webrtc_free(struct model *model, struct webrtc *webrtc)
{
    if (!webrtc)
        return;
    texts_drop(&model->texts, webrtc->candidates);
    explicit_bzero(&webrtc->credentials, sizeof(webrtc->credentials));
    free(webrtc->remote_cert);
    free(webrtc);
}

/* What the object refers to and nobody else frees. */
static void object_release(struct model *model, struct object *object)
{
    struct texts *texts = &model->texts;
    texts_drop(texts, object->app_data);
    if (object->noun == NOUN_ROUTER) {
        texts_drop(texts, ((struct router *)object)->capabilities);
    } else if (object->noun == NOUN_TRANSPORT) {
        struct transport *transport = (struct transport *)object;
        texts_drop(texts, transport->announced);
        texts_drop(texts, transport->rtcp_announced);
        webrtc_free(model, transport->webrtc);
        explicit_bzero(&transport->keys, sizeof(transport->keys));
    } else if (object->noun == NOUN_PRODUCER) {
        struct producer *producer = (struct producer *)object;
        texts_drop(texts, producer->params);
        texts_drop(texts, producer->mapping);
        texts_drop(texts, producer->consumable);
    } else if (object->noun == NOUN_CONSUMER) {
        texts_drop(texts, ((struct consumer *)object)->params);
        texts_drop(texts, ((struct consumer *)object)->encodings);
    } else {
        free(((struct webrtc_server *)object)->sockets);
    }
}

void model_free(struct model *model, struct object *object)
{
    ASSERT(object->closing);
    object_release(model, object);
    free(object->id);
    free(object);
}

uint64_t model_load(const struct model *model, uint16_t worker)
{
    const uint32_t *counts = model->places[worker].counts;
    /* A consumer is an encryption and a send for each packet of its stream. What comes in is
     * received, decrypted, accounted and retained, about twice that. A transport is little by
     * itself, but each stands for consumers that it will have. */
    return counts[NOUN_CONSUMER] + 2ull * counts[NOUN_PRODUCER] + counts[NOUN_TRANSPORT];
}

void model_move_router(struct model *model, struct router *router, uint16_t worker)
{
    model->places[router->o.worker].counts[NOUN_ROUTER]--;
    model->places[worker].counts[NOUN_ROUTER]++;
    router->o.worker = worker;
}

void model_add_mirror(struct model *model, struct producer *producer, struct mirror *mirror)
{
    mirror->producer = producer;
    list_append(&producer->mirrors, &mirror->link);
    model->mirrors_n++;
    model->places[mirror->reader.worker].mirrors_n++;
}

void model_remove_mirror(struct model *model, struct mirror *mirror)
{
    mirror->producer = NULL;
    list_remove(&mirror->link);
    model->mirrors_n--;
    model->places[mirror->reader.worker].mirrors_n--;
}

static bool indices_grow(struct indices *indices)
{
    uint32_t room = indices->room ? indices->room * 2 : 16;
    if (room > indices->max)
        room = indices->max;
    void **objects = realloc(indices->objects, room * sizeof(*objects));
    if (objects)
        indices->objects = objects;
    uint32_t *spare = realloc(indices->free, room * sizeof(*spare));
    if (spare)
        indices->free = spare;
    if (!objects || !spare)
        return false;
    indices->room = room;
    return true;
}

uint32_t indices_take(struct indices *indices, void *object)
{
    uint32_t index = INDEX_NONE;
    if (indices->free_n > 0) {
        index = indices->free[--indices->free_n];
    } else {
        if (indices->fresh_at == indices->max)
            return INDEX_NONE;
        if (indices->fresh_at == indices->room && !indices_grow(indices))
            return INDEX_NONE;
        index = indices->fresh_at++;
    }
    indices->objects[index] = object;
    indices->used_n++;
    return index;
}

void indices_forget(struct indices *indices, uint32_t index)
{
    ASSERT(index < indices->fresh_at);
    indices->objects[index] = NULL;
}

void indices_give(struct indices *indices, uint32_t index)
{
    ASSERT(index < indices->fresh_at);
    ASSERT(indices->used_n > 0);
    indices->objects[index] = NULL;
    indices->free[indices->free_n++] = index;
    indices->used_n--;
}

bool model_server_is_on(const struct webrtc_server *server, uint16_t worker)
{
    return server->sockets[worker * server->infos_n] != NULL;
}

bool transport_has_ssrc(const struct transport *transport, uint32_t ssrc)
{
    const struct consumer *consumer = NULL;
    LIST_EACH(consumer, &transport->consumers, struct consumer, link)
    {
        if (consumer->ssrc == ssrc || consumer->rtx_ssrc == ssrc)
            return true;
    }
    return false;
}

struct socket *model_shared_socket(const struct model *model, uint16_t worker,
                                   const struct addr *local)
{
    struct socket *socket = NULL;
    LIST_EACH(socket, &model->shared_sockets, struct socket, link)
    {
        if (socket->worker == worker && addr_equal(&socket->local, local))
            return socket;
    }
    return NULL;
}

struct socket *model_shared_socket_any(const struct model *model, const struct addr *local)
{
    struct socket *socket = NULL;
    LIST_EACH(socket, &model->shared_sockets, struct socket, link)
    {
        if (addr_equal(&socket->local, local))
            return socket;
    }
    return NULL;
}

static void socket_free(struct model *model, struct socket *socket)
{
    list_remove(&socket->link);
    texts_drop(&model->texts, socket->announced);
    model->sockets_n--;
    free(socket);
}

static void server_free_all(struct model *model, struct webrtc_server *server)
{
    for (size_t i = 0; i < (size_t)model->places_n * server->infos_n; i++) {
        if (server->sockets[i])
            socket_free(model, server->sockets[i]);
    }
    model_remove(model, &server->o);
    model_free(model, &server->o);
}

static void producer_free_all(struct model *model, struct producer *producer)
{
    struct mirror *mirror = NULL;
    LIST_EACH(mirror, &producer->mirrors, struct mirror, link)
    {
        model_remove_mirror(model, mirror);
        free(mirror);
    }
    model_remove(model, &producer->o);
    model_free(model, &producer->o);
}

static void router_free_all(struct model *model, struct router *router)
{
    struct transport *transport = NULL;
    struct producer *producer = NULL;
    struct consumer *consumer = NULL;
    LIST_EACH(transport, &router->transports, struct transport, link)
    {
        LIST_EACH(consumer, &transport->consumers, struct consumer, link)
        {
            model_remove(model, &consumer->o);
            model_free(model, &consumer->o);
        }
    }
    LIST_EACH(transport, &router->transports, struct transport, link)
    {
        LIST_EACH(producer, &transport->producers, struct producer, link)
        producer_free_all(model, producer);
        model_remove(model, &transport->o);
        for (size_t i = 0; i < transport->sockets_n; i++) {
            struct socket *socket = transport->sockets[i];
            if (--socket->transports_n == 0 && !socket->server)
                socket_free(model, socket);
        }
        model_free(model, &transport->o);
    }
    model_remove(model, &router->o);
    model_free(model, &router->o);
}

void model_exit(struct model *model)
{
    struct router *router = NULL;
    LIST_EACH(router, &model->routers, struct router, link)
    router_free_all(model, router);
    struct webrtc_server *server = NULL;
    LIST_EACH(server, &model->servers, struct webrtc_server, link)
    server_free_all(model, server);
    for (uint32_t i = 0; i < model->places_n; i++) {
        for (size_t k = 0; k < OBJECT_KIND_N; k++) {
            free(model->places[i].of[k].objects);
            free(model->places[i].of[k].free);
        }
    }
    texts_exit(&model->texts);
    free(model->places);
    free(model->buckets);
}
