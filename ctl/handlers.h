/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/handlers.h - the functions behind the methods, and what they share.
 *
 * A handler reads its parameters from `f`, then answers `request` exactly once, now or from an
 * errand's `done`. Threads: the control thread's. */
#ifndef CTL_HANDLERS_H
#define CTL_HANDLERS_H

#include "ctl/control.h"

#define HANDLER_DECLARE(function, name, params, result)                                            \
    void function(struct control *control, struct request *request, struct fields *f);
METHOD_LIST(HANDLER_DECLARE)
#undef HANDLER_DECLARE

/* The live object that `key` names, or NULL with the request answered. Judge other parameters after
 * it. */
struct object *handler_object(struct control *control, struct request *request, struct fields *f,
                              const char *key, enum noun noun);

static inline struct router *handler_router(struct control *control, struct request *request,
                                            struct fields *f)
{
    return (struct router *)handler_object(control, request, f, "routerId", NOUN_ROUTER);
}

static inline struct transport *handler_transport(struct control *control, struct request *request,
                                                  struct fields *f)
{
    return (struct transport *)handler_object(control, request, f, "transportId", NOUN_TRANSPORT);
}

static inline struct producer *handler_producer(struct control *control, struct request *request,
                                                struct fields *f)
{
    return (struct producer *)handler_object(control, request, f, "producerId", NOUN_PRODUCER);
}

static inline struct consumer *handler_consumer(struct control *control, struct request *request,
                                                struct fields *f)
{
    return (struct consumer *)handler_object(control, request, f, "consumerId", NOUN_CONSUMER);
}

/* `id` of a new object: NULL when none was given. False with the request answered: it is in use, or
 * the parameters were wrong. */
bool handler_new_id(struct control *control, struct request *request, struct fields *f,
                    enum noun noun, const char **id);

/* appData, checked; part of the parameters. */
const json_t *handler_app_data(struct fields *f);

/* Parameters read so far are right; else the request is answered. */
bool handler_ok(struct request *request);

/* Posts a command that has only its index, and answers {} when it is done. */
void handler_simple(struct control *control, struct request *request, const struct object *object,
                    enum command_kind kind);

/* `types` of enableTraceEvent: sets the bits, posts them. `allowed` ends with NULL. */
void handler_trace_events(struct control *control, struct request *request, struct fields *f,
                          struct object *object, enum object_kind kind,
                          const char *const allowed[]);

/* The names of bits, a new reference. */
json_t *handler_trace_types(uint32_t bits);

extern const char *const trace_type_names[]; /* by bit */

/* [id, id, ...] members of objects. */
void handler_put_text(json_t *object, const char *key, const struct text *text);

#endif
