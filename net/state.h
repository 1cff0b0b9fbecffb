/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/state.h - what a worker owns: its objects, their links and the batch under way.
 *
 *   socket <- transport -> producers -> streams (one per encoding) -> consumers (of any transport)
 *                       -> consumers
 *
 * Indices of sockets, transports, producers and consumers are the control thread's; streams are the
 * worker's own. Arrays are mapped for the configured maximum and touched as used. Writer of
 * everything here: the worker's thread. For net/ only: nobody outside includes it. */
#ifndef NET_STATE_H
#define NET_STATE_H

#include "core/arena.h"
#include "core/array.h"
#include "core/clock.h"
#include "core/epoch.h"
#include "core/io.h"
#include "core/mailbox.h"
#include "core/random.h"
#include "core/table.h"
#include "core/timer.h"
#include "core/trace.h"
#include "net/command.h"
#include "net/demux.h"
#include "net/dtls.h"
#include "net/ice.h"
#include "net/shedpace.h"
#include "net/stress.h"
#include "net/tcp.h"
#include "net/worker.h"
#include "rtcp/keyframe.h"
#include "rtcp/nack.h"
#include "rtcp/report.h"
#include "rtcp/rtt.h"
#include "rtcp/twcc.h"
#include "rtp/codec.h"
#include "rtp/resend.h"
#include "rtp/retain.h"
#include "rtp/rewrite.h"
#include "rtp/seal.h"
#include "rtp/seqmap.h"
#include "rtp/source.h"

#include <pthread.h>
#include <semaphore.h>

enum {
    ROUNDS_N = 4,     /* fan-outs under way at once; a stream is in one at most */
    RECORDS_N = 4096, /* packets between receiving and the end of their fan-out */
    STREAM_RECORDS_MAX =
        RECORDS_N / 4,  /* of one stream: a room that cannot be served does not stop receiving */
    RECORDS_SPARE = 64, /* below so many free ones receiving waits for the fan-out */
    ROUND_RECORDS_MAX = 64,  /* of one stream in one round */
    FANOUT_SLICE = 256,      /* packets sent before receiving gets its turn */
    FANOUT_LATE_US = 500000, /* since its arrival: a packet that no receiver has a use for */
    PLAN_N = 64,             /* packets planned for one receiver at once */
    PACKET_BYTES_MAX = 1700, /* rewritten, before encryption */
    BYES_N = 16,             /* ssrcs of closed consumers kept per transport for its next report */
    RRTR_N = 4,              /* peers' receiver reference times kept per transport for DLRR */
    NONE16 = 0xffff,
    HANDSHAKES_N = 256,      /* datagrams that wait for their public-key work, a power of two */
    HANDSHAKES_PEER_MAX = 8, /* of one transport: a flight has three to six */
    REMB_END_N = 4,          /* how often it is said that a limit is gone: one may be lost */
    LINE_BYTES = 64,         /* of a cache */
    RESEND_GROUP_N = 32,     /* consumers whose memory of resends goes back together */
    /* A send that fails late may be one of a transport whose index another has by now: the bits
     * above the index count openings. */
    TAG_INDEX_BITS = 20,
    TRANSPORTS_MAX = 1 << TAG_INDEX_BITS,
};

static_assert(RESEND_GROUP_N * sizeof(struct resend_memory) % 4096 == 0, "whole pages");
static_assert(PACKET_BYTES_MAX + SEAL_OVERHEAD_RTP + 144 <= IO_EGRESS_BYTES, "libsrtp2's slack");
static_assert(SLOT_PACKET_BYTES_MAX + REWRITE_GROWTH_MAX + SEAL_OVERHEAD_RTP <= IO_EGRESS_BYTES,
              "whatever comes, rewriting it writes no further than the buffer");

enum timer_kind {
    TIMER_REPORT,
    TIMER_TWCC,
    TIMER_NACK,
    TIMER_KEYFRAME,
    TIMER_RESEND,
    TIMER_EXPIRY,
    TIMER_CONSENT,
    TIMER_DTLS,
    TIMER_TICK
};

