# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of the perf harness have in common: sourced by test/perf_*_test.sh.
# shellcheck disable=SC2034 # `perf` and `report` are the scripts'
perf=$SLUICE_BIN/sluice-perf
report=
passed=0
failed=0

# check NAME EXPRESSION: a Python expression over the report `r`.
check() {
  if python3 -c '
import json, sys
r = json.loads(sys.argv[1])
sys.exit(0 if eval(sys.argv[2]) else 1)' "$report" "$2"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed: $1: not $2"
    echo "$report"
  fi
}

# usage_error ARGUMENT...: exit status 2, something on standard error, nothing on standard output.
usage_error() {
  local status=0 out error
  error=$(mktemp)
  out=$("$perf" "$@" 2>"$error") || status=$?
  if [ "$status" -eq 2 ] && [ -z "$out" ] && [ -s "$error" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed: sluice-perf $*: status $status, output '$out'"
  fi
  rm -f "$error"
}

# The sanitizers' heap gives nothing back, and their code is slow: memory and run lengths say
# nothing under them.
sanitized() {
  grep -q __asan_init "$SLUICE_BIN/sluiced"
}

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
