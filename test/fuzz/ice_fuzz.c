/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/ice_fuzz.c - an ICE-lite agent in any order of checks, restarts, endings and time.
 *
 *   input: steps | kind | tuple | flags |   and behind a kind STEP_RAW: | n | n bytes of datagram |
 *
 * Behind every step the tuples that were reported are those that are valid, none of them without a
 * valid check, and state, selection and consent agree. */
#include "net/ice.h"

enum step { STEP_CHECK, STEP_RAW, STEP_TIME, STEP_RESTART, STEP_REMOVE, STEP_EXPIRE, STEP_N };

enum { TUPLES = 16, STEPS_MAX = 160, REQUEST_BYTES = 256 };

enum flag { /* of a check */
            FLAG_USE = 1,
            FLAG_NOMINATES = 2,
            FLAG_CONTROLLED = 4,
            FLAG_OLD = 8,
            FLAG_FORGED = 16,
};

struct model {
    struct ice ice;
    struct stunlimit limit;
    struct ice_answer answer;
    bool valid[TUPLES];
    int64_t now_us;
    uint32_t serial; /* of credentials: `serial` are the new ones */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct ice_credentials credentials(uint32_t serial)
{
    struct ice_credentials made = {.ufrag_bytes = 4, .pwd_bytes = 22};
    for (size_t i = 0; i < 4; i++)
        made.ufrag[i] = (char)('a' + (serial >> 4 * i & 15));
    memset(made.pwd, 'p', sizeof(made.pwd));
    memcpy(made.pwd, made.ufrag, 4);
    return made;
}

/* The upper half are TCP connections. */
static struct ice_tuple tuple(unsigned i)
{
    struct ice_tuple made;
    memset(&made, 0, sizeof(made));
    made.tcp = i >= TUPLES / 2;
    made.socket = made.tcp ? i : i % 2;
    made.remote.in.sin_family = made.local.in.sin_family = AF_INET;
    made.remote.in.sin_addr.s_addr = htonl(0xc0000200 + i);
    addr_set_port(&made.remote, 1000);
    return made;
}

static unsigned index_of(const struct ice_tuple *asked)
{
    return ntohl(asked->remote.in.sin_addr.s_addr) - 0xc0000200;
}

/* What the caller would do with the answer. */
static void apply(struct model *model, unsigned from)
{
    const struct ice_answer *answer = &model->answer;
    for (size_t i = 0; i < answer->removed_n; i++) {
        unsigned gone = index_of(&answer->removed[i]);
        ASSERT(gone < TUPLES && model->valid[gone]);
        model->valid[gone] = false;
    }
    if (answer->added) {
        ASSERT(!model->valid[from] && answer->why == DROP_NONE);
        model->valid[from] = true;
    }
    ASSERT(answer->reply_bytes <= sizeof(answer->reply));
    ASSERT(answer->forgotten_bytes <= ICE_UFRAG_BYTES_MAX);
}

static void agree(const struct model *model)
{
    unsigned n = 0;
    for (unsigned i = 0; i < TUPLES; i++) {
        struct ice_tuple asked = tuple(i);
        ASSERT(ice_is_valid_tuple(&model->ice, &asked) == model->valid[i]);
        n += model->valid[i];
    }
    ASSERT(n == model->ice.tuples_n && n <= ICE_TUPLES_MAX);
    const struct ice_tuple *selected = ice_selected(&model->ice);
    bool sends = model->ice.state == ICE_CONNECTED || model->ice.state == ICE_COMPLETED;
    ASSERT((selected != NULL) == sends);
    ASSERT(!selected || model->valid[index_of(selected)]);
    ASSERT(sends || ice_due_us(&model->ice) == INT64_MAX);
}

static void receive(struct model *model, const uint8_t *data, size_t bytes, unsigned from)
{
    struct stun_message message, reply;
    struct ice_tuple by = tuple(from);
    if (stun_parse(&message, data, bytes) != DROP_NONE)
        return;
    ice_receive(&model->ice, &message, data, &by, model->now_us, &model->answer);
    const struct ice_answer *answer = &model->answer;
    ASSERT(answer->error == 0 || answer->reply_bytes <= bytes);
    if (answer->reply_bytes > 0) {
        ASSERT(stun_parse(&reply, answer->reply, answer->reply_bytes) == DROP_NONE);
        ASSERT(reply.class == (answer->error ? STUN_ERROR : STUN_SUCCESS));
    }
    ASSERT((answer->why == DROP_NONE) == (answer->reply_bytes > 0 && answer->error == 0));
    apply(model, from);
}

static void check(struct model *model, unsigned from, uint8_t flags)
{
    static const uint8_t transaction[STUN_TRANSACTION_BYTES] = {1};
    uint8_t data[REQUEST_BYTES];
    struct ice_credentials to = credentials(model->serial - ((flags & FLAG_OLD) != 0));
    char username[] = "aaaa:peer";
    memcpy(username, to.ufrag, 4);
    struct stun_request request = {
        .transaction = transaction,
        .username = username,
        .username_bytes = sizeof(username) - 1,
        .key = {to.pwd, (size_t)to.pwd_bytes - ((flags & FLAG_FORGED) != 0)},
        .controlled = flags & FLAG_CONTROLLED,
        .use_candidate = flags & FLAG_USE,
        .nominates = flags & FLAG_NOMINATES,
        .nomination = flags >> 5,
    };
    size_t bytes = stun_write_request(data, sizeof(data), &request);
    model->answer.why = DROP_N;
    receive(model, data, bytes, from);
    if (flags & (FLAG_FORGED | FLAG_CONTROLLED))
        ASSERT(model->answer.why != DROP_NONE);
    else if (!(flags & FLAG_OLD))
        ASSERT(model->answer.why == DROP_NONE && model->valid[from]);
}

/* Takes its input's own bytes, if any, from what is left; returns how many. */
static size_t run_step(struct model *model, enum step kind, uint8_t which, uint8_t flags,
                       const uint8_t *left, size_t left_bytes)
{
    unsigned from = which % TUPLES;
    struct ice_tuple by = tuple(from);
    struct ice_credentials fresh = credentials(model->serial + 1);
    switch (kind) {
    case STEP_CHECK:
        check(model, from, flags);
        break;
    case STEP_RAW:
        left_bytes = min_size(left_bytes, flags);
        receive(model, left, left_bytes, from);
        return left_bytes;
    case STEP_TIME:
        model->now_us += min_i64((int64_t)which << flags % 48, INT64_MAX - model->now_us);
        break;
    case STEP_RESTART:
        model->serial++;
        ice_restart(&model->ice, &fresh, model->now_us, &model->answer);
        apply(model, from);
        break;
    case STEP_REMOVE:
        ice_remove(&model->ice, &by, model->now_us, &model->answer);
        apply(model, from);
        ASSERT(!model->valid[from]);
        break;
    case STEP_EXPIRE:
        ice_expire(&model->ice, model->now_us, &model->answer);
        apply(model, from);
        ASSERT(ice_due_us(&model->ice) > model->now_us || ice_due_us(&model->ice) == INT64_MAX);
        break;
    case STEP_N:
        break;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct model model;
    model = (struct model){.serial = 1};
    struct ice_credentials first = credentials(1);
    stunlimit_init(&model.limit, 1);
    ice_init(&model.ice, &first, bytes % 2 ? 30000000 : 0, &model.limit);
    size_t at = 0;
    for (unsigned n = 0; n < STEPS_MAX && bytes - at >= 3; n++) {
        enum step kind = (enum step)(data[at] % STEP_N);
        uint8_t which = data[at + 1], flags = data[at + 2];
        at += 3;
        at += run_step(&model, kind, which, flags, data + at, bytes - at);
        agree(&model);
    }
    ice_exit(&model.ice);
    return 0;
}
