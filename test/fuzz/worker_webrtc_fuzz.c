/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/worker_webrtc_fuzz.c - checks, DTLS, sealed and unsealed media, TCP frames and control
 * in any order through a worker's WebRTC transports.
 *
 *   input: mode | steps (test/fuzz/worker_rig.h)
 *
 * Two transports, each with a client that can join (perf/rtcpeer.h), and addresses that are
 * nobody's. No media leaves a transport that has no keys. Behind every input everything is closed:
 * no object, tuple, fragment, handshake, slot or block of the library is left. */
#include "test/fuzz/worker_rig.h"

#include "perf/rtcpeer.h"
#include "test/dtls_rig.h"

enum step {
    STEP_RAW,    /* a datagram: address, then as it is */
    STEP_CHECK,  /* address, enum flag */
    STEP_PEER,   /* clients send what they have, and take what came */
    STEP_SEALED, /* RTP or RTCP sealed by a client: whose, then the packet */
    STEP_TCP,    /* bytes into a connection's stream: which, then as they are */
    STEP_TCP_CHECK,
    STEP_TCP_END,
    STEP_TURN,
    STEP_TIME,
    STEP_COMMAND,
    STEP_N,
};

enum flag { FLAG_SECOND = 1, FLAG_NOMINATES = 2, FLAG_OLD = 4, FLAG_FORGED = 8 };

enum mode { MODE_JOINED = 1, MODE_12 = 2, MODE_CLIENT = 4 };

enum { PEERS = 2, SINKS = 11, TCPS = 3, STEPS_MAX = 300, UDP = 0, TCP = 1, JOIN_ROUNDS = 40 };

struct client {
    struct rtcpeer peer;
    struct ice_credentials credentials, old;
    uint32_t restarts;
};

/* Its: the leak checker does not look into mappings. */
static struct dtls_context *volatile context;
static int sinks[SINKS], streams[TCPS];
static struct addr sink_at[SINKS], listen_at;
static struct client clients[PEERS];
static uint8_t mode;
static bool had_keys[PEERS]; /* before the step */

/* ---- the worker ---- */

static void open_socket(uint32_t index, enum socket_kind kind)
{
    struct command open = {.kind = COMMAND_SOCKET_OPEN, .index = index};
    struct command_socket_open *what = &open.socket_open;
    what->kind = kind;
    what->shared = true;
    what->fd = bound_socket(kind == SOCKET_TCP ? SOCK_STREAM : SOCK_DGRAM, &what->local);
    if (kind == SOCKET_TCP) {
        listen_at = what->local;
        ASSERT(listen(what->fd, 8) == 0);
    }
    ASSERT(run_command(&open) == 0);
}

static void open_worker(void)
{
    ASSERT(seal_library_init() == 0);
    make_worker(512, dtls_rig_certificate(DTLS_RIG_SERVER), 64);
    context = worker->dtls;
    ASSERT(context != NULL);
    for (int i = 0; i < SINKS; i++)
        sinks[i] = bound_socket(SOCK_DGRAM, &sink_at[i]);
    for (int i = 0; i < TCPS; i++)
        streams[i] = -1;
    open_socket(UDP, SOCKET_UDP);
    open_socket(TCP, SOCKET_TCP);
}

/* ---- datagrams ---- */

/* What the worker sent to an address of ours. */
static void drain(void)
{
    _Alignas(4) uint8_t data[2048];
    bool keys = had_keys[0] || had_keys[1]; /* before the step, or by it */
    for (uint32_t i = 0; i < PEERS; i++) {
        had_keys[i] = worker->transports[i].open && worker->transports[i].seal != NULL;
        keys |= had_keys[i];
    }
    io_flush(worker->io);
    for (uint32_t i = 0; i < SINKS; i++) {
        for (ssize_t got; (got = recv(sinks[i], data, sizeof data, 0)) >= 0;) {
            bool media = got > 0 && datagram_class_of(data[0]) == DATAGRAM_MEDIA;
            ASSERT(!media || keys);
            size_t bytes = (size_t)got;
            if (i < PEERS)
                rtcpeer_feed(&clients[i].peer, data, &bytes, worker->now_us);
        }
    }
}

