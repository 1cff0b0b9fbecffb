/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_slab_test.c - who holds a slot, what a stale reference finds, and how much memory there
 * is behind it all. */
#include "core/random.h"
#include "core/slab.h"
#include "test/dies.h"
#include "test/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED_ADDRESS 1
#elif __has_feature(thread_sanitizer)
#define SANITIZED_THREAD 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED_ADDRESS 1
#elif defined(__SANITIZE_THREAD__)
#define SANITIZED_THREAD 1
#endif

static struct slab opened(uint32_t slots_n)
{
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, slots_n, 3, false), 0);
    return slab;
}

static struct slot_ref held(struct slab *slab)
{
    uint16_t index = slab_take(slab);
    ck_assert_uint_ne(index, SLOT_NONE);
    slab_receive(slab, index);
    return slab_hold(slab, index);
}

/* Slots on pages that the kernel says are resident. */
static uint32_t resident_slots(const struct slab *slab)
{
    static unsigned char pages[SLAB_SLOTS_MAX];
    size_t page = base_page_bytes();
    size_t bytes = round_up_size((size_t)slab->slots_n * SLOT_BYTES, page);
    ck_assert_int_eq(mincore(slab->memory, bytes, pages), 0);
    size_t n = 0;
    for (size_t i = 0; i < bytes / page; i++)
        if (pages[i] & 1)
            n += min_size(page / SLOT_BYTES, slab->slots_n - i * (page / SLOT_BYTES));
    return (uint32_t)n;
}

/* Life */

START_TEST(counts_are_checked)
{
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, 0, 0, false), -EINVAL);
    ck_assert_int_eq(slab_init(&slab, 1, 0, false), -EINVAL);
    ck_assert_int_eq(slab_init(&slab, SLAB_SLOTS_MAX + 1, 0, false), -EINVAL);
    slab_exit(&slab); /* nothing to give back */
    slab = opened(2);
    ck_assert_uint_eq(slab.free_n, 2);
    slab_exit(&slab);
    slab = opened(SLAB_SLOTS_MAX);
    slab_exit(&slab);
}

END_TEST

START_TEST(a_slot_lives_through_its_states)
{
    struct slab slab = opened(4);
    uint16_t index = slab_take(&slab);
    ck_assert_uint_eq(index, 0);
    ck_assert_uint_eq(slab.state[index], SLOT_KERNEL);
    ck_assert_uint_eq(slab.kernel_n, 1);
    ck_assert_uint_eq(slab.free_n, 3);

    slab_receive(&slab, index);
    ck_assert_uint_eq(slab.state[index], SLOT_WORKER);
    ck_assert_uint_eq(slab.kernel_n, 0);
    ck_assert_uint_eq(slab.worker_n, 1);

    struct slot_ref ref = slab_hold(&slab, index);
    ck_assert_uint_eq(slab.state[index], SLOT_HELD);
    ck_assert_uint_eq(slab.worker_n, 0);
    ck_assert_uint_eq(slab.held_n, 1);
    ck_assert_uint_eq(ref.index, index);
    ck_assert_uint_eq(ref.worker, 3);

    slab_release(&slab, index);
    ck_assert_uint_eq(slab.state[index], SLOT_FREE);
    ck_assert_uint_eq(slab.held_n, 0);
    ck_assert_uint_eq(slab.free_n, 4);
    slab_exit(&slab);
}

END_TEST

START_TEST(a_slot_is_released_from_every_state)
{
    struct slab slab = opened(2);
    uint16_t index = slab_take(&slab);
    slab_release(&slab, index);
    ck_assert_uint_eq(slab_take(&slab), index);
    slab_receive(&slab, index);
    slab_release(&slab, index);
    struct slot_ref ref = held(&slab);
    ck_assert_uint_eq(ref.index, index);
    slab_release(&slab, index);
    ck_assert_uint_eq(slab.free_n, 2);
    ck_assert_uint_eq(slab.kernel_n + slab.worker_n + slab.held_n, 0);
    slab_exit(&slab);
}

