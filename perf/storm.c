/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/storm.c - slices with and without joins, and what they add up to. */
#include "perf/storm.h"

#include "core/clock.h"
#include "perf/crowd.h"
#include "perf/report.h"
#include "perf/stage.h"

#include <math.h>
#include <stdio.h>

enum {
    PAIRS_MAX = 99,
    JOIN_MAX_S = 60,
    SETTLE_MS = 300,
    LEAVE_LOOKS_MAX = 6000,        /* a minute */
    REST_MAX_S = 30,               /* the relay is at rest then, or never */
    REST_STEP_BYTES = 16 << 10,    /* less is none */
    CLOSED_STEP_BYTES = 256 << 10, /* within so much of what it was before anybody joined */
};

static const double LEAVE_LOOK_S = 0.01; /* at whether the peers have left */
static const double LOOK_S = 0.02;       /* between two looks at the relay's counters */
static const double REST_LOOK_S = 0.5;   /* at its memory, the relay gives back once a second */

struct transit {
    double p50[PAIRS_MAX], p99[PAIRS_MAX], p999[PAIRS_MAX];
};

struct storm {
    struct stage stage;
    struct report_storm *report;
    struct transit quiet, stormy;
    double added_p999[PAIRS_MAX], joined_in_s[PAIRS_MAX];
    double mem_joined[PAIRS_MAX], mem_grown[PAIRS_MAX], kernel_mem[PAIRS_MAX];
    double quiet_s, stormy_s, quiet_forwarded, stormy_forwarded, offered;
    uint32_t pairs;
};

/* Waits until the relay has given back what the last slice touched, so that figures are compared
 * at rest: NAN when something has ended. */
static double memory_at_rest(struct storm *s)
{
    double least = report_figure(measure_memory_bytes(s->stage.relay.pid));
    int same = 0;
    int looks = (int)ceil(s->stage.options->rest_s / REST_LOOK_S);
    for (int i = 0; i < REST_MAX_S / REST_LOOK_S && same < looks; i++) {
        if (!stage_wait(&s->stage, REST_LOOK_S))
            return NAN;
        double now = report_figure(measure_memory_bytes(s->stage.relay.pid));
        same = now < least - REST_STEP_BYTES ? 0 : same + 1;
        least = fmin(least, now);
    }
    return report_figure(measure_memory_bytes(s->stage.relay.pid));
}

/* After the last close: what is near the idle figure is back; else as long as it may take. */
static double memory_after_close(struct storm *s)
{
    double now = report_figure(measure_memory_bytes(s->stage.relay.pid));
    for (int i = 0; i < REST_MAX_S / REST_LOOK_S; i++) {
        if (now <= s->report->mem_idle_bytes + CLOSED_STEP_BYTES)
            break;
        if (!stage_wait(&s->stage, REST_LOOK_S))
            return NAN;
        now = report_figure(measure_memory_bytes(s->stage.relay.pid));
    }
    return now;
}

/* ---- a slice ---- */

struct slice {
    struct relay_counters before, after;
    struct histogram transit_ns;
    uint64_t wanted;
    int64_t began_us;
};

static bool slice_begin(struct storm *s, struct slice *slice)
{
    slice->transit_ns = s->stage.shared->transit_ns[SHARED_VIDEO];
    slice->wanted = stage_wanted(&s->stage);
    slice->began_us = clock_now_us();
    if (!relay_counters(&s->stage.relay, &slice->before))
        return false;
    atomic_store(&s->stage.shared->measure, true);
    atomic_store(&s->stage.shared->publish, true);
    return true;
}

/* What was counted since slice_begin(). */
static void subtract(struct histogram *from, const struct histogram *before)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        from->counts[i] -= before->counts[i];
    from->n -= before->n;
}

static bool slice_end(struct storm *s, struct slice *slice, struct transit *transit,
                      double *seconds, double *forwarded)
{
    struct shared *shared = s->stage.shared;
    atomic_store(&shared->publish, false);
    *seconds += (double)(clock_now_us() - slice->began_us) / 1e6;
    bool right = stage_wait(&s->stage, SETTLE_MS / 1e3);
    atomic_store(&shared->measure, false);
    if (!right || !relay_counters(&s->stage.relay, &slice->after))
        return false;
    struct histogram all = shared->transit_ns[SHARED_VIDEO];
    subtract(&all, &slice->transit_ns);
    transit->p50[s->pairs] = (double)histogram_quantile(&all, 0.5) / 1e3;
    transit->p99[s->pairs] = (double)histogram_quantile(&all, 0.99) / 1e3;
    transit->p999[s->pairs] = (double)histogram_quantile(&all, 0.999) / 1e3;
    *forwarded += (double)(slice->after.forwarded - slice->before.forwarded);
    s->offered += (double)(stage_wanted(&s->stage) - slice->wanted);
    return true;
}

