/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/tuple.c - a transport's addresses and keys as JSON. */
#include "ctl/tuple.h"

#include "ctl/base64.h"

json_t *tuple_json(const struct transport *transport, bool rtcp)
{
    const struct addr *local =
        rtcp ? &transport_rtcp(transport)->local : &transport_rtp(transport)->local;
    const struct addr *remote = rtcp ? &transport->rtcp_remote : &transport->remote;
    char ip[ADDR_TEXT_BYTES];
    json_t *shown = text_json(rtcp ? transport->rtcp_announced : transport->announced);
    if (!shown)
        shown = json_string(addr_format_ip(local, ip));
    json_t *tuple = json_pack("{s:O, s:o, s:i, s:s}", "localIp", shown, "localAddress", shown,
                              "localPort", (int)addr_port(local), "protocol", "udp");
    if (addr_is_set(remote)) {
        json_object_set_new(tuple, "remoteIp", json_string(addr_format_ip(remote, ip)));
        json_object_set_new(tuple, "remotePort", json_integer(addr_port(remote)));
    }
    return tuple;
}

json_t *tuple_srtp_json(const struct transport *transport)
{
    char text[BASE64_TEXT_BYTES_MAX];
    base64_write(text, transport->keys.out, seal_key_bytes(transport->suite));
    json_t *value = json_pack("{s:s, s:s}", "cryptoSuite", seal_suite_name(transport->suite),
                              "keyBase64", text);
    explicit_bzero(text, sizeof(text));
    return value;
}
