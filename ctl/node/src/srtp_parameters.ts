// SPDX-License-Identifier: GPL-3.0-or-later
export type SrtpCryptoSuite =
  | 'AEAD_AES_256_GCM'
  | 'AEAD_AES_128_GCM'
  | 'AES_CM_128_HMAC_SHA1_80'
  | 'AES_CM_128_HMAC_SHA1_32';

export type SrtpParameters = {
  cryptoSuite: SrtpCryptoSuite;
  /** Master key, then salt. */
  keyBase64: string;
};
