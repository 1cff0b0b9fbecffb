/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rtp/cipheranswer.h - known answers of the ciphers, from the RFCs: libsrtp2 runs them before it
 * takes a cipher. Only for rtp/cipher.c. */
#ifndef RTP_CIPHERANSWER_H
#define RTP_CIPHERANSWER_H

#include <srtp2/auth.h>
#include <srtp2/cipher.h>

extern const srtp_cipher_test_case_t cipher_answer_icm_128, cipher_answer_icm_256;
extern const srtp_cipher_test_case_t cipher_answer_gcm_128, cipher_answer_gcm_256;
extern const srtp_auth_test_case_t cipher_answer_hmac;

#endif
