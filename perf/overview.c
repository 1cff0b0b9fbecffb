/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/overview.c - runs, sums, files. */
#include "perf/overview.h"

#include "core/clock.h"
#include "perf/child.h"
#include "perf/page.h"
#include "perf/plan.h"
#include "perf/relay.h"
#include "perf/report.h"
#include "perf/targets.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, RUNS_MAX = 99, PATH_BYTES = 4096, NOTE_BYTES = 400 };

static const double RUN_MAX_S = 1200; /* the longest scene takes a tenth of it */

static const char usage[] =
    "usage: sluice-perf report [option...]\n"
    "Runs every scene of the table below, each as a process of its own, and writes report.json,\n"
    "and report.html with tables and plots, which opens from disk. About half an hour.\n"
    "\n"
    "  --out FOLDER       where to (default sluice-report)\n"
    "  --quick            a second and a tenth of the rate for each: tries everything, and its\n"
    "                     figures mean nothing\n"
    "  --only NAME,...    these scenes only\n"
    "  --list             show the scenes and their command lines\n"
    "  --relay PATH       the sluiced to measure\n"
    "  --from FILE        run nothing: page and table of a report.json that is there\n"
    "  --markdown         print the table of targets as Markdown\n"
    "  --baseline FILE    what mediasoup needs, quoted (default: the one beside this program)\n"
    "  --page FILE        template of the page (default: the one beside this program)\n"
    "\n"
    "Exit status: 0 written, 1 a scene failed or something could not be written, 2 usage.\n";

struct overview {
    const char *out, *only, *relay, *from, *baseline, *page;
    int quick, list, markdown, help;
    char command[PATH_BYTES];
};

/* ---- command line ---- */

static int bad(const char *what, const char *which)
{
    fprintf(stderr, "sluice-perf report: %s%s\nTry sluice-perf report --help.\n", what, which);
    return EXIT_USAGE;
}

static int check_names(const char *only)
{
    char name[64];
    for (const char *at = only; at != NULL;) {
        size_t bytes = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(bytes < 63 ? bytes : 63), at);
        if (plan_find(name) == NULL)
            return bad("--only: no such scene (see --list): ", name);
        at = at[bytes] == ',' ? at + bytes + 1 : NULL;
    }
    return 0;
}

static void remember_command(struct overview *o, int argc, char **argv)
{
    size_t n = (size_t)snprintf(o->command, sizeof o->command, "sluice-perf");
    for (int i = 0; i < argc && n < sizeof o->command; i++)
        n += (size_t)snprintf(o->command + n, sizeof o->command - n, " %s", argv[i]);
}

static int parse(struct overview *o, int argc, char **argv)
{
    const struct option options[] = {
        {"out", required_argument, NULL, 'o'},
        {"only", required_argument, NULL, 'n'},
        {"relay", required_argument, NULL, 'r'},
        {"from", required_argument, NULL, 'f'},
        {"baseline", required_argument, NULL, 'b'},
        {"page", required_argument, NULL, 'p'},
        {"quick", no_argument, &o->quick, 1},
        {"list", no_argument, &o->list, 1},
        {"markdown", no_argument, &o->markdown, 1},
        {"help", no_argument, &o->help, 1},
        {NULL, 0, NULL, 0},
    };
    const char **texts[] = {&o->out, &o->only, &o->relay, &o->from, &o->baseline, &o->page};
    int option = 0;
    remember_command(o, argc, argv);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const char *at = strchr("onrfbp", option);
        if (option == '?')
            return bad("the command line is not right", "");
        if (option != 0)
            *texts[at - strchr("onrfbp", 'o')] = optarg;
    }
    if (optind < argc)
        return bad("unexpected argument ", argv[optind]);
    if (o->from != NULL && (o->only != NULL || o->relay != NULL || o->quick))
        return bad("--from runs nothing: without --only, --relay and --quick", "");
    return check_names(o->only);
}

/* ---- a scene ---- */

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

