/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/tcp_parts.h - what the files of net/tcp.h share; private to them.
 *
 * A connection stands in lists that are linked by index: those that nobody has claimed, in the
 * order of their deadlines, and the same by where they came from; those that may have something to
 * read; those with output that the kernel has not been offered; those whose end is to be told.
 * tcp_accept.c has their beginning, tcp.c their life, tcp_stream.c what runs through them. Threads:
 * the worker's. */
#ifndef NET_TCP_PARTS_H
#define NET_TCP_PARTS_H

#include "core/arena.h"
#include "net/frame.h"
#include "net/tcp.h"

enum {
    TCP_READ_BYTES = 8192,
    TCP_NONE16 = 0xffff,
    TCP_TAG_LISTENER = 1 << 30, /* of a watch: else it is a connection's index */
    TCP_HOSTS_N = 1024,         /* a power of two */
};

enum tcp_state { TCP_FREE, TCP_OPEN, TCP_ENDED };

enum tcp_list {
    TCP_LIST_UNCLAIMED,
    TCP_LIST_READY,
    TCP_LIST_DIRTY,
    TCP_LIST_ENDED,
    TCP_LIST_HOST, /* one for each of tcp->hosts */
    TCP_LISTS_N
};

struct tcp_link {
    uint16_t prev, next; /* TCP_NONE16: none */
};

struct tcp_ends {
    uint16_t first, last;
};

/* Sources of connections that nobody has claimed, by a hash of their address: those that share an
 * entry share its bound. */
struct tcp_host {
    struct tcp_ends unclaimed; /* oldest first */
    uint16_t n;
};

struct tcp_connection {
    int fd;
    uint32_t gen; /* changes when the index is taken */
    uint32_t owner;
    uint32_t read_buffer; /* FRAME_NONE: none */
    uint16_t watch, listener, socket;
    uint16_t host; /* in tcp->hosts */
    uint8_t state; /* enum tcp_state */
    uint8_t lists; /* bits by enum tcp_list */
    uint8_t end;   /* enum tcp_end */
    bool more;     /* the kernel may have more to read */
    bool visited;  /* has received in this visit */
    bool hup;      /* the peer has ended: read until that shows */
    bool blocked;  /* the kernel's send buffer is full: an edge will tell */
    int error;
    struct frame_reader reader;
    struct frame_queue queue;
    int64_t accepted_us;
    struct tcp_link links[TCP_LISTS_N];
    struct addr remote, local;
};

static_assert(sizeof(struct tcp_connection) < 200, "an idle connection costs little");

struct tcp_listener {
    int fd;         /* -1: free */
    uint16_t watch; /* TCP_NONE16: the engine gave up on it, it is watched again when due */
    uint16_t socket;
    bool wildcard;
    struct addr local;
    int64_t due_us; /* accepting goes on then; INT64_MAX: when the engine tells */
};

struct tcp {
    struct io *io;
    struct slab *slab;
    int64_t now_us;
    int64_t accept_due_us; /* the earliest of the listeners */
    uint32_t reads_left;
    struct tcp_ends lists[TCP_LIST_HOST];
    struct frame_pool reads; /* of TCP_READ_BYTES, one per connection: nobody's is another's lack */
    struct frame_pool chunks; /* of FRAME_CHUNK_BYTES */
    struct frame_faults faults;
    struct tcp_counters counters;

    struct tcp_connection *connections;
    uint16_t *free; /* stack */
    uint32_t connections_max, fresh, free_n;
    struct tcp_host *hosts;
    uint32_t host_max; /* unclaimed connections of one entry */
    uint64_t seed;     /* so that nobody chooses whose entry he shares */
    struct tcp_listener *listeners;
    uint32_t listeners_max;
    struct arena arena;
};

/* tcp.c */

static inline struct tcp_connection *tcp_first(const struct tcp *tcp, enum tcp_list list)
{
    uint16_t index = tcp->lists[list].first;
    return index == TCP_NONE16 ? NULL : &tcp->connections[index];
}

/* At the end, unless it is there already; and out, if it is in. */
void tcp_list_add(struct tcp *tcp, enum tcp_list list, struct tcp_connection *c);
void tcp_list_remove(struct tcp *tcp, enum tcp_list list, struct tcp_connection *c);

uint16_t tcp_index_of(const struct tcp *tcp, const struct tcp_connection *c);

/* A free record, all zero but for its gen; FREE until its `state` is set. NULL: the limit. */
struct tcp_connection *tcp_take(struct tcp *tcp);

/* By id: NULL when stale. May be ENDED. */
struct tcp_connection *tcp_find(const struct tcp *tcp, struct tcp_id id);
struct tcp_id tcp_id_of(const struct tcp *tcp, const struct tcp_connection *c);

/* The stream is over: everything is let go of, and whoever claimed it is told. */
void tcp_end(struct tcp *tcp, struct tcp_connection *c, enum tcp_end end, int error);

/* Back to the free ones; it holds nothing any more. */
void tcp_give(struct tcp *tcp, struct tcp_connection *c);

/* Nobody has claimed it yet: into its lists, with `host` set. */
void tcp_add_unclaimed(struct tcp *tcp, struct tcp_connection *c);

/* Nobody has claimed it: it is reset and gone. */
void tcp_drop_unclaimed(struct tcp *tcp, struct tcp_connection *c);

/* The peer learns of it at once, and the kernel keeps nothing of it. */
void tcp_fd_reset(struct tcp *tcp, int fd);

/* tcp_accept.c */

void tcp_on_listener(struct tcp *tcp, uint32_t index, const struct io_event *event);

/* Listeners whose accepting had to wait. */
void tcp_accept_turn(struct tcp *tcp);

/* tcp_stream.c */

/* Offers the kernel what is pending. The connection may have ended after that. */
void tcp_write(struct tcp *tcp, struct tcp_connection *c);

#endif
