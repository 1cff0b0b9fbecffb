/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/h264.h - the profile-level-id of H264. RFC 6184 8.1.
 *
 * Six hexadecimal digits: profile_idc, profile-iop (constraint flags), level_idc. Several
 * combinations mean the same profile, so ids are compared by what they mean. Threads: values, no
 * state. */
#ifndef CTL_H264_H
#define CTL_H264_H

#include "core/base.h"

enum h264_profile {
    H264_CONSTRAINED_BASELINE,
    H264_BASELINE,
    H264_MAIN,
    H264_CONSTRAINED_HIGH,
    H264_HIGH,
    H264_HIGH_444,
};

/* Level times ten. 1b lies between 1 and 1.1 (ITU-T H.264 table A-1) and has a number of its own.
 */
enum { H264_LEVEL_1 = 10, H264_LEVEL_1B = 9, H264_LEVEL_1_1 = 11, H264_LEVEL_3_1 = 31 };

struct h264_id {
    enum h264_profile profile;
    uint8_t level;
};

/* What a missing profile-level-id means. RFC 6184 says Baseline at level 1; every WebRTC endpoint
 * says Constrained Baseline at level 3.1. */
extern const struct h264_id h264_id_default;

/* False for what is no id, an unknown level or an unknown profile. */
bool h264_id_parse(struct h264_id *id, const char *text);

/* The shortest usual spelling ("42e01f"). False where the profile has no level 1b; `text` is then
 * untouched. */
enum { H264_ID_BYTES = 7 }; /* with its zero */

bool h264_id_format(struct h264_id id, char text[H264_ID_BYTES]);

/* A decoder of `receiver`'s profile can decode every stream of `stream`'s profile and the two are
 * either the same or Constrained Baseline into Baseline, which is a subset (H.264 A.2.1.1). */
bool h264_profile_fits(struct h264_id stream, struct h264_id receiver);

/* The lower of two levels. */
uint8_t h264_level_min(uint8_t a, uint8_t b);

#endif
