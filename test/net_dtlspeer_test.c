/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_dtlspeer_test.c - DTLS 1.2 against another implementation: openssl's s_client and
 * s_server over loopback, where that program is there. Both sides must export the same keys. */
#include "net/dtls.h"

#include "core/clock.h"
#include "test/pem.h"
#include "test/suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_US = 20000000 };

static struct {
    char folder[64];
    pid_t pid;
    int in, out; /* of the program: its input, and what it says */
    int fd;
    struct sockaddr_in peer;
    char said[65536];
    size_t said_bytes;
    struct certificate certificate;
    struct dtls_context *context;
    struct dtls *dtls;
} rig;

static bool have_openssl(void)
{
    return system("openssl version >/dev/null 2>&1") == 0;
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", rig.folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    memset(&rig, 0, sizeof(rig));
    snprintf(rig.folder, sizeof(rig.folder), "/tmp/sluice-dtls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig.folder));
    write_file("ec.crt", pem_ec_certificate);
    write_file("ec.key", pem_ec_key);
    write_file("rsa.crt", pem_rsa_certificate);
    write_file("rsa.key", pem_rsa_key);
    rig.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(rig.fd, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(rig.fd, (struct sockaddr *)&any, sizeof(any)), 0);
    ck_assert_int_eq(dtls_library_init(), 0);
}

static void teardown(void)
{
    if (rig.pid > 0) {
        kill(rig.pid, SIGKILL);
        waitpid(rig.pid, NULL, 0);
        close(rig.in);
        close(rig.out);
    }
    close(rig.fd);
    dtls_exit(rig.dtls);
    dtls_context_exit(rig.context);
    certificate_exit(&rig.certificate);
    dtls_library_exit();
    static const char *names[] = {"ec.crt", "ec.key", "rsa.crt", "rsa.key"};
    for (size_t i = 0; i < ARRAY_N(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", rig.folder, names[i]);
        unlink(path);
    }
    rmdir(rig.folder);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in name;
    socklen_t bytes = sizeof(name);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &bytes), 0);
    return ntohs(name.sin_port);
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    uint16_t port = port_of(fd);
    close(fd);
    return port;
}

