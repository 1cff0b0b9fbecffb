/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_rig.c - a control thread with fake workers and controllers talking to it, all in the
 * test's own thread. */
#include "test/ctl_rig.h"

#include "net/dtls.h"
#include "test/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char rig_capabilities[] =
    "{'codecs':[{'kind':'video','mimeType':'video/"
    "VP8','preferredPayloadType':101,'clockRate':90000,"
    "'rtcpFeedback':[{'type':'nack'},{'type':'nack','parameter':'pli'},{'type':'ccm','parameter':"
    "'fir'},{'type':'transport-cc'}]},{'kind':'video','mimeType':'video/rtx',"
    "'preferredPayloadType':102,'clockRate':90000,'parameters':{'apt':101}},{'kind':'audio',"
    "'mimeType':'audio/opus','preferredPayloadType':100,'clockRate':48000,'channels':2}],"
    "'headerExtensions':[{'kind':'video','uri':'urn:ietf:params:rtp-hdrext:sdes:mid',"
    "'preferredId':1},{'kind':'audio','uri':'urn:ietf:params:rtp-hdrext:sdes:mid','preferredId':1}"
    "]}";

void rig_config(struct config *config, uint32_t workers_n)
{
    config_default(config);
    config->workers_n = workers_n;
    config->slots_n = 256;
    config->sockets_max = config->transports_max = config->producers_max = 64;
    config->consumers_max = 4096;
    config->log_level = LOG_LEVEL_NONE;
    char why[CONFIG_ERROR_BYTES];
    ck_assert(config_check(config, why));
}

void rig_start_with(struct rig *rig, const struct config *config)
{
    struct config own = *config;
    *rig = (struct rig){0};
    ck_assert_int_eq(dtls_library_init(), 0);
    log_set(LOG_LEVEL_NONE, LOG_FORMAT_TEXT);
    snprintf(rig->folder, sizeof(rig->folder), "/tmp/sluice-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(rig->folder));
    snprintf(own.socket, sizeof(own.socket), "%s/s", rig->folder);
    own.socket_given = true;
    rig->control = malloc(sizeof(*rig->control));
    char why[CONFIG_ERROR_BYTES] = "";
    int failed = control_init(rig->control, &own, false, why);
    ck_assert_msg(failed == 0, "%s", why);
    rig->control->retry_us = 0; /* who tests waiting says so */
    rig_connect(rig, &rig->client);
}

void rig_start(struct rig *rig, uint32_t workers_n)
{
    struct config config;
    rig_config(&config, workers_n);
    rig_start_with(rig, &config);
}

void rig_stop(struct rig *rig)
{
    rig_disconnect(rig, &rig->client);
    control_exit(rig->control);
    free(rig->control);
    dtls_library_exit();
    rmdir(rig->folder);
}

void rig_settle(struct rig *rig)
{
    for (int i = 0; i < 40; i++)
        control_turn(rig->control, 0);
}

void rig_connect(struct rig *rig, struct rig_client *client)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, rig->control->config.socket, CONFIG_PATH_BYTES);
    *client = (struct rig_client){.notes = json_array(), .answers = json_array()};
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client->fd, (struct sockaddr *)&name, sizeof(name)), 0);
    control_turn(rig->control, 0);
    control_turn(rig->control, 0);
}

void rig_disconnect(struct rig *rig, struct rig_client *client)
{
    close(client->fd);
    json_decref(client->notes);
    json_decref(client->answers);
    free(client->in);
    *client = (struct rig_client){.fd = -1};
    rig_settle(rig);
}

static void line_take(struct rig_client *client, const char *line, size_t bytes)
{
    json_t *value = json_loadb(line, bytes, 0, NULL);
    ck_assert_msg(value != NULL, "no JSON: %.*s", (int)bytes, line);
    ck_assert_str_eq(rig_text(value, "jsonrpc"), "2.0");
    if (json_object_get(value, "method"))
        json_array_append_new(client->notes, value);
    else
        json_array_append_new(client->answers, value);
}

static void lines_take(struct rig_client *client)
{
    char *start = client->in;
    for (;;) {
        size_t left = client->in_n - (size_t)(start - client->in);
        char *end = left ? memchr(start, '\n', left) : NULL;
        if (!end)
            break;
        line_take(client, start, (size_t)(end - start));
        start = end + 1;
    }
    if (!client->in)
        return;
    client->in_n -= (size_t)(start - client->in);
    memmove(client->in, start, client->in_n);
}

