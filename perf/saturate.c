/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/saturate.c - slices at one rate after the other. */
#include "perf/saturate.h"

#include "core/clock.h"
#include "perf/report.h"
#include "perf/stage.h"

#include <math.h>
#include <stdio.h>

enum {
    STEPS_MAX = 32,
    HOLDS_MAX = 8,     /* of the last good rate, each a tenth slower */
    DRAIN_STEPS = 100, /* of 20 ms, while packets still arrive */
    STILL_STEPS = 15,  /* without any: what is missing is lost */
};

static const double LOSS_ALLOWED = 0.001;
static const double FACTOR_MIN = 1.0 / 64, FACTOR_MAX = 1024; /* of the options' rate */
static const double CLOSE_ENOUGH = 1.04;                      /* of lowest bad to highest good */
static const double OFFERED_ENOUGH = 0.98;
static const double BUSY = 0.9;

struct times { /* on a core, and waiting for one */
    double run_ns, wait_ns;
};

struct trial {
    double factor, seconds;
    double planned, offered; /* packets to all receivers together */
    double forwarded, arrived, sends, kernel_drops;
    struct times relay, receivers, publisher; /* shares of a core; the relay's by worker */
    double loss_share;
};

struct saturate {
    struct stage stage;
    struct report_saturate *report;
    struct trial best, failed;
    uint32_t steps;
};

/* ---- a slice ---- */

static struct times times_of(pid_t pid, int tid)
{
    int64_t run_ns = 0, wait_ns = 0;
    if (!measure_thread_times(pid, tid, &run_ns, &wait_ns))
        return (struct times){NAN, NAN};
    return (struct times){(double)run_ns, (double)wait_ns};
}

struct look {
    double wanted, arrived;
    struct relay_counters counters;
    struct times relay, receivers, publisher;
    int64_t now_us;
};

static double arrived(const struct stage *stage)
{
    struct stage_sums sums;
    stage_sum(stage, &sums);
    return (double)(sums.received + sums.recovered);
}

static bool look(struct stage *stage, struct look *out)
{
    struct relay *relay = &stage->relay;
    *out = (struct look){.wanted = (double)stage_wanted(stage),
                         .arrived = arrived(stage),
                         .receivers = times_of(stage->receivers, stage->receivers),
                         .publisher = times_of(stage->publisher, stage->publisher),
                         .now_us = clock_now_us()};
    for (int i = 0; i < relay->threads.n; i++) {
        struct times one = times_of(relay->pid, relay->threads.tids[i]);
        out->relay.run_ns += one.run_ns;
        out->relay.wait_ns += one.wait_ns;
    }
    return relay_counters(relay, &out->counters);
}

static struct times share(struct times before, struct times after, double seconds, double of)
{
    return (struct times){(after.run_ns - before.run_ns) / 1e9 / seconds / of,
                          (after.wait_ns - before.wait_ns) / 1e9 / seconds / of};
}

/* Packets to all receivers in a second at the options' rate. */
static double planned_pps(const struct stage *stage)
{
    const struct scene *scene = &stage->shared->scene;
    const struct options *o = stage->options;
    double pps = 0;
    for (uint32_t t = 0; t < scene->tracks_n; t++) {
        const struct scene_track *one = &scene->tracks[t];
        double speaks = o->speakers == 0 ? 1 : (double)o->speakers / o->senders;
        pps += (one->kind == SCENE_VIDEO ? o->pps : SCENE_AUDIO_PPS * speaks) * one->receivers_n;
    }
    return pps;
}

/* Queues run dry: until everything has arrived, or nothing has for a while. */
static bool drain(struct stage *stage)
{
    double before = -1;
    for (int i = 0, still = 0; i < DRAIN_STEPS && still < STILL_STEPS; i++) {
        double now = arrived(stage);
        if (now >= (double)stage_wanted(stage) && i > 0)
            return true;
        still = now > before ? 0 : still + 1;
        before = now;
        if (!stage_wait(stage, 0.02))
            return false;
    }
    return true;
}

