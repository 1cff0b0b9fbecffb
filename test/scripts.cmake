# SPDX-License-Identifier: GPL-3.0-or-later
# Scripts, one a line: sluice_test_script(sluicectl_help test/ctl_help.sh LABELS integration)
sluice_test_script(tidy test/tidy)
sluice_test_script(tidy_test test/tidy_test)
sluice_test_script(install test/install_test.sh)
sluice_test_script(demo test/demo_test.sh LABELS integration TIMEOUT 900)
sluice_test_script(node_client ctl/node/test/run.sh LABELS integration TIMEOUT 900)
include(browser.cmake)
include(integration.cmake)
