/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/worker_datagram_fuzz.c - any datagrams and any order of control through a worker's
 * packet path: demultiplexing, media, RTCP, fan-out, resends, timers.
 *
 * An input is steps alone (test/fuzz/worker_rig.h). Behind every input everything is closed: no
 * object is left, no slot held. What the worker sends goes to a socket that nobody reads. */
#include "test/fuzz/worker_rig.h"

enum step {
    STEP_PUBLISHER, /* a datagram of the publisher */
    STEP_SUBSCRIBER,
    STEP_STRANGER, /* to either socket, from elsewhere */
    STEP_FANOUT,
    STEP_TIME,
    STEP_COMMAND,
    STEP_N,
};

enum { TRANSPORTS = 2, CONSUMERS = 3, STEPS_MAX = 400 };

static struct addr sink, stranger;

static void open_worker(void)
{
    make_worker(256, NULL, 0);
    (void)bound_socket(SOCK_DGRAM, &sink);
    ASSERT(addr_parse(&stranger, "127.0.0.9", 9) == 0);
    for (uint32_t i = 0; i < TRANSPORTS; i++) {
        struct command open = {.kind = COMMAND_SOCKET_OPEN, .index = i};
        open.socket_open.fd = bound_socket(SOCK_DGRAM, &open.socket_open.local);
        ASSERT(run_command(&open) == 0);
    }
}

/* ---- its objects, new for every input ---- */

static void open_consumer(uint32_t index)
{
    struct command command = {.kind = COMMAND_CONSUMER_OPEN, .index = index};
    struct command_consumer_open *open = &command.consumer_open;
    *open = (struct command_consumer_open){
        .transport = 1,
        .encoding = (uint8_t)(index % 2),
        .kind = MEDIA_VIDEO,
        .nack = index != 2,
        .priority = 1,
        .seq_first = 65530,
        .rtx_seq_first = 2000,
        .ts_first = 5000,
        .rewrite = {.ssrc = 0x2000 + 16 * index, .pt_n = 1, .mid_bytes = 1, .mid = "m"},
        .cname = "camera",
    };
    open->rewrite.rtx_ssrc = index == 0 ? 0x2001 : 0;
    open->rewrite.ext_out.id[RTP_EXT_MID] = 1;
    open->rewrite.ext_out.id[RTP_EXT_TWCC] = 5;
    open->rewrite.pt[0].in = 96;
    open->rewrite.pt[0].out = 101;
    open->rewrite.pt[0].rtx = index == 0 ? 102 : REWRITE_PT_NONE;
    open->rewrite.pt[0].codec = RTP_CODEC_VP8;
    open->rewrite.pt[0].clock_rate = 90000;
    run_command(&command);
}

static void open_producer(void)
{
    struct command command = {.kind = COMMAND_PRODUCER_OPEN};
    struct command_producer_open *open = &command.producer_open;
    *open = (struct command_producer_open){
        .kind = MEDIA_VIDEO,
        .nack = true,
        .pli = true,
        .pt_n = 2,
        .encodings_n = 2,
        .mid_bytes = 1,
        .mid = "m",
        .pt = {{.pt = 96, .media_pt = REWRITE_PT_NONE, .codec = RTP_CODEC_VP8, .clock_rate = 90000},
               {.pt = 97, .media_pt = 96, .codec = RTP_CODEC_VP8, .clock_rate = 90000}},
        .encodings = {{.ssrc = 0x1111, .rtx_ssrc = 0x1112}, {.rid_bytes = 1, .rid = "a"}},
    };
    open->ext_ids.id[RTP_EXT_MID] = 1;
    open->ext_ids.id[RTP_EXT_RID] = 2;
    open->ext_ids.id[RTP_EXT_RRID] = 3;
    open->ext_ids.id[RTP_EXT_TWCC] = 5;
    run_command(&command);
}

/* The publisher's transport is connected, the subscriber's learns. */
static void open_all(void)
{
    for (uint32_t i = 0; i < TRANSPORTS; i++) {
        struct command open = {.kind = COMMAND_TRANSPORT_OPEN, .index = i};
        open.transport_open = (struct command_transport_open){
            .rtp_socket = i, .rtcp_socket = i, .comedia = i == 1, .cname = "relay"};
        ASSERT(run_command(&open) == 0);
    }
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = 0};
    connect.transport_connect.remote = sink;
    ASSERT(run_command(&connect) == 0);
    open_producer();
    for (uint32_t i = 0; i < CONSUMERS; i++)
        open_consumer(i);
}

