/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/subscribe.c - server.subscribe and server.unsubscribe: which notifications a connection gets.
 */
#include "ctl/handlers.h"

/* "producer.score", "producer.*" or "*". 0: no such notification. */
static uint64_t notices_of(const char *pattern)
{
    size_t bytes = strlen(pattern);
    bool prefix = bytes > 0 && pattern[bytes - 1] == '*';
    uint64_t set = 0;
    for (size_t i = 0; i < NOTICE_N; i++) {
        bool same = prefix ? strncmp(notices[i].name, pattern, bytes - 1) == 0
                           : strcmp(notices[i].name, pattern) == 0;
        if (same)
            set |= 1ull << i;
    }
    return set;
}

static uint64_t events_read(struct fields *f)
{
    struct fields events;
    uint64_t set = 0;
    fields_array(f, "events", FIELD_REQUIRED, NOTICE_N, &events);
    for (size_t i = 0; i < fields_n(&events); i++) {
        const char *pattern = "";
        if (!fields_item_string(&events, i, 1, 64, &pattern))
            break;
        uint64_t found = notices_of(pattern);
        if (found == 0)
            fields_fail(&events, NULL, "notifications that server.methods lists, or noun.* or *");
        set |= found;
    }
    return set;
}

/* All of them before anything is done: a request that is refused has changed nothing. */
static bool ids_read(struct request *request, struct fields *f, struct fields *ids)
{
    const char *id = "";
    bool some = fields_array(f, "ids", FIELD_OPTIONAL, CONN_IDS_MAX, ids);
    for (size_t i = 0; i < fields_n(ids); i++)
        fields_item_string(ids, i, 1, OBJECT_ID_BYTES_MAX, &id);
    return some && !field_error_is_set(&request->err);
}

static void answer(struct request *request)
{
    const struct conn *conn = request->conn;
    uint32_t n = (uint32_t)__builtin_popcountll(conn->notices_all) + conn->ids_n;
    request_result(request, json_pack("{s:i}", "subscriptions", (int)n));
}

void server_subscribe(struct control *control, struct request *request, struct fields *f)
{
    (void)control;
    struct conn *conn = request->conn;
    struct fields ids;
    uint64_t set = events_read(f);
    bool some = ids_read(request, f, &ids);
    if (!handler_ok(request))
        return;
    conn->notices_all |= some ? set & CONN_NOTICES_RELAY : set;
    conn->notices_own |= some ? 0 : set;
    set &= ~CONN_NOTICES_RELAY;
    for (size_t i = 0; i < fields_n(&ids); i++) {
        const char *id = "";
        fields_item_string(&ids, i, 1, OBJECT_ID_BYTES_MAX, &id);
        if (set && !conn_subscribe_id(conn, id, set)) {
            request_fail(request, RPC_FULL, "ids", "at most 4096 ids of a connection", "more",
                         "this connection has %u subscriptions to single objects", conn->ids_n);
            return;
        }
    }
    answer(request);
}

void server_unsubscribe(struct control *control, struct request *request, struct fields *f)
{
    (void)control;
    struct conn *conn = request->conn;
    struct fields ids;
    uint64_t set = events_read(f);
    bool some = ids_read(request, f, &ids);
    if (!handler_ok(request))
        return;
    if (!some) { /* of whatever object, its own ones as well */
        conn->notices_all &= ~set;
        conn->notices_own &= ~set;
    }
    for (size_t i = 0; i < fields_n(&ids); i++) {
        const char *id = "";
        fields_item_string(&ids, i, 1, OBJECT_ID_BYTES_MAX, &id);
        conn_unsubscribe_id(conn, id, set);
    }
    answer(request);
}
