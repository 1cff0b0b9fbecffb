/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/shedpace.h - when to stop forwarding to consumers under overload, and when to go on: how many
 * at a time, and how long to wait in between.
 *
 *   stress >= at for after_us      shed an eighth of those forwarded to, again every SHED_STEP_US,
 *                                  which is long enough for the figure to show what the last did
 *   stress <= until for calm_us    bring back a few, again every SHED_BACK_US: as many as fit below
 *                                  the middle of `at` and `until` if each costs as much as those
 *                                  that go on, at most a quarter of those shed, at least one
 *   in between                     nothing
 *
 * What must be shed again within SHED_RELAPSE_US of a step back waits twice as long the next time,
 * up to SHED_CALM_MAX_US: a load that does not fit is tried once a minute and does not flap.
 * Pure arithmetic in the caller's time. Threads: the owner's. 48 bytes. */
#ifndef NET_SHEDPACE_H
#define NET_SHEDPACE_H

#include "core/base.h"

enum {
    SHED_STEP_US = 500000,
    SHED_BACK_US = 1000000,
    SHED_RELAPSE_US = 10000000,
    SHED_CALM_MAX_US = 60000000,
    SHED_STEP_MAX = 64, /* consumers: a step is bounded work */
};

struct shed_rule {
    bool enabled;
    uint32_t at, until; /* stress per mille, until <= at */
    uint32_t after_us, calm_us;
};

extern const struct shed_rule shed_rule_default;

struct shedpace {
    int64_t high_since_us, low_since_us; /* valid where `high`, `low` */
    int64_t stepped_us;                  /* the last step, either way */
    int64_t back_us;                     /* the last step back */
    int64_t calm_us;                     /* how long it must be calm by now; 0: as the rule says */
    bool high, low, stepped, backed;
};

/* Once a window: how many more to shed (positive), or to bring back (negative), at most
 * SHED_STEP_MAX. A rule that is not enabled brings all back. */
int32_t shedpace_step(struct shedpace *pace, const struct shed_rule *rule, uint32_t stress,
                      uint32_t forwarding_n, uint32_t shed_n, int64_t now_us);

#endif
