/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/command.h - what the control thread tells a worker, and what the worker answers.
 *
 * The control thread owns the object model and every index: it takes a free index, checks
 * everything, posts one struct command and answers its controller when the outcome with the same
 * cookie comes back. A worker applies commands between turns, in order. An index is free again when
 * the outcome of its close is back, so an event about it can never be about its successor. Commands
 * carry compiled values, no strings but the few that go on the wire, no pointers but a payload
 * buffer that the outcome returns.
 *
 * Outcomes with cookie 0 are events. Every command gets exactly one outcome: the worker takes a
 * command only when there is room for its outcome; events are dropped and counted when the outbox
 * is nearly full. Threads: the control thread writes commands and reads outcomes, the worker the
 * reverse. */
#ifndef NET_COMMAND_H
#define NET_COMMAND_H

#include "core/addr.h"
#include "core/trace.h"
#include "net/shedpace.h"
#include "rtp/ext.h"
#include "rtp/rewrite.h"
#include "rtp/seal.h"

enum {
    COMMAND_N = 64,      /* mailbox to a worker; the control thread queues what does not fit */
    OUTCOME_N = 256,     /* mailbox from a worker */
    OUTCOME_SPARE = 128, /* kept free for outcomes: events beyond are dropped, counted */
    PRODUCER_ENCODINGS_MAX = 4,
    PRODUCER_PT_MAX = 16,
    CNAME_BYTES_MAX = 64,
    TRANSPORT_SOCKETS_MAX = 8, /* a WebRTC transport's listen addresses */
    ICE_UFRAG_BYTES_MAX = 32,  /* of ours; a peer's may be longer, and does not matter */
    ICE_PWD_BYTES_MAX = 32,
    FINGERPRINT_BYTES_MAX = 64, /* SHA-512 */
};

enum command_kind {
    COMMAND_NONE,
    COMMAND_SOCKET_OPEN,
    COMMAND_SOCKET_CLOSE,
    COMMAND_TRANSPORT_OPEN,
    COMMAND_TRANSPORT_CONNECT,
    COMMAND_TRANSPORT_RESTART_ICE,
    COMMAND_TRANSPORT_BITRATE,
    COMMAND_TRANSPORT_CLOSE, /* its producers and consumers must have been closed before */
    COMMAND_PRODUCER_OPEN,
    COMMAND_PRODUCER_CLOSE, /* its consumers must have been closed before */
    COMMAND_PRODUCER_PAUSE,
    COMMAND_PRODUCER_RESUME,
    COMMAND_READER_ADD,    /* of a producer: a mirror of it on another worker gets its packets */
    COMMAND_READER_REMOVE, /* -ENOENT: is not (any more) there */
    COMMAND_CONSUMER_OPEN,
    COMMAND_CONSUMER_CLOSE,
    COMMAND_CONSUMER_PAUSE,
    COMMAND_CONSUMER_RESUME,
    COMMAND_CONSUMER_KEYFRAME,
    COMMAND_CONSUMER_PRIORITY,
    COMMAND_SHED_RULE,
    COMMAND_TRACE_EVENTS, /* which trace events of an object are wanted */
    COMMAND_STATS,
    COMMAND_TRACE_DUMP,
    COMMAND_STOP,
    COMMAND_KIND_N,
};

enum object_kind {
    OBJECT_WORKER,
    OBJECT_SOCKET,
    OBJECT_TRANSPORT,
    OBJECT_PRODUCER,
    OBJECT_CONSUMER,
    OBJECT_KIND_N
};

/* Trace events a controller may ask for (mediasoup's names). */
enum trace_event_bit {
    TRACE_BIT_KEYFRAME = 1 << 0,
    TRACE_BIT_NACK = 1 << 1,
    TRACE_BIT_PLI = 1 << 2,
    TRACE_BIT_FIR = 1 << 3,
    TRACE_BIT_RTP = 1 << 4,
    TRACE_BIT_SR = 1 << 5,
};

