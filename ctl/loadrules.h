/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/loadrules.h - what the relay does about load: when workers shed consumers, what is not
 * admitted any more.
 *
 * `shed` and `admission` of sluiced.json and of server.setLoad, which have the same fields.
 * Shares are numbers with 1 for full. Threads: values. */
#ifndef CTL_LOADRULES_H
#define CTL_LOADRULES_H

#include "ctl/fields.h"
#include "net/shedpace.h"

struct admission {       /* 0: no limit */
    uint32_t stress_max; /* per mille, of the worker that the object would be on */
    uint32_t routers_max, transports_max, producers_max, consumers_max; /* of the whole relay */
};

struct load_rules {
    struct shed_rule shed;
    struct admission admission;
};

/* Nothing is shed, nothing more is refused than what the workers have no room for. */
void loadrules_default(struct load_rules *rules);

/* The objects `shed` and `admission` of `f`, where they are there, on top of `rules`. False: f's
 * error is set. */
bool loadrules_read(const struct fields *f, struct load_rules *rules);

/* Complete. New references. */
json_t *loadrules_shed_json(const struct load_rules *rules);
json_t *loadrules_admission_json(const struct load_rules *rules);

#endif