END_TEST

START_TEST(the_latest_comes_first_then_the_lowest)
{
    struct slab slab = opened(200);
    for (uint16_t i = 0; i < 150; i++)
        ck_assert_uint_eq(slab_take(&slab), i);
    slab_release(&slab, 7);
    slab_release(&slab, 149);
    slab_release(&slab, 80);
    ck_assert_uint_eq(slab_take(&slab), 80);
    slab_release(&slab, 3);
    ck_assert_uint_eq(slab_take(&slab), 3);
    ck_assert_uint_eq(slab_take(&slab), 149);
    ck_assert_uint_eq(slab_take(&slab), 7);
    ck_assert_uint_eq(slab_take(&slab), 150);
    slab_exit(&slab);
}

END_TEST

/* All of them, none twice, the lowest first. */
static void take_in_order(struct slab *slab)
{
    uint32_t wrong_n = 0; /* counted, because a check costs a system call */
    for (uint32_t i = 0; i < slab->slots_n; i++)
        wrong_n += slab_take(slab) != i;
    ck_assert_uint_eq(wrong_n, 0);
}

START_TEST(exhaustion_is_an_answer)
{
    static const uint32_t slots_n[] = {2, 3, 64, 65, 4097, SLAB_SLOTS_MAX};
    struct slab slab = opened(slots_n[_i]);
    take_in_order(&slab);
    ck_assert_uint_eq(slab.free_n, 0);
    ck_assert_uint_eq(slab_take(&slab), SLOT_NONE);
    ck_assert_uint_eq(slab_take(&slab), SLOT_NONE);
    ck_assert_uint_eq(slab.resident_n, 0); /* nothing has been received yet */

    uint16_t last = (uint16_t)(slots_n[_i] - 1);
    slab_release(&slab, last);
    ck_assert_uint_eq(slab_take(&slab), last);
    ck_assert_uint_eq(slab_take(&slab), SLOT_NONE);
    slab_exit(&slab);
}

END_TEST

START_TEST(slots_do_not_overlap)
{
    enum { N = 9 };
    struct slab slab = opened(N);
    for (uint16_t i = 0; i < N; i++) {
        slab_take(&slab);
        memset(slab_slot(&slab, i), i + 1, SLOT_BYTES);
    }
    for (uint16_t i = 0; i < N; i++) {
        ck_assert_ptr_eq(slab_packet(&slab, i), slab_slot(&slab, i) + SLOT_HEAD);
        ck_assert_uint_eq((uintptr_t)slab_packet(&slab, i) % 4, 0);
        size_t wrong_n = 0;
        for (size_t at = 0; at < SLOT_BYTES; at++)
            wrong_n += slab_slot(&slab, i)[at] != i + 1;
        ck_assert_uint_eq(wrong_n, 0);
    }
    slab_exit(&slab);
}

END_TEST

/* References */

START_TEST(a_reference_finds_until_the_release)
{
    struct slab slab = opened(4);
    struct slot_ref ref = held(&slab);
    ck_assert_ptr_eq(slab_find(&slab, ref), slab_packet(&slab, ref.index));
    slab_release(&slab, ref.index);
    ck_assert_ptr_null(slab_find(&slab, ref));

    uint16_t again = slab_take(&slab);
    ck_assert_uint_eq(again, ref.index);
    ck_assert_ptr_null(slab_find(&slab, ref));
    slab_receive(&slab, again);
    ck_assert_ptr_null(slab_find(&slab, ref));
    struct slot_ref newer = slab_hold(&slab, again); /* the same slot, held by another packet */
    ck_assert_ptr_null(slab_find(&slab, ref));
    ck_assert_ptr_nonnull(slab_find(&slab, newer));
    ck_assert_uint_ne(ref.gen, newer.gen);
    slab_exit(&slab);
}

