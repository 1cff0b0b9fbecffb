# SPDX-License-Identifier: GPL-3.0-or-later
# Scripts, one a line: sluice_test_script(sluicectl_help test/ctl_help.sh LABELS integration)
