/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/fanout.h - a turn's packets to everyone who wants them: receiver outer, packet inner,
 * resumable.
 *
 * Received packets are chained to their stream (fanout_add). fanout_begin() takes the streams that
 * are in no round into a new round with the list of their receivers, each with its oldest packets,
 * at most ROUND_RECORDS_MAX: so long does a command wait that changes objects. fanout_step() serves
 * receivers until its slice is used up, so that receiving and timers come in between, and rounds
 * take turns. Streams of a crowd have rounds of their own, and neither kind may take all of them: a
 * small room waits for slices of such a stream, not for its end. (Smaller streams share rounds.) A
 * stream is in one round at a time: order inside an ssrc is kept; what is left of it, or comes for
 * it meanwhile, waits for the next. At the end of a round its packets go to retention, and so does,
 * without being sent, what has waited for one longer than FANOUT_LATE_US. Threads: the owning
 * worker. */
#ifndef NET_FANOUT_H
#define NET_FANOUT_H

#include "net/state.h"

/* Can another packet be taken, or must fan-out go first? */
bool fanout_has_room(const struct worker *w);

/* Takes an accepted packet over: its slot is the round's until it is retained or released. */
void fanout_add(struct worker *w, struct stream *stream, const struct record *record);

/* Opens rounds over what has been added, of each kind one, if there is anything and one is free. */
void fanout_begin(struct worker *w);

/* Serves one slice: FANOUT_SLICE packets and at most one consumer's, ROUND_RECORDS_MAX, more. True
 * while there is more to do. */
bool fanout_step(struct worker *w);

/* Video begins with a key frame: until the first packet of one comes, nothing is forwarded to this
 * consumer (audio, and video whose payload types have no key frames, goes on at once). Its numbers
 * stand still meanwhile, so what follows the key frame but came before it is missing to the
 * receiver, which gets it by NACK. No round may be active. */
void fanout_await_keyframe(struct consumer *consumer);

/* Is a round under way? Objects do not change meanwhile. */
bool fanout_is_active(const struct worker *w);

/* Runs every round to its end: the worker stops. */
void fanout_finish(struct worker *w);

/* Throws away what a stream has waiting (its producer closes or pauses). No round may be active. */
void fanout_discard(struct worker *w, struct stream *stream);

#endif
