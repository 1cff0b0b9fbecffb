/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_tcp_rig.h - a worker's TCP on a real engine without the worker, and plain peers.
 *
 * tcp_rig_turn() is a turn as net/tcp.h has it; what came is kept in a log. The clock can be set
 * forward (`skew_us`), so that nobody waits for deadlines. */
#ifndef SLUICE_TEST_NET_TCP_RIG_H
#define SLUICE_TEST_NET_TCP_RIG_H

#include "net/tcp.h"
#include "net/tcp_open.h"
#include "test/suite.h"

enum { TCP_RIG_LOG = 4096, TCP_RIG_WAIT_US = 5000000, TCP_RIG_SOCKET = 7 };

struct tcp_rig_row {
    struct tcp_id id;
    uint32_t owner;
    uint32_t bytes;
    uint32_t number; /* of the frame, as tcp_rig_frame() wrote it; UINT32_MAX: damaged */
    uint16_t slot;   /* only with `holds` */
};

struct tcp_rig {
    struct slab slab;
    struct io *io;
    struct tcp *tcp;
    struct tcp_socket listening;
    int listener;
    int64_t skew_us;
    bool holds;  /* slots are not given back */
    bool claims; /* the first frame of a connection claims it, for its index */
    uint32_t frames_n, closed_n;
    struct tcp_event last;   /* frame */
    struct tcp_event closed; /* the last end */
    struct tcp_rig_row log[TCP_RIG_LOG];
};

struct tcp_rig_config {
    const char *ip;                                       /* NULL: 127.0.0.1 */
    uint32_t slots_n, connections_max, pending_bytes_max; /* 0: 256, 8, 1 MiB */
    uint32_t send_bytes;                                  /* of the kernel's buffer */
};

/* Both engines: row 0 and 1. */
void tcp_rig_open(struct tcp_rig *rig, int row, const struct tcp_rig_config *config);
void tcp_rig_close(struct tcp_rig *rig); /* every slot must be free, and no buffer taken */

/* One turn; waits up to `wait_us`. */
void tcp_rig_turn(struct tcp_rig *rig, int64_t wait_us);

/* Turns until the frames, the ends or the accepted connections are so many, or 5 s have passed. */
void tcp_rig_frames(struct tcp_rig *rig, uint32_t n);
void tcp_rig_closed(struct tcp_rig *rig, uint32_t n);
void tcp_rig_accepted(struct tcp_rig *rig, uint64_t n);

/* A connected peer without delay. `receive_bytes`: of its kernel buffer, 0: as it is. */
int tcp_rig_connect(const struct addr *to, int receive_bytes);
int tcp_rig_connect_from(const struct addr *to, const char *ip);

/* A peer that has sent frame 0 and is claimed for `owner`; its id. */
struct tcp_id tcp_rig_claimed(struct tcp_rig *rig, int *peer, int receive_bytes, uint32_t owner);

/* Writes a frame with its head to `at`; its bytes. `bytes` >= 4. */
size_t tcp_rig_frame(uint8_t *at, size_t bytes, uint32_t number);

/* The packet alone; its number, or UINT32_MAX. */
void tcp_rig_fill(uint8_t *packet, size_t bytes, uint32_t number);
uint32_t tcp_rig_check(const uint8_t *packet, size_t bytes);

void tcp_rig_peer_send(int peer, const uint8_t *data, size_t bytes);

/* Reads exactly one frame, while turns go on; its bytes, 0 at the end of the stream, -1 when
 * nothing comes for five seconds. */
ssize_t tcp_rig_peer_frame(struct tcp_rig *rig, int peer, uint8_t *packet, size_t bytes_max);

/* The stream has ended or was reset for the peer, within five seconds. */
bool tcp_rig_peer_is_ended(struct tcp_rig *rig, int peer);

#endif
