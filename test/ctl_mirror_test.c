/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_mirror_test.c - a room over several workers: mirrors of producers, from the first
 * consumer elsewhere to the last, and whatever ends or fails in between. */
#include "ctl/mirror.h"
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <errno.h>

enum { WORKERS = 3, A = 0, B = 1, C = 2 }; /* the producer's worker, and others */

static struct rig rig;

static void transport(const char *id, int worker)
{
    rig_do(&rig, "transport.createPlain",
           "{'routerId':'r','id':'%s','workerIndex':%d,'listenInfo':{'ip':'127.0.0.1'}}", id,
           worker);
}

/* The rig's room, whose transport t and producers p and a are on A, and two transports on B. */
static void setup(void)
{
    rig_start(&rig, WORKERS);
    rig_room(&rig);
    transport("t0", A);
    transport("u", B);
    transport("v", B);
    transport("w", C);
}

static void teardown(void)
{
    rig_stop(&rig);
}

static struct worker *at(uint32_t worker)
{
    return fake_worker(worker);
}

static const char consume_params[] =
    "{'transportId':'%s','id':'%s','producerId':'%s','rtpCapabilities':%s}";

static void consume(const char *id, const char *where, const char *producer)
{
    rig_do(&rig, "transport.consume", consume_params, where, id, producer, rig_capabilities);
}

static int consume_ask(const char *id, const char *where, const char *producer)
{
    int asked = rig_request(&rig, &rig.client, "transport.consume", consume_params, where, id,
                            producer, rig_capabilities);
    rig_settle(&rig);
    return asked;
}

/* 0: answered with a result; else the code of its error. */
static int client_code(struct rig_client *client, int asked)
{
    json_t *answer = rig_answer(&rig, client, asked);
    ck_assert_ptr_nonnull(answer);
    int code = rig_at(answer, "result") ? 0 : (int)rig_int(answer, "error.code");
    json_decref(answer);
    return code;
}

static int code_of(int asked)
{
    return client_code(&rig.client, asked);
}

static void unanswered(int asked)
{
    ck_assert_ptr_null(rig_answer(&rig, &rig.client, asked));
}

static void holds(bool hold)
{
    for (uint32_t worker = 0; worker < WORKERS; worker++)
        fake_hold(at(worker), hold);
}

/* Mirrors, as everybody counts them; none of them ends. */
static void mirrors_are(uint32_t on_b, uint32_t on_c)
{
    json_t *census = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(census, "mirrors"), on_b + on_c);
    ck_assert_int_eq(rig_int(census, "workers.0.mirrors"), 0);
    ck_assert_int_eq(rig_int(census, "workers.1.mirrors"), on_b);
    ck_assert_int_eq(rig_int(census, "workers.2.mirrors"), on_c);
    ck_assert_int_eq(rig_int(census, "commands"), 0);
    json_decref(census);
    ck_assert_uint_eq(rig.control->model.places[B].of[OBJECT_PRODUCER].used_n, on_b);
    ck_assert_uint_eq(rig.control->model.places[B].mirrors_n, on_b);
    ck_assert_uint_eq(rig.control->model.places[C].of[OBJECT_PRODUCER].used_n, on_c);
}

static void expect_empty(void)
{
    static const char *const kinds[] = {"routers", "transports", "producers", "consumers",
                                        "mirrors", "sockets",    "commands",  "texts"};
    json_t *census = rig_ok(&rig, "server.census", "{}");
    for (size_t i = 0; i < ARRAY_N(kinds); i++)
        ck_assert_msg(rig_int(census, kinds[i]) == 0, "%s are left", kinds[i]);
    json_decref(census);
    for (uint32_t w = 0; w < WORKERS; w++) {
        ck_assert_uint_eq(rig.control->model.places[w].mirrors_n, 0);
        if (rig.control->desks[w].dead)
            continue;
        ck_assert_uint_eq(fake_mirrors_n(at(w)), 0);
        for (size_t kind = OBJECT_SOCKET; kind < OBJECT_KIND_N; kind++) {
            ck_assert_uint_eq(fake_open_n(at(w), (enum object_kind)kind), 0);
            ck_assert_uint_eq(rig.control->model.places[w].of[kind].used_n, 0);
        }
    }
}

