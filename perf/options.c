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
    "       sluice-perf room [option...]\n"
    "       sluice-perf broadcast [option...]\n"
    "       sluice-perf egress [option...]\n"
    "       sluice-perf storm [option...]\n"
    "       sluice-perf churn [option...]\n"
    "       sluice-perf saturate [option...]\n"
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
    "room is measured as fanout is: participants who all receive, the first of them send video\n"
    "and audio. broadcast: one sender, many viewers, small rooms beside them on the same worker.\n"
    "egress holds ways of sending against each other: sockets, engines, runs, padding, ciphers.\n"
    "storm has a room forwarded while WebRTC peers join the same relay, in slices with and "
    "without.\n"
    "churn has the participants of a room join and leave, produce, consume, pause, resume and\n"
    "close at random while media flows. saturate looks for the highest rate with at most 0.1 % "
    "of\n"
    "loss: of a fan-out, or of a room when --participants is given.\n"
    "\n"
    "  --consumers N      receivers, each on a transport of its own (default 100)\n"
    "  --pps P            packets a second of the publisher (default 200)\n"
    "  --bytes B          RTP packet before encryption (default: frames of 1099 and 1100 bytes,\n"
    "                     as libwebrtc's packetizer makes them)\n"
    "  --prompt           receivers take each packet when it comes; else, as the relay does, they\n"
    "                     wait 250 us for more, which costs the load less and is part of transit\n"
    "  --burst K          packets of a frame, sent together (default 7)\n"
    "  --srtp SUITE       none, gcm128, gcm256 or cm80, publisher and receivers (default gcm128)\n"
    "  --nack             receivers ask for what they miss, by NACK; resends come as RTX\n"
    "  --loss PERCENT     loss made at the receivers, before they account a packet\n"
    "  --rtt MS           what receivers say leaves this much later: the relay's round trip\n"
    "  --seed N           of loss, numbers and starts (default 1)\n"
    "  --io uring|mmsg    engine of the relay and of the limit (default uring)\n"
    "  --without FEATURES as sluiced's: relay and limit do without these of the kernel\n"
    "  --workers W        worker threads, a room each with its share of receivers (default 1);\n"
    "                     room, broadcast, churn: one room on all of them\n"
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
    "  --sink ADDRESS     egress: send there, to a device that drops, instead of to receivers\n"
    "\n"
    "  --peers N          storm: WebRTC peers that join, by ICE and DTLS as browsers do (default "
    "500)\n"
    "  --joins-per-second J  storm: at this pace (default 0: all at once)\n"
    "  --forward-pps P    storm: packets a second to the room's receivers together (default "
    "50000)\n"
    "  --rest S           storm: the relay rests when it has given no memory back for so long\n"
    "                     (default 9)\n"
    "  --dtls 1.2|1.3     the newest version that WebRTC peers offer (default 1.3)\n"
    "\n"
    "  --participants P   room, churn, saturate: in the room (default 50; churn 8)\n"
    "  --senders S        of them (default 10; churn 4)\n"
    "  --audio            each sender sends audio as well, 50 packets a second of 80 to 100 bytes\n"
    "  --speakers K       audio of K senders at a time, in turn (default: of all)\n"
    "  --webrtc           they join by ICE and DTLS, instead of SRTP with keys told (--srtp)\n"
    "  --video-kbps R     of each video (default 1500)\n"
    "  --fps F            its frames a second, each sent at once (default 30)\n"
    "  --together         all senders' frames at one time (default: evenly spread)\n"
    "  --viewers N        broadcast (default 1000)\n"
    "  --rooms R          broadcast: rooms of three beside it (default 4)\n"
    "  --minutes M        churn (default 1)\n"
    "  --help, --version\n"
    "\n"
    "What the report says:\n"
    "  cpu_ns_per_forward   CPU of the worker threads and of the kernel's helpers of them (from\n"
    "                       /proc, user and system), by RTP packets sent, resends included\n"
    "  limit_*_ns, ratio_*  the limit's CPU by packets sent; medians over the pairs of slices.\n"
    "                       same runs: with the relay's packets_per_send in the slice before;\n"
    "                       best runs: a whole frame is one send\n"
    "  lost                 never arrived, after recovery, in the whole run\n"
    "  lost_on_wire         thrown away by --loss; recovered_share: of these, came as a\n"
    "                       resend; recovered: of all that was missing\n"
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
    "  transit_audio_*, transit_video_*, side_transit_*  the same by kind; of the small rooms\n"
    "  arrival_*, side_arrival_*  the same to the kernel's stamp at the receiver's socket: "
    "without\n"
    "                       the wait for receivers that have all the viewers to serve\n"
    "  bytes_per_transport, bytes_per_consumer_added  room: growth by the transports with what\n"
    "                       they send, and then by the consumers, before media\n"
    "  workers, drops       by worker; packets by why the relay dropped them\n"
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
    OPTION_SINK,
    OPTION_PEERS,
    OPTION_JOINS_PER_SECOND,
    OPTION_REST,
    OPTION_FORWARD_PPS,
    OPTION_DTLS,
    OPTION_PARTICIPANTS,
    OPTION_SENDERS,
    OPTION_AUDIO,
    OPTION_SPEAKERS,
    OPTION_WEBRTC,
    OPTION_VIDEO_KBPS,
    OPTION_FPS,
    OPTION_TOGETHER,
    OPTION_PROMPT,
    OPTION_VIEWERS,
    OPTION_ROOMS,
    OPTION_MINUTES,
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
    {"sink", required_argument, NULL, OPTION_SINK},
    {"peers", required_argument, NULL, OPTION_PEERS},
    {"joins-per-second", required_argument, NULL, OPTION_JOINS_PER_SECOND},
    {"rest", required_argument, NULL, OPTION_REST},
    {"forward-pps", required_argument, NULL, OPTION_FORWARD_PPS},
    {"dtls", required_argument, NULL, OPTION_DTLS},
    {"participants", required_argument, NULL, OPTION_PARTICIPANTS},
    {"senders", required_argument, NULL, OPTION_SENDERS},
    {"audio", no_argument, NULL, OPTION_AUDIO},
    {"speakers", required_argument, NULL, OPTION_SPEAKERS},
    {"webrtc", no_argument, NULL, OPTION_WEBRTC},
    {"video-kbps", required_argument, NULL, OPTION_VIDEO_KBPS},
    {"fps", required_argument, NULL, OPTION_FPS},
    {"together", no_argument, NULL, OPTION_TOGETHER},
    {"prompt", no_argument, NULL, OPTION_PROMPT},
    {"viewers", required_argument, NULL, OPTION_VIEWERS},
    {"rooms", required_argument, NULL, OPTION_ROOMS},
    {"minutes", required_argument, NULL, OPTION_MINUTES},
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

