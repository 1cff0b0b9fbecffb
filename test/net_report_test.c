/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_report_test.c - what a real worker reports, and what it makes of reports: clocks,
 * losses, round trips, arrivals, key frame requests, trace events. */
#include "core/clock.h"
#include "rtcp/twcc.h"
#include "rtp/codec.h"
#include "test/must.h"
#include "test/net_rig.h"

#include <stdlib.h>
#include <unistd.h>

enum { VIDEO = 0x1111, AUDIO = 0x3333, CONSUMER = 0x2000, PEER = 0x9999, TWCC_ID = 5 };

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
    uint32_t video, audio; /* producers */
    uint32_t see, hear;    /* consumers */
};

static void audio_defaults(struct command_producer_open *open, uint32_t transport)
{
    rig_producer_defaults(open, transport, AUDIO);
    open->kind = MEDIA_AUDIO;
    open->nack = open->pli = open->fir = false;
    open->pt_n = 1;
    open->encodings[0].rtx_ssrc = 0;
    open->pt[0] = (struct producer_pt){
        .pt = 111, .media_pt = REWRITE_PT_NONE, .codec = RTP_CODEC_OPUS, .clock_rate = 48000};
}

static void listener_defaults(struct command_consumer_open *open, uint32_t transport,
                              uint32_t producer, uint32_t ssrc)
{
    rig_consumer_defaults(open, transport, producer, ssrc, false);
    open->kind = MEDIA_AUDIO;
    open->nack = false;
    open->rewrite.pt[0].in = 111;
    open->rewrite.pt[0].out = 100;
    open->rewrite.pt[0].codec = RTP_CODEC_OPUS;
    open->rewrite.pt[0].clock_rate = 48000;
}

/* `change` is applied to the video producer before it is opened. */
static void scene_open(struct scene *s, int engine, void (*change)(struct command_producer_open *))
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    rig_start(&s->rig, rig_engines[engine], 0, 0);
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_peer(&s->rig, &s->subscriber, false, NULL);
    rig_producer_defaults(&produce, s->publisher.transport, VIDEO);
    if (change != NULL)
        change(&produce);
    s->video = rig_producer(&s->rig, &produce);
    audio_defaults(&produce, s->publisher.transport);
    s->audio = rig_producer(&s->rig, &produce);
    rig_consumer_defaults(&consume, s->subscriber.transport, s->video, CONSUMER, true);
    s->see = rig_consumer(&s->rig, &consume);
    listener_defaults(&consume, s->subscriber.transport, s->audio, CONSUMER + 16);
    s->hear = rig_consumer(&s->rig, &consume);
}

static void scene_close(struct scene *s)
{
    rig_close(&s->rig, COMMAND_CONSUMER_CLOSE, s->hear);
    rig_close(&s->rig, COMMAND_CONSUMER_CLOSE, s->see);
    rig_close(&s->rig, COMMAND_PRODUCER_CLOSE, s->audio);
    rig_close(&s->rig, COMMAND_PRODUCER_CLOSE, s->video);
    rig_peer_close(&s->rig, &s->subscriber, true);
    rig_peer_close(&s->rig, &s->publisher, true);
    rig_stop(&s->rig);
}

static void publish(struct scene *s, bool video, uint16_t seq, uint32_t rtp_ts)
{
    rig_send_rtp(&s->publisher, &(struct rig_rtp){.ssrc = video ? VIDEO : AUDIO,
                                                  .rtp_ts = rtp_ts,
                                                  .seq = seq,
                                                  .pt = video ? 96 : 111,
                                                  .payload_bytes = 80});
}

static void send_rtcp(const struct rig_peer *peer, const struct rtcp_writer *writer)
{
    rig_send(peer, writer->data, writer->at);
}

static void drop_feedback(struct command_producer_open *open)
{
    open->nack = open->pli = open->fir = false;
}

/* ---- sender reports ---- */

static void send_sr(struct scene *s, uint32_t ssrc, uint64_t ntp, uint32_t rtp_ts)
{
    uint8_t data[64];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    struct rtcp_sender_info info = {.ntp = ntp, .rtp_ts = rtp_ts, .packets = 9, .octets = 9};
    ck_assert(rtcp_write_sr(&writer, ssrc, &info, NULL, 0));
    send_rtcp(&s->publisher, &writer);
}

