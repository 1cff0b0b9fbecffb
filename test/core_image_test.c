/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_image_test.c - a library's pages leave memory, and it works as before. */
#include "core/image.h"

#include "test/suite.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Resident KiB of libc's mappings. */
static long resident_kib(void)
{
    char line[512];
    bool ours = false;
    long sum = 0, kib;
    FILE *maps = fopen("/proc/self/smaps", "r");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (isxdigit((unsigned char)line[0]) && strchr(line, '-') != NULL)
            ours = strstr(line, "/libc.so") != NULL;
        else if (ours && sscanf(line, "Rss: %ld kB", &kib) == 1)
            sum += kib;
    }
    fclose(maps);
    return sum;
}

START_TEST(a_library_leaves_memory_and_still_works)
{
    (void)resident_kib(); /* what reading needs is there */
    for (int i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d %.3f", i, i / 3.0);
        ck_assert_int_eq(atoi(text), i);
    }
    long before = resident_kib();
    ck_assert_uint_gt(image_give_back("libc.so"), 1 << 20);
    ck_assert_int_lt(resident_kib(), before);
    char text[32];
    snprintf(text, sizeof text, "%.2f", 2.5);
    ck_assert_str_eq(text, "2.50");
}

END_TEST

START_TEST(what_is_not_loaded_is_nothing)
{
    ck_assert_uint_eq(image_give_back("libthereisnosuch"), 0);
}

END_TEST

Suite *core_image_suite(void);

Suite *core_image_suite(void)
{
    Suite *suite = suite_create("core/image");
    TCase *tcase = tcase_create("image");
    tcase_add_test(tcase, a_library_leaves_memory_and_still_works);
    tcase_add_test(tcase, what_is_not_loaded_is_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
