/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/transport.c - transport.createPlain and connect: sockets, addresses, keys. */
#include "ctl/base64.h"
#include "ctl/close.h"
#include "ctl/handlers.h"
#include "ctl/tuple.h"

#include "core/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a listenInfo asks for. */
struct wish {
    struct addr local;
    struct udp_options options;
    const json_t *announced;
    bool shared;
};

static void wish_ports(struct request *request, struct fields *f, struct wish *wish)
{
    struct fields range;
    char below[FIELD_PATH_BYTES];
    int64_t min = 0, max = 0;
    if (!fields_object(f, "portRange", FIELD_OPTIONAL, &range))
        return;
    request_only(request, &range, fields_path(f, "portRange", below));
    fields_int(&range, "min", FIELD_REQUIRED, 1, UINT16_MAX, &min);
    fields_int(&range, "max", FIELD_REQUIRED, 1, UINT16_MAX, &max);
    if (fields_ok(f) && max < min)
        fields_fail(&range, "max", "a port not below min");
    wish->options.port_min = (uint16_t)min;
    wish->options.port_max = (uint16_t)max;
}

static void wish_read(struct control *control, struct request *request, struct fields *f,
                      const char *prefix, struct wish *wish)
{
    static const char *const protocols[] = {"udp", NULL};
    const char *ip = "", *announced = NULL;
    int protocol = 0;
    int64_t port = 0, send_bytes = 0, receive_bytes = 0;
    *wish = (struct wish){
        .options = {.port_min = control->config.port_min, .port_max = control->config.port_max}};
    request_only(request, f, prefix);
    fields_enum(f, "protocol", FIELD_OPTIONAL, protocols, &protocol);
    fields_string(f, "ip", FIELD_REQUIRED, 1, ADDR_TEXT_BYTES, &ip);
    fields_int(f, "port", FIELD_OPTIONAL, 0, UINT16_MAX, &port);
    if (fields_ok(f) && addr_parse(&wish->local, ip, (uint16_t)port) != 0)
        fields_fail(f, "ip", "an IP address");
    if (fields_string(f, "announcedAddress", FIELD_OPTIONAL, 1, 255, &announced))
        wish->announced = fields_peek(f, "announcedAddress");
    else if (fields_string(f, "announcedIp", FIELD_OPTIONAL, 1, 255, &announced))
        wish->announced = fields_peek(f, "announcedIp");
    wish_ports(request, f, wish);
    fields_int(f, "sendBufferSize", FIELD_OPTIONAL, 0, 1 << 30, &send_bytes);
    fields_int(f, "recvBufferSize", FIELD_OPTIONAL, 0, 1 << 30, &receive_bytes);
    wish->options.send_bytes = (uint32_t)send_bytes;
    wish->options.receive_bytes =
        receive_bytes ? (uint32_t)receive_bytes : udp_receive_bytes(control->config.planned_pps);

    struct fields flags;
    if (fields_object(f, "flags", FIELD_OPTIONAL, &flags)) {
        char below[FIELD_PATH_BYTES];
        request_only(request, &flags, fields_path(f, "flags", below));
        fields_bool(&flags, "ipv6Only", FIELD_OPTIONAL, &wish->options.v6_only);
        fields_bool(&flags, "udpReusePort", FIELD_OPTIONAL, &wish->options.reuse_port);
        fields_bool(&flags, "shared", FIELD_OPTIONAL, &wish->shared);
    }
    if (fields_ok(f) && wish->shared && port == 0)
        fields_fail(f, "port", "a port, because flags.shared is set");
}

/* ---- sockets ---- */

static void on_socket_opened(struct control *control, struct errand *errand,
                             const struct outcome *outcome)
{
    (void)control;
    struct socket *socket = errand->object;
    socket->failed = outcome->result;
}

static void warn_refused(const struct udp_socket *udp, uint32_t wanted)
{
    static bool said;
    if (!udp->receive_refused || said)
        return;
    said = true;
    log_warn("transport",
             "receive buffers of %u bytes instead of %u: a burst may be lost in the kernel "
             "(sysctl -w net.core.rmem_max=%u, or run with CAP_NET_ADMIN)",
             udp->receive_bytes, wanted, wanted);
}

