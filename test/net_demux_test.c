/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_demux_test.c - addresses to transports against a naive list; classes of first bytes. */
#include "net/demux.h"

#include "core/random.h"
#include "test/must.h"
#include "test/suite.h"

#include <errno.h>

enum { ENTRIES = 96, STEPS = 24000 };

struct rig {
    struct arena arena;
    struct demux demux;
};

struct model_entry {
    uint32_t socket, transport;
    struct addr remote;
};

struct model {
    struct model_entry entries[ENTRIES];
    uint32_t n;
};

static void rig_open(struct rig *rig, uint32_t entries_n, uint64_t seed)
{
    ck_assert_int_eq(arena_init(&rig->arena, demux_bytes(entries_n)), 0);
    demux_init(&rig->demux, &rig->arena, entries_n, seed);
    arena_freeze(&rig->arena);
}

static void rig_close(struct rig *rig)
{
    arena_exit(&rig->arena);
}

/* A few hosts, few ports, both families: many keys that differ in one part only. */
static struct addr address(uint64_t random)
{
    static const char *hosts[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"};
    struct addr addr;
    MUST(addr_parse(&addr, hosts[random % 4], (uint16_t)(1000 + random / 4 % 12)) == 0);
    return addr;
}

static struct model_entry *model_find(struct model *model, uint32_t socket,
                                      const struct addr *remote)
{
    for (uint32_t i = 0; i < model->n; i++)
        if (model->entries[i].socket == socket && addr_equal(&model->entries[i].remote, remote))
            return &model->entries[i];
    return NULL;
}

static int model_put(struct model *model, uint32_t socket, const struct addr *remote,
                     uint32_t transport)
{
    const struct model_entry *entry = model_find(model, socket, remote);
    if (entry != NULL)
        return entry->transport == transport ? 0 : -EEXIST;
    if (model->n == ENTRIES)
        return -ENOSPC;
    model->entries[model->n++] =
        (struct model_entry){.socket = socket, .transport = transport, .remote = *remote};
    return 0;
}

static void model_remove(struct model *model, uint32_t socket, const struct addr *remote)
{
    struct model_entry *entry = model_find(model, socket, remote);
    if (entry != NULL)
        *entry = model->entries[--model->n];
}

START_TEST(agrees_with_a_list_under_churn)
{
    struct rig rig;
    static struct model model;
    struct random random = {.state = (uint64_t)_i + 1};
    uint32_t full = 0, taken = 0, hits = 0;
    model.n = 0;
    rig_open(&rig, ENTRIES, random_next(&random));
    for (int step = 0; step < STEPS; step++) {
        uint32_t socket = (uint32_t)random_next(&random) % 4;
        uint32_t transport = (uint32_t)random_next(&random) % 3;
        struct addr remote = address(random_next(&random) >> 8);
        /* Fuller and emptier by turns, so that it is full and nearly empty many times. */
        bool put = random_next(&random) % 8 < (step / 3000 % 2 == 0 ? 6u : 2u);
        if (put) {
            int want = model_put(&model, socket, &remote, transport);
            MUST(demux_put(&rig.demux, socket, &remote, transport) == want);
            full += want == -ENOSPC;
            taken += want == -EEXIST;
        } else {
            model_remove(&model, socket, &remote);
            demux_remove(&rig.demux, socket, &remote);
        }
        for (int i = 0; i < 4; i++) {
            remote = address(random_next(&random) >> 8);
            const struct model_entry *entry = model_find(&model, socket, &remote);
            hits += entry != NULL;
            MUST(demux_find(&rig.demux, socket, &remote) ==
                 (entry == NULL ? (uint32_t)DEMUX_NONE : entry->transport));
        }
    }
    ck_assert_uint_gt(full, 1000);
    ck_assert_uint_gt(taken, 1000);
    ck_assert_uint_gt(hits, 10000);
    rig_close(&rig);
}

END_TEST

START_TEST(one_bucket_is_a_chain_that_can_be_cut_anywhere)
{
    struct rig rig;
    struct addr remotes[32];
    rig_open(&rig, ARRAY_N(remotes), 7);
    rig.demux.mask = 0; /* everything collides */
    for (uint32_t i = 0; i < ARRAY_N(remotes); i++) {
        remotes[i] = address(i);
        ck_assert_int_eq(demux_put(&rig.demux, 5, &remotes[i], i), 0);
    }
    struct addr more = address(40);
    ck_assert_int_eq(demux_put(&rig.demux, 5, &more, 40), -ENOSPC);
    static const uint32_t order[] = {0, 31, 15, 16, 1, 30}; /* ends and middles */
    for (uint32_t i = 0; i < ARRAY_N(order); i++) {
        demux_remove(&rig.demux, 5, &remotes[order[i]]);
        ck_assert_uint_eq(demux_find(&rig.demux, 5, &remotes[order[i]]), DEMUX_NONE);
        demux_remove(&rig.demux, 5, &remotes[order[i]]); /* again: nothing */
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < ARRAY_N(remotes); i++)
        found += demux_find(&rig.demux, 5, &remotes[i]) == i;
    ck_assert_uint_eq(found, ARRAY_N(remotes) - ARRAY_N(order));
    for (uint32_t i = 0; i < ARRAY_N(order); i++)
        ck_assert_int_eq(demux_put(&rig.demux, 5, &remotes[order[i]], order[i]), 0);
    ck_assert_int_eq(demux_put(&rig.demux, 5, &more, 40), -ENOSPC);
    rig_close(&rig);
}

END_TEST

START_TEST(the_first_byte_tells_the_class)
{
    uint32_t n[DATAGRAM_UNKNOWN + 1] = {0};
    for (unsigned byte = 0; byte < 256; byte++) {
        /* RFC 7983 7 */
        enum datagram_class want = byte <= 3                    ? DATAGRAM_STUN
                                   : byte >= 20 && byte <= 63   ? DATAGRAM_DTLS
                                   : byte >= 128 && byte <= 191 ? DATAGRAM_MEDIA
                                                                : DATAGRAM_UNKNOWN;
        ck_assert_int_eq(datagram_class_of((uint8_t)byte), want);
        n[datagram_class_of((uint8_t)byte)]++;
    }
    ck_assert_uint_eq(n[DATAGRAM_STUN], 4);
    ck_assert_uint_eq(n[DATAGRAM_DTLS], 44);
    ck_assert_uint_eq(n[DATAGRAM_MEDIA], 64);
}

END_TEST

Suite *net_demux_suite(void)
{
    Suite *suite = suite_create("net_demux");
    TCase *table = tcase_create("table");
    tcase_set_timeout(table, 60);
    tcase_add_loop_test(table, agrees_with_a_list_under_churn, 0, 4);
    tcase_add_test(table, one_bucket_is_a_chain_that_can_be_cut_anywhere);
    tcase_add_test(table, the_first_byte_tells_the_class);
    suite_add_tcase(suite, table);
    return suite;
}
