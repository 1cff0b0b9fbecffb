#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A few seconds of churn against the real relay, on both engines, with SRTP and WebRTC, and a minute
# in a room over two workers: nothing is refused, no stream has a gap, nothing is left. Counts only,
# no times.
set -euo pipefail
. test/perf_lib.sh

usage_error churn --minutes 0
usage_error churn --minutes x
usage_error churn --participants 3 --senders 5
usage_error churn extra

# churn NAME OPTION...
churn() {
  name=$1
  shift
  report=$("$perf" churn --minutes 0.12 --audio --video-kbps 300 --json - "$@")
  check "$name what ran" "r['scenario'] == 'churn' and r['participants'] == 8"
  check "$name operations" "r['operations'] > 30 and r['joins'] > 1 and r['leaves'] > 0"
  check "$name refused" "r['operations_failed'] == 0"
  check "$name sum" "r['operations'] == sum(r[k] for k in ('joins', 'leaves', 'produces',
    'producer_closes', 'consumes', 'consumer_closes', 'pauses', 'resumes'))"
  check "$name media" "r['received'] > 100 and r['forwarded'] >= r['received']"
  check "$name gaps" "r['gaps'] == 0 and r['kernel_drops'] == 0"
  check "$name closed" "r['objects_after_close'] == 0"
  sanitized || check "$name memory" "r['mem_after_close_bytes'] - r['mem_idle_bytes'] < 2 << 20"
}

churn uring --nack
churn mmsg --io mmsg --seed 2
churn webrtc --webrtc --nack --seed 3
churn spread --webrtc --nack --seed 4 --workers 2 --minutes 1

finish