END_TEST

START_TEST(references_that_were_never_given_find_nothing)
{
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, 4, 0, false), 0);
    struct slot_ref ref = held(&slab);
    ck_assert_uint_eq(ref.index, 0);
    ck_assert_ptr_null(slab_find(&slab, (struct slot_ref){0})); /* a zeroed record */
    struct slot_ref wrong = ref;
    wrong.worker = 1;
    ck_assert_ptr_null(slab_find(&slab, wrong));
    wrong = ref;
    wrong.index = 4; /* beyond the slab */
    ck_assert_ptr_null(slab_find(&slab, wrong));
    wrong.index = SLOT_NONE;
    ck_assert_ptr_null(slab_find(&slab, wrong));
    wrong = ref;
    wrong.index = 1; /* never used */
    ck_assert_ptr_null(slab_find(&slab, wrong));
    wrong = ref;
    wrong.gen++;
    ck_assert_ptr_null(slab_find(&slab, wrong));
    slab_exit(&slab);
}

END_TEST

START_TEST(the_generation_wraps_without_zero)
{
    struct slab slab = opened(2);
    struct slot_ref ref = held(&slab);
    slab_release(&slab, ref.index);
    slab.gen[ref.index] = UINT32_MAX;
    ref = held(&slab);
    ck_assert_uint_eq(ref.gen, UINT32_MAX);
    slab_release(&slab, ref.index);
    ref = held(&slab);
    ck_assert_uint_eq(ref.gen, 1);
    ck_assert_ptr_nonnull(slab_find(&slab, ref));
    slab_exit(&slab);
}

END_TEST

/* Everything together against a model, trimmed now and then. */

enum { MODEL_SLOTS = 301, MODEL_STEPS = 100000 };

struct model_slot {
    enum slot_state state;
    struct slot_ref ref, stale;
    uint64_t mark; /* written into the slot when it leaves KERNEL, as a datagram would be */
};

static void model_take(struct slab *slab, struct model_slot *model, uint32_t free_n, uint64_t mark)
{
    uint16_t index = slab_take(slab);
    if ((index == SLOT_NONE) != (free_n == 0))
        ck_abort_msg("took %u of %u", index, free_n);
    if (index == SLOT_NONE)
        return;
    if (index >= MODEL_SLOTS || model[index].state != SLOT_FREE)
        ck_abort_msg("took %u, which is not free", index);
    model[index].state = SLOT_KERNEL;
    model[index].mark = mark;
}

static void model_advance(struct slab *slab, struct model_slot *slot, uint16_t index, bool release)
{
    if (slot->state == SLOT_FREE)
        return;
    uint8_t *at = slab_slot(slab, index);
    if (slot->state == SLOT_KERNEL) {
        memcpy(at, &slot->mark, sizeof(slot->mark));
        memcpy(at + SLOT_BYTES - sizeof(slot->mark), &slot->mark, sizeof(slot->mark));
    }
    if (memcmp(at, &slot->mark, sizeof(slot->mark)) != 0 ||
        memcmp(at + SLOT_BYTES - sizeof(slot->mark), &slot->mark, sizeof(slot->mark)) != 0)
        ck_abort_msg("somebody wrote into slot %u", index);
    if (release || slot->state == SLOT_HELD) {
        if (slot->state == SLOT_HELD)
            slot->stale = slot->ref;
        slab_release(slab, index);
        slot->state = SLOT_FREE;
    } else if (slot->state == SLOT_KERNEL) {
        slab_receive(slab, index);
        slot->state = SLOT_WORKER;
    } else {
        slot->ref = slab_hold(slab, index);
        slot->state = SLOT_HELD;
    }
}