enum media_kind { MEDIA_AUDIO, MEDIA_VIDEO };

enum socket_kind {
    SOCKET_UDP,
    SOCKET_TCP, /* listens; what it accepts belongs to the transport that its checks name */
};

struct command_socket_open {
    int fd; /* bound, non-blocking; the worker owns it from here on, also when it fails */
    enum socket_kind kind;
    bool
        shared; /* several transports, by remote address; else one transport takes all that comes */
    struct addr local; /* as bound, port filled */
};

struct srtp_keys {         /* master key + salt, seal_key_bytes(suite) each; wiped after use */
    enum seal_suite suite; /* SEAL_NONE: plain RTP */
    uint8_t in[SEAL_KEY_BYTES_MAX];
    uint8_t out[SEAL_KEY_BYTES_MAX];
};

/* ---- WebRTC ---- */

enum transport_kind { TRANSPORT_PLAIN, TRANSPORT_WEBRTC };

struct ice_credentials { /* of ours; RFC 8839 5.4 */
    uint8_t ufrag_bytes, pwd_bytes;
    char ufrag[ICE_UFRAG_BYTES_MAX];
    char pwd[ICE_PWD_BYTES_MAX];
};

/* The most capable first: a peer gives several, and one that it gives is enough. RFC 8122. */
enum fingerprint_hash {
    FINGERPRINT_NONE,
    FINGERPRINT_SHA1,
    FINGERPRINT_SHA224,
    FINGERPRINT_SHA256,
    FINGERPRINT_SHA384,
    FINGERPRINT_SHA512,
};

struct fingerprint {
    enum fingerprint_hash hash;
    uint8_t bytes[FINGERPRINT_BYTES_MAX]; /* as long as the hash */
};

enum dtls_role { DTLS_ROLE_AUTO, DTLS_ROLE_SERVER, DTLS_ROLE_CLIENT }; /* ours */

struct command_webrtc_open {
    struct ice_credentials credentials;
    int64_t consent_us; /* no valid check for so long: disconnected; 0: never */
    uint8_t sockets_n;
    uint32_t sockets[TRANSPORT_SOCKETS_MAX]; /* UDP and listening TCP ones, shared or its own */
};

struct command_webrtc_connect {
    enum dtls_role role;            /* SERVER or CLIENT */
    struct fingerprint fingerprint; /* the peer's certificate must have it */
};

struct command_transport_bitrate { /* bits a second; 0: no limit. UINT32_MAX: leave as it is */
    uint32_t incoming_max;         /* told to the peer by REMB */
    uint32_t outgoing_max, outgoing_min; /* for the congestion controller */
};

struct command_transport_open {
    enum transport_kind kind;
    struct command_webrtc_open webrtc; /* TRANSPORT_WEBRTC; the sockets below are not used then */
    uint32_t rtp_socket;
    uint32_t rtcp_socket;        /* == rtp_socket with rtcp-mux */
    bool comedia;                /* learn the remote addresses from what is about its own */
    bool srtp_wanted;            /* drop media until keys are there */
    char cname[CNAME_BYTES_MAX]; /* for reports of its own (RR); zero-terminated */
};

struct command_transport_connect {
    struct addr remote;      /* family 0: keep (comedia) */
    struct addr rtcp_remote; /* family 0: same as remote with rtcp-mux, or learnt */
    struct srtp_keys keys;
    struct command_webrtc_connect webrtc; /* TRANSPORT_WEBRTC: this alone */
};

struct producer_pt { /* one negotiated payload type of a producer */
    uint8_t pt;
    uint8_t media_pt; /* REWRITE_PT_NONE; or, when this is RTX: the payload type it repairs */
    uint8_t codec;    /* enum rtp_codec */
    uint32_t clock_rate;
};

