/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/options.h - what a scenario is asked to do. Units are in the names. */
#ifndef PERF_OPTIONS_H
#define PERF_OPTIONS_H

#include "core/io.h"
#include "net/dtls.h"
#include "rtp/seal.h"

enum {
    OPTIONS_CONSUMERS_MAX = 4096,
    OPTIONS_WORKERS_MAX = 16,
    OPTIONS_BURST_MAX = 48,
    OPTIONS_PEERS_MAX = 4096,
    OPTIONS_PARTICIPANTS_MAX = 1000,
    OPTIONS_SIDE_ROOMS_MAX = 100,
    OPTIONS_STREAMS_MAX = 65536,
    OPTIONS_VIDEO_PACKET_BYTES = 1100 /* most of a frame's packet */
};

enum options_shape { OPTIONS_FANOUT, OPTIONS_ROOM, OPTIONS_BROADCAST }; /* perf/scene.h */

struct options {
    const char *scenario; /* "fanout", "limit", "egress", "room", "broadcast", "storm", "churn",
                             "saturate", "micro" */
    enum options_shape shape;
    const char *micro; /* which micro-benchmark; NULL for all */
    const char *relay; /* path of sluiced; NULL: the one installed with this program */
    uint32_t consumers;
    uint32_t pps;   /* of the publisher, packets a second */
    uint32_t bytes; /* RTP packet before SRTP; 0: libwebrtc's frame of about 1100-byte packets */
    uint32_t burst; /* packets of a frame */
    uint32_t frame_bytes; /* shared out over them; 0: `bytes` says */
    enum seal_suite suite;
    bool nack, own_ports;
    double loss_share;
    uint32_t rtt_ms;
    uint64_t seed;
    enum io_engine engine;
    const char *without; /* kernel features to do without, as sluiced takes them; NULL: none */
    uint32_t without_bits;
    uint32_t workers;
    double warmup_s, seconds;
    uint32_t pairs;          /* slices of relay and limit, alternating */
    uint32_t ts_step;        /* RTP time between frames; 0: real time */
    const char *sink;        /* egress: send there; NULL: to receivers */
    double run;              /* limit: mean run length; 0: a frame */
    const char *json;        /* file for the report, "-" for standard output; NULL: a table */
    uint32_t peers;          /* storm: WebRTC peers that join */
    double joins_per_second; /* storm; 0: all at once */
    double rest_s;           /* storm: without memory given back, then the relay is at rest */
    uint32_t forward_pps;   /* storm: packets a second that the room gets, all receivers together */
    enum dtls_version dtls; /* storm: the newest that the peers offer */
    uint32_t participants, senders; /* room: all receive, the first `senders` send */
    bool audio;
    uint32_t speakers; /* of the audio tracks of a room so many are sent at a time; 0: all */
    bool webrtc;       /* participants join by ICE and DTLS */
    bool prompt;       /* receivers take what is there, they do not wait for more */
    bool together;     /* the senders' frames are sent at one time, not one after the other */
    uint32_t video_kbps, fps;
    uint32_t viewers, rooms; /* broadcast: its viewers, and rooms beside it */
    double minutes;          /* churn */
    bool count;              /* a second, short run counts system calls and heap calls */
};

enum { OPTIONS_RUN = -1 };

/* Fills `options` with defaults and the command line. OPTIONS_RUN: go on; else the exit status: 0
 * after --help or --version, 2 after saying on stderr what is wrong. */
int options_parse(struct options *options, int argc, char **argv);

/* "gcm128" and so on. */
const char *options_suite_name(enum seal_suite suite);

/* Size of packet `i` of a frame, before SRTP: libwebrtc splits a frame evenly and makes the last
 * ones one byte longer. */
static inline uint32_t options_packet_bytes(const struct options *options, uint32_t i)
{
    if (options->frame_bytes != 0)
        return (options->frame_bytes + i) / options->burst;
    if (options->bytes != 0 || options->burst == 1)
        return options->bytes != 0 ? options->bytes : 1100;
    return i * 7 < options->burst * 4 ? 1099 : 1100; /* 4 of 7 shorter, 3 of 7 longer */
}

#endif