static void model_check(const struct slab *slab, const struct model_slot *model)
{
    uint32_t counts[SLOT_HELD + 1] = {0};
    for (uint16_t i = 0; i < MODEL_SLOTS; i++) {
        const struct model_slot *slot = &model[i];
        counts[slot->state]++;
        bool held_is_found =
            slot->state != SLOT_HELD || slab_find(slab, slot->ref) == slab_packet(slab, i);
        if (slab->state[i] != slot->state || !held_is_found || slab_find(slab, slot->stale))
            ck_abort_msg("slot %u differs", i);
    }
    ck_assert_uint_eq(counts[SLOT_FREE], slab->free_n);
    ck_assert_uint_eq(counts[SLOT_KERNEL], slab->kernel_n);
    ck_assert_uint_eq(counts[SLOT_WORKER], slab->worker_n);
    ck_assert_uint_eq(counts[SLOT_HELD], slab->held_n);
    ck_assert_uint_eq(slab->resident_n, resident_slots(slab));
}

START_TEST(random_operations_agree_with_the_model)
{
    static struct model_slot model[MODEL_SLOTS];
    memset(model, 0, sizeof(model));
    struct random random = {.state = (uint64_t)_i};
    struct slab slab = opened(MODEL_SLOTS);
    uint32_t given_n = 0, full_n = 0;
    for (int step = 0; step < MODEL_STEPS; step++) {
        /* The load swells and ebbs, so that it is full at times, and that there is something to
         * trim. */
        bool swells = step / 5000 % 2 == 0;
        uint16_t index = (uint16_t)random_below(&random, MODEL_SLOTS);
        full_n += slab.free_n == 0;
        if (random_below(&random, 8) < (swells ? 5 : 1))
            model_take(&slab, model, slab.free_n, random_next(&random));
        else
            model_advance(&slab, &model[index], index, random_below(&random, swells ? 16 : 2) == 0);
        if (step % 100 == 0)
            given_n += slab_trim(&slab, random_below(&random, 20), random_below(&random, 2) == 0);
        if (step % 500 == 0)
            model_check(&slab, model);
    }
    model_check(&slab, model);
    ck_assert_uint_gt(full_n, 100);
    ck_assert_uint_gt(given_n, 1000);
    slab_exit(&slab);
}

END_TEST

/* Memory */

/* Takes `n` slots, writes into each, releases them in a shuffled order. */
static void use(struct slab *slab, uint32_t n, uint64_t seed)
{
    static uint16_t taken[SLAB_SLOTS_MAX];
    struct random random = {.state = seed};
    for (uint32_t i = 0; i < n; i++) {
        taken[i] = slab_take(slab);
        if (taken[i] == SLOT_NONE)
            ck_abort_msg("no slot");
        memset(slab_slot(slab, taken[i]), 0xab, SLOT_BYTES);
    }
    for (uint32_t i = n; i > 0; i--) {
        uint32_t other = random_below(&random, i);
        slab_release(slab, taken[other]);
        taken[other] = taken[i - 1];
    }
}

START_TEST(a_small_load_stays_on_few_pages)
{
    struct slab slab = opened(SLAB_SLOTS_MAX);
    for (uint64_t i = 0; i < 1000; i++)
        use(&slab, 65, i);
    ck_assert_uint_eq(slab.resident_n, 66); /* 33 pages of two slots */
    ck_assert_uint_eq(resident_slots(&slab), 66);
    slab_exit(&slab);
}

END_TEST

START_TEST(unused_pages_are_given_back_after_an_interval)
{
    enum { N = 1000 };
    struct slab slab = opened(4 * N);
    use(&slab, N, 1);
    ck_assert_uint_eq(slab.resident_n, N);
    ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, false),
                      0); /* all were used since "the last call" */
    ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, false), N);
    ck_assert_uint_eq(slab.resident_n, 0);
    ck_assert_uint_eq(resident_slots(&slab), 0);
    ck_assert_uint_eq(slab.free_n, 4 * N);
    ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, false), 0);

    /* They come again as zero, the lowest first. */
    uint16_t index = slab_take(&slab);
    ck_assert_uint_eq(index, 0);
    ck_assert_uint_eq(slab_slot(&slab, index)[0], 0);
    slab_receive(&slab, index);
    ck_assert_uint_eq(slab.resident_n, 2);
    slab_exit(&slab);
}

