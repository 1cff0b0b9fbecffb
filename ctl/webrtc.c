/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/webrtc.c - WebRTC transports: transport.createWebRtc, connect with DTLS parameters,
 * restartIce. */
#include "ctl/webrtc.h"

#include "ctl/candidates.h"
#include "ctl/dtlsparams.h"
#include "ctl/handlers.h"
#include "ctl/placement.h"
#include "ctl/transport.h"

#include "core/random.h"

#include <stdlib.h>

enum { CONSENT_S = 30, CONSENT_S_MIN = 10, CONSENT_S_MAX = 60, CREDENTIAL_BYTES = 32 };

static_assert((int)CREDENTIAL_BYTES <= (int)ICE_UFRAG_BYTES_MAX &&
                  (int)CREDENTIAL_BYTES <= (int)ICE_PWD_BYTES_MAX,
              "RFC 8445 5.3: at least 24 and 128 bits; mediasoup's are 32 characters as well");

/* What createWebRtc has read. */
struct rtc {
    const char *id;
    const json_t *app_data;
    int64_t worker;               /* that was asked for; -1: none */
    struct webrtc_server *server; /* or wishes */
    struct wish wishes[TRANSPORT_SOCKETS_MAX];
    size_t wishes_n;
    struct candidate_choice choice;
    int64_t consent_s;
};

/* ---- credentials ---- */

/* Small letters and digits: 5.17 bits each, none likelier than another. */
static void credential_make(char *out, uint8_t *out_bytes)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    enum { N = sizeof(letters) - 1, FAIR = 256 / N * N };

    uint8_t raw[64];
    size_t n = 0;
    while (n < CREDENTIAL_BYTES) {
        random_bytes(raw, sizeof(raw));
        for (size_t i = 0; i < sizeof(raw) && n < CREDENTIAL_BYTES; i++) {
            if (raw[i] < FAIR)
                out[n++] = letters[raw[i] % N];
        }
    }
    explicit_bzero(raw, sizeof(raw));
    *out_bytes = CREDENTIAL_BYTES;
}

/* A user name fragment names its transport on a socket that many share. Of 165 random bits no two
 * are the same, of those that a restart has replaced and that are valid still as well. */
static void credentials_make(struct ice_credentials *credentials)
{
    credential_make(credentials->ufrag, &credentials->ufrag_bytes);
    credential_make(credentials->pwd, &credentials->pwd_bytes);
}

/* ---- createWebRtc ---- */

/* One of webRtcServerId and listenInfos. False with the request answered. */
static bool read_where(struct control *control, struct request *request, struct fields *f,
                       struct rtc *rtc)
{
    const json_t *server = fields_peek(f, "webRtcServerId");
    const json_t *infos = fields_peek(f, "listenInfos");
    bool has_infos = infos && !json_is_null(infos);
    if (server && !json_is_null(server)) {
        rtc->server = (struct webrtc_server *)handler_object(control, request, f, "webRtcServerId",
                                                             NOUN_WEBRTC_SERVER);
        if (!rtc->server)
            return false;
        if (has_infos)
            fields_fail(f, "listenInfos", "nothing: the server listens");
    } else if (!has_infos) {
        fields_fail(f, "listenInfos", "an array, or webRtcServerId");
    } else {
        rtc->wishes_n = wish_read_list(control, request, f, rtc->wishes);
    }
    return handler_ok(request);
}

static void read_consent(struct fields *f, int64_t *seconds)
{
    fields_int(f, "iceConsentTimeout", FIELD_OPTIONAL, 0, CONSENT_S_MAX, seconds);
    if (fields_ok(f) && *seconds != 0 && *seconds < CONSENT_S_MIN)
        fields_fail(f, "iceConsentTimeout", "0 for never, or an integer from 10 to 60");
}

static void read_how(const struct control *control, struct fields *f, struct rtc *rtc)
{
    bool sctp = false;
    int64_t initial = 0;
    fields_bool(f, "enableUdp", FIELD_OPTIONAL, &rtc->choice.udp);
    fields_bool(f, "enableTcp", FIELD_OPTIONAL, &rtc->choice.tcp);
    fields_bool(f, "preferUdp", FIELD_OPTIONAL, &rtc->choice.prefer_udp);
    fields_bool(f, "preferTcp", FIELD_OPTIONAL, &rtc->choice.prefer_tcp);
    if (!rtc->server) /* listenInfos are in order of preference */
        rtc->choice.prefer_udp = rtc->choice.prefer_tcp = false;
    read_consent(f, &rtc->consent_s);
    /* For congestion control; a mistake is told from the start. */
    fields_int(f, "initialAvailableOutgoingBitrate", FIELD_OPTIONAL, 0, UINT32_MAX, &initial);
    fields_bool(f, "enableSctp", FIELD_OPTIONAL, &sctp);
    if (fields_ok(f) && sctp)
        fields_fail(f, "enableSctp", "false: data channels come with a later version");
    rtc->worker = placement_read(control, f);
    rtc->app_data = handler_app_data(f);
}

