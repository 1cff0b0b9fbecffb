/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/egress.c - runs: number, rewrite, copy, encrypt in place, queue. */
#include "net/egress.h"

/* abs-send-time: 24 bits, 6.18 fixed point seconds of our NTP axis. */
static void put_abs_send_time(uint8_t *at, int64_t now_us)
{
    put_be24(at, (uint32_t)(clock_ntp(now_us) >> 14 & 0xffffff));
}

/* The two values that are known in wire order only. */
static void put_send_values(struct worker *w, struct transport *transport, uint8_t *buffer,
                            const struct rewrite_out *out)
{
    if (out->twcc_at != 0)
        put_be16(buffer + out->twcc_at, transport->twcc_next++);
    if (out->abs_send_time_at != 0)
        put_abs_send_time(buffer + out->abs_send_time_at, w->now_us);
}

static const struct addr *from_of(const struct transport *transport)
{
    return transport->has_local ? &transport->local : NULL;
}

/* A TCP connection copies the packet: its buffer is free again. */
static void send_tcp(struct worker *w, struct tcp_id id, uint8_t *buffer, size_t bytes)
{
    enum drop why = tcp_send(w->tcp, id, buffer, bytes);
    if (why != DROP_NONE)
        count_drop(w, why);
    io_egress_untake(w->io, buffer);
}

/* One packet on the transport's way for RTP. */
static void send_single(struct worker *w, const struct transport *transport, uint8_t *buffer,
                        size_t bytes)
{
    if (transport->tcp)
        send_tcp(w, transport->connection, buffer, bytes);
    else
        io_send(w->io, w->sockets[transport->rtp_socket].io, &transport->remote, from_of(transport),
                buffer, bytes, transport->tag);
}

static void account_out(struct transport *transport, size_t packets, size_t bytes, int64_t now_us)
{
    transport->packets_out += packets;
    transport->bytes_out += bytes;
    transport->rtp_out += packets;
    rate_add(&transport->rate_out, (uint32_t)packets, bytes, now_us);
}

struct tally { /* of consecutive packets of one consumer in a run */
    struct consumer *consumer;
    uint32_t packets;
    size_t bytes, payload_bytes;
};

static void tally_end(struct worker *w, struct tally *tally)
{
    struct consumer *c = tally->consumer;
    if (c == NULL)
        return;
    c->packets += tally->packets;
    c->bytes += tally->bytes;
    c->payload_bytes += tally->payload_bytes;
    rate_add(&c->rate, tally->packets, tally->bytes, w->now_us);
    w->count.forwarded += tally->packets;
    *tally = (struct tally){0};
}

static void tally_add(struct worker *w, struct tally *tally, const struct plan_item *item,
                      size_t bytes)
{
    if (tally->consumer != item->consumer)
        tally_end(w, tally);
    tally->consumer = item->consumer;
    tally->packets++;
    tally->bytes += bytes;
    tally->payload_bytes += item->record->packet.payload_bytes;
}

/* RFC 3550 5.1: the last byte counts the padding, itself included. */
static size_t put_padding(uint8_t *buffer, size_t bytes, size_t pad_bytes)
{
    if (pad_bytes == 0)
        return bytes;
    buffer[0] |= 0x20;
    memset(buffer + bytes, 0, pad_bytes - 1);
    buffer[bytes + pad_bytes - 1] = (uint8_t)pad_bytes;
    return bytes + pad_bytes;
}

/* Where SRTP was agreed on nothing leaves without it, whoever asks. */
static enum drop seal_rtp(const struct transport *transport, uint8_t *buffer, size_t *bytes)
{
    if (transport->seal != NULL)
        return seal_protect_rtp(transport->seal, buffer, bytes);
    return transport->srtp_wanted ? DROP_NOT_CONNECTED : DROP_NONE;
}

