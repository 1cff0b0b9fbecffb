/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_parts_test.c - the small parts of the control side: base64, shared texts, ids and
 * indices, connections. */
#include "ctl/base64.h"
#include "ctl/conn.h"
#include "ctl/jsonrpc.h"
#include "ctl/model.h"
#include "test/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* RFC 4648 10. */
static const struct {
    const char *plain, *text;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};

START_TEST(test_base64)
{
    char text[16];
    uint8_t back[16];
    size_t bytes = strlen(vectors[_i].plain);
    base64_write(text, (const uint8_t *)vectors[_i].plain, bytes);
    ck_assert_str_eq(text, vectors[_i].text);
    ck_assert(base64_read(back, bytes, text));
    ck_assert_mem_eq(back, vectors[_i].plain, bytes);
    ck_assert(!base64_read(back, bytes + 3, text));
}

END_TEST

START_TEST(test_base64_bad)
{
    static const char *const bad[] = {"Zh==", "Zm9=",   "Z===", "Zg=a", "Zg",
                                      "Z g=", "Zg==\n", "====", "Z-8="};
    uint8_t back[8];
    for (size_t i = 0; i < ARRAY_N(bad); i++) {
        ck_assert_msg(!base64_read(back, 1, bad[i]), "%s", bad[i]);
        ck_assert_msg(!base64_read(back, 2, bad[i]), "%s", bad[i]);
    }
}

END_TEST

START_TEST(test_texts)
{
    struct texts texts;
    texts_init(&texts);
    json_t *a = json_pack("{s:i}", "a", 1), *b = json_pack("{s:i}", "a", 2);
    const struct text *first = texts_keep(&texts, a), *same = texts_keep(&texts, a);
    const struct text *other = texts_keep(&texts, b);
    ck_assert_ptr_eq(first, same);
    ck_assert_ptr_ne(first, other);
    ck_assert_uint_eq(texts.n, 2);
    json_t *back = text_json(first);
    ck_assert(json_equal(a, back));
    json_decref(back);
    texts_drop(&texts, first);
    ck_assert_uint_eq(texts.n, 2);
    texts_drop(&texts, same);
    texts_drop(&texts, other);
    texts_drop(&texts, NULL);
    ck_assert_ptr_null(texts_keep(&texts, NULL));
    ck_assert_ptr_null(text_json(NULL));
    ck_assert_uint_eq(texts.n, 0);
    ck_assert_uint_eq(texts.bytes, 0);
    texts_exit(&texts);
    json_decref(a);
    json_decref(b);
}

END_TEST

/* Indices come lowest first, the most recently freed first after that, and never beyond the limit.
 */
START_TEST(test_indices)
{
    struct indices indices = {.max = 40};
    int thing = 0;
    for (uint32_t i = 0; i < 40; i++)
        ck_assert_uint_eq(indices_take(&indices, &thing), i);
    ck_assert_uint_eq(indices_take(&indices, &thing), INDEX_NONE);
    indices_forget(&indices, 7);
    ck_assert_ptr_null(indices_at(&indices, 7));
    ck_assert_uint_eq(indices_take(&indices, &thing), INDEX_NONE);
    indices_give(&indices, 7);
    indices_give(&indices, 3);
    ck_assert_uint_eq(indices.used_n, 38);
    ck_assert_uint_eq(indices_take(&indices, &thing), 3);
    ck_assert_uint_eq(indices_take(&indices, &thing), 7);
    ck_assert_ptr_eq(indices_at(&indices, 7), &thing);
    ck_assert_ptr_null(indices_at(&indices, 4000));
    free(indices.objects);
    free(indices.free);
}

END_TEST

START_TEST(test_ids)
{
    struct model model;
    struct model_limits limits = {8, 8, 8, 8};
    char id[32];
    ck_assert_int_eq(model_init(&model, 2, &limits), 0);
    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "room-%d", i);
        struct router *router = (struct router *)model_add(&model, NOUN_ROUTER, i % 2 ? id : NULL,
                                                           (uint16_t)(i % 2), 9);
        list_init(&router->transports);
        list_append(&model.routers, &router->link);
    }
    ck_assert_uint_ge(model.buckets_n, 2000);
    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof(id), "room-%d", i);
        ck_assert_int_eq(model_find(&model, NOUN_ROUTER, id) != NULL, i % 2);
        ck_assert_ptr_null(model_find(&model, NOUN_TRANSPORT, id));
    }
    ck_assert_uint_eq(model.counts[NOUN_ROUTER], 2000);
    model_exit(&model);
}

END_TEST

START_TEST(test_uuid)
{
    char a[UUID_BYTES], b[UUID_BYTES];
    uuid_make(a);
    uuid_make(b);
    ck_assert_uint_eq(strlen(a), 36);
    ck_assert_str_ne(a, b);
    ck_assert_int_eq(a[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", a[19]));
}

END_TEST

/* ---- connections ---- */

static int far_end;
static struct conn *conn;

static void conn_setup(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    far_end = pair[0];
    conn = conn_init(pair[1], 7);
}

static void conn_teardown(void)
{
    conn_exit(conn);
    close(far_end);
}

static void far_send(const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(far_end, text, bytes, MSG_NOSIGNAL);
        if (sent > 0) {
            text += sent;
            bytes -= (size_t)sent;
        }
        conn_read(conn);
    }
    for (int i = 0; i < 2 * RPC_LINE_BYTES_MAX / CONN_READ_BYTES; i++)
        conn_read(conn);
}

START_TEST(test_conn_lines)
{
    char *line = NULL;
    size_t bytes = 0;
    far_send("one\n\ntw", 7);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_READY);
    ck_assert_mem_eq(line, "one", 3);
    conn_line_done(conn, bytes);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_READY);
    ck_assert_uint_eq(bytes, 0);
    conn_line_done(conn, bytes);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_NONE);
    ck_assert_uint_eq(conn_half_bytes(conn), 2);
    far_send("o\n", 2);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_READY);
    ck_assert_mem_eq(line, "two", 3);
    conn_line_done(conn, bytes);
    ck_assert_uint_eq(conn_half_bytes(conn), 0);
    far_send("six\n", 4); /* nobody has looked for a line since */
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_READY);
    ck_assert_mem_eq(line, "six", 3);
    conn_line_done(conn, bytes);
    shutdown(far_end, SHUT_WR);
    conn_read(conn);
    ck_assert(conn->ended);
}

