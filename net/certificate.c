/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/certificate.c - the relay's own certificate: made, or read from PEM files. */
#include "net/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>

static void make_fingerprints(struct certificate *certificate)
{
    for (int i = FINGERPRINT_SHA1; i < FINGERPRINT_HASH_N; i++)
        fingerprint_make(&certificate->fingerprints[i], (enum fingerprint_hash)i, certificate->der,
                         certificate->der_bytes);
}

/* ---- made */

static bool sign(struct certificate *out, ecc_key *key, WC_RNG *rng)
{
    Cert cert;
    if (wc_InitCert(&cert)) /* without a serial number, so that a random one is made */
        return false;
    memcpy(cert.subject.commonName, "sluice", sizeof("sluice"));
    cert.daysValid = CERTIFICATE_DAYS;
    cert.sigType = CTC_SHA256wECDSA;
    cert.selfSigned = 1;
    int body = wc_MakeCert(&cert, out->der, sizeof(out->der), NULL, key, rng);
    if (body <= 0)
        return false;
    int der = wc_SignCert(body, cert.sigType, out->der, sizeof(out->der), NULL, key, rng);
    int bytes = wc_EccKeyToDer(key, out->key, sizeof(out->key));
    if (der <= 0 || bytes <= 0)
        return false;
    out->der_bytes = (size_t)der;
    out->key_bytes = (size_t)bytes;
    return true;
}

int certificate_make(struct certificate *certificate)
{
    WC_RNG rng;
    ecc_key key;
    bool made = false;
    memset(certificate, 0, sizeof(*certificate));
    if (wc_InitRng(&rng))
        return -EIO;
    if (wc_ecc_init(&key) == 0) {
        made =
            wc_ecc_make_key_ex(&rng, 32, &key, ECC_SECP256R1) == 0 && sign(certificate, &key, &rng);
        wc_ecc_free(&key);
    }
    wc_FreeRng(&rng);
    if (!made) {
        certificate_exit(certificate);
        return -EIO;
    }
    make_fingerprints(certificate);
    return 0;
}

/* ---- loaded */

/* The whole file and a zero. Its length, or -errno and `why`. */
static ssize_t read_file(const char *path, char text[CERTIFICATE_FILE_BYTES_MAX + 1],
                         char why[CERTIFICATE_ERROR_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && n <= CERTIFICATE_FILE_BYTES_MAX) {
        got = read(fd, text + n, CERTIFICATE_FILE_BYTES_MAX + 1 - n);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            n += (size_t)got;
    }
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0) {
        snprintf(why, CERTIFICATE_ERROR_BYTES, "%s cannot be read: %s", path, strerror(error));
        return -error;
    }
    if (n > CERTIFICATE_FILE_BYTES_MAX) {
        snprintf(why, CERTIFICATE_ERROR_BYTES, "%s is longer than %d bytes", path,
                 CERTIFICATE_FILE_BYTES_MAX);
        return -EFBIG;
    }
    text[n] = '\0';
    return (ssize_t)n;
}

static int load_certificate(struct certificate *out, const char *path, char *text, char *why)
{
    ssize_t n = read_file(path, text, why);
    if (n < 0)
        return (int)n;
    int der = wc_CertPemToDer((const byte *)text, (int)n, out->der, sizeof(out->der), CERT_TYPE);
    if (der <= 0) {
        snprintf(why, CERTIFICATE_ERROR_BYTES,
                 "%s has no certificate in PEM form of up to %d bytes (BEGIN CERTIFICATE)", path,
                 CERTIFICATE_DER_BYTES_MAX);
        return -EINVAL;
    }
    out->der_bytes = (size_t)der;
    return 0;
}

static int load_key(struct certificate *out, const char *path, char *text, char *why)
{
    ssize_t n = read_file(path, text, why);
    if (n < 0)
        return (int)n;
    int der = wc_KeyPemToDer((const byte *)text, (int)n, out->key, sizeof(out->key), NULL);
    if (der <= 0) {
        snprintf(why, CERTIFICATE_ERROR_BYTES,
                 "%s has no private key in PEM form that is not encrypted (BEGIN PRIVATE KEY)",
                 path);
        return -EINVAL;
    }
    out->key_bytes = (size_t)der;
    return 0;
}

/* The library's own judgement: it can use both, and they belong together. */
static int check_pair(const struct certificate *certificate, const char *certificate_path,
                      const char *key_path, char *why)
{
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(wolfDTLS_server_method());
    const char *fault = NULL, *of = certificate_path;
    if (!ctx) {
        snprintf(why, CERTIFICATE_ERROR_BYTES, "no memory");
        return -ENOMEM;
    }
    if (wolfSSL_CTX_use_certificate_buffer(ctx, certificate->der, (long)certificate->der_bytes,
                                           WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
        fault = "holds a certificate that is malformed or of a kind that is not supported "
                "(ECDSA on P-256 or P-384, RSA)";
    } else if (wolfSSL_CTX_use_PrivateKey_buffer(ctx, certificate->key,
                                                 (long)certificate->key_bytes,
                                                 WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS) {
        of = key_path;
        fault = "holds a private key that is malformed, or no ECDSA (P-256, P-384) or RSA key";
    } else if (wolfSSL_CTX_check_private_key(ctx) != WOLFSSL_SUCCESS) {
        of = key_path;
        fault = "is not the key of the certificate";
    }
    wolfSSL_CTX_free(ctx);
    if (!fault)
        return 0;
    snprintf(why, CERTIFICATE_ERROR_BYTES, "%s %s", of, fault);
    return -EINVAL;
}

int certificate_load(struct certificate *certificate, const char *certificate_path,
                     const char *key_path, char why[CERTIFICATE_ERROR_BYTES])
{
    char text[CERTIFICATE_FILE_BYTES_MAX + 1];
    memset(certificate, 0, sizeof(*certificate));
    int error = load_certificate(certificate, certificate_path, text, why);
    if (!error)
        error = load_key(certificate, key_path, text, why);
    if (!error)
        error = check_pair(certificate, certificate_path, key_path, why);
    explicit_bzero(text, sizeof(text));
    if (error) {
        certificate_exit(certificate);
        return error;
    }
    make_fingerprints(certificate);
    return 0;
}

void certificate_exit(struct certificate *certificate)
{
    explicit_bzero(certificate, sizeof(*certificate));
}

char *certificate_pem(const uint8_t *der, size_t der_bytes)
{
    ASSERT(der_bytes <= UINT32_MAX);
    int n = wc_DerToPem(der, (word32)der_bytes, NULL, 0, CERT_TYPE);
    if (n <= 0)
        return NULL;
    char *pem = malloc((size_t)n + 1);
    if (!pem)
        return NULL;
    n = wc_DerToPem(der, (word32)der_bytes, (byte *)pem, (word32)n, CERT_TYPE);
    if (n <= 0) {
        free(pem);
        return NULL;
    }
    pem[n] = '\0';
    return pem;
}
