/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/targets.c - the table of targets, and the arithmetic of a row. */
#include "perf/targets.h"

#include "perf/report.h"

#include <math.h>
#include <stdio.h>

enum { RUNS_MAX = 99, TEXT_BYTES = 96 };

#define KIB   1024.0 /* in bytes */
#define MIB   1048576.0
#define MB    1e6
#define MS    1000.0 /* in us */
#define MOST  false  /* at_least */
#define LEAST true

/* A figure of one scene; the growth of one over another; the slope over two or three scenes. */
#define VALUE(id, what, unit, at_least, bound, scale, scene, key)                                  \
    {                                                                                              \
        id, what, unit, at_least, bound, scale, TARGETS_VALUE, {scene}, key, NULL, NULL, NULL      \
    }
#define GROWTH(id, what, unit, bound, scale, scene, key, other)                                    \
    {                                                                                              \
        id, what, unit, MOST, bound, scale, TARGETS_GROWTH, {scene}, key, other, NULL, NULL        \
    }
#define SLOPE(id, what, unit, bound, scale, key, less, other, ...)                                 \
    {                                                                                              \
        id, what, unit, MOST, bound, scale, TARGETS_SLOPE, {__VA_ARGS__}, key, other, less, NULL   \
    }
#define RATIO(id, what, unit, bound, key, ...)                                                     \
    {                                                                                              \
        id, what, unit, MOST, bound, 1, TARGETS_RATIO, {__VA_ARGS__}, key, NULL, NULL, NULL        \
    }
#define ELSEWHERE(id, what, unit, bound, why)                                                      \
    {                                                                                              \
        id, what, unit, MOST, bound, 1, TARGETS_VALUE, {NULL}, NULL, NULL, NULL, why               \
    }

