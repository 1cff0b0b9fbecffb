/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/fanout.c - slices of relay and limit, and what they add up to. */
#include "perf/fanout.h"

#include "core/clock.h"
#include "perf/report.h"
#include "perf/stage.h"
#include "rtp/retain.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

enum { CLOSED_S = 3, COUNT_S = 3, PAIRS_MAX = 99, HELD_SAMPLES_MAX = 4096 };

/* One slice of anybody who sends. */
struct slice {
    double cpu_ns, packets, sends, seconds;
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
    double published_in_windows;
};

static double figure(int64_t value)
{
    return value == MEASURE_NONE ? NAN : (double)value;
}

static double per_packet(const struct slice *slice)
{
    return slice->packets > 0 ? slice->cpu_ns / slice->packets : NAN;
}

static void slice_add(struct slice *sum, const struct slice *one)
{
    sum->cpu_ns += one->cpu_ns;
    sum->packets += one->packets;
    sum->sends += one->sends;
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

static bool relay_slice(struct run *run, double seconds, struct slice *slice)
{
    struct stage *stage = &run->stage;
    struct relay_counters before, after;
    uint64_t published = stage->shared->published;
    if (!relay_counters(&stage->relay, &before))
        return false;
    int64_t cpu_ns = measure_cpu_ns(&stage->relay.threads);
    int64_t from_us = clock_now_us();
    atomic_store(&stage->shared->measure, true);
    bool right = stage_publish(stage, seconds, true);
    atomic_store(&stage->shared->measure, false);
    int64_t until_us = clock_now_us();
    int64_t cpu_end_ns = measure_cpu_ns(&stage->relay.threads);
    if (!right || !relay_counters(&stage->relay, &after))
        return false;
    run->published_in_windows += (double)(stage->shared->published - published);
    *slice = (struct slice){
        .cpu_ns = figure(cpu_end_ns) - figure(cpu_ns),
        .packets = (double)(after.forwarded - before.forwarded + after.resent - before.resent),
        .sends = (double)(after.sends - before.sends),
        .seconds = (double)(until_us - from_us) / 1e6,
    };
    double packets_out = (double)(after.packets_out - before.packets_out);
    if (packets_out > 0 && slice->packets > 0) /* RTCP is in both: runs are of RTP */
        slice->sends -= packets_out - slice->packets;
    return true;
}

static bool limit_slice(struct stage *stage, double seconds, double run_length, struct slice *slice)
{
    struct shared *shared = stage->shared;
    uint64_t packets = shared->limit_packets, sends = shared->limit_sends;
    int64_t cpu_ns = measure_cpu_ns(&stage->limit_threads), from_us = clock_now_us();
    atomic_store(&shared->limit_run_q8, (uint32_t)lround(run_length * 256));
    bool right = stage_wait(stage, seconds);
    atomic_store(&shared->limit_run_q8, 0);
    right = right && stage_wait(stage, 0.06);
    *slice = (struct slice){
        .cpu_ns = figure(measure_cpu_ns(&stage->limit_threads)) - figure(cpu_ns),
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
    double burst = run->stage.options->burst;
    if (!relay_slice(run, seconds, &relay))
        return false;
    double length = relay.sends > 0 ? relay.packets / relay.sends : 1;
    length = length < 1 ? 1 : length > OPTIONS_BURST_MAX ? OPTIONS_BURST_MAX : length;
    if (!limit_slice(&run->stage, seconds / 2, length, &same) ||
        !limit_slice(&run->stage, seconds / 2, length > burst ? length : burst, &best))
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
    r->offered_pps = run->published_in_windows * run->stage.options->consumers / run->relay.seconds;
    r->forwarded_pps = run->relay.packets / run->relay.seconds;
    r->relay_core_share = run->relay.cpu_ns / 1e9 / run->relay.seconds;
    r->cpu_ns_per_forward = per_packet(&run->relay);
    r->cpu_ns_per_forward_min = run->cpu_min;
    r->cpu_ns_per_forward_max = run->cpu_max;
    r->packets_per_send = run->relay.packets / run->relay.sends;
}

static void report_transit(struct report *r, const struct shared *shared)
{
    if (shared->transit_ns.n == 0)
        return;
    r->transit_p50_us = (double)histogram_quantile(&shared->transit_ns, 0.5) / 1e3;
    r->transit_p99_us = (double)histogram_quantile(&shared->transit_ns, 0.99) / 1e3;
    r->transit_p999_us = (double)histogram_quantile(&shared->transit_ns, 0.999) / 1e3;
    r->arrival_p50_us = (double)histogram_quantile(&shared->arrival_ns, 0.5) / 1e3;
    r->arrival_p99_us = (double)histogram_quantile(&shared->arrival_ns, 0.99) / 1e3;
}

/* Each receiver is to have every packet of its room. */
static void report_arrivals(struct run *run)
{
    struct report *r = run->report;
    const struct shared *shared = run->stage.shared;
    struct stage_sums sums;
    stage_sum(&run->stage, &sums);
    double wanted = (double)shared->published * run->stage.options->consumers;
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
        r->recovered_share = (double)sums.recovered / (double)sums.lost_on_wire;
    r->nack_requested = (double)sums.nack_requested;
    r->nack_served = (double)sums.nack_served;
    r->nack_late = (double)sums.nack_late;
    r->foreign = (double)sums.foreign;
    r->limit_arrived_share = limit_sent > 0 ? (double)sums.limit / limit_sent : NAN;
}

static bool report_relay(struct run *run)
{
    struct report *r = run->report;
    const struct options *o = run->stage.options;
    struct relay_counters now;
    if (!relay_counters(&run->stage.relay, &now))
        return false;
    r->kernel_drops = (double)now.kernel_drops;
    r->nack_missed = (double)now.nack_missed;
    if (!o->nack)
        return true;
    r->rtt_ms = relay_rtt_ms(&run->stage.relay, o);
    r->retention_ms =
        (double)retain_duration_us(&retain_rule_default, (int64_t)(r->rtt_ms * 1e3)) / 1e3;
    return true;
}

/* ---- the measured run ---- */

/* What is held, and memory, while media flows; between two slices, not in them. */
static bool steady(struct run *run, int64_t kernel_idle)
{
    struct stage *stage = &run->stage;
    struct report *r = run->report;
    uint64_t published = stage->shared->published;
    int64_t from_us = clock_now_us();
    atomic_store(&stage->shared->publish, true);
    bool right = stage_wait(stage, 1);
    for (int i = 0; right && i < 20; i++)
        right = look_at_held(run) && stage_wait(stage, 0.0533);
    r->mem_steady_bytes = figure(measure_memory_bytes(stage->relay.pid));
    r->kernel_mem_bytes = figure(measure_kernel_bytes()) - figure(kernel_idle);
    double pps = (double)(stage->shared->published - published) /
                 ((double)(clock_now_us() - from_us) / 1e6) * stage->options->workers;
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
    if (!relay_close_rooms(&run->stage.relay, run->stage.options) ||
        !stage_wait(&run->stage, CLOSED_S))
        return false;
    r->mem_after_close_bytes = figure(measure_memory_bytes(run->stage.relay.pid));
    r->objects_after_close = (double)relay_objects(&run->stage.relay);
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
    r->mem_idle_bytes = figure(measure_memory_bytes(stage->relay.pid));
    if (!stage_join(stage) || !stage_start_limit(stage))
        return false;
    r->mem_setup_bytes = figure(measure_memory_bytes(stage->relay.pid));
    if (!stage_publish(stage, o->warmup_s, false))
        return false;
    for (uint32_t i = 0; i < o->pairs; i++)
        if (!one_pair(run, o->seconds / o->pairs))
            return false;
    if (!steady(run, kernel_idle))
        return false;
    report_pairs(run);
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
    if (!stage_start_relay(stage, true) || !stage_join(stage) ||
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
        r->syscalls_per_forward = figure(measure_syscalls_read(&counter)) / slice.packets;
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
    report.consumers = options->consumers;
    report.workers = options->workers;
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
    bool right = stage_open(stage, options) && stage_start_limit(stage) &&
                 limit_slice(stage, options->warmup_s, length, &slice);
    double values[PAIRS_MAX];
    for (uint32_t i = 0; right && i < options->pairs; i++) {
        right = limit_slice(stage, options->seconds / options->pairs, length, &slice);
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
