/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_ice_test.c - the ICE-lite agent: states, tuples, nominations, restarts, consent, and
 * whoever has no business with it. */
#include "net/ice.h"

#include "test/dies.h"
#include "test/heap.h"
#include "test/must.h"
#include "test/suite.h"

enum { SECOND = 1000000, REQUEST_BYTES = 256, CONSENT_US = 30 * SECOND };

static const struct ice_credentials first = {4, 24, "aaaa", "a password of 24 letters"};
static const struct ice_credentials second = {4, 24, "bbbb", "another one of as many.."};
static const struct ice_credentials third = {5, 22, "ccccc", "a shorter one of these"};

struct rig {
    struct ice ice;
    struct stunlimit limit;
    struct ice_answer answer;
    int64_t now_us;
    uint8_t serial; /* of transactions */
};

static void rig_open(struct rig *rig, int64_t consent_us)
{
    *rig = (struct rig){.now_us = SECOND};
    stunlimit_init(&rig->limit, 1);
    ice_init(&rig->ice, &first, consent_us, &rig->limit);
}

static struct addr address(const char *text, uint16_t port)
{
    struct addr addr;
    MUST(addr_parse(&addr, text, port) == 0);
    return addr;
}

/* Tuples 0 to 31 differ in the remote port; from 100 on they are TCP connections. */
static struct ice_tuple tuple(unsigned i)
{
    return (struct ice_tuple){
        .remote = address("192.0.2.1", (uint16_t)(1000 + i % 100)),
        .local = address("198.51.100.1", 40000),
        .socket = i < 100 ? 3 : i,
        .tcp = i >= 100,
    };
}

/* ---- checks ---- */

struct check { /* what a peer sends */
    const struct ice_credentials *to;
    bool use_candidate;
    uint32_t nomination; /* 0: none; NOMINATION_ZERO: 0 */
    bool controlled;
};

enum { NOMINATION_ZERO = UINT32_MAX };

static size_t write_check(struct rig *rig, const struct check *check, uint8_t out[REQUEST_BYTES])
{
    uint8_t transaction[STUN_TRANSACTION_BYTES] = {++rig->serial};
    char username[64];
    const struct ice_credentials *to = check->to ? check->to : &first;
    memcpy(username, to->ufrag, to->ufrag_bytes);
    memcpy(username + to->ufrag_bytes, ":peer", 5);
    struct stun_request request = {
        .transaction = transaction,
        .username = username,
        .username_bytes = to->ufrag_bytes + 5u,
        .key = {to->pwd, to->pwd_bytes},
        .priority = 1,
        .controlled = check->controlled,
        .use_candidate = check->use_candidate,
        .nominates = check->nomination != 0,
        .nomination = check->nomination == NOMINATION_ZERO ? 0 : check->nomination,
    };
    size_t bytes = stun_write_request(out, REQUEST_BYTES, &request);
    MUST(bytes > 0);
    return bytes;
}

/* By the way of the worker: parse, then the agent. */
static void receive(struct rig *rig, const uint8_t *data, size_t bytes,
                    const struct ice_tuple *from)
{
    struct stun_message message;
    MUST(stun_parse(&message, data, bytes) == DROP_NONE);
    ice_receive(&rig->ice, &message, data, from, rig->now_us, &rig->answer);
}

/* What every reply must be. */
static void look_at_reply(const struct rig *rig, const uint8_t *data, size_t bytes,
                          const struct ice_credentials *to, const struct ice_tuple *from)
{
    const struct ice_answer *answer = &rig->answer;
    struct stun_message message;
    struct addr mapped;
    MUST(stun_parse(&message, answer->reply, answer->reply_bytes) == DROP_NONE);
    MUST(stun_is_transaction(answer->reply, data + STUN_TRANSACTION_AT));
    MUST(message.fingerprint_at != 0);
    if (answer->error == 0) {
        MUST(answer->why == DROP_NONE && message.class == STUN_SUCCESS);
        MUST(stun_is_authentic(&message, answer->reply, (struct stun_key){to->pwd, to->pwd_bytes}));
        MUST(stun_mapped(&message, answer->reply, &mapped) && addr_equal(&mapped, &from->remote));
    } else {
        MUST(answer->why != DROP_NONE && message.class == STUN_ERROR);
        MUST(message.error == answer->error && answer->reply_bytes <= bytes);
        MUST(answer->removed_n == 0 && !answer->added && !answer->selected_changed);
    }
}

