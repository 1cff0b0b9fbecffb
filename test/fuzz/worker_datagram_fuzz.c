/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/worker_datagram_fuzz.c - any datagrams and any order of control through a worker's
 * packet path: demultiplexing, media, RTCP, fan-out, resends, timers, in one thread and in virtual
 * time.
 *
 *   input: steps | kind | n | n bytes |   (enum step; n is at most what is left)
 *
 * Behind every input everything is closed: no object is left, no slot held. The worker is the real
 * one without its thread and its waiting: worker.c is included for its static steps. What it sends
 * goes to a socket that nobody reads. */
#include "net/worker.c"

enum step {
    STEP_PUBLISHER, /* a datagram of the publisher */
    STEP_SUBSCRIBER,
    STEP_STRANGER, /* to either socket, from elsewhere */
    STEP_FANOUT,
    STEP_TIME, /* n times 2^byte us go by, timers run */
    STEP_COMMAND,
    STEP_N,
};

enum { TRANSPORTS = 2, CONSUMERS = 3, STEPS_MAX = 400 };

static struct worker *worker;
static struct addr sink, stranger;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* ---- a worker without a thread ---- */

static int bound_socket(struct addr *local)
{
    socklen_t local_bytes = sizeof *local;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ASSERT(addr_parse(local, "127.0.0.1", 0) == 0);
    ASSERT(bind(fd, &local->sa, addr_len(local)) == 0);
    ASSERT(getsockname(fd, &local->sa, &local_bytes) == 0);
    return fd;
}

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
        worker_outcome_done(worker);
    }
    ASSERT(result <= 0);
    return result;
}

static void make_worker(void)
{
    const struct worker_config config = {
        .engine = IO_ENGINE_MMSG,
        .slots_n = 256,
        .retain_slots_n = 128,
        .sockets_max = 2,
        .transports_max = 4,
        .producers_max = 2,
        .consumers_max = 4,
        .retain_rule = retain_rule_default,
        .shed_rule = shed_rule_default,
        .cpu = -1,
        .seed = 1,
    };
    const struct io_config io_config = {
        .engine = IO_ENGINE_MMSG, .sockets_max = 2, .standing_max = 16};
    ASSERT(worker_init(&worker, &config) == 0);
    ASSERT(io_init(&worker->io, &io_config, &worker->slab) == 0);
    (void)bound_socket(&sink);
    ASSERT(addr_parse(&stranger, "127.0.0.9", 9) == 0);
    for (uint32_t i = 0; i < TRANSPORTS; i++) {
        struct command open = {.kind = COMMAND_SOCKET_OPEN, .index = i};
        open.socket_open.fd = bound_socket(&open.socket_open.local);
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

static void run_plain(enum command_kind kind, uint32_t index)
{
    struct command command = {.kind = kind, .index = index};
    run_command(&command);
}

static void close_all(void)
{
    for (uint32_t i = 0; i < 4; i++)
        run_plain(COMMAND_CONSUMER_CLOSE, i);
    for (uint32_t i = 0; i < 2; i++)
        run_plain(COMMAND_PRODUCER_CLOSE, i);
    for (uint32_t i = 0; i < 4; i++)
        run_plain(COMMAND_TRANSPORT_CLOSE, i);
    io_flush(worker->io);
    ASSERT(worker->count.consumers == 0);
    ASSERT(worker->count.producers == 0);
    ASSERT(worker->count.transports == 0);
    ASSERT(worker->slab.worker_n == 0);
    ASSERT(worker->slab.held_n == 0);
    ASSERT(worker->records_free_n == RECORDS_N);
    ASSERT(worker->routes_in.n == 0);
    ASSERT(worker->routes_out.n == 0);
    ASSERT(worker->batch_n == 0);
}

/* ---- steps ---- */

static void deliver(uint32_t socket, const struct addr *remote, const uint8_t *data, size_t bytes)
{
    uint16_t slot = bytes == 0 ? (uint16_t)SLOT_NONE : slab_take(&worker->slab);
    if (slot == SLOT_NONE)
        return;
    slab_receive(&worker->slab, slot);
    memcpy(slab_packet(&worker->slab, slot), data, bytes);
    on_datagram(worker, &(struct io_event){.kind = IO_DATAGRAM,
                                           .socket = worker->sockets[socket].io,
                                           .slot = slot,
                                           .bytes = (uint16_t)bytes,
                                           .arrived_us = worker->now_us,
                                           .remote = *remote});
    if (!fanout_has_room(worker) || worker->slab.free_n < 64) {
        fanout_begin(worker);
        fanout_finish(worker);
    }
    make_room(worker);
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

static void step(enum step kind, const uint8_t *data, size_t bytes)
{
    switch (kind) {
    case STEP_PUBLISHER:
        deliver(0, &sink, data, bytes);
        break;
    case STEP_SUBSCRIBER:
        deliver(1, &sink, data, bytes);
        break;
    case STEP_STRANGER:
        deliver(bytes & 1, &stranger, data, bytes);
        break;
    case STEP_FANOUT:
        fanout_begin(worker);
        fanout_step(worker); /* perhaps not to its end */
        break;
    case STEP_TIME:
        for (size_t i = 0; i < bytes && i < 8; i++)
            worker->now_us += (int64_t)1 << data[i] % 23;
        run_timers(worker);
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
        make_worker();
    worker->now_us = 1000000000;
    worker->random.state = 1;
    open_all();
    fail_late_send();
    for (size_t at = 0, steps = 0; at + 2 <= bytes && steps < STEPS_MAX; steps++) {
        size_t n = min_size(data[at + 1], bytes - at - 2);
        step((enum step)(data[at] % STEP_N), data + at + 2, n);
        at += 2 + n;
    }
    close_all();
    ASSERT(retain_check(worker->retain) == 0);
    return 0;
}
