/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/plain.c - plain transports: transport.createPlain, and connect with an address and keys. */
#include "ctl/base64.h"
#include "ctl/handlers.h"
#include "ctl/placement.h"
#include "ctl/transport.h"
#include "ctl/tuple.h"

#include "core/random.h"

#include <errno.h>
#include <stdio.h>

/* What createPlain has read. */
struct plain {
    const char *id;
    const json_t *app_data;
    int64_t worker; /* that was asked for; -1: none */
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
        wish_read(control, request, &listen, "listenInfo", WISH_PLAIN, &plain->rtp);
    plain->rtcp = plain->rtp;
    plain->has_rtcp = fields_object(f, "rtcpListenInfo", FIELD_OPTIONAL, &listen);
    if (plain->has_rtcp)
        wish_read(control, request, &listen, "rtcpListenInfo", WISH_PLAIN, &plain->rtcp);
    else if (addr_is_set(&plain->rtcp.local))
        addr_set_port(&plain->rtcp.local, 0); /* beside RTP, wherever there is room */
    plain->worker = placement_read(control, f);
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

static struct transport *make(struct control *control, struct request *request,
                              struct router *router, const struct plain *plain,
                              const struct transport_plan *plan)
{
    struct texts *texts = &control->model.texts;
    struct transport *transport = transport_make(control, request, router, plan);
    if (!transport)
        return NULL;
    transport->mux = plain->mux;
    transport->comedia = plain->comedia;
    transport->suite = plain->srtp ? plain->suite : SEAL_NONE;
    transport->announced = texts_keep(texts, plain->rtp.announced);
    transport->rtcp_announced = texts_keep(texts, plain->rtcp.announced);
    if (transport->suite != SEAL_NONE)
        random_bytes(transport->keys.out, seal_key_bytes(transport->suite));
    return transport;
}

static void plain_create(struct control *control, struct request *request, struct router *router,
                         const struct plain *plain)
{
    const struct placement placement = {
        .router = router,
        .worker = plain->worker,
        .wishes = {&plain->rtp, plain->mux ? NULL : &plain->rtcp},
    };
    uint16_t worker = 0;
    if (!placement_find(control, request, &placement, &worker))
        return;
    struct berth berths[2] = {berth_of(&plain->rtp, worker), berth_of(&plain->rtcp, worker)};
    size_t berths_n = plain->mux ? 1 : 2;
    if (!berths_find(control, request, berths, berths_n))
        return;
    struct transport_plan plan = {.id = plain->id, .app_data = plain->app_data, .worker = worker};
    struct errand *errand = errand_make(COMMAND_TRANSPORT_OPEN, 0, true, transport_opened);
    struct transport *transport = NULL;
    if (!errand)
        request_fail_memory(request);
    else if (transport_sockets(control, request, &plan, berths, berths_n))
        transport = make(control, request, router, plain, &plan);
    if (!transport) {
        berths_leave(berths, berths_n);
        transport_unplan(control, &plan);
        if (errand)
            errand_free(errand);
        return;
    }
    errand->index = transport->o.index;
    errand->object = transport;
    errand->request = request;
    errand->result = plain_result(transport);
    json_object_set_new(errand->result, "workerIndex", json_integer(worker));
    errand->command->transport_open = (struct command_transport_open){
        .kind = TRANSPORT_PLAIN,
        .rtp_socket = transport_rtp(transport)->index,
        .rtcp_socket = transport_rtcp(transport)->index,
        .comedia = plain->comedia,
        .srtp_wanted = plain->srtp,
    };
    transport_cname(errand->command->transport_open.cname);
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
    else if (!family_fits(transport_rtp(transport), &connect->remote))
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

void plain_connect(struct control *control, struct request *request, struct transport *transport,
                   struct fields *f)
{
    struct fields dtls;
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
    if (fields_object(f, "dtlsParameters", FIELD_OPTIONAL, &dtls))
        fields_fail(f, "dtlsParameters", "nothing: a plain transport has keys, not DTLS");
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
