/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/sender.c - engines of the relay, and a ring for zero-copy. */
#include "perf/sender.h"

#include "net/udp.h"

#include <errno.h>
#include <liburing.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS_N = 256, BUFFERS_N = IO_EGRESS_N, RING_ENTRIES = 512, CONTROL_BYTES = 24 };

static_assert(CMSG_SPACE(sizeof(uint16_t)) <= CONTROL_BYTES, "a segment size fits");

struct op { /* of the own ring: what the kernel reads until the send is done */
    struct msghdr header;
    struct iovec vectors[SENDER_RUN_MAX];
    _Alignas(8) uint8_t control[CONTROL_BYTES];
    uint8_t packets;
};

struct ring {
    struct io_uring uring;
    uint8_t *memory;
    struct op ops[BUFFERS_N];
    uint32_t ops_n, taken_n;
    uint32_t waited_n; /* completions that are to come */
    struct sender_figures figures;
};

struct sender {
    enum sender_how how;
    bool connected;
    struct io *io; /* the relay's engines */
    struct slab slab;
    struct ring *ring; /* or a ring */
    struct addr *targets;
    int *fds;          /* of the ring's sockets */
    uint16_t *sockets; /* of the engine's */
    uint32_t targets_n, sockets_n;
    uint64_t failed; /* of the engine */
};

static bool is_own_ring(const struct sender *sender)
{
    return sender->how == SENDER_RING || sender->how == SENDER_RING_ZC;
}

/* ---- sockets ---- */

static int socket_add(struct sender *sender, const struct addr *local, const struct addr *to,
                      struct addr *bound)
{
    struct udp_options options = {.receive_bytes = 1 << 16, .reuse_port = true};
    struct udp_socket socket;
    int failed = udp_open(&socket, local, &options);
    if (failed)
        return failed;
    *bound = socket.local;
    if (to != NULL && connect(socket.fd, &to->sa, addr_len(to)) != 0) {
        failed = -errno;
        close(socket.fd);
        return failed;
    }
    if (!is_own_ring(sender)) {
        int index = io_open_socket(sender->io, socket.fd);
        if (index < 0) {
            close(socket.fd);
            return index;
        }
        sender->sockets[sender->sockets_n] = (uint16_t)index;
    }
    sender->fds[sender->sockets_n++] = socket.fd;
    return 0;
}

/* Connected ones have the port of the first, as they would in a relay. */
static int sockets_open(struct sender *sender)
{
    struct addr local;
    addr_parse(&local, "0.0.0.0", 0);
    uint32_t n = sender->connected ? sender->targets_n : 1;
    int failed = 0;
    for (uint32_t i = 0; i < n && !failed; i++)
        failed = socket_add(sender, &local, sender->connected ? &sender->targets[i] : NULL, &local);
    return failed;
}

/* ---- the own ring ---- */

static int ring_make(struct sender *sender)
{
    static const unsigned modes[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL, 0};
    struct ring *ring = calloc(1, sizeof(*ring));
    if (ring == NULL)
        return -ENOMEM;
    size_t bytes = (size_t)BUFFERS_N * IO_EGRESS_BYTES;
    ring->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int failed = ring->memory == MAP_FAILED ? -errno : -EINVAL;
    for (size_t i = 0; i < ARRAY_N(modes) && failed == -EINVAL; i++)
        failed = io_uring_queue_init(RING_ENTRIES, &ring->uring, modes[i]);
    if (failed) {
        if (ring->memory != MAP_FAILED)
            munmap(ring->memory, bytes);
        free(ring);
        return failed == -ENOSYS || failed == -EPERM ? -ENOTSUP : failed;
    }
    sender->ring = ring;
    if (sender->how != SENDER_RING_ZC)
        return 0;
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
    bool has_zc = probe != NULL && io_uring_opcode_supported(probe, IORING_OP_SENDMSG_ZC);
    io_uring_free_probe(probe);
    struct iovec all = {.iov_base = ring->memory, .iov_len = bytes};
    return has_zc ? io_uring_register_buffers(&ring->uring, &all, 1) : -ENOTSUP;
}

