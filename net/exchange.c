/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/exchange.c - boxes between workers, bells, and the peace of shared slots. */
#include "net/exchange.h"

#include "net/fanout.h"
#include "net/mirror.h"
#include "net/recovery.h"

#include <errno.h>

enum bell { /* of a worker; others ring it */
            BELL_AWAKE,
            BELL_RUNG, /* while awake: something is in a box */
            BELL_ASLEEP,
};

struct exchange {
    struct arena arena;
    uint32_t workers_n, first; /* whose box is looked at first */
    struct worker **workers;   /* by index; its own place included */
    struct mailbox *in;        /* by who writes */
    bool *told;                /* by who has been told something since the last bell */
    uint32_t *seen;            /* epochs of the others when limbo began to wait */
    struct pool readers;
};

/* ---- set-up ---- */

static uint32_t readers_max(const struct worker *w, uint32_t workers_n)
{
    return w->config.producers_max * (workers_n - 1);
}

static size_t arena_bytes_of(const struct worker *w, uint32_t workers_n)
{
    return arena_round(sizeof(struct exchange)) +
           workers_n * (sizeof(struct worker *) + sizeof(struct mailbox) + sizeof(bool) +
                        sizeof(uint32_t)) +
           pool_bytes(sizeof(struct reader), readers_max(w, workers_n)) + 8 * (size_t)LINE_BYTES;
}

int exchange_init(struct worker *w, struct worker *const *workers, uint32_t workers_n)
{
    struct arena arena;
    int result = arena_init(&arena, arena_bytes_of(w, workers_n));
    if (result != 0)
        return result;
    struct exchange *x = arena_take(&arena, sizeof *x);
    x->workers_n = workers_n;
    x->workers = arena_take(&arena, workers_n * sizeof(struct worker *));
    memcpy(x->workers, workers, workers_n * sizeof(struct worker *));
    x->in = arena_take(&arena, workers_n * sizeof *x->in);
    x->told = arena_take(&arena, workers_n * sizeof *x->told);
    x->seen = arena_take(&arena, workers_n * sizeof *x->seen);
    pool_init(&x->readers, &arena, sizeof(struct reader), readers_max(w, workers_n));
    arena_freeze(&arena);
    x->arena = arena;
    w->exchange = x;
    for (uint32_t i = 0; i < workers_n && result == 0; i++)
        if (workers[i] != w)
            result = mailbox_init(&x->in[i], sizeof(struct notice), EXCHANGE_N);
    if (result == 0)
        result = mirror_init(w);
    if (result != 0)
        exchange_exit(w);
    return result;
}

const struct arena *exchange_memory(const struct worker *w)
{
    return w->exchange == NULL ? NULL : &w->exchange->arena;
}

void exchange_exit(struct worker *w)
{
    struct exchange *x = w->exchange;
    if (x == NULL)
        return;
    mirror_exit(w);
    for (uint32_t i = 0; i < x->workers_n; i++)
        mailbox_exit(&x->in[i]);
    w->exchange = NULL;
    struct arena arena = x->arena; /* it holds what describes it */
    arena_exit(&arena);
}

bool exchange_has(const struct worker *w, uint16_t worker)
{
    return w->exchange != NULL && worker < w->exchange->workers_n && worker != w->config.index;
}

/* ---- telling ---- */

static struct mailbox *box_to(const struct worker *w, uint16_t worker)
{
    return &w->exchange->workers[worker]->exchange->in[w->config.index];
}

/* NULL: full. */
static struct notice *tell_begin(struct worker *w, uint16_t worker, enum notice_kind kind)
{
    struct mailbox *box = box_to(w, worker);
    struct notice *notice = NULL;
    if (kind != NOTICE_PACKET || mailbox_room(box) > EXCHANGE_SPARE)
        notice = mailbox_put_begin(box);
    if (notice == NULL)
        w->count.notices_lost += kind != NOTICE_PACKET;
    else
        notice->kind = kind;
    return notice;
}

