/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_control_test.c - the control socket: bad input, bounds, order, many connections, ends.
 */
#include "ctl/jsonrpc.h"
#include "net/dtls.h"
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rig rig;

static void setup(void)
{
    rig_start(&rig, 1);
}

static void teardown(void)
{
    rig_stop(&rig);
}

static void send_text(const char *text)
{
    rig_send(&rig, &rig.client, text, strlen(text));
    rig_read(&rig, &rig.client);
}

/* The oldest answer's code, 0 for a result, 1 if there is none. */
static int next_code(void)
{
    json_t *answer = json_array_get(rig.client.answers, 0);
    if (!answer)
        return 1;
    int code = (int)json_integer_value(rig_at(answer, "error.code"));
    json_array_remove(rig.client.answers, 0);
    return code;
}

START_TEST(test_info)
{
    json_t *info = rig_ok(&rig, "server.info", "{}");
    ck_assert_str_eq(rig_text(info, "version"), SLUICE_VERSION);
    ck_assert_int_eq(rig_int(info, "protocolVersion"), CONTROL_PROTOCOL_VERSION);
    ck_assert_str_eq(rig_text(info, "workers.0.engine"), "uring");
    ck_assert_str_eq(rig_text(info, "state"), "running");
    json_decref(info);
}

END_TEST

START_TEST(test_socket_mode)
{
    struct stat have;
    ck_assert_int_eq(stat(rig.control->config.socket, &have), 0);
    ck_assert_int_eq(have.st_mode & 0777, 0660);
}

END_TEST

START_TEST(test_unknown_method)
{
    rig_fails(&rig, RPC_METHOD, "method", "server.nothing", "{}");
    rig_fails(&rig, RPC_UNSUPPORTED, "method", "transport.createPipe", "{}");
    rig_fails(&rig, RPC_UNSUPPORTED, "method", "consumer.setPreferredLayers", "{}");
    rig_fails(&rig, RPC_UNSUPPORTED, "method", "dataProducer.close", "{}");
}

END_TEST

static const struct {
    const char *name, *nearest; /* NULL: none is near enough */
} slips[] = {
    {"router.creat", "router.create"},
    {"Router.Create", "router.create"},
    {"router.craete", "router.create"},
    {"roter.creaet", "router.create"},
    {"transport.createplain", "transport.createPlain"},
    {"transport.creatPlane", "transport.createPlain"},
    {"server.inf", "server.info"},
    {"consumer.getstat", "consumer.getStats"},
    {"", NULL},
    {"x", NULL},
    {"info", NULL},
    {"room.open", NULL},
    {"router.createroomforeverybodywhocomesinthroughthedoor", NULL},
};

START_TEST(test_slips)
{
    const char *nearest = method_nearest(slips[_i].name);
    if (slips[_i].nearest)
        ck_assert_str_eq(nearest ? nearest : "", slips[_i].nearest);
    else
        ck_assert_msg(!nearest, "%s", nearest);
    for (size_t i = 0; i < METHOD_N; i++)
        ck_assert_str_eq(method_nearest(methods[i].name), methods[i].name);
}

END_TEST

START_TEST(test_bad_params)
{
    rig_fails(&rig, RPC_PARAMS, "tied", "router.create", "{'tied':1}");
    rig_fails(&rig, RPC_PARAMS, "surprise", "router.create", "{'surprise':1}");
    rig_fails(&rig, RPC_PARAMS, "routerId", "router.close", "{}");
    rig_fails(&rig, RPC_PARAMS, "routerId", "router.close", "{'routerId':7}");
    rig_fails(&rig, RPC_NOT_FOUND, "routerId", "router.close", "{'routerId':'x'}");
    rig_fails(&rig, RPC_PARAMS, "x", "server.info", "{'x':1}");
}

END_TEST

/* Bad lines are answered and the connection goes on. */
START_TEST(test_bad_lines)
{
    send_text(
        "{\n[]\n\xff\xfe\n\n\r\n{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"server.info\"}\r\n");
    ck_assert_int_eq(next_code(), RPC_PARSE);
    ck_assert_int_eq(next_code(), RPC_REQUEST);
    ck_assert_int_eq(next_code(), RPC_PARSE);
    ck_assert_int_eq(next_code(), 0);
    ck_assert_int_eq(next_code(), 1);
}

END_TEST

