/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/recovery.h - losses made good: NACKs served to consumers, NACKs and key frame requests sent
 * to producers, retention kept to RTT.
 *
 * Threads: the owning worker. */
#ifndef NET_RECOVERY_H
#define NET_RECOVERY_H

#include "net/state.h"

/* ---- towards receivers ---- */

/* One NACKed number of a consumer; serve them with recovery_serve() when all have been noted. */
void recovery_request(struct worker *w, struct consumer *consumer, uint16_t seq);

/* Resends what the pace allows, sets the timer for the rest. */
void recovery_serve(struct worker *w, struct consumer *consumer);

/* Once a second: the memory of resends that nobody has asked for in a while goes back to the
 * system.
 */
void recovery_rest(struct worker *w);

/* A packet is being sent for the first time: a NACK that was here before it is answered by that. */
void recovery_sent(struct consumer *consumer, uint16_t seq);

/* ---- towards producers ---- */

/* A packet of the stream came (media or recovered): notes gaps, sets the NACK timer. */
void recovery_receive(struct worker *w, struct stream *stream, uint32_t seq_ext, bool keyframe,
                      bool rtx);
void recovery_ask(struct worker *w, struct stream *stream); /* the NACK timer ran */

/* A receiver wants a key frame of this stream. `force`: whatever is outstanding. */
void recovery_keyframe(struct worker *w, struct stream *stream, bool force);
bool recovery_is_consumed(const struct stream *stream); /* by somebody, on whatever worker */
/* A stream begins, or begins anew, and not with a key frame: asks for one where that could not be
 * done before, or where the jump has taken it. */
void recovery_fresh(struct worker *w, struct stream *stream);
/* The source said BYE: nothing more is asked of it; what it sends nevertheless begins anew. */
void recovery_source_ended(struct worker *w, struct stream *stream);
void recovery_keyframe_expire(struct worker *w, struct stream *stream); /* the timer ran */

/* ---- retention ---- */

/* The stream's consumers or their RTTs have changed, here or elsewhere: recomputes how long its
 * packets are kept. Of a mirror: tells that worker, who does. */
void recovery_retention_update(struct worker *w, struct stream *stream);
/* One consumer's RTT has changed: longer takes effect now, shorter with the next report. */
void recovery_retention_rtt(struct worker *w, struct consumer *consumer);
/* Retained packets of a stream that receives no more still expire. */
void recovery_schedule_expiry(struct worker *w, struct stream *stream);

#endif
