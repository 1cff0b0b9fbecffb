/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/jsonrpc.h - JSON-RPC 2.0, one message per line: a line becomes a request or an error, results
 * and errors become lines.
 *
 * Keys pass through here: rpc_wipe_json() makes every block that JSON values and their parser give
 * back be wiped, and lines are given back by rpc_line_free(), which wipes them.
 *
 * Guarantee: a line is looked at before it is parsed, so that neither its nesting nor the number of
 * its values can cost more than the limits below; whatever it holds, the answer is a request or a
 * struct rpc_error. Batches are refused. Threads: values, no state. Ownership: rpc_parse() gives a
 * tree that rpc_request_exit() releases; lines are the caller's until rpc_line_free(). */
#ifndef CTL_JSONRPC_H
#define CTL_JSONRPC_H

#include "ctl/fields.h"

enum {
    RPC_LINE_BYTES_MAX = 1 << 20, /* without the newline */
    RPC_DEPTH_MAX = 32,
    RPC_VALUES_MAX = 32768, /* values of one line: jansson takes up to 300 bytes for each */
    RPC_ID_BYTES_MAX = 128,
    RPC_MESSAGE_BYTES = 240,
};

/* JSON-RPC's own, then the relay's. */
#define RPC_CODE_LIST(X)                                                                           \
    X(PARSE, -32700, "the line is no JSON")                                                        \
    X(REQUEST, -32600, "the JSON is no request")                                                   \
    X(METHOD, -32601, "there is no such method")                                                   \
    X(PARAMS, -32602, "a parameter is missing or wrong")                                           \
    X(INTERNAL, -32603, "the relay could not do it: no memory, or the system refused")             \
    X(NOT_FOUND, -32001, "no object has this id")                                                  \
    X(EXISTS, -32002, "the id or address is in use")                                               \
    X(STATE, -32003, "the object's state does not allow it")                                       \
    X(FULL, -32004, "a limit is reached")                                                          \
    X(UNSUPPORTED, -32005, "not supported")                                                        \
    X(DRAINING, -32006, "the relay is draining and takes nothing new")

enum rpc_code {
    RPC_OK = 0,

#define RPC_CODE_ENUM(name, code, text) RPC_##name = (code),
    RPC_CODE_LIST(RPC_CODE_ENUM)
#undef RPC_CODE_ENUM
};

struct rpc_error {
    enum rpc_code code;
    char message[RPC_MESSAGE_BYTES];
    struct field_error field; /* `data`, if its `expected` is set */
};

struct rpc_request {
    json_t *root;         /* owned */
    const json_t *id;     /* borrowed; NULL: wants no answer */
    const char *method;   /* borrowed */
    const json_t *params; /* borrowed; an object, or NULL */
};

/* For the whole process, from now on; values made before are wiped as well. */
void rpc_wipe_json(void);

/* Sets code and message, "path: expected ..., got ..." is added by rpc_error_fields(). */
void rpc_error_set(struct rpc_error *error, enum rpc_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* -32602 with what a typed reader found. */
void rpc_error_fields(struct rpc_error *error, const struct field_error *field);

/* `line` has no newline. False: `error` says why, and `request->id` is the id if it could be read
 * (then the request must be released all the same). */
bool rpc_parse(struct rpc_request *request, const char *line, size_t bytes,
               struct rpc_error *error);
void rpc_request_exit(struct rpc_request *request);

/* Lines with their newline; NULL without memory. `result` is borrowed, NULL is null. An `id` of
 * NULL is null. */
char *rpc_result_line(const json_t *id, const json_t *result, size_t *bytes);
char *rpc_error_line(const json_t *id, const struct rpc_error *error, size_t *bytes);
char *rpc_notification_line(const char *method, const json_t *params, size_t *bytes);
void rpc_line_free(char *line, size_t bytes); /* NULL: nothing */

#endif
