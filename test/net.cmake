# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of net/, one noun a line: noun -> test/net_noun_test.c with net_noun_suite().
sluice_test_folder(net
  SUITES
    address
    bye
    certificate
    clienthello
    demux
    dtls
    dtlspeer
    exchange
    exchange_storm
    features
    frame
    ice
    keyframe
    limits
    recovery
    report
    route
    srtp
    stun
    stunlimit
    stunwrite
    tcp
    tcp_accept
    tcp_open
    tcp_storm
    turn
    udp
    worker
    webrtc
    webrtc_ice
    webrtc_refused
    webrtc_storm
    wrap
  THREADS dtls exchange exchange_storm limits srtp webrtc webrtc_ice
  SOURCES
    dtls_rig.c
    heap.c # counts heap calls
    net_rig.c
    net_tcp_rig.c
    webrtc_rig.c
  LIBS sluice_perf)
