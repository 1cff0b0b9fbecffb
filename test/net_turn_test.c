/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_turn_test.c - a worker without its thread, its turn's steps called one by one: what one
 * room's overload costs the others, in packets instead of time, and what takes seconds, in virtual
 * time. worker.c is included for its steps. */
#include "net/worker.c"

#include "test/dtls_rig.h"
#include "test/must.h"
#include "test/net_rig.h"

#include <stdio.h>

enum {
    CROWD_ROOM = 200, /* receivers of the large room */
    MANY = 30,        /* streams of one receiver */
    SLICE_MAX = FANOUT_SLICE + ROUND_RECORDS_MAX,
};

static struct worker *worker;
static int sink_fd;
static uint16_t sink_port;
static uint32_t transports_n, producers_n, consumers_n;

/* ---- a worker without a thread ---- */

static void post(const struct command *command)
{
    struct command *item = mailbox_put_begin(&worker->inbox);
    ck_assert_ptr_nonnull(item);
    *item = *command;
    item->cookie = 1;
    mailbox_put_end(&worker->inbox);
}

/* The posted command's outcome: its result, or 1 when there is none yet. */
static int answer(void)
{
    int result = 1;
    for (const struct outcome *outcome; (outcome = worker_outcome(worker)) != NULL;) {
        if (outcome->cookie != 0)
            result = outcome->result;
        worker_outcome_done(worker);
    }
    return result;
}

static void run(const struct command *command)
{
    post(command);
    apply_commands(worker);
    ck_assert_int_eq(answer(), 0);
}

static int sink_open(struct addr *local, const char *ip)
{
    socklen_t local_bytes = sizeof *local;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(addr_parse(local, ip, 0), 0);
    ck_assert_int_eq(bind(fd, &local->sa, addr_len(local)), 0);
    ck_assert_int_eq(getsockname(fd, &local->sa, &local_bytes), 0);
    return fd;
}

static void open_socket(uint32_t index)
{
    struct command open = {.kind = COMMAND_SOCKET_OPEN, .index = index};
    open.socket_open.shared = true;
    open.socket_open.fd = sink_open(&open.socket_open.local, "127.0.0.1");
    run(&open);
}

static void begin_with(int engine, const struct certificate *certificate)
{
    struct worker_config config;
    struct addr local;
    rig_config(&config, rig_engines[engine], 8192, 0);
    config.certificate = certificate;
    const struct io_config io_config = {
        .engine = config.engine, .sockets_max = config.sockets_max, .standing_max = 64};
    transports_n = producers_n = consumers_n = 0;
    ck_assert_int_eq(worker_init(&worker, &config), 0);
    ck_assert_int_eq(io_init(&worker->io, &io_config, &worker->slab), 0);
    sink_fd = sink_open(&local, "0.0.0.0"); /* everybody's: nobody reads it */
    sink_port = addr_port(&local);
    worker->now_us = clock_now_us();
    open_socket(0);
}

static void begin(int engine)
{
    begin_with(engine, NULL);
}

static void end(void)
{
    apply_close_all(worker);
    io_flush(worker->io);
    ck_assert_uint_eq(worker->slab.worker_n, 0);
    ck_assert_uint_eq(worker->slab.held_n, 0);
    ck_assert_uint_eq(worker->records_free_n, RECORDS_N);
    worker_exit(worker);
    close(sink_fd);
}

static struct addr address_of(uint32_t transport)
{
    struct addr addr;
    char text[32];
    snprintf(text, sizeof text, "127.1.%u.%u", transport / 250, transport % 250 + 1);
    ck_assert_int_eq(addr_parse(&addr, text, sink_port), 0);
    return addr;
}

static uint32_t open_transport_with(uint32_t rtcp_socket)
{
    struct command open = {.kind = COMMAND_TRANSPORT_OPEN, .index = transports_n++};
    open.transport_open.rtcp_socket = rtcp_socket;
    memcpy(open.transport_open.cname, "relay", 6);
    run(&open);
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = open.index};
    connect.transport_connect.remote = address_of(open.index);
    run(&connect);
    return open.index;
}

