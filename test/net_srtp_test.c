/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_srtp_test.c - sealed media in and out of a real worker: every suite, resends, reports,
 * what is refused and why, keys that live on and keys set anew. */
#include "test/heap.h"
#include "test/must.h"
#include "test/net_rig.h"

#include <unistd.h>

enum { PUBLISHER = 0x1111, CONSUMER = 0x2000, PEER = 0x9999, PAYLOAD = 200, CIPHERS_N = 4 };

static const enum seal_suite suites[CIPHERS_N] = {SEAL_AEAD_AES_256_GCM, SEAL_AEAD_AES_128_GCM,
                                                  SEAL_AES_CM_128_HMAC_SHA1_80,
                                                  SEAL_AES_CM_128_HMAC_SHA1_32};

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
    struct srtp_keys keys_up, keys_down;
    struct seal *up, *down; /* the peers' */
    uint32_t producer, consumer;
};

static void peer_seals(struct scene *s)
{
    s->up = rig_peer_seal(&s->keys_up);
    s->down = rig_peer_seal(&s->keys_down);
    ck_assert_int_eq(seal_add_out(s->up, PUBLISHER), 0);
    ck_assert_int_eq(seal_add_out(s->up, PUBLISHER + 1), 0);
    ck_assert_int_eq(seal_add_out(s->up, PEER), 0);
    ck_assert_int_eq(seal_add_out(s->down, PEER), 0);
}

/* Index of a loop test: engine and suite. */
static void scene_open(struct scene *s, int index, const struct command_consumer_open *as)
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    rig_start(&s->rig, rig_engines[index % 2], 0, 0);
    rig_keys(&s->keys_up, suites[index / 2 % CIPHERS_N], 1);
    rig_keys(&s->keys_down, suites[index / 2 % CIPHERS_N], 101);
    peer_seals(s);
    rig_peer(&s->rig, &s->publisher, false, &s->keys_up);
    rig_peer(&s->rig, &s->subscriber, false, &s->keys_down);
    rig_producer_defaults(&produce, s->publisher.transport, PUBLISHER);
    s->producer = rig_producer(&s->rig, &produce);
    rig_consumer_defaults(&consume, s->subscriber.transport, s->producer, CONSUMER, true);
    if (as != NULL) {
        consume.nack = as->nack;
        consume.rewrite = as->rewrite;
        consume.rewrite.ssrc = CONSUMER;
    }
    s->consumer = rig_consumer(&s->rig, &consume);
}

static void scene_close(struct scene *s)
{
    rig_close(&s->rig, COMMAND_CONSUMER_CLOSE, s->consumer);
    rig_close(&s->rig, COMMAND_PRODUCER_CLOSE, s->producer);
    rig_peer_close(&s->rig, &s->subscriber, true);
    rig_peer_close(&s->rig, &s->publisher, true);
    rig_stop(&s->rig);
    seal_exit(s->up);
    seal_exit(s->down);
}

static size_t make_media(uint16_t seq, uint8_t *data)
{
    return rig_make_rtp(&(struct rig_rtp){.ssrc = PUBLISHER,
                                          .rtp_ts = seq * 300u,
                                          .seq = seq,
                                          .pt = 96,
                                          .payload_bytes = PAYLOAD},
                        data);
}

static void publish(struct scene *s, uint16_t seq)
{
    uint8_t data[RIG_PACKET];
    rig_send_sealed(&s->publisher, s->up, data, make_media(seq, data));
}

/* The next packet of the subscriber: `data` as it came, `plain` opened. */
static size_t receive(struct scene *s, uint8_t *data, uint8_t *plain)
{
    size_t bytes = rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS), plain_bytes = bytes;
    ck_assert_uint_gt(bytes, 0);
    memcpy(plain, data, bytes);
    ck_assert_int_eq(seal_unprotect_rtp(s->down, plain, &plain_bytes), DROP_NONE);
    return plain_bytes;
}

static void expect(struct scene *s, uint16_t seq_in, uint16_t seq_out)
{
    _Alignas(4) uint8_t data[RIG_PACKET], plain[RIG_PACKET], sent[RIG_PACKET];
    size_t bytes = make_media(seq_in, sent);
    ck_assert_uint_eq(receive(s, data, plain), bytes);
    ck_assert_uint_eq(be16(plain + 2), seq_out);
    ck_assert_mem_eq(plain + 12, sent + 12, PAYLOAD);
    ck_assert_mem_ne(data + 12, sent + 12, PAYLOAD); /* it was sealed */
}

