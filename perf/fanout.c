/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/fanout.c - slices of relay and limit, and what they add up to. */
#include "perf/fanout.h"

#include "core/clock.h"
#include "perf/limit.h"
#include "perf/report.h"
#include "perf/stage.h"
#include "rtp/retain.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

static const double SETTLE_S = 0.3;

enum { CLOSED_S = 3, COUNT_S = 3, PAIRS_MAX = 99, HELD_SAMPLES_MAX = 4096 };

/* One slice of anybody who sends. */
struct slice {
    double cpu_ns, packets, sends, syscalls, seconds;
};

struct pairs {
    double same[PAIRS_MAX], best[PAIRS_MAX]; /* ratios */
    double same_ns[PAIRS_MAX], best_ns[PAIRS_MAX];
    size_t n;
};

struct run {
    struct stage stage;
    struct report *report;
    struct slice relay; /* sums */
    struct pairs pairs;
    struct slice limit_same, limit_best; /* sums */
    double held_sum;
    double held_n;
    double cpu_min, cpu_max; /* of a slice, ns per forward */
    double wanted_in_windows;
    struct slice workers[OPTIONS_WORKERS_MAX]; /* sums */
};

static double per_packet(const struct slice *slice)
{
    return slice->packets > 0 ? slice->cpu_ns / slice->packets : NAN;
}

static void slice_add(struct slice *sum, const struct slice *one)
{
    sum->cpu_ns += one->cpu_ns;
    sum->packets += one->packets;
    sum->sends += one->sends;
    sum->syscalls += one->syscalls;
    sum->seconds += one->seconds;
}

/* ---- slices ---- */

/* Mean of what is retained, looked at a few times while media flows. */
static bool look_at_held(struct run *run)
{
    struct relay_counters now;
    if (!relay_counters(&run->stage.relay, &now))
        return false;
    run->held_sum += (double)now.slots_retained * SLOT_BYTES;
    run->held_n++;
    return true;
}

struct look { /* at the relay */
    struct relay_counters totals, workers[OPTIONS_WORKERS_MAX];
    int64_t cpu_ns, workers_cpu_ns[OPTIONS_WORKERS_MAX];
};

static void look_at_cpu(const struct relay *relay, struct look *look)
{
    look->cpu_ns = measure_cpu_ns(&relay->threads);
    for (int i = 0; i < relay->threads.n && i < OPTIONS_WORKERS_MAX; i++)
        look->workers_cpu_ns[i] = measure_thread_cpu_ns(relay->pid, relay->threads.tids[i]);
}

static struct slice slice_of(const struct relay_counters *before,
                             const struct relay_counters *after, int64_t cpu_ns, int64_t cpu_end_ns)
{
    struct slice slice = {
        .cpu_ns = report_figure(cpu_end_ns) - report_figure(cpu_ns),
        .packets = (double)(after->forwarded - before->forwarded + after->resent - before->resent),
        .sends = (double)(after->sends - before->sends),
    };
    double packets_out = (double)(after->packets_out - before->packets_out);
    if (packets_out > 0 && slice.packets > 0) /* RTCP is in both: runs are of RTP */
        slice.sends -= packets_out - slice.packets;
    return slice;
}

static bool relay_slice(struct run *run, double seconds, struct slice *slice)
{
    static struct look before, after;
    struct stage *stage = &run->stage;
    struct relay *relay = &stage->relay;
    uint64_t wanted = stage_wanted(stage);
    if (!relay_worker_counters(relay, &before.totals, before.workers))
        return false;
    look_at_cpu(relay, &before);
    int64_t from_us = clock_now_us();
    atomic_store(&stage->shared->measure, true);
    bool right = stage_publish(stage, seconds, true);
    atomic_store(&stage->shared->measure, false);
    int64_t until_us = clock_now_us();
    look_at_cpu(relay, &after);
    if (!right || !relay_worker_counters(relay, &after.totals, after.workers))
        return false;
    run->wanted_in_windows += (double)(stage_wanted(stage) - wanted);
    *slice = slice_of(&before.totals, &after.totals, before.cpu_ns, after.cpu_ns);
    slice->seconds = (double)(until_us - from_us) / 1e6;
    for (uint32_t i = 0; i < stage->options->workers; i++) {
        struct slice one = slice_of(&before.workers[i], &after.workers[i], before.workers_cpu_ns[i],
                                    after.workers_cpu_ns[i]);
        one.seconds = slice->seconds;
        one.syscalls = (double)(after.workers[i].syscalls - before.workers[i].syscalls);
        slice_add(&run->workers[i], &one);
    }
    return true;
}

