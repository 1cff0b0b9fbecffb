/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/ortc.h - negotiation: from what endpoints can do to what each of them sends and receives.
 *
 *   mediaCodecs --router_capabilities--> routerCaps     one per router
 *   rtpParameters + routerCaps --producer_mapping--> mapping --consumable_parameters--> consumable
 * one per producer consumable + rtpCapabilities --consumer_parameters--> rtpParameters of a
 * consumer
 *
 * All values are JSON in the shapes and spelling of mediasoup's library, so that its clients take
 * them as they are. What comes from a controller has been through ctl/rtpparams.h, except where a
 * function says that it does so itself; nothing is asserted about it all the same. Errors name the
 * field with the names used here ("rtpParameters.codecs[1]").
 *
 * Threads: functions without state. Ownership: a json_t * returned is a new reference to a value
 * that shares nothing with the arguments; NULL means that `err` is set. Bounded by the limits of
 * rtpparams.h. */
#ifndef CTL_ORTC_H
#define CTL_ORTC_H

#include "ctl/rtpparams.h"

/* Gives an SSRC, never 0, that its user has not used before: random, and checked by who knows those
 * in use. */
struct ortc_ssrcs {
    uint32_t (*take)(void *arg);
    void *arg;
};

enum ortc_type { ORTC_SIMPLE, ORTC_SIMULCAST, ORTC_SVC, ORTC_PIPE };

/* "simple", "simulcast", "svc", "pipe", NULL. */
extern const char *const ortc_type_names[];

/* Checks `media_codecs` itself (path "mediaCodecs"; NULL and null are an empty list). {codecs,
 * headerExtensions}: the codecs in the order given, each with its payload type, the relay's
 * feedback and the parameters of both, RTX behind each video codec. A given preferredPayloadType is
 * kept; else a static one if the codec has it and it is free, else a dynamic one. Refused: an
 * unsupported codec, the same one twice, too many for the payload types. */
json_t *ortc_router_capabilities(const json_t *media_codecs, struct field_error *err);

/* {codecs: [{payloadType, mappedPayloadType}], encodings: [{ssrc?, rid?, scalabilityMode?,
 * mappedSsrc}]}, in the order of `params` but with RTX last. The H264 and H265 levels in `params`
 * become those of the answer. Refused: a codec that the router does not have. */
json_t *ortc_producer_mapping(json_t *params, const json_t *router_caps,
                              const struct ortc_ssrcs *ssrcs, struct field_error *err);

/* What the router offers of a producer: its codecs with the router's payload types, RTX where the
 * router has it, the extensions that may be sent for this kind, one encoding per mapped SSRC.
 * abs-capture-time is offered only if the producer sends it. */
json_t *ortc_consumable_parameters(enum media_kind kind, const json_t *params,
                                   const json_t *router_caps, const json_t *mapping,
                                   struct field_error *err);

/* At least one media codec of `consumable` can be received with `caps`. */
bool ortc_can_consume(const json_t *consumable, const json_t *caps);

struct ortc_consume {
    bool pipe;       /* all encodings instead of one */
    bool enable_rtx; /* RTX and generic NACK. As mediasoup: true for video, false for audio if not
                        asked for */
    const char *mid; /* NULL: none */
};

/* Parameters of a consumer: the codecs that the endpoint has, with the feedback that both have;
 * transport-cc if its extension is common, else REMB if abs-send-time is, else neither; one
 * encoding with an SSRC of its own (and one for RTX where that is common), scalabilityMode and the
 * highest maxBitrate. */
json_t *ortc_consumer_parameters(const json_t *consumable, const json_t *caps,
                                 const struct ortc_consume *how, const struct ortc_ssrcs *ssrcs,
                                 struct field_error *err);

/* Parameters of a consumer between routers: all codecs and encodings, no estimation of bandwidth,
 * no mid; the dependency descriptor, which endpoints are not sent, goes along for video. NACK and
 * RTX only with `enable_rtx`. */
json_t *ortc_pipe_consumer_parameters(const json_t *consumable, bool enable_rtx,
                                      const struct ortc_ssrcs *ssrcs, struct field_error *err);

/* simulcast: several encodings (VP8, H264, H265); svc: one with several layers (VP8, VP9, H264,
 * AV1); else simple. False with the error set where the codec cannot be forwarded that way. */
bool ortc_producer_type(const json_t *params, enum ortc_type *type, struct field_error *err);

/* A consumer is of its producer's type, or ORTC_PIPE. */
static inline enum ortc_type ortc_consumer_type(enum ortc_type producer, bool pipe)
{
    return pipe ? ORTC_PIPE : producer;
}

#endif
