/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/codecmatch.h - whether what is sent with one codec description can be received with another.
 *
 * Mime type (in any case), clock rate and channels always count, and for multiopus num_streams and
 * coupled_streams. CODECMATCH_STRICT adds what makes streams of one name undecodable for each
 * other: H264   packetization-mode; profile of profile-level-id (not its level) H265   profile-id,
 * tier-flag, tx-mode (RFC 7798 7.1) VP9    profile-id AV1    profile Threads: values, no state.
 * Codecs are in rtpcodec.h's normal form. */
#ifndef CTL_CODECMATCH_H
#define CTL_CODECMATCH_H

#include "ctl/rtpcodec.h"

enum codecmatch {
    CODECMATCH_LOOSE,  /* a configured codec against the supported ones */
    CODECMATCH_STRICT, /* a stream against a receiver */
};

/* The first of `receivers` that takes `stream`; borrowed, or NULL. One with the very profile of the
 * stream is preferred to one that merely includes it (Constrained Baseline into Baseline H264). */
json_t *codecmatch_find(const json_t *receivers, const json_t *stream, enum codecmatch how);

/* Sets the level in the parameters of `stream` to what it may use towards `receiver`, which it
 * matches: for H264 its own one where both allow asymmetry, else the lower (RFC 6184 8.2.2); for
 * H265 the lower. 0 or -ENOMEM. */
int codecmatch_answer(json_t *stream, const json_t *receiver);

#endif
