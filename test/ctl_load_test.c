/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_load_test.c - what the relay does about load: stress told, consumers shed, limits of
 * admission, draining and back, and where the memory is. */
#include "net/memory.h"
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <malloc.h>

static struct rig rig;

static void setup(void)
{
    rig_start(&rig, 2);
}

static void teardown(void)
{
    rig_stop(&rig);
}

static void consume(const char *id)
{
    rig_do(&rig, "transport.consume",
           "{'transportId':'t','producerId':'p','id':'%s','rtpCapabilities':%s}", id,
           rig_capabilities);
}

/* On the worker of the rig's room. */
static struct worker *room_worker(void)
{
    json_t *dump = rig_ok(&rig, "router.dump", "{'routerId':'r'}");
    struct worker *worker = fake_worker((uint32_t)rig_int(dump, "workerIndex"));
    json_decref(dump);
    return worker;
}

static double real_at(const json_t *value, const char *path)
{
    const json_t *at = rig_at(value, path);
    ck_assert_msg(json_is_number(at), "no number at %s", path);
    return json_number_value(at);
}

/* ---- stress ---- */

START_TEST(test_stress_shown)
{
    atomic_store(&fake_counters(fake_worker(1))->stress, 1234);
    json_t *stats = rig_ok(&rig, "server.stats", "{}");
    ck_assert_double_eq_tol(real_at(stats, "stress"), 1.234, 1e-9);
    ck_assert_double_eq_tol(real_at(stats, "workers.0.stress"), 0, 1e-9);
    ck_assert_double_eq_tol(real_at(stats, "workers.1.stress"), 1.234, 1e-9);
    ck_assert_int_eq(rig_int(stats, "totals.stress"), 1234); /* the largest */
    json_decref(stats);
    json_t *info = rig_ok(&rig, "server.info", "{}");
    ck_assert_double_eq_tol(real_at(info, "workers.1.stress"), 1.234, 1e-9);
    ck_assert_ptr_null(rig_at(info, "drainSecondsLeft"));
    json_decref(info);
}

END_TEST

START_TEST(test_stress_told)
{
    struct outcome event = {.event = EVENT_STRESS,
                            .object = OBJECT_WORKER,
                            .index = 1,
                            .stress = {.figure = 950, .high = true}};
    fake_event(fake_worker(1), &event);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "server.stress")); /* not asked for */
    rig_do(&rig, "server.subscribe", "{'events':['server.stress']}");
    fake_event(fake_worker(1), &event);
    json_t *note = rig_note(&rig, &rig.client, "server.stress");
    ck_assert_int_eq(rig_int(note, "workerIndex"), 1);
    ck_assert_double_eq_tol(real_at(note, "stress"), 0.95, 1e-9);
    ck_assert(json_is_true(rig_at(note, "high")));
    json_decref(note);
}

END_TEST

/* ---- shedding ---- */

static void shed_event(const char *method, bool shed)
{
    struct outcome event = {
        .event = EVENT_SHED, .object = OBJECT_CONSUMER, .index = 0, .shed = shed};
    fake_event(room_worker(), &event);
    json_t *note = rig_note(&rig, &rig.client, method);
    ck_assert_str_eq(rig_text(note, "consumerId"), "c");
    json_decref(note);
    json_t *dump = rig_ok(&rig, "consumer.dump", "{'consumerId':'c'}");
    ck_assert_int_eq(json_is_true(rig_at(dump, "shed")), shed);
    ck_assert(json_is_false(rig_at(dump, "paused"))); /* that is its controller's */
    json_decref(dump);
}

START_TEST(test_shed_told)
{
    rig_room(&rig);
    consume("c");
    shed_event("consumer.shed", true);
    shed_event("consumer.unshed", false);
    rig_do(&rig, "consumer.close", "{'consumerId':'c'}");
    struct outcome late = {.event = EVENT_SHED, .object = OBJECT_CONSUMER, .shed = true};
    fake_event(room_worker(), &late);
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "consumer.shed"));
}

END_TEST

START_TEST(test_priority)
{
    rig_room(&rig);
    consume("c");
    json_t *result = rig_ok(&rig, "consumer.setPriority", "{'consumerId':'c','priority':200}");
    ck_assert_int_eq(rig_int(result, "priority"), 200);
    json_decref(result);
    const struct command *last = fake_last(room_worker(), COMMAND_CONSUMER_PRIORITY);
    ck_assert_ptr_nonnull(last);
    ck_assert_uint_eq(last->priority, 200);
    rig_fails(&rig, RPC_PARAMS, "priority", "consumer.setPriority",
              "{'consumerId':'c','priority':0}");
    rig_fails(&rig, RPC_PARAMS, "priority", "consumer.setPriority",
              "{'consumerId':'c','priority':256}");
}

