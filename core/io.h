/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/io.h - datagrams in and out in batches: one interface, two engines.
 *
 * `uring` (core/ring.c) is the engine: one io_uring, the slab as its provided buffers, a multishot
 * RECVMSG per socket straight into slots, SEND for one packet and SENDMSG + UDP_SEGMENT for a run,
 * all queued and submitted together with the wait. `mmsg` (core/mmsg.c) does the same with epoll,
 * recvmmsg and sendmmsg where io_uring is forbidden or too old. Results are the same.
 *
 * Threads: everything by the owning worker, except io_wake(). The owner is whoever calls io_wait(),
 * io_poll() or io_flush() first: io_init() and io_open_socket() may be called before its thread
 * starts, io_exit() also after it has ended. Allocates in io_init() only.
 *
 * Order of use, once a turn:
 *     io_wait()                       submits what is queued, waits, reaps
 *     while (io_next(&event)) ...     every datagram: the slot is the caller's (WORKER)
 *     io_egress_take(), write the packet, io_send() / io_send_run()
 *     io_flush()                      optional: submits now; io_wait() does it anyway
 *
 * Sends leave with MSG_DONTWAIT and are done when the submitting call returns: an egress buffer
 * is free again then. When the arena is full, io_egress_take() submits by itself (counted).
 * A send that fails comes back as IO_SEND_FAILED with its tag: -EAGAIN is a full socket buffer,
 * a run that fails with EMSGSIZE, EINVAL or EIO has been sent again as singles by the engine and
 * the event says so, so that the caller marks the destination as "no runs".
 *
 * Beside the sockets the engine watches other descriptors (io_watch()): listening sockets and
 * streams that their owner reads and writes by himself. */
#ifndef CORE_IO_H
#define CORE_IO_H

#include "core/addr.h"
#include "core/slab.h"

enum {
    IO_EGRESS_N = 256,         /* egress buffers */
    IO_EGRESS_BYTES = 2048,    /* each; 1500 of packet + SRTP's tail room */
    IO_RUN_PACKETS_MAX = 64,   /* UDP_MAX_SEGMENTS of older kernels */
    IO_RUN_BYTES_MAX = 60000,  /* one UDP datagram before segmentation stays under 64 KiB */
    IO_SOCKETS_MAX = 16384,    /* ceiling of io_config.sockets_max */
    IO_WATCHES_MAX = 32768,    /* ceiling of io_config.watches_max */
    IO_WAIT_DATAGRAMS = 32,    /* under load, wait for so many ... */
    IO_WAIT_MIN_US = 250,      /* ... or so long */
    IO_STANDING_MIN = 64,      /* slots that stand for receiving at rest */
    IO_FAILED_MAX = 4096,      /* IO_SEND_FAILED events that wait for io_next() at most */
    IO_STARVED_US = 1000,      /* without a single slot io_wait() sleeps no longer than this */
    IO_RCVBUF_BYTES = 4 << 20, /* a receive buffer that holds 20 ms of 90,000 packets/s */
};

enum io_engine { IO_ENGINE_AUTO, IO_ENGINE_URING, IO_ENGINE_MMSG };

/* Kernel features that tests and `--without` may force missing. Bits of io_config.without and
 * io.missing. */
enum io_feature {
    IO_FEATURE_URING = 1 << 0,     /* io_uring_setup at all */
    IO_FEATURE_MIN_WAIT = 1 << 1,  /* IORING_FEAT_MIN_TIMEOUT, 6.12 */
    IO_FEATURE_MULTISHOT = 1 << 2, /* multishot RECVMSG, 6.0: without it the mmsg engine runs */
    IO_FEATURE_BUFFER_RING =
        1 << 3, /* provided buffer rings, 5.19: without it the mmsg engine runs */
    IO_FEATURE_DEFER_TASKRUN = 1 << 4, /* 6.1: without it COOP_TASKRUN or none */
    IO_FEATURE_UDP_SEGMENT = 1 << 5,   /* UDP GSO, 4.18: without it runs are sent as singles */
    IO_FEATURE_TIMESTAMP = 1 << 6,     /* SO_TIMESTAMPNS: without it arrival is the turn's clock */
    IO_FEATURE_RXQ_OVFL = 1 << 7,      /* SO_RXQ_OVFL: without it kernel drops are not seen */
    IO_FEATURE_SKIP_SUCCESS = 1 << 8,  /* CQE_SKIP_SUCCESS, 5.17 */
    IO_FEATURE_MEMLOCK = 1 << 9,       /* registering memory under RLIMIT_MEMLOCK */
    IO_FEATURE_RCVBUF_FORCE =
        1 << 10, /* SO_RCVBUFFORCE (CAP_NET_ADMIN) or a high enough rmem_max */
    IO_FEATURE_SEND_TO =
        1 << 11, /* SEND with an address, 6.1: without it SENDMSG for every packet */
};

