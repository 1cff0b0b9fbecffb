/* SPDX-License-Identifier: GPL-3.0-or-later */
/* perf/rtcsocket.c - datagrams over UDP or in frames. */
#include "perf/rtcsocket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER_BYTES = 16384, WRITE_WAIT_MS = 1000 };

int rtcsocket_open(struct rtcsocket *s, const struct addr *relay, bool tcp, const struct addr *from)
{
    socklen_t self_bytes = sizeof s->self;
    int one = 1;
    *s = (struct rtcsocket){.tcp = tcp, .relay = *relay};
    s->fd = socket(relay->sa.sa_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return -errno;
    if (from != NULL)
        setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (tcp)
        s->buffer = malloc(BUFFER_BYTES);
    if ((tcp && s->buffer == NULL) || (from && bind(s->fd, &from->sa, addr_len(from)) != 0) ||
        connect(s->fd, &relay->sa, addr_len(relay)) != 0 ||
        getsockname(s->fd, &s->self.sa, &self_bytes) != 0) {
        int error = errno;
        rtcsocket_close(s);
        return -error;
    }
    if (tcp)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return 0;
}

void rtcsocket_close(struct rtcsocket *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    free(s->buffer);
    s->buffer = NULL;
}

static size_t receive_frame(struct rtcsocket *s, uint8_t *data)
{
    struct frame_faults faults = {0};
    for (;;) {
        size_t bytes, room;
        const uint8_t *frame = frame_next(&s->reader, s->buffer, &bytes, &faults);
        if (frame != NULL && bytes <= RTCSOCKET_BYTES) {
            memcpy(data, frame, bytes);
            return bytes;
        }
        uint8_t *at = frame_room(&s->reader, s->buffer, BUFFER_BYTES, &room);
        ssize_t got = recv(s->fd, at, room, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (got <= 0) {
            close(s->fd);
            s->fd = -1;
            return 0;
        }
        frame_filled(&s->reader, (size_t)got);
    }
}

size_t rtcsocket_receive(struct rtcsocket *s, uint8_t data[RTCSOCKET_BYTES])
{
    if (s->fd < 0)
        return 0;
    if (s->tcp)
        return receive_frame(s, data);
    for (;;) {
        ssize_t got = recv(s->fd, data, RTCSOCKET_BYTES, MSG_DONTWAIT);
        if (got > 0)
            return (size_t)got;
        if (got < 0 && errno != ECONNREFUSED) /* an earlier datagram's ICMP error */
            return 0;
    }
}

/* A frame is never cut: what the kernel does not take at once is waited for. */
static bool write_all(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t put = send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put > 0) {
            data += put;
            bytes -= (size_t)put;
            continue;
        }
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        if (errno != EAGAIN || poll(&wait, 1, WRITE_WAIT_MS) <= 0)
            return false;
    }
    return true;
}

bool rtcsocket_send(struct rtcsocket *s, const uint8_t *data, size_t bytes)
{
    uint8_t frame[FRAME_HEAD_BYTES + RTCSOCKET_BYTES];
    if (s->fd < 0 || bytes > RTCSOCKET_BYTES)
        return false;
    if (!s->tcp)
        return send(s->fd, data, bytes, MSG_DONTWAIT) == (ssize_t)bytes;
    put_be16(frame, (uint16_t)bytes);
    memcpy(frame + FRAME_HEAD_BYTES, data, bytes);
    return write_all(s->fd, frame, FRAME_HEAD_BYTES + bytes);
}
