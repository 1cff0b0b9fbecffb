/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/candidates.c - ICE candidates of the sockets that a WebRTC transport listens on, with
 * mediasoup's priorities. */
#include "ctl/candidates.h"

uint32_t candidate_priority(size_t rank, bool preferred)
{
    uint32_t local = CANDIDATE_LOCAL_PREFERENCE - CANDIDATE_STEP * (uint32_t)rank +
                     (preferred ? CANDIDATE_PREFERRED : 0);
    return ((uint32_t)CANDIDATE_TYPE_PREFERENCE << 24) + (local << 8) + (256 - 1);
}

static void append(json_t *list, const struct socket *socket, json_t *address, uint32_t priority)
{
    json_t *candidate =
        json_pack("{s:s, s:I, s:O, s:o, s:s, s:i, s:s}", "foundation",
                  socket->tcp ? "tcpcandidate" : "udpcandidate", "priority", (json_int_t)priority,
                  "ip", address, "address", address, "protocol", socket->tcp ? "tcp" : "udp",
                  "port", (int)addr_port(&socket->local), "type", "host");
    if (socket->tcp) /* RFC 6544: we never connect */
        json_object_set_new(candidate, "tcpType", json_string("passive"));
    json_array_append_new(list, candidate);
}

json_t *candidates_json(struct socket *const ranked[], size_t n,
                        const struct candidate_choice *choice)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct socket *socket = ranked[i];
        char ip[ADDR_TEXT_BYTES];
        if (!socket)
            continue;
        uint32_t priority =
            candidate_priority(i, socket->tcp ? choice->prefer_tcp : choice->prefer_udp);
        json_t *announced = text_json(socket->announced);
        if (announced)
            append(list, socket, announced, priority);
        if (!announced)
            append(list, socket, json_string(addr_format_ip(&socket->local, ip)), priority);
        else if (socket->expose)
            append(list, socket, json_string(addr_format_ip(&socket->local, ip)),
                   priority - CANDIDATE_INTERNAL);
    }
    return list;
}
