/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/fuzz/rtp_red_fuzz.c - any payload as RED towards a receiver with any payload types: of it,
 * nothing but the types in its block heads is changed.
 *
 *   input: | how many payload types, mod 16 | in, out of each | payload | */
#include "rtp/codec.h"
#include "rtp/rewrite.h"

#include <stdlib.h>

enum { PAYLOAD_BYTES_MAX = 1400, OSN_BYTES = 2, MORE = 0x80, HEAD_BYTES = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint8_t mapped(const struct rewrite *rewrite, uint8_t head)
{
    int pt = rewrite_pt_find(rewrite, head & 0x7f);
    return pt < 0 ? head : (uint8_t)((head & MORE) | rewrite->pt[pt].out);
}

/* All heads or none of them. */
static void check(const struct rewrite *rewrite, const uint8_t *in, const uint8_t *out, size_t n)
{
    if (n == 0 || memcmp(in, out, n) == 0)
        return;
    bool head = true; /* stands one at i? */
    size_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (!head || i != next) {
            ASSERT(out[i] == in[i]);
            continue;
        }
        ASSERT(out[i] == mapped(rewrite, in[i]));
        head = in[i] & MORE;
        next = i + HEAD_BYTES;
    }
    ASSERT(!head); /* the primary's was there */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct rtp_exts no_exts;
    uint8_t packet[RTP_FIXED_BYTES + PAYLOAD_BYTES_MAX] = {0x80, 63};
    struct rewrite rewrite = {.ssrc = 1, .rtx_ssrc = 2, .pt_n = 1};
    struct rewrite_numbers numbers = {.seq = 3, .rtp_ts = 4, .pt = 0};
    rewrite.pt[0].in = 63;
    rewrite.pt[0].out = 73;
    rewrite.pt[0].rtx = 74;
    rewrite.pt[0].codec = RTP_CODEC_RED;
    size_t pt_n = bytes ? data[0] % REWRITE_PT_MAX : 0;
    if (bytes < 1 + 2 * pt_n || bytes - 1 - 2 * pt_n > PAYLOAD_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < pt_n; i++) {
        rewrite.pt[rewrite.pt_n].in = data[1 + 2 * i] & 0x7f;
        rewrite.pt[rewrite.pt_n].out = data[2 + 2 * i] & 0x7f;
        rewrite.pt[rewrite.pt_n++].codec = RTP_CODEC_OTHER;
    }
    size_t n = bytes - 1 - 2 * pt_n;
    memcpy(packet + RTP_FIXED_BYTES, data + 1 + 2 * pt_n, n);

    struct rtp_packet parsed;
    struct rewrite_out result;
    ASSERT(rtp_packet_parse(&parsed, packet, RTP_FIXED_BYTES + n) == DROP_NONE);
    /* Ends where its bytes end. */
    uint8_t *out = malloc(RTP_FIXED_BYTES + n), *rtx = malloc(RTP_FIXED_BYTES + OSN_BYTES + n);
    ASSERT(out && rtx);
    rewrite_packet(&rewrite, packet, &parsed, &no_exts, &numbers, out, &result);
    ASSERT(result.bytes == RTP_FIXED_BYTES + n);
    check(&rewrite, packet + RTP_FIXED_BYTES, out + RTP_FIXED_BYTES, n);
    rewrite_packet_rtx(&rewrite, packet, &parsed, &no_exts, &numbers, 5, rtx, &result);
    ASSERT(result.bytes == RTP_FIXED_BYTES + OSN_BYTES + n);
    ASSERT(memcmp(rtx + RTP_FIXED_BYTES + OSN_BYTES, out + RTP_FIXED_BYTES, n) == 0);
    free(out);
    free(rtx);
    return 0;
}
