#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A broadcast with rooms beside it against the real relay: viewers and rooms get every packet, and
# the rooms' transit is told apart. Counts only, no times.
set -euo pipefail
. test/perf_lib.sh

usage_error broadcast --viewers 0
usage_error broadcast --viewers 5000
usage_error broadcast --rooms 101
usage_error broadcast extra

# broadcast NAME OPTION...: 30 viewers.
broadcast() {
  name=$1
  shift
  report=$("$perf" broadcast --viewers 30 --video-kbps 300 --warmup 0.5 --seconds 2 --pairs 1 \
    --no-count --json - "$@")
  check "$name what ran" "r['scenario'] == 'broadcast' and r['viewers'] == 30"
  check "$name lost" "r['lost'] == 0 and r['foreign'] == 0 and r['kernel_drops'] == 0"
  check "$name dropped" "r['drops'] == {}"
  check "$name got" "r['received'] > 30 * 100 and r['forwarded'] > 30 * 50"
  check "$name closed" "r['objects_after_close'] == 0"
}

broadcast rooms --rooms 2 --audio
check "rooms consumers" "r['consumers'] == 2 * 30 + 2 * 3 * 4 and r['transports'] == 31 + 6"
check "rooms beside" "r['side_transit_p999_us'] >= r['side_transit_p50_us'] > 0"
check "rooms kernel" "r['side_arrival_p999_us'] >= r['side_arrival_p50_us'] > 0"
broadcast alone --rooms 0 --io mmsg
check "alone consumers" "r['consumers'] == 30 and r['received'] == 30 * r['published']"
check "alone beside" "r['side_transit_p50_us'] is None"

finish
