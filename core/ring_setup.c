/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/ring_setup.c - makes a ring of what the kernel offers, and notes what it does not. */
#include "core/ring.h"

#include <errno.h>
#include <sys/mman.h>

enum { GROUP = 0 }; /* of provided buffers: there is one */

static bool lacks(const struct io_config *config, enum io_feature feature)
{
    return (config->without & (uint32_t)feature) != 0;
}

static int missing(struct io *io, enum io_feature feature, int error)
{
    io->missing |= (uint32_t)feature;
    return error;
}

/* The best task-run mode that the kernel knows. The ring starts disabled so that the thread that
 * enables it, and not the one that makes it, becomes its issuer. */
static int queue_init(struct io *io, struct ring *ring, const struct io_config *config,
                      struct io_uring_params *params, uint32_t cq_entries)
{
    static const unsigned modes[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED |
            IORING_SETUP_SUBMIT_ALL,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
        0,
    };
    int failed = -EINVAL;
    size_t first = lacks(config, IO_FEATURE_DEFER_TASKRUN) ? 1 : 0;
    for (size_t i = first; i < ARRAY_N(modes) && failed == -EINVAL; i++) {
        *params = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE | modes[i],
                                           .cq_entries = cq_entries};
        failed = io_uring_queue_init_params(RING_SQ_ENTRIES, &ring->uring, params);
        ring->disabled = (modes[i] & IORING_SETUP_R_DISABLED) != 0;
        if (i > 0)
            io->missing |= IO_FEATURE_DEFER_TASKRUN;
    }
    return failed;
}

/* Completions that can be there at once: every slot that stands, a submit's failures, sockets'
 * ends. More than that overflow in the kernel, which loses nothing and costs a little. */
static uint32_t cq_entries(const struct io_config *config)
{
    uint32_t wanted = 2 * config->standing_max;
    if (wanted < RING_CQ_MIN)
        return RING_CQ_MIN;
    return wanted > RING_CQ_MAX ? RING_CQ_MAX : wanted;
}

static int rings_make(struct io *io, struct ring *ring, const struct io_config *config,
                      struct io_uring_params *params)
{
    if (lacks(config, IO_FEATURE_URING))
        return missing(io, IO_FEATURE_URING, -ENOSYS);
    int failed = -ENOMEM;
    for (uint32_t n = cq_entries(config); n >= RING_CQ_MIN && failed == -ENOMEM; n /= 2) {
        failed = queue_init(io, ring, config, params, n);
        if (failed == -ENOMEM)
            io->missing |= IO_FEATURE_MEMLOCK;
    }
    if (failed && failed != -ENOMEM)
        return missing(io, IO_FEATURE_URING, failed);
    return failed;
}

/* Multishot RECVMSG came with SEND_ZC in 6.0, SEND with an address with SENDMSG_ZC in 6.1. */
static int features_find(struct io *io, struct ring *ring, const struct io_config *config,
                         const struct io_uring_params *params)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
    bool has_multishot = probe && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC);
    ring->send_to = probe && io_uring_opcode_supported(probe, IORING_OP_SENDMSG_ZC) &&
                    !lacks(config, IO_FEATURE_SEND_TO);
    io_uring_free_probe(probe);
    if (!has_multishot || !(params->features & IORING_FEAT_EXT_ARG) ||
        lacks(config, IO_FEATURE_MULTISHOT))
        return missing(io, IO_FEATURE_MULTISHOT, -EOPNOTSUPP);
    ring->min_wait =
        (params->features & IORING_FEAT_MIN_TIMEOUT) && !lacks(config, IO_FEATURE_MIN_WAIT);
    ring->skip_success =
        (params->features & IORING_FEAT_CQE_SKIP) && !lacks(config, IO_FEATURE_SKIP_SUCCESS);
    if (!ring->send_to)
        io->missing |= IO_FEATURE_SEND_TO;
    if (!ring->min_wait)
        io->missing |= IO_FEATURE_MIN_WAIT;
    if (!ring->skip_success)
        io->missing |= IO_FEATURE_SKIP_SUCCESS;
    return 0;
}

/* The ring of provided buffers is memory that the kernel pins: under a low limit, a smaller one
 * does. */
static int buffers_make(struct io *io, struct ring *ring, const struct io_config *config)
{
    if (lacks(config, IO_FEATURE_BUFFER_RING))
        return missing(io, IO_FEATURE_BUFFER_RING, -EOPNOTSUPP);
    uint32_t n = config->standing_max;
    if (lacks(config, IO_FEATURE_MEMLOCK)) {
        io->missing |= IO_FEATURE_MEMLOCK;
        n = n < RING_STANDING_WITHOUT_MEMLOCK ? n : RING_STANDING_WITHOUT_MEMLOCK;
    }
    int failed = -ENOMEM;
    for (; n >= IO_STANDING_LEAST; n /= 2) {
        failed = 0;
        ring->buffers = io_uring_setup_buf_ring(&ring->uring, n, GROUP, 0, &failed);
        if (ring->buffers || failed != -ENOMEM)
            break;
        io->missing |= IO_FEATURE_MEMLOCK;
    }
    if (!ring->buffers)
        return failed == -ENOMEM ? failed : missing(io, IO_FEATURE_BUFFER_RING, failed);
    ring->buffers_n = n;
    ring->target = n < IO_STANDING_MIN ? n : IO_STANDING_MIN;
    return 0;
}

int ring_init(struct io *io, const struct io_config *config)
{
    /* While a list is worked off, all that are not in it may be added behind it. */
    size_t sockets_n = 2 * (size_t)config->sockets_max;
    size_t watches_n = 2 * (size_t)config->watches_max;
    size_t map_bytes = sizeof(struct ring) + (sockets_n + watches_n) * sizeof(uint16_t);
    struct ring *ring =
        mmap(NULL, map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ring == MAP_FAILED)
        return -errno;
    ring->map_bytes = map_bytes;
    ring->watches_listed = ring->listed + sockets_n;
    ring->receive_header =
        (struct msghdr){.msg_namelen = SLOT_NAME_BYTES, .msg_controllen = SLOT_CONTROL_BYTES};
    struct io_uring_params params;
    int failed = rings_make(io, ring, config, &params);
    if (failed)
        goto unmap;
    failed = features_find(io, ring, config, &params);
    if (!failed)
        failed = buffers_make(io, ring, config);
    if (failed)
        goto rings;
    io->state = ring;
    return 0;
rings:
    io_uring_queue_exit(&ring->uring);
unmap:
    munmap(ring, map_bytes);
    return failed;
}

void ring_free(struct io *io)
{
    struct ring *ring = io->state;
    io_uring_free_buf_ring(&ring->uring, ring->buffers, ring->buffers_n, GROUP);
    io_uring_queue_exit(&ring->uring);
    munmap(ring, ring->map_bytes);
    io->state = NULL;
}

int ring_attach(struct ring *ring)
{
    if (ring->attached)
        return 0;
    int failed = ring->disabled ? io_uring_enable_rings(&ring->uring) : 0;
    if (failed)
        return failed;
    (void)io_uring_register_ring_fd(&ring->uring); /* without it a call is a little slower */
    ring->attached = true;
    return 0;
}
