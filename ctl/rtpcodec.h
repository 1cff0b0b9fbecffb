/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ctl/rtpcodec.h - one codec as controllers write it: RtpCodecCapability and RtpCodecParameters.
 *
 * Read once into a normal form, in which every optional field is there, and then looked at through
 * the small functions below. Unknown fields are left out of the normal form. Threads: values, no
 * state. */
#ifndef CTL_RTPCODEC_H
#define CTL_RTPCODEC_H

#include "ctl/codecs.h"
#include "ctl/fields.h"

enum {
    RTPCODEC_MIME_BYTES_MAX = 64,
    RTPCODEC_FEEDBACK_MAX = 16,
    RTPCODEC_PARAMETERS_MAX = 32, /* of one codec */
    RTPCODEC_KEY_BYTES_MAX = 64,
    RTPCODEC_TEXT_BYTES_MAX = 1024, /* H265 sends its parameter sets here */
    RTPCODEC_CLOCK_RATE_MAX = 10000000,
    RTPCODEC_CHANNELS_MAX = 255,
};

enum rtpcodec_form {
    RTPCODEC_CAPABILITY, /* {kind, mimeType, preferredPayloadType?, clockRate, channels?,
                            parameters, rtcpFeedback} */
    RTPCODEC_PARAMETERS, /* {mimeType, payloadType, clockRate, channels?, parameters, rtcpFeedback}
                          */
};

/* A new reference to the normal form, or NULL with the error set. `channels` is there for audio
 * only (1 where it was not given), `kind` follows the mime type whatever was given, parameters are
 * strings and numbers, and a feedback without parameter has "". */
json_t *rtpcodec_read(const struct fields *f, enum rtpcodec_form form);

/* {uri, parameters} of a header extension have the same parameters: a new object or NULL with the
 * error set. */
json_t *rtpcodec_read_parameters(const struct fields *f);

/* Of a codec in normal form, either form. */
const char *rtpcodec_mime(const json_t *codec); /* "" if it has none */
enum media_kind rtpcodec_kind(const json_t *codec);
bool rtpcodec_is(const json_t *codec, const char *mime); /* in any case */
bool rtpcodec_is_rtx(const json_t *codec);
int rtpcodec_payload_type(const json_t *codec); /* preferred or real, -1 without one */
int rtpcodec_apt(const json_t *codec);          /* of RTX, -1 without one */
int64_t rtpcodec_clock_rate(const json_t *codec);
int64_t rtpcodec_channels(const json_t *codec); /* 0 for video */

/* A parameter as a number ("1" is one too), `absent` where it is missing or is none. */
int64_t rtpcodec_number(const json_t *codec, const char *key, int64_t absent);

/* A parameter as text. A number is written into `buffer` in decimal, six digits at least: some SDP
 * parsers make a number of profile-level-id "420029". `absent` where it is missing or "". */
enum { RTPCODEC_NUMBER_BYTES = 24 };

const char *rtpcodec_text(const json_t *codec, const char *key, const char *absent,
                          char buffer[RTPCODEC_NUMBER_BYTES]);

/* Codecs of an array by payload type; RTX by the payload type that it repairs. Borrowed, or NULL.
 */
json_t *rtpcodec_find(const json_t *codecs, int payload_type);
json_t *rtpcodec_find_rtx(const json_t *codecs, int apt);

/* "video/H264 90000 packetization-mode=1 profile-level-id=42e01f", for errors. Returns `text`. */
const char *rtpcodec_describe(const json_t *codec, char text[FIELD_TEXT_BYTES]);

#endif
