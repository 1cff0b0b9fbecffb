/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_epoch_test.c - slots that other threads read: when they may be used again. */
#include "core/epoch.h"
#include "core/slab.h"
#include "test/suite.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

START_TEST(a_turn_that_was_seen_ends)
{
    struct epoch epoch = {0};
    uint32_t asleep = epoch_seen(&epoch);
    ck_assert(epoch_has_passed(&epoch, asleep)); /* never began */
    epoch_begin(&epoch);
    uint32_t seen = epoch_seen(&epoch);
    ck_assert(!epoch_has_passed(&epoch, seen));
    epoch_begin(&epoch);
    ck_assert(epoch_has_passed(&epoch, seen));
    seen = epoch_seen(&epoch);
    ck_assert(!epoch_has_passed(&epoch, seen));
    epoch_sleep(&epoch);
    ck_assert(epoch_has_passed(&epoch, seen));
    seen = epoch_seen(&epoch);
    epoch_sleep(&epoch); /* once more changes nothing */
    ck_assert_uint_eq(epoch_seen(&epoch), seen);
    epoch_begin(&epoch);
    ck_assert(epoch_has_passed(&epoch, seen));
}

END_TEST

START_TEST(turns_wrap)
{
    struct epoch epoch = {.turn = UINT32_MAX};
    uint32_t seen = epoch_seen(&epoch);
    ck_assert(!epoch_has_passed(&epoch, seen));
    epoch_begin(&epoch);
    ck_assert_uint_eq(epoch_seen(&epoch), 1);
    ck_assert(epoch_has_passed(&epoch, seen));
}

END_TEST

static struct slot_ref held(struct slab *slab)
{
    uint16_t index = slab_take(slab);
    slab_receive(slab, index);
    return slab_hold(slab, index);
}

/* A slot that other threads were told of. */
static struct slot_ref shared(struct slab *slab)
{
    uint16_t index = slab_take(slab);
    slab_receive(slab, index);
    return slab_share(slab, index);
}

START_TEST(a_shared_slot_waits_in_limbo)
{
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, 4, 0, false), 0);
    struct slot_ref first = shared(&slab), second = shared(&slab), own = held(&slab);
    ck_assert_ptr_eq(slab_read(&slab, first), slab_packet(&slab, first.index));
    slab_hold(&slab, first.index); /* sharing leaves it with its holder */
    slab_release(&slab, own.index);
    ck_assert_uint_eq(slab.limbo_n, 0);

    slab_release(&slab, first.index);
    ck_assert_ptr_null(slab_read(&slab, first));
    ck_assert_uint_eq(slab.limbo_n, 1);
    ck_assert_uint_eq(slab_limbo_begin(&slab), 1);
    slab_release(&slab, second.index); /* too late for those who have moved on */
    ck_assert_uint_eq(slab.limbo_n, 2);
    slab_limbo_free(&slab);
    ck_assert_uint_eq(slab.limbo_n, 1);
    ck_assert_uint_eq(slab.free_n, 3);
    ck_assert_uint_eq(slab_limbo_begin(&slab), 1);
    slab_limbo_free(&slab);
    ck_assert_uint_eq(slab.free_n, 4);
    ck_assert_uint_eq(slab_limbo_begin(&slab), 0);
    slab_limbo_free(&slab);

    struct slot_ref again = held(&slab); /* and is not shared any more */
    slab_release(&slab, again.index);
    ck_assert_uint_eq(slab.limbo_n, 0);
    slab_exit(&slab);
}

END_TEST

START_TEST(limbo_is_not_taken_and_keeps_its_page)
{
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, 2, 0, false), 0);
    struct slot_ref first = shared(&slab), second = shared(&slab);
    slab_release(&slab, first.index);
    slab_release(&slab, second.index);
    ck_assert_uint_eq(slab_take(&slab), SLOT_NONE);
    slab_trim(&slab, 16, true);
    ck_assert_uint_eq(slab_trim(&slab, 16, true), 0);
    ck_assert_uint_eq(slab_limbo_begin(&slab), 2);
    slab_limbo_free(&slab);
    ck_assert_uint_ne(slab_take(&slab), SLOT_NONE);
    slab_exit(&slab);
}