static bool limit_slice(struct stage *stage, double seconds, struct limit_runs runs,
                        struct slice *slice)
{
    struct shared *shared = stage->shared;
    uint64_t packets = shared->limit_packets, sends = shared->limit_sends;
    int64_t cpu_ns = measure_cpu_ns(&stage->limit_threads), from_us = clock_now_us();
    atomic_store(&shared->limit_audio_run_q8, runs.audio_q8);
    atomic_store(&shared->limit_run_q8, runs.video_q8);
    bool right = stage_wait(stage, seconds);
    atomic_store(&shared->limit_run_q8, 0);
    right = right && stage_wait(stage, 0.06);
    *slice = (struct slice){
        .cpu_ns = report_figure(measure_cpu_ns(&stage->limit_threads)) - report_figure(cpu_ns),
        .packets = (double)(shared->limit_packets - packets),
        .sends = (double)(shared->limit_sends - sends),
        .seconds = (double)(clock_now_us() - from_us) / 1e6,
    };
    return right;
}

/* The relay, then the limit with the relay's run lengths, then with whole frames. */
static bool one_pair(struct run *run, double seconds)
{
    struct slice relay, same, best;
    struct pairs *pairs = &run->pairs;
    const struct options *o = run->stage.options;
    const struct scene *scene = &run->stage.shared->scene;
    if (!relay_slice(run, seconds, &relay))
        return false;
    double length = relay.sends > 0 ? relay.packets / relay.sends : 1;
    length = length < 1 ? 1 : length > OPTIONS_BURST_MAX ? OPTIONS_BURST_MAX : length;
    if (!limit_slice(&run->stage, seconds / 2, limit_runs_of(scene, o, length), &same) ||
        !limit_slice(&run->stage, seconds / 2, limit_best_runs(scene, o, length), &best))
        return false;
    double own_ns = per_packet(&relay);
    pairs->same_ns[pairs->n] = per_packet(&same);
    pairs->best_ns[pairs->n] = per_packet(&best);
    pairs->same[pairs->n] = own_ns / per_packet(&same);
    pairs->best[pairs->n] = own_ns / per_packet(&best);
    pairs->n++;
    run->cpu_min = pairs->n == 1 ? own_ns : fmin(own_ns, run->cpu_min);
    run->cpu_max = pairs->n == 1 ? own_ns : fmax(own_ns, run->cpu_max);
    slice_add(&run->relay, &relay);
    slice_add(&run->limit_same, &same);
    slice_add(&run->limit_best, &best);
    return true;
}

/* ---- figures ---- */

static void report_pairs(struct run *run)
{
    struct report *r = run->report;
    struct pairs *pairs = &run->pairs;
    r->pairs = (double)pairs->n;
    r->limit_same_runs_ns = report_median(pairs->same_ns, pairs->n);
    r->limit_best_runs_ns = report_median(pairs->best_ns, pairs->n);
    r->ratio_same_runs = report_median(pairs->same, pairs->n);
    r->ratio_best_runs = report_median(pairs->best, pairs->n);
    if (pairs->n > 0) { /* sorted now */
        r->ratio_same_runs_min = pairs->same[0];
        r->ratio_same_runs_max = pairs->same[pairs->n - 1];
        r->ratio_best_runs_min = pairs->best[0];
        r->ratio_best_runs_max = pairs->best[pairs->n - 1];
    }
    r->limit_same_packets_per_send = run->limit_same.packets / run->limit_same.sends;
    r->limit_best_packets_per_send = run->limit_best.packets / run->limit_best.sends;
    r->forwarded = run->relay.packets;
    r->offered_pps = run->wanted_in_windows / run->relay.seconds;
    r->forwarded_pps = run->relay.packets / run->relay.seconds;
    r->relay_core_share = run->relay.cpu_ns / 1e9 / run->relay.seconds;
    r->cpu_ns_per_forward = per_packet(&run->relay);
    r->cpu_ns_per_forward_min = run->cpu_min;
    r->cpu_ns_per_forward_max = run->cpu_max;
    r->packets_per_send = run->relay.packets / run->relay.sends;
}