END_TEST

/* What is not given stays; every worker gets the rule. */
START_TEST(test_set_load)
{
    json_t *was = rig_ok(&rig, "server.setLoad", "{}");
    ck_assert(json_is_false(rig_at(was, "shed.enabled")));
    ck_assert_double_eq_tol(real_at(was, "shed.at"), 0.9, 1e-9);
    ck_assert_double_eq_tol(real_at(was, "admission.stressMax"), 0, 1e-9);
    json_decref(was);
    json_t *is = rig_ok(&rig, "server.setLoad",
                        "{'shed':{'enabled':true,'at':0.8,'calmMs':5000},"
                        "'admission':{'stressMax':0.95,'consumersMax':7}}");
    ck_assert(json_is_true(rig_at(is, "shed.enabled")));
    ck_assert_double_eq_tol(real_at(is, "shed.at"), 0.8, 1e-9);
    ck_assert_double_eq_tol(real_at(is, "shed.until"), 0.7, 1e-9);
    ck_assert_int_eq(rig_int(is, "shed.calmMs"), 5000);
    ck_assert_int_eq(rig_int(is, "admission.consumersMax"), 7);
    json_decref(is);
    for (uint32_t i = 0; i < 2; i++) {
        const struct command *last = fake_last(fake_worker(i), COMMAND_SHED_RULE);
        ck_assert_ptr_nonnull(last);
        ck_assert(last->shed_rule.enabled);
        ck_assert_uint_eq(last->shed_rule.at, 800);
        ck_assert_uint_eq(last->shed_rule.until, 700);
        ck_assert_uint_eq(last->shed_rule.after_us, 500000);
        ck_assert_uint_eq(last->shed_rule.calm_us, 5000000);
    }
    json_t *dump = rig_ok(&rig, "server.dump", "{}");
    ck_assert_int_eq(rig_int(dump, "config.admission.consumersMax"), 7);
    json_decref(dump);
}

END_TEST

static const struct {
    const char *params, *path;
} wrong[] = {
    {"{'shed':{'at':2.1}}", "shed.at"},
    {"{'shed':{'at':-0.1}}", "shed.at"},
    {"{'shed':{'at':'much'}}", "shed.at"},
    {"{'shed':{'until':0.95}}", "shed.until"},
    {"{'shed':{'at':0.5}}", "shed.until"}, /* 0.7 by now */
    {"{'shed':{'afterMs':600001}}", "shed.afterMs"},
    {"{'shed':{'sometimes':1}}", "shed.sometimes"},
    {"{'shed':7}", "shed"},
    {"{'admission':{'stressMax':3}}", "admission.stressMax"},
    {"{'admission':{'consumersMax':-1}}", "admission.consumersMax"},
    {"{'admission':{'others':1}}", "admission.others"},
};

/* Nothing of a request that is wrong is done. */
START_TEST(test_set_load_wrong)
{
    rig_fails(&rig, RPC_PARAMS, wrong[_i].path, "server.setLoad", "%s", wrong[_i].params);
    ck_assert_uint_eq(fake_commands_n(fake_worker(0), COMMAND_SHED_RULE), 0);
    ck_assert_uint_eq(rig.control->config.load.shed.at, 900);
}

END_TEST

/* ---- admission ---- */

static const char plain_t[] = "{'routerId':'r','listenInfo':{'ip':'127.0.0.1'}}";
static const char webrtc_t[] = "{'routerId':'r','listenInfos':[{'ip':'127.0.0.1'}]}";
static const char plain_here_t[] =
    "{'routerId':'r','workerIndex':0,'listenInfo':{'ip':'127.0.0.1'}}";
static const char webrtc_here_t[] =
    "{'routerId':'r','workerIndex':0,'listenInfos':[{'ip':'127.0.0.1'}]}";
static const char produce_t[] =
    "{'transportId':'t','kind':'audio','rtpParameters':{'codecs':[{'mimeType':'audio/opus',"
    "'payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':3333}]}}";

static void consume_fails(int code, const char *path)
{
    rig_fails(&rig, code, path, "transport.consume",
              "{'transportId':'t','producerId':'p','rtpCapabilities':%s}", rig_capabilities);
}