/* Writes one planned packet into a buffer; 0 bytes when it could not be encrypted. */
static size_t write_item(struct worker *w, struct transport *transport,
                         const struct plan_item *item, size_t pad_bytes, uint8_t *buffer)
{
    const struct record *record = item->record;
    struct rewrite_out out;
    rewrite_packet(&item->consumer->rewrite, slab_packet(record->slab, record->slot),
                   &record->packet, &record->exts, &item->numbers, buffer, &out);
    put_send_values(w, transport, buffer, &out);

    size_t bytes = put_padding(buffer, out.bytes, pad_bytes);
    if (seal_rtp(transport, buffer, &bytes) != DROP_NONE) {
        count_drop(w, DROP_SEAL);
        return 0;
    }
    ASSERT(bytes <= IO_EGRESS_BYTES);
    return bytes;
}

/* ---- runs ---- */

struct run { /* consecutive items of the plan that leave as one */
    uint32_t n;
    size_t segment_bytes; /* all are padded to it but the last, which may be shorter */
};

/* A resend must be byte-identical to the first sending where it has the same number: padding is
 * only for those whose losses come back as RTX, or not at all. */
static bool may_pad(const struct plan_item *item)
{
    const struct rewrite *rewrite = &item->consumer->rewrite;
    bool rtx = rewrite->rtx_ssrc != 0 && rewrite->pt[item->numbers.pt].rtx != REWRITE_PT_NONE;
    return rtx || !item->consumer->nack;
}

/* The longest run from `first`. Encoders split a frame into packets that differ by a byte or two: a
 * little padding makes them one run instead of several (EGRESS_PAD_MAX bytes a packet). */
static struct run run_from(const struct worker *w, const struct transport *transport,
                           uint32_t first)
{
    const struct plan_item *items = w->plan + first;
    struct run run = {.n = 1, .segment_bytes = items[0].bytes};
    size_t smallest = items[0].bytes; /* of those that have to be padded when the segment grows */
    bool paddable = may_pad(&items[0]);
    uint32_t left = transport->no_runs ? 1 : w->plan_n - first;

    for (; run.n < left && run.n < IO_RUN_PACKETS_MAX; run.n++) {
        size_t bytes = items[run.n].bytes;
        size_t segment = bytes > run.segment_bytes ? bytes : run.segment_bytes;
        if ((run.n + 1) * (segment + SEAL_OVERHEAD_RTP) > IO_RUN_BYTES_MAX)
            break;
        if (segment > smallest && (!paddable || segment - smallest > EGRESS_PAD_MAX))
            break; /* what is in the run cannot be made that long */
        run.segment_bytes = segment;
        paddable &= may_pad(&items[run.n]);
        if (bytes < smallest)
            smallest = bytes;
        if (segment > smallest && (!paddable || segment - smallest > EGRESS_PAD_MAX)) {
            run.n++; /* shorter, and not to be padded: the last one */
            break;
        }
    }
    return run;
}

/* Writes and queues one run; a packet that cannot be encrypted ends it early. Returns the items
 * used up. */
static uint32_t send_run(struct worker *w, struct transport *transport, uint32_t first,
                         struct run run)
{
    uint8_t *buffers[IO_RUN_PACKETS_MAX];
    size_t segment = 0, last = 0, total = 0;
    uint32_t filled = 0, used = 0;
    struct tally tally = {0};

    while (used < run.n) {
        const struct plan_item *item = &w->plan[first + used];
        size_t pad_bytes = used + 1 < run.n ? run.segment_bytes - item->bytes : 0;
        uint8_t *buffer = io_egress_take(w->io);
        size_t bytes = write_item(w, transport, item, pad_bytes, buffer);
        used++;
        if (bytes == 0) {
            io_egress_untake(w->io, buffer);
            break;
        }
        tally_add(w, &tally, item, bytes);
        if (filled == 0)
            segment = bytes;
        ASSERT(bytes <= segment); /* planned sizes hold */
        last = bytes;
        total += bytes;
        buffers[filled++] = buffer;
    }
    tally_end(w, &tally);
    if (filled == 1)
        send_single(w, transport, buffers[0], segment);
    else if (filled > 1)
        io_send_run(w->io, w->sockets[transport->rtp_socket].io, &transport->remote,
                    from_of(transport), buffers, filled, segment, last, transport->tag);
    if (filled > 0)
        account_out(transport, filled, total, w->now_us);
    return used;
}

