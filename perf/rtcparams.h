/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/rtcparams.h - what transport.createWebRtc answers, and what transport.connect wants to hear,
 * in a client's terms. */
#ifndef PERF_RTCPARAMS_H
#define PERF_RTCPARAMS_H

#include "core/addr.h"
#include "net/command.h"

#include <jansson.h>

struct rtcparams { /* of the relay */
    struct addr relay;
    struct ice_credentials ice;
    struct fingerprint fingerprint;
};

/* The first candidate, credentials, and the SHA-256 fingerprint. False: one of them is not there.
 */
bool rtcparams_read(struct rtcparams *out, const json_t *made);

/* Parameters of transport.connect for a client with that fingerprint. */
json_t *rtcparams_connect(const char *transport_id, const struct fingerprint *own);

#endif
