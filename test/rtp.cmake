# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of rtp/, one noun a line: noun -> test/rtp_noun_test.c with rtp_noun_suite().
sluice_test_folder(rtp
  SUITES
    seqmap
    ext
    packet
    rate
    score
    seq
    source
  THREADS
  LIBS sluice_rtp)
