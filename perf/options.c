/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/options.c - the command line. */
#include "perf/options.h"

#include "ctl/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: sluice-perf fanout [option...]\n"
    "       sluice-perf limit [option...]\n"
    "       sluice-perf storm [option...]\n"
    "       sluice-perf micro [parse|rewrite|seal|retain|slab]\n"
    "       sluice-perf report [option...]\n"
    "Measures what a Sluice relay costs, on the loopback interface.\n"
    "\n"
    "fanout starts a relay, a publisher and receivers, each a process of its own, and beside them\n"
    "the limit: a program that only rewrites, encrypts and sends. limit runs that one alone. "
    "micro\n"
    "times the steps of a packet; it prints lines of name, value and unit. report runs them all "
    "and\n"
    "makes a page of it: sluice-perf report --help.\n"
    "storm has a room forwarded while WebRTC peers join the same relay, in slices with and "
    "without.\n"
    "\n"
    "  --consumers N      receivers, each on a transport of its own (default 100)\n"
    "  --pps P            packets a second of the publisher (default 200)\n"
    "  --bytes B          RTP packet before encryption (default: frames of 1099 and 1100 bytes,\n"
    "                     as libwebrtc's packetizer makes them)\n"
    "  --burst K          packets of a frame, sent together (default 7)\n"
    "  --srtp SUITE       none, gcm128, gcm256 or cm80, publisher and receivers (default gcm128)\n"
    "  --nack             receivers ask for what they miss, by NACK; resends come as RTX\n"
    "  --loss PERCENT     loss made at the receivers, before they account a packet\n"
    "  --rtt MS           what receivers say leaves this much later: the relay's round trip\n"
    "  --seed N           of loss, numbers and starts (default 1)\n"
    "  --io uring|mmsg    engine of the relay and of the limit (default uring)\n"
    "  --without FEATURES as sluiced's: relay and limit do without these of the kernel\n"
    "  --workers W        worker threads, a room each with its share of receivers (default 1)\n"
    "  --warmup S         media before the measurement (default 3)\n"
    "  --seconds S        measured media (default 12)\n"
    "  --json FILE        the report as one JSON object, - for standard output\n"
    "\n"
    "  --pairs N          slices of relay and limit, alternating (default 5)\n"
    "  --own-ports        a relay port for each receiver instead of a shared one\n"
    "  --ts-step TICKS    RTP time between frames instead of real time, to reach wraps soon\n"
    "  --no-count         without the second, short run that counts system and heap calls\n"
    "  --run LENGTH       limit: mean packets of a send (default: a frame)\n"
    "  --relay PATH       the sluiced to measure\n"
    "\n"
    "  --peers N          storm: WebRTC peers that join, by ICE and DTLS as browsers do (default "
    "500)\n"
    "  --joins-per-second J  storm: at this pace (default 0: all at once)\n"
    "  --forward-pps P    storm: packets a second to the room's receivers together (default "
    "50000)\n"
    "  --dtls 1.2|1.3     storm: the newest version that the peers offer (default 1.3)\n"
    "  --help, --version\n"
    "\n"
    "What the report says:\n"
    "  cpu_ns_per_forward   CPU of the worker threads and of the kernel's helpers of them (from\n"
    "                       /proc, user and system), by RTP packets sent, resends included\n"
    "  limit_*_ns, ratio_*  the limit's CPU by packets sent; medians over the pairs of slices.\n"
    "                       same runs: with the relay's packets_per_send in the slice before;\n"
    "                       best runs: a whole frame is one send\n"
    "  lost                 never arrived, after recovery, in the whole run\n"
    "  lost_on_wire         thrown away by --loss; recovered: of these, came as a resend\n"
    "  nack_late            resends of packets that were here already or given up\n"
    "  mem_*                Pss plus huge pages of the relay: when started, after the joins, "
    "while\n"
    "                       it forwards, 3 s after its rooms were closed\n"
    "  kernel_mem_bytes     growth of the system's UDP buffers and unreclaimable slab from start "
    "to\n"
    "                       steady state: best effort, other programs count as well\n"
    "  bytes_per_consumer   (mem_steady_bytes - mem_idle_bytes) / consumers\n"
    "  transit_*            publisher's stamp in the payload to the receiver's return from the\n"
    "                       kernel, of every 8th receiver\n"
    "  join_*               storm: from a peer's first request to its SRTP keys\n"
    "  handshake_steps*     storm: public-key work, in all and the most in one turn of the worker\n"
    "  intervals_*          storm: looks at the relay's counters during the joins; without media:\n"
    "                       handshakes went on and nothing was forwarded\n"
    "  quiet_*, storm_*     transit of the room in slices without and with joins: medians over "
    "the\n"
    "                       pairs; added: the median of the differences\n"
    "  mem_joined_bytes     with all peers joined; bytes_per_transport: its growth by them\n"
    "A figure that the system does not give is null; why is said on standard error.\n"
    "Exit status: 0 measured, 1 failure, 2 usage.\n";

