/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_limits_test.c - a worker at its limits: few slots, floods, full sockets, long fan-outs,
 * objects that come and go in the middle of traffic, mailboxes that are full. */
#include "core/clock.h"
#include "core/random.h"
#include "test/must.h"
#include "test/net_rig.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { PUBLISHER = 0x1111, CONSUMER = 0x2000, PEER = 0x9999, PAYLOAD = 100 };

struct scene {
    struct rig rig;
    struct rig_peer publisher, subscriber;
    uint32_t producer, consumer;
};

static void scene_fill(struct scene *s)
{
    struct command_producer_open produce;
    struct command_consumer_open consume;
    rig_peer(&s->rig, &s->publisher, false, NULL);
    rig_peer(&s->rig, &s->subscriber, false, NULL);
    rig_producer_defaults(&produce, s->publisher.transport, PUBLISHER);
    s->producer = rig_producer(&s->rig, &produce);
    rig_consumer_defaults(&consume, s->subscriber.transport, s->producer, CONSUMER, true);
    s->consumer = rig_consumer(&s->rig, &consume);
}

static void scene_open(struct scene *s, int engine)
{
    rig_start(&s->rig, rig_engines[engine], 0, 0);
    scene_fill(s);
}

static void scene_close(struct scene *s)
{
    rig_close(&s->rig, COMMAND_CONSUMER_CLOSE, s->consumer);
    rig_close(&s->rig, COMMAND_PRODUCER_CLOSE, s->producer);
    rig_peer_close(&s->rig, &s->subscriber, true);
    rig_peer_close(&s->rig, &s->publisher, true);
    rig_stop(&s->rig);
}

static void publish_as(const struct rig_peer *peer, uint32_t ssrc, uint16_t seq)
{
    uint8_t data[12 + PAYLOAD];
    struct rig_rtp rtp = {
        .ssrc = ssrc, .rtp_ts = seq * 3000u, .seq = seq, .pt = 96, .payload_bytes = PAYLOAD};
    size_t bytes = rig_make_rtp(&rtp, data);
    MUST(sendto(peer->fd, data, bytes, 0, &peer->relay.sa, addr_len(&peer->relay)) ==
         (ssize_t)bytes);
}

static void publish(struct scene *s, uint16_t seq)
{
    publish_as(&s->publisher, PUBLISHER, seq);
}

static void expect(struct scene *s, uint16_t seq)
{
    uint8_t data[RIG_PACKET];
    MUST(rig_receive_rtp(&s->subscriber, data, RIG_WAIT_MS) == 12 + PAYLOAD);
    MUST(be16(data + 2) == seq);
}

static uint64_t drops_in_all(const struct rig *rig)
{
    uint64_t n = 0;
    for (int why = 0; why < DROP_N; why++)
        n += why == DROP_NONE || why == DROP_EVICTED ? 0 : rig_drops(rig, (enum drop)why);
    return n;
}

/* ---- slots ---- */

/* Index: engine, and whether the budget or the slab ends first. */
START_TEST(few_slots_and_long_retention)
{
    struct scene s;
    struct worker_config config;
    uint32_t budget = _i < 2 ? 128 : 20;
    rig_config(&config, rig_engines[_i % 2], 128, 0);
    config.retain_slots_n = budget;
    config.retain_rule = (struct retain_rule){
        .k_q8 = 256, .floor_us = 10000000, .ceiling_us = 10000000, .rtt_unknown_us = 100000};
    rig_start_with(&s.rig, &config);
    scene_fill(&s);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    for (uint16_t at = 0; at < 3000; at = (uint16_t)(at + 10)) {
        for (uint16_t i = 0; i < 10; i++)
            publish(&s, (uint16_t)(at + i));
        for (uint16_t i = 0; i < 10; i++)
            expect(&s, (uint16_t)(1000 + at + i));
        MUST(c->slots_retained <= budget);
    }
    rig_settle(&s.rig);
    ck_assert_uint_eq(c->forwarded, 3000);
    ck_assert_uint_ge(c->evicted, 3000 - 128);
    ck_assert_uint_eq(rig_drops(&s.rig, DROP_EVICTED), c->evicted);
    ck_assert_uint_eq(c->slots_retained + c->evicted, 3000); /* nothing is lost from the books */
    ck_assert_uint_ge(c->slots_retained, 10);                /* a NACK may still be served */
    ck_assert_uint_le(c->slots_retained + c->slots_free + c->slots_standing, 128);
    scene_close(&s);
}

