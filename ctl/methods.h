/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/methods.h - every method and notification of the control protocol with its fields: the table
 * that the dispatcher, the client, `server.methods` and the check of PROTOCOL.md share.
 *
 * Fields are words: "a" is a field, "a.b" one of the object a, "a[].b" one of the objects of the
 * list a, "[].b" one of the objects that the result is a list of. What is below a field without
 * such words (rtpParameters, appData, ...) is described in PROTOCOL.md once and not checked here.
 * Threads: constant data. */
#ifndef CTL_METHODS_H
#define CTL_METHODS_H

#include "core/base.h"

#define METHODS_LISTEN_INFO(p)                                                                     \
    p ".protocol " p ".ip " p ".announcedAddress " p ".announcedIp " p ".exposeInternalIp " p      \
      ".port " p ".portRange " p ".portRange.min " p ".portRange.max " p ".flags " p               \
      ".flags.ipv6Only " p ".flags.udpReusePort " p ".sendBufferSize " p ".recvBufferSize "
#define METHODS_LISTEN(p) p " " METHODS_LISTEN_INFO(p) p ".flags.shared "
#define METHODS_LISTENS   "listenInfos " METHODS_LISTEN_INFO("listenInfos[]")
#define METHODS_BOUND(p)  p " " p "[].ip " p "[].port " p "[].workerIndex " p "[].announcedAddress "
#define METHODS_SERVER    METHODS_BOUND("udpSockets") METHODS_BOUND("tcpServers") "workerIndex "
#define METHODS_ICE(p)                                                                             \
    p "iceParameters " p "iceParameters.usernameFragment " p "iceParameters.password " p           \
      "iceParameters.iceLite "
#define METHODS_DTLS                                                                               \
    "dtlsParameters dtlsParameters.role dtlsParameters.fingerprints "                              \
    "dtlsParameters.fingerprints[].algorithm dtlsParameters.fingerprints[].value "
#define METHODS_WEBRTC                                                                             \
    "iceRole " METHODS_ICE(                                                                        \
        "") "iceCandidates iceCandidates[].foundation "                                            \
            "iceCandidates[].priority iceCandidates[].ip iceCandidates[].address "                 \
            "iceCandidates[].protocol iceCandidates[].port iceCandidates[].type "                  \
            "iceCandidates[].tcpType iceState " METHODS_DTLS "dtlsState "
#define METHODS_TUPLE(p)                                                                           \
    p " " p ".localIp " p ".localAddress " p ".localPort " p ".remoteIp " p ".remotePort " p       \
      ".protocol "
#define METHODS_SRTP(p)   p " " p ".cryptoSuite " p ".keyBase64 "
#define METHODS_LAYERS(p) p " " p ".spatialLayer " p ".temporalLayer "
#define METHODS_PAIRS(p)  p " " p "[].key " p "[].values "
#define METHODS_PAIR(p)   p " " p "[].key " p "[].value "
#define METHODS_SCORE     "score score.score score.producerScore score.producerScores "
#define METHODS_COUNTS(p)                                                                          \
    p "routers " p "transports " p "producers " p "consumers " p "mirrors " p "sockets "
#define METHODS_STREAM_STATS                                                                       \
    "[].type [].timestamp [].ssrc [].rtxSsrc [].rid [].kind [].mimeType [].packetsLost "           \
    "[].fractionLost [].jitter [].packetsDiscarded [].packetsRetransmitted [].packetsRepaired "    \
    "[].nackCount [].nackPacketCount [].pliCount [].firCount [].roundTripTime "                    \
    "[].score [].packetCount [].byteCount [].bitrate [].bitrateByLayer "                           \
    "[].packetRate [].rtxByteCount [].retainedPackets [].retentionMs [].nackPacketsServed "        \
    "[].nackPacketsMissed [].nackPacketsSuppressed [].nackPacketsOverflowed [].nackPacketsEarly "  \
    "[].restarts [].duplicates [].keyFrames "
