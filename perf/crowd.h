/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/crowd.h - WebRTC peers in one process: they join a relay when the harness says so, over its
 * control socket and by ICE and DTLS as browsers do, stay, and leave.
 *
 *   round 1: transport.createWebRtc -> transport.connect -> checks, DTLS -> joined      each peer
 *   leave:   close_notify; the harness closes the router
 *
 * The process is the least of the load's: what plays a room's receivers runs first. */
#ifndef PERF_CROWD_H
#define PERF_CROWD_H

#include "perf/shared.h"

#define CROWD_SERVER "storm" /* id of the webRtcServer that the harness makes */

enum { CROWD_ROUTER_BYTES = 32, CROWD_CALLS_MAX = 32 /* requests under way */ };

/* Id of the router of a round. */
void crowd_router(char id[CROWD_ROUTER_BYTES], uint32_t round);

int crowd_run(struct shared *shared, const struct options *options);

#endif
