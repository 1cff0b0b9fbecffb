/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/publisher.h - sends the tracks of a scene, on time: video frames, each a burst of RTP
 * packets, and audio packets, stamped with the time of sending; a sender report a second.
 *
 * It sends from the participants' sockets, with the keys in the mapping; what comes back on them is
 * the receivers' (perf/receivers.h). */
#ifndef PERF_PUBLISHER_H
#define PERF_PUBLISHER_H

#include "perf/shared.h"

enum {
    PUBLISHER_STAMP_AT = 12 + 1 + 10, /* behind RTP header, VP8 descriptor and key frame header: 8
                                         bytes, CLOCK_MONOTONIC ns */
};

int publisher_run(struct shared *shared, const struct options *options);

#endif
