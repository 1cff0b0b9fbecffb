/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/conn.c - one controller's connection: lines in, lines out, what it waits for and what it has
 * subscribed to. */
#include "ctl/conn.h"

#include "ctl/jsonrpc.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES_MIN = 4096 };

struct conn *conn_init(int fd, uint64_t serial)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return NULL;
    conn->fd = fd;
    conn->serial = serial;
    conn->notices_own = UINT64_MAX;
    conn->notices_all = 1ull << NOTICE_SERVER_SHUTDOWN;
    list_init(&conn->requests);
    return conn;
}

void conn_exit(struct conn *conn)
{
    ASSERT(list_is_empty(&conn->requests));
    if (conn->in)
        explicit_bzero(conn->in, conn->in_room);
    if (conn->out)
        explicit_bzero(conn->out, conn->out_room);
    for (size_t i = 0; conn->ids && i < CONN_BUCKETS; i++) {
        struct conn_subscription *next = NULL;
        for (struct conn_subscription *at = conn->ids[i]; at; at = next) {
            next = at->next;
            free(at);
        }
    }
    free(conn->ids);
    free(conn->in);
    free(conn->out);
    close(conn->fd);
    free(conn);
}

/* Makes room for `bytes` more behind `*n`, dropping what lies before `*at`. */
static bool buffer_room(char **buffer, size_t *at, size_t *n, size_t *room, size_t bytes)
{
    if (*at > 0) {
        memmove(*buffer, *buffer + *at, *n - *at);
        explicit_bzero(*buffer + *n - *at, *at);
        *n -= *at;
        *at = 0;
    }
    if (*room - *n >= bytes)
        return true;

    size_t want = *room ? *room : BUFFER_BYTES_MIN;
    while (want - *n < bytes) /* ends: the limits are far below SIZE_MAX */
        want *= 2;
    /* Not realloc(): what it leaves behind could not be wiped. */
    char *bigger = malloc(want);
    if (!bigger)
        return false;
    if (*buffer) {
        memcpy(bigger, *buffer, *n);
        explicit_bzero(*buffer, *room);
        free(*buffer);
    }
    *buffer = bigger;
    *room = want;
    return true;
}

static void buffer_drop_if_empty(char **buffer, size_t *at, size_t *n, size_t *room)
{
    if (*at < *n || !*buffer)
        return;
    explicit_bzero(*buffer, *n);
    *at = *n = 0;
    if (*room > BUFFER_BYTES_MIN) {
        free(*buffer);
        *buffer = NULL;
        *room = 0;
    }
}

/* What was searched for a newline goes with the bytes: the next ones are at the front, unseen. */
static void input_drop_if_empty(struct conn *conn)
{
    buffer_drop_if_empty(&conn->in, &conn->in_at, &conn->in_n, &conn->in_room);
    conn->scanned_at = min_size(conn->scanned_at, conn->in_n);
}

