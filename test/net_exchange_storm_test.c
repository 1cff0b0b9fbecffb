/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_exchange_storm_test.c - a room over three workers in which everything happens at once:
 * mirrors and consumers come, pause and go, key frames and lost packets are asked for, slabs are
 * too small for what comes. Whatever arrives must be what its publisher sent; nothing may be left.
 */
#include "core/random.h"
#include "test/net_rig.h"

#include <stdlib.h>

enum {
    WORKERS_N = 3,
    SUBSCRIBERS_N = 2, /* a worker */
    SLOTS_N = 128,
    ROUNDS_N = 1500,
    BURST_N = 64,
    PEER = 0x9999,
};

struct place { /* what a subscriber has of a publisher */
    bool open, paused;
    uint32_t consumer, ssrc;
};

struct mirror {
    bool open;
    uint32_t index, serial, consumers_n;
};

struct storm {
    struct rig rigs[WORKERS_N];
    struct rig_peer publishers[WORKERS_N];
    struct rig_peer subscribers[WORKERS_N][SUBSCRIBERS_N];
    uint32_t producers[WORKERS_N];
    uint16_t seq[WORKERS_N];
    struct mirror mirrors[WORKERS_N][WORKERS_N]; /* [of whose producer][on which worker] */
    struct place places[WORKERS_N][SUBSCRIBERS_N][WORKERS_N];
    struct random random;
    uint32_t serial, ssrc;
    uint64_t received;
};

static uint32_t pick(struct storm *s, uint32_t n)
{
    return (uint32_t)(random_next(&s->random) % n);
}

/* Each publisher's packets have a length of their own. */
static size_t payload_bytes(uint32_t publisher)
{
    return 200 + 100 * (size_t)publisher;
}

static void tell_reader(struct storm *s, enum command_kind kind, uint32_t of, uint32_t on)
{
    struct command command = {
        .kind = kind,
        .index = s->producers[of],
        .reader = {.worker = (uint16_t)on,
                   .producer = s->mirrors[of][on].index,
                   .serial = s->mirrors[of][on].serial},
    };
    ck_assert_int_eq(rig_command(&s->rigs[of], &command, NULL), 0);
}

static void mirror_take(struct storm *s, uint32_t of, uint32_t on)
{
    struct mirror *m = &s->mirrors[of][on];
    m->consumers_n++;
    if (of == on || m->open)
        return;
    struct command open = {.kind = COMMAND_PRODUCER_OPEN, .index = 10 + of};
    rig_producer_defaults(&open.producer_open, 0, 0);
    open.producer_open.encodings[0] = (struct producer_encoding){0};
    m->serial = ++s->serial;
    m->index = open.index;
    open.producer_open.source = (struct producer_source){.elsewhere = true,
                                                         .worker = (uint16_t)of,
                                                         .producer = s->producers[of],
                                                         .serial = m->serial};
    bool reader_first = pick(s, 2);
    if (reader_first) /* its packets come before there is anybody */
        tell_reader(s, COMMAND_READER_ADD, of, on);
    ck_assert_int_eq(rig_command(&s->rigs[on], &open, NULL), 0);
    if (!reader_first)
        tell_reader(s, COMMAND_READER_ADD, of, on);
    m->open = true;
}

static void mirror_give(struct storm *s, uint32_t of, uint32_t on)
{
    struct mirror *m = &s->mirrors[of][on];
    if (--m->consumers_n > 0 || of == on)
        return;
    bool reader_first = pick(s, 2);
    if (reader_first)
        tell_reader(s, COMMAND_READER_REMOVE, of, on);
    rig_close(&s->rigs[on], COMMAND_PRODUCER_CLOSE, m->index);
    if (!reader_first)
        tell_reader(s, COMMAND_READER_REMOVE, of, on);
    m->open = false;
}

static void toggle(struct storm *s, uint32_t on, uint32_t subscriber, uint32_t of)
{
    struct place *place = &s->places[on][subscriber][of];
    if (place->open) {
        rig_close(&s->rigs[on], COMMAND_CONSUMER_CLOSE, place->consumer);
        mirror_give(s, of, on);
        place->open = false;
        return;
    }
    mirror_take(s, of, on);
    struct command open = {.kind = COMMAND_CONSUMER_OPEN, .index = subscriber * WORKERS_N + of};
    place->ssrc = 0x10000 + (s->ssrc += 2);
    rig_consumer_defaults(&open.consumer_open, s->subscribers[on][subscriber].transport,
                          of == on ? s->producers[of] : s->mirrors[of][on].index, place->ssrc,
                          true);
    ck_assert_int_eq(rig_command(&s->rigs[on], &open, NULL), 0);
    *place = (struct place){.open = true, .consumer = open.index, .ssrc = place->ssrc};
}

static void pause_or_resume(struct storm *s, uint32_t on, uint32_t subscriber, uint32_t of)
{
    struct place *place = &s->places[on][subscriber][of];
    if (!place->open)
        return;
    place->paused = !place->paused;
    rig_close(&s->rigs[on], place->paused ? COMMAND_CONSUMER_PAUSE : COMMAND_CONSUMER_RESUME,
              place->consumer);
}

static void publish(struct storm *s, uint32_t of)
{
    uint32_t n = pick(s, BURST_N);
    for (uint32_t i = 0; i < n; i++, s->seq[of]++)
        rig_send_rtp(&s->publishers[of], &(struct rig_rtp){.ssrc = 0x100 + 16 * of,
                                                           .seq = s->seq[of],
                                                           .rtp_ts = s->seq[of] * 3000u,
                                                           .pt = 96,
                                                           .payload_bytes = payload_bytes(of)});
}

