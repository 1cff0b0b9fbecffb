/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/webrtc.h - what there is to see of a WebRTC transport: states, parameters, the selected
 * tuple. New references. Control thread. */
#ifndef CTL_WEBRTC_H
#define CTL_WEBRTC_H

#include "ctl/control.h"

extern const char *const webrtc_ice_state_names[];  /* by enum ice_state */
extern const char *const webrtc_dtls_state_names[]; /* by enum dtls_state */

/* {usernameFragment, password, iceLite} */
json_t *webrtc_ice_parameters(const struct ice_credentials *credentials);

/* TransportTuple of the selected pair; the local address is the announced one. */
json_t *webrtc_tuple(const struct transport *transport, const struct event_selected *selected);

/* Adds iceRole .. dtlsState, and what is known of the peer. */
void webrtc_put(const struct control *control, json_t *out, const struct transport *transport);

/* What the worker says by itself; told to subscribers. */
void webrtc_on_ice_state(struct control *control, struct transport *transport,
                         enum ice_state state);
void webrtc_on_selected(struct control *control, struct transport *transport,
                        const struct event_selected *selected);

/* Takes the certificate (malloc'ed PEM, or NULL). */
void webrtc_on_dtls_state(struct control *control, struct transport *transport,
                          enum dtls_state state, char *certificate);

#endif