const struct target targets[] = {
    VALUE("cpu-same", "CPU per packet / limit with the same runs, 100 receivers, GCM-128", "x",
          MOST, 1.25, 1, "fanout-100", "ratio_same_runs"),
    VALUE("cpu-best", "the same / limit with the longest runs", "x", MOST, 1.5, 1, "fanout-100",
          "ratio_best_runs"),
    VALUE("rate-single", "packets/s of a core, packet by packet, loss at most 0.1 %", "packets/s",
          LEAST, 270000, 1, "saturate-single", "pps_per_core"),
    VALUE("rate-frames", "packets/s of a core, frames of 7", "packets/s", LEAST, 530000, 1,
          "saturate-frames", "pps_per_core"),
    VALUE("rate-equal", "packets/s of a core, frames of 7 of one size", "packets/s", LEAST, 640000,
          1, "saturate-equal", "pps_per_core"),
    VALUE("syscalls", "system calls per packet", "", MOST, 0.05, 1, "single-100",
          "syscalls_per_forward"),
    VALUE("heap", "heap calls per packet", "", MOST, 0, 1, "single-100", "heap_calls_per_forward"),
    ELSEWHERE("instructions", "user-space instructions per packet, no cipher, NACK on", "", 600,
              "by callgrind, not by a scene of the report: perf/instructions.sh"),
    SLOPE("memory-consumer", "memory per receiver, plain transport of its own, NACK on", "KiB", 4,
          KIB, "mem_steady_bytes", NULL, "consumers", "memory-100", "memory-300"),
    SLOPE("memory-idle-13", "memory per idle WebRTC transport, DTLS 1.3", "KiB", 12, KIB,
          "mem_joined_bytes", NULL, "peers", "idle-13-100", "idle-13-300", "idle-13-1000"),
    SLOPE("memory-idle-12", "memory per idle WebRTC transport, DTLS 1.2", "KiB", 16, KIB,
          "mem_joined_bytes", NULL, "peers", "idle-12-100", "idle-12-300", "idle-12-1000"),
    SLOPE("memory-added", "memory per consumer on a WebRTC transport", "KiB", 2, KIB,
          "mem_setup_bytes", "mem_transports_bytes", "consumers", "added-98", "added-294",
          "added-980"),
    VALUE("memory-idle", "memory of an idle relay", "MiB", MOST, 4, MIB, "memory-100",
          "mem_idle_bytes"),
    GROWTH("memory-5", "5 people with audio and 720p30 video, SRTP: memory over idle", "MiB", 1.5,
           MIB, "room-5", "mem_steady_bytes", "mem_idle_bytes"),
    GROWTH("memory-50", "50 people, 10 send: memory over idle", "MB", 6, MB, "room-50",
           "mem_steady_bytes", "mem_idle_bytes"),
    GROWTH("memory-closed", "the same room closed: memory over idle", "MiB", 1, MIB, "room-50",
           "mem_after_close_bytes", "mem_idle_bytes"),
    VALUE("transit-50k-p50", "transit at 50,000 packets/s, median", "ms", MOST, 0.5, MS,
          "transit-50k", "transit_p50_us"),
    VALUE("transit-50k-p99", "transit at 50,000 packets/s, 99 %", "ms", MOST, 1.5, MS,
          "transit-50k", "transit_p99_us"),
    VALUE("transit-50k-p999", "transit at 50,000 packets/s, 99.9 %", "ms", MOST, 5, MS,
          "transit-50k", "transit_p999_us"),
    VALUE("transit-110k-p50", "transit at 110,000 packets/s, median", "ms", MOST, 0.5, MS,
          "transit-110k", "transit_p50_us"),
    VALUE("transit-110k-p99", "transit at 110,000 packets/s, 99 %", "ms", MOST, 1.5, MS,
          "transit-110k", "transit_p99_us"),
    VALUE("transit-110k-p999", "transit at 110,000 packets/s, 99.9 %", "ms", MOST, 5, MS,
          "transit-110k", "transit_p999_us"),
    VALUE("room-same", "room of 50, 10 send: CPU per packet / limit with the same runs", "x", MOST,
          1.25, 1, "room-50", "ratio_same_runs"),
    VALUE("room-best", "the same / limit with the longest runs", "x", MOST, 1.5, 1, "room-50",
          "ratio_best_runs"),
    VALUE("room-runs", "packets per send in a room, frames together", "", LEAST, 5, 1,
          "room-50-together", "packets_per_send"),
    RATIO("room-workers", "one room over 2 workers: CPU per packet against 1", "x", 1.1,
          "cpu_ns_per_forward", "room-50-workers", "room-50"),
    VALUE("beside-1000", "rooms beside 1000 viewers of one stream: transit, 99.9 %", "ms", MOST, 5,
          MS, "broadcast-1000", "side_transit_p999_us"),
    VALUE("beside-2000", "rooms beside 2000 viewers of one stream: transit, 99.9 %", "ms", MOST, 5,
          MS, "broadcast-2000", "side_transit_p999_us"),
    VALUE("churn", "objects left after a minute of joins and leaves", "", MOST, 0, 1, "churn",
          "objects_after_close"),
    ELSEWHERE("soak", "soak with sequence and timestamp wraps: growth", "", 0,
              "hours of stream time, no scene of the report: test/integration/soak_echo.py"),
};
const size_t targets_n = ARRAY_N(targets);

/* ---- figures ---- */

