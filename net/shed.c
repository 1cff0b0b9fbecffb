/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/shed.c - a worker's stress measured and told, and consumers shed while there is too much. */
#include "net/shed.h"

#include "net/event.h"
#include "net/fanout.h"
#include "net/recovery.h"

enum { TELL_US = 1000000 }; /* between two events about stress */

/* ---- stacks by class ---- */

static uint32_t class_of(const struct consumer *c)
{
    return 2u * c->priority + (c->kind == MEDIA_AUDIO);
}

static struct shed_stack *stack_of(struct worker *w, enum shed_place place)
{
    return place == SHED_FORWARDING ? &w->shed.forwarding : &w->shed.shed;
}

static void take_out(struct worker *w, struct consumer *c)
{
    if (c->place == SHED_NOWHERE)
        return;
    struct shed_stack *stack = stack_of(w, c->place);
    uint32_t class = class_of(c);
    if (c->shed_next != 0)
        w->consumers[c->shed_next - 1].shed_prev = c->shed_prev;
    if (c->shed_prev != 0)
        w->consumers[c->shed_prev - 1].shed_next = c->shed_next;
    else
        stack->first[class] = c->shed_next;
    if (stack->first[class] == 0)
        stack->any[class / 64] &= ~(UINT64_C(1) << class % 64);
    stack->n--;
    c->place = SHED_NOWHERE;
}

static void put_in(struct worker *w, struct consumer *c, enum shed_place place)
{
    ASSERT(c->place == SHED_NOWHERE);
    if (place == SHED_NOWHERE)
        return;
    struct shed_stack *stack = stack_of(w, place);
    uint32_t class = class_of(c);
    c->place = (uint8_t)place;
    c->shed_prev = 0;
    c->shed_next = stack->first[class];
    if (c->shed_next != 0)
        w->consumers[c->shed_next - 1].shed_prev = c->index + 1;
    stack->first[class] = c->index + 1;
    stack->any[class / 64] |= UINT64_C(1) << class % 64;
    stack->n++;
}

static enum shed_place place_of(const struct consumer *c)
{
    return c->paused_by & PAUSED_BY_SHED         ? SHED_SHED
           : c->paused_by & PAUSED_BY_CONTROLLER ? SHED_NOWHERE
                                                 : SHED_FORWARDING;
}

static struct consumer *lowest(struct worker *w, const struct shed_stack *stack)
{
    for (uint32_t i = 0; i < ARRAY_N(stack->any); i++)
        if (stack->any[i] != 0)
            return &w->consumers[stack->first[64 * i + (uint32_t)__builtin_ctzll(stack->any[i])] -
                                 1];
    return NULL;
}

static struct consumer *highest(struct worker *w, const struct shed_stack *stack)
{
    for (uint32_t i = (uint32_t)ARRAY_N(stack->any); i > 0; i--)
        if (stack->any[i - 1] != 0)
            return &w->consumers[stack->first[64 * i - 1 -
                                              (uint32_t)__builtin_clzll(stack->any[i - 1])] -
                                 1];
    return NULL;
}

/* ---- pausing, whoever wants it ---- */

/* Retention and key frames are a stream's: the caller asks for them once for several consumers.
 * True: forwarding has begun or ended. */
static bool hold(struct worker *w, struct consumer *c, enum paused_by who, bool on)
{
    ASSERT(!fanout_is_active(w));
    uint8_t by = (uint8_t)(on ? c->paused_by | who : c->paused_by & ~who);
    bool changed = !by != !c->paused_by;
    c->paused_by = by;
    c->paused = by != 0;
    take_out(w, c);
    put_in(w, c, place_of(c));
    if (!changed)
        return false;
    seqmap_sync(&c->map);
    resend_clear(&c->resend);
    timers_cancel(&w->timers, &c->resend_timer);
    if (!c->paused)
        fanout_await_keyframe(c);
    return true;
}

static void settle(struct worker *w, const struct consumer *c)
{
    recovery_retention_update(w, c->stream);
    if (!c->paused && transport_is_ready(c->transport))
        recovery_keyframe(w, c->stream, false);
}

void shed_open(struct worker *w, struct consumer *c)
{
    c->paused_by = c->paused ? PAUSED_BY_CONTROLLER : 0;
    put_in(w, c, place_of(c));
}