static void server_sockets(const struct rtc *rtc, struct transport_plan *plan,
                           struct socket *ranked[])
{
    const struct webrtc_server *server = rtc->server;
    for (size_t i = 0; i < server->infos_n; i++) {
        struct socket *socket = server->sockets[(size_t)plan->worker * server->infos_n + i];
        if (!candidate_is_wanted(&rtc->choice, socket->tcp))
            continue;
        ranked[i] = socket;
        socket->transports_n++;
        plan->sockets[plan->sockets_n++] = socket;
    }
}

static bool own_sockets(struct control *control, struct request *request, const struct rtc *rtc,
                        struct transport_plan *plan, struct socket *ranked[])
{
    struct berth berths[TRANSPORT_SOCKETS_MAX];
    size_t ranks[TRANSPORT_SOCKETS_MAX], n = 0;
    for (size_t i = 0; i < rtc->wishes_n; i++) {
        if (!candidate_is_wanted(&rtc->choice, rtc->wishes[i].tcp))
            continue;
        ranks[n] = i;
        berths[n++] = berth_of(&rtc->wishes[i], plan->worker);
    }
    if (!berths_find(control, request, berths, n))
        return false;
    bool made = transport_sockets(control, request, plan, berths, n);
    for (size_t i = 0; made && i < n; i++)
        ranked[ranks[i]] = plan->sockets[i];
    berths_leave(berths, n);
    return made;
}

static bool sockets_take(struct control *control, struct request *request, struct fields *f,
                         const struct rtc *rtc, struct transport_plan *plan,
                         struct socket *ranked[])
{
    bool some = false;
    for (size_t i = 0; i < rtc->wishes_n; i++)
        some |= candidate_is_wanted(&rtc->choice, rtc->wishes[i].tcp);
    if (rtc->server)
        server_sockets(rtc, plan, ranked);
    else if (some && !own_sockets(control, request, rtc, plan, ranked))
        return false;
    if (plan->sockets_n > 0)
        return true;
    fields_fail(f, rtc->choice.udp ? "enableTcp" : "enableUdp",
                "true: nothing else is there to listen on");
    return handler_ok(request);
}

/* The command, and the answer that its outcome will give. */
static void post(struct control *control, struct request *request, struct transport *transport,
                 struct errand *errand, const struct rtc *rtc)
{
    struct command_transport_open *open = &errand->command->transport_open;
    open->kind = TRANSPORT_WEBRTC;
    open->srtp_wanted = true;
    open->webrtc.credentials = transport->webrtc->credentials;
    open->webrtc.consent_us = rtc->consent_s * 1000000;
    open->webrtc.sockets_n = transport->sockets_n;
    for (size_t i = 0; i < transport->sockets_n; i++)
        open->webrtc.sockets[i] = transport->sockets[i]->index;
    transport_cname(open->cname);
    errand->index = transport->o.index;
    errand->object = transport;
    errand->request = request;
    errand->result =
        json_pack("{s:s, s:i}", "id", transport->o.id, "workerIndex", (int)transport->o.worker);
    webrtc_put(control, errand->result, transport);
    control_errand(control, transport->o.worker, errand);
}

/* Joins the server's, if it is one's; the plan's webrtc is the transport's. */
static void settle(struct control *control, struct transport *transport, const struct rtc *rtc,
                   struct socket *const ranked[])
{
    struct webrtc *webrtc = transport->webrtc;
    json_t *candidates = candidates_json(ranked, TRANSPORT_SOCKETS_MAX, &rtc->choice);
    webrtc->transport = transport;
    webrtc->candidates = texts_keep(&control->model.texts, candidates);
    json_decref(candidates);
    credentials_make(&webrtc->credentials);
    list_init(&webrtc->link);
    if (!rtc->server)
        return;
    webrtc->server = rtc->server;
    list_append(&rtc->server->transports, &webrtc->link);
    rtc->server->transports_n++;
}

