/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/ice.c - checks in; tuples, states and replies out. */
#include "net/ice.h"

enum event {
    ICE_EVENT_CHECK,     /* a valid check that nominates nothing */
    ICE_EVENT_NOMINATED, /* a valid check that nominates its tuple */
    ICE_EVENT_LOST,      /* no tuple is selected any more */
};

/* ---- state ---- */

static enum ice_state step(enum ice_state state, enum event event)
{
    switch (state) {
    case ICE_NEW:
    case ICE_DISCONNECTED:
    case ICE_CONNECTED:
        if (event == ICE_EVENT_LOST)
            return ICE_DISCONNECTED;
        return event == ICE_EVENT_NOMINATED ? ICE_COMPLETED : ICE_CONNECTED;
    case ICE_COMPLETED: /* until it is lost */
        return event == ICE_EVENT_LOST ? ICE_DISCONNECTED : ICE_COMPLETED;
    case ICE_CLOSED: /* the control thread's word for a transport that is no more */
        break;
    }
    ASSERT(false);
    return state;
}

static void enter(struct ice *ice, enum event event, struct ice_answer *answer)
{
    enum ice_state next = step(ice->state, event);
    ASSERT(next != ICE_NEW);
    ASSERT((next == ICE_DISCONNECTED) == (ice->selected == ICE_NONE));
    answer->state_changed |= next != ice->state;
    ice->state = next;
}

/* The arrays stay as they are: their counts say what of them is true. */
static void clear(struct ice_answer *answer)
{
    answer->why = DROP_NONE;
    answer->error = 0;
    answer->reply_bytes = 0;
    answer->state_changed = answer->selected_changed = answer->added = false;
    answer->removed_n = 0;
    answer->forgotten_bytes = 0;
}

/* ---- consent ---- */

static bool consent_runs(const struct ice *ice)
{
    return ice->consent_due_us != INT64_MAX;
}

static void consent_start(struct ice *ice, int64_t now_us)
{
    if (ice->consent_us == 0)
        return;
    bool wraps = now_us > INT64_MAX - ice->consent_us;
    ice->consent_due_us = wraps ? INT64_MAX : now_us + ice->consent_us;
}

/* No tuple is selected: nothing to consent to, and the next peer may count from 1 again. */
static void lose(struct ice *ice, struct ice_answer *answer)
{
    ice->selected = ICE_NONE;
    ice->nomination = 0;
    ice->consent_due_us = INT64_MAX;
    answer->selected_changed = true;
    enter(ice, ICE_EVENT_LOST, answer);
}

/* ---- tuples ---- */

static bool same_tuple(const struct ice_tuple *a, const struct ice_tuple *b)
{
    if (a->tcp != b->tcp || a->socket != b->socket)
        return false;
    if (a->tcp) /* the connection says it all */
        return a->gen == b->gen;
    return addr_equal(&a->remote, &b->remote) && addr_equal(&a->local, &b->local);
}

static uint8_t find(const struct ice *ice, const struct ice_tuple *tuple)
{
    /* Nearly everything comes by the selected one. */
    if (ice->selected != ICE_NONE && same_tuple(&ice->tuples[ice->selected], tuple))
        return ice->selected;
    for (uint8_t i = 0; i < ice->tuples_n; i++)
        if (same_tuple(&ice->tuples[i], tuple))
            return i;
    return ICE_NONE;
}

static void select_tuple(struct ice *ice, uint8_t index, struct ice_answer *answer)
{
    ASSERT(index < ice->tuples_n);
    answer->selected_changed |= index != ice->selected;
    ice->selected = index;
}

/* Reports and takes out; the selection follows its tuple, or ends with it. */
static void take_out(struct ice *ice, uint8_t index, struct ice_answer *answer)
{
    ASSERT(index < ice->tuples_n);
    ASSERT(answer->removed_n < ICE_TUPLES_MAX);
    answer->removed[answer->removed_n++] = ice->tuples[index];
    ice->tuples_n--;
    memmove(&ice->tuples[index], &ice->tuples[index + 1],
            (size_t)(ice->tuples_n - index) * sizeof(ice->tuples[0]));
    if (ice->selected == index)
        ice->selected = ICE_NONE;
    else if (ice->selected != ICE_NONE && ice->selected > index)
        ice->selected--;
}

/* Index of the tuple, which is valid from now on. */
static uint8_t add(struct ice *ice, const struct ice_tuple *tuple, struct ice_answer *answer)
{
    uint8_t index = find(ice, tuple);
    if (index != ICE_NONE)
        return index;
    if (ice->tuples_n == ICE_TUPLES_MAX)
        take_out(ice, ice->selected == 0, answer); /* the oldest, or the one after it */
    ice->tuples[ice->tuples_n] = *tuple;
    answer->added = true;
    return ice->tuples_n++;
}