static uint32_t open_transport(void)
{
    return open_transport_with(0);
}

static uint32_t ssrc_of(uint32_t producer)
{
    return 0x1000 + 2 * producer;
}

static uint32_t open_producer(uint32_t transport)
{
    struct command open = {.kind = COMMAND_PRODUCER_OPEN, .index = producers_n++};
    rig_producer_defaults(&open.producer_open, transport, ssrc_of(open.index));
    run(&open);
    return open.index;
}

static uint32_t open_consumer(uint32_t transport, uint32_t producer)
{
    struct command open = {.kind = COMMAND_CONSUMER_OPEN, .index = consumers_n++};
    rig_consumer_defaults(&open.consumer_open, transport, producer, 0x100000 + 2 * open.index,
                          true);
    run(&open);
    return open.index;
}

static void deliver(uint32_t transport, const uint8_t *data, size_t bytes)
{
    uint16_t slot = slab_take(&worker->slab);
    MUST(slot != SLOT_NONE);
    slab_receive(&worker->slab, slot);
    memcpy(slab_packet(&worker->slab, slot), data, bytes);
    on_datagram(worker, &(struct io_event){.kind = IO_DATAGRAM,
                                           .socket = worker->sockets[0].io,
                                           .slot = slot,
                                           .bytes = (uint16_t)bytes,
                                           .arrived_us = worker->now_us,
                                           .remote = address_of(transport)});
}

static void publish(uint32_t producer, uint16_t seq)
{
    uint8_t data[RIG_PACKET];
    struct rig_rtp rtp = {.ssrc = ssrc_of(producer), .seq = seq, .pt = 96, .payload_bytes = 20};
    rtp.rtp_ts = seq * 3000u;
    deliver(worker->producers[producer].transport->index, data, rig_make_rtp(&rtp, data));
}

/* ---- two rooms ---- */

struct rooms {
    uint32_t large, small, listener; /* producers, the small room's consumer */
    uint16_t seq;                    /* the large room's next */
};

static void rooms_open(struct rooms *rooms, int engine)
{
    begin(engine);
    *rooms = (struct rooms){.large = open_producer(open_transport())};
    for (int i = 0; i < CROWD_ROOM; i++)
        open_consumer(open_transport(), rooms->large);
    rooms->small = open_producer(open_transport());
    rooms->listener = open_consumer(open_transport(), rooms->small);
}

static void flood(struct rooms *rooms, int packets)
{
    worker->now_us = clock_now_us();
    for (int i = 0; i < packets; i++)
        publish(rooms->large, rooms->seq++);
}

static uint64_t forwarded_by_fan_out(void)
{
    uint64_t before = worker->count.forwarded;
    ck_assert(fan_out(worker));
    return worker->count.forwarded - before;
}

START_TEST(a_timer_does_not_wait_for_another_room)
{
    struct rooms rooms;
    rooms_open(&rooms, _i);
    publish(rooms.small, 1);
    publish(rooms.small, 3);
    usleep(NACK_DELAY_US + 1000);
    flood(&rooms, 1000);
    ck_assert_uint_le(forwarded_by_fan_out(), SLICE_MAX);
    run_timers(worker);
    ck_assert_uint_eq(worker->count.nack_sent, 1);
    end();
}

END_TEST

START_TEST(a_question_does_not_wait_for_another_room)
{
    struct rooms rooms;
    rooms_open(&rooms, _i);
    flood(&rooms, 1000);
    post(&(struct command){
        .kind = COMMAND_STATS, .index = rooms.listener, .stats = OBJECT_CONSUMER});
    ck_assert_uint_le(forwarded_by_fan_out(), SLICE_MAX);
    apply_commands(worker);
    ck_assert_int_eq(answer(), 0);
    end();
}

END_TEST

