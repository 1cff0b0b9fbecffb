/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/integration/load.c - sluice-load: publishes synthetic RTP and checks what comes out.
 *
 * usage: sluice-load SINKS
 * Opens a source socket and SINKS receiving ones on 127.0.0.1, prints their ports as one JSON line,
 * then takes commands from standard input, one a line, and answers each with one JSON line:
 *
 *   publish port=P ssrc=S pt=T packets=N pps=R bytes=B burst=K ts_step=D window=W sinks=M
 *       N RTP packets to 127.0.0.1:P, K at a time, R a second; RTP time grows by D with each burst.
 *       With window=W it waits while more than W packets have not reached each of the first M
 *       sinks (in a second at most: then they are lost). Numbers go on where the last `publish` of
 *       the ssrc ended; seq=N sets the first one.
 *   flood port=P packets=N seed=X    rubbish: random bytes, cut and altered RTP and RTCP
 *   settle sinks=M                   waits until nothing has come for 300 ms
 *   reset                            forgets what the sinks have seen
 *   report sinks=M                   what they have seen
 *
 * Payloads are VP8 (RFC 7741) to whom it matters: each burst is a frame, each `publish` begins with
 * a key frame, and so does the burst after a key frame request. Behind that a packet carries its
 * index. Per sink: `received`, `lost` (indices that never
 * came), `duplicates`, `gaps` (places where the consumer's sequence number does not follow the
 * index), `ts_wrong` (RTP time that does not), `damaged` (payload differs), `wraps` (of the
 * number).
 */
#include "core/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SINKS_MAX = 512,
    PACKET_MAX = 1500,
    HEADER_BYTES = 12,
    VP8_BYTES = 1 + 10, /* descriptor, and a key frame's header */
    STAMP_BYTES = 12,   /* index, RTP time as sent */
    BYTES_MIN = HEADER_BYTES + VP8_BYTES + STAMP_BYTES,
    WAIT_MS = 1000,
    SETTLE_MS = 300,
    BATCH = 32,
    SOCKET_BYTES = 4 << 20,
};

struct sink {
    int fd;
    uint64_t received, duplicates, gaps, ts_wrong, damaged, wraps, rtcp;
    uint64_t next; /* index expected */
    uint64_t lost;
    uint16_t seq_base, seq_last; /* sequence number of index 0, modulo 2^16 */
    uint32_t ts_base;
    bool started;
};

struct load {
    int fd;
    struct sink sinks[SINKS_MAX];
    uint32_t sinks_n;
    uint64_t index; /* of the next packet */
    uint32_t rtp_ts;
    uint16_t seq;
    uint64_t back; /* datagrams that came back to the source: RTCP */
    bool keyframe; /* the next burst is one */
};

struct publish {
    int64_t port, ssrc, pt, packets, pps, bytes, burst, ts_step, window, sinks, seq, seed;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000000 + now.tv_nsec / 1000;
}

static int socket_open(uint16_t *port)
{
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(self);
    int room = SOCKET_BYTES;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&self, bytes) != 0 ||
        getsockname(fd, (struct sockaddr *)&self, &bytes) != 0) {
        perror("sluice-load: socket");
        exit(1);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    *port = ntohs(self.sin_port);
    return fd;
}

/* ---- sinks ---- */

static void sink_start(struct sink *sink, uint16_t seq, uint32_t ts, uint64_t index,
                       uint32_t ts_sent)
{
    sink->started = true;
    sink->seq_base = (uint16_t)(seq - index);
    sink->ts_base = ts - ts_sent;
    sink->next = index;
    sink->seq_last = seq;
}

