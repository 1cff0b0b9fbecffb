/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/main.c - sluiced: options, start, the control thread's loop, end. */
#include "ctl/control.h"
#include "net/dtls.h"
#include "rtp/seal.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: sluiced [option...]\n"
    "The Sluice media relay. It is controlled over a Unix socket: see sluicectl(1) and "
    "PROTOCOL.md.\n"
    "\n"
    "  --config FILE         read FILE instead of " CONFIG_FILE "; options override it\n"
    "  --check-config        read the configuration, say whether it is right, and end\n"
    "  --socket PATH         control socket (SLUICE_SOCKET; default " CONFIG_SOCKET ")\n"
    "  --workers N           worker threads (default: one for each processor)\n"
    "  --placement home|spread  a room's transports on its own worker until that is much busier\n"
    "                        than another (default), or always on the least busy one\n"
    "  --pin                 worker n stays on the nth processor\n"
    "  --io auto|uring|mmsg  I/O engine; auto falls back where io_uring is not permitted\n"
    "  --slots N             packet slots of 2 KiB of each worker (default 16384)\n"
    "  --planned-pps N       packets a second that one socket receives; sizes receive buffers\n"
    "                        (default 20000)\n"
    "  --huge-pages          transparent huge pages for the slots\n"
    "  --metrics-port N      serve /metrics on 127.0.0.1:N\n"
    "  --dtls-cert FILE      certificate shown to DTLS peers, PEM (default: made at each start)\n"
    "  --dtls-key FILE       its private key, PEM\n"
    "  --drain-seconds N     how long SIGTERM waits for rooms to end (default 30)\n"
    "  --log text|json       form of the log on standard error\n"
    "  --log-level LEVEL     none, error, warn, info or debug\n"
    "  --without FEATURE,... take kernel features as missing (for tests):\n"
    "                        ";

static const char usage_end[] =
    "\n"
    "  --version, --help\n"
    "\n"
    "SIGTERM drains and ends, SIGINT ends. Exit status: 0 in order, 1 failure, 2 usage or "
    "configuration.\n";

enum option_id {
    OPTION_CONFIG = 256,
    OPTION_CHECK,
    OPTION_SOCKET,
    OPTION_WORKERS,
    OPTION_PLACEMENT,
    OPTION_PIN,
    OPTION_IO,
    OPTION_SLOTS,
    OPTION_PPS,
    OPTION_HUGE,
    OPTION_METRICS,
    OPTION_DRAIN,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_LOG,
    OPTION_LEVEL,
    OPTION_WITHOUT,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"placement", required_argument, NULL, OPTION_PLACEMENT},
    {"pin", no_argument, NULL, OPTION_PIN},
    {"io", required_argument, NULL, OPTION_IO},
    {"slots", required_argument, NULL, OPTION_SLOTS},
    {"planned-pps", required_argument, NULL, OPTION_PPS},
    {"huge-pages", no_argument, NULL, OPTION_HUGE},
    {"metrics-port", required_argument, NULL, OPTION_METRICS},
    {"drain-seconds", required_argument, NULL, OPTION_DRAIN},
    {"dtls-cert", required_argument, NULL, OPTION_CERTIFICATE},
    {"dtls-key", required_argument, NULL, OPTION_KEY},
    {"log", required_argument, NULL, OPTION_LOG},
    {"log-level", required_argument, NULL, OPTION_LEVEL},
    {"without", required_argument, NULL, OPTION_WITHOUT},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* Numbers and names go through the reader of the configuration file: one set of limits, one
 * wording. */
static json_t *option_value(const char *text)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end != text && *end == '\0' && errno == 0)
        return json_integer(number);
    return json_string(text);
}

static json_t *without_list(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t bytes = strcspn(text, ",");
        json_array_append_new(list, json_stringn(text, bytes));
        text += bytes;
        text += *text == ',';
    }
    return list;
}

static int option_read(struct config *config, int option, const char *text)
{
    static const struct {
        int option;
        const char *key;
    } keys[] = {
        {OPTION_SOCKET, "socket"},
        {OPTION_WORKERS, "workers"},
        {OPTION_PLACEMENT, "placement"},
        {OPTION_IO, "io"},
        {OPTION_SLOTS, "slots"},
        {OPTION_PPS, "plannedPps"},
        {OPTION_METRICS, "metricsPort"},
        {OPTION_DRAIN, "drainSeconds"},
        {OPTION_CERTIFICATE, "dtlsCertificateFile"},
        {OPTION_KEY, "dtlsPrivateKeyFile"},
        {OPTION_LOG, "log"},
        {OPTION_LEVEL, "logLevel"},
        {OPTION_WITHOUT, "without"},
        {OPTION_PIN, "pin"},
        {OPTION_HUGE, "hugePages"},
    };

    const char *key = NULL;
    for (size_t i = 0; i < ARRAY_N(keys); i++) {
        if (keys[i].option == option)
            key = keys[i].key;
    }
    if (!key)
        return 0;
    bool is_path = option == OPTION_SOCKET || option == OPTION_CERTIFICATE || option == OPTION_KEY;
    json_t *value = option == OPTION_WITHOUT ? without_list(text)
                    : is_path                ? json_string(text)
                    : text                   ? option_value(text)
                                             : json_true();
    json_t *object = json_pack("{s:o}", key, value);
    struct field_error err;
    field_error_clear(&err);
    if (!object)
        field_error_set(&err, key, "text in UTF-8", "something else");
    else
        config_read(config, object, &err);
    json_decref(object);
    if (!field_error_is_set(&err))
        return 0;
    fprintf(stderr, "sluiced: %s: expected %s, got %s\n", key, err.expected, err.got);
    return -EINVAL;
}