END_TEST

START_TEST(pages_in_use_stay)
{
    enum { N = 1000, BUSY = 100 };
    struct slab slab = opened(N);
    use(&slab, N, 2);
    slab_trim(&slab, UINT32_MAX, false);
    use(&slab, BUSY, 3); /* a part of them is used in this interval */
    uint32_t given_n = slab_trim(&slab, UINT32_MAX, false);
    ck_assert_uint_le(given_n, N - BUSY);
    ck_assert_uint_ge(given_n, N - 2 * BUSY); /* each used slot can keep one neighbour */
    ck_assert_uint_eq(slab.resident_n, N - given_n);
    ck_assert_uint_eq(resident_slots(&slab), N - given_n);

    /* And of what is held, the whole page, however long it takes. */
    struct slot_ref ref = held(&slab);
    memset(slab_packet(&slab, ref.index), 0x5a, 100);
    for (int i = 0; i < 600; i++) /* over the wrap of the interval's counter */
        slab_trim(&slab, UINT32_MAX, false);
    ck_assert_uint_eq(slab.resident_n, 2);
    const uint8_t *packet = slab_find(&slab, ref);
    ck_assert_ptr_nonnull(packet);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(packet[i], 0x5a);
    slab_exit(&slab);
}

END_TEST

/* A burst made many slots stand; the kernel goes round all of them, and then nothing comes. */
START_TEST(what_stands_unused_is_given_back_when_asked_for)
{
    enum { N = 1000 };
    struct slab slab = opened(N);
    use(&slab, N, 6);
    for (int i = 0; i < N; i++)
        ck_assert_uint_ne(slab_take(&slab), SLOT_NONE);
    uint16_t last = (uint16_t)(N - 1);
    slab_receive(&slab, last);
    for (int i = 0; i < SLAB_STANDING_IDLE; i++) /* perhaps of a slow stream */
        ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, true), 0);
    ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, false), 0);
    ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, true), N - 2); /* but for the received one */
    ck_assert_uint_eq(slab.resident_n, 2);
    ck_assert_uint_eq(resident_slots(&slab), 2);
    ck_assert_uint_eq(slab.kernel_n, N - 1);

    /* They stand all the same, and count again when something has come. */
    memset(slab_slot(&slab, 0), 0xab, SLOT_BYTES);
    slab_receive(&slab, 0);
    ck_assert_uint_eq(slab.resident_n, 4);
    ck_assert_uint_eq(resident_slots(&slab), 4);
    slab_exit(&slab);
}

END_TEST

/* As under mlockall(): the kernel takes nothing back. By system call, because the sanitizers'
 * mlock() does nothing. */
START_TEST(locked_pages_stay_resident)
{
    enum { N = 20 };
    struct slab slab = opened(N);
    use(&slab, N, 9);
    if (syscall(SYS_mlock, slab.memory, (size_t)N * SLOT_BYTES) != 0) {
        slab_exit(&slab);
        SKIP("may not lock memory");
    }
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, false), 0);
    ck_assert_uint_eq(slab.resident_n, N);
    ck_assert_uint_eq(resident_slots(&slab), N);

    use(&slab, N, 7); /* nothing is counted twice, and all goes back when it may */
    ck_assert_uint_eq(slab.resident_n, N);
    ck_assert_int_eq(syscall(SYS_munlock, slab.memory, (size_t)N * SLOT_BYTES), 0);
    slab_trim(&slab, UINT32_MAX, false);
    ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, false), N);
    ck_assert_uint_eq(slab.resident_n, 0);
    slab_exit(&slab);
}

END_TEST