/* A request without an id is done and not answered. */
START_TEST(test_no_id)
{
    send_text("{\"jsonrpc\":\"2.0\",\"method\":\"router.create\",\"params\":{\"id\":\"q\"}}\n"
              "{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}\n");
    ck_assert_int_eq(next_code(), 1);
    rig_do(&rig, "router.close", "{'routerId':'q'}");
}

END_TEST

/* A line that is too long is left out, however it comes, and the next one is read. */
START_TEST(test_huge_line)
{
    size_t bytes = 3 * (size_t)RPC_LINE_BYTES_MAX;
    char *line = malloc(bytes + 1);
    memset(line, 'x', bytes);
    line[bytes] = '\n';
    rig_send(&rig, &rig.client, line, bytes + 1);
    send_text("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server.info\"}\n");
    ck_assert_int_eq(next_code(), RPC_PARSE);
    ck_assert_int_eq(next_code(), 0);
    ck_assert_int_eq(next_code(), 1);

    /* The longest that is allowed is parsed. */
    memset(line, ' ', RPC_LINE_BYTES_MAX);
    const char *request = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server.info\"}";
    memcpy(line + RPC_LINE_BYTES_MAX - strlen(request), request, strlen(request));
    line[RPC_LINE_BYTES_MAX] = '\n';
    rig_send(&rig, &rig.client, line, (size_t)RPC_LINE_BYTES_MAX + 1);
    rig_read(&rig, &rig.client);
    ck_assert_int_eq(next_code(), 0);
    free(line);
}

END_TEST

/* One byte at a time. */
START_TEST(test_slow_line)
{
    const char *line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server.info\"}\n";
    for (const char *at = line; *at; at++)
        rig_send(&rig, &rig.client, at, 1);
    rig_read(&rig, &rig.client);
    ck_assert_int_eq(next_code(), 0);
}

END_TEST

/* Half a message and the end of it: said, not done, and the connection ends. */
START_TEST(test_half_message)
{
    struct rig_client other;
    rig_connect(&rig, &other);
    const char *half = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"router.create\"}";
    rig_send(&rig, &other, half, strlen(half));
    shutdown(other.fd, SHUT_WR);
    rig_settle(&rig);
    rig_read(&rig, &other);
    ck_assert_uint_eq(json_array_size(other.answers), 1);
    ck_assert_int_eq(rig_int(json_array_get(other.answers, 0), "error.code"), RPC_PARSE);
    ck_assert(other.ended);
    ck_assert_uint_eq(rig.control->model.counts[NOUN_ROUTER], 0);
    rig_disconnect(&rig, &other);
}

END_TEST

/* The end of a connection's requests is no reason not to answer them. */
START_TEST(test_half_closed)
{
    struct rig_client other;
    rig_connect(&rig, &other);
    fake_hold(fake_worker(0), true);
    int id = rig_request(&rig, &other, "server.trace", "{}");
    shutdown(other.fd, SHUT_WR);
    rig_settle(&rig);
    ck_assert(!other.ended);
    fake_hold(fake_worker(0), false);
    json_t *answer = rig_answer(&rig, &other, id);
    ck_assert_int_eq(rig_int(answer, "result.written"), 2);
    json_decref(answer);
    rig_settle(&rig);
    rig_read(&rig, &other);
    ck_assert(other.ended);
    rig_disconnect(&rig, &other);
}

END_TEST

/* Gone while its request is with a worker: the request ends without it. */
START_TEST(test_gone)
{
    struct rig_client other;
    rig_connect(&rig, &other);
    fake_hold(fake_worker(0), true);
    rig_request(&rig, &other, "server.trace", "{}");
    rig_disconnect(&rig, &other);
    ck_assert_uint_eq(rig.control->requests_n, 1);
    fake_hold(fake_worker(0), false);
    rig_settle(&rig);
    ck_assert_uint_eq(rig.control->requests_n, 0);
}

END_TEST

/* Answers come in the order of the requests, whoever is quicker. */
START_TEST(test_order)
{
    fake_hold(fake_worker(0), true);
    int slow = rig_request(&rig, &rig.client, "server.trace", "{}");
    int quick = rig_request(&rig, &rig.client, "server.info", "{}");
    rig_settle(&rig);
    rig_read(&rig, &rig.client);
    ck_assert_uint_eq(json_array_size(rig.client.answers), 0);
    fake_hold(fake_worker(0), false);
    rig_settle(&rig);
    rig_read(&rig, &rig.client);
    ck_assert_uint_eq(json_array_size(rig.client.answers), 2);
    ck_assert_int_eq(rig_int(rig.client.answers, "0.id"), slow);
    ck_assert_int_eq(rig_int(rig.client.answers, "1.id"), quick);
}

