/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_jsonrpc_test.c - lines into requests and back: every kind of bad line has its code. */
#include "ctl/jsonrpc.h"
#include "test/suite.h"

#include <stdio.h>
#include <stdlib.h>

struct row {
    const char *line;
    int code; /* 0: a request */
    const char *path;
};

static const struct row rows[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}", 0, ""},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"a\",\"params\":{}}", 0, ""},
    {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\",\"params\":{\"b\":[1]}}", 0, ""},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"a\"}", 0, ""},
    {"", RPC_PARSE, ""},
    {"{", RPC_PARSE, ""},
    {"nonsense", RPC_PARSE, ""},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", RPC_PARSE, ""},       /* no UTF-8 */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\"}", RPC_PARSE, ""},       /* cut UTF-8 */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"a\"}", RPC_PARSE, ""}, /* twice */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"} x", RPC_PARSE, ""},
    {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}]", RPC_REQUEST, ""}, /* a batch */
    {"[]", RPC_REQUEST, ""},
    {"1", RPC_REQUEST, ""},
    {"null", RPC_REQUEST, ""},
    {"{\"id\":1,\"method\":\"a\"}", RPC_REQUEST, "jsonrpc"},
    {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a\"}", RPC_REQUEST, "jsonrpc"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"a\"}", RPC_REQUEST, "id"},
    {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"a\"}", RPC_REQUEST, "id"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1}", RPC_REQUEST, "method"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", RPC_REQUEST, "method"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[1]}", RPC_PARAMS, "params"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":1}", RPC_PARAMS, "params"},
};

START_TEST(test_line)
{
    const struct row *row = &rows[_i];
    struct rpc_request request;
    struct rpc_error error = {0};
    bool right = rpc_parse(&request, row->line, strlen(row->line), &error);
    ck_assert_int_eq(right, row->code == 0);
    ck_assert_int_eq(error.code, row->code);
    ck_assert_str_eq(error.field.path, row->path);
    if (right)
        ck_assert_str_eq(request.method, "a");
    else
        ck_assert_str_ne(error.message, "");
    rpc_request_exit(&request);
}

END_TEST

/* Every prefix of a line is answered, and only the whole is a request. */
START_TEST(test_prefixes)
{
    const char *line = rows[2].line;
    for (size_t n = 0; n < strlen(line); n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, line, n);
        struct rpc_request request;
        struct rpc_error error = {0};
        ck_assert(!rpc_parse(&request, copy, n, &error));
        ck_assert_int_eq(error.code, RPC_PARSE);
        rpc_request_exit(&request);
        free(copy);
    }
}

END_TEST

static bool parses(const char *line, size_t bytes, int *code)
{
    struct rpc_request request;
    struct rpc_error error = {0};
    bool right = rpc_parse(&request, line, bytes, &error);
    *code = error.code;
    rpc_request_exit(&request);
    return right;
}

/* Nesting at the limit is parsed, one more is refused without being parsed; brackets in strings do
 * not count. */
START_TEST(test_nesting)
{
    char line[512];
    int code = 0;
    for (int depth = RPC_DEPTH_MAX - 2; depth <= RPC_DEPTH_MAX; depth++) {
        int n = snprintf(line, sizeof(line),
                         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"b\":");
        for (int i = 0; i < depth; i++)
            line[n++] = '[';
        for (int i = 0; i < depth; i++)
            line[n++] = ']';
        n += snprintf(line + n, sizeof(line) - (size_t)n, "}}");
        bool fits = depth + 2 <= RPC_DEPTH_MAX;
        ck_assert_int_eq(parses(line, (size_t)n, &code), fits);
        ck_assert_int_eq(code, fits ? 0 : RPC_PARSE);
    }
    const char *strings = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"b\":"
                          "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[\"}}";
    ck_assert(parses(strings, strlen(strings), &code));
}

END_TEST

static size_t long_line(char *line, size_t values)
{
    size_t n =
        (size_t)snprintf(line, RPC_LINE_BYTES_MAX,
                         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"b\":[0");
    for (size_t i = 1; i < values; i++)
        n += (size_t)snprintf(line + n, RPC_LINE_BYTES_MAX - n, ",0");
    return n + (size_t)snprintf(line + n, RPC_LINE_BYTES_MAX - n, "]}}");
}

START_TEST(test_many_values)
{
    char *line = malloc(RPC_LINE_BYTES_MAX);
    int code = 0;
    ck_assert(parses(line, long_line(line, RPC_VALUES_MAX - 100), &code));
    ck_assert(!parses(line, long_line(line, RPC_VALUES_MAX + 1), &code));
    ck_assert_int_eq(code, RPC_PARSE);
    free(line);
}

END_TEST

START_TEST(test_long_id)
{
    char line[512];
    int code = 0;
    for (int extra = 0; extra < 2; extra++) {
        int n =
            snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":\"%0*d\"}",
                     RPC_ID_BYTES_MAX + extra, 0);
        ck_assert_int_eq(parses(line, (size_t)n, &code), extra == 0);
    }
    ck_assert_int_eq(code, RPC_REQUEST);
}

END_TEST

START_TEST(test_lines_out)
{
    size_t bytes = 0;
    json_t *id = json_string("7"), *result = json_pack("{s:i}", "a", 1);
    char *line = rpc_result_line(id, result, &bytes);
    ck_assert_uint_eq(bytes, strlen("{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":{\"a\":1}}\n"));
    ck_assert_mem_eq(line, "{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":{\"a\":1}}\n", bytes);
    free(line);

    struct rpc_error error = {0};
    struct field_error field;
    field_error_clear(&field);
    field_error_set(&field, "a.b", "an integer", "\"x\"");
    rpc_error_fields(&error, &field);
    line = rpc_error_line(NULL, &error, &bytes);
    const char *want =
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32602,\"message\":\"a.b: "
        "expected an integer, got \\\"x\\\"\",\"data\":{\"path\":\"a.b\",\"expected\":"
        "\"an integer\",\"got\":\"\\\"x\\\"\"}}}\n";
    ck_assert_uint_eq(bytes, strlen(want));
    ck_assert_mem_eq(line, want, bytes);
    free(line);

    line = rpc_notification_line("a.b", result, &bytes);
    want = "{\"jsonrpc\":\"2.0\",\"method\":\"a.b\",\"params\":{\"a\":1}}\n";
    ck_assert_mem_eq(line, want, bytes);
    free(line);
    json_decref(id);
    json_decref(result);
}

END_TEST

/* A message that was cut inside a character is still sent. */
START_TEST(test_cut_message)
{
    struct rpc_error error = {.code = RPC_PARAMS};
    memcpy(error.message, "abc\xc3", 5);
    size_t bytes = 0;
    char *line = rpc_error_line(NULL, &error, &bytes);
    ck_assert_ptr_nonnull(line);
    json_t *value = json_loadb(line, bytes, 0, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(value, "error"), "code")),
                     RPC_PARAMS);
    json_decref(value);
    free(line);
}

END_TEST

Suite *ctl_jsonrpc_suite(void)
{
    Suite *suite = suite_create("ctl_jsonrpc");
    TCase *tc = tcase_create("jsonrpc");
    tcase_add_loop_test(tc, test_line, 0, (int)ARRAY_N(rows));
    tcase_add_test(tc, test_prefixes);
    tcase_add_test(tc, test_nesting);
    tcase_add_test(tc, test_many_values);
    tcase_add_test(tc, test_long_id);
    tcase_add_test(tc, test_lines_out);
    tcase_add_test(tc, test_cut_message);
    suite_add_tcase(suite, tc);
    return suite;
}
