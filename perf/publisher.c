/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/publisher.c - frames out, on time. */
#include "perf/publisher.h"

#include "core/clock.h"
#include "rtcp/packet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAME_PACKETS_MAX = OPTIONS_BURST_MAX,
    KEYFRAME_EVERY = 100,
    PACKET_ROOM = 2048,
    LATE_MAX_NS = 200000000,
    SLEEP_MAX_NS = 50000000, /* then looks whether it is to stop */
};

static const int64_t second_ns = 1000000000;

struct outbound {    /* a track */
    uint32_t joined; /* the transport that its seal is for; 0: it rests */
    struct seal *seal;
    uint16_t seq;
    uint32_t rtp_ts;
    uint64_t frames, packets, octets;
    int64_t due_ns, report_ns;
};

struct publisher {
    struct shared *shared;
    const struct scene *scene;
    const struct options *options;
    struct outbound *tracks;
    int64_t media_ns; /* when it began or went on */
    uint8_t packets[FRAME_PACKETS_MAX][PACKET_ROOM];
    struct iovec vectors[FRAME_PACKETS_MAX];
    struct mmsghdr messages[FRAME_PACKETS_MAX];
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * second_ns + now.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
    struct timespec at = {.tv_sec = at_ns / second_ns, .tv_nsec = at_ns % second_ns};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

/* ---- packets ---- */

static void write_head(uint8_t *data, size_t bytes, uint8_t pt, const struct outbound *out,
                       uint32_t ssrc)
{
    memset(data, 0x5a, bytes);
    data[0] = 0x80;
    data[1] = pt;
    put_be16(data + 2, out->seq);
    put_be32(data + 4, out->rtp_ts);
    put_be32(data + 8, ssrc);
}

/* VP8 descriptor (RFC 7741 4.2: S on the first packet), frame tag with the key frame bit inverted.
 */
static size_t write_video(const struct publisher *p, const struct outbound *out, uint32_t track,
                          uint32_t i, uint8_t *data, bool keyframe)
{
    size_t bytes = options_packet_bytes(p->options, i);
    uint8_t marker = i + 1 == p->options->burst ? 0x80 : 0;
    write_head(data, bytes, SCENE_VIDEO_PT | marker, out, p->scene->tracks[track].ssrc);
    data[12] = i == 0 ? 0x10 : 0x00;
    data[13] = i == 0 && keyframe ? 0x00 : 0x01;
    if (i == 0 && keyframe)
        memcpy(data + 13, "\x10\x02\x00\x9d\x01\x2a\x00\x05\xd0\x02", 10); /* 1280 x 720 */
    return bytes;
}

static size_t write_audio(const struct publisher *p, const struct outbound *out, uint32_t track,
                          uint8_t *data)
{
    size_t bytes = scene_audio_bytes(p->options, track, out->frames);
    write_head(data, bytes, SCENE_AUDIO_PT, out, p->scene->tracks[track].ssrc);
    return bytes;
}

/* Stamp, number, seal. */
static size_t finish(struct outbound *out, uint8_t *data, size_t bytes)
{
    put_be64(data + PUBLISHER_STAMP_AT, (uint64_t)now_ns());
    out->seq++;
    out->packets++;
    out->octets += bytes - 12;
    if (out->seal != NULL && seal_protect_rtp(out->seal, data, &bytes) != DROP_NONE)
        return 0;
    return bytes;
}

static void send_all(struct publisher *p, uint32_t track, uint32_t n)
{
    struct shared *shared = p->shared;
    int fd = shared->participants[p->scene->tracks[track].participant].fd;
    for (uint32_t sent = 0; sent < n;) {
        int result = sendmmsg(fd, p->messages + sent, n - sent, MSG_DONTWAIT);
        if (result <= 0) {
            atomic_fetch_add_explicit(&shared->publish_refused, n - sent, memory_order_relaxed);
            break;
        }
        sent += (uint32_t)result;
    }
    atomic_fetch_add_explicit(&shared->published, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->tracks[track].published, n, memory_order_relaxed);
}

/* A video frame or an audio packet. */
static void send_frame(struct publisher *p, uint32_t track)
{
    const struct scene_track *scene = &p->scene->tracks[track];
    struct outbound *out = &p->tracks[track];
    struct addr *relay = &p->shared->participants[scene->participant].relay;
    bool video = scene->kind == SCENE_VIDEO;
    uint32_t n = video ? p->options->burst : 1;
    bool keyframe =
        atomic_exchange_explicit(&p->shared->tracks[track].keyframe, false, memory_order_relaxed) ||
        out->frames % KEYFRAME_EVERY == 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *data = p->packets[i];
        size_t bytes = video ? write_video(p, out, track, i, data, keyframe)
                             : write_audio(p, out, track, data);
        p->vectors[i] = (struct iovec){data, finish(out, data, bytes)};
        p->messages[i].msg_hdr = (struct msghdr){.msg_name = &relay->sa,
                                                 .msg_namelen = addr_len(relay),
                                                 .msg_iov = &p->vectors[i],
                                                 .msg_iovlen = 1};
    }
    send_all(p, track, n);
    out->frames++;
}