static void fail_socket(struct request *request, int error, const char *prefix,
                        const struct wish *wish)
{
    char where[ADDR_TEXT_BYTES], path[FIELD_PATH_BYTES];
    addr_format(&wish->local, where);
    snprintf(path, sizeof(path), "%s.%s", prefix, error == -EADDRINUSE ? "port" : "ip");
    request_fail(request,
                 error == -EADDRINUSE      ? RPC_EXISTS
                 : error == -EADDRNOTAVAIL ? RPC_PARAMS
                 : error == -EMFILE        ? RPC_FULL
                                           : RPC_INTERNAL,
                 path, "an address of this machine with a free port", where, "cannot bind %s: %s%s",
                 where, strerror(-error),
                 error == -EMFILE ? " (raise the limit of open files, LimitNOFILE)" : "");
}

/* Finds a free port and leaves it in `local`. udp_open() would wait for one, and this thread serves
 * everybody; between this look and its bind() there is hardly time for another's. */
static int port_find(struct addr *local, const struct udp_options *options)
{
    uint32_t low = options->port_min, high = options->port_max;
    int family = local->sa.sa_family, one = 1, v6_only = options->v6_only, error = 0;
    if (addr_port(local) != 0)
        low = high = addr_port(local);
    if (low == 0)
        return 0; /* the system finds one */
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (options->reuse_port)
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

/* Where a wish leads: to a shared socket that is there, or to a port just bound. */
struct berth {
    struct socket *shared;
    struct udp_socket udp; /* its fd -1: none */
};

static int berth_find(const struct control *control, uint16_t worker, const struct wish *wish,
                      struct berth *berth)
{
    struct addr local = wish->local;
    if (wish->shared)
        berth->shared = model_shared_socket(&control->model, worker, &local);
    if (berth->shared)
        return 0;
    int failed = port_find(&local, &wish->options);
    return failed ? failed : udp_open(&berth->udp, &local, &wish->options);
}

static void berth_leave(struct berth *berth)
{
    if (berth->udp.fd >= 0)
        close(berth->udp.fd);
    berth->udp.fd = -1;
}

/* A socket of its own, which takes the berth's. NULL with the request answered. */
static struct socket *socket_make(struct control *control, struct request *request, uint16_t worker,
                                  const struct wish *wish, struct berth *berth)
{
    struct indices *indices = &control->model.places[worker].of[OBJECT_SOCKET];
    struct udp_socket *udp = &berth->udp;
    struct socket *socket = calloc(1, sizeof(*socket));
    struct errand *errand = errand_make(COMMAND_SOCKET_OPEN, 0, true, on_socket_opened);
    uint32_t index = socket && errand ? indices_take(indices, socket) : INDEX_NONE;
    if (index == INDEX_NONE) {
        if (socket && errand)
            request_fail(request, RPC_FULL, NULL, NULL, NULL, "worker %u has no room for a socket",
                         worker);
        else
            request_fail_memory(request);
        if (errand) {
            errand->command->socket_open.fd = -1; /* still the berth's */
            errand_free(errand);
        }
        free(socket);
        return NULL;
    }
    warn_refused(udp, wish->options.receive_bytes);
    *socket = (struct socket){.index = index,
                              .worker = worker,
                              .shared = wish->shared,
                              .local = udp->local,
                              .receive_bytes = udp->receive_bytes};
    list_init(&socket->link);
    if (socket->shared)
        list_append(&control->model.shared_sockets, &socket->link);
    control->model.sockets_n++;
    errand->index = index;
    errand->object = socket;
    errand->command->socket_open =
        (struct command_socket_open){.fd = udp->fd, .shared = wish->shared, .local = udp->local};
    udp->fd = -1;
    control_errand(control, worker, errand);
    return socket;
}

/* One more user of the berth's socket. */
static struct socket *socket_get(struct control *control, struct request *request, uint16_t worker,
                                 const struct wish *wish, struct berth *berth)
{
    struct socket *socket = berth->shared;
    if (!socket)
        socket = socket_make(control, request, worker, wish, berth);
    if (socket)
        socket->transports_n++;
    return socket;
}

static void socket_put(struct control *control, struct socket *socket)
{
    if (socket && --socket->transports_n == 0)
        close_socket(control, socket, NULL);
}

/* ---- createPlain ---- */

struct plain {
    const char *id;
    const json_t *app_data;
    struct wish rtp, rtcp;
    bool mux, comedia, srtp;
    bool has_rtcp;
    enum seal_suite suite;
};

static void srtp_suite_read(struct fields *f, const char *key, enum field_need need,
                            enum seal_suite *suite)
{
    static const char *const names[] = {"AEAD_AES_256_GCM", "AEAD_AES_128_GCM",
                                        "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", NULL};
    int choice = -1;
    fields_enum(f, key, need, names, &choice);
    if (choice >= 0)
        *suite = seal_suite_of_name(names[choice]);
}

static void plain_read(struct control *control, struct request *request, struct fields *f,
                       struct plain *plain)
{
    struct fields listen;
    bool sctp = false;
    fields_bool(f, "rtcpMux", FIELD_OPTIONAL, &plain->mux);
    fields_bool(f, "comedia", FIELD_OPTIONAL, &plain->comedia);
    fields_bool(f, "enableSrtp", FIELD_OPTIONAL, &plain->srtp);
    fields_bool(f, "enableSctp", FIELD_OPTIONAL, &sctp);
    srtp_suite_read(f, "srtpCryptoSuite", FIELD_OPTIONAL, &plain->suite);
    if (fields_object(f, "listenInfo", FIELD_REQUIRED, &listen))
        wish_read(control, request, &listen, "listenInfo", &plain->rtp);
    plain->rtcp = plain->rtp;
    plain->has_rtcp = fields_object(f, "rtcpListenInfo", FIELD_OPTIONAL, &listen);
    if (plain->has_rtcp)
        wish_read(control, request, &listen, "rtcpListenInfo", &plain->rtcp);
    else if (addr_is_set(&plain->rtcp.local))
        addr_set_port(&plain->rtcp.local, 0); /* beside RTP, wherever there is room */
    plain->app_data = handler_app_data(f);

    if (fields_ok(f) && plain->comedia && (plain->rtp.shared || plain->rtcp.shared))
        fields_fail(f, "comedia",
                    "false: on a shared socket the peer is known by its address only");
    if (fields_ok(f) && plain->rtp.shared && !plain->mux && !plain->has_rtcp)
        fields_fail(f, "rtcpListenInfo", "an object: the port of RTCP for a shared socket");
    if (fields_ok(f) && plain->has_rtcp && !plain->mux && addr_port(&plain->rtp.local) != 0 &&
        addr_equal(&plain->rtp.local, &plain->rtcp.local))
        fields_fail(f, "rtcpListenInfo.port", "another port than listenInfo's, or rtcpMux");
    if (fields_ok(f) && sctp)
        fields_fail(f, "enableSctp", "false: data channels come with a later version");
}

static void random_cname(char text[CNAME_BYTES_MAX])
{
    snprintf(text, CNAME_BYTES_MAX, "%08x", random_u32());
}

static void on_transport_opened(struct control *control, struct errand *errand,
                                const struct outcome *outcome)
{
    struct transport *transport = errand->object;
    if (outcome->result == 0) {
        transport->o.opened = true;
        request_result(errand->request, errand->result);
        return;
    }
    int error = outcome->result;
    if (transport->rtp->failed)
        error = transport->rtp->failed;
    else if (transport->rtcp->failed)
        error = transport->rtcp->failed;
    json_decref(errand->result);
    request_fail_errno(errand->request, error, "the worker could not open the transport");
    if (!transport->o.closing)
        close_transport(control, transport, NULL, NOTICE_N);
}

/* Takes the sockets' users over. */
static struct transport *transport_make(struct control *control, struct request *request,
                                        struct router *router, const struct plain *plain,
                                        struct socket *rtp, struct socket *rtcp)
{
    struct model *model = &control->model;
    struct indices *indices = &model->places[router->o.worker].of[OBJECT_TRANSPORT];
    struct transport *transport = (struct transport *)model_add(
        model, NOUN_TRANSPORT, plain->id, router->o.worker, request_owner(request));
    if (!transport)
        return NULL;
    list_init(&transport->producers);
    list_init(&transport->consumers);
    list_append(&router->transports, &transport->link);
    router->transports_n++;
    transport->router = router;
    transport->rtp = rtp;
    transport->rtcp = rtcp;
    transport->mux = plain->mux;
    transport->comedia = plain->comedia;
    transport->suite = plain->srtp ? plain->suite : SEAL_NONE;
    transport->announced = texts_keep(&model->texts, plain->rtp.announced);
    transport->rtcp_announced = texts_keep(&model->texts, plain->rtcp.announced);
    transport->o.app_data = texts_keep(&model->texts, plain->app_data);
    if (transport->suite != SEAL_NONE)
        random_bytes(transport->keys.out, seal_key_bytes(transport->suite));
    transport->o.index = indices_take(indices, transport);
    if (transport->o.index == INDEX_NONE) {
        model_remove(model, &transport->o);
        model_free(model, &transport->o);
        return NULL;
    }
    return transport;
}

static json_t *plain_result(const struct transport *transport)
{
    json_t *result =
        json_pack("{s:s, s:o}", "id", transport->o.id, "tuple", tuple_json(transport, false));
    if (!transport->mux)
        json_object_set_new(result, "rtcpTuple", tuple_json(transport, true));
    if (transport->suite != SEAL_NONE)
        json_object_set_new(result, "srtpParameters", tuple_srtp_json(transport));
    return result;
}

/* Both berths before anything is made: a busy port is tried again a little later, from the start.
 * False: so it is, or the request is answered. */
static bool plain_berths(struct control *control, struct request *request, uint16_t worker,
                         const struct plain *plain, struct berth *rtp, struct berth *rtcp)
{
    const char *prefix = "listenInfo";
    const struct wish *wish = &plain->rtp;
    int failed = berth_find(control, worker, wish, rtp);
    if (!failed && !plain->mux) {
        prefix = plain->has_rtcp ? "rtcpListenInfo" : "listenInfo";
        wish = &plain->rtcp;
        failed = berth_find(control, worker, wish, rtcp);
    }
    if (!failed)
        return true;
    berth_leave(rtp);
    if (failed != -EADDRINUSE || !request_retry(request))
        fail_socket(request, failed, prefix, wish);
    return false;
}

static void plain_create(struct control *control, struct request *request, struct router *router,
                         const struct plain *plain)
{
    uint16_t worker = router->o.worker;
    struct berth rtp_berth = {.udp.fd = -1}, rtcp_berth = {.udp.fd = -1};
    if (!plain_berths(control, request, worker, plain, &rtp_berth, &rtcp_berth))
        return;
    struct socket *rtp = socket_get(control, request, worker, &plain->rtp, &rtp_berth);
    struct socket *rtcp = rtp;
    if (rtp && !plain->mux)
        rtcp = socket_get(control, request, worker, &plain->rtcp, &rtcp_berth);
    if (!rtp || !rtcp) {
        berth_leave(&rtp_berth);
        berth_leave(&rtcp_berth);
        socket_put(control, rtp);
        return;
    }
    struct errand *errand = errand_make(COMMAND_TRANSPORT_OPEN, 0, true, on_transport_opened);
    struct transport *transport =
        errand ? transport_make(control, request, router, plain, rtp, rtcp) : NULL;
    if (!transport) {
        if (errand)
            errand_free(errand);
        if (rtcp != rtp)
            socket_put(control, rtcp);
        socket_put(control, rtp);
        request_fail(request, RPC_FULL, NULL, NULL, NULL, "worker %u has no room for a transport",
                     worker);
        return;
    }
    errand->index = transport->o.index;
    errand->object = transport;
    errand->request = request;
    errand->result = plain_result(transport);
    errand->command->transport_open = (struct command_transport_open){
        .rtp_socket = rtp->index,
        .rtcp_socket = rtcp->index,
        .comedia = plain->comedia,
        .srtp_wanted = plain->srtp,
    };
    random_cname(errand->command->transport_open.cname);
    control_errand(control, worker, errand);
}

void transport_createPlain(struct control *control, struct request *request, struct fields *f)
{
    struct plain plain = {.mux = true, .suite = SEAL_AES_CM_128_HMAC_SHA1_80};
    struct router *router = handler_router(control, request, f);
    if (!router)
        return;
    plain_read(control, request, f, &plain);
    if (!handler_new_id(control, request, f, NOUN_TRANSPORT, &plain.id))
        return;
    if (control->draining) {
        request_fail(request, RPC_DRAINING, NULL, NULL, NULL, "the relay is draining");
        return;
    }
    plain_create(control, request, router, &plain);
}

/* ---- connect ---- */

static void on_connected(struct control *control, struct errand *errand,
                         const struct outcome *outcome)
{
    (void)control;
    struct transport *transport = errand->object;
    if (outcome->result == 0) {
        json_t *result = plain_result(transport);
        json_object_del(result, "id");
        request_result(errand->request, result);
        return;
    }
    transport->connected = false;
    if (!transport->comedia) /* what was learnt stays */
        transport->remote = transport->rtcp_remote = (struct addr){0};
    if (outcome->result == -EEXIST)
        request_fail(errand->request, RPC_EXISTS, "ip", "an address that no other transport has",
                     "one that another has on this shared socket",
                     "another transport of this shared socket has this remote address");
    else
        request_fail_errno(errand->request, outcome->result, "the worker could not connect");
}

static bool family_fits(const struct socket *socket, const struct addr *remote)
{
    /* IPv6 sockets reach IPv4 as well, unless they are for IPv6 only; that the kernel says. */
    return socket->local.sa.sa_family == AF_INET6 || remote->sa.sa_family == AF_INET;
}

static void connect_addresses(struct fields *f, const struct transport *transport,
                              struct command_transport_connect *connect)
{
    const char *ip = "";
    int64_t port = 0, rtcp_port = 0;
    fields_string(f, "ip", FIELD_REQUIRED, 1, ADDR_TEXT_BYTES, &ip);
    fields_int(f, "port", FIELD_REQUIRED, 1, UINT16_MAX, &port);
    bool has_rtcp = fields_int(f, "rtcpPort", transport->mux ? FIELD_OPTIONAL : FIELD_REQUIRED, 1,
                               UINT16_MAX, &rtcp_port);
    if (!fields_ok(f))
        return;
    if (has_rtcp && transport->mux)
        fields_fail(f, "rtcpPort", "nothing: the transport has rtcpMux");
    else if (addr_parse(&connect->remote, ip, (uint16_t)port) != 0 ||
             addr_is_wildcard(&connect->remote) || addr_is_multicast(&connect->remote))
        fields_fail(f, "ip", "the IP address of one endpoint");
    else if (!family_fits(transport->rtp, &connect->remote))
        fields_fail(f, "ip", "an IPv4 address, as the transport's own");
    if (!fields_ok(f))
        return;
    addr_unmap(&connect->remote);
    connect->rtcp_remote = connect->remote;
    if (has_rtcp)
        addr_set_port(&connect->rtcp_remote, (uint16_t)rtcp_port);
}

static void connect_keys(struct request *request, struct fields *f,
                         const struct transport *transport, struct srtp_keys *keys)
{
    struct fields srtp;
    const char *text = "";
    if (transport->suite == SEAL_NONE) {
        if (fields_object(f, "srtpParameters", FIELD_OPTIONAL, &srtp))
            fields_fail(f, "srtpParameters", "nothing: the transport was made without enableSrtp");
        return;
    }
    if (!fields_object(f, "srtpParameters", FIELD_REQUIRED, &srtp))
        return;
    request_only(request, &srtp, "srtpParameters");
    srtp_suite_read(&srtp, "cryptoSuite", FIELD_REQUIRED, &keys->suite);
    fields_string(&srtp, "keyBase64", FIELD_REQUIRED, 1, 128, &text);
    if (!fields_ok(f) || base64_read(keys->in, seal_key_bytes(keys->suite), text))
        return;
    /* The value must not stand in an answer or a log. */
    char expected[FIELD_TEXT_BYTES];
    snprintf(expected, sizeof(expected), "base64 of %zu bytes: master key, then salt",
             seal_key_bytes(keys->suite));
    field_error_set(&request->err, "srtpParameters.keyBase64", expected, "something else");
}

void transport_connect(struct control *control, struct request *request, struct fields *f)
{
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    if (transport->connected) {
        request_fail(request, RPC_STATE, NULL, NULL, NULL, "transport %s is connected already",
                     transport->o.id);
        return;
    }
    struct errand *errand =
        errand_make(COMMAND_TRANSPORT_CONNECT, transport->o.index, true, on_connected);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    struct command_transport_connect *connect = &errand->command->transport_connect;
    if (!transport->comedia)
        connect_addresses(f, transport, connect);
    connect_keys(request, f, transport, &connect->keys);
    if (!handler_ok(request)) {
        errand_free(errand);
        return;
    }
    if (transport->suite != SEAL_NONE) {
        if (connect->keys.suite != transport->suite) { /* the peer chooses: a key of that length */
            transport->suite = connect->keys.suite;
            random_bytes(transport->keys.out, seal_key_bytes(transport->suite));
        }
        memcpy(connect->keys.out, transport->keys.out, sizeof(connect->keys.out));
    }
    transport->connected = true;
    if (!transport->comedia) { /* else they are learnt, perhaps already */
        transport->remote = connect->remote;
        transport->rtcp_remote = connect->rtcp_remote;
    }
    errand->object = transport;
    errand->request = request;
    control_errand(control, transport->o.worker, errand);
}