static void send_check(struct rig *rig, struct check check, unsigned from_index)
{
    uint8_t data[REQUEST_BYTES];
    struct ice_tuple from = tuple(from_index);
    size_t bytes = write_check(rig, &check, data);
    receive(rig, data, bytes, &from);
    if (rig->answer.reply_bytes)
        look_at_reply(rig, data, bytes, check.to ? check.to : &first, &from);
}

static bool selected_is(const struct rig *rig, unsigned index)
{
    const struct ice_tuple *selected = ice_selected(&rig->ice);
    struct ice_tuple want = tuple(index);
    return selected && selected->socket == want.socket && selected->tcp == want.tcp &&
           addr_equal(&selected->remote, &want.remote);
}

static bool is_valid(const struct rig *rig, unsigned index)
{
    struct ice_tuple asked = tuple(index);
    return ice_is_valid_tuple(&rig->ice, &asked);
}

static void remove_tuple(struct rig *rig, unsigned index)
{
    struct ice_tuple gone = tuple(index);
    ice_remove(&rig->ice, &gone, rig->now_us, &rig->answer);
}

/* ---- states ---- */

enum { PLAIN, USE, NOMINATE_LOW, NOMINATE_HIGH, NOMINATE_LOW_USE, EXPIRY, REMOVAL, EVENTS };

static const struct {
    enum ice_state from;
    enum ice_state to[EVENTS]; /* the event on another tuple; the highest nomination is 5, or 0 */
    bool moves[EVENTS];        /* the selection, to that tuple */
} states[] = {
    {ICE_NEW,
     {ICE_CONNECTED, ICE_COMPLETED, ICE_NEW, ICE_COMPLETED, ICE_NEW, ICE_NEW, ICE_NEW},
     {true, true, false, true, false}},
    {ICE_CONNECTED,
     {ICE_CONNECTED, ICE_COMPLETED, ICE_CONNECTED, ICE_COMPLETED, ICE_CONNECTED, ICE_DISCONNECTED,
      ICE_DISCONNECTED},
     {false, true, false, true, false}},
    {ICE_COMPLETED,
     {ICE_COMPLETED, ICE_COMPLETED, ICE_COMPLETED, ICE_COMPLETED, ICE_COMPLETED, ICE_DISCONNECTED,
      ICE_DISCONNECTED},
     {false, true, false, true, true}},
    {ICE_DISCONNECTED,
     {ICE_CONNECTED, ICE_COMPLETED, ICE_DISCONNECTED, ICE_COMPLETED, ICE_DISCONNECTED,
      ICE_DISCONNECTED, ICE_DISCONNECTED},
     {true, true, false, true, false}},
};

static void bring_to(struct rig *rig, enum ice_state state)
{
    rig_open(rig, CONSENT_US);
    if (state == ICE_NEW)
        return;
    send_check(rig, (struct check){.nomination = state == ICE_COMPLETED ? 5 : 0}, 0);
    if (state == ICE_DISCONNECTED)
        ice_expire(&rig->ice, rig->now_us += CONSENT_US, &rig->answer);
    ck_assert_int_eq(rig->ice.state, state);
}

static void apply(struct rig *rig, int event)
{
    uint32_t low = rig->ice.state == ICE_COMPLETED ? 5 : NOMINATION_ZERO;
    switch (event) {
    case EXPIRY:
        ice_expire(&rig->ice, rig->now_us + CONSENT_US, &rig->answer);
        return;
    case REMOVAL:
        remove_tuple(rig, 0);
        return;
    default:
        send_check(rig,
                   (struct check){.use_candidate = event == USE || event == NOMINATE_LOW_USE,
                                  .nomination = event == NOMINATE_HIGH           ? 6
                                                : event == PLAIN || event == USE ? 0
                                                                                 : low},
                   1);
    }
}

START_TEST(states_are_mediasoups)
{
    for (int event = 0; event < EVENTS; event++) {
        struct rig rig;
        bring_to(&rig, states[_i].from);
        apply(&rig, event);
        enum ice_state to = states[_i].to[event];
        ck_assert_msg(rig.ice.state == to, "event %d: %d", event, rig.ice.state);
        ck_assert(rig.answer.state_changed == (to != states[_i].from));
        bool selects = to == ICE_CONNECTED || to == ICE_COMPLETED;
        ck_assert((ice_selected(&rig.ice) != NULL) == selects);
        ck_assert((ice_due_us(&rig.ice) == INT64_MAX) == !selects);
        if (event >= EXPIRY)
            continue;
        ck_assert(is_valid(&rig, 1) && rig.answer.added);
        ck_assert(rig.answer.selected_changed == states[_i].moves[event]);
        ck_assert(!selects || selected_is(&rig, states[_i].moves[event] ? 1 : 0));
    }
}