static double figure(const json_t *run, const char *key)
{
    const json_t *value = json_object_get(run, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const json_t *find_scene(const json_t *scenes, const char *name)
{
    size_t i;
    json_t *scene;
    json_array_foreach((json_t *)(uintptr_t)scenes, i, scene)
    {
        const char *its = json_string_value(json_object_get(scene, "name"));
        if (its != NULL && strcmp(its, name) == 0)
            return scene;
    }
    return NULL;
}

static const json_t *run_of(const json_t *scene, size_t run)
{
    return json_array_get(json_object_get(scene, "runs"), run);
}

/* Slope of least squares; NAN for less than two points. */
static double slope(const double *x, const double *y, size_t n)
{
    double mean_x = 0, mean_y = 0, over = 0, under = 0;
    for (size_t i = 0; i < n; i++) {
        mean_x += x[i] / (double)n;
        mean_y += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        over += (x[i] - mean_x) * (y[i] - mean_y);
        under += (x[i] - mean_x) * (x[i] - mean_x);
    }
    return under > 0 ? over / under : NAN;
}

/* Of the runs with this number. */
static double value_of_run(const struct target *target, const json_t *const *scenes, size_t n,
                           size_t run)
{
    const json_t *first = run_of(scenes[0], run);
    double x[TARGETS_SCENES_MAX], y[TARGETS_SCENES_MAX];
    switch (target->operation) {
    case TARGETS_VALUE:
        return figure(first, target->key);
    case TARGETS_GROWTH:
        return figure(first, target->key) - figure(first, target->other);
    case TARGETS_RATIO:
        return figure(first, target->key) / figure(run_of(scenes[1], run), target->key);
    case TARGETS_SLOPE:
        for (size_t i = 0; i < n; i++) {
            x[i] = figure(run_of(scenes[i], run), target->other);
            y[i] = figure(run_of(scenes[i], run), target->key);
            if (target->less != NULL)
                y[i] -= figure(run_of(scenes[i], run), target->less);
        }
        return slope(x, y, n);
    }
    return NAN;
}

struct measured {
    double value, low, high; /* in the target's unit; NAN */
    size_t runs;
    const char *note; /* why there is no value */
};

/* What one run says of its own spread. */
static void spread_of_one(const struct target *target, const json_t *run, struct measured *m)
{
    char key[TEXT_BYTES];
    m->low = m->high = m->value;
    if (target->operation != TARGETS_VALUE)
        return;
    snprintf(key, sizeof key, "%s_min", target->key);
    double low = figure(run, key) / target->scale;
    snprintf(key, sizeof key, "%s_max", target->key);
    double high = figure(run, key) / target->scale;
    if (low <= m->value && m->value <= high) { /* both are known */
        m->low = low;
        m->high = high;
    }
}

static struct measured measure(const struct target *target, const json_t *all)
{
    struct measured m = {NAN, NAN, NAN, 0, target->without};
    const json_t *scenes[TARGETS_SCENES_MAX];
    double values[RUNS_MAX];
    size_t n = 0, runs = RUNS_MAX;
    for (; n < TARGETS_SCENES_MAX && target->scenes[n] != NULL; n++) {
        scenes[n] = find_scene(all, target->scenes[n]);
        const char *note = json_string_value(json_object_get(scenes[n], "note"));
        size_t its = json_array_size(json_object_get(scenes[n], "runs"));
        if (its == 0) {
            m.note = scenes[n] == NULL ? "its scene was left out" : note;
            return m;
        }
        runs = its < runs ? its : runs;
    }
    if (n == 0)
        return m;
    for (; m.runs < runs; m.runs++) {
        values[m.runs] = value_of_run(target, scenes, n, m.runs) / target->scale;
        if (isnan(values[m.runs])) {
            m.note = "the system did not give it, or the scene does not";
            return m;
        }
    }
    m.value = report_median(values, runs); /* sorts */
    m.low = values[0];
    m.high = values[runs - 1];
    if (runs == 1)
        spread_of_one(target, run_of(scenes[0], 0), &m);
    return m;
}

/* ---- rows ---- */

static const char *verdict_of(const struct target *target, const struct measured *m)
{
    if (isnan(m->value))
        return "unmeasured";
    bool low = target->at_least ? m->low >= target->bound : m->low <= target->bound;
    bool high = target->at_least ? m->high >= target->bound : m->high <= target->bound;
    return low && high ? "reached" : low || high ? "open" : "missed";
}

/* Three digits that count, thousands marked; a bound of few digits as it is. */
static void print_number(char text[TEXT_BYTES], double value)
{
    double size = fabs(value);
    if (size < 1000) {
        int digits = size >= 100 || floor(size) == size ? 0 : size >= 10 ? 1 : 2;
        if (fabs(value * 100 - round(value * 100)) > 1e-9 && size < 0.1)
            digits = 4;
        snprintf(text, TEXT_BYTES, "%.*f", digits, value);
        return;
    }
    long long whole = llround(size);
    const char *sign = value < 0 ? "-" : "";
    if (whole >= 1000000)
        snprintf(text, TEXT_BYTES, "%s%lld,%03lld,%03lld", sign, whole / 1000000,
                 whole / 1000 % 1000, whole % 1000);
    else
        snprintf(text, TEXT_BYTES, "%s%lld,%03lld", sign, whole / 1000, whole % 1000);
}

static json_t *target_text(const struct target *target)
{
    char number[TEXT_BYTES];
    print_number(number, target->bound);
    return json_sprintf("%s %s%s%s", target->at_least ? ">=" : "<=", number,
                        *target->unit ? " " : "", target->unit);
}

static json_t *measured_text(const struct target *target, const struct measured *m)
{
    char value[TEXT_BYTES], low[TEXT_BYTES], high[TEXT_BYTES];
    if (isnan(m->value))
        return json_string("");
    print_number(value, m->value);
    print_number(low, m->low);
    print_number(high, m->high);
    const char *blank = *target->unit ? " " : "";
    if (m->low < m->high)
        return json_sprintf("%s%s%s (%s to %s)", value, blank, target->unit, low, high);
    return json_sprintf("%s%s%s", value, blank, target->unit);
}

/* The scenes' commands, one after another. */
static json_t *commands(const struct target *target, const json_t *all)
{
    json_t *list = json_array();
    for (size_t i = 0; i < TARGETS_SCENES_MAX && target->scenes[i] != NULL; i++) {
        json_t *command = json_object_get(find_scene(all, target->scenes[i]), "command");
        if (command != NULL)
            json_array_append(list, command);
    }
    return list;
}

static json_t *known(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *row_of(const struct target *target, const json_t *scenes, const json_t *baseline,
                      bool quick)
{
    const json_t *figures = json_object_get(baseline, "figures");
    const char *quoted = json_string_value(json_object_get(figures, target->id));
    struct measured m = measure(target, scenes);
    const char *verdict = quick ? "unmeasured" : verdict_of(target, &m);
    if (quick && !isnan(m.value))
        m.note = "a quick run measures less than the target is about";
    bool reached = strcmp(verdict, "reached") == 0, missed = strcmp(verdict, "missed") == 0;
    return json_pack("{s:s, s:s, s:s, s:o, s:s?, s:o, s:o, s:o, s:o, s:I, s:s, s:o, s:o, s:s?}",
                     "id", target->id, "what", target->what, "unit", target->unit, "target",
                     target_text(target), "mediasoup", quoted, "measured",
                     measured_text(target, &m), "value", known(m.value), "low", known(m.low),
                     "high", known(m.high), "runs", (json_int_t)m.runs, "verdict", verdict,
                     "reached",
                     reached  ? json_true()
                     : missed ? json_false()
                              : json_null(),
                     "commands", commands(target, scenes), "note", m.note);
}

json_t *targets_evaluate(const json_t *scenes, const json_t *baseline, bool quick)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < targets_n; i++)
        json_array_append_new(rows, row_of(&targets[i], scenes, baseline, quick));
    return rows;
}

static const char *text_of(const json_t *row, const char *key, const char *none)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL && *text != '\0' ? text : none;
}

void targets_print_markdown(const json_t *rows, FILE *to)
{
    static const char *const words[][2] = {{"reached", "yes"},
                                           {"missed", "**no**"},
                                           {"open", "open: the spread contains it"},
                                           {"unmeasured", "not measured"}};
    size_t i;
    json_t *row;
    fputs("| what | mediasoup | target | measured | reached |\n|---|---|---|---|---|\n", to);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const char *verdict = text_of(row, "verdict", "unmeasured"), *word = verdict;
        for (size_t k = 0; k < ARRAY_N(words); k++)
            word = strcmp(words[k][0], verdict) == 0 ? words[k][1] : word;
        fprintf(to, "| %s | %s | %s | %s | %s |\n", text_of(row, "what", ""),
                text_of(row, "mediasoup", ""), text_of(row, "target", ""),
                text_of(row, "measured", "-"), word);
    }
}
