/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_certificate_test.c - our own certificate: made, loaded, refused; fingerprints as text.
 */
#include "net/certificate.h"

#include "net/dtls.h"
#include "test/must.h"
#include "test/pem.h"
#include "test/suite.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char certificate_path[64], key_path[64];
static struct certificate certificate;

static void setup(void)
{
    ck_assert_int_eq(dtls_library_init(), 0);
    snprintf(certificate_path, sizeof(certificate_path), "/tmp/sluice-certificate-%d", getpid());
    snprintf(key_path, sizeof(key_path), "/tmp/sluice-key-%d", getpid());
}

static void teardown(void)
{
    unlink(certificate_path);
    unlink(key_path);
    dtls_library_exit();
}

static void write_file(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, bytes, file), bytes);
    ck_assert_int_eq(fclose(file), 0);
}

static int load(const char *certificate_text, const char *key_text, char *why)
{
    write_file(certificate_path, certificate_text, strlen(certificate_text));
    write_file(key_path, key_text, strlen(key_text));
    why[0] = '\0';
    return certificate_load(&certificate, certificate_path, key_path, why);
}

static bool is_zero(const void *at, size_t bytes)
{
    const uint8_t *p = at;
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static const struct {
    const char *certificate, *key;
} pairs[] = {
    {pem_ec_certificate, pem_ec_key},
    {pem_ec_certificate, pem_ec_key_sec1}, /* BEGIN EC PARAMETERS before the key */
    {pem_p384_certificate, pem_p384_key},
    {pem_rsa_certificate, pem_rsa_key},
};

START_TEST(loads_and_a_context_takes_it)
{
    char why[CERTIFICATE_ERROR_BYTES], chain[8192];
    struct dtls_config config = {0};
    struct dtls_context *context;
    /* Words before it and a chain behind it do not matter. */
    snprintf(chain, sizeof(chain), "a comment\n%s%s", pairs[_i].certificate, pem_p384_certificate);
    int error = load(chain, pairs[_i].key, why);
    ck_assert_msg(error == 0, "%s", why);
    ck_assert_int_eq(dtls_context_init(&context, &certificate, &config), 0);
    dtls_context_exit(context);
    char *pem = certificate_pem(certificate.der, certificate.der_bytes);
    ck_assert_str_eq(pem, pairs[_i].certificate);
    free(pem);
    certificate_exit(&certificate);
    ck_assert(is_zero(&certificate, sizeof(certificate)));
}

END_TEST

START_TEST(fingerprints_are_those_of_another_program)
{
    char why[CERTIFICATE_ERROR_BYTES], text[FINGERPRINT_TEXT_BYTES];
    ck_assert_int_eq(load(pem_ec_certificate, pem_ec_key, why), 0);
    for (int i = FINGERPRINT_SHA1; i < FINGERPRINT_HASH_N; i++) {
        fingerprint_format(&certificate.fingerprints[i], text);
        ck_assert_str_eq(text, pem_ec_fingerprints[i]);
    }
    certificate_exit(&certificate);
}

END_TEST

static const struct {
    const char *certificate, *key, *words;
} refusals[] = {
    {"", pem_ec_key, "has no certificate"},
    {pem_ec_key, pem_ec_key, "has no certificate"},
    {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", pem_ec_key, "malformed"},
    {"-----BEGIN CERTIFICATE-----\nAA", pem_ec_key, "has no certificate"},
    {pem_ec_certificate, "", "has no private key"},
    {pem_ec_certificate, pem_ec_certificate, "has no private key"},
    {pem_ec_certificate, pem_ec_key_encrypted, "private key"},
    {pem_ec_certificate, pem_p384_key, "is not the key of the certificate"},
    {pem_ec_certificate, pem_rsa_key, "is not the key of the certificate"},
    {pem_rsa_certificate, pem_ec_key, "is not the key of the certificate"},
};

START_TEST(refuses_with_the_file_and_the_reason)
{
    char why[CERTIFICATE_ERROR_BYTES];
    ck_assert_int_eq(load(refusals[_i].certificate, refusals[_i].key, why), -EINVAL);
    ck_assert_msg(strstr(why, refusals[_i].words) != NULL, "%s", why);
    ck_assert(strncmp(why, certificate_path, strlen(certificate_path)) == 0 ||
              strncmp(why, key_path, strlen(key_path)) == 0);
    ck_assert(is_zero(&certificate, sizeof(certificate)));
}

END_TEST

START_TEST(refuses_files_that_cannot_be_read_or_are_too_long)
{
    char why[CERTIFICATE_ERROR_BYTES];
    static char text[CERTIFICATE_FILE_BYTES_MAX + 1];
    ck_assert_int_eq(certificate_load(&certificate, "/nonexistent/file", key_path, why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(why, "/nonexistent/file cannot be read: No such file"));
    ck_assert_int_eq(certificate_load(&certificate, "/", key_path, why), -EISDIR);
    memset(text, 'x', sizeof(text));
    write_file(certificate_path, text, sizeof(text));
    ck_assert_int_eq(certificate_load(&certificate, certificate_path, key_path, why), -EFBIG);
    write_file(certificate_path, text, sizeof(text) - 1);
    ck_assert_int_eq(certificate_load(&certificate, certificate_path, key_path, why), -EINVAL);
}

END_TEST

START_TEST(made_ones_differ_and_work)
{
    struct certificate other;
    struct dtls_config config = {0};
    struct dtls_context *context;
    ck_assert_int_eq(certificate_make(&certificate), 0);
    ck_assert_int_eq(certificate_make(&other), 0);
    ck_assert(!fingerprint_equal(&certificate.fingerprints[FINGERPRINT_SHA256],
                                 &other.fingerprints[FINGERPRINT_SHA256]));
    ck_assert_uint_gt(certificate.key_bytes, 32);
    ck_assert_int_eq(dtls_context_init(&context, &other, &config), 0);
    dtls_context_exit(context);
    certificate_exit(&certificate);
    certificate_exit(&other);
    ck_assert(is_zero(&other, sizeof(other)));
}

END_TEST

START_TEST(text_both_ways)
{
    struct fingerprint parsed, made;
    char text[FINGERPRINT_TEXT_BYTES], lower[FINGERPRINT_TEXT_BYTES];
    static const char *names[] = {"?", "sha-1", "sha-224", "sha-256", "sha-384", "sha-512"};
    for (int i = FINGERPRINT_SHA1; i < FINGERPRINT_HASH_N; i++) {
        fingerprint_make(&made, (enum fingerprint_hash)i, (const uint8_t *)"abc", 3);
        fingerprint_format(&made, text);
        ck_assert_uint_eq(strlen(text), 3 * fingerprint_bytes(made.hash) - 1);
        ck_assert_str_eq(fingerprint_hash_name(made.hash), names[i]);
        ck_assert(fingerprint_parse(&parsed, names[i], text));
        ck_assert(fingerprint_equal(&parsed, &made));
        for (size_t at = 0; at <= strlen(text); at++)
            lower[at] = (char)tolower(text[at]);
        ck_assert(fingerprint_parse(&parsed, names[i], lower));
        ck_assert(fingerprint_equal(&parsed, &made));
        for (size_t at = 0; at < strlen(text); at++) { /* every prefix, every wrong character */
            char saved = text[at];
            text[at] = '\0';
            MUST(!fingerprint_parse(&parsed, names[i], text));
            text[at] = saved == ':' ? '-' : 'g';
            MUST(!fingerprint_parse(&parsed, names[i], text));
            MUST(parsed.hash == FINGERPRINT_NONE);
            text[at] = saved;
        }
        for (size_t at = 0; at < fingerprint_bytes(made.hash); at++) {
            parsed = made;
            parsed.bytes[at] ^= 0x10;
            MUST(!fingerprint_equal(&parsed, &made));
        }
    }
    fingerprint_make(&made, FINGERPRINT_SHA1, (const uint8_t *)"abc", 3);
    fingerprint_format(&made, text);
    ck_assert_str_eq(text, "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D");
}

END_TEST

START_TEST(odd_texts)
{
    struct fingerprint parsed;
    struct fingerprint none = {FINGERPRINT_NONE, {0}};
    char text[FINGERPRINT_TEXT_BYTES];
    ck_assert(!fingerprint_parse(&parsed, "md5", "AB"));
    ck_assert(!fingerprint_parse(&parsed, "", ""));
    ck_assert(!fingerprint_parse(&parsed, "?", ""));
    ck_assert(!fingerprint_parse(&parsed, "sha-1", ""));
    ck_assert(!fingerprint_equal(&none, &none));
    fingerprint_format(&none, text);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(fingerprint_hash_of_name("SHA-256"), FINGERPRINT_SHA256);
    ck_assert_str_eq(fingerprint_hash_name(FINGERPRINT_NONE), "?");
    ck_assert_uint_eq(fingerprint_bytes(FINGERPRINT_NONE), 0);
}

END_TEST

Suite *net_certificate_suite(void)
{
    Suite *suite = suite_create("net/certificate");
    TCase *tcase = tcase_create("certificate");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, loads_and_a_context_takes_it, 0, ARRAY_N(pairs));
    tcase_add_test(tcase, fingerprints_are_those_of_another_program);
    tcase_add_loop_test(tcase, refuses_with_the_file_and_the_reason, 0, ARRAY_N(refusals));
    tcase_add_test(tcase, refuses_files_that_cannot_be_read_or_are_too_long);
    tcase_add_test(tcase, made_ones_differ_and_work);
    tcase_add_test(tcase, text_both_ways);
    tcase_add_test(tcase, odd_texts);
    suite_add_tcase(suite, tcase);
    return suite;
}
