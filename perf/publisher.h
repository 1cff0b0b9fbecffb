/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/publisher.h - a paced sender of video frames, each a burst of RTP packets, stamped with the
 * time of sending. */
#ifndef PERF_PUBLISHER_H
#define PERF_PUBLISHER_H

#include "perf/shared.h"

enum {
    PUBLISHER_SSRC = 0x5150cafe,
    PUBLISHER_PT = 96,
    PUBLISHER_STAMP_AT = 12 + 1 + 10, /* behind RTP header, VP8 descriptor and key frame header: 8
                                         bytes, CLOCK_MONOTONIC ns */
};

/* Sends every frame to the first `workers` addresses of shared->relay. */
int publisher_run(struct shared *shared, const struct options *options);

#endif
