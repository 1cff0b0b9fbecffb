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

enum {
    NAME_BYTES_MAX = 48, /* of method names, and of what is taken for one */
    SLIP_LETTERS = 5,    /* one slip for so many letters */
    SLIPS_MAX = 3,
};

static int lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter;
}

enum method_id method_find(const char *name)
{
    for (size_t i = 0; i < METHOD_N; i++) {
        if (strcmp(methods[i].name, name) == 0)
            return (enum method_id)i;
    }
    return METHOD_N;
}

/* Letters to insert, leave out, exchange, or swap with their neighbour (the optimal string
 * alignment distance). Letters of the other case count as the same. Both at most NAME_BYTES_MAX
 * long. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_BYTES_MAX + 1];
    size_t a_n = strlen(a), b_n = strlen(b);
    for (size_t j = 0; j <= b_n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_n; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_n; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = min_size(above[j - 1] + !same, min_size(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = min_size(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a_n % 3][b_n];
}

const char *method_nearest(const char *name)
{
    const char *nearest = NULL;
    size_t bytes = strlen(name);
    if (bytes > NAME_BYTES_MAX)
        return NULL;
    /* Short names differ from each other by little: a guess must be one that is likely. */
    size_t least = min_size(bytes / SLIP_LETTERS, SLIPS_MAX) + 1;
    for (size_t i = 0; i < METHOD_N; i++) {
        size_t d = distance(name, methods[i].name);
        if (d < least) {
            least = d;
            nearest = methods[i].name;
        }
    }
    return nearest;
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