struct producer_encoding {
    uint32_t ssrc;     /* 0: learnt by rid or mid */
    uint32_t rtx_ssrc; /* 0: none, or learnt by rrid */
    uint8_t rid_bytes;
    bool dtx;
    char rid[RTP_RID_BYTES_MAX];
};

/* A producer's mirror on another worker stands for it to the consumers there: opened, paused and
 * closed as a producer, with an index among that worker's producers. Its packets come from the
 * producer's worker once COMMAND_READER_ADD has told that one. `serial` is the mirror's: what is
 * still under way to or from a mirror that has been closed is known by it. */
struct producer_source {
    bool elsewhere; /* this is a mirror, and the rest says of what; else zero */
    uint16_t worker;
    uint32_t producer;
    uint32_t serial; /* not 0; of the control thread, never used twice */
};

struct command_reader { /* the mirror's place and serial */
    uint16_t worker;
    uint32_t producer;
    uint32_t serial;
};

struct command_producer_open {
    struct producer_source source;
    uint32_t transport; /* not a mirror's */
    enum media_kind kind;
    bool paused;
    bool nack, pli, fir; /* what we may send upstream */
    bool rtcp_reduced;   /* RFC 5506 */
    uint8_t pt_n, encodings_n, mid_bytes;
    struct producer_pt pt[PRODUCER_PT_MAX];
    struct producer_encoding encodings[PRODUCER_ENCODINGS_MAX];
    struct rtp_ext_ids ext_ids;
    char mid[RTP_MID_BYTES_MAX];
    int64_t keyframe_delay_us;
};

struct command_consumer_open {
    uint32_t transport;
    uint32_t producer;
    uint8_t encoding; /* of the producer */
    enum media_kind kind;
    bool paused;
    bool nack;        /* the receiver may NACK: retention counts it */
    uint8_t priority; /* 1..255 */
    uint16_t seq_first, rtx_seq_first;
    uint32_t ts_first; /* of the first packet out; both random, RFC 3550 5.1 */
    struct rewrite rewrite;
    char cname[CNAME_BYTES_MAX]; /* the producer's */
};

struct command_trace_events {
    enum object_kind object;
    uint32_t bits; /* enum trace_event_bit */
};

struct command {
    enum command_kind kind;
    uint32_t index;  /* of the object that the command is about */
    uint64_t cookie; /* not 0 */
    void *payload;   /* COMMAND_TRACE_DUMP: struct trace to be filled; returned by the outcome */

    union {
        struct command_socket_open socket_open;
        struct command_transport_open transport_open;
        struct command_transport_connect transport_connect;
        struct ice_credentials restart_ice;
        struct command_transport_bitrate transport_bitrate;
        struct command_producer_open producer_open;
        struct command_consumer_open consumer_open;
        struct command_reader reader; /* ADD and REMOVE; `index` is the producer's */
        struct command_trace_events trace_events;
        struct shed_rule shed_rule;
        uint8_t priority;       /* 1..255 */
        enum object_kind stats; /* of which kind of object `index` is */
    };
};

enum ice_state { ICE_NEW, ICE_CONNECTED, ICE_COMPLETED, ICE_DISCONNECTED, ICE_CLOSED };

enum dtls_state { DTLS_NEW, DTLS_CONNECTING, DTLS_CONNECTED, DTLS_FAILED, DTLS_CLOSED };

/* ---- statistics, as values ---- */

struct stream_stats { /* one RTP stream, in or out */
    uint32_t ssrc, rtx_ssrc;
    uint64_t packets, bytes;         /* media, retransmissions apart */
    uint64_t packets_rtx, bytes_rtx; /* retransmitted by us, or received as such */
    uint64_t packets_dropped;        /* came, not used */
    uint64_t packets_repaired;       /* recovered by RTX or late */
    int64_t packets_lost;
    uint8_t fraction_lost;
    uint32_t jitter; /* timestamp units */
    uint32_t bitrate_bps, packet_rate;
    int64_t rtt_us; /* 0 unknown */
    uint8_t score;
    uint64_t nacks, nacked_packets, plis, firs; /* in: sent upstream; out: received */
    uint64_t nack_served, nack_missed, nack_suppressed, nack_overflowed, nack_early;
    uint32_t retained_n; /* slots held now (in only) */
    int64_t retain_us;   /* retention of now (in only) */
    uint64_t restarts, duplicates, keyframes;
};

