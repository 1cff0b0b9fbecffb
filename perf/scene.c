/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/scene.c - rooms, tracks and streams, counted out. */
#include "perf/scene.h"

#include "core/random.h"

/* Who sends what in a room that is being made. */
struct cast {
    uint32_t worker, participants_n, senders_n;
    bool senders_receive, audio, side;
};

static bool add_track(struct scene *scene, uint32_t participant, enum scene_kind kind,
                      uint32_t order)
{
    if (scene->tracks_n == SCENE_TRACKS_MAX)
        return false;
    scene->tracks[scene->tracks_n] = (struct scene_track){
        .participant = participant,
        .kind = kind,
        .ssrc = SCENE_SSRC + scene->tracks_n,
        .order = order,
    };
    scene->tracks_n++;
    return true;
}

static bool add_streams(struct scene *scene, const struct scene_room *room, uint32_t index)
{
    struct scene_participant *participant = &scene->participants[index];
    for (uint32_t t = room->tracks_at; t < room->tracks_at + room->tracks_n; t++) {
        if (scene->tracks[t].participant == index)
            continue;
        if (scene->streams_n == SCENE_STREAMS_MAX)
            return false;
        scene->streams[scene->streams_n++] = (struct scene_stream){index, t};
        scene->tracks[t].receivers_n++;
        participant->streams_n++;
    }
    return true;
}

/* The senders are the first of the participants. */
static bool add_room(struct scene *scene, const struct cast *cast)
{
    if (scene->rooms_n == SCENE_ROOMS_MAX ||
        scene->participants_n + cast->participants_n > SCENE_PARTICIPANTS_MAX)
        return false;
    struct scene_room *room = &scene->rooms[scene->rooms_n];
    *room = (struct scene_room){.worker = cast->worker,
                                .participants_at = scene->participants_n,
                                .participants_n = cast->participants_n,
                                .tracks_at = scene->tracks_n,
                                .side = cast->side};
    for (uint32_t i = 0; i < cast->senders_n; i++)
        if (!add_track(scene, room->participants_at + i, SCENE_VIDEO, i) ||
            (cast->audio && !add_track(scene, room->participants_at + i, SCENE_AUDIO, i)))
            return false;
    room->tracks_n = scene->tracks_n - room->tracks_at;
    uint32_t receivers_n = 0;
    for (uint32_t i = 0; i < cast->participants_n; i++) {
        struct scene_participant *one = &scene->participants[scene->participants_n];
        *one = (struct scene_participant){.room = scene->rooms_n, .streams_at = scene->streams_n};
        bool receives = i >= cast->senders_n || cast->senders_receive;
        if (receives && !add_streams(scene, room, scene->participants_n))
            return false;
        one->sampled = cast->side || (receives && receivers_n++ % SCENE_SAMPLE == 0);
        scene->participants_n++;
    }
    scene->rooms_n++;
    scene->streams_main_n += cast->side ? 0 : scene->streams_n - scene->streams_main_n;
    return true;
}

static bool make_fanout(struct scene *scene, const struct options *o)
{
    for (uint32_t i = 0; i < o->workers; i++) {
        struct cast cast = {
            .worker = i, .senders_n = 1, .participants_n = 1 + (o->consumers + i) / o->workers};
        if (!add_room(scene, &cast))
            return false;
    }
    return true;
}

static bool make_room(struct scene *scene, const struct options *o)
{
    struct cast cast = {.participants_n = o->participants,
                        .senders_n = o->senders,
                        .senders_receive = true,
                        .audio = o->audio};
    scene->spread = o->workers > 1;
    return add_room(scene, &cast);
}

static bool make_broadcast(struct scene *scene, const struct options *o)
{
    struct cast main = {.participants_n = 1 + o->viewers, .senders_n = 1, .audio = o->audio};
    struct cast side = {.participants_n = SCENE_SIDE_PARTICIPANTS,
                        .senders_n = SCENE_SIDE_PARTICIPANTS,
                        .senders_receive = true,
                        .audio = o->audio,
                        .side = true};
    scene->spread = o->workers > 1;
    if (!add_room(scene, &main))
        return false;
    for (uint32_t i = 0; i < o->rooms; i++)
        if (!add_room(scene, &side))
            return false;
    return true;
}

bool scene_make(struct scene *scene, const struct options *options)
{
    scene->rooms_n = scene->participants_n = scene->tracks_n = 0;
    scene->streams_n = scene->streams_main_n = 0;
    scene->spread = false;
    switch (options->shape) {
    case OPTIONS_FANOUT:
        return make_fanout(scene, options);
    case OPTIONS_ROOM:
        return make_room(scene, options);
    case OPTIONS_BROADCAST:
        return make_broadcast(scene, options);
    }
    return false;
}

uint32_t scene_room_tracks(const struct scene *scene, uint32_t room, enum scene_kind kind)
{
    const struct scene_room *one = &scene->rooms[room];
    uint32_t n = 0;
    for (uint32_t t = one->tracks_at; t < one->tracks_at + one->tracks_n; t++)
        n += scene->tracks[t].kind == kind;
    return n;
}

bool scene_is_active(const struct scene *scene, const struct options *options, uint32_t track,
                     int64_t media_us)
{
    const struct scene_track *one = &scene->tracks[track];
    if (one->kind != SCENE_AUDIO || options->speakers == 0)
        return true;
    uint32_t room = scene->participants[one->participant].room;
    uint32_t n = scene_room_tracks(scene, room, SCENE_AUDIO);
    uint32_t first = (uint32_t)(media_us / SCENE_SPEAKER_US % n);
    return (one->order + n - first) % n < options->speakers;
}

uint32_t scene_audio_bytes(const struct options *options, uint32_t track, uint64_t n)
{
    struct random random = {.state = options->seed ^ (uint64_t)track << 40 ^ n << 1};
    return SCENE_AUDIO_BYTES_MIN +
           (uint32_t)random_below(&random, SCENE_AUDIO_BYTES_MAX - SCENE_AUDIO_BYTES_MIN + 1);
}
