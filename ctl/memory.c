/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/memory.c - server.memory: what takes how much, measured.
 *
 * The workers' parts are asked of the kernel (net/memory.h), the process's figures of /proc, the
 * heap's of malloc and of wolfSSL's hooks. What libsrtp2 and the ciphers take a session and a
 * stream is measured once, with sessions made for it, and multiplied by how many there are. */
#include "ctl/handlers.h"

#include "net/dtls.h"
#include "net/memory.h"
#include "rtp/packet.h"
#include "rtp/seal.h"

#include <malloc.h>
#include <stdio.h>

/* ---- the process ---- */

static json_int_t field_bytes(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    long long kib = 0;
    if (!at || sscanf(at + strlen(name), " %lld kB", &kib) != 1)
        return 0;
    return kib * 1024;
}

static json_t *process_json(void)
{
    char text[4096] = "\n";
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    size_t n = file ? fread(text + 1, 1, sizeof(text) - 2, file) : 0;
    text[1 + n] = '\0';
    if (file)
        fclose(file);
    return json_pack("{s:I, s:I, s:I}", "pssBytes", field_bytes(text, "\nPss:"), "residentBytes",
                     field_bytes(text, "\nRss:"), "hugePageBytes",
                     field_bytes(text, "\nAnonHugePages:"));
}

/* ---- SRTP: what a session and its streams take ---- */

enum { SAMPLE = 16, SAMPLE_STREAMS = 16 };

struct seal_cost {   /* bytes of heap */
    int64_t session; /* with its first outbound stream */
    int64_t out, in; /* each further outbound one, each inbound one */
};

static int64_t heap_used(void)
{
    return (int64_t)mallinfo2().uordblks;
}

/* libsrtp2 makes an inbound stream when its first packet is authentic. */
static void sample_hear(struct seal *from, struct seal *to, uint32_t ssrc)
{
    _Alignas(4)
        uint8_t packet[RTP_FIXED_BYTES + SEAL_OVERHEAD_RTP + SEAL_SLACK_BYTES] = {0x80, 96, 0, 2};
    size_t bytes = RTP_FIXED_BYTES;
    put_be32(packet + 8, ssrc);
    if (seal_protect_rtp(from, packet, &bytes) == DROP_NONE)
        (void)seal_unprotect_rtp(to, packet, &bytes);
}

static struct seal_cost sample(enum seal_suite suite)
{
    static const uint8_t keys[2][SEAL_KEY_BYTES_MAX] = {{1}, {2}};
    struct seal *seals[SAMPLE] = {0};
    int64_t used[4] = {heap_used()};
    bool made = true;
    for (size_t i = 0; i < SAMPLE && made; i++)
        made = seal_init(&seals[i], suite, keys[i % 2], keys[(i + 1) % 2]) == 0 &&
               seal_add_out(seals[i], 1) == 0;
    used[1] = heap_used();
    for (size_t i = 0; i < SAMPLE && made; i++)
        for (uint32_t ssrc = 2; ssrc <= SAMPLE_STREAMS && made; ssrc++)
            made = seal_add_out(seals[i], ssrc) == 0;
    used[2] = heap_used();
    for (size_t i = 0; i < SAMPLE && made; i++)
        sample_hear(seals[i], seals[i ^ 1], 1);
    used[3] = heap_used();
    for (size_t i = 0; i < SAMPLE; i++)
        seal_exit(seals[i]);
    if (!made)
        return (struct seal_cost){0};
    return (struct seal_cost){
        .session = (used[1] - used[0]) / SAMPLE,
        .out = (used[2] - used[1]) / (SAMPLE * (SAMPLE_STREAMS - 1)),
        .in = (used[3] - used[2]) / SAMPLE,
    };
}

static int64_t middle(int64_t a, int64_t b, int64_t c)
{
    return max_i64(max_i64(min_i64(a, b), min_i64(max_i64(a, b), c)), 0);
}