static void ask(struct storm *s, uint32_t on, uint32_t subscriber, uint32_t of, bool keyframe)
{
    uint8_t data[256];
    uint16_t seqs[16];
    const struct place *place = &s->places[on][subscriber][of];
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    if (!place->open)
        return;
    for (uint16_t i = 0; i < ARRAY_N(seqs); i++)
        seqs[i] = (uint16_t)(1000 + pick(s, 600));
    if (keyframe)
        rtcp_write_pli(&writer, PEER, place->ssrc);
    else
        rtcp_write_nack(&writer, PEER, place->ssrc, seqs, ARRAY_N(seqs));
    rig_send(&s->subscribers[on][subscriber], data, writer.at);
}

/* A packet, first or again, is whole and of the publisher whose ssrc it has. */
static void check(const struct storm *s, uint32_t on, uint32_t subscriber, const uint8_t *data,
                  size_t bytes)
{
    uint32_t ssrc = be32(data + 8);
    bool rtx = ssrc & 1;
    size_t head = rtx ? 14 : 12;
    const uint8_t *payload = data + head;
    for (uint32_t of = 0; of < WORKERS_N; of++) {
        const struct place *place = &s->places[on][subscriber][of];
        if (place->ssrc != (ssrc & ~1U))
            continue;
        ck_assert_uint_eq(bytes, head + payload_bytes(of));
        size_t wrong = 0; /* one check a packet: each costs a system call */
        for (size_t i = RIG_VP8_BYTES + 1; i < payload_bytes(of); i++)
            wrong += payload[i] != (uint8_t)(payload[RIG_VP8_BYTES] + i - RIG_VP8_BYTES);
        ck_assert_uint_eq(wrong, 0);
    }
}

static void drain(struct storm *s)
{
    uint8_t data[RIG_PACKET];
    for (uint32_t on = 0; on < WORKERS_N; on++) {
        for (uint32_t i = 0; i < SUBSCRIBERS_N; i++) {
            size_t bytes;
            while ((bytes = rig_receive_rtp(&s->subscribers[on][i], data, 0)) > 0) {
                check(s, on, i, data, bytes);
                s->received++;
            }
        }
        while (rig_receive_rtcp(&s->publishers[on], data, 0) > 0)
            ;
        rig_forget_events(&s->rigs[on]);
    }
}

static void storm_open(struct storm *s, int engine)
{
    struct worker_config config;
    struct command_producer_open produce;
    *s = (struct storm){.random = {.state = 11}};
    rig_config(&config, rig_engines[engine], SLOTS_N, 0);
    rigs_start(s->rigs, WORKERS_N, &config);
    for (uint32_t on = 0; on < WORKERS_N; on++) {
        rig_peer(&s->rigs[on], &s->publishers[on], false, NULL);
        for (uint32_t i = 0; i < SUBSCRIBERS_N; i++)
            rig_peer(&s->rigs[on], &s->subscribers[on][i], false, NULL);
        rig_producer_defaults(&produce, s->publishers[on].transport, 0x100 + 16 * on);
        s->producers[on] = rig_producer(&s->rigs[on], &produce);
    }
}

static void storm_close(struct storm *s)
{
    for (uint32_t on = 0; on < WORKERS_N; on++)
        for (uint32_t i = 0; i < SUBSCRIBERS_N; i++)
            for (uint32_t of = 0; of < WORKERS_N; of++)
                if (s->places[on][i][of].open)
                    toggle(s, on, i, of);
    for (uint32_t on = 0; on < WORKERS_N; on++) {
        rig_close(&s->rigs[on], COMMAND_PRODUCER_CLOSE, s->producers[on]);
        for (uint32_t i = 0; i < SUBSCRIBERS_N; i++)
            rig_peer_close(&s->rigs[on], &s->subscribers[on][i], true);
        rig_peer_close(&s->rigs[on], &s->publishers[on], true);
    }
    rigs_stop(s->rigs, WORKERS_N);
}

static void act(struct storm *s)
{
    uint32_t on = pick(s, WORKERS_N), subscriber = pick(s, SUBSCRIBERS_N);
    uint32_t of = pick(s, WORKERS_N);
    switch (pick(s, 8)) {
    case 0:
        toggle(s, on, subscriber, of);
        break;
    case 1:
        pause_or_resume(s, on, subscriber, of);
        break;
    case 2:
    case 3:
        ask(s, on, subscriber, of, false);
        break;
    case 4:
        ask(s, on, subscriber, of, true);
        break;
    default:
        publish(s, of);
        break;
    }
}

START_TEST(everything_at_once)
{
    struct storm *s = malloc(sizeof *s);
    uint64_t forwarded = 0, published = 0, served = 0, evicted = 0;
    ck_assert_ptr_nonnull(s);
    storm_open(s, _i);
    for (uint32_t i = 0; i < ROUNDS_N; i++) {
        act(s);
        drain(s);
    }
    for (uint32_t on = 0; on < WORKERS_N; on++)
        rig_settle(&s->rigs[on]);
    drain(s);
    for (uint32_t on = 0; on < WORKERS_N; on++) {
        const struct worker_counters *c = worker_counters(s->rigs[on].worker);
        forwarded += c->forwarded;
        published += c->published;
        served += c->nack_served;
        evicted += c->drops[DROP_EVICTED];
    }
    ck_assert_uint_gt(evicted, 0); /* slots did run short */
    ck_assert_uint_gt(published, 500);
    ck_assert_uint_gt(forwarded, 500);
    ck_assert_uint_gt(served, 20);
    ck_assert_uint_gt(s->received, 500);
    storm_close(s);
    free(s);
}

END_TEST

Suite *net_exchange_storm_suite(void)
{
    Suite *suite = suite_create("net/exchange_storm");
    TCase *tcase = tcase_create("exchange_storm");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, everything_at_once, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
