/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_ortc_consumer_test.c - consumers, pipes, RED, and what becomes of memory. */
#include "test/ctl_ortc.h"

/* Writes the consumer's parameters in short, or what was refused. */
static void consume(const struct produced *p, const char *caps_text, struct ortc_consume how,
                    char text[TEXT_BYTES])
{
    json_t *value = json_of(caps_text);
    json_t *caps = rtpparams_capabilities(value, "rtpCapabilities", &err);
    assert_no_error(&err);
    bool can = ortc_can_consume(p->consumable, caps);
    json_t *consumer = ortc_consumer_parameters(p->consumable, caps, &how, &ssrcs, &err);
    ck_assert_int_eq(can, consumer != NULL);
    if (consumer)
        in_short(consumer, text);
    else
        snprintf(text, TEXT_BYTES, "%s: %s", err.path, err.expected);
    json_decref(value);
    json_decref(caps);
    json_decref(consumer);
}

#define RTX_ON  ((struct ortc_consume){false, true, NULL})
#define RTX_OFF ((struct ortc_consume){false, false, NULL})
#define PIPE    ((struct ortc_consume){true, true, NULL})

static const struct {
    const char *name;
    enum media_kind kind;
    const char *producer, *caps;
    int how; /* 0: neither, 1: RTX, 2: RTX and all encodings */
    const char *consumer;
} consumers[] = {
    {"simulcast to chrome", MEDIA_VIDEO, CHROME_SIMULCAST, CHROME, 1,
     "101 video/VP8 nack nack.pli ccm.fir transport-cc; 102 video/rtx 101;"
     " ext 1 4 5 8 9 10 11; 2001+2002 L3T3 5000k"},
    {"simulcast to firefox", MEDIA_VIDEO, CHROME_SIMULCAST, FIREFOX, 1,
     "101 video/VP8 nack nack.pli ccm.fir transport-cc; 102 video/rtx 101;"
     " ext 1 4 5 9 11; 2001+2002 L3T3 5000k"},
    {"simulcast to an old safari: REMB", MEDIA_VIDEO, CHROME_SIMULCAST, SAFARI_12, 1,
     "101 video/VP8 nack nack.pli ccm.fir goog-remb; 102 video/rtx 101;"
     " ext 1 4 8 9; 2001+2002 L3T3 5000k"},
    {"simulcast to a recorder", MEDIA_VIDEO, CHROME_SIMULCAST, PLAIN, 1,
     "101 video/VP8; ext; 2001 L3T3 5000k"},
    {"no RTX, so no NACK", MEDIA_VIDEO, CHROME_SIMULCAST, CHROME, 0,
     "101 video/VP8 nack.pli ccm.fir transport-cc; ext 1 4 5 8 9 10 11; 2001 L3T3 5000k"},
    {"all encodings", MEDIA_VIDEO, CHROME_SIMULCAST, CHROME, 2,
     "101 video/VP8 nack nack.pli ccm.fir transport-cc; 102 video/rtx 101; ext 1 4 5 8 9 10 11;"
     " 2001+2002 L1T3 500k; 2003+2004 L1T3 1000k; 2005+2006 L1T3 5000k"},
    {"audio to chrome", MEDIA_AUDIO, CHROME_AUDIO, CHROME, 0, "100 audio/opus; ext 1 4 6 11; 2001"},
    {"audio with NACK", MEDIA_AUDIO, CHROME_AUDIO, CHROME, 1,
     "100 audio/opus nack; ext 1 4 6 11; 2001"},
    {"audio to firefox", MEDIA_AUDIO, FFMPEG_OPUS, FIREFOX, 0,
     "100 audio/opus; ext 1 4 6 11; 2001"},
    {"audio to a recorder", MEDIA_AUDIO, FFMPEG_OPUS, PLAIN, 1, "100 audio/opus; ext; 2001"},
    {"safari to chrome", MEDIA_VIDEO, SAFARI_H264, CHROME, 1,
     "105 video/H264 nack nack.pli ccm.fir transport-cc; 106 video/rtx 105;"
     " ext 1 4 5 8 9 11; 2001+2002"},
    {"safari to a recorder", MEDIA_VIDEO, SAFARI_H264, PLAIN, 1,
     "rtpCapabilities.codecs: a codec of the producer"},
    {"svc to chrome", MEDIA_VIDEO, CHROME_VP9_SVC, CHROME, 1,
     "103 video/VP9 nack nack.pli ccm.fir transport-cc; 104 video/rtx 103;"
     " ext 1 4 5 8 9 11; 2001+2002 L3T3_KEY"},
    {"svc to an old safari", MEDIA_VIDEO, CHROME_VP9_SVC, SAFARI_12, 1,
     "rtpCapabilities.codecs: a codec of the producer"},
    {"nobody", MEDIA_VIDEO, FFMPEG_VP8, "{}", 1, "rtpCapabilities.codecs: a codec of the producer"},
    {"only RTX", MEDIA_VIDEO, FFMPEG_VP8, "{'codecs': [" CAP_RTX(102, 101) "]}", 1,
     "rtpCapabilities.codecs: a codec of the producer"},
    {"an extension with another id is another one", MEDIA_VIDEO, FFMPEG_VP8,
     "{'codecs': [" CAP_VP8 "], 'headerExtensions': [" V(MID, 2) "," V(AST, 4) "]}", 1,
     "101 video/VP8 nack nack.pli ccm.fir goog-remb; 102 video/rtx 101; ext 4; 2001+2002"},
};

