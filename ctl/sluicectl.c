/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/sluicectl.c - sluicectl: any method of the control protocol from the command line. */
#include "core/clock.h"
#include "ctl/client.h"
#include "ctl/jsonrpc.h"
#include "ctl/methods.h"
#include "ctl/render.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, TIMEOUT_MS = 30000 };

static const char usage[] =
    "usage: sluicectl [option...] METHOD [JSON | key=value...]\n"
    "       sluicectl [option...] watch METHOD [JSON | key=value...]\n"
    "       sluicectl [option...] listen [EVENT...]\n"
    "Talks to a running sluiced. METHOD is one of the control protocol (see PROTOCOL.md); of\n"
    "server.* the last word is enough: info, stats, memory, drain.\n"
    "\n"
    "  --socket PATH   control socket (SLUICE_SOCKET; default " CONFIG_SOCKET ")\n"
    "  --json          print the result as JSON\n"
    "  --interval S    seconds between two looks of watch (default 2)\n"
    "  --count N       looks of watch, or events of listen, before it ends\n"
    "  --methods       print the names of all methods\n"
    "  --events        print the names of all notifications\n"
    "  --version, --help [METHOD]\n"
    "\n"
    "A value is JSON where it can be read as JSON, else a string; a.b=1 sets b in the object a.\n"
    "  sluicectl server.info\n"
    "  sluicectl router.create id=room mediaCodecs='[{\"kind\":\"audio\",\"mimeType\":"
    "\"audio/opus\",\"clockRate\":48000,\"channels\":2}]'\n"
    "  sluicectl transport.createPlain routerId=room listenInfo.ip=127.0.0.1 comedia=true\n"
    "  sluicectl watch stats\n"
    "  sluicectl listen 'consumer.*' router.close\n"
    "\n"
    "Exit status: 0 done, 1 refused by the relay or not reached, 2 usage.\n";

enum option_id {
    OPTION_SOCKET = 256,
    OPTION_JSON,
    OPTION_INTERVAL,
    OPTION_COUNT,
    OPTION_METHODS,
    OPTION_EVENTS,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option option_list[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"interval", required_argument, NULL, OPTION_INTERVAL},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"methods", no_argument, NULL, OPTION_METHODS},
    {"events", no_argument, NULL, OPTION_EVENTS},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

struct options {
    const char *socket;
    bool json, methods, events, help;
    double interval_s;
    long count; /* 0: no end */
};

/* a.b.c=value. False: no such form. */
static bool param_set(json_t *params, const char *text)
{
    const char *equals = strchr(text, '=');
    json_t *at = params;
    char key[128];
    if (!equals || equals == text)
        return false;
    for (;;) {
        size_t bytes = strcspn(text, ".=");
        if (bytes == 0 || bytes >= sizeof(key))
            return false;
        memcpy(key, text, bytes);
        key[bytes] = '\0';
        text += bytes + 1;
        if (text > equals)
            break;
        json_t *next = json_object_get(at, key);
        if (!json_is_object(next)) {
            next = json_object();
            json_object_set_new(at, key, next);
        }
        at = next;
    }
    json_t *value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
    if (!value)
        value = json_string(equals + 1);
    return json_object_set_new(at, key, value) == 0;
}

/* NULL: said what is wrong. */
static json_t *params_read(char **words, int n)
{
    json_t *params = json_object();
    for (int i = 0; i < n; i++) {
        json_error_t why;
        json_t *object = words[i][0] == '{' ? json_loads(words[i], 0, &why) : NULL;
        if (words[i][0] == '{' && !object)
            fprintf(stderr, "sluicectl: %s is no JSON: %s\n", words[i], why.text);
        else if (!object && !param_set(params, words[i]))
            fprintf(stderr, "sluicectl: %s is neither JSON nor key=value\n", words[i]);
        else {
            if (object)
                json_object_update(params, object);
            json_decref(object);
            continue;
        }
        json_decref(params);
        return NULL;
    }
    return params;
}