static void close_all(void)
{
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

/* Those of other objects are passed over. */
static void expect_note(const char *method, const char *field, const char *id)
{
    bool found = false;
    while (!found) {
        json_t *note = rig_note(&rig, &rig.client, method);
        ck_assert_msg(note != NULL, "no %s of %s", method, id);
        found = strcmp(rig_text(note, field), id) == 0;
        json_decref(note);
    }
}

static uint32_t index_of(const char *producer)
{
    return model_find(&rig.control->model, NOUN_PRODUCER, producer)->index;
}

/* ---- begin and end ---- */

/* The first consumer on a worker brings the mirror, the last takes it; those beside the producer
 * need none. */
START_TEST(test_one)
{
    consume("c0", "t0", "p");
    ck_assert_uint_eq(fake_commands_n(at(A), COMMAND_READER_ADD), 0);
    consume("c1", "u", "p");
    consume("c2", "u", "p");
    consume("c3", "v", "p");
    ck_assert_uint_eq(fake_commands_n(at(B), COMMAND_PRODUCER_OPEN), 1);
    ck_assert_uint_eq(fake_commands_n(at(A), COMMAND_READER_ADD), 1);
    mirrors_are(1, 0);
    json_t *dump = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(dump, "workers.1.producers"), 0);
    json_decref(dump);
    dump = rig_ok(&rig, "producer.dump", "{'producerId':'p'}");
    ck_assert_int_eq(rig_int(dump, "workerIndex"), A);
    ck_assert_uint_eq(json_array_size(rig_at(dump, "mirrorWorkerIndices")), 1);
    ck_assert_int_eq(rig_int(dump, "mirrorWorkerIndices.0"), B);
    ck_assert_uint_eq(json_array_size(rig_at(dump, "consumerIds")), 4);
    json_decref(dump);

    const struct command *add = fake_last(at(A), COMMAND_READER_ADD);
    struct command_reader reader = add->reader;
    ck_assert_uint_eq(add->index, index_of("p"));
    ck_assert_uint_eq(reader.worker, B);
    ck_assert_uint_eq(fake_readers_n(at(A), index_of("p")), 1);
    ck_assert_uint_eq(fake_last(at(B), COMMAND_CONSUMER_OPEN)->consumer_open.producer,
                      reader.producer);
    rig_do(&rig, "consumer.close", "{'consumerId':'c1'}");
    rig_do(&rig, "consumer.close", "{'consumerId':'c3'}");
    mirrors_are(1, 0);
    rig_do(&rig, "consumer.close", "{'consumerId':'c2'}");
    mirrors_are(0, 0);
    ck_assert_uint_lt(fake_order(at(B), COMMAND_CONSUMER_CLOSE),
                      fake_order(at(B), COMMAND_PRODUCER_CLOSE));
    const struct command *removed = fake_last(at(A), COMMAND_READER_REMOVE);
    ck_assert_uint_eq(removed->index, index_of("p"));
    ck_assert_mem_eq(&removed->reader, &reader, sizeof(reader));
    ck_assert_uint_eq(fake_readers_n(at(A), index_of("p")), 0);

    consume("c1", "u", "p");
    ck_assert_uint_ne(fake_last(at(A), COMMAND_READER_ADD)->reader.serial, reader.serial);
    close_all();
}

END_TEST

