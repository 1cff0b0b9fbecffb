/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/webrtc_view.c - what there is to see of a WebRTC transport, and what its worker says of it.
 */
#include "ctl/dtlsparams.h"
#include "ctl/notify.h"
#include "ctl/webrtc.h"

#include <stdlib.h>

const char *const webrtc_ice_state_names[] = {"new", "connected", "completed", "disconnected",
                                              "closed"};
const char *const webrtc_dtls_state_names[] = {"new", "connecting", "connected", "failed",
                                               "closed"};

json_t *webrtc_ice_parameters(const struct ice_credentials *credentials)
{
    return json_pack("{s:s%, s:s%, s:b}", "usernameFragment", credentials->ufrag,
                     (size_t)credentials->ufrag_bytes, "password", credentials->pwd,
                     (size_t)credentials->pwd_bytes, "iceLite", 1);
}

/* The socket that the local address belongs to; a wildcard socket has any address. */
static const struct socket *socket_of(const struct transport *transport, bool tcp,
                                      const struct addr *local)
{
    for (size_t i = 0; i < transport->sockets_n; i++) {
        const struct socket *socket = transport->sockets[i];
        if (socket->tcp == tcp && addr_port(&socket->local) == addr_port(local) &&
            (addr_is_wildcard(&socket->local) || addr_equal_ip(&socket->local, local)))
            return socket;
    }
    return NULL;
}

json_t *webrtc_tuple(const struct transport *transport, const struct event_selected *selected)
{
    char ip[ADDR_TEXT_BYTES];
    const struct socket *socket = socket_of(transport, selected->tcp, &selected->local);
    json_t *shown = socket ? text_json(socket->announced) : NULL;
    if (!shown)
        shown = json_string(addr_format_ip(&selected->local, ip));
    json_t *tuple =
        json_pack("{s:O, s:o, s:i, s:s}", "localIp", shown, "localAddress", shown, "localPort",
                  (int)addr_port(&selected->local), "protocol", selected->tcp ? "tcp" : "udp");
    json_object_set_new(tuple, "remoteIp", json_string(addr_format_ip(&selected->remote, ip)));
    json_object_set_new(tuple, "remotePort", json_integer(addr_port(&selected->remote)));
    return tuple;
}

void webrtc_put(const struct control *control, json_t *out, const struct transport *transport)
{
    const struct webrtc *webrtc = transport->webrtc;
    json_t *block = json_pack("{s:s, s:o, s:o, s:s, s:o, s:s}", "iceRole", "controlled",
                              "iceParameters", webrtc_ice_parameters(&webrtc->credentials),
                              "iceCandidates", text_json(webrtc->candidates), "iceState",
                              webrtc_ice_state_names[webrtc->ice_state], "dtlsParameters",
                              dtlsparams_json(&control->certificate, webrtc->role), "dtlsState",
                              webrtc_dtls_state_names[webrtc->dtls_state]);
    json_object_update(out, block);
    json_decref(block);
    if (webrtc->has_selected)
        json_object_set_new(out, "iceSelectedTuple", webrtc_tuple(transport, &webrtc->selected));
    if (webrtc->remote_cert)
        json_object_set_new(out, "dtlsRemoteCert", json_string(webrtc->remote_cert));
}

void webrtc_on_ice_state(struct control *control, struct transport *transport, enum ice_state state)
{
    transport->webrtc->ice_state = state;
    if (state == ICE_DISCONNECTED || state == ICE_CLOSED)
        transport->webrtc->has_selected = false;
    if (notify_wanted(control, NOTICE_TRANSPORT_ICESTATECHANGE, &transport->o))
        notify(control, NOTICE_TRANSPORT_ICESTATECHANGE, &transport->o,
               json_pack("{s:s}", "iceState", webrtc_ice_state_names[state]));
}

void webrtc_on_selected(struct control *control, struct transport *transport,
                        const struct event_selected *selected)
{
    transport->webrtc->selected = *selected;
    transport->webrtc->has_selected = true;
    if (notify_wanted(control, NOTICE_TRANSPORT_ICESELECTEDTUPLECHANGE, &transport->o))
        notify(control, NOTICE_TRANSPORT_ICESELECTEDTUPLECHANGE, &transport->o,
               json_pack("{s:o}", "iceSelectedTuple", webrtc_tuple(transport, selected)));
}

void webrtc_on_dtls_state(struct control *control, struct transport *transport,
                          enum dtls_state state, char *certificate)
{
    struct webrtc *webrtc = transport->webrtc;
    webrtc->dtls_state = state;
    control->trim.closed_n += state == DTLS_CONNECTED; /* what only the handshake needed */
    if (certificate) {
        free(webrtc->remote_cert);
        webrtc->remote_cert = certificate;
    }
    if (!notify_wanted(control, NOTICE_TRANSPORT_DTLSSTATECHANGE, &transport->o))
        return;
    json_t *more = json_pack("{s:s}", "dtlsState", webrtc_dtls_state_names[state]);
    if (state == DTLS_CONNECTED && webrtc->remote_cert)
        json_object_set_new(more, "dtlsRemoteCert", json_string(webrtc->remote_cert));
    notify(control, NOTICE_TRANSPORT_DTLSSTATECHANGE, &transport->o, more);
}
