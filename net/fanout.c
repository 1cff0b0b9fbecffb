/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/fanout.c - rounds: batches of packets to all receivers of their streams. */
#include "net/fanout.h"

#include "net/egress.h"
#include "net/event.h"
#include "net/mirror.h"
#include "net/recovery.h"

enum {
    LATE_MAX = 0x8000, /* half a cycle: what is further back is not late but of another one */
    CROWD = 64,        /* a stream of more consumers is crowded: it is not in a round with others */
};

bool fanout_has_room(const struct worker *w)
{
    return w->records_free_n > RECORDS_SPARE;
}

/* The most recently freed, else the lowest that was never used: pages follow use. */
static uint16_t take_record(struct worker *w)
{
    ASSERT(w->records_free_n > 0);
    w->records_free_n--;
    if (w->record_free == NONE16)
        return w->record_fresh++;
    uint16_t index = w->record_free;
    w->record_free = w->records[index].next;
    return index;
}

void fanout_add(struct worker *w, struct stream *stream, const struct record *record)
{
    uint16_t index = take_record(w);
    struct record *added = &w->records[index];

    *added = *record;
    added->next = NONE16;
    stream->records_n++;
    if (stream->batch_first == NONE16)
        stream->batch_first = index;
    else
        w->records[stream->batch_last].next = index;
    stream->batch_last = index;
    if (!stream->in_batch) {
        stream->in_batch = true;
        w->batch[w->batch_n++] = stream;
    }
}

static void free_record(struct worker *w, uint16_t index)
{
    w->records[index].next = w->record_free;
    w->record_free = index;
    w->records_free_n++;
}

/* A packet goes to retention, which releases what it does not keep. One of another worker stays
 * that one's. Returns the next of its chain. */
static uint16_t end_record(struct worker *w, struct stream *stream, uint16_t index, int64_t from_us)
{
    const struct record *record = &w->records[index];
    uint16_t next = record->next;
    stream->records_n--;
    if (record_is_elsewhere(w, record))
        mirror_keep(w, stream, record);
    else if (record->tag == stream->tag)
        retain_put(w->retain, &stream->retain, record->slot, record->bytes, record->seq_ext,
                   from_us);
    else /* numbered before a restart: its number may come again */
        slab_release(&w->slab, record->slot);
    free_record(w, index);
    return next;
}

static void end_chain(struct worker *w, struct stream *stream, uint16_t first)
{
    while (first != NONE16)
        first = end_record(w, stream, first, w->records[first].arrived_us);
}

/* What has waited too long is left out, so that an overload does not become latency. To receivers
 * it is lost; they learn of it by what follows, so it is retained from now on, not from when it
 * came. */
static void drop_late(struct worker *w, struct stream *stream)
{
    while (stream->batch_first != NONE16 &&
           w->now_us - w->records[stream->batch_first].arrived_us > FANOUT_LATE_US) {
        stream->batch_first = end_record(w, stream, stream->batch_first, w->now_us);
        stream->dropped++;
        count_drop(w, DROP_FANOUT_LATE);
    }
}

/* Its transport is not connected, or not any more: when it is again, numbers follow without a gap
 * and video begins with a key frame. */
static void miss(struct consumer *consumer)
{
    seqmap_sync(&consumer->map);
    fanout_await_keyframe(consumer);
}

static void add_receiver(struct worker *w, struct round *round, struct consumer *consumer)
{
    struct transport *transport = consumer->transport;
    size_t at = (size_t)(round - w->rounds);
    if (transport->mark[at].round_id != round->id) {
        transport->mark[at].round_id = round->id;
        transport->mark[at].receiver = round->receivers_n;
        round->receivers[round->receivers_n++] = (struct receiver){.transport = transport};
    }
    struct receiver *receiver = &round->receivers[transport->mark[at].receiver];
    consumer->work_next = receiver->work;
    receiver->work = consumer;
}

/* A stream's oldest records, at most ROUND_RECORDS_MAX, leave its batch. */
static uint16_t take_batch(struct worker *w, struct stream *stream)
{
    uint16_t first = stream->batch_first, last = first;
    for (uint32_t n = 1; n < ROUND_RECORDS_MAX && w->records[last].next != NONE16; n++)
        last = w->records[last].next;
    stream->batch_first = w->records[last].next;
    w->records[last].next = NONE16;
    return first;
}

