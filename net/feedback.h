/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/feedback.h - RTCP that comes in: reports, NACKs, key frame requests, each to the object it is
 * about.
 *
 * Threads: the owning worker. */
#ifndef NET_FEEDBACK_H
#define NET_FEEDBACK_H

#include "net/state.h"

/* One decrypted compound from a transport's peer. DROP_NONE or DROP_RTCP_INVALID; parts about
 * unknown ssrcs are passed over. */
enum drop feedback_receive(struct worker *w, struct transport *transport, const uint8_t *data,
                           size_t bytes, int64_t arrived_us);

/* Is a compound about anything of the transport: is its sender one of the streams that it receives,
 * or does it report on a consumer or ask one for something? Nobody but its peer knows those ssrcs.
 */
bool feedback_concerns(const struct worker *w, const struct transport *transport,
                       const uint8_t *data, size_t bytes);

#endif