enum { IO_FEATURES_N = 12 };

const char *io_feature_name(enum io_feature feature);   /* "min_wait" */
const char *io_feature_remedy(enum io_feature feature); /* one sentence for an administrator */

struct io_config {
    enum io_engine engine; /* IO_ENGINE_URING does not fall back: io_init() fails instead */
    uint32_t without;      /* enum io_feature bits that are to be taken as missing */
    uint32_t sockets_max;  /* 1..IO_SOCKETS_MAX */
    uint32_t standing_max; /* most slots that may stand for receiving, power of two, 2..32768 */
    uint32_t watches_max;  /* 0..IO_WATCHES_MAX descriptors of io_watch() */
    bool prompt;           /* io_wait() returns with the first datagrams and waits for no company */
};

struct io_counters {                   /* written by the worker only */
    uint64_t waits, submits, syscalls; /* syscalls: all that the engine made */
    uint64_t datagrams, bytes_in;
    uint64_t sends, runs, packets_out, bytes_out; /* a run of 7 is one send, one run, 7 packets */
    uint64_t send_again, send_errors, runs_split;
    uint64_t rearms, starved, truncated, empty, recv_errors, kernel_drops;
    uint64_t egress_full, cq_overflows, wakes;
    uint64_t lingers;     /* waits that went on for company of the first datagrams */
    uint64_t readies;     /* IO_READY events told */
    uint64_t events_lost; /* IO_SEND_FAILED events that the caller did not fetch in time; they are
                             counted all the same */
};

enum io_event_kind { IO_DATAGRAM, IO_SEND_FAILED, IO_WOKEN, IO_SOCKET_DEAD, IO_READY };

struct io_event {
    enum io_event_kind kind;
    uint16_t socket;    /* index that io_open_socket() gave; IO_READY: that io_watch() gave */
    uint16_t slot;      /* IO_DATAGRAM: now WORKER, the caller's; packet at slab_packet() */
    uint16_t bytes;     /* IO_DATAGRAM: packet length, 1..SLOT_PACKET_BYTES_MAX (empty ones and
                           truncated ones never get here) */
    uint16_t packets;   /* IO_SEND_FAILED: how many were not sent (0 when the singles went out) */
    int error;          /* IO_SEND_FAILED: -errno; IO_SOCKET_DEAD: why receiving cannot go on;
                           IO_READY: -errno when no more events will come of the watch, else 0 */
    uint32_t tag;       /* IO_SEND_FAILED: as given to the send; IO_READY: to io_watch() */
    bool readable;      /* IO_READY */
    bool writable;      /* IO_READY, of a watch that asked for it */
    bool hup;           /* IO_READY: the peer has ended its side, or the descriptor failed */
    int64_t arrived_us; /* IO_DATAGRAM: kernel's receive time on the CLOCK_MONOTONIC axis */
    struct addr remote; /* IO_DATAGRAM, unmapped */
    struct addr
        local; /* IO_DATAGRAM: the address that was hit, port of the socket; family 0 if unknown */
};

/* One per worker: 600 KiB, 40 bytes per socket and 30 per watch, mapped, and touched as far
 * as it is used. */
struct io;

/* What `auto` chose and why it fell back is in io_engine()/io_missing(). Warnings are returned, not
 * logged. 0 or -errno (nothing is left behind). */
int io_init(struct io **io, const struct io_config *config, struct slab *slab);
void io_exit(struct io *io);

enum io_engine io_engine_of(const struct io *io);
uint32_t io_missing(const struct io *io); /* enum io_feature bits */
const struct io_counters *io_counters(const struct io *io);

/* Its own memory, without the kernel's rings. Any thread. */
const struct arena *io_memory(const struct io *io);

/* Sizes the buffers of a socket, by force where the system lets us, else up to its limits; 0 leaves
 * one as it is. Returns the bytes of receive buffer that were granted (as asked for, not the
 * kernel's doubled figure), or -errno. */
