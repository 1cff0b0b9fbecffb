/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/seal.h - SRTP and SRTCP of one transport: libsrtp2 with wolfCrypt's ciphers. RFC 3711, RFC
 * 7714.
 *
 * libsrtp2 allocates when a stream is added: by command (outbound), or when a new ssrc's first
 * authentic packet arrives (inbound, bounded); never for a packet of a known stream. Sending an
 * index of SEAL_WINDOW_OUT again is allowed (a plain resend is byte-identical: the caller sees to
 * it). Threads: seal_library_init() once at start-up; a seal by its worker, any number at once.
 * Memory: about 3.8 KiB a seal, 0.6 KiB for each further outbound stream (keys are shared by 16),
 * 0.4 for an inbound one. Keys are copied by seal_init() and wiped by seal_exit().
 *
 * An index is used once. (key, ssrc, index) names the keystream, so no two different packets
 * may share it: with GCM that would give the authentication key away. The index is the rollover
 * counter and the sequence number for RTP, a count of its own for RTCP; a receiver guesses the
 * rollover counter from the number nearest to its newest. Hence the rule for an outbound ssrc that
 * is removed and added again under the same key:
 *   - It goes on where it stopped, RTP and RTCP: its rollover counter is kept, nothing at or before
 *     its newest number can be sent any more (DROP_SEAL), and it starts with the number
 *     that seal_first_seq_out() says, the one after its newest. So a receiver that has kept its
 *     stream guesses right across any number of wraps, and one that has dropped it (a new stream
 *     has rollover counter 0 by RFC 3711 3.3.1) guesses right until the first wrap.
 *   - The SEAL_PARKED_MAX streams removed last are kept for that. Of older ones only the ssrc
 *     is remembered, and it is refused (-EEXIST): the caller takes another. One that has not
 *     sent anything is forgotten at once.
 *   - What is remembered are ranges, at most SEAL_SPENT_RANGES_MAX: a caller who takes ssrcs one
 *     after the other never comes near. Beyond it ranges are merged, so that ssrcs between them
 *     are refused, too; a caller who draws them at random is refused ever more of them.
 * Inbound streams that are removed are parked likewise, since their sender's rollover counter goes
 * on; they make room for new ones, least recently heard first. */
#ifndef RTP_SEAL_H
#define RTP_SEAL_H

#include "core/base.h"
#include "core/drop.h"

enum seal_suite {
    SEAL_NONE,
    SEAL_AEAD_AES_256_GCM,
    SEAL_AEAD_AES_128_GCM,
    SEAL_AES_CM_128_HMAC_SHA1_80,
    SEAL_AES_CM_128_HMAC_SHA1_32,
    SEAL_SUITE_N,
};

enum {
    SEAL_KEY_BYTES_MAX = 44,     /* AES-256-GCM: 32 key + 12 salt */
    SEAL_OVERHEAD_RTP = 16,      /* most that protect adds to RTP */
    SEAL_OVERHEAD_RTCP = 16 + 4, /* tag and index */
    SEAL_SLACK_BYTES = 144,      /* libsrtp2 wants as much room behind a packet that it protects */
    SEAL_WINDOW = 1024,          /* inbound: what comes later is taken for a replay */
    /* Outbound: what is further back is not sent again. All that is retained for a second at 1000
     * packets/s, and what receivers take at most for no replay. libsrtp2 shifts the whole window
     * for each packet: 2048 cost 6 ns and 128 bytes a stream more, 8192 46 ns and 900 bytes. */
    SEAL_WINDOW_OUT = 1024,
    SEAL_STREAMS_IN_MAX = 64,    /* inbound ssrcs of one transport, RTP and RTCP senders */
    SEAL_STREAMS_OUT_MAX = 4096, /* outbound ssrcs, parked ones included */
    SEAL_PARKED_MAX = 16,        /* removed streams kept, each way */
    /* Ranges of ssrcs remembered of outbound streams not kept, 8 bytes each: twice as many as the
     * live ones can cut a row of numbers into. */
    SEAL_SPENT_RANGES_MAX = 2 * SEAL_STREAMS_OUT_MAX,
};

struct seal; /* opaque */

const char *seal_suite_name(enum seal_suite suite);   /* "AEAD_AES_256_GCM" */
enum seal_suite seal_suite_of_name(const char *name); /* SEAL_NONE for an unknown one */
size_t seal_key_bytes(enum seal_suite suite);         /* master key + salt */
bool seal_suite_is_aead(enum seal_suite suite);

/* Initializes libsrtp2, plugs wolfCrypt's ciphers in and runs their self-tests. 0 or -EIO. Calls
 * are counted: the last exit ends the library. */
int seal_library_init(void);
void seal_library_exit(void);

/* Keys are master key then salt, seal_key_bytes() long; copied. Allocates. 0, -ENOMEM, -EINVAL. */
int seal_init(struct seal **seal, enum seal_suite suite, const uint8_t *key_in,
              const uint8_t *key_out);
void seal_exit(struct seal *seal); /* NULL is fine */
enum seal_suite seal_suite_of(const struct seal *seal);

/* What is alive in the process, and what of it takes memory: parked streams as well. Any thread. */
struct seal_count {
    int64_t seals, outs, ins;
};

struct seal_count seal_count(enum seal_suite suite);

/* Outbound stream of a consumer, or the ssrc of a transport's own RTCP, added when it is made and
 * removed with it; nothing can be sent from an ssrc that was not added. Allocates. 0, -EEXIST (in
 * use, or used up under this key: take another ssrc), -ENOSPC, -ENOMEM. */
int seal_add_out(struct seal *seal, uint32_t ssrc);
void seal_remove_out(struct seal *seal, uint32_t ssrc);

/* First sequence number of a stream just added: `wanted` (random, in [2, 2^15)) for an ssrc that
 * has not sent RTP under this key, else the one after its newest, which alone all receivers accept.
 */
uint16_t seal_first_seq_out(const struct seal *seal, uint32_t ssrc, uint16_t wanted);

/* Asks for what protecting will look at first, without waiting for it. */
void seal_prefetch(const struct seal *seal);

/* Inbound streams go with their producer. */
void seal_remove_in(struct seal *seal, uint32_t ssrc);

/* In place, `data` on a 32-bit boundary. `bytes` is updated. Protect needs SEAL_OVERHEAD_* and
 * SEAL_SLACK_BYTES of room behind the packet. Where unprotect fails, the bytes are undefined.
 * DROP_NONE, DROP_SEAL / DROP_SRTP_AUTH, DROP_SRTP_REPLAY, DROP_SRTP_STREAMS, DROP_SRTP_OTHER. */
enum drop seal_protect_rtp(struct seal *seal, uint8_t *data, size_t *bytes);
enum drop seal_protect_rtcp(struct seal *seal, uint8_t *data, size_t *bytes);
enum drop seal_unprotect_rtp(struct seal *seal, uint8_t *data, size_t *bytes);
enum drop seal_unprotect_rtcp(struct seal *seal, uint8_t *data, size_t *bytes);

#endif