enum option_id {
    OPTION_CONSUMERS = 256,
    OPTION_PPS,
    OPTION_BYTES,
    OPTION_BURST,
    OPTION_SRTP,
    OPTION_NACK,
    OPTION_LOSS,
    OPTION_RTT,
    OPTION_SEED,
    OPTION_IO,
    OPTION_WITHOUT,
    OPTION_WORKERS,
    OPTION_WARMUP,
    OPTION_SECONDS,
    OPTION_JSON,
    OPTION_PAIRS,
    OPTION_OWN_PORTS,
    OPTION_TS_STEP,
    OPTION_NO_COUNT,
    OPTION_RUN_LENGTH,
    OPTION_RELAY,
    OPTION_PEERS,
    OPTION_JOINS_PER_SECOND,
    OPTION_FORWARD_PPS,
    OPTION_DTLS,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"consumers", required_argument, NULL, OPTION_CONSUMERS},
    {"pps", required_argument, NULL, OPTION_PPS},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"burst", required_argument, NULL, OPTION_BURST},
    {"srtp", required_argument, NULL, OPTION_SRTP},
    {"nack", no_argument, NULL, OPTION_NACK},
    {"loss", required_argument, NULL, OPTION_LOSS},
    {"rtt", required_argument, NULL, OPTION_RTT},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"io", required_argument, NULL, OPTION_IO},
    {"without", required_argument, NULL, OPTION_WITHOUT},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"json", required_argument, NULL, OPTION_JSON},
    {"pairs", required_argument, NULL, OPTION_PAIRS},
    {"own-ports", no_argument, NULL, OPTION_OWN_PORTS},
    {"ts-step", required_argument, NULL, OPTION_TS_STEP},
    {"no-count", no_argument, NULL, OPTION_NO_COUNT},
    {"run", required_argument, NULL, OPTION_RUN_LENGTH},
    {"relay", required_argument, NULL, OPTION_RELAY},
    {"peers", required_argument, NULL, OPTION_PEERS},
    {"joins-per-second", required_argument, NULL, OPTION_JOINS_PER_SECOND},
    {"forward-pps", required_argument, NULL, OPTION_FORWARD_PPS},
    {"dtls", required_argument, NULL, OPTION_DTLS},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static const char *const suite_names[] = {"none", "gcm256", "gcm128", "cm80", NULL};
static const char *const dtls_names[] = {"", "1.2", "1.3", NULL}; /* enum dtls_version */
static const char *const engine_names[] = {"auto", "uring", "mmsg", NULL};

const char *options_suite_name(enum seal_suite suite)
{
    ASSERT(suite < ARRAY_N(suite_names) - 1);
    return suite_names[suite];
}

/* A number in [min, max]; `right` becomes false after a message. */
static double number(const char *name, double min, double max, bool whole, bool *right)
{
    char *end = NULL;
    errno = 0;
    double value = strtod(optarg, &end);
    if (end != optarg && *end == '\0' && errno == 0 && value >= min && value <= max &&
        (!whole || value == (double)(uint64_t)value))
        return value;
    fprintf(stderr, "sluice-perf: --%s: expected %s from %.10g to %.10g, got %s\n", name,
            whole ? "an integer" : "a number", min, max, optarg);
    *right = false;
    return min;
}

static uint32_t integer(const char *name, uint32_t min, uint32_t max, bool *right)
{
    return (uint32_t)number(name, min, max, true, right);
}

/* Index into `names` from `first` on. */
static int choice(const char *name, const char *const *names, int first, bool *right)
{
    for (int i = first; names[i] != NULL; i++)
        if (strcmp(names[i], optarg) == 0)
            return i;
    fprintf(stderr, "sluice-perf: --%s: expected one of", name);
    for (int i = first; names[i] != NULL; i++)
        fprintf(stderr, " %s", names[i]);
    fprintf(stderr, ", got %s\n", optarg);
    *right = false;
    return first;
}

static bool without_read(struct options *o)
{
    char wrong[64];
    o->without = optarg;
    if (config_parse_without(optarg, &o->without_bits, wrong))
        return true;
    fprintf(stderr, "sluice-perf: --without: expected features that sluiced knows, got %s\n",
            wrong);
    return false;
}

