/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/wish.c - a listenInfo as it was read: where a transport or a WebRTC server wants to listen.
 */
#include "ctl/wish.h"

#include <stdio.h>

/* The place of a member in the method's table. */
static const char *below(const char *names, const char *key, char path[FIELD_PATH_BYTES])
{
    snprintf(path, FIELD_PATH_BYTES, "%s.%s", names, key);
    return path;
}

static void read_ports(struct request *request, struct fields *f, const char *names,
                       struct wish *wish)
{
    struct fields range;
    char path[FIELD_PATH_BYTES];
    int64_t min = 0, max = 0;
    if (!fields_object(f, "portRange", FIELD_OPTIONAL, &range))
        return;
    request_only(request, &range, below(names, "portRange", path));
    fields_int(&range, "min", FIELD_REQUIRED, 1, UINT16_MAX, &min);
    fields_int(&range, "max", FIELD_REQUIRED, 1, UINT16_MAX, &max);
    if (fields_ok(f) && max < min)
        fields_fail(&range, "max", "a port not below min");
    wish->options.port_min = (uint16_t)min;
    wish->options.port_max = (uint16_t)max;
}

static void read_flags(struct request *request, struct fields *f, const char *names,
                       struct wish *wish)
{
    struct fields flags;
    char path[FIELD_PATH_BYTES];
    if (!fields_object(f, "flags", FIELD_OPTIONAL, &flags))
        return;
    request_only(request, &flags, below(names, "flags", path));
    fields_bool(&flags, "ipv6Only", FIELD_OPTIONAL, &wish->options.v6_only);
    fields_bool(&flags, "udpReusePort", FIELD_OPTIONAL, &wish->options.reuse_port);
    wish->options.reuse_port &= !wish->tcp;
    if (wish->use == WISH_PLAIN)
        fields_bool(&flags, "shared", FIELD_OPTIONAL, &wish->shared);
}

static void read_buffers(const struct control *control, struct fields *f, struct wish *wish)
{
    int64_t send_bytes = 0, receive_bytes = 0;
    fields_int(f, "sendBufferSize", FIELD_OPTIONAL, 0, 1 << 30, &send_bytes);
    fields_int(f, "recvBufferSize", FIELD_OPTIONAL, 0, 1 << 30, &receive_bytes);
    if (receive_bytes == 0 && !wish->tcp) /* TCP grows its buffers as it needs them */
        receive_bytes = udp_receive_bytes(control->config.planned_pps);
    wish->options.send_bytes = (uint32_t)send_bytes;
    wish->options.receive_bytes = (uint32_t)receive_bytes;
}

/* It goes into candidates and so into SDP, where a space or a line end would be something else. */
static bool is_address_or_name(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_%";
    return text[strspn(text, allowed)] == '\0';
}

static void read_announced(struct fields *f, struct wish *wish)
{
    static const char *const keys[] = {"announcedAddress", "announcedIp"};
    for (size_t i = 0; i < ARRAY_N(keys) && !wish->announced; i++) {
        const char *text = NULL;
        if (!fields_string(f, keys[i], FIELD_OPTIONAL, 1, 255, &text))
            continue;
        if (!is_address_or_name(text))
            fields_fail(f, keys[i], "an IP address or a host name");
        wish->announced = fields_peek(f, keys[i]);
    }
}

/* mediasoup would announce 0.0.0.0, which no peer can send to. */
static void judge_wildcard(struct fields *f, const struct wish *wish)
{
    if (!fields_ok(f) || !addr_is_wildcard(&wish->local))
        return;
    if (!wish->announced)
        fields_fail(f, "announcedAddress", "what peers are told, because ip is a wildcard");
    else if (wish->expose)
        fields_fail(f, "exposeInternalIp", "false, because ip is a wildcard");
}

void wish_read(const struct control *control, struct request *request, struct fields *f,
               const char *names, enum wish_use use, struct wish *wish)
{
    static const char *const udp_only[] = {"udp", NULL};
    static const char *const both[] = {"udp", "tcp", NULL};
    const char *ip = "";
    int protocol = 0;
    int64_t port = 0;
    *wish = (struct wish){
        .use = use,
        .options = {.port_min = control->config.port_min, .port_max = control->config.port_max}};
    fields_path(f, NULL, wish->path);
    request_only(request, f, names);
    fields_enum(f, "protocol", FIELD_OPTIONAL, use == WISH_PLAIN ? udp_only : both, &protocol);
    wish->tcp = protocol == 1;
    fields_string(f, "ip", FIELD_REQUIRED, 1, ADDR_TEXT_BYTES, &ip);
    fields_int(f, "port", FIELD_OPTIONAL, 0, UINT16_MAX, &port);
    if (fields_ok(f) && addr_parse(&wish->local, ip, (uint16_t)port) != 0)
        fields_fail(f, "ip", "an IP address");
    read_announced(f, wish);
    fields_bool(f, "exposeInternalIp", FIELD_OPTIONAL, &wish->expose);
    read_ports(request, f, names, wish);
    read_buffers(control, f, wish);
    read_flags(request, f, names, wish);
    if (fields_ok(f) && wish->shared && port == 0)
        fields_fail(f, "port", "a port, because flags.shared is set");
    if (use == WISH_WEBRTC)
        judge_wildcard(f, wish);
}

uint32_t wish_read_list(const struct control *control, struct request *request, struct fields *f,
                        struct wish wishes[TRANSPORT_SOCKETS_MAX])
{
    struct fields list, item;
    if (!fields_array(f, "listenInfos", FIELD_REQUIRED, TRANSPORT_SOCKETS_MAX, &list))
        return 0;
    size_t n = fields_n(&list);
    if (n == 0)
        fields_fail(f, "listenInfos", "at least one listenInfo");
    for (size_t i = 0; i < n; i++) {
        if (fields_item_object(&list, i, &item))
            wish_read(control, request, &item, "listenInfos[]", WISH_WEBRTC, &wishes[i]);
    }
    return fields_ok(f) ? (uint32_t)n : 0;
}