/* What changes objects waits for the rounds under way, and they are short. */
START_TEST(a_change_waits_for_one_round)
{
    struct rooms rooms;
    int result;
    rooms_open(&rooms, _i);
    flood(&rooms, 1000);
    fan_out(worker);
    uint64_t before = worker->count.forwarded;
    post(&(struct command){.kind = COMMAND_CONSUMER_PAUSE, .index = rooms.listener});
    for (apply_commands(worker); (result = answer()) == 1; apply_commands(worker)) {
        flood(&rooms, 5);
        fan_out(worker);
        run_timers(worker);
    }
    ck_assert_int_eq(result, 0);
    ck_assert_uint_le(worker->count.forwarded - before, ROUND_RECORDS_MAX * CROWD_ROOM);
    end();
}

END_TEST

START_TEST(a_turn_ends_though_there_is_more_to_send)
{
    struct rooms rooms;
    rooms_open(&rooms, _i);
    flood(&rooms, 1000);
    forwarded_by_fan_out();
    ck_assert_uint_le(worker->count.fanout_yields, 32); /* a slice takes 100 us and more */
    end();
}

END_TEST

/* They came in one turn, and the small room goes on while the large one is served. */
START_TEST(a_small_room_does_not_wait_for_the_end_of_a_large_one)
{
    struct rooms rooms;
    rooms_open(&rooms, _i);
    const struct consumer *listener = &worker->consumers[rooms.listener];
    flood(&rooms, 20);
    for (uint16_t seq = 1; seq <= 4; seq++) {
        publish(rooms.small, seq);
        fanout_begin(worker);
        for (int steps = 0; steps < 2 && listener->packets < seq; steps++)
            ck_assert(fanout_step(worker));
        ck_assert_uint_eq(listener->packets, seq);
    }
    ck_assert_uint_lt(worker->count.forwarded, 20 * CROWD_ROOM);
    fanout_finish(worker);
    ck_assert_uint_eq(worker->count.forwarded, 20 * CROWD_ROOM + 4);
    end();
}

END_TEST

static uint32_t rounds_active(void)
{
    uint32_t n = 0;
    for (int i = 0; i < ROUNDS_N; i++)
        n += worker->rounds[i].active;
    return n;
}

/* However many of one kind come one after the other, a round is left for the other kind. */
START_TEST(neither_small_nor_large_rooms_take_all_rounds)
{
    struct rooms rooms;

    enum { MORE = 70 }; /* receivers of the other large ones */

    uint32_t large[ROUNDS_N], small[ROUNDS_N];
    bool small_first = _i >= 2;
    rooms_open(&rooms, _i % 2);
    large[0] = rooms.large;
    small[0] = rooms.small;
    for (int i = 1; i < ROUNDS_N; i++) {
        large[i] = open_producer(0);
        for (uint32_t to = 1; to <= MORE; to++)
            open_consumer(to, large[i]);
        small[i] = open_producer(0);
        open_consumer(1, small[i]);
    }
    for (int i = 0; i < ROUNDS_N; i++) {
        publish(small_first ? small[i] : large[i], 1);
        fanout_begin(worker);
    }
    ck_assert_uint_eq(rounds_active(), ROUNDS_N - 1);
    publish(small_first ? large[0] : small[0], 1);
    fanout_begin(worker);
    ck_assert_uint_eq(rounds_active(), ROUNDS_N);
    do
        fanout_begin(worker);
    while (fanout_step(worker) || worker->batch_n > 0);
    ck_assert_uint_eq(worker->count.forwarded,
                      CROWD_ROOM + (small_first ? ROUNDS_N : (ROUNDS_N - 1) * MORE + 1));
    end();
}

END_TEST

START_TEST(a_receiver_of_many_streams_is_served_in_slices)
{
    enum { PACKETS = 60 };

    begin(_i);
    uint32_t publisher = open_transport(), subscriber = open_transport();
    for (int i = 0; i < MANY; i++)
        open_consumer(subscriber, open_producer(publisher));
    worker->now_us = clock_now_us();
    for (uint16_t seq = 0; seq < PACKETS; seq++)
        for (uint32_t i = 0; i < MANY; i++)
            publish(i, seq);
    fanout_begin(worker);
    for (bool more = true; more;) {
        uint64_t before = worker->count.forwarded;
        more = fanout_step(worker);
        ck_assert_uint_le(worker->count.forwarded - before, SLICE_MAX);
    }
    ck_assert_uint_eq(worker->count.forwarded, MANY * PACKETS);
    end();
}

