/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/jsonrpc.c - JSON-RPC 2.0, one message per line: a line becomes a request or an error, results
 * and errors become lines. */
#include "ctl/jsonrpc.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* jansson does not say how long a block is; the allocator does. */
static void block_free(void *block)
{
    if (block)
        explicit_bzero(block, malloc_usable_size(block));
    free(block);
}

void rpc_wipe_json(void)
{
    json_set_alloc_funcs(malloc, block_free);
}

void rpc_error_set(struct rpc_error *error, enum rpc_code code, const char *format, ...)
{
    *error = (struct rpc_error){.code = code};
    va_list args;
    va_start(args, format);
    if (vsnprintf(error->message, sizeof(error->message), format, args) < 0)
        error->message[0] = '\0';
    va_end(args);
}

void rpc_error_fields(struct rpc_error *error, const struct field_error *field)
{
    char text[FIELD_SENTENCE_BYTES];
    rpc_error_set(error, RPC_PARAMS, "%s", field_error_sentence(field, text));
    error->field = *field;
}

static bool refuse(struct rpc_error *error, enum rpc_code code, const char *path,
                   const char *expected, const char *got)
{
    rpc_error_set(error, code, "%s%sexpected %s, got %s", path, path[0] ? ": " : "", expected, got);
    field_error_set(&error->field, path, expected, got);
    return false;
}

/* Nesting and number of values, without parsing: brackets and commas outside of strings. */
static bool line_fits(const char *line, size_t bytes, struct rpc_error *error)
{
    size_t depth = 0, values = 1;
    bool in_string = false;
    for (size_t i = 0; i < bytes; i++) {
        char byte = line[i];
        if (in_string) {
            if (byte == '\\')
                i++; /* whatever is escaped, it does not end the string */
            in_string = byte != '"';
            continue;
        }
        in_string = byte == '"';
        if (byte == '[' || byte == '{')
            depth++;
        if ((byte == ']' || byte == '}') && depth > 0)
            depth--;
        values += byte == '[' || byte == '{' || byte == ',';
        if (depth > RPC_DEPTH_MAX)
            return refuse(error, RPC_PARSE, "", "at most 32 levels of nesting", "more");
        if (values > RPC_VALUES_MAX)
            return refuse(error, RPC_PARSE, "", "at most 32768 values in a line", "more");
    }
    return true;
}

static bool id_is_right(const json_t *id)
{
    return json_is_null(id) || json_is_integer(id) ||
           (json_is_string(id) && json_string_length(id) <= RPC_ID_BYTES_MAX);
}

static bool request_read(struct rpc_request *request, struct rpc_error *error)
{
    if (json_is_array(request->root))
        return refuse(error, RPC_REQUEST, "", "one request a line", "a batch");
    if (!json_is_object(request->root))
        return refuse(error, RPC_REQUEST, "", "an object", "something else");

    const json_t *id = json_object_get(request->root, "id");
    if (id && !id_is_right(id))
        return refuse(error, RPC_REQUEST, "id", "an integer or a string of at most 128 bytes",
                      "something else");
    request->id = id;

    const char *version = json_string_value(json_object_get(request->root, "jsonrpc"));
    if (!version || strcmp(version, "2.0") != 0)
        return refuse(error, RPC_REQUEST, "jsonrpc", "\"2.0\"", version ? version : "nothing");

    request->method = json_string_value(json_object_get(request->root, "method"));
    if (!request->method)
        return refuse(error, RPC_REQUEST, "method", "a string", "something else");

    request->params = json_object_get(request->root, "params");
    if (request->params && !json_is_object(request->params))
        return refuse(error, RPC_PARAMS, "params", "an object", "something else");
    return true;
}

bool rpc_parse(struct rpc_request *request, const char *line, size_t bytes, struct rpc_error *error)
{
    *request = (struct rpc_request){0};
    if (bytes > RPC_LINE_BYTES_MAX)
        return refuse(error, RPC_PARSE, "", "a line of at most 1048576 bytes", "a longer one");
    if (!line_fits(line, bytes, error))
        return false;

    json_error_t why;
    request->root = json_loadb(line, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!request->root) {
        rpc_error_set(error, RPC_PARSE, "no JSON: %.120s at byte %d", why.text, why.position);
        field_error_set(&error->field, "", "one line of JSON in UTF-8", why.text);
        return false;
    }
    return request_read(request, error);
}

void rpc_request_exit(struct rpc_request *request)
{
    json_decref(request->root);
    *request = (struct rpc_request){0};
}

/* Takes the reference to `message`. */
static char *line_make(json_t *message, size_t *bytes)
{
    char *line = NULL;
    size_t n = json_dumpb(message, NULL, 0, JSON_COMPACT);
    if (message && n > 0)
        line = malloc(n + 1);
    if (line) {
        size_t wrote = json_dumpb(message, line, n, JSON_COMPACT);
        ASSERT(wrote == n);
        line[n] = '\n';
        *bytes = n + 1;
    }
    json_decref(message);
    return line;
}

static json_t *borrowed(const json_t *value)
{
    /* jansson counts references in values that it calls constant elsewhere. */
    return value ? json_incref((json_t *)(uintptr_t)value) : json_null();
}

char *rpc_result_line(const json_t *id, const json_t *result, size_t *bytes)
{
    return line_make(json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", borrowed(id), "result",
                               borrowed(result)),
                     bytes);
}

char *rpc_error_line(const json_t *id, const struct rpc_error *error, size_t *bytes)
{
    json_t *what = json_pack("{s:i, s:s%}", "code", (int)error->code, "message", error->message,
                             strlen(error->message));
    if (!what) /* the message was cut inside a character */
        what = json_pack("{s:i, s:s}", "code", (int)error->code, "message", "see data");
    if (field_error_is_set(&error->field)) {
        json_t *data = json_pack("{s:s, s:s, s:s}", "path", error->field.path, "expected",
                                 error->field.expected, "got", error->field.got);
        json_object_set_new(what, "data", data);
    }
    return line_make(
        json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", borrowed(id), "error", what), bytes);
}

char *rpc_notification_line(const char *method, const json_t *params, size_t *bytes)
{
    return line_make(json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params",
                               borrowed(params)),
                     bytes);
}

void rpc_line_free(char *line, size_t bytes)
{
    if (line)
        explicit_bzero(line, bytes);
    free(line);
}
