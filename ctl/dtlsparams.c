/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/dtlsparams.c - DtlsParameters {role, fingerprints}: ours written, a peer's read. */
#include "ctl/dtlsparams.h"

enum { FINGERPRINTS_MAX = 16 };

const char *dtlsparams_role_name(enum dtls_role role)
{
    static const char *const names[] = {"auto", "server", "client"};
    return names[role];
}

json_t *dtlsparams_json(const struct certificate *certificate, enum dtls_role role)
{
    json_t *list = json_array();
    for (size_t i = FINGERPRINT_SHA1; i < FINGERPRINT_HASH_N; i++) {
        const struct fingerprint *fingerprint = &certificate->fingerprints[i];
        char text[FINGERPRINT_TEXT_BYTES];
        fingerprint_format(fingerprint, text);
        json_array_append_new(list,
                              json_pack("{s:s, s:s}", "algorithm",
                                        fingerprint_hash_name(fingerprint->hash), "value", text));
    }
    return json_pack("{s:s, s:o}", "role", dtlsparams_role_name(role), "fingerprints", list);
}

static void read_fingerprint(struct request *request, const struct fields *list, size_t i,
                             struct fingerprint *strongest)
{
    struct fields f;
    const char *algorithm = "", *value = "";
    struct fingerprint fingerprint;
    if (!fields_item_object(list, i, &f))
        return;
    request_only(request, &f, "dtlsParameters.fingerprints[]");
    fields_string(&f, "algorithm", FIELD_REQUIRED, 1, 32, &algorithm);
    fields_string(&f, "value", FIELD_REQUIRED, 1, 1024, &value);
    if (!fields_ok(&f) || fingerprint_hash_of_name(algorithm) == FINGERPRINT_NONE)
        return;
    if (!fingerprint_parse(&fingerprint, algorithm, value))
        fields_fail(&f, "value", "the hash as pairs of hexadecimal digits with colons");
    else if (fingerprint.hash > strongest->hash)
        *strongest = fingerprint;
}

void dtlsparams_read(struct request *request, struct fields *f,
                     struct command_webrtc_connect *connect)
{
    /* "auto" leaves it to us: passive costs us less, and the peer's ClientHello tells that it is
     * there. (mediasoup is the client then.) */
    static const char *const names[] = {"auto", "client", "server", NULL};
    int role = 0;
    struct fields params, list;
    if (!fields_object(f, "dtlsParameters", FIELD_REQUIRED, &params))
        return;
    request_only(request, &params, "dtlsParameters");
    fields_enum(&params, "role", FIELD_OPTIONAL, names, &role);
    connect->role = role == 2 ? DTLS_ROLE_CLIENT : DTLS_ROLE_SERVER;
    fields_array(&params, "fingerprints", FIELD_REQUIRED, FINGERPRINTS_MAX, &list);
    for (size_t i = 0; i < fields_n(&list); i++)
        read_fingerprint(request, &list, i, &connect->fingerprint);
    if (fields_ok(f) && connect->fingerprint.hash == FINGERPRINT_NONE)
        fields_fail(&params, "fingerprints",
                    "at least one by sha-1, sha-224, sha-256, sha-384 or sha-512");
}