#define METHODS_STREAM_DUMP(p)                                                                     \
    p ".params " p ".params.encodingIdx " p ".params.ssrc " p ".params.payloadType " p             \
      ".params.mimeType " p ".params.clockRate " p ".params.rid " p ".params.cname " p             \
      ".params.rtxSsrc " p ".params.rtxPayloadType " p ".params.useNack " p ".params.usePli " p    \
      ".params.useFir " p ".params.useInBandFec " p ".params.useDtx " p ".params.spatialLayers " p \
      ".params.temporalLayers " p ".score "

/* X(function, name, params, result) */
#define METHOD_LIST(X)                                                                             \
    X(server_info, "server.info", "",                                                              \
      "version protocolVersion pid startedAt uptimeSeconds state webRtcServers workers "           \
      "workers[].index "                                                                           \
      "workers[].engine workers[].threadId workers[].alive workers[].missing "                     \
      "workers[].missing[].feature workers[].missing[].remedy")                                    \
    X(server_dump, "server.dump", "",                                                              \
      "config connections connections[].serial connections[].pid connections[].uid "               \
      "connections[].gid connections[].requests connections[].queuedBytes "                        \
      "connections[].subscriptions workers workers[].index workers[].routerIds workers[].load "    \
      "workers[].waitingCommands workers[].openCommands sharedSockets "                            \
      "sharedSockets[].workerIndex "                                                               \
      "sharedSockets[].ip sharedSockets[].port sharedSockets[].transports webRtcServers "          \
      "webRtcServers[].id webRtcServers[].workerIndex webRtcServers[].tied "                       \
      "webRtcServers[].transports " METHODS_BOUND("webRtcServers[].udpSockets")                    \
          METHODS_BOUND("webRtcServers[].tcpServers"))                                             \
    X(server_stats, "server.stats", "",                                                            \
      "timestamp control totals drops workers workers[].index workers[].counters workers[].drops") \
    X(server_metrics, "server.metrics", "", "text")                                                \
    X(server_census, "server.census", "",                                                          \
      METHODS_COUNTS(                                                                              \
          "") "webRtcServers connections requests commands texts residentBytes workers "           \
              "workers[].index " METHODS_COUNTS("workers[]."))                                     \
    X(server_setLog, "server.setLog", "level format", "level format")                              \
    X(server_drain, "server.drain", "seconds", "state routers seconds")                            \
    X(server_shutdown, "server.shutdown", "", "state")                                             \
    X(server_subscribe, "server.subscribe", "events ids", "subscriptions")                         \
    X(server_unsubscribe, "server.unsubscribe", "events ids", "subscriptions")                     \
    X(server_methods, "server.methods", "",                                                        \
      "methods methods[].name methods[].params methods[].result events events[].name "             \
      "events[].params")                                                                           \
    X(server_trace, "server.trace", "workerIndex",                                                 \
      "workerIndex written events events[].atUs events[].kind events[].a events[].b")              \
    X(router_create, "router.create", "id mediaCodecs appData workerIndex tied",                   \
      "id workerIndex rtpCapabilities")                                                            \
    X(router_close, "router.close", "routerId", "")                                                \
    X(router_dump, "router.dump", "routerId",                                                      \
      "id workerIndex tied appData transportIds rtpObserverIds " METHODS_PAIRS(                    \
          "mapProducerIdConsumerIds") METHODS_PAIR("mapConsumerIdProducerId")                      \
          METHODS_PAIRS("mapProducerIdObserverIds")                                                \
              METHODS_PAIRS("mapDataProducerIdDataConsumerIds")                                    \
                  METHODS_PAIR("mapDataConsumerIdDataProducerId"))                                 \
    X(router_rtpCapabilities, "router.rtpCapabilities", "routerId", "rtpCapabilities")             \
    X(router_canConsume, "router.canConsume", "routerId producerId rtpCapabilities", "canConsume") \
    X(router_updateMediaCodecs, "router.updateMediaCodecs", "routerId mediaCodecs",                \
      "rtpCapabilities")                                                                           \
    X(router_list, "router.list", "",                                                              \
      "routers routers[].id routers[].workerIndex routers[].tied routers[].transports "            \
      "routers[].producers routers[].consumers")                                                   \
    X(webrtcserver_create, "webRtcServer.create", "id workerIndex tied appData " METHODS_LISTENS,  \
      "id " METHODS_SERVER)                                                                        \
    X(webrtcserver_dump, "webRtcServer.dump", "webRtcServerId",                                    \
      "id " METHODS_SERVER "webRtcTransportIds localIceUsernameFragments "                         \
      "localIceUsernameFragments[].localIceUsernameFragment "                                      \
      "localIceUsernameFragments[].webRtcTransportId tied appData")                                \
    X(webrtcserver_close, "webRtcServer.close", "webRtcServerId", "")                              \
    X(transport_createWebRtc, "transport.createWebRtc",                                            \
      "routerId id webRtcServerId " METHODS_LISTENS                                                \
      "enableUdp enableTcp preferUdp preferTcp iceConsentTimeout "                                 \
      "initialAvailableOutgoingBitrate enableSctp workerIndex appData",                            \
      "id workerIndex " METHODS_WEBRTC)                                                            \
    X(transport_createPlain, "transport.createPlain",                                              \
      "routerId id " METHODS_LISTEN("listenInfo") METHODS_LISTEN(                                  \
          "rtcpListenInfo") "rtcpMux comedia enableSctp enableSrtp srtpCryptoSuite workerIndex "   \
                            "appData",                                                             \
      "id workerIndex " METHODS_TUPLE("tuple") METHODS_TUPLE("rtcpTuple")                          \
          METHODS_SRTP("srtpParameters"))                                                          \
    X(transport_connect, "transport.connect",                                                      \
      "transportId ip port rtcpPort " METHODS_SRTP("srtpParameters") METHODS_DTLS,                 \
      METHODS_TUPLE("tuple") METHODS_TUPLE("rtcpTuple")                                            \
          METHODS_SRTP("srtpParameters") "dtlsLocalRole")                                          \
    X(transport_restartIce, "transport.restartIce", "transportId", METHODS_ICE(""))                \
    X(transport_setMaxIncomingBitrate, "transport.setMaxIncomingBitrate", "transportId bitrate",   \
      "")                                                                                          \
    X(transport_setMaxOutgoingBitrate, "transport.setMaxOutgoingBitrate", "transportId bitrate",   \
      "")                                                                                          \
    X(transport_setMinOutgoingBitrate, "transport.setMinOutgoingBitrate", "transportId bitrate",   \
      "")                                                                                          \
    X(transport_produce, "transport.produce",                                                      \
      "transportId id kind rtpParameters paused keyFrameRequestDelay rtpMapping "                  \
      "enableMediasoupPacketIdHeaderExtension appData",                                            \
      "id kind type paused rtpParameters rtpMapping consumableRtpParameters")                      \
    X(transport_consume, "transport.consume",                                                      \
      "transportId id producerId rtpCapabilities rtpParameters rtpMapping "                        \
      "consumableRtpEncodings type "                                                               \
      "paused mid " METHODS_LAYERS("preferredLayers") "enableRtx ignoreDtx pipe appData",          \
      "id producerId kind type rtpParameters paused producerPaused " METHODS_SCORE)                \
    X(transport_getStats, "transport.getStats", "transportId",                                     \
      "[].type [].transportId [].timestamp [].bytesReceived [].recvBitrate [].bytesSent "          \
      "[].sendBitrate [].packetsReceived [].packetsSent [].rtpPacketsReceived "                    \
      "[].rtpPacketsSent [].rtcpPacketsReceived [].rtcpPacketsSent [].packetsDropped "             \
      "[].sendFailures [].roundTripTime [].connected [].sealed [].rtcpMux "                        \
      "[].comedia [].maxIncomingBitrate [].maxOutgoingBitrate [].minOutgoingBitrate "              \
      "[].iceRole [].iceState [].iceTuples [].dtlsState [].srtpCryptoSuite " METHODS_TUPLE(        \
          "[].iceSelectedTuple") METHODS_TUPLE("[].tuple") METHODS_TUPLE("[].rtcpTuple"))          \
    X(transport_dump, "transport.dump", "transportId",                                             \
      "id type routerId workerIndex appData producerIds consumerIds " METHODS_PAIR(                \
          "mapSsrcConsumerId")                                                                     \
          METHODS_PAIR(                                                                            \
              "mapRtxSsrcConsumerId") "recvRtpHeaderExtensions rtpListener rtpListener.ssrcTable " \
                                      "rtpListener.ssrcTable[].key "                               \
                                      "rtpListener.ssrcTable[].value rtpListener.midTable "        \
                                      "rtpListener.midTable[].key "                                \
                                      "rtpListener.midTable[].value rtpListener.ridTable "         \
                                      "rtpListener.ridTable[].key "                                \
                                      "rtpListener.ridTable[].value maxSendMessageSize "           \
                                      "maxReceiveMessageSize "                                     \
                                      "dataProducerIds dataConsumerIds traceEventTypes rtcpMux "   \
                                      "comedia connected shared "                                  \
                                      "recvBufferSize " METHODS_TUPLE("tuple")                     \
                                          METHODS_TUPLE("rtcpTuple")                               \
                                              METHODS_SRTP("srtpParameters") METHODS_WEBRTC        \
      "webRtcServerId dtlsRemoteCert " METHODS_TUPLE("iceSelectedTuple"))                          \
    X(transport_enableTraceEvent, "transport.enableTraceEvent", "transportId types", "types")      \
    X(transport_close, "transport.close", "transportId", "")                                       \
    X(producer_pause, "producer.pause", "producerId", "")                                          \
    X(producer_resume, "producer.resume", "producerId", "")                                        \
    X(producer_getStats, "producer.getStats", "producerId", METHODS_STREAM_STATS)                  \
    X(producer_dump, "producer.dump", "producerId",                                                \
      "id kind type transportId routerId appData rtpParameters rtpMapping "                        \
      "consumableRtpParameters rtpStreams " METHODS_STREAM_DUMP(                                   \
          "rtpStreams[]") "traceEventTypes paused consumerIds workerIndex mirrorWorkerIndices")    \
    X(producer_enableTraceEvent, "producer.enableTraceEvent", "producerId types", "types")         \
    X(producer_close, "producer.close", "producerId", "")                                          \
    X(consumer_pause, "consumer.pause", "consumerId", "")                                          \
    X(consumer_resume, "consumer.resume", "consumerId", "")                                        \
    X(consumer_setPriority, "consumer.setPriority", "consumerId priority", "priority")             \
    X(consumer_requestKeyFrame, "consumer.requestKeyFrame", "consumerId", "")                      \
    X(consumer_getStats, "consumer.getStats", "consumerId", METHODS_STREAM_STATS)                  \
    X(consumer_dump, "consumer.dump", "consumerId",                                                \
      "id producerId transportId routerId kind type appData rtpParameters "                        \
      "consumableRtpEncodings supportedCodecPayloadTypes traceEventTypes paused producerPaused "   \
      "priority rtpStream " METHODS_STREAM_DUMP("rtpStream") METHODS_SCORE)                        \
    X(consumer_enableTraceEvent, "consumer.enableTraceEvent", "consumerId types", "types")         \
    X(consumer_close, "consumer.close", "consumerId", "")

