/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/report.c - JSON and table of the same list. */
#include "perf/report.h"

#include <jansson.h>
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

struct rows { /* of a scenario */
    const struct row *at;
    size_t n;
};

static struct rows rows_of(const struct options *options)
{
    bool storm = strcmp(options->scenario, "storm") == 0;
    return storm ? (struct rows){storm_rows, ARRAY_N(storm_rows)}
                 : (struct rows){rows, ARRAY_N(rows)};
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
    *report = (struct report){.options = options};
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        *value_of(report, &rows[i]) = NAN;
    for (size_t i = 0; i < ARRAY_N(storm_rows); i++)
        *value_of(report, &storm_rows[i]) = NAN;
    if (uname(&name) == 0)
        snprintf(report->kernel, sizeof report->kernel, "%s", name.release);
    read_cpu(report->cpu);
}

static json_t *value_json(enum form form, double value)
{
    if (isnan(value))
        return json_null();
    return form == FORM_N ? json_integer((json_int_t)llround(value)) : json_real(value);
}

static json_t *report_json(const struct report *report)
{
    const struct options *o = report->options;
    struct report copy = *report;
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:f, s:i, s:I, s:f, s:f}", "schema",
        REPORT_SCHEMA, "scenario", o->scenario, "srtp", options_suite_name(o->suite), "io",
        report->engine, "kernel", report->kernel, "cpu", report->cpu, "pps", (int)o->pps, "burst",
        (int)o->burst, "bytes", (int)o->bytes, "nack", (int)o->nack, "loss_share", o->loss_share,
        "rtt_made_ms", (int)o->rtt_ms, "seed", (json_int_t)o->seed, "warmup_s", o->warmup_s,
        "seconds", o->seconds);
    struct rows list = rows_of(o);
    for (size_t i = 0; i < list.n; i++)
        json_object_set_new(out, list.at[i].key,
                            value_json(list.at[i].form, *value_of(&copy, &list.at[i])));
    if (strcmp(o->scenario, "storm") == 0) {
        json_object_set_new(out, "dtls", json_string(o->dtls == DTLS_VERSION_1_2 ? "1.2" : "1.3"));
        json_object_set_new(out, "joins_per_second", json_real(o->joins_per_second));
    }
    return out;
}

static void print_table(const struct report *report)
{
    const struct options *o = report->options;
    struct report copy = *report;
    printf("%s: %u packets/s in frames of %u, SRTP %s, engine %s\n%s, Linux %s\n\n", o->scenario,
           o->pps, o->burst, options_suite_name(o->suite), report->engine, report->cpu,
           report->kernel);
    struct rows list = rows_of(o);
    for (size_t i = 0; i < list.n; i++) {
        const struct row *row = &list.at[i];
        double value = *value_of(&copy, row);
        if (isnan(value))
            printf("  %-42s %14s\n", row->label, "-");
        else if (row->form == FORM_N)
            printf("  %-42s %14.0f %s\n", row->label, value, row->unit);
        else
            printf("  %-42s %14.*f %s\n", row->label, fabs(value) < 100 ? 4 : 1, value, row->unit);
    }
}

bool report_write(const struct report *report)
{
    if (report->options->json == NULL) {
        print_table(report);
        return true;
    }
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
