/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/notify.c - notifications to the connections that want them. */
#include "ctl/notify.h"

#include <stdio.h>
#include <stdlib.h>

bool notify_wanted(const struct control *control, enum notice notice, const struct object *object)
{
    const char *id = object ? object->id : NULL;
    uint64_t owner = object ? object->owner : 0;
    for (uint32_t i = 0; i < control->conns_high; i++) {
        if (control->conns[i] && conn_wants(control->conns[i], notice, id, owner))
            return true;
    }
    return false;
}

static void send_to_all(struct control *control, enum notice notice, const struct object *object,
                        const char *line, size_t bytes)
{
    const char *id = object ? object->id : NULL;
    uint64_t owner = object ? object->owner : 0;
    for (uint32_t i = 0; i < control->conns_high; i++) {
        struct conn *conn = control->conns[i];
        if (!conn || !conn_wants(conn, notice, id, owner))
            continue;
        control->count.notifications++;
        control_send(control, conn, line, bytes);
    }
}

void notify(struct control *control, enum notice notice, const struct object *object, json_t *more)
{
    if (!notify_wanted(control, notice, object)) {
        json_decref(more);
        return;
    }
    json_t *params = json_object();
    if (object) {
        char key[32];
        snprintf(key, sizeof(key), "%sId", noun_names[object->noun]);
        json_object_set_new(params, key, json_string(object->id));
    }
    if (more)
        json_object_update(params, more);
    json_decref(more);

    size_t bytes = 0;
    char *line = rpc_notification_line(notices[notice].name, params, &bytes);
    json_decref(params);
    if (line)
        send_to_all(control, notice, object, line, bytes);
    rpc_line_free(line, bytes);
}

void notify_end(struct control *control, const struct object *object)
{
    for (size_t noun = 0; noun < NOUN_N; noun++) {
        if (model_find(&control->model, (enum noun)noun, object->id))
            return;
    }
    for (uint32_t i = 0; i < control->conns_high; i++) {
        if (control->conns[i])
            conn_unsubscribe_id(control->conns[i], object->id, UINT64_MAX);
    }
}
