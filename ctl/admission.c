/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/admission.c - may another object come into the relay? */
#include "ctl/admission.h"

#include "net/stress.h"

#include <stdio.h>

uint32_t admission_stress(const struct control *control, uint32_t worker)
{
    const struct worker_counters *counters = worker_counters(control->desks[worker].worker);
    return (uint32_t)atomic_load_explicit(&counters->stress, memory_order_relaxed);
}

/* The relay's limit of this kind; 0: none. */
static uint32_t limit_of(const struct admission *admission, enum noun noun)
{
    switch (noun) {
    case NOUN_ROUTER:
        return admission->routers_max;
    case NOUN_TRANSPORT:
        return admission->transports_max;
    case NOUN_PRODUCER:
        return admission->producers_max;
    case NOUN_CONSUMER:
        return admission->consumers_max;
    case NOUN_WEBRTC_SERVER:
    case NOUN_N:
        break;
    }
    return 0;
}

static void fail_count(struct control *control, struct request *request, enum noun noun,
                       uint32_t limit)
{
    char path[FIELD_PATH_BYTES], expected[FIELD_TEXT_BYTES], got[FIELD_TEXT_BYTES];
    uint32_t n = control->model.counts[noun];
    snprintf(path, sizeof(path), "admission.%ssMax", noun_names[noun]);
    snprintf(expected, sizeof(expected), "fewer than %u %ss in the relay", limit, noun_names[noun]);
    snprintf(got, sizeof(got), "%u", n);
    control->count.refused_full++;
    request_fail(request, RPC_FULL, path, expected, got, "the relay has %u %ss, the limit is %u", n,
                 noun_names[noun], limit);
}

static void fail_stress(struct control *control, struct request *request, uint32_t figure,
                        uint16_t worker)
{
    char expected[FIELD_TEXT_BYTES], got[FIELD_TEXT_BYTES];
    uint32_t max = control->config.load.admission.stress_max;
    snprintf(expected, sizeof(expected), "a stress below %u.%03u on worker %u", max / STRESS_FULL,
             max % STRESS_FULL, worker);
    snprintf(got, sizeof(got), "%u.%03u", figure / STRESS_FULL, figure % STRESS_FULL);
    control->count.refused_stress++;
    request_fail(request, RPC_FULL, "admission.stressMax", expected, got,
                 "worker %u is under too much stress", worker);
}

bool admission_check(struct control *control, struct request *request, enum noun noun,
                     uint16_t worker)
{
    const struct admission *admission = &control->config.load.admission;
    uint32_t limit = limit_of(admission, noun), figure = admission_stress(control, worker);
    if (control->draining && (noun == NOUN_ROUTER || noun == NOUN_TRANSPORT)) {
        request_fail(request, RPC_DRAINING, NULL, NULL, NULL, "the relay is draining");
        return false;
    }
    if (limit > 0 && control->model.counts[noun] >= limit) {
        fail_count(control, request, noun, limit);
        return false;
    }
    if (admission->stress_max > 0 && figure >= admission->stress_max) {
        fail_stress(control, request, figure, worker);
        return false;
    }
    return true;
}

void admission_fail_full(struct control *control, struct request *request, enum object_kind kind,
                         uint16_t worker)
{
    const struct config *config = &control->config;

    const struct {
        const char *name;
        uint32_t max;
    } limits[OBJECT_KIND_N] = {
        [OBJECT_SOCKET] = {"socket", config->sockets_max},
        [OBJECT_TRANSPORT] = {"transport", config->transports_max},
        [OBJECT_PRODUCER] = {"producer", config->producers_max},
        [OBJECT_CONSUMER] = {"consumer", config->consumers_max},
    };

    char path[FIELD_PATH_BYTES], expected[FIELD_TEXT_BYTES], got[FIELD_TEXT_BYTES];
    const char *name = limits[kind].name;
    snprintf(path, sizeof(path), "%ss", name);
    snprintf(expected, sizeof(expected), "fewer than %u %ss on worker %u", limits[kind].max, name,
             worker);
    snprintf(got, sizeof(got), "%u", limits[kind].max);
    control->count.refused_full++;
    request_fail(request, RPC_FULL, path, expected, got, "worker %u has no room for a %s", worker,
                 name);
}