static void deliver_from(uint32_t from, const uint8_t *data, size_t bytes)
{
    deliver((struct io_event){.socket = worker->sockets[UDP].io,
                              .remote = sink_at[from % SINKS],
                              .local = worker->sockets[UDP].local},
            data, bytes);
}

static void turn(void)
{
    if (io_poll(worker->io) != 0)
        return;
    tcp_turn(worker->tcp, worker->now_us);
    take_events(worker);
    fanout_begin(worker);
    fanout_step(worker); /* perhaps not to its end */
    handshake_step(worker);
    ASSERT(worker->turn_steps <= 1);
    ASSERT(worker->count.handshake_steps_turn_max <= 1);
    peer_tell_owed(worker);
    tcp_flush(worker->tcp);
}

static void run_peers(void)
{
    uint8_t out[RTCPEER_OUT_BYTES];
    for (uint32_t i = 0; i < PEERS; i++) {
        struct rtcpeer *peer = &clients[i].peer;
        rtcpeer_expire(peer, worker->now_us);
        for (size_t bytes; (bytes = rtcpeer_next_out(peer, out)) > 0;)
            deliver_from(i, out, bytes);
    }
    turn();
    drain();
}

static size_t write_check(uint8_t *out, size_t room, uint8_t flags)
{
    struct client *client = &clients[(flags & FLAG_SECOND) != 0];
    struct rtcpeer asker = client->peer;
    if (flags & FLAG_OLD && client->restarts > 0)
        asker.config.theirs = client->old;
    if (flags & FLAG_FORGED)
        asker.config.theirs.pwd[0] ^= 1;
    return rtcpeer_write_check(&asker, out, room, flags & FLAG_NOMINATES);
}

static void tcp_write(uint32_t which, const uint8_t *data, size_t bytes)
{
    int *fd = &streams[which % TCPS];
    if (*fd < 0) {
        *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(*fd, &listen_at.sa, addr_len(&listen_at)) != 0) {
            close(*fd);
            *fd = -1;
            return;
        }
        turn();
    }
    (void)!send(*fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    turn();
}

static void tcp_check(uint32_t which, uint8_t flags)
{
    uint8_t frame[512];
    size_t bytes = write_check(frame + 2, sizeof frame - 2, flags);
    put_be16(frame, (uint16_t)bytes);
    tcp_write(which, frame, bytes + 2);
}

/* ---- objects ---- */

static void set_credentials(struct client *client, uint32_t index)
{
    client->old = client->credentials;
    client->credentials = (struct ice_credentials){.ufrag_bytes = 4, .pwd_bytes = 22};
    memset(client->credentials.pwd, 'p', 22);
    for (int i = 0; i < 4; i++)
        client->credentials.ufrag[i] = (char)('a' + (client->restarts >> 4 * i & 15));
    client->credentials.ufrag[0] = (char)('A' + index);
    memcpy(client->credentials.pwd, client->credentials.ufrag, 4);
}

static enum dtls_version version_of_mode(void)
{
    return mode & MODE_12 ? DTLS_VERSION_1_2 : DTLS_VERSION_NONE;
}

static void open_transport(uint32_t index)
{
    struct command open = {.kind = COMMAND_TRANSPORT_OPEN, .index = index};
    struct client *client = &clients[index];
    if (worker->transports[index].open)
        return;
    set_credentials(client, index);
    open.transport_open = (struct command_transport_open){
        .kind = TRANSPORT_WEBRTC,
        .cname = "relay",
        .webrtc = {.credentials = client->credentials,
                   .consent_us = 10000000,
                   .sockets_n = 2,
                   .sockets = {UDP, TCP}},
    };
    ASSERT(run_command(&open) == 0);
    struct rtcpeer_config config = {
        .dtls = dtls_rig_context(DTLS_RIG_CLIENT, version_of_mode(), 0),
        .role = mode & MODE_CLIENT ? DTLS_ROLE_SERVER : DTLS_ROLE_CLIENT,
        .relay = *dtls_rig_fingerprint(DTLS_RIG_SERVER, FINGERPRINT_SHA256),
        .theirs = client->credentials,
        .seed = index,
    };
    rtcpeer_exit(&client->peer);
    rtcpeer_init(&client->peer, &config, worker->now_us);
}

