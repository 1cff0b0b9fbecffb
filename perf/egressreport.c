/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/egressreport.c - JSON and table of the ways. */
#include "perf/egressreport.h"

#include "perf/report.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

struct figures { /* of a row; NAN where there is none */
    double ns, against_ns, ratio, ratio_min, ratio_max;
    double packets_per_send, against_packets_per_send, syscalls_per_packet, arrived_share;
};

static struct figures figures_of(struct egressreport_row *row, const struct options *options)
{
    struct figures f = {
        .ns = report_median(row->own_ns, row->pairs_n),
        .against_ns = report_median(row->against_ns, row->pairs_n),
        .ratio = report_median(row->ratios, row->pairs_n), /* sorted now */
        .ratio_min = row->pairs_n > 0 ? row->ratios[0] : NAN,
        .ratio_max = row->pairs_n > 0 ? row->ratios[row->pairs_n - 1] : NAN,
        .packets_per_send = row->packets / row->sends,
        .against_packets_per_send = row->against_packets / row->against_sends,
        .syscalls_per_packet = row->syscalls / row->packets,
        .arrived_share = options->sink == NULL ? row->arrived / row->packets : NAN,
    };
    return f;
}

static json_t *real(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *row_json(struct egressreport_row *row, const struct options *options)
{
    struct figures f = figures_of(row, options);
    return json_pack("{s:s, s:s, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f}",
                     "name", row->name, "against", row->against, "measured", !row->missing, "pairs",
                     (int)row->pairs_n, "ns", real(f.ns), "against_ns", real(f.against_ns), "ratio",
                     real(f.ratio), "ratio_min", real(f.ratio_min), "ratio_max", real(f.ratio_max),
                     "packets_per_send", real(f.packets_per_send), "against_packets_per_send",
                     real(f.against_packets_per_send), "syscalls_per_packet",
                     real(f.syscalls_per_packet), "arrived_share", real(f.arrived_share), "packets",
                     row->packets, "failed", row->failed);
}

static json_t *report_json(struct egressreport *report, const struct report *machine)
{
    const struct options *o = report->options;
    json_t *ways = json_array();
    for (uint32_t i = 0; i < report->rows_n; i++)
        if (report->rows[i].against != NULL)
            json_array_append_new(ways, row_json(&report->rows[i], o));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:i, s:i, s:f, s:f, s:f, s:o}", "schema",
                     REPORT_SCHEMA, "scenario", o->scenario, "srtp", options_suite_name(o->suite),
                     "aes", report->cipher, "kernel", machine->kernel, "cpu", machine->cpu, "sink",
                     o->sink, "consumers", (int)o->consumers, "pps", (int)o->pps, "seconds",
                     o->seconds, "connected_us", report->connected_us, "connected_kernel_bytes",
                     report->connected_kernel_bytes, "ways", ways);
}

static void print_table(struct egressreport *report, const struct report *machine)
{
    const struct options *o = report->options;
    printf("egress: %u receivers, %u packets/s to each, SRTP %s (AES of %s), to %s\n"
           "%s, Linux %s\n\n"
           "| way | against | ns/packet | its ns | ratio (min-max) | packets/send | its | "
           "system calls | arrived |\n|---|---|---|---|---|---|---|---|---|\n",
           o->consumers, o->pps, options_suite_name(o->suite),
           *report->cipher ? report->cipher : "nobody", o->sink != NULL ? o->sink : "receivers",
           machine->cpu, machine->kernel);
    for (uint32_t i = 0; i < report->rows_n; i++) {
        struct egressreport_row *row = &report->rows[i];
        if (row->against == NULL)
            continue;
        if (row->missing) {
            printf("| %s | %s | not in this build or kernel |\n", row->name, row->against);
            continue;
        }
        struct figures f = figures_of(row, o);
        printf("| %s | %s | %.0f | %.0f | %.2f (%.2f-%.2f) | %.2f | %.2f | %.4f | ", row->name,
               row->against, f.ns, f.against_ns, f.ratio, f.ratio_min, f.ratio_max,
               f.packets_per_send, f.against_packets_per_send, f.syscalls_per_packet);
        if (isnan(f.arrived_share))
            printf("- |\n");
        else
            printf("%.4f |\n", f.arrived_share);
    }
    printf("\nA connected socket takes %.1f us to make and %.0f bytes of kernel memory.\n",
           report->connected_us, report->connected_kernel_bytes);
}

bool egressreport_write(struct egressreport *report)
{
    struct report machine;
    const char *to = report->options->json;
    report_init(&machine, report->options);
    if (to == NULL) {
        print_table(report, &machine);
        return true;
    }
    json_t *object = report_json(report, &machine);
    bool here = strcmp(to, "-") == 0;
    FILE *file = here ? stdout : fopen(to, "we");
    bool right = object != NULL && file != NULL &&
                 json_dumpf(object, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 &&
                 fputc('\n', file) != EOF && fflush(file) == 0;
    if (file != NULL && !here)
        fclose(file);
    if (!right)
        fprintf(stderr, "sluice-perf: cannot write %s\n", to);
    json_decref(object);
    return right;
}
