# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of rtp/, one noun a line: noun -> test/rtp_noun_test.c with rtp_noun_suite().
sluice_test_folder(rtp
  SUITES
    rewrite
    codec
    resend
    cipher
    ext
    packet
    rate
    retain
    score
    seal
    sealout
    seq
    seqmap
    source
  THREADS seal
  SOURCES
    heap.c        # counts heap calls
    srtp_oracle.c # SRTP straight from the RFCs
  LIBS sluice_rtp)
