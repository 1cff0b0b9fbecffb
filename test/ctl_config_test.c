/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_config_test.c - the configuration, the place of the socket, and the metrics port. */
#include "ctl/base64.h"
#include "ctl/config.h"
#include "ctl/http.h"
#include "ctl/listen.h"
#include "ctl/render.h"
#include "net/dtls.h"
#include "test/ctl_rig.h"
#include "test/suite.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct {
    const char *text, *path; /* NULL: right */
} rows[] = {
    {"{}", NULL},
    {"{\"workers\":2,\"io\":\"mmsg\",\"slots\":512,\"logLevel\":\"debug\",\"log\":\"json\"}", NULL},
    {"{\"without\":[\"min_wait\",\"udp_segment\"]}", NULL},
    {"{\"retention\":{\"k\":1.5,\"floorMs\":100}}", NULL},
    {"{\"portRange\":{\"min\":40000,\"max\":49999}}", NULL},
    {"{\"dtlsCertificateFile\":\"/c.pem\",\"dtlsPrivateKeyFile\":\"/k.pem\"}", NULL},
    {"{\"dtlsCertificateFile\":\"\",\"dtlsPrivateKeyFile\":\"\"}", NULL},
    {"{\"dtlsCertificateFile\":1}", "dtlsCertificateFile"},
    {"{\"dtlsPrivateKeyFile\":[]}", "dtlsPrivateKeyFile"},
    {"[]", ""},
    {"{\"wokers\":2}", "wokers"},
    {"{\"workers\":0}", "workers"},
    {"{\"workers\":\"2\"}", "workers"},
    {"{\"io\":\"fast\"}", "io"},
    {"{\"placement\":\"home\"}", NULL},
    {"{\"placement\":\"spread\"}", NULL},
    {"{\"placement\":\"anywhere\"}", "placement"},
    {"{\"slots\":65536}", "slots"},
    {"{\"without\":[\"nothing\"]}", "without"},
    {"{\"without\":[1]}", "without[0]"},
    {"{\"retention\":{\"k\":-1}}", "retention.k"},
    {"{\"retention\":{\"q\":1}}", "retention.q"},
    {"{\"portRange\":{\"min\":5,\"max\":4}}", "portRange.max"},
    {"{\"portRange\":{\"max\":4}}", "portRange.max"},
    {"{\"metricsPort\":70000}", "metricsPort"},
    {"{\"drainSeconds\":-1}", "drainSeconds"},
    {"{\"socket\":\"\"}", "socket"},
};

START_TEST(test_read)
{
    struct config config;
    struct field_error err;
    config_default(&config);
    field_error_clear(&err);
    json_t *value = json_loads(rows[_i].text, 0, NULL);
    ck_assert_int_eq(config_read(&config, value, &err), rows[_i].path == NULL);
    if (rows[_i].path)
        ck_assert_str_eq(err.path, rows[_i].path);
    json_decref(value);
}

END_TEST

/* What is shown can be read again. */
START_TEST(test_round)
{
    struct config config, again;
    struct field_error err;
    char why[CONFIG_ERROR_BYTES];
    config_default(&config);
    config.without = 5;
    config.placement = PLACEMENT_SPREAD;
    config.port_min = 4000;
    config.port_max = 5000;
    snprintf(config.certificate_path, sizeof(config.certificate_path), "/etc/sluice/cert.pem");
    snprintf(config.key_path, sizeof(config.key_path), "/etc/sluice/key.pem");
    ck_assert(config_check(&config, why));
    json_t *value = config_json(&config);
    config_default(&again);
    field_error_clear(&err);
    ck_assert_msg(config_read(&again, value, &err), "%s", err.path);
    ck_assert(config_check(&again, why));
    again.socket_given = config.socket_given;
    ck_assert_mem_eq(&config, &again, sizeof(config));
    json_decref(value);
}

END_TEST

START_TEST(test_check)
{
    struct config config;
    char why[CONFIG_ERROR_BYTES];
    config_default(&config);
    config.retain_slots_n = config.slots_n + 1;
    ck_assert(!config_check(&config, why));
    config_default(&config);
    config.retain_rule.floor_us = config.retain_rule.ceiling_us + 1;
    ck_assert(!config_check(&config, why));
    config_default(&config);
    config.pin = true;
    config.workers_n = CONFIG_WORKERS_MAX;
    ck_assert(!config_check(&config, why));
    for (int i = 0; i < 2; i++) { /* a certificate without its key, a key without certificate */
        config_default(&config);
        snprintf(i ? config.key_path : config.certificate_path, CONFIG_FILE_PATH_BYTES, "/x.pem");
        ck_assert(!config_check(&config, why));
        ck_assert_ptr_nonnull(strstr(why, "dtlsPrivateKeyFile"));
    }
}