/* X(NAME, name, params): notifications. */
#define EVENT_LIST(X)                                                                              \
    X(ROUTER_CLOSE, "router.close", "routerId")                                                    \
    X(ROUTER_WORKERCLOSE, "router.workerclose", "routerId")                                        \
    X(TRANSPORT_CLOSE, "transport.close", "transportId")                                           \
    X(TRANSPORT_ROUTERCLOSE, "transport.routerclose", "transportId")                               \
    X(TRANSPORT_WORKERCLOSE, "transport.workerclose", "transportId")                               \
    X(TRANSPORT_LISTENSERVERCLOSE, "transport.listenserverclose", "transportId")                   \
    X(TRANSPORT_ICESTATECHANGE, "transport.icestatechange", "transportId iceState")                \
    X(TRANSPORT_ICESELECTEDTUPLECHANGE, "transport.iceselectedtuplechange",                        \
      "transportId " METHODS_TUPLE("iceSelectedTuple"))                                            \
    X(TRANSPORT_DTLSSTATECHANGE, "transport.dtlsstatechange",                                      \
      "transportId dtlsState dtlsRemoteCert")                                                      \
    X(TRANSPORT_TUPLE, "transport.tuple", "transportId " METHODS_TUPLE("tuple"))                   \
    X(TRANSPORT_RTCPTUPLE, "transport.rtcptuple", "transportId " METHODS_TUPLE("rtcpTuple"))       \
    X(TRANSPORT_SOCKETDEAD, "transport.socketdead", "transportId")                                 \
    X(PRODUCER_CLOSE, "producer.close", "producerId")                                              \
    X(PRODUCER_TRANSPORTCLOSE, "producer.transportclose", "producerId")                            \
    X(PRODUCER_SCORE, "producer.score",                                                            \
      "producerId score score[].encodingIdx score[].ssrc score[].rid score[].score")               \
    X(PRODUCER_TRACE, "producer.trace",                                                            \
      "producerId trace trace.type trace.timestamp trace.direction trace.info trace.info.ssrc "    \
      "trace.info.rtpPacket trace.info.isRtx trace.info.packets")                                  \
    X(CONSUMER_CLOSE, "consumer.close", "consumerId")                                              \
    X(CONSUMER_TRANSPORTCLOSE, "consumer.transportclose", "consumerId")                            \
    X(CONSUMER_PRODUCERCLOSE, "consumer.producerclose", "consumerId")                              \
    X(CONSUMER_PRODUCERPAUSE, "consumer.producerpause", "consumerId")                              \
    X(CONSUMER_PRODUCERRESUME, "consumer.producerresume", "consumerId")                            \
    X(CONSUMER_SCORE, "consumer.score", "consumerId " METHODS_SCORE)                               \
    X(CONSUMER_TRACE, "consumer.trace",                                                            \
      "consumerId trace trace.type trace.timestamp trace.direction trace.info trace.info.ssrc "    \
      "trace.info.rtpPacket trace.info.isRtx trace.info.packets")                                  \
    X(WEBRTCSERVER_CLOSE, "webRtcServer.close", "webRtcServerId")                                  \
    X(WEBRTCSERVER_WORKERCLOSE, "webRtcServer.workerclose", "webRtcServerId")                      \
    X(WEBRTCSERVER_SOCKETDEAD, "webRtcServer.socketdead", "webRtcServerId")                        \
    X(SERVER_DRAINING, "server.draining", "seconds")                                               \
    X(SERVER_SHUTDOWN, "server.shutdown", "")

enum method_id {

#define METHOD_ENUM(function, name, params, result) METHOD_##function,
    METHOD_LIST(METHOD_ENUM)
#undef METHOD_ENUM
        METHOD_N
};

enum notice {

#define NOTICE_ENUM(id, name, params) NOTICE_##id,
    EVENT_LIST(NOTICE_ENUM)
#undef NOTICE_ENUM
        NOTICE_N
};

struct method {
    const char *name, *params, *result;
};

extern const struct method methods[METHOD_N];
extern const struct method notices[NOTICE_N]; /* no result */

/* METHOD_N for an unknown name. */
enum method_id method_find(const char *name);

/* The method that was meant by a name with a slip or two in it; NULL where none is near enough. */
const char *method_nearest(const char *name);

/* A method of mediasoup's object model that a later version brings. */
bool method_is_later(const char *name);

/* Is `field` (of `bytes` bytes) a word of `fields`? */
bool method_has_field(const char *fields, const char *field, size_t bytes);

/* The next word of a list: its start, and its length in `bytes`; NULL at the end. Begin with the
 * list itself and continue with the returned pointer plus `*bytes`. */
const char *method_next_field(const char *fields, size_t *bytes);

#endif