/* Of rooms. */
static bool room_option_read(struct options *o, int option)
{
    bool right = true;
    switch (option) {
    case OPTION_PARTICIPANTS:
        o->participants = integer("participants", 2, OPTIONS_PARTICIPANTS_MAX, &right);
        break;
    case OPTION_SENDERS:
        o->senders = integer("senders", 1, OPTIONS_PARTICIPANTS_MAX, &right);
        break;
    case OPTION_AUDIO:
        o->audio = true;
        break;
    case OPTION_SPEAKERS:
        o->speakers = integer("speakers", 1, OPTIONS_PARTICIPANTS_MAX, &right);
        break;
    case OPTION_WEBRTC:
        o->webrtc = true;
        break;
    case OPTION_VIDEO_KBPS:
        o->video_kbps = integer("video-kbps", 16, 50000, &right);
        break;
    case OPTION_FPS:
        o->fps = integer("fps", 1, 120, &right);
        break;
    case OPTION_TOGETHER:
        o->together = true;
        break;
    case OPTION_PROMPT:
        o->prompt = true;
        break;
    case OPTION_VIEWERS:
        o->viewers = integer("viewers", 1, OPTIONS_CONSUMERS_MAX, &right);
        break;
    case OPTION_ROOMS:
        o->rooms = integer("rooms", 0, OPTIONS_SIDE_ROOMS_MAX, &right);
        break;
    case OPTION_MINUTES:
        o->minutes = number("minutes", 0.01, 1440, false, &right);
        break;
    default:
        break;
    }
    return right;
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
    switch (option) {
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
    case OPTION_SINK:
        o->sink = optarg;
        break;
    case OPTION_PEERS:
        o->peers = integer("peers", 1, OPTIONS_PEERS_MAX, &right);
        break;
    case OPTION_JOINS_PER_SECOND:
        o->joins_per_second = number("joins-per-second", 0, 1000000, false, &right);
        break;
    case OPTION_REST:
        o->rest_s = number("rest", 0.5, 3600, false, &right);
        break;
    case OPTION_FORWARD_PPS:
        o->forward_pps = integer("forward-pps", 1, 10000000, &right);
        break;
    case OPTION_DTLS:
        o->dtls = (enum dtls_version)choice("dtls", dtls_names, 1, &right);
        break;
    default:
        return room_option_read(o, option);
    }
    return right;
}

