/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/egressreport.h - the table of the scenario "egress", and its JSON. */
#ifndef PERF_EGRESSREPORT_H
#define PERF_EGRESSREPORT_H

#include "perf/options.h"

enum { EGRESSREPORT_ROWS_MAX = 32, EGRESSREPORT_PAIRS_MAX = 99 };

struct egressreport_row {       /* a way; sums over its slices */
    const char *name, *against; /* NULL: it is only held against, and has no figures */
    bool missing;               /* neither it nor what it needs is in this build and kernel */
    uint32_t pairs_n;
    double own_ns[EGRESSREPORT_PAIRS_MAX], against_ns[EGRESSREPORT_PAIRS_MAX];
    double ratios[EGRESSREPORT_PAIRS_MAX];
    double packets, sends, failed, syscalls, arrived;
    double against_packets, against_sends;
};

struct egressreport {
    const struct options *options;
    char cipher[16]; /* whose AES is the default */
    struct egressreport_row rows[EGRESSREPORT_ROWS_MAX];
    uint32_t rows_n;
    double connected_us, connected_kernel_bytes; /* of a connected socket, to make and to have */
};

/* As options->json says. False when the file cannot be written. */
bool egressreport_write(struct egressreport *report);

#endif