static void run(const char *command)
{
    int in[2], out[2];
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    rig.pid = fork();
    if (rig.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        if (chdir(rig.folder) == 0)
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    rig.in = in[1];
    rig.out = out[0];
    fcntl(rig.out, F_SETFL, O_NONBLOCK);
}

static void send_all(void)
{
    uint8_t data[DTLS_DATAGRAM_BYTES_MAX];
    size_t bytes;
    while (rig.peer.sin_port && (bytes = dtls_next_out(rig.dtls, data)) > 0)
        sendto(rig.fd, data, bytes, 0, (struct sockaddr *)&rig.peer, sizeof(rig.peer));
}

/* One round of the network, the program's words and the timers. */
static void step(void)
{
    uint8_t data[2048];
    struct pollfd polled[] = {{rig.fd, POLLIN, 0}, {rig.out, POLLIN, 0}};
    poll(polled, 2, 10);
    socklen_t bytes = sizeof(rig.peer);
    ssize_t n;
    while ((n = recvfrom(rig.fd, data, sizeof(data), 0, (struct sockaddr *)&rig.peer, &bytes)) > 0)
        dtls_feed(rig.dtls, data, (size_t)n, clock_now_us());
    n = read(rig.out, rig.said + rig.said_bytes, sizeof(rig.said) - 1 - rig.said_bytes);
    if (n > 0)
        rig.said_bytes += (size_t)n;
    rig.said[rig.said_bytes] = '\0';
    if (clock_now_us() >= dtls_due_us(rig.dtls))
        dtls_expire(rig.dtls, clock_now_us());
    send_all();
}

/* Until it is in that state and has said that, a whole line of it. */
static bool wait_for(enum dtls_state state, const char *words)
{
    int64_t until_us = clock_now_us() + WAIT_US;
    while (clock_now_us() < until_us) {
        step();
        const char *said = strstr(rig.said, words);
        if (dtls_state_of(rig.dtls) == state && said && (!words[0] || strchr(said, '\n')))
            return true;
    }
    return false;
}

static void open_session(enum dtls_role role, const char *certificate, const char *key,
                         const char *peer_certificate)
{
    char why[CERTIFICATE_ERROR_BYTES], paths[2][128];
    struct dtls_config config = {0};
    struct certificate peer;
    snprintf(paths[0], sizeof(paths[0]), "%s/%s", rig.folder, certificate);
    snprintf(paths[1], sizeof(paths[1]), "%s/%s", rig.folder, key);
    ck_assert_int_eq(certificate_load(&rig.certificate, paths[0], paths[1], why), 0);
    ck_assert_int_eq(dtls_context_init(&rig.context, &rig.certificate, &config), 0);
    snprintf(paths[0], sizeof(paths[0]), "%s/%s.crt", rig.folder, peer_certificate);
    snprintf(paths[1], sizeof(paths[1]), "%s/%s.key", rig.folder, peer_certificate);
    ck_assert_int_eq(certificate_load(&peer, paths[0], paths[1], why), 0);
    ck_assert_int_eq(dtls_init(&rig.dtls, rig.context, role, &peer.fingerprints[FINGERPRINT_SHA256],
                               clock_now_us()),
                     0);
    certificate_exit(&peer);
}

/* "Keying material: 0A0B.." of the program against ours: client key, server key, both salts. */
static void check_keys(enum seal_suite suite)
{
    struct srtp_keys keys;
    ck_assert(dtls_take_keys(rig.dtls, &keys));
    ck_assert_int_eq(keys.suite, suite);
    bool server = dtls_role_of(rig.dtls) == DTLS_ROLE_SERVER;
    const uint8_t *client = server ? keys.in : keys.out, *other = server ? keys.out : keys.in;
    size_t pair = seal_key_bytes(suite), salt = seal_suite_is_aead(suite) ? 12 : 14;
    uint8_t material[2 * SEAL_KEY_BYTES_MAX];
    char hex[4 * SEAL_KEY_BYTES_MAX + 1];
    memcpy(material, client, pair - salt);
    memcpy(material + pair - salt, other, pair - salt);
    memcpy(material + 2 * (pair - salt), client + pair - salt, salt);
    memcpy(material + 2 * pair - salt, other + pair - salt, salt);
    for (size_t i = 0; i < 2 * pair; i++)
        snprintf(hex + 2 * i, 3, "%02X", material[i]);
    const char *said = strstr(rig.said, "Keying material: ");
    ck_assert_ptr_nonnull(said);
    ck_assert_msg(strncmp(said + 17, hex, 4 * pair) == 0, "%s", hex);
}

struct row {
    const char *certificate; /* the program's */
    const char *profiles;
    int material_bytes;
    enum seal_suite suite;
};

/* Our preference, whatever the order of theirs. */
static const struct row clients[] = {
    {"ec", "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM", 56,
     SEAL_AEAD_AES_128_GCM},
    {"ec", "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM", 88, SEAL_AEAD_AES_256_GCM},
    {"ec", "SRTP_AES128_CM_SHA1_32:SRTP_AES128_CM_SHA1_80", 60, SEAL_AES_CM_128_HMAC_SHA1_80},
    {"ec", "SRTP_AES128_CM_SHA1_32", 60, SEAL_AES_CM_128_HMAC_SHA1_32},
};

/* Their preference: the first of theirs. */
static const struct row servers[] = {
    {"ec", "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80", 56, SEAL_AEAD_AES_128_GCM},
    {"rsa", "SRTP_AEAD_AES_256_GCM", 88, SEAL_AEAD_AES_256_GCM},
    {"ec", "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM", 60, SEAL_AES_CM_128_HMAC_SHA1_80},
    {"rsa", "SRTP_AES128_CM_SHA1_32", 60, SEAL_AES_CM_128_HMAC_SHA1_32},
};

START_TEST(serves_openssl)
{
    char command[512];
    if (!have_openssl())
        SKIP("no openssl");
    open_session(DTLS_ROLE_SERVER, _i % 2 ? "rsa.crt" : "ec.crt", _i % 2 ? "rsa.key" : "ec.key",
                 clients[_i].certificate);
    snprintf(command, sizeof(command),
             "exec openssl s_client -dtls1_2 -connect 127.0.0.1:%u -cert %s.crt -key %s.key "
             "-use_srtp %s -keymatexport EXTRACTOR-dtls_srtp -keymatexportlen %d",
             port_of(rig.fd), clients[_i].certificate, clients[_i].certificate,
             clients[_i].profiles, clients[_i].material_bytes);
    run(command);
    ck_assert_msg(wait_for(DTLS_CONNECTED, "Keying material: "), "%s", rig.said);
    check_keys(clients[_i].suite);
    ck_assert_int_eq(dtls_version_of(rig.dtls), DTLS_VERSION_1_2);
    ck_assert_int_eq(write(rig.in, "hello\n", 6), 6); /* application data is counted */
    int64_t until_us = clock_now_us() + WAIT_US;
    while (dtls_stats_of(rig.dtls).data_records == 0 && clock_now_us() < until_us)
        step();
    ck_assert_uint_eq(dtls_stats_of(rig.dtls).data_bytes, 6);
    ck_assert_int_eq(write(rig.in, "Q\n", 2), 2); /* quits, and says so */
    ck_assert(wait_for(DTLS_CLOSED, ""));
}

END_TEST

START_TEST(is_a_client_of_openssl)
{
    char command[512];
    uint16_t port = free_port();
    if (!have_openssl())
        SKIP("no openssl");
    snprintf(command, sizeof(command),
             "exec openssl s_server -dtls1_2 -accept 127.0.0.1:%u -cert %s.crt -key %s.key "
             "-verify_return_error -Verify 0 -CAfile ec.crt -use_srtp %s "
             "-keymatexport EXTRACTOR-dtls_srtp -keymatexportlen %d",
             port, servers[_i].certificate, servers[_i].certificate, servers[_i].profiles,
             servers[_i].material_bytes);
    run(command);
    open_session(DTLS_ROLE_CLIENT, "ec.crt", "ec.key", servers[_i].certificate);
    rig.peer = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_msg(wait_for(DTLS_CONNECTED, "Keying material: "), "%s", rig.said);
    check_keys(servers[_i].suite);
    ck_assert_int_eq(dtls_version_of(rig.dtls), DTLS_VERSION_1_2);
    dtls_close(rig.dtls);
    send_all();
}

END_TEST

START_TEST(openssl_with_another_certificate_is_refused)
{
    char command[512];
    if (!have_openssl())
        SKIP("no openssl");
    open_session(DTLS_ROLE_SERVER, "ec.crt", "ec.key", "ec");
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x "
             "-keyout /dev/stdout -out /dev/stdout 2>/dev/null >ec.key; "
             "exec openssl s_client -dtls1_2 -connect 127.0.0.1:%u -cert ec.key -key ec.key "
             "-use_srtp SRTP_AEAD_AES_128_GCM",
             port_of(rig.fd));
    run(command);
    ck_assert_msg(wait_for(DTLS_FAILED, ""), "%s", rig.said);
    struct srtp_keys keys;
    ck_assert(!dtls_take_keys(rig.dtls, &keys));
}

END_TEST

Suite *net_dtlspeer_suite(void)
{
    Suite *suite = suite_create("net/dtlspeer");
    TCase *tcase = tcase_create("dtlspeer");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, serves_openssl, 0, ARRAY_N(clients));
    tcase_add_loop_test(tcase, is_a_client_of_openssl, 0, ARRAY_N(servers));
    tcase_add_test(tcase, openssl_with_another_certificate_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