static void tell_end(struct worker *w, uint16_t worker)
{
    mailbox_put_end(box_to(w, worker));
    w->exchange->told[worker] = true;
}

static struct notice *tell_reader_begin(struct worker *w, const struct reader *reader,
                                        enum notice_kind kind, uint8_t encoding)
{
    struct notice *notice = tell_begin(w, reader->at.worker, kind);
    if (notice == NULL)
        return NULL;
    notice->encoding = encoding;
    notice->producer = reader->at.producer;
    notice->serial = reader->at.serial;
    return notice;
}

static struct notice *tell_source_begin(struct worker *w, const struct stream *stream,
                                        enum notice_kind kind)
{
    const struct producer_source *source = &stream->producer->source;
    struct notice *notice = tell_begin(w, source->worker, kind);
    if (notice == NULL)
        return NULL;
    notice->encoding = stream->encoding;
    notice->producer = source->producer;
    notice->serial = source->serial;
    return notice;
}

static bool is_wanted_by(const struct reader *reader, uint8_t encoding)
{
    return !reader->heard || reader->need[encoding].wanted;
}

void exchange_publish(struct worker *w, const struct stream *stream, const struct record *record,
                      bool rtx)
{
    for (const struct reader *r = stream->producer->readers; r != NULL; r = r->next) {
        if (!is_wanted_by(r, stream->encoding))
            continue;
        struct notice *notice = tell_reader_begin(w, r, NOTICE_PACKET, stream->encoding);
        if (notice == NULL) {
            count_drop(w, DROP_READER_FULL);
            continue;
        }
        notice->packet = (struct notice_packet){
            .ref = slab_share(&w->slab, record->slot),
            .seq_ext = record->seq_ext,
            .tag = record->tag,
            .arrived_us = record->arrived_us,
            .bytes = record->bytes,
            .keyframe = record->keyframe,
            .fresh = record->fresh,
            .rtx = rtx,
        };
        tell_end(w, r->at.worker);
        w->count.published++;
    }
}

void exchange_clock(struct worker *w, const struct stream *stream,
                    const struct rtcp_sender_info *info, int64_t received_us)
{
    for (const struct reader *r = stream->producer->readers; r != NULL; r = r->next) {
        struct notice *notice = tell_reader_begin(w, r, NOTICE_CLOCK, stream->encoding);
        if (notice == NULL)
            continue;
        notice->clock = (struct notice_clock){.info = *info, .received_us = received_us};
        tell_end(w, r->at.worker);
    }
}

static void tell_score(struct worker *w, const struct stream *stream, const struct reader *reader)
{
    struct notice *notice = tell_reader_begin(w, reader, NOTICE_SCORE, stream->encoding);
    if (notice == NULL)
        return;
    notice->score = (struct notice_score){.ssrc = stream->ssrc, .value = stream->score.value};
    tell_end(w, reader->at.worker);
}

void exchange_score(struct worker *w, const struct stream *stream)
{
    for (const struct reader *r = stream->producer->readers; r != NULL; r = r->next)
        tell_score(w, stream, r);
}

bool exchange_tell_need(struct worker *w, const struct stream *stream,
                        const struct stream_need *need)
{
    struct notice *notice = tell_source_begin(w, stream, NOTICE_NEED);
    if (notice == NULL)
        return false;
    notice->need = *need;
    tell_end(w, stream->producer->source.worker);
    return true;
}

bool exchange_ask_keyframe(struct worker *w, const struct stream *stream)
{
    if (tell_source_begin(w, stream, NOTICE_KEYFRAME) == NULL)
        return false;
    tell_end(w, stream->producer->source.worker);
    return true;
}

/* ---- readers ---- */

static struct reader *reader_find(const struct producer *producer, uint16_t worker, uint32_t serial)
{
    for (struct reader *r = producer->readers; r != NULL; r = r->next)
        if (r->at.worker == worker && r->at.serial == serial)
            return r;
    return NULL;
}

