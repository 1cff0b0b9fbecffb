/* SPDX-License-Identifier: GPL-3.0-or-later */
/* core/io_egress.c - the egress arena and the queue of sends that an engine hands to the kernel.
 *
 * A buffer stays QUEUED until the kernel has read it: the engine says so with io_egress_done(). A
 * run that failed is sent again from the same buffers before that, one datagram each. */
#include "core/io_parts.h"
#include "core/io_test_hooks.h"

#include <errno.h>
#include <netinet/udp.h>

static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)) <=
                  IO_SEND_CONTROL_BYTES,
              "the control area of a send holds source address and segment size");
static_assert(IO_RUN_PACKETS_MAX <= UINT8_MAX && IO_EGRESS_N <= UINT16_MAX, "counts fit");

size_t io_egress_arena_bytes(void)
{
    enum { ALIGN = 64 }; /* of each piece */

    return (size_t)IO_EGRESS_N * (IO_EGRESS_BYTES + sizeof(struct io_op) + sizeof(struct iovec) +
                                  sizeof(struct mmsghdr)) +
           (size_t)IO_RUN_PACKETS_MAX * sizeof(struct mmsghdr) + (size_t)5 * ALIGN;
}

void io_egress_init(struct io *io)
{
    struct io_egress *egress = &io->egress;
    egress->memory = arena_take(&io->arena, (size_t)IO_EGRESS_N * IO_EGRESS_BYTES);
    egress->ops = arena_take(&io->arena, IO_EGRESS_N * sizeof(struct io_op));
    egress->vectors = arena_take(&io->arena, IO_EGRESS_N * sizeof(struct iovec));
    egress->headers = arena_take(&io->arena, IO_EGRESS_N * sizeof(struct mmsghdr));
    egress->singles = arena_take(&io->arena, IO_RUN_PACKETS_MAX * sizeof(struct mmsghdr));
    for (uint16_t i = 0; i < IO_EGRESS_N; i++)
        egress->free[egress->free_n++] = (uint16_t)(IO_EGRESS_N - 1 - i);
}

static uint16_t buffer_index(const struct io_egress *egress, const uint8_t *buffer)
{
    ASSERT(buffer >= egress->memory);
    size_t at = (size_t)(buffer - egress->memory);
    ASSERT(at % IO_EGRESS_BYTES == 0);
    ASSERT(at / IO_EGRESS_BYTES < IO_EGRESS_N);
    return (uint16_t)(at / IO_EGRESS_BYTES);
}

uint8_t *io_egress_take(struct io *io)
{
    struct io_egress *egress = &io->egress;
    if (egress->free_n == 0) {
        io->counters.egress_full++;
        io_flush(io);
    }
    ASSERT(egress->free_n > 0); /* else the caller sits on all of them */
    uint16_t index = egress->free[--egress->free_n];
    ASSERT(egress->state[index] == IO_BUFFER_FREE);
    egress->state[index] = IO_BUFFER_TAKEN;
    return egress->memory + (size_t)index * IO_EGRESS_BYTES;
}

void io_egress_untake(struct io *io, uint8_t *buffer)
{
    struct io_egress *egress = &io->egress;
    uint16_t index = buffer_index(egress, buffer);
    ASSERT(egress->state[index] == IO_BUFFER_TAKEN);
    egress->state[index] = IO_BUFFER_FREE;
    egress->free[egress->free_n++] = index;
}

static void op_address(struct io_op *op, const struct io_socket *socket, const struct addr *to)
{
    op->to_bytes = 0;
    if (!to || !addr_is_set(to))
        return;
    op->to = *to;
    if (socket->is_ipv6 && to->sa.sa_family == AF_INET) {
        op->to = (struct addr){.in6.sin6_family = AF_INET6, .in6.sin6_port = to->in.sin_port};
        op->to.in6.sin6_addr.s6_addr32[2] = htonl(0xffff);
        op->to.in6.sin6_addr.s6_addr32[3] = to->in.sin_addr.s_addr;
    }
    op->to_bytes = (uint8_t)addr_len(&op->to);
}

static size_t control_put(uint8_t *at, int level, int type, const void *data, size_t bytes)
{
    memset(at, 0, CMSG_SPACE(bytes));
    struct cmsghdr head = {.cmsg_len = CMSG_LEN(bytes), .cmsg_level = level, .cmsg_type = type};
    memcpy(at, &head, sizeof(head));
    memcpy(at + CMSG_LEN(0), data, bytes);
    return CMSG_SPACE(bytes);
}

