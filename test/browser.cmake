# SPDX-License-Identifier: GPL-3.0-or-later
# The room page in headless Chromium against the real relay, and the page of a perf report:
# test/browser/.
function(sluice_test_browser name)
  sluice_test_script(browser_${name} test/browser/run.sh ARGS ${ARGN} LABELS integration
    TIMEOUT 900)
endfunction()
sluice_test_browser(server server_test.mjs)
sluice_test_browser(room room_test.mjs)
sluice_test_browser(room_spread room_test.mjs spread)
sluice_test_browser(churn churn_test.mjs)
sluice_test_browser(churn_spread churn_test.mjs spread)
sluice_test_browser(page page_test.mjs)
sluice_test_browser(tcp network_test.mjs tcp)
sluice_test_browser(ipv6 network_test.mjs ipv6)
sluice_test_browser(firefox firefox_test.mjs)
sluice_test_browser(report report_test.mjs)
sluice_test_browser(lossy network_test.mjs lossy)
