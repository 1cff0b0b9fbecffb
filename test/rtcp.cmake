# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of rtcp/, one noun a line: noun -> test/rtcp_noun_test.c with rtcp_noun_suite().
sluice_test_folder(rtcp
  SUITES
    feedback
    keyframe
    nack
    packet
    report
    rtt
    twcc
    xr
  THREADS
  LIBS sluice_rtcp)
