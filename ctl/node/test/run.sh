#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Tests of the Node client; ctest's node_client. Prints "N passed, M failed"; 77: no npm here.
# SLUICE_BIN is the folder of the relay to test against; without it only what needs none runs.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. ctl/node/node.sh

command -v npm >/dev/null || { echo "skipped: npm is missing"; exit 77; }
if ! need_node || ! need_client; then
  echo "0 passed, 1 failed"
  exit 1
fi
passed=0
failed=0

check() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
  fi
}

# The reporter's own sums; a run that has none of them, or an exit status of its own, has failed.
tests_run() {
  local status=0 log name n
  log=$(mktemp)
  node --test --test-reporter=spec test/*.test.js >"$log" 2>&1 || status=$?
  while read -r _ name n; do
    case $name in
      pass) passed=$((passed + n)) ;;
      fail | cancelled) failed=$((failed + n)) ;;
      skipped) [ "$n" -eq 0 ] || echo "$n skipped" ;;
    esac
  done < <(grep -E '^ℹ (pass|fail|cancelled|skipped) [0-9]+$' "$log")
  if [ "$status" -ne 0 ]; then
    cat "$log"
    [ "$failed" -gt 0 ] || failed=1
  fi
  rm -f "$log"
}

cd ctl/node
check "the examples and the type tests compile" npm --silent run check
tests_run
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
