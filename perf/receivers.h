/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/receivers.h - the participants of a scene as receivers, in one process: a UDP socket each,
 * loss and delay of their own, reports and NACKs as a browser sends them.
 *
 * Loss: each arriving RTP packet (resends too) is thrown away with the given probability before it
 * is accounted, by a seeded generator. Delay: everything a receiver says is sent `rtt` later than
 * it is said, its delay-since-last-report unchanged, so the relay measures that RTT and a resend
 * comes an RTT after the decision to ask for it. Streams are told by the clear header's ssrc; one
 * receiver in SCENE_SAMPLE decrypts everything and gives the transit times, all decrypt RTX.
 *
 * With WebRTC it is here that participants join by ICE and DTLS; the publisher gets the keys from
 * the mapping, and sends from the same sockets. What the relay asks a sender for comes here, too,
 * and is handed to it. */
#ifndef PERF_RECEIVERS_H
#define PERF_RECEIVERS_H

#include "perf/shared.h"

int receivers_run(struct shared *shared, const struct options *options);

#endif