END_TEST

static const struct {
    struct check check;
    unsigned from;
    enum ice_state state;
    unsigned selected; /* behind it */
} nominations[][6] = {
    {/* numbers only rise */
     {{.nomination = 3}, 0, ICE_COMPLETED, 0},
     {{.nomination = 2}, 1, ICE_COMPLETED, 0},
     {{.nomination = 3}, 1, ICE_COMPLETED, 0},
     {{.nomination = 4}, 1, ICE_COMPLETED, 1},
     {{.nomination = 3}, 0, ICE_COMPLETED, 1},
     {{.nomination = UINT32_MAX - 1}, 0, ICE_COMPLETED, 0}},
    {/* without numbers the latest */
     {{0}, 0, ICE_CONNECTED, 0},
     {{0}, 1, ICE_CONNECTED, 0},
     {{.use_candidate = true}, 1, ICE_COMPLETED, 1},
     {{0}, 0, ICE_COMPLETED, 1},
     {{.use_candidate = true}, 0, ICE_COMPLETED, 0},
     {{.use_candidate = true}, 2, ICE_COMPLETED, 2}},
    {/* both: USE-CANDIDATE with a stale number moves a completed agent only */
     {{0}, 0, ICE_CONNECTED, 0},
     {{.use_candidate = true, .nomination = NOMINATION_ZERO}, 1, ICE_CONNECTED, 0},
     {{.use_candidate = true, .nomination = 1}, 1, ICE_COMPLETED, 1},
     {{.nomination = 1}, 0, ICE_COMPLETED, 1},
     {{.use_candidate = true, .nomination = 1}, 0, ICE_COMPLETED, 0},
     {{.nomination = 2}, 2, ICE_COMPLETED, 2}},
};

START_TEST(nominations_move_the_selection)
{
    struct rig rig;
    rig_open(&rig, 0);
    for (size_t i = 0; i < ARRAY_N(nominations[_i]); i++) {
        const struct ice_tuple *before = ice_selected(&rig.ice);
        send_check(&rig, nominations[_i][i].check, nominations[_i][i].from);
        ck_assert_int_eq(rig.answer.why, DROP_NONE);
        ck_assert_int_eq(rig.ice.state, nominations[_i][i].state);
        ck_assert(selected_is(&rig, nominations[_i][i].selected));
        ck_assert(rig.answer.selected_changed == (before != ice_selected(&rig.ice)));
    }
}

END_TEST

/* ---- tuples ---- */

START_TEST(the_ninth_tuple_takes_the_place_of_the_oldest)
{
    struct rig rig;
    unsigned selected = (unsigned)_i; /* which of the first eight */
    rig_open(&rig, 0);
    for (unsigned i = 0; i < ICE_TUPLES_MAX; i++) {
        send_check(&rig, (struct check){.use_candidate = i == selected}, i);
        ck_assert(rig.answer.added);
        ck_assert_uint_eq(rig.answer.removed_n, 0);
    }
    for (unsigned i = 0; i < 2 * ICE_TUPLES_MAX; i++) {
        send_check(&rig, (struct check){0}, ICE_TUPLES_MAX + i);
        ck_assert(rig.answer.added && !rig.answer.selected_changed);
        ck_assert_uint_eq(rig.answer.removed_n, 1);
        unsigned oldest = i < selected ? i : i + 1; /* one is passed over */
        struct ice_tuple want = tuple(oldest);
        ck_assert(addr_equal(&rig.answer.removed[0].remote, &want.remote));
        ck_assert(!is_valid(&rig, oldest));
        ck_assert(is_valid(&rig, ICE_TUPLES_MAX + i) && is_valid(&rig, selected));
        ck_assert(selected_is(&rig, selected));
        ck_assert_uint_eq(rig.ice.tuples_n, ICE_TUPLES_MAX);
        send_check(&rig, (struct check){0}, ICE_TUPLES_MAX + i); /* known: nothing happens */
        ck_assert(!rig.answer.added && rig.answer.removed_n == 0);
    }
}

END_TEST

