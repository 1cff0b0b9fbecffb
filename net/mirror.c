/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/mirror.c - packets of other workers' producers, and what their consumers need. */
#include "net/mirror.h"

#include "net/fanout.h"
#include "net/recovery.h"
#include "net/reporting.h"
#include "net/route.h"

#include <errno.h>

enum {
    KEYFRAME_AGAIN_US = 20000, /* a request so soon after another one says nothing new */
    NEED_AGAIN_S = 2,          /* so often it is told anyway: it may have been lost */
    NEED_RTT_STEP_US = 10000, /* what is told of a round trip time does not follow its every move */
};

size_t mirror_refs_bytes(const struct worker *w)
{
    return (size_t)worker_streams_max(&w->config) * MIRROR_REFS_N * sizeof(struct mirror_ref);
}

int mirror_init(struct worker *w)
{
    w->mirror_refs = base_map(mirror_refs_bytes(w));
    return w->mirror_refs != NULL ? 0 : -ENOMEM;
}

void mirror_exit(struct worker *w)
{
    base_unmap(w->mirror_refs, mirror_refs_bytes(w));
    w->mirror_refs = NULL;
}

static struct mirror_ref *refs_of(const struct worker *w, const struct stream *stream)
{
    return w->mirror_refs + (size_t)stream->index * MIRROR_REFS_N;
}

/* What was kept is none of who has the index next. Cleared first: pages may stay where they are. */
static void forget(struct worker *w, struct stream *stream)
{
    size_t bytes = MIRROR_REFS_N * sizeof(struct mirror_ref);
    if (!stream->refs_used)
        return;
    stream->refs_used = false;
    memset(refs_of(w, stream), 0, bytes);
    base_give_back(refs_of(w, stream), bytes);
}

void mirror_open(struct worker *w, struct producer *producer)
{
    producer->transport_next = w->mirrors;
    if (w->mirrors != NULL)
        w->mirrors->transport_prev = producer;
    w->mirrors = producer;
    w->count.mirrors++;
    for (uint32_t i = 0; i < producer->encodings_n; i++)
        producer->streams[i]->need_owed = true; /* also that nothing is needed */
}

void mirror_close(struct worker *w, struct producer *producer)
{
    for (uint32_t i = 0; i < producer->encodings_n; i++)
        forget(w, producer->streams[i]);
    if (producer->transport_prev != NULL)
        producer->transport_prev->transport_next = producer->transport_next;
    else
        w->mirrors = producer->transport_next;
    if (producer->transport_next != NULL)
        producer->transport_next->transport_prev = producer->transport_prev;
    w->count.mirrors--;
}

/* ---- packets ---- */

/* The source begins anew. No extended number comes twice, so what is kept does no harm. */
static void restart(struct stream *stream, uint32_t tag)
{
    stream->tag = tag;
    stream->clock = (struct report_clock){.clock_rate = stream->clock_rate};
}

void mirror_packet(struct worker *w, struct stream *stream, const struct notice_packet *packet)
{
    const struct producer *producer = stream->producer;
    const struct slab *slab = exchange_slab(w, producer->source.worker);
    const uint8_t *data = slab_read(slab, packet->ref);
    enum drop why = data == NULL                              ? DROP_STALE
                    : producer->paused                        ? DROP_PAUSED
                    : stream->records_n >= STREAM_RECORDS_MAX ? DROP_BATCH_FULL
                                                              : DROP_NONE;
    struct record record = {
        .slab = slab,
        .gen = packet->ref.gen,
        .slot = packet->ref.index,
        .bytes = packet->bytes,
        .keyframe = packet->keyframe,
        .fresh = packet->fresh,
        .tag = packet->tag,
        .seq_ext = packet->seq_ext,
        .arrived_us = packet->arrived_us,
    };
    if (packet->keyframe)
        stream->keyframe_told_us = 0; /* who asks from now on wants another */
    if (why == DROP_BATCH_FULL)       /* lost to consumers, who may ask for it */
        mirror_keep(w, stream, &record);
    if (why == DROP_NONE)
        why = rtp_packet_parse(&record.packet, data, record.bytes);
    if (why != DROP_NONE) {
        stream->dropped++;
        count_drop(w, why);
        return;
    }
    rtp_exts_find(&record.exts, data, &record.packet, &producer->ext_ids);
    if (record.tag != stream->tag)
        restart(stream, record.tag);
    stream->source.started = true;
    stream->source.arrived_us = record.arrived_us;
    route_codec(stream, record.packet.payload_type);
    if (!packet->rtx)
        report_clock_packet(&stream->clock, record.packet.rtp_ts, record.arrived_us);
    fanout_add(w, stream, &record);
}

