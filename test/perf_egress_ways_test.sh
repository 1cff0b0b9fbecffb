#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Ways of sending against each other, on a small scale: every way has sent what it says and it has
# arrived, in runs as long as asked for. Counts only, no times.
set -euo pipefail
perf=$SLUICE_BIN/sluice-perf
passed=0
failed=0

# check NAME EXPRESSION: a Python expression over the report `r` and its ways by name, `w`.
check() {
  if python3 -c '
import json, sys
r = json.loads(sys.argv[1])
w = {way["name"]: way for way in r["ways"]}
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
  local status=0 out
  out=$("$perf" "$@" 2>/dev/null) || status=$?
  if [ "$status" -eq 2 ] && [ -z "$out" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed: sluice-perf $*: status $status, output '$out'"
  fi
}

usage_error egress extra
usage_error egress --sink

measured="[way for way in r['ways'] if way['measured']]"
report=$("$perf" egress --consumers 3 --pps 200 --pairs 1 --warmup 0.1 --seconds 2 --json -)
check "what ran" "r['scenario'] == 'egress' and r['srtp'] == 'gcm128' and r['consumers'] == 3"
check "pairs" "len($measured) > 12 and all(way['pairs'] == 1 for way in $measured)"
check "sent" "all(way['packets'] > 0 and way['failed'] == 0 for way in $measured)"
check "arrived" "all(way['arrived_share'] == 1 for way in $measured)"
check "singles" "w['connected']['packets_per_send'] == w['mmsg']['packets_per_send'] == 1"
for n in 2 4 7 8 16; do
  check "runs of $n" "w['gso_$n']['packets_per_send'] == $n"
done
check "frame" "w['frame_padded']['packets_per_send'] == 7"
check "frame as it is" "w['frame_padded']['against_packets_per_send'] == 3.5"
check "voices" "w['voices_padded_all']['packets_per_send'] == 6"
check "voice" "w['voice_last']['packets_per_send'] == 8"
check "connected" "r['connected_us'] > 0"

# Nobody is there: what is sent is not counted as arrived, and nothing else is either.
report=$("$perf" egress --consumers 2 --pps 200 --pairs 1 --warmup 0.1 --seconds 1 --srtp none \
  --sink 127.0.0.9 --json -)
check "sink" "r['sink'] == '127.0.0.9' and w['gso_7']['packets'] > 0"
check "no ciphers to compare" "not w['ipsec_mb']['measured'] and r['srtp'] == 'none'"
check "nothing said of arrival" "all(way['arrived_share'] is None for way in r['ways'])"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