/* The limit, what it is, what there is, and where. */
START_TEST(test_admission_counts)
{
    rig_room(&rig);
    consume("c");
    rig_do(&rig, "server.setLoad",
           "{'admission':{'routersMax':1,'transportsMax':1,'producersMax':2,'consumersMax':1}}");
    rig_fails(&rig, RPC_FULL, "admission.routersMax", "router.create", "{}");
    rig_fails(&rig, RPC_FULL, "admission.transportsMax", "transport.createPlain", plain_t);
    rig_fails(&rig, RPC_FULL, "admission.transportsMax", "transport.createWebRtc", webrtc_t);
    rig_fails(&rig, RPC_FULL, "admission.producersMax", "transport.produce", produce_t);
    consume_fails(RPC_FULL, "admission.consumersMax");
    int id = rig_request(&rig, &rig.client, "router.create", "{}");
    json_t *answer = rig_answer(&rig, &rig.client, id);
    ck_assert_str_eq(rig_text(answer, "error.data.expected"), "fewer than 1 routers in the relay");
    ck_assert_str_eq(rig_text(answer, "error.data.got"), "1");
    json_decref(answer);
    ck_assert_uint_eq(rig.control->count.refused_full, 6);
    rig_do(&rig, "consumer.close", "{'consumerId':'c'}");
    consume("again"); /* there is room again */
    rig_do(&rig, "server.setLoad", "{'admission':{'consumersMax':0}}");
    consume("more");
}

END_TEST

/* A busy worker takes nothing more; the other one does; what is open goes on. */
START_TEST(test_admission_stress)
{
    rig_room(&rig);
    consume("c");
    rig_do(&rig, "server.setLoad", "{'admission':{'stressMax':0.9}}");
    atomic_store(&fake_counters(room_worker())->stress, 900);
    rig_fails(&rig, RPC_FULL, "admission.stressMax", "transport.createPlain", plain_here_t);
    rig_fails(&rig, RPC_FULL, "admission.stressMax", "transport.createWebRtc", webrtc_here_t);
    rig_fails(&rig, RPC_FULL, "admission.stressMax", "transport.produce", produce_t);
    consume_fails(RPC_FULL, "admission.stressMax");
    int id = rig_request(&rig, &rig.client, "transport.createPlain", plain_here_t);
    json_t *answer = rig_answer(&rig, &rig.client, id);
    ck_assert_str_eq(rig_text(answer, "error.data.expected"), "a stress below 0.900 on worker 0");
    ck_assert_str_eq(rig_text(answer, "error.data.got"), "0.900");
    json_decref(answer);
    ck_assert_uint_eq(rig.control->count.refused_stress, 5);
    /* who names no worker is sent to one at ease */
    json_t *elsewhere = rig_ok(&rig, "transport.createPlain", plain_t);
    ck_assert_int_eq(rig_int(elsewhere, "workerIndex"), 1);
    json_decref(elsewhere);
    rig_do(&rig, "consumer.pause", "{'consumerId':'c'}");
    rig_do(&rig, "router.create", "{'workerIndex':1}");
    rig_fails(&rig, RPC_FULL, "admission.stressMax", "router.create", "{'workerIndex':0}");
    atomic_store(&fake_counters(room_worker())->stress, 899);
    rig_do(&rig, "transport.createPlain", plain_here_t);
}

END_TEST

/* The workers' own limits say as much. */
START_TEST(test_full)
{
    static const char opus_t[] =
        "{'transportId':'t','kind':'audio','rtpParameters':{'codecs':[{'mimeType':'audio/opus',"
        "'payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':%d}]}}";
    rig_room(&rig); /* a transport and two producers */
    for (int i = 1; i < 64; i++)
        rig_do(&rig, "transport.createPlain", plain_here_t);
    rig_fails(&rig, RPC_FULL, "sockets", "transport.createPlain", plain_here_t); /* as many */
    for (int i = 2; i < 64; i++)
        rig_do(&rig, "transport.produce", opus_t, 10000 + i);
    rig_fails(&rig, RPC_FULL, "producers", "transport.produce", opus_t, 20000);
    int id = rig_request(&rig, &rig.client, "transport.produce", opus_t, 20000);
    json_t *answer = rig_answer(&rig, &rig.client, id);
    ck_assert_str_eq(rig_text(answer, "error.data.expected"),
                     "fewer than 64 producers on worker 0");
    ck_assert_str_eq(rig_text(answer, "error.data.got"), "64");
    json_decref(answer);
    ck_assert_uint_eq(rig.control->count.refused_full, 3);
}