static void retention_update(struct worker *w, const struct producer *producer)
{
    for (uint32_t i = 0; i < producer->encodings_n; i++)
        recovery_retention_update(w, producer->streams[i]);
}

int exchange_reader_add(struct worker *w, struct producer *producer,
                        const struct command_reader *reader)
{
    struct exchange *x = w->exchange;
    if (!exchange_has(w, reader->worker) || producer->source.elsewhere)
        return -EINVAL;
    if (reader_find(producer, reader->worker, reader->serial) != NULL)
        return -EEXIST;
    uint32_t index = pool_take(&x->readers);
    if (index == POOL_NONE)
        return -ENOSPC;
    struct reader *r = pool_at(&x->readers, index);
    *r = (struct reader){.next = producer->readers, .index = index, .at = *reader};
    producer->readers = r;
    /* What the mirror has said so far was about a reader that was not there. Where this is lost, or
     * comes before the mirror is open, what the mirror says next is the beginning. */
    if (tell_reader_begin(w, r, NOTICE_HELLO, 0) != NULL)
        tell_end(w, reader->worker);
    retention_update(w, producer);
    return 0;
}

int exchange_reader_remove(struct worker *w, struct producer *producer,
                           const struct command_reader *reader)
{
    for (struct reader **at = &producer->readers; *at != NULL; at = &(*at)->next) {
        struct reader *r = *at;
        if (r->at.worker != reader->worker || r->at.serial != reader->serial)
            continue;
        *at = r->next;
        pool_give(&w->exchange->readers, r->index);
        retention_update(w, producer);
        return 0;
    }
    return -ENOENT;
}

void exchange_reader_remove_all(struct worker *w, struct producer *producer)
{
    while (producer->readers != NULL) {
        struct reader *r = producer->readers;
        producer->readers = r->next;
        pool_give(&w->exchange->readers, r->index);
    }
}

struct stream_need exchange_need_of(const struct stream *stream)
{
    struct stream_need all = {0};
    for (const struct reader *r = stream->producer->readers; r != NULL; r = r->next) {
        const struct stream_need *need = &r->need[stream->encoding];
        all.wanted |= is_wanted_by(r, stream->encoding);
        all.nackers_n += need->nackers_n;
        all.rtt_max_us = max_i64(all.rtt_max_us, need->rtt_max_us);
        if (need->fraction_lost > all.fraction_lost)
            all.fraction_lost = need->fraction_lost;
    }
    return all;
}

/* ---- being told ---- */

/* The stream that a notice is about, if it is still there. */
static struct stream *stream_of(struct worker *w, const struct notice *notice, bool mirror)
{
    if (notice->producer >= w->config.producers_max)
        return NULL;
    struct producer *p = &w->producers[notice->producer];
    if (!p->open || p->source.elsewhere != mirror || notice->encoding >= p->encodings_n ||
        (mirror && p->source.serial != notice->serial))
        return NULL;
    return p->streams[notice->encoding];
}

static void on_need(struct worker *w, uint16_t from, const struct notice *notice)
{
    struct stream *stream = stream_of(w, notice, false);
    struct reader *reader =
        stream == NULL ? NULL : reader_find(stream->producer, from, notice->serial);
    if (reader == NULL)
        return;
    for (uint32_t i = 0; i < stream->producer->encodings_n && !reader->heard; i++)
        tell_score(w, stream->producer->streams[i], reader);
    reader->heard = true;
    reader->need[notice->encoding] = notice->need;
    recovery_retention_update(w, stream);
}

static void on_keyframe(struct worker *w, uint16_t from, const struct notice *notice)
{
    struct stream *stream = stream_of(w, notice, false);
    if (stream != NULL && reader_find(stream->producer, from, notice->serial) != NULL)
        recovery_keyframe(w, stream, false);
}