struct transport_stats {
    struct addr remote, local, rtcp_remote;
    bool connected, rtcp_learnt, sealed;
    bool tcp; /* of the selected tuple */
    enum ice_state ice_state;
    enum dtls_state dtls_state;
    enum dtls_role dtls_role;
    uint8_t tuples_n;
    enum seal_suite suite;
    uint32_t incoming_max_bps, outgoing_max_bps, outgoing_min_bps;
    uint64_t packets_in, bytes_in, packets_out, bytes_out; /* on the wire, UDP payload */
    uint64_t rtp_packets_in, rtp_packets_out, rtcp_packets_in, rtcp_packets_out;
    uint64_t send_failed, dropped;
    uint32_t bitrate_in_bps, bitrate_out_bps;
    int64_t rtt_us;
};

struct producer_stats {
    bool paused;
    uint32_t consumers_n, encodings_n;
    struct stream_stats encodings[PRODUCER_ENCODINGS_MAX];
};

struct consumer_stats {
    bool paused; /* by its controller */
    bool shed;
    bool producer_paused;
    uint16_t seq_max;
    uint8_t producer_score;
    struct stream_stats stream;
};

/* ---- outcomes and events ---- */

enum event_kind {
    EVENT_NONE,
    EVENT_TUPLE, /* transport learnt its remote address */
    EVENT_RTCP_TUPLE,
    EVENT_SCORE,        /* producer: scores of encodings; consumer: its own and the producer's */
    EVENT_TRACE,        /* as asked for by COMMAND_TRACE_EVENTS */
    EVENT_ICE_STATE,    /* a WebRTC transport's */
    EVENT_ICE_SELECTED, /* its media goes to and comes from this tuple now */
    EVENT_DTLS_STATE,   /* CONNECTED: `payload` is the peer's certificate, malloc'ed PEM text or
                           NULL, the control thread's to free */
    EVENT_SHED,         /* consumer: shed, or brought back */
    EVENT_STRESS,       /* worker: its stress has crossed a threshold */
    EVENT_SOCKET_DEAD,
    EVENT_ENGINE_DEAD, /* io_wait() failed: the worker has stopped */
};

struct event_score {
    uint8_t encodings_n;
    uint8_t score[PRODUCER_ENCODINGS_MAX]; /* consumer: [0] its own, [1] the producer's */
    uint32_t ssrc[PRODUCER_ENCODINGS_MAX];
};

struct event_trace {
    enum trace_event_bit bit;
    bool out; /* direction */
    uint32_t ssrc;
    uint16_t seq;
    uint8_t payload_type;
    bool marker, keyframe, rtx;
    uint32_t rtp_ts;
    uint32_t bytes; /* or, for NACK, packets asked for */
    int64_t at_us;
};

struct event_stress {
    uint32_t figure; /* per mille */
    bool high;       /* as of now */
};

struct event_selected {
    struct addr local, remote;
    bool tcp;
};

struct outcome {
    uint64_t cookie; /* 0: an event */
    int result;      /* 0 or -errno */
    enum command_kind command;
    enum event_kind event;
    enum object_kind object;
    uint32_t index;
    void *payload;

    union {
        struct addr tuple; /* EVENT_TUPLE: remote */
        bool shed;         /* EVENT_SHED */
        struct event_stress stress;
        enum ice_state ice_state;
        enum dtls_state dtls_state;
        struct event_selected selected;
        struct event_score score;
        struct event_trace trace;
        struct transport_stats transport;
        struct producer_stats producer;
        struct consumer_stats consumer;
    };
};

#endif
