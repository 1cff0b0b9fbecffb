/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/request.c - a request from the moment it was read until its answer is queued. */
#include "ctl/request.h"

#include "ctl/control.h"

#include "core/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void request_free(struct request *request)
{
    request->control->requests_n--;
    rpc_request_exit(&request->rpc);
    rpc_line_free(request->answer, request->answer_bytes);
    explicit_bzero(request, sizeof(*request)); /* an error in it may quote what came */
    free(request);
}

/* Those that waited come all at once when the first is out. A controller that reads cannot have
 * read them yet, so what the queue does not take waits for it, and is no reason to disconnect. */
bool request_release(struct conn *conn)
{
    struct request *request = NULL;
    bool any = false;
    LIST_EACH(request, &conn->requests, struct request, link)
    {
        if (!request->answered ||
            (request->waited && conn_unread_bytes(conn) > 0 &&
             conn_unread_bytes(conn) + request->answer_bytes > CONN_OUT_BYTES_MAX / 2))
            break;
        list_remove(&request->link);
        conn->requests_n--;
        conn->held_bytes -= request->answer_bytes;
        if (request->answer)
            control_send(request->control, conn, request->answer, request->answer_bytes);
        request_free(request);
        any = true;
    }
    return any;
}

/* Takes the line; NULL with `wanted` means that there was no memory for it. */
static void request_answer(struct request *request, char *line, size_t bytes)
{
    struct conn *conn = request->conn;
    request->answered = true;
    if (!conn || !request->rpc.id) {
        rpc_line_free(line, bytes);
        line = NULL;
        bytes = 0;
    }
    if (!conn) {
        request_free(request);
        return;
    }
    request->answer = line;
    request->answer_bytes = line ? bytes : 0;
    conn->held_bytes += request->answer_bytes;
    request->waited = conn->requests.next != &request->link;
    request_release(conn);
}

void request_fail_error(struct request *request, const struct rpc_error *error)
{
    size_t bytes = 0;
    request->control->count.errors++;
    char *line = rpc_error_line(request->rpc.id, error, &bytes);
    request_answer(request, line, bytes);
}

void request_result(struct request *request, json_t *result)
{
    size_t bytes = 0;
    if (!result)
        result = json_object();
    char *line = rpc_result_line(request->rpc.id, result, &bytes);
    json_decref(result);
    if (!line) {
        request_fail_memory(request);
        return;
    }
    if (bytes > CONN_OUT_BYTES_MAX / 2) {
        rpc_line_free(line, bytes);
        request_fail(request, RPC_FULL, NULL, NULL, NULL,
                     "the answer has %zu bytes, more than a connection's queue takes", bytes);
        return;
    }
    request_answer(request, line, bytes);
}

void request_fail(struct request *request, enum rpc_code code, const char *path,
                  const char *expected, const char *got, const char *format, ...)
{
    struct rpc_error error = {.code = code};
    va_list args;
    va_start(args, format);
    if (vsnprintf(error.message, sizeof(error.message), format, args) < 0)
        error.message[0] = '\0';
    va_end(args);
    if (path)
        field_error_set(&error.field, path, expected, got);
    request_fail_error(request, &error);
}

void request_fail_fields(struct request *request)
{
    struct rpc_error error;
    rpc_error_fields(&error, &request->err);
    request_fail_error(request, &error);
}

void request_fail_memory(struct request *request)
{
    request_fail(request, RPC_INTERNAL, NULL, NULL, NULL, "no memory");
}

void request_fail_errno(struct request *request, int error, const char *what)
{
    int positive = error < 0 ? -error : error;
    enum rpc_code code = RPC_INTERNAL;
    if (positive == EEXIST || positive == EADDRINUSE)
        code = RPC_EXISTS;
    else if (positive == ENOSPC || positive == EMFILE || positive == ENFILE)
        code = RPC_FULL;
    else if (positive == ESHUTDOWN || positive == ENOENT || positive == EBUSY)
        code = RPC_STATE;
    request_fail(request, code, NULL, NULL, NULL, "%s: %s", what,
                 positive == ESHUTDOWN ? "its worker has stopped" : strerror(positive));
}

void request_wait(struct request *request)
{
    request->waits_n++;
}

bool request_came(struct request *request, int result)
{
    ASSERT(request->waits_n > 0);
    if (result != 0 && request->failed == 0)
        request->failed = result;
    return --request->waits_n == 0;
}

bool request_retry(struct request *request)
{
    struct control *control = request->control;
    int64_t now_us = clock_now_us();
    if (request->retry_until_us == 0)
        request->retry_until_us = now_us + control->retry_us;
    if (now_us >= request->retry_until_us)
        return false;
    if (list_is_empty(&control->retries))
        control->retry_at_us = now_us + CONTROL_RETRY_STEP_US;
    list_append(&control->retries, &request->retry);
    if (request->conn)
        request->conn->held = true;
    return true;
}

void request_orphan(struct request *request)
{
    list_remove(&request->link);
    request->conn->requests_n--;
    request->conn->held_bytes -= request->answer_bytes;
    request->conn = NULL;
    if (request->answered)
        request_free(request);
}

uint64_t request_owner(const struct request *request)
{
    return request->conn ? request->conn->serial : 0;
}

void request_only(const struct request *request, const struct fields *f, const char *prefix)
{
    if (!f->value)
        return;
    json_t *object = (json_t *)(uintptr_t)f->value;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        char field[FIELD_PATH_BYTES];
        int bytes = snprintf(field, sizeof(field), "%s%s%s", prefix, prefix[0] ? "." : "", key);
        if (bytes < 0 || (size_t)bytes >= sizeof(field) ||
            !method_has_field(methods[request->method].params, field, (size_t)bytes)) {
            fields_unknown(f, key);
            return;
        }
    }
}
