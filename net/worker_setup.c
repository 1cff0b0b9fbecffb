/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/worker_setup.c - a worker's memory, its thread's beginning and end, and its mailboxes from
 * the control thread's side. What it does in between is net/worker.c. */
#include "net/exchange.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    STANDING_MAX = 4096, /* slots that may stand for receiving: 40 ms at 100,000 packets/s */
    TCP_PENDING_BYTES = 16 << 20, /* of output that waits, all connections together */
};

/* ---- memory ---- */

uint32_t worker_streams_max(const struct worker_config *config)
{
    return config->producers_max * 2; /* most have one encoding, few PRODUCER_ENCODINGS_MAX */
}

static uint32_t timers_max(const struct worker_config *config)
{
    return 3 * worker_streams_max(config) /* NACK, key frame, expiry */
           + config->consumers_max        /* resend */
           + 4 * config->transports_max   /* reports, transport-wide feedback, consent, DTLS */
           + 1;                           /* tick */
}

/* RTP and RTCP addresses of plain transports, tuples of WebRTC ones. */
static uint32_t demux_entries(const struct worker_config *config)
{
    return config->transports_max * (2 > ICE_TUPLES_MAX ? 2 : ICE_TUPLES_MAX);
}

/* One term per holder; every piece is rounded up to 64 bytes by the arena. */
static size_t arena_bytes(const struct worker_config *config)
{
    size_t transports = config->transports_max, streams = worker_streams_max(config);
    size_t pieces = 32 + 2 * ROUNDS_N;
    return config->sockets_max * sizeof(struct socket_state) +
           IO_SOCKETS_MAX * sizeof(uint32_t) + /* socket_of_io */
           array_bytes(sizeof(struct transport), config->transports_max) +
           transports * sizeof(struct twcc_recorder) + /* touched where negotiated */
           array_bytes(sizeof(struct peer), config->transports_max) +
           transports * sizeof(uint32_t) +             /* owing */
           table_bytes(2 * (uint32_t)transports + 1) + /* ICE fragments, old and new */
           array_bytes(sizeof(struct producer), config->producers_max) +
           array_bytes(sizeof(struct consumer), config->consumers_max) +
           pool_bytes(sizeof(struct stream), (uint32_t)streams) +
           streams * sizeof(struct nack_list) +              /* touched where packets are missing */
           demux_bytes(demux_entries(config)) +              /* addresses */
           table_bytes(2 * (uint32_t)streams) +              /* media and RTX ssrc in */
           table_bytes(2 * config->consumers_max) +          /* media and RTX ssrc out */
           RECORDS_N * sizeof(struct record) +               /* */
           streams * sizeof(struct stream *) +               /* batch */
           ROUNDS_N * streams * sizeof(struct stream *) +    /* rounds' streams */
           ROUNDS_N * transports * sizeof(struct receiver) + /* rounds' receivers */
           pieces * 64;
}

static void take_arrays(struct worker *w)
{
    const struct worker_config *config = &w->config;
    uint32_t streams = worker_streams_max(config);
    struct arena *arena = &w->arena;
    w->sockets = arena_take(arena, config->sockets_max * sizeof *w->sockets);
    w->socket_of_io = arena_take(arena, IO_SOCKETS_MAX * sizeof *w->socket_of_io);
    array_init(&w->transport_array, arena, sizeof(struct transport), config->transports_max);
    w->transports = (struct transport *)(void *)w->transport_array.items;
    w->twccs = arena_take(arena, config->transports_max * sizeof *w->twccs);
    array_init(&w->producer_array, arena, sizeof(struct producer), config->producers_max);
    w->producers = (struct producer *)(void *)w->producer_array.items;
    array_init(&w->consumer_array, arena, sizeof(struct consumer), config->consumers_max);
    w->consumers = (struct consumer *)(void *)w->consumer_array.items;
    pool_init(&w->streams, arena, sizeof(struct stream), streams);
    w->nacks = arena_take(arena, streams * sizeof *w->nacks);
    array_init(&w->peer_array, arena, sizeof(struct peer), config->transports_max);
    w->peers = (struct peer *)(void *)w->peer_array.items;
    w->owing = arena_take(arena, config->transports_max * sizeof *w->owing);
    table_init(&w->fragments, arena, 2 * config->transports_max + 1, random_next(&w->random));
    demux_init(&w->demux, arena, demux_entries(config), random_next(&w->random));
    table_init(&w->routes_in, arena, 2 * streams, random_next(&w->random));
    table_init(&w->routes_out, arena, 2 * config->consumers_max, random_next(&w->random));
    w->records = arena_take(arena, RECORDS_N * sizeof *w->records);
    w->batch = arena_take(arena, streams * sizeof(struct stream *));
    for (uint32_t i = 0; i < ROUNDS_N; i++) {
        w->rounds[i].streams = arena_take(arena, streams * sizeof(struct stream *));
        w->rounds[i].receivers =
            arena_take(arena, config->transports_max * sizeof(struct receiver));
    }
    arena_freeze(arena);
    w->record_free = NONE16;
    w->records_free_n = RECORDS_N;
}

