/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_rig.c - a worker and its peers on loopback. */
#include "test/net_rig.h"

#include "core/clock.h"
#include "rtp/codec.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const enum io_engine rig_engines[2] = {IO_ENGINE_URING, IO_ENGINE_MMSG};

static void relay_seal_once(void)
{
    static bool done;
    if (!done)
        ck_assert_int_eq(seal_library_init(), 0);
    done = true;
}

void rig_config(struct worker_config *config, enum io_engine engine, uint32_t slots,
                uint32_t without)
{
    *config = (struct worker_config){
        .engine = engine,
        .without = without,
        .slots_n = slots == 0 ? 4096 : slots,
        .retain_slots_n = slots == 0 ? 4096 : slots,
        .sockets_max = 64,
        .transports_max = 512,
        .producers_max = 64,
        .consumers_max = 512,
        .retain_rule = retain_rule_default,
        .shed_rule = shed_rule_default,
        .cpu = -1,
        .seed = 42,
    };
}

void rig_start_with(struct rig *rig, const struct worker_config *config)
{
    relay_seal_once();
    *rig = (struct rig){.cookie = 1};
    ck_assert_int_eq(worker_init(&rig->worker, config), 0);
    ck_assert_int_eq(worker_start(rig->worker), 0);
}

void rig_start(struct rig *rig, enum io_engine engine, uint32_t slots, uint32_t without)
{
    struct worker_config config;
    rig_config(&config, engine, slots, without);
    rig_start_with(rig, &config);
}

void rigs_start(struct rig *rigs, uint32_t rigs_n, const struct worker_config *config)
{
    struct worker *workers[RIGS_MAX];
    ck_assert_uint_le(rigs_n, RIGS_MAX);
    relay_seal_once();
    for (uint32_t i = 0; i < rigs_n; i++) {
        struct worker_config own = *config;
        own.index = (uint16_t)i;
        rigs[i] = (struct rig){.cookie = 1};
        ck_assert_int_eq(worker_init(&rigs[i].worker, &own), 0);
        workers[i] = rigs[i].worker;
    }
    ck_assert_int_eq(worker_link(workers, rigs_n), 0);
    for (uint32_t i = 0; i < rigs_n; i++)
        ck_assert_int_eq(worker_start(rigs[i].worker), 0);
}

void rigs_stop(struct rig *rigs, uint32_t rigs_n)
{
    for (uint32_t i = 0; i < rigs_n; i++)
        worker_stop(rigs[i].worker);
    for (uint32_t i = 0; i < rigs_n; i++) {
        rig_forget_events(&rigs[i]);
        const struct worker_counters *c = worker_counters(rigs[i].worker);
        ck_assert_uint_eq(c->consumers, 0);
        ck_assert_uint_eq(c->producers, 0);
        ck_assert_uint_eq(c->mirrors, 0);
        ck_assert_uint_eq(c->transports, 0);
        ck_assert_uint_eq(c->sockets, 0);
        ck_assert_uint_eq(c->slots_retained, 0);
        ck_assert_uint_eq(c->slots_free + c->slots_standing + c->slots_limbo, c->slots);
    }
    for (uint32_t i = 0; i < rigs_n; i++)
        worker_exit(rigs[i].worker);
}

void rig_stop(struct rig *rig)
{
    rigs_stop(rig, 1);
}

static void keep_event(struct rig *rig, const struct outcome *outcome)
{
    if (rig->events_n < RIG_EVENTS)
        rig->events[rig->events_n++] = *outcome;
    else
        free(outcome->payload);
}

void rig_forget_events(struct rig *rig)
{
    while (rig->events_n > 0)
        free(rig->events[--rig->events_n].payload);
}

