/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/sealsuite.h - what the SRTP suites are, and libsrtp2 sessions of them. Only for rtp/seal*.c.
 *
 * Threads: constant tables, no state. */
#ifndef RTP_SEALSUITE_H
#define RTP_SEALSUITE_H

#include <srtp2/srtp.h>

#include "rtp/seal.h"

struct sealsuite {
    const char *name;
    uint8_t key_bytes; /* master key and salt */
    uint8_t rtp_tag_bytes, rtcp_tag_bytes;
    bool aead;
};

extern const struct sealsuite sealsuites[SEAL_SUITE_N];

/* A session with a template for streams of `type` (any inbound or any outbound). 0, -ENOMEM. */
int sealsuite_session_init(srtp_t *session, enum seal_suite suite, srtp_ssrc_type_t type,
                           const uint8_t *key);

#endif