static bool is_scenario(const char *name)
{
    static const char *const names[] = {"fanout", "limit", "egress",   "micro",    "storm",
                                        "room",   "churn", "saturate", "broadcast"};
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

static bool is(const struct options *o, const char *scenario)
{
    return strcmp(o->scenario, scenario) == 0;
}

/* A video frame in as few packets as hold it. False: in more than a burst may have. */
static bool plan_frames(struct options *o)
{
    o->frame_bytes = o->video_kbps * 125 / o->fps;
    o->burst = (o->frame_bytes + OPTIONS_VIDEO_PACKET_BYTES - 1) / OPTIONS_VIDEO_PACKET_BYTES;
    o->pps = o->burst * o->fps;
    return o->burst >= 1 && o->burst <= OPTIONS_BURST_MAX && o->frame_bytes >= 64;
}

/* Scenarios of rooms: who is in them, and their media. */
static int check_rooms(struct options *o)
{
    bool churn = is(o, "churn");
    if (is(o, "broadcast"))
        o->shape = OPTIONS_BROADCAST;
    else if (is(o, "room") || churn || (is(o, "saturate") && o->participants != 0))
        o->shape = OPTIONS_ROOM;
    if (o->shape == OPTIONS_FANOUT)
        return o->webrtc ? bad("--webrtc is for rooms", "") : OPTIONS_RUN;
    if (o->participants == 0)
        o->participants = churn ? 8 : 50;
    if (o->senders == 0) {
        uint32_t usual = churn ? 4 : 10;
        o->senders = usual < o->participants ? usual : o->participants;
    }
    if (o->senders > o->participants)
        return bad("more senders than participants", "");
    if (o->speakers > (o->shape == OPTIONS_ROOM ? o->senders : 1) || (o->speakers && !o->audio))
        return bad("--speakers: at most as many as there are senders, and with --audio", "");
    if (!plan_frames(o))
        return bad("a frame of --video-kbps and --fps must have 64 bytes, and 48 packets at most",
                   "");
    uint64_t streams = (uint64_t)o->participants * o->senders * (o->audio ? 2 : 1);
    if (o->shape == OPTIONS_ROOM && streams > OPTIONS_STREAMS_MAX)
        return bad("more streams than 65536: --participants times --senders", "");
    return OPTIONS_RUN;
}

static int check(struct options *o, int argc, char **argv)
{
    static const char *const benches[] = {"parse", "rewrite", "seal", "retain", "slab"};
    if (optind >= argc)
        return bad("a scenario is missing: fanout, room, broadcast, storm, churn, "
                   "saturate, limit, egress, micro or report",
                   "");
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
    if (!is(o, "storm"))
        return check_rooms(o);
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
                                .rest_s = 9,
                                .peers = 500,
                                .forward_pps = 50000,
                                .dtls = DTLS_VERSION_1_3,
                                .video_kbps = 1500,
                                .fps = 30,
                                .viewers = 1000,
                                .rooms = 4,
                                .minutes = 1,
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
