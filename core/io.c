/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/io.c - chooses the engine, says what is missing and what helps, hands the calls on. */
#include "core/io.h"
#include "core/io_parts.h"
#include "core/io_test_hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct feature_text {
    const char *name, *remedy;
};

static const struct feature_text feature_texts[IO_FEATURES_N] = {
    {"uring", "io_uring is not available: allow io_uring_setup, io_uring_enter and "
              "io_uring_register in the container's seccomp profile, set sysctl "
              "kernel.io_uring_disabled=0, or run Linux 6.0 or newer."},
    {"min_wait", "Linux 6.12 or newer waits for a batch in one system call instead of two."},
    {"multishot", "Linux 6.0 or newer has multishot receives; the mmsg engine runs instead."},
    {"buffer_ring", "Linux 5.19 or newer has provided buffer rings; the mmsg engine runs instead."},
    {"defer_taskrun", "Linux 6.1 or newer runs completions in the worker's own time."},
    {"udp_segment", "Linux 4.18 or newer sends runs of packets at once (UDP_SEGMENT); they go out "
                    "one by one instead, which costs more CPU."},
    {"timestamp", "The kernel gives no receive timestamps (SO_TIMESTAMPNS): arrival times are as "
                  "coarse as the worker's turns."},
    {"rxq_ovfl", "The kernel does not tell how many datagrams it dropped (SO_RXQ_OVFL): watch "
                 "RcvbufErrors in /proc/net/snmp instead."},
    {"skip_success", "Linux 5.17 or newer leaves out the completions of sends that worked."},
    {"memlock", "The memory lock limit is too low for the full receive ring: raise it with "
                "LimitMEMLOCK=64M in the systemd unit, or ulimit -l 65536."},
    {"rcvbuf_force", "The socket receive buffers stay small: run sysctl -w "
                     "net.core.rmem_max=4194304, or give the relay CAP_NET_ADMIN."},
    {"send_to", "Linux 6.1 or newer sends single packets without a message header."},
};

static size_t feature_index(enum io_feature feature)
{
    ASSERT(feature != 0);
    size_t index = (size_t)__builtin_ctz((unsigned)feature);
    ASSERT(index < IO_FEATURES_N);
    return index;
}

const char *io_feature_name(enum io_feature feature)
{
    return feature_texts[feature_index(feature)].name;
}

const char *io_feature_remedy(enum io_feature feature)
{
    return feature_texts[feature_index(feature)].remedy;
}

/* One term per array, each rounded up by the arena. */
static size_t arena_sum(const struct io_config *config)
{
    enum { ARRAYS_N = 8, ALIGN = 64 };

    size_t sockets_n = config->sockets_max;
    return sockets_n * (sizeof(struct io_socket) + sizeof(uint16_t) + sizeof(uint16_t)) +
           config->standing_max * sizeof(struct io_received) +
           IO_FAILED_MAX * sizeof(struct io_failed) + io_egress_arena_bytes() +
           io_watch_arena_bytes(config->watches_max) + (size_t)ARRAYS_N * ALIGN;
}

static int parts_init(struct io *io, const struct io_config *config)
{
    int failed = arena_init(&io->arena, arena_sum(config));
    if (failed)
        return failed;
    io->sockets_max = config->sockets_max;
    io->received_max = config->standing_max;
    io->prompt = config->prompt;
    io->sockets = arena_take(&io->arena, io->sockets_max * sizeof(struct io_socket));
    io->sockets_free = arena_take(&io->arena, io->sockets_max * sizeof(uint16_t));
    io->dead = arena_take(&io->arena, io->sockets_max * sizeof(uint16_t));
    io->received = arena_take(&io->arena, io->received_max * sizeof(struct io_received));
    io->failed = arena_take(&io->arena, IO_FAILED_MAX * sizeof(struct io_failed));
    io_watch_init(io, config->watches_max);
    io_egress_init(io);
    arena_freeze(&io->arena);
    io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->wake_fd < 0) {
        failed = -errno;
        arena_exit(&io->arena);
        return failed;
    }
    io_clock_begin(io);
    io_clock_begin(io);
    io_clock_refresh(io);
    return 0;
}

static void parts_exit(struct io *io)
{
    close(io->wake_fd);
    arena_exit(&io->arena);
}

