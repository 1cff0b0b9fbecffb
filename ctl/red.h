/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/red.h - the parameters of audio/red: which payload types its blocks have. RFC 2198 5.
 *
 * In SDP they stand alone ("a=fmtp:63 111/111"), so in JSON they are a parameter's name:
 * {"111/111": ""}. Often they are lost on the way, which means any codec beside it. Threads:
 * functions without state. */
#ifndef CTL_RED_H
#define CTL_RED_H

#include "ctl/rtpcodec.h"

/* Every payload type named in the parameters of `red` is that of a codec in `codecs` that is not
 * RTX or RED; and there is such a codec at all. */
bool red_is_sound(const json_t *red, const json_t *codecs);

/* The parameters of `red` with payload types replaced as `mapping` ([{payloadType,
 * mappedPayloadType}]) says. A new reference, NULL without memory. What is no list of payload
 * types, or is not mapped, stays as it is. */
json_t *red_map_parameters(const json_t *red, const json_t *mapping);

#endif
