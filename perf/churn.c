/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/churn.c - one operation after the other, and what is there after each. */
#include "perf/churn.h"

#include "core/clock.h"
#include "core/random.h"
#include "perf/report.h"
#include "perf/stage.h"

#include <math.h>
#include <stdio.h>

enum {
    PAUSE_US_MAX = 40000, /* between two operations */
    LOOK_US = 500000,     /* at memory */
    CLOSED_S = 3,
    LEAVE_PERCENT = 6,
    CLOSE_PERCENT = 25,
};

/* A producer or a consumer. */
struct item {
    bool made, paused;
};

struct churn {
    struct stage stage;
    struct report_churn *report;
    struct random random;
    bool present[SCENE_PARTICIPANTS_MAX];
    struct item tracks[SCENE_TRACKS_MAX];
    struct item streams[SCENE_STREAMS_MAX];
};

static bool chance(struct churn *c, uint32_t percent)
{
    return random_below(&c->random, 100) < percent;
}

/* One operation's outcome. */
static bool done(struct churn *c, bool right, double *kind)
{
    c->report->operations++;
    c->report->operations_failed += !right;
    *kind += right;
    return right;
}

/* ---- operations ---- */

static void produce(struct churn *c, uint32_t track)
{
    bool right = rooms_make_producer(&c->stage.rooms, track);
    c->tracks[track] = (struct item){.made = done(c, right, &c->report->produces)};
}

static void consume(struct churn *c, uint32_t stream)
{
    bool right = rooms_make_consumer(&c->stage.rooms, stream);
    c->streams[stream] = (struct item){.made = done(c, right, &c->report->consumes)};
}

/* Of a producer its consumers end with it. */
static void forget_track(struct churn *c, uint32_t track)
{
    const struct scene *scene = &c->stage.shared->scene;
    c->tracks[track] = (struct item){0};
    for (uint32_t s = 0; s < scene->streams_n; s++)
        if (scene->streams[s].track == track)
            c->streams[s] = (struct item){0};
}

static void join(struct churn *c, uint32_t participant)
{
    const struct scene *scene = &c->stage.shared->scene;
    const struct scene_participant *one = &scene->participants[participant];
    if (!done(c, rooms_join(&c->stage.rooms, participant), &c->report->joins))
        return;
    c->present[participant] = true;
    for (uint32_t t = 0; t < scene->tracks_n; t++)
        if (scene->tracks[t].participant == participant)
            produce(c, t);
    for (uint32_t s = one->streams_at; s < one->streams_at + one->streams_n; s++)
        if (c->tracks[scene->streams[s].track].made)
            consume(c, s);
}

static void leave(struct churn *c, uint32_t participant)
{
    const struct scene *scene = &c->stage.shared->scene;
    const struct scene_participant *one = &scene->participants[participant];
    done(c, rooms_leave(&c->stage.rooms, participant), &c->report->leaves);
    c->present[participant] = false;
    for (uint32_t t = 0; t < scene->tracks_n; t++)
        if (scene->tracks[t].participant == participant)
            forget_track(c, t);
    for (uint32_t s = 0; s < one->streams_n; s++)
        c->streams[one->streams_at + s] = (struct item){0};
}

static void pause_or_resume(struct churn *c, struct item *item, const char *of, char letter,
                            uint32_t number)
{
    char method[32], key[32];
    snprintf(method, sizeof method, "%s.%s", of, item->paused ? "resume" : "pause");
    snprintf(key, sizeof key, "%sId", of);
    double *kind = item->paused ? &c->report->resumes : &c->report->pauses;
    if (done(c, relay_do(&c->stage.relay, method, rooms_id(key, letter, number)), kind))
        item->paused = !item->paused;
}

static void touch_track(struct churn *c, uint32_t track)
{
    if (!c->tracks[track].made) {
        produce(c, track);
    } else if (chance(c, CLOSE_PERCENT)) {
        done(c, rooms_close_producer(&c->stage.rooms, track), &c->report->producer_closes);
        forget_track(c, track);
    } else {
        pause_or_resume(c, &c->tracks[track], "producer", 't', track);
    }
}

static void touch_stream(struct churn *c, uint32_t stream)
{
    if (!c->tracks[c->stage.shared->scene.streams[stream].track].made)
        return;
    if (!c->streams[stream].made) {
        consume(c, stream);
    } else if (chance(c, CLOSE_PERCENT)) {
        done(c, rooms_close_consumer(&c->stage.rooms, stream), &c->report->consumer_closes);
        c->streams[stream] = (struct item){0};
    } else {
        pause_or_resume(c, &c->streams[stream], "consumer", 'c', stream);
    }
}

