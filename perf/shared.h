/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/shared.h - what the harness' processes tell each other: one shared anonymous mapping, made
 * before the fork.
 *
 * Writer of each field is named; everything is read by the harness. Counters are relaxed atomics.
 */
#ifndef PERF_SHARED_H
#define PERF_SHARED_H

#include "core/addr.h"
#include "net/command.h"
#include "net/dtls.h"
#include "perf/histogram.h"
#include "perf/scene.h"

#include <stdatomic.h>
#include <sys/types.h>

struct shared_figures {        /* of a participant; written by the receivers' process */
    _Atomic uint64_t received; /* different packets, those that came as resends apart */
    _Atomic uint64_t bytes;
    _Atomic uint64_t spanned; /* numbers from the first to the last of each stream: what is not
                                 received or recovered of them is a gap */
    _Atomic uint64_t lost_on_wire, recovered_thrown; /* by --loss, and come as resends */
    _Atomic uint64_t recovered;                      /* of whatever was lost */
    _Atomic uint64_t nack_requested, nack_served, nack_late;
    _Atomic uint64_t keyframes_requested;
    _Atomic uint64_t limit;   /* packets of the limit */
    _Atomic uint64_t foreign; /* not ours, or not decryptable */
    _Atomic uint64_t missed;  /* the kernel found its buffer full; brought up to date each second */
};

/* A transport is told by the harness and taken up by the receivers:
 *
 *   harness    relay, keys or ICE parameters, then `joined` = a new number; 0: it has left
 *   receivers  the seal is in place: `sealed` = that number, and with WebRTC `keys` */
struct shared_participant {
    int fd;                     /* its socket, opened before the forks */
    uint16_t port;              /* of that */
    struct addr relay;          /* where it sends */
    struct srtp_keys keys;      /* out: what the participant seals with */
    struct ice_credentials ice; /* WebRTC: the relay's */
    struct fingerprint fingerprint;
    _Atomic uint32_t joined;
    _Atomic uint32_t sealed;
    _Atomic bool failed; /* the handshake did */
    struct shared_figures figures;
};

struct shared_track {
    _Atomic bool on;            /* the harness: it has a producer */
    _Atomic bool keyframe;      /* the receivers: the relay asks for one; the publisher clears it */
    _Atomic uint64_t published; /* the publisher */
};

struct shared_stream { /* the harness: as the relay's consumer has them, 0: none */
    _Atomic uint32_t ssrc, rtx_ssrc;
};

/* Transit and what is told apart of it. */
enum shared_class { SHARED_VIDEO, SHARED_AUDIO, SHARED_SIDE, SHARED_CLASSES };

struct shared_crowd { /* perf/crowd.h */
    /* the harness */
    _Atomic uint32_t round; /* peers join with a new one; 0: they leave */
    char socket[128];       /* the relay's */
    /* the crowd */
    _Atomic bool ready, left;
    _Atomic uint32_t joined, failed; /* of the round, cleared by the harness */
    _Atomic int64_t last_us;         /* from the round's beginning to the last join so far */
    struct histogram join_us;        /* of all rounds: from the first request to the SRTP keys */
};

struct shared {
    struct scene scene; /* the harness, before the forks */
    /* the harness */
    _Atomic bool publish; /* send, or rest */
    _Atomic bool measure; /* transit samples are kept */
    _Atomic bool stop;
    _Atomic bool calm;         /* no loss is made, so that what is missing is recovered */
    _Atomic uint32_t rate_q16; /* of the publisher, by what the options say; 1 << 16: as they do */
    _Atomic uint32_t limit_run_q8; /* 0: rest; else the limit's mean run length * 256, of video */
    _Atomic uint32_t limit_audio_run_q8;
    struct shared_track tracks[SCENE_TRACKS_MAX];
    struct shared_participant participants[SCENE_PARTICIPANTS_MAX];
    struct shared_stream streams[SCENE_STREAMS_MAX];
    /* the publisher */
    _Atomic uint64_t published;       /* packets of all tracks */
    _Atomic uint64_t publish_late;    /* frames that were more than one interval late */
    _Atomic uint64_t publish_refused; /* packets that the kernel did not take */
    /* the receivers */
    _Atomic bool receivers_ready;
    _Atomic uint64_t keyframe_requests; /* by the relay, of senders */
    struct fingerprint fingerprint;     /* WebRTC: of the participants, before `ready` */
    _Atomic uint32_t suite;             /* enum seal_suite: the options', or as DTLS has it */
    struct histogram transit_ns[SHARED_CLASSES]; /* while `measure`: to the receiver's return from
                                                    the kernel */
    struct histogram arrival_ns[SHARED_CLASSES]; /* the same to the kernel's receive stamp */
    struct shared_crowd crowd;
    /* the limit */
    _Atomic bool limit_ready;
    _Atomic uint64_t limit_packets, limit_sends;
};

/* Mapped and zero; NULL on failure. */
struct shared *shared_make(void);

/* Forks: the child runs `body(shared, options)` pinned to `cpu` (-1: not) and ends with its result;
 * it dies with its parent. */
pid_t shared_fork(struct shared *shared, const struct options *options, int cpu,
                  int (*body)(struct shared *, const struct options *));

/* Waits up to a second, then kills. */
void shared_reap(pid_t pid);

#endif
