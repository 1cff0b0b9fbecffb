/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/wish.h - a listenInfo as it was read: where a transport or a WebRTC server wants to listen.
 *
 * Threads: the control thread's. Ownership: values; `announced` is borrowed from the request. */
#ifndef CTL_WISH_H
#define CTL_WISH_H

#include "ctl/control.h"

enum wish_use {
    WISH_PLAIN,  /* UDP; may be shared by several plain transports */
    WISH_WEBRTC, /* UDP or TCP; peers are told the address, so it must be one they can reach */
};

struct wish {
    enum wish_use use;
    struct addr local;
    struct udp_options options;
    const json_t *announced; /* a string, or NULL */
    bool tcp;
    bool expose; /* a candidate of its own address beside the announced one */
    bool shared;
    char path[FIELD_PATH_BYTES]; /* of the listenInfo, for errors about it */
};

/* `names` is the place of the listenInfo in the method's table: "listenInfo", "listenInfos[]". */
void wish_read(const struct control *control, struct request *request, struct fields *f,
               const char *names, enum wish_use use, struct wish *wish);

/* The list `listenInfos`: at least one. Returns how many there are, 0 after an error. */
uint32_t wish_read_list(const struct control *control, struct request *request, struct fields *f,
                        struct wish wishes[TRANSPORT_SOCKETS_MAX]);

#endif
