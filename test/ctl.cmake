# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of ctl/, one noun a line: noun -> test/ctl_noun_test.c with ctl_noun_suite().
sluice_test_folder(ctl
  SUITES
    codecmatch
    codecs
    fields
    h264
    ortc
    ortc_consumer
    rtpparams
  THREADS
  LIBS sluice_ctl)