END_TEST

/* ---- floods ---- */

START_TEST(rubbish_is_counted_by_reason)
{
    enum { ROUNDS = 50 };
    struct scene s;

    static const struct {
        enum drop why;
        uint8_t bytes;
        uint8_t data[24];
    } rows[] = {
        {DROP_UNKNOWN_CLASS, 20, {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}}, /* STUN */
        {DROP_UNKNOWN_CLASS, 13, {22, 254, 253}},                       /* DTLS */
        {DROP_UNKNOWN_CLASS, 12, {255}},
        {DROP_UNKNOWN_CLASS, 4, {0x40, 0, 1, 2}}, /* TURN channel */
        {DROP_RUNT, 1, {0x80}},
        {DROP_RUNT, 11, {0x80, 96}},
        {DROP_CSRC, 16, {0x82, 96}},
        {DROP_EXT, 12, {0x90, 96}},
        {DROP_EXT, 20, {0x90, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0x11, 0x11, 0xbe, 0xde, 0, 9}},
        {DROP_PADDING, 16, {0xa0, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0x11, 0x11, 1, 1, 1, 9}},
        {DROP_PADDING, 16, {0xa0, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0x11, 0x11, 1, 1, 1, 0}},
        {DROP_NO_PRODUCER, 16, {0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0x77, 0x77}},
        {DROP_PAYLOAD_TYPE, 16, {0x80, 33, 0, 1, 0, 0, 0, 1, 0, 0, 0x11, 0x11}},
        {DROP_RTX_UNKNOWN, 16, {0x80, 97, 0, 1, 0, 0, 0, 1, 0, 0, 0x11, 0x11}},
        {DROP_RTX_EMPTY, 12, {0x80, 97, 0, 1, 0, 0, 0, 1, 0, 0, 0x11, 0x12}},
        {DROP_RTX_EMPTY, 13, {0x80, 97, 0, 1, 0, 0, 0, 1, 0, 0, 0x11, 0x12, 9}},
        {DROP_RTCP_INVALID, 8, {0x80, 200, 0, 9}},
        {DROP_RTCP_INVALID, 12, {0x81, 201, 0, 1}},
        {DROP_RTCP_INVALID, 8, {0xa0, 203, 0, 1, 0, 0, 0, 0}},
    };

    uint64_t want[DROP_N] = {0};
    scene_open(&s, _i);
    for (uint16_t round = 0; round < ROUNDS; round++) {
        publish(&s, round);
        for (size_t i = 0; i < ARRAY_N(rows); i++) {
            rig_send(&s.publisher, rows[i].data, rows[i].bytes);
            want[rows[i].why]++;
        }
        expect(&s, (uint16_t)(1000 + round)); /* media is none the worse */
    }
    for (int why = 1; why < DROP_N; why++)
        rig_wait_drops(&s.rig, (enum drop)why, want[why]);
    ck_assert_uint_eq(drops_in_all(&s.rig), ROUNDS * ARRAY_N(rows));
    ck_assert_uint_eq(worker_counters(s.rig.worker)->forwarded, ROUNDS);
    scene_close(&s);
}

END_TEST

/* Every file of a corpus and every prefix of it; what comes in is accepted or counted. */
static uint64_t send_corpus(struct scene *s, const char *folder, uint16_t *seq)
{
    uint64_t sent = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[512];
        uint8_t data[300];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (file == NULL)
            continue;
        size_t bytes = fread(data, 1, sizeof data, file);
        fclose(file);
        for (size_t n = 1; n <= bytes; n++, sent++) {
            rig_send(&s->publisher, data, n);
            if (n % 32 == 0) { /* keep up with it: nothing is to overflow here */
                publish(s, *seq);
                expect(s, (uint16_t)(1000 + (*seq)++));
            }
        }
    }
    closedir(dir);
    return sent;
}

