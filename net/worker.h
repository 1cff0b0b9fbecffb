/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/worker.h - one thread with its ring, slab and sockets, and every transport placed on it.
 *
 * worker.c is the spine: the way of an RTP packet from top to bottom. Nobody else touches a
 * worker's objects: the control thread posts commands (net/command.h) and takes outcomes.
 *
 * Threads: each function says whose it is. Memory: everything is mapped by worker_init() from the
 * sums of its configuration and touched as used; a turn allocates nothing. */
#ifndef NET_WORKER_H
#define NET_WORKER_H

#include "core/io.h"
#include "net/command.h"
#include "rtp/retain.h"

#include <stdatomic.h>

struct certificate; /* net/certificate.h */

struct worker_config {
    uint16_t index;
    enum io_engine engine;
    uint32_t without;        /* enum io_feature bits */
    uint32_t slots_n;        /* of the slab */
    uint32_t retain_slots_n; /* global budget of retention, <= slots_n */
    bool huge_pages;
    uint32_t sockets_max, transports_max, producers_max, consumers_max;
    struct retain_rule retain_rule;
    const struct certificate *certificate; /* ours, outlives the worker; NULL: no WebRTC */
    int cpu;                               /* pin to it; -1: not */
    uint64_t seed;                         /* hashes, jitter of reports */
};

/* Everything that a worker counts; relaxed stores by the worker, read by the control thread at any
 * time. name, Prometheus name (sluice_worker_<name>), help. Gauges are marked G, counters C. */
#define WORKER_COUNTER_LIST(X)                                                                     \
    X(C, turns, "turns of the loop")                                                               \
    X(C, busy_us, "time spent in turns, waiting excluded")                                         \
    X(C, datagrams_in, "datagrams received")                                                       \
    X(C, bytes_in, "bytes received")                                                               \
    X(C, rtp_in, "RTP packets accepted")                                                           \
    X(C, rtcp_in, "RTCP compounds accepted")                                                       \
    X(C, forwarded, "RTP packets sent to consumers, resends apart")                                \
    X(C, resent, "RTP packets sent again after a NACK")                                            \
    X(C, rtcp_out, "RTCP compounds sent")                                                          \
    X(C, packets_out, "packets handed to the kernel")                                              \
    X(C, bytes_out, "bytes handed to the kernel")                                                  \
    X(C, sends, "send operations; packets_out / sends is the mean run length")                     \
    X(C, runs_split, "runs that the kernel refused and that went out as singles")                  \
    X(C, syscalls, "system calls of the engine")                                                   \
    X(C, kernel_drops, "datagrams that the kernel dropped: receive buffer full")                   \
    X(C, starved, "receives that ended for want of a slot")                                        \
    X(C, evicted, "retained slots taken back early")                                               \
    X(C, nack_requested, "packets asked for by NACK")                                              \
    X(C, nack_served, "packets resent")                                                            \
    X(C, nack_missed, "packets asked for and no longer retained")                                  \
    X(C, nack_sent, "packets asked for upstream")                                                  \
    X(C, checks, "STUN messages")                                                                  \
    X(C, handshake_steps, "datagrams of DTLS handshakes: public-key work")                         \
    X(C, tcp_accepted, "TCP connections accepted")                                                 \
    X(C, tcp_closed, "TCP connections ended")                                                      \
    X(C, tcp_refused, "TCP connections reset at once: every place is claimed")                     \
    X(C, tcp_displaced,                                                                            \
      "TCP connections without a valid check yet that were reset for newer ones")                  \
    X(C, tcp_frames_in, "frames received by TCP")                                                  \
    X(C, tcp_frames_out, "frames sent by TCP")                                                     \
    X(C, keyframe_requests, "key frame requests sent upstream")                                    \
    X(C, events_dropped, "events to the control thread that found its mailbox full")               \
    X(C, fanout_yields, "times that a long fan-out let receiving go first")                        \
    X(C, published, "packets given to other workers of the room, each counted")                    \
    X(C, notices_lost, "requests and reports to other workers that found their box full")          \
    X(G, slots, "slots of the slab")                                                               \
    X(G, slots_free, "slots nobody holds")                                                         \
    X(G, slots_standing, "slots that stand for receiving")                                         \
    X(G, slots_retained, "slots held for NACK")                                                    \
    X(G, slots_limbo, "released slots that another worker may still be reading")                   \
    X(G, slots_resident, "slots whose pages may be in memory")                                     \
    X(G, sockets, "open sockets")                                                                  \
    X(G, transports, "open transports")                                                            \
    X(G, producers, "open producers")                                                              \
    X(G, consumers, "open consumers")                                                              \
    X(G, mirrors, "producers of other workers that have consumers here")                           \
    X(G, handshakes_waiting, "datagrams of DTLS handshakes that wait for their turn")              \
    X(G, tcp_connections, "open TCP connections")                                                  \
    X(G, handshake_steps_turn_max, "most of these in one turn since the start: 1 is allowed")      \
    X(G, turn_us_max, "longest turn of the last second")

struct worker_counters {
#define WORKER_COUNTER_FIELD(type, name, help) _Atomic uint64_t name;
    WORKER_COUNTER_LIST(WORKER_COUNTER_FIELD)
#undef WORKER_COUNTER_FIELD
    _Atomic uint64_t drops[DROP_N];
};

struct worker;

/* Control thread. 0 or -errno; nothing is left behind. */
int worker_init(struct worker **worker, const struct worker_config *config);
/* Makes the ways between the workers of a process; `workers[i]` has index i. Once, after all have
 * been initialised and before any is started; not needed with one. All must have ended before the
 * first exits. 0, -ENOMEM. */
int worker_link(struct worker *const *workers, uint32_t workers_n);
int worker_start(struct worker *worker); /* its thread begins */
void worker_stop(struct worker *worker); /* posts COMMAND_STOP and joins; bounded */
void worker_exit(struct worker *worker);

/* Control thread: copies the command into the mailbox and wakes the worker. False: full, try again
 * after outcomes. */
bool worker_post(struct worker *worker, const struct command *command);

/* Control thread: the oldest outcome, or NULL; valid until worker_outcome_done(). */
const struct outcome *worker_outcome(struct worker *worker);
void worker_outcome_done(struct worker *worker);

/* Control thread: readable (an eventfd) when outcomes wait; read 8 bytes to clear it. */
int worker_outcome_fd(const struct worker *worker);

/* Any thread. */
const struct worker_counters *worker_counters(const struct worker *worker);
enum io_engine worker_engine(const struct worker *worker);
uint32_t
worker_missing(const struct worker *worker);       /* enum io_feature bits: what it does without */
int worker_thread_id(const struct worker *worker); /* kernel thread id, for /proc */

#endif
