/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/suite.h - what every suite includes: libcheck, and a way to skip.
 *
 * The scheme is described in test/CMakeLists.txt. */
#ifndef SLUICE_TEST_SUITE_H
#define SLUICE_TEST_SUITE_H

#include <check.h>

/* Counts the running test as skipped and prints why. Used through SKIP(). */
void suite_skip(const char *file, int line, const char *why);

/* Leaves the test: the machine lacks what it needs. */
#define SKIP(why)                                                                                  \
    do {                                                                                           \
        suite_skip(__FILE__, __LINE__, why);                                                       \
        return;                                                                                    \
    } while (0)

#endif