START_TEST(test_consume)
{
    static const struct ortc_consume hows[] = {
        {false, false, NULL}, {false, true, NULL}, {true, true, NULL}};
    char text[TEXT_BYTES];
    struct produced p = produce(ROUTER, consumers[_i].kind, consumers[_i].producer);
    last_ssrc = 2000;
    consume(&p, consumers[_i].caps, hows[consumers[_i].how], text);
    ck_assert_msg(strcmp(text, consumers[_i].consumer) == 0, "%s:\n got  %s\n want %s",
                  consumers[_i].name, text, consumers[_i].consumer);
    produced_exit(&p);
}

END_TEST

START_TEST(test_consumer_in_full)
{
    struct produced p = produce(ROUTER, MEDIA_AUDIO, CHROME_AUDIO);
    json_t *value = json_of(CHROME);
    json_t *caps = rtpparams_capabilities(value, "rtpCapabilities", &err);
    json_t *consumer = ortc_consumer_parameters(p.consumable, caps,
                                                &(struct ortc_consume){.mid = "7"}, &ssrcs, &err);
    assert_no_error(&err);
    assert_json(consumer,
                "{'mid': '7', 'codecs': [{'mimeType': 'audio/opus', 'payloadType': 100,"
                " 'clockRate': 48000, 'channels': 2, 'parameters': {'minptime': 10,"
                " 'useinbandfec': 1, 'sprop-stereo': 1}, 'rtcpFeedback': []}],"
                " 'headerExtensions': [" EXT(MID, 1) "," EXT(AST, 4) "," EXT(LEVEL, 6) "," EXT(
                    PLAYOUT, 11) "], 'encodings': [{'ssrc': 1002}], 'rtcp': {'cname': 'chrome',"
                                 " 'reducedSize': true}, 'msid': 'stream track'}");

    /* What was made can be checked as a caller's own: it is a normal form. */
    json_t *again = rtpparams_consumer(consumer, "rtpParameters", MEDIA_AUDIO, &err);
    assert_no_error(&err);
    json_object_del(json_array_get(json_object_get(again, "encodings"), 0), "dtx");
    ck_assert(json_equal(consumer, again));
    json_decref(again);
    json_decref(consumer);
    json_decref(value);
    json_decref(caps);
    produced_exit(&p);
}

END_TEST