static void print_error(const char *method, const json_t *error)
{
    const json_t *data = json_object_get(error, "data");
    const char *message = json_string_value(json_object_get(error, "message"));
    fprintf(stderr, "sluicectl: %s: %s (%" JSON_INTEGER_FORMAT ")\n", method,
            message ? message : "refused", json_integer_value(json_object_get(error, "code")));
    const char *path = json_string_value(json_object_get(data, "path"));
    const char *expected = json_string_value(json_object_get(data, "expected"));
    const char *got = json_string_value(json_object_get(data, "got"));
    bool said = json_integer_value(json_object_get(error, "code")) == RPC_PARAMS;
    if (path && expected && got && !said)
        fprintf(stderr, "  %s: expected %s, got %s\n", path[0] ? path : "params", expected, got);
}

static void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}

/* The result, or NULL with the reason said. */
static json_t *call(struct client *client, const char *method, const json_t *params)
{
    char why[CONFIG_ERROR_BYTES] = "";
    json_t *answer = client_call(client, method, params, TIMEOUT_MS, why);
    if (!answer) {
        fprintf(stderr, "sluicectl: %s: %s\n", method, why);
        return NULL;
    }
    json_t *result = json_incref(json_object_get(answer, "result"));
    if (!result)
        print_error(method, json_object_get(answer, "error"));
    json_decref(answer);
    return result;
}

static int run_once(struct client *client, const struct options *options, const char *method,
                    const json_t *params)
{
    json_t *result = call(client, method, params);
    if (!result)
        return EXIT_FAILURE;
    if (options->json)
        print_json(result);
    else if (!json_object_size(result) && !json_array_size(result))
        puts("done");
    else
        render(stdout, result, NULL, 0);
    json_decref(result);
    return EXIT_SUCCESS;
}

static void nap(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - floor(seconds)) * 1e9)};
    nanosleep(&time, NULL);
}

/* A terminal shows the newest look alone; a file keeps all, told apart by when they were. */
static void look_begin(void)
{
    char text[64];
    time_t now_s = (time_t)(clock_wall_us() / 1000000);
    struct tm now;
    if (isatty(STDOUT_FILENO))
        fputs("\033[H\033[2J", stdout);
    else if (localtime_r(&now_s, &now) &&
             strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &now))
        printf("---- %s\n", text);
}

static int run_watch(struct client *client, const struct options *options, const char *method,
                     const json_t *params)
{
    json_t *before = NULL;
    int64_t before_us = 0;
    int status = EXIT_SUCCESS;
    for (long i = 0; options->count == 0 || i < options->count; i++) {
        if (i > 0)
            nap(options->interval_s);
        json_t *result = call(client, method, params);
        int64_t now_us = clock_now_us();
        if (!result) {
            status = EXIT_FAILURE;
            break;
        }
        if (options->json) {
            print_json(result);
        } else {
            look_begin();
            render(stdout, result, before, (double)(now_us - before_us) / 1e6);
        }
        fflush(stdout);
        json_decref(before);
        before = result;
        before_us = now_us;
    }
    json_decref(before);
    return status;
}

static int run_listen(struct client *client, const struct options *options, char **events, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_string(events[i]));
    if (n == 0)
        json_array_append_new(list, json_string("*"));
    json_t *params = json_pack("{s:o}", "events", list);
    json_t *result = call(client, "server.subscribe", params);
    json_decref(params);
    json_decref(result);
    if (!result)
        return EXIT_FAILURE;
    for (long i = 0; options->count == 0 || i < options->count; i++) {
        char why[CONFIG_ERROR_BYTES] = "";
        json_t *note = client_next(client, -1, why);
        if (!note) {
            fprintf(stderr, "sluicectl: %s\n", why);
            return EXIT_FAILURE;
        }
        char *text = json_dumps(json_object_get(note, "params"), JSON_COMPACT);
        const char *name = json_string_value(json_object_get(note, "method"));
        printf("%s %s\n", name ? name : "?", text ? text : "");
        fflush(stdout);
        free(text);
        json_decref(note);
    }
    return EXIT_SUCCESS;
}