START_TEST(a_tuple_is_a_socket_and_two_addresses_or_a_connection)
{
    struct rig rig;
    struct ice_tuple asked = tuple(0), connection = tuple(100);
    rig_open(&rig, 0);
    send_check(&rig, (struct check){0}, 0);
    send_check(&rig, (struct check){0}, 100);
    ck_assert(ice_is_valid_tuple(&rig.ice, &asked));
    asked.remote = tuple(1).remote;
    ck_assert(!ice_is_valid_tuple(&rig.ice, &asked));
    asked = tuple(0);
    asked.local = address("198.51.100.2", 40000);
    ck_assert(!ice_is_valid_tuple(&rig.ice, &asked));
    asked = tuple(0);
    asked.socket++;
    ck_assert(!ice_is_valid_tuple(&rig.ice, &asked));
    asked = tuple(0);
    asked.tcp = true;
    ck_assert(!ice_is_valid_tuple(&rig.ice, &asked));
    memset(&connection.remote, 0, sizeof(connection.remote));
    ck_assert(ice_is_valid_tuple(&rig.ice, &connection));
    connection.socket++;
    ck_assert(!ice_is_valid_tuple(&rig.ice, &connection));
}

END_TEST

START_TEST(the_end_of_a_connection)
{
    struct rig rig;
    rig_open(&rig, CONSENT_US);
    remove_tuple(&rig, 100); /* unknown */
    ck_assert_uint_eq(rig.answer.removed_n, 0);
    ck_assert_int_eq(rig.ice.state, ICE_NEW);
    for (unsigned i = 100; i < 104; i++)
        send_check(&rig, (struct check){.nomination = i == 101 ? 9 : 0}, i);
    int64_t due_us = ice_due_us(&rig.ice);
    rig.now_us += SECOND;
    remove_tuple(&rig, 100); /* not selected */
    ck_assert_uint_eq(rig.answer.removed_n, 1);
    ck_assert(rig.answer.removed[0].tcp && rig.answer.removed[0].socket == 100);
    ck_assert(!rig.answer.selected_changed && selected_is(&rig, 101));
    ck_assert_int_eq(ice_due_us(&rig.ice), due_us);
    remove_tuple(&rig, 101); /* selected: the newest other one, with its full time */
    ck_assert(rig.answer.selected_changed && !rig.answer.state_changed && selected_is(&rig, 103));
    ck_assert_int_eq(ice_due_us(&rig.ice), rig.now_us + CONSENT_US);
    ck_assert_int_eq(rig.ice.state, ICE_COMPLETED);
    remove_tuple(&rig, 103);
    ck_assert(selected_is(&rig, 102));
    remove_tuple(&rig, 102);
    ck_assert(rig.answer.selected_changed && rig.answer.state_changed);
    ck_assert_int_eq(rig.ice.state, ICE_DISCONNECTED);
    ck_assert_int_eq(ice_due_us(&rig.ice), INT64_MAX);
    send_check(&rig, (struct check){.nomination = 1}, 104); /* and numbers begin anew */
    ck_assert_int_eq(rig.ice.state, ICE_COMPLETED);
}

END_TEST

/* ---- who may not ---- */

enum { BAD_INTEGRITY, NO_INTEGRITY, NO_FINGERPRINT, NO_PRIORITY, OTHER_METHOD, UNKNOWN, BADS };

static const struct {
    enum drop why;
    uint16_t error;
} bads[BADS] = {
    [BAD_INTEGRITY] = {DROP_STUN_AUTH, 401},     [NO_INTEGRITY] = {DROP_STUN_REQUEST, 400},
    [NO_FINGERPRINT] = {DROP_STUN_REQUEST, 400}, [NO_PRIORITY] = {DROP_STUN_REQUEST, 400},
    [OTHER_METHOD] = {DROP_STUN_REQUEST, 400},   [UNKNOWN] = {DROP_STUN_UNKNOWN, 420},
};

static size_t write_bad(int bad, uint8_t out[REQUEST_BYTES])
{
    static const uint8_t transaction[STUN_TRANSACTION_BYTES] = {9};
    struct stun_writer writer;
    stun_begin(&writer, out, REQUEST_BYTES, STUN_REQUEST, bad == OTHER_METHOD ? 3 : STUN_BINDING,
               transaction);
    stun_put(&writer, STUN_USERNAME, "aaaa:peer", 9);
    stun_put_u64(&writer, STUN_ICE_CONTROLLING, 1);
    if (bad != NO_PRIORITY)
        stun_put_u32(&writer, STUN_PRIORITY, 1);
    stun_put(&writer, STUN_USE_CANDIDATE, NULL, 0);
    if (bad == UNKNOWN)
        stun_put_u32(&writer, 0x0003, 0); /* CHANGE-REQUEST of RFC 5780 */
    const struct ice_credentials *with = bad == BAD_INTEGRITY ? &second : &first;
    if (bad != NO_INTEGRITY)
        stun_seal(&writer, (struct stun_key){with->pwd, with->pwd_bytes});
    return bad == NO_FINGERPRINT ? stun_end_bare(&writer) : stun_end(&writer);
}

