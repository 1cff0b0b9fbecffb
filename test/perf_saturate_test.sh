#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The search for the highest rate ends, within its allowance of loss, and says what is in the way;
# which rate that is depends on the machine and is not asked about here.
set -euo pipefail
. test/perf_lib.sh

usage_error saturate --seconds 0
usage_error saturate extra

# saturate NAME OPTION...
saturate() {
  name=$1
  shift
  report=$("$perf" saturate --seconds 1 --warmup 0.5 --json - "$@")
  check "$name what ran" "r['scenario'] == 'saturate' and r['consumers'] == 6"
  check "$name steps" "2 <= r['steps'] <= 32 + 8"
  check "$name allowance" "r['pps'] == 0 or r['loss_share'] <= r['loss_share_allowed'] == 0.001"
  check "$name by" "r['pps_per_worker'] == r['pps'] and len(r['limited_by']) > 0"
  check "$name closed" "r['objects_after_close'] == 0"
}

saturate fanout --consumers 6
saturate room --participants 3 --senders 3

finish