static void print_help(void)
{
    fputs(usage, stdout);
    for (uint32_t i = 0; i < IO_FEATURES_N; i++)
        printf("%s%s", i ? ", " : "", io_feature_name((enum io_feature)(1u << i)));
    fputs(usage_end, stdout);
}

/* First the options that say where to read, then the file, the environment, the rest. -1: go on;
 * else the exit status. `read_file`: which was read, NULL for none. */
static int configure(struct config *config, int argc, char **argv, bool *check,
                     const char **read_file)
{
    const char *file = NULL;
    char why[CONFIG_ERROR_BYTES] = "";
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?') {
            fprintf(stderr, "Try sluiced --help.\n");
            return EXIT_USAGE;
        }
        if (option == OPTION_HELP || option == OPTION_VERSION) {
            if (option == OPTION_HELP)
                print_help();
            else
                puts("sluiced " SLUICE_VERSION);
            return 0;
        }
        if (option == OPTION_CONFIG)
            file = optarg;
        *check |= option == OPTION_CHECK;
    }
    if (optind < argc) {
        fprintf(stderr, "sluiced: unexpected argument %s\nTry sluiced --help.\n", argv[optind]);
        return EXIT_USAGE;
    }
    int failed = config_load(config, file ? file : CONFIG_FILE, why);
    if (failed && (file || failed != -ENOENT)) {
        fprintf(stderr, "sluiced: %s\n", why);
        return EXIT_USAGE;
    }
    *read_file = failed ? NULL : file ? file : CONFIG_FILE;
    const char *socket = getenv("SLUICE_SOCKET");
    if (socket && socket[0] && option_read(config, OPTION_SOCKET, socket) != 0)
        return EXIT_USAGE;
    optind = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option_read(config, option, optarg) != 0)
            return EXIT_USAGE;
    }
    if (!config_check(config, why)) {
        fprintf(stderr, "sluiced: %s\n", why);
        return EXIT_USAGE;
    }
    return -1;
}

/* A socket for each transport takes descriptors. */
static void limits_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Small and steady: one arena, large blocks go back to the system when they are freed. */
static void heap_set(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_TRIM_THRESHOLD, 256 << 10);
}

static void say_started(const struct control *control)
{
    const struct worker *first = control->desks[0].worker;
    uint32_t missing = worker_missing(first);
    log_info("sluiced", "version %s, protocol %d, %u workers, engine %s, listening at %s",
             SLUICE_VERSION, CONTROL_PROTOCOL_VERSION, control->config.workers_n,
             config_engine_name(worker_engine(first)), control->config.socket);
    for (uint32_t i = 0; i < IO_FEATURES_N; i++) {
        enum io_feature feature = (enum io_feature)(1u << i);
        if (missing >> i & 1)
            log_warn("sluiced", "does without %s: %s", io_feature_name(feature),
                     io_feature_remedy(feature));
    }
}

/* Whether the files of a certificate are right is part of the configuration. */
static int check_certificate(const struct config *config)
{
    char why[CERTIFICATE_ERROR_BYTES] = "";
    struct certificate certificate = {0};
    if (!config->certificate_path[0])
        return 0;
    int failed = certificate_load(&certificate, config->certificate_path, config->key_path, why);
    certificate_exit(&certificate);
    if (failed)
        fprintf(stderr, "sluiced: %s\n", why);
    return failed;
}

static int run(const struct config *config)
{
    char why[CONFIG_ERROR_BYTES] = "";
    struct control *control = malloc(sizeof(*control));
    if (!control)
        return EXIT_FAILURE;
    int failed = seal_library_init();
    if (failed) {
        log_error("sluiced", "the ciphers' self-test failed");
        free(control);
        return EXIT_FAILURE;
    }
    failed = control_init(control, config, true, why);
    if (failed) {
        log_error("sluiced", "%s", why[0] ? why : strerror(-failed));
    } else {
        say_started(control);
        while (control_turn(control, -1)) {
        }
        failed = control->failed;
        control_exit(control);
        log_info("sluiced", "ended");
    }
    seal_library_exit();
    free(control);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct config config;
    bool check = false;
    const char *file = NULL;
    config_default(&config);
    int status = configure(&config, argc, argv, &check, &file);
    if (status >= 0)
        return status;
    if (dtls_library_init() != 0) {
        fputs("sluiced: wolfSSL does not start\n", stderr);
        return EXIT_FAILURE;
    }
    if (check) {
        status = check_certificate(&config) == 0 ? EXIT_SUCCESS : EXIT_USAGE;
        if (status == EXIT_SUCCESS)
            printf("sluiced: the configuration is right (%s)\n",
                   file ? file : "no file: there is no " CONFIG_FILE);
    } else {
        log_set(config.log_level, config.log_format);
        heap_set();
        limits_raise();
        status = run(&config);
    }
    dtls_library_exit();
    return status;
}