END_TEST

static void pem_write(const char *path, const char *what, const uint8_t *der, size_t bytes)
{
    enum { LINE = 45 };

    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "-----BEGIN %s-----\n", what);
    for (size_t at = 0; at < bytes; at += LINE) {
        char text[BASE64_TEXT_BYTES_MAX];
        base64_write(text, der + at, bytes - at < LINE ? bytes - at : LINE);
        fprintf(file, "%s\n", text);
    }
    fprintf(file, "-----END %s-----\n", what);
    fclose(file);
}

/* The operator's certificate is the one that DTLS peers are told; files that are not right keep
 * the relay from starting, and it says which. */
START_TEST(test_certificate)
{
    struct config config;
    struct certificate made = {0};
    struct rig rig;
    struct control *control = malloc(sizeof(*control));
    char folder[] = "/tmp/sluice-test-XXXXXX", why[CONFIG_ERROR_BYTES] = "";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(dtls_library_init(), 0);
    ck_assert_int_eq(certificate_make(&made), 0);
    rig_config(&config, 1);
    snprintf(config.certificate_path, sizeof(config.certificate_path), "%s/c.pem", folder);
    snprintf(config.key_path, sizeof(config.key_path), "%s/k.pem", folder);
    snprintf(config.socket, sizeof(config.socket), "%s/s", folder);
    config.socket_given = true;
    ck_assert_int_lt(control_init(control, &config, false, why), 0);
    ck_assert_msg(strstr(why, "c.pem") != NULL, "%s", why);
    ck_assert_int_ne(access(config.socket, F_OK), 0);
    free(control);

    pem_write(config.certificate_path, "CERTIFICATE", made.der, made.der_bytes);
    pem_write(config.key_path, "EC PRIVATE KEY", made.key, made.key_bytes);
    rig_start_with(&rig, &config);
    rig_do(&rig, "router.create", "{'id':'r'}");
    json_t *result = rig_ok(&rig, "transport.createWebRtc",
                            "{'routerId':'r','listenInfos':[{'ip':'127.0.0.1'}]}");
    char text[FINGERPRINT_TEXT_BYTES];
    fingerprint_format(&made.fingerprints[FINGERPRINT_SHA512], text);
    ck_assert_str_eq(rig_text(result, "dtlsParameters.fingerprints.4.value"), text);
    json_decref(result);
    rig_stop(&rig);
    unlink(config.certificate_path);
    unlink(config.key_path);
    rmdir(folder);
    certificate_exit(&made);
    dtls_library_exit();
}

END_TEST

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(test_load)
{
    char folder[] = "/tmp/sluice-test-XXXXXX", path[64], why[CONFIG_ERROR_BYTES];
    struct config config;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/c.json", folder);
    config_default(&config);
    ck_assert_int_eq(config_load(&config, path, why), -ENOENT);
    file_write(path, "{\"slots\": 300}");
    ck_assert_int_eq(config_load(&config, path, why), 0);
    ck_assert_uint_eq(config.slots_n, 300);
    file_write(path, "{\n\"slots\": }");
    ck_assert_int_eq(config_load(&config, path, why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "line 2"));
    file_write(path, "{\"slots\": 1}");
    ck_assert_int_eq(config_load(&config, path, why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "slots: expected an integer from 256"));
    unlink(path);
    rmdir(folder);
}

END_TEST