START_TEST(corpora_are_accepted_or_counted)
{
    struct scene s;
    uint16_t seq = 0;
    scene_open(&s, _i);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    uint64_t sent = send_corpus(&s, "test/corpus/rtp_packet", &seq);
    sent += send_corpus(&s, "test/corpus/rtcp_packet", &seq);
    sent += send_corpus(&s, "test/corpus/twcc", &seq);
    ck_assert_uint_gt(sent, 1000);
    rig_wait(&c->datagrams_in, sent + seq);
    rig_settle(&s.rig);
    ck_assert_uint_eq(c->kernel_drops, 0);
    ck_assert_uint_eq(c->rtp_in + c->rtcp_in + drops_in_all(&s.rig), sent + seq);
    ck_assert_uint_ge(c->forwarded, seq);
    scene_close(&s);
}

END_TEST

START_TEST(empty_datagrams_are_counted_and_nothing_else)
{
    struct scene s;
    scene_open(&s, _i);
    for (uint16_t round = 0; round < 40; round++) {
        for (int i = 0; i < 25; i++)
            ck_assert_int_eq(sendto(s.publisher.fd, "", 0, 0, &s.publisher.relay.sa,
                                    addr_len(&s.publisher.relay)),
                             0);
        publish(&s, round);
        expect(&s, (uint16_t)(1000 + round));
    }
    rig_wait_drops(&s.rig, DROP_EMPTY, 1000);
    ck_assert_uint_eq(drops_in_all(&s.rig), 1000);
    scene_close(&s);
}

END_TEST

/* Without waiting for anything: whatever the kernel could not hold is told apart from loss. */
START_TEST(a_publisher_at_ten_times_the_rate)
{
    enum { BLAST = 20000 };
    struct scene s;
    uint8_t data[RIG_PACKET];
    scene_open(&s, _i);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    for (uint32_t i = 0; i < BLAST; i++)
        publish(&s, (uint16_t)i);
    rig_settle(&s.rig);
    while (rig_receive_rtp(&s.subscriber, data, RIG_QUIET_MS) > 0)
        ;
    /* A drop count comes with the next datagram. */
    uint64_t last = 0;
    for (uint32_t i = 0; i < 20; i++) {
        publish(&s, (uint16_t)(BLAST + i));
        MUST(rig_receive_rtp(&s.subscriber, data, RIG_WAIT_MS) > 0 || i < 2);
        last = BLAST + i + 1;
    }
    rig_settle(&s.rig);
    /* BATCH_FULL: the worker was held up so long that the stream had its share of records. */
    uint64_t refused = rig_drops(&s.rig, DROP_SEQ_INVALID) + rig_drops(&s.rig, DROP_DUPLICATE) +
                       rig_drops(&s.rig, DROP_BATCH_FULL);
    ck_assert_uint_eq(c->datagrams_in + c->kernel_drops, last);
    ck_assert_uint_eq(c->rtp_in + refused, c->datagrams_in);
    ck_assert_uint_eq(c->forwarded + rig_drops(&s.rig, DROP_FANOUT_LATE), c->rtp_in);
    scene_close(&s);
}

END_TEST