START_TEST(a_bad_check_makes_no_tuple)
{
    struct rig rig;
    uint8_t data[REQUEST_BYTES];
    struct ice_tuple thief = tuple(7);
    size_t bytes = write_bad(_i, data);
    rig_open(&rig, CONSENT_US);
    for (int round = 0; round < 2; round++) { /* without and with a valid tuple */
        int64_t due_us = ice_due_us(&rig.ice);
        rig.now_us += SECOND;
        receive(&rig, data, bytes, &thief);
        ck_assert_int_eq(rig.answer.why, bads[_i].why);
        ck_assert_uint_eq(rig.answer.error, bads[_i].error);
        ck_assert_uint_gt(rig.answer.reply_bytes, 0);
        look_at_reply(&rig, data, bytes, &first, &thief);
        ck_assert(!rig.answer.state_changed && !is_valid(&rig, 7));
        ck_assert_int_eq(ice_due_us(&rig.ice), due_us);
        send_check(&rig, (struct check){0}, 0);
        ck_assert(selected_is(&rig, 0));
    }
}

END_TEST

START_TEST(errors_behind_integrity_carry_it)
{
    struct rig rig;
    uint8_t data[REQUEST_BYTES];
    struct stun_message message;
    struct ice_tuple from = tuple(0);
    rig_open(&rig, 0);
    size_t bytes = write_bad(UNKNOWN, data);
    receive(&rig, data, bytes, &from);
    ck_assert_int_eq(stun_parse(&message, rig.answer.reply, rig.answer.reply_bytes), DROP_NONE);
    ck_assert(stun_is_authentic(&message, rig.answer.reply, (struct stun_key){first.pwd, 24}));
    send_check(&rig, (struct check){.controlled = true}, 0);
    ck_assert_uint_eq(rig.answer.error, 487);
    ck_assert_int_eq(rig.answer.why, DROP_STUN_ROLE);
    ck_assert(!is_valid(&rig, 0));
    ck_assert_int_eq(stun_parse(&message, rig.answer.reply, rig.answer.reply_bytes), DROP_NONE);
    ck_assert(stun_is_authentic(&message, rig.answer.reply, (struct stun_key){first.pwd, 24}));
    bytes = write_bad(BAD_INTEGRITY, data);
    receive(&rig, data, bytes, &from);
    ck_assert_int_eq(stun_parse(&message, rig.answer.reply, rig.answer.reply_bytes), DROP_NONE);
    ck_assert_uint_eq(message.integrity_at, 0);
}

END_TEST

START_TEST(strangers_get_no_answer)
{
    static const char *names[] = {"bbbb:peer", "aaa:peer", "aaaaa:peer", "aaaa", "peer:aaaa",
                                  ":",         ""};
    struct ice_tuple from = tuple(0);
    struct rig rig;
    rig_open(&rig, 0);
    for (size_t i = 0; i <= ARRAY_N(names); i++) {
        uint8_t data[REQUEST_BYTES], transaction[STUN_TRANSACTION_BYTES] = {0};
        struct stun_writer writer;
        stun_begin(&writer, data, sizeof(data), STUN_REQUEST, STUN_BINDING, transaction);
        if (i < ARRAY_N(names))
            stun_put(&writer, STUN_USERNAME, names[i], strlen(names[i]));
        stun_put_u32(&writer, STUN_PRIORITY, 1);
        stun_seal(&writer, (struct stun_key){first.pwd, first.pwd_bytes});
        receive(&rig, data, stun_end(&writer), &from);
        ck_assert_int_eq(rig.answer.why, DROP_STUN_USER);
        ck_assert_uint_eq(rig.answer.reply_bytes, 0);
    }
    for (int class = STUN_INDICATION; class <= STUN_ERROR; class ++) {
        uint8_t data[REQUEST_BYTES];
        size_t bytes = write_check(&rig, &(struct check){0}, data);
        struct stun_message message;
        ck_assert_int_eq(stun_parse(&message, data, bytes), DROP_NONE);
        message.class = (enum stun_class) class;
        ice_receive(&rig.ice, &message, data, &from, rig.now_us, &rig.answer);
        ck_assert_int_eq(rig.answer.why, DROP_STUN_CLASS);
        ck_assert_uint_eq(rig.answer.reply_bytes, 0);
    }
    ck_assert_int_eq(rig.ice.state, ICE_NEW);
    ck_assert_uint_eq(rig.ice.tuples_n, 0);
}