/* The mirror is told what the producer was told, but for SSRCs, of which none leads to it. */
START_TEST(test_commands)
{
    rig_do(&rig, "transport.produce",
           "{'transportId':'t0','id':'q','kind':'video','paused':true,'keyFrameRequestDelay':700,"
           "'rtpParameters':{'mid':'m','codecs':[{'mimeType':'video/VP8','payloadType':96,"
           "'clockRate':90000,'rtcpFeedback':[{'type':'nack'}]},{'mimeType':'video/rtx',"
           "'payloadType':97,'clockRate':90000,'parameters':{'apt':96}}],'headerExtensions':[{"
           "'uri':'urn:ietf:params:rtp-hdrext:sdes:mid','id':3}],'encodings':[{'ssrc':5,'rtx':{"
           "'ssrc':6}}]}}");
    struct command_producer_open own = fake_last(at(A), COMMAND_PRODUCER_OPEN)->producer_open;
    ck_assert(!own.source.elsewhere);
    ck_assert_uint_eq(own.encodings[0].ssrc, 5);
    consume("c", "u", "q");
    const struct command *command = fake_last(at(B), COMMAND_PRODUCER_OPEN);
    struct command_producer_open open = command->producer_open;
    ck_assert(open.source.elsewhere);
    ck_assert_uint_eq(open.source.worker, A);
    ck_assert_uint_eq(open.source.producer, index_of("q"));
    ck_assert_uint_eq(open.source.serial, fake_last(at(A), COMMAND_READER_ADD)->reader.serial);
    ck_assert_uint_eq(command->index, fake_last(at(A), COMMAND_READER_ADD)->reader.producer);
    ck_assert_uint_lt(fake_order(at(B), COMMAND_PRODUCER_OPEN),
                      fake_order(at(B), COMMAND_CONSUMER_OPEN));
    own.encodings[0].ssrc = own.encodings[0].rtx_ssrc = 0;
    own.source = open.source;
    own.transport = open.transport;
    ck_assert(own.paused && open.paused);
    ck_assert_mem_eq(own.pt, open.pt, sizeof(own.pt));
    ck_assert_mem_eq(own.encodings, open.encodings, sizeof(own.encodings));
    ck_assert_mem_eq(&own.ext_ids, &open.ext_ids, sizeof(own.ext_ids));
    ck_assert_int_eq(own.kind, open.kind);
    ck_assert_uint_eq(own.pt_n, open.pt_n);
    ck_assert_uint_eq(own.encodings_n, open.encodings_n);
    ck_assert_int_eq(own.keyframe_delay_us, open.keyframe_delay_us);
    ck_assert(own.nack == open.nack && own.pli == open.pli && own.fir == open.fir);
    close_all();
}

END_TEST

/* Each worker has its own, each producer too; the serial never is 0. */
START_TEST(test_several)
{
    rig.control->model.mirror_serial = UINT32_MAX - 1;
    consume("c1", "u", "p");
    consume("c2", "w", "p");
    consume("c3", "u", "a");
    mirrors_are(2, 1);
    ck_assert_uint_eq(fake_readers_n(at(A), index_of("p")), 2);
    ck_assert_uint_eq(fake_readers_n(at(A), index_of("a")), 1);
    ck_assert_uint_eq(fake_last(at(C), COMMAND_PRODUCER_OPEN)->producer_open.source.serial, 1);
    rig_do(&rig, "producer.close", "{'producerId':'p'}");
    expect_note("consumer.producerclose", "consumerId", "c1");
    expect_note("consumer.producerclose", "consumerId", "c2");
    mirrors_are(1, 0);
    close_all();
}

END_TEST

/* Who comes while the mirror ends gets another one, with an index and a serial of its own. */
START_TEST(test_again)
{
    consume("c1", "u", "p");
    struct command_reader first = fake_last(at(A), COMMAND_READER_ADD)->reader;
    holds(true);
    int ended = rig_request(&rig, &rig.client, "consumer.close", "{'consumerId':'c1'}");
    int asked = consume_ask("c2", "u", "p");
    struct command_reader second = fake_last(at(A), COMMAND_READER_ADD)->reader;
    ck_assert_uint_ne(second.serial, first.serial);
    ck_assert_uint_ne(second.producer, first.producer);
    unanswered(asked);
    holds(false);
    ck_assert_int_eq(code_of(ended), 0);
    ck_assert_int_eq(code_of(asked), 0);
    mirrors_are(1, 0);
    consume("c3", "v", "p");
    ck_assert_uint_eq(fake_commands_n(at(B), COMMAND_PRODUCER_OPEN), 2);
    close_all();
}

END_TEST

/* ---- what ends it ---- */