static void read_transit(const struct histogram *from, double *p50, double *p99, double *p999)
{
    if (from->n == 0)
        return;
    *p50 = (double)histogram_quantile(from, 0.5) / 1e3;
    *p99 = (double)histogram_quantile(from, 0.99) / 1e3;
    *p999 = (double)histogram_quantile(from, 0.999) / 1e3;
}

/* Of all but side rooms; by kind; of side rooms. */
static void report_transit(struct report *r, const struct shared *shared)
{
    const struct histogram *by = shared->transit_ns;
    struct histogram main = by[SHARED_VIDEO];
    histogram_merge(&main, &by[SHARED_AUDIO]);
    read_transit(&main, &r->transit_p50_us, &r->transit_p99_us, &r->transit_p999_us);
    read_transit(&by[SHARED_VIDEO], &r->transit_video_p50_us, &r->transit_video_p99_us,
                 &r->transit_video_p999_us);
    read_transit(&by[SHARED_AUDIO], &r->transit_audio_p50_us, &r->transit_audio_p99_us,
                 &r->transit_audio_p999_us);
    read_transit(&by[SHARED_SIDE], &r->side_transit_p50_us, &r->side_transit_p99_us,
                 &r->side_transit_p999_us);
    main = shared->arrival_ns[SHARED_VIDEO];
    histogram_merge(&main, &shared->arrival_ns[SHARED_AUDIO]);
    read_transit(&main, &r->arrival_p50_us, &r->arrival_p99_us, &r->arrival_p999_us);
    read_transit(&shared->arrival_ns[SHARED_SIDE], &r->side_arrival_p50_us, &r->side_arrival_p99_us,
                 &r->side_arrival_p999_us);
}

static void report_workers(struct run *run)
{
    struct report *r = run->report;
    r->workers_known = run->stage.options->workers;
    for (size_t i = 0; i < r->workers_known; i++) {
        const struct slice *one = &run->workers[i];
        r->workers[i] = (struct report_worker){
            .forwarded = one->packets,
            .forwarded_pps = one->packets / one->seconds,
            .core_share = one->cpu_ns / 1e9 / one->seconds,
            .cpu_ns_per_packet = per_packet(one),
            .packets_per_send = one->packets / one->sends,
            .syscalls_per_packet = one->syscalls / one->packets,
        };
    }
}

/* Each receiver is to have every packet of its room. */
static void report_arrivals(struct run *run)
{
    struct report *r = run->report;
    const struct shared *shared = run->stage.shared;
    struct stage_sums sums;
    stage_sum(&run->stage, &sums);
    double wanted = (double)stage_wanted(&run->stage);
    double limit_sent = run->limit_same.packets + run->limit_best.packets;
    r->published = (double)shared->published;
    r->publish_late = (double)shared->publish_late;
    r->publish_refused = (double)shared->publish_refused;
    r->received = (double)sums.received;
    r->lost = wanted - (double)sums.received - (double)sums.recovered;
    r->lost_share = wanted > 0 ? r->lost / wanted : NAN;
    r->lost_on_wire = (double)sums.lost_on_wire;
    r->recovered = (double)sums.recovered;
    if (sums.lost_on_wire > 0)
        r->recovered_share = (double)sums.recovered_thrown / (double)sums.lost_on_wire;
    r->nack_requested = (double)sums.nack_requested;
    r->nack_served = (double)sums.nack_served;
    r->nack_late = (double)sums.nack_late;
    r->keyframes_requested = (double)sums.keyframes_requested;
    r->foreign = (double)sums.foreign;
    r->limit_arrived_share = limit_sent > 0 ? (double)sums.limit / limit_sent : NAN;
}

static bool report_relay(struct run *run)
{
    struct report *r = run->report;
    const struct options *o = run->stage.options;
    struct relay_counters now, workers[OPTIONS_WORKERS_MAX];
    if (!relay_worker_counters(&run->stage.relay, &now, workers))
        return false;
    for (uint32_t i = 0; i < o->workers; i++) {
        r->workers[i].kernel_drops = (double)workers[i].kernel_drops;
        r->workers[i].dropped = (double)workers[i].drops;
    }
    json_decref(r->drops);
    r->drops = relay_drops(&run->stage.relay);
    r->kernel_drops = (double)now.kernel_drops;
    r->nack_missed = (double)now.nack_missed;
    if (!o->nack)
        return true;
    r->rtt_ms = rooms_rtt_ms(&run->stage.rooms);
    r->retention_ms =
        (double)retain_duration_us(&retain_rule_default, (int64_t)(r->rtt_ms * 1e3)) / 1e3;
    return true;
}