static void print_fields(const char *title, const char *fields)
{
    size_t n = 0;
    printf("%s\n", title);
    if (!method_next_field(fields, &n))
        printf("  (none)\n");
    for (const char *at = method_next_field(fields, &n); at; at = method_next_field(at + n, &n))
        printf("  %.*s\n", (int)n, at);
}

/* "memory" is "server.memory". */
static const char *method_of(const char *word)
{
    char full[64];
    snprintf(full, sizeof(full), "server.%s", word);
    enum method_id id = method_find(full);
    return id == METHOD_N ? word : methods[id].name;
}

static int help(const char *name)
{
    if (!name) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    enum method_id id = method_find(method_of(name));
    if (id == METHOD_N) {
        const char *nearest = method_nearest(name);
        fprintf(stderr, "sluicectl: there is no method %s; %s%s\n", name,
                nearest ? "did you mean " : "sluicectl --methods lists them",
                nearest ? nearest : "");
        return EXIT_USAGE;
    }
    printf("%s\n\n", methods[id].name);
    print_fields("parameters:", methods[id].params);
    print_fields("result:", methods[id].result);
    printf("\nPROTOCOL.md says what they mean.\n");
    return EXIT_SUCCESS;
}

static bool options_read(struct options *options, int argc, char **argv)
{
    int option = 0;
    while ((option = getopt_long(argc, argv, "", option_list, NULL)) != -1) {
        char *end = NULL;
        switch (option) {
        case OPTION_SOCKET:
            options->socket = optarg;
            break;
        case OPTION_JSON:
            options->json = true;
            break;
        case OPTION_INTERVAL:
            options->interval_s = strtod(optarg, &end);
            if (*end || !(options->interval_s >= 0.1 && options->interval_s <= 86400)) {
                fprintf(stderr, "sluicectl: --interval takes 0.1 to 86400 seconds\n");
                return false;
            }
            break;
        case OPTION_COUNT:
            options->count = strtol(optarg, &end, 10);
            if (*end || options->count < 1) {
                fprintf(stderr, "sluicectl: --count takes a positive number\n");
                return false;
            }
            break;
        case OPTION_METHODS:
            options->methods = true;
            break;
        case OPTION_EVENTS:
            options->events = true;
            break;
        case OPTION_VERSION:
            puts("sluicectl " SLUICE_VERSION);
            exit(EXIT_SUCCESS);
        case OPTION_HELP:
            options->help = true;
            break;
        default:
            return false;
        }
    }
    return true;
}

static int run(const struct options *options, char **words, int n)
{
    char why[CONFIG_ERROR_BYTES] = "";
    bool watch = strcmp(words[0], "watch") == 0, listen = strcmp(words[0], "listen") == 0;
    if (watch && n < 2) {
        fprintf(stderr, "sluicectl: watch what? For example: sluicectl watch server.stats\n");
        return EXIT_USAGE;
    }
    const char *method = method_of(words[watch]);
    json_t *params = listen ? json_object() : params_read(words + 1 + watch, n - 1 - watch);
    if (!params)
        return EXIT_USAGE;
    struct client client;
    int status = EXIT_FAILURE;
    if (client_open(&client, options->socket, why) != 0) {
        fprintf(stderr, "sluicectl: %s\n", why);
    } else {
        status = listen  ? run_listen(&client, options, words + 1, n - 1)
                 : watch ? run_watch(&client, options, method, params)
                         : run_once(&client, options, method, params);
        client_close(&client);
    }
    json_decref(params);
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {.interval_s = 2};
    if (!options_read(&options, argc, argv)) {
        fprintf(stderr, "Try sluicectl --help.\n");
        return EXIT_USAGE;
    }
    if (options.help)
        return help(argv[optind]);
    for (size_t i = 0; options.methods && i < METHOD_N; i++)
        puts(methods[i].name);
    for (size_t i = 0; options.events && i < NOTICE_N; i++)
        puts(notices[i].name);
    if (options.methods || options.events)
        return EXIT_SUCCESS;
    if (optind == argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return run(&options, argv + optind, argc - optind);
}