END_TEST

/* So many requests may wait; then nothing more is read until answers are out. None is lost. */
START_TEST(test_pending)
{
    enum { N = CONN_REQUESTS_MAX + 50 };

    fake_hold(fake_worker(0), true);
    rig_request(&rig, &rig.client, "server.trace", "{}");
    for (int i = 1; i < N; i++)
        rig_request(&rig, &rig.client, "server.setLog", "{'level':'none'}");
    rig_settle(&rig);
    ck_assert_uint_eq(rig.control->requests_n, CONN_REQUESTS_MAX);
    fake_hold(fake_worker(0), false);
    rig_settle(&rig);
    rig_read(&rig, &rig.client);
    ck_assert_uint_eq(json_array_size(rig.client.answers), N);
    ck_assert_uint_eq(rig.control->requests_n, 0);
}

END_TEST

static void many_routers(int n)
{
    char id[80];
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%064d", i);
        struct router *router =
            (struct router *)model_add(&rig.control->model, NOUN_ROUTER, id, 0, 0);
        list_init(&router->transports);
        list_append(&rig.control->model.routers, &router->link);
    }
}

/* Large answers that wait for a slow request's are bounded, too: nothing more is read. When it is
 * answered they come out as they are read, and nobody is disconnected for their number. */
START_TEST(test_held_bytes)
{
    enum { N = 30 };

    many_routers(8000);
    fake_hold(fake_worker(0), true);
    int first = rig_request(&rig, &rig.client, "server.trace", "{}");
    for (int i = 1; i < N; i++)
        rig_request(&rig, &rig.client, "router.list", "{}");
    rig_settle(&rig);
    const struct conn *conn = rig.control->conns[0];
    ck_assert_uint_gt(conn->held_bytes, CONN_OUT_BYTES_MAX);
    ck_assert_uint_le(conn->held_bytes, CONN_OUT_BYTES_MAX + CONN_OUT_BYTES_MAX / 2);
    ck_assert_uint_lt(conn->requests_n, N);

    fake_hold(fake_worker(0), false);
    for (int i = 0; i < 100 && json_array_size(rig.client.answers) < N; i++)
        rig_read(&rig, &rig.client);
    ck_assert_uint_eq(json_array_size(rig.client.answers), N);
    for (size_t i = 0; i < N; i++) {
        const json_t *answer = json_array_get(rig.client.answers, i);
        ck_assert_int_eq(rig_int(answer, "id"), first + (int)i);
        ck_assert_ptr_nonnull(rig_at(answer, "result"));
    }
    ck_assert_uint_eq(rig.control->count.slow_disconnects, 0);
    ck_assert_uint_eq(conn->held_bytes, 0);
}

END_TEST

/* More commands than a mailbox holds wait for room. */
START_TEST(test_mailbox_full)
{
    struct rig_client others[3];
    int total = 0;
    fake_hold(fake_worker(0), true);
    for (size_t i = 0; i < ARRAY_N(others); i++) {
        rig_connect(&rig, &others[i]);
        for (int k = 0; k < 120; k++, total++)
            rig_request(&rig, &others[i], "server.trace", "{}");
    }
    rig_settle(&rig);
    ck_assert_uint_eq(rig.control->desks[0].out_n, COMMAND_N);
    ck_assert_uint_eq(rig.control->desks[0].waiting_n, (uint32_t)total - COMMAND_N);
    fake_hold(fake_worker(0), false);
    rig_settle(&rig);
    ck_assert_uint_eq(rig.control->desks[0].waiting_n, 0);
    ck_assert_uint_eq(rig.control->desks[0].out_n, 0);
    for (size_t i = 0; i < ARRAY_N(others); i++) {
        rig_read(&rig, &others[i]);
        ck_assert_uint_eq(json_array_size(others[i].answers), 120);
        rig_disconnect(&rig, &others[i]);
    }
}

END_TEST

