/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/sealcount.h - how many seals and streams are alive, for seal_count(). Counted where they come
 * and go, never for a packet of a known stream. Any thread. */
#ifndef RTP_SEALCOUNT_H
#define RTP_SEALCOUNT_H

#include "rtp/seal.h"

enum seal_counted { SEAL_COUNTED_SEALS, SEAL_COUNTED_OUTS, SEAL_COUNTED_INS, SEAL_COUNTED_N };

void sealcount_add(enum seal_suite suite, enum seal_counted what, int64_t n);

#endif