END_TEST

/* An owner that reuses few slots as fast as it can, and a reader that may be late. What is read is
 * whole: all bytes of a packet are the same. */

enum { BOX_N = 64, SLOTS_N = 16, PACKETS_N = 40000, PACKET_BYTES = 64 };

struct race {
    struct slab slab;
    struct epoch epoch;
    _Atomic uint64_t box[BOX_N]; /* gen << 16 | index */
    _Atomic uint32_t put;
    uint32_t read_n, stale_n, torn_n;
};

static void *reader_run(void *arg)
{
    struct race *race = arg;
    for (uint32_t at = 0; at < PACKETS_N;) {
        epoch_begin(&race->epoch);
        uint32_t put = atomic_load(&race->put);
        if (at + BOX_N / 2 < put) /* what is older may be overwritten: as lost as if it lagged */
            at = put - BOX_N / 2;
        for (; at < put; at++) {
            uint64_t item = atomic_load(&race->box[at % BOX_N]);
            const struct slot_ref ref = {.gen = (uint32_t)(item >> 16), .index = (uint16_t)item};
            const uint8_t *data = slab_read(&race->slab, ref);
            race->stale_n += data == NULL;
            race->read_n += data != NULL;
            for (uint32_t i = 1; data != NULL && i < PACKET_BYTES; i++)
                race->torn_n += data[i] != data[0];
        }
        if (at % 3 == 0) {
            epoch_sleep(&race->epoch);
            sched_yield();
        }
    }
    epoch_sleep(&race->epoch);
    return NULL;
}

static void settle(struct race *race, uint32_t *seen)
{
    if (race->slab.waits.n > 0 && !epoch_has_passed(&race->epoch, *seen))
        return;
    slab_limbo_free(&race->slab);
    slab_limbo_begin(&race->slab);
    *seen = epoch_seen(&race->epoch);
}

START_TEST(nobody_reads_a_slot_that_is_used_again)
{
    static struct race race;
    pthread_t reader;
    uint16_t last = SLOT_NONE;
    uint32_t seen = 0;
    ck_assert_int_eq(slab_init(&race.slab, SLOTS_N, 0, false), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, reader_run, &race), 0);
    for (uint32_t n = 0; n < PACKETS_N; settle(&race, &seen)) {
        uint16_t index = slab_take(&race.slab);
        if (index == SLOT_NONE) {
            sched_yield();
            continue;
        }
        memset(slab_packet(&race.slab, index), (uint8_t)n, PACKET_BYTES);
        slab_receive(&race.slab, index);
        struct slot_ref ref = slab_share(&race.slab, index);
        atomic_store(&race.box[n % BOX_N], (uint64_t)ref.gen << 16 | ref.index);
        atomic_store(&race.put, ++n);
        if (last != SLOT_NONE)
            slab_release(&race.slab, last);
        last = index;
    }
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    ck_assert_uint_eq(race.torn_n, 0);
    ck_assert_uint_gt(race.read_n, 0);
    settle(&race, &seen);
    settle(&race, &seen);
    ck_assert_uint_eq(race.slab.limbo_n, 0);
    slab_exit(&race.slab);
}

END_TEST

Suite *core_epoch_suite(void)
{
    Suite *suite = suite_create("core/epoch");
    TCase *tcase = tcase_create("epoch");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_turn_that_was_seen_ends);
    tcase_add_test(tcase, turns_wrap);
    tcase_add_test(tcase, a_shared_slot_waits_in_limbo);
    tcase_add_test(tcase, limbo_is_not_taken_and_keeps_its_page);
    tcase_add_test(tcase, nobody_reads_a_slot_that_is_used_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