void mirror_keep(struct worker *w, struct stream *stream, const struct record *record)
{
    if (stream->nackers_n == 0 || record->tag != stream->tag)
        return;
    stream->refs_used = true;
    refs_of(w, stream)[record->seq_ext % MIRROR_REFS_N] = (struct mirror_ref){
        .ref = {.gen = record->gen, .index = record->slot, .worker = record->slab->worker},
        .seq_ext = record->seq_ext,
        .bytes = record->bytes,
    };
}

const uint8_t *mirror_find(const struct worker *w, const struct stream *stream, uint32_t seq_ext,
                           size_t *bytes)
{
    const struct mirror_ref *at = &refs_of(w, stream)[seq_ext % MIRROR_REFS_N];
    if (at->bytes == 0 || at->seq_ext != seq_ext)
        return NULL;
    *bytes = at->bytes;
    return slab_read(exchange_slab(w, at->ref.worker), at->ref);
}

/* ---- needs ---- */

static struct stream_need need_of(const struct worker *w, const struct stream *stream)
{
    struct stream_need need = {
        .rtt_max_us =
            (stream->rtt_max_us + NEED_RTT_STEP_US - 1) / NEED_RTT_STEP_US * NEED_RTT_STEP_US,
        .nackers_n = stream->nackers_n,
        .fraction_lost = reporting_worst_lost(stream, 0, w->now_us),
    };
    for (const struct consumer *c = stream->consumers; c != NULL && !need.wanted;
         c = c->stream_next)
        need.wanted = !c->paused;
    return need;
}

static bool is_same(const struct stream_need *a, const struct stream_need *b)
{
    return a->rtt_max_us == b->rtt_max_us && a->nackers_n == b->nackers_n &&
           a->wanted == b->wanted && a->fraction_lost == b->fraction_lost;
}

void mirror_need(struct worker *w, struct stream *stream)
{
    struct stream_need need = need_of(w, stream);
    if (is_same(&need, &stream->need_told) && !stream->need_owed)
        return;
    stream->need_owed = !exchange_tell_need(w, stream, &need);
    stream->need_told = need;
}

void mirror_tick(struct worker *w)
{
    uint32_t now_s = (uint32_t)(w->now_us / 1000000);
    for (struct producer *p = w->mirrors; p != NULL; p = p->transport_next) {
        for (uint32_t i = 0; i < p->encodings_n; i++) {
            struct stream *stream = p->streams[i];
            if (!stream->need_owed && (stream->index + now_s) % NEED_AGAIN_S != 0)
                continue;
            stream->need_owed = true;
            recovery_retention_update(w, stream);
        }
    }
}

static bool waits_for_keyframe(const struct stream *stream)
{
    for (const struct consumer *c = stream->consumers; c != NULL; c = c->stream_next)
        if (c->gate == GATE_KEYFRAME && !c->paused && transport_is_ready(c->transport))
            return true;
    return false;
}

void mirror_hello(struct worker *w, struct producer *producer)
{
    for (uint32_t i = 0; i < producer->encodings_n; i++) {
        struct stream *stream = producer->streams[i];
        stream->need_owed = true;
        mirror_need(w, stream);
        if (!waits_for_keyframe(stream))
            continue;
        stream->keyframe_told_us = 0; /* what was asked before this had nobody to hear it */
        mirror_keyframe(w, stream);
    }
}

void mirror_keyframe(struct worker *w, struct stream *stream)
{
    if (stream->keyframe_told_us != 0 && w->now_us - stream->keyframe_told_us < KEYFRAME_AGAIN_US)
        return;
    if (exchange_ask_keyframe(w, stream))
        stream->keyframe_told_us = w->now_us;
}