static void ring_reap(struct ring *ring)
{
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;
    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        n++;
        if (cqe->flags & IORING_CQE_F_NOTIF) { /* the kernel has let go of the buffers */
            ring->waited_n--;
            continue;
        }
        ring->waited_n -= !(cqe->flags & IORING_CQE_F_MORE);
        if (cqe->res < 0)
            ring->figures.failed += ring->ops[cqe->user_data].packets;
    }
    io_uring_cq_advance(&ring->uring, n);
}

/* A broken ring ends the wait: what it did not send shows as not arrived. */
static void ring_flush(struct ring *ring)
{
    do {
        unsigned wait_n = ring->waited_n < BUFFERS_N ? ring->waited_n : BUFFERS_N;
        int result = io_uring_submit_and_wait(&ring->uring, wait_n);
        ring->figures.syscalls++;
        if (result < 0 && result != -EINTR)
            break;
        ring_reap(ring);
    } while (ring->waited_n > 0 || io_uring_sq_ready(&ring->uring) > 0);
    ring->ops_n = ring->taken_n = 0;
}

static uint8_t *ring_take(struct ring *ring)
{
    if (ring->taken_n == BUFFERS_N)
        ring_flush(ring);
    return ring->memory + (size_t)ring->taken_n++ * IO_EGRESS_BYTES;
}

