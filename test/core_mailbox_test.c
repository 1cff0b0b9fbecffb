/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_mailbox_test.c - the mailbox by one thread, and between two that do not wait for each
 * other. */
#include "core/mailbox.h"
#include "core/random.h"
#include "test/dies.h"
#include "test/suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

START_TEST(sizes_are_checked)
{
    struct mailbox box;
    ck_assert_int_eq(mailbox_init(&box, 8, 0), -EINVAL);
    ck_assert_int_eq(mailbox_init(&box, 8, 3), -EINVAL);
    ck_assert_int_eq(mailbox_init(&box, 8, UINT32_C(1) << 31), -EINVAL);
    ck_assert_int_eq(mailbox_init(&box, 0, 4), -EINVAL);
    ck_assert_int_eq(mailbox_init(&box, SIZE_MAX, 4), -EINVAL);
    mailbox_exit(&box); /* nothing to give back */
    ck_assert_int_eq(mailbox_init(&box, UINT32_MAX, 1 << 24), -ENOMEM);
    mailbox_exit(&box);
}

END_TEST

START_TEST(items_come_in_order_until_full)
{
    enum { N = 4 };
    struct mailbox box;
    ck_assert_int_eq(mailbox_init(&box, sizeof(uint32_t), N), 0);
    /* Far more rounds than items, and over the wrap of the counters. */
    atomic_store(&box.put, UINT32_MAX - 10);
    atomic_store(&box.take, UINT32_MAX - 10);
    for (uint32_t round = 0; round < 100; round++) {
        ck_assert_ptr_null(mailbox_take_begin(&box));
        uint32_t fill = round % (N + 1);
        for (uint32_t i = 0; i < fill; i++) {
            uint32_t *item = mailbox_put_begin(&box);
            ck_assert_ptr_nonnull(item);
            ck_assert_uint_eq((uintptr_t)item % _Alignof(max_align_t), 0);
            *item = round * 100 + i;
            mailbox_put_end(&box);
        }
        if (fill == N)
            ck_assert_ptr_null(mailbox_put_begin(&box));
        for (uint32_t i = 0; i < fill; i++) {
            const uint32_t *item = mailbox_take_begin(&box);
            ck_assert_ptr_nonnull(item);
            ck_assert_ptr_eq(mailbox_take_begin(&box), item); /* stays until taken */
            ck_assert_uint_eq(*item, round * 100 + i);
            mailbox_take_end(&box);
        }
    }
    mailbox_exit(&box);
}

END_TEST

START_TEST(an_item_is_seen_only_when_it_is_put)
{
    struct mailbox box;
    ck_assert_int_eq(mailbox_init(&box, 100, 1), 0);
    void *item = mailbox_put_begin(&box);
    ck_assert_ptr_null(mailbox_take_begin(&box));
    ck_assert_ptr_eq(mailbox_put_begin(&box), item); /* begun twice is the same one */
    memset(item, 7, 100);
    mailbox_put_end(&box);
    ck_assert_ptr_eq(mailbox_take_begin(&box), item);
    mailbox_take_end(&box);
    ck_assert_ptr_null(mailbox_take_begin(&box));
    mailbox_exit(&box);
}

END_TEST

enum { THREAD_ITEMS = 200000 };

struct message {
    uint64_t number;
    uint64_t words[6]; /* all derived from the number: half a message would show */
};

static void *produce(void *argument)
{
    struct mailbox *box = argument;
    struct random random = {.state = 5};
    for (uint64_t number = 0; number < THREAD_ITEMS;) {
        struct message *message = mailbox_put_begin(box);
        if (!message) {
            sched_yield();
            continue;
        }
        message->number = number;
        for (size_t i = 0; i < ARRAY_N(message->words); i++)
            message->words[i] = mix_u64(number + i);
        mailbox_put_end(box);
        number++;
        if (random_below(&random, 1000) == 0)
            sched_yield();
    }
    return NULL;
}

START_TEST(two_threads_lose_nothing)
{
    static const uint32_t items_n[] = {1, 2, 64, 1024};
    struct mailbox box;
    ck_assert_int_eq(mailbox_init(&box, sizeof(struct message), items_n[_i]), 0);
    pthread_t producer;
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &box), 0);

    uint64_t wrong = 0;
    for (uint64_t number = 0; number < THREAD_ITEMS;) {
        const struct message *message = mailbox_take_begin(&box);
        if (!message) {
            sched_yield();
            continue;
        }
        wrong += message->number != number;
        for (size_t i = 0; i < ARRAY_N(message->words); i++)
            wrong += message->words[i] != mix_u64(number + i);
        mailbox_take_end(&box);
        number++;
    }
    ck_assert_int_eq(pthread_join(producer, NULL), 0);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_ptr_null(mailbox_take_begin(&box));
    mailbox_exit(&box);
}

END_TEST

/* Bugs of our own */

static void put_into_full(void *box)
{
    mailbox_put_end(box);
    mailbox_put_end(box);
}

static void take_from_empty(void *box)
{
    mailbox_take_end(box);
}

START_TEST(bugs_end_the_program)
{
    struct mailbox box;
    ck_assert_int_eq(mailbox_init(&box, 8, 1), 0);
    ck_assert(dies_by_assert(put_into_full, &box));
    ck_assert(dies_by_assert(take_from_empty, &box));
    mailbox_exit(&box);
}

END_TEST

Suite *core_mailbox_suite(void)
{
    Suite *suite = suite_create("core/mailbox");
    TCase *tcase = tcase_create("mailbox");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, sizes_are_checked);
    tcase_add_test(tcase, items_come_in_order_until_full);
    tcase_add_test(tcase, an_item_is_seen_only_when_it_is_put);
    tcase_add_test(tcase, bugs_end_the_program);
    tcase_add_loop_test(tcase, two_threads_lose_nothing, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
