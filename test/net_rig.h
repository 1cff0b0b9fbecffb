/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/net_rig.h - a real worker on loopback, driven as the control thread drives it, and plain
 * sockets as its peers.
 *
 * Everything is synchronous: a command waits for its outcome, a receive for its datagram, both at
 * most RIG_WAIT_MS. A failure is a failed check at the caller's line. Events that come meanwhile
 * are kept and can be asked for. */
#ifndef SLUICE_TEST_NET_RIG_H
#define SLUICE_TEST_NET_RIG_H

#include "net/command.h"
#include "net/udp.h"
#include "net/worker.h"
#include "rtcp/packet.h"
#include "test/suite.h"

enum {
    RIG_WAIT_MS = 5000,
    RIG_QUIET_MS = 80,
    RIG_EVENTS = 256,
    RIG_PACKET = 2048,
    RIGS_MAX = 8,
    RIG_VP8_BYTES = 2
};

struct rig {
    struct worker *worker;
    uint64_t cookie;
    uint32_t sockets, transports, producers, consumers; /* next free index */
    struct outcome events[RIG_EVENTS];
    uint32_t events_n;
};

struct rig_peer { /* a transport of the relay and the socket of its peer */
    uint32_t transport, socket;
    int fd;            /* the peer's */
    struct addr relay; /* where it sends to */
    struct addr self;
};

/* Both engines, in the order of a loop test's index. */
extern const enum io_engine rig_engines[2];

/* A worker with small limits; `slots` 0 for 4096. */
void rig_start(struct rig *rig, enum io_engine engine, uint32_t slots, uint32_t without);
/* The same in two steps, for limits of one's own. */
void rig_config(struct worker_config *config, enum io_engine engine, uint32_t slots,
                uint32_t without);
void rig_start_with(struct rig *rig, const struct worker_config *config);
/* Several linked ones: config.index is each one's own. Stopped together. */
void rigs_start(struct rig *rigs, uint32_t rigs_n, const struct worker_config *config);
void rigs_stop(struct rig *rigs, uint32_t rigs_n);
/* Stops it and checks that it ends with no object and every slot free. */
void rig_stop(struct rig *rig);

/* Posts, waits for the outcome, copies it to `outcome` if not NULL, returns its result. */
int rig_command(struct rig *rig, struct command *command, struct outcome *outcome);

/* A relay socket on 127.0.0.1 (`v6`: ::1). Its address comes back. */
uint32_t rig_socket(struct rig *rig, bool shared, bool v6, struct addr *local);
int rig_peer_socket(struct addr *self, bool v6);

/* A transport with a socket of its own and a connected peer (comedia: not connected). `keys` may be
 * NULL. */
void rig_peer(struct rig *rig, struct rig_peer *peer, bool comedia, const struct srtp_keys *keys);
/* The same on a shared socket. */
void rig_peer_shared(struct rig *rig, struct rig_peer *peer, uint32_t socket,
                     const struct addr *relay, const struct srtp_keys *keys);
void rig_peer_close(struct rig *rig, struct rig_peer *peer, bool socket_too);

/* Payload type 96 VP8 with RTX 97, ssrc as given (rtx ssrc = ssrc + 1), NACK, PLI. */
void rig_producer_defaults(struct command_producer_open *open, uint32_t transport, uint32_t ssrc);
uint32_t rig_producer(struct rig *rig, const struct command_producer_open *open);
/* 96 -> 101 VP8; rtx 102 on ssrc + 1 where `rtx`; first number 1000, first timestamp offset 5000.
 */
void rig_consumer_defaults(struct command_consumer_open *open, uint32_t transport,
                           uint32_t producer, uint32_t ssrc, bool rtx);
uint32_t rig_consumer(struct rig *rig, const struct command_consumer_open *open);
void rig_close(struct rig *rig, enum command_kind kind, uint32_t index);

struct rig_rtp { /* a packet to be made */
    uint32_t ssrc, rtp_ts;
    uint16_t seq;
    uint8_t pt;
    bool marker;
    bool delta;           /* not, as each is otherwise, the first packet of a VP8 key frame */
    size_t payload_bytes; /* filled with a pattern of the sequence number, behind RIG_VP8_BYTES */
};

size_t rig_make_rtp(const struct rig_rtp *rtp, uint8_t *data);
void rig_send(const struct rig_peer *peer, const uint8_t *data, size_t bytes);
void rig_send_rtp(const struct rig_peer *peer, const struct rig_rtp *rtp);

/* Next RTP (or RTCP) datagram of a peer; 0 after `wait_ms`. The other kind is passed over. */
size_t rig_receive_rtp(const struct rig_peer *peer, uint8_t data[RIG_PACKET], int wait_ms);
size_t rig_receive_rtcp(const struct rig_peer *peer, uint8_t data[RIG_PACKET], int wait_ms);

/* The next RTCP packet of this type and format (-1: any) towards a peer; `data` is its compound. */
bool rig_await_rtcp(const struct rig_peer *peer, uint8_t type, int format, uint8_t data[RIG_PACKET],
                    struct rtcp_packet *packet);

/* Keys out of a pattern, and the peer's side of them: what the relay opens, the peer seals. */
void rig_keys(struct srtp_keys *keys, enum seal_suite suite, uint8_t pattern);
struct seal *rig_peer_seal(const struct srtp_keys *keys);
/* Sealed in a copy, then sent. The ssrc must have been added to the peer's seal. */
void rig_send_sealed(const struct rig_peer *peer, struct seal *seal, const uint8_t *data,
                     size_t bytes);

/* Figures of an object of now. */
void rig_stats(struct rig *rig, enum object_kind kind, uint32_t index, struct outcome *outcome);

/* Waits until a counter of the worker has reached `value`. What came before is counted then:
 * counters are published at the end of a turn. */
void rig_wait_counter(const _Atomic uint64_t *counter, uint64_t value, const char *file, int line);
#define rig_wait(counter, value) rig_wait_counter((counter), (value), __FILE__, __LINE__)

/* Two turns of the worker: what came and was sent before is counted and published. */
void rig_settle(struct rig *rig);

uint64_t rig_drops(const struct rig *rig, enum drop why);
#define rig_wait_drops(rig, why, value)                                                            \
    rig_wait(&worker_counters((rig)->worker)->drops[why], (value))

/* Of those kept, with what they own. */
void rig_forget_events(struct rig *rig);

/* The first kept event of this kind, or waits for it; NULL after RIG_WAIT_MS. */
const struct outcome *rig_event(struct rig *rig, enum event_kind kind);

#endif
