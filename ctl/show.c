/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/show.c - what workers report about streams and transports, in the shapes of mediasoup's
 * stats. */
#include "ctl/show.h"

#include "core/clock.h"
#include "ctl/tuple.h"
#include "ctl/webrtc.h"

static void put_int(json_t *object, const char *key, int64_t value)
{
    json_object_set_new(object, key, json_integer(value));
}

static void put_copy(json_t *object, const char *key, const json_t *from, const char *from_key)
{
    json_t *value = json_object_get(from, from_key);
    if (value)
        json_object_set(object, key, value);
}

static json_t *encoding_at(const json_t *params, size_t encoding)
{
    return json_array_get(json_object_get(params, "encodings"), encoding);
}

/* What both directions share. */
static json_t *stream_json(const char *type, enum media_kind kind, const json_t *params,
                           size_t encoding, const struct stream_stats *s)
{
    json_t *out = json_object();
    json_object_set_new(out, "type", json_string(type));
    put_int(out, "timestamp", clock_wall_us() / 1000);
    put_int(out, "ssrc", s->ssrc);
    if (s->rtx_ssrc)
        put_int(out, "rtxSsrc", s->rtx_ssrc);
    put_copy(out, "rid", encoding_at(params, encoding), "rid");
    json_object_set_new(out, "kind", json_string(media_kind_names[kind]));
    if (params)
        json_object_set_new(out, "mimeType",
                            json_string(rtpcodec_mime(rtpparams_encoding_codec(params, encoding))));
    put_int(out, "packetsLost", s->packets_lost);
    put_int(out, "fractionLost", s->fraction_lost);
    put_int(out, "jitter", s->jitter);
    put_int(out, "packetsDiscarded", (int64_t)s->packets_dropped);
    put_int(out, "packetsRetransmitted", (int64_t)s->packets_rtx);
    put_int(out, "packetsRepaired", (int64_t)s->packets_repaired);
    put_int(out, "nackCount", (int64_t)s->nacks);
    put_int(out, "nackPacketCount", (int64_t)s->nacked_packets);
    put_int(out, "pliCount", (int64_t)s->plis);
    put_int(out, "firCount", (int64_t)s->firs);
    if (s->rtt_us > 0)
        json_object_set_new(out, "roundTripTime", json_real((double)s->rtt_us / 1000.0));
    put_int(out, "score", s->score);
    put_int(out, "packetCount", (int64_t)(s->packets + s->packets_rtx));
    put_int(out, "byteCount", (int64_t)(s->bytes + s->bytes_rtx));
    put_int(out, "bitrate", s->bitrate_bps);
    put_int(out, "packetRate", s->packet_rate);
    put_int(out, "rtxByteCount", (int64_t)s->bytes_rtx);
    put_int(out, "restarts", (int64_t)s->restarts);
    put_int(out, "duplicates", (int64_t)s->duplicates);
    put_int(out, "keyFrames", (int64_t)s->keyframes);
    return out;
}

json_t *show_inbound(const struct producer *producer, const json_t *params, size_t encoding,
                     const struct stream_stats *s)
{
    json_t *out = stream_json("inbound-rtp", producer->kind, params, encoding, s);
    json_object_set_new(out, "bitrateByLayer", json_object());
    put_int(out, "retainedPackets", s->retained_n);
    put_int(out, "retentionMs", s->retain_us / 1000);
    return out;
}

json_t *show_outbound(const struct consumer *consumer, const json_t *params,
                      const struct consumer_stats *stats)
{
    const struct stream_stats *s = &stats->stream;
    json_t *out = stream_json("outbound-rtp", consumer->kind, params, 0, s);
    put_int(out, "nackPacketsServed", (int64_t)s->nack_served);
    put_int(out, "nackPacketsMissed", (int64_t)s->nack_missed);
    put_int(out, "nackPacketsSuppressed", (int64_t)s->nack_suppressed);
    put_int(out, "nackPacketsOverflowed", (int64_t)s->nack_overflowed);
    put_int(out, "nackPacketsEarly", (int64_t)s->nack_early);
    return out;
}

static void put_plain(json_t *out, const struct transport *transport)
{
    json_object_set_new(out, "rtcpMux", json_boolean(transport->mux));
    json_object_set_new(out, "comedia", json_boolean(transport->comedia));
    json_object_set_new(out, "tuple", tuple_json(transport, false));
    if (!transport->mux)
        json_object_set_new(out, "rtcpTuple", tuple_json(transport, true));
}

static void put_webrtc(json_t *out, const struct transport *transport,
                       const struct transport_stats *s)
{
    struct event_selected selected = {.local = s->local, .remote = s->remote, .tcp = s->tcp};
    json_object_set_new(out, "iceRole", json_string("controlled"));
    json_object_set_new(out, "iceState", json_string(webrtc_ice_state_names[s->ice_state]));
    json_object_set_new(out, "dtlsState", json_string(webrtc_dtls_state_names[s->dtls_state]));
    put_int(out, "iceTuples", s->tuples_n);
    if (addr_is_set(&s->remote))
        json_object_set_new(out, "iceSelectedTuple", webrtc_tuple(transport, &selected));
}