static bool try_rate(struct saturate *s, double factor, double seconds, struct trial *trial)
{
    struct stage *stage = &s->stage;
    struct look before, during, after;
    atomic_store(&stage->shared->rate_q16, (uint32_t)lround(factor * (1 << 16)));
    if (!look(stage, &before))
        return false;
    atomic_store(&stage->shared->publish, true);
    if (!stage_wait(stage, seconds) || !look(stage, &during))
        return false;
    atomic_store(&stage->shared->publish, false);
    if (!drain(stage) || !look(stage, &after))
        return false;
    double real_s = (double)(during.now_us - before.now_us) / 1e6;
    *trial = (struct trial){
        .factor = factor,
        .seconds = real_s,
        .planned = planned_pps(stage) * factor * real_s,
        .offered = after.wanted - before.wanted,
        .forwarded = (double)(after.counters.forwarded - before.counters.forwarded),
        .arrived = after.arrived - before.arrived,
        .sends = (double)(after.counters.sends - before.counters.sends),
        .kernel_drops = (double)(after.counters.kernel_drops - before.counters.kernel_drops),
        .relay = share(before.relay, during.relay, real_s, stage->options->workers),
        .receivers = share(before.receivers, during.receivers, real_s, 1),
        .publisher = share(before.publisher, during.publisher, real_s, 1),
    };
    trial->loss_share = trial->offered > 0 ? 1 - trial->arrived / trial->offered : 1;
    s->steps++;
    return true;
}

static bool is_good(const struct trial *trial)
{
    return trial->loss_share <= LOSS_ALLOWED && trial->offered >= OFFERED_ENOUGH * trial->planned;
}

/* ---- the search ---- */

static bool step(struct saturate *s, double factor, double seconds, bool *good)
{
    struct trial trial;
    if (!try_rate(s, factor, seconds, &trial))
        return false;
    *good = is_good(&trial);
    if (*good && trial.factor > s->best.factor)
        s->best = trial;
    if (!*good)
        s->failed = trial;
    return true;
}

/* Between a good rate and a bad one: `good` 0 when even the slowest is bad. */
static bool bracket(struct saturate *s, double seconds, double *low, double *high)
{
    bool good = true;
    *low = 0;
    *high = 1;
    while (s->steps < STEPS_MAX && *high <= FACTOR_MAX) {
        if (!step(s, *high, seconds, &good))
            return false;
        if (!good)
            break;
        *low = *high;
        *high *= 2;
    }
    for (double at = 0.5; *low <= 0 && at >= FACTOR_MIN && s->steps < STEPS_MAX; at /= 2) {
        if (!step(s, at, seconds, &good))
            return false;
        *low = good ? at : 0;
        *high = good ? *high : at;
    }
    return true;
}

static bool search(struct saturate *s)
{
    double seconds = s->stage.options->seconds, slice_s = seconds / 6, low, high;
    bool good = true;
    if (!bracket(s, slice_s, &low, &high))
        return false;
    while (low > 0 && high / low > CLOSE_ENOUGH && s->steps < STEPS_MAX) {
        double middle = sqrt(low * high);
        if (!step(s, middle, slice_s, &good))
            return false;
        *(good ? &low : &high) = middle;
    }
    /* A short slice may be lucky: the rate is held as long as was asked for, or a slower one is. */
    s->best = (struct trial){0};
    good = false;
    for (int i = 0; i < HOLDS_MAX && low > 0 && !good; i++, low *= 0.9)
        if (!step(s, low, seconds, &good))
            return false;
    return true;
}

/* ---- figures ---- */

static double busy(struct times times)
{
    return times.run_ns + times.wait_ns;
}