START_TEST(warm_slots_come_before_those_given_back)
{
    struct slab slab = opened(100);
    for (uint16_t i = 0; i < 10; i++)
        ck_assert_uint_eq(slab_take(&slab), i);
    slab_release(&slab, 2);
    slab_release(&slab, 3);
    slab_release(&slab, 8); /* its neighbour stays taken */
    slab_trim(&slab, 100, false);
    ck_assert_uint_eq(slab_trim(&slab, 100, false), 2);
    ck_assert_uint_eq(slab_take(&slab), 8);
    ck_assert_uint_eq(slab_take(&slab), 2);
    ck_assert_uint_eq(slab_take(&slab), 3);
    ck_assert_uint_eq(slab_take(&slab), 10);
    slab_exit(&slab);
}

END_TEST

START_TEST(a_trim_is_bounded_and_goes_on_where_it_was)
{
    struct slab slab = opened(SLAB_SLOTS_MAX);
    use(&slab, SLAB_SLOTS_MAX, 4);
    slab_trim(&slab, 0, false);
    ck_assert_uint_eq(slab_trim(&slab, 0, false), 0);
    ck_assert_uint_eq(slab_trim(&slab, 10, false), 20);
    ck_assert_uint_eq(slab.resident_n, SLAB_SLOTS_MAX - 20);
    ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, false), SLAB_TRIM_LOOK);
    uint32_t calls_n = 0;
    while (slab.resident_n > 0 && calls_n < 8) {
        slab_trim(&slab, UINT32_MAX, false);
        calls_n++;
    }
    ck_assert_uint_eq(slab.resident_n, 0);
    ck_assert_uint_le(calls_n, 4);
    ck_assert_uint_eq(resident_slots(&slab), 0);

    /* Nothing is lost: every slot can still be had. */
    take_in_order(&slab);
    slab_exit(&slab);
}

END_TEST

START_TEST(the_odd_last_slot_has_a_page_of_its_own)
{
    struct slab slab = opened(5);
    use(&slab, 5, 5);
    ck_assert_uint_eq(slab.resident_n, 5);
    slab_trim(&slab, 100, false);
    ck_assert_uint_eq(slab_trim(&slab, 1, false), 2);
    ck_assert_uint_eq(slab_trim(&slab, 1, false), 2);
    ck_assert_uint_eq(slab_trim(&slab, 1, false), 1);
    ck_assert_uint_eq(slab.resident_n, 0);
    ck_assert_uint_eq(resident_slots(&slab), 0);
    slab_exit(&slab);
}

END_TEST

/* Resident bytes of this process without files and the sanitizer's own: private pages in mappings.
 */
static uint64_t resident_in(const void *at, size_t bytes)
{
    static unsigned char pages[1 << 16];
    size_t n = round_up_size(bytes, base_page_bytes()) / base_page_bytes();
    ck_assert_uint_le(n, sizeof(pages));
    ck_assert_int_eq(mincore((void *)(uintptr_t)at, n * base_page_bytes(), pages), 0);
    uint64_t resident = 0;
    for (size_t i = 0; i < n; i++)
        resident += (pages[i] & 1) * base_page_bytes();
    return resident;
}

static uint64_t books_bytes(const struct slab *slab)
{
    return resident_in(slab->gen, slab->slots_n * sizeof(*slab->gen)) +
           resident_in(slab->state, slab->slots_n * sizeof(*slab->state)) +
           resident_in(slab->warm_next, slab->slots_n * sizeof(*slab->warm_next)) +
           resident_in(slab->warm_prev, slab->slots_n * sizeof(*slab->warm_prev)) +
           resident_in(slab->idle_since, slab->slots_n * sizeof(*slab->idle_since)) +
           resident_in(slab->cold, SLAB_SLOTS_MAX / 8) + resident_in(slab->cold_any, 128);
}

