/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/srtp_oracle.h - SRTP straight from the RFCs, to compare with: no libsrtp2, raw AES and HMAC.
 *
 * Link test/srtp_oracle.c into the test. Keys are master key then salt, as seal_init() takes them.
 */
#ifndef SLUICE_TEST_SRTP_ORACLE_H
#define SLUICE_TEST_SRTP_ORACLE_H

#include "rtp/seal.h"

enum { ORACLE_BYTES_MAX = 1600 };

/* RFC 3711 4.3 with key derivation rate 0. */
void oracle_derive(enum seal_suite suite, const uint8_t *master, uint8_t label, uint8_t *out,
                   size_t bytes);

/* Seals in place. The first `clear` bytes are header: CSRCs and extension included. */
void oracle_rtp(enum seal_suite suite, const uint8_t *master, uint8_t *data, size_t *bytes,
                size_t clear, uint32_t roc);
void oracle_rtcp(enum seal_suite suite, const uint8_t *master, uint8_t *data, size_t *bytes,
                 uint32_t index);

#endif