END_TEST

/* ---- drain ---- */

START_TEST(test_drain_refuses)
{
    rig_room(&rig);
    consume("c");
    rig_do(&rig, "server.subscribe", "{'events':['server.*']}");
    rig_do(&rig, "server.drain", "{'seconds':1000}");
    rig_fails(&rig, RPC_DRAINING, NULL, "router.create", "{}");
    rig_fails(&rig, RPC_DRAINING, NULL, "transport.createPlain", plain_t);
    rig_fails(&rig, RPC_DRAINING, NULL, "transport.createWebRtc", webrtc_t);
    rig_fails(&rig, RPC_DRAINING, NULL, "webRtcServer.create",
              "{'listenInfos':[{'protocol':'udp','ip':'127.0.0.1'}]}");
    rig_do(&rig, "transport.produce", produce_t); /* rooms that are open go on */
    consume("c2");
    json_t *info = rig_ok(&rig, "server.info", "{}");
    ck_assert_str_eq(rig_text(info, "state"), "draining");
    ck_assert_int_gt(rig_int(info, "drainSecondsLeft"), 900);
    ck_assert_int_le(rig_int(info, "drainSecondsLeft"), 1000);
    json_decref(info);

    json_t *result = rig_ok(&rig, "server.undrain", "{}");
    ck_assert_str_eq(rig_text(result, "state"), "running");
    json_decref(result);
    json_t *note = rig_note(&rig, &rig.client, "server.undrained");
    ck_assert_ptr_nonnull(note);
    json_decref(note);
    rig_do(&rig, "router.create", "{}");
    rig_do(&rig, "transport.createPlain", plain_t);
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    ck_assert(control_turn(rig.control, 0));
    rig_do(&rig, "server.undrain", "{}"); /* nothing to take back */
    ck_assert_ptr_null(rig_note(&rig, &rig.client, "server.undrained"));
}

END_TEST

/* The last room ends it, however much time is left; one without rooms ends at once. */
START_TEST(test_drain_ends)
{
    rig_room(&rig);
    rig_do(&rig, "router.create", "{'id':'other'}");
    rig_do(&rig, "server.drain", "{'seconds':1000}");
    rig_do(&rig, "router.close", "{'routerId':'r'}");
    ck_assert(control_turn(rig.control, 0));
    rig_request(&rig, &rig.client, "router.close", "{'routerId':'other'}");
    rig_settle(&rig);
    ck_assert(!control_turn(rig.control, 0));
    rig_fails(&rig, RPC_STATE, NULL, "server.undrain", "{}"); /* too late */
}

END_TEST

/* ---- memory ---- */

START_TEST(test_memory)
{
    rig_room(&rig);
    consume("c");
    consume("d");
    rig_do(&rig, "transport.createWebRtc", webrtc_t);
    struct worker_counters *counters = fake_counters(room_worker());
    atomic_store(&counters->slots_retained, 50);
    atomic_store(&counters->retained_pps, 100);
    json_t *memory = rig_ok(&rig, "server.memory", "{}");
    ck_assert_int_gt(rig_int(memory, "process.pssBytes"), 1 << 20);
    ck_assert_int_ge(rig_int(memory, "process.residentBytes"), rig_int(memory, "process.pssBytes"));
    ck_assert_uint_eq(json_array_size(rig_at(memory, "workers")), 2);
    const json_t *worker = json_array_get(rig_at(memory, "workers"), 0);
    ck_assert_uint_eq(json_array_size(rig_at(worker, "parts")), MEMORY_PART_N);
    ck_assert_int_eq(rig_int(worker, "mappedBytes"), MEMORY_PART_N * 4096);
    ck_assert_int_eq(rig_int(worker, "residentBytes"), MEMORY_PART_N * 1024);

    static const struct {
        const char *kind;
        int count, bytes; /* as many KiB as it has parts */
    } rows[] = {
        {"transport", 2, 3072}, {"webRtc", 1, 1024}, {"producer", 2, 4096}, {"consumer", 2, 2048}};

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        const json_t *object = json_array_get(rig_at(worker, "objects"), i);
        ck_assert_str_eq(rig_text(object, "kind"), rows[i].kind);
        ck_assert_int_eq(rig_int(object, "count"), rows[i].count);
        ck_assert_int_eq(rig_int(object, "residentBytes"), rows[i].bytes);
        ck_assert_int_eq(rig_int(object, "bytesEach"), rows[i].bytes / rows[i].count);
        const json_t *sum = json_array_get(rig_at(memory, "objects"), i);
        ck_assert_int_eq(rig_int(sum, "count"), rows[i].count);
        ck_assert_int_eq(rig_int(sum, "residentBytes"), 2 * rows[i].bytes);
        const json_t *other = json_array_get(rig_at(memory, "workers.1.objects"), i);
        ck_assert_ptr_null(rig_at(other, "bytesEach")); /* there are none */
    }
    ck_assert_int_eq(rig_int(memory, "retention.packets"), 50);
    ck_assert_int_eq(rig_int(memory, "retention.bytes"), 50 * 2048);
    ck_assert_int_eq(rig_int(memory, "retention.bytesPerSecond"), 100 * 2048);
    ck_assert_double_eq_tol(real_at(memory, "retention.seconds"), 0.5, 1e-9);
    json_decref(memory);
}

