/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tcp.h - a worker's TCP: listening sockets, accepted connections, framed packets on them.
 *
 * ICE-TCP, passive (RFC 6544), packets framed by RFC 4571. Whole frames come out as datagrams in
 * slab slots, whole frames go in: what a transport does is the same as on UDP.
 *
 *   OPEN, unclaimed --tcp_claim--> OPEN, claimed --peer, reset--> ENDED --TCP_CLOSED--> gone
 *        `-- 10 s, displaced, peer, reset, tcp_close --> gone <-- tcp_close --'
 *
 * Order of use, once a turn (the caller's loop never blocks on a connection):
 *     io_wait()                        no later than tcp_due_us()
 *     tcp_turn(now_us)                 deadlines, accepting
 *     IO_READY -> tcp_on_ready()
 *     while (tcp_next(&event)) ...     frames, and connections that ended
 *     tcp_send()
 *     tcp_flush()                      one system call per connection with something to send
 *
 * Bounded: connections and listeners by the configuration; 16 accepts a listener and turn; per call
 * of tcp_next() until it gives false 64 receives of 8 KiB, one a connection in turns; 64 KiB of
 * output pending per connection and `pending_bytes_max` in all. Beyond that a frame is dropped
 * whole (enum drop). A connection that nobody claims in 10 s is reset. So is one that nobody has
 * claimed yet, to make place: the oldest of all when the table is full, and the oldest of the same
 * source (IPv4 address, IPv6 /64) when that has as many as it may have unclaimed. A claimed one
 * never gives way; when all are claimed the new one is reset.
 *
 * Memory: one mapping, touched as used. An idle connection has its record of less than 200 bytes;
 * a read buffer is taken while a frame has come in part or slots ran short, chunks while output
 * waits. The kernel's buffers come on top (tcp_open() bounds what it keeps unsent).
 * Threads: tcp_init(), tcp_exit() before and after the worker's thread; all else by that thread. No
 * heap, no lock, no log. */
#ifndef NET_TCP_H
#define NET_TCP_H

#include "core/drop.h"
#include "core/io.h"

enum {
    TCP_CONNECTIONS_MAX = 16384, /* ceiling of the configuration */
    TCP_LISTENERS_MAX = 1024,
    TCP_CLAIM_US = 10000000,       /* from accepting to tcp_claim() */
    TCP_UNCLAIMED_HOST_MAX = 256,  /* of one source, and no more than half of the table */
    TCP_PENDING_BYTES_MAX = 65536, /* of one connection, with frame heads */
    TCP_ACCEPTS_MAX = 16,          /* of a listener at a time */
    TCP_READS_MAX = 64,            /* until tcp_next() gives false */
    TCP_EXPIRES_MAX = 64,          /* of a turn */
    TCP_ACCEPT_RETRY_US = 100000,  /* without descriptors or memory */
    TCP_STARVED_US = 1000,         /* without a free slot */
};

struct tcp_config {
    uint32_t connections_max;   /* 0..TCP_CONNECTIONS_MAX */
    uint32_t listeners_max;     /* 0..TCP_LISTENERS_MAX */
    uint32_t pending_bytes_max; /* of output, all connections together; in steps of 4 KiB */
    uint64_t seed;              /* of the hash of sources */
};

/* Names a connection. A connection's index is used again after it is gone, with another `gen`: a
 * stale id is refused. All zero names none. */
struct tcp_id {
    uint32_t gen;
    uint32_t index;
};

enum { TCP_UNCLAIMED = UINT32_MAX };

enum tcp_end {
    TCP_END_PEER,  /* it closed in order */
    TCP_END_ERROR, /* reset, timed out, unreachable: `error` */
};

enum tcp_event_kind { TCP_FRAME, TCP_CLOSED };

struct tcp_event {
    enum tcp_event_kind kind;
    struct tcp_id id;
    uint32_t owner;   /* as given to tcp_claim(), or TCP_UNCLAIMED */
    enum tcp_end end; /* TCP_CLOSED */
    int error;        /* TCP_CLOSED, TCP_END_ERROR: -errno */
    /* TCP_FRAME: as if it had come by UDP. `slot` is WORKER, the caller's; `socket` is what
     * tcp_listen() was given; `arrived_us` is the turn's clock; addresses are unmapped. */
    struct io_event datagram;
};

/* Written by the worker only. */
struct tcp_counters {
    uint64_t accepted;
    uint64_t refused;         /* reset at once: all places are claimed */
    uint64_t displaced;       /* of closed_unclaimed: reset for a newer one */
    uint64_t accept_errors;   /* connections that were gone before they were accepted */
    uint64_t accept_backoffs; /* no descriptor or no memory: accepting waited for 100 ms */
    uint64_t closed_peer, closed_error, closed_unclaimed, closed_caller;
    uint64_t frames_in, bytes_in;   /* bytes with frame heads, faulty frames too */
    uint64_t frames_out, bytes_out; /* frames queued; bytes that the kernel took */
    uint64_t too_long, empty;       /* frames in that were passed over */
    uint64_t dropped_full, dropped_memory, dropped_closed; /* frames out */
    uint64_t starved;                                      /* reading waited for a free slot */
    uint64_t bytes_lost;                                   /* pending when their connection ended */
    uint64_t syscalls;
    uint32_t connections, unclaimed, listeners; /* gauges */
    uint32_t read_buffers, pending_chunks;      /* gauges: 8 KiB and 4 KiB each, in use */
};

struct tcp;

/* Maps its memory. 0, -EINVAL (beyond a ceiling), -ENOMEM. */
int tcp_init(struct tcp **tcp, const struct tcp_config *config, struct slab *slab);
void tcp_exit(struct tcp *tcp); /* after tcp_close_all() */

/* What this needs of io_config.watches_max. */
uint32_t tcp_watches(const struct tcp_config *config);

/* Once, before anything that follows; `io` has room for tcp_watches(). */
void tcp_attach(struct tcp *tcp, struct io *io);

/* Takes over a listening, non-blocking socket (tcp_open()). `socket` is the caller's name for it,
 * in every frame of its connections. Its index, or -ENOSPC, -errno: then the fd stays the
 * caller's. */
int tcp_listen(struct tcp *tcp, int fd, uint16_t socket);

/* Closes it and resets its connections that nobody has claimed; claimed ones go on. */
void tcp_unlisten(struct tcp *tcp, uint32_t listener);

/* Begins a turn: its clock, connections whose time is over, accepting that had to wait. */
void tcp_turn(struct tcp *tcp, int64_t now_us);

/* An IO_READY of the engine. Accepts; what can be read comes with tcp_next(). */
void tcp_on_ready(struct tcp *tcp, const struct io_event *event);

/* The next frame, or the end of a claimed connection (its id is stale after that, and no frame of
 * it is left). False: nothing is left, the bound was reached or no slot is free; tcp_due_us() says
 * when to call again. */
bool tcp_next(struct tcp *tcp, struct tcp_event *event);

/* A frame was valid (an ICE check with the right integrity): the connection may stay. `owner` comes
 * with its events from now on; claiming again changes it. False: the id is stale. */
bool tcp_claim(struct tcp *tcp, struct tcp_id id, uint32_t owner);

/* Queues a packet of 1..UINT16_MAX bytes, also to an unclaimed connection (an error response); it
 * is copied, an egress buffer can be given back. DROP_NONE, DROP_TCP_FULL, DROP_TCP_MEMORY,
 * DROP_SEND_ERROR (the connection is gone). */
enum drop tcp_send(struct tcp *tcp, struct tcp_id id, const uint8_t *packet, size_t bytes);

/* Hands to the kernel what tcp_send() queued; what it does not take follows when it can. */
void tcp_flush(struct tcp *tcp);

/* Bytes that wait to be sent; 0 also for a stale id. */
uint32_t tcp_pending_bytes(const struct tcp *tcp, struct tcp_id id);

/* Sends what the kernel takes now, and closes. No event of it comes. False: the id is stale. */
bool tcp_close(struct tcp *tcp, struct tcp_id id);

/* The worker ends: listeners and connections, silently. */
void tcp_close_all(struct tcp *tcp);

/* When tcp_turn() and tcp_next() want to be called, whatever the engine tells: 0 = now, INT64_MAX =
 * not before an event. After tcp_flush(). */
int64_t tcp_due_us(const struct tcp *tcp);

/* Quiet: pages of buffers that nothing uses go back to the system. */
void tcp_rest(struct tcp *tcp);

const struct tcp_counters *tcp_counters(struct tcp *tcp);

#endif
