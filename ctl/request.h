/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/request.h - a request from the moment it was read until its answer is queued.
 *
 * Each request is answered exactly once, by one of the functions below, which end its life. Its
 * connection may have gone meanwhile: then the answer goes nowhere. Answers leave in the order of a
 * connection's requests. Threads: the control thread's. */
#ifndef CTL_REQUEST_H
#define CTL_REQUEST_H

#include "ctl/conn.h"
#include "ctl/jsonrpc.h"

struct control;

struct request {
    struct link link; /* of its connection */
    struct control *control;
    struct conn *conn; /* NULL: gone */
    struct rpc_request rpc;
    enum method_id method;
    struct field_error err; /* of reading its parameters */
    struct link retry;      /* of the control thread's, while it is to be tried again */
    int64_t retry_until_us;
    uint32_t waits_n; /* outcomes that are to come before it can be answered */
    int failed;       /* the first -errno of those that have come, or 0 */
    bool answered;
    bool waited;  /* for an earlier one's answer */
    char *answer; /* waits for earlier ones */
    size_t answer_bytes;
};

/* Queues the answers of a connection that nothing holds back any more. True: there were some. */
bool request_release(struct conn *conn);

/* Takes the reference to `result`; NULL is an empty object. */
void request_result(struct request *request, json_t *result);

/* `path` NULL: the error has no data. */
void request_fail(struct request *request, enum rpc_code code, const char *path,
                  const char *expected, const char *got, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

void request_fail_error(struct request *request, const struct rpc_error *error);

/* -32602 with what reading the parameters found. */
void request_fail_fields(struct request *request);

/* For a worker's or the system's -errno. */
void request_fail_errno(struct request *request, int error, const char *what);
void request_fail_memory(struct request *request);

/* Several outcomes answer it together: one more is to come; one has come. True: it was the last,
 * and request->failed says how all of them went. */
void request_wait(struct request *request);
bool request_came(struct request *request, int result);

/* For what will be otherwise in a few milliseconds, such as a port that a closing ring still holds:
 * the request is run again from its start, so it must have changed nothing yet. False: it has been
 * tried long enough. */
bool request_retry(struct request *request);

/* The connection is gone: its requests go on without it. */
void request_orphan(struct request *request);

/* Refuses fields of `f` that the method's table has not; `prefix` is the place of `f` ("" or
 * "listenInfo"). */
void request_only(const struct request *request, const struct fields *f, const char *prefix);

/* Serial of the connection that asked; 0 if it is gone. */
uint64_t request_owner(const struct request *request);

#endif
