/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/placement.h - on which worker a room has its home, and on which a transport lives.
 *
 * What decides, from the strongest: the router is pinned or the caller names a worker; the shared
 * socket that a plain transport asks for is there; the WebRTC server listens there; there is room;
 * the configuration: at home as long as that is not much busier than elsewhere, or always where
 * there is least to do. Threads: the control thread's. No state of its own. */
#ifndef CTL_PLACEMENT_H
#define CTL_PLACEMENT_H

#include "ctl/wish.h"

enum {
    /* How much busier than the least busy worker a home may be, in consumers (model_load()): at 200
     * packets/s each that is 80,000 packets/s, under a third of what a core forwards. Below it the
     * home has room, and a room of 14 people who all see and hear each other, 364 consumers, is not
     * torn apart for nothing: each packet that changes workers costs both of them. Above it the
     * others help long before the home is full. */
    PLACEMENT_MARGIN = 400,
    PLACEMENT_ROUTER_LOAD = 4, /* of a home: a room without consumers will soon have some */
};

/* What a transport's place depends on. */
struct placement {
    const struct router *router;
    int64_t worker;                     /* that the caller names; -1: none */
    const struct webrtc_server *server; /* or NULL */
    const struct wish *wishes[2];       /* of a plain transport, or NULL */
};

/* The optional parameter workerIndex; -1: not given, or wrong. */
int64_t placement_read(const struct control *control, struct fields *f);

/* The living worker with the least to do, for a router. 0 if none lives. */
uint16_t placement_home(const struct control *control);

/* The worker of a new transport. False with the request answered. */
bool placement_find(const struct control *control, struct request *request,
                    const struct placement *placement, uint16_t *worker);

/* The caller names a worker that has stopped: answers. */
void placement_fail_dead(struct request *request, uint16_t worker);

#endif