/* On an IPv6 socket the kernel takes IPv6 packet info for mapped destinations, too. */
static void op_source(struct io_op *op, const struct io_socket *socket, const struct addr *from)
{
    op->from_bytes = 0;
    if (!from || !addr_is_set(from) || addr_is_wildcard(from))
        return;
    if (!socket->is_ipv6) {
        struct in_pktinfo info = {.ipi_spec_dst = from->in.sin_addr};
        if (from->sa.sa_family == AF_INET)
            op->from_bytes =
                (uint8_t)control_put(op->control, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
        return;
    }
    struct in6_pktinfo info = {0};
    if (from->sa.sa_family == AF_INET) {
        info.ipi6_addr.s6_addr32[2] = htonl(0xffff);
        info.ipi6_addr.s6_addr32[3] = from->in.sin_addr.s_addr;
    } else {
        info.ipi6_addr = from->in6.sin6_addr;
        info.ipi6_ifindex = from->in6.sin6_scope_id;
    }
    op->from_bytes =
        (uint8_t)control_put(op->control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

static void vector_add(struct io *io, uint8_t *buffer, size_t bytes)
{
    struct io_egress *egress = &io->egress;
    uint16_t index = buffer_index(egress, buffer);
    ASSERT(egress->state[index] == IO_BUFFER_TAKEN);
    ASSERT(bytes > 0 && bytes <= IO_EGRESS_BYTES);
    egress->state[index] = IO_BUFFER_QUEUED;
    egress->queued[egress->queued_n++] = index;
    egress->vectors[egress->vectors_n++] = (struct iovec){.iov_base = buffer, .iov_len = bytes};
}

static struct io_op *op_begin(struct io *io, uint16_t index, const struct addr *to,
                              const struct addr *from, uint32_t tag)
{
    const struct io_socket *socket = &io->sockets[index];
    ASSERT(index < io->sockets_max);
    ASSERT(socket->state == IO_SOCKET_OPEN);
    ASSERT(io->egress.ops_n < IO_EGRESS_N); /* each has a buffer of its own */
    struct io_op *op = &io->egress.ops[io->egress.ops_n++];
    op->tag = tag;
    op->socket = index;
    op->gen = socket->gen;
    op->vector_at = io->egress.vectors_n;
    op_address(op, socket, to);
    op_source(op, socket, from);
    op->control_bytes = op->from_bytes;
    return op;
}

static void op_end(struct io *io, struct io_op *op, size_t bytes)
{
    op->vectors_n = (uint8_t)(io->egress.vectors_n - op->vector_at);
    op->bytes = (uint32_t)bytes;
    op->error = 0;
    io->egress.packets += op->vectors_n;
    io->egress.bytes += bytes;
    io->counters.sends++;
}

void io_send(struct io *io, uint16_t socket, const struct addr *to, const struct addr *from,
             uint8_t *buffer, size_t bytes, uint32_t tag)
{
    struct io_op *op = op_begin(io, socket, to, from, tag);
    vector_add(io, buffer, bytes);
    op_end(io, op, bytes);
}

void io_send_run(struct io *io, uint16_t socket, const struct addr *to, const struct addr *from,
                 uint8_t *const *buffers, size_t n, size_t segment_bytes, size_t last_bytes,
                 uint32_t tag)
{
    ASSERT(n >= 1 && n <= IO_RUN_PACKETS_MAX);
    ASSERT(last_bytes <= segment_bytes);
    ASSERT((n - 1) * segment_bytes + last_bytes <= IO_RUN_BYTES_MAX);
    if (n == 1 || !io_has(io, IO_FEATURE_UDP_SEGMENT)) {
        for (size_t i = 0; i < n; i++)
            io_send(io, socket, to, from, buffers[i], i + 1 < n ? segment_bytes : last_bytes, tag);
        return;
    }
    struct io_op *op = op_begin(io, socket, to, from, tag);
    for (size_t i = 0; i < n; i++)
        vector_add(io, buffers[i], i + 1 < n ? segment_bytes : last_bytes);
    uint16_t segment = (uint16_t)segment_bytes;
    size_t bytes =
        control_put(op->control + op->from_bytes, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
    op->control_bytes = (uint8_t)(op->from_bytes + bytes);
    op_end(io, op, (n - 1) * segment_bytes + last_bytes);
    io->counters.runs++;
}

static void header_fill(struct msghdr *header, struct io_op *op, struct iovec *vectors, size_t n,
                        size_t control_bytes)
{
    *header = (struct msghdr){.msg_name = op->to_bytes ? &op->to : NULL,
                              .msg_namelen = op->to_bytes,
                              .msg_iov = vectors,
                              .msg_iovlen = n,
                              .msg_control = control_bytes ? op->control : NULL,
                              .msg_controllen = control_bytes};
}

struct msghdr *io_egress_header(struct io *io, uint16_t index)
{
    struct io_egress *egress = &io->egress;
    ASSERT(index < egress->ops_n);
    struct io_op *op = &egress->ops[index];
    struct msghdr *header = &egress->headers[index].msg_hdr;
    header_fill(header, op, egress->vectors + op->vector_at, op->vectors_n, op->control_bytes);
    return header;
}

/* Says that `vectors` of the op's datagrams did not go out. */
static void packets_failed(struct io *io, const struct iovec *vectors, size_t n, int error)
{
    for (size_t i = 0; i < n; i++)
        io->egress.bytes -= vectors[i].iov_len;
    io->egress.packets -= n;
    if (error == EAGAIN)
        io->counters.send_again += n;
    else
        io->counters.send_errors += n;
}

/* What a run is refused for, and a single datagram is perhaps not: too long for the path, a socket
 * or a device without checksums, a tunnel. */
static bool run_refused(int error)
{
    return error == EMSGSIZE || error == EINVAL || error == EIO || error == EOPNOTSUPP;
}

void io_egress_failed(struct io *io, uint16_t index, int error)
{
    struct io_egress *egress = &io->egress;
    ASSERT(index < egress->ops_n);
    ASSERT(error > 0);
    struct io_op *op = &egress->ops[index];
    if (op->vectors_n > 1 && run_refused(error)) {
        ASSERT(egress->splits_n < IO_EGRESS_N);
        op->error = error; /* told when the singles are out */
        egress->splits[egress->splits_n++] = index;
        return;
    }
    packets_failed(io, egress->vectors + op->vector_at, op->vectors_n, error);
    io_failed_add(io, op, error, op->vectors_n);
}

/* Sends `n` prepared messages. Returns how many went out before the first that did not. */
static size_t send_some(struct io *io, int fd, struct mmsghdr *headers, size_t n, int *error)
{
    *error = io_egress_fault(io, false);
    if (*error)
        return 0;
    io->counters.syscalls++;
    int sent = sendmmsg(fd, headers, (unsigned)n, MSG_DONTWAIT);
    if (sent >= 0)
        return (size_t)sent;
    *error = errno;
    return 0;
}

/* Bounded: every call gets at least one datagram out of the way. */
static void run_split(struct io *io, struct io_op *op)
{
    struct io_egress *egress = &io->egress;
    struct iovec *vectors = egress->vectors + op->vector_at;
    size_t n = op->vectors_n;
    for (size_t i = 0; i < n; i++)
        header_fill(&egress->singles[i].msg_hdr, op, &vectors[i], 1, op->from_bytes);

    uint16_t failed_n = 0;
    for (size_t at = 0; at < n;) {
        int why = 0;
        at += send_some(io, io->sockets[op->socket].fd, egress->singles + at, n - at, &why);
        if (why) {
            packets_failed(io, &vectors[at++], 1, why);
            failed_n++;
        }
    }
    io->counters.runs_split++;
    io_failed_add(io, op, op->error, failed_n);
}

void io_egress_done(struct io *io)
{
    struct io_egress *egress = &io->egress;
    for (uint16_t i = 0; i < egress->splits_n; i++) {
        struct io_op *op = &egress->ops[egress->splits[i]];
        run_split(io, op);
    }
    egress->splits_n = 0;
    io->counters.packets_out += egress->packets;
    io->counters.bytes_out += egress->bytes;
    egress->packets = 0;
    egress->bytes = 0;
    while (egress->queued_n) { /* the first one queued is the next one taken: it is warm */
        uint16_t index = egress->queued[--egress->queued_n];
        egress->state[index] = IO_BUFFER_FREE;
        egress->free[egress->free_n++] = index;
    }
    egress->ops_n = 0;
    egress->vectors_n = 0;
}

int io_egress_fault(struct io *io, bool is_run)
{
    struct io_fault *fault = &io->fault;
    if (__builtin_expect(fault->count == 0, 1) || (fault->runs_only && !is_run))
        return 0;
    if (fault->skip) {
        fault->skip--;
        return 0;
    }
    fault->count--;
    return fault->error;
}

void io_test_fail_sends(struct io *io, int error, uint32_t skip, uint32_t count, bool runs_only)
{
    io->fault =
        (struct io_fault){.error = error, .skip = skip, .count = count, .runs_only = runs_only};
}