/* A controller that asks and never reads is disconnected; the others do not notice. */
START_TEST(test_never_reads)
{
    struct rig_client other;
    rig_connect(&rig, &other);
    char line[128];
    int bytes = snprintf(line, sizeof(line),
                         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server.methods\"}\n");
    ssize_t sent = 1;
    for (int i = 0; i < 5000 && sent > 0; i++) {
        sent = send(other.fd, line, (size_t)bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            sent = 1;
        control_turn(rig.control, 0);
    }
    ck_assert_int_lt((int)sent, 0);
    ck_assert_uint_eq(rig.control->count.slow_disconnects, 1);
    rig_do(&rig, "server.info", "{}");
    rig_disconnect(&rig, &other);
}

END_TEST

/* As many connections as there may be, then one more: told why, and closed. */
START_TEST(test_thousand)
{
    static int fds[CONTROL_CONNS_MAX + 8];
    int n = 0;
    for (; n < CONTROL_CONNS_MAX - 1; n++) {
        int pair[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        fds[n] = pair[0];
        ck_assert_ptr_nonnull(control_adopt(rig.control, pair[1]));
    }
    for (int i = 0; i < n; i++) {
        const char *line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server.setLog\"}\n";
        ck_assert_int_eq(send(fds[i], line, strlen(line), 0), (ssize_t)strlen(line));
    }
    for (int i = 0; i < 100; i++)
        control_turn(rig.control, 0);
    char text[512];
    for (int i = 0; i < n; i++)
        ck_assert_int_gt(recv(fds[i], text, sizeof(text), 0), 0);

    struct rig_client more;
    rig_connect(&rig, &more);
    rig_read(&rig, &more);
    ck_assert_int_eq(rig_int(json_array_get(more.answers, 0), "error.code"), RPC_FULL);
    ck_assert(more.ended);
    ck_assert_uint_eq(rig.control->count.refused, 1);
    rig_disconnect(&rig, &more);
    rig_do(&rig, "server.info", "{}");
    for (int i = 0; i < n; i++)
        close(fds[i]);
    for (int i = 0; i < 100; i++)
        control_turn(rig.control, 0);
    json_t *census = rig_ok(&rig, "server.census", "{}");
    ck_assert_int_eq(rig_int(census, "connections"), 1);
    json_decref(census);
}

END_TEST

/* An answer that no connection could take is an error, not a disconnection. */
START_TEST(test_big_answer)
{
    rig_do(&rig, "server.setLog", "{'level':'none'}");
    many_routers(24000);
    rig_fails(&rig, RPC_FULL, NULL, "router.list", "{}");
}

END_TEST

START_TEST(test_shutdown)
{
    rig_do(&rig, "server.shutdown", "{}");
    ck_assert(!control_turn(rig.control, 0));
}

END_TEST

START_TEST(test_drain)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    rig_do(&rig, "server.subscribe", "{'events':['*']}");
    json_t *result = rig_ok(&rig, "server.drain", "{'seconds':1000}");
    ck_assert_int_eq(rig_int(result, "routers"), 1);
    ck_assert_str_eq(rig_text(result, "state"), "draining");
    json_decref(result);
    json_t *note = rig_note(&rig, &rig.client, "server.draining");
    ck_assert_int_eq(rig_int(note, "seconds"), 1000);
    json_decref(note);
    rig_fails(&rig, RPC_DRAINING, NULL, "router.create", "{}");
    rig_fails(&rig, RPC_DRAINING, NULL, "transport.createPlain",
              "{'routerId':'r','listenInfo':{'ip':'127.0.0.1'}}");
    ck_assert(control_turn(rig.control, 0));
    rig_request(&rig, &rig.client, "router.close", "{'routerId':'r'}");
    rig_settle(&rig);
    ck_assert(!control_turn(rig.control, 0));
}

END_TEST

/* The time is over before the rooms are. */
START_TEST(test_drain_over)
{
    rig_do(&rig, "router.create", "{'id':'r'}");
    control_drain(rig.control, 0);
    ck_assert(!control_turn(rig.control, 0));
}

END_TEST

/* What a connection has got when the relay is gone; ends it. */
static bool last_words(struct rig_client *client, char *text, size_t room)
{
    ssize_t got = recv(client->fd, text, room - 1, MSG_DONTWAIT);
    text[got > 0 ? got : 0] = '\0';
    close(client->fd);
    json_decref(client->notes);
    json_decref(client->answers);
    free(client->in);
    return strstr(text, "\"server.shutdown\"") != NULL;
}

/* Everybody hears that the relay ends who has not declined, whatever objects he has subscribed to.
 */
START_TEST(test_shutdown_heard)
{
    static const struct {
        const char *method, *params;
        bool hears, hears_drain;
    } rows[] = {
        {"server.info", "{}", true, false},
        {"server.subscribe", "{'events':['*'],'ids':['r']}", true, true},
        {"server.subscribe", "{'events':['server.*'],'ids':['nothing']}", true, true},
        {"server.unsubscribe", "{'events':['*'],'ids':['r']}", true, false},
        {"server.unsubscribe", "{'events':['server.shutdown']}", false, false},
    };
    struct rig own;
    struct rig_client clients[ARRAY_N(rows)];
    char text[4096];
    rig_start(&own, 1);
    rig_do(&own, "router.create", "{'id':'r'}");
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        rig_connect(&own, &clients[i]);
        int id = rig_request(&own, &clients[i], rows[i].method, rows[i].params, 0);
        json_t *answer = rig_answer(&own, &clients[i], id);
        ck_assert_ptr_nonnull(rig_at(answer, "result"));
        json_decref(answer);
    }
    control_drain(own.control, 1000);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        json_t *note = rig_note(&own, &clients[i], "server.draining");
        ck_assert_msg((note != NULL) == rows[i].hears_drain, "row %zu", i);
        json_decref(note);
    }
    rig_stop(&own);
    for (size_t i = 0; i < ARRAY_N(rows); i++)
        ck_assert_msg(last_words(&clients[i], text, sizeof(text)) == rows[i].hears,
                      "row %zu got %s", i, text);
}

