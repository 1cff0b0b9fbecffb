/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/rtpparams.h - rtpParameters, rtpCapabilities and their kin: checked once, then in a normal
 * form.
 *
 * Everything that a controller sends passes through here before ctl/ortc.h sees it. Every function
 * takes the JSON value as it came, `path` for its place in the request ("rtpParameters"), and
 * returns a new reference to the normal form, or NULL with `err` set. The normal form shares
 * nothing with the input, has every optional list and object, and only fields that are known.
 * Threads: values, no state. */
#ifndef CTL_RTPPARAMS_H
#define CTL_RTPPARAMS_H

#include "ctl/rtpcodec.h"

enum {
    RTPPARAMS_CODECS_MAX = PRODUCER_PT_MAX, /* of a producer or consumer, RTX included */
    RTPPARAMS_ENCODINGS_MAX = PRODUCER_ENCODINGS_MAX,
    RTPPARAMS_CNAME_BYTES_MAX = CNAME_BYTES_MAX - 1,
    RTPPARAMS_CAPABILITY_CODECS_MAX = 256, /* browsers list about 60 */
    RTPPARAMS_MEDIA_CODECS_MAX = 64,       /* of a router: more than there are payload types */
    RTPPARAMS_EXTENSIONS_MAX = 64,
    RTPPARAMS_LAYERS_MAX = 8, /* spatial or temporal, of one encoding */
    RTPPARAMS_URI_BYTES_MAX = 256,
    RTPPARAMS_MSID_BYTES_MAX = 256,
    RTPPARAMS_MODE_BYTES_MAX = 32,
};

/* What an endpoint can receive: {codecs: [RTPCODEC_CAPABILITY], headerExtensions: [{kind, uri,
 * preferredId, preferredEncrypt, direction}]}. Both lists may be missing. */
json_t *rtpparams_capabilities(const json_t *caps, const char *path, struct field_error *err);

/* A router's mediaCodecs: [RTPCODEC_CAPABILITY], the payload types, where given, safe and
 * different. */
json_t *rtpparams_media_codecs(const json_t *list, const char *path, struct field_error *err);

/* What an endpoint sends: {mid?, codecs: [RTPCODEC_PARAMETERS], headerExtensions: [{uri, id,
 * encrypt, parameters}], encodings: [{ssrc?, rid?, codecPayloadType?, rtx?: {ssrc}, dtx,
 * scalabilityMode?, maxBitrate?}], rtcp: {cname, reducedSize, mux?}, msid?}. At least one media
 * codec, all of `kind`; RTX repairs a media codec; ids, payload types, SSRCs and rids are
 * different; at least one encoding ({} where none was given), each of several known by ssrc or rid,
 * a single one by ssrc, rid or mid. `cname`: the transport's, which all of its producers share (RFC
 * 3550: one source, one clock); NULL keeps the given one, and then rtcp may lack it. */
json_t *rtpparams_producer(const json_t *params, const char *path, enum media_kind kind,
                           const char *cname, struct field_error *err);

/* Final parameters of a consumer from a caller who negotiated himself: the same shape; every
 * encoding has its ssrc. */
json_t *rtpparams_consumer(const json_t *params, const char *path, enum media_kind kind,
                           struct field_error *err);

/* Consumable encodings from such a caller: a list of at least one encoding, each with its ssrc. */
json_t *rtpparams_encodings(const json_t *list, const char *path, struct field_error *err);

/* A producer's mapping from such a caller, for `params` in normal form: {codecs: [{payloadType,
 * mappedPayloadType}], encodings: [{ssrc?, rid?, scalabilityMode?, mappedSsrc}]}: every payload
 * type of params once, no other; as many encodings; mapped SSRCs different. */
json_t *rtpparams_mapping(const json_t *mapping, const char *path, const json_t *params,
                          struct field_error *err);

/* A consumer's mapping, made by a caller: {codecs: [{payloadType, mappedPayloadType}]}. The mapped
 * ones are payload types of params, each at most once, but not RTX, which follows its codec. */
json_t *rtpparams_consumer_mapping(const json_t *mapping, const char *path, const json_t *params,
                                   struct field_error *err);

/* The codec that an encoding of parameters in normal form is sent with, which is its
 * codecPayloadType's or the first one that is not RTX. Borrowed, never NULL for an index that
 * exists. */
const json_t *rtpparams_encoding_codec(const json_t *params, size_t index);

/* [LS]<spatial>T<temporal>[_KEY]..., of the WebRTC-SVC specification. */
struct rtpparams_layers {
    int spatial, temporal;
    bool key_only; /* K-SVC: spatial layers depend on each other in key frames only */
};

/* False, and one layer each, for what is no such mode; NULL is none. */
bool rtpparams_layers_parse(struct rtpparams_layers *layers, const char *mode);

#endif
