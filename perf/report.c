/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/report.c - JSON and table of the same list. */
#include "perf/report.h"

#include "perf/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

enum form { FORM_N, FORM_R };

struct row {
    enum form form;
    const char *key, *label, *unit;
    size_t at;
};

static const struct row rows[] = {
#define ROW(form_, key_, label_, unit_)                                                            \
    {FORM_##form_, #key_, label_, unit_, offsetof(struct report, key_)},
    REPORT_LIST(ROW)
#undef ROW
};

static const struct row storm_rows[] = {
#define ROW(form_, key_, label_, unit_)                                                            \
    {FORM_##form_, #key_, label_, unit_, offsetof(struct report, storm.key_)},
    REPORT_STORM_LIST(ROW)
#undef ROW
};

static const struct row churn_rows[] = {
#define ROW(form_, key_, label_, unit_)                                                            \
    {FORM_##form_, #key_, label_, unit_, offsetof(struct report, churn.key_)},
    REPORT_CHURN_LIST(ROW)
#undef ROW
};

static const struct row saturate_rows[] = {
#define ROW(form_, key_, label_, unit_)                                                            \
    {FORM_##form_, #key_, label_, unit_, offsetof(struct report, saturate.key_)},
    REPORT_SATURATE_LIST(ROW)
#undef ROW
};

struct rows { /* of a scenario; without a name: of the others */
    const char *scenario;
    const struct row *at;
    size_t n;
};

static const struct rows lists[] = {
    {"storm", storm_rows, ARRAY_N(storm_rows)},
    {"churn", churn_rows, ARRAY_N(churn_rows)},
    {"saturate", saturate_rows, ARRAY_N(saturate_rows)},
    {NULL, rows, ARRAY_N(rows)},
};

static const struct rows *rows_of(const struct options *options)
{
    const struct rows *list = lists;
    while (list->scenario != NULL && strcmp(list->scenario, options->scenario) != 0)
        list++;
    return list;
}

static double *value_of(struct report *report, const struct row *row)
{
    return (double *)(void *)((char *)report + row->at);
}

static void read_cpu(char name[96])
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(name, 96, "unknown");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        snprintf(name, 96, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file != NULL)
        fclose(file);
}

void report_init(struct report *report, const struct options *options)
{
    struct utsname name;
    *report = (struct report){.options = options, .suite = options->suite};
    for (size_t l = 0; l < ARRAY_N(lists); l++)
        for (size_t i = 0; i < lists[l].n; i++)
            *value_of(report, &lists[l].at[i]) = NAN;
    if (uname(&name) == 0)
        snprintf(report->kernel, sizeof report->kernel, "%s", name.release);
    read_cpu(report->cpu);
}

static json_t *value_json(enum form form, double value)
{
    if (!isfinite(value))
        return json_null();
    return form == FORM_N ? json_integer((json_int_t)llround(value)) : json_real(value);
}

static const char *dtls_name(const struct options *options)
{
    return options->dtls == DTLS_VERSION_1_2 ? "1.2" : "1.3";
}

/* What was asked for, beyond what every report has. */
static void add_options(json_t *out, const struct options *o)
{
    if (strcmp(o->scenario, "storm") == 0 || o->webrtc)
        json_object_set_new(out, "dtls", json_string(dtls_name(o)));
    if (strcmp(o->scenario, "storm") == 0)
        json_object_set_new(out, "joins_per_second", json_real(o->joins_per_second));
    if (o->shape == OPTIONS_FANOUT)
        return;
    json_t *room =
        json_pack("{s:b, s:i, s:b, s:b, s:i, s:i}", "audio", (int)o->audio, "speakers",
                  (int)o->speakers, "webrtc", (int)o->webrtc, "together", (int)o->together,
                  "video_kbps", (int)o->video_kbps, "fps", (int)o->fps);
    if (o->shape == OPTIONS_ROOM)
        json_object_update_missing_new(room,
                                       json_pack("{s:i, s:i}", "participants", (int)o->participants,
                                                 "senders", (int)o->senders));
    else
        json_object_update_missing_new(
            room, json_pack("{s:i, s:i}", "viewers", (int)o->viewers, "rooms", (int)o->rooms));
    json_object_update_missing_new(out, room);
}

static json_t *workers_json(const struct report *report)
{
    json_t *list = json_array();
    for (size_t i = 0; i < report->workers_known; i++) {
        const struct report_worker *one = &report->workers[i];
        json_array_append_new(
            list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "index", (int)i,
                            "forwarded", value_json(FORM_N, one->forwarded), "forwarded_pps",
                            value_json(FORM_R, one->forwarded_pps), "core_share",
                            value_json(FORM_R, one->core_share), "cpu_ns_per_packet",
                            value_json(FORM_R, one->cpu_ns_per_packet), "packets_per_send",
                            value_json(FORM_R, one->packets_per_send), "engine_syscalls_per_packet",
                            value_json(FORM_R, one->syscalls_per_packet), "kernel_drops",
                            value_json(FORM_N, one->kernel_drops), "dropped",
                            value_json(FORM_N, one->dropped)));
    }
    return list;
}

static json_t *report_json(const struct report *report)
{
    const struct options *o = report->options;
    struct report copy = *report;
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:f, s:i, s:I, s:f, s:f}", "schema",
        REPORT_SCHEMA, "scenario", o->scenario, "srtp", options_suite_name(report->suite), "io",
        report->engine, "kernel", report->kernel, "cpu", report->cpu, "pps", (int)o->pps, "burst",
        (int)o->burst, "bytes", (int)o->bytes, "nack", (int)o->nack, "loss_share", o->loss_share,
        "rtt_made_ms", (int)o->rtt_ms, "seed", (json_int_t)o->seed, "warmup_s", o->warmup_s,
        "seconds", o->seconds);
    const struct rows *list = rows_of(o);
    for (size_t i = 0; i < list->n; i++)
        json_object_set_new(out, list->at[i].key,
                            value_json(list->at[i].form, *value_of(&copy, &list->at[i])));
    add_options(out, o);
    if (report->workers_known > 0)
        json_object_set_new(out, "workers", workers_json(report));
    if (report->drops != NULL)
        json_object_set(out, "drops", report->drops);
    if (report->limited_by[0] != '\0')
        json_object_set_new(out, "limited_by", json_string(report->limited_by));
    return out;
}