/* out - in of the timestamps of one forwarded packet. */
static uint32_t delta_of(struct scene *s, bool video, uint16_t seq, uint32_t rtp_ts)
{
    uint8_t data[RIG_PACKET];
    publish(s, video, seq, rtp_ts);
    ck_assert_uint_gt(rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS), 0);
    ck_assert_uint_eq(be32(data + 8), video ? CONSUMER : CONSUMER + 16);
    return be32(data + 4) - rtp_ts;
}

/* When, on the publisher's clock (microseconds after its SR), a report's point lies, less our NTP
 * time of it: the offset of the two clocks. */
static int64_t offset_of(const struct rtcp_sender_info *info, uint32_t delta, uint32_t sr_ts,
                         uint32_t clock_rate, uint64_t ntp_base)
{
    int64_t units = (int32_t)(info->rtp_ts - delta - sr_ts);
    int64_t sender_us = units * 1000000 / clock_rate;
    int64_t ours_us = (int64_t)((double)(int64_t)(info->ntp - ntp_base) * 1e6 / 4294967296.0);
    return sender_us - ours_us;
}

/* Video is captured 700 ms before the audio that comes with it: arrivals would say that they belong
 * together, sender reports say that they do not. */
START_TEST(sender_reports_keep_audio_and_video_together)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    const uint64_t ntp = UINT64_C(0x8000000012345678);
    const uint32_t video_ts = 0xfffffff0u, audio_ts = 1000;
    const uint32_t video_at = video_ts + 1 * 90000, audio_at = audio_ts + 48000 + 48000 * 7 / 10;
    scene_open(&s, _i, NULL);
    uint32_t see_delta = delta_of(&s, true, 10, video_at);
    uint32_t hear_delta = delta_of(&s, false, 20, audio_at);
    send_sr(&s, VIDEO, ntp, video_ts);
    send_sr(&s, AUDIO, ntp, audio_ts);
    rig_wait(&worker_counters(s.rig.worker)->rtcp_in, 2);

    struct rtcp_sender_info infos[2] = {{0}};
    uint64_t ntp_base = 0;
    for (int found = 0, tries = 0; found != 3 && tries < 20; tries++) {
        struct rtcp_reader reader;
        struct rtcp_packet packet;
        uint32_t ssrc;
        size_t bytes = rig_receive_rtcp(&s.subscriber, data, RIG_WAIT_MS);
        ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
        while (rtcp_reader_next(&reader, &packet)) {
            if (packet.type != RTCP_SR || !rtcp_read_ssrc(data, &packet, &ssrc))
                continue;
            int at = ssrc == CONSUMER ? 0 : 1;
            ck_assert(rtcp_read_sender_info(data, &packet, &infos[at]));
            ck_assert_uint_eq(infos[at].packets, 1);
            ck_assert_uint_eq(infos[at].octets, 80);
            found |= 1 << at;
        }
    }
    ck_assert_uint_ne(infos[0].ntp, 0);
    ck_assert_uint_ne(infos[1].ntp, 0);
    ntp_base = infos[0].ntp;
    int64_t see_us = offset_of(&infos[0], see_delta, video_ts, 90000, ntp_base);
    int64_t hear_us = offset_of(&infos[1], hear_delta, audio_ts, 48000, ntp_base);
    ck_assert_int_lt(llabs(see_us - hear_us), 100000); /* far from 700 ms */
    scene_close(&s);
}

END_TEST

/* ---- receiver reports ---- */

