/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/rtcparams.c - JSON of a WebRTC transport. */
#include "perf/rtcparams.h"

#include "net/certificate.h"

static bool read_text(char *to, uint8_t *bytes, size_t room, const json_t *from)
{
    size_t n = json_string_length(from);
    if (n == 0 || n > room)
        return false;
    memcpy(to, json_string_value(from), n);
    *bytes = (uint8_t)n;
    return true;
}

static bool read_fingerprint(struct fingerprint *out, const json_t *dtls)
{
    json_t *list = json_object_get(dtls, "fingerprints"), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "algorithm"));
        const char *text = json_string_value(json_object_get(one, "value"));
        if (name != NULL && text != NULL && strcmp(name, "sha-256") == 0)
            return fingerprint_parse(out, name, text);
    }
    return false;
}

bool rtcparams_read(struct rtcparams *out, const json_t *made)
{
    const json_t *ice = json_object_get(made, "iceParameters");
    const json_t *candidate = json_array_get(json_object_get(made, "iceCandidates"), 0);
    const char *ip = json_string_value(json_object_get(candidate, "address"));
    json_int_t port = json_integer_value(json_object_get(candidate, "port"));
    return ip != NULL && addr_parse(&out->relay, ip, (uint16_t)port) == 0 &&
           read_text(out->ice.ufrag, &out->ice.ufrag_bytes, sizeof out->ice.ufrag,
                     json_object_get(ice, "usernameFragment")) &&
           read_text(out->ice.pwd, &out->ice.pwd_bytes, sizeof out->ice.pwd,
                     json_object_get(ice, "password")) &&
           read_fingerprint(&out->fingerprint, json_object_get(made, "dtlsParameters"));
}

json_t *rtcparams_connect(const char *transport_id, const struct fingerprint *own)
{
    char text[FINGERPRINT_TEXT_BYTES];
    fingerprint_format(own, text);
    return json_pack("{s:s, s:{s:s, s:[{s:s, s:s}]}}", "transportId", transport_id,
                     "dtlsParameters", "role", "client", "fingerprints", "algorithm", "sha-256",
                     "value", text);
}
