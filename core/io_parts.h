/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/io_parts.h - what the two engines of core/io.h share; private to them.
 *
 * An engine moves datagrams and polls watched descriptors, nothing else. Sockets and their options
 * (io_socket.c), the watches (io_watch.c), the queue of what was received (io_event.c) and the
 * queue of what is to be sent (io_egress.c) are here.
 *
 *   egress buffer:  FREE --io_egress_take--> TAKEN --io_send--> QUEUED --engine's submit--> FREE
 *                    ^                         |
 *                    `---- io_egress_untake ---'
 *
 * Threads: the owning worker's; `wake_asked` and `wake_fd` are for any. Memory: one arena, whose
 * pages are touched when first used. */
#ifndef CORE_IO_PARTS_H
#define CORE_IO_PARTS_H

#include "core/arena.h"
#include "core/io.h"

#include <stdatomic.h>

enum io_socket_state { IO_SOCKET_FREE, IO_SOCKET_OPEN, IO_SOCKET_CLOSING };

struct io_socket {
    int fd;
    int error; /* IO_SOCKET_DEAD that is still to be told */
    uint32_t drops_seen;
    uint16_t gen;     /* changes when the index is given back */
    uint16_t port;    /* host order */
    uint8_t state;    /* enum io_socket_state */
    uint8_t errors_n; /* receive errors in a row */
    bool is_ipv6;
    bool armed;  /* uring: a multishot receive is in the kernel or in the submission queue */
    bool listed; /* uring: in the list of those to arm */
    bool dead;
};

enum io_watch_state { IO_WATCH_FREE, IO_WATCH_OPEN, IO_WATCH_CLOSING };

enum { IO_READY_IN = 1 << 0, IO_READY_OUT = 1 << 1, IO_READY_HUP = 1 << 2 };

/* An index stands in the queue of ready ones at most once, also across uses of it: who finds it
 * there looks at `ready`, which is 0 when its watch has been ended since. */
struct io_watch {
    int fd;
    int error; /* the engine has given up on it; told with the next event */
    uint32_t tag;
    uint16_t gen;  /* changes when the index is given back */
    uint8_t state; /* enum io_watch_state */
    uint8_t ready; /* IO_READY bits that are to be told */
    bool writable;
    bool queued;
    bool armed;  /* uring: a multishot poll is in the kernel or in the submission queue */
    bool listed; /* uring: in the list of those to arm or cancel */
};

/* What comes before the packet in a slot: struct io_uring_recvmsg_out, which mmsg writes itself. */
struct io_slot_head {
    uint32_t name_bytes, control_bytes, payload_bytes, flags;
};

struct io_received {
    uint16_t socket, gen, slot, bytes;
};

struct io_failed {
    uint32_t tag;
    int error;
    uint16_t socket, gen, packets;
};

enum { IO_STANDING_LEAST = 2, IO_COMPANY_MAX = 64 };

enum { IO_SEND_CONTROL_BYTES = 64 }; /* IPv6 packet info 40 + segment size 24 */

/* One send: a packet or a run. Everything that the kernel reads at submit is here or in `vectors`.
 */
struct io_op {
    _Alignas(8) uint8_t control[IO_SEND_CONTROL_BYTES];
    struct addr to;
    uint32_t tag;
    uint32_t bytes;
    int error; /* of a run that is to be sent again as singles */
    uint16_t socket, gen;
    uint16_t vector_at;
    uint8_t vectors_n;
    uint8_t to_bytes;
    uint8_t from_bytes;    /* of `control`: packet info */
    uint8_t control_bytes; /* with the segment size behind it */
};

enum io_buffer_state { IO_BUFFER_FREE, IO_BUFFER_TAKEN, IO_BUFFER_QUEUED };

struct io_egress {
    uint8_t *memory;
    struct io_op *ops;       /* IO_EGRESS_N */
    struct iovec *vectors;   /* IO_EGRESS_N */
    struct mmsghdr *headers; /* IO_EGRESS_N, by op */
    struct mmsghdr *singles; /* IO_RUN_PACKETS_MAX: a failed run on its second way */
    uint16_t ops_n, vectors_n;
    uint16_t free_n, queued_n, splits_n;
    uint16_t free[IO_EGRESS_N];   /* stack */
    uint16_t queued[IO_EGRESS_N]; /* buffers of the ops */
    uint16_t splits[IO_EGRESS_N]; /* ops whose runs are to be sent again */
    uint8_t state[IO_EGRESS_N];   /* enum io_buffer_state */
    uint64_t packets, bytes;      /* of the ops, without those that failed */
};

/* Sends that tests make fail: after `skip` more sends, `count` of them end with `error`. */
struct io_fault {
    int error;
    uint32_t skip, count;
    bool runs_only;
};

struct engine {
    enum io_engine id;
    int (*init)(struct io *io, const struct io_config *config);
    void (*exit)(struct io *io);
    int (*open)(struct io *io, uint16_t socket);
    void (*close)(struct io *io, uint16_t socket); /* calls io_socket_close() when it is done */
    int (*watch)(struct io *io, uint16_t watch);
    void (*unwatch)(struct io *io, uint16_t watch); /* calls io_watch_give() when it is done */
    void (*reclaim)(struct io *io);                 /* gets ended watches done with now */
    int (*wait)(struct io *io, int64_t until_us);
    int (*poll)(struct io *io);
    void (*submit)(struct io *io);                  /* afterwards no buffer is QUEUED */
    bool (*standing_is_empty)(const struct io *io); /* of what is not queued as received */
};

struct io {
    /* Written in every turn. */
    const struct engine *engine;
    struct slab *slab;
    void *state; /* the engine's */
    struct io_received *received;
    uint32_t received_at, received_n, received_max; /* [at, n) are to be told */
    uint32_t failed_at, failed_n;
    uint32_t dead_at, dead_n;
    uint32_t ready_at, ready_n; /* counters into `ready`: [at, n) are to be told */
    bool woken;
    bool prompt;
    int64_t now_us, began_us, began_before_us;
    int64_t alone_us; /* when the datagram came that has woken us; 0: it is known what followed */
    uint8_t company;  /* how often such a one has been followed; 0: it is not lingered for */
    int64_t wall_offset_us; /* CLOCK_MONOTONIC - CLOCK_REALTIME */
    struct io_counters counters;
    struct io_egress egress;
    struct io_fault fault;
    uint32_t refuse_submits; /* a test's, too */

    /* Written when sockets come and go. */
    struct io_socket *sockets;
    uint16_t *sockets_free; /* stack */
    uint16_t *dead;         /* sockets, [dead_at, dead_n) are to be told */
    uint32_t sockets_max, sockets_fresh, sockets_free_n, sockets_n;
    struct io_failed *failed;
    struct io_watch *watches;
    uint16_t *watches_free; /* stack */
    uint16_t *ready;        /* watches, by counter & ready_mask */
    uint32_t watches_max, watches_fresh, watches_free_n, watches_n, watches_closing_n;
    uint32_t ready_mask;
    struct arena arena;
    uint32_t missing;
    int wake_fd;
    _Alignas(64) atomic_bool wake_asked;
};

extern const struct engine ring_engine;
extern const struct engine mmsg_engine;

/* io_socket.c */

bool io_has(const struct io *io, enum io_feature feature);

/* Finds out about UDP_SEGMENT, timestamps, drop counts and receive buffers with a socket of its
 * own. */
uint32_t io_socket_probe(uint32_t without);

/* Options and table entry, not armed. Index, or -errno. */
int io_socket_add(struct io *io, int fd);

/* Closes the fd and gives the index back: the kernel has let go of it. */
void io_socket_close(struct io *io, uint16_t index);

/* A receive on it ended with `error` (positive errno). False: it is dead, and that will be told. */
bool io_socket_error(struct io *io, uint16_t index, int error);

/* io_watch.c */

size_t io_watch_arena_bytes(uint32_t watches_max);
void io_watch_init(struct io *io, uint32_t watches_max);

/* The kernel has let go of it: the index can be used again. */
void io_watch_give(struct io *io, uint16_t index);

/* It has become so: poll(2)'s bits, which are epoll's, too. */
void io_watch_ready(struct io *io, uint16_t index, uint32_t polled);

/* The engine cannot poll it (positive errno): that will be told. */
void io_watch_failed(struct io *io, uint16_t index, int error);

bool io_watch_next(struct io *io, struct io_event *event);

/* io_event.c */

/* Begins a wait: one reading of the clock. */
void io_clock_begin(struct io *io);

/* After receiving: reads the clocks again and what lies between them. */
void io_clock_refresh(struct io *io);

/* Room in the queue, in datagrams. */
uint32_t io_received_room(const struct io *io);

/* Queues a received slot (KERNEL); an empty datagram is counted and its slot released. */
void io_received_add(struct io *io, uint16_t index, uint16_t slot, uint32_t bytes);

void io_failed_add(struct io *io, const struct io_op *op, int error, uint16_t packets);
void io_dead_add(struct io *io, uint16_t index, int error);

/* Something that ends a wait is to be told: a datagram, readiness, a wake-up, a dead socket. */
bool io_pending(const struct io *io);

/* Until when to linger after a wait that began at `began_us` and gave datagrams from `first` on in
 * the queue: 0 when there is nothing to wait for. */
int64_t io_linger_until(struct io *io, uint32_t first, int64_t until_us);

/* It has lingered: what came meanwhile is in the queue from `first` on. */
void io_lingered(struct io *io, uint32_t first);

/* The eventfd was seen: from here on io_wake() writes again. */
void io_wake_seen(struct io *io);

/* io_egress.c */

void io_egress_init(struct io *io);
size_t io_egress_arena_bytes(void);

/* The op's message header, with all that sendmsg() wants; valid until the ops are done. */
struct msghdr *io_egress_header(struct io *io, uint16_t op);

/* An op ended with `error` (positive errno): told, or put aside to be sent again as singles. */
void io_egress_failed(struct io *io, uint16_t op, int error);

/* The kernel has read every op: sends the failed runs again, frees the buffers, counts. */
void io_egress_done(struct io *io);

/* Error that a test wants this send to end with, else 0. */
int io_egress_fault(struct io *io, bool is_run);

#endif