int64_t io_size_socket(const struct io *io, int fd, uint32_t receive_bytes, uint32_t send_bytes);

/* Takes over a bound, non-blocking UDP socket and arms it; sets timestamping, packet info and drop
 * counting. Returns its index (0..sockets_max-1), or -ENOSPC, -errno: then the fd stays the
 * caller's. */
int io_open_socket(struct io *io, int fd);

/* Cancels the receive and closes the fd as soon as the kernel is done with it; events of it may
 * still be on their way, io_next() leaves them out. The index is used again only after that. */
void io_close_socket(struct io *io, uint16_t socket);

/* Watches a descriptor that can be polled, which stays the caller's. IO_READY with `tag` comes when
 * it has become readable, writable (only with `writable`) or its peer has gone, and once at the
 * start for what it is already. Edges, not levels: nothing comes again for what was told. Whoever
 * is told reads until EAGAIN or a short read (with `hup`: until the end or an error), writes until
 * EAGAIN or a short write, or remembers by itself that there is more. Several edges may be told as
 * one event, and an event may come for nothing. An index, 0..watches_max-1; -ENOSPC, -errno. */
int io_watch(struct io *io, int fd, uint32_t tag, bool writable);

/* Ends it, before the fd is closed. From now on no event of it comes, not even one that io_next()
 * had still to give. The fd may be closed at once; where the kernel still looks at it (uring), the
 * file is let go of in the next io_wait() or io_poll(). */
void io_unwatch(struct io *io, uint16_t watch);

/* Submits, then waits until a datagram, readiness of a watch, a wake-up or `until_us`
 * (CLOCK_MONOTONIC; 0 = do not wait). Events that io_next() has not given yet end the wait at once;
 * failed sends do not. When no slot can be had, `starved` is counted and it returns early: the
 * caller makes retention give way and calls it again. Under load returns at IO_WAIT_DATAGRAMS
 * datagrams or after IO_WAIT_MIN_US; after a sleep lingers once, never past `until_us`, unless what
 * wakes it has mostly been alone. Returns 0, or -errno for an engine that is broken (never for a
 * packet). */
int io_wait(struct io *io, int64_t until_us);

/* Next event of the last wait; false when all are done. Also picks up what has come meanwhile when
 * io_poll() was called: a long fan-out yields with it. */
bool io_next(struct io *io, struct io_event *event);

/* Submits and reaps without waiting; io_next() then gives what has come. */
int io_poll(struct io *io);

/* A free egress buffer of IO_EGRESS_BYTES, 64-byte aligned, at its packet position. Submits if all
 * are in use. */
uint8_t *io_egress_take(struct io *io);

/* Hands the most recently taken and unsent buffer back unsent. */
void io_egress_untake(struct io *io, uint8_t *buffer);

/* Queues one packet. `to` may be NULL on a connected socket; an IPv4 address is mapped where the
 * socket is IPv6. `from` may be NULL: the kernel chooses (a socket that is not bound to a
 * wildcard). Its port is ignored. `tag` comes back in IO_SEND_FAILED. */
void io_send(struct io *io, uint16_t socket, const struct addr *to, const struct addr *from,
             uint8_t *buffer, size_t bytes, uint32_t tag);

/* Queues `n` packets (1..IO_RUN_PACKETS_MAX) of `segment_bytes` each, the last one of `last_bytes`
 * <= segment_bytes: one system call's worth of work in the kernel. Buffers are from
 * io_egress_take(). */
void io_send_run(struct io *io, uint16_t socket, const struct addr *to, const struct addr *from,
                 uint8_t *const *buffers, size_t n, size_t segment_bytes, size_t last_bytes,
                 uint32_t tag);

/* Submits what is queued. */
void io_flush(struct io *io);

/* Little has been sent for a while: the egress arena goes back to the system until it is used.
 * False while something is queued in it. */
bool io_rest(struct io *io);

/* No standing slot holds a datagram, and none can come into one outside of io_wait(), io_poll() and
 * io_flush(): what slab_trim() asks for before it gives pages of standing slots back. */
bool io_standing_is_empty(const struct io *io);

/* Any thread: makes a sleeping worker return from io_wait(). One write to an eventfd at most. */
void io_wake(struct io *io);

#endif