static void connect_transport(uint32_t index)
{
    struct command connect = {.kind = COMMAND_TRANSPORT_CONNECT, .index = index};
    connect.transport_connect.webrtc.role =
        mode & MODE_CLIENT ? DTLS_ROLE_CLIENT : DTLS_ROLE_SERVER;
    connect.transport_connect.webrtc.fingerprint =
        *dtls_rig_fingerprint(DTLS_RIG_CLIENT, FINGERPRINT_SHA256);
    run_command(&connect);
}

static void restart(uint32_t index)
{
    struct command command = {.kind = COMMAND_TRANSPORT_RESTART_ICE, .index = index};
    clients[index].restarts++;
    set_credentials(&clients[index], index);
    command.restart_ice = clients[index].credentials;
    if (run_command(&command) == 0)
        rtcpeer_restart(&clients[index].peer, &clients[index].credentials);
}

static void open_media(void)
{
    struct command produce = {.kind = COMMAND_PRODUCER_OPEN};
    produce.producer_open = (struct command_producer_open){
        .kind = MEDIA_VIDEO,
        .nack = true,
        .pli = true,
        .pt_n = 2,
        .encodings_n = 1,
        .pt = {{.pt = 96, .media_pt = REWRITE_PT_NONE, .codec = RTP_CODEC_VP8, .clock_rate = 90000},
               {.pt = 97, .media_pt = 96, .codec = RTP_CODEC_VP8, .clock_rate = 90000}},
        .encodings = {{.ssrc = 0x1111, .rtx_ssrc = 0x1112}},
    };
    run_command(&produce);
    struct command consume = {.kind = COMMAND_CONSUMER_OPEN};
    struct command_consumer_open *open = &consume.consumer_open;
    *open = (struct command_consumer_open){
        .transport = 1,
        .kind = MEDIA_VIDEO,
        .nack = true,
        .priority = 1,
        .seq_first = 1000,
        .rtx_seq_first = 2000,
        .rewrite = {.ssrc = 0x2000, .rtx_ssrc = 0x2001, .pt_n = 1},
        .cname = "camera",
    };
    open->rewrite.pt[0].in = 96;
    open->rewrite.pt[0].out = 101;
    open->rewrite.pt[0].rtx = 102;
    open->rewrite.pt[0].codec = RTP_CODEC_VP8;
    open->rewrite.pt[0].clock_rate = 90000;
    run_command(&consume);
}

static void close_media(void)
{
    run_plain(COMMAND_CONSUMER_CLOSE, 0);
    run_plain(COMMAND_PRODUCER_CLOSE, 0);
}

static void close_all(void)
{
    close_media();
    for (uint32_t i = 0; i < PEERS; i++)
        run_plain(COMMAND_TRANSPORT_CLOSE, i);
    while (handshake_step(worker))
        continue;
    for (int i = 0; i < TCPS; i++) {
        if (streams[i] >= 0)
            close(streams[i]);
        streams[i] = -1;
    }
    for (int i = 0; i < 100 && tcp_counters(worker->tcp)->connections > 0; i++) {
        worker->now_us += 1000000;
        turn();
    }
    drain();
    for (uint32_t i = 0; i < PEERS; i++)
        rtcpeer_exit(&clients[i].peer);
    memset(clients, 0, sizeof clients);
    check_empty();
    ASSERT(worker->handshakes_n == 0);
    ASSERT(worker->owing_n == 0);
    ASSERT(worker->fragments.n == 0);
    ASSERT(worker->demux.entries.used_n == 0);
    ASSERT(tcp_counters(worker->tcp)->connections == 0);
}

/* ---- steps ---- */