static void sink_take(struct sink *sink, const uint8_t *data, size_t bytes)
{
    if (bytes >= 2 && data[1] >= 192 && data[1] <= 223) {
        sink->rtcp++;
        return;
    }
    if (bytes < BYTES_MIN || data[0] >> 6 != 2) {
        sink->damaged++;
        return;
    }
    size_t at = HEADER_BYTES;
    if (data[0] & 0x10) /* the relay's extensions */
        at += 4 + 4 * (size_t)be16(data + at + 2);
    at += VP8_BYTES;
    if (at + STAMP_BYTES > bytes) {
        sink->damaged++;
        return;
    }
    uint64_t index = be64(data + at);
    uint32_t ts_sent = be32(data + at + 8);
    for (size_t i = at + STAMP_BYTES; i < bytes; i++) {
        if (data[i] != (uint8_t)(index + i - at)) {
            sink->damaged++;
            return;
        }
    }
    uint16_t seq = be16(data + 2);
    if (!sink->started)
        sink_start(sink, seq, be32(data + 4), index, ts_sent);
    sink->received++;
    sink->gaps += seq != (uint16_t)(sink->seq_base + index);
    sink->ts_wrong += be32(data + 4) - ts_sent != sink->ts_base;
    if (index < sink->next) {
        sink->duplicates++;
        return;
    }
    sink->lost += index - sink->next;
    sink->next = index + 1;
    sink->wraps += seq < sink->seq_last;
    sink->seq_last = seq;
}

/* Takes what is there. The number of datagrams. */
static uint32_t sink_drain(struct sink *sink)
{
    uint8_t data[PACKET_MAX + 500];
    uint32_t taken = 0;
    for (; taken < BATCH * 8; taken++) {
        ssize_t bytes = recv(sink->fd, data, sizeof(data), MSG_DONTWAIT);
        if (bytes < 0)
            break;
        sink_take(sink, data, (size_t)bytes);
    }
    return taken;
}

/* Is a PLI or FIR in it? RFC 4585 6.3.1, RFC 5104 4.3.1. */
static bool wants_keyframe(const uint8_t *data, size_t bytes)
{
    for (size_t at = 0; at + 4 <= bytes; at += 4 + 4 * (size_t)be16(data + at + 2)) {
        uint8_t format = data[at] & 0x1f;
        if (data[at + 1] == 206 && (format == 1 || format == 4))
            return true;
    }
    return false;
}

static uint32_t drain(struct load *load, int64_t sinks_n)
{
    uint8_t data[PACKET_MAX];
    uint32_t taken = 0;
    for (int64_t i = 0; i < sinks_n; i++)
        taken += sink_drain(&load->sinks[i]);
    for (int i = 0; i < BATCH; i++) {
        ssize_t bytes = recv(load->fd, data, sizeof(data), MSG_DONTWAIT);
        if (bytes < 0)
            break;
        load->back++;
        load->keyframe |= wants_keyframe(data, (size_t)bytes);
    }
    return taken;
}

/* ---- publishing ---- */

static uint64_t slowest(const struct load *load, int64_t sinks_n)
{
    uint64_t next = load->index;
    for (int64_t i = 0; i < sinks_n; i++)
        next = load->sinks[i].next < next ? load->sinks[i].next : next;
    return next;
}

/* Bounded: a packet that has not come within WAIT_MS is not waited for. */
static void wait_window(struct load *load, const struct publish *p, uint64_t first)
{
    int64_t until = now_us() + (int64_t)WAIT_MS * 1000;
    for (;;) {
        uint64_t next = slowest(load, p->sinks);
        next = next < first ? first : next;
        if (load->index - next <= (uint64_t)p->window || now_us() >= until)
            return;
        if (drain(load, p->sinks) == 0)
            usleep(50);
    }
}

/* Descriptor (S: a frame begins), frame tag with the key frame bit inverted, start code, 640 x 480.
 */
static void put_vp8(uint8_t *data, bool first, bool keyframe)
{
    static const uint8_t head[VP8_BYTES] = {0, 0x10, 2, 0, 0x9d, 1, 0x2a, 0x80, 2, 0xe0, 1};
    memcpy(data, head, VP8_BYTES);
    data[0] = first ? 0x10 : 0;
    data[1] |= keyframe ? 0 : 1;
}

