/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/socket.c - sockets of the model: bound by the control thread, given to a worker, closed with
 * their last user. */
#include "ctl/socket.h"

#include "core/random.h"
#include "ctl/admission.h"
#include "ctl/close.h"
#include "net/tcp_open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- berths ---- */

/* Finds a free port and leaves it in `local`. udp_open() would wait for one, and this thread serves
 * everybody; between this look and its bind() there is hardly time for another's. */
static int port_find(struct addr *local, const struct wish *wish)
{
    const struct udp_options *options = &wish->options;
    uint32_t low = options->port_min, high = options->port_max;
    int family = local->sa.sa_family, one = 1, v6_only = options->v6_only, error = 0;
    if (addr_port(local) != 0)
        low = high = addr_port(local);
    if (low == 0)
        return 0; /* the system finds one */
    int type = wish->tcp ? SOCK_STREAM : SOCK_DGRAM;
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (wish->tcp) /* connections of a listener that has gone do not stand in the way */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    else if (options->reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
    uint32_t n = high - low + 1, start = random_u32() % n;
    for (uint32_t i = 0; i < n; i++) {
        addr_set_port(local, (uint16_t)(low + (start + i) % n));
        error = bind(fd, &local->sa, addr_len(local)) == 0 ? 0 : errno;
        if (error != EADDRINUSE)
            break;
    }
    close(fd);
    return -error;
}

static int tcp_bind(struct udp_socket *bound, const struct addr *local,
                    const struct udp_options *options)
{
    struct tcp_socket tcp;
    int failed = tcp_open(&tcp, local, options);
    if (!failed)
        *bound = (struct udp_socket){.fd = tcp.fd, .local = tcp.local};
    return failed;
}

static int berth_find(const struct control *control, struct berth *berth)
{
    const struct wish *wish = berth->wish;
    struct addr local = berth->local;
    if (wish->shared)
        berth->shared = model_shared_socket(&control->model, berth->worker, &local);
    if (berth->shared)
        return 0;
    int failed = port_find(&local, wish);
    if (!failed)
        failed = wish->tcp ? tcp_bind(&berth->bound, &local, &wish->options)
                           : udp_open(&berth->bound, &local, &wish->options);
    if (failed)
        berth->bound.fd = -1;
    return failed;
}

void berths_leave(struct berth berths[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (berths[i].bound.fd >= 0)
            close(berths[i].bound.fd);
        berths[i].bound.fd = -1;
    }
}

static void fail_bind(struct request *request, int error, const struct berth *berth)
{
    const struct wish *wish = berth->wish;
    char where[ADDR_TEXT_BYTES], path[FIELD_PATH_BYTES];
    addr_format(&berth->local, where);
    snprintf(path, sizeof(path), "%.100s.%s", wish->path, error == -EADDRINUSE ? "port" : "ip");
    request_fail(request,
                 error == -EADDRINUSE      ? RPC_EXISTS
                 : error == -EADDRNOTAVAIL ? RPC_PARAMS
                 : error == -EMFILE        ? RPC_FULL
                                           : RPC_INTERNAL,
                 path, "an address of this machine with a free port", where,
                 "cannot bind %s (%s): %s%s", where, wish->tcp ? "tcp" : "udp", strerror(-error),
                 error == -EMFILE ? " (raise the limit of open files, LimitNOFILE)" : "");
}

bool berths_find(const struct control *control, struct request *request, struct berth berths[],
                 size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int failed = berth_find(control, &berths[i]);
        if (!failed)
            continue;
        berths_leave(berths, n);
        if (failed != -EADDRINUSE || !request_retry(request))
            fail_bind(request, failed, &berths[i]);
        return false;
    }
    return true;
}

/* ---- sockets ---- */

static void on_opened(struct control *control, struct errand *errand, const struct outcome *outcome)
{
    (void)control;
    struct socket *socket = errand->object;
    socket->failed = outcome->result;
}

static void warn_refused(const struct udp_socket *bound, uint32_t wanted)
{
    static bool said;
    if (!bound->receive_refused || said)
        return;
    said = true;
    log_warn("transport",
             "receive buffers of %u bytes instead of %u: a burst may be lost in the kernel "
             "(sysctl -w net.core.rmem_max=%u, or run with CAP_NET_ADMIN)",
             bound->receive_bytes, wanted, wanted);
}

static void fill(struct texts *texts, struct socket *socket, const struct berth *berth,
                 struct webrtc_server *server)
{
    const struct wish *wish = berth->wish;
    *socket = (struct socket){
        .worker = berth->worker,
        .shared = wish->shared,
        .tcp = wish->tcp,
        .expose = wish->expose,
        .local = berth->bound.local,
        .receive_bytes = berth->bound.receive_bytes,
        .server = server,
    };
    if (wish->use == WISH_WEBRTC)
        socket->announced = texts_keep(texts, wish->announced);
    list_init(&socket->link);
}

struct socket *socket_make(struct control *control, struct request *request, struct berth *berth,
                           struct webrtc_server *server, errand_done *opened)
{
    struct model *model = &control->model;
    struct indices *indices = &model->places[berth->worker].of[OBJECT_SOCKET];
    struct socket *socket = calloc(1, sizeof(*socket));
    struct errand *errand = errand_make(COMMAND_SOCKET_OPEN, 0, true, server ? opened : on_opened);
    uint32_t index = socket && errand ? indices_take(indices, socket) : INDEX_NONE;
    if (index == INDEX_NONE) {
        if (socket && errand)
            admission_fail_full(control, request, OBJECT_SOCKET, berth->worker);
        else
            request_fail_memory(request);
        if (errand) {
            errand->command->socket_open.fd = -1; /* still the berth's */
            errand_free(errand);
        }
        free(socket);
        return NULL;
    }
    warn_refused(&berth->bound, berth->wish->options.receive_bytes);
    fill(&model->texts, socket, berth, server);
    socket->index = index;
    if (socket->shared)
        list_append(&model->shared_sockets, &socket->link);
    model->sockets_n++;
    errand->index = index;
    errand->object = socket;
    errand->command->socket_open = (struct command_socket_open){
        .fd = berth->bound.fd,
        .kind = socket->tcp ? SOCKET_TCP : SOCKET_UDP,
        .shared = socket->shared || server,
        .local = socket->local,
    };
    berth->bound.fd = -1;
    control_errand(control, berth->worker, errand);
    return socket;
}

struct socket *socket_get(struct control *control, struct request *request, struct berth *berth)
{
    struct socket *socket = berth->shared;
    if (!socket)
        socket = socket_make(control, request, berth, NULL, NULL);
    if (socket)
        socket->transports_n++;
    return socket;
}

void socket_put(struct control *control, struct socket *socket)
{
    if (--socket->transports_n == 0 && !socket->server)
        close_socket(control, socket, NULL);
}