static void on_notice(struct worker *w, uint16_t from, const struct notice *notice)
{
    bool to_source = notice->kind == NOTICE_NEED || notice->kind == NOTICE_KEYFRAME;
    struct stream *mirror = to_source ? NULL : stream_of(w, notice, true);
    if (!to_source && mirror == NULL)
        return;
    switch (notice->kind) {
    case NOTICE_PACKET:
        mirror_packet(w, mirror, &notice->packet);
        break;
    case NOTICE_CLOCK:
        report_clock_sr(&mirror->clock, &notice->clock.info, notice->clock.received_us);
        break;
    case NOTICE_SCORE:
        mirror->ssrc = notice->score.ssrc; /* nothing is routed by it here */
        mirror->score.value = notice->score.value;
        break;
    case NOTICE_HELLO:
        mirror_hello(w, mirror->producer);
        break;
    case NOTICE_NEED:
        on_need(w, from, notice);
        break;
    case NOTICE_KEYFRAME:
        on_keyframe(w, from, notice);
        break;
    }
}

/* A boxful: who tells on meanwhile is heard in the next turn. What the fan-out has no room for
 * stays in the box, and its writer learns that this worker lags. */
static void take_from(struct worker *w, uint16_t from)
{
    struct mailbox *box = &w->exchange->in[from];
    for (uint32_t i = 0; i < EXCHANGE_N && fanout_has_room(w); i++) {
        const struct notice *notice = mailbox_take_begin(box);
        if (notice == NULL)
            return;
        on_notice(w, from, notice);
        mailbox_take_end(box);
    }
}

bool exchange_take(struct worker *w)
{
    struct exchange *x = w->exchange;
    if (x == NULL)
        return false;
    uint32_t first = x->first++; /* another one every time: nobody is always last */
    for (uint32_t i = 0; i < x->workers_n; i++) {
        uint32_t from = (first + i) % x->workers_n;
        if (from != w->config.index)
            take_from(w, (uint16_t)from);
    }
    return !fanout_has_room(w);
}

/* ---- bells ---- */

void exchange_ring(struct worker *w)
{
    struct exchange *x = w->exchange;
    for (uint32_t i = 0; x != NULL && i < x->workers_n; i++) {
        if (!x->told[i])
            continue;
        x->told[i] = false;
        struct worker *other = x->workers[i];
        if (atomic_exchange(&other->bell, BELL_RUNG) == BELL_ASLEEP)
            io_wake(other->io);
    }
}

bool exchange_sleep(struct worker *w)
{
    if (w->exchange == NULL)
        return true;
    int awake = BELL_AWAKE;
    if (!atomic_compare_exchange_strong(&w->bell, &awake, BELL_ASLEEP))
        return false; /* rung; exchange_begin() hears it */
    epoch_sleep(&w->epoch);
    return true;
}

void exchange_begin(struct worker *w)
{
    if (w->exchange == NULL)
        return;
    epoch_begin(&w->epoch);
    atomic_exchange(&w->bell, BELL_AWAKE);
}

void exchange_end(struct worker *w)
{
    if (w->exchange == NULL)
        return;
    atomic_exchange(&w->bell, BELL_AWAKE);
    epoch_sleep(&w->epoch);
}

/* ---- shared slots ---- */

static bool all_have_passed(const struct worker *w)
{
    struct exchange *x = w->exchange;
    for (uint32_t i = 0; i < x->workers_n; i++)
        if (x->workers[i] != w && !epoch_has_passed(&x->workers[i]->epoch, x->seen[i]))
            return false;
    return true;
}

void exchange_settle(struct worker *w)
{
    struct exchange *x = w->exchange;
    if (x == NULL || w->slab.limbo_n == 0)
        return;
    if (w->slab.waits.n > 0) {
        if (!all_have_passed(w))
            return;
        slab_limbo_free(&w->slab);
    }
    if (slab_limbo_begin(&w->slab) == 0)
        return;
    for (uint32_t i = 0; i < x->workers_n; i++)
        x->seen[i] = epoch_seen(&x->workers[i]->epoch);
    if (all_have_passed(w)) /* they sleep */
        slab_limbo_free(&w->slab);
}

const struct slab *exchange_slab(const struct worker *w, uint16_t worker)
{
    return &w->exchange->workers[worker]->slab;
}