/* ---- credentials ---- */

static bool is_fragment(const struct ice_credentials *credentials, const uint8_t *fragment,
                        size_t bytes)
{
    return bytes > 0 && bytes == credentials->ufrag_bytes &&
           memcmp(fragment, credentials->ufrag, bytes) == 0;
}

static struct stun_key key_of(const struct ice_credentials *credentials)
{
    return (struct stun_key){.at = credentials->pwd, .bytes = credentials->pwd_bytes};
}

static void check_credentials(const struct ice_credentials *credentials)
{
    ASSERT(credentials->ufrag_bytes > 0 && credentials->ufrag_bytes <= ICE_UFRAG_BYTES_MAX);
    ASSERT(credentials->pwd_bytes > 0 && credentials->pwd_bytes <= ICE_PWD_BYTES_MAX);
}

static void forget_old(struct ice *ice, struct ice_answer *answer)
{
    struct ice_credentials *old = &ice->old;
    if (old->ufrag_bytes == 0)
        return;
    ASSERT(answer->forgotten_bytes == 0);
    answer->forgotten_bytes = old->ufrag_bytes;
    memcpy(answer->forgotten, old->ufrag, old->ufrag_bytes);
    explicit_bzero(old->pwd, sizeof(old->pwd));
    *old = (struct ice_credentials){0};
}

bool ice_has_fragment(const struct ice *ice, const uint8_t *fragment, size_t bytes)
{
    return is_fragment(&ice->credentials, fragment, bytes) ||
           is_fragment(&ice->old, fragment, bytes);
}

/* The credentials that the message says it uses, or NULL. */
static const struct ice_credentials *
named_credentials(const struct ice *ice, const struct stun_message *message, const uint8_t *data)
{
    size_t bytes;
    const uint8_t *fragment = stun_username_local(message, data, &bytes);
    if (!fragment)
        return NULL;
    if (is_fragment(&ice->credentials, fragment, bytes))
        return &ice->credentials;
    return is_fragment(&ice->old, fragment, bytes) ? &ice->old : NULL;
}

/* ---- life ---- */

void ice_init(struct ice *ice, const struct ice_credentials *credentials, int64_t consent_us,
              struct stunlimit *limit)
{
    check_credentials(credentials);
    if (consent_us != 0)
        consent_us = clamp_i64(consent_us, ICE_CONSENT_US_MIN, ICE_CONSENT_US_MAX);
    *ice = (struct ice){
        .consent_us = consent_us,
        .consent_due_us = INT64_MAX,
        .limit = limit,
        .state = ICE_NEW,
        .selected = ICE_NONE,
        .credentials = *credentials,
    };
}

void ice_exit(struct ice *ice)
{
    explicit_bzero(ice, sizeof(*ice));
}

void ice_restart(struct ice *ice, const struct ice_credentials *credentials, int64_t now_us,
                 struct ice_answer *answer)
{
    check_credentials(credentials);
    const uint8_t *fragment = (const uint8_t *)credentials->ufrag;
    ASSERT(!ice_has_fragment(ice, fragment, credentials->ufrag_bytes));
    clear(answer);
    forget_old(ice, answer);
    ice->old = ice->credentials;
    ice->credentials = *credentials;
    ice->nomination = 0;
    if (consent_runs(ice))
        consent_start(ice, now_us);
}

/* ---- checks ---- */

struct check { /* a request on its way through */
    const struct stun_message *message;
    const uint8_t *data;
    const struct ice_tuple *from;
    const struct ice_credentials *credentials; /* those that it names */
    int64_t now_us;
};

/* The code that the request must be refused with, 0: it is a valid check. RFC 8489 6.3.1, 9.1.3;
 * RFC 8445 7.3. Up to 401 its sender may be anybody. */
static uint16_t judge(struct ice *ice, const struct check *check, struct ice_answer *answer)
{
    const struct stun_message *message = check->message;
    answer->why = DROP_STUN_REQUEST;
    if (message->method != STUN_BINDING || message->fingerprint_at == 0)
        return 400;
    if (!message->has_priority || message->integrity_at == 0)
        return 400;

    answer->why = DROP_STUN_AUTH;
    if (!stun_is_authentic(message, check->data, key_of(check->credentials)))
        return 401;
    if (check->credentials == &ice->credentials) /* the restart has arrived */
        forget_old(ice, answer);

    answer->why = DROP_STUN_UNKNOWN;
    if (message->unknown_n > 0)
        return 420;

    /* RFC 8445 7.3.1.1: two controlled agents. A lite one never takes the other role, whatever the
     * tie-breakers. Who names no role is of the old protocol and taken as controlling. */
    answer->why = DROP_STUN_ROLE;
    if (message->controlled)
        return 487;

    answer->why = DROP_NONE;
    return 0;
}