static void send_nack(struct scene *s, uint16_t seq)
{
    uint8_t data[64];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    ck_assert_uint_eq(rtcp_write_nack(&writer, PEER, CONSUMER, &seq, 1), 1);
    rig_send_sealed(&s->subscriber, s->down, data, writer.at);
}

START_TEST(forwards_over_the_wrap_with_losses_and_serves_rtx)
{
    struct scene s;
    _Alignas(4) uint8_t data[RIG_PACKET], plain[RIG_PACKET], sent[RIG_PACKET];
    scene_open(&s, _i, NULL);
    for (uint16_t i = 0; i < 40; i++) {
        if (i % 7 == 3)
            continue; /* lost on the way in */
        publish(&s, (uint16_t)(65520 + i));
        expect(&s, (uint16_t)(65520 + i), (uint16_t)(1000 + i));
    }
    send_nack(&s, 1015);
    size_t bytes = make_media(65535, sent);
    ck_assert_uint_eq(receive(&s, data, plain), bytes + 2);
    ck_assert_uint_eq(be32(plain + 8), CONSUMER + 1);
    ck_assert_uint_eq(be16(plain + 12), 1015);
    ck_assert_mem_eq(plain + 14, sent + 12, PAYLOAD);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_SEAL), 0);
    scene_close(&s);
}

END_TEST

/* Numbers far apart: every wrap is crossed in the middle of a loss, in and out. */
START_TEST(many_wraps_with_long_losses)
{
    struct scene s;
    scene_open(&s, _i, NULL);
    uint32_t first = 65000;
    for (uint32_t at = 0; at < 5 * 65536; at += 2900) {
        publish(&s, (uint16_t)(first + at));
        expect(&s, (uint16_t)(first + at), (uint16_t)(1000 + at));
    }
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_SEQ_INVALID), 0);
    scene_close(&s);
}

END_TEST

static void check_identical_resend(struct scene *s)
{
    _Alignas(4) uint8_t first[RIG_PACKET], again[RIG_PACKET], plain[RIG_PACKET];
    publish(s, 65534);
    size_t bytes = rig_receive_rtp(&s->subscriber, first, RIG_WAIT_MS);
    ck_assert_uint_gt(bytes, PAYLOAD + 12);
    for (uint16_t i = 0; i < 5; i++) {
        publish(s, (uint16_t)(65535 + i));
        receive(s, again, plain);
    }
    usleep(20000); /* another send time, were it written */
    send_nack(s, 1000);
    ck_assert_uint_eq(rig_receive_rtp(&s->subscriber, again, RIG_WAIT_MS), bytes);
    ck_assert_mem_eq(again, first, bytes); /* same index, same bytes */
}

/* Without RTX, and with send-time extensions asked for: they are refused. */
START_TEST(a_plain_resend_is_the_same_ciphertext)
{
    struct scene s;
    struct command_consumer_open as;
    rig_consumer_defaults(&as, 0, 0, CONSUMER, false);
    as.rewrite.ext_out.id[RTP_EXT_TWCC] = 5;
    as.rewrite.ext_out.id[RTP_EXT_ABS_SEND_TIME] = 6;
    scene_open(&s, _i, &as);
    check_identical_resend(&s);
    scene_close(&s);
}

END_TEST

/* An RTX stream, but none for this payload type. */
START_TEST(a_payload_type_without_rtx_is_resent_the_same)
{
    struct scene s;
    struct command_consumer_open as;
    rig_consumer_defaults(&as, 0, 0, CONSUMER, true);
    as.rewrite.pt[0].rtx = REWRITE_PT_NONE;
    as.rewrite.ext_out.id[RTP_EXT_TWCC] = 5;
    as.rewrite.ext_out.id[RTP_EXT_ABS_SEND_TIME] = 6;
    scene_open(&s, _i, &as);
    check_identical_resend(&s);
    scene_close(&s);
}

END_TEST

/* Audio: nothing is resent, so that send times can be told; a NACK all the same gets no answer. */
START_TEST(who_may_not_nack_is_told_send_times)
{
    struct scene s;
    _Alignas(4) uint8_t data[RIG_PACKET], plain[RIG_PACKET];
    struct command_consumer_open as;
    rig_consumer_defaults(&as, 0, 0, CONSUMER, false);
    as.nack = false;
    as.rewrite.ext_out.id[RTP_EXT_TWCC] = 5;
    scene_open(&s, _i, &as);
    for (uint16_t i = 0; i < 3; i++) {
        publish(&s, i);
        ck_assert_uint_eq(receive(&s, data, plain), 12 + 8 + PAYLOAD);
        ck_assert_uint_eq(plain[16], 0x51);
        ck_assert_uint_eq(be16(plain + 17), i); /* transport-wide numbers in wire order */
    }
    send_nack(&s, 1001);
    rig_wait(&worker_counters(s.rig.worker)->rtcp_in, 1);
    rig_settle(&s.rig);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->nack_requested, 0);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->resent, 0);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->slots_retained, 0);
    scene_close(&s);
}

