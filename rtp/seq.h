/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/seq.h - sequence numbers and timestamps compared and extended across their wraps. RFC 1982,
 * RFC 3550 A.1.
 *
 * All sequence arithmetic of the relay goes through here. */
#ifndef RTP_SEQ_H
#define RTP_SEQ_H

#include "core/base.h"

/* Signed distance from b to a, right across the wrap: seq_diff(1, 65535) == 2. */
static inline int32_t seq_diff(uint16_t a, uint16_t b)
{
    return (int16_t)(uint16_t)(a - b);
}

static inline bool seq_newer(uint16_t a, uint16_t b)
{
    return seq_diff(a, b) > 0;
}

/* The same for 32-bit RTP timestamps and extended sequence numbers. */
static inline int64_t ts_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

static inline bool ts_newer(uint32_t a, uint32_t b)
{
    return ts_diff(a, b) > 0;
}

/* The extended sequence number nearest to `near` whose low 16 bits are `seq`. */
static inline uint32_t seq_extend(uint32_t near, uint16_t seq)
{
    return near + (uint32_t)seq_diff(seq, (uint16_t)near);
}

#endif