END_TEST

static const enum seal_suite suites[] = {SEAL_AEAD_AES_256_GCM, SEAL_AEAD_AES_128_GCM,
                                         SEAL_AES_CM_128_HMAC_SHA1_80,
                                         SEAL_AES_CM_128_HMAC_SHA1_32};

/* Sessions and streams that are alive are counted, parked ones as well; what each takes is measured
 * where malloc says what it has given (it does not under the sanitizers). */
START_TEST(test_memory_srtp)
{
    enum seal_suite suite = suites[_i];
    uint8_t key[SEAL_KEY_BYTES_MAX] = {1};
    struct seal *seals[2];
    ck_assert_int_eq(seal_library_init(), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(seal_init(&seals[i], suite, key, key), 0);
    for (uint32_t ssrc = 1; ssrc <= 5; ssrc++)
        ck_assert_int_eq(seal_add_out(seals[0], ssrc), 0);
    seal_remove_out(seals[0], 5); /* has sent nothing: forgotten */
    json_t *memory = rig_ok(&rig, "server.memory", "{}");
    ck_assert_uint_eq(json_array_size(rig_at(memory, "srtp")), 1);
    const json_t *srtp = rig_at(memory, "srtp.0");
    ck_assert_str_eq(rig_text(srtp, "suite"), seal_suite_name(suite));
    ck_assert_int_eq(rig_int(srtp, "sessions"), 2);
    ck_assert_int_eq(rig_int(srtp, "streamsOut"), 4);
    ck_assert_int_eq(rig_int(srtp, "streamsIn"), 0);
    if (mallinfo2().uordblks > 0) {
        int64_t session = rig_int(srtp, "sessionBytes"), out = rig_int(srtp, "streamOutBytes"),
                in = rig_int(srtp, "streamInBytes");
        ck_assert_int_ge(session, 1024);
        ck_assert_int_le(session, 16384);
        ck_assert_int_ge(out, 256);
        ck_assert_int_le(out, 2048);
        ck_assert_int_ge(in, 128);
        ck_assert_int_le(in, 2048);
        ck_assert_int_eq(rig_int(memory, "heap.srtpBytes"), 2 * session + 2 * out);
    }
    json_decref(memory);
    seal_exit(seals[0]);
    seal_exit(seals[1]);
    struct seal_count none = seal_count(suite);
    ck_assert_int_eq(none.seals, 0);
    ck_assert_int_eq(none.outs, 0);
    ck_assert_int_eq(none.ins, 0);
    seal_library_exit();
}

END_TEST

Suite *ctl_load_suite(void)
{
    Suite *suite = suite_create("ctl_load");
    TCase *tc = tcase_create("load");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_stress_shown);
    tcase_add_test(tc, test_stress_told);
    tcase_add_test(tc, test_shed_told);
    tcase_add_test(tc, test_priority);
    tcase_add_test(tc, test_set_load);
    tcase_add_loop_test(tc, test_set_load_wrong, 0, (int)ARRAY_N(wrong));
    tcase_add_test(tc, test_admission_counts);
    tcase_add_test(tc, test_admission_stress);
    tcase_add_test(tc, test_full);
    tcase_add_test(tc, test_drain_refuses);
    tcase_add_test(tc, test_drain_ends);
    tcase_add_test(tc, test_memory);
    tcase_add_loop_test(tc, test_memory_srtp, 0, (int)ARRAY_N(suites));
    suite_add_tcase(suite, tc);
    return suite;
}