static void op_fill(struct op *op, const struct addr *to, uint8_t *const *buffers, size_t n,
                    size_t segment_bytes, size_t last_bytes)
{
    for (size_t i = 0; i < n; i++)
        op->vectors[i] = (struct iovec){.iov_base = buffers[i],
                                        .iov_len = i + 1 < n ? segment_bytes : last_bytes};
    op->header = (struct msghdr){.msg_iov = op->vectors, .msg_iovlen = n};
    if (to != NULL) {
        op->header.msg_name = (void *)(uintptr_t)&to->sa;
        op->header.msg_namelen = addr_len(to);
    }
    if (n == 1)
        return;
    uint16_t segment = (uint16_t)segment_bytes;
    struct cmsghdr head = {
        .cmsg_len = CMSG_LEN(sizeof(segment)), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
    memcpy(op->control, &head, sizeof(head));
    memcpy(op->control + CMSG_LEN(0), &segment, sizeof(segment));
    op->header.msg_control = op->control;
    op->header.msg_controllen = CMSG_SPACE(sizeof(segment));
}

static void ring_send(struct sender *sender, int fd, const struct addr *to, uint8_t *const *buffers,
                      size_t n, size_t segment_bytes, size_t last_bytes)
{
    struct ring *ring = sender->ring;
    bool zc = sender->how == SENDER_RING_ZC;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    struct op *op = &ring->ops[ring->ops_n];
    ASSERT(sqe != NULL); /* entries outnumber buffers */
    op_fill(op, to, buffers, n, segment_bytes, last_bytes);
    op->packets = (uint8_t)n;
    if (n > 1 && zc)
        io_uring_prep_sendmsg_zc(sqe, fd, &op->header, MSG_DONTWAIT);
    else if (n > 1)
        io_uring_prep_sendmsg(sqe, fd, &op->header, MSG_DONTWAIT);
    else if (zc)
        io_uring_prep_send_zc_fixed(sqe, fd, buffers[0], last_bytes, MSG_DONTWAIT, 0, 0);
    else
        io_uring_prep_send(sqe, fd, buffers[0], last_bytes, MSG_DONTWAIT);
    if (n == 1 && to != NULL)
        io_uring_prep_send_set_addr(sqe, &to->sa, (uint16_t)addr_len(to));
    if (!zc)
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    ring->waited_n += zc; /* of the others only failures complete, before submitting returns */
    sqe->user_data = ring->ops_n++;
    ring->figures.packets += n;
    ring->figures.sends++;
}

/* ---- the calls ---- */

static int engine_make(struct sender *sender)
{
    struct io_config config = {
        .engine = sender->how == SENDER_MMSG ? IO_ENGINE_MMSG : IO_ENGINE_URING,
        .without = sender->how == SENDER_URING_MSG ? IO_FEATURE_SEND_TO : 0,
        .sockets_max = sender->connected ? sender->targets_n : 1,
        .standing_max = IO_STANDING_MIN,
    };
    int failed = slab_init(&sender->slab, SLOTS_N, 0, false);
    if (!failed)
        failed = io_init(&sender->io, &config, &sender->slab);
    return failed == -ENOSYS || failed == -EPERM ? -ENOTSUP : failed;
}

int sender_init(struct sender **out, enum sender_how how, bool connected,
                const struct addr *targets, uint32_t targets_n)
{
    struct sender *sender = calloc(1, sizeof(*sender));
    if (sender == NULL)
        return -ENOMEM;
    sender->how = how;
    sender->connected = connected;
    sender->targets_n = targets_n;
    sender->targets = calloc(targets_n, sizeof(*targets));
    sender->fds = calloc(targets_n, sizeof(int));
    sender->sockets = calloc(targets_n, sizeof(uint16_t));
    int failed = sender->targets && sender->fds && sender->sockets ? 0 : -ENOMEM;
    if (!failed) {
        memcpy(sender->targets, targets, targets_n * sizeof(*targets));
        failed = is_own_ring(sender) ? ring_make(sender) : engine_make(sender);
    }
    if (!failed)
        failed = sockets_open(sender);
    if (failed) {
        sender_exit(sender);
        return failed;
    }
    *out = sender;
    return 0;
}

void sender_exit(struct sender *sender)
{
    if (sender == NULL)
        return;
    if (sender->ring != NULL) {
        for (uint32_t i = 0; i < sender->sockets_n; i++)
            close(sender->fds[i]);
        io_uring_queue_exit(&sender->ring->uring);
        munmap(sender->ring->memory, (size_t)BUFFERS_N * IO_EGRESS_BYTES);
        free(sender->ring);
    }
    if (sender->io != NULL)
        io_exit(sender->io); /* closes its sockets */
    if (sender->slab.memory != NULL)
        slab_exit(&sender->slab);
    free(sender->targets);
    free(sender->fds);
    free(sender->sockets);
    free(sender);
}

uint8_t *sender_take(struct sender *sender)
{
    return sender->ring != NULL ? ring_take(sender->ring) : io_egress_take(sender->io);
}

void sender_send(struct sender *sender, uint32_t target, uint8_t *const *buffers, size_t n,
                 size_t segment_bytes, size_t last_bytes)
{
    ASSERT(n >= 1 && n <= SENDER_RUN_MAX);
    ASSERT(target < sender->targets_n);
    uint32_t at = sender->connected ? target : 0;
    const struct addr *to = sender->connected ? NULL : &sender->targets[target];
    if (sender->ring != NULL)
        ring_send(sender, sender->fds[at], to, buffers, n, segment_bytes, last_bytes);
    else if (n == 1)
        io_send(sender->io, sender->sockets[at], to, NULL, buffers[0], last_bytes, 0);
    else
        io_send_run(sender->io, sender->sockets[at], to, NULL, buffers, n, segment_bytes,
                    last_bytes, 0);
}

void sender_flush(struct sender *sender)
{
    if (sender->ring != NULL) {
        ring_flush(sender->ring);
        return;
    }
    struct io_event event;
    io_flush(sender->io);
    while (io_next(sender->io, &event)) {
        if (event.kind == IO_DATAGRAM)
            slab_release(&sender->slab, event.slot);
        else if (event.kind == IO_SEND_FAILED)
            sender->failed += event.packets;
    }
}

struct sender_figures sender_figures(const struct sender *sender)
{
    if (sender->ring != NULL)
        return sender->ring->figures;
    const struct io_counters *counters = io_counters(sender->io);
    return (struct sender_figures){.packets = counters->packets_out + sender->failed,
                                   .sends = counters->sends,
                                   .failed = sender->failed,
                                   .syscalls = counters->syscalls};
}