/* A send of a transport of the last input fails only now: nobody else's affair. One of now is. */
static void fail_late_send(void)
{
    static uint32_t tag_before;
    struct transport *t = &worker->transports[1];
    struct io_event event = {.kind = IO_SEND_FAILED, .packets = 3, .error = -EMSGSIZE};
    event.tag = tag_before;
    uint64_t counted = worker->count.drops[DROP_SEND_ERROR];
    if (tag_before != 0)
        on_send_failed(worker, &event);
    ASSERT(t->send_failed == 0 && !t->no_runs);
    ASSERT(worker->count.drops[DROP_SEND_ERROR] == counted + (tag_before != 0 ? 3 : 0));
    event.tag = t->tag;
    on_send_failed(worker, &event);
    ASSERT(t->send_failed == 3 && t->no_runs);
    t->no_runs = false;
    tag_before = t->tag;
}

static void close_all(void)
{
    for (uint32_t i = 0; i < RIG_CONSUMERS; i++)
        run_plain(COMMAND_CONSUMER_CLOSE, i);
    for (uint32_t i = 0; i < RIG_PRODUCERS; i++)
        run_plain(COMMAND_PRODUCER_CLOSE, i);
    for (uint32_t i = 0; i < RIG_TRANSPORTS; i++)
        run_plain(COMMAND_TRANSPORT_CLOSE, i);
    io_flush(worker->io);
    check_empty();
    ASSERT(worker->routes_in.n == 0);
    ASSERT(worker->routes_out.n == 0);
    ASSERT(worker->batch_n == 0);
}

/* ---- steps ---- */

static void deliver_by(uint32_t socket, const struct addr *remote, const uint8_t *data,
                       size_t bytes)
{
    deliver((struct io_event){.socket = worker->sockets[socket].io, .remote = *remote}, data,
            bytes);
}

static void control(uint8_t what)
{
    static const enum command_kind kinds[] = {COMMAND_CONSUMER_PAUSE, COMMAND_CONSUMER_RESUME,
                                              COMMAND_CONSUMER_CLOSE, COMMAND_CONSUMER_KEYFRAME,
                                              COMMAND_PRODUCER_PAUSE, COMMAND_PRODUCER_RESUME,
                                              COMMAND_PRODUCER_CLOSE, COMMAND_TRANSPORT_CLOSE};

    uint32_t index = what >> 4 & 3;
    if (what & 0x80)
        open_consumer(index);
    else if (what & 0x40)
        open_producer();
    else if ((what & 15) < ARRAY_N(kinds))
        run_plain(kinds[what & 15], index);
    else {
        struct command command = {.kind = COMMAND_TRACE_EVENTS, .index = index};
        command.trace_events.object = what & 1 ? OBJECT_PRODUCER : OBJECT_CONSUMER;
        command.trace_events.bits = what & 2 ? 0xff : 0;
        run_command(&command);
    }
}

static void step(uint8_t kind, const uint8_t *data, size_t bytes)
{
    switch ((enum step)kind) {
    case STEP_PUBLISHER:
        deliver_by(0, &sink, data, bytes);
        break;
    case STEP_SUBSCRIBER:
        deliver_by(1, &sink, data, bytes);
        break;
    case STEP_STRANGER:
        deliver_by(bytes & 1, &stranger, data, bytes);
        break;
    case STEP_FANOUT:
        fanout_begin(worker);
        fanout_step(worker); /* perhaps not to its end */
        break;
    case STEP_TIME:
        pass_time(data, bytes, 23);
        break;
    case STEP_COMMAND:
        for (size_t i = 0; i < bytes && i < 8; i++)
            control(data[i]);
        break;
    case STEP_N:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (worker == NULL)
        open_worker();
    worker->now_us = 1000000000;
    worker->random.state = 1;
    open_all();
    fail_late_send();
    run_steps(data, bytes, STEPS_MAX, STEP_N, step);
    close_all();
    return 0;
}
