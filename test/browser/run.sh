#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# One browser test: run.sh FILE [ARGUMENT...]. It prints "N passed, M failed"; 77: no npm or
# Chromium here. SLUICE_BIN is the folder of the relay.
set -euo pipefail
cd "$(dirname "$0")/../.."
. ctl/node/node.sh

programs=(npm "${CHROMIUM:-chromium}")
[ "$1" != firefox_test.mjs ] || programs+=("${FIREFOX:-firefox-esr}")
for program in "${programs[@]}"; do
  command -v "$program" >/dev/null || { echo "skipped: $program is missing"; exit 77; }
done
if ! need_node || ! need_web || ! need_report_page || ! need_modules test/browser; then
  echo "0 passed, 1 failed"
  exit 1
fi
CHROMIUM=$(command -v "${CHROMIUM:-chromium}")
export CHROMIUM
exec node "test/browser/$1" "${@:2}"
