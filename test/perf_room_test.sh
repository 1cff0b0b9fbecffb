#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Small rooms against the real relay, on both engines, with SRTP and WebRTC: everybody gets all that
# everybody else sends, losses are recovered, nothing is left behind. Counts only, no times.
set -euo pipefail
. test/perf_lib.sh

usage_error room --participants 1
usage_error room --participants 3 --senders 4
usage_error room --senders 0
usage_error room --speakers 2
usage_error room --video-kbps 10
usage_error room --workers 0
usage_error room extra

# room NAME OPTION...: 4 participants.
room() {
  name=$1
  shift
  report=$("$perf" room --participants 4 --warmup 0.5 --seconds 2 --pairs 1 --json - "$@")
  check "$name what ran" "r['scenario'] == 'room' and r['participants'] == 4"
  check "$name counts" "r['transports'] == 4 and r['consumers'] == 3 * r['producers']"
  check "$name lost" "r['lost'] == r['lost_on_wire'] - r['recovered'] and r['foreign'] == 0"
  check "$name kernel" "r['kernel_drops'] == 0"
  check "$name dropped" "r['drops'] == {}"
  check "$name workers" "sum(w['forwarded'] for w in r['workers']) == r['forwarded']"
  check "$name closed" "r['objects_after_close'] == 0"
}

for io in uring mmsg; do
  room "$io" --io "$io" --senders 3 --audio
  check "$io every packet once" "r['received'] == 3 * r['published'] and r['lost'] == 0"
  check "$io forwarded" "r['forwarded'] > 1000"
  check "$io producers" "r['producers'] == 6 and r['audio'] and r['io'] == '$io'"
  check "$io heap" "r['heap_calls'] in (None, 0)"
  check "$io kinds" "r['transit_audio_p50_us'] > 0 and r['transit_video_p50_us'] > 0"
  check "$io beside" "r['side_transit_p50_us'] is None"
done

# Half of the participants are on each worker, and so is half of what is forwarded.
room two --senders 4 --audio --nack --workers 2 --no-count
check "two workers" "len(r['workers']) == 2"
check "two every packet once" "r['received'] == 3 * r['published'] and r['lost'] == 0"
check "two halves" \
  "all(abs(2 * w['forwarded'] - r['forwarded']) * 10 <= r['forwarded'] for w in r['workers'])"

room runs --senders 4 --no-count
check "runs every packet once" "r['received'] == 3 * r['published']"
sanitized || check "runs" "r['packets_per_send'] >= 5"

room webrtc --senders 2 --audio --webrtc --no-count
check "webrtc every packet once" "r['received'] == 3 * r['published']"
check "webrtc keys" "r['webrtc'] and r['srtp'] != 'none'"

# Audio is not asked for again: video alone can be made whole, but for what waits too long here.
room loss --senders 2 --nack --loss 5 --rtt 50 --seconds 4 --srtp cm80 --no-count
check "loss recovers" "r['lost_on_wire'] > 10 and r['recovered_share'] >= 0.97"
check "loss serves" "r['nack_served'] >= r['recovered'] and r['srtp'] == 'cm80'"

finish