static void send_report(struct publisher *p, uint32_t track)
{
    const struct shared_participant *from =
        &p->shared->participants[p->scene->tracks[track].participant];
    struct outbound *out = &p->tracks[track];
    _Alignas(4) uint8_t data[256 + SEAL_SLACK_BYTES];
    struct rtcp_writer writer = {.data = data, .bytes_max = 256 - SEAL_OVERHEAD_RTCP};
    struct rtcp_sender_info info = {.ntp = clock_ntp(clock_now_us()),
                                    .rtp_ts = out->rtp_ts,
                                    .packets = (uint32_t)out->packets,
                                    .octets = (uint32_t)out->octets};
    uint32_t ssrc = p->scene->tracks[track].ssrc;
    bool written = rtcp_write_sr(&writer, ssrc, &info, NULL, 0) &&
                   rtcp_write_sdes_cname(&writer, ssrc, "sluice-perf");
    size_t bytes = writer.at;
    if (written && (out->seal == NULL || seal_protect_rtcp(out->seal, data, &bytes) == DROP_NONE))
        (void)!sendto(from->fd, data, bytes, MSG_DONTWAIT, &from->relay.sa, addr_len(&from->relay));
}

/* ---- pace ---- */

static int64_t interval_ns(const struct publisher *p, uint32_t track)
{
    uint32_t rate_q16 = atomic_load_explicit(&p->shared->rate_q16, memory_order_relaxed);
    int64_t plain_ns = p->scene->tracks[track].kind == SCENE_AUDIO
                           ? second_ns / SCENE_AUDIO_PPS
                           : second_ns * p->options->burst / p->options->pps;
    return plain_ns * (1 << 16) / rate_q16;
}

/* RTP time between frames; 0 in the options: as much as the interval is long. */
static uint32_t ts_step(const struct publisher *p, uint32_t track)
{
    if (p->scene->tracks[track].kind == SCENE_AUDIO)
        return 48000 / SCENE_AUDIO_PPS;
    int64_t plain_ns = second_ns * p->options->burst / p->options->pps;
    return p->options->ts_step != 0 ? p->options->ts_step : (uint32_t)(plain_ns * 9 / 100000);
}

/* The tracks of a room are spread over the interval, unless their frames are to be sent together.
 */
static int64_t phase_ns(const struct publisher *p, uint32_t track)
{
    const struct scene_track *one = &p->scene->tracks[track];
    uint32_t room = p->scene->participants[one->participant].room;
    uint32_t n = scene_room_tracks(p->scene, room, one->kind);
    bool shifted = !p->options->together && one->kind == SCENE_AUDIO;
    if (p->options->together)
        return 0;
    /* Audio half a place behind video: the two do not meet at every start of an interval. */
    return interval_ns(p, track) * (2 * one->order + shifted) / (2 * n);
}