/* ---- the measured run ---- */

/* What can be asked for again: video. */
static uint64_t published_video(const struct stage *stage)
{
    const struct scene *scene = &stage->shared->scene;
    uint64_t packets = 0;
    for (uint32_t i = 0; i < scene->tracks_n; i++)
        if (scene->tracks[i].kind == SCENE_VIDEO)
            packets += stage->shared->tracks[i].published;
    return packets;
}

/* What is held, and memory, while media flows; between two slices, not in them. */
static bool steady(struct run *run, int64_t kernel_idle)
{
    struct stage *stage = &run->stage;
    struct report *r = run->report;
    uint64_t published = published_video(stage);
    int64_t from_us = clock_now_us();
    atomic_store(&stage->shared->publish, true);
    bool right = stage_wait(stage, 1);
    for (int i = 0; right && i < 20; i++)
        right = look_at_held(run) && stage_wait(stage, 0.0533);
    r->mem_steady_bytes = report_figure(measure_memory_bytes(stage->relay.pid));
    r->kernel_mem_bytes = report_figure(measure_kernel_bytes()) - report_figure(kernel_idle);
    double pps =
        (double)(published_video(stage) - published) / ((double)(clock_now_us() - from_us) / 1e6);
    right = right && report_relay(run);
    atomic_store(&stage->shared->publish, false);
    right = right && stage_wait(stage, 0.1);
    r->held_bytes = run->held_n > 0 ? run->held_sum / run->held_n : NAN;
    if (stage->options->nack) {
        r->held_expected_bytes = pps * r->retention_ms / 1e3 * SLOT_BYTES;
        r->held_ratio = r->held_bytes / r->held_expected_bytes;
    }
    r->bytes_per_consumer = (r->mem_steady_bytes - r->mem_idle_bytes) / r->consumers;
    return right;
}

static bool close_rooms(struct run *run)
{
    struct report *r = run->report;
    if (!rooms_close(&run->stage.rooms) || !stage_wait(&run->stage, CLOSED_S))
        return false;
    r->mem_after_close_bytes = report_figure(measure_memory_bytes(run->stage.relay.pid));
    r->objects_after_close = (double)relay_objects(&run->stage.relay);
    return true;
}

/* Transports and producers, then consumers: what each of them takes, before media. */
static bool join(struct run *run)
{
    struct stage *stage = &run->stage;
    struct report *r = run->report;
    const struct scene *scene = &stage->shared->scene;
    r->consumers = scene->streams_n;
    r->transports = scene->participants_n;
    r->producers = scene->tracks_n;
    if (!stage_join(stage) || !stage_wait(stage, SETTLE_S))
        return false;
    r->mem_transports_bytes = report_figure(measure_memory_bytes(stage->relay.pid));
    if (!stage_consume(stage) || !stage_wait(stage, SETTLE_S))
        return false;
    r->suite = (enum seal_suite)atomic_load(&stage->shared->suite);
    r->mem_setup_bytes = report_figure(measure_memory_bytes(stage->relay.pid));
    r->bytes_per_transport = (r->mem_transports_bytes - r->mem_idle_bytes) / r->transports;
    r->bytes_per_consumer_added = (r->mem_setup_bytes - r->mem_transports_bytes) / r->consumers;
    return true;
}

static bool measure(struct run *run)
{
    struct stage *stage = &run->stage;
    struct report *r = run->report;
    const struct options *o = stage->options;
    if (!stage_start_relay(stage, false) || !stage_wait(stage, 0.2))
        return false;
    snprintf(r->engine, sizeof r->engine, "%s", stage->relay.engine);
    int64_t kernel_idle = measure_kernel_bytes();
    r->mem_idle_bytes = report_figure(measure_memory_bytes(stage->relay.pid));
    if (!join(run) || !stage_start_limit(stage))
        return false;
    if (!stage_publish(stage, o->warmup_s, false))
        return false;
    for (uint32_t i = 0; i < o->pairs; i++)
        if (!one_pair(run, o->seconds / o->pairs))
            return false;
    report_pairs(run);
    report_workers(run);
    if (!steady(run, kernel_idle))
        return false;
    report_transit(r, stage->shared);
    report_arrivals(run);
    return close_rooms(run);
}