static void round_add_stream(struct worker *w, struct round *round, struct stream *stream)
{
    stream->in_round = true;
    stream->round_first = take_batch(w, stream);
    round->streams[round->streams_n++] = stream;
    for (struct consumer *c = stream->consumers; c != NULL; c = c->stream_next) {
        if (c->paused)
            continue;
        if (transport_is_ready(c->transport))
            add_receiver(w, round, c);
        else
            miss(c);
    }
}

static bool is_crowded(const struct stream *stream)
{
    return stream->consumers_n > CROWD;
}

/* A receiver serves last what is added first. Sound goes first: its packet, shorter than a frame's,
 * ends the run of a frame instead of standing before it as a send of its own. */
static void round_add_streams(struct worker *w, struct round *round, bool audio)
{
    for (uint32_t i = 0; i < w->batch_n; i++) {
        struct stream *stream = w->batch[i];
        if (!stream->in_round && stream->batch_first != NONE16 &&
            is_crowded(stream) == round->crowded &&
            (stream->producer->kind == MEDIA_AUDIO) == audio)
            round_add_stream(w, round, stream);
    }
}

/* NULL: as many rounds of this kind are under way as may be, so that the other has one left. */
static struct round *free_round(struct worker *w, bool crowded)
{
    struct round *found = NULL;
    uint32_t same_n = 0;
    for (uint32_t i = 0; i < ROUNDS_N; i++) {
        if (!w->rounds[i].active)
            found = &w->rounds[i];
        else
            same_n += w->rounds[i].crowded == crowded;
    }
    return same_n < ROUNDS_N - 1 ? found : NULL;
}

static void round_begin(struct worker *w, bool crowded)
{
    struct round *round = free_round(w, crowded);
    if (round == NULL)
        return;
    round->streams_n = round->receivers_n = round->at = 0;
    round->id = ++w->round_next == 0 ? ++w->round_next : w->round_next;
    round->crowded = crowded;
    round_add_streams(w, round, true);
    round_add_streams(w, round, false);
    round->active = round->streams_n > 0;
    /* Its own, because other rounds begin while this one waits. */
    round->first = round->receivers_n > 0 ? w->rotate++ % round->receivers_n : 0;
}

void fanout_begin(struct worker *w)
{
    bool any[2] = {false, false};
    if (w->command_waits)
        return;
    for (uint32_t i = 0; i < w->batch_n; i++) {
        struct stream *stream = w->batch[i];
        if (!stream->in_round)
            drop_late(w, stream);
        any[is_crowded(stream)] |= !stream->in_round;
    }
    for (int crowded = 0; crowded < 2; crowded++)
        if (any[crowded])
            round_begin(w, crowded);
    uint32_t waiting_n = 0;
    for (uint32_t i = 0; i < w->batch_n; i++) {
        struct stream *stream = w->batch[i];
        stream->in_batch = stream->batch_first != NONE16;
        if (stream->in_batch) /* for a later round */
            w->batch[waiting_n++] = stream;
    }
    w->batch_n = waiting_n;
}

static void round_end(struct worker *w, struct round *round)
{
    for (uint32_t i = 0; i < round->streams_n; i++) {
        struct stream *stream = round->streams[i];
        end_chain(w, stream, stream->round_first);
        stream->round_first = NONE16;
        stream->in_round = false;
        recovery_schedule_expiry(w, stream);
    }
    round->active = false;
}

void fanout_await_keyframe(struct consumer *consumer)
{
    bool has_keyframes = false;
    for (uint8_t i = 0; i < consumer->rewrite.pt_n; i++)
        has_keyframes |= rtp_codec_has_keyframes((enum rtp_codec)consumer->rewrite.pt[i].codec);
    if (consumer->kind != MEDIA_VIDEO || !has_keyframes)
        return;
    consumer->gate = GATE_KEYFRAME;
    seqmap_sync(&consumer->map);
}

