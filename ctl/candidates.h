/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/candidates.h - ICE candidates of the sockets that a WebRTC transport listens on, with
 * mediasoup's priorities.
 *
 * All are host candidates of component 1 (rtcp-mux always): RFC 8445 5.1.2.1 with a type preference
 * of 64 and a local preference that falls by 100 from one listenInfo to the next. Threads: values,
 * no state. */
#ifndef CTL_CANDIDATES_H
#define CTL_CANDIDATES_H

#include "ctl/model.h"

enum {
    CANDIDATE_TYPE_PREFERENCE = 64,
    CANDIDATE_LOCAL_PREFERENCE = 10000, /* of the first listenInfo */
    CANDIDATE_STEP = 100,
    CANDIDATE_PREFERRED = 1000, /* more for preferUdp, preferTcp */
    CANDIDATE_INTERNAL = 1000,  /* less for the address behind an announced one; of the priority */
};

struct candidate_choice {
    bool udp, tcp, prefer_udp, prefer_tcp;
};

static inline bool candidate_is_wanted(const struct candidate_choice *choice, bool tcp)
{
    return tcp ? choice->tcp : choice->udp;
}

/* `rank`: place of its listenInfo in the list, whether the ones before it are used or not. */
uint32_t candidate_priority(size_t rank, bool preferred);

/* A list of IceCandidate; NULL sockets are not used and keep their rank. A new reference. */
json_t *candidates_json(struct socket *const ranked[], size_t n,
                        const struct candidate_choice *choice);

#endif
