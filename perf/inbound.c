/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/inbound.c - places of numbers, a window of them. */
#include "perf/inbound.h"

enum place { PLACE_UNKNOWN, PLACE_GOT, PLACE_LOST };

void inbound_init(struct inbound *in, uint32_t ssrc, uint32_t clock_rate, bool nack)
{
    memset(in, 0, sizeof *in);
    in->ssrc = ssrc;
    in->nack = nack;
    source_init(&in->source, ssrc, clock_rate);
    nack_init(&in->list);
}

static uint8_t *place_of(struct inbound *in, uint32_t seq_ext)
{
    return &in->places[seq_ext % INBOUND_WINDOW];
}

/* What leaves the window is settled: it is not recovered any more. */
static void open_window(struct inbound *in, uint32_t seq_ext)
{
    for (; (int32_t)(seq_ext - in->edge) >= INBOUND_WINDOW; in->edge++)
        *place_of(in, in->edge) = PLACE_UNKNOWN;
}

/* Missing because it was thrown away, or because it never came here. */
static bool is_missing(struct inbound *in, uint32_t seq_ext)
{
    return (int32_t)(seq_ext - in->edge) >= 0 && *place_of(in, seq_ext) != PLACE_GOT &&
           ((int32_t)(seq_ext - in->source.seq_max) <= 0 || *place_of(in, seq_ext) == PLACE_LOST);
}

static void recover(struct inbound *in, struct shared_figures *figures, uint32_t seq_ext,
                    int64_t now_us)
{
    inbound_count(&figures->recovered_thrown, *place_of(in, seq_ext) == PLACE_LOST);
    *place_of(in, seq_ext) = PLACE_GOT;
    inbound_count(&figures->recovered, 1);
    nack_receive(&in->list, seq_ext, false, now_us);
}

static void receive(struct inbound *in, struct shared_figures *figures, const uint8_t *data,
                    size_t bytes, int64_t now_us)
{
    bool restarted, first = !in->source.started;
    uint32_t seq_ext = 0, before = in->source.seq_max;
    if (source_receive(&in->source, be16(data + 2), be32(data + 4), bytes, now_us, &seq_ext,
                       &restarted) != DROP_NONE) {
        inbound_count(&figures->nack_late, 1);
        return;
    }
    if (first)
        in->edge = seq_ext;
    inbound_count(&figures->spanned, first ? 1 : in->source.seq_max - before);
    open_window(in, seq_ext);
    *place_of(in, seq_ext) = PLACE_GOT;
    inbound_count(&figures->received, 1);
    inbound_count(&figures->bytes, bytes);
    if (in->nack)
        nack_receive(&in->list, seq_ext, false, now_us);
}

void inbound_media(struct inbound *in, struct shared_figures *figures, const uint8_t *data,
                   size_t bytes, bool thrown, int64_t now_us)
{
    bool first = !in->source.started;
    if (first && thrown)
        return; /* numbering starts with one that came */
    uint32_t seq_ext = first ? 0 : seq_extend(in->source.seq_max, be16(data + 2));
    bool known = !first && (int32_t)(seq_ext - in->edge) >= 0 &&
                 (int32_t)(seq_ext - in->source.seq_max) <= 0;
    if (known && *place_of(in, seq_ext) == PLACE_GOT) {
        inbound_count(&figures->nack_late, 1);
        return;
    }
    if (known && *place_of(in, seq_ext) == PLACE_LOST) { /* a plain resend */
        if (thrown)
            return;
        inbound_count(&figures->nack_served, 1);
        recover(in, figures, seq_ext, now_us);
        return;
    }
    if (thrown) {
        open_window(in, seq_ext);
        *place_of(in, seq_ext) = PLACE_LOST;
        inbound_count(&figures->lost_on_wire, 1);
        return;
    }
    receive(in, figures, data, bytes, now_us);
}

void inbound_rtx(struct inbound *in, struct shared_figures *figures, const uint8_t *data,
                 size_t bytes, int64_t now_us)
{
    if (bytes < 14 || !in->source.started)
        return;
    uint32_t seq_ext = seq_extend(in->source.seq_max, be16(data + 12));
    inbound_count(&figures->nack_served, 1);
    if (!is_missing(in, seq_ext)) {
        inbound_count(&figures->nack_late, 1); /* settled, or here already */
        return;
    }
    recover(in, figures, seq_ext, now_us);
}
