/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fake_worker.c - a worker without a thread, sockets or media, so that the control side can be
 * tested alone. */
#include "test/fake_worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { FAKE_OBJECTS = 8192, FAKE_WORKERS = 8, FAKE_READERS = 4 };

struct fake_object {
    bool open;
    int fd;            /* of a socket */
    uint32_t children; /* transports of a socket, producers and consumers of a transport, consumers
                          of a producer */
    uint32_t parents[TRANSPORT_SOCKETS_MAX];
    uint32_t parents_n;
    bool webrtc;
    struct command_transport_bitrate limits;
    bool paused; /* of a producer, mirrors included */
    struct producer_source source;
    struct command_reader readers[FAKE_READERS];
    uint32_t readers_n;
};

struct worker {
    struct worker_config config;
    struct worker_counters counters;
    struct fake_object objects[OBJECT_KIND_N][FAKE_OBJECTS];
    uint32_t open_n[OBJECT_KIND_N];
    struct command last[COMMAND_KIND_N];
    uint32_t commands_n[COMMAND_KIND_N];
    uint32_t order[COMMAND_KIND_N];
    int fail[COMMAND_KIND_N];
    struct command waiting[COMMAND_N];
    uint32_t waiting_n;
    struct outcome *outcomes; /* OUTCOME_N */
    uint32_t outcomes_at, outcomes_n;
    struct event_selected selected; /* the last one said */
    bool hold, linked, started, stopped;
    int fd;
};

static struct worker *fakes[FAKE_WORKERS];
static uint32_t living_n, order_n;
static int fail_init[FAKE_WORKERS], fail_start[FAKE_WORKERS], fail_link;

struct worker *fake_worker(uint32_t index)
{
    return fakes[index];
}

int worker_init(struct worker **out, const struct worker_config *config)
{
    int failed = fail_init[config->index];
    fail_init[config->index] = 0;
    if (failed)
        return failed;
    struct worker *worker = calloc(1, sizeof(*worker));
    living_n++;
    worker->config = *config;
    worker->outcomes = calloc(OUTCOME_N, sizeof(*worker->outcomes));
    worker->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fakes[config->index] = worker;
    *out = worker;
    return 0;
}

int worker_link(struct worker *const *workers, uint32_t workers_n)
{
    ASSERT(workers_n > 1);
    int failed = fail_link;
    fail_link = 0;
    for (uint32_t i = 0; i < workers_n; i++) {
        ASSERT(workers[i]->config.index == i);
        ASSERT(!workers[i]->linked && !workers[i]->started);
        workers[i]->linked = failed == 0;
    }
    return failed;
}

int worker_start(struct worker *worker)
{
    int failed = fail_start[worker->config.index];
    fail_start[worker->config.index] = 0;
    if (failed == 0 && worker->stopped)
        failed = -EINVAL;
    worker->started = failed == 0;
    return failed;
}

void worker_stop(struct worker *worker)
{
    ASSERT(worker->started);
    worker->stopped = true;
}

void worker_exit(struct worker *worker)
{
    ASSERT(!worker->started || worker->stopped);
    for (size_t i = 0; i < FAKE_WORKERS; i++) /* they may look at each other until they end */
        ASSERT(!fakes[i] || !fakes[i]->started || fakes[i]->stopped);
    living_n--;
    for (size_t i = 0; i < FAKE_OBJECTS; i++) {
        if (worker->objects[OBJECT_SOCKET][i].open)
            close(worker->objects[OBJECT_SOCKET][i].fd);
    }
    for (uint32_t i = 0; i < worker->waiting_n; i++) {
        if (worker->waiting[i].kind == COMMAND_SOCKET_OPEN)
            close(worker->waiting[i].socket_open.fd);
    }
    fakes[worker->config.index] = NULL;
    close(worker->fd);
    free(worker->outcomes);
    free(worker);
}