static const struct {
    const char *method, *params;
    int consumers; /* that are left */
    const char *note, *field, *id;
} ends[] = {
    {"consumer.close", "{'consumerId':'c1'}", 1, "consumer.close", "consumerId", "c1"},
    {"producer.close", "{'producerId':'p'}", 0, "consumer.producerclose", "consumerId", "c1"},
    {"transport.close", "{'transportId':'u'}", 1, "consumer.transportclose", "consumerId", "c1"},
    {"transport.close", "{'transportId':'t'}", 0, "consumer.producerclose", "consumerId", "c1"},
    {"router.close", "{'routerId':'r'}", 0, "consumer.transportclose", "consumerId", "c1"},
};

/* The answer waits for the producer's worker, and for the mirror's. */
START_TEST(test_ends)
{
    struct rig_client other; /* who asks; others are served meanwhile */
    size_t row = (size_t)_i / 2;
    uint32_t slow = _i % 2 ? A : B;
    consume("c0", "t0", "p");
    consume("c1", "u", "p");
    rig_connect(&rig, &other);
    fake_hold(at(slow), true);
    int ended = rig_request(&rig, &other, ends[row].method, "%s", ends[row].params);
    ck_assert_ptr_null(rig_answer(&rig, &other, ended));
    expect_note(ends[row].note, ends[row].field, ends[row].id);
    json_t *census = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(census, "mirrors"), 0);
    ck_assert_int_eq(rig_int(census, "consumers"), ends[row].consumers);
    ck_assert_int_gt((int)rig_int(census, "commands"), 0);
    json_decref(census);
    fake_hold(at(slow), false);
    ck_assert_int_eq(client_code(&other, ended), 0);
    rig_disconnect(&rig, &other);
    mirrors_are(0, 0);
    ck_assert_uint_lt(fake_order(at(B), COMMAND_CONSUMER_CLOSE),
                      fake_order(at(B), COMMAND_PRODUCER_CLOSE));
    if (fake_commands_n(at(A), COMMAND_PRODUCER_CLOSE) > 0)
        ck_assert_uint_lt(fake_order(at(A), COMMAND_READER_REMOVE),
                          fake_order(at(A), COMMAND_PRODUCER_CLOSE));
    if (row + 1 < ARRAY_N(ends))
        rig_do(&rig, "router.close", "{'routerId':'r'}");
    expect_empty();
}

END_TEST

/* A WebRTC server ends with its transports, on all workers. */
START_TEST(test_server_ends)
{
    rig_do(&rig, "webRtcServer.create", "{'id':'s','listenInfos':[{'ip':'127.0.0.1'}]}");
    rig_do(&rig, "transport.createWebRtc",
           "{'routerId':'r','id':'x','workerIndex':1,'webRtcServerId':'s'}");
    rig_do(&rig, "transport.produce",
           "{'transportId':'x','id':'q','kind':'audio','rtpParameters':{'codecs':[{'mimeType':"
           "'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':"
           "3}]}}");
    consume("c1", "w", "q");
    consume("c2", "x", "p");
    ck_assert_uint_eq(rig.control->model.mirrors_n, 2);
    fake_hold(at(C), true);
    int ended = rig_request(&rig, &rig.client, "webRtcServer.close", "{'webRtcServerId':'s'}");
    unanswered(ended);
    fake_hold(at(C), false);
    ck_assert_int_eq(code_of(ended), 0);
    mirrors_are(0, 0);
    close_all();
}

END_TEST

START_TEST(test_tied)
{
    struct rig_client other;
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    rig_connect(&rig, &other);
    json_decref(rig_answer(
        &rig, &other,
        rig_request(&rig, &other, "router.create",
                    "{'id':'r','tied':true,'mediaCodecs':[{'kind':'audio','mimeType':'audio/opus',"
                    "'clockRate':48000,'channels':2}]}")));
    transport("t", A);
    transport("u", B);
    rig_do(&rig, "transport.produce",
           "{'transportId':'t','id':'a','kind':'audio','rtpParameters':{'codecs':[{'mimeType':"
           "'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':"
           "2222}]}}");
    consume("c", "u", "a");
    mirrors_are(1, 0);
    rig_disconnect(&rig, &other);
    expect_note("consumer.transportclose", "consumerId", "c");
    expect_empty();
}