static void send_packet(struct load *load, const struct publish *p, const struct sockaddr_in *to,
                        bool first, bool marker)
{
    uint8_t data[PACKET_MAX];
    size_t bytes = (size_t)p->bytes;
    data[0] = 0x80;
    data[1] = (uint8_t)((marker ? 0x80 : 0) | (p->pt & 0x7f));
    put_be16(data + 2, load->seq++);
    put_be32(data + 4, load->rtp_ts);
    put_be32(data + 8, (uint32_t)p->ssrc);
    put_vp8(data + HEADER_BYTES, first, load->keyframe);
    if (first)
        load->keyframe = false;
    size_t at = HEADER_BYTES + VP8_BYTES;
    put_be64(data + at, load->index);
    put_be32(data + at + 8, load->rtp_ts);
    for (size_t i = BYTES_MIN; i < bytes; i++)
        data[i] = (uint8_t)(load->index + i - at);
    load->index++;
    /* Full socket buffers of loopback end soon. */
    while (sendto(load->fd, data, bytes, 0, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
           (errno == EAGAIN || errno == ECONNREFUSED))
        usleep(50);
}

static struct sockaddr_in target(int64_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void publish(struct load *load, struct publish *p)
{
    struct sockaddr_in to = target(p->port);
    uint64_t first = load->index;
    int64_t began = now_us();
    load->keyframe = true;
    if (p->seq >= 0)
        load->seq = (uint16_t)p->seq;
    for (int64_t sent = 0; sent < p->packets;) {
        for (int64_t i = 0; i < p->burst && sent < p->packets; i++, sent++)
            send_packet(load, p, &to, i == 0, i + 1 == p->burst);
        load->rtp_ts += (uint32_t)p->ts_step;
        drain(load, p->sinks);
        while (p->pps > 0 && now_us() < began + sent * 1000000 / p->pps) {
            if (drain(load, p->sinks) == 0)
                usleep(100);
        }
        if (p->window > 0)
            wait_window(load, p, first);
    }
    printf("{\"sent\": %lld, \"us\": %lld, \"index\": %llu}\n", (long long)p->packets,
           (long long)(now_us() - began), (unsigned long long)load->index);
}

/* ---- rubbish ---- */

static uint32_t rubbish_next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

static void flood(struct load *load, const struct publish *p)
{
    /* What each kind begins with: nothing, RTP, RTCP, STUN, DTLS. */
    static const uint8_t heads[5][2] = {{0, 0}, {0x80, 96}, {0x81, 200}, {0, 1}, {22, 254}};
    struct sockaddr_in to = target(p->port);
    uint64_t state = (uint64_t)p->seed;
    int64_t began = now_us();
    for (int64_t n = 0; n < p->packets; n++) {
        uint8_t data[PACKET_MAX];
        uint32_t kind = rubbish_next(&state) % ARRAY_N(heads);
        size_t bytes = rubbish_next(&state) % (kind == 0 ? 64 : 400);
        for (size_t i = 0; i < bytes; i++)
            data[i] = (uint8_t)rubbish_next(&state);
        if (kind != 0 && bytes >= 2) {
            data[0] = heads[kind][0] | (kind == 1 ? data[0] & 0x3f : 0);
            data[1] = heads[kind][1];
        }
        if (kind == 1 && bytes >= HEADER_BYTES && p->ssrc != 0)
            put_be32(data + 8, (uint32_t)p->ssrc); /* a producer's own */
        sendto(load->fd, data, bytes, 0, (const struct sockaddr *)&to, sizeof(to));
        if (n % BATCH == 0)
            drain(load, p->sinks);
    }
    printf("{\"sent\": %lld, \"us\": %lld}\n", (long long)p->packets,
           (long long)(now_us() - began));
}

/* ---- commands ---- */

static void settle(struct load *load, int64_t sinks_n)
{
    int64_t quiet = now_us();
    int64_t end = quiet + 10 * (int64_t)1000000;
    while (now_us() < quiet + (int64_t)SETTLE_MS * 1000 && now_us() < end) {
        if (drain(load, sinks_n) > 0)
            quiet = now_us();
        else
            usleep(1000);
    }
}

static void report(const struct load *load, int64_t sinks_n)
{
    printf("{\"index\": %llu, \"back\": %llu, \"sinks\": [", (unsigned long long)load->index,
           (unsigned long long)load->back);
    for (int64_t i = 0; i < sinks_n; i++) {
        const struct sink *sink = &load->sinks[i];
        uint64_t tail = sink->started ? load->index - sink->next : load->index;
        printf("%s{\"received\": %llu, \"lost\": %llu, \"duplicates\": %llu, \"gaps\": %llu, "
               "\"ts_wrong\": %llu, \"damaged\": %llu, \"wraps\": %llu, \"rtcp\": %llu}",
               i ? ", " : "", (unsigned long long)sink->received,
               (unsigned long long)(sink->lost + tail), (unsigned long long)sink->duplicates,
               (unsigned long long)sink->gaps, (unsigned long long)sink->ts_wrong,
               (unsigned long long)sink->damaged, (unsigned long long)sink->wraps,
               (unsigned long long)sink->rtcp);
    }
    puts("]}");
}

static void reset(struct load *load)
{
    drain(load, load->sinks_n);
    for (uint32_t i = 0; i < load->sinks_n; i++)
        load->sinks[i] = (struct sink){.fd = load->sinks[i].fd};
    load->index = 0;
    puts("{}");
}

static bool read_word(struct publish *p, const char *word)
{
    const struct {
        const char *name;
        int64_t *value;
    } names[] = {{"port", &p->port},     {"ssrc", &p->ssrc},       {"pt", &p->pt},
                 {"pps", &p->pps},       {"packets", &p->packets}, {"bytes", &p->bytes},
                 {"burst", &p->burst},   {"ts_step", &p->ts_step}, {"seed", &p->seed},
                 {"window", &p->window}, {"sinks", &p->sinks},     {"seq", &p->seq}};

    size_t bytes = strcspn(word, "=");
    for (size_t i = 0; i < ARRAY_N(names); i++) {
        if (word[bytes] == '=' && strlen(names[i].name) == bytes &&
            memcmp(names[i].name, word, bytes) == 0) {
            *names[i].value = strtoll(word + bytes + 1, NULL, 10);
            return true;
        }
    }
    return false;
}

static bool run(struct load *load, char *line)
{
    struct publish p = {.bytes = 1100, .burst = 7, .ts_step = 3600, .seq = -1, .seed = 1};
    char *rest = line;
    p.sinks = load->sinks_n;
    char *verb = strsep(&rest, " \n");
    for (char *word = strsep(&rest, " \n"); word; word = strsep(&rest, " \n")) {
        if (word[0] && !read_word(&p, word))
            return false;
    }
    if (p.bytes < BYTES_MIN || p.bytes > PACKET_MAX || p.sinks > load->sinks_n || p.burst < 1)
        return false;
    if (strcmp(verb, "publish") == 0)
        publish(load, &p);
    else if (strcmp(verb, "flood") == 0)
        flood(load, &p);
    else if (strcmp(verb, "report") == 0)
        report(load, p.sinks);
    else if (strcmp(verb, "reset") == 0)
        reset(load);
    else if (strcmp(verb, "settle") == 0)
        settle(load, p.sinks), report(load, p.sinks);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    static struct load load;
    char line[512];
    uint16_t port = 0;
    long sinks_n = argc == 2 ? strtol(argv[1], NULL, 10) : -1;
    if (sinks_n < 0 || sinks_n > SINKS_MAX) {
        fprintf(stderr, "usage: sluice-load SINKS (at most %d)\n", SINKS_MAX);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    load.fd = socket_open(&port);
    load.sinks_n = (uint32_t)sinks_n;
    printf("{\"source\": %u, \"sinks\": [", port);
    for (uint32_t i = 0; i < load.sinks_n; i++) {
        load.sinks[i].fd = socket_open(&port);
        printf("%s%u", i ? ", " : "", port);
    }
    puts("]}");
    while (fgets(line, sizeof(line), stdin)) {
        if (!run(&load, line)) {
            fprintf(stderr, "sluice-load: not understood: %s", line);
            return 2;
        }
    }
    return 0;
}
