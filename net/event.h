/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/event.h - what a worker tells the control thread of its own accord.
 *
 * Events are outcomes with cookie 0. They are dropped and counted when the outbox is nearly full: a
 * flood of trace events never takes the room of a command's outcome. Threads: the owning worker. */
#ifndef NET_EVENT_H
#define NET_EVENT_H

#include "net/state.h"

void event_tuple(struct worker *w, const struct transport *transport, bool rtcp);

/* A WebRTC transport's, of now. False: there is no room; net/peer.h says it later. */
bool event_ice_state(struct worker *w, const struct transport *transport);
bool event_ice_selected(struct worker *w, const struct transport *transport);
bool event_dtls_state(struct worker *w, struct transport *transport);

void event_producer_score(struct worker *w, const struct producer *producer);
void event_consumer_score(struct worker *w, const struct consumer *consumer);
/* False: no room, and nothing was said. */
bool event_shed(struct worker *w, const struct consumer *consumer, bool shed);
bool event_stress(struct worker *w, uint32_t figure, bool high);

void event_socket_dead(struct worker *w, uint32_t socket, int error);
void event_engine_dead(struct worker *w, int error);

/* Trace events, where the object's trace_bits ask for them (the caller checks). */
void event_trace_in(struct worker *w, const struct stream *stream, const struct record *record,
                    bool rtx);
void event_trace_out(struct worker *w, const struct consumer *consumer,
                     const struct plan_item *item);
void event_trace_feedback(struct worker *w, enum object_kind object, uint32_t index,
                          enum trace_event_bit bit, bool out, uint32_t ssrc, uint32_t packets);

/* Rings the control thread if anything was put in the outbox since the last call. Once a turn. */
void event_ring(struct worker *w);

#endif