END_TEST

/* ---- failures ---- */

static const struct {
    uint32_t worker;
    enum command_kind kind;
    int result, code;
} failures[] = {
    {B, COMMAND_PRODUCER_OPEN, -ENOSPC, RPC_FULL},
    {A, COMMAND_READER_ADD, -ENOSPC, RPC_FULL},
    {A, COMMAND_READER_ADD, -ENOENT, RPC_STATE},
    {B, COMMAND_CONSUMER_OPEN, -EEXIST, RPC_EXISTS},
};

/* Whichever step fails, and whichever worker is the slower: the consumer is refused for the reason
 * of that step, and nothing is left. Then it works. */
START_TEST(test_failures)
{
    size_t row = (size_t)_i / 3;
    int slow = _i % 3 - 1; /* -1: none, A, B */
    if (slow >= 0)
        fake_hold(at((uint32_t)slow), true);
    fake_fail_next(at(failures[row].worker), failures[row].kind, failures[row].result);
    int asked = consume_ask("c", "u", "p");
    if (slow >= 0)
        fake_hold(at((uint32_t)slow), false);
    ck_assert_int_eq(code_of(asked), failures[row].code);
    rig_fails(&rig, RPC_NOT_FOUND, NULL, "consumer.dump", "{'consumerId':'c'}");
    mirrors_are(0, 0);
    ck_assert_uint_eq(fake_readers_n(at(A), index_of("p")), 0);
    consume("c", "u", "p");
    mirrors_are(1, 0);
    close_all();
}

END_TEST

/* Consumers that wait for the same mirror all hear of it; who comes when it has failed does not get
 * it any more. */
START_TEST(test_failure_of_many)
{
    fake_fail_next(at(A), COMMAND_READER_ADD, -ENOSPC);
    fake_hold(at(A), true);
    int first = consume_ask("c1", "u", "p");
    int second = consume_ask("c2", "v", "p");
    unanswered(first);
    fake_hold(at(A), false);
    ck_assert_int_eq(code_of(first), RPC_FULL);
    ck_assert_int_eq(code_of(second), RPC_FULL);
    mirrors_are(0, 0);

    fake_hold(at(B), true);
    fake_fail_next(at(A), COMMAND_READER_ADD, -ENOSPC);
    first = consume_ask("c1", "u", "p"); /* the mirror fails before the consumer is open */
    second = consume_ask("c2", "v", "p");
    fake_hold(at(B), false);
    ck_assert_int_eq(code_of(first), RPC_FULL);
    ck_assert_int_eq(code_of(second), 0);
    mirrors_are(1, 0);
    close_all();
}

END_TEST

/* A producer that cannot be opened takes the consumers with it that were asked for meanwhile. */
START_TEST(test_producer_fails)
{
    fake_hold(at(A), true);
    fake_fail_next(at(A), COMMAND_PRODUCER_OPEN, -EEXIST);
    int made = rig_request(&rig, &rig.client, "transport.produce",
                           "{'transportId':'t0','id':'q','kind':'audio','rtpParameters':{'codecs':"
                           "[{'mimeType':'audio/opus','payloadType':111,'clockRate':48000,"
                           "'channels':2}],'encodings':[{'ssrc':3}]}}");
    int asked = consume_ask("c", "u", "q");
    fake_hold(at(A), false);
    ck_assert_int_eq(code_of(made), RPC_EXISTS);
    ck_assert_int_eq(code_of(asked), 0); /* it was open for that moment */
    expect_note("consumer.producerclose", "consumerId", "c");
    mirrors_are(0, 0);
    close_all();
}

END_TEST

