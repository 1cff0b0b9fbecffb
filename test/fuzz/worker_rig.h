/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/worker_rig.h - a worker for the targets that drive one by any steps, in one thread and
 * in virtual time.
 *
 * It is the real one without its thread and its waiting: worker.c is included for its static steps,
 * and this file by a target's only source. What an input says is
 *
 *   steps | kind | n | n bytes |   (the target's enum step; n is at most what is left) */
#ifndef SLUICE_TEST_FUZZ_WORKER_RIG_H
#define SLUICE_TEST_FUZZ_WORKER_RIG_H

#include "net/worker.c"

#include <stdlib.h>

enum { RIG_SOCKETS = 2, RIG_TRANSPORTS = 4, RIG_PRODUCERS = 2, RIG_CONSUMERS = 4, RIG_ROOM = 64 };

static struct worker *worker;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int bound_socket(int type, struct addr *local)
{
    socklen_t local_bytes = sizeof *local;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ASSERT(addr_parse(local, "127.0.0.1", 0) == 0);
    ASSERT(bind(fd, &local->sa, addr_len(local)) == 0);
    ASSERT(getsockname(fd, &local->sa, &local_bytes) == 0);
    return fd;
}

/* `certificate` may be NULL; `watches` are for TCP, without any there is none. */
static void make_worker(uint32_t slots_n, const struct certificate *certificate, uint32_t watches)
{
    const struct worker_config config = {
        .engine = IO_ENGINE_MMSG,
        .slots_n = slots_n,
        .retain_slots_n = 128,
        .sockets_max = RIG_SOCKETS,
        .transports_max = RIG_TRANSPORTS,
        .producers_max = RIG_PRODUCERS,
        .consumers_max = RIG_CONSUMERS,
        .retain_rule = retain_rule_default,
        .shed_rule = shed_rule_default,
        .cpu = -1,
        .seed = 1,
        .certificate = certificate,
    };
    const struct io_config io_config = {.engine = IO_ENGINE_MMSG,
                                        .sockets_max = RIG_SOCKETS,
                                        .standing_max = 16,
                                        .watches_max = watches};
    ASSERT(worker_init(&worker, &config) == 0);
    ASSERT(io_init(&worker->io, &io_config, &worker->slab) == 0);
    if (watches > 0)
        tcp_attach(worker->tcp, worker->io);
}

/* Its result; events that it brings are thrown away. */
static int run_command(struct command *command)
{
    struct command *item = mailbox_put_begin(&worker->inbox);
    ASSERT(item != NULL);
    command->cookie = 1;
    *item = *command;
    mailbox_put_end(&worker->inbox);
    apply_commands(worker);
    int result = 1;
    for (const struct outcome *outcome; (outcome = worker_outcome(worker)) != NULL;) {
        if (outcome->cookie != 0)
            result = outcome->result;
        else
            free(outcome->payload);
        worker_outcome_done(worker);
    }
    ASSERT(result <= 0);
    return result;
}

static void run_plain(enum command_kind kind, uint32_t index)
{
    struct command command = {.kind = kind, .index = index};
    run_command(&command);
}

/* A datagram that came as `from` says: its socket and addresses. */
static void deliver(struct io_event from, const uint8_t *data, size_t bytes)
{
    uint16_t slot = bytes == 0 || bytes > SLOT_PACKET_BYTES_MAX ? (uint16_t)SLOT_NONE
                                                                : slab_take(&worker->slab);
    if (slot == SLOT_NONE)
        return;
    slab_receive(&worker->slab, slot);
    memcpy(slab_packet(&worker->slab, slot), data, bytes);
    from.kind = IO_DATAGRAM;
    from.slot = slot;
    from.bytes = (uint16_t)bytes;
    from.arrived_us = worker->now_us;
    on_datagram(worker, &from);
    if (!fanout_has_room(worker) || worker->slab.free_n < RIG_ROOM) {
        fanout_begin(worker);
        fanout_finish(worker);
    }
    make_room(worker);
}

static void run_steps(const uint8_t *data, size_t bytes, size_t steps_max, uint8_t kinds_n,
                      void (*step)(uint8_t kind, const uint8_t *data, size_t bytes))
{
    for (size_t at = 0, steps = 0; at + 2 <= bytes && steps < steps_max; steps++) {
        size_t n = min_size(data[at + 1], bytes - at - 2);
        step(data[at] % kinds_n, data + at + 2, n);
        at += 2 + n;
    }
}

/* n times 2^byte us go by, up to 2^(powers - 1), and timers run. */
static void pass_time(const uint8_t *data, size_t bytes, uint8_t powers)
{
    for (size_t i = 0; i < bytes && i < 8; i++)
        worker->now_us += (int64_t)1 << data[i] % powers;
    run_timers(worker);
}

/* Behind every input, when all is closed. */
static void check_empty(void)
{
    ASSERT(worker->count.transports == 0);
    ASSERT(worker->count.producers == 0);
    ASSERT(worker->count.consumers == 0);
    ASSERT(worker->slab.worker_n == 0);
    ASSERT(worker->slab.held_n == 0);
    ASSERT(worker->records_free_n == RECORDS_N);
    ASSERT(retain_check(worker->retain) == 0);
}

#endif