END_TEST

/* The longest line, one byte more, and what follows it. */
START_TEST(test_conn_long)
{
    char *text = malloc(RPC_LINE_BYTES_MAX + 8), *line = NULL;
    size_t bytes = 0;
    memset(text, 'x', RPC_LINE_BYTES_MAX + 2);
    text[RPC_LINE_BYTES_MAX] = '\n';
    far_send(text, (size_t)RPC_LINE_BYTES_MAX + 1);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_READY);
    ck_assert_uint_eq(bytes, RPC_LINE_BYTES_MAX);
    conn_line_done(conn, bytes);

    memset(text, 'x', RPC_LINE_BYTES_MAX + 1);
    far_send(text, (size_t)RPC_LINE_BYTES_MAX + 1);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_TOO_LONG);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_NONE);
    far_send("yyy", 3);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_NONE);
    ck_assert_uint_eq(conn_half_bytes(conn), 0);
    far_send("y\nnext\n", 7);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_READY);
    ck_assert_mem_eq(line, "next", 4);
    conn_line_done(conn, bytes);
    free(text);
}

END_TEST

/* What was read and sent is not left in memory. */
START_TEST(test_conn_wiped)
{
    char *line = NULL;
    size_t bytes = 0;
    far_send("secret\nrest", 11);
    ck_assert_int_eq(conn_line(conn, &line, &bytes), CONN_LINE_READY);
    conn_line_done(conn, bytes);
    ck_assert_mem_eq(line, "\0\0\0\0\0\0\0", 7);
    ck_assert(conn_send(conn, "secret\n", 7));
    char *out = conn->out;
    conn_flush(conn);
    ck_assert_mem_eq(out, "\0\0\0\0\0\0\0", 7);
}

END_TEST

START_TEST(test_conn_slow)
{
    char *text = calloc(1, 1 << 20);
    int n = 0;
    while (conn_send(conn, text, 1 << 20)) {
        conn_flush(conn);
        ck_assert_int_lt(++n, 16);
    }
    ck_assert(conn->dead);
    ck_assert_uint_le(conn->out_room, 2 * (size_t)CONN_OUT_BYTES_MAX);
    ck_assert(!conn_send(conn, text, 1));
    free(text);
}

END_TEST

START_TEST(test_conn_subscriptions)
{
    char id[16];
    ck_assert(conn_wants(conn, NOTICE_CONSUMER_SCORE, "c", 7));
    ck_assert(!conn_wants(conn, NOTICE_CONSUMER_SCORE, "c", 8));
    ck_assert(!conn_wants(conn, NOTICE_SERVER_DRAINING, NULL, 0));
    ck_assert(conn_wants(conn, NOTICE_SERVER_SHUTDOWN, NULL, 0));
    uint64_t score = 1ull << NOTICE_CONSUMER_SCORE, trace = 1ull << NOTICE_CONSUMER_TRACE;
    for (int i = 0; i < CONN_IDS_MAX; i++) {
        snprintf(id, sizeof(id), "c%d", i);
        ck_assert(conn_subscribe_id(conn, id, score));
    }
    ck_assert(!conn_subscribe_id(conn, "more", score));
    ck_assert(conn_subscribe_id(conn, "c5", trace));
    ck_assert(conn_wants(conn, NOTICE_CONSUMER_TRACE, "c5", 8));
    ck_assert(!conn_wants(conn, NOTICE_CONSUMER_TRACE, "c6", 8));
    conn_unsubscribe_id(conn, "c5", score);
    ck_assert(!conn_wants(conn, NOTICE_CONSUMER_SCORE, "c5", 8));
    conn_unsubscribe_id(conn, "c5", trace);
    conn_unsubscribe_id(conn, "nobody", trace);
    ck_assert_uint_eq(conn->ids_n, CONN_IDS_MAX - 1);
    ck_assert(conn_wants(conn, NOTICE_CONSUMER_SCORE, "c4095", 8));
}

END_TEST

Suite *ctl_parts_suite(void)
{
    Suite *suite = suite_create("ctl_parts");
    TCase *tc = tcase_create("parts");
    tcase_add_loop_test(tc, test_base64, 0, (int)ARRAY_N(vectors));
    tcase_add_test(tc, test_base64_bad);
    tcase_add_test(tc, test_texts);
    tcase_add_test(tc, test_indices);
    tcase_add_test(tc, test_ids);
    tcase_add_test(tc, test_uuid);
    suite_add_tcase(suite, tc);
    tc = tcase_create("conn");
    tcase_add_checked_fixture(tc, conn_setup, conn_teardown);
    tcase_add_test(tc, test_conn_lines);
    tcase_add_test(tc, test_conn_long);
    tcase_add_test(tc, test_conn_wiped);
    tcase_add_test(tc, test_conn_slow);
    tcase_add_test(tc, test_conn_subscriptions);
    suite_add_tcase(suite, tc);
    return suite;
}