struct socket_state {
    bool open, shared, wildcard;
    bool ice; /* of WebRTC transports: checks tell whose it is, then the remote address */
    enum socket_kind kind;
    uint16_t io;        /* UDP: index in the engine */
    uint32_t listener;  /* TCP: index in w->tcp */
    uint32_t transport; /* of a socket of its own; DEMUX_NONE */
    uint32_t ice_n;     /* WebRTC transports that use it */
    struct addr local;
};

struct datagram { /* a UDP datagram or a TCP frame on its way; its slot is WORKER */
    uint16_t slot, bytes;
    uint32_t socket; /* of ours, that it came to; for TCP the listening one */
    int64_t arrived_us;
    struct ice_tuple from;
};

enum peer_owed { /* what the control thread has not been told yet */
                 OWED_ICE_STATE = 1 << 0,
                 OWED_SELECTED = 1 << 1,
                 OWED_DTLS_STATE = 1 << 2,
};

/* What a WebRTC transport has beside. net/peer.h. */
struct peer {
    struct ice ice;
    struct dtls *dtls; /* from the handshake's first datagram on */
    enum dtls_state dtls_state;
    enum dtls_role role;            /* AUTO: the controller has not connected it yet */
    struct fingerprint fingerprint; /* the peer's */
    char *certificate;              /* the peer's, PEM; until the control thread takes it */
    bool start_waits;               /* a client's first flight is in the queue */
    uint8_t waiting_n;              /* datagrams in the queue */
    uint8_t owed;                   /* enum peer_owed bits; in w->owing when not 0 */
    uint8_t sockets_n;
    uint32_t sockets[TRANSPORT_SOCKETS_MAX];
    struct timer consent_timer, dtls_timer;
};

struct handshake {      /* public-key work that waits for its turn */
    uint32_t transport; /* DEMUX_NONE: has been closed */
    uint16_t slot;      /* SLOT_NONE: a client's first flight */
    uint16_t bytes;
};

struct transport {
    /* looked at and written for everything that is sent: prefetch_receivers() fetches these lines
     */
    _Alignas(LINE_BYTES) struct seal *seal;
    struct addr remote;
    uint32_t rtp_socket;
    uint32_t index;
    uint32_t tag; /* of its sends: index and generation, see TAG_INDEX_BITS */
    bool open, comedia, srtp_wanted, no_runs;
    bool tcp;                       /* sends by `connection`, not by rtp_socket */
    bool has_local, has_rtcp_local; /* the peer's packets told which of our addresses it uses */
    uint16_t twcc_next;             /* transport-wide number of the next packet out */
    struct addr local;              /* where to send from, when the socket is bound to a wildcard */

    struct {
        uint32_t round_id, receiver;
    } mark[ROUNDS_N]; /* receiver entry of this transport in a round */

    uint64_t packets_out, bytes_out, rtp_out;
    struct rate rate_out;
    struct tcp_id connection;
    struct peer *peer; /* of WebRTC; NULL for plain RTP */
    /* receiving */
    uint64_t packets_in, bytes_in, rtp_in;
    struct rate rate_in;
    /* the rest */
    bool compound_feedback; /* of some producer the peer does not take reduced-size RTCP */
    bool twcc_started; /* its recorder is in use: a producer negotiated transport-wide feedback */
    bool speaks; /* has or had a producer or consumer: RTCP of its own goes out, from `ssrc` */
    uint8_t rrtr_n, byes_n;
    uint32_t rtcp_socket;
    uint32_t ssrc; /* ours, for feedback and receiver reports */
    struct addr rtcp_remote, rtcp_local;
    struct producer *producers;
    struct consumer *consumers;
    uint64_t rtcp_in, rtcp_out, send_failed, dropped;
    struct command_transport_bitrate bitrate; /* limits, 0: none */
    uint8_t remb_left;                        /* REMBs still to say that a limit is gone */
    struct rtt rtt;
    struct timer report_timer, twcc_timer;