static struct tcp_config tcp_config_of(const struct worker_config *config)
{
    return (struct tcp_config){
        .connections_max = (uint32_t)min_size(config->transports_max, TCP_CONNECTIONS_MAX),
        .listeners_max = (uint32_t)min_size(config->sockets_max, TCP_LISTENERS_MAX),
        .pending_bytes_max = TCP_PENDING_BYTES,
        .seed = config->seed,
    };
}

/* ---- start and stop ---- */

static int open_mailboxes(struct worker *w)
{
    w->outbox_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (w->outbox_fd < 0)
        return -errno;
    int result = mailbox_init(&w->inbox, sizeof(struct command), COMMAND_N);
    if (result == 0)
        result = mailbox_init(&w->outbox, sizeof(struct outcome), OUTCOME_N);
    return result;
}

int worker_init(struct worker **out, const struct worker_config *config)
{
    if (config->sockets_max == 0 || config->sockets_max > IO_SOCKETS_MAX ||
        config->transports_max == 0 || config->producers_max == 0 || config->consumers_max == 0 ||
        config->transports_max > TRANSPORTS_MAX || config->retain_slots_n > config->slots_n)
        return -EINVAL;
    struct worker *w =
        mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (w == MAP_FAILED)
        return -ENOMEM;
    w->config = *config;
    w->outbox_fd = -1;
    w->random.state = config->seed;
    w->tag_next = 1;
    w->tick_timer.kind = TIMER_TICK;
    stunlimit_init(&w->stunlimit, random_next(&w->random));
    int result = arena_init(&w->arena, arena_bytes(config));
    if (result == 0)
        take_arrays(w);
    if (result == 0)
        result = timers_init(&w->timers, timers_max(config));
    if (result == 0)
        result = slab_init(&w->slab, config->slots_n, config->index, config->huge_pages);
    if (result == 0)
        result = retain_init(&w->retain, &w->slab, config->retain_slots_n);
    struct tcp_config tcp = tcp_config_of(config);
    if (result == 0)
        result = tcp_init(&w->tcp, &tcp, &w->slab);
    if (result == 0 && config->certificate != NULL)
        result = dtls_context_init(&w->dtls, config->certificate, &(struct dtls_config){0});
    if (result == 0)
        result = open_mailboxes(w);
    if (result != 0) {
        worker_exit(w);
        return result;
    }
    *out = w;
    return 0;
}

/* The ring belongs to the thread that makes it, so the worker's thread does, and says how it went.
 */