void rig_read(struct rig *rig, struct rig_client *client)
{
    for (int i = 0; i < 400; i++) {
        if (client->in_room - client->in_n < 65536) {
            client->in_room = client->in_n + 131072;
            client->in = realloc(client->in, client->in_room);
        }
        ssize_t got = recv(client->fd, client->in + client->in_n, client->in_room - client->in_n,
                           MSG_DONTWAIT);
        if (got > 0)
            client->in_n += (size_t)got;
        else if (got == 0)
            client->ended = true;
        else if (i > 3)
            break;
        if (client->ended)
            break;
        control_turn(rig->control, 0);
    }
    lines_take(client);
}

void rig_send(struct rig *rig, struct rig_client *client, const char *text, size_t bytes)
{
    for (int i = 0; bytes > 0 && i < 100000; i++) {
        ssize_t sent = send(client->fd, text, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            text += sent;
            bytes -= (size_t)sent;
        }
        control_turn(rig->control, 0);
    }
}

static int request_send(struct rig *rig, struct rig_client *client, const char *method,
                        const char *params, va_list args)
{
    char *text = NULL, *line = NULL;
    ck_assert_int_ge(vasprintf(&text, params, args), 0);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    int id = ++client->id;
    int bytes = asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":%s}\n",
                         id, method, text);
    rig_send(rig, client, line, (size_t)bytes);
    free(text);
    free(line);
    return id;
}

int rig_request(struct rig *rig, struct rig_client *client, const char *method, const char *params,
                ...)
{
    va_list args;
    va_start(args, params);
    int id = request_send(rig, client, method, params, args);
    va_end(args);
    return id;
}

json_t *rig_answer(struct rig *rig, struct rig_client *client, int id)
{
    size_t i = 0;
    json_t *answer = NULL;
    rig_settle(rig);
    rig_read(rig, client);
    json_array_foreach(client->answers, i, answer)
    {
        if (json_integer_value(json_object_get(answer, "id")) != id)
            continue;
        json_incref(answer);
        json_array_remove(client->answers, i);
        return answer;
    }
    return NULL;
}

static bool known(const char *fields, const char *field)
{
    return method_has_field(fields, field, strlen(field));
}

/* Does the list name anything below `prefix`? */
static bool has_below(const char *fields, const char *prefix)
{
    size_t n = 0, bytes = strlen(prefix);
    for (const char *at = method_next_field(fields, &n); at; at = method_next_field(at + n, &n)) {
        if (n > bytes && strncmp(at, prefix, bytes) == 0 && (at[bytes] == '.' || at[bytes] == '['))
            return true;
    }
    return false;
}

/* Calls itself; what the relay answers is a few levels deep. */
bool rig_fields_known(const char *fields, const char *prefix, const json_t *value, char bad[128])
{
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;
    char at[128];
    if (json_is_array(value)) {
        snprintf(at, sizeof(at), "%s[]", prefix);
        json_array_foreach(value, i, item)
        {
            if (json_is_object(item) && !rig_fields_known(fields, at, item, bad))
                return false;
        }
        return true;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        snprintf(at, sizeof(at), "%s%s%s", prefix, prefix[0] ? "." : "", key);
        if (!known(fields, at)) {
            snprintf(bad, 128, "%s", at);
            return false;
        }
        if (has_below(fields, at) && !rig_fields_known(fields, at, item, bad))
            return false;
    }
    return true;
}

static json_t *call(struct rig *rig, const char *method, const char *params, va_list args)
{
    int id = request_send(rig, &rig->client, method, params, args);
    json_t *answer = rig_answer(rig, &rig->client, id);
    ck_assert_msg(answer != NULL, "%s: no answer", method);
    return answer;
}

static json_t *call_ok(struct rig *rig, const char *method, const char *params, va_list args)
{
    json_t *answer = call(rig, method, params, args);
    char *text = json_dumps(answer, 0), bad[128] = "";
    json_t *result = json_incref(json_object_get(answer, "result"));
    ck_assert_msg(result != NULL, "%s: %s", method, text);
    bool right = rig_fields_known(methods[method_find(method)].result, "", result, bad);
    ck_assert_msg(right, "%s answers a field that its table has not: %s", method, bad);
    free(text);
    json_decref(answer);
    return result;
}