END_TEST

/* The next compound of a peer that begins with `type`, opened. */
static size_t await_sealed(const struct rig_peer *peer, struct seal *seal, uint8_t type,
                           uint8_t *data)
{
    for (int i = 0; i < 20; i++) {
        size_t bytes = rig_receive_rtcp(peer, data, RIG_WAIT_MS);
        ck_assert_uint_gt(bytes, 0);
        ck_assert_int_eq(seal_unprotect_rtcp(seal, data, &bytes), DROP_NONE);
        if (data[1] == type)
            return bytes;
    }
    return 0;
}

START_TEST(reports_are_sealed_both_ways)
{
    struct scene s;
    _Alignas(4) uint8_t data[RIG_PACKET];
    struct rtcp_reader reader;
    struct outcome outcome;
    scene_open(&s, _i, NULL);
    for (uint16_t i = 0; i < 20; i++) {
        publish(&s, i);
        expect(&s, i, (uint16_t)(1000 + i));
    }
    size_t bytes = await_sealed(&s.subscriber, s.down, RTCP_SR, data);
    ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
    ck_assert_uint_eq(be32(data + 4), CONSUMER);
    ck_assert_uint_eq(be32(data + 20), 20); /* packets */
    bytes = await_sealed(&s.publisher, s.up, RTCP_RR, data);
    ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
    ck_assert_uint_eq(be32(data + 8), PUBLISHER);

    struct rtcp_writer writer = {.data = data, .bytes_max = 256};
    struct rtcp_report_block block = {.ssrc = CONSUMER, .fraction_lost = 77, .seq_max = 1019};
    ck_assert(rtcp_write_rr(&writer, PEER, &block, 1));
    rig_send_sealed(&s.subscriber, s.down, data, writer.at);
    rig_wait(&worker_counters(s.rig.worker)->rtcp_in, 1);
    rig_stats(&s.rig, OBJECT_CONSUMER, s.consumer, &outcome);
    ck_assert_uint_eq(outcome.consumer.stream.fraction_lost, 77);
    scene_close(&s);
}

END_TEST

START_TEST(what_is_not_authentic_is_counted_and_goes_nowhere)
{
    struct scene s;
    _Alignas(4) uint8_t data[RIG_PACKET], sealed[RIG_PACKET];
    struct srtp_keys wrong;
    scene_open(&s, _i, NULL);
    rig_keys(&wrong, s.keys_up.suite, 55);
    struct seal *stranger = rig_peer_seal(&wrong);
    ck_assert_int_eq(seal_add_out(stranger, PUBLISHER), 0);
    ck_assert_int_eq(seal_add_out(stranger, PEER), 0);
    publish(&s, 10);
    expect(&s, 10, 1000);

    size_t bytes = make_media(11, data); /* wrong key */
    rig_send_sealed(&s.publisher, stranger, data, bytes);
    rig_wait_drops(&s.rig, DROP_SRTP_AUTH, 1);

    memcpy(sealed, data, bytes); /* one bit of each part changed */
    size_t sealed_bytes = bytes;
    ck_assert_int_eq(seal_protect_rtp(s.up, sealed, &sealed_bytes), DROP_NONE);
    static const size_t at[] = {1, 5, 12, 150};
    for (size_t i = 0; i < ARRAY_N(at); i++) {
        sealed[at[i]] ^= 1;
        rig_send(&s.publisher, sealed, sealed_bytes);
        sealed[at[i]] ^= 1;
    }
    rig_wait_drops(&s.rig, DROP_SRTP_AUTH, 1 + ARRAY_N(at));
    rig_send(&s.publisher, data, bytes); /* in the clear */
    rig_wait_drops(&s.rig, DROP_SRTP_AUTH, 2 + ARRAY_N(at));

    rig_send(&s.publisher, sealed, sealed_bytes); /* as it was: authentic after all */
    expect(&s, 11, 1001);
    rig_send(&s.publisher, sealed, sealed_bytes);
    rig_send(&s.publisher, sealed, sealed_bytes);
    rig_wait_drops(&s.rig, DROP_SRTP_REPLAY, 2);

    struct rtcp_writer writer = {.data = data, .bytes_max = 64};
    ck_assert(rtcp_write_pli(&writer, PEER, CONSUMER));
    rig_send_sealed(&s.publisher, stranger, data, writer.at);
    rig_wait_drops(&s.rig, DROP_SRTP_AUTH, 3 + ARRAY_N(at));

    publish(&s, 12); /* the stream is none the worse for it */
    expect(&s, 12, 1002);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->rtp_in, 3);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->forwarded, 3);
    seal_exit(stranger);
    scene_close(&s);
}