static bool quiet_slice(struct storm *s, double seconds)
{
    struct slice slice;
    return slice_begin(s, &slice) && stage_wait(&s->stage, seconds) &&
           slice_end(s, &slice, &s->quiet, &s->quiet_s, &s->quiet_forwarded);
}

/* ---- joins ---- */

/* Looks at the counters until the peers have joined and the time is over. */
static bool watch_joins(struct storm *s, double seconds, struct relay_counters last)
{
    const struct shared_crowd *crowd = &s->stage.shared->crowd;
    const struct options *o = s->stage.options;
    double pace_s = o->joins_per_second > 0 ? o->peers / o->joins_per_second : 0;
    int64_t began_us = clock_now_us();
    for (;;) {
        struct relay_counters now;
        uint32_t ended = crowd->joined + crowd->failed;
        double passed = (double)(clock_now_us() - began_us) / 1e6;
        if (ended >= o->peers && passed >= seconds)
            return true;
        if (passed > JOIN_MAX_S + seconds + pace_s) {
            fprintf(stderr, "sluice-perf: %u of %u peers have joined\n", crowd->joined, o->peers);
            return false;
        }
        if (!stage_wait(&s->stage, LOOK_S) || !relay_counters(&s->stage.relay, &now))
            return false;
        bool steps = now.handshake_steps > last.handshake_steps;
        s->report->intervals_with_joins += steps;
        s->report->intervals_without_media += steps && now.forwarded == last.forwarded;
        last = now;
    }
}

static bool open_storm(struct storm *s, uint32_t round)
{
    struct shared_crowd *crowd = &s->stage.shared->crowd;
    char router[CROWD_ROUTER_BYTES];
    crowd_router(router, round);
    json_t *made = rooms_make_router(&s->stage.relay, router, 0);
    json_decref(made);
    atomic_store(&crowd->joined, 0);
    atomic_store(&crowd->failed, 0);
    return made != NULL;
}

/* The peers say goodbye, their router is closed. */
static bool close_storm(struct storm *s, uint32_t round)
{
    struct shared_crowd *crowd = &s->stage.shared->crowd;
    char router[CROWD_ROUTER_BYTES];
    crowd_router(router, round);
    s->report->joins += crowd->joined;
    s->report->joins_failed += crowd->failed;
    atomic_store(&crowd->left, false);
    atomic_store(&crowd->round, 0);
    for (int i = 0; !atomic_load(&crowd->left); i++) {
        if (i == LEAVE_LOOKS_MAX)
            fprintf(stderr, "sluice-perf: the peers do not leave\n");
        if (i == LEAVE_LOOKS_MAX || !stage_wait(&s->stage, LEAVE_LOOK_S))
            return false;
    }
    return relay_do(&s->stage.relay, "router.close", json_pack("{s:s}", "routerId", router));
}

/* What nothing makes up for: packets that are late, and handshakes' datagrams, are told apart. */
static uint64_t other_drops(const struct relay_counters *counters)
{
    return counters->drops - counters->drops_late - counters->drops_handshake;
}

static void add_counters(struct report_storm *r, const struct slice *slice)
{
    const struct relay_counters *before = &slice->before, *after = &slice->after;
    r->handshake_steps += (double)(after->handshake_steps - before->handshake_steps);
    r->turns += (double)(after->turns - before->turns);
    r->drops += (double)(other_drops(after) - other_drops(before));
    r->drops_handshake += (double)(after->drops_handshake - before->drops_handshake);
    r->kernel_drops += (double)(after->kernel_drops - before->kernel_drops);
    r->handshake_steps_turn_max = (double)after->handshake_steps_turn_max;
}

static bool storm_slice(struct storm *s, double seconds)
{
    struct slice slice;
    struct stage *stage = &s->stage;
    uint32_t round = s->pairs + 1;
    double idle = memory_at_rest(s);
    int64_t kernel = measure_kernel_bytes();
    if (s->pairs == 0)
        s->report->mem_idle_bytes = idle; /* before there was any peer */
    if (!open_storm(s, round) || !slice_begin(s, &slice))
        return false;
    atomic_store(&stage->shared->crowd.round, round);
    if (!watch_joins(s, seconds, slice.before) ||
        !slice_end(s, &slice, &s->stormy, &s->stormy_s, &s->stormy_forwarded))
        return false;
    add_counters(s->report, &slice);
    s->joined_in_s[s->pairs] = (double)stage->shared->crowd.last_us / 1e6;
    s->added_p999[s->pairs] = s->stormy.p999[s->pairs] - s->quiet.p999[s->pairs];
    s->mem_joined[s->pairs] = memory_at_rest(s);
    s->mem_grown[s->pairs] = s->mem_joined[s->pairs] - idle;
    s->kernel_mem[s->pairs] = report_figure(measure_kernel_bytes()) - report_figure(kernel);
    return close_storm(s, round);
}