/* Its transport is another one, or it has one now: keys of that. */
static bool follow_transport(struct publisher *p, uint32_t track, int64_t now)
{
    struct shared_participant *from = &p->shared->participants[p->scene->tracks[track].participant];
    struct outbound *out = &p->tracks[track];
    uint32_t sealed = atomic_load_explicit(&from->sealed, memory_order_acquire);
    if (!atomic_load_explicit(&p->shared->tracks[track].on, memory_order_acquire))
        sealed = 0;
    if (sealed == out->joined)
        return sealed != 0;
    seal_exit(out->seal);
    out->seal = NULL;
    out->joined = 0;
    if (sealed == 0)
        return false;
    if (from->keys.suite != SEAL_NONE &&
        (seal_init(&out->seal, from->keys.suite, from->keys.in, from->keys.out) != 0 ||
         seal_add_out(out->seal, p->scene->tracks[track].ssrc) != 0))
        return false;
    out->joined = sealed;
    out->frames = 0; /* begins with a key frame */
    out->due_ns = now + phase_ns(p, track);
    out->report_ns = now + second_ns;
    return true;
}

/* A publisher that cannot keep up skips what is more than LATE_MAX_NS late: it offers less, and
 * says so. */
static void send_due(struct publisher *p, uint32_t track)
{
    struct outbound *out = &p->tracks[track];
    int64_t interval = interval_ns(p, track);
    if (scene_is_active(p->scene, p->options, track, (out->due_ns - p->media_ns) / 1000))
        send_frame(p, track);
    out->rtp_ts += ts_step(p, track);
    out->due_ns += interval;
    int64_t now = now_ns();
    if (now - out->due_ns > interval)
        atomic_fetch_add_explicit(&p->shared->publish_late, 1, memory_order_relaxed);
    if (now - out->due_ns > LATE_MAX_NS)
        out->due_ns = now;
    if (now >= out->report_ns) {
        out->report_ns = now + second_ns;
        send_report(p, track);
    }
}

/* After a rest, and when the rate is another, every track begins where it would in the interval. */
static void restart(struct publisher *p)
{
    p->media_ns = now_ns();
    for (uint32_t t = 0; t < p->scene->tracks_n; t++)
        p->tracks[t].due_ns = p->media_ns + phase_ns(p, t);
}

static void pace(struct publisher *p)
{
    struct shared *shared = p->shared;
    bool resting = true;
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        if (!atomic_load_explicit(&shared->publish, memory_order_relaxed)) {
            resting = true;
            usleep(1000);
            continue;
        }
        if (resting)
            restart(p);
        resting = false;
        int64_t now = now_ns(), next_ns = now + SLEEP_MAX_NS;
        for (uint32_t t = 0; t < p->scene->tracks_n; t++) {
            if (!follow_transport(p, t, now))
                continue;
            if (p->tracks[t].due_ns <= now)
                send_due(p, t);
            next_ns = p->tracks[t].due_ns < next_ns ? p->tracks[t].due_ns : next_ns;
        }
        sleep_until(next_ns);
    }
}

int publisher_run(struct shared *shared, const struct options *options)
{
    static struct publisher p;
    p.shared = shared;
    p.scene = &shared->scene;
    p.options = options;
    p.tracks = calloc(p.scene->tracks_n, sizeof *p.tracks);
    if (p.tracks == NULL || seal_library_init() != 0) {
        fprintf(stderr, "sluice-perf: the publisher could not start\n");
        return 1;
    }
    for (uint32_t t = 0; t < p.scene->tracks_n; t++) {
        p.tracks[t].seq = (uint16_t)(options->seed + t);
        p.tracks[t].rtp_ts = (uint32_t)((options->seed + t) * 2654435761u);
    }
    pace(&p);
    return 0;
}