END_TEST

/* ---- late ---- */

static void nack(uint32_t consumer, uint16_t first, uint16_t n)
{
    uint8_t data[64];
    uint16_t seqs[16];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    const struct consumer *c = &worker->consumers[consumer];
    for (uint16_t i = 0; i < n; i++)
        seqs[i] = (uint16_t)(first + i);
    ck_assert_uint_eq(rtcp_write_nack(&writer, 1, c->rewrite.ssrc, seqs, n), n);
    deliver(c->transport->index, data, writer.at);
}

static void serve_all(void)
{
    fanout_begin(worker);
    fanout_finish(worker);
}

/* In virtual time: what has waited too long is a loss to the receiver, which gets it by NACK. */
START_TEST(what_has_waited_too_long_is_not_forwarded)
{
    begin(_i);
    const uint64_t *late = &worker->count.drops[DROP_FANOUT_LATE];
    uint32_t producer = open_producer(open_transport());
    uint32_t consumer = open_consumer(open_transport(), producer);
    publish(producer, 0);
    worker->now_us += FANOUT_LATE_US;
    serve_all();
    ck_assert_uint_eq(worker->count.forwarded, 1);
    for (uint16_t i = 1; i <= 10; i++)
        publish(producer, i);
    worker->now_us += 1;
    for (uint16_t i = 11; i <= 15; i++)
        publish(producer, i);
    worker->now_us += FANOUT_LATE_US;
    serve_all();
    ck_assert_uint_eq(worker->count.forwarded, 1 + 5);
    ck_assert_uint_eq(*late, 10);
    ck_assert_uint_eq((uint16_t)worker->consumers[consumer].map.out_max, 1015); /* with its gap */

    worker->now_us += 100000; /* for so long the receiver waits for them */
    nack(consumer, 1001, 4);
    ck_assert_uint_eq(worker->count.nack_served, 4);
    publish(producer, 16);
    worker->now_us += FANOUT_LATE_US + 1;
    serve_all(); /* nothing is left for a round */
    ck_assert(!fanout_is_active(worker));
    ck_assert_uint_eq(worker->batch_n, 0);
    ck_assert_uint_eq(*late, 11);
    publish(producer, 17);
    serve_all();
    ck_assert_uint_eq(worker->count.forwarded, 1 + 5 + 1);
    end();
}

END_TEST

/* ---- reports ---- */

static uint32_t open_audio(uint32_t transport, enum rtp_codec codec, bool reduced)
{
    struct command open = {.kind = COMMAND_PRODUCER_OPEN, .index = producers_n++};
    rig_producer_defaults(&open.producer_open, transport, ssrc_of(open.index));
    open.producer_open.kind = MEDIA_AUDIO;
    open.producer_open.pt[0].codec = (uint8_t)codec;
    open.producer_open.rtcp_reduced = reduced;
    run(&open);
    return open.index;
}

/* A receiver reports its loss. */
static void report_loss(uint32_t consumer, uint8_t fraction)
{
    uint8_t data[64];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    const struct consumer *c = &worker->consumers[consumer];
    struct rtcp_report_block block = {.ssrc = c->rewrite.ssrc, .fraction_lost = fraction};
    ck_assert(rtcp_write_rr(&writer, 1, &block, 1));
    deliver(c->transport->index, data, writer.at);
}