/* Workers use the heap meanwhile, rarely: the middle one of three is nobody's but ours. */
static const struct seal_cost *seal_cost(enum seal_suite suite)
{
    static struct seal_cost costs[SEAL_SUITE_N];
    static bool known[SEAL_SUITE_N];
    if (!known[suite]) {
        struct seal_cost a = sample(suite), b = sample(suite), c = sample(suite);
        costs[suite] = (struct seal_cost){
            .session = middle(a.session, b.session, c.session),
            .out = middle(a.out, b.out, c.out),
            .in = middle(a.in, b.in, c.in),
        };
        known[suite] = true;
    }
    return &costs[suite];
}

static json_t *srtp_json(int64_t *bytes)
{
    json_t *list = json_array();
    *bytes = 0;
    for (int i = SEAL_NONE + 1; i < SEAL_SUITE_N; i++) {
        enum seal_suite suite = (enum seal_suite)i;
        struct seal_count n = seal_count(suite);
        if (n.seals <= 0)
            continue;
        const struct seal_cost *cost = seal_cost(suite);
        *bytes +=
            n.seals * cost->session + max_i64(n.outs - n.seals, 0) * cost->out + n.ins * cost->in;
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "suite", seal_suite_name(suite),
                            "sessions", (json_int_t)n.seals, "streamsOut", (json_int_t)n.outs,
                            "streamsIn", (json_int_t)n.ins, "sessionBytes",
                            (json_int_t)cost->session, "streamOutBytes", (json_int_t)cost->out,
                            "streamInBytes", (json_int_t)cost->in));
    }
    return list;
}

static json_t *heap_json(int64_t srtp_bytes)
{
    struct mallinfo2 info = mallinfo2();
    int64_t used = (int64_t)info.uordblks + (int64_t)info.hblkhd, dtls = dtls_heap().bytes;
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "usedBytes", (json_int_t)used, "mappedBytes",
                     (json_int_t)(info.arena + info.hblkhd), "dtlsBytes", (json_int_t)dtls,
                     "srtpBytes", (json_int_t)srtp_bytes, "controlBytes",
                     (json_int_t)max_i64(used - dtls - srtp_bytes, 0));
}

/* ---- the workers ---- */

enum kind { KIND_TRANSPORT, KIND_WEBRTC, KIND_PRODUCER, KIND_CONSUMER, KIND_N };

static const char *const kind_names[KIND_N] = {"transport", "webRtc", "producer", "consumer"};

struct tally {
    uint64_t count[KIND_N], bytes[KIND_N];
    uint64_t retained, retained_pps;
    uint64_t mapped_bytes, resident_bytes;
};

static const struct {
    const char *name;
    enum memory_of of;
} parts[MEMORY_PART_N] = {

#define PART_ROW(name_, text_, of_) {text_, MEMORY_OF_##of_},
    MEMORY_PART_LIST(PART_ROW)
#undef PART_ROW
};

static enum kind kind_of(enum memory_part part)
{
    if (part == MEMORY_PEERS)
        return KIND_WEBRTC;
    switch (parts[part].of) {
    case MEMORY_OF_TRANSPORT:
        return KIND_TRANSPORT;
    case MEMORY_OF_PRODUCER:
        return KIND_PRODUCER;
    case MEMORY_OF_CONSUMER:
        return KIND_CONSUMER;
    case MEMORY_OF_WORKER:
        break;
    }
    return KIND_N;
}

static uint64_t webrtc_n(const struct control *control, uint32_t worker)
{
    const struct indices *indices = &control->model.places[worker].of[OBJECT_TRANSPORT];
    uint64_t n = 0;
    for (uint32_t i = 0; i < indices->fresh_at; i++) {
        const struct transport *transport = indices_at(indices, i);
        n += transport && transport->webrtc;
    }
    return n;
}