START_TEST(receiver_reports_tell_the_loss)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    struct rtcp_report_block block, seen = {0};
    uint32_t intervals = 0, expected = 0;
    double lost = 0;
    scene_open(&s, _i, drop_feedback);
    for (uint16_t i = 0; i < 300; i++)
        if (i % 10 != 5) /* a tenth is lost */
            publish(&s, true, (uint16_t)(65400 + i), i * 300u);
    uint32_t seq_last = 65400u + 299; /* one cycle */
    send_sr(&s, VIDEO, UINT64_C(0x0001234500000000), 0);
    while (seen.seq_max != seq_last || seen.last_sr == 0) {
        ck_assert(rig_await_rtcp(&s.publisher, RTCP_RR, -1, data, &packet));
        for (unsigned i = 0; rtcp_read_report_block(data, &packet, i, &block); i++) {
            if (block.ssrc != VIDEO)
                continue;
            uint32_t here = block.seq_max - (intervals++ == 0 ? 65399 : seen.seq_max);
            lost += block.fraction_lost / 256.0 * here;
            expected += here;
            seen = block;
        }
        ck_assert_uint_lt(intervals, 6);
    }
    ck_assert_uint_eq(expected, 300);
    ck_assert_int_eq(seen.lost_total, 30);
    ck_assert_double_ge(lost, 28); /* each is rounded down to 1/256 */
    ck_assert_double_le(lost, 30.01);
    ck_assert_uint_eq(seen.last_sr, 0x23450000); /* the middle of the SR's time */
    ck_assert_uint_gt(seen.delay, 0);
    ck_assert_uint_lt(seen.delay, 5 * 65536);
    scene_close(&s);
}

END_TEST

static void report_loss(const struct rig_peer *peer, uint32_t ssrc, uint8_t fraction)
{
    uint8_t data[64];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    struct rtcp_report_block block = {.ssrc = ssrc, .fraction_lost = fraction, .seq_max = 1000};
    ck_assert(rtcp_write_rr(&writer, PEER, &block, 1));
    send_rtcp(peer, &writer);
}

/* Opus is told the worst of its receivers, video what came here. */
START_TEST(opus_is_told_the_worst_loss)
{
    struct scene s;
    struct rig_peer second;
    struct command_consumer_open consume;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    struct rtcp_report_block block;
    bool video = false, audio = false;
    scene_open(&s, _i, drop_feedback);
    rig_peer(&s.rig, &second, false, NULL);
    listener_defaults(&consume, second.transport, s.audio, CONSUMER + 32);
    uint32_t consumer = rig_consumer(&s.rig, &consume);
    report_loss(&s.subscriber, CONSUMER, 99);
    report_loss(&s.subscriber, CONSUMER + 16, 20);
    report_loss(&second, CONSUMER + 32, 200);
    rig_wait(&worker_counters(s.rig.worker)->rtcp_in, 3);
    for (uint16_t i = 0; i < 20; i++) {
        publish(&s, true, i, i * 3000u);
        publish(&s, false, i, i * 960u);
    }
    while (!video || !audio) {
        ck_assert(rig_await_rtcp(&s.publisher, RTCP_RR, -1, data, &packet));
        for (unsigned i = 0; rtcp_read_report_block(data, &packet, i, &block); i++) {
            ck_assert_uint_eq(block.fraction_lost, block.ssrc == AUDIO ? 200 : 0);
            audio |= block.ssrc == AUDIO;
            video |= block.ssrc == VIDEO;
        }
    }
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_peer_close(&s.rig, &second, true);
    scene_close(&s);
}

END_TEST

/* ---- round trips by extended reports ---- */

static bool await_xr(const struct rig_peer *peer, uint8_t type, uint8_t *data,
                     struct rtcp_packet *packet, struct rtcp_xr_block *block)
{
    for (int i = 0; i < 10 && rig_await_rtcp(peer, RTCP_XR, -1, data, packet); i++)
        for (size_t at = 0; rtcp_read_xr_block(data, packet, &at, block);)
            if (block->type == type)
                return true;
    return false;
}