static int engine_init(struct io *io, const struct io_config *config)
{
    if (config->engine != IO_ENGINE_MMSG) {
        io->engine = &ring_engine;
        int failed = ring_engine.init(io, config);
        if (!failed || config->engine == IO_ENGINE_URING)
            return failed;
    }
    io->engine = &mmsg_engine;
    return mmsg_engine.init(io, config);
}

int io_init(struct io **out, const struct io_config *config, struct slab *slab)
{
    ASSERT(out && slab);
    bool in_range = config->sockets_max >= 1 && config->sockets_max <= IO_SOCKETS_MAX &&
                    config->standing_max >= IO_STANDING_LEAST && config->standing_max <= 32768 &&
                    config->watches_max <= IO_WATCHES_MAX;
    if (!in_range || (config->standing_max & (config->standing_max - 1)) != 0)
        return -EINVAL;
    struct io *io =
        mmap(NULL, sizeof(*io), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (io == MAP_FAILED)
        return -errno;
    io->slab = slab;
    io->company = IO_COMPANY_MAX;
    int failed = parts_init(io, config);
    if (failed)
        goto unmap;
    io->missing = io_socket_probe(config->without);
    failed = engine_init(io, config);
    if (failed)
        goto parts;
    *out = io;
    return 0;
parts:
    parts_exit(io);
unmap:
    munmap(io, sizeof(*io));
    return failed;
}

void io_exit(struct io *io)
{
    io->engine->exit(io);
    for (uint32_t i = 0; i < io->slab->slots_n; i++) /* they stood, or were not told */
        if (io->slab->state[i] == SLOT_KERNEL)
            slab_release(io->slab, (uint16_t)i);
    for (uint32_t i = 0; i < io->sockets_fresh; i++)
        if (io->sockets[i].state != IO_SOCKET_FREE)
            io_socket_close(io, (uint16_t)i);
    parts_exit(io);
    munmap(io, sizeof(*io));
}

enum io_engine io_engine_of(const struct io *io)
{
    return io->engine->id;
}

uint32_t io_missing(const struct io *io)
{
    return io->missing;
}

const struct arena *io_memory(const struct io *io)
{
    return &io->arena;
}

const struct io_counters *io_counters(const struct io *io)
{
    return &io->counters;
}

int io_open_socket(struct io *io, int fd)
{
    int index = io_socket_add(io, fd);
    if (index < 0)
        return index;
    int failed = io->engine->open(io, (uint16_t)index);
    if (!failed)
        return index;
    /* The fd stays the caller's. */
    io->sockets[index].state = IO_SOCKET_FREE;
    io->sockets_free[io->sockets_free_n++] = (uint16_t)index;
    io->sockets_n--;
    return failed;
}

void io_close_socket(struct io *io, uint16_t socket)
{
    ASSERT(socket < io->sockets_max);
    ASSERT(io->sockets[socket].state == IO_SOCKET_OPEN);
    io_flush(io); /* sends that are queued name the fd */
    io->sockets[socket].state = IO_SOCKET_CLOSING;
    io->engine->close(io, socket);
}

int io_wait(struct io *io, int64_t until_us)
{
    io->counters.waits++;
    io_clock_begin(io);
    return io->engine->wait(io, until_us);
}

int io_poll(struct io *io)
{
    return io->engine->poll(io);
}

void io_flush(struct io *io)
{
    io->engine->submit(io);
    ASSERT(io->egress.queued_n == 0);
}

bool io_rest(struct io *io)
{
    if (io->egress.free_n < IO_EGRESS_N)
        return false;
    base_give_back(io->egress.memory, (size_t)IO_EGRESS_N * IO_EGRESS_BYTES);
    return true;
}

bool io_standing_is_empty(const struct io *io)
{
    return io->received_at == io->received_n && io->engine->standing_is_empty(io);
}

/* Whoever finds it asked for already can go: the worker clears it before it looks at its mailbox.
 */
void io_wake(struct io *io)
{
    if (atomic_exchange(&io->wake_asked, true))
        return;
    uint64_t one = 1;
    ssize_t written = write(io->wake_fd, &one, sizeof(one));
    (void)written; /* full is as good as woken */
}

void io_test_refuse_submits(struct io *io, uint32_t count)
{
    io->refuse_submits = count;
}

void io_test_step_wall(struct io *io, int64_t by_us)
{
    io->wall_offset_us += by_us;
}

void io_test_set_drops_seen(struct io *io, uint16_t socket, uint32_t drops_seen)
{
    io->sockets[socket].drops_seen = drops_seen;
}
