/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/core_io_rig.h - an engine with its slab and sockets on loopback, and a plain peer to talk
 * to. */
#ifndef SLUICE_TEST_CORE_IO_RIG_H
#define SLUICE_TEST_CORE_IO_RIG_H

#include "core/io.h"

#include "test/suite.h"

enum { RIG_PEER_BYTES_MAX = 2048, RIG_DEADLINE_US = 5000000 };

struct rig {
    struct slab slab;
    struct io *io;
    enum io_engine engine;
    /* What rig_drain() saw. */
    uint32_t datagrams_n, failed_n, failed_packets_n, woken_n, dead_n, ready_n;
    int last_error;
    uint32_t last_tag;
    struct io_event last;
};

struct rig_config {
    uint32_t slots_n, sockets_max, standing_max, without, watches_max;
    bool prompt;
};

extern const struct rig_config rig_usual; /* 1024 slots, 8 sockets, 256 may stand */

enum io_engine rig_engine(int row); /* of a loop test over both */

void rig_open(struct rig *rig, enum io_engine engine, const struct rig_config *config);
void rig_close(struct rig *rig); /* every slot must be free again */

/* A bound socket and its address; `ip` with port 0 takes any. */
int rig_bind(const char *ip, uint16_t port, struct addr *bound);

/* The same, handed to the engine; its index. */
uint16_t rig_socket(struct rig *rig, const char *ip, struct addr *bound);

/* A peer's socket with large buffers and a receive timeout of a second. */
int rig_peer(const char *ip, struct addr *bound);

void rig_peer_send(int peer, const struct addr *to, const void *data, size_t bytes);

/* Fills a packet with what rig_check() knows again. */
void rig_fill(uint8_t *data, size_t bytes, uint32_t number);
bool rig_check(const uint8_t *data, size_t bytes, uint32_t number);

/* Receives one datagram within a second; its length, or -1. */
ssize_t rig_peer_receive(int peer, uint8_t data[RIG_PEER_BYTES_MAX], struct addr *from);

/* Nothing is there for the peer. */
bool rig_peer_is_empty(int peer);

/* Takes a buffer, fills it as packet `number`, queues it. */
void rig_send(struct rig *rig, uint16_t socket, const struct addr *to, size_t bytes,
              uint32_t number);
void rig_send_run(struct rig *rig, uint16_t socket, const struct addr *to, const struct addr *from,
                  size_t n, size_t segment_bytes, size_t last_bytes, uint32_t number);

/* Waits once until `wait_us` from now, and takes the events: slots go back at once. */
void rig_drain(struct rig *rig, int64_t wait_us);

/* rig_drain() until so many datagrams have come in all, or five seconds have passed. */
void rig_drain_until(struct rig *rig, uint32_t datagrams_n);

/* A datagram out, one in, a run out: what every engine and every fallback must do. */
void rig_exchange(struct rig *rig);

/* In a child process: false ends it with the line as its message. */
#define CHILD_CHECK(truth)                                                                         \
    do {                                                                                           \
        if (!(truth))                                                                              \
            rig_child_failed(#truth, __FILE__, __LINE__);                                          \
    } while (0)
_Noreturn void rig_child_failed(const char *truth, const char *file, int line);

enum { RIG_CHILD_SKIPS = 77 };

/* Runs `body` in a child process; its exit code, or -1. */
int rig_child(void (*body)(int row), int row);

#endif