START_TEST(round_trips_by_extended_reports)
{
    struct scene s;
    uint8_t data[RIG_PACKET], answer[128];
    struct rtcp_packet packet;
    struct rtcp_xr_block block;
    struct rtcp_dlrr dlrr;
    struct outcome outcome;
    uint64_t ntp;
    uint32_t relay_ssrc;
    scene_open(&s, _i, drop_feedback);
    for (uint16_t i = 0; i < 10; i++)
        publish(&s, true, i, i * 3000u);
    /* The relay asks its publisher ... */
    ck_assert(await_xr(&s.publisher, RTCP_XR_RRTR, data, &packet, &block));
    ck_assert(rtcp_read_ssrc(data, &packet, &relay_ssrc));
    ck_assert(rtcp_read_rrtr(data, &block, &ntp));
    struct rtcp_writer writer = {.data = answer, .bytes_max = sizeof answer};
    struct rtcp_dlrr ours[2] = {{.ssrc = relay_ssrc ^ 1, .last_rr = 77}, /* not about it */
                                {.ssrc = relay_ssrc, .last_rr = ntp_compact(ntp)}};
    ck_assert(rtcp_write_xr_dlrr(&writer, VIDEO, ours, 2));
    usleep(30000);
    send_rtcp(&s.publisher, &writer);
    rig_wait(&worker_counters(s.rig.worker)->rtcp_in, 1);
    rig_stats(&s.rig, OBJECT_PRODUCER, s.video, &outcome);
    ck_assert_int_ge(outcome.producer.encodings[0].rtt_us, 29000);
    ck_assert_int_lt(outcome.producer.encodings[0].rtt_us, 2000000);
    rig_stats(&s.rig, OBJECT_TRANSPORT, s.publisher.transport, &outcome);
    ck_assert_int_ge(outcome.transport.rtt_us, 29000);

    /* ... and its receivers ask it. */
    writer.at = 0;
    ck_assert(rtcp_write_rr(&writer, PEER, NULL, 0));
    ck_assert(rtcp_write_xr_rrtr(&writer, PEER, UINT64_C(0x1111222233334444)));
    send_rtcp(&s.subscriber, &writer);
    ck_assert(await_xr(&s.subscriber, RTCP_XR_DLRR, data, &packet, &block));
    ck_assert(rtcp_read_dlrr(data, &block, 0, &dlrr));
    ck_assert_uint_eq(dlrr.ssrc, PEER);
    ck_assert_uint_eq(dlrr.last_rr, 0x22223333);
    ck_assert_uint_lt(dlrr.delay, 3 * 65536);
    scene_close(&s);
}

END_TEST

/* ---- transport-wide feedback ---- */

static void with_twcc(struct command_producer_open *open)
{
    open->ext_ids.id[RTP_EXT_TWCC] = TWCC_ID;
}

static void publish_numbered(struct scene *s, uint16_t seq, uint16_t number)
{
    uint8_t data[RIG_PACKET], value[2];
    struct rtp_ext_writer writer;
    size_t at = rig_make_rtp(
        &(struct rig_rtp){.ssrc = VIDEO, .rtp_ts = seq * 3000u, .seq = seq, .pt = 96}, data);
    put_be16(value, number);
    rtp_ext_writer_init(&writer, data, at, sizeof data, false);
    rtp_ext_write(&writer, TWCC_ID, value, 2);
    size_t end = rtp_ext_writer_end(&writer);
    data[0] |= 0x10;
    memset(data + end, 7, 20);
    rig_send(&s->publisher, data, end + 20);
}

START_TEST(arrivals_are_fed_back_transport_wide)
{
    enum { N = 60 };
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    struct twcc_reader reader;
    struct twcc_item item;
    bool received[N] = {false};
    uint32_t got = 0, sent = 0;
    const uint16_t base = 65500; /* over the wrap */
    scene_open(&s, _i, with_twcc);
    for (uint16_t i = 0; i < N; i++) {
        if (i % 9 == 4)
            continue;
        publish_numbered(&s, i, (uint16_t)(base + i));
        sent++;
    }
    uint8_t feedback_n = 0;
    for (uint32_t messages = 0; got < sent; messages++) {
        ck_assert(rig_await_rtcp(&s.publisher, RTCP_RTPFB, RTCP_FB_TWCC, data, &packet));
        ck_assert(twcc_reader_init(&reader, data, &packet));
        ck_assert_uint_eq(reader.feedback_n, messages == 0 ? reader.feedback_n : feedback_n);
        feedback_n = (uint8_t)(reader.feedback_n + 1);
        int64_t before_us = 0;
        while (twcc_reader_next(&reader, &item)) {
            uint16_t at = (uint16_t)(item.number - base);
            MUST(at < N);
            MUST(item.received || !received[at]);
            got += item.received && !received[at];
            received[at] |= item.received;
            if (item.received && before_us != 0)
                MUST(llabs(twcc_diff_us(item.arrived_us, before_us)) < 5000000);
            if (item.received)
                before_us = item.arrived_us;
        }
    }
    for (uint16_t i = 0; i < N; i++)
        ck_assert_int_eq(received[i], i % 9 != 4);
    scene_close(&s);
}

