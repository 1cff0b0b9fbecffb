/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/rtp_codec_fuzz.c - any bytes as a payload: | codec | payload |. Reads stay inside; the
 * answer depends on nothing else. */
#include "rtp/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes == 0)
        return 0;
    enum rtp_codec codec = (enum rtp_codec)(data[0] % (RTP_CODEC_AV1 + 1));
    bool key = rtp_codec_keyframe(codec, data + 1, bytes - 1);
    ASSERT(rtp_codec_keyframe(codec, data + 1, bytes - 1) == key);
    ASSERT(!key || bytes > 2); /* no key frame in one byte */
    return 0;
}
