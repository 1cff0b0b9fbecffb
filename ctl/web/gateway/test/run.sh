#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Tests of the WHIP and WHEP gateway, and of signalling, without a WebRTC stack; ctest's gateway.
# Prints "N passed, M failed"; 77: no npm here. With SLUICE_BIN, damaged offers go to that relay,
# too.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
. ctl/node/node.sh

command -v npm >/dev/null || { echo "skipped: npm is missing"; exit 77; }
if ! need_node || ! need_web; then
  echo "0 passed, 1 failed"
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
tests=(ctl/web/test/*.test.js ctl/web/gateway/test/*.test.js)
node --test --test-reporter=spec "${tests[@]}" >"$log" 2>&1 || status=$?
sum() {
  awk -v names="^($1)$" '$1 == "ℹ" && $2 ~ names {n += $3} END {print n + 0}' "$log"
}
passed=$(sum pass)
failed=$(sum 'fail|cancelled')
if [ "$status" -ne 0 ]; then
  cat "$log"
  [ "$failed" -gt 0 ] || failed=1
fi
if (cd ctl/web && npm --silent run check) >"$log" 2>&1; then
  passed=$((passed + 1))
else
  cat "$log"
  failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
