# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of net/, one noun a line: noun -> test/net_noun_test.c with net_noun_suite().
sluice_test_folder(net
  SUITES
    address
    bye
    demux
    features
    keyframe
    limits
    recovery
    report
    route
    srtp
    turn
    udp
    worker
    wrap
  THREADS limits srtp
  SOURCES
    heap.c # counts heap calls
    net_rig.c
  LIBS sluice_net)