END_TEST

START_TEST(garbage_of_every_length_is_counted)
{
    struct scene s;
    uint8_t data[256];
    scene_open(&s, _i, NULL);
    uint64_t refused = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(0x80 + i * 7);
    for (size_t bytes = 1; bytes <= sizeof data; bytes++) {
        data[0] = 0x80;
        data[1] = bytes % 2 ? 96 : 200;
        rig_send(&s.publisher, data, bytes);
    }
    publish(&s, 1);
    expect(&s, 1, 1000);
    rig_settle(&s.rig);
    for (int why = 0; why < DROP_N; why++)
        refused += why == DROP_NONE ? 0 : rig_drops(&s.rig, (enum drop)why);
    ck_assert_uint_eq(refused, sizeof data);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->forwarded, 1);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->rtcp_in, 0);
    scene_close(&s);
}

END_TEST

/* srtp_wanted and no keys yet: nothing in, nothing out. */
START_TEST(media_before_keys_waits_for_them)
{
    struct scene s;
    uint8_t data[RIG_PACKET];
    struct command_producer_open produce;
    struct command_consumer_open consume;
    const struct srtp_keys none = {.suite = SEAL_NONE};
    rig_start(&s.rig, rig_engines[_i % 2], 0, 0);
    rig_keys(&s.keys_up, SEAL_AEAD_AES_128_GCM, 1);
    rig_keys(&s.keys_down, SEAL_AEAD_AES_128_GCM, 101);
    peer_seals(&s);
    rig_peer(&s.rig, &s.publisher, false, &none);
    rig_peer(&s.rig, &s.subscriber, false, &none);
    rig_producer_defaults(&produce, s.publisher.transport, PUBLISHER);
    s.producer = rig_producer(&s.rig, &produce);
    rig_consumer_defaults(&consume, s.subscriber.transport, s.producer, CONSUMER, true);
    s.consumer = rig_consumer(&s.rig, &consume);

    publish(&s, 1);
    rig_send(&s.publisher, data, make_media(2, data)); /* in the clear: no */
    rig_wait_drops(&s.rig, DROP_NOT_CONNECTED, 2);

    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = s.publisher.transport};
    connect.transport_connect.keys = s.keys_up;
    ck_assert_int_eq(rig_command(&s.rig, &connect, NULL), 0);
    publish(&s, 3);
    rig_wait(&worker_counters(s.rig.worker)->rtp_in, 1);
    ck_assert_uint_eq(rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS), 0);

    connect.index = s.subscriber.transport;
    connect.transport_connect.keys = s.keys_down;
    ck_assert_int_eq(rig_command(&s.rig, &connect, NULL), 0);
    publish(&s, 4);
    expect(&s, 4, 1000);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->forwarded, 1);
    scene_close(&s);
}

END_TEST

START_TEST(an_ssrc_under_a_living_key_goes_on)
{
    struct scene s;
    struct command_consumer_open consume;
    scene_open(&s, _i, NULL);
    for (uint16_t i = 0; i < 5; i++) {
        publish(&s, i);
        expect(&s, i, (uint16_t)(1000 + i));
    }
    for (uint16_t life = 0; life < 3; life++) {
        rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, s.consumer);
        rig_consumer_defaults(&consume, s.subscriber.transport, s.producer, CONSUMER, true);
        s.consumer = rig_consumer(&s.rig, &consume);
        publish(&s, (uint16_t)(5 + life));
        expect(&s, (uint16_t)(5 + life), (uint16_t)(1005 + life));
    }
    /* A key set anew knows nothing of that. */
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, s.consumer);
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = s.subscriber.transport};
    rig_keys(&connect.transport_connect.keys, s.keys_down.suite, 33);
    ck_assert_int_eq(rig_command(&s.rig, &connect, NULL), 0);
    s.consumer = rig_consumer(&s.rig, &consume);
    seal_exit(s.down);
    rig_keys(&s.keys_down, s.keys_down.suite, 33);
    s.down = rig_peer_seal(&s.keys_down);
    publish(&s, 9);
    expect(&s, 9, 1000);
    scene_close(&s);
}