/* The loss that a producer's peer is told with the transport's next report. */
static int told(uint32_t producer)
{
    uint8_t data[RIG_PACKET];
    io_flush(worker->io);
    while (recv(sink_fd, data, sizeof data, MSG_DONTWAIT) > 0)
        ; /* what was sent before */
    reporting_send(worker, worker->producers[producer].transport);
    io_flush(worker->io);
    for (ssize_t got; (got = recv(sink_fd, data, sizeof data, MSG_DONTWAIT)) > 0;) {
        struct rtcp_reader reader;
        struct rtcp_packet packet;
        struct rtcp_report_block block;
        ck_assert_int_eq(rtcp_reader_init(&reader, data, (size_t)got), DROP_NONE);
        while (rtcp_reader_next(&reader, &packet))
            if (rtcp_read_report_block(data, &packet, 0, &block) && block.ssrc == ssrc_of(producer))
                return block.fraction_lost;
    }
    return -1;
}

START_TEST(opus_is_told_the_loss_of_those_who_still_report)
{
    bool opus = _i < 2;
    begin(_i % 2);
    uint32_t producer = open_audio(open_transport(), opus ? RTP_CODEC_OPUS : RTP_CODEC_OTHER, true);
    uint32_t silent = open_consumer(open_transport(), producer);
    uint32_t speaking = open_consumer(open_transport(), producer);
    publish(producer, 1);
    report_loss(silent, 200);
    report_loss(speaking, 20);
    ck_assert_int_eq(told(producer), opus ? 200 : 0);
    worker->now_us += 5000000;
    report_loss(speaking, 21);
    publish(producer, 2);
    ck_assert_int_eq(told(producer), opus ? 200 : 0);
    worker->now_us += 1;
    ck_assert_int_eq(told(producer), opus ? 21 : 0);
    end();
}

END_TEST

START_TEST(nothing_is_reported_to_an_unknown_address)
{
    begin(_i);
    open_socket(1);
    uint32_t transport = open_transport_with(1); /* its address for RTCP is not known yet */
    uint32_t producer = open_producer(transport);
    uint32_t consumer = open_consumer(transport, producer);
    publish(producer, 1);
    serve_all();
    worker->transports[transport].twcc_started = true;
    twcc_recorder_init(&worker->twccs[transport]);
    twcc_record(&worker->twccs[transport], 7, 1, worker->now_us);
    uint64_t before = worker->count.drops[DROP_NOT_CONNECTED]; /* key frame requests */
    ck_assert_int_eq(told(producer), -1);
    reporting_send_twcc(worker, &worker->transports[transport]);
    run(&(struct command){.kind = COMMAND_CONSUMER_CLOSE, .index = consumer});
    reporting_send_byes(worker, &worker->transports[transport]);
    ck_assert_uint_eq(worker->count.drops[DROP_NOT_CONNECTED], before);
    ck_assert_uint_eq(worker->transports[transport].byes_n, 1); /* to be said yet */
    ck_assert_uint_eq(worker->count.rtcp_out, 0);

    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = transport};
    connect.transport_connect.rtcp_remote = address_of(transport);
    run(&connect);
    publish(producer, 2);
    ck_assert_int_eq(told(producer), 0);
    ck_assert_uint_eq(worker->transports[transport].byes_n, 0);
    end();
}

END_TEST

/* The peer's RTCP is as full as the most demanding of its producers wants it, while that is open.
 */
START_TEST(full_compounds_end_with_their_producer)
{
    begin(_i);
    uint32_t transport = open_transport();
    const struct transport *t = &worker->transports[transport];
    open_audio(transport, RTP_CODEC_OPUS, true);
    ck_assert(!t->compound_feedback);
    uint32_t first = open_audio(transport, RTP_CODEC_OPUS, false);
    uint32_t second = open_audio(transport, RTP_CODEC_OPUS, false);
    ck_assert(t->compound_feedback);
    run(&(struct command){.kind = COMMAND_PRODUCER_CLOSE, .index = first});
    ck_assert(t->compound_feedback);
    run(&(struct command){.kind = COMMAND_PRODUCER_CLOSE, .index = second});
    ck_assert(!t->compound_feedback);
    end();
}

END_TEST

/* ---- WebRTC ---- */

static const struct ice_credentials credentials = {
    .ufrag_bytes = 8, .pwd_bytes = 24, .ufrag = "fragment", .pwd = "password-of-24-bytes-ok!"};