static void webrtc_create(struct control *control, struct request *request, struct fields *f,
                          struct router *router, const struct rtc *rtc)
{
    struct socket *ranked[TRANSPORT_SOCKETS_MAX] = {0};
    struct transport_plan plan = {
        .id = rtc->id, .app_data = rtc->app_data, .webrtc = calloc(1, sizeof(struct webrtc))};
    const struct placement placement = {
        .router = router, .worker = rtc->worker, .server = rtc->server};
    struct errand *errand = errand_make(COMMAND_TRANSPORT_OPEN, 0, true, transport_opened);
    struct transport *transport = NULL;
    if (!errand || !plan.webrtc)
        request_fail_memory(request);
    else if (placement_find(control, request, &placement, &plan.worker) &&
             sockets_take(control, request, f, rtc, &plan, ranked))
        transport = transport_make(control, request, router, &plan);
    if (!transport) {
        transport_unplan(control, &plan);
        if (errand)
            errand_free(errand);
        return;
    }
    settle(control, transport, rtc, ranked);
    post(control, request, transport, errand, rtc);
}

void transport_createWebRtc(struct control *control, struct request *request, struct fields *f)
{
    struct rtc rtc = {.choice = {.udp = true, .tcp = true}, .consent_s = CONSENT_S};
    struct router *router = handler_router(control, request, f);
    if (!router || !read_where(control, request, f, &rtc))
        return;
    read_how(control, f, &rtc);
    if (!handler_new_id(control, request, f, NOUN_TRANSPORT, &rtc.id))
        return;
    if (control->draining) {
        request_fail(request, RPC_DRAINING, NULL, NULL, NULL, "the relay is draining");
        return;
    }
    webrtc_create(control, request, f, router, &rtc);
}

/* ---- connect ---- */

static void on_connected(struct control *control, struct errand *errand,
                         const struct outcome *outcome)
{
    (void)control;
    struct transport *transport = errand->object;
    if (outcome->result == 0) {
        request_result(errand->request, json_pack("{s:s}", "dtlsLocalRole",
                                                  dtlsparams_role_name(transport->webrtc->role)));
        return;
    }
    transport->connected = false;
    transport->webrtc->role = DTLS_ROLE_AUTO;
    request_fail_errno(errand->request, outcome->result, "the worker could not connect");
}

void webrtc_connect(struct control *control, struct request *request, struct transport *transport,
                    struct fields *f)
{
    static const char *const plain[] = {"ip", "port", "rtcpPort", "srtpParameters"};
    struct errand *errand =
        errand_make(COMMAND_TRANSPORT_CONNECT, transport->o.index, true, on_connected);
    if (!errand) {
        request_fail_memory(request);
        return;
    }
    struct command_webrtc_connect *connect = &errand->command->transport_connect.webrtc;
    for (size_t i = 0; i < ARRAY_N(plain); i++) {
        const json_t *given = fields_peek(f, plain[i]);
        if (given && !json_is_null(given))
            fields_fail(f, plain[i], "nothing: ICE finds the peer, DTLS makes the keys");
    }
    dtlsparams_read(request, f, connect);
    if (!handler_ok(request)) {
        errand_free(errand);
        return;
    }
    transport->connected = true;
    transport->webrtc->role = connect->role;
    errand->object = transport;
    errand->request = request;
    control_errand(control, transport->o.worker, errand);
}

/* ---- restartIce ---- */

/* Only now are they the transport's: where the worker refuses, the old ones go on. */
static void on_restarted(struct control *control, struct errand *errand,
                         const struct outcome *outcome)
{
    (void)control;
    struct transport *transport = errand->object;
    struct ice_credentials *credentials = errand->payload;
    if (outcome->result == 0) {
        transport->webrtc->credentials = *credentials;
        request_result(errand->request,
                       json_pack("{s:o}", "iceParameters", webrtc_ice_parameters(credentials)));
    } else {
        request_fail_errno(errand->request, outcome->result, "the worker could not restart ICE");
    }
    explicit_bzero(credentials, sizeof(*credentials));
}

void transport_restartIce(struct control *control, struct request *request, struct fields *f)
{
    struct transport *transport = handler_transport(control, request, f);
    if (!transport)
        return;
    if (!transport->webrtc) {
        request_fail(request, RPC_STATE, "transportId", "a WebRTC transport", "a plain one",
                     "transport %s is a plain one, without ICE", transport->o.id);
        return;
    }
    struct errand *errand =
        errand_make(COMMAND_TRANSPORT_RESTART_ICE, transport->o.index, true, on_restarted);
    struct ice_credentials *credentials = errand ? calloc(1, sizeof(*credentials)) : NULL;
    if (!credentials) {
        if (errand)
            errand_free(errand);
        request_fail_memory(request);
        return;
    }
    credentials_make(credentials);
    errand->command->restart_ice = *credentials;
    errand->payload = credentials;
    errand->object = transport;
    errand->request = request;
    control_errand(control, transport->o.worker, errand);
}