void conn_read(struct conn *conn)
{
    size_t left = CONN_READ_BYTES;
    while (left > 0 && !conn->ended && !conn->dead) {
        size_t had = conn->in_n - conn->in_at;
        if (had > RPC_LINE_BYTES_MAX + 1)
            return; /* a whole line is in there, or too much of one: somebody has to take it first
                     */
        size_t moved = conn->in_at;
        if (!buffer_room(&conn->in, &conn->in_at, &conn->in_n, &conn->in_room, BUFFER_BYTES_MIN)) {
            conn->dead = true;
            return;
        }
        conn->scanned_at = conn->scanned_at > moved ? conn->scanned_at - moved : 0;
        size_t room = min_size(conn->in_room - conn->in_n, left);
        ssize_t got = recv(conn->fd, conn->in + conn->in_n, room, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (got < 0 && errno == ECONNRESET && !conn->gone) {
            conn->gone =
                true; /* it left answers unread; its own lines are still there to be read */
            continue;
        }
        if (got < 0)
            conn->dead = true;
        else if (got == 0)
            conn->ended = true;
        else
            conn->in_n += (size_t)got;
        left -= got > 0 ? (size_t)got : 0;
    }
    input_drop_if_empty(conn);
}

/* Throws away the buffered part of a line that is too long. */
static void line_skip(struct conn *conn)
{
    size_t had = conn->in_n - conn->in_at;
    char *end = had ? memchr(conn->in + conn->in_at, '\n', had) : NULL;
    size_t bytes = end ? (size_t)(end - (conn->in + conn->in_at)) + 1 : had;
    if (bytes > 0)
        explicit_bzero(conn->in + conn->in_at, bytes);
    conn->in_at += bytes;
    conn->scanned_at = conn->in_at;
    conn->skipping = !end;
}

enum conn_line conn_line(struct conn *conn, char **line, size_t *bytes)
{
    if (conn->skipping)
        line_skip(conn);
    size_t from = conn->scanned_at > conn->in_at ? conn->scanned_at : conn->in_at;
    char *end = conn->in_n > from ? memchr(conn->in + from, '\n', conn->in_n - from) : NULL;
    size_t length = (end ? (size_t)(end - conn->in) : conn->in_n) - conn->in_at;
    if (length > RPC_LINE_BYTES_MAX) {
        line_skip(conn);
        return CONN_LINE_TOO_LONG;
    }
    if (!end) {
        conn->scanned_at = conn->in_n;
        return CONN_LINE_NONE;
    }
    *line = conn->in + conn->in_at;
    *bytes = length;
    return CONN_LINE_READY;
}

void conn_line_done(struct conn *conn, size_t bytes)
{
    ASSERT(conn->in_n - conn->in_at >= bytes + 1);
    explicit_bzero(conn->in + conn->in_at, bytes + 1);
    conn->in_at += bytes + 1;
    conn->scanned_at = conn->in_at;
    input_drop_if_empty(conn);
}

size_t conn_half_bytes(const struct conn *conn)
{
    return conn->skipping ? 0 : conn->in_n - conn->in_at;
}

bool conn_send(struct conn *conn, const char *text, size_t bytes)
{
    if (conn->dead)
        return false;
    if (conn_unread_bytes(conn) + bytes > CONN_OUT_BYTES_MAX ||
        !buffer_room(&conn->out, &conn->out_at, &conn->out_n, &conn->out_room, bytes)) {
        conn->dead = true;
        return false;
    }
    memcpy(conn->out + conn->out_n, text, bytes);
    conn->out_n += bytes;
    return true;
}

static void output_discard(struct conn *conn)
{
    if (conn->out_at < conn->out_n)
        explicit_bzero(conn->out + conn->out_at, conn->out_n - conn->out_at);
    conn->out_at = conn->out_n;
}

void conn_flush(struct conn *conn)
{
    if (conn->gone)
        output_discard(conn);
    while (!conn->dead && conn->out_at < conn->out_n) {
        ssize_t sent = send(conn->fd, conn->out + conn->out_at, conn->out_n - conn->out_at,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (sent < 0) {
            conn->gone = true;
            output_discard(conn);
            break;
        }
        explicit_bzero(conn->out + conn->out_at, (size_t)sent);
        conn->out_at += (size_t)sent;
    }
    buffer_drop_if_empty(&conn->out, &conn->out_at, &conn->out_n, &conn->out_room);
}

static uint32_t hash_of(const char *id)
{
    uint32_t hash = 2166136261u;
    for (; *id; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619u;
    return hash;
}

/* Where the id's subscription hangs, or would. */
static struct conn_subscription **subscription_slot(const struct conn *conn, const char *id)
{
    uint32_t hash = hash_of(id);
    struct conn_subscription **slot = &conn->ids[hash % CONN_BUCKETS];
    while (*slot && ((*slot)->hash != hash || strcmp((*slot)->id, id) != 0))
        slot = &(*slot)->next;
    return slot;
}

bool conn_wants(const struct conn *conn, enum notice notice, const char *id, uint64_t owner)
{
    uint64_t bit = 1ull << notice;
    if (conn->dead)
        return false;
    if (conn->notices_all & bit)
        return true;
    if (owner == conn->serial && conn->notices_own & bit)
        return true;
    if (conn->ids_n == 0 || !id)
        return false;
    const struct conn_subscription *subscription = *subscription_slot(conn, id);
    return subscription && subscription->notices & bit;
}

bool conn_subscribe_id(struct conn *conn, const char *id, uint64_t set)
{
    if (!conn->ids)
        conn->ids = calloc(CONN_BUCKETS, sizeof(struct conn_subscription *));
    if (!conn->ids)
        return false;
    struct conn_subscription **slot = subscription_slot(conn, id);
    if (*slot) {
        (*slot)->notices |= set;
        return true;
    }
    if (conn->ids_n == CONN_IDS_MAX)
        return false;
    struct conn_subscription *made = malloc(sizeof(*made) + strlen(id) + 1);
    if (!made)
        return false;
    *made = (struct conn_subscription){.notices = set, .hash = hash_of(id)};
    memcpy(made->id, id, strlen(id) + 1);
    *slot = made;
    conn->ids_n++;
    return true;
}

void conn_unsubscribe_id(struct conn *conn, const char *id, uint64_t set)
{
    if (conn->ids_n == 0)
        return;
    struct conn_subscription **slot = subscription_slot(conn, id), *found = *slot;
    if (!found)
        return;
    found->notices &= ~set;
    if (found->notices)
        return;
    *slot = found->next;
    free(found);
    conn->ids_n--;
}
