/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/ctl_ortc.h - what browsers, ffmpeg and applications say when they negotiate, and short forms
 * of what comes out. */
#ifndef SLUICE_TEST_CTL_ORTC_H
#define SLUICE_TEST_CTL_ORTC_H

#include "ctl/ortc.h"
#include "test/ctl_json.h"

#include <stdarg.h>

static struct field_error err;
static uint32_t last_ssrc;

static inline void set_up(void)
{
    field_error_clear(&err);
    last_ssrc = 1000;
}

static inline uint32_t next_ssrc(void *arg)
{
    uint32_t *last = arg;
    return ++*last;
}

static const struct ortc_ssrcs ssrcs = {next_ssrc, &last_ssrc};

#define MID      "urn:ietf:params:rtp-hdrext:sdes:mid"
#define RID      "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
#define RRID     "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
#define AST      "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
#define TWCC     "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define LEVEL    "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
#define ROTATION "urn:3gpp:video-orientation"
#define TOFFSET  "urn:ietf:params:rtp-hdrext:toffset"
#define CAPTURE  "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
#define PLAYOUT  "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

#define FB_VIDEO                                                                                   \
    "[{'type': 'goog-remb'}, {'type': 'transport-cc'}, {'type': 'ccm', 'parameter': 'fir'},"       \
    " {'type': 'nack'}, {'type': 'nack', 'parameter': 'pli'}]"
#define FB_AUDIO "[{'type': 'transport-cc'}, {'type': 'nack'}]"
#define CAP(kind, name, pt, rate, more)                                                            \
    "{'kind': '" kind "', 'mimeType': '" kind "/" name "', 'preferredPayloadType': " #pt           \
    ", 'clockRate': " #rate more "}"
#define CAP_OPUS                                                                                   \
    CAP("audio", "opus", 100, 48000,                                                               \
        ", 'channels': 2, 'parameters': {'minptime': 10, 'useinbandfec': 1},"                      \
        " 'rtcpFeedback': " FB_AUDIO)
#define CAP_VIDEO(name, pt, parameters)                                                            \
    CAP("video", name, pt, 90000, ", 'parameters': {" parameters "}, 'rtcpFeedback': " FB_VIDEO)
