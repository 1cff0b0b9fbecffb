/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/notify.h - notifications to the connections that want them. Control thread. */
#ifndef CTL_NOTIFY_H
#define CTL_NOTIFY_H

#include "ctl/control.h"

/* Does anybody want it? Saves building what nobody reads. `object` NULL: about none. */
bool notify_wanted(const struct control *control, enum notice notice, const struct object *object);

/* {"<noun>Id": id, ...more}; takes the reference to `more` (NULL: nothing more). */
void notify(struct control *control, enum notice notice, const struct object *object, json_t *more);

/* The object has left the model and its last notification is queued: subscriptions to its id go,
 * unless an object of another kind has the same. */
void notify_end(struct control *control, const struct object *object);

#endif