static void print_row(enum form form, const char *label, double value, const char *unit)
{
    if (isnan(value))
        printf("  %-50s %14s\n", label, "-");
    else if (form == FORM_N)
        printf("  %-50s %14.0f %s\n", label, value, unit);
    else
        printf("  %-50s %14.*f %s\n", label, fabs(value) < 100 ? 4 : 1, value, unit);
}

static void print_table(const struct report *report)
{
    const struct options *o = report->options;
    struct report copy = *report;
    const char *why;
    json_t *drop;
    printf("%s: %u packets/s of a video in frames of %u, SRTP %s, engine %s\n%s, Linux %s\n\n",
           o->scenario, o->pps, o->burst, options_suite_name(report->suite), report->engine,
           report->cpu, report->kernel);
    const struct rows *list = rows_of(o);
    for (size_t i = 0; i < list->n; i++)
        print_row(list->at[i].form, list->at[i].label, *value_of(&copy, &list->at[i]),
                  list->at[i].unit);
    for (size_t i = 0; i < report->workers_known; i++) {
        printf("  worker %zu\n", i);
        print_row(FORM_N, "  sent", report->workers[i].forwarded, "packets");
        print_row(FORM_R, "  share of a core", report->workers[i].core_share, "");
        print_row(FORM_R, "  CPU per packet", report->workers[i].cpu_ns_per_packet, "ns");
        print_row(FORM_R, "  packets per send", report->workers[i].packets_per_send, "");
    }
    json_object_foreach(report->drops, why, drop)
        printf("  dropped: %-41s %14lld\n", why, (long long)json_integer_value(drop));
    if (report->limited_by[0] != '\0')
        printf("  limited by: %s\n", report->limited_by);
}

static bool write_json(const struct report *report)
{
    json_t *object = report_json(report);
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(9);
    bool here = strcmp(report->options->json, "-") == 0;
    FILE *file = here ? stdout : fopen(report->options->json, "we");
    bool right = object != NULL && file != NULL && json_dumpf(object, file, flags) == 0 &&
                 fputc('\n', file) != EOF && fflush(file) == 0;
    if (file != NULL && !here)
        fclose(file);
    if (!right)
        fprintf(stderr, "sluice-perf: cannot write %s\n", report->options->json);
    json_decref(object);
    return right;
}

bool report_write(struct report *report)
{
    bool right = true;
    if (report->options->json == NULL)
        print_table(report);
    else
        right = write_json(report);
    json_decref(report->drops);
    report->drops = NULL;
    return right;
}

double report_figure(int64_t value)
{
    return value == MEASURE_NONE ? NAN : (double)value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double report_median(double *values, size_t n)
{
    if (n == 0)
        return NAN;
    qsort(values, n, sizeof *values, compare);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