#define CAP_RTX(pt, apt)                                                                           \
    CAP("video", "rtx", pt, 90000, ", 'parameters': {'apt': " #apt "}, 'rtcpFeedback': []")
#define CAP_VP8  CAP_VIDEO("VP8", 101, "") "," CAP_RTX(102, 101)
#define CAP_VP9  CAP_VIDEO("VP9", 103, "'profile-id': 0") "," CAP_RTX(104, 103)
#define CAP_H264 CAP_VIDEO("H264", 105, H264_PARAMETERS) "," CAP_RTX(106, 105)
#define H264_PARAMETERS                                                                            \
    "'packetization-mode': 1, 'level-asymmetry-allowed': 1, 'profile-level-id': '42e01f'"
#define A(uri, id)  "{'kind': 'audio', 'uri': '" uri "', 'preferredId': " #id "}"
#define V(uri, id)  "{'kind': 'video', 'uri': '" uri "', 'preferredId': " #id "}"
#define AV(uri, id) A(uri, id) "," V(uri, id)

/* clang-format off */

/* What mediasoup-client makes of a browser's abilities for the router below. */
#define CHROME                                                                                     \
    "{'codecs': [" CAP_OPUS "," CAP_VP8 "," CAP_VP9 "," CAP_H264 "],"                              \
    " 'headerExtensions': [" AV(MID, 1) "," V(RID, 2) "," V(RRID, 3) "," AV(AST, 4) ","            \
    AV(TWCC, 5) "," A(LEVEL, 6) "," V(ROTATION, 8) "," V(TOFFSET, 9) "," AV(CAPTURE, 10) ","       \
    AV(PLAYOUT, 11) "]}"
#define FIREFOX                                                                                    \
    "{'codecs': [" CAP_OPUS "," CAP_VP8 "," CAP_VP9 "," CAP_H264 "],"                              \
    " 'headerExtensions': [" AV(MID, 1) "," V(AST, 4) "," V(TWCC, 5) "," A(LEVEL, 6) ","           \
    V(TOFFSET, 9) "," V(PLAYOUT, 11) "]}"
#define SAFARI_12 /* no transport-cc, no VP9 */                                                    \
    "{'codecs': [" CAP_OPUS "," CAP_VP8 "," CAP_H264 "],"                                          \
    " 'headerExtensions': [" AV(MID, 1) "," V(AST, 4) "," V(ROTATION, 8) "," V(TOFFSET, 9) "]}"
#define PLAIN /* a recorder that takes what comes and gives no feedback */                         \
    "{'codecs': [{'mimeType': 'audio/opus', 'clockRate': 48000, 'channels': 2},"                   \
    " {'mimeType': 'video/VP8', 'clockRate': 90000}]}"

#define ROUTER                                                                                     \
    "[{'kind': 'audio', 'mimeType': 'audio/opus', 'clockRate': 48000, 'channels': 2},"             \
    " {'kind': 'video', 'mimeType': 'video/VP8', 'clockRate': 90000,"                              \
    " 'parameters': {'x-google-start-bitrate': 1000}},"                                            \
    " {'kind': 'video', 'mimeType': 'video/VP9', 'clockRate': 90000},"                             \
    " {'kind': 'video', 'mimeType': 'video/h264', 'clockRate': 90000,"                             \
    " 'parameters': {" H264_PARAMETERS "}}]"

#define SENT(name, pt, parameters)                                                                 \
    "{'mimeType': 'video/" name "', 'payloadType': " #pt ", 'clockRate': 90000,"                   \
    " 'parameters': {" parameters "}, 'rtcpFeedback': " FB_VIDEO "}"
#define SENT_RTX(pt, apt)                                                                          \
    "{'mimeType': 'video/rtx', 'payloadType': " #pt ", 'clockRate': 90000,"                        \
    " 'parameters': {'apt': " #apt "}}"
#define EXT(uri, id) "{'uri': '" uri "', 'id': " #id ", 'encrypt': false, 'parameters': {}}"

#define CHROME_SIMULCAST                                                                           \
    "{'mid': '1', 'codecs': [" SENT("VP8", 96, "") "," SENT_RTX(97, 96) "],"                       \
    " 'headerExtensions': [" EXT(MID, 4) "," EXT(RID, 10) "," EXT(RRID, 11) "," EXT(AST, 2) ","    \
    EXT(TWCC, 3) "," EXT(CAPTURE, 9) "],"                                                          \
    " 'encodings': [{'rid': 'r0', 'active': true, 'scaleResolutionDownBy': 4,"                     \
    " 'maxBitrate': 500000, 'scalabilityMode': 'L1T3'}, {'rid': 'r1', 'maxBitrate': 1000000,"      \
    " 'scalabilityMode': 'L1T3'}, {'rid': 'r2', 'maxBitrate': 5000000,"                            \
    " 'scalabilityMode': 'L1T3'}], 'rtcp': {'cname': 'chrome', 'reducedSize': true}}"
#define CHROME_AUDIO                                                                               \
    "{'mid': '0', 'codecs': [{'mimeType': 'audio/opus', 'payloadType': 111, 'clockRate': 48000,"   \
    " 'channels': 2, 'parameters': {'minptime': 10, 'useinbandfec': 1, 'sprop-stereo': 1},"        \
    " 'rtcpFeedback': " FB_AUDIO "}],"                                                             \
    " 'headerExtensions': [" EXT(MID, 4) "," EXT(AST, 2) "," EXT(TWCC, 3) "," EXT(LEVEL, 1) "],"   \
    " 'encodings': [{'ssrc': 77, 'dtx': true}],"                                                   \
    " 'rtcp': {'cname': 'chrome'}, 'msid': 'stream track'}"
#define SAFARI_H264                                                                                \
    "{'mid': '1', 'codecs': [" SENT("H264", 98, "'packetization-mode': 1,"                         \
    " 'level-asymmetry-allowed': 1, 'profile-level-id': '42e028'") "," SENT_RTX(99, 98) "],"       \
    " 'headerExtensions': [" EXT(MID, 4) "," EXT(TWCC, 3) "],"                                     \
    " 'encodings': [{'ssrc': 50, 'rtx': {'ssrc': 51}}], 'rtcp': {'cname': 'safari'}}"
#define CHROME_VP9_SVC                                                                             \
    "{'mid': '1', 'codecs': [" SENT("VP9", 98, "'profile-id': 0") "," SENT_RTX(99, 98) "],"        \
    " 'encodings': [{'ssrc': 50, 'scalabilityMode': 'L3T3_KEY'}]}"
#define FFMPEG_VP8                                                                                 \
    "{'codecs': [{'mimeType': 'video/vp8', 'payloadType': 102, 'clockRate': 90000}],"              \
    " 'encodings': [{'ssrc': 2222}]}"
#define FFMPEG_OPUS                                                                                \
    "{'codecs': [{'mimeType': 'audio/opus', 'payloadType': 101, 'clockRate': 48000,"               \
    " 'channels': 2, 'parameters': {'sprop-stereo': 1}}], 'encodings': [{'ssrc': 1111}]}"

/* clang-format on */

enum { TEXT_BYTES = 1024 };

static inline void add(char text[TEXT_BYTES], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline void add(char text[TEXT_BYTES], const char *fmt, ...)
{
    va_list args;
    size_t at = strlen(text);
    va_start(args, fmt);
    vsnprintf(text + at, TEXT_BYTES - at, fmt, args);
    va_end(args);
}

static inline int number(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

/* "100 audio/opus transport-cc; ext 1 4 6; 1001": codecs with feedback (RTX: what it repairs),
 * extensions' ids, encodings. */
static inline const char *in_short(const json_t *params, char text[TEXT_BYTES])
{
    text[0] = '\0';
    size_t i, j;
    const json_t *codec, *fb, *ext, *encoding;
    json_array_foreach(json_object_get(params, "codecs"), i, codec)
    {
        add(text, "%d %s", rtpcodec_payload_type(codec), rtpcodec_mime(codec));
        if (rtpcodec_is_rtx(codec))
            add(text, " %d", rtpcodec_apt(codec));
        json_array_foreach(json_object_get(codec, "rtcpFeedback"), j, fb)
        {
            const char *parameter = json_string_value(json_object_get(fb, "parameter"));
            add(text, " %s%s%s", json_string_value(json_object_get(fb, "type")),
                parameter[0] ? "." : "", parameter);
        }
        add(text, "; ");
    }
    add(text, "ext");
    json_array_foreach(json_object_get(params, "headerExtensions"), i, ext)
        add(text, " %d", number(ext, "id"));
    json_array_foreach(json_object_get(params, "encodings"), i, encoding)
    {
        const char *mode = json_string_value(json_object_get(encoding, "scalabilityMode"));
        const json_t *rtx = json_object_get(encoding, "rtx");
        add(text, "; %d", number(encoding, "ssrc"));
        if (rtx)
            add(text, "+%d", number(rtx, "ssrc"));
        if (mode)
            add(text, " %s", mode);
        if (number(encoding, "maxBitrate"))
            add(text, " %dk", number(encoding, "maxBitrate") / 1000);
    }
    return text;
}

/* A producer in a router, with everything that is made for it. */
struct produced {
    json_t *router, *params, *mapping, *consumable;
    enum ortc_type type;
};

static inline struct produced produce(const char *media_codecs, enum media_kind kind,
                                      const char *params)
{
    struct produced p = {0};
    json_t *codecs = json_of(media_codecs), *value = json_of(params);
    p.router = ortc_router_capabilities(codecs, &err);
    assert_no_error(&err);
    p.params = rtpparams_producer(value, "rtpParameters", kind, NULL, &err);
    assert_no_error(&err);
    p.mapping = ortc_producer_mapping(p.params, p.router, &ssrcs, &err);
    if (p.mapping)
        p.consumable = ortc_consumable_parameters(kind, p.params, p.router, p.mapping, &err);
    if (p.consumable)
        ck_assert(ortc_producer_type(p.params, &p.type, &err));
    json_decref(codecs);
    json_decref(value);
    return p;
}

static inline void produced_exit(struct produced *p)
{
    json_decref(p->router);
    json_decref(p->params);
    json_decref(p->mapping);
    json_decref(p->consumable);
}

#endif
