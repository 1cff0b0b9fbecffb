/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/publisher.c - frames out, on time. */
#include "perf/publisher.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAME_PACKETS_MAX = OPTIONS_BURST_MAX,
    KEYFRAME_EVERY = 100,
    PACKET_ROOM = 2048,
    LATE_MAX_NS = 200000000
};

struct publisher {
    const struct options *options;
    struct seal *seal;
    int fds[OPTIONS_WORKERS_MAX]; /* a room each */
    uint16_t seq;
    uint32_t rtp_ts;
    uint64_t frames;
    bool keyframe; /* the next frame is one */
    uint8_t packets[FRAME_PACKETS_MAX][PACKET_ROOM];
    struct iovec vectors[FRAME_PACKETS_MAX];
    struct mmsghdr messages[FRAME_PACKETS_MAX];
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
    struct timespec at = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

/* RTP header, VP8 descriptor (RFC 7741 4.2: S on the first packet), frame tag with the key frame
 * bit inverted, stamp. */
static size_t write_packet(struct publisher *p, uint32_t i, uint8_t *data)
{
    const struct options *options = p->options;
    size_t bytes = options_packet_bytes(options, i);
    bool keyframe = p->keyframe || p->frames % KEYFRAME_EVERY == 0;
    memset(data, 0x5a, bytes);
    data[0] = 0x80;
    data[1] = (uint8_t)(PUBLISHER_PT | (i + 1 == options->burst ? 0x80 : 0));
    put_be16(data + 2, p->seq++);
    put_be32(data + 4, p->rtp_ts);
    put_be32(data + 8, PUBLISHER_SSRC);
    data[12] = i == 0 ? 0x10 : 0x00;
    data[13] = i == 0 && keyframe ? 0x00 : 0x01;
    if (i == 0 && keyframe)
        memcpy(data + 13, "\x10\x02\x00\x9d\x01\x2a\x00\x05\xd0\x02", 10); /* 1280 x 720 */
    put_be64(data + PUBLISHER_STAMP_AT, (uint64_t)now_ns());
    if (p->seal != NULL && seal_protect_rtp(p->seal, data, &bytes) != DROP_NONE)
        return 0;
    return bytes;
}

static void send_to(struct publisher *p, struct shared *shared, int fd, uint32_t n)
{
    for (uint32_t sent = 0; sent < n;) {
        int result = sendmmsg(fd, p->messages + sent, n - sent, MSG_DONTWAIT);
        if (result <= 0) {
            atomic_fetch_add_explicit(&shared->publish_refused, n - sent, memory_order_relaxed);
            return;
        }
        sent += (uint32_t)result;
    }
}

/* Takes what came back. A key frame request shows in the clear part of SRTCP, too, where it comes
 * first: RFC 4585 6.3.1, RFC 5104 4.3.1; the header and the sender's ssrc are never encrypted. */
static void answer_requests(struct publisher *p)
{
    uint8_t data[PACKET_ROOM];
    for (uint32_t i = 0; i < p->options->workers; i++) {
        for (ssize_t bytes; (bytes = recv(p->fds[i], data, sizeof data, MSG_DONTWAIT)) >= 0;) {
            uint8_t format = data[0] & 0x1f;
            p->keyframe |= bytes >= 12 && data[1] == 206 && (format == 1 || format == 4);
        }
    }
}

static void send_frame(struct publisher *p, struct shared *shared)
{
    uint32_t n = p->options->burst;
    for (uint32_t i = 0; i < n; i++) {
        p->vectors[i] = (struct iovec){p->packets[i], write_packet(p, i, p->packets[i])};
        p->messages[i].msg_hdr = (struct msghdr){.msg_iov = &p->vectors[i], .msg_iovlen = 1};
    }
    for (uint32_t i = 0; i < p->options->workers; i++)
        send_to(p, shared, p->fds[i], n);
    atomic_fetch_add_explicit(&shared->published, n, memory_order_relaxed);
    p->frames++;
    p->keyframe = false;
    answer_requests(p);
}

/* 0: as much RTP time as the interval is long. */
static uint32_t ts_step(const struct options *options, int64_t interval_ns)
{
    return options->ts_step != 0 ? options->ts_step : (uint32_t)(interval_ns * 9 / 100000);
}

static int open_socket(const struct addr *relay)
{
    int fd = socket(relay->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bytes = 4 << 20;
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (connect(fd, &relay->sa, addr_len(relay)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* A publisher that cannot keep up skips what is more than LATE_MAX_NS late: it offers less, and
 * says so. */
static void pace(struct publisher *p, struct shared *shared, int64_t interval_ns)
{
    int64_t due_ns = now_ns();
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        if (!atomic_load_explicit(&shared->publish, memory_order_relaxed)) {
            usleep(1000);
            due_ns = now_ns();
            continue;
        }
        sleep_until(due_ns);
        send_frame(p, shared);
        p->rtp_ts += ts_step(p->options, interval_ns);
        due_ns += interval_ns;
        int64_t late_ns = now_ns() - due_ns;
        if (late_ns > interval_ns)
            atomic_fetch_add_explicit(&shared->publish_late, 1, memory_order_relaxed);
        if (late_ns > LATE_MAX_NS)
            due_ns = now_ns();
    }
}

int publisher_run(struct shared *shared, const struct options *options)
{
    static struct publisher p;
    p.options = options;
    p.seq = (uint16_t)options->seed;
    p.rtp_ts = (uint32_t)(options->seed * 2654435761u);
    for (uint32_t i = 0; i < options->workers; i++)
        if ((p.fds[i] = open_socket(&shared->relay[i])) < 0)
            return 1;
    if (options->suite != SEAL_NONE &&
        (seal_library_init() != 0 ||
         seal_init(&p.seal, options->suite, shared->key_in, shared->key_in) != 0 ||
         seal_add_out(p.seal, PUBLISHER_SSRC) != 0))
        return 1;
    pace(&p, shared, INT64_C(1000000000) * options->burst / options->pps);
    return 0;
}
