/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/conn.h - one controller's connection: lines in, lines out, what it waits for and what it has
 * subscribed to.
 *
 * Bounds: a line RPC_LINE_BYTES_MAX; requests without an answer CONN_REQUESTS_MAX, and their
 * answers that wait for an earlier one's CONN_OUT_BYTES_MAX and one answer (then reading stops
 * until some are out); answers and notifications it has not read CONN_OUT_BYTES_MAX (then it is
 * dead: the caller disconnects it); subscriptions to single objects CONN_IDS_MAX. Answers leave in
 * the order of the requests. What has been read and sent is wiped: keys pass through here. Threads:
 * the control thread's. Memory: buffers grow as needed and are freed when empty. */
#ifndef CTL_CONN_H
#define CTL_CONN_H

#include "ctl/list.h"
#include "ctl/methods.h"

#include <sys/types.h>

enum {
    CONN_REQUESTS_MAX = 256,
    CONN_OUT_BYTES_MAX = 4 << 20,
    CONN_IDS_MAX = 4096,
    CONN_BUCKETS = 512,        /* for them: a few comparisons each, whoever closes how much */
    CONN_READ_BYTES = 1 << 16, /* of one turn */
};

static_assert(NOTICE_N <= 64, "a set of notices is 64 bits");

/* Those about the relay itself, which no object's id can narrow. */
static const uint64_t CONN_NOTICES_RELAY =
    1ull << NOTICE_SERVER_STRESS | 1ull << NOTICE_SERVER_DRAINING |
    1ull << NOTICE_SERVER_UNDRAINED | 1ull << NOTICE_SERVER_SHUTDOWN;

struct conn_subscription {
    struct conn_subscription *next; /* of its bucket */
    uint64_t notices;
    uint32_t hash;
    char id[];
};

struct conn {
    int fd;
    uint16_t slot;
    uint64_t serial; /* never used again; 0 is nobody */
    pid_t pid;
    uid_t uid;
    gid_t gid;

    char *in;
    size_t in_at, in_n, in_room, scanned_at;
    bool skipping; /* the rest of a line that was too long */
    bool ended;    /* it has sent its last byte */
    bool gone;     /* nobody reads any more; what it has sent still counts */
    bool hung;     /* it has closed, and is not polled any more: what it sent is read by turns */
    bool dead;     /* to be disconnected */
    bool waits;    /* has whole lines left for the next turn */
    bool held;     /* a request of it is tried again: later ones, which may need it, come after */

    char *out;
    size_t out_at, out_n, out_room;
    uint32_t polled; /* epoll events armed now */

    struct link requests; /* struct request, in order of arrival */
    uint32_t requests_n;
    size_t held_bytes; /* answers that wait for earlier ones */

    uint64_t notices_all;           /* of whatever object; at first that the relay ends */
    uint64_t notices_own;           /* of objects that this connection made; all of them at first */
    struct conn_subscription **ids; /* CONN_BUCKETS; NULL until the first */
    uint32_t ids_n;
};

enum conn_line { CONN_LINE_NONE, CONN_LINE_READY, CONN_LINE_TOO_LONG };

struct conn *
conn_init(int fd, uint64_t serial); /* non-blocking; NULL without memory: fd stays the caller's */
void conn_exit(struct conn *conn);  /* its requests must be gone; closes fd */

/* Reads what is there, up to CONN_READ_BYTES. Sets `ended` or `dead`. */
void conn_read(struct conn *conn);

/* The oldest complete line, without its newline, valid until conn_line_done(). TOO_LONG: once for
 * such a line. */
enum conn_line conn_line(struct conn *conn, char **line, size_t *bytes);
void conn_line_done(struct conn *conn, size_t bytes);

/* Bytes of an unfinished line. */
size_t conn_half_bytes(const struct conn *conn);

/* Queues bytes. False: it reads too little, and is dead from now on. */
bool conn_send(struct conn *conn, const char *text, size_t bytes);

/* Writes what can be written. Sets `gone`, and throws the rest away, when nobody reads any more. */
void conn_flush(struct conn *conn);

static inline size_t conn_unread_bytes(const struct conn *conn)
{
    return conn->out_n - conn->out_at;
}

static inline size_t conn_queued_bytes(const struct conn *conn)
{
    return conn_unread_bytes(conn) + conn->held_bytes;
}

/* May it ask for more? */
static inline bool conn_has_room(const struct conn *conn)
{
    return conn->requests_n < CONN_REQUESTS_MAX && conn->held_bytes <= CONN_OUT_BYTES_MAX;
}

/* Does it want this notice about the object `id` (NULL: about none) made by `owner`? */
bool conn_wants(const struct conn *conn, enum notice notice, const char *id, uint64_t owner);

/* Adds notices for an object. False: CONN_IDS_MAX or no memory. */
bool conn_subscribe_id(struct conn *conn, const char *id, uint64_t set);
void conn_unsubscribe_id(struct conn *conn, const char *id, uint64_t set);

#endif