/* The outcome with this cookie, within RIG_WAIT_MS; events that come before it are kept. */
static bool take_outcome(struct rig *rig, uint64_t cookie, int wait_ms, struct outcome *out)
{
    int64_t until_us = clock_now_us() + wait_ms * INT64_C(1000);
    while (clock_now_us() < until_us) {
        const struct outcome *outcome = worker_outcome(rig->worker);
        if (outcome == NULL) {
            struct pollfd pfd = {.fd = worker_outcome_fd(rig->worker), .events = POLLIN};
            uint64_t n;
            if (poll(&pfd, 1, 10) > 0 && read(pfd.fd, &n, sizeof n) < 0)
                ck_assert_int_eq(errno, EAGAIN);
            continue;
        }
        struct outcome copy = *outcome;
        worker_outcome_done(rig->worker);
        if (copy.cookie == 0)
            keep_event(rig, &copy);
        if (copy.cookie == cookie) {
            *out = copy;
            return true;
        }
    }
    return false;
}

int rig_command(struct rig *rig, struct command *command, struct outcome *outcome)
{
    struct outcome got;
    command->cookie = ++rig->cookie;
    ck_assert(worker_post(rig->worker, command));
    ck_assert_msg(take_outcome(rig, command->cookie, RIG_WAIT_MS, &got), "no outcome of command %d",
                  command->kind);
    if (outcome != NULL)
        *outcome = got;
    return got.result;
}

const struct outcome *rig_event(struct rig *rig, enum event_kind kind)
{
    struct outcome event;
    for (uint32_t at = 0;; at++) {
        if (at == rig->events_n && !take_outcome(rig, 0, RIG_WAIT_MS, &event))
            return NULL;
        if (at < rig->events_n && rig->events[at].event == kind)
            return &rig->events[at];
    }
}

uint32_t rig_socket(struct rig *rig, bool shared, bool v6, struct addr *local)
{
    struct addr address;
    struct udp_socket socket;
    ck_assert_int_eq(addr_parse(&address, v6 ? "::1" : "127.0.0.1", 0), 0);
    ck_assert_int_eq(udp_open(&socket, &address, &(struct udp_options){0}), 0);
    *local = socket.local;
    struct command command = {
        .kind = COMMAND_SOCKET_OPEN,
        .index = rig->sockets++,
        .socket_open = {.fd = socket.fd, .shared = shared, .local = socket.local},
    };
    ck_assert_int_eq(rig_command(rig, &command, NULL), 0);
    return command.index;
}

int rig_peer_socket(struct addr *self, bool v6)
{
    struct addr address;
    struct udp_socket socket;
    ck_assert_int_eq(addr_parse(&address, v6 ? "::1" : "127.0.0.1", 0), 0);
    ck_assert_int_eq(udp_open(&socket, &address, &(struct udp_options){0}), 0);
    *self = socket.local;
    return socket.fd;
}

static void open_transport(struct rig *rig, struct rig_peer *peer, bool comedia,
                           const struct srtp_keys *keys)
{
    peer->transport = rig->transports++;
    struct command open = {
        .kind = COMMAND_TRANSPORT_OPEN,
        .index = peer->transport,
        .transport_open =
            {
                .rtp_socket = peer->socket,
                .rtcp_socket = peer->socket,
                .comedia = comedia,
                .srtp_wanted = keys != NULL,
                .cname = "relay",
            },
    };
    ck_assert_int_eq(rig_command(rig, &open, NULL), 0);
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = peer->transport};
    if (!comedia)
        connect.transport_connect.remote = peer->self;
    if (keys != NULL)
        connect.transport_connect.keys = *keys;
    if (!comedia || keys != NULL)
        ck_assert_int_eq(rig_command(rig, &connect, NULL), 0);
}

void rig_peer(struct rig *rig, struct rig_peer *peer, bool comedia, const struct srtp_keys *keys)
{
    peer->socket = rig_socket(rig, false, false, &peer->relay);
    peer->fd = rig_peer_socket(&peer->self, false);
    open_transport(rig, peer, comedia, keys);
}

void rig_peer_shared(struct rig *rig, struct rig_peer *peer, uint32_t socket,
                     const struct addr *relay, const struct srtp_keys *keys)
{
    peer->socket = socket;
    peer->relay = *relay;
    peer->fd = rig_peer_socket(&peer->self, relay->sa.sa_family == AF_INET6);
    open_transport(rig, peer, false, keys);
}

