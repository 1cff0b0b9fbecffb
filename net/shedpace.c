/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/shedpace.c - when to shed consumers and when to bring them back. */
#include "net/shedpace.h"

const struct shed_rule shed_rule_default = {
    .at = 900,
    .until = 700,
    .after_us = 500000,
    .calm_us = 3000000,
};

static uint32_t bounded(uint64_t n, uint32_t max)
{
    uint32_t most = max < SHED_STEP_MAX ? max : SHED_STEP_MAX;
    return n < 1 ? 1 : n > most ? most : (uint32_t)n;
}

static bool waits(const struct shedpace *pace, int64_t for_us, int64_t now_us)
{
    return pace->stepped && now_us - pace->stepped_us < for_us;
}

static int32_t more(struct shedpace *pace, const struct shed_rule *rule, uint32_t forwarding_n,
                    int64_t now_us)
{
    pace->low = false;
    if (!pace->high)
        pace->high_since_us = now_us;
    pace->high = true;
    if (forwarding_n == 0 || now_us - pace->high_since_us < rule->after_us ||
        waits(pace, SHED_STEP_US, now_us))
        return 0;
    if (pace->backed) {
        bool relapse = now_us - pace->back_us < SHED_RELAPSE_US;
        int64_t calm_us = max_i64(pace->calm_us, rule->calm_us);
        pace->calm_us = relapse ? min_i64(2 * calm_us, SHED_CALM_MAX_US) : 0;
    }
    pace->backed = false;
    pace->stepped = true;
    pace->stepped_us = now_us;
    return (int32_t)bounded(forwarding_n / 8, forwarding_n);
}

/* How many fit if they cost as much as those that go on. */
static uint64_t room(const struct shed_rule *rule, uint32_t stress, uint32_t forwarding_n)
{
    uint64_t fit = (uint64_t)forwarding_n * ((rule->at + rule->until) / 2) / (stress + 1);
    return fit > forwarding_n ? fit - forwarding_n : 0;
}

static int32_t less(struct shedpace *pace, const struct shed_rule *rule, uint32_t stress,
                    uint32_t forwarding_n, uint32_t shed_n, int64_t now_us)
{
    if (!pace->low)
        pace->low_since_us = now_us;
    pace->low = true;
    if (now_us - pace->low_since_us < max_i64(pace->calm_us, rule->calm_us) ||
        waits(pace, SHED_BACK_US, now_us))
        return 0;
    pace->backed = pace->stepped = true;
    pace->back_us = pace->stepped_us = now_us;
    uint64_t n = room(rule, stress, forwarding_n);
    return -(int32_t)bounded(n < shed_n / 4 ? n : shed_n / 4, shed_n);
}

int32_t shedpace_step(struct shedpace *pace, const struct shed_rule *rule, uint32_t stress,
                      uint32_t forwarding_n, uint32_t shed_n, int64_t now_us)
{
    if (!rule->enabled) {
        *pace = (struct shedpace){0};
        return shed_n == 0 ? 0 : -(int32_t)bounded(shed_n, shed_n);
    }
    if (stress >= rule->at)
        return more(pace, rule, forwarding_n, now_us);
    pace->high = false;
    if (shed_n > 0 && stress <= rule->until)
        return less(pace, rule, stress, forwarding_n, shed_n, now_us);
    pace->low = false;
    return 0;
}
