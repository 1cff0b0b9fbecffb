/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/scene.h - who is in which room, sends what and receives what: made from the options before
 * any process starts, read by all of them.
 *
 *   fanout     a room for each worker: a sender that only sends, receivers that only receive
 *   room       one room: participants that all receive, the first of them send as well
 *   broadcast  one sender and many viewers; beside them small rooms in which everybody talks
 *
 * A participant has one transport. A track is a stream that a participant sends, a stream one of
 * somebody else's tracks as a participant receives it: a consumer of the relay. */
#ifndef PERF_SCENE_H
#define PERF_SCENE_H

#include "perf/options.h"

enum {
    SCENE_ROOMS_MAX = 128,
    SCENE_PARTICIPANTS_MAX = 4608, /* receivers of a fan-out and a sender for each worker; viewers
                                      and side rooms */
    SCENE_TRACKS_MAX = 2 * OPTIONS_PARTICIPANTS_MAX,
    SCENE_STREAMS_MAX = OPTIONS_STREAMS_MAX,
    SCENE_SIDE_PARTICIPANTS = 3, /* of a side room */
    SCENE_SAMPLE = 8,            /* one receiver in so many decrypts all and times it */
    SCENE_SSRC = 0x5150cafe,     /* of the first track, counting up */
    SCENE_VIDEO_PT = 96,
    SCENE_AUDIO_PT = 97,
    SCENE_AUDIO_PPS = 50,
    SCENE_AUDIO_BYTES_MIN = 80, /* RTP packets before SRTP: Opus at about 32 kbit/s */
    SCENE_AUDIO_BYTES_MAX = 100,
};

enum scene_kind { SCENE_VIDEO, SCENE_AUDIO, SCENE_KINDS };

struct scene_room {
    uint32_t worker;
    uint32_t participants_at, participants_n;
    uint32_t tracks_at, tracks_n;
    bool side;
};

struct scene_participant {
    uint32_t room;
    uint32_t streams_at, streams_n;
    bool sampled;
};

struct scene_track {
    uint32_t participant;
    enum scene_kind kind;
    uint32_t ssrc;
    uint32_t order; /* among the tracks of its kind in its room */
    uint32_t receivers_n;
};

struct scene_stream {
    uint32_t participant, track;
};

struct scene {
    uint32_t rooms_n, participants_n, tracks_n, streams_n;
    uint32_t streams_main_n; /* those of side rooms apart */
    bool spread;             /* a room's transports are on all workers */
    struct scene_room rooms[SCENE_ROOMS_MAX];
    struct scene_participant participants[SCENE_PARTICIPANTS_MAX];
    struct scene_track tracks[SCENE_TRACKS_MAX];
    struct scene_stream streams[SCENE_STREAMS_MAX];
};

/* False: the options ask for more than there is room for. */
bool scene_make(struct scene *scene, const struct options *options);

/* Tracks of a kind in a room. */
uint32_t scene_room_tracks(const struct scene *scene, uint32_t room, enum scene_kind kind);

/* Whether a track is sent at that time: of the audio tracks of a room `options->speakers` are, and
 * every SCENE_SPEAKER_US the first of them is relieved by the next. */
enum { SCENE_SPEAKER_US = 2000000 };

bool scene_is_active(const struct scene *scene, const struct options *options, uint32_t track,
                     int64_t media_us);

/* Bytes of the n-th audio packet of a track, before SRTP. */
uint32_t scene_audio_bytes(const struct options *options, uint32_t track, uint64_t n);

#endif
