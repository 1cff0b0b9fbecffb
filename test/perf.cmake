# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of perf/, one noun a line: noun -> test/perf_noun_test.c with perf_noun_suite().
sluice_test_folder(perf
  SUITES
    egress
    histogram
    inbound
    limit
    options
    page
    plan
    report
    scene
    targets
  THREADS
  LIBS sluice_perf)
sluice_test_script(perf_fanout test/perf_fanout_test.sh LABELS integration)
sluice_test_script(perf_room test/perf_room_test.sh LABELS integration)
sluice_test_script(perf_broadcast test/perf_broadcast_test.sh LABELS integration)
sluice_test_script(perf_churn test/perf_churn_test.sh LABELS integration)
sluice_test_script(perf_saturate test/perf_saturate_test.sh LABELS integration)
sluice_test_script(perf_egress_ways test/perf_egress_ways_test.sh LABELS integration)
sluice_test_script(perf_report_page test/perf_report_page_test.sh LABELS integration)
sluice_test_script(perf_storm test/perf_storm_test.sh LABELS integration TIMEOUT 600)