json_t *rig_ok(struct rig *rig, const char *method, const char *params, ...)
{
    va_list args;
    va_start(args, params);
    json_t *result = call_ok(rig, method, params, args);
    va_end(args);
    return result;
}

void rig_do(struct rig *rig, const char *method, const char *params, ...)
{
    va_list args;
    va_start(args, params);
    json_decref(call_ok(rig, method, params, args));
    va_end(args);
}

void rig_fails(struct rig *rig, int code, const char *path, const char *method, const char *params,
               ...)
{
    va_list args;
    va_start(args, params);
    json_t *answer = call(rig, method, params, args);
    va_end(args);
    char *text = json_dumps(answer, 0);
    ck_assert_msg(rig_int(answer, "error.code") == code, "%s: wanted %d: %s", method, code, text);
    if (path)
        ck_assert_msg(rig_text(answer, "error.data.path") &&
                          strcmp(rig_text(answer, "error.data.path"), path) == 0,
                      "%s: wanted path %s: %s", method, path, text);
    ck_assert_ptr_nonnull(rig_text(answer, "error.message"));
    free(text);
    json_decref(answer);
}

json_t *rig_note(struct rig *rig, struct rig_client *client, const char *method)
{
    size_t i = 0;
    json_t *note = NULL;
    rig_settle(rig);
    rig_read(rig, client);
    json_array_foreach(client->notes, i, note)
    {
        if (strcmp(rig_text(note, "method"), method) != 0)
            continue;
        json_t *params = json_incref(json_object_get(note, "params"));
        json_array_remove(client->notes, i);
        char bad[128] = "";
        for (size_t n = 0; n < NOTICE_N; n++) {
            if (strcmp(notices[n].name, method) == 0)
                ck_assert_msg(rig_fields_known(notices[n].params, "", params, bad),
                              "%s has a field that its table has not: %s", method, bad);
        }
        return params;
    }
    return NULL;
}

json_t *rig_at(const json_t *value, const char *path)
{
    char key[64];
    while (value && *path) {
        size_t bytes = strcspn(path, ".");
        snprintf(key, sizeof(key), "%.*s", (int)bytes, path);
        value = json_is_array(value) ? json_array_get(value, strtoul(key, NULL, 10))
                                     : json_object_get(value, key);
        path += bytes;
        path += *path == '.';
    }
    return (json_t *)(uintptr_t)value;
}

int64_t rig_int(const json_t *value, const char *path)
{
    const json_t *at = rig_at(value, path);
    return json_is_integer(at) ? json_integer_value(at) : -1;
}

const char *rig_text(const json_t *value, const char *path)
{
    return json_string_value(rig_at(value, path));
}

void rig_room(struct rig *rig)
{
    rig_do(rig, "router.create",
           "{'id':'r','mediaCodecs':[{'kind':'audio','mimeType':'audio/opus','clockRate':48000,"
           "'channels':2},{'kind':'video','mimeType':'video/VP8','clockRate':90000}]}");
    rig_do(rig, "transport.createPlain",
           "{'routerId':'r','id':'t','listenInfo':{'protocol':'udp','ip':'127.0.0.1'}}");
    rig_do(rig, "transport.produce",
           "{'transportId':'t','id':'p','kind':'video','rtpParameters':{'mid':'v','codecs':[{"
           "'mimeType':'video/VP8','payloadType':96,'clockRate':90000,'rtcpFeedback':[{'type':"
           "'nack'},{'type':'nack','parameter':'pli'}]},{'mimeType':'video/rtx','payloadType':97,"
           "'clockRate':90000,'parameters':{'apt':96}}],'headerExtensions':[{'uri':"
           "'urn:ietf:params:rtp-hdrext:sdes:mid','id':3}],'encodings':[{'ssrc':1111,'rtx':{"
           "'ssrc':1112}}],'rtcp':{'cname':'abc'}}}");
    rig_do(rig, "transport.produce",
           "{'transportId':'t','id':'a','kind':'audio','rtpParameters':{'codecs':[{'mimeType':"
           "'audio/opus','payloadType':111,'clockRate':48000,'channels':2}],'encodings':[{'ssrc':"
           "2222}]}}");
}
