/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/plan.c - the table of scenes. */
#include "perf/plan.h"

#include <stdio.h>

#define SHORT      " --seconds 1 --warmup 0.5 --pairs 1"
#define IDLE       "storm --consumers 1 --forward-pps 50 --seconds 1 --pairs 1 --warmup 0.5"
#define ENGINE     "fanout --consumers 100 --pps 1000"
#define LOSSY      "fanout --consumers 100 --nack --rtt 50 --no-count"
#define ROOM       "room --participants 50 --senders 10 --audio --nack"
#define ADDED      "room --participants 50 --audio --nack --webrtc --no-count" SHORT
#define ROOM_QUICK " --participants 6 --senders 2 --no-count" SHORT

/* About 100,000 packets a second to all receivers together, whatever their number. The windows of
 * memory and of idle transports are short: nothing in them depends on time. */
const struct plan_scene plan_scenes[] = {
    {"fanout-20", "fanout", "20 receivers", "fanout --consumers 20 --pps 5000",
     "--pps 500 --no-count" SHORT, 1},
    {"fanout-100", "fanout", "100 receivers", "fanout --consumers 100 --pps 1000",
     "--pps 100 --no-count" SHORT, 1},
    {"fanout-300", "fanout", "300 receivers", "fanout --consumers 300 --pps 330",
     "--pps 35 --no-count" SHORT, 1},
    {"fanout-1000", "fanout", "1000 receivers", "fanout --consumers 1000 --pps 100",
     "--pps 14 --no-count" SHORT, 1},
    {"single-100", "single", "100 receivers, packet by packet, NACK on",
     "fanout --consumers 100 --pps 1000 --burst 1 --nack", "--pps 100" SHORT, 1},
    {"engine-uring", "engine", "io_uring", ENGINE " --io uring", "--pps 100" SHORT, 1},
    {"engine-uring-singles", "engine", "io_uring, no GSO",
     ENGINE " --io uring --without udp_segment", "--pps 100" SHORT, 1},
    {"engine-mmsg", "engine", "mmsg", ENGINE " --io mmsg", "--pps 100" SHORT, 1},
    {"engine-mmsg-singles", "engine", "mmsg, no GSO", ENGINE " --io mmsg --without udp_segment",
     "--pps 100" SHORT, 1},
    {"loss-1", "loss", "1 % lost", LOSSY " --loss 1", "--consumers 10" SHORT, 1},
    {"loss-5", "loss", "5 % lost", LOSSY " --loss 5", "--consumers 10" SHORT, 1},
    {"loss-10", "loss", "10 % lost", LOSSY " --loss 10", "--consumers 10" SHORT, 1},
    {"memory-100", "memory", "100 receivers, NACK on",
     "fanout --consumers 100 --nack --no-count --seconds 4 --pairs 2", "--consumers 10" SHORT, 1},
    {"memory-300", "memory", "300 receivers, NACK on",
     "fanout --consumers 300 --nack --no-count --seconds 4 --pairs 2", "--consumers 30" SHORT, 1},
    {"transit-50k", "transit", "50,000 packets/s",
     "fanout --consumers 100 --pps 500 --burst 1 --prompt --pairs 1 --seconds 6 --no-count",
     "--pps 50" SHORT, 5},
    {"transit-110k", "transit", "110,000 packets/s",
     "fanout --consumers 100 --pps 1100 --burst 1 --prompt --pairs 1 --seconds 6 --no-count",
     "--pps 110" SHORT, 5},
    {"storm-13", "storm", "500 joins, DTLS 1.3",
     "storm --consumers 100 --forward-pps 50000 --peers 500 --dtls 1.3",
     "--forward-pps 2000 --peers 10" SHORT, 1},
    {"storm-12", "storm", "500 joins, DTLS 1.2",
     "storm --consumers 100 --forward-pps 50000 --peers 500 --dtls 1.2",
     "--forward-pps 2000 --peers 10" SHORT, 1},
    {"idle-13-100", "idle", "DTLS 1.3", IDLE " --dtls 1.3 --peers 100", "--peers 10", 1},
    {"idle-13-300", "idle", "DTLS 1.3", IDLE " --dtls 1.3 --peers 300", "--peers 30", 1},
    {"idle-13-1000", "idle", "DTLS 1.3", IDLE " --dtls 1.3 --peers 1000", "--peers 50", 1},
    {"idle-12-100", "idle", "DTLS 1.2", IDLE " --dtls 1.2 --peers 100", "--peers 10", 1},
    {"idle-12-300", "idle", "DTLS 1.2", IDLE " --dtls 1.2 --peers 300", "--peers 30", 1},
    {"idle-12-1000", "idle", "DTLS 1.2", IDLE " --dtls 1.2 --peers 1000", "--peers 50", 1},
    {"room-5", "room", "5 people, all send", "room --participants 5 --senders 5 --audio --nack",
     "--no-count" SHORT, 1},
    {"room-50", "room", "50 people, 10 send", ROOM, ROOM_QUICK, 1},
    {"room-50-together", "room", "50 people, 10 send, frames together", ROOM " --together",
     ROOM_QUICK, 1},
    {"room-50-workers", "room", "50 people, 10 send, 2 workers", ROOM " --workers 2", ROOM_QUICK,
     1},
    {"room-webrtc", "room", "50 people by WebRTC, 10 send", ROOM " --webrtc --no-count", ROOM_QUICK,
     1},
    {"added-98", "added", "49 receive 2 streams each", ADDED " --senders 1", "--participants 6", 1},
    {"added-294", "added", "6 streams", ADDED " --senders 3", "--participants 6", 1},
    {"added-980", "added", "20 streams", ADDED " --senders 10", "--participants 12", 1},
    {"broadcast-1000", "broadcast", "1000 viewers", "broadcast --viewers 1000",
     "--viewers 20 --no-count" SHORT, 1},
    {"broadcast-2000", "broadcast", "2000 viewers", "broadcast --viewers 2000",
     "--viewers 40 --no-count" SHORT, 1},
    {"churn", "churn", "joins, leaves, pauses at random", "churn --minutes 1",
     "--minutes 0.1 --warmup 0.5", 1},
    {"saturate-single", "saturate", "packet by packet", "saturate --consumers 100 --burst 1",
     "--consumers 5" SHORT, 1},
    {"saturate-frames", "saturate", "frames of 7", "saturate --consumers 100 --burst 7",
     "--consumers 5" SHORT, 1},
    {"saturate-equal", "saturate", "frames of 7 of one size",
     "saturate --consumers 100 --burst 7 --bytes 1100", "--consumers 5" SHORT, 1},
};
const size_t plan_scenes_n = ARRAY_N(plan_scenes);

const struct plan_scene *plan_find(const char *name)
{
    for (size_t i = 0; i < plan_scenes_n; i++)
        if (strcmp(plan_scenes[i].name, name) == 0)
            return &plan_scenes[i];
    return NULL;
}

bool plan_in_list(const char *list, const char *name)
{
    size_t bytes = strlen(name);
    if (list == NULL)
        return true;
    for (const char *at = list;; at++) {
        size_t word = strcspn(at, ",");
        if (word == bytes && memcmp(at, name, bytes) == 0)
            return true;
        at += word;
        if (*at == '\0')
            return false;
    }
}

void plan_line(const struct plan_scene *scene, bool quick, char line[PLAN_LINE_BYTES])
{
    const char *more = scene->quick + (scene->quick[0] == ' ');
    snprintf(line, PLAN_LINE_BYTES, "%s%s%s", scene->line, quick ? " " : "", quick ? more : "");
}

size_t plan_words(char *line, char *args[PLAN_ARGS_MAX])
{
    size_t n = 0;
    for (char *at = line; *at != '\0';) {
        ASSERT(n + 1 < PLAN_ARGS_MAX);
        args[n++] = at;
        at += strcspn(at, " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    args[n] = NULL;
    return n;
}