/* A producer may change codecs; a consumer gets those it has, in the producer's order. */
START_TEST(test_consume_part_of_the_codecs)
{
    char text[TEXT_BYTES];
    struct produced p =
        produce(ROUTER, MEDIA_VIDEO,
                "{'codecs': [" SENT("VP9", 98, "") "," SENT("VP8", 96, "") "," SENT_RTX(
                    97, 96) "],"
                            " 'encodings': [{'ssrc': 50}]}");
    last_ssrc = 2000;
    consume(&p, SAFARI_12, RTX_ON, text);
    ck_assert_str_eq(text, "101 video/VP8 nack nack.pli ccm.fir goog-remb; 102 video/rtx 101;"
                           " ext 1 4 8 9; 2001+2002");
    consume(&p, CHROME, RTX_OFF, text);
    ck_assert_str_eq(text, "103 video/VP9 nack.pli ccm.fir transport-cc;"
                           " 101 video/VP8 nack.pli ccm.fir transport-cc;"
                           " ext 1 4 5 8 9 11; 2003");
    produced_exit(&p);
}

END_TEST

START_TEST(test_pipe)
{
    char text[TEXT_BYTES];
    struct produced p = produce(ROUTER, MEDIA_VIDEO, CHROME_SIMULCAST);
    last_ssrc = 2000;
    json_t *with = ortc_pipe_consumer_parameters(p.consumable, true, &ssrcs, &err);
    json_t *without = ortc_pipe_consumer_parameters(p.consumable, false, &ssrcs, &err);
    assert_no_error(&err);
    ck_assert_str_eq(in_short(with, text),
                     "101 video/VP8 nack nack.pli ccm.fir; 102 video/rtx 101; ext 7 8 9 10 11 12;"
                     " 2001+2002 L1T3 500k; 2003+2004 L1T3 1000k; 2005+2006 L1T3 5000k");
    ck_assert_str_eq(in_short(without, text), "101 video/VP8 nack.pli ccm.fir; ext 7 8 9 10 11 12;"
                                              " 2007 L1T3 500k; 2008 L1T3 1000k; 2009 L1T3 5000k");
    assert_json(json_array_get(json_object_get(with, "headerExtensions"), 0),
                EXT("https://aomediacodec.github.io/av1-rtp-spec/"
                    "#dependency-descriptor-rtp-header-extension",
                    7));
    ck_assert_ptr_null(json_object_get(with, "mid"));
    json_decref(with);
    json_decref(without);

    /* A caller's own consumable encodings may name RTX: it is no stream of ours. */
    json_t *first = json_array_get(json_object_get(p.consumable, "encodings"), 0);
    ck_assert_int_eq(json_object_set_new(first, "rtx", json_of("{'ssrc': 5}")), 0);
    without = ortc_pipe_consumer_parameters(p.consumable, false, &ssrcs, &err);
    ck_assert_ptr_nonnull(strstr(in_short(without, text), "; 2010 L1T3 500k"));
    json_decref(without);
    produced_exit(&p);

    p = produce(ROUTER, MEDIA_AUDIO, CHROME_AUDIO);
    last_ssrc = 2000;
    with = ortc_pipe_consumer_parameters(p.consumable, true, &ssrcs, &err);
    ck_assert_str_eq(in_short(with, text), "100 audio/opus nack; ext 6 11 12; 2001");
    json_decref(with);
    produced_exit(&p);
}

END_TEST

/* ---- RED ---- */

#define RED_ROUTER                                                                                 \
    "[{'mimeType': 'audio/red', 'clockRate': 48000, 'channels': 2},"                               \
    " {'mimeType': 'audio/opus', 'clockRate': 48000, 'channels': 2}]"
#define RED_PRODUCER(parameters)                                                                   \
    "{'codecs': [{'mimeType': 'audio/red', 'payloadType': 63, 'clockRate': 48000, 'channels': 2,"  \
    " 'parameters': {" parameters "}}, {'mimeType': 'audio/opus', 'payloadType': 111,"             \
    " 'clockRate': 48000, 'channels': 2}], 'encodings': [{'ssrc': 5}]}"