void overview_sum(json_t *scene)
{
    json_t *runs = json_object_get(scene, "runs"), *figures = json_object(),
           *spread = json_object();
    size_t n = json_array_size(runs) < RUNS_MAX ? json_array_size(runs) : RUNS_MAX;
    const char *key;
    json_t *value;
    json_object_foreach(json_array_get(runs, 0), key, value)
    {
        double values[RUNS_MAX];
        size_t known = 0;
        for (size_t i = 0; i < n; i++) {
            const json_t *one = json_object_get(json_array_get(runs, i), key);
            if (json_is_number(one))
                values[known++] = json_number_value(one);
        }
        if (known == 0)
            continue;
        set(figures, key, json_real(report_median(values, known)));
        if (known > 1)
            set(spread, key, json_pack("[f, f]", values[0], values[known - 1]));
    }
    set(scene, "figures", figures);
    set(scene, "spread", spread);
}

/* The first line that says something, without the program's name. */
static json_t *first_line(const char *text)
{
    static const char name[] = "sluice-perf: ";
    if (text != NULL && strncmp(text, name, sizeof name - 1) == 0)
        text += sizeof name - 1;
    size_t bytes = text != NULL ? strcspn(text, "\n") : 0;
    bytes = bytes < NOTE_BYTES ? bytes : NOTE_BYTES;
    json_t *line = json_stringn(text != NULL ? text : "", bytes);
    return line != NULL && bytes > 0 ? line : json_string("it said nothing");
}

static void set_note(json_t *scene, const char *state, const char *what, const char *said)
{
    json_t *line = first_line(said);
    set(scene, "state", json_string(state));
    set(scene, "note", json_sprintf("%s: %s", what, json_string_value(line)));
    json_decref(line);
}

/* One run more. False: no further ones. */
static bool run_once(const struct overview *o, json_t *scene, char *words)
{
    char relay[] = "--relay", json[] = "--json", here[] = "-";
    char *args[PLAN_ARGS_MAX + 4];
    size_t n = plan_words(words, args);
    if (o->relay != NULL) {
        args[n++] = relay;
        args[n++] = (char *)(uintptr_t)o->relay;
    }
    args[n++] = json;
    args[n++] = here;
    args[n] = NULL;
    struct child child;
    child_run(&child, args, RUN_MAX_S);
    json_t *run = child.status == 0 && child.out != NULL ? json_loads(child.out, 0, NULL) : NULL;
    if (run != NULL)
        json_array_append_new(json_object_get(scene, "runs"), run);
    else if (child.late)
        set_note(scene, "failed", "it was stopped, its time was over", child.err);
    else if (child.status == CHILD_USAGE)
        set_note(scene, "skipped", "this build does not know it", child.err);
    else
        set_note(scene, "failed", child.status == 0 ? "it gave no JSON" : "it failed", child.err);
    child_free(&child);
    return run != NULL;
}

static json_t *run_scene(const struct overview *o, const struct plan_scene *plan)
{
    char line[PLAN_LINE_BYTES], words[PLAN_LINE_BYTES];
    uint32_t runs = o->quick ? 1 : plan->runs;
    int64_t began_us = clock_now_us();
    plan_line(plan, o->quick, line);
    json_t *scene = json_pack("{s:s, s:s, s:s, s:o, s:i, s:s, s:n, s:[]}", "name", plan->name,
                              "group", plan->group, "title", plan->title, "command",
                              json_sprintf("sluice-perf %s", line), "runs_wanted", (int)runs,
                              "state", "measured", "note", "runs");
    bool right = scene != NULL;
    for (uint32_t i = 0; right && i < runs; i++) {
        fprintf(stderr, "%s%s: ", plan->name, i > 0 ? ", again" : "");
        memcpy(words, line, sizeof words);
        right = run_once(o, scene, words);
        fprintf(stderr, "%s\n", json_string_value(json_object_get(scene, "state")));
    }
    const char *note = json_string_value(json_object_get(scene, "note"));
    if (note != NULL)
        fprintf(stderr, "  %s\n", note);
    set(scene, "took_s", json_real((double)(clock_now_us() - began_us) / 1e6));
    overview_sum(scene);
    return scene;
}

/* ---- the report ---- */

static json_t *machine_json(void)
{
    static const struct options none;
    struct report report;
    report_init(&report, &none); /* for the processor's name and the kernel's */
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return json_pack("{s:s, s:i, s:f, s:s}", "cpu", report.cpu, "cores", get_nprocs(),
                     "memory_bytes", memory, "kernel", report.kernel);
}

static json_t *date_json(void)
{
    char text[32];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now.tv_sec, &tm));
    return json_string(text);
}

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(object))
        return object;
    fprintf(stderr, "sluice-perf: %s: %s\n", path,
            object == NULL ? error.text : "expected an object");
    json_decref(object);
    return NULL;
}

