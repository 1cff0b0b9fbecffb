# SPDX-License-Identifier: GPL-3.0-or-later
# Suites of perf/, one noun a line: noun -> test/perf_noun_test.c with perf_noun_suite().
sluice_test_folder(perf
  SUITES
    histogram
    limit
    options
    page
    plan
    report
    targets
  THREADS
  LIBS sluice_perf)
sluice_test_script(perf_fanout test/perf_fanout_test.sh LABELS integration)
sluice_test_script(perf_report_page test/perf_report_page_test.sh LABELS integration)
sluice_test_script(perf_storm test/perf_storm_test.sh LABELS integration)