START_TEST(test_red)
{
    char text[TEXT_BYTES];
    struct produced p = produce(RED_ROUTER, MEDIA_AUDIO, RED_PRODUCER("'111/111': '', 'a': 'b'"));
    assert_no_error(&err);
    const json_t *codecs = json_object_get(p.consumable, "codecs");
    assert_json(json_object_get(json_array_get(codecs, 0), "parameters"),
                "{'101/101': '', 'a': 'b'}");

    /* RED blocks of a codec that the endpoint lacks are of no use to it. */
    static const struct {
        const char *caps, *consumer;
    } rows[] = {
        {RED_ROUTER, "100 audio/red; 101 audio/opus; ext; 1002"},
        {"[{'mimeType': 'audio/opus', 'clockRate': 48000, 'channels': 2}]",
         "101 audio/opus; ext; 1003"},
        {"[{'mimeType': 'audio/red', 'clockRate': 48000, 'channels': 2}]",
         "rtpCapabilities.codecs: a codec of the producer"},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        char caps[TEXT_BYTES];
        snprintf(caps, sizeof(caps), "{'codecs': %s}", rows[i].caps);
        consume(&p, caps, RTX_OFF, text);
        ck_assert_str_eq(text, rows[i].consumer);
    }
    produced_exit(&p);
}

END_TEST

START_TEST(test_red_names_codecs)
{
    static const struct {
        const char *producer;
        bool sound;
    } rows[] = {
        {RED_PRODUCER(""), true},
        {RED_PRODUCER("'111': ''"), true},
        {RED_PRODUCER("'112/111': ''"), false},
        {RED_PRODUCER("'63/111': ''"), false},
        {RED_PRODUCER("'128/111': ''"), true}, /* no list */
        {RED_PRODUCER("'111/': ''"), true},
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        field_error_clear(&err);
        struct produced p = produce(RED_ROUTER, MEDIA_AUDIO, rows[i].producer);
        ck_assert_int_eq(p.mapping != NULL, rows[i].sound);
        if (!rows[i].sound)
            assert_error(&err, "rtpParameters.codecs[0]",
                         "payload types of other codecs in its parameters", NULL);
        field_error_clear(&err);
        produced_exit(&p);
    }
}

END_TEST

/* ---- nothing is shared, nothing is lost ---- */

START_TEST(test_results_share_nothing)
{
    struct produced p = produce(ROUTER, MEDIA_VIDEO, CHROME_SIMULCAST);
    json_t *value = json_of(CHROME);
    json_t *caps = rtpparams_capabilities(value, "rtpCapabilities", &err);
    json_t *consumer = ortc_consumer_parameters(p.consumable, caps, &RTX_ON, &ssrcs, &err);
    json_t *copy = json_deep_copy(consumer), *pipe = NULL;
    pipe = ortc_pipe_consumer_parameters(p.consumable, true, &ssrcs, &err);
    json_t *pipe_copy = json_deep_copy(pipe);
    json_decref(value);
    json_decref(caps);

    /* Clearing what they were made of, level by level, changes nothing in them. */
    json_t *sources[] = {p.router, p.params, p.mapping, p.consumable};
    for (size_t i = 0; i < ARRAY_N(sources); i++) {
        const char *key;
        json_t *part, *item;
        size_t index;
        json_object_foreach(sources[i], key, part)
        {
            json_array_foreach(part, index, item) json_object_clear(item);
            json_object_clear(part);
        }
    }
    ck_assert(json_equal(consumer, copy));
    ck_assert(json_equal(pipe, pipe_copy));
    json_decref(consumer);
    json_decref(copy);
    json_decref(pipe);
    json_decref(pipe_copy);
    produced_exit(&p);
}

END_TEST

static int allocations_left, allocations_live;

