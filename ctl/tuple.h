/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/tuple.h - a plain transport's addresses and keys as JSON: TransportTuple, SrtpParameters.
 * New references. Control thread. */
#ifndef CTL_TUPLE_H
#define CTL_TUPLE_H

#include "ctl/model.h"

/* {localIp, localAddress, localPort, remoteIp?, remotePort?, protocol}; the local address is the
 * announced one. */
json_t *tuple_json(const struct transport *transport, bool rtcp);

/* {cryptoSuite, keyBase64}: ours. */
json_t *tuple_srtp_json(const struct transport *transport);

#endif
