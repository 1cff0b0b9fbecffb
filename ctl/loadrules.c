/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/loadrules.c - what the relay does about load, read and shown. */
#include "ctl/loadrules.h"

#include "net/stress.h"

enum { OBJECTS_MAX = 1 << 26, WAIT_MS_MAX = 600000 };

void loadrules_default(struct load_rules *rules)
{
    *rules = (struct load_rules){.shed = shed_rule_default};
}

/* A number from 0 to 2. */
static void read_share(const struct fields *f, const char *key, uint32_t *mille)
{
    const json_t *value = fields_peek(f, key);
    if (!value || json_is_null(value))
        return;
    double share = json_number_value(value);
    if (!json_is_number(value) || !(share >= 0 && share * STRESS_FULL <= STRESS_MOST))
        fields_fail(f, key, "a number from 0 to 2; 1 is full");
    else
        *mille = (uint32_t)(share * STRESS_FULL + 0.5);
}

static void read_ms(const struct fields *f, const char *key, uint32_t *us)
{
    int64_t ms = 0;
    if (fields_int(f, key, FIELD_OPTIONAL, 0, WAIT_MS_MAX, &ms))
        *us = (uint32_t)ms * 1000;
}

static void read_n(const struct fields *f, const char *key, uint32_t *n)
{
    int64_t value = 0;
    if (fields_int(f, key, FIELD_OPTIONAL, 0, OBJECTS_MAX, &value))
        *n = (uint32_t)value;
}

static void read_shed(const struct fields *f, struct shed_rule *rule)
{
    static const char *const names[] = {"enabled", "at", "until", "afterMs", "calmMs", NULL};
    struct fields shed;
    if (!fields_object(f, "shed", FIELD_OPTIONAL, &shed))
        return;
    fields_only(&shed, names);
    fields_bool(&shed, "enabled", FIELD_OPTIONAL, &rule->enabled);
    read_share(&shed, "at", &rule->at);
    read_share(&shed, "until", &rule->until);
    read_ms(&shed, "afterMs", &rule->after_us);
    read_ms(&shed, "calmMs", &rule->calm_us);
    if (fields_ok(f) && rule->until > rule->at)
        fields_fail(&shed, "until", "at most `at`");
}

static void read_admission(const struct fields *f, struct admission *admission)
{
    static const char *const names[] = {"stressMax",    "routersMax",   "transportsMax",
                                        "producersMax", "consumersMax", NULL};
    struct fields a;
    if (!fields_object(f, "admission", FIELD_OPTIONAL, &a))
        return;
    fields_only(&a, names);
    read_share(&a, "stressMax", &admission->stress_max);
    read_n(&a, "routersMax", &admission->routers_max);
    read_n(&a, "transportsMax", &admission->transports_max);
    read_n(&a, "producersMax", &admission->producers_max);
    read_n(&a, "consumersMax", &admission->consumers_max);
}

bool loadrules_read(const struct fields *f, struct load_rules *rules)
{
    read_shed(f, &rules->shed);
    read_admission(f, &rules->admission);
    return fields_ok(f);
}

json_t *loadrules_shed_json(const struct load_rules *rules)
{
    const struct shed_rule *shed = &rules->shed;
    return json_pack("{s:b, s:f, s:f, s:i, s:i}", "enabled", (int)shed->enabled, "at",
                     shed->at / (double)STRESS_FULL, "until", shed->until / (double)STRESS_FULL,
                     "afterMs", (int)(shed->after_us / 1000), "calmMs",
                     (int)(shed->calm_us / 1000));
}

json_t *loadrules_admission_json(const struct load_rules *rules)
{
    const struct admission *a = &rules->admission;
    return json_pack("{s:f, s:I, s:I, s:I, s:I}", "stressMax", a->stress_max / (double)STRESS_FULL,
                     "routersMax", (json_int_t)a->routers_max, "transportsMax",
                     (json_int_t)a->transports_max, "producersMax", (json_int_t)a->producers_max,
                     "consumersMax", (json_int_t)a->consumers_max);
}