/* ---- the counting run ---- */

/* System calls and heap calls of the workers in a steady window, without the limit. */
static bool count_calls(struct run *run)
{
    struct stage *stage = &run->stage;
    const struct options *o = stage->options;
    struct report *r = run->report;
    struct measure_syscalls counter;
    struct slice slice;
    struct relay_counters before, after;
    if (!stage_start_relay(stage, true) || !stage_join(stage) || !stage_consume(stage) ||
        !stage_publish(stage, o->warmup_s < COUNT_S ? COUNT_S : o->warmup_s, false) ||
        !relay_counters(&stage->relay, &before))
        return false;
    int error = measure_syscalls_open(&counter, &stage->relay.threads);
    if (error != 0)
        fprintf(stderr,
                "sluice-perf: system calls are not counted: %s (needs the tracepoint "
                "raw_syscalls:sys_enter: root, or CAP_PERFMON and tracefs)\n",
                strerror(-error));
    int64_t heap = relay_heap_calls(&stage->relay);
    if (heap == MEASURE_NONE)
        fprintf(stderr,
                "sluice-perf: heap calls are not counted: %s is not beside this program, "
                "or the relay does not load it\n",
                HEAPCOUNT_LIBRARY);
    if (!relay_slice(run, o->seconds < COUNT_S ? o->seconds : COUNT_S, &slice) ||
        !relay_counters(&stage->relay, &after))
        return false;
    if (error == 0)
        r->syscalls_per_forward = report_figure(measure_syscalls_read(&counter)) / slice.packets;
    measure_syscalls_close(&counter);
    if (heap != MEASURE_NONE) {
        r->heap_calls = (double)(relay_heap_calls(&stage->relay) - heap);
        r->heap_calls_per_forward = r->heap_calls / slice.packets;
    }
    r->engine_syscalls_per_forward = (double)(after.syscalls - before.syscalls) / slice.packets;
    return true;
}

int fanout_run(const struct options *options)
{
    static struct run run, counting;
    struct report report;
    report_init(&report, options);
    report.workers_n = options->workers;
    run.report = counting.report = &report;
    bool right = stage_open(&run.stage, options) && measure(&run);
    stage_close(&run.stage);
    if (right && options->count) {
        right = stage_open(&counting.stage, options) && count_calls(&counting);
        stage_close(&counting.stage);
    }
    return right && report_write(&report) ? 0 : 1;
}

/* ---- the limit alone ---- */

int fanout_run_limit(const struct options *options)
{
    static struct run run;
    struct report report;
    struct slice slice;
    struct stage *stage = &run.stage;
    report_init(&report, options);
    report.consumers = options->consumers;
    run.report = &report;
    double length = options->run > 0 ? options->run : options->burst;
    struct limit_runs runs = {0};
    bool right = stage_open(stage, options) && stage_start_limit(stage);
    if (right) {
        runs = limit_runs_of(&stage->shared->scene, options, length);
        right = limit_slice(stage, options->warmup_s, runs, &slice);
    }
    double values[PAIRS_MAX];
    for (uint32_t i = 0; right && i < options->pairs; i++) {
        right = limit_slice(stage, options->seconds / options->pairs, runs, &slice);
        values[i] = per_packet(&slice);
        slice_add(&run.limit_same, &slice);
    }
    if (right) {
        struct stage_sums sums;
        stage_sum(stage, &sums);
        report.pairs = options->pairs;
        report.limit_same_runs_ns = report_median(values, options->pairs);
        report.limit_same_packets_per_send = run.limit_same.packets / run.limit_same.sends;
        report.limit_arrived_share = (double)sums.limit / (double)stage->shared->limit_packets;
        report.offered_pps = run.limit_same.packets / run.limit_same.seconds;
        snprintf(report.engine, sizeof report.engine, "%s",
                 options->engine == IO_ENGINE_MMSG ? "mmsg" : "uring");
    }
    stage_close(stage);
    return right && report_write(&report) ? 0 : 1;
}