/* One receiver reads nothing and has room for a few packets: the other misses none. */
START_TEST(a_full_receiver_stalls_nobody)
{
    struct scene s;
    struct rig_peer full;
    struct command_consumer_open consume;
    int bytes = 2048;
    scene_open(&s, _i);
    rig_peer(&s.rig, &full, false, NULL);
    ck_assert_int_eq(setsockopt(full.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
    rig_consumer_defaults(&consume, full.transport, s.producer, CONSUMER, true);
    uint32_t consumer = rig_consumer(&s.rig, &consume);
    for (uint16_t i = 0; i < 2000; i++) {
        publish(&s, i);
        expect(&s, (uint16_t)(1000 + i));
    }
    rig_settle(&s.rig);
    ck_assert_uint_eq(worker_counters(s.rig.worker)->forwarded, 4000);
    ck_assert_uint_eq(drops_in_all(&s.rig), 0);
    rig_close(&s.rig, COMMAND_CONSUMER_CLOSE, consumer);
    rig_peer_close(&s.rig, &full, true);
    scene_close(&s);
}

END_TEST

/* ---- long fan-outs ---- */

/* More packets at once than a stream may have under way, for more receivers than a slice: what is
 * above its share is dropped before it is numbered, and counted; what was taken goes to everybody.
 */
START_TEST(a_burst_larger_than_the_records)
{
    enum { PEERS = 60, PACKETS = 2600 };
    struct rig rig;
    static struct rig_peer publishers[2], subscribers[PEERS];
    struct command_producer_open produce;
    struct command_consumer_open consume;
    struct addr address, relay;
    struct udp_socket udp;
    uint32_t producers[2];
    rig_start(&rig, rig_engines[_i], 8192, 0);
    ck_assert_int_eq(addr_parse(&address, "127.0.0.1", 0), 0);
    ck_assert_int_eq(udp_open(&udp, &address, &(struct udp_options){.receive_bytes = 16 << 20}), 0);
    if (udp.receive_bytes < 16 << 20) {
        close(udp.fd);
        rig_stop(&rig);
        SKIP("no receive buffer of 16 MiB");
    }
    struct command command = {
        .kind = COMMAND_SOCKET_OPEN,
        .index = rig.sockets++,
        .socket_open = {.fd = udp.fd, .shared = true, .local = udp.local},
    };
    ck_assert_int_eq(rig_command(&rig, &command, NULL), 0);
    relay = udp.local;
    for (uint32_t i = 0; i < 2; i++) {
        rig_peer_shared(&rig, &publishers[i], command.index, &relay, NULL);
        rig_producer_defaults(&produce, publishers[i].transport, PUBLISHER);
        producers[i] = rig_producer(&rig, &produce);
    }
    for (uint32_t i = 0; i < PEERS; i++) {
        rig_peer_shared(&rig, &subscribers[i], command.index, &relay, NULL);
        for (uint32_t p = 0; p < 2; p++) {
            rig_consumer_defaults(&consume, subscribers[i].transport, producers[p],
                                  CONSUMER + 16 * p, true);
            rig_consumer(&rig, &consume);
        }
    }
    const struct worker_counters *c = worker_counters(rig.worker);
    for (uint16_t i = 0; i < PACKETS; i++)
        for (uint32_t p = 0; p < 2; p++)
            publish_as(&publishers[p], PUBLISHER, i);
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    while (c->rtp_in + c->drops[DROP_BATCH_FULL] < 2 * PACKETS && clock_now_us() < until_us)
        usleep(1000);
    ck_assert_uint_eq(c->rtp_in + c->drops[DROP_BATCH_FULL], 2 * PACKETS);
    ck_assert_uint_ge(c->rtp_in, 2 * 1024);
    const _Atomic uint64_t *late = &c->drops[DROP_FANOUT_LATE]; /* on a slow machine */
    while (c->forwarded < (c->rtp_in - *late) * PEERS && clock_now_us() < until_us)
        usleep(1000);
    rig_settle(&rig);
    ck_assert_uint_eq(c->forwarded, (c->rtp_in - *late) * PEERS);
    ck_assert_uint_eq(c->kernel_drops, 0);
    ck_assert_uint_eq(drops_in_all(&rig), c->drops[DROP_BATCH_FULL] + *late);
    ck_assert_uint_gt(c->fanout_yields, 0);
    for (int i = 0; i < 2; i++)
        close(publishers[i].fd);
    for (int i = 0; i < PEERS; i++)
        close(subscribers[i].fd);
    rig_stop(&rig); /* with everything open */
}

END_TEST

/* ---- churn ---- */

enum { TRANSPORTS = 6, PRODUCERS = 8, CONSUMERS = 24, STEPS = 1500 };

struct churn { /* what should be open */
    struct rig rig;
    struct rig_peer peers[TRANSPORTS];
    bool transports[TRANSPORTS], producers[PRODUCERS], consumers[CONSUMERS];
    uint32_t producer_of[CONSUMERS], on[CONSUMERS], at[PRODUCERS];
    uint16_t seqs[PRODUCERS];
    struct random random;
    uint32_t opened, sent;
};

static int churn_command(struct churn *churn, enum command_kind kind, uint32_t index)
{
    struct command command = {.kind = kind, .index = index};
    return rig_command(&churn->rig, &command, NULL);
}

static void churn_close_consumer(struct churn *churn, uint32_t i)
{
    ck_assert_int_eq(churn_command(churn, COMMAND_CONSUMER_CLOSE, i),
                     churn->consumers[i] ? 0 : -ENOENT);
    churn->consumers[i] = false;
}

static void churn_close_producer(struct churn *churn, uint32_t i)
{
    for (uint32_t k = 0; k < CONSUMERS; k++)
        if (churn->consumers[k] && churn->producer_of[k] == i)
            churn_close_consumer(churn, k);
    ck_assert_int_eq(churn_command(churn, COMMAND_PRODUCER_CLOSE, i),
                     churn->producers[i] ? 0 : -ENOENT);
    churn->producers[i] = false;
}

static void churn_close_transport(struct churn *churn, uint32_t i)
{
    for (uint32_t k = 0; k < CONSUMERS; k++)
        if (churn->consumers[k] && churn->on[k] == i)
            churn_close_consumer(churn, k);
    for (uint32_t k = 0; k < PRODUCERS; k++)
        if (churn->producers[k] && churn->at[k] == i)
            churn_close_producer(churn, k);
    rig_peer_close(&churn->rig, &churn->peers[i], true);
    churn->transports[i] = false;
}

static void churn_open_transport(struct churn *churn, uint32_t i)
{
    struct srtp_keys keys;
    rig_keys(&keys, SEAL_AEAD_AES_128_GCM, (uint8_t)i);
    churn->rig.transports = i;
    churn->rig.sockets = i;
    rig_peer(&churn->rig, &churn->peers[i], i == 0, i >= TRANSPORTS - 2 ? &keys : NULL);
    churn->transports[i] = true;
    churn->opened++;
}

static void churn_open_producer(struct churn *churn, uint32_t i, uint32_t transport)
{
    struct command_producer_open open;
    if (!churn->transports[transport] || churn->producers[i])
        return;
    rig_producer_defaults(&open, transport, 0x1000 * (i + 1));
    churn->rig.producers = i;
    rig_producer(&churn->rig, &open);
    churn->producers[i] = true;
    churn->at[i] = transport;
    churn->opened++;
}

static void churn_open_consumer(struct churn *churn, uint32_t i, uint32_t transport,
                                uint32_t producer)
{
    struct command_consumer_open open;
    if (!churn->transports[transport] || !churn->producers[producer] || churn->consumers[i])
        return;
    rig_consumer_defaults(&open, transport, producer, 0x100000 + 16 * i, i % 2);
    open.paused = i % 5 == 0;
    churn->rig.consumers = i;
    rig_consumer(&churn->rig, &open);
    churn->consumers[i] = true;
    churn->on[i] = transport;
    churn->producer_of[i] = producer;
    churn->opened++;
}

static void churn_send(struct churn *churn, uint32_t i)
{
    uint32_t n = 1 + random_below(&churn->random, 20);
    if (!churn->producers[i])
        return;
    for (uint32_t k = 0; k < n; k++)
        publish_as(&churn->peers[churn->at[i]], 0x1000 * (i + 1), churn->seqs[i]++);
    churn->seqs[i] = (uint16_t)(churn->seqs[i] + (random_below(&churn->random, 8) == 0));
    churn->sent += n;
}

static void churn_nack(struct churn *churn, uint32_t i)
{
    uint8_t data[128];
    uint16_t seqs[3] = {1000, 1002, 1010};
    struct rtcp_writer writer = {.data = data, .bytes_max = sizeof data};
    if (!churn->consumers[i] || churn->on[i] >= TRANSPORTS - 2)
        return;
    rtcp_write_nack(&writer, PEER, 0x100000 + 16 * i, seqs, 3);
    rtcp_write_pli(&writer, PEER, 0x100000 + 16 * i);
    rig_send(&churn->peers[churn->on[i]], data, writer.at);
}

static void churn_step(struct churn *churn)
{
    uint32_t kind = random_below(&churn->random, 100);
    uint32_t t = random_below(&churn->random, TRANSPORTS);
    uint32_t p = random_below(&churn->random, PRODUCERS);
    uint32_t c = random_below(&churn->random, CONSUMERS);
    if (kind < 5 && churn->transports[t])
        churn_close_transport(churn, t);
    else if (kind < 12 && !churn->transports[t])
        churn_open_transport(churn, t);
    else if (kind < 16)
        churn_close_producer(churn, p);
    else if (kind < 25)
        churn_open_producer(churn, p, t);
    else if (kind < 32)
        churn_close_consumer(churn, c);
    else if (kind < 50)
        churn_open_consumer(churn, c, t, p);
    else if (kind < 56)
        churn_command(churn, kind % 2 ? COMMAND_CONSUMER_PAUSE : COMMAND_CONSUMER_RESUME, c);
    else if (kind < 60)
        churn_command(churn, kind % 2 ? COMMAND_PRODUCER_PAUSE : COMMAND_PRODUCER_RESUME, p);
    else if (kind < 64)
        churn_command(churn, COMMAND_CONSUMER_KEYFRAME, c);
    else if (kind < 72)
        churn_nack(churn, c);
    else
        churn_send(churn, p);
}

static uint32_t count(const bool *open, uint32_t n)
{
    uint32_t open_n = 0;
    for (uint32_t i = 0; i < n; i++)
        open_n += open[i];
    return open_n;
}

START_TEST(objects_come_and_go_in_the_middle_of_traffic)
{
    static struct churn churn;
    churn = (struct churn){.random = {.state = 77 + (uint64_t)_i / 2}};
    rig_start(&churn.rig, rig_engines[_i % 2], 256, 0);
    for (int i = 0; i < STEPS; i++) {
        churn_step(&churn);
        churn.rig.events_n = 0;
    }
    rig_settle(&churn.rig);
    const struct worker_counters *c = worker_counters(churn.rig.worker);
    ck_assert_uint_eq(c->transports, count(churn.transports, TRANSPORTS));
    ck_assert_uint_eq(c->producers, count(churn.producers, PRODUCERS));
    ck_assert_uint_eq(c->consumers, count(churn.consumers, CONSUMERS));
    ck_assert_uint_gt(churn.opened, 100);
    ck_assert_uint_gt(churn.sent, 300);
    ck_assert_uint_gt(c->forwarded, 100);
    for (uint32_t i = 0; i < TRANSPORTS; i++)
        if (churn.transports[i])
            churn_close_transport(&churn, i);
    rig_stop(&churn.rig); /* nothing is left and every slot is free */
}

END_TEST

/* ---- mailboxes ---- */

/* Nobody takes outcomes: both mailboxes fill up, then every command is answered, in order. */
START_TEST(more_commands_than_the_mailboxes_hold)
{
    struct rig rig;
    struct rig_peer peer;
    rig_start(&rig, rig_engines[_i], 0, 0);
    rig_peer(&rig, &peer, false, NULL);
    struct command stats = {
        .kind = COMMAND_STATS, .index = peer.transport, .stats = OBJECT_TRANSPORT};
    uint64_t posted = 0;
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    for (int refused = 0; refused < 200 && clock_now_us() < until_us;) {
        stats.cookie = 1000000 + posted;
        if (worker_post(rig.worker, &stats)) {
            posted++;
            refused = 0;
        } else {
            refused++;
            usleep(200); /* the worker may still be at it */
        }
    }
    ck_assert_uint_eq(posted, OUTCOME_N + COMMAND_N);
    for (uint64_t i = 0; i < posted;) {
        const struct outcome *outcome = worker_outcome(rig.worker);
        if (outcome == NULL) {
            MUST(clock_now_us() < until_us);
            usleep(100);
            continue;
        }
        MUST(outcome->cookie == 1000000 + i && outcome->result == 0);
        worker_outcome_done(rig.worker);
        i++;
    }
    rig_peer_close(&rig, &peer, true);
    rig_stop(&rig);
}

END_TEST

START_TEST(events_give_way_to_outcomes)
{
    enum { PACKETS = 1500, ASKED = COMMAND_N / 2 };

    enum { TRACES_DROPPED = PACKETS - (OUTCOME_N - OUTCOME_SPARE) / 2 }; /* their share of it */
    struct scene s;
    scene_open(&s, _i);
    const struct worker_counters *c = worker_counters(s.rig.worker);
    publish(&s, UINT16_MAX); /* its first packet tells the score, too: before the rest */
    expect(&s, 1000);
    ck_assert_ptr_nonnull(rig_event(&s.rig, EVENT_SCORE));
    struct command trace = {.kind = COMMAND_TRACE_EVENTS, .index = s.producer};
    trace.trace_events.object = OBJECT_PRODUCER;
    trace.trace_events.bits = TRACE_BIT_RTP;
    ck_assert_int_eq(rig_command(&s.rig, &trace, NULL), 0);
    for (uint16_t i = 0; i < PACKETS; i++) {
        publish(&s, i);
        expect(&s, (uint16_t)(1001 + i));
    }
    rig_wait(&c->events_dropped, TRACES_DROPPED);
    ck_assert_uint_eq(c->events_dropped, TRACES_DROPPED);
    /* Commands are answered all the same, behind the events that were kept. */
    uint64_t events = 0, outcomes = 0;
    struct command stats = {.kind = COMMAND_STATS, .index = s.producer, .stats = OBJECT_PRODUCER};
    for (uint64_t i = 0; i < ASKED; i++) {
        stats.cookie = 5000 + i;
        ck_assert(worker_post(s.rig.worker, &stats));
    }
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    while (outcomes < ASKED && clock_now_us() < until_us) {
        const struct outcome *outcome = worker_outcome(s.rig.worker);
        if (outcome == NULL) {
            usleep(100);
            continue;
        }
        if (outcome->cookie == 0)
            MUST(outcome->event == EVENT_TRACE && outcome->trace.seq == events++);
        else
            MUST(outcome->cookie == 5000 + outcomes++);
        worker_outcome_done(s.rig.worker);
    }
    ck_assert_uint_eq(outcomes, ASKED);
    ck_assert_uint_eq(events, PACKETS - TRACES_DROPPED);
    publish(&s, PACKETS); /* room again: events come again */
    const struct outcome *event = rig_event(&s.rig, EVENT_TRACE);
    ck_assert_ptr_nonnull(event);
    ck_assert_uint_eq(event->trace.seq, PACKETS);
    scene_close(&s);
}

END_TEST

Suite *net_limits_suite(void)
{
    Suite *suite = suite_create("net_limits");
    TCase *floods = tcase_create("floods");
    tcase_set_timeout(floods, 60);
    tcase_add_loop_test(floods, few_slots_and_long_retention, 0, 4);
    tcase_add_loop_test(floods, rubbish_is_counted_by_reason, 0, 2);
    tcase_add_loop_test(floods, corpora_are_accepted_or_counted, 0, 2);
    tcase_add_loop_test(floods, empty_datagrams_are_counted_and_nothing_else, 0, 2);
    tcase_add_loop_test(floods, a_publisher_at_ten_times_the_rate, 0, 2);
    tcase_add_loop_test(floods, a_full_receiver_stalls_nobody, 0, 2);
    tcase_add_loop_test(floods, a_burst_larger_than_the_records, 0, 2);
    suite_add_tcase(suite, floods);
    TCase *churn = tcase_create("churn");
    tcase_set_timeout(churn, 60);
    tcase_add_loop_test(churn, objects_come_and_go_in_the_middle_of_traffic, 0, 4);
    tcase_add_loop_test(churn, more_commands_than_the_mailboxes_hold, 0, 2);
    tcase_add_loop_test(churn, events_give_way_to_outcomes, 0, 2);
    suite_add_tcase(suite, churn);
    return suite;
}
