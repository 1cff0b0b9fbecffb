/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/texts_fuzz.c - the small readers of text: what is accepted comes out as it went in.
 *
 *   input: | letter | text |      a: an IP address, b: base64 after a byte with the key's length,
 *                                 c: sluiced.json, h: a request of the metrics port */
#include "core/addr.h"
#include "ctl/base64.h"
#include "ctl/config.h"
#include "ctl/http.h"

#include <stdlib.h>

enum { KEY_BYTES_MAX = 44, HTTP_STEPS_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* With a zero behind it. */
static char *text_of(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1);
    ASSERT(text);
    memcpy(text, data, bytes);
    text[bytes] = 0;
    return text;
}

static void fuzz_addr(const uint8_t *data, size_t bytes)
{
    char ip[ADDR_TEXT_BYTES], with_port[ADDR_TEXT_BYTES];
    struct addr addr, again;
    char *text = text_of(data, bytes);
    int failed = addr_parse(&addr, text, 5004);
    free(text);
    if (failed)
        return;
    addr_format(&addr, with_port);
    ASSERT(strlen(with_port) > strlen(":5004"));
    ASSERT(addr_parse(&again, addr_format_ip(&addr, ip), 5004) == 0);
    ASSERT(addr_equal(&addr, &again));
    ASSERT(addr_hash(&addr) == addr_hash(&again));
}

static void fuzz_base64(const uint8_t *data, size_t bytes)
{
    uint8_t key[KEY_BYTES_MAX], again[KEY_BYTES_MAX];
    char back[BASE64_TEXT_BYTES_MAX];
    size_t key_bytes = bytes ? data[0] % (KEY_BYTES_MAX + 1) : 0;
    if (bytes == 0)
        return;
    char *text = text_of(data + 1, bytes - 1);
    if (base64_read(key, key_bytes, text)) {
        base64_write(back, key, key_bytes);
        ASSERT(strcmp(back, text) == 0); /* there is one form only */
    }
    free(text);
    if (bytes - 1 < key_bytes)
        return;
    base64_write(back, data + 1, key_bytes);
    ASSERT(base64_read(again, key_bytes, back));
    ASSERT(memcmp(again, data + 1, key_bytes) == 0);
}

static void fuzz_config(const uint8_t *data, size_t bytes)
{
    char why[CONFIG_ERROR_BYTES] = "";
    struct config config, again;
    config_default(&config);
    if (config_parse(&config, (const char *)data, bytes, "file", why) != 0) {
        ASSERT(why[0]);
        return;
    }
    /* Complete: read on top of the defaults it says the same once more. */
    json_t *value = config_json(&config);
    char *text = json_dumps(value, 0);
    config_default(&again);
    ASSERT(config_parse(&again, text, strlen(text), "again", why) == 0);
    json_t *value_again = config_json(&again);
    ASSERT(json_equal(value, value_again));
    json_decref(value);
    json_decref(value_again);
    free(text);
    (void)config_check(&config, why);
}

/* It comes in pieces: what was decided stays, whatever follows. */
static void fuzz_http(const uint8_t *data, size_t bytes)
{
    enum http_asked before = HTTP_ASKED_MORE;
    bytes = min_size(bytes, HTTP_REQUEST_BYTES);
    for (size_t n = 0; n <= bytes; n = n < HTTP_STEPS_MAX || n == bytes ? n + 1 : bytes) {
        enum http_asked now = http_asked((const char *)data, n);
        ASSERT(before == HTTP_ASKED_MORE || now == before);
        before = now;
    }
    ASSERT(before != HTTP_ASKED_TOO_MUCH || bytes == HTTP_REQUEST_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    switch (bytes ? data[0] : 0) {
    case 'a':
        fuzz_addr(data + 1, bytes - 1);
        break;
    case 'b':
        fuzz_base64(data + 1, bytes - 1);
        break;
    case 'c':
        fuzz_config(data + 1, bytes - 1);
        break;
    case 'h':
        fuzz_http(data + 1, bytes - 1);
        break;
    default:
        break;
    }
    return 0;
}