START_TEST(an_idle_slab_of_any_size_costs_little)
{
    struct slab slab = opened(SLAB_SLOTS_MAX);
    ck_assert_uint_eq(resident_slots(&slab), 0);
    ck_assert_uint_lt(books_bytes(&slab), 32 * 1024);
    for (uint64_t i = 0; i < 100; i++) { /* 64 slots stand, some of them come and go */
        use(&slab, 64, i);
        slab_trim(&slab, 64, false);
    }
    ck_assert_uint_eq(resident_slots(&slab), 64);
    ck_assert_uint_lt(books_bytes(&slab), 48 * 1024);
    slab_exit(&slab);
}

END_TEST

#if !defined(SANITIZED_ADDRESS) && !defined(SANITIZED_THREAD)
/* All that is resident. A sanitizer's shadow would be counted. */
static uint64_t process_bytes(void)
{
    unsigned long long all, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%llu %llu", &all, &resident), 2);
    fclose(file);
    return resident * base_page_bytes();
}

START_TEST(the_process_gives_its_memory_back)
{
    uint64_t before = process_bytes();
    struct slab slab = opened(SLAB_SLOTS_MAX);
    use(&slab, 20000, 1);
    ck_assert_uint_ge(process_bytes(), before + 20000 * (uint64_t)SLOT_BYTES);
    for (int i = 0; i < 8; i++)
        slab_trim(&slab, UINT32_MAX, false);
    /* 13 bytes of books for each slot ever used, and page ends */
    ck_assert_uint_le(process_bytes(), before + 20000 * 13 + 256 * 1024);
    slab_exit(&slab);
}

END_TEST
#endif

START_TEST(huge_pages_are_aligned_and_not_trimmed)
{
    enum { HUGE_BYTES = 2 << 20, HUGE_SLOTS = HUGE_BYTES / SLOT_BYTES, N = 3 * HUGE_SLOTS / 2 };
    struct slab slab;
    ck_assert_int_eq(slab_init(&slab, N, 1, true), 0);
    ck_assert_uint_eq((uintptr_t)slab.memory % HUGE_BYTES, 0);
    ck_assert_uint_eq(slab.resident_n, 0);
    use(&slab, 1, 1);
    ck_assert_uint_eq(slab.resident_n, HUGE_SLOTS);
    use(&slab, HUGE_SLOTS, 1);
    ck_assert_uint_eq(slab.resident_n, HUGE_SLOTS);
    use(&slab, HUGE_SLOTS + 1, 1);
    ck_assert_uint_eq(slab.resident_n, N);
    ck_assert_uint_le(resident_slots(&slab), slab.resident_n);
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(slab_trim(&slab, UINT32_MAX, false), 0);
    ck_assert_uint_eq(slab.resident_n, N);
    slab_exit(&slab);
}

END_TEST

/* Bugs of our own */

static void take_all(void *slab)
{
    for (int i = 0; i < 4; i++)
        ck_assert_uint_ne(slab_take(slab), SLOT_NONE);
}

static void release_free(void *slab)
{
    slab_release(slab, 0);
}

static void release_twice(void *slab)
{
    uint16_t index = slab_take(slab);
    slab_release(slab, index);
    slab_release(slab, index);
}

static void receive_twice(void *slab)
{
    uint16_t index = slab_take(slab);
    slab_receive(slab, index);
    slab_receive(slab, index);
}

static void hold_of_kernel(void *slab)
{
    slab_hold(slab, slab_take(slab));
}

static void hold_twice(void *slab)
{
    struct slot_ref ref = held(slab);
    slab_hold(slab, ref.index);
}

static void release_beyond(void *slab)
{
    slab_release(slab, 4);
}

static void receive_none(void *slab)
{
    slab_receive(slab, SLOT_NONE);
}