END_TEST

/* Workers are made, linked, started, in this order; whatever fails, none of them is left. */
static const struct {
    int init, link, start; /* -errno; of worker 1, of all, of worker 1 */
    const char *which;
} bad_starts[] = {
    {-ENOMEM, 0, 0, "worker 1 did not start"},
    {0, -ENOMEM, 0, "the workers did not start"},
    {0, 0, -EPERM, "worker 1 did not start"},
};

START_TEST(test_bad_start)
{
    struct control *control = malloc(sizeof(*control));
    struct config config;
    char folder[] = "/tmp/sluice-test-XXXXXX", why[CONFIG_ERROR_BYTES] = "";
    rig_config(&config, 3);
    ck_assert_int_eq(dtls_library_init(), 0);
    log_set(LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(config.socket, sizeof(config.socket), "%s/s", folder);
    config.socket_given = true;
    fake_fail_init(1, bad_starts[_i].init);
    fake_fail_link(bad_starts[_i].link);
    fake_fail_start(1, bad_starts[_i].start);
    ck_assert_int_ne(control_init(control, &config, false, why), 0);
    ck_assert_msg(strstr(why, bad_starts[_i].which) == why, "%s", why);
    ck_assert_uint_eq(fake_living_n(), 0);

    ck_assert_int_eq(control_init(control, &config, false, why), 0);
    ck_assert_uint_eq(fake_living_n(), 3);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert(fake_is_linked(fake_worker(i)));
    control_exit(control);
    ck_assert_uint_eq(fake_living_n(), 0);
    free(control);
    dtls_library_exit();
    rmdir(folder);
}

END_TEST

Suite *ctl_control_suite(void)
{
    Suite *suite = suite_create("ctl_control");
    TCase *tc = tcase_create("control");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_info);
    tcase_add_test(tc, test_socket_mode);
    tcase_add_test(tc, test_unknown_method);
    tcase_add_loop_test(tc, test_slips, 0, (int)ARRAY_N(slips));
    tcase_add_test(tc, test_bad_params);
    tcase_add_test(tc, test_bad_lines);
    tcase_add_test(tc, test_no_id);
    tcase_add_test(tc, test_huge_line);
    tcase_add_test(tc, test_slow_line);
    tcase_add_test(tc, test_half_message);
    tcase_add_test(tc, test_half_closed);
    tcase_add_test(tc, test_gone);
    tcase_add_test(tc, test_order);
    tcase_add_test(tc, test_pending);
    tcase_add_test(tc, test_held_bytes);
    tcase_add_test(tc, test_mailbox_full);
    tcase_add_test(tc, test_never_reads);
    tcase_add_test(tc, test_thousand);
    tcase_add_test(tc, test_big_answer);
    tcase_add_test(tc, test_shutdown);
    tcase_add_test(tc, test_drain);
    tcase_add_test(tc, test_drain_over);
    suite_add_tcase(suite, tc);
    tc = tcase_create("start");
    tcase_add_loop_test(tc, test_bad_start, 0, (int)ARRAY_N(bad_starts));
    suite_add_tcase(suite, tc);
    tc = tcase_create("end");
    tcase_add_test(tc, test_shutdown_heard);
    suite_add_tcase(suite, tc);
    return suite;
}
