/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/egress.h - what goes out: runs planned for one receiver, then numbered, rewritten, encrypted
 * and sent in wire order.
 *
 * Planning comes before encryption because transport-wide numbers and send times are assigned in
 * wire order and are authenticated. A run is consecutive packets of one size; its last may be
 * shorter (UDP_SEGMENT). Threads: the owning worker. */
#ifndef NET_EGRESS_H
#define NET_EGRESS_H

#include "net/state.h"

/* Sends everything in w->plan to `transport` and empties the plan. */
void egress_send_plan(struct worker *w, struct transport *transport);

/* One packet of a consumer outside a plan: a resend. `rtx_seq` < 0: plain, byte-identical to the
 * first sending. */
enum drop egress_resend(struct worker *w, struct consumer *consumer, const uint8_t *data,
                        const struct rtp_packet *packet, const struct rtp_exts *exts,
                        const struct rewrite_numbers *numbers, int32_t rtx_seq);

/* Is it known where the transport's RTCP goes, and with which keys? */
bool egress_rtcp_is_ready(const struct transport *transport);

/* An RTCP compound of `bytes` written into `buffer` (from io_egress_take()): encrypted where there
 * are keys, and sent. */
enum drop egress_rtcp(struct worker *w, struct transport *transport, uint8_t *buffer, size_t bytes);

/* `bytes` as they are (DTLS), in `buffer` from io_egress_take(): to the selected tuple, dropped
 * without one; or to the tuple that is being answered (STUN). */
void egress_datagram(struct worker *w, struct transport *transport, uint8_t *buffer, size_t bytes);
void egress_tuple(struct worker *w, const struct transport *transport,
                  const struct ice_tuple *tuple, uint8_t *buffer, size_t bytes);

/* A feedback message begins in `writer`: alone where the peer takes reduced-size RTCP, else behind
 * an empty receiver report and our CNAME (RFC 4585 3.1). */
void egress_feedback_begin(const struct transport *transport, struct rtcp_writer *writer);

/* Room for one compound in an egress buffer. */
enum { EGRESS_RTCP_BYTES = RTCP_BYTES_MAX - SEAL_OVERHEAD_RTCP };

/* RTP padding that a packet may get so that a frame leaves as one run: under 1 % of it. */
enum { EGRESS_PAD_MAX = 8 };

#endif