static struct outcome *outcome_add(struct worker *worker)
{
    ASSERT(worker->outcomes_n - worker->outcomes_at < OUTCOME_N);
    struct outcome *outcome = &worker->outcomes[worker->outcomes_n++ % OUTCOME_N];
    *outcome = (struct outcome){0};
    uint64_t one = 1;
    ASSERT(write(worker->fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
    return outcome;
}

static struct fake_object *object_at(struct worker *worker, enum object_kind kind, uint32_t index)
{
    ASSERT(index < FAKE_OBJECTS);
    struct fake_object *object = &worker->objects[kind][index];
    return object->open ? object : NULL;
}

/* A mirror is not counted among the producers. */
static void gauge(struct worker *worker, enum object_kind kind, const struct fake_object *object,
                  int64_t step)
{
    _Atomic uint64_t *gauges[OBJECT_KIND_N] = {
        NULL, &worker->counters.sockets, &worker->counters.transports, &worker->counters.producers,
        &worker->counters.consumers};
    bool mirror = object->source.elsewhere;
    atomic_fetch_add(mirror ? &worker->counters.mirrors : gauges[kind], (uint64_t)step);
}

static int object_open(struct worker *worker, enum object_kind kind, uint32_t index,
                       struct fake_object *parent_a, struct fake_object *parent_b)
{
    ASSERT(index < FAKE_OBJECTS);
    struct fake_object *object = &worker->objects[kind][index];
    if (object->open)
        return -EINVAL;
    struct producer_source source = object->source; /* of a producer that is about to open */
    *object = (struct fake_object){.open = true, .fd = -1, .source = source};
    if (parent_a)
        parent_a->children++;
    if (parent_b)
        parent_b->children++;
    worker->open_n[kind]++;
    gauge(worker, kind, object, 1);
    return 0;
}

static int transport_open(struct worker *worker, const struct command *command)
{
    const struct command_transport_open *open = &command->transport_open;
    uint32_t sockets[TRANSPORT_SOCKETS_MAX] = {open->rtp_socket, open->rtcp_socket}, n = 2;
    bool webrtc = open->kind == TRANSPORT_WEBRTC;
    if (webrtc) {
        n = open->webrtc.sockets_n;
        ASSERT(n > 0 && n <= TRANSPORT_SOCKETS_MAX);
        ASSERT(open->webrtc.credentials.ufrag_bytes > 0 && open->webrtc.credentials.pwd_bytes > 0);
        memcpy(sockets, open->webrtc.sockets, n * sizeof(sockets[0]));
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!object_at(worker, OBJECT_SOCKET, sockets[i]))
            return -EINVAL;
    }
    int result = object_open(worker, OBJECT_TRANSPORT, command->index, NULL, NULL);
    if (result != 0)
        return result;
    struct fake_object *transport = &worker->objects[OBJECT_TRANSPORT][command->index];
    for (uint32_t i = 0; i < n; i++) {
        worker->objects[OBJECT_SOCKET][sockets[i]].children++;
        transport->parents[i] = sockets[i];
    }
    transport->parents_n = n;
    transport->webrtc = webrtc;
    return 0;
}

/* What is said to a transport of the right kind. */
static int transport_tell(struct worker *worker, const struct command *command)
{
    struct fake_object *transport = object_at(worker, OBJECT_TRANSPORT, command->index);
    if (!transport)
        return -ENOENT;
    if (command->kind == COMMAND_TRANSPORT_RESTART_ICE) {
        ASSERT(transport->webrtc);
        ASSERT(command->restart_ice.ufrag_bytes > 0 && command->restart_ice.pwd_bytes > 0);
    } else if (command->kind == COMMAND_TRANSPORT_CONNECT && transport->webrtc) {
        ASSERT(command->transport_connect.webrtc.role != DTLS_ROLE_AUTO);
        ASSERT(command->transport_connect.webrtc.fingerprint.hash != FINGERPRINT_NONE);
    } else if (command->kind == COMMAND_TRANSPORT_BITRATE) {
        const struct command_transport_bitrate *to = &command->transport_bitrate;
        if (to->incoming_max != UINT32_MAX)
            transport->limits.incoming_max = to->incoming_max;
        if (to->outgoing_max != UINT32_MAX)
            transport->limits.outgoing_max = to->outgoing_max;
        if (to->outgoing_min != UINT32_MAX)
            transport->limits.outgoing_min = to->outgoing_min;
    }
    return 0;
}

static int mirror_open(struct worker *worker, const struct command *command)
{
    const struct command_producer_open *open = &command->producer_open;
    struct fake_object *mirror = &worker->objects[OBJECT_PRODUCER][command->index];
    ASSERT(open->source.worker != worker->config.index && fakes[open->source.worker]);
    ASSERT(open->source.serial != 0);
    ASSERT(open->transport == 0 && open->pt_n > 0 && open->encodings_n > 0);
    for (size_t i = 0; i < PRODUCER_ENCODINGS_MAX; i++)
        ASSERT(open->encodings[i].ssrc == 0 && open->encodings[i].rtx_ssrc == 0);
    ASSERT(!mirror->open);
    mirror->source = open->source;
    int result = object_open(worker, OBJECT_PRODUCER, command->index, NULL, NULL);
    mirror->paused = open->paused;
    return result;
}

static int reader_add(struct worker *worker, const struct command *command)
{
    struct fake_object *producer = object_at(worker, OBJECT_PRODUCER, command->index);
    if (!producer)
        return -ENOENT;
    ASSERT(!producer->source.elsewhere);
    ASSERT(command->reader.worker != worker->config.index && fakes[command->reader.worker]);
    ASSERT(command->reader.serial != 0);
    if (producer->readers_n == FAKE_READERS)
        return -ENOSPC;
    producer->readers[producer->readers_n++] = command->reader;
    return 0;
}

static int reader_remove(struct worker *worker, const struct command *command)
{
    struct fake_object *producer = object_at(worker, OBJECT_PRODUCER, command->index);
    for (uint32_t i = 0; producer && i < producer->readers_n; i++) {
        const struct command_reader *reader = &producer->readers[i];
        if (reader->worker != command->reader.worker ||
            reader->producer != command->reader.producer ||
            reader->serial != command->reader.serial)
            continue;
        producer->readers[i] = producer->readers[--producer->readers_n];
        return 0;
    }
    return -ENOENT;
}

static int producer_pause(struct worker *worker, const struct command *command)
{
    struct fake_object *producer = object_at(worker, OBJECT_PRODUCER, command->index);
    if (!producer)
        return -ENOENT;
    producer->paused = command->kind == COMMAND_PRODUCER_PAUSE;
    return 0;
}

static int producer_open(struct worker *worker, const struct command *command)
{
    if (command->producer_open.source.elsewhere)
        return mirror_open(worker, command);
    uint32_t index = command->producer_open.transport;
    struct fake_object *transport = object_at(worker, OBJECT_TRANSPORT, index);
    if (!transport)
        return -EINVAL;
    int result = object_open(worker, OBJECT_PRODUCER, command->index, transport, NULL);
    worker->objects[OBJECT_PRODUCER][command->index].parents[0] = index;
    return result;
}

static int consumer_open(struct worker *worker, const struct command *command)
{
    const struct command_consumer_open *open = &command->consumer_open;
    struct fake_object *transport = object_at(worker, OBJECT_TRANSPORT, open->transport);
    struct fake_object *producer = object_at(worker, OBJECT_PRODUCER, open->producer);
    if (!transport || !producer)
        return -EINVAL;
    int result = object_open(worker, OBJECT_CONSUMER, command->index, transport, producer);
    worker->objects[OBJECT_CONSUMER][command->index].parents[0] = open->transport;
    worker->objects[OBJECT_CONSUMER][command->index].parents[1] = open->producer;
    return result;
}

static int object_close(struct worker *worker, enum object_kind kind, uint32_t index)
{
    struct fake_object *object = object_at(worker, kind, index);
    if (!object)
        return -ENOENT;
    if (object->children > 0 || object->readers_n > 0)
        return -EBUSY;
    if (kind == OBJECT_SOCKET)
        close(object->fd);
    for (uint32_t i = 0; kind == OBJECT_TRANSPORT && i < object->parents_n; i++)
        worker->objects[OBJECT_SOCKET][object->parents[i]].children--;
    if ((kind == OBJECT_PRODUCER && !object->source.elsewhere) || kind == OBJECT_CONSUMER)
        worker->objects[OBJECT_TRANSPORT][object->parents[0]].children--;
    if (kind == OBJECT_CONSUMER)
        worker->objects[OBJECT_PRODUCER][object->parents[1]].children--;
    object->open = false;
    worker->open_n[kind]--;
    gauge(worker, kind, object, -1);
    object->source = (struct producer_source){0};
    return 0;
}

static int socket_open(struct worker *worker, const struct command *command)
{
    int result = object_open(worker, OBJECT_SOCKET, command->index, NULL, NULL);
    if (result == 0)
        worker->objects[OBJECT_SOCKET][command->index].fd = command->socket_open.fd;
    else
        close(command->socket_open.fd);
    return result;
}

static int stats(struct worker *worker, const struct command *command, struct outcome *outcome)
{
    if (!object_at(worker, command->stats, command->index))
        return -ENOENT;
    struct stream_stats stream = {.ssrc = 1111,
                                  .rtx_ssrc = 2222,
                                  .packets = 10,
                                  .bytes = 1000,
                                  .packets_rtx = 2,
                                  .bytes_rtx = 200,
                                  .packets_lost = 3,
                                  .rtt_us = 50000,
                                  .score = 9};
    outcome->object = command->stats;
    if (command->stats == OBJECT_TRANSPORT) {
        const struct fake_object *transport = &worker->objects[OBJECT_TRANSPORT][command->index];
        outcome->transport = (struct transport_stats){
            .packets_in = 7,
            .bytes_in = 700,
            .rtt_us = 20000,
            .connected = true,
            .incoming_max_bps = transport->limits.incoming_max,
            .outgoing_max_bps = transport->limits.outgoing_max,
            .outgoing_min_bps = transport->limits.outgoing_min,
        };
        if (transport->webrtc && worker->selected.remote.sa.sa_family != AF_UNSPEC) {
            outcome->transport.ice_state = ICE_COMPLETED;
            outcome->transport.dtls_state = DTLS_CONNECTED;
            outcome->transport.tuples_n = 2;
            outcome->transport.sealed = true;
            outcome->transport.suite = SEAL_AEAD_AES_128_GCM;
            outcome->transport.local = worker->selected.local;
            outcome->transport.remote = worker->selected.remote;
            outcome->transport.tcp = worker->selected.tcp;
        }
    } else if (command->stats == OBJECT_PRODUCER) {
        outcome->producer = (struct producer_stats){.encodings_n = 1, .encodings = {stream}};
    } else {
        outcome->consumer = (struct consumer_stats){.stream = stream};
    }
    return 0;
}

static int trace_dump(const struct command *command, struct outcome *outcome)
{
    struct trace *trace = command->payload;
    trace_add(trace, 1, TRACE_TURN, 5, 6);
    trace_add(trace, 2, TRACE_COMMAND, 7, 8);
    outcome->payload = trace;
    return 0;
}

static int apply(struct worker *worker, const struct command *command, struct outcome *outcome)
{
    uint32_t index = command->index;
    switch (command->kind) {
    case COMMAND_SOCKET_OPEN:
        return socket_open(worker, command);
    case COMMAND_SOCKET_CLOSE:
        return object_close(worker, OBJECT_SOCKET, index);
    case COMMAND_TRANSPORT_OPEN:
        return transport_open(worker, command);
    case COMMAND_TRANSPORT_CLOSE:
        return object_close(worker, OBJECT_TRANSPORT, index);
    case COMMAND_PRODUCER_OPEN:
        return producer_open(worker, command);
    case COMMAND_PRODUCER_CLOSE:
        return object_close(worker, OBJECT_PRODUCER, index);
    case COMMAND_CONSUMER_OPEN:
        return consumer_open(worker, command);
    case COMMAND_CONSUMER_CLOSE:
        return object_close(worker, OBJECT_CONSUMER, index);
    case COMMAND_TRANSPORT_CONNECT:
    case COMMAND_TRANSPORT_RESTART_ICE:
    case COMMAND_TRANSPORT_BITRATE:
        return transport_tell(worker, command);
    case COMMAND_PRODUCER_PAUSE:
    case COMMAND_PRODUCER_RESUME:
        return producer_pause(worker, command);
    case COMMAND_READER_ADD:
        return reader_add(worker, command);
    case COMMAND_READER_REMOVE:
        return reader_remove(worker, command);
    case COMMAND_CONSUMER_PAUSE:
    case COMMAND_CONSUMER_RESUME:
    case COMMAND_CONSUMER_KEYFRAME:
        return object_at(worker, OBJECT_CONSUMER, index) ? 0 : -ENOENT;
    case COMMAND_TRACE_EVENTS:
        return object_at(worker, command->trace_events.object, index) ? 0 : -ENOENT;
    case COMMAND_STATS:
        return stats(worker, command, outcome);
    case COMMAND_TRACE_DUMP:
        return trace_dump(command, outcome);
    case COMMAND_NONE:
    case COMMAND_STOP:
    case COMMAND_KIND_N:
        break;
    }
    return -EINVAL;
}

static void answer(struct worker *worker, const struct command *command)
{
    struct outcome *outcome = outcome_add(worker);
    outcome->cookie = command->cookie;
    outcome->payload = command->payload;
    outcome->command = command->kind;
    outcome->index = command->index;
    outcome->result = worker->fail[command->kind];
    worker->fail[command->kind] = 0;
    if (outcome->result == 0)
        outcome->result = apply(worker, command, outcome);
    else if (command->kind == COMMAND_SOCKET_OPEN)
        close(command->socket_open.fd);
}

bool worker_post(struct worker *worker, const struct command *command)
{
    ASSERT(command->cookie != 0);
    ASSERT(command->kind != COMMAND_NONE);
    if (worker->waiting_n == COMMAND_N || worker->outcomes_n - worker->outcomes_at > OUTCOME_SPARE)
        return false;
    worker->last[command->kind] = *command;
    worker->commands_n[command->kind]++;
    worker->order[command->kind] = ++order_n;
    if (worker->hold)
        worker->waiting[worker->waiting_n++] = *command;
    else
        answer(worker, command);
    return true;
}

const struct outcome *worker_outcome(struct worker *worker)
{
    if (worker->outcomes_at == worker->outcomes_n)
        return NULL;
    return &worker->outcomes[worker->outcomes_at % OUTCOME_N];
}

void worker_outcome_done(struct worker *worker)
{
    worker->outcomes_at++;
}

int worker_outcome_fd(const struct worker *worker)
{
    return worker->fd;
}

const struct worker_counters *worker_counters(const struct worker *worker)
{
    return &worker->counters;
}

enum io_engine worker_engine(const struct worker *worker)
{
    return worker->config.engine == IO_ENGINE_AUTO ? IO_ENGINE_URING : worker->config.engine;
}

uint32_t worker_missing(const struct worker *worker)
{
    return worker->config.without;
}

int worker_thread_id(const struct worker *worker)
{
    return 1000 + worker->config.index;
}

const struct command *fake_last(const struct worker *worker, enum command_kind kind)
{
    return worker->commands_n[kind] ? &worker->last[kind] : NULL;
}

uint32_t fake_commands_n(const struct worker *worker, enum command_kind kind)
{
    return worker->commands_n[kind];
}

uint32_t fake_order(const struct worker *worker, enum command_kind kind)
{
    return worker->order[kind];
}

uint32_t fake_living_n(void)
{
    return living_n;
}

void fake_fail_init(uint32_t index, int result)
{
    fail_init[index] = result;
}

void fake_fail_start(uint32_t index, int result)
{
    fail_start[index] = result;
}

void fake_fail_link(int result)
{
    fail_link = result;
}

bool fake_is_linked(const struct worker *worker)
{
    return worker->linked;
}

uint32_t fake_mirrors_n(const struct worker *worker)
{
    return (uint32_t)atomic_load(&worker->counters.mirrors);
}

uint32_t fake_readers_n(const struct worker *worker, uint32_t producer)
{
    return worker->objects[OBJECT_PRODUCER][producer].readers_n;
}

bool fake_is_paused(const struct worker *worker, uint32_t producer)
{
    return worker->objects[OBJECT_PRODUCER][producer].paused;
}

uint32_t fake_open_n(const struct worker *worker, enum object_kind kind)
{
    return worker->open_n[kind];
}

void fake_fail_next(struct worker *worker, enum command_kind kind, int result)
{
    worker->fail[kind] = result;
}

void fake_hold(struct worker *worker, bool hold)
{
    worker->hold = hold;
    for (uint32_t i = 0; !hold && i < worker->waiting_n; i++)
        answer(worker, &worker->waiting[i]);
    if (!hold)
        worker->waiting_n = 0;
}

void fake_event(struct worker *worker, const struct outcome *event)
{
    struct outcome *outcome = outcome_add(worker);
    *outcome = *event;
    outcome->cookie = 0;
    if (event->event == EVENT_ICE_SELECTED)
        worker->selected = event->selected;
}

void fake_ice(struct worker *worker, uint32_t transport, enum ice_state state)
{
    fake_event(worker, &(struct outcome){.event = EVENT_ICE_STATE,
                                         .object = OBJECT_TRANSPORT,
                                         .index = transport,
                                         .ice_state = state});
}

void fake_selected(struct worker *worker, uint32_t transport, const char *local_ip,
                   uint16_t local_port, bool tcp)
{
    struct outcome event = {
        .event = EVENT_ICE_SELECTED, .object = OBJECT_TRANSPORT, .index = transport};
    ASSERT(addr_parse(&event.selected.local, local_ip, local_port) == 0);
    ASSERT(addr_parse(&event.selected.remote, "192.0.2.7", 50000) == 0);
    event.selected.tcp = tcp;
    fake_event(worker, &event);
}

void fake_dtls(struct worker *worker, uint32_t transport, enum dtls_state state,
               const char *certificate)
{
    fake_event(worker, &(struct outcome){.event = EVENT_DTLS_STATE,
                                         .object = OBJECT_TRANSPORT,
                                         .index = transport,
                                         .dtls_state = state,
                                         .payload = certificate ? strdup(certificate) : NULL});
}

struct worker_counters *fake_counters(struct worker *worker)
{
    return &worker->counters;
}