/* Somebody does something: comes, goes, or has a track or a stream changed. */
static void operate(struct churn *c)
{
    const struct scene *scene = &c->stage.shared->scene;
    uint32_t who = random_below(&c->random, scene->participants_n);
    const struct scene_participant *one = &scene->participants[who];
    if (!c->present[who]) {
        join(c, who);
        return;
    }
    if (chance(c, LEAVE_PERCENT)) {
        leave(c, who);
        return;
    }
    uint32_t tracks_at = 0, tracks_n = 0;
    for (uint32_t t = scene->tracks_n; t-- > 0;)
        if (scene->tracks[t].participant == who) {
            tracks_at = t;
            tracks_n++;
        }
    uint32_t which = random_below(&c->random, tracks_n + one->streams_n);
    if (which < tracks_n)
        touch_track(c, tracks_at + which);
    else
        touch_stream(c, one->streams_at + which - tracks_n);
}

/* ---- the run ---- */

static void look_at_memory(struct churn *c)
{
    double now = report_figure(measure_memory_bytes(c->stage.relay.pid));
    c->report->mem_most_bytes = fmax(c->report->mem_most_bytes, now); /* NAN gives way */
}

static bool play(struct churn *c, double seconds)
{
    int64_t from_us = clock_now_us(), look_us = from_us;
    int64_t until_us = from_us + (int64_t)(seconds * 1e6);
    atomic_store(&c->stage.shared->publish, true);
    while (clock_now_us() < until_us) {
        operate(c);
        if (!stage_wait(&c->stage, random_below(&c->random, PAUSE_US_MAX) / 1e6))
            return false;
        if (clock_now_us() - look_us < LOOK_US)
            continue;
        look_us = clock_now_us();
        look_at_memory(c);
    }
    atomic_store(&c->stage.shared->publish, false);
    c->report->media_s = (double)(clock_now_us() - from_us) / 1e6;
    return stage_wait(&c->stage, 0.2);
}

static bool report_arrivals(struct churn *c)
{
    struct report_churn *r = c->report;
    struct relay_counters counters;
    struct stage_sums sums;
    if (!relay_counters(&c->stage.relay, &counters))
        return false;
    stage_sum(&c->stage, &sums);
    r->published = (double)c->stage.shared->published;
    r->publish_late = (double)c->stage.shared->publish_late;
    r->forwarded = (double)(counters.forwarded + counters.resent);
    r->received = (double)sums.received;
    r->gaps = (double)sums.spanned - (double)sums.received - (double)sums.recovered;
    r->foreign = (double)sums.foreign;
    r->keyframe_requests = (double)c->stage.shared->keyframe_requests;
    r->dropped = (double)counters.drops;
    r->kernel_drops = (double)counters.kernel_drops;
    return true;
}

static bool measure(struct churn *c, struct report *report)
{
    struct stage *stage = &c->stage;
    struct report_churn *r = c->report;
    if (!stage_start_relay(stage, false) || !stage_wait(stage, 0.2))
        return false;
    snprintf(report->engine, sizeof report->engine, "%s", stage->relay.engine);
    r->mem_idle_bytes = report_figure(measure_memory_bytes(stage->relay.pid));
    if (!rooms_make_routers(&stage->rooms, &stage->relay, stage->options, stage->shared) ||
        !stage_start_publisher(stage) || !play(c, stage->options->minutes * 60) ||
        !report_arrivals(c))
        return false;
    report->drops = relay_drops(&stage->relay);
    report->suite = (enum seal_suite)atomic_load(&stage->shared->suite);
    if (!rooms_close(&stage->rooms) || !stage_wait(stage, CLOSED_S))
        return false;
    r->objects_after_close = (double)relay_objects(&stage->relay);
    r->mem_after_close_bytes = report_figure(measure_memory_bytes(stage->relay.pid));
    return true;
}

int churn_run(const struct options *options)
{
    static struct churn c;
    static struct report report;
    report_init(&report, options);
    struct report_churn *r = c.report = &report.churn;
    r->participants = options->participants;
    r->senders = options->senders;
    r->operations = r->operations_failed = r->joins = r->leaves = 0;
    r->produces = r->producer_closes = r->consumes = r->consumer_closes = 0;
    r->pauses = r->resumes = 0;
    c.random.state = options->seed;
    bool right = stage_open(&c.stage, options) && measure(&c, &report);
    stage_close(&c.stage);
    return right && report_write(&report) ? 0 : 1;
}