/* A key frame of before the pause, recovered: what would follow it was not sent. */
static bool is_older_than_sent(const struct seqmap *map, const struct record *record)
{
    const struct seqmap_range *newest = &map->newest;
    int64_t ahead = ts_diff(record->seq_ext, newest->in_end);
    return map->n > 0 && newest->stream == record->tag && ahead < 0 && ahead >= -LATE_MAX;
}

/* Only for a gate that is not open. Of a producer with several codecs each packet is judged by its
 * own; the wait goes on until a codec that has key frames brings one.
 *
 * A source that begins anew in mid-stream (record->fresh) does not close the gate, as in mediasoup:
 * a jump of the numbers does not tell that the encoder began anew (a sender that slept, a long
 * outage), and its first packet, perhaps the key frame's, went while its successor was awaited. A
 * key frame is asked for at once (recovery_fresh()); until it is here an old picture that goes on
 * is better than none. */
static enum drop pass_gate(struct consumer *consumer, const struct record *record, int pt)
{
    if (consumer->gate == GATE_BEHIND) {
        int64_t ahead = ts_diff(record->seq_ext, consumer->gate_seq);
        if (ahead >= LATE_MAX)
            consumer->gate = GATE_OPEN; /* also a restart: it numbers from two cycles up */
        return ahead < 0 ? DROP_CONSUMER_GAP : DROP_NONE;
    }
    if (!rtp_codec_has_keyframes((enum rtp_codec)consumer->rewrite.pt[pt].codec))
        return DROP_NONE;
    if (!record->keyframe || is_older_than_sent(&consumer->map, record))
        return DROP_KEYFRAME_WAIT;
    consumer->gate = GATE_BEHIND;
    consumer->gate_seq = record->seq_ext;
    return DROP_NONE;
}

/* Asked in the turn that sends it: its owner does not wait for us when slots run short. */
static bool is_still_there(const struct record *record)
{
    const struct slot_ref ref = {.gen = record->gen, .index = record->slot};
    return slab_read(record->slab, ref) != NULL;
}

/* Decides and sizes one packet for one consumer. */
static enum drop plan_packet(struct worker *w, struct consumer *consumer,
                             const struct record *record)
{
    const struct rewrite *rewrite = &consumer->rewrite;
    if (record_is_elsewhere(w, record) && !is_still_there(record))
        return DROP_STALE; /* a gap: it may be asked for, and is not there either */
    int pt = rewrite_pt_find(rewrite, record->packet.payload_type);
    size_t bytes = pt < 0 ? 0 : rewrite_size(rewrite, &record->packet, &record->exts);
    enum drop why = pt < 0                              ? DROP_CONSUMER_PT
                    : record->packet.payload_bytes == 0 ? DROP_PADDING_ONLY
                    : bytes > PACKET_BYTES_MAX          ? DROP_TOO_LONG
                                                        : DROP_NONE;
    if (why == DROP_NONE && consumer->gate != GATE_OPEN)
        why = pass_gate(consumer, record, pt);
    if (why != DROP_NONE) {
        seqmap_drop(&consumer->map, record->tag, record->seq_ext); /* nothing while it waits */
        return why;
    }
    struct seqmap_out out;
    if (!seqmap_forward(&consumer->map, record->tag, record->seq_ext, record->packet.rtp_ts,
                        rewrite->pt[pt].clock_rate, w->now_us, &out))
        return DROP_CONSUMER_GAP;
    consumer->keyframes += record->keyframe;
    w->plan[w->plan_n++] = (struct plan_item){
        .consumer = consumer,
        .record = record,
        .numbers = {.seq = out.seq, .rtp_ts = out.rtp_ts, .pt = pt},
        .bytes = (uint16_t)bytes,
    };
    return DROP_NONE;
}

static uint32_t serve_consumer(struct worker *w, struct consumer *consumer)
{
    uint32_t packets_n = 0;
    for (uint16_t at = consumer->stream->round_first; at != NONE16;) {
        const struct record *record = &w->records[at];
        if (w->plan_n == PLAN_N)
            egress_send_plan(w, consumer->transport);
        enum drop why = plan_packet(w, consumer, record);
        if (why != DROP_NONE) {
            consumer->dropped++;
            count_drop(w, why);
        } else {
            const struct plan_item *item = &w->plan[w->plan_n - 1];
            recovery_sent(consumer, item->numbers.seq);
            if (consumer->trace_bits & (TRACE_BIT_RTP | TRACE_BIT_KEYFRAME))
                event_trace_out(w, consumer, item);
        }
        packets_n++;
        at = record->next;
    }
    return packets_n;
}