/* ---- figures ---- */

static void report_slices(struct storm *s)
{
    struct report_storm *r = s->report;
    const struct shared *shared = s->stage.shared;
    r->storms = s->pairs;
    r->joined_in_s = report_median(s->joined_in_s, s->pairs);
    r->join_p50_ms = (double)histogram_quantile(&shared->crowd.join_us, 0.5) / 1e3;
    r->join_p99_ms = (double)histogram_quantile(&shared->crowd.join_us, 0.99) / 1e3;
    r->join_max_ms = (double)histogram_quantile(&shared->crowd.join_us, 1) / 1e3;
    r->steps_per_join = r->joins > 0 ? r->handshake_steps / r->joins : NAN;
    r->offered_pps = s->offered / (s->quiet_s + s->stormy_s);
    r->quiet_forwarded_pps = s->quiet_forwarded / s->quiet_s;
    r->storm_forwarded_pps = s->stormy_forwarded / s->stormy_s;
    r->quiet_transit_p50_us = report_median(s->quiet.p50, s->pairs);
    r->quiet_transit_p99_us = report_median(s->quiet.p99, s->pairs);
    r->quiet_transit_p999_us = report_median(s->quiet.p999, s->pairs);
    r->storm_transit_p50_us = report_median(s->stormy.p50, s->pairs);
    r->storm_transit_p99_us = report_median(s->stormy.p99, s->pairs);
    r->storm_transit_p999_us = report_median(s->stormy.p999, s->pairs);
    r->added_transit_p999_us = report_median(s->added_p999, s->pairs);
    r->mem_joined_bytes = report_median(s->mem_joined, s->pairs);
    r->kernel_mem_bytes = report_median(s->kernel_mem, s->pairs);
    r->bytes_per_transport = report_median(s->mem_grown, s->pairs) / r->peers;
}

/* Every receiver is to have every packet, from the warm-up on. */
static void report_arrivals(struct storm *s)
{
    struct report_storm *r = s->report;
    const struct shared *shared = s->stage.shared;
    struct stage_sums sums;
    stage_sum(&s->stage, &sums);
    r->published = (double)shared->published;
    r->publish_late = (double)shared->publish_late;
    r->received = (double)sums.received;
    r->lost = (double)stage_wanted(&s->stage) - r->received - (double)sums.recovered;
    r->missed = (double)sums.missed;
}

/* ---- the run ---- */

static bool make_server(struct storm *s)
{
    return relay_do(&s->stage.relay, "webRtcServer.create",
                    json_pack("{s:s, s:i, s:[{s:s, s:s, s:i}]}", "id", CROWD_SERVER, "workerIndex",
                              0, "listenInfos", "protocol", "udp", "ip", "127.0.0.1", "port",
                              (int)rooms_free_port()));
}

static bool measure(struct storm *s, char engine[16])
{
    struct stage *stage = &s->stage;
    const struct options *o = stage->options;
    if (!stage_start_relay(stage, false) || !stage_join(stage) || !stage_consume(stage) ||
        !make_server(s) || !stage_start_crowd(stage))
        return false;
    snprintf(engine, 16, "%s", stage->relay.engine);
    if (!stage_publish(stage, o->warmup_s, false))
        return false;
    int64_t objects = relay_objects(&stage->relay);
    for (; s->pairs < o->pairs; s->pairs++)
        if (!quiet_slice(s, o->seconds / o->pairs) || !storm_slice(s, o->seconds / o->pairs))
            return false;
    report_slices(s);
    s->report->mem_after_close_bytes = memory_after_close(s);
    s->report->objects_after_close = (double)(relay_objects(&stage->relay) - objects);
    struct relay_counters counters;
    if (!relay_counters(&stage->relay, &counters))
        return false;
    s->report->relayed = (double)counters.forwarded;
    s->report->drops_late = (double)counters.drops_late;
    s->report->waited_s = report_figure(measure_waited_ns(&stage->relay.threads)) / 1e9;
    report_arrivals(s);
    return true;
}

int storm_run(const struct options *options)
{
    static struct storm s;
    static struct report report;
    report_init(&report, options);
    s.report = &report.storm;
    report.storm.consumers = options->consumers;
    report.storm.peers = options->peers;
    double *sums[] = {&report.storm.joins,
                      &report.storm.joins_failed,
                      &report.storm.handshake_steps,
                      &report.storm.turns,
                      &report.storm.drops,
                      &report.storm.drops_handshake,
                      &report.storm.kernel_drops,
                      &report.storm.intervals_with_joins,
                      &report.storm.intervals_without_media};
    for (size_t i = 0; i < ARRAY_N(sums); i++)
        *sums[i] = 0;
    bool right = stage_open(&s.stage, options) && measure(&s, report.engine);
    stage_close(&s.stage);
    return right && report_write(&report) ? 0 : 1;
}
