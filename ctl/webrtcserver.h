/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/webrtcserver.h - a WebRTC server as JSON: {id, udpSockets, tcpServers, workerIndex?}. A new
 * reference. Control thread. */
#ifndef CTL_WEBRTCSERVER_H
#define CTL_WEBRTCSERVER_H

#include "ctl/control.h"

json_t *webrtcserver_json(const struct control *control, const struct webrtc_server *server);

#endif
