/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/mirror.c - what stands for a producer on another worker than its own, for the consumers
 * there.
 */
#include "ctl/mirror.h"

#include "ctl/close.h"
#include "ctl/consumer.h"
#include "ctl/wiring.h"

#include <errno.h>
#include <stdlib.h>

/* Consumers that have been opened meanwhile wait for nothing else. */
static void askers_answer(struct control *control, struct producer *producer,
                          const struct mirror *mirror)
{
    struct consumer *consumer = NULL;
    int result = mirror->failed;
    LIST_EACH(consumer, &producer->consumers, struct consumer, producer_link)
    {
        if (consumer->mirror == mirror && consumer->asker)
            consumer_answer(control, consumer, result);
    }
}

/* The consumers' own outcomes come after this one, and tell why they fail. */
static void on_opened(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    (void)control;
    struct mirror *mirror = errand->object;
    if (outcome->result != 0 && mirror->failed == 0)
        mirror->failed = outcome->result;
}

static void on_added(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    struct mirror *mirror = errand->object;
    mirror->adding = false;
    if (outcome->result != 0 && mirror->failed == 0)
        mirror->failed = outcome->result;
    if (mirror->producer)
        askers_answer(control, mirror->producer, mirror);
}

/* ---- begin ---- */

/* The producer's own values: its parameters were compiled before, so they can be. No SSRC leads to
 * a mirror. False: no memory. */
static bool compile(struct command_producer_open *open, const struct producer *producer)
{
    struct field_error err;
    field_error_clear(&err);
    json_t *params = text_json(producer->params);
    bool right = params && wiring_producer(open, producer->kind, params, &err);
    json_decref(params);
    for (size_t i = 0; i < PRODUCER_ENCODINGS_MAX; i++)
        open->encodings[i].ssrc = open->encodings[i].rtx_ssrc = 0;
    open->paused = producer->paused;
    open->keyframe_delay_us = producer->keyframe_delay_ms * 1000;
    return right;
}

/* Not 0. By the time that it comes round, nothing of then is under way. */
static uint32_t serial_take(struct model *model)
{
    if (++model->mirror_serial == 0)
        model->mirror_serial = 1;
    return model->mirror_serial;
}

static struct mirror *mirror_add(struct control *control, struct producer *producer,
                                 uint16_t worker, struct errand *open, struct errand *add)
{
    struct model *model = &control->model;
    struct indices *indices = &model->places[worker].of[OBJECT_PRODUCER];
    struct mirror *mirror = calloc(1, sizeof(*mirror));
    uint32_t index = mirror ? indices_take(indices, NULL) : INDEX_NONE;
    if (index == INDEX_NONE) {
        free(mirror);
        return NULL;
    }
    mirror->reader =
        (struct command_reader){.worker = worker, .producer = index, .serial = serial_take(model)};
    mirror->adding = true;
    model_add_mirror(model, producer, mirror);

    open->index = index;
    open->object = mirror;
    open->command->producer_open.source = (struct producer_source){
        .elsewhere = true,
        .worker = producer->o.worker,
        .producer = producer->o.index,
        .serial = mirror->reader.serial,
    };
    add->object = mirror;
    add->reader = &mirror->reader;
    control_errand(control, worker, open);
    control_errand(control, producer->o.worker, add);
    return mirror;
}

static struct mirror *mirror_make(struct control *control, struct request *request,
                                  struct producer *producer, uint16_t worker)
{
    struct errand *open = errand_make(COMMAND_PRODUCER_OPEN, 0, true, on_opened);
    struct errand *add = errand_make(COMMAND_READER_ADD, producer->o.index, false, on_added);
    struct mirror *mirror = NULL;
    if (!open || !add || !compile(&open->command->producer_open, producer)) {
        request_fail_memory(request);
    } else {
        mirror = mirror_add(control, producer, worker, open, add);
        if (!mirror)
            request_fail(request, RPC_FULL, NULL, NULL, NULL,
                         "worker %u has no room for a mirror of the producer", worker);
    }
    if (!mirror && open)
        errand_free(open);
    if (!mirror && add)
        errand_free(add);
    return mirror;
}

struct mirror *mirror_join(struct control *control, struct request *request,
                           struct producer *producer, uint16_t worker)
{
    ASSERT(worker != producer->o.worker);
    struct mirror *found = NULL, *mirror = NULL;
    LIST_EACH(mirror, &producer->mirrors, struct mirror, link)
    {
        if (mirror->reader.worker == worker && mirror->failed == 0)
            found = mirror;
    }
    if (!found)
        found = mirror_make(control, request, producer, worker);
    if (found)
        found->consumers_n++;
    return found;
}

int mirror_result(const struct mirror *mirror, int opened)
{
    return mirror && mirror->failed != 0 ? mirror->failed : opened;
}

/* ---- end ---- */

/* One of two outcomes, of two workers. */
static void on_end(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    struct mirror *mirror = errand->object;
    struct request *request = errand->request;
    if (errand == &mirror->close)
        close_index(control, errand, OBJECT_PRODUCER, outcome);
    if (--mirror->ends_n == 0) {
        control->trim.closed_n++;
        free(mirror);
    }
    if (request && request_came(request, 0))
        request_result(request, NULL);
}

static void end_post(struct control *control, struct mirror *mirror, struct errand *errand,
                     uint16_t worker, struct request *request)
{
    errand->object = mirror;
    errand->request = request;
    if (request)
        request_wait(request);
    mirror->ends_n++;
    control_errand(control, worker, errand);
}

void mirror_leave(struct control *control, struct mirror *mirror, struct request *request)
{
    ASSERT(mirror->consumers_n > 0);
    if (--mirror->consumers_n > 0)
        return;
    const struct producer *producer = mirror->producer;
    errand_embed(&mirror->remove, COMMAND_READER_REMOVE, producer->o.index, on_end);
    mirror->remove.reader = &mirror->reader;
    errand_embed(&mirror->close, COMMAND_PRODUCER_CLOSE, mirror->reader.producer, on_end);
    model_remove_mirror(&control->model, mirror);
    end_post(control, mirror, &mirror->remove, producer->o.worker, request);
    end_post(control, mirror, &mirror->close, mirror->reader.worker, request);
}