END_TEST

/* ---- key frames and traces ---- */

static void fir_only(struct command_producer_open *open)
{
    open->pli = false;
    open->keyframe_delay_us = 0;
}

static void ask_keyframe(struct scene *s)
{
    uint8_t data[64];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    ck_assert(rtcp_write_pli(&writer, PEER, CONSUMER));
    send_rtcp(&s->subscriber, &writer);
}

/* What was asked for has come. */
static void publish_keyframe(struct scene *s, uint16_t seq)
{
    publish(s, true, seq, seq * 3000u);
}

START_TEST(key_frames_are_asked_for_by_fir_where_only_that_is_known)
{
    struct scene s;
    uint8_t data[RIG_PACKET], seqs[3];
    struct rtcp_packet packet;
    struct outcome outcome;
    uint32_t ssrc;
    scene_open(&s, _i, fir_only); /* the consumer's opening asks for the first */
    for (uint16_t i = 0; i < 3; i++) {
        ck_assert(rig_await_rtcp(&s.publisher, RTCP_PSFB, RTCP_FB_FIR, data, &packet));
        ck_assert(rtcp_read_fir(data, &packet, 0, &ssrc, &seqs[i]));
        ck_assert_uint_eq(ssrc, VIDEO);
        publish_keyframe(&s, i);
        rig_wait(&worker_counters(s.rig.worker)->rtp_in, i + 1);
        ask_keyframe(&s);
    }
    ck_assert_uint_eq((uint8_t)(seqs[0] + 1), seqs[1]); /* RFC 5104 4.3.1.1 */
    ck_assert_uint_eq((uint8_t)(seqs[1] + 1), seqs[2]);
    rig_stats(&s.rig, OBJECT_PRODUCER, s.video, &outcome);
    ck_assert_uint_ge(outcome.producer.encodings[0].firs, 3);
    ck_assert_uint_eq(outcome.producer.encodings[0].plis, 0);
    ck_assert_uint_eq(outcome.producer.encodings[0].keyframes, 3);
    scene_close(&s);
}

END_TEST

static void want_traces(struct scene *s, enum object_kind object, uint32_t index, uint32_t bits)
{
    struct command command = {.kind = COMMAND_TRACE_EVENTS, .index = index};
    command.trace_events.object = object;
    command.trace_events.bits = bits;
    ck_assert_int_eq(rig_command(&s->rig, &command, NULL), 0);
}

/* The kept trace events of an object with this bit and direction. */
static uint32_t traces(struct scene *s, enum object_kind object, enum trace_event_bit bit, bool out)
{
    uint32_t n = 0;
    rig_settle(&s->rig);
    for (uint32_t i = 0; i < s->rig.events_n; i++) {
        const struct outcome *event = &s->rig.events[i];
        n += event->event == EVENT_TRACE && event->object == object && event->trace.bit == bit &&
             event->trace.out == out;
    }
    return n;
}