/* One relay a path; what a crash left goes, what is no socket stays. */
START_TEST(test_listen)
{
    char folder[] = "/tmp/sluice-test-XXXXXX", why[CONFIG_ERROR_BYTES];
    struct config config;
    int fd = -1, lock = -1, other_fd = -1, other_lock = -1;
    log_set(LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    config_default(&config);
    snprintf(config.socket, sizeof(config.socket), "%s/s", folder);
    config.socket_given = true;
    ck_assert_int_eq(listen_open(&fd, &lock, &config, why), 0);
    ck_assert_int_eq(listen_open(&other_fd, &other_lock, &config, why), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(why, "another sluiced"));
    close(fd); /* as a crash would */
    close(lock);
    ck_assert_int_eq(access(config.socket, F_OK), 0);
    ck_assert_int_eq(listen_open(&fd, &lock, &config, why), 0);
    listen_close(fd, lock, &config);
    ck_assert_int_ne(access(config.socket, F_OK), 0);

    file_write(config.socket, "mine");
    ck_assert_int_eq(listen_open(&fd, &lock, &config, why), -EEXIST);
    ck_assert_int_eq(access(config.socket, F_OK), 0);
    unlink(config.socket);
    char path[CONFIG_PATH_BYTES + 8];
    snprintf(path, sizeof(path), "%s.lock", config.socket);
    unlink(path);
    snprintf(config.socket, sizeof(config.socket), "%s/no/s", folder);
    ck_assert_int_eq(listen_open(&fd, &lock, &config, why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(why, "--socket"));
    rmdir(folder);
}

END_TEST

/* Somebody has tidied the lock file away: the next relay takes the place, and the end of the first
 * leaves it alone. */
START_TEST(test_listen_lost_lock)
{
    static struct config config = {.socket_given = true};
    char folder[] = "/tmp/sluice-test-XXXXXX", why[CONFIG_ERROR_BYTES], path[CONFIG_PATH_BYTES + 8];
    int fd = -1, lock = -1, other_fd = -1, other_lock = -1;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(config.socket, sizeof(config.socket), "%s/s", folder);
    snprintf(path, sizeof(path), "%s.lock", config.socket);
    ck_assert_int_eq(listen_open(&fd, &lock, &config, why), 0);
    unlink(path);
    ck_assert_int_eq(listen_open(&other_fd, &other_lock, &config, why), 0);
    listen_close(fd, lock, &config);
    ck_assert_int_eq(access(config.socket, F_OK), 0);
    ck_assert_int_eq(access(path, F_OK), 0);
    listen_close(other_fd, other_lock, &config);
    ck_assert_int_eq(rmdir(folder), 0);
}

END_TEST

/* Relays that start while others end: whoever has started is alone, and is reached by the name. */
static struct {
    struct config config;
    atomic_int holders, opened, wrong;
} race;

static bool reachable(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, CONFIG_PATH_BYTES);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0;
    close(fd);
    return there;
}

static void *race_run(void *arg)
{
    struct config config = race.config;
    char why[CONFIG_ERROR_BYTES];
    (void)arg;
    for (int i = 0; i < 4000; i++) {
        int fd = -1, lock = -1;
        if (listen_open(&fd, &lock, &config, why) != 0)
            continue;
        race.opened++;
        bool alone = ++race.holders == 1;
        sched_yield();
        alone &= reachable(config.socket) && race.holders == 1;
        race.wrong += !alone;
        race.holders--;
        listen_close(fd, lock, &config);
    }
    return NULL;
}

START_TEST(test_listen_race)
{
    pthread_t threads[4];
    char folder[] = "/tmp/sluice-test-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(folder));
    log_set(LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
    race.config.socket_given = true;
    snprintf(race.config.socket, sizeof(race.config.socket), "%s/s", folder);
    for (size_t i = 0; i < ARRAY_N(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race_run, NULL), 0);
    for (size_t i = 0; i < ARRAY_N(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_gt(race.opened, 0);
    ck_assert_int_eq(race.wrong, 0);
    ck_assert_int_eq(rmdir(folder), 0);
}

END_TEST

static size_t http_ask(struct rig *rig, const char *request, char *text, size_t room)
{
    struct addr to;
    size_t n = 0;
    ck_assert_int_eq(addr_parse(&to, "127.0.0.1", http_port(rig->control->http)), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, &to.sa, addr_len(&to)), 0);
    ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    for (int i = 0; i < 200; i++) {
        control_turn(rig->control, 1);
        ssize_t got = recv(fd, text + n, room - 1 - n, MSG_DONTWAIT);
        if (got == 0)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    text[n] = '\0';
    close(fd);
    return n;
}

/* A relay with metrics at any port that is free just now. */
static void http_rig(struct rig *rig)
{
    struct config config;
    rig_config(&config, 1);
    struct addr local;
    socklen_t bytes = sizeof(local);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(addr_parse(&local, "127.0.0.1", 0), 0);
    ck_assert_int_eq(bind(fd, &local.sa, addr_len(&local)), 0);
    ck_assert_int_eq(getsockname(fd, &local.sa, &bytes), 0);
    config.metrics_port = addr_port(&local);
    close(fd);
    rig_start_with(rig, &config);
}

START_TEST(test_http)
{
    static char text[1 << 18];
    struct rig rig;
    http_rig(&rig);
    http_ask(&rig, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text));
    ck_assert_ptr_eq(strstr(text, "HTTP/1.1 200 OK"), text);
    ck_assert_ptr_nonnull(strstr(text, "sluice_worker_forwarded{worker=\"0\"} 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "sluice_drops_total{worker=\"0\",reason=\"none\"} 0\n"));
    http_ask(&rig, "GET / HTTP/1.1\r\n\r\n", text, sizeof(text));
    ck_assert_ptr_eq(strstr(text, "HTTP/1.1 404"), text);
    http_ask(&rig, "POST /metrics HTTP/1.1\r\n\r\n", text, sizeof(text));
    ck_assert_ptr_eq(strstr(text, "HTTP/1.1 405"), text);
    memset(text, 'a', HTTP_REQUEST_BYTES + 10); /* no end of its head: no answer */
    text[HTTP_REQUEST_BYTES + 10] = '\0';
    char *big = strdup(text);
    ck_assert_uint_eq(http_ask(&rig, big, text, sizeof(text)), 0);
    free(big);
    ck_assert(!http_is_busy(rig.control->http));
    rig_stop(&rig);
}

END_TEST

/* From now on no descriptor can be opened but in place of one that is closed. */
static struct rlimit descriptors_end(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int free_one = listen_spare(); /* the lowest */
    ck_assert_int_ge(free_one, 0);
    close(free_one);
    struct rlimit none = {.rlim_cur = (rlim_t)free_one, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    return limit;
}

/* Nobody is left in the queue when descriptors run out, for who waits there wakes the control
 * thread for ever; the row is how many have come before. Those that come later are answered. */
START_TEST(test_http_no_descriptors)
{
    static char text[1 << 18];
    struct rig rig;
    int callers[HTTP_CONNS_MAX + 2];
    size_t before = _i ? HTTP_CONNS_MAX : 0, callers_n = before + 2;
    struct addr to;
    http_rig(&rig);
    ck_assert_int_eq(addr_parse(&to, "127.0.0.1", http_port(rig.control->http)), 0);
    for (size_t i = 0; i < callers_n; i++)
        callers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (size_t i = 0; i < before; i++)
        ck_assert_int_eq(connect(callers[i], &to.sa, addr_len(&to)), 0);
    rig_settle(&rig);

    struct rlimit limit = descriptors_end();
    for (size_t i = before; i < callers_n; i++)
        ck_assert_int_eq(connect(callers[i], &to.sa, addr_len(&to)), 0);
    rig_settle(&rig);
    struct pollfd queue = {.fd = rig.control->epoll_fd, .events = POLLIN};
    int ready = poll(&queue, 1, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(ready, 0);

    for (size_t i = before; i < callers_n; i++)
        ck_assert_int_eq(recv(callers[i], text, 1, MSG_DONTWAIT), 0); /* closed */
    for (size_t i = 0; i < callers_n; i++)
        close(callers[i]);
    rig_settle(&rig);
    http_ask(&rig, "GET /metrics HTTP/1.1\r\n\r\n", text, sizeof(text));
    ck_assert_ptr_eq(strstr(text, "HTTP/1.1 200 OK"), text);
    rig_stop(&rig);
}

END_TEST

static char *rendered(const char *value_text, const char *before_text)
{
    char *out = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&out, &bytes);
    json_t *value = json_loads(value_text, 0, NULL);
    json_t *before = before_text ? json_loads(before_text, 0, NULL) : NULL;
    render(file, value, before, 2);
    fclose(file);
    json_decref(value);
    json_decref(before);
    return out;
}

START_TEST(test_render)
{
    char *text = rendered(
        "{\"a\":1,\"long\":\"x\\u0007y\",\"list\":[1,2],\"none\":[],\"rows\":[{\"id\":"
        "\"r\",\"n\":10,\"off\":[]},{\"id\":\"room\"}],\"deep\":{\"b\":true},\"drops\":{\"x\":0,"
        "\"y\":3}}",
        "{\"a\":1,\"drops\":{\"y\":1}}");
    ck_assert_str_eq(text, "a     1\n"
                           "long  x?y\n"
                           "list  1, 2\n"
                           "none  none\n"
                           "\n"
                           "rows\n"
                           "id    n   off\n"
                           "r     10  none\n"
                           "room  -   -\n"
                           "\n"
                           "deep\n"
                           "b  yes\n"
                           "\n"
                           "drops\n"
                           "y  3  +1.0/s\n");
    free(text);
}

END_TEST

Suite *ctl_config_suite(void)
{
    Suite *suite = suite_create("ctl_config");
    TCase *tc = tcase_create("config");
    tcase_add_loop_test(tc, test_read, 0, (int)ARRAY_N(rows));
    tcase_add_test(tc, test_round);
    tcase_add_test(tc, test_check);
    tcase_add_test(tc, test_certificate);
    tcase_add_test(tc, test_load);
    tcase_add_test(tc, test_listen);
    tcase_add_test(tc, test_listen_lost_lock);
    tcase_add_test(tc, test_listen_race);
    tcase_add_test(tc, test_http);
    tcase_add_loop_test(tc, test_http_no_descriptors, 0, 2);
    tcase_add_test(tc, test_render);
    suite_add_tcase(suite, tc);
    return suite;
}