/* As many of its consumers as it takes for that many packets; the rest stays in its work. */
static uint32_t serve_receiver(struct worker *w, struct receiver *receiver, uint32_t packets_max)
{
    uint32_t packets_n = 0;
    if (!transport_is_ready(receiver->transport)) { /* has ended since the round began */
        receiver->work = NULL;
        return 0;
    }
    for (; receiver->work != NULL && packets_n < packets_max;
         receiver->work = receiver->work->work_next)
        packets_n += serve_consumer(w, receiver->work);
    egress_send_plan(w, receiver->transport);
    return packets_n;
}

/* A room's objects do not fit in the cache: what serving a receiver begins with is asked for while
 * those before it are served, its transport and consumer first, then what they point to. */
enum { PREFETCH_OBJECTS = 4, PREFETCH_SEAL = 3, PREFETCH_STREAM = 2 }; /* receivers ahead */

static void prefetch(const void *at)
{
    __builtin_prefetch(at, 1);
}

static struct receiver *receiver_ahead(const struct round *round, uint32_t ahead)
{
    uint32_t at = round->at + ahead;
    return at < round->receivers_n ? &round->receivers[(at + round->first) % round->receivers_n]
                                   : NULL;
}

static void prefetch_receivers(const struct round *round)
{
    const struct receiver *receiver = receiver_ahead(round, PREFETCH_OBJECTS);
    if (receiver != NULL) {
        const struct transport *transport = receiver->transport;
        const struct consumer *consumer = receiver->work;
        prefetch(transport);
        prefetch(&transport->local);
        prefetch(&transport->rate_out);
        prefetch(consumer);
        prefetch(&consumer->rewrite);
        prefetch(&consumer->rewrite.pt);
        prefetch(&consumer->map);
        prefetch(&consumer->resend);
        prefetch(&consumer->rate);
    }
    receiver = receiver_ahead(round, PREFETCH_SEAL);
    if (receiver != NULL)
        prefetch(receiver->transport->seal); /* NULL does no harm */
    receiver = receiver_ahead(round, PREFETCH_STREAM);
    if (receiver != NULL && receiver->transport->seal != NULL)
        seal_prefetch(receiver->transport->seal);
}

/* Receivers start at another one every round, so that nobody is always last. */
static void round_step(struct worker *w, struct round *round)
{
    uint32_t sent_n = 0;
    while (round->at < round->receivers_n && sent_n < FANOUT_SLICE) {
        prefetch_receivers(round);
        struct receiver *receiver = receiver_ahead(round, 0);
        sent_n += serve_receiver(w, receiver, FANOUT_SLICE - sent_n);
        round->at += receiver->work == NULL;
    }
    if (round->at >= round->receivers_n)
        round_end(w, round);
}

bool fanout_is_active(const struct worker *w)
{
    for (uint32_t i = 0; i < ROUNDS_N; i++)
        if (w->rounds[i].active)
            return true;
    return false;
}

bool fanout_step(struct worker *w)
{
    for (uint32_t i = 0; i < ROUNDS_N; i++) {
        struct round *round = &w->rounds[(w->round_at + i) % ROUNDS_N];
        if (!round->active)
            continue;
        w->round_at = (w->round_at + i + 1) % ROUNDS_N;
        round_step(w, round);
        break;
    }
    return fanout_is_active(w);
}

void fanout_finish(struct worker *w)
{
    while (fanout_step(w))
        ; /* each step serves a receiver or ends a round */
}

void fanout_discard(struct worker *w, struct stream *stream)
{
    ASSERT(!stream->in_round);
    end_chain(w, stream, stream->batch_first);
    stream->batch_first = NONE16;
    if (!stream->in_batch)
        return;
    stream->in_batch = false;
    uint32_t kept_n = 0;
    for (uint32_t i = 0; i < w->batch_n; i++)
        if (w->batch[i] != stream)
            w->batch[kept_n++] = w->batch[i];
    w->batch_n = kept_n;
}