static void control(uint8_t what)
{
    uint32_t index = what & 1;
    switch (what >> 1 & 7) {
    case 0:
        restart(index);
        break;
    case 1:
        connect_transport(index);
        break;
    case 2:
        close_media();
        run_plain(COMMAND_TRANSPORT_CLOSE, index);
        break;
    case 3:
        open_transport(index);
        break;
    case 4:
        open_media();
        break;
    case 5:
        if (clients[index].peer.dtls != NULL)
            dtls_close(clients[index].peer.dtls);
        break;
    case 6:
        run_plain(what & 16 ? COMMAND_CONSUMER_PAUSE : COMMAND_CONSUMER_RESUME, 0);
        break;
    case 7:
        run_plain(COMMAND_CONSUMER_KEYFRAME, 0);
        break;
    }
}

static void send_sealed(const uint8_t *data, size_t bytes)
{
    _Alignas(4) uint8_t copy[512 + SEAL_SLACK_BYTES + SEAL_OVERHEAD_RTCP] = {0};
    struct client *client = &clients[data[0] & 1];
    size_t n = bytes - 1;
    memcpy(copy, data + 1, n);
    if (n < 12 || client->peer.seal == NULL)
        return;
    copy[0] = (uint8_t)(0x80 | (copy[0] & 0x3f));
    (void)rtcpeer_add_stream(&client->peer, be32(copy + (rtp_packet_is_rtcp(copy, n) ? 4 : 8)));
    if (rtcpeer_seal(&client->peer, copy, &n))
        deliver_from(data[0] & 1, copy, n);
}

static void step(uint8_t kind, const uint8_t *data, size_t bytes)
{
    uint8_t check[256];
    if (bytes == 0)
        return;
    switch ((enum step)kind) {
    case STEP_RAW:
        deliver_from(data[0], data + 1, bytes - 1);
        break;
    case STEP_CHECK:
        deliver_from(data[0], check, write_check(check, sizeof check, data[bytes - 1]));
        break;
    case STEP_PEER:
        for (size_t i = 0; i < min_size(bytes, 4); i++)
            run_peers();
        break;
    case STEP_SEALED:
        send_sealed(data, bytes);
        break;
    case STEP_TCP:
        tcp_write(data[0], data + 1, bytes - 1);
        break;
    case STEP_TCP_CHECK:
        tcp_check(data[0], data[bytes - 1]);
        break;
    case STEP_TCP_END:
        if (streams[data[0] % TCPS] >= 0)
            close(streams[data[0] % TCPS]);
        streams[data[0] % TCPS] = -1;
        turn();
        break;
    case STEP_TURN:
        turn();
        break;
    case STEP_TIME:
        pass_time(data, bytes, 26);
        break;
    case STEP_COMMAND:
        for (size_t i = 0; i < bytes && i < 8; i++)
            control(data[i]);
        break;
    case STEP_N:
        break;
    }
    drain();
}

static void join(void)
{
    for (int i = 0; i < JOIN_ROUNDS; i++) {
        run_peers();
        worker->now_us += 5000;
        run_timers(worker);
    }
    for (uint32_t i = 0; i < PEERS; i++)
        ASSERT(clients[i].peer.state == RTCPEER_CONNECTED);
}

static void run(const uint8_t *data, size_t bytes)
{
    mode = data[0];
    worker->now_us = max_i64(worker->now_us, 1000000000); /* the library's clock is one, too */
    worker->random.state = 1;
    for (uint32_t i = 0; i < PEERS; i++) {
        open_transport(i);
        if (mode & MODE_JOINED)
            connect_transport(i);
    }
    open_media();
    if (mode & MODE_JOINED)
        join();
    run_steps(data + 1, bytes - 1, STEPS_MAX, STEP_N, step);
    close_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct dtls_heap heap;
    if (bytes == 0)
        return 0;
    if (worker == NULL) {
        open_worker();
        for (uint8_t first = 0; first < 8; first++) /* the library's own first uses */
            run(&first, 1);
        heap = dtls_heap();
    }
    run(data, bytes);
    ASSERT(dtls_heap().blocks == heap.blocks && dtls_heap().bytes == heap.bytes);
    return 0;
}