static double lost_before(const struct saturate *s, const struct trial *t)
{
    const struct scene *scene = &s->stage.shared->scene;
    double lost = t->kernel_drops * scene->streams_n / scene->tracks_n; /* each to so many */
    return fmin(lost, fmax(t->offered - t->forwarded, 0));
}

static const char *why(const struct saturate *s)
{
    const struct trial *t = &s->failed;
    double before = lost_before(s, t), within = t->offered - t->forwarded - before;
    double after = t->forwarded - t->arrived;
    if (s->failed.factor <= 0)
        return "nothing: the highest rate that is tried";
    if (t->offered < OFFERED_ENOUGH * t->planned)
        return "the load generator: the publisher does not keep up";
    if (after > before + within)
        return "the load generator: the receivers do not keep up with what the relay sends";
    if (busy(t->relay) >= BUSY)
        return busy(t->relay) - t->relay.run_ns > 1 - BUSY
                   ? "CPU of the worker, of which others take a part"
                   : "CPU of the worker";
    if (before > within)
        return "kernel drops before the relay, whose worker has CPU to spare: bursts are longer "
               "than the socket's buffer";
    return "drops in the relay, whose worker has CPU to spare";
}

static void report_trials(struct saturate *s, struct report *report)
{
    struct report_saturate *r = s->report;
    const struct trial *best = &s->best, *failed = &s->failed;
    double workers = s->stage.options->workers;
    r->steps = s->steps;
    r->pps = best->factor > 0 ? best->arrived / best->seconds : 0;
    r->pps_per_worker = r->pps / workers;
    r->pps_per_core = r->pps / (best->relay.run_ns * workers);
    r->loss_share = best->factor > 0 ? best->loss_share : NAN;
    r->relay_core_share = best->relay.run_ns;
    r->cpu_ns_per_forward = best->relay.run_ns * workers * best->seconds * 1e9 / best->forwarded;
    r->packets_per_send = best->forwarded / best->sends;
    r->load_core_share = fmax(best->receivers.run_ns, best->publisher.run_ns);
    snprintf(report->limited_by, sizeof report->limited_by, "%s", why(s));
    if (failed->factor <= 0)
        return;
    r->failed_pps = failed->offered / failed->seconds;
    r->failed_offered_share = failed->offered / failed->planned;
    r->failed_loss_share = failed->loss_share;
    r->failed_lost_before = lost_before(s, failed);
    r->failed_lost_within = failed->offered - failed->forwarded - r->failed_lost_before;
    r->failed_lost_after = failed->forwarded - failed->arrived;
    r->failed_relay_core_share = failed->relay.run_ns;
    r->failed_load_core_share = fmax(failed->receivers.run_ns, failed->publisher.run_ns);
}

static bool measure(struct saturate *s, struct report *report)
{
    struct stage *stage = &s->stage;
    const struct options *o = stage->options;
    if (!stage_start_relay(stage, false) || !stage_join(stage) || !stage_consume(stage))
        return false;
    snprintf(report->engine, sizeof report->engine, "%s", stage->relay.engine);
    report->suite = (enum seal_suite)atomic_load(&stage->shared->suite);
    s->report->consumers = stage->shared->scene.streams_n;
    s->report->workers_n = o->workers;
    s->report->loss_share_allowed = LOSS_ALLOWED;
    if (!stage_publish(stage, o->warmup_s, false) || !search(s))
        return false;
    report_trials(s, report);
    report->drops = relay_drops(&stage->relay);
    if (!rooms_close(&stage->rooms) || !stage_wait(stage, 0.5))
        return false;
    s->report->objects_after_close = (double)relay_objects(&stage->relay);
    return true;
}

int saturate_run(const struct options *options)
{
    static struct saturate s;
    static struct report report;
    report_init(&report, options);
    s.report = &report.saturate;
    bool right = stage_open(&s.stage, options) && measure(&s, &report);
    stage_close(&s.stage);
    return right && report_write(&report) ? 0 : 1;
}