    struct {
        uint32_t ssrc, ntp; /* compact */
        int64_t received_us;
    } rrtr[RRTR_N];

    uint32_t byes[BYES_N];

    char cname[CNAME_BYTES_MAX];
};

/* What a stream's consumers on another worker need of it. net/exchange.h. */
struct stream_need {
    int64_t rtt_max_us; /* largest of those that may NACK */
    uint32_t nackers_n;
    bool wanted;           /* somebody is not paused */
    uint8_t fraction_lost; /* worst of what the receivers report of late */
};

struct stream { /* one encoding of a producer */
    struct producer *producer;
    uint32_t index;
    uint32_t
        tag; /* changes when the numbering starts anew: the consumers' maps see another stream */
    uint32_t ssrc, rtx_ssrc; /* 0: not known yet */
    uint8_t encoding;
    bool keyframe_owed; /* somebody wants one, and it could not be asked for yet */
    uint8_t codec;      /* of the newest packet, enum rtp_codec */
    uint32_t clock_rate;
    struct source source;
    struct report_clock clock;
    struct retain_stream retain;
    struct nack_list *nack;
    struct keyframe keyframe;
    struct rtt rtt;
    struct score score;
    struct timer nack_timer, keyframe_timer, expiry_timer;
    struct consumer *consumers; /* list by stream_next */
    uint32_t consumers_n;
    uint32_t nackers_n; /* consumers that may NACK and are not paused */
    int64_t rtt_max_us; /* largest among them */
    uint16_t records_n; /* its packets between receiving and the end of their fan-out */
    uint16_t batch_first, batch_last; /* records waiting for a round, NONE16 */
    uint16_t round_first;             /* records in the round under way */
    bool in_round, in_batch;          /* is in some round; stands in worker->batch for another */
    uint64_t packets_rtx, bytes_rtx, dropped, plis, firs, nacks, nacked, keyframes;
    /* of a mirror's */
    struct stream_need need_told;
    bool need_owed;           /* could not be told */
    bool refs_used;           /* something was kept for NACK */
    int64_t keyframe_told_us; /* when one was last asked for */
};

struct producer {
    bool open, paused, nack, pli, fir;
    bool rtcp_reduced; /* its peer takes reduced-size RTCP (RFC 5506) */
    uint8_t mid_bytes, pt_n, encodings_n;
    enum media_kind kind;
    uint32_t index;
    uint32_t trace_bits;
    struct transport *transport;                      /* NULL: a mirror, of `source` */
    struct producer *transport_next, *transport_prev; /* or next and previous mirror */
    struct producer_source source;
    struct reader *readers; /* mirrors on other workers. net/exchange.h */
    struct stream *streams[PRODUCER_ENCODINGS_MAX];
    struct rtp_ext_ids ext_ids;
    uint8_t pt_at[128]; /* payload type -> index in pt[] + 1 */
    struct producer_pt pt[PRODUCER_PT_MAX];
    struct producer_encoding encodings[PRODUCER_ENCODINGS_MAX];
    char mid[RTP_MID_BYTES_MAX];
    char cname[CNAME_BYTES_MAX]; /* for its consumers' sender reports; told with the first */
};

/* What a consumer that forwards nothing before a key frame lets pass (fanout_await_keyframe()). */
enum gate {
    GATE_OPEN,
    GATE_KEYFRAME, /* a key frame's first packet */
    GATE_BEHIND,   /* what is not older than the key frame that it began with: gate_seq */
};

enum paused_by { PAUSED_BY_CONTROLLER = 1 << 0, PAUSED_BY_SHED = 1 << 1 };

enum shed_place { SHED_NOWHERE, SHED_FORWARDING, SHED_SHED };

