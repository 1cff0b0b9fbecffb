/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/methods.c - every method and notification of the control protocol with its fields. */
#include "ctl/methods.h"

const struct method methods[METHOD_N] = {
#define METHOD_ROW(function, name_, params_, result_)                                              \
    {.name = (name_), .params = (params_), .result = (result_)},
    METHOD_LIST(METHOD_ROW)
#undef METHOD_ROW
};

const struct method notices[NOTICE_N] = {
#define NOTICE_ROW(id, name_, params_) {.name = (name_), .params = (params_), .result = ""},
    EVENT_LIST(NOTICE_ROW)
#undef NOTICE_ROW
};

static const char *const later[] = {
    "transport.createPipe",
    "transport.createDirect",
    "transport.produceData",
    "transport.consumeData",
    "transport.sendRtcp",
    "producer.send",
    "consumer.setPreferredLayers",
    "router.pipeTo",
    "router.createActiveSpeakerObserver",
    "router.createAudioLevelObserver",
};

static const char *const later_nouns[] = {"dataProducer.", "dataConsumer.", "rtpObserver."};

enum method_id method_find(const char *name)
{
    for (size_t i = 0; i < METHOD_N; i++) {
        if (strcmp(methods[i].name, name) == 0)
            return (enum method_id)i;
    }
    return METHOD_N;
}

bool method_is_later(const char *name)
{
    for (size_t i = 0; i < ARRAY_N(later); i++) {
        if (strcmp(later[i], name) == 0)
            return true;
    }
    for (size_t i = 0; i < ARRAY_N(later_nouns); i++) {
        if (strncmp(later_nouns[i], name, strlen(later_nouns[i])) == 0)
            return true;
    }
    return false;
}

const char *method_next_field(const char *fields, size_t *bytes)
{
    fields += strspn(fields, " ");
    *bytes = strcspn(fields, " ");
    return *bytes ? fields : NULL;
}

bool method_has_field(const char *fields, const char *field, size_t bytes)
{
    size_t n = 0;
    for (const char *at = method_next_field(fields, &n); at; at = method_next_field(at + n, &n)) {
        if (n == bytes && memcmp(at, field, n) == 0)
            return true;
    }
    return false;
}
