/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/errand.c - a command on its way to a worker and back, and who waits for it. */
#include "ctl/errand.h"

#include <stdlib.h>
#include <unistd.h>

void desk_init(struct desk *desk, struct worker *worker)
{
    *desk = (struct desk){.worker = worker, .cookie_next = 1};
    list_init(&desk->waiting);
    list_init(&desk->out);
}

struct errand *errand_make(enum command_kind kind, uint32_t index, bool with_command,
                           errand_done *done)
{
    struct errand *errand = calloc(1, sizeof(*errand));
    if (!errand)
        return NULL;
    list_init(&errand->link);
    errand->kind = kind;
    errand->index = index;
    errand->done = done;
    if (with_command) {
        errand->command = calloc(1, sizeof(*errand->command));
        if (!errand->command) {
            free(errand);
            return NULL;
        }
    }
    return errand;
}

/* Commands may carry keys. */
static void command_free(struct errand *errand)
{
    if (errand->command)
        explicit_bzero(errand->command, sizeof(*errand->command));
    free(errand->command);
    errand->command = NULL;
}

void errand_free(struct errand *errand)
{
    /* A socket that no worker has seen is still ours. */
    if (errand->kind == COMMAND_SOCKET_OPEN && errand->command)
        close(errand->command->socket_open.fd);
    command_free(errand);
    free(errand->payload);
    free(errand);
}

void errand_embed(struct errand *errand, enum command_kind kind, uint32_t index, errand_done *done)
{
    *errand = (struct errand){.kind = kind, .index = index, .done = done, .embedded = true};
    list_init(&errand->link);
}

void errand_finish(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    bool embedded = errand->embedded;
    errand->done(control, errand, outcome);
    if (!embedded)
        errand_free(errand);
}

void desk_add(struct desk *desk, struct errand *errand)
{
    errand->cookie = desk->cookie_next++;
    list_append(&desk->waiting, &errand->link);
    desk->waiting_n++;
}

static bool errand_post(struct desk *desk, struct errand *errand)
{
    struct command small = {0};
    struct command *command = errand->command ? errand->command : &small;
    command->kind = errand->kind;
    command->index = errand->index;
    command->cookie = errand->cookie;
    command->payload = errand->payload;
    if (errand->kind == COMMAND_STATS)
        command->stats = (enum object_kind)errand->argument;
    if (errand->kind == COMMAND_TRACE_EVENTS)
        command->trace_events =
            (struct command_trace_events){.object = errand->about, .bits = errand->argument};
    if (errand->reader)
        command->reader = *errand->reader;
    return worker_post(desk->worker, command);
}

void desk_post(struct desk *desk)
{
    struct errand *errand = NULL;
    if (desk->dead)
        return;
    LIST_EACH(errand, &desk->waiting, struct errand, link)
    {
        if (!errand_post(desk, errand))
            return;
        command_free(errand);
        list_remove(&errand->link);
        list_append(&desk->out, &errand->link);
        desk->waiting_n--;
        desk->out_n++;
    }
}

struct errand *desk_take(struct desk *desk, uint64_t cookie)
{
    struct errand *errand = NULL;
    LIST_EACH(errand, &desk->out, struct errand, link)
    { /* in order: it is the first */
        if (errand->cookie == cookie) {
            list_remove(&errand->link);
            desk->out_n--;
            return errand;
        }
    }
    return NULL;
}

struct errand *desk_take_any(struct desk *desk)
{
    struct errand *errand = NULL;
    LIST_EACH(errand, &desk->out, struct errand, link)
    {
        list_remove(&errand->link);
        desk->out_n--;
        return errand;
    }
    LIST_EACH(errand, &desk->waiting, struct errand, link)
    {
        list_remove(&errand->link);
        desk->waiting_n--;
        return errand;
    }
    return NULL;
}