/* No place for the mirror, or for the consumer on it: refused, nothing is left. */
START_TEST(test_full)
{
    struct indices *producers = &rig.control->model.places[B].of[OBJECT_PRODUCER];
    struct indices *consumers = &rig.control->model.places[B].of[OBJECT_CONSUMER];
    uint32_t max = producers->max;
    producers->max = 1;
    consume("c1", "u", "p");
    rig_fails(&rig, RPC_FULL, NULL, "transport.consume", consume_params, "u", "c2", "a",
              rig_capabilities);
    mirrors_are(1, 0);
    producers->max = max;
    max = consumers->max;
    consumers->max = 1;
    rig_fails(&rig, RPC_FULL, NULL, "transport.consume", consume_params, "u", "c2", "a",
              rig_capabilities);
    mirrors_are(1, 0);
    ck_assert_uint_eq(fake_readers_n(at(A), index_of("a")), 0);
    consumers->max = max;
    consume("c2", "u", "a");
    close_all();
}

END_TEST

/* ---- answers ---- */

/* A consumer that its worker has opened is answered when the producer's worker knows the mirror. */
START_TEST(test_answer_waits)
{
    fake_hold(at(A), true);
    int first = consume_ask("c1", "u", "p");
    int second = consume_ask("c2", "u", "p");
    ck_assert_uint_eq(fake_open_n(at(B), OBJECT_CONSUMER), 2);
    unanswered(first);
    fake_hold(at(A), false);
    ck_assert_int_eq(code_of(first), 0);
    ck_assert_int_eq(code_of(second), 0);

    /* Closed while it waits: it was open. Its own end waits for both workers. */
    fake_hold(at(A), true);
    first = consume_ask("c3", "u", "a");
    unanswered(first);
    int ended = rig_request(&rig, &rig.client, "consumer.close", "{'consumerId':'c3'}");
    ck_assert_int_eq(code_of(first), 0);
    expect_note("consumer.close", "consumerId", "c3");
    unanswered(ended);
    fake_hold(at(A), false);
    ck_assert_int_eq(code_of(ended), 0);
    mirrors_are(1, 0);

    /* Closed before its worker has opened it: then that is all that it waits for. */
    holds(true);
    first = consume_ask("c3", "u", "a");
    ended = rig_request(&rig, &rig.client, "consumer.close", "{'consumerId':'c3'}");
    unanswered(first);
    fake_hold(at(B), false);
    ck_assert_int_eq(code_of(first), 0);
    unanswered(ended);
    holds(false);
    ck_assert_int_eq(code_of(ended), 0);
    mirrors_are(1, 0);
    close_all();
}

END_TEST

/* Everything at once, before any worker has done a thing. */
START_TEST(test_pipelined)
{
    holds(true);
    int asked = consume_ask("c", "u", "p");
    int paused = rig_request(&rig, &rig.client, "producer.pause", "{'producerId':'p'}");
    int closed = rig_request(&rig, &rig.client, "consumer.close", "{'consumerId':'c'}");
    int again = consume_ask("c", "u", "p");
    int ended = rig_request(&rig, &rig.client, "router.close", "{'routerId':'r'}");
    rig_settle(&rig);
    unanswered(asked);
    holds(false);
    int ids[] = {asked, paused, closed, again, ended};
    for (size_t i = 0; i < ARRAY_N(ids); i++)
        ck_assert_int_eq(code_of(ids[i]), 0);
    expect_empty();
}

END_TEST

/* ---- pausing ---- */

