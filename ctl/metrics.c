/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/metrics.c - counters as Prometheus text and as JSON. */
#include "ctl/metrics.h"

#include "core/clock.h"
#include "core/drop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum metric_type { METRIC_C, METRIC_G };

/* Field by name of both lists, so that one loop writes each. */
struct metric {
    enum metric_type type;
    const char *name, *help;
    size_t at;
};

static const struct metric worker_metrics[] = {
#define WORKER_ROW(type_, name_, help_)                                                            \
    {.type = METRIC_##type_,                                                                       \
     .name = #name_,                                                                               \
     .help = (help_),                                                                              \
     .at = offsetof(struct worker_counters, name_)},
    WORKER_COUNTER_LIST(WORKER_ROW)
#undef WORKER_ROW
};

static const struct metric control_metrics[] = {
#define CONTROL_ROW(type_, name_, help_)                                                           \
    {.type = METRIC_##type_,                                                                       \
     .name = #name_,                                                                               \
     .help = (help_),                                                                              \
     .at = offsetof(struct control_count, name_)},
    CONTROL_COUNTER_LIST(CONTROL_ROW)
#undef CONTROL_ROW
};

static uint64_t worker_value(const struct worker_counters *counters, const struct metric *metric)
{
    const _Atomic uint64_t *value =
        (const _Atomic uint64_t *)(const void *)((const char *)counters + metric->at);
    return atomic_load_explicit(value, memory_order_relaxed);
}

static uint64_t control_value(const struct control *control, const struct metric *metric)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)&control->count + metric->at, sizeof(value));
    return value;
}

static uint64_t drop_value(const struct worker_counters *counters, size_t why)
{
    return atomic_load_explicit(&counters->drops[why], memory_order_relaxed);
}

uint64_t metrics_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    uint64_t all = 0, resident = 0;
    if (!file)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &all, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void control_gauges(struct control *control)
{
    struct control_count *count = &control->count;
    count->connections = count->commands_waiting = count->workers_dead = 0;
    for (uint32_t i = 0; i < control->conns_high; i++)
        count->connections += control->conns[i] != NULL;
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        count->commands_waiting += control->desks[i].waiting_n;
        count->workers_dead += control->desks[i].dead;
    }
    count->requests_pending = control->requests_n;
    count->routers = control->model.counts[NOUN_ROUTER];
    count->transports = control->model.counts[NOUN_TRANSPORT];
    count->producers = control->model.counts[NOUN_PRODUCER];
    count->consumers = control->model.counts[NOUN_CONSUMER];
    count->mirrors = control->model.mirrors_n;
    count->webrtc_servers = control->model.counts[NOUN_WEBRTC_SERVER];
    count->sockets = control->model.sockets_n;
    count->draining = control->draining;
    count->resident_bytes = metrics_resident_bytes();
}

static void head(FILE *out, const char *prefix, const struct metric *metric)
{
    fprintf(out, "# HELP sluice_%s_%s %s\n# TYPE sluice_%s_%s %s\n", prefix, metric->name,
            metric->help, prefix, metric->name, metric->type == METRIC_C ? "counter" : "gauge");
}

static void write_workers(FILE *out, const struct control *control)
{
    for (size_t m = 0; m < ARRAY_N(worker_metrics); m++) {
        head(out, "worker", &worker_metrics[m]);
        for (uint32_t i = 0; i < control->config.workers_n; i++) {
            const struct worker_counters *counters = worker_counters(control->desks[i].worker);
            fprintf(out, "sluice_worker_%s{worker=\"%u\"} %" PRIu64 "\n", worker_metrics[m].name, i,
                    worker_value(counters, &worker_metrics[m]));
        }
    }
    fprintf(out, "# HELP sluice_drops_total packets by what became of them; reason none: accepted\n"
                 "# TYPE sluice_drops_total counter\n");
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        const struct worker_counters *counters = worker_counters(control->desks[i].worker);
        for (size_t why = 0; why < DROP_N; why++)
            fprintf(out, "sluice_drops_total{worker=\"%u\",reason=\"%s\"} %" PRIu64 "\n", i,
                    drop_name((enum drop)why), drop_value(counters, why));
    }
}

static void write_info(FILE *out, const struct control *control)
{
    fprintf(out, "# HELP sluice_info version, and the engine of each worker\n"
                 "# TYPE sluice_info gauge\n");
    for (uint32_t i = 0; i < control->config.workers_n; i++)
        fprintf(out, "sluice_info{version=\"%s\",worker=\"%u\",engine=\"%s\"} 1\n", SLUICE_VERSION,
                i, config_engine_name(worker_engine(control->desks[i].worker)));
    fprintf(out,
            "# HELP sluice_uptime_seconds time since the start\n"
            "# TYPE sluice_uptime_seconds gauge\nsluice_uptime_seconds %" PRId64 "\n",
            (clock_now_us() - control->started_us) / 1000000);
}

char *metrics_text(struct control *control)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    control_gauges(control);
    write_info(out, control);
    write_workers(out, control);
    for (size_t m = 0; m < ARRAY_N(control_metrics); m++) {
        head(out, "control", &control_metrics[m]);
        fprintf(out, "sluice_control_%s %" PRIu64 "\n", control_metrics[m].name,
                control_value(control, &control_metrics[m]));
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

json_t *metrics_worker(const struct worker_counters *counters)
{
    json_t *out = json_object();
    for (size_t m = 0; m < ARRAY_N(worker_metrics); m++)
        json_object_set_new(out, worker_metrics[m].name,
                            json_integer((json_int_t)worker_value(counters, &worker_metrics[m])));
    return out;
}

json_t *metrics_worker_drops(const struct worker_counters *counters)
{
    json_t *out = json_object();
    for (size_t why = 0; why < DROP_N; why++)
        json_object_set_new(out, drop_name((enum drop)why),
                            json_integer((json_int_t)drop_value(counters, why)));
    return out;
}

/* A sum of what was the most in one turn would mean nothing: of those it is the largest. */
static uint64_t total_of(const struct control *control, const struct metric *metric)
{
    uint64_t total = 0;
    bool largest = strcmp(metric->name, "turn_us_max") == 0 ||
                   strcmp(metric->name, "handshake_steps_turn_max") == 0;
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        uint64_t value = worker_value(worker_counters(control->desks[i].worker), metric);
        total = !largest ? total + value : value > total ? value : total;
    }
    return total;
}

json_t *metrics_total(const struct control *control)
{
    json_t *out = json_object();
    for (size_t m = 0; m < ARRAY_N(worker_metrics); m++)
        json_object_set_new(out, worker_metrics[m].name,
                            json_integer((json_int_t)total_of(control, &worker_metrics[m])));
    return out;
}

json_t *metrics_total_drops(const struct control *control)
{
    json_t *out = json_object();
    for (size_t why = 0; why < DROP_N; why++) {
        uint64_t total = 0;
        for (uint32_t i = 0; i < control->config.workers_n; i++)
            total += drop_value(worker_counters(control->desks[i].worker), why);
        json_object_set_new(out, drop_name((enum drop)why), json_integer((json_int_t)total));
    }
    return out;
}

json_t *metrics_control(struct control *control)
{
    json_t *out = json_object();
    control_gauges(control);
    for (size_t m = 0; m < ARRAY_N(control_metrics); m++)
        json_object_set_new(out, control_metrics[m].name,
                            json_integer((json_int_t)control_value(control, &control_metrics[m])));
    return out;
}