void egress_send_plan(struct worker *w, struct transport *transport)
{
    for (uint32_t at = 0; at < w->plan_n;)
        at += send_run(w, transport, at, run_from(w, transport, at));
    w->plan_n = 0;
}

enum drop egress_resend(struct worker *w, struct consumer *consumer, const uint8_t *data,
                        const struct rtp_packet *packet, const struct rtp_exts *exts,
                        const struct rewrite_numbers *numbers, int32_t rtx_seq)
{
    struct transport *transport = consumer->transport;
    struct rewrite_out out;
    uint8_t *buffer = io_egress_take(w->io);
    if (rtx_seq >= 0)
        rewrite_packet_rtx(&consumer->rewrite, data, packet, exts, numbers, (uint16_t)rtx_seq,
                           buffer, &out);
    else
        rewrite_packet(&consumer->rewrite, data, packet, exts, numbers, buffer, &out);
    put_send_values(w, transport, buffer, &out);

    size_t bytes = out.bytes;
    enum drop why = seal_rtp(transport, buffer, &bytes);
    if (why != DROP_NONE) {
        io_egress_untake(w->io, buffer);
        return why;
    }
    send_single(w, transport, buffer, bytes);
    account_out(transport, 1, bytes, w->now_us);
    consumer->packets_rtx++;
    consumer->bytes_rtx += bytes;
    w->count.resent++;
    return DROP_NONE;
}

void egress_feedback_begin(const struct transport *transport, struct rtcp_writer *writer)
{
    if (!transport->compound_feedback)
        return;
    rtcp_write_rr(writer, transport->ssrc, NULL, 0);
    rtcp_write_sdes_cname(writer, transport->ssrc, transport->cname);
}

static bool has_rtcp_mux(const struct transport *transport)
{
    return transport->rtcp_socket == transport->rtp_socket;
}

bool egress_rtcp_is_ready(const struct transport *transport)
{
    const struct addr *to = has_rtcp_mux(transport) ? &transport->remote : &transport->rtcp_remote;
    return addr_is_set(to) && (!transport->srtp_wanted || transport->seal != NULL);
}

enum drop egress_rtcp(struct worker *w, struct transport *transport, uint8_t *buffer, size_t bytes)
{
    bool mux = has_rtcp_mux(transport);
    const struct addr *to = mux ? &transport->remote : &transport->rtcp_remote;
    enum drop why = DROP_NONE;

    if (!egress_rtcp_is_ready(transport))
        why = DROP_NOT_CONNECTED;
    else if (transport->seal != NULL)
        why = seal_protect_rtcp(transport->seal, buffer, &bytes);
    if (why != DROP_NONE) {
        io_egress_untake(w->io, buffer);
        count_drop(w, why);
        return why;
    }
    if (mux)
        send_single(w, transport, buffer, bytes);
    else
        io_send(w->io, w->sockets[transport->rtcp_socket].io, to,
                transport->has_rtcp_local ? &transport->rtcp_local : NULL, buffer, bytes,
                transport->tag);
    transport->packets_out++;
    transport->bytes_out += bytes;
    transport->rtcp_out++;
    w->count.rtcp_out++;
    return DROP_NONE;
}

void egress_datagram(struct worker *w, struct transport *transport, uint8_t *buffer, size_t bytes)
{
    if (!addr_is_set(&transport->remote)) {
        io_egress_untake(w->io, buffer);
        count_drop(w, DROP_NOT_CONNECTED);
        return;
    }
    send_single(w, transport, buffer, bytes);
    transport->packets_out++;
    transport->bytes_out += bytes;
}

void egress_tuple(struct worker *w, const struct transport *transport,
                  const struct ice_tuple *tuple, uint8_t *buffer, size_t bytes)
{
    if (tuple->tcp) {
        send_tcp(w, (struct tcp_id){.gen = tuple->gen, .index = tuple->socket}, buffer, bytes);
        return;
    }
    const struct socket_state *socket = &w->sockets[tuple->socket];
    io_send(w->io, socket->io, &tuple->remote, socket->wildcard ? &tuple->local : NULL, buffer,
            bytes, transport->tag);
}