struct consumer {
    /* read and written for every packet: prefetch_receivers() fetches the beginnings of these */
    _Alignas(LINE_BYTES) struct transport *transport;
    struct stream *stream;
    struct consumer *stream_next;
    struct consumer *work_next; /* next of the same receiver in a round */
    bool open, paused, nack;
    uint8_t paused_by; /* enum paused_by bits; `paused`: there is one */
    uint8_t priority;
    uint8_t place; /* enum shed_place: in which stack of its class */
    uint8_t gate;  /* enum gate */
    enum media_kind kind;
    uint32_t index;
    uint32_t trace_bits;
    uint32_t gate_seq; /* extended, of the producer's stream */
    uint64_t packets, bytes;
    uint64_t payload_bytes; /* octets of sender reports */
    struct rewrite rewrite;
    uint32_t keyframes; /* forwarded, resends not counted */
    struct seqmap map;
    struct resend resend;
    struct rate rate;
    /* recovery */
    uint16_t rtx_seq;
    uint64_t packets_rtx, bytes_rtx, dropped;
    struct timer resend_timer;
    /* feedback */
    struct rtt rtt;
    struct report_remote remote;
    uint64_t repaired_at_report; /* packets_rtx at the last report */
    struct score score;
    uint64_t nacks, nacked, plis, firs;
    struct consumer *transport_next, *transport_prev;
    struct consumer *stream_prev;
    uint32_t shed_next, shed_prev; /* consumer + 1 of its class; 0 ends */
};

enum { SHED_CLASSES_N = 512 }; /* twice the priority, audio one more */

struct shed_stack { /* consumers by class, the latest first */
    uint32_t n;
    uint64_t any[SHED_CLASSES_N / 64]; /* a bit per class that has some */
    uint32_t first[SHED_CLASSES_N];    /* consumer + 1, 0: none */
};

struct shed { /* net/shed.h */
    struct shed_rule rule;
    struct shedpace pace;
    struct stress stress;
    uint32_t slots_busy; /* the most of this window */
    int32_t due;         /* consumers to shed, or to bring back, once no round is under way */
    bool high;           /* as last told */
    int64_t told_us;
    struct shed_stack forwarding, shed;
};

struct record { /* a packet between receiving and the end of its fan-out; its slot is WORKER */
    const struct slab *slab; /* ours, or that of the worker whose producer is mirrored here: then it
                                may have gone, and `gen` tells */
    uint32_t gen;
    uint16_t slot, bytes;
    uint16_t next; /* of the same stream; NONE16 ends */
    bool keyframe;
    bool fresh;   /* the first of its stream, or of a new numbering */
    uint32_t tag; /* the stream's when it came */
    uint32_t seq_ext;
    int64_t arrived_us;
    struct rtp_packet packet;
    struct rtp_exts exts;
};

struct receiver {
    struct transport *transport;
    struct consumer *work; /* its consumers with packets in this round, those not served yet */
};

struct round { /* one resumable fan-out: some streams' batches to all their receivers */
    bool active, crowded;
    uint32_t id; /* never 0 */
    uint32_t streams_n, receivers_n;
    uint32_t first, at; /* receiver it starts at, receivers served */
    struct stream **streams;
    struct receiver *receivers;
};

struct plan_item {
    struct consumer *consumer;
    const struct record *record;
    struct rewrite_numbers numbers;
    uint16_t bytes; /* before encryption */
};