START_TEST(bugs_end_the_program)
{
    struct slab slab = opened(4);
    ck_assert_int_eq(dies_status(take_all, &slab), 0); /* this is none */
    ck_assert(dies_by_assert(release_free, &slab));
    ck_assert(dies_by_assert(release_twice, &slab));
    ck_assert(dies_by_assert(receive_twice, &slab));
    ck_assert(dies_by_assert(hold_of_kernel, &slab));
    ck_assert(dies_by_assert(hold_twice, &slab));
    ck_assert(dies_by_assert(release_beyond, &slab));
    ck_assert(dies_by_assert(receive_none, &slab));
    slab_exit(&slab);
}

END_TEST

#ifdef SANITIZED_ADDRESS
static void read_slot_1(void *slab)
{
    volatile const uint8_t *at = slab_slot(slab, 1);
    (void)at[SLOT_BYTES - 1];
}

START_TEST(free_slots_are_poisoned)
{
    struct slab slab = opened(4);
    slab_take(&slab);
    ck_assert_int_ne(dies_status(read_slot_1, &slab), 0); /* never taken */
    ck_assert_uint_eq(slab_take(&slab), 1);
    ck_assert_int_eq(dies_status(read_slot_1, &slab), 0);
    slab_release(&slab, 1);
    ck_assert_int_ne(dies_status(read_slot_1, &slab), 0); /* released */

    uint8_t *memory = slab.memory;
    slab_exit(&slab);
    /* What is mapped there next is not poisoned any more. */
    void *next = mmap(memory, 4 * SLOT_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (next == memory) {
        memset(next, 1, 4 * SLOT_BYTES);
        ck_assert_int_eq(munmap(next, 4 * SLOT_BYTES), 0);
    }
}

END_TEST
#endif

Suite *core_slab_suite(void)
{
    Suite *suite = suite_create("core/slab");
    TCase *life = tcase_create("life");
    tcase_set_timeout(life, 30);
    tcase_add_test(life, counts_are_checked);
    tcase_add_test(life, a_slot_lives_through_its_states);
    tcase_add_test(life, a_slot_is_released_from_every_state);
    tcase_add_test(life, the_latest_comes_first_then_the_lowest);
    tcase_add_loop_test(life, exhaustion_is_an_answer, 0, 6);
    tcase_add_test(life, slots_do_not_overlap);
    tcase_add_test(life, bugs_end_the_program);
#ifdef SANITIZED_ADDRESS
    tcase_add_test(life, free_slots_are_poisoned);
#endif
    suite_add_tcase(suite, life);

    TCase *references = tcase_create("references");
    tcase_add_test(references, a_reference_finds_until_the_release);
    tcase_add_test(references, references_that_were_never_given_find_nothing);
    tcase_add_test(references, the_generation_wraps_without_zero);
    tcase_add_loop_test(references, random_operations_agree_with_the_model, 0, 3);
    suite_add_tcase(suite, references);

    TCase *memory = tcase_create("memory");
    tcase_set_timeout(memory, 30);
    tcase_add_test(memory, a_small_load_stays_on_few_pages);
    tcase_add_test(memory, unused_pages_are_given_back_after_an_interval);
    tcase_add_test(memory, pages_in_use_stay);
    tcase_add_test(memory, what_stands_unused_is_given_back_when_asked_for);
    tcase_add_test(memory, locked_pages_stay_resident);
    tcase_add_test(memory, warm_slots_come_before_those_given_back);
    tcase_add_test(memory, a_trim_is_bounded_and_goes_on_where_it_was);
    tcase_add_test(memory, the_odd_last_slot_has_a_page_of_its_own);
    tcase_add_test(memory, an_idle_slab_of_any_size_costs_little);
    tcase_add_test(memory, huge_pages_are_aligned_and_not_trimmed);
#if !defined(SANITIZED_ADDRESS) && !defined(SANITIZED_THREAD)
    tcase_add_test(memory, the_process_gives_its_memory_back);
#endif
    suite_add_tcase(suite, memory);
    return suite;
}