END_TEST

START_TEST(a_flood_gets_few_errors)
{
    struct rig rig;
    uint8_t data[REQUEST_BYTES];
    unsigned errors = 0, held = 0;
    size_t bytes = write_bad(BAD_INTEGRITY, data);
    rig_open(&rig, 0);
    for (unsigned i = 0; i < 1000; i++) { /* within a second, whatever the port */
        struct ice_tuple from = tuple(i % 100);
        receive(&rig, data, bytes, &from);
        rig.now_us += SECOND / 1000;
        errors += rig.answer.why == DROP_STUN_AUTH;
        held += rig.answer.why == DROP_STUN_LIMIT;
        MUST((rig.answer.reply_bytes > 0) == (rig.answer.why == DROP_STUN_AUTH));
        MUST((rig.answer.error != 0) == (rig.answer.reply_bytes > 0));
    }
    ck_assert_uint_eq(errors + held, 1000);
    ck_assert_uint_le(errors, 2 * STUNLIMIT_BURST);
    send_check(&rig, (struct check){0}, 0); /* who knows the password is not held */
    ck_assert_int_eq(rig.answer.why, DROP_NONE);
}

END_TEST

/* ---- restart ---- */

static void restart(struct rig *rig, const struct ice_credentials *credentials)
{
    ice_restart(&rig->ice, credentials, rig->now_us, &rig->answer);
}

static bool forgotten_is(const struct rig *rig, const struct ice_credentials *old)
{
    return rig->answer.forgotten_bytes == old->ufrag_bytes &&
           memcmp(rig->answer.forgotten, old->ufrag, old->ufrag_bytes) == 0;
}

START_TEST(old_credentials_hold_until_the_new_ones_come)
{
    struct rig rig;
    rig_open(&rig, CONSENT_US);
    send_check(&rig, (struct check){.nomination = 5}, 0);
    rig.now_us += SECOND;
    restart(&rig, &second);
    ck_assert(!rig.answer.state_changed && rig.answer.forgotten_bytes == 0);
    ck_assert_int_eq(rig.ice.state, ICE_COMPLETED);
    ck_assert_int_eq(ice_due_us(&rig.ice), rig.now_us + CONSENT_US);
    ck_assert(ice_has_fragment(&rig.ice, (const uint8_t *)"aaaa", 4));
    ck_assert(ice_has_fragment(&rig.ice, (const uint8_t *)"bbbb", 4));
    ck_assert(!ice_has_fragment(&rig.ice, (const uint8_t *)"", 0));
    for (int i = 0; i < 3; i++) {
        send_check(&rig, (struct check){.to = &first}, 0);
        ck_assert_int_eq(rig.answer.why, DROP_NONE);
        ck_assert_uint_eq(rig.answer.forgotten_bytes, 0);
    }
    /* The old name with the new password, and the reverse, are neither. */
    struct ice_credentials mixed = first;
    memcpy(mixed.pwd, second.pwd, sizeof(mixed.pwd));
    send_check(&rig, (struct check){.to = &mixed}, 1);
    ck_assert_int_eq(rig.answer.why, DROP_STUN_AUTH);
    mixed = second;
    memcpy(mixed.pwd, first.pwd, sizeof(mixed.pwd));
    send_check(&rig, (struct check){.to = &mixed}, 1);
    ck_assert_int_eq(rig.answer.why, DROP_STUN_AUTH);
    ck_assert_uint_eq(rig.answer.forgotten_bytes, 0);

    send_check(&rig, (struct check){.to = &second, .nomination = 1}, 1); /* from 0 again */
    ck_assert_int_eq(rig.answer.why, DROP_NONE);
    ck_assert(forgotten_is(&rig, &first) && selected_is(&rig, 1));
    send_check(&rig, (struct check){.to = &first}, 0);
    ck_assert_int_eq(rig.answer.why, DROP_STUN_USER);
    send_check(&rig, (struct check){.to = &second}, 1);
    ck_assert_uint_eq(rig.answer.forgotten_bytes, 0);
}