/* One case a line: a table would not be shorter. */
static bool option_read(struct options *o, int option)
{
    bool right = true;
    switch ((enum option_id)option) {
    case OPTION_CONSUMERS:
        o->consumers = integer("consumers", 1, OPTIONS_CONSUMERS_MAX, &right);
        break;
    case OPTION_PPS:
        o->pps = integer("pps", 1, 1000000, &right);
        break;
    case OPTION_BYTES:
        o->bytes = integer("bytes", 64, 1400, &right);
        break;
    case OPTION_BURST:
        o->burst = integer("burst", 1, OPTIONS_BURST_MAX, &right);
        break;
    case OPTION_SRTP:
        o->suite = (enum seal_suite)choice("srtp", suite_names, 0, &right);
        break;
    case OPTION_NACK:
        o->nack = true;
        break;
    case OPTION_LOSS:
        o->loss_share = number("loss", 0, 90, false, &right) / 100;
        break;
    case OPTION_RTT:
        o->rtt_ms = integer("rtt", 0, 2000, &right);
        break;
    case OPTION_SEED:
        o->seed = integer("seed", 0, UINT32_MAX, &right);
        break;
    case OPTION_IO:
        o->engine = (enum io_engine)choice("io", engine_names, 1, &right);
        break;
    case OPTION_WITHOUT:
        right = without_read(o);
        break;
    case OPTION_WORKERS:
        o->workers = integer("workers", 1, OPTIONS_WORKERS_MAX, &right);
        break;
    case OPTION_WARMUP:
        o->warmup_s = number("warmup", 0.1, 3600, false, &right);
        break;
    case OPTION_SECONDS:
        o->seconds = number("seconds", 0.5, 86400, false, &right);
        break;
    case OPTION_JSON:
        o->json = optarg;
        break;
    case OPTION_PAIRS:
        o->pairs = integer("pairs", 1, 99, &right);
        break;
    case OPTION_OWN_PORTS:
        o->own_ports = true;
        break;
    case OPTION_TS_STEP:
        o->ts_step = integer("ts-step", 1, UINT32_MAX, &right);
        break;
    case OPTION_NO_COUNT:
        o->count = false;
        break;
    case OPTION_RUN_LENGTH:
        o->run = number("run", 1, OPTIONS_BURST_MAX, false, &right);
        break;
    case OPTION_RELAY:
        o->relay = optarg;
        break;
    case OPTION_PEERS:
        o->peers = integer("peers", 1, OPTIONS_PEERS_MAX, &right);
        break;
    case OPTION_JOINS_PER_SECOND:
        o->joins_per_second = number("joins-per-second", 0, 1000000, false, &right);
        break;
    case OPTION_FORWARD_PPS:
        o->forward_pps = integer("forward-pps", 1, 10000000, &right);
        break;
    case OPTION_DTLS:
        o->dtls = (enum dtls_version)choice("dtls", dtls_names, 1, &right);
        break;
    case OPTION_HELP:
    case OPTION_VERSION:
        break;
    }
    return right;
}

static bool is_scenario(const char *name)
{
    static const char *const names[] = {"fanout", "limit", "micro", "storm"};
    for (size_t i = 0; i < ARRAY_N(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int bad(const char *what, const char *which)
{
    fprintf(stderr, "sluice-perf: %s%s%s\nTry sluice-perf --help.\n", what, *which ? " " : "",
            which);
    return EXIT_USAGE;
}

static int check(struct options *o, int argc, char **argv)
{
    static const char *const benches[] = {"parse", "rewrite", "seal", "retain", "slab"};
    if (optind >= argc)
        return bad("a scenario is missing: fanout, limit, micro, report or storm", "");
    o->scenario = argv[optind++];
    if (!is_scenario(o->scenario))
        return bad("no such scenario:", o->scenario);
    if (strcmp(o->scenario, "micro") == 0 && optind < argc) {
        o->micro = argv[optind++];
        bool known = false;
        for (size_t i = 0; i < ARRAY_N(benches); i++)
            known |= strcmp(benches[i], o->micro) == 0;
        if (!known)
            return bad("no such micro-benchmark:", o->micro);
    }
    if (optind < argc)
        return bad("unexpected argument", argv[optind]);
    if (o->consumers < o->workers)
        return bad("fewer consumers than workers", "");
    if (strcmp(o->scenario, "storm") != 0)
        return OPTIONS_RUN;
    if (o->forward_pps < o->consumers)
        return bad("less than a packet a second for each consumer", "");
    o->pps = o->forward_pps / o->consumers;
    return OPTIONS_RUN;
}

int options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.consumers = 100,
                                .pps = 200,
                                .burst = 7,
                                .suite = SEAL_AEAD_AES_128_GCM,
                                .seed = 1,
                                .engine = IO_ENGINE_URING,
                                .workers = 1,
                                .warmup_s = 3,
                                .seconds = 12,
                                .pairs = 5,
                                .peers = 500,
                                .forward_pps = 50000,
                                .dtls = DTLS_VERSION_1_3,
                                .count = true};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?')
            return bad("the command line is not right", "");
        if (option == OPTION_HELP)
            fputs(usage, stdout);
        if (option == OPTION_VERSION)
            puts("sluice-perf " SLUICE_VERSION);
        if (option == OPTION_HELP || option == OPTION_VERSION)
            return 0;
        if (!option_read(options, option))
            return EXIT_USAGE;
    }
    return check(options, argc, argv);
}
