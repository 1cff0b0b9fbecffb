/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/red.c - the parameters of audio/red: which payload types its blocks have. RFC 2198 5. */
#include "ctl/red.h"

#include <stdio.h>

enum { LIST_MAX = 32 }; /* "0/0/..." in a name of RTPCODEC_KEY_BYTES_MAX bytes */

static_assert(2 * LIST_MAX >= RTPCODEC_KEY_BYTES_MAX, "each takes a digit and a slash");

/* Payload types in "111/111", 0 for any other text. */
static size_t list_parse(const char *text, int payload_types[LIST_MAX])
{
    size_t n = 0;
    const char *at = text;
    for (;;) {
        int number = 0;
        size_t digits = 0;
        for (; digits < 3 && *at >= '0' && *at <= '9'; digits++)
            number = 10 * number + *at++ - '0';
        if (digits == 0 || number > 127 || n == LIST_MAX)
            return 0;
        payload_types[n++] = number;
        if (*at == '\0')
            return n;
        if (*at++ != '/')
            return 0;
    }
}

static bool is_primary(const json_t *codec)
{
    return codec && !rtpcodec_is_rtx(codec) && !rtpcodec_is(codec, "audio/red");
}

static bool list_is_sound(const char *text, const json_t *codecs)
{
    int payload_types[LIST_MAX];
    size_t n = list_parse(text, payload_types);
    for (size_t i = 0; i < n; i++) {
        if (!is_primary(rtpcodec_find(codecs, payload_types[i])))
            return false;
    }
    return true;
}

bool red_is_sound(const json_t *red, const json_t *codecs)
{
    bool primary = false;
    for (size_t i = 0; i < json_array_size(codecs); i++)
        primary |= is_primary(json_array_get(codecs, i));

    json_t *parameters = json_object_get(red, "parameters");
    for (void *at = json_object_iter(parameters); at && primary;
         at = json_object_iter_next(parameters, at))
        primary = list_is_sound(json_object_iter_key(at), codecs);
    return primary;
}

static int mapped(const json_t *mapping, int payload_type)
{
    for (size_t i = 0; i < json_array_size(mapping); i++) {
        const json_t *entry = json_array_get(mapping, i);
        if (json_integer_value(json_object_get(entry, "payloadType")) == payload_type)
            return (int)json_integer_value(json_object_get(entry, "mappedPayloadType")) & 0x7f;
    }
    return payload_type;
}

static void list_map(const char *text, const json_t *mapping, char out[4 * LIST_MAX])
{
    int payload_types[LIST_MAX];
    size_t n = list_parse(text, payload_types);
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(out + at, 4 * LIST_MAX - at, "%s%d", i ? "/" : "",
                               mapped(mapping, payload_types[i]));
}

json_t *red_map_parameters(const json_t *red, const json_t *mapping)
{
    json_t *parameters = json_object_get(red, "parameters");
    json_t *out = json_object();
    int bad = out ? 0 : -1;
    for (void *at = json_object_iter(parameters); at; at = json_object_iter_next(parameters, at)) {
        int payload_types[LIST_MAX];
        char list[4 * LIST_MAX] = "";
        const char *key = json_object_iter_key(at);
        if (list_parse(key, payload_types) > 0) {
            list_map(key, mapping, list);
            key = list;
        }
        bad |= json_object_set_new(out, key, json_deep_copy(json_object_iter_value(at)));
    }
    if (bad == 0)
        return out;
    json_decref(out);
    return NULL;
}