void rig_peer_close(struct rig *rig, struct rig_peer *peer, bool socket_too)
{
    rig_close(rig, COMMAND_TRANSPORT_CLOSE, peer->transport);
    if (socket_too)
        rig_close(rig, COMMAND_SOCKET_CLOSE, peer->socket);
    close(peer->fd);
}

void rig_producer_defaults(struct command_producer_open *open, uint32_t transport, uint32_t ssrc)
{
    *open = (struct command_producer_open){
        .transport = transport,
        .kind = MEDIA_VIDEO,
        .rtcp_reduced = true,
        .nack = true,
        .pli = true,
        .fir = true,
        .pt_n = 2,
        .encodings_n = 1,
        .pt = {{.pt = 96, .media_pt = REWRITE_PT_NONE, .codec = RTP_CODEC_VP8, .clock_rate = 90000},
               {.pt = 97, .media_pt = 96, .codec = RTP_CODEC_VP8, .clock_rate = 90000}},
        .encodings = {{.ssrc = ssrc, .rtx_ssrc = ssrc + 1}},
    };
}

uint32_t rig_producer(struct rig *rig, const struct command_producer_open *open)
{
    struct command command = {
        .kind = COMMAND_PRODUCER_OPEN, .index = rig->producers++, .producer_open = *open};
    ck_assert_int_eq(rig_command(rig, &command, NULL), 0);
    return command.index;
}

void rig_consumer_defaults(struct command_consumer_open *open, uint32_t transport,
                           uint32_t producer, uint32_t ssrc, bool rtx)
{
    *open = (struct command_consumer_open){
        .transport = transport,
        .producer = producer,
        .kind = MEDIA_VIDEO,
        .nack = true,
        .priority = 1,
        .seq_first = 1000,
        .rtx_seq_first = 2000,
        .ts_first = 5000,
        .rewrite = {.ssrc = ssrc, .rtx_ssrc = rtx ? ssrc + 1 : 0, .pt_n = 1},
        .cname = "camera",
    };
    open->rewrite.pt[0].in = 96;
    open->rewrite.pt[0].out = 101;
    open->rewrite.pt[0].rtx = rtx ? 102 : REWRITE_PT_NONE;
    open->rewrite.pt[0].codec = RTP_CODEC_VP8;
    open->rewrite.pt[0].clock_rate = 90000;
}

uint32_t rig_consumer(struct rig *rig, const struct command_consumer_open *open)
{
    struct command command = {
        .kind = COMMAND_CONSUMER_OPEN, .index = rig->consumers++, .consumer_open = *open};
    ck_assert_int_eq(rig_command(rig, &command, NULL), 0);
    return command.index;
}

void rig_close(struct rig *rig, enum command_kind kind, uint32_t index)
{
    struct command command = {.kind = kind, .index = index};
    ck_assert_int_eq(rig_command(rig, &command, NULL), 0);
}

size_t rig_make_rtp(const struct rig_rtp *rtp, uint8_t *data)
{
    data[0] = 0x80;
    data[1] = (uint8_t)(rtp->pt | (rtp->marker ? 0x80 : 0));
    put_be16(data + 2, rtp->seq);
    put_be32(data + 4, rtp->rtp_ts);
    put_be32(data + 8, rtp->ssrc);
    for (size_t i = 0; i < rtp->payload_bytes; i++)
        data[12 + i] = (uint8_t)(rtp->seq + i);
    if (rtp->payload_bytes >= RIG_VP8_BYTES) {
        data[12] = 0x10; /* RFC 7741 4.2, 4.3: a frame begins; P says that it is no key frame */
        data[13] = rtp->delta ? 0x01 : 0x00;
    }
    return 12 + rtp->payload_bytes;
}

void rig_send(const struct rig_peer *peer, const uint8_t *data, size_t bytes)
{
    ssize_t sent = sendto(peer->fd, data, bytes, 0, &peer->relay.sa, addr_len(&peer->relay));
    ck_assert_int_eq(sent, (ssize_t)bytes);
}

void rig_send_rtp(const struct rig_peer *peer, const struct rig_rtp *rtp)
{
    uint8_t data[RIG_PACKET];
    rig_send(peer, data, rig_make_rtp(rtp, data));
}

