/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/drop.h - why a packet went no further: one list makes the enum, the names and the counters.
 *
 * Every packet step returns one of these; DROP_NONE means that it goes on. The worker counts
 * them per reason (`drops[reason]++`, DROP_NONE counts what was accepted) and the control thread
 * exports them as sluice_drops_total{reason="..."}; the third column is that metric's help. */
#ifndef CORE_DROP_H
#define CORE_DROP_H

#define DROP_LIST(X)                                                                               \
    X(NONE, "none", "accepted")                                                                    \
    /* receiving */                                                                                \
    X(RECV, "recv", "receive completed with an error")                                             \
    X(STARVED, "starved", "no free slot stood in the ring when a datagram came")                   \
    X(KERNEL, "kernel", "the kernel dropped it: socket receive buffer full")                       \
    X(TRUNCATED, "truncated", "datagram longer than a slot")                                       \
    X(EMPTY, "empty", "zero-length datagram")                                                      \
    X(NO_PEER, "no_peer", "no transport has this socket and remote address")                       \
    X(UNKNOWN_CLASS, "unknown_class", "first byte is no protocol that the transport speaks")       \
    X(NOT_CONNECTED, "not_connected", "transport has no keys or no remote address yet")            \
    /* RTP */                                                                                      \
    X(RUNT, "runt", "shorter than the fixed header")                                               \
    X(VERSION, "version", "version is not 2")                                                      \
    X(CSRC, "csrc", "CSRC list reaches past the end")                                              \
    X(EXT, "ext", "header extension reaches past the end")                                         \
    X(PADDING, "padding", "padding count is 0 or reaches into the header")                         \
    X(NO_PRODUCER, "no_producer", "no producer by ssrc, mid or rid")                               \
    X(STREAMS_FULL, "streams_full", "the transport or producer has no room for another stream")    \
    X(PAYLOAD_TYPE, "payload_type", "payload type was not negotiated")                             \
    X(SEQ_INVALID, "seq_invalid", "sequence number out of range, waiting for a second one")        \
    X(DUPLICATE, "duplicate", "came twice")                                                        \
    X(RTX_EMPTY, "rtx_empty", "RTX packet without original sequence number (probing)")             \
    X(RTX_UNKNOWN, "rtx_unknown", "RTX payload type or stream without its media stream")           \
    X(PAUSED, "paused", "producer is paused")                                                      \
    X(READER_FULL, "reader_full",                                                                  \
      "another worker of the room lags behind by all that may be under way to it")                 \
    X(STALE, "stale", "another worker's packet had left its slot before it was forwarded")         \
    X(BATCH_FULL, "batch_full", "more packets in one turn than a batch holds")                     \
    /* STUN */                                                                                     \
    X(STUN_INVALID, "stun_invalid", "malformed STUN message, or its fingerprint is wrong")         \
    X(STUN_CLASS, "stun_class", "STUN response or indication: nothing is asked for")               \
    X(STUN_USER, "stun_user", "STUN user name names no live transport")                            \
    X(STUN_REQUEST, "stun_request", "no ICE check: other method, or an attribute is missing")      \
    X(STUN_AUTH, "stun_auth", "STUN message integrity is wrong")                                   \
    X(STUN_UNKNOWN, "stun_unknown", "STUN attribute that must be known and is not")                \
    X(STUN_ROLE, "stun_role", "the peer says that it is controlled, as a lite agent is")           \
    X(STUN_TUPLE, "stun_tuple", "ICE check from an address that another transport has")            \
    X(STUN_LIMIT, "stun_limit", "STUN error withheld: too many, or longer than its request")       \
    X(HANDSHAKES_FULL, "handshakes_full", "too many handshake datagrams wait already")             \
    /* SRTP */                                                                                     \
    X(SRTP_AUTH, "srtp_auth", "authentication failed")                                             \
    X(SRTP_REPLAY, "srtp_replay", "replayed or too old")                                           \
    X(SRTP_OTHER, "srtp_other", "unprotect failed otherwise")                                      \
    X(SRTP_STREAMS, "srtp_streams", "more inbound SRTP streams than the transport may have")       \
    X(SEAL, "seal", "protect failed")                                                              \
    /* DTLS */                                                                                     \
    X(DTLS_INVALID, "dtls_invalid", "no DTLS records, or none that may come now")                  \
    X(DTLS_STATE, "dtls_state", "the DTLS session has failed or is closed")                        \
    X(DTLS_FULL, "dtls_full", "ClientHello too long, or no memory for its fragments")              \
    /* RTCP */                                                                                     \
    X(RTCP_INVALID, "rtcp_invalid", "RTCP compound is malformed")                                  \
    X(RTCP_WORK, "rtcp_work", "RTCP compound asks for too much at once: its rest was not done")    \
    /* sending */                                                                                  \
    X(CONSUMER_PT, "consumer_pt", "consumer does not take this payload type")                      \
    X(KEYFRAME_WAIT, "keyframe_wait", "video receiver waits for a key frame to begin with")        \
    X(PADDING_ONLY, "padding_only", "padding without payload (probing) is not forwarded")          \
    X(CONSUMER_GAP, "consumer_gap", "late packet falls into a gap that the consumer has closed")   \
    X(TOO_LONG, "too_long", "packet is too long for the path after rewriting")                     \
    X(SEND_AGAIN, "send_again", "socket send buffer full")                                         \
    X(SEND_ERROR, "send_error", "send failed otherwise")                                           \
    X(TCP_LONG, "tcp_long", "TCP frame longer than a slot: passed over")                           \
    X(TCP_FULL, "tcp_full", "TCP connection: too much waits to be sent already")                   \
    X(TCP_MEMORY, "tcp_memory", "TCP: too much waits to be sent on all connections together")      \
    X(FANOUT_LATE, "fanout_late",                                                                  \
      "waited over 500 ms for its fan-out: not forwarded, but kept for NACK")                      \
    /* retention */                                                                                \
    X(EVICTED, "evicted", "retained slot taken back early: slots ran short or budget spent")

enum drop {

#define DROP_ENUM(name, text, help) DROP_##name,
    DROP_LIST(DROP_ENUM)
#undef DROP_ENUM
        DROP_N
};

/* Metric label and help of a reason; "?" beyond the list. Static strings, any thread. */
const char *drop_name(enum drop why);
const char *drop_help(enum drop why);

#endif
