# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of ctl/, one noun a line: noun -> test/ctl_noun_test.c with ctl_noun_suite().
sluice_test_folder(ctl
  SUITES
    churn
    codecmatch
    codecs
    config
    control
    fields
    h264
    jsonrpc
    load
    media
    mirror
    ortc
    ortc_consumer
    parts
    placement
    protocol
    room
    rtpparams
    trim
    webrtc
    webrtc_events
    webrtcserver
  THREADS
  SOURCES ctl_rig.c fake_worker.c heap.c
  LIBS sluice_ctl)
sluice_test_script(ctl_daemon test/ctl_daemon_test.sh)
