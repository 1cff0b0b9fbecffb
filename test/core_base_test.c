/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_base_test.c - byte order, small arithmetic, mapped memory, and what a failed assertion
 * does. */
#include "core/base.h"
#include "test/guard.h"
#include "test/suite.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(reads_and_writes_are_big_endian)
{
    static const uint8_t bytes[] = {0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    const uint8_t *at = guard_copy(bytes, 8);
    ck_assert_uint_eq(be16(at + 6), 0x3210);
    ck_assert_uint_eq(be24(at + 5), 0x543210);
    ck_assert_uint_eq(be32(at + 4), 0x76543210);
    ck_assert_uint_eq(be64(at), 0xfedcba9876543210);
    ck_assert_uint_eq(be16(at), 0xfedc);
    ck_assert_uint_eq(be24(at), 0xfedcba);
    ck_assert_uint_eq(be32(at), 0xfedcba98);

    uint8_t *out = guard_take(8);
    put_be64(out, 0xfedcba9876543210);
    ck_assert_mem_eq(out, bytes, 8);
    out = guard_take(4);
    put_be32(out, 0x76543210);
    ck_assert_mem_eq(out, bytes + 4, 4);
    out = guard_take(3);
    put_be24(out, 0xff543210); /* the upper byte has no place */
    ck_assert_mem_eq(out, bytes + 5, 3);
    out = guard_take(2);
    put_be16(out, 0x3210);
    ck_assert_mem_eq(out, bytes + 6, 2);
}

END_TEST

START_TEST(arithmetic_at_its_edges)
{
    ck_assert_int_eq(min_i64(INT64_MIN, INT64_MAX), INT64_MIN);
    ck_assert_int_eq(max_i64(INT64_MIN, INT64_MAX), INT64_MAX);
    ck_assert_int_eq(clamp_i64(-1, 0, 10), 0);
    ck_assert_int_eq(clamp_i64(5, 0, 10), 5);
    ck_assert_int_eq(clamp_i64(11, 0, 10), 10);
    ck_assert_uint_eq(min_size(3, SIZE_MAX), 3);
    ck_assert_uint_eq(round_up_size(0, 64), 0);
    ck_assert_uint_eq(round_up_size(1, 64), 64);
    ck_assert_uint_eq(round_up_size(64, 64), 64);
    ck_assert_uint_eq(round_up_size(65, 64), 128);
}

END_TEST

START_TEST(mapped_memory_is_zero_and_of_a_page)
{
    size_t page = base_page_bytes();
    ck_assert_uint_ge(page, 4096);
    uint8_t *at = base_map(3 * page);
    ck_assert_ptr_nonnull(at);
    ck_assert_uint_eq((uintptr_t)at % page, 0);
    size_t wrong_n = 0;
    for (size_t i = 0; i < 3 * page; i++)
        wrong_n += at[i] != 0;
    ck_assert_uint_eq(wrong_n, 0);
    base_unmap(at, 3 * page);
    base_unmap(NULL, 3 * page);
    ck_assert_ptr_null(base_map(SIZE_MAX / 2));
}

END_TEST

START_TEST(a_failed_assertion_says_where_and_aborts)
{
    int pipe_fds[2];
    ck_assert_int_eq(pipe(pipe_fds), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        base_assert_failed("1 == 2", "core/some.c", 77);
    }
    close(pipe_fds[1]);
    char text[128] = "";
    ck_assert_int_gt(read(pipe_fds[0], text, sizeof(text) - 1), 0);
    close(pipe_fds[0]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ck_assert_str_eq(text, "core/some.c:77: assertion failed: 1 == 2\n");
}

END_TEST

START_TEST(assertions_stay_on_and_evaluate_once)
{
    int n = 0;
    ASSERT(++n == 1);
    ck_assert_int_eq(n, 1);
}

END_TEST

Suite *core_base_suite(void)
{
    Suite *suite = suite_create("core/base");
    TCase *tcase = tcase_create("base");
    tcase_add_test(tcase, reads_and_writes_are_big_endian);
    tcase_add_test(tcase, arithmetic_at_its_edges);
    tcase_add_test(tcase, mapped_memory_is_zero_and_of_a_page);
    tcase_add_test(tcase, a_failed_assertion_says_where_and_aborts);
    tcase_add_test(tcase, assertions_stay_on_and_evaluate_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
