/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/rooms.c - requests that make a scene. */
#include "perf/rooms.h"

#include "core/random.h"
#include "ctl/base64.h"
#include "net/udp.h"
#include "perf/rtcparams.h"

#include <stdio.h>
#include <unistd.h>

#define SERVER "rooms" /* id of the webRtcServer of everybody */

json_t *rooms_id(const char *key, char letter, uint32_t number)
{
    char id[32];
    snprintf(id, sizeof id, "%c%u", letter, number);
    return json_pack("{s:s}", key, id);
}

static void add(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static void room_id(char id[32], uint32_t room)
{
    snprintf(id, 32, "room%u", room);
}

uint16_t rooms_free_port(void)
{
    struct udp_options options = {0};
    struct udp_socket socket;
    struct addr any;
    addr_parse(&any, "127.0.0.1", 0);
    if (udp_open(&socket, &any, &options) != 0)
        return 0;
    close(socket.fd);
    return addr_port(&socket.local);
}

json_t *rooms_make_router(struct relay *relay, const char *id, int64_t worker)
{
    json_t *codecs = json_pack("[{s:s, s:s, s:i}, {s:s, s:s, s:i, s:i}]", "kind", "video",
                               "mimeType", "video/VP8", "clockRate", 90000, "kind", "audio",
                               "mimeType", "audio/opus", "clockRate", 48000, "channels", 2);
    json_t *params = json_pack("{s:s, s:o}", "id", id, "mediaCodecs", codecs);
    if (worker != ROOMS_ANY_WORKER)
        add(params, "workerIndex", json_integer(worker));
    return relay_call(relay, "router.create", params);
}

/* What a receiver can: no header extensions, so that packets keep their sizes; NACK if asked for.
 */
static json_t *receiver_capabilities(const json_t *router, const struct options *options)
{
    json_t *capabilities = json_deep_copy(json_object_get(router, "rtpCapabilities")), *codec;
    size_t i;
    add(capabilities, "headerExtensions", json_array());
    json_array_foreach(json_object_get(capabilities, "codecs"), i, codec)
    {
        json_t *feedback = json_object_get(codec, "rtcpFeedback");
        for (size_t k = json_array_size(feedback); k-- > 0;) {
            json_t *one = json_array_get(feedback, k);
            const char *type = json_string_value(json_object_get(one, "type"));
            bool plain = !json_string_length(json_object_get(one, "parameter"));
            bool nack = type != NULL && strcmp(type, "nack") == 0;
            if (!nack || (plain && !options->nack))
                json_array_remove(feedback, k);
        }
    }
    return capabilities;
}

/* ---- transports ---- */

/* Where a participant's transport is: with its room, or on the workers in turn. */
static uint32_t worker_of(const struct rooms *rooms, uint32_t participant)
{
    const struct scene *scene = &rooms->shared->scene;
    if (scene->spread)
        return participant % rooms->options->workers;
    return scene->rooms[scene->participants[participant].room].worker;
}

static json_t *transport_params(const struct rooms *rooms, uint32_t participant)
{
    const struct scene *scene = &rooms->shared->scene;
    char router[32];
    room_id(router, scene->participants[participant].room);
    json_t *params = rooms_id("id", 'p', participant);
    add(params, "routerId", json_string(router));
    if (scene->spread)
        add(params, "workerIndex", json_integer(worker_of(rooms, participant)));
    return params;
}

static const char *suite_text(const struct rooms *rooms)
{
    return seal_suite_name(rooms->options->suite);
}

static json_t *make_plain(struct rooms *rooms, uint32_t participant)
{
    uint32_t worker = worker_of(rooms, participant);
    json_t *params = transport_params(rooms, participant);
    json_t *listen = json_pack("{s:s}", "ip", "127.0.0.1");
    if (!rooms->options->own_ports) {
        if (rooms->ports[worker] == 0)
            rooms->ports[worker] = rooms_free_port();
        add(listen, "port", json_integer(rooms->ports[worker]));
        add(listen, "flags", json_pack("{s:b}", "shared", 1));
    }
    add(params, "listenInfo", listen);
    add(params, "rtcpMux", json_true());
    if (rooms->options->suite != SEAL_NONE) {
        add(params, "enableSrtp", json_true());
        add(params, "srtpCryptoSuite", json_string(suite_text(rooms)));
    }
    return relay_call(rooms->relay, "transport.createPlain", params);
}

/* Its own key is another one with each join; the relay's is in what it answered. */
static bool connect_plain(struct rooms *rooms, uint32_t participant, const json_t *made)
{
    struct shared_participant *one = &rooms->shared->participants[participant];
    enum seal_suite suite = rooms->options->suite;
    json_t *port = json_object_get(json_object_get(made, "tuple"), "localPort");
    json_t *params = rooms_id("transportId", 'p', participant);
    add(params, "ip", json_string("127.0.0.1"));
    add(params, "port", json_integer(one->port));
    one->keys.suite = suite;
    if (addr_parse(&one->relay, "127.0.0.1", (uint16_t)json_integer_value(port)) != 0)
        return false;
    if (suite != SEAL_NONE) {
        char text[BASE64_TEXT_BYTES_MAX];
        json_t *srtp = json_object_get(made, "srtpParameters");
        const char *theirs = json_string_value(json_object_get(srtp, "keyBase64"));
        random_bytes(one->keys.out, sizeof one->keys.out);
        base64_write(text, one->keys.out, seal_key_bytes(suite));
        add(params, "srtpParameters",
            json_pack("{s:s, s:s}", "cryptoSuite", suite_text(rooms), "keyBase64", text));
        if (theirs == NULL || !base64_read(one->keys.in, seal_key_bytes(suite), theirs))
            return false;
    }
    return relay_do(rooms->relay, "transport.connect", params);
}

static json_t *make_webrtc(struct rooms *rooms, uint32_t participant)
{
    json_t *params = transport_params(rooms, participant);
    add(params, "webRtcServerId", json_string(SERVER));
    return relay_call(rooms->relay, "transport.createWebRtc", params);
}

static bool connect_webrtc(struct rooms *rooms, uint32_t participant, const json_t *made)
{
    struct shared_participant *one = &rooms->shared->participants[participant];
    struct rtcparams theirs;
    char id[32];
    snprintf(id, sizeof id, "p%u", participant);
    if (!rtcparams_read(&theirs, made))
        return false;
    one->relay = theirs.relay;
    one->ice = theirs.ice;
    one->fingerprint = theirs.fingerprint;
    return relay_do(rooms->relay, "transport.connect",
                    rtcparams_connect(id, &rooms->shared->fingerprint));
}

bool rooms_join(struct rooms *rooms, uint32_t participant)
{
    bool webrtc = rooms->options->webrtc;
    json_t *made = webrtc ? make_webrtc(rooms, participant) : make_plain(rooms, participant);
    bool right = made != NULL && (webrtc ? connect_webrtc(rooms, participant, made)
                                         : connect_plain(rooms, participant, made));
    json_decref(made);
    if (right)
        atomic_store(&rooms->shared->participants[participant].joined, ++rooms->joins_n);
    return right;
}

static void forget_stream(struct rooms *rooms, uint32_t stream)
{
    atomic_store(&rooms->shared->streams[stream].ssrc, 0);
    atomic_store(&rooms->shared->streams[stream].rtx_ssrc, 0);
}

/* Consumers of a track go with its producer. */
static void forget_track(struct rooms *rooms, uint32_t track)
{
    const struct scene *scene = &rooms->shared->scene;
    atomic_store(&rooms->shared->tracks[track].on, false);
    for (uint32_t s = 0; s < scene->streams_n; s++)
        if (scene->streams[s].track == track)
            forget_stream(rooms, s);
}

bool rooms_leave(struct rooms *rooms, uint32_t participant)
{
    const struct scene *scene = &rooms->shared->scene;
    const struct scene_participant *one = &scene->participants[participant];
    for (uint32_t t = 0; t < scene->tracks_n; t++)
        if (scene->tracks[t].participant == participant)
            forget_track(rooms, t);
    for (uint32_t s = 0; s < one->streams_n; s++)
        forget_stream(rooms, one->streams_at + s);
    atomic_store(&rooms->shared->participants[participant].joined, 0);
    return relay_do(rooms->relay, "transport.close", rooms_id("transportId", 'p', participant));
}

/* ---- producers and consumers ---- */

static json_t *codec_json(enum scene_kind kind)
{
    if (kind == SCENE_AUDIO)
        return json_pack("{s:s, s:i, s:i, s:i}", "mimeType", "audio/opus", "payloadType",
                         (int)SCENE_AUDIO_PT, "clockRate", 48000, "channels", 2);
    return json_pack("{s:s, s:i, s:i, s:[{s:s}, {s:s, s:s}]}", "mimeType", "video/VP8",
                     "payloadType", (int)SCENE_VIDEO_PT, "clockRate", 90000, "rtcpFeedback", "type",
                     "nack", "type", "nack", "parameter", "pli");
}

bool rooms_make_producer(struct rooms *rooms, uint32_t track)
{
    const struct scene_track *one = &rooms->shared->scene.tracks[track];
    json_t *params = rooms_id("id", 't', track);
    json_t *rtp = json_pack("{s:[o], s:[{s:I}]}", "codecs", codec_json(one->kind), "encodings",
                            "ssrc", (json_int_t)one->ssrc);
    char transport[32];
    snprintf(transport, sizeof transport, "p%u", one->participant);
    add(params, "transportId", json_string(transport));
    add(params, "kind", json_string(one->kind == SCENE_AUDIO ? "audio" : "video"));
    add(params, "rtpParameters", rtp);
    if (!relay_do(rooms->relay, "transport.produce", params))
        return false;
    atomic_store(&rooms->shared->tracks[track].on, true);
    return true;
}

bool rooms_close_producer(struct rooms *rooms, uint32_t track)
{
    forget_track(rooms, track);
    return relay_do(rooms->relay, "producer.close", rooms_id("producerId", 't', track));
}

bool rooms_make_consumer(struct rooms *rooms, uint32_t stream)
{
    const struct scene_stream *one = &rooms->shared->scene.streams[stream];
    bool video = rooms->shared->scene.tracks[one->track].kind == SCENE_VIDEO;
    struct shared_stream *told = &rooms->shared->streams[stream];
    char transport[32], producer[32];
    snprintf(transport, sizeof transport, "p%u", one->participant);
    snprintf(producer, sizeof producer, "t%u", one->track);
    json_t *params = rooms_id("id", 'c', stream);
    add(params, "transportId", json_string(transport));
    add(params, "producerId", json_string(producer));
    json_object_set(params, "rtpCapabilities", rooms->capabilities);
    add(params, "enableRtx", json_boolean(video && rooms->options->nack));
    json_t *made = relay_call(rooms->relay, "transport.consume", params);
    json_t *rtp = json_object_get(made, "rtpParameters");
    json_t *encoding = json_array_get(json_object_get(rtp, "encodings"), 0);
    json_t *rtx = json_object_get(json_object_get(encoding, "rtx"), "ssrc");
    json_t *ssrc = json_object_get(encoding, "ssrc");
    atomic_store(&told->rtx_ssrc, (uint32_t)json_integer_value(rtx));
    atomic_store(&told->ssrc, (uint32_t)json_integer_value(ssrc));
    bool right = json_is_integer(ssrc);
    json_decref(made);
    return right;
}

bool rooms_close_consumer(struct rooms *rooms, uint32_t stream)
{
    forget_stream(rooms, stream);
    return relay_do(rooms->relay, "consumer.close", rooms_id("consumerId", 'c', stream));
}

/* ---- all of it ---- */

static bool make_server(struct rooms *rooms)
{
    if (!rooms->options->webrtc)
        return true;
    return relay_do(rooms->relay, "webRtcServer.create",
                    json_pack("{s:s, s:[{s:s, s:s}]}", "id", SERVER, "listenInfos", "protocol",
                              "udp", "ip", "127.0.0.1"));
}

bool rooms_make_routers(struct rooms *rooms, struct relay *relay, const struct options *options,
                        struct shared *shared)
{
    *rooms = (struct rooms){.relay = relay, .options = options, .shared = shared};
    bool right = make_server(rooms);
    for (uint32_t i = 0; right && i < shared->scene.rooms_n; i++) {
        char id[32];
        room_id(id, i);
        int64_t worker = shared->scene.rooms[i].worker;
        if (shared->scene.spread)
            worker = ROOMS_ANY_WORKER;
        json_t *router = rooms_make_router(relay, id, worker);
        right = router != NULL;
        if (right && rooms->capabilities == NULL)
            rooms->capabilities = receiver_capabilities(router, options);
        json_decref(router);
    }
    return right;
}

bool rooms_open(struct rooms *rooms, struct relay *relay, const struct options *options,
                struct shared *shared)
{
    bool right = rooms_make_routers(rooms, relay, options, shared);
    for (uint32_t i = 0; right && i < shared->scene.participants_n; i++)
        right = rooms_join(rooms, i);
    for (uint32_t i = 0; right && i < shared->scene.tracks_n; i++)
        right = rooms_make_producer(rooms, i);
    return right;
}

bool rooms_consume(struct rooms *rooms)
{
    for (uint32_t i = 0; i < rooms->shared->scene.streams_n; i++)
        if (!rooms_make_consumer(rooms, i))
            return false;
    return true;
}

bool rooms_close(struct rooms *rooms)
{
    bool right = true;
    for (uint32_t i = 0; i < rooms->shared->scene.rooms_n; i++) {
        char id[32];
        room_id(id, i);
        right &= relay_do(rooms->relay, "router.close", json_pack("{s:s}", "routerId", id));
    }
    if (rooms->options->webrtc)
        right &= relay_do(rooms->relay, "webRtcServer.close",
                          json_pack("{s:s}", "webRtcServerId", SERVER));
    return right;
}

void rooms_exit(struct rooms *rooms)
{
    json_decref(rooms->capabilities);
    rooms->capabilities = NULL;
}

double rooms_rtt_ms(struct rooms *rooms)
{
    const struct scene *scene = &rooms->shared->scene;
    double most = 0;
    for (uint32_t i = 0; i < scene->participants_n; i++) {
        if (scene->participants[i].streams_n == 0)
            continue;
        json_t *list =
            relay_call(rooms->relay, "transport.getStats", rooms_id("transportId", 'p', i));
        json_t *stats = json_is_array(list) ? json_array_get(list, 0) : list;
        double rtt = json_number_value(json_object_get(stats, "roundTripTime"));
        most = rtt > most ? rtt : most;
        json_decref(list);
    }
    return most;
}
