/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/must.h - an assertion for inner loops: free while it holds.
 *
 * libcheck keeps a record of every ck_assert that a test passes, and reads them all back: millions
 * take minutes. */
#ifndef SLUICE_TEST_MUST_H
#define SLUICE_TEST_MUST_H

#include <check.h>

#define MUST(truth)                                                                                \
    do {                                                                                           \
        if (!(truth))                                                                              \
            ck_abort_msg("%s", #truth);                                                            \
    } while (0)

#endif