START_TEST(test_pause)
{
    uint32_t producer = index_of("p");
    consume("c1", "u", "p");
    consume("c2", "w", "p");
    uint32_t on_b = fake_last(at(B), COMMAND_PRODUCER_OPEN)->index;
    uint32_t on_c = fake_last(at(C), COMMAND_PRODUCER_OPEN)->index;
    fake_hold(at(C), true);
    int paused = rig_request(&rig, &rig.client, "producer.pause", "{'producerId':'p'}");
    unanswered(paused);
    ck_assert(fake_is_paused(at(A), producer) && fake_is_paused(at(B), on_b));
    fake_hold(at(C), false);
    ck_assert_int_eq(code_of(paused), 0);
    ck_assert(fake_is_paused(at(C), on_c));
    expect_note("consumer.producerpause", "consumerId", "c1");
    expect_note("consumer.producerpause", "consumerId", "c2");
    rig_do(&rig, "consumer.close", "{'consumerId':'c2'}");
    consume("c2", "w", "p");
    ck_assert(fake_last(at(C), COMMAND_PRODUCER_OPEN)->producer_open.paused);
    rig_do(&rig, "producer.resume", "{'producerId':'p'}");
    ck_assert(!fake_is_paused(at(A), producer) && !fake_is_paused(at(B), on_b));
    ck_assert(!fake_is_paused(at(C), fake_last(at(C), COMMAND_PRODUCER_OPEN)->index));

    fake_fail_next(at(B), COMMAND_PRODUCER_PAUSE, -EINVAL);
    rig_fails(&rig, RPC_INTERNAL, NULL, "producer.pause", "{'producerId':'p'}");
    fake_fail_next(at(B), COMMAND_PRODUCER_PAUSE, -ENOENT); /* a mirror that is not there */
    rig_do(&rig, "producer.pause", "{'producerId':'p'}");
    fake_fail_next(at(A), COMMAND_PRODUCER_PAUSE, -ENOENT);
    rig_fails(&rig, RPC_STATE, NULL, "producer.pause", "{'producerId':'p'}");
    close_all();
}

END_TEST

/* ---- events, stats ---- */

/* What a worker says about the mirror's index is about nobody. */
START_TEST(test_events)
{
    consume("c", "u", "p");
    uint32_t mirror = fake_last(at(B), COMMAND_PRODUCER_OPEN)->index;
    struct outcome event = {.event = EVENT_SCORE,
                            .object = OBJECT_PRODUCER,
                            .index = mirror,
                            .score = {.encodings_n = 1, .score = {3}, .ssrc = {1111}}};
    fake_event(at(B), &event);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "producer.score"));
    event.event = EVENT_TRACE;
    event.trace = (struct event_trace){.bit = TRACE_BIT_RTP};
    fake_event(at(B), &event);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "producer.trace"));
    event = (struct outcome){.event = EVENT_SCORE,
                             .object = OBJECT_CONSUMER,
                             .index = fake_last(at(B), COMMAND_CONSUMER_OPEN)->index,
                             .score = {.encodings_n = 2, .score = {7, 8}}};
    fake_event(at(B), &event);
    expect_note("consumer.score", "consumerId", "c");
    close_all();
}

END_TEST

/* The consumer's part comes from its worker, the producer's from that one's. */
START_TEST(test_stats)
{
    consume("c", "u", "p");
    json_t *stats = rig_ok(&rig, "consumer.getStats", "{'consumerId':'c'}");
    ck_assert_uint_eq(json_array_size(stats), 2);
    json_decref(stats);
    ck_assert_uint_eq(fake_commands_n(at(A), COMMAND_STATS), 1);
    ck_assert_uint_eq(fake_commands_n(at(B), COMMAND_STATS), 1);
    ck_assert_uint_eq(fake_last(at(A), COMMAND_STATS)->index, index_of("p"));
    close_all();
}

END_TEST

/* ---- deaths ---- */

static void dies(uint32_t worker)
{
    struct outcome event = {.event = EVENT_ENGINE_DEAD};
    fake_event(at(worker), &event);
    rig_settle(&rig);
}

START_TEST(test_consumers_worker_dies)
{
    consume("c1", "u", "p");
    consume("c2", "w", "p");
    dies(B);
    expect_note("consumer.transportclose", "consumerId", "c1");
    expect_note("transport.workerclose", "transportId", "u");
    expect_note("transport.workerclose", "transportId", "v");
    ck_assert_uint_eq(fake_readers_n(at(A), index_of("p")), 1);
    json_t *dump = rig_ok(&rig, "producer.dump", "{'producerId':'p'}");
    ck_assert_uint_eq(json_array_size(rig_at(dump, "mirrorWorkerIndices")), 1);
    ck_assert_int_eq(rig_int(dump, "mirrorWorkerIndices.0"), C);
    json_decref(dump);
    rig_do(&rig, "producer.pause", "{'producerId':'p'}");
    close_all();
}

END_TEST