END_TEST

START_TEST(keys_set_anew_replace_the_old_ones)
{
    struct scene s;
    _Alignas(4) uint8_t data[RIG_PACKET];
    scene_open(&s, _i, NULL);
    publish(&s, 1);
    expect(&s, 1, 1000);
    struct seal *old_up = s.up;
    seal_exit(s.down);
    rig_keys(&s.keys_up, s.keys_up.suite, 17);
    rig_keys(&s.keys_down, s.keys_down.suite, 71);
    peer_seals(&s);
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = s.publisher.transport};
    connect.transport_connect.keys = s.keys_up;
    ck_assert_int_eq(rig_command(&s.rig, &connect, NULL), 0);
    connect.index = s.subscriber.transport;
    connect.transport_connect.keys = s.keys_down;
    ck_assert_int_eq(rig_command(&s.rig, &connect, NULL), 0);

    rig_send_sealed(&s.publisher, old_up, data, make_media(2, data));
    rig_wait_drops(&s.rig, DROP_SRTP_AUTH, 1);
    publish(&s, 2);
    expect(&s, 2, 1001); /* numbering goes on */
    send_nack(&s, 1001);
    ck_assert_uint_gt(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS), 0);
    seal_exit(old_up);
    scene_close(&s);
}

END_TEST

START_TEST(a_steady_turn_calls_no_heap)
{
    struct scene s;
    static uint8_t sealed[600][RIG_PACKET];
    static size_t bytes[600];
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i, NULL);
    for (uint16_t i = 0; i < 600; i++) {
        bytes[i] = make_media(i, sealed[i]);
        ck_assert_int_eq(seal_protect_rtp(s.up, sealed[i], &bytes[i]), DROP_NONE);
    }
    uint64_t before = 0;
    for (uint16_t i = 0; i < 600; i++) {
        if (i == 100) /* streams are known, reports are not: they come within the window */
            before = heap_calls_all();
        MUST(sendto(s.publisher.fd, sealed[i], bytes[i], 0, &s.publisher.relay.sa,
                    addr_len(&s.publisher.relay)) == (ssize_t)bytes[i]);
        MUST(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0);
        if (i % 10 == 0)
            usleep(30000); /* 1.8 s in all: reports of both transports are due */
    }
    uint64_t after = heap_calls_all();
    ck_assert_uint_eq(after - before, 0);
    ck_assert_uint_ge(worker_counters(s.rig.worker)->rtcp_out, 2);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->forwarded, 600);
    scene_close(&s);
}

END_TEST

Suite *net_srtp_suite(void)
{
    enum { ALL = 2 * CIPHERS_N };

    Suite *suite = suite_create("net_srtp");
    TCase *media = tcase_create("media");
    tcase_set_timeout(media, 60);
    tcase_add_loop_test(media, forwards_over_the_wrap_with_losses_and_serves_rtx, 0, ALL);
    tcase_add_loop_test(media, many_wraps_with_long_losses, 0, ALL);
    tcase_add_loop_test(media, a_plain_resend_is_the_same_ciphertext, 0, ALL);
    tcase_add_loop_test(media, a_payload_type_without_rtx_is_resent_the_same, 0, ALL);
    tcase_add_loop_test(media, who_may_not_nack_is_told_send_times, 0, ALL);
    tcase_add_loop_test(media, reports_are_sealed_both_ways, 0, 2); /* a second and a half each */
    tcase_add_loop_test(media, reports_are_sealed_both_ways, 4, 6);
    tcase_add_loop_test(media, what_is_not_authentic_is_counted_and_goes_nowhere, 0, ALL);
    tcase_add_loop_test(media, garbage_of_every_length_is_counted, 0, 2);
    tcase_add_loop_test(media, a_steady_turn_calls_no_heap, 0, 2);
    suite_add_tcase(suite, media);
    TCase *keys = tcase_create("keys");
    tcase_set_timeout(keys, 60);
    tcase_add_loop_test(keys, media_before_keys_waits_for_them, 0, 2);
    tcase_add_loop_test(keys, an_ssrc_under_a_living_key_goes_on, 0, ALL);
    tcase_add_loop_test(keys, keys_set_anew_replace_the_old_ones, 0, ALL);
    suite_add_tcase(suite, keys);
    return suite;
}