END_TEST

START_TEST(a_second_restart_forgets_the_oldest)
{
    struct rig rig;
    rig_open(&rig, 0);
    restart(&rig, &second);
    restart(&rig, &third);
    ck_assert(forgotten_is(&rig, &first));
    send_check(&rig, (struct check){.to = &first}, 0);
    ck_assert_int_eq(rig.answer.why, DROP_STUN_USER);
    send_check(&rig, (struct check){.to = &second}, 0);
    ck_assert_int_eq(rig.answer.why, DROP_NONE);
    send_check(&rig, (struct check){.to = &third}, 0);
    ck_assert_int_eq(rig.answer.why, DROP_NONE);
    ck_assert(forgotten_is(&rig, &second));
    restart(&rig, &first); /* may come again */
    ck_assert_uint_eq(rig.answer.forgotten_bytes, 0);
}

END_TEST

/* What is authentic settles the restart, even if it is refused for another reason. */
START_TEST(a_refused_check_settles_the_restart)
{
    struct rig rig;
    rig_open(&rig, 0);
    restart(&rig, &second);
    send_check(&rig, (struct check){.to = &second, .controlled = true}, 0);
    ck_assert_uint_eq(rig.answer.error, 487);
    ck_assert(forgotten_is(&rig, &first));
}

END_TEST

START_TEST(secrets_are_wiped)
{
    struct rig rig;
    rig_open(&rig, 0);
    restart(&rig, &second);
    send_check(&rig, (struct check){.to = &second}, 0);
    ck_assert(!memmem(&rig.ice, sizeof(rig.ice), first.pwd, first.pwd_bytes));
    ck_assert(memmem(&rig.ice, sizeof(rig.ice), second.pwd, second.pwd_bytes));
    ice_exit(&rig.ice);
    ck_assert(!memmem(&rig.ice, sizeof(rig.ice), second.pwd, second.pwd_bytes));
}

END_TEST

/* ---- consent ---- */

START_TEST(consent_expires)
{
    struct rig rig;
    rig_open(&rig, CONSENT_US);
    ck_assert_int_eq(ice_due_us(&rig.ice), INT64_MAX);
    for (unsigned i = 0; i < 5; i++) {
        send_check(&rig, (struct check){0}, i); /* by whichever tuple */
        ck_assert_int_eq(ice_due_us(&rig.ice), rig.now_us + CONSENT_US);
        rig.now_us += CONSENT_US - 1;
        ice_expire(&rig.ice, rig.now_us, &rig.answer);
        ck_assert(!rig.answer.state_changed && rig.answer.removed_n == 0);
    }
    ice_expire(&rig.ice, ++rig.now_us, &rig.answer);
    ck_assert(rig.answer.state_changed && rig.answer.selected_changed);
    ck_assert_uint_eq(rig.answer.removed_n, 5);
    ck_assert_int_eq(rig.ice.state, ICE_DISCONNECTED);
    ck_assert_ptr_null(ice_selected(&rig.ice));
    for (unsigned i = 0; i < 5; i++)
        ck_assert(!is_valid(&rig, i));
    ice_expire(&rig.ice, rig.now_us + SECOND, &rig.answer); /* once */
    ck_assert(!rig.answer.state_changed && rig.answer.removed_n == 0);
    send_check(&rig, (struct check){0}, 2);
    ck_assert_int_eq(rig.ice.state, ICE_CONNECTED);
    ck_assert(rig.answer.added && selected_is(&rig, 2));
    ck_assert_int_eq(ice_due_us(&rig.ice), rig.now_us + CONSENT_US);
}

END_TEST

START_TEST(consent_timeouts_are_clamped)
{
    static const struct {
        int64_t asked_us, got_us;
    } rows[] = {{1, 10 * SECOND},           {10 * SECOND, 10 * SECOND}, {15 * SECOND, 15 * SECOND},
                {60 * SECOND, 60 * SECOND}, {INT64_MAX, 60 * SECOND},   {-1, 10 * SECOND}};
    struct rig rig;
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        rig_open(&rig, rows[i].asked_us);
        send_check(&rig, (struct check){0}, 0);
        ck_assert_int_eq(ice_due_us(&rig.ice) - rig.now_us, rows[i].got_us);
    }
    rig_open(&rig, 0);
    send_check(&rig, (struct check){0}, 0);
    ck_assert_int_eq(ice_due_us(&rig.ice), INT64_MAX);
    ice_expire(&rig.ice, INT64_MAX, &rig.answer);
    ck_assert_int_eq(rig.ice.state, ICE_CONNECTED);
}