START_TEST(traces_say_what_was_asked_for)
{
    const uint32_t all =
        TRACE_BIT_KEYFRAME | TRACE_BIT_NACK | TRACE_BIT_PLI | TRACE_BIT_FIR | TRACE_BIT_SR;
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct rtcp_packet packet;
    scene_open(&s, _i, NULL);
    publish(&s, true, 1, 3000); /* before: nothing is traced */
    ck_assert_uint_gt(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 0);
    ck_assert_uint_eq(traces(&s, OBJECT_PRODUCER, TRACE_BIT_RTP, false), 0);

    want_traces(&s, OBJECT_PRODUCER, s.video, all);
    want_traces(&s, OBJECT_CONSUMER, s.see, all);
    publish_keyframe(&s, 2);
    rig_send_rtp(
        &s.publisher, /* 3 is missing */
        &(struct rig_rtp){
            .ssrc = VIDEO, .rtp_ts = 9000, .seq = 4, .pt = 96, .delta = true, .payload_bytes = 80});
    ck_assert(rig_await_rtcp(&s.publisher, RTCP_RTPFB, RTCP_FB_NACK, data, &packet));
    send_sr(&s, VIDEO, UINT64_C(1) << 40, 9000);
    ask_keyframe(&s);
    struct rtcp_writer writer = {.data = data, .bytes_max = 128};
    uint16_t seqs[2] = {1000, 1001};
    ck_assert_uint_eq(rtcp_write_nack(&writer, PEER, CONSUMER, seqs, 2), 2);
    ck_assert(rtcp_write_fir(&writer, PEER, CONSUMER, 1));
    send_rtcp(&s.subscriber, &writer);
    rig_wait(&worker_counters(s.rig.worker)->rtcp_in, 3);

    ck_assert_uint_eq(traces(&s, OBJECT_PRODUCER, TRACE_BIT_KEYFRAME, false), 1);
    ck_assert_uint_eq(traces(&s, OBJECT_CONSUMER, TRACE_BIT_KEYFRAME, true), 1);
    ck_assert_uint_ge(traces(&s, OBJECT_PRODUCER, TRACE_BIT_NACK, true), 1);
    ck_assert_uint_eq(traces(&s, OBJECT_PRODUCER, TRACE_BIT_SR, false), 1);
    ck_assert_uint_eq(traces(&s, OBJECT_CONSUMER, TRACE_BIT_PLI, false), 1);
    ck_assert_uint_eq(traces(&s, OBJECT_CONSUMER, TRACE_BIT_FIR, false), 1);
    ck_assert_uint_eq(traces(&s, OBJECT_CONSUMER, TRACE_BIT_NACK, false), 1);
    ck_assert_uint_eq(traces(&s, OBJECT_PRODUCER, TRACE_BIT_RTP, false), 0); /* not asked for */

    want_traces(&s, OBJECT_PRODUCER, s.video, TRACE_BIT_RTP);
    want_traces(&s, OBJECT_CONSUMER, s.see, TRACE_BIT_RTP);
    for (uint16_t i = 0; i < 5; i++)
        publish(&s, true, (uint16_t)(5 + i), 12000);
    rig_wait(&worker_counters(s.rig.worker)->rtp_in, 8);
    ck_assert_uint_eq(traces(&s, OBJECT_PRODUCER, TRACE_BIT_RTP, false), 5);
    ck_assert_uint_eq(traces(&s, OBJECT_CONSUMER, TRACE_BIT_RTP, true), 5);
    scene_close(&s);
}

END_TEST

/* Applications show a producer's score: they are told that its stream is there. */
START_TEST(the_first_packet_tells_the_score)
{
    struct scene s;
    scene_open(&s, _i, NULL);
    publish(&s, true, 1, 3000);
    publish(&s, true, 2, 6000);
    const struct outcome *event = rig_event(&s.rig, EVENT_SCORE);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->object, OBJECT_PRODUCER);
    ck_assert_uint_eq(event->index, s.video);
    ck_assert_uint_eq(event->score.score[0], 10);
    ck_assert_uint_eq(event->score.ssrc[0], VIDEO);
    rig_settle(&s.rig);
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.rig.events_n; i++)
        n += s.rig.events[i].event == EVENT_SCORE;
    ck_assert_uint_eq(n, 1);
    scene_close(&s);
}

END_TEST

Suite *net_report_suite(void)
{
    Suite *suite = suite_create("net_report");
    TCase *reports = tcase_create("reports");
    tcase_set_timeout(reports, 60);
    tcase_add_loop_test(reports, sender_reports_keep_audio_and_video_together, 0, 2);
    tcase_add_loop_test(reports, receiver_reports_tell_the_loss, 0, 2);
    tcase_add_loop_test(reports, opus_is_told_the_worst_loss, 0, 2);
    tcase_add_loop_test(reports, the_first_packet_tells_the_score, 0, 2);
    tcase_add_loop_test(reports, round_trips_by_extended_reports, 0, 2);
    tcase_add_loop_test(reports, arrivals_are_fed_back_transport_wide, 0, 2);
    suite_add_tcase(suite, reports);
    TCase *requests = tcase_create("requests");
    tcase_set_timeout(requests, 60);
    tcase_add_loop_test(requests, key_frames_are_asked_for_by_fir_where_only_that_is_known, 0, 2);
    tcase_add_loop_test(requests, traces_say_what_was_asked_for, 0, 2);
    suite_add_tcase(suite, requests);
    return suite;
}