void shed_close(struct worker *w, struct consumer *c)
{
    take_out(w, c);
}

void shed_pause(struct worker *w, struct consumer *c, bool paused)
{
    if (!(c->paused_by & PAUSED_BY_CONTROLLER) == !paused)
        return;
    if (hold(w, c, PAUSED_BY_CONTROLLER, paused))
        settle(w, c);
}

/* ---- shedding ---- */

/* False: it could not be told, so it has not been done. */
static bool shed_one(struct worker *w, struct consumer *c, bool on, bool *changed)
{
    if (!event_shed(w, c, on))
        return false;
    *changed = hold(w, c, PAUSED_BY_SHED, on);
    if (on)
        w->count.shed++;
    else
        w->count.unshed++;
    trace_add(&w->trace, w->now_us, TRACE_SHED, c->index, on);
    return true;
}

/* In a large room the next one is mostly of the same stream: that is settled once. */
static void step(struct worker *w, int32_t by)
{
    const struct consumer *last = NULL;
    for (uint32_t n = (uint32_t)(by < 0 ? -by : by); n > 0; n--) {
        struct consumer *c = by > 0 ? lowest(w, &w->shed.forwarding) : highest(w, &w->shed.shed);
        bool changed = false;
        if (c == NULL || !shed_one(w, c, by > 0, &changed))
            break;
        if (!changed)
            continue;
        if (last != NULL && last->stream != c->stream)
            settle(w, last);
        last = c;
    }
    if (last != NULL)
        settle(w, last);
}

void shed_turn(struct worker *w)
{
    if (w->shed.due == 0)
        return;
    if (fanout_is_active(w)) {
        w->command_waits = true; /* the rounds end first, and none begins */
        return;
    }
    step(w, w->shed.due);
    w->shed.due = 0;
}

void shed_set_priority(struct worker *w, struct consumer *c, uint8_t priority)
{
    bool changed = false;
    take_out(w, c);
    c->priority = priority;
    put_in(w, c, place_of(c));
    const struct consumer *worth_less = lowest(w, &w->shed.forwarding);
    if (c->place == SHED_SHED && worth_less != NULL && class_of(worth_less) < class_of(c) &&
        shed_one(w, c, false, &changed) && changed)
        settle(w, c);
}

/* ---- stress ---- */

static struct stress_input input_of(const struct worker *w)
{
    const struct io_counters *io = io_counters(w->io);
    uint32_t slots = w->config.slots_n, left = slots - w->config.retain_slots_n;
    return (struct stress_input){
        .busy_us = w->count.busy_us,
        .cpu_us = (uint64_t)clock_thread_us(),
        .taken = io->datagrams,
        .lost = io->kernel_drops + io->starved + w->count.drops[DROP_FANOUT_LATE],
        .slots_busy = w->shed.slots_busy,
        .slots_n = left > slots / 8 ? left : slots / 8 + 1, /* make_room() keeps an eighth free */
    };
}

void shed_init(struct worker *w)
{
    struct stress_input input = input_of(w);
    stress_init(&w->shed.stress, &input, w->now_us);
    w->shed.told_us = w->now_us - TELL_US;
}

/* Up at `at`, down at `until`, at most once a second. */
static void tell(struct worker *w, uint32_t figure, int64_t now_us)
{
    const struct shed_rule *rule = &w->shed.rule;
    bool high = w->shed.high ? figure > rule->until : figure >= rule->at;
    if (high == w->shed.high || now_us - w->shed.told_us < TELL_US ||
        !event_stress(w, figure, high))
        return;
    w->shed.high = high;
    w->shed.told_us = now_us;
    w->count.stressed += high;
}

void shed_measure(struct worker *w, int64_t now_us)
{
    struct shed *shed = &w->shed;
    if (w->slab.worker_n > shed->slots_busy)
        shed->slots_busy = w->slab.worker_n;
    if (!stress_is_due(&shed->stress, now_us))
        return;
    struct stress_input input = input_of(w);
    uint32_t figure = stress_add(&shed->stress, &input, now_us);
    shed->slots_busy = 0;
    tell(w, figure, now_us);
    if (shed->due == 0) /* else the last one still waits for the rounds to end */
        shed->due = shedpace_step(&shed->pace, &shed->rule, figure, shed->forwarding.n,
                                  shed->shed.n, now_us);
}