static uint64_t gauge(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void tally_worker(struct tally *tally, const struct control *control, uint32_t i,
                         const struct worker_memory *memory)
{
    const struct worker_counters *counters = worker_counters(control->desks[i].worker);
    *tally = (struct tally){
        .count = {gauge(&counters->transports), webrtc_n(control, i), gauge(&counters->producers),
                  gauge(&counters->consumers)},
        .retained = gauge(&counters->slots_retained),
        .retained_pps = gauge(&counters->retained_pps),
    };
    for (int part = 0; part < MEMORY_PART_N; part++) {
        enum kind kind = kind_of((enum memory_part)part);
        tally->mapped_bytes += memory->parts[part].mapped;
        tally->resident_bytes += memory->parts[part].resident;
        if (kind != KIND_N)
            tally->bytes[kind] += memory->parts[part].resident;
    }
}

static void tally_add(struct tally *sum, const struct tally *tally)
{
    for (int i = 0; i < KIND_N; i++) {
        sum->count[i] += tally->count[i];
        sum->bytes[i] += tally->bytes[i];
    }
    sum->retained += tally->retained;
    sum->retained_pps += tally->retained_pps;
}

static json_t *objects_json(const struct tally *tally)
{
    json_t *list = json_array();
    for (int i = 0; i < KIND_N; i++) {
        json_t *entry =
            json_pack("{s:s, s:I, s:I}", "kind", kind_names[i], "count",
                      (json_int_t)tally->count[i], "residentBytes", (json_int_t)tally->bytes[i]);
        if (tally->count[i] > 0)
            json_object_set_new(entry, "bytesEach",
                                json_integer((json_int_t)(tally->bytes[i] / tally->count[i])));
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *retention_json(const struct tally *tally)
{
    json_t *out = json_pack("{s:I, s:I, s:I, s:I}", "packets", (json_int_t)tally->retained, "bytes",
                            (json_int_t)(tally->retained * SLOT_BYTES), "packetsPerSecond",
                            (json_int_t)tally->retained_pps, "bytesPerSecond",
                            (json_int_t)(tally->retained_pps * SLOT_BYTES));
    if (tally->retained_pps > 0)
        json_object_set_new(out, "seconds",
                            json_real((double)tally->retained / (double)tally->retained_pps));
    return out;
}

static json_t *parts_json(const struct worker_memory *memory)
{
    json_t *list = json_array();
    for (int i = 0; i < MEMORY_PART_N; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I}", "name", parts[i].name, "mappedBytes",
                                        (json_int_t)memory->parts[i].mapped, "residentBytes",
                                        (json_int_t)memory->parts[i].resident));
    return list;
}

static json_t *workers_json(const struct control *control, struct tally *sum)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < control->config.workers_n; i++) {
        struct worker_memory memory;
        struct tally tally;
        worker_memory(control->desks[i].worker, &memory);
        tally_worker(&tally, control, i, &memory);
        tally_add(sum, &tally);
        json_array_append_new(
            list, json_pack("{s:i, s:I, s:I, s:o, s:o, s:o}", "index", (int)i, "mappedBytes",
                            (json_int_t)tally.mapped_bytes, "residentBytes",
                            (json_int_t)tally.resident_bytes, "objects", objects_json(&tally),
                            "retention", retention_json(&tally), "parts", parts_json(&memory)));
    }
    return list;
}

void server_memory(struct control *control, struct request *request, struct fields *f)
{
    (void)f;
    if (!handler_ok(request))
        return;
    struct tally sum = {0};
    int64_t srtp_bytes = 0;
    json_t *process = process_json(); /* before what answering takes */
    json_t *workers = workers_json(control, &sum);
    json_t *srtp = srtp_json(&srtp_bytes);
    request_result(request,
                   json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "process", process, "heap",
                             heap_json(srtp_bytes), "srtp", srtp, "objects", objects_json(&sum),
                             "retention", retention_json(&sum), "workers", workers));
}