static void open_webrtc(void)
{
    struct command open = {.kind = COMMAND_TRANSPORT_OPEN, .index = transports_n++};
    open.transport_open.kind = TRANSPORT_WEBRTC;
    open.transport_open.webrtc =
        (struct command_webrtc_open){.credentials = credentials, .sockets_n = 1, .sockets = {0}};
    run(&open);
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = open.index};
    connect.transport_connect.webrtc = (struct command_webrtc_connect){
        .role = DTLS_ROLE_SERVER, .fingerprint.hash = FINGERPRINT_SHA256};
    run(&connect);
}

/* A check of the peer, as if it had come to socket 0. */
static void check(void)
{
    static const uint8_t id[STUN_TRANSACTION_BYTES] = {1, 2, 3};
    uint16_t slot = slab_take(&worker->slab);
    slab_receive(&worker->slab, slot);
    struct addr remote = address_of(7);
    size_t bytes =
        stun_write_request(slab_packet(&worker->slab, slot), 512,
                           &(struct stun_request){.transaction = id,
                                                  .username = "fragment:theirs",
                                                  .username_bytes = 15,
                                                  .key = {credentials.pwd, credentials.pwd_bytes},
                                                  .priority = 1,
                                                  .use_candidate = true});
    on_datagram(worker, &(struct io_event){.kind = IO_DATAGRAM,
                                           .socket = worker->sockets[0].io,
                                           .slot = slot,
                                           .bytes = (uint16_t)bytes,
                                           .remote = remote});
}

/* Media never comes, and an application that waits for it is told. */
START_TEST(who_never_says_hello_has_failed)
{
    begin_with(_i, dtls_rig_certificate(DTLS_RIG_SERVER));
    open_webrtc();
    const struct peer *peer = worker->transports[0].peer;
    check();
    ck_assert_int_eq(peer->ice.state, ICE_COMPLETED);
    ck_assert_int_eq(peer->dtls_state, DTLS_CONNECTING);
    worker->now_us += DTLS_HANDSHAKE_US - 1;
    check(); /* it is there, and checks on */
    run_timers(worker);
    ck_assert_int_eq(peer->dtls_state, DTLS_CONNECTING);
    worker->now_us += 1;
    run_timers(worker);
    ck_assert_int_eq(peer->dtls_state, DTLS_FAILED);
    answer();
    end();
}

END_TEST

Suite *net_turn_suite(void)
{
    Suite *suite = suite_create("net_turn");
    TCase *rooms = tcase_create("two rooms");
    tcase_set_timeout(rooms, 60);
    tcase_add_loop_test(rooms, a_timer_does_not_wait_for_another_room, 0, 2);
    tcase_add_loop_test(rooms, a_question_does_not_wait_for_another_room, 0, 2);
    tcase_add_loop_test(rooms, a_change_waits_for_one_round, 0, 2);
    tcase_add_loop_test(rooms, a_turn_ends_though_there_is_more_to_send, 0, 2);
    tcase_add_loop_test(rooms, a_small_room_does_not_wait_for_the_end_of_a_large_one, 0, 2);
    tcase_add_loop_test(rooms, neither_small_nor_large_rooms_take_all_rounds, 0, 4);
    tcase_add_loop_test(rooms, a_receiver_of_many_streams_is_served_in_slices, 0, 2);
    tcase_add_loop_test(rooms, what_has_waited_too_long_is_not_forwarded, 0, 2);
    tcase_add_loop_test(rooms, who_never_says_hello_has_failed, 0, 2);
    suite_add_tcase(suite, rooms);
    TCase *reports = tcase_create("reports");
    tcase_add_loop_test(reports, opus_is_told_the_loss_of_those_who_still_report, 0, 4);
    tcase_add_loop_test(reports, nothing_is_reported_to_an_unknown_address, 0, 2);
    tcase_add_loop_test(reports, full_compounds_end_with_their_producer, 0, 2);
    suite_add_tcase(suite, reports);
    return suite;
}