json_t *show_transport(const struct transport *transport, const struct transport_stats *s)
{
    json_t *out = json_object();
    json_object_set_new(
        out, "type", json_string(transport->webrtc ? "webrtc-transport" : "plain-rtp-transport"));
    json_object_set_new(out, "transportId", json_string(transport->o.id));
    put_int(out, "timestamp", clock_wall_us() / 1000);
    put_int(out, "bytesReceived", (int64_t)s->bytes_in);
    put_int(out, "recvBitrate", s->bitrate_in_bps);
    put_int(out, "bytesSent", (int64_t)s->bytes_out);
    put_int(out, "sendBitrate", s->bitrate_out_bps);
    put_int(out, "packetsReceived", (int64_t)s->packets_in);
    put_int(out, "packetsSent", (int64_t)s->packets_out);
    put_int(out, "rtpPacketsReceived", (int64_t)s->rtp_packets_in);
    put_int(out, "rtpPacketsSent", (int64_t)s->rtp_packets_out);
    put_int(out, "rtcpPacketsReceived", (int64_t)s->rtcp_packets_in);
    put_int(out, "rtcpPacketsSent", (int64_t)s->rtcp_packets_out);
    put_int(out, "packetsDropped", (int64_t)s->dropped);
    put_int(out, "sendFailures", (int64_t)s->send_failed);
    if (s->rtt_us > 0)
        json_object_set_new(out, "roundTripTime", json_real((double)s->rtt_us / 1000.0));
    json_object_set_new(out, "connected", json_boolean(s->connected));
    json_object_set_new(out, "sealed", json_boolean(s->sealed));
    if (s->incoming_max_bps > 0)
        put_int(out, "maxIncomingBitrate", s->incoming_max_bps);
    if (s->outgoing_max_bps > 0)
        put_int(out, "maxOutgoingBitrate", s->outgoing_max_bps);
    if (s->outgoing_min_bps > 0)
        put_int(out, "minOutgoingBitrate", s->outgoing_min_bps);
    if (s->sealed && s->suite != SEAL_NONE)
        json_object_set_new(out, "srtpCryptoSuite", json_string(seal_suite_name(s->suite)));
    if (transport->webrtc)
        put_webrtc(out, transport, s);
    else
        put_plain(out, transport);
    return out;
}

static bool feedback_has(const json_t *codec, const char *type, const char *parameter)
{
    size_t i = 0;
    json_t *feedback = NULL;
    json_array_foreach(json_object_get(codec, "rtcpFeedback"), i, feedback)
    {
        const char *is = json_string_value(json_object_get(feedback, "type"));
        const char *with = json_string_value(json_object_get(feedback, "parameter"));
        if (is && with && strcmp(is, type) == 0 && strcmp(with, parameter) == 0)
            return true;
    }
    return false;
}

json_t *show_stream(const json_t *params, size_t encoding, int score)
{
    const json_t *from = encoding_at(params, encoding);
    const json_t *codec = rtpparams_encoding_codec(params, encoding);
    const json_t *rtx =
        rtpcodec_find_rtx(json_object_get(params, "codecs"), rtpcodec_payload_type(codec));
    struct rtpparams_layers layers;
    rtpparams_layers_parse(&layers, json_string_value(json_object_get(from, "scalabilityMode")));

    json_t *out = json_object();
    put_int(out, "encodingIdx", (int64_t)encoding);
    put_copy(out, "ssrc", from, "ssrc");
    put_int(out, "payloadType", rtpcodec_payload_type(codec));
    json_object_set_new(out, "mimeType", json_string(rtpcodec_mime(codec)));
    put_int(out, "clockRate", rtpcodec_clock_rate(codec));
    put_copy(out, "rid", from, "rid");
    put_copy(out, "cname", json_object_get(params, "rtcp"), "cname");
    put_copy(out, "rtxSsrc", json_object_get(from, "rtx"), "ssrc");
    if (rtx && json_object_get(from, "rtx"))
        put_int(out, "rtxPayloadType", rtpcodec_payload_type(rtx));
    json_object_set_new(out, "useNack", json_boolean(feedback_has(codec, "nack", "")));
    json_object_set_new(out, "usePli", json_boolean(feedback_has(codec, "nack", "pli")));
    json_object_set_new(out, "useFir", json_boolean(feedback_has(codec, "ccm", "fir")));
    json_object_set_new(out, "useInBandFec",
                        json_boolean(rtpcodec_number(codec, "useinbandfec", 0) == 1));
    json_object_set_new(out, "useDtx", json_boolean(json_is_true(json_object_get(from, "dtx"))));
    put_int(out, "spatialLayers", layers.spatial);
    put_int(out, "temporalLayers", layers.temporal);
    return json_pack("{s:o, s:i}", "params", out, "score", score);
}

json_t *show_score(const struct consumer *consumer)
{
    const struct producer *producer = consumer->producer;
    json_t *scores = json_array();
    for (size_t i = 0; i < producer->encodings_n; i++)
        json_array_append_new(scores, json_integer(producer->score[i]));
    return json_pack("{s:i, s:i, s:o}", "score", (int)consumer->score, "producerScore",
                     (int)producer->score[0], "producerScores", scores);
}