END_TEST

START_TEST(a_clock_far_in_the_future)
{
    static const int64_t times[] = {INT64_MAX / 2, INT64_MAX - CONSENT_US - 1,
                                    INT64_MAX - CONSENT_US + 1, INT64_MAX};
    for (size_t i = 0; i < ARRAY_N(times); i++) {
        struct rig rig;
        uint8_t data[REQUEST_BYTES];
        struct ice_tuple from = tuple(0);
        rig_open(&rig, CONSENT_US);
        rig.now_us = times[i];
        receive(&rig, data, write_bad(BAD_INTEGRITY, data), &from);
        ck_assert_uint_eq(rig.answer.error, 401);
        send_check(&rig, (struct check){0}, 0);
        ck_assert_int_gt(ice_due_us(&rig.ice), times[i] - 1);
        ice_expire(&rig.ice, times[i], &rig.answer);
        ck_assert_int_eq(rig.ice.state, ICE_CONNECTED);
        restart(&rig, &second);
        remove_tuple(&rig, 0);
        ck_assert_int_eq(rig.ice.state, ICE_DISCONNECTED);
    }
}

END_TEST

/* ---- the rest ---- */

START_TEST(nothing_is_allocated)
{
    struct rig rig;
    rig_open(&rig, CONSENT_US);
    uint8_t good[REQUEST_BYTES], bad[REQUEST_BYTES];
    size_t good_bytes = write_check(&rig, &(struct check){.use_candidate = true}, good);
    size_t bad_bytes = write_bad(BAD_INTEGRITY, bad);
    struct ice_tuple from[12];
    for (unsigned i = 0; i < 12; i++)
        from[i] = tuple(i);
    uint64_t before = heap_calls();
    for (unsigned i = 0; i < 12; i++) {
        receive(&rig, good, good_bytes, &from[i]);
        receive(&rig, bad, bad_bytes, &from[i]);
    }
    ice_expire(&rig.ice, rig.now_us + CONSENT_US, &rig.answer);
    ck_assert_uint_eq(heap_calls(), before);
    ck_assert_uint_le(sizeof(struct ice), 736);
}

END_TEST

static void restart_with_a_live_name(void *with)
{
    restart(with, &first);
}

START_TEST(bugs_end_the_program)
{
    struct rig rig;
    rig_open(&rig, 0);
    ck_assert(dies_by_assert(restart_with_a_live_name, &rig));
    restart(&rig, &second);
    ck_assert(dies_by_assert(restart_with_a_live_name, &rig));
}

END_TEST

Suite *net_ice_suite(void)
{
    Suite *suite = suite_create("net/ice");
    TCase *tcase = tcase_create("ice");
    tcase_add_loop_test(tcase, states_are_mediasoups, 0, ARRAY_N(states));
    tcase_add_loop_test(tcase, nominations_move_the_selection, 0, ARRAY_N(nominations));
    tcase_add_loop_test(tcase, the_ninth_tuple_takes_the_place_of_the_oldest, 0, ICE_TUPLES_MAX);
    tcase_add_test(tcase, a_tuple_is_a_socket_and_two_addresses_or_a_connection);
    tcase_add_test(tcase, the_end_of_a_connection);
    tcase_add_loop_test(tcase, a_bad_check_makes_no_tuple, 0, BADS);
    tcase_add_test(tcase, errors_behind_integrity_carry_it);
    tcase_add_test(tcase, strangers_get_no_answer);
    tcase_add_test(tcase, a_flood_gets_few_errors);
    tcase_add_test(tcase, old_credentials_hold_until_the_new_ones_come);
    tcase_add_test(tcase, a_second_restart_forgets_the_oldest);
    tcase_add_test(tcase, a_refused_check_settles_the_restart);
    tcase_add_test(tcase, secrets_are_wiped);
    tcase_add_test(tcase, consent_expires);
    tcase_add_test(tcase, consent_timeouts_are_clamped);
    tcase_add_test(tcase, a_clock_far_in_the_future);
    tcase_add_test(tcase, nothing_is_allocated);
    tcase_add_test(tcase, bugs_end_the_program);
    suite_add_tcase(suite, tcase);
    return suite;
}