static void *counted_malloc(size_t bytes)
{
    if (allocations_left-- <= 0)
        return NULL;
    void *memory = malloc(bytes);
    allocations_live += memory != NULL;
    return memory;
}

static void counted_free(void *memory)
{
    allocations_live -= memory != NULL;
    free(memory);
}

/* All of it for one producer and consumer. False where something was refused, which must be said.
 */
static bool negotiate(const json_t *codecs, const json_t *given, const json_t *given_caps)
{
    struct produced p = {0};
    json_t *caps = NULL, *consumer = NULL, *pipe = NULL;
    field_error_clear(&err);
    p.router = ortc_router_capabilities(codecs, &err);
    if (p.router)
        p.params = rtpparams_producer(given, "rtpParameters", MEDIA_VIDEO, "c", &err);
    if (p.params)
        p.mapping = ortc_producer_mapping(p.params, p.router, &ssrcs, &err);
    if (p.mapping)
        p.consumable = ortc_consumable_parameters(MEDIA_VIDEO, p.params, p.router, p.mapping, &err);
    if (p.consumable)
        caps = rtpparams_capabilities(given_caps, "rtpCapabilities", &err);
    if (caps)
        consumer = ortc_consumer_parameters(p.consumable, caps, &RTX_ON, &ssrcs, &err);
    if (consumer)
        pipe = ortc_pipe_consumer_parameters(p.consumable, true, &ssrcs, &err);
    bool done = pipe != NULL;
    ck_assert_int_eq(done, !field_error_is_set(&err));
    json_decref(caps);
    json_decref(consumer);
    json_decref(pipe);
    produced_exit(&p);
    return done;
}

START_TEST(test_out_of_memory_at_every_point)
{
    json_t *codecs = json_of("[{'mimeType': 'video/VP8', 'clockRate': 90000}]");
    json_t *params = json_of("{'mid': '1', 'codecs': [" SENT("VP8", 96, "'a': 'b'") "," SENT_RTX(
        97, 96) "], 'headerExtensions': [" EXT(MID,
                                               4) "], 'encodings': [{'rid': 'a',"
                                                  " 'scalabilityMode': 'L1T3', 'rtx': {'ssrc': "
                                                  "9}}, {'rid': 'b', 'maxBitrate': 9}],"
                                                  " 'msid': 'm'}");
    json_t *caps = json_of("{'codecs': [" CAP_VIDEO("VP8", 100, "") "," CAP_RTX(
        101, 100) "], 'headerExtensions': [" V(MID, 1) "," V(TWCC, 5) "]}");
    int failed = 0;
    json_set_alloc_funcs(counted_malloc, counted_free);
    for (int at = 0;; at += at < 2000 ? 3 : 17) {
        allocations_left = at;
        allocations_live = 0;
        bool done = negotiate(codecs, params, caps);
        ck_assert_msg(allocations_live == 0, "%d left at %d", allocations_live, at);
        if (done && allocations_left > 0)
            break;
        failed += !done;
    }
    json_set_alloc_funcs(malloc, free);
    ck_assert_int_gt(failed, 100);
    json_decref(codecs);
    json_decref(params);
    json_decref(caps);
}

END_TEST

Suite *ctl_ortc_consumer_suite(void)
{
    Suite *suite = suite_create("ortc_consumer");
    TCase *tcase = tcase_create("ortc_consumer");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, test_consume, 0, (int)ARRAY_N(consumers));
    tcase_add_test(tcase, test_consumer_in_full);
    tcase_add_test(tcase, test_consume_part_of_the_codecs);
    tcase_add_test(tcase, test_pipe);
    tcase_add_test(tcase, test_red);
    tcase_add_test(tcase, test_red_names_codecs);
    tcase_add_test(tcase, test_results_share_nothing);
    tcase_add_test(tcase, test_out_of_memory_at_every_point);
    suite_add_tcase(suite, tcase);
    return suite;
}
