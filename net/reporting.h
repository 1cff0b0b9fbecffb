/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/reporting.h - RTCP that a transport sends of its own accord: sender and receiver reports, XR,
 * transport-wide feedback.
 *
 * One compound a second or so per transport (interval x [1.0, 1.5], RFC 3550 6.2): a sender report
 * and CNAME per consumer that is sending, report blocks for its producers' streams, RRTR, and DLRR
 * for peers that sent RRTR; several compounds when one does not hold it. Threads: the owning
 * worker. */
#ifndef NET_REPORTING_H
#define NET_REPORTING_H

#include "net/state.h"

/* Fraction that the receivers of an Opus stream report as lost: the worst of `own`, of the
 * consumers here and of those on other workers. Of others: `own`. */
uint8_t reporting_worst_lost(const struct stream *stream, uint8_t own, int64_t now_us);

/* The report timer ran: sends, and sets the next. */
void reporting_send(struct worker *w, struct transport *transport);

/* A consumer closes: what it has sent under is said BYE to with the transport's next report, merged
 * with others, so that the end of a large room is no flood of datagrams; before that when BYES_N
 * have come together. */
void reporting_bye(struct worker *w, const struct consumer *consumer);
void reporting_send_byes(struct worker *w, struct transport *transport); /* now: it closes */
/* The ssrc is in use again: it has not left. */
void reporting_cancel_bye(struct transport *transport, uint32_t ssrc);

/* The transport-wide feedback timer ran. */
void reporting_send_twcc(struct worker *w, struct transport *transport);

/* A packet with a transport-wide number came. */
void reporting_record_twcc(struct worker *w, struct transport *transport, uint16_t number,
                           uint32_t ssrc, int64_t arrived_us);

#endif