struct worker {
    struct worker_config config;
    struct io *io;
    struct slab slab;
    struct retain *retain;
    struct arena arena;
    struct timers timers;
    struct demux demux;
    struct tcp *tcp;
    struct dtls_context *dtls; /* NULL: no certificate, no WebRTC */
    struct stunlimit stunlimit;
    struct exchange *exchange;      /* with the other workers; NULL without */
    struct mirror_ref *mirror_refs; /* by stream index, MIRROR_REFS_N each */
    struct producer *mirrors;
    struct table fragments;  /* hash of our ICE user name fragment -> transport index */
    struct table routes_in;  /* transport << 32 | ssrc -> stream index, or'ed with ROUTE_RTX */
    struct table routes_out; /* transport << 32 | ssrc -> consumer index */
    struct socket_state *sockets;
    uint32_t *socket_of_io; /* engine's index -> ours */
    struct array transport_array, peer_array, producer_array, consumer_array, older_array;
    struct transport *transports; /* items of the arrays */
    struct peer *peers;           /* by transport index */
    struct producer *producers;
    struct consumer *consumers;
    struct pool streams;
    struct seqmap_range *older;    /* by consumer index, SEQMAP_OLDER each */
    struct resend_memory *resends; /* by consumer index */
    int64_t *resends_asked_us;     /* by group of RESEND_GROUP_N: the last request, 0 = none */
    struct nack_list *nacks;       /* by stream index */
    struct twcc_recorder *twccs;   /* by transport index */
    int64_t now_us;
    uint32_t tag_next, round_next, rotate, transports_opened;
    struct random random;

    struct record *records;
    uint16_t record_free;  /* chain by next, NONE16 ends */
    uint16_t record_fresh; /* records from here on have never been used */
    bool rested, idle;     /* what a busy turn touches has gone back; there is no transport */
    uint64_t sent_at_tick;
    uint32_t records_free_n;
    struct stream **batch; /* streams with records that are in no round yet */
    uint32_t batch_n;
    struct round rounds[ROUNDS_N];
    bool command_waits; /* for the rounds under way to end: no new one begins */
    uint32_t round_at;  /* whose slice is next */
    struct plan_item plan[PLAN_N];
    uint32_t plan_n;

    struct handshake handshakes[HANDSHAKES_N];
    uint32_t handshake_at, handshakes_n;
    uint32_t turn_steps; /* of public-key work, from one handshake_step() to the next */
    uint32_t *owing;     /* transports with events that found no room, transports_max */
    uint32_t owing_n;

    struct shed shed;

    struct trace trace;
    struct timer tick_timer; /* once a second: trim, gauges */

    struct {
        uint64_t turns, busy_us, rtp_in, rtcp_in, forwarded, resent, rtcp_out, nack_requested,
            nack_served, nack_missed, nack_sent, keyframe_requests, events_dropped, fanout_yields,
            evicted, turn_us_max, checks, handshake_steps, handshake_steps_turn_max, published,
            notices_lost, stressed, shed, unshed, retained_at_tick;
        uint64_t drops[DROP_N];
        uint32_t sockets, transports, producers, consumers, mirrors;
    } count;

    struct worker_counters counters; /* what the control thread reads */

    /* what other workers look at */
    _Alignas(LINE_BYTES) struct epoch epoch;
    _Alignas(LINE_BYTES) _Atomic int bell; /* net/exchange.c */

    struct mailbox inbox, outbox;
    bool outbox_rung, stopping, engine_dead;
    int outbox_fd;
    pthread_t thread;
    bool started; /* the control thread's */
    sem_t begun;  /* the worker's thread has its engine, or not: start_result */
    _Atomic int start_result;
    _Atomic bool ended;
    _Atomic int thread_id;
};

/* net/worker_setup.c calls the one and has the other. */
void worker_main(struct worker *w); /* the thread, from its engine's start to COMMAND_STOP */
uint32_t worker_streams_max(const struct worker_config *config);

enum { ROUTE_RTX = 1 << 30 };

static inline uint64_t route_key(const struct transport *transport, uint32_t ssrc)
{
    return (uint64_t)transport->index << 32 | ssrc;
}

/* Can media be sent to it: an address, and keys where keys are wanted. */
static inline bool transport_is_ready(const struct transport *transport)
{
    return addr_is_set(&transport->remote) && (!transport->srtp_wanted || transport->seal != NULL);
}

static inline bool record_is_elsewhere(const struct worker *w, const struct record *record)
{
    return record->slab != &w->slab;
}

static inline void count_drop(struct worker *w, enum drop why)
{
    w->count.drops[why]++;
}

#endif