START_TEST(test_producers_worker_dies)
{
    consume("c1", "u", "p");
    consume("c2", "w", "p");
    consume("c3", "t0", "p");
    dies(A);
    expect_note("transport.workerclose", "transportId", "t");
    expect_note("producer.transportclose", "producerId", "p");
    expect_note("consumer.producerclose", "consumerId", "c1");
    ck_assert_uint_eq(fake_mirrors_n(at(B)) + fake_mirrors_n(at(C)), 0);
    ck_assert_uint_eq(fake_open_n(at(B), OBJECT_TRANSPORT), 2);
    json_t *dump = rig_ok(&rig, "router.dump", "{'routerId':'r'}");
    ck_assert_int_ne(rig_int(dump, "workerIndex"), A);
    ck_assert_uint_eq(json_array_size(rig_at(dump, "transportIds")), 3);
    json_decref(dump);
    close_all();
}

END_TEST

/* A worker dies with commands that it has not done: each is answered, nothing is left. */
START_TEST(test_dies_busy)
{
    uint32_t worker = _i % 2 ? A : B;
    bool other_too = _i / 2 == 1;
    fake_hold(at(worker), true);
    if (other_too)
        fake_hold(at(worker == A ? B : A), true);
    int asked = consume_ask("c1", "u", "p");
    int again = consume_ask("c2", "u", "a");
    int paused = rig_request(&rig, &rig.client, "producer.pause", "{'producerId':'p'}");
    rig_settle(&rig);
    unanswered(asked);
    dies(worker);
    if (other_too)
        fake_hold(at(worker == A ? B : A), false);
    /* It has been open on B, or B's outcome comes later than A's end. */
    int code = code_of(asked);
    ck_assert_int_eq(code, worker == A && !other_too ? 0 : RPC_STATE);
    ck_assert_int_eq(code_of(again), code);
    ck_assert_int_eq(code_of(paused), worker == A ? RPC_STATE : 0);
    json_t *census = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(census, "consumers"), 0);
    ck_assert_int_eq(rig_int(census, "mirrors"), 0);
    ck_assert_int_eq(rig_int(census, "commands"), 0);
    json_decref(census);
    close_all();
}

END_TEST

/* The relay ends with all of this under way; the sanitizers see what would be left. */
START_TEST(test_exit_busy)
{
    consume("c0", "w", "p");
    if (_i & 1)
        fake_hold(at(A), true);
    if (_i & 2)
        fake_hold(at(B), true);
    consume_ask("c1", "u", "p");
    consume_ask("c2", "u", "a");
    rig_request(&rig, &rig.client, "producer.pause", "{'producerId':'p'}");
    rig_request(&rig, &rig.client, "consumer.close", "{'consumerId':'c0'}");
    rig_settle(&rig);
    ck_assert_uint_eq(rig.control->model.mirrors_n, 2);
}

END_TEST

Suite *ctl_mirror_suite(void)
{
    Suite *suite = suite_create("ctl_mirror");
    TCase *tc = tcase_create("mirror");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_one);
    tcase_add_test(tc, test_commands);
    tcase_add_test(tc, test_several);
    tcase_add_test(tc, test_again);
    tcase_add_loop_test(tc, test_ends, 0, 2 * (int)ARRAY_N(ends));
    tcase_add_test(tc, test_server_ends);
    tcase_add_test(tc, test_tied);
    tcase_add_loop_test(tc, test_failures, 0, 3 * (int)ARRAY_N(failures));
    tcase_add_test(tc, test_failure_of_many);
    tcase_add_test(tc, test_producer_fails);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_answer_waits);
    tcase_add_test(tc, test_pipelined);
    tcase_add_test(tc, test_pause);
    tcase_add_test(tc, test_events);
    tcase_add_test(tc, test_stats);
    tcase_add_test(tc, test_consumers_worker_dies);
    tcase_add_test(tc, test_producers_worker_dies);
    tcase_add_loop_test(tc, test_dies_busy, 0, 4);
    tcase_add_loop_test(tc, test_exit_busy, 0, 4);
    suite_add_tcase(suite, tc);
    return suite;
}