static void *worker_begin(void *argument)
{
    struct worker *w = argument;
    struct tcp_config tcp = tcp_config_of(&w->config);
    struct io_config io_config = {
        .engine = w->config.engine,
        .without = w->config.without,
        .sockets_max = w->config.sockets_max,
        .standing_max = STANDING_MAX,
        .watches_max = tcp_watches(&tcp),
    };
    while (io_config.standing_max > w->config.slots_n / 2 && io_config.standing_max > 2)
        io_config.standing_max /= 2;
    int result = io_init(&w->io, &io_config, &w->slab);
    if (result == 0)
        tcp_attach(w->tcp, w->io);
    atomic_store(&w->thread_id, (int)syscall(SYS_gettid));
    atomic_store(&w->start_result, result);
    sem_post(&w->begun);
    if (result != 0)
        return NULL;
    worker_main(w);
    atomic_store(&w->ended, true);
    return NULL;
}

int worker_link(struct worker *const *workers, uint32_t workers_n)
{
    int result = 0;
    for (uint32_t i = 0; i < workers_n && workers_n > 1 && result == 0; i++) {
        ASSERT(!workers[i]->started && workers[i]->config.index == i);
        result = exchange_init(workers[i], workers, workers_n);
    }
    return result;
}

int worker_start(struct worker *w)
{
    ASSERT(!w->started);
    sem_init(&w->begun, 0, 0);
    int result = pthread_create(&w->thread, NULL, worker_begin, w);
    if (result != 0)
        return -result;
    while (sem_wait(&w->begun) != 0)
        ; /* EINTR */
    result = atomic_load(&w->start_result);
    if (result != 0)
        pthread_join(w->thread, NULL);
    else
        w->started = true;
    return result;
}

/* Events may own what they tell. */
static void discard_outcomes(struct worker *w)
{
    for (const struct outcome *outcome; (outcome = worker_outcome(w)) != NULL;) {
        if (outcome->cookie == 0)
            free(outcome->payload);
        worker_outcome_done(w);
    }
}

void worker_stop(struct worker *w)
{
    struct command stop = {.kind = COMMAND_STOP, .cookie = UINT64_MAX};
    if (!w->started)
        return;
    /* The inbox may be full and the outbox too: take what comes until there is room. The worker
     * empties its inbox every turn, so this ends; a dead engine has ended its thread already. */
    while (!worker_post(w, &stop) && !atomic_load(&w->ended)) {
        discard_outcomes(w);
        sched_yield();
    }
    while (!atomic_load(&w->ended)) {
        discard_outcomes(w);
        usleep(200);
    }
    pthread_join(w->thread, NULL);
    discard_outcomes(w); /* of its last turn */
    tcp_close_all(w->tcp);
    w->started = false;
}

void worker_exit(struct worker *w)
{
    ASSERT(!w->started);
    if (w->io != NULL) /* not before: until all have stopped another worker may wake this one */
        io_exit(w->io);
    exchange_exit(w);
    if (w->outbox_fd >= 0)
        close(w->outbox_fd);
    mailbox_exit(&w->inbox);
    mailbox_exit(&w->outbox);
    dtls_context_exit(w->dtls);
    if (w->tcp != NULL)
        tcp_exit(w->tcp);
    if (w->retain != NULL)
        retain_exit(w->retain);
    slab_exit(&w->slab);
    timers_exit(&w->timers);
    arena_exit(&w->arena);
    munmap(w, sizeof *w);
}

/* ---- the control thread's side ---- */

bool worker_post(struct worker *w, const struct command *command)
{
    struct command *item = mailbox_put_begin(&w->inbox);
    if (item == NULL)
        return false;
    *item = *command;
    mailbox_put_end(&w->inbox);
    io_wake(w->io);
    return true;
}

const struct outcome *worker_outcome(struct worker *w)
{
    return mailbox_take_begin(&w->outbox);
}

void worker_outcome_done(struct worker *w)
{
    mailbox_take_end(&w->outbox);
}

int worker_outcome_fd(const struct worker *w)
{
    return w->outbox_fd;
}

const struct worker_counters *worker_counters(const struct worker *w)
{
    return &w->counters;
}

enum io_engine worker_engine(const struct worker *w)
{
    return io_engine_of(w->io);
}

uint32_t worker_missing(const struct worker *w)
{
    return io_missing(w->io);
}

int worker_thread_id(const struct worker *w)
{
    return atomic_load(&w->thread_id);
}