static size_t receive(const struct rig_peer *peer, uint8_t *data, int wait_ms, bool rtcp)
{
    int64_t until_us = clock_now_us() + wait_ms * INT64_C(1000);
    for (;;) {
        struct pollfd pfd = {.fd = peer->fd, .events = POLLIN};
        int64_t left_us = until_us - clock_now_us();
        if (poll(&pfd, 1, left_us > 0 ? (int)(left_us / 1000 + 1) : 0) <= 0)
            return 0;
        ssize_t got = recv(peer->fd, data, RIG_PACKET, MSG_DONTWAIT);
        if (got <= 0)
            return 0;
        if (rtp_packet_is_rtcp(data, (size_t)got) == rtcp)
            return (size_t)got;
    }
}

size_t rig_receive_rtp(const struct rig_peer *peer, uint8_t data[RIG_PACKET], int wait_ms)
{
    return receive(peer, data, wait_ms, false);
}

size_t rig_receive_rtcp(const struct rig_peer *peer, uint8_t data[RIG_PACKET], int wait_ms)
{
    return receive(peer, data, wait_ms, true);
}

bool rig_await_rtcp(const struct rig_peer *peer, uint8_t type, int format, uint8_t data[RIG_PACKET],
                    struct rtcp_packet *packet)
{
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    while (clock_now_us() < until_us) {
        struct rtcp_reader reader;
        size_t bytes = rig_receive_rtcp(peer, data, RIG_WAIT_MS);
        if (bytes == 0)
            return false;
        ck_assert_int_eq(rtcp_reader_init(&reader, data, bytes), DROP_NONE);
        while (rtcp_reader_next(&reader, packet))
            if (packet->type == type && (format < 0 || packet->count == format))
                return true;
    }
    return false;
}

void rig_keys(struct srtp_keys *keys, enum seal_suite suite, uint8_t pattern)
{
    *keys = (struct srtp_keys){.suite = suite};
    for (size_t i = 0; i < seal_key_bytes(suite); i++) {
        keys->in[i] = (uint8_t)(pattern + 3 * i);
        keys->out[i] = (uint8_t)(pattern + 5 * i + 1);
    }
}

struct seal *rig_peer_seal(const struct srtp_keys *keys)
{
    struct seal *seal = NULL;
    relay_seal_once();
    ck_assert_int_eq(seal_init(&seal, keys->suite, keys->out, keys->in), 0);
    return seal;
}

void rig_send_sealed(const struct rig_peer *peer, struct seal *seal, const uint8_t *data,
                     size_t bytes)
{
    _Alignas(4) uint8_t copy[RIG_PACKET + SEAL_SLACK_BYTES];
    memcpy(copy, data, bytes);
    enum drop why = rtp_packet_is_rtcp(data, bytes) ? seal_protect_rtcp(seal, copy, &bytes)
                                                    : seal_protect_rtp(seal, copy, &bytes);
    ck_assert_int_eq(why, DROP_NONE);
    rig_send(peer, copy, bytes);
}

void rig_stats(struct rig *rig, enum object_kind kind, uint32_t index, struct outcome *outcome)
{
    struct command stats = {.kind = COMMAND_STATS, .index = index, .stats = kind};
    ck_assert_int_eq(rig_command(rig, &stats, outcome), 0);
}

void rig_settle(struct rig *rig)
{
    struct command none = {.kind = COMMAND_NONE};
    for (int i = 0; i < 3; i++) {
        usleep(1000);
        ck_assert_int_eq(rig_command(rig, &none, NULL), -EINVAL);
    }
}

uint64_t rig_drops(const struct rig *rig, enum drop why)
{
    return worker_counters(rig->worker)->drops[why];
}

void rig_wait_counter(const _Atomic uint64_t *counter, uint64_t value, const char *file, int line)
{
    int64_t until_us = clock_now_us() + RIG_WAIT_MS * INT64_C(1000);
    while (atomic_load(counter) < value && clock_now_us() < until_us)
        usleep(500);
    ck_assert_msg(atomic_load(counter) >= value, "%s:%d: counter is %lu, not %lu", file, line,
                  (unsigned long)atomic_load(counter), (unsigned long)value);
}