/* Errors are few, and never longer than what they answer. */
static void refuse(struct ice *ice, const struct check *check, uint16_t code,
                   struct ice_answer *answer)
{
    /* RFC 8489 9.1.3: 400 and 401 carry no integrity, for their receiver has not shown that it
     * could check it; responses behind an authentic request do. */
    bool sealed = code != 400 && code != 401;
    struct stun_key key = sealed ? key_of(check->credentials) : (struct stun_key){.at = NULL};
    size_t bytes = 0;
    if (stunlimit_take(ice->limit, &check->from->remote, check->now_us))
        bytes = stun_write_error(answer->reply, sizeof(answer->reply), check->message, check->data,
                                 code, key);
    if (bytes == 0)
        answer->why = DROP_STUN_LIMIT;
    else
        answer->error = code;
    answer->reply_bytes = (uint16_t)bytes;
}

/* The check's tuple is to be selected. A nomination with a number must be higher than the last.
 * With a lower one USE-CANDIDATE does not complete, but it moves the selection of an agent that has
 * completed: mediasoup's rule, which its clients live with. */
static bool nominates(const struct ice *ice, const struct stun_message *message)
{
    if (message->has_nomination && message->nomination > ice->nomination)
        return true;
    return message->use_candidate && (ice->state == ICE_COMPLETED || !message->has_nomination);
}

/* The tuple of a valid check. One that nominates too low a number selects nothing, not even where
 * nothing is selected yet. */
static void accept_check(struct ice *ice, const struct check *check, struct ice_answer *answer)
{
    const struct stun_message *message = check->message;
    bool plain = !message->use_candidate && !message->has_nomination;
    uint8_t index = add(ice, check->from, answer);
    if (nominates(ice, message)) {
        if (message->has_nomination && message->nomination > ice->nomination)
            ice->nomination = message->nomination;
        select_tuple(ice, index, answer);
        enter(ice, ICE_EVENT_NOMINATED, answer);
    } else if (plain && ice->selected == ICE_NONE) {
        select_tuple(ice, index, answer);
        enter(ice, ICE_EVENT_CHECK, answer);
    }
    if (ice->selected != ICE_NONE)
        consent_start(ice, check->now_us);
}

void ice_receive(struct ice *ice, const struct stun_message *message, const uint8_t *data,
                 const struct ice_tuple *from, int64_t now_us, struct ice_answer *answer)
{
    struct check check = {.message = message, .data = data, .from = from, .now_us = now_us};
    clear(answer);
    if (message->class != STUN_REQUEST) { /* a lite agent asks nothing; keep-alives want nothing */
        answer->why = DROP_STUN_CLASS;
        return;
    }
    check.credentials = named_credentials(ice, message, data);
    if (!check.credentials) {
        answer->why = DROP_STUN_USER;
        return;
    }
    uint16_t code = judge(ice, &check, answer);
    if (code != 0) {
        refuse(ice, &check, code, answer);
        return;
    }
    answer->reply_bytes = (uint16_t)stun_write_success(answer->reply, sizeof(answer->reply), data,
                                                       &from->remote, key_of(check.credentials));
    accept_check(ice, &check, answer);
}

/* ---- endings ---- */

void ice_remove(struct ice *ice, const struct ice_tuple *tuple, int64_t now_us,
                struct ice_answer *answer)
{
    clear(answer);
    uint8_t index = find(ice, tuple);
    if (index == ICE_NONE)
        return;
    bool was_selected = index == ice->selected;
    take_out(ice, index, answer);
    if (!was_selected)
        return;
    if (ice->tuples_n == 0) {
        lose(ice, answer);
        return;
    }
    /* The newest of the others, and time for the peer to send its checks there. */
    select_tuple(ice, (uint8_t)(ice->tuples_n - 1), answer);
    consent_start(ice, now_us);
}

int64_t ice_due_us(const struct ice *ice)
{
    return ice->consent_due_us;
}

void ice_expire(struct ice *ice, int64_t now_us, struct ice_answer *answer)
{
    clear(answer);
    if (!consent_runs(ice) || now_us < ice->consent_due_us)
        return;
    ASSERT(ice->selected != ICE_NONE);
    while (ice->tuples_n > 0)
        take_out(ice, (uint8_t)(ice->tuples_n - 1), answer);
    lose(ice, answer);
}

/* ---- look-ups ---- */

bool ice_is_valid_tuple(const struct ice *ice, const struct ice_tuple *tuple)
{
    return find(ice, tuple) != ICE_NONE;
}

const struct ice_tuple *ice_selected(const struct ice *ice)
{
    return ice->selected == ICE_NONE ? NULL : &ice->tuples[ice->selected];
}