/* The file that was named, or the installed one; NULL after a message. */
static const char *find(const char *given, const char *name, char path[RELAY_PATH_BYTES])
{
    if (given != NULL)
        return given;
    if (relay_find(name, SLUICE_PERF_SHARED, path))
        return path;
    fprintf(stderr, "sluice-perf: %s is not at %s, seen from this program\n", name,
            SLUICE_PERF_SHARED);
    return NULL;
}

static json_t *run_all(const struct overview *o)
{
    char path[RELAY_PATH_BYTES];
    const char *quoted = find(o->baseline, "baseline.json", path);
    json_t *baseline = quoted != NULL ? load(quoted) : NULL;
    if (baseline == NULL)
        return NULL;
    json_t *scenes = json_array();
    json_t *report = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "schema", OVERVIEW_SCHEMA,
                               "version", SLUICE_VERSION, "command", o->command, "quick", o->quick,
                               "machine", machine_json(), "began", date_json());
    for (size_t i = 0; i < plan_scenes_n; i++)
        if (plan_in_list(o->only, plan_scenes[i].name))
            json_array_append_new(scenes, run_scene(o, &plan_scenes[i]));
    set(report, "ended", date_json());
    set(report, "targets", targets_evaluate(scenes, baseline, o->quick));
    set(report, "baseline", baseline);
    set(report, "scenes", scenes);
    return report;
}

static json_t *load_report(const char *path)
{
    json_t *report = load(path);
    const char *schema = json_string_value(json_object_get(report, "schema"));
    if (report == NULL || (schema != NULL && strcmp(schema, OVERVIEW_SCHEMA) == 0))
        return report;
    fprintf(stderr, "sluice-perf: %s: expected the schema %s, got %s\n", path, OVERVIEW_SCHEMA,
            schema != NULL ? schema : "none");
    json_decref(report);
    return NULL;
}

static bool any_failed(const json_t *report)
{
    size_t i;
    json_t *scene;
    json_array_foreach(json_object_get(report, "scenes"), i, scene)
    {
        const char *state = json_string_value(json_object_get(scene, "state"));
        if (state == NULL || strcmp(state, "failed") == 0)
            return true;
    }
    return false;
}

static bool write_json(const char *path, const json_t *report)
{
    if (json_dump_file(report, path, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) == 0)
        return true;
    fprintf(stderr, "sluice-perf: cannot write %s: %s\n", path, strerror(errno));
    return false;
}

/* Says what was written. */
static bool write_page(const struct overview *o, const char *path, const json_t *report)
{
    char found[RELAY_PATH_BYTES];
    const char *template = find(o->page, "report.html", found);
    if (template != NULL && page_write(template, path, report)) {
        fprintf(stderr, "%s\n", path);
        return true;
    }
    fputs("sluice-perf: there is no page. Its template is built with npm, in the source folder:\n"
          "  cmake --build --preset release --target perf_page\n"
          "then: sluice-perf report --from report.json\n",
          stderr);
    return false;
}

static int list_scenes(bool quick)
{
    char line[PLAN_LINE_BYTES];
    for (size_t i = 0; i < plan_scenes_n; i++) {
        plan_line(&plan_scenes[i], quick, line);
        printf("%-22s sluice-perf %s\n", plan_scenes[i].name, line);
    }
    return 0;
}

int overview_main(int argc, char **argv)
{
    struct overview o = {.out = "sluice-report"};
    char json[PATH_BYTES], html[PATH_BYTES];
    int status = parse(&o, argc, argv);
    if (status != 0)
        return status;
    if (o.help)
        return fputs(usage, stdout) == EOF;
    if (o.list)
        return list_scenes(o.quick);
    snprintf(json, sizeof json, "%s/report.json", o.out);
    snprintf(html, sizeof html, "%s/report.html", o.out);
    if (mkdir(o.out, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "sluice-perf: cannot make %s: %s\n", o.out, strerror(errno));
        return 1;
    }
    json_t *report = o.from != NULL ? load_report(o.from) : run_all(&o);
    if (report == NULL)
        return 1;
    bool right = write_json(json, report);
    right = write_page(&o, html, report) && right && !any_failed(report);
    if (o.markdown)
        targets_print_markdown(json_object_get(report, "targets"), stdout);
    json_decref(report);
    return right ? 0 : 1;
}
